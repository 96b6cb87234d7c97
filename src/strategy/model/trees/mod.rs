//! Ensembles of decision trees: checked and compiled when loaded, evaluated without allocation.
//!
//! Trees of few leaves are evaluated by masks of their leaves, others walked. Either way the leaves are added up in the order of
//! the trees, in the library's type.

mod checked;
mod masks;
mod ranks;
mod row;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub mod twin;
mod vectors;
mod walk;

pub use row::Row;

use checked::Checked;
use masks::Masks;
use walk::Walk;

use crate::strategy::features::lanes::Processor;
use std::fmt::Debug;
use std::ops::AddAssign;

/// The deepest tree that is taken.
pub const TREE_DEPTH_MAX: usize = 1_024;
/// The most nodes of an ensemble.
pub const NODES_MAX: usize = 1 << 25;
/// The most classes.
pub const CLASSES_MAX: usize = 3;

/// A type that a library computes in.
pub trait Real: Copy + Debug + PartialOrd + AddAssign + Default {
    /// Less than all others.
    const LEAST: Self;
    /// Not a number.
    const NAN: Self;
    /// Rounded to this type.
    fn of(value: f64) -> Self;
    /// As it is.
    fn wide(self) -> f64;
    /// The largest value below it.
    fn just_below(self) -> Self;
    /// Whether it is none.
    fn is_none(self) -> bool;
    /// How many of these it is above, by vectors.
    #[cfg(target_arch = "x86_64")]
    fn above(self, v3: vectors::V3, others: &[Self; vectors::AT_ONCE]) -> usize;
}

impl Real for f32 {
    const LEAST: Self = Self::NEG_INFINITY;
    const NAN: Self = Self::NAN;
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as Self
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn just_below(self) -> Self {
        self.next_down()
    }
    #[inline(always)]
    fn is_none(self) -> bool {
        self.is_nan()
    }
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn above(self, v3: vectors::V3, others: &[Self; vectors::AT_ONCE]) -> usize {
        vectors::floats_above(v3, self, others)
    }
}

impl Real for f64 {
    const LEAST: Self = Self::NEG_INFINITY;
    const NAN: Self = Self::NAN;
    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    fn just_below(self) -> Self {
        self.next_down()
    }
    #[inline(always)]
    fn is_none(self) -> bool {
        self.is_nan()
    }
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn above(self, v3: vectors::V3, others: &[Self; vectors::AT_ONCE]) -> usize {
        vectors::doubles_above(v3, self, others)
    }
}

/// What goes to the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// A value that is at most the threshold.
    AtMost,
    /// A value below the threshold.
    Below,
}

/// Where a value goes that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// NaN goes left.
    Left,
    /// NaN goes right.
    Right,
    /// NaN, and what is within 1e-35 of 0, goes left.
    ZeroLeft,
    /// NaN, and what is within 1e-35 of 0, goes right.
    ZeroRight,
}

/// What LightGBM takes for 0: its `kZeroThreshold`, a float.
pub const ZERO: f64 = 1e-35_f32 as f64;

/// A child, by its place in its tree's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// Of the splits.
    Split(usize),
    /// Of the leaves.
    Leaf(usize),
}

/// A node that asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split<T> {
    /// Which number of the row.
    pub feature: usize,
    /// What it is compared with.
    pub threshold: T,
    /// How.
    pub test: Test,
    /// Where it goes if the test holds.
    pub left: Child,
    /// Where it goes if not.
    pub right: Child,
    /// Where it goes if it is missing.
    pub missing: Missing,
}

/// A tree as a file describes it; nothing about it has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree<T> {
    /// Where it begins.
    pub root: Child,
    /// Nodes that ask.
    pub splits: Vec<Split<T>>,
    /// Values of the leaves.
    pub leaves: Vec<T>,
    /// Which class its leaves count for.
    pub class: usize,
}

