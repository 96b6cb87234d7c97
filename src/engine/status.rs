//! What the hot threads let others see while they run: a few words, written without waiting and read now and then.
//!
//! ```
//! use papertrader::engine::status::Status;
//! use papertrader::market::event::Fault;
//!
//! let status = Status::default();
//! status.inferred(0.25);
//! assert_eq!((status.read().logit, status.read().frames), (0.25, 0));
//!
//! status.engine_found(Fault::TooManyLevels, 2);
//! assert_eq!(status.take_engine_fault(2), Some(Fault::TooManyLevels));
//! assert_eq!(status.take_engine_fault(2), None);
//! // Found late, in the book of a connection that has ended.
//! status.engine_found(Fault::TooManyLevels, 2);
//! assert_eq!(status.take_engine_fault(3), None);
//!
//! status.stop();
//! assert!(status.stopping());
//! ```

use crate::market::book::{Book, BookState};
use crate::market::event::Fault;
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Written by the engine thread alone.
#[derive(Debug, Default)]
struct EngineWords {
    frames: AtomicU64,
    trades: AtomicU64,
    profit: AtomicU64,
    open_positions: AtomicU64,
    best_bid_ticks: AtomicU64,
    best_ask_ticks: AtomicU64,
    price_decimals: AtomicU8,
    state: AtomicU8,
    has_been_live: AtomicBool,
    logit: AtomicU64,
    /// The last fault that the engine found: its number plus 1 in the lowest byte, the connection above.
    fault: AtomicU64,
}

/// Written by a live feed's thread alone.
#[derive(Debug, Default)]
struct FeedWords {
    connections: AtomicU64,
    reconnects: AtomicU64,
    connected: AtomicBool,
}

/// Written by the writer thread alone.
#[derive(Debug, Default)]
struct WriterWords {
    p50_ns: AtomicU64,
    p99_ns: AtomicU64,
    out_of_depth: AtomicBool,
}

/// Shared words. Each is relaxed: a reader sees recent values, not a consistent set.
#[derive(Debug, Default)]
pub struct Status {
    engine: CachePadded<EngineWords>,
    feed: CachePadded<FeedWords>,
    writer: CachePadded<WriterWords>,
    /// One for all products.
    stop: Arc<CachePadded<AtomicBool>>,
    /// Of the session's further products, by their index less 1: what their engines and writers write. Connections are the first
    /// one's.
    further: Vec<Arc<Status>>,
}

/// A reading of the [`Status`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Frames of the book so far.
    pub frames: u64,
    /// Closed trades, of all traders.
    pub trades: u64,
    /// Gross profit in quote currency, added up in the order of closing.
    pub profit: f64,
    /// Open positions.
    pub open_positions: u64,
    /// Best bid and ask in quote units, when both are there.
    pub best: Option<(f64, f64)>,
    /// The book's state.
    pub state: BookState,
    /// The last evaluation's logit, whichever trader's.
    pub logit: f64,
    /// Connections made by a live feed.
    pub connections: u64,
    /// Those of them that took another's place.
    pub reconnects: u64,
    /// Whether a live feed is connected.
    pub connected: bool,
    /// Median and 99th percentile of the whole way to the decision so far, nanoseconds; `None` before anything was measured.
    pub latency_p50_p99_ns: Option<(u64, u64)>,
    /// Whether the model has been out of its depth at some time.
    pub out_of_depth: bool,
}

impl Status {
    /// Of a session of so many products: its first product's, with the others behind it.
    pub fn of_products(count: usize) -> Self {
        let first = Self::default();
        let further = (1..count).map(|_| Arc::new(Self { stop: Arc::clone(&first.stop), ..Self::default() })).collect();
        Self { further, ..first }
    }

    /// The status of a product by its index.
    pub fn of(self: &Arc<Self>, product: usize) -> &Arc<Self> {
        match product.checked_sub(1) {
            None => self,
            Some(further) => &self.further[further],
        }
    }

