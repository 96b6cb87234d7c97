//! The book of `mbo`: open orders, their sizes added up by price.
//!
//! ```
//! use papertrader::sources::databento::orders::OrderBook;
//! use papertrader::sources::databento::queue::Queue;
//! use papertrader::sources::databento::record::Record;
//! use papertrader::sources::{RawFrame, RawKind};
//!
//! let (mut book, mut queue, mut frame) = (OrderBook::default(), Queue::default(), RawFrame::default());
//! let record = |action, order_id, size| Record {
//!     action, order_id, size, side: b'B', price: 13_400_000_000, flags: dbn::flags::LAST, ..Record::default()
//! };
//! for record in [record(b'R', 0, 0), record(b'A', 1, 100), record(b'A', 2, 50), record(b'C', 1, 30)] {
//!     book.take(&record, 1, &mut queue)?;
//!     assert!(queue.pop(&mut frame));
//! }
//! assert_eq!((frame.kind, frame.levels[0].size.to_string().as_str()), (RawKind::Update, "120"));
//! # Ok::<(), String>(())
//! ```

use super::queue::Queue;
use super::record::{Record, UNDEFINED_SIZE, price, size};
use crate::market::event::Fault;
use crate::market::units::Side;
use crate::sources::{FRAME_LEVELS_MAX, RawKind, RawLevel};
use dbn::flags;
use std::collections::{BTreeMap, HashMap};

/// Open orders of an instrument. Busy ones have some ten thousand.
pub const ORDERS_MAX: usize = 1 << 21;

#[derive(Clone, Copy, Debug)]
struct Order {
    side: Side,
    /// In 1e-9.
    price: i64,
    /// Above 0.
    size: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// Of its orders together; 0 from their end to that of the event.
    size: u64,
    /// What the last frame told.
    told: u64,
    /// Whether it stands in the list of those that the event has touched.
    is_touched: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first clear or snapshot.
    #[default]
    NotBegun,
    Good,
    /// Until the next clear or snapshot.
    Bad,
}

/// What the event that has not ended has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pending {
    #[default]
    Nothing,
    /// Cleared the book, and done no more.
    Clear,
    /// Filled the book after clearing it.
    Snapshot,
    /// Changed levels.
    Update,
}

/// Orders, levels, and the event that has not ended.
#[derive(Debug)]
pub struct OrderBook {
    /// The most orders that may be open.
    most: usize,
    orders: HashMap<u64, Order>,
    levels: BTreeMap<(Side, i64), Level>,
    touched: Vec<(Side, i64)>,
    found: Vec<RawLevel>,
    state: State,
    pending: Pending,
    /// The times of the event's last record.
    pending_times: (i64, i64),
    /// Whether the record before was of a snapshot.
    was_snapshot: bool,
    has_last: bool,
    before_snapshot: u64,
    unknown_orders: u64,
}

impl Default for OrderBook {
    fn default() -> Self {
        Self::holding(ORDERS_MAX)
    }
}

impl OrderBook {
    /// Of at most so many orders.
    pub fn holding(most: usize) -> Self {
        Self {
            most,
            orders: HashMap::new(),
            levels: BTreeMap::new(),
            touched: Vec::new(),
            found: Vec::new(),
            state: State::default(),
            pending: Pending::default(),
            pending_times: (0, 0),
            was_snapshot: false,
            has_last: false,
            before_snapshot: 0,
            unknown_orders: 0,
        }
    }

    /// Records that say nothing of a book, as it is unknown.
    pub fn before_snapshot(&self) -> u64 {
        self.before_snapshot
    }

    /// Cancels and changes of orders that are not open.
    pub fn unknown_orders(&self) -> u64 {
        self.unknown_orders
    }

    /// Takes a record.
    ///
    /// # Errors
    /// It is not what the schema says, or more orders are open than a book may have.
    pub fn take(&mut self, record: &Record, ts_recv_ns: i64, queue: &mut Queue) -> Result<(), String> {
        queue.end_prints_before(ts_recv_ns);
        if self.pending == Pending::Clear && self.pending_times.0 != ts_recv_ns {
            self.end_event(queue)?;
        }
        let is_last = record.has(flags::LAST);
        self.has_last |= is_last;
        let is_bad = record.has(flags::MAYBE_BAD_BOOK);
        if is_bad {
            queue.end_prints();
            self.lose(ts_recv_ns, record.ts_event_ns, queue);
        }
        match record.action {
            // Trades and fills leave the book to the cancels and changes that follow.
            b'T' => queue.print(record, ts_recv_ns)?,
            b'F' | b'N' => {}
            b'A' | b'C' | b'M' | b'R' => {
                queue.end_prints();
                if is_bad {
                    self.before_snapshot += 1;
                } else {
                    self.change(record, ts_recv_ns)?;
                }
            }
            _ => return Err(record.unknown_action()),
        }
        if is_last {
            queue.end_prints();
            self.pending_times = (ts_recv_ns, record.ts_event_ns);
            self.end_event(queue)?;
        }
        Ok(())
    }

