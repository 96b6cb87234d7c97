//! Settings of a sweep: what each came to over all captures, and what one is called.

use super::facts::{SettingFacts, SettingName};
use crate::report::text::{counted, plain};
use crate::sweep::result::{Setting, SweepResult};
use std::path::Path;

/// Which parts of a setting differ within its sweep: the others need not be named.
#[derive(Clone, Copy, Debug)]
pub struct Varying {
    pub amount: bool,
    pub latency: bool,
}

impl Varying {
    pub fn of(result: &SweepResult) -> Self {
        let differs = |of: fn(&Setting) -> String| result.settings.windows(2).any(|pair| of(&pair[0]) != of(&pair[1]));
        Self {
            amount: differs(|setting| plain(setting.buy_amount)),
            latency: differs(|setting| format!("{:?}", setting.order_latency_ns)),
        }
    }
}

/// A model's name: its file's without folder and ending, or its whole path where two would be called the same.
pub fn model_name(result: &SweepResult, model: u32) -> String {
    let stem = |path: &str| {
        Path::new(path).file_stem().map_or_else(|| path.into(), |stem| stem.to_string_lossy().into_owned())
    };
    let path = &result.models[model as usize].path;
    let is_same = |other: &&crate::sweep::result::SweptModel| stem(&other.path) == stem(path);
    if result.models.iter().filter(is_same).count() > 1 { path.clone() } else { stem(path) }
}

/// What a setting is called.
pub fn name_of(result: &SweepResult, setting: &Setting, varying: Varying) -> SettingName {
    let amount = varying.amount.then(|| format!(", {} per trade", plain(setting.buy_amount)));
    let latency = varying.latency.then(|| match setting.order_latency_ns {
        Some(ns) => format!(", {} ms to the venue", plain(ns as f64 / 1e6)),
        None => String::new(),
    });
    SettingName {
        model: model_name(result, setting.model),
        execution: format!("{}{}{}", setting.execution.name(), amount.unwrap_or_default(), latency.unwrap_or_default()),
    }
}

/// Sums over all captures, without what only the statistics know.
pub fn totals(result: &SweepResult, setting: &Setting, varying: Varying) -> SettingFacts {
    let rows = (0..result.captures.len()).map(|place| &result.rows_of(place)[setting.number as usize]);
    let mut facts = SettingFacts {
        number: setting.number,
        name: name_of(result, setting, varying),
        threshold: setting.threshold,
        lag_updates: setting.lag_updates,
        buy_amount: setting.buy_amount,
        order_latency_ns: setting.order_latency_ns,
        ..SettingFacts::default()
    };
    for row in rows {
        facts.trades += row.trades;
        facts.bought += row.bought;
        facts.gross_profit += row.gross_profit;
        facts.net_profit += row.net_profit;
        if let Some((doubtful, net_profit)) = row.doubtful.zip(row.doubtful_net_profit) {
            *facts.doubtful.get_or_insert_default() += doubtful;
            *facts.doubtful_net_profit.get_or_insert_default() += net_profit;
        }
    }
    let bps = |profit: f64| (facts.bought > 0.0).then(|| 1e4 * profit / facts.bought);
    (facts.gross_bps, facts.net_bps) = (bps(facts.gross_profit), bps(facts.net_profit));
    facts
}

/// A setting in a sentence.
pub fn in_words(setting: &SettingFacts) -> String {
    let SettingFacts { name, threshold, lag_updates, .. } = setting;
    let lag = counted((*lag_updates).into(), "update");
    format!("{}, {}, threshold {}, lag {lag}", name.model, name.execution, plain(*threshold))
}
