//! Arguments, models, cores, configuration files.

use super::market::{Capture, Replayed, Setup};
use clap::{CommandFactory, Parser};
use papertrader::base::failure::Failure;
use papertrader::cli::{Cli, refusal};
use std::fs;

fn setup() -> Setup {
    Setup::new(Capture::default().snapshot().quiet(4).text().as_bytes())
}

/// A replay that cannot begin: exit code 2, no report, no results.
fn refused(setup: &Setup, arguments: &[&str]) -> String {
    let Replayed { code, report, stderr, .. } = setup.replay(arguments);
    assert_eq!((code, report.as_str()), (2, ""), "{arguments:?}: {stderr}");
    assert!(!setup.out().exists(), "{arguments:?}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    stderr
}

#[test]
fn models() {
    let setup = setup();
    let zeros = "0\n".repeat(28);
    let json = |rest: &str| format!(r#"{{"features":["imbalance_1"],"intercept":0,{rest}}}"#);
    for (name, content, says) in [
        (
            "few.txt",
            "1\n2\n3\n".into(),
            " has 3 numbers; a .txt model has 29, the intercept and the original's 28 coefficients, and any other list of features needs a .json model",
        ),
        (
            "many.txt",
            format!("{zeros}0\n0\n"),
            " has 30 numbers; a .txt model has 29, the intercept and the original's 28 coefficients, and any other list of features needs a .json model",
        ),
        ("nan.txt", format!("{zeros}NaN\n"), ", line 29: 'NaN' is not a finite number"),
        ("infinite.txt", format!("inf\n{zeros}"), ", line 1: 'inf' is not a finite number"),
        ("words.txt", "a model\n".into(), ", line 1: 'a model' is not a finite number"),
        ("nan.json", json(r#""coefficients":[NaN]"#), ": expected value at line 1 column 59"),
        ("huge.json", json(r#""coefficients":[1e999]"#), ": number out of range at line 1 column 63"),
        ("count.json", json(r#""coefficients":[1,2]"#), ": coefficients has 2 entries for 1 features"),
        ("zero.json", json(r#""coefficients":[1],"scale":[0]"#), ": scale[0] is 0; a scale is above 0"),
        (
            "sure.json",
            json(r#""coefficients":[1],"threshold":1.5"#),
            ": threshold is 1.5; a threshold lies between 0 and 1",
        ),
        (
            "feature.json",
            r#"{"features":["imbalance_1","alpha"],"intercept":0,"coefficients":[1,1]}"#.into(),
            ", features[1]: unknown feature 'alpha'; `papertrader features --list` names all",
        ),
        (
            "depth.json",
            r#"{"features":["imbalance_11"],"intercept":0,"coefficients":[1]}"#.into(),
            ", features[0]: feature 'imbalance_11': the depth goes from 1 to 10",
        ),
        (
            "name.bin",
            String::new(),
            ": the name must end in .txt (one number a line, or LightGBM's), .json (papertrader's, or XGBoost's), .ubj (XGBoost's) or .onnx",
        ),
    ] {
        let path = setup.folder().join(name);
        fs::write(&path, content).unwrap();
        let error = refused(&setup, &["--model", path.to_str().unwrap()]);
        assert_eq!(error, format!("error: model {}{says}", path.display()));
    }
    let patient = setup.folder().join("patient.json");
    fs::write(&patient, json(r#""coefficients":[1],"horizon_updates":2000000"#)).unwrap();
    let by_horizon = {
        let mut command = super::common::papertrader();
        command.arg("replay").arg(setup.capture()).arg("--model").arg(&patient).arg("--out").arg(setup.out());
        super::common::fail(&mut command)
    };
    let says = format!("error: model {}: horizon_updates is 2000000; it lies from 1 to 1000000", patient.display());
    assert_eq!(by_horizon, (2, says));
    let missing = setup.folder().join("missing.json");
    assert_eq!(
        refused(&setup, &["--model", missing.to_str().unwrap()]),
        format!("error: cannot read model {}: No such file or directory (os error 2)", missing.display())
    );
    let folder = setup.folder().join("folder.txt");
    fs::create_dir(&folder).unwrap();
    let error = refused(&setup, &["--model", folder.to_str().unwrap()]);
    assert!(error.starts_with(&format!("error: cannot read model {}: ", folder.display())), "{error}");
}

#[test]
fn cores() {
    let setup = setup();
    let allowed = papertrader::base::cores::allowed().iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let (first, _) = allowed.split_once(',').unwrap_or((&allowed, ""));
    let not_there =
        |core: &str| format!("core {core} does not exist or is not allowed to this process; allowed: {allowed}");
    let garbage = |text: &str| format!("'{text}' is no list of one to 17 cores, such as 2,3");
    for (cores, says) in [
        ("4096", not_there("4096")),
        (&*format!("{first},4096"), not_there("4096")),
        (&*format!("4097,{first}"), not_there("4097")),
        (
            &*format!("{first},{first}"),
            format!("core {first} is named twice; give it once to run feed and engine fused on it"),
        ),
        ("", garbage("")),
        ("0,", garbage("0,")),
        ("0,1,2,", garbage("0,1,2,")),
        ("-1", garbage("-1")),
        ("zero", garbage("zero")),
        ("99999999999999999999999", garbage("99999999999999999999999")),
    ] {
        assert_eq!(refused(&setup, &[&format!("--pin-cores={cores}")]), format!("error: --pin-cores: {says}"));
    }
    if let [a, b, ..] = papertrader::base::cores::allowed()[..] {
        assert_eq!(
            refused(&setup, &["--fused", "--pin-cores", &format!("{a},{b}")]),
            "error: --fused runs on one core: give --pin-cores one"
        );
    }
}

#[test]
fn values_out_of_range() {
    let setup = setup();
    let step = |text: &str| format!("'{text}' is not a power of ten from 1 down to 0.000000000000000001");
    for (option, values, says) in [
        (
            "--threshold",
            &["0", "1", "1.5", "-0.1", "NaN", "inf", "much", ""][..],
            "a probability lies between 0 and 1, both excluded".into(),
        ),
        ("--buy-amount", &["0", "-5", "NaN", "inf", "1e999", "much", ""], "an amount is a number above 0".into()),
        (
            "--fee-bps",
            &["10001", "-10001", "NaN", "inf", "much"],
            "a fee is a number of basis points from -10000 to 10000".into(),
        ),
        (
            "--maker-fee-bps",
            &["10001", "-10001", "NaN", "much"],
            "a fee is a number of basis points from -10000 to 10000".into(),
        ),
        ("--trailing-value", &["-1", "NaN", "inf", "much"], "a traded value is a number from 0 on".into()),
        (
            "--speed",
            &["0x", "-1x", "NaNx", "infx", "1", "x", "", "fast"],
            "a speed is max or a multiple such as 1x, 10x, 0.5x".into(),
        ),
        (
            "--name",
            &["", ".", "..", ".hidden", "a/b", "/etc/passwd"],
            "a name has no folder and no control character in it and does not begin with a dot".into(),
        ),
        ("--tick-size", &["0.5"], step("0.5")),
        ("--tick-size", &["10"], step("10")),
        ("--tick-size", &["0"], step("0")),
        ("--tick-size", &["-0.1"], step("-0.1")),
        ("--tick-size", &["1e-2"], step("1e-2")),
        ("--lot-size", &["0.0000000000000000001"], step("0.0000000000000000001")),
        ("--lag", &["1000001", "99999999999"], "1000000".into()),
        ("--lag", &["0", "-1", "1.5", "long", ""], "".into()),
        ("--wait", &["sleep"], "[possible values: spin, yield, block]".into()),
    ] {
        for value in values {
            let error = refused(&setup, &[&format!("{option}={value}")]);
            let wrong = if value.is_empty() { "a value is required for" } else { "invalid value" };
            let wrong =
                error.starts_with(&format!("error: {wrong} '{}", if value.is_empty() { option } else { value }));
            assert!(wrong || error.starts_with("error: invalid value ''"), "{error}");
            assert!(value.is_empty() || error.contains(&says), "{option}={value}: {error}");
        }
    }
    for (option, what) in
        [("--name", "a name has no folder and no control character"), ("--product", "a product has a name")]
    {
        let error = refused(&setup, &[&format!("{option}=e\u{1b}[31m\nX")]);
        assert!(error.contains(what) && !error.contains(char::is_control), "{error:?}");
    }
    assert!(refused(&setup, &["--product="]).contains("'--product <NAME,…>'"));
    assert!(refused(&setup, &["--frobnicate"]).starts_with("error: unexpected argument '--frobnicate'"));
}

#[test]
fn fees() {
    let setup = setup();
    let path = setup.folder().join("tiers.toml");
    fs::write(
        &path,
        "[[tier]]\nfrom = 0\nmaker-bps = 1\ntaker-bps = 5\n[[tier]]\nfrom = 0\nmaker-bps = 1\ntaker-bps = 4\n",
    )
    .unwrap();
    let file = path.to_str().unwrap();
    let out_of_order = format!("error: --fees: {file}: tier 2 begins at 0, which is not above tier 1's 0");
    for (arguments, says) in [
        (&["--fees", "list"][..], "error: --fees: no schedule 'list'; there are binance-spot, bitmex-derivatives, "),
        (&["--fees", file], &out_of_order),
        (
            &["--fees", "binance-spot", "--fee-bps", "1"],
            "error: the argument '--fees <NAME|FILE.toml>' cannot be used with '--fee-bps <BPS>'",
        ),
        (
            &["--maker-fee-bps", "1", "--taker-fee-bps", "1", "--fee-bps", "1"],
            "error: the argument '--maker-fee-bps <BPS>' cannot be used with '--fee-bps <BPS>'",
        ),
        (
            &["--maker-fee-bps", "-1"],
            "error: the following required arguments were not provided: --taker-fee-bps <BPS>",
        ),
        (
            &["--trailing-value", "1"],
            "error: the following required arguments were not provided: --fees <NAME|FILE.toml>",
        ),
    ] {
        let error = refused(&setup, arguments);
        assert!(error.starts_with(says) && error.lines().count() == 1, "{arguments:?}: {error}");
    }
    let replayed = setup.replay(&["--fees", "coinbase-exchange", "--trailing-value", "2e6"]).well();
    replayed.says(
        "fees                     coinbase-exchange, 2022-09-20; maker 8 bp, taker 18 bp at 2,000,000.00 traded before",
    );
    // A file named in a configuration stands beside that; the command line's fee excludes it.
    fs::write(&path, "[[tier]]\nfrom = 0\nmaker-bps = -1\ntaker-bps = 5\n").unwrap();
    let config = setup.folder().join("settings.toml");
    fs::write(&config, "fees = 'tiers.toml'\ntrailing-value = 7\n").unwrap();
    let config = config.to_str().unwrap();
    let replayed = setup.replay(&["--config", config]).well();
    replayed.says("fees                     tiers; maker -1 bp, taker 5 bp at 7.000000 traded before");
    let replayed = setup.replay(&["--config", config, "--fee-bps", "3"]).well();
    assert!(!replayed.report.contains("\n  fees "), "{}", replayed.report);
    fs::remove_dir_all(setup.out()).unwrap();
    fs::write(&path, "[[tier]]\nfrom = 1\nmaker-bps = -1\ntaker-bps = 5\n").unwrap();
    let error = refused(&setup, &["--config", config]);
    assert!(error.starts_with(&format!("error: configuration {config}, line 1: --fees: ")), "{error}");
    assert!(error.contains("tier 1 begins at 1; the first begins at 0"), "{error}");
}

#[test]
fn configuration_files() {
    let setup = setup();
    let path = setup.folder().join("settings.toml");
    let named = format!("--config={}", path.display());
    fs::write(&path, "lag = 1\nthreshold = 0.7\nfused = true\nwait = \"yield\"\n").unwrap();
    let replayed = setup.replay(&[&named]).well();
    assert_eq!(replayed.trades, [(0, 1), (1, 2), (2, 3), (3, 4)]);
    let replayed = replayed.says("rules                    buy 5 at probability >= 0.7, sell 1 update later");
    replayed.says("threads                  one thread (fused), any core, wait yield");
    // The command line wins, be it one that excludes a setting or undoes it.
    let replayed = setup.replay(&["--config", path.to_str().unwrap(), "--lag", "3", "--fused=false"]).well();
    assert_eq!(replayed.trades, [(0, 3), (1, 4)]);
    replayed.says("threads                  two threads, any core, wait yield");

    fs::remove_dir_all(setup.out()).unwrap();
    let shown = format!("error: configuration {}", path.display());
    let see = "; see papertrader replay --help";
    let threshold = "invalid value '2.0' for '--threshold <P>': a probability lies between 0 and 1, both excluded";
    let lag = "invalid value '1.5' for '--lag <UPDATES>': invalid digit found in string";
    let wait = "invalid value 'sleep' for '--wait <WAIT>' [possible values: spin, yield, block]";
    for (content, says) in [
        ("lag = [1]", format!("{shown}, line 1: 'lag' takes one value")),
        (
            "[trading]\nlag = 1",
            format!("{shown}, line 2: there is no command 'trading'; a section has the name of one"),
        ),
        ("lag =", format!("{shown}, line 1: no TOML: ")),
        ("lag = 1\nlag = 2", format!("{shown}, line 2: no TOML: duplicate key")),
        ("speling = 1", format!("{shown}, line 1: no command has an option 'speling'")),
        ("\nthreshold = 2.0", format!("{shown}, line 2: {threshold}{see}")),
        ("lag = 1.5", format!("{shown}, line 1: {lag}{see}")),
        ("wait = 'sleep'", format!("{shown}, line 1: {wait}{see}")),
        ("pin-cores = 'zero'", format!("{shown}, line 1: --pin-cores: 'zero' is no list")),
    ] {
        fs::write(&path, content).unwrap();
        let error = refused(&setup, &[&named]);
        assert!(error.starts_with(&says) && error.lines().count() == 1, "{error}\n{says}");
    }
    let error = refused(&setup, &["--config", "/nowhere.toml"]);
    assert_eq!(error, "error: cannot read configuration /nowhere.toml: No such file or directory (os error 2)");
    let none = "error: a value is required for '--config <FILE>' but none was supplied; see papertrader replay --help";
    assert_eq!(refused(&setup, &["--config"]), none);
}

/// Nesting that the parser of TOML lets through, and that would have been walked down.
#[test]
fn a_configuration_nested_too_deep() {
    let setup = setup();
    let path = setup.folder().join("deep.toml");
    let key = vec!["a"; 79].join(".");
    fs::write(&path, format!("lag = 1\na = {}1{}", format!("{{{key} = ").repeat(80), "}".repeat(80))).unwrap();
    let error = refused(&setup, &["--config", path.to_str().unwrap()]);
    let says = format!("error: configuration {}, line 2: brackets or dots lie more than 8 deep", path.display());
    assert_eq!(error, says);
}

/// What clap says in several lines is one here, whatever is wrong.
#[test]
fn refusals_are_one_line() {
    let setup = setup();
    let capture = setup.capture();
    let capture = capture.to_str().unwrap();
    let long = "x".repeat(10_000);
    let missing = "the following required arguments were not provided: ";
    for (arguments, says) in [
        (&["replay"][..], format!("{missing}--model <FILE>, <CAPTURE>...; see papertrader replay --help")),
        (&["report"], format!("{missing}<RUN.csv>...; see papertrader report --help")),
        (&["exchange", "--ca-out", "x", "--tls=false"], format!("{missing}--tls")),
        (
            &["replay", capture, "--model", "m", "--treshold", "0.7"],
            "unexpected argument '--treshold' found; a similar argument exists: '--threshold'; see".into(),
        ),
        (
            &["train", capture, "-o", "m.json", "--cv", "--c", "1"],
            "the argument '--cv[=<true|false>]' cannot be used with '--c <C>'; see papertrader train --help".into(),
        ),
        (
            &["replay", capture, "--model", "m", "--force=maybe"],
            "invalid value 'maybe' for '--force[=<true|false>]' [possible values: true, false]; see".into(),
        ),
        (&["repaly"], "unrecognized subcommand 'repaly'; ".into()),
        (&["profile", "a\nb", "c\n\nUsage: d"], "unexpected argument 'c Usage: d' found".into()),
        (&["live", "--lag", &long], "invalid value 'xxxxxx".into()),
        (&["--frob"], "unexpected argument '--frob' found".into()),
        (&["replay", "--model"], "a value is required for '--model <FILE>' but none was supplied; see".into()),
    ] {
        let output = super::common::papertrader().args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len(), said.lines().count()), (Some(2), 0, 1), "{said}");
        assert!(said.starts_with(&format!("error: {says}")) && said.len() < 800, "{said}\n{says}");
        assert!(said.contains("; see papertrader"), "{said}");
    }
}

/// Whoever gives a key by mistake does not see it in the error, nor does a log.
#[test]
fn errors_do_not_quote_keys() {
    let setup = setup();
    let name = "organizations/01234567-89ab-cdef-0123-456789abcdef/apiKeys/fedcba98-7654-3210-fedc-ba9876543210";
    let key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBaoJ6sRHa1PqLkX7VdFz0sG8h3W\n-----END EC PRIVATE KEY-----\n";
    let config = |file: &str, text: String| {
        let path = setup.folder().join(file);
        fs::write(&path, text).unwrap();
        format!("--config={}", path.display())
    };
    let bad_value = config("value.toml", format!("lag = {name:?}\n"));
    let no_toml = config("broken.toml", format!("COINBASE_API_NAME = {name}\n"));
    let unknown = config("unknown.toml", format!("COINBASE_API_NAME = {name:?}\nCOINBASE_PRIVATE_KEY = {key:?}\n"));
    let model = super::market::imbalance_model();
    for arguments in [
        &["replay", "a", name][..],
        &["replay", name, "--model", "/nowhere.json"],
        &["replay", "a", "--model", name],
        &["live", "--model", "m", "--lag", name],
        &["live", "--model", "m", "--lag", key],
        &["live", "--name", key, "--model", "m"],
        &["live", "--url", name, "--model", model.to_str().unwrap()],
        &["live", "--key", &name[14..]],
        &[key],
        &["report", name],
        &["replay", "a", "--model", "m", &bad_value],
        &["replay", "a", "--model", "m", &no_toml],
        &["replay", "a", "--model", "m", &unknown],
    ] {
        for set in [true, false] {
            let mut command = super::common::papertrader();
            if set {
                command.env("COINBASE_API_NAME", name).env("COINBASE_PRIVATE_KEY", key.replace('\n', "\\n"));
            }
            let (code, said) = super::common::fail(command.args(arguments));
            assert_eq!((code, said.lines().count()), (2, 1), "{said}");
            for secret in ["01234567-89ab", "fedcba98", "MHcCAQEE", "8h3W"] {
                assert!(!said.contains(secret), "{said}");
            }
        }
    }
}

/// Every option of every command, given what it cannot be: accepted, as names and paths are, or refused in one line.
#[test]
fn every_option_refuses_in_one_line() {
    let mut program = Cli::command();
    program.build();
    let mut refused = 0;
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        let options = command.get_arguments().filter_map(|arg| arg.get_long());
        for option in options.filter(|option| !["help", "version"].contains(option)) {
            for value in ["", "\u{1b}[31m", "a\nb", "-1", "NaN", "1e999", "99999999999999999999999"] {
                let arguments = ["papertrader", command.get_name(), &format!("--{option}={value}")];
                let Err(error) = Cli::try_parse_from(arguments) else { continue };
                let text = Failure::input(refusal::text(&error, "papertrader")).to_string();
                assert!(!text.contains(char::is_control) && text.ends_with("; see papertrader --help"), "{text}");
                refused += usize::from(text.contains(&format!("--{option}")) && !text.starts_with("the following"));
            }
        }
    }
    assert!(refused > 300, "{refused}");
}
