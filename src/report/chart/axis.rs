//! Axes: a range, labelled places on it, and what is measured in which unit.
//!
//! ```
//! use papertrader::report::chart::Axis;
//! use papertrader::report::chart::axis::fixed;
//!
//! let axis = Axis::exact("share", (0.0, 1.0), 5);
//! let labels: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
//! assert_eq!(labels, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
//! assert_eq!(fixed(-12_345.678, 2), "−12,345.68");
//! ```

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Both ends, the lower first; they differ.
    pub range: (f64, f64),
    /// Places in the range, and their labels.
    pub ticks: Vec<(f64, String)>,
    /// What is measured, with its unit.
    pub title: String,
}

/// Room beyond the data, as a share of its extent.
const PAD: f64 = 0.04;

/// The least and the greatest of values that are numbers, or (0, 0).
pub fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let extent = values
        .into_iter()
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if extent.0 <= extent.1 { extent } else { (0.0, 0.0) }
}

/// No end lies farther from 0: what is computed of ends stays finite.
const END_MAX: f64 = 1e150;
/// No axis is narrower, but for the precision of its numbers.
const WIDTH_MIN: f64 = 1e-150;

/// Two ends that are numbers and differ, the lower first.
fn opened((one, other): (f64, f64)) -> (f64, f64) {
    let [one, other] = [one, other].map(|end| if end.is_nan() { 0.0 } else { end.clamp(-END_MAX, END_MAX) });
    let (low, high) = (one.min(other), one.max(other));
    if high - low > WIDTH_MIN.max(f64::EPSILON * low.abs().max(high.abs())) {
        return (low, high);
    }
    let room = if low.abs() <= WIDTH_MIN { 1.0 } else { low.abs() * 0.01 };
    (low - room, high + room)
}

/// The step of 1, 2 or 5 times a power of ten that gives at most `count` places in so wide a range.
fn nice_step(width: f64, count: usize) -> f64 {
    let least = width / count.max(1) as f64;
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|&step| step >= least * (1.0 - 1e-9))
        .unwrap_or(least)
}

/// Multiples of `step` in a range.
fn multiples((low, high): (f64, f64), step: f64) -> impl Iterator<Item = f64> {
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    // A negative zero would be labelled as such.
    (first..=last.min(first.saturating_add(200))).map(move |n| (n as f64 * step + 0.0).clamp(low, high))
}

/// From here on a number is written with a power of ten: its digits are more than a double has.
const FIXED_MAX: f64 = 1e15;

/// A number with its thousands apart and so many decimals, four digits and a power of ten from 10^15 on; a dash for what is no
/// number.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    if value.abs() >= FIXED_MAX {
        return with_power(value, 3);
    }
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::new();
    // What is shown as zero has no sign.
    if value < 0.0 && plain.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        text.push('−');
    }
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A number with a power of ten and so many decimals before it.
fn with_power(value: f64, decimals: usize) -> String {
    format!("{}{:.decimals$e}", if value < 0.0 { "−" } else { "" }, value.abs())
}

/// Labels have at most so many decimals; finer ones have a power of ten.
const DECIMALS_MAX: f64 = 9.0;

/// Labels of multiples of a step that tell them apart, none longer than a double's digits and its power of ten.
fn labelled(multiples: impl Iterator<Item = f64>, step: f64) -> Vec<(f64, String)> {
    let power = step.log10().floor();
    let places: Vec<f64> = multiples.collect();
    let has_power = -power > DECIMALS_MAX || places.iter().any(|at| at.abs() >= FIXED_MAX);
    let label = |at: f64| match at {
        at if !has_power => fixed(at, (-power).max(0.0) as usize),
        0.0 => "0".into(),
        at => with_power(at, (at.abs().log10().floor() - power).clamp(0.0, 16.0) as usize),
    };
    places.into_iter().map(|at| (at, label(at))).collect()
}

impl Axis {
    /// Linear, with some room beyond the data.
    pub fn linear(title: impl Into<String>, data: (f64, f64), labels: usize) -> Self {
        let (low, high) = opened(data);
        let room = PAD * (high - low);
        Self::exact(title, (low - room, high + room), labels)
    }

    /// Linear from 0, with some room above the data.
    pub fn from_zero(title: impl Into<String>, greatest: f64, labels: usize) -> Self {
        let high = if greatest > 0.0 { greatest } else { 1.0 };
        Self::exact(title, (0.0, high * (1.0 + 1.5 * PAD)), labels)
    }

    /// Linear, of exactly this range.
    pub fn exact(title: impl Into<String>, range: (f64, f64), labels: usize) -> Self {
        let range = opened(range);
        let step = nice_step(range.1 - range.0, labels);
        Self { range, ticks: labelled(multiples(range, step), step), title: title.into() }
    }

    /// Linear, with whole numbers for labels.
    pub fn whole(title: impl Into<String>, data: (f64, f64), labels: usize) -> Self {
        let range = opened(data);
        let step = nice_step(range.1 - range.0, labels).max(1.0);
        Self { range, ticks: labelled(multiples(range, step), step), title: title.into() }
    }

