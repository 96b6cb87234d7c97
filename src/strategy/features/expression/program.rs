//! Expressions as a fixed program over registers, with their history reserved.

use super::arithmetic::{self, Binary, Unary, defined};
use super::graph::{Count, Counted, Graph, Id, Part};
use super::past::{Ema, Moments, Ring, Updates, room};
use super::syntax::Past;
use crate::market::book::Top;
use crate::market::units::Scale;
use crate::strategy::features::catalogue::{Feature, Window};
use crate::strategy::features::lanes::{Divisor, Lanes};
use crate::strategy::features::plan::{BID, Building, Numbers, Place};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// The most steps that the expressions of a list may have together, every part counted once.
pub const PROGRAM_STEPS_MAX: usize = 1 << 14;
/// The most different looks back that the expressions of a list may take together.
pub const PROGRAM_PASTS_MAX: usize = 256;
/// The most memory of history that the expressions of a list may need together, in megabytes.
pub const PROGRAM_HISTORY_MB_MAX: usize = 64;

/// More than a program may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// Steps.
    #[error("the expressions have {0} different steps together; at most {PROGRAM_STEPS_MAX} are computed")]
    Steps(usize),
    /// Looks back.
    #[error("the expressions look back in {0} different ways together; at most {PROGRAM_PASTS_MAX} are kept")]
    Pasts(usize),
    /// Memory.
    #[error(
        "the expressions' history takes {0} MB together; at most {PROGRAM_HISTORY_MB_MAX} are kept: look back less far"
    )]
    History(usize),
}

type Register = u16;

#[derive(Clone, Copy, Debug)]
enum Step {
    Load { place: Place, to: Register },
    Unary { function: Unary, of: Register, to: Register },
    Binary { function: Binary, a: Register, b: Register, to: Register },
    Clip { of: Register, low: Register, high: Register, to: Register },
    Sum { at: u16, to: Register },
    Difference { at: u16, to: Register },
    Keep { past: u16, of: Register },
    KeepCount { past: u16 },
    Lag { past: u16, to: Register },
    Moments { past: u16, mean: Register, deviation: Register },
    Ema { past: u16, to: Register },
    Store { of: Register, place: Place },
}

/// A count now, or in the ring of a past.
#[derive(Clone, Copy, Debug)]
struct Operand {
    what: Counted,
    past: Option<u16>,
}

/// What is kept of a series.
#[derive(Debug)]
enum Kept {
    Values(Ring<f64>),
    Counts(Counted, Ring<i128>),
    Moments(Moments),
    Ema(Ema),
}

/// What must be there before a value is one.
#[derive(Clone, Debug, Default)]
struct Needs {
    updates: u32,
    millis: u32,
    pasts: Vec<u16>,
}

impl Needs {
    fn of(feature: Feature) -> Self {
        let millis = match feature.window() {
            Some(Window::Millis(millis)) => millis,
            _ => 0,
        };
        Self { updates: feature.history(), millis, pasts: Vec::new() }
    }

    fn add(&mut self, other: &Self) {
        self.updates = self.updates.max(other.updates);
        self.millis = self.millis.max(other.millis);
        for past in &other.pasts {
            if !self.pasts.contains(past) {
                self.pasts.push(*past);
            }
        }
    }
}

/// A series that is looked back on. It begins when what it is made of has values, and has values itself a window later.
#[derive(Debug)]
struct Series {
    window: Window,
    /// Updates behind the first that has a value by the window alone.
    updates_needed: u32,
    after_updates: u32,
    after_millis: u32,
    /// Other series, in the program's list.
    after: Range<usize>,
    /// The update with which it began.
    from: Option<u64>,
    began_ns: i64,
    is_warm: bool,
    kept: Kept,
}

/// A program.
#[derive(Debug, Default)]
pub struct Program {
    steps: Vec<Step>,
    registers: Vec<f64>,
    /// Of sums, one sum's behind another's.
    operands: Vec<Register>,
    sums: Vec<Range<usize>>,
    differences: Vec<[Operand; 2]>,
    series: Vec<Series>,
    /// Series that others wait for.
    after: Vec<u16>,
    updates: Updates,
    /// Whether all series have values.
    is_warm: bool,
    is_undefined: bool,
}

