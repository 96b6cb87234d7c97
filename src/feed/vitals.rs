//! Whether a connection is alive: what has come over it, and what is overdue.
//!
//! ```
//! use papertrader::feed::vitals::Patience;
//! use std::time::Duration;
//!
//! // A product that trades rarely may be silent for longer.
//! let patience = Patience { stale_after: Duration::from_secs(600), ..Patience::default() };
//! assert!(patience.heartbeat < patience.snapshot && patience.snapshot < patience.stale_after);
//! ```

use crate::base::clock::Clock;
use crate::market::event::Fault;
use std::time::Duration;

/// How long the session waits before it gives a connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the subscription to the snapshot, and to its acknowledgement.
    pub snapshot: Duration,
    /// From heartbeat to heartbeat; the venue sends one a second.
    pub heartbeat: Duration,
    /// Without any byte.
    pub bytes: Duration,
    /// Without a frame of the product although heartbeats come.
    pub stale_after: Duration,
    /// For one message, while its bytes keep coming. Nothing else is overdue meanwhile: what else the venue sends waits behind
    /// it. The largest snapshots, some 5 MB, take this long at 28 kB/s.
    pub message: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            snapshot: Duration::from_secs(10),
            heartbeat: Duration::from_secs(5),
            bytes: Duration::from_secs(10),
            stale_after: Duration::from_secs(30),
            message: Duration::from_secs(180),
        }
    }
}

/// What has come over the connection in hand, and when, in stamps.
#[derive(Debug)]
pub(super) struct Vitals {
    pub heartbeat: u64,
    pub products: Vec<ProductVitals>,
    /// When the message began that is under way.
    message: Option<u64>,
}

/// What has come of one product.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProductVitals {
    /// When its book was subscribed to last.
    pub subscribed: u64,
    pub acknowledged: bool,
    /// The last frame.
    pub frame: u64,
    /// Whether its book has been subscribed to again on this connection.
    pub again: bool,
}

/// What the feed knows of a product's book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Whether it is as the venue has it.
    pub synced: bool,
    /// The stamp of its last frame.
    pub frame: u64,
    /// Whether it is to be subscribed to again, so that nothing is due yet.
    pub waits: bool,
}

/// Something that should have come.
#[derive(Debug)]
pub(super) struct Overdue {
    /// The product that it is of, if of one alone.
    pub product: Option<usize>,
    pub fault: Fault,
    /// In words.
    pub text: String,
}

/// What the wire has received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The stamp of the last byte.
    pub last_byte: u64,
    /// Bytes of a message that is not whole yet.
    pub bytes_under_way: u64,
}

impl Vitals {
    /// Of a connection over which the subscription to so many products went just now.
    pub fn new(now: u64, products: usize) -> Self {
        let product = ProductVitals { subscribed: now, acknowledged: false, frame: now, again: false };
        Self { heartbeat: now, products: vec![product; products], message: None }
    }

    /// A product's book was subscribed to again just now.
    pub fn subscribed_again(&mut self, product: usize, now: u64) {
        let vitals = &mut self.products[product];
        *vitals = ProductVitals { subscribed: now, frame: now, again: true, ..*vitals };
    }

    /// What is overdue, if anything is. `known` says what the feed knows of each product.
    pub fn overdue(
        &mut self,
        patience: &Patience,
        clock: &Clock,
        known: impl Fn(usize) -> Known,
        progress: Progress,
    ) -> Option<Overdue> {
        let now = clock.stamp();
        let late = |since: u64, limit: Duration| Duration::from_nanos(clock.between_ns(since, now)) > limit;
        let of_all = |fault, text| Some(Overdue { product: None, fault, text });
        if late(progress.last_byte, patience.bytes) {
            return of_all(Fault::NoBytes, format!("no bytes for {:?}", patience.bytes));
        }
        if progress.bytes_under_way > 0 {
            let began = *self.message.get_or_insert(now);
            if !late(began, patience.message) {
                return None;
            }
            let (bytes, limit) = (progress.bytes_under_way, patience.message);
            let text = format!("{bytes} bytes of a message in {limit:?}, and it is not whole: the link is too slow");
            let synced = (0..self.products.len()).all(|product| known(product).synced);
            return of_all(if synced { Fault::StaleProduct } else { Fault::NoSnapshot }, text);
        }
        if let Some(began) = self.message.take() {
            // What waited behind the message has as long as before.
            let took = now.saturating_sub(began);
            let products = self.products.iter_mut().flat_map(|product| [&mut product.subscribed, &mut product.frame]);
            for since in products.chain([&mut self.heartbeat]) {
                *since = now.min(*since + took);
            }
        }
        if late(self.heartbeat, patience.heartbeat) {
            return of_all(Fault::NoHeartbeat, format!("no heartbeat for {:?}", patience.heartbeat));
        }
        for (product, vitals) in self.products.iter_mut().enumerate() {
            let Known { synced, frame, waits } = known(product);
            vitals.frame = vitals.frame.max(frame);
            let found = if waits {
                None
            } else if !synced && late(vitals.subscribed, patience.snapshot) {
                Some(vitals.no_snapshot(patience.snapshot))
            } else if synced && late(vitals.frame, patience.stale_after) {
                Some((Fault::StaleProduct, format!("no frame of the product for {:?}", patience.stale_after)))
            } else {
                None
            };
            if let Some((fault, text)) = found {
                return Some(Overdue { product: Some(product), fault, text });
            }
        }
        None
    }
}

