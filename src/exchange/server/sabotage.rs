//! Carries faults out on a connection.

use super::client::{Client, Desk};
use super::depth::Depth;
use super::faults::{Fault, FaultKind};
use super::frame::MarketFrame;
use super::product::Product;
use super::transport::Transport;
use crate::exchange::market::LevelUpdate;
use crate::exchange::message::{self, L2Kind, Levels};
use crate::market::units::{COUNT_MAX, DECIMALS_MAX, Scale, Side};
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// Payload bytes of a fragment unless the fault says otherwise.
const FRAGMENT_BYTES: u64 = 64;
/// Bytes of a write in a dribble unless the fault says otherwise.
const DRIBBLE_BYTES: u64 = 7;
/// Pings of a flood unless the fault says otherwise.
const FLOOD_PINGS: u64 = 1_000;
/// A size that no 63-bit count of lots holds.
const HUGE_SIZE: &str = "123456789012345678901234567890";

/// Sends a client its part of a frame, with the faults that strike it: first what comes before the frame, then the frame
/// as the last fault about it says, then what comes after.
pub(super) fn deliver(client: &mut Client, frame: &MarketFrame, faults: &[Fault], desk: &mut Desk<'_>) {
    faults.iter().for_each(|&fault| before(client, fault, desk));
    match faults.iter().rfind(|fault| spoils_frame(fault.kind)) {
        Some(&fault) => send_spoilt(client, frame, fault, desk),
        None => client.send_frame(frame, desk),
    }
    faults.iter().for_each(|&fault| after(client, frame, fault, desk));
}

fn before(client: &mut Client, fault: Fault, desk: &mut Desk<'_>) {
    match fault.kind {
        FaultKind::UnknownChannel => {
            let sequence_num = client.next_sequence_num();
            desk.layout.envelope(desk.out, "moon_phase", sequence_num, desk.now_ns);
            desk.out.extend_from_slice(br#"{"phase":"new"}]}"#);
            client.send(desk.out, desk.now);
        }
        FaultKind::Error => {
            message::error(desk.out, "internal error (injected)");
            client.send(desk.out, desk.now);
        }
        FaultKind::PingFlood => {
            let Some(transport) = client.connection.open() else { return };
            for _ in 0..fault.count_or(FLOOD_PINGS) {
                transport.push_frame(OpCode::Control(Control::Ping), true, b"papertrader");
            }
            client.connection.pump(desk.now);
        }
        _ => {}
    }
}

/// Whether the fault is about how the frame itself is sent.
fn spoils_frame(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Gap
            | FaultKind::Repeat
            | FaultKind::Malformed
            | FaultKind::InvalidUtf8
            | FaultKind::Fragmented
            | FaultKind::Dribble
    )
}

fn send_spoilt(client: &mut Client, frame: &MarketFrame, fault: Fault, desk: &mut Desk<'_>) {
    let sequence_num = client.next_sequence_num();
    frame.render(desk.out, sequence_num, |product| client.wants(product));
    let text = &mut *desk.out;
    let Some(transport) = client.connection.open() else { return };
    match fault.kind {
        FaultKind::Gap => {}
        FaultKind::Repeat => {
            transport.push_text(text);
            transport.push_text(text);
        }
        FaultKind::Malformed => transport.push_text(&text[..text.len() / 2]),
        FaultKind::InvalidUtf8 => {
            let middle = text.len() / 2;
            text[middle] = 0xff;
            transport.push_text(text);
        }
        FaultKind::Fragmented => push_fragments(transport, text, fault.count_or(FRAGMENT_BYTES)),
        FaultKind::Dribble => {
            transport.push_text(text);
            let bytes = fault.count_or(DRIBBLE_BYTES);
            transport.dribble(usize::try_from(bytes).unwrap_or(usize::MAX), desk.now);
        }
        kind => unreachable!("{kind} does not spoil a frame"),
    }
    client.connection.pump(desk.now);
}

/// At least two fragments, and a ping, which may stand between them, after the first.
fn push_fragments(transport: &mut Transport, text: &[u8], fragment_bytes: u64) {
    let fragment_bytes = usize::try_from(fragment_bytes).unwrap_or(usize::MAX).min(text.len().div_ceil(2));
    let last = text.len().div_ceil(fragment_bytes) - 1;
    for (index, fragment) in text.chunks(fragment_bytes).enumerate() {
        let opcode = if index == 0 { Data::Text } else { Data::Continue };
        transport.push_frame(OpCode::Data(opcode), index == last, fragment);
        if index == 0 {
            transport.push_frame(OpCode::Control(Control::Ping), true, b"between fragments");
        }
    }
}

