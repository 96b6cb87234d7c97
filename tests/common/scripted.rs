// A schedule of resting orders on a capture with prints, and what fills them: shared by an example and a test.

use papertrader::base::clock::Speed;
use papertrader::capture::replay::Replay;
use papertrader::engine::status::Status;
use papertrader::execution::matching::best::Best;
use papertrader::execution::matching::queue::QueueModel;
use papertrader::execution::matching::resting::{FillModel, Order, Resting, RestingFill, Sharing};
use papertrader::feed::intake::ScaleRule;
use papertrader::market::book::{Book, BookState};
use papertrader::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::market::units::{Scale, Side};
use papertrader::run::session::Feed;
use std::collections::VecDeque;
use std::error::Error;
use std::path::Path;

/// A fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The `sequence_num` of the message that filled.
    pub message: u64,
    /// The order.
    pub order: u64,
    /// Lots traded.
    pub lots: u64,
    /// At this price.
    pub price_ticks: u64,
}

/// How the schedule runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The queue model.
    pub queue: QueueModel,
    /// Of orders and cancellations.
    pub latency_ns: i64,
    /// Decimals of a lot, where levels are rounded down to larger ones than the book's.
    pub lot_decimals: Option<u8>,
}

/// After every so many messages orders are sent.
const EVERY: u64 = 100;
/// After so many more they are cancelled.
const CANCELLED_AFTER: u64 = 1_000;
/// The size of each.
const LOTS: u64 = 20;

#[derive(Clone, Copy)]
enum Action {
    Post(Order),
    Cancel(Order),
}

struct Schedule {
    settings: Settings,
    book: Book,
    best: Best,
    resting: Resting,
    under_way: VecDeque<(i64, Action)>,
    to_cancel: VecDeque<(u64, Order)>,
    rows: Vec<Row>,
    prints: u64,
}

/// Runs the schedule: after message n, where n is a multiple of 100, five orders of 20 lots: at the best bid, at the best ask, a
/// tick below the best bid, two ticks above the best ask, a tick above the best bid. Gives the fills by message, then order.
pub fn fills(capture: &Path, settings: Settings) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut schedule = Schedule {
        settings,
        book: Book::default(),
        best: Best::default(),
        resting: Resting::new(FillModel::Queue(settings.queue), Sharing::Alone, 64),
        under_way: VecDeque::new(),
        to_cancel: VecDeque::new(),
        rows: Vec::new(),
        prints: 0,
    };
    let outcome = Replay::open(capture, None, ScaleRule::default(), Speed::Max)?.run(&mut schedule, &Status::default());
    if let Some(error) = outcome.error {
        return Err(error.into());
    }
    if schedule.prints == 0 {
        return Err(format!("{} has no prints: nothing says what is traded at a price", capture.display()).into());
    }
    Ok(schedule.rows)
}

impl Schedule {
    fn lots(&self, size_lots: u64, decimals: u8) -> u64 {
        let own = self.settings.lot_decimals.unwrap_or(self.book.scale().size_decimals);
        match own.checked_sub(decimals) {
            Some(more) => size_lots * 10_u64.pow(u32::from(more)),
            None => size_lots / 10_u64.pow(u32::from(decimals - own)),
        }
    }

    /// What was sent more than the latency before the message acts before it.
    fn arrive(&mut self, before_ns: i64) {
        while let Some(&(at_ns, action)) = self.under_way.front() {
            if at_ns >= before_ns {
                break;
            }
            self.under_way.pop_front();
            match action {
                Action::Post(order) if !self.best.crosses(order.side, order.price_ticks) => {
                    self.resting.post(order, self.book.size_at(order.side, order.price_ticks));
                }
                Action::Post(_) => {}
                Action::Cancel(Order { id, side, price_ticks, .. }) => {
                    self.resting.cancel(side, price_ticks, id);
                }
            }
        }
    }

    fn take(&mut self, head: &FrameHead, events: &[Event], filled: &mut Vec<RestingFill>) {
        let own = |event: &Event| {
            Event::level(event.side(), event.price_ticks(), self.lots(event.size_lots(), head.scale.size_decimals))
        };
        match head.kind {
            FrameKind::Snapshot => {
                let decimals = self.settings.lot_decimals.unwrap_or(head.scale.size_decimals);
                self.book.begin_snapshot(Scale { size_decimals: decimals, ..head.scale });
                let levels: Vec<Event> = events
                    .iter()
                    .map(|event| {
                        let lots = self.lots(event.size_lots(), head.scale.size_decimals);
                        Event::level(event.side(), event.price_ticks(), lots)
                    })
                    .collect();
                self.book.stage(&levels);
                // No venue's snapshot has too many levels.
                let _ = self.book.end_snapshot();
                self.best = Best::of(&self.book);
            }
            FrameKind::Update => {
                let levels: Vec<Event> = events.iter().map(own).collect();
                for level in levels {
                    let (side, price_ticks) = (level.side(), level.price_ticks());
                    let before = self.book.size_at(side, price_ticks);
                    self.resting.level(side, price_ticks, before, level.size_lots());
                    if let Some(best) = self.best.follow(&self.book, level) {
                        self.resting.improved(side, best, &mut |fill| filled.push(fill));
                    }
                    self.book.apply(&[level]);
                }
                let _ = self.book.end_update();
            }
            FrameKind::Prints => {
                let (prints, _) = events.as_chunks::<PRINT_EVENTS>();
                for &print in prints {
                    self.prints += 1;
                    let Print { aggressor, price_ticks, size_lots, .. } = Print::decode(print);
                    let lots = self.lots(size_lots, head.scale.size_decimals);
                    self.resting.print(aggressor, price_ticks, lots, &mut |fill| filled.push(fill));
                }
            }
            FrameKind::Connected | FrameKind::Invalid(_) => {}
        }
    }

    fn act(&mut self, n: u64, now_ns: i64) {
        let at_ns = now_ns + self.settings.latency_ns;
        while let Some(&(due, order)) = self.to_cancel.front() {
            if due > n {
                break;
            }
            self.to_cancel.pop_front();
            self.under_way.push_back((at_ns, Action::Cancel(order)));
        }
        let Some((bid, ask)) = self.book.best().filter(|_| n.is_multiple_of(EVERY)) else { return };
        let (bid, ask) = (bid.price_ticks, ask.price_ticks);
        let orders =
            [(Side::Bid, bid), (Side::Ask, ask), (Side::Bid, bid - 1), (Side::Ask, ask + 2), (Side::Bid, bid + 1)];
        for (j, (side, price_ticks)) in orders.into_iter().enumerate() {
            let order = Order { id: 10 * n + j as u64, side, price_ticks, lots: LOTS };
            self.under_way.push_back((at_ns, Action::Post(order)));
            self.to_cancel.push_back((n + CANCELLED_AFTER, order));
        }
    }
}

impl Publish for Schedule {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        if self.book.state() != BookState::Live && head.kind != FrameKind::Snapshot {
            return Ok(());
        }
        self.arrive(head.ts_recv_ns);
        let mut filled = Vec::new();
        self.take(head, events, &mut filled);
        filled.sort_by_key(|fill| fill.id);
        let row = |fill: RestingFill| Row {
            message: head.sequence_num,
            order: fill.id,
            lots: fill.lots,
            price_ticks: fill.price_ticks,
        };
        self.rows.extend(filled.into_iter().map(row));
        self.act(head.sequence_num, head.ts_recv_ns);
        Ok(())
    }
}
