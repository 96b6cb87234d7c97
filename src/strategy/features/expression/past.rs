//! What functions that look back remember: values in rings, and sums over blocks of them that no error gathers in.

use crate::strategy::features::catalogue::Window;

/// The most updates within a window of time: a thousand a second over a minute. Beyond it a window forgets its oldest ones
/// early, which is counted.
pub const WINDOW_UPDATES_MAX: usize = 1 << 16;

const NS_PER_MS: i64 = 1_000_000;

/// A window of time, and the oldest update in it.
#[derive(Debug)]
struct Cursor {
    millis: u32,
    oldest: u64,
}

/// Updates since the history began, and when the latest were received. Times that go back count as the latest before them.
#[derive(Debug, Default)]
pub struct Updates {
    /// The number of the one in hand, the history's first being 0; `None` before it.
    number: Option<u64>,
    began_ns: i64,
    now_ns: i64,
    /// Since the update before.
    since_ns: i64,
    /// A ring of [`WINDOW_UPDATES_MAX`]; empty without windows of time.
    times_ns: Vec<i64>,
    cursors: Vec<Cursor>,
    overruns: u64,
}

impl Updates {
    /// Looks back over these windows too.
    pub fn look_back(&mut self, window: Window) {
        if let Window::Millis(millis) = window
            && self.cursors.iter().all(|cursor| cursor.millis != millis)
        {
            self.cursors.push(Cursor { millis, oldest: 0 });
            self.times_ns.resize(WINDOW_UPDATES_MAX, 0);
        }
    }

    pub fn reset(&mut self) {
        self.number = None;
    }

    /// Updates that windows of time forgot early.
    pub fn overruns(&self) -> u64 {
        self.overruns
    }

    pub fn now_ns(&self) -> i64 {
        self.now_ns
    }

    pub fn since_ns(&self) -> i64 {
        self.since_ns
    }

    /// Counts an update. Returns its number.
    #[inline]
    pub fn begin(&mut self, ts_recv_ns: i64) -> u64 {
        let number = match self.number {
            None => {
                (self.began_ns, self.now_ns, self.since_ns) = (ts_recv_ns, ts_recv_ns, 0);
                self.cursors.iter_mut().for_each(|cursor| cursor.oldest = 0);
                0
            }
            Some(before) => {
                let now_ns = self.now_ns.max(ts_recv_ns);
                self.since_ns = now_ns.saturating_sub(self.now_ns);
                self.now_ns = now_ns;
                before + 1
            }
        };
        self.number = Some(number);
        if !self.cursors.is_empty() {
            self.follow(number);
        }
        number
    }

    fn follow(&mut self, number: u64) {
        let at = |number: u64| number as usize % WINDOW_UPDATES_MAX;
        self.times_ns[at(number)] = self.now_ns;
        // The one before the window is kept too: a lag looks at it.
        let kept = (number + 2).saturating_sub(WINDOW_UPDATES_MAX as u64);
        let mut overrun = false;
        for cursor in &mut self.cursors {
            let start_ns = self.now_ns.saturating_sub(i64::from(cursor.millis) * NS_PER_MS);
            while cursor.oldest < number && self.times_ns[at(cursor.oldest)] <= start_ns {
                cursor.oldest += 1;
            }
            if cursor.oldest < kept {
                cursor.oldest = kept;
                overrun = true;
            }
        }
        self.overruns += u64::from(overrun);
    }

    /// Whether so many updates, and so much time, lie behind the history's first.
    #[inline]
    pub fn reach(&self, updates: u32, millis: u32) -> bool {
        self.number.is_some_and(|number| number >= u64::from(updates)) && self.spans(self.began_ns, millis)
    }

    /// Whether so much time lies behind a moment.
    #[inline]
    pub fn spans(&self, from_ns: i64, millis: u32) -> bool {
        self.now_ns.saturating_sub(from_ns) >= i64::from(millis) * NS_PER_MS
    }

    /// The first update in a window that ends with the one in hand.
    #[inline]
    pub fn oldest_in(&self, window: Window, number: u64) -> u64 {
        match window {
            Window::Updates(k) => (number + 1).saturating_sub(u64::from(k)),
            Window::Millis(millis) => {
                let cursor = self.cursors.iter().find(|cursor| cursor.millis == millis);
                cursor.expect("kept for every span asked for").oldest
            }
        }
    }
}

