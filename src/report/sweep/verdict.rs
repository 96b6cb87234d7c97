//! What is said first of a sweep.

use super::facts::{Finding, SettingFacts, SweepReport, Verdict, has_slices};
use super::settings::in_words;
use crate::execution::fees::{LOWEST_TAKER_FEE_BPS, Turnover};
use crate::report::chart::axis::fixed;
use crate::report::text::{amount, basis_points, counted, plain, signed};
use crate::report::trades::TRADES_MIN;
use crate::statistics::blocks::BLOCKS_MIN;
use crate::statistics::overfitting::SLICES_MIN;
use crate::sweep::result::InSample;

/// A deflated Sharpe ratio from here on is more than luck.
pub const SURE: f64 = 0.95;
/// A p of the reality check up to here is more than luck.
pub const RARE: f64 = 0.05;
/// From here on the choice among settings is hardly better than a blind one.
const BLIND: f64 = 0.4;
/// Up to here it carries over.
const SEEING: f64 = 0.2;

/// Of a report whose numbers are there.
pub fn verdict(report: &SweepReport) -> Verdict {
    let finding = finding(report);
    Verdict { finding, in_sample: in_sample(report), sentences: sentences(report, finding) }
}

fn finding(report: &SweepReport) -> Finding {
    if report.counts.captures == 0 {
        return Finding::NoCaptures;
    }
    let Some(best) = report.best() else { return Finding::NoTrades };
    let (Some(deflated), Some(check)) = (report.deflated, report.reality_check) else { return Finding::TooLittle };
    let by_tests = match (deflated.probability >= SURE, check.spa.consistent <= RARE) {
        _ if !has_slices(best) => Finding::TooLittle,
        _ if deflated.sharpe <= 0.0 => Finding::Loss,
        (true, true) => Finding::Survives,
        (false, false) => Finding::Luck,
        _ => Finding::Open,
    };
    let at_lowest = at_lowest_fee(report, best);
    match by_tests {
        // As a run is not judged without one either.
        Finding::Survives | Finding::Open if best.net_bps_interval.is_none() => Finding::TooLittle,
        Finding::Survives | Finding::Open if at_lowest.is_some_and(|bps| bps <= 0.0) => Finding::BeforeFeesOnly,
        Finding::Survives
            if at_lowest.is_some()
                || is_in_sample(report)
                || report.counts.captures_twice > 0
                || best.doubtful == Some(best.trades)
                || best.doubtful_net_profit.is_some_and(|doubtful| best.net_profit <= doubtful) =>
        {
            Finding::Open
        }
        finding => finding,
    }
}

/// What a setting earns per trade at the lowest published taker fee, basis points, where less was counted.
fn at_lowest_fee(report: &SweepReport, setting: &SettingFacts) -> Option<f64> {
    let SettingFacts { bought, gross_profit, .. } = *setting;
    let turnover = Turnover { bought, sold: bought + gross_profit };
    let net = turnover.net(gross_profit, LOWEST_TAKER_FEE_BPS);
    turnover.over_bought_bps(net).filter(|_| report.fee_bps < LOWEST_TAKER_FEE_BPS)
}

/// Whether the best setting's model was trained on every capture here.
fn is_in_sample(report: &SweepReport) -> bool {
    report.captures.iter().all(|capture| capture.in_sample == InSample::Yes)
}

/// The best of so many settings, or the one there is.
fn subject(report: &SweepReport) -> String {
    match report.counts.settings {
        1 => "the one setting".into(),
        more => format!("the best of {}", counted(more as u64, "setting")),
    }
}

fn sentences(report: &SweepReport, finding: Finding) -> Vec<String> {
    let settings = report.counts.settings;
    match (finding, report.best()) {
        (Finding::NoCaptures, _) => {
            vec!["No capture could be read to its end: there is nothing to judge.".into()]
        }
        (Finding::NoTrades, _) | (_, None) => {
            let none = if settings == 1 {
                "The one setting does not close".into()
            } else {
                format!("None of the {} closes", counted(settings as u64, "setting"))
            };
            vec![format!("{none} a trade: there is nothing to judge.")]
        }
        (_, Some(best)) => {
            let mut sentences = vec![first(report, finding, best), which(report, best)];
            sentences.extend(richest(report, best));
            sentences.extend(halves(report, finding));
            sentences.extend(across(report, best));
            sentences.extend(doubtful(best));
            sentences.extend(below_all_fees(report, finding));
            sentences
        }
    }
}

