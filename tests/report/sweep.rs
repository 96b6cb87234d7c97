//! Pages of sweeps: what is said of noise, of an edge and of what cannot be judged, and that the page says what its JSON has.

use crate::common::{figures, keys, papertrader, succeed};
use crate::support::at;
use papertrader::report::sweep::numbers::Finding;
use papertrader::report::sweep::{SweepReport, page, terminal};
use papertrader::sweep::result::{
    BrokenCapture, Execution, InSample, Row, Setting, SweepResult, SweptCapture, SweptModel,
};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::fs;

const SLICES: usize = 64;

/// What a sweep is to be like.
struct Grid {
    models: u32,
    thresholds: u32,
    lags: u32,
    captures: u32,
    /// Basis points per trade of all settings, and of those of the first model with the first lag.
    mean_bps: f64,
    edge_bps: f64,
    in_sample: Vec<Vec<InSample>>,
    /// Captures in which nobody trades.
    empty: Vec<u32>,
    /// Slices in which anybody trades.
    traded_slices: usize,
    /// Doubtful trades of a row, and their share of its net profit.
    doubtful: Option<(u64, f64)>,
    seed: u64,
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            models: 2,
            thresholds: 5,
            lags: 3,
            captures: 3,
            mean_bps: 0.0,
            edge_bps: 0.0,
            in_sample: Vec::new(),
            empty: Vec::new(),
            traded_slices: SLICES,
            doubtful: None,
            seed: 1,
        }
    }
}

impl Grid {
    fn settings(&self) -> Vec<Setting> {
        let of_model = |model| {
            (0..self.thresholds).flat_map(move |threshold| {
                (0..self.lags).map(move |lag| Setting {
                    number: (model * self.thresholds + threshold) * self.lags + lag,
                    model,
                    threshold: 0.5 + 0.05 * f64::from(threshold),
                    lag_updates: 5 * (lag + 1),
                    buy_amount: 100.0,
                    execution: if model % 2 == 0 { Execution::Original } else { Execution::Taker },
                    order_latency_ns: None,
                })
            })
        };
        (0..self.models).flat_map(of_model).collect()
    }

