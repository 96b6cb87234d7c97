//! LightGBM's `model.txt`: `Booster.save_model`.
//!
//! Numbers are compared and added up as doubles, in the order of the trees, as LightGBM does.

use super::error::{LibraryError, quoted};
use super::forest::{Forest, Outcome};
use super::names::ModelOptions;
use super::trees::{CLASSES_MAX, Child, Ensemble, Missing, Split, Test, Tree};
use crate::strategy::features::Input;
use std::collections::HashMap;
use std::str::FromStr;

/// The first line of such a file.
const FIRST_LINE: &str = "tree";

/// Whether a text begins as such a file does.
pub fn begins_as(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line) == FIRST_LINE.as_bytes()
}

/// `key=value` lines of a part of the file.
struct Part<'a> {
    /// For errors.
    name: String,
    fields: HashMap<&'a str, &'a str>,
}

impl<'a> Part<'a> {
    fn find(&self, key: &str) -> Option<&'a str> {
        self.fields.get(key).copied()
    }

    fn text(&self, key: &str) -> Result<&'a str, LibraryError> {
        self.find(key).ok_or_else(|| {
            LibraryError::broken(format!("{} has no {key}: the file is cut or no LightGBM model", self.name))
        })
    }

    fn number<T: FromStr>(&self, key: &str) -> Result<T, LibraryError> {
        let text = self.text(key)?;
        text.trim().parse().map_err(|_| {
            LibraryError::broken(format!("{}: {key} is '{}', which is no such number", self.name, quoted(text)))
        })
    }

    fn list<T: FromStr>(&self, key: &str, count: usize) -> Result<Vec<T>, LibraryError> {
        let text = self.find(key).unwrap_or_default();
        let bad = |word: &str| {
            LibraryError::broken(format!("{}: {key} has '{}', which is no such number", self.name, quoted(word)))
        };
        let list = text
            .split_ascii_whitespace()
            .map(|word| word.parse().map_err(|_| bad(word)))
            .collect::<Result<Vec<T>, _>>()?;
        if list.len() != count {
            return Err(LibraryError::broken(format!(
                "{}: {key} has {} numbers and not {count}",
                self.name,
                list.len()
            )));
        }
        Ok(list)
    }
}

/// Reads the lines up to the next part. An empty line ends none: a header has them in newer files.
fn part<'a>(name: String, lines: &mut std::iter::Peekable<std::str::Lines<'a>>) -> Part<'a> {
    let mut fields = HashMap::new();
    while let Some(line) = lines.next_if(|line| !line.starts_with("Tree=") && *line != "end of trees") {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        fields.insert(key, value);
    }
    Part { name, fields }
}

/// Reads such a file.
pub fn read(text: &str, options: &ModelOptions) -> Result<(Vec<Input>, Forest<f64>), LibraryError> {
    let mut lines = text.lines().peekable();
    let header = part("the header".into(), &mut lines);
    let version = header.text("version")?;
    if !["v2", "v3", "v4"].contains(&version) {
        let what = format!("version '{}'", quoted(version));
        return Err(LibraryError::unsupported(what, "versions v2 to v4 are: save it with LightGBM 2 to 4"));
    }
    let inputs = header.number::<usize>("max_feature_idx")?.saturating_add(1);
    let names: Vec<String> =
        header.find("feature_names").unwrap_or_default().split_ascii_whitespace().map(Into::into).collect();
    let features = options.features(inputs, &names)?;
    let classes: usize = header.number("num_class")?;
    let per_iteration: usize = header.number("num_tree_per_iteration")?;
    let outcome = outcome(&header, classes, options)?;
    if per_iteration != classes {
        return Err(LibraryError::broken(format!("num_tree_per_iteration is {per_iteration} for {classes} classes")));
    }
    let mut trees = Vec::new();
    while let Some(line) = lines.next_if(|line| line.starts_with("Tree=")) {
        let name = format!("tree {}", trees.len());
        if line.strip_prefix("Tree=").and_then(|number| number.parse().ok()) != Some(trees.len()) {
            return Err(LibraryError::broken(format!("'{}' stands where {name} should", quoted(line))));
        }
        trees.push(tree(&part(name, &mut lines), trees.len() % per_iteration)?);
    }
    if lines.next() != Some("end of trees") {
        return Err(LibraryError::broken(format!(
            "it ends after {} trees without 'end of trees': it is cut",
            trees.len()
        )));
    }
    let promised = header.find("tree_sizes").map(|sizes| sizes.split_ascii_whitespace().count());
    if promised.is_some_and(|promised| promised != trees.len()) || trees.is_empty() || trees.len() % per_iteration != 0
    {
        let promised = promised.map_or_else(|| format!("a multiple of {per_iteration}"), |count| count.to_string());
        return Err(LibraryError::broken(format!("it has {} trees and not {promised}", trees.len())));
    }
    let ensemble =
        Ensemble::compile(&trees, inputs, classes).map_err(|(tree, fault)| LibraryError::Tree { tree, fault })?;
    // Random forests are averages.
    let divisor = if header.find("average_output").is_some() { (trees.len() / per_iteration) as f64 } else { 1.0 };
    Ok((features, Forest::new(ensemble, [0.0; CLASSES_MAX], divisor, outcome)))
}

