//! The report on standard output.
//!
//! ```
//! use papertrader::engine::latency::StageTable;
//! use papertrader::report::terminal::{Grouped, StageLines};
//!
//! assert_eq!(Grouped(1_234_567).to_string(), "1,234,567");
//! let text = StageLines(&StageTable::default()).to_string();
//! assert!(text.lines().last().is_some_and(|line| line.starts_with("  arrived → decided  ") && line.ends_with(" —")));
//! ```

use crate::base::one_line::{OneLine, QUOTE_CHARS_MAX, quote};
use crate::engine::EngineReport;
use crate::engine::latency::{STAGES_EVERY, Stage, StageTable, StageTimes};
use crate::execution::account::AccountCounts;
use crate::execution::desk::AccountReport;
use crate::execution::fees::{Tier, Turnover};
use crate::execution::fill::settled;
use crate::feed::intake::{FaultNote, IntakeCounts};
use crate::market::event::FaultCounts;
use crate::market::units::Decimal;
use crate::report::material::Material;
use crate::report::run_file::{ModelCost, TapeCounters};
use crate::report::summary::Summary;
pub use crate::report::text::Grouped;
use crate::report::text::{NO_ARRIVALS, Names, amount, basis_points, counted, plain, signed, things};
use crate::run::equity::Returns;
use crate::run::files::RunFiles;
use crate::run::session::{SessionReport, StrategyReport, ThreadSettings};
use crate::run::settings::TradingSettings;
use std::fmt::{self, Display, Formatter, Write};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Fault notes that are printed.
const NOTES_SHOWN: usize = 10;

/// What ran.
#[derive(Debug)]
pub struct Run<'a> {
    /// The command and its source.
    pub title: String,
    /// What is said before all else where the model was trained on what it trades, or its file does not tell.
    pub in_sample: Option<String>,
    /// The product as asked for.
    pub product: &'a str,
    /// The name under which the venue streamed it, when that is another.
    pub alias: Option<&'a str>,
    /// Other products whose levels were passed over.
    pub other_products: &'a [String],
    /// Model, rules, fees.
    pub settings: &'a TradingSettings,
    /// Where and how the hot threads ran.
    pub threads: &'a ThreadSettings,
    /// Which of the session's strategies it is.
    pub strategy: usize,
    /// What was written.
    pub files: &'a RunFiles,
    /// Lines about the source, such as connections, each with its name.
    pub source: Vec<(&'static str, String)>,
    /// Wall time of the run.
    pub elapsed: Duration,
    /// Whether it was stopped before the end of its source.
    pub stopped: bool,
    /// Whether frames came at a pace of their own: from a venue, as recorded, or by a schedule. At full speed they only wait
    /// for each other.
    pub paced: bool,
}

/// The whole report; its text is what is printed.
#[derive(Debug)]
pub struct RunReport<'a> {
    run: &'a Run<'a>,
    engine: &'a EngineReport,
    strategy: StrategyReport<'a>,
    feed: &'a IntakeCounts,
    notes: &'a [FaultNote],
    ring_full_waits: u64,
    engine_threads: usize,
    stamp_floor_ns: u64,
    material: Option<&'a Material>,
    doubts: Vec<String>,
}

impl<'a> RunReport<'a> {
    /// Puts a report together.
    pub fn new<O>(
        run: &'a Run<'a>,
        session: &'a SessionReport<O>,
        feed: &'a IntakeCounts,
        notes: &'a [FaultNote],
    ) -> Self {
        Self {
            run,
            engine: session.strategy(run.strategy).engine,
            strategy: session.strategy(run.strategy),
            feed,
            notes,
            ring_full_waits: session.ring_full_waits,
            engine_threads: session.spread.engines(),
            stamp_floor_ns: session.stamp_floor_ns,
            material: None,
            doubts: Vec::new(),
        }
    }

