//! The tape's features against sums over vectors of prints.

use super::super::{FeatureSet, NoFeatures};
use super::*;
use crate::market::book::Book;
use crate::market::event::{FrameHead, FrameKind, UNMEASURED, UNSTAMPED};
use crate::market::units::COUNT_MAX;
use proptest::prelude::*;

const SCALE: Scale = Scale { price_decimals: 2, size_decimals: 3 };
const FINER: Scale = Scale { price_decimals: 4, size_decimals: 5 };

/// Side, price and size at [`SCALE`].
type Traded = (bool, u64, u64);

#[derive(Clone, Debug)]
enum Step {
    /// A frame of the book: nanoseconds since the step before (it may go back), and its best bid.
    Update(i64, u64),
    /// A frame of prints, at the finer scale or not, with the places where its events are cut.
    Prints(i64, bool, Vec<Traded>, Vec<usize>),
    /// The book goes over to the finer scale.
    Refine,
    /// The book is lost, or replaced.
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    let traded = (any::<bool>(), 9_900..10_100_u64, 1..5_000_u64);
    let later = prop_oneof![8 => 0..4_000_000_i64, 1 => -1_000_000..0_i64, 1 => Just(30_000_000)];
    prop_oneof![
        12 => (later.clone(), 9_990..10_010_u64).prop_map(|(later, bid)| Step::Update(later, bid)),
        12 => (later, prop::bool::weighted(0.1), prop::collection::vec(traded, 1..5), prop::collection::vec(0..10_usize, 0..3))
            .prop_map(|(later, finer, traded, cuts)| Step::Prints(later, finer, traded, cuts)),
        1 => Just(Step::Refine),
        1 => Just(Step::Reset),
    ]
}

fn features() -> Vec<Feature> {
    let windows = [Window::Updates(1), Window::Updates(3), Window::Millis(1), Window::Millis(7), Window::Updates(2)];
    let of = |make: fn(Window) -> Feature| windows.map(make);
    [
        of(Feature::PrintSignedVolume),
        of(Feature::PrintCount),
        of(Feature::PrintImbalance),
        of(Feature::PrintVwapMinusMid),
    ]
    .concat()
    .into_iter()
    .chain([Feature::SecondsSincePrint, Feature::LastPrintSide])
    .collect()
}

fn head(ts_recv_ns: i64, scale: Scale, levels: usize) -> FrameHead {
    FrameHead {
        kind: FrameKind::Prints,
        product: 0,
        levels: levels as u32,
        scale,
        sequence_num: 0,
        ts_recv_ns,
        ts_event_ns: 0,
        arrived: UNSTAMPED,
        received: UNMEASURED,
        decoded: UNSTAMPED,
        published: UNSTAMPED,
    }
}

fn times(scale: Scale) -> (u64, u64) {
    let power = |to: u8, from: u8| 10_u64.pow(u32::from(to - from));
    (power(scale.price_decimals, SCALE.price_decimals), power(scale.size_decimals, SCALE.size_decimals))
}

fn events(traded: &[Traded], scale: Scale) -> Vec<Event> {
    let (price_times, size_times) = times(scale);
    let prints = traded.iter().map(|&(buys, price, size)| Print {
        aggressor: if buys { Side::Bid } else { Side::Ask },
        price_ticks: price * price_times,
        size_lots: size * size_times,
        trade_id: 0,
        ts_event_ns: 0,
    });
    prints.flat_map(|print| print.encode()).collect()
}

/// The book with that best bid.
fn book(book: &mut Book, bid: u64, scale: Scale) -> &Book {
    let (price_times, size_times) = times(scale);
    book.begin_snapshot(scale);
    book.stage(&[
        Event::level(Side::Bid, bid * price_times, 5 * size_times),
        Event::level(Side::Ask, (bid + 3) * price_times, 5 * size_times),
    ]);
    book.end_snapshot().unwrap();
    book
}

/// The obvious computation: everything since the history began, in a vector.
#[derive(Default)]
struct Plain {
    /// Frames before it, receive time, print.
    prints: Vec<(usize, i64, Traded)>,
    frames: usize,
    began_ns: i64,
    now_ns: i64,
}

impl Plain {
    fn update(&mut self, ts_recv_ns: i64) {
        if self.frames == 0 {
            *self = Self { began_ns: ts_recv_ns, now_ns: ts_recv_ns, ..Self::default() };
        }
        self.now_ns = self.now_ns.max(ts_recv_ns);
        self.frames += 1;
    }

    fn prints(&mut self, ts_recv_ns: i64, traded: &[Traded]) {
        if self.frames > 0 {
            self.now_ns = self.now_ns.max(ts_recv_ns);
            self.prints.extend(traded.iter().map(|&traded| (self.frames, self.now_ns, traded)));
        }
    }

