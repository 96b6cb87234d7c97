//! The venue's messages, rendered into a buffer that is used again.
//!
//! The layout is byte for byte the venue's own: no white space, its order of keys, decimals without trailing zeros, a
//! removed level as `"0"`, `offer` for the ask side. Facts from the venue's documentation of its WebSocket channels
//! (docs.cdp.coinbase.com, Advanced Trade) and from recorded frames. [`Layout`] has today's and the one before it.
//!
//! Every function clears the buffer first and leaves one whole message in it. Once the buffer has grown to the size of
//! the messages, nothing is allocated. Times are nanoseconds since the Unix epoch, UTC.
//!
//! ```
//! use papertrader::exchange::market::LevelUpdate;
//! use papertrader::exchange::message::{L2Kind, Layout, Levels, l2_data};
//! use papertrader::market::units::{Scale, Side};
//!
//! let updates = [LevelUpdate { side: Side::Ask, price_ticks: 6_183_018, size_lots: 50_000_000 }];
//! let scale = Scale { price_decimals: 2, size_decimals: 8 };
//! let mut message = Vec::new();
//! l2_data(&mut message, L2Kind::Update, "BTC-USD", 5, 1_723_161_600_123_456_780, scale, &updates);
//! assert_eq!(
//!     str::from_utf8(&message)?,
//!     r#"{"channel":"l2_data","timestamp":"2024-08-09T00:00:00.12345678Z","sequence_num":5,"#.to_owned()
//!         + r#""events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"offer","#
//!         + r#""event_time":"2024-08-09T00:00:00.08216Z","price_level":"61830.18","new_quantity":"0.5"}]}]}"#
//! );
//!
//! let levels = Levels { kind: L2Kind::Update, product: "BTC-USD", scale, updates: &updates };
//! Layout::Year2024.l2_data(&mut message, 5, 1_723_161_600_123_456_780, &levels);
//! assert!(message.starts_with(br#"{"channel":"l2_data","client_id":"","timestamp":"2024-08-09T00:00:00.123456780Z","#));
//! # Ok::<(), std::str::Utf8Error>(())
//! ```

use super::market::{LevelUpdate, Trade};
use crate::market::units::{Scale, Side};
use jiff::Timestamp;
use std::fmt::{self, Arguments};
use std::io::Write;
use std::ops::Range;
use std::str::FromStr;

/// How the venue lays out its messages, by the year in which it was seen to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Today's. No `client_id`; fractions of seconds without trailing zeros, so of any length; all levels of a message,
    /// snapshots included, have one `event_time` in whole microseconds, 30 to 45 ms before the message's `timestamp`;
    /// the heartbeats' counter is a number; acknowledgements come after the first levels.
    #[default]
    Year2026,
    /// The one before. An empty `client_id`; nine digits in each `timestamp`, which is an update's `event_time` too; a
    /// snapshot's is the epoch; the heartbeats' counter is a text; acknowledgements come at once.
    Year2024,
}

/// Why a text is not a layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a layout: 2026 or 2024")]
pub struct LayoutError(String);

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        match text {
            "2026" => Ok(Self::Year2026),
            "2024" => Ok(Self::Year2024),
            _ => Err(LayoutError(text.into())),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Year2026 => "2026",
            Self::Year2024 => "2024",
        })
    }
}

/// What the levels of an `l2_data` message are to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L2Kind {
    /// The whole book; it replaces what was there.
    Snapshot,
    /// Levels that changed, with their new sizes.
    Update,
}

/// Levels of one product's book: the event of an `l2_data` message.
#[derive(Clone, Copy, Debug)]
pub struct Levels<'a> {
    /// What they are to the book.
    pub kind: L2Kind,
    /// The product's name.
    pub product: &'a str,
    /// Decimals of the prices and sizes.
    pub scale: Scale,
    /// The levels. The venue sends bids from the highest down, then asks from the lowest up.
    pub updates: &'a [LevelUpdate],
}

/// Prints of one product: the event of a `market_trades` message.
#[derive(Clone, Copy, Debug)]
pub struct Prints<'a> {
    /// [`L2Kind::Snapshot`] for the last trades before the subscription.
    pub kind: L2Kind,
    /// The product's name.
    pub product: &'a str,
    /// Decimals of the prices and sizes.
    pub scale: Scale,
    /// Newest first.
    pub trades: &'a [Trade],
}

/// What a connection is subscribed to.
#[derive(Clone, Copy, Debug)]
pub struct Subscribed<'a> {
    /// Products of the `level2` channel.
    pub level2: &'a [String],
    /// Products of the `market_trades` channel.
    pub market_trades: &'a [String],
    /// Whether `heartbeats` run.
    pub heartbeats: bool,
}

