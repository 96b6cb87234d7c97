//! Model files of all kinds: an error, or a model that is what the file says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use papertrader::strategy::features::Input;
use papertrader::strategy::model::{Model, ModelFile, ModelOptions};
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    for name in ["m.ubj", "m.onnx"] {
        match Model::parse_bytes(Path::new(name), bytes, &ModelOptions::default()) {
            Err(error) => assert!(error.to_string().starts_with("model m."), "{error}"),
            Ok(mut model) => {
                let row = vec![0.5; model.features.len()];
                assert_eq!(model.logit_of_row(&row).to_bits(), model.logit_of_row(&row).to_bits());
            }
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for name in ["m.txt", "m.json"] {
        match Model::parse(Path::new(name), text) {
            Err(error) => assert!(error.to_string().starts_with("model m."), "{error}"),
            Ok(mut model) => {
                let count = model.features.len();
                // A library's has no file of ours.
                let Some(linear) = model.linear().cloned() else {
                    assert!((1..=128).contains(&count));
                    let _ = model.logit_of_row(&vec![0.5; count]);
                    continue;
                };
                assert!((1..=128).contains(&count) && linear.coefficients.len() == count);
                assert!(linear.intercept.is_finite() && linear.coefficients.iter().all(|number| number.is_finite()));
                assert!(model.threshold.is_none_or(|threshold| threshold > 0.0 && threshold < 1.0));
                // Written and read again it is the same model.
                let file = ModelFile {
                    features: model.features.iter().map(Input::definition).collect(),
                    intercept: linear.intercept,
                    coefficients: linear.coefficients.clone(),
                    horizon_updates: model.horizon_updates,
                    label: model.label.map(|label| label.to_string()),
                    ties: model.ties,
                    threshold: model.threshold,
                    training_distribution: model.distribution.as_deref().cloned(),
                    ..ModelFile::default()
                };
                let text = serde_json::to_string(&file).expect("finite numbers");
                let again = Model::parse(Path::new("again.json"), &text).expect("it was good");
                let again_linear = again.linear().expect("it was linear");
                assert_eq!((&again.features, &again_linear.coefficients), (&model.features, &linear.coefficients));
                assert_eq!((again_linear.intercept, again.threshold), (linear.intercept, model.threshold));
            }
        }
    }
});