impl ProductVitals {
    fn no_snapshot(&self, limit: Duration) -> (Fault, String) {
        if self.acknowledged {
            (Fault::NoSnapshot, format!("no snapshot {limit:?} after subscribing"))
        } else {
            let text = format!("neither an acknowledgement of the book nor a snapshot {limit:?} after subscribing");
            (Fault::SubscriptionRefused, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn patience() -> Patience {
        Patience { snapshot: 60 * MS, heartbeat: 30 * MS, bytes: 40 * MS, stale_after: 90 * MS, message: 200 * MS }
    }

    /// What is overdue after so many ms, while bytes come each ms and belong to a message between two moments.
    fn overdue(synced: bool, message_ms: std::ops::Range<u64>, heartbeats_until_ms: u64) -> (u64, Fault, String) {
        let clock = Clock::new();
        let start = clock.stamp();
        let mut vitals = Vitals::new(start, 1);
        let mut last_ms = 0;
        loop {
            let now = clock.stamp();
            let ms = clock.between_ns(start, now) / 1_000_000;
            if ms > 2 && ms == last_ms {
                std::thread::sleep(MS / 4);
                continue;
            }
            last_ms = ms;
            let under_way = message_ms.contains(&ms);
            if !under_way && ms < heartbeats_until_ms {
                vitals.heartbeat = now;
            }
            let progress = Progress { last_byte: now, bytes_under_way: if under_way { ms + 1 } else { 0 } };
            let known = |_| Known { synced, frame: 0, waits: false };
            if let Some(Overdue { fault, text, .. }) = vitals.overdue(&patience(), &clock, known, progress) {
                return (ms, fault, text);
            }
        }
    }

    #[test]
    fn a_message_that_takes_long_is_waited_for() {
        // The heartbeat is due 30 ms after the message, not within it.
        let (ms, fault, _) = overdue(true, 5..150, 0);
        assert!(ms >= 150 && fault == Fault::NoHeartbeat, "{fault:?} after {ms} ms");
        let (ms, fault, text) = overdue(false, 5..10_000, 0);
        assert!(ms >= 200 && fault == Fault::NoSnapshot, "{fault:?} after {ms} ms");
        assert!(text.ends_with(" bytes of a message in 200ms, and it is not whole: the link is too slow"), "{text}");
        // The snapshot, too, has as long as before.
        let (ms, fault, text) = overdue(false, 5..100, 10_000);
        assert!(ms > 100 && fault == Fault::SubscriptionRefused, "{fault:?} after {ms} ms: {text}");
    }

    #[test]
    fn a_quiet_connection_is_overdue_by_its_first_limit() {
        let (_, fault, text) = overdue(true, 0..0, 0);
        assert_eq!((fault, text.as_str()), (Fault::NoHeartbeat, "no heartbeat for 30ms"));
        let (ms, fault, text) = overdue(true, 0..0, 10_000);
        assert_eq!((fault, text.as_str()), (Fault::StaleProduct, "no frame of the product for 90ms"));
        assert!(ms >= 90);
    }

    #[test]
    fn products_are_watched_one_by_one() {
        let clock = Clock::new();
        let start = clock.stamp();
        let mut vitals = Vitals::new(start, 3);
        vitals.products[2].acknowledged = true;
        // The first has frames, the second is silent, the third has no snapshot, and then asks for it again.
        let (mut found, mut waits) = (Vec::new(), true);
        while found.len() < 3 {
            let now = clock.stamp();
            vitals.heartbeat = now;
            let frame = |product| if product == 0 { now } else { start };
            let known = |product| Known { synced: product < 2, frame: frame(product), waits: product == 2 && waits };
            let progress = Progress { last_byte: now, bytes_under_way: 0 };
            let overdue = vitals.overdue(&patience(), &clock, known, progress);
            let ms = clock.between_ns(start, now) / 1_000_000;
            // Until it waits no more.
            waits = ms < 70;
            let Some(overdue) = overdue else { continue };
            let product = overdue.product.expect("one product's");
            assert!(ms >= 69 + 60 * u64::from(vitals.products[product].again), "{ms} ms: {overdue:?}");
            vitals.subscribed_again(product, now);
            found.push((product, overdue.fault));
        }
        assert_eq!(found[..2], [(2, Fault::NoSnapshot), (1, Fault::StaleProduct)]);
        assert_eq!(found[2], (2, Fault::NoSnapshot));
    }
}