    fn result(&self) -> SweepResult {
        let settings = self.settings();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        // Nearly normal: the sum of twelve uniform numbers less six.
        let mut normal = || (0..12).map(|_| (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64).sum::<f64>() - 6.0;
        let mut rows = Vec::new();
        for capture in 0..self.captures {
            for setting in &settings {
                let has_edge = setting.model == 0 && setting.lag_updates == 5;
                let mean_bps = self.mean_bps + if has_edge { self.edge_bps } else { 0.0 };
                let trades = if self.empty.contains(&capture) { 0 } else { self.traded_slices };
                let net = |slice| if slice < trades { 100.0 * (mean_bps + normal()) / 1e4 } else { 0.0 };
                let slice_net: Vec<f64> = (0..SLICES).map(net).collect();
                let slice_bought = (0..SLICES).map(|slice| if slice < trades { 100.0 } else { 0.0 }).collect();
                let (net, bought) = (slice_net.iter().sum::<f64>(), 100.0 * trades as f64);
                let bps = |profit: f64| (bought > 0.0).then(|| 1e4 * profit / bought);
                rows.push(Row {
                    capture,
                    setting: setting.number,
                    trades: trades as u64,
                    winners: 0,
                    win_rate: None,
                    bought,
                    gross_profit: net + bought / 1e4,
                    net_profit: net,
                    gross_bps: bps(net + bought / 1e4),
                    net_bps: bps(net),
                    gross_bps_interval: None,
                    net_bps_interval: None,
                    blocks: None,
                    break_even_fee_bps: None,
                    drawdown_max: 0.0,
                    held_s_p50: None,
                    open: 0,
                    orders: None,
                    fill_rate: None,
                    fees: None,
                    finding: None,
                    doubtful: self.doubtful.map(|(trades, _)| trades),
                    doubtful_net_profit: self.doubtful.map(|(_, share)| share * net),
                    slice_net,
                    slice_bought,
                });
            }
        }
        let capture = |number: u32| SweptCapture {
            number,
            path: format!("captures/{number}.l2"),
            sha256: format!("cd{number}"),
            beside_sha256: None,
            bytes: 1,
            product: "BTC-USD".into(),
            frames: 100,
            frames_live: 100,
            live_ns: Some((0, 1_000)),
            faults: 0,
            price_decimals: 2,
            size_decimals: 8,
            in_sample: (0..self.models as usize)
                .map(|model| self.in_sample.get(number as usize).map_or(InSample::No, |of| of[model]))
                .collect(),
            remarks: Vec::new(),
        };
        let model = |model| SweptModel { path: format!("models/m{model}.json"), sha256: "ab".into(), features: 2 };
        SweepResult {
            program_version: "0.1.0".into(),
            fee_bps: 0.5,
            fees: None,
            slices: SLICES as u32,
            models: (0..self.models).map(model).collect(),
            settings,
            captures: (0..self.captures).map(capture).collect(),
            broken: Vec::new(),
            rows,
        }
    }

    fn report(&self) -> SweepReport {
        SweepReport::of("grid", &self.result())
    }
}

/// The verdict's finding and its sentences in one.
fn verdict(report: &SweepReport) -> (Finding, String) {
    let all = report.verdict.in_sample.iter().chain(&report.verdict.sentences);
    (report.verdict.finding, all.cloned().collect::<Vec<String>>().join(" "))
}

fn is_said(report: &SweepReport, finding: Finding, parts: &[&str]) {
    let (found, text) = verdict(report);
    assert_eq!(found, finding, "{text}");
    for part in parts {
        assert!(text.contains(part), "no '{part}' in '{text}'");
        // What is said first stands on the page and in the terminal.
        let shown = papertrader::report::html::escaped(part);
        assert!(page(report).contains(&shown) && terminal(report).contains(part), "{part}");
    }
}

#[test]
fn noise_is_called_luck_and_an_edge_is_not() {
    let noise = Grid::default().report();
    is_said(
        &noise,
        Finding::Luck,
        &["The best of 30 settings is what luck gives: deflated Sharpe ratio 0.", "reality check p = 0."],
    );
    assert!(page(&noise).contains("<section id=\"verdict\" data-finding=\"loss\">"));

    let edge = Grid { edge_bps: 0.8, ..Grid::default() }.report();
    let parts = [
        "The best of 30 settings is better than luck: deflated Sharpe ratio ",
        "(more than luck from 0.95 on), reality check p = 0.0005 (more than luck up to 0.05).",
        "The best by Sharpe ratio is m0, original, threshold 0.",
        "lag 5 updates: +0.",
        "in 192 trades over 3 captures.",
        "It earns in 3 of 3 captures; its worst rank in one is ",
    ];
    is_said(&edge, Finding::Survives, &parts);
    assert!(page(&edge).contains("<section id=\"verdict\" data-finding=\"gain\">"));
    // All five thresholds with that lag have the same edge: which of them is best is chance.
    let best = &edge.top[..5];
    assert!(best.iter().all(|setting| setting.lag_updates == 5 && setting.name.model == "m0"), "{best:?}");
    assert!(best.iter().all(|setting| setting.net_bps_interval.is_some_and(|ends| ends.low > 0.0)));
    assert!(edge.cross_validation.as_ref().is_some_and(|found| found.probability < 0.05));
    assert_eq!(
        (edge.maps.len(), edge.maps[0].thresholds.len(), &edge.maps[0].lags_updates[..]),
        (2, 5, &[5, 10, 15][..])
    );
}

/// Of 40 sweeps of noise few survive: each of both tests lets one in twenty through.
#[test]
fn noise_hardly_ever_survives() {
    let survives =
        |seed| Grid { seed, models: 1, captures: 1, ..Grid::default() }.report().verdict.finding == Finding::Survives;
    assert!((100..140).filter(|&seed| survives(seed)).count() <= 4);
}

#[test]
fn fees_that_eat_everything_are_a_loss() {
    let loss = Grid { mean_bps: -2.0, ..Grid::default() }.report();
    is_said(
        &loss,
        Finding::Loss,
        &[
            "None of the 30 settings earns anything after fees.",
            "The best by Sharpe ratio is m",
            "It earns in 0 of 3 captures",
        ],
    );
    let one = Grid { mean_bps: -2.0, models: 1, thresholds: 1, lags: 1, ..Grid::default() }.report();
    is_said(
        &one,
        Finding::Loss,
        &["The one setting earns nothing after fees.", "It is m0, original, threshold 0.5, lag 5 updates: −"],
    );
}

#[test]
fn profits_without_fees_are_called_so() {
    let said = |fee_bps, fees: Option<&str>| {
        let grid = Grid { edge_bps: 0.8, ..Grid::default() };
        let result = SweepResult { fee_bps, fees: fees.map(Into::into), ..grid.result() };
        SweepReport::of("grid", &result).verdict.sentences[1].clone()
    };
    assert!(said(0.0, None).contains(" bp per trade with no fees counted ("), "{}", said(0.0, None));
    for said in [said(0.5, None), said(0.0, Some("a venue’s"))] {
        assert!(said.contains(" bp per trade after fees ("), "{said}");
    }
}

#[test]
fn one_setting_needs_no_correction() {
    let only = Grid { models: 1, thresholds: 1, lags: 1, ..Grid::default() };
    let noise = only.report();
    is_said(&noise, Finding::Luck, &["What the one setting earns is what luck gives: probability 0."]);
    let edge = Grid { edge_bps: 0.8, ..only }.report();
    is_said(
        &edge,
        Finding::Survives,
        &["The one setting is better than luck: probability 1.000 that its Sharpe ratio is above 0"],
    );
    let deflated = edge.deflated.unwrap();
    assert_eq!((deflated.effective_trials, deflated.expected_maximum, edge.cross_validation), (1.0, 0.0, None));
    assert_eq!(deflated.probability, deflated.probability_alone);
}

#[test]
fn a_capture_without_trades_is_told() {
    let report = Grid { edge_bps: 0.8, empty: vec![1], ..Grid::default() }.report();
    is_said(&report, Finding::Survives, &["It earns in 2 of 3 captures"]);
    let warning = "No setting closes a trade in captures/1.l2: its slices count as slices without profit.";
    assert_eq!(report.warnings, [warning]);
    assert!(page(&report).contains(warning));
    assert_eq!((report.counts.captures, report.counts.captures_traded), (3, 2));
    // Everybody shares the middle rank there.
    assert_eq!((report.captures[1].best_rank, report.captures[1].winner), (15.5, None));

    let none = Grid { empty: vec![0, 1, 2], ..Grid::default() }.report();
    is_said(&none, Finding::NoTrades, &["None of the 30 settings closes a trade: there is nothing to judge."]);
    assert_eq!((none.warnings.len(), none.top.len(), none.deflated), (0, 0, None));
    let one = Grid { empty: vec![0, 1, 2], models: 1, thresholds: 1, lags: 1, ..Grid::default() }.report();
    is_said(&one, Finding::NoTrades, &["The one setting does not close a trade: there is nothing to judge."]);
}

#[test]
fn what_is_too_little_to_judge_is_not_judged() {
    let report = Grid { captures: 1, traded_slices: 9, edge_bps: 5.0, ..Grid::default() }.report();
    is_said(
        &report,
        Finding::TooLittle,
        &["Too little to judge: the best of 30 settings trades in 9 of 64 slices of time, and 20 are needed."],
    );
    let empty = SweepReport::of("grid", &SweepResult::default());
    is_said(&empty, Finding::NoCaptures, &["No capture could be read to its end: there is nothing to judge."]);
}

#[test]
fn what_was_trained_on_is_said_before_all_else() {
    use InSample::{No, Unknown, Yes};
    let edge = |in_sample: [[InSample; 2]; 3]| {
        let in_sample = in_sample.map(|of| of.to_vec()).to_vec();
        Grid { edge_bps: 0.8, in_sample, ..Grid::default() }.report()
    };
    for (in_sample, said) in [
        (
            [[Yes, Yes]; 3],
            Some(
                "In sample: every model was trained on every capture here. Nothing below says what a setting earns on other data.",
            ),
        ),
        (
            [[Yes, No]; 3],
            Some(
                "In sample: the model of the best setting, m0, was trained on every capture here. The verdict says nothing of other data.",
            ),
        ),
        (
            [[Yes, No], [No, No], [No, No]],
            Some("In sample in part: the model of the best setting, m0, was trained on 1 of 3 captures."),
        ),
        ([[No, Yes]; 3], Some("Of 6 pairs of model and capture 3 are in sample; the best setting’s are not.")),
        (
            [[Unknown, No]; 3],
            Some("Not known whether this is in sample: the file of m0 does not say what it was trained on."),
        ),
        ([[No, No]; 3], None),
    ] {
        let report = edge(in_sample);
        assert_eq!(report.verdict.in_sample.as_deref(), said);
        let page = page(&report);
        // Whatever survives there is in doubt.
        assert_eq!(
            page.contains("<section id=\"verdict\" data-finding=\"gain_in_doubt\">"),
            said.is_some(),
            "{said:?}"
        );
        if let Some(said) = said {
            let first = page.find("<p class=\"finding\">").unwrap();
            assert!(page[first..].starts_with(&format!("<p class=\"finding\">{said}</p>")), "{said}");
            assert!(terminal(&report).starts_with(&format!("in short\n  {said}\n")));
        }
    }
}

/// Where the most profit is another setting's, that is said: ten times the amounts, ten times the profit of the same returns.
#[test]
fn the_most_profit_is_named_where_it_is_not_the_best() {
    let mut result =
        Grid { models: 1, thresholds: 1, lags: 2, edge_bps: 0.8, mean_bps: 0.3, ..Grid::default() }.result();
    result.settings[1].buy_amount = 1_000.0;
    for row in result.rows.iter_mut().filter(|row| row.setting == 1) {
        [&mut row.bought, &mut row.gross_profit, &mut row.net_profit].into_iter().for_each(|sum| *sum *= 10.0);
        row.slice_net.iter_mut().chain(&mut row.slice_bought).for_each(|value| *value *= 10.0);
    }
    let report = SweepReport::of("grid", &result);
    let most = report.most_profit.as_ref().unwrap();
    assert_eq!((report.top[0].number, most.number, most.rank), (0, 1, 2.0));
    let said = "The most profit is that of m0, original, 1000 per trade, threshold 0.5, lag 10 updates: +0.";
    is_said(&report, Finding::Survives, &[said, " in 192 trades, rank 2 by Sharpe ratio."]);
}

/// More slices than the statistics look at: neighbours within a capture are put together, and nothing is lost.
#[test]
fn many_captures_have_longer_slices() {
    let report = Grid { models: 1, thresholds: 1, lags: 2, captures: 40, ..Grid::default() }.report();
    assert_eq!((report.counts.slices_together, report.counts.slices), (2, 40 * 32));
    let best = &report.top[0];
    let last = report.over_time.best_bps.last().unwrap();
    assert!((last - 1e4 * best.net_profit / best.buy_amount).abs() < 1e-6, "{last} {best:?}");
}

#[test]
fn a_page_shows_the_numbers_of_its_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.sweep.json");
    let result = SweepResult {
        broken: vec![BrokenCapture { number: 7, path: "cut.l2".into(), why: "line 3: it ends".into() }],
        ..Grid { edge_bps: 0.3, ..Grid::default() }.result()
    };
    fs::write(&path, result.to_json()).unwrap();
    let shown = succeed(papertrader().arg("report").arg(&path));
    let (json, html) = (folder.path().join("grid.sweep.report.json"), folder.path().join("grid.sweep.html"));
    assert!(shown.contains(&format!("wrote\n  {}\n  {}\n", json.display(), html.display())), "{shown}");
    let (text, page) = (fs::read_to_string(&json).unwrap(), fs::read_to_string(&html).unwrap());
    let numbers: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(numbers["schema"], "papertrader-sweep-report");
    let keys = keys(&page);
    assert!(keys.len() > 150, "{}", keys.len());
    for (path, value) in &keys {
        let there = at(&numbers, path);
        assert_eq!(value.as_deref(), there.as_number().map(ToString::to_string).as_deref(), "{path}");
    }
    for sentence in numbers["verdict"]["sentences"].as_array().unwrap() {
        assert!(shown.contains(sentence.as_str().unwrap()), "{sentence}");
    }
    assert_eq!(
        figures(&page),
        [
            "fig-sweep-map-0",
            "fig-sweep-map-1",
            "fig-sweep-time",
            "fig-sweep-ranks",
            "fig-sweep-sharpes",
            "fig-sweep-logits"
        ]
    );
    assert!(page.contains("no rows of cut.l2: it broke, line 3: it ends"));
    assert!(shown.contains(", over 3 captures, 1 more could not be read to the end\n"), "{shown}");

