//! Features of the book and of the tape: a catalogue of names, expressions over it, and the computation of those that a model asks
//! for.
//!
//! ```
//! use papertrader::market::book::Book;
//! use papertrader::market::event::Event;
//! use papertrader::market::units::{Scale, Side};
//! use papertrader::strategy::features::{FeatureSet, Input, NoFeatures};
//!
//! let features: [Input; 4] =
//!     ["mid".parse()?, "spread_ticks".parse()?, "mid_return_1".parse()?, "moved = delta(mid, 1)".parse()?];
//! let mut features = FeatureSet::new(&features);
//!
//! let mut book = Book::default();
//! book.begin_snapshot(Scale { price_decimals: 2, size_decimals: 2 });
//! book.stage(&[Event::level(Side::Bid, 9_999, 300), Event::level(Side::Ask, 10_001, 100)]);
//! book.end_snapshot().expect("two levels are not too many");
//! // A return over one update needs the update before.
//! assert_eq!(features.update(&book, 0), Err(NoFeatures::WarmingUp));
//!
//! book.apply(&[Event::level(Side::Bid, 10_000, 50)]);
//! book.end_update().expect("three levels are not too many");
//! features.update(&book, 1_000_000).expect("there is an update before");
//! let values: Vec<f64> = features.values().collect();
//! assert_eq!(values[..2], [100.005, 1.0]);
//! assert!((values[2] - 0.000_05).abs() < 1e-12);
//! assert_eq!(values[3], 0.005);
//! # Ok::<(), papertrader::strategy::features::InputError>(())
//! ```

mod catalogue;
mod compiled;
pub mod expression;
mod history;
mod input;
pub(crate) mod lanes;
mod logarithm;
mod plan;
mod tape;
mod together;
mod weights;

pub use catalogue::{CATALOGUE, DEPTH_MAX, Family, Feature, FeatureError, HISTORY_MAX, SEED, WINDOW_MS_MAX, Window};
pub use compiled::check;
pub use input::{Input, InputError, InputsError, NAME_BYTES_MAX, json};
pub use tape::TAPE_MESSAGES_MAX;
pub use together::{Share, Together, together};
pub use weights::Weights;

use crate::market::book::{Book, TOP_ROOM, Top};
use crate::market::event::{Event, FrameHead};
use crate::market::units::Scale;
use compiled::Compiled;
use expression::Program;
use history::History;
use lanes::{Divisor, Four, LANES, Lanes, Processor};
use logarithm::ln;
use plan::{ASK, BID, Numbers, Place, Plan};
use tape::Tape;

/// The most features that a model may use.
pub const FEATURES_MAX: usize = 128;

/// Why a frame has no features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFeatures {
    /// A side has fewer levels than the features look at.
    Thin,
    /// Too few updates, or too little time, since the snapshot for the features' history.
    WarmingUp,
    /// An expression has no value, as a quotient by 0.
    Undefined,
}

/// Computes a list of features after each frame.
///
/// The list is compiled once into what its frames need. A frame that changes none of the best levels changes no feature but
/// those that look back.
#[derive(Debug)]
pub struct FeatureSet {
    features: Vec<Input>,
    plan: Plan,
    /// For expressions, if there are any.
    program: Option<Box<Program>>,
    processor: Processor,
    numbers: Box<Numbers>,
    /// Of which levels the numbers are, by [`Top::version`], and at which scale.
    known: Option<([u64; 2], Scale)>,
    /// At the scale of `known`.
    steps: Steps,
    /// Decimals of the session's tick: those of the first live book's scale.
    tick_decimals: Option<u8>,
    history: History,
    /// For features of the tape, if there are any.
    tape: Option<Box<Tape>>,
}

impl FeatureSet {
    /// Prepares the computation of `features`, in this order.
    ///
    /// # Panics
    /// They are more than [`check`] lets pass, as more than [`FEATURES_MAX`].
    pub fn new<I: Clone + Into<Input>>(features: &[I]) -> Self {
        let features: Vec<Input> = features.iter().cloned().map(Into::into).collect();
        let Compiled { plan, program, reads } = Compiled::new(&features).unwrap_or_else(|error| panic!("{error}"));
        let mut numbers = Box::<Numbers>::default();
        numbers[plan::ONE] = 1.0;
        Self {
            features,
            plan,
            program,
            processor: Processor::new(),
            numbers,
            known: None,
            steps: Steps::default(),
            tick_decimals: None,
            history: History::new(&reads),
            tape: reads.iter().any(|feature| feature.reads_tape()).then(|| Box::new(Tape::new(&reads))),
        }
    }

    /// Whether any feature reads the tape: then it wants [`FeatureSet::prints`].
    #[inline]
    pub fn reads_tape(&self) -> bool {
        self.tape.is_some()
    }

