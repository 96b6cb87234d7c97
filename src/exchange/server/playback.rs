//! A capture as the market: its level2 frames, with the levels in them.

use super::config::{ExchangeError, Pace};
use super::depth::Depth;
use super::frame::{About, MarketFrame};
use super::product::Product;
use crate::capture::replay::ReplayError;
use crate::capture::{CaptureError, Control, Item};
use crate::exchange::market::LevelUpdate;
use crate::exchange::message::{L2Kind, TRADES};
use crate::exchange::reencode::MarketLines;
use crate::feed::coinbase::sequence::Sequence;
use crate::market::event::{Fault, FaultCounts};
use crate::market::units::{DECIMALS_MAX, NumberError, Scale, Side, parse_count};
use crate::sources::market::MarketSettings;
use serde::Deserialize;
use sonic_rs::LazyValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that are looked at for the products that a capture holds.
const PEEK_LINES: u64 = 1_000;
/// Time, as recorded, between the last frame of one round and the first of the next.
const LOOP_PAUSE_NS: f64 = 100e6;

/// A capture that is being played.
pub(super) struct Playback {
    path: PathBuf,
    reader: MarketLines,
    settings: MarketSettings,
    looping: bool,
    pace: Pace,
    /// Serve only the products known at the start.
    only_known: bool,
    /// Frames served, all rounds together.
    frames: u64,
    /// Frames served in this round.
    round_frames: u64,
    /// Receive time of the round's first frame and when, from the start of the playback, it fell due.
    round_start: Option<(i64, f64)>,
    /// When, from the start of the playback, the last frame fell due.
    due_ns: f64,
    /// The recording's own numbers, of each of its connections; what is served is numbered anew.
    sequences: HashMap<u64, Sequence>,
    /// The connection whose frames follow.
    connection: u64,
    /// What the recording lacks, so that what is served after it may not be the venue's book.
    pub faults: FaultCounts,
    /// Levels whose price, size or side cannot be; they are served, but are not in our book.
    pub levels_refused: u64,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    sequence_num: Option<u64>,
    #[serde(borrow)]
    client_id: Option<LazyValue<'a>>,
    #[serde(borrow)]
    timestamp: Option<LazyValue<'a>>,
    #[serde(borrow)]
    events: Option<Vec<LazyValue<'a>>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    updates: Option<Vec<Level<'a>>>,
}

#[derive(Deserialize)]
struct PrintsEvent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    trades: Option<Vec<LazyValue<'a>>>,
}

#[derive(Deserialize)]
struct EventProduct<'a> {
    #[serde(borrow)]
    product_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    price_level: Cow<'a, str>,
    #[serde(borrow)]
    new_quantity: Cow<'a, str>,
}

