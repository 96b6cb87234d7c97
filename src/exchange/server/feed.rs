//! The market as the exchange sees it: products with their books, and frames that fall due.

use super::config::{ExchangeConfig, ExchangeError, Pace, SourceConfig};
use super::frame::{About, MarketFrame};
use super::playback::Playback;
use super::product::Product;
use crate::base::clock;
use crate::capture::CaptureError;
use crate::exchange::market::{Batches, MarketConfig, Part, SyntheticMarket, Tape, Trade};
use crate::exchange::message::{L2Kind, Layout, Levels};
use crate::market::event::FaultCounts;
use crate::market::units::Scale;
use std::time::{Duration, Instant};

/// What a synthetic source serves if no product is named.
const DEFAULT_PRODUCT: &str = "BTC-USD";
/// The mean rate that a synthetic market believes in when it runs as fast as it can.
const MAX_PACE_FRAMES_PER_S: f64 = 200.0;

/// The products and where their frames come from.
pub(super) struct Feed {
    pub products: Vec<Product>,
    source: Source,
    /// The frame that comes next; its levels are not in the book yet.
    pending: MarketFrame,
    /// When the pending frame falls due, from the start. `None` is the end of the source.
    pending_due: Option<Duration>,
    /// When the source started, moved on by pauses. `None` before the start.
    started: Option<Instant>,
    paused_at: Option<Instant>,
    /// The latest that a frame came after it fell due.
    pub behind_max: Duration,
    /// Frames taken.
    pub frames: u64,
    /// Time of the last frame of a recording, which is the exchange's time then.
    recorded_ns: Option<i64>,
    /// Why a recording ended before its end.
    pub error: Option<CaptureError>,
}

enum Source {
    /// One for each product, in the same order.
    Synthetic {
        markets: Vec<Synthetic>,
        at_once: bool,
    },
    Playback(Box<Playback>),
}

struct Synthetic {
    market: Tape,
    layout: Layout,
    start_ns: i64,
    /// The market's next frame, not yet in the book.
    next: MarketFrame,
    /// Kept for its memory only.
    trades: Vec<Trade>,
}

/// Coins whose market against USDC is another than that against USD.
const STABLECOINS: [&str; 3] = ["USDT", "DAI", "EURC"];

/// The venue serves a `-USDC` product as its `-USD` twin, unless the two are different markets.
fn canonical(product: &str) -> String {
    match product.strip_suffix("-USDC") {
        Some(base) if !STABLECOINS.contains(&base) => format!("{base}-USD"),
        _ => product.into(),
    }
}

impl Feed {
    pub fn open(config: &ExchangeConfig) -> Result<Self, ExchangeError> {
        let mut products = Vec::new();
        for name in &config.products {
            let name = canonical(name);
            if products.iter().all(|product: &Product| product.name != name) {
                products.push(Product::new(name));
            }
        }
        let source = match &config.source {
            SourceConfig::Synthetic { seed, pace, snapshot_levels } => {
                if products.is_empty() {
                    products.push(Product::new(DEFAULT_PRODUCT));
                }
                let (frames_per_s, at_once) = match *pace {
                    Pace::Rate { frames_per_s } if rate_is_valid(frames_per_s) => (frames_per_s, false),
                    Pace::Max => (MAX_PACE_FRAMES_PER_S, true),
                    pace => return Err(ExchangeError::Pace { source_name: "synthetic", pace }),
                };
                let start_ns = clock::wall_ns();
                let markets = products
                    .iter_mut()
                    .zip(0..)
                    .map(|(product, index)| {
                        let market = MarketConfig {
                            seed: product_seed(*seed, &product.name),
                            product: product.name.clone(),
                            start_ns,
                            frames_per_s,
                            snapshot_levels: *snapshot_levels,
                            ..MarketConfig::default()
                        };
                        Synthetic::new(&market, config, index, product)
                    })
                    .collect();
                Source::Synthetic { markets, at_once }
            }
            SourceConfig::Capture { path, pace, looping } => {
                let valid = match *pace {
                    Pace::Max => true,
                    Pace::Rate { frames_per_s } => rate_is_valid(frames_per_s),
                    Pace::Speed { factor } => factor.is_finite() && factor > 0.0,
                };
                if !valid {
                    return Err(ExchangeError::Pace { source_name: "capture", pace: *pace });
                }
                Source::Playback(Box::new(Playback::open(path, *pace, *looping, &mut products)?))
            }
        };
        let mut feed = Self {
            products,
            source,
            pending: MarketFrame::default(),
            pending_due: None,
            started: None,
            paused_at: None,
            behind_max: Duration::ZERO,
            frames: 0,
            recorded_ns: None,
            error: None,
        };
        feed.prepare();
        match feed.error.take() {
            Some(error) => Err(error.into()),
            None => Ok(feed),
        }
    }

    /// The product that a client's name for it means.
    pub fn find(&self, name: &str) -> Option<usize> {
        let position = |name: &str| self.products.iter().position(|product| product.name == name);
        position(name).or_else(|| position(&canonical(name)))
    }

