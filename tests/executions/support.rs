//! A generated market with prints, runs over it, and their logs read back.

use crate::common::{papertrader, succeed};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const LOGS: [&str; 4] = ["orders", "fills", "markouts", "legs"];
pub const ACCOUNTS: [&str; 4] = ["taker", "maker-through", "maker-queue", "maker-touch"];
/// All executions, with orders that take their time.
pub const ALL: [&str; 4] = ["--execution", "original,taker,maker", "--order-latency", "5ms"];

/// A row by the names of its columns.
#[derive(Debug, PartialEq)]
pub struct Row(HashMap<String, String>);

impl Row {
    pub fn text(&self, column: &str) -> &str {
        self.0.get(column).unwrap_or_else(|| panic!("no column {column}"))
    }

    /// `None` where the cell is empty.
    pub fn known(&self, column: &str) -> Option<f64> {
        let text = self.text(column);
        (!text.is_empty()).then(|| text.parse().unwrap_or_else(|_| panic!("{column}: {text}")))
    }

    pub fn number(&self, column: &str) -> f64 {
        self.known(column).unwrap_or_else(|| panic!("{column} is empty"))
    }

    pub fn count(&self, column: &str) -> u64 {
        self.text(column).parse().unwrap_or_else(|_| panic!("{column}: {}", self.text(column)))
    }
}

/// The rows of a log's text. Every row must have every cell.
pub fn rows(text: &str) -> Vec<Row> {
    assert!(text.ends_with('\n'), "a cut row: {:?}", text.lines().last());
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    lines
        .map(|cells| {
            assert_eq!(cells.len(), header.len(), "{cells:?}");
            Row(header.iter().cloned().zip(cells).collect())
        })
        .collect()
}

/// A folder with a generated capture.
pub struct Market {
    folder: tempfile::TempDir,
}

impl Market {
    pub fn new(frames: u64) -> Self {
        let market = Self { folder: tempfile::tempdir().unwrap() };
        let mut command = papertrader();
        command.args(["generate", "--force", "--levels", "500", "--frames", &frames.to_string(), "--output"]);
        succeed(command.arg(market.capture()));
        market
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn capture(&self) -> PathBuf {
        self.path("market.l2")
    }

    /// Rewrites the capture line by line.
    pub fn rewrite(&self, lines: impl IntoIterator<Item = String>) {
        let text: String = lines.into_iter().flat_map(|line| [line, "\n".into()]).collect();
        fs::write(self.capture(), text).unwrap();
    }

    pub fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.capture()).unwrap().lines().map(str::to_owned).collect()
    }

    /// A replay of the capture under a name.
    pub fn command(&self, name: &str, more: &[&str]) -> Command {
        let mut command = papertrader();
        command.arg("replay").arg(self.capture()).arg("--model");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json"));
        command.args(["--threshold", "0.6", "--lag", "20", "--name", name, "--force", "--out"]).arg(self.folder.path());
        command.args(more);
        command
    }

    /// Runs it; its report.
    pub fn replay(&self, name: &str, more: &[&str]) -> String {
        succeed(&mut self.command(name, more))
    }

    pub fn text(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The texts of a run's logs.
    pub fn logs(&self, name: &str) -> [String; 4] {
        LOGS.map(|log| self.text(&format!("{name}.{log}.csv")))
    }

    pub fn rows(&self, name: &str, log: &str) -> Vec<Row> {
        rows(&self.text(&format!("{name}.{log}.csv")))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(&format!("{name}.json"))).unwrap()
    }
}

/// Each account's own rows.
pub fn of<'a>(rows: &'a [Row], account: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.text("account") == account).collect()
}

/// What holds of the logs of every run that has ended: each order, leg and fill is there once, and each order's fills come to it.
pub fn assert_whole(market: &Market, name: &str) {
    let [orders, fills, markouts, legs] = LOGS.map(|log| market.rows(name, log));
    let json = market.json(name);
    for (at, account) in ACCOUNTS.into_iter().enumerate() {
        let (orders, fills, legs) = (of(&orders, account), of(&fills, account), of(&legs, account));
        let sorted = |rows: &[&Row], column: &str| {
            let mut ids: Vec<u64> = rows.iter().map(|row| row.count(column)).collect();
            ids.sort_unstable();
            ids
        };
        let all = |rows: &[&Row]| (0..rows.len() as u64).collect::<Vec<_>>();
        assert_eq!(sorted(&orders, "order_id"), all(&orders), "{account}: orders");
        assert_eq!(sorted(&fills, "fill_id"), all(&fills), "{account}: fills");
        assert_eq!(sorted(&legs, "leg"), all(&legs), "{account}: legs");
        let mut volumes: HashMap<u64, f64> = HashMap::new();
        for fill in &fills {
            *volumes.entry(fill.count("order_id")).or_default() += fill.number("volume");
        }
        for order in &orders {
            let filled = volumes.get(&order.count("order_id")).copied().unwrap_or_default();
            let said = order.number("filled_volume");
            assert!((filled - said).abs() <= 1e-9 * said, "{account}: {order:?}");
        }
        let arrived = orders
            .iter()
            .filter(|order| order.text("purpose") == "entry" && !order.text("arrived_sequence").is_empty());
        let told: HashSet<u64> = of(&markouts, account).iter().map(|row| row.count("order_id")).collect();
        assert!(!told.is_empty(), "{account}");
        let missing = arrived.map(|order| order.count("order_id")).find(|id| !told.contains(id));
        assert_eq!(missing, None, "{account}: an entry without a markout");
        // Filled + cancelled + refused = sent.
        let counts = &json["executions"]["accounts"][at]["orders"];
        let count = |outcome: &str| orders.iter().filter(|order| order.text("outcome") == outcome).count();
        for outcome in ["filled", "cancelled", "refused"] {
            assert_eq!(counts[outcome], count(outcome), "{account}: {outcome}");
        }
        assert_eq!(counts["sent"], orders.len(), "{account}");
        assert_eq!(json["executions"]["accounts"][at]["account"], account);
    }
}
