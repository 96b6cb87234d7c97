//! Monotonic stamps for latency, wall time for the log, and the pace of a replay.
//!
//! ```
//! use papertrader::base::clock::{Clock, parse_utc_ns};
//!
//! let clock = Clock::new();
//! let from = clock.stamp();
//! let to = clock.later(from, 1_000_000);
//! assert!(clock.between_ns(from, to).abs_diff(1_000_000) < 1_000);
//! assert_eq!(clock.between_ns(to, from), 0);
//!
//! assert_eq!(parse_utc_ns(b"2024-08-09T00:00:00Z"), Some(1_723_161_600_000_000_000));
//! ```

use std::hint::spin_loop;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads and compares monotonic stamps.
///
/// A stamp is a raw reading of the processor's time-stamp counter where that is invariant, else of the system's
/// monotonic clock: it costs a few nanoseconds and means something only to [`Clock::between_ns`].
#[derive(Clone, Debug)]
pub struct Clock(quanta::Clock);

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// The process's clock. The first call calibrates the counter, which takes milliseconds; all clocks share the result.
    pub fn new() -> Self {
        Self(quanta::Clock::new())
    }

    /// A stamp of now.
    #[inline]
    pub fn stamp(&self) -> u64 {
        self.0.raw()
    }

    /// Nanoseconds from one stamp to a later one; 0 when they are the other way round, as stamps of two cores can be by a
    /// few counts.
    #[inline]
    pub fn between_ns(&self, from: u64, to: u64) -> u64 {
        self.0.delta_as_nanos(from, to.max(from))
    }

    /// The stamp that lies so many nanoseconds after another.
    pub fn later(&self, from: u64, ns: u64) -> u64 {
        // The counter's rate, from a span that is long against a nanosecond's rounding.
        const SPAN: u64 = 1 << 40;
        let span_ns = self.0.delta_as_nanos(0, SPAN).max(1);
        let counts = u128::from(ns) * u128::from(SPAN) / u128::from(span_ns);
        from.saturating_add(u64::try_from(counts).unwrap_or(u64::MAX))
    }

    /// The cost of a stamp: the median, in nanoseconds, of `2^12` differences of two successive ones. No stage can
    /// be measured finer than this.
    pub fn floor_ns(&self) -> u64 {
        let mut deltas_ns: Vec<u64> = (0..1 << 12)
            .map(|_| {
                let from = self.stamp();
                self.between_ns(from, self.stamp())
            })
            .collect();
        deltas_ns.sort_unstable();
        deltas_ns[deltas_ns.len() / 2]
    }
}

/// The system's wall clock, Unix nanoseconds; it can step.
pub fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Turns an RFC 3339 time stamp in UTC, as the venue prints it (`2024-08-08T23:54:16.609369665Z`), into Unix
/// nanoseconds. `None` for anything else.
pub fn parse_utc_ns(text: &[u8]) -> Option<i64> {
    let (fixed, rest) = text.split_at_checked(19)?;
    let fraction = rest.strip_suffix(b"Z")?;
    let digits = |at: std::ops::Range<usize>| -> Option<i64> {
        fixed[at].iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let punctuated =
        [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')].iter().all(|&(at, mark)| fixed[at] == mark);
    if !punctuated {
        return None;
    }
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970-01-01 in the proleptic Gregorian calendar, years counted from March so that the leap day is last:
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    let march_year = year - i64::from(month <= 2);
    let era = march_year.div_euclid(400);
    let year_of_era = march_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;

    let fraction_ns = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => {
            let count = digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
            count * 10_i64.pow(9 - digits.len() as u32)
        }
        _ => return None,
    };
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction_ns)
}

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as it goes.
    Max,
    /// So many times as fast as it was recorded.
    Times(f64),
}

/// Holds back recorded frames until they are due.
#[derive(Debug)]
pub struct Pacer {
    speed: Speed,
    clock: Clock,
    spins: bool,
    schedule: Option<Schedule>,
}

/// When frames are due, by stamps of the pacer's clock.
#[derive(Debug)]
struct Schedule {
    /// When a frame that was received at `start_recv_ns` is due.
    start: u64,
    start_recv_ns: i64,
    /// The latest receive time since then.
    newest_recv_ns: i64,
    /// When the last frame was due. Due times do not fall: a frame comes behind those that were recorded before it.
    due: u64,
}

/// The longest that a pacer sleeps before it looks whether to stop.
const PACE_SLICE: Duration = Duration::from_millis(50);

/// Receive times that fall by more than this are of another recording, or of one that is played again: the schedule goes on from
/// there. By less, they are of clocks that disagree.
const SEAM_NS: i64 = 1_000_000_000;

impl Pacer {
    /// A pacer that starts with the first frame it sees. It spins until a frame is due, or sleeps, which lasts some tens of
    /// microseconds longer.
    pub fn new(speed: Speed, clock: Clock, spins: bool) -> Self {
        Self { speed, clock, spins, schedule: None }
    }

