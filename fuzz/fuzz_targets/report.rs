//! A run's files, good or not: an error in one line, or pages and numbers without anything that is no number.
#![no_main]

use libfuzzer_sys::fuzz_target;
use papertrader::report::executions::{ExecutionNumbers, Logs};
use papertrader::report::html::{comparison, page};
use papertrader::report::material::Material;
use papertrader::report::run_file::RunFile;
use papertrader::report::summary::Summary;
use papertrader::report::trades::TradeTable;
use papertrader::run::latency_log::LatencyLog;
use std::io::Cursor;
use std::path::Path;

/// Between the files: no text that a mutation of one is likely to have.
const BORDER: &[u8] = b"\n\xff\xff\n";

/// Whether a text shows something that is no number where one belongs.
fn says_no_number(text: &str) -> bool {
    let mut words = text.split(|character: char| !character.is_alphanumeric());
    words.any(|word| ["NaN", "inf", "infinity"].contains(&word))
}

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let mut part = || {
        let at = rest.windows(BORDER.len()).position(|window| window == BORDER);
        let (part, behind) = at.map_or((rest, &[][..]), |at| (&rest[..at], &rest[at + BORDER.len()..]));
        rest = behind;
        part
    };
    let (csv, json, hlog) = (part(), part(), part());
    let logs = [part(), part(), part(), part()];
    let table = match TradeTable::read_from(Path::new("run.csv"), Cursor::new(csv)) {
        Ok(table) => table,
        Err(error) => return assert!(error.to_string().contains("run.csv"), "{error}"),
    };
    let numbers = |values: &[f64]| values.iter().all(|value| value.is_finite());
    assert!(numbers(&table.bought) && numbers(&table.sold) && numbers(&table.profit));
    let executions = if logs.iter().all(|log| log.is_empty()) {
        None
    } else {
        match Logs::read_from(Path::new("run.csv"), logs.map(Cursor::new)) {
            Ok(logs) => Some(ExecutionNumbers::of(&logs)),
            Err(error) => return assert!(error.to_string().contains("run."), "{error}"),
        }
    };
    let run = std::str::from_utf8(json).ok().filter(|json| !json.is_empty());
    let run = run.map(|json| RunFile::parse(Path::new("run.json"), json)).transpose();
    // A file's own words may be these.
    let said = std::str::from_utf8(json).unwrap_or_default();
    let has_words = ["NaN", "inf", "\\u"].iter().any(|word| said.contains(word));
    let mut material = Material::of(Path::new("run.csv"), table, run, |with_stages| {
        let log = (!hlog.is_empty()).then(|| LatencyLog::parse(Path::new("run.hlog"), hlog, with_stages));
        log.transpose()
    });
    material.executions = executions;
    for account in material.executions.iter().flat_map(|executions| &executions.accounts) {
        assert!(numbers(&[account.entered_value, account.gross, account.fees, account.net, account.drawdown_max]));
        assert!(
            [account.gross_bps, account.net_bps, account.fill_rate].iter().flatten().all(|share| share.is_finite())
        );
        assert!(account.entries_filled <= account.entries && account.entries <= account.orders.sent);
    }
    let counts = &material.numbers;
    assert!(numbers(&[counts.bought, counts.sold, counts.gross_profit, counts.net_profit, counts.drawdown_max]));
    assert!([counts.gross_bps, counts.net_bps, counts.break_even_fee_bps].iter().flatten().all(|bps| bps.is_finite()));
    assert!(counts.tenths.iter().map(|tenth| tenth.trades).sum::<u64>() == counts.trades);
    let shown = Summary(&material).to_string();
    assert!(!shown.contains('\u{1b}') && !says_no_number(&shown), "{shown}");
    let own = page(&material);
    let both = comparison(std::slice::from_ref(&material));
    for page in [own, both] {
        assert!(has_words || !says_no_number(&page));
        assert!(!page.contains("<script"));
    }
});
