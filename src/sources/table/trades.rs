//! A table of trades beside a table of changes.
//!
//! ```
//! use papertrader::market::units::Side;
//! use papertrader::sources::table::trades::TradeRowsReader;
//! use papertrader::sources::{FrameReader, RawFrame, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market_trades.csv");
//! std::fs::write(&path, "timestamp,local_timestamp,id,side,price,amount\n\
//!     1583020803145,1583020803307,7,buy,8531.5,2152\n")?;
//! let mut trades = TradeRowsReader::open(&path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! assert!(trades.next(&mut frame)?);
//! assert_eq!((frame.prints[0].aggressor, frame.prints[0].trade_id), (Side::Bid, 7));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::cells::{Cell, number};
use super::chained::ChainedRows;
use super::changes::{is_changes, side_named};
use super::layout::{find, product_column, time_columns, venue_column};
use super::rows::Rows;
use super::{Times, Venue, is_ours, open_rows, with_noted_decimals};
use crate::capture::Progress;
use crate::sources::prints::{PrintRow, gather};
use crate::sources::{FrameReader, RawFrame, RawPrint, ReadError, ReaderCounts, ReaderSettings};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which columns hold what.
struct Layout {
    product: Option<usize>,
    venue: Option<usize>,
    /// The taker's.
    side: usize,
    price: usize,
    size: usize,
    id: Option<usize>,
}

fn layout_of(columns: &[String], time_column: Option<&str>) -> Result<(Layout, usize, Option<usize>), String> {
    if is_changes(columns) {
        return Err("is a table of a book's changes where one of trades is due; give it another name".into());
    }
    let columns: Vec<String> = columns.iter().map(|column| column.trim().to_lowercase()).collect();
    let due = |names: &[&str], what| find(&columns, names).ok_or_else(|| format!("has no column of {what}"));
    let (recv, event, _) = time_columns(&columns, time_column)?;
    let layout = Layout {
        product: product_column(&columns),
        venue: venue_column(&columns),
        side: due(&["side", "aggressor"], "sides")?,
        price: due(&["price", "px"], "prices")?,
        size: due(&["amount", "size", "qty", "quantity"], "sizes")?,
        id: find(&columns, &["id", "trade_id"]),
    };
    Ok((layout, recv, event))
}

/// Reads a table of trades.
pub struct TradeRowsReader {
    rows: Box<dyn Rows>,
    layout: Layout,
    settings: ReaderSettings,
    times: Times,
    venue: Venue,
    product: String,
    counts: ReaderCounts,
    next: Option<PrintRow>,
}

impl TradeRowsReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or its columns are not those of trades.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        Self::open_parts(&[path.into()], settings)
    }

    /// Opens files of which each goes on where the one before ends.
    ///
    /// # Errors
    /// The first cannot be read, or its columns are not those of trades.
    pub fn open_parts(paths: &[PathBuf], settings: &ReaderSettings) -> Result<Self, ReadError> {
        let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
        let mut rows: Box<dyn Rows> = match paths {
            [path] => open_rows(path)?,
            paths => Box::new(ChainedRows::open(paths)?),
        };
        let found = layout_of(rows.columns(), settings.time_column.as_deref());
        let (layout, recv, event) = found.map_err(|what| ReadError::file(path, what))?;
        let Layout { product, venue, side, price, size, id } = layout;
        rows.choose(
            &[Some(recv), event, product, venue, Some(side), Some(price), Some(size), id]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>(),
        );
        let times = Times::new(recv, event, settings.time).noted(&*rows);
        Ok(Self {
            settings: with_noted_decimals(settings, &*rows),
            venue: Venue::new(layout.venue),
            rows,
            layout,
            times,
            product: settings.product.clone().unwrap_or_default(),
            counts: ReaderCounts::default(),
            next: None,
        })
    }

    fn row(&mut self) -> Result<Option<PrintRow>, ReadError> {
        while self.rows.next()? {
            self.counts.rows += 1;
            if !is_ours(&*self.rows, self.layout.product, &mut self.product) {
                self.counts.other_products += 1;
                continue;
            }
            if let Some(row) = self.parse().map_err(|what| self.rows.wrong(&what))? {
                return Ok(Some(row));
            }
            self.counts.prints_without_side += 1;
        }
        Ok(None)
    }

    /// A row; `None` where nobody knows the taker's side.
    fn parse(&mut self) -> Result<Option<PrintRow>, String> {
        let Self { rows, layout, settings, times, counts, venue, .. } = self;
        venue.check(&**rows)?;
        let mut due = |column: usize, decimals, what: &str| {
            let found = number(rows.cell(column), decimals, counts).map_err(|error| format!("{what} {error}"))?;
            found.ok_or_else(|| format!("has no {what}"))
        };
        let price = due(layout.price, settings.price_decimals, "price")?;
        let size = due(layout.size, settings.size_decimals, "size")?;
        let (ts_recv_ns, ts_event_ns) = times.of(&**rows)?;
        let aggressor = match rows.cell(layout.side) {
            Cell::Absent | Cell::Text(b"" | b"unknown") => return Ok(None),
            Cell::Text(text) => side_named(text),
            _ => None,
        };
        let aggressor =
            aggressor.ok_or_else(|| format!("side '{}' is neither buy, sell nor unknown", rows.cell(layout.side)))?;
        // Venues that number by text have numbers that are none.
        let trade_id = match layout.id.map(|column| rows.cell(column)) {
            Some(Cell::Int(id)) => u64::try_from(id).unwrap_or(0),
            Some(Cell::Text(id)) => std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()).unwrap_or(0),
            _ => 0,
        };
        Ok(Some(PrintRow { ts_recv_ns, print: RawPrint { aggressor, price, size, trade_id, ts_event_ns } }))
    }
}

impl FrameReader for TradeRowsReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        let mut next = self.next.take();
        let found = gather(&mut next, frame, || self.row());
        self.next = next;
        found
    }

    fn progress(&self) -> Arc<Progress> {
        self.rows.progress()
    }

    fn product(&self) -> &str {
        &self.product
    }

    fn counts(&self) -> ReaderCounts {
        ReaderCounts { open: self.rows.is_open().into(), ..self.counts }
    }
}
