//! The names of features, in and out, and what they mean.

use std::fmt;
use std::str::FromStr;

/// The deepest level that a feature may look at.
pub const DEPTH_MAX: u8 = 10;
/// The longest history in updates that a feature may look back on.
pub const HISTORY_MAX: u32 = 10_000;
/// The longest history in milliseconds that a feature of the tape may look back on.
pub const WINDOW_MS_MAX: u32 = 60_000;

/// How far back a feature of the tape looks from a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// To the frame so many updates before: the prints received between that frame and this one.
    Updates(u32),
    /// So many milliseconds: the prints received before the frame, and later than its receive time less these.
    Millis(u32),
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updates(k) => write!(f, "{k}"),
            Self::Millis(t) => write!(f, "{t}ms"),
        }
    }
}

/// A number computed from the book after a frame.
///
/// Levels are 1-based, best first. Prices are in quote units, sizes in base units. An *update* is a frame of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Best bid − best ask; negative in an ordinary book.
    BidMinusAsk,
    /// Size of a bid level.
    BidSize(u8),
    /// Size of an ask level.
    AskSize(u8),
    /// Price of a bid level.
    BidPrice(u8),
    /// Price of an ask level.
    AskPrice(u8),
    /// Natural logarithm of a bid level's size.
    LnBidSize(u8),
    /// Natural logarithm of an ask level's size.
    LnAskSize(u8),
    /// (B − A) / (B + A), with B and A the sizes summed over levels 1..N.
    Imbalance(u8),
    /// Σ price·size / Σ size over bid levels 1..N.
    BidVwap(u8),
    /// Σ price·size / Σ size over ask levels 1..N.
    AskVwap(u8),
    /// Natural logarithm of [`Feature::BidVwap`].
    LnBidVwap(u8),
    /// Natural logarithm of [`Feature::AskVwap`].
    LnAskVwap(u8),
    /// (best bid + best ask) / 2.
    Mid,
    /// Microprice − mid, the microprice being the best prices weighted by the opposite sizes: (P_bid·A + P_ask·B) / (A + B).
    MicropriceMinusMid,
    /// Best ask − best bid in ticks of the session: those of the first live book.
    SpreadTicks,
    /// (mid − mid K updates back) / mid K updates back.
    MidReturn(u32),
    /// Order-flow imbalance over levels 1..N, summed over the last K updates (Cont, Kukanov and Stoikov 2014).
    Ofi {
        /// N.
        levels: u8,
        /// K.
        updates: u32,
    },
    /// Updates since the mid last changed, or since the snapshot if it has not changed since; 0 in the update that changes it.
    UpdatesSinceMidChange,
    /// Seconds between the receive times of the previous update and this one.
    SecondsSinceUpdate,
    /// Size of the prints whose taker bought less that of those whose taker sold.
    PrintSignedVolume(Window),
    /// Number of prints.
    PrintCount(Window),
    /// (B − S) / (B + S), with B and S the sizes of prints whose taker bought and sold; 0 without any.
    PrintImbalance(Window),
    /// Σ price·size / Σ size over prints, less the mid of the frame; 0 without any.
    PrintVwapMinusMid(Window),
    /// Seconds between the receive times of the last print and of this frame; before any print, since the first frame of the
    /// history.
    SecondsSincePrint,
    /// 1 if the last print's taker bought, −1 if it sold, 0 before any print.
    LastPrintSide,
}

/// The features of a plain `.txt` model, in order: those of the original program.
pub const SEED: [Feature; 28] = {
    use Feature::*;
    [
        BidMinusAsk,
        BidSize(1),
        BidSize(2),
        BidSize(3),
        AskSize(1),
        AskSize(2),
        AskSize(3),
        BidPrice(1),
        BidPrice(2),
        BidPrice(3),
        AskPrice(1),
        AskPrice(2),
        AskPrice(3),
        LnBidSize(1),
        LnBidSize(2),
        LnBidSize(3),
        LnBidSize(4),
        LnBidSize(5),
        LnAskSize(1),
        LnAskSize(2),
        LnAskSize(3),
        LnAskSize(4),
        LnAskSize(5),
        Imbalance(1),
        BidVwap(10),
        AskVwap(10),
        LnBidVwap(10),
        LnAskVwap(10),
    ]
};

