//! Every command where nobody takes what it prints: it does its work, does not panic, and its exit code says what happened.

use super::common::papertrader;
use super::market::{Setup, imbalance_model};
use super::signals::{eventually, signal};
use clap::CommandFactory;
use papertrader::cli::Cli;
use papertrader::exchange::{Exchange, ExchangeConfig, Pace, SourceConfig};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

const NOT_PRINTED: &str = "error: cannot print to standard output: No space left on device (os error 28)\n";

/// Where output goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sink {
    /// To a pipe whose reader has gone.
    Closed,
    /// To a device without space.
    Full,
    /// To this test.
    Kept,
}

impl Sink {
    fn stdio(self) -> Stdio {
        match self {
            Self::Closed => io::pipe().unwrap().1.into(),
            Self::Full => File::options().write(true).open("/dev/full").unwrap().into(),
            Self::Kept => Stdio::piped(),
        }
    }
}

/// Standard output and standard error.
const SINKS: [(Sink, Sink); 4] =
    [(Sink::Closed, Sink::Kept), (Sink::Full, Sink::Kept), (Sink::Closed, Sink::Closed), (Sink::Full, Sink::Full)];

/// What a command is run for.
struct Case {
    command: Command,
    /// The files that it leaves.
    files: Vec<PathBuf>,
    /// Whether it prints anything.
    prints: bool,
    /// Whether it runs until a signal, which is sent when its files are there.
    endless: bool,
}

impl Case {
    fn ends_well(mut self, (stdout, stderr): (Sink, Sink)) {
        let shown = format!("{:?} {stdout:?} {stderr:?}", self.command);
        let child = self.command.stdout(stdout.stdio()).stderr(stderr.stdio()).spawn().unwrap();
        if self.endless {
            eventually("its files", || self.files.iter().all(|path| path.exists()));
            signal(&child, "INT");
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let not_printed = self.prints && stdout == Sink::Full;
        assert_eq!(output.status.code(), Some(i32::from(not_printed)), "{shown}\n{said}");
        assert!(!said.contains("panicked"), "{shown}\n{said}");
        let failures: Vec<&str> = said.split_inclusive('\n').filter(|line| line.starts_with("error: ")).collect();
        let expected: &[&str] = if not_printed && stderr == Sink::Kept { &[NOT_PRINTED] } else { &[] };
        assert_eq!(failures, expected, "{shown}\n{said}");
        for path in &self.files {
            let length =
                fs::metadata(path).unwrap_or_else(|error| panic!("{shown}: {}: {error}", path.display())).len();
            assert!(length > 0, "{shown}: {} is empty", path.display());
        }
    }
}

/// What the commands read.
struct Given {
    setup: Setup,
    cut_capture: PathBuf,
    url: String,
}

impl Given {
    fn new(url: String) -> Self {
        let setup = Setup::generated(3_000);
        setup.replay(&[]).well();
        let text = fs::read(setup.capture()).unwrap();
        let cut_capture = setup.folder().join("cut.l2");
        fs::write(&cut_capture, &text[..text.len() - 10]).unwrap();
        Self { setup, cut_capture, url }
    }

