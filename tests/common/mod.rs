//! What the integration tests share.
#![allow(dead_code)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
#[cfg(feature = "cli")]
pub fn papertrader() -> Command {
    Command::new(env!("CARGO_BIN_EXE_papertrader"))
}

/// Real captures and the original's results, which are not part of the project. Without them a test skips, aloud.
pub fn shared_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no real captures in {}", folder.display());
    None
}

/// A gzip file's text.
pub fn gunzip(path: &Path) -> String {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// Standard output, after checking that the program succeeded.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and standard error of a program that must fail.
pub fn fail(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let text = stderr(&output);
    assert!(!output.status.success(), "{command:?} succeeds\n{text}");
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code().unwrap_or(-1), text.trim_end().to_string())
}

/// A replay in a folder, whose files stay there.
#[cfg(feature = "cli")]
pub fn replay<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = papertrader();
    command.arg("replay").args(arguments).args(["--out", "."]).current_dir(folder);
    command
}

/// A file of a folder.
pub fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A `RUN.json` but for what depends on time, and the title, which names the strategy or the product.
pub fn numbers(folder: &Path, name: &str) -> serde_json::Value {
    let mut run: serde_json::Value = serde_json::from_slice(&bytes(folder, name)).unwrap();
    run["timing"] = serde_json::Value::Null;
    run["run"]["title"] = serde_json::Value::Null;
    run
}

/// Standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The value of a line of the report.
pub fn reported<'a>(report: &'a str, name: &str) -> &'a str {
    report
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(name).filter(|rest| rest.starts_with("  ")))
        .unwrap_or_else(|| panic!("no line '{name}' in\n{report}"))
        .trim()
}

/// Every `data-key` of a page with its `data-value`, if it has one.
pub fn keys(page: &str) -> Vec<(String, Option<String>)> {
    let quoted = |text: &str| text.split('"').next().unwrap().to_string();
    page.split("data-key=\"")
        .skip(1)
        .map(|rest| {
            let tag = rest.split('>').next().unwrap();
            (quoted(rest), tag.split("data-value=\"").nth(1).map(quoted))
        })
        .collect()
}

/// The ids of a page's figures, in order.
pub fn figures(page: &str) -> Vec<String> {
    page.split("<figure id=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_string()).collect()
}

/// LightGBM's file of a hundred trees of so many leaves over these features.
pub fn forest(features: &[&str], leaves: usize) -> String {
    let mut text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx={}\nobjective=binary sigmoid:1\nfeature_names={}\n",
        features.len() - 1,
        features.join(" ")
    );
    let list = |count: usize, entry: &dyn Fn(usize) -> String| (0..count).map(entry).collect::<Vec<_>>().join(" ");
    for tree in 0..100 {
        // A chain: right children are leaves, left children the next node.
        let splits = leaves - 1;
        let split_feature = list(splits, &|node| ((tree * ((node + 1) % 2)) % features.len()).to_string());
        let threshold = list(splits, &|node| format!("{}0.{tree}{}", ["", "-"][node % 2], "1".repeat(node / 2)));
        let decision_type = list(splits, &|node| ["2", "8"][node % 2].into());
        let left_child = list(splits, &|node| if node + 1 < splits { (node + 1).to_string() } else { "-1".into() });
        let right_child = list(splits, &|node| format!("-{}", node + 2));
        let leaf_value = list(leaves, &|leaf| ["-0.01", "0.02", "0.01"][leaf % 3].into());
        text += &format!(
            "\nTree={tree}\nnum_leaves={leaves}\nnum_cat=0\nsplit_feature={split_feature}\nthreshold={threshold}\n\
             decision_type={decision_type}\nleft_child={left_child}\nright_child={right_child}\nleaf_value={leaf_value}\nis_linear=0\n"
        );
    }
    text + "\nend of trees\n"
}
