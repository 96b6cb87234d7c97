//! Arguments: the command line and configuration files, turned once into validated settings.

use crate::base::cores::{self, Pins};
use crate::base::failure::Failure;
use crate::base::small_file;
pub mod commands;

use crate::execution::simulator::{LAG_MAX, SimulatorSettings};
use crate::feed::intake::ScaleRule;
use crate::handoff::Wait;
use crate::market::units::parse_step;
use crate::run::session::SessionSettings;
use crate::run::writer::{ReportFiles, RunFiles};
use crate::statistics::logistic::logit_of;
use crate::strategy::model::Model;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The original program's threshold.
pub const THRESHOLD: f64 = 0.6;
/// The original program's holding time in updates.
pub const LAG_UPDATES: u32 = 20;
/// The original program's purchase in quote currency.
pub const BUY_AMOUNT: f64 = 5.0;

/// The largest configuration file that is read.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "papertrader", version, about, args_override_self = true, propagate_version = true)]
#[command(
    after_help = "After a command, --config FILE takes options from a TOML file (threshold = 0.7, pin-cores = \"2,3\", \
                        fused = true); what follows on the command line wins.\n\n\
                        Exit status: 0 done, 1 failed while running, 2 bad arguments or input files."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade on paper over a recorded market.
    Replay(commands::replay::ReplayArgs),
    /// Trade on paper against the live feed.
    Live(commands::live::LiveArgs),
    /// Record the live feed without trading.
    Record(commands::record::RecordArgs),
    /// Run a local exchange that speaks the venue's protocol.
    Exchange(commands::exchange::ExchangeArgs),
    /// Run a live session against a local exchange, with no network and no arguments.
    Demo(commands::demo::DemoArgs),
    /// Measure the latency from a frame's due time to its decision, at fixed rates.
    Profile(commands::profile::ProfileArgs),
    /// Make the page of a run that has ended, or put several side by side.
    Report(commands::report::ReportArgs),
    /// Write a capture of the project's own synthetic market.
    Generate(commands::generate::GenerateArgs),
    /// Write what a model sees after each frame as a table, with labels.
    Features(commands::features::FeaturesArgs),
    /// Train a model on recorded markets, and test it once on what comes after.
    Train(commands::train::TrainArgs),
    /// Test models on recorded markets, side by side.
    Evaluate(commands::evaluate::EvaluateArgs),
}

/// What every trading session is told.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Trading")]
pub struct TradingArgs {
    /// Model file: .txt (the original's 28 features) or .json
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// Buy when the model's probability is at least this [default: the model file's, else 0.6]
    #[arg(long, value_name = "P", value_parser = parse_threshold)]
    pub threshold: Option<f64>,
    /// Sell so many book updates after buying [default: the model file's horizon, else 20]
    #[arg(long, value_name = "UPDATES", value_parser = clap::value_parser!(u32).range(0..=i64::from(LAG_MAX)))]
    pub lag: Option<u32>,
    /// Quote currency spent per purchase
    #[arg(long, value_name = "QUOTE", default_value_t = BUY_AMOUNT, value_parser = parse_amount)]
    pub buy_amount: f64,
    /// Fee per side, in basis points of the amount traded, for the net profit in the report
    #[arg(long, value_name = "BPS", default_value_t = 0.0, value_parser = parse_fee)]
    pub fee_bps: f64,
    /// The price step, a power of ten such as 0.01 [default: what the first snapshot needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub tick_size: Option<u8>,
    /// The quantity step, a power of ten such as 0.00000001 [default: what the first snapshot needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub lot_size: Option<u8>,
}

/// Where and how the hot threads run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Threads")]
pub struct ThreadArgs {
    /// Pin the feed thread to core A and the engine thread to core B; a single core runs both fused on it
    #[arg(long, value_name = "A[,B]")]
    pub pin_cores: Option<String>,
    /// Feed and engine on one thread, without the ring between them [default for a live session that blocks
    /// unpinned]
    #[arg(long)]
    pub fused: bool,
    /// How hot threads wait for each other [default: spin when pinned, else block]
    #[arg(long, value_enum)]
    pub wait: Option<Wait>,
}

/// Where the results go.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct ResultArgs {
    /// Folder for the trade log, the latency histograms and the report
    #[arg(long, value_name = "FOLDER", default_value = "simulations")]
    pub out: PathBuf,
    /// Name of the files in it, without ending; what is there is replaced [default: start time and product]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub name: Option<String>,
    /// Write neither RUN.json nor the page RUN.html, and do not gather what they say
    #[arg(long)]
    pub no_report: bool,
    /// Write `sequence_num probability` of every evaluation to this file
    #[arg(long, value_name = "FILE")]
    pub probabilities: Option<PathBuf>,
    /// Write `sequence_num wall_ns` of every evaluation to this file: our wall clock at the decision, Unix nanoseconds
    #[arg(long, value_name = "FILE")]
    pub decisions: Option<PathBuf>,
}