/// What a program needs computed and where it leaves its values.
#[derive(Debug)]
pub struct Compiled {
    /// None where features of the catalogue are all there is.
    pub program: Option<Program>,
    /// Of each root.
    pub places: Vec<Place>,
    /// What is read of the book and its past: features, or what looks as deep.
    pub reads: Vec<Feature>,
}

/// Compiles parts of a graph. What the catalogue computes is made to be computed.
///
/// # Errors
/// It is more than a program may be.
pub fn compile(graph: &Graph, roots: &[Id], building: &mut Building) -> Result<Compiled, ProgramError> {
    let parts = graph.parts();
    let mut is_used = vec![false; parts.len()];
    roots.iter().filter(|root| !is_leaf(&parts[**root])).for_each(|&root| is_used[root] = true);
    for id in (0..parts.len()).rev() {
        if is_used[id] {
            each_of(&parts[id], |of| is_used[of] = true);
        }
    }
    let used: Vec<Id> = (0..parts.len()).filter(|&id| is_used[id]).collect();
    if used.len() > PROGRAM_STEPS_MAX {
        return Err(ProgramError::Steps(used.len()));
    }
    let mut emitting = Emitting::new(parts, &used, building);
    used.iter().for_each(|&id| emitting.emit(id));
    let places = roots.iter().map(|&root| emitting.root(root)).collect();
    emitting.finish(places)
}

/// Whether the catalogue's own code leaves it at a place.
fn is_leaf(part: &Part) -> bool {
    matches!(part, Part::Feature(_) | Part::Sizes { .. })
}

/// Tells of the parts that one is made of.
fn each_of(part: &Part, mut tell: impl FnMut(Id)) {
    match part {
        Part::Constant(_) | Part::Feature(_) | Part::Sizes { .. } | Part::Difference(..) => {}
        Part::Unary(_, of) | Part::Past(_, of, _) => tell(*of),
        Part::Binary(_, a, b) => [*a, *b].into_iter().for_each(tell),
        Part::Clip(of) => of.iter().copied().for_each(tell),
        Part::Sum(of) => of.iter().copied().for_each(tell),
    }
}

/// A series by what is kept of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Values(Id),
    Counts(Counted),
    Moments(Id),
    Ema(Id),
}

struct Emitting<'a> {
    parts: &'a [Part],
    building: &'a mut Building,
    /// What spreads are asked of.
    spreads: HashSet<(Id, Window)>,
    registers: HashMap<Id, Register>,
    needs: HashMap<Id, Needs>,
    known: HashMap<(Kind, Window), u16>,
    /// Where a mean and a spread lie.
    moments: HashMap<u16, [Register; 2]>,
    /// What each series is, and what must be there before.
    kinds: Vec<(Kind, Window, Needs)>,
    reads: Vec<Feature>,
    program: Program,
}

impl<'a> Emitting<'a> {
    fn new(parts: &'a [Part], used: &[Id], building: &'a mut Building) -> Self {
        let spreads = used.iter().filter_map(|&id| match parts[id] {
            Part::Past(Past::Deviation, of, window) => Some((of, window)),
            _ => None,
        });
        Self {
            parts,
            building,
            spreads: spreads.collect(),
            registers: HashMap::new(),
            needs: HashMap::new(),
            known: HashMap::new(),
            moments: HashMap::new(),
            kinds: Vec::new(),
            reads: Vec::new(),
            program: Program::default(),
        }
    }

    fn register(&mut self, preset: f64) -> Register {
        self.program.registers.push(preset);
        // Steps are few enough: a part takes at most two registers.
        (self.program.registers.len() - 1) as Register
    }

    fn read(&mut self, feature: Feature) {
        if !self.reads.contains(&feature) {
            self.reads.push(feature);
        }
    }

