//! hftbacktest's recordings: an npz of its events (hftbacktest 2; `data.npy` in a zip).
//!
//! [`reader`] replays them as hftbacktest's local side sees them, [`writer`] makes them.
//!
//! ```
//! use papertrader::sources::hftbacktest::event::{Bits, EVENT_BYTES, HftEvent};
//!
//! let event = HftEvent { ev: Bits::LOCAL | Bits::BUY | 1, exch_ts: 5, local_ts: 7, px: 99.5, qty: 2.0 };
//! let row: [u8; EVENT_BYTES] = event.encode();
//! assert_eq!(HftEvent::decode(&row), event);
//! ```

pub mod event;
pub mod npy;
pub mod order;
pub mod reader;
pub mod writer;

#[cfg(test)]
mod tests;
