//! The commands: arguments in, work done, report out.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use papertrader::base::failure::Failure;
//! use papertrader::cli::commands::generate::{self, GenerateArgs};
//! use papertrader::cli::commands::report::{self, ReportArgs};
//! use std::process::ExitCode;
//!
//! let folder = tempfile::tempdir()?;
//! let output = folder.path().join("market.txt");
//! let product = "BTC-USD".into();
//! let args = GenerateArgs {
//!     output: output.clone(),
//!     seed: 7,
//!     frames: 10,
//!     product,
//!     rate: 200.0,
//!     batch: std::time::Duration::ZERO,
//!     layout: Default::default(),
//!     no_trades: true,
//!     levels: 500,
//!     force: false,
//! };
//! generate::run(&args).expect("the folder can be written to");
//! assert_eq!(std::fs::read_to_string(output)?.lines().count(), 10);
//!
//! let args = ReportArgs { runs: vec![folder.path().join("none.csv")], compare: false, output: None, force: false };
//! let failure: Failure = report::run(&args, &mut Printer::stdout()).unwrap_err();
//! assert_eq!(failure.exit_code(), ExitCode::from(2));
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod convert;
pub mod demo;
pub mod evaluate;
pub mod exchange;
pub mod features;
pub mod generate;
pub mod inspect;
pub mod live;
pub mod profile;
pub mod record;
pub mod replay;
pub mod report;
pub mod select;
pub mod strategies;
pub mod sweep;
pub mod train;
mod training;

use crate::base::output::OutputError;
use crate::capture::recording::Recorded;
use crate::engine::EngineReport;
use crate::engine::status::Status;
use crate::feed::breaks::times;
use crate::feed::intake::IntakeCounts;
use crate::feed::intakes::ProductSeen;
use crate::report::material::Material;
use crate::report::publish::ReportError;
use crate::report::text::amount;
use crate::run::files::RunFiles;
use crate::run::session::SessionReport;
use crate::run::writer::Written;
use crate::strategy::features::expression::WINDOW_UPDATES_MAX;
use crate::strategy::features::{Input, TAPE_MESSAGES_MAX};
use std::sync::Arc;

/// Makes a run's report, if its files could be written: those of a run whose files could not say nothing true.
fn published(
    written: &Result<Vec<Written>, OutputError>,
    publish: impl FnOnce() -> Result<Option<Material>, ReportError>,
) -> Result<Option<Material>, ReportError> {
    if written.is_ok() { publish() } else { Ok(None) }
}

/// The first feature of a model that reads the tape, where a run had no prints for it.
fn without_tape<'a>(features: &'a [Input], feed: &IntakeCounts) -> Option<&'a Input> {
    features.iter().find(|feature| feature.reads_tape() && feed.prints == 0)
}

/// What is to be said of windows of time that were too full: of the tape, and of expressions.
fn overrun(messages: u64, updates: u64) -> impl Iterator<Item = String> {
    let of_tape = (messages > 0).then(|| {
        format!(
            "windows of the tape lost the oldest prints {} early: they hold {TAPE_MESSAGES_MAX} messages; give shorter ones",
            times(messages)
        )
    });
    let of_expressions = (updates > 0).then(|| {
        format!(
            "windows of expressions lost their oldest update {} early: they hold {WINDOW_UPDATES_MAX} updates; give shorter ones",
            times(updates)
        )
    });
    of_tape.into_iter().chain(of_expressions)
}

/// What is to be said of a model that saw another market than it was trained on.
fn out_of_depth(written: Option<&Written>) -> Option<String> {
    written?.observed.as_ref()?.drift.as_ref()?.warning()
}

/// What is to be said of returns by the day.
fn returns_doubts(written: Option<&Written>, files: &RunFiles) -> Vec<String> {
    let equity = files.equity.as_ref().and_then(|equity| equity.returns.as_ref());
    let returns = written.and_then(|written| written.returns.as_ref());
    let Some((path, returns)) = equity.zip(returns) else { return Vec::new() };
    let said = |doubt: String| format!("{}: {doubt}", path.display());
    let mut doubts = Vec::new();
    if returns.is_short() {
        doubts.push(said("the run is shorter than two days: a ratio of its returns means nothing".into()));
    }
    if let Some(date) = &returns.ruined {
        doubts.push(said(format!("nothing was left of the capital on {date}; the rows end there")));
    } else if returns.is_given && returns.capital < returns.needed {
        let (capital, needed) = (amount(returns.capital), amount(returns.needed));
        doubts.push(said(format!(
            "--capital is {capital}, and the run needed {needed}: the returns are those of credit"
        )));
    }
    doubts
}

