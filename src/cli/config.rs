//! Configuration files: options of the command line, kept in TOML.
//!
//! ```
//! use papertrader::cli::config::expand_config;
//! use std::ffi::OsString;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("papertrader.toml");
//! std::fs::write(&path, "threshold = 0.7\nfused = true\n")?;
//! let arguments = [OsString::from("replay"), "--config".into(), path.into(), "--threshold=0.8".into()];
//! let mut expanded = expand_config(arguments).expect("the file is well-formed");
//! // What follows on the command line comes last and wins.
//! assert_eq!(expanded.pop(), Some("--threshold=0.8".into()));
//! assert!(expanded.contains(&"--threshold=0.7".into()) && expanded.contains(&"--fused".into()));
//! # Ok::<(), std::io::Error>(())
//! ```

use crate::base::failure::Failure;
use crate::base::small_file;
use std::ffi::OsString;
use std::path::Path;

/// The largest configuration file that is read.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Puts the settings of configuration files (`--config FILE`, after the command) where the option stands, so that what
/// follows on the command line wins. A file is TOML: `threshold = 0.7`, `pin-cores = "2,3"`, `fused = true`.
///
/// # Errors
/// A file cannot be read or has something else than plain settings.
pub fn expand_config(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, Failure> {
    let mut expanded = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let path = match argument.to_str() {
            Some("--config") => arguments.next().ok_or_else(|| Failure::input("--config needs a file"))?,
            Some(text) => match text.strip_prefix("--config=") {
                Some(path) => path.into(),
                None => {
                    expanded.push(argument);
                    continue;
                }
            },
            None => {
                expanded.push(argument);
                continue;
            }
        };
        expanded.extend(read_config(Path::new(&path))?);
    }
    Ok(expanded)
}

fn read_config(path: &Path) -> Result<Vec<OsString>, Failure> {
    let shown = path.display();
    let text = small_file::read_text(path, CONFIG_BYTES_MAX)
        .map_err(|error| Failure::input(format!("cannot read configuration {shown}: {error}")))?;
    let table: toml::Table = text.parse().map_err(|error| Failure::input(format!("configuration {shown}: {error}")))?;
    let mut arguments = Vec::new();
    for (key, value) in table {
        let option = format!("--{key}");
        let value = match value {
            toml::Value::Boolean(true) => {
                arguments.push(option.into());
                continue;
            }
            toml::Value::Boolean(false) => continue,
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            _ => return Err(Failure::input(format!("configuration {shown}: '{key}' is no plain value"))),
        };
        arguments.push(format!("{option}={value}").into());
    }
    Ok(arguments)
}
