//! Binance's downloadable books of futures: T_DEPTH, rows of updates and, in a file of their own, rows of snapshots.
//!
//! Both are spliced by the venue's numbers, as for recordings: a snapshot begins the book, updates that it holds already
//! (`last_update_id` up to its own) are dropped, and the first that counts must reach back to it. An update whose `pu` is not the
//! `last_update_id` before shows a gap: the book is lost until the next snapshot. Snapshots while nothing is missing say nothing new.
//! Updates without `pu` cannot show gaps, which is said. The snapshots of `…depth_update….csv` lie in `…depth_snap….csv` beside it;
//! the first update of a day reaches back to the snapshot only if the rows between are there too.
//!
//! ```
//! use papertrader::sources::binance_history::BinanceHistoryReader;
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("BTCUSDT_T_DEPTH_2022-11-01_depth_update.csv");
//! let header = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu\n";
//! std::fs::write(&path, format!("{header}BTCUSDT,1667347199939,8,12,a,set,20472.80,0.000,7\n"))?;
//! let snapshots = folder.path().join("BTCUSDT_T_DEPTH_2022-11-01_depth_snap.csv");
//! std::fs::write(&snapshots, format!("{header}BTCUSDT,1667347199900,9,9,b,snap,20377.00,1.770,-1\n"))?;
//! let mut reader = BinanceHistoryReader::open(&path, &ReaderSettings::default())?;
//! let (mut frame, mut kinds) = (RawFrame::default(), Vec::new());
//! while reader.next(&mut frame)? {
//!     kinds.push(frame.kind);
//! }
//! assert_eq!(kinds, [RawKind::Snapshot, RawKind::Update]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::table::cells::{Cell, Unit, number, time_ns};
use super::table::csv_rows::CsvRows;
use super::table::is_ours;
use super::table::rows::Rows;
use super::{FRAME_LEVELS_MAX, FrameReader, RawFrame, RawKind, RawLevel, ReadError, ReaderCounts, ReaderSettings};
use crate::capture::Progress;
use crate::market::event::Fault;
use crate::market::units::Side;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The columns, of which the last may be missing; that of time is called `time` too.
const COLUMNS: [&str; 9] =
    ["symbol", "timestamp", "first_update_id", "last_update_id", "side", "update_type", "price", "qty", "pu"];

/// Whether columns are those of such a file.
pub fn is_history(columns: &[String]) -> bool {
    ["first_update_id", "last_update_id", "update_type", "side", "price", "qty"]
        .iter()
        .all(|due| columns.iter().any(|column| column == due))
}

/// Whether the beginning of a file is the header of one.
pub fn is_head(head: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', head).unwrap_or(head.len());
    super::table::csv_rows::header(&head[..end]).is_some_and(|(columns, _)| is_history(&columns))
}

/// The other file of the pair, by its name, if it is there.
pub fn partner(path: &Path) -> Option<PathBuf> {
    partners(path).into_iter().find(|path| path.is_file())
}

/// Where it may be.
pub fn partners(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let pairs = [("depth_update", "depth_snap"), ("depth-update", "depth-snap")];
    let both_ways = pairs.into_iter().flat_map(|(updates, snapshots)| [(updates, snapshots), (snapshots, updates)]);
    let other = |(own, other)| name.contains(own).then(|| path.with_file_name(name.replace(own, other)));
    both_ways.filter_map(other).collect()
}

/// Rows of one message.
#[derive(Debug)]
struct Message {
    ts_ns: i64,
    is_snapshot: bool,
    first: u64,
    last: u64,
    previous: Option<u64>,
    levels: Vec<RawLevel>,
}

/// The messages of a file.
struct Messages {
    rows: CsvRows,
    /// Of [`COLUMNS`].
    columns: [Option<usize>; COLUMNS.len()],
    settings: ReaderSettings,
    unit: Option<Unit>,
    product: String,
    next: Option<Message>,
    counts: ReaderCounts,
}

