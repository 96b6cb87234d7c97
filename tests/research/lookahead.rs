//! No label knows more than it says, and none is a frame off: for every rule. Features and expressions have the same in `rows` and
//! `expressions`.

use crate::support::moving;
use papertrader::feed::intake::ScaleRule;
use papertrader::research::dataset::FeatureRows;
use papertrader::research::source::{Nobody, RowShape, Source, Watch};
use papertrader::statistics::labels::{Change, Horizon, LabelRule, Ties};
use papertrader::statistics::metrics::Ranking;
use papertrader::strategy::features::{Feature, FeatureSet};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Rules, and which rows before and after a jump of ten ticks (ten basis points) have its direction, by hand. A frame comes every
/// ten milliseconds.
const RULES: [(&str, isize, isize); 16] = [
    ("mid:20", -20, -1),
    ("mid:20 band 9.5ticks", -20, -1),
    ("mid:200ms", -20, -1),
    ("mid:200ms band 5bp", -20, -1),
    ("mean:20", -20, -1),
    // k of 20 mids lie ten ticks higher: k ÷ 2 ticks, more than the band from k = 3 on.
    ("mean:20 band 1tick", -18, -1),
    ("mean:200ms", -20, -1),
    // From k = 10 on.
    ("mean:200ms band 4.8bp", -11, -1),
    // As long as one of the 20 mids up to now is of before.
    ("means:20", -20, 18),
    // At least 9 of the mids ahead are of after, or at most 11 of those behind.
    ("means:20 band 4ticks", -12, 10),
    ("means:200ms", -20, 18),
    ("means:200ms band 4ticks", -12, 10),
    ("around:20:5", -22, -1),
    // Two of five mids.
    ("around:20:5 band 3ticks", -21, -1),
    ("barrier:50:2ticks", -50, -1),
    ("barrier:500ms:5bp", -50, -1),
];

const FRAMES: usize = 5_400;

/// The frames at which the mid jumps, further apart than any rule sees.
fn jumps() -> impl Iterator<Item = usize> {
    (0..40).map(|jump| 110 + 130 * jump)
}

/// The same numbers every time.
fn noise() -> impl FnMut() -> u32 {
    let mut state = 11_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u32
    }
}

struct Row {
    sequence: usize,
    value: f64,
    change: Option<Change>,
    until: usize,
}

fn rows(capture: &Path, rule: &str) -> Vec<Row> {
    let source = Source::open(&[capture.to_owned()], None, ScaleRule::default()).unwrap();
    let shape = RowShape { label: rule.parse::<LabelRule>().unwrap(), every: 1 };
    let mut features = FeatureRows::new(FeatureSet::new(&[Feature::Imbalance(1)]));
    let mut rows = Vec::new();
    source
        .read_rows(shape, &mut features, &Watch { bar: &Nobody, stop: &|| false }, &mut |row| {
            let (sequence, until) = (row.head.sequence as usize, row.until as usize);
            rows.push(Row { sequence, value: row.values[0], change: row.change, until });
            Ok(())
        })
        .unwrap();
    rows
}

/// A market whose best bid tells the direction of a jump while the label does, and nothing at any other time: a row that is a frame
/// off in either direction meets noise at an edge.
#[test]
fn shifted_rows_lose_by_every_label() {
    let folder = tempfile::tempdir().unwrap();
    for (rule, from, to) in RULES {
        let mut noise = noise();
        let (mut direction_of, mut bids) = (vec![0_i8; FRAMES], vec![10_000_u32; FRAMES]);
        for jump in jumps() {
            let direction: i8 = if noise().is_multiple_of(2) { 1 } else { -1 };
            direction_of[jump.strict_add_signed(from)..=jump.strict_add_signed(to)].fill(direction);
            bids[jump..].iter_mut().for_each(|ticks| *ticks = ticks.strict_add_signed(10 * i32::from(direction)));
        }
        let size = |direction: i8| match direction {
            1 => 9,
            -1 => 1,
            _ => 1 + noise() % 9,
        };
        let sizes: Vec<u32> = direction_of.iter().copied().map(size).collect();
        let capture = moving(&folder, "jumps.l2", 0, bids.into_iter().zip(sizes), "A-USD");
        let rows = rows(&capture, rule);
        assert_eq!(rows.len(), FRAMES);
        for row in &rows {
            let Some(change) = row.change else { continue };
            assert_eq!(change.sign, direction_of[row.sequence], "{rule} at {}", row.sequence);
        }
        let labelled = rows.iter().filter(|row| row.change.is_some()).count();
        assert!(labelled > FRAMES - 100, "{rule}: {labelled}");

        let auc = |shift: isize| {
            let pair =
                |(at, row): (usize, &Row)| Some((rows.get(at.checked_add_signed(shift)?)?.value, row.change?.sign));
            let (scores, signs): (Vec<f64>, Vec<i8>) = rows.iter().enumerate().filter_map(pair).unzip();
            Ranking::new(&scores, &signs, Ties::Drop).auc(|row| Ties::Drop.weight(signs[row]))
        };
        assert_eq!(auc(0), 1.0, "{rule}");
        for way in [-1, 1] {
            let [one, three, nine] = [1, 3, 9].map(|frames| auc(way * frames));
            assert!(1.0 > one && one > three && three > nine, "{rule}, shifted by {way}: {one} {three} {nine}");
        }
    }
}

