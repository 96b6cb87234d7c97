//! One pass over a capture: an engine with a trader for each group of settings, and what they leave.

use super::plan::Plan;
use super::result::{Execution, Setting};
use super::store::TradeStore;
use crate::base::clock::Clock;
use crate::engine::latency::recorder;
use crate::engine::status::Status;
use crate::engine::trader::{Outputs, Sink, Trader};
use crate::engine::{Engine, EngineReport};
use crate::execution::account::LEGS_MAX;
use crate::execution::desk::Desk;
use crate::execution::hold_back::HoldBack;
use crate::execution::ledger::Position;
use crate::execution::records::AccountKind;
use crate::market::book::BookState;
use crate::market::event::{Event, FrameHead};
use crate::market::publish::{EngineGone, Publish};
use crate::run::execution_logs::ExecutionLogs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::SpooledTempFile;

/// Traders of a pass at most: what a pass has done is kept when it has ended.
pub const TRADERS_MAX: usize = 512;
/// Memory that the traders of a pass take from the start at most, by an upper bound for each; one trader may take more.
pub const PASS_BYTES_MAX: u64 = 256 << 20;
/// Bytes of a log of an account that are held in memory; a longer log goes into a file without a name.
const LOG_HELD_BYTES_MAX: usize = 1 << 18;
/// Files without a name that all passes together have open at most. An account has four logs.
const LOG_FILES_MAX: usize = 256;
/// Frames between two looks at what traders keep, and at who watches.
const LOOK_EVERY: u64 = 32;

/// How a trader of a pass trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trades {
    /// By the original's rules.
    Original,
    /// As a taker besides.
    Taker,
    /// As makers besides.
    Maker,
}

impl Trades {
    fn of(execution: Execution) -> Self {
        match execution {
            Execution::Original => Self::Original,
            Execution::Taker => Self::Taker,
            _ => Self::Maker,
        }
    }
}

/// Settings that one trader answers: they differ in whose account is looked at.
#[derive(Clone, Debug)]
pub struct Group {
    /// At least one.
    pub settings: Vec<Setting>,
    /// How it trades.
    pub trades: Trades,
}

/// The most that a leg takes with its orders, markouts and messages.
const LEG_BYTES: u64 = 1 << 10;
/// Legs for which an account has room beyond those of its holding time.
const LEGS_SPARE: u64 = 1 << 12;
/// A book of its own and what is held back for it.
const HELD_BACK_BYTES: u64 = 16 << 20;

impl Group {
    /// Puts settings together, in the order of their first ones.
    pub fn of(settings: impl IntoIterator<Item = Setting>) -> Vec<Self> {
        let key = |setting: &Setting| {
            (Trades::of(setting.execution), Setting { number: 0, execution: Execution::Original, ..*setting })
        };
        let mut groups: Vec<Self> = Vec::new();
        for setting in settings {
            let is_same = |group: &Self| key(&group.settings[0]) == key(&setting);
            // Those that go together are numbered side by side, but for other executions and latencies between them.
            match groups.iter_mut().rev().take(GROUPS_NEAR).find(|group| is_same(group)) {
                Some(group) => group.settings.push(setting),
                None => groups.push(Self { trades: Trades::of(setting.execution), settings: vec![setting] }),
            }
        }
        groups
    }

    /// Memory that its trader takes from the start, at most.
    pub fn bytes(&self) -> u64 {
        let lag_updates = u64::from(self.settings[0].lag_updates);
        let original = (lag_updates + 1) * size_of::<Position>() as u64;
        let account = (lag_updates + LEGS_SPARE).min(LEGS_MAX as u64) * LEG_BYTES;
        match self.trades {
            Trades::Original => original,
            Trades::Taker => original + account,
            Trades::Maker => original + AccountKind::MAKERS.len() as u64 * account + HELD_BACK_BYTES,
        }
    }

    fn has_accounts(&self) -> bool {
        self.trades != Trades::Original
    }

    /// The accounts that its trader keeps: those that are looked at, or where logs are kept all that a replay has.
    fn kinds(&self, keeps_logs: bool) -> Vec<AccountKind> {
        let is_asked =
            |kind: &AccountKind| self.settings.iter().any(|setting| setting.execution.account() == Some(*kind));
        match self.trades {
            Trades::Original => Vec::new(),
            Trades::Taker => vec![AccountKind::Taker],
            Trades::Maker => AccountKind::MAKERS.into_iter().filter(|kind| keeps_logs || is_asked(kind)).collect(),
        }
    }
}

