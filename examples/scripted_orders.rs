//! Puts a fixed schedule of resting orders on a capture with prints and writes what fills them: what other simulators of queues
//! are compared with.
//!
//! A line `sequence_num,order_id,lots,price_ticks,maker` per fill, by message, then order.

use clap::{Parser, ValueEnum};
use papertrader::execution::matching::queue::QueueModel;
use papertrader::market::units::parse_step;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[path = "../tests/common/scripted.rs"]
mod scripted;

#[derive(Parser)]
#[command(about = "Writes the fills of a fixed schedule of resting orders on a capture")]
struct Arguments {
    /// The capture; it must hold prints
    capture: PathBuf,
    /// How much of what is cancelled was ahead of an order
    #[arg(long, value_enum)]
    queue: Queue,
    /// How long orders and cancellations take
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(..=60_000))]
    latency_ms: u32,
    /// The size of a lot, a power of ten such as 0.00001 [default: what the book needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    lot_size: Option<u8>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Queue {
    /// Nothing, as long as the level holds that much
    Risk,
    /// A share by the cube of the order's place
    Power3,
}

#[expect(clippy::disallowed_methods, reason = "an example has no printer")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = scripted::Settings {
        queue: match arguments.queue {
            Queue::Risk => QueueModel::RiskAverse,
            Queue::Power3 => QueueModel::Power3,
        },
        latency_ns: i64::from(arguments.latency_ms) * 1_000_000,
        lot_decimals: arguments.lot_size,
    };
    let written = scripted::fills(&arguments.capture, settings).and_then(|rows| {
        let mut output = BufWriter::new(std::io::stdout().lock());
        writeln!(output, "sequence_num,order_id,lots,price_ticks,maker")?;
        for row in rows {
            writeln!(output, "{},{},{},{},1", row.message, row.order, row.lots, row.price_ticks)?;
        }
        Ok(output.flush()?)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scripted_orders: {error}");
            ExitCode::FAILURE
        }
    }
}
