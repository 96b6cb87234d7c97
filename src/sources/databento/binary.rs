//! DBN: metadata, then records of the length that their first byte tells. Both schemas are the same in versions 1 to 3.
//!
//! The metadata is read by the crate `dbn`. Records are cut here: its decoder takes a file that ends within a record for a whole one,
//! and assumes lengths that keep records aligned.
//!
//! ```
//! use dbn::encode::EncodeRecord;
//! use papertrader::sources::ReaderSettings;
//! use papertrader::sources::databento::binary::BinaryRecords;
//! use papertrader::sources::databento::record::Record;
//!
//! let metadata = dbn::Metadata::builder()
//!     .dataset("GLBX.MDP3")
//!     .schema(Some(dbn::Schema::Mbo))
//!     .start(0)
//!     .stype_in(None)
//!     .stype_out(dbn::SType::InstrumentId)
//!     .build();
//! let mut file = Vec::new();
//! dbn::encode::dbn::Encoder::new(&mut file, &metadata)?
//!     .encode_record(&dbn::MboMsg { order_id: 7, price: 5_214_250_000_000, size: 3, ..Default::default() })?;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.dbn");
//! std::fs::write(&path, file)?;
//! let mut records = BinaryRecords::open(&path, &ReaderSettings::default())?;
//! let mut record = Record::default();
//! assert!(records.next(&mut record)?);
//! assert_eq!((record.order_id, record.price, record.size), (7, 5_214_250_000_000, 3));
//! assert!(!records.next(&mut record)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::choice::Choice;
use super::record::{LEVELS, Pair, Record, Schema, time_ns};
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::capture::Progress;
use crate::sources::bytes::{Bytes, open};
use crate::sources::{ReadError, ReaderCounts, ReaderSettings};
use dbn::decode::dbn::MetadataDecoder;
use dbn::{Metadata, SType};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a file begins with.
pub const MAGIC: &[u8] = b"DBN";
/// The newest version that is read.
const VERSION_MAX: u8 = 3;
/// Some 400,000 symbols; more are refused before memory is taken for them.
const METADATA_BYTES_MAX: usize = 64 << 20;
const READ_BYTES: usize = 256 << 10;
/// Length, type, publisher, instrument and time.
const HEADER_BYTES: usize = 16;
const MBO_BYTES: usize = 56;
const PAIR_BYTES: usize = 32;
/// Where the levels of an `mbp-10` record begin.
const LEVELS_AT: usize = 48;
const MBP10_BYTES: usize = LEVELS_AT + LEVELS * PAIR_BYTES;
const RECORD_BYTES_MAX: usize = u8::MAX as usize * 4;
/// Symbols that an error lists.
const SYMBOLS_SHOWN: usize = 8;

/// Records of the instrument, one after the other.
pub struct BinaryRecords {
    path: PathBuf,
    bytes: BufReader<Bytes>,
    progress: Arc<Progress>,
    selection: Selection,
    /// Records read.
    read: u64,
}

/// Which records are read.
struct Selection {
    /// `None` until the first record of a file that may hold several.
    schema: Option<Schema>,
    /// Symbols by instrument id.
    symbols: BTreeMap<u32, String>,
    choice: Choice,
}

/// Whether a file's content begins as DBN does.
///
/// # Errors
/// It cannot be read.
pub fn is(path: &Path) -> Result<bool, ReadError> {
    let mut head = Vec::new();
    // What is cut so early is told by whoever reads it.
    let _ = open(path)?.take(MAGIC.len() as u64).read_to_end(&mut head);
    Ok(head == MAGIC)
}

