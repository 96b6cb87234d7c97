//! The sentence that stands before all others where a model is judged by what it was trained on, or nobody knows whether it is.
//!
//! ```
//! use papertrader::report::in_sample::in_sample;
//! use papertrader::strategy::trained_on::TrainedOn;
//!
//! let capture = serde_json::json!({"sha256": "90e2", "first_ts_recv_ns": 0, "last_ts_recv_ns": 60_000_000_000_i64});
//! let trained = TrainedOn::of(&serde_json::json!({"product": "BTC-USD", "captures": [capture]}));
//! let said = in_sample("the model", &trained, "BTC-USD", &[(0, 120_000_000_000)], Vec::new);
//! assert!(said.unwrap().starts_with("In sample: the model was trained on BTC-USD from 1970-01-01T00:00:00Z to "));
//! assert_eq!(in_sample("the model", &trained, "ETH-USD", &[(0, 1)], Vec::new), None);
//! let said = in_sample("the model", &TrainedOn::default(), "ETH-USD", &[(0, 1)], Vec::new);
//! assert!(said.unwrap().starts_with("Not known whether this is in sample: the file of the model does not say "));
//! ```

use crate::report::text::utc;
use crate::strategy::trained_on::{Overlap, Sample, TrainedOn};

/// Says of `whom`, a model, that it was trained on what it is judged by: captures of `product`, received in `spans_ns` and
/// with the `hashes` that are asked for where they matter; or that its file does not tell. `None` where it was trained on
/// something else.
pub fn in_sample(
    whom: &str,
    trained: &TrainedOn,
    product: &str,
    spans_ns: &[(i64, i64)],
    hashes: impl FnOnce() -> Vec<String>,
) -> Option<String> {
    let what = match trained.sample(product, spans_ns, hashes) {
        Sample::Unknown => {
            return Some(format!(
                "Not known whether this is in sample: the file of {whom} does not say what it was trained on."
            ));
        }
        Sample::Out => return None,
        Sample::In { overlap: None, .. } => "this very file".into(),
        Sample::In { overlap: Some(Overlap { trained_ns: (from, to), share }), is_known_file } => format!(
            "{product} from {} to {}, {:.1} % of the time looked at here{}",
            utc(from),
            utc(to),
            100.0 * share,
            if is_known_file { ", and on this very file" } else { ", by product and receive time" }
        ),
    };
    Some(format!("In sample: {whom} was trained on {what}; these figures say little about other data."))
}
