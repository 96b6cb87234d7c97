//! The book and the order flow that changes it, frame by frame.
//!
//! Every constant is a choice that makes the whole look like the recorded markets that the parent module names; rates
//! are relative to one event behind the best.

use super::LevelUpdate;
use super::draw::{Draw, Octaves};
use super::ladder::{Ladder, Level};
use super::trades::Take;
use crate::market::units::Side;

/// Sizes behind the best, in lots.
const DEEP_LOTS: Octaves = Octaves::new(13, &[15, 15, 20, 35, 40, 50, 60, 80, 100, 110, 110, 120, 110, 70, 40, 20, 5]);
/// Sizes of orders at the best, in lots.
const TOUCH_LOTS: Octaves = Octaves::new(18, &[10, 20, 30, 60, 90, 130, 170, 190, 150, 90, 40, 20]);
/// One order in four is a multiple of this, where it is as large.
const ROUND_LOTS: u64 = 100_000;

/// How far behind the best the flow happens, in ticks.
const DISTANCE_TICKS: Octaves =
    Octaves::new(0, &[6, 5, 6, 8, 12, 20, 35, 55, 75, 95, 130, 145, 150, 150, 60, 25, 15, 8]);
/// How far behind the new best an order is quoted again after the mid has moved.
const REQUOTE_TICKS: Octaves = Octaves::new(0, &[8, 3, 5, 8, 14, 22, 28, 30, 15]);
/// How far an order goes when its owner moves it.
const SHIFT_TICKS: Octaves = Octaves::new(0, &[15, 12, 12, 12, 12, 10]);
/// How far behind a depleted best the withdrawal reaches.
const WITHDRAW_TICKS: Octaves = Octaves::new(2, &[6, 8, 12, 20, 30, 40, 30, 8, 1]);

/// Events behind the best: the unit of the rates.
const DEEP_RATE: f64 = 1.0;
/// Limit orders at the best, at an empty queue.
const LIMIT_RATE: f64 = 0.033;
/// Cancellations at the best, at an endless queue.
const CANCEL_RATE: f64 = 0.04;
/// Market orders without excitation, at an empty queue and equal queues.
const MARKET_RATE: f64 = 0.008;
/// A queue of this many lots counts as 1 in the rates' dependence on queues.
const QUEUE_LOTS: f64 = 1e8;

/// What a market order adds to the excitation of the next ones on its side.
const EXCITATION_JUMP: f64 = 0.5;
/// Its decay, per mean gap between frames.
const EXCITATION_DECAY: f64 = 0.1;
/// Keeps a frame's market orders from setting each other off without end.
const EXCITATION_MAX: f64 = 10.0;

/// Pull of the price to where it began: the relative change of the market orders' rates, per relative distance. It keeps
/// an endless run from wandering out of the laid-out book.
const PULL: f64 = 4.0;

/// Share of the market orders that take exactly the best queue.
const TAKES_QUEUE: f64 = 0.1;
/// Share of the depletions that make the orders behind withdraw.
const WITHDRAWS: f64 = 0.7;
/// Share of the depletions after which the other side follows; else the depleted side comes back.
const FOLLOWS: f64 = 0.85;
/// Share of the orders into an open spread that close it.
const CLOSES: f64 = 0.75;
/// Chance that a spread stays open before each order into it.
const STAYS_OPEN: f64 = 0.02;

/// Events of a frame beyond the first, at mean intensity.
const EVENTS_MEAN: f64 = 2.8;
/// Orders quoted again after a move of the mid.
const REQUOTES_MEAN: f64 = 14.0;
/// Orders quoted again come from these ranks, counted from the best.
const REQUOTE_RANKS: std::ops::Range<u64> = 4..64;
/// Bounds each of the loops of a frame.
const EVENTS_MAX: u64 = 1_000;
/// Bounds the levels that one order takes or one withdrawal removes, and the orders into one spread.
const LEVELS_MAX: usize = 256;