/// A product whose book never was live, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dead {
    product: String,
    why: String,
}

impl Dead {
    /// As its feed saw it, and its engine, if it had one.
    fn new(product: &str, feed: &IntakeCounts, engine: Option<&EngineReport>) -> Self {
        let of_engine = engine.into_iter().flat_map(|engine| engine.counts.faults.iter());
        let mut faults: Vec<_> = feed.faults.iter().chain(of_engine).collect();
        faults.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let faults: Vec<String> =
            faults.iter().map(|(fault, count)| format!("{} {}", fault.name(), times(*count))).collect();
        let why = if faults.is_empty() { "no snapshot came".into() } else { faults.join(", ") };
        let count = feed.messages;
        let messages = if count == 1 { "1 message".into() } else { format!("{count} messages") };
        Self { product: product.into(), why: format!("{messages}, {why}") }
    }

    /// A line for each reason.
    fn lines(dead: &[Self]) -> Vec<String> {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for Self { product, why } in dead {
            match reasons.iter_mut().find(|(known, _)| known == why) {
                Some((_, products)) => products.push(product),
                None => reasons.push((why, vec![product])),
            }
        }
        let line = |(why, products): (&str, Vec<&str>)| match products[..] {
            [product] => format!("the book of {product} never was live: {why}"),
            _ => {
                let named = products.iter().take(DEAD_NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
                let others = products.len().saturating_sub(DEAD_NAMED_MAX);
                let others = if others > 0 { format!(" and {others} more") } else { String::new() };
                format!("the books of {named}{others} never were live: {why}")
            }
        };
        reasons.into_iter().map(line).collect()
    }
}

/// Products that one line names.
const DEAD_NAMED_MAX: usize = 8;

/// A session's products whose books never were live.
fn never_live_of<O>(status: &Arc<Status>, session: &SessionReport<O>, products: &[ProductSeen]) -> Vec<Dead> {
    let dead = products.iter().zip(&session.engines).enumerate().filter(|&(index, _)| !was_live(status, index));
    dead.map(|(_, (product, engine))| Dead::new(&product.name, &product.counts, Some(engine))).collect()
}

/// Whether a product's book ever was live.
fn was_live(status: &Arc<Status>, product: usize) -> bool {
    status.of(product).has_been_live()
}

/// Why a session has no result at all. Its recording is kept.
fn with_kept(why: &str, recorded: Option<&Recorded>) -> String {
    match recorded.and_then(kept) {
        Some(kept) => format!("{why}; {kept}, nothing else was written"),
        None => format!("{why}; nothing was written"),
    }
}

/// What a recording holds, if there is one.
fn kept(Recorded { path, frames, .. }: &Recorded) -> Option<String> {
    let messages = if *frames == 1 { "1 message was".into() } else { format!("{frames} messages were") };
    path.as_ref().map(|path| format!("{messages} recorded in {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_that_never_were_live_are_named_by_their_reasons() {
        let dead = |product: &str, why: &str| Dead { product: product.into(), why: why.into() };
        let one = [dead("A", "0 messages, no snapshot came")];
        assert_eq!(Dead::lines(&one), ["the book of A never was live: 0 messages, no snapshot came"]);
        let mut many: Vec<Dead> =
            (0..10).map(|number| dead(&format!("P{number}"), "2 messages, sequence gap 1 time")).collect();
        many.insert(4, dead("A", "0 messages, no snapshot came"));
        assert_eq!(
            Dead::lines(&many),
            [
                "the books of P0, P1, P2, P3, P4, P5, P6, P7 and 2 more never were live: 2 messages, sequence gap 1 time",
                "the book of A never was live: 0 messages, no snapshot came",
            ]
        );
    }
}