    /// Takes prints of a frame into account, given as events in any number of slices. They count from the next update on.
    pub fn prints(&mut self, head: &FrameHead, events: &[Event]) {
        if let Some(tape) = &mut self.tape {
            tape.prints(head.scale, head.ts_recv_ns, events);
        }
    }

    /// Messages of prints that a window of time lost early, because more than [`TAPE_MESSAGES_MAX`] came within it.
    pub fn tape_overruns(&self) -> u64 {
        self.tape.as_ref().map_or(0, |tape| tape.overruns())
    }

    /// Updates that a window of time in an expression lost early, because more than [`expression::WINDOW_UPDATES_MAX`] came
    /// within it.
    pub fn update_overruns(&self) -> u64 {
        self.program.as_ref().map_or(0, |program| program.overruns())
    }

    /// The features, in order.
    pub fn features(&self) -> &[Input] {
        &self.features
    }

    /// Their values, in order, after the last update that had any.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        self.values_at(&self.plan.places)
    }

    /// The values of one of several lists that the set computes, in the order of that list.
    pub fn values_of<'a>(&'a self, share: &'a Share) -> impl ExactSizeIterator<Item = f64> + 'a {
        self.values_at(share.places())
    }

    #[inline]
    fn values_at<'a>(&'a self, places: &'a [Place]) -> impl ExactSizeIterator<Item = f64> + 'a {
        places.iter().map(|&place| self.numbers[place])
    }

    /// Σ weight·value, the weights being those of the same features.
    #[inline]
    pub fn dot(&self, weights: &Weights) -> f64 {
        match self.processor {
            Processor::Any => weights.dot(lanes::Plain, &self.numbers),
            #[cfg(target_arch = "x86_64")]
            Processor::V3(v3) => v3.vectorize(
                #[inline(always)]
                || weights.dot(v3, &self.numbers),
            ),
        }
    }

    /// A session begins: forgets everything, its tick too.
    pub fn begin(&mut self) {
        self.reset();
        (self.tick_decimals, self.known) = (None, None);
    }

    /// Forgets what was before: the book has been replaced or lost.
    pub fn reset(&mut self) {
        self.history.reset();
        if let Some(program) = &mut self.program {
            program.reset();
        }
    }

    /// Follows the book to a finer scale. The session's tick stays.
    pub fn refine(&mut self, from: Scale, to: Scale) {
        self.history.refine(from, to);
        if let Some(program) = &mut self.program {
            program.refine(from, to);
        }
    }

    /// Takes the book after a frame received at `ts_recv_ns` into account. Says whether any feature may have changed.
    ///
    /// # Errors
    /// Why there are no features after this frame.
    #[inline]
    pub fn update(&mut self, book: &Book, ts_recv_ns: i64) -> Result<bool, NoFeatures> {
        self.update_from([book.bids().top(), book.asks().top()], book.scale(), ts_recv_ns)
    }

    /// The same from what is looked at of a book: the best bids and asks, and the scale.
    ///
    /// # Errors
    /// As [`FeatureSet::update`].
    #[inline]
    pub fn update_from(&mut self, tops: [&Top; 2], scale: Scale, ts_recv_ns: i64) -> Result<bool, NoFeatures> {
        let [bids, asks] = tops;
        let tick_decimals = *self.tick_decimals.get_or_insert(scale.price_decimals);
        if bids.len() < self.plan.depths[BID] || asks.len() < self.plan.depths[ASK] {
            self.reset();
            return Err(NoFeatures::Thin);
        }
        let reaches_back = match &mut self.tape {
            None => self.history.update(bids, asks, ts_recv_ns),
            Some(tape) => {
                let by_tape = tape.update(self.history.is_empty(), scale, ts_recv_ns);
                self.history.update(bids, asks, ts_recv_ns) && by_tape
            }
        };
        // Expressions that look back take everything in from the first update on.
        if !reaches_back && !self.program.as_ref().is_some_and(|program| program.looks_back()) {
            return Err(NoFeatures::WarmingUp);
        }
        let now = Some((tops.map(Top::version), scale));
        if self.known == now && !self.plan.looks_back {
            return self.outcome(reaches_back, false);
        }
        if self.known.is_none_or(|(_, known)| known != scale) {
            self.steps = Steps::new(scale, tick_decimals);
        }
        self.known = now;
        self.compute(tops);
        self.run_program(tops, ts_recv_ns);
        self.outcome(reaches_back, true)
    }

    /// What came of an update: whether something may have changed, or why there is nothing.
    #[inline]
    fn outcome(&self, reaches_back: bool, has_changed: bool) -> Result<bool, NoFeatures> {
        match &self.program {
            None => Ok(has_changed),
            Some(program) if !(reaches_back && program.is_warm()) => Err(NoFeatures::WarmingUp),
            Some(program) if program.is_undefined() => Err(NoFeatures::Undefined),
            Some(_) => Ok(has_changed),
        }
    }

    /// Runs the expressions over what has been computed.
    #[inline]
    fn run_program(&mut self, tops: [&Top; 2], ts_recv_ns: i64) {
        let Self { program: Some(program), numbers, steps, processor, .. } = self else { return };
        let units = [steps.ticks_per_unit, steps.lots_per_unit];
        match *processor {
            Processor::Any => program.run(lanes::Plain, numbers, tops, units, ts_recv_ns),
            #[cfg(target_arch = "x86_64")]
            Processor::V3(v3) => v3.vectorize(
                #[inline(always)]
                || program.run(v3, numbers, tops, units, ts_recv_ns),
            ),
        }
    }

    #[inline]
    fn compute(&mut self, tops: [&Top; 2]) {
        match self.processor {
            Processor::Any => self.compute_by(lanes::Plain, tops),
            #[cfg(target_arch = "x86_64")]
            Processor::V3(v3) => v3.vectorize(
                #[inline(always)]
                || self.compute_by(v3, tops),
            ),
        }
    }

    #[inline(always)]
    fn compute_by<L: Lanes>(&mut self, lanes: L, tops: [&Top; 2]) {
        let Self { plan, numbers, steps, history, tape, .. } = self;
        let [bids, asks] = tops;
        let Steps { ticks_per_unit, lots_per_unit, .. } = *steps;
        let prices = [
            Four::in_units(lanes, vectors(bids.price_ticks()), ticks_per_unit),
            Four::in_units(lanes, vectors(asks.price_ticks()), ticks_per_unit),
        ];
        let sizes = [
            Four::in_units(lanes, vectors(bids.size_lots()), lots_per_unit),
            Four::in_units(lanes, vectors(asks.size_lots()), lots_per_unit),
        ];
        // Sums of units and not of ticks and lots: roundings of those would depend on the scale in force.
        let values = [products(&prices[BID], &sizes[BID]), products(&prices[ASK], &sizes[ASK])];
        for side in [BID, ASK] {
            put(numbers, plan::PRICES[side], &prices[side]);
            put(numbers, plan::SIZES[side], &sizes[side]);
        }
        for sum in &plan.sums {
            let [a, b, c] = sum.shares;
            let shares = [Four::of(lanes, a), Four::of(lanes, b), Four::of(lanes, c)];
            let size_sum = total(&products(&sizes[sum.side], &shares));
            numbers[sum.sizes] = size_sum;
            if let Some(place) = sum.vwap {
                numbers[place] = total(&products(&values[sum.side], &shares)) / size_sum;
            }
        }
        // Before the logarithms: a vector is loaded from its four numbers only once they have left the store buffer.
        for &(feature, place) in &plan.computed {
            numbers[place] = of_both_sides(lanes, feature, tops, steps, numbers, history, tape.as_deref());
        }
        for (batch, places) in plan.ln_of.iter().enumerate() {
            let of = Four::of(lanes, places.map(|place| numbers[place]));
            put(numbers, plan::LOGARITHMS + batch * LANES, &[ln(lanes, of)]);
        }
    }
}

