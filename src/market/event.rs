//! What passes from the feed thread to the engine thread.
//!
//! A frame (one websocket message about the book) travels as [`HEAD_EVENTS`] events that encode its [`FrameHead`],
//! followed by one event per level. Events are 16 bytes, four to a cache line.
//!
//! ```
//! use papertrader::market::event::{Event, FrameHead, FrameKind, HEAD_EVENTS, UNMEASURED, UNSTAMPED};
//! use papertrader::market::units::{Scale, Side};
//!
//! let ask = Event::level(Side::Ask, 6_183_018, 50_000_000);
//! assert_eq!((ask.side(), ask.price_ticks(), ask.size_lots()), (Side::Ask, 6_183_018, 50_000_000));
//!
//! let head = FrameHead {
//!     kind: FrameKind::Update,
//!     product: 0,
//!     levels: 1,
//!     scale: Scale { price_decimals: 2, size_decimals: 8 },
//!     sequence_num: 7,
//!     ts_recv_ns: 1_723_161_600_000_000_000,
//!     ts_event_ns: 1_723_161_599_990_000_000,
//!     arrived: UNSTAMPED,
//!     received: UNMEASURED,
//!     decoded: UNSTAMPED,
//!     published: UNSTAMPED,
//! };
//! let events: [Event; HEAD_EVENTS] = head.encode();
//! assert_eq!(FrameHead::decode(events), head);
//! ```

use crate::market::units::{COUNT_MAX, Scale, Side};

/// The unit of the ring: two words whose meaning depends on the place in the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Event {
    words: [u64; 2],
}

const _: () = assert!(size_of::<Event>() == 16, "four events to a cache line");

/// The bit of a level's size word that says which side it is on; counts stay below it.
const ASK_BIT: u64 = 1 << 63;
const _: () = assert!(COUNT_MAX < ASK_BIT, "a count leaves the side's bit free");

impl Event {
    /// A level's new absolute size; 0 removes the level. Both counts are at most [`COUNT_MAX`].
    #[inline]
    pub fn level(side: Side, price_ticks: u64, size_lots: u64) -> Self {
        debug_assert!(price_ticks <= COUNT_MAX && size_lots <= COUNT_MAX);
        let ask = if side == Side::Ask { ASK_BIT } else { 0 };
        Self { words: [price_ticks, size_lots | ask] }
    }

    /// The side of a level event.
    #[inline]
    pub fn side(self) -> Side {
        if self.words[1] & ASK_BIT == 0 { Side::Bid } else { Side::Ask }
    }

    /// The price of a level event in ticks.
    #[inline]
    pub fn price_ticks(self) -> u64 {
        self.words[0]
    }

    /// The size of a level event in lots.
    #[inline]
    pub fn size_lots(self) -> u64 {
        self.words[1] & !ASK_BIT
    }
}

/// Why the book cannot be trusted any more. The causes are counted one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Fault {
    /// A message's `sequence_num` jumped ahead.
    SequenceGap,
    /// A message's `sequence_num` came again or went back.
    SequenceRepeat,
    /// A message is not JSON, not UTF-8, or not shaped like the venue's.
    Malformed,
    /// The venue sent an error message.
    VenueError,
    /// A level's side is neither `bid` nor `offer` nor `ask`.
    UnknownSide,
    /// A level's price or quantity is empty, negative or not a decimal number, or its price is zero.
    BadNumber,
    /// A level's price or quantity does not fit into 63 bits of ticks or lots.
    NumberTooLarge,
    /// A level's price or quantity lies between the ticks or lots that the user gave.
    OffGrid,
    /// An update came before any snapshot.
    UpdateBeforeSnapshot,
    /// More levels outside the book's window than it keeps.
    TooManyLevels,
    /// The recording lacks frames here.
    RecordingGap,
    /// The connection ended.
    Disconnected,
    /// No snapshot in time after the subscription.
    NoSnapshot,
    /// No heartbeat in time.
    NoHeartbeat,
    /// No bytes at all in time.
    NoBytes,
    /// Heartbeats came but the product was silent for too long.
    StaleProduct,
    /// The subscription was refused or acknowledged with other channels or products.
    SubscriptionRefused,
    /// The book stayed crossed or locked: a level's removal must have been missed.
    StaysCrossed,
    /// The book is another than the venue's by the checksum that came with a message.
    ChecksumMismatch,
}

impl Fault {
    /// All causes, in the order in which reports list them.
    pub const ALL: [Self; 19] = [
        Self::SequenceGap,
        Self::SequenceRepeat,
        Self::Malformed,
        Self::VenueError,
        Self::UnknownSide,
        Self::BadNumber,
        Self::NumberTooLarge,
        Self::OffGrid,
        Self::UpdateBeforeSnapshot,
        Self::TooManyLevels,
        Self::RecordingGap,
        Self::Disconnected,
        Self::NoSnapshot,
        Self::NoHeartbeat,
        Self::NoBytes,
        Self::StaleProduct,
        Self::SubscriptionRefused,
        Self::StaysCrossed,
        Self::ChecksumMismatch,
    ];

