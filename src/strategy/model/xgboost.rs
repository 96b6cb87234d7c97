//! XGBoost's `.json` and `.ubj`: `Booster.save_model`.
//!
//! Rows are rounded to floats, compared as floats and their leaves added up as floats in the order of the trees, as XGBoost does.
//! Trees behind the best iteration that early stopping found are left out, as `XGBClassifier` leaves them out.

use super::error::{LibraryError, quoted};
use super::forest::{Forest, Outcome};
use super::names::ModelOptions;
use super::trees::{CLASSES_MAX, Child, Ensemble, Missing, Split, Test, Tree};
use super::ubjson;
use crate::strategy::features::Input;
use serde::{Deserialize, Deserializer, de};
use std::collections::HashMap;
use std::str::FromStr;

/// How far into a `.json` file its first key is looked for.
const FIRST_KEY_BYTES: usize = 64;

/// Whether a text begins as such a file does: XGBoost writes `learner` first.
pub fn begins_as(text: &[u8]) -> bool {
    let text = &text[..text.len().min(FIRST_KEY_BYTES)];
    let rest = text.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| rest.starts_with(b"\"learner\"") || rest.starts_with(b"\"version\""))
}

#[derive(Deserialize)]
struct File {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    #[serde(default)]
    attributes: HashMap<String, String>,
    #[serde(default)]
    feature_names: Vec<String>,
    #[serde(default)]
    feature_types: Vec<String>,
    gradient_booster: Booster,
    learner_model_param: LearnerParam,
    objective: Objective,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
}

#[derive(Deserialize)]
struct LearnerParam {
    base_score: String,
    #[serde(default)]
    num_class: String,
    num_feature: String,
    #[serde(default)]
    num_target: String,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    model: Option<Model>,
    gbtree: Option<Inner>,
    weight_drop: Option<Vec<f32>>,
}

#[derive(Deserialize)]
struct Inner {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    gbtree_model_param: ModelParam,
    tree_info: Vec<u32>,
    trees: Vec<FileTree>,
    iteration_indptr: Option<Vec<usize>>,
}

#[derive(Deserialize)]
struct ModelParam {
    num_trees: String,
    #[serde(default)]
    num_parallel_tree: String,
}

#[derive(Deserialize)]
struct FileTree {
    left_children: Vec<i32>,
    right_children: Vec<i32>,
    split_indices: Vec<u32>,
    split_conditions: Vec<f32>,
    default_left: Vec<Flag>,
    #[serde(default)]
    split_type: Vec<u8>,
    #[serde(default)]
    categories_nodes: Vec<u32>,
    tree_param: TreeParam,
}

#[derive(Deserialize)]
struct TreeParam {
    num_nodes: String,
    #[serde(default)]
    size_leaf_vector: String,
}

