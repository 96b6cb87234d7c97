//! A book of the best levels of each side, cut to the depth subscribed to, and the checksum that proves it.
//!
//! No removal is sent for what leaves the depth: after each message the worst levels beyond it go. The checksum, CRC-32 (IEEE) of the
//! ten best asks and then the ten best bids as text, without points and leading zeros, is of the book after that. It proves what is
//! there, not how it came about: of what is missing below the tenth level it says nothing.
//!
//! ```
//! use papertrader::feed::kraken::depth_book::DepthBook;
//! use papertrader::market::units::Side;
//!
//! let mut book = DepthBook::new(2);
//! for (side, price_ticks, size_lots) in [(Side::Ask, 50_001, 7), (Side::Bid, 50_000, 5), (Side::Bid, 49_999, 12), (Side::Bid, 49_998, 1)] {
//!     book.set(side, price_ticks, size_lots);
//! }
//! assert_eq!(book.levels(Side::Bid), [(50_000, 5), (49_999, 12), (49_998, 1)]);
//! let mut cut = Vec::new();
//! book.cut(|side, price_ticks| cut.push((side, price_ticks)));
//! assert_eq!(cut, [(Side::Bid, 49_998)]);
//! // What the venue computes of "50001" "7" "50000" "5" "49999" "12".
//! assert_eq!(book.checksum(), crc32fast::hash(b"5000175000054999912"));
//! ```

use crate::market::units::Side;
use crc32fast::Hasher;

/// The depths that the venue serves.
pub const DEPTHS: [usize; 5] = [10, 25, 100, 500, 1_000];
/// Levels of a side that the checksum covers.
const CHECKED: usize = 10;
/// The longest number as text.
const DIGITS_MAX: usize = 20;

/// The best levels of a product, as price in ticks and size in lots of the venue's own precision, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepthBook {
    depth: usize,
    bids: Vec<(u64, u64)>,
    asks: Vec<(u64, u64)>,
}

impl DepthBook {
    /// Empty, for a subscription to so many levels of a side.
    pub fn new(depth: usize) -> Self {
        Self { depth, bids: Vec::new(), asks: Vec::new() }
    }

    /// Nothing is left, as before a snapshot.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Sets a level; a size of 0 removes it.
    pub fn set(&mut self, side: Side, price_ticks: u64, size_lots: u64) {
        // Bids fall, asks rise.
        let (levels, falls) = match side {
            Side::Bid => (&mut self.bids, true),
            Side::Ask => (&mut self.asks, false),
        };
        let place =
            levels.binary_search_by(|(price, _)| if falls { price_ticks.cmp(price) } else { price.cmp(&price_ticks) });
        match (place, size_lots) {
            (Ok(place), 0) => drop(levels.remove(place)),
            (Ok(place), _) => levels[place].1 = size_lots,
            (Err(_), 0) => {}
            (Err(place), _) => levels.insert(place, (price_ticks, size_lots)),
        }
    }

    /// Cuts each side to the depth, and tells what goes.
    pub fn cut(&mut self, mut gone: impl FnMut(Side, u64)) {
        for (side, levels) in [(Side::Bid, &mut self.bids), (Side::Ask, &mut self.asks)] {
            while levels.len() > self.depth {
                if let Some((price_ticks, _)) = levels.pop() {
                    gone(side, price_ticks);
                }
            }
        }
    }

    /// A side's levels, best first.
    pub fn levels(&self, side: Side) -> &[(u64, u64)] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// What the venue's checksum is if this is its book.
    pub fn checksum(&self) -> u32 {
        let mut hasher = Hasher::new();
        for &(price_ticks, size_lots) in self.asks.iter().take(CHECKED).chain(self.bids.iter().take(CHECKED)) {
            for number in [price_ticks, size_lots] {
                let mut digits = [0; DIGITS_MAX];
                hasher.update(text(number, &mut digits));
            }
        }
        hasher.finalize()
    }
}

