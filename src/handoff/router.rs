//! From one feed to several engine threads, each behind a ring of its own.
//!
//! ```
//! use papertrader::handoff::router::Router;
//! use papertrader::handoff::{Wait, handoff};
//! use papertrader::market::event::{FrameHead, FrameKind, UNMEASURED, UNSTAMPED};
//! use papertrader::market::publish::{EngineGone, Publish};
//! use papertrader::market::units::Scale;
//!
//! let head = |product: u8| FrameHead {
//!     kind: FrameKind::Connected,
//!     product,
//!     levels: 0,
//!     scale: Scale::default(),
//!     sequence_num: 0,
//!     ts_recv_ns: 0,
//!     ts_event_ns: 0,
//!     arrived: UNSTAMPED,
//!     received: UNMEASURED,
//!     decoded: UNSTAMPED,
//!     published: UNSTAMPED,
//! };
//! let (rings, mut takers): (Vec<_>, Vec<_>) = (0..2).map(|_| handoff(1 << 10, Wait::Block)).unzip();
//! // Products 0 and 2 go to the first engine, 1 to the second.
//! let mut router = Router::new(rings, &[0, 1, 0]);
//! (0..3).try_for_each(|product| router.publish(&head(product), &[]))?;
//! drop(router);
//! let taken = takers.iter_mut().map(|taker| {
//!     let heads = std::iter::from_fn(|| taker.next_head().inspect(|head| taker.take_levels(head, |_| ())));
//!     heads.map(|head| head.product).collect::<Vec<_>>()
//! });
//! assert_eq!(taken.collect::<Vec<_>>(), [vec![0, 2], vec![1]]);
//! # Ok::<(), EngineGone>(())
//! ```

use super::FramePublisher;
use crate::market::event::{Event, FrameHead, PRODUCTS_MAX};
use crate::market::publish::{EngineGone, Publish};
use std::time::Duration;

/// Puts each frame on the ring of its product's engine.
#[derive(Debug)]
pub struct Router {
    rings: Vec<FramePublisher>,
    /// The ring of each product.
    ring_of: Box<[u8]>,
}

impl Router {
    /// A router to `rings`; `ring_of` says for each product which of them its frames go to.
    pub fn new(rings: Vec<FramePublisher>, ring_of: &[usize]) -> Self {
        assert!(
            ring_of.len() <= PRODUCTS_MAX && ring_of.iter().all(|&ring| ring < rings.len()),
            "each product has a ring"
        );
        // Fewer rings than products.
        Self { rings, ring_of: ring_of.iter().map(|&ring| ring as u8).collect() }
    }

    /// As [`FramePublisher::full_waits`], of all rings.
    pub fn full_waits(&self) -> u64 {
        self.rings.iter().map(FramePublisher::full_waits).sum()
    }

    /// As [`FramePublisher::full_waited`], of all rings.
    pub fn full_waited(&self) -> Duration {
        self.rings.iter().map(FramePublisher::full_waited).sum()
    }

    /// As [`FramePublisher::fault_in`].
    pub fn fault_in(&mut self) {
        self.rings.iter_mut().for_each(FramePublisher::fault_in);
    }
}

impl Publish for Router {
    #[inline]
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        let ring = self.ring_of[usize::from(head.product)];
        self.rings[usize::from(ring)].publish(head, levels)
    }
}
