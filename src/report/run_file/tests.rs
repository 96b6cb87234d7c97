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
fn lists_are_on_one_line() {
    let value = json!({"a": {"b": [1, {"c": 2.5, "d": [0.1]}]}, "e": []});
    let text = json::text(&value);
    assert_eq!(text, "{\n  \"a\": {\n    \"b\": [1,{\"c\":2.5,\"d\":[0.1]}]\n  },\n  \"e\": []\n}\n");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
}
