//! What a run was worth from time to time: hftbacktest's record, and returns by the day.
//!
//! Mids come from live frames while the run goes on, one per [`STEP_NS`]; they wait in a file without name. When the run has
//! ended its trade log is read along with them. Both files are of that log: what is still open at the end is in neither, as it is
//! in no profit of the report.
//!
//! ```
//! use papertrader::engine::observation::Observation;
//! use papertrader::market::book::Level;
//! use papertrader::market::units::Scale;
//! use papertrader::run::equity::Equity;
//! use papertrader::run::files::EquityFiles;
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("run.csv");
//! std::fs::write(&csv, "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,unsold_volume\n0,1,100,101,2,0\n")?;
//! let returns = folder.path().join("run.returns.csv");
//! let files = EquityFiles { record: None, returns: Some(returns.clone()), fee_bps: 0.0, capital: Some(1_000.0) };
//! let mut equity = Equity::begin(&files, &csv)?;
//! let level = |price_ticks| Level { price_ticks, size_lots: 1 };
//! for sequence in 0..2 {
//!     equity.see(&Observation {
//!         sequence,
//!         venue_sequence_num: sequence,
//!         ts_recv_ns: 1_723_161_256_000_000_000,
//!         stretch: 1,
//!         bid: level(50),
//!         ask: level(51),
//!         scale: Scale { price_decimals: 0, size_decimals: 0 },
//!         evaluation: None,
//!     })?;
//! }
//! let written = equity.finish(&files, &csv, false)?.expect("the book was live");
//! assert_eq!(std::fs::read_to_string(&returns)?, "date,return\n2024-08-08,0.001\n");
//! assert!(written.is_short() && written.capital == 1_000.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::npz::{Layout, NpzArray};
use crate::base::output::{Output, OutputError, folder_of};
use crate::engine::observation::Observation;
use crate::run::files::EquityFiles;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

/// A row per ten seconds: what hftbacktest's statistics resample to unless told otherwise.
pub const STEP_NS: i64 = 10_000_000_000;
const DAY_NS: i64 = 86_400_000_000_000;
/// Rows that repeat the one before while nothing comes: a day of them. Of a longer hole the rest has none.
const REPEATS_MAX: u32 = 8_640;
/// The array that hftbacktest's recorder writes for its first asset.
pub const RECORD: Layout = Layout {
    member: "0.npy",
    dtype: "[('timestamp', '<i8'), ('price', '<f8'), ('position', '<f8'), ('balance', '<f8'), ('fee', '<f8'), \
        ('num_trades', '<i8'), ('trading_volume', '<f8'), ('trading_value', '<f8')]",
    row_bytes: 64,
};
const SAMPLE_BYTES: usize = 32;

/// The mid at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    /// Trades at frames before this one have happened.
    before_sequence: u64,
    /// Unix nanoseconds; never goes back.
    ts_ns: i64,
    mid: f64,
    /// Whether a live frame came since the sample before.
    is_fresh: bool,
}

impl Sample {
    fn encode(&self) -> [u8; SAMPLE_BYTES] {
        let mut bytes = [0; SAMPLE_BYTES];
        bytes[..8].copy_from_slice(&self.before_sequence.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ts_ns.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.mid.to_le_bytes());
        bytes[24] = u8::from(self.is_fresh);
        bytes
    }

    fn decode(bytes: &[u8; SAMPLE_BYTES]) -> Self {
        let word = |at: usize| std::array::from_fn(|byte| bytes[at + byte]);
        Self {
            before_sequence: u64::from_le_bytes(word(0)),
            ts_ns: i64::from_le_bytes(word(8)),
            mid: f64::from_le_bytes(word(16)),
            is_fresh: bytes[24] == 1,
        }
    }
}

/// The live frame seen last.
#[derive(Clone, Copy, Debug)]
struct Seen {
    sequence: u64,
    ts_ns: i64,
    mid: f64,
    is_fresh: bool,
}

/// Gathers while a run goes on, and writes when it has ended.
#[derive(Debug)]
pub struct Equity {
    spool: BufWriter<File>,
    samples: u64,
    seen: Option<Seen>,
    /// The multiple of [`STEP_NS`] whose row is next.
    next_ns: i64,
    first_ns: i64,
}

/// What returns say of themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Returns {
    /// Rows.
    pub days: u64,
    /// From the first live frame to the last.
    pub span_ns: i64,
    /// What they are returns of, quote currency; 0 where nothing was traded and none was given.
    pub capital: f64,
    /// Whether the user gave it.
    pub is_given: bool,
    /// The most that was held at a time, at cost, and the losses until then.
    pub needed: f64,
    /// The day on which nothing was left of the capital; rows end there.
    pub ruined: Option<String>,
}