impl Playback {
    /// Opens a capture and, unless products are given, adds those that its first lines name to `products`.
    pub fn open(path: &Path, pace: Pace, looping: bool, products: &mut Vec<Product>) -> Result<Self, ExchangeError> {
        // What cannot be looked at cannot be opened either: the reader says why.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
            return Err(ExchangeError::NotAFile { path: path.into() });
        }
        let only_known = !products.is_empty();
        let settings = MarketSettings::default();
        if !only_known {
            find_products(path, &settings, products)?;
        }
        Ok(Self {
            path: path.into(),
            reader: open(path, &settings)?,
            settings,
            looping,
            pace,
            only_known,
            frames: 0,
            round_frames: 0,
            round_start: None,
            due_ns: 0.0,
            sequences: HashMap::new(),
            connection: 0,
            faults: FaultCounts::default(),
            levels_refused: 0,
        })
    }

    /// Reads the next frame and returns when it falls due, in nanoseconds from the start of the playback. `None` is the
    /// end. Frames of other channels than level2 and the prints' and frames that cannot be read are passed over, the latter
    /// counted, as are prints before a round's first level2 frame.
    pub fn next(&mut self, products: &mut Vec<Product>, frame: &mut MarketFrame) -> Result<Option<u64>, CaptureError> {
        loop {
            let Some(line) = self.reader.next_line()? else {
                // A round without a frame would be followed by the same for ever.
                if !self.looping || self.round_frames == 0 {
                    return Ok(None);
                }
                self.reader = MarketLines::open(&self.path, &self.settings).map_err(ReplayError::into_capture)?;
                self.round_frames = 0;
                self.round_start = None;
                self.sequences.clear();
                continue;
            };
            let ts_recv_ns = line.ts_recv_ns;
            let text = match line.item {
                Item::Frame(text) => text,
                Item::Control(control) => {
                    match control {
                        Control::Connected { connection, products } => {
                            if products.is_empty() {
                                // Without a list there is one at a time.
                                self.sequences.clear();
                            }
                            self.connection = connection;
                            self.sequences.entry(connection).or_default().connected();
                        }
                        Control::On { connection } => self.connection = connection,
                        Control::Disconnected { connection, .. } => {
                            self.faults.count(Fault::Disconnected);
                            if self.sequences.len() > 1 {
                                self.sequences.remove(&connection);
                            }
                        }
                        Control::Gap { .. } => {
                            self.faults.count(Fault::RecordingGap);
                            self.sequences.clear();
                        }
                        Control::Frame { .. } | Control::Invalid { .. } => {}
                    }
                    continue;
                }
            };
            let Ok(envelope) = sonic_rs::from_slice::<Envelope<'_>>(text) else {
                self.faults.count(Fault::Malformed);
                continue;
            };
            let sequence = self.sequences.entry(self.connection).or_default();
            if let Some(Err((fault, _))) = envelope.sequence_num.map(|number| sequence.check(number)) {
                self.faults.count(fault);
            }
            let Some((about, parts)) = parts(envelope) else { continue };
            if about == About::Prints {
                let read = read_prints(parts, ts_recv_ns, products, frame);
                if read.is_none() {
                    self.faults.count(Fault::Malformed);
                }
                if read.is_some_and(|prints| prints > 0) && self.round_frames > 0 {
                    return Ok(Some(self.due_beside_frames_ns(ts_recv_ns)));
                }
                continue;
            }
            let read = read_frame(parts, ts_recv_ns, products, self.only_known, frame, &mut self.levels_refused);
            if read.is_none() {
                self.faults.count(Fault::Malformed);
            }
            if read.is_some_and(|events| events > 0) {
                let due_ns = self.due_ns(ts_recv_ns);
                self.frames += 1;
                self.round_frames += 1;
                return Ok(Some(due_ns));
            }
        }
    }

    /// When a message that is not counted as a frame falls due: where frames are spaced evenly, with the last one.
    fn due_beside_frames_ns(&mut self, ts_recv_ns: i64) -> u64 {
        match self.pace {
            Pace::Rate { .. } => self.due_ns as u64,
            _ => self.due_ns(ts_recv_ns),
        }
    }

    /// Whether every frame is due at once.
    pub fn is_unpaced(&self) -> bool {
        self.pace == Pace::Max
    }

    fn due_ns(&mut self, ts_recv_ns: i64) -> u64 {
        self.due_ns = match self.pace {
            Pace::Max => 0.0,
            Pace::Rate { frames_per_s } => self.frames as f64 * 1e9 / frames_per_s,
            Pace::Speed { factor } => {
                let pause_ns = if self.frames == 0 { 0.0 } else { LOOP_PAUSE_NS / factor };
                let first_due_ns = self.due_ns + pause_ns;
                let (start_ns, start_due_ns) = *self.round_start.get_or_insert((ts_recv_ns, first_due_ns));
                // A clock that was set back while recording does not stop the playback.
                (start_due_ns + ts_recv_ns.saturating_sub(start_ns) as f64 / factor).max(self.due_ns)
            }
        };
        self.due_ns as u64
    }
}

fn open(path: &Path, settings: &MarketSettings) -> Result<MarketLines, ExchangeError> {
    MarketLines::open(path, settings).map_err(|error| error.into_capture().into())
}

