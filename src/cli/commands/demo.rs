//! `papertrader demo`: everything at once on one machine, with no network.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command, commands};
//!
//! let folder = tempfile::tempdir()?;
//! std::env::set_current_dir(&folder)?;
//! let arguments = ["papertrader", "demo", "--duration", "1", "--out", ".", "--name", "demo"];
//! let Command::Demo(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! commands::demo::run(&args, &mut Printer::stdout()).expect("it needs no network");
//! assert!(std::fs::exists("demo.csv")? && std::fs::exists("demo.html")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::exchange::parse_rate;
use super::live::LiveSession;
use super::strategies::{SessionFiles, session_inputs};
use crate::base::failure::Failure;
use crate::base::output::{IfTaken, write_file};
use crate::cli::arguments::{
    ConnectionArgs, ExecutionArgs, FeeArgs, ModelArgs, Models, ResultArgs, SpreadArgs, StrategyPlan, ThreadArgs,
    TradingArgs, VENUE_URL, parse_duration, place, plans,
};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::exchange::{Exchange, ExchangeConfig, Pace, SourceConfig, TlsFiles};
use crate::feed::intake::ScaleRule;
use crate::strategy::model::ModelFile;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The model that the demo trades unless another is named, built in so that the demo runs anywhere.
const MODEL: (&str, &str) = ("synthetic.json", include_str!("../../../models/synthetic.json"));

/// How often a demo says on standard error that it is alive, where that is no terminal.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Arguments of `papertrader demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// How long to run: seconds, or 90s, 30m, 2h. The default is long enough for a verdict
    #[arg(long, value_name = "TIME", default_value = "60", value_parser = parse_duration)]
    pub duration: Duration,
    /// Seed of the synthetic market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Frames a second of the synthetic market, in the mean
    #[arg(long, value_name = "FRAMES/S", default_value_t = 200.0, value_parser = parse_rate)]
    pub rate: f64,
    /// Model file [default: the built-in models/synthetic.json, trained on the synthetic market]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Any number of strategies on one book, as for `replay`
    #[arg(long, value_name = "FILE.toml", conflicts_with_all = ["model", "model_features", "model_classes"])]
    pub strategies: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub of_model: ModelArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub threads: ThreadArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub results: ResultArgs,
}

/// Starts an exchange on loopback over TLS, runs a live session against it, records it, and reports.
///
/// # Errors
/// Bad arguments or files that cannot be written.
pub fn run(args: &DemoArgs, printer: &mut Printer) -> Result<(), Failure> {
    let interrupt = Interrupt::watch()?;
    let product = "BTC-USD";
    let Prepared { mut plans, files, ca_cert, record } = match &args.strategies {
        None => Prepared::alone(args, product)?,
        Some(path) => Prepared::several(args, path, product)?,
    };
    let threads = args.threads.settings()?.for_a_socket();
    let spread = SpreadArgs::default().spread(&[product.into()], threads.pins, threads.fused)?;
    for plan in &mut plans {
        plan.settings.strategy.observe = !args.results.no_report;
    }
    let config = ExchangeConfig {
        tls: Some(TlsFiles { ca_out: Some(ca_cert.clone()) }),
        products: vec![product.into()],
        source: SourceConfig::Synthetic {
            seed: args.seed,
            pace: Pace::Rate { frames_per_s: args.rate },
            snapshot_levels: 20_000,
        },
        replace_files: args.results.force,
        ..ExchangeConfig::default()
    };
    let exchange = Exchange::start(config).map_err(Failure::input)?;
    let connection = ConnectionArgs {
        product: vec![product.into()],
        no_trades: false,
        url: exchange.url(),
        ca_cert: Some(ca_cert),
        allow_plaintext: false,
        duration: Some(args.duration),
        stale_after: Duration::from_secs(30),
        max_retries: None,
    };
    let settings = connection.settings(ScaleRule::default(), threads.wait)?;
    let title = format!("demo, live session with a local exchange at {} instead of {VENUE_URL}", exchange.url());
    let replace = args.results.force;
    let (record, tell_every) = (Some(record), Some(TELL_EVERY));
    let session = LiveSession { title, settings, threads, spread, plans, files, record, replace, tell_every };
    let ran = session.run(&interrupt, printer);
    exchange.stop().map_err(Failure::running)?;
    ran
}

/// What a demo trades and writes.
struct Prepared {
    plans: Vec<StrategyPlan>,
    files: SessionFiles,
    ca_cert: PathBuf,
    record: PathBuf,
}

impl Prepared {
    /// The original's rules, with the model that was named or the built-in one, which is written beside the results for the
    /// reader to see.
    fn alone(args: &DemoArgs, product: &str) -> Result<Self, Failure> {
        // The original's rules pay none.
        let fee_bps = FeeArgs::default().fee_bps;
        let files = args.results.files(product, fee_bps, args.model.as_deref().as_slice())?;
        let [ca_cert, record, built_in] = ["ca.pem", "l2.zst", MODEL.0].map(|ending| files.csv.with_extension(ending));
        let others = [&*ca_cert, &*record, &*built_in];
        let (inputs, others) = args.model.as_deref().map_or((vec![], &others[..]), |model| (vec![model], &others[..2]));
        files.check_apart_from(&inputs, others).map_err(Failure::input)?;
        let model = match &args.model {
            Some(path) => path.clone(),
            None => {
                debug_assert!(serde_json::from_str::<ModelFile>(MODEL.1).is_ok());
                write_file(&built_in, files.replace, MODEL.1).map_err(Failure::input)?;
                built_in
            }
        };
        let trading = trading_args(args, Some(model), None);
        let plans = plans(&trading, &ExecutionArgs::default(), &mut Models::default())?;
        Ok(Self { plans, files: SessionFiles::alone(files), ca_cert, record })
    }

    /// The strategies of a file.
    fn several(args: &DemoArgs, path: &Path, product: &str) -> Result<Self, Failure> {
        let trading = trading_args(args, None, Some(path.into()));
        let plans = plans(&trading, &ExecutionArgs::default(), &mut Models::default())?;
        let (plans, _) = place(plans, &[product.into()])?;
        let read = session_inputs(&trading, &plans);
        let files = SessionFiles::create(&args.results, product, &plans, &read, &[], IfTaken::Refuse)?;
        let [ca_cert, record] = ["ca.pem", "l2.zst"].map(|ending| files.csv().with_extension(ending));
        files.check_apart_from(&read, &[&ca_cert, &record])?;
        Ok(Self { plans, files, ca_cert, record })
    }
}

fn trading_args(args: &DemoArgs, model: Option<PathBuf>, strategies: Option<PathBuf>) -> TradingArgs {
    TradingArgs {
        model,
        strategies,
        threshold: None,
        lag: None,
        override_model: false,
        buy_amount: crate::cli::arguments::BUY_AMOUNT,
        fees: FeeArgs::default(),
        tick_size: None,
        lot_size: None,
        of_model: args.of_model.clone(),
    }
}
