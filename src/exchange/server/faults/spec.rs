//! When faults strike: specifications, read from text and written as text.

use super::kind::{AmountKind, FaultKind};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

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
