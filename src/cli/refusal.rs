//! A command line that is refused, in one line.
//!
//! ```
//! use clap::Parser;
//! use papertrader::cli::{Cli, refusal};
//!
//! let error = Cli::try_parse_from(["papertrader", "replay", "--thresold", "0.7"]).unwrap_err();
//! assert_eq!(
//!     refusal::text(&error, "papertrader replay"),
//!     "unexpected argument '--thresold' found; a similar argument exists: '--threshold'; see papertrader replay --help"
//! );
//! ```

use super::config::Origin;
use crate::feed::coinbase::secrecy::without_keys;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The longest refusal, in characters: what is quoted of a command line may be long.
const CHARS_MAX: usize = 600;

/// What clap says in several lines, without how the command is used: that is in the help, which the text names.
pub fn text(error: &clap::Error, command: &str) -> String {
    let rendered = error.render().to_string();
    let rendered = without_keys(&rendered);
    let whole = rendered.strip_prefix("error: ").unwrap_or(&rendered);
    let what = ["\n\nUsage: ", "\n\nFor more information"]
        .iter()
        .fold(whole, |text, end| text.rfind(end).map_or(text, |at| &text[..at]));
    let mut line = String::new();
    for part in what.lines().map(str::trim).filter(|part| !part.is_empty()) {
        let (between, part) = match part.strip_prefix("tip: ") {
            Some(tip) => ("; ", tip),
            // A list has a line for each.
            None if error.kind() == ErrorKind::MissingRequiredArgument && !line.ends_with(':') => (", ", part),
            None => (" ", part),
        };
        if !line.is_empty() {
            line.push_str(between);
        }
        line.push_str(part);
    }
    if line.chars().nth(CHARS_MAX).is_some() {
        line = line.chars().take(CHARS_MAX).chain(['…']).collect();
    }
    format!("{line}; see {command} --help")
}

/// The same for what a configuration file says: with its place there.
pub fn text_of_file(error: &clap::Error, command: &str, origins: &[Origin]) -> String {
    let text = text(error, command);
    let names = |argument: &str, option: &str| {
        let rest = argument.strip_prefix("--").and_then(|argument| argument.strip_prefix(option));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '=', '[']))
    };
    let named: Vec<&str> = [ContextKind::InvalidArg, ContextKind::PriorArg]
        .into_iter()
        .filter_map(|kind| error.get(kind))
        .flat_map(|value| match value {
            ContextValue::String(one) => std::slice::from_ref(one),
            ContextValue::Strings(many) => many.as_slice(),
            _ => &[],
        })
        .map(String::as_str)
        .collect();
    let origin = origins.iter().find(|origin| named.iter().any(|argument| names(argument, &origin.option)));
    // What is missing is missing on the command line too.
    match origin.filter(|_| error.kind() != ErrorKind::MissingRequiredArgument) {
        Some(origin) => format!("{}: {text}", origin.place),
        None => text,
    }
}
