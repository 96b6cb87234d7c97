//! Expressions against a plain evaluation over all rows since the snapshot, and their errors by their texts.

use super::arithmetic::{self, Binary, Unary};
use super::syntax::{self, Over, Past, Placed, Step, at_level};
use super::*;
use crate::market::units::Scale;
use crate::strategy::features::catalogue::{CATALOGUE, SEED, Window};
use crate::strategy::features::lanes::{Plain, Processor};
use crate::strategy::features::tests::{SCALE, Snap, book_of, snaps};
use crate::strategy::features::{FeatureSet, Input, InputsError, NoFeatures, check};
use proptest::prelude::*;

fn input(definition: &str) -> Input {
    definition.parse().unwrap_or_else(|error| panic!("{definition}: {error}"))
}

fn inputs(texts: &[&str]) -> Vec<Input> {
    texts.iter().enumerate().map(|(at, text)| input(&format!("x{at} = {text}"))).collect()
}

/// The seed's features, written out.
const SEED_WRITTEN_OUT: [&str; 28] = [
    "bid_price_1 - ask_price_1",
    "bid_size_1",
    "bid_size_2",
    "bid_size_3",
    "ask_size_1",
    "ask_size_2",
    "ask_size_3",
    "bid_price_1",
    "bid_price_2",
    "bid_price_3",
    "ask_price_1",
    "ask_price_2",
    "ask_price_3",
    "ln(bid_size_1)",
    "ln(bid_size_2)",
    "ln(bid_size_3)",
    "ln(bid_size_4)",
    "ln(bid_size_5)",
    "ln(ask_size_1)",
    "ln(ask_size_2)",
    "ln(ask_size_3)",
    "ln(ask_size_4)",
    "ln(ask_size_5)",
    "(bid_size_1 - ask_size_1) / (bid_size_1 + ask_size_1)",
    "sum(bid_price * bid_size, 1..10) / sum(bid_size, 1..10)",
    "sum(ask_size * ask_price, 1..10) / sum(ask_size, 1..10)",
    "ln(sum(bid_price * bid_size, 1..10) / sum(bid_size, 1..10))",
    "ln(sum(ask_price * ask_size, 1..10) / sum(ask_size, 1..10))",
];

/// The same so that the catalogue's code is not found in them.
const SEED_BY_THE_PROGRAM: [&str; 28] = [
    "0 + (bid_price_1 - ask_price_1)",
    "bid_size_1 + 0",
    "bid_size_2 + 0",
    "bid_size_3 + 0",
    "ask_size_1 + 0",
    "ask_size_2 + 0",
    "ask_size_3 + 0",
    "bid_price_1 + 0",
    "bid_price_2 + 0",
    "bid_price_3 + 0",
    "ask_price_1 + 0",
    "ask_price_2 + 0",
    "ask_price_3 + 0",
    "ln(1 * bid_size_1)",
    "ln(1 * bid_size_2)",
    "ln(1 * bid_size_3)",
    "ln(1 * bid_size_4)",
    "ln(1 * bid_size_5)",
    "ln(1 * ask_size_1)",
    "ln(1 * ask_size_2)",
    "ln(1 * ask_size_3)",
    "ln(1 * ask_size_4)",
    "ln(1 * ask_size_5)",
    "(1 * bid_size_1 - 1 * ask_size_1) / (1 * bid_size_1 + 1 * ask_size_1)",
    "sum(1 * bid_price * bid_size, 1..10) / sum(1 * bid_size, 1..10)",
    "sum(1 * ask_size * ask_price, 1..10) / sum(1 * ask_size, 1..10)",
    "ln(sum(1 * bid_price * bid_size, 1..10) / sum(1 * bid_size, 1..10))",
    "ln(sum(1 * ask_price * ask_size, 1..10) / sum(1 * ask_size, 1..10))",
];

/// A value with a bound of what roundings in another order may have made of it; infinite where they decide what it is.
#[derive(Clone, Copy, Debug)]
struct Known {
    value: f64,
    off: f64,
}

impl Known {
    fn new(value: f64, off: f64) -> Self {
        // Whether there is a value may hang on a rounding too.
        let rounded = off + value.abs() * 1e-13;
        Self { value, off: if off.is_nan() || rounded.is_nan() { f64::INFINITY } else { rounded } }
    }

    fn none() -> Self {
        Self { value: f64::NAN, off: 0.0 }
    }

    fn is_none(self) -> bool {
        self.value.is_nan() && self.off == 0.0
    }
}

/// An expression as a tree.
#[derive(Clone, Debug)]
enum Tree {
    Number(f64),
    Feature(Feature),
    Unary(Unary, Box<Tree>),
    Binary(Binary, Box<[Tree; 2]>),
    Clip(Box<[Tree; 3]>),
    Past(Past, Box<Tree>, Window),
    Over(Over, Vec<Tree>),
}

