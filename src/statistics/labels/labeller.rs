//! Labels by a rule, as frames come.
//!
//! Sums of mids are integers: a mean is compared exactly, whatever came before it. A label never looks over a snapshot or a gap.

use super::rule::MILLIONTHS;
use super::{Change, Distance, DoubleMid, Horizon, LabelKind, LabelRule};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Millionths of a basis point in one.
const BP_MILLIONTHS: i128 = 10_000 * MILLIONTHS as i128;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label {
    /// What the mid did; `None` where the book was lost, or had one side only, before that was known.
    pub change: Option<Change>,
    /// The frame, by its number, to which the label looks.
    pub until: u64,
}

/// A frame of the stretch since the last snapshot.
#[derive(Clone, Copy, Debug)]
struct Frame {
    sequence: u64,
    ts_recv_ns: i64,
    /// Twice the mid in ticks of the labeller's scale; 0 without a mid.
    double: i128,
    /// Of all frames before it.
    sum_before: i128,
    /// Frames before it that have no mid.
    missing_before: u64,
    has_mid: bool,
}

/// Mids added up.
#[derive(Clone, Copy, Debug)]
struct Sum {
    double: i128,
    count: u64,
}

/// A row whose label is asked for.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Its frame, counted in the stretch.
    at: u64,
    ts_recv_ns: i64,
    own_decimals: u8,
    /// With what the future is compared; `None` where the past is too short.
    base: Option<Sum>,
    known: Option<Label>,
}

/// Follows a capture's mids and tells the labels of its rows in order.
#[derive(Debug)]
pub struct Labeller {
    rule: LabelRule,
    /// The finest scale of the stretch.
    decimals: u8,
    tick_decimals: u8,
    /// As far back as rows that wait, and rows to come, look.
    frames: VecDeque<Frame>,
    /// Number in the stretch of the first of them.
    first: u64,
    rows: VecDeque<Row>,
    /// Rows that wait for a barrier, by the mid that reaches it and their frame; some may be known already.
    upper: BinaryHeap<Reverse<(i128, u64)>>,
    lower: BinaryHeap<(i128, u64)>,
    /// Numbers grew out of 128 bits: nothing is known until the next stretch.
    is_beyond: bool,
}

impl Labeller {
    /// Nothing has come yet.
    pub fn new(rule: LabelRule) -> Self {
        Self {
            rule,
            decimals: 0,
            tick_decimals: 0,
            frames: VecDeque::new(),
            first: 0,
            rows: VecDeque::new(),
            upper: BinaryHeap::new(),
            lower: BinaryHeap::new(),
            is_beyond: false,
        }
    }

    /// A tick is 10 to the power of minus this; to be told before the first frame.
    pub fn set_tick_decimals(&mut self, tick_decimals: u8) {
        self.tick_decimals = tick_decimals;
    }

    /// The book has been replaced or lost, or the capture has ended: rows that wait have no label.
    pub fn reset(&mut self) {
        let until = self.frames.back().map_or(0, |frame| frame.sequence);
        for row in self.rows.iter_mut().filter(|row| row.known.is_none()) {
            row.known = Some(Label { change: None, until });
        }
        self.frames.clear();
        self.upper.clear();
        self.lower.clear();
        (self.first, self.decimals, self.is_beyond) = (0, 0, false);
    }

    /// A live frame has come.
    pub fn frame(&mut self, sequence: u64, ts_recv_ns: i64, mid: Option<DoubleMid>) {
        if let Horizon::Ns(horizon_ns) = self.rule.horizon {
            self.settle_before(ts_recv_ns, horizon_ns);
        }
        let double = mid.map(|mid| self.in_scale(mid));
        let last = self.frames.back();
        let frame = Frame {
            sequence,
            ts_recv_ns,
            double: double.unwrap_or(0),
            sum_before: last.map_or(0, |last| last.sum_before.saturating_add(last.double)),
            missing_before: last.map_or(0, |last| last.missing_before + u64::from(!last.has_mid)),
            has_mid: double.is_some(),
        };
        self.frames.push_back(frame);
        if let Some(double) = double {
            self.touch(double, sequence);
        }
        if let Some(span) = self.rule.span_updates() {
            let now = self.last();
            while let Some(at) = self.next_waiting(|row| row.at + u64::from(span) <= now) {
                self.settle(at, now);
            }
        }
        self.prune();
    }

    /// The frame that came last, which has a mid, is a row.
    pub fn row(&mut self) {
        let Some(&frame) = self.frames.back() else { return };
        let now = Sum { double: frame.double, count: 1 };
        let base = if self.rule.kind == LabelKind::Means { self.mean_before(&frame) } else { Some(now) };
        let at = self.last();
        if let (LabelKind::Barrier(distance), Some(base)) = (self.rule.kind, base) {
            self.wait_for_barriers(at, base, distance);
        }
        let row = Row { at, ts_recv_ns: frame.ts_recv_ns, own_decimals: self.decimals, base, known: None };
        self.rows.push_back(row);
    }

