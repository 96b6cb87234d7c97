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

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The frame is withheld and its sequence number used up.
    Gap,
    /// The frame is sent twice with the same sequence number.
    Repeat,
    /// After the frame the exchange closes the websocket with code 1001.
    Disconnect,
    /// After the frame the exchange ends its half of the TCP connection, without a close frame and without TLS's notice.
    DisconnectFin,
    /// After the frame the connection is reset; what was not yet delivered is lost.
    DisconnectRst,
    /// After the frame nothing more is written while the socket stays open. With an amount, everything that fell due
    /// follows after that time; without, it is dropped and the silence lasts until the client leaves.
    Stall,
    /// After the frame level2 falls silent while heartbeats go on, numbered without a gap. With an amount, a fresh
    /// snapshot follows after that time; without, the silence lasts until the client leaves.
    SilentBook,
    /// The frame's text is cut in the middle.
    Malformed,
    /// A byte of the frame's text is 0xFF, which no UTF-8 holds.
    InvalidUtf8,
    /// Before the frame comes a message of a channel that nobody knows, correctly numbered.
    UnknownChannel,
    /// Before the frame comes an `error` message.
    Error,
    /// The frame's message is cut into websocket frames of the amount's payload bytes (64), with a ping after the first.
    Fragmented,
    /// The frame is written the amount's bytes (7) at a time, a quarter of a millisecond apart.
    Dribble,
    /// After the frame comes a websocket frame of 64 MiB and one byte, as fast as it is read, and nothing else any more.
    Oversized,
    /// The same as a message in fragments of 1 MiB.
    OversizedFragments,
    /// The snapshot that answers a subscribe comes late by the amount (3 s), and level2 updates only after it.
    LateSnapshot,
    /// After the frame comes a bid at half a tick above the best bid, then its removal.
    OffTick,
    /// After the frame comes a bid one tick above the best ask, then its removal.
    Crossed,
    /// After the frame comes a size of 30 digits at the best bid, then the true size again.
    HugeNumber,
    /// The websocket handshake is answered with `503 Service Unavailable`.
    Handshake503,
    /// The connection is accepted and nothing is ever said on it, until the amount is over or the client leaves.
    HandshakeHang,
    /// The server's certificate has expired. Needs TLS.
    ExpiredCert,
    /// The server's certificate is for another name. Needs TLS.
    WrongHostCert,
    /// Before the frame come the amount's pings (1,000).
    PingFlood,
}

/// What a fault can strike, and what its `MOMENT` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// A frame of the market that at least one connection receives.
    Frame,
    /// A snapshot about to be sent in answer to a subscribe.
    Snapshot,
    /// A connection that was accepted.
    Connection,
}

/// What the number behind a kind's colon means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AmountKind {
    None,
    Duration,
    Count { max: u64 },
}

impl FaultKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 24] = [
        Self::Gap,
        Self::Repeat,
        Self::Disconnect,
        Self::DisconnectFin,
        Self::DisconnectRst,
        Self::Stall,
        Self::SilentBook,
        Self::Malformed,
        Self::InvalidUtf8,
        Self::UnknownChannel,
        Self::Error,
        Self::Fragmented,
        Self::Dribble,
        Self::Oversized,
        Self::OversizedFragments,
        Self::LateSnapshot,
        Self::OffTick,
        Self::Crossed,
        Self::HugeNumber,
        Self::Handshake503,
        Self::HandshakeHang,
        Self::ExpiredCert,
        Self::WrongHostCert,
        Self::PingFlood,
    ];

    /// The name that specifications use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Repeat => "repeat",
            Self::Disconnect => "disconnect",
            Self::DisconnectFin => "disconnect-fin",
            Self::DisconnectRst => "disconnect-rst",
            Self::Stall => "stall",
            Self::SilentBook => "silent-book",
            Self::Malformed => "malformed",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::UnknownChannel => "unknown-channel",
            Self::Error => "error",
            Self::Fragmented => "fragmented",
            Self::Dribble => "dribble",
            Self::Oversized => "oversized",
            Self::OversizedFragments => "oversized-fragments",
            Self::LateSnapshot => "late-snapshot",
            Self::OffTick => "off-tick",
            Self::Crossed => "crossed",
            Self::HugeNumber => "huge-number",
            Self::Handshake503 => "handshake-503",
            Self::HandshakeHang => "handshake-hang",
            Self::ExpiredCert => "expired-cert",
            Self::WrongHostCert => "wrong-host-cert",
            Self::PingFlood => "ping-flood",
        }
    }

    /// What the fault strikes.
    pub fn occasion(self) -> Occasion {
        match self {
            Self::LateSnapshot => Occasion::Snapshot,
            Self::Handshake503 | Self::HandshakeHang | Self::ExpiredCert | Self::WrongHostCert => Occasion::Connection,
            _ => Occasion::Frame,
        }
    }

    /// Whether the fault can only strike a TLS handshake.
    pub fn needs_tls(self) -> bool {
        matches!(self, Self::ExpiredCert | Self::WrongHostCert)
    }

    fn amount_kind(self) -> AmountKind {
        match self {
            Self::Stall | Self::SilentBook | Self::LateSnapshot | Self::HandshakeHang => AmountKind::Duration,
            Self::Fragmented | Self::Dribble => AmountKind::Count { max: 1 << 20 },
            Self::PingFlood => AmountKind::Count { max: 100_000 },
            _ => AmountKind::None,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How long or how many, for the kinds that take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A time, whole milliseconds.
    Duration(Duration),
    /// Bytes or pings; at least 1.
    Count(u64),
}

/// A fault that strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// `None` is the kind's default.
    pub amount: Option<Amount>,
}

