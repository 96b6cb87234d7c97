//! Fills of resting orders, order by order, against those of another simulator on real captures with prints.

use flate2::read::GzDecoder;
use papertrader::execution::matching::queue::QueueModel;
use std::fs::File;
use std::io::Read;
use std::path::Path;

#[path = "common/scripted.rs"]
mod scripted;

#[test]
fn fills_are_those_of_another_simulator() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    for (capture, lot_decimals) in [("btc-perp-a", 0), ("btc-spot-a", 5)] {
        for (name, queue) in [("risk", QueueModel::RiskAverse), ("power3", QueueModel::Power3)] {
            for latency_ms in [0, 5] {
                let golden = data.join(format!("golden/execution/{capture}.{name}.{latency_ms}ms.fills.csv.gz"));
                let Ok(file) = File::open(&golden) else {
                    eprintln!("SKIPPED: there is no {}", golden.display());
                    continue;
                };
                let mut expected = String::new();
                GzDecoder::new(file).read_to_string(&mut expected).unwrap();
                let settings =
                    scripted::Settings { queue, latency_ns: latency_ms * 1_000_000, lot_decimals: Some(lot_decimals) };
                let capture = data.join(format!("captures/{capture}.trades.l2.gz"));
                let rows = scripted::fills(&capture, settings).unwrap();
                let lines =
                    rows.iter().map(|row| format!("{},{},{},{},1", row.message, row.order, row.lots, row.price_ticks));
                for (line, (own, other)) in lines.zip(expected.lines().skip(1)).enumerate() {
                    assert_eq!(own, other, "fill {line} of {}", golden.display());
                }
                assert_eq!(rows.len(), expected.lines().count() - 1, "{}", golden.display());
                assert!(rows.len() > 100, "{}", golden.display());
            }
        }
    }
}

#[test]
fn a_capture_without_prints_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.l2");
    let frame = r#"{"channel":"l2_data","timestamp":"2026-09-30T02:39:54Z","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-09-30T02:39:54Z","price_level":"1","new_quantity":"1"}]}]}"#;
    std::fs::write(&path, format!("1723161600000000000 {frame}\n")).unwrap();
    let settings = scripted::Settings { queue: QueueModel::Power3, latency_ns: 0, lot_decimals: None };
    let error = scripted::fills(&path, settings).unwrap_err().to_string();
    assert_eq!(error, format!("{} has no prints: nothing says what is traded at a price", path.display()));
}
