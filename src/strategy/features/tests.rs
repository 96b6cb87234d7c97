//! Features against plain formulas over the recorded books.

use super::*;
use crate::market::event::Event;
use crate::market::units::{COUNT_MAX, Side};
use proptest::prelude::*;

pub const SCALE: Scale = Scale { price_decimals: 2, size_decimals: 3 };

/// A book as vectors of (price, size), best first, with its receive time.
#[derive(Clone, Debug)]
pub struct Snap {
    pub bids: Vec<(u64, u64)>,
    pub asks: Vec<(u64, u64)>,
    pub ts_recv_ns: i64,
}

/// The obvious computation. `books` are all since the snapshot, the last one being now.
fn plain(feature: Feature, books: &[Snap]) -> f64 {
    let now = books.last().unwrap();
    let price = |level: (u64, u64)| level.0 as f64 / 100.0;
    let size = |level: (u64, u64)| level.1 as f64 / 1000.0;
    let vwap = |side: &[(u64, u64)], n: u8| {
        let top = &side[..usize::from(n)];
        top.iter().map(|&l| price(l) * size(l)).sum::<f64>() / top.iter().map(|&l| size(l)).sum::<f64>()
    };
    let total = |side: &[(u64, u64)], n: u8| side[..usize::from(n)].iter().map(|&l| size(l)).sum::<f64>();
    let mid = |snap: &Snap| (price(snap.bids[0]) + price(snap.asks[0])) / 2.0;
    let (b, a) = (&now.bids, &now.asks);
    match feature {
        Feature::BidMinusAsk => price(b[0]) - price(a[0]),
        Feature::BidSize(n) => size(b[at(n)]),
        Feature::AskSize(n) => size(a[at(n)]),
        Feature::BidPrice(n) => price(b[at(n)]),
        Feature::AskPrice(n) => price(a[at(n)]),
        Feature::LnBidSize(n) => size(b[at(n)]).ln(),
        Feature::LnAskSize(n) => size(a[at(n)]).ln(),
        Feature::Imbalance(n) => (total(b, n) - total(a, n)) / (total(b, n) + total(a, n)),
        Feature::BidVwap(n) => vwap(b, n),
        Feature::AskVwap(n) => vwap(a, n),
        Feature::LnBidVwap(n) => vwap(b, n).ln(),
        Feature::LnAskVwap(n) => vwap(a, n).ln(),
        Feature::Mid => mid(now),
        Feature::MicropriceMinusMid => {
            (price(b[0]) * size(a[0]) + price(a[0]) * size(b[0])) / (size(a[0]) + size(b[0])) - mid(now)
        }
        Feature::SpreadTicks => ((price(a[0]) - price(b[0])) * 100.0).round(),
        Feature::MidReturn(k) => mid(now) / mid(&books[books.len() - 1 - k as usize]) - 1.0,
        Feature::Ofi { levels, updates } => {
            let mut sum = 0.0;
            for pair in books[books.len() - 1 - updates as usize..].windows(2) {
                let (old, new) = (&pair[0], &pair[1]);
                for n in 0..usize::from(levels) {
                    let indicator = |condition: bool| if condition { 1.0 } else { 0.0 };
                    sum += indicator(new.bids[n].0 >= old.bids[n].0) * size(new.bids[n])
                        - indicator(new.bids[n].0 <= old.bids[n].0) * size(old.bids[n])
                        - indicator(new.asks[n].0 <= old.asks[n].0) * size(new.asks[n])
                        + indicator(new.asks[n].0 >= old.asks[n].0) * size(old.asks[n]);
                }
            }
            sum
        }
        Feature::UpdatesSinceMidChange => {
            // In ticks: equal mids of other prices are not always equal doubles.
            let twice_mid = |snap: &Snap| snap.bids[0].0 + snap.asks[0].0;
            books.windows(2).rev().take_while(|pair| twice_mid(&pair[0]) == twice_mid(&pair[1])).count() as f64
        }
        Feature::SecondsSinceUpdate => (now.ts_recv_ns - books[books.len() - 2].ts_recv_ns) as f64 / 1e9,
        of_tape => unreachable!("{of_tape} is tested with the tape"),
    }
}

/// The place of a 1-based level behind the first.
fn at(level: u8) -> usize {
    usize::from(level) - 1
}

