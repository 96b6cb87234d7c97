//! Several strategies in one session: each as if it were alone, one page that compares them, and files that cannot be right.

#[path = "common/mod.rs"]
mod common;

use common::{bytes, fail, figures, keys, numbers, papertrader, replay, shared_data, succeed};
use serde_json::Value;
use std::fs;

const MODELS: [(&str, &str); 3] = [
    (
        "a.json",
        r#"{"features":["imbalance_1","spread_ticks"],"intercept":0.1,"coefficients":[1.5,0.01],"horizon_updates":20,"label":"mid:20"}"#,
    ),
    (
        "b.json",
        r#"{"features":["mid","imbalance_5","imbalance_1"],"intercept":0.0,"coefficients":[0.0,2.0,-0.5],"horizon_updates":9,"label":"mid:9"}"#,
    ),
    (
        "c.json",
        r#"{"features":["ofi_2_5","gap = ask_size_2 / (ask_size_1 + ask_size_2)"],"intercept":-0.2,"coefficients":[0.02,1.0],"horizon_updates":20,"label":"mid:20"}"#,
    ),
];

const STRATEGIES: &str = "model = 'a.json'\nfee-bps = 0.5\n\
    [plain]\n\
    [often]\nthreshold = 0.5\n\
    [patient]\nlag = 50\noverride-model = true\n\
    [other]\nmodel = 'b.json'\nbuy-amount = 100\n\
    [past]\nmodel = 'c.json'\nthreshold = 0.55\n\
    [taker]\nexecution = ['taker']\norder-latency = '2ms'\n\
    [makers]\nmodel = 'b.json'\nthreshold = 0.55\nexecution = ['taker', 'maker']\nhold-back = 'none'\nprints-side = 'maker'\n\
    [fees]\nfees = 'coinbase-exchange'\n";

/// What each of them is on a command line.
const ALONE: [(&str, &[&str]); 8] = [
    ("plain", &["--model", "a.json", "--fee-bps", "0.5"]),
    ("often", &["--model", "a.json", "--fee-bps", "0.5", "--threshold", "0.5"]),
    ("patient", &["--model", "a.json", "--fee-bps", "0.5", "--lag", "50", "--override-model"]),
    ("other", &["--model", "b.json", "--fee-bps", "0.5", "--buy-amount", "100"]),
    ("past", &["--model", "c.json", "--fee-bps", "0.5", "--threshold", "0.55"]),
    ("taker", &["--model", "a.json", "--fee-bps", "0.5", "--execution", "taker", "--order-latency", "2ms"]),
    (
        "makers",
        &[
            "--model",
            "b.json",
            "--fee-bps",
            "0.5",
            "--threshold",
            "0.55",
            "--execution",
            "taker,maker",
            "--hold-back",
            "none",
            "--prints-side",
            "maker",
        ],
    ),
    ("fees", &["--model", "a.json", "--fees", "coinbase-exchange"]),
];

/// A folder with models, a file of strategies, and a market.
fn folder(frames: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    MODELS.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
    fs::write(folder.path().join("mine.toml"), STRATEGIES).unwrap();
    let frames = frames.to_string();
    let market = ["generate", "--output", "market.zst", "--seed", "5", "--levels", "200", "--frames", &frames];
    succeed(papertrader().args(market).current_dir(folder.path()));
    folder
}

