//! What each account's executions came to: the fees that would leave nothing, the net as a bracket, where the mid went.

use crate::execution::fees::{FeePlan, PRESETS};
use crate::report::chart::axis::extent;
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Size, Slot};
use crate::report::executions::{Account, AccountNumbers, ExecutionNumbers, MARKOUT_UPDATES, MarkoutNumbers};
use crate::report::material::Material;
use crate::statistics::bootstrap::Interval;

/// The fees shown at the least, basis points: from a rebate to what a large account pays.
const TAKER_BPS: (f64, f64) = (0.0, 9.0);
const MAKER_BPS: (f64, f64) = (-2.5, 3.0);
/// Break-even fees beyond this stretch no axis, basis points.
const STRETCH_BPS: f64 = 15.0;

pub fn figures(material: &Material) -> Vec<Slot> {
    let Some(numbers) = &material.executions else { return Vec::new() };
    let own = material.run.as_ref().and_then(|run| run.settings.fees.as_ref()?.plan().ok());
    vec![break_even(numbers, own.as_ref()), net(numbers), markouts(numbers)]
}

/// The colour of an account.
fn ink(account: Account) -> Ink {
    Ink::Series(account as u8)
}

fn with_accounts<'a>(figure: Figure, accounts: impl IntoIterator<Item = &'a AccountNumbers>) -> Figure {
    let named = |figure: Figure, numbers: &AccountNumbers| figure.legend(ink(numbers.account), numbers.account.name());
    accounts.into_iter().fold(figure, named)
}

/// Taker and maker fee.
type Fees = (f64, f64);

/// Where maker_value · y + taker_value · x = 10⁴ · gross crosses a rectangle; `None` where it does not.
fn crossing(numbers: &AccountNumbers, x: (f64, f64), y: (f64, f64)) -> Option<[Fees; 2]> {
    let AccountNumbers { maker_value, taker_value, gross, .. } = *numbers;
    let right = 1e4 * gross;
    let at_x = |x: f64| (maker_value > 0.0).then(|| (x, (right - taker_value * x) / maker_value));
    let at_y = |y: f64| (taker_value > 0.0).then(|| ((right - maker_value * y) / taker_value, y));
    let inside = |&(fx, fy): &Fees| (x.0..=x.1).contains(&fx) && (y.0..=y.1).contains(&fy);
    let mut ends: Vec<Fees> =
        [at_x(x.0), at_x(x.1), at_y(y.0), at_y(y.1)].into_iter().flatten().filter(inside).collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (first, last) = (*ends.first()?, *ends.last()?);
    (first != last).then_some([first, last])
}

/// A schedule's tiers as points, from its first to its last.
struct Points {
    name: String,
    fees: Vec<Fees>,
    ink: Ink,
}

/// Labels that lie neither on one another nor on points, nor on lines where they can be spared; CSS pixels of a drawing.
struct Labels {
    /// Pixels per basis point, to the right and up.
    scale: Fees,
    /// Ends of the room for words: left, right, below, above.
    room: [f64; 4],
    /// What is taken: left, right, below, above.
    taken: Vec<[f64; 4]>,
    /// Lines from end to end.
    lines: Vec<[Fees; 2]>,
}

impl Labels {
    /// How wide a letter is at the most, half of a line's height, and the room between point and words.
    const LETTER: f64 = 8.0;
    const HALF: f64 = 9.0;
    const GAP: f64 = 6.0;
    /// How far words go up or down to find a place.
    const STEPS: [f64; 7] = [0.0, 13.0, -13.0, 26.0, -26.0, 39.0, -39.0];
    /// Long words further off than these steps would seem to be another point's; short ones have all.
    const NEAR_STEPS: usize = 3;
    const SHORT: usize = 2;