impl Fault {
    /// The amount as a time.
    pub fn duration(self) -> Option<Duration> {
        match self.amount {
            Some(Amount::Duration(duration)) => Some(duration),
            _ => None,
        }
    }

    /// The amount as a count, or the kind's default.
    pub fn count_or(self, default: u64) -> u64 {
        match self.amount {
            Some(Amount::Count(count)) => count,
            _ => default,
        }
    }
}

/// A point or a distance in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Occasions, at least 1.
    Occasions(u64),
    /// Time since the first client connected, whole milliseconds.
    Time(Duration),
}

/// When a fault fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At the moment and, if it fires more than once, at the occasions that follow.
    At(Moment),
    /// Again and again at that distance; a time is at least a millisecond.
    Every(Moment),
}

/// One `--fault`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultSpec {
    /// A named fault at named moments.
    Named {
        /// The fault.
        fault: Fault,
        /// When it fires.
        when: When,
        /// How often at most; `None` is without end.
        times: Option<u64>,
    },
    /// Survivable faults drawn at random, at exponentially distributed distances.
    Random {
        /// Decides which and, in frames, when.
        seed: u64,
        /// Mean distance.
        mean: Moment,
    },
}

impl FaultSpec {
    /// Whether the exchange must speak TLS for this fault to strike.
    pub fn needs_tls(self) -> bool {
        matches!(self, Self::Named { fault, .. } if fault.kind.needs_tls())
    }
}

/// Why a text is not a fault specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No kind has that name.
    #[error("unknown fault '{name}'; there are random, {}", FaultKind::ALL.map(FaultKind::name).join(", "))]
    UnknownKind {
        /// What was written.
        name: String,
    },
    /// The kind takes no amount.
    #[error("fault '{kind}' takes no amount, but ':{amount}' was given")]
    NoAmountTaken {
        /// The kind.
        kind: FaultKind,
        /// What was written.
        amount: String,
    },
    /// The amount is not a time.
    #[error("fault '{kind}' takes a time such as 250ms, 3s or 2m, not '{amount}'")]
    BadDuration {
        /// The kind.
        kind: FaultKind,
        /// What was written.
        amount: String,
    },
    /// The amount is not a count within bounds.
    #[error("fault '{kind}' takes a count from 1 to {max}, not '{amount}'")]
    BadCount {
        /// The kind.
        kind: FaultKind,
        /// The largest allowed.
        max: u64,
        /// What was written.
        amount: String,
    },
    /// What follows `@` or `/` is neither.
    #[error("'{moment}' is neither a count of occasions from 1 nor a time from 1ms such as 250ms, 3s or 2m")]
    BadMoment {
        /// What was written.
        moment: String,
    },
    /// What follows `x` is not a count.
    #[error("'{times}' is not how many times to fire: a count from 1")]
    BadTimes {
        /// What was written.
        times: String,
    },
    /// `random` without its parts.
    #[error("'{text}' does not read random:SEED/MEAN, such as random:7/500 or random:7/2s")]
    BadRandom {
        /// What was written.
        text: String,
    },
}

