//! The book against two ordered maps, operation by operation.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use papertrader::market::book::{Book, BookState, Level, TOP_LEVELS};
use papertrader::market::event::{Event, Fault};
use papertrader::market::units::{COUNT_MAX, Scale, Side};
use std::cell::RefCell;
use std::collections::BTreeMap;

#[derive(Arbitrary, Debug)]
struct Change {
    is_ask: bool,
    place: Place,
    size: Size,
}

#[derive(Arbitrary, Debug)]
enum Place {
    /// From the side's centre.
    Near(i8),
    /// So many steps from there, and some ticks: the edges of the window among them.
    Edge(i8, i8),
    Far(i32),
    Any(u64),
    Least,
    Most,
}

#[derive(Arbitrary, Debug)]
enum Size {
    None,
    Some(u32),
    Most,
}

#[derive(Arbitrary, Debug)]
enum Operation {
    Snapshot { drift: i32, levels: Vec<Change> },
    Update { drift: i16, levels: Vec<Change> },
    Refine { price: u8, size: u8 },
    Invalidate,
    Await,
}

/// A thirty-second of a side's window.
const STEP: i64 = 1 << 13;

fn event(change: &Change, centre: i64) -> Event {
    let ticks = match change.place {
        Place::Near(by) => centre + i64::from(by),
        Place::Edge(steps, by) => centre + STEP * i64::from(steps) + i64::from(by),
        Place::Far(by) => centre.saturating_add(i64::from(by)),
        Place::Any(ticks) => (ticks % COUNT_MAX) as i64,
        Place::Least => 1,
        Place::Most => COUNT_MAX as i64,
    };
    let size = match change.size {
        Size::None => 0,
        Size::Some(size) => u64::from(size),
        Size::Most => COUNT_MAX,
    };
    Event::level(if change.is_ask { Side::Ask } else { Side::Bid }, ticks.max(1) as u64, size)
}

#[derive(Default)]
struct Maps {
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
}

impl Maps {
    fn apply(&mut self, level: Event) {
        let side = if level.side() == Side::Bid { &mut self.bids } else { &mut self.asks };
        match level.size_lots() {
            0 => side.remove(&level.price_ticks()),
            size => side.insert(level.price_ticks(), size),
        };
    }

    /// False where a count grows beyond its bound.
    fn rescale(&mut self, ticks_times: u64, lots_times: u64) -> bool {
        let times = |count: u64, by: u64| count.checked_mul(by).filter(|&count| count <= COUNT_MAX);
        for side in [&mut self.bids, &mut self.asks] {
            let finer: Option<BTreeMap<u64, u64>> = side
                .iter()
                .map(|(&price, &size)| Some((times(price, ticks_times)?, times(size, lots_times)?)))
                .collect();
            let Some(finer) = finer else { return false };
            *side = finer;
        }
        true
    }
}

fn check(book: &Book, maps: &Maps) {
    let level = |(&price_ticks, &size_lots): (&u64, &u64)| Level { price_ticks, size_lots };
    assert!(book.bids().levels().eq(maps.bids.iter().rev().map(level)), "bids differ");
    assert!(book.asks().levels().eq(maps.asks.iter().map(level)), "asks differ");
    assert!(book.bids().top().levels().eq(book.bids().levels().take(TOP_LEVELS)), "the best bids differ");
    assert!(book.asks().top().levels().eq(book.asks().levels().take(TOP_LEVELS)), "the best asks differ");
    let (bid, ask) = (maps.bids.iter().next_back().map(level), maps.asks.iter().next().map(level));
    assert_eq!((book.bids().best(), book.asks().best()), (bid, ask));
    let crossed = bid.zip(ask).is_some_and(|(bid, ask)| bid.price_ticks >= ask.price_ticks);
    assert_eq!(book.is_crossed_or_locked(), crossed);
}

thread_local! {
    /// Its megabytes are not made anew each time; a snapshot replaces whatever is in it.
    static BOOK: RefCell<Book> = RefCell::default();
}

fuzz_target!(|operations: Vec<Operation>| {
    BOOK.with_borrow_mut(|book| {
        let mut maps = Maps::default();
        let mut centre = 6_183_017_i64;
        let mut scale = Scale::default();
        book.await_snapshot();
        for operation in operations {
            match operation {
                Operation::Snapshot { drift, levels } => {
                    centre = (centre + i64::from(drift)).max(1);
                    scale = Scale::default();
                    let levels: Vec<Event> = levels.iter().map(|change| event(change, centre)).collect();
                    book.begin_snapshot(scale);
                    let (first, second) = levels.split_at(levels.len() / 2);
                    book.stage(first);
                    assert_eq!(book.state(), BookState::Syncing);
                    book.stage(second);
                    assert_eq!(book.end_snapshot(), Ok(()));
                    maps = Maps::default();
                    levels.into_iter().for_each(|level| maps.apply(level));
                }
                // The engine changes live books only.
                Operation::Update { drift, levels } if book.state() == BookState::Live => {
                    centre = (centre + i64::from(drift)).max(1);
                    let levels: Vec<Event> = levels.iter().map(|change| event(change, centre)).collect();
                    book.apply(&levels);
                    assert_eq!(book.end_update(), Ok(()));
                    levels.into_iter().for_each(|level| maps.apply(level));
                }
                Operation::Refine { price, size } if book.state() == BookState::Live => {
                    let finer = Scale {
                        price_decimals: (scale.price_decimals + price % 3).min(18),
                        size_decimals: (scale.size_decimals + size % 3).min(18),
                    };
                    let times = |from: u8, to: u8| 10_u64.pow(u32::from(to - from));
                    let ticks_times = times(scale.price_decimals, finer.price_decimals);
                    let fits = maps.rescale(ticks_times, times(scale.size_decimals, finer.size_decimals));
                    assert_eq!(book.refine(finer), if fits { Ok(()) } else { Err(Fault::NumberTooLarge) });
                    scale = finer;
                    centre = centre.saturating_mul(ticks_times as i64).min(1 << 40);
                }
                Operation::Invalidate => book.invalidate(),
                Operation::Await => book.await_snapshot(),
                _ => {}
            }
            if book.state() != BookState::Live {
                maps = Maps::default();
            }
            check(book, &maps);
        }
    });
});
