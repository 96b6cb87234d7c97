//! Research: rows, fits and reports against independent results.

mod common;

use common::{fail, papertrader, shared_data, succeed};
use papertrader::engine::{Engine, Outputs};
use papertrader::event::{Event, FrameHead};
use papertrader::features::{Feature, FeatureSet, SEED};
use papertrader::feed::intake::{EngineGone, Publish, ScaleRule};
use papertrader::latency::recorder;
use papertrader::model::{Model, ModelFile, probability};
use papertrader::observation::Observation;
use papertrader::replay::Replay;
use papertrader::research::dataset::FeatureRows;
use papertrader::research::feature_list::parse_features;
use papertrader::research::fit::{Design, fit};
use papertrader::research::labels::{Ties, Weight};
use papertrader::research::metrics::Ranking;
use papertrader::research::scaler::Scaler;
use papertrader::research::source::{RowShape, Source, Watch};
use papertrader::research::table::{RowKey, Table};
use papertrader::session::Feed;
use papertrader::simulator::SimulatorSettings;
use papertrader::status::Status;
use rtrb::{Consumer, RingBuffer};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A capture of the synthetic market.
fn synthetic(folder: &TempDir, name: &str, seed: u32, frames: u32) -> PathBuf {
    let path = folder.path().join(name);
    let (seed, frames) = (seed.to_string(), frames.to_string());
    succeed(papertrader().args(["generate", "--levels", "600", "--seed", &seed, "--frames", &frames, "-o"]).arg(&path));
    path
}

/// A table of rows with a label, by the library.
struct Rows {
    table: Table,
    labelled: u64,
    ties: u64,
}

fn rows(captures: &[PathBuf], features: &[Feature], horizon: u32) -> Rows {
    let source = Source::open(captures, None, ScaleRule::default()).unwrap();
    let mut rows = Rows { table: Table::new(features.len(), usize::MAX), labelled: 0, ties: 0 };
    let bar = indicatif::ProgressBar::hidden();
    let watch = Watch { bar: &bar, stop: &|| false };
    source
        .read_rows(
            RowShape { horizon, every: 1 },
            &mut FeatureRows::new(FeatureSet::new(features)),
            &watch,
            &mut |row| {
                let Some(change) = row.change else { return Ok(()) };
                rows.labelled += 1;
                if change.sign == 0 {
                    rows.ties += 1;
                    return Ok(());
                }
                let head = row.head;
                let key = RowKey {
                    ordinal: head.sequence,
                    sequence: head.sequence,
                    capture: head.capture,
                    sign: change.sign,
                };
                Ok(rows.table.push(key, row.values)?)
            },
        )
        .unwrap();
    rows.table.finish().unwrap();
    rows
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_close(ours: &[f64], theirs: &[f64], relative: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= relative * theirs.abs(), "{at}: {ours} and {theirs}");
    }
}