    /// The exchange's wall clock: the recording's while one is played.
    pub fn now_ns(&self) -> i64 {
        self.recorded_ns.unwrap_or_else(clock::wall_ns)
    }

    pub fn start(&mut self, now: Instant) {
        self.started.get_or_insert(now);
    }

    pub fn is_started(&self) -> bool {
        self.started.is_some()
    }

    /// No frame will come any more.
    pub fn has_ended(&self) -> bool {
        self.pending_due.is_none()
    }

    /// What a recording lacks.
    pub fn recording_faults(&self) -> FaultCounts {
        match &self.source {
            Source::Synthetic { .. } => FaultCounts::default(),
            Source::Playback(playback) => playback.faults.clone(),
        }
    }

    /// Levels of a recording that could not go into the book.
    pub fn levels_refused(&self) -> u64 {
        match &self.source {
            Source::Synthetic { .. } => 0,
            Source::Playback(playback) => playback.levels_refused,
        }
    }

    /// Stops the market's clock.
    pub fn pause(&mut self, now: Instant) {
        self.paused_at.get_or_insert(now);
    }

    /// Lets the market's clock go on from where it stopped.
    pub fn resume(&mut self, now: Instant) {
        if let (Some(paused_at), Some(started)) = (self.paused_at.take(), self.started) {
            self.started = Some(started + now.saturating_duration_since(paused_at.max(started)));
        }
    }

    /// When the next frame falls due, if one will without being asked for.
    pub fn next_due(&self) -> Option<Instant> {
        match self.paused_at {
            Some(_) => None,
            None => Some(self.started? + self.pending_due?),
        }
    }

    /// Whether frames come as fast as clients read.
    pub fn is_unpaced(&self) -> bool {
        match &self.source {
            Source::Synthetic { at_once, .. } => *at_once,
            Source::Playback(playback) => playback.is_unpaced(),
        }
    }

    /// The next frame, if it is due: it is in the books once this returns.
    pub fn take(&mut self, now: Instant, taken: &mut MarketFrame) -> bool {
        let Some(due) = self.next_due().filter(|&due| due <= now) else { return false };
        if !self.is_unpaced() {
            self.behind_max = self.behind_max.max(now - due);
        }
        std::mem::swap(&mut self.pending, taken);
        if let Source::Playback(_) = self.source {
            self.recorded_ns = Some(taken.time_ns);
        }
        if taken.about == About::Prints {
            // Of a recording: what it told before does not count any more.
            let mut in_snapshot = false;
            for (product, kind, json) in taken.prints() {
                let product = &mut self.products[product];
                if kind == L2Kind::Snapshot && !std::mem::replace(&mut in_snapshot, true) {
                    product.prints.clear();
                }
                product.push_print(json);
            }
            self.prepare();
            return true;
        }
        for event in &taken.events {
            let depth = &mut self.products[event.product].depth;
            if event.kind == L2Kind::Snapshot {
                depth.clear();
                depth.has_snapshot = true;
            }
            for &level in &taken.levels[event.levels.clone()] {
                depth.apply(level);
            }
            depth.frames += 1;
        }
        self.frames += 1;
        self.prepare();
        true
    }

    /// Gets the next frame ready.
    fn prepare(&mut self) {
        match &mut self.source {
            Source::Synthetic { markets, at_once } => {
                let next = markets.iter_mut().zip(0..).min_by_key(|(synthetic, _)| synthetic.next.time_ns);
                let Some((synthetic, product)) = next else { return };
                let due_ns = u64::try_from(synthetic.next.time_ns - synthetic.start_ns).unwrap_or(0);
                self.pending_due = Some(if *at_once { Duration::ZERO } else { Duration::from_nanos(due_ns) });
                std::mem::swap(&mut self.pending, &mut synthetic.next);
                synthetic.advance(product, &self.products[product]);
            }
            Source::Playback(playback) => match playback.next(&mut self.products, &mut self.pending) {
                Ok(due_ns) => self.pending_due = due_ns.map(Duration::from_nanos),
                Err(error) => {
                    self.pending_due = None;
                    self.error = Some(error);
                }
            },
        }
    }
}

impl Synthetic {
    fn new(config: &MarketConfig, exchange: &ExchangeConfig, index: usize, product: &mut Product) -> Self {
        let market = SyntheticMarket::new(config);
        let mut levels = Vec::new();
        market.snapshot(&mut levels);
        product.depth.scale = config.scale;
        product.depth.has_snapshot = true;
        levels.into_iter().for_each(|level| product.depth.apply(level));
        let mut json = Vec::new();
        for trade in market.trades_before() {
            json.clear();
            exchange.layout.print(&mut json, &config.product, config.scale, trade);
            product.push_print(&json);
        }
        let (market, next) = (Tape::new(Batches::new(market, exchange.batch)), MarketFrame::default());
        let mut synthetic =
            Self { market, layout: exchange.layout, start_ns: config.start_ns, next, trades: Vec::new() };
        synthetic.make_next(index, &config.product, config.scale);
        synthetic
    }