fn tree(steps: &[Placed]) -> Tree {
    fn run(mut steps: &[Placed], level: u8, stack: &mut Vec<Tree>) {
        while let Some((placed, rest)) = steps.split_first() {
            steps = rest;
            let mut next = || Box::new(stack.pop().unwrap());
            let tree = match placed.step {
                Step::Number(number) => Tree::Number(number),
                Step::Feature(feature) => Tree::Feature(feature),
                Step::Level(first) => Tree::Feature(at_level(first, level).unwrap()),
                Step::Unary(function) => Tree::Unary(function, next()),
                Step::Past(past, window) => Tree::Past(past, next(), window),
                Step::Binary(function) => {
                    let (b, a) = (next(), next());
                    Tree::Binary(function, Box::new([*a, *b]))
                }
                Step::Clip => {
                    let (c, b, a) = (next(), next(), next());
                    Tree::Clip(Box::new([*a, *b, *c]))
                }
                Step::Over { how, from, to, steps: length } => {
                    let (inside, after) = steps.split_at(length);
                    steps = after;
                    let values = (from..=to).map(|level| {
                        let mut own = Vec::new();
                        run(inside, level, &mut own);
                        own.pop().unwrap()
                    });
                    Tree::Over(how, values.collect())
                }
            };
            stack.push(tree);
        }
    }
    let mut stack = Vec::new();
    run(steps, 1, &mut stack);
    assert_eq!(stack.len(), 1);
    stack.pop().unwrap()
}

/// Rows of the catalogue since the snapshot.
struct Rows<'a> {
    features: &'a [Feature],
    /// Of each row, `None` where the feature is warming up.
    values: &'a [Vec<Option<f64>>],
    times_ns: &'a [i64],
}

impl Rows<'_> {
    /// The value after a row, `None` where its history is too short.
    fn value(&self, tree: &Tree, row: usize) -> Option<Known> {
        let of = |tree: &Tree| self.value(tree, row);
        Some(match tree {
            Tree::Number(number) => Known { value: *number, off: 0.0 },
            Tree::Feature(feature) => {
                let column = self.features.iter().position(|other| other == feature).unwrap();
                Known::new(self.values[row][column]?, 0.0)
            }
            Tree::Unary(function, x) => unary(*function, of(x)?),
            Tree::Binary(function, operands) => binary(*function, of(&operands[0])?, of(&operands[1])?),
            Tree::Clip(operands) => {
                let [x, low, high] = [of(&operands[0])?, of(&operands[1])?, of(&operands[2])?];
                if x.is_none() || low.is_none() || high.is_none() {
                    return Some(Known::none());
                }
                if (low.value - high.value).abs() <= low.off + high.off && low.off + high.off > 0.0 {
                    return Some(Known { value: 0.0, off: f64::INFINITY });
                }
                let value = arithmetic::clip(x.value, low.value, high.value);
                if value.is_nan() { Known::none() } else { Known::new(value, x.off.max(low.off).max(high.off)) }
            }
            Tree::Over(how, operands) => {
                let values = operands.iter().map(of).collect::<Option<Vec<Known>>>()?;
                let function = match how {
                    Over::Min => Binary::Min,
                    Over::Max => Binary::Max,
                    Over::Sum | Over::Mean => Binary::Add,
                };
                let total = values.iter().copied().reduce(|a, b| binary(function, a, b)).unwrap();
                let count = Known { value: values.len() as f64, off: 0.0 };
                if *how == Over::Mean { binary(Binary::Divide, total, count) } else { total }
            }
            Tree::Past(Past::Lag, x, window) => self.value(x, self.back(*window, row)?)?,
            Tree::Past(Past::Delta, x, window) => {
                let before = self.value(x, self.back(*window, row)?)?;
                binary(Binary::Subtract, of(x)?, before)
            }
            Tree::Past(Past::Ema, x, window) => {
                self.window(x, *window, row)?;
                self.ema(x, *window, row)
            }
            Tree::Past(past, x, window) => {
                let values = self.window(x, *window, row)?;
                if values.iter().any(|known| known.is_none()) {
                    return Some(Known::none());
                }
                let count = values.len() as f64;
                let off = values.iter().map(|known| known.off).fold(0.0, f64::max);
                let mean = values.iter().map(|known| known.value / count).sum::<f64>();
                let largest = values.iter().map(|known| known.value.abs()).fold(0.0, f64::max);
                if *past == Past::Mean {
                    return Some(Known::new(mean, off + largest * 1e-13));
                }
                let squares = values.iter().map(|known| (known.value - mean).powi(2) / count).sum::<f64>();
                Known::new(squares.sqrt(), 2.0 * off + largest * 1e-13)
            }
        })
    }

    /// The row that a lag looks at.
    fn back(&self, window: Window, row: usize) -> Option<usize> {
        match window {
            Window::Updates(k) => row.checked_sub(k as usize),
            Window::Millis(millis) => {
                let start_ns = self.times_ns[row] - i64::from(millis) * 1_000_000;
                (0..=row).rev().find(|&before| self.times_ns[before] <= start_ns)
            }
        }
    }

    /// The values in a window.
    fn window(&self, x: &Tree, window: Window, row: usize) -> Option<Vec<Known>> {
        let from = match window {
            Window::Updates(k) => (row + 1).checked_sub(k as usize)?,
            Window::Millis(_) => {
                let before = self.back(window, row)?;
                self.value(x, before)?;
                before + 1
            }
        };
        (from..=row).map(|row| self.value(x, row)).collect()
    }

    fn ema(&self, x: &Tree, window: Window, row: usize) -> Known {
        let mut mean: Option<Known> = None;
        for at in 0..=row {
            let Some(known) = self.value(x, at) else { continue };
            if known.is_none() {
                continue;
            }
            let share = match window {
                Window::Updates(k) => 2.0 / (f64::from(k) + 1.0),
                Window::Millis(millis) => {
                    let since_ns = if at == 0 { 0 } else { self.times_ns[at] - self.times_ns[at - 1] };
                    1.0 - (-(since_ns as f64) / (f64::from(millis) * 1e6)).exp()
                }
            };
            mean = Some(match mean {
                None => known,
                Some(before) => Known::new(
                    before.value * (1.0 - share) + known.value * share,
                    before.off.max(known.off) + (before.value.abs() + known.value.abs()) * 1e-13,
                ),
            });
        }
        mean.unwrap_or_else(Known::none)
    }
}