/// How many places a ring has whose window and what lies just before it are kept.
pub fn room(window: Window) -> usize {
    match window {
        Window::Updates(k) => (k as usize + 1).next_power_of_two(),
        Window::Millis(_) => WINDOW_UPDATES_MAX,
    }
}

/// The latest values of a series, by the numbers of their updates.
#[derive(Debug)]
pub struct Ring<T> {
    /// A power of two.
    values: Vec<T>,
}

impl<T: Copy + Default> Ring<T> {
    pub fn new(room: usize) -> Self {
        Self { values: vec![T::default(); room] }
    }

    #[inline]
    pub fn put(&mut self, number: u64, value: T) {
        let at = number as usize & (self.values.len() - 1);
        self.values[at] = value;
    }

    #[inline]
    pub fn get(&self, number: u64) -> T {
        self.values[number as usize & (self.values.len() - 1)]
    }

    pub fn each(&mut self, change: impl FnMut(&mut T)) {
        self.values.iter_mut().for_each(change);
    }
}

/// Values and their spread, of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    count: f64,
    mean: f64,
    /// Σ (value − mean)².
    squares: f64,
}

/// Means and spreads over any window of the latest values.
///
/// Values lie in blocks of 1, 2, 4, … whose means and squares are made of their halves' (Chan, Golub and LeVeque 1979) and written
/// once, when their last value comes. A window is a few whole blocks. Nothing is ever subtracted from a sum, so that errors do not
/// gather, what is not finite has gone when it has left the window, and equal values have that mean and no spread.
#[derive(Debug)]
pub struct Moments {
    room: usize,
    /// Of each size behind that of half the size.
    means: Vec<f64>,
    /// Of the blocks of two and more; empty if nobody asks for a spread.
    squares: Vec<f64>,
}

/// Blocks that a window may consist of: two of each size.
const BLOCKS_MAX: usize = 2 * (WINDOW_UPDATES_MAX.trailing_zeros() as usize + 1);

impl Moments {
    pub fn new(room: usize, with_squares: bool) -> Self {
        Self { room, means: vec![0.0; 2 * room], squares: vec![0.0; if with_squares { 2 * room } else { 0 }] }
    }

    /// Numbers that it keeps.
    pub fn numbers(room: usize, with_squares: bool) -> usize {
        2 * room * if with_squares { 2 } else { 1 }
    }

    /// Where the block lies that is the so many-th of its size, 2^level.
    #[inline]
    fn place(&self, level: u32, block: u64) -> usize {
        let room = self.room >> level;
        2 * (self.room - room) + (block as usize & (room - 1))
    }

    #[inline]
    pub fn put(&mut self, number: u64, value: f64) {
        let mut at = self.place(0, number);
        self.means[at] = value;
        let (mut level, mut block) = (0, number);
        while block & 1 == 1 && (2 << level) <= self.room {
            let left = self.place(level, block - 1);
            let (of_left, of_right) = (self.means[left], self.means[at]);
            let apart = of_right - of_left;
            let above = self.place(level + 1, block >> 1);
            self.means[above] = of_left + 0.5 * apart;
            if !self.squares.is_empty() {
                let within = if level == 0 { 0.0 } else { self.squares[left] + self.squares[at] };
                // n · n / 2n of halves of n values.
                self.squares[above] = within + apart * apart * (0.5 * (1_u64 << level) as f64);
            }
            (level, block, at) = (level + 1, block >> 1, above);
        }
    }

