//! Tables of ten levels made from a recording show the same ten levels after every frame as the recording.

use papertrader::engine::status::Status;
use papertrader::market::book::Follower;
use papertrader::market::event::{Event, FrameHead};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::run::session::Feed;
use papertrader::sources::market::{Market, MarketSettings};
use papertrader::sources::number::Number;
use parquet::data_type::{DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

#[test]
fn a_table_in_parquet_shows_the_books_of_the_recording() {
    let Some(recording) = recording() else { return };
    let due = tops(&recording);
    let mut schema = "message books { required int64 received_time;".to_owned();
    for level in 0..LEVELS {
        for side in ["bid", "ask"] {
            // Sizes may be absent, prices are NaN then.
            write!(schema, "required double {side}_{level}_price; optional double {side}_{level}_size;").unwrap();
        }
    }
    schema.push('}');
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.parquet");
    let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(&path).unwrap(), schema, Arc::new(properties)).unwrap();
    let value = |number: &Number| number.to_string().parse::<f64>().unwrap();
    // Row groups that no number of rows held at a time divides.
    for rows in due.chunks(7_001) {
        let mut group = writer.next_row_group().unwrap();
        let times: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&times, None, None).unwrap();
        column.close().unwrap();
        for level in 0..LEVELS {
            for side in 0..2 {
                let levels = || rows.iter().map(|row| row.1[side].get(level));
                let prices: Vec<f64> = levels().map(|level| level.map_or(f64::NAN, |level| value(&level.0))).collect();
                let mut column = group.next_column().unwrap().unwrap();
                column.typed::<DoubleType>().write_batch(&prices, None, None).unwrap();
                column.close().unwrap();
                let sizes: Vec<f64> = levels().flatten().map(|level| value(&level.1)).collect();
                let present: Vec<i16> = levels().map(|level| i16::from(level.is_some())).collect();
                let mut column = group.next_column().unwrap().unwrap();
                column.typed::<DoubleType>().write_batch(&sizes, Some(&present), None).unwrap();
                column.close().unwrap();
            }
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    let found = tops(&path);
    assert!(found == due, "{} books where {} are due", found.len(), due.len());
    // Cut anywhere, it is refused by name.
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = Market::open(&path, &MarketSettings::default()).err().expect("an error").to_string();
    assert!(error.contains("is not a whole Parquet file, is it cut?"), "{error}");
}