fn everything() -> Vec<Feature> {
    let mut features = SEED.to_vec();
    features.extend((1..=DEPTH_MAX).map(Feature::Imbalance));
    features.extend([Feature::Mid, Feature::MicropriceMinusMid, Feature::SpreadTicks]);
    features.extend([1, 2, 7].map(Feature::MidReturn));
    features.extend([(1, 1), (1, 5), (3, 2), (10, 6)].map(|(levels, updates)| Feature::Ofi { levels, updates }));
    features.extend([
        Feature::UpdatesSinceMidChange,
        Feature::SecondsSinceUpdate,
        Feature::BidVwap(3),
        Feature::LnAskVwap(4),
    ]);
    features
}

pub fn book_of(snap: &Snap, scale: Scale) -> Book {
    let times_price = 10_u64.pow(u32::from(scale.price_decimals - SCALE.price_decimals));
    let times_size = 10_u64.pow(u32::from(scale.size_decimals - SCALE.size_decimals));
    let events = |side: Side, levels: &[(u64, u64)]| -> Vec<Event> {
        levels.iter().map(|&(price, size)| Event::level(side, price * times_price, size * times_size)).collect()
    };
    let mut book = Book::default();
    book.begin_snapshot(scale);
    book.stage(&events(Side::Bid, &snap.bids));
    book.stage(&events(Side::Ask, &snap.asks));
    book.end_snapshot().unwrap();
    book
}

/// What makes one side of a book another.
fn changes(side: Side, from: &[(u64, u64)], to: &[(u64, u64)], scale: Scale) -> Vec<Event> {
    let price = |ticks: u64| ticks * 10_u64.pow(u32::from(scale.price_decimals - SCALE.price_decimals));
    let size = |lots: u64| lots * 10_u64.pow(u32::from(scale.size_decimals - SCALE.size_decimals));
    let gone = from.iter().filter(|old| to.iter().all(|new| new.0 != old.0)).map(|old| (old.0, 0));
    let come = to.iter().copied().filter(|new| !from.contains(new));
    gone.chain(come).map(|(ticks, lots)| Event::level(side, price(ticks), size(lots))).collect()
}

fn size_of_any_kind() -> impl Strategy<Value = u64> {
    prop_oneof![Just(COUNT_MAX), 1..10_u64, 1..=COUNT_MAX]
}

/// A side of `levels` levels from the best price outwards.
fn side(levels: usize, best: u64, down: bool) -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((1..40_u64, 1..5_000_000_u64), levels).prop_map(move |steps| {
        let mut price = best;
        steps
            .into_iter()
            .map(|(step, size)| {
                price = if down { price - step } else { price + step };
                (price, size)
            })
            .collect()
    })
}

fn snap(levels: usize) -> impl Strategy<Value = Snap> {
    (6_000_000..6_000_100_u64, 0..1_000_000_000_i64).prop_flat_map(move |(centre, ts_recv_ns)| {
        (side(levels, centre, true), side(levels, centre, false)).prop_map(move |(bids, asks)| Snap {
            bids,
            asks,
            ts_recv_ns,
        })
    })
}

/// Books of which some repeat their predecessor, so that the mid also stands still.
pub fn snaps() -> impl Strategy<Value = Vec<Snap>> {
    // Either side stays as it was in many frames.
    let stays = || prop::bool::weighted(0.5);
    prop::collection::vec((snap(12), stays(), stays()), 8..24).prop_map(|drawn| {
        let mut snaps: Vec<Snap> = Vec::new();
        let mut now_ns = 0;
        for (mut snap, bids_stay, asks_stay) in drawn {
            now_ns += snap.ts_recv_ns;
            if let Some(last) = snaps.last().filter(|_| bids_stay) {
                snap.bids = last.bids.clone();
            }
            if let Some(last) = snaps.last().filter(|_| asks_stay) {
                snap.asks = last.asks.clone();
            }
            snap.ts_recv_ns = now_ns;
            snaps.push(snap);
        }
        snaps
    })
}

