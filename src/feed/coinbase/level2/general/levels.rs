//! The levels of an event.

use super::values::{Key, KeySeed, PassOver, Text, pass_over, seed};
use super::{EventState, Sink, VALUE_CHARS_MAX};
use crate::base::one_line::quote;
use crate::feed::coinbase::level2::LevelField;
use crate::market::event::{Event, Fault};
use crate::market::units::{Scale, Side};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Yields whether the value is an array.
pub struct UpdatesVisitor<'s, 'a> {
    pub sink: &'s mut Sink<'a>,
    pub event: &'s mut EventState,
}

impl UpdatesVisitor<'_, '_> {
    /// An empty list.
    const NULL: bool = true;
}

seed!(UpdatesVisitor<'_, '_>, bool);

impl<'de> Visitor<'de> for UpdatesVisitor<'_, '_> {
    type Value = bool;
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str); visit_map: MapAccess);
    fn visit_seq<A: SeqAccess<'de>>(self, mut updates: A) -> Result<bool, A::Error> {
        let Self { sink, event } = self;
        let mut index = 0;
        while let Some(level) =
            updates.next_element_seed(LevelVisitor { event: &mut *event, index, scale: sink.scale })?
        {
            match level {
                Some(level) => sink.levels.push(level),
                None => {
                    event.fail(index, LevelField::Whole, Fault::Malformed, "is no object of side, price and quantity")
                }
            }
            index += 1;
        }
        Ok(true)
    }
}

/// Yields a level, whose counts are 0 where an error was noted, or none if a field is missing or no string.
struct LevelVisitor<'s> {
    event: &'s mut EventState,
    index: usize,
    scale: Scale,
}

impl LevelVisitor<'_> {
    const NULL: Option<Event> = None;
}

seed!(LevelVisitor<'_>, Option<Event>);

impl<'de> Visitor<'de> for LevelVisitor<'_> {
    type Value = Option<Event>;
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str); visit_seq: SeqAccess);
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Event>, A::Error> {
        let Self { event, index, scale } = self;
        let (mut side, mut price_ticks, mut size_lots) = (None, None, None);
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Key::Side => map.next_value_seed(Text(|text: &str| {
                    side = Some(match text {
                        "bid" => Side::Bid,
                        "offer" | "ask" => Side::Ask,
                        _ => {
                            let reason = format!("'{}' is neither bid nor offer", quote(text, VALUE_CHARS_MAX));
                            event.fail(index, LevelField::Side, Fault::UnknownSide, reason);
                            Side::Bid
                        }
                    });
                }))?,
                Key::PriceLevel => map.next_value_seed(Text(|text: &str| {
                    price_ticks = Some(event.number(index, LevelField::Price, text, scale.price_decimals));
                }))?,
                Key::NewQuantity => map.next_value_seed(Text(|text: &str| {
                    size_lots = Some(event.number(index, LevelField::Quantity, text, scale.size_decimals));
                }))?,
                _ => {
                    map.next_value_seed(PassOver::default())?;
                }
            }
        }
        Ok((|| Some(Event::level(side?, price_ticks?, size_lots?)))())
    }
}
