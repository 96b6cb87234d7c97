//! Expressions with every part once, and with what the catalogue or integers do better put in its place.

use super::arithmetic::{self, Binary, Unary};
use super::problem::{ExpressionError, Problem};
use super::syntax::{Over, Past, Placed, Step, at_level};
use crate::strategy::features::catalogue::{Feature, Window};
use crate::strategy::features::lanes::Plain;
use crate::strategy::features::plan::{ASK, BID};
use std::collections::HashMap;

/// A part of the graph. Parts come after what they are made of.
pub type Id = usize;

/// A count of the book: in ticks, or in lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    Price {
        side: usize,
        level: u8,
    },
    /// Twice the mid.
    Mid,
    Size {
        side: usize,
        level: u8,
    },
    /// Over levels 1..=depth.
    Sizes {
        side: usize,
        depth: u8,
    },
}

impl Counted {
    pub fn is_price(self) -> bool {
        matches!(self, Self::Price { .. } | Self::Mid)
    }
}

/// A count now or so far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Count {
    pub what: Counted,
    pub back: Option<Window>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// By its bits.
    Constant(u64),
    Feature(Feature),
    /// Sizes of a side summed over levels 1..=depth; at least 2.
    Sizes {
        side: usize,
        depth: u8,
    },
    Unary(Unary, Id),
    Binary(Binary, Id, Id),
    Clip([Id; 3]),
    /// In the order of [`arithmetic::sum`].
    Sum(Vec<Id>),
    /// The first less the second, subtracted as integers.
    Difference(Count, Count),
    /// Of a part; a delta is a difference.
    Past(Past, Id, Window),
}

/// Parts of any number of expressions.
#[derive(Debug, Default)]
pub struct Graph {
    parts: Vec<Part>,
    known: HashMap<Part, Id>,
}

impl Graph {
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Adds an expression.
    ///
    /// # Errors
    /// A constant part of it has no value.
    pub fn add(&mut self, steps: &[Placed]) -> Result<Id, ExpressionError> {
        let mut stack = Vec::new();
        self.run(steps, 1, &mut stack)?;
        let root = pop(&mut stack);
        match self.constant(root) {
            Some(number) => Err(ExpressionError { column: 1, problem: Problem::Constant(number) }),
            None => Ok(root),
        }
    }

    fn run(&mut self, mut steps: &[Placed], level: u8, stack: &mut Vec<Id>) -> Result<(), ExpressionError> {
        while let Some((&Placed { step, column }, rest)) = steps.split_first() {
            steps = rest;
            let placed = |problem| ExpressionError { column, problem };
            let part = match step {
                Step::Number(number) => self.number(number),
                Step::Feature(feature) => self.part(Part::Feature(feature)),
                Step::Level(first) => self.part(Part::Feature(at_level(first, level).unwrap_or(first))),
                Step::Unary(function) => {
                    let of = pop(stack);
                    self.unary(function, of).map_err(placed)?
                }
                Step::Binary(function) => {
                    let (b, a) = (pop(stack), pop(stack));
                    self.binary(function, a, b).map_err(placed)?
                }
                Step::Clip => {
                    let (high, low, of) = (pop(stack), pop(stack), pop(stack));
                    self.clip([of, low, high]).map_err(placed)?
                }
                Step::Past(past, window) => {
                    let of = pop(stack);
                    self.past(past, of, window).map_err(placed)?
                }
                Step::Over { how, from, to, steps: length } => {
                    let (inside, after) = steps.split_at(length);
                    steps = after;
                    let mut values = Vec::new();
                    for level in from..=to {
                        self.run(inside, level, stack)?;
                        values.push(pop(stack));
                    }
                    self.over(how, values).map_err(placed)?
                }
            };
            stack.push(part);
        }
        Ok(())
    }

    fn part(&mut self, part: Part) -> Id {
        if let Some(&known) = self.known.get(&part) {
            return known;
        }
        let id = self.parts.len();
        self.parts.push(part.clone());
        self.known.insert(part, id);
        id
    }

    fn number(&mut self, number: f64) -> Id {
        self.part(Part::Constant(number.to_bits()))
    }

