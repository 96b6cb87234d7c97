//! What to connect to.

use super::{ProductList, check_products, parse_duration, parse_products};
use crate::base::clock::wall_ns;
use crate::base::failure::Failure;
use crate::feed::backoff::Backoff;
use crate::feed::coinbase::auth::Credentials;
use crate::feed::intake::ScaleRule;
use crate::feed::live::LiveSettings;
use crate::feed::vitals::Patience;
use crate::feed::wire::{Connector, WireConfig};
use crate::handoff::Wait;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// The venue's market-data feed.
pub const VENUE_URL: &str = "wss://advanced-trade-ws.coinbase.com";
/// What to connect to.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// Products to subscribe to, separated by commas: at most 64, 16 on a connection
    #[arg(long, value_name = "NAME,…", default_value = "BTC-USD", value_parser = parse_products)]
    pub product: ProductList,
    /// Subscribe to the book alone and not to market_trades, the prints
    #[arg(long)]
    pub no_trades: bool,
    /// The feed
    #[arg(long, value_name = "URL", default_value = VENUE_URL)]
    pub url: String,
    /// Trust the root certificates in this PEM file besides the public ones
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Allow ws:// to other machines
    #[arg(long)]
    pub allow_plaintext: bool,
    /// How long to run: seconds, or 90s, 30m, 2h [default: until Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Reconnect when the product is silent for so long although heartbeats come; of several products subscribe again to that one
    #[arg(long, value_name = "TIME", default_value = "30", value_parser = parse_duration)]
    pub stale_after: Duration,
    /// Give up after so many failed attempts in a row at any connection [default: 5 before the first is made, then never]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_retries: Option<u32>,
}

impl ConnectionArgs {
    /// Reads certificates and credentials and makes the settings of a live feed.
    ///
    /// # Errors
    /// Any of them is bad.
    pub fn settings(&self, rule: ScaleRule, wait: Wait) -> Result<LiveSettings, Failure> {
        let ProductList(names) = &self.product;
        check_products(names, rule)?;
        let config = WireConfig {
            extra_ca: self.ca_cert.clone(),
            allow_plaintext: self.allow_plaintext,
            ..WireConfig::new(&self.url)
        };
        let connector = Connector::new(&config).map_err(Failure::input)?.into();
        let credentials = Credentials::from_env().map_err(Failure::input)?;
        Ok(LiveSettings {
            connector,
            products: names.clone(),
            prints: !self.no_trades,
            rule,
            wait,
            patience: Patience { stale_after: self.stale_after, ..Patience::default() },
            duration: self.duration,
            max_retries: self.max_retries,
            credentials,
            // Clients that lose the venue at the same moment must not come back at the same moment.
            backoff: Backoff::new(wall_ns().unsigned_abs() ^ u64::from(std::process::id()) << 32),
        })
    }
}