#[test]
fn the_reference_fit_is_reproduced() {
    let Some(data) = shared_data() else { return };
    let golden: Value =
        serde_json::from_str(&fs::read_to_string(data.join("golden/btc-perp-a.reference_fit.json")).unwrap()).unwrap();
    let capture = data.join("captures/btc-perp-a.l2.gz");
    let Rows { table, labelled, ties } = rows(&[capture], &SEED, 20);
    let keys = table.keys();
    assert_eq!(labelled, 26_823 - 20);
    assert_eq!(keys.len() as u64, golden["n"].as_u64().unwrap());
    assert_eq!(ties, golden["ties_dropped"].as_u64().unwrap());
    assert_eq!(keys.iter().filter(|key| key.sign > 0).count() as u64, golden["positives"].as_u64().unwrap());
    let sequences: Vec<u64> = keys.iter().map(|key| key.sequence).collect();
    let golden_rows =
        |name: &str| -> Vec<u64> { golden[name].as_array().unwrap().iter().map(|row| row.as_u64().unwrap()).collect() };
    assert_eq!(sequences[..5], golden_rows("first_rows"));
    assert_eq!(sequences[keys.len() - 5..], golden_rows("last_rows"));
    let mut first = Vec::new();
    table.read(&(0..1), &mut Vec::new(), |_, values| first.extend_from_slice(values)).unwrap();
    assert_close(&first, &floats(&golden["features_of_first_training_row"]), 1e-15);

    let columns: Vec<usize> = (0..SEED.len()).collect();
    let all = vec![0..keys.len(); 1];
    let scaler = Scaler::fit(&table, &columns, &all, Ties::Drop, 1).unwrap();
    assert_close(&scaler.mean, &floats(&golden["scaler"]["mean"]), 1e-12);
    assert_close(&scaler.scale, &floats(&golden["scaler"]["scale"]), 1e-12);

    let design =
        |threads| Design { table: &table, columns: &columns, rows: &all, ties: Ties::Drop, scaler: &scaler, threads };
    let found = fit(&design(1), 1.0, None, &|| false).unwrap();
    assert_eq!(found, fit(&design(2), 1.0, None, &|| false).unwrap());
    let optimum = &golden["optimum_newton"];
    assert_close(&[found.objective], &[optimum["objective"].as_f64().unwrap()], 1e-9);
    assert!(found.gradient_max < 1e-8, "{}", found.gradient_max);
    for (ours, theirs) in found.weights.iter().zip(floats(&optimum["coef"])) {
        assert!((ours - theirs).abs() < 1e-8, "{ours} and {theirs}");
    }

    // Rows of a capture that is not here, by their features.
    let rows = golden["test_rows"]["features"].as_array().unwrap();
    let probabilities = floats(&golden["test_rows"]["p_optimum"]);
    assert_eq!(rows.len(), 20);
    for (row, theirs) in rows.iter().map(floats).zip(probabilities) {
        let scaled =
            row.iter().zip(&scaler.mean).zip(&scaler.scale).map(|((value, mean), scale)| (value - mean) / scale);
        let logit: f64 =
            found.intercept + scaled.zip(&found.weights).map(|(value, weight)| value * weight).sum::<f64>();
        assert!((probability(logit) - theirs).abs() < 1e-8, "{} and {theirs}", probability(logit));
    }
}

/// The engine that trades, with what it infers.
struct Watched {
    engine: Engine,
    observations: Consumer<Observation>,
    seen: Vec<(u64, f64)>,
}

impl Publish for Watched {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.engine.publish(head, levels)?;
        while let Ok(frame) = self.observations.pop() {
            self.seen.extend(frame.evaluation.map(|evaluation| (frame.venue_sequence_num, evaluation.logit)));
        }
        Ok(())
    }
}

fn one_feature(feature: Feature) -> Model {
    let file = ModelFile {
        features: vec![feature.to_string()],
        intercept: 0.0,
        coefficients: vec![1.0],
        mean: None,
        scale: None,
        horizon_updates: None,
        threshold: None,
        provenance: None,
    };
    Model::from_file("one.json".as_ref(), &file).unwrap()
}

/// The venue's sequence number and the logit of each evaluation.
fn seen_by_the_engine(capture: &Path, model: Model) -> Vec<(u64, f64)> {
    let settings = SimulatorSettings { threshold_logit: f64::INFINITY, lag_updates: 1, buy_amount: 1.0 };
    let (recorder, _tables) = recorder(papertrader::clock::Clock::new(), Duration::MAX);
    let (trades, _trades) = RingBuffer::new(8);
    let (observations, observations_out) = RingBuffer::new(8);
    let outputs = Outputs { trades, observations: Some(observations), rows: None };
    let engine = Engine::new(model, settings, recorder, outputs, Arc::new(Status::default()));
    let mut watched = Watched { engine, observations: observations_out, seen: Vec::new() };
    let replay = Replay::open(capture, None, ScaleRule::default(), papertrader::clock::Speed::Max).unwrap();
    let outcome = replay.run(&mut watched, &Status::default());
    assert!(outcome.error.is_none());
    watched.seen
}

