//! A sweep's rows as a table: CSV, and Parquet with the same columns. Units are in the columns' names.
//!
//! ```
//! use papertrader::sweep::result::SweepResult;
//! use papertrader::sweep::tables::{COLUMNS, csv};
//!
//! let mut bytes = Vec::new();
//! csv(&SweepResult::default(), &mut bytes)?;
//! let header = String::from_utf8(bytes).expect("names are UTF-8");
//! assert!(header.starts_with("setting,capture,model,model_sha256,threshold,lag_updates,"));
//! assert_eq!(header.trim_end().split(',').count(), COLUMNS.len());
//! # Ok::<(), std::io::Error>(())
//! ```

use super::result::{Row, Setting, SweepResult, SweptCapture, SweptModel};
use crate::base::output::{Output, OutputError};
use crate::base::parquet_table::{Cell, Kind, ParquetTable};
use parquet::data_type::ByteArray;
use std::io::{self, Write};
use std::path::Path;

/// The columns and what they hold. Money is in quote currency; basis points are of what was bought.
pub const COLUMNS: [(&str, Kind); 46] = [
    ("setting", Kind::Whole),
    ("capture", Kind::Whole),
    ("model", Kind::Text),
    ("model_sha256", Kind::Text),
    ("threshold", Kind::Double),
    ("lag_updates", Kind::Whole),
    ("buy_amount_quote", Kind::Double),
    ("execution", Kind::Text),
    ("order_latency_ns", Kind::Whole),
    ("fee_bps", Kind::Double),
    ("capture_path", Kind::Text),
    ("capture_sha256", Kind::Text),
    ("product", Kind::Text),
    ("live_from_ts_ns", Kind::TimeNs),
    ("live_to_ts_ns", Kind::TimeNs),
    ("frames", Kind::Whole),
    ("frames_live", Kind::Whole),
    ("faults", Kind::Whole),
    ("in_sample", Kind::Text),
    ("trades", Kind::Whole),
    ("winners", Kind::Whole),
    ("win_rate", Kind::Double),
    ("bought_quote", Kind::Double),
    ("gross_profit_quote", Kind::Double),
    ("net_profit_quote", Kind::Double),
    ("gross_profit_per_trade_quote", Kind::Double),
    ("net_profit_per_trade_quote", Kind::Double),
    ("gross_bps", Kind::Double),
    ("gross_bps_low", Kind::Double),
    ("gross_bps_high", Kind::Double),
    ("net_bps", Kind::Double),
    ("net_bps_low", Kind::Double),
    ("net_bps_high", Kind::Double),
    ("interval_blocks", Kind::Whole),
    ("break_even_fee_bps", Kind::Double),
    ("drawdown_max_quote", Kind::Double),
    ("held_p50_s", Kind::Double),
    ("open", Kind::Whole),
    ("orders", Kind::Whole),
    ("fill_rate", Kind::Double),
    ("fees_quote", Kind::Double),
    ("finding", Kind::Text),
    ("doubtful_trades", Kind::Whole),
    ("doubtful_net_profit_quote", Kind::Double),
    ("slices", Kind::Whole),
    ("slices_with_gain", Kind::Whole),
];

/// What stands in a cell.
enum Value<'a> {
    None,
    Text(&'a str),
    Whole(i64),
    TimeNs(i64),
    Double(f64),
}

fn whole(count: u64) -> Value<'static> {
    Value::Whole(i64::try_from(count).unwrap_or(i64::MAX))
}

fn double(value: Option<f64>) -> Value<'static> {
    value.map_or(Value::None, Value::Double)
}

