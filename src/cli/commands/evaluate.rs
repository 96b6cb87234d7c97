//! `papertrader evaluate`: model files side by side on captures.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command, commands};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 500 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! std::env::set_current_dir(&folder)?;
//! synthetic::capture(folder.path(), 500)?;
//! std::fs::write("imbalance.json", r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#)?;
//! let arguments = [
//!     "papertrader", "evaluate", "market.txt", "--model", "imbalance.json",
//!     "--report", "verdict", "--resamples", "100",
//! ];
//! let Command::Evaluate(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! commands::evaluate::run(&args, &mut Printer::stdout()).expect("the capture is whole");
//! assert!(std::fs::exists("verdict.report.json")? && std::fs::exists("verdict.report.html")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::failure::Failure;
use crate::base::places::check_apart;
use crate::cli::arguments::{
    FigureArgs, FigureFiles, ImportanceArgs, LAG_UPDATES, LabelArgs, ModelArgs, SourceArgs, THRESHOLD, parse_share,
    parse_threshold,
};
use crate::cli::display::{bar, warn};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::report::in_sample::in_sample;
use crate::research::folds::Cut;
use crate::research::report::Report;
use crate::research::scoring::{By, Contestant, Rules, ScoredRow, score_telling};
use crate::research::source::{CaptureFacts, Source, Watch, total_counts, without_prints};
use crate::research::training::{TrainSettings, train};
use crate::statistics::labels::{HORIZON_MAX, LabelRule, Ties};
use crate::strategy::features::{FEATURES_MAX, Feature, Input};
use crate::strategy::model::Model;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `papertrader evaluate`.
#[derive(Clone, Debug, Args)]
pub struct EvaluateArgs {
    /// Recorded markets of one product, plain, .gz or .zst
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Model file, papertrader's own or a library's; give it several times to compare the first with the others
    #[arg(long = "model", value_name = "FILE", required = true)]
    pub models: Vec<PathBuf>,
    /// The models themselves, in the order of `models`, of a caller that has them: no file is read then
    #[arg(skip)]
    pub held: Vec<Model>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub of_models: ModelArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub label: LabelArgs,
    /// What becomes of rows after which the mid is the same [default: the models', else drop]
    #[arg(long, value_enum)]
    pub ties: Option<Ties>,
    /// Let --label, --horizon and --ties contradict what the models' files say
    #[arg(long)]
    pub override_model: bool,
    /// The probability from which to buy [default: the models', else 0.6]
    #[arg(long, value_name = "P", value_parser = parse_threshold)]
    pub threshold: Option<f64>,
    /// Judge by the last share of the rows alone, with baselines fitted to the rows before, as `train` tests
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    pub last: Option<f64>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub importance: ImportanceArgs,
    /// Megabytes of rows to keep in memory; what is beyond goes to a temporary file
    #[arg(long, value_name = "MB", default_value_t = 1024)]
    pub memory: usize,
    /// Write the report to STEM.report.json and STEM.report.html
    #[arg(long = "report", value_name = "STEM")]
    pub stem: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: SourceArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub report: FigureArgs,
}

/// What the models agree on; `None` where none says anything.
fn agreed<T: PartialEq + Copy + std::fmt::Display>(
    models: &[Model],
    what: &str,
    of: impl Fn(&Model) -> Option<T>,
) -> Result<Option<T>, Failure> {
    let mut found: Option<(T, &Model)> = None;
    for model in models {
        match (of(model), found) {
            (Some(one), Some((other, first))) if one != other => {
                let (first, model) = (first.path.display(), model.path.display());
                return Err(Failure::input(format!(
                    "the models differ in their {what}: {first} has {other}, {model} has {one}; give --{what}"
                )));
            }
            (Some(one), None) => found = Some((one, model)),
            _ => {}
        }
    }
    Ok(found.map(|(one, _)| one))
}