fn unary(function: Unary, x: Known) -> Known {
    if x.is_none() {
        return x;
    }
    let unsure = Known { value: 0.0, off: f64::INFINITY };
    let is_near_zero = x.value.abs() <= x.off;
    match function {
        Unary::Negative | Unary::Abs => Known::new(arithmetic::unary(Plain, function, x.value), x.off),
        _ if is_near_zero && x.off > 0.0 => unsure,
        Unary::Sign => Known { value: arithmetic::unary(Plain, function, x.value), off: 0.0 },
        Unary::Ln if x.value > 0.0 => Known::new(x.value.ln(), 2.0 * x.off / (x.value - x.off) + 1e-13),
        Unary::Sqrt if x.value >= 0.0 => Known::new(x.value.sqrt(), x.off / x.value.sqrt().max(1e-300)),
        Unary::Ln | Unary::Sqrt => Known::none(),
    }
}

fn binary(function: Binary, a: Known, b: Known) -> Known {
    if a.is_none() || b.is_none() {
        return Known::none();
    }
    let unsure = Known { value: 0.0, off: f64::INFINITY };
    let off = a.off + b.off;
    match function {
        Binary::Add | Binary::Subtract => {
            let value = arithmetic::binary(function, a.value, b.value);
            Known::new(value, off + (a.value.abs() + b.value.abs()) * 1e-15)
        }
        Binary::Multiply => {
            Known::new(a.value * b.value, a.value.abs() * b.off + b.value.abs() * a.off + a.off * b.off)
        }
        Binary::Divide if b.value.abs() <= 2.0 * b.off && b.off > 0.0 => unsure,
        Binary::Divide if b.value == 0.0 => Known::none(),
        Binary::Divide => {
            let value = a.value / b.value;
            Known::new(value, 2.0 * (a.off + value.abs() * b.off) / b.value.abs())
        }
        Binary::Min | Binary::Max => Known::new(arithmetic::binary(function, a.value, b.value), a.off.max(b.off)),
        _ if (a.value - b.value).abs() <= off && off > 0.0 => unsure,
        _ => Known { value: arithmetic::binary(function, a.value, b.value), off: 0.0 },
    }
}

fn leaves(tree: &Tree, found: &mut Vec<Feature>) {
    match tree {
        Tree::Number(_) => {}
        Tree::Feature(feature) => {
            if !found.contains(feature) {
                found.push(*feature);
            }
        }
        Tree::Unary(_, x) | Tree::Past(_, x, _) => leaves(x, found),
        Tree::Binary(_, of) => of.iter().for_each(|x| leaves(x, found)),
        Tree::Clip(of) => of.iter().for_each(|x| leaves(x, found)),
        Tree::Over(_, of) => of.iter().for_each(|x| leaves(x, found)),
    }
}

