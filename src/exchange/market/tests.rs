use super::measure::{Observer, Summary};
use super::*;
use crate::market::units::{COUNT_MAX, parse_count};
use flate2::read::GzDecoder;
use proptest::prelude::*;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

fn observe(config: &MarketConfig, frames: usize) -> Summary {
    let mut market = SyntheticMarket::new(config);
    let mut levels = Vec::new();
    market.snapshot(&mut levels);
    let mut observer = Observer::new(config.scale, &levels);
    for _ in 0..frames {
        let time_ns = market.next_frame(&mut levels);
        observer.frame(time_ns, &levels);
    }
    observer.summary()
}

/// FNV-1a over a stretch of frames and the book after it.
fn fingerprint(config: &MarketConfig, frames: usize) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |value: u64| {
        for byte in value.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    let mut market = SyntheticMarket::new(config);
    let mut levels = Vec::new();
    for frame in 0..=frames {
        let time_ns = if frame < frames { market.next_frame(&mut levels) } else { market.now_ns() };
        if frame == frames {
            market.snapshot(&mut levels);
        }
        add(time_ns as u64);
        for level in &levels {
            add(level.side as u64);
            add(level.price_ticks);
            add(level.size_lots);
        }
    }
    hash
}

#[test]
fn seed_means_the_same_market_everywhere() {
    let config = MarketConfig { seed: 7, ..MarketConfig::default() };
    let fingerprints = [fingerprint(&config, 3_000), fingerprint(&MarketConfig { seed: 8, ..config }, 3_000)];
    assert_eq!(fingerprints[0], 0x96f4_3e9c_3f30_fd28, "what a seed means has changed: say so in the change log");
    assert_ne!(fingerprints[0], fingerprints[1]);
}

#[test]
fn snapshot_is_large_and_reaches_absurd_prices() {
    let mut levels = Vec::new();
    SyntheticMarket::new(&MarketConfig::default()).snapshot(&mut levels);
    assert!((19_500..20_500).contains(&levels.len()), "{}", levels.len());
    let (bids, asks): (Vec<LevelUpdate>, Vec<LevelUpdate>) = levels.iter().partition(|level| level.side == Side::Bid);
    assert!(levels.iter().all(|level| level.size_lots > 0));
    assert!(bids.is_sorted_by(|better, worse| better.price_ticks > worse.price_ticks));
    assert!(asks.is_sorted_by(|better, worse| better.price_ticks < worse.price_ticks));
    assert_eq!((bids[bids.len() - 1].price_ticks, asks[asks.len() - 1].price_ticks), (1, 8_385_505_700));
    assert_eq!(levels[0].side, Side::Bid);
    assert!(bids[0].price_ticks < asks[0].price_ticks);
}

#[test]
fn imbalance_predicts_the_mid_but_not_too_well() {
    for seed in [2, 3, 5] {
        let summary = observe(&MarketConfig { seed, ..MarketConfig::default() }, 40_000);
        assert!((0.60..0.78).contains(&summary.auc_20), "seed {seed}: {summary}");
        assert!((0.25..0.75).contains(&summary.ties_20), "seed {seed}: {summary}");
    }
}

#[test]
fn frames_come_in_bursts_at_the_mean_rate() {
    for frames_per_s in [0.5, 200.0, 100_000.0] {
        let mut market = SyntheticMarket::new(&MarketConfig { frames_per_s, ..MarketConfig::default() });
        let start_ns = market.now_ns();
        let mut updates = Vec::new();
        let frames = 20_000;
        for _ in 0..frames {
            market.next_frame(&mut updates);
        }
        let measured = f64::from(frames) * 1e9 / (market.now_ns() - start_ns) as f64;
        assert!((0.9..1.1).contains(&(measured / frames_per_s)), "{measured} instead of {frames_per_s}");
    }
    // A Poisson process has 1.
    let summary = observe(&MarketConfig::default(), 20_000);
    assert!((1.25..3.0).contains(&summary.gap_variation), "{summary}");
}

#[test]
fn hostile_configurations_make_a_market_too() {
    let base = MarketConfig::default();
    for config in [
        MarketConfig { frames_per_s: f64::NAN, ..base.clone() },
        MarketConfig { frames_per_s: -1.0, ..base.clone() },
        MarketConfig { frames_per_s: f64::INFINITY, ..base.clone() },
        MarketConfig { snapshot_levels: 0, ..base.clone() },
        MarketConfig { snapshot_levels: 60_000, mid_ticks: 0, ..base.clone() },
        MarketConfig { mid_ticks: u64::MAX, ..base.clone() },
        MarketConfig { start_ns: i64::MAX, ..base.clone() },
        MarketConfig { start_ns: i64::MIN, ..base },
    ] {
        let summary = observe(&config, 500);
        assert!(summary.levels >= SNAPSHOT_LEVELS_MIN / 2, "{config:?}: {summary}");
    }
}

