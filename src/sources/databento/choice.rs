//! Which instrument of a file is read.
//!
//! ```
//! use papertrader::sources::databento::choice::Choice;
//!
//! let mut choice = Choice::new(Some("ARL"));
//! assert!(!choice.takes(7, 2, b"IBM")?);
//! assert!(choice.takes(1108, 2, b"ARL")?);
//! assert_eq!((choice.product(), choice.others()), ("ARL", 1));
//! # Ok::<(), String>(())
//! ```

use crate::base::one_line::{QUOTE_CHARS_MAX, quote};

/// The one asked for by symbol or instrument id, else the first.
#[derive(Debug, Default)]
pub struct Choice {
    wanted: Option<String>,
    chosen: Option<(u32, u16)>,
    symbol: Vec<u8>,
    is_by_id: bool,
    product: String,
    others: u64,
}

impl Choice {
    /// Nothing has been read yet.
    pub fn new(wanted: Option<&str>) -> Self {
        Self { wanted: wanted.map(Into::into), ..Self::default() }
    }

    /// Whether a record is of the instrument that was chosen, as its numbers alone tell; false where a symbol is needed to know.
    #[inline]
    pub fn is_of(&self, instrument_id: u32, publisher_id: u16) -> bool {
        instrument_id != 0 && self.chosen == Some((instrument_id, publisher_id))
    }

    /// Whether a record is of the instrument and of its publisher. `symbol` may be empty.
    ///
    /// # Errors
    /// The symbol has become another instrument.
    #[inline]
    pub fn takes(&mut self, instrument_id: u32, publisher_id: u16, symbol: &[u8]) -> Result<bool, String> {
        let Some(chosen) = self.chosen else {
            return Ok(self.takes_first(instrument_id, publisher_id, symbol));
        };
        let is_symbol = symbol == self.symbol;
        // A CSV may lack the ids.
        if self.is_of(instrument_id, publisher_id) || chosen == (instrument_id, publisher_id) && is_symbol {
            return Ok(true);
        }
        if chosen.0 != instrument_id && is_symbol && !symbol.is_empty() && !self.is_by_id {
            return Err(format!(
                "symbol {} becomes instrument {instrument_id} after {}: choose one by its instrument id",
                self.product, chosen.0
            ));
        }
        self.others += 1;
        Ok(false)
    }

    fn takes_first(&mut self, instrument_id: u32, publisher_id: u16, symbol: &[u8]) -> bool {
        let id = instrument_id.to_string();
        let ours = self.wanted.as_ref().is_none_or(|wanted| wanted.as_bytes() == symbol || *wanted == id);
        if !ours {
            self.others += 1;
            return false;
        }
        self.chosen = Some((instrument_id, publisher_id));
        self.symbol = symbol.to_vec();
        self.is_by_id = self.wanted.as_ref() == Some(&id);
        self.product = match &self.wanted {
            Some(wanted) if symbol.is_empty() => wanted.clone(),
            None if symbol.is_empty() => id,
            _ => quote(&String::from_utf8_lossy(symbol), QUOTE_CHARS_MAX),
        };
        true
    }

    /// The product's symbol, or its instrument id where nobody tells it; empty before the first record.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// Records of others.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// Why a file that has ended holds nothing of the product; `None` where it does.
    pub fn missing(&self) -> Option<String> {
        match &self.wanted {
            _ if self.chosen.is_some() => None,
            Some(wanted) => Some(format!("holds no record of {}", quote(wanted, QUOTE_CHARS_MAX))),
            None => Some("holds no records".into()),
        }
    }
}
