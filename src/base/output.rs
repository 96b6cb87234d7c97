//! Files that are whole or not there: written beside their place under another name, then renamed.
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

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It is there already.
    #[error("{0} exists; give --force to replace it")]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OutputError {
    /// For `map_err`.
    pub fn at(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write { path: path.clone(), source }
    }
}

/// Refuses a place that is taken, before any work is done for it.
///
/// # Errors
/// [`OutputError::Exists`].
pub fn check_free(path: &Path, force: bool) -> Result<(), OutputError> {
    if !force && fs::symlink_metadata(path).is_ok() { Err(OutputError::Exists(path.into())) } else { Ok(()) }
}

/// A file on its way. Dropped before [`Output::finish`] it leaves nothing.
pub struct Output {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    force: bool,
}

impl Output {
    /// Begins a file that will be at `path`; makes its folder.
    ///
    /// # Errors
    /// It is there and `force` does not say to replace it, or the folder cannot be written to.
    pub fn create(path: &Path, force: bool) -> Result<Self, OutputError> {
        check_free(path, force)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".papertrader-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As for any new file: the process's mask takes away what it should not have.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = fs::create_dir_all(folder).and_then(|()| builder.tempfile_in(folder));
        let file = file.map_err(OutputError::at(path))?;
        Ok(Self { path: path.into(), file: BufWriter::with_capacity(1 << 18, file), force })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// It cannot be written to the end, or something has come to its place meanwhile.
    pub fn finish(self) -> Result<(), OutputError> {
        let error = OutputError::at(&self.path);
        let file = self.file.into_inner().map_err(|failed| error(failed.into_error()))?;
        let placed = if self.force { file.persist(&self.path) } else { file.persist_noclobber(&self.path) };
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
    let mut output = Output::create(path, force)?;
    output.write_all(text.as_bytes()).map_err(OutputError::at(path))?;
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
}