fn outcome(header: &Part<'_>, classes: usize, options: &ModelOptions) -> Result<Outcome, LibraryError> {
    let instead = "objectives are binary, cross_entropy, multiclass and multiclassova: train with one of them";
    let objective =
        header.find("objective").ok_or_else(|| LibraryError::unsupported("a file without objective", instead))?;
    let mut words = objective.split_ascii_whitespace();
    let name = words.next().unwrap_or_default();
    let slope = words.find_map(|word| word.strip_prefix("sigmoid:"));
    let slope: f64 = match slope.map(str::parse) {
        None => 1.0,
        Some(Ok(slope)) if slope > 0.0 && f64::is_finite(slope) => slope,
        Some(_) => {
            return Err(LibraryError::broken(format!("objective '{}' has no sigmoid above 0", quoted(objective))));
        }
    };
    match name {
        "binary" | "cross_entropy" if classes == 1 => {
            Ok(Outcome::LogOdds(if options.up(2, None)? == 1 { slope } else { -slope }))
        }
        "multiclass" => Ok(Outcome::Softmax { up: options.up(classes, None)?, classes }),
        "multiclassova" => Ok(Outcome::Each { up: options.up(classes, None)?, slope }),
        _ => Err(LibraryError::unsupported(format!("objective '{}'", quoted(objective)), instead)),
    }
}

