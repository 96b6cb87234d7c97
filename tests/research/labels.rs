//! Labels by their rules, through the program: against plain sums over the exported mids.

use crate::common::{fail, papertrader, succeed};
use crate::support::{csv_table, synthetic};
use std::path::Path;

/// Mids in ticks, times and labels of a table; a label that is not known is `None`.
type Rows = Vec<(f64, i64, Option<i8>)>;

fn labelled(capture: &Path, table: &Path, rule: &str) -> Rows {
    let mut command = papertrader();
    command.arg("features").arg(capture).args(["--features", "mid", "--force", "--label", rule, "-o"]).arg(table);
    succeed(&mut command);
    let (header, cells) = csv_table(table);
    let column = |name: &str| header.iter().position(|of| of == name).unwrap();
    let (mid, time, label) = (column("mid"), column("ts_recv_ns"), column("label"));
    let tick = 0.01;
    let row = |row: &Vec<String>| {
        let ticks = row[mid].parse::<f64>().unwrap() / tick;
        // Mids are halves of ticks.
        ((2.0 * ticks).round() / 2.0, row[time].parse().unwrap(), row[label].parse().ok())
    };
    cells.iter().map(row).collect()
}

fn mean(mids: &[(f64, i64, Option<i8>)]) -> f64 {
    mids.iter().map(|row| row.0).sum::<f64>() / mids.len() as f64
}

fn sign(change: f64, band: f64) -> i8 {
    if change.abs() <= band + 1e-9 { 0 } else { change.signum() as i8 }
}

#[test]
fn labels_are_those_of_plain_sums_over_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "m.l2", 5, 3_000);
    let table = folder.path().join("rows.csv");
    type Plain = fn(&Rows, usize) -> Option<i8>;
    let rules: [(&str, Plain); 6] = [
        ("mid:20", |rows, at| Some(sign(rows.get(at + 20)?.0 - rows[at].0, 0.0))),
        ("mid:20 band 1tick", |rows, at| Some(sign(rows.get(at + 20)?.0 - rows[at].0, 1.0))),
        ("mean:20", |rows, at| Some(sign(mean(rows.get(at + 1..=at + 20)?) - rows[at].0, 0.0))),
        ("means:20", |rows, at| {
            let before = mean(rows.get((at + 1).checked_sub(20)?..=at)?);
            Some(sign(mean(rows.get(at + 1..=at + 20)?) - before, 0.0))
        }),
        ("barrier:50:2ticks", |rows, at| {
            let ahead = &rows[at + 1..rows.len().min(at + 51)];
            let hit = ahead.iter().find(|row| (row.0 - rows[at].0).abs() >= 2.0);
            hit.map(|row| sign(row.0 - rows[at].0, 0.0)).or_else(|| (ahead.len() == 50).then_some(0))
        }),
        ("mid:300ms", |rows, at| {
            let until = rows[at].1 + 300_000_000;
            let beyond = rows.iter().position(|row| row.1 > until)?;
            Some(sign(rows[beyond - 1].0 - rows[at].0, 0.0))
        }),
    ];
    for (rule, plain) in rules {
        let rows = labelled(&capture, &table, rule);
        assert!(rows.len() > 2_900, "{rule}");
        let mut seen = [0; 3];
        for at in 0..rows.len() {
            assert_eq!(rows[at].2, plain(&rows, at), "{rule}, row {at}");
            if let Some(label) = rows[at].2 {
                seen[(label + 1) as usize] += 1;
            }
        }
        assert!(seen.iter().all(|&count| count > 0), "{rule}: {seen:?}");
    }
}

#[test]
fn models_are_trained_and_judged_by_a_label() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "m.l2", 5, 3_000);
    let model = folder.path().join("m.json");
    let mut train = papertrader();
    train.arg("train").arg(&capture).args(["--features", "imbalance_1,imbalance_5", "--label", "means:30", "--cv"]);
    let report = succeed(train.args(["--embargo", "40", "--resamples", "100", "-o"]).arg(&model));
    assert!(
        report.contains("sign of the mean mid over the next 30 updates less that over the last; ties: drop"),
        "{report}"
    );
    let mut evaluate = papertrader();
    evaluate.arg("evaluate").arg(&capture).arg("--model").arg(&model);
    let report = succeed(evaluate.args(["--label", "barrier:2s:1tick", "--override-model", "--resamples", "100"]));
    assert!(report.contains("sign of the mid's first move by 1tick within 2s; ties: drop"), "{report}");
    // Trades hold what --horizon says, else what the label's updates, else what the model says.
    assert!(report.contains("sell 30 updates later"), "{report}");
}

#[test]
fn labels_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "m.l2", 5, 300);
    let table = folder.path().join("rows.csv");
    let mut wrong = papertrader();
    wrong.arg("features").arg(&capture).args(["--label", "median:20", "-o"]).arg(&table);
    let (code, error) = fail(&mut wrong);
    assert_eq!(code, 2);
    assert!(
        error.contains("label 'median:20' is none of mid:H, mean:H, means:H, around:H:W and barrier:H:D"),
        "{error}"
    );
    let mut far = papertrader();
    far.arg("features").arg(&capture).args(["--label", "mean:2000", "-o"]).arg(&table);
    let error = "error: the reach of label mean:2000 is longer than the captures: the longest stretch with a live book has 300 \
                 frames";
    assert_eq!(fail(&mut far), (2, error.into()));
    assert!(!table.exists());
}
