//! How files of other formats are read.

use crate::base::failure::Failure;
use crate::feed::intake::ScaleRule;
use crate::sources::TimeChoice;
use crate::sources::detect::Format;
use crate::sources::files::companion;
use crate::sources::market::MarketSettings;
use crate::sources::table::layout::Pattern;
use crate::sources::window::Window;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::path::PathBuf;

/// Which clock, as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimeName {
    /// The recorder's where a file has one, else the venue's
    Recv,
    /// The venue's
    Event,
}

/// How files of other formats are read.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Formats")]
pub struct MarketArgs {
    /// Format of the market [default: told by content and name]
    #[arg(long, value_name = "NAME", value_parser = parse_format)]
    pub format: Option<Format>,
    /// Clock of the time of receipt, in other formats than captures [default: recv]
    #[arg(long, value_name = "CLOCK", value_enum)]
    pub time: Option<TimeName>,
    /// Begin at this time of receipt: a date, a time (2024-08-08T23:55:00Z) or Unix ns; what came before only builds the book
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub from: Option<i64>,
    /// End before this time of receipt
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub to: Option<i64>,
    /// File with the opening book, where a format keeps that apart
    #[arg(long, value_name = "FILE")]
    pub initial_snapshot: Option<PathBuf>,
    /// How a table names its columns of levels, such as {side}_{field}_{level} [default: told by its header]
    #[arg(long, value_name = "PATTERN", value_parser = parse_pattern)]
    pub table_pattern: Option<String>,
    /// A table's column of the time of receipt [default: told by its name]
    #[arg(long, value_name = "NAME")]
    pub time_column: Option<String>,
}

fn parse_pattern(text: &str) -> Result<String, String> {
    Pattern::new(text).map(|_| text.into())
}

fn parse_format(text: &str) -> Result<Format, String> {
    let names = || Format::ALL.map(Format::name).join(", ");
    Format::named(text).ok_or_else(|| format!("there are {}", names()))
}

/// Reads a date, a time with its offset, or Unix nanoseconds, as Unix nanoseconds.
fn parse_time(text: &str) -> Result<i64, String> {
    let number = || text.parse::<i64>().ok().filter(|ns| ns.unsigned_abs() > 1_000_000_000_000_000);
    let time = || text.parse::<Timestamp>().ok();
    let date = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let ns = number().or_else(|| i64::try_from(time().or_else(date)?.as_nanosecond()).ok());
    ns.ok_or_else(|| "a time is a date, a time such as 2024-08-08T23:55:00Z, or Unix nanoseconds".into())
}

impl MarketArgs {
    /// All files that are read of these: they, those beside them, and the opening book.
    pub fn inputs(&self, markets: &[PathBuf]) -> Vec<PathBuf> {
        let beside = markets.iter().filter_map(|path| companion(path));
        markets.iter().cloned().chain(beside).chain(self.initial_snapshot.clone()).collect()
    }

    /// For a product.
    ///
    /// # Errors
    /// Options that do not go together.
    pub fn settings(&self, product: Option<&str>, rule: ScaleRule) -> Result<MarketSettings, Failure> {
        let mut settings = MarketSettings::of(product, rule);
        settings.format = self.format;
        settings.reader.time = match self.time {
            Some(TimeName::Event) => TimeChoice::Event,
            _ => TimeChoice::Recv,
        };
        settings.window = Window { from_ns: self.from.unwrap_or(i64::MIN), to_ns: self.to.unwrap_or(i64::MAX) };
        if settings.window.from_ns >= settings.window.to_ns {
            return Err(Failure::input("--to: it is not after --from"));
        }
        settings.reader.initial_snapshot.clone_from(&self.initial_snapshot);
        settings.reader.pattern.clone_from(&self.table_pattern);
        settings.reader.time_column.clone_from(&self.time_column);
        if self.table_pattern.is_some() && self.format.is_none() {
            settings.format = Some(Format::Table);
        }
        if self.format == Some(Format::Capture) && (self.time.is_some() || self.initial_snapshot.is_some()) {
            return Err(Failure::input("--time and --initial-snapshot are for other formats than captures"));
        }
        Ok(settings)
    }
}
