//! Tables of changes: a row is a level's new size, 0 where it is gone.
//!
//! So are Tardis' rows once they are Parquet, Crypto Lake's `book_delta`, and what `convert` writes as Parquet. Columns are known by
//! their names, in any order: a side (`side`, or `side_is_bid`), a price, a size, times. Where a column marks snapshots
//! (`is_snapshot`), the book begins there and rows before the first say nothing. Where none does, it begins with the rows of the
//! first time, or with the opening book that the user names.
//!
//! ```
//! use papertrader::sources::table::changes::ChangesReader;
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("book_delta.csv");
//! std::fs::write(&path, "received_time,sequence_number,side_is_bid,price,size\n\
//!     1598918403.81,7,true,11657.07,10.896\n1598918403.81,7,false,11657.08,1.714\n1598918403.89,8,false,11657.08,0\n")?;
//! let mut reader = ChangesReader::open(&path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! assert!(reader.next(&mut frame)?);
//! assert_eq!((frame.kind, frame.levels.len()), (RawKind::Snapshot, 2));
//! assert!(reader.next(&mut frame)?);
//! assert_eq!((frame.kind, frame.levels.len()), (RawKind::Update, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::cells::{Cell, number, truth};
use super::chained::ChainedRows;
use super::layout::{find, product_column, time_columns, venue_column};
use super::rows::Rows;
use super::{TableReader, Times, Venue, is_ours, open_rows, with_noted_decimals};
use crate::capture::Progress;
use crate::market::units::Side;
use crate::sources::holes::Holes;
use crate::sources::snapshots::Snapshots;
use crate::sources::{
    FRAME_LEVELS_MAX, FrameReader, RawFrame, RawKind, RawLevel, ReadError, ReaderCounts, ReaderSettings, TimeChoice,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Under which a file may note the decimals of its prices.
pub const PRICE_DECIMALS: &str = "price_decimals";
/// And of its sizes.
pub const SIZE_DECIMALS: &str = "size_decimals";
/// Under which a file may note what says that the venue gave no time: `null`, or `equal` to the time of receipt, as of Tardis.
pub const NO_EVENT_TIME: &str = "no_event_time";

/// How old an opening book may be without a word.
const STALE_NS: i64 = 60_000_000_000;

const SIDE: &[&str] = &["side"];
const SIDE_IS_BID: &[&str] = &["side_is_bid", "is_bid"];
const PRICE: &[&str] = &["price", "px"];
const SIZE: &[&str] = &["amount", "size", "qty", "quantity"];
const MARK: &[&str] = &["is_snapshot", "snapshot"];

/// Which columns hold what.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Layout {
    recv: usize,
    event: Option<usize>,
    is_venue_time_only: bool,
    product: Option<usize>,
    venue: Option<usize>,
    side: usize,
    price: usize,
    size: usize,
    mark: Option<usize>,
}

/// A side by its name; `None` where it is none.
pub(super) fn side_named(text: &[u8]) -> Option<Side> {
    match text.trim_ascii().to_ascii_lowercase().as_slice() {
        b"bid" | b"bids" | b"b" | b"buy" => Some(Side::Bid),
        b"ask" | b"asks" | b"a" | b"sell" | b"s" => Some(Side::Ask),
        _ => None,
    }
}

/// Whether a column of such a table marks snapshots.
pub fn is_marked(columns: &[String]) -> bool {
    let columns: Vec<String> = columns.iter().map(|column| column.trim().to_lowercase()).collect();
    find(&columns, MARK).is_some()
}

/// The time of receipt of a file's first row.
///
/// # Errors
/// It cannot be read, or has no row.
pub fn begins_ns(path: &Path, settings: &ReaderSettings) -> Result<i64, ReadError> {
    let settings = ReaderSettings { initial_snapshot: None, ..settings.clone() };
    let row = ChangesReader::open(path, &settings)?.row()?;
    row.map(|row| row.ts_recv_ns).ok_or_else(|| ReadError::file(path, "holds no row of the product"))
}

/// Whether columns are those of a table of changes. A side and a price without a mark may be trades.
pub fn is_changes(columns: &[String]) -> bool {
    let columns: Vec<String> = columns.iter().map(|column| column.trim().to_lowercase()).collect();
    let has = |names| find(&columns, names).is_some();
    has(PRICE) && has(SIZE) && (has(SIDE_IS_BID) || has(SIDE) && has(MARK))
}

fn layout_of(columns: &[String], time_column: Option<&str>) -> Result<Layout, String> {
    let columns: Vec<String> = columns.iter().map(|column| column.trim().to_lowercase()).collect();
    let due = |names: &[&str], what| find(&columns, names).ok_or_else(|| format!("has no column of {what}"));
    let (recv, event, is_venue_time_only) = time_columns(&columns, time_column)?;
    Ok(Layout {
        recv,
        event,
        is_venue_time_only,
        product: product_column(&columns),
        venue: venue_column(&columns),
        side: find(&columns, SIDE_IS_BID).map_or_else(|| due(SIDE, "sides"), Ok)?,
        price: due(PRICE, "prices")?,
        size: due(SIZE, "sizes")?,
        mark: find(&columns, MARK),
    })
}