fn assert_close(feature: Feature, ours: f64, plain: f64) {
    // Where the plain formula subtracts large floats, ours subtracts integers or small ones.
    let cancels = matches!(
        feature,
        Feature::BidMinusAsk | Feature::MicropriceMinusMid | Feature::Ofi { .. } | Feature::MidReturn(_)
    );
    let tolerance = if cancels { 1e-9 } else { 1e-12 * plain.abs().max(1.0) };
    assert!((ours - plain).abs() <= tolerance, "{feature}: {ours} against {plain}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn rows_do_not_depend_on_the_scale_in_force(snap in snap(10), finer_price in 0..=4_u8, finer_size in 0..=6_u8) {
        let finer = Scale {
            price_decimals: SCALE.price_decimals + finer_price,
            size_decimals: SCALE.size_decimals + finer_size,
        };
        let rows = [SCALE, finer].map(|scale| {
            let mut set = FeatureSet::new(&SEED);
            set.update(&book_of(&snap, scale), 0).unwrap();
            set.values().map(f64::to_bits).collect::<Vec<_>>()
        });
        prop_assert_eq!(&rows[0], &rows[1]);
    }

    #[test]
    fn what_is_kept_has_the_bits_of_what_is_computed_anew(snaps in snaps(), finer_from in 0..20_usize, thin_at in 0..20_usize) {
        let mut set = FeatureSet::new(&SEED);
        let mut book = book_of(&snaps[0], SCALE);
        let mut scale = SCALE;
        let mut before = snaps[0].clone();
        // What `set` computed for the frame before, if anything.
        let mut computed: Option<Snap> = None;
        for (at, snap) in snaps.iter().enumerate() {
            let mut snap = snap.clone();
            if at == thin_at {
                snap.asks.truncate(3);
            }
            if at == finer_from {
                let finer = Scale { price_decimals: 4, size_decimals: 5 };
                book.refine(finer).unwrap();
                set.refine(scale, finer);
                scale = finer;
                computed = None;
            }
            book.apply(&changes(Side::Bid, &before.bids, &snap.bids, scale));
            book.apply(&changes(Side::Ask, &before.asks, &snap.asks, scale));
            book.end_update().unwrap();
            before = snap.clone();
            let outcome = set.update(&book, 0);
            let mut anew = FeatureSet::new(&SEED);
            prop_assert_eq!(outcome.is_ok(), anew.update(&book_of(&snap, scale), 0).is_ok());
            let last = computed.take();
            if let Ok(changed) = outcome {
                // Ten levels a side are looked at.
                let top = |snap: &Snap| [snap.bids[..10].to_vec(), snap.asks[..10].to_vec()];
                prop_assert_eq!(changed, last.as_ref().map(top) != Some(top(&snap)));
                prop_assert_eq!(set.values().map(f64::to_bits).collect::<Vec<_>>(), anew.values().map(f64::to_bits).collect::<Vec<_>>());
                computed = Some(snap);
            }
        }
    }

    /// Sizes up to the largest that a book holds: sums of flows pass 64 bits and wrap.
    #[test]
    fn order_flow_of_any_sizes_is_the_sum_modulo_two_to_the_64(
        steps in prop::collection::vec((1..4_u64, 4..7_u64, size_of_any_kind(), size_of_any_kind()), 4..12),
        times in 0..3_u8,
    ) {
        let features = [Feature::Ofi { levels: 1, updates: 3 }];
        let mut history = History::new(&features);
        let mut set = FeatureSet::new(&features);
        let mut flow = vec![0_i128];
        for (at, &(bid, ask, bid_size, ask_size)) in steps.iter().enumerate() {
            let snap = Snap { bids: vec![(bid, bid_size)], asks: vec![(ask, ask_size)], ts_recv_ns: 0 };
            let book = book_of(&snap, SCALE);
            let ready = history.update(book.bids().top(), book.asks().top(), 0);
            prop_assert_eq!(set.update(&book, 0).is_ok(), ready);
            if at > 0 {
                let (old_bid, old_ask, old_bid_size, old_ask_size) = steps[at - 1];
                let size = |counts: bool, lots: u64| if counts { i128::from(lots) } else { 0 };
                let bids = size(bid >= old_bid, bid_size) - size(bid <= old_bid, old_bid_size);
                let asks = size(ask <= old_ask, ask_size) - size(ask >= old_ask, old_ask_size);
                flow.push(flow[at - 1] + bids - asks);
            }
            if ready {
                prop_assert_eq!(history.ofi_lots(1, 3), (flow[at] - flow[at - 3]) as i64);
            }
        }
        let last = steps.len() - 1;
        history.refine(SCALE, Scale { size_decimals: SCALE.size_decimals + times, ..SCALE });
        let expected = (flow[last] - flow[last - 3]) * 10_i128.pow(u32::from(times));
        prop_assert_eq!(history.ofi_lots(1, 3), expected as i64);
    }

    #[test]
    fn agree_with_plain_formulas(snaps in snaps(), refine_at in 0..20_usize) {
        let features = everything();
        let mut set = FeatureSet::new(&features);
        let mut scale = SCALE;
        for at in 0..snaps.len() {
            if at == refine_at {
                let finer = Scale { price_decimals: 4, size_decimals: 5 };
                set.refine(scale, finer);
                scale = finer;
            }
            let outcome = set.update(&book_of(&snaps[at], scale), snaps[at].ts_recv_ns);
            if at < 7 {
                prop_assert_eq!(outcome, Err(NoFeatures::WarmingUp));
                continue;
            }
            prop_assert_eq!(outcome, Ok(true));
            for (&feature, value) in features.iter().zip(set.values()) {
                let mut expected = plain(feature, &snaps[..=at]);
                // The tick is that of the first book.
                if feature == Feature::SpreadTicks && refine_at == 0 {
                    expected *= 100.0;
                }
                assert_close(feature, value, expected);
            }
        }
    }

    #[test]
    fn a_finer_scale_changes_no_feature(snaps in snaps(), refine_at in 1..20_usize) {
        let features = everything();
        let (mut set, mut refined) = (FeatureSet::new(&features), FeatureSet::new(&features));
        let finer = Scale { price_decimals: 5, size_decimals: 5 };
        for (at, snap) in snaps.iter().enumerate() {
            if at == refine_at {
                refined.refine(SCALE, finer);
            }
            let scale = if at < refine_at { SCALE } else { finer };
            let outcomes = [
                set.update(&book_of(snap, SCALE), snap.ts_recv_ns),
                refined.update(&book_of(snap, scale), snap.ts_recv_ns),
            ];
            prop_assert_eq!(outcomes[0], outcomes[1]);
            let bits = |set: &FeatureSet| set.values().map(f64::to_bits).collect::<Vec<_>>();
            prop_assert_eq!(bits(&set), bits(&refined));
        }
    }

    /// Equal differences of prices are equal doubles, the nearest ones, at any price.
    #[test]
    fn differences_do_not_depend_on_the_price(
        bids in prop::collection::vec(1..1_u64 << 50, 2), spread in 1..10_000_u64, sizes in [1..1_000_u64, 1..1_000_u64],
        decimals in 0..=18_u8,
    ) {
        let features = [Feature::BidMinusAsk, Feature::MicropriceMinusMid, Feature::SpreadTicks, Feature::Mid];
        let scale = Scale { price_decimals: decimals, size_decimals: 3 };
        let values = |bid: u64, spread: u64| {
            let mut book = Book::default();
            book.begin_snapshot(scale);
            book.stage(&[Event::level(Side::Bid, bid, sizes[0]), Event::level(Side::Ask, bid + spread, sizes[1])]);
            book.end_snapshot().unwrap();
            let mut set = FeatureSet::new(&features);
            set.update(&book, 0).unwrap();
            set.values().collect::<Vec<f64>>()
        };
        let [one, other] = [bids[0], bids[1]].map(|bid| values(bid, spread));
        prop_assert_eq!(&one[..3], &other[..3]);
        prop_assert_eq!((one[0], one[2]), (-(spread as f64) / scale.ticks_per_unit(), spread as f64));
        // One mid, of two books.
        prop_assert_eq!(one[3], values(bids[0] - 1, spread + 2)[3]);
    }

    #[test]
    fn returns_of_equal_moves_from_one_mid_are_equal(mid in 1_000..1_u64 << 50, moved in 0..500_u64) {
        let features = [Feature::MidReturn(1)];
        let mut set = FeatureSet::new(&features);
        let book = |bid: u64, ask: u64| book_of(&Snap { bids: vec![(bid, 5)], asks: vec![(ask, 5)], ts_recv_ns: 0 }, SCALE);
        let mut value = |before: (u64, u64), after: (u64, u64)| {
            set.begin();
            let _ = set.update(&book(before.0, before.1), 0);
            set.update(&book(after.0, after.1), 0).unwrap();
            set.values().next().unwrap()
        };
        let (narrow, wide) = ((mid - 1, mid + 1), (mid - 7, mid + 7));
        let up = value(narrow, (mid - 1 + moved, mid + 1 + moved));
        prop_assert_eq!(up, value(wide, (mid - 7 + moved, mid + 7 + moved)));
        // The quotient of two integers, rounded once.
        prop_assert_eq!(up, (2 * moved) as f64 / (2 * mid) as f64);
    }

    #[test]
    fn a_dot_product_is_the_plain_sum(
        snaps in snaps(), drawn in prop::collection::vec((any::<prop::sample::Index>(), -1e3..1e3), 1..=FEATURES_MAX),
    ) {
        let everything = everything();
        // Any features in any order, some of them twice.
        let (features, weights): (Vec<_>, Vec<f64>) =
            drawn.into_iter().map(|(index, weight)| (everything[index.index(everything.len())], weight)).unzip();
        let placed = Weights::new(&features, &weights);
        let mut set = FeatureSet::new(&features);
        for snap in &snaps {
            if set.update(&book_of(snap, SCALE), snap.ts_recv_ns).is_err() {
                continue;
            }
            let products = || set.values().zip(&weights).map(|(value, weight)| value * weight);
            let (plain, magnitude) = (products().sum::<f64>(), products().map(f64::abs).sum::<f64>());
            prop_assert!((set.dot(&placed) - plain).abs() <= 1e-13 * magnitude);
        }
    }

    #[test]
    fn every_processor_gives_the_same_bits(snaps in snaps(), finer_from in 0..20_usize) {
        let features = everything();
        let weights = Weights::new(&features, &vec![0.25; features.len()]);
        let (mut set, mut plain) = (FeatureSet::new(&features), FeatureSet::new(&features));
        plain.processor = Processor::Any;
        for (at, snap) in snaps.iter().enumerate() {
            let scale = if at < finer_from { SCALE } else { Scale { price_decimals: 4, size_decimals: 14 } };
            let book = book_of(snap, scale);
            prop_assert_eq!(set.update(&book, snap.ts_recv_ns), plain.update(&book, snap.ts_recv_ns));
            let bits = |set: &FeatureSet| set.values().chain([set.dot(&weights)]).map(f64::to_bits).collect::<Vec<_>>();
            prop_assert_eq!(bits(&set), bits(&plain));
        }
    }
}

