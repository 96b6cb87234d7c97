//! Files, folders and patterns as a list of files.
//!
//! ```
//! use papertrader::sources::files::expand;
//!
//! let folder = tempfile::tempdir()?;
//! let at = |name: &str| folder.path().join(name);
//! for name in ["b.l2", "a.l2", "a.txt"] {
//!     std::fs::write(at(name), "")?;
//! }
//! std::fs::create_dir(at("more"))?;
//! assert_eq!(expand(&[folder.path().into()])?, [at("a.l2"), at("a.txt"), at("b.l2")]);
//! assert_eq!(expand(&[at("*.l2")])?, [at("a.l2"), at("b.l2")]);
//! assert_eq!(expand(&[at("b.l2"), at("nowhere")])?, [at("b.l2"), at("nowhere")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::ReadError;
use std::path::{Path, PathBuf};

/// Puts the files of a folder, by their names, in place of it, and those that match in place of a pattern with `*`, `?` or `[…]`,
/// unless there is a file of that very name. Other names stay as they are: whoever opens them says what is wrong.
///
/// # Errors
/// A folder cannot be read or holds no files; nothing matches a pattern.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']) && !path.exists());
        match pattern {
            Some(pattern) => matching(path, pattern, &mut files)?,
            None if path.is_dir() => in_folder(path, &mut files)?,
            None => files.push(path.clone()),
        }
    }
    Ok(files)
}

fn in_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let wrong = |error: std::io::Error| ReadError::file(folder, format_args!("cannot be read: {error}"));
    let before = files.len();
    for entry in folder.read_dir().map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files[before..].sort();
    if files.len() == before { Err(ReadError::file(folder, "holds no files")) } else { Ok(()) }
}

fn matching(path: &Path, pattern: &str, files: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let found = glob::glob(pattern).map_err(|error| ReadError::file(path, error))?;
    let before = files.len();
    for path in found {
        let path = path.map_err(|error| ReadError::file(error.path(), error.error()))?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.len() == before { Err(ReadError::file(path, "matches no file")) } else { Ok(()) }
}