/// How far back a group is looked for.
const GROUPS_NEAR: usize = 64;

/// Cuts groups into those of one pass each, evenly into `parts` or fewer unless they take more memory or files.
pub fn passes(groups: Vec<Group>, parts: usize, threads: usize) -> Vec<Vec<Group>> {
    let parts = parts.clamp(1, groups.len().max(1));
    let mut dealt: Vec<Vec<Group>> = vec![Vec::new(); parts];
    // Neighbours do about as much.
    groups.into_iter().enumerate().for_each(|(at, group)| dealt[at % parts].push(group));
    dealt.into_iter().flat_map(|groups| that_fit(groups, threads)).collect()
}

/// Cuts groups into those of one pass each.
fn that_fit(groups: Vec<Group>, threads: usize) -> Vec<Vec<Group>> {
    let accounts_max = (LOG_FILES_MAX / (4 * threads.max(1))).max(1);
    let mut passes: Vec<Vec<Group>> = Vec::new();
    let (mut bytes, mut accounts) = (0, 0);
    for group in groups {
        let (more, account) = (group.bytes(), usize::from(group.has_accounts()));
        let fits = |pass: &&mut Vec<Group>| {
            pass.len() < TRADERS_MAX && bytes + more <= PASS_BYTES_MAX && accounts + account <= accounts_max
        };
        match passes.last_mut().filter(fits) {
            Some(pass) => {
                bytes += more;
                accounts += account;
                pass.push(group);
            }
            None => {
                (bytes, accounts) = (more, account);
                passes.push(vec![group]);
            }
        }
    }
    passes
}

/// The logs of an account: orders, fills, markouts, legs.
pub type AccountFiles = [SpooledTempFile; 4];

/// A pass that goes on.
pub struct Pass<'a> {
    engine: Engine,
    store: TradeStore,
    /// Whether each trader's trades are looked at.
    keeps_trades: Vec<bool>,
    logs: Vec<Option<ExecutionLogs<SpooledTempFile>>>,
    live_ns: Option<(i64, i64)>,
    frames: u64,
    failure: Option<io::Error>,
    look: &'a mut dyn FnMut() -> bool,
}

/// What a pass leaves.
pub struct Passed {
    /// The engine's.
    pub report: EngineReport,
    /// Trades by the group's place.
    pub store: TradeStore,
    /// Logs by the group's place, where it has accounts.
    pub logs: Vec<Option<AccountFiles>>,
    /// Receive times of the first and the last frame that left the book live, Unix nanoseconds.
    pub live_ns: Option<(i64, i64)>,
}

impl<'a> Pass<'a> {
    /// Traders without positions on an empty book, in one of so many passes at a time. `look` is called now and then; true ends the
    /// pass.
    ///
    /// # Errors
    /// A log cannot be begun.
    pub fn new(
        plan: &Plan,
        groups: &[Group],
        takers_side: bool,
        passes: usize,
        (clock, status): (Clock, Arc<Status>),
        look: &'a mut dyn FnMut() -> bool,
    ) -> io::Result<Self> {
        let keeps_logs = plan.logs.is_some();
        let (mut traders, mut logs) = (Vec::new(), Vec::new());
        for group in groups {
            let setting = &group.settings[0];
            let model = Arc::clone(&plan.models[setting.model as usize].model);
            let trader = Trader::original(model, Plan::rules_of(setting), Outputs::of(Sink::Kept(Vec::new())));
            if !group.has_accounts() {
                traders.push(trader);
                logs.push(None);
                continue;
            }
            let rules = plan.accounts.rules_of(setting, takers_side);
            let desk = Desk::new(&group.kinds(keeps_logs), &rules);
            traders.push(match plan.accounts.hold_ns_of(setting.execution) {
                None => trader.with_desk(desk, Sink::Kept(Vec::new())),
                Some(hold_ns) => trader.with_hold_back(HoldBack::new(desk, hold_ns), Sink::Kept(Vec::new())),
            });
            logs.push(Some(ExecutionLogs::new([(); 4].map(|()| spooled(&plan.spill)))?));
        }
        // Latencies are nobody's here; the recorder keeps one table and needs no reader.
        let (recorder, _) = recorder(clock, Duration::MAX);
        Ok(Self {
            engine: Engine::new(traders, recorder, status),
            store: TradeStore::new(groups.len(), passes, &plan.spill),
            keeps_trades: groups.iter().map(|group| keeps_logs || !group.has_accounts()).collect(),
            logs,
            live_ns: None,
            frames: 0,
            failure: None,
            look,
        })
    }

