//! How prints came to accounts beside the original's.

use crate::capture::tape_check::SHARE_MIN;
use crate::engine::trader::TraderReport;
use crate::execution::records::AccountKind;
use crate::report::text::{Grouped, counted};
use serde::{Deserialize, Serialize};

/// Prints below which their sides say nothing.
const SIDES_MIN: u64 = 50;
/// The share of prints left out above which makers' fills are doubtful.
const LATE_MAX: f64 = 0.1;

/// Counts of the prints that makers were shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TapeCounters {
    /// Of the prints that met resting orders: those not right in the middle of the book, and those of them whose side fits it.
    pub sides_compared: u64,
    pub sides_agreeing: u64,
    /// Milliseconds; `None` in order of arrival, and then nothing of what follows.
    pub held_back_ms: Option<f64>,
    pub held_prints: u64,
    /// Prints left out: an update of their time or later had been let go.
    pub prints_too_late: u64,
    /// Prints in order of arrival: they had no time that can be held against the book's.
    pub prints_without_time: u64,
    /// Updates let go before their time: a snapshot came, the book was lost, or there was no room.
    pub updates_let_go_early: u64,
    /// How far the prints' clock was ahead of their messages', milliseconds; corrected.
    pub prints_clock_ahead_ms: f64,
}

impl TapeCounters {
    /// Of a trader; `None` where none of its accounts is a maker.
    pub fn of(trader: &TraderReport) -> Option<Self> {
        if !trader.desk.accounts.iter().any(|account| AccountKind::MAKERS.contains(&account.kind)) {
            return None;
        }
        let (sides, held) = (trader.desk.sides, trader.hold_back.unwrap_or_default());
        let ms = |ns: i64| ns as f64 / 1e6;
        Some(Self {
            sides_compared: sides.compared,
            sides_agreeing: sides.agreeing,
            held_back_ms: trader.hold_back.map(|held| ms(held.hold_ns)),
            held_prints: held.prints,
            prints_too_late: held.late,
            prints_without_time: held.untimed,
            updates_let_go_early: held.early,
            prints_clock_ahead_ms: ms(held.tape_ahead_ns),
        })
    }

    /// In which order makers saw book and prints, in words.
    pub fn order(&self) -> String {
        let Some(held_ms) = self.held_back_ms else { return "in order of arrival".into() };
        let mut text = format!("held back {held_ms} ms, {}", counted(self.held_prints, "print"));
        let odd = [
            (self.prints_too_late, "too late and left out"),
            (self.prints_without_time, "without a time, in order of arrival"),
        ];
        for (count, what) in odd.into_iter().filter(|&(count, _)| count > 0) {
            text += &format!(", {} {what}", Grouped(count));
        }
        if self.prints_clock_ahead_ms > 0.0 && self.prints_without_time < self.held_prints {
            text += &format!("; their clock is {:.0} ms ahead, corrected", self.prints_clock_ahead_ms);
        }
        text
    }

    /// Why the makers' fills may be others: a sentence for each reason.
    pub fn doubts(&self) -> Vec<String> {
        let share = self.sides_agreeing as f64 / self.sides_compared as f64;
        let sides = (self.sides_compared >= SIDES_MIN && share < SHARE_MIN).then(|| {
            format!(
                "Of {} that met resting orders, the side of only {} fits the book: it may be the taker's (--prints-side), or they \
                 come too late (--hold-back). Makers' fills are doubtful.",
                counted(self.sides_compared, "print"),
                Grouped(self.sides_agreeing)
            )
        });
        let is_late = self.prints_too_late as f64 > LATE_MAX * self.held_prints as f64;
        let late = is_late.then(|| {
            format!(
                "Of {} {} came too late and filled nobody: hold back longer (--hold-back), or the venue's times are wrong. \
                 Makers' fills are doubtful.",
                counted(self.held_prints, "print"),
                Grouped(self.prints_too_late)
            )
        });
        [sides, late].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_about_a_tape_is_said() {
        let tape = TapeCounters { sides_compared: 1_000, sides_agreeing: 900, ..TapeCounters::default() };
        assert_eq!((tape.order().as_str(), tape.doubts()), ("in order of arrival", vec![]));
        let tape = TapeCounters {
            sides_agreeing: 899,
            held_back_ms: Some(500.0),
            held_prints: 1_200,
            prints_too_late: 3,
            prints_without_time: 1,
            prints_clock_ahead_ms: 1_260.4,
            ..tape
        };
        assert_eq!(
            tape.order(),
            "held back 500 ms, 1,200 prints, 3 too late and left out, 1 without a time, in order of arrival; their clock is 1260 ms \
             ahead, corrected"
        );
        let [doubt] = &tape.doubts()[..] else { panic!("one doubt") };
        assert!(
            doubt.starts_with("Of 1,000 prints that met resting orders, the side of only 899 fits the book"),
            "{doubt}"
        );
        let tape = TapeCounters { sides_compared: 49, sides_agreeing: 0, ..tape };
        assert!(tape.doubts().is_empty());
        assert!(TapeCounters { prints_too_late: 120, ..tape.clone() }.doubts().is_empty());
        let [doubt] = &TapeCounters { prints_too_late: 121, ..tape }.doubts()[..] else { panic!("one doubt") };
        assert!(doubt.starts_with("Of 1,200 prints 121 came too late and filled nobody: hold back longer"), "{doubt}");
    }
}
