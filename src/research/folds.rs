//! Which rows are fitted and which tested: folds of cross-validation and of walking forward, purged and embargoed.
//!
//! ```
//! use papertrader::research::folds::{Scheme, around, folds};
//! use papertrader::research::table::RowKey;
//!
//! // Rows 40 to 59 are left out, and the 10 on both sides whose labels reach across an edge.
//! let key = |sequence| RowKey { ordinal: sequence, sequence, until: sequence + 10, capture: 0, sign: 1 };
//! let keys: Vec<RowKey> = (0..100).map(key).collect();
//! assert_eq!(around(&keys, &(0..100), &(40..60), 0), [0..30, 70..100]);
//!
//! // Three refits, each on all that came before what it is tested on.
//! let scheme: Scheme = "walk-forward:3".parse()?;
//! let walk = folds(scheme, &keys, &(0..100), 0);
//! assert_eq!((&walk[0].fitted_on[..], walk[0].tested_on.clone()), (&[0..15][..], 25..50));
//! assert_eq!((&walk[2].fitted_on[..], walk[2].tested_on.clone()), (&[0..65][..], 75..100));
//! # Ok::<(), papertrader::research::folds::NoScheme>(())
//! ```

use super::table::RowKey;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The most folds.
pub const FOLDS_MAX: u32 = 100;

/// How a model's settings are judged before the test part is touched. Blocks are of equally many rows, in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Each of so many blocks is tested on once, by a model fitted to all others (purged K-fold, López de Prado 2018,
    /// chapter 7). Models are fitted to what came later too: no trader could have done it.
    KFold(u32),
    /// So many refits, each on all rows before the block that it is tested on.
    WalkForward(u32),
    /// So many refits, each on the block of rows before the one that it is tested on.
    Rolling(u32),
}

/// Why a text is no scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is none of kfold:K, walk-forward:K and rolling:K, K from 2 to {FOLDS_MAX}")]
pub struct NoScheme(String);

impl FromStr for Scheme {
    type Err = NoScheme;

    fn from_str(text: &str) -> Result<Self, NoScheme> {
        let none = || NoScheme(text.chars().flat_map(char::escape_default).collect());
        let (kind, count) = text.split_once(':').ok_or_else(none)?;
        let count = count.parse().ok().filter(|count| (2..=FOLDS_MAX).contains(count)).ok_or_else(none)?;
        match kind {
            "kfold" => Ok(Self::KFold(count)),
            "walk-forward" => Ok(Self::WalkForward(count)),
            "rolling" => Ok(Self::Rolling(count)),
            _ => Err(none()),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KFold(count) => write!(f, "kfold:{count}"),
            Self::WalkForward(count) => write!(f, "walk-forward:{count}"),
            Self::Rolling(count) => write!(f, "rolling:{count}"),
        }
    }
}

impl Scheme {
    /// How many folds there are.
    pub fn count(self) -> u32 {
        match self {
            Self::KFold(count) | Self::WalkForward(count) | Self::Rolling(count) => count,
        }
    }

    /// In words, for reports.
    pub fn meaning(self) -> String {
        match self {
            Self::KFold(count) => format!("{count} blocks, each tested on by a fit to the others, later ones included"),
            Self::WalkForward(count) => format!("{count} refits, each on all rows before the block it is tested on"),
            Self::Rolling(count) => format!("{count} refits, each on the block of rows before the one it is tested on"),
        }
    }
}

/// A block of rows and what is fitted for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The rows to fit on.
    pub fitted_on: Vec<Range<usize>>,
    /// The rows to test on.
    pub tested_on: Range<usize>,
}

/// The folds of a scheme over `rows`. A fold may be empty, and may have nothing to be fitted on.
pub fn folds(scheme: Scheme, keys: &[RowKey], rows: &Range<usize>, embargo: usize) -> Vec<Fold> {
    let blocks = match scheme {
        Scheme::KFold(count) => count as usize,
        // The first block is fitted on only.
        Scheme::WalkForward(count) | Scheme::Rolling(count) => count as usize + 1,
    };
    let at = |block: usize| rows.start + rows.len() * block / blocks;
    let fold = |block: usize| {
        let tested_on = at(block)..at(block + 1);
        let whole = std::slice::from_ref(rows);
        let mut fitted_on = outside(keys, whole, std::slice::from_ref(&tested_on), embargo);
        match scheme {
            Scheme::KFold(_) => {}
            Scheme::WalkForward(_) => fitted_on = before(&fitted_on, rows.start, tested_on.start),
            Scheme::Rolling(_) => fitted_on = before(&fitted_on, at(block - 1), tested_on.start),
        }
        Fold { fitted_on, tested_on }
    };
    (usize::from(!matches!(scheme, Scheme::KFold(_)))..blocks).map(fold).collect()
}

