//! Ensembles of decision trees: checked and compiled when loaded, evaluated without allocation.
//!
//! A compiled tree is a run of nodes of one kind. A node's children lie side by side, and a leaf is a node that leads to itself, so
//! that a step is the same few instructions everywhere and several trees are walked at once, each step of one hiding the
//! memory's latency from the others. Leaves are added up in the order of the trees, in the library's type.

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

/// Trees that are walked at once.
const LANES: usize = 8;
/// The row's places: features, then the same with what counts as 0 missing, then that of leaves.
const ZERO_MISSING: usize = 128;
const OF_LEAVES: usize = 256;
const PLACES: usize = 512;

/// A node: of a leaf `threshold` is the value, and it asks a place that nothing is below.
#[derive(Clone, Copy, Debug)]
struct Node<T> {
    threshold: T,
    /// The right child follows it.
    left: u32,
    place: u16,
    /// Whether NaN goes right.
    missing_right: bool,
}

/// Trees that are walked at once.
#[derive(Clone, Copy, Debug)]
struct Group {
    roots: [u32; LANES],
    classes: [u8; LANES],
    trees: u8,
    /// Of the deepest of them.
    steps: u16,
}

/// A row of features where compiled trees look at them.
#[derive(Clone, Debug)]
pub struct Row<T> {
    values: Box<[T; PLACES]>,
    has_missing: bool,
}

impl<T: Real> Default for Row<T> {
    fn default() -> Self {
        let mut values = Box::new([T::default(); PLACES]);
        values[OF_LEAVES] = T::LEAST;
        Self { values, has_missing: false }
    }
}

/// Compiled trees.
#[derive(Clone, Debug)]
pub struct Ensemble<T> {
    nodes: Vec<Node<T>>,
    groups: Vec<Group>,
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
        Self::compile_within(NODES_MAX, trees, inputs, classes)
    }

    fn compile_within(
        nodes_max: usize,
        trees: &[Tree<T>],
        inputs: usize,
        classes: usize,
    ) -> Result<Self, (usize, TreeFault)> {
        assert!(inputs <= ZERO_MISSING && classes <= CLASSES_MAX, "checked before");
        let mut compiled = Self { nodes: Vec::new(), groups: Vec::new(), inputs, zero_is_missing: false };
        for (number, tree) in trees.iter().enumerate() {
            if tree.class >= classes {
                return Err((number, TreeFault::Class(tree.class)));
            }
            let (root, depth) = compiled.add(tree, nodes_max).map_err(|fault| (number, fault))?;
            if number % LANES == 0 {
                compiled.groups.push(Group { roots: [root; LANES], classes: [0; LANES], trees: 0, steps: 0 });
            }
            if let Some(group) = compiled.groups.last_mut() {
                group.roots[number % LANES] = root;
                group.classes[number % LANES] = tree.class as u8;
                group.trees += 1;
                group.steps = group.steps.max(depth);
            }
        }
        Ok(compiled)
    }

    /// Adds a tree breadth first. Gives its root and its depth.
    fn add(&mut self, tree: &Tree<T>, nodes_max: usize) -> Result<(u32, u16), TreeFault> {
        let root = self.nodes.len();
        let mut taken = (vec![false; tree.splits.len()], vec![false; tree.leaves.len()]);
        let mut level = vec![(root, tree.root)];
        self.room(1, nodes_max)?;
        let mut depth = 0;
        while !level.is_empty() {
            let mut below = Vec::new();
            for (at, child) in level {
                self.nodes[at] = match child {
                    Child::Leaf(leaf) => {
                        let value = *tree.leaves.get(leaf).ok_or(TreeFault::Child(leaf))?;
                        if std::mem::replace(&mut taken.1[leaf], true) {
                            return Err(TreeFault::Twice(leaf));
                        }
                        if !value.wide().is_finite() {
                            return Err(TreeFault::Leaf(leaf));
                        }
                        Node { threshold: value, left: at as u32, place: OF_LEAVES as u16, missing_right: false }
                    }
                    Child::Split(number) => {
                        let split = tree.splits.get(number).ok_or(TreeFault::Child(number))?;
                        if std::mem::replace(&mut taken.0[number], true) {
                            return Err(TreeFault::Twice(number));
                        }
                        let left = self.nodes.len();
                        self.room(2, nodes_max)?;
                        below.extend([(left, split.left), (left + 1, split.right)]);
                        self.node(number, split, left as u32)?
                    }
                };
            }
            if !below.is_empty() {
                depth += 1;
                if depth > TREE_DEPTH_MAX {
                    return Err(TreeFault::Depth);
                }
            }
            level = below;
        }
        Ok((root as u32, depth as u16))
    }

    fn room(&mut self, nodes: usize, nodes_max: usize) -> Result<(), TreeFault> {
        if self.nodes.len() + nodes > nodes_max {
            return Err(TreeFault::Nodes);
        }
        let leaf = Node { threshold: T::default(), left: 0, place: OF_LEAVES as u16, missing_right: false };
        self.nodes.extend(std::iter::repeat_n(leaf, nodes));
        Ok(())
    }

    fn node(&mut self, number: usize, split: &Split<T>, left: u32) -> Result<Node<T>, TreeFault> {
        let Split { feature, threshold, test, missing, .. } = *split;
        if feature >= self.inputs {
            return Err(TreeFault::Feature { node: number, feature, inputs: self.inputs });
        }
        // Nothing is below −∞, and nothing but itself is at most that: no library writes it.
        if threshold.is_none() || threshold == T::LEAST {
            return Err(TreeFault::Threshold(number));
        }
        let zero = matches!(missing, Missing::ZeroLeft | Missing::ZeroRight);
        self.zero_is_missing |= zero;
        Ok(Node {
            // Below the threshold is at most the number before it.
            threshold: if test == Test::Below { threshold.just_below() } else { threshold },
            left,
            place: (if zero { ZERO_MISSING + feature } else { feature }) as u16,
            missing_right: matches!(missing, Missing::Right | Missing::ZeroRight),
        })
    }

    /// Lays a row out for these trees.
    #[inline]
    pub fn lay_out(&self, row: &mut Row<T>, values: impl Iterator<Item = f64>) {
        let mut has_missing = false;
        for (place, value) in row.values[..ZERO_MISSING].iter_mut().zip(values) {
            *place = T::of(value);
            has_missing |= place.is_none();
        }
        if self.zero_is_missing {
            for at in 0..self.inputs {
                let value = row.values[at];
                let is_zero = (-ZERO..=ZERO).contains(&value.wide());
                row.values[ZERO_MISSING + at] = if is_zero { T::NAN } else { value };
                has_missing |= is_zero;
            }
        }
        row.has_missing = has_missing;
    }

    /// Adds the leaves that a row falls into to the sums of their classes, tree by tree.
    #[inline]
    pub fn add_up(&self, row: &Row<T>, sums: &mut [T; CLASSES_MAX]) {
        if row.has_missing { self.walk::<true>(row, sums) } else { self.walk::<false>(row, sums) }
    }

    #[inline]
    fn walk<const MISSING: bool>(&self, row: &Row<T>, sums: &mut [T; CLASSES_MAX]) {
        for group in &self.groups {
            let mut at = group.roots;
            for _ in 0..group.steps {
                for at in &mut at {
                    let node = &self.nodes[*at as usize];
                    let value = row.values[usize::from(node.place) % PLACES];
                    let right = (value > node.threshold) | (MISSING & value.is_none() & node.missing_right);
                    *at = node.left + u32::from(right);
                }
            }
            for (&at, &class) in at.iter().zip(&group.classes).take(usize::from(group.trees)) {
                sums[usize::from(class)] += self.nodes[at as usize].threshold;
            }
        }
    }
}