    fn advance(&mut self, index: usize, product: &Product) {
        self.make_next(index, &product.name, product.depth.scale);
    }

    fn make_next(&mut self, index: usize, name: &str, scale: Scale) {
        let (part, time_ns) = self.market.next_part(&mut self.next.levels, &mut self.trades);
        if part == Part::Prints {
            self.next.begin_prints(time_ns, self.layout);
            for trade in &self.trades {
                self.next.push_print(index, self.layout, name, scale, trade);
            }
            return;
        }
        let mut text = Vec::new();
        let levels = Levels { kind: L2Kind::Update, product: name, scale, updates: &self.next.levels };
        self.layout.l2_data(&mut text, 0, time_ns, &levels);
        self.next.set_rendered(time_ns, index, &text);
    }
}

fn rate_is_valid(frames_per_s: f64) -> bool {
    frames_per_s > 0.0 && frames_per_s <= 1e6
}

/// A product's own seed: FNV-1a over its name, begun with the exchange's seed.
fn product_seed(seed: u64, product: &str) -> u64 {
    product
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::market::TRADES_BEFORE;

    fn synthetic(products: &[&str], pace: Pace) -> ExchangeConfig {
        ExchangeConfig {
            products: products.iter().map(|&product| product.into()).collect(),
            source: SourceConfig::Synthetic { seed: 7, pace, snapshot_levels: 100 },
            ..ExchangeConfig::default()
        }
    }

    #[test]
    fn books_of_all_products_follow_their_markets() {
        let pace = Pace::Rate { frames_per_s: 100.0 };
        let mut feed = Feed::open(&synthetic(&["BTC-USD", "ETH-USD"], pace)).expect("opens");
        let mut markets: Vec<SyntheticMarket> = ["BTC-USD", "ETH-USD"]
            .map(|name| {
                SyntheticMarket::new(&MarketConfig {
                    seed: product_seed(7, name),
                    product: name.into(),
                    frames_per_s: 100.0,
                    snapshot_levels: 100,
                    ..MarketConfig::default()
                })
            })
            .into();
        let start = Instant::now();
        feed.start(start);
        let (mut frame, mut levels, mut served) = (MarketFrame::default(), Vec::new(), Vec::new());
        let (mut counts, mut prints) = ([0; 2], [0; 2]);
        while let Some(due) = feed.next_due() {
            assert!(!feed.take(due - Duration::from_nanos(1), &mut frame), "not before its time");
            assert!(feed.take(due, &mut frame));
            let product = frame.events[0].product;
            if frame.about == About::Prints {
                prints[product] += frame.events.len();
                continue;
            }
            counts[product] += 1;
            markets[product].next_frame(&mut levels);
            assert_eq!(frame.levels, levels);
            if due > start + Duration::from_secs(3) {
                break;
            }
        }
        for (product, market) in feed.products.iter().zip(&markets) {
            market.snapshot(&mut levels);
            product.depth.levels(&mut served);
            assert_eq!(served, levels, "{}", product.name);
        }
        assert_eq!(feed.products[0].depth.frames, counts[0]);
        assert!(counts.iter().all(|count| (200..400).contains(count)), "{counts:?}");
        assert!(prints.iter().all(|&count| count > 0) && feed.frames == counts[0] + counts[1], "{prints:?}");
        assert!(feed.products.iter().all(|product| product.prints.len() == TRADES_BEFORE));
        assert_eq!(feed.behind_max, Duration::ZERO);
    }

    #[test]
    fn pauses_move_what_follows() {
        let mut feed = Feed::open(&synthetic(&[], Pace::Rate { frames_per_s: 100.0 })).expect("opens");
        assert_eq!(feed.next_due(), None, "not started");
        let start = Instant::now();
        feed.start(start);
        let due = feed.next_due().expect("a frame");
        feed.pause(start);
        assert_eq!(feed.next_due(), None);
        feed.resume(start + Duration::from_secs(9));
        assert_eq!(feed.next_due(), Some(due + Duration::from_secs(9)));
    }

    #[test]
    fn usdc_products_are_their_twins() {
        let products = ["BTC-USDC", "BTC-USD", "USDT-EUR", "USDT-USDC", "USDT-USD"];
        let feed = Feed::open(&synthetic(&products, Pace::Max)).expect("opens");
        assert_eq!(feed.products.len(), 4);
        assert_eq!(
            ["BTC-USD", "BTC-USDC", "USDT-EUR", "USDT-USDC", "USDT-USD", "ETH-USD"].map(|name| feed.find(name)),
            [Some(0), Some(0), Some(1), Some(2), Some(3), None]
        );
    }

    #[test]
    fn impossible_paces_are_refused() {
        for pace in [
            Pace::Rate { frames_per_s: 0.0 },
            Pace::Rate { frames_per_s: f64::NAN },
            Pace::Rate { frames_per_s: 2e6 },
            Pace::Speed { factor: 1.0 },
        ] {
            let error = Feed::open(&synthetic(&[], pace)).err().expect("refused");
            assert!(matches!(error, ExchangeError::Pace { source_name: "synthetic", .. }), "{error}");
        }
    }
}