impl Messages {
    fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let rows = CsvRows::open(path)?;
        let place = |name: &str| rows.columns().iter().position(|column| column == name);
        let columns = COLUMNS.map(|name| place(name).or_else(|| place("time").filter(|_| name == "timestamp")));
        if let Some(missing) = columns[..8].iter().position(Option::is_none) {
            return Err(ReadError::row(path, 1, format_args!("has no column '{}'", COLUMNS[missing])));
        }
        Ok(Self {
            rows,
            columns,
            settings: settings.clone(),
            unit: None,
            product: settings.product.clone().unwrap_or_default(),
            next: None,
            counts: ReaderCounts::default(),
        })
    }

    /// A row of the product as a message of one level.
    fn row(&mut self) -> Result<Option<Message>, ReadError> {
        while self.rows.next()? {
            self.counts.rows += 1;
            if !is_ours(&self.rows, self.columns[0], &mut self.product) {
                self.counts.other_products += 1;
                continue;
            }
            return self.parse().map(Some).map_err(|what| self.rows.wrong(&what));
        }
        Ok(None)
    }

    fn parse(&mut self) -> Result<Message, String> {
        let Self { rows, columns, settings, unit, counts, .. } = self;
        let cell = |at: usize| columns[at].map_or(Cell::Absent, |column| rows.cell(column));
        let id = |at: usize| {
            let text = if let Cell::Text(text) = cell(at) { std::str::from_utf8(text).ok() } else { None };
            text.and_then(|text| text.trim().parse::<u64>().ok())
        };
        let due_id = |at: usize| id(at).ok_or_else(|| format!("{} '{}' is not a number", COLUMNS[at], cell(at)));
        let side = match cell(4) {
            Cell::Text(b"b") => Side::Bid,
            Cell::Text(b"a") => Side::Ask,
            other => return Err(format!("side '{other}' is neither b nor a")),
        };
        let is_snapshot = match cell(5) {
            Cell::Text(b"snap") => true,
            Cell::Text(b"set") => false,
            other => return Err(format!("update_type '{other}' is neither snap nor set")),
        };
        let mut decimal = |at: usize, decimals| {
            let found = number(cell(at), decimals, counts).map_err(|what| format!("{} {what}", COLUMNS[at]))?;
            found.ok_or_else(|| format!("has no {}", COLUMNS[at]))
        };
        let price = decimal(6, settings.price_decimals)?;
        let size = decimal(7, settings.size_decimals)?;
        if price.is_zero() {
            return Err("price is 0".into());
        }
        let ts_ns = time_ns(cell(1), unit)?;
        let level = RawLevel { side, price, size };
        // -1 where there is none.
        let (first, last, previous) = (due_id(2)?, due_id(3)?, id(8));
        Ok(Message { ts_ns, is_snapshot, first, last, previous, levels: vec![level] })
    }

    /// The next message, which stays to be looked at.
    fn peek(&mut self, pending: &mut Option<Message>) -> Result<(), ReadError> {
        if pending.is_some() {
            return Ok(());
        }
        let first = match self.next.take() {
            Some(row) => Some(row),
            None => self.row()?,
        };
        let Some(mut message) = first else { return Ok(()) };
        while let Some(mut row) = self.row()? {
            if (row.last, row.is_snapshot) != (message.last, message.is_snapshot) {
                if row.last < message.last {
                    let what =
                        format!("last_update_id goes back from {} to {}; sort the rows by it", message.last, row.last);
                    return Err(self.rows.wrong(&what));
                }
                self.next = Some(row);
                break;
            }
            if message.levels.len() == FRAME_LEVELS_MAX {
                return Err(self.rows.wrong(&format!("the message has more than {FRAME_LEVELS_MAX} rows")));
            }
            message.levels.append(&mut row.levels);
        }
        *pending = Some(message);
        Ok(())
    }
}

/// Where the book ends.
#[derive(Clone, Copy)]
enum End {
    Snapshot(u64),
    Update(u64),
}

/// Reads a file of T_DEPTH with the other of its pair.
pub struct BinanceHistoryReader {
    files: Vec<(Messages, Option<Message>)>,
    end: Option<End>,
    last_ns: i64,
    counts: ReaderCounts,
}

