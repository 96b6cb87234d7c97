//! What the model looks at: how much weight it gives, and how far this run lies from what it was trained on.

use super::NOT_OBSERVED;
use crate::report::chart::axis::{extent, fixed};
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Slot};
use crate::report::material::Material;
use crate::report::trades::go_forward;
use crate::run::observe::QuantityDrift;
use crate::statistics::drift::SHIFTED;

/// The most features in a figure; the table has all.
const SHOWN: usize = 40;
/// Pixels for a feature and for the rest of its figure.
const ROW: u32 = 17;
const REST: u32 = 66;

/// A feature of the model, in the model and in the run.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureFacts {
    /// Its name.
    pub name: String,
    /// Its weight, a scaler folded in.
    pub coefficient: Option<f64>,
    /// What a change by one standard deviation adds to the logit: of the training rows, else of this run's.
    pub standardised_weight: Option<f64>,
    /// Over the rows trained on.
    pub trained_mean: Option<f64>,
    /// Over the rows trained on.
    pub trained_scale: Option<f64>,
    /// Over this run.
    pub mean: Option<f64>,
    /// Over this run.
    pub standard_deviation: Option<f64>,
    /// How many of the training's deviations this run's mean lies above the training's.
    pub drift: Option<f64>,
}

/// All features of the run's model, in its order.
pub fn feature_facts(material: &Material) -> Vec<FeatureFacts> {
    let Some(run) = &material.run else { return Vec::new() };
    let moments = run.observed.as_ref().map_or(&[][..], |observed| &observed.features.features);
    let facts = run.settings.model.features.iter().enumerate().map(|(at, feature)| {
        let moments = moments.get(at).filter(|moments| moments.name == feature.name);
        let mean = moments.and_then(|moments| moments.mean);
        let standard_deviation = moments.and_then(|moments| moments.standard_deviation);
        let drift = mean.zip(feature.trained_mean).zip(feature.trained_scale);
        FeatureFacts {
            name: feature.name.clone(),
            coefficient: feature.coefficient,
            standardised_weight: feature
                .trained_scale
                .or(standard_deviation)
                .and_then(|scale| Some(feature.coefficient? * scale))
                .filter(|weight| weight.is_finite()),
            trained_mean: feature.trained_mean,
            trained_scale: feature.trained_scale,
            mean,
            standard_deviation,
            drift: drift.map(|((mean, trained), scale)| (mean - trained) / scale).filter(|drift| drift.is_finite()),
        }
    });
    facts.collect()
}

pub fn figures(material: &Material) -> Vec<Slot> {
    let facts = feature_facts(material);
    vec![over_time(material), weights(&facts), drifts(&facts)]
}

/// Features in the figure of drift over time, besides the score.
const FARTHEST: usize = 3;

fn over_time(material: &Material) -> Slot {
    let title = "Drift from the training, over time";
    let Some(observed) = material.run.as_ref().and_then(|run| run.observed.as_ref()) else {
        return Slot::missing(title, NOT_OBSERVED);
    };
    let Some(drift) = &observed.drift else {
        let why = "The model file has no training_distribution, which papertrader train writes.";
        return Slot::missing(title, why);
    };
    if drift.score.psi.is_none() {
        return Slot::missing(title, "The model was not evaluated once.");
    }
    let ends = observed.book.ts_recv_ns.last().zip(observed.book.sequence.last());
    let (last_ns, last_sequence) = ends.map_or((i64::MIN, 0), |(ns, sequence)| (*ns, *sequence));
    let timed = go_forward(&drift.ts_recv_ns) && drift.ts_recv_ns.last().is_some_and(|&begin| begin < last_ns);
    let begins: Vec<f64> = if timed {
        let from_start_s = |ns: i64| ns.saturating_sub(drift.ts_recv_ns[0]) as f64 / 1e9;
        drift.ts_recv_ns.iter().copied().chain([last_ns]).map(from_start_s).collect()
    } else {
        let end = last_sequence.max(drift.sequence.last().copied().unwrap_or(0) + 1);
        drift.sequence.iter().copied().chain([end]).map(|sequence| sequence as f64).collect()
    };
    let farthest: Vec<&QuantityDrift> = drift.farthest().iter().take(FARTHEST).map(|&at| &drift.features[at]).collect();
    // The score last: it lies on the others.
    let shown = || {
        let features = farthest.iter().enumerate().map(|(at, &quantity)| (quantity, Ink::Series(at as u8), 1.5));
        features.chain([(&drift.score, Ink::Text, 2.5)])
    };
    let steps = |quantity: &QuantityDrift| -> Vec<(f64, f64)> {
        let places = drift.shown(quantity).iter().zip(begins.windows(2));
        places.filter_map(|(psi, ends)| psi.map(|psi| [(ends[0], psi), (ends[1], psi)])).flatten().collect()
    };
    let mut figure = Figure::whole("fig-psi", title, 300, |size| {
        let greatest = shown().flat_map(|(quantity, ..)| drift.shown(quantity).iter().flatten()).copied().fold(SHIFTED, f64::max);
        let range = (begins[0], begins[drift.shown(&drift.score).len()]);
        let x = match timed {
            true => Axis::seconds("time since the first evaluation", range, size.x_labels()),
            false => Axis::whole("frames of the book since the session began", range, size.x_labels()),
        };
        let shift = Mark::Rule((x.range.0, SHIFTED), (x.range.1, SHIFTED), Ink::Muted);
        let lines = shown().map(|(quantity, ink, width)| Mark::Line(steps(quantity), ink, width));
        let marks = std::iter::once(shift).chain(lines).collect();
        vec![Panel { x, y: Axis::from_zero("population stability index", greatest, 5), weight: 1.0, marks }]
    })
    .caption(format!(
        "Each window against the training, {} evaluations long. Dashed: {SHIFTED}, by custom a shift; what the training's own \
         stretches came to is in the table.",
        fixed(drift.evaluations_per_window as f64, 0)
    ));
    for (quantity, ink, _) in shown() {
        figure = figure.legend(ink, quantity.name.clone());
    }
    figure.slot()
}

