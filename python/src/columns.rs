//! Columns of tables for Python: vectors handed over as NumPy arrays, not copied.

use crate::work::work;
use numpy::PyArray1;
use papertrader::base::failure::Failure;
use papertrader::base::parquet_table::Kind;
use papertrader::run::parquet_logs::kind_of;
use papertrader::sweep::tables::COLUMNS;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// In place of a whole number, a time or a text that is not there.
const ABSENT: i64 = -1;

/// A column's values.
pub enum Values {
    /// Numbers of texts.
    Texts { codes: Vec<i32>, texts: Vec<String> },
    /// Whole numbers, [`ABSENT`] where there is none.
    Whole(Vec<i64>),
    /// Smaller ones.
    Whole32(Vec<i32>),
    /// Doubles, NaN where there is none.
    Double(Vec<f64>),
    /// Unix nanoseconds, [`ABSENT`] where there is none.
    TimeNs(Vec<i64>),
    /// Signs as doubles, NaN where there is none.
    Label(Vec<f64>),
}

/// A column, and which of its rows have a value if not all do.
pub struct Column {
    pub name: String,
    pub values: Values,
    pub valid: Option<Vec<bool>>,
}

/// A column as Python gets it: name, kind, values, which are valid, texts that values number.
pub type PyColumn = (String, &'static str, Py<PyAny>, Option<Py<PyAny>>, Option<Vec<String>>);

impl Column {
    /// A column with a value in every row.
    pub fn whole(name: impl Into<String>, values: Values) -> Self {
        Self { name: name.into(), values, valid: None }
    }

    /// As Python gets it.
    pub fn into_python(self, py: Python<'_>) -> PyColumn {
        let Self { name, values, valid } = self;
        let valid = valid.map(|valid| PyArray1::from_vec(py, valid).into_any().unbind());
        let (kind, values, texts) = match values {
            Values::Texts { codes, texts } => ("text", PyArray1::from_vec(py, codes).into_any().unbind(), Some(texts)),
            Values::Whole(values) => ("whole", PyArray1::from_vec(py, values).into_any().unbind(), None),
            Values::Whole32(values) => ("whole32", PyArray1::from_vec(py, values).into_any().unbind(), None),
            Values::Double(values) => ("double", PyArray1::from_vec(py, values).into_any().unbind(), None),
            Values::TimeNs(values) => ("time", PyArray1::from_vec(py, values).into_any().unbind(), None),
            Values::Label(values) => ("label", PyArray1::from_vec(py, values).into_any().unbind(), None),
        };
        (name, kind, values, valid, texts)
    }
}

/// A column of a log in the making.
struct Reading {
    column: Column,
    valid: Vec<bool>,
    numbers: HashMap<String, i32>,
}

impl Reading {
    fn new(name: &str, kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Values::Texts { codes: Vec::new(), texts: Vec::new() },
            Kind::Whole => Values::Whole(Vec::new()),
            Kind::TimeNs => Values::TimeNs(Vec::new()),
            Kind::Double | Kind::Truth => Values::Double(Vec::new()),
        };
        Self { column: Column::whole(name, values), valid: Vec::new(), numbers: HashMap::new() }
    }

    /// `None` where the text is not of the column's kind.
    fn push(&mut self, text: &str) -> Option<()> {
        self.valid.push(!text.is_empty());
        match &mut self.column.values {
            Values::Texts { codes, .. } if text.is_empty() => codes.push(ABSENT as i32),
            Values::Texts { codes, texts } => {
                let number = self.numbers.entry(text.into()).or_insert_with(|| {
                    texts.push(text.into());
                    (texts.len() - 1) as i32
                });
                codes.push(*number);
            }
            Values::Whole(values) | Values::TimeNs(values) if text.is_empty() => values.push(ABSENT),
            Values::Whole(values) | Values::TimeNs(values) => values.push(text.parse().ok()?),
            Values::Double(values) | Values::Label(values) if text.is_empty() => values.push(f64::NAN),
            Values::Double(values) | Values::Label(values) => values.push(text.parse().ok()?),
            Values::Whole32(values) => values.push(text.parse().ok()?),
        }
        Some(())
    }

    fn done(self) -> Column {
        let all = self.valid.iter().all(|&valid| valid);
        Column { valid: (!all).then_some(self.valid), ..self.column }
    }
}

fn read(path: &Path, kind: impl Fn(&str) -> Kind) -> Result<Vec<Column>, Failure> {
    let wrong = |error: csv::Error| Failure::running(format!("cannot read {}: {error}", path.display()));
    let mut rows = csv::Reader::from_path(path).map_err(wrong)?;
    let headers = rows.headers().map_err(wrong)?;
    let mut columns: Vec<Reading> = headers.iter().map(|name| Reading::new(name, kind(name))).collect();
    let (mut record, mut row) = (csv::StringRecord::new(), 0_u64);
    while rows.read_record(&mut record).map_err(wrong)? {
        row += 1;
        for (column, text) in columns.iter_mut().zip(&record) {
            if column.push(text).is_none() {
                let (path, name) = (path.display(), &column.column.name);
                return Err(Failure::running(format!("{path}, row {row}: '{name}' is not a number")));
            }
        }
    }
    Ok(columns.into_iter().map(Reading::done).collect())
}

/// The columns of a run's log.
#[pyfunction]
pub fn read_log(py: Python<'_>, path: PathBuf) -> PyResult<Vec<PyColumn>> {
    let columns = work(py, move || read(&path, kind_of))?;
    Ok(columns.into_iter().map(|column| column.into_python(py)).collect())
}

/// The columns of a sweep's table.
#[pyfunction]
pub fn read_sweep(py: Python<'_>, path: PathBuf) -> PyResult<Vec<PyColumn>> {
    let kind = |name: &str| COLUMNS.iter().find(|(column, _)| *column == name).map_or(Kind::Text, |&(_, kind)| kind);
    let columns = work(py, move || read(&path, kind))?;
    Ok(columns.into_iter().map(|column| column.into_python(py)).collect())
}