    /// The fault with that [`Fault::name`].
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::SequenceGap => "sequence gap",
            Self::SequenceRepeat => "sequence repeat",
            Self::Malformed => "malformed message",
            Self::VenueError => "error message from the venue",
            Self::UnknownSide => "unknown side",
            Self::BadNumber => "impossible price or quantity",
            Self::NumberTooLarge => "number too large",
            Self::OffGrid => "off the given tick or lot grid",
            Self::UpdateBeforeSnapshot => "update before a snapshot",
            Self::TooManyLevels => "too many levels",
            Self::RecordingGap => "gap in the recording",
            Self::Disconnected => "connection lost",
            Self::NoSnapshot => "no snapshot in time",
            Self::NoHeartbeat => "no heartbeat in time",
            Self::NoBytes => "no bytes in time",
            Self::StaleProduct => "product silent",
            Self::SubscriptionRefused => "subscription refused",
            Self::StaysCrossed => "book crossed or locked for too long",
            Self::ChecksumMismatch => "checksum of another book",
        }
    }
}

/// How often each [`Fault`] happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts([u64; Fault::ALL.len()]);

impl FaultCounts {
    /// Counts one.
    pub fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// Counts those of another list too.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count += more);
    }

    /// How often `fault` happened.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// All faults together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The faults that happened, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u64)> {
        Fault::ALL.into_iter().map(|fault| (fault, self.of(fault))).filter(|&(_, count)| count > 0)
    }
}

/// A trade as the venue's tape tells it. It travels as [`PRINT_EVENTS`] events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// The side from which the taker came: [`Side::Bid`] for a purchase, [`Side::Ask`] for a sale.
    pub aggressor: Side,
    /// The price in ticks of the frame's scale, above 0.
    pub price_ticks: u64,
    /// The size in lots of the frame's scale, above 0.
    pub size_lots: u64,
    /// The venue's number of the trade, consecutive within a product; 0 where it said none.
    pub trade_id: u64,
    /// When the venue says that it happened, Unix nanoseconds; 0 where it said nothing readable.
    pub ts_event_ns: i64,
}

/// Events that encode a [`Print`].
pub const PRINT_EVENTS: usize = 2;

impl Print {
    /// As events.
    #[inline]
    pub fn encode(&self) -> [Event; PRINT_EVENTS] {
        let of = Event::level(self.aggressor, self.price_ticks, self.size_lots);
        // A time is kept as its two's complement bits.
        [of, Event { words: [self.trade_id, self.ts_event_ns as u64] }]
    }

    /// Reads what [`Print::encode`] wrote.
    #[inline]
    pub fn decode([of, Event { words: [trade_id, ts_event] }]: [Event; PRINT_EVENTS]) -> Self {
        Self {
            aggressor: of.side(),
            price_ticks: of.price_ticks(),
            size_lots: of.size_lots(),
            trade_id,
            ts_event_ns: ts_event as i64,
        }
    }
}

/// What a frame does to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Its levels replace the book.
    Snapshot,
    /// Its levels change the book.
    Update,
    /// It leaves the book as it is and tells of trades: [`Print`]s, oldest first, in place of levels.
    Prints,
    /// A new connection: the book waits for a snapshot. No levels.
    Connected,
    /// The book cannot be trusted until the next snapshot. No levels.
    Invalid(Fault),
}

impl FrameKind {
    /// Whether it is a frame of the venue's `l2_data` channel, which the simulation counts.
    #[inline]
    pub fn is_book_frame(self) -> bool {
        matches!(self, Self::Snapshot | Self::Update)
    }
}

/// What is known of a frame besides its levels. Stamps are raw counter values of [`crate::base::clock::Clock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// What the frame does.
    pub kind: FrameKind,
    /// Whose: the index of its product in the session, below [`PRODUCTS_MAX`]. 0 in a session of one.
    pub product: u8,
    /// How many level events follow; of prints, [`PRINT_EVENTS`] for each.
    pub levels: u32,
    /// The scale of the levels' counts.
    pub scale: Scale,
    /// The venue's number of the message in its connection.
    pub sequence_num: u64,
    /// Our clock when the message arrived, Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// The venue's clock in the message's envelope, Unix nanoseconds; 0 where it said nothing readable.
    pub ts_event_ns: i64,
    /// The message had reached this machine: the system's stamp of the newest bytes that the read which completed it returned,
    /// so not before the message's own; [`UNSTAMPED`] where the system gave none.
    pub arrived: u64,
    /// The read that completed the message returned, or a paced recording's frame was due; [`UNMEASURED`] where latencies are
    /// not recorded.
    pub received: u64,
    /// Transport decoding (TLS, websocket, capture line) is done.
    pub decoded: u64,
    /// Parsed, and about to be visible to the engine; [`UNSTAMPED`] where stages are not stamped.
    pub published: u64,
}

