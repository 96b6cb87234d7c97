//! Databento's and LOBSTER's files end to end on real samples: from detection to the frames that an engine gets.

use papertrader::engine::status::Status;
use papertrader::feed::intake::IntakeCounts;
use papertrader::market::units::Scale;
use papertrader::research::source::Nobody;
use papertrader::run::session::Feed;
use papertrader::sources::detect::Format;
use papertrader::sources::market::{Market, MarketSettings};
use std::path::{Path, PathBuf};

fn sample(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/samples")).join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: {} is missing", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn real_files_are_replayed_without_being_told_their_format() {
    let mbo = "databento/orderbooks_mbo_2024-05-08T00-00-00_2024-05-08T00-00-02.dbn.zst";
    let lobster = "lobster/AMZN_2012-06-21_34200000_57600000_orderbook_1.csv.gz";
    for (name, product, rows, snapshots, prints, price_decimals) in [
        (mbo, "ESM4", 13_796, 1, 5, 2),
        ("databento/test_data.mbp-10.dbn", "ESH1", 2, 1, 0, 2),
        ("databento_csv/mbo.csv.gz", "ARL", 2_999, 1, 1, 2),
        ("databento_csv/mbp-10.csv.gz", "ARL", 2_999, 1, 6, 2),
        (lobster, "AMZN", 15_000, 1, 2_932, 2),
    ] {
        let Some(path) = sample(name) else { return };
        let market = Market::open(&path, &MarketSettings::default()).unwrap();
        assert_eq!(market.product(), product, "{name}");
        let outcome = market.run(&mut Nobody, &Status::default());
        assert!(outcome.error.is_none(), "{name}: {:?}", outcome.error);
        let IntakeCounts { snapshots: found, prints: printed, faults, .. } = &outcome.first().counts;
        assert_eq!((outcome.lines, *found, *printed, faults.total()), (rows, snapshots, prints, 0), "{name}");
        assert_eq!(outcome.first().scale, Scale { price_decimals, size_decimals: 0 }, "{name}");
    }
}

#[test]
fn a_file_of_one_level_is_refused_with_the_reason() {
    let Some(path) = sample("databento/test_data.mbp-1.v3.dbn.zst") else { return };
    let error = Market::open(&path, &MarketSettings::default()).err().unwrap().to_string();
    assert!(
        error.ends_with("has schema mbp-1: one level a side, where models need more; ask Databento for mbo or mbp-10")
    );
    // Told to be another format, it is not taken for this one.
    let settings = MarketSettings { format: Format::named("lobster"), ..MarketSettings::default() };
    let error = Market::open(&path, &settings).err().unwrap().to_string();
    assert!(error.contains("a name like AMZN_2012-06-21_34200000_57600000_message_10.csv"), "{error}");
}
