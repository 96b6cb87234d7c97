//! What was tried before a model: carried from model to model, so that the best of many is known for what it is.
//!
//! ```
//! use papertrader::strategy::attempts::{Attempt, Attempts};
//!
//! let attempt = |test_auc| Attempt {
//!     date: "2024-08-08".into(),
//!     product: "BTC-USD".into(),
//!     features: 28,
//!     c: 1.0,
//!     label: "mid:20".into(),
//!     ties: "drop".into(),
//!     test_span_ns: (0, 1_000),
//!     test_auc: Some(test_auc),
//!     test_log_loss: None,
//! };
//! let mut attempts = Attempts::default();
//! attempts.models.extend([attempt(0.55), attempt(0.58)]);
//! assert_eq!(attempts.on("BTC-USD", (900, 2_000)), 2);
//! assert_eq!(attempts.on("BTC-USD", (1_001, 2_000)), 0);
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most models that are kept; of more the oldest are only counted.
pub const ATTEMPTS_MAX: usize = 500;

/// A model that was trained and tested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Of the training.
    pub date: String,
    /// Whose market.
    pub product: String,
    /// How many the model has.
    pub features: usize,
    /// The penalty's inverse strength.
    pub c: f64,
    /// The label's rule.
    pub label: String,
    /// How rows counted whose mid stayed.
    pub ties: String,
    /// Receive times of the first and the last row of the test part, Unix nanoseconds.
    pub test_span_ns: (i64, i64),
    /// The area under the curve there.
    pub test_auc: Option<f64>,
    /// The log-loss there.
    pub test_log_loss: Option<f64>,
}

/// The models that came before one, and that one, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempts {
    /// Older ones, of which only the number is kept.
    #[serde(default)]
    pub older: u64,
    /// The models.
    pub models: Vec<Attempt>,
}

impl Attempts {
    /// Of a model's provenance; none where it names none.
    ///
    /// # Errors
    /// What it names cannot be read.
    pub fn of(provenance: &Value) -> Result<Self, String> {
        match provenance.get("attempts") {
            None => Ok(Self::default()),
            Some(attempts) => Self::deserialize(attempts).map_err(|error| error.to_string()),
        }
    }

    /// Those of a model that was tried: a file that names no model is one itself.
    #[must_use]
    pub fn or_itself(mut self) -> Self {
        self.older = self.older.max(u64::from(self.models.is_empty()));
        self
    }

    /// Adds those of another model, and leaves out what is there already.
    pub fn join(&mut self, other: Self) {
        self.older = self.older.max(other.older);
        other.models.into_iter().for_each(|attempt| self.add(attempt));
    }

    /// Adds a model, unless it is there already: the same training again, on whatever day, tries nothing new.
    pub fn add(&mut self, attempt: Attempt) {
        if self.models.iter().any(|other| Attempt { date: attempt.date.clone(), ..other.clone() } == attempt) {
            return;
        }
        self.models.push(attempt);
        let beyond = self.models.len().saturating_sub(ATTEMPTS_MAX);
        self.models.drain(..beyond);
        self.older = self.older.saturating_add(beyond as u64);
    }

    /// How many of them, and of the older ones, were tested on rows of a time.
    pub fn on(&self, product: &str, (from, to): (i64, i64)) -> u64 {
        let meets = |attempt: &&Attempt| {
            attempt.product == product && attempt.test_span_ns.0 <= to && from <= attempt.test_span_ns.1
        };
        self.older.saturating_add(self.models.iter().filter(meets).count() as u64)
    }

    /// All of them.
    pub fn count(&self) -> u64 {
        self.older.saturating_add(self.models.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: usize) -> Attempt {
        Attempt {
            date: "2024-08-08".into(),
            product: "A-B".into(),
            features: number,
            c: 1.0,
            label: "mid:20".into(),
            ties: "drop".into(),
            test_span_ns: (0, 1),
            test_auc: None,
            test_log_loss: Some(0.5),
        }
    }

    #[test]
    fn attempts_are_read_back_joined_and_bounded() {
        let mut attempts = Attempts::default();
        (0..3).for_each(|number| attempts.add(attempt(number)));
        let read = Attempts::of(&serde_json::json!({ "attempts": attempts })).unwrap();
        assert_eq!(read, attempts);
        let mut other = Attempts { older: 0, models: vec![attempt(2), attempt(7)] };
        other.join(read);
        assert_eq!(other.models.iter().map(|attempt| attempt.features).collect::<Vec<_>>(), [2, 7, 0, 1]);
        other.add(Attempt { date: "2024-08-09".into(), ..attempt(7) });
        assert_eq!(other.count(), 4);
        (0..ATTEMPTS_MAX).for_each(|number| other.add(attempt(100 + number)));
        assert_eq!((other.older, other.count()), (4, ATTEMPTS_MAX as u64 + 4));
        assert_eq!(other.on("A-B", (1, 5)), ATTEMPTS_MAX as u64 + 4);
        assert!(Attempts::of(&serde_json::json!({ "attempts": 7 })).is_err());
        assert!(Attempts::of(&serde_json::json!({ "attempts": { "older": -1, "models": [] } })).is_err());
        assert_eq!(Attempts::of(&serde_json::Value::Null).unwrap().count(), 0);
        assert_eq!(Attempts::default().or_itself().count(), 1);
        let most = Attempts { older: u64::MAX, models: vec![attempt(1)] };
        assert_eq!((most.count(), most.on("A-B", (0, 1))), (u64::MAX, u64::MAX));
    }
}
