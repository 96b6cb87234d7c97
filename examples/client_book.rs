//! Follows a product as a live session does and, when the venue ends the connection, writes the book that it has then:
//! what another client's book is compared with.
//!
//! A line `side price size` per level, bids highest price first, then asks lowest price first.
//!
//! With `--prints` it also writes the prints, a line `trade_id aggressor price size` each, in the order in which the engine gets
//! them; with `--capture` both come from a recording.

use clap::Parser;
use papertrader::base::clock::Speed;
use papertrader::capture::replay::Replay;
use papertrader::engine::status::Status;
use papertrader::feed::backoff::Backoff;
use papertrader::feed::intake::ScaleRule;
use papertrader::feed::live::{LiveFeed, LiveSettings};
use papertrader::feed::vitals::Patience;
use papertrader::feed::wire::{Connector, WireConfig};
use papertrader::handoff::Wait;
use papertrader::market::book::{Book, BookState};
use papertrader::market::event::{Event, Fault, FrameHead, FrameKind, Print};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::market::units::{Decimal, Side};
use papertrader::run::session::Feed;
use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Parser)]
#[command(about = "Writes the book that a live session has when the venue ends the connection")]
struct Arguments {
    /// Where to connect to
    #[arg(long, required_unless_present = "capture")]
    url: Option<String>,
    /// A recording to read instead
    #[arg(long, conflicts_with = "url")]
    capture: Option<PathBuf>,
    /// A file of PEM certificates to trust besides the public ones
    #[arg(long)]
    ca_cert: Option<PathBuf>,
    /// The product
    #[arg(long, default_value = "BTC-USD")]
    product: String,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
    /// The file to write prints to
    #[arg(long)]
    prints: Option<PathBuf>,
}

/// The book alone, kept as the engine keeps it.
struct BookOnly {
    book: Book,
    /// A line for each.
    prints: String,
    frames: u64,
    status: Arc<Status>,
    /// The book's text when the connection ended, or why it was not good then.
    ended: Option<Result<String, Fault>>,
}

impl BookOnly {
    fn take_prints(&mut self, head: &FrameHead, events: &[Event]) {
        let (prints, _) = events.as_chunks();
        for &print in prints {
            let Print { aggressor, price_ticks, size_lots, trade_id, .. } = Print::decode(print);
            let side = if aggressor == Side::Bid { "buy" } else { "sell" };
            let price = Decimal { count: price_ticks, decimals: head.scale.price_decimals };
            let size = Decimal { count: size_lots, decimals: head.scale.size_decimals };
            // Writing to a string does not fail.
            let _ = writeln!(self.prints, "{trade_id} {side} {} {}", shortest(price), shortest(size));
        }
    }

    fn text(&self) -> String {
        let (book, scale) = (&self.book, self.book.scale());
        let bids = book.bids().levels().map(|level| ("bid", level));
        let asks = book.asks().levels().map(|level| ("offer", level));
        let mut text = String::new();
        for (side, level) in bids.chain(asks) {
            let price = Decimal { count: level.price_ticks, decimals: scale.price_decimals };
            let size = Decimal { count: level.size_lots, decimals: scale.size_decimals };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{side} {} {}", shortest(price), shortest(size));
        }
        text
    }
}

/// Without zeros at the end, so that a number has one text.
fn shortest(number: Decimal) -> String {
    let text = number.to_string();
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

impl Publish for BookOnly {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.frames += u64::from(head.kind.is_book_frame());
        let settled = match head.kind {
            FrameKind::Snapshot => {
                self.book.begin_snapshot(head.scale);
                self.book.stage(levels);
                self.book.end_snapshot()
            }
            FrameKind::Update if self.book.state() == BookState::Live => {
                let refined = if head.scale == self.book.scale() { Ok(()) } else { self.book.refine(head.scale) };
                refined.and_then(|()| {
                    self.book.apply(levels);
                    self.book.end_update()
                })
            }
            FrameKind::Prints => {
                self.take_prints(head, levels);
                Ok(())
            }
            FrameKind::Update => Ok(()),
            FrameKind::Connected => {
                self.book.await_snapshot();
                Ok(())
            }
            FrameKind::Invalid(Fault::Disconnected) if self.book.state() == BookState::Live => {
                self.ended.get_or_insert(Ok(self.text()));
                self.status.stop();
                Ok(())
            }
            FrameKind::Invalid(fault) => Err(fault),
        };
        if let Err(fault) = settled {
            self.ended.get_or_insert(Err(fault));
            self.status.stop();
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client_book: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { url, capture, ca_cert, product, out, prints } = arguments;
    let status = Arc::new(Status::default());
    let mut keeper =
        BookOnly { book: Book::default(), prints: String::new(), frames: 0, status: Arc::clone(&status), ended: None };
    match (url, capture) {
        (Some(url), _) => follow(WireConfig { extra_ca: ca_cert, ..WireConfig::new(url) }, product, &mut keeper)?,
        (None, Some(capture)) => {
            let replay = Replay::open(&capture, Some(&product), ScaleRule::default(), Speed::Max)?;
            let outcome = replay.run(&mut keeper, &status);
            if let Some(error) = outcome.error {
                return Err(error.into());
            }
            let text = keeper.text();
            keeper.ended.get_or_insert(Ok(text));
        }
        (None, None) => unreachable!("one of the two is required"),
    }
    match keeper.ended {
        Some(Ok(text)) => std::fs::write(&out, text)?,
        Some(Err(fault)) => return Err(fault.name().into()),
        None => return Err("the session ended before the connection".into()),
    }
    if let Some(path) = prints {
        std::fs::write(path, keeper.prints)?;
    }
    eprintln!("{} frames", keeper.frames);
    Ok(())
}

/// Follows the product until the venue ends the connection.
fn follow(config: WireConfig, product: String, keeper: &mut BookOnly) -> Result<(), Box<dyn Error>> {
    let settings = LiveSettings {
        connector: Connector::new(&config)?.into(),
        products: vec![product],
        prints: true,
        rule: ScaleRule::default(),
        wait: Wait::Block,
        patience: Patience::default(),
        duration: None,
        max_retries: None,
        credentials: None,
        backoff: Backoff::new(1),
    };
    let (notices, _nobody) = crossbeam_channel::bounded(1);
    let status = Arc::clone(&keeper.status);
    let outcome = LiveFeed::new(settings, None, notices).run(keeper, &status);
    outcome.gave_up.map_or(Ok(()), |reason| Err(reason.into()))
}
