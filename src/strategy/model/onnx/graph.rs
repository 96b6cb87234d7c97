//! Compiles a graph: every value gets a place in the arena and every node becomes a step.

use super::attributes::{Attributes, numbers, shape};
use super::forests;
use super::proto::{DOUBLE, FLOAT, GraphProto, INT32, INT64, NodeProto, ValueInfo};
use super::steps::{Binary, Norm, Place, Step, Trees, Unary, What};
use crate::strategy::features::FEATURES_MAX;
use crate::strategy::model::error::{LibraryError, quoted};
use crate::strategy::model::trees::{CLASSES_MAX, Real, Row};
use std::collections::{HashMap, HashSet};

/// The most numbers that are computed for a row.
pub const NUMBERS_MAX: usize = 1 << 20;
/// What a graph's values have at most dimensions.
const DIMS_MAX: usize = 8;

/// What is compiled. All are known before the first one is, since another runs none of them half.
#[rustfmt::skip]
const OPERATORS: &[&str] = &[
    "Abs", "Add", "ArgMax", "ArgMin", "ArrayFeatureExtractor", "Cast", "Clip", "Concat", "Constant", "Div", "Dropout", "Exp",
    "Flatten", "Gemm", "Identity", "Imputer", "LinearClassifier", "LinearRegressor", "Log", "MatMul", "Max", "Min", "Mul", "Neg",
    "Normalizer", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Scaler", "Sigmoid", "Softmax", "Sqrt", "Squeeze", "Sub", "Sum",
    "Tanh", "TreeEnsembleClassifier", "TreeEnsembleRegressor", "Unsqueeze", "ZipMap",
];

fn uncompiled(node: &NodeProto) -> LibraryError {
    LibraryError::Operator { operator: quoted(&node.op_type), node: quoted(&node.name) }
}

/// A value.
#[derive(Clone, Debug)]
pub struct Value {
    pub place: Place,
    shape: Vec<usize>,
    /// A `TensorProto.DataType`.
    element: i32,
    is_constant: bool,
}

/// A graph as far as it has been compiled.
pub struct Building {
    pub steps: Vec<Step>,
    pub arena: Vec<f64>,
    /// How many numbers a row has.
    pub inputs: usize,
    /// Names of inputs, if each is one number.
    pub input_names: Vec<String>,
    pub single: bool,
    pub output: Value,
    /// Which class says up, if the classes' labels tell.
    pub up: Option<usize>,
    /// Whether the last step is a sum of products, which says nothing of what it is.
    pub ends_in_affine: bool,
    /// The last operator.
    pub last: String,
    values: HashMap<String, Value>,
    computed: usize,
}

impl Building {
    /// Compiles what the output of probabilities needs.
    pub fn of(graph: &GraphProto) -> Result<Self, LibraryError> {
        let output = probabilities(graph)?;
        let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let (needed, wanted) = needed(graph, &output.name);
        if let Some(node) = needed.iter().find(|node| !OPERATORS.contains(&node.op_type.as_str())) {
            return Err(uncompiled(node));
        }
        let none = Value { place: 0..0, shape: Vec::new(), element: 0, is_constant: false };
        let mut building = Self {
            steps: Vec::new(),
            arena: Vec::new(),
            inputs: 0,
            input_names: Vec::new(),
            single: false,
            output: none,
            up: None,
            ends_in_affine: false,
            last: "none".into(),
            values: HashMap::new(),
            computed: 0,
        };
        let inputs: Vec<&ValueInfo> =
            graph.input.iter().filter(|input| !constants.contains(input.name.as_str())).collect();
        for input in &inputs {
            building.input(input, inputs.len())?;
        }
        for tensor in graph.initializer.iter().filter(|tensor| wanted.contains(tensor.name.as_str())) {
            let (numbers, shape) = (numbers(tensor)?, shape(tensor)?);
            building.constant(&tensor.name, numbers, shape, tensor.data_type)?;
        }
        for node in needed {
            building.node(node)?;
        }
        building.output =
            building.values.get(&output.name).cloned().ok_or_else(|| {
                LibraryError::broken(format!("nothing computes its output '{}'", quoted(&output.name)))
            })?;
        Ok(building)
    }

