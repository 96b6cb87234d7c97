//! Arguments, models, cores, configuration files.

use super::market::{Capture, Replayed, Setup};
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
        ("name.bin", String::new(), ": the name must end in .txt (one number a line) or .json"),
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
    let garbage = |text: &str| format!("'{text}' is no list of one or two cores, such as 2,3");
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
        ("0,1,2", garbage("0,1,2")),
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
            "--speed",
            &["0x", "-1x", "NaNx", "infx", "1", "x", "", "fast"],
            "a speed is max or a multiple such as 1x, 10x, 0.5x".into(),
        ),
        (
            "--name",
            &["", ".", "..", ".hidden", "a/b", "/etc/passwd"],
            "a name has no folder in it and does not begin with a dot".into(),
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
    assert!(refused(&setup, &["--frobnicate"]).starts_with("error: unexpected argument '--frobnicate'"));
}

#[test]
fn configuration_files() {
    let setup = setup();
    let path = setup.folder().join("settings.toml");
    let named = format!("--config={}", path.display());
    fs::write(&path, "lag = 1\nthreshold = 0.7\nfused = true\nwait = \"yield\"\n").unwrap();
    let replayed = setup.replay(&[&named]).well();
    assert_eq!(replayed.trades, [(0, 1), (1, 2), (2, 3), (3, 4)]);
    let replayed = replayed.says("rules                    buy 5 at probability >= 0.7, sell 1 updates later");
    replayed.says("threads                  one thread (fused), any core, wait yield");
    // What follows on the command line wins.
    let replayed = setup.replay(&["--config", path.to_str().unwrap(), "--lag", "3"]).well();
    assert_eq!(replayed.trades, [(0, 3), (1, 4)]);

    fs::remove_dir_all(setup.out()).unwrap();
    let shown = path.display();
    for (content, says) in [
        ("lag = [1]", format!("error: configuration {shown}: 'lag' is no plain value")),
        ("[trading]\nlag = 1", format!("error: configuration {shown}: 'trading' is no plain value")),
        ("lag =", format!("error: configuration {shown}: TOML parse error at line 1, column 6")),
        ("lag = 1\nlag = 2", format!("error: configuration {shown}: TOML parse error at line 2, column 1")),
        ("speling = 1", "error: unexpected argument '--speling' found".into()),
        ("threshold = 2.0", "error: invalid value '2' for '--threshold <P>'".into()),
        ("lag = 1.5", "error: invalid value '1.5' for '--lag <UPDATES>'".into()),
    ] {
        fs::write(&path, content).unwrap();
        let error = refused(&setup, &[&named]);
        assert!(error.starts_with(&says), "{error}\n{says}");
    }
    let error = refused(&setup, &["--config", "/nowhere.toml"]);
    assert_eq!(error, "error: cannot read configuration /nowhere.toml: No such file or directory (os error 2)");
    assert_eq!(refused(&setup, &["--config"]), "error: --config needs a file");
}