    fn constant(&self, id: Id) -> Option<f64> {
        match self.parts[id] {
            Part::Constant(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    fn feature(&self, id: Id) -> Option<Feature> {
        match self.parts[id] {
            Part::Feature(feature) => Some(feature),
            _ => None,
        }
    }

    fn unary(&mut self, function: Unary, of: Id) -> Result<Id, Problem> {
        if let Some(number) = self.constant(of) {
            let value = arithmetic::unary(Plain, function, number);
            return match function {
                Unary::Ln if value.is_nan() => Err(Problem::Logarithm(number)),
                Unary::Sqrt if value.is_nan() => Err(Problem::Root(number)),
                _ => Ok(self.number(value)),
            };
        }
        let logarithm = match self.feature(of) {
            Some(Feature::BidSize(n)) => Some(Feature::LnBidSize(n)),
            Some(Feature::AskSize(n)) => Some(Feature::LnAskSize(n)),
            Some(Feature::BidVwap(n)) => Some(Feature::LnBidVwap(n)),
            Some(Feature::AskVwap(n)) => Some(Feature::LnAskVwap(n)),
            _ => None,
        };
        Ok(match logarithm.filter(|_| function == Unary::Ln) {
            Some(feature) => self.part(Part::Feature(feature)),
            None => self.part(Part::Unary(function, of)),
        })
    }

    fn binary(&mut self, function: Binary, a: Id, b: Id) -> Result<Id, Problem> {
        if function == Binary::Divide && self.constant(b) == Some(0.0) {
            return Err(Problem::DivisionByZero);
        }
        if let (Some(a), Some(b)) = (self.constant(a), self.constant(b)) {
            let value = arithmetic::binary(function, a, b);
            return if value.is_nan() { Err(Problem::Overflow) } else { Ok(self.number(value)) };
        }
        let better = match function {
            Binary::Subtract => self.difference(a, b),
            Binary::Divide => self.quotient(a, b),
            _ => None,
        };
        if let Some(better) = better {
            return Ok(self.part(better));
        }
        // One order where it does not matter.
        let commutes = matches!(function, Binary::Add | Binary::Multiply | Binary::Equal | Binary::NotEqual);
        let (a, b) = if commutes { (a.min(b), a.max(b)) } else { (a, b) };
        Ok(self.part(Part::Binary(function, a, b)))
    }

    fn clip(&mut self, [of, low, high]: [Id; 3]) -> Result<Id, Problem> {
        if let (Some(low), Some(high)) = (self.constant(low), self.constant(high)) {
            if low > high {
                return Err(Problem::Bounds { low, high });
            }
            if let Some(number) = self.constant(of) {
                return Ok(self.number(arithmetic::clip(number, low, high)));
            }
        }
        Ok(self.part(Part::Clip([of, low, high])))
    }

    fn past(&mut self, past: Past, of: Id, window: Window) -> Result<Id, Problem> {
        if self.constant(of).is_some() {
            return Err(Problem::ConstantPast);
        }
        if past == Past::Delta {
            let before = self.part(Part::Past(Past::Lag, of, window));
            return self.binary(Binary::Subtract, of, before);
        }
        Ok(self.part(Part::Past(past, of, window)))
    }

    fn over(&mut self, how: Over, values: Vec<Id>) -> Result<Id, Problem> {
        if let [one] = values[..] {
            return Ok(one);
        }
        let count = values.len() as f64;
        match how {
            Over::Sum => Ok(self.sum(values)),
            Over::Mean => {
                let (sum, count) = (self.sum(values), self.number(count));
                self.binary(Binary::Divide, sum, count)
            }
            Over::Min | Over::Max => {
                let function = if how == Over::Min { Binary::Min } else { Binary::Max };
                let mut values = values.into_iter();
                let first = values.next().unwrap_or_default();
                values.try_fold(first, |sofar, value| self.binary(function, sofar, value))
            }
        }
    }

    fn sum(&mut self, values: Vec<Id>) -> Id {
        let depth = values.len() as u8;
        let are = |family: fn(u8) -> Feature| {
            values.iter().zip(1..).all(|(&value, level)| self.feature(value) == Some(family(level)))
        };
        let side = if are(Feature::BidSize) {
            Some(BID)
        } else if are(Feature::AskSize) {
            Some(ASK)
        } else {
            None
        };
        match side {
            Some(side) => self.part(Part::Sizes { side, depth }),
            None => self.part(Part::Sum(values)),
        }
    }

    /// A count of the book, if a part is one.
    fn counted(&self, id: Id) -> Option<Counted> {
        Some(match self.parts[id] {
            Part::Feature(Feature::BidPrice(level)) => Counted::Price { side: BID, level },
            Part::Feature(Feature::AskPrice(level)) => Counted::Price { side: ASK, level },
            Part::Feature(Feature::Mid) => Counted::Mid,
            Part::Feature(Feature::BidSize(level)) => Counted::Size { side: BID, level },
            Part::Feature(Feature::AskSize(level)) => Counted::Size { side: ASK, level },
            Part::Sizes { side, depth } => Counted::Sizes { side, depth },
            _ => return None,
        })
    }

    fn count(&self, id: Id) -> Option<Count> {
        match self.parts[id] {
            Part::Past(Past::Lag, of, window) => self.counted(of).map(|what| Count { what, back: Some(window) }),
            _ => self.counted(id).map(|what| Count { what, back: None }),
        }
    }

    /// What a difference of two counts of one kind is.
    fn difference(&self, a: Id, b: Id) -> Option<Part> {
        let (a, b) = self.count(a).zip(self.count(b)).filter(|(a, b)| a.what.is_price() == b.what.is_price())?;
        let best = |side| Count { what: Counted::Price { side, level: 1 }, back: None };
        Some(if (a, b) == (best(BID), best(ASK)) {
            Part::Feature(Feature::BidMinusAsk)
        } else {
            Part::Difference(a, b)
        })
    }

    /// The feature of the catalogue that a quotient is.
    fn quotient(&self, a: Id, b: Id) -> Option<Part> {
        let feature = match (&self.parts[a], &self.parts[b]) {
            (Part::Difference(bids, asks), &Part::Binary(Binary::Add, c, d)) => self.imbalance(*bids, *asks, c, d)?,
            (&Part::Binary(Binary::Add, c, d), _) if self.constant(b) == Some(2.0) => {
                let prices = [Some(Feature::BidPrice(1)), Some(Feature::AskPrice(1))];
                let added = [self.feature(c), self.feature(d)];
                (added == prices || added == [prices[1], prices[0]]).then_some(Feature::Mid)?
            }
            (&Part::Difference(now, before), &Part::Past(Past::Lag, of, Window::Updates(k))) => {
                let mid = |back| Count { what: Counted::Mid, back };
                let is_return = self.feature(of) == Some(Feature::Mid)
                    && now == mid(None)
                    && before == mid(Some(Window::Updates(k)));
                is_return.then_some(Feature::MidReturn(k))?
            }
            (Part::Sum(values), &Part::Sizes { side, depth }) => {
                let [price, size, vwap]: [fn(u8) -> Feature; 3] = if side == BID {
                    [Feature::BidPrice, Feature::BidSize, Feature::BidVwap]
                } else {
                    [Feature::AskPrice, Feature::AskSize, Feature::AskVwap]
                };
                let is_product = |value: Id, level: u8| match self.parts[value] {
                    Part::Binary(Binary::Multiply, c, d) => {
                        let factors = [Some(price(level)), Some(size(level))];
                        let found = [self.feature(c), self.feature(d)];
                        found == factors || found == [factors[1], factors[0]]
                    }
                    _ => false,
                };
                let all = values.iter().zip(1..).all(|(&value, level)| is_product(value, level));
                (values.len() == usize::from(depth) && all).then(|| vwap(depth))?
            }
            _ => return None,
        };
        Some(Part::Feature(feature))
    }

    /// The imbalance that a difference over a sum is. The difference is of integers, the catalogue's imbalance of units: the
    /// catalogue's is taken, so that what is written out has its bits.
    fn imbalance(&self, bids: Count, asks: Count, c: Id, d: Id) -> Option<Feature> {
        let depth = match (bids.what, asks.what) {
            (Counted::Size { side: BID, level: 1 }, Counted::Size { side: ASK, level: 1 }) => 1,
            (Counted::Sizes { side: BID, depth }, Counted::Sizes { side: ASK, depth: other }) if depth == other => {
                depth
            }
            _ => return None,
        };
        let added = [self.count(c), self.count(d)];
        let is_whole = added == [Some(bids), Some(asks)] || added == [Some(asks), Some(bids)];
        (bids.back.is_none() && asks.back.is_none() && is_whole).then_some(Feature::Imbalance(depth))
    }
}

/// The parser leaves nothing to take from an empty stack.
fn pop(stack: &mut Vec<Id>) -> Id {
    stack.pop().expect("every step finds what it needs")
}
