//! `papertrader train`: captures to a model, with a report that says how far to trust it.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command, commands};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 2,000 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! std::env::set_current_dir(&folder)?;
//! synthetic::capture(folder.path(), 2_000)?;
//! let arguments = [
//!     "papertrader", "train", "market.txt", "--output", "model.json",
//!     "--features", "imbalance_1,spread_ticks", "--resamples", "100",
//! ];
//! let Command::Train(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! commands::train::run(&args, &mut Printer::stdout()).expect("the capture is whole");
//! assert!(std::fs::read_to_string("model.json")?.contains("spread_ticks"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::failure::Failure;
use crate::base::output::{check_free, write_file};
use crate::base::places::check_apart;
use crate::cli::arguments::{FigureArgs, FigureFiles, LAG_UPDATES, LabelArgs, SourceArgs, THRESHOLD, parse_threshold};
use crate::cli::display::bar;
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::report::in_sample::in_sample;
use crate::research::feature_list::parse_features;
use crate::research::report::{FitReport, Report};
use crate::research::scoring::{By, Contestant, Rules, score_telling};
use crate::research::source::{Source, Watch, broken, without_prints};
use crate::research::training::{Regression, SELECTION_STEPS, TrainError, TrainSettings, Trained, train};
use crate::statistics::drift::TrainingDistribution;
use crate::statistics::labels::Ties;
use crate::strategy::features::{Input, SEED};
use crate::strategy::model::{Model, ModelFile};
use crate::strategy::trained_on::TrainedOn;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `papertrader train`.
#[derive(Clone, Debug, Args)]
pub struct TrainArgs {
    /// Recorded markets of one product, plain, .gz or .zst
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Model to write (.json); the report goes beside it as .report.json and .report.html
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Write the model as plain text too: intercept, then the coefficients of the seed features, scaler folded in
    #[arg(long, value_name = "FILE")]
    pub txt: Option<PathBuf>,
    /// Features separated by commas: seed (the original's 28), all (of the book), tape (of the prints), names, NAME = EXPRESSION;
    /// or @FILE, one a line
    #[arg(long, value_name = "LIST", default_value = "seed")]
    pub features: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub label: LabelArgs,
    /// Leave out so many rows behind each block of the cross-validation, besides those that its labels reach
    #[arg(long, value_name = "ROWS", default_value_t = 0, requires = "cv")]
    pub embargo: usize,
    /// Inverse strength of the L2 penalty, as in scikit-learn
    #[arg(long, default_value_t = 1.0, value_parser = parse_c)]
    pub c: f64,
    /// Choose C by blocked cross-validation inside the training part
    #[arg(long, conflicts_with = "c")]
    pub cv: bool,
    /// What becomes of rows after which the mid is the same
    #[arg(long, value_enum, default_value_t)]
    pub ties: Ties,
    /// The probability from which to buy, written into the model and used in the report
    #[arg(long, value_name = "P", default_value_t = THRESHOLD, value_parser = parse_threshold)]
    pub threshold: f64,
    /// Share of the rows, the last in time, to test on
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, value_parser = parse_share, conflicts_with = "test")]
    pub test_share: f64,
    /// Captures to test on, instead of the last share of the rows
    #[arg(long, value_name = "CAPTURE", num_args = 1..)]
    pub test: Vec<PathBuf>,
    /// Let captures to test on overlap those trained on in time
    #[arg(long)]
    pub allow_overlap: bool,
    /// Megabytes of rows to keep in memory; what is beyond goes to a temporary file
    #[arg(long, value_name = "MB", default_value_t = 1024)]
    pub memory: usize,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: SourceArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub report: FigureArgs,
}

fn parse_c(text: &str) -> Result<f64, String> {
    let c = text.parse().ok().filter(|c: &f64| (1e-12..=1e12).contains(c));
    c.ok_or_else(|| "C lies between 1e-12 and 1e12".into())
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "a share lies between 0 and 1, both excluded".into())
}

