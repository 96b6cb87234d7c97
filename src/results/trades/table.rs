//! A trade log in columns. The original program's six columns are needed, the others are used where they are there.

use super::lines::Lines;
use crate::execution::fill::settled;
use crate::execution::ledger::Trade;
use crate::statistics::logistic::probability;
use csv::{ByteRecord, Reader, ReaderBuilder};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The columns that a trade log cannot be without.
const NEEDED: [&str; 6] =
    ["buy_sequence_number", "sell_sequence_number", "buy_amount", "sell_amount", "volume", "profit"];
/// The columns that are used where they are there.
const USED: [&str; 6] = ["buy_ts_recv_ns", "sell_ts_recv_ns", "probability", "buy_mid", "sell_mid", "unsold_volume"];
/// How far receive times may go back, nanoseconds, and still be said to go forward.
const BACK_NS_MAX: i64 = 1_000_000_000;
/// No row is longer: a run's have some 200 bytes.
const LINE_BYTES_MAX: usize = 1 << 16;
/// How much of a bad cell is quoted.
const QUOTED: usize = 40;
/// No amount of money, size or price is larger: a book's largest level has 2^63 lots at 2^63 ticks. Sums of such stay finite.
const AMOUNT_MAX: f64 = 1e50;
/// Nothing sells for more times what it was bought for: ratios stay finite too.
const RATIO_MAX: f64 = 1e30;

/// Closed trades in the order of their sales. Every column that is there has a cell per trade.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TradeTable {
    /// Frames of the book since the session began, at the purchase.
    pub buy_sequence: Vec<u64>,
    /// The same at the sale; not before the purchase, nor before the previous row's sale.
    pub sell_sequence: Vec<u64>,
    /// Quote currency spent, above 0.
    pub bought: Vec<f64>,
    /// Quote currency received, not below 0.
    pub sold: Vec<f64>,
    /// Base currency bought.
    pub volume: Vec<f64>,
    /// Quote currency, before fees; 0 where it is a rounding error of the amount bought.
    pub profit: Vec<f64>,
    /// Our clock, Unix nanoseconds; empty where the log has no such column, as for all below.
    pub buy_ts_recv_ns: Vec<i64>,
    /// Our clock, Unix nanoseconds.
    pub sell_ts_recv_ns: Vec<i64>,
    /// The model's, at the purchase.
    pub probability: Vec<f64>,
    /// Quote units; NaN where the book had one side only.
    pub buy_mid: Vec<f64>,
    /// Quote units; NaN where the book had one side only.
    pub sell_mid: Vec<f64>,
    /// Base currency that the book did not take.
    pub unsold_volume: Vec<f64>,
    /// Snapshots between purchase and sale: 0 where the book was live without a break.
    pub snapshots_while_held: Vec<u64>,
    /// Book frames that the sale came after it fell due.
    pub updates_late: Vec<u64>,
    /// Base currency that purchases of the run had taken from the same level already.
    pub buy_volume_taken_again: Vec<f64>,
    /// Base currency for which sales of the run had used the same level already.
    pub sell_volume_taken_again: Vec<f64>,
    /// The line of a last row that the log's writer did not finish; it is left out.
    pub cut_line: Option<u64>,
}

/// Why a trade log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TradesError {
    /// The file.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not even a header.
    #[error("{path} is empty; a trade log begins with a line of column names")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A column that is needed is not there.
    #[error("{path}, line 1: no column {name}; is it a trade log?")]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        name: &'static str,
    },
    /// A column that is used is there more than once.
    #[error("{path}, line 1: two columns {name}; is it a trade log?")]
    Twice {
        /// The file.
        path: PathBuf,
        /// The column.
        name: &'static str,
    },
    /// A row of another length than the header's.
    #[error("{path}, line {line}: {count} columns instead of {expected}")]
    Cells {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// How many there are.
        count: usize,
        /// How many the header has.
        expected: usize,
    },
    /// A cell that does not hold what its column should.
    #[error("{path}, line {line}, column {column} ({name}): '{text}' is not {rule}")]
    Cell {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Counted from 1.
        column: usize,
        /// The column's name.
        name: &'static str,
        /// The cell's beginning.
        text: String,
        /// What it should be.
        rule: &'static str,
    },
}