    /// Among points of 4 pixels and lines.
    fn new(size: Size, x: &Axis, y: &Axis, points: &[Fees], lines: &[[Fees; 2]]) -> Self {
        // Less the labels of the y axis and the titles of both, about.
        let plot = (f64::from(size.width) - 70.0, f64::from(size.height) - 66.0);
        let scale = (plot.0 / (x.range.1 - x.range.0), plot.1 / (y.range.1 - y.range.0));
        let pixels = |(taker, maker): Fees| (taker * scale.0, maker * scale.1);
        let disc = |&point: &Fees| {
            let (x, y) = pixels(point);
            [x - 4.0, x + 4.0, y - 4.0, y + 4.0]
        };
        let room = [x.range.0 * scale.0, x.range.1 * scale.0, y.range.0 * scale.1, y.range.1 * scale.1];
        Self {
            scale,
            room,
            taken: points.iter().map(disc).collect(),
            lines: lines.iter().map(|line| line.map(pixels)).collect(),
        }
    }

    fn is_free(&self, [left, right, below, above]: [f64; 4], spares_lines: bool) -> bool {
        let [room_left, room_right, room_below, room_above] = self.room;
        let inside = left >= room_left && right <= room_right && below >= room_below && above <= room_above;
        let meets = |other: &[f64; 4]| left < other[1] && other[0] < right && below < other[3] && other[2] < above;
        // A line is met where a point of it, of many, lies in the words.
        let crosses = |&[(x0, y0), (x1, y1)]: &[Fees; 2]| {
            (0..=200).map(|at| f64::from(at) / 200.0).any(|share| {
                let (x, y) = (x0 + share * (x1 - x0), y0 + share * (y1 - y0));
                (left..=right).contains(&x) && (below..=above).contains(&y)
            })
        };
        inside && !self.taken.iter().any(meets) && !(spares_lines && self.lines.iter().any(crosses))
    }

    /// The first of the texts that has room near a point, at its right or its left.
    fn place(&mut self, at: Fees, texts: &[String]) -> Option<Mark> {
        let (x, y) = (at.0 * self.scale.0, at.1 * self.scale.1);
        for (spares_lines, text) in
            [true, false].iter().flat_map(|&spares| texts.iter().map(move |text| (spares, text)))
        {
            let letters = text.chars().count();
            let width = Self::LETTER * letters as f64;
            let steps = if letters > Self::SHORT { Self::NEAR_STEPS } else { Self::STEPS.len() };
            for (step, right) in Self::STEPS[..steps].iter().flat_map(|&step| [(step, true), (step, false)]) {
                let left = if right { x + Self::GAP } else { x - Self::GAP - width };
                let label = [left, left + width, y + step - Self::HALF, y + step + Self::HALF];
                if self.is_free(label, spares_lines) {
                    self.taken.push(label);
                    let anchor = (at.0, at.1 + step / self.scale.1);
                    return Some(Mark::Words(anchor, text.clone(), Ink::Text, right));
                }
            }
        }
        None
    }
}

fn schedules(own: Option<&FeePlan>) -> Vec<Points> {
    let published = PRESETS.iter().map(|preset| Points {
        name: preset.name.into(),
        fees: preset.tiers.iter().map(|tier| (tier.taker_bps, tier.maker_bps)).collect(),
        ink: Ink::Muted,
    });
    let own = own.map(|plan| {
        let tier = plan.first_tier();
        Points { name: "this run".into(), fees: vec![(tier.taker_bps, tier.maker_bps)], ink: Ink::Text }
    });
    published.chain(own).collect()
}