/// Trains, tests once, writes the model and the report.
///
/// # Errors
/// Bad arguments, bad captures, or files that cannot be written.
pub fn run(args: &TrainArgs, printer: &mut Printer) -> Result<(), Failure> {
    if args.output.extension().is_none_or(|extension| extension != "json") {
        return Err(Failure::input(format!(
            "{}: the name of a model to write must end in .json",
            args.output.display()
        )));
    }
    let features = parse_features(&args.features).map_err(Failure::input)?;
    let files = outputs(args, &features)?;
    let source = args.source.open(&args.captures)?;
    let interrupt = Interrupt::watch()?;
    let stop = || interrupt.is_set();
    let scored =
        if args.test.is_empty() { source.clone() } else { source.with_more(&args.test, args.allow_overlap)? };

    let settings = TrainSettings {
        features,
        label: args.label.rule(LAG_UPDATES),
        embargo: args.embargo,
        ties: args.ties,
        c: (!args.cv).then_some(args.c),
        test_share: if args.test.is_empty() { args.test_share } else { 0.0 },
        memory_bytes: args.memory.saturating_mul(1 << 20),
        threads: args.report.threads(),
    };
    let trained = fitted(&source, &settings, &stop)?;
    let (report, distribution) = tested(args, &trained, &scored, settings.threads, &stop)?;
    if stop() {
        return Err(Failure::running("interrupted; nothing was written"));
    }
    write_model(args, &trained, &report, &settings, distribution)?;
    args.report.publish(&report, Some(&files), printer)
}

/// Where the report goes, once it is known that everything may be written.
fn outputs(args: &TrainArgs, features: &[Input]) -> Result<FigureFiles, Failure> {
    let force = args.report.force;
    let files = FigureFiles::beside(&args.output.with_extension(""));
    let outputs = [&args.output, &files.json, &files.html].into_iter().chain(&args.txt);
    let inputs = [args.source.inputs(&args.captures)?, args.source.inputs(&args.test)?].concat();
    check_apart(outputs, &inputs).map_err(Failure::input)?;
    if let Some(txt) = &args.txt {
        if features != SEED {
            return Err(Failure::input("--txt holds a model of the seed features only; leave out --features or --txt"));
        }
        check_free(txt, force).map_err(Failure::input)?;
    }
    check_free(&args.output, force).map_err(Failure::input)?;
    files.check_free(force)?;
    Ok(files)
}

/// Trains, with a bar for reading and one for cross-validation.
fn fitted(source: &Source, settings: &TrainSettings, stop: &(dyn Fn() -> bool + Sync)) -> Result<Trained, Failure> {
    let reading = bar(source.bytes(), "features");
    let selecting = bar(SELECTION_STEPS, "cross-validation");
    let trained = train(source, settings, &Watch { bar: &reading, stop }, || {
        reading.finish_and_clear();
        selecting.inc(1);
    })?;
    reading.finish_and_clear();
    selecting.finish_and_clear();
    Ok(trained)
}

/// Scores the model and the baselines on both parts, and looks what features and score are like over the first.
fn tested(
    args: &TrainArgs,
    trained: &Trained,
    scored: &Source,
    threads: usize,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Report, TrainingDistribution), Failure> {
    let rules = Rules {
        label: args.label.rule(LAG_UPDATES),
        horizon: args.label.holding_updates().unwrap_or(LAG_UPDATES),
        ties: args.ties,
        threshold: args.threshold,
        buy_amount: args.report.buy_amount,
        bootstrap: args.report.bootstrap(),
        threads,
    };
    let contestants = [
        contestant("model", &args.output, &trained.model, &rules)?,
        Contestant { name: "base rate".into(), by: By::Constant(trained.base_rate) },
        contestant("imbalance_1", &args.output, &trained.baseline, &rules)?,
    ];
    let scoring = bar(scored.bytes(), "test");
    let watch = Watch { bar: &scoring, stop };
    let part_of = |capture, sequence, until| trained.cut.part_of(capture, sequence, until);
    let is_trained_on = |(capture, sequence, until)| part_of(capture, sequence, until) == Some(0);
    let By::Model(model) = &contestants[0].by else { unreachable!("the first is the model") };
    let (mut profile, features) = (trained.sample.profile(is_trained_on, model), model.features.len());
    let mut told = |part: usize, logits: &[f64], values: &[f64]| {
        if part == 0 {
            profile.add(logits[0], values[..features].iter().copied());
        }
    };
    let (parts, captures) = score_telling(scored, &contestants, &rules, 2, &part_of, &watch, &mut told)?;
    scoring.finish_and_clear();
    if let Some(none) = without_prints(&trained.model.features, &captures) {
        return Err(TrainError::NoPrints(none).into());
    }
    let [training, test] = &parts[..] else { unreachable!("two parts were asked for") };
    if test.rows() == 0 {
        return Err(Failure::input(format!(
            "the test part has no labelled row; give a larger --test-share or other captures{}",
            broken(&captures)
        )));
    }
    let means = test.feature_means(&contestants, 0);
    let training = training.report(&contestants, &rules);
    let test = test.report(&contestants, &rules);
    let report = Report {
        headline: seen_before(args, trained, scored.product(), training.span_ns, test.span_ns).into_iter().collect(),
        title: format!("training of {}", args.output.display()),
        program_version: env!("CARGO_PKG_VERSION"),
        product: scored.product().into(),
        captures,
        rules: (&rules).into(),
        fit: Some(FitReport::new(trained, &means)),
        training: Some(training),
        test,
        baselines: "fitted to the training part, as the model",
        warnings: Vec::new(),
    };
    Ok((report.warn(), profile.finish()))
}