    fn input(&mut self, input: &ValueInfo, of: usize) -> Result<(), LibraryError> {
        let (single, shape) = input_shape(input)?;
        let count: usize = shape.iter().product();
        if self.inputs > 0 && single != self.single {
            return Err(LibraryError::unsupported(
                "inputs of several types",
                "convert the model with one type of input",
            ));
        }
        self.single = single;
        let place = self.inputs..self.inputs + count;
        self.inputs = place.end;
        if self.inputs > FEATURES_MAX {
            return Err(LibraryError::Count(self.inputs));
        }
        self.arena.resize(place.end, 0.0);
        if of > 1 && count == 1 {
            self.input_names.push(input.name.clone());
        }
        let value = Value { place, shape, element: if single { FLOAT } else { DOUBLE }, is_constant: false };
        self.values.insert(input.name.clone(), value);
        Ok(())
    }

    fn constant(&mut self, name: &str, numbers: Vec<f64>, shape: Vec<usize>, element: i32) -> Result<(), LibraryError> {
        if shape.len() > DIMS_MAX {
            return Err(LibraryError::broken(format!("tensor '{}' has {} dimensions", quoted(name), shape.len())));
        }
        let from = self.arena.len();
        self.arena.extend(numbers);
        let element = if element == INT32 { INT64 } else { element };
        let value = Value { place: from..self.arena.len(), shape, element, is_constant: true };
        self.values.insert(name.into(), value);
        Ok(())
    }

    /// Adds a step and gives its value.
    fn step(&mut self, node: &NodeProto, what: What, shape: Vec<usize>, element: i32) -> Result<Value, LibraryError> {
        let count = shape.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
        let count = count.filter(|&count| count > 0 && self.computed + count <= NUMBERS_MAX && shape.len() <= DIMS_MAX);
        let count = count.ok_or_else(|| {
            Attributes::new(node)
                .fault(format!("its result has the shape {shape:?}; at most {NUMBERS_MAX} numbers are computed"))
        })?;
        self.computed += count;
        let place = self.arena.len()..self.arena.len() + count;
        self.arena.resize(place.end, 0.0);
        self.steps.push(Step { what, to: place.clone(), single: element == FLOAT });
        Ok(Value { place, shape, element, is_constant: false })
    }

    /// The numbers of a constant that is a list of integers.
    fn integers(&self, value: &Value) -> Option<Vec<i64>> {
        value.is_constant.then(|| self.arena[value.place.clone()].iter().map(|&number| number as i64).collect())
    }