/// Why a book cannot be made of a schema; `None` of those of which it can.
fn refusal(schema: dbn::Schema) -> Option<&'static str> {
    use dbn::Schema::{
        Bbo1M, Bbo1S, Cbbo1M, Cbbo1S, Cmbp1, Definition, Imbalance, Mbo, Mbp1, Mbp10, Ohlcv1D, Ohlcv1H, Ohlcv1M,
        Ohlcv1S, OhlcvEod, Statistics, Status, Tbbo, Tcbbo, Trades,
    };
    match schema {
        Mbo | Mbp10 => None,
        Mbp1 | Tbbo | Cmbp1 | Tcbbo | Bbo1S | Bbo1M | Cbbo1S | Cbbo1M => {
            Some("one level a side, where models need more")
        }
        Trades => Some("trades without a book"),
        Ohlcv1S | Ohlcv1M | Ohlcv1H | Ohlcv1D | OhlcvEod => Some("bars without a book"),
        Definition | Statistics | Status | Imbalance => Some("no book"),
    }
}

/// Symbols by id, and ids by symbol.
fn symbols(metadata: &Metadata) -> (BTreeMap<u32, String>, BTreeMap<String, BTreeSet<u32>>) {
    let (mut by_id, mut by_symbol) = (BTreeMap::new(), BTreeMap::<_, BTreeSet<u32>>::new());
    for mapping in &metadata.mappings {
        for interval in &mapping.intervals {
            let (symbol, id) = if metadata.stype_out == SType::InstrumentId {
                (&mapping.raw_symbol, &interval.symbol)
            } else {
                (&interval.symbol, &mapping.raw_symbol)
            };
            if let Ok(id) = id.parse() {
                by_id.entry(id).or_insert_with(|| symbol.clone());
                by_symbol.entry(symbol.clone()).or_default().insert(id);
            }
        }
    }
    (by_id, by_symbol)
}

fn listed(all: impl Iterator<Item = String>) -> String {
    let mut all = all.peekable();
    let mut list = all.by_ref().take(SYMBOLS_SHOWN).collect::<Vec<_>>().join(", ");
    if all.peek().is_some() {
        list.push_str(", …");
    }
    quote(&list, QUOTE_CHARS_MAX)
}

impl BinaryRecords {
    /// Opens a file and reads its metadata.
    ///
    /// # Errors
    /// It cannot be read, is of a newer version or another schema, or does not hold the product.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let bytes = open(path)?;
        let progress = bytes.progress();
        let mut bytes = BufReader::with_capacity(READ_BYTES, bytes);
        let metadata = metadata(path, &mut bytes)?;
        let wrong = |what: String| Err(ReadError::file(path, what));
        if let Some((schema, why)) = metadata.schema.and_then(|schema| Some((schema, refusal(schema)?))) {
            return wrong(format!("has schema {schema}: {why}; ask Databento for mbo or mbp-10"));
        }
        let (mut symbols, ids) = symbols(&metadata);
        let wanted = settings.product.as_deref();
        let id = match wanted.and_then(|wanted| Some((wanted, ids.get(wanted)?))) {
            None => wanted.map(str::to_owned),
            Some((_, ids)) if ids.len() == 1 => ids.first().map(u32::to_string),
            Some((wanted, ids)) => {
                let ids = listed(ids.iter().map(u32::to_string));
                return wrong(format!("{wanted} is several instruments: {ids}; choose one by its id"));
            }
        };
        // A file from a live session names its instruments further on.
        if let (Some(id), false) = (&id, symbols.is_empty())
            && !id.parse().is_ok_and(|id: u32| symbols.contains_key(&id))
        {
            let (id, has) = (quote(id, QUOTE_CHARS_MAX), listed(ids.into_keys()));
            return wrong(format!("holds no {id}; it has {has}"));
        }
        // An instrument may have several symbols; it goes by the one asked for.
        if let Some((wanted, &id)) = wanted.and_then(|wanted| Some((wanted, ids.get(wanted)?.first()?))) {
            symbols.insert(id, wanted.to_owned());
        }
        let schema = metadata.schema.map(|schema| match schema {
            dbn::Schema::Mbo => Schema::Mbo,
            _ => Schema::Mbp10,
        });
        let choice = Choice::new(id.as_deref());
        Ok(Self { path: path.into(), bytes, progress, selection: Selection { schema, symbols, choice }, read: 0 })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// The schema; before the first record `None` of a file that may hold several.
    pub fn schema(&self) -> Option<Schema> {
        self.selection.schema
    }