#[test]
fn fastest_rate_still_tells_frames_apart() {
    let mut market = SyntheticMarket::new(&MarketConfig { frames_per_s: f64::INFINITY, ..MarketConfig::default() });
    let mut updates = Vec::new();
    for _ in 0..1_000 {
        let before_ns = market.now_ns();
        assert!(market.next_frame(&mut updates) > before_ns);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The observer panics on a crossed or locked book after any frame.
    #[test]
    fn frames_carry_the_snapshot_on_and_never_cross(
        seed: u64,
        snapshot_levels in 0..3_000_usize,
        mid_ticks in prop_oneof![Just(0), Just(6_183_763), Just(MID_TICKS_MAX)],
    ) {
        let config = MarketConfig { seed, snapshot_levels, mid_ticks, ..MarketConfig::default() };
        let mut market = SyntheticMarket::new(&config);
        let mut levels = Vec::new();
        market.snapshot(&mut levels);
        let mut observer = Observer::new(config.scale, &levels);
        for _ in 0..600 {
            let before_ns = market.now_ns();
            let time_ns = market.next_frame(&mut levels);
            prop_assert!(time_ns > before_ns && time_ns == market.now_ns());
            prop_assert!(!levels.is_empty());
            let places: HashSet<_> = levels.iter().map(|level| (level.side, level.price_ticks)).collect();
            prop_assert_eq!(places.len(), levels.len());
            prop_assert!(levels.iter().all(|level| (1..=COUNT_MAX).contains(&level.price_ticks)));
            observer.frame(time_ns, &levels);
        }
        market.snapshot(&mut levels);
        prop_assert!(observer.book().eq(levels));
    }
}

#[derive(serde::Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    events: [Event<'a>; 1],
}

#[derive(serde::Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    updates: Vec<RecordedLevel<'a>>,
}

#[derive(serde::Deserialize)]
struct RecordedLevel<'a> {
    side: &'a str,
    price_level: &'a str,
    new_quantity: &'a str,
}

/// The first frames of a recorded market, or nothing where the recordings are absent.
fn observe_capture(name: &str, scale: Scale, frames_max: usize) -> Option<Summary> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures").join(name);
    let Ok(file) = File::open(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    let mut observer: Option<Observer> = None;
    for line in BufReader::new(GzDecoder::new(file)).lines().take(frames_max) {
        let line = line.expect("a readable capture");
        let (time_ns, frame) = line.split_once(' ').expect("a time stamp");
        let frame: Frame = serde_json::from_str(frame).expect("a frame");
        let count = |text: &str, decimals| parse_count(text.as_bytes(), decimals).expect("a decimal at the scale");
        let levels: Vec<_> = frame.events[0]
            .updates
            .iter()
            .map(|level| LevelUpdate {
                side: if level.side == "bid" { Side::Bid } else { Side::Ask },
                price_ticks: count(level.price_level, scale.price_decimals),
                size_lots: count(level.new_quantity, scale.size_decimals),
            })
            .collect();
        match &mut observer {
            None => observer = Some(Observer::new(scale, &levels)),
            Some(observer) => observer.frame(time_ns.parse().expect("nanoseconds"), &levels),
        }
    }
    Some(observer.expect("a snapshot").summary())
}

/// Every figure lies between the two recordings', or off the nearer one by no more than the factor given.
#[test]
fn resembles_recorded_markets() {
    let (Some(spot), Some(perpetual)) = (
        observe_capture("btc-spot-a.l2.gz", Scale { price_decimals: 2, size_decimals: 8 }, usize::MAX),
        observe_capture("btc-perp-a.l2.gz", Scale { price_decimals: 1, size_decimals: 0 }, 8_000),
    ) else {
        return;
    };
    let synthetic = observe(&MarketConfig::default(), 30_000);
    eprintln!("spot: {spot}\nperpetual: {perpetual}\nsynthetic: {synthetic}");
    let near = |what: &str, figure: fn(&Summary) -> f64, factor: f64| {
        let [synthetic, spot, perpetual] = [&synthetic, &spot, &perpetual].map(figure);
        let range = spot.min(perpetual) / factor..=spot.max(perpetual) * factor;
        assert!(range.contains(&synthetic), "{what}: {synthetic}, recorded {spot} and {perpetual}");
    };
    near("updates in a frame, mean", |summary| summary.updates_mean, 1.5);
    near("updates in a frame, median", |summary| summary.updates[1], 1.5);
    near("removals among the updates", |summary| summary.removal_share, 1.2);
    near("new levels among the updates", |summary| summary.addition_share, 1.5);
    near("frames with a spread of one tick", |summary| summary.one_tick_share, 1.02);
    near("frames in which the mid moves", |summary| summary.move_share, 1.5);
    near("step of the mid, median", |summary| summary.step[1], 3.0);
    near("gap behind the best, mean", |summary| summary.gap_mean, 2.0);
    near("gap behind the best, median", |summary| summary.gap[1], 2.0);
    near("imbalance to mid, AUC less a half", |summary| summary.auc_20 - 0.5, 1.5);
    // The perpetual's sizes are contracts.
    let sizes = synthetic.touch_size.into_iter().zip(spot.touch_size);
    assert!(sizes.into_iter().all(|(synthetic, spot)| (0.4..2.5).contains(&(synthetic / spot))), "size at the best");
}
