//! Pages of a column, which are believed only after what they say of themselves has been checked.
//!
//! The library reserves memory for as many values and bytes as a page says it holds, and decompresses gzip to whatever end. Both
//! could fill the memory from a small file.
//!
//! ```
//! use papertrader::sources::columns::pages::total_of_deltas;
//!
//! // A block of 128 values in 4 parts; 300 in all.
//! assert_eq!(total_of_deltas(&[0x80, 0x01, 0x04, 0xac, 0x02, 0x00]), Some(300));
//! assert_eq!(total_of_deltas(&[0x80]), None);
//! ```

use flate2::read::MultiGzDecoder;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::ReaderProperties;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// The most values that a dictionary may have; writers give up theirs at a MiB.
pub const DICTIONARY_VALUES_MAX: u32 = 1 << 22;
/// The most values of lists that a page may have.
pub const LIST_PAGE_VALUES_MAX: u32 = 1 << 24;

/// Pages of a column of a row group.
pub struct Pages {
    inner: SerializedPageReader<File>,
    column: ColumnDescPtr,
    /// How pages are compressed, if the library leaves that to us.
    codec: Option<Codec>,
    /// Bytes that the column has when decompressed, as it says.
    bytes: u64,
}

/// What is decompressed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Gzip,
    Snappy,
}

/// Bytes that a byte of Snappy can become at most: a copy of 64 takes three.
const SNAPPY_RATIO_MAX: usize = 22;

fn wrong(what: impl Into<String>) -> ParquetError {
    ParquetError::General(what.into())
}

impl Pages {
    /// Of a column whose place in the file is known to be one.
    ///
    /// # Errors
    /// The library cannot read its compression.
    pub fn open(file: &Arc<File>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Self> {
        let codec = match chunk.compression() {
            Compression::GZIP(_) => Some(Codec::Gzip),
            Compression::SNAPPY => Some(Codec::Snappy),
            _ => None,
        };
        let plain = || chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build();
        let as_it_is = codec.map(|_| plain()).transpose()?;
        // The older kinds of LZ4 are decompressed to whatever end.
        let properties = ReaderProperties::builder().set_backward_compatible_lz4(false).build();
        let (file, properties) = (Arc::clone(file), Arc::new(properties));
        let of = as_it_is.as_ref().unwrap_or(chunk);
        let inner = SerializedPageReader::new_with_properties(file, of, rows, None, properties)?;
        let bytes = u64::try_from(chunk.uncompressed_size()).unwrap_or(0);
        Ok(Self { inner, column: chunk.column_descr_ptr(), codec, bytes })
    }

    /// Decompresses a page, to at most the size of the whole column.
    fn decompress(&self, codec: Codec, page: &mut Page) -> Result<()> {
        let (buffer, from) = match page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => (buf, 0),
            Page::DataPageV2 { is_compressed: false, .. } => return Ok(()),
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                (buf, def_levels_byte_len.saturating_add(*rep_levels_byte_len) as usize)
            }
        };
        let levels = buffer.get(..from).ok_or_else(|| wrong("a page's levels are longer than the page"))?;
        let mut plain = levels.to_vec();
        unpack(codec, &buffer[from..], &mut plain, self.bytes)?;
        *buffer = plain.into();
        Ok(())
    }

    pub(super) fn check(&self, page: &Page) -> Result<()> {
        match page {
            Page::DictionaryPage { buf, num_values, .. } => {
                let width = match self.column.physical_type() {
                    Type::INT64 | Type::DOUBLE => 8,
                    Type::INT96 => 12,
                    Type::FIXED_LEN_BYTE_ARRAY => self.column.type_length().max(1) as u64,
                    _ => 4,
                };
                let is_whole = u64::from(*num_values) * width <= buf.len() as u64;
                if *num_values > DICTIONARY_VALUES_MAX || !is_whole {
                    return Err(wrong(format!("a dictionary of {num_values} values in {} bytes", buf.len())));
                }
            }
            Page::DataPage { num_values, .. } | Page::DataPageV2 { num_values, .. } => {
                if self.column.max_rep_level() > 0 && *num_values > LIST_PAGE_VALUES_MAX {
                    return Err(wrong(format!("a page of {num_values} values of lists")));
                }
                self.check_deltas(page, *num_values)?;
            }
        }
        Ok(())
    }

    /// Texts told by their lengths' differences: how many lengths there are stands in the data.
    fn check_deltas(&self, page: &Page, values: u32) -> Result<()> {
        let is_front_coded = match page.encoding() {
            Encoding::DELTA_BYTE_ARRAY => true,
            Encoding::DELTA_LENGTH_BYTE_ARRAY => false,
            _ => return Ok(()),
        };
        let cut = || wrong("a page of differences is cut");
        let mut data = data(page, &self.column).ok_or_else(cut)?;
        if is_front_coded {
            let total = total_of_deltas(data).ok_or_else(cut)?;
            if total > u64::from(values) {
                return Err(wrong(format!("a page of {values} values with {total} prefixes")));
            }
            data = behind_deltas(data).ok_or_else(cut)?;
        }
        let total = total_of_deltas(data).ok_or_else(cut)?;
        if total > u64::from(values) {
            return Err(wrong(format!("a page of {values} values with {total} lengths")));
        }
        Ok(())
    }
}