    /// With a summary of the run's page, if it has one.
    #[must_use]
    pub fn with(self, material: Option<&'a Material>) -> Self {
        Self { material, ..self }
    }

    /// With what gives pause about the trades of a run that has no page.
    #[must_use]
    pub fn doubting(self, doubts: Vec<String>) -> Self {
        Self { doubts, ..self }
    }

    /// What all strategies of a session share, with its title and their number: of each product what one of its runs has.
    pub fn session(f: &mut Formatter<'_>, title: &str, strategies: usize, products: &[Self]) -> fmt::Result {
        writeln!(f, "papertrader {}: {title}", env!("CARGO_PKG_VERSION"))?;
        let Some(first) = products.first() else { return Ok(()) };
        products.iter().try_for_each(|product| product.product(f))?;
        line(f, "strategies", strategies)?;
        first.threads(f, products.iter().map(|product| product.engine.counts.frames).sum())?;
        for product in products {
            if products.len() > 1 {
                writeln!(f, "\n{}", product.run.product)?;
            }
            product.counters(f)?;
            product.latencies(f)?;
        }
        Ok(())
    }

    fn what_ran(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let run = self.run;
        let strategy = &run.settings.strategy;
        if let Some(in_sample) = &run.in_sample {
            writeln!(f, "{in_sample}")?;
        }
        writeln!(f, "papertrader {}: {}", env!("CARGO_PKG_VERSION"), run.title)?;
        self.product(f)?;
        let features = counted(strategy.model.features.len() as u64, "feature");
        line(f, "model", format_args!("{}, {features}", strategy.model.path.display()))?;
        if let Some(cost) = strategy.model.cost {
            line(f, "evaluation", ModelCost::from(cost))?;
        }
        let rules = strategy.rules;
        let lag = rules.lag_updates;
        line(
            f,
            "rules",
            format_args!(
                "buy {} at probability >= {}, sell {lag} {} later",
                plain(rules.buy_amount),
                plain(run.settings.threshold),
                things(lag.into(), "update")
            ),
        )?;
        if let Some(plan) = &run.settings.fees {
            let Tier { maker_bps, taker_bps, .. } = plan.first_tier();
            let schedule = quote(&plan.schedule.to_string(), QUOTE_CHARS_MAX);
            let traded = amount(plan.trailing_value);
            line(
                f,
                "fees",
                format_args!("{schedule}; maker {maker_bps} bp, taker {taker_bps} bp at {traded} traded before"),
            )?;
        }
        self.threads(f, self.engine.counts.frames)
    }

    fn product(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let run = self.run;
        let scale = self.engine.scale;
        let step = |decimals| Decimal { count: 1, decimals };
        let alias = run.alias.map(|alias| format!(" (streamed as {alias})")).unwrap_or_default();
        let (tick, lot) = (step(scale.price_decimals), step(scale.size_decimals));
        line(f, "product", format_args!("{}{alias}, tick {tick}, lot {lot}", run.product))?;
        if !run.other_products.is_empty() {
            line(f, "passed over", run.other_products.join(", "))?;
        }
        Ok(())
    }

    /// How it ran, for so many frames.
    fn threads(&self, f: &mut Formatter<'_>, frames: u64) -> fmt::Result {
        let (run, threads) = (self.run, self.run.threads);
        let how_many = match self.engine_threads {
            _ if threads.fused => "one thread (fused)".into(),
            1 => "two threads".into(),
            engines => format!("{} threads", 1 + engines),
        };
        line(f, "threads", format_args!("{how_many}, {}, wait {}", threads.pins, threads.wait.name()))?;
        let seconds = run.elapsed.as_secs_f64();
        let rate = Grouped((frames as f64 / seconds) as u64);
        for (name, value) in &run.source {
            line(f, name, value)?;
        }
        let stopped = if run.stopped { ", stopped before the end" } else { "" };
        line(f, "ran for", format_args!("{seconds:.3} s, {rate} frames/s{stopped}"))
    }

