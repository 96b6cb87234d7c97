//! From a decision to money: what decides ([`rules`]), what fills ([`fill`]), what counts money ([`ledger`], [`fees`]), and
//! the executions that put them together ([`original`]).
//!
//! ```
//! use papertrader::execution::Execution;
//! use papertrader::execution::original::Original;
//! use papertrader::execution::rules::OriginalRules;
//!
//! let rules = OriginalRules { threshold_logit: 0.4, lag_updates: 20, buy_amount: 100.0 };
//! let execution = Execution::Original(Original::new(rules));
//! assert!(execution.wants(0.4) && !execution.wants(0.3));
//! assert_eq!((execution.open_positions(), execution.totals().trades), (0, 0));
//! ```

pub mod account;
pub mod contract;
pub mod depletion;
pub mod desk;
pub mod fees;
pub mod fill;
pub mod hold_back;
pub mod latency;
pub mod ledger;
mod markouts;
pub mod matching;
pub mod original;
pub mod records;
pub mod rules;
mod walk;

use ledger::{Moment, Totals, Trade};
use original::Original;

use crate::market::book::Book;

/// An execution of a trader's decisions, by its kind.
#[derive(Debug)]
pub enum Execution {
    /// The original program's.
    Original(Original),
}

impl Execution {
    /// Closes what is due by the frame `now` in `book`, the live book before that frame, and tells of each trade.
    #[inline(always)]
    pub fn close_due(&mut self, now: Moment, book: &Book, closed: impl FnMut(Trade)) {
        match self {
            Self::Original(original) => original.sell_due(now, book, closed),
        }
    }

    /// Whether a logit asks for an order.
    #[inline]
    pub fn wants(&self, logit: f64) -> bool {
        match self {
            Self::Original(original) => original.rules().wants(logit),
        }
    }

    /// Opens a position in the frame `now` in `book`, the live book after that frame. False if nothing could be filled.
    #[inline]
    pub fn open(&mut self, now: Moment, logit: f64, book: &Book) -> bool {
        match self {
            Self::Original(original) => original.buy(now, logit, book),
        }
    }

    /// Sums over all closed trades.
    #[inline]
    pub fn totals(&self) -> &Totals {
        match self {
            Self::Original(original) => original.totals(),
        }
    }

    /// Positions still open.
    #[inline]
    pub fn open_positions(&self) -> usize {
        match self {
            Self::Original(original) => original.open().len(),
        }
    }

    /// Orders not filled because nobody sold.
    pub fn empty_asks(&self) -> u64 {
        match self {
            Self::Original(original) => original.empty_asks(),
        }
    }

    /// What the open positions cost, and what they would bring in `book`.
    pub fn mark(&self, book: &Book) -> (f64, f64) {
        match self {
            Self::Original(original) => original.mark(book),
        }
    }
}
