//! Lists of features as the command line names them.
//!
//! ```
//! use papertrader::research::feature_list::{FeatureListError, parse_features};
//! use papertrader::strategy::features::Feature;
//!
//! assert_eq!(parse_features("mid, imbalance_5")?, [Feature::Mid, Feature::Imbalance(5)]);
//! assert_eq!(parse_features("seed, slow = ema(mid, 2s) - mid")?.len(), 29);
//! assert!(matches!(parse_features("mid,mid"), Err(FeatureListError::Twice(name)) if name == "mid"));
//! # Ok::<(), FeatureListError>(())
//! ```

use super::export::{LEADING, TRAILING};
use crate::base::small_file;
use crate::strategy::features::{
    CATALOGUE, DEPTH_MAX, FEATURES_MAX, Feature, Input, InputError, InputsError, SEED, check,
};
use std::io;
use std::path::{Path, PathBuf};

/// The largest file of features that is read.
pub const FEATURES_FILE_BYTES_MAX: u64 = 1 << 20;

/// What is wrong with a list of features.
#[derive(Debug, thiserror::Error)]
pub enum FeatureListError {
    /// An entry of the command line's.
    #[error("{}", match .source {
        InputError::Feature(error) => error.to_string(),
        other => other.at(*.index),
    })]
    Entry {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        source: InputError,
    },
    /// A line of a file.
    #[error("{path}, line {line}: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: InputError,
    },
    /// A file that cannot be read.
    #[error("cannot read features {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of comments.
    #[error("{0} names no feature; write one a line, a name or NAME = EXPRESSION")]
    Empty(PathBuf),
    /// A name that comes twice.
    #[error("feature '{0}' is named twice")]
    Twice(String),
    /// A name of another column.
    #[error("an expression cannot be called '{0}': tables of features have a column of that name")]
    Column(String),
    /// Too many, or too much together.
    #[error(transparent)]
    Inputs(#[from] InputsError),
}

/// The file that a list of features names, if it names one.
pub fn file_of(text: &str) -> Option<&Path> {
    text.trim().strip_prefix('@').map(Path::new)
}

/// Numbers of updates that `all` stands for.
const MID_RETURNS: [u32; 3] = [1, 20, 100];
const OFI_LEVELS: [u8; 3] = [1, 5, 10];
const OFI_UPDATES: [u32; 3] = [1, 20, 100];
/// Milliseconds that `tape` stands for.
const WINDOWS_MS: [u32; 2] = [500, 5_000];

/// Reads a list of features, separated by commas: `seed` for the original program's 28, `all` for every family of the book at every
/// depth and a few lengths of history, `tape` for every family of the tape over a few windows, names, and `NAME = EXPRESSION`; or
/// `@FILE` for a file of the same, one a line, in which `#` begins a comment.
///
/// # Errors
/// See [`FeatureListError`].
pub fn parse_features(text: &str) -> Result<Vec<Input>, FeatureListError> {
    let mut features = Vec::new();
    match file_of(text) {
        Some(path) => read_file(path, &mut features)?,
        None => {
            for (index, entry) in entries(text).enumerate() {
                add(entry.trim(), &mut features).map_err(|source| FeatureListError::Entry { index, source })?;
            }
        }
    }
    if features.len() > FEATURES_MAX {
        return Err(InputsError::TooMany(features.len()).into());
    }
    let names: Vec<String> = features.iter().map(ToString::to_string).collect();
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            return Err(FeatureListError::Twice(name.clone()));
        }
        if LEADING.into_iter().chain(TRAILING).any(|column| column == name) {
            return Err(FeatureListError::Column(name.clone()));
        }
    }
    check(&features)?;
    Ok(features)
}

fn read_file(path: &Path, features: &mut Vec<Input>) -> Result<(), FeatureListError> {
    let text = small_file::read_text(path, FEATURES_FILE_BYTES_MAX);
    let text = text.map_err(|source| FeatureListError::Read { path: path.into(), source })?;
    for (index, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or(line).trim();
        if !entry.is_empty() {
            let error = |source| FeatureListError::Line { path: path.into(), line: index + 1, source };
            add(entry, features).map_err(error)?;
        }
    }
    if features.is_empty() { Err(FeatureListError::Empty(path.into())) } else { Ok(()) }
}

/// What commas outside of parentheses separate.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i64;
    text.split(move |character| {
        depth += match character {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        character == ',' && depth <= 0
    })
}

/// Adds what an entry stands for.
fn add(entry: &str, features: &mut Vec<Input>) -> Result<(), InputError> {
    match entry {
        "seed" => features.extend(SEED.map(Input::from)),
        "all" => features.extend(all_features().into_iter().map(Input::from)),
        "tape" => features.extend(tape_features().into_iter().map(Input::from)),
        entry => features.push(entry.parse()?),
    }
    Ok(())
}

/// The seed's features and then the rest of the catalogue that is of the book.
fn all_features() -> Vec<Feature> {
    let mut features = SEED.to_vec();
    for feature in catalogue().filter(|feature| !feature.reads_tape()) {
        if !features.contains(&feature) {
            features.push(feature);
        }
    }
    assert!(features.len() <= FEATURES_MAX, "all features fit a model");
    features
}