impl FromStr for FaultSpec {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let kind_end = text.find([':', '@', '/']).unwrap_or(text.len());
        let (name, rest) = text.split_at(kind_end);
        if name == "random" {
            return parse_random(rest).ok_or_else(|| FaultError::BadRandom { text: text.into() });
        }
        let kind = FaultKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| FaultError::UnknownKind { name: name.into() })?;
        let (amount, rest) = rest.split_at(rest.find(['@', '/']).unwrap_or(rest.len()));
        let amount = amount.strip_prefix(':').map(|amount| parse_amount(kind, amount)).transpose()?;
        let fault = Fault { kind, amount };
        let (moment, times) = match rest.split_once('x') {
            Some((moment, times)) => (moment, Some(parse_times(times)?)),
            None => (rest, None),
        };
        let every = moment.starts_with('/');
        let moment = match moment.get(1..) {
            Some(text) => parse_moment(text).ok_or_else(|| FaultError::BadMoment { moment: text.into() })?,
            None => Moment::Occasions(1),
        };
        Ok(if every {
            Self::Named { fault, when: When::Every(moment), times }
        } else {
            Self::Named { fault, when: When::At(moment), times: times.or(Some(1)) }
        })
    }
}

fn parse_random(rest: &str) -> Option<FaultSpec> {
    let (seed, mean) = rest.strip_prefix(':')?.split_once('/')?;
    Some(FaultSpec::Random { seed: parse_digits(seed)?, mean: parse_moment(mean)? })
}

fn parse_amount(kind: FaultKind, amount: &str) -> Result<Amount, FaultError> {
    match kind.amount_kind() {
        AmountKind::None => Err(FaultError::NoAmountTaken { kind, amount: amount.into() }),
        AmountKind::Duration => parse_duration(amount)
            .map(Amount::Duration)
            .ok_or_else(|| FaultError::BadDuration { kind, amount: amount.into() }),
        AmountKind::Count { max } => parse_digits(amount)
            .filter(|count| (1..=max).contains(count))
            .map(Amount::Count)
            .ok_or_else(|| FaultError::BadCount { kind, max, amount: amount.into() }),
    }
}

fn parse_times(times: &str) -> Result<u64, FaultError> {
    parse_digits(times).filter(|&times| times > 0).ok_or_else(|| FaultError::BadTimes { times: times.into() })
}

