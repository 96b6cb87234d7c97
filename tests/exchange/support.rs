//! A plain client that checks the numbering and keeps a book.

use papertrader::exchange::{
    BookState, Exchange, ExchangeConfig, ExchangeStats, Pace, RunningExchange, SourceConfig, TlsFiles,
};
use papertrader::market::units::{Scale, parse_count};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// Longer than anything that should happen takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A small and brisk synthetic market.
pub fn config() -> ExchangeConfig {
    ExchangeConfig {
        source: SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 500.0 }, snapshot_levels: 200 },
        ..ExchangeConfig::default()
    }
}

pub fn with_faults(faults: &[&str]) -> ExchangeConfig {
    ExchangeConfig { faults: faults.iter().map(|fault| fault.parse().expect("a fault")).collect(), ..config() }
}

pub fn with_tls(config: ExchangeConfig) -> ExchangeConfig {
    ExchangeConfig { tls: Some(TlsFiles::default()), ..config }
}

pub fn start(config: ExchangeConfig) -> RunningExchange {
    Exchange::start(config).expect("the exchange starts")
}

/// Waits until the exchange's counts are as they should be.
pub fn wait_for(exchange: &RunningExchange, what: impl Fn(&ExchangeStats) -> bool) -> ExchangeStats {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stats = exchange.stats().expect("the exchange runs");
        if what(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "never so: {stats:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// A TLS client that trusts this authority alone.
pub fn tls_config(ca_pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("PEM")).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub fn tcp(exchange: &RunningExchange) -> TcpStream {
    let socket = TcpStream::connect(exchange.local_addr()).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.set_nodelay(true).expect("set");
    socket
}

pub fn stream(exchange: &RunningExchange) -> Stream {
    let socket = tcp(exchange);
    match exchange.ca_pem() {
        None => Stream::Plain(socket),
        Some(pem) => {
            let name = ServerName::try_from("localhost").expect("a name");
            let connection = ClientConnection::new(tls_config(pem), name).expect("a client");
            Stream::Tls(Box::new(StreamOwned::new(connection, socket)))
        }
    }
}

/// A websocket handshake, as far as it goes.
pub fn handshake(exchange: &RunningExchange) -> Result<Client, tungstenite::Error> {
    let handshake = tungstenite::client::client(exchange.url().replace("wss:", "ws:"), stream(exchange));
    let (websocket, _) = handshake.map_err(|error| match error {
        tungstenite::HandshakeError::Failure(error) => error,
        tungstenite::HandshakeError::Interrupted(_) => tungstenite::Error::Io(io::ErrorKind::TimedOut.into()),
    })?;
    Ok(Client { websocket, next_sequence_num: 0, books: BTreeMap::new() })
}

/// One product's book by price and size texts.
#[derive(Default)]
pub struct Book {
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
    pub snapshots: u64,
    pub updates: u64,
}

/// The scale of a client's books: fine enough for every market here.
const SCALE: Scale = Scale { price_decimals: 8, size_decimals: 8 };

pub struct Client {
    pub websocket: WebSocket<Stream>,
    next_sequence_num: u64,
    pub books: BTreeMap<String, Book>,
}

impl Client {
    pub fn connect(exchange: &RunningExchange) -> Self {
        handshake(exchange).expect("the handshake is answered")
    }

    /// Connects and subscribes to a product's level2.
    pub fn subscribed(exchange: &RunningExchange, product: &str) -> Self {
        let mut client = Self::connect(exchange);
        client.subscribe(&[product]);
        client
    }

    pub fn send(&mut self, text: &str) {
        self.websocket.send(Message::text(text)).expect("sent");
    }

    pub fn subscribe(&mut self, products: &[&str]) {
        self.send(&json!({"type": "subscribe", "product_ids": products, "channel": "level2"}).to_string());
    }

    pub fn unsubscribe(&mut self, products: &[&str]) {
        self.send(&json!({"type": "unsubscribe", "product_ids": products, "channel": "level2"}).to_string());
    }

    pub fn subscribe_heartbeats(&mut self) {
        self.send(r#"{"type":"subscribe","channel":"heartbeats"}"#);
    }

    /// The next text message, without a look at its content.
    pub fn next_text(&mut self) -> Result<String, tungstenite::Error> {
        loop {
            if let Message::Text(text) = self.websocket.read()? {
                return Ok(text.as_str().to_owned());
            }
        }
    }

    /// The next message; its number follows the one before, and its levels go into the book.
    pub fn next(&mut self) -> Value {
        let text = self.next_text().expect("a message");
        self.take_in(&text)
    }

    fn take_in(&mut self, text: &str) -> Value {
        let message: Value = serde_json::from_str(text).expect("JSON");
        if message.get("type").is_none() {
            assert_eq!(message["sequence_num"], self.next_sequence_num, "{message}");
            self.next_sequence_num += 1;
        }
        self.apply(&message);
        message
    }

    /// As [`Self::next`], but an error for anything that is wrong.
    pub fn try_next(&mut self) -> Result<(), String> {
        let text = self.next_text().map_err(|error| error.to_string())?;
        let message: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if message.get("type").is_some() || message["sequence_num"] != self.next_sequence_num {
            return Err(text);
        }
        self.next_sequence_num += 1;
        Ok(())
    }

    pub fn is_crossed(&self, product: &str) -> bool {
        let book = &self.books[product];
        book.bids.keys().next_back() >= book.asks.keys().next()
    }

    pub fn next_unchecked(&mut self) -> Value {
        let text = self.next_text().expect("a message");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The next message of that channel; those before it are taken in too.
    pub fn next_of(&mut self, channel: &str) -> Value {
        loop {
            let message = self.next();
            if message["channel"] == channel {
                return message;
            }
        }
    }

    /// The text of the next error message; those before it are taken in.
    pub fn next_of_error(&mut self) -> String {
        loop {
            let message = self.next();
            if message["type"] == "error" {
                return message["message"].as_str().expect("a text").into();
            }
        }
    }

    /// The next message of that channel, without a look at the others.
    pub fn next_of_unchecked(&mut self, channel: &str) -> Value {
        loop {
            let message = self.next_unchecked();
            if message["channel"] == channel {
                return message;
            }
        }
    }

    /// Takes messages in until one has that number.
    pub fn until(&mut self, sequence_num: u64) {
        while self.next()["sequence_num"] != sequence_num {}
    }

    /// How many levels a message removes that are not in the book.
    pub fn removals_of_unknown_levels(&self, message: &Value) -> usize {
        let Some(updates) = message["events"][0]["updates"].as_array() else { return 0 };
        let book = self.books.get(message["events"][0]["product_id"].as_str().expect("a product"));
        let is_unknown = |level: &&Value| {
            let side = book.map(|book| if level["side"] == "bid" { &book.bids } else { &book.asks });
            let price = level["price_level"].as_str().expect("a text").as_bytes();
            let price = parse_count(price, SCALE.price_decimals).expect("a number");
            level["new_quantity"] == "0" && side.is_none_or(|side| !side.contains_key(&price))
        };
        updates.iter().filter(is_unknown).count()
    }

    /// Reads to the end of the connection.
    pub fn end(&mut self) -> tungstenite::Error {
        loop {
            if let Err(error) = self.websocket.read() {
                return error;
            }
        }
    }

    /// Reads to a close frame and returns its code.
    pub fn close_code(&mut self) -> u16 {
        loop {
            match self.websocket.read() {
                Ok(Message::Close(Some(frame))) => return frame.code.into(),
                Ok(_) => {}
                Err(error) => panic!("no close frame but {error}"),
            }
        }
    }

    pub fn apply(&mut self, message: &Value) {
        if message["channel"] != "l2_data" {
            return;
        }
        for event in message["events"].as_array().expect("events") {
            let book = self.books.entry(event["product_id"].as_str().expect("a product").into()).or_default();
            if event["type"] == "snapshot" {
                book.bids.clear();
                book.asks.clear();
                book.snapshots += 1;
            } else {
                assert!(book.snapshots > 0, "an update before the snapshot: {message}");
                book.updates += 1;
            }
            for level in event["updates"].as_array().expect("updates") {
                let count = |key: &str, decimals| {
                    parse_count(level[key].as_str().expect("a text").as_bytes(), decimals).expect("a number")
                };
                let side = if level["side"] == "bid" { &mut book.bids } else { &mut book.asks };
                let price = count("price_level", SCALE.price_decimals);
                match count("new_quantity", SCALE.size_decimals) {
                    0 => side.remove(&price),
                    size => side.insert(price, size),
                };
            }
        }
    }

    /// Stops the market, takes in everything that was sent, and compares the book with the exchange's. The market goes
    /// on after it.
    pub fn assert_book(&mut self, exchange: &RunningExchange, product: &str) {
        exchange.pause().expect("the exchange runs");
        // The answer stands behind all frames.
        self.websocket.send(Message::Ping("fence".into())).expect("sent");
        loop {
            match self.websocket.read().expect("a message") {
                Message::Text(text) => drop(self.take_in(text.as_str())),
                Message::Pong(payload) if &payload[..] == b"fence" => break,
                _ => {}
            }
        }
        let state = exchange.book(product).expect("the exchange runs").expect("a product");
        let book = &self.books[product];
        assert!(!book.bids.is_empty() && !book.asks.is_empty());
        let bids: Vec<_> = book.bids.iter().rev().map(|(&price, &size)| (price, size)).collect();
        let asks: Vec<_> = book.asks.iter().map(|(&price, &size)| (price, size)).collect();
        let (true_bids, true_asks) = at_client_scale(&state);
        for (side, ours, truth) in [("bids", bids, true_bids), ("asks", asks, true_asks)] {
            let differs = ours.iter().zip(&truth).position(|(ours, truth)| ours != truth);
            assert_eq!((differs, ours.len()), (None, truth.len()), "{product} {side}: first difference, levels");
        }
        exchange.resume().expect("the exchange runs");
    }
}

type Levels = Vec<(u64, u64)>;

fn at_client_scale(state: &BookState) -> (Levels, Levels) {
    let price_factor = 10_u64.pow(u32::from(SCALE.price_decimals - state.scale.price_decimals));
    let size_factor = 10_u64.pow(u32::from(SCALE.size_decimals - state.scale.size_decimals));
    let scaled =
        |levels: &Levels| levels.iter().map(|(price, size)| (price * price_factor, size * size_factor)).collect();
    (scaled(&state.bids), scaled(&state.asks))
}