impl BinanceHistoryReader {
    /// Opens a file and the one beside it.
    ///
    /// # Errors
    /// One cannot be read, or its columns are others.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let other = settings.initial_snapshot.clone().or_else(|| partner(path));
        let mut first = Messages::open(path, settings)?;
        let mut pending = None;
        // Both files are of the product of the first one's first row.
        first.peek(&mut pending)?;
        let product = settings.product.clone().or_else(|| Some(first.product.clone()).filter(|name| !name.is_empty()));
        let mut files = vec![(first, pending)];
        if let Some(other) = other {
            files.push((Messages::open(&other, &ReaderSettings { product, ..settings.clone() })?, None));
        }
        Ok(Self { files, end: None, last_ns: i64::MIN, counts: ReaderCounts::default() })
    }

    /// The next message of both files by the venue's numbers; of one number the snapshot first.
    fn message(&mut self) -> Result<Option<Message>, ReadError> {
        for (file, pending) in &mut self.files {
            file.peek(pending)?;
        }
        let place = |pending: &Option<Message>| pending.as_ref().map(|message| (message.last, !message.is_snapshot));
        let next =
            self.files.iter_mut().filter(|(_, pending)| pending.is_some()).min_by_key(|(_, pending)| place(pending));
        Ok(next.and_then(|(_, pending)| pending.take()))
    }

    /// What a message does to the book, if anything.
    fn effect(&mut self, message: &Message) -> Option<RawKind> {
        let rows = message.levels.len() as u64;
        if message.is_snapshot {
            if self.end.is_some() {
                return None;
            }
            self.end = Some(End::Snapshot(message.last));
            return Some(RawKind::Snapshot);
        }
        self.counts.unchecked += u64::from(message.previous.is_none());
        let goes_on = match self.end {
            None => {
                self.counts.before_snapshot += rows;
                return None;
            }
            Some(End::Snapshot(last)) if message.last <= last => {
                self.counts.before_snapshot += rows;
                return None;
            }
            Some(End::Snapshot(last)) => message.previous.unwrap_or_else(|| message.first.saturating_sub(1)) <= last,
            Some(End::Update(last)) => message.previous.is_none_or(|previous| previous == last),
        };
        if goes_on {
            self.end = Some(End::Update(message.last));
            return Some(RawKind::Update);
        }
        self.end = None;
        self.counts.before_snapshot += rows;
        Some(RawKind::Lost(Fault::SequenceGap))
    }
}

