//! Model files of both kinds: an error, or a model that is what the file says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use papertrader::strategy::features::Input;
use papertrader::strategy::model::{Model, ModelFile};
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for name in ["m.txt", "m.json"] {
        match Model::parse(Path::new(name), text) {
            Err(error) => assert!(error.to_string().starts_with("model m."), "{error}"),
            Ok(model) => {
                let count = model.features.len();
                assert!((1..=128).contains(&count) && model.coefficients.len() == count);
                assert!(model.intercept.is_finite() && model.coefficients.iter().all(|number| number.is_finite()));
                assert!(model.threshold.is_none_or(|threshold| threshold > 0.0 && threshold < 1.0));
                // Written and read again it is the same model.
                let file = ModelFile {
                    features: model.features.iter().map(Input::definition).collect(),
                    intercept: model.intercept,
                    coefficients: model.coefficients.clone(),
                    mean: None,
                    scale: None,
                    horizon_updates: model.horizon_updates,
                    threshold: model.threshold,
                    provenance: None,
                };
                let text = serde_json::to_string(&file).expect("finite numbers");
                let again = Model::parse(Path::new("again.json"), &text).expect("it was good");
                assert_eq!((again.features, again.coefficients), (model.features, model.coefficients));
                assert_eq!((again.intercept, again.threshold), (model.intercept, model.threshold));
            }
        }
    }
});
