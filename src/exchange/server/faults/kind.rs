//! The kinds of faults and what each strikes.

use std::fmt;

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
    /// After the frame level2 and the prints fall silent while heartbeats go on, numbered without a gap. With an amount, a
    /// fresh snapshot follows after that time; without, the silence lasts until the client leaves.
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
    /// After the frame comes a bid one per cent above the best ask, and never its removal: the book stays crossed.
    LostRemoval,
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
    /// The oldest print of a message is left out, so that its number is missing; a message of one print is not sent.
    LostPrint,
    /// The acknowledgement lists nothing.
    AckEmpty,
    /// The acknowledgement lists the heartbeats alone, neither books nor prints.
    AckPartial,
    /// The acknowledgement lists `null`.
    AckNull,
    /// The acknowledgement comes late by the amount (3 s), and those after it wait.
    AckLate,
}

/// What a fault can strike, and what its `MOMENT` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// A level2 frame of the market that at least one connection receives.
    Frame,
    /// A message of prints that at least one connection receives.
    Prints,
    /// A snapshot about to be sent in answer to a subscribe.
    Snapshot,
    /// A request about to be acknowledged.
    Acknowledgement,
    /// A connection that was accepted.
    Connection,
}

/// What the number behind a kind's colon means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AmountKind {
    None,
    Duration,
    Count { max: u64 },
}

impl FaultKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 30] = [
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
        Self::LostRemoval,
        Self::HugeNumber,
        Self::Handshake503,
        Self::HandshakeHang,
        Self::ExpiredCert,
        Self::WrongHostCert,
        Self::PingFlood,
        Self::LostPrint,
        Self::AckEmpty,
        Self::AckPartial,
        Self::AckNull,
        Self::AckLate,
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
            Self::LostRemoval => "lost-removal",
            Self::HugeNumber => "huge-number",
            Self::Handshake503 => "handshake-503",
            Self::HandshakeHang => "handshake-hang",
            Self::ExpiredCert => "expired-cert",
            Self::WrongHostCert => "wrong-host-cert",
            Self::PingFlood => "ping-flood",
            Self::LostPrint => "lost-print",
            Self::AckEmpty => "ack-empty",
            Self::AckPartial => "ack-partial",
            Self::AckNull => "ack-null",
            Self::AckLate => "ack-late",
        }
    }

    /// What it does, in a few words for a list: the amount, if it takes one, with its default.
    pub fn about(self) -> &'static str {
        match self {
            Self::Gap => "withholds a frame, whose number is used up",
            Self::Repeat => "sends a frame twice",
            Self::Disconnect => "closes the websocket with code 1001",
            Self::DisconnectFin => "ends the TCP connection without a close frame",
            Self::DisconnectRst => "resets the TCP connection",
            Self::Stall => "sends nothing for TIME, or for good",
            Self::SilentBook => "sends heartbeats alone for TIME, or for good",
            Self::Malformed => "cuts a frame's text",
            Self::InvalidUtf8 => "spoils a frame's UTF-8",
            Self::UnknownChannel => "sends a message of an unknown channel",
            Self::Error => "sends an error message",
            Self::Fragmented => "cuts a message into frames of N bytes [64]",
            Self::Dribble => "writes a frame N bytes at a time [7]",
            Self::Oversized => "sends a frame above 64 MiB",
            Self::OversizedFragments => "sends a message above 64 MiB in fragments",
            Self::LateSnapshot => "sends a snapshot late by TIME [3s]",
            Self::OffTick => "sends a bid off the tick, then its removal",
            Self::Crossed => "sends a bid above the best ask, then its removal",
            Self::LostRemoval => "sends a bid above the best ask and no removal: the book stays crossed",
            Self::HugeNumber => "sends a size of 30 digits, then the true one",
            Self::Handshake503 => "answers the websocket handshake with status 503",
            Self::HandshakeHang => "does not answer the handshake for TIME, or at all",
            Self::ExpiredCert => "shows an expired certificate; needs --tls",
            Self::WrongHostCert => "shows another host's certificate; needs --tls",
            Self::PingFlood => "sends N pings [1000]",
            Self::LostPrint => "leaves out a print, whose number is missing then",
            Self::AckEmpty => "acknowledges nothing: {}",
            Self::AckPartial => "acknowledges the heartbeats alone, neither books nor prints",
            Self::AckNull => "acknowledges null",
            Self::AckLate => "sends an acknowledgement late by TIME [3s]",
        }
    }

    /// What the fault strikes.
    pub fn occasion(self) -> Occasion {
        match self {
            Self::LateSnapshot => Occasion::Snapshot,
            Self::LostPrint => Occasion::Prints,
            Self::AckEmpty | Self::AckPartial | Self::AckNull | Self::AckLate => Occasion::Acknowledgement,
            Self::Handshake503 | Self::HandshakeHang | Self::ExpiredCert | Self::WrongHostCert => Occasion::Connection,
            _ => Occasion::Frame,
        }
    }

    /// Whether the fault can only strike a TLS handshake.
    pub fn needs_tls(self) -> bool {
        matches!(self, Self::ExpiredCert | Self::WrongHostCert)
    }

    pub(super) fn amount_kind(self) -> AmountKind {
        match self {
            Self::Stall | Self::SilentBook | Self::LateSnapshot | Self::HandshakeHang | Self::AckLate => {
                AmountKind::Duration
            }
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
