//! What the market did meanwhile.

use super::NOT_OBSERVED;
use crate::report::chart::axis::extent;
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Size, Slot, thinned};
use crate::report::material::Material;
use crate::report::trades::{TradeTable, go_forward};
use crate::run::observe::{Extent, Series};

/// Spreads that differ by more than this factor need a logarithm to be seen.
const WIDE_SPREADS: f64 = 30.0;

pub fn figures(material: &Material) -> Vec<Slot> {
    let Some(observed) = material.run.as_ref().and_then(|run| run.observed.as_ref()) else {
        return vec![Slot::missing("The book over time", NOT_OBSERVED)];
    };
    if observed.book.mid.is_empty() {
        return vec![Slot::missing("The book over time", "The book never had both sides.")];
    }
    let run = Over::new(&observed.book, &material.table);
    vec![mid(&run), spread(&run), imbalance(&run)]
}

/// Points from left to right, or around an area.
type Line = Vec<(f64, f64)>;

/// The run along the x axis: seconds where receive times go forward, else sequence numbers.
struct Over<'a> {
    book: &'a Series,
    table: &'a TradeTable,
    timed: bool,
    start_ns: i64,
}

impl<'a> Over<'a> {
    fn new(book: &'a Series, table: &'a TradeTable) -> Self {
        let timed = go_forward(&book.ts_recv_ns) && (table.is_empty() || table.is_in_time());
        Self { book, table, timed, start_ns: book.ts_recv_ns[0] }
    }

    fn place(&self, sequence: u64, ts_recv_ns: impl Fn() -> i64) -> f64 {
        if self.timed { ts_recv_ns().saturating_sub(self.start_ns) as f64 / 1e9 } else { sequence as f64 }
    }

    fn bucket(&self, at: usize) -> f64 {
        self.place(self.book.sequence[at], || self.book.ts_recv_ns[at])
    }

    fn range(&self) -> (f64, f64) {
        let sells = (0..self.table.len())
            .last()
            .map(|at| self.place(self.table.sell_sequence[at], || self.table.sell_ts_recv_ns[at]));
        let last = self.bucket(self.book.mid.len() - 1);
        (self.bucket(0), sells.map_or(last, |sell| sell.max(last)))
    }

    fn axis(&self, size: Size) -> Axis {
        if self.timed {
            Axis::seconds("time since the first frame", self.range(), size.x_labels())
        } else {
            Axis::whole("frames of the book since the session began", self.range(), size.x_labels())
        }
    }

    /// A band from least to greatest and the mean, with as many steps as can be told apart.
    fn band(&self, of: &[Extent], size: Size) -> (Line, Line) {
        let together = of.len().div_ceil(size.places()).max(1);
        let groups = of.chunks(together).enumerate();
        let (mut above, mut below, mut mean) = (Vec::new(), Vec::new(), Vec::new());
        for (number, group) in groups {
            let x = self.bucket(number * together);
            let (low, high) = extent(group.iter().flat_map(|one| [one.min, one.max]));
            above.push((x, high));
            below.push((x, low));
            // Buckets hold equally many frames, the last excepted.
            mean.push((x, group.iter().map(|one| one.mean).sum::<f64>() / group.len() as f64));
        }
        above.extend(below.into_iter().rev());
        (above, mean)
    }
}

fn mid(run: &Over<'_>) -> Slot {
    let Over { book, table, .. } = *run;
    let figure = Figure::whole("fig-mid", "Mid, purchases and sales", 380, |size| {
        let axis = run.axis(size);
        let range = axis.range;
        let width = (range.1 - range.0) / book.mid.len() as f64;
        let steps = book.mid.iter().enumerate().flat_map(|(at, mid)| {
            let x = run.bucket(at);
            // Which of the extremes came first is not kept.
            [(x, mid.first), (x + 0.3 * width, mid.min), (x + 0.6 * width, mid.max), (x + 0.9 * width, mid.last)]
        });
        let line = thinned(steps, range, size.places());
        let marks_at = |places: &dyn Fn(usize) -> (f64, f64)| -> Vec<(f64, f64)> {
            let mut taken = i64::MIN;
            let room = (range.1 - range.0) / (size.places() as f64 / 5.0);
            (0..table.len())
                .map(places)
                .filter(|&(x, y)| y.is_finite() && x >= range.0)
                .filter(|&(x, _)| {
                    let place = (x / room) as i64;
                    std::mem::replace(&mut taken, place) != place
                })
                .collect()
        };
        let mut marks = vec![Mark::Line(line.clone(), Ink::Series(0), 1.3)];
        let mut heights = extent(line.iter().map(|&(_, y)| y));
        if !table.buy_mid.is_empty() && !table.sell_mid.is_empty() {
            let buys =
                marks_at(&|at| (run.place(table.buy_sequence[at], || table.buy_ts_recv_ns[at]), table.buy_mid[at]));
            let sells =
                marks_at(&|at| (run.place(table.sell_sequence[at], || table.sell_ts_recv_ns[at]), table.sell_mid[at]));
            heights = extent(buys.iter().chain(&sells).map(|&(_, y)| y).chain([heights.0, heights.1]));
            marks.push(Mark::Triangles(buys, Ink::Up, true));
            marks.push(Mark::Triangles(sells, Ink::Down, false));
        }
        vec![Panel { x: axis, y: Axis::linear("mid, quote currency", heights, 6), weight: 1.0, marks }]
    });
    figure
        .legend(Ink::Series(0), "mid")
        .legend(Ink::Up, "purchase")
        .legend(Ink::Down, "sale")
        .caption(
            "Marks stand just below or above the mid of the book that was traded on. Of those that would lie on one another the first is shown.",
        )
        .slot()
}

fn spread(run: &Over<'_>) -> Slot {
    Figure::half("fig-spread", "Spread", 300, |size| {
        let (mut band, mut mean) = run.band(&run.book.spread, size);
        let (low, high) = extent(band.iter().map(|&(_, y)| y));
        let title = "best ask − best bid, quote currency";
        let y = if low > 0.0 && high > WIDE_SPREADS * low {
            band.iter_mut().chain(&mut mean).for_each(|(_, y)| *y = y.log10());
            let mut y = Axis::powers(format!("{title}, logarithmic"), (low.log10(), high.log10()));
            // A spread that is mostly the least there is would lie on the axis.
            y.range.0 -= 0.5;
            y
        } else {
            Axis::linear(title, (low.min(0.0), high), 5)
        };
        vec![Panel {
            x: run.axis(size),
            y,
            weight: 1.0,
            marks: vec![Mark::Area(band, Ink::Series(0), 0.3), Mark::Line(mean, Ink::Series(0), 1.5)],
        }]
    })
    .caption("Mean, and from the least to the greatest.")
    .slot()
}

fn imbalance(run: &Over<'_>) -> Slot {
    Figure::half("fig-imbalance", "Imbalance of the best sizes", 300, |size| {
        let (band, mean) = run.band(&run.book.imbalance, size);
        let axis = run.axis(size);
        let zero = Mark::Rule((axis.range.0, 0.0), (axis.range.1, 0.0), Ink::Muted);
        vec![Panel {
            x: axis,
            y: Axis::exact("(bid − ask) ÷ (bid + ask)", (-1.0, 1.0), 5),
            weight: 1.0,
            marks: vec![Mark::Area(band, Ink::Series(2), 0.25), Mark::Line(mean, Ink::Series(2), 1.5), zero],
        }]
    })
    .caption("Mean, and from the least to the greatest.")
    .slot()
}
