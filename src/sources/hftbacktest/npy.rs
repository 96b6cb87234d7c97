//! The header of `data.npy`, and its rows one after the other.
//!
//! ```
//! use papertrader::sources::hftbacktest::npy::LAYOUT;
//!
//! let header = LAYOUT.header(303_861);
//! assert!(header.starts_with(b"\x93NUMPY\x01\x00"));
//! // Rows begin where 64 divides.
//! assert_eq!(header.len() % 64, 0);
//! ```

use super::event::{EVENT_BYTES, HftEvent};
use crate::base::npz::{Layout, NPY_MAGIC};
use crate::capture::Progress;
use crate::sources::ReadError;
use crate::sources::zipped::Member;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The dtype as numpy spells it.
const DTYPE: &str = "[('ev', '<u8'), ('exch_ts', '<i8'), ('local_ts', '<i8'), ('px', '<f8'), ('qty', '<f8'), \
    ('order_id', '<u8'), ('ival', '<i8'), ('fval', '<f8')]";
/// Bytes of the header's text that are read.
const HEADER_BYTES_MAX: usize = 4 << 10;
/// Rows in memory at a time.
const ROWS_READ: usize = 4_096;

/// What the archive holds.
pub const LAYOUT: Layout = Layout { member: "data.npy", dtype: DTYPE, row_bytes: EVENT_BYTES };

/// Rows of `data.npy` in the order of the file.
pub struct Rows {
    path: PathBuf,
    member: Member,
    rows: u64,
    /// Rows given.
    taken: u64,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Rows {
    /// Opens a file.
    ///
    /// # Errors
    /// The archive or the header is not hftbacktest's.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let mut member = Member::open(path, |name| name == "data.npy", "data.npy")?;
        let wrong = |what: String| ReadError::file(path, what);
        let mut read = |bytes: &mut [u8]| {
            member.read_exact(bytes).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => wrong("its data.npy ends within the header".into()),
                _ => wrong(format!("its data.npy cannot be read: {error}")),
            })
        };
        let mut prefix = [0; 10];
        read(&mut prefix)?;
        if !prefix.starts_with(NPY_MAGIC) {
            return Err(wrong("its data.npy is not an array of numpy".into()));
        }
        if prefix[6..8] != [1, 0] {
            let what = format!("its data.npy has version {}.{} of the npy format, not 1.0", prefix[6], prefix[7]);
            return Err(wrong(what));
        }
        let length = usize::from(u16::from_le_bytes([prefix[8], prefix[9]]));
        if length > HEADER_BYTES_MAX {
            return Err(wrong(format!("its data.npy has a header of {length} bytes, more than {HEADER_BYTES_MAX}")));
        }
        let mut text = vec![0; length];
        read(&mut text)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let rows = shape(&text).map_err(wrong)?;
        let due = (prefix.len() + length) as u64;
        if Some(member.size()) != rows.checked_mul(EVENT_BYTES as u64).and_then(|bytes| bytes.checked_add(due)) {
            let what = format!("its data.npy has {} bytes, which are not {rows} rows of 64", member.size());
            return Err(wrong(what));
        }
        if rows == 0 {
            return Err(wrong("holds no rows".into()));
        }
        let buffer = vec![0; ROWS_READ * EVENT_BYTES];
        Ok(Self { path: path.into(), member, rows, taken: 0, buffer, from: 0, to: 0 })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        self.member.progress()
    }

    /// Rows given so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The error of the row given last.
    pub fn wrong(&self, what: impl std::fmt::Display) -> ReadError {
        ReadError::record(&self.path, self.taken.saturating_sub(1), what)
    }

    /// The next row.
    ///
    /// # Errors
    /// The file is cut or damaged.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<HftEvent>, ReadError> {
        if self.to - self.from < EVENT_BYTES && !self.fill()? {
            return Ok(None);
        }
        let Some(row) = self.buffer[self.from..self.to].first_chunk() else { return Ok(None) };
        self.from += EVENT_BYTES;
        self.taken += 1;
        Ok(Some(HftEvent::decode(row)))
    }

    /// Reads more; false at the end.
    fn fill(&mut self) -> Result<bool, ReadError> {
        self.buffer.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        while self.to < EVENT_BYTES {
            match self.member.read(&mut self.buffer[self.to..]) {
                Ok(0) if self.to == 0 => return Ok(false),
                // Its size was checked: a whole number of rows.
                Ok(0) => return Err(ReadError::record(&self.path, self.taken, "is cut")),
                Ok(read) => self.to += read,
                Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let what = format!("cannot be read: {error}; what came before was used");
                    return Err(ReadError::record(&self.path, self.taken, what));
                }
            }
        }
        Ok(true)
    }

    /// How many rows the header says.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

/// The number of rows, of a header of the one dtype that is read.
fn shape(text: &str) -> Result<u64, String> {
    let packed = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let (text, dtype) = (packed(text), packed(DTYPE));
    let shown = |text: &str| crate::base::one_line::quote(text, crate::base::one_line::QUOTE_CHARS_MAX);
    if text.contains("'descr':'<f8'") {
        let what = "is of hftbacktest 1, rows of six floats: convert it with hftbacktest.data.utils.migration2.convert";
        return Err(what.into());
    }
    if !text.contains(&format!("'descr':{dtype}")) {
        return Err(format!("the dtype of its data.npy is not hftbacktest's event: '{}'", shown(&text)));
    }
    if !text.contains("'fortran_order':False") {
        return Err("its data.npy is in Fortran's order".into());
    }
    let rows = text.split_once("'shape':(").and_then(|(_, rest)| rest.split_once(",)")).map(|(rows, _)| rows);
    rows.and_then(|rows| rows.parse().ok())
        .ok_or_else(|| format!("the shape of its data.npy is not that of one column of rows: '{}'", shown(&text)))
}
