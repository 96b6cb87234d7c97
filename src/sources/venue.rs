//! Rows are of one venue: two have two books, even of products of one name.
//!
//! ```
//! use papertrader::sources::venue::check;
//!
//! let mut venue = Vec::new();
//! assert!(check(b"bybit", &mut venue).is_ok() && check(b"", &mut venue).is_ok() && check(b"bybit", &mut venue).is_ok());
//! assert!(check(b"deribit", &mut venue).is_err());
//! ```

use crate::base::one_line::{QUOTE_CHARS_MAX, quote};

/// Whether a row's venue is that of the rows before, as far as both are named.
///
/// # Errors
/// It is another.
pub fn check(name: &[u8], before: &mut Vec<u8>) -> Result<(), String> {
    if before.is_empty() {
        before.extend_from_slice(name);
    }
    if name.is_empty() || name == before.as_slice() {
        return Ok(());
    }
    let [name, before] = [name, before].map(|name| quote(&String::from_utf8_lossy(name), QUOTE_CHARS_MAX));
    Err(format!(
        "the venue is '{name}', and of the rows before '{before}': two venues have two books; keep the rows of one"
    ))
}