/// Compares an expression with its plain evaluation after every book. Gives how many rows had a value to compare.
fn assert_agrees(text: &str, snaps: &[Snap]) -> usize {
    let Ok(steps) = syntax::parse(text) else { panic!("{text}") };
    // Constants that have no value are refused, which others test.
    let Ok(own) = format!("x = {text}").parse::<Input>() else { return 0 };
    let tree = tree(&steps);
    let mut features = Vec::new();
    leaves(&tree, &mut features);
    let mut singles: Vec<FeatureSet> = features.iter().map(|&feature| FeatureSet::new(&[feature])).collect();
    let mut set = FeatureSet::new(&[own]);
    let (mut values, mut times_ns) = (Vec::new(), Vec::new());
    let mut compared = 0;
    for (row, snap) in snaps.iter().enumerate() {
        let book = book_of(snap, SCALE);
        let of_row = singles.iter_mut().map(|single| {
            let is_there = single.update(&book, snap.ts_recv_ns).is_ok();
            single.values().next().filter(|_| is_there)
        });
        values.push(of_row.collect());
        times_ns.push(snap.ts_recv_ns);
        let expected = Rows { features: &features, values: &values, times_ns: &times_ns }.value(&tree, row);
        let outcome = set.update(&book, snap.ts_recv_ns);
        match expected {
            None => {
                assert!(matches!(outcome, Err(NoFeatures::WarmingUp)), "{text}, row {row}: {outcome:?}");
            }
            Some(known) if known.is_none() => assert_eq!(outcome, Err(NoFeatures::Undefined), "{text}, row {row}"),
            Some(known) if known.off < 1e6 => {
                assert!(outcome.is_ok(), "{text}, row {row}: {outcome:?} for {known:?}");
                let value = set.values().next().unwrap();
                assert!((value - known.value).abs() <= known.off, "{text}, row {row}: {value} for {known:?}");
                compared += 1;
            }
            // Roundings decide.
            Some(_) => {}
        }
    }
    compared
}

