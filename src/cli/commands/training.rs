//! What `train` and `select` share: captures to a model, tested once, with its report.

use crate::base::failure::Failure;
use crate::base::output::{check_free, write_file};
use crate::base::places::check_apart;
use crate::cli::arguments::{
    FigureArgs, FigureFiles, ImportanceArgs, LAG_UPDATES, LabelArgs, SourceArgs, THRESHOLD, parse_share,
    parse_threshold,
};
use crate::cli::display::bar;
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::report::in_sample::in_sample;
use crate::research::calibrating::{CalibrationKind, calibrate};
use crate::research::feature_list::{file_of, parse_features};
use crate::research::folds::Scheme;
use crate::research::penalty::FOLDS;
use crate::research::regression::Regression;
use crate::research::report::{FitReport, Report};
use crate::research::scoring::{By, Contestant, Rules, ScoredRow, score_telling};
use crate::research::source::{Source, Watch, broken, without_prints};
use crate::research::training::{TrainError, TrainSettings, Trained, train};
use crate::research::validation_report::{CalibrationReport, ChoiceReport, TriedReport, ValidationReport};
use crate::statistics::drift::TrainingDistribution;
use crate::statistics::labels::Ties;
use crate::statistics::metrics::Metric;
use crate::strategy::attempts::{Attempt, Attempts};
use crate::strategy::features::{Input, SEED};
use crate::strategy::model::{Calibration, Model, ModelFile};
use crate::strategy::trained_on::TrainedOn;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of both.
#[derive(Clone, Debug, Args)]
pub struct TrainingArgs {
    /// Recorded markets of one product, plain, .gz or .zst
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Model to write (.json); the report goes beside it as .report.json and .report.html
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Features, or candidates to choose from, separated by commas: seed (the original's 28), all (of the book), tape (of the prints), names, NAME = EXPRESSION;
    /// or @FILE, one a line
    #[arg(long, value_name = "LIST", default_value = "seed")]
    pub features: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub label: LabelArgs,
    /// Judge the way to the model inside the training part too: kfold:K (purged), walk-forward:K (refits on all rows before) or
    /// rolling:K (refits on the block before) [default with --calibrate, and of select: kfold:5]
    #[arg(long, value_name = "SCHEME")]
    pub validate: Option<Scheme>,
    /// Leave out so many rows behind each block of a cross-validation or of --validate, besides those that its labels reach
    #[arg(long, value_name = "ROWS", default_value_t = 0)]
    pub embargo: usize,
    /// Calibrate the model on the validation's rows, by models of the same penalty that had not seen them
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "cv")]
    pub calibrate: Option<CalibrationKind>,
    /// Inverse strength of the L2 penalty, as in scikit-learn
    #[arg(long, default_value_t = 1.0, value_parser = parse_c)]
    pub c: f64,
    /// Choose C by blocked cross-validation inside the training part, and inside the rows of each fold
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
    /// A model that was tried before this one: what it says of models tested on the same rows is counted and kept, and it counts
    /// as one where it says nothing. What an --output that exists says is counted too
    #[arg(long, value_name = "MODEL")]
    pub after: Vec<PathBuf>,
    /// Megabytes of rows to keep in memory; what is beyond goes to a temporary file
    #[arg(long, value_name = "MB", default_value_t = 1024)]
    pub memory: usize,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub importance: ImportanceArgs,
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

/// What one of the commands asks for.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The common arguments.
    pub args: &'a TrainingArgs,
    /// The most features to choose; `None` to take all.
    pub choose: Option<usize>,
    /// Where the model goes as plain text too.
    pub txt: Option<&'a Path>,
}

impl Job<'_> {
    /// How the way to the model is judged, by default where something depends on it.
    fn validate(&self) -> Option<Scheme> {
        let needed = self.choose.is_some() || self.args.calibrate.is_some();
        self.args.validate.or(needed.then_some(Scheme::KFold(FOLDS as u32)))
    }
}

