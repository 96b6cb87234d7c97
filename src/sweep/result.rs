//! What a sweep came to: a row for each setting and capture, and what the page and the statistics of overfitting need.
//!
//! Everything is the same for the same captures, models and grid: nothing in it depends on time, threads or order.
//!
//! ```
//! use papertrader::sweep::result::{Execution, Setting, SweepResult, SweptModel};
//!
//! let setting = Setting {
//!     number: 0,
//!     model: 0,
//!     threshold: 0.6,
//!     lag_updates: 20,
//!     buy_amount: 5.0,
//!     execution: Execution::Original,
//!     order_latency_ns: None,
//! };
//! let model = SweptModel { path: "imbalance.json".into(), sha256: "90e2…".into(), features: 1 };
//! let result = SweepResult { models: vec![model], settings: vec![setting], ..SweepResult::default() };
//! let read = SweepResult::parse("a.sweep.json".as_ref(), &result.to_json())?;
//! assert_eq!(read, result);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::small_file;
use crate::execution::records::AccountKind;
use crate::statistics::bootstrap::Interval;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What tells such a file.
pub const SCHEMA: &str = "papertrader-sweep";
/// Its version: another one means other fields.
pub const SCHEMA_VERSION: u32 = 1;
/// Equal slices of a capture's time, unless the sweep is told another number.
pub const SLICES: u32 = 64;
/// The most slices of a capture's time.
pub const SLICES_MAX: u32 = 1_024;
/// The largest file that is read: a million rows of some kilobytes.
const BYTES_MAX: u64 = 4 << 30;

/// Who trades: the original's rules, or one of the accounts beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Execution {
    /// The original program's: buys and sells in the deciding instant.
    Original,
    /// Takes from the book.
    Taker,
    /// Posts; filled by what goes through its price.
    MakerThrough,
    /// Posts; filled by its place in the queue.
    MakerQueue,
    /// Posts; filled by every print at its price.
    MakerTouch,
}

impl Execution {
    /// All, in their order.
    pub const ALL: [Self; 5] = [Self::Original, Self::Taker, Self::MakerThrough, Self::MakerQueue, Self::MakerTouch];

    /// The account; `None` for the original's rules.
    pub fn account(self) -> Option<AccountKind> {
        match self {
            Self::Original => None,
            Self::Taker => Some(AccountKind::Taker),
            Self::MakerThrough => Some(AccountKind::MakerThrough),
            Self::MakerQueue => Some(AccountKind::MakerQueue),
            Self::MakerTouch => Some(AccountKind::MakerTouch),
        }
    }

    /// Whether it posts.
    pub fn is_maker(self) -> bool {
        self.account().is_some_and(|kind| kind != AccountKind::Taker)
    }

    /// Its name on the command line and in tables.
    pub fn name(self) -> &'static str {
        self.account().map_or("original", AccountKind::name)
    }
}

/// One point of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Its place in [`SweepResult::settings`].
    pub number: u32,
    /// The model's place in [`SweepResult::models`].
    pub model: u32,
    /// The probability from which to buy.
    pub threshold: f64,
    /// Book updates from buying to selling.
    pub lag_updates: u32,
    /// Quote currency spent per purchase.
    pub buy_amount: f64,
    /// Who trades.
    pub execution: Execution,
    /// Time from a decision to the venue; `None` where orders act in the deciding instant.
    pub order_latency_ns: Option<i64>,
}

/// A model of the grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptModel {
    /// As it was named.
    pub path: String,
    /// Of the file as it lies on disk, hexadecimal.
    pub sha256: String,
    /// How many features it has.
    pub features: u32,
}

/// Whether a model was trained on what it is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InSample {
    /// On something else.
    No,
    /// On at least a part of it.
    Yes,
    /// Its file does not say.
    Unknown,
}

impl InSample {
    /// As tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Unknown => "unknown",
        }
    }
}