/// Header and cells of a table that `features` wrote.
fn csv_table(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(Into::into).collect();
    (header, reader.records().map(|record| record.unwrap().iter().map(Into::into).collect()).collect())
}

#[test]
fn exported_features_are_what_the_engine_computes_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let mut captures = vec![synthetic(&folder, "a.l2.zst", 3, 3_000)];
    captures.extend(shared_data().map(|data| data.join("captures/btc-spot-a.l2.gz")));
    for (number, capture) in captures.iter().enumerate() {
        let table = folder.path().join(format!("{number}.csv"));
        // The longest history decides which frames have a row: each feature alone has more of them.
        let list = "bid_minus_ask,bid_size_3,ask_price_1,ln_ask_size_5,imbalance_1,imbalance_10,bid_vwap_10,ln_ask_vwap_10,\
                    microprice_minus_mid,spread_ticks,mid_return_20,ofi_5_20,updates_since_mid_change,seconds_since_update";
        succeed(papertrader().arg("features").arg(capture).args(["--features", list, "-o"]).arg(&table));
        let (header, cells) = csv_table(&table);
        assert!(cells.len() > 2_000);
        for feature in parse_features(list).unwrap() {
            let column = header.iter().position(|name| *name == feature.to_string()).unwrap();
            let seen = seen_by_the_engine(capture, one_feature(feature));
            let mut seen = seen.iter().skip_while(|(number, _)| number.to_string() != cells[0][2]);
            for row in &cells {
                let (number, value) = seen.next().unwrap();
                assert_eq!(number.to_string(), row[2]);
                let exported: f64 = row[column].parse().unwrap();
                // The dot product's sums turn a negative zero into a positive one.
                assert_eq!((exported + 0.0).to_bits(), value.to_bits(), "{feature} at {number}");
            }
            assert_eq!(seen.next(), None);
        }
    }
}

#[test]
fn both_formats_hold_the_same_rows() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 3, 2_000);
    let [csv, parquet] = ["t.csv", "t.parquet"].map(|name| folder.path().join(name));
    for table in [&csv, &parquet] {
        succeed(papertrader().arg("features").arg(&capture).args(["--every", "3", "-o"]).arg(table));
    }
    let (header, cells) = csv_table(&csv);
    assert_eq!(header.len(), 7 + 28 + 2);
    let reader = SerializedFileReader::new(fs::File::open(&parquet).unwrap()).unwrap();
    let mut rows = reader.get_row_iter(None).unwrap();
    for cells in &cells {
        let row = rows.next().unwrap().unwrap();
        for ((name, field), cell) in row.get_column_iter().zip(cells) {
            let same = match field {
                Field::Null => cell.is_empty(),
                Field::Str(text) => text == cell,
                Field::Int(number) => number.to_string() == *cell,
                Field::Long(number) => number.to_string() == *cell,
                Field::Double(number) => cell.parse::<f64>().unwrap().to_bits() == number.to_bits(),
                other => panic!("{other:?}"),
            };
            assert!(same, "{name}: {field} and {cell}");
        }
    }
    assert!(rows.next().is_none());
    // Every third of the frames 0 to 1999, the last without a label.
    assert_eq!(cells.len(), 667);
    assert_eq!(cells.iter().filter(|row| row.last().unwrap().is_empty()).count(), 7);
    assert!(cells[660..661].iter().all(|row| row[1] == "1980" && row.last().unwrap().is_empty()));
}

