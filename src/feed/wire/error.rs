//! What can be wrong with a connection's settings, and what can go wrong with the connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rustls::CertificateError;
use tungstenite::error::{CapacityError, ProtocolError};

/// Settings that no connection can be made with. Each text is one line with its cause in it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No `://` in the URL.
    #[error("the URL has no scheme; it begins with wss://")]
    NoScheme,
    /// Another scheme than `ws` and `wss`.
    #[error("'{scheme}://' is not a websocket scheme; use wss://, or ws:// for this machine")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// Nothing to connect to.
    #[error("the URL names no host")]
    NoHost,
    /// A port that is no number from 1 to 65535.
    #[error("'{port}' is not a port from 1 to 65535")]
    Port {
        /// The text in its place.
        port: String,
    },
    /// Credentials in the URL; they would end up in logs. The text does not quote them.
    #[error("the URL must not carry a user name or password")]
    UserInfo,
    /// Otherwise not a URL.
    #[error("the URL is malformed: {cause}")]
    Url {
        /// What the parser said.
        cause: String,
    },
    /// An unencrypted connection that would leave this machine.
    #[error("ws:// to '{host}' would not be encrypted; use wss://, or --allow-plaintext")]
    Plaintext {
        /// The host.
        host: String,
    },
    /// A host that no certificate could be valid for.
    #[error("'{host}' is not a name or address that a certificate can be checked against")]
    ServerName {
        /// The host.
        host: String,
    },
    /// The file of root certificates cannot be read, or is no PEM.
    #[error("cannot read root certificates from '{}': {cause}", path.display())]
    CaUnreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The file of root certificates has none.
    #[error("'{}' holds no certificate in PEM form", path.display())]
    CaEmpty {
        /// The file.
        path: PathBuf,
    },
}

/// The steps of connecting, for the errors that happen in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The host's name is resolved.
    Resolve,
    /// TCP.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The HTTP request that turns into a websocket.
    Upgrade,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Resolve => "name resolution",
            Self::Connect => "connect",
            Self::Tls => "TLS handshake",
            Self::Upgrade => "websocket upgrade",
        })
    }
}

/// Why there is no connection, or no more. Each text is one line with its cause in it.
///
/// Except for [`Self::Backlogged`] the connection is of no further use.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The stop flag was set while connecting.
    #[error("stopped while connecting")]
    Stopped,
    /// The name has no address, or the resolver does not answer.
    #[error("cannot resolve '{host}': {cause}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        cause: io::Error,
    },
    /// A name that should mean this machine means another, and `ws://` is not allowed to leave this one.
    #[error("'{host}' is {address}, not this machine: ws:// would not be encrypted; use wss://, or --allow-plaintext")]
    NotLoopback {
        /// The name.
        host: String,
        /// What it resolved to.
        address: SocketAddr,
    },
    /// None of the addresses took the connection; this is about the last of them.
    #[error("cannot connect to {address}: {cause}")]
    Connect {
        /// The address tried last.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// A step of connecting took too long.
    #[error("no answer within {limit:?} ({stage})")]
    Timeout {
        /// The step.
        stage: Stage,
        /// The time that was allowed for it and the steps that share its limit.
        limit: Duration,
    },
    /// The peer ended the connection while it was being made.
    #[error("the peer hung up ({stage})")]
    HungUp {
        /// The step.
        stage: Stage,
    },
    /// The peer's certificate does not prove that it is the host.
    #[error("the certificate of '{host}' is not valid: {cause}{}", certificate_hint(cause))]
    Certificate {
        /// The host of the URL.
        host: String,
        /// What is wrong with the certificate.
        cause: CertificateError,
    },
    /// TLS failed otherwise.
    #[error("TLS failed: {0}")]
    Tls(Box<rustls::Error>),
    /// The server answered the websocket upgrade with an HTTP status other than 101.
    #[error("the server answered the websocket upgrade with {}", status_text(*status))]
    Upgrade {
        /// The status code.
        status: u16,
    },
    /// The server's answer to the websocket upgrade is not a valid one.
    #[error("the websocket upgrade failed: {0}")]
    Handshake(Box<tungstenite::Error>),

    /// The stream ended without a close frame.
    #[error("the connection ended without a close frame")]
    Eof,
    /// The connection was reset.
    #[error("the connection was reset by the peer")]
    Reset,
    /// The system reported another error of the socket.
    #[error("the connection failed: {0}")]
    Io(io::Error),
    /// A binary message; the feed has none.
    #[error("a binary message of {length} bytes arrived; the feed sends text")]
    Binary {
        /// Its payload in bytes.
        length: usize,
    },
    /// A text message that is not UTF-8.
    #[error("a text message arrived that is not valid UTF-8")]
    InvalidUtf8,
    /// A message beyond the limit; found by its header, before memory is set aside for it.
    #[error("a message of {length} bytes arrived; the limit is {limit}")]
    TooLong {
        /// Its payload in bytes, or that of its fragments so far.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The peer broke the websocket protocol (RFC 6455).
    #[error("websocket protocol violation: {0}")]
    Protocol(ProtocolError),
    /// The peer does not read what is sent and the buffer is full. The message was not queued; the connection stands.
    #[error("the peer does not read: the message was not sent")]
    Backlogged,
    /// Used after a close frame or an error.
    #[error("the connection has ended")]
    Ended,
}

fn certificate_hint(cause: &CertificateError) -> &'static str {
    match cause {
        CertificateError::UnknownIssuer => " (add the root certificate that issued it with --ca-cert)",
        // An authority made anew under the same name, as the local exchange's is at each start.
        CertificateError::BadSignature => {
            " (its issuer has another key than the trusted root: is --ca-cert out of date?)"
        }
        _ => "",
    }
}

fn status_text(status: u16) -> String {
    tungstenite::http::StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |code| format!("HTTP {code}"))
}

impl WireError {
    /// For an error of the socket or of TLS below the websocket.
    pub(super) fn from_io(host: &str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                return Self::Reset;
            }
            io::ErrorKind::UnexpectedEof => return Self::Eof,
            _ => {}
        }
        match error.downcast::<rustls::Error>() {
            Ok(rustls::Error::InvalidCertificate(cause)) => Self::Certificate { host: host.to_owned(), cause },
            Ok(tls) => Self::Tls(Box::new(tls)),
            Err(other) => Self::Io(other),
        }
    }

    /// For an error of a websocket that is up.
    pub(super) fn from_websocket(host: &str, error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => Self::Ended,
            tungstenite::Error::Io(cause) => Self::from_io(host, cause),
            tungstenite::Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                Self::TooLong { length: size, limit: max_size }
            }
            tungstenite::Error::Utf8(_) => Self::InvalidUtf8,
            tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Eof,
            tungstenite::Error::Protocol(ProtocolError::SendAfterClosing) => Self::Ended,
            tungstenite::Error::Protocol(cause) => Self::Protocol(cause),
            tungstenite::Error::WriteBufferFull(_) => Self::Backlogged,
            other => Self::Io(io::Error::other(other)),
        }
    }

    /// For an error of the upgrade.
    pub(super) fn from_upgrade(host: &str, error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(response) => Self::Upgrade { status: response.status().as_u16() },
            tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => Self::HungUp { stage: Stage::Upgrade },
            tungstenite::Error::Io(cause) => Self::from_io(host, cause).during(Stage::Upgrade),
            other => Self::Handshake(Box::new(other)),
        }
    }

    /// The same, said of a step of connecting.
    pub(super) fn during(self, stage: Stage) -> Self {
        match self {
            Self::Eof => Self::HungUp { stage },
            other => other,
        }
    }
}
