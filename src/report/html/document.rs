//! The numbers of a page by their path in the JSON that lies beside it, and how they are shown.

use super::escape::escaped;
use crate::report::chart::axis::fixed;
use crate::report::material::Material;
use crate::report::text::{amount, basis_points, plain, signed, utc};
use serde_json::{Value, json};

/// A report's numbers as they stand, or would stand, in its JSON.
#[derive(Debug)]
pub struct Document(Value);

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A count.
    Count,
    /// As it is.
    Plain,
    /// With so many decimals.
    Fixed(usize),
    /// The same with its sign.
    Signed(usize),
    /// Basis points, with as many decimals as they need.
    BasisPoints,
    /// The same with their sign.
    SignedBasisPoints,
    /// A share of 1 in percent, with so many decimals.
    Percent(usize),
    /// Quote currency, with as many decimals as it needs.
    Money,
    /// Quote currency won or lost.
    Profit,
    /// Nanoseconds, in what suits them.
    Time,
    /// Nanoseconds as they are.
    Nanoseconds,
    /// Five significant digits.
    Figures,
    /// Unix nanoseconds, as date and time of day.
    Utc,
}

impl Shown {
    /// The text.
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Count | Self::Nanoseconds => fixed(value, 0),
            Self::Plain => plain(value),
            Self::Fixed(decimals) => fixed(value, decimals),
            Self::Signed(decimals) => signed(value, &fixed(value, decimals)),
            Self::BasisPoints => basis_points(value),
            Self::SignedBasisPoints => signed(value, &basis_points(value)),
            Self::Percent(decimals) => format!("{} %", fixed(100.0 * value, decimals)),
            Self::Money => amount(value),
            Self::Profit => signed(value, &amount(value)),
            Self::Time => duration(value),
            Self::Figures => figures(value),
            Self::Utc => utc(value as i64),
        }
    }

    /// The text of what there may not be.
    pub fn text_of(self, value: Option<f64>) -> String {
        value.map_or_else(|| "–".into(), |value| self.text(value))
    }
}

/// Nanoseconds in what suits them, three significant digits.
pub fn duration(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => return format!("{} ns", fixed(ns, 0)),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{} {unit}", fixed(value, decimals))
}

/// Five significant digits.
fn figures(value: f64) -> String {
    let power = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    if !(-5..15).contains(&power) { format!("{value:.4e}") } else { fixed(value, (4 - power).max(0) as usize) }
}

impl Document {
    /// Of a report as it is written.
    pub fn of(report: &impl serde::Serialize) -> Self {
        Self(to_value(report))
    }

    /// Of a run.
    pub fn new(material: &Material) -> Self {
        let trades = material.numbers.clone();
        Self(match &material.run {
            Some(run) => {
                let mut value = to_value(&run.with_trades(trades, material.executions.clone()));
                // Where the run did not say, the interval log does.
                value["timing"]["stages"] = to_value(&material.stages());
                value
            }
            None => json!({
                "trades": to_value(&trades),
                "executions": to_value(&material.executions),
                "timing": { "stages": to_value(&material.stages()) },
            }),
        })
    }

    /// A value by its path: fields, places in lists from 0, or the `stage`, `fault`, `name` or `account` of a list's entry, with dots
    /// between them. What is null is not there.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let found = path.split('.').try_fold(&self.0, |value, step| match value {
            Value::Array(list) => match step.parse::<usize>() {
                Ok(at) => list.get(at),
                Err(_) => list
                    .iter()
                    .find(|entry| ["stage", "fault", "name", "account"].iter().any(|key| entry[*key] == step)),
            },
            value => value.get(step),
        });
        found.filter(|value| !value.is_null())
    }

    /// A number by its path.
    pub fn number(&self, path: &str) -> Option<f64> {
        self.get(path)?.as_f64()
    }

    /// A text by its path, for HTML.
    pub fn text(&self, path: &str) -> Option<String> {
        self.get(path)?.as_str().map(escaped)
    }

    /// How many entries a list has.
    pub fn len(&self, path: &str) -> usize {
        self.get(path).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// The attributes that name a number and say what it is.
    fn attributes(&self, path: &str) -> String {
        let name = escaped(path);
        match self.get(path) {
            Some(value) if value.is_number() => format!("data-key=\"{name}\" data-value=\"{value}\""),
            _ => format!("data-key=\"{name}\""),
        }
    }

    /// A number in a sentence.
    pub fn span(&self, path: &str, shown: Shown) -> String {
        self.span_with(path, shown, "")
    }

    /// The same; `more` are further attributes.
    pub fn span_with(&self, path: &str, shown: Shown, more: &str) -> String {
        let text = shown.text_of(self.number(path));
        format!("<span {}{more}>{text}</span>", self.attributes(path))
    }

    /// The ends of an interval, if there is one.
    pub fn interval(&self, path: &str, shown: Shown) -> Option<String> {
        let end = |end: &str| format!("{path}.{end}");
        self.get(&end("low"))?;
        Some(format!("{} to\u{a0}{}", self.span(&end("low"), shown), self.span(&end("high"), shown)))
    }

    /// A number in a table; `more` are further attributes.
    pub fn cell(&self, path: &str, shown: Shown, more: &str) -> String {
        let text = shown.text_of(self.number(path));
        format!("<td class=\"n\" {}{more}>{text}</td>", self.attributes(path))
    }
}

fn to_value(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("plain data with text for keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_path() {
        let document = Document(json!({"a": {"stages": [{"stage": "total", "p99_ns": 7}], "x": 0.1, "none": null}}));
        assert_eq!(document.number("a.stages.total.p99_ns"), Some(7.0));
        assert_eq!(document.number("a.stages.0.p99_ns"), Some(7.0));
        assert_eq!(document.span("a.x", Shown::Percent(0)), "<span data-key=\"a.x\" data-value=\"0.1\">10 %</span>");
        for missing in ["a.none", "a.b.c", "a.stages.book.p99_ns", "a.stages.1.p99_ns"] {
            assert_eq!(document.span(missing, Shown::Count), format!("<span data-key=\"{missing}\">–</span>"));
        }
    }

    #[test]
    fn numbers_are_shown_in_what_suits_them() {
        for (shown, value, text) in [
            (Shown::Time, 999.0, "999 ns"),
            (Shown::Time, 1_234.0, "1.23 µs"),
            (Shown::Time, 18_500_000.0, "18.5 ms"),
            (Shown::Time, 2e9, "2.00 s"),
            (Shown::Profit, 0.283_822_1, "+0.283822"),
            (Shown::Profit, -12_345.678, "−12,345.68"),
            (Shown::Signed(3), 0.0, "0.000"),
            (Shown::Signed(3), 0.000_1, "0.000"),
            (Shown::Profit, -1.5e-8, "−0.000000015"),
            (Shown::SignedBasisPoints, 0.000_4, "+0.0004"),
            (Shown::Figures, 61_804.75, "61,805"),
            (Shown::Figures, 0.000_101_98, "0.00010198"),
            (Shown::Figures, -1.930e-6, "-1.9300e-6"),
            (Shown::Percent(1), 0.10675, "10.7 %"),
        ] {
            assert_eq!(shown.text(value), text);
        }
    }
}