/// The product of a file's first row, which is the one that is read where none is asked for; `None` where no column tells it.
///
/// # Errors
/// It cannot be read.
pub fn first_product(path: &Path) -> Result<Option<String>, ReadError> {
    let mut rows = open_rows(path)?;
    let columns: Vec<String> = rows.columns().iter().map(|column| column.trim().to_lowercase()).collect();
    let (column, mut product) = (product_column(&columns), String::new());
    rows.choose(column.as_slice());
    if rows.next()? {
        is_ours(&*rows, column, &mut product);
    }
    Ok(Some(product).filter(|product| !product.is_empty()))
}

/// A row.
#[derive(Clone, Copy)]
struct Row {
    ts_recv_ns: i64,
    ts_event_ns: i64,
    is_snapshot: bool,
    level: RawLevel,
}

/// Reads a table of changes.
pub struct ChangesReader {
    rows: Box<dyn Rows>,
    layout: Layout,
    settings: ReaderSettings,
    times: Times,
    venue: Venue,
    product: String,
    counts: ReaderCounts,
    holes: Holes,
    /// Files before that of the row before, and its time.
    last: Option<(u64, i64)>,
    /// The book before the first row, if the user named one, until it has been told.
    opening: Option<RawFrame>,
    /// Rows up to this time are in it already.
    opened_ns: i64,
    /// Whether the user named one.
    is_opened: bool,
    has_begun: bool,
    snapshots: Snapshots,
    /// The first row of the next frame.
    next: Option<Row>,
}

impl ChangesReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or its columns are not those of such a table.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        Self::open_parts(&[path.into()], settings)
    }

    /// Opens files of which each goes on where the one before ends.
    ///
    /// # Errors
    /// The first cannot be read, or its columns are not those of such a table.
    pub fn open_parts(paths: &[PathBuf], settings: &ReaderSettings) -> Result<Self, ReadError> {
        let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
        let mut rows: Box<dyn Rows> = match paths {
            [path] => open_rows(path)?,
            paths => Box::new(ChainedRows::open(paths)?),
        };
        let layout = layout_of(rows.columns(), settings.time_column.as_deref());
        let layout = layout.map_err(|what| ReadError::file(path, what))?;
        let Layout { recv, event, product, venue, side, price, size, mark, .. } = layout;
        rows.choose(
            &[Some(recv), event, product, venue, Some(side), Some(price), Some(size), mark]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>(),
        );
        let opening = settings.initial_snapshot.as_deref().map(|path| opening_book(path, settings)).transpose()?;
        let times = Times::new(layout.recv, layout.event, settings.time).noted(&*rows);
        Ok(Self {
            settings: with_noted_decimals(settings, &*rows),
            venue: Venue::new(layout.venue),
            rows,
            layout,
            times,
            product: settings.product.clone().unwrap_or_default(),
            counts: ReaderCounts::default(),
            holes: Holes::default(),
            last: None,
            is_opened: opening.is_some(),
            opened_ns: opening.as_ref().map_or(i64::MIN, |book| book.ts_recv_ns),
            opening,
            has_begun: false,
            snapshots: Snapshots::default(),
            next: None,
        })
    }

    /// Whether the file begins without a book: no row marks a snapshot, and the user names none.
    fn begins_with_first_rows(&self) -> bool {
        self.layout.mark.is_none() && !self.is_opened
    }

    /// The next row of the product from the beginning of the book on.
    fn row(&mut self) -> Result<Option<Row>, ReadError> {
        if let Some(row) = self.next.take() {
            return Ok(Some(row));
        }
        while self.rows.next()? {
            self.counts.rows += 1;
            if !is_ours(&*self.rows, self.layout.product, &mut self.product) {
                self.counts.other_products += 1;
                continue;
            }
            let row = self.parse().map_err(|what| self.rows.wrong(&what))?;
            let now = (self.rows.files_before(), row.ts_recv_ns);
            if let Some((_, ended_ns)) = self.last.replace(now).filter(|&(file, _)| file != now.0) {
                self.holes.note(self.rows.path(), ended_ns, row.ts_recv_ns);
            }
            if row.ts_recv_ns <= self.opened_ns && !row.is_snapshot {
                self.counts.before_snapshot += 1;
                continue;
            }
            if self.has_begun || row.is_snapshot || self.layout.mark.is_none() || self.is_opened {
                return Ok(Some(row));
            }
            self.counts.before_snapshot += 1;
        }
        Ok(None)
    }

    fn parse(&mut self) -> Result<Row, String> {
        let Self { rows, layout, settings, counts, times, venue, .. } = self;
        venue.check(&**rows)?;
        let name = |column: usize| &rows.columns()[column];
        let not = |column: usize, due: &str| format!("{} '{}' is not {due}", name(column), rows.cell(column));
        let is_snapshot = match layout.mark {
            Some(mark) => truth(rows.cell(mark)).ok_or_else(|| not(mark, "true or false"))?,
            None => false,
        };
        let side = match rows.cell(layout.side) {
            Cell::Text(text) => side_named(text).or_else(|| truth(Cell::Text(text)).map(side_of_truth)),
            cell => truth(cell).map(side_of_truth),
        };
        let side = side.ok_or_else(|| not(layout.side, "a side"))?;
        let mut due = |column: usize, decimals, what: &str| {
            let found = number(rows.cell(column), decimals, counts).map_err(|error| format!("{what} {error}"))?;
            found.ok_or_else(|| format!("has no {what}"))
        };
        let price = due(layout.price, settings.price_decimals, "price")?;
        let size = due(layout.size, settings.size_decimals, "size")?;
        if price.is_zero() {
            return Err("price is 0".into());
        }
        let (ts_recv_ns, ts_event_ns) = times.of(&**rows)?;
        Ok(Row { ts_recv_ns, ts_event_ns, is_snapshot, level: RawLevel { side, price, size } })
    }
}

