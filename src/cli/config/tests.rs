use super::*;
use crate::cli::{Cli, Command as What};
use clap::{CommandFactory, Parser};
use std::fs;

/// A configuration file in a folder of its own.
struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("c.toml"), text).unwrap();
        Self { folder }
    }

    fn expand(&self, command_line: &str) -> Result<Expanded, String> {
        let folder = format!("{}/", self.folder.path().display());
        let (command, rest) = command_line.split_once(" -- ").unwrap_or((command_line, ""));
        let words = format!("papertrader {command} --config {folder}c.toml {rest}");
        let words = words.trim_end();
        let expanded = expand(&Cli::command(), words.split(' ').map(OsString::from));
        expanded.map_err(|error| error.to_string().replace(&folder, ""))
    }

    fn command(&self, command_line: &str) -> What {
        let expanded = self.expand(command_line).unwrap();
        Cli::try_parse_from(&expanded.arguments).unwrap_or_else(|error| panic!("{command_line}: {error}")).command
    }

    /// Threshold, holding time, whether fused, cores.
    fn replay(&self, more: &str) -> (Option<f64>, Option<u32>, bool, Option<String>) {
        let What::Replay(args) = self.command(&format!("replay x --model m -- {more}")) else { panic!("a replay") };
        (args.trading.threshold, args.trading.lag, args.threads.fused, args.threads.pin_cores)
    }

    fn error(&self, command_line: &str) -> String {
        let text = self.expand(command_line).unwrap_err();
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }
}

#[test]
fn the_command_line_wins() {
    let file = File::new("threshold = 0.7\nlag = 5\nfused = true\n");
    assert_eq!(file.replay(""), (Some(0.7), Some(5), true, None));
    assert_eq!(file.replay("--lag 9 --threshold=0.8"), (Some(0.8), Some(9), true, None));
    assert_eq!(file.replay("--fused=false"), (Some(0.7), Some(5), false, None));
    assert_eq!(file.replay("--fused=true"), (Some(0.7), Some(5), true, None));
    assert_eq!(file.replay("--fused=false --fused"), (Some(0.7), Some(5), true, None));
    // What comes before the file does not, unless it excludes a setting.
    let What::Replay(args) = file.command("replay x --model m --lag 9 --fused=false") else { panic!("a replay") };
    assert_eq!((args.trading.lag, args.threads.fused), (Some(5), false));
    // A file named before the command comes before all that the command is told.
    let arguments = ["papertrader", "--config", "c.toml", "replay", "--lag", "9", "--model", "m", "--", "x"];
    let named = file.folder.path().join("c.toml");
    let arguments = arguments.map(|word| if word == "c.toml" { named.clone().into() } else { OsString::from(word) });
    let expanded = expand(&Cli::command(), arguments).unwrap();
    let What::Replay(args) = Cli::try_parse_from(&expanded.arguments).unwrap().command else { panic!("a replay") };
    assert_eq!((args.trading.threshold, args.trading.lag, args.captures), (Some(0.7), Some(9), vec!["x".into()]));
}

#[test]
fn what_the_command_line_excludes_gives_way() {
    let exchange = |text: &str, more: &str| {
        let What::Exchange(args) = File::new(text).command(&format!("exchange -- {more}")) else {
            panic!("an exchange")
        };
        (args.rate, args.speed.is_some(), args.tls, args.fault.len())
    };
    // Clap knows of it in one direction; it holds in both.
    assert_eq!(exchange("rate = 100", "--speed max"), (None, true, false, 0));
    assert_eq!(exchange("speed = 'max'", "--rate 100"), (Some(100.0), false, false, 0));
    assert_eq!(exchange("speed = '10x'\nsource = 'a'", "--source synthetic"), (None, false, false, 0));
    assert_eq!(exchange("rate = 1\n[exchange]\nspeed = 'max'", ""), (None, true, false, 0), "a section comes first");
    // What can be given several times is replaced as a whole.
    assert_eq!(exchange("fault = ['gap@1', 'gap@2']", "").3, 2);
    assert_eq!(exchange("fault = ['gap@1', 'gap@2']", "--fault gap@3").3, 1);
    // Two cores or one thread.
    assert!(!File::new("fused = true").replay("--pin-cores 2,3").2);
    assert_eq!(File::new("pin-cores = '2,3'").replay("--fused").3, None);
    assert_eq!(File::new("pin-cores = '2'").replay("--fused").3, Some("2".into()));

    let train = |text: &str, more: &str| {
        let What::Train(args) = File::new(text).command(&format!("train x -o m.json -- {more}")) else {
            panic!("training")
        };
        (args.training.cv, args.training.c)
    };
    assert_eq!(train("cv = true", "--c 2"), (false, 2.0));
    assert_eq!(train("c = 2", "--cv"), (true, 1.0));
    assert_eq!(train("cv = true", "--cv=false --c 3"), (false, 3.0));
    assert_eq!(train("cv = false", "--c 3"), (false, 3.0));
    assert_eq!(train("cv = true", ""), (true, 1.0));
}