#[test]
fn rows_of_a_truncated_capture_are_those_of_the_whole_up_to_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "whole.l2", 5, 2_000);
    let text = fs::read_to_string(&capture).unwrap();
    let cut = folder.path().join("cut.l2");
    let lines: Vec<&str> = text.lines().take(1_234).collect();
    fs::write(&cut, lines.join("\n") + "\n").unwrap();
    let table = |capture: &Path| {
        let table = capture.with_extension("csv");
        succeed(papertrader().arg("features").arg(capture).args(["--features", "all", "-o"]).arg(&table));
        csv_table(&table).1
    };
    let (whole, cut) = (table(&capture), table(&cut));
    // 100 updates of history, then every frame.
    assert_eq!((whole.len(), cut.len()), (1_900, 1_134));
    for (at, (whole, cut)) in whole.iter().zip(&cut).enumerate() {
        // The first column is the file; a label needs the 20 frames after its row.
        let features = whole.len() - 2;
        assert_eq!(whole[1..features], cut[1..features], "{at}");
        if at < 1_114 {
            assert_eq!(whole[features..], cut[features..], "{at}");
        } else {
            assert_eq!(cut[features..], ["", ""], "{at}");
        }
    }
}

/// The area under the curve of `imbalance_1` when its rows are shifted by some frames against the labels.
fn shifted_auc(cells: &[Vec<String>], column: usize, shift: isize) -> f64 {
    let (mut scores, mut signs) = (Vec::new(), Vec::new());
    for (at, row) in cells.iter().enumerate() {
        let from = at.checked_add_signed(shift).and_then(|from| cells.get(from));
        let (Some(from), Ok(sign)) = (from, row.last().unwrap().parse::<i8>()) else { continue };
        scores.push(from[column].parse::<f64>().unwrap());
        signs.push(sign);
    }
    let weight = |row: usize| -> Weight { Ties::Drop.weight(signs[row]) };
    Ranking::new(&scores, &signs, Ties::Drop).auc(weight)
}

/// Features of a later frame know more of the future, features of an earlier one less. If the pipeline took features from
/// the wrong frame, its own figure would equal one of the shifted.
#[test]
fn features_neither_look_ahead_nor_lag() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 11, 12_000);
    let table = folder.path().join("t.csv");
    succeed(papertrader().arg("features").arg(&capture).args(["--features", "imbalance_1", "-o"]).arg(&table));
    let (_, cells) = csv_table(&table);
    let column = 7;
    let [lagging, exact, leaking] = [-1, 0, 1].map(|shift| shifted_auc(&cells, column, shift));
    assert!(lagging < exact && exact < leaking, "{lagging} {exact} {leaking}");

    // What `evaluate` finds for a model of that one feature is the exact one.
    let model = folder.path().join("imbalance.json");
    fs::write(&model, r#"{"features":["imbalance_1"],"intercept":0,"coefficients":[1],"horizon_updates":20}"#).unwrap();
    let stem = folder.path().join("e");
    succeed(papertrader().arg("evaluate").arg(&capture).arg("--model").arg(&model).arg("--report").arg(&stem));
    let report: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("e.report.json")).unwrap()).unwrap();
    let metric = &report["test"]["contestants"][0]["metrics"][0];
    assert_eq!(metric["metric"], "auc");
    let evaluated = metric["value"].as_f64().unwrap();
    assert!((evaluated - exact).abs() < 1e-12, "{evaluated} and {exact}");
    assert!((evaluated - lagging).abs() > 1e-6 && (evaluated - leaking).abs() > 1e-6);
}

#[test]
fn a_trained_model_replays_and_its_plain_form_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2.gz", 7, 6_000);
    let (json, txt) = (folder.path().join("m.json"), folder.path().join("m.txt"));
    let train = |threads: &str, memory: &str| {
        let out = succeed(
            papertrader()
                .arg("train")
                .arg(&capture)
                .args(["--threads", threads, "--memory", memory, "--resamples", "100", "--force", "-o"])
                .arg(&json)
                .arg("--txt")
                .arg(&txt),
        );
        (out, fs::read_to_string(&json).unwrap())
    };
    let (report, model) = train("1", "1024");
    assert!(report.contains("hit rate, all rows") && report.contains("break-even fee per side"));
    // Neither threads nor the cache on disk change a byte.
    assert_eq!(train("2", "0"), (report, model));
    let (json, txt) = (Model::read(&json).unwrap(), Model::read(&txt).unwrap());
    assert_eq!((json.intercept, &json.coefficients), (txt.intercept, &txt.coefficients));
    assert_eq!(json.features, txt.features);
    assert_eq!((json.horizon_updates, json.threshold), (Some(20), Some(0.6)));
    let page = fs::read_to_string(folder.path().join("m.report.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>") && page.contains("<svg"));
}