    fn node(&mut self, node: &NodeProto) -> Result<(), LibraryError> {
        let attributes = Attributes::new(node);
        let mut inputs = Vec::new();
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            let value = self.values.get(name).cloned();
            inputs.push(value.ok_or_else(|| {
                attributes
                    .fault(format!("'{}' is used before it is computed: a cycle, or nodes out of order", quoted(name)))
            })?);
        }
        let what_for = node.op_type.as_str();
        let needs = |count: usize| {
            if inputs.len() >= count {
                Ok(())
            } else {
                Err(attributes.fault(format!("it has {} inputs and not {count}", inputs.len())))
            }
        };
        needs(usize::from(what_for != "Constant"))?;
        let value = match what_for {
            "Constant" => {
                let tensor = attributes.find("value").and_then(|attribute| attribute.t.as_ref());
                let tensor = tensor.ok_or_else(|| attributes.fault("it has no tensor"))?;
                let name = node.output.first().cloned().unwrap_or_default();
                return self.constant(&name, numbers(tensor)?, shape(tensor)?, tensor.data_type);
            }
            // A view of the same numbers.
            "Identity" | "Dropout" => inputs[0].clone(),
            "ZipMap" => {
                self.labels(&attributes);
                inputs[0].clone()
            }
            "Reshape" => self.reshaped(&attributes, &inputs)?,
            "Flatten" => {
                let of = &inputs[0];
                let axis = attributes.int("axis", 1);
                let axis = if axis < 0 { axis + of.shape.len() as i64 } else { axis };
                let axis = usize::try_from(axis).unwrap_or(usize::MAX).min(of.shape.len());
                let outer: usize = of.shape[..axis].iter().product();
                Value { shape: vec![outer, of.place.len() / outer.max(1)], ..of.clone() }
            }
            "Squeeze" | "Unsqueeze" => self.squeezed(&attributes, &inputs, node.op_type == "Squeeze")?,
            "Neg" | "Abs" | "Exp" | "Log" | "Sqrt" | "Sigmoid" | "Tanh" | "Relu" => {
                let unary = match what_for {
                    "Neg" => Unary::Neg,
                    "Abs" => Unary::Abs,
                    "Exp" => Unary::Exp,
                    "Log" => Unary::Log,
                    "Sqrt" => Unary::Sqrt,
                    "Sigmoid" => Unary::Sigmoid,
                    "Tanh" => Unary::Tanh,
                    _ => Unary::Relu,
                };
                let of = &inputs[0];
                self.step(node, What::Unary(unary, of.place.clone()), of.shape.clone(), of.element)?
            }
            "Cast" => {
                let (of, to) = (&inputs[0], attributes.int("to", 0));
                let (unary, element) = match i32::try_from(to) {
                    Ok(element @ (FLOAT | DOUBLE)) => (Unary::Same, element),
                    Ok(INT32 | INT64) => (Unary::Truncate, INT64),
                    _ => {
                        return Err(LibraryError::unsupported(
                            format!("{} to type {to}", attributes.name()),
                            "types are float, double and integers",
                        ));
                    }
                };
                self.step(node, What::Unary(unary, of.place.clone()), of.shape.clone(), element)?
            }
            "Add" | "Sub" | "Mul" | "Div" | "Sum" | "Min" | "Max" => {
                let binary = match what_for {
                    "Sub" => Binary::Sub,
                    "Mul" => Binary::Mul,
                    "Div" => Binary::Div,
                    "Min" => Binary::Min,
                    "Max" => Binary::Max,
                    _ => Binary::Add,
                };
                if ["Add", "Sub", "Mul", "Div"].contains(&what_for) {
                    needs(2)?;
                }
                let mut sum = inputs[0].clone();
                for other in &inputs[1..] {
                    sum = self.binary(node, binary, &sum, other)?;
                }
                sum
            }
            "Clip" => {
                // Of older versions the bounds are attributes.
                let given = |name: &str| attributes.find(name).and_then(|attribute| attribute.f).map(f64::from);
                let mut value = inputs[0].clone();
                for (at, name, binary) in [(1, "min", Binary::Max), (2, "max", Binary::Min)] {
                    let named = node
                        .input
                        .get(at)
                        .filter(|name| !name.is_empty())
                        .and_then(|name| self.values.get(name))
                        .cloned();
                    let bound = match (named, given(name)) {
                        (Some(bound), _) => bound,
                        (None, Some(bound)) => self.number(bound, value.element),
                        (None, None) => continue,
                    };
                    value = self.binary(node, binary, &value, &bound)?;
                }
                value
            }
            "MatMul" => {
                needs(2)?;
                self.product(node, &inputs[0], &inputs[1], false)?
            }
            "Gemm" => {
                needs(2)?;
                if attributes.int("transA", 0) != 0 {
                    return Err(LibraryError::unsupported(
                        format!("{} with transA", attributes.name()),
                        "export without",
                    ));
                }
                let product = self.product(node, &inputs[0], &inputs[1], attributes.int("transB", 0) != 0)?;
                let product = self.times(node, attributes.float("alpha", 1.0), product)?;
                match inputs.get(2) {
                    Some(bias) => {
                        let bias = self.times(node, attributes.float("beta", 1.0), bias.clone())?;
                        self.binary(node, Binary::Add, &product, &bias)?
                    }
                    None => product,
                }
            }
            "Concat" => {
                let axis = axis(&attributes, "axis", 1, inputs[0].shape.len())?;
                let outer: usize = inputs[0].shape[..axis].iter().product();
                let same = |value: &Value| {
                    value.shape.len() == inputs[0].shape.len()
                        && (0..value.shape.len()).all(|dim| dim == axis || value.shape[dim] == inputs[0].shape[dim])
                };
                if !inputs.iter().all(same) {
                    return Err(attributes.fault("its inputs differ in shape"));
                }
                let mut from = Vec::new();
                for row in 0..outer {
                    for value in &inputs {
                        let width = value.place.len() / outer.max(1);
                        from.extend((0..width).map(|at| (value.place.start + row * width + at) as u32));
                    }
                }
                let mut shape = inputs[0].shape.clone();
                shape[axis] = inputs.iter().map(|value| value.shape[axis]).sum();
                self.step(node, What::Copy(from), shape, inputs[0].element)?
            }
            "ArgMax" | "ArgMin" | "ReduceSum" | "ReduceMean" => self.reduced(node, &attributes, &inputs)?,
            "ArrayFeatureExtractor" => {
                needs(2)?;
                let (of, which) = (&inputs[0], &inputs[1]);
                let count = of.shape.last().copied().unwrap_or(1);
                match self.integers(which) {
                    Some(indices) => {
                        let rows = of.place.len() / count.max(1);
                        let mut from = Vec::new();
                        for row in 0..rows {
                            for &index in &indices {
                                let index = usize::try_from(index).ok().filter(|&index| index < count);
                                let index =
                                    index.ok_or_else(|| attributes.fault("it takes a number that is not there"))?;
                                from.push((of.place.start + row * count + index) as u32);
                            }
                        }
                        self.step(node, What::Copy(from), vec![rows, indices.len()], of.element)?
                    }
                    None if of.place.len() == count => {
                        let what = What::Pick { list: of.place.clone(), which: which.place.clone() };
                        self.step(node, what, vec![1, which.place.len()], of.element)?
                    }
                    None => {
                        return Err(LibraryError::unsupported(
                            format!("{} of several rows", attributes.name()),
                            "export for one row",
                        ));
                    }
                }
            }
            "Softmax" => {
                let of = &inputs[0];
                if axis(&attributes, "axis", -1, of.shape.len())? + 1 != of.shape.len() {
                    return Err(LibraryError::unsupported(
                        format!("{} but over the last axis", attributes.name()),
                        "export it so",
                    ));
                }
                self.norm(node, of, Norm::Softmax)?
            }
            "Normalizer" => {
                let norm = match attributes.text("norm", "MAX").as_str() {
                    "L1" => Norm::L1,
                    "L2" => Norm::L2,
                    _ => Norm::Max,
                };
                self.norm(node, &inputs[0], norm)?
            }
            "Imputer" => {
                let of = &inputs[0];
                if !attributes.ints("imputed_value_int64s").is_empty() {
                    let what = format!("{} of integers", attributes.name());
                    return Err(LibraryError::unsupported(what, "features are float or double"));
                }
                let width = of.shape.last().copied().unwrap_or(1);
                let list = attributes.floats("imputed_value_floats");
                if list.is_empty() || list.len() != 1 && list.len() != width {
                    return Err(
                        attributes.fault(format!("imputed_value_floats has {} entries and not {width}", list.len()))
                    );
                }
                let by = self.list(list, of.element).place;
                let what =
                    What::Replace { of: of.place.clone(), what: attributes.float("replaced_value_float", 0.0), by };
                self.step(node, what, of.shape.clone(), of.element)?
            }
            "Scaler" => {
                let of = &inputs[0];
                let width = of.shape.last().copied().unwrap_or(1);
                let mut value = of.clone();
                for (name, binary, absent) in [("offset", Binary::Sub, 0.0), ("scale", Binary::Mul, 1.0)] {
                    let mut list = attributes.floats(name);
                    if list.is_empty() {
                        list.push(absent);
                    }
                    if list.len() != 1 && list.len() != width {
                        return Err(attributes.fault(format!("{name} has {} entries and not {width}", list.len())));
                    }
                    let list = self.list(list, FLOAT);
                    value = self.binary(node, binary, &value, &list)?;
                }
                Value { element: FLOAT, ..value }
            }
            "LinearClassifier" | "LinearRegressor" => self.linear(node, &attributes, &inputs[0])?,
            "TreeEnsembleClassifier" | "TreeEnsembleRegressor" => match inputs[0].element {
                FLOAT => self.trees(node, &attributes, &inputs[0], Trees::Floats)?,
                DOUBLE => self.trees(node, &attributes, &inputs[0], Trees::Doubles)?,
                _ => return Err(attributes.fault("its input is no float")),
            },
            _ => return Err(uncompiled(node)),
        };
        // Views do not change what the last step was.
        if !["Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "ZipMap"].contains(&what_for)
        {
            self.ends_in_affine = ["MatMul", "Gemm", "Add"].contains(&what_for);
            self.last = attributes.name();
        }
        // A classifier's first output is its label, which nothing here needs.
        let is_classifier = ["LinearClassifier", "TreeEnsembleClassifier"].contains(&what_for);
        if let Some(name) = node.output.get(usize::from(is_classifier)) {
            self.values.insert(name.clone(), value);
        }
        Ok(())
    }

