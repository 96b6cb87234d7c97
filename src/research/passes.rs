//! Passes over a table: sums over its rows that are the same to the last bit for any number of threads.
//!
//! ```
//! use papertrader::research::passes::{Sum, sum};
//! use papertrader::research::table::{RowKey, Table};
//!
//! struct Total(f64);
//!
//! impl Sum for Total {
//!     fn add(&mut self, _: &[RowKey], values: &[f64]) {
//!         self.0 += values.iter().sum::<f64>();
//!     }
//!
//!     fn merge(&mut self, later: Self) {
//!         self.0 += later.0;
//!     }
//! }
//!
//! let mut table = Table::new(1, 1 << 20);
//! for ordinal in 0..10_000 {
//!     table.push(RowKey { ordinal, sequence: ordinal, until: ordinal, capture: 0, sign: 1 }, &[0.1])?;
//! }
//! table.finish()?;
//! let on_one = sum(&table, &[0..10_000], 1, || Total(0.0))?;
//! let on_two = sum(&table, &[0..10_000], 2, || Total(0.0))?;
//! assert_eq!(on_one.0.to_bits(), on_two.0.to_bits());
//! # Ok::<(), std::io::Error>(())
//! ```

use super::table::{RowKey, Table};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Parts of a sum. They depend on the rows alone; each is summed by one thread, and the parts in their order.
const SPANS: usize = 64;

/// Something that rows are added to.
pub trait Sum: Send {
    /// Adds rows: their keys, and their values row by row.
    fn add(&mut self, keys: &[RowKey], values: &[f64]);
    /// Adds what other, later, rows gave.
    fn merge(&mut self, later: Self);
}

/// Sums over rows of a table, on up to `threads` threads.
///
/// # Errors
/// The table's file cannot be read.
pub fn sum<S: Sum>(
    table: &Table,
    rows: &[Range<usize>],
    threads: usize,
    empty: impl Fn() -> S + Sync,
) -> io::Result<S> {
    let parts = table.parts(rows);
    let spans: Vec<&[Range<usize>]> = parts.chunks(parts.len().div_ceil(SPANS).max(1)).collect();
    let add_span = |span: &[Range<usize>], scratch: &mut Vec<f64>| -> io::Result<S> {
        let mut sum = empty();
        for part in span {
            table.read(part, scratch, |keys, values| sum.add(keys, values))?;
        }
        Ok(sum)
    };

    if threads <= 1 || spans.len() <= 1 {
        let mut scratch = Vec::new();
        let mut total = None;
        for span in &spans {
            merge(&mut total, add_span(span, &mut scratch)?);
        }
        return Ok(total.unwrap_or_else(empty));
    }
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<io::Result<S>>>> = spans.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        let mut scratch = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(span) = spans.get(at) else { break };
            *done[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(add_span(span, &mut scratch));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(spans.len()) {
            // Where the system refuses a thread, the others do its part.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut total = None;
    for span in done {
        let span = span.into_inner().unwrap_or_else(PoisonError::into_inner);
        merge(&mut total, span.expect("every span has been summed")?);
    }
    Ok(total.unwrap_or_else(empty))
}

fn merge<S: Sum>(total: &mut Option<S>, later: S) {
    match total {
        Some(sum) => sum.merge(later),
        None => *total = Some(later),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::research::table::BLOCK_ROWS;

    struct Plain(f64, usize);

    impl Sum for Plain {
        fn add(&mut self, keys: &[RowKey], values: &[f64]) {
            self.1 += keys.len();
            values.iter().for_each(|value| self.0 += value);
        }

        fn merge(&mut self, later: Self) {
            self.0 += later.0;
            self.1 += later.1;
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let mut table = Table::new(1, 10 * BLOCK_ROWS * 8);
        let rows = 150 * BLOCK_ROWS + 77;
        for row in 0..rows {
            let key = RowKey { ordinal: row as u64, sequence: 0, until: 0, capture: 0, sign: 0 };
            table.push(key, &[(row as f64).sin() * 1e3]).unwrap();
        }
        table.finish().unwrap();
        let range = 5..rows;
        let by = |threads| {
            let Plain(sum, count) = sum(&table, std::slice::from_ref(&range), threads, || Plain(0.0, 0)).unwrap();
            assert_eq!(count, rows - 5);
            sum.to_bits()
        };
        assert_eq!(by(1), by(2));
        assert_eq!(by(1), by(7));
        let Plain(none, count) = sum(&table, &[], 2, || Plain(0.0, 0)).unwrap();
        assert_eq!((none, count), (0.0, 0));
    }
}