fn tree(part: &Part<'_>, class: usize) -> Result<Tree<f64>, LibraryError> {
    let leaves: usize = part.number("num_leaves")?;
    if part.number::<usize>("num_cat")? != 0 {
        let what = format!("{}: a categorical split", part.name);
        return Err(LibraryError::unsupported(what, "all features are numbers: train without categorical_feature"));
    }
    if part.find("is_linear").is_some_and(|is_linear| is_linear.trim() != "0") {
        return Err(LibraryError::unsupported(format!("{}: a linear tree", part.name), "train with linear_tree=false"));
    }
    let splits = leaves.checked_sub(1).ok_or_else(|| LibraryError::broken(format!("{} has no leaf", part.name)))?;
    let leaf_values: Vec<f64> = part.list("leaf_value", leaves)?;
    let features: Vec<usize> = part.list("split_feature", splits)?;
    let thresholds: Vec<f64> = part.list("threshold", splits)?;
    let kinds: Vec<u8> = part.list("decision_type", splits)?;
    let (lefts, rights): (Vec<i32>, Vec<i32>) = (part.list("left_child", splits)?, part.list("right_child", splits)?);
    // Below 0 stand the leaves: −1 is the first.
    let child = |child: i32| if child < 0 { Child::Leaf(!child as usize) } else { Child::Split(child as usize) };
    let nodes = features.into_iter().zip(thresholds).zip(kinds).zip(lefts.into_iter().zip(rights)).enumerate();
    let nodes = nodes.map(|(number, (((feature, threshold), kind), (left, right)))| {
        let default_left = kind & 2 != 0;
        let missing = match (kind >> 2, default_left) {
            // NaN counts as 0.
            (0, _) if 0.0 <= threshold => Missing::Left,
            (0, _) => Missing::Right,
            (1, true) => Missing::ZeroLeft,
            (1, false) => Missing::ZeroRight,
            (2, true) => Missing::Left,
            (2, false) => Missing::Right,
            _ => return Err(LibraryError::broken(format!("{}: decision_type[{number}] is {kind}", part.name))),
        };
        if kind & 1 != 0 {
            let what = format!("{}: a categorical split", part.name);
            return Err(LibraryError::unsupported(what, "all features are numbers: train without categorical_feature"));
        }
        Ok(Split { feature, threshold, test: Test::AtMost, left: child(left), right: child(right), missing })
    });
    Ok(Tree {
        root: if splits == 0 { Child::Leaf(0) } else { Child::Split(0) },
        splits: nodes.collect::<Result<_, _>>()?,
        leaves: leaf_values,
        class,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::features::Feature;
    use crate::strategy::model::evaluator::Evaluate;

    /// Two features and two trees; the second is a leaf alone.
    const MODEL: &str = "tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:2
feature_names=mid imbalance_1
feature_infos=[-1:1] [-1:1]
tree_sizes=1 1

Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
threshold=0.5 -0.25
decision_type=8 2
left_child=1 -1
right_child=-2 -3
leaf_value=0.125 -0.5 0.75
is_linear=0
shrinkage=1


Tree=1
num_leaves=1
num_cat=0
split_feature=
threshold=
decision_type=
left_child=
right_child=
leaf_value=0.0625
is_linear=0


end of trees

feature_importances:
mid=1
";

    fn read(text: &str) -> Result<(Vec<Input>, Forest<f64>), LibraryError> {
        super::read(text, &ModelOptions::default())
    }

    fn logit(text: &str, row: [f64; 2]) -> f64 {
        read(text).unwrap().1.of_row(row.into_iter())
    }

    #[test]
    fn by_hand() {
        assert!(
            begins_as(MODEL.as_bytes()) && begins_as(b"tree\r\n") && !begins_as(b"0.5\n") && !begins_as(b"trees\n")
        );
        assert_eq!(read(MODEL).unwrap().0, [Feature::Mid, Feature::Imbalance(1)]);
        for (row, leaf) in [
            ([0.5, -0.25], 0.125),
            ([0.5, -0.249], 0.75),
            ([0.500_000_000_000_000_1, -1.0], -0.5),
            // NaN goes right at the first split, by its default; at the second it counts as 0.
            ([f64::NAN, -1.0], -0.5),
            ([0.0, f64::NAN], 0.75),
        ] {
            assert_eq!(logit(MODEL, row), 2.0 * (leaf + 0.0625), "{row:?}");
        }
        // 0 is missing at the first split and goes left by default.
        let zero = MODEL
            .replace("decision_type=8 2", "decision_type=6 2")
            .replace("threshold=0.5 -0.25", "threshold=-0.5 -0.25");
        for (row, leaf) in [([-0.6, -1.0], 0.125), ([0.0, -1.0], 0.125), ([1e-36, -1.0], 0.125), ([1e-34, -1.0], -0.5)]
        {
            assert_eq!(logit(&zero, row), 2.0 * (leaf + 0.0625), "{row:?}");
        }
        // A random forest is an average.
        let average = MODEL.replace("objective=binary sigmoid:2", "objective=binary sigmoid:1\naverage_output");
        assert_eq!(logit(&average, [0.0, -1.0]), (0.125 + 0.0625) / 2.0);
        let turned =
            ModelOptions { classes: Some(crate::strategy::model::parse_classes("up,down").unwrap()), features: None };
        assert_eq!(super::read(MODEL, &turned).unwrap().1.of_row([0.0, -1.0].into_iter()), -2.0 * (0.125 + 0.0625));
    }

    #[test]
    fn three_classes() {
        let three = MODEL
            .replace("num_class=1", "num_class=3")
            .replace("num_tree_per_iteration=1", "num_tree_per_iteration=3")
            .replace("objective=binary sigmoid:2", "objective=multiclass num_class:3")
            .replace("tree_sizes=1 1", "tree_sizes=1 1 1")
            .replace("\nend of trees", "Tree=2\nnum_leaves=1\nnum_cat=0\nleaf_value=-0.25\n\nend of trees");
        assert!(read(&three).unwrap_err().to_string().starts_with("it has 3 classes; give --model-classes"));
        let options = |classes| ModelOptions {
            classes: Some(crate::strategy::model::parse_classes(classes).unwrap()),
            features: None,
        };
        let mut up_is_last = super::read(&three, &options("down,same,up")).unwrap().1;
        let found = up_is_last.of_row([0.0, -1.0].into_iter());
        assert!((found - (-0.25 - (0.125_f64.exp() + 0.0625_f64.exp()).ln())).abs() < 1e-15);
        let mut each = super::read(
            &three.replace("multiclass num_class:3", "multiclassova num_class:3 sigmoid:4"),
            &options("down,up,same"),
        )
        .unwrap()
        .1;
        assert_eq!(each.of_row([0.0, -1.0].into_iter()), 0.25);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, message) in [
            (
                "num_cat=0",
                "num_cat=1",
                "tree 0: a categorical split is not supported; all features are numbers: train without categorical_feature",
            ),
            (
                "decision_type=8 2",
                "decision_type=8 1",
                "tree 0: a categorical split is not supported; all features are numbers: train without categorical_feature",
            ),
            ("decision_type=8 2", "decision_type=8 12", "tree 0: decision_type[1] is 12"),
            ("is_linear=0", "is_linear=1", "tree 0: a linear tree is not supported; train with linear_tree=false"),
            (
                "version=v4",
                "version=v9",
                "version 'v9' is not supported; versions v2 to v4 are: save it with LightGBM 2 to 4",
            ),
            (
                "objective=binary sigmoid:2",
                "objective=lambdarank",
                "objective 'lambdarank' is not supported; objectives are binary, cross_entropy, multiclass and multiclassova: train with one of them",
            ),
            (
                "objective=binary sigmoid:2\n",
                "",
                "a file without objective is not supported; objectives are binary, cross_entropy, multiclass and multiclassova: train with one of them",
            ),
            ("sigmoid:2", "sigmoid:-1", "objective 'binary sigmoid:-1' has no sigmoid above 0"),
            ("left_child=1 -1", "left_child=1 0", "tree 0: node 0 is reached twice: it is no tree"),
            ("left_child=1 -1", "left_child=1 -9", "tree 0: a node's child is 8, which it does not have"),
            ("left_child=1 -1", "left_child=1 x", "tree 0: left_child has 'x', which is no such number"),
            ("threshold=0.5 -0.25", "threshold=0.5 nan", "tree 0: the threshold of node 1 is not a number"),
            ("threshold=0.5 -0.25", "threshold=0.5", "tree 0: threshold has 1 numbers and not 2"),
            ("split_feature=0 1", "split_feature=0 2", "tree 0: node 1 asks for input 2; there are 2"),
            ("leaf_value=0.0625", "leaf_value=inf", "tree 1: the value of leaf 0 is not finite"),
            (
                "num_leaves=3",
                "num_leaves=99999999999999999999",
                "tree 0: num_leaves is '99999999999999999999', which is no such number",
            ),
            ("num_leaves=3", "num_leaves=4000000000", "tree 0: leaf_value has 3 numbers and not 4000000000"),
            ("num_leaves=3", "num_leaves=0", "tree 0 has no leaf"),
            ("tree_sizes=1 1", "tree_sizes=1 1 1", "it has 2 trees and not 3"),
            ("Tree=1", "Tree=7", "'Tree=7' stands where tree 1 should"),
            (
                "max_feature_idx=1",
                "max_feature_idx=18446744073709551615",
                "it takes 18446744073709551615 inputs; a model has from 1 to 128",
            ),
            ("feature_names=mid imbalance_1", "feature_names=mid", "it takes 2 inputs, and 1 features are named"),
            (
                "num_class=1",
                "num_class=0",
                "objective 'binary sigmoid:2' is not supported; objectives are binary, cross_entropy, multiclass and multiclassova: train with one of them",
            ),
        ] {
            assert!(MODEL.contains(from), "{from}");
            assert_eq!(read(&MODEL.replacen(from, to, 1)).unwrap_err().to_string(), message);
        }
        // Cut anywhere, it is an error: what follows the trees is not needed.
        let end = MODEL.find("end of trees").unwrap() + "end of trees".len();
        for at in 0..end {
            let Some(cut) = MODEL.get(..at) else { continue };
            read(cut).unwrap_err();
        }
        assert!(read(&MODEL[..end]).is_ok());
    }
}
