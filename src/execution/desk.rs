//! The accounts of a trader, side by side on one book and one model's decisions.
//!
//! ```
//! use papertrader::execution::account::{AccountRules, AfterTimeout, ExitStyle, Limits, MakerRules};
//! use papertrader::execution::contract::{Contract, Increments};
//! use papertrader::execution::desk::Desk;
//! use papertrader::execution::fees::{FeePlan, FeeSchedule};
//! use papertrader::execution::latency::Latency;
//! use papertrader::execution::ledger::Moment;
//! use papertrader::execution::matching::queue::QueueModel;
//! use papertrader::execution::records::{AccountKind, Record};
//! use papertrader::market::book::Book;
//! use papertrader::market::event::Event;
//! use papertrader::market::units::{Scale, Side};
//!
//! let mut book = Book::default();
//! book.begin_snapshot(Scale { price_decimals: 2, size_decimals: 2 });
//! book.stage(&[Event::level(Side::Bid, 9_900, 500), Event::level(Side::Ask, 10_000, 500)]);
//! book.end_snapshot().expect("two levels are not too many");
//!
//! let maker = MakerRules {
//!     offset_ticks: 0,
//!     timeout_updates: 10,
//!     after_timeout: AfterTimeout::Drop,
//!     exits: ExitStyle::Post,
//!     queue: QueueModel::RiskAverse,
//! };
//! let rules = AccountRules {
//!     threshold_logit: 0.4,
//!     short: false,
//!     lag_updates: 20,
//!     amount: 100.0,
//!     latency: Latency::Absent,
//!     depletion: true,
//!     contract: Contract::default(),
//!     increments: Increments::default(),
//!     cap_bps: None,
//!     limits: Limits::default(),
//!     fees: FeePlan { schedule: FeeSchedule::flat("mine", 0.0, 10.0)?, trailing_value: 0.0 },
//!     maker,
//!     takers_side: false,
//! };
//! let mut desk = Desk::new(&[AccountKind::Taker], &rules);
//! let mut records = Vec::new();
//! let at = |sequence| Moment { sequence, venue_sequence_num: sequence, ts_recv_ns: 0, stretch: 1 };
//! // 100.00 buys one unit at the ask, which brings 99.00 at the bid.
//! desk.decide(at(0), 0.7, &book, &mut |record| records.push(record));
//! desk.close_due(at(20), &book, &mut |record| records.push(record));
//! let Some(Record::Leg(leg)) = records.last() else { panic!("the leg closes last") };
//! assert_eq!((leg.profit, leg.entered.fee), (-1.0, 0.1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::account::AccountRules;
use super::account::{Account, AccountCounts, AccountTotals, Out, Place};
use super::ledger::Moment;
use super::matching::best::{Best, opposite};
use super::records::AccountKind;
use crate::market::book::Book;
use crate::market::event::{Event, Print};
use crate::market::units::{Scale, Side};

/// What came of an account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccountReport {
    /// Whose.
    pub kind: AccountKind,
    /// What it did.
    pub counts: AccountCounts,
    /// What it came to.
    pub totals: AccountTotals,
}

/// How the sides of prints that met resting orders fit the book: one nearer to the best ask was a purchase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideCounts {
    /// Those whose side fits.
    pub agreeing: u64,
    /// Those that were not right in the middle.
    pub compared: u64,
}

/// What came of a desk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeskReport {
    /// Of each account.
    pub accounts: Vec<AccountReport>,
    /// Whether prints' sides can be what they are taken for.
    pub sides: SideCounts,
}

/// Accounts.
#[derive(Debug)]
pub struct Desk {
    accounts: Vec<Account>,
    threshold_logit: f64,
    short: bool,
    takers_side: bool,
    /// The exchange's best prices while an order rests.
    best: Best,
    rests: bool,
    /// Whether frames are nothing to any account until it decides.
    is_idle: bool,
    /// Whether levels that the venue names matter to what was taken.
    has_taken: bool,
    /// When the next message arrives, Unix nanoseconds.
    next_arrival_ns: i64,
    /// The last frame of the book; of its time, the last message's.
    last: Option<Moment>,
    sides: SideCounts,
}

