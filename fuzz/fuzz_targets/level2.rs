//! The parser's faster way against its general one: the same levels or the same error, message after message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use papertrader::feed::coinbase::level2::{BookPart, Parser};
use papertrader::market::units::{DECIMALS_MAX, Scale};
use serde::de::IgnoredAny;

fuzz_target!(|bytes: &[u8]| {
    let [product, price_decimals, size_decimals, messages @ ..] = bytes else { return };
    let product = ["BTC-USD", "BTC-USDC", "A\"B", ""][usize::from(*product) % 4];
    let decimals = |byte: u8| byte % (DECIMALS_MAX + 1);
    let scale = Scale { price_decimals: decimals(*price_decimals), size_decimals: decimals(*size_decimals) };
    let (mut either, mut general) = (Parser::new(product), Parser::new(product));
    let (mut levels, mut general_levels) = (Vec::new(), Vec::new());
    for message in messages.split(|&byte| byte == b'\n') {
        let parsed = either.parse(message, scale, &mut levels);
        let expected = general.parse_any_layout(message, scale, &mut general_levels);
        assert_eq!(parsed, expected);
        if parsed.as_ref().is_ok_and(|message| matches!(message.book, BookPart::Frame(_) | BookPart::Prints(_))) {
            assert_eq!(levels, general_levels);
        }
        if parsed.is_ok() {
            assert!(serde_json::from_slice::<IgnoredAny>(message).is_ok(), "no JSON to an independent reader");
        }
        assert_eq!(either.unread_prints(), general.unread_prints());
        assert_eq!(either.alias(), general.alias());
        assert!(either.other_products().eq(general.other_products()));
    }
});