fn side_of_truth(is_bid: bool) -> Side {
    if is_bid { Side::Bid } else { Side::Ask }
}

/// The first book of a table of books.
fn opening_book(path: &Path, settings: &ReaderSettings) -> Result<RawFrame, ReadError> {
    let settings = ReaderSettings { initial_snapshot: None, ..settings.clone() };
    let mut frame = RawFrame::default();
    match TableReader::open(path, &settings)?.next(&mut frame)? {
        true => Ok(frame),
        false => Err(ReadError::file(path, "holds no book")),
    }
}

impl FrameReader for ChangesReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        let Some(first) = self.row()? else {
            if self.has_begun || self.counts.before_snapshot == 0 {
                return Ok(false);
            }
            let what = "holds no snapshot of the product: nothing can be made of its updates";
            return Err(self.rows.wrong(what));
        };
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let is_opening = is_first && self.begins_with_first_rows();
        let kind = if first.is_snapshot || is_opening { RawKind::Snapshot } else { RawKind::Update };
        frame.begin(kind, first.ts_recv_ns, first.ts_event_ns);
        if is_first && let Some(book) = self.opening.take().filter(|_| kind == RawKind::Update) {
            frame.kind = RawKind::Snapshot;
            self.counts.stale = u64::from(first.ts_recv_ns.saturating_sub(book.ts_recv_ns) > STALE_NS);
            frame.levels = book.levels;
            self.snapshots.complete(frame);
            self.next = Some(first);
            // The mark of what follows counts from now on.
            return Ok(true);
        }
        frame.levels.push(first.level);
        while let Some(row) = self.row()? {
            if (row.ts_recv_ns, row.is_snapshot) != (first.ts_recv_ns, first.is_snapshot) {
                self.next = Some(row);
                break;
            }
            if frame.levels.len() == FRAME_LEVELS_MAX {
                return Err(self.rows.wrong(&format!("the frame has more than {FRAME_LEVELS_MAX} rows of one time")));
            }
            frame.ts_event_ns = frame.ts_event_ns.max(row.ts_event_ns);
            frame.levels.push(row.level);
        }
        self.snapshots.complete(frame);
        Ok(true)
    }

    fn progress(&self) -> Arc<Progress> {
        self.rows.progress()
    }

    fn product(&self) -> &str {
        &self.product
    }

    fn counts(&self) -> ReaderCounts {
        let is_unmarked = self.begins_with_first_rows() && self.has_begun;
        ReaderCounts { open: self.rows.is_open().into(), unmarked: is_unmarked.into(), ..self.counts }
    }

    fn holes(&self) -> Holes {
        self.holes.clone()
    }

    fn has_event_times_only(&self) -> bool {
        self.layout.is_venue_time_only || self.settings.time == TimeChoice::Event && self.layout.event.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::table::open_table;
    use std::fs;
    use tempfile::TempDir;

    fn frames(name: &str, text: &str, settings: &ReaderSettings) -> Result<Vec<String>, String> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let shown = |error: ReadError| error.to_string().replace(&format!("{}/", folder.path().display()), "");
        let mut reader = open_table(&path, settings).map_err(shown)?;
        let (mut frame, mut all) = (RawFrame::default(), Vec::new());
        while reader.next(&mut frame).map_err(shown)? {
            let levels = frame.levels.iter().map(|level| format!(" {:?} {}@{}", level.side, level.size, level.price));
            let prints =
                frame.prints.iter().map(|print| format!(" {:?} {}@{}", print.aggressor, print.size, print.price));
            let rest = frame.ts_recv_ns - 1_598_918_403_000_000_000;
            all.push(format!("{rest} {:?}{}", frame.kind, levels.chain(prints).collect::<String>()));
        }
        all.extend(reader.counts().remarks());
        Ok(all)
    }

    const MARKED: &str = "symbol,local_timestamp,side,price,is_snapshot,amount\n\
        P,1598918403000000001,bid,9,false,1\n\
        P,1598918403000000002,bid,9,true,1\nQ,1598918403000000002,bid,9,true,1\nP,1598918403000000002,ask,1e1,true,2.50\n\
        P,1598918403000000003,ask,10,false,0\n\
        P,1598918403000000004,bid,8,true,3\nP,1598918403000000005,ask,11,true,4\n";

    #[test]
    fn marks_begin_the_book_and_one_side_leaves_the_other() {
        let all = frames("a.csv", MARKED, &ReaderSettings::default()).unwrap();
        assert_eq!(
            all,
            [
                "2 Snapshot Bid 1@9 Ask 2.5@10",
                "3 Update Ask 0@10",
                "4 Snapshot Bid 3@8",
                "5 Snapshot Ask 4@11 Bid 3@8",
                "1 row of other products, left out",
                "1 row before the first snapshot: nobody knows the book that they change",
            ]
        );
    }

    const UNMARKED: &str = "received_time,sequence_number,side_is_bid,price,size\n\
        1598918403.5,1,1,9,1\n1598918403.5,1,0,10,1\n1598918403.6,2,1,9,0\n";

    #[test]
    fn without_marks_the_first_rows_are_the_book_unless_one_is_given() {
        let all = frames("a.csv", UNMARKED, &ReaderSettings::default()).unwrap();
        assert_eq!(
            all,
            [
                "500000000 Snapshot Bid 1@9 Ask 1@10",
                "600000000 Update Bid 0@9",
                "no row marks a snapshot: the book begins with the rows of the first time, and is whole only if they are \
                 (else give --initial-snapshot)",
            ]
        );
        let folder = TempDir::new().unwrap();
        let book = folder.path().join("book.csv");
        fs::write(&book, "time,bid_price_1,bid_size_1,ask_price_1,ask_size_1\n1598918403,8,5,11,6\n").unwrap();
        let settings = ReaderSettings { initial_snapshot: Some(book), ..ReaderSettings::default() };
        let all = frames("a.csv", UNMARKED, &settings).unwrap();
        let due =
            ["500000000 Snapshot Bid 5@8 Ask 6@11", "500000000 Update Bid 1@9 Ask 1@10", "600000000 Update Bid 0@9"];
        assert_eq!(all, due);
        // A file that marks its snapshots goes on from the given book too.
        let all = frames("a.csv", MARKED, &settings).unwrap();
        assert_eq!(all[..3], ["1 Snapshot Bid 5@8 Ask 6@11", "1 Update Bid 1@9", "2 Snapshot Bid 1@9 Ask 2.5@10"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let head = "local_timestamp,side,price,is_snapshot,amount\n";
        for (row, due) in [
            ("1598918403,bid,9,maybe,1", "is_snapshot 'maybe' is not true or false"),
            ("1598918403,mid,9,true,1", "side 'mid' is not a side"),
            ("1598918403,bid,-9,true,1", "price '-9' is negative"),
            ("1598918403,bid,0,true,1", "price is 0"),
            ("1598918403,bid,,true,1", "has no price"),
            ("1598918403,bid,NaN,true,1", "has no price"),
            ("1598918403,bid,9,true,", "has no size"),
            ("1598918403,bid,9,true", "has 4 cells where the header has 5; is it cut?"),
            (
                "15989184030000000000000,bid,9,true,1",
                "the time '15989184030000000000000' is neither Unix time from 1980 to 2100 nor a date with a time of day",
            ),
        ] {
            let text = format!("{head}{row}\n");
            let error = frames("a.csv", &text, &ReaderSettings::default()).unwrap_err();
            assert_eq!(error, format!("a.csv, line 2: {due}"), "{row}");
        }
        let back = format!("{head}1598918403.5,bid,9,true,1\n1598918403.4,bid,9,true,1\n");
        let error = frames("a.csv", &back, &ReaderSettings::default()).unwrap_err();
        assert!(error.starts_with("a.csv, line 3: local_timestamp goes back to '1598918403.4'"), "{error}");
        let none = format!("{head}1598918403.5,bid,9,false,1\n");
        let error = frames("a.csv", &none, &ReaderSettings::default()).unwrap_err();
        assert_eq!(error, "a.csv, line 2: holds no snapshot of the product: nothing can be made of its updates");
    }
}