    /// The file has ended. An event that has not ended is left out: what it makes of the book is not known.
    ///
    /// # Errors
    /// No frame could be made of the file.
    pub fn end(&mut self, queue: &mut Queue) -> Result<(), String> {
        queue.end_prints();
        if self.pending == Pending::Clear {
            self.end_event(queue)?;
        }
        match self.state {
            State::NotBegun => {
                Err("holds neither a clear (action R) nor a snapshot of the product, so that nobody knows \
                which orders rested: ask Databento for data from the session's start or from midnight UTC on"
                    .into())
            }
            _ if !self.has_last && self.pending != Pending::Nothing => {
                Err("has no record with the flag LAST (128), so that nobody knows where an event ends".into())
            }
            _ => Ok(()),
        }
    }

    fn lose(&mut self, ts_recv_ns: i64, ts_event_ns: i64, queue: &mut Queue) {
        self.clear();
        (self.pending, self.was_snapshot) = (Pending::Nothing, false);
        if self.state == State::Good {
            self.state = State::Bad;
            queue.push(RawKind::Lost(Fault::RecordingGap), ts_recv_ns, ts_event_ns);
        }
    }

    fn clear(&mut self) {
        self.orders.clear();
        self.levels.clear();
        self.touched.clear();
    }

    /// Adds, takes off, replaces, clears.
    fn change(&mut self, record: &Record, ts_recv_ns: i64) -> Result<(), String> {
        let is_snapshot = record.has(flags::SNAPSHOT);
        let begins = record.action == b'R' || is_snapshot && !self.was_snapshot;
        self.was_snapshot = is_snapshot;
        if begins {
            self.clear();
            (self.state, self.pending) = (State::Good, Pending::Clear);
        } else if self.state != State::Good {
            self.before_snapshot += 1;
            return Ok(());
        }
        self.pending_times = (ts_recv_ns, record.ts_event_ns);
        if record.has(flags::TOB | flags::MBP) {
            return Err("tells of a level (flag TOB or MBP), not of an order: ask Databento for mbp-10".into());
        }
        match record.action {
            b'A' | b'M' => {
                if record.action == b'M' && !self.orders.contains_key(&record.order_id) {
                    self.unknown_orders += 1;
                }
                self.put(record)?;
            }
            b'C' => self.take_off(record)?,
            _ => return Ok(()),
        }
        self.pending = match self.pending {
            Pending::Nothing | Pending::Update => Pending::Update,
            Pending::Clear | Pending::Snapshot => Pending::Snapshot,
        };
        Ok(())
    }

    /// Opens an order, in the place of the one with its id.
    fn put(&mut self, record: &Record) -> Result<(), String> {
        let side = record.side()?.ok_or("an order without a side")?;
        // What a book cannot hold is refused here.
        price(record.price)?;
        if record.size == UNDEFINED_SIZE {
            return Err("an order without a size".into());
        }
        if let Some(before) = self.orders.remove(&record.order_id) {
            self.add((before.side, before.price), -i64::from(before.size))?;
        }
        if record.size == 0 {
            return Ok(());
        }
        if self.orders.len() == self.most {
            return Err(format!("more than {} orders are open", self.most));
        }
        self.orders.insert(record.order_id, Order { side, price: record.price, size: record.size });
        self.add((side, record.price), record.size.into())
    }

    fn take_off(&mut self, record: &Record) -> Result<(), String> {
        if record.size == UNDEFINED_SIZE {
            return Err("a cancel without a size".into());
        }
        let Some(order) = self.orders.get_mut(&record.order_id) else {
            self.unknown_orders += 1;
            return Ok(());
        };
        let Order { side, price, size } = *order;
        let off = record.size.min(size);
        order.size -= off;
        if order.size == 0 {
            self.orders.remove(&record.order_id);
        }
        self.add((side, price), -i64::from(off))
    }

    fn add(&mut self, key: (Side, i64), size: i64) -> Result<(), String> {
        let level = self.levels.entry(key).or_default();
        // A level holds what its orders do.
        level.size = level.size.saturating_add_signed(size);
        if !level.is_touched {
            if self.touched.len() == FRAME_LEVELS_MAX {
                let what = format!("an event touches more than {FRAME_LEVELS_MAX} levels; is the flag LAST missing?");
                return Err(what);
            }
            level.is_touched = true;
            self.touched.push(key);
        }
        Ok(())
    }

    /// Makes a frame of what the event has done.
    fn end_event(&mut self, queue: &mut Queue) -> Result<(), String> {
        let (ts_recv_ns, ts_event_ns) = self.pending_times;
        let kind = match std::mem::take(&mut self.pending) {
            Pending::Nothing => return Ok(()),
            Pending::Clear | Pending::Snapshot => RawKind::Snapshot,
            Pending::Update => RawKind::Update,
        };
        self.found.clear();
        for key in self.touched.drain(..) {
            let Some(level) = self.levels.get_mut(&key) else { continue };
            if level.size != level.told {
                self.found.push(RawLevel { side: key.0, price: price(key.1)?, size: size(level.size) });
            }
            (level.told, level.is_touched) = (level.size, false);
            if level.size == 0 {
                self.levels.remove(&key);
            }
        }
        if kind == RawKind::Snapshot || !self.found.is_empty() {
            queue.push(kind, ts_recv_ns, ts_event_ns).levels.extend_from_slice(&self.found);
        }
        Ok(())
    }
}