/// A number, or a Boolean in older files.
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Flag;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("0 or 1")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }
            fn visit_i64<E>(self, flag: i64) -> Result<Flag, E> {
                Ok(Flag(flag != 0))
            }
            fn visit_u64<E>(self, flag: u64) -> Result<Flag, E> {
                Ok(Flag(flag != 0))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Reads a `.json` file.
pub fn read_json(text: &str, options: &ModelOptions) -> Result<(Vec<Input>, Forest<f32>), LibraryError> {
    compile(serde_json::from_str(text).map_err(LibraryError::Json)?, options)
}

/// Reads a `.ubj` file.
pub fn read_ubjson(bytes: &[u8], options: &ModelOptions) -> Result<(Vec<Input>, Forest<f32>), LibraryError> {
    compile(ubjson::from_slice(bytes).map_err(|error| LibraryError::broken(error.to_string()))?, options)
}

/// A number that XGBoost keeps as a text; an empty one is `absent`.
fn number<T: FromStr>(name: &str, text: &str, absent: Option<T>) -> Result<T, LibraryError> {
    match absent {
        Some(absent) if text.is_empty() => Ok(absent),
        _ => text
            .parse()
            .map_err(|_| LibraryError::broken(format!("{name} is '{}', which is no such number", quoted(text)))),
    }
}

fn compile(File { learner }: File, options: &ModelOptions) -> Result<(Vec<Input>, Forest<f32>), LibraryError> {
    let param = &learner.learner_model_param;
    let inputs: usize = number("num_feature", &param.num_feature, None)?;
    let features = options.features(inputs, &learner.feature_names)?;
    if let Some(kind) = learner.feature_types.iter().find(|kind| *kind == "c") {
        return Err(categorical(&format!("a feature of type '{kind}'")));
    }
    if number("num_target", &param.num_target, Some(1_usize))? > 1 {
        return Err(LibraryError::unsupported("a model of several targets", "train it on one"));
    }
    // 0 classes stand for two.
    let num_class = number("num_class", &param.num_class, Some(0_usize))?;
    let (classes, outcome) = match learner.objective.name.as_str() {
        "binary:logistic" | "binary:logitraw" | "reg:logistic" if num_class <= 1 => {
            (1, Outcome::LogOdds(if options.up(2, None)? == 1 { 1.0 } else { -1.0 }))
        }
        "multi:softprob" | "multi:softmax" => {
            (num_class, Outcome::Softmax { up: options.up(num_class, None)?, classes: num_class })
        }
        other => {
            let instead = "objectives are binary:logistic, binary:logitraw, multi:softprob: train with one of them";
            return Err(LibraryError::unsupported(
                format!("objective '{}' of {num_class} classes", quoted(other)),
                instead,
            ));
        }
    };
    let logistic = learner.objective.name != "binary:logitraw" && classes == 1;
    let base = base(&param.base_score, classes, logistic)?;
    let Booster { name, model, gbtree, weight_drop } = learner.gradient_booster;
    let (model, weights) = match (name.as_str(), model, gbtree) {
        ("gbtree", Some(model), _) => (model, None),
        ("dart", _, Some(inner)) => (inner.model, weight_drop),
        ("gbtree" | "dart", ..) => return Err(LibraryError::broken(format!("gradient_booster '{name}' has no model"))),
        _ => {
            let instead = "boosters are gbtree and dart; a linear model goes into papertrader's own .json";
            return Err(LibraryError::unsupported(format!("booster '{}'", quoted(&name)), instead));
        }
    };
    let count: usize = number("num_trees", &model.gbtree_model_param.num_trees, None)?;
    if model.trees.len() != count || model.tree_info.len() != count {
        let (trees, infos) = (model.trees.len(), model.tree_info.len());
        return Err(LibraryError::broken(format!(
            "num_trees is {count} for {trees} trees and {infos} entries of tree_info"
        )));
    }
    if let Some(weights) = weights.as_ref().filter(|weights| weights.len() != count) {
        return Err(LibraryError::broken(format!("weight_drop has {} entries for {count} trees", weights.len())));
    }
    let used = used(&learner.attributes, &model, classes)?;
    let trees = model.trees.iter().zip(&model.tree_info).take(used).enumerate();
    let trees = trees.map(|(tree_number, (file, &class))| {
        let weight = weights.as_ref().map_or(1.0, |weights| weights[tree_number]);
        tree(tree_number, file, class as usize, weight)
    });
    let trees: Vec<Tree<f32>> = trees.collect::<Result<_, _>>()?;
    let ensemble =
        Ensemble::compile(&trees, inputs, classes).map_err(|(tree, fault)| LibraryError::Tree { tree, fault })?;
    Ok((features, Forest::new(ensemble, base, 1.0, outcome)))
}

fn categorical(what: &str) -> LibraryError {
    LibraryError::unsupported(
        format!("{what} (categorical)"),
        "all features are numbers: train without enable_categorical",
    )
}

/// How many trees count: those up to the best iteration, if early stopping found one.
fn used(attributes: &HashMap<String, String>, model: &Model, classes: usize) -> Result<usize, LibraryError> {
    let Some(best) = attributes.get("best_iteration") else { return Ok(model.trees.len()) };
    let best: usize = number("best_iteration", best, None)?;
    let parallel = number("num_parallel_tree", &model.gbtree_model_param.num_parallel_tree, Some(1_usize))?.max(1);
    let end = match &model.iteration_indptr {
        Some(ends) => best.checked_add(1).and_then(|next| ends.get(next)).copied(),
        None => best.checked_add(1).and_then(|next| next.checked_mul(parallel.checked_mul(classes)?)),
    };
    end.filter(|&end| end <= model.trees.len()).ok_or_else(|| {
        LibraryError::broken(format!("best_iteration is {best}, which is beyond its {} trees", model.trees.len()))
    })
}

/// What sums begin with: one number, or one for each class, in brackets since version 3.1.
fn base(text: &str, classes: usize, logistic: bool) -> Result<[f32; CLASSES_MAX], LibraryError> {
    let bad =
        || LibraryError::broken(format!("base_score is '{}', which does not suit {classes} outputs", quoted(text)));
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let scores: Vec<f32> =
        inner.split(',').map(|score| score.trim().parse()).collect::<Result<_, _>>().map_err(|_| bad())?;
    let good = |score: &f32| if logistic { *score > 0.0 && *score < 1.0 } else { score.is_finite() };
    if !(scores.len() == 1 || scores.len() == classes) || !scores.iter().all(good) {
        return Err(bad());
    }
    let mut base = [0.0; CLASSES_MAX];
    for (at, base) in base.iter_mut().enumerate().take(classes) {
        let score = scores[at % scores.len()];
        // As XGBoost: -logf(1.0f / base_score - 1.0f).
        *base = if logistic { -(1.0 / score - 1.0).ln() } else { score };
    }
    Ok(base)
}

fn tree(number_of_tree: usize, file: &FileTree, class: usize, weight: f32) -> Result<Tree<f32>, LibraryError> {
    let broken = |what: String| LibraryError::broken(format!("tree {number_of_tree}: {what}"));
    let nodes: usize = number("num_nodes", &file.tree_param.num_nodes, None)?;
    if !["", "0", "1"].contains(&file.tree_param.size_leaf_vector.as_str()) {
        return Err(LibraryError::unsupported(
            "a tree of several outputs",
            "train with multi_strategy=one_output_per_tree",
        ));
    }
    if !file.categories_nodes.is_empty() || file.split_type.iter().any(|&kind| kind != 0) {
        return Err(categorical(&format!("tree {number_of_tree}: a split")));
    }
    let lengths = [
        ("left_children", file.left_children.len()),
        ("right_children", file.right_children.len()),
        ("split_indices", file.split_indices.len()),
        ("split_conditions", file.split_conditions.len()),
        ("default_left", file.default_left.len()),
    ];
    if let Some((name, length)) = lengths.into_iter().find(|&(_, length)| length != nodes) {
        return Err(broken(format!("{name} has {length} entries for {nodes} nodes")));
    }
    // A node of the file is a split and a leaf here; the one that it is not is reached by nobody.
    let child = |node: i32| match usize::try_from(node) {
        Ok(node) if file.left_children.get(node) == Some(&-1) => Ok(Child::Leaf(node)),
        Ok(node) => Ok(Child::Split(node)),
        Err(_) => Err(broken(format!("a node has a child {node}"))),
    };
    let split = |node: usize| {
        let (left, right) = (file.left_children[node], file.right_children[node]);
        let leaf = left == -1;
        Ok(Split {
            feature: file.split_indices[node] as usize,
            threshold: file.split_conditions[node],
            test: Test::Below,
            left: if leaf { Child::Leaf(node) } else { child(left)? },
            right: if leaf { Child::Leaf(node) } else { child(right)? },
            missing: if file.default_left[node].0 { Missing::Left } else { Missing::Right },
        })
    };
    if nodes == 0 {
        return Err(broken("it has no node".into()));
    }
    Ok(Tree {
        root: child(0)?,
        splits: (0..nodes).map(split).collect::<Result<_, LibraryError>>()?,
        leaves: file.split_conditions.iter().map(|leaf| leaf * weight).collect(),
        class,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::features::Feature;
    use crate::strategy::model::evaluator::Evaluate;

    /// Two features; a tree of three leaves and one of a leaf alone.
    const MODEL: &str = r#"{"learner":{"attributes":{},"feature_names":["mid","imbalance_1"],"feature_types":[],
        "gradient_booster":{"model":{"gbtree_model_param":{"num_parallel_tree":"1","num_trees":"2"},"iteration_indptr":[0,1,2],
        "tree_info":[0,0],"trees":[
        {"default_left":[0,1,0,0,0],"left_children":[1,3,-1,-1,-1],"right_children":[2,4,-1,-1,-1],
         "split_conditions":[1E-1,-2.5E-1,5E-1,1.25E-1,-7.5E-1],"split_indices":[0,1,0,0,0],"split_type":[0,0,0,0,0],
         "categories_nodes":[],"tree_param":{"num_nodes":"5","size_leaf_vector":"1"}},
        {"default_left":[0],"left_children":[-1],"right_children":[-1],"split_conditions":[6.25E-2],"split_indices":[0],
         "split_type":[0],"tree_param":{"num_nodes":"1"}}]},"name":"gbtree"},
        "learner_model_param":{"base_score":"[5E-1]","num_class":"0","num_feature":"2","num_target":"1"},
        "objective":{"name":"binary:logistic"}},"version":[3,2,0]}"#;

    fn read(text: &str) -> Result<(Vec<Input>, Forest<f32>), LibraryError> {
        read_json(text, &ModelOptions::default())
    }

    fn logit(text: &str, row: [f64; 2]) -> f64 {
        read(text).unwrap().1.of_row(row.into_iter())
    }

    #[test]
    fn by_hand() {
        assert!(begins_as(MODEL.as_bytes()) && begins_as(b" {\n \"learner\":") && !begins_as(b"{\"features\""));
        assert_eq!(read(MODEL).unwrap().0, [Feature::Mid, Feature::Imbalance(1)]);
        for (row, leaf) in [
            ([0.0, -0.5], 0.125),
            ([0.0, -0.25], -0.75),
            // As doubles 0.1 and more is below the float 0.1, as floats it is the same: not below.
            ([0.1, -0.5], 0.5),
            ([0.100_000_001, -0.5], 0.5),
            ([0.099_999_99, -0.5], 0.125),
            ([f64::NAN, -0.5], 0.5),
            ([0.0, f64::NAN], 0.125),
        ] {
            assert_eq!(logit(MODEL, row), leaf + 0.0625, "{row:?}");
        }
        // The base score is a probability, or log-odds where the objective has none.
        let base = logit(&MODEL.replace("[5E-1]", "2.5E-1"), [0.0, -0.5]);
        assert_eq!(base, f64::from(-(3.0_f32).ln() + 0.125 + 0.0625));
        assert_eq!(logit(&MODEL.replace("binary:logistic", "binary:logitraw"), [0.0, -0.5]), 0.6875);
        // Early stopping found the first iteration best.
        let stopped = MODEL.replace("\"attributes\":{}", "\"attributes\":{\"best_iteration\":\"0\"}");
        assert_eq!(logit(&stopped, [0.0, -0.5]), 0.125);
        assert_eq!(logit(&stopped.replace("\"iteration_indptr\":[0,1,2],", ""), [0.0, -0.5]), 0.125);
        // DART weighs its trees.
        let dart = MODEL
            .replace(
                "\"gradient_booster\":{\"model\"",
                "\"gradient_booster\":{\"name\":\"dart\",\"weight_drop\":[5E-1,2E0],\"gbtree\":{\"model\"",
            )
            .replace("\"name\":\"gbtree\"}", "\"name\":\"gbtree\"}}");
        assert_eq!(logit(&dart, [0.0, -0.5]), 0.125 / 2.0 + 0.0625 * 2.0);
    }

    #[test]
    fn three_classes() {
        let three = MODEL
            .replace("\"num_class\":\"0\"", "\"num_class\":\"3\"")
            .replace("binary:logistic", "multi:softprob")
            .replace("\"tree_info\":[0,0]", "\"tree_info\":[0,2]");
        assert!(read(&three).unwrap_err().to_string().starts_with("it has 3 classes; give --model-classes"));
        let options = ModelOptions {
            classes: Some(crate::strategy::model::parse_classes("down,same,up").unwrap()),
            features: None,
        };
        let found = read_json(&three, &options).unwrap().1.of_row([0.0, -0.5].into_iter());
        assert!((found - (0.5625 - (0.625_f64.exp() + 0.5_f64.exp()).ln())).abs() < 1e-15);
        let found =
            read_json(&three.replace("[5E-1]", "[1E0,0E0,-1E0]"), &options).unwrap().1.of_row([0.0, -0.5].into_iter());
        assert!((found - (-0.9375 - (1.125_f64.exp() + 1.0).ln())).abs() < 1e-15);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, message) in [
            (
                "\"split_type\":[0,0,0,0,0]",
                "\"split_type\":[0,1,0,0,0]",
                "tree 0: a split (categorical) is not supported; all features are numbers: train without enable_categorical",
            ),
            (
                "\"feature_types\":[]",
                "\"feature_types\":[\"float\",\"c\"]",
                "a feature of type 'c' (categorical) is not supported; all features are numbers: train without enable_categorical",
            ),
            (
                "binary:logistic",
                "rank:ndcg",
                "objective 'rank:ndcg' of 0 classes is not supported; objectives are binary:logistic, binary:logitraw, multi:softprob: train with one of them",
            ),
            (
                "\"name\":\"gbtree\"",
                "\"name\":\"gblinear\"",
                "booster 'gblinear' is not supported; boosters are gbtree and dart; a linear model goes into papertrader's own .json",
            ),
            ("\"left_children\":[1,3", "\"left_children\":[1,0", "tree 0: node 0 is reached twice: it is no tree"),
            ("\"left_children\":[1,3", "\"left_children\":[1,9", "tree 0: a node's child is 9, which it does not have"),
            ("\"right_children\":[2,4", "\"right_children\":[2,-4", "tree 0: a node has a child -4"),
            ("\"split_indices\":[0,1", "\"split_indices\":[0,7", "tree 0: node 1 asks for input 7; there are 2"),
            ("\"num_nodes\":\"5\"", "\"num_nodes\":\"6\"", "tree 0: left_children has 5 entries for 6 nodes"),
            (
                "\"size_leaf_vector\":\"1\"",
                "\"size_leaf_vector\":\"3\"",
                "a tree of several outputs is not supported; train with multi_strategy=one_output_per_tree",
            ),
            ("\"num_trees\":\"2\"", "\"num_trees\":\"3\"", "num_trees is 3 for 2 trees and 2 entries of tree_info"),
            ("\"tree_info\":[0,0]", "\"tree_info\":[0,1]", "tree 1: it counts for class 1"),
            ("[5E-1]", "[5E-1,5E-1]", "base_score is '[5E-1,5E-1]', which does not suit 1 outputs"),
            ("[5E-1]", "1E0", "base_score is '1E0', which does not suit 1 outputs"),
            (
                "\"attributes\":{}",
                "\"attributes\":{\"best_iteration\":\"2\"}",
                "best_iteration is 2, which is beyond its 2 trees",
            ),
            ("\"num_feature\":\"2\"", "\"num_feature\":\"x\"", "num_feature is 'x', which is no such number"),
            (
                "\"num_target\":\"1\"",
                "\"num_target\":\"2\"",
                "a model of several targets is not supported; train it on one",
            ),
            (
                "\"mid\",\"imbalance_1\"",
                "",
                "it does not name its 2 inputs; give --model-features NAME,NAME,… in the order of its training columns",
            ),
            ("-2.5E-1", "1E999", "number out of range at line 5 column 39"),
        ] {
            assert!(MODEL.contains(from), "{from}");
            assert_eq!(read(&MODEL.replacen(from, to, 1)).unwrap_err().to_string(), message);
        }
        for end in 0..MODEL.len() {
            read(&MODEL[..end]).err().unwrap();
        }
    }
}