    /// All products', the first one's first.
    pub fn products(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.further.iter().map(|status| &**status))
    }

    /// Asks the hot threads to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The same as a flag, for what waits on one.
    pub fn stop_flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// Whether somebody asked the hot threads to end.
    #[inline]
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The model is out of its depth by what the writer thread has gathered.
    pub fn went_out_of_depth(&self) {
        self.writer.out_of_depth.store(true, Ordering::Relaxed);
    }

    /// The engine's state after a frame.
    #[inline]
    pub fn publish(&self, book: &Book, frames: u64) {
        let words = &*self.engine;
        let (bid, ask) = book.best().map_or((0, 0), |(bid, ask)| (bid.price_ticks, ask.price_ticks));
        words.frames.store(frames, Ordering::Relaxed);
        words.best_bid_ticks.store(bid, Ordering::Relaxed);
        words.best_ask_ticks.store(ask, Ordering::Relaxed);
        words.price_decimals.store(book.scale().price_decimals, Ordering::Relaxed);
        words.state.store(book.state() as u8, Ordering::Relaxed);
    }

    /// A trader opened a position.
    #[inline]
    pub fn opened(&self) {
        add(&self.engine.open_positions, 1);
    }

    /// A trader closed a position at this profit.
    #[inline]
    pub fn closed(&self, profit: f64) {
        let words = &*self.engine;
        add(&words.open_positions, 1_u64.wrapping_neg());
        add(&words.trades, 1);
        let sum = f64::from_bits(words.profit.load(Ordering::Relaxed)) + profit;
        words.profit.store(sum.to_bits(), Ordering::Relaxed);
    }

    /// Frames of the book that the engine has taken.
    #[inline]
    pub fn frames(&self) -> u64 {
        self.engine.frames.load(Ordering::Relaxed)
    }

    /// The last evaluation's logit.
    #[inline]
    pub fn inferred(&self, logit: f64) {
        self.engine.logit.store(logit.to_bits(), Ordering::Relaxed);
    }

    /// The book has become live.
    pub fn went_live(&self) {
        self.engine.has_been_live.store(true, Ordering::Release);
    }

    /// Whether the book ever was live.
    pub fn has_been_live(&self) -> bool {
        self.engine.has_been_live.load(Ordering::Acquire)
    }

    /// A live feed's connections so far, those of them that took another's place, and whether it has all that it should.
    pub fn connected(&self, connections: u64, reconnects: u64, connected: bool) {
        self.feed.connections.store(connections, Ordering::Relaxed);
        self.feed.reconnects.store(reconnects, Ordering::Relaxed);
        self.feed.connected.store(connected, Ordering::Relaxed);
    }

    /// The latency so far, once there is any; 0 ns means none.
    pub fn latency(&self, p50_ns: u64, p99_ns: u64) {
        self.writer.p50_ns.store(p50_ns, Ordering::Relaxed);
        self.writer.p99_ns.store(p99_ns, Ordering::Relaxed);
    }

    /// A fault that the engine, not the feed, found in the book of a connection, counted from 1: the feed must get a new
    /// snapshot.
    #[cold]
    pub fn engine_found(&self, fault: Fault, connection: u64) {
        self.engine.fault.store(connection << 8 | (fault as u64 + 1), Ordering::Relaxed);
    }

    /// Takes the last fault that the engine found, if it is one of this connection's book: what was found late in the book of an
    /// earlier one has been seen to.
    #[inline]
    pub fn take_engine_fault(&self, connection: u64) -> Option<Fault> {
        if self.engine.fault.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let found = self.engine.fault.swap(0, Ordering::Relaxed);
        let fault = Fault::ALL.get((found as usize & 0xff).wrapping_sub(1)).copied();
        fault.filter(|_| found >> 8 == connection)
    }

    /// Frames, trades, profits and positions of all products together; the rest is the first one's, the greater latencies, and
    /// whether any model is out of its depth.
    pub fn read_together(&self) -> Reading {
        let mut together = self.read();
        for further in self.further.iter().map(|status| status.read()) {
            together.frames += further.frames;
            together.trades += further.trades;
            together.profit += further.profit;
            together.open_positions += further.open_positions;
            together.latency_p50_p99_ns = together.latency_p50_p99_ns.max(further.latency_p50_p99_ns);
            together.out_of_depth |= further.out_of_depth;
        }
        together
    }

    /// What the words say now.
    pub fn read(&self) -> Reading {
        let words = &*self.engine;
        let (bid, ask) = (words.best_bid_ticks.load(Ordering::Relaxed), words.best_ask_ticks.load(Ordering::Relaxed));
        let unit = 10_f64.powi(i32::from(words.price_decimals.load(Ordering::Relaxed)));
        Reading {
            frames: words.frames.load(Ordering::Relaxed),
            trades: words.trades.load(Ordering::Relaxed),
            profit: f64::from_bits(words.profit.load(Ordering::Relaxed)),
            open_positions: words.open_positions.load(Ordering::Relaxed),
            best: (bid > 0 && ask > 0).then(|| (bid as f64 / unit, ask as f64 / unit)),
            state: BookState::ALL[usize::from(words.state.load(Ordering::Relaxed)) % BookState::ALL.len()],
            logit: f64::from_bits(words.logit.load(Ordering::Relaxed)),
            connections: self.feed.connections.load(Ordering::Relaxed),
            reconnects: self.feed.reconnects.load(Ordering::Relaxed),
            connected: self.feed.connected.load(Ordering::Relaxed),
            out_of_depth: self.writer.out_of_depth.load(Ordering::Relaxed),
            latency_p50_p99_ns: Some((
                self.writer.p50_ns.load(Ordering::Relaxed),
                self.writer.p99_ns.load(Ordering::Relaxed),
            ))
            .filter(|(_, p99_ns)| *p99_ns > 0),
        }
    }
}

/// Adds to a word that this thread alone writes.
#[inline]
fn add(word: &AtomicU64, count: u64) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_have_words_of_their_own() {
        let status = Arc::new(Status::of_products(3));
        for (product, profit) in [1.0, 10.0, 100.0].into_iter().enumerate() {
            status.of(product).opened();
            status.of(product).opened();
            status.of(product).closed(profit);
        }
        status.of(1).latency(20, 30);
        status.of(2).latency(10, 90);
        status.of(1).went_out_of_depth();
        status.of(2).engine_found(Fault::StaysCrossed, 1);
        status.connected(3, 1, true);
        let together = status.read_together();
        assert_eq!((together.trades, together.open_positions, together.profit), (3, 3, 111.0));
        assert_eq!((together.latency_p50_p99_ns, together.out_of_depth), (Some((20, 30)), true));
        assert_eq!(status.read().profit, 1.0);
        assert_eq!((together.connections, together.reconnects, together.connected), (3, 1, true));
        let found: Vec<_> = status.products().map(|status| status.take_engine_fault(1)).collect();
        assert_eq!(found, [None, None, Some(Fault::StaysCrossed)]);
        status.of(2).stop();
        assert!(status.products().all(Status::stopping));
    }
}