    /// The product, by its symbol where the metadata has one.
    pub fn product(&self) -> &str {
        self.selection.choice.product()
    }

    /// What was counted.
    pub fn counts(&self) -> ReaderCounts {
        ReaderCounts { rows: self.read, other_products: self.selection.choice.others(), ..ReaderCounts::default() }
    }

    /// The error of the record given last.
    pub fn wrong(&self, what: impl std::fmt::Display) -> ReadError {
        ReadError::record(&self.path, self.read.saturating_sub(1), what)
    }

    /// Gives the next record of the instrument; false at the end.
    ///
    /// # Errors
    /// The file ends within a record, or a record is not what the format says.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        let Self { path, bytes, selection, read, .. } = self;
        loop {
            // Most records lie in the buffer as a whole.
            let ready = bytes.buffer();
            let length = ready.first().map_or(0, |&words| usize::from(words) * 4);
            let is_ours = if let Some(whole) = ready.get(..length).filter(|whole| whole.len() >= HEADER_BYTES) {
                let is_ours = selection.take(whole, record);
                bytes.consume(length);
                is_ours
            } else {
                let mut buffer = [0; RECORD_BYTES_MAX];
                let Some(whole) = cut(path, *read, bytes, &mut buffer)? else {
                    let missing = selection.choice.missing();
                    return missing.map_or(Ok(false), |what| Err(ReadError::file(path, what)));
                };
                selection.take(whole, record)
            };
            *read += 1;
            if is_ours.map_err(|what| ReadError::record(path, *read - 1, what))? {
                return Ok(true);
            }
        }
    }
}

impl Selection {
    /// Reads a record if it is one of a book, of the instrument; else gives false.
    #[inline]
    fn take(&mut self, bytes: &[u8], record: &mut Record) -> Result<bool, String> {
        let schema = match bytes[1] {
            dbn::rtype::MBO => Schema::Mbo,
            dbn::rtype::MBP_10 => Schema::Mbp10,
            // Definitions, states and the server's words may stand between.
            _ => return Ok(false),
        };
        if self.schema.is_some_and(|ours| ours != schema) {
            return Ok(false);
        }
        let needs = if schema == Schema::Mbo { MBO_BYTES } else { MBP10_BYTES };
        let Some(whole) = bytes.get(..needs) else {
            return Err(format!("has {} bytes where {needs} are due", bytes.len()));
        };
        let (instrument_id, publisher_id) = (u32_at(bytes, 4), u16_at(bytes, 2));
        if !self.choice.is_of(instrument_id, publisher_id) {
            let symbol = self.symbols.get(&instrument_id).map_or(&b""[..], String::as_bytes);
            if !self.choice.takes(instrument_id, publisher_id, symbol)? {
                return Ok(false);
            }
        }
        self.schema = Some(schema);
        match schema {
            Schema::Mbo => read_mbo(whole, record)?,
            Schema::Mbp10 => read_mbp10(whole, record)?,
        }
        Ok(true)
    }
}

/// Cuts the next record off the file, `at` records having been read.
fn cut<'a>(
    path: &Path,
    at: u64,
    bytes: &mut BufReader<Bytes>,
    buffer: &'a mut [u8; RECORD_BYTES_MAX],
) -> Result<Option<&'a [u8]>, ReadError> {
    let wrong = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            ReadError::record(path, at, "the file ends within this record; what came before was used")
        }
        _ => ReadError::record(path, at, format_args!("cannot be read: {error}")),
    };
    let first = loop {
        match bytes.fill_buf() {
            Ok(ready) => break ready.first().copied(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(wrong(error)),
        }
    };
    let Some(words) = first else { return Ok(None) };
    let length = usize::from(words) * 4;
    if length < HEADER_BYTES {
        let what = format_args!("tells a length of {length} bytes, shorter than a header; is the file damaged?");
        return Err(ReadError::record(path, at, what));
    }
    let whole = &mut buffer[..length];
    bytes.read_exact(whole).map_err(wrong)?;
    Ok(Some(whole))
}