    /// Shares of one, labelled in percent.
    pub fn share(title: impl Into<String>, range: (f64, f64), labels: usize) -> Self {
        let range = opened(range);
        let step = nice_step(range.1 - range.0, labels);
        let percent = labelled(multiples(range, step).map(|at| at * 100.0), step * 100.0);
        let places = multiples(range, step).zip(percent);
        let ticks = places.map(|(at, (_, percent))| (at, format!("{percent} %"))).collect();
        Self { range, ticks, title: title.into() }
    }

    /// Seconds, labelled in what suits their range; `title` is followed by the unit.
    pub fn seconds(title: &str, data: (f64, f64), labels: usize) -> Self {
        const STEPS_S: [f64; 22] = [
            1.0,
            2.0,
            5.0,
            10.0,
            15.0,
            30.0,
            60.0,
            120.0,
            300.0,
            600.0,
            900.0,
            1_800.0,
            3_600.0,
            7_200.0,
            10_800.0,
            21_600.0,
            43_200.0,
            86_400.0,
            172_800.0,
            604_800.0,
            1_209_600.0,
            2_419_200.0,
        ];
        let range = opened(data);
        let least = (range.1 - range.0) / labels.max(1) as f64;
        if range.1 <= 20.0 {
            return Self::exact(format!("{title}, s"), range, labels);
        }
        let step =
            STEPS_S.into_iter().find(|&step| step >= least).unwrap_or_else(|| nice_step(range.1 - range.0, labels));
        let (unit, label): (&str, fn(u64) -> String) = if range.1 < 3_600.0 {
            ("min:s", |s| format!("{}:{:02}", s / 60, s % 60))
        } else if range.1 < 3.0 * 86_400.0 {
            ("h:min", |s| format!("{}:{:02}", s / 3_600, s / 60 % 60))
        } else {
            ("days", |s| fixed(s as f64 / 86_400.0, usize::from(s % 86_400 > 0)))
        };
        let ticks = multiples(range, step).map(|at| (at, label(at.max(0.0) as u64))).collect();
        Self { range, ticks, title: format!("{title}, {unit}") }
    }

    /// Powers of ten: data and range are logarithms to base 10.
    pub fn powers(title: impl Into<String>, (low, high): (f64, f64)) -> Self {
        let range = opened((low.floor(), high.ceil()));
        let label = |power: f64| match 10_f64.powf(power) {
            number if (-DECIMALS_MAX..15.0).contains(&power) => fixed(number, (-power).max(0.0) as usize),
            number if number.is_finite() => with_power(number, 0),
            _ => "–".into(),
        };
        let ticks = multiples(range, 1.0).map(|at| (at, label(at.round()))).collect();
        Self { range, ticks, title: title.into() }
    }

    /// Powers of ten: data and range are logarithms of nanoseconds to base 10.
    pub fn nanoseconds(title: impl Into<String>, (low, high): (f64, f64)) -> Self {
        let range = opened((low.floor(), high.ceil()));
        let label = |power: i64| {
            const UNITS: [&str; 4] = ["ns", "µs", "ms", "s"];
            let unit = (power.max(0) as usize / 3).min(UNITS.len() - 1);
            format!("{} {}", 10_i64.pow((power.clamp(0, 18) - 3 * unit as i64) as u32), UNITS[unit])
        };
        let ticks = multiples(range, 1.0).map(|at| (at, label(at.round() as i64))).collect();
        Self { range, ticks, title: title.into() }
    }

    /// Durations: data and range are logarithms of nanoseconds to base 10. Multiples of powers of ten are labelled where there
    /// is room.
    pub fn durations(title: impl Into<String>, data: (f64, f64), narrow: bool) -> Self {
        let range = opened(data);
        let whole = Self::nanoseconds("", range);
        let between: &[i64] = match range.1 - range.0 {
            width if width > 6.0 => &[1],
            width if width > 2.5 => &[1, 3],
            _ if narrow => &[1, 2, 5],
            _ => &[1, 2, 3, 4, 5, 7],
        };
        let mut ticks = Vec::new();
        for (at, label) in &whole.ticks {
            let (number, unit) = label.split_once(' ').unwrap_or((label, ""));
            let number: i64 = number.parse().unwrap_or(1);
            for times in between {
                let at = at + (*times as f64).log10();
                if (range.0..=range.1).contains(&at) {
                    ticks.push((at, format!("{} {unit}", number * times)));
                }
            }
        }
        if ticks.is_empty() {
            let middle = f64::midpoint(range.0, range.1);
            ticks.push((middle, format!("{} s", fixed(10_f64.powf(middle - 9.0), 3))));
        }
        Self { range, ticks, title: title.into() }
    }