impl FrameReader for BinanceHistoryReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        while let Some(message) = self.message()? {
            let Some(kind) = self.effect(&message) else { continue };
            self.counts.out_of_order += u64::from(message.ts_ns < self.last_ns);
            self.last_ns = self.last_ns.max(message.ts_ns);
            frame.begin(kind, self.last_ns, 0);
            if !matches!(kind, RawKind::Lost(_)) {
                frame.levels = message.levels;
            }
            if kind == RawKind::Snapshot {
                frame.levels.retain(|level| !level.size.is_zero());
            }
            return Ok(true);
        }
        let (file, _) = &self.files[0];
        if self.last_ns == i64::MIN && self.counts.before_snapshot > 0 {
            let what = "no snapshot is among the rows: put the file of snapshots (depth_snap) beside that of updates (depth_update)";
            return Err(file.rows.wrong(what));
        }
        Ok(false)
    }

    fn progress(&self) -> Arc<Progress> {
        self.files[0].0.rows.progress()
    }

    fn product(&self) -> &str {
        &self.files[0].0.product
    }

    fn counts(&self) -> ReaderCounts {
        let mut all = self.counts;
        for (file, _) in &self.files {
            all.rows += file.counts.rows;
            all.other_products += file.counts.other_products;
            all.rounded += file.counts.rounded;
            all.open += u64::from(file.rows.is_open());
        }
        all
    }

    fn has_event_times_only(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const HEADER: &str = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu\n";
    const SNAPSHOTS: &str = "P,1667347199100,20,20,b,snap,10,1,-1\nP,1667347199100,20,20,a,snap,11,2,-1\n\
        P,1667347199300,35,35,b,snap,9,9,-1\nP,1667347199500,60,60,b,snap,10,5,-1\nP,1667347199500,60,60,a,snap,12,5,-1\n";

    fn frames(updates: &str, snapshots: Option<&str>) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p_depth_update.csv");
        fs::write(&path, updates).unwrap();
        if let Some(snapshots) = snapshots {
            fs::write(folder.path().join("p_depth_snap.csv"), snapshots).unwrap();
        }
        let shown = |error: ReadError| error.to_string().replace(&format!("{}/", folder.path().display()), "");
        let mut reader = BinanceHistoryReader::open(&path, &ReaderSettings::default()).map_err(shown)?;
        let (mut frame, mut all) = (RawFrame::default(), Vec::new());
        while reader.next(&mut frame).map_err(shown)? {
            let levels = frame.levels.iter().map(|level| format!(" {:?} {}@{}", level.side, level.size, level.price));
            let ms = frame.ts_recv_ns / 1_000_000 - 1_667_347_199_000;
            all.push(format!("{ms} {:?}{}", frame.kind, levels.collect::<String>()));
        }
        all.extend(reader.counts().remarks());
        Ok(all)
    }

    #[test]
    fn both_files_are_spliced_by_the_venues_numbers() {
        let updates = format!(
            "{HEADER}P,1667347199000,10,15,b,set,10,7,9\n\
             P,1667347199050,16,22,b,set,10,3,15\nP,1667347199050,16,22,a,set,11,0,15\n\
             P,1667347199200,23,30,b,set,8,1,22\n\
             P,1667347199350,33,40,b,set,7,1,32\n\
             P,1667347199360,41,45,b,set,7,2,40\n\
             P,1667347199490,58,61,a,set,12,6,57\n"
        );
        let due = [
            "100 Snapshot Bid 1@10 Ask 2@11",
            // It reaches over the snapshot.
            "100 Update Bid 3@10 Ask 0@11",
            "200 Update Bid 1@8",
            // The snapshot of 35 says nothing new while nothing is known to be missing; 31 and 32 are.
            "350 Lost(SequenceGap)",
            "500 Snapshot Bid 5@10 Ask 5@12",
            "500 Update Ask 6@12",
            "3 rows before the first snapshot: nobody knows the book that they change",
            "2 rows whose times go back",
        ];
        assert_eq!(frames(&updates, Some(&format!("{HEADER}{SNAPSHOTS}"))).unwrap(), due);
        // In one file too, sorted by number.
        let mut rows: Vec<&str> = updates.lines().skip(1).chain(SNAPSHOTS.lines()).collect();
        rows.sort_by_key(|row| {
            let cells: Vec<&str> = row.split(',').collect();
            (cells[3].parse::<u64>().unwrap(), cells[5] != "snap")
        });
        assert_eq!(frames(&format!("{HEADER}{}\n", rows.join("\n")), None).unwrap(), due);
    }

    #[test]
    fn without_the_number_before_gaps_are_not_seen_which_is_said() {
        let header = "symbol,time,first_update_id,last_update_id,side,update_type,price,qty\n";
        let all = frames(
            &format!("{header}P,1667347199050,21,22,b,set,10,3\nP,1667347199060,90,99,b,set,9,3\n"),
            Some(&format!("{HEADER}P,1667347199000,20,20,b,snap,10,1,-1\n")),
        );
        let due = [
            "0 Snapshot Bid 1@10",
            "50 Update Bid 3@10",
            "60 Update Bid 3@9",
            "2 messages without pu: nobody can tell whether one is missing before them",
        ];
        assert_eq!(all.unwrap(), due);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (row, due) in [
            ("P,1667347199050,21,22,x,set,10,3,20", "side 'x' is neither b nor a"),
            ("P,1667347199050,21,22,b,put,10,3,20", "update_type 'put' is neither snap nor set"),
            ("P,1667347199050,21,x,b,set,10,3,20", "last_update_id 'x' is not a number"),
            ("P,1667347199050,21,22,b,set,0,3,20", "price is 0"),
            ("P,1667347199050,21,22,b,set,-1,3,20", "price '-1' is negative"),
            ("P,1667347199050,21,22,b,set,1,,20", "has no qty"),
            ("P,1667347199050,21,22,b,set,1", "has 7 cells where the header has 9; is it cut?"),
            (
                "P,16673,21,22,b,set,1,1,20",
                "the time '16673' is neither Unix time from 1980 to 2100 nor a date with a time of day",
            ),
            (
                "P,1667347199050,21,22,b,set,1,1,20\nP,1667347199050,21,21,b,set,1,1,20",
                "last_update_id goes back from 22 to 21; sort the rows by it",
            ),
            (
                "P,1667347199050,21,22,b,set,1,1,20",
                "no snapshot is among the rows: put the file of snapshots (depth_snap) beside that of updates (depth_update)",
            ),
        ] {
            let line = 1 + row.lines().count();
            let error = frames(&format!("{HEADER}{row}\n"), None).unwrap_err();
            assert_eq!(error, format!("p_depth_update.csv, line {line}: {due}"), "{row}");
        }
        let error = frames("symbol,timestamp,last_update_id\n", None).unwrap_err();
        assert_eq!(error, "p_depth_update.csv, line 1: has no column 'first_update_id'");
    }
}