#[test]
fn a_flag_that_is_undone_demands_nothing() {
    let file = File::new("tls = true\nca-out = 'ca.pem'\n");
    let What::Exchange(args) = file.command("exchange") else { panic!("an exchange") };
    assert!(args.tls && args.ca_out == Some(file.folder.path().join("ca.pem")));
    // An option that needs it is missing it then.
    let expanded = file.expand("exchange --tls=false").unwrap();
    let error = Cli::try_parse_from(&expanded.arguments).unwrap_err();
    assert!(error.to_string().contains("--tls"), "{error}");
    let error = Cli::try_parse_from(["papertrader", "features", "--list=maybe"]).unwrap_err();
    assert!(error.to_string().contains("'maybe'"), "{error}");
}

#[test]
fn one_file_is_for_all_commands() {
    let text =
        "threshold = 0.7\nlevels = 500\nresamples = 200\n[live]\nlag = 7\nthreshold = 0.9\n[train]\nthreshold = 0.8\n";
    let file = File::new(text);
    assert_eq!(file.replay(""), (Some(0.7), None, false, None));
    let What::Live(live) = file.command("live --model m") else { panic!("a session") };
    assert_eq!((live.trading.threshold, live.trading.lag), (Some(0.9), Some(7)));
    let What::Train(train) = file.command("train x -o m.json") else { panic!("training") };
    assert_eq!((train.training.threshold, train.training.report.resamples), (0.8, 200));
    for (text, error) in [
        (
            "lag = 1\nthresold = 0.7",
            "configuration c.toml, line 2: no command has an option 'thresold'; 'threshold' is near",
        ),
        // That of another command.
        ("resample = 7", "configuration c.toml, line 1: no command has an option 'resample'; 'resamples' is near"),
        ("zzz = 7", "configuration c.toml, line 1: no command has an option 'zzz'"),
        ("config = 'b.toml'", "configuration c.toml, line 1: no command has an option 'config'"),
        ("help = true", "configuration c.toml, line 1: no command has an option 'help'"),
        ("[train]\nlag = 7", "configuration c.toml, line 2: train has no option 'lag'"),
        ("[train]\nhorizn = 7", "configuration c.toml, line 2: train has no option 'horizn'; 'horizon' is near"),
        (
            "[trading]\nlag = 7",
            "configuration c.toml, line 2: there is no command 'trading'; a section has the name of one",
        ),
        ("fused = 1", "configuration c.toml, line 1: 'fused' is true or false"),
        ("fused = 'false'", "configuration c.toml, line 1: 'fused' is true or false"),
        ("\nlag = [1]", "configuration c.toml, line 2: 'lag' takes one value"),
    ] {
        assert!(
            File::new(text).error("replay x --model m").starts_with(error),
            "{text}: {}",
            File::new(text).error("replay x --model m")
        );
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = "model = 'm.json'\nout = '/tmp/out'\nname = 'n'\nprobabilities = 'a/p.txt'\nsource = 'synthetic'\nca-cert = '../c.pem'";
    let file = File::new(text);
    let What::Live(live) = file.command("live -- --probabilities p.txt") else { panic!("a session") };
    let folder = file.folder.path();
    assert_eq!((live.trading.model, live.results.out), (Some(folder.join("m.json")), "/tmp/out".into()));
    assert_eq!((live.results.name, live.results.probabilities), (Some("n".into()), Some("p.txt".into())));
    assert_eq!(live.connection.ca_cert, Some(folder.join("../c.pem")));
    let What::Exchange(exchange) = file.command("exchange") else { panic!("an exchange") };
    assert_eq!(exchange.source, PathBuf::from("synthetic"));
}

#[test]
fn every_command_names_the_file_in_its_help_and_can_undo_its_flags() {
    let mut program = Cli::command();
    program.build();
    for command in program.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let help = command.render_long_help().to_string();
        assert!(help.contains("--config <FILE>"), "{help}");
        for arg in command.get_arguments() {
            let takes_nothing = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse);
            assert!(!takes_nothing, "{} of {}", arg.get_id(), command.get_name());
        }
        assert!(!help.contains("--force") || help.contains("--force[=<true|false>]"), "{help}");
    }
}

#[test]
fn help_needs_no_file() {
    for arguments in
        [&["papertrader", "replay", "--help", "--config", "/nowhere"][..], &["papertrader"], &["papertrader", "x"]]
    {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        assert_eq!(expand(&Cli::command(), arguments.clone()).unwrap().arguments, arguments);
    }
}
