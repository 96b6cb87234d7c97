//! What fills are charged.

use crate::base::failure::Failure;
use crate::base::small_file;
use crate::cli::config::too_deep;
use crate::execution::fees::{FeePlan, FeeSchedule, Preset, Tier, WINDOW_DAYS, is_fee};
use clap::Args;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The largest file of tiers that is read.
const BYTES_MAX: u64 = 1 << 16;
/// No traded value is larger.
const VALUE_MAX: f64 = 1e50;
/// The ending of a file of tiers.
pub const TIERS_ENDING: &str = ".toml";

/// A fee for all, or a schedule.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Trading")]
pub struct FeeArgs {
    /// Fee per side, in basis points of the amount traded, makers and takers alike. The verdict counts no less than the lowest
    /// taker fee of the schedules that --fees names
    #[arg(long, value_name = "BPS", default_value_t = 0.0, value_parser = parse_fee)]
    #[arg(allow_negative_numbers = true)]
    pub fee_bps: f64,
    /// Fees by a venue's published schedule (an unknown name lists them all), or by the tiers of a TOML file
    #[arg(long, value_name = "NAME|FILE.toml", conflicts_with_all = ["fee_bps", "maker_fee_bps", "taker_fee_bps"])]
    pub fees: Option<String>,
    /// Fee of fills that rested in the book, basis points; below 0 it is a rebate
    #[arg(long, value_name = "BPS", requires = "taker_fee_bps", conflicts_with = "fee_bps", value_parser = parse_fee)]
    #[arg(allow_negative_numbers = true)]
    pub maker_fee_bps: Option<f64>,
    /// Fee of fills that took from the book, basis points
    #[arg(long, value_name = "BPS", requires = "maker_fee_bps", conflicts_with = "fee_bps", value_parser = parse_fee)]
    #[arg(allow_negative_numbers = true)]
    pub taker_fee_bps: Option<f64>,
    /// Value that the account has traded before, in the days that --fees counts: where it begins in the tiers
    #[arg(long, value_name = "QUOTE", requires = "fees", value_parser = parse_traded)]
    #[arg(conflicts_with_all = ["fee_bps", "maker_fee_bps", "taker_fee_bps"])]
    pub trailing_value: Option<f64>,
}

fn parse_fee(text: &str) -> Result<f64, String> {
    let fee = text.parse().ok().filter(|&fee: &f64| is_fee(fee));
    fee.ok_or_else(|| "a fee is a number of basis points from -10000 to 10000".into())
}

fn parse_traded(text: &str) -> Result<f64, String> {
    let traded = text.parse().ok().filter(|traded: &f64| (0.0..=VALUE_MAX).contains(traded));
    traded.ok_or_else(|| "a traded value is a number from 0 on".into())
}

impl FeeArgs {
    /// The file of tiers, if one is given.
    pub fn file(&self) -> Option<PathBuf> {
        self.fees.as_ref().filter(|fees| fees.ends_with(TIERS_ENDING)).map(PathBuf::from)
    }

    /// The schedule, if one is given.
    ///
    /// # Errors
    /// There is none of that name, or the file has none.
    pub fn plan(&self) -> Result<Option<FeePlan>, Failure> {
        if let Some((maker_bps, taker_bps)) = self.maker_fee_bps.zip(self.taker_fee_bps) {
            let schedule = FeeSchedule::flat("as given", maker_bps, taker_bps).map_err(Failure::input)?;
            return Ok(Some(FeePlan { schedule, trailing_value: 0.0 }));
        }
        let Some(fees) = &self.fees else { return Ok(None) };
        let schedule = if fees.ends_with(TIERS_ENDING) {
            read(Path::new(fees)).map_err(|what| Failure::input(format!("--fees: {what}")))?
        } else {
            let known = || format!("--fees: no schedule '{fees}'; there are {}, or give a FILE.toml", Preset::names());
            Preset::named(fees).ok_or_else(|| Failure::input(known()))?.schedule()
        };
        Ok(Some(FeePlan { schedule, trailing_value: self.trailing_value.unwrap_or_default() }))
    }
}

/// A file of tiers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    name: Option<String>,
    window_days: Option<u32>,
    #[serde(default)]
    tier: Vec<FileTier>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileTier {
    from: f64,
    maker_bps: f64,
    taker_bps: f64,
}