#[test]
fn a_frame_that_changes_none_of_the_best_levels_changes_nothing() {
    let level = |side, price, size| Event::level(side, price, size);
    let mut book = Book::default();
    book.begin_snapshot(SCALE);
    for n in 0..20 {
        book.stage(&[level(Side::Bid, 1_000 - n, 5 + n), level(Side::Ask, 1_001 + n, 5)]);
    }
    book.end_snapshot().unwrap();
    let (mut set, mut looks_back) = (FeatureSet::new(&SEED), FeatureSet::new(&[Feature::UpdatesSinceMidChange]));
    assert_eq!(set.update(&book, 0), Ok(true));
    assert_eq!(set.update(&book, 1), Ok(false));
    let mut after = |levels: &[Event]| {
        book.apply(levels);
        book.end_update().unwrap();
        assert_eq!(looks_back.update(&book, 2), Ok(true));
        let (before, changed) = (set.values().collect::<Vec<_>>(), set.update(&book, 2).unwrap());
        assert_eq!(changed, set.values().collect::<Vec<_>>() != before);
        let mut anew = FeatureSet::new(&SEED);
        anew.update(&book, 2).unwrap();
        assert!(set.values().eq(anew.values()));
        changed
    };
    assert!(!after(&[level(Side::Bid, 990, 0), level(Side::Ask, 1_015, 7), level(Side::Bid, 995, 10)]));
    assert!(after(&[level(Side::Bid, 991, 1)]));
    assert!(after(&[level(Side::Bid, 991, 0)]));
    assert!(!after(&[level(Side::Bid, 985, 9)]));
    assert!(after(&[level(Side::Ask, 1_001, 0)]));
}

