//! What a row is scored against: what the mid does after it, by a rule that everything shares.
//!
//! ```
//! use papertrader::statistics::labels::{DoubleMid, Labeller, LabelRule};
//!
//! // Whether the mid is higher three updates later.
//! let rule: LabelRule = "mid:3".parse()?;
//! let mut labels = Labeller::new(rule);
//! for (sequence, ticks) in [200, 202, 202, 204, 200].into_iter().enumerate() {
//!     labels.frame(sequence as u64, 0, Some(DoubleMid { ticks, price_decimals: 2 }));
//!     labels.row();
//! }
//! let label = labels.next_known().expect("three updates have come");
//! assert_eq!((label.change.map(|change| (change.sign, change.ticks)), label.until), (Some((1, 2.0)), 3));
//! # Ok::<(), papertrader::statistics::labels::LabelRuleError>(())
//! ```

mod labeller;
mod mids;
mod rule;
mod ties;

pub use labeller::{Label, Labeller};
pub use mids::{Change, DoubleMid};
pub use rule::{Distance, HORIZON_MAX, HORIZON_NS_MAX, Horizon, LabelKind, LabelRule, LabelRuleError};
pub use ties::{Ties, Weight};