/// Texts of expressions of all kinds.
fn expression(times: &[&str]) -> impl Strategy<Value = String> + use<> {
    let leaf = prop_oneof![
        6 => prop::sample::select(vec![
            "bid_size_1", "ask_size_1", "bid_size_3", "ask_size_2", "bid_price_1", "ask_price_1", "bid_price_4", "ask_price_10",
            "mid", "imbalance_1", "imbalance_5", "bid_vwap_3", "ln_ask_size_2", "microprice_minus_mid", "bid_minus_ask",
            "spread_ticks", "mid_return_2", "ofi_2_3", "updates_since_mid_change", "seconds_since_update",
            "sum(bid_size, 1..5)", "sum(ask_size, 1..5)", "sum(bid_price * bid_size, 1..4)", "mean(ask_size - bid_size, 2..6)",
            "min(bid_size, 1..3)", "max(ln(ask_size), 2..9)",
        ]).prop_map(str::to_owned),
        1 => (-40..40_i32).prop_map(|number| format!("{}", f64::from(number) / 4.0).replace('-', "0 - ")).prop_map(|text| format!("({text})")),
    ];
    let updates = (1..5).map(|k: u32| k.to_string());
    let window = prop::sample::select(updates.chain(times.iter().copied().map(str::to_owned)).collect::<Vec<_>>());
    leaf.prop_recursive(4, 12, 3, move |inner| {
        let operators = prop::sample::select(vec!["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!="]);
        let functions = prop::sample::select(vec!["ln", "sqrt", "abs", "sign", "-"]);
        let pasts = prop::sample::select(vec!["lag", "delta", "mean", "std", "ema"]);
        prop_oneof![
            4 => (inner.clone(), operators, inner.clone()).prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            1 => (functions, inner.clone()).prop_map(|(function, x)| format!("{function}({x})")),
            1 => (prop::bool::ANY, inner.clone(), inner.clone())
                .prop_map(|(is_min, a, b)| format!("{}({a}, {b})", if is_min { "min" } else { "max" })),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(x, low, high)| format!("clip({x}, {low}, {high})")),
            4 => (pasts, inner, window.clone()).prop_map(|(past, x, window)| format!("{past}({x}, {window})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 64 } else { 1_000 }))]
    #[test]
    fn any_expression_is_its_plain_evaluation(text in expression(&["300ms", "1s", "2500ms"]), snaps in snaps()) {
        assert_agrees(&text, &snaps);
    }

    #[test]
    fn any_expression_of_windows_of_updates_is_its_plain_evaluation(text in expression(&[]), snaps in snaps()) {
        assert_agrees(&text, &snaps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 200 }))]
    #[test]
    fn every_function_is_its_plain_evaluation(snaps in snaps()) {
        let mut compared = 0;
        for x in ["bid_size_2", "mid", "ask_price_2 - lag(ask_price_2, 1)", "sum(bid_size, 1..4)", "ln(ask_size_1 / bid_size_1)"] {
            for function in ["lag", "delta", "mean", "std", "ema"] {
                for window in ["1", "2", "5", "400ms", "1s"] {
                    compared += assert_agrees(&format!("{function}({x}, {window})"), &snaps);
                }
            }
        }
        for text in [
            "mid - bid_price_1", "ask_price_3 - mid", "mid - lag(bid_price_2, 2)", "lag(mid, 500ms) - lag(mid, 3)",
            "bid_size_1 - ask_size_4", "delta(sum(ask_size, 2..3), 2)", "sum(ask_size, 1..3) - lag(bid_size_1, 1)",
            "(mid - mean(mid, 4)) / (1 + std(mid, 4))", "delta(mid, 3) / lag(mid, 3)", "(ask_price_1 + bid_price_1) / 2",
            "clip(delta(mid, 1), -1, 1)", "ema(mean(lag(mid, 2), 2), 3)", "lag(mid_return_2, 2)",
        ] {
            compared += assert_agrees(text, &snaps);
        }
        prop_assert!(compared > 300, "{}", compared);
    }

    #[test]
    fn the_seed_written_out_has_the_same_bits(snaps in snaps(), finer_from in 0..20_usize) {
        let bits = |set: &FeatureSet| set.values().map(f64::to_bits).collect::<Vec<_>>();
        let (written_out, by_the_program) = (inputs(&SEED_WRITTEN_OUT), inputs(&SEED_BY_THE_PROGRAM));
        let mut built_in = FeatureSet::new(&SEED);
        let mut others = Vec::new();
        for list in [&written_out, &by_the_program] {
            let mut plain = FeatureSet::new(list);
            plain.processor = Processor::Any;
            others.extend([FeatureSet::new(list), plain]);
        }
        prop_assert!(others[0].program.is_none() && others[2].program.is_some());
        for (at, snap) in snaps.iter().enumerate() {
            let scale = if at < finer_from { SCALE } else { Scale { price_decimals: 4, size_decimals: 14 } };
            let book = book_of(snap, scale);
            let outcome = built_in.update(&book, snap.ts_recv_ns);
            for other in &mut others {
                prop_assert_eq!(other.update(&book, snap.ts_recv_ns), outcome);
                prop_assert_eq!(bits(other), bits(&built_in));
            }
        }
    }

    /// What the catalogue has beside the seed.
    #[test]
    fn features_written_out_have_the_same_bits(snaps in snaps()) {
        let pairs = [
            ("mid", "(bid_price_1 + ask_price_1) / 2"),
            ("imbalance_5", "(sum(bid_size, 1..5) - sum(ask_size, 1..5)) / (sum(bid_size, 1..5) + sum(ask_size, 1..5))"),
            ("mid_return_2", "(mid - lag(mid, 2)) / lag(mid, 2)"),
            ("mid_return_2", "delta(mid, 2) / lag(mid, 2)"),
            ("bid_vwap_4", "sum(bid_size * bid_price, 1..4) / sum(bid_size, 1..4)"),
            ("bid_minus_ask", "0 - (ask_price_1 - bid_price_1)"),
            ("ln_bid_vwap_4", "ln(1 * bid_vwap_4)"),
            ("print_count_3", "lag(print_count_3, 1) * 0 + print_count_3"),
        ];
        for (name, text) in pairs {
            let (mut built_in, mut own) = (FeatureSet::new(&[input(name)]), FeatureSet::new(&inputs(&[text])));
            for snap in &snaps {
                let book = book_of(snap, SCALE);
                let outcomes = [built_in.update(&book, snap.ts_recv_ns), own.update(&book, snap.ts_recv_ns)];
                if outcomes.iter().all(Result::is_ok) {
                    let [a, b] = [&built_in, &own].map(|set| set.values().next().unwrap());
                    prop_assert_eq!(a.to_bits(), b.to_bits(), "{} {}", name, text);
                }
            }
        }
    }

    #[test]
    fn a_finer_scale_changes_no_value(snaps in snaps(), refine_at in 1..20_usize) {
        let list = inputs(&[
            "delta(mid, 2)", "delta(bid_price_3, 1s)", "delta(sum(ask_size, 1..3), 3)", "std(bid_size_1, 4)", "ema(mid, 300ms)",
            "lag(ask_size_2, 2) - ask_size_1", "mean(mid - lag(ask_price_1, 1), 3)",
        ]);
        let (mut set, mut refined) = (FeatureSet::new(&list), FeatureSet::new(&list));
        let finer = Scale { price_decimals: 5, size_decimals: 5 };
        for (at, snap) in snaps.iter().enumerate() {
            if at == refine_at {
                refined.refine(SCALE, finer);
            }
            let scale = if at < refine_at { SCALE } else { finer };
            let outcomes = [
                set.update(&book_of(snap, SCALE), snap.ts_recv_ns),
                refined.update(&book_of(snap, scale), snap.ts_recv_ns),
            ];
            prop_assert_eq!(outcomes[0], outcomes[1]);
            if outcomes[0].is_ok() {
                let bits = |set: &FeatureSet| set.values().map(f64::to_bits).collect::<Vec<_>>();
                prop_assert_eq!(bits(&set), bits(&refined));
            }
        }
    }

    /// A value is the same whatever else the list has, and however often the book was lost before.
    #[test]
    fn a_value_depends_on_its_own_history_alone(snaps in snaps(), lost_at in 1..12_usize) {
        let texts = ["ema(ofi_2_3, 3)", "lag(mean(mid, 2), 3)", "std(bid_size_1, 500ms)", "mid_return_7 + 0"];
        let together = inputs(&texts);
        let mut all = FeatureSet::new(&together);
        let mut alone: Vec<FeatureSet> = together.iter().map(|one| FeatureSet::new(std::slice::from_ref(one))).collect();
        for (at, snap) in snaps.iter().enumerate() {
            let book = book_of(snap, SCALE);
            if at == lost_at {
                all.reset();
                // These begin anew.
                alone = together.iter().map(|one| FeatureSet::new(std::slice::from_ref(one))).collect();
            }
            let whole = all.update(&book, snap.ts_recv_ns);
            let singles: Vec<_> = alone.iter_mut().map(|one| one.update(&book, snap.ts_recv_ns)).collect();
            prop_assert_eq!(whole.is_ok(), singles.iter().all(Result::is_ok));
            if whole.is_ok() {
                for (one, value) in alone.iter().zip(all.values()) {
                    prop_assert_eq!(one.values().next().unwrap().to_bits(), value.to_bits());
                }
            }
        }
    }

    /// Whatever the text, it is read or refused, in one line.
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z_0-9 ().,*/+<>=!\n\u{1b}é-]{0,60}") {
        if let Err(error) = Expression::new("x", &text) {
            let shown = error.to_string();
            prop_assert!(shown.starts_with("column ") && !shown.contains(char::is_control), "{:?}", shown);
            prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1);
        }
    }
}

