//! Rules for labels, and how they are written.
//!
//! | written | the label is the sign of |
//! | --- | --- |
//! | `mid:H` | the mid at the horizon H less the mid now |
//! | `mean:H` | the mean of the mids after now and up to H, less the mid now (Ntakaris et al. 2018; LOBFrame's "horizon") |
//! | `means:H` | that mean, less the mean of as many mids up to now (Zhang et al. 2019, DeepLOB, equation 4) |
//! | `around:H:W` | the mean of the W mids around the H-th update, less the mid now (LOBFrame's "uniform") |
//! | `barrier:H:D` | the first move by the distance D within H, 0 without one (López de Prado 2018, chapter 3) |
//!
//! H is a number of updates (`20`) or a time (`500ms`, `2s`): then it reaches to the last update received within it. D is `2ticks` or
//! `1.5bp`. A dead band (`mid:20 band 0.5bp`) makes moves of at most that distance ties.

use std::fmt;
use std::str::FromStr;

/// The longest horizon in updates.
pub const HORIZON_MAX: u32 = 100_000;
/// The longest horizon in time: an hour.
pub const HORIZON_NS_MAX: i64 = 3_600 * NS_PER_S;
/// The widest window around a horizon, in updates.
const WIDTH_MAX: u32 = 1_001;
const NS_PER_S: i64 = 1_000_000_000;
const NS_PER_MS: i64 = 1_000_000;
/// Distances are counted in millionths.
pub(super) const MILLIONTHS: u64 = 1_000_000;
/// The greatest distance, in ticks or basis points.
const DISTANCE_MAX: u64 = 1_000_000;

/// How far a label looks ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// To the update so many later.
    Updates(u32),
    /// To the last update received at most so many nanoseconds later.
    Ns(i64),
}

/// How far a mid has to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// Millionths of a tick.
    Ticks(u64),
    /// Millionths of a basis point of the mid now.
    Bp(u64),
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelKind {
    /// The mid at the horizon with the mid now.
    Mid,
    /// The mean mid over the horizon with the mid now.
    Mean,
    /// The mean mid over the horizon with the mean mid over as long before.
    Means,
    /// The mean of an odd number of mids around the horizon's update with the mid now.
    Around(u32),
    /// Which of two barriers at this distance is reached first.
    Barrier(Distance),
}

/// What a row is scored against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelRule {
    /// What is compared.
    pub kind: LabelKind,
    /// How far ahead.
    pub horizon: Horizon,
    /// Moves of at most this are ties.
    pub dead_band: Option<Distance>,
}

/// Why a text is not a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelRuleError {
    /// The kind.
    #[error("label '{0}' is none of mid:H, mean:H, means:H, around:H:W and barrier:H:D")]
    Kind(String),
    /// The horizon.
    #[error("horizon '{0}' is neither a number of updates from 1 to {HORIZON_MAX} nor a time from 1ms to 3600s")]
    Horizon(String),
    /// The window.
    #[error("'{0}' is not an odd number of updates from 3 to {WIDTH_MAX}, less than twice the horizon")]
    Width(String),
    /// A window around a time.
    #[error("around:H:W needs a horizon in updates")]
    AroundTime,
    /// A distance.
    #[error("distance '{0}' is not a number above 0 with its unit, as 2ticks or 0.5bp")]
    Distance(String),
    /// A dead band beside barriers.
    #[error("barriers have no dead band: a move that reaches neither is a tie")]
    BarrierBand,
}

impl LabelRule {
    /// The mid so many updates later with the mid now.
    pub fn mid_after(updates: u32) -> Self {
        Self { kind: LabelKind::Mid, horizon: Horizon::Updates(updates), dead_band: None }
    }

    /// How far it looks, in words.
    pub fn reach(&self) -> String {
        match self.span_updates() {
            Some(updates) if *self == Self::mid_after(updates) => format!("the horizon of {updates} updates"),
            _ => format!("the reach of label {self}"),
        }
    }

    /// What the label is the sign of, in words.
    pub fn meaning(&self) -> String {
        let horizon = match self.horizon {
            Horizon::Updates(1) => "1 update".into(),
            Horizon::Updates(updates) => format!("{updates} updates"),
            Horizon::Ns(_) => self.horizon.to_string(),
        };
        let of = match self.kind {
            LabelKind::Mid => format!("the mid's change over {horizon}"),
            LabelKind::Mean => format!("the mean mid over the next {horizon} less the mid"),
            LabelKind::Means => format!("the mean mid over the next {horizon} less that over the last"),
            LabelKind::Around(width) => format!("the mean of {width} mids around {horizon} later less the mid"),
            LabelKind::Barrier(distance) => format!("the mid's first move by {distance} within {horizon}"),
        };
        let band = self.dead_band.map_or(String::new(), |band| format!("; at most {band} is a tie"));
        format!("sign of {of}{band}")
    }

