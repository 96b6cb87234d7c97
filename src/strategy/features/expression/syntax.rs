//! The text of an expression, read into steps in the order in which they are computed.

use super::arithmetic::{Binary, Unary};
use super::names::{self, FUNCTIONS};
use super::problem::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_STEPS_MAX, ExpressionError, Problem};
use crate::strategy::features::catalogue::{DEPTH_MAX, Feature, FeatureError, HISTORY_MAX, WINDOW_MS_MAX, Window};

/// A function that looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Past {
    /// The value so far back.
    Lag,
    /// The value less that so far back.
    Delta,
    /// The mean over the window.
    Mean,
    /// The standard deviation over the window, of all values and not of one less.
    Deviation,
    /// The exponentially weighted mean.
    Ema,
}

/// How values of levels are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Sum,
    Mean,
    Min,
    Max,
}

/// A step of a computation on a stack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Number(f64),
    Feature(Feature),
    /// Of a family, given by its first level, the level of the innermost range.
    Level(Feature),
    Unary(Unary),
    Binary(Binary),
    Clip,
    Past(Past, Window),
    /// The next `steps` steps at each level of a range, put together.
    Over {
        how: Over,
        from: u8,
        to: u8,
        steps: usize,
    },
}

/// A step with the column that it was written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    pub step: Step,
    pub column: usize,
}

/// The same feature at another level; `None` for one that has no level, or more than that.
pub fn at_level(feature: Feature, level: u8) -> Option<Feature> {
    Some(match feature {
        Feature::BidSize(_) => Feature::BidSize(level),
        Feature::AskSize(_) => Feature::AskSize(level),
        Feature::BidPrice(_) => Feature::BidPrice(level),
        Feature::AskPrice(_) => Feature::AskPrice(level),
        Feature::LnBidSize(_) => Feature::LnBidSize(level),
        Feature::LnAskSize(_) => Feature::LnAskSize(level),
        Feature::Imbalance(_) => Feature::Imbalance(level),
        Feature::BidVwap(_) => Feature::BidVwap(level),
        Feature::AskVwap(_) => Feature::AskVwap(level),
        Feature::LnBidVwap(_) => Feature::LnBidVwap(level),
        Feature::LnAskVwap(_) => Feature::LnAskVwap(level),
        _ => return None,
    })
}

/// A function by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Unary(Unary),
    /// `min` and `max`, of two values or over a range.
    Either(Binary, Over),
    Clip,
    Past(Past),
    /// `mean`, of a window or over a range.
    Mean,
    Sum,
}