/// The rows at some positions of several stretches that are counted through.
pub fn stretch(rows: &[Range<usize>], positions: Range<usize>) -> Vec<Range<usize>> {
    let mut before = 0;
    let mut found = Vec::new();
    for range in rows {
        let from = positions.start.clamp(before, before + range.len()) - before;
        let to = positions.end.clamp(before, before + range.len()) - before;
        if from < to {
            found.push(range.start + from..range.start + to);
        }
        before += range.len();
    }
    found
}

/// The rows from `from` on and before `to`.
fn before(rows: &[Range<usize>], from: usize, to: usize) -> Vec<Range<usize>> {
    shared(rows, std::slice::from_ref(&(from..to)))
}

/// The rows that are in both; each list ascends.
fn shared(a: &[Range<usize>], b: &[Range<usize>]) -> Vec<Range<usize>> {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| a.start.max(b.start)..a.end.min(b.end)));
    pairs.filter(|range| !range.is_empty()).collect()
}

/// The rows of `rows` to fit on while those of `left_out` are tested on; see [`around`].
pub fn outside(keys: &[RowKey], rows: &[Range<usize>], left_out: &[Range<usize>], embargo: usize) -> Vec<Range<usize>> {
    let Some((first, last)) = rows.first().zip(rows.last()) else { return Vec::new() };
    let whole = first.start..last.end;
    let left_out = left_out.iter().filter(|range| !range.is_empty());
    left_out.fold(rows.to_vec(), |kept, range| shared(&kept, &around(keys, &whole, range, embargo)))
}

