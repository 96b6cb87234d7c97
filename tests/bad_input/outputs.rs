//! Disks and pipes that do not take what is written, and what is written when they do.

use super::common::papertrader;
use super::market::{Capture, Replayed, Setup};
use std::fs;

/// The device that is always full.
const FULL: &str = "/dev/full";
const NO_SPACE: &str = "No space left on device (os error 28)";

fn setup() -> Setup {
    Setup::new(Capture::default().snapshot().quiet(4).text().as_bytes())
}

#[test]
fn an_output_folder_that_cannot_be_made_or_written() {
    let setup = setup();
    let file = setup.folder().join("file");
    fs::write(&file, "").unwrap();
    for out in [file.clone(), file.join("deeper"), "/proc/nowhere".into()] {
        let Replayed { code, report, stderr, .. } = setup.replay(&["--out", out.to_str().unwrap()]);
        assert_eq!((code, report.as_str()), (2, ""), "{stderr}");
        assert!(stderr.starts_with(&format!("error: cannot write {}: ", out.display())), "{stderr}");
        assert_eq!(stderr.lines().count(), 1);
    }
    for ending in ["csv", "hlog"] {
        let in_the_way = setup.result(ending);
        fs::create_dir_all(&in_the_way).unwrap();
        let output = setup.command().output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        let expected = format!("error: cannot write {}: Is a directory (os error 21)\n", in_the_way.display());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
        fs::remove_dir_all(setup.out()).unwrap();
    }
    let nowhere = setup.folder().join("nowhere/p.txt");
    let Replayed { code, stderr, .. } = setup.replay(&["--probabilities", nowhere.to_str().unwrap()]);
    let expected = format!("error: cannot write {}: No such file or directory (os error 2)", nowhere.display());
    assert_eq!((code, stderr), (2, expected));
}

#[test]
fn a_full_disk_under_a_generated_capture() {
    let output = papertrader().args(["generate", "--frames", "100", "--output", FULL]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: cannot write capture {FULL}: {NO_SPACE}\n"));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let setup = Setup::generated(3_000);
    let bytes = |threads: &[&str]| {
        let replayed = setup.replay(threads).well();
        assert!(replayed.trades.len() > 100, "{} trades", replayed.trades.len());
        (fs::read(setup.result("csv")).unwrap(), fs::read(setup.folder().join("probabilities.txt")).unwrap())
    };
    let first = bytes(&[]);
    assert!(first == bytes(&[]), "another run, other results");
    assert!(first == bytes(&["--fused", "--speed", "1000x"]), "another speed, other results");
}

#[test]
fn names_of_files_do_not_collide() {
    let setup = setup();
    let mut command = papertrader();
    command.arg("replay").arg(setup.capture()).arg("--model").arg(super::market::imbalance_model());
    command.arg("--out").arg(setup.out());
    for _ in 0..3 {
        assert!(command.output().unwrap().status.success());
    }
    let logs = fs::read_dir(setup.out()).unwrap().map(|entry| entry.unwrap().path());
    let logs: Vec<_> = logs.filter(|path| path.extension().is_some_and(|ending| ending == "csv")).collect();
    assert_eq!(logs.len(), 3);
    assert!(logs.iter().all(|path| path.to_str().unwrap().contains("BTC-USD")), "{logs:?}");
}

#[test]
fn what_is_there_is_replaced_only_by_force() {
    let setup = setup();
    let kept = setup.folder().join("kept");
    let kept = kept.to_str().unwrap();
    let capture = setup.capture();
    let capture = capture.to_str().unwrap();
    let model = super::market::imbalance_model();
    let model = model.to_str().unwrap();
    setup.replay(&[]).well();
    let csv = setup.result("csv");
    let csv = csv.to_str().unwrap();
    for command in [
        &["generate", "--frames", "10", "--output", kept][..],
        &["report", csv, "--output", kept],
        &["exchange", "--listen", "127.0.0.1:0", "--tls", "--ca-out", kept],
        &["exchange", "--listen", "127.0.0.1:0", "--send-log", kept],
        &["replay", capture, "--model", model, "--out", "/tmp", "--probabilities", kept],
        &["replay", capture, "--model", model, "--out", "/tmp", "--decisions", kept],
    ] {
        fs::write(kept, "kept").unwrap();
        let output = papertrader().args(command).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), said),
            (Some(2), format!("error: {kept} exists; give --force to replace it\n"))
        );
        assert_eq!(fs::read(kept).unwrap(), b"kept", "{command:?}");
    }
    // A run has one name for all its files.
    for command in [&["replay", capture][..], &["profile", capture, "--rates", "1k", "--seconds", "0.1"]] {
        let output = papertrader()
            .args(command)
            .args(["--model", model, "--name", "run", "--out"])
            .arg(setup.out())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().ends_with(" exists; give --force to replace it\n"));
    }
    // What was begun and not ended is not there.
    let mut child =
        papertrader().args(["generate", "--force", "--frames", "1000000000", "--output", kept]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read(kept).unwrap(), b"kept");
}

