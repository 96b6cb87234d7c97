//! Panels to SVG by plotters, and the small changes that make its output fit a page: colours by role instead of by value,
//! fonts from the style sheet, a size from the view box.

use super::{Axis, Ink, Mark, Panel, Size};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fmt::Write;
use std::ops::Range;

/// Plotters draws on whole units: so many to a CSS pixel.
const UNITS: i32 = 4;
/// Words, CSS pixels.
const FONT: f64 = 12.0;
/// Plotters draws words smaller than it is told by this factor.
const FONT_FACTOR: f64 = 1.24;
/// Room between two labels of an x axis.
const APART: f64 = 8.0;
/// Colours that stand for roles until the text is made.
const SENTINEL: u8 = 0xF1;

impl Ink {
    const ALL: [Self; 14] = [
        Self::Text,
        Self::Muted,
        Self::Grid,
        Self::Up,
        Self::Down,
        Self::Tied,
        Self::Series(0),
        Self::Series(1),
        Self::Series(2),
        Self::Series(3),
        Self::Series(4),
        Self::Series(5),
        Self::Series(6),
        Self::Series(7),
    ];

    fn sentinel(self) -> RGBColor {
        let same = |other: &Self| other.variable() == self.variable();
        let place = Self::ALL.iter().position(same).expect("ALL has every ink");
        RGBColor(SENTINEL, 0x0D, place as u8)
    }
}

/// Pixels to plotters' units.
fn units(pixels: f64) -> i32 {
    (pixels * f64::from(UNITS)).round() as i32
}

/// Widths and positions in the panel, CSS pixels.
const ABOVE: f64 = 22.0;
const BELOW: f64 = 44.0;
const BESIDE: f64 = 10.0;
const TICK: f64 = 4.0;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    /// What lies beyond an end is drawn at that end.
    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = ((value - self.range.0) / (self.range.1 - self.range.0)).clamp(0.0, 1.0);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|&(at, _)| at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.0..self.range.1
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|(at, _)| at == value).map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// The attributes of an `svg` element, its content and its end; the beginning `<svg` is the caller's.
pub fn svg(mut panels: Vec<Panel>, size: Size) -> String {
    let mut text = String::new();
    let axes = panels.iter_mut().flat_map(|panel| [&mut panel.x, &mut panel.y]);
    axes.flat_map(|axis| &mut axis.ticks).for_each(|(_, label)| shorten(label, f64::from(size.width)));
    {
        let (width, height) = (size.width * UNITS as u32, size.height * UNITS as u32);
        let root = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        let (left, right) = room_beside(&panels, f64::from(size.width));
        let whole: f64 = panels.iter().map(|panel| panel.weight).sum();
        let mut rest = root.clone();
        for (at, panel) in panels.iter().enumerate() {
            let share = units(f64::from(size.height) * panel.weight / whole);
            let (area, below) =
                if at + 1 < panels.len() { rest.split_vertically(share) } else { (rest.clone(), rest.clone()) };
            draw_panel(&area, panel, (left, right)).expect("drawing into a String does not fail");
            rest = below;
        }
        root.present().expect("a String takes every character");
    }
    fit_for_a_page(&text, size)
}

/// How wide words are at the most, CSS pixels. What font they will be seen in is not known: DejaVu Sans is the widest that is
/// common.
fn text_width(text: &str) -> f64 {
    let width_em = |character| match character {
        '%' | 'm' | 'w' | 'M' | 'W' => 1.0,
        '−' | '+' | 'µ' | '=' => 0.84,
        '.' | ',' | ' ' | ':' | 'l' | 'i' | 'j' => 0.36,
        '0'..='9' => 0.64,
        _ => 0.66,
    };
    text.chars().map(width_em).sum::<f64>() * FONT
}

/// Room for the labels of a panel's y axis, CSS pixels.
fn label_width(panel: &Panel) -> f64 {
    let longest = panel.y.ticks.iter().map(|(_, label)| text_width(label)).fold(0.0, f64::max);
    longest + 2.0 * TICK + 2.0
}

/// The most of a drawing's width that a label takes: two halves of one and another whole one still fit.
const LABEL_SHARE: f64 = 0.6;