/// A row of the catalogue: a family of features.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name with its parameters as capital letters.
    pub pattern: &'static str,
    /// How it is computed.
    pub formula: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

/// Every family that can be named in a model. N is a depth from 1 to [`DEPTH_MAX`], K a number of updates from 1 to
/// [`HISTORY_MAX`], T a number of milliseconds from 1 to [`WINDOW_MS_MAX`].
pub const CATALOGUE: [Family; 29] = {
    /// Trades signed by who took liquidity.
    const SIGNED: &str = "Lee and Ready 1991; the venue tells the taker";
    /// As a share of the volume.
    const IMBALANCE: &str = "Chordia, Roll and Subrahmanyam 2002";
    const fn family(pattern: &'static str, formula: &'static str, unit: &'static str, source: &'static str) -> Family {
        Family { pattern, formula, unit, source }
    }
    [
        family("bid_minus_ask", "best bid − best ask", "quote", "original program, 0"),
        family("bid_size_N", "size of bid level N", "base", "original program, 1–3"),
        family("ask_size_N", "size of ask level N", "base", "original program, 4–6"),
        family("bid_price_N", "price of bid level N", "quote", "original program, 7–9"),
        family("ask_price_N", "price of ask level N", "quote", "original program, 10–12"),
        family("ln_bid_size_N", "ln(bid_size_N)", "ln base", "original program, 13–17"),
        family("ln_ask_size_N", "ln(ask_size_N)", "ln base", "original program, 18–22"),
        family(
            "imbalance_N",
            "(B − A) / (B + A); B, A: bid, ask sizes summed over levels 1..N",
            "−1 to 1",
            "original program, 23; Cao, Hansch and Wang 2009 for N > 1",
        ),
        family("bid_vwap_N", "Σ price·size / Σ size over bid levels 1..N", "quote", "original program, 24"),
        family("ask_vwap_N", "Σ price·size / Σ size over ask levels 1..N", "quote", "original program, 25"),
        family("ln_bid_vwap_N", "ln(bid_vwap_N)", "ln quote", "original program, 26"),
        family("ln_ask_vwap_N", "ln(ask_vwap_N)", "ln quote", "original program, 27"),
        family("mid", "(best bid + best ask) / 2", "quote", "—"),
        family(
            "microprice_minus_mid",
            "(best bid · A + best ask · B) / (A + B) − mid; B, A: sizes at the best bid and ask",
            "quote",
            "Gatheral and Oomen 2010",
        ),
        family("spread_ticks", "best ask − best bid", "ticks of the session", "—"),
        family("mid_return_K", "(mid − mid K updates back) / mid K updates back", "1", "—"),
        family(
            "ofi_N_K",
            "Σ over the last K updates and levels 1..N of the order-flow imbalance e",
            "base",
            "Cont, Kukanov and Stoikov 2014, eq. 1; by level: Xu, Gould and Howison 2018",
        ),
        family("updates_since_mid_change", "updates since the mid changed, or since the snapshot", "updates", "—"),
        family("seconds_since_update", "receive time − receive time of the previous update", "s", "—"),
        family(
            "print_signed_volume_K",
            "B − S; B, S: sizes bought, sold by takers in the last K updates",
            "base",
            SIGNED,
        ),
        family("print_signed_volume_Tms", "the same in the last T ms", "base", SIGNED),
        family("print_count_K", "prints in the last K updates", "prints", "—"),
        family("print_count_Tms", "the same in the last T ms", "prints", "—"),
        family("print_imbalance_K", "(B − S) / (B + S) in the last K updates; 0 without prints", "−1 to 1", IMBALANCE),
        family("print_imbalance_Tms", "the same in the last T ms", "−1 to 1", IMBALANCE),
        family(
            "print_vwap_minus_mid_K",
            "Σ price·size / Σ size of prints in the last K updates − mid; 0 without prints",
            "quote",
            "—",
        ),
        family("print_vwap_minus_mid_Tms", "the same in the last T ms", "quote", "—"),
        family("seconds_since_print", "receive time − receive time of the last print, or of the snapshot", "s", "—"),
        family("last_print_side", "1: the last print's taker bought; −1: sold; 0: no print yet", "−1, 0, 1", "—"),
    ]
};

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BidMinusAsk => f.write_str("bid_minus_ask"),
            Self::BidSize(n) => write!(f, "bid_size_{n}"),
            Self::AskSize(n) => write!(f, "ask_size_{n}"),
            Self::BidPrice(n) => write!(f, "bid_price_{n}"),
            Self::AskPrice(n) => write!(f, "ask_price_{n}"),
            Self::LnBidSize(n) => write!(f, "ln_bid_size_{n}"),
            Self::LnAskSize(n) => write!(f, "ln_ask_size_{n}"),
            Self::Imbalance(n) => write!(f, "imbalance_{n}"),
            Self::BidVwap(n) => write!(f, "bid_vwap_{n}"),
            Self::AskVwap(n) => write!(f, "ask_vwap_{n}"),
            Self::LnBidVwap(n) => write!(f, "ln_bid_vwap_{n}"),
            Self::LnAskVwap(n) => write!(f, "ln_ask_vwap_{n}"),
            Self::Mid => f.write_str("mid"),
            Self::MicropriceMinusMid => f.write_str("microprice_minus_mid"),
            Self::SpreadTicks => f.write_str("spread_ticks"),
            Self::MidReturn(k) => write!(f, "mid_return_{k}"),
            Self::Ofi { levels, updates } => write!(f, "ofi_{levels}_{updates}"),
            Self::UpdatesSinceMidChange => f.write_str("updates_since_mid_change"),
            Self::SecondsSinceUpdate => f.write_str("seconds_since_update"),
            Self::PrintSignedVolume(window) => write!(f, "print_signed_volume_{window}"),
            Self::PrintCount(window) => write!(f, "print_count_{window}"),
            Self::PrintImbalance(window) => write!(f, "print_imbalance_{window}"),
            Self::PrintVwapMinusMid(window) => write!(f, "print_vwap_minus_mid_{window}"),
            Self::SecondsSincePrint => f.write_str("seconds_since_print"),
            Self::LastPrintSide => f.write_str("last_print_side"),
        }
    }
}

