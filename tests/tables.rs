//! Tables of ten levels made from a recording show the same ten levels after every frame as the recording.

use papertrader::engine::status::Status;
use papertrader::market::book::Follower;
use papertrader::market::event::{Event, FrameHead};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::run::session::Feed;
use papertrader::sources::market::{Market, MarketSettings};
use papertrader::sources::number::Number;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const LEVELS: usize = 10;

/// Time of receipt, bids and asks as prices and sizes, the best first.
type Top = (i64, [Vec<(Number, Number)>; 2]);

#[derive(Default)]
struct Tops {
    follower: Follower,
    tops: Vec<Top>,
}

impl Publish for Tops {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        if !head.kind.is_book_frame() {
            return Ok(());
        }
        self.follower.count(head);
        self.follower.begin(head).expect("a good frame");
        self.follower.levels(events);
        self.follower.end().expect("a good book");
        let book = self.follower.book();
        let scale = book.scale();
        let number = |price: u64, size: u64| {
            let price = Number::new(price, scale.price_decimals).expect("a price");
            (price, Number::new(size, scale.size_decimals).expect("a size"))
        };
        let bids = book.bids().levels().take(LEVELS).map(|level| number(level.price_ticks, level.size_lots));
        let asks = book.asks().levels().take(LEVELS).map(|level| number(level.price_ticks, level.size_lots));
        self.tops.push((head.ts_recv_ns, [bids.collect(), asks.collect()]));
        Ok(())
    }
}

fn tops(path: &Path) -> Vec<Top> {
    let market = Market::open(path, &MarketSettings::default()).expect("opens");
    let mut tops = Tops::default();
    let outcome = market.run(&mut tops, &Status::default());
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    tops.tops
}

fn recording() -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/captures/btc-perp-a.l2.gz"));
    if path.is_file() {
        return Some(path.into());
    }
    eprintln!("SKIPPED: {} is not here", path.display());
    None
}

#[test]
fn a_table_in_text_shows_the_books_of_the_recording() {
    let Some(recording) = recording() else { return };
    let due = tops(&recording);
    let mut text = "received_time".to_owned();
    for level in 0..LEVELS {
        write!(text, ",bid_{level}_price,bid_{level}_size,ask_{level}_price,ask_{level}_size").unwrap();
    }
    for (ts_recv_ns, sides) in &due {
        write!(text, "\n{ts_recv_ns}").unwrap();
        for level in 0..LEVELS {
            for side in sides {
                match side.get(level) {
                    Some((price, size)) => write!(text, ",{price},{size}").unwrap(),
                    None => text.push_str(",,"),
                }
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.csv");
    std::fs::write(&path, text).unwrap();
    let found = tops(&path);
    assert!(due.len() > 20_000, "{}", due.len());
    assert!(found == due, "{} books where {} are due", found.len(), due.len());
}
