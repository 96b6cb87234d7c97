//! RELIABILITY.md names tests and bounds: the tests must exist and the bounds have the values given.

use papertrader::base::cores::ENGINES_MAX;
use papertrader::base::one_line::QUOTE_CHARS_MAX;
use papertrader::capture::frames::{HEADER_BYTES_MAX, INDEX_ENTRIES_MAX, PAYLOAD_BYTES_MAX};
use papertrader::capture::{LINE_BYTES_MAX, ZSTD_WINDOW_LOG_MAX};
use papertrader::cli::arguments::STRATEGIES_MAX;
use papertrader::cli::config::{CONFIG_BYTES_MAX, CONFIG_DEPTH_MAX};
use papertrader::execution::depletion::LEVELS_MAX;
use papertrader::execution::fees::TIERS_MAX;
use papertrader::execution::hold_back::{FRAMES_ROOM, HOLD_MAX_NS, LEVELS_ROOM, PRINTS_ROOM};
use papertrader::execution::latency::LATENCY_MAX_NS;
use papertrader::execution::rules::LAG_MAX;
use papertrader::feed::backoff::DELAY_MAX;
use papertrader::feed::coinbase::level2::{OTHER_PRODUCTS_MAX, PRODUCT_BYTES_MAX};
use papertrader::feed::coinbase::subscription::PRODUCTS_PER_CONNECTION;
use papertrader::feed::intake::FRAME_LEVELS_MAX;
use papertrader::feed::wire::{
    CA_BYTES_MAX, CONNECT_TIME_MAX, HANDSHAKE_BYTES_MAX, HANDSHAKE_TIME_MAX, MESSAGE_BYTES_MAX,
};
use papertrader::handoff::RING_EVENTS;
use papertrader::market::book::ladder::FAR_LEVELS_MAX;
use papertrader::market::event::PRODUCTS_MAX;
use papertrader::report::executions::ROWS_MAX;
use papertrader::research::distribution::SAMPLE_ROWS;
use papertrader::research::folds::FOLDS_MAX;
use papertrader::run::observe::DRIFT_WINDOWS;
use papertrader::sources::columns::pages::{DICTIONARY_VALUES_MAX, LIST_PAGE_VALUES_MAX};
use papertrader::sources::columns::{CHUNK_BYTES_MAX, COLUMNS_MAX};
use papertrader::sources::databento::orders::ORDERS_MAX;
use papertrader::sources::table::layout::TABLE_LEVELS_MAX;
use papertrader::strategy::attempts::ATTEMPTS_MAX;
use papertrader::strategy::features::TAPE_MESSAGES_MAX;
use papertrader::strategy::features::expression::{
    EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_STEPS_MAX, PROGRAM_HISTORY_MB_MAX, PROGRAM_PASTS_MAX,
};
use papertrader::strategy::model::{
    GRAPH_NODES_MAX, GRAPH_PRODUCTS_MAX, ISOTONIC_POINTS_MAX, LIBRARY_MODEL_BYTES_MAX, MASKED_NODES_MAX,
    MODEL_BYTES_MAX, NODES_MAX, NUMBERS_MAX, TREE_DEPTH_MAX,
};
use papertrader::sweep::grid::{SETTINGS_MAX, SWEEP_ROWS_MAX, VALUES_MAX};
use papertrader::sweep::{PASS_BYTES_MAX, TRADERS_MAX, TRADES_HELD_MAX};
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join("RELIABILITY.md")).unwrap()
}

/// What stands between backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_named_exists() {
    let page = page();
    let named: Vec<(&str, &str)> = quoted(&page).filter_map(|quoted| quoted.split_once("::")).collect();
    assert!(named.len() > 80, "{} tests named", named.len());
    for (file, name) in named {
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let at = text.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("{file} has no {name}"));
        let before = text[..at].trim_end().lines().rev().take_while(|line| line.trim_start().starts_with('#'));
        assert!(before.into_iter().any(|line| line.contains("#[test]")), "{name} in {file} is no test");
    }
}

#[test]
fn every_file_named_exists() {
    let page = page();
    let is_path = |quoted: &&str| ["tests/", "src/", "tools/", "fuzz/"].iter().any(|folder| quoted.starts_with(folder));
    for path in quoted(&page).filter(is_path) {
        let file = path.split([' ', ':']).next().unwrap();
        assert!(root().join(file).exists(), "{file} is named and not there");
    }
}

