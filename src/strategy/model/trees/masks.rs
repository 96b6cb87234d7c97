//! Trees of few leaves, evaluated without walking: C. Lucchese, F. M. Nardini, S. Orlando, R. Perego, N. Tonellotto and
//! R. Venturini, "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression trees", SIGIR 2015.
//!
//! A tree's leaves are numbered from left to right, and a mask has a bit for each. A node that sends a row to the right rules
//! out the leaves on its left; its mask lacks their bits. The row's leaf is the first that no node rules out, whichever nodes
//! the row meets on its way.
//!
//! The paper combines the masks of nodes for each row. Here that is done when compiled: between two neighbouring thresholds of a
//! feature, the same nodes send a row to the right. A row takes one combined mask a feature and a block of trees, and the number of
//! the feature's thresholds below its value, its rank, says which.

use super::checked::Checked;
use super::ranks::Ranks;
use super::row::{OF_LEAVES, PLACES, Row};
use super::vectors::{Mask, Plain, Vectors};
use super::walk::Walk;
use super::{CLASSES_MAX, Real};
use crate::strategy::features::lanes::Processor;

/// Bits of a block's masks.
const BLOCK_BITS: usize = 512;

/// Trees of one class whose masks are combined at once.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Where its masks begin and end.
    masks: [u32; 2],
    trees: u8,
    class: u8,
}

/// Trees of at most `BITS` leaves, 32 or 64.
#[derive(Clone, Debug)]
pub struct Masks<T, const BITS: usize> {
    ranks: Ranks<T>,
    /// Of each place that is asked its first row in `which`.
    rows: Vec<u32>,
    /// Of each place a row for each rank, the last for a value that is missing. It says of each block which of its masks applies.
    which: Vec<u16>,
    blocks: Vec<Block>,
    /// The masks of the blocks, each block's first of which rules nothing out.
    masks: Vec<Mask>,
    /// Values of the leaves, `BITS` for each tree of a block whether it is there or not.
    leaves: Vec<T>,
    processor: Processor,
}

/// A node that asks.
struct Asks<T> {
    place: u16,
    threshold: T,
    missing_right: bool,
    block: usize,
    /// Which tree of the block.
    lane: usize,
    /// The leaves that it rules out if it sends a row to the right.
    out: u64,
}

/// The first leaf that a mask leaves of a tree.
#[inline(always)]
fn first<const BITS: usize>(mask: &Mask, lane: usize) -> usize {
    let first = if BITS == 64 {
        mask.0[lane].trailing_zeros()
    } else {
        ((mask.0[lane / 2] >> (lane % 2 * BITS)) as u32).trailing_zeros()
    };
    // Of every tree some leaf is left.
    first as usize % BITS
}

impl<T: Real, const BITS: usize> Masks<T, BITS> {
    /// Trees of a block.
    const LANES: usize = BLOCK_BITS / BITS;

    /// Whether masks are faster than walking these trees. By vectors a combined mask takes about as long as a step to a child, and
    /// a place's rank as long as two; plainly three times as long.
    pub fn pay(trees: &[Checked<T>], processor: Processor) -> bool {
        let mut asked = [false; PLACES];
        trees.iter().flat_map(|tree| &tree.nodes).for_each(|node| asked[usize::from(node.place)] = true);
        let asked = asked[..OF_LEAVES].iter().filter(|&&asked| asked).count();
        let masks = asked * (trees.len().div_ceil(Self::LANES) + 2);
        let by_vectors = !matches!(processor, Processor::Any);
        (if by_vectors { masks } else { 3 * masks }) < Walk::steps(trees)
    }

    /// Compiles trees of at most `BITS` leaves, class by class.
    pub fn new(trees: &[Checked<T>], processor: Processor) -> Self {
        let mut asks = Vec::new();
        let mut leaves = Vec::new();
        let mut blocks: Vec<Block> = Vec::new();
        for tree in trees {
            if blocks.last().is_none_or(|block| usize::from(block.trees) == Self::LANES || block.class != tree.class) {
                blocks.push(Block { masks: [0; 2], trees: 0, class: tree.class });
                // A tree that is not there adds -0, which changes no sum.
                leaves.resize(blocks.len() * Self::LANES * BITS, T::of(-0.0));
            }
            let number = blocks.len() - 1;
            let lane = usize::from(blocks[number].trees);
            blocks[number].trees += 1;
            let leaves = &mut leaves[(number * Self::LANES + lane) * BITS..];
            Gathered { leaves, count: 0, asks: &mut asks }.below(tree, 0, number, lane);
        }
        asks.sort_by(|a: &Asks<T>, b| a.place.cmp(&b.place).then(a.threshold.wide().total_cmp(&b.threshold.wide())));
        let places: Vec<&[Asks<T>]> = asks.chunk_by(|a, b| a.place == b.place).collect();
        let (mut ranks, mut rows, mut length) = (Ranks::default(), Vec::new(), 0);
        for asks in &places {
            let thresholds = asks.chunk_by(|a, b| a.threshold == b.threshold).map(|asks| asks[0].threshold);
            let thresholds: Vec<T> = thresholds.collect();
            ranks.push(asks[0].place, &thresholds);
            rows.push(length as u32);
            length += (thresholds.len() + 2) * blocks.len();
        }
        let mut compiled = Self { ranks, rows, which: vec![0; length], blocks, masks: Vec::new(), leaves, processor };
        compiled.combine(&places);
        compiled
    }

