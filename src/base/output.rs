//! Files that a command makes. None replaces what another process made, unless the user said so.
//!
//! An [`Output`] is whole or not there: written beside its place under another name, then renamed. What has to be on disk
//! while it grows, a recording or a trade log, is opened in its place by [`open`].
//!
//! ```
//! use papertrader::base::output::{Output, OutputError};
//! use std::io::Write;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("RUN.json");
//! let mut output = Output::create(&path, false)?;
//! output.write_all(b"{}\n")?;
//! assert!(!path.exists());
//! output.finish()?;
//! assert_eq!(std::fs::read(&path)?, b"{}\n");
//! assert!(matches!(Output::create(&path, false), Err(OutputError::Exists(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tempfile::NamedTempFile;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It is there already.
    #[error("{0} exists; give --force to replace it")]
    Exists(PathBuf),
    /// It is what the command reads.
    #[error("{0} would be written over, and this command reads it; choose another name")]
    Input(PathBuf),
    /// Another output of the command is the same file.
    #[error("{}", twice(path, other))]
    Twice {
        /// The file.
        path: PathBuf,
        /// What the command calls it besides.
        other: PathBuf,
    },
    /// A pipe that nobody has opened to read.
    #[error("nobody reads from the pipe {0}; start its reader first")]
    NoReader(PathBuf),
    /// It cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn twice(path: &Path, other: &Path) -> String {
    let (path, other) = (path.display(), other.display());
    let else_where = "choose another name for one of the two";
    if path.to_string() == other.to_string() {
        format!("{path} would be written twice by this command; {else_where}")
    } else {
        format!("{path} and {other} are one file, and this command would write both; {else_where}")
    }
}

impl OutputError {
    /// For `map_err`.
    pub fn at(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write { path: path.clone(), source }
    }
}

/// What to do where a file is already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfTaken {
    /// Refuse.
    #[default]
    Refuse,
    /// Take the next name that is free, with a number behind it: `market_2.zst`. For what a supervisor restarts.
    Number,
    /// Replace it, once there is something to write.
    Replace,
}

impl IfTaken {
    /// Refuses, or replaces if the user said so.
    pub fn refuse_unless(force: bool) -> Self {
        if force { Self::Replace } else { Self::Refuse }
    }

    /// Numbers, or replaces if the user said so.
    pub fn number_unless(force: bool) -> Self {
        if force { Self::Replace } else { Self::Number }
    }
}

const BUFFER_BYTES: usize = 256 << 10;

/// Whether nothing is lost by writing there without a new file: a device, a pipe.
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|is| !is.is_file() && !is.is_dir())
}

/// Whether a path is a pipe: what is written to it cannot be read back, and reading it waits for who writes.
pub fn is_pipe(path: &Path) -> bool {
    #[cfg(unix)]
    let is_pipe = fs::metadata(path).is_ok_and(|is| std::os::unix::fs::FileTypeExt::is_fifo(&is.file_type()));
    #[cfg(not(unix))]
    let is_pipe = {
        let _ = path;
        false
    };
    is_pipe
}

/// Opens a pipe without waiting for its reader, if `path` is one.
#[cfg(target_os = "linux")]
fn check_read(path: &Path) -> Result<Option<File>, OutputError> {
    use nix::libc::{ENXIO, O_NONBLOCK};
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    if !fs::metadata(path).is_ok_and(|is| is.file_type().is_fifo()) {
        return Ok(None);
    }
    match File::options().write(true).custom_flags(O_NONBLOCK).open(path) {
        Ok(pipe) => Ok(Some(pipe)),
        Err(error) if error.raw_os_error() == Some(ENXIO) => Err(OutputError::NoReader(path.into())),
        Err(error) => Err(OutputError::at(path)(error)),
    }
}

#[cfg(not(target_os = "linux"))]
fn check_read(_: &Path) -> Result<Option<File>, OutputError> {
    Ok(None)
}

/// Refuses a place that is taken, before any work is done for it.
///
/// # Errors
/// [`OutputError::Exists`].
pub fn check_free(path: &Path, force: bool) -> Result<(), OutputError> {
    let is_taken = !force && !is_special(path) && fs::symlink_metadata(path).is_ok();
    if is_taken { Err(OutputError::Exists(path.into())) } else { Ok(()) }
}