fn metadata(path: &Path, bytes: &mut BufReader<Bytes>) -> Result<Metadata, ReadError> {
    let wrong = |what: String| ReadError::file(path, what);
    let cut = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => wrong("ends within its metadata".into()),
        _ => wrong(format!("cannot be read: {error}")),
    };
    let mut all = vec![0; 8];
    bytes.read_exact(&mut all).map_err(cut)?;
    if !all.starts_with(MAGIC) {
        return Err(wrong("does not begin with DBN".into()));
    }
    let version = all[3];
    if !(1..=VERSION_MAX).contains(&version) {
        return Err(wrong(format!(
            "is DBN version {version}; versions 1 to {VERSION_MAX} can be read: download it again as version {VERSION_MAX}"
        )));
    }
    let length = u32_at(&all, 4) as usize;
    if length > METADATA_BYTES_MAX {
        return Err(wrong(format!("has {length} bytes of metadata, of at most {METADATA_BYTES_MAX}; is it damaged?")));
    }
    all.resize(8 + length, 0);
    bytes.read_exact(&mut all[8..]).map_err(cut)?;
    MetadataDecoder::new(&all[..]).decode().map_err(|error| {
        let error = quote(&error.to_string(), QUOTE_CHARS_MAX);
        wrong(format!("has metadata that cannot be read: {error}"))
    })
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = &bytes[at..at + 4];
    u32::from_le_bytes([four[0], four[1], four[2], four[3]])
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let eight = &bytes[at..at + 8];
    u64::from_le_bytes([eight[0], eight[1], eight[2], eight[3], eight[4], eight[5], eight[6], eight[7]])
}

#[inline]
fn i64_at(bytes: &[u8], at: usize) -> i64 {
    u64_at(bytes, at).cast_signed()
}

/// What both schemas have at the same places of their records.
#[inline]
fn read_head(bytes: &[u8], schema: Schema, record: &mut Record) -> Result<(), String> {
    record.schema = schema;
    record.publisher_id = u16_at(bytes, 2);
    record.instrument_id = u32_at(bytes, 4);
    record.ts_event_ns = time_ns(u64_at(bytes, 8), "ts_event")?;
    Ok(())
}

/// Reads a whole record, at the offsets of `dbn::MboMsg`.
#[inline]
fn read_mbo(bytes: &[u8], record: &mut Record) -> Result<(), String> {
    let bytes: &[u8; MBO_BYTES] = bytes.first_chunk().ok_or("is cut")?;
    read_head(bytes, Schema::Mbo, record)?;
    record.order_id = u64_at(bytes, 16);
    record.price = i64_at(bytes, 24);
    record.size = u32_at(bytes, 32);
    record.flags = bytes[36];
    record.action = bytes[38];
    record.side = bytes[39];
    record.ts_recv_ns = time_ns(u64_at(bytes, 40), "ts_recv")?;
    Ok(())
}

/// Reads a whole record, at the offsets of `dbn::Mbp10Msg`.
#[inline]
fn read_mbp10(bytes: &[u8], record: &mut Record) -> Result<(), String> {
    let bytes: &[u8; MBP10_BYTES] = bytes.first_chunk().ok_or("is cut")?;
    read_head(bytes, Schema::Mbp10, record)?;
    record.price = i64_at(bytes, 16);
    record.size = u32_at(bytes, 24);
    record.action = bytes[28];
    record.side = bytes[29];
    record.flags = bytes[30];
    record.ts_recv_ns = time_ns(u64_at(bytes, 32), "ts_recv")?;
    let (pairs, _) = bytes[LEVELS_AT..].as_chunks::<PAIR_BYTES>();
    for (pair, bytes) in record.levels.iter_mut().zip(pairs) {
        *pair = Pair {
            bid_price: i64_at(bytes, 0),
            ask_price: i64_at(bytes, 8),
            bid_size: u32_at(bytes, 16),
            ask_size: u32_at(bytes, 20),
        };
    }
    Ok(())
}