    /// Waits until a frame that was received at `ts_recv_ns` is due, or until `stop` says so. Gives the stamp at which it is due by
    /// the schedule, however late it is; `None` at full speed, where no frame is ever early or late.
    pub fn wait_until_due(&mut self, ts_recv_ns: i64, stop: impl Fn() -> bool) -> Option<u64> {
        let Speed::Times(times) = self.speed else { return None };
        let clock = &self.clock;
        let schedule = self.schedule.get_or_insert_with(|| {
            let start = clock.stamp();
            Schedule { start, start_recv_ns: ts_recv_ns, newest_recv_ns: ts_recv_ns, due: start }
        });
        let due = schedule.due(ts_recv_ns, times, clock);
        while !stop() {
            let now = clock.stamp();
            if now >= due {
                break;
            }
            if self.spins {
                spin_loop();
            } else {
                // A clock count more than is left: a sleep that ends too soon would be followed by another one.
                let left = Duration::from_nanos(clock.between_ns(now, due).saturating_add(1));
                thread::sleep(left.min(PACE_SLICE));
            }
        }
        Some(due)
    }
}

impl Schedule {
    fn due(&mut self, ts_recv_ns: i64, times: f64, clock: &Clock) -> u64 {
        if self.newest_recv_ns.saturating_sub(ts_recv_ns) > SEAM_NS {
            (self.start, self.start_recv_ns, self.newest_recv_ns) = (self.due, ts_recv_ns, ts_recv_ns);
        }
        self.newest_recv_ns = self.newest_recv_ns.max(ts_recv_ns);
        let recorded_ns = ts_recv_ns.saturating_sub(self.start_recv_ns).max(0) as f64;
        // What is due after more nanoseconds than a word holds is never due: the conversion saturates, and so does the stamp.
        let due = clock.later(self.start, (recorded_ns / times) as u64);
        self.due = self.due.max(due);
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Instant;

    #[test]
    fn stamps_never_give_negative_times() {
        let clock = Clock::new();
        let (early, late) = (clock.stamp(), clock.stamp());
        assert_eq!(clock.between_ns(late.max(early + 1), early), 0);
    }

    #[test]
    fn a_later_stamp_is_as_late_as_it_should_be() {
        let clock = Clock::new();
        let from = clock.stamp();
        for ns in [0, 1, 999, 1_000_000, 3_600_000_000_000] {
            let late_ns = clock.between_ns(from, clock.later(from, ns));
            assert!(late_ns.abs_diff(ns) <= 1 + ns / 1_000_000_000, "{late_ns} for {ns}");
        }
    }

    #[test]
    fn what_is_no_utc_time_is_none() {
        for text in [
            "",
            "2024-08-08T23:54:16",
            "2024-08-08 23:54:16Z",
            "2024-13-08T23:54:16Z",
            "2024-02-30T23:54:16Z",
            "2023-02-29T23:54:16Z",
            "2024-08-08T24:54:16Z",
            "2024-08-08T23:54:16.Z",
            "2024-08-08T23:54:16.1234567890Z",
            "2024-08-08T23:54:16.12x4Z",
            "2024-08-08T23:54:16+02:00",
        ] {
            assert_eq!(parse_utc_ns(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_utc_ns(b"1970-01-01T00:00:00Z"), Some(0));
    }

    #[test]
    fn a_paced_frame_waits_and_a_stop_ends_the_wait() {
        for spins in [false, true] {
            let clock = Clock::new();
            let mut pacer = Pacer::new(Speed::Times(10.0), clock.clone(), spins);
            let start = pacer.wait_until_due(0, || false).unwrap();
            let before = Instant::now();
            let due = pacer.wait_until_due(100_000_000, || false).unwrap();
            assert!(clock.stamp() >= due && before.elapsed() >= Duration::from_millis(9));
            assert!(clock.between_ns(start, due).abs_diff(10_000_000) <= 1, "{start} {due}");
            assert!(pacer.wait_until_due(i64::MAX, || true) > Some(due));
            let full_speed = Pacer::new(Speed::Max, clock, spins).wait_until_due(i64::MAX, || panic!("no wait"));
            assert_eq!(full_speed, None);
        }
    }

    #[test]
    fn due_times_are_those_of_the_schedule_and_do_not_fall() {
        const S: i64 = 1_000_000_000;
        let clock = Clock::new();
        let mut schedule = Schedule { start: 500, start_recv_ns: 100 * S, newest_recv_ns: 100 * S, due: 500 };
        let mut due_s =
            |ts_recv_ns| clock.between_ns(500, schedule.due(ts_recv_ns, 2.0, &clock)).div_ceil(10) as f64 / 1e8;
        assert_eq!([100 * S, 104 * S].map(&mut due_s), [0.0, 2.0]);
        // A clock that is behind by a little: as late as the frame before.
        assert_eq!([104 * S - S / 2, 103 * S, 105 * S].map(&mut due_s), [2.0, 2.0, 2.5]);
        // The recording begins again: so does the schedule, from there.
        assert_eq!([100 * S, 104 * S, 50 * S, 51 * S].map(&mut due_s), [2.5, 4.5, 4.5, 5.0]);
    }

    #[test]
    fn a_frame_due_beyond_all_time_is_not_let_go_at_once() {
        let mut pacer = Pacer::new(Speed::Times(1e-300), Clock::new(), false);
        pacer.wait_until_due(0, || false);
        let looks = std::cell::Cell::new(0);
        pacer.wait_until_due(1, || looks.replace(looks.get() + 1) == 1);
        assert_eq!(looks.get(), 2);
    }

    proptest! {
        #[test]
        fn utc_times_agree_with_jiff(ns in -2_000_000_000_000_000_000..i64::MAX, decimals in 0..=9_usize) {
            let step = 10_i64.pow(9 - decimals as u32);
            let ns = ns.div_euclid(step) * step;
            let text = format!("{:.decimals$}", jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap());
            prop_assert_eq!(parse_utc_ns(text.as_bytes()), Some(ns), "{}", text);
        }
    }
}
