//! Fit figures: the time, the threads and the memory of a fit.
//!
//! `cargo bench --bench fit -- CAPTURE…` fits the seed's features on captures: rows, the median and the spread of ten
//! fits on one thread and on two, and the process's peak memory. `--times N` fits another number of times, `--memory MB`
//! bounds what rows may take before they go to disk, and `--ties-down` keeps the rows after which the mid is the same.

use papertrader::feed::intake::ScaleRule;
use papertrader::research::dataset::FeatureRows;
use papertrader::research::fit::{Design, fit};
use papertrader::research::scaler::Scaler;
use papertrader::research::source::{Nobody, RowShape, Source, Watch};
use papertrader::research::table::{RowKey, Table};
use papertrader::statistics::labels::{LabelRule, Ties};
use papertrader::strategy::features::{FeatureSet, SEED};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The process's peak resident memory in MB, where the system tells it.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

fn main() {
    let (mut captures, mut memory_mb, mut times, mut ties) = (Vec::new(), 1024, 10, Ties::Drop);
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--memory" => memory_mb = arguments.next().and_then(|mb| mb.parse().ok()).expect("--memory MB"),
            "--times" => times = arguments.next().and_then(|times| times.parse().ok()).expect("--times N"),
            "--ties-down" => ties = Ties::Down,
            _ => captures.push(PathBuf::from(argument)),
        }
    }
    if captures.is_empty() {
        println!("name captures: cargo bench --bench fit -- CAPTURE…");
        return;
    }
    let source = Source::open(&captures, None, ScaleRule::default()).expect("captures of one product");
    let mut table = Table::new(SEED.len(), memory_mb << 20);
    let mut ordinal = 0;
    let watch = Watch { bar: &Nobody, stop: &|| false };
    let shape = RowShape { label: LabelRule::mid_after(20), every: 1 };
    let started = Instant::now();
    source
        .read_rows(shape, &mut FeatureRows::new(FeatureSet::new(&SEED)), &watch, &mut |row| {
            if let Some(change) = row.change.filter(|change| ties.weight(change.sign).total() > 0.0) {
                let (sequence, capture) = (row.head.sequence, row.head.capture);
                table.push(RowKey { ordinal, sequence, until: row.until, capture, sign: change.sign }, row.values)?;
                ordinal += 1;
            }
            Ok(())
        })
        .expect("the captures can be read");
    table.finish().expect("a temporary file");
    let rows = table.keys().len();
    println!("rows {rows}, {} MB on disk, read in {:.2?}", table.disk_bytes() >> 20, started.elapsed());
    let columns: Vec<usize> = (0..SEED.len()).collect();
    let all = 0..rows;
    for threads in [1, 2] {
        let scaler =
            || Scaler::fit(&table, &columns, std::slice::from_ref(&all), ties, threads).expect("rows can be read");
        let mut scaling: Vec<Duration> = Vec::new();
        let mut fitting: Vec<Duration> = Vec::new();
        let mut shown = String::new();
        for _ in 0..times {
            let started = Instant::now();
            let scaler = scaler();
            scaling.push(started.elapsed());
            let started = Instant::now();
            let rows = std::slice::from_ref(&all);
            let design = Design { table: &table, columns: &columns, rows, ties, scaler: &scaler, threads };
            let fit = fit(&design, 1.0, None, &|| false).expect("an optimum");
            fitting.push(started.elapsed());
            shown = format!(
                "objective {:.10}, gradient {:.1e}, {} iterations, {} passes",
                fit.objective, fit.gradient_max, fit.iterations, fit.passes
            );
        }
        for (what, times) in [("scaler", &mut scaling), ("fit", &mut fitting)] {
            times.sort_unstable();
            println!(
                "{threads} thread(s), {what}: median {:.3?}, fastest {:.3?}, slowest {:.3?}",
                times[times.len() / 2],
                times[0],
                times[times.len() - 1]
            );
        }
        println!("{threads} thread(s): {shown}");
    }
    match peak_mb() {
        Some(peak) => println!("peak memory {peak:.0} MB"),
        None => println!("peak memory unknown on this system"),
    }
}
