//! Arguments that several commands share, and what they become.
//!
//! ```
//! use papertrader::cli::arguments::{parse_amount, parse_duration, parse_threshold};
//! use std::time::Duration;
//!
//! assert_eq!(parse_duration("30m"), Ok(Duration::from_secs(1_800)));
//! assert_eq!(parse_threshold("0.6"), Ok(0.6));
//! assert!(parse_threshold("1.5").is_err() && parse_amount("-5").is_err());
//! ```

mod connection;
mod execution;
mod fees;
mod market;
mod model;
mod products;
mod research;
mod strategies;
mod sweep;
mod trading;

pub use connection::{ConnectionArgs, VENUE_URL};
pub(in crate::cli) use execution::{AMOUNT_MAX, no_timeout};
pub use execution::{AccountArgs, ExecutionArgs};
pub use fees::{FeeArgs, TIERS_ENDING};
pub use market::{MarketArgs, TimeName};
pub use model::{ClassNames, FeatureNames, ModelArgs, Models};
pub use products::{ProductList, SpreadArgs, check_products, label, parse_engine_of, parse_products, place};
pub use research::{FigureArgs, FigureFiles, ImportanceArgs, LabelArgs, SourceArgs};
pub use strategies::{STRATEGIES_MAX, StrategyPlan, plans};
pub use sweep::{GridArgs, List, SweepArgs, SweepResultArgs};
pub use trading::{
    BUY_AMOUNT, LAG_UPDATES, ResultArgs, THRESHOLD, ThreadArgs, TradingArgs, parse_amount, parse_name, parse_product,
    parse_share, parse_threshold, unsaid,
};

use std::time::Duration;

/// Reads a duration: seconds (`1800`), or with a unit (`90s`, `30m`, `2h`).
///
/// # Errors
/// Anything else, or zero.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit_s) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1.0),
        Some(b'm') => (&text[..text.len() - 1], 60.0),
        Some(b'h') => (&text[..text.len() - 1], 3_600.0),
        _ => (text, 1.0),
    };
    let seconds = number.parse().ok().filter(|seconds: &f64| *seconds > 0.0).map(|seconds| seconds * unit_s);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a duration is seconds above 0, or a number with s, m or h".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("1800", 1800.0), ("90s", 90.0), ("30m", 1800.0), ("2h", 7200.0), ("0.5", 0.5)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)));
        }
        for text in ["", "0", "-1", "m", "1d", "1e300h", "NaN", "inf"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
