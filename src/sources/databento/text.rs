//! Databento's CSV and Parquet: columns by their names, in any order, others among them; raw integers, or decimals and times.
//!
//! ```
//! use papertrader::sources::ReaderSettings;
//! use papertrader::sources::databento::record::Record;
//! use papertrader::sources::databento::text::TextRecords;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("mbo.csv");
//! std::fs::write(&path, ",ts_event,action,side,price,size,order_id,flags\r\n\
//!     0,1752735909035627674,A,B,5510000000,100,817593,130\r\n")?;
//! let mut records = TextRecords::open(&path, &ReaderSettings::default())?;
//! let mut record = Record::default();
//! assert!(records.next(&mut record)?);
//! assert_eq!((record.ts_event_ns, record.price, record.order_id), (1_752_735_909_035_627_674, 5_510_000_000, 817_593));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::choice::Choice;
use super::record::{LEVELS, PRICE_DECIMALS, Pair, Record, Schema, UNDEFINED_PRICE, UNDEFINED_SIZE, time_ns};
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::capture::Progress;
use crate::sources::bytes::{Lines, open};
use crate::sources::columns::Columns as ParquetColumns;
use crate::sources::number::Number;
use crate::sources::table::cells::Cell;
use crate::sources::{ReadError, ReaderCounts, ReaderSettings};
use std::path::Path;
use std::sync::Arc;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// Columns of a header that are looked at; `mbp-10` has some eighty.
const COLUMNS_MAX: usize = 1_024;

/// Where the columns stand; those of Databento that a file may lack are `None`.
#[derive(Clone, Debug, Default)]
struct Columns {
    ts_recv: Option<usize>,
    ts_event: usize,
    publisher_id: Option<usize>,
    instrument_id: Option<usize>,
    symbol: Option<usize>,
    action: usize,
    side: usize,
    price: usize,
    size: usize,
    flags: usize,
    order_id: Option<usize>,
    /// Bid's price and size, ask's price and size.
    levels: Vec<[usize; 4]>,
}

/// How a file writes prices, told by the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prices {
    /// Integers in 1e-9.
    Raw,
    /// Decimals with a point.
    Pretty,
}

/// Where rows come from.
enum Source {
    Csv(Lines),
    Parquet(Box<ParquetColumns>),
}

impl Source {
    fn path(&self) -> &Path {
        match self {
            Self::Csv(lines) => lines.path(),
            Self::Parquet(columns) => columns.path(),
        }
    }

    /// The next row: its text, and in it its cells.
    fn next(&mut self, cells: &mut Cells) -> Result<bool, ReadError> {
        cells.places.clear();
        cells.text.clear();
        match self {
            Self::Csv(lines) => {
                let Some(line) = lines.next()? else { return Ok(false) };
                cells.text.extend_from_slice(line);
                cells.split().map_err(|what| lines.wrong(what))?;
            }
            Self::Parquet(columns) => {
                if !columns.advance()? {
                    return Ok(false);
                }
                for at in 0..columns.names().len() {
                    cells.push(columns.cell(at));
                }
            }
        }
        Ok(true)
    }

    fn wrong(&self, what: impl std::fmt::Display) -> ReadError {
        match self {
            Self::Csv(lines) => lines.wrong(what),
            Self::Parquet(columns) => columns.wrong(what),
        }
    }
}

/// A row's cells.
#[derive(Debug, Default)]
struct Cells {
    text: Vec<u8>,
    /// Where each begins and ends.
    places: Vec<(usize, usize)>,
    /// How many there must be.
    due: usize,
}

impl Cells {
    fn get(&self, at: usize) -> &[u8] {
        self.places.get(at).and_then(|&(from, to)| self.text.get(from..to)).unwrap_or_default()
    }

    /// Finds the cells of a line.
    fn split(&mut self) -> Result<(), String> {
        let mut from = 0;
        for comma in memchr::memchr_iter(b',', &self.text).chain([self.text.len()]) {
            if self.places.len() == self.due {
                return Err(format!("has more than {} cells", self.due));
            }
            self.places.push((from, comma));
            from = comma + 1;
        }
        if self.places.len() < self.due {
            return Err(format!("has {} cells where {} are due; is it cut?", self.places.len(), self.due));
        }
        Ok(())
    }

