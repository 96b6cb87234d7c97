//! What an exchange is started with, and why it may not start.

use super::faults::FaultSpec;
use super::tls::CertificateError;
use crate::base::output::OutputError;
use crate::capture::CaptureError;
use crate::exchange::message::Layout;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Everything that an exchange needs to know.
#[derive(Clone, Debug)]
pub struct ExchangeConfig {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// `wss://` if given, else `ws://`.
    pub tls: Option<TlsFiles>,
    /// Products to serve; none means `BTC-USD` of a synthetic source and all that a capture holds. A `-USDC` product is
    /// served as its `-USD` twin.
    pub products: Vec<String>,
    /// Where the market comes from.
    pub source: SourceConfig,
    /// How messages are laid out. A recording's frames stay as they were recorded; what the exchange adds to them is so.
    pub layout: Layout,
    /// A synthetic market's changes within so long go into one frame, see [`crate::exchange::market::Batches`]; zero: each is a frame by itself.
    pub batch: Duration,
    /// The market begins with the first level2 subscription instead of at once. `None`: as the source wants it, yes for
    /// captures, no for a synthetic market.
    pub start_on_subscribe: Option<bool>,
    /// When a capture is over, close the connections with code 1000. Otherwise they stay open, with heartbeats.
    pub close_at_end: bool,
    /// What goes wrong.
    pub faults: Vec<FaultSpec>,
    /// A file that gets, for the first client that subscribes to level2, a line `sequence_num wall_ns` per level2 frame:
    /// our wall clock in Unix nanoseconds just before the frame was given to the socket (to TLS, where there is TLS).
    /// A frame that had to wait behind earlier bytes has no line. Written when that client leaves or the exchange stops.
    pub send_log: Option<PathBuf>,
    /// Whether files that exist may be replaced.
    pub replace_files: bool,
    /// For so long before a frame falls due the exchange spins instead of sleeping, which makes pacing exact to about a
    /// microsecond and keeps a core busy. Zero never spins; frames then come some 60 µs late.
    pub spin: Duration,
    /// What clients may use up.
    pub limits: Limits,
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            products: Vec::new(),
            source: SourceConfig::default(),
            layout: Layout::default(),
            batch: Duration::ZERO,
            start_on_subscribe: None,
            close_at_end: false,
            faults: Vec::new(),
            send_log: None,
            replace_files: false,
            spin: Duration::ZERO,
            limits: Limits::default(),
        }
    }
}

/// Files around TLS. Certificates are made anew at each start.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// Gets the authority's certificate as PEM, for clients to trust.
    pub ca_out: Option<PathBuf>,
}

/// Where the market comes from.
#[derive(Clone, Debug)]
pub enum SourceConfig {
    /// One synthetic market per product.
    Synthetic {
        /// Decides, with the product's name, everything that is random.
        seed: u64,
        /// Mean frames a second of each product, before they are batched. `Pace::Speed` is not a pace for a market without a recorded one.
        pace: Pace,
        /// Levels of a product's first book, both sides together; see [`crate::exchange::market::MarketConfig`] for the bounds.
        snapshot_levels: usize,
    },
    /// A recording.
    Capture {
        /// The file; plain, gzip or zstd.
        path: PathBuf,
        /// How fast.
        pace: Pace,
        /// Begin again at the end, without end.
        looping: bool,
    },
}

impl SourceConfig {
    /// Whether the market was recorded.
    pub fn is_recorded(&self) -> bool {
        self.path().is_some()
    }

    /// The capture.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Capture { path, .. } => Some(path),
            Self::Synthetic { .. } => None,
        }
    }
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self::Synthetic { seed: 1, pace: Pace::Rate { frames_per_s: 200.0 }, snapshot_levels: 20_000 }
    }
}

/// How fast frames follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As recorded, this many times as fast.
    Speed {
        /// Above 0.
        factor: f64,
    },
    /// So many frames a second: evenly from a capture, in the mean from a synthetic market.
    Rate {
        /// Above 0, at most 1,000,000.
        frames_per_s: f64,
    },
    /// As fast as the slowest client reads.
    Max,
}

/// Why a text is not a replay speed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a speed: 1x, 10x, 0.5x, … or max")]
pub struct SpeedError(String);

impl FromStr for Pace {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        text.strip_suffix('x')
            .and_then(|factor| factor.parse().ok())
            .filter(|&factor: &f64| factor.is_finite() && factor > 0.0)
            .map(|factor| Self::Speed { factor })
            .ok_or_else(|| SpeedError(text.into()))
    }
}

/// What clients may use up before the exchange lets go of them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; more are closed unheard.
    pub clients_max: usize,
    /// Bytes that may wait for one client. A client that lets more gather is slow and is disconnected.
    pub outbox_bytes_max: usize,
    /// A client that takes nothing for so long while bytes wait for it is slow too.
    pub blocked_max: Duration,
    /// A connection without a level2 or heartbeats subscription after so long is closed, as the venue does it. The
    /// TLS and websocket handshakes have the same time.
    pub subscribe_within: Duration,
    /// Level2 products on one connection. The venue allows 16 and refuses 32.
    pub level2_streams_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients_max: 256,
            outbox_bytes_max: 16 << 20,
            blocked_max: Duration::from_secs(10),
            subscribe_within: Duration::from_secs(5),
            level2_streams_max: 16,
        }
    }
}

/// Why an exchange did not start or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system's readiness queue or a thread cannot be had.
    #[error("cannot start the exchange: {0}")]
    System(io::Error),
    /// Certificates could not be made.
    #[error("cannot make the exchange's certificates: {0}")]
    Certificates(#[from] CertificateError),
    /// A file cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A pipe or a device, of which a second reading would not give the same.
    #[error("{path} is no file; an exchange reads its capture twice, so save it to one first")]
    NotAFile {
        /// Its name.
        path: PathBuf,
    },
    /// The capture has nothing to serve.
    #[error("capture {path} holds no level2 frames in its first {lines} lines")]
    NoLevel2 {
        /// The file.
        path: PathBuf,
        /// Lines looked at.
        lines: u64,
    },
    /// The pace is out of its range, or needs a recording.
    #[error(
        "a {source_name} source cannot be paced at {pace:?}; a rate lies above 0 and at most 1,000,000 frames a second"
    )]
    Pace {
        /// `synthetic` or `capture`.
        source_name: &'static str,
        /// The pace asked for.
        pace: Pace,
    },
    /// A certificate fault without TLS.
    #[error("fault '{fault}' needs TLS: start the exchange with it")]
    FaultNeedsTls {
        /// The fault.
        fault: FaultSpec,
    },
    /// The exchange's thread has ended.
    #[error("the exchange has stopped")]
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_speeds() {
        assert_eq!("max".parse(), Ok(Pace::Max));
        assert_eq!("1x".parse(), Ok(Pace::Speed { factor: 1.0 }));
        assert_eq!("0.5x".parse(), Ok(Pace::Speed { factor: 0.5 }));
        for text in ["", "x", "1", "0x", "-1x", "nanx", "infx", "Max", "1 x"] {
            let error = text.parse::<Pace>().expect_err(text);
            assert_eq!(error.to_string(), format!("'{text}' is not a speed: 1x, 10x, 0.5x, … or max"));
        }
    }
}