    /// The label of the next row in order, if it is known.
    pub fn next_known(&mut self) -> Option<Label> {
        let known = self.rows.front()?.known?;
        self.rows.pop_front();
        Some(known)
    }

    /// Number in the stretch of the frame that came last.
    fn last(&self) -> u64 {
        self.first + self.frames.len() as u64 - 1
    }

    fn get(&self, at: u64) -> Option<&Frame> {
        self.frames.get(usize::try_from(at.checked_sub(self.first)?).ok()?)
    }

    /// The mids of frames `from..=to`; `None` where one has none.
    fn sum(&self, from: u64, to: u64) -> Option<Sum> {
        let (first, last) = (self.get(from)?, self.get(to)?);
        let missing = last.missing_before + u64::from(!last.has_mid) - first.missing_before;
        let double = last.sum_before.checked_add(last.double)?.checked_sub(first.sum_before)?;
        (missing == 0 && to >= from).then_some(Sum { double, count: to - from + 1 })
    }

    /// The mean of the mids up to a frame, as far back as the horizon looks ahead.
    fn mean_before(&self, frame: &Frame) -> Option<Sum> {
        let last = self.last();
        let from = match self.rule.horizon {
            Horizon::Updates(updates) => (last + 1).checked_sub(u64::from(updates))?,
            Horizon::Ns(horizon_ns) => {
                let begins_ns = frame.ts_recv_ns.saturating_sub(horizon_ns);
                // The stretch has to be as old as that.
                let at = self.frames.partition_point(|before| before.ts_recv_ns <= begins_ns);
                if at == 0 {
                    return None;
                }
                self.first + at as u64
            }
        };
        self.sum(from, last)
    }

    /// A mid at the stretch's scale, which becomes finer where it has to.
    fn in_scale(&mut self, mid: DoubleMid) -> i128 {
        if mid.price_decimals > self.decimals {
            let finer = 10_i128.pow(u32::from(mid.price_decimals - self.decimals));
            self.decimals = mid.price_decimals;
            self.refine(finer);
        }
        let finer = 10_i128.pow(u32::from(self.decimals - mid.price_decimals));
        // At most 2^64 · 10^18.
        i128::from(mid.ticks) * finer
    }

    #[cold]
    fn refine(&mut self, finer: i128) {
        let mut is_beyond = self.is_beyond;
        let mut scaled = |number: &mut i128| match number.checked_mul(finer) {
            Some(fits) => *number = fits,
            None => is_beyond = true,
        };
        for frame in &mut self.frames {
            scaled(&mut frame.double);
            scaled(&mut frame.sum_before);
        }
        self.rows.iter_mut().filter_map(|row| row.base.as_mut()).for_each(|base| scaled(&mut base.double));
        self.is_beyond = is_beyond;
        self.renew_barriers();
    }

    /// The first row in order that waits and of which something is true.
    fn next_waiting(&self, is: impl Fn(&Row) -> bool) -> Option<usize> {
        let at = self.rows.iter().position(|row| row.known.is_none())?;
        is(&self.rows[at]).then_some(at)
    }

    /// Settles the rows whose time had passed before a frame received then.
    fn settle_before(&mut self, ts_recv_ns: i64, horizon_ns: i64) {
        if self.frames.is_empty() {
            return;
        }
        let last = self.last();
        while let Some(at) = self.next_waiting(|row| row.ts_recv_ns.saturating_add(horizon_ns) < ts_recv_ns) {
            self.settle(at, last);
        }
    }

    /// Settles a row whose label looks to frame `to` of the stretch.
    fn settle(&mut self, at: usize, to: u64) {
        let row = self.rows[at];
        let ahead = match self.rule.kind {
            LabelKind::Mid => self.sum(to, to),
            // Where nothing came in time the mid is the same.
            LabelKind::Mean | LabelKind::Means if to == row.at => self.sum(to, to),
            LabelKind::Mean | LabelKind::Means => self.sum(row.at + 1, to),
            LabelKind::Around(width) => self.sum(to + 1 - u64::from(width), to),
            LabelKind::Barrier(_) => self.sum(to, to).or(row.base),
        };
        let change = row.base.zip(ahead).and_then(|(base, ahead)| self.change(&row, base, ahead));
        // No barrier was reached.
        let is_tie = matches!(self.rule.kind, LabelKind::Barrier(_));
        let change = change.map(|change| if is_tie { Change { sign: 0, ..change } } else { change });
        let until = self.get(to).map_or(0, |frame| frame.sequence);
        self.rows[at].known = Some(Label { change, until });
    }

