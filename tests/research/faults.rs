//! Whatever reads a market names what broke it.

use crate::common::{fail, papertrader, stderr, succeed};
use crate::support::{THIN_FEATURES, moving, synthetic};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The same capture without the lines of these numbers.
fn without(capture: &Path, name: &str, lost: &[usize]) -> PathBuf {
    let text = fs::read_to_string(capture).unwrap();
    let kept = text.lines().enumerate().filter(|(number, _)| !lost.contains(number)).map(|(_, line)| line);
    let path = capture.with_file_name(name);
    fs::write(&path, kept.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    path
}

#[test]
fn too_few_rows_of_a_broken_book_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let whole = moving(&folder, "whole.l2", 0, (0..300).map(|n: u32| (10_000 + n / 7 % 3, 1 + n % 5)), "A-USD");
    let broken = without(&whole, "broken.l2", &[1, 10, 20, 30]);
    let why = format!(
        "; {}: the book became unreliable 4 times: sequence gap 4 (sequence gap: sequence_num 2 where 1 was due; sequence gap: \
         sequence_num 11 where 10 was due; sequence gap: sequence_num 21 where 20 was due; and more)",
        broken.display()
    );
    let out = |name: &str| folder.path().join(name);
    let mut features = papertrader();
    features.arg("features").arg(&broken).args(THIN_FEATURES).arg("-o").arg(out("t.csv"));
    let mut train = papertrader();
    train.arg("train").arg(&broken).args(THIN_FEATURES).args(["--resamples", "100", "-o"]).arg(out("m.json"));
    let model = out("model.json");
    fs::write(&model, r#"{"features":["imbalance_1"],"intercept":0,"coefficients":[1]}"#).unwrap();
    let mut evaluate = papertrader();
    evaluate.arg("evaluate").arg(&broken).arg("--model").arg(&model).args(["--resamples", "100"]);
    let horizon = "error: the horizon of 20 updates is longer than the captures: the longest stretch with a live book has 1 frame";
    for command in [&mut features, &mut train, &mut evaluate] {
        assert_eq!(fail(command), (2, format!("{horizon}{why}")));
    }

    // Rows, but not enough of them.
    let cut = without(&whole, "cut.l2", &[90]);
    let mut train = papertrader();
    train.arg("train").arg(&cut).args(THIN_FEATURES).args(["--resamples", "100", "-o"]).arg(out("m.json"));
    let (code, message) = fail(&mut train);
    assert_eq!(code, 2);
    assert!(message.starts_with("error: too few rows: "), "{message}");
    assert!(
        message.ends_with("unreliable 1 time: sequence gap 1 (sequence gap: sequence_num 91 where 90 was due)"),
        "{message}"
    );
}

#[test]
fn reports_have_the_faults_of_their_captures() {
    let folder = tempfile::tempdir().unwrap();
    let capture = without(&synthetic(&folder, "a.l2", 7, 4_000), "broken.l2", &[3_900, 3_950]);
    let stem = folder.path().join("m");
    let output = papertrader()
        .arg("train")
        .arg(&capture)
        .args(["--features", "imbalance_1,ofi_1_1", "--resamples", "100", "--block", "2", "-o"])
        .arg(stem.with_extension("json"))
        .output()
        .unwrap();
    let (shown, warned) = (String::from_utf8_lossy(&output.stdout), stderr(&output));
    let first = "sequence gap: sequence_num 3901 where 3900 was due";
    let second = "sequence gap: sequence_num 3951 where 3950 was due";
    assert!(shown.contains(&format!("  book faults: sequence gap 2\n    {first}\n    {second}\n")), "{shown}");
    let warning = format!("became unreliable 2 times: sequence gap 2 ({first}; {second}); no label reaches across");
    assert!(warned.contains(&warning), "{warned}");
    let json: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("m.report.json")).unwrap()).unwrap();
    let of_capture = &json["captures"][0];
    assert_eq!((&of_capture["faults"], &of_capture["fault_notes"][1]), (&2.into(), &second.into()));
    assert_eq!(of_capture["faults_by_kind"], serde_json::json!([{"fault": "sequence gap", "count": 2}]));
    let page = fs::read_to_string(folder.path().join("m.report.html")).unwrap();
    assert!(
        page.contains(&format!("<li>{first}</li>")) && page.contains("data-key=\"captures.0.faults_by_kind.0.count\"")
    );
}

#[test]
fn a_profile_names_what_broke_its_book() {
    let folder = tempfile::tempdir().unwrap();
    let capture = without(&synthetic(&folder, "a.l2", 7, 400), "broken.l2", &[100]);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
    let profile = |capture: &Path| {
        let mut command = papertrader();
        command.arg("profile").arg(capture).arg("--model").arg(&model).args(["--rates", "1k", "--seconds", "0.2"]);
        let shown = succeed(command.args(["--fused", "--name", "p", "--force", "--out"]).arg(folder.path()));
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let of = |name: &str| serde_json::from_str::<Value>(&read(name)).unwrap();
        (shown, of("p.json"), of("p.1000.json"))
    };
    let (shown, profiled, run) = profile(&capture);
    let note = "sequence gap: sequence_num 101 where 100 was due";
    assert!(shown.contains("  the book became unreliable ") && shown.contains(note), "{shown}");
    assert_eq!(
        (&profiled["rates"][0]["fault_notes"][0], &run["counters"]["feed"]["fault_notes"][0]),
        (&note.into(), &note.into())
    );
    let (shown, profiled, _) = profile(&folder.path().join("a.l2"));
    assert!(!shown.contains("unreliable") && profiled["rates"][0]["faults"] == 0, "{shown}");
}
