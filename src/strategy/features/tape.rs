//! What features of the tape remember, in integers: ticks, lots, their products, nanoseconds.

use super::{Feature, Window};
use crate::market::event::{Event, Print};
use crate::market::prints::PrintReader;
use crate::market::units::{Scale, Side};

/// The most messages of prints within the longest window of time: a thousand a second over a minute. Beyond it a window forgets
/// its oldest ones early, which is counted.
pub const TAPE_MESSAGES_MAX: usize = 1 << 16;

/// Sums over prints since the history began, at the tape's scale. They wrap, and differences of two are exact as long as the
/// window's own sum fits.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    count: u64,
    bought_lots: i128,
    sold_lots: i128,
    /// Σ price·size, in ticks times lots.
    value: i128,
}

impl Totals {
    #[inline]
    fn since(&self, before: &Self) -> Self {
        Self {
            count: self.count.wrapping_sub(before.count),
            bought_lots: self.bought_lots.wrapping_sub(before.bought_lots),
            sold_lots: self.sold_lots.wrapping_sub(before.sold_lots),
            value: self.value.wrapping_sub(before.value),
        }
    }

    fn scale_up(&mut self, ticks_times: i128, lots_times: i128) {
        self.bought_lots = self.bought_lots.wrapping_mul(lots_times);
        self.sold_lots = self.sold_lots.wrapping_mul(lots_times);
        self.value = self.value.wrapping_mul(lots_times).wrapping_mul(ticks_times);
    }

    fn volume_lots(&self) -> i128 {
        self.bought_lots.wrapping_add(self.sold_lots)
    }
}

/// The totals after the prints of one receive time.
#[derive(Clone, Copy, Debug, Default)]
struct Stamped {
    ts_recv_ns: i64,
    totals: Totals,
}

/// A window of time. What lies before it is in `before`.
#[derive(Clone, Copy, Debug)]
struct TimeWindow {
    millis: u32,
    before: Totals,
    /// The oldest of the stamped totals in the window, by its number since the history began.
    oldest: u64,
}

impl TimeWindow {
    /// What was received then or before is not in it.
    #[inline]
    fn start_ns(&self, now_ns: i64) -> i64 {
        now_ns.saturating_sub(i64::from(self.millis) * NS_PER_MS)
    }
}

/// The state behind the features of the tape.
///
/// It begins with the first frame of the features' history, and knows no print from before that. Times that go back count as the
/// latest before them.
#[derive(Debug)]
pub struct Tape {
    reader: PrintReader,
    /// The finest of the book's scales and the prints' since the history began; totals are at it.
    scale: Scale,
    /// Of the latest update; not finer than that.
    book_scale: Scale,
    totals: Totals,
    began_ns: i64,
    now_ns: i64,
    last_print_ns: i64,
    /// 1 for a purchase, −1 for a sale, 0 before any print.
    last_side: i8,
    /// Totals after the latest updates, as many as somebody looks back on.
    by_update: Vec<Totals>,
    newest: usize,
    /// A ring of [`TAPE_MESSAGES_MAX`]; empty without windows of time.
    stamped: Vec<Stamped>,
    /// How many were put there since the history began.
    stamps: u64,
    windows: Vec<TimeWindow>,
    /// The longest of them, in nanoseconds.
    needed_ns: i64,
    overruns: u64,
}

const NS_PER_MS: i64 = 1_000_000;

impl Tape {
    /// Memory enough for `features`.
    pub fn new(features: &[Feature]) -> Self {
        let mut windows: Vec<TimeWindow> = Vec::new();
        let mut updates = 0;
        for window in features.iter().filter_map(|feature| feature.window()) {
            match window {
                Window::Updates(k) => updates = updates.max(k),
                Window::Millis(millis) => {
                    if windows.iter().all(|other| other.millis != millis) {
                        windows.push(TimeWindow { millis, before: Totals::default(), oldest: 0 });
                    }
                }
            }
        }
        let longest = windows.iter().map(|window| window.millis).max();
        Self {
            reader: PrintReader::default(),
            scale: Scale::default(),
            book_scale: Scale::default(),
            totals: Totals::default(),
            began_ns: 0,
            now_ns: i64::MIN,
            last_print_ns: 0,
            last_side: 0,
            by_update: vec![Totals::default(); updates as usize + 1],
            newest: 0,
            stamped: vec![Stamped::default(); if longest.is_some() { TAPE_MESSAGES_MAX } else { 0 }],
            stamps: 0,
            windows,
            needed_ns: i64::from(longest.unwrap_or(0)) * NS_PER_MS,
            overruns: 0,
        }
    }

