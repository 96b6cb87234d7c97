//! Follows a product as a live session does and, when the venue ends the connection, writes the book that it has then:
//! what another client's book is compared with.
//!
//! A line `side price size` per level, bids highest price first, then asks lowest price first.

use clap::Parser;
use papertrader::engine::status::Status;
use papertrader::feed::backoff::Backoff;
use papertrader::feed::intake::ScaleRule;
use papertrader::feed::live::{LiveFeed, LiveSettings};
use papertrader::feed::vitals::Patience;
use papertrader::feed::wire::{Connector, WireConfig};
use papertrader::handoff::Wait;
use papertrader::market::book::{Book, BookState};
use papertrader::market::event::{Event, Fault, FrameHead, FrameKind};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::market::units::Decimal;
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
    #[arg(long)]
    url: String,
    /// A file of PEM certificates to trust besides the public ones
    #[arg(long)]
    ca_cert: Option<PathBuf>,
    /// The product
    #[arg(long, default_value = "BTC-USD")]
    product: String,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

/// The book alone, kept as the engine keeps it.
struct BookOnly {
    book: Book,
    frames: u64,
    status: Arc<Status>,
    /// The book's text when the connection ended, or why it was not good then.
    ended: Option<Result<String, Fault>>,
}

impl BookOnly {
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
            FrameKind::Update | FrameKind::Prints => Ok(()),
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
    let config = WireConfig { extra_ca: arguments.ca_cert, ..WireConfig::new(arguments.url) };
    let settings = LiveSettings {
        connector: Connector::new(&config)?,
        product: arguments.product,
        rule: ScaleRule::default(),
        wait: Wait::Block,
        patience: Patience::default(),
        duration: None,
        max_retries: None,
        credentials: None,
        backoff: Backoff::new(1),
    };
    let (notices, _nobody) = crossbeam_channel::bounded(1);
    let status = Arc::new(Status::default());
    let mut keeper = BookOnly { book: Book::default(), frames: 0, status: Arc::clone(&status), ended: None };
    let outcome = LiveFeed::new(settings, None, notices).run(&mut keeper, &status);
    if let Some(reason) = outcome.gave_up {
        return Err(reason.into());
    }
    match keeper.ended {
        Some(Ok(text)) => std::fs::write(&arguments.out, text)?,
        Some(Err(fault)) => return Err(fault.name().into()),
        None => return Err("the session ended before the connection".into()),
    }
    eprintln!("{} frames", keeper.frames);
    Ok(())
}
