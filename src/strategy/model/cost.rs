//! What an evaluation of a graph costs that another library runs.
//!
//! Models that the program compiles itself allocate nothing and need no such figures.

#[cfg(feature = "onnx-graphs")]
use super::Model;
use std::sync::OnceLock;
use std::time::Duration;
#[cfg(feature = "onnx-graphs")]
use std::time::Instant;

/// Rows that are evaluated for it.
pub const COST_ROWS: usize = 200;
/// Time after which no further row is.
pub const COST_TIME_MAX: Duration = Duration::from_secs(2);

/// What an evaluation costs, measured over rows of zeros and of ones in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// How many rows.
    pub evaluations: u64,
    /// The median time of one, nanoseconds.
    pub p50_ns: u64,
    /// 99% take at most this, nanoseconds.
    pub p99_ns: u64,
    /// The most that one allocated: how often, and how many bytes in all. `None` in a program that does not count.
    pub allocations: Option<(u64, u64)>,
}

/// Runs something once and tells how often and how many bytes this thread allocated meanwhile.
pub type CountAllocations = fn(&mut dyn FnMut()) -> (u64, u64);

static COUNT: OnceLock<CountAllocations> = OnceLock::new();

/// What counts for all models: only the program, which chooses its allocator, can. The first call holds.
pub fn count_allocations_by(count: CountAllocations) {
    let _ = COUNT.set(count);
}

impl Cost {
    /// Evaluates rows and measures.
    #[cfg(feature = "onnx-graphs")]
    pub(super) fn of(model: &mut Model) -> Self {
        let rows = [0.0, 1.0].map(|value| vec![value; model.features.len()]);
        let mut row = rows.iter().cycle();
        let mut evaluate = |model: &mut Model| row.by_ref().take(1).for_each(|row| _ = model.logit_of_row(row));
        // The first two make what later ones use again.
        (0..2).for_each(|_| evaluate(model));
        let allocations = COUNT.get().map(|count| {
            let counted: [(u64, u64); 2] = std::array::from_fn(|_| count(&mut || evaluate(model)));
            counted[0].max(counted[1])
        });
        let mut times_ns = Vec::with_capacity(COST_ROWS);
        let begun = Instant::now();
        while times_ns.len() < COST_ROWS && (times_ns.is_empty() || begun.elapsed() < COST_TIME_MAX) {
            let before = Instant::now();
            evaluate(model);
            times_ns.push(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        times_ns.sort_unstable();
        let at = |share: usize| times_ns[(times_ns.len() * share).div_ceil(100) - 1];
        Self { evaluations: times_ns.len() as u64, p50_ns: at(50), p99_ns: at(99), allocations }
    }
}