    /// Messages that windows of time forgot early.
    pub fn overruns(&self) -> u64 {
        self.overruns
    }

    /// Takes prints, as events in any number of slices for one message.
    pub fn prints(&mut self, scale: Scale, ts_recv_ns: i64, events: &[Event]) {
        self.refine(scale);
        self.now_ns = self.now_ns.max(ts_recv_ns);
        let (ticks_times, lots_times) = steps(scale, self.scale);
        let Self { reader, totals, last_side, .. } = self;
        let before = totals.count;
        reader.read(events, |Print { aggressor, price_ticks, size_lots, .. }| {
            let lots = i128::from(size_lots).wrapping_mul(lots_times);
            let side = match aggressor {
                Side::Bid => (1, &mut totals.bought_lots),
                Side::Ask => (-1, &mut totals.sold_lots),
            };
            *last_side = side.0;
            *side.1 = side.1.wrapping_add(lots);
            let value = i128::from(price_ticks).wrapping_mul(ticks_times).wrapping_mul(lots);
            totals.value = totals.value.wrapping_add(value);
            totals.count = totals.count.wrapping_add(1);
        });
        if self.totals.count != before {
            self.last_print_ns = self.now_ns;
            self.stamp();
        }
    }

    /// Keeps the totals with the time, for the windows of time.
    fn stamp(&mut self) {
        if self.stamped.is_empty() {
            return;
        }
        let now = Stamped { ts_recv_ns: self.now_ns, totals: self.totals };
        // No window is past what came at this time: each is a millisecond long at least.
        if let Some(last) = self.stamps.checked_sub(1).map(place)
            && self.stamped[last].ts_recv_ns == now.ts_recv_ns
        {
            self.stamped[last] = now;
            return;
        }
        let at = place(self.stamps);
        let lost = self.stamps.checked_sub(TAPE_MESSAGES_MAX as u64);
        let mut overrun = false;
        for window in self.windows.iter_mut().filter(|window| Some(window.oldest) == lost) {
            let Stamped { ts_recv_ns, totals } = self.stamped[at];
            window.before = totals;
            window.oldest += 1;
            // What lies behind the window by now is no loss.
            overrun |= ts_recv_ns > window.start_ns(self.now_ns);
        }
        self.overruns += u64::from(overrun);
        self.stamped[at] = now;
        self.stamps += 1;
    }

    /// Takes an update into account, the `first` of the history or a later one. Returns whether the windows of time have gone by
    /// since the first.
    pub fn update(&mut self, first: bool, scale: Scale, ts_recv_ns: i64) -> bool {
        if first {
            self.begin(scale, ts_recv_ns);
        } else {
            self.refine(scale);
            self.now_ns = self.now_ns.max(ts_recv_ns);
        }
        self.book_scale = scale;
        self.newest = if self.newest + 1 == self.by_update.len() { 0 } else { self.newest + 1 };
        self.by_update[self.newest] = self.totals;
        for window in &mut self.windows {
            let from_ns = window.start_ns(self.now_ns);
            while window.oldest < self.stamps {
                let Stamped { ts_recv_ns, totals } = self.stamped[place(window.oldest)];
                if ts_recv_ns > from_ns {
                    break;
                }
                window.before = totals;
                window.oldest += 1;
            }
        }
        self.now_ns.saturating_sub(self.began_ns) >= self.needed_ns
    }

    fn begin(&mut self, scale: Scale, ts_recv_ns: i64) {
        self.scale = scale;
        self.totals = Totals::default();
        (self.began_ns, self.now_ns, self.last_print_ns) = (ts_recv_ns, ts_recv_ns, ts_recv_ns);
        self.last_side = 0;
        self.stamps = 0;
        for window in &mut self.windows {
            (window.before, window.oldest) = (Totals::default(), 0);
        }
    }

