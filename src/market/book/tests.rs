//! The book against a pair of ordered maps.

use super::ladder::{CountOverflow, FAR_LEVELS_MAX};
use super::*;
use bitmap::SLOTS;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The obvious book.
#[derive(Default)]
struct Maps {
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
}

impl Maps {
    fn apply(&mut self, levels: &[Event]) {
        for level in levels {
            let side = if level.side() == Side::Bid { &mut self.bids } else { &mut self.asks };
            if level.size_lots() == 0 {
                side.remove(&level.price_ticks());
            } else {
                side.insert(level.price_ticks(), level.size_lots());
            }
        }
    }

    fn bids(&self) -> Vec<Level> {
        self.bids.iter().rev().map(|(&price_ticks, &size_lots)| Level { price_ticks, size_lots }).collect()
    }

    fn asks(&self) -> Vec<Level> {
        self.asks.iter().map(|(&price_ticks, &size_lots)| Level { price_ticks, size_lots }).collect()
    }
}

fn assert_same(book: &Book, maps: &Maps) {
    assert_eq!(book.bids().levels().collect::<Vec<_>>(), maps.bids());
    assert_eq!(book.asks().levels().collect::<Vec<_>>(), maps.asks());
    assert_top(book.bids(), &maps.bids());
    assert_top(book.asks(), &maps.asks());
    assert_eq!(book.bids().best(), maps.bids().first().copied());
    assert_eq!(book.asks().best(), maps.asks().first().copied());
    let crossed = match (maps.bids.last_key_value(), maps.asks.first_key_value()) {
        (Some((bid, _)), Some((ask, _))) => bid >= ask,
        _ => false,
    };
    assert_eq!(book.is_crossed_or_locked(), crossed);
}

fn assert_top<D: direction::Direction>(ladder: &Ladder<D>, levels: &[Level]) {
    let top = ladder.top();
    let expected = &levels[..levels.len().min(TOP_LEVELS)];
    assert_eq!(top.levels().collect::<Vec<_>>(), expected);
    assert_eq!((top.len(), top.is_empty()), (expected.len(), expected.is_empty()));
    for at in top.len()..TOP_ROOM {
        assert_eq!((top.price_ticks()[at], top.size_lots()[at]), (0, 0));
    }
}

fn snapshot(book: &mut Book, maps: &mut Maps, levels: &[Event]) {
    book.begin_snapshot(Scale::default());
    assert_eq!(book.state(), BookState::Syncing);
    let (first, second) = levels.split_at(levels.len() / 3);
    book.stage(first);
    book.stage(second);
    book.end_snapshot().unwrap();
    assert_eq!(book.state(), BookState::Live);
    *maps = Maps::default();
    maps.apply(levels);
}

fn update(book: &mut Book, maps: &mut Maps, levels: &[Event]) {
    let tops = |book: &Book| {
        [book.bids().top(), book.asks().top()].map(|top| (top.version(), top.levels().collect::<Vec<_>>()))
    };
    let before = tops(book);
    book.apply(levels);
    book.end_update().unwrap();
    maps.apply(levels);
    for ((old_version, old), (version, new)) in before.into_iter().zip(tops(book)) {
        assert!(old_version != version || old == new, "an old version of new levels");
    }
}

/// Prices around a centre: close, at the window's edges, beyond it, and as absurd as real books hold them.
fn price(centre: u64) -> impl Strategy<Value = u64> {
    let slots = SLOTS as u64;
    prop_oneof![
        8 => centre - 40..centre + 40,
        2 => centre - slots / 4 - 3..centre - slots / 4 + 3,
        2 => centre + slots * 3 / 4 - 3..centre + slots * 3 / 4 + 3,
        2 => centre - slots * 3 / 4 - 3..centre - slots * 3 / 4 + 3,
        2 => centre + slots / 4 - 3..centre + slots / 4 + 3,
        2 => centre - 3 * slots..centre + 3 * slots,
        1 => Just(1),
        1 => Just(8_385_505_700),
        1 => Just(crate::market::units::COUNT_MAX),
    ]
}

fn level(centre: u64) -> impl Strategy<Value = Event> {
    let size = prop_oneof![2 => Just(0), 3 => 1..1_000_000_u64, 1 => Just(crate::market::units::COUNT_MAX)];
    (any::<bool>(), price(centre), size)
        .prop_map(|(ask, price, size)| Event::level(if ask { Side::Ask } else { Side::Bid }, price, size))
}

/// Frames whose centre drifts by up to most of a window each, some of them snapshots.
fn frames() -> impl Strategy<Value = Vec<(bool, Vec<Event>)>> {
    prop::collection::vec((-30_000..30_000_i64, prop::bool::weighted(0.05)), 1..60).prop_flat_map(|steps| {
        let mut centre = 6_183_017_i64;
        steps
            .into_iter()
            .map(|(drift, is_snapshot)| {
                centre = (centre + drift).max(200_000);
                (Just(is_snapshot), prop::collection::vec(level(centre as u64), 0..25))
            })
            .collect::<Vec<_>>()
    })
}