/// Cuts a label that is too wide for a drawing `width` CSS pixels wide. No number is, names may be.
fn shorten(label: &mut String, width: f64) {
    if text_width(label) <= LABEL_SHARE * width {
        return;
    }
    while text_width(label) + text_width("…") > LABEL_SHARE * width && label.pop().is_some() {}
    label.push('…');
}

/// Room at the left and at the right of panels in a drawing `width` CSS pixels wide: for the labels of y axes, and for the
/// halves of labels of x axes that reach over an end.
fn room_beside(panels: &[Panel], width: f64) -> (f64, f64) {
    let (mut left, mut right) = (panels.iter().map(label_width).fold(0.0, f64::max), BESIDE);
    // What is given to one end moves the places of all labels, by less each time.
    for _ in 0..32 {
        let before = (left, right);
        for Panel { x: Axis { range, ticks, .. }, .. } in panels {
            for (at, label) in ticks {
                let share = ((at - range.0) / (range.1 - range.0)).clamp(0.0, 1.0);
                let (half, inner) = (text_width(label) / 2.0 + 4.0, (width - left - right).max(0.0));
                left = left.max(half - share * inner);
                right = right.max(half - (1.0 - share) * inner);
            }
        }
        if before == (left, right) {
            break;
        }
    }
    (left, right)
}

/// An x axis `width` CSS pixels wide whose labels are apart: each, each second, each third, whatever there is room for, 0 among
/// them if it was.
fn with_room(axis: &Axis, width: f64) -> Axis {
    let Axis { range, ticks, title } = axis;
    let per_pixel = (range.1 - range.0) / width;
    let zero = ticks.iter().position(|&(at, _)| at == 0.0).unwrap_or(0);
    let each = |step: usize| ticks.iter().skip(zero % step).step_by(step);
    let is_apart = |step: &usize| {
        each(*step).zip(each(*step).skip(1)).all(|((at, label), (next, next_label))| {
            (next - at) / per_pixel >= (text_width(label) + text_width(next_label)) / 2.0 + APART
        })
    };
    let step = (1..ticks.len()).find(is_apart).unwrap_or(ticks.len().max(1));
    Axis { range: *range, ticks: each(step).cloned().collect(), title: title.clone() }
}

fn words(ink: Ink) -> TextStyle<'static> {
    let size = FONT * FONT_FACTOR * f64::from(UNITS);
    let colour = ink.sentinel();
    TextStyle { color: colour.to_backend_color(), ..TextStyle::from(("sans-serif", size).into_font()) }
}

fn draw_panel<'a>(
    area: &Area<'a>,
    panel: &Panel,
    (left, right): (f64, f64),
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
    let (width, height) = area.dim_in_pixel();
    let Panel { x, y, marks, .. } = panel;
    let x = with_room(x, f64::from(width) / f64::from(UNITS) - left - right);
    let anchored = |horizontal, vertical| words(Ink::Muted).pos(Pos::new(horizontal, vertical));
    let corner = (width as i32 - units(right), height as i32 - units(5.0));
    let titles = [(y, (0, units(2.0)), HPos::Left, VPos::Top), (&x, corner, HPos::Right, VPos::Bottom)];
    for (axis, place, horizontal, vertical) in titles.into_iter().filter(|(axis, ..)| !axis.title.is_empty()) {
        area.draw(&Text::new(axis.title.clone(), place, anchored(horizontal, vertical)))?;
    }

    let mut chart: Chart<'a, '_> = ChartBuilder::on(area)
        .margin_top(units(ABOVE))
        .margin_right(units(right))
        .x_label_area_size(units(BELOW))
        .y_label_area_size(units(left))
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .bold_line_style(Ink::Grid.sentinel().stroke_width(UNITS as u32))
        .light_line_style(TRANSPARENT)
        .axis_style(Ink::Muted.sentinel().stroke_width(UNITS as u32))
        .label_style(words(Ink::Text))
        .set_all_tick_mark_size(units(TICK))
        .x_labels(x.ticks.len())
        .y_labels(y.ticks.len())
        .draw()?;
    marks.iter().try_for_each(|mark| draw_mark(&mut chart, mark))
}