/// Of the events behind the best, up to here: an order comes or goes …
const COMES_OR_GOES: f64 = 0.4;
/// … up to here: one moves; up to 1: one changes its size.
const MOVES: f64 = 0.8;
/// Share of the events that hit any level of the book, however far, and change its size.
const ANYWHERE: f64 = 0.01;
/// Chance that an order goes rather than comes where the book is as dense as it should be.
const GOES: f64 = 0.78;
/// Chance that an order comes one tick in front of another.
const IN_FRONT: f64 = 0.35;

/// Levels that nobody means: the lowest bids, in ticks.
const FAR_BIDS_TICKS: [u64; 11] = [1, 2, 5, 10, 100, 1_000, 10_000, 100_000, 500_000, 1_000_000, 2_000_000];
/// And the highest asks.
const FAR_ASKS_TICKS: [u64; 8] =
    [8_385_505_700, 1_000_000_000, 999_999_999, 100_000_000, 50_000_000, 20_000_000, 15_000_000, 12_000_000];

const SIDES: [Side; 2] = [Side::Bid, Side::Ask];

/// What can happen at the best of a side.
#[derive(Clone, Copy, Debug)]
enum TouchEvent {
    Limit,
    Cancel,
    Market,
}

/// The book and everything that drives its events.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    draw: Draw,
    /// By the index in [`SIDES`]. Never crossed or locked: the sum of the best keys is negative.
    ladders: [Ladder; 2],
    /// Excitation of the market orders that take from each side, up to [`EXCITATION_MAX`].
    excitation: [f64; 2],
    /// The side whose best was depleted last.
    depleted: usize,
    /// Orders still to be quoted again after moves of the mid.
    requotes: u64,
    /// Sum of the best prices at the beginning, in ticks.
    anchor_ticks: i64,
    /// No order comes farther behind the best.
    reach_ticks: u64,
    /// Side, key and earlier size in lots of every level that this frame set, in order of time.
    touched: Vec<(usize, i64, u64)>,
    /// The sizes before the last frame of the levels that it reported, in lots.
    lots_before: Vec<u64>,
    /// What the last frame's market orders took, in order of time.
    takes: Vec<Take>,
}

impl Flow {
    /// Lays out a book of about `levels` levels around a best bid at `mid_ticks`, which is at least 2.
    pub(super) fn new(seed: u64, levels: usize, mid_ticks: u64) -> Self {
        let mut draw = Draw::new(seed);
        let far = [FAR_BIDS_TICKS.len(), FAR_ASKS_TICKS.len()];
        let distances = far.map(|far| distances(&mut draw, (levels / 2).saturating_sub(far), mid_ticks / 2));
        let spans = distances.each_ref().map(|distances| distances.last().copied().unwrap_or(0));
        let (lowest, highest) = (mid_ticks - spans[0], mid_ticks + 1 + spans[1]);
        let far_bids = FAR_BIDS_TICKS.into_iter().filter(|&price| price < lowest);
        let far_asks = FAR_ASKS_TICKS.into_iter().filter(|&price| price > highest);
        let bids = far_bids.chain(distances[0].iter().rev().map(|distance| mid_ticks - distance));
        let asks = far_asks.chain(distances[1].iter().rev().map(|distance| mid_ticks + 1 + distance));
        let bids = Ladder::new(Side::Bid, bids.map(|price_ticks| (price_ticks, size_lots(&mut draw, &DEEP_LOTS))));
        let asks = Ladder::new(Side::Ask, asks.map(|price_ticks| (price_ticks, size_lots(&mut draw, &DEEP_LOTS))));
        Self {
            draw,
            anchor_ticks: bids.best().key - asks.best().key,
            ladders: [bids, asks],
            excitation: [0.0; 2],
            depleted: 0,
            requotes: 0,
            reach_ticks: spans[0].min(spans[1]),
            touched: Vec::new(),
            lots_before: Vec::new(),
            takes: Vec::new(),
        }
    }

