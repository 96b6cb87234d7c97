//! From a URL to a websocket: resolve, connect, TLS, upgrade, each bounded in time.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::base::clock::Clock;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tungstenite::WebSocket;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::header::{HeaderValue, USER_AGENT};
use tungstenite::protocol::WebSocketConfig;

use super::Wire;
use super::endpoint::Endpoint;
use super::error::{ConfigError, Stage, WireError};
use super::receive::Stamping;
use super::stream::{Socket, Stream, TlsStream};
use super::tls::client_config;

/// The longest message accepted by default, and so the longest frame: 64 MiB. Snapshots of several MiB in one frame are
/// common; tungstenite's own limit for a frame is 16 MiB.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// The time for resolving the venue's name and connecting, unless the caller says otherwise.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// The time for the TLS handshake and the websocket upgrade together, unless the caller says otherwise.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// The longest answer to the websocket upgrade. It is tungstenite's bound, which also ends an answer that dribbles in
/// more than 512 portions.
pub const HANDSHAKE_BYTES_MAX: usize = 64 << 10;

/// Bytes that the websocket asks its stream for at once.
///
/// One TLS record's worth. It zeroes that much before each read, and so on each idle turn of a spinning thread:
/// measured, an idle turn takes 0.56 µs with 16 KiB, 0.37 of them the system call, and 1.6 µs with the default of 128.
const READ_BUFFER_BYTES: usize = 16 << 10;

/// What may wait to be sent before [`WireError::Backlogged`]. A client of the feed sends a few hundred bytes in all.
const WRITE_BACKLOG_BYTES_MAX: usize = 256 << 10;

/// The longest wait while connecting before the stop flag is looked at again.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// How to connect.
#[derive(Clone, Debug)]
pub struct WireConfig {
    /// `wss://…`, or `ws://…` to this machine.
    pub url: String,
    /// A file of PEM certificates to trust as roots besides the public ones.
    pub extra_ca: Option<PathBuf>,
    /// Lets `ws://` leave this machine.
    pub allow_plaintext: bool,
    /// The time for resolving the name and connecting to one of its addresses.
    pub connect_timeout: Duration,
    /// The time for the TLS handshake and the websocket upgrade together.
    pub handshake_timeout: Duration,
    /// The longest message accepted, in bytes of payload.
    pub message_bytes_max: usize,
}

impl WireConfig {
    /// The defaults for a URL: [`CONNECT_TIME_MAX`], [`HANDSHAKE_TIME_MAX`], [`MESSAGE_BYTES_MAX`].
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            extra_ca: None,
            allow_plaintext: false,
            connect_timeout: CONNECT_TIME_MAX,
            handshake_timeout: HANDSHAKE_TIME_MAX,
            message_bytes_max: MESSAGE_BYTES_MAX,
        }
    }
}

/// Makes connections to one URL; kept over reconnects, for its roots are parsed once and TLS sessions are resumed.
#[derive(Debug)]
pub struct Connector {
    endpoint: Endpoint,
    tls: Option<Tls>,
    websocket: WebSocketConfig,
    connect_timeout: Duration,
    handshake_timeout: Duration,
    _stamping: Stamping,
}