    /// The place of what the catalogue's own code computes.
    fn leaf(&mut self, id: Id) -> Place {
        match self.parts[id] {
            Part::Feature(feature) => {
                self.read(feature);
                self.building.place(feature)
            }
            Part::Sizes { side, depth } => {
                self.read(depth_of(Counted::Sizes { side, depth }));
                self.building.size_sum(side, depth)
            }
            _ => unreachable!("only leaves have places of their own"),
        }
    }

    fn emit(&mut self, id: Id) {
        let mut needs = Needs::default();
        each_of(&self.parts[id], |of| {
            if let Some(of) = self.needs.get(&of) {
                needs.add(of);
            }
        });
        let register = |of: &Id| self.registers.get(of).copied().expect("parts come after what they are made of");
        let step = match &self.parts[id] {
            Part::Constant(bits) => {
                let to = self.register(f64::from_bits(*bits));
                self.registers.insert(id, to);
                return;
            }
            Part::Past(past, of, window) => {
                let (past, of, window) = (*past, *of, *window);
                let (to, series) = self.past(past, of, window, needs);
                self.registers.insert(id, to);
                self.needs.insert(id, Needs { pasts: vec![series], ..Needs::default() });
                return;
            }
            Part::Feature(_) | Part::Sizes { .. } => {
                if let Part::Feature(feature) = self.parts[id] {
                    needs = Needs::of(feature);
                }
                let place = self.leaf(id);
                let to = self.register(0.0);
                (Step::Load { place, to }, to)
            }
            Part::Unary(function, of) => {
                let (function, of) = (*function, register(of));
                let to = self.register(0.0);
                (Step::Unary { function, of, to }, to)
            }
            Part::Binary(function, a, b) => {
                let (function, a, b) = (*function, register(a), register(b));
                let to = self.register(0.0);
                (Step::Binary { function, a, b, to }, to)
            }
            Part::Clip(parts) => {
                let [of, low, high] = parts.each_ref().map(register);
                let to = self.register(0.0);
                (Step::Clip { of, low, high, to }, to)
            }
            Part::Sum(parts) => {
                let registers: Vec<Register> = parts.iter().map(register).collect();
                let from = self.program.operands.len();
                self.program.operands.extend(registers);
                self.program.sums.push(from..self.program.operands.len());
                let to = self.register(0.0);
                (Step::Sum { at: (self.program.sums.len() - 1) as u16, to }, to)
            }
            Part::Difference(a, b) => {
                let operands = [*a, *b].map(|count| self.operand(count));
                needs.pasts.extend(operands.iter().filter_map(|operand| operand.past));
                let to = self.register(0.0);
                self.program.differences.push(operands);
                (Step::Difference { at: (self.program.differences.len() - 1) as u16, to }, to)
            }
        };
        self.program.steps.push(step.0);
        self.registers.insert(id, step.1);
        self.needs.insert(id, needs);
    }

    /// A series, new or known. Says whether it is new.
    fn series(&mut self, kind: Kind, window: Window, needs: Needs) -> (u16, bool) {
        if let Some(&known) = self.known.get(&(kind, window)) {
            return (known, false);
        }
        let series = self.kinds.len() as u16;
        self.kinds.push((kind, window, needs));
        self.known.insert((kind, window), series);
        self.program.updates.look_back(window);
        (series, true)
    }

    fn past(&mut self, past: Past, part: Id, window: Window, needs: Needs) -> (Register, u16) {
        let of = self.registers.get(&part).copied().expect("parts come after what they are made of");
        let kind = match past {
            Past::Lag | Past::Delta => Kind::Values(part),
            Past::Mean | Past::Deviation => Kind::Moments(part),
            Past::Ema => Kind::Ema(part),
        };
        let (past_of, is_new) = self.series(kind, window, needs);
        if is_new {
            self.program.steps.push(Step::Keep { past: past_of, of });
        }
        let to = match past {
            Past::Lag | Past::Delta => {
                let to = self.register(0.0);
                self.program.steps.push(Step::Lag { past: past_of, to });
                to
            }
            Past::Ema => {
                let to = self.register(0.0);
                self.program.steps.push(Step::Ema { past: past_of, to });
                to
            }
            Past::Mean | Past::Deviation => {
                let known = self.moments.get(&past_of).copied();
                let [mean, deviation] = known.unwrap_or_else(|| {
                    let [mean, deviation] = [self.register(0.0), self.register(0.0)];
                    self.program.steps.push(Step::Moments { past: past_of, mean, deviation });
                    self.moments.insert(past_of, [mean, deviation]);
                    [mean, deviation]
                });
                if past == Past::Mean { mean } else { deviation }
            }
        };
        (to, past_of)
    }

