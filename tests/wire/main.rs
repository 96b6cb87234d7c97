//! The connection against real servers on loopback.

mod allocations;
mod connecting;
mod messages;
mod server;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use papertrader::base::clock::Clock;
use papertrader::feed::wire::{Connector, Received, Wire, WireConfig, WireError};
use server::Authority;

/// Far beyond what any test takes; reached only by one that would hang.
const HANG: Duration = Duration::from_secs(20);

fn config(url: impl Into<String>) -> WireConfig {
    WireConfig { connect_timeout: HANG, handshake_timeout: HANG, ..WireConfig::new(url) }
}

fn connect(config: &WireConfig) -> Result<Wire, WireError> {
    Connector::new(config).expect("usable settings").connect(&Clock::new(), &AtomicBool::new(false))
}

fn connect_plain(port: u16) -> Wire {
    connect(&config(format!("ws://127.0.0.1:{port}"))).expect("a connection")
}

fn connect_tls(port: u16, authority: &Authority) -> Result<Wire, WireError> {
    let extra_ca = Some(authority.file.path().to_owned());
    connect(&WireConfig { extra_ca, ..config(format!("wss://localhost:{port}")) })
}

/// How a test waits for the next message.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Spin,
    Sleep,
}

/// [`Received`] without its borrow.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Message {
    Text { text: String, received_raw: u64, decoded_raw: u64 },
    Closed { code: Option<u16>, reason: String },
}

fn next(wire: &mut Wire, wait: Wait) -> Result<Message, WireError> {
    let start = Instant::now();
    loop {
        match wire.next_message()? {
            Some(Received::Text { text, read, decoded_raw }) => {
                return Ok(Message::Text { text: text.to_owned(), received_raw: read.raw, decoded_raw });
            }
            Some(Received::Closed { code, reason }) => {
                return Ok(Message::Closed { code, reason: reason.to_owned() });
            }
            None => {
                assert!(start.elapsed() < HANG, "nothing arrived");
                match wait {
                    Wait::Spin => std::hint::spin_loop(),
                    // Longer than a test may take: an edge that was missed fails it.
                    Wait::Sleep => wire.wait(HANG)?,
                }
            }
        }
    }
}

fn next_text(wire: &mut Wire) -> String {
    match next(wire, Wait::Sleep) {
        Ok(Message::Text { text, .. }) => text,
        other => panic!("a text was expected: {other:?}"),
    }
}

fn next_error(wire: &mut Wire) -> WireError {
    next(wire, Wait::Sleep).expect_err("an error was expected")
}