fn after(client: &mut Client, frame: &MarketFrame, fault: Fault, desk: &mut Desk<'_>) {
    let until = fault.duration().map(|duration| desk.now + duration);
    match fault.kind {
        FaultKind::Disconnect => client.connection.close(CloseCode::Away, "going away (injected)", desk.now),
        FaultKind::DisconnectFin => client.connection.send_fin(desk.now),
        FaultKind::DisconnectRst => client.connection.reset(),
        FaultKind::SilentBook => client.silence(until),
        FaultKind::OffTick | FaultKind::Crossed | FaultKind::LostRemoval | FaultKind::HugeNumber => {
            let product = frame.events.iter().map(|event| event.product).find(|&product| client.wants(product));
            if let Some(product) = product {
                send_impossible_level(client, frame.time_ns, product, fault.kind, desk);
            }
        }
        FaultKind::Stall | FaultKind::Oversized | FaultKind::OversizedFragments => {
            let Some(transport) = client.connection.open() else { return };
            match (fault.kind, until) {
                (FaultKind::Stall, Some(until)) => transport.hold_until(until),
                (FaultKind::Stall, None) => transport.mute(),
                (kind, _) => transport.oversize(kind == FaultKind::OversizedFragments),
            }
            client.connection.pump(desk.now);
        }
        _ => {}
    }
}

/// Two frames: a level that is not in the book, and the book's truth again, unless that is what is lost.
fn send_impossible_level(client: &mut Client, time_ns: i64, product: usize, kind: FaultKind, desk: &mut Desk<'_>) {
    let Product { name, depth, .. } = &desk.products[product];
    let Some((scale, wrong, right)) = impossible_level(depth, kind) else { return };
    let sent = if kind == FaultKind::LostRemoval { &[wrong][..] } else { &[wrong, right] };
    for &level in sent {
        let sequence_num = client.next_sequence_num();
        let levels = Levels { kind: L2Kind::Update, product: name, scale, updates: &[level] };
        desk.layout.l2_data(desk.out, sequence_num, time_ns, &levels);
        if kind == FaultKind::HugeNumber && level == wrong {
            let text = String::from_utf8_lossy(desk.out);
            let (head, _) = text.split_once(r#""new_quantity":""#).expect("the message has a level");
            let text = format!(r#"{head}"new_quantity":"{HUGE_SIZE}"}}]}}]}}"#);
            client.send(text.as_bytes(), desk.now);
        } else {
            client.send(desk.out, desk.now);
        }
    }
}

/// A wrong level and what the book really has in its place. `None` if the book has no room for it.
fn impossible_level(depth: &Depth, kind: FaultKind) -> Option<(Scale, LevelUpdate, LevelUpdate)> {
    let bid = |price_ticks, size_lots| LevelUpdate { side: Side::Bid, price_ticks, size_lots };
    let (best_bid_ticks, best_bid_lots) = depth.best_bid()?;
    match kind {
        FaultKind::HugeNumber => {
            let wrong_lots = if best_bid_lots == 1 { 2 } else { 1 };
            Some((depth.scale, bid(best_bid_ticks, wrong_lots), bid(best_bid_ticks, best_bid_lots)))
        }
        FaultKind::Crossed | FaultKind::LostRemoval => {
            let best_ask_ticks = depth.best_ask()?.0;
            // So far that the market does not get there while the level is lost.
            let above_ticks = if kind == FaultKind::LostRemoval { best_ask_ticks / 100 } else { 0 };
            let price_ticks = best_ask_ticks.checked_add(above_ticks + 1).filter(|&ticks| ticks <= COUNT_MAX)?;
            // A book that is already crossed can have a bid there.
            let size_lots = depth.bids.get(&price_ticks).copied().unwrap_or(0);
            Some((depth.scale, bid(price_ticks, size_lots + 1), bid(price_ticks, size_lots)))
        }
        _ => {
            let price_decimals = depth.scale.price_decimals + 1;
            let price = best_bid_ticks.checked_mul(10)?.checked_add(5).filter(|&ticks| ticks <= COUNT_MAX)?;
            let scale = Scale { price_decimals, ..depth.scale };
            (price_decimals <= DECIMALS_MAX).then(|| (scale, bid(price, 1), bid(price, 0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_levels_need_room() {
        let none = |depth: &Depth, kind| impossible_level(depth, kind).is_none();
        let mut depth = Depth::default();
        for kind in [FaultKind::OffTick, FaultKind::Crossed, FaultKind::HugeNumber] {
            assert!(none(&depth, kind), "an empty book");
        }
        depth.apply(LevelUpdate { side: Side::Bid, price_ticks: 10, size_lots: 1 });
        assert!(none(&depth, FaultKind::Crossed), "no ask to cross");
        let (scale, wrong, right) = impossible_level(&depth, FaultKind::OffTick).expect("room");
        assert_eq!((scale.price_decimals, wrong.price_ticks, right.size_lots), (1, 105, 0));
        let (_, wrong, right) = impossible_level(&depth, FaultKind::HugeNumber).expect("room");
        assert_eq!((wrong.size_lots, right.size_lots), (2, 1), "they differ, whatever the true size");
        depth.scale.price_decimals = DECIMALS_MAX;
        assert!(none(&depth, FaultKind::OffTick), "no finer tick");
        depth.apply(LevelUpdate { side: Side::Ask, price_ticks: COUNT_MAX, size_lots: 1 });
        assert!(none(&depth, FaultKind::Crossed) && none(&depth, FaultKind::LostRemoval), "no higher price");
        depth.scale.price_decimals = 0;
        depth.apply(LevelUpdate { side: Side::Bid, price_ticks: COUNT_MAX / 2, size_lots: 1 });
        assert!(none(&depth, FaultKind::OffTick), "no finer count");
    }
}
