//! What the system took from the hot threads.

use std::fs;

/// What the system took from the hot threads, read from `/proc`; nothing where there is no such thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noise {
    /// Time that the hypervisor gave to others, over all cores, milliseconds.
    pub steal_ms: Option<u64>,
    /// Times that the system took a core from a hot thread that had not offered it.
    pub involuntary_switches: Option<u64>,
}

/// Reads [`Noise`] while a session runs.
#[derive(Debug)]
pub struct NoiseMeter {
    steal_before_ms: Option<u64>,
    switches: Option<u64>,
}

/// The names that a session gives its hot threads.
const HOT_THREADS: [&str; 3] = ["feed", "engine", "fused"];
/// Milliseconds per unit of `/proc/stat`, whose user-visible rate is 100 a second on every Linux.
const STAT_UNIT_MS: u64 = 10;

impl NoiseMeter {
    /// Begins.
    pub fn start() -> Self {
        Self { steal_before_ms: read_steal_ms(), switches: None }
    }

    /// Looks at the hot threads; to be called now and then while they run.
    pub fn look(&mut self) {
        let switches: Vec<u64> = fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .flatten()
            .filter(|task| {
                let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
                HOT_THREADS.contains(&name.trim_end())
            })
            .filter_map(|task| involuntary_switches(&fs::read_to_string(task.path().join("status")).ok()?))
            .collect();
        if !switches.is_empty() {
            // A thread that has ended is not listed any more.
            self.switches = self.switches.max(Some(switches.iter().sum()));
        }
    }

    /// What happened since the start.
    pub fn noise(&self) -> Noise {
        let steal_ms = read_steal_ms().zip(self.steal_before_ms).map(|(now, before)| now.saturating_sub(before));
        Noise { steal_ms, involuntary_switches: self.switches }
    }
}

fn read_steal_ms() -> Option<u64> {
    steal_ms(&fs::read_to_string("/proc/stat").ok()?)
}

/// The eighth number of the line `cpu`, see proc_stat(5).
fn steal_ms(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    line.split_whitespace().nth(7)?.parse().ok().map(|units: u64| units * STAT_UNIT_MS)
}

/// The number behind `nonvoluntary_ctxt_switches`, see proc_pid_status(5).
fn involuntary_switches(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?.trim().parse().ok()
}

/// Steal per second of a run above which its tail is not ours, milliseconds.
const STEAL_MS_PER_S_MAX: f64 = 1.0;
/// Involuntary switches per second of a run above which its tail is not ours.
const SWITCHES_PER_S_MAX: f64 = 5.0;

impl Noise {
    /// Why a run of so many seconds is not to be trusted; nothing if it is.
    pub fn complaints(self, seconds: f64) -> Vec<String> {
        let mut complaints = Vec::new();
        if let Some(steal_ms) = self.steal_ms
            && steal_ms as f64 > STEAL_MS_PER_S_MAX * seconds
        {
            complaints.push(format!("the hypervisor took {steal_ms} ms of {seconds:.1} s from this machine"));
        }
        if let Some(switches) = self.involuntary_switches
            && switches as f64 > SWITCHES_PER_S_MAX * seconds
        {
            complaints.push(format!("the system took the core from a hot thread {switches} times in {seconds:.1} s"));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_read() {
        assert_eq!(steal_ms("cpu  1 2 3 4 5 6 7 89 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n"), Some(890));
        assert_eq!(steal_ms("cpu  1 2 3\n"), None);
        assert_eq!(steal_ms(""), None);
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t17\n";
        assert_eq!(involuntary_switches(status), Some(17));
        assert_eq!(involuntary_switches("Name:\tx\n"), None);
    }

    #[test]
    fn noise_is_called_by_its_name() {
        let quiet = Noise { steal_ms: Some(1), involuntary_switches: Some(3) };
        assert!(quiet.complaints(1.0).is_empty() && Noise::default().complaints(1.0).is_empty());
        let loud = Noise { steal_ms: Some(20), involuntary_switches: Some(70) };
        assert_eq!(
            loud.complaints(2.0),
            [
                "the hypervisor took 20 ms of 2.0 s from this machine",
                "the system took the core from a hot thread 70 times in 2.0 s"
            ]
        );
    }
}
