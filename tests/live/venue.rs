//! A venue of a few lines for what the exchange does not do.

use crate::support::PRODUCT;
use papertrader::feed::backoff::Backoff;
use papertrader::feed::intake::ScaleRule;
use papertrader::feed::live::LiveSettings;
use papertrader::feed::vitals::Patience;
use papertrader::feed::wire::{Connector, WireConfig};
use papertrader::handoff::Wait;
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

    /// The same to a client that may have gone.
    pub fn try_send(&mut self, mut message: Value) {
        message["sequence_num"] = json!(self.sequence_num);
        self.sequence_num += 1;
        let _ = self.websocket.send(Message::text(message.to_string()));
    }

    pub fn send_text(&mut self, text: &str) {
        self.websocket.send(Message::text(text)).expect("sent");
    }

    /// Acknowledges level2 of these products.
    pub fn acknowledge(&mut self, products: &[&str]) {
        let subscriptions = json!({"level2": products, "heartbeats": ["heartbeats"]});
        self.send(json!({"channel": "subscriptions", "events": [{"subscriptions": subscriptions}]}));
    }

    pub fn snapshot(&mut self) {
        let level = |side, price| json!({"side": side, "price_level": price, "new_quantity": "1"});
        let updates = [level("bid", "9"), level("offer", "11")];
        let event = json!({"type": "snapshot", "product_id": PRODUCT, "updates": updates});
        self.send(json!({"channel": "l2_data", "events": [event]}));
    }

    /// Sends so many heartbeats, ten a second, to a client that may go.
    pub fn heartbeats(&mut self, count: u32) {
        for counter in 0..count {
            thread::sleep(Duration::from_millis(100));
            self.try_send(json!({"channel": "heartbeats", "events": [{"heartbeat_counter": counter}]}));
        }
    }

    /// Sends a snapshot in so many pieces, as a slow link lets it through, ten a second. Whether all went.
    pub fn slow_snapshot(&mut self, pieces: usize) -> bool {
        let level = |side, price: usize| json!({"side": side, "price_level": price.to_string(), "new_quantity": "1"});
        let updates: Vec<_> = (1..1_000).map(|price| level(if price < 500 { "bid" } else { "offer" }, price)).collect();
        let event = json!({"type": "snapshot", "product_id": PRODUCT, "updates": updates});
        let text = json!({"channel": "l2_data", "events": [event], "sequence_num": self.sequence_num}).to_string();
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
        self.snapshot();
        self.acknowledge(&[PRODUCT]);
        requests
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
            connector: Connector::new(&WireConfig::new(&self.url)).expect("usable settings"),
            product: PRODUCT.into(),
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