    fn counters(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (feed, engine) = (self.feed, &self.engine.counts);
        writeln!(f, "\nfeed")?;
        for (name, count) in [
            ("messages", feed.messages),
            ("frames", feed.frames),
            ("snapshots", feed.snapshots),
            ("level updates", feed.levels),
            ("prints", feed.prints),
            ("prints lost", feed.prints_lost),
            ("prints that came again", feed.prints_repeated),
            ("prints unreadable", feed.prints_unread),
            ("heartbeats", feed.heartbeats),
            ("acknowledgements", feed.subscriptions),
            ("other products' frames", feed.other_product_frames),
            ("other messages", feed.other_messages),
            ("scale refinements", feed.refinements),
            ("full-ring waits", self.ring_full_waits),
            ("faults", feed.faults.total()),
        ] {
            line(f, name, Grouped(count))?;
        }
        faults(f, &feed.faults)?;
        for note in self.notes.iter().take(NOTES_SHOWN) {
            write!(OneLine(&mut *f), "    {}: {}", note.fault.name(), note.detail)?;
            writeln!(f)?;
        }
        if self.notes.len() > NOTES_SHOWN {
            writeln!(f, "    and more")?;
        }
        writeln!(f, "\nbook")?;
        let [empty, syncing, live, invalid] = engine.frames_by_state;
        line(f, "frames leaving it live", Grouped(live))?;
        line(f, "  empty", Grouped(empty))?;
        line(f, "  syncing", Grouped(syncing))?;
        line(f, "  invalid", Grouped(invalid))?;
        line(f, "state at the end", self.engine.book_state.name())?;
        for (name, count) in [
            ("connections", engine.connections),
            ("updates passed over", engine.ignored),
            ("crossed or locked", engine.crossed_or_locked),
            ("window moves", self.engine.recentres),
            ("rebuilt at finer scale", self.engine.rescales),
            ("faults", engine.faults.total()),
        ] {
            line(f, name, Grouped(count))?;
        }
        faults(f, &engine.faults)
    }

    fn trading(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let trader = self.strategy.trader;
        let (counts, totals) = (&trader.counts, trader.totals);
        writeln!(f, "\nmodel and trades")?;
        for (name, count) in [
            ("evaluations", counts.inferences),
            ("  none: book too thin", counts.thin),
            ("  none: warming up", counts.warming_up),
        ] {
            line(f, name, Grouped(count))?;
        }
        // Of models with expressions alone.
        if counts.undefined > 0 {
            line(f, "  none: undefined", Grouped(counts.undefined))?;
        }
        for (name, count) in [
            ("purchases withheld", counts.purchases_withheld),
            ("purchases without asks", trader.empty_asks),
            ("sold in part", totals.unsold_trades),
            ("sold late", totals.late_trades),
            ("writer waits", counts.writer_waits),
            ("closed trades", totals.trades),
        ] {
            line(f, name, Grouped(count))?;
        }
        if totals.trades > 0 {
            let share = 100.0 * totals.winners as f64 / totals.trades as f64;
            let turnover = Turnover { bought: totals.buy_amount, sold: totals.sell_amount };
            // Sums of gains and losses that cancel leave a rounding error.
            let gross = settled(totals.profit, totals.buy_amount);
            let bps = turnover.over_bought_bps(gross).unwrap_or(f64::NAN);
            let break_even_bps = turnover.break_even_fee_bps(gross).unwrap_or(f64::NAN);
            let fee_bps = self.run.settings.fee_bps;
            line(f, "break-even fee", format_args!("{} bp per side", basis_points(break_even_bps)))?;
            let winners = Grouped(totals.winners);
            let losers = counted(totals.losers, "loser");
            line(f, "winners", format_args!("{winners} ({share:.1} %), {losers}"))?;
            let (profit, bought) = (amount(gross), amount(totals.buy_amount));
            let bps = signed(bps, &basis_points(bps));
            line(f, "gross profit", format_args!("{profit} on {bought} bought ({bps} bp)"))?;
            let net = amount(turnover.net(gross, fee_bps));
            line(f, "net profit", format_args!("{net} after {} bp per side", plain(fee_bps)))?;
        }
        let returns = self.strategy.written.and_then(|written| written.returns.as_ref());
        if let Some(Returns { days, capital, is_given, .. }) = returns {
            let (days, capital) = (counted(*days, "day"), amount(*capital));
            let why = if *is_given { "as given" } else { "the most that was held, and the losses until then" };
            line(f, "returns", format_args!("{days}, of a capital of {capital}: {why}"))?;
        }
        let (cost, worth) = trader.open_cost_and_worth;
        let (cost, worth) = (amount(cost), worth.map(amount));
        match (trader.open_positions, worth) {
            (0, _) => line(f, "open positions", 0),
            (open, Some(worth)) => line(
                f,
                "open positions",
                format_args!("{}, cost {cost}, mark {worth} (not in the profit)", Grouped(open as u64)),
            ),
            (open, None) => line(
                f,
                "open positions",
                format_args!("{}, cost {cost}, no live book to mark them", Grouped(open as u64)),
            ),
        }
    }