/// Trains, tests once, writes the model and the report.
///
/// # Errors
/// Bad arguments, bad captures, or files that cannot be written.
pub fn run(job: &Job<'_>, printer: &mut Printer) -> Result<(), Failure> {
    let args = job.args;
    if args.output.extension().is_none_or(|extension| extension != "json") {
        return Err(Failure::input(format!(
            "{}: the name of a model to write must end in .json",
            args.output.display()
        )));
    }
    let features = parse_features(&args.features).map_err(Failure::input)?;
    if args.embargo > 0 && !args.cv && job.validate().is_none() {
        return Err(Failure::input("--embargo needs --cv or --validate: nothing else leaves blocks out"));
    }
    let files = outputs(job, &features)?;
    let mut attempts = tried_before(args, &files)?;
    let source = args.source.open(&args.captures)?;
    let interrupt = Interrupt::watch()?;
    let stop = || interrupt.is_set();
    let scored =
        if args.test.is_empty() { source.clone() } else { source.with_more(&args.test, args.allow_overlap)? };

    let settings = TrainSettings {
        features,
        beside: Vec::new(),
        choose: job.choose,
        validate: job.validate(),
        label: args.label.rule(LAG_UPDATES),
        embargo: args.embargo,
        ties: args.ties,
        c: (!args.cv).then_some(args.c),
        test_share: if args.test.is_empty() { args.test_share } else { 0.0 },
        memory_bytes: args.memory.saturating_mul(1 << 20),
        threads: args.report.threads(),
    };
    let trained = fitted(&source, &settings, &stop)?;
    let rules = rules(args, settings.threads);
    let (validation, calibration) = match &trained.refits {
        None => (None, None),
        Some(refits) => {
            let judging = bar(source.bytes(), "validation");
            let judged = refits.judge(&source, trained.cut, &rules, &Watch { bar: &judging, stop: &stop })?;
            judging.finish_and_clear();
            let validation = ValidationReport::new(refits, &judged, &rules, args.embargo);
            let fitted = |kind| calibrate(kind, judged.whole.logits(0), judged.whole.signs(), args.ties);
            let calibration = args.calibrate.map(fitted).transpose().map_err(Failure::input)?;
            (Some(validation), calibration)
        }
    };
    let columns = trained.columns(&settings);
    let (report, distribution) =
        tested(job, (&trained, &columns), &scored, &rules, (validation, calibration.as_ref(), &mut attempts), &stop)?;
    if stop() {
        return Err(Failure::running("interrupted; nothing was written"));
    }
    write_model(job, &trained, &report, &settings, (calibration, attempts), distribution)?;
    args.report.publish(&report, Some(&files), printer)
}

/// What is known of models that were tried before.
fn tried_before(args: &TrainingArgs, files: &FigureFiles) -> Result<Attempts, Failure> {
    let mut attempts = Attempts::default();
    // What is replaced may be named too, but by nothing except the model that follows it.
    check_apart([&files.json, &files.html], &args.after).map_err(Failure::input)?;
    for path in &args.after {
        attempts.join(Model::read(path).map_err(Failure::input)?.attempts.or_itself());
    }
    // What is about to be replaced may be anything.
    if let Ok(model) = Model::read(&args.output) {
        attempts.join(model.attempts);
    }
    Ok(attempts)
}

/// Where the report goes, once it is known that everything may be written.
fn outputs(Job { args, txt, .. }: &Job<'_>, features: &[Input]) -> Result<FigureFiles, Failure> {
    let force = args.report.force;
    let files = FigureFiles::beside(&args.output.with_extension(""));
    let outputs = [&args.output, &files.json, &files.html].map(PathBuf::as_path).into_iter().chain(*txt);
    let captures = [args.source.inputs(&args.captures)?, args.source.inputs(&args.test)?].concat();
    let inputs = captures.iter().map(PathBuf::as_path).chain(file_of(&args.features));
    check_apart(outputs, inputs).map_err(Failure::input)?;
    check_apart(*txt, &args.after).map_err(Failure::input)?;
    if let Some(txt) = txt {
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
    let selecting = bar(settings.steps(), "cross-validation");
    let trained = train(source, settings, &Watch { bar: &reading, stop }, &|| {
        reading.finish_and_clear();
        selecting.inc(1);
    })?;
    reading.finish_and_clear();
    selecting.finish_and_clear();
    Ok(trained)
}

fn rules(args: &TrainingArgs, threads: usize) -> Rules {
    Rules {
        label: args.label.rule(LAG_UPDATES),
        horizon: args.label.holding_updates().unwrap_or(LAG_UPDATES),
        ties: args.ties,
        threshold: args.threshold,
        buy_amount: args.report.buy_amount,
        bootstrap: args.report.bootstrap(),
        threads,
    }
}

/// Scores the model, as it was before its calibration if it is calibrated, and the baselines on both parts.
fn tested(
    job: &Job<'_>,
    (trained, columns): (&Trained, &[usize]),
    scored: &Source,
    rules: &Rules,
    (validation, calibration, attempts): (Option<ValidationReport>, Option<&Calibration>, &mut Attempts),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Report, TrainingDistribution), Failure> {
    let args = job.args;
    let model = |name: &str, regression: &Regression, calibration: Option<&Calibration>| {
        let file =
            ModelFile { calibration: calibration.cloned(), ..regression.to_file(rules.horizon, rules.threshold, None) };
        let model = Model::from_file(&args.output, &file).map_err(Failure::running)?;
        Ok::<_, Failure>(Contestant { name: name.into(), by: By::Model(Box::new(model)) })
    };
    let mut contestants = vec![model("model", &trained.model, calibration)?];
    if calibration.is_some() {
        contestants.push(model("uncalibrated", &trained.model, None)?);
    }
    contestants.push(Contestant { name: "base rate".into(), by: By::Constant(trained.base_rate) });
    contestants.push(model("imbalance_1", &trained.baseline, None)?);
    let scoring = bar(scored.bytes(), "test");
    let watch = Watch { bar: &scoring, stop };
    let part_of = |capture, sequence, until| trained.cut.part_of(capture, sequence, until);
    let is_trained_on = |(capture, sequence, until)| part_of(capture, sequence, until) == Some(0);
    let By::Model(own) = &contestants[0].by else { unreachable!("the first is the model") };
    let mut profile = trained.sample.profile(is_trained_on, columns, own);
    let mut table = args.importance.table(own, args.memory);
    let mut told = |row: &ScoredRow<'_>| {
        let features = &row.features[..columns.len()];
        match (row.part, &mut table) {
            (0, _) => profile.add(row.logits[0], features.iter().copied()),
            (_, Some(table)) => table.push(row.key, features)?,
            _ => {}
        }
        Ok(())
    };
    let (parts, captures) = score_telling(scored, &contestants, rules, 2, &part_of, &watch, &mut told)?;
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
    let importance = args.importance.of(test, table.as_mut(), &contestants[0], rules, stop)?;
    let means = test.feature_means(&contestants, 0);
    let training = training.report(&contestants, rules);
    let test = test.report(&contestants, rules);
    attempts.add(Attempt {
        date: today(),
        product: scored.product().into(),
        features: trained.model.features.len(),
        c: trained.c,
        label: rules.label.to_string(),
        ties: rules.ties.to_string(),
        test_span_ns: test.span_ns,
        test_auc: test.contestants[0].figure(Metric::Auc).value,
        test_log_loss: test.contestants[0].figure(Metric::LogLoss).value,
    });
    let candidates = parse_features(&args.features).map_err(Failure::input)?;
    let candidates: Vec<String> = candidates.iter().map(ToString::to_string).collect();
    let choice = validation.as_ref().and_then(|validation| ChoiceReport::new(trained, &candidates, validation));
    let rows = |validation: &ValidationReport| {
        let ties = if args.ties == Ties::Drop { validation.part.ties } else { 0 };
        validation.part.rows - ties
    };
    let calibrated_worse = calibration.and_then(|_| {
        let [after, before] = [0, 1].map(|at| test.contestants[at].figure(Metric::LogLoss).value);
        let (after, before) = after.zip(before).filter(|(after, before)| after > before)?;
        Some(format!(
            "the calibration made the model worse on the test part: log-loss {after:.4} over {before:.4} before; its folds \
             may be unlike the test part, or too small"
        ))
    });
    let report = Report {
        headline: seen_before(args, trained, scored.product(), training.span_ns, test.span_ns).into_iter().collect(),
        title: format!("training of {}", args.output.display()),
        program_version: env!("CARGO_PKG_VERSION"),
        product: scored.product().into(),
        captures,
        rules: rules.into(),
        fit: Some(FitReport::new(trained, &means)),
        training: Some(training),
        calibration: args.calibrate.map(|kind| CalibrationReport { kind, rows: validation.as_ref().map_or(0, rows) }),
        validation,
        choice,
        tried: Some(TriedReport::new(trained, attempts, scored.product(), test.span_ns)),
        test,
        importance,
        baselines: "fitted to the training part, as the model",
        warnings: calibrated_worse.into_iter().collect(),
    };
    Ok((report.warn(), profile.finish()))
}

