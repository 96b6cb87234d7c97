use super::*;
use serde_json::json;
use std::fs;

fn read(text: &str) -> Result<Option<RunFile>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    fs::write(&path, text).unwrap();
    let folder = format!("{}/", folder.path().display());
    RunFile::read(&path).map_err(|error| error.to_string().replace(&folder, ""))
}

#[test]
fn other_files_are_told_apart() {
    assert_eq!(RunFile::read(Path::new("/nowhere/r.json")).unwrap(), None);
    for (text, error) in [
        ("{\"rates\": []}", "r.json is no papertrader-run file"),
        (
            "{\"schema\": \"papertrader-run\", \"schema_version\": 2}",
            "r.json has schema version 2, this program reads version 1",
        ),
        (
            "{\"schema\": \"papertrader-run\", \"schema_version\": 1}",
            "r.json: missing field `program_version` at line 1 column 50",
        ),
        ("{", "r.json: EOF while parsing an object at line 1 column 1"),
    ] {
        assert_eq!(read(text).unwrap_err(), error);
    }
}

#[test]
fn work_is_every_stage_but_the_wait_and_the_whole() {
    let stage = |tag: &str, count, p50_ns, p99_ns| StageFacts {
        stage: tag.into(),
        name: tag.into(),
        count,
        out_of_range: 0,
        min_ns: Some(1),
        p50_ns: Some(p50_ns),
        p90_ns: Some(p50_ns),
        p99_ns: Some(p99_ns),
        p99_9_ns: Some(p99_ns),
        p99_99_ns: Some(p99_ns),
        max_ns: Some(p99_ns),
        curve: Vec::new(),
    };
    let stages = [
        stage("parse", 3, 200, 500),
        stage("handoff", 3, 7_000, 900_000),
        stage("book", 3, 100, 2_000),
        stage("decide", 0, 9, 9),
        stage("total", 3, 8_000, 910_000),
    ];
    assert_eq!(Work::of(&stages), Some(Work { p50_ns: 300, p99_ns: 2_500 }));
    assert_eq!(Work::of(&stages[1..2]), None);
    let timing = |paced, fused| Timing { paced, fused, ..Timing::default() };
    let queued = [(true, false), (true, true), (false, true), (false, false)].map(|(p, f)| timing(p, f).is_queued());
    assert_eq!(queued, [false, false, false, true]);
}

#[test]
fn lists_are_on_one_line() {
    let value = json!({"a": {"b": [1, {"c": 2.5, "d": [0.1]}]}, "e": []});
    let text = json::text(&value);
    assert_eq!(text, "{\n  \"a\": {\n    \"b\": [1,{\"c\":2.5,\"d\":[0.1]}]\n  },\n  \"e\": []\n}\n");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
}