/// What is wrong with a row.
enum BadRow {
    Cells,
    Cell { column: usize, name: &'static str, rule: &'static str },
}

/// Where a column lies in a row.
#[derive(Clone, Copy)]
struct Column {
    at: usize,
    name: &'static str,
}

/// All columns.
struct Layout {
    cells: usize,
    buy_sequence: Column,
    sell_sequence: Column,
    bought: Column,
    sold: Column,
    volume: Column,
    profit: Column,
    buy_ts_recv_ns: Option<Column>,
    sell_ts_recv_ns: Option<Column>,
    probability: Option<Column>,
    buy_mid: Option<Column>,
    sell_mid: Option<Column>,
    unsold_volume: Option<Column>,
    snapshots_while_held: Option<Column>,
    updates_late: Option<Column>,
    buy_volume_taken_again: Option<Column>,
    sell_volume_taken_again: Option<Column>,
}

impl Layout {
    /// The column that is used and there twice.
    fn twice(header: &ByteRecord) -> Option<&'static str> {
        let count = |name: &str| header.iter().filter(|cell| *cell == name.as_bytes()).count();
        NEEDED.into_iter().chain(USED).find(|name| count(name) > 1)
    }

    /// Where the columns are, or the name of one that is not there.
    fn of(header: &ByteRecord) -> Result<Self, &'static str> {
        let find = |name: &'static str| {
            let at = header.iter().position(|cell| cell == name.as_bytes());
            at.map(|at| Column { at, name })
        };
        if let Some(missing) = NEEDED.into_iter().find(|name| find(name).is_none()) {
            return Err(missing);
        }
        let need = |name| find(name).ok_or(name);
        Ok(Self {
            cells: header.len(),
            buy_sequence: need("buy_sequence_number")?,
            sell_sequence: need("sell_sequence_number")?,
            bought: need("buy_amount")?,
            sold: need("sell_amount")?,
            volume: need("volume")?,
            profit: need("profit")?,
            buy_ts_recv_ns: find("buy_ts_recv_ns"),
            sell_ts_recv_ns: find("sell_ts_recv_ns"),
            probability: find("probability"),
            buy_mid: find("buy_mid"),
            sell_mid: find("sell_mid"),
            unsold_volume: find("unsold_volume"),
            snapshots_while_held: find("snapshots_while_held"),
            updates_late: find("updates_late"),
            buy_volume_taken_again: find("buy_volume_taken_again"),
            sell_volume_taken_again: find("sell_volume_taken_again"),
        })
    }
}

fn parsed<T: std::str::FromStr>(
    row: &ByteRecord,
    column: Column,
    rule: &'static str,
    good: impl Fn(&T) -> bool,
) -> Result<T, BadRow> {
    let text = std::str::from_utf8(&row[column.at]).ok();
    text.and_then(|text| text.parse().ok()).filter(good).ok_or(BadRow::Cell {
        column: column.at,
        name: column.name,
        rule,
    })
}

fn number(row: &ByteRecord, column: Column, rule: &'static str, good: impl Fn(f64) -> bool) -> Result<f64, BadRow> {
    parsed(row, column, rule, |&number: &f64| number.abs() <= AMOUNT_MAX && good(number))
}