/// A name that is not in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// No such name.
    #[error("unknown feature '{0}'; `papertrader features --list` names all")]
    Unknown(String),
    /// A depth out of range.
    #[error("feature '{0}': the depth goes from 1 to {DEPTH_MAX}")]
    Depth(String),
    /// A history out of range.
    #[error("feature '{0}': the number of updates goes from 1 to {HISTORY_MAX}")]
    History(String),
    /// A span of time out of range.
    #[error("feature '{0}': the number of milliseconds goes from 1 to {WINDOW_MS_MAX}")]
    Millis(String),
}

impl FromStr for Feature {
    type Err = FeatureError;

    fn from_str(name: &str) -> Result<Self, FeatureError> {
        let unknown = || FeatureError::Unknown(name.into());
        let depth = |digits: &str| -> Result<u8, FeatureError> {
            let depth = number(digits).ok_or_else(unknown)?;
            u8::try_from(depth)
                .ok()
                .filter(|depth| (1..=DEPTH_MAX).contains(depth))
                .ok_or_else(|| FeatureError::Depth(name.into()))
        };
        let history = |digits: &str| -> Result<u32, FeatureError> {
            let history = number(digits).ok_or_else(unknown)?;
            u32::try_from(history)
                .ok()
                .filter(|history| (1..=HISTORY_MAX).contains(history))
                .ok_or_else(|| FeatureError::History(name.into()))
        };
        let window = |parameter: &str| -> Result<Window, FeatureError> {
            let Some(digits) = parameter.strip_suffix("ms") else { return history(parameter).map(Window::Updates) };
            let millis = number(digits).ok_or_else(unknown)?;
            u32::try_from(millis)
                .ok()
                .filter(|millis| (1..=WINDOW_MS_MAX).contains(millis))
                .map(Window::Millis)
                .ok_or_else(|| FeatureError::Millis(name.into()))
        };
        match name {
            "bid_minus_ask" => return Ok(Self::BidMinusAsk),
            "mid" => return Ok(Self::Mid),
            "microprice_minus_mid" => return Ok(Self::MicropriceMinusMid),
            "spread_ticks" => return Ok(Self::SpreadTicks),
            "updates_since_mid_change" => return Ok(Self::UpdatesSinceMidChange),
            "seconds_since_update" => return Ok(Self::SecondsSinceUpdate),
            "seconds_since_print" => return Ok(Self::SecondsSincePrint),
            "last_print_side" => return Ok(Self::LastPrintSide),
            _ => {}
        }
        if let Some(parameters) = name.strip_prefix("ofi_") {
            let (levels, updates) = parameters.split_once('_').ok_or_else(unknown)?;
            return Ok(Self::Ofi { levels: depth(levels)?, updates: history(updates)? });
        }
        let (family, parameter) = name.rsplit_once('_').ok_or_else(unknown)?;
        Ok(match family {
            "bid_size" => Self::BidSize(depth(parameter)?),
            "ask_size" => Self::AskSize(depth(parameter)?),
            "bid_price" => Self::BidPrice(depth(parameter)?),
            "ask_price" => Self::AskPrice(depth(parameter)?),
            "ln_bid_size" => Self::LnBidSize(depth(parameter)?),
            "ln_ask_size" => Self::LnAskSize(depth(parameter)?),
            "imbalance" => Self::Imbalance(depth(parameter)?),
            "bid_vwap" => Self::BidVwap(depth(parameter)?),
            "ask_vwap" => Self::AskVwap(depth(parameter)?),
            "ln_bid_vwap" => Self::LnBidVwap(depth(parameter)?),
            "ln_ask_vwap" => Self::LnAskVwap(depth(parameter)?),
            "mid_return" => Self::MidReturn(history(parameter)?),
            "print_signed_volume" => Self::PrintSignedVolume(window(parameter)?),
            "print_count" => Self::PrintCount(window(parameter)?),
            "print_imbalance" => Self::PrintImbalance(window(parameter)?),
            "print_vwap_minus_mid" => Self::PrintVwapMinusMid(window(parameter)?),
            _ => return Err(unknown()),
        })
    }
}

