//! Trees that are walked node by node.
//!
//! A node's children lie side by side, and a leaf is a node that leads to itself, so that a step is the same few instructions
//! everywhere and several trees are walked at once, each step of one hiding the memory's latency from the others.

use super::checked::{Checked, Node};
use super::row::{PLACES, Row};
use super::{CLASSES_MAX, Real};

/// Trees that are walked at once.
const LANES: usize = 8;

/// Trees that are walked at once.
#[derive(Clone, Copy, Debug)]
struct Group {
    roots: [u32; LANES],
    classes: [u8; LANES],
    trees: u8,
    /// Of the deepest of them.
    steps: u16,
}

/// Trees that are walked.
#[derive(Clone, Debug)]
pub struct Walk<T> {
    nodes: Vec<Node<T>>,
    groups: Vec<Group>,
}

impl<T: Real> Walk<T> {
    pub fn new(trees: &[Checked<T>]) -> Self {
        let mut nodes = Vec::with_capacity(trees.iter().map(|tree| tree.nodes.len()).sum());
        let groups = trees.chunks(LANES).map(|trees| {
            let mut group = Group { roots: [0; LANES], classes: [0; LANES], trees: trees.len() as u8, steps: 0 };
            for (lane, tree) in trees.iter().enumerate() {
                let root = nodes.len() as u32;
                nodes.extend(tree.nodes.iter().map(|node| Node { left: root + node.left, ..*node }));
                (group.roots[lane], group.classes[lane]) = (root, tree.class);
                group.steps = group.steps.max(tree.depth);
            }
            group
        });
        let groups = groups.collect();
        Self { nodes, groups }
    }

    /// How many nodes are walked over: each tree takes as many steps as the deepest of its group.
    pub fn steps(trees: &[Checked<T>]) -> usize {
        let depth = |trees: &[Checked<T>]| trees.iter().map(|tree| usize::from(tree.depth)).max().unwrap_or(0);
        trees.chunks(LANES).map(|trees| LANES * depth(trees)).sum()
    }

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
