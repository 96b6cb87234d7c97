//! Features without code: arithmetic over the catalogue, and over what it was before.
//!
//! ```
//! use papertrader::strategy::features::expression::{Expression, Problem};
//!
//! let slope = Expression::new("slope", "(mid - mean(mid, 20)) / std(mid, 500ms)")?;
//! assert_eq!((slope.name(), slope.reads_tape()), ("slope", false));
//! let wrong = Expression::new("slope", "mid / (2 - 2)").expect_err("a quotient by 0");
//! assert_eq!((wrong.column, wrong.problem), (5, Problem::DivisionByZero));
//! # Ok::<(), papertrader::strategy::features::expression::ExpressionError>(())
//! ```
//!
//! ```text
//! expression = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]        1 if it holds, else 0
//! sum        = product { ("+" | "-") product }
//! product    = signed { ("*" | "/") signed }
//! signed     = "-" signed | NUMBER | FEATURE | function | "(" expression ")"
//! function   = ln(x) | sqrt(x) | abs(x) | sign(x) | min(a, b) | max(a, b) | clip(x, low, high)
//!            | lag(x, K) | delta(x, K) | mean(x, K) | std(x, K) | ema(x, K)       K updates, or a time: 500ms, 2s
//!            | sum(x, A..B) | mean(x, A..B) | min(x, A..B) | max(x, A..B)         x at levels A to B: bid_size for bid_size_N
//! ```
//!
//! Windows of `mean` and `std` are the last K updates, the one in hand among them, or those received in the last T ms, as windows
//! of the tape are; `std` divides by the number of values. `lag` looks at the update K before, or at the latest one received at least
//! T before. `ema` gives each value a share of 2 / (K + 1), or of 1 − exp(−Δt / T).
//!
//! What has no value, as a quotient by 0 or a logarithm of what is not above 0, makes all that is made of it have none, in windows
//! until they have left it behind; `ema` passes over it. A row in which an expression has no value has no features.

mod arithmetic;
mod graph;
mod names;
mod past;
mod problem;
mod program;
mod syntax;
#[cfg(test)]
mod tests;

pub use names::shown;
pub use past::WINDOW_UPDATES_MAX;
pub use problem::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_STEPS_MAX, ExpressionError, Problem};
pub use program::{PROGRAM_HISTORY_MB_MAX, PROGRAM_PASTS_MAX, PROGRAM_STEPS_MAX, ProgramError};
pub(super) use {
    graph::{Graph, Id},
    program::{Program, compile},
};

use crate::strategy::features::catalogue::Feature;
use std::hash::{Hash, Hasher};

/// An expression with the name of the feature that it makes.
#[derive(Clone, Debug)]
pub struct Expression {
    name: String,
    text: String,
    steps: Vec<syntax::Placed>,
    /// Features of the catalogue in it.
    reads: Vec<Feature>,
}

impl Expression {
    /// Reads and checks the text.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn new(name: &str, text: &str) -> Result<Self, ExpressionError> {
        let steps = syntax::parse(text)?;
        let mut graph = Graph::default();
        graph.add(&steps)?;
        let reads = graph.parts().iter().filter_map(|part| match part {
            graph::Part::Feature(feature) => Some(*feature),
            _ => None,
        });
        Ok(Self { name: name.into(), text: text.into(), reads: reads.collect(), steps })
    }

    /// Of the feature.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether prints come into it, which a capture or a session without prints does not feed.
    pub fn reads_tape(&self) -> bool {
        self.reads.iter().any(|feature| feature.reads_tape())
    }

    /// Adds it to others.
    pub(super) fn add_to(&self, graph: &mut Graph) -> Id {
        graph.add(&self.steps).expect("it was checked when it was read")
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.text) == (&other.name, &other.text)
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, &self.text).hash(state);
    }
}