/// What counts are divided by at the scale in force.
#[derive(Clone, Copy, Debug)]
struct Steps {
    ticks_per_unit: Divisor,
    lots_per_unit: Divisor,
    /// Ticks in one of the session's; 1 where the scale has become coarser than that.
    per_session_tick: Divisor,
    /// Session's ticks in one; 1 unless the scale has become coarser.
    session_ticks: f64,
}

impl Default for Steps {
    fn default() -> Self {
        Self::new(Scale::default(), 0)
    }
}

impl Steps {
    fn new(scale: Scale, tick_decimals: u8) -> Self {
        let ticks = |decimals: u8| Scale { price_decimals: decimals, ..scale }.ticks_per_unit();
        Self {
            ticks_per_unit: Divisor::new(scale.ticks_per_unit()),
            lots_per_unit: Divisor::new(scale.lots_per_unit()),
            per_session_tick: Divisor::new(ticks(scale.price_decimals.saturating_sub(tick_decimals))),
            session_ticks: ticks(tick_decimals.saturating_sub(scale.price_decimals)),
        }
    }
}

/// Vectors of a side's best levels.
const VECTORS: usize = TOP_ROOM / LANES;
const _: () = assert!(VECTORS == 3, "sums add up three vectors");

#[inline(always)]
fn vectors(counts: &[u64; TOP_ROOM]) -> &[[u64; LANES]; VECTORS] {
    counts.as_chunks().0.first_chunk().expect("the room is whole vectors")
}