/// What is given, else what the models agree on. What is given may decide between models that differ, and contradicts no model
/// unless `overrides`.
fn settled<T: PartialEq + Copy + std::fmt::Display>(
    models: &[Model],
    what: &str,
    given: Option<T>,
    overrides: bool,
    of: impl Fn(&Model) -> Option<T>,
) -> Result<Option<T>, Failure> {
    let Some(given) = given else { return agreed(models, what, of) };
    match agreed(models, what, &of) {
        Ok(Some(said)) if said != given && !overrides => {
            let path = models.iter().find(|model| of(model).is_some()).map(|model| model.path.display());
            let path = path.map_or_else(String::new, |path| path.to_string());
            Err(Failure::input(format!(
                "--{what} {given} contradicts model {path}, which was made for {what} {said}: leave --{what} out, or give \
                 --override-model"
            )))
        }
        _ => Ok(Some(given)),
    }
}

/// What rows are scored against, and for how many updates trades hold.
fn label_and_horizon(args: &EvaluateArgs, models: &[Model]) -> Result<(LabelRule, u32), Failure> {
    let (given, overrides) = (&args.label, args.override_model);
    let label = settled(models, "label", given.label, overrides, |model| model.label)?;
    let asked = settled(models, "horizon", given.horizon, overrides, |model| model.horizon_updates);
    let horizon = match (given.holding_updates(), asked) {
        (Some(updates), Ok(_)) => updates,
        // A label says it for models that differ.
        (Some(updates), Err(_)) if given.horizon.is_none() => updates,
        (_, asked) => asked?.unwrap_or(LAG_UPDATES),
    };
    let plain = LabelRule::mid_after(horizon);
    // Without --label the horizon says how far the mid's change is looked at.
    let is_plain = |rule: &LabelRule| rule.span_updates().is_some_and(|updates| *rule == LabelRule::mid_after(updates));
    let label = label.filter(|rule| given.label.is_some() || given.horizon.is_none() || !is_plain(rule));
    Ok((label.unwrap_or(plain), horizon))
}

/// What is to be said of models that do not say what they predict, where no option says it.
fn unsaid(args: &EvaluateArgs, models: &[Model], rules: &Rules) -> Vec<String> {
    let LabelArgs { label, horizon } = &args.label;
    let is_given = |field: &str| match field {
        "horizon_updates" => horizon.is_some() || label.is_some(),
        "label" => label.is_some(),
        _ => args.ties.is_some(),
    };
    let said = models.iter().filter_map(|model| {
        let unsaid: Vec<&str> = model.unsaid().into_iter().filter(|field| !is_given(field)).collect();
        let taken = unsaid.iter().map(|field| match *field {
            "horizon_updates" => rules.horizon.to_string(),
            "label" => rules.label.to_string(),
            _ => rules.ties.to_string(),
        });
        let (path, taken) = (model.path.display(), taken.collect::<Vec<_>>().join(", "));
        (!unsaid.is_empty()).then(|| format!("model {path} does not say its {}; taken: {taken}", unsaid.join(", ")))
    });
    said.collect()
}

/// Scores the models and reports.
///
/// # Errors
/// Bad arguments, models or captures, or files that cannot be written.
pub fn run(args: &EvaluateArgs, printer: &mut Printer) -> Result<(), Failure> {
    evaluate(args, printer).map(|_| ())
}

