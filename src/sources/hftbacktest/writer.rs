//! Writes hftbacktest's events by its rules: what the venue did and what the recorder saw, each in the order of its time.
//!
//! A row that both see in the same place stands once, with both flags (EXCH and LOCAL); a trade that is told late stands twice, see
//! [`super::order`]. The venue's times of the book may not go back, and none may be after the recorder's: one that breaks this is moved
//! to the nearest one that does not, and counted. A frame whose time of receipt is not after the one before gets the next nanosecond:
//! rows of one time would become one frame. A snapshot is one clear of both sides and then its levels. hftbacktest knows no lost
//! books: the next snapshot begins again.
//!
//! ```
//! use papertrader::market::units::Side;
//! use papertrader::sources::hftbacktest::reader::NpzReader;
//! use papertrader::sources::hftbacktest::writer::{NpzWriter, Times};
//! use papertrader::sources::{FrameReader, RawFrame, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.npz");
//! let mut writer = NpzWriter::create(&path, false)?;
//! let times = Times { ts_recv_ns: 1_723_161_257_000_000_000, ts_event_ns: 0 };
//! writer.snapshot(times, [(Side::Bid, 99.5, 2.0), (Side::Ask, 100.0, 1.0)])?;
//! assert_eq!(writer.finish()?.rows, 3);
//! let mut reader = NpzReader::open(&path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! assert!(reader.next(&mut frame)?);
//! assert_eq!(frame.levels[0].price.to_string(), "99.5");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::event::{Bits, HftEvent, Kind};
use super::npy::LAYOUT;
use super::order::TwoOrders;
use crate::base::npz::NpzArray;
use crate::base::output::OutputError;
use crate::market::units::Side;
use crate::sources::number::Number;
use std::io;
use std::path::Path;

/// The times of a frame, Unix nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was received.
    pub ts_recv_ns: i64,
    /// The venue's time of it; 0 where there is none.
    pub ts_event_ns: i64,
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade {
    /// The side from which the taker came.
    pub aggressor: Side,
    /// Price.
    pub px: f64,
    /// Size.
    pub qty: f64,
    /// The venue's time of it, Unix nanoseconds; 0 where there is none.
    pub ts_event_ns: i64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows, of which some may stand twice.
    pub rows: u64,
    /// Rows whose venue's time was moved.
    pub moved: u64,
    /// The furthest of these moves.
    pub moved_ns_max: u64,
}

/// A file on its way.
pub struct NpzWriter {
    array: NpzArray,
    written: Written,
    orders: TwoOrders,
    last_local_ns: i64,
    /// The venue's time of the book.
    last_book_ns: i64,
}

/// A decimal's nearest float.
pub fn float(count: u64, decimals: u8) -> f64 {
    const EXACT_MAX: u64 = 1 << f64::MANTISSA_DIGITS;
    match count <= EXACT_MAX {
        // Both are exact (powers of ten up to 22), so that one division rounds once.
        true => count as f64 / 10_f64.powi(i32::from(decimals)),
        false => format!("{count}e-{decimals}").parse().unwrap_or(f64::NAN),
    }
}

/// Whether a decimal reads back from its nearest float, as all of fifteen digits do.
pub fn survives_float(count: u64, decimals: u8) -> bool {
    const SURE_MAX: u64 = 999_999_999_999_999;
    count <= SURE_MAX
        || Number::from_f64(float(count, decimals), Some(decimals), &mut 0).ok() == Number::new(count, decimals)
}

fn bit(side: Side) -> u64 {
    if side == Side::Bid { Bits::BUY } else { Bits::SELL }
}

impl NpzWriter {
    /// Begins a file that will be at `path`.
    ///
    /// # Errors
    /// As for [`NpzArray::create`].
    pub fn create(path: &Path, force: bool) -> Result<Self, OutputError> {
        let array = NpzArray::create(path, force, LAYOUT)?;
        let (written, orders) = (Written::default(), TwoOrders::default());
        Ok(Self { array, written, orders, last_local_ns: i64::MIN, last_book_ns: i64::MIN })
    }

    /// The time of receipt of the next frame.
    fn begin(&mut self, times: Times) -> i64 {
        self.last_local_ns = times.ts_recv_ns.max(self.last_local_ns.saturating_add(1));
        self.last_local_ns
    }

    fn row(&mut self, ev: u64, ts_event_ns: i64, px: f64, qty: f64) -> io::Result<()> {
        let local_ts = self.last_local_ns;
        let wanted = if ts_event_ns == 0 { local_ts } else { ts_event_ns };
        let is_trade = Kind::of(ev) == Kind::Trade;
        let earliest = if is_trade { i64::MIN } else { self.last_book_ns };
        let exch_ts = self.orders.push(HftEvent { ev, exch_ts: wanted.max(earliest).min(local_ts), local_ts, px, qty });
        if !is_trade {
            self.last_book_ns = exch_ts;
        }
        if ts_event_ns != 0 && exch_ts != wanted {
            self.written.moved += 1;
            self.written.moved_ns_max = self.written.moved_ns_max.max(exch_ts.abs_diff(wanted));
        }
        let Self { orders, array, written, .. } = self;
        orders.drain(|row| {
            written.rows += 1;
            array.row(&row.encode())
        })
    }

    /// Writes a book that replaces the one before.
    ///
    /// # Errors
    /// The disk is full.
    pub fn snapshot(
        &mut self,
        times: Times,
        levels: impl IntoIterator<Item = (Side, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.begin(times);
        let mut written = self.row(3, times.ts_event_ns, 0.0, 0.0);
        for (side, px, qty) in levels {
            if qty > 0.0 {
                written = written.and_then(|()| self.row(4 | bit(side), times.ts_event_ns, px, qty));
            }
        }
        written.map_err(OutputError::at(self.array.path()))
    }

    /// Writes levels that change; size 0 removes one.
    ///
    /// # Errors
    /// The disk is full.
    pub fn update(
        &mut self,
        times: Times,
        levels: impl IntoIterator<Item = (Side, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.begin(times);
        let mut levels = levels.into_iter();
        levels
            .try_for_each(|(side, px, qty)| self.row(1 | bit(side), times.ts_event_ns, px, qty))
            .map_err(OutputError::at(self.array.path()))
    }

    /// Writes trades.
    ///
    /// # Errors
    /// The disk is full.
    pub fn trades(&mut self, times: Times, trades: impl IntoIterator<Item = Trade>) -> Result<(), OutputError> {
        self.begin(times);
        let mut trades = trades.into_iter();
        trades
            .try_for_each(|trade| self.row(2 | bit(trade.aggressor), trade.ts_event_ns, trade.px, trade.qty))
            .map_err(OutputError::at(self.array.path()))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// The disk is full, or something has come to its place meanwhile.
    pub fn finish(self) -> Result<Written, OutputError> {
        let Self { mut array, mut written, orders, .. } = self;
        let mut rest = Ok(());
        orders.finish(|row| {
            written.rows += 1;
            if rest.is_ok() {
                rest = array.row(&row.encode());
            }
        });
        rest.map_err(OutputError::at(array.path()))?;
        array.finish()?;
        Ok(written)
    }
}