impl Returns {
    /// Whether ratios of them mean nothing.
    pub fn is_short(&self) -> bool {
        self.span_ns < 2 * DAY_NS
    }
}

impl Equity {
    /// Begins, with a file without name beside the trade log.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(files: &EquityFiles, csv: &Path) -> Result<Self, OutputError> {
        let beside = files.record.as_ref().or(files.returns.as_ref()).map_or(csv, |path| path.as_path());
        let spool = tempfile::tempfile_in(folder_of(beside)).map_err(OutputError::at(beside))?;
        Ok(Self { spool: BufWriter::new(spool), samples: 0, seen: None, next_ns: 0, first_ns: 0 })
    }

    fn sample(&mut self, sample: &Sample) -> io::Result<()> {
        self.samples += 1;
        self.spool.write_all(&sample.encode())
    }

    /// Takes a live frame.
    ///
    /// # Errors
    /// The disk is full.
    pub fn see(&mut self, frame: &Observation) -> io::Result<()> {
        let has_both = frame.bid.size_lots > 0 && frame.ask.size_lots > 0;
        let mid = (frame.bid.price_ticks as f64 + frame.ask.price_ticks as f64) / 2.0 / frame.scale.ticks_per_unit();
        let Some(mut seen) = self.seen else {
            if has_both {
                let ts_ns = frame.ts_recv_ns;
                self.first_ns = ts_ns;
                self.next_ns = ts_ns.div_euclid(STEP_NS).saturating_add(1).saturating_mul(STEP_NS);
                self.seen = Some(Seen { sequence: frame.sequence, ts_ns, mid, is_fresh: true });
                // Before anything was traded: hftbacktest counts trades from row to row.
                self.sample(&Sample { before_sequence: 0, ts_ns, mid, is_fresh: false })?;
            }
            return Ok(());
        };
        // Clocks are set back.
        let now_ns = frame.ts_recv_ns.max(seen.ts_ns);
        let mut repeats = 0;
        while self.next_ns < now_ns {
            if repeats > REPEATS_MAX {
                // The first multiple that is not before now.
                self.next_ns = now_ns.saturating_sub(1).div_euclid(STEP_NS).saturating_add(1).saturating_mul(STEP_NS);
                break;
            }
            repeats += 1;
            let Seen { sequence, mid, is_fresh, .. } = seen;
            self.sample(&Sample { before_sequence: sequence + 1, ts_ns: self.next_ns, mid, is_fresh })?;
            seen.is_fresh = false;
            self.next_ns = self.next_ns.saturating_add(STEP_NS);
        }
        let mid = if has_both { mid } else { seen.mid };
        self.seen = Some(Seen { sequence: frame.sequence, ts_ns: now_ns, mid, is_fresh: true });
        Ok(())
    }

    /// Writes the files from what was gathered and the trade log. `None` if the book never had both sides: then there are none.
    ///
    /// # Errors
    /// The trade log cannot be read back, or a file cannot be written.
    pub fn finish(mut self, files: &EquityFiles, csv: &Path, replace: bool) -> Result<Option<Returns>, OutputError> {
        let Some(Seen { ts_ns, mid, .. }) = self.seen else { return Ok(None) };
        let at_log = OutputError::at(csv);
        self.sample(&Sample { before_sequence: u64::MAX, ts_ns, mid, is_fresh: true }).map_err(&at_log)?;
        let Self { spool, samples, first_ns, .. } = self;
        let rewound = spool.into_inner().map_err(io::IntoInnerError::into_error);
        let mut spool = rewound.and_then(|mut file| file.rewind().map(|()| BufReader::new(file))).map_err(&at_log)?;
        let mut account = Account::open(csv, files.fee_bps).map_err(&at_log)?;
        let record = files.record.as_ref().map(|path| NpzArray::create(path, replace, RECORD)).transpose();
        let (mut record, mut days) = (record?, Vec::new());
        for _ in 0..samples {
            let mut bytes = [0; SAMPLE_BYTES];
            spool.read_exact(&mut bytes).map_err(&at_log)?;
            let sample = Sample::decode(&bytes);
            account.advance(sample.before_sequence).map_err(&at_log)?;
            if let Some(record) = &mut record {
                let row = account.row(&sample);
                record.row(&row).map_err(OutputError::at(record.path()))?;
            }
            // Midnight ends the day before it.
            let day = sample.ts_ns.saturating_sub(1).div_euclid(DAY_NS);
            day_ends(&mut days, day, account.equity(sample.mid), sample.is_fresh);
        }
        if let Some(record) = record {
            record.finish()?;
        }
        let span_ns = ts_ns.saturating_sub(first_ns);
        let mut returns = Returns {
            days: 0,
            span_ns,
            capital: files.capital.unwrap_or(account.needed),
            is_given: files.capital.is_some(),
            needed: account.needed,
            ruined: None,
        };
        if let Some(path) = &files.returns {
            let mut output = Output::create(path, replace)?;
            write_returns(&mut output, &days, &mut returns).map_err(OutputError::at(path))?;
            output.finish()?;
        }
        Ok(Some(returns))
    }
}

