//! What a compiled graph does: steps over one arena of numbers, each behind what it reads. Nothing is allocated.
//!
//! All numbers are kept as doubles; what the graph has as floats is rounded to floats after each step.

use crate::strategy::model::trees::{CLASSES_MAX, Ensemble, Real, Row};
use std::ops::Range;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    Neg,
    Abs,
    Exp,
    Log,
    Sqrt,
    Sigmoid,
    Tanh,
    Relu,
    /// To an integer.
    Truncate,
    Same,
}

impl Unary {
    fn of(self, x: f64) -> f64 {
        match self {
            Self::Neg => -x,
            Self::Abs => x.abs(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
            Self::Relu if x < 0.0 => 0.0,
            Self::Truncate => x.trunc(),
            Self::Relu | Self::Same => x,
        }
    }
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
}

impl Binary {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            // Not those of Rust, which pass NaN over.
            Self::Min if a < b || a.is_nan() => a,
            Self::Max if a > b || a.is_nan() => a,
            Self::Min | Self::Max => b,
        }
    }
}

/// How the numbers of a row are brought together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Norm {
    /// e^x, divided by their sum.
    Softmax,
    /// Divided by the sum of their amounts.
    L1,
    /// Divided by the root of the sum of their squares.
    L2,
    /// Divided by the largest.
    Max,
}

/// Numbers in the arena.
pub type Place = Range<usize>;

/// Trees of either type.
#[derive(Clone, Debug)]
pub enum Trees {
    Floats(Ensemble<f32>, Row<f32>),
    Doubles(Ensemble<f64>, Row<f64>),
}

impl Trees {
    fn sums(&mut self, values: &[f64], base: &[f64; CLASSES_MAX]) -> [f64; CLASSES_MAX] {
        fn of<T: Real>(trees: &Ensemble<T>, row: &mut Row<T>, values: &[f64]) -> [f64; CLASSES_MAX] {
            trees.lay_out(row, values.iter().copied());
            let mut sums = [T::default(); CLASSES_MAX];
            trees.add_up(row, &mut sums);
            sums.map(T::wide)
        }
        let sums = match self {
            Self::Floats(trees, row) => of(trees, row, values),
            Self::Doubles(trees, row) => of(trees, row, values),
        };
        std::array::from_fn(|class| sums[class] + base[class])
    }
}

/// What is done.
#[derive(Clone, Debug)]
pub enum What {
    Unary(Unary, Place),
    /// With the place of each operand for each number.
    Binary(Binary, Vec<[u32; 2]>),
    /// Numbers from these places.
    Copy(Vec<u32>),
    /// What equals this, or is no number where this is none, by one of a list, which begins again behind its end.
    Replace {
        of: Place,
        what: f64,
        by: Place,
    },
    /// From a list, those that these numbers say.
    Pick {
        list: Place,
        which: Place,
    },
    /// x[rows, inner] · w[inner, columns].
    Product {
        x: Place,
        w: Place,
        inner: usize,
    },
    /// Which is the largest, or the least, of so many.
    Arg {
        of: Place,
        count: usize,
        largest: bool,
    },
    /// Sums, means or maxima of so many.
    Sum {
        of: Place,
        count: usize,
        mean: bool,
    },
    Norm {
        of: Place,
        count: usize,
        norm: Norm,
    },
    Trees {
        of: Place,
        trees: Box<Trees>,
        base: [f64; CLASSES_MAX],
    },
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    pub what: What,
    /// Behind all that it reads.
    pub to: Place,
    /// Whether the results are floats.
    pub single: bool,
}

impl Step {
    /// Does it.
    pub fn run(&mut self, arena: &mut [f64]) {
        let (before, rest) = arena.split_at_mut(self.to.start);
        let to = &mut rest[..self.to.end - self.to.start];
        match &mut self.what {
            What::Unary(unary, of) => to.iter_mut().zip(&before[of.clone()]).for_each(|(to, &x)| *to = unary.of(x)),
            What::Binary(binary, of) => {
                to.iter_mut()
                    .zip(of)
                    .for_each(|(to, [a, b])| *to = binary.of(before[*a as usize], before[*b as usize]));
            }
            What::Copy(of) => to.iter_mut().zip(of).for_each(|(to, from)| *to = before[*from as usize]),
            What::Replace { of, what, by } => {
                let is_what = |x: f64| x == *what || x.is_nan() && what.is_nan();
                let by = before[by.clone()].iter().cycle();
                to.iter_mut()
                    .zip(before[of.clone()].iter().zip(by))
                    .for_each(|(to, (&x, &by))| *to = if is_what(x) { by } else { x });
            }
            What::Pick { list, which } => {
                let list = &before[list.clone()];
                let pick = |which: f64| list.get(which as usize).copied().unwrap_or(f64::NAN);
                to.iter_mut().zip(&before[which.clone()]).for_each(|(to, &which)| *to = pick(which));
            }
            What::Product { x, w, inner } => {
                let (rows, w) = (before[x.clone()].chunks(*inner), &before[w.clone()]);
                let columns = w.len() / *inner;
                for (to, row) in to.chunks_mut(columns).zip(rows) {
                    to.fill(0.0);
                    for (x, w) in row.iter().zip(w.chunks(columns)) {
                        to.iter_mut().zip(w).for_each(|(to, w)| *to += x * w);
                    }
                }
            }
            What::Arg { of, count, largest } => {
                for (to, row) in to.iter_mut().zip(before[of.clone()].chunks(*count)) {
                    let better = |a: f64, b: f64| if *largest { a > b } else { a < b };
                    let best = (1..row.len()).fold(0, |best, at| if better(row[at], row[best]) { at } else { best });
                    *to = best as f64;
                }
            }
            What::Sum { of, count, mean } => {
                let divisor = if *mean { *count as f64 } else { 1.0 };
                let rows = before[of.clone()].chunks(*count);
                to.iter_mut().zip(rows).for_each(|(to, row)| *to = row.iter().sum::<f64>() / divisor);
            }
            What::Norm { of, count, norm } => {
                for (to, row) in to.chunks_mut(*count).zip(before[of.clone()].chunks(*count)) {
                    normalise(*norm, row, to);
                }
            }
            What::Trees { of, trees, base } => {
                let sums = trees.sums(&before[of.clone()], base);
                to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum);
            }
        }
        if self.single {
            to.iter_mut().for_each(|number| *number = f64::from(*number as f32));
        }
    }
}

fn normalise(norm: Norm, row: &[f64], to: &mut [f64]) {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let divisor = match norm {
        Norm::Softmax => {
            to.iter_mut().zip(row).for_each(|(to, x)| *to = (x - most).exp());
            to.iter().sum()
        }
        Norm::L1 => row.iter().map(|x| x.abs()).sum(),
        Norm::L2 => row.iter().map(|x| x * x).sum::<f64>().sqrt(),
        Norm::Max => most,
    };
    if norm != Norm::Softmax {
        to.copy_from_slice(row);
    }
    if divisor != 0.0 {
        to.iter_mut().for_each(|to| *to /= divisor);
    }
}