/// The same; gives the report too.
///
/// # Errors
/// As for [`run`].
pub fn evaluate(args: &EvaluateArgs, printer: &mut Printer) -> Result<Report, Failure> {
    let options = args.of_models.options();
    let read = || args.models.iter().map(|path| Model::read_with(path, &options)).collect::<Result<Vec<_>, _>>();
    let models = if args.held.is_empty() { read().map_err(Failure::input)? } else { args.held.clone() };
    let (label, horizon) = label_and_horizon(args, &models)?;
    let ties = settled(&models, "ties", args.ties, args.override_model, |model| model.ties)?.unwrap_or_default();
    if !(1..=HORIZON_MAX).contains(&horizon) {
        return Err(Failure::input(format!(
            "the models' horizon is {horizon}; give a --horizon from 1 to {HORIZON_MAX}"
        )));
    }
    let threshold = match args.threshold {
        Some(threshold) => threshold,
        None => agreed(&models, "threshold", |model| model.threshold)?.unwrap_or(THRESHOLD),
    };
    let files = args.stem.as_deref().map(FigureFiles::beside);
    if let Some(files) = &files {
        let captures = args.source.inputs(&args.captures)?;
        let inputs = captures.iter().chain(&args.models).map(PathBuf::as_path).chain(args.of_models.file());
        check_apart([&files.json, &files.html], inputs).map_err(Failure::input)?;
        files.check_free(args.report.force)?;
    }
    let source = args.source.open(&args.captures)?;
    let interrupt = Interrupt::watch()?;
    let stop = || interrupt.is_set();
    let threads = args.report.threads();
    let rules = Rules {
        label,
        horizon,
        ties,
        threshold,
        buy_amount: args.report.buy_amount,
        bootstrap: args.report.bootstrap(),
        threads,
    };

    let unsaid = unsaid(args, &models, &rules);
    let reading = bar(source.bytes(), "baselines");
    let mut looked_at: Vec<Input> = Vec::new();
    for input in models.iter().flat_map(|model| &model.features) {
        if !looked_at.contains(input) && looked_at.len() < FEATURES_MAX - 1 {
            looked_at.push(input.clone());
        }
    }
    let watch = Watch { bar: &reading, stop: &stop };
    let (baselines, cut) = baselines(&source, &rules, (args.last, args.memory), &looked_at, &watch)?;
    reading.finish_and_clear();
    let taken: Vec<&str> = baselines.iter().map(|baseline| baseline.name.as_str()).collect();
    let names = told_apart(&args.models, &taken);
    let mut table = args.importance.table(&models[0], args.memory);
    let named = models.into_iter().zip(names);
    let named = named.map(|(model, name)| Contestant { name, by: By::Model(Box::new(model)) });
    let contestants: Vec<Contestant> = named.chain(baselines).collect();
    let scoring = bar(source.bytes(), "test");
    let watch = Watch { bar: &scoring, stop: &stop };
    let mut keep = |row: &ScoredRow<'_>| match &mut table {
        Some(table) => table.push(row.key, &row.features[..table.width()]),
        None => Ok(()),
    };
    let part_of = |capture: u32, sequence: u64, until: u64| match args.last {
        Some(_) => cut.part_of(capture, sequence, until).and_then(|part| part.checked_sub(1)),
        None => Some(0),
    };
    let (parts, captures) = score_telling(&source, &contestants, &rules, 1, &part_of, &watch, &mut keep)?;
    scoring.finish_and_clear();
    total_counts(&captures, rules.label)?;
    let features = contestants.iter().filter_map(|contestant| match &contestant.by {
        By::Model(model) => Some(&model.features),
        By::Constant(_) => None,
    });
    if let Some(none) = without_prints(features.flatten(), &captures) {
        warn(none.warning());
    }
    let test = parts[0].report(&contestants, &rules);
    if test.rows == 0 {
        let share = args.last.unwrap_or(1.0);
        return Err(Failure::input(format!("the last {share} of the rows has no labelled row; give a larger --last")));
    }
    let last_ns = args.last.map(|_| test.span_ns);
    let headline = seen_before(&contestants[..args.models.len()], source.product(), &captures, last_ns);
    let names: Vec<String> = args.models.iter().map(|path| path.display().to_string()).collect();
    let importance = args.importance.of(&parts[0], table.as_mut(), &contestants[0], &rules, &stop)?;
    let report = Report {
        headline,
        title: format!("evaluation of {}", names.join(", ")),
        program_version: env!("CARGO_PKG_VERSION"),
        product: source.product().into(),
        captures,
        rules: (&rules).into(),
        fit: None,
        training: None,
        validation: None,
        choice: None,
        calibration: None,
        tried: None,
        test,
        importance,
        baselines: match args.last {
            Some(_) => "fitted to the rows before, as `train` does",
            None => "fitted to these very rows, which favours them",
        },
        warnings: Vec::new(),
    }
    .warn();
    unsaid.into_iter().for_each(warn);
    args.report.publish(&report, files.as_ref(), printer)?;
    Ok(report)
}