/// A level far off with more decimals comes and goes: the book's scale stays finer, the features' tick does not. Numbers that do
/// not fit a scale make it coarse again with the next snapshot.
#[test]
fn the_tick_is_that_of_the_session_s_first_book() {
    let mut set = FeatureSet::new(&[Feature::SpreadTicks]);
    let mut spread_ticks = |bid: u64, ask: u64, price_decimals: u8| {
        let mut book = Book::default();
        book.begin_snapshot(Scale { price_decimals, size_decimals: 0 });
        book.stage(&[Event::level(Side::Bid, bid, 5), Event::level(Side::Ask, ask, 5)]);
        book.end_snapshot().unwrap();
        set.update(&book, 0).unwrap();
        let value = set.values().next().unwrap();
        set.reset();
        value
    };
    assert_eq!(spread_ticks(10_000, 10_001, 2), 1.0);
    assert_eq!(spread_ticks(100_000, 100_010, 3), 1.0);
    // Of 0.003: the nearest double to 0.3.
    assert_eq!(spread_ticks(100_000, 100_003, 3), 0.3);
    assert_eq!(spread_ticks(1_000, 1_002, 1), 20.0);
    // A crossed book.
    assert_eq!(spread_ticks(100_010, 100_000, 3), -1.0);
    set.begin();
    set.update(&book_of(&Snap { bids: vec![(1_000, 5)], asks: vec![(1_003, 5)], ts_recv_ns: 0 }, SCALE), 0).unwrap();
    assert_eq!(set.values().next(), Some(3.0));
}

