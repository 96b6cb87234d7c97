//! Writes an npz archive of one array of records, as numpy's `savez_compressed` does.
//!
//! The number of rows stands in front of them, so they wait in a compressed file without name until the end.
//!
//! ```
//! use papertrader::base::npz::{Layout, NpzArray};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("times.npz");
//! let layout = Layout { member: "0.npy", dtype: "[('timestamp', '<i8')]", row_bytes: 8 };
//! let mut array = NpzArray::create(&path, false, layout)?;
//! array.row(&7_i64.to_le_bytes())?;
//! assert!(!path.exists());
//! assert_eq!(array.finish()?, 1);
//! let mut archive = zip::ZipArchive::new(std::fs::File::open(&path)?)?;
//! let mut bytes = Vec::new();
//! std::io::Read::read_to_end(&mut archive.by_name("0.npy")?, &mut bytes)?;
//! assert!(bytes.starts_with(b"\x93NUMPY\x01\x00") && bytes.ends_with(b"\x07\0\0\0\0\0\0\0"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::output::{Output, OutputError, folder_of};
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// What an array in numpy's format begins with.
pub const NPY_MAGIC: &[u8] = b"\x93NUMPY";
/// The array's first byte stands where this divides.
const ALIGNMENT: usize = 64;
const BUFFER_BYTES: usize = 256 << 10;
/// What the rows wait in is read once: fast is better than small.
const SPOOL_LEVEL: i32 = 1;

/// What an archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The array's name in the archive, with its ending `.npy`.
    pub member: &'static str,
    /// The dtype as numpy spells it.
    pub dtype: &'static str,
    /// Bytes of a row of that dtype.
    pub row_bytes: usize,
}

impl Layout {
    /// The header of so many rows, version 1.0 of the npy format.
    pub fn header(&self, rows: u64) -> Vec<u8> {
        let mut text = format!("{{'descr': {}, 'fortran_order': False, 'shape': ({rows},), }}", self.dtype);
        let prefix = NPY_MAGIC.len() + 4;
        let padded = (prefix + text.len() + 1).next_multiple_of(ALIGNMENT) - prefix;
        text.extend(std::iter::repeat_n(' ', padded - text.len() - 1));
        text.push('\n');
        let mut header = NPY_MAGIC.to_vec();
        header.extend([1, 0]);
        // Some 250 characters.
        header.extend((text.len() as u16).to_le_bytes());
        header.extend(text.as_bytes());
        header
    }
}

/// An archive on its way.
pub struct NpzArray {
    output: Output,
    layout: Layout,
    spool: zstd::Encoder<'static, BufWriter<File>>,
    rows: u64,
}

impl NpzArray {
    /// Begins a file that will be at `path`.
    ///
    /// # Errors
    /// As for [`Output::create`].
    pub fn create(path: &Path, force: bool, layout: Layout) -> Result<Self, OutputError> {
        let output = Output::create(path, force)?;
        let spool = tempfile::tempfile_in(folder_of(path))
            .and_then(|file| zstd::Encoder::new(BufWriter::with_capacity(BUFFER_BYTES, file), SPOOL_LEVEL))
            .map_err(OutputError::at(path))?;
        Ok(Self { output, layout, spool, rows: 0 })
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        self.output.path()
    }

    /// Appends a row, little-endian, of [`Layout::row_bytes`].
    ///
    /// # Errors
    /// The disk is full.
    pub fn row(&mut self, row: &[u8]) -> io::Result<()> {
        debug_assert_eq!(row.len(), self.layout.row_bytes);
        self.rows += 1;
        self.spool.write_all(row)
    }

    /// Puts the file in its place. Gives the number of rows.
    ///
    /// # Errors
    /// The disk is full, or something has come to its place meanwhile.
    pub fn finish(self) -> Result<u64, OutputError> {
        let Self { output, layout, spool, rows } = self;
        let error = OutputError::at(output.path());
        let packed = || -> io::Result<Output> {
            let mut file = spool.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            let mut waiting = zstd::Decoder::new(file)?;
            let mut archive = ZipWriter::new_stream(output);
            let bytes = rows.saturating_mul(layout.row_bytes as u64);
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .large_file(bytes > u64::from(u32::MAX / 2));
            archive.start_file(layout.member, options)?;
            archive.write_all(&layout.header(rows))?;
            io::copy(&mut waiting, &mut archive)?;
            Ok(archive.finish()?.into_inner())
        };
        packed().map_err(error)?.finish()?;
        Ok(rows)
    }
}