/// The same, and that the folder can be written to, for a file that [`open`] will open later.
///
/// # Errors
/// [`OutputError::Exists`], or the folder is not there or cannot be written to.
pub fn check(path: &Path, if_taken: IfTaken) -> Result<(), OutputError> {
    check_free(path, if_taken != IfTaken::Refuse)?;
    if is_special(path) {
        return Ok(());
    }
    match fs::metadata(path) {
        // The system's own words for a directory.
        Ok(is) if is.is_dir() => File::options().write(true).open(path).map_err(OutputError::at(path)).map(drop)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(OutputError::at(path)(error)),
        _ => {}
    }
    tempfile::tempfile_in(folder_of(path)).map_err(OutputError::at(path)).map(drop)
}

/// The same, and that somebody reads from a pipe. The pipe comes back open: its reader would take it for ended if it closed
/// before it is written to.
///
/// # Errors
/// As for [`check`], or [`OutputError::NoReader`].
pub fn check_and_hold(path: &Path, if_taken: IfTaken) -> Result<Option<File>, OutputError> {
    check(path, if_taken)?;
    check_read(path)
}

/// Opens a file that is read by others while it grows. Gives it and its path.
///
/// # Errors
/// It is there and `if_taken` refuses, or it cannot be made.
pub fn open(path: &Path, if_taken: IfTaken) -> Result<(PathBuf, File), OutputError> {
    let opened = |path: PathBuf, file: io::Result<File>| match file {
        Ok(file) => Ok((path, file)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(OutputError::Exists(path)),
        Err(error) => Err(OutputError::at(&path)(error)),
    };
    if is_special(path) {
        // Held until the pipe is open a second time, which then does not wait for a reader.
        let _held = check_read(path)?;
        return opened(path.into(), File::options().write(true).open(path));
    }
    match if_taken {
        IfTaken::Replace => opened(path.into(), File::create(path)),
        IfTaken::Refuse => opened(path.into(), File::create_new(path)),
        IfTaken::Number => {
            let names = (1..).map(|number| numbered(path, number));
            let made = names.map(|path| opened(path.clone(), File::create_new(&path)));
            made.into_iter().find(|made| !matches!(made, Err(OutputError::Exists(_)))).expect("numbers do not end")
        }
    }
}

/// The name of a path with a number behind it: `market_2.l2.zst`. The first has none.
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A dot in front hides a file and does not begin its ending.
    let stem_bytes = name.char_indices().skip(1).find(|&(_, letter)| letter == '.').map_or(name.len(), |(at, _)| at);
    let (stem, ending) = name.split_at(stem_bytes);
    if number == 1 { path.into() } else { path.with_file_name(format!("{stem}_{number}{ending}")) }
}

/// Where a file lies; the working folder, where its path names none.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Files that were begun beside their places; `None` once the process ends without them.
static BEGUN: Mutex<Option<BTreeSet<PathBuf>>> = Mutex::new(Some(BTreeSet::new()));

/// Removes what every [`Output`] has written beside its place and lets no further one begin: for a process that ends although a
/// thread may still write. Nothing may be finished from then on.
pub fn abandon() {
    let begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner).take();
    for path in begun.into_iter().flatten() {
        // What is not there needs no removal, and of the rest nobody is left to be told.
        let _ = fs::remove_file(path);
    }
}

/// A file beside its place, known to [`abandon`] until it is put there or dropped.
struct Beside {
    file: NamedTempFile,
    begun: Begun,
}

struct Begun(PathBuf);

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(begun) = &mut *BEGUN.lock().unwrap_or_else(PoisonError::into_inner) {
            begun.remove(&self.0);
        }
    }
}

impl Beside {
    fn begin(make: impl FnOnce() -> io::Result<NamedTempFile>) -> io::Result<Self> {
        let mut all = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(all) = &mut *all else { return Err(io::Error::other("the program is ending")) };
        let file = make()?;
        let begun = Begun(file.path().into());
        all.insert(begun.0.clone());
        Ok(Self { file, begun })
    }
}

/// A file on its way. Dropped before [`Output::finish`] it leaves nothing, unless it grows in its place.
pub struct Output {
    path: PathBuf,
    file: BufWriter<Place>,
    force: bool,
}

/// Where its bytes go meanwhile.
enum Place {
    Beside(Beside),
    /// What grows where others read it, and what cannot be replaced by another file: a device, a pipe.
    Itself(File),
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside(beside) => beside.file.write(bytes),
            Self::Itself(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(beside) => beside.file.flush(),
            Self::Itself(file) => file.flush(),
        }
    }
}