impl TradeTable {
    /// The rows that `keep` says, by their places.
    #[must_use]
    pub fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.len()).filter(|&at| keep(at)).collect();
        // A column that the log does not have stays empty.
        fn of<T: Copy>(column: &[T], kept: &[usize]) -> Vec<T> {
            kept.iter().filter_map(|&at| column.get(at).copied()).collect()
        }
        Self {
            buy_sequence: of(&self.buy_sequence, &kept),
            sell_sequence: of(&self.sell_sequence, &kept),
            bought: of(&self.bought, &kept),
            sold: of(&self.sold, &kept),
            volume: of(&self.volume, &kept),
            profit: of(&self.profit, &kept),
            buy_ts_recv_ns: of(&self.buy_ts_recv_ns, &kept),
            sell_ts_recv_ns: of(&self.sell_ts_recv_ns, &kept),
            probability: of(&self.probability, &kept),
            buy_mid: of(&self.buy_mid, &kept),
            sell_mid: of(&self.sell_mid, &kept),
            unsold_volume: of(&self.unsold_volume, &kept),
            snapshots_while_held: of(&self.snapshots_while_held, &kept),
            updates_late: of(&self.updates_late, &kept),
            buy_volume_taken_again: of(&self.buy_volume_taken_again, &kept),
            sell_volume_taken_again: of(&self.sell_volume_taken_again, &kept),
            cut_line: self.cut_line,
        }
    }

    /// Reads a trade log.
    ///
    /// # Errors
    /// See [`TradesError`].
    pub fn read(path: &Path) -> Result<Self, TradesError> {
        let file = File::open(path).map_err(|source| TradesError::Read { path: path.into(), source })?;
        Self::read_from(path, file)
    }

    /// Reads a trade log from anything with an end; `path` is what errors call it.
    ///
    /// # Errors
    /// See [`TradesError`].
    pub fn read_from(path: &Path, mut file: impl Read + Seek) -> Result<Self, TradesError> {
        let read_error = |source| TradesError::Read { path: path.into(), source };
        let csv_error = |error: csv::Error| read_error(io::Error::from(error));
        let ends_whole = ends_with_line_break(&mut file).map_err(read_error)?;
        let mut rows =
            ReaderBuilder::new().has_headers(false).flexible(true).from_reader(Lines::new(file, LINE_BYTES_MAX));
        let mut row = ByteRecord::new();
        if !rows.read_byte_record(&mut row).map_err(csv_error)? {
            return Err(TradesError::Empty { path: path.into() });
        }
        let layout = Layout::of(&row).map_err(|name| TradesError::Column { path: path.into(), name })?;
        if let Some(name) = Layout::twice(&row) {
            return Err(TradesError::Twice { path: path.into(), name });
        }
        let mut table = Self::default();
        while rows.read_byte_record(&mut row).map_err(csv_error)? {
            let Err(bad) = table.take(&row, &layout) else { continue };
            let line = row.position().map_or(0, csv::Position::line);
            if !ends_whole && is_last(&mut rows).map_err(csv_error)? {
                table.cut_line = Some(line);
                break;
            }
            return Err(match bad {
                BadRow::Cells => {
                    TradesError::Cells { path: path.into(), line, count: row.len(), expected: layout.cells }
                }
                BadRow::Cell { column, name, rule } => TradesError::Cell {
                    path: path.into(),
                    line,
                    column: column + 1,
                    name,
                    text: String::from_utf8_lossy(&row[column]).chars().take(QUOTED).collect(),
                    rule,
                },
            });
        }
        Ok(table)
    }

    /// Appends a trade that has just been closed: the row that its log would be read back as.
    pub fn push(&mut self, trade: &Trade) {
        let position = &trade.position;
        self.buy_sequence.push(position.bought.sequence);
        self.sell_sequence.push(trade.sold.sequence);
        self.bought.push(position.buy_amount);
        self.sold.push(trade.sell_amount);
        self.volume.push(position.volume);
        self.profit.push(settled(trade.difference(), position.buy_amount));
        self.buy_ts_recv_ns.push(position.bought.ts_recv_ns);
        self.sell_ts_recv_ns.push(trade.sold.ts_recv_ns);
        self.probability.push(probability(position.logit));
        self.buy_mid.push(position.buy_mid);
        self.sell_mid.push(trade.sell_mid);
        self.unsold_volume.push(trade.unsold_volume);
        self.snapshots_while_held.push(trade.snapshots_while_held());
        self.updates_late.push(trade.updates_late());
        self.buy_volume_taken_again.push(position.volume_taken_again);
        self.sell_volume_taken_again.push(trade.volume_taken_again);
    }

    /// Closed trades.
    pub fn len(&self) -> usize {
        self.profit.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.profit.is_empty()
    }

    /// Whether the log has receive times.
    pub fn is_timed(&self) -> bool {
        !self.sell_ts_recv_ns.is_empty() && !self.buy_ts_recv_ns.is_empty()
    }

    /// Whether the receive times of the sales go forward, as they do not where a recording begins again.
    pub fn is_in_time(&self) -> bool {
        self.is_timed() && go_forward(&self.sell_ts_recv_ns)
    }

    /// Appends a row, if all of it is good.
    fn take(&mut self, row: &ByteRecord, layout: &Layout) -> Result<(), BadRow> {
        if row.len() != layout.cells {
            return Err(BadRow::Cells);
        }
        let mid = |column: Option<Column>| {
            let known = column.map(|column| {
                if row[column.at].is_empty() {
                    Ok(f64::NAN)
                } else {
                    number(row, column, "a number above 0 or nothing", |mid| mid > 0.0)
                }
            });
            known.transpose()
        };
        let time = |column: Option<Column>| {
            column.map(|column| parsed::<i64>(row, column, "a time in nanoseconds", |_| true)).transpose()
        };
        let count = |column: Option<Column>| {
            column.map(|column| parsed::<u64>(row, column, "a whole number", |_| true)).transpose()
        };
        let buy_sequence = parsed::<u64>(row, layout.buy_sequence, "a whole number", |_| true)?;
        let sell_sequence =
            parsed(row, layout.sell_sequence, "a whole number from the purchase's on", |&s| s >= buy_sequence)?;
        if self.sell_sequence.last().is_some_and(|&before| sell_sequence < before) {
            let Column { at: column, name } = layout.sell_sequence;
            return Err(BadRow::Cell { column, name, rule: "a whole number from the previous sale's on" });
        }
        let bought = number(row, layout.bought, "a number above 0", |amount| amount > 0.0)?;
        let possible = |amount: f64| amount / bought <= RATIO_MAX;
        let sold = number(row, layout.sold, "a number from 0 on", |amount| amount >= 0.0 && possible(amount))?;
        let volume = number(row, layout.volume, "a number above 0", |volume| volume > 0.0)?;
        let profit = settled(number(row, layout.profit, "a number", |profit| possible(profit.abs()))?, bought);
        let buy_ts_recv_ns = time(layout.buy_ts_recv_ns)?;
        let sell_ts_recv_ns = time(layout.sell_ts_recv_ns)?;
        let share = |column| number(row, column, "a number from 0 to 1", |share| (0.0..=1.0).contains(&share));
        let probability = layout.probability.map(share).transpose()?;
        let (buy_mid, sell_mid) = (mid(layout.buy_mid)?, mid(layout.sell_mid)?);
        let part = |column| number(row, column, "a number from 0 to the volume", |left| (0.0..=volume).contains(&left));
        let unsold_volume = layout.unsold_volume.map(part).transpose()?;
        let (snapshots, late) = (count(layout.snapshots_while_held)?, count(layout.updates_late)?);
        let taken = |column| number(row, column, "a number from 0 on", |volume| volume >= 0.0);
        let bought_again = layout.buy_volume_taken_again.map(taken).transpose()?;
        let sold_again = layout.sell_volume_taken_again.map(taken).transpose()?;
        self.buy_sequence.push(buy_sequence);
        self.sell_sequence.push(sell_sequence);
        self.bought.push(bought);
        self.sold.push(sold);
        self.volume.push(volume);
        self.profit.push(profit);
        self.buy_ts_recv_ns.extend(buy_ts_recv_ns);
        self.sell_ts_recv_ns.extend(sell_ts_recv_ns);
        self.probability.extend(probability);
        self.buy_mid.extend(buy_mid);
        self.sell_mid.extend(sell_mid);
        self.unsold_volume.extend(unsold_volume);
        self.snapshots_while_held.extend(snapshots);
        self.updates_late.extend(late);
        self.buy_volume_taken_again.extend(bought_again);
        self.sell_volume_taken_again.extend(sold_again);
        Ok(())
    }
}

