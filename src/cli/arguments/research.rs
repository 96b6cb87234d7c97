//! Where rows come from, how figures are made, and where their report goes.

use super::{BUY_AMOUNT, MarketArgs, parse_amount, parse_product};
use crate::base::failure::Failure;
use crate::base::output::{check_free, write_file};
use crate::cli::display::{bar, warn};
use crate::cli::printer::Printer;
use crate::feed::intake::ScaleRule;
use crate::market::units::parse_step;
use crate::report::research::{page, terminal};
use crate::research::importance::{Importance, ImportanceError, Permuting, importance};
use crate::research::report::Report;
use crate::research::scoring::{By, Contestant, Part, Rules};
use crate::research::source::Source;
use crate::research::table::Table;
use crate::sources::files::expand;
use crate::sources::market::MarketSettings;
use crate::statistics::bootstrap::BootstrapSettings;
use crate::statistics::labels::{HORIZON_MAX, Horizon, LabelRule};
use crate::strategy::model::Model;
use clap::Args;
use std::path::{Path, PathBuf};

/// Which captures rows come from, and how their numbers are read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Captures")]
pub struct SourceArgs {
    /// Product [default: the first in the earliest capture]
    #[arg(long, value_name = "NAME", value_parser = parse_product)]
    pub product: Option<String>,
    /// The price step, a power of ten such as 0.01 [default: what the captures need]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub tick_size: Option<u8>,
    /// The quantity step, a power of ten such as 0.00000001 [default: what the captures need]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub lot_size: Option<u8>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub market: MarketArgs,
}

impl SourceArgs {
    /// How they are opened.
    ///
    /// # Errors
    /// Options that do not go together.
    pub fn settings(&self) -> Result<MarketSettings, Failure> {
        let rule = ScaleRule { price_decimals: self.tick_size, size_decimals: self.lot_size };
        self.market.settings(self.product.as_deref(), rule)
    }

    /// All files that are read of these captures.
    ///
    /// # Errors
    /// A folder or a pattern holds none.
    pub fn inputs(&self, captures: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
        Ok(self.market.inputs(&expand(captures).map_err(Failure::input)?))
    }

    /// Opens the captures.
    ///
    /// # Errors
    /// One cannot be read, or they do not belong together.
    pub fn open(&self, captures: &[PathBuf]) -> Result<Source, Failure> {
        Ok(Source::open_with(&expand(captures).map_err(Failure::input)?, &self.settings()?)?)
    }
}

/// How figures are made and where the report goes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Report")]
pub struct FigureArgs {
    /// Quote currency spent per purchase, for the economics
    #[arg(long, value_name = "QUOTE", default_value_t = BUY_AMOUNT, value_parser = parse_amount)]
    pub buy_amount: f64,
    /// Length of the bootstrap's blocks in seconds [default: chosen by the horizon and by how rows depend on each other]
    #[arg(long, value_name = "SECONDS", value_parser = parse_block)]
    pub block: Option<f64>,
    /// Resamples of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub resamples: u32,
    /// Seed of the bootstrap: the same seed gives the same intervals
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads [default: the cores that the process may use]; the figures do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Replace outputs that exist
    #[arg(long)]
    pub force: bool,
}

fn parse_block(text: &str) -> Result<f64, String> {
    let block = text.parse().ok().filter(|block: &f64| (0.01..=86_400.0).contains(block));
    block.ok_or_else(|| "a block lasts from 0.01 to 86400 seconds".into())
}

impl FigureArgs {
    /// How many threads may work.
    pub fn threads(&self) -> usize {
        let allowed = || std::thread::available_parallelism().map_or(1, Into::into);
        self.threads.map_or_else(allowed, usize::from)
    }

    /// The bootstrap's settings.
    pub fn bootstrap(&self) -> BootstrapSettings {
        BootstrapSettings { block_s: self.block, replicates: self.resamples, seed: self.seed }
    }