/// A day with live frames, counted from 1970, and the equity at its end.
type Day = (i64, f64);

/// Notes the equity at a time of a day. A day counts once a frame came in it.
fn day_ends(days: &mut Vec<Day>, day: i64, equity: f64, is_fresh: bool) {
    match days.last_mut() {
        Some(last) if last.0 == day => last.1 = equity,
        _ if is_fresh => days.push((day, equity)),
        _ => {}
    }
}

/// Quotients of what the account was worth at the ends of days, less 1.
fn write_returns(output: &mut impl Write, days: &[Day], returns: &mut Returns) -> io::Result<()> {
    writeln!(output, "date,return")?;
    let mut before = 0.0;
    for &(day, equity) in days {
        let (worth, now) = (returns.capital + before, returns.capital + equity);
        let date =
            jiff::Timestamp::from_second(day.saturating_mul(DAY_NS / 1_000_000_000)).map_err(io::Error::other)?;
        let date = date.strftime("%Y-%m-%d").to_string();
        // Without capital nothing was traded.
        let part = if worth > 0.0 { (equity - before) / worth } else { 0.0 };
        writeln!(output, "{date},{}", ryu::Buffer::new().format(part))?;
        returns.days += 1;
        if now <= 0.0 && worth > 0.0 {
            returns.ruined = Some(date);
            break;
        }
        before = equity;
    }
    Ok(())
}

/// What is needed of a row of the trade log.
#[derive(Clone, Copy, Debug, Deserialize)]
struct TradeRow {
    buy_sequence_number: u64,
    sell_sequence_number: u64,
    buy_amount: f64,
    sell_amount: f64,
    volume: f64,
    unsold_volume: f64,
}

type Rows = std::iter::Peekable<csv::DeserializeRecordsIntoIter<File, TradeRow>>;

/// The trade log read twice at once, for purchases and for sales, both of which stand in it in their order.
struct Account {
    purchases: Rows,
    sales: Rows,
    /// Of an amount.
    fee_rate: f64,
    open: u64,
    open_cost: f64,
    /// Sales less purchases of what is sold.
    realised: f64,
    needed: f64,
    position: f64,
    balance: f64,
    fee: f64,
    trades: i64,
    volume: f64,
    value: f64,
}

impl Account {
    fn open(csv: &Path, fee_bps: f64) -> io::Result<Self> {
        let rows = || -> io::Result<Rows> {
            Ok(csv::Reader::from_path(csv).map_err(io::Error::other)?.into_deserialize().peekable())
        };
        Ok(Self {
            purchases: rows()?,
            sales: rows()?,
            fee_rate: fee_bps / 1e4,
            open: 0,
            open_cost: 0.0,
            realised: 0.0,
            needed: 0.0,
            position: 0.0,
            balance: 0.0,
            fee: 0.0,
            trades: 0,
            volume: 0.0,
            value: 0.0,
        })
    }

    /// Lets everything happen that stands at frames before that one. A frame sells before it buys.
    fn advance(&mut self, before_sequence: u64) -> io::Result<()> {
        loop {
            let sale = peek(&mut self.sales)?.map(|row| row.sell_sequence_number);
            let purchase = peek(&mut self.purchases)?.map(|row| row.buy_sequence_number);
            let is_sale = match (sale, purchase) {
                (Some(sale), Some(purchase)) => sale <= purchase,
                (sale, _) => sale.is_some(),
            };
            let next = if is_sale { sale } else { purchase };
            if next.is_none_or(|sequence| sequence >= before_sequence) {
                return Ok(());
            }
            let rows = if is_sale { &mut self.sales } else { &mut self.purchases };
            let Some(row) = rows.next().transpose().map_err(io::Error::other)? else { return Ok(()) };
            if is_sale { self.sell(&row) } else { self.buy(&row) }
        }
    }

    fn buy(&mut self, row: &TradeRow) {
        self.open += 1;
        self.open_cost += row.buy_amount;
        self.position += row.volume;
        self.balance -= row.buy_amount;
        self.count(row.volume, row.buy_amount);
    }