/// What the program says of two outputs with one name.
fn twice(path: &str) -> String {
    format!("{path} would be written twice by this command; choose another name for one of the two")
}

/// What it says of an output that it reads.
fn is_read(path: &str) -> String {
    format!("{path} would be written over, and this command reads it; choose another name")
}

/// Runs the program in a folder with a market, `in.csv` under three names, and a model under two. It must refuse in one line, and
/// leave every file as it was.
fn refused(command: &[&str], said: &str) {
    let setup = setup();
    let at = |name: &str| setup.folder().join(name);
    fs::copy(setup.capture(), at("in.csv")).unwrap();
    fs::hard_link(at("in.csv"), at("hard.csv")).unwrap();
    std::os::unix::fs::symlink("in.csv", at("soft.csv")).unwrap();
    for model in ["m.json", "m.report.json"] {
        fs::copy(super::market::imbalance_model(), at(model)).unwrap();
    }
    fs::create_dir(at("simulations")).unwrap();
    let files = || {
        let entries = fs::read_dir(setup.folder()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
        files.sort();
        files.into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let before = files();
    let output = papertrader().current_dir(setup.folder()).args(command).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), text), (Some(2), format!("error: {said}\n")), "{command:?}");
    assert!(files() == before, "{command:?} changed a file");
    assert_eq!(fs::read_dir(at("simulations")).unwrap().count(), 0, "{command:?}");
}

#[test]
fn what_a_command_reads_is_never_written_over() {
    let live = ["live", "--url", "ws://127.0.0.1:9", "--force", "--model", "m.json"];
    let replay = ["replay", "in.csv", "--force", "--model", "m.json"];
    for (command, read) in [
        (&["features", "in.csv", "-o", "in.csv", "--force"][..], "in.csv"),
        (&["features", "in.csv", "-o", "hard.csv", "--force"], "hard.csv"),
        (&["features", "in.csv", "-o", "./soft.csv", "--force"], "./soft.csv"),
        (&["train", "m.json", "-o", "m.json", "--features", "imbalance_1", "--force"], "m.json"),
        (&["train", "in.csv", "--test", "m.json", "-o", "m.json", "--force"], "m.json"),
        (&["train", "in.csv", "-o", "x.json", "--txt", "in.csv", "--force"], "in.csv"),
        (&["evaluate", "in.csv", "--model", "m.report.json", "--report", "m", "--force"], "m.report.json"),
        (&[&live[..], &["--record", "m.json"]].concat(), "m.json"),
        (&[&replay[..], &["--probabilities", "soft.csv"]].concat(), "soft.csv"),
        (&[&replay[..], &["--out", ".", "--name", "m", "--no-report"]].concat(), "./m.json"),
        (&["profile", "in.csv", "--model", "m.json", "--out", ".", "--name", "m", "--force"], "./m.json"),
        (&["demo", "--model", "m.json", "--decisions", "m.json", "--force"], "m.json"),
        (&["exchange", "--listen", "127.0.0.1:0", "--source", "in.csv", "--send-log", "in.csv", "--force"], "in.csv"),
    ] {
        refused(command, &is_read(read));
    }
}

#[test]
fn two_outputs_are_two_files() {
    let live = ["live", "--url", "ws://127.0.0.1:9", "--model", "m.json", "--force"];
    let replay = ["replay", "in.csv", "--model", "m.json", "--name", "run"];
    let exchange = ["exchange", "--listen", "127.0.0.1:0", "--tls", "--force"];
    for (command, place) in [
        (&[&replay[..], &["--probabilities", "p.txt", "--decisions", "p.txt"]].concat()[..], "p.txt"),
        (&[&replay[..], &["--probabilities", "simulations/run.html", "--force"]].concat(), "simulations/run.html"),
        (&["train", "in.csv", "-o", "x.json", "--txt", "x.report.json", "--force"], "x.report.json"),
        (&[&live[..], &["--record", "w.l2", "--probabilities", "w.l2"]].concat(), "w.l2"),
        (&[&live[..], &["--name", "w", "--record", "simulations/w.csv"]].concat(), "simulations/w.csv"),
        (&["demo", "--name", "d", "--decisions", "simulations/d.ca.pem", "--force"], "simulations/d.ca.pem"),
        (
            &["profile", "in.csv", "--model", "m.json", "--rates", "1k,1000", "--name", "p", "--force"],
            "simulations/p.1000.csv",
        ),
        (&[&exchange[..], &["--ca-out", "ca.pem", "--send-log", "ca.pem"]].concat(), "ca.pem"),
    ] {
        refused(command, &twice(place));
    }
    let why = "are one file, and this command would write both; choose another name for one of the two";
    let command = [&replay[..], &["--probabilities", "p.txt", "--decisions", "./p.txt"]].concat();
    refused(&command, &format!("./p.txt and p.txt {why}"));
    // A device takes both.
    let setup = setup();
    setup.replay(&["--decisions", "/dev/null", "--no-report"]).well();
}

