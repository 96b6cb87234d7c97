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
use crate::base::failure::Failure;
use crate::base::output::write_file;
use crate::cli::arguments::{
    ConnectionArgs, FeeArgs, ModelArgs, ResultArgs, ThreadArgs, TradingArgs, VENUE_URL, parse_duration,
};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::exchange::{Exchange, ExchangeConfig, Pace, SourceConfig, TlsFiles};
use crate::feed::intake::ScaleRule;
use crate::run::files::RunFiles;
use crate::strategy::model::ModelFile;
use clap::Args;
use std::path::PathBuf;
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
    // The original's rules pay none.
    let fee_bps = FeeArgs::default().fee_bps;
    let files = args.results.files(product, fee_bps, args.model.as_deref().as_slice())?;
    let [ca_cert, record, model] = ["ca.pem", "l2.zst", MODEL.0].map(|ending| files.csv.with_extension(ending));
    let others = [&*ca_cert, &*record, &*model];
    let (inputs, others) = args.model.as_deref().map_or((vec![], &others[..]), |model| (vec![model], &others[..2]));
    files.check_apart_from(&inputs, others).map_err(Failure::input)?;
    let mut trading = trading_args(args, &files)?.settings(&args.threads)?.for_a_socket();
    trading.session.observe = !args.results.no_report;
    let config = ExchangeConfig {
        tls: Some(TlsFiles { ca_out: Some(ca_cert.clone()) }),
        products: vec![product.into()],
        source: SourceConfig::Synthetic {
            seed: args.seed,
            pace: Pace::Rate { frames_per_s: args.rate },
            snapshot_levels: 20_000,
        },
        replace_files: files.replace,
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
    let settings = connection.settings(ScaleRule::default(), trading.session.wait)?;
    let title = format!("demo, live session with a local exchange at {} instead of {VENUE_URL}", exchange.url());
    let session = LiveSession { title, settings, trading, files, record: Some(record), tell_every: Some(TELL_EVERY) };
    let ran = session.run(&interrupt, printer);
    exchange.stop().map_err(Failure::running)?;
    ran
}

/// The original's rules, with the model that was named or the built-in one, which is written beside the results for the
/// reader to see.
fn trading_args(args: &DemoArgs, files: &RunFiles) -> Result<TradingArgs, Failure> {
    let model = match &args.model {
        Some(path) => path.clone(),
        None => {
            let (name, text) = MODEL;
            debug_assert!(serde_json::from_str::<ModelFile>(text).is_ok());
            let path = files.csv.with_extension(name);
            write_file(&path, files.replace, text).map_err(Failure::input)?;
            path
        }
    };
    Ok(TradingArgs {
        model,
        threshold: None,
        lag: None,
        override_model: false,
        buy_amount: crate::cli::arguments::BUY_AMOUNT,
        fees: FeeArgs::default(),
        tick_size: None,
        lot_size: None,
        of_model: args.of_model.clone(),
    })
}