    // What is there stays, unless it is to be replaced; then the bytes are the same.
    let refused = papertrader().arg("report").arg(&path).output().unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && error.contains("grid.sweep.html") && error.contains("exists"), "{error}");
    succeed(papertrader().arg("report").arg(&path).arg("--force"));
    assert_eq!((fs::read_to_string(&json).unwrap(), fs::read_to_string(&html).unwrap()), (text, page));
    // Another page, the numbers beside the sweep.
    let other = folder.path().join("other.html");
    succeed(papertrader().arg("report").arg(&path).arg("--force").arg("-o").arg(&other));
    assert_eq!(fs::read_to_string(&other).unwrap(), fs::read_to_string(&html).unwrap());
}

#[test]
fn files_that_are_no_sweep_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.sweep.json");
    for (text, said) in [
        ("{}", "is not a papertrader-sweep file"),
        ("{\"schema\":\"papertrader-sweep\",\"schema_version\":9}", "has schema version 9"),
        ("[", "EOF while parsing"),
    ] {
        fs::write(&path, text).unwrap();
        let output = papertrader().arg("report").arg(&path).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(said), "{text}: {error}");
        assert!(!folder.path().join("grid.sweep.html").exists());
    }
    fs::write(&path, SweepResult::default().to_json()).unwrap();
    let output = papertrader().arg("report").arg(&path).arg("-o").arg(&path).arg("--force").output().unwrap();
    assert!(!output.status.success());
    assert_eq!(fs::read_to_string(&path).unwrap(), SweepResult::default().to_json());
}