fn find_products(path: &Path, settings: &MarketSettings, products: &mut Vec<Product>) -> Result<(), ExchangeError> {
    let mut reader = open(path, settings)?;
    if let Some(product) = reader.product() {
        find_or_add(products, product);
        return Ok(());
    }
    while reader.lines() < PEEK_LINES {
        let Some(line) = reader.next_line()? else { break };
        let Item::Frame(text) = line.item else { continue };
        let Some(frame) = sonic_rs::from_slice(text).ok().and_then(l2_frame) else { continue };
        for event in frame.events {
            if let Ok(event) = sonic_rs::from_str::<EventProduct<'_>>(event.as_raw_str()) {
                find_or_add(products, &event.product_id);
            }
        }
    }
    if products.is_empty() {
        return Err(ExchangeError::NoLevel2 { path: path.into(), lines: reader.lines() });
    }
    Ok(())
}

fn find_or_add(products: &mut Vec<Product>, name: &str) -> usize {
    products.iter().position(|product| product.name == name).unwrap_or_else(|| {
        products.push(Product::new(name));
        products.len() - 1
    })
}

/// What an `l2_data` or `market_trades` frame holds, as JSON.
struct Parts<'a> {
    client_id: Option<LazyValue<'a>>,
    timestamp: LazyValue<'a>,
    events: Vec<LazyValue<'a>>,
}

/// What a message of level2 or of prints holds; `None` for other channels.
fn parts(envelope: Envelope<'_>) -> Option<(About, Parts<'_>)> {
    let Envelope { channel, client_id, timestamp, events, .. } = envelope;
    let about = match &*channel? {
        "l2_data" => About::Books,
        TRADES => About::Prints,
        _ => return None,
    };
    Some((about, Parts { client_id, timestamp: timestamp?, events: events? }))
}