fn break_even(numbers: &ExecutionNumbers, own: Option<&FeePlan>) -> Slot {
    let title = "Break-even fees";
    let accounts: Vec<&AccountNumbers> =
        numbers.accounts.iter().filter(|account| account.maker_value + account.taker_value > 0.0).collect();
    if accounts.is_empty() {
        return Slot::missing(title, "Nothing was filled.");
    }
    let stretched = |base: Fees, intercept: fn(&AccountNumbers) -> Option<f64>| {
        let near = accounts.iter().filter_map(|account| intercept(account)).filter(|bps| bps.abs() <= STRETCH_BPS);
        extent([base.0, base.1].into_iter().chain(near))
    };
    let x = Axis::linear("taker fee, bp", stretched(TAKER_BPS, |account| account.break_even_taker_bps), 10);
    let y = Axis::linear("maker fee, bp", stretched(MAKER_BPS, |account| account.break_even_maker_bps), 8);
    let schedules = schedules(own);
    let in_sight =
        |&(taker, maker): &Fees| (x.range.0..=x.range.1).contains(&taker) && (y.range.0..=y.range.1).contains(&maker);
    let figure = Figure::whole("fig-executions-break-even", title, 420, |size| {
        let lines: Vec<(Account, [Fees; 2])> = accounts
            .iter()
            .filter_map(|account| Some((account.account, crossing(account, x.range, y.range)?)))
            .collect();
        let axes = [[(x.range.0, 0.0), (x.range.1, 0.0)], [(0.0, y.range.0), (0.0, y.range.1)]];
        let all_lines: Vec<[Fees; 2]> = lines.iter().map(|(_, line)| *line).chain(axes).collect();
        let all_points: Vec<Fees> =
            schedules.iter().flat_map(|schedule| &schedule.fees).copied().filter(in_sight).collect();
        let mut labels = Labels::new(size, &x, &y, &all_points, &all_lines);
        let points = schedules.iter().enumerate().flat_map(|(at, Points { name, fees, ink })| {
            let seen: Vec<Fees> = fees.iter().copied().filter(in_sight).collect();
            let number = (at + 1).to_string();
            let texts = if size.is_narrow() { vec![number] } else { vec![name.clone(), number] };
            let words = seen.last().and_then(|&last| labels.place(last, &texts));
            let discs = seen.iter().map(|&(taker, maker)| (taker, maker, 3.5)).collect();
            [Mark::Line(seen, *ink, 0.8), Mark::Discs(discs, *ink, 0.9)].into_iter().chain(words)
        });
        let zeros = axes.map(|[from, to]| Mark::Rule(from, to, Ink::Muted));
        let lines = lines.iter().map(|(account, line)| Mark::Line(line.to_vec(), ink(*account), 2.0));
        let points: Vec<Mark> = points.collect();
        vec![Panel {
            x: x.clone(),
            y: y.clone(),
            weight: 1.0,
            marks: zeros.into_iter().chain(points).chain(lines).collect(),
        }]
    });
    let beyond: Vec<&str> = accounts
        .iter()
        .filter(|account| crossing(account, x.range, y.range).is_none())
        .map(|account| account.account.name())
        .collect();
    let beyond = match &beyond[..] {
        [] => String::new(),
        names => format!(" Beyond the picture: the line of {}.", names.join(", ")),
    };
    let numbered: Vec<String> =
        schedules.iter().enumerate().map(|(at, schedule)| format!("{} {}", at + 1, schedule.name)).collect();
    let caption = format!(
        "An account's gross profit would cover the fees on its line; below and to the left something would be left. Points are \
         the tiers of published schedules, labelled at the last in sight; numbers where there is no room: {}.{beyond}",
        numbered.join(", ")
    );
    with_accounts(figure.caption(caption), accounts.iter().copied()).slot()
}