fn is_place(&(x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite()
}

/// Draws what of a mark has a place.
fn draw_mark<'a>(
    chart: &mut Chart<'a, '_>,
    mark: &Mark,
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
    match mark {
        Mark::Line(points, ink, width) => {
            let style = ink.sentinel().stroke_width(units(*width) as u32);
            chart.draw_series(LineSeries::new(points.iter().copied().filter(is_place), style)).map(drop)
        }
        Mark::Rule(from, to, ink) if is_place(from) && is_place(to) => {
            let style = ink.sentinel().stroke_width(units(1.2) as u32);
            let line = DashedLineSeries::new([*from, *to], units(5.0), units(4.0), style);
            chart.draw_series(line).map(drop)
        }
        Mark::Area(outline, ink, opacity) => {
            let style = ink.sentinel().mix(*opacity).filled();
            let outline: Vec<(f64, f64)> = outline.iter().copied().filter(is_place).collect();
            chart.draw_series([Polygon::new(outline, style)]).map(drop)
        }
        Mark::Bars(bars, ink, opacity) => {
            let style = ink.sentinel().mix(*opacity).filled();
            let bars = bars.iter().filter(|corners| corners.iter().all(is_place));
            chart.draw_series(bars.map(|&corners| Rectangle::new(corners, style))).map(drop)
        }
        Mark::Discs(discs, ink, opacity) => {
            let style = ink.sentinel().mix(*opacity).filled();
            let disc = |&(x, y, radius): &(f64, f64, f64)| Circle::new((x, y), units(radius), style);
            let discs = discs.iter().filter(|&&(x, y, radius)| is_place(&(x, y)) && radius.is_finite());
            chart.draw_series(discs.map(disc)).map(drop)
        }
        Mark::Triangles(points, ink, up) => {
            let style = ink.sentinel().filled();
            // The tip points at the place, from below or from above.
            let (half, away) = if *up { (units(3.5), 1) } else { (units(3.5), -1) };
            let [tip, base] = [units(2.0), units(9.0)].map(|distance| away * distance);
            let triangle = |&point: &(f64, f64)| {
                EmptyElement::at(point) + Polygon::new([(0, tip), (half, base), (-half, base)], style)
            };
            chart.draw_series(points.iter().filter(|point| is_place(point)).map(triangle)).map(drop)
        }
        Mark::Rule(..) => Ok(()),
        Mark::Words(at, text, ink, right) => {
            let (horizontal, shift) = if *right { (HPos::Left, units(6.0)) } else { (HPos::Right, -units(6.0)) };
            let style = words(*ink).pos(Pos::new(horizontal, VPos::Center));
            let text = EmptyElement::at(*at) + Text::new(text.clone(), (shift, 0), style);
            chart.draw_series([text]).map(drop)
        }
        Mark::Centred(at, text, ink) => {
            let style = words(*ink).pos(Pos::new(HPos::Center, VPos::Center));
            let text = EmptyElement::at(*at) + Text::new(text.clone(), (0, 0), style);
            chart.draw_series([text]).map(drop)
        }
    }
}