#[test]
fn thin_books_and_young_ones_have_no_features() {
    let snap = |levels: u64| Snap {
        bids: (0..levels).map(|n| (1000 - n, 5)).collect(),
        asks: (0..levels).map(|n| (1001 + n, 5)).collect(),
        ts_recv_ns: 0,
    };
    let mut set = FeatureSet::new(&[Feature::BidSize(3), Feature::MidReturn(2)]);
    let mut update = |levels| set.update(&book_of(&snap(levels), SCALE), 0);
    assert_eq!(update(3), Err(NoFeatures::WarmingUp));
    assert_eq!(update(3), Err(NoFeatures::WarmingUp));
    assert_eq!(update(3), Ok(true));
    assert_eq!(update(2), Err(NoFeatures::Thin));
    // A thin book breaks the history.
    assert_eq!(update(3), Err(NoFeatures::WarmingUp));
    assert_eq!(update(3), Err(NoFeatures::WarmingUp));
    assert_eq!(update(3), Ok(true));
    set.reset();
    assert_eq!(set.update(&book_of(&snap(3), SCALE), 0), Err(NoFeatures::WarmingUp));
    // Only the sides that are looked at count.
    let one_sided = Snap { asks: Vec::new(), ..snap(3) };
    assert_eq!(FeatureSet::new(&[Feature::BidSize(3)]).update(&book_of(&one_sided, SCALE), 0), Ok(true));
}

#[test]
fn names_read_back_and_every_family_is_named() {
    for feature in everything() {
        assert_eq!(feature.to_string().parse(), Ok(feature));
    }
    for family in CATALOGUE {
        let name = family.pattern.replace("_N", "_3").replace("_K", "_40").replace("_Tms", "_500ms");
        let feature: Feature = name.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(feature.to_string(), name);
    }
}

#[test]
fn the_readme_lists_the_catalogue() {
    let readme = include_str!("../../../README.md");
    for Family { pattern, formula, unit, source } in CATALOGUE {
        let row = format!("| `{pattern}` | {formula} | {unit} | {source} |\n");
        assert!(readme.contains(&row), "the README lacks {row}");
    }
}

#[test]
fn names_that_are_none_are_refused() {
    for (name, message) in [
        ("", "unknown feature ''; `papertrader features --list` names all"),
        ("bid", "unknown feature 'bid'; `papertrader features --list` names all"),
        ("bid_size_x", "unknown feature 'bid_size_x'; `papertrader features --list` names all"),
        ("bid_size_01", "unknown feature 'bid_size_01'; `papertrader features --list` names all"),
        ("bid_size_", "unknown feature 'bid_size_'; `papertrader features --list` names all"),
        ("bid_size_0", "feature 'bid_size_0': the depth goes from 1 to 10"),
        ("bid_size_11", "feature 'bid_size_11': the depth goes from 1 to 10"),
        ("bid_size_99999999999999999999999", "feature 'bid_size_99999999999999999999999': the depth goes from 1 to 10"),
        ("mid_return_0", "feature 'mid_return_0': the number of updates goes from 1 to 10000"),
        ("ofi_1", "unknown feature 'ofi_1'; `papertrader features --list` names all"),
        ("ofi_1_10001", "feature 'ofi_1_10001': the number of updates goes from 1 to 10000"),
        ("print_count", "unknown feature 'print_count'; `papertrader features --list` names all"),
        ("print_count_ms", "unknown feature 'print_count_ms'; `papertrader features --list` names all"),
        ("print_count_5s", "unknown feature 'print_count_5s'; `papertrader features --list` names all"),
        ("print_count_0", "feature 'print_count_0': the number of updates goes from 1 to 10000"),
        ("print_imbalance_0ms", "feature 'print_imbalance_0ms': the number of milliseconds goes from 1 to 60000"),
        (
            "print_imbalance_60001ms",
            "feature 'print_imbalance_60001ms': the number of milliseconds goes from 1 to 60000",
        ),
    ] {
        assert_eq!(name.parse::<Feature>().unwrap_err().to_string(), message);
    }
}