fn function(name: &str) -> Option<Function> {
    Some(match name {
        "ln" => Function::Unary(Unary::Ln),
        "sqrt" => Function::Unary(Unary::Sqrt),
        "abs" => Function::Unary(Unary::Abs),
        "sign" => Function::Unary(Unary::Sign),
        "min" => Function::Either(Binary::Min, Over::Min),
        "max" => Function::Either(Binary::Max, Over::Max),
        "clip" => Function::Clip,
        "lag" => Function::Past(Past::Lag),
        "delta" => Function::Past(Past::Delta),
        "mean" => Function::Mean,
        "std" => Function::Past(Past::Deviation),
        "ema" => Function::Past(Past::Ema),
        "sum" => Function::Sum,
        _ => return None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    /// With what follows it without a space: a unit.
    Number {
        text: &'a str,
        unit: &'a str,
    },
    Name(&'a str),
    /// An operator, parenthesis, comma or `..`.
    Mark(&'static str),
    End,
}

impl Token<'_> {
    /// For errors.
    fn shown(&self) -> String {
        match self {
            Self::Number { text, unit } => names::shown(&format!("{text}{unit}")),
            Self::Name(name) => names::shown(name),
            Self::Mark(mark) => format!("'{mark}'"),
            Self::End => "the end".into(),
        }
    }
}

/// Longer ones first.
const MARKS: [&str; 16] = ["..", "<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")", ",", "−", "·"];

/// How many bytes at the beginning satisfy a condition.
fn leading(text: &str, is: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&byte| is(byte)).count()
}

/// The length of a number at the beginning, of which `..` is no part.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| leading(text.get(from..).unwrap_or(""), |byte| byte.is_ascii_digit());
    let mut length = digits(0);
    let bytes = text.as_bytes();
    if bytes.get(length) == Some(&b'.') && bytes.get(length + 1) != Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// The tokens with their columns, the end last.
fn tokens(text: &str) -> Result<Vec<(Token<'_>, usize)>, ExpressionError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut tokens = Vec::new();
    let (mut rest, mut column) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if first.is_ascii_digit() || (first == '.' && !rest.starts_with("..")) {
            let (number, after) = rest.split_at(number_length(rest));
            let unit = &after[..leading(after, is_word)];
            (Some(Token::Number { text: number, unit }), number.len() + unit.len())
        } else if first.is_ascii_alphabetic() || first == '_' {
            let name = &rest[..leading(rest, is_word)];
            (Some(Token::Name(name)), name.len())
        } else if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            let plain = match *mark {
                "−" => "-",
                "·" => "*",
                mark => mark,
            };
            (Some(Token::Mark(plain)), mark.len())
        } else {
            return Err(ExpressionError { column, problem: Problem::Character(first) });
        };
        if let Some(token) = token {
            if matches!(token, Token::Number { text: "" | ".", .. }) {
                return Err(ExpressionError { column, problem: Problem::Character(first) });
            }
            tokens.push((token, column));
        }
        let (passed, after) = rest.split_at(length);
        column += passed.chars().count();
        rest = after;
    }
    tokens.push((Token::End, column));
    Ok(tokens)
}

/// Reads the text of an expression.
pub fn parse(text: &str) -> Result<Vec<Placed>, ExpressionError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(ExpressionError { column: 1, problem: Problem::TooLong(text.len()) });
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, steps: Vec::new(), unbound: None };
    if parser.peek() == Token::End {
        return Err(parser.error(Problem::Empty));
    }
    let size = parser.expression()?;
    if parser.peek() != Token::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    if let Some((column, name)) = parser.unbound {
        return Err(ExpressionError { column, problem: Problem::Family(name.into()) });
    }
    if size > EXPRESSION_STEPS_MAX {
        return Err(ExpressionError { column: 1, problem: Problem::TooLarge(size) });
    }
    Ok(parser.steps)
}

struct Parser<'a> {
    tokens: &'a [(Token<'a>, usize)],
    at: usize,
    depth: usize,
    steps: Vec<Placed>,
    /// The first name of a family that no range around it gives a level to, as far as was read.
    unbound: Option<(usize, &'a str)>,
}