    /// The sizes, in lots, that the levels of the last frame had before it, in the frame's order.
    pub(super) fn lots_before(&self) -> &[u64] {
        &self.lots_before
    }

    /// What market orders took in the last frame, in order of time.
    pub(super) fn takes(&self) -> &[Take] {
        &self.takes
    }

    /// The stream that everything random comes from.
    pub(super) fn draw(&mut self) -> &mut Draw {
        &mut self.draw
    }

    /// Appends the whole book, bids then asks, best first.
    pub(super) fn levels(&self, out: &mut Vec<LevelUpdate>) {
        for (side, ladder) in SIDES.into_iter().zip(&self.ladders) {
            out.extend(ladder.best_first().map(|level| LevelUpdate {
                side,
                price_ticks: level.price_ticks(),
                size_lots: level.size_lots,
            }));
        }
    }

    /// One frame, `gap` mean gaps after the last, at an intensity relative to its mean. Appends the levels touched.
    pub(super) fn frame(&mut self, gap: f64, intensity: f64, out: &mut Vec<LevelUpdate>) {
        self.takes.clear();
        let decay = libm::exp(-EXCITATION_DECAY * gap);
        self.excitation = self.excitation.map(|excitation| excitation * decay);
        let best_keys = |ladders: &[Ladder; 2]| ladders.each_ref().map(|ladder| ladder.best().key);
        let best_before = best_keys(&self.ladders);

        let further_events = (self.draw.exponential() * EVENTS_MEAN * intensity) as u64;
        for _ in 0..=further_events.min(EVENTS_MAX) {
            self.event();
        }
        self.close_spread();
        if best_keys(&self.ladders) != best_before {
            self.requotes += (self.draw.exponential() * REQUOTES_MEAN) as u64;
        }
        // The crowd comes back over several frames, half of it in each.
        let requotes = self.requotes.div_ceil(2).min(EVENTS_MAX);
        self.requotes -= requotes;
        for _ in 0..requotes {
            self.requote();
        }
        if self.touched.is_empty() {
            let side = self.draw.below(2) as usize;
            self.touch_event(side, TouchEvent::Limit);
        }
        self.report(out);
    }

    fn report(&mut self, out: &mut Vec<LevelUpdate>) {
        // Of a level's sizes the one before its first change stays.
        self.touched.sort_by_key(|&(side, key, _)| (side, -key));
        self.touched.dedup_by_key(|&mut (side, key, _)| (side, key));
        self.lots_before.clear();
        self.lots_before.extend(self.touched.iter().map(|&(_, _, lots_before)| lots_before));
        out.extend(self.touched.drain(..).map(|(side, key, _)| {
            let size_lots = self.ladders[side].size_lots(key);
            LevelUpdate { side: SIDES[side], price_ticks: Level { key, size_lots }.price_ticks(), size_lots }
        }));
    }

    /// One event: at the best of a side by the queues' rates, else behind the best.
    fn event(&mut self) {
        let queues = self.ladders.each_ref().map(|ladder| ladder.best().size_lots as f64 / QUEUE_LOTS);
        // Above where it began, sells take from the bids more often; below, buys from the asks.
        let ticks = self.ladders[0].best().key - self.ladders[1].best().key;
        let pull = (PULL * (ticks - self.anchor_ticks) as f64 / self.anchor_ticks as f64).clamp(-0.5, 0.5);
        let drive = [(1.0 + pull) * (1.0 + self.excitation[0]), (1.0 - pull) * (1.0 + self.excitation[1])];
        let rates = [0, 1].map(|side| touch_rates(queues[side], queues[1 - side], drive[side]));
        let total: f64 = rates.iter().flatten().map(|&(_, rate)| rate).sum();
        let mut at = self.draw.unit() * (DEEP_RATE + total);
        for (side, rates) in rates.into_iter().enumerate() {
            for (event, rate) in rates {
                if at < rate {
                    return self.touch_event(side, event);
                }
                at -= rate;
            }
        }
        self.deep_event();
    }