#[inline(always)]
fn products<L: Lanes>(a: &[Four<L>; VECTORS], b: &[Four<L>; VECTORS]) -> [Four<L>; VECTORS] {
    [a[0] * b[0], a[1] * b[1], a[2] * b[2]]
}

#[inline(always)]
fn total<L: Lanes>([a, b, c]: &[Four<L>; VECTORS]) -> f64 {
    (*a + *b + *c).sum()
}

/// Writes vectors from a place on.
#[inline(always)]
fn put<L: Lanes, const N: usize>(numbers: &mut Numbers, place: usize, vectors: &[Four<L>; N]) {
    for (room, vector) in numbers.vectors_from(place).iter_mut().zip(vectors) {
        *room = vector.array();
    }
}

/// A number that both sides make, or history, or the tape.
///
/// Prices are subtracted and added as counts, before anything is rounded: equal differences are equal doubles at any price.
#[inline(always)]
fn of_both_sides<L: Lanes>(
    lanes: L,
    feature: Feature,
    tops: [&Top; 2],
    steps: &Steps,
    numbers: &Numbers,
    history: &History,
    tape: Option<&Tape>,
) -> f64 {
    // Below 2^63, so that a difference has a sign. A crossed book's spread is negative.
    let [bid_ticks, ask_ticks] = tops.map(|top| top.price_ticks()[0]);
    let difference = |a: u64, b: u64| (a as i64 - b as i64) as f64;
    let in_quote = |ticks: f64| lanes.count_in_units(ticks, steps.ticks_per_unit);
    match feature {
        Feature::BidMinusAsk => in_quote(difference(bid_ticks, ask_ticks)),
        Feature::Imbalance(n) => {
            let [bid_size, ask_size] = [BID, ASK].map(|side| numbers[plan::size_sum(side, n)]);
            (bid_size - ask_size) / (bid_size + ask_size)
        }
        Feature::Mid => in_quote((bid_ticks + ask_ticks) as f64) / 2.0,
        // Half the spread times the imbalance.
        Feature::MicropriceMinusMid => {
            let [bid_size, ask_size] = plan::SIZES.map(|place| numbers[place as Place]);
            in_quote(difference(ask_ticks, bid_ticks)) / 2.0 * (bid_size - ask_size) / (bid_size + ask_size)
        }
        Feature::SpreadTicks => {
            lanes.count_in_units(difference(ask_ticks, bid_ticks) * steps.session_ticks, steps.per_session_tick)
        }
        Feature::MidReturn(k) => history.mid_return(k),
        Feature::Ofi { levels, updates } => {
            lanes.count_in_units(history.ofi_lots(levels, updates) as f64, steps.lots_per_unit)
        }
        Feature::UpdatesSinceMidChange => history.updates_since_mid_change() as f64,
        Feature::SecondsSinceUpdate => history.since_update_ns() as f64 / 1e9,
        Feature::BidPrice(_)
        | Feature::AskPrice(_)
        | Feature::BidSize(_)
        | Feature::AskSize(_)
        | Feature::BidVwap(_)
        | Feature::AskVwap(_)
        | Feature::LnBidSize(_)
        | Feature::LnAskSize(_)
        | Feature::LnBidVwap(_)
        | Feature::LnAskVwap(_) => unreachable!("the numbers of one side have places of their own"),
        Feature::PrintSignedVolume(_)
        | Feature::PrintCount(_)
        | Feature::PrintImbalance(_)
        | Feature::PrintVwapMinusMid(_)
        | Feature::SecondsSincePrint
        | Feature::LastPrintSide => of_tape(feature, tape.expect("made for the features that read it"), tops),
    }
}

/// A number that the tape makes.
fn of_tape(feature: Feature, tape: &Tape, [bids, asks]: [&Top; 2]) -> f64 {
    match feature {
        Feature::PrintSignedVolume(window) => tape.signed_volume(window),
        Feature::PrintCount(window) => tape.count(window),
        Feature::PrintImbalance(window) => tape.imbalance(window),
        Feature::PrintVwapMinusMid(window) => {
            let double_mid_ticks = u128::from(bids.price_ticks()[0]) + u128::from(asks.price_ticks()[0]);
            tape.vwap_minus_mid(window, double_mid_ticks)
        }
        Feature::SecondsSincePrint => tape.since_print_ns() as f64 / 1e9,
        Feature::LastPrintSide => f64::from(tape.last_side()),
        _ => unreachable!("a feature of the book"),
    }
}

#[cfg(test)]
mod tests;
