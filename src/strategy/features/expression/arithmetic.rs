//! What expressions compute with numbers. What has no value is NaN, and so is all that is made of it: no infinity gets on.

use crate::strategy::features::lanes::{Four, LANES, Lanes};
use crate::strategy::features::logarithm::ln;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    Negative,
    Ln,
    Sqrt,
    Abs,
    Sign,
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Min,
    Max,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// The number, or NaN if it is not finite.
#[inline(always)]
pub fn defined(number: f64) -> f64 {
    if number.is_finite() { number } else { f64::NAN }
}

#[inline(always)]
pub fn unary<L: Lanes>(lanes: L, function: Unary, x: f64) -> f64 {
    match function {
        Unary::Negative => -x,
        Unary::Ln => ln_of(lanes, x),
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Sign if x > 0.0 => 1.0,
        Unary::Sign if x < 0.0 => -1.0,
        // Zero, or none.
        Unary::Sign => x.abs(),
    }
}

/// What makes a normal number of a positive one.
const LIFT: f64 = (1_u64 << 54) as f64;
const LN_LIFT: f64 = 54.0 * std::f64::consts::LN_2;

/// The features' own logarithm, of one number.
#[inline(always)]
fn ln_of<L: Lanes>(lanes: L, x: f64) -> f64 {
    if x.is_normal() && x > 0.0 {
        ln(lanes, Four::all(lanes, x)).array()[0]
    } else if x > 0.0 && x.is_finite() {
        ln(lanes, Four::all(lanes, x * LIFT)).array()[0] - LN_LIFT
    } else {
        f64::NAN
    }
}

#[inline(always)]
pub fn binary(function: Binary, a: f64, b: f64) -> f64 {
    let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
    let number = match function {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        // What is NaN stays so: a number compares with none.
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        // Of zeros with signs too the same on every processor.
        Binary::Min => {
            if b < a {
                b
            } else {
                a
            }
        }
        Binary::Max => {
            if b > a {
                b
            } else {
                a
            }
        }
        Binary::Less => truth(a < b),
        Binary::LessOrEqual => truth(a <= b),
        Binary::Greater => truth(a > b),
        Binary::GreaterOrEqual => truth(a >= b),
        Binary::Equal => truth(a == b),
        Binary::NotEqual => truth(a != b),
    };
    defined(number)
}

/// The number, or the bound that it passes.
#[inline(always)]
pub fn clip(x: f64, low: f64, high: f64) -> f64 {
    if x.is_nan() || low.is_nan() || high.is_nan() || low > high {
        f64::NAN
    } else if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// The sum of numbers of levels, in the order in which features of one side add up theirs: every fourth, and then across.
#[inline(always)]
pub fn sum(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut lanes = [0.0; LANES];
    for (at, number) in numbers.enumerate() {
        lanes[at % LANES] += number;
    }
    let [a, b, c, d] = lanes;
    defined((a + c) + (b + d))
}