    fn touch_event(&mut self, side: usize, event: TouchEvent) {
        let best = self.ladders[side].best();
        let size_lots = size_lots(&mut self.draw, &TOUCH_LOTS);
        match event {
            TouchEvent::Limit => self.set(side, best.key, best.size_lots.saturating_add(size_lots)),
            TouchEvent::Cancel => self.take(side, size_lots.min(best.size_lots), false),
            TouchEvent::Market => {
                self.excitation[side] = (self.excitation[side] + EXCITATION_JUMP).min(EXCITATION_MAX);
                let takes_queue = self.draw.chance(TAKES_QUEUE);
                self.take(side, if takes_queue { best.size_lots } else { size_lots }, true);
            }
        }
        if self.ladders[side].best().key != best.key && self.draw.chance(WITHDRAWS) {
            let reach_ticks = self.draw_ticks(&WITHDRAW_TICKS);
            self.withdraw(side, best.key - reach_ticks);
        }
    }

    /// Takes lots from the best on, level by level: traded, or cancelled.
    fn take(&mut self, side: usize, mut lots: u64, traded: bool) {
        for _ in 0..LEVELS_MAX {
            let best = self.ladders[side].best();
            if lots == 0 || self.ladders[side].len() == 1 {
                return;
            }
            let taken = lots.min(best.size_lots);
            lots -= taken;
            if traded {
                self.takes.push(Take { maker: SIDES[side], price_ticks: best.price_ticks(), lots: taken });
            }
            self.set(side, best.key, best.size_lots - taken);
            if taken == best.size_lots {
                self.depleted = side;
            }
        }
    }

    /// Removes every level down to the key.
    fn withdraw(&mut self, side: usize, down_to: i64) {
        for _ in 0..LEVELS_MAX {
            let best = self.ladders[side].best();
            if best.key < down_to {
                return;
            }
            self.take(side, best.size_lots, false);
        }
    }

    /// New orders into a spread wider than a tick, until it is closed, or left open.
    fn close_spread(&mut self) {
        for _ in 0..LEVELS_MAX {
            let spread = -(self.ladders[0].best().key + self.ladders[1].best().key);
            if spread == 1 || self.draw.chance(STAYS_OPEN) {
                return;
            }
            let side = if self.draw.chance(FOLLOWS) { 1 - self.depleted } else { self.depleted };
            let inside =
                if self.draw.chance(CLOSES) { spread - 1 } else { 1 + self.draw.below(spread as u64 - 1) as i64 };
            let size_lots = size_lots(&mut self.draw, &TOUCH_LOTS);
            self.set(side, self.ladders[side].best().key + inside, size_lots);
        }
    }

    fn deep_event(&mut self) {
        let side = self.draw.below(2) as usize;
        if self.draw.chance(ANYWHERE) {
            let rank = self.draw.below(self.ladders[side].len() as u64) as usize;
            let level = self.ladders[side].nth(rank).expect("the rank is below the number of levels");
            return self.resize(side, level.key);
        }
        let distance_ticks = self.draw.by_octave(&DISTANCE_TICKS);
        if distance_ticks > self.reach_ticks {
            return;
        }
        let best = self.ladders[side].best().key;
        let key = best - distance_ticks as i64;
        let kind = self.draw.unit();
        let Some(level) = self.ladders[side].at_or_behind(key) else {
            return self.resize(side, key);
        };
        if kind < COMES_OR_GOES {
            // Where the book is sparser than it should be, orders only come: its density keeps itself.
            let sparse = key - level.key >= typical_gap_ticks(distance_ticks) as i64;
            if !sparse && self.draw.chance(GOES) {
                self.set(side, level.key, 0);
            } else {
                let in_front = self.draw.chance(IN_FRONT);
                self.resize(side, if in_front { (level.key + 1).min(best - 1) } else { key });
            }
        } else if kind < MOVES {
            let shift_ticks = self.draw_ticks(&SHIFT_TICKS);
            let forward = self.draw.chance(0.5);
            let key = if forward { (level.key + shift_ticks).min(best - 1) } else { level.key - shift_ticks };
            self.relocate(side, level, key);
        } else {
            self.resize(side, level.key);
        }
    }