/// The rows to fit on while `left_out` is tested on: those before it up to the first whose label reaches into it, and those behind
/// it from the first on that no label of it reaches, less `embargo` rows (purging and embargo, López de Prado 2018, chapter 7).
pub fn around(keys: &[RowKey], rows: &Range<usize>, left_out: &Range<usize>, embargo: usize) -> [Range<usize>; 2] {
    let (first, last) = (keys[left_out.start], keys[left_out.end - 1]);
    let before = &keys[rows.start..left_out.start];
    let reaches = |key: &RowKey| (key.capture, key.until) >= (first.capture, first.sequence);
    let before = before.iter().position(reaches).unwrap_or(before.len());
    let ours = keys[left_out.clone()].iter().rev().take_while(|key| key.capture == last.capture);
    let until = ours.map(|key| key.until).max().unwrap_or(last.until);
    let after =
        keys[left_out.end..rows.end].partition_point(|key| (key.capture, key.sequence) <= (last.capture, until));
    let after = left_out.end + after;
    [rows.start..rows.start + before, after.saturating_add(embargo).min(rows.end).max(after)..rows.end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn only(rows: Range<usize>) -> Vec<Range<usize>> {
        std::iter::once(rows).collect()
    }

    #[test]
    fn no_label_reaches_across_the_edge_of_a_block() {
        let keys: Vec<RowKey> = (0..300_u64)
            .map(|at| RowKey {
                ordinal: at,
                sequence: at % 150 * 2,
                until: at % 150 * 2 + 20,
                capture: (at / 150) as u32,
                sign: 1,
            })
            .collect();
        let rows = 10..290;
        // Rows 100..120 of the first capture are frames 200 to 238.
        let [before, after] = around(&keys, &rows, &(100..120), 0);
        assert_eq!(before, 10..90);
        assert_eq!(keys[before.end - 1].sequence + 20, 198);
        assert_eq!(after, 130..290);
        assert_eq!(keys[after.start].sequence, 238 + 22);
        // At the beginning of a capture nothing reaches in.
        assert_eq!(around(&keys, &rows, &(150..160), 0), [10..150, 170..290]);
    }

    #[test]
    fn rows_are_purged_and_embargoed_as_defined() {
        let key = |at: u64| RowKey { ordinal: at, sequence: at, until: at + 2, capture: 0, sign: 1 };
        let keys: Vec<RowKey> = (0..12).map(key).collect();
        let train = |embargo| around(&keys, &(0..12), &(4..8), embargo).into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(train(1), [0, 1, 11]);
        assert_eq!(train(0), [0, 1, 10, 11]);
        assert_eq!(train(usize::MAX), [0, 1]);
    }

    #[test]
    fn spans_of_any_length_are_purged() {
        // Barriers: a long label among short ones, before the block and in it.
        let until = [1, 9, 3, 4, 5, 11, 7, 8, 9, 10, 11, 12];
        let key = |(at, &until): (usize, &u64)| RowKey {
            ordinal: at as u64,
            sequence: at as u64,
            until,
            capture: 0,
            sign: 1,
        };
        let keys: Vec<RowKey> = until.iter().enumerate().map(key).collect();
        assert_eq!(around(&keys, &(0..12), &(4..8), 0), [0..1, 12..12]);
        assert_eq!(around(&keys, &(0..12), &(6..8), 0), [0..1, 9..12]);
    }

    #[test]
    fn schemes_are_read_and_written() {
        for text in ["kfold:5", "walk-forward:8", "rolling:100"] {
            assert_eq!(text.parse::<Scheme>().unwrap().to_string(), text);
        }
        for text in ["kfold", "kfold:1", "kfold:101", "walk:3", "rolling:", "rolling:-2", "\u{1b}[2J:3"] {
            let error = text.parse::<Scheme>().unwrap_err().to_string();
            let quoted: String = text.chars().flat_map(char::escape_default).collect();
            assert_eq!(error, format!("'{quoted}' is none of kfold:K, walk-forward:K and rolling:K, K from 2 to 100"));
        }
    }

    #[test]
    fn walking_forward_knows_the_past_alone() {
        let key = |at: u64| RowKey { ordinal: at, sequence: at, until: at + 3, capture: 0, sign: 1 };
        let keys: Vec<RowKey> = (0..80).map(key).collect();
        let rolling = folds(Scheme::Rolling(3), &keys, &(0..80), 5);
        let of = |fold: &Fold| (fold.fitted_on.clone(), fold.tested_on.clone());
        assert_eq!(
            rolling.iter().map(of).collect::<Vec<_>>(),
            [(only(0..17), 20..40), (only(20..37), 40..60), (only(40..57), 60..80)]
        );
        let expanding = folds(Scheme::WalkForward(3), &keys, &(0..80), 5);
        assert_eq!(expanding[1], Fold { fitted_on: only(0..37), tested_on: 40..60 });
        let blocks = folds(Scheme::KFold(4), &keys, &(0..80), 5);
        assert_eq!(blocks[1], Fold { fitted_on: vec![0..17, 48..80], tested_on: 20..40 });
        assert_eq!(stretch(&[0..17, 48..80], 10..20), [10..17, 48..51]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Against the rule row by row: a row is fitted on unless its span of frames touches that of a tested row of its capture,
        /// or it is one of the embargoed behind. Spans of one length.
        #[test]
        fn folds_are_those_of_the_plain_rule(
            rows in 10_usize..120,
            reach in 0_u64..12,
            embargo in 0_usize..9,
            capture_rows in 20_usize..80,
            count in 2_u32..6,
            kind in 0_usize..3,
        ) {
            let key = |at: usize| {
                let sequence = (at % capture_rows) as u64;
                let capture = (at / capture_rows) as u32;
                RowKey { ordinal: at as u64, sequence, until: sequence + reach, capture, sign: 1 }
            };
            let keys: Vec<RowKey> = (0..rows).map(key).collect();
            let scheme = [Scheme::KFold(count), Scheme::WalkForward(count), Scheme::Rolling(count)][kind];
            let all = folds(scheme, &keys, &(0..rows), embargo);
            prop_assert_eq!(all.len(), count as usize);
            prop_assert_eq!(all.last().unwrap().tested_on.end, rows);
            for (at, fold) in all.iter().enumerate() {
                let tested = &keys[fold.tested_on.clone()];
                let touches = |key: &RowKey| {
                    tested.iter().any(|of| of.capture == key.capture && key.sequence <= of.until && of.sequence <= key.until)
                };
                let behind = (fold.tested_on.end..rows).find(|&row| !touches(&keys[row])).unwrap_or(rows);
                let is_fitted = |row: usize| {
                    let within = match scheme {
                        Scheme::KFold(_) => true,
                        Scheme::WalkForward(_) => row < fold.tested_on.start,
                        Scheme::Rolling(_) => row < fold.tested_on.start
                            && row >= if at == 0 { 0 } else { all[at - 1].tested_on.start },
                    };
                    within && !touches(&keys[row]) && !(behind..behind + embargo).contains(&row)
                };
                let plain: Vec<usize> = (0..rows).filter(|&row| !fold.tested_on.is_empty() && is_fitted(row)).collect();
                let ours: Vec<usize> = fold.fitted_on.iter().cloned().flatten().collect();
                if !fold.tested_on.is_empty() {
                    prop_assert_eq!(ours, plain, "{} {}", scheme, at);
                }
            }
        }
    }
}