/// The verdict.
fn first(report: &SweepReport, finding: Finding, best: &SettingFacts) -> String {
    let subject = subject(report);
    let (Some(deflated), Some(check), false) = (report.deflated, report.reality_check, finding == Finding::TooLittle)
    else {
        if has_slices(best) {
            return format!(
                "Too little to judge: {subject} has no interval; {TRADES_MIN} trades and {BLOCKS_MIN} blocks of time are needed."
            );
        }
        return format!(
            "Too little to judge: {subject} trades in {} of {} of time, and {SLICES_MIN} are needed.",
            best.slices_traded,
            counted(report.counts.slices as u64, "slice"),
        );
    };
    let (probability, p) = (fixed(deflated.probability, 3), fixed(check.spa.consistent, 4));
    let numbers = if report.counts.settings == 1 {
        format!(
            "probability {probability} that its Sharpe ratio is above 0 (more than luck from {SURE} on), reality check p = {p} (more than \
             luck up to {RARE})"
        )
    } else {
        format!(
            "deflated Sharpe ratio {probability} (more than luck from {SURE} on), reality check p = {p} (more than luck up to {RARE})"
        )
    };
    match finding {
        Finding::Survives => format!("{} is better than luck: {numbers}.", capital(&subject)),
        Finding::BeforeFeesOnly => {
            let bps =
                |value: Option<f64>| value.map_or_else(|| "nothing".into(), |bps| signed(bps, &basis_points(bps)));
            format!(
                "No gain after fees: {subject} by Sharpe ratio earns {} bp per trade before fees, and {} bp at {LOWEST_TAKER_FEE_BPS} bp \
                 per side, the lowest published taker fee. By the fees counted here: {numbers}.",
                bps(best.gross_bps),
                bps(at_lowest_fee(report, best)),
            )
        }
        Finding::Luck if report.counts.settings == 1 => {
            format!("What the one setting earns is what luck gives: {numbers}.")
        }
        Finding::Luck => format!("{} is what luck gives: {numbers}.", capital(&subject)),
        Finding::Loss if report.counts.settings == 1 => format!("The one setting earns nothing {}.", fees(report)),
        Finding::Loss => {
            let settings = counted(report.counts.settings as u64, "setting");
            format!("None of the {settings} earns anything {}.", fees(report))
        }
        _ => format!("It is open whether {subject} is better than luck: {numbers}."),
    }
}

/// What net profits are net of.
fn fees(report: &SweepReport) -> &'static str {
    if report.fee_bps == 0.0 && report.fees.is_none() { "with no fees counted" } else { "after fees" }
}

/// That fees were counted which nobody charges.
fn below_all_fees(report: &SweepReport, finding: Finding) -> Option<String> {
    let is_judged = matches!(finding, Finding::Survives | Finding::Open | Finding::Luck);
    (is_judged && report.fee_bps < LOWEST_TAKER_FEE_BPS).then(|| {
        format!(
            "The fee counted is below {LOWEST_TAKER_FEE_BPS} bp per side, the lowest published taker fee: sweep again with it to judge \
             what a taker keeps."
        )
    })
}

/// That some of its trades are none that a market would have made.
fn doubtful(best: &SettingFacts) -> Option<String> {
    let SettingFacts { doubtful, doubtful_net_profit, net_profit, trades, .. } = *best;
    let (doubtful, doubtful_net_profit) = doubtful.zip(doubtful_net_profit).filter(|&(doubtful, _)| doubtful > 0)?;
    let money = |value: f64| signed(value, &amount(value));
    let without = match trades.saturating_sub(doubtful) {
        0 => "There are no others.".into(),
        others => format!(
            "The net profit is {} with them, and {} in the {} without.",
            money(net_profit),
            money(net_profit - doubtful_net_profit),
            counted(others, "trade")
        ),
    };
    Some(format!(
        "{} of its {} no market would have made like that: held across a gap, from liquidity taken before, or of less than a lot. {without}",
        plain(doubtful as f64),
        counted(trades, "trade"),
    ))
}