    fn operand(&mut self, Count { what, back }: Count) -> Operand {
        self.read(depth_of(what));
        let past = back.map(|window| {
            let (past, is_new) = self.series(Kind::Counts(what), window, Needs::default());
            if is_new {
                self.program.steps.push(Step::KeepCount { past });
            }
            past
        });
        Operand { what, past }
    }

    /// Where the value of a root lies.
    fn root(&mut self, id: Id) -> Place {
        if is_leaf(&self.parts[id]) {
            return self.leaf(id);
        }
        let of = self.registers.get(&id).copied().expect("roots are computed");
        let place = self.building.next();
        self.program.steps.push(Step::Store { of, place });
        place
    }

    fn finish(self, places: Vec<Place>) -> Result<Compiled, ProgramError> {
        let Self { kinds, spreads, reads, mut program, .. } = self;
        if kinds.len() > PROGRAM_PASTS_MAX {
            return Err(ProgramError::Pasts(kinds.len()));
        }
        let numbers: usize = kinds
            .iter()
            .map(|&(kind, window, _)| match kind {
                Kind::Values(_) => room(window),
                Kind::Counts(_) => 2 * room(window),
                Kind::Moments(of) => Moments::numbers(room(window), spreads.contains(&(of, window))),
                Kind::Ema(_) => 0,
            })
            .sum();
        let megabytes = (numbers * size_of::<f64>()).div_ceil(1 << 20);
        if megabytes > PROGRAM_HISTORY_MB_MAX {
            return Err(ProgramError::History(megabytes));
        }
        for (kind, window, Needs { updates, millis, pasts }) in kinds {
            let after = program.after.len()..program.after.len() + pasts.len();
            program.after.extend(pasts);
            let kept = match kind {
                Kind::Values(_) => Kept::Values(Ring::new(room(window))),
                Kind::Counts(what) => Kept::Counts(what, Ring::new(room(window))),
                Kind::Moments(of) => Kept::Moments(Moments::new(room(window), spreads.contains(&(of, window)))),
                Kind::Ema(_) => Kept::Ema(Ema::new(window)),
            };
            let updates_needed = match (window, &kept) {
                (Window::Millis(_), _) => 0,
                (Window::Updates(k), Kept::Values(_) | Kept::Counts(..)) => k,
                // The value in hand is one of them.
                (Window::Updates(k), Kept::Moments(_) | Kept::Ema(_)) => k - 1,
            };
            program.series.push(Series {
                window,
                updates_needed,
                after_updates: updates,
                after_millis: millis,
                after,
                from: None,
                began_ns: 0,
                is_warm: false,
                kept,
            });
        }
        let program = (!program.steps.is_empty()).then_some(program);
        Ok(Compiled { program, places, reads })
    }
}

/// A feature that looks as deep into the book as a count does.
fn depth_of(counted: Counted) -> Feature {
    match counted {
        Counted::Price { side: BID, level } => Feature::BidPrice(level),
        Counted::Price { level, .. } => Feature::AskPrice(level),
        Counted::Size { side: BID, level } => Feature::BidSize(level),
        Counted::Size { level, .. } => Feature::AskSize(level),
        Counted::Sizes { side: BID, depth } => Feature::BidSize(depth),
        Counted::Sizes { depth, .. } => Feature::AskSize(depth),
        Counted::Mid => Feature::Mid,
    }
}