    /// The updates after which a label is known, where that is a number of updates.
    pub fn span_updates(&self) -> Option<u32> {
        match (self.horizon, self.kind) {
            (Horizon::Updates(updates), LabelKind::Around(width)) => Some(updates + width / 2),
            (Horizon::Updates(updates), _) => Some(updates),
            (Horizon::Ns(_), _) => None,
        }
    }
}

impl FromStr for Horizon {
    type Err = LabelRuleError;

    fn from_str(text: &str) -> Result<Self, LabelRuleError> {
        let wrong = || LabelRuleError::Horizon(text.chars().take(40).collect());
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let count: i64 = digits.parse().map_err(|_| wrong())?;
        let ns = |unit_ns: i64| count.checked_mul(unit_ns).filter(|ns| (NS_PER_MS..=HORIZON_NS_MAX).contains(ns));
        let horizon = match unit {
            "" => u32::try_from(count).ok().filter(|updates| (1..=HORIZON_MAX).contains(updates)).map(Self::Updates),
            "ms" => ns(NS_PER_MS).map(Self::Ns),
            "s" => ns(NS_PER_S).map(Self::Ns),
            _ => None,
        };
        horizon.ok_or_else(wrong)
    }
}

impl FromStr for Distance {
    type Err = LabelRuleError;

    fn from_str(text: &str) -> Result<Self, LabelRuleError> {
        let wrong = || LabelRuleError::Distance(text.chars().take(40).collect());
        let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?);
        let (whole, rest) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
        let is_decimal = !whole.is_empty() && whole.len() <= 7 && rest.len() <= 6 && !number.trim().ends_with('.');
        let digits = format!("{whole}{rest:0<6}");
        let count: Option<u64> = if is_decimal { digits.parse().ok() } else { None };
        let count = count.filter(|count| (1..=DISTANCE_MAX * MILLIONTHS).contains(count)).ok_or_else(wrong)?;
        match unit {
            "tick" | "ticks" => Ok(Self::Ticks(count)),
            "bp" => Ok(Self::Bp(count)),
            _ => Err(wrong()),
        }
    }
}

impl FromStr for LabelRule {
    type Err = LabelRuleError;

    fn from_str(text: &str) -> Result<Self, LabelRuleError> {
        let (of, dead_band) = match text.split_once(" band ") {
            Some((of, band)) => (of.trim(), Some(band.trim().parse()?)),
            None => (text.trim(), None),
        };
        let unknown = || LabelRuleError::Kind(text.chars().take(40).collect());
        let mut parts = of.split(':');
        let (kind, horizon, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(unknown());
        }
        let plain = match kind {
            "mid" => Some(LabelKind::Mid),
            "mean" => Some(LabelKind::Mean),
            "means" => Some(LabelKind::Means),
            "around" | "barrier" => None,
            _ => return Err(unknown()),
        };
        let horizon: Horizon = horizon.ok_or_else(unknown)?.parse()?;
        let kind = match (plain, more) {
            (Some(plain), None) => plain,
            (None, Some(width)) if kind == "around" => LabelKind::Around(around(width, horizon)?),
            (None, Some(distance)) => LabelKind::Barrier(distance.parse()?),
            _ => return Err(unknown()),
        };
        if matches!(kind, LabelKind::Barrier(_)) && dead_band.is_some() {
            return Err(LabelRuleError::BarrierBand);
        }
        Ok(Self { kind, horizon, dead_band })
    }
}

/// The width of a window around a horizon.
fn around(text: &str, horizon: Horizon) -> Result<u32, LabelRuleError> {
    let Horizon::Updates(updates) = horizon else { return Err(LabelRuleError::AroundTime) };
    let width = text.parse().ok().filter(|width: &u32| (3..=WIDTH_MAX).contains(width) && width % 2 == 1);
    // The window begins after now.
    let width = width.filter(|width| width / 2 < updates);
    width.ok_or_else(|| LabelRuleError::Width(text.chars().take(40).collect()))
}

