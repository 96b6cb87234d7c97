//! A tree whose description was checked: its nodes in one run, children side by side.

use super::row::{OF_LEAVES, ZERO_MISSING};
use super::{Child, Missing, Real, Split, TREE_DEPTH_MAX, Test, Tree, TreeFault};

/// A node. A leaf's `threshold` is its value; it leads to itself and asks a place that nothing is below.
#[derive(Clone, Copy, Debug)]
pub struct Node<T> {
    pub threshold: T,
    /// The right child follows it.
    pub left: u32,
    pub place: u16,
    /// Whether NaN goes right.
    pub missing_right: bool,
}

impl<T> Node<T> {
    /// Whether it is a leaf, if its number in its tree is `at`.
    pub fn is_leaf(&self, at: u32) -> bool {
        self.left == at
    }
}

/// A tree that has been checked.
#[derive(Clone, Debug)]
pub struct Checked<T> {
    /// The root is the first.
    pub nodes: Vec<Node<T>>,
    /// Steps from the root to the deepest leaf.
    pub depth: u16,
    pub class: u8,
}

impl<T: Real> Checked<T> {
    /// Lays a tree out breadth first, in at most `nodes_max` nodes, if it is one.
    pub fn new(tree: &Tree<T>, inputs: usize, classes: usize, nodes_max: usize) -> Result<Self, TreeFault> {
        if tree.class >= classes {
            return Err(TreeFault::Class(tree.class));
        }
        let mut checked = Self { nodes: Vec::new(), depth: 0, class: tree.class as u8 };
        let mut taken = (vec![false; tree.splits.len()], vec![false; tree.leaves.len()]);
        let mut level = vec![(0, tree.root)];
        checked.room(1, nodes_max)?;
        while !level.is_empty() {
            let mut below = Vec::new();
            for (at, child) in level {
                checked.nodes[at] = match child {
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
                        let left = checked.nodes.len();
                        checked.room(2, nodes_max)?;
                        below.extend([(left, split.left), (left + 1, split.right)]);
                        node(number, split, left as u32, inputs)?
                    }
                };
            }
            if !below.is_empty() {
                checked.depth += 1;
                if usize::from(checked.depth) > TREE_DEPTH_MAX {
                    return Err(TreeFault::Depth);
                }
            }
            level = below;
        }
        Ok(checked)
    }

    fn room(&mut self, nodes: usize, nodes_max: usize) -> Result<(), TreeFault> {
        if self.nodes.len() + nodes > nodes_max {
            return Err(TreeFault::Nodes);
        }
        let leaf = Node { threshold: T::default(), left: 0, place: OF_LEAVES as u16, missing_right: false };
        self.nodes.extend(std::iter::repeat_n(leaf, nodes));
        Ok(())
    }

    pub fn takes_zero_for_missing(&self) -> bool {
        self.nodes.iter().any(|node| (ZERO_MISSING..OF_LEAVES).contains(&usize::from(node.place)))
    }

    /// How many leaves it has: every other node has two children.
    pub fn leaves(&self) -> usize {
        self.nodes.len().div_ceil(2)
    }
}

fn node<T: Real>(number: usize, split: &Split<T>, left: u32, inputs: usize) -> Result<Node<T>, TreeFault> {
    let Split { feature, threshold, test, missing, .. } = *split;
    if feature >= inputs {
        return Err(TreeFault::Feature { node: number, feature, inputs });
    }
    // Nothing is below −∞, and nothing but itself is at most that: no library writes it.
    if threshold.is_none() || threshold == T::LEAST {
        return Err(TreeFault::Threshold(number));
    }
    let zero = matches!(missing, Missing::ZeroLeft | Missing::ZeroRight);
    Ok(Node {
        // Below the threshold is at most the number before it.
        threshold: if test == Test::Below { threshold.just_below() } else { threshold },
        left,
        place: (if zero { ZERO_MISSING + feature } else { feature }) as u16,
        missing_right: matches!(missing, Missing::Right | Missing::ZeroRight),
    })
}
