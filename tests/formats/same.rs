//! A market is the same in every format that holds all of it.

use crate::common::{gunzip, papertrader, reported, shared_data, succeed};
use std::fs;
use std::io::BufRead;
use std::path::Path;
use tempfile::TempDir;

fn convert(from: &Path, to: &Path, more: &[&str]) -> String {
    succeed(papertrader().arg("convert").arg(from).arg("-o").arg(to).args(more))
}

/// Probabilities of all frames, trades without the venue's numbers, and makers' fills.
fn replay(folder: &TempDir, market: &Path, more: &[&str]) -> (Vec<String>, Vec<String>, String) {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
    let probabilities = folder.path().join("p.txt");
    let mut command = papertrader();
    command.arg("replay").arg(market).arg("--model").arg(model).arg("--probabilities").arg(&probabilities);
    command.args(["--threshold", "0.6", "--lag", "20", "--name", "run", "--force", "--no-report"]).args(more);
    succeed(command.arg("--out").arg(folder.path()));
    let probabilities = fs::read_to_string(probabilities).unwrap();
    let probabilities = probabilities.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    let trades = fs::read_to_string(folder.path().join("run.csv")).unwrap();
    let kept = |line: &str| {
        let cells = line.split(',').enumerate().filter(|(at, _)| !(6..10).contains(at));
        cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(",")
    };
    // The venue's numbers are others where messages that make no frame are left out.
    let without_number = |line: &str| {
        let cells = line.split(',').enumerate().filter(|&(at, _)| at != 8);
        cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(",") + "\n"
    };
    let fills = fs::read_to_string(folder.path().join("run.fills.csv")).unwrap_or_default();
    (probabilities, trades.lines().map(kept).collect(), fills.lines().map(without_number).collect())
}

fn synthetic(folder: &TempDir, frames: &str) -> std::path::PathBuf {
    let path = folder.path().join("market.l2.zst");
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", frames, "--force", "-o"]).arg(&path));
    path
}

#[test]
fn frames_and_captures_are_the_same_market() {
    let folder = tempfile::tempdir().unwrap();
    let market = synthetic(&folder, "3000");
    let makers = ["--execution", "maker", "--order-latency", "5ms"];
    let expected = replay(&folder, &market, &makers);
    assert!(expected.1.len() > 500 && expected.2.lines().count() > 500);
    let frames = folder.path().join("market.frames");
    assert!(convert(&market, &frames, &[]).contains("BTC-USD, 3,000 frames, "));
    for way in [&[][..], &["--fused"]] {
        assert!(replay(&folder, &frames, &[&makers[..], way].concat()) == expected, "{way:?}");
    }
    let plain = folder.path().join("plain.frames");
    convert(&market, &plain, &["--no-compression"]);
    assert!(plain.metadata().unwrap().len() > frames.metadata().unwrap().len());
    assert!(replay(&folder, &plain, &makers) == expected);
    // And back: the venue's messages have the venue's time alone, to the microsecond for levels.
    for again in ["again.l2", "again.l2.gz", "again.l2.zst"] {
        let again = folder.path().join(again);
        convert(&frames, &again, &[]);
        assert!(replay(&folder, &again, &makers) == expected, "{}", again.display());
    }
}

#[test]
fn rows_of_tardis_are_the_same_market() {
    let folder = tempfile::tempdir().unwrap();
    let market = synthetic(&folder, "3000");
    let expected = replay(&folder, &market, &[]);
    for (name, trades) in [
        ("market.csv", "market_trades.csv"),
        ("x_incremental_book_L2_2024-08-08_BTC-USD.csv.gz", "x_trades_2024-08-08_BTC-USD.csv.gz"),
    ] {
        let rows = folder.path().join(name);
        convert(&market, &rows, &[]);
        assert!(folder.path().join(trades).is_file());
        let (probabilities, trades, _) = replay(&folder, &rows, &[]);
        assert!(probabilities == expected.0, "{name}");
        // Times of receipt are whole microseconds there.
        let without_times = |trades: &[String]| {
            trades.iter().map(|row| row.split(',').take(6).collect::<Vec<_>>().join(",")).collect::<Vec<_>>()
        };
        assert!(without_times(&trades) == without_times(&expected.1), "{name}");
        let inspected = succeed(papertrader().arg("inspect").arg(&rows));
        assert_eq!((reported(&inspected, "format"), reported(&inspected, "frames")), ("tardis", "3,000"));
        assert!(reported(&inspected, "prints") != "0");
    }
}

