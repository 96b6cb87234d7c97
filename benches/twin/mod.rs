//! The obvious way to do what the hot path does, kept as its oracle: `serde_json` into typed messages, an ordered map per
//! side, features as their formulas stand in the catalogue, and the simulator's rules in floats.
//!
//! It is for well-formed captures of one product. It neither takes stamps nor records latencies.

use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};

/// A message of the `l2_data` channel. Strings are borrowed from it, which spares the twin their allocation.
#[derive(Deserialize)]
struct Message<'a> {
    channel: &'a str,
    sequence_num: u64,
    #[serde(borrow)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
    product_id: &'a str,
    #[serde(borrow)]
    updates: Vec<Update<'a>>,
}

#[derive(Deserialize)]
struct Update<'a> {
    side: &'a str,
    price_level: &'a str,
    new_quantity: &'a str,
}

/// A price as a key. Positive doubles and their bits are in the same order.
fn key(price: f64) -> u64 {
    price.to_bits()
}

fn level((&key, &size): (&u64, &f64)) -> (f64, f64) {
    (f64::from_bits(key), size)
}

/// A closed trade: frames of purchase and sale, quote currency received.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade {
    /// Frames since the first.
    pub buy_sequence: u64,
    /// Frames since the first.
    pub sell_sequence: u64,
    /// Quote currency.
    pub sell_amount: f64,
}

struct Position {
    buy_sequence: u64,
    sell_sequence: u64,
    volume: f64,
}

/// What the twin is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The product.
    pub product: String,
    /// The logit where all features are 0.
    pub intercept: f64,
    /// Of the original's 28 features.
    pub coefficients: [f64; 28],
    /// The logit from which to buy.
    pub threshold_logit: f64,
    /// Updates from purchase to sale.
    pub lag_updates: u64,
    /// Quote currency spent per purchase.
    pub buy_amount: f64,
}

/// The whole path.
pub struct Twin {
    settings: Settings,
    bids: BTreeMap<u64, f64>,
    asks: BTreeMap<u64, f64>,
    frames: u64,
    next_sequence_num: Option<u64>,
    open: VecDeque<Position>,
    trades: Vec<Trade>,
}

impl Twin {
    /// A twin with an empty book.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            frames: 0,
            next_sequence_num: None,
            open: VecDeque::new(),
            trades: Vec::new(),
        }
    }

    /// Closed trades.
    pub fn trades(&self) -> &[Trade] {
        &self.trades
    }

    /// Positions not yet sold.
    pub fn open_positions(&self) -> usize {
        self.open.len()
    }

    /// Takes one message. Gives the logit, unless a side has too few levels.
    pub fn take(&mut self, message: &[u8]) -> Option<f64> {
        let message: Message = serde_json::from_slice(message).expect("the capture is well-formed");
        assert_eq!(message.channel, "l2_data");
        assert_eq!(message.sequence_num, self.next_sequence_num.unwrap_or(message.sequence_num));
        self.next_sequence_num = Some(message.sequence_num + 1);

        self.sell_due();
        for event in message.events.iter().filter(|event| event.product_id == self.settings.product) {
            if event.r#type == "snapshot" {
                self.bids.clear();
                self.asks.clear();
            }
            for update in &event.updates {
                let side = if update.side == "bid" { &mut self.bids } else { &mut self.asks };
                let price: f64 = update.price_level.parse().expect("a price is a number");
                let size: f64 = update.new_quantity.parse().expect("a quantity is a number");
                if size == 0.0 {
                    side.remove(&key(price));
                } else {
                    side.insert(key(price), size);
                }
            }
        }
        let logit = self.logit();
        if logit.is_some_and(|logit| logit >= self.settings.threshold_logit) && !self.is_crossed_or_locked() {
            self.buy();
        }
        self.frames += 1;
        logit
    }

    fn is_crossed_or_locked(&self) -> bool {
        match (self.bids.last_key_value(), self.asks.first_key_value()) {
            (Some((bid, _)), Some((ask, _))) => bid >= ask,
            _ => false,
        }
    }

    fn sell_due(&mut self) {
        while self.open.front().is_some_and(|position| position.sell_sequence <= self.frames) {
            let Some(position) = self.open.pop_front() else { break };
            let (mut left, mut received) = (position.volume, 0.0);
            for (price, size) in self.bids.iter().rev().map(level) {
                let sold = left.min(size);
                received += sold * price;
                left -= sold;
                if left == 0.0 {
                    break;
                }
            }
            let trade =
                Trade { buy_sequence: position.buy_sequence, sell_sequence: self.frames, sell_amount: received };
            self.trades.push(trade);
        }
    }

    fn buy(&mut self) {
        let (mut left, mut volume) = (self.settings.buy_amount, 0.0);
        for (price, size) in self.asks.iter().map(level) {
            if left <= price * size {
                volume += left / price;
                break;
            }
            left -= price * size;
            volume += size;
        }
        let sell_sequence = self.frames + self.settings.lag_updates;
        self.open.push_back(Position { buy_sequence: self.frames, sell_sequence, volume });
    }

    fn logit(&self) -> Option<f64> {
        let bids: Vec<(f64, f64)> = self.bids.iter().rev().take(10).map(level).collect();
        let asks: Vec<(f64, f64)> = self.asks.iter().take(10).map(level).collect();
        if bids.len() < 10 || asks.len() < 10 {
            return None;
        }
        let features = features(&bids, &asks);
        let products = features.iter().zip(&self.settings.coefficients).map(|(value, coefficient)| value * coefficient);
        Some(self.settings.intercept + products.sum::<f64>())
    }
}

/// The original's features of the ten best levels of each side.
fn features(bids: &[(f64, f64)], asks: &[(f64, f64)]) -> [f64; 28] {
    let vwap = |levels: &[(f64, f64)]| {
        let value: f64 = levels.iter().map(|(price, size)| price * size).sum();
        value / levels.iter().map(|(_, size)| size).sum::<f64>()
    };
    let mut row = [0.0; 28];
    row[0] = bids[0].0 - asks[0].0;
    for at in 0..3 {
        row[1 + at] = bids[at].1;
        row[4 + at] = asks[at].1;
        row[7 + at] = bids[at].0;
        row[10 + at] = asks[at].0;
    }
    for at in 0..5 {
        row[13 + at] = bids[at].1.ln();
        row[18 + at] = asks[at].1.ln();
    }
    row[23] = (bids[0].1 - asks[0].1) / (bids[0].1 + asks[0].1);
    row[24] = vwap(bids);
    row[25] = vwap(asks);
    row[26] = row[24].ln();
    row[27] = row[25].ln();
    row
}