/// Which setting it is, and what it earns.
fn which(report: &SweepReport, best: &SettingFacts) -> String {
    let bps = |value: f64| signed(value, &basis_points(value));
    let net =
        best.net_bps.map_or_else(|| "nothing".into(), |net| format!("{} bp per trade {}", bps(net), fees(report)));
    let interval = best.net_bps_interval.map(|ends| format!(" (95% interval {} to {})", bps(ends.low), bps(ends.high)));
    let subject = if report.counts.settings == 1 { "It is" } else { "The best by Sharpe ratio is" };
    format!(
        "{subject} {}: {net}{} in {} over {}.",
        in_words(best),
        interval.unwrap_or_default(),
        counted(best.trades, "trade"),
        counted(report.counts.captures as u64, "capture"),
    )
}

/// The setting with the most profit where it is another one.
fn richest(report: &SweepReport, best: &SettingFacts) -> Option<String> {
    let richest =
        report.most_profit.as_ref().filter(|richest| richest.number != best.number && richest.net_profit > 0.0)?;
    let net = richest.net_bps?;
    Some(format!(
        "The most profit is that of {}: {} bp per trade in {}, rank {} by Sharpe ratio.",
        in_words(richest),
        signed(net, &basis_points(net)),
        counted(richest.trades, "trade"),
        plain(richest.rank)
    ))
}

/// What a choice on one half of the time is worth on the other.
fn halves(report: &SweepReport, finding: Finding) -> Option<String> {
    let found = report.cross_validation.as_ref().filter(|_| finding != Finding::Loss)?;
    let so = match finding {
        Finding::Survives if found.probability >= BLIND => {
            " An edge survives, the choice of one setting among its neighbours does not."
        }
        Finding::Survives if found.probability <= SEEING => " The choice carries over.",
        Finding::Survives => " The choice carries over in part.",
        _ => "",
    };
    Some(format!(
        "Chosen on one half of the time, the best setting is below the median on the other with probability {}, and loses money \
         there with probability {}.{so}",
        fixed(found.probability, 3),
        fixed(found.loss_probability, 3)
    ))
}

/// How even it is over captures.
fn across(report: &SweepReport, best: &SettingFacts) -> Option<String> {
    let captures = &report.captures;
    if captures.len() < 2 || report.counts.settings < 2 {
        return None;
    }
    let earns = captures.iter().filter(|capture| capture.best_net_bps.is_some_and(|net| net > 0.0)).count();
    Some(format!(
        "It earns in {earns} of {} captures; its worst rank in one is {} of {}.",
        captures.len(),
        plain(best.rank_worst),
        report.counts.settings
    ))
}

/// What stands before all else: a model judged by what it was trained on.
fn in_sample(report: &SweepReport) -> Option<String> {
    let counts = &report.counts;
    if counts.pairs == 0 {
        return None;
    }
    if counts.pairs_in_sample == counts.pairs {
        return Some("In sample: every model was trained on every capture here. Nothing below says what a setting earns on other data.".into());
    }
    let model = &report.best()?.name.model;
    let of = |is: InSample| report.captures.iter().filter(|capture| capture.in_sample == is).count();
    let (trained, unknown) = (of(InSample::Yes), of(InSample::Unknown));
    if trained == counts.captures {
        return Some(format!(
            "In sample: the model of the best setting, {model}, was trained on every capture here. The verdict says nothing of other data."
        ));
    }
    if trained > 0 {
        return Some(format!(
            "In sample in part: the model of the best setting, {model}, was trained on {trained} of {} captures.",
            counts.captures
        ));
    }
    let others = counts.pairs_in_sample > 0;
    match unknown {
        0 if others => Some(format!(
            "Of {} pairs of model and capture {} are in sample; the best setting’s are not.",
            counts.pairs, counts.pairs_in_sample
        )),
        0 => None,
        _ => Some(format!(
            "Not known whether this is in sample: the file of {model} does not say what it was trained on."
        )),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
