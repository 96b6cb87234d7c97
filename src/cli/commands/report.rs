//! `papertrader report`: the page of a run, of several side by side, or of a sweep.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use papertrader::cli::commands::report::{ReportArgs, run};
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("run.csv");
//! let rows = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit\n0,20,100,101,1,1\n";
//! std::fs::write(&csv, rows)?;
//! run(&ReportArgs { runs: vec![csv.clone()], compare: false, output: None, force: false }, &mut Printer::stdout()).expect("the log is whole");
//! assert!(csv.with_extension("html").exists());
//! # Ok::<(), std::io::Error>(())
//! ```

use crate::base::failure::Failure;
use crate::base::output::{check_free, write_file};
use crate::base::places::{check_apart, is_same};
use crate::cli::display::warn;
use crate::cli::printer::Printer;
use crate::report::figures::compare::RUNS_MAX;
use crate::report::html::{comparison, page};
use crate::report::material::Material;
use crate::report::summary::Summary;
use crate::report::sweep::publish::{SweepFiles, publish};
use crate::report::sweep::terminal;
use crate::sweep::result::SweepResult;
use clap::Args;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arguments of `papertrader report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Trade log of a run; RUN.json, RUN.hlog and the logs of executions (RUN.orders.csv, .fills.csv, .markouts.csv, .legs.csv)
    /// beside it are used where they are there; or the file of a sweep, NAME.sweep.json
    #[arg(required = true, value_name = "RUN.csv")]
    pub runs: Vec<PathBuf>,
    /// Put several runs side by side on one page
    #[arg(long)]
    pub compare: bool,
    /// Page to write [default: RUN.html beside the trade log, RUN.compare.html beside the
    /// first, or NAME.sweep.html]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a page that exists
    #[arg(long)]
    pub force: bool,
}

/// Reads, writes the page, and shows the numbers.
///
/// # Errors
/// Bad arguments, a trade log that cannot be read, or a page that cannot be written.
pub fn run(args: &ReportArgs, printer: &mut Printer) -> Result<(), Failure> {
    if let [sweep] = &args.runs[..]
        && let Some(files) = SweepFiles::of(sweep)
        && !args.compare
    {
        return report_sweep(args, sweep, files, printer);
    }
    match args.runs.len() {
        1 if args.compare => return Err(Failure::input("--compare needs at least two runs")),
        count if count > 1 && !args.compare => {
            return Err(Failure::input(format!("{count} runs were given; put them side by side with --compare")));
        }
        count if count > RUNS_MAX => {
            return Err(Failure::input(format!("{count} runs are too many to tell apart; give at most {RUNS_MAX}")));
        }
        _ => {}
    }
    if let Some(run) = args.runs.iter().find(|run| run.extension().is_none_or(|extension| extension != "csv")) {
        return Err(Failure::input(format!("{}: the name of a trade log ends in .csv", run.display())));
    }
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| args.runs[0].with_extension(if args.compare { "compare.html" } else { "html" }));
    if let Some(taken) = args.runs.iter().find(|run| is_of_run(&output, run)) {
        let (output, run) = (output.display(), taken.display());
        return Err(Failure::input(format!("{output} belongs to the run {run}; give -o another name")));
    }
    check_apart([&output], &args.runs).map_err(Failure::input)?;
    check_free(&output, args.force).map_err(Failure::input)?;
    let read = |path: &PathBuf| Material::read(path).map_err(Failure::input);
    let runs: Vec<Material> = args.runs.iter().map(read).collect::<Result<_, _>>()?;
    let text = match &runs[..] {
        [run] => page(run),
        runs => comparison(runs),
    };
    write_file(&output, args.force, &text).map_err(Failure::running)?;
    runs.iter().flat_map(|run| &run.remarks).for_each(warn);
    let mut shown = String::new();
    for run in &runs {
        writeln!(shown, "{}\n{}", run.csv.display(), Summary(run)).expect("a String takes every character");
    }
    printer.print(format_args!("{shown}wrote\n  {}\n", output.display()));
    Ok(())
}

/// The page of a sweep, and the numbers it was made from.
fn report_sweep(args: &ReportArgs, sweep: &Path, files: SweepFiles, printer: &mut Printer) -> Result<(), Failure> {
    let files = SweepFiles { html: args.output.clone().unwrap_or(files.html), ..files };
    check_apart([&files.html, &files.json], [sweep]).map_err(Failure::input)?;
    for file in [&files.html, &files.json] {
        check_free(file, args.force).map_err(Failure::input)?;
    }
    let result = SweepResult::read(sweep).map_err(Failure::input)?;
    let report = publish(&result, &files, args.force).map_err(Failure::running)?;
    report.warnings.iter().for_each(warn);
    let (json, html) = (files.json.display(), files.html.display());
    printer.print(format_args!("{}\n{}wrote\n  {json}\n  {html}\n", sweep.display(), terminal(&report)));
    Ok(())
}

/// Whether a page of this name would replace what a report is made from.
fn is_of_run(output: &Path, csv: &Path) -> bool {
    ["csv", "json", "hlog", "hgrm", "orders.csv", "fills.csv", "markouts.csv", "legs.csv"]
        .iter()
        .any(|ending| is_same(output, &csv.with_extension(ending)))
}
