//! The reliability diagram of all reports: how often the mid rose against how probable that was said to be.
//!
//! ```
//! use papertrader::report::chart::Ink;
//! use papertrader::report::figures::reliability::{Counted, Diagram, Tenth};
//!
//! let tenth = Tenth { from: 0.6, mean_probability: 0.64, up_share: 0.59, count: 120.0 };
//! let counted = Counted { ink: Ink::Series(0), tenths: vec![tenth], has_intervals: true };
//! let diagram = Diagram { counted: vec![counted], share: "rose", count: "evaluations" };
//! let figure = diagram.figure("fig-reliability", "Reliability");
//! assert_eq!(figure.id, "fig-reliability");
//! ```

use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Size};

/// A tenth of the probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tenth {
    /// Its lowest probability.
    pub from: f64,
    /// The mean of the probabilities in it.
    pub mean_probability: f64,
    /// The share of rises.
    pub up_share: f64,
    /// How many it holds; more than 0.
    pub count: f64,
}

/// One way to count.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Its colour.
    pub ink: Ink,
    /// Those that hold any, from the lowest.
    pub tenths: Vec<Tenth>,
    /// Whether the shares have their 95 % intervals, which suppose that what is counted is independent.
    pub has_intervals: bool,
}

/// A diagram of at least one way to count that holds any; the last is drawn on top.
#[derive(Clone, Debug)]
pub struct Diagram {
    /// The ways to count.
    pub counted: Vec<Counted>,
    /// What the shares are.
    pub share: &'static str,
    /// What is counted.
    pub count: &'static str,
}

/// The 95 % interval of a share of `count` trials, by Wilson's score.
fn wilson(share: f64, count: f64) -> (f64, f64) {
    const Z: f64 = 1.959_963_985;
    let centre = share + Z * Z / (2.0 * count);
    let half = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    let whole = 1.0 + Z * Z / count;
    (((centre - half) / whole).max(0.0), ((centre + half) / whole).min(1.0))
}

impl Counted {
    /// Marks over probability and share; the area of a disc goes with its count.
    fn shares(&self, most: f64) -> Vec<Mark> {
        let point = |tenth: &Tenth| (tenth.mean_probability, tenth.up_share);
        let disc = |tenth: &Tenth| {
            let (x, y) = point(tenth);
            (x, y, 2.5 + 6.0 * (tenth.count / most).sqrt())
        };
        let whisker = |tenth: &Tenth| {
            let (low, high) = wilson(tenth.up_share, tenth.count);
            Mark::Line(vec![(tenth.mean_probability, low), (tenth.mean_probability, high)], self.ink, 1.0)
        };
        let whiskers = self.tenths.iter().filter(|_| self.has_intervals).map(whisker);
        let points = Mark::Line(self.tenths.iter().map(point).collect(), self.ink, 1.2);
        whiskers.chain([points, Mark::Discs(self.tenths.iter().map(disc).collect(), self.ink, 0.9)]).collect()
    }

    fn counts(&self) -> Mark {
        let bar = |tenth: &Tenth| [(tenth.from + 0.005, 0.0), (tenth.from + 0.095, tenth.count)];
        Mark::Bars(self.tenths.iter().map(bar).collect(), self.ink, 0.5)
    }
}

impl Diagram {
    /// Draws it: shares above, counts below.
    pub fn figure(&self, id: impl Into<String>, title: impl Into<String>) -> Figure {
        Figure::half(id, title, 420, |size| self.panels(size))
    }

    fn panels(&self, size: Size) -> Vec<Panel> {
        let tenths = self.counted.iter().flat_map(|counted| &counted.tenths);
        let most = tenths.map(|tenth| tenth.count).fold(0.0, f64::max);
        let labels = size.x_labels().min(6);
        let diagonal = Mark::Rule((0.0, 0.0), (1.0, 1.0), Ink::Muted);
        let shares = self.counted.iter().flat_map(|counted| counted.shares(most));
        vec![
            Panel {
                x: Axis::exact("", (0.0, 1.0), labels),
                y: Axis::share(self.share, (0.0, 1.0), 5),
                weight: 2.4,
                marks: std::iter::once(diagonal).chain(shares).collect(),
            },
            Panel {
                x: Axis::exact("mean probability, by tenths", (0.0, 1.0), labels),
                y: Axis::from_zero(self.count, most, 3),
                weight: 1.2,
                marks: self.counted.iter().map(Counted::counts).collect(),
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_shares_are_those_of_wilson() {
        // By hand: 0.5 ± 1.96 · √(0.025 + 1.96² ÷ 400) ÷ (1 + 1.96² ÷ 10), and 0 to 1.96² ÷ (5 + 1.96²).
        for (share, count, low, high) in [(0.5, 10.0, 0.236_593, 0.763_407), (0.0, 5.0, 0.0, 0.434_482)] {
            let interval = wilson(share, count);
            assert!((interval.0 - low).abs() < 1e-6 && (interval.1 - high).abs() < 1e-6, "{interval:?}");
        }
    }
}
