//! Files that are small or none of ours: read whole, but no further than they may reach.
//!
//! ```
//! use papertrader::base::small_file;
//! use std::io::ErrorKind;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("model.txt");
//! std::fs::write(&path, "0.25\n")?;
//! assert_eq!(small_file::read_text(&path, 5)?, "0.25\n");
//! assert_eq!(small_file::read_text(&path, 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a file of at most `bytes_max` bytes. What its length is said to be does not matter: a device says 0.
///
/// # Errors
/// It cannot be read, or is longer, which is [`io::ErrorKind::FileTooLarge`].
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let text = format!("it is larger than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// Reads the first `bytes_max` bytes of a file, and says whether they are all of it.
///
/// # Errors
/// It cannot be read.
pub fn read_beginning(path: &Path, bytes_max: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    let is_whole = bytes.len() as u64 <= bytes_max;
    bytes.truncate(usize::try_from(bytes_max).unwrap_or(usize::MAX));
    Ok((bytes, is_whole))
}

/// Reads a whole text of at most `bytes_max` bytes.
///
/// # Errors
/// As [`read`], or it is not UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(read(path, bytes_max)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_read_and_one_byte_more_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for (length, fits) in [(0, true), (7, true), (8, true), (9, false), (100, false)] {
            std::fs::write(&path, "x".repeat(length)).unwrap();
            let (beginning, is_whole) = read_beginning(&path, 8).unwrap();
            assert_eq!((beginning.len(), is_whole), (length.min(8), fits), "{length}");
            let read = read(&path, 8);
            assert_eq!(read.as_ref().is_ok_and(|bytes| bytes.len() == length), fits, "{length}");
            if let Err(error) = read {
                assert_eq!(
                    (error.kind(), error.to_string()),
                    (io::ErrorKind::FileTooLarge, "it is larger than 8 bytes".into())
                );
            }
        }
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path, 8).unwrap_err().to_string(), "it is not UTF-8 text");
    }

    /// Its length is said to be 0, and it has no end.
    #[cfg(unix)]
    #[test]
    fn a_device_without_an_end_is_not_read_for_ever() {
        assert_eq!(read(Path::new("/dev/zero"), 1 << 16).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
