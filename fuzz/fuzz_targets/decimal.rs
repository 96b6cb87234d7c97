//! Decimals against big integers, read by themselves and as the price and quantity of a level.
#![no_main]

use libfuzzer_sys::fuzz_target;
use num_bigint::BigUint;
use papertrader::feed::coinbase::level2::{BookPart, Parser};
use papertrader::market::units::{COUNT_MAX, DECIMALS_MAX, NumberError, Scale, parse_count};

/// What the text is, by arithmetic without bounds.
fn oracle(text: &[u8], decimals: u8) -> Result<u64, NumberError> {
    if text.is_empty() {
        return Err(NumberError::Empty);
    }
    if text[0] == b'-' {
        return Err(NumberError::Negative);
    }
    let text = std::str::from_utf8(text).map_err(|_| NumberError::NotDecimal)?;
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) {
        return Err(NumberError::NotDecimal);
    }
    let fraction = fraction.unwrap_or("").trim_end_matches('0');
    if fraction.len() > usize::from(decimals) {
        return Err(NumberError::FinerThanScale { needs: fraction.len() as u32 });
    }
    let digits = format!("{whole}{fraction}{}", "0".repeat(usize::from(decimals) - fraction.len()));
    let count = BigUint::parse_bytes(digits.as_bytes(), 10).expect("only digits");
    if count > BigUint::from(COUNT_MAX) { Err(NumberError::TooLarge) } else { Ok(count.try_into().expect("it fits")) }
}

fuzz_target!(|bytes: &[u8]| {
    let [decimals, text @ ..] = bytes else { return };
    let decimals = decimals % (DECIMALS_MAX + 1);
    let expected = oracle(text, decimals);
    assert_eq!(parse_count(text, decimals), expected, "{:?} at {decimals}", String::from_utf8_lossy(text));

    // In its place in a message, where words of eight bytes are read at once.
    if text.iter().any(|&byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return;
    }
    let Ok(text) = std::str::from_utf8(text) else { return };
    let message = format!(
        r#"{{"channel":"l2_data","timestamp":"2024-08-08T23:54:16Z","sequence_num":1,"events":[{{"type":"update","product_id":"P","updates":[{{"side":"bid","event_time":"2024-08-08T23:54:16Z","price_level":"{text}","new_quantity":"{text}"}},{{"side":"offer","event_time":"2024-08-08T23:54:16Z","price_level":"1","new_quantity":"0"}}]}}]}}"#
    );
    let scale = Scale { price_decimals: decimals, size_decimals: decimals };
    let mut levels = Vec::new();
    let parsed = Parser::new("P").parse(message.as_bytes(), scale, &mut levels).expect("JSON").book;
    match expected {
        Ok(count @ 1..) => {
            // The second level's 1 fits every scale.
            assert!(matches!(parsed, BookPart::Frame(_)), "{parsed:?}");
            assert_eq!((levels[0].price_ticks(), levels[0].size_lots()), (count, count));
        }
        Err(NumberError::FinerThanScale { needs }) if needs <= u32::from(DECIMALS_MAX) => {
            assert!(matches!(parsed, BookPart::Finer(_)), "{parsed:?}");
        }
        _ => assert!(matches!(parsed, BookPart::Impossible(_)), "{parsed:?}"),
    }
});