#[test]
fn each_strategy_is_as_if_it_were_alone() {
    let folder = folder(4_000);
    let folder = folder.path();
    let told = succeed(&mut replay(folder, ["market.zst", "--strategies", "mine.toml", "--name", "all"]));
    for (name, options) in ALONE {
        let alone = format!("alone-{name}");
        succeed(&mut replay(folder, ["market.zst", "--name", &alone].into_iter().chain(options.iter().copied())));
        let mut logs = vec!["csv"];
        if ["taker", "makers"].contains(&name) {
            logs.extend(["orders.csv", "fills.csv", "markouts.csv", "legs.csv"]);
        }
        for log in logs {
            let (together, alone) = (format!("all.{name}.{log}"), format!("{alone}.{log}"));
            assert!(bytes(folder, &alone).iter().filter(|&&byte| byte == b'\n').count() > 20, "{alone} has rows");
            assert!(bytes(folder, &together) == bytes(folder, &alone), "{together} is {alone}");
        }
        let (together, alone) =
            (numbers(folder, &format!("all.{name}.json")), numbers(folder, &format!("{alone}.json")));
        assert_eq!(together, alone, "{name}");
        assert!(told.contains(&format!(" {name} ")), "{told}");
    }
    assert!(!folder.join("all.csv").exists(), "the session has no trades of its own");
    let overview: Value = serde_json::from_slice(&bytes(folder, "all.json")).unwrap();
    assert_eq!((&overview["schema"], &overview["tried"]), (&"papertrader.overview".into(), &8.into()));
    let rows = overview["strategies"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    let (telling, few): (Vec<&Value>, Vec<&Value>) =
        rows.iter().partition(|row| !matches!(row["finding"].as_str(), Some("too_few" | "no_trades")));
    assert!(telling.len() > 3 && rows[telling.len()..].iter().eq(few), "{rows:#?}");
    let profit = |row: &Value| row["verdict_bps"].as_f64().unwrap_or(f64::NEG_INFINITY);
    assert!(telling.windows(2).all(|pair| profit(pair[0]) >= profit(pair[1])), "{rows:#?}");
    for row in rows {
        let run = numbers(folder, &format!("all.{}.json", row["name"].as_str().unwrap()));
        for field in ["trades", "gross_profit", "gross_bps", "net_profit", "verdict_bps", "finding"] {
            assert_eq!(row[field], run["trades"][field], "{field}");
        }
        assert_eq!(row["verdict_interval"], run["trades"]["interval"]["verdict_bps"]);
    }
}

#[test]
fn the_page_shows_the_numbers_beside_it() {
    let folder = folder(3_000);
    let folder = folder.path();
    succeed(&mut replay(folder, ["market.zst", "--strategies", "mine.toml", "--name", "all"]));
    let page = String::from_utf8(bytes(folder, "all.html")).unwrap();
    let overview: Value = serde_json::from_slice(&bytes(folder, "all.json")).unwrap();
    let shown = keys(&page);
    assert!(shown.len() > 80, "{}", shown.len());
    for (key, value) in shown {
        let pointer = format!("/{}", key.replace('.', "/"));
        let expected = overview.pointer(&pointer).filter(|value| !value.is_null());
        assert_eq!(value, expected.map(ToString::to_string), "{key}");
    }
    assert_eq!(figures(&page), ["fig-overview"]);
    assert!(page.contains("8 strategies were tried in this session") && page.contains("18 %"), "{page}");
    for (name, _) in ALONE {
        assert!(page.contains(&format!("<a href=\"all.{name}.html\">{name}</a>")));
        assert!(folder.join(format!("all.{name}.html")).exists());
    }
}

#[test]
fn the_page_says_that_the_session_broke() {
    let folder = folder(400);
    let folder = folder.path();
    succeed(papertrader().args(["convert", "market.zst", "-o", "market.l2"]).current_dir(folder));
    let text = fs::read_to_string(folder.join("market.l2")).unwrap();
    let lines = text.lines().enumerate().map(|(at, line)| if at == 300 { "garbage here" } else { line });
    fs::write(folder.join("broken.l2"), lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let (code, error) = fail(&mut replay(folder, ["broken.l2", "--strategies", "mine.toml", "--name", "all"]));
    assert!(code == 2 && error.contains("broken.l2, line 301"), "{error}");
    let overview: Value = serde_json::from_slice(&bytes(folder, "all.json")).unwrap();
    assert!(overview["fault"].as_str().is_some_and(|fault| fault.contains("line 301")), "{overview}");
    let page = String::from_utf8(bytes(folder, "all.html")).unwrap();
    assert!(page.contains("The session ended with a fault: capture broken.l2, line 301"));
    assert!(page.contains("The ranks are by the original"));
}

#[test]
fn one_strategy_in_a_file_is_the_run_without_it() {
    let folder = folder(1_500);
    let folder = folder.path();
    fs::write(folder.join("one.toml"), "[only]\nmodel = 'b.json'\nthreshold = 0.55\n").unwrap();
    succeed(&mut replay(
        folder,
        ["market.zst", "--strategies", "one.toml", "--name", "run", "--probabilities", "p.txt"],
    ));
    let options =
        ["market.zst", "--model", "b.json", "--threshold", "0.55", "--name", "same", "--probabilities", "q.txt"];
    succeed(&mut replay(folder, options));
    assert!(bytes(folder, "run.csv") == bytes(folder, "same.csv"));
    assert!(bytes(folder, "p.txt") == bytes(folder, "q.txt"));
    let whole = |name: &str| {
        let mut run: Value = serde_json::from_slice(&bytes(folder, name)).unwrap();
        run["timing"] = Value::Null;
        run
    };
    assert_eq!(whole("run.json"), whole("same.json"));
}

#[test]
fn recorded_markets_are_traded_by_many_as_by_one() {
    let Some(data) = shared_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    MODELS.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
    fs::write(folder.join("mine.toml"), STRATEGIES.replace("hold-back = 'none'\nprints-side = 'maker'\n", "")).unwrap();
    let capture = data.join("captures/btc-perp-a.trades.l2.gz");
    if !capture.exists() {
        eprintln!("skipped: {} is not there", capture.display());
        return;
    }
    let capture = capture.to_str().unwrap();
    succeed(&mut replay(folder, [capture, "--strategies", "mine.toml", "--name", "all"]));
    for (name, options) in ALONE {
        let options =
            options.iter().filter(|option| !["--hold-back", "none", "--prints-side", "maker"].contains(option));
        succeed(&mut replay(folder, [capture, "--name", name].into_iter().chain(options.copied())));
        assert!(bytes(folder, &format!("all.{name}.csv")) == bytes(folder, &format!("{name}.csv")), "{name}");
        if ["taker", "makers"].contains(&name) {
            assert!(bytes(folder, &format!("all.{name}.fills.csv")) == bytes(folder, &format!("{name}.fills.csv")));
        }
    }
}

#[test]
fn files_that_cannot_be_right_are_refused_before_anything_runs() {
    let folder = folder(50);
    let folder = folder.path();
    for (text, message) in [
        ("", "strategies bad.toml names none: a strategy is a section [NAME] with a model"),
        ("model = 'a.json'\n", "strategies bad.toml names none: a strategy is a section [NAME] with a model"),
        ("[a]\nmodel = 'a.json'\n[a]\nmodel = 'b.json'\n", "strategies bad.toml, line 3: two sections of one name"),
        (
            "[a]\nmodel = 'a.json'\n[A]\nmodel = 'b.json'\n",
            "strategies bad.toml, line 3: 'A' differs from another strategy's name by its case alone",
        ),
        (
            "[a]\nmodel = 'a.json'\n['../b']\nmodel = 'b.json'\n",
            "strategies bad.toml, line 3: a name has no folder and no control character in it and does not begin with a dot",
        ),
        (
            "[a]\nthreshold = 0.6\n",
            "strategies bad.toml, line 1, [a]: the following required arguments were not provided: --model <FILE>; see papertrader replay --help",
        ),
        (
            "[a]\nmodel = 'a.json'\nthresold = 0.6\n",
            "strategies bad.toml, line 3: there is no option 'thresold'; 'threshold' is near",
        ),
        (
            "[a]\nmodel = 'a.json'\nthreshold = 2\n",
            "strategies bad.toml, line 1, [a]: invalid value '2' for '--threshold <P>': a probability lies between 0 and 1, both excluded; see papertrader replay --help",
        ),
        (
            "[a]\nmodel = 'a.json'\ntick-size = 1\n",
            "strategies bad.toml, line 3: 'tick-size' is an option of the session, not of a strategy",
        ),
        (
            "[a]\nmodel = 'none.json'\n[b]\nmodel = 'a.json'\n",
            "strategies bad.toml, [a]: cannot read model none.json: No such file or directory (os error 2)",
        ),
        (
            "[a]\nmodel = 'a.json'\nlag = 5\n",
            "strategies bad.toml, [a]: --lag 5 contradicts model a.json, whose horizon_updates is 20: leave --lag out, or give --override-model",
        ),
        ("[a]\nmodel = 'a.json'\nshort = true\n", "strategies bad.toml, [a]: --short needs --execution taker or maker"),
        ("[a]\nmodel = ['a.json', 'b.json']\n", "strategies bad.toml, line 2: 'model' takes one value"),
        ("[a\n", "strategies bad.toml, line 1: no TOML: "),
        (
            "[a]\nb = { c = 1 }\n",
            "strategies bad.toml, line 2: 'b' is neither text nor a number, true, false or a list of such",
        ),
        (
            "[a]\nmodel = 'a.json'\n['a.orders']\nmodel = 'a.json'\n[c]\nmodel='a.json'\n",
            "strategies bad.toml, line 3: a name does not end in .orders: a run writes such logs of its own",
        ),
    ] {
        fs::write(folder.join("bad.toml"), text).unwrap();
        let (code, error) = fail(&mut replay(folder, ["market.zst", "--strategies", "bad.toml", "--name", "run"]));
        assert_eq!(code, 2, "{text}");
        assert!(error.lines().count() == 1 && error.contains(message), "{text}\n{error}\n{message}");
        let left: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .flatten()
            .filter(|file| file.file_name().to_string_lossy().starts_with("run"))
            .collect();
        assert!(left.is_empty(), "{text}: {left:?}");
    }
    fs::write(folder.join("two.toml"), "model = 'a.json'\n[a]\n[b]\n").unwrap();
    for (arguments, message) in [
        (&["--model", "a.json"][..], "the argument '--strategies <FILE.toml>' cannot be used with '--model <FILE>'"),
        (&["--threshold", "0.6"], "'--strategies <FILE.toml>' cannot be used with '--threshold <P>'"),
        (&["--execution", "taker"], "--execution belongs to a strategy: say it in two.toml"),
        (&["--short"], "--short belongs to a strategy: say it in two.toml"),
        (&["--probabilities", "p.txt"], "--probabilities is the file of one strategy, and there are 2"),
    ] {
        let arguments = ["market.zst", "--strategies", "two.toml"].into_iter().chain(arguments.iter().copied());
        let (code, error) = fail(&mut replay(folder, arguments));
        assert!(code == 2 && error.lines().count() == 1 && error.contains(message), "{error}\n{message}");
    }
    let (code, error) = fail(&mut replay(folder, ["market.zst", "--strategies", "none.toml"]));
    assert_eq!(
        (code, error.as_str()),
        (2, "error: cannot read strategies none.toml: No such file or directory (os error 2)")
    );
}

#[test]
fn nothing_that_is_read_or_there_is_written_over() {
    let folder = folder(300);
    let folder = folder.path();
    // The file of strategies goes by the name of the overview's numbers.
    fs::copy(folder.join("a.json"), folder.join("run.json")).unwrap();
    fs::write(folder.join("s.toml"), "model = 'run.json'\n[a]\n[b]\nthreshold = 0.5\n").unwrap();
    let (code, error) = fail(&mut replay(folder, ["market.zst", "--strategies", "s.toml", "--name", "run", "--force"]));
    assert_eq!(code, 2);
    assert!(
        error.contains("run.json would be written over, and this command reads it; choose another name"),
        "{error}"
    );
    assert!(bytes(folder, "run.json") == bytes(folder, "a.json"));
    fs::write(folder.join("all.often.html"), "mine").unwrap();
    let (code, error) = fail(&mut replay(folder, ["market.zst", "--strategies", "mine.toml", "--name", "all"]));
    assert_eq!(code, 2);
    assert!(error.contains("all.often.html exists; give --force to replace it"), "{error}");
    assert_eq!(bytes(folder, "all.often.html"), b"mine");
    succeed(&mut replay(folder, ["market.zst", "--strategies", "mine.toml", "--name", "all", "--force"]));
    assert_ne!(bytes(folder, "all.often.html"), b"mine");
    // A second one does not take the first one's names.
    let (code, error) = fail(&mut replay(folder, ["market.zst", "--strategies", "mine.toml", "--name", "all"]));
    assert!(code == 2 && error.contains("exists; give --force to replace it"), "{error}");
}

#[test]
fn demo_and_profile_run_many_too() {
    let folder = folder(600);
    let folder = folder.path();
    fs::write(folder.join("two.toml"), "model = 'a.json'\n[a]\n[b]\nthreshold = 0.5\n").unwrap();
    let demo = ["demo", "--duration", "2", "--strategies", "two.toml", "--out", ".", "--name", "demo"];
    let told = succeed(papertrader().args(demo).current_dir(folder));
    assert!(told.contains("strategies, by net profit per trade"), "{told}");
    for name in ["demo.json", "demo.html", "demo.a.csv", "demo.b.html", "demo.l2.zst", "demo.ca.pem"] {
        assert!(folder.join(name).exists(), "{name}");
    }
    // What was lived is what its recording gives.
    succeed(&mut replay(folder, ["demo.l2.zst", "--strategies", "two.toml", "--name", "again"]));
    for name in ["a", "b"] {
        assert!(bytes(folder, &format!("again.{name}.csv")) == bytes(folder, &format!("demo.{name}.csv")), "{name}");
    }
    let profile = [
        "profile",
        "market.zst",
        "--strategies",
        "two.toml",
        "--rates",
        "1k",
        "--seconds",
        "1",
        "--out",
        ".",
        "--name",
        "p",
    ];
    succeed(papertrader().args(profile).current_dir(folder));
    let summary: Value = serde_json::from_slice(&bytes(folder, "p.json")).unwrap();
    assert_eq!(summary["strategies"], serde_json::json!(["a", "b"]));
    assert!(folder.join("p.1000.a.hgrm").exists() && folder.join("p.1000.b.html").exists());
    let (code, error) =
        fail(papertrader().args(profile).args(["--force", "--strategies", "mine.toml"]).current_dir(folder));
    assert_eq!(code, 2);
    assert_eq!(error, "error: strategies mine.toml, [taker]: a profile runs the original's execution alone");
}

#[test]
fn a_session_has_a_thousand_strategies_at_most() {
    let folder = folder(60);
    let folder = folder.path();
    let file = |count: usize| -> String {
        let sections = (0..count).map(|at| format!("[s{at}]\n"));
        std::iter::once("model = 'a.json'\n".to_owned()).chain(sections).collect()
    };
    fs::write(folder.join("many.toml"), file(1_001)).unwrap();
    let (code, error) = fail(&mut replay(folder, ["market.zst", "--strategies", "many.toml", "--name", "run"]));
    let message = "error: strategies many.toml names 1001; a session has at most 1000";
    assert_eq!((code, error.as_str()), (2, message));
    fs::write(folder.join("many.toml"), file(100)).unwrap();
    let told =
        succeed(&mut replay(folder, ["market.zst", "--strategies", "many.toml", "--name", "run", "--no-report"]));
    assert!(
        told.contains("100 strategies were tried in this session") && folder.join("run.s99.csv").exists(),
        "{told}"
    );
}
