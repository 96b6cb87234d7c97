//! A row: hftbacktest's `event_dtype`.
//!
//! ```
//! use papertrader::sources::hftbacktest::event::{Bits, HftEvent, Kind};
//!
//! let event = HftEvent { ev: Bits::EXCH | Bits::SELL | 2, exch_ts: 5, local_ts: 7, px: 99.5, qty: 2.0 };
//! assert_eq!((Kind::of(event.ev), event.is_local()), (Kind::Trade, false));
//! ```

use crate::market::units::Side;

/// Bytes of a row.
pub const EVENT_BYTES: usize = 64;

/// The bits of `ev` beside its kind.
pub struct Bits;

impl Bits {
    /// Happens at the exchange.
    pub const EXCH: u64 = 1 << 31;
    /// Is seen by the recorder.
    pub const LOCAL: u64 = 1 << 30;
    /// Of bids, or of a buyer that took.
    pub const BUY: u64 = 1 << 29;
    /// Of asks, or of a seller that took.
    pub const SELL: u64 = 1 << 28;
}

/// What a row tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A level's size.
    Depth,
    /// A trade.
    Trade,
    /// Levels that are gone.
    Clear,
    /// A level of a snapshot.
    Snapshot,
    /// The best bid or offer.
    Best,
    /// Of single orders.
    Order,
    /// None that hftbacktest 2.4 knows.
    Unknown(u8),
}

impl Kind {
    /// Of `ev`.
    pub fn of(ev: u64) -> Self {
        match ev as u8 {
            1 => Self::Depth,
            2 => Self::Trade,
            3 => Self::Clear,
            4 => Self::Snapshot,
            5 => Self::Best,
            10..=13 => Self::Order,
            other => Self::Unknown(other),
        }
    }
}

/// A row, without `order_id`, `ival` and `fval`, which are 0 in books by level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HftEvent {
    /// Kind and [`Bits`].
    pub ev: u64,
    /// The venue's time, Unix nanoseconds; 0 in a file of an opening book.
    pub exch_ts: i64,
    /// The recorder's time, Unix nanoseconds; 0 in a file of an opening book.
    pub local_ts: i64,
    /// Price.
    pub px: f64,
    /// Size.
    pub qty: f64,
}

impl HftEvent {
    /// From a row.
    #[inline]
    pub fn decode(row: &[u8; EVENT_BYTES]) -> Self {
        let (words, _) = row.as_chunks::<8>();
        Self {
            ev: u64::from_le_bytes(words[0]),
            exch_ts: i64::from_le_bytes(words[1]),
            local_ts: i64::from_le_bytes(words[2]),
            px: f64::from_le_bytes(words[3]),
            qty: f64::from_le_bytes(words[4]),
        }
    }

    /// As a row.
    #[inline]
    pub fn encode(&self) -> [u8; EVENT_BYTES] {
        let mut row = [0; EVENT_BYTES];
        let words = [
            self.ev.to_le_bytes(),
            self.exch_ts.to_le_bytes(),
            self.local_ts.to_le_bytes(),
            self.px.to_le_bytes(),
            self.qty.to_le_bytes(),
        ];
        for (to, word) in row.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *to = word;
        }
        row
    }

    /// Whether the recorder saw it.
    pub fn is_local(&self) -> bool {
        self.ev & Bits::LOCAL != 0
    }

    /// Its side; `None` with neither bit.
    ///
    /// # Errors
    /// Both bits.
    pub fn side(&self) -> Result<Option<Side>, String> {
        match (self.ev & Bits::BUY != 0, self.ev & Bits::SELL != 0) {
            (true, false) => Ok(Some(Side::Bid)),
            (false, true) => Ok(Some(Side::Ask)),
            (false, false) => Ok(None),
            (true, true) => Err(format!("ev {:#x} has both sides", self.ev)),
        }
    }
}