    /// A value times a constant.
    fn times(&mut self, node: &NodeProto, factor: f64, value: Value) -> Result<Value, LibraryError> {
        if factor == 1.0 {
            return Ok(value);
        }
        let factor = self.number(factor, value.element);
        self.binary(node, Binary::Mul, &value, &factor)
    }

    fn number(&mut self, number: f64, element: i32) -> Value {
        let list = self.list(vec![number], element);
        Value { shape: Vec::new(), ..list }
    }

    fn list(&mut self, numbers: Vec<f64>, element: i32) -> Value {
        let from = self.arena.len();
        let shape = vec![numbers.len()];
        self.arena.extend(numbers);
        Value { place: from..self.arena.len(), shape, element, is_constant: true }
    }

    fn binary(&mut self, node: &NodeProto, binary: Binary, a: &Value, b: &Value) -> Result<Value, LibraryError> {
        let dims = a.shape.len().max(b.shape.len());
        let dim = |value: &Value, at: usize| {
            let missing = dims - value.shape.len();
            if at < missing { 1 } else { value.shape[at - missing] }
        };
        let mut shape = Vec::new();
        for at in 0..dims {
            let (x, y) = (dim(a, at), dim(b, at));
            if x != y && x != 1 && y != 1 {
                return Err(
                    Attributes::new(node).fault(format!("shapes {:?} and {:?} do not go together", a.shape, b.shape))
                );
            }
            shape.push(x.max(y));
        }
        let count = shape
            .iter()
            .try_fold(1_usize, |product, &dim| product.checked_mul(dim))
            .filter(|&count| count <= NUMBERS_MAX);
        let count = count.ok_or_else(|| Attributes::new(node).fault(format!("its result has the shape {shape:?}")))?;
        let operands = (0..count).map(|number| {
            [a, b].map(|value| {
                let (mut rest, mut at, mut step) = (number, 0, 1);
                for dimension in (0..dims).rev() {
                    let (index, width) = (rest % shape[dimension], dim(value, dimension));
                    rest /= shape[dimension];
                    if width > 1 {
                        at += index * step;
                    }
                    step *= width;
                }
                (value.place.start + at) as u32
            })
        });
        let operands = operands.collect();
        self.step(node, What::Binary(binary, operands), shape, a.element)
    }