    /// The least that makes a command do all its work, into an empty folder. A command that is missing here fails the test.
    fn case(&self, name: &str, out: &Path) -> Case {
        let run = ["csv", "hgrm", "hlog", "json", "html"].map(|ending| format!("run.{ending}"));
        let run: Vec<&str> = run.iter().map(String::as_str).collect();
        let capture = self.setup.capture();
        let mut command = papertrader();
        command.arg(name);
        let named = |command: &mut Command| _ = command.args(["--name", "run", "--out"]).arg(out);
        let model = |command: &mut Command| _ = command.arg("--model").arg(imbalance_model());
        let figures = |command: &mut Command| {
            _ = command.args(["--horizon", "5", "--resamples", "100", "--threads", "1"]);
        };
        let connected = |command: &mut Command| _ = command.args(["--duration", "1", "--url", &self.url]);
        let files = match name {
            "replay" => {
                // Its end is a warning.
                command.arg(&self.cut_capture);
                model(&mut command);
                named(&mut command);
                run
            }
            "live" => {
                connected(&mut command);
                model(&mut command);
                named(&mut command);
                run
            }
            "record" => {
                command.arg(out.join("run.l2"));
                connected(&mut command);
                vec!["run.l2"]
            }
            "exchange" => {
                command.args(["--listen", "127.0.0.1:0", "--levels", "100", "--tls", "--ca-out"]);
                command.arg(out.join("ca.pem"));
                vec!["ca.pem"]
            }
            "demo" => {
                command.args(["--duration", "1"]);
                named(&mut command);
                [&run[..], &["run.l2.zst"]].concat()
            }
            "profile" => {
                command.arg(&capture).args(["--rates", "1k", "--seconds", "0.1", "--fused"]);
                model(&mut command);
                named(&mut command);
                vec!["run.json", "run.1000.csv", "run.1000.hgrm", "run.1000.hlog", "run.1000.json", "run.1000.html"]
            }
            "report" => {
                command.arg(self.setup.result("csv")).arg("--output").arg(out.join("page.html"));
                vec!["page.html"]
            }
            "generate" => {
                command.args(["--frames", "50", "--levels", "100", "--output"]).arg(out.join("market.l2"));
                vec!["market.l2"]
            }
            "convert" => {
                command.arg(&capture).arg("--output").arg(out.join("market.frames"));
                vec!["market.frames"]
            }
            "inspect" => {
                command.arg(&capture);
                vec![]
            }
            "features" => {
                command.arg(&capture).arg("--output").arg(out.join("rows.csv"));
                vec!["rows.csv"]
            }
            "train" => {
                command.arg(&capture).arg("--output").arg(out.join("model.json"));
                figures(&mut command);
                vec!["model.json", "model.report.json", "model.report.html"]
            }
            "select" => {
                command.arg(&capture).arg("--output").arg(out.join("model.json"));
                figures(&mut command);
                command.args(["--features", "imbalance_1,spread_ticks", "--at-most", "1", "--validate", "kfold:3"]);
                vec!["model.json", "model.report.json", "model.report.html"]
            }
            "evaluate" => {
                command.arg(&capture).arg("--report").arg(out.join("model")).arg("--override-model");
                model(&mut command);
                figures(&mut command);
                vec!["model.report.json", "model.report.html"]
            }
            "sweep" => {
                command.arg(&capture).args(["--threshold", "0.5,0.6"]);
                model(&mut command);
                named(&mut command);
                vec!["run.sweep.csv", "run.sweep.parquet", "run.sweep.json", "run.sweep.report.json", "run.sweep.html"]
            }
            _ => panic!("no case for the command {name}"),
        };
        let files = files.into_iter().map(|file| out.join(file)).collect();
        Case { command, files, prints: name != "generate", endless: name == "exchange" }
    }
}

/// All commands, so that a new one cannot be forgotten.
fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[test]
fn every_command_does_its_work_where_nobody_reads() {
    let config = ExchangeConfig {
        source: SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 200.0 }, snapshot_levels: 200 },
        ..ExchangeConfig::default()
    };
    let exchange = Exchange::start(config).unwrap();
    let given = Given::new(exchange.url());
    thread::scope(|scope| {
        for name in commands() {
            let given = &given;
            scope.spawn(move || {
                for sinks in SINKS {
                    let out = tempfile::tempdir().unwrap();
                    given.case(&name, out.path()).ends_well(sinks);
                }
            });
        }
    });
    exchange.stop().unwrap();
}

#[test]
fn help_and_lists_that_nobody_reads() {
    let mut asked: Vec<Vec<String>> =
        ["--help", "-h", "--version", "help"].iter().map(|word| vec![(*word).into()]).collect();
    asked.push(vec!["features".into(), "--list".into()]);
    for name in commands() {
        asked.push(vec![name.clone(), "--help".into()]);
        asked.push(vec![name, "--version".into()]);
    }
    for arguments in asked {
        for sinks in SINKS {
            let mut command = papertrader();
            command.args(&arguments);
            Case { command, files: Vec::new(), prints: true, endless: false }.ends_well(sinks);
        }
    }
}

#[test]
fn bad_arguments_that_nobody_hears_of() {
    for arguments in [&[][..], &["nothing"], &["replay"], &["demo", "--duration", "0"]] {
        for sink in [Sink::Closed, Sink::Full] {
            let status = papertrader().args(arguments).stdout(sink.stdio()).stderr(sink.stdio()).status().unwrap();
            assert_eq!(status.code(), Some(2), "{arguments:?} {sink:?}");
        }
    }
}