/// Names of models that tell them apart from each other and from what is `taken`: the stem of the file, else its name, else
/// as much of the end of its path as that needs. One file given twice gets a number.
fn told_apart(paths: &[PathBuf], taken: &[&str]) -> Vec<String> {
    let named = |path: &PathBuf, parts: usize| -> String {
        let stem = path.file_stem().unwrap_or(path.as_os_str());
        let components: Vec<_> = path.components().collect();
        let end: PathBuf = components[components.len().saturating_sub(parts)..].iter().collect();
        if parts == 0 { stem.to_string_lossy().into_owned() } else { end.display().to_string() }
    };
    let longest = paths.iter().map(|path| path.components().count()).max().unwrap_or(0);
    let mut names: Vec<String> = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        let is_alone = |parts: &usize| {
            let name = named(path, *parts);
            let mut others = paths.iter().enumerate().filter(|&(other, _)| other != at);
            !taken.contains(&name.as_str()) && others.all(|(_, other)| named(other, *parts) != name)
        };
        let name = named(path, (0..=longest).find(is_alone).unwrap_or(longest));
        let mut numbered = (1..).map(|number| if number == 1 { name.clone() } else { format!("{name} ({number})") });
        let free = numbered.find(|name| !names.contains(name) && !taken.contains(&name.as_str()));
        names.push(free.expect("numbers do not end"));
    }
    names
}

/// Says which models were trained on what they are judged by, of which nobody knows, and how many were tried before one.
fn seen_before(
    contestants: &[Contestant],
    product: &str,
    captures: &[CaptureFacts],
    last_ns: Option<(i64, i64)>,
) -> Vec<String> {
    let whole = || captures.iter().map(|capture| (capture.first_ts_recv_ns, capture.last_ts_recv_ns)).collect();
    let spans: Vec<(i64, i64)> = last_ns.map_or_else(whole, |last_ns| vec![last_ns]);
    let hashes = || captures.iter().map(|capture| capture.sha256.clone()).collect();
    let models = || {
        contestants.iter().filter_map(|contestant| match &contestant.by {
            By::Model(model) => Some((&contestant.name, model)),
            By::Constant(_) => None,
        })
    };
    let seen = models().filter_map(|(name, model)| in_sample(name, &model.trained_on, product, &spans, hashes));
    let tried = models().filter(|(_, model)| model.attempts.count() > 1).map(|(name, model)| {
        let count = model.attempts.count();
        format!("{name} is the last of {count} models that were tried: the best of several looks better than it is.")
    });
    seen.chain(tried).collect()
}

/// The base rate and a model of `imbalance_1`, both fitted to what is evaluated, or to what is before its last share, and where
/// that begins.
fn baselines(
    source: &Source,
    rules: &Rules,
    (last, memory_mb): (Option<f64>, usize),
    beside: &[Input],
    watch: &Watch<'_>,
) -> Result<([Contestant; 2], Cut), Failure> {
    let settings = TrainSettings {
        features: vec![Feature::Imbalance(1).into()],
        // The last share is that of the rows that all models can judge.
        beside: if last.is_some() { beside.to_vec() } else { Vec::new() },
        choose: None,
        validate: None,
        label: rules.label,
        embargo: 0,
        ties: rules.ties,
        c: Some(1.0),
        test_share: last.unwrap_or(0.0),
        memory_bytes: memory_mb.saturating_mul(1 << 20),
        threads: rules.threads,
    };
    let trained = train(source, &settings, watch, &|| ())?;
    let file = trained.model.to_file(rules.horizon, rules.threshold, None);
    let model = Model::from_file("imbalance_1".as_ref(), &file).map_err(Failure::running)?;
    let contestants = [
        Contestant { name: "base rate".into(), by: By::Constant(trained.base_rate) },
        Contestant { name: "imbalance_1".into(), by: By::Model(Box::new(model)) },
    ];
    Ok((contestants, trained.cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_one_name_are_told_apart() {
        for (paths, names) in [
            (&["a/m.json", "b/n.json"][..], &["m", "n"][..]),
            (&["a/m.json", "b/m.json", "c/n.txt"], &["a/m.json", "b/m.json", "n"]),
            (&["m.json", "m.txt"], &["m.json", "m.txt"]),
            (&["x/a/m.json", "y/a/m.json", "m.json"], &["x/a/m.json", "y/a/m.json", "m.json"]),
            (&["m.json", "m.json"], &["m.json", "m.json (2)"]),
            (&["imbalance_1.json"], &["imbalance_1.json"]),
            (&["imbalance_1"], &["imbalance_1 (2)"]),
        ] {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            assert_eq!(told_apart(&paths, &["base rate", "imbalance_1"]), names);
        }
    }
}