#[test]
fn an_exchange_that_does_not_serve_replaces_no_certificate() {
    let setup = setup();
    let ca = setup.folder().join("ca.pem");
    fs::write(&ca, "kept").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (more, said) in [
        (["--listen", &address], format!("error: cannot listen on {address}: ")),
        (["--source", "nowhere.l2"], "error: cannot open capture nowhere.l2: ".into()),
    ] {
        let listen = if more[0] == "--listen" { &[][..] } else { &["--listen", "127.0.0.1:0"] };
        let mut command = papertrader();
        command.args(["exchange", "--tls", "--force", "--ca-out"]).arg(&ca).args(more).args(listen);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && text.starts_with(&said) && text.lines().count() == 1, "{text}");
        assert_eq!(fs::read(&ca).unwrap(), b"kept");
    }
}

/// Opening a pipe waits for its other end, and no signal ends that.
#[test]
fn a_pipe_is_written_to_while_somebody_reads() {
    let setup = setup();
    let pipe = setup.folder().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    let nobody = format!("nobody reads from the pipe {pipe}; start its reader first");
    let generate = ["generate", "--no-trades", "--frames", "10", "--levels", "100", "--output"];
    refused(&[&generate[..], &[pipe, "--force"]].concat(), &nobody);
    // At once: before the capture is read.
    for option in ["--decisions", "--probabilities"] {
        let Replayed { code, stderr, report, .. } = setup.replay(&[option, pipe]);
        assert_eq!((code, stderr, report.as_str()), (2, format!("error: {nobody}"), ""));
    }
    let model = setup.folder().join("model.json");
    fs::write(
        &model,
        r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0], "horizon_updates": 20, "label": "mid:20"}"#,
    )
    .unwrap();
    let live = ["live", "--url", "wss://127.0.0.1:1", "--model", model.to_str().unwrap(), "--max-retries", "1"];
    let out = setup.folder().join("live");
    for option in ["--decisions", "--record"] {
        refused(&[&live[..], &["--out", out.to_str().unwrap(), option, pipe, "--force"]].concat(), &nobody);
    }
    // A trade log that is a pipe cannot be read back.
    let taken = setup.folder().join("piped.csv");
    fs::rename(pipe, &taken).unwrap();
    let named = ["--name", "piped", "--out", setup.folder().to_str().unwrap(), "--force"];
    let Replayed { code, stderr, .. } = setup.replay(&named);
    let why = format!("error: {} is a pipe, and a report reads the trade log; give --no-report", taken.display());
    assert_eq!((code, stderr), (2, why));
    let Replayed { code, stderr, .. } = setup.replay(&[&named[..], &["--no-report"]].concat());
    assert_eq!((code, stderr), (2, format!("error: {}", nobody.replace("/pipe;", "/piped.csv;"))));
    for option in ["--parquet", "--equity-npz", "--returns"] {
        let Replayed { code, stderr, .. } = setup.replay(&[&named[..], &["--no-report", option]].concat());
        let why = format!("is no file, and {option} reads the trade log when the run has ended");
        assert_eq!((code, stderr), (2, format!("error: {} {why}", taken.display())));
    }
    fs::rename(&taken, pipe).unwrap();
    let why = "an exchange reads its capture twice, so save it to one first";
    refused(&["exchange", "--listen", "127.0.0.1:0", "--source", pipe], &format!("{pipe} is no file; {why}"));
    let why = "a market is read twice, so save it to one first";
    refused(&["features", pipe, "-o", "t.csv"], &format!("{pipe} is no file; {why}"));

    // Open at both ends, as a reader that has come.
    let reader = fs::File::options().read(true).write(true).open(pipe).unwrap();
    let through = |place: &str| papertrader().args(generate).arg(place).output().unwrap();
    assert_eq!(through(pipe).status.code(), Some(0));
    drop(reader);
    let output = through("/dev/stdout");
    assert_eq!((output.status.code(), output.stdout.iter().filter(|&&byte| byte == b'\n').count()), (Some(0), 10));
}