    /// Quantiles on a scale that gives each nine the same room: places are log10 of 1 / (1 − quantile).
    pub fn nines(title: impl Into<String>, greatest: f64, narrow: bool) -> Self {
        let range = (0.0, greatest.max(1.0));
        let mut ticks = vec![(0.0, "0 %".to_string())];
        if !narrow {
            ticks.push((2_f64.log10(), "50 %".into()));
        }
        for nines in (1..=range.1 as usize).filter(|nines| !narrow || nines % 2 == 1 || range.1 < 4.0) {
            let label = match nines {
                1 => "90 %".into(),
                2 => "99 %".into(),
                more => format!("99.{} %", "9".repeat(more - 2)),
            };
            ticks.push((nines as f64, label));
        }
        Self { range, ticks, title: title.into() }
    }

    /// With a word at its end, instead of labels that would touch it.
    #[must_use]
    pub fn ending_with(mut self, word: &str, narrow: bool) -> Self {
        let (low, high) = self.range;
        let room = (high - low) * if narrow { 0.16 } else { 0.06 };
        self.ticks.retain(|&(at, _)| at < high - room);
        self.ticks.push((high, word.into()));
        self
    }

    /// Names at whole numbers from 0, the first at the low end.
    pub fn names(title: impl Into<String>, names: impl IntoIterator<Item = String>) -> Self {
        let ticks: Vec<(f64, String)> = names.into_iter().enumerate().map(|(at, name)| (at as f64, name)).collect();
        Self { range: (-0.6, ticks.len() as f64 - 0.4), ticks, title: title.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn labels_are_round_and_apart() {
        assert_eq!(labels(&Axis::exact("", (-0.7, 1.2), 5)), ["−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(
            labels(&Axis::exact("", (0.0, 26_000.0), 6)),
            ["0", "5,000", "10,000", "15,000", "20,000", "25,000"]
        );
        assert_eq!(
            labels(&Axis::exact("", (61_800.0, 61_800.4), 4)),
            ["61,800.0", "61,800.1", "61,800.2", "61,800.3", "61,800.4"]
        );
        assert_eq!(labels(&Axis::share("", (0.0, 1.0), 4)), ["0 %", "50 %", "100 %"]);
        assert_eq!(labels(&Axis::seconds("t", (0.0, 344.0), 6)), ["0:00", "1:00", "2:00", "3:00", "4:00", "5:00"]);
        assert_eq!(labels(&Axis::seconds("t", (0.0, 90_000.0), 6)), ["0:00", "6:00", "12:00", "18:00", "24:00"]);
        assert_eq!(labels(&Axis::nanoseconds("", (1.2, 3.4))), ["10 ns", "100 ns", "1 µs", "10 µs"]);
        assert_eq!(labels(&Axis::powers("", (-1.0, 3.0))), ["0.1", "1", "10", "100", "1,000"]);
        assert_eq!(labels(&Axis::nines("", 3.2, false)), ["0 %", "50 %", "90 %", "99 %", "99.9 %"]);
        assert_eq!(
            labels(&Axis::nines("", 3.1, false).ending_with("max", false)),
            ["0 %", "50 %", "90 %", "99 %", "max"]
        );
        assert_eq!(labels(&Axis::whole("", (0.0, 2.0), 8)), ["0", "1", "2"]);
    }

    #[test]
    fn every_range_is_open_and_holds_its_ticks() {
        for data in [
            (0.0, 0.0),
            (5.0, 5.0),
            (-1e-9, 1e-9),
            (1e12, 1e12),
            (0.0, f64::MIN_POSITIVE),
            (f64::MIN_POSITIVE, f64::MIN_POSITIVE),
            (-5e-324, 5e-324),
            (-f64::MAX, f64::MAX),
            (f64::MAX, f64::MAX),
            (2.0, 1.0),
            (f64::NAN, 1.0),
            (f64::NEG_INFINITY, f64::INFINITY),
            extent([f64::NAN]),
        ] {
            let axes = [
                Axis::linear("", data, 5),
                Axis::from_zero("", data.1, 5),
                Axis::share("", data, 5),
                Axis::seconds("", data, 5),
                Axis::whole("", data, 5),
                Axis::exact("", data, 5),
                Axis::powers("", data),
                Axis::nanoseconds("", data),
                Axis::durations("", data, false),
            ];
            for axis in axes {
                let (low, high) = axis.range;
                assert!(
                    low < high && axis.ticks.iter().all(|&(at, _)| (low..=high).contains(&at)),
                    "{data:?} {axis:?}"
                );
                assert!(
                    axis.ticks.iter().all(|(_, label)| !label.contains("NaN") && !label.contains("inf")),
                    "{axis:?}"
                );
            }
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(fixed(-1_234_567.891, 2), "−1,234,567.89");
        assert_eq!(fixed(-0.0001, 2), "0.00");
        assert_eq!(fixed(999.0, 0), "999");
        assert_eq!([f64::NAN, f64::INFINITY].map(|value| fixed(value, 2)), ["–", "–"]);
    }
}