/// `None` for other channels than level2.
fn l2_frame(envelope: Envelope<'_>) -> Option<Parts<'_>> {
    parts(envelope).filter(|(about, _)| *about == About::Books).map(|(_, parts)| parts)
}

/// Fills `frame` from a capture's message of prints and gives how many there are of our products. `None` if it cannot be read.
fn read_prints(
    Parts { client_id, timestamp, events }: Parts<'_>,
    ts_recv_ns: i64,
    products: &[Product],
    frame: &mut MarketFrame,
) -> Option<usize> {
    let client_id = client_id.as_ref().map(LazyValue::as_raw_str);
    frame.begin(About::Prints, ts_recv_ns, client_id, timestamp.as_raw_str());
    for event in events {
        let event: PrintsEvent<'_> = sonic_rs::from_str(event.as_raw_str()).ok()?;
        let kind = match &*event.kind {
            "snapshot" => L2Kind::Snapshot,
            "update" => L2Kind::Update,
            _ => return None,
        };
        for print in event.trades.unwrap_or_default() {
            let of: EventProduct<'_> = sonic_rs::from_str(print.as_raw_str()).ok()?;
            // Prints of a product without a book are nobody's.
            if let Some(product) = products.iter().position(|product| product.name == of.product_id) {
                frame.push_event(product, kind, 0, print.as_raw_str());
            }
        }
    }
    Some(frame.events.len())
}

/// Fills `frame` from a capture's frame and gives how many events of our products it has. `None` if it cannot be read.
fn read_frame(
    Parts { client_id, timestamp, events }: Parts<'_>,
    ts_recv_ns: i64,
    products: &mut Vec<Product>,
    only_known: bool,
    frame: &mut MarketFrame,
    levels_refused: &mut u64,
) -> Option<usize> {
    frame.begin(About::Books, ts_recv_ns, client_id.as_ref().map(LazyValue::as_raw_str), timestamp.as_raw_str());
    for event_json in events {
        let event: Event<'_> = sonic_rs::from_str(event_json.as_raw_str()).ok()?;
        let product = match products.iter().position(|product| product.name == event.product_id) {
            Some(product) => product,
            None if only_known => continue,
            None => find_or_add(products, &event.product_id),
        };
        let kind = match &*event.kind {
            "snapshot" => L2Kind::Snapshot,
            "update" => L2Kind::Update,
            _ => return None,
        };
        let first_level = frame.levels.len();
        *levels_refused +=
            read_levels(&event.updates.unwrap_or_default(), &mut products[product].depth, &mut frame.levels);
        frame.push_event(product, kind, first_level, event_json.as_raw_str());
    }
    Some(frame.events.len())
}

/// Appends an event's levels at the book's scale, which is refined if a number needs it. Returns how many cannot be.
fn read_levels(texts: &[Level<'_>], depth: &mut Depth, levels: &mut Vec<LevelUpdate>) -> u64 {
    let first = levels.len();
    // Each round but the last refines the scale, which can happen once for each decimal of price and size.
    for _ in 0..=2 * u32::from(DECIMALS_MAX) {
        levels.truncate(first);
        let mut refused = 0;
        let mut finer = None;
        for text in texts {
            match read_level(text, depth.scale) {
                Ok(level) => levels.push(level),
                Err(Refusal::Finer { price_decimals, size_decimals }) => {
                    finer = Some((price_decimals, size_decimals));
                    break;
                }
                Err(Refusal::Impossible) => refused += 1,
            }
        }
        match finer {
            None => return refused,
            Some((price_decimals, size_decimals)) => {
                if !depth.refine(price_decimals, size_decimals) {
                    break;
                }
            }
        }
    }
    levels.truncate(first);
    texts.len() as u64
}

enum Refusal {
    Finer { price_decimals: u8, size_decimals: u8 },
    Impossible,
}

fn read_level(text: &Level<'_>, scale: Scale) -> Result<LevelUpdate, Refusal> {
    let side = match &*text.side {
        "bid" => Side::Bid,
        "offer" | "ask" => Side::Ask,
        _ => return Err(Refusal::Impossible),
    };
    let count = |text: &str, decimals| match parse_count(text.as_bytes(), decimals) {
        Err(NumberError::FinerThanScale { needs }) => {
            u8::try_from(needs).ok().filter(|&needs| needs <= DECIMALS_MAX).map_or(Err(None), |needs| Err(Some(needs)))
        }
        other => other.map_err(|_| None),
    };
    let price = count(&text.price_level, scale.price_decimals);
    let size = count(&text.new_quantity, scale.size_decimals);
    match (price, size) {
        (Ok(price_ticks), Ok(size_lots)) => Ok(LevelUpdate { side, price_ticks, size_lots }),
        (Err(None), _) | (_, Err(None)) => Err(Refusal::Impossible),
        (price, size) => Err(Refusal::Finer {
            price_decimals: price.err().flatten().unwrap_or(0),
            size_decimals: size.err().flatten().unwrap_or(0),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn products(names: &[&str]) -> Vec<Product> {
        names.iter().map(|&name| Product::new(name)).collect()
    }

    fn event(kind: &str, product: &str, levels: &[(&str, &str, &str)]) -> String {
        let levels: Vec<_> = levels
            .iter()
            .map(|(side, price, size)| {
                format!(r#"{{"side":"{side}","price_level":"{price}","new_quantity":"{size}"}}"#)
            })
            .collect();
        format!(r#"{{"type":"{kind}","product_id":"{product}","updates":[{}]}}"#, levels.join(","))
    }

    fn l2_data(events: &[String]) -> String {
        format!(r#"{{"events":[{}], "timestamp": "t", "sequence_num":9, "channel":"l2_data"}}"#, events.join(","))
    }

    fn capture(frames: &[String], step_ns: i64) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let lines: String =
            frames.iter().zip(1..).map(|(frame, n)| format!("{} {frame}\n", 1_000 + n * step_ns)).collect();
        std::fs::write(file.path(), lines).expect("written");
        file
    }

    fn play(playback: &mut Playback, products: &mut Vec<Product>) -> (u64, String) {
        let mut frame = MarketFrame::default();
        let due_ns = playback.next(products, &mut frame).expect("readable").expect("a frame");
        let mut out = Vec::new();
        frame.render(&mut out, 1, |_| true);
        (due_ns, String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn serves_the_events_as_they_are() {
        let snapshot = event("snapshot", "A", &[("bid", "1.50", "2.000"), ("offer", "2", "1")]);
        let update = event("update", "B", &[("ask", "3", "0.00")]);
        let frames = [
            l2_data(std::slice::from_ref(&snapshot)),
            r#"{"channel":"heartbeats","sequence_num":1}"#.into(),
            r#"{"channel":"l2_data","timestamp":"t","events":[{"#.into(),
            l2_data(&[update.clone(), snapshot.clone()]).replacen('{', r#"{"client_id":"me","#, 1),
        ];
        let file = capture(&frames, 1_000);
        let mut served = Vec::new();
        let mut playback = Playback::open(file.path(), Pace::Speed { factor: 2.0 }, true, &mut served).expect("opens");
        assert_eq!(served.iter().map(|product| product.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        let text = |client_id: &str, events: &str| {
            format!(r#"{{"channel":"l2_data",{client_id}"timestamp":"t","sequence_num":1,"events":[{events}]}}"#)
        };
        let (first, second) = (text("", &snapshot), text(r#""client_id":"me","#, &format!("{update},{snapshot}")));
        assert_eq!(play(&mut playback, &mut served), (0, first.clone()));
        assert_eq!(play(&mut playback, &mut served), (1_500, second.clone()));
        // The next round begins a tenth of a second, at twice the speed, later.
        assert_eq!(play(&mut playback, &mut served), (50_001_500, first));
        assert_eq!(play(&mut playback, &mut served), (50_003_000, second));
    }

    #[test]
    fn prints_are_served_as_recorded() {
        let print = |id: u64, product: &str| format!(r#"{{"product_id":"{product}","trade_id":"{id}","odd":1.50}}"#);
        let message = |kind: &str, prints: &[String]| {
            let client_id = r#""client_id":"","#;
            format!(
                r#"{{"channel":"market_trades",{client_id}"timestamp":"t","sequence_num":1,"events":[{{"type":"{kind}","trades":[{}]}}]}}"#,
                prints.join(",")
            )
        };
        let book = l2_data(&[event("snapshot", "A", &[])]);
        let frames = [
            message("update", &[print(1, "A")]),
            book,
            message("snapshot", &[print(2, "A")]),
            message("update", &[print(4, "A"), print(3, "B"), print(3, "A")]),
            message("update", &[print(1, "B")]),
            message("update", &[]),
            message("other", &[print(5, "A")]),
            message("update", &[print(5, "A")]),
        ];
        let file = capture(&frames, 1_000);
        let mut served = Vec::new();
        for (pace, due_ns) in [
            (Pace::Speed { factor: 1.0 }, [1_000, 2_000, 6_000]),
            (Pace::Rate { frames_per_s: 10.0 }, [0; 3]),
            (Pace::Max, [0; 3]),
        ] {
            let mut playback = Playback::open(file.path(), pace, false, &mut served).expect("opens");
            assert_eq!(served.len(), 1);
            let (mut frame, mut out) = (MarketFrame::default(), Vec::new());
            assert_eq!(playback.next(&mut served, &mut frame).expect("readable"), Some(0));
            assert_eq!(frame.about, About::Books, "prints before the book are passed over");
            let both = message("update", &[print(4, "A"), print(3, "A")]);
            for (text, due_ns) in [frames[2].clone(), both, frames[7].clone()].iter().zip(due_ns) {
                assert_eq!(playback.next(&mut served, &mut frame).expect("readable"), Some(due_ns), "{pace:?}");
                assert!(frame.render_prints(&mut out, 1, |_| true, 0));
                assert_eq!((frame.about, str::from_utf8(&out)), (About::Prints, Ok(text.as_str())));
            }
            assert_eq!(playback.next(&mut served, &mut frame).expect("readable"), None);
            assert_eq!(playback.faults.of(Fault::Malformed), 1);
        }
    }

    #[test]
    fn what_a_recording_lacks_is_counted() {
        let numbered =
            |number: u64| l2_data(&[event("update", "A", &[("bid", "1", "1")])]).replace(":9,", &format!(":{number},"));
        let frames = [
            numbered(4),
            r#"{"channel":"heartbeats","sequence_num":5}"#.into(),
            numbered(7),
            numbered(7),
            "no JSON".into(),
            l2_data(&[r#"{"type":"update","product_id":"A","updates":7}"#.into()]).replace(":9,", ":8,"),
            l2_data(&[r#"{"type":"update","product_id":"A","updates":null}"#.into()]),
        ];
        let file = capture(&frames, 1);
        let mut served = products(&["A"]);
        let mut playback = Playback::open(file.path(), Pace::Max, false, &mut served).expect("opens");
        let mut frame = MarketFrame::default();
        let mut count = 0;
        while playback.next(&mut served, &mut frame).expect("readable").is_some() {
            count += 1;
        }
        assert_eq!(count, 4);
        let faults: Vec<_> = playback.faults.iter().collect();
        assert_eq!(faults, [(Fault::SequenceGap, 1), (Fault::SequenceRepeat, 1), (Fault::Malformed, 2)]);
    }

    #[test]
    fn filters_products_and_paces_evenly() {
        let frames = ["A", "B", "A", "B"].map(|product| l2_data(&[event("update", product, &[("bid", "1", "1")])]));
        let file = capture(&frames, 1);
        let mut served = products(&["B"]);
        let mut playback =
            Playback::open(file.path(), Pace::Rate { frames_per_s: 2_000.0 }, false, &mut served).expect("opens");
        for due_ns in [0, 500_000] {
            let (due, text) = play(&mut playback, &mut served);
            assert!(due == due_ns && text.contains(r#""product_id":"B""#), "{due} {text}");
        }
        assert_eq!(playback.next(&mut served, &mut MarketFrame::default()).expect("readable"), None);
    }

    #[test]
    fn refines_the_scale_within_an_event() {
        let mut served = products(&["A"]);
        let levels = [("bid", "1", "1"), ("bid", "1.25", "0.5"), ("bid", "0.001", "0.0300"), ("bid", "7", "0.0")];
        let text = l2_data(&[event("update", "A", &levels)]);
        let (mut frame, mut refused) = (MarketFrame::default(), 0);
        let l2_frame = l2_frame(sonic_rs::from_str(&text).expect("JSON")).expect("of level2");
        assert_eq!(read_frame(l2_frame, 5, &mut served, true, &mut frame, &mut refused), Some(1));
        assert_eq!(served[0].depth.scale, Scale { price_decimals: 3, size_decimals: 2 });
        let read: Vec<_> = frame.levels.iter().map(|level| (level.price_ticks, level.size_lots)).collect();
        assert_eq!((read, refused), (vec![(1_000, 100), (1_250, 50), (1, 3), (7_000, 0)], 0));
    }

    #[test]
    fn refuses_impossible_levels_and_serves_them() {
        let mut served = products(&["A"]);
        let levels = [
            ("sell", "1", "1"),
            ("bid", "-1", "1"),
            ("bid", "1", "1e9"),
            ("bid", "1", &"9".repeat(30)),
            ("bid", "2", "3"),
        ];
        let json = event("update", "A", &levels);
        let text = l2_data(std::slice::from_ref(&json));
        let (mut frame, mut refused) = (MarketFrame::default(), 0);
        let l2_frame = l2_frame(sonic_rs::from_str(&text).expect("JSON")).expect("of level2");
        assert_eq!(read_frame(l2_frame, 5, &mut served, true, &mut frame, &mut refused), Some(1));
        assert_eq!((frame.levels.len(), refused), (1, 4));
        let mut out = Vec::new();
        frame.render(&mut out, 0, |_| true);
        assert!(String::from_utf8(out).expect("UTF-8").contains(&json));
    }

    #[test]
    fn capture_without_level2_is_refused() {
        let file = capture(&[r#"{"channel":"heartbeats"}"#.into()], 1);
        let error = Playback::open(file.path(), Pace::Max, true, &mut Vec::new()).err().expect("refused");
        assert!(matches!(error, ExchangeError::NoLevel2 { lines: 1, .. }), "{error}");
    }
}