    fn product(&mut self, node: &NodeProto, x: &Value, w: &Value, turned: bool) -> Result<Value, LibraryError> {
        let bad = || Attributes::new(node).fault(format!("shapes {:?} and {:?} do not go together", x.shape, w.shape));
        let &[rows, columns] = w.shape.as_slice() else { return Err(bad()) };
        let (inner, width) = if turned { (columns, rows) } else { (rows, columns) };
        if x.shape.last() != Some(&inner) || inner == 0 || width == 0 {
            return Err(bad());
        }
        let w = if turned {
            if !w.is_constant {
                return Err(bad());
            }
            let from = &self.arena[w.place.clone()];
            let turned = (0..inner * width).map(|at| from[at % width * inner + at / width]).collect();
            self.list(turned, w.element)
        } else {
            w.clone()
        };
        let mut shape = x.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = width;
        }
        self.step(node, What::Product { x: x.place.clone(), w: w.place, inner }, shape, x.element)
    }

    fn norm(&mut self, node: &NodeProto, of: &Value, norm: Norm) -> Result<Value, LibraryError> {
        let count = of.shape.last().copied().unwrap_or(1);
        self.step(node, What::Norm { of: of.place.clone(), count, norm }, of.shape.clone(), of.element)
    }

    /// Without dimensions of 1, or with more of them. Numbers keep their order.
    fn squeezed(&self, attributes: &Attributes<'_>, inputs: &[Value], removes: bool) -> Result<Value, LibraryError> {
        let of = &inputs[0];
        let axes = match inputs.get(1) {
            None => attributes.ints("axes").to_vec(),
            Some(axes) => self.integers(axes).ok_or_else(|| {
                LibraryError::unsupported(
                    format!("{} of computed axes", attributes.name()),
                    "export it with fixed ones",
                )
            })?,
        };
        let dims = if removes { of.shape.len() } else { of.shape.len() + axes.len() };
        let from_behind = |&axis: &i64| if axis < 0 { axis + dims as i64 } else { axis };
        let axes: Option<Vec<usize>> =
            axes.iter().map(|axis| usize::try_from(from_behind(axis)).ok().filter(|&axis| axis < dims)).collect();
        let axes = axes.filter(|axes| dims <= DIMS_MAX && (0..axes.len()).all(|at| !axes[..at].contains(&axes[at])));
        let Some(axes) = axes else {
            return Err(attributes.fault(format!("its axes are none of a value of the shape {:?}", of.shape)));
        };
        if !removes {
            let mut rest = of.shape.iter();
            let dim = |at: usize| if axes.contains(&at) { Some(1) } else { rest.next().copied() };
            let shape: Option<Vec<usize>> = (0..dims).map(dim).collect();
            return Ok(Value { shape: shape.expect("as many as are left"), ..of.clone() });
        }
        // The first dimension is that of rows: of several it would stay.
        let is_named = |at: usize| if axes.is_empty() { at > 0 || of.is_constant } else { axes.contains(&at) };
        if let Some(&axis) = axes.iter().find(|&&axis| of.shape[axis] != 1) {
            return Err(attributes.fault(format!("dimension {axis} of {:?} is not 1", of.shape)));
        }
        let kept = of.shape.iter().enumerate().filter(|&(at, &dim)| dim != 1 || !is_named(at));
        Ok(Value { shape: kept.map(|(_, &dim)| dim).collect(), ..of.clone() })
    }

    fn reshaped(&self, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Value, LibraryError> {
        let of = &inputs[0];
        let wanted = inputs.get(1).and_then(|wanted| self.integers(wanted));
        let wanted = match wanted {
            Some(wanted) => wanted,
            // Of old, an attribute.
            None if inputs.len() == 1 && !attributes.ints("shape").is_empty() => attributes.ints("shape").to_vec(),
            None => {
                return Err(LibraryError::unsupported(
                    format!("{} to a computed shape", attributes.name()),
                    "export it with a fixed one",
                ));
            }
        };
        let mut shape: Vec<usize> = wanted.iter().map(|&dim| usize::try_from(dim).unwrap_or(usize::MAX)).collect();
        for (at, dim) in shape.iter_mut().enumerate() {
            if *dim == 0 {
                *dim = of.shape.get(at).copied().unwrap_or(1);
            }
        }
        let known =
            shape.iter().filter(|&&dim| dim != usize::MAX).fold(1_usize, |product, &dim| product.saturating_mul(dim));
        shape.iter_mut().filter(|dim| **dim == usize::MAX).for_each(|dim| *dim = of.place.len() / known.max(1));
        if shape.len() > DIMS_MAX
            || shape.iter().fold(1_usize, |product, &dim| product.saturating_mul(dim)) != of.place.len()
        {
            return Err(attributes.fault(format!("{} numbers do not have the shape {shape:?}", of.place.len())));
        }
        Ok(Value { shape, ..of.clone() })
    }

    fn reduced(
        &mut self,
        node: &NodeProto,
        attributes: &Attributes<'_>,
        inputs: &[Value],
    ) -> Result<Value, LibraryError> {
        let of = &inputs[0];
        let last = of.shape.len().wrapping_sub(1);
        let is_arg = node.op_type.starts_with("Arg");
        let axes = match inputs.get(1) {
            Some(axes) => self.integers(axes),
            None if is_arg => Some(vec![attributes.int("axis", 0)]),
            None => Some(attributes.ints("axes").to_vec()),
        };
        if !matches!(axes.as_deref(), Some(&[axis]) if axis == -1 || usize::try_from(axis) == Ok(last)) {
            return Err(LibraryError::unsupported(
                format!("{} but over the last axis", attributes.name()),
                "export it so",
            ));
        }
        let (count, place) = (of.shape[last], of.place.clone());
        let mut shape = of.shape.clone();
        if attributes.int("keepdims", 1) != 0 {
            shape[last] = 1
        } else {
            shape.truncate(last)
        }
        if is_arg {
            let what = What::Arg { of: place, count, largest: node.op_type == "ArgMax" };
            return self.step(node, what, shape, INT64);
        }
        self.step(node, What::Sum { of: place, count, mean: node.op_type == "ReduceMean" }, shape, of.element)
    }

    /// Takes note of which class says up, if the labels tell.
    fn labels(&mut self, attributes: &Attributes<'_>) -> usize {
        let (up, count) = class_of_up(attributes);
        self.up = up.or(self.up);
        count
    }

    fn linear(&mut self, node: &NodeProto, attributes: &Attributes<'_>, of: &Value) -> Result<Value, LibraryError> {
        let inner = of.shape.last().copied().unwrap_or(1);
        let (weights, biases) = (attributes.floats("coefficients"), attributes.floats("intercepts"));
        let width = weights.len() / inner.max(1);
        if width * inner != weights.len() || width == 0 || !(biases.is_empty() || biases.len() == width) {
            return Err(attributes.fault(format!(
                "{} coefficients and {} intercepts for {inner} inputs",
                weights.len(),
                biases.len()
            )));
        }
        let turned = (0..weights.len()).map(|at| weights[at % width * inner + at / width]).collect();
        let w = Value { shape: vec![inner, width], ..self.list(turned, FLOAT) };
        let of = Value { element: FLOAT, ..of.clone() };
        let mut scores = self.product(node, &of, &w, false)?;
        if !biases.is_empty() {
            let biases = self.list(biases, FLOAT);
            scores = self.binary(node, Binary::Add, &scores, &biases)?;
        }
        let labels = if node.op_type == "LinearClassifier" { self.labels(attributes) } else { width };
        if labels == 2 && width == 1 {
            return self.post(node, attributes, &scores, Some(false));
        }
        if labels != width {
            return Err(attributes.fault(format!("it has {labels} labels for {width} scores")));
        }
        self.post(node, attributes, &scores, None)
    }

    fn trees<T: Real>(
        &mut self,
        node: &NodeProto,
        attributes: &Attributes<'_>,
        of: &Value,
        kind: fn(crate::strategy::model::trees::Ensemble<T>, Row<T>) -> Trees,
    ) -> Result<Value, LibraryError> {
        let is_classifier = node.op_type == "TreeEnsembleClassifier";
        let scores =
            if is_classifier { self.labels(attributes) } else { attributes.int("n_targets", 1).max(0) as usize };
        if !(1..=CLASSES_MAX).contains(&scores) {
            return Err(LibraryError::unsupported(
                format!("{} of {scores} classes", attributes.name()),
                "train with two or three",
            ));
        }
        let inputs = of.place.len();
        if inputs > FEATURES_MAX {
            return Err(LibraryError::Count(inputs));
        }
        let forest: forests::Forest<T> =
            forests::read(node, if is_classifier { "class" } else { "target" }, inputs, scores)?;
        let width = if forest.is_alone { 1 } else { scores };
        let trees = Box::new(kind(forest.ensemble, Row::default()));
        let mut sums =
            self.step(node, What::Trees { of: of.place.clone(), trees, base: forest.base }, vec![1, width], FLOAT)?;
        match attributes.text("aggregate_function", "SUM").as_str() {
            "SUM" => {}
            "AVERAGE" => {
                let count = self.number(forest.trees.max(1) as f64, FLOAT);
                sums = self.binary(node, Binary::Div, &sums, &count)?;
            }
            other => {
                return Err(LibraryError::unsupported(
                    format!("{}: {}", attributes.name(), quoted(other)),
                    "aggregates are SUM and AVERAGE",
                ));
            }
        }
        self.post(node, attributes, &sums, forest.is_alone.then_some(forest.all_positive))
    }

    /// What scores become. Of two classes with one score, the first gets what is left: of 1 if scores are positive, else of 0.
    fn post(
        &mut self,
        node: &NodeProto,
        attributes: &Attributes<'_>,
        scores: &Value,
        alone: Option<bool>,
    ) -> Result<Value, LibraryError> {
        let post = attributes.text("post_transform", "NONE");
        let mut scores = scores.clone();
        if let Some(all_positive) = alone {
            let total = self.number(if all_positive && post == "NONE" { 1.0 } else { 0.0 }, FLOAT);
            let other = self.binary(node, Binary::Sub, &total, &scores)?;
            let from = vec![other.place.start as u32, scores.place.start as u32];
            scores = self.step(node, What::Copy(from), vec![1, 2], FLOAT)?;
        }
        match post.as_str() {
            "NONE" => Ok(scores),
            "LOGISTIC" => {
                self.step(node, What::Unary(Unary::Sigmoid, scores.place.clone()), scores.shape.clone(), FLOAT)
            }
            "SOFTMAX" => self.norm(node, &scores, Norm::Softmax),
            other => Err(LibraryError::unsupported(
                format!("{}: post_transform {}", attributes.name(), quoted(other)),
                "NONE, LOGISTIC and SOFTMAX are",
            )),
        }
    }
}