fn net(numbers: &ExecutionNumbers) -> Slot {
    let title = "Net profit by account";
    let rows: Vec<(&AccountNumbers, f64, Option<Interval>)> = numbers
        .accounts
        .iter()
        .filter_map(|account| Some((account, account.net_bps?, account.interval.and_then(|sure| sure.net_bps))))
        .collect();
    if rows.is_empty() {
        return Slot::missing(title, "No account entered anything.");
    }
    let ends = rows.iter().flat_map(|(_, net, sure)| {
        [Some(*net), sure.map(|sure| sure.low), sure.map(|sure| sure.high)].into_iter().flatten()
    });
    let range = extent(ends.chain([0.0]));
    let height = 120 + 34 * rows.len() as u32;
    let figure = Figure::half("fig-executions-net", title, height, |size| {
        let place = |at: usize| (rows.len() - 1 - at) as f64;
        let y = Axis::names("", rows.iter().rev().map(|(account, ..)| account.account.name().into()));
        let makers = rows.iter().enumerate().filter(|(_, (account, ..))| account.account.is_maker());
        let (low, high) = extent(makers.clone().map(|(_, &(_, net, _))| net));
        let (bottom, top) = extent(makers.clone().map(|(at, _)| place(at)));
        let bracket =
            (makers.count() > 1).then(|| Mark::Bars(vec![[(low, bottom - 0.4), (high, top + 0.4)]], Ink::Tied, 0.3));
        let account = |(at, (account, net, sure)): (usize, &(&AccountNumbers, f64, Option<Interval>))| {
            let (ink, y) = (ink(account.account), place(at));
            let line = sure.map(|sure| Mark::Line(vec![(sure.low, y), (sure.high, y)], ink, 2.0));
            line.into_iter().chain([Mark::Discs(vec![(*net, y, 4.5)], ink, 1.0)])
        };
        let zero = Mark::Rule((0.0, y.range.0), (0.0, y.range.1), Ink::Muted);
        vec![Panel {
            x: Axis::linear("net profit, bp of the value exited", range, size.x_labels().min(6)),
            y,
            weight: 1.0,
            marks: bracket.into_iter().chain([zero]).chain(rows.iter().enumerate().flat_map(account)).collect(),
        }]
    });
    figure
        .caption(
            "Lines are 95\u{a0}% intervals of the mean. The shaded bracket spans the makers' models: what a market would have \
             done lies between them, or near.",
        )
        .slot()
}

