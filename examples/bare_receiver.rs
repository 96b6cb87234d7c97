//! The baseline of the latency figures: connects and subscribes as a live session does, waits as it does, and then does
//! nothing with a frame but note its sequence number and the wall clock.
//!
//! Writes a line `sequence_num wall_ns` for each frame, wall time in nanoseconds since 1970, when the server closes,
//! `--seconds` have passed or `--frames` have come. A sender that noted the wall clock before each write has the
//! latency of the bare path by joining the two on the number.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Parser, ValueEnum};
use papertrader::base::clock::Clock;
use papertrader::feed::wire::{Connector, Received, Wire, WireConfig};

#[derive(Parser)]
#[command(about = "Receives frames and does nothing else: the baseline of latency figures")]
struct Arguments {
    /// Where to connect to
    #[arg(long)]
    url: String,
    /// A file of PEM certificates to trust besides the public ones
    #[arg(long)]
    ca_cert: Option<PathBuf>,
    /// The product whose level2 channel is subscribed to
    #[arg(long, default_value = "BTC-USD")]
    product: String,
    /// How to wait for frames
    #[arg(long, value_enum, default_value = "block")]
    wait: Wait,
    /// Ends after so many seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Ends after so many frames
    #[arg(long, default_value_t = 1_000_000)]
    frames: usize,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wait {
    /// Reads over and over
    Spin,
    /// Sleeps until there is something to read
    Block,
}

/// One frame: its number in the connection, and when it was in hand.
struct Arrival {
    sequence_num: u64,
    wall_ns: u64,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare_receiver: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let connector = Connector::new(&WireConfig { extra_ca: arguments.ca_cert, ..WireConfig::new(arguments.url) })?;
    let mut wire = connector.connect(&Clock::new(), &AtomicBool::new(false))?;
    let subscribe = serde_json::json!({
        "type": "subscribe", "product_ids": [arguments.product], "channel": "level2",
    });
    wire.send_text(&subscribe.to_string())?;

    let mut arrivals = Vec::with_capacity(arguments.frames);
    let outcome = receive(&mut wire, arguments.wait, Duration::from_secs(arguments.seconds), &mut arrivals);
    wire.close(Duration::from_secs(1));

    let mut file = BufWriter::new(File::create(&arguments.out)?);
    for Arrival { sequence_num, wall_ns } in &arrivals {
        writeln!(file, "{sequence_num} {wall_ns}")?;
    }
    file.flush()?;
    eprintln!("{} frames", arrivals.len());
    outcome
}

/// Fills `arrivals` up to its capacity.
fn receive(wire: &mut Wire, wait: Wait, limit: Duration, arrivals: &mut Vec<Arrival>) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    while arrivals.len() < arrivals.capacity() {
        match wire.next_message()? {
            Some(Received::Text { text, .. }) => {
                let wall = SystemTime::now().duration_since(UNIX_EPOCH)?;
                let sequence_num = sequence_num(text).ok_or("a frame has no sequence number")?;
                arrivals.push(Arrival { sequence_num, wall_ns: u64::try_from(wall.as_nanos())? });
            }
            Some(Received::Closed { .. }) => break,
            None if start.elapsed() >= limit => break,
            None if wait == Wait::Spin => std::hint::spin_loop(),
            None => wire.wait(Duration::from_millis(50))?,
        }
    }
    Ok(())
}

/// The number behind the first such key; white space is not expected.
fn sequence_num(text: &str) -> Option<u64> {
    const KEY: &str = "\"sequence_num\":";
    let digits = &text[text.find(KEY)? + KEY.len()..];
    let end = digits.find(|character: char| !character.is_ascii_digit())?;
    digits[..end].parse().ok()
}
