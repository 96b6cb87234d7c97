//! A frame of the market as every subscriber gets it, but for the sequence number.

use crate::exchange::market::{LevelUpdate, Trade};
use crate::exchange::message::{L2Kind, Layout, TRADES, begin_prints};
use crate::market::units::Scale;
use std::ops::Range;

/// Where a rendered message is cut open for the sequence number.
const SEAM: &[u8] = br#""sequence_num":0,"events":["#;
const BEFORE_NUMBER: usize = br#""sequence_num":"#.len();

/// What a frame is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum About {
    /// The books of its events.
    #[default]
    Books,
    /// Prints: the events are single prints, newest first, and levels there are none.
    Prints,
}

/// One frame: its text and the levels in it. Buffers are used again.
#[derive(Debug, Default)]
pub(super) struct MarketFrame {
    pub about: About,
    /// The market's time, Unix nanoseconds.
    pub time_ns: i64,
    /// The envelope up to where the sequence number goes.
    head: Vec<u8>,
    /// The events' JSON, one behind the other.
    text: Vec<u8>,
    pub events: Vec<FrameEvent>,
    /// The events' levels, one behind the other.
    pub levels: Vec<LevelUpdate>,
}

/// One product's part of a frame.
#[derive(Clone, Debug)]
pub(super) struct FrameEvent {
    /// Index of the product.
    pub product: usize,
    pub kind: L2Kind,
    /// Within the frame's levels.
    pub levels: Range<usize>,
    /// Within the frame's text.
    text: Range<usize>,
}