#[cfg(test)]
pub mod twin {
    //! Trees walked as they are written.

    use super::*;

    /// The sums, one tree after another.
    pub fn sums<T: Real>(trees: &[Tree<T>], row: &[f64]) -> [T; CLASSES_MAX] {
        let mut sums = [T::default(); CLASSES_MAX];
        for tree in trees {
            sums[tree.class] += leaf(tree, tree.root, row);
        }
        sums
    }

    fn leaf<T: Real>(tree: &Tree<T>, at: Child, row: &[f64]) -> T {
        let split = match at {
            Child::Leaf(leaf) => return tree.leaves[leaf],
            Child::Split(number) => tree.splits[number],
        };
        let value = T::of(row[split.feature]);
        let is_zero = value.wide().abs() <= ZERO;
        let left = match split.missing {
            Missing::Left if value.is_none() => true,
            Missing::Right if value.is_none() => false,
            Missing::ZeroLeft if value.is_none() || is_zero => true,
            Missing::ZeroRight if value.is_none() || is_zero => false,
            _ => match split.test {
                Test::AtMost => value <= split.threshold,
                Test::Below => value < split.threshold,
            },
        };
        leaf(tree, if left { split.left } else { split.right }, row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    const INPUTS: usize = 5;
    /// Few values, so that they meet thresholds; some are missing, and some not the same as floats.
    const VALUES: [f64; 12] = [
        f64::NAN,
        0.0,
        -0.0,
        1e-36,
        -1e-30,
        0.1,
        0.100_000_001_490_116_12,
        1.0,
        -1.0,
        2.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];

    fn draw(random: &mut Xoshiro256PlusPlus, below: usize) -> usize {
        (random.next_u64() % below as u64) as usize
    }

    /// A tree that has grown by splitting leaves at random.
    fn tree<T: Real>(random: &mut Xoshiro256PlusPlus, splits: usize, class: usize) -> Tree<T> {
        let mut tree = Tree { root: Child::Leaf(0), splits: Vec::new(), leaves: vec![T::of(0.1)], class };
        for number in 0..splits {
            let leaf = draw(random, tree.leaves.len());
            tree.leaves.push(T::of(draw(random, 1_000) as f64 / 7.0 - 70.0));
            let threshold = loop {
                let value = VALUES[draw(random, VALUES.len())];
                if value > f64::NEG_INFINITY {
                    break T::of(value);
                }
            };
            let [test, missing] = [draw(random, 2), draw(random, 4)];
            let split = Split {
                feature: draw(random, INPUTS),
                threshold,
                test: [Test::AtMost, Test::Below][test],
                left: Child::Leaf(leaf),
                right: Child::Leaf(tree.leaves.len() - 1),
                missing: [Missing::Left, Missing::Right, Missing::ZeroLeft, Missing::ZeroRight][missing],
            };
            let children = tree.splits.iter_mut().flat_map(|split| [&mut split.left, &mut split.right]);
            for child in children.chain([&mut tree.root]).filter(|child| **child == Child::Leaf(leaf)) {
                *child = Child::Split(number);
            }
            tree.splits.push(split);
        }
        tree
    }

    fn same<T: Real>(seed: u64, trees: usize, splits: usize) {
        let random = &mut Xoshiro256PlusPlus::seed_from_u64(seed);
        let trees: Vec<Tree<T>> = (0..trees)
            .map(|number| {
                let splits = draw(random, splits + 1);
                tree(random, splits, number % CLASSES_MAX)
            })
            .collect();
        let compiled = Ensemble::compile(&trees, INPUTS, CLASSES_MAX).unwrap();
        let mut laid_out = Row::default();
        for _ in 0..50 {
            let row: Vec<f64> = (0..INPUTS).map(|_| VALUES[draw(random, VALUES.len())]).collect();
            compiled.lay_out(&mut laid_out, row.iter().copied());
            let mut sums = [T::default(); CLASSES_MAX];
            compiled.add_up(&laid_out, &mut sums);
            let bits = |sums: [T; CLASSES_MAX]| sums.map(|sum| sum.wide().to_bits());
            assert_eq!(bits(sums), bits(twin::sums(&trees, &row)), "{row:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn compiled_trees_give_the_bits_of_those_that_are_walked_as_written(seed: u64, trees in 0_usize..40, splits in 0_usize..40) {
            same::<f64>(seed, trees, splits);
            same::<f32>(seed, trees, splits);
        }
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let split = Split {
            feature: 0,
            threshold: 1.0,
            test: Test::AtMost,
            left: Child::Leaf(0),
            right: Child::Leaf(1),
            missing: Missing::Left,
        };
        let good = Tree { root: Child::Split(0), splits: vec![split], leaves: vec![1.0, 2.0], class: 0 };
        let fault = |change: &dyn Fn(&mut Tree<f64>)| {
            let mut tree = good.clone();
            change(&mut tree);
            Ensemble::compile(&[good.clone(), tree], 1, 1).map(|_| ()).unwrap_err()
        };
        let text = |change: &dyn Fn(&mut Tree<f64>)| {
            let (number, fault) = fault(change);
            assert_eq!(number, 1);
            fault.to_string()
        };
        assert_eq!(text(&|tree| tree.splits[0].right = Child::Split(0)), "node 0 is reached twice: it is no tree");
        assert_eq!(text(&|tree| tree.splits[0].right = Child::Leaf(0)), "node 0 is reached twice: it is no tree");
        assert_eq!(text(&|tree| tree.splits[0].left = Child::Split(7)), "a node's child is 7, which it does not have");
        assert_eq!(text(&|tree| tree.root = Child::Leaf(2)), "a node's child is 2, which it does not have");
        assert_eq!(text(&|tree| tree.splits[0].feature = 1), "node 0 asks for input 1; there are 1");
        assert_eq!(text(&|tree| tree.splits[0].threshold = f64::NAN), "the threshold of node 0 is not a number");
        assert_eq!(
            text(&|tree| tree.splits[0].threshold = f64::NEG_INFINITY),
            "the threshold of node 0 is not a number"
        );
        assert_eq!(text(&|tree| tree.leaves[1] = f64::INFINITY), "the value of leaf 1 is not finite");
        assert_eq!(text(&|tree| tree.class = 1), "it counts for class 1");
        assert!(Ensemble::compile_within(6, &[good.clone(), good.clone()], 1, 1).is_ok());
        let (number, fault) = Ensemble::compile_within(5, &[good.clone(), good.clone()], 1, 1).unwrap_err();
        assert_eq!((number, fault.to_string()), (1, format!("with it there are more than {NODES_MAX} nodes")));
        let chain = |depth: usize| {
            let node = |at| Split {
                left: if at + 1 == depth { Child::Leaf(at + 1) } else { Child::Split(at + 1) },
                right: Child::Leaf(at),
                ..split
            };
            Tree { splits: (0..depth).map(node).collect(), leaves: vec![0.0; depth + 1], ..good.clone() }
        };
        assert!(Ensemble::compile(&[chain(TREE_DEPTH_MAX)], 1, 1).is_ok());
        assert_eq!(Ensemble::compile(&[chain(TREE_DEPTH_MAX + 1)], 1, 1).unwrap_err(), (0, TreeFault::Depth));
    }
}