    /// What accounts beside the original's did, and what kept them from it, where it happened.
    fn accounts(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let accounts = &self.strategy.trader.desk.accounts;
        if accounts.is_empty() {
            return Ok(());
        }
        writeln!(f, "\naccounts")?;
        for AccountReport { kind, counts, totals } in accounts {
            let AccountCounts { decisions, sent, filled, cancelled, refused, .. } = *counts;
            let [decided, sent] = [counted(decisions, "decision"), counted(sent, "order")];
            let [filled, cancelled, refused] = [filled, cancelled, refused].map(Grouped);
            let open = Grouped(totals.open_legs);
            let ended = format!("{filled} filled, {cancelled} cancelled, {refused} refused");
            line(f, kind.name(), format_args!("{decided}, {sent}: {ended}; {open} open at the end"))?;
            let kept = counts.kept_from_acting().into_iter().filter(|&(_, count)| count > 0);
            kept.into_iter().try_for_each(|(name, count)| line(f, &format!("  {name}"), Grouped(count)))?;
        }
        let Some(tape) = TapeCounters::of(self.strategy.trader) else { return Ok(()) };
        line(f, "book and prints", tape.order())?;
        tape.doubts().iter().try_for_each(|doubt| writeln!(f, "  {doubt}"))
    }

    fn latencies(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(table) = self.strategy.written.map(|written| &written.latency) else { return Ok(()) };
        if self.run.paced || self.run.threads.fused {
            writeln!(f, "\nlatency, ns; the stages of one frame in {STAGES_EVERY}, those to the decision of all")?;
            StageLines(table).fmt(f)?;
            if table.whole() == Stage::Total {
                line(f, "arrived", NO_ARRIVALS)?;
            }
        } else {
            writeln!(f, "\nwork, ns; the stages of one frame in {STAGES_EVERY}")?;
            WorkLines(table).fmt(f)?;
            line(
                f,
                "waiting in the ring",
                "not shown: nothing paces frames at full speed; see --speed 1x, or RUN.json",
            )?;
        }
        let out_of_range: u64 = Stage::ALL.iter().map(|&stage| table.stage(stage).out_of_range).sum();
        line(f, "a stamp costs", format_args!("{} ns", self.stamp_floor_ns))?;
        line(f, "beyond 60 s", Grouped(out_of_range))?;
        line(f, "ring high water", counted(self.engine.ring_high_water_events as u64, "event"))
    }
}