/// What the catalogue has of the tape.
fn tape_features() -> Vec<Feature> {
    catalogue().filter(|feature| feature.reads_tape()).collect()
}

/// Every family at every depth and a few lengths of history.
fn catalogue() -> impl Iterator<Item = Feature> {
    CATALOGUE.iter().flat_map(|family| {
        let pattern = family.pattern;
        let names: Vec<String> = if pattern == "ofi_N_K" {
            let pairs = OFI_LEVELS.iter().flat_map(|n| OFI_UPDATES.iter().map(move |k| (n, k)));
            pairs.map(|(n, k)| format!("ofi_{n}_{k}")).collect()
        } else if let Some(family) = pattern.strip_suffix("_Tms") {
            WINDOWS_MS.iter().map(|t| format!("{family}_{t}ms")).collect()
        } else if let Some(family) = pattern.strip_suffix("_K") {
            MID_RETURNS.iter().map(|k| format!("{family}_{k}")).collect()
        } else if let Some(family) = pattern.strip_suffix("_N") {
            (1..=DEPTH_MAX).map(|n| format!("{family}_{n}")).collect()
        } else {
            vec![pattern.to_owned()]
        };
        names.into_iter().map(|name| name.parse().expect("the catalogue's patterns name features"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_features() {
        assert_eq!(parse_features("seed").unwrap(), SEED);
        let all = parse_features("all").unwrap();
        assert_eq!(all[..28], SEED);
        assert_eq!(all.len(), 128);
        let tape = parse_features("tape").unwrap();
        assert_eq!(tape.len(), 4 * (3 + 2) + 2);
        assert!(tape.iter().all(|feature| feature.reads_tape() && !all.contains(feature)));
        assert_eq!(parse_features("mid, imbalance_3").unwrap(), [Feature::Mid, Feature::Imbalance(3)]);
        for (text, message) in [
            ("mid,mid", "feature 'mid' is named twice"),
            ("", "unknown feature ''; `papertrader features --list` names all"),
            ("imbalance_11", "feature 'imbalance_11': the depth goes from 1 to 10"),
            ("seed,mid,bid_size_1", "feature 'bid_size_1' is named twice"),
            ("x = mid / 2, x = mid", "feature 'x' is named twice"),
            (
                "mid, x = ln(bid_sise_3)",
                "features[1] \"x\", column 4: unknown feature 'bid_sise_3'; the nearest is 'bid_size_3'",
            ),
            ("mid, max(mid, 3)", "features[1]: 'max(mid, 3)' needs a name: NAME = EXPRESSION"),
            ("bid_size_1 == 3", "features[0]: 'bid_size_1 == 3' needs a name: NAME = EXPRESSION"),
            (
                "3x = mid",
                "features[0]: '3x' is no name for an expression: letters, digits and _, no digit first, at most 64",
            ),
            (
                "mid = bid_price_1",
                "features[0]: an expression cannot be called 'mid': that is a feature of the catalogue",
            ),
            (
                "label = mid / 2",
                "an expression cannot be called 'label': tables of features have a column of that name",
            ),
            ("x = (mid", "features[0] \"x\", column 5: expected ')', found the end"),
        ] {
            assert_eq!(parse_features(text).unwrap_err().to_string(), message);
        }
        let split = parse_features("a = max(mid, clip(mid, 1, 2)), bid_size_1,b = mid / 2").unwrap();
        assert_eq!(split.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "bid_size_1", "b"]);
        assert_eq!(split[0].definition(), "a = max(mid, clip(mid, 1, 2))");
        let many: Vec<String> = (1..=129).map(|k| format!("mid_return_{k}")).collect();
        assert_eq!(
            parse_features(&many.join(",")).unwrap_err().to_string(),
            "129 features are too many; a model has at most 128"
        );
    }
    #[test]
    fn files_of_features() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.txt");
        let list = |text: &str| {
            std::fs::write(&path, text).unwrap();
            parse_features(&format!("@{}", path.display())).map_err(|error| error.to_string())
        };
        let read = list("# two\nmid # the middle\n\n  x = bid_size_1 - lag(bid_size_1, 3)\r\n").unwrap();
        assert_eq!(
            read.iter().map(Input::definition).collect::<Vec<_>>(),
            ["mid", "x = bid_size_1 - lag(bid_size_1, 3)"]
        );
        let shown = path.display();
        assert_eq!(
            list("\nmidd\n").unwrap_err(),
            format!("{shown}, line 2: unknown feature 'midd'; `papertrader features --list` names all")
        );
        assert_eq!(
            list("x = 1 +").unwrap_err(),
            format!("{shown}, line 1: \"x\", column 4: expected a number, a name or '(', found the end")
        );
        assert_eq!(
            list("#\n").unwrap_err(),
            format!("{shown} names no feature; write one a line, a name or NAME = EXPRESSION")
        );
        let missing = parse_features("@/none/such").unwrap_err().to_string();
        assert!(missing.starts_with("cannot read features /none/such: "), "{missing}");
    }
}