    /// Adds a cell as the CSV would have it.
    fn push(&mut self, cell: Cell<'_>) {
        let from = self.text.len();
        match cell {
            Cell::Absent => {}
            Cell::Text(text) => self.text.extend_from_slice(text),
            Cell::Int(value) | Cell::Time(value) => {
                self.text.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            }
            Cell::Float(value) if value.is_nan() => {}
            Cell::Float(value) => self.text.extend_from_slice(ryu::Buffer::new().format(value).as_bytes()),
            Cell::Decimal(..) | Cell::Fixed(..) | Cell::List(_) => {
                self.text.extend_from_slice(cell.to_string().as_bytes());
            }
        }
        self.places.push((from, self.text.len()));
    }
}

/// Records of the instrument, one after the other.
pub struct TextRecords {
    source: Source,
    schema: Schema,
    columns: Columns,
    cells: Cells,
    prices: Option<Prices>,
    choice: Choice,
    counts: ReaderCounts,
}

fn names(header: &[u8]) -> Vec<&[u8]> {
    let header = header.strip_suffix(b"\r").unwrap_or(header);
    let header = header.strip_prefix(BYTE_ORDER_MARK).unwrap_or(header);
    header.split(|&byte| byte == b',').take(COLUMNS_MAX).collect()
}

/// Whether a line is the header of a CSV as Databento writes it, of whatever schema.
pub fn is_header(line: &[u8]) -> bool {
    are_names(&names(line))
}

/// The same of columns' names.
pub fn are_names(names: &[&[u8]]) -> bool {
    let has = |name: &str| names.contains(&name.as_bytes());
    has("ts_event") && (has("rtype") && has("publisher_id") || has("action") && has("flags"))
}

fn shown(cell: &[u8]) -> String {
    quote(&String::from_utf8_lossy(cell), QUOTE_CHARS_MAX)
}

impl Columns {
    fn of(names: &[&[u8]]) -> Result<(Self, Schema), String> {
        let find = |name: &str| names.iter().position(|&column| column == name.as_bytes());
        let has = |name: &str| find(name).is_some();
        if !are_names(names) {
            let line = shown(&names.join(&b','));
            return Err(format!("the header is '{line}', which is not that of Databento's mbo or mbp-10"));
        }
        let schema = if has("bid_px_09") {
            Schema::Mbp10
        } else if has("bid_px_00") {
            return Err(
                "has schema mbp-1 or another of one level: models need more; ask Databento for mbo or mbp-10".into()
            );
        } else if has("order_id") {
            Schema::Mbo
        } else if has("open") && has("close") {
            return Err("has schema ohlcv: bars without a book; ask Databento for mbo or mbp-10".into());
        } else {
            return Err("has no column order_id or bid_px_09: no book; ask Databento for mbo or mbp-10".into());
        };
        let need = |name: &str| find(name).ok_or_else(|| format!("lacks the column {name}"));
        let mut columns = Self {
            ts_recv: find("ts_recv"),
            ts_event: need("ts_event")?,
            publisher_id: find("publisher_id"),
            instrument_id: find("instrument_id"),
            symbol: find("symbol"),
            action: need("action")?,
            side: need("side")?,
            price: need("price")?,
            size: need("size")?,
            flags: need("flags")?,
            order_id: find("order_id").filter(|_| schema == Schema::Mbo),
            levels: Vec::new(),
        };
        if schema == Schema::Mbp10 {
            for level in 0..LEVELS {
                let mut at = [0; 4];
                for (at, name) in at.iter_mut().zip(["bid_px", "bid_sz", "ask_px", "ask_sz"]) {
                    *at = need(&format!("{name}_{level:02}"))?;
                }
                columns.levels.push(at);
            }
        }
        Ok((columns, schema))
    }

    /// All of them.
    fn all(&self) -> Vec<usize> {
        let Self { ts_recv, ts_event, publisher_id, instrument_id, symbol, action, side, price, size, flags, .. } =
            self;
        let some = [ts_recv, publisher_id, instrument_id, symbol, &self.order_id];
        let mut all = vec![*ts_event, *action, *side, *price, *size, *flags];
        all.extend(some.into_iter().flatten());
        all.extend(self.levels.iter().flatten());
        all
    }
}

