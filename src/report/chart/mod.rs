//! Charts as SVG: panels one below the other, described by what they show and drawn by plotters.
//!
//! ```
//! use papertrader::report::chart::{Axis, Figure, Ink, Mark, Panel};
//!
//! let points = vec![(0.0, 1.0), (1.0, 3.0), (2.0, 2.0)];
//! let panels = |_| {
//!     vec![Panel {
//!         x: Axis::whole("update", (0.0, 2.0), 3),
//!         y: Axis::from_zero("profit", 3.0, 4),
//!         weight: 1.0,
//!         marks: vec![Mark::Line(points.clone(), Ink::Series(0), 1.5)],
//!     }]
//! };
//! let figure = Figure::whole("profit", "Profit", 240, panels).caption("After each update.");
//! assert!(figure.drawings("profit").contains("<svg"));
//! ```

pub mod axis;
mod draw;
mod sample;

pub use axis::Axis;
pub use sample::{Thinned, thinned};

use std::fmt::Write;

/// A colour by its role; the page's style sheet says what it is in light and in dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Words and axes.
    Text,
    /// Rules and lines that lead the eye.
    Muted,
    /// Grid lines.
    Grid,
    /// One of several quantities, from 0; there are [`Ink::SERIES`].
    Series(u8),
    /// What rose, what won.
    Up,
    /// What fell, what lost.
    Down,
    /// What stayed.
    Tied,
}

impl Ink {
    /// How many quantities can be told apart.
    pub const SERIES: u8 = 8;

    /// The variable of the style sheet.
    pub fn variable(self) -> String {
        match self {
            Self::Text => "--ink".into(),
            Self::Muted => "--muted".into(),
            Self::Grid => "--grid".into(),
            Self::Series(number) => format!("--s{}", number % Self::SERIES),
            Self::Up => "--up".into(),
            Self::Down => "--down".into(),
            Self::Tied => "--tied".into(),
        }
    }
}

/// Something in a panel, in the units of its axes.
#[derive(Clone, Debug)]
pub enum Mark {
    /// A line through points.
    Line(Vec<(f64, f64)>, Ink, f64),
    /// A dashed line from one point to another.
    Rule((f64, f64), (f64, f64), Ink),
    /// A filled outline.
    Area(Vec<(f64, f64)>, Ink, f64),
    /// Bars between two corners each.
    Bars(Vec<[(f64, f64); 2]>, Ink, f64),
    /// Discs, their radius in pixels.
    Discs(Vec<(f64, f64, f64)>, Ink, f64),
    /// Triangles that point at a place, from below (true) or from above.
    Triangles(Vec<(f64, f64)>, Ink, bool),
    /// Words to the right of a point (true) or to its left.
    Words((f64, f64), String, Ink, bool),
    /// Words around a point.
    Centred((f64, f64), String, Ink),
}

/// A rectangle with axes.
#[derive(Clone, Debug)]
pub struct Panel {
    /// From left to right.
    pub x: Axis,
    /// From below.
    pub y: Axis,
    /// Its share of the height against the other panels'.
    pub weight: f64,
    /// In the order in which they are drawn.
    pub marks: Vec<Mark>,
}

/// How large a drawing is, CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From above.
    pub height: u32,
}

impl Size {
    /// How many places along the x axis are told apart.
    pub fn places(self) -> usize {
        self.width as usize / 2
    }

    /// How many labels an x axis has room for.
    pub fn x_labels(self) -> usize {
        (self.width as usize / 85).max(3)
    }

    /// Whether it is for a narrow page.
    pub fn is_narrow(self) -> bool {
        self.width <= NARROW
    }
}

/// Widths: a page's whole, half a page's, a phone's.
const WHOLE: u32 = 1_080;
const HALF: u32 = 526;
const NARROW: u32 = 358;
/// The most of a phone's height that a figure takes.
const NARROW_HEIGHT: u32 = 380;

/// A chart with its words.
#[derive(Clone, Debug)]
pub struct Figure {
    /// In the page, and in its documentation.
    pub id: String,
    /// What is seen.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// What the colours mean.
    pub legend: Vec<(Ink, String)>,
    /// Whether it stands beside another one where there is room.
    pub half: bool,
    wide: String,
    narrow: String,
}

/// A figure, or why there is none.
#[derive(Clone, Debug)]
pub enum Slot {
    /// To be seen.
    Drawn(Box<Figure>),
    /// What would be seen, and why it is not.
    Missing(String, String),
}

impl Slot {
    /// No figure.
    pub fn missing(title: &str, why: impl Into<String>) -> Self {
        Self::Missing(title.into(), why.into())
    }
}

impl Figure {
    /// Draws a figure as wide as the page, `height` pixels high there, and once more for a phone.
    pub fn whole(
        id: impl Into<String>,
        title: impl Into<String>,
        height: u32,
        panels: impl Fn(Size) -> Vec<Panel>,
    ) -> Self {
        Self::new(id, title, (WHOLE, height), height.min(NARROW_HEIGHT), panels)
    }

    /// Draws a figure that takes half of the page's width.
    pub fn half(
        id: impl Into<String>,
        title: impl Into<String>,
        height: u32,
        panels: impl Fn(Size) -> Vec<Panel>,
    ) -> Self {
        Self { half: true, ..Self::new(id, title, (HALF, height), height.min(NARROW_HEIGHT), panels) }
    }

    /// The same, as high on a phone.
    pub fn half_tall(
        id: impl Into<String>,
        title: impl Into<String>,
        height: u32,
        panels: impl Fn(Size) -> Vec<Panel>,
    ) -> Self {
        Self { half: true, ..Self::new(id, title, (HALF, height), height, panels) }
    }

    fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        (width, height): (u32, u32),
        narrow_height: u32,
        panels: impl Fn(Size) -> Vec<Panel>,
    ) -> Self {
        let title = title.into();
        let draw = |size: Size| draw::svg(panels(size), size);
        Self {
            id: id.into(),
            title,
            caption: String::new(),
            legend: Vec::new(),
            half: false,
            wide: draw(Size { width, height }),
            narrow: draw(Size { width: NARROW, height: narrow_height }),
        }
    }

    /// With words on how to read it.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// With the meaning of a colour.
    #[must_use]
    pub fn legend(mut self, ink: Ink, meaning: impl Into<String>) -> Self {
        self.legend.push((ink, meaning.into()));
        self
    }

    /// As a slot of the page.
    pub fn slot(self) -> Slot {
        Slot::Drawn(Box::new(self))
    }

    /// Both drawings, as elements of a page whose style sheet shows one.
    pub fn drawings(&self, label: &str) -> String {
        let mut out = String::new();
        for (class, drawing) in [("wide", &self.wide), ("narrow", &self.narrow)] {
            write!(out, "<svg class=\"{class}\" role=\"img\" aria-label=\"{label}\" {drawing}")
                .expect("a String takes every character");
        }
        out
    }
}
