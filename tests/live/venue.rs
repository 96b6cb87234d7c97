//! A venue of a few lines for what the exchange does not do.

use crate::support::PRODUCT;
use papertrader::base::clock::wall_ns;
use papertrader::exchange::market::LevelUpdate;
use papertrader::exchange::message::{L2Kind, Layout, Subscribed, l2_data};
use papertrader::feed::backoff::Backoff;
use papertrader::feed::intake::ScaleRule;
use papertrader::feed::live::LiveSettings;
use papertrader::feed::vitals::Patience;
use papertrader::feed::wire::{Connector, WireConfig};
use papertrader::handoff::Wait;
use papertrader::market::units::{Scale, Side};
use serde_json::{Value, json};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Message, WebSocket};

/// One client's connection.
pub struct Client {
    websocket: WebSocket<TcpStream>,
    sequence_num: u64,
}

impl Client {
    /// The next request.
    pub fn request(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.websocket.read().expect("a request") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// Sends a message with the next number.
    pub fn send(&mut self, mut message: Value) {
        message["sequence_num"] = json!(self.sequence_num);
        self.sequence_num += 1;
        self.send_text(&message.to_string());
    }

    pub fn send_text(&mut self, text: &str) {
        self.websocket.send(Message::text(text)).expect("sent");
    }

    /// Sends a message of today's layout, rendered with the next number, to a client that may have gone.
    fn try_render(&mut self, render: impl FnOnce(&mut Vec<u8>, u64, i64)) {
        let mut text = Vec::new();
        render(&mut text, self.sequence_num, wall_ns());
        self.sequence_num += 1;
        let _ = self.websocket.send(Message::text(String::from_utf8(text).expect("UTF-8")));
    }

    /// Acknowledges level2 of these products.
    pub fn acknowledge(&mut self, products: &[&str]) {
        self.acknowledge_both(products, &[]);
    }

    /// Acknowledges level2 and market_trades of these products.
    pub fn acknowledge_all(&mut self, products: &[&str]) {
        self.acknowledge_both(products, products);
    }

    fn acknowledge_both(&mut self, books: &[&str], prints: &[&str]) {
        let names = |products: &[&str]| products.iter().map(|&product| product.into()).collect::<Vec<String>>();
        let (level2, market_trades) = (names(books), names(prints));
        let set = Subscribed { level2: &level2, market_trades: &market_trades, heartbeats: true };
        self.try_render(|text, number, time_ns| Layout::default().subscriptions(text, number, time_ns, Some(set)));
    }

    pub fn snapshot(&mut self) {
        self.levels(L2Kind::Snapshot, &[(Side::Bid, 9, 1), (Side::Ask, 11, 1)]);
    }

    /// Sends levels of whole prices and sizes.
    pub fn levels(&mut self, kind: L2Kind, levels: &[(Side, u64, u64)]) {
        let level = |&(side, price_ticks, size_lots): &_| LevelUpdate { side, price_ticks, size_lots };
        let updates: Vec<LevelUpdate> = levels.iter().map(level).collect();
        self.try_render(|text, number, time_ns| {
            l2_data(text, kind, PRODUCT, number, time_ns, Scale::default(), &updates);
        });
    }

    /// Sends so many heartbeats, ten a second, to a client that may go.
    pub fn heartbeats(&mut self, count: u32) {
        for counter in 0..count {
            thread::sleep(Duration::from_millis(100));
            self.try_render(|text, number, time_ns| {
                Layout::default().heartbeat(text, number, time_ns, counter.into());
            });
        }
    }

    /// Sends a snapshot in so many pieces, as a slow link lets it through, ten a second. Whether all went.
    pub fn slow_snapshot(&mut self, pieces: usize) -> bool {
        let level = |side, price_ticks| LevelUpdate { side, price_ticks, size_lots: 1 };
        let bids = (1..500).rev().map(|price| level(Side::Bid, price));
        let updates: Vec<_> = bids.chain((500..1_000).map(|price| level(Side::Ask, price))).collect();
        let (mut text, kind, scale) = (Vec::new(), L2Kind::Snapshot, Scale::default());
        l2_data(&mut text, kind, PRODUCT, self.sequence_num, wall_ns(), scale, &updates);
        self.sequence_num += 1;
        let mut frame = Vec::new();
        Frame::message(text, OpCode::Data(Data::Text), true).format(&mut frame).expect("a Vec takes every byte");
        let socket = self.websocket.get_mut();
        socket.set_nodelay(true).expect("set");
        frame.chunks(frame.len().div_ceil(pieces)).all(|piece| {
            thread::sleep(Duration::from_millis(100));
            socket.write_all(piece).is_ok()
        })
    }

    /// Takes the two requests and answers them.
    pub fn begin(&mut self) -> [Value; 2] {
        let requests = [self.request(), self.request()];
        self.begin_with_book();
        requests
    }

    /// Answers requests for a book.
    pub fn begin_with_book(&mut self) {
        self.snapshot();
        self.acknowledge(&[PRODUCT]);
    }

    /// Reads to the client's close frame and gives its code.
    pub fn until_closed(&mut self) -> Option<u16> {
        loop {
            match self.websocket.read() {
                Ok(Message::Close(frame)) => {
                    // The answer to it goes out with this.
                    let _ = self.websocket.flush();
                    return frame.map(|frame| frame.code.into());
                }
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    pub fn close(&mut self, reason: &str) {
        let code = tungstenite::protocol::frame::coding::CloseCode::Policy;
        let frame = tungstenite::protocol::CloseFrame { code, reason: reason.into() };
        // The client may have gone.
        let _ = self.websocket.close(Some(frame));
        let _ = self.websocket.flush();
    }
}

/// A venue that serves one client after the other, each by the same script.
pub struct Venue<T> {
    pub url: String,
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: JoinHandle<Vec<T>>,
}

impl<T: Send + 'static> Venue<T> {
    pub fn serve(script: impl Fn(&mut Client) -> T + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut results = Vec::new();
            loop {
                let (socket, _) = listener.accept().expect("a client");
                if stopped.load(std::sync::atomic::Ordering::Relaxed) {
                    return results;
                }
                socket.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
                let websocket = tungstenite::accept(socket).expect("a handshake");
                results.push(script(&mut Client { websocket, sequence_num: 0 }));
            }
        });
        Self { url, stop, thread }
    }

    /// What a session with it is told.
    pub fn settings(&self) -> LiveSettings {
        LiveSettings {
            connector: Connector::new(&WireConfig::new(&self.url)).expect("usable settings").into(),
            products: vec![PRODUCT.into()],
            prints: false,
            rule: ScaleRule::default(),
            wait: Wait::Block,
            patience: Patience::default(),
            duration: None,
            max_retries: None,
            credentials: None,
            backoff: Backoff::between(7, Duration::from_millis(5), Duration::from_millis(20)),
        }
    }

    /// Lets the client that is served now be the last and gives what the scripts gave.
    pub fn end(self) -> Vec<T> {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        // Wakes it; it may just as well have ended.
        let _ = TcpStream::connect(self.url.trim_start_matches("ws://"));
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
