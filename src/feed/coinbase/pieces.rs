//! A key's name in parts and pieces, by which it is found in text.
//!
//! ```
//! use papertrader::feed::coinbase::pieces::{Pieces, name_parts};
//!
//! let name = "organizations/01234567-89ab/apiKeys/fedcba98-7654";
//! let parts: Vec<&str> = name_parts(name, 10).collect();
//! assert_eq!(parts, ["01234567-89ab", "fedcba98-7654"]);
//! let mut pieces = Pieces::of(parts.into_iter());
//! assert!(pieces.are_in(b"no key FEDCBA9876...") && !pieces.are_in(b"no key fedcba98"));
//! ```

use std::collections::HashSet;

/// The parts of a key's name that are its own.
pub fn name_parts(name: &str, chars_min: usize) -> impl Iterator<Item = &str> {
    name.trim().split('/').filter(move |part| part.chars().count() >= chars_min && *part != "organizations")
}

/// As many letters and digits of a part of a key's name in a row are a piece of it; fewer may stand in any text.
pub const PIECE_CHARS: usize = 10;

/// Finds pieces of a name's parts in text, in whatever case, with whatever between their characters, and escaped as in JSON.
pub struct Pieces {
    all: HashSet<[u8; PIECE_CHARS]>,
    /// The letters and digits of the text in hand.
    plain: Vec<u8>,
}

impl Pieces {
    /// Those of these parts.
    pub fn of<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut pieces = Self { all: HashSet::new(), plain: Vec::new() };
        for part in parts {
            pieces.read(part.as_bytes());
            pieces.all.extend(pieces.plain.windows(PIECE_CHARS).filter_map(<[u8]>::first_chunk));
        }
        pieces
    }

    /// Whether a text holds one.
    pub fn are_in(&mut self, text: &[u8]) -> bool {
        self.read(text);
        let mut windows = self.plain.windows(PIECE_CHARS).filter_map(<[u8]>::first_chunk);
        windows.any(|window: &[u8; PIECE_CHARS]| self.all.contains(window))
    }

    /// Takes over a text's letters and digits, in lower case.
    fn read(&mut self, mut text: &[u8]) {
        self.plain.clear();
        while let Some((&byte, rest)) = text.split_first() {
            text = rest;
            let escaped = if byte == b'\\' { rest.split_first() } else { None };
            let character = match escaped {
                None => Some(byte),
                Some((b'u', rest)) => {
                    let code = rest.get(..4).and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
                    text = rest.get(4..).unwrap_or_default();
                    code
                }
                Some((_, rest)) => {
                    text = rest;
                    None
                }
            };
            self.plain.extend(character.filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()));
        }
    }
}
