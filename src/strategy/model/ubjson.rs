//! Universal Binary JSON as XGBoost writes it (draft 12, its `$` and `#` for arrays), for serde.
//!
//! Nothing is reserved by what a file promises: a list grows as its values are read.

use super::error::quoted;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// How deep values are nested.
const DEPTH_MAX: u32 = 64;

/// What is wrong, and at which byte as far as that is known.
#[derive(Debug)]
pub struct UbjsonError {
    at: Option<usize>,
    what: String,
}

impl fmt::Display for UbjsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "byte {at}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for UbjsonError {}

impl de::Error for UbjsonError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { at: None, what: message.to_string() }
    }
}

/// Reads a value that is all of the bytes.
pub fn from_slice<'de, T: de::Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, UbjsonError> {
    let mut reader = Reader { bytes, at: 0, depth: 0 };
    let value = T::deserialize(&mut reader)
        .map_err(|UbjsonError { at, what }| UbjsonError { at: at.or(Some(reader.at)), what })?;
    if reader.at == bytes.len() { Ok(value) } else { Err(reader.fault("there is more behind the model")) }
}

struct Reader<'de> {
    bytes: &'de [u8],
    at: usize,
    depth: u32,
}

impl<'de> Reader<'de> {
    fn fault(&self, what: &str) -> UbjsonError {
        UbjsonError { at: Some(self.at), what: what.into() }
    }