/// In place of a stamp that is not taken; in place of a frame's publish stamp: its stages are not stamped.
pub const UNSTAMPED: u64 = 0;

/// In place of a frame's receive stamp: its latencies are not recorded, and no stamps are taken.
pub const UNMEASURED: u64 = u64::MAX;

/// Events that encode a [`FrameHead`].
pub const HEAD_EVENTS: usize = 4;

/// The most products of a session. Each has a book of its own, of some megabytes.
pub const PRODUCTS_MAX: usize = 64;
const _: () = assert!(PRODUCTS_MAX <= 1 << u8::BITS, "an index of a product is a byte of the head");

/// The byte of a head that says [`FrameKind::Invalid`] is this and the fault's number.
const INVALID: u8 = 16;
const _: () = assert!(INVALID as usize + Fault::ALL.len() <= 1 << u8::BITS, "a byte holds the kind with its fault");

impl FrameHead {
    /// As events, to stand before the frame's levels.
    pub fn encode(&self) -> [Event; HEAD_EVENTS] {
        let kind = match self.kind {
            FrameKind::Snapshot => 0,
            FrameKind::Update => 1,
            FrameKind::Connected => 2,
            FrameKind::Prints => 4,
            FrameKind::Invalid(fault) => INVALID + fault as u8,
        };
        let Scale { price_decimals, size_decimals } = self.scale;
        let shape = u64::from_le_bytes([kind, self.product, price_decimals, size_decimals, 0, 0, 0, 0])
            | u64::from(self.levels) << 32;
        [
            Event { words: [shape, self.sequence_num] },
            // Times are kept as their two's complement bits.
            Event { words: [self.ts_recv_ns as u64, self.ts_event_ns as u64] },
            Event { words: [self.received, self.decoded] },
            Event { words: [self.published, self.arrived] },
        ]
    }

    /// Reads what [`FrameHead::encode`] wrote.
    pub fn decode(events: [Event; HEAD_EVENTS]) -> Self {
        let [[shape, sequence_num], [ts_recv, ts_event], [received, decoded], [published, arrived]] =
            events.map(|event| event.words);
        let [kind, product, price_decimals, size_decimals, ..] = shape.to_le_bytes();
        let kind = match kind {
            0 => FrameKind::Snapshot,
            1 => FrameKind::Update,
            2 => FrameKind::Connected,
            4 => FrameKind::Prints,
            invalid => FrameKind::Invalid(Fault::ALL[usize::from(invalid - INVALID)]),
        };
        Self {
            kind,
            product,
            levels: (shape >> 32) as u32,
            scale: Scale { price_decimals, size_decimals },
            sequence_num,
            ts_recv_ns: ts_recv as i64,
            ts_event_ns: ts_event as i64,
            arrived,
            received,
            decoded,
            published,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn faults_are_listed_in_the_order_of_their_numbers() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index);
        }
    }

    proptest! {
        #[test]
        fn levels_read_back(ask: bool, price_ticks in 0..=COUNT_MAX, size_lots in 0..=COUNT_MAX) {
            let side = if ask { Side::Ask } else { Side::Bid };
            let event = Event::level(side, price_ticks, size_lots);
            prop_assert_eq!((event.side(), event.price_ticks(), event.size_lots()), (side, price_ticks, size_lots));
        }

        #[test]
        fn prints_read_back(
            sale: bool, price_ticks in 1..=COUNT_MAX, size_lots in 1..=COUNT_MAX, trade_id: u64, ts_event_ns: i64,
        ) {
            let aggressor = if sale { Side::Ask } else { Side::Bid };
            let print = Print { aggressor, price_ticks, size_lots, trade_id, ts_event_ns };
            prop_assert_eq!(Print::decode(print.encode()), print);
        }

        #[test]
        fn heads_read_back(
            kind in prop_oneof![
                Just(FrameKind::Snapshot), Just(FrameKind::Update), Just(FrameKind::Connected), Just(FrameKind::Prints),
                (0..Fault::ALL.len()).prop_map(|index| FrameKind::Invalid(Fault::ALL[index])),
            ],
            product: u8, levels: u32, price_decimals: u8, size_decimals: u8, sequence_num: u64, ts_recv_ns: i64, ts_event_ns: i64,
            arrived: u64, received: u64, decoded: u64, published: u64,
        ) {
            let scale = Scale { price_decimals, size_decimals };
            let head = FrameHead {
                kind, product, levels, scale, sequence_num, ts_recv_ns, ts_event_ns, arrived, received, decoded,
                published,
            };
            prop_assert_eq!(FrameHead::decode(head.encode()), head);
        }
    }
}