#[derive(Debug)]
struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Connector {
    /// Checks the settings and loads the root certificates. Connects to nothing.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn new(config: &WireConfig) -> Result<Self, ConfigError> {
        let endpoint = Endpoint::parse(&config.url, config.allow_plaintext)?;
        let tls = if endpoint.tls {
            let name = ServerName::try_from(endpoint.host.clone())
                .map_err(|_| ConfigError::ServerName { host: endpoint.host.clone() })?;
            Some(Tls { config: client_config(config.extra_ca.as_deref())?, name })
        } else {
            None
        };
        let websocket = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BACKLOG_BYTES_MAX)
            .max_message_size(Some(config.message_bytes_max))
            .max_frame_size(Some(config.message_bytes_max));
        let (connect_timeout, handshake_timeout) = (config.connect_timeout, config.handshake_timeout);
        let _stamping = Stamping::begin();
        Ok(Self { endpoint, tls, websocket, connect_timeout, handshake_timeout, _stamping })
    }

    /// The host of the URL.
    pub fn host(&self) -> &str {
        &self.endpoint.host
    }

    /// Connects, blocking until the websocket is up, one of the time limits has passed, or `stop` is set, which takes
    /// effect within 50 ms. The connection reads its stamps from `clock`.
    ///
    /// # Errors
    /// See [`WireError`].
    pub fn connect(&self, clock: &Clock, stop: &AtomicBool) -> Result<Wire, WireError> {
        self.connect_until(clock, stop, None)
    }

    /// The same, but as if the stop flag were set at that time: for a session whose time is up then.
    ///
    /// # Errors
    /// See [`WireError`].
    pub fn connect_until(&self, clock: &Clock, stop: &AtomicBool, until: Option<Instant>) -> Result<Wire, WireError> {
        let stop = Stop { flag: stop, until };
        let mut poller = Poller::new().map_err(WireError::Io)?;
        let mut limit = Limit::new(Stage::Resolve, self.connect_timeout, stop);
        let addresses = self.resolve(&limit)?;
        limit.stage = Stage::Connect;
        let (stream, peer) = connect_to_any(&addresses, &mut poller, &limit)?;

        let mut limit = Limit::new(Stage::Upgrade, self.handshake_timeout, stop);
        let socket = Socket::new(stream, clock.clone());
        let stream = match &self.tls {
            None => Stream::Plain(socket),
            Some(tls) => {
                limit.stage = Stage::Tls;
                let stream = self.start_tls(tls, socket, &mut poller, &limit)?;
                limit.stage = Stage::Upgrade;
                Stream::Tls(Box::new(stream))
            }
        };
        let websocket = self.upgrade(stream, &mut poller, &limit)?;
        Ok(Wire::new(websocket, poller, clock.clone(), self.endpoint.host.clone(), peer))
    }

    /// Looks the name up on a thread of its own, since the system's resolver can neither be bounded nor stopped. A
    /// thread that is given up on ends when the resolver does.
    fn resolve(&self, limit: &Limit<'_>) -> Result<Vec<SocketAddr>, WireError> {
        let (host, port) = (self.endpoint.host.clone(), self.endpoint.port);
        let failed = |cause| WireError::Resolve { host: host.clone(), cause };
        let addresses = match host.parse() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let (answer, answered) = mpsc::sync_channel(1);
                let name = host.clone();
                std::thread::Builder::new()
                    .name("resolve".into())
                    .spawn(move || {
                        let found = (name.as_str(), port).to_socket_addrs().map(|all| all.collect::<Vec<_>>());
                        // The receiver is gone when the wait was given up.
                        let _ = answer.send(found);
                    })
                    .map_err(failed)?;
                loop {
                    match answered.recv_timeout(limit.wait()?) {
                        Ok(found) => break found.map_err(failed)?,
                        Err(mpsc::RecvTimeoutError::Timeout) => {}
                        Err(mpsc::RecvTimeoutError::Disconnected) => {
                            return Err(failed(io::Error::other("the resolver thread ended")));
                        }
                    }
                }
            }
        };
        if addresses.is_empty() {
            return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
        }
        match addresses.iter().find(|address| !address.ip().is_loopback()) {
            Some(&address) if self.endpoint.loopback_only => Err(WireError::NotLoopback { host, address }),
            _ => Ok(addresses),
        }
    }

    fn start_tls(
        &self,
        tls: &Tls,
        socket: Socket,
        poller: &mut Poller,
        limit: &Limit<'_>,
    ) -> Result<TlsStream, WireError> {
        let mut stream = TlsStream::new(Arc::clone(&tls.config), tls.name.clone(), socket)
            .map_err(|error| WireError::Tls(Box::new(error)))?;
        loop {
            match stream.handshake() {
                Ok(()) => return Ok(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poller.wait(limit.wait()?).map_err(WireError::Io)?;
                }
                Err(error) => return Err(WireError::from_io(self.host(), error).during(limit.stage)),
            }
        }
    }

    fn upgrade(&self, stream: Stream, poller: &mut Poller, limit: &Limit<'_>) -> Result<WebSocket<Stream>, WireError> {
        let failed = |error| WireError::from_upgrade(self.host(), error);
        let mut request = self.endpoint.uri.clone().into_client_request().map_err(failed)?;
        let agent = HeaderValue::from_static(concat!("papertrader/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);

        let mut outcome = tungstenite::client::client_with_config(request, stream, Some(self.websocket));
        loop {
            match outcome {
                Ok((websocket, _)) => return Ok(websocket),
                Err(HandshakeError::Failure(error)) => return Err(failed(error)),
                Err(HandshakeError::Interrupted(handshake)) => {
                    poller.wait(limit.wait()?).map_err(WireError::Io)?;
                    outcome = handshake.handshake();
                }
            }
        }
    }
}

/// Tries the addresses in turn; each gets an equal share of the time left, so that one that does not answer leaves time
/// for the rest.
fn connect_to_any(
    addresses: &[SocketAddr],
    poller: &mut Poller,
    limit: &Limit<'_>,
) -> Result<(TcpStream, SocketAddr), WireError> {
    let mut outcome = Err(WireError::Timeout { stage: limit.stage, limit: limit.limit });
    for (index, &address) in addresses.iter().enumerate() {
        let share = limit.left()? / (addresses.len() - index) as u32;
        outcome = connect_to(address, poller, &Limit::new(limit.stage, share, limit.stop));
        if matches!(outcome, Ok(_) | Err(WireError::Stopped)) {
            break;
        }
    }
    match outcome {
        // The share of the last address says little.
        Err(WireError::Timeout { stage, .. }) => Err(WireError::Timeout { stage, limit: limit.limit }),
        other => other,
    }
}

fn connect_to(
    address: SocketAddr,
    poller: &mut Poller,
    limit: &Limit<'_>,
) -> Result<(TcpStream, SocketAddr), WireError> {
    let failed = |cause| WireError::Connect { address, cause };
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    poller.poll.registry().register(&mut stream, Token(0), Interest::READABLE | Interest::WRITABLE).map_err(failed)?;
    loop {
        poller.wait(limit.wait()?).map_err(failed)?;
        if let Some(error) = stream.take_error().map_err(failed)? {
            return Err(failed(error));
        }
        match stream.peer_addr() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            Err(error) => return Err(failed(error)),
        }
    }
    stream.set_nodelay(true).map_err(failed)?;
    Ok((stream, address))
}

