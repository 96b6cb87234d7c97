//! What a model was trained on, as far as its file's provenance says: data of the same product and time is in sample.
//!
//! ```
//! use papertrader::strategy::trained_on::{Overlap, TrainedOn};
//!
//! let provenance = serde_json::json!({
//!     "product": "BTC-USD",
//!     "captures": [{"sha256": "90e2…", "first_ts_recv_ns": 0, "last_ts_recv_ns": 1000}],
//!     "training": {"span_ns": [0, 700]},
//! });
//! let trained = TrainedOn::of(&provenance);
//! // Half of what is looked at is of the training part.
//! assert_eq!(trained.overlap("BTC-USD", &[(600, 800)]), Some(Overlap { trained_ns: (0, 700), share: 0.5 }));
//! assert_eq!(trained.overlap("BTC-USD", &[(701, 1000)]), None);
//! assert_eq!(trained.overlap("ETH-USD", &[(0, 1000)]), None);
//! assert!(trained.has_file("BTC-USD", "90e2…"));
//! ```

use serde_json::Value;

/// A capture that a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// Of the file as it lay on disk, hexadecimal.
    sha256: Option<String>,
    /// Receive times of its first and last frame in the training part, Unix nanoseconds.
    span_ns: Option<(i64, i64)>,
}

/// What a model was trained on. Empty where its file says nothing that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrainedOn {
    /// Whether it names a capture at all.
    is_told: bool,
    product: Option<String>,
    parts: Vec<Part>,
}

/// How data overlaps what a model was trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// Receive times from the first to the last capture that overlaps, as far as they were trained on, Unix nanoseconds.
    pub trained_ns: (i64, i64),
    /// The share of the data's time that was trained on.
    pub share: f64,
}

/// How data stands to what a model was trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// The model's file does not say.
    Unknown,
    /// It is something else.
    Out,
    /// It was trained on.
    In {
        /// As far as product and receive times say; `None` where only the file's hash does.
        overlap: Option<Overlap>,
        /// Whether it is one of the very files.
        is_known_file: bool,
    },
}

/// What two closed spans of time share.
fn shared((a, b): (i64, i64), (c, d): (i64, i64)) -> Option<(i64, i64)> {
    let (from, to) = (a.max(c), b.min(d));
    (from <= to).then_some((from, to))
}

fn span_of(value: &Value) -> Option<(i64, i64)> {
    Some((value.get(0)?.as_i64()?, value.get(1)?.as_i64()?))
}

impl TrainedOn {
    /// Reads a model's provenance. What is not as `papertrader train` writes it counts as unknown.
    pub fn of(provenance: &Value) -> Self {
        let training = span_of(&provenance["training"]["span_ns"]);
        let test = span_of(&provenance["test"]["span_ns"]);
        let captures = provenance["captures"].as_array();
        let part = |capture: &Value| {
            let sha256 = capture["sha256"].as_str().map(ToOwned::to_owned);
            let whole = capture["first_ts_recv_ns"].as_i64().zip(capture["last_ts_recv_ns"].as_i64());
            let span_ns = match whole {
                Some(whole) => Some(trained(whole, training, test)?),
                None => None,
            };
            Some(Part { sha256, span_ns })
        };
        Self {
            is_told: captures.is_some_and(|captures| captures.iter().any(Value::is_object)),
            product: provenance["product"].as_str().map(ToOwned::to_owned),
            parts: captures.into_iter().flatten().filter_map(part).collect(),
        }
    }

    /// Whether nothing is known: the model's file names no capture, as that of a `.txt` model, which cannot.
    pub fn is_unknown(&self) -> bool {
        !self.is_told
    }

    /// How data of `product` stands to it that was received in these closed spans of time, in files with the hashes that are asked
    /// for where they matter.
    pub fn sample(&self, product: &str, spans_ns: &[(i64, i64)], hashes: impl FnOnce() -> Vec<String>) -> Sample {
        if self.is_unknown() {
            return Sample::Unknown;
        }
        let overlap = self.overlap(product, spans_ns);
        let is_known_file =
            (overlap.is_some() || self.needs_hashes()) && hashes().iter().any(|sha256| self.has_file(product, sha256));
        match (overlap, is_known_file) {
            (None, false) => Sample::Out,
            _ => Sample::In { overlap, is_known_file },
        }
    }