/// Reads a file of tiers.
fn read(path: &Path) -> Result<FeeSchedule, String> {
    let shown = path.display();
    let text = small_file::read_text(path, BYTES_MAX).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let line_at = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count();
    if let Some(at) = too_deep(&text) {
        return Err(format!("{shown}, line {}: brackets or dots lie too deep", line_at(at)));
    }
    let file: File = toml::from_str(&text).map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| format!(", line {}", line_at(span.start)));
        format!("{shown}{place}: {}", error.message())
    })?;
    let tier = |FileTier { from, maker_bps, taker_bps }| Tier { from_value: from, maker_bps, taker_bps };
    let tiers = file.tier.into_iter().map(tier).collect();
    let name = file.name.unwrap_or_else(|| path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    FeeSchedule::new(name, file.window_days.unwrap_or(WINDOW_DAYS), tiers).map_err(|error| format!("{shown}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(fees: &str, trailing_value: Option<f64>) -> Result<FeePlan, String> {
        let args = FeeArgs { fees: Some(fees.into()), trailing_value, ..FeeArgs::default() };
        args.plan().map(|plan| plan.expect("a schedule is given")).map_err(|error| error.to_string())
    }

    fn of_file(text: &str) -> Result<FeePlan, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, text).unwrap();
        let folder = format!("{}/", folder.path().display());
        plan(path.to_str().unwrap(), None).map_err(|error| error.replace(&folder, ""))
    }

    #[test]
    fn presets_go_by_name_and_value() {
        let begins = |value| plan("coinbase-exchange", value).unwrap().first_tier();
        assert_eq!((begins(None).maker_bps, begins(None).taker_bps), (40.0, 60.0));
        assert_eq!((begins(Some(75e6)).maker_bps, begins(Some(75e6)).taker_bps), (3.0, 12.0));
        for unknown in ["list", "Coinbase"] {
            let error = plan(unknown, None).unwrap_err();
            assert!(
                error.starts_with(&format!("--fees: no schedule '{unknown}'; there are binance-spot, ")),
                "{error}"
            );
            assert!(error.ends_with(", kraken-maker-rebates, or give a FILE.toml") && error.lines().count() == 1);
        }
    }

    #[test]
    fn two_fees_are_a_schedule() {
        let args = FeeArgs { maker_fee_bps: Some(-1.0), taker_fee_bps: Some(3.0), ..FeeArgs::default() };
        let tier = args.plan().unwrap().unwrap().first_tier();
        assert_eq!((tier.maker_bps, tier.taker_bps), (-1.0, 3.0));
        assert_eq!(FeeArgs::default().plan().unwrap(), None);
    }

    #[test]
    fn a_file_has_tiers() {
        let text = "name = 'x'\nwindow-days = 14\n[[tier]]\nfrom = 0\nmaker-bps = 1\ntaker-bps = 5.5\n[[tier]]\nfrom = 1e6\nmaker-bps = -0.5\ntaker-bps = 4\n";
        let schedule = of_file(text).unwrap().schedule;
        assert_eq!((schedule.name(), schedule.window_days(), schedule.tiers().len()), ("x", 14, 2));
        assert_eq!(schedule.tiers()[1], Tier { from_value: 1e6, maker_bps: -0.5, taker_bps: 4.0 });
        assert_eq!(of_file("[[tier]]\nfrom=0\nmaker-bps=1\ntaker-bps=2").unwrap().schedule.name(), "mine");
        let tiers = "[[tier]]\nfrom = 0\nmaker-bps = 1\ntaker-bps = 5\n";
        for (text, error) in [
            (String::new(), "--fees: mine.toml: 0 tiers; a schedule has 1 to 64"),
            (format!("{tiers}{tiers}"), "--fees: mine.toml: tier 2 begins at 0, which is not above tier 1's 0"),
            (
                tiers.replace("1", "20000"),
                "--fees: mine.toml: tier 1: 20000 is not a fee; a fee is a number of basis points from -10000 to 10000",
            ),
            (tiers.replace("taker-bps", "taker"), "--fees: mine.toml, line 4: unknown field `taker`, "),
            (tiers.replace("taker-bps = 5\n", ""), "--fees: mine.toml, line 1: missing field `taker-bps`"),
            ("[[[[[[[[[[[[".into(), "--fees: mine.toml, line 1: brackets or dots lie too deep"),
        ] {
            let found = of_file(&text).unwrap_err();
            assert!(found.starts_with(error) && found.lines().count() == 1, "{found}");
        }
        assert!(plan("/nowhere/x.toml", None).unwrap_err().starts_with("--fees: cannot read /nowhere/x.toml: "));
    }
}
