//! Commands as functions of a program that hosts them: their warnings go to it, it says when to end, and no signal, terminal or
//! standard output is touched.
//!
//! ```
//! use papertrader::base::failure::Failure;
//! use papertrader::cli::commands::features;
//! use papertrader::cli::host::{Interrupt, hosted, parse};
//! use papertrader::cli::Command;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 100 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let market = synthetic::capture(folder.path(), 100)?;
//! let arguments = ["features", "--features=mid", "--output=none.csv", market.to_str().expect("a plain name")];
//! let Command::Features(args) = parse(arguments.map(Into::into)).expect("they are arguments") else { panic!("another command") };
//! let interrupt = Interrupt::default();
//! let (read, warnings) = hosted(interrupt.clone(), || features::read_rows(&args, &mut |_| Ok(())));
//! assert_eq!((read.expect("the capture is whole").counts.rows, warnings.len()), (100, 0));
//!
//! interrupt.set();
//! let (read, _) = hosted(interrupt, || features::read_rows(&args, &mut |_| Ok(())));
//! assert_eq!(read.err().map(|failure| failure.to_string()).as_deref(), Some("interrupted; nothing was written"));
//! let refused: Failure = parse(["features".into(), "--every=0".into()]).unwrap_err();
//! assert!(refused.to_string().starts_with("invalid value '0' for '--every <N>'"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use super::interrupt::Interrupt;

use super::config::Expanded;
use super::{Cli, Command, guest, refusal};
use crate::base::failure::Failure;
use clap::Parser;
use std::ffi::OsString;

/// Does a command's work on this thread for a host, who ends it by `interrupt` as Ctrl-C would. Gives what it warned of, a line
/// each.
pub fn hosted<T>(interrupt: Interrupt, work: impl FnOnce() -> T) -> (T, Vec<String>) {
    guest::work(interrupt.flag(), work)
}

/// Reads a command and its arguments, without the program's name, as the command line would.
///
/// # Errors
/// They are refused, in the words of the command line.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let arguments: Vec<OsString> = [env!("CARGO_PKG_NAME").into()].into_iter().chain(arguments).collect();
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => Ok(cli.command),
        Err(refused) => Err(refusal(&refused, &Expanded { arguments, origins: Vec::new() })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::display::warn;
    use crate::cli::guest::is_hosted;

    #[test]
    fn a_host_hears_of_its_own_work_alone() {
        let interrupt = Interrupt::default();
        let (seen, warnings) = hosted(interrupt.clone(), || {
            warn("one\ntwo");
            interrupt.set();
            Interrupt::watch().map(|watched| watched.is_set())
        });
        assert_eq!(warnings, ["one two"]);
        assert!(seen.expect("nothing is asked of the system"));
        assert!(!is_hosted());
        let panicked = std::panic::catch_unwind(|| hosted(Interrupt::default(), || panic!("on purpose")));
        assert!(panicked.is_err() && !is_hosted());
    }

    #[test]
    fn arguments_are_refused_in_the_programs_words() {
        let error = parse(["replay", "--model=m.json", "--threshold=2", "x"].map(Into::into)).unwrap_err().to_string();
        assert_eq!(
            error,
            "invalid value '2' for '--threshold <P>': a probability lies between 0 and 1, both excluded; see papertrader replay --help"
        );
    }
}