/// A market that wanders, at irregular times. From frame `raised` on it lies ten units higher, and it ends before frame `end`.
fn wandering(folder: &TempDir, name: &str, raised: usize, end: usize) -> PathBuf {
    let mut noise = noise();
    let mut ticks = 10_000_u32;
    let frame = |at: usize| {
        ticks = ticks + noise() % 3 - 1;
        (if at < raised { ticks } else { ticks + 1_000 }, 1 + noise() % 9)
    };
    let path = moving(folder, name, 0, (0..900).map(frame).collect::<Vec<_>>().into_iter(), "A-USD");
    let (mut text, mut at_ms) = (String::new(), 0_i64);
    for line in fs::read_to_string(&path).unwrap().lines().take(end) {
        let (_, message) = line.split_once(' ').unwrap();
        text.push_str(&format!("{} {message}\n", at_ms * 1_000_000));
        // Some frames come together.
        at_ms += [0, 3, 9, 10, 18][noise() as usize % 5];
    }
    fs::write(&path, text).unwrap();
    path
}

/// A label depends on the frame to which it says it looks, and on none behind it: whether these are others or never came.
#[test]
fn a_label_depends_on_the_frame_it_looks_to_and_on_none_behind() {
    let folder = tempfile::tempdir().unwrap();
    let whole = wandering(&folder, "whole.l2", usize::MAX, usize::MAX);
    let cuts = [300, 457, 458, 601, 743];
    let raised = cuts.map(|cut| wandering(&folder, &format!("raised-{cut}.l2"), cut, usize::MAX));
    let ended = cuts.map(|cut| wandering(&folder, &format!("ended-{cut}.l2"), usize::MAX, cut));
    for (rule, ..) in RULES {
        let whole = rows(&whole, rule);
        assert!(whole.iter().filter(|row| row.change.is_some()).count() > 800, "{rule}");
        let is_in_updates = matches!(rule.parse::<LabelRule>().unwrap().horizon, Horizon::Updates(_));
        let (mut before, mut at) = (0, 0);
        for ((cut, raised), ended) in cuts.into_iter().zip(&raised).zip(&ended) {
            let (raised, ended) = (rows(raised, rule), rows(ended, rule));
            assert_eq!((raised.len(), ended.len()), (whole.len(), cut));
            for (own, raised) in whole.iter().zip(&raised).filter(|(own, _)| own.change.is_some()) {
                let [own_label, other] = [own, raised].map(|row| (row.change, row.until));
                let place = format!("{rule}: row {} looks to {}, raised at {cut}", own.sequence, own.until);
                if own.until < cut {
                    assert_eq!(own_label, other, "{place}");
                    before += 1;
                } else if own.until == cut && own.sequence < cut {
                    assert_ne!(own_label, other, "{place}");
                    at += 1;
                }
            }
            for (own, ended) in whole.iter().zip(&ended) {
                let place = format!("{rule}: row {} looks to {}, ended at {cut}", own.sequence, own.until);
                // That a time has passed is known from the next frame on.
                if own.until + usize::from(!is_in_updates) < cut {
                    assert_eq!((own.change, own.until), (ended.change, ended.until), "{place}");
                } else if own.until >= cut {
                    assert_eq!(ended.change, None, "{place}");
                }
            }
        }
        assert!(before > 2_000 && at > 2, "{rule}: {before} {at}");
    }
}