/// A file by hand: every shape that the reader lets through has a page, whatever its numbers are.
#[test]
fn no_file_is_too_odd_for_a_page() {
    for (captures, models, slices, profit, amount) in [
        (0, 1, 4, 1.0, 100.0),
        (1, 0, 4, 1.0, 100.0),
        (2, 1, 0, 1.0, 100.0),
        (2, 1, 1, 1.0, 100.0),
        (2, 2, 64, 1.0, 0.0),
        (2, 2, 64, 0.0, 0.0),
        (2, 2, 64, 1e308, 100.0),
        (2, 2, 64, -1e308, 1e-308),
        (1, 2, 64, 5e-324, 5e-324),
    ] {
        let mut result = Grid { captures, models, ..Grid::default() }.result();
        result.slices = slices;
        result.settings.iter_mut().for_each(|setting| setting.buy_amount = amount);
        for (at, row) in result.rows.iter_mut().enumerate() {
            let net = |slice: u32| if (slice + at as u32).is_multiple_of(3) { profit } else { -profit };
            row.slice_net = (0..slices).map(net).collect();
            row.slice_bought = vec![amount; slices as usize];
        }
        let result = SweepResult::parse("a.sweep.json".as_ref(), &result.to_json()).unwrap();
        let report = SweepReport::of("odd", &result);
        let shown = format!("{}{}{}", page(&report), terminal(&report), report.to_json());
        assert!(!shown.contains("NaN") && !shown.contains(" inf"), "{captures} {models} {slices} {profit} {amount}");
    }
}