    /// The change from one mean to another; `None` beyond 128 bits.
    fn change(&self, row: &Row, base: Sum, ahead: Sum) -> Option<Change> {
        if self.is_beyond {
            return None;
        }
        let (base_count, ahead_count) = (i128::from(base.count), i128::from(ahead.count));
        let difference = ahead.double.checked_mul(base_count)?.checked_sub(base.double.checked_mul(ahead_count)?)?;
        let counts = base_count * ahead_count;
        let double_tick = 2 * 10_i128.pow(u32::from(self.decimals - row.own_decimals));
        let is_tie = match self.rule.dead_band {
            None => false,
            Some(Distance::Ticks(millionths)) => {
                let [coarser, finer] = self.tick_factors();
                let band = [i128::from(millionths), 2, finer, counts];
                product(&[difference.abs(), MILLIONTHS.into(), coarser])? <= product(&band)?
            }
            Some(Distance::Bp(millionths)) => {
                let band = [i128::from(millionths), base.double, ahead_count];
                product(&[difference.abs(), BP_MILLIONTHS])? <= product(&band)?
            }
        };
        let sign = if is_tie { 0 } else { difference.signum() as i8 };
        Some(Change { sign, ticks: difference as f64 / double_tick.checked_mul(counts)? as f64 })
    }

    /// By which counts of the stretch's scale and ticks are multiplied to be compared.
    fn tick_factors(&self) -> [i128; 2] {
        [self.tick_decimals.saturating_sub(self.decimals), self.decimals.saturating_sub(self.tick_decimals)]
            .map(|decimals| 10_i128.pow(decimals.into()))
    }

    /// How far a barrier is from a mid, rounded up to what a mid can reach; `None` beyond 128 bits.
    fn reach(&self, base: Sum, distance: Distance) -> Option<i128> {
        let (product, unit) = match distance {
            Distance::Ticks(millionths) => {
                let [coarser, finer] = self.tick_factors();
                (product(&[millionths.into(), 2, finer])?, i128::from(MILLIONTHS) * coarser)
            }
            Distance::Bp(millionths) => (product(&[millionths.into(), base.double])?, BP_MILLIONTHS),
        };
        Some(product / unit + i128::from(product % unit != 0))
    }

    fn wait_for_barriers(&mut self, at: u64, base: Sum, distance: Distance) {
        match self.reach(base, distance) {
            Some(reach) => {
                self.upper.push(Reverse((base.double.saturating_add(reach), at)));
                self.lower.push((base.double.saturating_sub(reach), at));
            }
            None => self.is_beyond = true,
        }
    }

    /// Puts up the barriers of the rows that wait, and of no others.
    fn renew_barriers(&mut self) {
        self.upper.clear();
        self.lower.clear();
        let LabelKind::Barrier(distance) = self.rule.kind else { return };
        for at in 0..self.rows.len() {
            let row = self.rows[at];
            if let (Some(base), None) = (row.base, row.known) {
                self.wait_for_barriers(row.at, base, distance);
            }
        }
    }

    /// Settles the rows whose barriers a mid reaches.
    fn touch(&mut self, double: i128, until: u64) {
        while let Some(&Reverse((barrier, at))) = self.upper.peek()
            && barrier <= double
        {
            self.upper.pop();
            self.touched(at, double, 1, until);
        }
        while let Some(&(barrier, at)) = self.lower.peek()
            && barrier >= double
        {
            self.lower.pop();
            self.touched(at, double, -1, until);
        }
        // What is known already goes when it is most of them.
        if self.upper.len().max(self.lower.len()) > 2 * self.rows.len() + 64 {
            self.renew_barriers();
        }
    }

    fn touched(&mut self, at: u64, double: i128, sign: i8, until: u64) {
        let place = self.rows.partition_point(|row| row.at < at);
        let Some(&row) = self.rows.get(place).filter(|row| row.at == at && row.known.is_none()) else { return };
        let change = row.base.and_then(|base| self.change(&row, base, Sum { double, count: 1 }));
        self.rows[place].known = Some(Label { change: change.map(|change| Change { sign, ..change }), until });
    }

    /// Forgets frames on which no row looks.
    fn prune(&mut self) {
        let Some(&newest) = self.frames.back() else { return };
        let last = self.last();
        let rows = self.rows.front().map_or(last, |row| row.at);
        let is_means = self.rule.kind == LabelKind::Means;
        let keeps = |at: u64, second: &Frame| match self.rule.horizon {
            _ if !is_means => false,
            Horizon::Updates(updates) => at + u64::from(updates) > last,
            Horizon::Ns(horizon_ns) => second.ts_recv_ns > newest.ts_recv_ns.saturating_sub(horizon_ns),
        };
        let mut gone = 0;
        while self.first + gone < rows
            && let Some(second) = self.frames.get(gone as usize + 1)
            && !keeps(self.first + gone, second)
        {
            gone += 1;
        }
        self.frames.drain(..gone as usize);
        self.first += gone;
    }
}

fn product(factors: &[i128]) -> Option<i128> {
    factors.iter().try_fold(1_i128, |product, &factor| product.checked_mul(factor))
}

#[cfg(test)]
mod tests;