/// Horizontal bars, the first name on top.
fn bars(id: &'static str, title: &str, x_title: &str, rows: &[(String, f64)]) -> Figure {
    let height = REST + ROW * rows.len() as u32;
    let (low, high) = extent(rows.iter().map(|&(_, value)| value).chain([0.0]));
    Figure::half_tall(id, title, height, |_| {
        let place = |at: usize| (rows.len() - 1 - at) as f64;
        let bar = |at: usize| [(0.0, place(at) - 0.36), (rows[at].1, place(at) + 0.36)];
        let side = |rises: bool| (0..rows.len()).filter(|&at| (rows[at].1 > 0.0) == rises).map(bar).collect();
        let y = Axis::names("", rows.iter().rev().map(|(name, _)| name.clone()));
        let zero = Mark::Rule((0.0, y.range.0), (0.0, y.range.1), Ink::Muted);
        vec![Panel {
            x: Axis::linear(x_title, (low, high), 6),
            y,
            weight: 1.0,
            marks: vec![Mark::Bars(side(true), Ink::Up, 0.85), Mark::Bars(side(false), Ink::Down, 0.85), zero],
        }]
    })
}

/// By what is asked of them, the largest first, at most [`SHOWN`].
fn largest(facts: &[FeatureFacts], of: impl Fn(&FeatureFacts) -> Option<f64>) -> Vec<(String, f64)> {
    let mut rows: Vec<(String, f64)> =
        facts.iter().filter_map(|feature| Some((feature.name.clone(), of(feature)?))).collect();
    rows.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    rows.truncate(SHOWN);
    rows
}

fn weights(facts: &[FeatureFacts]) -> Slot {
    let title = "Weights of the features";
    let rows = largest(facts, |feature| feature.standardised_weight);
    if facts.iter().all(|feature| feature.coefficient.is_none()) {
        return Slot::missing(title, "The model is not linear: it has no weights.");
    }
    if rows.is_empty() {
        return Slot::missing(title, "The spread of the features is not known.");
    }
    let trained = facts.iter().any(|feature| feature.trained_scale.is_some());
    let spread = if trained { "of the training rows" } else { "of this run, since the model file has no scaler" };
    let dropped = if facts.len() > rows.len() { format!(" The {} largest.", rows.len()) } else { String::new() };
    bars("fig-weights", title, "change of the logit per standard deviation", &rows)
        .caption(format!("Standard deviations {spread}.{dropped}"))
        .slot()
}

fn drifts(facts: &[FeatureFacts]) -> Slot {
    let title = "Drift of the features";
    let rows = largest(facts, |feature| feature.drift);
    if rows.is_empty() {
        let why = "The model file does not say what the features were like where it was trained (mean, scale).";
        return Slot::missing(title, why);
    }
    bars("fig-drift", title, "this run's mean − training's, in training deviations", &rows)
        .caption("Far from 0 the model sees what it was not trained on.")
        .slot()
}
