//! Which format a file has, told by its content and, where that does not do, by its name.
//!
//! ```
//! use papertrader::sources::detect::{Format, detect};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.csv");
//! std::fs::write(&path, "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n")?;
//! assert_eq!(detect(&path)?, Some(Format::TardisBook));
//! std::fs::write(&path, "1723161256610000000 {}\n")?;
//! assert_eq!(detect(&path)?, Some(Format::Capture));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::bytes::{head, is_tar};
use super::columns::{Columns, is_parquet};
use super::{ReadError, binance_history, bybit, databento, lobster, nautilus, okx, raw, table, tardis, zipped};
use crate::capture::frames::MAGIC;
use std::path::Path;

/// Bytes of a file's content that are looked at.
const HEAD_BYTES: usize = 64 << 10;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// This program's own captures: a receive time and the venue's message a line.
    Capture,
    /// This program's frames, see [`crate::capture::frames`].
    Frames,
    /// Tardis' `incremental_book_L2`, with `trades` beside it.
    TardisBook,
    /// Databento's DBN, CSV and Parquet, of the schemas `mbo` and `mbp-10`.
    Databento,
    /// LOBSTER's messages and books.
    Lobster,
    /// hftbacktest's events, an npz.
    Hftbacktest,
    /// A NautilusTrader catalogue's deltas, Parquet.
    Nautilus,
    /// A table of successive books, see [`table`].
    Table,
    /// Bybit's downloadable books.
    Bybit,
    /// OKX's downloadable books.
    Okx,
    /// Binance's downloadable books of futures.
    BinanceHistory,
    /// Recordings of Binance's, Bybit's, Coinbase Exchange's and Kraken's own messages.
    Raw,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Capture,
        Self::Frames,
        Self::TardisBook,
        Self::Databento,
        Self::Lobster,
        Self::Hftbacktest,
        Self::Nautilus,
        Self::Table,
        Self::Bybit,
        Self::Raw,
        Self::Okx,
        Self::BinanceHistory,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Frames => "frames",
            Self::TardisBook => "tardis",
            Self::Databento => "databento",
            Self::Lobster => "lobster",
            Self::Hftbacktest => "hftbacktest",
            Self::Nautilus => "nautilus",
            Self::Table => "table",
            Self::Bybit => "bybit",
            Self::Okx => "okx",
            Self::BinanceHistory => "binance-history",
            Self::Raw => "raw",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// The format of a Parquet file. What cannot be read the reader of tables refuses.
fn of_parquet(path: &Path) -> Format {
    match Columns::open(path) {
        Ok(columns) if nautilus::are_deltas(columns.names()) => Format::Nautilus,
        Ok(columns) if databento::are_names(columns.names()) => Format::Databento,
        _ => Format::Table,
    }
}

/// The format of a file; `None` where it is none that is known.
///
/// # Errors
/// It cannot be read.
pub fn detect(path: &Path) -> Result<Option<Format>, ReadError> {
    let head = head(path, HEAD_BYTES)?;
    let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if head.starts_with(MAGIC) {
        return Ok(Some(Format::Frames));
    }
    if is_parquet(&head) {
        return Ok(Some(of_parquet(path)));
    }
    if tardis::is_book(&head) {
        return Ok(Some(Format::TardisBook));
    }
    if databento::is_binary(&head) || databento::is_text(&head) {
        return Ok(Some(Format::Databento));
    }
    if lobster::is_named(path) {
        return Ok(Some(Format::Lobster));
    }
    if head.starts_with(zipped::MAGIC) {
        // Of a file that is cut, the reader that its name asks for says so.
        let is_npz = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npz"));
        let members = zipped::names(path).unwrap_or_default();
        if is_npz || members.iter().any(|name| name.ends_with(".npy")) {
            return Ok(Some(Format::Hftbacktest));
        }
        let is_data = path.to_str().is_some_and(|path| path.ends_with(".data.zip"));
        if members.iter().any(|name| name.ends_with(zipped::DATA_ENDING) && okx::is_named(name)) {
            return Ok(Some(Format::Okx));
        }
        if is_data || members.iter().any(|name| name.ends_with(zipped::DATA_ENDING)) {
            return Ok(Some(Format::Bybit));
        }
    }
    if binance_history::is_head(&head) {
        return Ok(Some(Format::BinanceHistory));
    }
    if bybit::is_book(&head) {
        return Ok(Some(Format::Bybit));
    }
    if okx::is_book(&head) {
        return Ok(Some(Format::Okx));
    }
    if raw::is_recording(&head) {
        return Ok(Some(Format::Raw));
    }
    let is_capture = digits > 0 && head.get(digits) == Some(&b' ');
    if !is_capture && table::is_table(&head) {
        return Ok(Some(Format::Table));
    }
    // An archive of what is not known is left to the reader of archives, which says what is wrong with its lines.
    if is_tar(path)? {
        return Ok(Some(Format::Okx));
    }
    // Another file that is not known is left to the reader of captures in the same way.
    Ok(is_capture.then_some(Format::Capture))
}