fn parse_moment(text: &str) -> Option<Moment> {
    match parse_digits(text) {
        Some(occasions) => (occasions > 0).then_some(Moment::Occasions(occasions)),
        None => parse_duration(text).filter(|time| !time.is_zero()).map(Moment::Time),
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let ms_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    // A day is longer than any run in which a fault is worth waiting for, and far from overflow.
    let ms = parse_digits(number)?.checked_mul(ms_per_unit).filter(|&ms| ms <= 86_400_000)?;
    Some(Duration::from_millis(ms))
}

/// Digits only: no sign, unlike `u64::from_str`.
fn parse_digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (when, times) = match self {
            Self::Random { seed, mean } => return write!(f, "random:{seed}/{mean}"),
            Self::Named { fault, when, times } => {
                f.write_str(fault.kind.name())?;
                match fault.amount {
                    None => {}
                    Some(Amount::Duration(duration)) => write!(f, ":{}ms", duration.as_millis())?,
                    Some(Amount::Count(count)) => write!(f, ":{count}")?,
                }
                (when, times)
            }
        };
        match (when, times) {
            (When::At(moment), Some(1)) => write!(f, "@{moment}"),
            (When::At(moment), Some(times)) => write!(f, "@{moment}x{times}"),
            (When::At(moment), None) => write!(f, "@{moment}x{}", u64::MAX),
            (When::Every(moment), Some(times)) => write!(f, "/{moment}x{times}"),
            (When::Every(moment), None) => write!(f, "/{moment}"),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occasions(occasions) => write!(f, "{occasions}"),
            Self::Time(time) => write!(f, "{}ms", time.as_millis()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kind: FaultKind, amount: Option<Amount>, when: When, times: Option<u64>) -> FaultSpec {
        FaultSpec::Named { fault: Fault { kind, amount }, when, times }
    }

    #[test]
    fn reads_every_form() {
        use FaultKind::*;
        use Moment::*;
        let ms = |ms| Duration::from_millis(ms);
        for (text, expected) in [
            ("gap", named(Gap, None, When::At(Occasions(1)), Some(1))),
            ("gap@100", named(Gap, None, When::At(Occasions(100)), Some(1))),
            ("gap@100x3", named(Gap, None, When::At(Occasions(100)), Some(3))),
            ("gap/500", named(Gap, None, When::Every(Occasions(500)), None)),
            ("gap/500x3", named(Gap, None, When::Every(Occasions(500)), Some(3))),
            ("disconnect-rst@3s", named(DisconnectRst, None, When::At(Time(ms(3_000))), Some(1))),
            ("expired-cert/1", named(ExpiredCert, None, When::Every(Occasions(1)), None)),
            ("stall:250ms@2m", named(Stall, Some(Amount::Duration(ms(250))), When::At(Time(ms(120_000))), Some(1))),
            ("stall:0ms", named(Stall, Some(Amount::Duration(ms(0))), When::At(Occasions(1)), Some(1))),
            ("ping-flood:7/1s", named(PingFlood, Some(Amount::Count(7)), When::Every(Time(ms(1_000))), None)),
            ("random:7/500", FaultSpec::Random { seed: 7, mean: Occasions(500) }),
            ("random:0/2s", FaultSpec::Random { seed: 0, mean: Time(ms(2_000)) }),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
            assert_eq!(expected.to_string().parse(), Ok(expected), "{text} shown as {expected}");
        }
    }

    #[test]
    fn every_kind_reads_back_by_its_name() {
        for kind in FaultKind::ALL {
            let spec: FaultSpec = format!("{kind}@12").parse().expect("a fault");
            assert_eq!(spec, named(kind, None, When::At(Moment::Occasions(12)), Some(1)));
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        use FaultKind::*;
        let text = String::from;
        for (spec, expected) in [
            ("", FaultError::UnknownKind { name: text("") }),
            ("gaps@1", FaultError::UnknownKind { name: text("gaps") }),
            ("Gap@1", FaultError::UnknownKind { name: text("Gap") }),
            ("gapx3", FaultError::UnknownKind { name: text("gapx3") }),
            ("gap:3@1", FaultError::NoAmountTaken { kind: Gap, amount: text("3") }),
            ("stall:3@1", FaultError::BadDuration { kind: Stall, amount: text("3") }),
            ("stall:-3s", FaultError::BadDuration { kind: Stall, amount: text("-3s") }),
            ("stall:3h", FaultError::BadDuration { kind: Stall, amount: text("3h") }),
            ("stall:1441m", FaultError::BadDuration { kind: Stall, amount: text("1441m") }),
            ("stall:", FaultError::BadDuration { kind: Stall, amount: text("") }),
            ("dribble:0", FaultError::BadCount { kind: Dribble, max: 1 << 20, amount: text("0") }),
            ("ping-flood:100001", FaultError::BadCount { kind: PingFlood, max: 100_000, amount: text("100001") }),
            ("gap@", FaultError::BadMoment { moment: text("") }),
            ("gap@0", FaultError::BadMoment { moment: text("0") }),
            ("gap@+1", FaultError::BadMoment { moment: text("+1") }),
            ("gap/0ms", FaultError::BadMoment { moment: text("0ms") }),
            ("gap@1.5s", FaultError::BadMoment { moment: text("1.5s") }),
            ("gap@99999999999999999999", FaultError::BadMoment { moment: text("99999999999999999999") }),
            ("gap@1@2", FaultError::BadMoment { moment: text("1@2") }),
            ("gap@é", FaultError::BadMoment { moment: text("é") }),
            ("gap@1x", FaultError::BadTimes { times: text("") }),
            ("gap@1x0", FaultError::BadTimes { times: text("0") }),
            ("gap/1x2x3", FaultError::BadTimes { times: text("2x3") }),
            ("random", FaultError::BadRandom { text: text("random") }),
            ("random:7", FaultError::BadRandom { text: text("random:7") }),
            ("random:x/5", FaultError::BadRandom { text: text("random:x/5") }),
            ("random:7@5", FaultError::BadRandom { text: text("random:7@5") }),
            ("random:7/0", FaultError::BadRandom { text: text("random:7/0") }),
        ] {
            assert_eq!(spec.parse::<FaultSpec>(), Err(expected), "{spec}");
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        let message = |text: &str| text.parse::<FaultSpec>().expect_err("not a fault").to_string();
        assert!(message("hole@1").starts_with("unknown fault 'hole'; there are random, gap, repeat, disconnect, "));
        assert_eq!(message("gap:2"), "fault 'gap' takes no amount, but ':2' was given");
        assert_eq!(message("stall:9"), "fault 'stall' takes a time such as 250ms, 3s or 2m, not '9'");
        assert_eq!(message("dribble:x"), "fault 'dribble' takes a count from 1 to 1048576, not 'x'");
        assert_eq!(
            message("gap@soon"),
            "'soon' is neither a count of occasions from 1 nor a time from 1ms such as 250ms, 3s or 2m"
        );
        assert_eq!(message("gap@1xx"), "'x' is not how many times to fire: a count from 1");
        assert_eq!(
            message("random:1"),
            "'random:1' does not read random:SEED/MEAN, such as random:7/500 or random:7/2s"
        );
    }
}