/// Whether captures that were allowed to overlap do.
fn seen_before(
    args: &TrainArgs,
    trained: &Trained,
    product: &str,
    training_ns: (i64, i64),
    test_ns: (i64, i64),
) -> Option<String> {
    let trained_on = TrainedOn::of(&json!({
        "product": product, "captures": trained.facts, "training": { "span_ns": training_ns },
    }));
    args.allow_overlap.then(|| in_sample("the model", &trained_on, product, &[test_ns], Vec::new)).flatten()
}

fn write_model(
    args: &TrainArgs,
    trained: &Trained,
    report: &Report,
    settings: &TrainSettings,
    distribution: TrainingDistribution,
) -> Result<(), Failure> {
    let force = args.report.force;
    let horizon = args.label.holding_updates().unwrap_or(LAG_UPDATES);
    let file = ModelFile {
        label: Some(settings.label.to_string()),
        ties: Some(settings.ties),
        training_distribution: Some(distribution),
        ..trained.model.to_file(horizon, args.threshold, Some(provenance(trained, report, settings)))
    };
    let mut text = serde_json::to_string_pretty(&file).map_err(Failure::running)?;
    text.push('\n');
    write_file(&args.output, force, &text).map_err(Failure::running)?;
    match &args.txt {
        Some(txt) => write_file(txt, force, &plain(&file, &args.output)?).map_err(Failure::running),
        None => Ok(()),
    }
}

fn contestant(name: &str, path: &Path, regression: &Regression, rules: &Rules) -> Result<Contestant, Failure> {
    let file = regression.to_file(rules.horizon, rules.threshold, None);
    let model = Model::from_file(path, &file).map_err(Failure::running)?;
    Ok(Contestant { name: name.into(), by: By::Model(Box::new(model)) })
}

/// One number a line: the intercept, then the coefficients, scaler folded in.
fn plain(file: &ModelFile, path: &Path) -> Result<String, Failure> {
    let model = Model::from_file(path, file).map_err(Failure::running)?;
    let linear = model.linear().expect("what is trained is linear");
    let mut text = format!("{}\n", linear.intercept);
    linear.coefficients.iter().for_each(|coefficient| text.push_str(&format!("{coefficient}\n")));
    Ok(text)
}

/// Everything that is needed to check a model.
fn provenance(trained: &Trained, report: &Report, settings: &TrainSettings) -> serde_json::Value {
    let test = &report.test;
    json!({
        "program": format!("papertrader {}", report.program_version),
        "date": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        "product": report.product,
        "captures": trained.facts,
        "rows": trained.rows,
        "outcomes": trained.outcomes,
        "outcomes_of_all_rows": trained.all_outcomes,
        "ties": settings.ties,
        "c": trained.c,
        "cross_validation": trained.tried,
        "objective": trained.model.fit.objective,
        "gradient_max": trained.model.fit.gradient_max,
        "training": report.training.as_ref().map(|part| json!({ "rows": part.rows, "span_ns": part.span_ns })),
        "test": {
            "rows": test.rows, "ties": test.ties, "tie_share": test.tie_share, "span_ns": test.span_ns,
            "metrics": test.contestants[0].metrics, "rival": test.rival().map(|rival| (&rival.name, &rival.metrics)),
        },
        "features": report.fit.as_ref().map(|fit| &fit.features),
    })
}