/// Looks levels up between the events of an update, at each of `prices`.
fn assert_lookups(book: &mut Book, maps: &mut Maps, levels: &[Event], prices: &[u64]) {
    for level in levels {
        book.apply(std::slice::from_ref(level));
        maps.apply(std::slice::from_ref(level));
        for &price in prices.iter().chain([&level.price_ticks()]) {
            assert_eq!(book.size_at(Side::Bid, price), maps.bids.get(&price).copied().unwrap_or(0));
            assert_eq!(book.size_at(Side::Ask, price), maps.asks.get(&price).copied().unwrap_or(0));
            let lower = maps.bids.range(..price).next_back().map(|(&price, _)| price);
            assert_eq!(book.next_behind(Side::Bid, price), lower);
            let higher = maps.asks.range((std::ops::Bound::Excluded(price), std::ops::Bound::Unbounded)).next();
            assert_eq!(book.next_behind(Side::Ask, price), higher.map(|(&price, _)| price));
        }
    }
    book.end_update().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn equals_ordered_maps_after_every_frame(
        first in prop::collection::vec(level(6_183_017), 0..200), frames in frames(), faults_in: bool,
    ) {
        let (mut book, mut maps) = (Book::default(), Maps::default());
        if faults_in {
            book.fault_in();
        }
        snapshot(&mut book, &mut maps, &first);
        assert_same(&book, &maps);
        for (is_snapshot, levels) in frames {
            if is_snapshot {
                snapshot(&mut book, &mut maps, &levels);
            } else {
                update(&mut book, &mut maps, &levels);
            }
            assert_same(&book, &maps);
        }
    }

    #[test]
    fn a_finer_scale_keeps_every_level(levels in prop::collection::vec(level(6_183_017), 0..100), more in 0..4_u8) {
        let small: Vec<Event> = levels
            .iter()
            .map(|level| Event::level(level.side(), level.price_ticks().min(1 << 40), level.size_lots().min(1 << 40)))
            .collect();
        let (mut book, mut maps) = (Book::default(), Maps::default());
        snapshot(&mut book, &mut maps, &small);
        book.refine(Scale { price_decimals: more, size_decimals: more / 2 }).unwrap();
        let times = |by: u8| move |count: u64| count * 10_u64.pow(u32::from(by));
        let (ticks, lots) = (times(more), times(more / 2));
        let finer = |side: &BTreeMap<u64, u64>| side.iter().map(|(&price, &size)| (ticks(price), lots(size))).collect();
        assert_same(&book, &Maps { bids: finer(&maps.bids), asks: finer(&maps.asks) });
        prop_assert_eq!(book.scale(), Scale { price_decimals: more, size_decimals: more / 2 });
    }
}

#[test]
fn a_long_drift_recentres_many_times_and_stays_exact() {
    let (mut book, mut maps) = (Book::default(), Maps::default());
    let around = |centre: u64| -> Vec<Event> {
        (1..400)
            .flat_map(|n| [Event::level(Side::Bid, centre - n * 7, n), Event::level(Side::Ask, centre + n * 7, n + 1)])
            .collect()
    };
    snapshot(&mut book, &mut maps, &around(6_183_017));
    let mut centre = 6_183_017;
    for step in 0..400 {
        // Up for a while, then down: the old levels are removed, as a moving market does.
        let removed: Vec<Event> = maps
            .bids()
            .iter()
            .take(100)
            .map(|level| Event::level(Side::Bid, level.price_ticks, 0))
            .chain(maps.asks().iter().take(100).map(|level| Event::level(Side::Ask, level.price_ticks, 0)))
            .collect();
        update(&mut book, &mut maps, &removed);
        assert_same(&book, &maps);
        let step_ticks = SLOTS as u64 / 11 + 1;
        centre = if step < 250 { centre + step_ticks } else { centre - step_ticks * 3 / 2 };
        update(&mut book, &mut maps, &around(centre));
        assert_same(&book, &maps);
    }
    assert!(book.bids().recentres() > 20, "{}", book.bids().recentres());
    assert!(book.asks().recentres() > 20, "{}", book.asks().recentres());
}

#[test]
fn absurd_prices_cost_no_exactness() {
    let (mut book, mut maps) = (Book::default(), Maps::default());
    let far_apart = [(Side::Bid, 1), (Side::Bid, 6_183_016), (Side::Ask, 6_183_017), (Side::Ask, 8_385_505_700)];
    let levels = far_apart.map(|(side, price)| Event::level(side, price, 5));
    snapshot(&mut book, &mut maps, &levels);
    // Each best level goes: what was absurd becomes the best, and back.
    for size in [0, 9, 0, 9] {
        update(
            &mut book,
            &mut maps,
            &[Event::level(Side::Bid, 6_183_016, size), Event::level(Side::Ask, 6_183_017, size)],
        );
        assert_same(&book, &maps);
    }
    update(&mut book, &mut maps, &far_apart.map(|(side, price)| Event::level(side, price, 0)));
    assert_same(&book, &maps);
    assert_eq!(book.best(), None);
    update(&mut book, &mut maps, &levels);
    assert_same(&book, &maps);
}

