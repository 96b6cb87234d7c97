//! Frames as Parquet: a row a level, under the names that Tardis' rows have, and the prints in a file beside it.
//!
//! Times are nanoseconds of UTC, the venue's absent where it gave none; prices and sizes are doubles. The file's metadata notes how many
//! decimals they have (`price_decimals`, `size_decimals`) and what an absent time means, so that numbers of up to fifteen digits read back exactly.

use crate::base::output::OutputError;
use crate::base::parquet_table::{Cell, Kind, ParquetTable};
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::market::units::{Scale, Side};
use crate::sources::hftbacktest::writer::{float, survives_float};
use crate::sources::table::changes::{NO_EVENT_TIME, PRICE_DECIMALS, SIZE_DECIMALS};
use crate::sources::tardis::trades_path;
use parquet::data_type::ByteArray;
use std::path::{Path, PathBuf};

const BOOK_COLUMNS: [(&str, Kind); 7] = [
    ("symbol", Kind::Text),
    ("timestamp", Kind::TimeNs),
    ("local_timestamp", Kind::TimeNs),
    ("is_snapshot", Kind::Truth),
    ("side", Kind::Text),
    ("price", Kind::Double),
    ("amount", Kind::Double),
];
const TRADE_COLUMNS: [(&str, Kind); 7] = [
    ("symbol", Kind::Text),
    ("timestamp", Kind::TimeNs),
    ("local_timestamp", Kind::TimeNs),
    ("id", Kind::Whole),
    ("side", Kind::Text),
    ("price", Kind::Double),
    ("amount", Kind::Double),
];

/// Writes rows.
pub(super) struct ParquetSink {
    path: PathBuf,
    product: ByteArray,
    /// Bids and asks, buys and sells.
    sides: [ByteArray; 4],
    book: ParquetTable,
    /// Made with the first print.
    trades: Option<ParquetTable>,
    force: bool,
    /// The finest so far.
    scale: Scale,
    /// Rows with a number that does not read back.
    rounded: u64,
    last_ns: i64,
    /// Whether the message before was of prints.
    were_prints: bool,
}

impl ParquetSink {
    pub fn create(path: &Path, product: &str, force: bool) -> Result<Self, OutputError> {
        Ok(Self {
            path: path.into(),
            product: ByteArray::from(product),
            sides: ["bid", "ask", "buy", "sell"].map(ByteArray::from),
            book: ParquetTable::create(path, force, "level", &BOOK_COLUMNS)?,
            trades: None,
            force,
            scale: Scale::default(),
            rounded: 0,
            last_ns: i64::MIN,
            were_prints: false,
        })
    }

    /// Gives what the user should know. Both files are whole before one takes its place.
    pub fn finish(self) -> Result<Option<String>, OutputError> {
        let Self { path, book, trades, force, scale, rounded, .. } = self;
        let note = super::rounded_note(rounded);
        let whole = |mut table: ParquetTable| {
            table.note(PRICE_DECIMALS, &scale.price_decimals.to_string());
            table.note(SIZE_DECIMALS, &scale.size_decimals.to_string());
            table.note(NO_EVENT_TIME, "null");
            table.end().map(|(output, _)| output)
        };
        let trades = trades.map(whole).transpose()?;
        let book = whole(book)?;
        book.finish()?;
        match trades {
            Some(trades) => trades.finish()?,
            None if force => {
                let removed = super::remove_trades(&trades_path(&path))?;
                return Ok(removed.into_iter().chain(note).reduce(|all, note| all + &note));
            }
            None => {}
        }
        Ok(note)
    }

    pub fn push(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), OutputError> {
        // Of one time the trades are read first: behind the book they need a time of their own.
        let is_print = head.kind == FrameKind::Prints;
        let is_new = i64::from(!(is_print && self.were_prints));
        let local_ns = head.ts_recv_ns.max(self.last_ns.saturating_add(is_new));
        (self.last_ns, self.were_prints) = (local_ns, is_print);
        let Scale { price_decimals, size_decimals } = head.scale;
        self.scale.price_decimals = self.scale.price_decimals.max(price_decimals);
        self.scale.size_decimals = self.scale.size_decimals.max(size_decimals);
        let time = |event_ns| if event_ns == 0 { Cell::Absent } else { Cell::TimeNs(event_ns) };
        match head.kind {
            FrameKind::Snapshot | FrameKind::Update => {
                let is_snapshot = head.kind == FrameKind::Snapshot;
                for level in events {
                    let is_exact = survives_float(level.price_ticks(), price_decimals)
                        && survives_float(level.size_lots(), size_decimals);
                    self.rounded += u64::from(!is_exact);
                    self.book.push([
                        Cell::Text(self.product.clone()),
                        time(head.ts_event_ns),
                        Cell::TimeNs(local_ns),
                        Cell::Truth(is_snapshot),
                        Cell::Text(self.sides[usize::from(level.side() == Side::Ask)].clone()),
                        Cell::Double(float(level.price_ticks(), price_decimals)),
                        Cell::Double(float(level.size_lots(), size_decimals)),
                    ])?;
                }
                Ok(())
            }
            FrameKind::Prints => {
                if self.trades.is_none() {
                    let path = trades_path(&self.path);
                    self.trades = Some(ParquetTable::create(&path, self.force, "trade", &TRADE_COLUMNS)?);
                }
                let Some(trades) = &mut self.trades else { return Ok(()) };
                for &print in events.as_chunks::<PRINT_EVENTS>().0 {
                    let Print { aggressor, price_ticks, size_lots, trade_id, ts_event_ns } = Print::decode(print);
                    let is_exact =
                        survives_float(price_ticks, price_decimals) && survives_float(size_lots, size_decimals);
                    self.rounded += u64::from(!is_exact);
                    trades.push([
                        Cell::Text(self.product.clone()),
                        time(ts_event_ns),
                        Cell::TimeNs(local_ns),
                        // Parquet's whole numbers have a sign; venues count far below it.
                        Cell::Whole(i64::try_from(trade_id).unwrap_or(0)),
                        Cell::Text(self.sides[2 + usize::from(aggressor == Side::Ask)].clone()),
                        Cell::Double(float(price_ticks, price_decimals)),
                        Cell::Double(float(size_lots, size_decimals)),
                    ])?;
                }
                Ok(())
            }
            FrameKind::Connected | FrameKind::Invalid(_) => Ok(()),
        }
    }
}