#[test]
fn the_penalty_is_chosen_by_cross_validation() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 6_000);
    let model = folder.path().join("m.json");
    for ties in ["drop", "down", "three"] {
        let report = succeed(
            papertrader()
                .arg("train")
                .arg(&capture)
                .args(["--cv", "--ties", ties, "--features", "imbalance_1,spread_ticks,ofi_1_20"])
                .args(["--resamples", "100", "--force", "-o"])
                .arg(&model),
        );
        assert!(report.contains("by cross-validation"), "{report}");
        let file: Value = serde_json::from_str(&fs::read_to_string(&model).unwrap()).unwrap();
        let tried = file["provenance"]["cross_validation"].as_array().unwrap();
        assert_eq!(tried.len(), 9);
        let losses: Vec<f64> = tried.iter().map(|tried| tried["log_loss"].as_f64().unwrap()).collect();
        let best = losses.iter().position(|loss| losses.iter().all(|other| loss <= other)).unwrap();
        assert_eq!(file["provenance"]["c"], tried[best]["c"]);
    }
}

/// A capture of a made-up market: a frame per pair of best sizes and bid price in ticks, the spread one tick.
fn made_up(
    folder: &TempDir,
    name: &str,
    start_ns: i64,
    frames: impl Iterator<Item = (u32, u32)>,
    product: &str,
) -> PathBuf {
    let mut text = String::new();
    for (number, (bid_ticks, size)) in frames.enumerate() {
        let level = |side: &str, ticks: u32, size: u32| {
            format!(
                r#"{{"side":"{side}","event_time":"1970-01-01T00:00:00Z","price_level":"{}.{:02}","new_quantity":"{size}"}}"#,
                ticks / 100,
                ticks % 100
            )
        };
        text.push_str(&format!(
            concat!(
                r#"{} {{"channel":"l2_data","client_id":"","timestamp":"2024-08-08T23:54:16Z","sequence_num":{},"#,
                r#""events":[{{"type":"snapshot","product_id":"{}","updates":[{},{}]}}]}}"#,
                "\n"
            ),
            start_ns + number as i64 * 10_000_000,
            number,
            product,
            level("bid", bid_ticks, size),
            level("offer", bid_ticks + 1, 5)
        ));
    }
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Updates rather than snapshots after the first frame: what `made_up` makes, with a market that moves.
fn moving(
    folder: &TempDir,
    name: &str,
    start_ns: i64,
    prices: impl Iterator<Item = (u32, u32)>,
    product: &str,
) -> PathBuf {
    let path = made_up(folder, name, start_ns, prices, product);
    let text = fs::read_to_string(&path).unwrap();
    let mut previous: Option<(String, String)> = None;
    let mut out = String::new();
    for line in text.lines() {
        let prices: Vec<&str> = line
            .match_indices("price_level\":\"")
            .map(|(at, key)| line[at + key.len()..].split('"').next().unwrap())
            .collect();
        let (bid, ask) = (prices[0].to_owned(), prices[1].to_owned());
        match previous.replace((bid.clone(), ask.clone())) {
            None => out.push_str(line),
            Some((old_bid, old_ask)) => {
                let mut removed = String::new();
                let mut remove = |side: &str, price: &str| {
                    removed.push_str(&format!(r#"{{"side":"{side}","price_level":"{price}","new_quantity":"0"}},"#));
                };
                if old_bid != bid {
                    remove("bid", &old_bid);
                    remove("offer", &old_ask);
                }
                let line = line.replace(r#""type":"snapshot""#, r#""type":"update""#);
                out.push_str(&line.replace(r#""updates":["#, &format!(r#""updates":[{removed}"#)));
            }
        }
        out.push('\n');
    }
    fs::write(&path, out).unwrap();
    path
}

/// The features that a market of one level a side has.
const THIN_FEATURES: [&str; 2] = ["--features", "imbalance_1,bid_size_1"];

#[test]
fn bad_input_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("m.json");
    let train = |captures: &[&PathBuf], more: &[&str]| {
        let (code, message) =
            fail(papertrader().arg("train").args(captures).arg("-o").arg(&out).args(["--resamples", "100"]).args(more));
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(!out.exists());
        (code, message)
    };
    let jumping = |number: u32| (10_000 + number / 7 % 3, 1 + number % 5);
    let good = moving(&folder, "good.l2", 0, (0..2_000).map(jumping), "A-USD");

    let short = moving(&folder, "short.l2", 0, (0..90).map(jumping), "A-USD");
    let (code, message) = train(&[&short], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert!(message.starts_with("error: too few rows: ") && message.ends_with("; 100 are needed"), "{message}");

    let rising = moving(&folder, "rising.l2", 0, (0..2_000).map(|number| (10_000 + number, 1 + number % 5)), "A-USD");
    let (code, message) = train(&[&rising], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert!(message.starts_with("error: one class only: the mid goes up after every one of the "), "{message}");

    let (code, message) = train(&[&good], &["--features", "ask_size_1"]);
    assert_eq!(code, 2);
    assert!(message.starts_with("error: every feature is constant over the "), "{message}");

    // A side with too few levels gives no row, and all of them none at all.
    let (code, message) = train(&[&good], &[]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        "error: no frame has features: of 2000 frames 2000 left the book live, 2000 of these with fewer levels than the \
         features look at and 0 with fewer updates than they look back on"
    );

    let other = moving(&folder, "other.l2", 1 << 40, (0..200).map(jumping), "B-USD");
    let (code, message) = train(&[&good, &other], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        format!(
            "error: the captures are of different products: {} holds A-USD, {} does not; name the product with --product, or \
             leave that capture out",
            good.display(),
            other.display()
        )
    );

    let coarse = moving(&folder, "coarse.l2", 1 << 40, (0..200).map(|n| (10_000 + 10 * (n / 7 % 3), 1)), "A-USD");
    let text = fs::read_to_string(&coarse).unwrap().replace("100.01", "100.10").replace("100.11", "100.20");
    fs::write(&coarse, text.replace("100.21", "100.30")).unwrap();
    let (code, message) = train(&[&good, &coarse], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        format!(
            "error: the captures have different ticks: {} has 2 decimals in its prices, {} has 1; give the product's \
             --tick-size if they are of one market",
            good.display(),
            coarse.display()
        )
    );

    let (code, message) = train(&[&good], &["--features", "imbalance_1", "--horizon", "2000"]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        "error: the horizon of 2000 updates is longer than the captures: the longest stretch with a live book has 2000 frames"
    );

    let overlapping = moving(&folder, "overlapping.l2", 19_000_000_000, (0..2_000).map(jumping), "A-USD");
    let test = overlapping.display().to_string();
    let (code, message) = train(&[&good], &["--features", "imbalance_1", "--test", &test]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        format!(
            "error: the test capture {test} overlaps the training capture {} in time: the model would be tested on what it \
             has seen; give --allow-overlap if that is meant",
            good.display()
        )
    );
    let (code, message) = train(&[&good, &overlapping], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert!(message.contains(" overlap in time, so that the same rows would count twice"), "{message}");

    // Told, it goes.
    let told = ["--test", &test, "--allow-overlap", "--features", "imbalance_1,ask_size_1", "--resamples", "100"];
    let report = succeed(papertrader().arg("train").arg(&good).args(told).arg("-o").arg(&out));
    assert!(report.contains("test part"), "{report}");
    let warnings: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("m.report.json")).unwrap()).unwrap();
    let warnings = warnings["warnings"].as_array().unwrap();
    let constant = "feature ask_size_1 is constant in the training part; its weight is 0";
    assert!(warnings.iter().any(|warning| warning == constant), "{warnings:?}");

    let before = fs::read(&out).unwrap();
    let (code, message) = fail(papertrader().arg("train").arg(&good).args(THIN_FEATURES).arg("-o").arg(&out));
    assert_eq!((code, message), (2, format!("error: {} exists; give --force to replace it", out.display())));
    assert_eq!(fs::read(&out).unwrap(), before);
    for (name, ends) in [("t.txt", "the name must end in .csv or .parquet"), ("t.csv", "")] {
        let table = folder.path().join(name);
        let mut features = papertrader();
        features.arg("features").arg(&good).args(THIN_FEATURES).arg("-o").arg(&table);
        if ends.is_empty() {
            succeed(&mut features);
            let (code, message) = fail(&mut features);
            assert_eq!((code, message), (2, format!("error: {} exists; give --force to replace it", table.display())));
        } else {
            let (code, message) = fail(&mut features);
            assert!(code == 2 && message.ends_with(ends), "{message}");
        }
    }
    let stray: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"))
        .collect();
    assert!(stray.is_empty(), "{stray:?}");
}

/// Ctrl-C in the middle of an export leaves neither half a table nor a file beside it.
#[cfg(unix)]
#[test]
fn an_interrupt_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 3, 40_000);
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut features = papertrader();
    features.arg("features").arg(&capture).args(["--features", "all", "-o"]).arg(out.join("t.csv"));
    let running = features.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let written =
        || fs::read_dir(&out).unwrap().filter_map(|entry| entry.unwrap().metadata().ok()).map(|file| file.len());
    while written().sum::<u64>() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(String::from_utf8(ended.stderr).unwrap().trim_end(), "error: interrupted; nothing was written");
    assert_eq!(written().count(), 0);
}

/// A gap in the sequence makes the book unreliable; no label reaches across.
#[test]
fn no_label_reaches_across_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let whole = moving(&folder, "whole.l2", 0, (0..400).map(|n| (10_000 + n / 7 % 3, 1 + n % 5)), "A-USD");
    let text = fs::read_to_string(&whole).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let holed = folder.path().join("holed.l2");
    // After frame 200 one is lost; frame 250 is a snapshot.
    let snapshot =
        fs::read_to_string(made_up(&folder, "s.l2", 0, (0..400).map(|n| (10_000 + n / 7 % 3, 1 + n % 5)), "A-USD"));
    let snapshot = snapshot.unwrap().lines().nth(250).unwrap().to_owned();
    let kept: Vec<&str> =
        (0..400).filter(|&at| at != 201).map(|at| if at == 250 { snapshot.as_str() } else { lines[at] }).collect();
    fs::write(&holed, kept.join("\n") + "\n").unwrap();
    let table = folder.path().join("t.csv");
    let mut features = papertrader();
    features.arg("features").arg(&holed).args(["--features", "imbalance_1", "-o"]).arg(&table);
    succeed(&mut features);
    let (_, cells) = csv_table(&table);
    // Frames 0 to 200, then 250 to 399; of both stretches the last 20 have no label.
    assert_eq!(cells.len(), 201 + 150);
    let unlabelled: Vec<&str> =
        cells.iter().filter(|row| row.last().unwrap().is_empty()).map(|row| row[2].as_str()).collect();
    let expected: Vec<String> = (181..201).chain(380..400).map(|number: u32| number.to_string()).collect();
    assert_eq!(unlabelled, expected);

    // What comes before the first snapshot is not counted, as in the simulation.
    let late = folder.path().join("late.l2");
    fs::write(&late, kept[240..].join("\n") + "\n").unwrap();
    succeed(papertrader().arg("features").arg(&late).args(["--features", "imbalance_1", "--force", "-o"]).arg(&table));
    let (_, cells) = csv_table(&table);
    // The tenth line is the snapshot, number 250 of the venue.
    assert_eq!((cells.len(), &cells[0][1][..], &cells[0][2][..]), (150, "0", "250"));
}

#[test]
fn several_models_are_compared_resample_by_resample() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 12_000);
    let model = |name: &str, coefficient: f64| {
        let path = folder.path().join(name);
        let text = format!(r#"{{"features":["imbalance_1"],"intercept":0,"coefficients":[{coefficient}]}}"#);
        fs::write(&path, text).unwrap();
        path
    };
    let (good, bad) = (model("good.json", 1.5), model("bad.json", -1.5));
    let stem = folder.path().join("e");
    let report = succeed(
        papertrader()
            .arg("evaluate")
            .arg(&capture)
            .arg("--model")
            .arg(&good)
            .arg("--model")
            .arg(&bad)
            .args(["--resamples", "200", "--report"])
            .arg(&stem),
    );
    assert!(report.contains("good minus bad:"), "{report}");
    let json: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("e.report.json")).unwrap()).unwrap();
    let difference = &json["test"]["differences"][0];
    assert_eq!((&difference["of"], &difference["minus"]), (&"good".into(), &"bad".into()));
    let auc = &difference["metrics"][0];
    let contestants = json["test"]["contestants"].as_array().unwrap();
    let of = |at: usize| contestants[at]["metrics"][0]["value"].as_f64().unwrap();
    assert!((auc["value"].as_f64().unwrap() - (of(0) - of(1))).abs() < 1e-12);
    assert!((of(0) + of(1) - 1.0).abs() < 1e-12);
    assert!(auc["interval"]["low"].as_f64().unwrap() > 0.0);

    let differing = folder.path().join("other.json");
    fs::write(&differing, r#"{"features":["mid"],"intercept":0,"coefficients":[1],"horizon_updates":5}"#).unwrap();
    let third = folder.path().join("third.json");
    fs::write(&third, r#"{"features":["mid"],"intercept":0,"coefficients":[1],"horizon_updates":6}"#).unwrap();
    let mut evaluate = papertrader();
    evaluate.arg("evaluate").arg(&capture).arg("--model").arg(&differing).arg("--model").arg(&third);
    let (code, message) = fail(&mut evaluate);
    assert_eq!(code, 2);
    assert!(
        message.starts_with("error: the models differ in their horizon: ") && message.ends_with("give --horizon"),
        "{message}"
    );
}

/// The AUC that `evaluate` gives the original's model is that of the logits by which the engine trades, in order.
#[test]
fn evaluation_agrees_with_the_engine() {
    let Some(data) = shared_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let capture = data.join("captures/btc-perp-a.l2.gz");
    let stem = folder.path().join("e");
    succeed(
        papertrader()
            .arg("evaluate")
            .arg(&capture)
            .arg("--model")
            .arg(data.join("models/20_update_log_classifier.txt"))
            .args(["--resamples", "100", "--report"])
            .arg(&stem),
    );
    let json: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("e.report.json")).unwrap()).unwrap();
    let evaluated = json["test"]["contestants"][0]["metrics"][0]["value"].as_f64().unwrap();
    let model = Model::read(&data.join("models/20_update_log_classifier.txt")).unwrap();
    let seen = seen_by_the_engine(&capture, model);
    let Rows { table, .. } = rows(&[capture], &[Feature::Mid], 20);
    let signs: Vec<i8> = table.keys().iter().map(|key| key.sign).collect();
    let scores: Vec<f64> = table.keys().iter().map(|key| seen[key.sequence as usize].1).collect();
    let auc = Ranking::new(&scores, &signs, Ties::Drop).auc(|row| Ties::Drop.weight(signs[row]));
    assert!((evaluated - auc).abs() < 1e-12, "{evaluated} and {auc}");
}