/// Names come from files and file names: they are text on the page and give the terminal no commands.
#[test]
fn no_name_becomes_markup() {
    const MARKUP: &str = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\u{1b}[31m";
    let mut result = Grid { edge_bps: 0.8, empty: vec![1], ..Grid::default() }.result();
    result.models.iter_mut().for_each(|model| model.path = MARKUP.into());
    result.broken.push(BrokenCapture { number: 9, path: MARKUP.into(), why: MARKUP.into() });
    (result.program_version, result.fees) = (MARKUP.into(), Some(MARKUP.into()));
    for capture in &mut result.captures {
        (capture.path, capture.product) = (MARKUP.into(), MARKUP.into());
        capture.remarks = vec![MARKUP.into()];
        capture.in_sample = vec![InSample::Unknown; 2];
    }
    let report = SweepReport::of(MARKUP, &result);
    let page = page(&report);
    for markup in ["<script", "<img", "onerror=alert(2)>", "\u{1b}"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;").count() > 20);
    assert!(!page.contains("\"'&<") && !page.contains("=\"<"));
    let shown = terminal(&report);
    assert!(!shown.contains('\u{1b}') && shown.contains("\\u{1b}[31m"), "{shown}");
}

/// What fees that nobody charges leave, what was trained on, and what is counted twice, is never called better than luck.
#[test]
fn a_verdict_claims_no_more_than_a_runs() {
    let grid = Grid { edge_bps: 0.8, ..Grid::default() };
    is_said(&grid.report(), Finding::Survives, &["is better than luck"]);
    // The same net profit by a fee of nothing is a loss at the lowest that is published.
    let free = SweepResult { fee_bps: 0.0, ..grid.result() };
    let gross = |row: Row| Row { gross_profit: row.net_profit, gross_bps: row.net_bps, ..row };
    let free = SweepResult { rows: free.rows.into_iter().map(gross).collect(), ..free };
    let report = SweepReport::of("grid", &free);
    let parts = [
        "No gain after fees: the best of 30 settings by Sharpe ratio earns +",
        "at 0.5 bp per side, the lowest published taker fee",
    ];
    is_said(&report, Finding::BeforeFeesOnly, &parts);
    assert!(!verdict(&report).1.contains("better than luck"));
    // Enough for that fee, but not counted.
    let rich = SweepResult { fee_bps: 0.1, ..grid.result() };
    let parts = ["It is open whether", "The fee counted is below 0.5 bp per side, the lowest published taker fee"];
    is_said(&SweepReport::of("grid", &rich), Finding::Open, &parts);
    let trained = Grid { edge_bps: 0.8, in_sample: vec![vec![InSample::Yes; 2]; 3], ..Grid::default() }.report();
    is_said(&trained, Finding::Open, &["In sample: every model was trained on every capture here."]);
    let mut twice = grid.result();
    twice.captures[2].sha256 = twice.captures[0].sha256.clone();
    let report = SweepReport::of("grid", &twice);
    is_said(&report, Finding::Open, &["It is open whether"]);
    assert_eq!(report.warnings, ["captures/2.l2 holds the bytes of captures/0.l2: what they show is counted twice."]);
    // Trades that no market would have made, with part of the profit, with all of it, and without any others.
    let some = Grid { edge_bps: 0.8, doubtful: Some((7, 0.3)), ..Grid::default() }.report();
    let parts =
        ["21 of its ", " no market would have made like that: held across a gap", "The net profit is +", " without."];
    is_said(&some, Finding::Survives, &parts);
    let gain = Grid { edge_bps: 0.8, doubtful: Some((7, 1.1)), ..Grid::default() }.report();
    is_said(&gain, Finding::Open, &parts);
    let all = Grid { edge_bps: 0.8, doubtful: Some((SLICES as u64, 1.0)), ..Grid::default() }.report();
    is_said(&all, Finding::Open, &["There are no others."]);
    // A book that was hardly there.
    let mut dead = grid.result();
    (dead.captures[1].frames, dead.captures[1].frames_live) = (2_001, 999);
    let report = SweepReport::of("grid", &dead);
    assert_eq!(report.warnings, ["captures/1.l2: the book was live in 999 of 2,001 frames only."]);
    // One capture whose rows have no interval, as a run of so few trades has none.
    let short = Grid { edge_bps: 0.8, captures: 1, ..Grid::default() }.report();
    is_said(&short, Finding::TooLittle, &["has no interval; 30 trades and 20 blocks of time are needed."]);
}
