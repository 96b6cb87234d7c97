//! `TreeEnsembleClassifier` and `TreeEnsembleRegressor`: their lists of nodes become trees.

use super::attributes::Attributes;
use super::proto::NodeProto;
use crate::strategy::model::error::{LibraryError, quoted};
use crate::strategy::model::trees::{CLASSES_MAX, Child, Ensemble, Missing, Real, Split, Test, Tree};
use std::collections::HashMap;

/// An ensemble with what belongs to it.
pub struct Forest<T> {
    pub ensemble: Ensemble<T>,
    pub base: [f64; CLASSES_MAX],
    /// Whether its leaves add to one score of two, which is then the first.
    pub is_alone: bool,
    /// Whether all of them add.
    pub all_positive: bool,
    pub trees: usize,
}

/// Reads the node's lists. `leaves` is `class` or `target`, whose attributes say what leaves are worth.
pub fn read<T: Real>(node: &NodeProto, leaves: &str, inputs: usize, scores: usize) -> Result<Forest<T>, LibraryError> {
    let attributes = Attributes::new(node);
    let list = |name: &str, count: usize| {
        let list = attributes.ints(name);
        if list.len() == count {
            Ok(list)
        } else {
            Err(attributes.fault(format!("{name} has {} entries and not {count}", list.len())))
        }
    };
    let modes = attributes.strings("nodes_modes");
    let count = modes.len();
    let (tree_ids, node_ids) = (list("nodes_treeids", count)?, list("nodes_nodeids", count)?);
    let (trues, falses) = (list("nodes_truenodeids", count)?, list("nodes_falsenodeids", count)?);
    let features = list("nodes_featureids", count)?;
    let values = attributes.numbers("nodes_values", count)?;
    let tracks = attributes.ints("nodes_missing_value_tracks_true");
    if !(tracks.is_empty() || tracks.len() == count) {
        return Err(
            attributes.fault(format!("nodes_missing_value_tracks_true has {} entries and not {count}", tracks.len()))
        );
    }
    let ids = if leaves == "class" { "class_ids" } else { "target_ids" };
    let worth_ids = attributes.ints(ids);
    let worth = worth_ids.len();
    let (worth_trees, worth_nodes) =
        (list(&format!("{leaves}_treeids"), worth)?, list(&format!("{leaves}_nodeids"), worth)?);
    let weights = attributes.numbers(&format!("{leaves}_weights"), worth)?;
    let base = attributes.numbers_or_none("base_values")?;
    let mut bases = [0.0; CLASSES_MAX];
    let all_scores = scores;
    if base.len() > scores {
        return Err(attributes.fault(format!("base_values has {} entries for {scores} scores", base.len())));
    }
    bases.iter_mut().zip(&base).for_each(|(to, from)| *to = *from);

    // Where each node stands, and each leaf's worth by score.
    let mut place = HashMap::with_capacity(count);
    let mut starts: Vec<(i64, usize)> = Vec::new();
    for at in 0..count {
        if place.insert((tree_ids[at], node_ids[at]), at).is_some() {
            return Err(attributes.fault(format!("node {} of tree {} comes twice", node_ids[at], tree_ids[at])));
        }
        if starts.last().is_none_or(|&(tree, _)| tree != tree_ids[at]) {
            starts.push((tree_ids[at], at));
        }
    }
    let mut of_leaf: HashMap<usize, [f64; CLASSES_MAX]> = HashMap::new();
    let mut used = [false; CLASSES_MAX];
    for entry in 0..worth {
        let at = place.get(&(worth_trees[entry], worth_nodes[entry])).copied();
        let score = usize::try_from(worth_ids[entry]).ok().filter(|&score| score < scores);
        let (Some(at), Some(score)) = (at, score) else {
            return Err(attributes.fault(format!("entry {entry} of {ids} belongs to no leaf or no score")));
        };
        used[score] = true;
        of_leaf.entry(at).or_default()[score] += weights[entry];
    }
    let scores: Vec<usize> = (0..scores).filter(|&score| used[score]).collect();
    // Of two classes one score is enough, whichever it is.
    let is_alone = leaves == "class" && all_scores == 2 && scores.len() == 1;
    let mut trees = Vec::new();
    for (number, &(tree_id, start)) in starts.iter().enumerate() {
        if starts[..number].iter().rev().take(1).any(|&(before, _)| before > tree_id) {
            return Err(attributes.fault(format!("tree {tree_id} stands behind a later one")));
        }
        let end = starts.get(number + 1).map_or(count, |&(_, next)| next);
        let child = |id: i64| match place.get(&(tree_id, id)) {
            Some(&at) if modes[at] == b"LEAF" => Ok(Child::Leaf(at - start)),
            Some(&at) => Ok(Child::Split(at - start)),
            None => Err(attributes.fault(format!("tree {tree_id} has no node {id}"))),
        };
        let split = |at: usize| {
            let turned = match modes[at].as_slice() {
                b"LEAF" => {
                    let leaf = Child::Leaf(at - start);
                    let (test, missing) = (Test::AtMost, Missing::Right);
                    return Ok(Split { feature: 0, threshold: T::default(), test, left: leaf, right: leaf, missing });
                }
                b"BRANCH_LEQ" | b"BRANCH_LT" => false,
                b"BRANCH_GT" | b"BRANCH_GTE" => true,
                other => {
                    let what = format!(
                        "{}: the mode {} of a node",
                        attributes.name(),
                        quoted(&String::from_utf8_lossy(other))
                    );
                    return Err(LibraryError::unsupported(
                        what,
                        "the modes LEAF, BRANCH_LEQ, _LT, _GTE and _GT are: train on numbers only",
                    ));
                }
            };
            let is_true = tracks.get(at).is_some_and(|&tracks| tracks != 0);
            let (yes, no) = (child(trues[at])?, child(falses[at])?);
            Ok(Split {
                feature: usize::try_from(features[at]).unwrap_or(usize::MAX),
                threshold: T::of(values[at]),
                // At least is not below, more is not at most.
                test: if matches!(modes[at].as_slice(), b"BRANCH_LEQ" | b"BRANCH_GT") {
                    Test::AtMost
                } else {
                    Test::Below
                },
                left: if turned { no } else { yes },
                right: if turned { yes } else { no },
                missing: if is_true != turned { Missing::Left } else { Missing::Right },
            })
        };
        let splits: Vec<Split<T>> = (start..end).map(split).collect::<Result<_, LibraryError>>()?;
        let root = child(node_ids[start])?;
        for &score in &scores {
            let leaves = (start..end).map(|at| T::of(of_leaf.get(&at).map_or(0.0, |worth| worth[score]))).collect();
            trees.push(Tree { root, splits: splits.clone(), leaves, class: if is_alone { 0 } else { score } });
        }
    }
    let per_tree = scores.len().max(1);
    let ensemble = Ensemble::compile(&trees, inputs, all_scores)
        .map_err(|(tree, fault)| LibraryError::Tree { tree: tree / per_tree, fault })?;
    Ok(Forest {
        ensemble,
        base: bases,
        is_alone,
        all_positive: weights.iter().all(|&weight| weight >= 0.0),
        trees: starts.len(),
    })
}
