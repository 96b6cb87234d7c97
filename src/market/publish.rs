//! Where a feed's frames go.
//!
//! A feed publishes to whatever takes frames. This one counts levels:
//!
//! ```
//! use papertrader::base::clock::Clock;
//! use papertrader::feed::intake::{Arrival, Intake, ScaleRule};
//! use papertrader::market::event::{Event, FrameHead, UNMEASURED, UNSTAMPED};
//! use papertrader::market::publish::{EngineGone, Publish};
//!
//! struct LevelCount(usize);
//!
//! impl Publish for LevelCount {
//!     fn publish(&mut self, _: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
//!         self.0 += levels.len();
//!         Ok(())
//!     }
//! }
//!
//! let message = br#"{"channel":"l2_data","timestamp":"2024-08-09T00:00:00Z","sequence_num":0,"events":[
//!     {"type":"snapshot","product_id":"BTC-USD","updates":[
//!     {"side":"bid","price_level":"61830.17","new_quantity":"0.5"}]}]}"#;
//! let mut intake = Intake::new("BTC-USD", ScaleRule::default(), Clock::new());
//! let arrival = Arrival { ts_recv_ns: 0, arrived: None, received: UNMEASURED, decoded: UNSTAMPED };
//! let mut count = LevelCount(0);
//! intake.take(message, &arrival, &mut count)?;
//! assert_eq!(count.0, 1);
//! # Ok::<(), EngineGone>(())
//! ```

use super::event::{Event, FrameHead};

/// Where frames go: the ring to the engine's thread, or the engine itself.
pub trait Publish {
    /// Hands over a frame whole.
    ///
    /// # Errors
    /// Nobody takes frames any more.
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone>;
}

/// The engine has ended and takes no more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended")]
pub struct EngineGone;