/// An integer; what pandas made a float of has `.0` behind it.
fn integer(cell: &[u8], column: &str) -> Result<u64, String> {
    let digits = cell.strip_suffix(b".0").unwrap_or(cell);
    let count = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    count.and_then(|text| text.parse().ok()).ok_or_else(|| format!("{column} '{}' is not a whole number", shown(cell)))
}

fn small<T: TryFrom<u64>>(cell: &[u8], column: &str) -> Result<T, String> {
    integer(cell, column)?.try_into().map_err(|_| format!("{column} '{}' is too large", shown(cell)))
}

fn time(cell: &[u8], column: &str) -> Result<i64, String> {
    if cell.is_empty() {
        return Ok(0);
    }
    if cell.iter().all(u8::is_ascii_digit) {
        return time_ns(integer(cell, column)?, column);
    }
    let text = std::str::from_utf8(cell).ok();
    let time = text
        .and_then(|text| text.parse::<jiff::Timestamp>().ok())
        .and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    time_ns(time.ok_or_else(|| format!("{column} '{}' is not a time", shown(cell)))?, column)
}

fn letter(cell: &[u8], column: &str) -> Result<u8, String> {
    match cell {
        [letter] => Ok(*letter),
        _ => Err(format!("{column} '{}' is not one letter", shown(cell))),
    }
}

/// A price in 1e-9.
fn price(cell: &[u8], prices: &mut Option<Prices>, rounded: &mut u64) -> Result<i64, String> {
    if cell.is_empty() {
        return Ok(UNDEFINED_PRICE);
    }
    let (sign, digits) = match cell.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, cell),
    };
    let found = if digits.iter().all(u8::is_ascii_digit) { Prices::Raw } else { Prices::Pretty };
    let wrong = |what: &dyn std::fmt::Display| format!("price '{}' {what}", shown(cell));
    if *prices.get_or_insert(found) != found {
        let before = if found == Prices::Raw { "decimals" } else { "integers in 1e-9" };
        return Err(wrong(&format_args!("follows prices that are {before}: write all of them in one way")));
    }
    let decimals = if found == Prices::Raw { 0 } else { PRICE_DECIMALS };
    let number = Number::from_text(digits).map_err(|what| wrong(&what));
    let count = match number.as_ref().ok().and_then(|number| number.at(decimals)) {
        Some(count) => Ok(count),
        None if found == Prices::Pretty => {
            // A float with dust behind its digits.
            let value = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<f64>().ok());
            let value = value.ok_or_else(|| wrong(&"is not a number"))?;
            let number = Number::from_f64(value, Some(PRICE_DECIMALS), rounded).map_err(|what| wrong(&what))?;
            number.at(decimals).ok_or_else(|| wrong(&"is too large"))
        }
        None => Err(number.err().unwrap_or_else(|| wrong(&"is too large"))),
    }?;
    // At most 63 bits.
    Ok(sign * count.cast_signed())
}

/// A size; undefined where the cell is empty.
fn size(cell: &[u8], column: &str) -> Result<u32, String> {
    if cell.is_empty() { Ok(UNDEFINED_SIZE) } else { small(cell, column) }
}

impl TextRecords {
    /// Opens a Parquet file.
    ///
    /// # Errors
    /// It cannot be read, lacks a column or is of another schema.
    pub fn open_parquet(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let mut parquet = ParquetColumns::open(path)?;
        let names: Vec<&[u8]> = parquet.names().iter().map(String::as_bytes).collect();
        let (columns, schema) = Columns::of(&names).map_err(|what| ReadError::file(path, what))?;
        parquet.choose(&columns.all());
        Ok(Self::new(Source::Parquet(Box::new(parquet)), columns, schema, 0, settings))
    }

