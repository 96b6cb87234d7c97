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