/// A capture that was read to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweptCapture {
    /// Its place among the captures that were given, from 0. Those that broke leave their numbers unused.
    pub number: u32,
    /// As it was named.
    pub path: String,
    /// Of the file as it lies on disk, hexadecimal.
    pub sha256: String,
    /// Of the file that is read beside it, such as its trades, if there is one.
    pub beside_sha256: Option<String>,
    /// The file's length.
    pub bytes: u64,
    /// What was traded.
    pub product: String,
    /// Frames of the book.
    pub frames: u64,
    /// Those of them that left it live.
    pub frames_live: u64,
    /// Receive times of the first and the last frame that left the book live, Unix nanoseconds; `None` without one. Its
    /// slices divide this time.
    pub live_ns: Option<(i64, i64)>,
    /// Faults that made the book unreliable.
    pub faults: u64,
    /// The price step at the end, quote currency, in decimals.
    pub price_decimals: u8,
    /// The quantity step at the end, base currency, in decimals.
    pub size_decimals: u8,
    /// Whether each model, by its place, was trained on it.
    pub in_sample: Vec<InSample>,
    /// What a user should know of the file.
    pub remarks: Vec<String>,
}

/// A capture without rows, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenCapture {
    /// Its place among the captures that were given, from 0.
    pub number: u32,
    /// As it was named.
    pub path: String,
    /// What is wrong with it and where, in a line.
    pub why: String,
}

/// What a setting came to over a capture. The figures are those of `RUN.json`; those of an account are under its name there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// [`SweptCapture::number`].
    pub capture: u32,
    /// [`Setting::number`].
    pub setting: u32,
    /// Closed trades; of an account legs that entered something.
    pub trades: u64,
    /// Those with a profit above 0: of the original before fees, of an account after its fees.
    pub winners: u64,
    /// Winners over trades.
    pub win_rate: Option<f64>,
    /// Quote currency spent on closed trades; of an account the value that has been exited.
    pub bought: f64,
    /// Quote currency, before fees.
    pub gross_profit: f64,
    /// Quote currency, after fees.
    pub net_profit: f64,
    /// Gross profit over what was bought, basis points.
    pub gross_bps: Option<f64>,
    /// Net profit over what was bought, basis points.
    pub net_bps: Option<f64>,
    /// 95 % interval of [`Row::gross_bps`].
    pub gross_bps_interval: Option<Interval>,
    /// 95 % interval of [`Row::net_bps`].
    pub net_bps_interval: Option<Interval>,
    /// Blocks of time on which the intervals stand.
    pub blocks: Option<u64>,
    /// The fee per side at which nothing is won or lost, basis points: of makers the maker's where takers pay nothing, else the
    /// taker's.
    pub break_even_fee_bps: Option<f64>,
    /// The deepest fall of the cumulative profit from its highest point before; quote currency; of the original before fees, of an
    /// account after.
    pub drawdown_max: f64,
    /// Half of the trades were held no longer, seconds; of the original alone.
    pub held_s_p50: Option<f64>,
    /// Positions or legs still open at the end; in no profit.
    pub open: u64,
    /// Orders sent; of accounts alone.
    pub orders: Option<u64>,
    /// Share of an account's entries that were filled whole.
    pub fill_rate: Option<f64>,
    /// Fees of all fills, quote currency; of accounts alone.
    pub fees: Option<f64>,
    /// What may be said of the mean profit, as `RUN.json` has it; of the original alone.
    pub finding: Option<String>,
    /// Trades that no market would have made like that: held across a gap, from liquidity taken before, of less than a lot; of the
    /// original alone.
    pub doubtful: Option<u64>,
    /// Their profit in quote currency, after fees.
    pub doubtful_net_profit: Option<f64>,
    /// Net profit by the receive time of the sale, quote currency: [`SweepResult::slices`] equal slices of the capture's
    /// live time.
    pub slice_net: Vec<f64>,
    /// What was bought for it, quote currency.
    pub slice_bought: Vec<f64>,
}

/// What a sweep came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// The program's.
    pub program_version: String,
    /// Fee per side that net figures of the original count, basis points.
    pub fee_bps: f64,
    /// The schedule by which accounts are charged, if one was given.
    pub fees: Option<String>,
    /// Slices of each capture's time.
    pub slices: u32,
    /// In the order in which they were given.
    pub models: Vec<SweptModel>,
    /// By their numbers.
    pub settings: Vec<Setting>,
    /// Those with rows, in the order in which they were given.
    pub captures: Vec<SweptCapture>,
    /// Those without, in the order in which they were given.
    pub broken: Vec<BrokenCapture>,
    /// By capture, then by setting. Every capture of [`SweepResult::captures`] has one of every setting.
    pub rows: Vec<Row>,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct File<R> {
    schema: String,
    schema_version: u64,
    #[serde(flatten)]
    result: R,
}

