//! From what a session reports to the file.

use super::*;
use crate::base::clock::wall_ns;
use crate::engine::EngineReport;
use crate::engine::latency::StageTable;
use crate::engine::trader::TraderReport;
use crate::execution::desk::AccountReport;
use crate::feed::intake::{FaultNote, IntakeCounts};
use crate::market::event::FaultCounts;
use crate::market::units::Decimal;
use crate::report::executions::ExecutionNumbers;
use crate::report::terminal::Run;
use crate::report::trades::TradeNumbers;
use crate::run::session::{SessionReport, StrategyReport};

/// Fault notes that are kept.
const NOTES_MAX: usize = 10;

impl RunFile<TradeNumbers> {
    /// Of a run that has ended, `fault` being what ended it if that was one.
    pub fn new<O>(
        run: &Run<'_>,
        session: &SessionReport<O>,
        feed: &IntakeCounts,
        notes: &[FaultNote],
        fault: Option<String>,
        trades: TradeNumbers,
        executions: Option<ExecutionNumbers>,
    ) -> Self {
        let StrategyReport { trader, written, engine, .. } = session.strategy(run.strategy);
        Self {
            schema: SCHEMA.into(),
            schema_version: SCHEMA_VERSION,
            program_version: env!("CARGO_PKG_VERSION").into(),
            run: what_ran(run, session, fault),
            settings: settings(run),
            counters: Counters {
                feed: feed_counters(feed, notes),
                book: book_counters(engine),
                trading: trading_counters(trader),
                accounts: trader.desk.accounts.iter().map(account_counters).collect(),
                tape: TapeCounters::of(trader),
            },
            trades,
            executions,
            observed: written.and_then(|written| written.observed.clone()),
            timing: timing(run, session, written.map(|written| &*written.latency)),
        }
    }
}

fn what_ran<O>(run: &Run<'_>, session: &SessionReport<O>, fault: Option<String>) -> WhatRan {
    let step = |decimals| Decimal { count: 1, decimals }.to_string();
    let scale = session.strategy(run.strategy).engine.scale;
    WhatRan {
        in_sample: run.in_sample.clone(),
        title: run.title.clone(),
        product: run.product.into(),
        streamed_as: run.alias.map(Into::into),
        passed_over: run.other_products.to_vec(),
        tick: step(scale.price_decimals),
        lot: step(scale.size_decimals),
        stopped: run.stopped,
        fault,
    }
}

fn settings(run: &Run<'_>) -> Settings {
    let (strategy, model) = (&run.settings.strategy, &run.settings.strategy.model);
    let linear = model.linear();
    let entry = |list: Option<&Vec<f64>>, at: usize| list.map(|list| list[at]);
    let features = model.features.iter().enumerate().map(|(at, feature)| ModelFeature {
        name: feature.to_string(),
        coefficient: entry(linear.map(|linear| &linear.coefficients), at),
        trained_mean: entry(linear.and_then(|linear| linear.mean.as_ref()), at),
        trained_scale: entry(linear.and_then(|linear| linear.scale.as_ref()), at),
    });
    Settings {
        threshold: run.settings.threshold,
        lag_updates: strategy.rules.lag_updates,
        horizon_updates: strategy.horizon_updates(),
        buy_amount: strategy.rules.buy_amount,
        fee_bps: run.settings.fee_bps,
        fees: run.settings.fees.as_ref().map(FeeFacts::from),
        model: ModelFacts {
            path: model.path.display().to_string(),
            intercept: linear.map(|linear| linear.intercept),
            features: features.collect(),
        },
    }
}

fn by_kind(faults: &FaultCounts) -> Vec<FaultCount> {
    faults.iter().map(|(fault, count)| FaultCount { fault: fault.name().into(), count }).collect()
}