impl Desk {
    /// Accounts of these kinds.
    pub fn new(kinds: &[AccountKind], rules: &AccountRules) -> Self {
        Self {
            accounts: kinds.iter().map(|&kind| Account::new(kind, rules.clone())).collect(),
            threshold_logit: rules.threshold_logit,
            short: rules.short,
            takers_side: rules.takers_side,
            best: Best::default(),
            rests: false,
            is_idle: true,
            has_taken: false,
            next_arrival_ns: i64::MAX,
            last: None,
            sides: SideCounts::default(),
        }
    }

    /// Whether an order rests: levels are to be told one by one, before the book takes them.
    #[inline]
    pub fn rests(&self) -> bool {
        self.rests
    }

    /// Lets every account do something.
    fn each(
        &mut self,
        book: &Book,
        now: Moment,
        is_lost: bool,
        out: Out<'_>,
        mut act: impl FnMut(&mut Account, &mut Place<'_>, Out<'_>),
    ) {
        let Self { accounts, best, rests, .. } = self;
        for account in accounts {
            let mut place = Place { book, best, follows: rests, now, ts_ns: now.ts_recv_ns, is_lost };
            act(account, &mut place, out);
        }
        self.look();
    }

    fn look(&mut self) {
        self.rests = self.accounts.iter().any(Account::rests);
        self.is_idle = self.accounts.iter().all(Account::is_idle);
        self.has_taken = self.accounts.iter().any(Account::has_taken);
        self.next_arrival_ns = self.accounts.iter().map(Account::next_arrival_ns).min().unwrap_or(i64::MAX);
    }

    /// Before a message that came at `ts_recv_ns`: what arrived at the venue before it acts on the book as it is.
    #[inline]
    pub fn arrivals(&mut self, ts_recv_ns: i64, book: &Book, out: Out<'_>) {
        if self.next_arrival_ns < ts_recv_ns {
            self.let_arrive(ts_recv_ns, book, out);
        }
    }

    #[cold]
    fn let_arrive(&mut self, ts_recv_ns: i64, book: &Book, out: Out<'_>) {
        let Some(last) = self.last else { return };
        self.each(book, last, false, out, |account, place, out| account.arrivals(ts_recv_ns, place, out));
    }

    /// Before the book frame `now`: see [`Account::close_due`].
    #[inline]
    pub fn close_due(&mut self, now: Moment, book: &Book, out: Out<'_>) {
        if self.is_idle {
            return;
        }
        self.each(book, now, false, out, |account, place, out| account.close_due(place, out));
    }

    /// Levels of an update, whole: what was taken from them is forgotten.
    #[inline]
    pub fn named(&mut self, levels: &[Event]) {
        if self.has_taken {
            self.accounts.iter_mut().for_each(|account| account.named(levels));
        }
    }

    /// A level of an update, while an order rests, before `book` takes it.
    #[inline]
    pub fn level(&mut self, book: &Book, level: Event) {
        let before_lots = book.size_at(level.side(), level.price_ticks());
        self.accounts.iter_mut().for_each(|account| account.level(level, before_lots));
        if let Some(price_ticks) = self.best.follow(book, level) {
            self.accounts.iter_mut().for_each(|account| account.improved(level.side(), price_ticks));
        }
    }

