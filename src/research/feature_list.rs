//! Lists of features as the command line names them.
//!
//! ```
//! use papertrader::research::feature_list::{FeatureListError, parse_features};
//! use papertrader::strategy::features::Feature;
//!
//! assert_eq!(parse_features("mid, imbalance_5")?, [Feature::Mid, Feature::Imbalance(5)]);
//! assert_eq!(parse_features("seed")?.len(), 28);
//! assert!(matches!(parse_features("mid,mid"), Err(FeatureListError::Twice(Feature::Mid))));
//! # Ok::<(), FeatureListError>(())
//! ```

use crate::strategy::features::{CATALOGUE, DEPTH_MAX, FEATURES_MAX, Feature, FeatureError, SEED};

/// What is wrong with a list of features.
#[derive(Debug, thiserror::Error)]
pub enum FeatureListError {
    /// A name.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// A name that comes twice.
    #[error("feature '{0}' is named twice")]
    Twice(Feature),
    /// Too many.
    #[error("{0} features are too many; a model has at most {FEATURES_MAX}")]
    TooMany(usize),
}

/// Numbers of updates that `all` stands for.
const MID_RETURNS: [u32; 3] = [1, 20, 100];
const OFI_LEVELS: [u8; 3] = [1, 5, 10];
const OFI_UPDATES: [u32; 3] = [1, 20, 100];
/// Milliseconds that `tape` stands for.
const WINDOWS_MS: [u32; 2] = [500, 5_000];

/// Reads a list of features: `seed` for the original program's 28, `all` for every family of the book at every depth and a few
/// lengths of history, `tape` for every family of the tape over a few windows, or names separated by commas.
///
/// # Errors
/// See [`FeatureListError`].
pub fn parse_features(text: &str) -> Result<Vec<Feature>, FeatureListError> {
    let features: Vec<Feature> = match text {
        "seed" => return Ok(SEED.to_vec()),
        "all" => return Ok(all_features()),
        "tape" => return Ok(tape_features()),
        names => names.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>()?,
    };
    if features.len() > FEATURES_MAX {
        return Err(FeatureListError::TooMany(features.len()));
    }
    for (index, feature) in features.iter().enumerate() {
        if features[..index].contains(feature) {
            return Err(FeatureListError::Twice(*feature));
        }
    }
    Ok(features)
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
        ] {
            assert_eq!(parse_features(text).unwrap_err().to_string(), message);
        }
        let many: Vec<String> = (1..=129).map(|k| format!("mid_return_{k}")).collect();
        assert_eq!(
            parse_features(&many.join(",")).unwrap_err().to_string(),
            "129 features are too many; a model has at most 128"
        );
    }
}
