//! Bounds on what is given: the last that fits, and the first that does not.

use super::common::{fail, papertrader};
use super::market::{Capture, Setup, imbalance_model};
use papertrader::cli::config::CONFIG_BYTES_MAX;
use papertrader::execution::rules::LAG_MAX;
use papertrader::feed::wire::{CA_BYTES_MAX, Connector, WireConfig};
use papertrader::strategy::model::{LIBRARY_MODEL_BYTES_MAX, MODEL_BYTES_MAX};
use std::fs;

fn setup() -> Setup {
    Setup::new(Capture::default().snapshot().quiet(4).text().as_bytes())
}

/// A position is open for so many frames, and a frame buys once: that bounds the open positions.
#[test]
fn the_holding_time_bounds_the_open_positions() {
    let setup = setup();
    let replayed = setup.replay(&["--lag", &LAG_MAX.to_string()]).well();
    assert!(
        replayed
            .says("open positions           5, cost 25.000000, mark 24.975025 (not in the profit)")
            .trades
            .is_empty()
    );
    let replayed = setup.replay(&["--lag", &(LAG_MAX + 1).to_string()]);
    assert_eq!(replayed.code, 2);
    assert!(replayed.stderr.starts_with("error: invalid value '1000001' for '--lag <UPDATES>'"), "{}", replayed.stderr);
}

#[test]
fn configuration_files() {
    let setup = setup();
    let path = setup.folder().join("settings.toml");
    let named = format!("--config={}", path.display());
    let content = |bytes: u64| {
        let setting = "lag = 1\n#";
        format!("{setting}{}", "x".repeat(bytes as usize - setting.len()))
    };
    fs::write(&path, content(CONFIG_BYTES_MAX)).unwrap();
    assert_eq!(setup.replay(&[&named]).well().trades, [(0, 1), (1, 2), (2, 3), (3, 4)]);
    fs::write(&path, content(CONFIG_BYTES_MAX + 1)).unwrap();
    let expected = format!("error: cannot read configuration {}: it is larger than 1048576 bytes", path.display());
    let replayed = setup.replay(&[&named]);
    assert_eq!((replayed.code, replayed.stderr), (2, expected));
}

#[test]
fn model_files() {
    let setup = setup();
    let path = setup.folder().join("model.json");
    let content = |bytes: u64| {
        let model = fs::read_to_string(imbalance_model()).unwrap();
        format!("{model}{}", " ".repeat(bytes as usize - model.len()))
    };
    let replay = || {
        let mut command = papertrader();
        command.arg("replay").arg(setup.capture()).arg("--model").arg(&path).arg("--out").arg(setup.out());
        command
    };
    fs::write(&path, content(MODEL_BYTES_MAX)).unwrap();
    assert!(replay().output().unwrap().status.success());
    fs::write(&path, content(MODEL_BYTES_MAX + 1)).unwrap();
    let expected = format!("error: model {} is larger than 1048576 bytes", path.display());
    assert_eq!(fail(&mut replay()), (2, expected));
    // One that a library wrote may be larger; this one is nothing but zeros behind its first line.
    let path = setup.folder().join("model.txt");
    fs::write(&path, "tree\n").unwrap();
    fs::File::options().append(true).open(&path).unwrap().set_len(LIBRARY_MODEL_BYTES_MAX + 1).unwrap();
    let mut command = papertrader();
    command.arg("replay").arg(setup.capture()).arg("--model").arg(&path).arg("--out").arg(setup.out());
    let expected = format!("error: model {} is larger than 268435456 bytes", path.display());
    assert_eq!(fail(&mut command), (2, expected));
    fs::File::options().append(true).open(&path).unwrap().set_len(MODEL_BYTES_MAX + 1).unwrap();
    let expected = format!(
        "error: model {} (LightGBM): the header has no version: the file is cut or no LightGBM model",
        path.display()
    );
    assert_eq!(fail(&mut command), (2, expected));
}

#[test]
fn files_of_root_certificates() {
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.self_signed(&authority).unwrap().pem();
    let file = tempfile::NamedTempFile::new().unwrap();
    let connector = |bytes: u64| {
        fs::write(file.path(), format!("{}\n{pem}", "x".repeat(bytes as usize - pem.len() - 1))).unwrap();
        let extra_ca = Some(file.path().to_path_buf());
        Connector::new(&WireConfig { extra_ca, ..WireConfig::new("wss://localhost:1") })
    };
    assert!(connector(CA_BYTES_MAX).is_ok());
    let expected = format!(
        "cannot read root certificates from '{}': it is larger than {CA_BYTES_MAX} bytes",
        file.path().display()
    );
    assert_eq!(connector(CA_BYTES_MAX + 1).unwrap_err().to_string(), expected);
}

/// The system bounds names; the program says so in one line.
#[cfg(target_os = "linux")]
#[test]
fn names_and_paths() {
    let setup = setup();
    // A component of 255 bytes fits; `.csv` and the like come behind a stem.
    let replayed = setup.replay(&["--name", &"n".repeat(250)]);
    assert_eq!((replayed.code, replayed.stderr.as_str()), (0, ""));
    let replayed = setup.replay(&["--name", &"n".repeat(252)]);
    assert_eq!(replayed.code, 2);
    assert!(replayed.stderr.starts_with("error: cannot write ") && replayed.stderr.lines().count() == 1);
    assert!(replayed.stderr.ends_with(": File name too long (os error 36)"), "{}", replayed.stderr);
    let deep = "/d".repeat(2_100);
    for option in ["--out", "--probabilities", "--model", "--config"] {
        let replayed = setup.replay(&[option, &deep]);
        assert_eq!((replayed.code, replayed.stderr.lines().count()), (2, 1), "{option}");
        assert!(replayed.stderr.ends_with(": File name too long (os error 36)"), "{}", replayed.stderr);
    }
}
