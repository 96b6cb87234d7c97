//! The grid: lists of values, and every combination of them.
//!
//! ```
//! use papertrader::sweep::grid::{Axes, values};
//! use papertrader::sweep::result::Execution;
//!
//! assert_eq!(values("0.5:0.7:0.1,0.9")?, [0.5, 0.6, 0.7, 0.9]);
//! let axes = Axes {
//!     models: vec![(vec![0.5, 0.6], vec![20])],
//!     buy_amounts: vec![5.0],
//!     executions: vec![Execution::Original, Execution::Taker],
//!     order_latencies_ns: vec![None, Some(5_000_000)],
//! };
//! // The original's orders act in the deciding instant: latencies multiply accounts alone.
//! assert_eq!(axes.settings()?.len(), 2 * (1 + 2));
//! # Ok::<(), papertrader::sweep::grid::GridError>(())
//! ```

use super::result::{Execution, Setting};

/// Values that a range makes at most.
pub const VALUES_MAX: usize = 10_000;
/// Settings of a sweep at most.
pub const SETTINGS_MAX: usize = 100_000;
/// Rows of a sweep, settings × captures, at most: they are held in memory, a kilobyte or two each.
pub const SWEEP_ROWS_MAX: u64 = 1_000_000;
/// Rows from which somebody has to say that this is meant.
pub const SWEEP_ROWS_UNASKED: u64 = 10_000;
/// Digits behind the point to which a range's values are rounded.
const DECIMALS_MAX: usize = 15;

/// Why there is no grid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GridError {
    /// Not a number, nor a range of numbers.
    #[error("'{0}' is not a number, nor a range FROM:TO:STEP")]
    Value(String),
    /// A range without a value.
    #[error("the range {0} holds no value: STEP is above 0 and TO not below FROM")]
    Empty(String),
    /// A range of too many.
    #[error("the range {0} holds more than {VALUES_MAX} values; choose a greater STEP")]
    TooLong(String),
    /// A value twice.
    #[error("{0} is there twice")]
    Twice(String),
    /// No value.
    #[error("a grid of nothing: {0}")]
    Nothing(&'static str),
    /// More settings than are held.
    #[error("{0} settings; a sweep has at most {SETTINGS_MAX}")]
    TooMany(u64),
}

/// Reads numbers and ranges `FROM:TO:STEP`, separated by commas. A range's values are those that somebody would type: decimals as in
/// its text.
///
/// # Errors
/// See [`GridError`].
pub fn values(text: &str) -> Result<Vec<f64>, GridError> {
    let mut values = Vec::new();
    for part in text.split(',').map(str::trim) {
        let bad = || GridError::Value(part.chars().take(40).collect());
        let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(bad);
        match *part.split(':').collect::<Vec<_>>() {
            [one] => values.push(number(one)?),
            [from, to, step] => {
                let decimals = decimals(from).zip(decimals(step)).map(|(from, step)| from.max(step));
                range(part, (number(from)?, number(to)?, number(step)?), decimals, &mut values)?;
            }
            _ => return Err(bad()),
        }
    }
    once(&values)?;
    Ok(values)
}

/// Digits behind the point; `None` of a number that is written otherwise.
fn decimals(text: &str) -> Option<usize> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.trim().trim_start_matches(['+', '-']);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    (digits(whole) && digits(part) && part.len() <= DECIMALS_MAX).then_some(part.len())
}

fn range(
    text: &str,
    (from, to, step): (f64, f64, f64),
    decimals: Option<usize>,
    values: &mut Vec<f64>,
) -> Result<(), GridError> {
    if step <= 0.0 || to < from {
        return Err(GridError::Empty(text.into()));
    }
    // A step's rounding must not lose the last value.
    let steps = ((to - from) / step + 1e-9).floor();
    if steps >= VALUES_MAX as f64 {
        return Err(GridError::TooLong(text.into()));
    }
    for at in 0..=steps as usize {
        let value = from + at as f64 * step;
        let rounded = decimals.and_then(|decimals| format!("{value:.decimals$}").parse().ok());
        values.push(rounded.unwrap_or(value));
    }
    Ok(())
}

/// Whether no value is there twice.
///
/// # Errors
/// [`GridError::Twice`].
pub fn once(values: &[f64]) -> Result<(), GridError> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(GridError::Twice(pair[0].to_string())),
        None => Ok(()),
    }
}

/// The lists of a grid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes {
    /// For each model its thresholds and its holding times, updates: what is not asked for is the file's own.
    pub models: Vec<(Vec<f64>, Vec<u32>)>,
    /// Quote currency per purchase.
    pub buy_amounts: Vec<f64>,
    /// Who trades.
    pub executions: Vec<Execution>,
    /// Times to the venue, for accounts; nanoseconds.
    pub order_latencies_ns: Vec<Option<i64>>,
}

impl Axes {
    /// How many combinations there are.
    fn count(&self) -> u64 {
        let by_model = self.models.iter().map(|(thresholds, lags)| thresholds.len() as u64 * lags.len() as u64);
        let accounts = self.executions.iter().filter(|&&execution| execution != Execution::Original).count() as u64;
        let originals = self.executions.len() as u64 - accounts;
        let executions = originals + accounts * self.order_latencies_ns.len() as u64;
        by_model.fold(0, u64::saturating_add).saturating_mul(self.buy_amounts.len() as u64).saturating_mul(executions)
    }

