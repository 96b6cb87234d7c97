//! What can be wrong with the captures that rows come from.
//!
//! ```
//! use papertrader::base::failure::Failure;
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::research::source::Source;
//! use papertrader::research::source_error::SourceError;
//! use std::process::ExitCode;
//!
//! let error = Source::open(&["nowhere.zst".into()], None, ScaleRule::default()).unwrap_err();
//! assert!(matches!(error, SourceError::Replay(_)));
//! assert!(error.to_string().starts_with("cannot open capture nowhere.zst: "));
//! assert_eq!(Failure::from(error).exit_code(), ExitCode::from(2));
//! ```

use super::dataset::SinkError;
use crate::base::failure::Failure;
use crate::capture::CaptureError;
use crate::capture::replay::ReplayError;
use crate::statistics::labels::LabelRule;
use crate::strategy::features::Input;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What made the captures' books unreliable, for the end of an error to which that may have led; nothing if nothing did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broken(Vec<String>);

impl Broken {
    /// Of a line for each capture whose book was broken.
    pub fn new(by_capture: Vec<String>) -> Self {
        Self(by_capture)
    }

    /// Whether nothing did.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "; {line}"))
    }
}

/// Captures without a print, and a feature that would read some. Shown, it is the beginning of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPrints {
    /// The first that reads the tape.
    pub feature: Input,
    /// At least one.
    pub captures: Vec<PathBuf>,
}

impl NoPrints {
    /// As a warning: what it means for the features.
    pub fn warning(&self) -> String {
        format!("{self}; features of the tape are as without trades there")
    }
}

impl fmt::Display for NoPrints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.captures.iter().map(|path| path.display().to_string()).collect();
        let holds = if names.len() == 1 { "holds" } else { "hold" };
        write!(f, "{} {holds} no prints (channel market_trades), which '{}' reads", names.join(", "), self.feature)
    }
}

/// What is wrong with the captures as a set.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// One of them.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// One of them, while it was read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Different products.
    #[error(
        "the captures are of different products: {first} holds {product}, {other} does not; name the product with --product, \
         or leave that capture out"
    )]
    Products {
        /// The capture that decided.
        first: PathBuf,
        /// Its product.
        product: String,
        /// The one that lacks it.
        other: PathBuf,
    },
    /// Different scales.
    #[error(
        "the captures have different ticks: {first} has {first_decimals} decimals in its prices, {other} has {other_decimals}; \
         give the product's --tick-size if they are of one market"
    )]
    Ticks {
        /// The capture that decided.
        first: PathBuf,
        /// Its decimals.
        first_decimals: u8,
        /// The one that differs.
        other: PathBuf,
        /// Its decimals.
        other_decimals: u8,
    },
    /// Two captures of the same time.
    #[error("{first} and {second} overlap in time, so that the same rows would count twice; leave one out")]
    Overlap {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A capture to test on of a time that was trained on.
    #[error(
        "the test capture {test} overlaps the training capture {train} in time: the model would be tested on what it has \
         seen; give --allow-overlap if that is meant"
    )]
    TestOverlap {
        /// Trained on.
        train: PathBuf,
        /// To be tested on.
        test: PathBuf,
    },
    /// A capture cannot be hashed.
    #[error("cannot read capture {path}: {source}")]
    Hash {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No frame had features.
    #[error(
        "no frame has features: of {frames} frames {live} left the book live, {thin} of these with fewer levels than the \
         features look at{} {warming_up} with fewer updates than they look back on{}{broken}",
        if *undefined > 0 { "," } else { " and" },
        if *undefined > 0 { format!(" and {undefined} without a value of an expression") } else { String::new() }
    )]
    NoRows {
        /// Frames of the book.
        frames: u64,
        /// Those that left the book live.
        live: u64,
        /// Without enough levels.
        thin: u64,
        /// Without enough history.
        warming_up: u64,
        /// Without a value of an expression.
        undefined: u64,
        /// What broke the books.
        broken: Broken,
    },
    /// No row has a label.
    #[error(
        "{} is longer than the captures: the longest stretch with a live book has {longest_live} frame{}{broken}",
        label.reach(),
        if *longest_live == 1 { "" } else { "s" }
    )]
    Horizon {
        /// What was asked for.
        label: LabelRule,
        /// Frames.
        longest_live: u64,
        /// What broke the books.
        broken: Broken,
    },
    /// Somebody stopped the program.
    #[error("interrupted; nothing was written")]
    Interrupted,
    /// Rows could not be taken.
    #[error(transparent)]
    Sink(SinkError),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Interrupted | SourceError::Sink(_) => Self::running(error),
            _ => Self::input(error),
        }
    }
}
