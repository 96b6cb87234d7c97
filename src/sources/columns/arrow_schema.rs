//! The text pairs that Arrow's writers hide in a Parquet file: in a flatbuffer, in base64, under one key of its metadata.
//!
//! Arrow's `format/Message.fbs` and `Schema.fbs`: a message's header is a schema, whose third field is a list of pairs.

use data_encoding::BASE64;

/// The key of Parquet's metadata.
pub const KEY: &str = "ARROW:schema";
/// Pairs that are looked at.
const PAIRS_MAX: u32 = 256;

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Where an offset leads that is counted from its own place.
fn follow(bytes: &[u8], at: usize) -> Option<usize> {
    at.checked_add(usize::try_from(u32_at(bytes, at)?).ok()?)
}

/// Where a table's field stands.
fn field(bytes: &[u8], table: usize, index: usize) -> Option<usize> {
    let back = u32_at(bytes, table)? as i32;
    let fields = usize::try_from(i64::try_from(table).ok()? - i64::from(back)).ok()?;
    let slot = 4 + 2 * index;
    if slot + 2 > u16_at(bytes, fields)? {
        return None;
    }
    let offset = u16_at(bytes, fields.checked_add(slot)?)?;
    (offset > 0).then(|| table.checked_add(offset))?
}

fn text(bytes: &[u8], table: usize, index: usize) -> Option<&str> {
    let at = follow(bytes, field(bytes, table, index)?)?;
    let length = usize::try_from(u32_at(bytes, at)?).ok()?;
    let from = at.checked_add(4)?;
    std::str::from_utf8(bytes.get(from..from.checked_add(length)?)?).ok()
}

/// The text under a key of the schema's own metadata.
pub fn value(schema: &str, key: &str) -> Option<String> {
    const MESSAGE_HEADER: usize = 2;
    const SCHEMA_METADATA: usize = 2;
    let bytes = BASE64.decode(schema.as_bytes()).ok()?;
    // A marker and a length stand before the message; very old writers left the marker out.
    let bytes = bytes.strip_prefix(&[0xff; 4]).unwrap_or(&bytes).get(4..)?;
    let message = follow(bytes, 0)?;
    let schema = follow(bytes, field(bytes, message, MESSAGE_HEADER)?)?;
    let pairs = follow(bytes, field(bytes, schema, SCHEMA_METADATA)?)?;
    let count = u32_at(bytes, pairs)?.min(PAIRS_MAX) as usize;
    (0..count).find_map(|at| {
        let pair = follow(bytes, pairs.checked_add(4 + 4 * at)?)?;
        (text(bytes, pair, 0)? == key).then(|| text(bytes, pair, 1)).flatten().map(Into::into)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![0..16_u8, any::<u8>()], 0..200)) {
            let _ = value(&BASE64.encode(&bytes), "price_precision");
        }
    }
}