#[test]
fn parquet_is_the_same_market() {
    let folder = tempfile::tempdir().unwrap();
    let market = synthetic(&folder, "3000");
    let makers = ["--execution", "maker", "--order-latency", "5ms"];
    let expected = replay(&folder, &market, &makers);
    let rows = folder.path().join("market.parquet");
    convert(&market, &rows, &[]);
    assert!(folder.path().join("market_trades.parquet").is_file());
    // Times are nanoseconds there, and decimals are noted: nothing is rounded. When the message of a print was sent rows do not say,
    // so makers may be filled at other times by some of them.
    let found = replay(&folder, &rows, &makers);
    assert!((&found.0, &found.1) == (&expected.0, &expected.1));
    assert!(found.2.lines().count() > 500);
    let inspected = succeed(papertrader().arg("inspect").arg(&rows));
    assert_eq!((reported(&inspected, "format"), reported(&inspected, "frames")), ("table", "3,000"));
    assert_eq!(reported(&inspected, "product"), "BTC-USD");
    assert!(reported(&inspected, "prints") != "0");
    assert!(!inspected.contains("rounded"), "{inspected}");
    // A folder of it is one market: the trades are no market of their own.
    let alone = tempfile::tempdir().unwrap();
    for name in ["market.parquet", "market_trades.parquet"] {
        fs::copy(folder.path().join(name), alone.path().join(name)).unwrap();
    }
    assert!(replay(&folder, alone.path(), &makers) == found);
    // A market without prints takes those of the one before away.
    let bare = folder.path().join("bare.csv");
    fs::write(
        &bare,
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
         x,P,1585699200000000,1585699200000001,true,bid,10,1\n",
    )
    .unwrap();
    let told = convert(&bare, &rows, &["--force"]);
    assert!(told.contains(&format!("removed {}/market_trades.parquet", folder.path().display())), "{told}");
    assert!(!folder.path().join("market_trades.parquet").exists());
}

#[test]
fn several_files_are_converted_into_one() {
    let folder = tempfile::tempdir().unwrap();
    let market = synthetic(&folder, "3000");
    let expected = replay(&folder, &market, &[]);
    let whole = folder.path().join("whole.frames");
    convert(&market, &whole, &[]);
    let inspected = succeed(papertrader().arg("inspect").arg(&market));
    let from = reported(&inspected, "from").to_owned();
    let middle = from.parse::<jiff::Timestamp>().unwrap() + jiff::SignedDuration::from_millis(5_000);
    let (first, second) = (folder.path().join("a.frames"), folder.path().join("b.frames"));
    convert(&market, &first, &["--to", &middle.to_string()]);
    convert(&market, &second, &["--from", &middle.to_string()]);
    let both = folder.path().join("both.frames");
    let mut command = papertrader();
    // In the order of time, whatever the order of names.
    succeed(command.arg("convert").args([&second, &first]).arg("-o").arg(&both));
    let inspected = succeed(papertrader().arg("inspect").arg(&both));
    assert_eq!(inspected.matches("made from").count(), 2, "{inspected}");
    let (probabilities, ..) = replay(&folder, &both, &[]);
    let (parts, ..) = replay(&folder, &first, &[]);
    // The second begins with a snapshot of its own, so its first frame is one more.
    assert_eq!(probabilities[..parts.len()], parts[..]);
    assert!(probabilities.len() >= expected.0.len() && probabilities.len() <= expected.0.len() + 1);
}

#[test]
fn recorded_markets_keep_the_originals_trades_in_every_format() {
    let Some(data) = shared_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    for capture in ["btc-perp-a", "btc-spot-a"] {
        let market = data.join(format!("captures/{capture}.l2.gz"));
        let golden = gunzip(&data.join(format!("golden/{capture}.0.6_20_5.trades.csv.gz")));
        let pairs = |log: &str| -> Vec<String> {
            log.lines().skip(1).map(|row| row.split(',').take(2).collect::<Vec<_>>().join(",")).collect()
        };
        for name in ["m.frames", "m.csv", "m.l2.zst", "m.npz", "m.parquet"] {
            let path = folder.path().join(name);
            convert(&market, &path, &["--force"]);
            let mut command = papertrader();
            command.arg("replay").arg(&path).arg("--model").arg(data.join("models/20_update_log_classifier.txt"));
            command.args(["--threshold", "0.6", "--lag", "20", "--name", "run", "--force", "--no-report", "--out"]);
            succeed(command.arg(folder.path()));
            let log = fs::read_to_string(folder.path().join("run.csv")).unwrap();
            assert!(pairs(&log) == pairs(&golden), "{capture} as {name}");
        }
    }
}