/// What is wrong with a tree.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TreeFault {
    /// A child that is not there.
    #[error("a node's child is {0}, which it does not have")]
    Child(usize),
    /// A node with more than one parent.
    #[error("node {0} is reached twice: it is no tree")]
    Twice(usize),
    /// A feature that is not there.
    #[error("node {node} asks for input {feature}; there are {inputs}")]
    Feature {
        /// Which split.
        node: usize,
        /// Which input.
        feature: usize,
        /// How many there are.
        inputs: usize,
    },
    /// A threshold that nothing can be compared with.
    #[error("the threshold of node {0} is not a number")]
    Threshold(usize),
    /// A value that cannot be added.
    #[error("the value of leaf {0} is not finite")]
    Leaf(usize),
    /// A class that is not there.
    #[error("it counts for class {0}")]
    Class(usize),
    /// Too deep.
    #[error("it is deeper than {TREE_DEPTH_MAX} nodes")]
    Depth,
    /// Too many nodes.
    #[error("with it there are more than {NODES_MAX} nodes")]
    Nodes,
}

/// The most nodes of an ensemble that is evaluated by masks, which take at most 350 bytes a node; a larger one is walked, at 16.
pub const MASKED_NODES_MAX: usize = 1 << 20;
/// Trees that are compiled together: the room for masks grows with the product of trees and nodes.
const PART_TREES: usize = 128;

/// Trees that are evaluated alike.
#[derive(Clone, Debug)]
enum Part<T> {
    Walk(Walk<T>),
    Masks32(Masks<T, 32>),
    Masks64(Masks<T, 64>),
}

impl<T: Real> Part<T> {
    fn new(trees: &[Checked<T>], may_mask: bool) -> Self {
        let processor = Processor::new();
        match trees.iter().map(Checked::leaves).max().unwrap_or(0) {
            ..=32 if may_mask && Masks::<T, 32>::pay(trees, processor) => Self::Masks32(Masks::new(trees, processor)),
            33..=64 if may_mask && Masks::<T, 64>::pay(trees, processor) => Self::Masks64(Masks::new(trees, processor)),
            _ => Self::Walk(Walk::new(trees)),
        }
    }
}

/// What an ensemble may take.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    nodes_max: usize,
    masked_max: usize,
}

/// Compiled trees.
#[derive(Clone, Debug)]
pub struct Ensemble<T> {
    parts: Vec<Part<T>>,
    inputs: usize,
    /// Whether any node takes 0 for missing.
    zero_is_missing: bool,
}

impl<T: Real> Ensemble<T> {
    /// Checks and compiles trees that look at `inputs` numbers, at most 128, and count for `classes` classes.
    ///
    /// # Errors
    /// The number of the first bad tree, and what is wrong with it.
    pub fn compile(trees: &[Tree<T>], inputs: usize, classes: usize) -> Result<Self, (usize, TreeFault)> {
        Self::compile_within(Bounds { nodes_max: NODES_MAX, masked_max: MASKED_NODES_MAX }, trees, inputs, classes)
    }

    fn compile_within(
        bounds: Bounds,
        trees: &[Tree<T>],
        inputs: usize,
        classes: usize,
    ) -> Result<Self, (usize, TreeFault)> {
        assert!(inputs <= row::ZERO_MISSING && classes <= CLASSES_MAX, "checked before");
        let mut nodes = 0;
        let mut checked = Vec::with_capacity(trees.len());
        for (number, tree) in trees.iter().enumerate() {
            let room = bounds.nodes_max - nodes;
            let tree = Checked::new(tree, inputs, classes, room).map_err(|fault| (number, fault))?;
            nodes += tree.nodes.len();
            checked.push(tree);
        }
        let zero_is_missing = checked.iter().any(Checked::takes_zero_for_missing);
        // Trees of a class keep their order, and with it the bits of its sum.
        checked.sort_by_key(|tree| tree.class);
        let may_mask = nodes <= bounds.masked_max;
        let parts = checked.chunks(PART_TREES).map(|trees| Part::new(trees, may_mask)).collect();
        Ok(Self { parts, inputs, zero_is_missing })
    }

    /// Lays a row out for these trees.
    #[inline]
    pub fn lay_out(&self, row: &mut Row<T>, values: impl Iterator<Item = f64>) {
        row.lay_out(self.inputs, self.zero_is_missing, values);
    }

    /// Adds the leaves that a row falls into to the sums of their classes, tree by tree.
    #[inline]
    pub fn add_up(&self, row: &mut Row<T>, sums: &mut [T; CLASSES_MAX]) {
        for part in &self.parts {
            match part {
                Part::Walk(walk) => walk.add_up(row, sums),
                Part::Masks32(masks) => masks.add_up(row, sums),
                Part::Masks64(masks) => masks.add_up(row, sums),
            }
        }
    }
}