    /// The mean of the values from one number to another, and their spread if it is kept, both included. The room holds them.
    #[inline]
    pub fn over(&self, from: u64, to: u64) -> (f64, f64) {
        let mut blocks = [Block::default(); BLOCKS_MAX];
        let mut count = 0;
        let mut end = to + 1;
        while end > from && count < BLOCKS_MAX {
            let level = end.trailing_zeros().min((end - from).ilog2()).min(self.room.trailing_zeros());
            let at = self.place(level, (end >> level) - 1);
            let squares = if level == 0 || self.squares.is_empty() { 0.0 } else { self.squares[at] };
            blocks[count] = Block { count: (1_u64 << level) as f64, mean: self.means[at], squares };
            count += 1;
            end -= 1 << level;
        }
        let blocks = &blocks[..count];
        let values = (to + 1 - from) as f64;
        // From the newest block's mean: equal means add nothing to it.
        let about = blocks.first().map_or(0.0, |block| block.mean);
        let mean = about + blocks.iter().map(|block| block.count * (block.mean - about)).sum::<f64>() / values;
        if self.squares.is_empty() {
            return (mean, f64::NAN);
        }
        let squares = blocks.iter().map(|&Block { count, mean: of_block, squares }| {
            let apart = of_block - mean;
            squares + count * apart * apart
        });
        (mean, (squares.sum::<f64>() / values).sqrt())
    }
}

/// An exponentially weighted mean.
#[derive(Debug)]
pub struct Ema {
    /// The share of each value by number of updates; by time the share hangs on it.
    share: Option<f64>,
    millis: f64,
    mean: Option<f64>,
}

impl Ema {
    /// Over K updates each value has a share of 2 / (K + 1); over T ms of 1 − exp(−Δt / T), Δt being the time since the update
    /// before.
    pub fn new(window: Window) -> Self {
        match window {
            Window::Updates(k) => Self { share: Some(2.0 / (f64::from(k) + 1.0)), millis: 0.0, mean: None },
            Window::Millis(millis) => Self { share: None, millis: f64::from(millis), mean: None },
        }
    }

    pub fn reset(&mut self) {
        self.mean = None;
    }

    /// Takes a value; one that is none is passed over.
    #[inline]
    pub fn put(&mut self, since_ns: i64, value: f64) {
        if !value.is_finite() {
            return;
        }
        let mean = match self.mean {
            None => value,
            Some(before) => {
                // libm's: the same bits on every machine.
                let by_time = || -libm::expm1(-(since_ns as f64) / (self.millis * NS_PER_MS as f64));
                before + self.share.unwrap_or_else(by_time) * (value - before)
            }
        };
        // What passes the doubles begins again.
        self.mean = Some(mean).filter(|mean| mean.is_finite());
    }

