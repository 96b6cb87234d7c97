//! Rows to train on: in memory up to a budget, beyond it in a file that goes with the process.
//!
//! ```
//! use papertrader::research::table::{RowKey, Table};
//!
//! // No row stays in memory.
//! let mut table = Table::new(2, 0);
//! for ordinal in 0..3 {
//!     table.push(RowKey { ordinal, sequence: 10 * ordinal, until: 10 * ordinal, capture: 0, sign: 1 }, &[ordinal as f64, 0.5])?;
//! }
//! table.finish()?;
//! assert_eq!(table.disk_bytes(), 3 * 2 * 8);
//! table.read(&(1..3), &mut Vec::new(), |keys, values| {
//!     assert_eq!((keys[0].sequence, values), (10, &[1.0, 0.5, 2.0, 0.5][..]));
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Rows of a block: with 28 features under a megabyte, so that a pass works out of the cache.
pub const BLOCK_ROWS: usize = 4096;

/// What is kept of every row, in memory always: 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowKey {
    /// Its place among all labelled rows, those included that the table does not keep.
    pub ordinal: u64,
    /// Frames of the book since its capture's first snapshot.
    pub sequence: u64,
    /// The frame to which its label looks.
    pub until: u64,
    /// Its capture's number.
    pub capture: u32,
    /// What the mid did: 1 up, 0 the same, −1 down.
    pub sign: i8,
}

#[derive(Debug)]
enum Block {
    Memory(Vec<f64>),
    /// Where in the file.
    Disk(u64),
}

/// Rows of equal width.
#[derive(Debug)]
pub struct Table {
    width: usize,
    keys: Vec<RowKey>,
    /// All but the last hold [`BLOCK_ROWS`] rows.
    blocks: Vec<Block>,
    filling: Vec<f64>,
    budget_bytes: usize,
    memory_bytes: usize,
    file: Option<Mutex<File>>,
    file_bytes: u64,
}

impl Table {
    /// An empty table for rows of `width` values, of which up to `budget_bytes` stay in memory.
    pub fn new(width: usize, budget_bytes: usize) -> Self {
        assert!(width > 0, "a row has a value at least");
        Self {
            width,
            keys: Vec::new(),
            blocks: Vec::new(),
            filling: Vec::new(),
            budget_bytes,
            memory_bytes: 0,
            file: None,
            file_bytes: 0,
        }
    }

    /// Values in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows' keys, in order.
    pub fn keys(&self) -> &[RowKey] {
        &self.keys
    }

    /// Bytes of rows that lie on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Appends a row.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn push(&mut self, key: RowKey, values: &[f64]) -> io::Result<()> {
        assert_eq!(values.len(), self.width, "rows of one table are equally wide");
        self.filling.extend_from_slice(values);
        self.keys.push(key);
        if self.filling.len() == BLOCK_ROWS * self.width { self.store() } else { Ok(()) }
    }

    /// Ends the table; rows can be read from now on.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.filling.is_empty() { Ok(()) } else { self.store() }
    }

    fn store(&mut self) -> io::Result<()> {
        let block_bytes = size_of_val(&self.filling[..]);
        if self.memory_bytes + block_bytes <= self.budget_bytes {
            self.memory_bytes += block_bytes;
            self.filling.shrink_to_fit();
            self.blocks.push(Block::Memory(std::mem::take(&mut self.filling)));
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Mutex::new(tempfile::tempfile()?)),
        };
        let file = file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = self.filling.iter().flat_map(|value| value.to_le_bytes()).collect();
        file.write_all(&bytes)?;
        self.blocks.push(Block::Disk(self.file_bytes));
        self.file_bytes += bytes.len() as u64;
        self.filling.clear();
        Ok(())
    }

    /// Blocks that hold the given rows, with the part of the rows that each holds.
    pub fn parts(&self, rows: &[Range<usize>]) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        for range in rows {
            let mut from = range.start;
            while from < range.end {
                let to = range.end.min((from / BLOCK_ROWS + 1) * BLOCK_ROWS);
                parts.push(from..to);
                from = to;
            }
        }
        parts
    }

    /// Gives `take` the rows of one of the [`Table::parts`], keys and values row by row. `scratch` is kept between calls.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn read<R>(
        &self,
        part: &Range<usize>,
        scratch: &mut Vec<f64>,
        take: impl FnOnce(&[RowKey], &[f64]) -> R,
    ) -> io::Result<R> {
        let first = part.start / BLOCK_ROWS * BLOCK_ROWS;
        let within = (part.start - first) * self.width..(part.end - first) * self.width;
        let keys = &self.keys[part.clone()];
        match &self.blocks[part.start / BLOCK_ROWS] {
            Block::Memory(values) => Ok(take(keys, &values[within])),
            Block::Disk(at) => {
                let mut bytes = vec![0; within.len() * size_of::<f64>()];
                let file = self.file.as_ref().expect("a block on disk has a file");
                {
                    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                    file.seek(SeekFrom::Start(at + (within.start * size_of::<f64>()) as u64))?;
                    file.read_exact(&mut bytes)?;
                }
                scratch.clear();
                let (values, _) = bytes.as_chunks::<8>();
                scratch.extend(values.iter().map(|&bytes| f64::from_le_bytes(bytes)));
                Ok(take(keys, scratch))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_from_memory_and_from_disk() {
        let rows = 3 * BLOCK_ROWS + 5;
        let value = |row: usize, column: usize| (row * 3 + column) as f64 * 0.1;
        let mut tables = [usize::MAX, BLOCK_ROWS * 24, 0].map(|budget| Table::new(3, budget));
        for table in &mut tables {
            for row in 0..rows {
                let key = RowKey {
                    ordinal: row as u64,
                    sequence: 2 * row as u64,
                    until: 2 * row as u64,
                    capture: 0,
                    sign: 0,
                };
                table.push(key, &[value(row, 0), value(row, 1), value(row, 2)]).unwrap();
            }
            table.finish().unwrap();
            let mut scratch = Vec::new();
            let mut seen = Vec::new();
            for part in table.parts(&[3..7, 4000..rows]) {
                assert_eq!(part.start / BLOCK_ROWS, (part.end - 1) / BLOCK_ROWS);
                table
                    .read(&part, &mut scratch, |keys, values| {
                        for (key, row) in keys.iter().zip(values.chunks_exact(3)) {
                            let at = key.ordinal as usize;
                            assert_eq!(row, [value(at, 0), value(at, 1), value(at, 2)]);
                            seen.push(at);
                        }
                    })
                    .unwrap();
            }
            assert!(seen.into_iter().eq((3..7).chain(4000..rows)));
        }
        let row_bytes = 24;
        assert_eq!(tables[0].disk_bytes(), 0);
        assert_eq!(tables[1].disk_bytes(), ((rows - BLOCK_ROWS) * row_bytes) as u64);
        assert_eq!(tables[2].disk_bytes(), (rows * row_bytes) as u64);
    }
}