    /// Writes a report as JSON and as a page, and shows it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn publish(&self, report: &Report, files: Option<&FigureFiles>, printer: &mut Printer) -> Result<(), Failure> {
        if let Some(files) = files {
            write_file(&files.json, self.force, &report.json()).map_err(Failure::running)?;
            write_file(&files.html, self.force, &page(report)).map_err(Failure::running)?;
        }
        printer.print(terminal(report));
        report.warnings.iter().for_each(warn);
        Ok(())
    }
}

/// Where a report goes.
#[derive(Clone, Debug)]
pub struct FigureFiles {
    /// Everything.
    pub json: PathBuf,
    /// To look at.
    pub html: PathBuf,
}

impl FigureFiles {
    /// `STEM.report.json` and `STEM.report.html`.
    pub fn beside(stem: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = stem.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self { json: with(".report.json"), html: with(".report.html") }
    }

    /// Looks whether they are free.
    ///
    /// # Errors
    /// One is taken and `force` does not say to replace it.
    pub fn check_free(&self, force: bool) -> Result<(), Failure> {
        [&self.json, &self.html].into_iter().try_for_each(|path| check_free(path, force)).map_err(Failure::input)
    }
}

/// Whether features are permuted.
#[derive(Clone, Debug, Args)]
pub struct ImportanceArgs {
    /// Permute each feature of the (first) model in blocks of time on the rows tested on, and tell what AUC and log-loss lose by it
    #[arg(long)]
    pub importance: bool,
    /// Permutations of each feature for --importance, by --seed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100), requires = "importance")]
    pub repeats: u32,
}

impl ImportanceArgs {
    /// A table for the features of a model's rows, if they are asked for; up to `memory_mb` megabytes of it stay in memory.
    pub fn table(&self, model: &Model, memory_mb: usize) -> Option<Table> {
        self.importance.then(|| Table::new(model.features.len(), memory_mb.saturating_mul(1 << 20)))
    }

    /// The importance of the first contestant's features on a part, with a bar; `None` without a table.
    ///
    /// # Errors
    /// Somebody stopped the program, or the table's file failed.
    pub fn of(
        &self,
        part: &Part,
        table: Option<&mut Table>,
        first: &Contestant,
        rules: &Rules,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Importance>, Failure> {
        let (Some(table), By::Model(model)) = (table, &first.by) else { return Ok(None) };
        table.finish().map_err(ImportanceError::Cache)?;
        let permuting = bar(model.features.len() as u64, "importance");
        let of = Permuting { part, table, name: &first.name, model, repeats: self.repeats };
        let found = importance(&of, rules, stop, || permuting.inc(1))?;
        permuting.finish_and_clear();
        Ok(Some(found))
    }
}

/// What rows are scored against.
#[derive(Clone, Debug, Args)]
pub struct LabelArgs {
    /// The label is the sign of a rule: mid:H, mean:H, means:H, around:H:W or barrier:H:D, H in updates or as 500ms, D as 2ticks or
    /// 0.5bp; "mid:20 band 1tick" makes small moves ties. Without it mid:H with the horizon
    #[arg(long, value_name = "RULE")]
    pub label: Option<LabelRule>,
    /// Book updates over which the label looks, without --label; trades hold as long [default: the models', else 20]
    #[arg(long, value_name = "UPDATES", value_parser = clap::value_parser!(u32).range(1..=i64::from(HORIZON_MAX)))]
    pub horizon: Option<u32>,
}

impl LabelArgs {
    /// The rule; `updates` are the horizon where neither option is given.
    pub fn rule(&self, updates: u32) -> LabelRule {
        self.label.unwrap_or_else(|| LabelRule::mid_after(self.horizon.unwrap_or(updates)))
    }

    /// How long trades hold, if that is said: as far as the label looks if that is in updates.
    pub fn holding_updates(&self) -> Option<u32> {
        let of_label = self.label.map(|label| label.horizon).and_then(|horizon| match horizon {
            Horizon::Updates(updates) => Some(updates),
            Horizon::Ns(_) => None,
        });
        self.horizon.or(of_label)
    }
}
