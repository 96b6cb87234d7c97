use crate::common::{papertrader, succeed};
use crate::support::{HEADER, Runs};
use std::fs;

/// Text that would do something if it were taken for markup, in element and in attribute.
const MARKUP: &str = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>";

/// Puts the text into every string of a value.
fn poison(value: &mut serde_json::Value, path: &str) {
    match value {
        serde_json::Value::String(text) if !["schema", "stage"].contains(&path) => *text = MARKUP.into(),
        serde_json::Value::Array(list) => list.iter_mut().for_each(|entry| poison(entry, path)),
        serde_json::Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| poison(value, name)),
        _ => {}
    }
}

#[test]
fn no_text_of_a_file_becomes_markup() {
    let runs = Runs::new();
    let capture = runs.capture(500);
    runs.replay(&capture, "run", &["--threshold", "0.5"]);
    let mut json = runs.json("run.json");
    poison(&mut json, "");
    json["run"]["streamed_as"] = MARKUP.into();
    json["run"]["passed_over"] = serde_json::json!([MARKUP]);
    json["run"]["fault"] = MARKUP.into();
    json["timing"]["source"] = serde_json::json!([[MARKUP, MARKUP]]);
    json["counters"]["feed"]["fault_notes"] = serde_json::json!([MARKUP, "a \u{1b}[31m note"]);
    json["counters"]["feed"]["faults_by_kind"] = serde_json::json!([{"fault": MARKUP, "count": 3}]);
    // A name may hold anything but a slash.
    let name = "<img src=x onerror=alert(3)>&\"'";
    fs::write(runs.path(&format!("{name}.json")), json.to_string()).unwrap();
    for ending in ["csv", "hlog"] {
        fs::rename(runs.path(&format!("run.{ending}")), runs.path(&format!("{name}.{ending}"))).unwrap();
    }
    fs::write(runs.path("bare.csv"), format!("{HEADER}\n")).unwrap();
    let csv = runs.path(&format!("{name}.csv"));
    succeed(papertrader().arg("report").arg(&csv).arg("-o").arg(runs.path("page.html")));
    let compared = [csv, runs.path("bare.csv")];
    succeed(papertrader().args(["report", "--compare"]).args(compared).arg("-o").arg(runs.path("both.html")));
    for page in ["page.html", "both.html"] {
        let text = runs.text(page);
        for markup in ["<script", "<img", "onerror=alert(1)", "\u{1b}"] {
            assert!(!text.contains(markup), "{page} holds {markup}");
        }
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"), "{page}");
        // Every attribute ends where it should: nothing of the text begins one.
        assert!(!text.contains("\"'&<") && !text.contains("=\"<"), "{page}");
        assert!(
            !text.contains("http://") || text.matches("http://").count() == text.matches("http://www.w3.org").count()
        );
    }
    let page = runs.text("page.html");
    assert!(
        page.contains("a \u{fffd}[31m note") && page.contains("&lt;img src=x onerror=alert(3)&gt;&amp;&quot;&#39;")
    );
}