/// A count in the book as it is.
#[inline]
fn count(what: Counted, tops: [&Top; 2]) -> i128 {
    let at = |level: u8| usize::from(level) - 1;
    match what {
        Counted::Price { side, level } => i128::from(tops[side].price_ticks()[at(level)]),
        Counted::Mid => tops.iter().map(|top| i128::from(top.price_ticks()[0])).sum(),
        Counted::Size { side, level } => i128::from(tops[side].size_lots()[at(level)]),
        Counted::Sizes { side, depth } => {
            tops[side].size_lots()[..usize::from(depth)].iter().map(|&lots| i128::from(lots)).sum()
        }
    }
}

impl Program {
    /// How many steps it has.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether values depend on what was before, and not on the book alone.
    pub fn looks_back(&self) -> bool {
        !self.series.is_empty()
    }

    /// Updates that windows of time forgot early.
    pub fn overruns(&self) -> u64 {
        self.updates.overruns()
    }

    /// Whether a value of its own goes to that place, which a run may leave without one.
    pub fn stores_to(&self, place: Place) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Store { place: to, .. } if *to == place))
    }

    /// Whether the history is long enough for all values.
    #[inline]
    pub fn is_warm(&self) -> bool {
        self.is_warm || self.series.is_empty()
    }

    /// Whether a value of the last run is none.
    #[inline]
    pub fn is_undefined(&self) -> bool {
        self.is_undefined
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.updates.reset();
        self.is_warm = false;
        for series in &mut self.series {
            (series.from, series.is_warm) = (None, false);
            if let Kept::Ema(ema) = &mut series.kept {
                ema.reset();
            }
        }
    }

    /// Follows the book to a finer scale.
    pub fn refine(&mut self, from: Scale, to: Scale) {
        let times = |from: u8, to: u8| 10_i128.checked_pow(u32::from(to.saturating_sub(from))).unwrap_or(i128::MAX);
        let ticks_times = times(from.price_decimals, to.price_decimals);
        let lots_times = times(from.size_decimals, to.size_decimals);
        for series in &mut self.series {
            if let Kept::Counts(what, ring) = &mut series.kept {
                let times = if what.is_price() { ticks_times } else { lots_times };
                ring.each(|count| *count = count.saturating_mul(times));
            }
        }
    }

    /// Computes all values after an update received at `ts_recv_ns`, from the numbers of the catalogue and into them. `units` divide
    /// ticks and lots.
    #[inline(always)]
    pub fn run<L: Lanes>(
        &mut self,
        lanes: L,
        numbers: &mut Numbers,
        tops: [&Top; 2],
        units: [Divisor; 2],
        ts_recv_ns: i64,
    ) {
        let Self { steps, registers, operands, sums, differences, series, after, updates, is_warm, is_undefined } =
            self;
        let number = if series.is_empty() { 0 } else { updates.begin(ts_recv_ns) };
        *is_undefined = false;
        macro_rules! at {
            ($register:expr) => {
                registers[usize::from($register)]
            };
        }
        for &step in steps.iter() {
            match step {
                Step::Load { place, to } => at!(to) = defined(numbers[place]),
                Step::Unary { function, of, to } => at!(to) = arithmetic::unary(lanes, function, at!(of)),
                Step::Binary { function, a, b, to } => at!(to) = arithmetic::binary(function, at!(a), at!(b)),
                Step::Clip { of, low, high, to } => at!(to) = arithmetic::clip(at!(of), at!(low), at!(high)),
                Step::Sum { at: sum, to } => {
                    let operands = &operands[sums[usize::from(sum)].clone()];
                    at!(to) = arithmetic::sum(operands.iter().map(|&operand| at!(operand)));
                }
                Step::Difference { at, to } => {
                    let pair @ [a, b] = differences[usize::from(at)];
                    let [Some(a_count), Some(b_count)] =
                        pair.map(|operand| operand.count(series, updates, number, tops))
                    else {
                        at!(to) = f64::NAN;
                        continue;
                    };
                    // A mid is counted twice.
                    let (a_mid, b_mid) = (a.what == Counted::Mid, b.what == Counted::Mid);
                    let times = |doubled: bool| if !doubled && (a_mid || b_mid) { 2 } else { 1 };
                    let a_count = a_count.saturating_mul(times(a_mid));
                    let difference = a_count.saturating_sub(b_count.saturating_mul(times(b_mid))) as f64;
                    let in_units = lanes.count_in_units(difference, units[usize::from(!a.what.is_price())]);
                    at!(to) = if a_mid || b_mid { in_units / 2.0 } else { in_units };
                }
                Step::Keep { past, of } => {
                    let value = at!(of);
                    if begins(series, usize::from(past), after, updates, number) {
                        match &mut series[usize::from(past)].kept {
                            Kept::Values(ring) => ring.put(number, value),
                            Kept::Moments(moments) => moments.put(number, value),
                            Kept::Ema(ema) => ema.put(updates.since_ns(), value),
                            Kept::Counts(..) => {}
                        }
                    }
                }
                Step::KeepCount { past } => {
                    if begins(series, usize::from(past), after, updates, number)
                        && let Kept::Counts(what, ring) = &mut series[usize::from(past)].kept
                    {
                        ring.put(number, count(*what, tops));
                    }
                }
                Step::Lag { past, to } => {
                    let series = &series[usize::from(past)];
                    at!(to) = match &series.kept {
                        Kept::Values(ring) if series.is_warm => ring.get(series.lagged(updates, number)),
                        _ => f64::NAN,
                    };
                }
                Step::Moments { past, mean, deviation } => {
                    let series = &series[usize::from(past)];
                    let (of, spread) = match &series.kept {
                        Kept::Moments(moments) if series.is_warm => {
                            moments.over(updates.oldest_in(series.window, number), number)
                        }
                        _ => (f64::NAN, f64::NAN),
                    };
                    (at!(mean), at!(deviation)) = (defined(of), defined(spread));
                }
                Step::Ema { past, to } => {
                    let series = &series[usize::from(past)];
                    at!(to) = match &series.kept {
                        Kept::Ema(ema) if series.is_warm => ema.mean(),
                        _ => f64::NAN,
                    };
                }
                Step::Store { of, place } => {
                    let value = at!(of);
                    numbers[place] = value;
                    *is_undefined |= !value.is_finite();
                }
            }
        }
        if !*is_warm {
            *is_warm = series.iter().all(|series| series.is_warm);
        }
    }
}