/// An axis, which may count from behind.
fn axis(attributes: &Attributes<'_>, name: &str, absent: i64, dims: usize) -> Result<usize, LibraryError> {
    let axis = attributes.int(name, absent);
    let from_behind = if axis < 0 { axis + dims as i64 } else { axis };
    let good = usize::try_from(from_behind).ok().filter(|&axis| axis < dims);
    good.ok_or_else(|| attributes.fault(format!("{name} is {axis} for {dims} dimensions")))
}

/// Whether an input's numbers are floats, and its shape. What is left open is the number of rows: one.
pub fn input_shape(input: &ValueInfo) -> Result<(bool, Vec<usize>), LibraryError> {
    let name = quoted(&input.name);
    let tensor = input.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let tensor = tensor.ok_or_else(|| LibraryError::broken(format!("input '{name}' is no tensor")))?;
    let single = match tensor.element {
        FLOAT => true,
        DOUBLE => false,
        other => {
            let what = format!("input '{name}' of type {other}");
            let instead = "features are float or double: convert the model with one of them";
            return Err(LibraryError::unsupported(what, instead));
        }
    };
    let dims = tensor
        .shape
        .iter()
        .flat_map(|shape| &shape.dim)
        .map(|dim| usize::try_from(dim.value.max(1)).unwrap_or(usize::MAX));
    let shape: Vec<usize> = dims.collect();
    let count = shape.iter().fold(1_usize, |product, &dim| product.saturating_mul(dim));
    if count > FEATURES_MAX || shape.len() > DIMS_MAX {
        return Err(LibraryError::Count(count));
    }
    Ok((single, shape))
}

