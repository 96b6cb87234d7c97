//! Prints as they come through a ring: events in any number of slices, cut anywhere.
//!
//! ```
//! use papertrader::market::event::Print;
//! use papertrader::market::prints::PrintReader;
//! use papertrader::market::units::Side;
//!
//! let print = Print { aggressor: Side::Bid, price_ticks: 100, size_lots: 5, trade_id: 7, ts_event_ns: 9 };
//! let events = [print.encode(), print.encode()].concat();
//! let (mut reader, mut read) = (PrintReader::default(), Vec::new());
//! reader.read(&events[..3], |print| read.push(print));
//! assert_eq!(read.len(), 1);
//! reader.read(&events[3..], |print| read.push(print));
//! assert_eq!(read, [print, print]);
//! ```

use super::event::{Event, PRINT_EVENTS, Print};

const _: () = assert!(PRINT_EVENTS == 2, "one event of a cut print waits for its other");

/// Puts prints together from slices of events.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrintReader {
    /// The first half of a print that was cut. `None` between frames.
    first: Option<Event>,
}

impl PrintReader {
    /// Gives the prints that are whole, in order.
    #[inline]
    pub fn read(&mut self, mut events: &[Event], mut each: impl FnMut(Print)) {
        if let (Some(first), Some((&second, rest))) = (self.first, events.split_first()) {
            self.first = None;
            each(Print::decode([first, second]));
            events = rest;
        }
        let (prints, rest) = events.as_chunks::<PRINT_EVENTS>();
        prints.iter().for_each(|&print| each(Print::decode(print)));
        self.first = rest.first().copied().or(self.first);
    }
}