    fn sell(&mut self, row: &TradeRow) {
        self.open = self.open.saturating_sub(1);
        self.open_cost -= row.buy_amount;
        self.position -= row.volume;
        self.balance += row.sell_amount;
        self.realised += row.sell_amount - row.buy_amount;
        if self.open == 0 {
            // What rounding left.
            (self.open_cost, self.position) = (0.0, 0.0);
        }
        self.count(row.volume - row.unsold_volume, row.sell_amount);
    }

    fn count(&mut self, volume: f64, value: f64) {
        self.fee += self.fee_rate * value;
        self.trades += 1;
        self.volume += volume;
        self.value += value;
        let lost = (self.fee - self.realised).max(0.0);
        self.needed = self.needed.max(self.open_cost + lost);
    }

    /// As hftbacktest reckons it.
    fn equity(&self, mid: f64) -> f64 {
        self.balance + self.position * mid - self.fee
    }

    fn row(&self, sample: &Sample) -> [u8; RECORD.row_bytes] {
        let Self { position, balance, fee, trades, volume, value, .. } = *self;
        let [before, after] = [[sample.mid, position, balance, fee], [volume, value, 0.0, 0.0]];
        let mut row = [0; RECORD.row_bytes];
        let words = [sample.ts_ns.to_le_bytes()]
            .into_iter()
            .chain(before.map(f64::to_le_bytes))
            .chain([trades.to_le_bytes()])
            .chain(after.map(f64::to_le_bytes));
        row.as_chunks_mut::<8>().0.iter_mut().zip(words).for_each(|(at, word)| *at = word);
        row
    }
}

