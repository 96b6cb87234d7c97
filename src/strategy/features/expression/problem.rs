//! What can be wrong with an expression.

use crate::strategy::features::catalogue::{DEPTH_MAX, FeatureError, HISTORY_MAX, WINDOW_MS_MAX};

/// The longest text of an expression.
pub const EXPRESSION_BYTES_MAX: usize = 4096;
/// How deep parentheses, calls and signs may nest.
pub const EXPRESSION_DEPTH_MAX: usize = 64;
/// The most steps of an expression, written out over its ranges of levels.
pub const EXPRESSION_STEPS_MAX: u64 = 4096;

/// An expression that cannot be computed, and where that shows.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct ExpressionError {
    /// In characters of the text, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

fn or_list(nearest: &Option<String>) -> String {
    match nearest {
        Some(nearest) => format!("; the nearest is '{nearest}'"),
        None => "; `papertrader features --list` names all".into(),
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// Nothing but spaces.
    #[error("the expression is empty")]
    Empty,
    /// Bytes of the text.
    #[error("the text has {0} bytes; an expression has at most {EXPRESSION_BYTES_MAX}")]
    TooLong(usize),
    /// Parentheses in parentheses.
    #[error("nested more than {EXPRESSION_DEPTH_MAX} deep")]
    TooDeep,
    /// Ranges in ranges.
    #[error("written out over its ranges the expression has {0} steps; at most {EXPRESSION_STEPS_MAX} are computed")]
    TooLarge(u64),
    /// A character without a meaning.
    #[error("'{}' has no meaning in an expression", .0.escape_debug())]
    Character(char),
    /// Another token than the grammar wants.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What the grammar wants.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A number beyond the doubles.
    #[error("{0} is not a finite number")]
    Number(String),
    /// A time where a number should be.
    #[error("{0} has a unit; only functions that look back take a time")]
    Unit(String),
    /// A comparison of a comparison.
    #[error("comparisons do not chain; put one of them in parentheses")]
    Chained,
    /// No such feature.
    #[error("unknown feature {name}{}", or_list(.nearest))]
    Unknown {
        /// The name, quoted.
        name: String,
        /// What it may stand for.
        nearest: Option<String>,
    },
    /// No such function.
    #[error("unknown function {name}{}", match .nearest {
        Some(nearest) => format!("; the nearest is '{nearest}'"),
        None => String::new(),
    })]
    UnknownFunction {
        /// The name, quoted.
        name: String,
        /// What it may stand for.
        nearest: Option<String>,
    },
    /// A feature with a parameter out of range.
    #[error(transparent)]
    Feature(FeatureError),
    /// A family outside of every range.
    #[error("'{0}' needs a level: write {0}_1, or a function over levels, as sum({0}, 1..5)")]
    Family(String),
    /// A range over what has no levels.
    #[error("nothing that the range goes over has its level: name a family without level, as in sum(bid_size, 1..5)")]
    NoLevel,
    /// A range that is none.
    #[error("a range of levels is FROM..TO, from 1 to {DEPTH_MAX}")]
    Range,
    /// A function with other arguments than it takes.
    #[error("'{name}' is called as {usage}")]
    Arguments {
        /// The function.
        name: String,
        /// How it is called.
        usage: &'static str,
    },
    /// Neither a number of updates nor a time.
    #[error("{0} is neither a number of updates nor a time in ms or s, as 20, 500ms or 2s")]
    Window(String),
    /// A number of updates out of range.
    #[error("{0}: the number of updates goes from 1 to {HISTORY_MAX}")]
    Updates(String),
    /// A time out of range.
    #[error("{0}: a time goes from 1 ms to {WINDOW_MS_MAX} ms")]
    Millis(String),
    /// A constant zero below the line.
    #[error("division by 0")]
    DivisionByZero,
    /// A logarithm of a constant.
    #[error("ln of {0}, which is not above 0")]
    Logarithm(f64),
    /// A root of a constant.
    #[error("sqrt of {0}, which is below 0")]
    Root(f64),
    /// Constants that make too large a number.
    #[error("the result is too large for a number")]
    Overflow,
    /// Constant bounds the wrong way round.
    #[error("clip from {low} to {high}, which is below it")]
    Bounds {
        /// The lower.
        low: f64,
        /// The upper.
        high: f64,
    },
    /// History of a constant.
    #[error("a constant has no history")]
    ConstantPast,
    /// No feature anywhere.
    #[error("the expression reads no feature: it is {0}")]
    Constant(f64),
}