    #[inline]
    pub fn mean(&self) -> f64 {
        self.mean.unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Mean and spread of whole numbers, exact until the last division and root.
    fn exact(values: &[i64]) -> (f64, f64) {
        let count = values.len() as i128;
        let sum: i128 = values.iter().map(|&value| i128::from(value)).sum();
        let squares: i128 = values.iter().map(|&value| i128::from(value).pow(2)).sum();
        let spread = (count * squares - sum * sum) as f64 / (count * count) as f64;
        (sum as f64 / count as f64, spread.sqrt())
    }

    /// Puts so many values and checks some of the windows' moments against the exact ones.
    fn drifts(values: u64, check_every: u64, window: u32) {
        let mut moments = Moments::new(room(Window::Updates(window)), true);
        let mut kept: std::collections::VecDeque<i64> = std::collections::VecDeque::new();
        let mut random = 1_u64;
        let (mut level, mut worst) = (0_i64, 0.0_f64);
        for number in 0..values {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // A price that wanders far off and comes back, in steps of very different sizes.
            let shift = 1_000_000_000_000 * i64::from(number / 50_000 % 2 == 1);
            level += (random >> 44) as i64 % 2001 - 1000;
            let value = level + shift;
            moments.put(number, value as f64);
            kept.push_back(value);
            if kept.len() > window as usize {
                kept.pop_front();
            }
            if number % check_every == 0 && kept.len() == window as usize {
                let (mean, spread) = moments.over(number + 1 - u64::from(window), number);
                let (exact_mean, exact_spread) = exact(kept.make_contiguous());
                let largest = kept.iter().map(|value| value.unsigned_abs()).max().unwrap_or(0) as f64;
                worst = worst.max((mean - exact_mean).abs() / largest);
                worst = worst.max((spread - exact_spread).abs() / exact_spread.max(largest * 1e-8));
            }
        }
        assert!(worst < 1e-15 * f64::from(window).log2().max(4.0), "off by {worst:e}");
    }

    #[test]
    fn moments_do_not_drift_over_ten_million_updates() {
        for window in [20, 1_000, 10_000] {
            drifts(10_000_000, 9_973, window);
        }
    }

    proptest! {
        #[test]
        fn any_window_is_summed_from_its_own_values(
            values in prop::collection::vec(-1_000_000_i64..1_000_000, 1..300), window in 1..128_u64, began in 0..1_000_u64,
        ) {
            let mut moments = Moments::new(128, true);
            let mut plain = Moments::new(128, false);
            for (number, &value) in (began..).zip(&values) {
                moments.put(number, value as f64);
                plain.put(number, value as f64);
                let from = began.max((number + 1).saturating_sub(window));
                let (mean, spread) = moments.over(from, number);
                let (exact_mean, exact_spread) = exact(&values[(from - began) as usize..=(number - began) as usize]);
                prop_assert!((mean - exact_mean).abs() <= 1e-15 * 1e6 * 8.0);
                prop_assert!((spread - exact_spread).abs() <= 1e-14 * 1e6);
                prop_assert_eq!(plain.over(from, number).0.to_bits(), mean.to_bits());
            }
        }

        #[test]
        fn equal_values_have_that_mean_and_no_spread(value: f64, window in 1..128_u64, more in 0..300_u64) {
            prop_assume!(value.is_finite());
            let mut moments = Moments::new(128, true);
            (0..window + more).for_each(|number| moments.put(number, value));
            let to = window + more - 1;
            prop_assert_eq!(moments.over(to + 1 - window, to), (value, 0.0));
            let mut ema = Ema::new(Window::Updates(window as u32));
            (0..window + more).for_each(|_| ema.put(1, value));
            prop_assert_eq!(ema.mean(), value);
        }
    }

    #[test]
    fn what_is_not_finite_leaves_with_the_window() {
        let mut moments = Moments::new(8, true);
        for number in 0..100_u64 {
            moments.put(number, if number == 40 { f64::NAN } else { 2.0 });
            let (mean, spread) = moments.over(number.saturating_sub(4), number);
            let holds_it = (40..45).contains(&number);
            assert_eq!((mean.is_nan(), spread.is_nan()), (holds_it, holds_it), "{number}");
        }
        let mut ema = Ema::new(Window::Updates(3));
        assert!(ema.mean().is_nan());
        for value in [f64::NAN, 1.0, f64::NAN, 2.0] {
            ema.put(0, value);
        }
        assert_eq!(ema.mean(), 1.5);
        let mut by_time = Ema::new(Window::Millis(1_000));
        by_time.put(0, 1.0);
        by_time.put(1_000_000_000, 0.0);
        assert!((by_time.mean() - (-1.0_f64).exp()).abs() < 1e-15);
    }

    #[test]
    fn windows_of_time_follow_the_receive_times() {
        let mut updates = Updates::default();
        updates.look_back(Window::Millis(2));
        updates.look_back(Window::Updates(3));
        // What was received just two milliseconds before is not in the window; times that go back stand still.
        for (at_ns, number, oldest) in
            [(0, 0, 0), (1_999_999, 1, 0), (2_000_000, 2, 1), (1_000_000, 3, 1), (4_000_000, 4, 4), (9_000_000, 5, 5)]
        {
            assert_eq!(updates.begin(at_ns), number);
            assert_eq!(updates.oldest_in(Window::Millis(2), number), oldest, "{at_ns}");
            assert_eq!(updates.oldest_in(Window::Updates(3), number), number.saturating_sub(2));
        }
        assert!(updates.reach(5, 9) && !updates.reach(6, 9) && !updates.reach(5, 10));
        updates.reset();
        assert_eq!((updates.begin(7), updates.since_ns(), updates.oldest_in(Window::Millis(2), 0)), (0, 0, 0));
        assert_eq!(updates.overruns(), 0);
    }

    #[test]
    fn windows_too_full_forget_the_oldest_early_and_count_it() {
        let mut updates = Updates::default();
        updates.look_back(Window::Millis(60_000));
        let most = WINDOW_UPDATES_MAX as u64;
        for number in 0..most + 10 {
            updates.begin(number as i64);
            assert_eq!(updates.oldest_in(Window::Millis(60_000), number), (number + 2).saturating_sub(most));
        }
        assert_eq!(updates.overruns(), 11);
    }
}