    /// A print at `scale`, which is at least as fine as the book's.
    pub fn print(&mut self, book: &Book, print: &Print, scale: Scale) {
        let finer = |print: u8, book: u8| 10_u64.saturating_pow(u32::from(print.saturating_sub(book)));
        let book_scale = book.scale();
        let ticks = finer(scale.price_decimals, book_scale.price_decimals);
        // Of a book that is finer than the print: the other way round.
        let price = print.price_ticks.saturating_mul(finer(book_scale.price_decimals, scale.price_decimals));
        let lots = print.size_lots.saturating_mul(finer(book_scale.size_decimals, scale.size_decimals))
            / finer(scale.size_decimals, book_scale.size_decimals);
        let aggressor = if self.takers_side { opposite(print.aggressor) } else { print.aggressor };
        self.look_at_side(book, aggressor, price as f64 / ticks as f64);
        if price.is_multiple_of(ticks) {
            self.accounts.iter_mut().for_each(|account| account.print(aggressor, price / ticks, lots));
            return;
        }
        // Between two ticks: it went through the one that it is beyond and did not reach the other.
        let reached = match aggressor {
            Side::Bid => price.div_ceil(ticks),
            Side::Ask => price / ticks,
        };
        self.accounts.iter_mut().for_each(|account| account.print_beyond(aggressor, reached));
    }

    fn look_at_side(&mut self, book: &Book, aggressor: Side, price_ticks: f64) {
        let Some((bid, ask)) = book.best().filter(|(bid, ask)| bid.price_ticks < ask.price_ticks) else { return };
        let mid_ticks = (bid.price_ticks as f64 + ask.price_ticks as f64) / 2.0;
        if price_ticks != mid_ticks {
            self.sides.compared += 1;
            self.sides.agreeing += u64::from((price_ticks > mid_ticks) == (aggressor == Side::Bid));
        }
    }

    /// After a message: books what it has filled. `sequence_num` and `ts_recv_ns` are the message's.
    #[inline]
    pub fn settle(&mut self, book: &Book, sequence_num: u64, ts_recv_ns: i64, out: Out<'_>) {
        if !self.rests {
            return;
        }
        let Some(last) = self.last else { return };
        let now = Moment { venue_sequence_num: sequence_num, ts_recv_ns, ..last };
        self.each(book, now, false, out, |account, place, out| account.settle(place, out));
    }

    /// After the live frame `now`, before it is decided on.
    #[inline]
    pub fn after_frame(&mut self, now: Moment, book: &Book, out: Out<'_>) {
        self.last = Some(now);
        if self.is_idle {
            return;
        }
        self.settle(book, now.venue_sequence_num, now.ts_recv_ns, out);
        self.each(book, now, false, out, |account, place, out| account.after_frame(place, out));
    }

    /// Decides on the live frame `now` by a logit.
    #[inline]
    pub fn decide(&mut self, now: Moment, logit: f64, book: &Book, out: Out<'_>) {
        let side = if logit >= self.threshold_logit {
            Side::Bid
        } else if self.short && logit <= -self.threshold_logit {
            Side::Ask
        } else {
            return;
        };
        self.each(book, now, false, out, |account, place, out| account.decide(side, logit, place, out));
    }

    /// The book is about to be lost or replaced.
    #[cold]
    pub fn book_lost(&mut self, ts_recv_ns: i64, book: &Book, out: Out<'_>) {
        let Some(last) = self.last else { return };
        let now = Moment { ts_recv_ns, ..last };
        self.each(book, now, true, out, |account, place, out| account.book_lost(place, out));
    }

    /// The book's scale has become finer.
    #[cold]
    pub fn refine(&mut self, before: Scale, scale: Scale) {
        let times = |before: u8, now: u8| 10_u64.saturating_pow(u32::from(now.saturating_sub(before)));
        let ticks_times = times(before.price_decimals, scale.price_decimals);
        let lots_times = times(before.size_decimals, scale.size_decimals);
        self.best.rescale(ticks_times);
        for account in &mut self.accounts {
            account.refine(ticks_times, lots_times);
        }
    }

    /// Ends the run.
    pub fn finish(mut self, book: &Book, out: Out<'_>) -> DeskReport {
        if let Some(last) = self.last {
            self.each(book, last, false, out, |account, place, out| account.finish(place, out));
        }
        let report = |account: &Account| AccountReport {
            kind: account.kind(),
            counts: *account.counts(),
            totals: *account.totals(),
        };
        DeskReport { accounts: self.accounts.iter().map(report).collect(), sides: self.sides }
    }
}
