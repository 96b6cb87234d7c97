//! Frames as hftbacktest's events.

use crate::base::output::OutputError;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::report::text::counted;
use crate::sources::hftbacktest::writer::{NpzWriter, Times, Trade, float, survives_float};
use std::path::Path;

/// Writes events.
pub(super) struct NpzSink {
    writer: NpzWriter,
    /// Levels and prints with a number that does not read back.
    rounded: u64,
}

impl NpzSink {
    pub fn create(path: &Path, force: bool) -> Result<Self, OutputError> {
        Ok(Self { writer: NpzWriter::create(path, force)?, rounded: 0 })
    }

    /// Gives what the user should know.
    pub fn finish(self) -> Result<Option<String>, OutputError> {
        let written = self.writer.finish()?;
        let most = written.moved_ns_max as f64 / 1e9;
        let note = || {
            let rows = counted(written.moved, "row");
            format!(
                "the venue's time of {rows} was out of order or after its receipt, and was moved by at most {most} s\n"
            )
        };
        let moved = (written.moved > 0).then(note);
        Ok(moved.into_iter().chain(super::rounded_note(self.rounded)).reduce(|all, note| all + &note))
    }

    pub fn push(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), OutputError> {
        let times = Times { ts_recv_ns: head.ts_recv_ns, ts_event_ns: head.ts_event_ns };
        let price = |ticks| float(ticks, head.scale.price_decimals);
        let size = |lots| float(lots, head.scale.size_decimals);
        let is_rounded = |ticks, lots| {
            let [price, size] = [head.scale.price_decimals, head.scale.size_decimals];
            !(survives_float(ticks, price) && survives_float(lots, size))
        };
        self.rounded += match head.kind {
            FrameKind::Snapshot | FrameKind::Update => {
                events.iter().filter(|level| is_rounded(level.price_ticks(), level.size_lots())).count()
            }
            FrameKind::Prints => {
                let prints = events.as_chunks::<PRINT_EVENTS>().0.iter().map(|&print| Print::decode(print));
                prints.filter(|print| is_rounded(print.price_ticks, print.size_lots)).count()
            }
            FrameKind::Connected | FrameKind::Invalid(_) => 0,
        } as u64;
        let levels = events.iter().map(|level| (level.side(), price(level.price_ticks()), size(level.size_lots())));
        match head.kind {
            FrameKind::Snapshot => self.writer.snapshot(times, levels),
            FrameKind::Update => self.writer.update(times, levels),
            FrameKind::Prints => {
                let trade = |&print| {
                    let Print { aggressor, price_ticks, size_lots, ts_event_ns, .. } = Print::decode(print);
                    Trade { aggressor, px: price(price_ticks), qty: size(size_lots), ts_event_ns }
                };
                self.writer.trades(times, events.as_chunks::<PRINT_EVENTS>().0.iter().map(trade))
            }
            FrameKind::Connected | FrameKind::Invalid(_) => Ok(()),
        }
    }
}
