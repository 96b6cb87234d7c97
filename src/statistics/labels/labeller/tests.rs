use super::*;
use proptest::prelude::*;

const MS: i64 = 1_000_000;

/// A frame of a test: milliseconds since the one before, twice the mid in ticks of one decimal, and in how many decimals it is told.
type Told = (i64, Option<u64>, u8);

/// Rows of all frames with a mid.
fn labels(rule: LabelRule, frames: &[Told]) -> Vec<Label> {
    let mut labels = Labeller::new(rule);
    labels.set_tick_decimals(1);
    let (mut found, mut ts_recv_ns) = (Vec::new(), 0);
    for (at, &(ms, ticks, decimals)) in frames.iter().enumerate() {
        ts_recv_ns += ms * MS;
        let finer = 10_u64.pow(u32::from(decimals - 1));
        let mid = ticks.map(|ticks| DoubleMid { ticks: ticks * finer, price_decimals: decimals });
        labels.frame(at as u64, ts_recv_ns, mid);
        if mid.is_some() {
            labels.row();
        }
        found.extend(std::iter::from_fn(|| labels.next_known()));
    }
    labels.reset();
    found.extend(std::iter::from_fn(|| labels.next_known()));
    found
}

/// The same by the definitions, over whole lists. Gives sign, change in ticks and the frame looked to; `None` for what is not known.
fn plain(rule: LabelRule, frames: &[Told], row: usize) -> Option<(i8, f64, usize)> {
    let mut times = Vec::new();
    frames.iter().fold(0, |time, (ms, ..)| {
        times.push(time + ms * MS);
        time + ms * MS
    });
    let mid = |at: usize| frames[at].1.map(|ticks| ticks as f64 / 2.0);
    let mean = |range: std::ops::RangeInclusive<usize>| {
        let mids: Option<Vec<f64>> = range.map(mid).collect();
        mids.filter(|mids| !mids.is_empty()).map(|mids| mids.iter().sum::<f64>() / mids.len() as f64)
    };
    let to = match rule.horizon {
        Horizon::Updates(_) => row + rule.span_updates().unwrap() as usize,
        Horizon::Ns(ns) => times.iter().rposition(|&time| time <= times[row] + ns).unwrap(),
    };
    // Only a later frame tells that nothing else came in time.
    let is_over = match rule.horizon {
        Horizon::Updates(_) => to < frames.len(),
        Horizon::Ns(_) => to + 1 < frames.len(),
    };
    let distance = |distance: Distance, base: f64| match distance {
        Distance::Ticks(millionths) => millionths as f64 / 1e6,
        Distance::Bp(millionths) => millionths as f64 / 1e10 * base,
    };
    let now = mid(row).unwrap();
    if let LabelKind::Barrier(reach) = rule.kind {
        let reach = distance(reach, now);
        let hit = (row + 1..frames.len()).filter(|&at| at <= to).find_map(|at| {
            let change = mid(at)? - now;
            (change.abs() >= reach - 1e-9).then_some((change.signum() as i8, change, at))
        });
        return hit.or_else(|| is_over.then(|| (0, mid(to).map_or(0.0, |mid| mid - now), to)));
    }
    if !is_over {
        return None;
    }
    let (base, ahead) = match rule.kind {
        LabelKind::Mid => (now, mid(to)?),
        LabelKind::Around(width) => (now, mean(to + 1 - width as usize..=to)?),
        LabelKind::Mean if to == row => (now, now),
        LabelKind::Mean => (now, mean(row + 1..=to)?),
        LabelKind::Means => {
            let from = match rule.horizon {
                Horizon::Updates(updates) => (row + 1).checked_sub(updates as usize)?,
                Horizon::Ns(ns) => times.iter().position(|&time| time > times[row] - ns).filter(|&at| at > 0)?,
            };
            (mean(from..=row)?, if to == row { now } else { mean(row + 1..=to)? })
        }
        LabelKind::Barrier(_) => unreachable!("settled above"),
    };
    let change = ahead - base;
    let band = rule.dead_band.map_or(0.0, |band| distance(band, base));
    let sign = if change.abs() <= band + 1e-9 { 0 } else { change.signum() as i8 };
    Some((sign, change, to))
}

fn rules() -> impl Strategy<Value = LabelRule> {
    let texts = [
        "mid:1",
        "mid:4",
        "mid:7ms",
        "mean:1",
        "mean:5",
        "mean:9ms",
        "means:3",
        "means:8ms",
        "around:4:3",
        "around:3:5",
        "barrier:6:1tick",
        "barrier:5:1.5ticks",
        "barrier:12ms:2ticks",
        "barrier:4:300bp",
        "mid:3 band 1tick",
        "mean:4 band 0.25ticks",
        "means:3 band 200bp",
        "mid:6ms band 150bp",
    ];
    prop::sample::select(texts.to_vec()).prop_map(|text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn labels_are_those_of_the_definitions(
        rule in rules(),
        steps in prop::collection::vec((0..6_i64, prop::option::weighted(0.9, 90..111_u64), any::<bool>()), 1..60),
    ) {
        // The scale becomes finer now and then, and later mids are told in it.
        let mut decimals = 1;
        let frames: Vec<Told> = steps
            .iter()
            .enumerate()
            .map(|(at, &(ms, ticks, is_finer))| {
                decimals += u8::from(is_finer && at % 20 == 19);
                (ms, ticks, decimals)
            })
            .collect();
        let rows: Vec<usize> = (0..frames.len()).filter(|&at| frames[at].1.is_some()).collect();
        let found = labels(rule, &frames);
        prop_assert_eq!(found.len(), rows.len());
        for (label, row) in found.iter().zip(rows) {
            let expected = plain(rule, &frames, row);
            prop_assert_eq!(label.change.map(|change| change.sign), expected.map(|(sign, ..)| sign), "{} row {}", rule, row);
            if let (Some(change), Some((_, ticks, until))) = (label.change, expected) {
                let own = 10_f64.powi(i32::from(frames[row].2) - 1);
                prop_assert!((change.ticks / own - ticks).abs() < 1e-9, "{} row {}: {} {}", rule, row, change.ticks, ticks);
                prop_assert_eq!(label.until, until as u64, "{} row {}", rule, row);
            }
        }
    }

    #[test]
    fn what_waits_and_what_is_kept_is_bounded(rule in rules(), ticks in prop::collection::vec(90..111_u64, 2_000)) {
        let mut labels = Labeller::new(rule);
        for (at, ticks) in ticks.into_iter().enumerate() {
            labels.frame(at as u64, at as i64 * MS, Some(DoubleMid { ticks, price_decimals: 0 }));
            labels.row();
            while labels.next_known().is_some() {}
            prop_assert!(labels.rows.len() <= 16 && labels.frames.len() <= 32, "{}", rule);
            prop_assert!(labels.upper.len().max(labels.lower.len()) <= 100, "{}", rule);
        }
    }
}

#[test]
fn nothing_is_known_beyond_128_bits() {
    let mut labels = Labeller::new("means:2".parse().unwrap());
    for (at, price_decimals) in [0, 0, 18, 18, 18].into_iter().enumerate() {
        labels.frame(at as u64, 0, Some(DoubleMid { ticks: u64::MAX, price_decimals }));
        labels.row();
    }
    labels.reset();
    let known: Vec<_> = std::iter::from_fn(|| labels.next_known()).map(|label| label.change).collect();
    // Two rows without a past, one of sums that fit, two whose future is not there.
    assert_eq!(known.len(), 5);
    assert!(known[0].is_none() && known[3].is_none() && known[4].is_none());
}
