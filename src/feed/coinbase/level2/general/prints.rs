//! The prints of an event of `market_trades`.

use super::values::{Key, KeySeed, PassOver, Text, pass_over, seed};
use super::{EventKind, Sink};
use crate::base::clock::parse_utc_ns;
use crate::base::swar::whole;
use crate::feed::coinbase::level2::TapePart;
use crate::market::event::{FrameKind, Print};
use crate::market::units::{DECIMALS_MAX, NumberError, Scale, Side, parse_count};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::fmt;

impl Sink<'_> {
    /// Takes over the prints from `start` on, now that the event's kind is known.
    pub(super) fn end_prints(&mut self, start: usize, kind: EventKind) {
        let part = match kind {
            EventKind::Known(FrameKind::Snapshot) => TapePart::Snapshot,
            EventKind::Known(_) => TapePart::Update,
            EventKind::Missing | EventKind::Unknown => return self.parser.prints.truncate(start),
        };
        if self.parser.prints.len() > start {
            self.tape = Some(part);
        }
    }
}

/// Puts the list's prints into the parser.
pub struct TradesVisitor<'s, 'a>(pub &'s mut Sink<'a>);

impl TradesVisitor<'_, '_> {
    const NULL: () = ();
}

seed!(TradesVisitor<'_, '_>, ());

impl<'de> Visitor<'de> for TradesVisitor<'_, '_> {
    type Value = ();
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str); visit_map: MapAccess);
    fn visit_seq<A: SeqAccess<'de>>(self, mut trades: A) -> Result<(), A::Error> {
        while trades.next_element_seed(TradeVisitor(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// One print. What cannot be read of the product's is counted and passed over: the book does not hang on it.
struct TradeVisitor<'s, 'a>(&'s mut Sink<'a>);

impl TradeVisitor<'_, '_> {
    const NULL: () = ();
}

seed!(TradeVisitor<'_, '_>, ());

/// Reads a count at `scale`, or at a finer one, which is then noted in `decimals`. `None` for what is no count or none of
/// anything.
fn count(text: &str, decimals: &mut u8) -> Option<u64> {
    match parse_count(text.as_bytes(), *decimals) {
        Ok(count) => Some(count).filter(|&count| count > 0),
        Err(NumberError::FinerThanScale { needs }) if needs <= u32::from(DECIMALS_MAX) => {
            // At most DECIMALS_MAX.
            *decimals = needs as u8;
            Some(1)
        }
        Err(_) => None,
    }
}

impl<'de> Visitor<'de> for TradeVisitor<'_, '_> {
    type Value = ();
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str); visit_seq: SeqAccess);
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(sink) = self;
        let (mut is_ours, mut aggressor, mut price_ticks, mut size_lots) = (false, None, None, None);
        let (mut trade_id, mut ts_event_ns) = (0, 0);
        let mut needs: Scale = sink.scale;
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Key::ProductId => map.next_value_seed(Text(|text: &str| is_ours = sink.parser.prints_of(text)))?,
                Key::TradeId => {
                    map.next_value_seed(Text(|text: &str| trade_id = whole(text.as_bytes()).unwrap_or(0)))?
                }
                Key::Price => {
                    map.next_value_seed(Text(|text: &str| price_ticks = count(text, &mut needs.price_decimals)))?
                }
                Key::Size => {
                    map.next_value_seed(Text(|text: &str| size_lots = count(text, &mut needs.size_decimals)))?
                }
                Key::Time => {
                    map.next_value_seed(Text(|text: &str| ts_event_ns = parse_utc_ns(text.as_bytes()).unwrap_or(0)))?
                }
                // The maker's side.
                Key::Side => map.next_value_seed(Text(|text: &str| {
                    aggressor = match text {
                        "SELL" => Some(Side::Bid),
                        "BUY" => Some(Side::Ask),
                        _ => None,
                    };
                }))?,
                _ => {
                    map.next_value_seed(PassOver::default())?;
                }
            }
        }
        if !is_ours {
            sink.parser.foreign += 1;
            return Ok(());
        }
        let (Some(aggressor), Some(price_ticks), Some(size_lots)) = (aggressor, price_ticks, size_lots) else {
            sink.unread_prints += 1;
            return Ok(());
        };
        sink.prints_need.price_decimals = sink.prints_need.price_decimals.max(needs.price_decimals);
        sink.prints_need.size_decimals = sink.prints_need.size_decimals.max(needs.size_decimals);
        let print = Print { aggressor, price_ticks, size_lots, trade_id, ts_event_ns };
        sink.parser.prints.extend(print.encode());
        Ok(())
    }
}