#[test]
fn research_reads_other_formats_too() {
    let folder = tempfile::tempdir().unwrap();
    let market = synthetic(&folder, "3000");
    let features = |market: &Path| {
        let output = folder.path().join("features.csv");
        succeed(papertrader().arg("features").arg(market).args(["--force", "-o"]).arg(&output));
        // The first column names the file.
        let rows = fs::read_to_string(output).unwrap();
        rows.lines().map(|row| row.split_once(',').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let expected = features(&market);
    let frames = folder.path().join("market.frames");
    convert(&market, &frames, &[]);
    assert!(features(&frames) == expected);
    let model = folder.path().join("m.json");
    let trained = succeed(papertrader().arg("train").arg(&frames).args(["--resamples", "100", "-o"]).arg(&model));
    assert!(trained.contains("market.frames"), "{trained}");
    succeed(papertrader().arg("evaluate").arg(&frames).arg("--model").arg(&model).args(["--resamples", "100"]));
}

#[test]
fn an_index_answers_without_reading_the_frames() {
    let folder = tempfile::tempdir().unwrap();
    let market = synthetic(&folder, "2000");
    let frames = folder.path().join("market.frames");
    convert(&market, &frames, &[]);
    let inspected = succeed(papertrader().arg("inspect").arg(&frames));
    assert_eq!((reported(&inspected, "product"), reported(&inspected, "frames")), ("BTC-USD", "2,000"));
    let made_from = reported(&inspected, "made from");
    assert!(made_from.contains("market.l2.zst (capture, SHA-256 "), "{made_from}");
    let by_reading = succeed(papertrader().arg("inspect").arg(&market));
    for name in ["from", "to", "lasts", "frames", "  snapshots", "  levels", "prints"] {
        let name = name.trim_start();
        assert_eq!(reported(&inspected, name), reported(&by_reading, name), "{name}");
    }
    assert_eq!(reported(&by_reading, "format"), "capture");
}

#[test]
fn a_part_is_the_same_by_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let market = synthetic(&folder, "3000");
    let inspected = succeed(papertrader().arg("inspect").arg(&market));
    assert_eq!(reported(&inspected, "from"), "2024-08-09T00:00:00Z");
    let part = ["--from", "2024-08-09T00:00:04Z", "--to", "2024-08-09T00:00:11.5Z"];
    let makers = ["--execution", "maker", "--order-latency", "5ms"];
    let expected = replay(&folder, &market, &[&part[..], &makers].concat());
    let whole = replay(&folder, &market, &makers);
    assert!((500..2_000).contains(&expected.0.len()) && expected.1.len() > 100, "{}", expected.0.len());
    // The model that is used has no memory: what it says of a frame is what it says of it in the whole market.
    assert!(whole.0.windows(expected.0.len() - 1).any(|part| part == &expected.0[1..]));
    let frames = folder.path().join("market.frames");
    convert(&market, &frames, &[]);
    assert!(replay(&folder, &frames, &[&part[..], &makers].concat()) == expected);
    let cut = folder.path().join("part.frames");
    let told = convert(&market, &cut, &part).replace(',', "");
    assert!(told.contains(&format!("BTC-USD {} frames", expected.0.len())), "{told}");
    assert!(replay(&folder, &cut, &makers) == expected);
}

/// The exchange serves rows as the venue's messages, and a profile presents them.
#[test]
fn whatever_reads_a_market_reads_rows() {
    let folder = tempfile::tempdir().unwrap();
    let market = synthetic(&folder, "3000");
    let rows = folder.path().join("market.csv");
    convert(&market, &rows, &[]);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
    let mut profile = papertrader();
    profile.arg("profile").arg(&rows).arg("--model").arg(&model).args([
        "--rates",
        "2000",
        "--seconds",
        "1s",
        "--no-report",
        "--out",
    ]);
    let profiled = succeed(profile.arg(folder.path()));
    assert!(profiled.contains("2,999 frames of BTC-USD behind a snapshot, "), "{profiled}");
    // Served, recorded, and the same market again.
    let mut exchange = papertrader();
    exchange.args(["exchange", "--listen", "127.0.0.1:0", "--speed", "max", "--source"]).arg(&rows);
    let mut exchange = exchange.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut stdout = std::io::BufReader::new(exchange.stdout.take().unwrap());
    let url = loop {
        first.clear();
        assert!(stdout.read_line(&mut first).unwrap() > 0, "the exchange says where it is");
        if let Some(at) = first.find("ws") {
            break first[at..].split_whitespace().next().unwrap().to_owned();
        }
    };
    let recorded = folder.path().join("recorded.l2");
    let mut record = papertrader();
    record.args(["record", "--url", &url, "--product", "BTC-USD", "--duration", "3s"]).arg(&recorded);
    let output = record.output().unwrap();
    exchange.kill().unwrap();
    exchange.wait().unwrap();
    let inspected = papertrader().arg("inspect").arg(&recorded).output().unwrap();
    let inspected = String::from_utf8(inspected.stdout).unwrap();
    assert_eq!(reported(&inspected, "frames"), "3,000", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_catalogue_s_deltas_are_replayed() {
    let Some(data) = shared_data() else { return };
    let path = data.join("samples/nautilus/64-bit-deltas.parquet");
    if !path.is_file() {
        eprintln!("SKIPPED: {} is not here", path.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
    for more in [&[][..], &["--format", "nautilus"]] {
        let mut command = papertrader();
        command.arg("replay").arg(&path).arg("--model").arg(&model).args(["--no-report", "--force", "--name", "run"]);
        let report = succeed(command.args(more).arg("--out").arg(folder.path()));
        assert!(report.contains("1.166564490-60424-0.0.BETFAIR") && reported(&report, "frames") == "930", "{report}");
    }
    let market = folder.path().join("m.csv");
    fs::write(&market, "ts_init\n").unwrap();
    let mut command = papertrader();
    command.arg("replay").arg(&market).args(["--format", "nautilus", "--no-report", "--model"]).arg(&model);
    let (code, error) = crate::common::fail(command.arg("--out").arg(folder.path()));
    assert!(
        code == 2 && error.contains("m.csv: is not a whole Parquet file, is it cut? The library says: "),
        "{error}"
    );
}

#[test]
fn several_files_are_one_market() {
    let folder = tempfile::tempdir().unwrap();
    let market = synthetic(&folder, "3000");
    let parts = folder.path().join("parts");
    fs::create_dir(&parts).unwrap();
    let middle = "2024-08-09T00:00:07Z";
    // Their names are in another order than their times.
    let (first, second) = (parts.join("b.frames"), parts.join("a.csv"));
    convert(&market, &first, &["--to", middle]);
    convert(&market, &second, &["--from", middle]);
    fs::remove_file(parts.join("a_trades.csv")).unwrap();
    let alone = [&first, &second].map(|part| replay(&folder, part, &[]).0);
    let both = [alone[0].clone(), alone[1].clone()].concat();
    assert!(alone.iter().all(|part| part.len() > 500));
    assert!(replay(&folder, &parts, &[]).0 == both);
    assert!(replay(&folder, &parts.join("?.*"), &["--fused"]).0 == both);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
    let mut command = papertrader();
    command.arg("replay").args([&second, &first]).arg("--model").arg(&model).args([
        "--no-report",
        "--name",
        "two",
        "--out",
    ]);
    let report = succeed(command.arg(folder.path()));
    assert!(report.contains("replay of 2 files from ") && reported(&report, "connections") == "1", "{report}");
    assert!(reported(&report, "files").starts_with("2, at most 0.0"), "{report}");
    // Files that overlap are no one market.
    let third = parts.join("c.frames");
    convert(&market, &third, &["--from", "2024-08-09T00:00:06Z"]);
    let mut command = papertrader();
    command.arg("replay").args([&first, &third]).arg("--model").arg(&model).args([
        "--no-report",
        "--name",
        "three",
        "--out",
    ]);
    let (code, error) = crate::common::fail(command.arg(folder.path()));
    let says = format!(" ns before {} ends: give files that do not overlap", first.display());
    assert!(code == 2 && error.contains(&format!("{}: begins ", third.display())) && error.ends_with(&says), "{error}");
}
