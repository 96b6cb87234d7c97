//! What an account has taken from levels that the venue has not named since.
//!
//! ```
//! use papertrader::execution::depletion::Depletion;
//! use papertrader::market::event::Event;
//! use papertrader::market::units::Side::Ask;
//!
//! let mut taken = Depletion::default();
//! taken.take(Ask, 100, 3.0);
//! taken.take(Ask, 100, 1.0);
//! assert_eq!(taken.lots(Ask, 100), 4.0);
//! // The venue says what the level shows now, the account's own lots never having been there.
//! taken.named(&[Event::level(Ask, 100, 9)]);
//! assert!(taken.is_empty());
//! ```

use crate::market::event::Event;
use crate::market::units::Side;

/// The most levels that are remembered. An order that would take from more takes from no further one.
pub const LEVELS_MAX: usize = 1 << 14;

#[derive(Clone, Copy, Debug)]
struct Taken {
    price_ticks: u64,
    lots: f64,
}

/// Lots taken, level by level. Both sides by rising price.
#[derive(Debug)]
pub struct Depletion {
    bids: Vec<Taken>,
    asks: Vec<Taken>,
}

impl Default for Depletion {
    fn default() -> Self {
        Self { bids: Vec::with_capacity(LEVELS_MAX), asks: Vec::with_capacity(LEVELS_MAX) }
    }
}

impl Depletion {
    fn side(&mut self, side: Side) -> &mut Vec<Taken> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Whether nothing is remembered.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// How many further levels of a side can be remembered.
    pub fn room(&self, side: Side) -> usize {
        LEVELS_MAX.saturating_sub(match side {
            Side::Bid => self.bids.len(),
            Side::Ask => self.asks.len(),
        })
    }

    /// Lots taken from a level.
    #[inline]
    pub fn lots(&self, side: Side, price_ticks: u64) -> f64 {
        let side = match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        };
        side.binary_search_by_key(&price_ticks, |taken| taken.price_ticks).map_or(0.0, |at| side[at].lots)
    }

    /// Takes lots from a level.
    pub fn take(&mut self, side: Side, price_ticks: u64, lots: f64) {
        let side = self.side(side);
        match side.binary_search_by_key(&price_ticks, |taken| taken.price_ticks) {
            Ok(at) => side[at].lots += lots,
            Err(at) => side.insert(at, Taken { price_ticks, lots }),
        }
    }

    /// The venue names levels: what was taken from them is forgotten.
    #[inline]
    pub fn named(&mut self, levels: &[Event]) {
        for level in levels {
            let (side, price_ticks) = (self.side(level.side()), level.price_ticks());
            let [Some(first), Some(last)] = [side.first(), side.last()] else { continue };
            if (first.price_ticks..=last.price_ticks).contains(&price_ticks)
                && let Ok(at) = side.binary_search_by_key(&price_ticks, |taken| taken.price_ticks)
            {
                side.remove(at);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// A scale finer by so much.
    pub fn rescale(&mut self, ticks_times: u64, lots_times: u64) {
        for taken in self.bids.iter_mut().chain(&mut self.asks) {
            taken.price_ticks = taken.price_ticks.saturating_mul(ticks_times);
            taken.lots *= lots_times as f64;
        }
    }
}