/// A number's decimal digits.
fn text(mut number: u64, digits: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[from..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Whole units of 10^-decimals of a number that Python printed.
    fn units(number: &Value, decimals: usize) -> u64 {
        let text = number.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        format!("{whole}{fraction:0<decimals$}").parse().unwrap()
    }

    fn take(book: &mut DepthBook, message: &Value) -> u32 {
        let data = &message["data"][0];
        if message["type"] == "snapshot" {
            book.clear();
        }
        for (side, name) in [(Side::Bid, "bids"), (Side::Ask, "asks")] {
            for level in data[name].as_array().unwrap() {
                book.set(side, units(&level["price"], 1), units(&level["qty"], 8));
            }
        }
        data["checksum"].as_u64().unwrap() as u32
    }

    /// A snapshot and 509 updates of BTC/USD at a depth of 10, as a client of the venue recorded them.
    fn recorded() -> Option<Vec<Value>> {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/venues/kraken/orderbook-v2.json"));
        let Ok(text) = std::fs::read_to_string(path) else {
            eprintln!("SKIPPED: {} is not there", path.display());
            return None;
        };
        let file: Value = serde_json::from_str(&text).unwrap();
        let updates = file["updates"].as_array().unwrap();
        Some(std::iter::once(&file["init"]).chain(updates).cloned().collect())
    }

    /// Which messages' checksums are not the book's.
    fn mismatches(messages: &[Value], depth: usize) -> Vec<usize> {
        let mut book = DepthBook::new(depth);
        let is_wrong = |message: &Value| {
            let expected = take(&mut book, message);
            book.cut(|_, _| ());
            book.checksum() != expected
        };
        let wrong: Vec<bool> = messages.iter().map(is_wrong).collect();
        (0..wrong.len()).filter(|&at| wrong[at]).collect()
    }

    #[test]
    fn every_recorded_checksum_is_the_books() {
        let Some(messages) = recorded() else { return };
        assert_eq!(messages.len(), 510);
        assert!(mismatches(&messages, 10).is_empty());
        // Uncut books are not the venue's, from the 60th update on.
        let uncut = mismatches(&messages, usize::MAX);
        assert_eq!((uncut.len(), uncut[0]), (450, 60));
    }

    #[test]
    fn a_lost_update_is_noticed_unless_the_next_one_makes_up_for_it() {
        let Some(messages) = recorded() else { return };
        let mut book = DepthBook::new(10);
        let mut noticed = 0;
        for at in 0..messages.len() - 1 {
            take(&mut book, &messages[at]);
            book.cut(|_, _| ());
            if at + 2 < messages.len() {
                // Without the one after it.
                let mut without = book.clone();
                let expected = take(&mut without, &messages[at + 2]);
                without.cut(|_, _| ());
                noticed += usize::from(without.checksum() != expected);
            }
        }
        // Of 508.
        assert_eq!(noticed, 388);
    }

    proptest! {
        #[test]
        fn it_is_the_best_of_a_map(
            changes in prop::collection::vec((any::<bool>(), 1..40_u64, 0..3_u64), 0..200), depth in 1..15_usize,
        ) {
            let mut book = DepthBook::new(depth);
            let mut maps = [BTreeMap::new(), BTreeMap::new()];
            for (is_bid, price, size) in changes {
                let side = if is_bid { Side::Bid } else { Side::Ask };
                book.set(side, price, size);
                let map = &mut maps[usize::from(!is_bid)];
                if size == 0 { map.remove(&price); } else { map.insert(price, size); }
                let mut gone = Vec::new();
                book.cut(|side, price| gone.push((side, price)));
                for (side, map) in [Side::Bid, Side::Ask].into_iter().zip(&mut maps) {
                    while map.len() > depth {
                        let (worst, _) = if side == Side::Bid { map.pop_first() } else { map.pop_last() }.unwrap();
                        prop_assert!(gone.contains(&(side, worst)));
                    }
                    let mut levels: Vec<(u64, u64)> = map.iter().map(|(&price, &size)| (price, size)).collect();
                    if side == Side::Bid { levels.reverse(); }
                    prop_assert_eq!(book.levels(side), levels);
                }
            }
            let text = |levels: &[(u64, u64)]| levels.iter().take(10).map(|(price, size)| format!("{price}{size}")).collect::<String>();
            let all = text(book.levels(Side::Ask)) + &text(book.levels(Side::Bid));
            prop_assert_eq!(book.checksum(), crc32fast::hash(all.as_bytes()));
        }
    }
}