    /// Goes over to a scale that holds `other` too.
    #[inline]
    fn refine(&mut self, other: Scale) {
        if other != self.scale {
            let finest = Scale {
                price_decimals: self.scale.price_decimals.max(other.price_decimals),
                size_decimals: self.scale.size_decimals.max(other.size_decimals),
            };
            if finest != self.scale {
                self.refine_to(finest);
            }
        }
    }

    #[cold]
    fn refine_to(&mut self, finest: Scale) {
        let (ticks_times, lots_times) = steps(self.scale, finest);
        self.scale = finest;
        let stamped = self.stamps.min(self.stamped.len() as u64) as usize;
        let kept =
            self.by_update.iter_mut().chain(self.stamped[..stamped].iter_mut().map(|stamped| &mut stamped.totals));
        let windows = self.windows.iter_mut().map(|window| &mut window.before);
        for totals in kept.chain(windows).chain([&mut self.totals]) {
            totals.scale_up(ticks_times, lots_times);
        }
    }

    #[inline]
    fn over(&self, window: Window) -> Totals {
        let before = match window {
            Window::Updates(k) => {
                let back = k as usize;
                let wrapped = if back <= self.newest { 0 } else { self.by_update.len() };
                &self.by_update[self.newest + wrapped - back]
            }
            Window::Millis(millis) => {
                let window = self.windows.iter().find(|window| window.millis == millis);
                &window.expect("kept for every span asked for").before
            }
        };
        self.totals.since(before)
    }

    /// Bought less sold, in base units.
    pub fn signed_volume(&self, window: Window) -> f64 {
        let over = self.over(window);
        over.bought_lots.wrapping_sub(over.sold_lots) as f64 / self.scale.lots_per_unit()
    }

    /// Prints.
    pub fn count(&self, window: Window) -> f64 {
        self.over(window).count as f64
    }

    /// Bought less sold as a share of both; 0 without any.
    pub fn imbalance(&self, window: Window) -> f64 {
        let over = self.over(window);
        let volume_lots = over.volume_lots();
        // Sums that do not fit are nobody's volume.
        if volume_lots <= 0 { 0.0 } else { over.bought_lots.wrapping_sub(over.sold_lots) as f64 / volume_lots as f64 }
    }

    /// The average price weighted by size less the mid, in quote units; 0 without prints. Twice the mid is given in ticks of
    /// the book.
    pub fn vwap_minus_mid(&self, window: Window, double_mid_ticks: u128) -> f64 {
        let over = self.over(window);
        let volume_lots = over.volume_lots();
        if volume_lots <= 0 {
            return 0.0;
        }
        // One quotient of integers: equal differences are equal doubles at any price and scale, as long as both are exact.
        let (ticks_times, _) = steps(self.book_scale, self.scale);
        let double_mid = (double_mid_ticks as i128).wrapping_mul(ticks_times);
        let above = over.value.wrapping_mul(2).wrapping_sub(double_mid.wrapping_mul(volume_lots));
        above as f64 / (2.0 * volume_lots as f64 * self.scale.ticks_per_unit())
    }

    /// Nanoseconds since the last print, or since the history's first frame before any.
    pub fn since_print_ns(&self) -> i64 {
        self.now_ns.saturating_sub(self.last_print_ns)
    }

    /// 1 for a purchase, −1 for a sale, 0 before any print.
    pub fn last_side(&self) -> i8 {
        self.last_side
    }
}

/// Where in the ring a number lies.
#[inline]
fn place(number: u64) -> usize {
    number as usize % TAPE_MESSAGES_MAX
}

/// How many ticks and lots of a scale that is at least as fine make one.
fn steps(from: Scale, to: Scale) -> (i128, i128) {
    // Scales have at most 18 decimals.
    let times = |from: u8, to: u8| 10_i128.checked_pow(u32::from(to.saturating_sub(from))).unwrap_or(i128::MAX);
    (times(from.price_decimals, to.price_decimals), times(from.size_decimals, to.size_decimals))
}

#[cfg(test)]
mod tests;