fn fit_for_a_page(text: &str, size: Size) -> String {
    let start = text.find('>').map_or(0, |end| end + 1);
    let body = &text[start..];
    let view = format!("viewBox=\"0 0 {} {}\">", size.width * UNITS as u32, size.height * UNITS as u32);
    let mut out = String::with_capacity(view.len() + body.len());
    out.push_str(&view);
    // Colours by role.
    let sentinel = format!("\"#{SENTINEL:02X}0D");
    let mut rest = body;
    while let Some(at) = rest.find(&sentinel) {
        out.push_str(&rest[..at]);
        let digits = &rest[at + sentinel.len()..][..2];
        let place = usize::from_str_radix(digits, 16).expect("two digits of our own");
        write!(out, "\"var({})", Ink::ALL[place].variable()).expect("a String takes every character");
        rest = &rest[at + sentinel.len() + 2..];
    }
    out.push_str(rest);
    for default in [" opacity=\"1\"", " stroke=\"none\"", " font-family=\"sans-serif\""] {
        out = out.replace(default, "");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_an_x_axis_have_room() {
        let labels = |data, count, width| -> Vec<String> {
            let axis = with_room(&Axis::exact("", data, count), width);
            axis.ticks.into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels((-0.12, 0.11), 6, 400.0), ["−0.10", "−0.05", "0.00", "0.05", "0.10"]);
        assert_eq!(labels((-0.12, 0.11), 6, 180.0), ["−0.10", "0.00", "0.10"]);
        assert_eq!(labels((-0.17, 0.11), 6, 180.0), ["−0.10", "0.00", "0.10"], "0 stays");
        assert_eq!(labels((0.0, 1.0), 10, 1.0), ["0.0"]);
        assert!(labels((0.1, 0.2), 0, 100.0).len() <= 2);
    }

    /// Where words begin and end, CSS pixels, by what an element says of itself.
    fn ends_of_words(svg: &str) -> Vec<(f64, f64, String)> {
        let attribute = |element: &str, name: &str| -> Option<String> {
            let from = element.find(&format!(" {name}=\""))? + name.len() + 3;
            Some(element[from..].split('"').next()?.to_owned())
        };
        let elements = svg.split("<text").skip(1);
        let words = elements.map(|element| {
            let words = element.split_once('>').unwrap().1.split('<').next().unwrap().trim().to_owned();
            let x: f64 = attribute(element, "x").unwrap().parse::<f64>().unwrap() / f64::from(UNITS);
            let width = text_width(&words);
            let from = match attribute(element, "text-anchor").as_deref() {
                Some("middle") => x - width / 2.0,
                Some("end") => x - width,
                _ => x,
            };
            (from, from + width, words)
        });
        words.collect()
    }

    /// The first label of an axis from −0.000001 on began beside its drawing.
    #[test]
    fn no_label_leaves_its_drawing() {
        let ends =
            [0.0, 5e-324, 1e-300, 1e-150, 1e-12, 1e-6, 0.12, 1.0, 999.0, 123_456.789, 1e9, 1e15, 1e22, 1e150, f64::MAX];
        let signed: Vec<f64> = ends.iter().flat_map(|&end| [-end, end]).collect();
        let linear: fn((f64, f64)) -> Axis = |data| Axis::linear("", data, 6);
        let kinds: [fn((f64, f64)) -> Axis; 7] = [
            linear,
            |data| Axis::exact("", data, 12),
            |data| Axis::share("", data, 6),
            |data| Axis::whole("", data, 6),
            |data| Axis::seconds("", data, 6),
            |data| Axis::powers("", (data.0.clamp(-300.0, 300.0), data.1.clamp(-300.0, 300.0))),
            |data| Axis::durations("", data, true),
        ];
        let long = |_| Axis::names("", ["n".repeat(300), "é".into()]);
        let mut seen = 0;
        for (low, high) in signed.iter().flat_map(|&low| signed.iter().map(move |&high| (low, high))) {
            for near in [high, low + (high - low) * 1e-9, low * (1.0 + 1e-12)] {
                for axis in kinds {
                    for (x, y) in [(axis((low, near)), linear((low, near))), (axis((low, near)), long(()))] {
                        let panel = Panel { x, y, weight: 1.0, marks: Vec::new() };
                        let size = Size { width: 358, height: 340 };
                        let drawn = svg(vec![panel.clone()], size);
                        for (from, to, words) in ends_of_words(&drawn) {
                            let inside = from >= -0.5 && to <= f64::from(size.width) + 0.5;
                            assert!(inside, "'{words}' from {from} to {to} of {low:e} to {near:e}");
                            seen += 1;
                        }
                    }
                }
            }
        }
        assert!(seen > 10_000, "{seen}");
    }

    #[test]
    fn wide_characters_are_wide() {
        for (text, em) in [("", 0.0), ("100 %", 3.28), ("−0.10", 3.12), ("10 ms", 3.30)] {
            assert!((text_width(text) - em * FONT).abs() < 1e-9, "{text} {}", text_width(text) / FONT);
        }
    }
}