/// Decompresses behind what is there, to at most so many bytes in all.
fn unpack(codec: Codec, packed: &[u8], plain: &mut Vec<u8>, most: u64) -> Result<()> {
    let from = plain.len();
    match codec {
        _ if packed.is_empty() => {}
        Codec::Gzip => {
            MultiGzDecoder::new(packed).take(most + 1).read_to_end(plain)?;
        }
        Codec::Snappy => {
            let length = snap::raw::decompress_len(packed).map_err(|error| wrong(error.to_string()))?;
            if length > packed.len().saturating_mul(SNAPPY_RATIO_MAX) {
                return Err(wrong(format!("a page of {length} bytes in {}", packed.len())));
            }
            plain.resize(from + length, 0);
            let unpacked = snap::raw::Decoder::new().decompress(packed, &mut plain[from..]);
            plain.truncate(from + unpacked.map_err(|error| wrong(error.to_string()))?);
        }
    }
    if plain.len() as u64 > most { Err(wrong("a page is longer than its column")) } else { Ok(()) }
}

/// What stands behind the levels.
fn data<'a>(page: &'a Page, column: &ColumnDescPtr) -> Option<&'a [u8]> {
    match page {
        Page::DataPage { buf, .. } => {
            let mut data = &buf[..];
            for most in [column.max_rep_level(), column.max_def_level()] {
                if most > 0 {
                    let (length, behind) = data.split_first_chunk::<4>()?;
                    data = behind.get(u32::from_le_bytes(*length) as usize..)?;
                }
            }
            Some(data)
        }
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
            buf.get(def_levels_byte_len.checked_add(*rep_levels_byte_len)? as usize..)
        }
        Page::DictionaryPage { buf, .. } => Some(buf),
    }
}

/// A number of seven bits a byte, and what is behind it.
fn number(data: &[u8]) -> Option<(u64, &[u8])> {
    let length = data.iter().take(10).position(|byte| byte & 0x80 == 0)? + 1;
    let (bytes, behind) = data.split_at_checked(length)?;
    Some((bytes.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)), behind))
}

/// How many numbers stand in `DELTA_BINARY_PACKED` data.
pub fn total_of_deltas(data: &[u8]) -> Option<u64> {
    let (_, data) = number(data)?;
    let (_, data) = number(data)?;
    Some(number(data)?.0)
}

/// What stands behind `DELTA_BINARY_PACKED` data.
fn behind_deltas(data: &[u8]) -> Option<&[u8]> {
    let (block, data) = number(data)?;
    let (parts, data) = number(data)?;
    let (total, data) = number(data)?;
    let (_, mut data) = number(data)?;
    let (parts, each) = (usize::try_from(parts).ok()?, block.checked_div(parts)?);
    if each == 0 {
        return None;
    }
    let mut left = total.saturating_sub(1);
    while left > 0 {
        let widths;
        (_, data) = number(data)?;
        (widths, data) = data.split_at_checked(parts)?;
        for &width in widths {
            if left == 0 {
                break;
            }
            let bytes = each.checked_mul(width.into())? / 8;
            data = data.get(usize::try_from(bytes).ok()?..)?;
            left = left.saturating_sub(each);
        }
    }
    Some(data)
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.inner.get_next_page()? else { return Ok(None) };
        if let Some(codec) = self.codec {
            self.decompress(codec, &mut page)?;
        }
        self.check(&page)?;
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pages_become_no_longer_than_they_can() {
        let zeros = vec![0; 100_000];
        let snappy = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
        let mut gzip = flate2::read::GzEncoder::new(&zeros[..], flate2::Compression::best());
        let mut zipped = Vec::new();
        gzip.read_to_end(&mut zipped).unwrap();
        for (codec, packed) in [(Codec::Snappy, &snappy), (Codec::Gzip, &zipped)] {
            let mut plain = vec![7];
            unpack(codec, packed, &mut plain, 100_001).unwrap();
            assert!(plain[0] == 7 && plain[1..] == zeros, "{codec:?}");
            let mut plain = vec![7];
            let error = unpack(codec, packed, &mut plain, 100_000).unwrap_err().to_string();
            assert_eq!(error, "Parquet error: a page is longer than its column");
            assert!(plain.len() <= 100_002);
            // None has no bytes.
            unpack(codec, b"", &mut plain, 100_002).unwrap();
        }
        // Five bytes say 2^32 - 1.
        let mut plain = Vec::new();
        let error =
            unpack(Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0], &mut plain, u64::MAX).unwrap_err().to_string();
        assert_eq!((error.as_str(), plain.capacity()), ("Parquet error: a page of 4294967295 bytes in 6", 0));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = (total_of_deltas(&bytes), behind_deltas(&bytes));
        }
    }
}
