//! What the tables of all pages are put together from. Names, headings and words are escaped here; cells are HTML.

use super::document::Shown;
use super::escape::escaped;
use std::fmt::{self, Write};

/// Begins a table; it has no line of headings if there are none. Columns after the first hold numbers.
pub fn open<S: AsRef<str>>(out: &mut String, id: &str, headings: &[S]) -> fmt::Result {
    write!(out, "<div class=\"scroll\"><table id=\"{id}\">")?;
    if !headings.is_empty() {
        write!(out, "<thead><tr>")?;
        for (at, heading) in headings.iter().enumerate() {
            let class = if at > 0 { " class=\"n\"" } else { "" };
            write!(out, "<th{class}>{}</th>", escaped(heading.as_ref()))?;
        }
        write!(out, "</tr></thead>")?;
    }
    writeln!(out, "<tbody>")
}

/// A line of cells behind their name.
pub fn row(out: &mut String, name: &str, cells: impl IntoIterator<Item = String>) -> fmt::Result {
    write!(out, "<tr><th>{}</th>", escaped(name))?;
    cells.into_iter().for_each(|cell| out.push_str(&cell));
    writeln!(out, "</tr>")
}

/// Ends a table.
pub fn close(out: &mut String) -> fmt::Result {
    writeln!(out, "</tbody></table></div>")
}

/// A number that follows from others and has no name of its own.
pub fn derived(value: Option<f64>, shown: Shown) -> String {
    format!("<td class=\"n\">{}</td>", shown.text_of(value))
}

/// Words, wrapped where they are long.
pub fn words(text: &str) -> String {
    format!("<td class=\"text\">{}</td>", escaped(text))
}

/// A table that is unfolded by a click.
pub fn folded(out: &mut String, summary: &str, table: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
    writeln!(out, "<details><summary>{}</summary>", escaped(summary))?;
    table(out)?;
    writeln!(out, "</details>")
}

/// A number that is seen first, its name above it and what belongs to it below; `value` and `below` are HTML.
pub fn tile(out: &mut String, name: &str, value: &str, below: &str) -> fmt::Result {
    write!(out, "<div><dt>{name}</dt><dd>{value}")?;
    if !below.is_empty() {
        write!(out, "<small>{below}</small>")?;
    }
    writeln!(out, "</dd></div>")
}