/// Whether a series has begun, which it does when all before it have values; from its window on it has values itself.
#[inline]
fn begins(series: &mut [Series], past: usize, after: &[u16], updates: &Updates, number: u64) -> bool {
    let Series { after_updates, after_millis, .. } = series[past];
    let from = match series[past].from {
        Some(from) => from,
        None => {
            let after = &after[series[past].after.clone()];
            let are_warm = after.iter().all(|&other| series[usize::from(other)].is_warm);
            if !are_warm || !updates.reach(after_updates, after_millis) {
                return false;
            }
            (series[past].from, series[past].began_ns) = (Some(number), updates.now_ns());
            number
        }
    };
    let series = &mut series[past];
    if !series.is_warm {
        series.is_warm = match series.window {
            Window::Updates(_) => number - from >= u64::from(series.updates_needed),
            Window::Millis(millis) => updates.spans(series.began_ns, millis),
        };
    }
    true
}

impl Series {
    /// The update a window back.
    #[inline]
    fn lagged(&self, updates: &Updates, number: u64) -> u64 {
        // The one before the oldest in the window: a warm series has it.
        updates.oldest_in(self.window, number).saturating_sub(1)
    }
}

impl Operand {
    #[inline(always)]
    fn count(self, series: &[Series], updates: &Updates, number: u64, tops: [&Top; 2]) -> Option<i128> {
        let Some(past) = self.past else { return Some(count(self.what, tops)) };
        let series = &series[usize::from(past)];
        match &series.kept {
            Kept::Counts(_, ring) if series.is_warm => Some(ring.get(series.lagged(updates, number))),
            _ => None,
        }
    }
}