fn markouts(numbers: &ExecutionNumbers) -> Slot {
    let title = "Where the mid went after entries";
    let line = |account: &AccountNumbers, of: fn(&MarkoutNumbers) -> Option<f64>| -> Vec<(f64, f64)> {
        account.markouts.iter().zip(0..).filter_map(|(markout, at)| Some((f64::from(at), of(markout)?))).collect()
    };
    let lines = |of: fn(&MarkoutNumbers) -> Option<f64>| -> Vec<(Account, Vec<(f64, f64)>)> {
        let all = numbers.accounts.iter().map(|account| (account.account, line(account, of)));
        all.filter(|(_, line)| !line.is_empty()).collect()
    };
    let filled = lines(|markout| markout.filled.mean_bps);
    let unfilled = lines(|markout| markout.unfilled.mean_bps);
    let values = || filled.iter().chain(&unfilled).flat_map(|(_, line)| line).map(|&(_, y)| y);
    if values().next().is_none() {
        return Slot::missing(title, "The mid after entries is not known.");
    }
    let range = extent(values().chain([0.0]));
    let figure = Figure::half("fig-executions-markouts", title, 420, |_| {
        let panel = |title: &str, below: &str, lines: &[(Account, Vec<(f64, f64)>)]| {
            let x = Axis::names(below, MARKOUT_UPDATES.map(|updates| updates.to_string()));
            let zero = Mark::Rule((x.range.0, 0.0), (x.range.1, 0.0), Ink::Muted);
            let account = |(account, line): &(Account, Vec<(f64, f64)>)| {
                let discs = line.iter().map(|&(x, y)| (x, y, 3.0)).collect();
                [Mark::Line(line.clone(), ink(*account), 1.6), Mark::Discs(discs, ink(*account), 0.9)]
            };
            Panel {
                x,
                y: Axis::linear(title, range, 5),
                weight: 1.0,
                marks: std::iter::once(zero).chain(lines.iter().flat_map(account)).collect(),
            }
        };
        vec![
            panel("filled entries, bp", "", &filled),
            panel("unfilled entries, bp", "book updates after the decision", &unfilled),
        ]
    });
    let known = numbers.accounts.iter().filter(|account| {
        [&filled, &unfilled].iter().any(|lines| lines.iter().any(|(name, _)| *name == account.account))
    });
    let caption = "Means towards the order's side, from the mid at the decision. Where the filled lie below the unfilled, orders \
                   were filled when the signal was wrong.";
    with_accounts(figure.caption(caption), known).slot()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::executions::{Open, OrderCounts, Shortfalls};

    fn account(maker_value: f64, taker_value: f64, gross: f64) -> AccountNumbers {
        AccountNumbers {
            account: Account::MakerQueue,
            legs: 0,
            entered_legs: 0,
            open_legs: 0,
            orders: OrderCounts::default(),
            entries: 0,
            entries_filled: 0,
            fill_rate: None,
            time_to_fill_s: None,
            entered_value: 0.0,
            closed_value: 0.0,
            gross,
            gross_bps: None,
            fees: 0.0,
            net: 0.0,
            net_bps: None,
            interval: None,
            maker_value,
            taker_value,
            break_even_maker_bps: None,
            break_even_taker_bps: None,
            drawdown_max: 0.0,
            open_long: Open::default(),
            open_short: Open::default(),
            shortfall: Shortfalls::default(),
            markouts: Vec::new(),
        }
    }

    #[test]
    fn lines_are_cut_at_the_edges() {
        let cut = |maker, taker, gross| crossing(&account(maker, taker, gross), (0.0, 4.0), (-1.0, 3.0));
        // y = 2 − x, y = 1, x = 3, and y = −7 − x.
        assert_eq!(cut(1e4, 1e4, 2.0), Some([(0.0, 2.0), (3.0, -1.0)]));
        assert_eq!(cut(1e4, 0.0, 1.0), Some([(0.0, 1.0), (4.0, 1.0)]));
        assert_eq!(cut(0.0, 1e4, 3.0), Some([(3.0, -1.0), (3.0, 3.0)]));
        assert_eq!(cut(1e4, 1e4, -7.0), None);
        assert_eq!(cut(0.0, 0.0, 1.0), None);
    }

    #[test]
    fn labels_make_room_for_each_other() {
        let axis = |range| Axis::exact("", range, 5);
        // 100 pixels a basis point, both ways.
        let size = Size { width: 1_070, height: 466 };
        let line = [(0.0, 1.0), (10.0, 1.0)];
        let mut labels = Labels::new(size, &axis((0.0, 10.0)), &axis((0.0, 4.0)), &[(5.2, 2.0)], &[line]);
        let mut placed = |at, text: &str| match labels.place(at, &[text.into()]) {
            Some(Mark::Words((_, y), _, _, right)) => Some((((y - at.1) * 100.0_f64).round(), right)),
            _ => None,
        };
        // The point beside it is in the way at the right; then the first label at the left; then the second one.
        assert_eq!(placed((5.0, 2.0), "twelve chars"), Some((0.0, false)));
        assert_eq!(placed((5.0, 2.0), "twelve chars"), Some((13.0, true)));
        assert_eq!(placed((5.0, 2.0), "twelve chars"), Some((-13.0, true)));
        // No words on a line, nor beyond the edge.
        assert_eq!(placed((1.0, 1.0), "twelve chars"), Some((13.0, true)));
        assert_eq!(placed((9.9, 3.0), "twelve chars"), Some((0.0, false)));
        // Long words stay near their point, a number goes further.
        assert_eq!(placed((8.0, 2.5), "twelve chars"), Some((0.0, true)));
        assert_eq!(placed((8.0, 2.5), "twelve chars"), Some((0.0, false)));
        assert_eq!(placed((8.0, 2.5), "twelve chars"), None);
        assert_eq!(placed((8.0, 2.5), "12"), Some((26.0, true)));
        // No room at all.
        let wide = "x".repeat(200);
        assert_eq!(placed((5.0, 3.0), &wide), None);
    }

    #[test]
    fn every_schedule_has_a_point_in_sight() {
        for Points { name, fees, .. } in schedules(Some(&PRESETS[0].plan(0.0))) {
            let seen = |&&(taker, maker): &&Fees| {
                (TAKER_BPS.0..=TAKER_BPS.1).contains(&taker) && (MAKER_BPS.0..=MAKER_BPS.1).contains(&maker)
            };
            assert!(fees.iter().any(|fees| seen(&fees)) || name == "this run", "{name}");
        }
    }
}
