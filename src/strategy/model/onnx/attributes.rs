//! Attributes of a node, and tensors, as numbers.

use super::proto::{Attribute, DOUBLE, FLOAT, INT32, INT64, NodeProto, TensorProto};
use crate::strategy::model::error::{LibraryError, quoted};

/// A node's attributes.
pub struct Attributes<'a> {
    node: &'a NodeProto,
}

impl<'a> Attributes<'a> {
    pub fn new(node: &'a NodeProto) -> Self {
        Self { node }
    }

    /// The node as errors name it.
    pub fn name(&self) -> String {
        format!("{} '{}'", quoted(&self.node.op_type), quoted(&self.node.name))
    }

    pub fn fault(&self, what: impl std::fmt::Display) -> LibraryError {
        LibraryError::broken(format!("{}: {what}", self.name()))
    }

    pub fn find(&self, name: &str) -> Option<&'a Attribute> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub fn int(&self, name: &str, absent: i64) -> i64 {
        self.find(name).and_then(|attribute| attribute.i).unwrap_or(absent)
    }

    pub fn float(&self, name: &str, absent: f64) -> f64 {
        self.find(name).and_then(|attribute| attribute.f).map_or(absent, f64::from)
    }

    pub fn text(&self, name: &str, absent: &str) -> String {
        let text = self.find(name).and_then(|attribute| attribute.s.as_deref());
        text.map_or_else(|| absent.to_owned(), |text| String::from_utf8_lossy(text).into_owned())
    }

    pub fn ints(&self, name: &str) -> &'a [i64] {
        self.find(name).map_or(&[], |attribute| &attribute.ints)
    }

    pub fn floats(&self, name: &str) -> Vec<f64> {
        self.find(name).map_or_else(Vec::new, |attribute| attribute.floats.iter().copied().map(f64::from).collect())
    }

    pub fn strings(&self, name: &str) -> &'a [Vec<u8>] {
        self.find(name).map_or(&[], |attribute| &attribute.strings)
    }

    /// Floats, or the tensor of doubles that may stand in their place.
    pub fn numbers_or_none(&self, name: &str) -> Result<Vec<f64>, LibraryError> {
        match self.find(&format!("{name}_as_tensor")).and_then(|attribute| attribute.t.as_ref()) {
            Some(tensor) => Ok(numbers(tensor)?),
            None => Ok(self.floats(name)),
        }
    }

    pub fn numbers(&self, name: &str, count: usize) -> Result<Vec<f64>, LibraryError> {
        let numbers = self.numbers_or_none(name)?;
        if numbers.len() == count {
            return Ok(numbers);
        }
        Err(self.fault(format!("{name} has {} entries and not {count}", numbers.len())))
    }
}

/// A tensor's shape.
pub fn shape(tensor: &TensorProto) -> Result<Vec<usize>, LibraryError> {
    let dims = tensor.dims.iter().map(|&dim| usize::try_from(dim)).collect::<Result<Vec<_>, _>>();
    dims.map_err(|_| LibraryError::broken(format!("tensor '{}' has a dimension below 0", quoted(&tensor.name))))
}

/// A tensor's numbers.
pub fn numbers(tensor: &TensorProto) -> Result<Vec<f64>, LibraryError> {
    let name = quoted(&tensor.name);
    if tensor.data_location != 0 {
        let instead = "save the model as one file";
        return Err(LibraryError::unsupported(format!("tensor '{name}', whose numbers are in another file,"), instead));
    }
    let raw = tensor.raw_data.as_deref();
    fn of<const N: usize>(raw: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        raw.as_chunks().0.iter().map(|&bytes| number(bytes)).collect()
    }
    let numbers: Vec<f64> = match (tensor.data_type, raw) {
        (FLOAT, Some(raw)) => of(raw, |bytes| f64::from(f32::from_le_bytes(bytes))),
        (FLOAT, None) => tensor.float_data.iter().copied().map(f64::from).collect(),
        (DOUBLE, Some(raw)) => of(raw, f64::from_le_bytes),
        (DOUBLE, None) => tensor.double_data.clone(),
        (INT64, Some(raw)) => of(raw, |bytes| i64::from_le_bytes(bytes) as f64),
        (INT64, None) => tensor.int64_data.iter().map(|&number| number as f64).collect(),
        (INT32, Some(raw)) => of(raw, |bytes| f64::from(i32::from_le_bytes(bytes))),
        (INT32, None) => tensor.int32_data.iter().copied().map(f64::from).collect(),
        (other, _) => {
            let what = format!("tensor '{name}' of type {other}");
            return Err(LibraryError::unsupported(what, "types are float, double, int32 and int64"));
        }
    };
    let count = shape(tensor)?.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
    if count != Some(numbers.len()) {
        return Err(LibraryError::broken(format!(
            "tensor '{name}' has {} numbers for its shape {:?}",
            numbers.len(),
            tensor.dims
        )));
    }
    Ok(numbers)
}
