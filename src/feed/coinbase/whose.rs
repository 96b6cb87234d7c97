//! Which product a message is about, told from its first bytes.
//!
//! What it says is a guess, for a message of the usual layout: the parser of that product reads the message, and knows.
//!
//! ```
//! use papertrader::feed::coinbase::whose::Whose;
//!
//! let whose = Whose::new(&["BTC-USD", "ETH-USDC"]);
//! let message = |product: &str| {
//!     format!(r#"{{"channel":"l2_data","sequence_num":7,"events":[{{"type":"update","product_id":"{product}","updates":[]}}]}}"#)
//! };
//! assert_eq!(whose.find(message("BTC-USD").as_bytes()), Some(0));
//! // The venue streams a -USDC product as its -USD twin.
//! assert_eq!(whose.find(message("ETH-USD").as_bytes()), Some(1));
//! assert_eq!(whose.find(message("SOL-USD").as_bytes()), None);
//! ```

use super::level2::twin_of;
use memchr::memmem::Finder;

/// What stands before the name of a message's first product.
const KEY: &[u8] = br#""product_id":""#;
/// How far it is looked for: the longest usual message has it before.
const LOOKED_AT_BYTES: usize = 256;
/// The bytes of a name that are compared at once.
const WORD: usize = 8;

/// A name under which a product's messages come.
#[derive(Debug)]
struct Named {
    /// Its first bytes as a word, those behind its end zero.
    word: u64,
    /// Ones where the word has bytes of the name.
    mask: u64,
    /// The name and the quote behind it.
    bytes: Box<[u8]>,
    product: usize,
}

/// Finds the product of a message among those of a session.
#[derive(Debug)]
pub struct Whose {
    key: Finder<'static>,
    names: Vec<Named>,
    ambiguous: bool,
}

fn word(text: &[u8]) -> u64 {
    let mut bytes = [0; WORD];
    let there = text.len().min(WORD);
    bytes[..there].copy_from_slice(&text[..there]);
    u64::from_le_bytes(bytes)
}

impl Whose {
    /// For these products, each of which is known by its index and also under its twin's name.
    pub fn new<T: AsRef<str>>(products: &[T]) -> Self {
        let mut names: Vec<Named> = Vec::new();
        let mut ambiguous = false;
        for (index, product) in products.iter().enumerate() {
            let product = product.as_ref();
            for name in [Some(product.to_owned()), twin_of(product)].into_iter().flatten() {
                let bytes: Box<[u8]> = format!("{name}\"").into_bytes().into();
                ambiguous |= names.iter().any(|known| known.bytes == bytes);
                let mask = word(&vec![u8::MAX; bytes.len()]);
                names.push(Named { word: word(&bytes), mask, bytes, product: index });
            }
        }
        Self { key: Finder::new(KEY), names, ambiguous }
    }

    /// Whether two products have a name in common, so that a message may be of both.
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// The product that the message names first, if its name stands near the beginning and is one of the session's.
    #[inline]
    pub fn find(&self, message: &[u8]) -> Option<usize> {
        let at = self.key.find(&message[..message.len().min(LOOKED_AT_BYTES)])?;
        let rest = &message[at + KEY.len()..];
        let first = rest.first_chunk::<WORD>().map_or_else(|| word(rest), |bytes| u64::from_le_bytes(*bytes));
        let is_it = |named: &&Named| first & named.mask == named.word && rest.starts_with(&named.bytes);
        self.names.iter().find(is_it).map(|named| named.product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(product: &str) -> String {
        format!(
            r#"{{"channel":"l2_data","timestamp":"2026-09-30T02:39:54.406912Z","sequence_num":39,"events":[{{"type":"update","product_id":"{product}","updates":[]}}]}}"#
        )
    }

    #[test]
    fn names_that_begin_alike_are_told_apart() {
        let names = ["A", "AB-USD", "AB-USDT", "AB-USDT-2", "", "A-VERY-LONG-NAME-OF-A-PRODUCT"];
        let whose = Whose::new(&names);
        assert!(!whose.is_ambiguous());
        for (index, name) in names.iter().enumerate() {
            assert_eq!(whose.find(message(name).as_bytes()), Some(index), "{name}");
        }
        for other in ["B", "AB-US", "AB-USDT-", "A-VERY-LONG-NAME-OF-A-PRODUCT2"] {
            assert_eq!(whose.find(message(other).as_bytes()), None, "{other}");
        }
        // Cut off within its name.
        assert_eq!(whose.find(br#"{"product_id":"AB-USD"#), None);
        assert_eq!(whose.find(br#"{"product_id":""#), None);
        assert_eq!(whose.find(b""), None);
    }

    #[test]
    fn a_twin_beside_its_product_is_ambiguous() {
        assert!(Whose::new(&["BTC-USDC", "BTC-USD"]).is_ambiguous());
        assert!(!Whose::new(&["BTC-USDC", "ETH-USD"]).is_ambiguous());
    }

    proptest! {
        /// The obvious twin: JSON, read whole.
        #[test]
        fn the_general_reader_says_the_same(
            names in prop::collection::btree_set("[A-Z0-9]{1,5}(-[A-Z]{1,5})?", 1..8), at in 0..8_usize, other in "[A-Z-]{0,9}",
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let whose = Whose::new(&names);
            for name in [names.get(at).unwrap_or(&names[0]), &other] {
                let text = message(name);
                let read: serde_json::Value = serde_json::from_str(&text).unwrap();
                let product = read["events"][0]["product_id"].as_str().unwrap();
                let twin = |known: &str| twin_of(known).as_deref() == Some(product);
                let expected = names.iter().position(|known| known == product || twin(known));
                if !whose.is_ambiguous() {
                    prop_assert_eq!(whose.find(text.as_bytes()), expected);
                }
            }
        }
    }
}
