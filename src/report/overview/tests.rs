use super::*;

fn row(name: &str, verdict_bps: Option<f64>, finding: Finding) -> Row {
    Row {
        name: name.into(),
        product: "BTC-USD".into(),
        rank: 0,
        model: "m.json".into(),
        threshold: 0.6,
        lag_updates: 20,
        buy_amount: 5.0,
        executions: Vec::new(),
        trades: 100,
        open_positions: 0,
        win_rate: Some(0.5),
        bought: 500.0,
        gross_profit: 1.0,
        gross_bps: Some(20.0),
        fee_bps: 0.0,
        net_profit: 1.0,
        break_even_fee_bps: Some(10.0),
        verdict_fee_bps: 0.05,
        verdict_bps,
        verdict_interval: verdict_bps.map(|bps| Interval { low: bps - 1.0, high: bps + 1.0 }),
        finding,
        in_sample: None,
        page: Some(format!("run.{name}.html")),
        sentence: format!("{name} did what it did."),
        files: Vec::new(),
    }
}

fn overview(rows: Vec<Row>) -> Overview {
    Overview::of_rows("replay of market.zst", "BTC-USD", rows)
}

#[test]
fn the_best_comes_first_and_what_tells_nothing_last() {
    let overview = overview(vec![
        row("few", Some(9.0), Finding::TooFew),
        row("b", Some(1.0), Finding::Undecided),
        row("none", None, Finding::NoTrades),
        row("a", Some(1.0), Finding::Undecided),
        row("best", Some(3.0), Finding::Gain),
        row("worst", Some(-3.0), Finding::Loss),
    ]);
    let ranked: Vec<(usize, &str)> = overview.strategies.iter().map(|row| (row.rank, &*row.name)).collect();
    assert_eq!(ranked, [(1, "best"), (2, "a"), (3, "b"), (4, "worst"), (5, "few"), (6, "none")]);
}

#[test]
fn having_tried_many_is_said_with_its_number() {
    let two = overview(vec![row("a", Some(3.0), Finding::Gain), row("b", Some(1.0), Finding::Undecided)]);
    let [first, of_best, luck] = two.verdict().try_into().unwrap();
    assert_eq!(first, "1 of 2 strategies shows a gain after fees; the best is a.");
    assert_eq!(of_best, "a: a did what it did.");
    assert!(luck.starts_with("2 strategies were tried in this session.") && luck.contains(" 5 %"), "{luck}");
    let lost = overview((0..100).map(|at| row(&format!("s{at}"), Some(-1.0), Finding::Loss)).collect());
    let [first, _, luck] = lost.verdict().try_into().unwrap();
    assert_eq!(first, "None of 100 strategies shows a gain after fees. The best by net profit per trade is s0.");
    assert!(luck.contains(" 92 %"), "{luck}");
}

#[test]
fn the_picture_says_what_it_leaves_out_and_names_are_no_markup() {
    let many = overview((0..50).map(|at| row(&format!("<s{at}>"), Some(f64::from(at)), Finding::Undecided)).collect());
    let page = many.page();
    assert!(page.contains("10 more are in the table.") && page.contains("&lt;s49&gt;") && !page.contains("<s49>"));
    let none = overview(vec![row("a", None, Finding::NoTrades), row("b", None, Finding::NoTrades)]);
    assert!(none.page().contains("No strategy has a closed trade."));
}

#[test]
fn what_was_trained_on_the_market_is_said_first() {
    let told = |name: &str, in_sample: &str| Row {
        in_sample: Some(in_sample.into()),
        ..row(name, Some(1.0), Finding::Undecided)
    };
    let overview =
        overview(vec![told("a", "In sample."), row("b", Some(1.0), Finding::Undecided), told("c", "In sample.")]);
    assert_eq!(overview.in_samples(), ["a, c: In sample."]);
    let page = overview.page();
    assert!(page.find("a, c: In sample.").unwrap() < page.find("None of 3 strategies").unwrap());
}
