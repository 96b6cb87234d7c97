//! A model's evaluation of a row: 100 trees of 31 leaves, as doubles and as floats, and a linear model. Prints nanoseconds per
//! evaluation, the median of rounds that run in turns.
//!
//! `cargo bench --bench models -- MODEL ROWS OUTPUT` takes a model's file and a file of rows instead, little-endian doubles in the
//! order of the model's features. It prints the nanoseconds of the median pass and writes each row's probability as a double;
//! `tools/measure-models.sh` compares both with the libraries'.

use papertrader::statistics::logistic::probability;
use papertrader::strategy::model::{
    Child, Ensemble, Evaluate, Forest, Linear, Missing, Model, Outcome, Split, Test, Tree,
};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

const INPUTS: usize = 28;
const ROUNDS: usize = 21;
/// Passes over the rows of a file, behind one that is not counted.
const PASSES: usize = 5;

fn draw(random: &mut Xoshiro256PlusPlus) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A tree that has grown by splitting leaves at random.
fn tree(random: &mut Xoshiro256PlusPlus) -> Tree<f64> {
    let mut tree = Tree { root: Child::Leaf(0), splits: Vec::new(), leaves: vec![0.01], class: 0 };
    for number in 0..30 {
        let leaf = (draw(random) * tree.leaves.len() as f64) as usize;
        tree.leaves.push(draw(random) - 0.5);
        let right = Child::Leaf(tree.leaves.len() - 1);
        let feature = (draw(random) * INPUTS as f64) as usize;
        let threshold = draw(random);
        let children = tree.splits.iter_mut().flat_map(|split: &mut Split<f64>| [&mut split.left, &mut split.right]);
        let place =
            children.chain([&mut tree.root]).find(|child| **child == Child::Leaf(leaf)).expect("it grows there");
        *place = Child::Split(number);
        let (left, missing) = (Child::Leaf(leaf), Missing::Left);
        tree.splits.push(Split { feature, threshold, test: Test::AtMost, left, right, missing });
    }
    tree
}

fn as_floats(tree: &Tree<f64>) -> Tree<f32> {
    let split = |split: &Split<f64>| {
        let Split { feature, threshold, test, left, right, missing } = *split;
        Split { feature, threshold: threshold as f32, test, left, right, missing }
    };
    let leaves = tree.leaves.iter().map(|&leaf| leaf as f32).collect();
    Tree { root: tree.root, splits: tree.splits.iter().map(split).collect(), leaves, class: tree.class }
}

/// Nanoseconds per row.
fn time(rows: &[[f64; INPUTS]], evaluator: &mut impl Evaluate) -> f64 {
    let started = Instant::now();
    for row in rows {
        black_box(evaluator.of_row(black_box(row).iter().copied()));
    }
    started.elapsed().as_nanos() as f64 / rows.len() as f64
}

/// Times a model's file on the rows of a file.
fn time_file(model: &Path, rows: &Path, output: &Path) -> Result<(), Box<dyn Error>> {
    let mut model = Model::read(model)?;
    let bytes = std::fs::read(rows)?;
    let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("eight"));
    let numbers: Vec<f64> = bytes.chunks_exact(8).map(number).collect();
    let rows = numbers.chunks_exact(model.features.len());
    let mut logits = vec![0.0; rows.len()];
    let mut times = Vec::new();
    for _ in 0..=PASSES {
        let started = Instant::now();
        for (logit, row) in logits.iter_mut().zip(rows.clone()) {
            *logit = model.logit_of_row(black_box(row));
        }
        times.push(started.elapsed().as_nanos() as f64 / logits.len() as f64);
    }
    let counted = &mut times[1..];
    counted.sort_by(f64::total_cmp);
    println!("{}", counted[PASSES / 2]);
    let probabilities: Vec<u8> = logits.iter().flat_map(|&logit| probability(logit).to_le_bytes()).collect();
    std::fs::write(output, probabilities)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [model, rows, output] = arguments.as_slice() {
        return time_file(model.as_ref(), rows.as_ref(), output.as_ref());
    }
    synthetic();
    Ok(())
}

fn synthetic() {
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(1);
    let rows: Vec<[f64; INPUTS]> = (0..10_000).map(|_| std::array::from_fn(|_| draw(random))).collect();
    let trees: Vec<Tree<f64>> = (0..100).map(|_| tree(random)).collect();
    let floats: Vec<Tree<f32>> = trees.iter().map(as_floats).collect();
    let compiled = Ensemble::compile(&trees, INPUTS, 1).expect("good trees");
    let mut doubles = Forest::new(compiled, [0.0; 3], 1.0, Outcome::LogOdds(1.0));
    let compiled = Ensemble::compile(&floats, INPUTS, 1).expect("good trees");
    let mut floats = Forest::new(compiled, [0.0; 3], 1.0, Outcome::LogOdds(1.0));
    let mut linear = Linear::new(&papertrader::strategy::features::SEED.map(Into::into), vec![0.5; INPUTS], 0.1);
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        times[0].push(time(&rows, &mut doubles));
        times[1].push(time(&rows, &mut floats));
        times[2].push(time(&rows, &mut linear));
    }
    for (name, times) in
        ["100 trees of 31 leaves, doubles", "the same, floats", "linear, 28 features"].iter().zip(&mut times)
    {
        times.sort_by(f64::total_cmp);
        println!("{name:34} {:8.1} ns", times[ROUNDS / 2]);
    }
}
