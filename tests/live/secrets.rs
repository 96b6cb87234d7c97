//! Keys and tokens stay secret, whatever a venue does with them.

use crate::common::{fail, stderr};
use crate::support::*;
use crate::venue::Venue;
use data_encoding::BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use std::collections::HashSet;
use std::process::Command;

const KEY_NAME: &str =
    "organizations/01234567-89ab-cdef-0123-456789abcdef/apiKeys/fedcba98-7654-3210-fedc-ba9876543210";
/// What must not show of it.
const KEY_PARTS: [&str; 2] = ["01234567-89ab", "fedcba98-7654"];

/// A key as the venue's users have it, `\n` for line breaks, and the words of it that must not show.
fn es256() -> (String, Vec<String>) {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
    // A PKCS#8 document ends with the SEC1 one.
    const SEC1_AT: usize = 29;
    let text = BASE64.encode(&pkcs8.as_ref()[SEC1_AT..]);
    let lines: Vec<String> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    (format!("-----BEGIN EC PRIVATE KEY-----\\n{}\\n-----END EC PRIVATE KEY-----\\n", lines.join("\\n")), lines)
}

fn ed25519() -> (String, Vec<String>) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    const SEED: std::ops::Range<usize> = 16..48;
    let text = BASE64.encode(&pkcs8.as_ref()[SEED]);
    (text.clone(), vec![text])
}

fn run_with_key(command: &mut Command, key: &str) -> std::process::Output {
    command.env("COINBASE_API_NAME", KEY_NAME).env("COINBASE_PRIVATE_KEY", key).output().expect("it runs")
}

#[test]
fn nothing_shows_the_key_or_a_token() {
    std::thread::scope(|scope| {
        for (key, lines) in [es256(), ed25519()] {
            scope.spawn(move || shows_nothing(&key, &lines));
        }
    });
}

fn shows_nothing(key: &str, lines: &[String]) {
    // A venue that quotes what it was sent, in an error message and when it closes.
    let venue = Venue::serve(|client| {
        let tokens = client.begin().map(|request| request["jwt"].as_str().expect("signed").to_owned());
        client.send_text(&serde_json::json!({"type": "error", "message": format!("bad {}", tokens[1])}).to_string());
        client.close(&tokens[0][..100]);
        client.until_closed();
        tokens
    });
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = crate::common::papertrader();
    command.args(["live", "--url", &venue.url, "--duration", "4", "--name", "live", "--model"]).arg(model_path());
    command.arg("--out").arg(folder.path()).arg("--record").arg(folder.path().join("a.l2"));
    let output = run_with_key(&mut command, key);
    assert!(output.status.success(), "{}", stderr(&output));
    let tokens: Vec<String> = venue.end().concat();
    assert!(tokens.len() >= 4, "{} tokens", tokens.len());
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), tokens.len(), "each subscription has its own");

    let mut shown = vec![("standard output".to_owned(), output.stdout), ("standard error".to_owned(), output.stderr)];
    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        shown.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
    }
    assert!(shown.len() >= 6);
    // Any part of a token is too much; this is how all of them begin.
    let token_start = &tokens[0][..20];
    for (place, bytes) in shown {
        let text = String::from_utf8_lossy(&bytes);
        for secret in lines.iter().map(String::as_str).chain([token_start, "jwt"]).chain(KEY_PARTS) {
            assert!(!text.contains(secret), "{place} shows {secret}:\n{text}");
        }
    }
}

/// All that a session with faults and everything switched on leaves, the exchange's own log among it.
#[test]
fn nothing_shows_the_key_after_a_session_with_the_exchange() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let faults = market(&["error@50", "disconnect@100", "malformed@150", "gap@200"]);
    let exchange = start(papertrader::exchange::ExchangeConfig { send_log: Some(at("sent")), ..with_tls(faults) });
    let (key, lines) = es256();
    let mut command = live(&exchange, folder.path());
    command.args(["--duration", "6"]).arg("--record").arg(at("a.l2"));
    command.arg("--probabilities").arg(at("probabilities")).arg("--decisions").arg(at("decisions"));
    let output = run_with_key(&mut command, &key);
    assert!(output.status.success(), "{}", stderr(&output));
    exchange.stop().expect("it stops");
    let mut shown = vec![("standard output".to_owned(), output.stdout), ("standard error".to_owned(), output.stderr)];
    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        shown.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
    }
    assert!(shown.len() >= 9, "{} places", shown.len());
    for (place, bytes) in shown {
        let text = String::from_utf8_lossy(&bytes);
        // A token begins with the base64 of its header's brace.
        for secret in lines.iter().map(String::as_str).chain(KEY_PARTS).chain(["eyJ", "jwt", "PRIVATE KEY"]) {
            assert!(!text.contains(secret), "{place} shows {secret}");
        }
    }
}

#[test]
fn signed_subscriptions_work_with_the_exchange() {
    let exchange = start(market(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let output = run_with_key(live(&exchange, folder.path()).args(["--duration", "1"]), &es256().0);
    assert_eq!(stderr(&output), "");
    assert!(output.status.success());
}

#[test]
fn bad_keys_are_refused_and_not_quoted() {
    let exchange = start(market(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let (key, lines) = es256();
    for bad in [key.replacen(&lines[0], &lines[0][1..], 1), lines[0].clone(), "password123".into()] {
        let mut command = live(&exchange, folder.path());
        let (code, said) = fail(command.env("COINBASE_API_NAME", KEY_NAME).env("COINBASE_PRIVATE_KEY", &bad));
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("COINBASE_PRIVATE_KEY") && said.lines().count() == 1, "{said}");
        assert!(!said.contains(&lines[0][1..20]) && !said.contains("password123"), "{said}");
    }
    let (code, said) = fail(live(&exchange, folder.path()).env("COINBASE_API_NAME", KEY_NAME));
    assert_eq!(code, 2);
    assert!(said.contains("COINBASE_API_NAME is set but COINBASE_PRIVATE_KEY is not"), "{said}");
}

/// A venue that quotes the key's name, whole or in part, in an error and in its close frame.
#[test]
fn nothing_shows_the_keys_name() {
    for closes in [false, true] {
        let venue = Venue::serve(move |client| {
            client.begin();
            let (organization, id) = (&KEY_NAME[14..50], &KEY_NAME[59..]);
            if closes {
                client.close(&format!("{organization} is unknown"));
            } else {
                let message = format!("no key {id}");
                client.send_text(&serde_json::json!({"type": "error", "message": message}).to_string());
            }
            client.until_closed();
        });
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = crate::common::papertrader();
        command.args(["live", "--url", &venue.url, "--duration", "3", "--name", "live", "--model"]).arg(model_path());
        command.arg("--out").arg(folder.path()).arg("--record").arg(folder.path().join("a.l2"));
        let output = run_with_key(&mut command, &es256().0);
        assert!(output.status.success(), "{}", stderr(&output));
        venue.end();
        let says = if closes { "the venue closed the connection with code 1008; " } else { "; not shown" };
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
        let mut shown = vec![output.stdout, output.stderr];
        for entry in std::fs::read_dir(folder.path()).expect("a folder") {
            shown.push(std::fs::read(entry.expect("an entry").path()).expect("a file"));
        }
        assert!(shown.len() >= 6);
        for bytes in shown {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!KEY_PARTS.iter().any(|part| text.contains(part)) && !text.contains("apiKeys"), "{text}");
        }
    }
}
