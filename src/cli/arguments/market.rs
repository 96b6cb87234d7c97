//! How files of other formats are read.

use crate::base::failure::Failure;
use crate::feed::intake::ScaleRule;
use crate::sources::TimeChoice;
use crate::sources::detect::Format;
use crate::sources::market::MarketSettings;
use clap::{Args, ValueEnum};
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
    /// File with the opening book, where a format keeps that apart
    #[arg(long, value_name = "FILE")]
    pub initial_snapshot: Option<PathBuf>,
}

fn parse_format(text: &str) -> Result<Format, String> {
    let names = || Format::ALL.map(Format::name).join(", ");
    Format::named(text).ok_or_else(|| format!("there are {}", names()))
}

impl MarketArgs {
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
        settings.reader.initial_snapshot.clone_from(&self.initial_snapshot);
        if self.format == Some(Format::Capture) && (self.time.is_some() || self.initial_snapshot.is_some()) {
            return Err(Failure::input("--time and --initial-snapshot are for other formats than captures"));
        }
        Ok(settings)
    }
}
