//! What a model's file says of what it predicts: who follows it, who contradicts it, and who is not told.

use crate::common::{fail, papertrader, stderr, succeed};
use crate::support::synthetic;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn model(folder: &TempDir, name: &str, more: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, format!(r#"{{"features":["imbalance_1"],"intercept":0,"coefficients":[1.5]{more}}}"#)).unwrap();
    path
}

fn evaluate(capture: &Path, models: &[&Path], more: &[&str]) -> Command {
    let mut command = papertrader();
    command.arg("evaluate").arg(capture).args(["--resamples", "100", "--force"]).args(more);
    models.iter().for_each(|model| {
        command.arg("--model").arg(model);
    });
    command
}

fn replay(folder: &TempDir, capture: &Path, model: &Path, more: &[&str]) -> Command {
    let mut command = papertrader();
    command.arg("replay").arg(capture).arg("--model").arg(model).arg("--out").arg(folder.path());
    command.args(["--name", "run", "--force"]).args(more);
    command
}

#[test]
fn evaluations_and_runs_are_scored_as_the_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 3_000);
    let trained = folder.path().join("m.json");
    let mut train = papertrader();
    train.arg("train").arg(&capture).args(["--features", "imbalance_1", "--label", "mean:10", "--ties", "three"]);
    succeed(train.args(["--resamples", "100", "-o"]).arg(&trained));
    let file: Value = serde_json::from_str(&fs::read_to_string(&trained).unwrap()).unwrap();
    assert_eq!(
        (&file["label"], &file["ties"], &file["horizon_updates"]),
        (&"mean:10".into(), &"three".into(), &10.into())
    );

    let stem = folder.path().join("e");
    let mut command = evaluate(&capture, &[&trained], &["--report", stem.to_str().unwrap()]);
    let output = command.output().unwrap();
    assert!(output.status.success() && !stderr(&output).contains("does not say"), "{}", stderr(&output));
    let report = fs::read_to_string(folder.path().join("e.report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["rules"]["label"], &report["rules"]["ties"]), (&"mean:10".into(), &"three".into()));

    // A run's evaluations have the outcomes of the rows, by the same rule.
    let output = replay(&folder, &capture, &trained, &[]).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let run: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("run.json")).unwrap()).unwrap();
    let outcomes = &run["observed"]["calibration"]["outcomes"];
    assert_eq!(run["observed"]["label"], "mean:10");
    for (of_run, of_rows) in [("up", "up"), ("down", "down"), ("tied", "ties")] {
        assert_eq!(outcomes[of_run], report["test"][of_rows], "{of_run}");
    }
    let page = fs::read_to_string(folder.path().join("run.html")).unwrap();
    assert!(page.contains("evaluations, each against the model's label, mean:10, not only those that bought."));
}

#[test]
fn contradictions_are_errors_that_name_both() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 800);
    let one = model(&folder, "one.json", r#","label":"mid:20","ties":"drop","horizon_updates":20"#);
    let path = one.display();
    let what = |option: &str, what: &str, said: &str| {
        format!(
            "error: --{what} {option} contradicts model {path}, which was made for {what} {said}: leave --{what} out, or give \
             --override-model"
        )
    };
    for (more, says) in [
        (["--label", "mid:50"], what("mid:50", "label", "mid:20")),
        (["--horizon", "50"], what("50", "horizon", "20")),
        (["--ties", "down"], what("down", "ties", "drop")),
    ] {
        assert_eq!(fail(&mut evaluate(&capture, &[&one], &more)), (2, says));
        let output = evaluate(&capture, &[&one], &[&more[..], &["--override-model"]].concat()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    // What agrees is no contradiction.
    succeed(&mut evaluate(&capture, &[&one], &["--label", "mid:20", "--horizon", "20", "--ties", "drop"]));
    let says = format!(
        "error: --lag 7 contradicts model {path}, whose horizon_updates is 20: leave --lag out, or give --override-model"
    );
    assert_eq!(fail(&mut replay(&folder, &capture, &one, &["--lag", "7"])), (2, says));
    succeed(&mut replay(&folder, &capture, &one, &["--lag", "20"]));
    succeed(&mut replay(&folder, &capture, &one, &["--lag", "7", "--override-model"]));

    // Models that differ are told apart by an option.
    let other = model(&folder, "other.json", r#","label":"mean:20","ties":"drop","horizon_updates":20"#);
    let says = format!(
        "error: the models differ in their label: {path} has mid:20, {} has mean:20; give --label",
        other.display()
    );
    assert_eq!(fail(&mut evaluate(&capture, &[&one, &other], &[])), (2, says));
    succeed(&mut evaluate(&capture, &[&one, &other], &["--label", "mean:20"]));
}

#[test]
fn what_is_not_said_is_a_warning_where_it_could_be() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 800);
    let warned = |mut command: Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output).lines().filter(|line| line.contains("does not say")).map(String::from).collect::<Vec<_>>()
    };
    let silent = model(&folder, "silent.json", "");
    let path = silent.display();
    let says = format!("warning: model {path} does not say its horizon_updates, label, ties; taken: 20, mid:20, drop");
    assert_eq!(warned(evaluate(&capture, &[&silent], &[])), [says]);
    let says = format!("warning: model {path} does not say its ties; taken: drop");
    assert_eq!(warned(evaluate(&capture, &[&silent], &["--label", "mean:5"])), [says]);
    assert!(warned(evaluate(&capture, &[&silent], &["--label", "mean:5", "--ties", "drop"])).is_empty());
    let says = format!(
        "warning: model {path} does not say its horizon_updates and label; trades hold for 20 updates, and evaluations are scored \
         against mid:20"
    );
    assert_eq!(warned(replay(&folder, &capture, &silent, &[])), [says]);
    // Numbers alone cannot say it.
    let plain = folder.path().join("plain.txt");
    fs::write(&plain, "0.1\n".repeat(29)).unwrap();
    assert!(warned(replay(&folder, &capture, &plain, &[])).is_empty());
    assert!(warned(evaluate(&capture, &[&plain], &[])).is_empty());
}

#[test]
fn what_is_said_badly_is_refused_by_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 300);
    let bins = r#"{"edges":[0],"counts":[1,1],"psi_max":[]}"#;
    let distribution = |features: &str| {
        format!(r#","training_distribution":{{"rows":2,"window_rows":[],"score":{bins},"features":[{features}]}}"#)
    };
    let both = format!("{bins},{bins}");
    let ascending = bins.replace("[0]", "[1,0]");
    for (more, says) in [
        (
            r#","label":"median:20""#.to_string(),
            "label 'median:20' is none of mid:H, mean:H, means:H, around:H:W and barrier:H:D",
        ),
        (
            r#","ties":"none""#.into(),
            "unknown variant `none`, expected one of `drop`, `down`, `three` at line 1 column 76",
        ),
        (distribution(&both), "training_distribution.features has 2 entries for 1 features"),
        (distribution(&ascending), "training_distribution.features[0].edges do not ascend"),
    ] {
        let bad = model(&folder, "bad.json", &more);
        let says = format!("error: model {}: {says}", bad.display());
        assert_eq!(fail(&mut replay(&folder, &capture, &bad, &[])), (2, says));
    }
    succeed(&mut replay(&folder, &capture, &model(&folder, "good.json", &distribution(bins)), &[]));
}
