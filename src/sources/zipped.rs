//! One member of a zip archive, streamed: nothing is extracted, nothing lies whole in memory.
//!
//! ```
//! use papertrader::sources::zipped::Member;
//! use std::io::{Read, Write};
//! use zip::write::{SimpleFileOptions, ZipWriter};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("day.zip");
//! let mut archive = ZipWriter::new(std::fs::File::create(&path)?);
//! archive.start_file("day.data", SimpleFileOptions::default())?;
//! archive.write_all(b"{}\n")?;
//! archive.finish()?;
//! let mut member = Member::open(&path, |name| name.ends_with(".data"), "a member NAME.data")?;
//! let mut text = String::new();
//! member.read_to_string(&mut text)?;
//! assert_eq!((member.name(), member.size(), text.as_str()), ("day.data", 3, "{}\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::ReadError;
use super::bytes::{Bytes, open};
use crate::capture::Progress;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use zip::{CompressionMethod, ZipArchive};

/// How a zip archive begins.
pub const MAGIC: &[u8] = b"PK\x03\x04";
/// Members that an archive may have: readers want one.
const MEMBERS_MAX: usize = 1_000;
/// How many bytes one compressed byte may become. Recordings of markets reach about 10.
const RATIO_MAX: u64 = 200;
const READ_BYTES: usize = 256 << 10;

/// How members of venues' downloads end.
pub const DATA_ENDING: &str = ".data";

/// A file's content, or that of its only member `NAME.data` where it is a zip archive; `due` says in an error what that is.
///
/// # Errors
/// It cannot be read, or is an archive without such a member.
pub fn open_data(path: &Path, due: &str) -> Result<Bytes, ReadError> {
    let mut magic = Vec::new();
    let read = open(path)?.take(MAGIC.len() as u64).read_to_end(&mut magic);
    // What its compression has to say is said with the line.
    if read.is_err() || magic != MAGIC {
        return open(path);
    }
    let member = Member::open(path, |name| name.ends_with(DATA_ENDING), due)?;
    let progress = member.progress();
    Ok(Bytes::of(member, progress))
}

/// A member that is being read. At its end its length and checksum are compared with the archive's.
pub struct Member {
    inner: Box<dyn Read + Send>,
    name: String,
    size: u64,
    read: u64,
    checksum: crc32fast::Hasher,
    expected_checksum: u32,
    progress: Arc<Progress>,
}

fn archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, ReadError> {
    let wrong = |error: io::Error| ReadError::file(path, format_args!("cannot be read: {error}"));
    let file = File::open(path).map_err(wrong)?;
    let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| {
        let what = format!("is not a whole zip archive ({error}); was the download cut?");
        ReadError::file(path, what)
    })?;
    match archive.len() {
        0 => Err(ReadError::file(path, "is an empty zip archive")),
        members if members > MEMBERS_MAX => {
            Err(ReadError::file(path, format_args!("has {members} members; of at most {MEMBERS_MAX}")))
        }
        _ => Ok(archive),
    }
}

/// The names of an archive's members.
///
/// # Errors
/// It is not a whole archive.
pub fn names(path: &Path) -> Result<Vec<String>, ReadError> {
    Ok(archive(path)?.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect())
}

impl Member {
    /// Opens the only member whose name `is_wanted`; `due` says in an error what it is.
    ///
    /// # Errors
    /// The archive is cut, has no such member or several, or the member is encrypted, compressed by another method than deflate,
    /// or claims to be larger than any recording compressed so far.
    pub fn open(path: &Path, is_wanted: impl Fn(&str) -> bool, due: &str) -> Result<Self, ReadError> {
        let mut archive = archive(path)?;
        let wanted: Vec<usize> = (0..archive.len())
            .filter(|&at| archive.name_for_index(at).is_some_and(|name| name.is_ok_and(|name| is_wanted(&name))))
            .collect();
        let &[at] = wanted.as_slice() else {
            let what = format!("{} of its {} members are {due}, where one is due", wanted.len(), archive.len());
            return Err(ReadError::file(path, what));
        };
        let wrong = |what: String| ReadError::file(path, what);
        let member = archive.by_index_raw(at).map_err(|error| wrong(format!("its member cannot be read: {error}")))?;
        let name = member.name().map_err(|error| wrong(format!("its member cannot be read: {error}")))?.into_owned();
        if member.enclosed_name().is_none() {
            return Err(wrong(format!("the name of its member {name:?} leads out of the archive")));
        }
        if member.encrypted() {
            return Err(wrong(format!("its member {name:?} is encrypted; unpack it first")));
        }
        let (size, compressed, method) = (member.size(), member.compressed_size(), member.compression());
        if size > compressed.saturating_mul(RATIO_MAX).max(READ_BYTES as u64) {
            let what =
                format!("its member {name:?} unpacks from {compressed} to {size} bytes, more than {RATIO_MAX} to 1");
            return Err(wrong(what));
        }
        let start = member.data_start().ok_or_else(|| wrong(format!("its member {name:?} has no data")))?;
        let expected_checksum = member.crc32();
        drop(member);
        let mut file = archive.into_inner().into_inner();
        let failed = |error: io::Error| ReadError::file(path, format_args!("cannot be read: {error}"));
        let progress = Arc::new(Progress::of(file.metadata().map_err(failed)?.len()));
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let data = BufReader::with_capacity(READ_BYTES, Progress::counting(&progress, file).take(compressed));
        let inner: Box<dyn Read + Send> = match method {
            CompressionMethod::Stored => Box::new(data),
            CompressionMethod::Deflated => Box::new(DeflateDecoder::new(data)),
            other => return Err(wrong(format!("its member {name:?} is compressed by {other}; pack it with deflate"))),
        };
        let checksum = crc32fast::Hasher::new();
        Ok(Self { inner, name, size, read: 0, checksum, expected_checksum, progress })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its size, unpacked, as the archive says.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How far the archive has been read.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}

impl Read for Member {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.checksum.update(&buffer[..read]);
        self.read += read as u64;
        let damaged = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        if self.read > self.size {
            return Err(damaged(format!("its member is longer than the {} bytes that the archive says", self.size)));
        }
        if read == 0 && !buffer.is_empty() {
            if self.read < self.size {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the compressed data ends early"));
            }
            if self.checksum.clone().finalize() != self.expected_checksum {
                return Err(damaged("its member's checksum is wrong: the file is damaged".into()));
            }
        }
        Ok(read)
    }
}
