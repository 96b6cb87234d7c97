//! Where a feed's frames go.

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