/// Waits for the one socket that is registered with it.
pub(super) struct Poller {
    poll: Poll,
    events: Events,
}

impl Poller {
    fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, events: Events::with_capacity(4) })
    }

    /// Returns when the socket may be read or written again, when `longest` has passed, or on a signal.
    pub fn wait(&mut self, longest: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(longest)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }
}

/// What ends the work from outside.
#[derive(Clone, Copy)]
struct Stop<'a> {
    flag: &'a AtomicBool,
    until: Option<Instant>,
}

impl Stop<'_> {
    fn is_set(self) -> bool {
        // Relaxed: the flag stands alone, and seeing it a moment later does no harm.
        self.flag.load(Ordering::Relaxed) || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// A time limit that is cut short when the work is to stop.
struct Limit<'a> {
    stage: Stage,
    limit: Duration,
    start: Instant,
    stop: Stop<'a>,
}

impl<'a> Limit<'a> {
    fn new(stage: Stage, limit: Duration, stop: Stop<'a>) -> Self {
        Self { stage, limit, start: Instant::now(), stop }
    }

    /// The time left; never zero.
    fn left(&self) -> Result<Duration, WireError> {
        if self.stop.is_set() {
            return Err(WireError::Stopped);
        }
        match self.limit.checked_sub(self.start.elapsed()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(WireError::Timeout { stage: self.stage, limit: self.limit }),
        }
    }

    /// How long to wait before asking again.
    fn wait(&self) -> Result<Duration, WireError> {
        self.left().map(|left| left.min(STOP_CHECK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_name_that_leads_elsewhere_is_refused() {
        let mut connector = Connector::new(&WireConfig::new("ws://localhost:81")).expect("usable settings");
        assert!(connector.endpoint.loopback_only);
        // An address stands in for what a name server could answer; of documentation (RFC 5737), never connected to.
        connector.endpoint.host = "192.0.2.1".into();
        let error = connector.connect(&Clock::new(), &AtomicBool::new(false)).expect_err("refused");
        assert!(matches!(error, WireError::NotLoopback { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "'192.0.2.1' is 192.0.2.1:81, not this machine: ws:// would not be encrypted; \
             use wss://, or --allow-plaintext"
        );
    }

    #[test]
    fn limits_run_out_and_stop() {
        let flag = AtomicBool::new(false);
        let stop = Stop { flag: &flag, until: None };
        let limit = Limit::new(Stage::Tls, Duration::from_secs(100), stop);
        assert!(matches!(limit.wait(), Ok(STOP_CHECK)));
        let over = Limit::new(Stage::Tls, Duration::ZERO, stop);
        assert!(matches!(over.wait(), Err(WireError::Timeout { stage: Stage::Tls, limit: Duration::ZERO })));
        let late = Limit::new(Stage::Tls, Duration::from_secs(100), Stop { until: Some(Instant::now()), ..stop });
        assert!(matches!(late.wait(), Err(WireError::Stopped)));
        flag.store(true, Ordering::Relaxed);
        assert!(matches!(limit.wait(), Err(WireError::Stopped)));
    }
}
