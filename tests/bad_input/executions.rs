//! Executions beside the original's: their options, their files, and captures that do not say who was filled.

use super::common::papertrader;
use super::market::{Capture, PRODUCT, Replayed, Setup, imbalance_model};
use std::fs;

const MAKER: [&str; 2] = ["--execution", "maker"];
const TAKER: [&str; 2] = ["--execution", "taker"];
const LOGS: [&str; 4] = ["orders", "fills", "markouts", "legs"];

/// A message of one print. The venue names the maker's side.
fn print(trade_id: u64, sequence_num: u64, maker: &str, price: &str) -> String {
    format!(
        r#"{{"channel":"market_trades","timestamp":"2024-08-09T00:00:01Z","sequence_num":{sequence_num},"events":[{{"type":"update","trades":[{{"product_id":"{PRODUCT}","trade_id":"{trade_id}","price":"{price}","size":"1","time":"2024-08-09T00:00:00.5Z","side":"{maker}"}}]}}]}}"#
    )
}

/// A capture in which so many purchases of ten are said to be such; the others are said to be sales.
fn with_prints(said_right: u64) -> Capture {
    (0..10).fold(Capture::default().snapshot().quiet(2), |capture, trade_id| {
        let next = capture.next();
        let maker = if trade_id < said_right { "SELL" } else { "BUY" };
        capture.raw(&print(trade_id + 1, next, maker, "100.1")).numbered(next + 1).quiet(2)
    })
}

fn setup() -> Setup {
    Setup::new(with_prints(10).text().as_bytes())
}

/// A replay that cannot begin: exit code 2, one line, no report, no results.
fn refused(setup: &Setup, arguments: &[&str]) -> String {
    let Replayed { code, report, stderr, .. } = setup.replay(arguments);
    assert_eq!((code, report.as_str(), stderr.lines().count()), (2, "", 1), "{arguments:?}: {stderr}");
    assert!(!setup.out().exists(), "{arguments:?}");
    stderr.strip_prefix("error: ").unwrap_or_else(|| panic!("{arguments:?}: {stderr}")).to_owned()
}

