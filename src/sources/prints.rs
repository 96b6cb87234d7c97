//! Rows of trades as frames.
//!
//! ```
//! use papertrader::market::units::Side;
//! use papertrader::sources::number::Number;
//! use papertrader::sources::prints::{PrintRow, gather};
//! use papertrader::sources::{RawFrame, RawPrint};
//!
//! let one = Number::new(1, 0).unwrap();
//! let print = |ts_event_ns| RawPrint { aggressor: Side::Bid, price: one, size: one, trade_id: 0, ts_event_ns };
//! let row = |ts_recv_ns, ts_event_ns| PrintRow { ts_recv_ns, print: print(ts_event_ns) };
//! let mut rows = [row(9, 5), row(9, 7), row(10, 8)].into_iter();
//! let (mut next, mut frame) = (None, RawFrame::default());
//! assert!(gather(&mut next, &mut frame, || Ok(rows.next()))?);
//! assert_eq!((frame.prints.len(), frame.ts_event_ns), (2, 7));
//! assert_eq!(next, Some(row(10, 8)));
//! # Ok::<(), papertrader::sources::ReadError>(())
//! ```

use super::{FRAME_LEVELS_MAX, RawFrame, RawKind, RawPrint, ReadError};

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrintRow {
    /// When it was received, Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// What it tells.
    pub print: RawPrint,
}

/// Puts the rows of one time of receipt into a frame, as many as one may have; `next` is the row ahead. False at the end.
///
/// Rows do not say when a message was sent: the frame has the latest time of its prints, so that none is ahead of it.
///
/// # Errors
/// Those of reading a row.
pub fn gather(
    next: &mut Option<PrintRow>,
    frame: &mut RawFrame,
    mut row: impl FnMut() -> Result<Option<PrintRow>, ReadError>,
) -> Result<bool, ReadError> {
    let ahead = next.take();
    let Some(first) = ahead.map_or_else(&mut row, |row| Ok(Some(row)))? else { return Ok(false) };
    frame.begin(RawKind::Prints, first.ts_recv_ns, first.print.ts_event_ns);
    frame.prints.push(first.print);
    while let Some(row) = row()? {
        if row.ts_recv_ns != first.ts_recv_ns || frame.prints.len() == FRAME_LEVELS_MAX {
            *next = Some(row);
            break;
        }
        frame.ts_event_ns = frame.ts_event_ns.max(row.print.ts_event_ns);
        frame.prints.push(row.print);
    }
    Ok(true)
}