    fn value(&self, feature: Feature, bid: u64) -> f64 {
        let inside = |&&(frames, ts_ns, _): &&(usize, i64, Traded)| match feature.window().unwrap() {
            Window::Updates(k) => frames >= self.frames - k as usize,
            Window::Millis(millis) => ts_ns > self.now_ns - i64::from(millis) * 1_000_000,
        };
        let of = |which: fn(&Traded) -> f64| -> f64 {
            self.prints.iter().filter(inside).map(|(_, _, traded)| which(traded)).sum()
        };
        let size = |&(_, _, size): &Traded| size as f64;
        let signed = |&(buys, _, size): &Traded| if buys { size as f64 } else { -(size as f64) };
        let value = |&(_, price, size): &Traded| (price * size) as f64;
        match feature {
            Feature::PrintSignedVolume(_) => of(signed) / 1e3,
            Feature::PrintCount(_) => of(|_| 1.0),
            Feature::PrintImbalance(_) if of(|_| 1.0) == 0.0 => 0.0,
            Feature::PrintImbalance(_) => of(signed) / of(size),
            Feature::PrintVwapMinusMid(_) if of(|_| 1.0) == 0.0 => 0.0,
            Feature::PrintVwapMinusMid(_) => (of(value) / of(size) - (bid as f64 + 1.5)) / 100.0,
            Feature::SecondsSincePrint => {
                let from_ns = self.prints.last().map_or(self.began_ns, |&(_, ts_ns, _)| ts_ns);
                (self.now_ns - from_ns) as f64 / 1e9
            }
            Feature::LastPrintSide => {
                self.prints.last().map_or(0.0, |&(_, _, (buys, ..))| if buys { 1.0 } else { -1.0 })
            }
            _ => unreachable!("a feature of the book"),
        }
    }
}

/// The rows that steps give: `None` for a frame while warming up.
fn rows(steps: &[Step], mut look: impl FnMut(&Plain, u64, Option<&[f64]>)) -> Vec<Option<Vec<f64>>> {
    let mut set = FeatureSet::new(&features());
    let (mut plain, mut scale, mut now_ns, mut rows) = (Plain::default(), SCALE, 1_000, Vec::new());
    let mut market = Book::default();
    for step in steps {
        match step {
            Step::Update(later_ns, bid) => {
                now_ns += later_ns;
                plain.update(now_ns);
                let row = match set.update(book(&mut market, *bid, scale), now_ns) {
                    Ok(changed) => {
                        assert!(changed);
                        Some(set.values().collect::<Vec<f64>>())
                    }
                    Err(reason) => {
                        assert_eq!(reason, NoFeatures::WarmingUp);
                        None
                    }
                };
                look(&plain, *bid, row.as_deref());
                rows.push(row);
            }
            Step::Prints(later_ns, finer, traded, cuts) => {
                now_ns += later_ns;
                plain.prints(now_ns, traded);
                let scale = if *finer { FINER } else { scale };
                let events = events(traded, scale);
                let mut cuts: Vec<usize> = cuts.iter().map(|&cut| cut.min(events.len())).collect();
                cuts.extend([0, events.len()]);
                cuts.sort_unstable();
                for cut in cuts.windows(2) {
                    set.prints(&head(now_ns, scale, events.len()), &events[cut[0]..cut[1]]);
                }
            }
            Step::Refine => {
                set.refine(scale, FINER);
                scale = FINER;
            }
            Step::Reset => {
                set.reset();
                plain = Plain::default();
            }
        }
    }
    rows
}

