//! Where a command writes, held against what it reads and against each other, before anything runs.
//!
//! ```
//! use papertrader::base::places::check_apart;
//!
//! let folder = tempfile::tempdir()?;
//! let (model, page) = (folder.path().join("m.json"), folder.path().join("m.html"));
//! std::fs::write(&model, "{}")?;
//! assert!(check_apart([&page], [&model]).is_ok());
//! let error = check_apart([&page, &model], [&model]).unwrap_err().to_string();
//! assert!(error.ends_with("m.json would be written over, and this command reads it; choose another name"));
//! let error = check_apart([&page, &page], [&model]).unwrap_err().to_string();
//! assert!(error.ends_with("m.html would be written twice by this command; choose another name for one of the two"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::output::OutputError;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What this process reads whatever its command: the configuration file.
static ALSO_READ: OnceLock<PathBuf> = OnceLock::new();

/// Names a file that every command of this process reads, before any of them runs: [`check_apart`] counts it as an input.
/// Only the first is kept.
pub fn also_reads(path: &Path) {
    // A second one would be of a second command line, which no process has.
    let _ = ALSO_READ.set(path.into());
}

/// Links that are followed to a file that is not there yet.
const LINKS_MAX: usize = 8;

/// What makes two paths one file.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    /// A file that is there, under any of its names: device and inode.
    #[cfg(unix)]
    Inode(u64, u64),
    /// The folder, by its own name, and the name in it.
    Name(PathBuf),
}

impl Identity {
    /// `None` for a device or a pipe, of which nothing is lost by writing there.
    fn of(path: &Path) -> Option<Self> {
        match fs::metadata(path) {
            Ok(is) if !is.is_file() && !is.is_dir() => None,
            #[cfg(unix)]
            Ok(is) => {
                use std::os::unix::fs::MetadataExt;
                Some(Self::Inode(is.dev(), is.ino()))
            }
            _ => Some(Self::Name(real_name(path, LINKS_MAX))),
        }
    }
}

/// The name of what may not be there yet, with the folders that are there by their own names.
fn real_name(path: &Path, links: usize) -> PathBuf {
    let beside = |name: &Path| path.parent().map_or_else(|| name.into(), |folder| folder.join(name));
    if let (Ok(target), 1..) = (fs::read_link(path), links) {
        return real_name(&beside(&target), links - 1);
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => real_name(folder, links).join(name),
        _ => path,
    }
}

/// Whether both are one file, through links too, and whether or not it is there. Never so of a device or a pipe.
pub fn is_same(one: &Path, other: &Path) -> bool {
    Identity::of(one).is_some_and(|one| Some(one) == Identity::of(other))
}

/// Refuses, whatever may be replaced, to write over what a command reads, its configuration file included, and to write two
/// outputs to one file.
///
/// # Errors
/// [`OutputError::Input`] or [`OutputError::Twice`].
pub fn check_apart<'a, O: AsRef<Path> + 'a, I: AsRef<Path> + 'a>(
    outputs: impl IntoIterator<Item = O>,
    inputs: impl IntoIterator<Item = I>,
) -> Result<(), OutputError> {
    let mut inputs: Vec<_> = inputs.into_iter().filter_map(|path| Identity::of(path.as_ref())).collect();
    inputs.extend(ALSO_READ.get().and_then(|path| Identity::of(path)));
    let mut seen: Vec<(Identity, PathBuf)> = Vec::new();
    for path in outputs {
        let path = path.as_ref();
        let Some(identity) = Identity::of(path) else { continue };
        if inputs.contains(&identity) {
            return Err(OutputError::Input(path.into()));
        }
        if let Some((_, other)) = seen.iter().find(|(other, _)| *other == identity) {
            return Err(OutputError::Twice { path: path.into(), other: other.clone() });
        }
        seen.push((identity, path.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_is_one_under_all_its_names() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "").unwrap();
        fs::create_dir(at("sub")).unwrap();
        fs::hard_link(at("a"), at("hard")).unwrap();
        symlink("a", at("soft")).unwrap();
        symlink("new", at("dangling")).unwrap();
        symlink("sub", at("folder")).unwrap();
        for (one, other) in [
            ("a", "sub/../a"),
            ("a", "hard"),
            ("a", "soft"),
            ("new", "new"),
            ("new", "dangling"),
            ("sub/new", "folder/new"),
            ("sub/none/new", "folder/none/new"),
        ] {
            assert!(is_same(&at(one), &at(other)), "{one} {other}");
        }
        for (one, other) in [("a", "b"), ("a", "sub"), ("new", "sub/new"), ("dangling", "a")] {
            assert!(!is_same(&at(one), &at(other)), "{one} {other}");
        }
        let [null, a, new] = ["/dev/null".into(), at("a"), at("new")];
        check_apart([&null, &null, &a], [&null, &new]).unwrap();
        let error = check_apart([at("a"), at("hard")], [&new]).unwrap_err();
        let (a, hard) = (a.display(), at("hard"));
        let why = "are one file, and this command would write both; choose another name for one of the two";
        assert_eq!(error.to_string(), format!("{} and {a} {why}", hard.display()));
        symlink("loop", at("loop")).unwrap();
        assert!(is_same(&at("loop"), &at("loop")));
    }
}