/// The configuration file was written over where an output had its name.
#[test]
fn a_configuration_file_is_an_input() {
    let setup = setup();
    let config = setup.folder().join("papertrader.toml");
    let text = "levels = 100\n";
    fs::write(&config, text).unwrap();
    let path = config.to_str().unwrap();
    let reads = format!("{path} would be written over, and this command reads it; choose another name");
    for command in [
        &["generate", "--frames", "10", "--force", "-o", path][..],
        &["features", "a.l2", "--force", "-o", path],
        &["record", path, "--url", "wss://127.0.0.1:1", "--max-retries", "1", "--force"],
    ] {
        refused(&[command, &["--config", path]].concat(), &reads);
    }
    let Replayed { code, stderr, .. } = setup.replay(&["--force", "--probabilities", path, "--config", path]);
    assert_eq!((code, stderr), (2, format!("error: {reads}")));
    assert_eq!(fs::read_to_string(&config).unwrap(), text);
}

/// What a run writes for other programs, by its ending.
const FOR_OTHERS: [(&str, &str); 3] =
    [("trades.parquet", "--parquet"), ("equity.npz", "--equity-npz"), ("returns.csv", "--returns")];

#[test]
fn files_for_other_programs_are_named_and_the_same_again() {
    let setup = setup();
    let options = FOR_OTHERS.map(|(_, option)| option);
    let written = || {
        let Replayed { code, report, stderr, .. } = setup.replay(&options);
        assert_eq!(code, 0, "{stderr}");
        let short = "the run is shorter than two days: a ratio of its returns means nothing";
        assert!(stderr.contains(&format!("warning: {}: {short}", setup.result("returns.csv").display())), "{stderr}");
        FOR_OTHERS.map(|(ending, _)| {
            let path = setup.result(ending);
            assert!(report.lines().any(|line| line == format!("  {}", path.display())), "{report}");
            fs::read(path).unwrap()
        })
    };
    let first = written();
    assert_eq!(written(), first);
    assert!(first[0].starts_with(b"PAR1") && first[1].starts_with(b"PK") && first[2].starts_with(b"date,return\n"));
    // From a configuration file, and undone on the command line.
    let config = setup.folder().join("papertrader.toml");
    fs::write(&config, "parquet = true\nequity-npz = true\nreturns = true\ncapital = 500\n").unwrap();
    let config = config.to_str().unwrap();
    let Replayed { code, report, stderr, .. } = setup.replay(&["--config", config, "--parquet=false"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(report.contains("1 day, of a capital of 500.000000: as given"), "{report}");
    // Those of the run before say nothing of this one.
    assert!(!setup.result("trades.parquet").exists() && setup.result("equity.npz").exists());
    assert_eq!(setup.replay(&[]).code, 0);
    assert!(FOR_OTHERS.iter().all(|(ending, _)| !setup.result(ending).exists()));
}

#[test]
fn files_for_other_programs_have_places_of_their_own() {
    let setup = setup();
    for (ending, option) in FOR_OTHERS {
        let path = setup.result(ending);
        // Whether or not it is asked for.
        for options in [&[option][..], &[]] {
            let place = ["--probabilities", path.to_str().unwrap()];
            let Replayed { code, stderr, .. } = setup.replay(&[options, &place].concat());
            let twice = "would be written twice by this command; choose another name for one of the two";
            assert_eq!((code, stderr), (2, format!("error: {} {twice}", path.display())));
        }
        // A name is taken by any of them.
        fs::create_dir_all(setup.out()).unwrap();
        fs::write(&path, "kept").unwrap();
        let Replayed { code, stderr, .. } = setup.replay(&["--force=false"]);
        assert_eq!((code, stderr), (2, format!("error: {} exists; give --force to replace it", path.display())));
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        fs::remove_file(&path).unwrap();
        // A folder cannot be replaced.
        fs::create_dir(&path).unwrap();
        let Replayed { code, stderr, .. } = setup.replay(&[option]);
        assert_eq!(
            (code, stderr),
            (2, format!("error: cannot write {}: Is a directory (os error 21)", path.display()))
        );
        fs::remove_dir_all(setup.out()).unwrap();
    }
    let Replayed { code, stderr, .. } = setup.replay(&["--name", "run.returns"]);
    assert!(
        code == 2 && stderr.contains("a name does not end in .returns: a run writes such logs of its own"),
        "{stderr}"
    );
    let Replayed { code, stderr, .. } = setup.replay(&["--capital", "5"]);
    assert!(code == 2 && stderr.contains("--returns"), "{stderr}");
    let Replayed { code, stderr, .. } = setup.replay(&["--returns", "--capital", "0"]);
    assert!(code == 2 && stderr.contains("an amount is a number above 0"), "{stderr}");
}