/// Whether captures that were allowed to overlap do.
fn seen_before(
    args: &TrainingArgs,
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
    Job { args, txt, .. }: &Job<'_>,
    trained: &Trained,
    report: &Report,
    settings: &TrainSettings,
    (calibration, attempts): (Option<Calibration>, Attempts),
    distribution: TrainingDistribution,
) -> Result<(), Failure> {
    let force = args.report.force;
    let file = ModelFile {
        calibration,
        label: Some(settings.label.to_string()),
        ties: Some(settings.ties),
        training_distribution: Some(distribution),
        ..trained.model.to_file(
            args.label.holding_updates().unwrap_or(LAG_UPDATES),
            args.threshold,
            Some(provenance(trained, report, settings, attempts)),
        )
    };
    let mut text = serde_json::to_string_pretty(&file).map_err(Failure::running)?;
    text.push('\n');
    write_file(&args.output, force, &text).map_err(Failure::running)?;
    match txt {
        Some(txt) => write_file(txt, force, &plain(&file, &args.output)?).map_err(Failure::running),
        None => Ok(()),
    }
}

/// One number a line: the intercept, then the coefficients, scaler folded in.
fn plain(file: &ModelFile, path: &Path) -> Result<String, Failure> {
    let model = Model::from_file(path, file).map_err(Failure::running)?;
    let linear = model.linear().expect("what is trained is linear");
    let mut text = format!("{}\n", linear.intercept);
    linear.coefficients.iter().for_each(|coefficient| text.push_str(&format!("{coefficient}\n")));
    Ok(text)
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// Everything that is needed to check a model.
fn provenance(trained: &Trained, report: &Report, settings: &TrainSettings, attempts: Attempts) -> serde_json::Value {
    let test = &report.test;
    json!({
        "program": format!("papertrader {}", report.program_version),
        "date": today(),
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
        "validation": report.validation.as_ref().map(|validation| json!({
            "scheme": validation.scheme, "embargo_rows": validation.embargo_rows, "rows": validation.part.rows,
            "metrics": validation.part.contestants[0].metrics,
        })),
        "choice": report.choice,
        "tried": report.tried,
        "attempts": attempts,
    })
}