    /// Moves an order from somewhere behind the best to a place nearer to it.
    fn requote(&mut self) {
        let side = self.draw.below(2) as usize;
        let rank = REQUOTE_RANKS.start + self.draw.below(REQUOTE_RANKS.end - REQUOTE_RANKS.start);
        let best = self.ladders[side].best().key;
        let key = best - self.draw_ticks(&REQUOTE_TICKS);
        let level = self.ladders[side].nth(rank as usize);
        if let Some(level) = level.filter(|level| best.abs_diff(level.key) <= self.reach_ticks) {
            self.relocate(side, level, key);
        }
    }

    /// Moves a level, unless the place is no price.
    fn relocate(&mut self, side: usize, level: Level, key: i64) {
        if key >= self.ladders[side].worst_key() {
            self.set(side, level.key, 0);
            self.set(side, key, level.size_lots);
        }
    }

    fn resize(&mut self, side: usize, key: i64) {
        let size_lots = size_lots(&mut self.draw, &DEEP_LOTS);
        self.set(side, key, size_lots);
    }

    /// The only way to change the book: refuses what is no price and what would lock or cross it.
    fn set(&mut self, side: usize, key: i64, size_lots: u64) {
        if key >= self.ladders[side].worst_key() && key < -self.ladders[1 - side].best().key {
            self.touched.push((side, key, self.ladders[side].size_lots(key)));
            self.ladders[side].set(key, size_lots);
        }
    }

    fn draw_ticks(&mut self, table: &Octaves) -> i64 {
        self.draw.by_octave(table) as i64
    }
}

/// The rates of what happens at one best, by its own queue and the other side's, both in units of [`QUEUE_LOTS`].
///
/// As measured by Huang, Lehalle and Rosenbaum: insertions fall slowly with the queue, cancellations rise and level off,
/// market orders fall with it, and rise with the queue on the other side. The drive, above all their own
/// excitation, scales the market orders, as Wu, Rambaldi, Muzy and Bacry have it.
fn touch_rates(queue: f64, opposite: f64, drive: f64) -> [(TouchEvent, f64); 3] {
    let pressure = 2.0 * opposite / (queue + opposite);
    [
        (TouchEvent::Limit, LIMIT_RATE / (1.0 + 0.2 * queue)),
        (TouchEvent::Cancel, CANCEL_RATE * queue / (1.0 + queue)),
        (TouchEvent::Market, MARKET_RATE * drive * pressure / (1.0 + 0.5 * queue)),
    ]
}

/// Mean gap between neighbouring levels at a distance behind the best; it doubles after 262,144 ticks.
fn typical_gap_ticks(distance_ticks: u64) -> u64 {
    32 + distance_ticks / 8_192
}

/// Distances of the first levels behind the best, the best itself at 0: at least one, at most `count`, up to a bound.
fn distances(draw: &mut Draw, count: usize, distance_max_ticks: u64) -> Vec<u64> {
    let mut distances = vec![0];
    let mut last = 0;
    while distances.len() < count {
        // The mean of both cases together is the typical gap.
        let gap = typical_gap_ticks(last) as f64 / (1.0 - IN_FRONT);
        last += if draw.chance(IN_FRONT) { 1 } else { 1 + (draw.exponential() * gap) as u64 };
        if last > distance_max_ticks {
            break;
        }
        distances.push(last);
    }
    distances
}

fn size_lots(draw: &mut Draw, table: &Octaves) -> u64 {
    let lots = draw.by_octave(table);
    let round = draw.chance(0.25) && lots >= ROUND_LOTS;
    if round { lots - lots % ROUND_LOTS } else { lots }
}