/// A plain decimal number: one way to write each, so that names compare.
fn number(digits: &str) -> Option<u64> {
    let canonical = !digits.starts_with('0') || digits == "0";
    (canonical && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().unwrap_or(u64::MAX))
        .filter(|_| !digits.is_empty())
}

impl Feature {
    /// How many bid levels and ask levels it looks at.
    pub fn depth(self) -> (u8, u8) {
        match self {
            Self::BidSize(n) | Self::BidPrice(n) | Self::LnBidSize(n) | Self::BidVwap(n) | Self::LnBidVwap(n) => (n, 0),
            Self::AskSize(n) | Self::AskPrice(n) | Self::LnAskSize(n) | Self::AskVwap(n) | Self::LnAskVwap(n) => (0, n),
            Self::Imbalance(n) | Self::Ofi { levels: n, .. } => (n, n),
            Self::BidMinusAsk
            | Self::Mid
            | Self::MicropriceMinusMid
            | Self::SpreadTicks
            | Self::MidReturn(_)
            | Self::UpdatesSinceMidChange
            | Self::PrintVwapMinusMid(_) => (1, 1),
            Self::SecondsSinceUpdate
            | Self::PrintSignedVolume(_)
            | Self::PrintCount(_)
            | Self::PrintImbalance(_)
            | Self::SecondsSincePrint
            | Self::LastPrintSide => (0, 0),
        }
    }

    /// How many updates after a snapshot it needs before it has a value.
    pub fn history(self) -> u32 {
        match self {
            Self::MidReturn(k) | Self::Ofi { updates: k, .. } => k,
            Self::SecondsSinceUpdate => 1,
            _ => match self.window() {
                Some(Window::Updates(k)) => k,
                _ => 0,
            },
        }
    }

    /// How far back on the tape it looks, if it sums over prints.
    pub fn window(self) -> Option<Window> {
        match self {
            Self::PrintSignedVolume(window)
            | Self::PrintCount(window)
            | Self::PrintImbalance(window)
            | Self::PrintVwapMinusMid(window) => Some(window),
            _ => None,
        }
    }

    /// Whether it is a feature of the tape, which a capture or a session without prints does not feed.
    pub fn reads_tape(self) -> bool {
        self.window().is_some() || matches!(self, Self::SecondsSincePrint | Self::LastPrintSide)
    }
}