fn flat(bid_size: u64, ask_size: u64, at_ns: i64) -> Snap {
    Snap { bids: vec![(1_000, bid_size)], asks: vec![(1_002, ask_size)], ts_recv_ns: at_ns }
}

#[test]
fn history_begins_with_the_snapshot() {
    for (text, warm_at) in [
        ("lag(bid_size_1, 2)", 2),
        ("delta(ask_size_1 * 2, 2)", 2),
        ("mean(bid_size_1, 3)", 2),
        ("std(bid_size_1, 1)", 0),
        ("ema(bid_size_1, 3)", 2),
        ("lag(mean(mid, 3), 2)", 4),
        ("lag(bid_size_1 - lag(bid_size_1, 1), 2)", 3),
        ("lag(mid_return_2, 1)", 3),
        // Updates come each 100 ms.
        ("lag(mid, 250ms)", 3),
        ("mean(mid, 300ms)", 3),
        ("std(mean(mid, 200ms), 2)", 3),
        ("lag(print_count_200ms, 1)", 3),
        ("ema(mid, 1ms)", 1),
        ("min(lag(mid, 1), lag(mid, 4))", 4),
    ] {
        let mut set = FeatureSet::new(&inputs(&[text]));
        for reset in ["nothing", "reset", "thin"] {
            match reset {
                "reset" => set.reset(),
                // The tape is there without levels.
                "thin" if text.contains("print") => continue,
                "thin" => {
                    let nobody = Snap { bids: Vec::new(), asks: Vec::new(), ts_recv_ns: 0 };
                    assert_eq!(set.update(&book_of(&nobody, SCALE), 0), Err(NoFeatures::Thin), "{text}");
                }
                _ => {}
            }
            for row in 0..6 {
                let outcome = set.update(&book_of(&flat(5, 6, 0), SCALE), row * 100_000_000);
                assert_eq!(outcome.is_ok(), row >= warm_at, "{text} after {reset}, row {row}: {outcome:?}");
            }
        }
    }
}

#[test]
fn rows_without_a_value_have_no_features_until_it_is_back() {
    let update = |set: &mut FeatureSet, bid_size, ask_size| {
        let outcome = set.update(&book_of(&flat(bid_size, ask_size, 0), SCALE), 0);
        (outcome.map(|_| ()), set.values().next().unwrap())
    };
    let mut set = FeatureSet::new(&inputs(&["1 / (bid_size_1 - ask_size_1)"]));
    assert_eq!(update(&mut set, 3_000, 1_000), (Ok(()), 0.5));
    assert_eq!(update(&mut set, 1_000, 1_000).0, Err(NoFeatures::Undefined));
    assert_eq!(update(&mut set, 2_000, 1_000), (Ok(()), 1.0));
    // Of the very same book too.
    let book = book_of(&flat(7, 7, 0), SCALE);
    assert_eq!(set.update(&book, 0), Err(NoFeatures::Undefined));
    assert_eq!(set.update(&book, 1), Err(NoFeatures::Undefined));

    // A comparison, a minimum and a quotient by what has no value hide none.
    for text in [
        "ln(bid_size_1 - ask_size_1) > 0",
        "min(1, sqrt(bid_size_1 - ask_size_1 - 1))",
        "1 / (1 / (bid_size_1 - ask_size_1))",
    ] {
        let mut set = FeatureSet::new(&inputs(&[text]));
        assert_eq!(update(&mut set, 1_000, 1_000).0, Err(NoFeatures::Undefined), "{text}");
        assert_eq!(update(&mut set, 9_000, 1_000).0, Ok(()), "{text}");
    }
    // Windows have none until they have left it behind.
    let mut set = FeatureSet::new(&inputs(&["mean(ln(bid_size_1 - ask_size_1), 2)"]));
    let rows = [(3_000, 1_000), (3_000, 1_000), (1_000, 1_000), (3_000, 1_000), (3_000, 1_000)];
    let seen: Vec<_> = rows.iter().map(|&(bid_size, ask_size)| update(&mut set, bid_size, ask_size).0).collect();
    let (none, warming) = (Err(NoFeatures::Undefined), Err(NoFeatures::WarmingUp));
    assert_eq!(seen, [warming, Ok(()), none, none, Ok(())]);
}