    /// Takes what traders have kept.
    fn take(&mut self) {
        let Self { engine, store, keeps_trades, logs, failure, .. } = self;
        engine.take_trades(|at, trade| {
            if keeps_trades[at]
                && let Err(error) = store.push(at, trade)
            {
                failure.get_or_insert(error);
            }
        });
        if logs.iter().any(Option::is_some) {
            engine.take_records(|at, record| {
                if let Some(logs) = &mut logs[at]
                    && let Err(error) = logs.write(&record)
                {
                    failure.get_or_insert(error);
                }
            });
        }
    }

    /// Ends the pass.
    ///
    /// # Errors
    /// What does not fit into memory could not be written.
    pub fn finish(mut self) -> io::Result<Passed> {
        self.take();
        let Self { engine, store, mut logs, live_ns, failure, .. } = self;
        if let Some(error) = failure {
            return Err(error);
        }
        let mut report = engine.finish();
        for (logs, trader) in logs.iter_mut().zip(&mut report.traders) {
            if let Some(logs) = logs {
                std::mem::take(&mut trader.last_records).iter().try_for_each(|record| logs.write(record))?;
            }
        }
        let logs = logs.into_iter().map(|logs| logs.map(ExecutionLogs::into_inner).transpose());
        Ok(Passed { report, store, logs: logs.collect::<io::Result<_>>()?, live_ns })
    }
}

fn spooled(folder: &Path) -> SpooledTempFile {
    tempfile::spooled_tempfile_in(LOG_HELD_BYTES_MAX, folder)
}

impl Publish for Pass<'_> {
    #[inline]
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.engine.publish(head, levels)?;
        if head.kind.is_book_frame() && self.engine.book().state() == BookState::Live {
            let (first_ns, last_ns) = self.live_ns.unwrap_or((head.ts_recv_ns, head.ts_recv_ns));
            self.live_ns = Some((first_ns.min(head.ts_recv_ns), last_ns.max(head.ts_recv_ns)));
        }
        self.frames += 1;
        if self.frames.is_multiple_of(LOOK_EVERY) {
            self.take();
            if self.failure.is_some() || (self.look)() {
                return Err(EngineGone);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(number: u32, lag_updates: u32, execution: Execution) -> Setting {
        Setting { number, model: 0, threshold: 0.5, lag_updates, buy_amount: 5.0, execution, order_latency_ns: None }
    }

    #[test]
    fn makers_of_one_trader_go_together() {
        let all = Execution::ALL.into_iter().zip(0..).map(|(execution, number)| setting(number, 20, execution));
        let groups = Group::of(all.chain([setting(5, 21, Execution::MakerTouch)]));
        let numbers: Vec<Vec<u32>> =
            groups.iter().map(|group| group.settings.iter().map(|setting| setting.number).collect()).collect();
        assert_eq!(numbers, [vec![0], vec![1], vec![2, 3, 4], vec![5]]);
        assert_eq!(groups[3].kinds(false), [AccountKind::MakerTouch]);
        assert_eq!(groups[3].kinds(true), AccountKind::MAKERS);
    }

    #[test]
    fn passes_hold_all_settings_and_stay_within_their_bounds() {
        let kinds = [Execution::Original, Execution::Taker, Execution::MakerQueue];
        for (count, lag, parts, threads) in
            [(0, 20, 2, 2), (1, 20, 4, 2), (1_000, 20, 1, 1), (1_000, 20, 3, 64), (40, 1_000_000, 2, 2)]
        {
            let groups = Group::of((0..count).map(|number| setting(number, lag + number, kinds[number as usize % 3])));
            let is_small = count <= 1;
            let passes = passes(groups, parts, threads);
            assert!(!is_small || passes.len() == count as usize);
            let mut numbers: Vec<u32> =
                passes.iter().flatten().flat_map(|group| &group.settings).map(|setting| setting.number).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..count).collect::<Vec<_>>());
            for pass in &passes {
                let bytes: u64 = pass.iter().map(Group::bytes).sum();
                assert!(pass.len() == 1 || (pass.len() <= TRADERS_MAX && bytes <= PASS_BYTES_MAX));
                let accounts = pass.iter().filter(|group| group.has_accounts()).count();
                assert!(accounts <= 1 || 4 * accounts * threads <= LOG_FILES_MAX);
            }
        }
    }
}