impl fmt::Display for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updates(updates) => write!(f, "{updates}"),
            Self::Ns(ns) if ns % NS_PER_S == 0 => write!(f, "{}s", ns / NS_PER_S),
            Self::Ns(ns) => write!(f, "{}ms", ns / NS_PER_MS),
        }
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
            Self::Ticks(count) => (count, if count == MILLIONTHS { "tick" } else { "ticks" }),
            Self::Bp(count) => (count, "bp"),
        };
        let rest = format!("{:06}", count % MILLIONTHS);
        match rest.trim_end_matches('0') {
            "" => write!(f, "{}{unit}", count / MILLIONTHS),
            rest => write!(f, "{}.{rest}{unit}", count / MILLIONTHS),
        }
    }
}

impl fmt::Display for LabelRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let horizon = self.horizon;
        match self.kind {
            LabelKind::Mid => write!(f, "mid:{horizon}"),
            LabelKind::Mean => write!(f, "mean:{horizon}"),
            LabelKind::Means => write!(f, "means:{horizon}"),
            LabelKind::Around(width) => write!(f, "around:{horizon}:{width}"),
            LabelKind::Barrier(distance) => write!(f, "barrier:{horizon}:{distance}"),
        }?;
        self.dead_band.map_or(Ok(()), |band| write!(f, " band {band}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_they_are_written() {
        for text in [
            "mid:20",
            "mid:500ms",
            "mean:2s",
            "means:100",
            "around:20:5",
            "barrier:200:2ticks",
            "barrier:30s:0.5bp",
            "mid:20 band 1tick",
            "mean:20 band 0.25bp",
        ] {
            assert_eq!(text.parse::<LabelRule>().map(|rule| rule.to_string()), Ok(text.into()));
        }
        assert_eq!("mid:60000ms".parse::<LabelRule>().map(|rule| rule.to_string()), Ok("mid:60s".into()));
        assert_eq!("around:20:5".parse::<LabelRule>().map(|rule| rule.span_updates()), Ok(Some(22)));
    }

    #[test]
    fn rules_are_told_in_words() {
        for (text, words) in [
            ("mid:1", "sign of the mid's change over 1 update"),
            ("mid:20 band 1tick", "sign of the mid's change over 20 updates; at most 1tick is a tie"),
            ("mean:500ms", "sign of the mean mid over the next 500ms less the mid"),
            ("means:20", "sign of the mean mid over the next 20 updates less that over the last"),
            ("around:20:5", "sign of the mean of 5 mids around 20 updates later less the mid"),
            ("barrier:2s:0.5bp", "sign of the mid's first move by 0.5bp within 2s"),
        ] {
            assert_eq!(text.parse::<LabelRule>().map(|rule| rule.meaning()), Ok(words.into()));
        }
    }

    #[test]
    fn what_is_not_a_rule_is_named() {
        let kind = |text: &str| format!("label '{text}' is none of mid:H, mean:H, means:H, around:H:W and barrier:H:D");
        let horizon = |text: &str| {
            format!("horizon '{text}' is neither a number of updates from 1 to 100000 nor a time from 1ms to 3600s")
        };
        let distance =
            |text: &str| format!("distance '{text}' is not a number above 0 with its unit, as 2ticks or 0.5bp");
        let width = |text: &str| {
            format!("'{text}' is not an odd number of updates from 3 to 1001, less than twice the horizon")
        };
        for (text, error) in [
            ("", kind("")),
            ("median:20", kind("median:20")),
            ("mid", kind("mid")),
            ("mid:20:3", kind("mid:20:3")),
            ("mid:20:3:4", kind("mid:20:3:4")),
            ("mid:0", horizon("0")),
            ("mid:100001", horizon("100001")),
            ("mid:-1", horizon("-1")),
            ("mid:1h", horizon("1h")),
            ("mid:3601s", horizon("3601s")),
            ("mid:99999999999999999999s", horizon("99999999999999999999s")),
            ("around:20:4", width("4")),
            ("around:2:5", width("5")),
            ("around:20", kind("around:20")),
            ("around:20ms:5", "around:H:W needs a horizon in updates".into()),
            ("barrier:20:2", distance("2")),
            ("barrier:20:0ticks", distance("0ticks")),
            ("barrier:20:-1ticks", distance("-1ticks")),
            ("barrier:20:1.ticks", distance("1.ticks")),
            ("barrier:20:2px", distance("2px")),
            ("barrier:20:1e3bp", distance("1e3bp")),
            ("mid:20 band 1.0000001bp", distance("1.0000001bp")),
            ("barrier:20:1bp band 1bp", "barriers have no dead band: a move that reaches neither is a tie".into()),
        ] {
            assert_eq!(text.parse::<LabelRule>().map_err(|error| error.to_string()), Err(error), "{text}");
        }
    }
}
