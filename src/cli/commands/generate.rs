//! `papertrader generate`: a capture of the synthetic market.
//!
//! ```
//! use papertrader::capture::CaptureReader;
//! use papertrader::cli::commands::generate::{GenerateArgs, run};
//!
//! let folder = tempfile::tempdir()?;
//! let output = folder.path().join("market.zst");
//! let product = "BTC-USD".into();
//! let args = GenerateArgs {
//!     output: output.clone(),
//!     seed: 7,
//!     frames: 100,
//!     product,
//!     rate: 200.0,
//!     batch: std::time::Duration::ZERO,
//!     layout: Default::default(),
//!     no_trades: true,
//!     levels: 500,
//!     force: false,
//! };
//! run(&args).expect("the folder can be written to");
//!
//! let mut reader = CaptureReader::open(&output)?;
//! while reader.next_line()?.is_some() {}
//! assert_eq!(reader.lines(), 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::exchange::{parse_batch, parse_rate};
use crate::base::failure::Failure;
use crate::base::places::check_apart;
use crate::capture::CaptureWriter;
use crate::cli::arguments::parse_product;
use crate::cli::interrupt::Interrupt;
use crate::exchange::market::{Batches, MarketConfig, Part, SyntheticMarket, Tape};
use crate::exchange::message::{L2Kind, Layout, Levels, Prints};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `papertrader generate`.
#[derive(Clone, Debug, Args)]
pub struct GenerateArgs {
    /// File to write; .gz and .zst compress
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Seed of the market: the same seed gives the same bytes
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Frames of the book to write, the snapshot included
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub frames: u64,
    /// Product in the messages
    #[arg(long, value_name = "NAME", default_value = "BTC-USD", value_parser = parse_product)]
    pub product: String,
    /// Frames a second on the market's own clock, in the mean
    #[arg(long, value_name = "FRAMES/S", default_value_t = 200.0, value_parser = parse_rate)]
    pub rate: f64,
    /// Write the market's changes of so long as one frame, as the venue sends them every 50ms; 0 writes each of the
    /// market's frames by itself
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_batch)]
    pub batch: Duration,
    /// Layout of the messages: 2026, today's, or 2024, the older one with client_id, times of nine digits, and 1970
    /// in snapshots
    #[arg(long, value_name = "YEAR", default_value_t)]
    pub layout: Layout,
    /// Leave out the prints of the market's trades, which otherwise come as messages of market_trades between the frames
    #[arg(long)]
    pub no_trades: bool,
    /// Levels in the snapshot
    #[arg(long, value_name = "LEVELS", default_value_t = 20_000)]
    pub levels: usize,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
}

/// Writes the capture.
///
/// # Errors
/// The file cannot be written.
pub fn run(args: &GenerateArgs) -> Result<(), Failure> {
    check_apart::<_, &Path>([&args.output], []).map_err(Failure::input)?;
    let interrupt = Interrupt::watch()?;
    let config = MarketConfig {
        seed: args.seed,
        product: args.product.clone(),
        frames_per_s: args.rate,
        snapshot_levels: args.levels,
        ..MarketConfig::default()
    };
    let market = SyntheticMarket::new(&config);
    let mut capture = CaptureWriter::whole(&args.output, args.force).map_err(Failure::input)?;
    let (mut updates, mut message) = (Vec::new(), Vec::new());
    market.snapshot(&mut updates);
    // Newest first, as all prints.
    let mut trades: Vec<_> = market.trades_before().iter().copied().rev().collect();
    let mut time_ns = market.now_ns();
    let mut market = Tape::new(Batches::new(market, args.batch));
    let (mut kind, mut frames, mut sequence_num) = (L2Kind::Snapshot, 0, 0);
    let mut next = Part::Levels;
    while !interrupt.is_set() {
        let (product, scale) = (&config.product, config.scale);
        match next {
            Part::Levels => {
                let levels = Levels { kind, product, scale, updates: &updates };
                args.layout.l2_data(&mut message, sequence_num, time_ns, &levels);
                frames += 1;
            }
            Part::Prints => {
                args.layout.market_trades(
                    &mut message,
                    sequence_num,
                    time_ns,
                    &Prints { kind, product, scale, trades: &trades },
                );
            }
        }
        capture.frame(time_ns, &message).map_err(Failure::running)?;
        sequence_num += 1;
        if frames == args.frames {
            break;
        }
        // The last trades come behind the book's snapshot.
        let is_begun = kind == L2Kind::Update || next == Part::Prints || args.no_trades;
        next = Part::Prints;
        if is_begun {
            kind = L2Kind::Update;
            (next, time_ns) = market.next_part(&mut updates, &mut trades);
            while args.no_trades && next == Part::Prints {
                (next, time_ns) = market.next_part(&mut updates, &mut trades);
            }
        }
    }
    capture.finish().map_err(Failure::running)
}