fn feed_counters(feed: &IntakeCounts, notes: &[FaultNote]) -> FeedCounters {
    FeedCounters {
        messages: feed.messages,
        frames: feed.frames,
        snapshots: feed.snapshots,
        level_updates: feed.levels,
        prints: feed.prints,
        prints_lost: feed.prints_lost,
        prints_that_came_again: feed.prints_repeated,
        prints_unreadable: feed.prints_unread,
        heartbeats: feed.heartbeats,
        acknowledgements: feed.subscriptions,
        other_products_frames: feed.other_product_frames,
        other_messages: feed.other_messages,
        scale_refinements: feed.refinements,
        faults: feed.faults.total(),
        faults_by_kind: by_kind(&feed.faults),
        fault_notes: notes
            .iter()
            .take(NOTES_MAX)
            .map(|note| format!("{}: {}", note.fault.name(), note.detail))
            .collect(),
    }
}

fn book_counters(engine: &EngineReport) -> BookCounters {
    let counts = &engine.counts;
    let [frames_empty, frames_syncing, frames_live, frames_invalid] = counts.frames_by_state;
    BookCounters {
        frames: counts.frames,
        frames_live,
        frames_empty,
        frames_syncing,
        frames_invalid,
        state_at_the_end: engine.book_state.name().into(),
        connections: counts.connections,
        snapshots: counts.snapshots,
        updates_passed_over: counts.ignored,
        crossed_or_locked: counts.crossed_or_locked,
        window_moves: engine.recentres,
        rebuilt_at_finer_scale: engine.rescales,
        faults: counts.faults.total(),
        faults_by_kind: by_kind(&counts.faults),
    }
}

fn trading_counters(trader: &TraderReport) -> TradingCounters {
    let (counts, (open_cost, open_mark)) = (&trader.counts, trader.open_cost_and_worth);
    TradingCounters {
        evaluations: counts.inferences,
        none_book_too_thin: counts.thin,
        none_warming_up: counts.warming_up,
        none_undefined: counts.undefined,
        purchases_withheld: counts.purchases_withheld,
        purchases_without_asks: trader.empty_asks,
        closed_trades: trader.totals.trades,
        sold_in_part: trader.totals.unsold_trades,
        sold_late: trader.totals.late_trades,
        open_positions: trader.open_positions as u64,
        open_cost,
        open_mark,
    }
}

fn account_counters(account: &AccountReport) -> AccountCounters {
    let counts = &account.counts;
    AccountCounters {
        account: account.kind.name().into(),
        decisions: counts.decisions,
        sent: counts.sent,
        filled: counts.filled,
        cancelled: counts.cancelled,
        refused: counts.refused,
        book_crossed_or_locked: counts.withheld_crossed,
        book_one_sided: counts.withheld_one_sided,
        position_limit: counts.limited_position,
        cash_limit: counts.limited_cash,
        open_orders_limit: counts.limited_orders,
        below_the_least_size: counts.below_least_size,
        cut_by_the_cap: counts.capped,
        exits_that_waited: counts.waited,
    }
}

fn timing<O>(run: &Run<'_>, session: &SessionReport<O>, latency: Option<&StageTable>) -> Timing {
    let threads = run.threads;
    let stages: Vec<StageFacts> = latency.into_iter().flat_map(stage_facts).collect();
    let elapsed_s = run.elapsed.as_secs_f64();
    let StrategyReport { product, engine, trader, .. } = session.strategy(run.strategy);
    let engine_core = threads.pins.engine_at(session.spread.engine_of()[product]);
    Timing {
        finished_unix_ns: wall_ns(),
        elapsed_s,
        frames_per_s: if elapsed_s > 0.0 { engine.counts.frames as f64 / elapsed_s } else { 0.0 },
        fused: threads.fused,
        paced: run.paced,
        feed_core: threads.pins.feed(),
        engine_core,
        wait: threads.wait.name().into(),
        source: run.source.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
        full_ring_waits: session.ring_full_waits,
        ring_high_water_events: engine.ring_high_water_events as u64,
        writer_waits: trader.counts.writer_waits,
        stamp_floor_ns: session.stamp_floor_ns,
        work: Work::of(&stages),
        model: run.settings.strategy.model.cost.map(Into::into),
        stages,
    }
}

fn stage_facts(table: &StageTable) -> impl Iterator<Item = StageFacts> + '_ {
    Stage::ALL.into_iter().map(|stage| StageFacts::of(stage, table.stage(stage)))
}
