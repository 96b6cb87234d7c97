//! Times between files of which each goes on where the one before ends: where one is missing, the book goes on as it was.
//!
//! ```
//! use papertrader::sources::holes::Holes;
//!
//! let mut holes = Holes::default();
//! holes.note("b.parquet".as_ref(), 0, 1_000_000_000);
//! assert_eq!((holes.files(), holes.longest_ns(), holes.remark()), (2, 1_000_000_000, None));
//! holes.note("d.parquet".as_ref(), 2_000_000_000, 3_602_000_000_000);
//! assert_eq!(holes.longest_ns(), 3_600_000_000_000);
//! assert!(holes.remark().unwrap().starts_with("d.parquet begins 3600 s after the file before it ends: "));
//! ```

use std::path::{Path, PathBuf};

/// A hole of more is said.
const LONG_NS: i64 = 60_000_000_000;

/// Holes between files.
#[derive(Clone, Debug)]
pub struct Holes {
    files: u64,
    longest_ns: i64,
    /// The file behind the longest.
    behind: PathBuf,
    /// How many are long.
    long: u64,
}

impl Default for Holes {
    /// Of one file.
    fn default() -> Self {
        Self { files: 1, longest_ns: 0, behind: PathBuf::new(), long: 0 }
    }
}

impl Holes {
    /// A further file begins.
    pub fn note(&mut self, path: &Path, ended_ns: i64, begins_ns: i64) {
        let hole_ns = begins_ns.saturating_sub(ended_ns);
        self.files += 1;
        self.long += u64::from(hole_ns > LONG_NS);
        if hole_ns > self.longest_ns {
            (self.longest_ns, self.behind) = (hole_ns, path.into());
        }
    }

    /// How many files there were.
    pub fn files(&self) -> u64 {
        self.files
    }

    /// The longest time between the last row of one and the first of the next, nanoseconds.
    pub fn longest_ns(&self) -> i64 {
        self.longest_ns
    }

    /// What a user should know of, in words.
    pub fn remark(&self) -> Option<String> {
        let (behind, seconds) = (self.behind.display(), self.longest_ns as f64 / 1e9);
        let what = "is one missing between them? A book that does not begin anew there went on as it was";
        match self.long {
            0 => None,
            1 => Some(format!("{behind} begins {seconds} s after the file before it ends: {what}")),
            long => Some(format!(
                "{long} holes of more than a minute are between files, the longest of {seconds} s before {behind}: {what}"
            )),
        }
    }
}