#[test]
fn parts_that_come_again_are_computed_once() {
    let steps = |texts: &[&str]| {
        let compiled = crate::strategy::features::compiled::Compiled::new(&inputs(texts)).unwrap();
        compiled.program.map_or(0, |program| program.len())
    };
    let one = steps(&["(mid - mean(mid, 50)) / std(mid, 50)"]);
    assert_eq!(one, steps(&["(mid - mean(mid, 50)) / std(mid, 50)", "mid", "bid_size_1"]));
    // A value more to store.
    assert_eq!(one + 1, steps(&["(mid - mean(mid, 50)) / std(mid, 50)", "std(mid, 50)"]));
    assert_eq!(steps(&SEED_WRITTEN_OUT), 0);
}

#[test]
fn what_is_wrong_is_pointed_at() {
    let deep = |depth: usize| format!("{}mid{}", "(".repeat(depth), ")".repeat(depth));
    let nested = (0..5).fold("bid_size".to_owned(), |inner, _| format!("sum(bid_size + {inner}, 1..10)"));
    let texts: Vec<(String, &str)> = [
        ("", "column 1: the expression is empty"),
        (" \n", "column 3: the expression is empty"),
        (
            "(sum(bid_size, 1..5) - bid_sise_3)",
            "column 24: unknown feature 'bid_sise_3'; the nearest is 'bid_size_3'",
        ),
        ("mid + ofi_5", "column 7: unknown feature 'ofi_5'; the nearest is 'ofi_5_1'"),
        ("mid_retrun_20", "column 1: unknown feature 'mid_retrun_20'; the nearest is 'mid_return_20'"),
        ("momentum", "column 1: unknown feature 'momentum'; `papertrader features --list` names all"),
        ("sum(bid_sise, 1..5)", "column 5: unknown feature 'bid_sise'; the nearest is 'bid_size'"),
        ("3 * bid_size_11", "column 5: feature 'bid_size_11': the depth goes from 1 to 10"),
        ("logn(mid)", "column 1: unknown function 'logn'; the nearest is 'ln'"),
        ("exponential(mid)", "column 1: unknown function 'exponential'"),
        ("ln + 1", "column 1: 'ln' is called as ln(x)"),
        ("ln()", "column 1: 'ln' is called as ln(x)"),
        ("1 + ln(mid, 2)", "column 5: 'ln' is called as ln(x)"),
        ("min(mid)", "column 1: 'min' is called as min(a, b) or min(x, FROM..TO)"),
        ("clip(mid, 1)", "column 1: 'clip' is called as clip(x, low, high)"),
        ("lag(mid)", "column 1: 'lag' is called as lag(x, K) or lag(x, Tms)"),
        ("mid mid", "column 5: expected an operator or the end, found 'mid'"),
        ("mid +", "column 6: expected a number, a name or '(', found the end"),
        ("(mid", "column 5: expected ')', found the end"),
        ("mid)", "column 4: expected an operator or the end, found ')'"),
        ("mid < bid_price_1 < 3", "column 19: comparisons do not chain; put one of them in parentheses"),
        ("mid & 3", "column 5: '&' has no meaning in an expression"),
        ("mid = 3", "column 5: '=' has no meaning in an expression"),
        ("mid \u{1b}[2J", "column 5: '\\u{1b}' has no meaning in an expression"),
        ("1e999 * mid", "column 1: '1e999' is not a finite number"),
        ("20ms * mid", "column 1: '20ms' has a unit; only functions that look back take a time"),
        ("lag(mid, 0)", "column 10: '0': the number of updates goes from 1 to 10000"),
        ("lag(mid, 10001)", "column 10: '10001': the number of updates goes from 1 to 10000"),
        ("ema(mid, 61s)", "column 10: '61s': a time goes from 1 ms to 60000 ms"),
        ("ema(mid, 0ms)", "column 10: '0ms': a time goes from 1 ms to 60000 ms"),
        ("std(mid, 99999999999999999999999s)", "column 10: '99999999999999999999999s': a time goes from 1 ms to 60000 ms"),
        ("mean(mid, 2h)", "column 11: '2h' is neither a number of updates nor a time in ms or s, as 20, 500ms or 2s"),
        ("mean(mid, 2.5)", "column 11: '2.5' is neither a number of updates nor a time in ms or s, as 20, 500ms or 2s"),
        ("lag(mid, mid)", "column 10: expected a number of updates or a time, as 20 or 500ms, found 'mid'"),
        ("sum(bid_size, 0..5)", "column 15: a range of levels is FROM..TO, from 1 to 10"),
        ("sum(bid_size, 5..4)", "column 15: a range of levels is FROM..TO, from 1 to 10"),
        ("sum(bid_size, 1..11)", "column 15: a range of levels is FROM..TO, from 1 to 10"),
        ("sum(bid_size, 5)", "column 15: a range of levels is FROM..TO, from 1 to 10"),
        (
            "sum(bid_size_1, 1..5)",
            "column 1: nothing that the range goes over has its level: name a family without level, as in sum(bid_size, 1..5)",
        ),
        (
            "ln(bid_size)",
            "column 4: 'bid_size' needs a level: write bid_size_1, or a function over levels, as sum(bid_size, 1..5)",
        ),
        (
            "mean(bid_size, 5) + sum(ask_size, 1..2)",
            "column 6: 'bid_size' needs a level: write bid_size_1, or a function over levels, as sum(bid_size, 1..5)",
        ),
        ("mid / 0", "column 5: division by 0"),
        ("mid / (2 - 2)", "column 5: division by 0"),
        ("mid + 1 / (3 - 3)", "column 9: division by 0"),
        ("mid * ln(-1)", "column 7: ln of -1, which is not above 0"),
        ("mid * sqrt(1 - 2)", "column 7: sqrt of -1, which is below 0"),
        ("mid * 1e300 + 1e300 * 1e300", "column 21: the result is too large for a number"),
        ("clip(mid, 2, 1)", "column 1: clip from 2 to 1, which is below it"),
        ("mean(3, 20)", "column 1: a constant has no history"),
        ("1 + 2 < 4", "column 1: the expression reads no feature: it is 1"),
        ("é + mid", "column 1: 'é' has no meaning in an expression"),
    ]
    .into_iter()
    .map(|(text, message)| (text.to_owned(), message))
    .chain([
        (deep(64), "column 65: nested more than 64 deep"),
        (format!("{}mid", "-".repeat(64)), "column 65: nested more than 64 deep"),
        (nested, "column 1: written out over its ranges the expression has 333331 steps; at most 4096 are computed"),
        (format!("mid{}", " + mid".repeat(1_000)), "column 1: the text has 6003 bytes; an expression has at most 4096"),
    ])
    .collect();
    for (text, message) in texts {
        let error = Expression::new("x", &text).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, message, "{text}");
    }
    assert!(Expression::new("x", &deep(63)).is_ok());
    assert!(Expression::new("x", &format!("mid{}", " + mid".repeat(600))).is_ok());
}