/// Which class says up, if labels tell, and how many labels there are.
pub fn class_of_up(attributes: &Attributes<'_>) -> (Option<usize>, usize) {
    let texts = ["classlabels_strings", "classlabels_string"].map(|name| attributes.strings(name));
    let texts = texts.into_iter().find(|texts| !texts.is_empty()).unwrap_or_default();
    let numbers = ["classlabels_int64s", "classlabels_ints"].map(|name| attributes.ints(name));
    let numbers = numbers.into_iter().find(|numbers| !numbers.is_empty()).unwrap_or_default();
    let up = match numbers {
        [-1, 0, 1] => Some(2),
        _ => texts.iter().position(|text| text == b"up"),
    };
    (up, texts.len().max(numbers.len()))
}

/// The output that is no label: the last one of floats, or of maps.
pub fn probabilities(graph: &GraphProto) -> Result<&ValueInfo, LibraryError> {
    let is_float = |output: &&ValueInfo| {
        let tensor = output.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        tensor.is_none_or(|tensor| tensor.element == FLOAT || tensor.element == DOUBLE)
    };
    graph
        .output
        .iter()
        .rfind(is_float)
        .ok_or_else(|| LibraryError::broken("it gives no probabilities, which are float or double"))
}

/// The nodes that an output needs, in their order, and the names that they read.
pub fn needed<'a>(graph: &'a GraphProto, output: &'a str) -> (Vec<&'a NodeProto>, HashSet<&'a str>) {
    let mut wanted: HashSet<&str> = HashSet::from([output]);
    let mut nodes = Vec::new();
    for node in graph.node.iter().rev() {
        if node.output.iter().any(|name| wanted.contains(name.as_str())) {
            wanted.extend(node.input.iter().map(String::as_str));
            nodes.push(node);
        }
    }
    nodes.reverse();
    (nodes, wanted)
}
