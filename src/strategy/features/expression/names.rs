//! Names that were meant.

use crate::strategy::features::catalogue::{CATALOGUE, Feature};

/// Names of functions, and how they are called.
pub const FUNCTIONS: [(&str, &str); 13] = [
    ("ln", "ln(x)"),
    ("sqrt", "sqrt(x)"),
    ("abs", "abs(x)"),
    ("sign", "sign(x)"),
    ("min", "min(a, b) or min(x, FROM..TO)"),
    ("max", "max(a, b) or max(x, FROM..TO)"),
    ("clip", "clip(x, low, high)"),
    ("lag", "lag(x, K) or lag(x, Tms)"),
    ("delta", "delta(x, K) or delta(x, Tms)"),
    ("mean", "mean(x, K), mean(x, Tms) or mean(x, FROM..TO)"),
    ("std", "std(x, K) or std(x, Tms)"),
    ("ema", "ema(x, K) or ema(x, Tms)"),
    ("sum", "sum(x, FROM..TO)"),
];

/// Characters of a text that errors show.
const SHOWN_MAX: usize = 64;

/// A text in quotes, cut.
pub fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    format!("'{shown}'")
}

/// Insertions, deletions and replacements that make one of the other (Levenshtein 1966).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, byte) in a.iter().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (other, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(byte != other);
            diagonal = *above;
            left = replaced.min(left + 1).min(*above + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

/// The nearest of some names, unless all are far.
fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    if name.len() > SHOWN_MAX {
        return None;
    }
    let measured = candidates.map(|candidate| (distance(name.as_bytes(), candidate.as_bytes()), candidate));
    let far = 2.max(name.len() / 3);
    measured.min_by_key(|(distance, _)| *distance).filter(|&(distance, _)| distance <= far).map(|(_, name)| name)
}

/// The name of a feature or of a family of levels that is nearest to one that is none.
pub fn nearest_feature(name: &str) -> Option<String> {
    let typed: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).collect();
    let candidates = CATALOGUE.iter().flat_map(|family| {
        // What was typed as parameters, where that makes a name.
        let filled = |parameters: &[&str]| {
            let mut parameters = parameters.iter();
            let words = family.pattern.split('_').map(|word| match word {
                "N" | "K" => (*parameters.next().unwrap_or(&"1")).to_owned(),
                "Tms" => format!("{}ms", parameters.next().unwrap_or(&"1")),
                word => word.to_owned(),
            });
            words.collect::<Vec<_>>().join("_")
        };
        let filled = Some(filled(&typed)).filter(|name| name.parse::<Feature>().is_ok()).unwrap_or_else(|| filled(&[]));
        let bare = family.pattern.strip_suffix("_N").map(ToOwned::to_owned);
        [Some(filled), bare.filter(|_| typed.is_empty())].into_iter().flatten()
    });
    nearest(name, candidates)
}

/// The name of a function that is nearest to one that is none.
pub fn nearest_function(name: &str) -> Option<String> {
    nearest(name, FUNCTIONS.iter().map(|(function, _)| (*function).to_owned()))
}