    /// Combines the masks of each block's nodes, place by place.
    fn combine(&mut self, places: &[&[Asks<T>]]) {
        let blocks = self.blocks.len();
        for block in 0..blocks {
            let first = self.masks.len();
            self.masks.push(Mask::ALL);
            // Puts the masks of more nodes on top, and gives the number of what that makes.
            let mut more = |asks: &mut dyn Iterator<Item = &Asks<T>>, mask: &mut Mask| {
                let before = *mask;
                asks.filter(|ask| ask.block == block).for_each(|ask| {
                    mask.0[ask.lane * BITS / 64] &= !(ask.out << (ask.lane * BITS % 64));
                });
                (*mask != before).then(|| {
                    self.masks.push(*mask);
                    (self.masks.len() - 1 - first) as u16
                })
            };
            for (asks, &row) in places.iter().zip(&self.rows) {
                let mut entry = row as usize + block;
                let (mut mask, mut which) = (Mask::ALL, 0);
                for asks in asks.chunk_by(|a, b| a.threshold == b.threshold) {
                    which = more(&mut asks.iter(), &mut mask).unwrap_or(which);
                    entry += blocks;
                    self.which[entry] = which;
                }
                mask = Mask::ALL;
                let missing = more(&mut asks.iter().filter(|ask| ask.missing_right), &mut mask);
                self.which[entry + blocks] = missing.unwrap_or(0);
            }
            self.blocks[block].masks = [first as u32, self.masks.len() as u32];
        }
    }

    /// Adds the leaves that a row falls into to the sums of their classes.
    #[inline]
    pub fn add_up(&self, row: &mut Row<T>, sums: &mut [T; CLASSES_MAX]) {
        match self.processor {
            Processor::Any => self.add_up_by(Plain, row, sums),
            #[cfg(target_arch = "x86_64")]
            Processor::V3(v3) => v3.vectorize(
                #[inline(always)]
                || self.add_up_by(v3, row, sums),
            ),
        }
    }

    #[inline(always)]
    fn add_up_by(&self, by: impl Vectors, row: &mut Row<T>, sums: &mut [T; CLASSES_MAX]) {
        let blocks = self.blocks.len() as u32;
        self.ranks.find(by, &row.values, blocks, &self.rows, &mut row.masks[..]);
        let rows = &row.masks[..self.rows.len()];
        let leaves = self.leaves.chunks_exact(Self::LANES * BITS);
        for ((number, block), leaves) in self.blocks.iter().enumerate().zip(leaves) {
            let masks = &self.masks[block.masks[0] as usize..block.masks[1] as usize];
            let mut left = by.of(&Mask::ALL);
            for &row in rows {
                let which = self.which[row as usize + number];
                left = by.and(left, by.of(&masks[usize::from(which)]));
            }
            let left = by.mask(left);
            let mut sum = sums[usize::from(block.class)];
            for lane in 0..Self::LANES {
                sum += leaves[lane * BITS + first::<BITS>(&left, lane)];
            }
            sums[usize::from(block.class)] = sum;
        }
    }
}

/// A tree's leaves from left to right, and what its nodes ask.
struct Gathered<'a, T> {
    leaves: &'a mut [T],
    /// Leaves so far.
    count: usize,
    asks: &'a mut Vec<Asks<T>>,
}

impl<T: Real> Gathered<'_, T> {
    /// Gathers what is below a node. A tree is no deeper than it has leaves.
    fn below(&mut self, tree: &Checked<T>, at: u32, block: usize, lane: usize) {
        let node = &tree.nodes[at as usize];
        if node.is_leaf(at) {
            self.leaves[self.count] = node.threshold;
            self.count += 1;
            return;
        }
        let first = self.count;
        self.below(tree, node.left, block, lane);
        self.asks.push(Asks {
            place: node.place,
            threshold: node.threshold,
            missing_right: node.missing_right,
            block,
            lane,
            out: ((1 << (self.count - first)) - 1) << first,
        });
        self.below(tree, node.left + 1, block, lane);
    }
}