fn bits(rows: &[Option<Vec<f64>>]) -> Vec<Option<Vec<u64>>> {
    rows.iter().map(|row| row.as_ref().map(|row| row.iter().map(|value| value.to_bits()).collect())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn agree_with_sums_over_all_prints(steps in prop::collection::vec(step(), 10..80)) {
        rows(&steps, |plain, bid, row| {
            // Three updates and seven milliseconds back.
            let reaches_back = plain.frames > 3 && plain.now_ns - plain.began_ns >= 7_000_000;
            assert_eq!(row.is_some(), reaches_back);
            for (&feature, value) in features().iter().zip(row.into_iter().flatten()) {
                let expected = plain.value(feature, bid);
                assert!((value - expected).abs() <= 1e-9, "{feature}: {value} against {expected}");
            }
        });
    }

    /// What is received after a frame is not in its row.
    #[test]
    fn no_row_knows_later_prints(steps in prop::collection::vec(step(), 10..60), from: prop::sample::Index) {
        let from = from.index(steps.len());
        let is_print = |step: &Step| matches!(step, Step::Prints(..));
        // Prints carry time: those that are left out leave it behind.
        let without: Vec<Step> = steps.iter().enumerate().map(|(at, step)| match step {
            Step::Prints(later_ns, _, _, cuts) if at >= from => Step::Prints(*later_ns, false, Vec::new(), cuts.clone()),
            step => step.clone(),
        }).collect();
        let updates_before = steps[..from].iter().filter(|step| matches!(step, Step::Update(..))).count();
        let frames = if steps[from..].iter().take_while(|step| !is_print(step)).any(|step| matches!(step, Step::Update(..))) {
            updates_before + 1
        } else {
            updates_before
        };
        let (all, less) = (rows(&steps, |_, _, _| ()), rows(&without, |_, _, _| ()));
        prop_assert_eq!(bits(&all[..frames]), bits(&less[..frames]));
    }

    /// Every message of prints one frame later: the features over updates are those of the frame before.
    #[test]
    fn prints_a_frame_later_are_seen_a_frame_later(
        intervals in prop::collection::vec(prop::collection::vec((any::<bool>(), 9_900..10_100_u64, 1..5_000_u64), 0..4), 10..30),
    ) {
        let by_updates = |feature: &Feature| matches!(feature.window(), Some(Window::Updates(_)))
            && !matches!(feature, Feature::PrintVwapMinusMid(_));
        let run = |late: usize| {
            let mut steps = Vec::new();
            for at in 0..intervals.len() {
                steps.push(Step::Update(10_000_000, 10_000));
                if let Some(traded) = at.checked_sub(late).map(|at| &intervals[at]).filter(|traded| !traded.is_empty()) {
                    steps.push(Step::Prints(0, false, traded.clone(), Vec::new()));
                }
            }
            let which: Vec<usize> = (0..features().len()).filter(|&at| by_updates(&features()[at])).collect();
            let rows = rows(&steps, |_, _, _| ());
            rows.into_iter().map(|row| row.map(|row| which.iter().map(|&at| row[at]).collect())).collect::<Vec<_>>()
        };
        let (prompt, late) = (run(0), run(1));
        prop_assert!(prompt.iter().skip(3).all(Option::is_some));
        prop_assert_eq!(bits(&prompt[3..prompt.len() - 1]), bits(&late[4..]));
    }

    #[test]
    fn numbers_at_the_ends_of_their_range_do_no_harm(
        prints in prop::collection::vec((any::<bool>(), 1..=COUNT_MAX, 1..=COUNT_MAX, 0..=18_u8, 0..=18_u8, any::<i64>()), 1..20),
        bid in 1..COUNT_MAX,
    ) {
        let (mut set, mut book) = (FeatureSet::new(&features()), Book::default());
        for (number, &(buys, price_ticks, size_lots, price_decimals, size_decimals, ts_recv_ns)) in prints.iter().enumerate() {
            book.begin_snapshot(SCALE);
            book.stage(&[Event::level(Side::Bid, bid, 1), Event::level(Side::Ask, bid + 1, COUNT_MAX)]);
            book.end_snapshot().unwrap();
            if set.update(&book, number as i64).is_ok() {
                prop_assert!(set.values().all(f64::is_finite));
            }
            let aggressor = if buys { Side::Bid } else { Side::Ask };
            let print = Print { aggressor, price_ticks, size_lots, trade_id: 1, ts_event_ns: 0 };
            set.prints(&head(ts_recv_ns, Scale { price_decimals, size_decimals }, 2), &print.encode());
        }
    }
}

#[test]
fn a_window_of_time_that_is_too_full_holds_the_newest() {
    let mut set =
        FeatureSet::new(&[Feature::PrintCount(Window::Millis(1_000)), Feature::PrintCount(Window::Updates(2))]);
    let print = events(&[(true, 10_000, 5)], SCALE);
    let more = 10;
    for ts_recv_ns in [0, 1, 1_000_000_000] {
        let _ = set.update(book(&mut Book::default(), 10_000, SCALE), ts_recv_ns);
    }
    for message in 0..(TAPE_MESSAGES_MAX + more) as i64 {
        set.prints(&head(1_000_000_000 + message, SCALE, 2), &print);
        // A second message of that time needs no room of its own.
        set.prints(&head(1_000_000_000 + message, SCALE, 2), &print);
    }
    assert_eq!(set.update(book(&mut Book::default(), 10_000, SCALE), 1_500_000_000), Ok(true));
    let messages = TAPE_MESSAGES_MAX as f64;
    assert_eq!(set.values().collect::<Vec<_>>(), [2.0 * messages, 2.0 * (messages + more as f64)]);
    assert_eq!(set.tape_overruns(), more as u64);
    // Once it has moved on nothing is missing.
    set.prints(&head(2_600_000_000, SCALE, 2), &print);
    assert_eq!(set.update(book(&mut Book::default(), 10_000, SCALE), 2_700_000_000), Ok(true));
    assert_eq!((set.values().next(), set.tape_overruns()), (Some(1.0), more as u64));
}

#[test]
fn a_set_without_features_of_the_tape_passes_prints_over() {
    let mut set = FeatureSet::new(&[Feature::Mid]);
    assert!(!set.reads_tape());
    set.prints(&head(0, SCALE, 2), &events(&[(true, 10_000, 5)], SCALE));
    set.update(book(&mut Book::default(), 10_000, SCALE), 5).unwrap();
    assert_eq!((set.update(book(&mut Book::default(), 10_000, SCALE), 9).is_ok(), set.tape_overruns()), (true, 0));
}
