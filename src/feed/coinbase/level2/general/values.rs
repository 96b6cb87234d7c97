//! Values of a message: those that mean something, and those that are passed over.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// How deep a value that is passed over may be nested.
const NESTING_MAX: u8 = 127;

/// A visitor that can stand for a value of any type.
macro_rules! seed {
    ($visitor:ty, $value:ty $(, $($generics:tt)*)?) => {
        impl<'de, $($($generics)*)?> DeserializeSeed<'de> for $visitor {
            type Value = $value;
            fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_any(self)
            }
        }
    };
}

/// The visits by which a visitor passes over values that it has no use for; they yield the default.
macro_rules! pass_over {
    ($($visit:ident($type:ty)),*; $($nested:ident: $access:ident),*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON value")
        }
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok(Default::default())
        })*
        $(fn $nested<A: $access<'de>>(self, nested: A) -> Result<Self::Value, A::Error> {
            PassOver::default().$nested(nested).map(|()| Default::default())
        })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::NULL)
        }
    };
}

pub(super) use {pass_over, seed};

/// A value that nobody has a use for, whatever it is.
///
/// The JSON library has its own way, faster for large ones, which recurses as deep as the venue likes.
pub struct PassOver {
    nesting_left: u8,
}

impl Default for PassOver {
    fn default() -> Self {
        Self { nesting_left: NESTING_MAX }
    }
}

seed!(PassOver, ());

impl PassOver {
    fn within<E: serde::de::Error>(self) -> Result<Self, E> {
        let nesting_left = self.nesting_left.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self { nesting_left })
    }
}

impl<'de> Visitor<'de> for PassOver {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let Self { nesting_left } = self.within()?;
        while values.next_element_seed(Self { nesting_left })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { nesting_left } = self.within()?;
        while map.next_key_seed(KeySeed)?.is_some() {
            map.next_value_seed(Self { nesting_left })?;
        }
        Ok(())
    }
}

/// Calls its function with a string; anything else in its place is passed over.
pub struct Text<F>(pub F);

impl<F> Text<F> {
    const NULL: () = ();
}

seed!(Text<F>, (), F: FnOnce(&str));

impl<'de, F: FnOnce(&str)> Visitor<'de> for Text<F> {
    type Value = ();
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64); visit_seq: SeqAccess, visit_map: MapAccess);
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0(text);
        Ok(())
    }
}

/// Yields an unsigned number; anything else in its place is none.
pub struct Unsigned;

impl Unsigned {
    const NULL: Option<u64> = None;
}

seed!(Unsigned, Option<u64>);

impl<'de> Visitor<'de> for Unsigned {
    type Value = Option<u64>;
    pass_over!(visit_bool(bool), visit_i64(i64), visit_f64(f64), visit_str(&str); visit_seq: SeqAccess, visit_map: MapAccess);
    fn visit_u64<E>(self, number: u64) -> Result<Option<u64>, E> {
        Ok(Some(number))
    }
}

/// The keys that mean something, at any depth.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Channel,
    Timestamp,
    SequenceNum,
    Events,
    Type,
    Message,
    ProductId,
    Updates,
    Trades,
    Side,
    PriceLevel,
    NewQuantity,
    TradeId,
    Price,
    Size,
    Time,
    Unknown,
}

pub struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "channel" => Key::Channel,
            "timestamp" => Key::Timestamp,
            "sequence_num" => Key::SequenceNum,
            "events" => Key::Events,
            "type" => Key::Type,
            "message" => Key::Message,
            "product_id" => Key::ProductId,
            "updates" => Key::Updates,
            "trades" => Key::Trades,
            "side" => Key::Side,
            "price_level" => Key::PriceLevel,
            "new_quantity" => Key::NewQuantity,
            "trade_id" => Key::TradeId,
            "price" => Key::Price,
            "size" => Key::Size,
            "time" => Key::Time,
            _ => Key::Unknown,
        })
    }
}