fn cells<'a>(
    result: &'a SweepResult,
    (capture, setting, model, row): (&'a SweptCapture, &'a Setting, &'a SweptModel, &'a Row),
) -> [Value<'a>; COLUMNS.len()] {
    let per_trade = |profit: f64| double((row.trades > 0).then(|| profit / row.trades as f64));
    let time = |ts_ns: Option<i64>| ts_ns.map_or(Value::None, Value::TimeNs);
    [
        whole(row.setting.into()),
        whole(row.capture.into()),
        Value::Text(&model.path),
        Value::Text(&model.sha256),
        Value::Double(setting.threshold),
        whole(setting.lag_updates.into()),
        Value::Double(setting.buy_amount),
        Value::Text(setting.execution.name()),
        setting.order_latency_ns.map_or(Value::None, Value::Whole),
        Value::Double(result.fee_bps),
        Value::Text(&capture.path),
        Value::Text(&capture.sha256),
        Value::Text(&capture.product),
        time(capture.live_ns.map(|(first_ns, _)| first_ns)),
        time(capture.live_ns.map(|(_, last_ns)| last_ns)),
        whole(capture.frames),
        whole(capture.frames_live),
        whole(capture.faults),
        Value::Text(capture.in_sample.get(setting.model as usize).map_or("", |sample| sample.name())),
        whole(row.trades),
        whole(row.winners),
        double(row.win_rate),
        Value::Double(row.bought),
        Value::Double(row.gross_profit),
        Value::Double(row.net_profit),
        per_trade(row.gross_profit),
        per_trade(row.net_profit),
        double(row.gross_bps),
        double(row.gross_bps_interval.map(|interval| interval.low)),
        double(row.gross_bps_interval.map(|interval| interval.high)),
        double(row.net_bps),
        double(row.net_bps_interval.map(|interval| interval.low)),
        double(row.net_bps_interval.map(|interval| interval.high)),
        row.blocks.map_or(Value::None, whole),
        double(row.break_even_fee_bps),
        Value::Double(row.drawdown_max),
        double(row.held_s_p50),
        whole(row.open),
        row.orders.map_or(Value::None, whole),
        double(row.fill_rate),
        double(row.fees),
        row.finding.as_deref().map_or(Value::None, Value::Text),
        row.doubtful.map_or(Value::None, whole),
        double(row.doubtful_net_profit),
        whole(result.slices.into()),
        whole(row.slice_net.iter().filter(|&&net| net > 0.0).count() as u64),
    ]
}

/// Every row with what it is of.
fn rows(result: &SweepResult) -> impl Iterator<Item = [Value<'_>; COLUMNS.len()]> {
    let of = move |(place, capture): (usize, &'_ SweptCapture)| (place, capture.number);
    let places: std::collections::BTreeMap<u32, usize> =
        result.captures.iter().enumerate().map(of).map(|(place, number)| (number, place)).collect();
    result.rows.iter().filter_map(move |row| {
        let capture = result.captures.get(*places.get(&row.capture)?)?;
        let setting = result.settings.get(row.setting as usize)?;
        let model = result.models.get(setting.model as usize)?;
        Some(cells(result, (capture, setting, model, row)))
    })
}

/// Writes the table as CSV. Numbers are the shortest text that reads back the same; what is unknown is empty.
///
/// # Errors
/// It cannot be written.
pub fn csv(result: &SweepResult, output: impl Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(output);
    table.write_record(COLUMNS.map(|(name, _)| name))?;
    let mut numbers = (itoa::Buffer::new(), ryu::Buffer::new());
    for row in rows(result) {
        for cell in row {
            match cell {
                Value::None => table.write_field("")?,
                Value::Text(text) => table.write_field(text)?,
                Value::Whole(number) | Value::TimeNs(number) => table.write_field(numbers.0.format(number))?,
                Value::Double(number) => table.write_field(numbers.1.format(number))?,
            }
        }
        table.write_record(None::<&[u8]>)?;
    }
    table.flush()
}

/// Writes the table as CSV and as Parquet, each whole or not at all.
///
/// # Errors
/// One is there and not to be replaced, or cannot be written.
pub fn write(result: &SweepResult, csv_path: &Path, parquet_path: &Path, replace: bool) -> Result<(), OutputError> {
    let mut output = Output::create(csv_path, replace)?;
    csv(result, &mut output).map_err(OutputError::at(csv_path))?;
    output.finish()?;
    let mut table = ParquetTable::create(parquet_path, replace, "row", &COLUMNS)?;
    for row in rows(result) {
        table.push(row.map(|cell| match cell {
            Value::None => Cell::Absent,
            Value::Text(text) => Cell::Text(ByteArray::from(text)),
            Value::Whole(number) => Cell::Whole(number),
            Value::TimeNs(ts_ns) => Cell::TimeNs(ts_ns),
            Value::Double(number) => Cell::Double(number),
        }))?;
    }
    table.finish().map(|_| ())
}