impl MarketFrame {
    /// Empties the frame and gives it its envelope: the client's id, if it is to have one, and the time stamp as JSON.
    pub fn begin(&mut self, about: About, time_ns: i64, client_id_json: Option<&str>, timestamp_json: &str) {
        self.about = about;
        self.time_ns = time_ns;
        self.events.clear();
        self.levels.clear();
        self.text.clear();
        self.head.clear();
        self.head.extend_from_slice(match about {
            About::Books => br#"{"channel":"l2_data","#,
            About::Prints => br#"{"channel":"market_trades","#,
        });
        if let Some(client_id_json) = client_id_json {
            self.head.extend_from_slice(br#""client_id":"#);
            self.head.extend_from_slice(client_id_json.as_bytes());
            self.head.push(b',');
        }
        self.head.extend_from_slice(br#""timestamp":"#);
        self.head.extend_from_slice(timestamp_json.as_bytes());
        self.head.extend_from_slice(br#","sequence_num":"#);
    }

    /// Appends an event. Its levels are those appended to `levels` since `first_level`.
    pub fn push_event(&mut self, product: usize, kind: L2Kind, first_level: usize, event_json: &str) {
        let start = self.text.len();
        self.text.extend_from_slice(event_json.as_bytes());
        let levels = first_level..self.levels.len();
        self.events.push(FrameEvent { product, kind, levels, text: start..self.text.len() });
    }

    /// Takes over a message that our own renderer made with sequence number 0 and one event, whose levels are in `levels`.
    pub fn set_rendered(&mut self, time_ns: i64, product: usize, message: &[u8]) {
        self.about = About::Books;
        let seam = memchr::memmem::find(message, SEAM).expect("the renderer's layout is fixed");
        self.time_ns = time_ns;
        self.head.clear();
        self.head.extend_from_slice(&message[..seam + BEFORE_NUMBER]);
        self.text.clear();
        self.text.extend_from_slice(&message[seam + SEAM.len()..message.len() - b"]}".len()]);
        self.events.clear();
        let (levels, text) = (0..self.levels.len(), 0..self.text.len());
        self.events.push(FrameEvent { product, kind: L2Kind::Update, levels, text });
    }

    /// Begins a frame of prints that our own renderer makes. Those of one product are pushed next.
    pub fn begin_prints(&mut self, time_ns: i64, layout: Layout) {
        self.about = About::Prints;
        self.time_ns = time_ns;
        self.events.clear();
        self.levels.clear();
        self.text.clear();
        layout.envelope(&mut self.head, TRADES, 0, time_ns);
        self.head.truncate(self.head.len() - br#"0,"events":["#.len());
    }

    /// Appends a print of our own.
    pub fn push_print(&mut self, product: usize, layout: Layout, name: &str, scale: Scale, trade: &Trade) {
        let start = self.text.len();
        layout.print(&mut self.text, name, scale, trade);
        self.events.push(FrameEvent { product, kind: L2Kind::Update, levels: 0..0, text: start..self.text.len() });
    }

    /// The prints of a frame of prints, oldest first: product, kind and JSON.
    pub fn prints(&self) -> impl Iterator<Item = (usize, L2Kind, &[u8])> {
        self.events.iter().rev().map(|event| (event.product, event.kind, &self.text[event.text.clone()]))
    }

    /// The message with the prints of the products that the filter lets pass, but for so many of the oldest. Clears `out`
    /// first. False if nothing is left: then there is no message.
    pub fn render_prints(
        &self,
        out: &mut Vec<u8>,
        sequence_num: u64,
        wanted: impl Fn(usize) -> bool,
        left_out: usize,
    ) -> bool {
        let wanted = || self.events.iter().filter(|event| wanted(event.product));
        let count = wanted().count().saturating_sub(left_out);
        let Some(first) = wanted().next().filter(|_| count > 0) else { return false };
        out.clear();
        out.extend_from_slice(&self.head);
        out.extend_from_slice(itoa::Buffer::new().format(sequence_num).as_bytes());
        out.extend_from_slice(br#","events":["#);
        begin_prints(out, first.kind);
        for (at, event) in wanted().take(count).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&self.text[event.text.clone()]);
        }
        out.extend_from_slice(b"]}]}");
        true
    }

    /// Whether any event is of a product that the filter lets pass.
    pub fn concerns(&self, wanted: impl Fn(usize) -> bool) -> bool {
        self.events.iter().any(|event| wanted(event.product))
    }

    /// The message with the events of the products that the filter lets pass. Clears `out` first.
    pub fn render(&self, out: &mut Vec<u8>, sequence_num: u64, wanted: impl Fn(usize) -> bool) {
        out.clear();
        out.extend_from_slice(&self.head);
        out.extend_from_slice(itoa::Buffer::new().format(sequence_num).as_bytes());
        out.extend_from_slice(br#","events":["#);
        let mut first = true;
        for event in self.events.iter().filter(|event| wanted(event.product)) {
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(&self.text[event.text.clone()]);
        }
        out.extend_from_slice(b"]}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::message::{Levels, Prints};
    use crate::market::units::Side;

    #[test]
    fn rendered_messages_differ_in_the_number_only() {
        for layout in [Layout::Year2026, Layout::Year2024] {
            differ_in_the_number_only(layout);
        }
    }

    fn differ_in_the_number_only(layout: Layout) {
        let scale = Scale { price_decimals: 2, size_decimals: 8 };
        let updates = [LevelUpdate { side: Side::Bid, price_ticks: 7, size_lots: 9 }];
        let levels = Levels { kind: L2Kind::Update, product: "BTC-USD", scale, updates: &updates };
        let mut frame = MarketFrame { levels: updates.to_vec(), ..MarketFrame::default() };
        let (mut ours, mut expected) = (Vec::new(), Vec::new());
        layout.l2_data(&mut ours, 0, 17, &levels);
        frame.set_rendered(17, 0, &ours);
        for sequence_num in [0, 1, 98_765_432_109] {
            layout.l2_data(&mut expected, sequence_num, 17, &levels);
            frame.render(&mut ours, sequence_num, |_| true);
            assert_eq!(ours, expected);
        }
        assert_eq!(frame.levels[frame.events[0].levels.clone()], updates);
    }

    #[test]
    fn prints_are_the_renderers_and_can_be_lost() {
        let scale = Scale { price_decimals: 2, size_decimals: 8 };
        let trade = |trade_id| Trade { trade_id, maker: Side::Ask, price_ticks: 7, size_lots: 9, time_ns: 1_000 };
        let trades = [trade(6), trade(5), trade(4)];
        for layout in [Layout::Year2026, Layout::Year2024] {
            let mut frame = MarketFrame::default();
            frame.begin_prints(17, layout);
            trades.iter().for_each(|trade| frame.push_print(1, layout, "BTC-USD", scale, trade));
            let (mut ours, mut expected) = (Vec::new(), Vec::new());
            for left_out in 0..3 {
                let trades = &trades[..3 - left_out];
                let prints = Prints { kind: L2Kind::Update, product: "BTC-USD", scale, trades };
                layout.market_trades(&mut expected, 98, 17, &prints);
                assert!(frame.render_prints(&mut ours, 98, |product| product == 1, left_out));
                assert_eq!(ours, expected);
            }
            assert!(
                !frame.render_prints(&mut ours, 98, |_| true, 3) && !frame.render_prints(&mut ours, 98, |_| false, 0)
            );
        }
    }

    #[test]
    fn subscribers_get_their_products_only() {
        let mut frame = MarketFrame::default();
        frame.begin(About::Books, 5, None, r#""then""#);
        for product in 0..3 {
            frame.push_event(product, L2Kind::Update, 0, &format!(r#"{{"p":{product}}}"#));
        }
        let mut out = Vec::new();
        frame.render(&mut out, 4, |product| product != 1);
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            r#"{"channel":"l2_data","timestamp":"then","sequence_num":4,"events":[{"p":0},{"p":2}]}"#
        );
        frame.begin(About::Books, 5, Some(r#""me""#), r#""then""#);
        frame.push_event(0, L2Kind::Update, 0, "{}");
        let mut out = Vec::new();
        frame.render(&mut out, 4, |_| true);
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            r#"{"channel":"l2_data","client_id":"me","timestamp":"then","sequence_num":4,"events":[{}]}"#
        );
        assert!(frame.concerns(|product| product == 0));
        assert!(!frame.concerns(|product| product == 3));
    }
}