#[test]
fn every_bound_has_the_value_given() {
    let page = page();
    let (_, table) = page.split_once("## Bounds").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows: Vec<(&str, u64)> = table
        .lines()
        .filter_map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let constant = cells.get(2)?.strip_prefix('`')?.strip_suffix('`')?;
            Some((constant, cells[3].split(' ').next()?.replace(',', "").parse().unwrap()))
        })
        .collect();
    let bounds = [
        ("CONNECT_TIME_MAX", CONNECT_TIME_MAX.as_secs()),
        ("HANDSHAKE_TIME_MAX", HANDSHAKE_TIME_MAX.as_secs()),
        ("HANDSHAKE_BYTES_MAX", HANDSHAKE_BYTES_MAX as u64),
        ("MESSAGE_BYTES_MAX", MESSAGE_BYTES_MAX as u64),
        ("FRAME_LEVELS_MAX", FRAME_LEVELS_MAX as u64),
        ("FAR_LEVELS_MAX", FAR_LEVELS_MAX as u64),
        ("PRODUCTS_MAX", PRODUCTS_MAX as u64),
        ("PRODUCTS_PER_CONNECTION", PRODUCTS_PER_CONNECTION as u64),
        ("ENGINES_MAX", ENGINES_MAX as u64),
        ("OTHER_PRODUCTS_MAX", OTHER_PRODUCTS_MAX as u64),
        ("PRODUCT_BYTES_MAX", PRODUCT_BYTES_MAX as u64),
        ("QUOTE_CHARS_MAX", QUOTE_CHARS_MAX as u64),
        ("STRATEGIES_MAX", STRATEGIES_MAX as u64),
        ("LAG_MAX", u64::from(LAG_MAX)),
        ("LEVELS_MAX", LEVELS_MAX as u64),
        ("HOLD_MAX_NS", HOLD_MAX_NS as u64 / 1_000_000_000),
        ("FRAMES_ROOM", FRAMES_ROOM as u64),
        ("LEVELS_ROOM", LEVELS_ROOM as u64),
        ("PRINTS_ROOM", PRINTS_ROOM as u64),
        ("LATENCY_MAX_NS", LATENCY_MAX_NS as u64 / 1_000_000_000),
        ("HEADER_BYTES_MAX", HEADER_BYTES_MAX as u64),
        ("PAYLOAD_BYTES_MAX", PAYLOAD_BYTES_MAX as u64),
        ("INDEX_ENTRIES_MAX", INDEX_ENTRIES_MAX as u64),
        ("LINE_BYTES_MAX", LINE_BYTES_MAX as u64),
        ("ZSTD_WINDOW_LOG_MAX", u64::from(ZSTD_WINDOW_LOG_MAX)),
        ("COLUMNS_MAX", COLUMNS_MAX as u64),
        ("CHUNK_BYTES_MAX", CHUNK_BYTES_MAX as u64),
        ("DICTIONARY_VALUES_MAX", DICTIONARY_VALUES_MAX.into()),
        ("LIST_PAGE_VALUES_MAX", LIST_PAGE_VALUES_MAX.into()),
        ("TABLE_LEVELS_MAX", TABLE_LEVELS_MAX as u64),
        ("ORDERS_MAX", ORDERS_MAX as u64),
        ("MODEL_BYTES_MAX", MODEL_BYTES_MAX),
        ("LIBRARY_MODEL_BYTES_MAX", LIBRARY_MODEL_BYTES_MAX),
        ("TREE_DEPTH_MAX", TREE_DEPTH_MAX as u64),
        ("EXPRESSION_BYTES_MAX", EXPRESSION_BYTES_MAX as u64),
        ("EXPRESSION_DEPTH_MAX", EXPRESSION_DEPTH_MAX as u64),
        ("EXPRESSION_STEPS_MAX", EXPRESSION_STEPS_MAX),
        ("PROGRAM_PASTS_MAX", PROGRAM_PASTS_MAX as u64),
        ("PROGRAM_HISTORY_MB_MAX", PROGRAM_HISTORY_MB_MAX as u64),
        ("NODES_MAX", NODES_MAX as u64),
        ("MASKED_NODES_MAX", MASKED_NODES_MAX as u64),
        ("DRIFT_WINDOWS", DRIFT_WINDOWS as u64),
        ("SAMPLE_ROWS", SAMPLE_ROWS as u64),
        ("ISOTONIC_POINTS_MAX", ISOTONIC_POINTS_MAX as u64),
        ("NUMBERS_MAX", NUMBERS_MAX as u64),
        ("GRAPH_NODES_MAX", GRAPH_NODES_MAX as u64),
        ("GRAPH_PRODUCTS_MAX", GRAPH_PRODUCTS_MAX),
        ("FOLDS_MAX", u64::from(FOLDS_MAX)),
        ("ATTEMPTS_MAX", ATTEMPTS_MAX as u64),
        ("CONFIG_BYTES_MAX", CONFIG_BYTES_MAX),
        ("CONFIG_DEPTH_MAX", u64::from(CONFIG_DEPTH_MAX)),
        ("TIERS_MAX", TIERS_MAX as u64),
        ("ROWS_MAX", ROWS_MAX),
        ("SETTINGS_MAX", SETTINGS_MAX as u64),
        ("VALUES_MAX", VALUES_MAX as u64),
        ("SWEEP_ROWS_MAX", SWEEP_ROWS_MAX),
        ("TRADERS_MAX", TRADERS_MAX as u64),
        ("PASS_BYTES_MAX", PASS_BYTES_MAX),
        ("TRADES_HELD_MAX", TRADES_HELD_MAX as u64),
        ("CA_BYTES_MAX", CA_BYTES_MAX),
        ("TAPE_MESSAGES_MAX", TAPE_MESSAGES_MAX as u64),
        ("RING_EVENTS", RING_EVENTS as u64),
        ("DELAY_MAX", DELAY_MAX.as_secs()),
    ];
    assert_eq!(rows, bounds);
}