fn number_in(text: &str, rule: &str, good: impl Fn(f64) -> bool) -> Result<f64, String> {
    text.parse().ok().filter(|&number: &f64| good(number)).ok_or_else(|| rule.into())
}

pub(crate) fn parse_threshold(text: &str) -> Result<f64, String> {
    number_in(text, "a probability lies between 0 and 1, both excluded", |p| p > 0.0 && p < 1.0)
}

pub(crate) fn parse_amount(text: &str) -> Result<f64, String> {
    number_in(text, "an amount is a number above 0", |amount| amount > 0.0 && amount.is_finite())
}

fn parse_fee(text: &str) -> Result<f64, String> {
    number_in(text, "a fee is a number of basis points from -10000 to 10000", |fee| fee.abs() <= 10_000.0)
}

/// Reads a file name without a folder.
pub fn parse_name(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\\', '\0']);
    plain.then(|| text.into()).ok_or_else(|| "a name has no folder in it and does not begin with a dot".into())
}

impl TradingArgs {
    /// The scale that the user gave.
    pub fn scale_rule(&self) -> ScaleRule {
        ScaleRule { price_decimals: self.tick_size, size_decimals: self.lot_size }
    }
}

/// Everything that a trading session needs but its feed.
#[derive(Clone, Debug)]
pub struct TradingSettings {
    /// For the session.
    pub session: SessionSettings,
    /// The probability from which to buy.
    pub threshold: f64,
    /// Fee per side in basis points.
    pub fee_bps: f64,
}

impl TradingSettings {
    /// Reads the model and checks the cores.
    ///
    /// # Errors
    /// Either is bad.
    pub fn new(trading: &TradingArgs, threads: &ThreadArgs) -> Result<Self, Failure> {
        let model = Model::read(&trading.model).map_err(Failure::input)?;
        let pins = match &threads.pin_cores {
            None => Pins::Anywhere,
            Some(text) => {
                Pins::parse(text, &cores::allowed()).map_err(|error| Failure::input(format!("--pin-cores: {error}")))?
            }
        };
        if threads.fused && matches!(pins, Pins::Two(..)) {
            return Err(Failure::input("--fused runs on one core: give --pin-cores one"));
        }
        let lag_updates = trading.lag.or(model.horizon_updates).unwrap_or(LAG_UPDATES);
        if lag_updates > LAG_MAX {
            let file = trading.model.display();
            return Err(Failure::input(format!("model {file}: horizon_updates is {lag_updates}; at most {LAG_MAX}")));
        }
        let threshold = trading.threshold.or(model.threshold).unwrap_or(THRESHOLD);
        let simulator =
            SimulatorSettings { threshold_logit: logit_of(threshold), lag_updates, buy_amount: trading.buy_amount };
        let wait = threads.wait.unwrap_or(if pins == Pins::Anywhere { Wait::Block } else { Wait::Spin });
        let fused = threads.fused || matches!(pins, Pins::One(_));
        let session = SessionSettings { model, simulator, pins, fused, wait, observe: false };
        Ok(Self { session, threshold, fee_bps: trading.fee_bps })
    }

    /// For a session that waits for a socket. If it sleeps, unpinned, until there is something to read, feed and engine
    /// share a thread: waking a second one takes longer than the work that it would do. (Measured over loopback on two
    /// cores, 2,000 frames/s, busy machine, p50 from send to decision: 1.4 times that of a receiver that does nothing
    /// with two threads, 1.0 times with one.)
    #[must_use]
    pub fn for_a_socket(mut self) -> Self {
        self.session.fused |= self.session.wait == Wait::Block && self.session.pins == Pins::Anywhere;
        self
    }
}

impl ResultArgs {
    /// Names the files of a run that starts now.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn files(&self, product: &str) -> Result<RunFiles, Failure> {
        let mut files = RunFiles::create(&self.out, product, self.name.as_deref()).map_err(Failure::input)?;
        // What lies there from a run of the same name says nothing of this one.
        let report = ReportFiles::beside(&files.csv);
        report.remove();
        files.report = (!self.no_report).then_some(report);
        files.probabilities.clone_from(&self.probabilities);
        files.decisions.clone_from(&self.decisions);
        Ok(files)
    }
}

