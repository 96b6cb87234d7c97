//! Several products in one session: each as if it were alone, on any number of engine threads, and what is refused.

#[path = "common/mod.rs"]
mod common;

use common::{bytes, fail, papertrader, replay, reported, succeed};
use papertrader::exchange::{Exchange, ExchangeConfig, Pace, SourceConfig};
use serde_json::Value;
use std::fs;
use std::path::Path;

const PRODUCTS: [&str; 3] = ["BTC-USD", "ETH-USD", "SOL-USD"];
const ALL: &str = "BTC-USD,ETH-USD,SOL-USD";
const RULES: [&str; 8] = ["--model", "m.json", "--threshold", "0.6", "--lag", "5", "--override-model", "--equity-npz"];

/// A folder with models and a market of three products over one connection.
fn folder(frames: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let model = |slope: f64| {
        format!(
            r#"{{"features":["imbalance_1","print_imbalance_100"],"intercept":0.1,"coefficients":[{slope},0.1],"horizon_updates":20,"label":"mid:20"}}"#
        )
    };
    fs::write(folder.path().join("m.json"), model(1.5)).unwrap();
    fs::write(folder.path().join("n.json"), model(-1.0)).unwrap();
    let mut lines: Vec<(i64, String)> = Vec::new();
    for (seed, product) in PRODUCTS.into_iter().enumerate() {
        let (seed, frames, output) = (seed.to_string(), frames.to_string(), format!("{product}.l2"));
        let arguments = ["generate", "--output", &output, "--seed", &seed, "--levels", "200", "--frames", &frames];
        succeed(papertrader().args(arguments).args(["--product", product]).current_dir(folder.path()));
        let text = fs::read_to_string(folder.path().join(&output)).unwrap();
        lines.extend(text.lines().map(|line| {
            let (time, message) = line.split_once(' ').unwrap();
            (time.parse::<i64>().unwrap(), message.to_owned())
        }));
    }
    lines.sort_by_key(|&(time_ns, _)| time_ns);
    let numbered = lines.iter().enumerate().map(|(number, (time_ns, message))| {
        let (before, rest) = message.split_once(r#""sequence_num":"#).unwrap();
        let (_, after) = rest.split_once(',').unwrap();
        format!("{time_ns} {before}\"sequence_num\":{number},{after}\n")
    });
    fs::write(folder.path().join("all.l2"), numbered.collect::<String>()).unwrap();
    folder
}

/// The same without other products' names, which a session that has them does not pass over.
fn numbers(folder: &Path, name: &str) -> Value {
    let mut run = common::numbers(folder, name);
    run["run"]["passed_over"] = Value::Null;
    run
}

#[test]
fn each_product_is_as_if_it_were_alone_on_any_number_of_engines() {
    let folder = folder(1_500);
    let folder = folder.path();
    for product in PRODUCTS {
        let name = format!("alone.{product}x");
        succeed(&mut replay(folder, ["all.l2", "--product", product, "--name", &name].into_iter().chain(RULES)));
        assert!(bytes(folder, &format!("{name}.csv")).iter().filter(|&&byte| byte == b'\n').count() > 50);
    }
    let ways: [&[&str]; 5] = [
        &[],
        &["--fused"],
        &["--engines", "2"],
        &["--engines", "3"],
        &["--engines", "2", "--engine-of", "BTC-USD=2", "--wait", "yield"],
    ];
    for (way, options) in ways.into_iter().enumerate() {
        let stem = format!("way{way}");
        let arguments = ["all.l2", "--product", ALL, "--name", &stem].into_iter().chain(RULES);
        let told = succeed(&mut replay(folder, arguments.chain(options.iter().copied())));
        for product in PRODUCTS {
            for log in ["csv", "equity.npz"] {
                let (together, alone) = (format!("{stem}.{product}.{log}"), format!("alone.{product}x.{log}"));
                assert!(bytes(folder, &together) == bytes(folder, &alone), "{together} is {alone}");
            }
            let together = numbers(folder, &format!("{stem}.{product}.json"));
            assert_eq!(together, numbers(folder, &format!("alone.{product}x.json")), "{options:?} {product}");
            assert!(told.contains(&format!(" {product} ")), "{told}");
        }
        let threads = ["two threads", "one thread (fused)", "3 threads", "4 threads", "3 threads"][way];
        assert!(reported(&told, "threads").starts_with(threads), "{told}");
        let overview: Value = serde_json::from_slice(&bytes(folder, &format!("{stem}.json"))).unwrap();
        assert_eq!((&overview["product"], &overview["tried"]), (&"BTC-USD, ETH-USD, SOL-USD".into(), &3.into()));
    }
}

#[test]
fn strategies_say_what_they_trade() {
    let folder = folder(1_000);
    let folder = folder.path();
    let text = "model = 'm.json'\nthreshold = 0.6\nlag = 5\noverride-model = true\n\
        [btc]\nproduct = 'BTC-USD'\n[eth]\nproduct = 'ETH-USD'\n[eth-n]\nproduct = 'ETH-USD'\nmodel = 'n.json'\n";
    fs::write(folder.join("s.toml"), text).unwrap();
    // Named by the file alone.
    let told = succeed(&mut replay(folder, ["all.l2", "--strategies", "s.toml", "--name", "of"]));
    assert!(told.contains(" eth-n (ETH-USD) ") && told.contains("passed over             "), "{told}");
    for (name, product, model) in
        [("btc", "BTC-USD", "m.json"), ("eth", "ETH-USD", "m.json"), ("eth-n", "ETH-USD", "n.json")]
    {
        let rules = ["--model", model, "--threshold", "0.6", "--lag", "5", "--override-model"];
        let alone = format!("alone-{name}");
        succeed(&mut replay(folder, ["all.l2", "--product", product, "--name", &alone].into_iter().chain(rules)));
        assert!(bytes(folder, &format!("of.{name}.csv")) == bytes(folder, &format!("{alone}.csv")), "{name}");
    }
    for (products, text, message) in [
        (ALL, text, "no strategy trades SOL-USD: leave it out of --product, or give it one"),
        ("BTC-USD", text, "strategy eth trades ETH-USD, and the session has BTC-USD"),
        (
            "BTC-USD,ETH-USD",
            "model = 'm.json'\n[a]\nproduct = 'ETH-USD'\n[b]\n",
            "strategy b says no product, and the session has BTC-USD, ETH-USD: give it one of them",
        ),
    ] {
        fs::write(folder.join("bad.toml"), text).unwrap();
        let arguments = ["all.l2", "--strategies", "bad.toml", "--product", products, "--name", "bad"];
        assert_eq!(fail(&mut replay(folder, arguments)), (2, format!("error: {message}")));
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    let folder = folder(20);
    let folder = folder.path();
    let many = |count: usize| (0..count).map(|at| format!("P{at}")).collect::<Vec<_>>().join(",");
    let too_many = many(65);
    fs::write(
        folder.join("tardis.csv"),
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\nx,P,1585699200000000,1585699200000001,true,bid,9,1\n",
    )
    .unwrap();
    for (arguments, message) in [
        (vec!["all.l2", "--product", "BTC-USD,ETH-USD,BTC-USD"], "--product names BTC-USD twice"),
        (
            vec!["all.l2", "--product", "BTC-USD,XRP-USD"],
            "all.l2 holds no book of XRP-USD; it holds BTC-USD, ETH-USD, SOL-USD",
        ),
        (vec!["all.l2", "--product", &too_many], "--product names 65 products; a session has at most 64"),
        (
            vec!["all.l2", "--product", ALL, "--tick-size", "0.01"],
            "--tick-size and --lot-size are one product's: leave them out, each product has its own",
        ),
        (
            vec!["all.l2", "--product", ALL, "--engines", "4"],
            "4 engines for 3 products: each engine needs a product, and each product an engine",
        ),
        (
            vec!["all.l2", "--product", ALL, "--engines", "2", "--fused"],
            "--engines: feed and engines are fused on one thread: leave --fused out, or pin more cores",
        ),
        (
            vec!["all.l2", "--product", ALL, "--engines", "2", "--engine-of", "XRP-USD=1"],
            "--engine-of XRP-USD=1: the session has no XRP-USD; it has BTC-USD, ETH-USD, SOL-USD",
        ),
        (
            vec!["tardis.csv", "--product", "P,Q"],
            "tardis.csv: is no capture, and holds one market: give --product one product",
        ),
        (
            vec!["all.l2", "--product", ALL, "--probabilities", "p.txt"],
            "--probabilities is the file of one strategy, and there are 3",
        ),
    ] {
        let arguments = arguments.into_iter().chain(["--model", "m.json", "--name", "bad"]);
        let (code, error) = fail(&mut replay(folder, arguments));
        assert!(code == 2 && error.lines().count() == 1 && error.contains(message), "{error}\n{message}");
    }
    for (command, products, message) in [
        ("record", many(65), "error: --product names 65 products; a session has at most 64"),
        ("record", "A,B,A".into(), "error: --product names A twice"),
    ] {
        let (code, error) = fail(papertrader().args([command, "a.l2", "--product", &products]).current_dir(folder));
        assert_eq!((code, error.as_str()), (2, message));
    }
    if let [feed, first, second, ..] = papertrader::base::cores::allowed()[..] {
        let pins = format!("{feed},{first},{second}");
        let arguments = ["all.l2", "--model", "m.json", "--pin-cores", &pins];
        let said =
            "error: --pin-cores: 2 cores for engines, but 1 product: give one for the feed and at most one per product";
        assert_eq!(fail(&mut replay(folder, arguments)), (2, said.into()));
    }
    assert!(!fs::read_dir(folder).unwrap().flatten().any(|file| file.file_name().to_string_lossy().starts_with("bad")));
}

/// By the program: lived with a fault of one product, recorded, and replayed together.
#[test]
fn recorded_is_lived_for_every_product() {
    let folder = folder(20);
    let folder = folder.path();
    let config = ExchangeConfig {
        products: PRODUCTS.map(String::from).into(),
        source: SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 300.0 }, snapshot_levels: 200 },
        faults: vec!["huge-number@600".parse().unwrap(), "gap@1500".parse().unwrap()],
        ..ExchangeConfig::default()
    };
    let exchange = Exchange::start(config).unwrap();
    let session = ["live", "--url", &exchange.url(), "--duration", "8", "--record", "a.l2.zst", "--name", "live"];
    let mut command = papertrader();
    command.args(session).args(["--product", ALL, "--engines", "2", "--out", "."]).args(RULES);
    let told = succeed(command.current_dir(folder));
    assert_eq!(reported(&told, "connected"), "2 times (1 reconnect)");
    assert_eq!(reported(&told, "sequence gap"), "1");
    succeed(&mut replay(folder, ["a.l2.zst", "--product", ALL, "--name", "again"].into_iter().chain(RULES)));
    for product in PRODUCTS {
        assert!(bytes(folder, &format!("live.{product}.csv")).iter().filter(|&&byte| byte == b'\n').count() > 50);
        for log in ["csv", "equity.npz"] {
            let [lived, again] = ["live", "again"].map(|stem| bytes(folder, &format!("{stem}.{product}.{log}")));
            assert!(lived == again, "{product}.{log}");
        }
    }
}

