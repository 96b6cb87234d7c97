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
//!
//! // What is read beside another file is no market of its own.
//! let header = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
//! std::fs::write(at("more/x.csv"), header)?;
//! std::fs::write(at("more/x_trades.csv"), "")?;
//! assert_eq!(expand(&[at("more")])?, [at("more/x.csv")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::bytes::head;
use super::{ReadError, binance_history, lobster, table, tardis};
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
    // Also where a shell made the list.
    drop_companions(&mut files, 0);
    Ok(files)
}

/// What a report calls them.
pub fn named(files: &[PathBuf]) -> String {
    match files {
        [one] => one.display().to_string(),
        [first, .., last] => format!("{} files from {} to {}", files.len(), first.display(), last.display()),
        [] => String::new(),
    }
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

/// The file that is read beside another: Tardis' trades beside a book, the other one of LOBSTER's pair.
pub fn companion(path: &Path) -> Option<PathBuf> {
    let trades = tardis::trades_beside(path).filter(|_| has_trades_beside(path));
    trades.or_else(|| lobster::partner(path)).or_else(|| binance_history::partner(path))
}

/// Where it may be: the first of these that is there is it.
pub fn companions(path: &Path) -> Vec<PathBuf> {
    let trades = Some(tardis::trades_path(path)).filter(|_| has_trades_beside(path));
    trades.into_iter().chain(lobster::partners(path)).chain(binance_history::partners(path)).collect()
}

/// Whether a file is a book that may have its trades beside it.
fn has_trades_beside(path: &Path) -> bool {
    let is_tardis = || head(path, tardis::BOOK_HEADER.len()).is_ok_and(|head| tardis::is_book(&head));
    is_tardis() || table::holds_changes(path).unwrap_or(false)
}

/// Takes files out that are read beside one that stays.
fn drop_companions(files: &mut Vec<PathBuf>, from: usize) {
    let mut at = from;
    while let Some(path) = files.get(at) {
        let beside = companion(path);
        let is_one = beside.and_then(|beside| files[from..].iter().position(|path| *path == beside));
        match is_one.map(|one| from + one) {
            Some(one) => {
                files.remove(one);
                // Those behind it have moved up.
                at += usize::from(one > at);
            }
            None => at += 1,
        }
    }
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