#[test]
fn too_many_far_levels_invalidate() {
    let far = |count: usize| -> Vec<Event> {
        let first = 2 * SLOTS as u64;
        std::iter::once(Event::level(Side::Ask, 1, 1))
            .chain((0..count as u64).map(|n| Event::level(Side::Ask, first + n, 1)))
            .collect()
    };
    let mut book = Book::default();
    book.begin_snapshot(Scale::default());
    book.stage(&far(FAR_LEVELS_MAX));
    assert_eq!(book.end_snapshot(), Ok(()));
    assert_eq!(book.asks().far_levels(), FAR_LEVELS_MAX);
    book.apply(&[Event::level(Side::Ask, u64::from(u32::MAX), 1)]);
    assert_eq!(book.end_update(), Err(Fault::TooManyLevels));
    assert_eq!(book.state(), BookState::Invalid);
    assert_eq!(book.asks().levels().next(), None);

    // What a frame adds and takes away again does not count, what it adds besides does.
    let [first, second] = [1, 2].map(|n| u64::from(u32::MAX) + n);
    for (added, fits) in [(&[first][..], true), (&[first, second], false)] {
        book.begin_snapshot(Scale::default());
        book.stage(&far(FAR_LEVELS_MAX));
        book.end_snapshot().unwrap();
        added.iter().for_each(|&price| book.apply(&[Event::level(Side::Ask, price, 1)]));
        book.apply(&[Event::level(Side::Ask, first, 0)]);
        assert_eq!(book.end_update(), if fits { Ok(()) } else { Err(Fault::TooManyLevels) });
    }

    book.begin_snapshot(Scale::default());
    book.stage(&far(FAR_LEVELS_MAX + 1));
    assert_eq!(book.end_snapshot(), Err(Fault::TooManyLevels));
    assert_eq!(book.state(), BookState::Invalid);
}

/// Each level worse than all before, which kept in order would shift them all: with a million of them for a quarter of an hour.
#[test]
fn a_frame_of_far_levels_in_the_worst_order_is_applied_and_exact() {
    let (mut book, mut maps) = (Book::default(), Maps::default());
    snapshot(&mut book, &mut maps, &[Event::level(Side::Bid, 1 << 40, 5), Event::level(Side::Ask, (1 << 40) + 1, 5)]);
    let sides = |n: u64, size_lots: u64| {
        let away = 2 * SLOTS as u64 + n;
        [Event::level(Side::Bid, (1 << 40) - away, size_lots), Event::level(Side::Ask, (1 << 40) + away, size_lots)]
    };
    // Sizes change and levels go in the same frame, some come back, and a better price is among what comes late.
    let mut levels: Vec<Event> = (0..200_000).flat_map(|n| sides(n, n + 1)).collect();
    levels.extend((0..200_000).step_by(3).flat_map(|n| sides(n, 0)));
    levels.extend((0..200_000).step_by(5).flat_map(|n| sides(n, 7)));
    levels.extend([Event::level(Side::Bid, (1 << 40) + SLOTS as u64, 3), Event::level(Side::Ask, 1 << 20, 4)]);
    update(&mut book, &mut maps, &levels);
    assert_same(&book, &maps);
    // The next frame begins in order.
    update(&mut book, &mut maps, &sides(1_000_000, 1));
    assert_same(&book, &maps);
    update(
        &mut book,
        &mut maps,
        &[Event::level(Side::Bid, (1 << 40) + SLOTS as u64, 0), Event::level(Side::Ask, 1 << 20, 0)],
    );
    assert_same(&book, &maps);
}

#[test]
fn a_scale_beyond_64_bits_invalidates() {
    let mut book = Book::default();
    book.begin_snapshot(Scale::default());
    book.stage(&[Event::level(Side::Bid, 1 << 40, 1)]);
    book.end_snapshot().unwrap();
    assert_eq!(book.refine(Scale { price_decimals: 18, size_decimals: 0 }), Err(Fault::NumberTooLarge));
    assert_eq!(book.state(), BookState::Invalid);
    let mut ladder = Ladder::<Bids>::default();
    ladder.stage(7, 1);
    ladder.end_snapshot().unwrap();
    assert_eq!(ladder.rescale(1, u64::MAX), Err(CountOverflow));
}

#[test]
fn states_follow_what_happens() {
    let mut book = Book::default();
    assert_eq!(book.state(), BookState::Empty);
    book.await_snapshot();
    assert_eq!(book.state(), BookState::Syncing);
    book.invalidate();
    assert_eq!(book.state(), BookState::Invalid);
    assert_eq!(book.best(), None);
}

proptest! {
    #[test]
    fn levels_are_found_within_a_frame(
        frames in frames(), prices in prop::collection::vec(price(6_183_017), 4),
    ) {
        let (mut book, mut maps) = (Book::default(), Maps::default());
        snapshot(&mut book, &mut maps, &[]);
        for (is_snapshot, levels) in frames {
            if is_snapshot {
                snapshot(&mut book, &mut maps, &levels);
            } else {
                assert_lookups(&mut book, &mut maps, &levels, &prices);
            }
        }
    }
}