/// Only what tells it.
#[derive(Deserialize)]
struct Recognised {
    schema: Option<String>,
    schema_version: Option<u64>,
}

/// Why there is nothing of a sweep's file.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The file.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not as documented.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: serde_json::Error,
    },
    /// Something else.
    #[error("{path} is not a {SCHEMA} file")]
    Other {
        /// The file.
        path: PathBuf,
    },
    /// Of another version of this program.
    #[error("{path} has schema version {version}; this program reads version {SCHEMA_VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// Numbers that do not belong together.
    #[error("{path}: {what}")]
    Impossible {
        /// The file.
        path: PathBuf,
        /// What, and why it cannot be.
        what: String,
    },
}

impl SweepResult {
    /// Writes it as `NAME.sweep.json` has it.
    ///
    /// # Errors
    /// The output does not take it.
    pub fn write_json(&self, mut output: impl Write) -> io::Result<()> {
        let file = File { schema: SCHEMA.into(), schema_version: SCHEMA_VERSION.into(), result: self };
        serde_json::to_writer(&mut output, &file)?;
        output.write_all(b"\n")
    }

    /// The same as a text.
    pub fn to_json(&self) -> String {
        let mut text = Vec::new();
        self.write_json(&mut text).expect("memory takes it: keys are text");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// See [`ResultError`].
    pub fn read(path: &Path) -> Result<Self, ResultError> {
        let text =
            small_file::read_text(path, BYTES_MAX).map_err(|source| ResultError::Read { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    /// Reads a file's text; `path` is what errors call it.
    ///
    /// # Errors
    /// See [`ResultError`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ResultError> {
        let json = |source| ResultError::Json { path: path.into(), source };
        let told: Recognised = serde_json::from_str(text).map_err(json)?;
        match (told.schema.as_deref(), told.schema_version) {
            (Some(SCHEMA), Some(version)) if version == u64::from(SCHEMA_VERSION) => {}
            (Some(SCHEMA), Some(version)) => return Err(ResultError::Version { path: path.into(), version }),
            _ => return Err(ResultError::Other { path: path.into() }),
        }
        let File { result, .. } = serde_json::from_str::<File<Self>>(text).map_err(json)?;
        result.check().map_err(|what| ResultError::Impossible { path: path.into(), what })?;
        Ok(result)
    }

    /// Whether all numbers name something, and every capture has a row of every setting.
    fn check(&self) -> Result<(), String> {
        for (place, setting) in (0..).zip(&self.settings) {
            if setting.number != place {
                return Err(format!("setting {} stands in place {place}", setting.number));
            }
            if setting.model as usize >= self.models.len() {
                return Err(format!("setting {place} names model {}, and there is none", setting.model));
            }
        }
        if let Some(capture) = self.captures.iter().find(|capture| capture.in_sample.len() != self.models.len()) {
            return Err(format!("capture {} does not say of every model whether it is in sample", capture.number));
        }
        let due = self.captures.iter().flat_map(|capture| {
            let number = capture.number;
            self.settings.iter().map(move |setting| (number, setting.number))
        });
        if !due.eq(self.rows.iter().map(|row| (row.capture, row.setting))) {
            return Err("its rows are not those of every capture and setting, in their order".into());
        }
        let slices = self.slices as usize;
        if let Some(row) =
            self.rows.iter().find(|row| [&row.slice_net, &row.slice_bought].iter().any(|of| of.len() != slices))
        {
            return Err(format!(
                "the row of capture {} and setting {} has not {slices} slices",
                row.capture, row.setting
            ));
        }
        Ok(())
    }

    /// The rows of a capture by its place in [`SweepResult::captures`], by setting.
    pub fn rows_of(&self, place: usize) -> &[Row] {
        let from = place * self.settings.len();
        &self.rows[from..from + self.settings.len()]
    }

    /// Net returns, a column for each setting: over the slices of the first capture, then over those of the next. A return is the
    /// net profit of a slice over the amount of a purchase. Slices in which nobody trades are 0.
    pub fn returns(&self) -> Vec<Vec<f64>> {
        let of = |setting: &Setting| {
            let rows = (0..self.captures.len()).map(|place| &self.rows_of(place)[setting.number as usize]);
            rows.flat_map(|row| row.slice_net.iter().map(|net| net / setting.buy_amount)).collect()
        };
        self.settings.iter().map(of).collect()
    }
}