type Parsed<T> = Result<T, ExpressionError>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.at).map_or(Token::End, |&(token, _)| token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |&(_, column)| column)
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// Passes a mark, if it is there.
    fn takes(&mut self, mark: &str) -> bool {
        let is_there = matches!(self.peek(), Token::Mark(there) if there == mark);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, mark: &str) -> Parsed<()> {
        if self.takes(mark) { Ok(()) } else { Err(self.unexpected(&format!("'{mark}'"))) }
    }

    fn error(&self, problem: Problem) -> ExpressionError {
        ExpressionError { column: self.column(), problem }
    }

    fn unexpected(&self, expected: &str) -> ExpressionError {
        self.error(Problem::Unexpected { expected: expected.into(), found: self.peek().shown() })
    }

    fn push(&mut self, step: Step, column: usize) {
        self.steps.push(Placed { step, column });
    }

    /// A comparison or a sum. Gives the number of its steps, written out over ranges.
    fn expression(&mut self) -> Parsed<u64> {
        let size = self.sum()?;
        let Some(comparison) = self.comparison() else { return Ok(size) };
        let column = self.column();
        self.at += 1;
        let size = size.saturating_add(self.sum()?).saturating_add(1);
        self.push(Step::Binary(comparison), column);
        if self.comparison().is_some() {
            return Err(self.error(Problem::Chained));
        }
        Ok(size)
    }

    fn comparison(&self) -> Option<Binary> {
        let Token::Mark(mark) = self.peek() else { return None };
        Some(match mark {
            "<" => Binary::Less,
            "<=" => Binary::LessOrEqual,
            ">" => Binary::Greater,
            ">=" => Binary::GreaterOrEqual,
            "==" => Binary::Equal,
            "!=" => Binary::NotEqual,
            _ => return None,
        })
    }

    fn sum(&mut self) -> Parsed<u64> {
        let mut size = self.product()?;
        loop {
            let column = self.column();
            let operator = if self.takes("+") {
                Binary::Add
            } else if self.takes("-") {
                Binary::Subtract
            } else {
                return Ok(size);
            };
            size = size.saturating_add(self.product()?).saturating_add(1);
            self.push(Step::Binary(operator), column);
        }
    }

    fn product(&mut self) -> Parsed<u64> {
        let mut size = self.signed()?;
        loop {
            let column = self.column();
            let operator = if self.takes("*") {
                Binary::Multiply
            } else if self.takes("/") {
                Binary::Divide
            } else {
                return Ok(size);
            };
            size = size.saturating_add(self.signed()?).saturating_add(1);
            self.push(Step::Binary(operator), column);
        }
    }

    fn signed(&mut self) -> Parsed<u64> {
        let column = self.column();
        // All recursion passes here.
        if self.depth == EXPRESSION_DEPTH_MAX {
            return Err(self.error(Problem::TooDeep));
        }
        self.depth += 1;
        let size = if self.takes("-") {
            let size = self.signed()?;
            self.push(Step::Unary(Unary::Negative), column);
            size.saturating_add(1)
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(size)
    }

    fn primary(&mut self) -> Parsed<u64> {
        let column = self.column();
        match self.peek() {
            Token::Number { text, unit } => {
                if !unit.is_empty() {
                    return Err(self.error(Problem::Unit(names::shown(&format!("{text}{unit}")))));
                }
                let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                let number = number.ok_or_else(|| self.error(Problem::Number(names::shown(text))))?;
                self.at += 1;
                self.push(Step::Number(number), column);
                Ok(1)
            }
            Token::Name(name) => {
                self.at += 1;
                if self.takes("(") { self.call(name, column) } else { self.name(name, column) }
            }
            Token::Mark("(") => {
                self.at += 1;
                let size = self.expression()?;
                self.expect(")")?;
                Ok(size)
            }
            _ => Err(self.unexpected("a number, a name or '('")),
        }
    }

    /// A feature, or a family whose level a range gives.
    fn name(&mut self, name: &'a str, column: usize) -> Parsed<u64> {
        let error = |problem| ExpressionError { column, problem };
        let step = match name.parse::<Feature>() {
            Ok(feature) => Step::Feature(feature),
            Err(FeatureError::Unknown(_)) => {
                if let Some((_, usage)) = FUNCTIONS.iter().find(|(function, _)| *function == name) {
                    return Err(error(Problem::Arguments { name: name.into(), usage }));
                }
                let first = format!("{name}_1").parse().ok().filter(|&first| at_level(first, 1).is_some());
                let Some(first) = first else {
                    let nearest = names::nearest_feature(name);
                    return Err(error(Problem::Unknown { name: names::shown(name), nearest }));
                };
                self.unbound.get_or_insert((column, name));
                Step::Level(first)
            }
            Err(other) => return Err(error(Problem::Feature(other))),
        };
        self.push(step, column);
        Ok(1)
    }

    /// What stands in the parentheses behind a function's name.
    fn call(&mut self, name: &'a str, column: usize) -> Parsed<u64> {
        let error = |problem| ExpressionError { column, problem };
        let Some(function) = function(name) else {
            let nearest = names::nearest_function(name);
            return Err(error(Problem::UnknownFunction { name: names::shown(name), nearest }));
        };
        let usage = FUNCTIONS.iter().find(|(function, _)| *function == name).map_or("", |(_, usage)| usage);
        let arguments = || error(Problem::Arguments { name: name.into(), usage });
        if self.peek() == Token::Mark(")") {
            return Err(arguments());
        }
        let (start, around) = (self.steps.len(), self.unbound.take());
        let mut size = self.expression()?;
        if !matches!(function, Function::Unary(_)) && !self.takes(",") {
            return Err(if self.peek() == Token::Mark(")") { arguments() } else { self.unexpected("','") });
        }
        match function {
            Function::Unary(unary) => self.push(Step::Unary(unary), column),
            Function::Clip => {
                size = size.saturating_add(self.expression()?);
                if !self.takes(",") {
                    return Err(arguments());
                }
                size = size.saturating_add(self.expression()?);
                self.push(Step::Clip, column);
            }
            Function::Past(past) => {
                let window = self.window()?;
                self.push(Step::Past(past, window), column);
            }
            Function::Mean if !self.range_follows() => {
                let window = self.window()?;
                self.push(Step::Past(Past::Mean, window), column);
            }
            Function::Either(binary, _) if !self.range_follows() => {
                size = size.saturating_add(self.expression()?);
                self.push(Step::Binary(binary), column);
            }
            Function::Mean => size = self.over(Over::Mean, start, size, column)?,
            Function::Either(_, how) => size = self.over(how, start, size, column)?,
            Function::Sum => size = self.over(Over::Sum, start, size, column)?,
        }
        if !self.takes(")") {
            return Err(if self.peek() == Token::Mark(",") { arguments() } else { self.unexpected("')'") });
        }
        self.unbound = around.or(self.unbound);
        Ok(size.saturating_add(1))
    }

    fn range_follows(&self) -> bool {
        matches!(self.tokens.get(self.at + 1), Some((Token::Mark(".."), _)))
    }

    /// A range of levels, for the steps from `start` on.
    fn over(&mut self, how: Over, start: usize, size: u64, column: usize) -> Parsed<u64> {
        let range_column = self.column();
        let mut level = || match self.next() {
            Token::Number { text, unit: "" } => text.parse::<u8>().ok(),
            _ => None,
        };
        let from = level();
        let is_range = self.takes("..");
        let mut level = || match self.next() {
            Token::Number { text, unit: "" } => text.parse::<u8>().ok(),
            _ => None,
        };
        let to = level().filter(|_| is_range);
        let range = from.zip(to).filter(|&(from, to)| 1 <= from && from <= to && to <= DEPTH_MAX);
        let Some((from, to)) = range else {
            return Err(ExpressionError { column: range_column, problem: Problem::Range });
        };
        if self.unbound.take().is_none() {
            return Err(ExpressionError { column, problem: Problem::NoLevel });
        }
        let steps = self.steps.len() - start;
        self.steps.insert(start, Placed { step: Step::Over { how, from, to, steps }, column });
        Ok(size.saturating_mul(u64::from(to - from) + 1))
    }

    /// How far to look back.
    fn window(&mut self) -> Parsed<Window> {
        let Token::Number { text, unit } = self.peek() else {
            return Err(self.unexpected("a number of updates or a time, as 20 or 500ms"));
        };
        let number =
            |text: &str| Some(text.parse().unwrap_or(u64::MAX)).filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let within = |number: u64, most: u32| u32::try_from(number).ok().filter(|number| (1..=most).contains(number));
        let all = || names::shown(&format!("{text}{unit}"));
        let window = match (number(text), unit) {
            (Some(updates), "") => {
                within(updates, HISTORY_MAX).map(Window::Updates).ok_or_else(|| Problem::Updates(all()))
            }
            (Some(millis), "ms") => {
                within(millis, WINDOW_MS_MAX).map(Window::Millis).ok_or_else(|| Problem::Millis(all()))
            }
            (Some(seconds), "s") => within(seconds.saturating_mul(1_000), WINDOW_MS_MAX)
                .map(Window::Millis)
                .ok_or_else(|| Problem::Millis(all())),
            _ => Err(Problem::Window(all())),
        };
        let window = window.map_err(|problem| self.error(problem))?;
        self.at += 1;
        Ok(window)
    }
}