/// Reads a duration: seconds (`1800`), or with a unit (`90s`, `30m`, `2h`).
///
/// # Errors
/// Anything else, or zero.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit_s) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1.0),
        Some(b'm') => (&text[..text.len() - 1], 60.0),
        Some(b'h') => (&text[..text.len() - 1], 3_600.0),
        _ => (text, 1.0),
    };
    let seconds = number.parse().ok().filter(|seconds: &f64| *seconds > 0.0).map(|seconds| seconds * unit_s);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a duration is seconds above 0, or a number with s, m or h".into())
}

/// Puts the settings of configuration files (`--config FILE`, after the command) where the option stands, so that what
/// follows on the command line wins. A file is TOML: `threshold = 0.7`, `pin-cores = "2,3"`, `fused = true`.
///
/// # Errors
/// A file cannot be read or has something else than plain settings.
pub fn expand_config(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, Failure> {
    let mut expanded = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let path = match argument.to_str() {
            Some("--config") => arguments.next().ok_or_else(|| Failure::input("--config needs a file"))?,
            Some(text) => match text.strip_prefix("--config=") {
                Some(path) => path.into(),
                None => {
                    expanded.push(argument);
                    continue;
                }
            },
            None => {
                expanded.push(argument);
                continue;
            }
        };
        expanded.extend(read_config(Path::new(&path))?);
    }
    Ok(expanded)
}

fn read_config(path: &Path) -> Result<Vec<OsString>, Failure> {
    let shown = path.display();
    let text = small_file::read_text(path, CONFIG_BYTES_MAX)
        .map_err(|error| Failure::input(format!("cannot read configuration {shown}: {error}")))?;
    let table: toml::Table = text.parse().map_err(|error| Failure::input(format!("configuration {shown}: {error}")))?;
    let mut arguments = Vec::new();
    for (key, value) in table {
        let option = format!("--{key}");
        let value = match value {
            toml::Value::Boolean(true) => {
                arguments.push(option.into());
                continue;
            }
            toml::Value::Boolean(false) => continue,
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            _ => return Err(Failure::input(format!("configuration {shown}: '{key}' is no plain value"))),
        };
        arguments.push(format!("{option}={value}").into());
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::fs;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("1800", 1800.0), ("90s", 90.0), ("30m", 1800.0), ("2h", 7200.0), ("0.5", 0.5)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)));
        }
        for text in ["", "0", "-1", "m", "1d", "1e300h", "NaN", "inf"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_that_sleeps_at_its_socket_is_one_thread() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
        let core = cores::allowed()[0].to_string();
        for (arguments, replay_fused, live_fused) in [
            (vec![], false, true),
            (vec!["--wait", "spin"], false, false),
            (vec!["--wait", "yield"], false, false),
            (vec!["--fused", "--wait", "spin"], true, true),
            (vec!["--pin-cores", &core], true, true),
        ] {
            let live = ["papertrader", "live", "--model"].map(OsString::from);
            let arguments = live.into_iter().chain([model.clone().into()]).chain(arguments.iter().map(OsString::from));
            let Command::Live(live) = Cli::try_parse_from(arguments).unwrap().command else { panic!("a session") };
            let settings = TradingSettings::new(&live.trading, &live.threads).unwrap();
            assert_eq!(settings.session.fused, replay_fused);
            assert_eq!(settings.for_a_socket().session.fused, live_fused);
        }
    }

    #[test]
    fn configuration_stands_where_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, "threshold = 0.7\nlag = 5\npin-cores = \"0\"\nfused = true\n").unwrap();
        let named = format!("--config={}", path.display());
        let arguments = ["papertrader", "replay", "x", "--model", "m", &named, "--lag", "9"].map(OsString::from);
        let cli = Cli::try_parse_from(expand_config(arguments).unwrap()).unwrap();
        let Command::Replay(replay) = cli.command else { panic!("a replay") };
        assert_eq!((replay.trading.threshold, replay.trading.lag), (Some(0.7), Some(9)));
        assert_eq!((replay.threads.pin_cores.as_deref(), replay.threads.fused), (Some("0"), true));

        for (content, ends) in [("threshold = [1]", "'threshold' is no plain value"), ("threshold", "TOML parse error")]
        {
            fs::write(&path, content).unwrap();
            let error = expand_config([OsString::from(&named)]).unwrap_err().to_string();
            assert!(error.contains(ends) && error.lines().count() == 1, "{error}");
        }
        let error = expand_config(["--config".into(), "/nowhere.toml".into()]).unwrap_err().to_string();
        assert!(error.starts_with("cannot read configuration /nowhere.toml: "), "{error}");
        assert_eq!(expand_config(["--config".into()]).unwrap_err().to_string(), "--config needs a file");
    }
}