impl Display for RunReport<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.what_ran(f)?;
        self.counters(f)?;
        self.trading(f)?;
        self.accounts(f)?;
        self.latencies(f)?;
        if let Some(material) = self.material {
            write!(f, "\nin short\n{}", Summary(material))?;
        } else if !self.doubts.is_empty() {
            writeln!(f, "\nin short")?;
            self.doubts.iter().try_for_each(|sentence| writeln!(f, "  {sentence}"))?;
        }
        let files = self.run.files;
        let RunFiles { csv, hgrm, hlog, executions, parquet, report, probabilities, decisions, .. } = files;
        writeln!(f, "\nwrote")?;
        let report = report.as_ref().filter(|_| self.material.is_some());
        let (json, html) = report.map(|report| (&report.json, &report.html)).unzip();
        let paths = [Some(csv), Some(hgrm), Some(hlog), json, html, probabilities.as_ref(), decisions.as_ref()];
        let logs = executions.iter().chain(parquet).flatten().chain(files.for_others());
        let written = paths.into_iter().flatten().chain(logs).filter(|path| has_content(path));
        written.into_iter().try_for_each(|path| writeln!(f, "  {}", path.display()))
    }
}

/// Whether something was written: not everything is when a disk is full.
fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| !file.is_file() || file.len() > 0)
}

/// The stages' latencies, nanoseconds, a line each below a line of names; a dash where nothing was measured.
#[derive(Debug)]
pub struct StageLines<'a>(pub &'a StageTable);

impl Display for StageLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        stage_head(f)?;
        Stage::ALL.into_iter().try_for_each(|stage| stage_line(f, stage, self.0.stage(stage)))
    }
}

/// The same of the stages in which the processor works on a frame, and their sum, column by column.
#[derive(Debug)]
pub struct WorkLines<'a>(pub &'a StageTable);

impl Display for WorkLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        stage_head(f)?;
        let mut sum = [None; 7];
        let mut count = 0;
        for stage in Stage::ALL.into_iter().filter(|stage| stage.is_work()) {
            let times = self.0.stage(stage);
            stage_line(f, stage, times)?;
            sum.iter_mut().zip(stage_values(times)).for_each(|(sum, ns): (&mut Option<u64>, _)| {
                *sum = ns.map(|ns: u64| ns.saturating_add(sum.unwrap_or(0))).or(*sum);
            });
            count = count.max(times.count());
        }
        values_line(f, "work, added up", count, sum)
    }
}

fn stage_head(f: &mut Formatter<'_>) -> fmt::Result {
    let head = ["count", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    write!(f, "  {:<22}", "stage")?;
    head.iter().try_for_each(|name| write!(f, " {name:>11}"))?;
    writeln!(f)
}

/// Least, percentiles and greatest, nanoseconds; `None` where nothing was measured.
fn stage_values(times: &StageTimes) -> [Option<u64>; 7] {
    let quantile = |q| times.quantile_ns(q);
    let [p50, p90, p99, p99_9, p99_99] = [0.5, 0.9, 0.99, 0.999, 0.9999].map(quantile);
    [times.min_ns(), p50, p90, p99, p99_9, p99_99, times.longest_ns()]
}

fn stage_line(f: &mut Formatter<'_>, stage: Stage, times: &StageTimes) -> fmt::Result {
    values_line(f, stage.name(), times.count(), stage_values(times))
}

fn values_line(f: &mut Formatter<'_>, name: &str, count: u64, values: [Option<u64>; 7]) -> fmt::Result {
    write!(f, "  {name:<22} {:>11}", Grouped(count).to_string())?;
    values.iter().try_for_each(|value| {
        write!(f, " {:>11}", value.map_or_else(|| "—".into(), |value| Grouped(value).to_string()))
    })?;
    writeln!(f)
}

fn line(f: &mut Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    Names::RUN.line(f, name, value)
}

fn faults(f: &mut Formatter<'_>, counts: &FaultCounts) -> fmt::Result {
    counts.iter().try_for_each(|(fault, count)| line(f, &format!("  {}", fault.name()), Grouped(count)))
}
