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

fn trees<T: Real>(random: &mut Xoshiro256PlusPlus, count: usize, splits: usize) -> Vec<Tree<T>> {
    let tree = |number| {
        let splits = draw(random, splits + 1);
        tree(random, splits, number % CLASSES_MAX)
    };
    (0..count).map(tree).collect()
}

/// The same trees evaluated in every way that takes them, and as they are compiled.
fn every_way<T: Real>(trees: &[Tree<T>]) -> Vec<Ensemble<T>> {
    let compiled = Ensemble::compile(trees, INPUTS, CLASSES_MAX).unwrap();
    let mut checked: Vec<_> =
        trees.iter().map(|tree| Checked::new(tree, INPUTS, CLASSES_MAX, NODES_MAX).unwrap()).collect();
    checked.sort_by_key(|tree| tree.class);
    let by = |part: &dyn Fn(&[Checked<T>]) -> Part<T>| Ensemble {
        parts: checked.chunks(PART_TREES).map(part).collect(),
        ..compiled.clone()
    };
    let leaves = checked.iter().map(Checked::leaves).max().unwrap_or(0);
    let mut all = vec![by(&|trees| Part::Walk(Walk::new(trees)))];
    for processor in [Processor::Any, Processor::new()] {
        if leaves <= 32 {
            all.push(by(&|trees| Part::Masks32(Masks::new(trees, processor))));
        }
        if leaves <= 64 {
            all.push(by(&|trees| Part::Masks64(Masks::new(trees, processor))));
        }
    }
    all.push(compiled);
    all
}

fn same<T: Real>(seed: u64, count: usize, splits: usize) {
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(seed);
    let trees = trees::<T>(random, count, splits);
    let ways = every_way(&trees);
    let mut laid_out = Row::default();
    for _ in 0..30 {
        let row: Vec<f64> = (0..INPUTS).map(|_| VALUES[draw(random, VALUES.len())]).collect();
        let bits = |sums: [T; CLASSES_MAX]| sums.map(|sum| sum.wide().to_bits());
        let expected = bits(twin::sums(&trees, &row));
        for ensemble in &ways {
            ensemble.lay_out(&mut laid_out, row.iter().copied());
            let mut sums = [T::default(); CLASSES_MAX];
            ensemble.add_up(&mut laid_out, &mut sums);
            assert_eq!(bits(sums), expected, "{row:?} {ensemble:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn compiled_trees_give_the_bits_of_those_that_are_walked_as_written(
        seed: u64,
        count in prop_oneof![0_usize..40, PART_TREES - 2..PART_TREES + 20],
        splits in prop_oneof![0_usize..8, 28_usize..32, 60_usize..64, 64_usize..80],
    ) {
        same::<f64>(seed, count, splits);
        same::<f32>(seed, count, splits);
    }
}

/// Thresholds are counted in eights: up to some hundred of one feature, and values between, on and beside them.
#[test]
fn however_many_thresholds_a_feature_has_their_number_below_a_value_is_right() {
    for count in (0..20).chain([63, 64, 65, 71, 72, 73, 127]) {
        let stump = |at: usize| Tree {
            root: Child::Split(0),
            splits: vec![Split {
                feature: 0,
                threshold: at as f64,
                test: Test::AtMost,
                left: Child::Leaf(0),
                right: Child::Leaf(1),
                missing: Missing::Right,
            }],
            leaves: vec![0.0, 1.0],
            class: 0,
        };
        let stumps: Vec<Tree<f64>> = (0..count).map(stump).collect();
        let mut row = Row::default();
        for ensemble in every_way(&stumps) {
            for at in 0..=2 * count + 2 {
                let value = at as f64 / 2.0 - 1.0;
                let below = stumps.iter().filter(|stump| value > stump.splits[0].threshold).count();
                for (value, expected) in [(value, below), (f64::NAN, count), (f64::INFINITY, count), (f64::MIN, 0)] {
                    ensemble.lay_out(&mut row, [value; INPUTS].into_iter());
                    let mut sums = [0.0; CLASSES_MAX];
                    ensemble.add_up(&mut row, &mut sums);
                    assert_eq!(sums[0], expected as f64, "{value} of {count}");
                }
            }
        }
    }
}

#[test]
fn trees_are_walked_where_masks_do_not_fit_or_do_not_pay() {
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(1);
    let mut grown =
        |count: usize, splits: usize| -> Vec<Tree<f64>> { (0..count).map(|_| tree(random, splits, 0)).collect() };
    let kinds = |trees: &[Tree<f64>], masked_max: usize| -> Vec<&str> {
        let bounds = Bounds { nodes_max: NODES_MAX, masked_max };
        let ensemble = Ensemble::compile_within(bounds, trees, INPUTS, CLASSES_MAX).unwrap();
        let kind = |part: &Part<f64>| match part {
            Part::Walk(_) => "walk",
            Part::Masks32(_) => "32",
            Part::Masks64(_) => "64",
        };
        ensemble.parts.iter().map(kind).collect()
    };
    let [small, large, larger] = [31, 63, 64].map(|splits| grown(100, splits));
    assert_eq!(kinds(&small, 6_300), ["32"]);
    assert_eq!(kinds(&small, 6_299), ["walk"]);
    assert_eq!(kinds(&large, MASKED_NODES_MAX), ["64"]);
    assert_eq!(kinds(&larger, MASKED_NODES_MAX), ["walk"]);
    let all = [grown(PART_TREES, 31), grown(PART_TREES, 63), grown(PART_TREES, 64), grown(1, 0)].concat();
    assert_eq!(kinds(&all, MASKED_NODES_MAX), ["32", "64", "walk", "walk"]);
    // One step each, over ten places: they are walked faster.
    assert_eq!(kinds(&grown(8, 1), MASKED_NODES_MAX), ["walk"]);
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
    assert_eq!(text(&|tree| tree.splits[0].threshold = f64::NEG_INFINITY), "the threshold of node 0 is not a number");
    assert_eq!(text(&|tree| tree.leaves[1] = f64::INFINITY), "the value of leaf 1 is not finite");
    assert_eq!(text(&|tree| tree.class = 1), "it counts for class 1");
    let within = |nodes_max| Bounds { nodes_max, masked_max: MASKED_NODES_MAX };
    assert!(Ensemble::compile_within(within(6), &[good.clone(), good.clone()], 1, 1).is_ok());
    let (number, fault) = Ensemble::compile_within(within(5), &[good.clone(), good.clone()], 1, 1).unwrap_err();
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