/// The same of what the command line's own rules refuse.
fn refused_as_usage(setup: &Setup, arguments: &[&str]) -> String {
    let error = refused(setup, arguments);
    error.strip_suffix("; see papertrader replay --help").unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[test]
fn options_without_their_execution() {
    let setup = setup();
    let file = setup.folder().join("latencies.txt");
    fs::write(&file, "5\n").unwrap();
    let options: [&[&str]; 15] = [
        &["--hold-back", "1s"],
        &["--order-latency", "5ms"],
        &["--order-latency-file", file.to_str().unwrap()],
        &["--no-depletion"],
        &["--short"],
        &["--max-position", "1"],
        &["--max-cash", "1"],
        &["--max-open-orders", "1"],
        &["--order-lot", "1"],
        &["--order-tick", "1"],
        &["--min-size", "1"],
        &["--min-value", "1"],
        &["--contract-size", "1"],
        &["--inverse"],
        &["--slippage-cap", "1"],
    ];
    for option in options {
        let needs = format!("{} needs --execution taker or maker", option[0]);
        assert_eq!(refused(&setup, option), needs);
        assert_eq!(refused(&setup, &[option, &["--execution", "original"]].concat()), needs);
    }
    let makers_options: [&[&str]; 5] = [
        &["--maker-offset", "-1"],
        &["--maker-timeout", "1"],
        &["--maker-then", "take"],
        &["--maker-exit", "take"],
        &["--queue", "power3"],
    ];
    for option in makers_options {
        let needs = format!("{} needs --execution maker", option[0]);
        for others in [&[][..], &["--execution", "original"], &TAKER, &["--execution", "original,taker", "--short"]] {
            assert_eq!(refused(&setup, &[option, others].concat()), needs);
        }
        setup.replay(&[option, &MAKER].concat()).well();
        fs::remove_dir_all(setup.out()).unwrap();
    }
    let error = refused_as_usage(&setup, &[&TAKER[..], &["--order-latency-seed", "3"]].concat());
    assert_eq!(error, "the following required arguments were not provided: --order-latency-file <FILE>");
}

#[test]
fn values_that_are_none() {
    let setup = setup();
    let time = "a latency is a number with ns, us, ms or s, from 0 to 60 s";
    let timeout = "--maker-timeout: it lies from 1 to the holding period, which is 2 updates";
    for value in ["5", "-5ms", "61s", "NaNms", "infs", "ms", ""] {
        let error = refused_as_usage(&setup, &[&TAKER[..], &[&*format!("--order-latency={value}")]].concat());
        assert_eq!(error, format!("invalid value '{value}' for '--order-latency <TIME>': {time}"));
    }
    let held = "it is none or a number with ns, us, ms or s, from 0 to 10 s";
    for value in ["5", "-5ms", "10001ms", "never", ""] {
        let error = refused_as_usage(&setup, &[&TAKER[..], &[&*format!("--hold-back={value}")]].concat());
        assert_eq!(error, format!("invalid value '{value}' for '--hold-back <TIME>': {held}"));
    }
    let contract = "a contract is a number of units from 1e-12 to 1e12";
    for value in ["0", "1e300", "1e-13", "NaN"] {
        let error = refused_as_usage(&setup, &[&TAKER[..], &[&*format!("--contract-size={value}")]].concat());
        assert_eq!(error, format!("invalid value '{value}' for '--contract-size <UNITS>': {contract}"));
    }
    let amount = "--buy-amount: beside the original's, executions take 1e30 at most";
    assert_eq!(refused(&setup, &[&TAKER[..], &["--buy-amount", "1e31"]].concat()), amount);
    for log in LOGS {
        let name = format!("run.{log}");
        let error = refused_as_usage(&setup, &["--name", &name]);
        let rule = format!("a name does not end in .{log}: a run writes such logs of its own");
        assert_eq!(error, format!("invalid value '{name}' for '--name <NAME>': {rule}"));
    }
    for updates in ["0", "3", "4294967295"] {
        assert_eq!(refused(&setup, &[&MAKER[..], &["--maker-timeout", updates]].concat()), timeout);
    }
    let cap = "a cap is a number of basis points from 0 to 10000";
    for value in ["-1", "10001", "NaN"] {
        let error = refused_as_usage(&setup, &[&TAKER[..], &[&*format!("--slippage-cap={value}")]].concat());
        assert_eq!(error, format!("invalid value '{value}' for '--slippage-cap <BPS>': {cap}"));
    }
    for option in ["--max-position", "--max-cash", "--order-lot", "--order-tick", "--min-size", "--min-value"] {
        for value in ["0", "-1", "NaN", "inf"] {
            let error = refused_as_usage(&setup, &[&TAKER[..], &[&*format!("{option}={value}")]].concat());
            assert!(error.starts_with(&format!("invalid value '{value}' for '{option} <")), "{error}");
            assert!(error.ends_with(">': an amount is a number above 0"), "{error}");
        }
    }
    for value in ["0", "65537", "-1"] {
        let error = refused_as_usage(&setup, &[&TAKER[..], &[&*format!("--max-open-orders={value}")]].concat());
        assert!(error.starts_with(&format!("invalid value '{value}' for '--max-open-orders <N>': ")), "{error}");
    }
    let error = refused_as_usage(&setup, &["--execution", "taker,market"]);
    assert_eq!(
        error,
        "invalid value 'market' for '--execution <LIST>' [possible values: original, taker, maker]; a similar value exists: 'maker'"
    );
}

#[test]
fn files_of_latencies() {
    let setup = setup();
    let long = "9".repeat(100_000);
    let wide = format!("1\n2\n\n{long}\n");
    for (name, content, says) in [
        ("empty.txt", &b""[..], "it holds no latency".to_owned()),
        ("blank.txt", b"\n  \n\n", "it holds no latency".into()),
        ("negative.txt", b"5\n-3\n", "latency 2 is negative: -3 ns".into()),
        ("long.txt", b"5\n60000000001\n", "latency 2 is 60000000001 ns; none is longer than 60 s".into()),
        ("words.txt", b"5\nsoon\n", "line 2: 'soon' is not a whole number of nanoseconds".into()),
        ("fraction.txt", b"5\n\n0.5\n", "line 3: '0.5' is not a whole number of nanoseconds".into()),
        ("wide.txt", wide.as_bytes(), format!("line 4: '{}' is not a whole number of nanoseconds", &long[..40])),
        ("control.txt", b"a\x1b[2Jb\n", "line 1: 'a[2Jb' is not a whole number of nanoseconds".into()),
        ("bytes.txt", b"5\n\xff\n", "it is not UTF-8 text".into()),
    ] {
        let path = setup.folder().join(name);
        fs::write(&path, content).unwrap();
        let path = path.to_str().unwrap();
        let error = refused(&setup, &[&TAKER[..], &["--order-latency-file", path]].concat());
        assert_eq!(error, format!("--order-latency-file {path}: {says}"));
    }
    let folder = setup.folder().to_str().unwrap().to_owned();
    let nowhere = format!("{folder}/nowhere.txt");
    let huge = format!("{folder}/huge.txt");
    fs::File::create(&huge).unwrap().set_len((64 << 20) + 1).unwrap();
    for (path, says) in [
        (folder.as_str(), "Is a directory (os error 21)"),
        (&nowhere, "No such file or directory (os error 2)"),
        (&huge, "it is larger than 67108864 bytes"),
    ] {
        let error = refused(&setup, &[&MAKER[..], &["--order-latency-file", path]].concat());
        assert_eq!(error, format!("--order-latency-file {path}: {says}"));
    }
    let log = format!("{folder}/some.hlog");
    for (content, says) in [("", "it holds no latency"), ("no,log,at,all\n", "some.hlog: entry 1 is no histogram")] {
        fs::write(&log, content).unwrap();
        let error = refused(&setup, &[&TAKER[..], &["--order-latency-file", &log]].concat());
        assert!(error.starts_with(&format!("--order-latency-file {log}: ")) && error.contains(says), "{error}");
    }
    let file = format!("{folder}/empty.txt");
    let both = ["--order-latency", "5ms", "--order-latency-file", &file];
    let error = refused_as_usage(&setup, &[&TAKER[..], &both].concat());
    assert_eq!(error, "the argument '--order-latency <TIME>' cannot be used with '--order-latency-file <FILE>'");
}

#[test]
fn fees_that_there_are_not() {
    let setup = setup();
    let error = refused(&setup, &[&TAKER[..], &["--fees", "coinbase"]].concat());
    assert!(error.starts_with("--fees: no schedule 'coinbase'; there are binance-spot, "), "{error}");
    assert!(error.ends_with(", or give a FILE.toml"), "{error}");
    let path = setup.folder().join("mine.toml");
    let tier = |from: u32| format!("[[tier]]\nfrom = {from}\nmaker-bps = 1\ntaker-bps = 2\n");
    for (tiers, says) in [
        (tier(0) + &tier(2_000) + &tier(1_000), "tier 3 begins at 1000, which is not above tier 2's 2000"),
        (tier(0) + &tier(0), "tier 2 begins at 0, which is not above tier 1's 0"),
        (tier(1_000), "tier 1 begins at 1000"),
    ] {
        fs::write(&path, tiers).unwrap();
        let error = refused(&setup, &[&TAKER[..], &["--fees", path.to_str().unwrap()]].concat());
        assert!(error.starts_with(&format!("--fees: {}: {says}", path.display())), "{error}");
    }
}

#[test]
fn captures_that_do_not_say_who_was_filled() {
    let without = Setup::new(Capture::default().snapshot().quiet(9).text().as_bytes());
    let path = without.capture();
    for execution in ["maker", "original,taker,maker"] {
        let error = refused(&without, &["--execution", execution]);
        assert_eq!(error, format!("{} has no prints (market_trades): makers are filled by them", path.display()));
    }
    // Takers need none.
    without.replay(&TAKER).well();
    // Nine of ten must agree, one way or the other.
    for said_right in [0, 1, 2, 5, 8, 9, 10] {
        let setup = Setup::new(with_prints(said_right).text().as_bytes());
        if (2..=8).contains(&said_right) {
            let says = format!(
                "{}: the side of {said_right} of 10 prints is that of the nearer best price; makers need 90 % one way or the other, or --prints-side",
                setup.capture().display()
            );
            assert_eq!(refused(&setup, &MAKER), says);
            setup.replay(&TAKER).well();
        } else {
            setup.replay(&MAKER).well();
        }
    }
}

/// Sizes are whole numbers here, and 5 buy a twentieth.
#[test]
fn amounts_below_a_lot() {
    let setup = setup();
    let rows = |log: &str| {
        let text = fs::read_to_string(setup.result(&format!("{log}.csv"))).unwrap();
        text.lines().skip(1).map(|row| row.split(',').map(str::to_owned).collect()).collect::<Vec<Vec<String>>>()
    };
    for option in [["--order-lot", "1"], ["--min-size", "1"], ["--min-value", "5.01"]] {
        setup.replay(&[&TAKER[..], &option].concat()).well();
        let orders = rows("orders");
        assert!(orders.len() > 5, "{option:?}");
        for order in &orders {
            let ended = (order[3].as_str(), order[23].as_str(), order[24].as_str(), order[25].as_str());
            assert_eq!(ended, ("entry", "refused", "below least size", "0.0"), "{option:?}");
        }
        assert_eq!((rows("fills").len(), rows("legs").len()), (0, orders.len()));
    }
    // Makers post whole lots only: no order is sent.
    setup.replay(&MAKER).well();
    assert_eq!(LOGS.map(|log| rows(log).len()), [0; 4]);
    let posted = setup.replay(&[&MAKER[..], &["--buy-amount", "500"]].concat()).well();
    assert!(rows("orders").len() > 5, "{}", posted.report);
}

#[test]
fn logs_that_are_there_are_replaced_only_by_force() {
    let setup = setup();
    fs::create_dir(setup.out()).unwrap();
    let command = |more: &[&str]| {
        let mut command = papertrader();
        command.arg("replay").arg(setup.capture()).arg("--model").arg(imbalance_model());
        command.args(["--name", "run", "--out"]).arg(setup.out()).args(more).output().unwrap()
    };
    for log in LOGS {
        let path = setup.result(&format!("{log}.csv"));
        fs::write(&path, "kept").unwrap();
        // Also where this run writes none: they would seem to belong to it.
        for execution in [&MAKER[..], &TAKER, &[]] {
            let output = command(execution);
            let said = String::from_utf8(output.stderr).unwrap();
            let exists = format!("error: {} exists; give --force to replace it\n", path.display());
            assert_eq!((output.status.code(), said), (Some(2), exists));
            assert_eq!(fs::read(&path).unwrap(), b"kept");
        }
        assert_eq!(command(&["--force"]).status.code(), Some(0));
        assert!(!path.exists(), "{log}: of another run");
        fs::write(&path, "kept").unwrap();
        assert_eq!(command(&[&TAKER[..], &["--force"]].concat()).status.code(), Some(0));
        assert!(fs::read_to_string(&path).unwrap().starts_with("account,"), "{log}");
        fs::remove_dir_all(setup.out()).unwrap();
        fs::create_dir(setup.out()).unwrap();
    }
}

#[test]
fn a_file_of_latencies_is_an_input() {
    let setup = setup();
    fs::create_dir(setup.out()).unwrap();
    for log in LOGS {
        let path = setup.result(&format!("{log}.csv"));
        fs::write(&path, "5\n").unwrap();
        let path = path.to_str().unwrap();
        let reads = format!("error: {path} would be written over, and this command reads it; choose another name");
        for outputs in [&[][..], &["--name", "other", "--probabilities", path], &["--decisions", path, "--name", "b"]] {
            let Replayed { code, stderr, .. } =
                setup.replay(&[&TAKER[..], &["--order-latency-file", path], outputs].concat());
            assert_eq!((code, stderr), (2, reads.clone()), "{outputs:?}");
            assert_eq!(fs::read(path).unwrap(), b"5\n");
        }
        let live = ["live", "--url", "ws://127.0.0.1:9", "--force", "--execution", "taker", "--record", path];
        let mut command = papertrader();
        command.args(live).args(["--order-latency-file", path, "--model"]).arg(imbalance_model());
        let output = command.arg("--out").arg(setup.folder().join("live")).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(2), format!("{reads}\n")));
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_file_of_tiers_is_an_input() {
    let setup = setup();
    let path = setup.folder().join("tiers.toml");
    let text = "[[tier]]\nfrom = 0\nmaker-bps = 1\ntaker-bps = 5\n";
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let reads = format!("error: {path} would be written over, and this command reads it; choose another name");
    let Replayed { code, stderr, .. } =
        setup.replay(&["--fees", path, "--probabilities", path, "--force", "--name", "other"]);
    assert_eq!((code, stderr), (2, reads));
    assert_eq!(fs::read_to_string(path).unwrap(), text);
}

#[test]
fn no_two_outputs_share_a_log_s_place() {
    for (log, options) in LOGS.iter().zip([&TAKER[..], &["--execution", "taker", "--parquet"], &[], &["--force"]]) {
        for ending in ["csv", "parquet"] {
            let setup = setup();
            let path = setup.result(&format!("{log}.{ending}"));
            let path = path.to_str().unwrap();
            let Replayed { code, stderr, .. } = setup.replay(&[options, &["--probabilities", path]].concat());
            let twice = "would be written twice by this command; choose another name for one of the two";
            assert_eq!((code, stderr), (2, format!("error: {path} {twice}")), "{options:?}");
            assert_eq!(fs::read_dir(setup.out()).unwrap().count(), 0, "{options:?}");
        }
    }
}

#[test]
fn logs_whose_place_is_a_folder() {
    let setup = setup();
    for log in LOGS {
        fs::create_dir_all(setup.out()).unwrap();
        let path = setup.result(&format!("{log}.csv"));
        fs::create_dir(&path).unwrap();
        let Replayed { code, stderr, .. } = setup.replay(&TAKER);
        let expected = format!("error: cannot write {}: Is a directory (os error 21)", path.display());
        assert_eq!((code, stderr), (2, expected));
        fs::remove_dir_all(setup.out()).unwrap();
    }
}