fn peek(rows: &mut Rows) -> io::Result<Option<TradeRow>> {
    match rows.peek() {
        None => Ok(None),
        Some(Ok(row)) => Ok(Some(*row)),
        Some(Err(error)) => Err(io::Error::other(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::book::Level;
    use crate::market::units::Scale;
    use std::fs;
    use std::path::PathBuf;
    use tempfile::TempDir;

    const HEADER: &str = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,unsold_volume\n";
    /// A midnight.
    const DAY_0_NS: i64 = 20_000 * DAY_NS;

    struct Setup {
        folder: TempDir,
        files: EquityFiles,
    }

    impl Setup {
        fn new(trades: &str, fee_bps: f64, capital: Option<f64>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("run.csv"), format!("{HEADER}{trades}")).unwrap();
            let [record, returns] = ["npz", "returns.csv"].map(|name| Some(folder.path().join(name)));
            Self { files: EquityFiles { record, returns, fee_bps, capital }, folder }
        }

        fn csv(&self) -> PathBuf {
            self.folder.path().join("run.csv")
        }

        /// Shows frames: seconds since the midnight, and the mid, which is whole; 0 for a book of one side.
        fn finish(&self, frames: &[(i64, u64)]) -> Result<Option<Returns>, OutputError> {
            let mut equity = Equity::begin(&self.files, &self.csv()).unwrap();
            for (sequence, &(second, mid)) in frames.iter().enumerate() {
                let level = |price_ticks: u64| Level { price_ticks, size_lots: price_ticks };
                let (bid, ask) = (level(mid.saturating_sub(1)), level(mid + 1));
                let sequence = sequence as u64;
                let frame = Observation {
                    sequence,
                    venue_sequence_num: sequence,
                    ts_recv_ns: DAY_0_NS + second * 1_000_000_000,
                    stretch: 1,
                    bid,
                    ask,
                    scale: Scale { price_decimals: 0, size_decimals: 0 },
                    evaluation: None,
                };
                equity.see(&frame).unwrap();
            }
            equity.finish(&self.files, &self.csv(), false)
        }

        /// Rows as seconds since the midnight and the other columns.
        fn rows(&self) -> Vec<(f64, [f64; 7])> {
            let file = File::open(self.files.record.as_ref().unwrap()).unwrap();
            let mut bytes = Vec::new();
            zip::ZipArchive::new(file).unwrap().by_name("0.npy").unwrap().read_to_end(&mut bytes).unwrap();
            let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
            let rows = bytes[header..].as_chunks::<64>().0.iter().map(|row| {
                let words = row.as_chunks::<8>().0;
                let second = (i64::from_le_bytes(words[0]) - DAY_0_NS) as f64 / 1e9;
                let float = |at: usize| f64::from_le_bytes(words[at]);
                let count = i64::from_le_bytes(words[5]) as f64;
                (second, [float(1), float(2), float(3), float(4), count, float(6), float(7)])
            });
            rows.collect()
        }

        fn returns(&self) -> String {
            fs::read_to_string(self.files.returns.as_ref().unwrap()).unwrap()
        }
    }

    #[test]
    fn rows_stand_at_the_start_at_tens_of_seconds_and_at_the_end() {
        // Bought at the first frame and sold at the third, with a tenth of it unsold; 100 bp of either amount.
        let setup = Setup::new("0,2,100,110,2,0.2\n", 100.0, None);
        let returns = setup.finish(&[(3, 50), (10, 51), (31, 60), (33, 61)]).unwrap().unwrap();
        let held = |mid| [mid, 2.0, -100.0, 1.0, 1.0, 2.0, 100.0];
        let ended = [61.0, 0.0, 10.0, 1.0 + 1.1, 2.0, 2.0 + 1.8, 210.0];
        let expected = vec![
            (3.0, [50.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            (10.0, held(51.0)),
            // Nothing came: as before.
            (20.0, held(51.0)),
            (30.0, held(51.0)),
            (33.0, ended),
        ];
        assert_eq!(setup.rows(), expected);
        // What was held, and the fee of the purchase.
        assert_eq!((returns.capital, returns.is_given, returns.days), (101.0, false, 1));
        assert_eq!(setup.returns(), format!("date,return\n2024-10-04,{}\n", (10.0 - 2.1) / 101.0));
    }

    #[test]
    fn times_that_go_back_stand_still_and_one_side_keeps_the_mid() {
        let setup = Setup::new("", 0.0, None);
        let returns = setup.finish(&[(5, 0), (15, 50), (12, 70), (1, 0), (26, 0)]).unwrap().unwrap();
        let rows: Vec<_> = setup.rows().into_iter().map(|(second, row)| (second, row[0])).collect();
        assert_eq!(rows, [(15.0, 50.0), (20.0, 70.0), (26.0, 70.0)]);
        // Nothing was traded, and nothing was needed.
        assert_eq!((returns.capital, setup.returns().as_str()), (0.0, "date,return\n2024-10-04,0.0\n"));
        // A book that never had two sides.
        let setup = Setup::new("", 0.0, None);
        assert_eq!(setup.finish(&[(5, 0), (15, 0)]).unwrap(), None);
        assert!(!setup.files.record.as_ref().unwrap().exists());
    }

    #[test]
    fn a_hole_repeats_for_a_day_and_days_without_frames_have_no_return() {
        // 10 won on the first day, 20 lost on the fourth.
        let setup = Setup::new("0,1,100,110,1,0\n2,3,100,80,1,0\n", 0.0, Some(1_000.0));
        let day = 86_400;
        let returns = setup.finish(&[(5, 50), (15, 50), (3 * day + 5, 50), (3 * day + 9, 50)]).unwrap().unwrap();
        let seconds: Vec<f64> = setup.rows().into_iter().map(|(second, _)| second).collect();
        let repeats = REPEATS_MAX as usize + 1;
        assert_eq!(seconds.len(), 2 + repeats + 1);
        assert_eq!(seconds[..3], [5.0, 10.0, 20.0]);
        assert_eq!(seconds[2 + repeats - 1..], [20.0 + 10.0 * f64::from(REPEATS_MAX), (3 * day + 9) as f64]);
        let expected = format!("date,return\n2024-10-04,{}\n2024-10-07,{}\n", 10.0 / 1_000.0, -20.0 / 1_010.0);
        assert_eq!(setup.returns(), expected);
        assert!(!returns.is_short() && returns.days == 2 && returns.needed == 100.0);
    }

    #[test]
    fn rows_end_where_the_capital_does() {
        let setup = Setup::new("0,1,100,40,1,0\n2,3,100,130,1,0\n", 0.0, Some(50.0));
        let day = 86_400;
        let returns = setup.finish(&[(5, 50), (15, 50), (day + 5, 50), (day + 9, 50)]).unwrap().unwrap();
        assert_eq!(setup.returns(), "date,return\n2024-10-04,-1.2\n");
        assert_eq!((returns.ruined.as_deref(), returns.days, returns.needed), (Some("2024-10-04"), 1, 160.0));
    }

    #[test]
    fn a_trade_log_that_is_none_is_named() {
        for trades in ["0,1,100,x,1,0\n", "0,1\n"] {
            let setup = Setup::new(trades, 0.0, None);
            let error = setup.finish(&[(5, 50), (15, 50)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("cannot write {}: ", setup.csv().display())), "{error}");
            assert!(!setup.files.record.as_ref().unwrap().exists());
        }
    }
}
