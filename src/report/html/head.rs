//! What every page begins with.

use super::escape::escaped;
use std::fmt::{self, Write};

const STYLE: &str = include_str!("style.css");

/// Up to the beginning of the body.
pub fn head(out: &mut String, title: &str) -> fmt::Result {
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"papertrader {}\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{STYLE}</style></head><body>",
        env!("CARGO_PKG_VERSION")
    )
}

/// What gives pause, a paragraph each.
pub fn remarks<'a>(out: &mut String, remarks: impl IntoIterator<Item = &'a String>) -> fmt::Result {
    remarks.into_iter().try_for_each(|remark| writeln!(out, "<p class=\"remark\">{}</p>", escaped(remark)))
}
