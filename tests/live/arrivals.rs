//! From where a session's latency counts: a socket's frames from their arrival, a file's from when they are due.

use crate::common::{keys, reported, succeed};
use crate::support::*;
use serde_json::Value;
use std::path::Path;

/// The stages of a run, by tag.
fn stage(run: &Value, tag: &str) -> Value {
    let stages = run["timing"]["stages"].as_array().expect("stages");
    stages.iter().find(|stage| stage["stage"] == tag).unwrap_or_else(|| panic!("no {tag} in {stages:?}")).clone()
}

fn run_file(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&read(&folder.join(name).with_extension("json"))).expect("JSON")
}

/// The cells of a line of the latency table.
fn cells<'a>(report: &'a str, name: &str) -> Vec<&'a str> {
    let table = report.split_once("\nlatency").expect("a latency table").1;
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix(name)).expect("a line of the table");
    line.split_whitespace().collect()
}

#[test]
fn latency_counts_from_the_arrival_where_that_is_stamped_and_nothing_is_no_number() {
    for tls in [false, true] {
        let exchange = start(if tls { with_tls(market(&[])) } else { market(&[]) });
        let folder = tempfile::tempdir().expect("a folder");
        let capture = folder.path().join("market.l2");
        let report = succeed(live(&exchange, folder.path()).args(["--duration", "2", "--record"]).arg(&capture));
        let run = run_file(folder.path(), "live");
        let (total, queue, arrival) = (stage(&run, "total"), stage(&run, "queue"), stage(&run, "arrival"));
        let [of_all, stamped] = [&total, &arrival].map(|stage| stage["count"].as_u64().expect("a count"));
        if cfg!(target_os = "linux") {
            // The system begins to stamp some milliseconds after the first socket has asked for it.
            assert!(of_all > 100 && stamped > of_all / 2 && stamped <= of_all, "{stamped} of {of_all}");
            assert!(queue["count"].as_u64() > Some(0), "{queue}");
            assert!(arrival["min_ns"].as_u64() >= total["min_ns"].as_u64(), "{arrival} {total}");
            let age = reported(&report, "age by venue's clock");
            assert!(age.starts_with("min ") && age.contains(", p99 "), "{age}");
            assert!(reported(&report, "arrivals stamped").ends_with(" messages, by the system"), "{report}");
            assert!(read(&folder.path().join("live.hgrm")).ends_with("# nanoseconds, arrived → decided\n"));
            let page = read(&folder.path().join("live.html"));
            assert!(page.contains("latency, median, arrived → decided"), "the head counts from the arrival");
        }

        // The recording holds receive times, not arrivals.
        let report = succeed(replay(&capture, folder.path()).arg("--fused"));
        let run = run_file(folder.path(), "replay");
        for tag in ["queue", "arrival"] {
            let stage = stage(&run, tag);
            assert_eq!(stage["count"], 0);
            for field in ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns"] {
                assert!(stage[field].is_null(), "{field}: {stage}");
            }
            assert_eq!(stage["curve"].as_array().map(Vec::len), Some(0), "{stage}");
            let name = stage["name"].as_str().expect("a name");
            assert_eq!(cells(&report, name), ["0", "—", "—", "—", "—", "—", "—", "—"]);
        }
        assert!(reported(&report, "arrived").starts_with("not measured: "), "{report}");
        assert!(stage(&run, "total")["p50_ns"].is_u64());
        assert!(read(&folder.path().join("replay.hgrm")).ends_with("# nanoseconds, received → decided\n"));
        let page = read(&folder.path().join("replay.html"));
        assert!(page.contains("latency, median, received → decided") && page.contains("not measured: "));
        let of_arrivals = |(key, value): (String, Option<String>)| key.ends_with("arrival.p99_ns").then_some(value);
        assert_eq!(keys(&page).into_iter().find_map(of_arrivals), Some(None), "no number on the page");
    }
}