/// Levels of one product's book as one event of an `l2_data` message, in today's layout: see [`Layout::l2_data`].
pub fn l2_data(
    out: &mut Vec<u8>,
    kind: L2Kind,
    product: &str,
    sequence_num: u64,
    time_ns: i64,
    scale: Scale,
    updates: &[LevelUpdate],
) {
    Layout::default().l2_data(out, sequence_num, time_ns, &Levels { kind, product, scale, updates });
}

impl Layout {
    /// Levels as one event of an `l2_data` message that is sent at `time_ns`.
    pub fn l2_data(self, out: &mut Vec<u8>, sequence_num: u64, time_ns: i64, levels: &Levels<'_>) {
        self.envelope(out, "l2_data", sequence_num, time_ns);
        out.extend_from_slice(match levels.kind {
            L2Kind::Snapshot => br#"{"type":"snapshot","product_id":"#,
            L2Kind::Update => br#"{"type":"update","product_id":"#,
        });
        json_string(out, levels.product);
        out.extend_from_slice(br#","updates":["#);
        let mut event_time: Option<Range<usize>> = None;
        for update in levels.updates {
            if event_time.is_some() {
                out.push(b',');
            }
            out.extend_from_slice(match update.side {
                Side::Bid => br#"{"side":"bid","event_time":""#,
                Side::Ask => br#"{"side":"offer","event_time":""#,
            });
            match &event_time {
                Some(first) => out.extend_from_within(first.clone()),
                None => event_time = Some(self.event_time(out, levels.kind, time_ns)),
            }
            out.extend_from_slice(br#"","price_level":""#);
            decimal(out, update.price_ticks, levels.scale.price_decimals);
            out.extend_from_slice(br#"","new_quantity":""#);
            decimal(out, update.size_lots, levels.scale.size_decimals);
            out.extend_from_slice(br#""}"#);
        }
        out.extend_from_slice(b"]}]}");
    }

    /// Prints as one event of a `market_trades` message that is sent at `time_ns`.
    pub fn market_trades(self, out: &mut Vec<u8>, sequence_num: u64, time_ns: i64, prints: &Prints<'_>) {
        self.envelope(out, TRADES, sequence_num, time_ns);
        begin_prints(out, prints.kind);
        for (at, trade) in prints.trades.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            self.print(out, prints.product, prints.scale, trade);
        }
        out.extend_from_slice(b"]}]}");
    }

    /// Appends one print. Its time has whole microseconds, in the older layout always with six digits.
    pub(super) fn print(self, out: &mut Vec<u8>, product: &str, scale: Scale, trade: &Trade) {
        out.extend_from_slice(br#"{"product_id":"#);
        json_string(out, product);
        text(out, format_args!(r#","trade_id":"{}","price":""#, trade.trade_id));
        decimal(out, trade.price_ticks, scale.price_decimals);
        out.extend_from_slice(br#"","size":""#);
        decimal(out, trade.size_lots, scale.size_decimals);
        let time = timestamp(trade.time_ns.saturating_sub(trade.time_ns.rem_euclid(1_000)));
        // The side is the maker's.
        let side = if trade.maker == Side::Bid { "BUY" } else { "SELL" };
        match self {
            Self::Year2026 => text(out, format_args!(r#"","time":"{time}","side":"{side}"}}"#)),
            Self::Year2024 => text(out, format_args!(r#"","time":"{time:.6}","side":"{side}"}}"#)),
        }
    }

    /// The sign of life that the `heartbeats` channel sends every second. `counter` counts seconds; the venue's is not
    /// always unique.
    pub fn heartbeat(self, out: &mut Vec<u8>, sequence_num: u64, time_ns: i64, counter: u64) {
        self.envelope(out, "heartbeats", sequence_num, time_ns);
        // The text of a Go `time.Time`, with its reading of the monotonic clock behind `m=`.
        let time = timestamp(time_ns).strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC");
        let quote = match self {
            Self::Year2026 => "",
            Self::Year2024 => "\"",
        };
        text(out, format_args!(r#"{{"current_time":"{time} m=+{counter}.000000000","#));
        text(out, format_args!(r#""heartbeat_counter":{quote}{counter}{quote}}}]}}"#));
    }

    /// The acknowledgement of a subscribe or unsubscribe request: everything that the connection is subscribed to. With
    /// `None` it lists `null`, which the venue does not mean to send.
    pub fn subscriptions(self, out: &mut Vec<u8>, sequence_num: u64, time_ns: i64, set: Option<Subscribed<'_>>) {
        self.envelope(out, "subscriptions", sequence_num, time_ns);
        out.extend_from_slice(br#"{"subscriptions":"#);
        match set {
            Some(set) => self.channels(out, set),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b"}]}");
    }

    fn channels(self, out: &mut Vec<u8>, set: Subscribed<'_>) {
        out.push(b'{');
        let begin = out.len();
        let heartbeats = |out: &mut Vec<u8>| {
            if set.heartbeats {
                separate(out, begin);
                out.extend_from_slice(br#""heartbeats":["heartbeats"]"#);
            }
        };
        if self == Self::Year2024 {
            heartbeats(out);
        }
        for (channel, products) in [("level2", set.level2), ("market_trades", set.market_trades)] {
            if products.is_empty() {
                continue;
            }
            separate(out, begin);
            text(out, format_args!(r#""{channel}":["#));
            let begin = out.len();
            for product in products {
                separate(out, begin);
                json_string(out, product);
            }
            out.push(b']');
        }
        if self == Self::Year2026 {
            heartbeats(out);
        }
        out.push(b'}');
    }

    /// Clears the buffer and writes everything up to the first event.
    pub(super) fn envelope(self, out: &mut Vec<u8>, channel: &str, sequence_num: u64, time_ns: i64) {
        out.clear();
        let time = timestamp(time_ns);
        match self {
            Self::Year2026 => text(out, format_args!(r#"{{"channel":"{channel}","timestamp":"{time}""#)),
            Self::Year2024 => {
                text(out, format_args!(r#"{{"channel":"{channel}","client_id":"","timestamp":"{time:.9}""#))
            }
        }
        text(out, format_args!(r#","sequence_num":{sequence_num},"events":["#));
    }

    /// Writes the event time of a message's levels and returns where it stands.
    fn event_time(self, out: &mut Vec<u8>, kind: L2Kind, time_ns: i64) -> Range<usize> {
        let start = out.len();
        match (self, kind) {
            (Self::Year2026, _) => text(out, format_args!("{}", timestamp(event_time_ns(time_ns)))),
            (Self::Year2024, L2Kind::Snapshot) => out.extend_from_slice(b"1970-01-01T00:00:00Z"),
            (Self::Year2024, L2Kind::Update) => text(out, format_args!("{:.9}", timestamp(time_ns))),
        }
        start..out.len()
    }
}

/// The channel of prints.
pub(super) const TRADES: &str = "market_trades";

/// Begins the event of a message of prints.
pub(super) fn begin_prints(out: &mut Vec<u8>, kind: L2Kind) {
    out.extend_from_slice(match kind {
        L2Kind::Snapshot => br#"{"type":"snapshot","trades":["#,
        L2Kind::Update => br#"{"type":"update","trades":["#,
    });
}

/// The answer to a request that cannot be met. It has no channel and takes no sequence number.
pub fn error(out: &mut Vec<u8>, message: &str) {
    out.clear();
    out.extend_from_slice(br#"{"type":"error","message":"#);
    json_string(out, message);
    out.push(b'}');
}

/// When the levels of a message sent at `time_ns` came about, in today's layout: whole microseconds, 30 to 45 ms before.
/// The distance falls and rises once a second, more slowly than time passes: event times never go back.
pub fn event_time_ns(time_ns: i64) -> i64 {
    let from_middle_ns = (time_ns.rem_euclid(1_000_000_000) - 500_000_000).abs();
    let event_ns = time_ns.saturating_sub(30_000_000 + from_middle_ns * 3 / 100);
    event_ns.saturating_sub(event_ns.rem_euclid(1_000))
}

fn timestamp(time_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(time_ns.into())
        .expect("every 64-bit count of nanoseconds lies within the years 1677 to 2262")
}

fn text(out: &mut Vec<u8>, arguments: Arguments<'_>) {
    out.write_fmt(arguments).expect("a Vec takes every byte");
}

/// Writes a comma unless nothing stands behind `begin` yet.
fn separate(out: &mut Vec<u8>, begin: usize) {
    if out.len() > begin {
        out.push(b',');
    }
}

fn json_string(out: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(out, value).expect("a Vec takes every byte, and a str is a JSON string");
}

/// Writes `count · 10^-decimals` with no more digits than it needs.
fn decimal(out: &mut Vec<u8>, count: u64, decimals: u8) {
    let unit = 10_u64.pow(u32::from(decimals));
    let (whole, fraction) = (count / unit, count % unit);
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(whole).as_bytes());
    if fraction > 0 {
        // A one in front keeps the fraction's leading zeros; below 2·10^18 it cannot overflow.
        let padded = digits.format(unit + fraction);
        out.push(b'.');
        out.extend_from_slice(padded[1..].trim_end_matches('0').as_bytes());
    }
}

#[cfg(test)]
mod tests;
