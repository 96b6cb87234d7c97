//! What every page begins and ends with.

use super::escape::escaped;
use std::fmt::{self, Write};

const STYLE: &str = include_str!("style.css");

/// Up to the beginning of the content: the title, a line below it, links to the chapters by their ids.
pub fn head(
    out: &mut String,
    title: &str,
    heading: &str,
    below: Option<&str>,
    chapters: &[(&str, &str)],
) -> fmt::Result {
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"papertrader {}\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{} – papertrader</title>\n<style>\n{STYLE}</style></head><body>",
        env!("CARGO_PKG_VERSION"),
        escaped(title)
    )?;
    write!(out, "<header><h1>{}</h1>", escaped(heading))?;
    if let Some(below) = below {
        write!(out, "\n<p class=\"sub\">{}</p>", escaped(below))?;
    }
    if !chapters.is_empty() {
        write!(out, "\n<nav>")?;
        chapters.iter().try_for_each(|(id, name)| write!(out, "<a href=\"#{id}\">{name}</a>"))?;
        write!(out, "</nav>")?;
    }
    writeln!(out, "</header>\n<main>")
}

/// What gives pause, a paragraph each.
pub fn remarks<'a>(out: &mut String, remarks: impl IntoIterator<Item = &'a String>) -> fmt::Result {
    remarks.into_iter().try_for_each(|remark| writeln!(out, "<p class=\"remark\">{}</p>", escaped(remark)))
}

/// From the end of the content on; `origin` follows the program's version.
pub fn foot(out: &mut String, origin: &str) -> fmt::Result {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(out, "</main>\n<footer>Made by papertrader {version}{}.</footer>\n</body></html>", escaped(origin))
}