#[test]
fn what_lists_cannot_hold_together_is_refused() {
    let list = |texts: Vec<String>| {
        let inputs: Vec<Input> = texts.iter().enumerate().map(|(at, text)| input(&format!("x{at} = {text}"))).collect();
        check(&inputs).map_err(|error| error.to_string())
    };
    let most = |count: usize| (1..=count).map(|k| format!("1 + mid_return_{k}")).collect();
    assert_eq!(list(most(64)), Ok(()));
    assert_eq!(
        list(most(65)),
        Err("the list computes 130 features besides levels and their logarithms, those in expressions among them; at most 128"
            .into())
    );
    let pasts = |each: u32| {
        (0..100).map(move |at| {
            let sums = (1..=each).map(|k| format!("lag(mid * {at}, {})", k + 1));
            sums.collect::<Vec<_>>().join(" + ")
        })
    };
    assert_eq!(list(pasts(2).collect()), Ok(()));
    let message = "the expressions look back in 297 different ways together; at most 256 are kept";
    assert_eq!(list(pasts(3).skip(1).collect()), Err(message.into()));
    let spreads = |count: usize| (1..=count).map(|level| format!("std(mid * {level}, 60s)")).collect();
    assert_eq!(list(spreads(32)), Ok(()));
    let message = "the expressions' history takes 66 MB together; at most 64 are kept: look back less far";
    assert_eq!(list(spreads(33)), Err(message.into()));
    let large =
        (0..8).map(|at| format!("sum(bid_size * {at}{}, 1..10)", " + abs(ask_size * 2.5 + 0.1 * bid_size)".repeat(40)));
    let many: Vec<String> = large.collect();
    assert!(list(many.clone()).is_ok(), "{:?}", list(many));
    assert_eq!(check(&[input("x = mid / 2"), input("x = mid / 3")]), Err(InputsError::Twice("x".into())));
}

#[test]
fn the_nearest_name_is_one() {
    for family in CATALOGUE {
        let name = family.pattern.replace("_N", "_3").replace("_K", "_40").replace("_Tms", "_500ms");
        // A letter is missing.
        let typed = name.replacen('i', "", 1);
        if typed.parse::<Feature>().is_err() {
            let nearest = names::nearest_feature(&typed).unwrap_or_else(|| panic!("{typed}"));
            assert!(nearest.parse::<Feature>().is_ok(), "{typed}: {nearest}");
            assert_eq!(nearest, name);
        }
    }
}
