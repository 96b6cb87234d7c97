//! Figures on a page.

use super::escape::escaped;
use crate::report::chart::Slot;
use std::fmt::{self, Write};

/// Figures side by side where there is room.
pub fn write_slots(out: &mut String, slots: &[Slot]) -> fmt::Result {
    writeln!(out, "<div class=\"figures\">")?;
    let mut room_beside = false;
    for slot in slots {
        // What is missing takes the place beside half a figure.
        let beside = if room_beside { " half" } else { "" };
        room_beside = !room_beside && matches!(slot, Slot::Drawn(figure) if figure.half);
        match slot {
            Slot::Missing(title, why) => {
                let (title, why) = (escaped(title), escaped(why));
                writeln!(out, "<p class=\"missing{beside}\"><strong>{title}.</strong> {why}</p>")?;
            }
            Slot::Drawn(figure) => {
                let class = if figure.half { " class=\"half\"" } else { "" };
                let title = escaped(&figure.title);
                writeln!(out, "<figure id=\"{}\"{class}>\n<figcaption><strong>{title}</strong>", figure.id)?;
                if !figure.caption.is_empty() {
                    writeln!(out, "<span class=\"how\">{}</span>", escaped(&figure.caption))?;
                }
                if !figure.legend.is_empty() {
                    write!(out, "<span class=\"legend\">")?;
                    for (ink, meaning) in &figure.legend {
                        let colour = ink.variable();
                        write!(out, "<span><i style=\"background:var({colour})\"></i>{}</span>", escaped(meaning))?;
                    }
                    writeln!(out, "</span>")?;
                }
                writeln!(out, "</figcaption>\n{}</figure>", figure.drawings(&title))?;
            }
        }
    }
    writeln!(out, "</div>")
}
