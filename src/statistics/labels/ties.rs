//! What a row counts as whose mid stays.
//!
//! ```
//! use papertrader::statistics::labels::{Ties, Weight};
//!
//! assert_eq!(Ties::Drop.weight(0), Weight { up: 0.0, down: 0.0 });
//! assert_eq!(Ties::Three.weight(0), Weight { up: 0.5, down: 0.5 });
//! ```

use serde::{Deserialize, Serialize};
use std::fmt;

/// What becomes of rows after which the mid is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Ties {
    /// They are left out; the probability is that of up, given that the mid moves.
    #[default]
    Drop,
    /// They count as not up; the probability is that of up.
    Down,
    /// A third outcome, worth half an up and half a down; the probability is that of up plus half of that of a tie.
    Three,
}

/// How much a row counts as up and as not up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weight {
    /// As up.
    pub up: f64,
    /// As not up.
    pub down: f64,
}

impl Weight {
    /// Both together; 0 for a row that is left out.
    pub fn total(self) -> f64 {
        self.up + self.down
    }
}

impl Ties {
    /// The weight of a row whose mid moved by `sign`.
    #[inline]
    pub fn weight(self, sign: i8) -> Weight {
        match (sign, self) {
            (1.., _) => Weight { up: 1.0, down: 0.0 },
            (..0, _) | (0, Self::Down) => Weight { up: 0.0, down: 1.0 },
            (0, Self::Drop) => Weight::default(),
            (0, Self::Three) => Weight { up: 0.5, down: 0.5 },
        }
    }

    /// By its name, as it is displayed.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Drop, Self::Down, Self::Three].into_iter().find(|ties| ties.to_string() == name)
    }

    /// What a probability of the model means, for reports.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Drop => "P(up), given that the mid moves within the horizon",
            Self::Down => "P(up) over all rows",
            Self::Three => "P(up) + P(tie) / 2 over all rows",
        }
    }
}

impl fmt::Display for Ties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "drop",
            Self::Down => "down",
            Self::Three => "three",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_weigh_as_asked() {
        for (ties, up, down) in [(Ties::Drop, 0.0, 0.0), (Ties::Down, 0.0, 1.0), (Ties::Three, 0.5, 0.5)] {
            assert_eq!(ties.weight(0), Weight { up, down });
            assert_eq!(ties.weight(1), Weight { up: 1.0, down: 0.0 });
            assert_eq!(ties.weight(-1), Weight { up: 0.0, down: 1.0 });
        }
    }
}