    fn take(&mut self, count: usize) -> Result<&'de [u8], UbjsonError> {
        let taken = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.fault("the file ends within a value: it is cut"))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], UbjsonError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The next byte that is no filling.
    fn marker(&mut self) -> Result<u8, UbjsonError> {
        loop {
            let marker = self.take(1)?[0];
            if marker != b'N' {
                return Ok(marker);
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn integer(&mut self, marker: u8) -> Result<Option<i64>, UbjsonError> {
        Ok(Some(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(u8::from_be_bytes(self.array()?)),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Ok(None),
        }))
    }

    fn length(&mut self) -> Result<usize, UbjsonError> {
        let marker = self.marker()?;
        let length = self.integer(marker)?.and_then(|length| usize::try_from(length).ok());
        length.ok_or_else(|| self.fault("a length is no count"))
    }

    fn text(&mut self) -> Result<&'de str, UbjsonError> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        str::from_utf8(bytes).map_err(|_| self.fault("a text is not UTF-8"))
    }

    /// A container's type and length, if it tells them.
    fn head(&mut self) -> Result<(Option<u8>, Option<usize>), UbjsonError> {
        let mut kind = None;
        if self.peek() == Some(b'$') {
            self.at += 1;
            kind = Some(self.take(1)?[0]);
        }
        if self.peek() == Some(b'#') {
            self.at += 1;
            return Ok((kind, Some(self.length()?)));
        }
        if kind.is_some() { Err(self.fault("a list has a type and no length")) } else { Ok((None, None)) }
    }

    fn value<V: Visitor<'de>>(&mut self, marker: u8, visitor: V) -> Result<V::Value, UbjsonError> {
        if let Some(integer) = self.integer(marker)? {
            return visitor.visit_i64(integer);
        }
        match marker {
            b'd' => visitor.visit_f32(f32::from_be_bytes(self.array()?)),
            b'D' => visitor.visit_f64(f64::from_be_bytes(self.array()?)),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'Z' => visitor.visit_unit(),
            b'S' => visitor.visit_borrowed_str(self.text()?),
            b'C' => visitor
                .visit_borrowed_str(str::from_utf8(self.take(1)?).map_err(|_| self.fault("a text is not UTF-8"))?),
            b'[' | b'{' => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(self.fault("values are nested deeper than 64"));
                }
                let (kind, left) = self.head()?;
                // Of nothing there can be any number in no bytes.
                if left.is_some() && matches!(kind, Some(b'Z' | b'T' | b'F' | b'N')) {
                    return Err(self.fault("a list of values without content"));
                }
                let mut items = Items { reader: self, kind, left, end: if marker == b'[' { b']' } else { b'}' } };
                let value = if marker == b'[' { visitor.visit_seq(&mut items) } else { visitor.visit_map(&mut items) }?;
                // What the visitor did not ask for.
                while de::SeqAccess::next_element::<de::IgnoredAny>(&mut Skip(&mut items))?.is_some() {}
                self.depth -= 1;
                Ok(value)
            }
            other => Err(self.fault(&format!("'{}' begins no value", quoted(&char::from(other).to_string())))),
        }
    }
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = UbjsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, UbjsonError> {
        let marker = self.marker()?;
        self.value(marker, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, UbjsonError> {
        if self.peek() == Some(b'Z') {
            self.at += 1;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Values whose type is told once for all.
struct Typed<'a, 'de> {
    reader: &'a mut Reader<'de>,
    kind: u8,
}

impl<'de> de::Deserializer<'de> for Typed<'_, 'de> {
    type Error = UbjsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, UbjsonError> {
        self.reader.value(self.kind, visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A container's content.
struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    kind: Option<u8>,
    /// How many are left, if it told.
    left: Option<usize>,
    /// What ends it if not; 0 once it has.
    end: u8,
}

impl<'de> Items<'_, 'de> {
    /// Whether there is another; takes what ends them.
    fn another(&mut self) -> Result<bool, UbjsonError> {
        match &mut self.left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None if self.end == 0 => Ok(false),
            None => {
                if self.reader.peek() == Some(self.end) {
                    self.reader.at += 1;
                    self.end = 0;
                }
                Ok(self.end != 0)
            }
        }
    }

    fn seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, UbjsonError> {
        match self.kind {
            Some(kind) => seed.deserialize(Typed { reader: self.reader, kind }),
            None => seed.deserialize(&mut *self.reader),
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = UbjsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, UbjsonError> {
        if self.another()? { self.seed(seed).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = UbjsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, UbjsonError> {
        if !self.another()? {
            return Ok(None);
        }
        let key = self.reader.text()?;
        seed.deserialize(de::value::BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, UbjsonError> {
        self.seed(seed)
    }
}

/// What is left of a list that was not asked for to its end.
struct Skip<'a, 'b, 'de>(&'a mut Items<'b, 'de>);

impl<'de> SeqAccess<'de> for Skip<'_, '_, 'de> {
    type Error = UbjsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, UbjsonError> {
        let mut items = &mut *self.0;
        SeqAccess::next_element_seed(&mut items, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Some {
        a: Vec<f32>,
        #[serde(default)]
        b: Option<String>,
    }

    #[test]
    fn values() {
        let typed = b"{i\x01a[$d#i\x02\x3f\x80\x00\x00\xc0\x00\x00\x00i\x01xZi\x01bSi\x02hi}";
        assert_eq!(from_slice::<Some>(typed).unwrap(), Some { a: vec![1.0, -2.0], b: Some("hi".into()) });
        // A list of a length without a type, one with neither, and objects by length.
        assert_eq!(from_slice::<Some>(b"{#i\x01i\x01a[#i\x02i\x05U\xff").unwrap().a, [5.0, 255.0]);
        assert_eq!(
            from_slice::<Some>(b"{i\x01a[l\x00\x00\x01\x00NI\xff\xffL\0\0\0\0\0\0\0\x07D\x3f\xe0\0\0\0\0\0\0]}")
                .unwrap()
                .a,
            [256.0, -1.0, 7.0, 0.5]
        );
        for (bytes, message) in [
            (&b"{i\x01a[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff"[..], "byte 17: the file ends within a value: it is cut"),
            (b"{i\x01a[$T#L\x7f\xff\xff\xff\xff\xff\xff\xff}", "byte 17: a list of values without content"),
            (b"{i\x01a[#i\xff}", "byte 8: a length is no count"),
            (b"{i\x01a[$d}", "byte 7: a list has a type and no length"),
            (b"{i\x01a[q]}", "byte 6: 'q' begins no value"),
            (b"{i\x01a[]}}", "byte 7: there is more behind the model"),
            (b"{i\x01c[]}", "byte 7: missing field `a`"),
            (b"{i\x01aSi\x01x}", "byte 8: invalid type: string \"x\", expected a sequence"),
            (b"{i\x01\xff[]}", "byte 4: a text is not UTF-8"),
            (b"", "byte 0: the file ends within a value: it is cut"),
        ] {
            assert_eq!(from_slice::<Some>(bytes).unwrap_err().to_string(), message);
        }
        let nested = b"[".repeat(100);
        assert_eq!(
            from_slice::<de::IgnoredAny>(&nested).unwrap_err().to_string(),
            "byte 65: values are nested deeper than 64"
        );
    }

    #[test]
    fn cut_files_are_errors() {
        let whole = b"{i\x01a[$d#i\x02\x3f\x80\x00\x00\xc0\x00\x00\x00i\x01bSi\x02hi}";
        for end in 0..whole.len() {
            from_slice::<Some>(&whole[..end]).unwrap_err();
        }
        assert!(from_slice::<Some>(whole).is_ok());
    }
}