    /// Every combination, numbered: models, then thresholds, holding times, amounts, executions and latencies, in the order of
    /// their lists.
    ///
    /// # Errors
    /// A list is empty, or there are more than [`SETTINGS_MAX`].
    pub fn settings(&self) -> Result<Vec<Setting>, GridError> {
        let empty = [
            ("no model", self.models.is_empty()),
            ("no threshold", self.models.iter().any(|(thresholds, _)| thresholds.is_empty())),
            ("no holding time", self.models.iter().any(|(_, lags)| lags.is_empty())),
            ("no amount", self.buy_amounts.is_empty()),
            ("no execution", self.executions.is_empty()),
            ("no order latency", self.order_latencies_ns.is_empty()),
        ];
        if let Some((what, _)) = empty.into_iter().find(|&(_, is_empty)| is_empty) {
            return Err(GridError::Nothing(what));
        }
        if self.count() > SETTINGS_MAX as u64 {
            return Err(GridError::TooMany(self.count()));
        }
        let mut settings = Vec::new();
        for (model, (thresholds, lags)) in (0..).zip(&self.models) {
            for (&threshold, &lag_updates) in
                thresholds.iter().flat_map(|threshold| lags.iter().map(move |lag| (threshold, lag)))
            {
                for &buy_amount in &self.buy_amounts {
                    for &execution in &self.executions {
                        let latencies: &[_] =
                            if execution == Execution::Original { &[None] } else { &self.order_latencies_ns };
                        settings.extend(latencies.iter().map(|&order_latency_ns| Setting {
                            number: 0,
                            model,
                            threshold,
                            lag_updates,
                            buy_amount,
                            execution,
                            order_latency_ns,
                        }));
                    }
                }
            }
        }
        (0..).zip(&mut settings).for_each(|(number, setting)| setting.number = number);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_one_would_type() {
        let typed: Vec<f64> = ["0.5", "0.55", "0.6", "0.65", "0.7", "0.75", "0.8", "0.85", "0.9"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert_eq!(values("0.5:0.9:0.05").unwrap(), typed);
        assert_eq!(values("0.1:0.3:0.1").unwrap(), [0.1, 0.2, 0.3]);
        assert_eq!(values("5,10:20:5, 50").unwrap(), [5.0, 10.0, 15.0, 20.0, 50.0]);
        assert_eq!(values("1:1:1").unwrap(), [1.0]);
        assert_eq!(values("1e-3:3e-3:1e-3").unwrap().len(), 3);
        for (text, error) in [
            ("", "'' is not a number, nor a range FROM:TO:STEP"),
            ("0.5,,0.6", "'' is not a number, nor a range FROM:TO:STEP"),
            ("a", "'a' is not a number, nor a range FROM:TO:STEP"),
            ("nan", "'nan' is not a number, nor a range FROM:TO:STEP"),
            ("1:2", "'1:2' is not a number, nor a range FROM:TO:STEP"),
            ("2:1:1", "the range 2:1:1 holds no value: STEP is above 0 and TO not below FROM"),
            ("1:2:0", "the range 1:2:0 holds no value: STEP is above 0 and TO not below FROM"),
            ("1:2:-1", "the range 1:2:-1 holds no value: STEP is above 0 and TO not below FROM"),
            ("0:1:1e-9", "the range 0:1:1e-9 holds more than 10000 values; choose a greater STEP"),
            ("0.5,0.4:0.6:0.1", "0.5 is there twice"),
        ] {
            assert_eq!(values(text).unwrap_err().to_string(), error, "{text}");
        }
    }

    #[test]
    fn settings_are_all_combinations_in_order() {
        let axes = Axes {
            models: vec![(vec![0.5, 0.6], vec![5, 10]), (vec![0.7], vec![20])],
            buy_amounts: vec![5.0, 100.0],
            executions: vec![Execution::Original, Execution::MakerQueue],
            order_latencies_ns: vec![None, Some(7)],
        };
        let settings = axes.settings().unwrap();
        assert_eq!(settings.len() as u64, axes.count());
        assert_eq!(settings.len(), (2 * 2 + 1) * 2 * 3);
        assert!((0..).zip(&settings).all(|(number, setting)| setting.number == number));
        let keys: std::collections::BTreeSet<String> =
            settings.iter().map(|setting| format!("{:?}", Setting { number: 0, ..*setting })).collect();
        assert_eq!(keys.len(), settings.len());
        assert_eq!((settings[2].execution, settings[2].order_latency_ns), (Execution::MakerQueue, Some(7)));
        assert_eq!((settings.last().unwrap().model, settings.last().unwrap().lag_updates), (1, 20));
    }

    #[test]
    fn grids_of_nothing_or_of_too_much_are_refused() {
        let axes = Axes {
            models: vec![(vec![0.5], vec![5])],
            buy_amounts: vec![5.0],
            executions: vec![Execution::Original],
            order_latencies_ns: vec![None],
        };
        let error = Axes { executions: vec![], ..axes.clone() }.settings().unwrap_err();
        assert_eq!(error.to_string(), "a grid of nothing: no execution");
        let error = Axes { models: vec![], ..axes.clone() }.settings().unwrap_err();
        assert_eq!(error.to_string(), "a grid of nothing: no model");
        let thresholds: Vec<f64> = (1..10_000).map(|n| f64::from(n) / 10_000.0).collect();
        let error = Axes { models: vec![(thresholds, (1..=100).collect())], ..axes }.settings().unwrap_err();
        assert_eq!(error.to_string(), "999900 settings; a sweep has at most 100000");
    }
}