/// Whether no time lies more than a second before an earlier one: a wall clock that is adjusted, or read for each of
/// two frames that arrived together, goes back a little.
pub fn go_forward(times_ns: &[i64]) -> bool {
    let mut latest = i64::MIN;
    times_ns.iter().all(|&time_ns| {
        latest = latest.max(time_ns);
        latest.saturating_sub(time_ns) <= BACK_NS_MAX
    })
}

/// A row is written with its line break: a file that ends with another byte was cut.
fn ends_with_line_break(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    file.rewind()?;
    Ok(last == *b"\n")
}

fn is_last(rows: &mut Reader<impl Read>) -> csv::Result<bool> {
    rows.read_byte_record(&mut ByteRecord::new()).map(|more| !more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::ledger::{Moment, Position};
    use crate::run::trade_log::TradeLog;
    use std::fs;
    use std::io::Cursor;

    #[test]
    fn a_trade_is_the_row_that_its_log_is_read_back_as() {
        let moment =
            |sequence, stretch| Moment { sequence, venue_sequence_num: 9, ts_recv_ns: 77 + sequence as i64, stretch };
        let trade = |n: u64, sold: f64, sell_mid: f64| Trade {
            position: Position {
                bought: moment(n, 1),
                sell_sequence: n + 20,
                buy_amount: 5.0,
                volume: 0.1 / 3.0,
                volume_taken_again: 0.01 * n as f64,
                logit: 0.1 * n as f64,
                buy_mid: 150.0 + 1e-9,
            },
            sold: moment(n + 23, 3),
            sell_amount: sold,
            unsold_volume: 0.1 / 7.0,
            volume_taken_again: 1e-300,
            sell_mid,
        };
        let trades = [trade(0, 5.000_000_000_000_001, 151.0), trade(1, 4.9, 149.0), trade(2, 1.0 / 3.0, 1.0 / 3.0)];
        let (mut bytes, mut pushed) = (Vec::new(), TradeTable::default());
        let mut log = TradeLog::new(&mut bytes).unwrap();
        for trade in &trades {
            log.write(trade).unwrap();
            pushed.push(trade);
        }
        log.flush().unwrap();
        drop(log);
        assert_eq!(pushed.profit[0], 0.0);
        assert_eq!(TradeTable::read_from("a.csv".as_ref(), Cursor::new(bytes)).unwrap(), pushed);
    }

    const HEADER: &str = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit";

    fn read(text: &str) -> Result<TradeTable, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        fs::write(&path, text).unwrap();
        let folder = format!("{}/", folder.path().display());
        TradeTable::read(&path).map_err(|error| error.to_string().replace(&folder, ""))
    }

    #[test]
    fn the_originals_columns_are_enough() {
        let table = read(&format!("{HEADER}\n1,21,5,5.5,0.1,0.5\n")).unwrap();
        assert_eq!((table.len(), table.is_timed(), table.profit[0]), (1, false, 0.5));
        assert!(read(&format!("{HEADER}\n")).unwrap().is_empty());
        // Earlier programs wrote neither what a trade was held across nor what it took again.
        assert!(table.snapshots_while_held.is_empty() && table.sell_volume_taken_again.is_empty());
        // Without a line break, but whole.
        assert_eq!(read(&format!("{HEADER}\n1,21,5,5.5,0.1,0.5")).unwrap().len(), 1);
    }

    /// As spreadsheets write it.
    #[test]
    fn a_byte_order_mark_and_other_line_breaks_do_not_matter() {
        let table = read(&format!("\u{feff}{HEADER}\r\n1,21,5,5.5,0.1,0.5\r\n")).unwrap();
        assert_eq!((table.len(), table.cut_line), (1, None));
    }

    #[test]
    fn what_rounding_left_is_no_profit() {
        let table = read(&format!("{HEADER}\n1,21,5,4.999999999999999,0.1,-8.9e-16\n2,22,5,5.5,0.1,1e-9\n")).unwrap();
        assert_eq!(table.profit, [0.0, 1e-9]);
    }

    #[test]
    fn columns_that_are_there_are_read() {
        let more = "snapshots_while_held,updates_late,buy_volume_taken_again,sell_volume_taken_again";
        let table = read(&format!("{HEADER},{more}\n1,21,5,5.5,0.1,0.5,2,7,0.25,0.5\n")).unwrap();
        assert_eq!((&table.snapshots_while_held[..], &table.updates_late[..]), (&[2][..], &[7][..]));
        assert_eq!((table.buy_volume_taken_again[0], table.sell_volume_taken_again[0]), (0.25, 0.5));
        assert_eq!(
            read(&format!("{HEADER},{more}\n1,21,5,5.5,0.1,0.5,2,-7,0.25,0.5\n")).unwrap_err(),
            "r.csv, line 2, column 8 (updates_late): '-7' is not a whole number"
        );
    }

    #[test]
    fn a_row_that_was_cut_is_left_out() {
        for cut in ["2,22,5", "2,22,5,5,0.1,", "2,22,5,5,0.1,-"] {
            let table = read(&format!("{HEADER}\n1,21,5,5.5,0.1,0.5\n{cut}")).unwrap();
            assert_eq!((table.len(), table.cut_line), (1, Some(3)), "{cut}");
        }
    }

    #[test]
    fn a_clock_may_go_back_a_little() {
        assert!(go_forward(&[]) && go_forward(&[5, 3, 1_000_000_003, 3, 2_000_000_000]));
        assert!(!go_forward(&[5, 1_000_000_005, 4]) && !go_forward(&[i64::MAX, i64::MIN]));
    }

    #[test]
    fn damage_is_named_with_its_place() {
        for (text, error) in [
            ("", "r.csv is empty; a trade log begins with a line of column names"),
            ("a,b\n1,2\n", "r.csv, line 1: no column buy_sequence_number; is it a trade log?"),
            (&format!("{HEADER}\n1,21,5,5.5,0.1,0.5\n1,21\n"), "r.csv, line 3: 2 columns instead of 6"),
            (&format!("{HEADER}\n1,21,5,5.5,0.1,NaN\n"), "r.csv, line 2, column 6 (profit): 'NaN' is not a number"),
            (
                &format!("{HEADER}\n1,21,0,5.5,0.1,1\n"),
                "r.csv, line 2, column 3 (buy_amount): '0' is not a number above 0",
            ),
            (
                &format!("{HEADER}\n22,21,1,5.5,0.1,1\n"),
                "r.csv, line 2, column 2 (sell_sequence_number): '21' is not a whole number from the purchase's on",
            ),
            (&format!("{HEADER},profit\n"), "r.csv, line 1: two columns profit; is it a trade log?"),
            (
                &format!("{HEADER}\n1,21,5,-1,0.1,-6\n"),
                "r.csv, line 2, column 4 (sell_amount): '-1' is not a number from 0 on",
            ),
            (&format!("{HEADER}\n1,21,5,5,-1,0\n"), "r.csv, line 2, column 5 (volume): '-1' is not a number above 0"),
            (
                &format!("{HEADER}\n1,21,1e308,5,1,0\n"),
                "r.csv, line 2, column 3 (buy_amount): '1e308' is not a number above 0",
            ),
            (
                &format!("{HEADER}\n1,21,1e-308,5,1,0\n"),
                "r.csv, line 2, column 4 (sell_amount): '5' is not a number from 0 on",
            ),
            (
                &format!("{HEADER}\n1,21,5,5,1,0\n1,20,5,5,1,0\n"),
                "r.csv, line 3, column 2 (sell_sequence_number): '20' is not a whole number from the previous sale's on",
            ),
            (
                &format!("{HEADER},probability\n1,21,5,5,1,0,1.01\n"),
                "r.csv, line 2, column 7 (probability): '1.01' is not a number from 0 to 1",
            ),
            (
                &format!("{HEADER},unsold_volume\n1,21,5,5,1,0,1.5\n"),
                "r.csv, line 2, column 7 (unsold_volume): '1.5' is not a number from 0 to the volume",
            ),
            (
                &format!("{HEADER},buy_mid\n1,21,5,5,1,0,-3\n"),
                "r.csv, line 2, column 7 (buy_mid): '-3' is not a number above 0 or nothing",
            ),
            (
                &format!("{HEADER},sell_ts_recv_ns\n1,21,5,5,1,0,\n"),
                "r.csv, line 2, column 7 (sell_ts_recv_ns): '' is not a time in nanoseconds",
            ),
            (
                &format!("{HEADER}\n1,21,1,5.5,0.1,1\n1,-4,1,5.5,0.1,1\n1,2,1,5.5,0.1,1"),
                "r.csv, line 3, column 2 (sell_sequence_number): '-4' is not a whole number from the purchase's on",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), error);
        }
    }
}
