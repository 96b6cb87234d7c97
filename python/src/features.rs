//! Features with labels as columns.

use crate::columns::{Column, PyColumn, Values};
use crate::work::work;
use papertrader::base::failure::Failure;
use papertrader::cli::Command;
use papertrader::cli::commands::features::{FeaturesArgs, ReadRows, read_rows};
use papertrader::cli::host::parse;
use papertrader::research::dataset::LabelledRow;
use papertrader::research::export::{LEADING, TRAILING, change_ticks, mid_ticks};
use papertrader::research::feature_list::parse_features;
use papertrader::sources::files::expand;
use papertrader::sources::market::Market;
use papertrader::strategy::features::Input;
use pyo3::prelude::*;
use std::ffi::OsString;

fn arguments(arguments: Vec<OsString>) -> Result<FeaturesArgs, Failure> {
    match parse(arguments)? {
        Command::Features(args) => Ok(args),
        _ => Err(Failure::input("these are not the arguments of features")),
    }
}

/// Rows as they come, column by column, as `papertrader features` writes them.
#[derive(Default)]
struct Columns {
    capture: Vec<i32>,
    sequence: Vec<i64>,
    venue_sequence_num: Vec<i64>,
    ts_recv_ns: Vec<i64>,
    ts_event_ns: Vec<i64>,
    price_decimals: Vec<i32>,
    mid_ticks: Vec<f64>,
    features: Vec<Vec<f64>>,
    mid_change_ticks: Vec<f64>,
    label: Vec<f64>,
}

impl Columns {
    fn push(&mut self, row: &LabelledRow<'_>) {
        let head = &row.head;
        // Fewer captures than that, and counts of frames and of a venue's messages fit 63 bits.
        self.capture.push(head.capture as i32);
        self.sequence.push(head.sequence as i64);
        self.venue_sequence_num.push(head.venue_sequence_num as i64);
        self.ts_recv_ns.push(head.ts_recv_ns);
        self.ts_event_ns.push(head.ts_event_ns);
        self.price_decimals.push(i32::from(head.tick_decimals));
        self.mid_ticks.push(mid_ticks(head));
        for (column, &value) in self.features.iter_mut().zip(row.values) {
            column.push(value);
        }
        self.mid_change_ticks.push(row.change.map_or(f64::NAN, |change| change_ticks(head, change)));
        self.label.push(row.change.map_or(f64::NAN, |change| f64::from(change.sign)));
    }

    fn named(self, names: Vec<String>, captures: Vec<String>) -> Vec<Column> {
        let valid = |is: Vec<bool>| if is.iter().all(|&is| is) { None } else { Some(is) };
        let timed = valid(self.ts_event_ns.iter().map(|&ns| ns != 0).collect());
        let labelled = valid(self.label.iter().map(|label| !label.is_nan()).collect());
        let leading = [
            Values::Texts { codes: self.capture, texts: captures },
            Values::Whole(self.sequence),
            Values::Whole(self.venue_sequence_num),
            Values::TimeNs(self.ts_recv_ns),
            Values::TimeNs(self.ts_event_ns),
            Values::Whole32(self.price_decimals),
            Values::Double(self.mid_ticks),
        ];
        let mut columns: Vec<Column> =
            LEADING.into_iter().zip(leading).map(|(name, values)| Column::whole(name, values)).collect();
        columns[4].valid = timed;
        let features = names.into_iter().zip(self.features);
        columns.extend(features.map(|(name, values)| Column::whole(name, Values::Double(values))));
        let trailing = [Values::Double(self.mid_change_ticks), Values::Label(self.label)];
        columns.extend(TRAILING.into_iter().zip(trailing).map(|(name, values)| Column {
            name: name.into(),
            values,
            valid: labelled.clone(),
        }));
        columns
    }
}

/// The product, the columns, the features as lists have them, and the captures and counts as JSON.
type Read = (String, Vec<PyColumn>, Vec<String>, String, String);

/// The rows that `papertrader features` would write.
#[pyfunction]
pub fn features(py: Python<'_>, args: Vec<OsString>) -> PyResult<Read> {
    let (read, columns, definitions) = work(py, move || {
        let args = arguments(args)?;
        let inputs = parse_features(&args.features).map_err(Failure::input)?;
        let mut columns = Columns { features: vec![Vec::new(); inputs.len()], ..Columns::default() };
        let read = read_rows(&args, &mut |row| {
            columns.push(row);
            Ok(())
        })?;
        let captures = read.captures.iter().map(|capture| capture.path.display().to_string()).collect();
        let columns = columns.named(inputs.iter().map(ToString::to_string).collect(), captures);
        Ok((read, columns, inputs.iter().map(Input::definition).collect()))
    })?;
    let ReadRows { product, captures, counts } = read;
    let json = |value: serde_json::Result<String>| value.unwrap_or_default();
    let (captures, counts) = (json(serde_json::to_string(&captures)), json(serde_json::to_string(&counts)));
    let columns = columns.into_iter().map(|column| column.into_python(py)).collect();
    Ok((product, columns, definitions, captures, counts))
}

/// The features of a list, one by one: names, and `NAME = EXPRESSION`.
#[pyfunction]
pub fn feature_list(py: Python<'_>, list: String) -> PyResult<Vec<String>> {
    let features = work(py, move || parse_features(&list).map_err(Failure::input))?;
    Ok(features.iter().map(Input::definition).collect())
}

/// The product of a market, which is opened and closed again.
#[pyfunction]
pub fn product(py: Python<'_>, args: Vec<OsString>) -> PyResult<String> {
    work(py, move || {
        let args = arguments(args)?;
        let captures = expand(&args.captures).map_err(Failure::input)?;
        let market = Market::open_all(&captures, &args.source.settings()?).map_err(Failure::input)?;
        Ok(market.product().into())
    })
}