    fn new(source: Source, columns: Columns, schema: Schema, due: usize, settings: &ReaderSettings) -> Self {
        let choice = Choice::new(settings.product.as_deref());
        let cells = Cells { due, ..Cells::default() };
        Self { source, schema, columns, cells, prices: None, choice, counts: ReaderCounts::default() }
    }

    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// It cannot be read, is empty, lacks a column or is of another schema.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let mut lines = Lines::new(path, open(path)?);
        let header = match lines.header()? {
            None => return Err(ReadError::file(path, "is empty")),
            Some(line) => line.to_vec(),
        };
        let names = names(&header);
        let (columns, schema) = Columns::of(&names).map_err(|what| ReadError::row(path, 1, what))?;
        Ok(Self::new(Source::Csv(lines), columns, schema, names.len(), settings))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        match &self.source {
            Source::Csv(lines) => lines.progress(),
            Source::Parquet(columns) => columns.progress(),
        }
    }

    /// The schema, told by the header.
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// Whether there is a column of receive times.
    pub fn has_receipts(&self) -> bool {
        self.columns.ts_recv.is_some()
    }

    /// The product, by its symbol where the file has one.
    pub fn product(&self) -> &str {
        self.choice.product()
    }

    /// What was counted.
    pub fn counts(&self) -> ReaderCounts {
        let is_open = matches!(&self.source, Source::Csv(lines) if lines.is_open());
        ReaderCounts { other_products: self.choice.others(), open: is_open.into(), ..self.counts }
    }

    /// The error of the row given last.
    pub fn wrong(&self, what: impl std::fmt::Display) -> ReadError {
        self.source.wrong(what)
    }

    /// Gives the next record of the instrument; false at the end.
    ///
    /// # Errors
    /// The file is cut, or a row is not what the header says.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        loop {
            let Self { source, columns, cells, choice, counts, prices, schema } = self;
            if !source.next(cells)? {
                return choice.missing().map_or(Ok(false), |what| Err(ReadError::file(source.path(), what)));
            }
            counts.rows += 1;
            let row = Row { cells, columns };
            match row.read(*schema, choice, prices, &mut counts.rounded, record) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(what) => return Err(source.wrong(what)),
            }
        }
    }
}

/// A row and where its columns are.
struct Row<'a> {
    cells: &'a Cells,
    columns: &'a Columns,
}

impl Row<'_> {
    fn cell(&self, at: usize) -> &[u8] {
        self.cells.get(at)
    }

    /// Reads a row; false where it is of another instrument.
    fn read(
        self,
        schema: Schema,
        choice: &mut Choice,
        prices: &mut Option<Prices>,
        rounded: &mut u64,
        record: &mut Record,
    ) -> Result<bool, String> {
        let columns = self.columns;
        let instrument_id = columns.instrument_id.map_or(Ok(0), |at| small(self.cell(at), "instrument_id"))?;
        let publisher_id = columns.publisher_id.map_or(Ok(0), |at| small(self.cell(at), "publisher_id"))?;
        let symbol = columns.symbol.map_or(&b""[..], |at| self.cell(at));
        if !choice.takes(instrument_id, publisher_id, symbol)? {
            return Ok(false);
        }
        *record = Record {
            schema,
            publisher_id,
            instrument_id,
            ts_recv_ns: columns.ts_recv.map_or(Ok(0), |at| time(self.cell(at), "ts_recv"))?,
            ts_event_ns: time(self.cell(columns.ts_event), "ts_event")?,
            action: letter(self.cell(columns.action), "action")?,
            side: letter(self.cell(columns.side), "side")?,
            flags: small(self.cell(columns.flags), "flags")?,
            price: price(self.cell(columns.price), prices, rounded)?,
            size: size(self.cell(columns.size), "size")?,
            order_id: columns.order_id.map_or(Ok(0), |at| integer(self.cell(at), "order_id"))?,
            ..Record::default()
        };
        for (pair, [bid_px, bid_sz, ask_px, ask_sz]) in record.levels.iter_mut().zip(&columns.levels) {
            *pair = Pair {
                bid_price: price(self.cell(*bid_px), prices, rounded)?,
                ask_price: price(self.cell(*ask_px), prices, rounded)?,
                // An absent level has no size.
                bid_size: size(self.cell(*bid_sz), "bid_sz")
                    .map(|size| if size == UNDEFINED_SIZE { 0 } else { size })?,
                ask_size: size(self.cell(*ask_sz), "ask_sz")
                    .map(|size| if size == UNDEFINED_SIZE { 0 } else { size })?,
            };
        }
        Ok(true)
    }
}
