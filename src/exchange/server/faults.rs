//! What can be made to go wrong, and when: fault specifications as a user writes them.
//!
//! A specification reads `KIND[:AMOUNT][@MOMENT|/MOMENT][xTIMES]`.
//!
//! | text | fires |
//! | --- | --- |
//! | `gap@100` | once, at the 100th occasion |
//! | `gap@100x3` | at the 100th, 101st and 102nd |
//! | `gap/500` | at every 500th |
//! | `gap/500x3` | at the 500th, 1,000th and 1,500th |
//! | `stall:250ms@3s` | once, for 250 ms, at the first occasion 3 s or more after the first client connected |
//! | `gap/2s` | at the first occasion 2 s or more after the last time, or after the first client connected |
//! | `gap` | at the first occasion, like `gap@1` |
//! | `random:7/500` | a survivable fault drawn with seed 7 at every 500th frame in the mean |
//! | `random:7/2s` | the same every 2 s in the mean |
//!
//! What an *occasion* is depends on the kind ([`FaultKind::occasion`]). Occasions are counted over the whole exchange and
//! not per connection, so that a client which reconnects after `disconnect@100` gets on. A fault hits every connection
//! that the occasion concerns: a frame's fault all subscribers of its product. Whatever a fault withholds, spoils or adds,
//! the market itself and the exchange's own book go on untouched.
//!
//! ```
//! use papertrader::exchange::faults::{FaultError, FaultKind, FaultSpec, Moment, When};
//! use std::time::Duration;
//!
//! let FaultSpec::Named { fault, when, times } = "stall:250ms@3s".parse()? else { panic!("it has a name") };
//! assert_eq!((fault.kind, fault.duration()), (FaultKind::Stall, Some(Duration::from_millis(250))));
//! assert_eq!(when, When::At(Moment::Time(Duration::from_secs(3))));
//! assert_eq!(times, Some(1));
//! assert!(matches!("flood".parse::<FaultSpec>(), Err(FaultError::UnknownKind { .. })));
//! # Ok::<(), FaultError>(())
//! ```

mod kind;
mod spec;

pub use kind::{FaultKind, Occasion};
pub use spec::{Amount, Fault, FaultError, FaultSpec, Moment, When};