/// What eight strategies of three products lived through random faults is what their recording gives, on any number of engines.
#[test]
fn many_strategies_of_many_products_are_replayed_as_they_were_lived() {
    let folder = folder(20);
    let folder = folder.path();
    let strategies = "model = 'm.json'\nthreshold = 0.55\nlag = 5\noverride-model = true\n\
        [btc]\nproduct = 'BTC-USD'\n\
        [btc-often]\nproduct = 'BTC-USD'\nthreshold = 0.5\n\
        [btc-taker]\nproduct = 'BTC-USD'\nexecution = ['taker']\norder-latency = '3ms'\n\
        [eth]\nproduct = 'ETH-USD'\n\
        [eth-other]\nproduct = 'ETH-USD'\nmodel = 'n.json'\n\
        [eth-makers]\nproduct = 'ETH-USD'\nexecution = ['taker', 'maker']\nprints-side = 'maker'\nbuy-amount = 50000\n\
        [sol]\nproduct = 'SOL-USD'\nlag = 9\n\
        [sol-other]\nproduct = 'SOL-USD'\nmodel = 'n.json'\nbuy-amount = 100\n";
    fs::write(folder.join("eight.toml"), strategies).unwrap();
    let config = ExchangeConfig {
        products: PRODUCTS.map(String::from).into(),
        source: SourceConfig::Synthetic { seed: 11, pace: Pace::Rate { frames_per_s: 600.0 }, snapshot_levels: 200 },
        faults: vec!["random:3/400".parse().unwrap()],
        ..ExchangeConfig::default()
    };
    let exchange = Exchange::start(config).unwrap();
    let common = ["--product", ALL, "--strategies", "eight.toml"];
    let session = ["live", "--url", &exchange.url(), "--duration", "12", "--record", "a.l2.zst", "--name", "live"];
    let mut command = papertrader();
    command.args(session).args(common).args(["--engines", "3", "--out", "."]);
    succeed(command.current_dir(folder));
    exchange.stop().unwrap();
    let logs = |stem: &str| -> Vec<Vec<u8>> {
        let plain = ["btc", "btc-often", "btc-taker", "eth", "eth-other", "eth-makers", "sol", "sol-other"];
        let of_accounts = ["btc-taker", "eth-makers"]
            .into_iter()
            .flat_map(|name| ["orders", "fills", "markouts", "legs"].map(|log| format!("{stem}.{name}.{log}.csv")));
        let trades = plain.map(|name| format!("{stem}.{name}.csv"));
        trades.into_iter().chain(of_accounts).map(|name| bytes(folder, &name)).collect()
    };
    let lived = logs("live");
    let rows = lived[..8].iter().map(|log| log.iter().filter(|&&byte| byte == b'\n').count());
    assert!(rows.clone().all(|rows| rows > 10), "{:?}", rows.collect::<Vec<_>>());
    let faults = numbers(folder, "live.btc.json")["counters"]["feed"]["faults"].as_u64();
    assert!(faults.is_some_and(|faults| faults > 0), "{faults:?}");
    for engines in ["1", "3"] {
        let name = format!("again{engines}");
        let options = ["a.l2.zst", "--engines", engines, "--name", &name].into_iter().chain(common);
        succeed(&mut replay(folder, options));
        assert!(logs(&name) == lived, "{engines} engines");
    }
}