    /// Whether data of `product`, received in these closed spans of time, overlaps what was trained on.
    pub fn overlap(&self, product: &str, spans_ns: &[(i64, i64)]) -> Option<Overlap> {
        if self.product.as_deref() != Some(product) {
            return None;
        }
        let length = |(from, to): (i64, i64)| to as f64 - from as f64;
        let mut trained_ns: Option<(i64, i64)> = None;
        let mut shared_ns = 0.0;
        for part in self.parts.iter().filter_map(|part| part.span_ns) {
            for common in spans_ns.iter().filter_map(|&span| shared(span, part)) {
                shared_ns += length(common);
                let (from, to) = trained_ns.unwrap_or(part);
                trained_ns = Some((from.min(part.0), to.max(part.1)));
            }
        }
        let whole_ns: f64 = spans_ns.iter().copied().map(length).sum();
        // A single moment is wholly in what it overlaps.
        let share = if whole_ns > 0.0 { (shared_ns / whole_ns).min(1.0) } else { 1.0 };
        trained_ns.map(|trained_ns| Overlap { trained_ns, share })
    }

    /// Whether the file of this hash was trained on, for all that is known for `product`.
    pub fn has_file(&self, product: &str, sha256: &str) -> bool {
        let of_product = self.product.as_deref().is_none_or(|of| of == product);
        of_product && self.parts.iter().any(|part| part.sha256.as_deref() == Some(sha256))
    }

    /// Whether only hashes tell of some capture: its times, or the product, are unknown.
    pub fn needs_hashes(&self) -> bool {
        let untimed = |part: &Part| part.span_ns.is_none() || self.product.is_none();
        self.parts.iter().any(|part| part.sha256.is_some() && untimed(part))
    }
}

/// The part of a capture's time that was trained on; `None` if there is none.
fn trained(whole: (i64, i64), training: Option<(i64, i64)>, test: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (training, test.filter(|&test| shared(whole, test).is_some())) {
        (Some(training), _) => shared(whole, training),
        // An earlier file: it was trained on up to the test part.
        (None, Some((tested_from, _))) => (whole.0 < tested_from).then(|| (whole.0, tested_from - 1)),
        (None, None) => Some(whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn captures(more: Value) -> TrainedOn {
        let capture = |sha256: &str, from: i64, to: i64| json!({"sha256": sha256, "first_ts_recv_ns": from, "last_ts_recv_ns": to});
        let mut provenance =
            json!({"product": "A", "captures": [capture("a", 0, 99), capture("b", 200, 299), capture("c", 400, 499)]});
        provenance.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        TrainedOn::of(&provenance)
    }

    #[test]
    fn what_was_trained_on_ends_where_the_test_part_begins() {
        for trained in [
            captures(json!({"training": {"span_ns": [0, 249]}, "test": {"span_ns": [250, 480]}})),
            // Of an earlier version.
            captures(json!({"test": {"span_ns": [250, 480]}})),
        ] {
            for (span, share) in
                [((0, 299), Some(148.0 / 299.0)), ((100, 199), None), ((250, 600), None), ((249, 249), Some(1.0))]
            {
                assert_eq!(trained.overlap("A", &[span]).map(|overlap| overlap.share), share, "{span:?}");
            }
            assert_eq!(trained.overlap("A", &[(90, 210)]).map(|overlap| overlap.trained_ns), Some((0, 249)));
            assert_eq!(trained.overlap("B", &[(0, 299)]), None);
            // Nothing of the last was trained on.
            assert!(trained.has_file("A", "b") && !trained.has_file("A", "c") && !trained.has_file("B", "b"));
            assert!(!trained.needs_hashes());
        }
        // Tested on other captures, before these.
        let trained = captures(json!({"test": {"span_ns": [-100, -1]}}));
        assert_eq!(trained.overlap("A", &[(400, 499)]).map(|overlap| overlap.share), Some(1.0));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for provenance in
            [json!(null), json!("by hand"), json!({"captures": ["…"]}), json!({"captures": {"a": 1}, "product": 3})]
        {
            let trained = TrainedOn::of(&provenance);
            assert_eq!(trained.overlap("A", &[(0, 1)]), None, "{provenance}");
            assert!(!trained.has_file("A", "a") && !trained.needs_hashes());
            assert!(trained.is_unknown(), "{provenance}");
        }
        assert!(TrainedOn::default().is_unknown() && !captures(json!({})).is_unknown());
        let hashed = TrainedOn::of(&json!({"captures": [{"sha256": "a"}]}));
        assert!(hashed.needs_hashes() && hashed.has_file("A", "a"));
    }
}