impl Output {
    /// Begins a file that will be at `path`; makes its folder.
    ///
    /// # Errors
    /// It is there and `force` does not say to replace it, or the folder cannot be written to.
    pub fn create(path: &Path, force: bool) -> Result<Self, OutputError> {
        check_free(path, force)?;
        let buffered = |place| Self { path: path.into(), file: BufWriter::with_capacity(BUFFER_BYTES, place), force };
        if is_special(path) {
            let (_, file) = open(path, IfTaken::Replace)?;
            return Ok(buffered(Place::Itself(file)));
        }
        let folder = folder_of(path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".papertrader-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As for any new file: the process's mask takes away what it should not have.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = fs::create_dir_all(folder).and_then(|()| Beside::begin(|| builder.tempfile_in(folder)));
        Ok(buffered(Place::Beside(file.map_err(OutputError::at(path))?)))
    }

    /// Begins a file that grows in its place; see [`open`].
    ///
    /// # Errors
    /// As for [`open`].
    pub fn growing(path: &Path, if_taken: IfTaken) -> Result<Self, OutputError> {
        let (path, file) = open(path, if_taken)?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, Place::Itself(file));
        Ok(Self { path, file, force: if_taken == IfTaken::Replace })
    }

    /// Where it is, or will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// It cannot be written to the end, or something has come to its place meanwhile.
    pub fn finish(self) -> Result<(), OutputError> {
        let error = OutputError::at(&self.path);
        let Beside { file, begun } = match self.file.into_inner().map_err(|failed| error(failed.into_error()))? {
            Place::Beside(beside) => beside,
            Place::Itself(_) => return Ok(()),
        };
        let placed = if self.force { file.persist(&self.path) } else { file.persist_noclobber(&self.path) };
        drop(begun);
        match placed {
            Ok(_) => Ok(()),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Err(OutputError::Exists(self.path)),
            Err(failed) => Err(error(failed.error)),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a whole file.
///
/// # Errors
/// As for [`Output`].
pub fn write_file(path: &Path, force: bool, text: &str) -> Result<(), OutputError> {
    write_bytes(path, force, text.as_bytes())
}

/// The same of any bytes.
///
/// # Errors
/// As for [`Output`].
pub fn write_bytes(path: &Path, force: bool, bytes: &[u8]) -> Result<(), OutputError> {
    let mut output = Output::create(path, force)?;
    output.write_all(bytes).map_err(OutputError::at(path))?;
    output.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/a.txt");
        let entries = || fs::read_dir(path.parent().unwrap()).unwrap().count();
        let mut output = Output::create(&path, false).unwrap();
        output.write_all(b"half").unwrap();
        drop(output);
        assert_eq!(entries(), 0);
        write_file(&path, false, "one").unwrap();
        assert!(matches!(write_file(&path, false, "two"), Err(OutputError::Exists(_))));
        write_file(&path, true, "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(entries(), 1);
    }

    #[test]
    fn what_comes_meanwhile_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let output = Output::create(&path, false).unwrap();
        fs::write(&path, "meanwhile").unwrap();
        assert!(matches!(output.finish(), Err(OutputError::Exists(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "meanwhile");
    }

    #[test]
    fn a_file_that_is_there_is_refused_numbered_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("market.l2.zst");
        let names: Vec<_> = (0..3).map(|_| open(&path, IfTaken::Number).unwrap().0).collect();
        let expected = ["market.l2.zst", "market_2.l2.zst", "market_3.l2.zst"].map(|name| folder.path().join(name));
        assert_eq!(names, expected);
        let error = open(&path, IfTaken::Refuse).unwrap_err();
        assert_eq!(error.to_string(), format!("{} exists; give --force to replace it", path.display()));
        fs::write(&path, "old").unwrap();
        assert_eq!(check(&path, IfTaken::Refuse).unwrap_err().to_string(), error.to_string());
        check(&path, IfTaken::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(open(&path, IfTaken::Replace).unwrap().0, path);
        assert_eq!(fs::read(&path).unwrap(), b"");
        let nowhere = folder.path().join("none/market");
        assert!(check(&nowhere, IfTaken::Number).unwrap_err().to_string().starts_with("cannot write "));
        assert!(check(folder.path(), IfTaken::Replace).is_err() && open(folder.path(), IfTaken::Replace).is_err());
        for (name, second) in [("a", "a_2"), (".a.b", ".a_2.b"), ("a.", "a_2."), ("é.x", "é_2.x")] {
            assert_eq!(numbered(Path::new(name), 2), Path::new(second));
        }
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_written_to_and_not_replaced() {
        use std::os::unix::fs::FileTypeExt;
        let null = Path::new("/dev/null");
        for if_taken in [IfTaken::Refuse, IfTaken::Number, IfTaken::Replace] {
            assert_eq!(open(null, if_taken).unwrap().0, null);
        }
        write_file(null, true, "text").unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
        assert!(write_file(Path::new("/dev/full"), false, "text").is_err());
    }
}
