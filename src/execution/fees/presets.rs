//! Fee schedules that venues publish: facts with their date and where they stand. A schedule is as its source says on that
//! date; venues change them. Passing promotions, discounts for holding a venue's token and conditions other than traded
//! value (balances, shares of a venue's volume) are left out.

use super::schedule::{FeePlan, FeeSchedule, Tier};

/// A venue's published schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// How it is called on the command line.
    pub name: &'static str,
    /// From when on it was in force, year, month, day.
    pub date: &'static str,
    /// Where it is published.
    pub source: &'static str,
    /// Days of trading that decide the tier.
    pub window_days: u32,
    /// From the lowest traded value.
    pub tiers: &'static [Tier],
}

const fn tier(from_value: f64, maker_bps: f64, taker_bps: f64) -> Tier {
    Tier { from_value, maker_bps, taker_bps }
}

/// All that are known here, by name.
pub const PRESETS: [Preset; 8] = [
    Preset {
        name: "binance-spot",
        date: "2022-06-01",
        source: "Binance, announcement of 31 May 2022: VIP Program Upgrade, spot; its tiers ask for balances of BNB too",
        window_days: 30,
        tiers: &[
            tier(0.0, 10.0, 10.0),
            tier(1e6, 9.0, 10.0),
            tier(5e6, 8.0, 10.0),
            tier(20e6, 7.0, 10.0),
            tier(120e6, 2.0, 4.0),
        ],
    },
    Preset {
        name: "bitmex-derivatives",
        date: "2023-01-17",
        source: "BitMEX blog: Fee Changes, Better Discounts, and More Maker Incentives; average daily value over 30 days, here times 30",
        window_days: 30,
        tiers: &[
            tier(0.0, 2.0, 7.5),
            tier(30e6, 1.0, 5.0),
            tier(150e6, 0.0, 4.0),
            tier(300e6, 0.0, 3.5),
            tier(750e6, 0.0, 3.0),
            tier(1.5e9, 0.0, 2.5),
            tier(3e9, -0.3, 2.4),
            tier(7.5e9, -0.5, 2.3),
            tier(15e9, -0.8, 2.2),
            tier(30e9, -1.0, 1.75),
        ],
    },
    Preset {
        name: "coinbase-exchange",
        date: "2022-09-20",
        source: "Coinbase help centre: Exchange fees, as of the change of 20 September 2022 (Exchange, Pro, Advanced Trade)",
        window_days: 30,
        tiers: &[
            tier(0.0, 40.0, 60.0),
            tier(10e3, 25.0, 40.0),
            tier(50e3, 15.0, 25.0),
            tier(100e3, 10.0, 20.0),
            tier(1e6, 8.0, 18.0),
            tier(15e6, 6.0, 16.0),
            tier(75e6, 3.0, 12.0),
            tier(250e6, 0.0, 8.0),
            tier(400e6, 0.0, 5.0),
        ],
    },
    Preset {
        name: "coinbase-international-perpetuals",
        date: "2025-02-01",
        source: "Coinbase help centre: International Exchange Liquidity Program, perpetuals, tier 1 (over 5 % of a month's volume)",
        window_days: 30,
        tiers: &[tier(0.0, -0.7, 1.2)],
    },
    Preset {
        name: "coinbase-international-spot",
        date: "2025-02-01",
        source: "Coinbase help centre: International Exchange Liquidity Program, spot, tier 1 (over 1 % of a month's volume)",
        window_days: 30,
        tiers: &[tier(0.0, -0.5, 0.5)],
    },
    Preset {
        name: "hyperliquid-perpetuals",
        date: "2025-05-05",
        source: "Hyperliquid docs: Fees, perpetuals, base rate; 14 days",
        window_days: 14,
        tiers: &[
            tier(0.0, 1.5, 4.5),
            tier(5e6, 1.2, 4.0),
            tier(25e6, 0.8, 3.5),
            tier(100e6, 0.4, 3.0),
            tier(500e6, 0.0, 2.8),
            tier(2e9, 0.0, 2.6),
            tier(7e9, 0.0, 2.4),
        ],
    },
    Preset {
        name: "kcex-futures",
        date: "2024-10-31",
        source: "KCEX support: Futures taker fee reduction of 31 October 2024",
        window_days: 30,
        tiers: &[tier(0.0, 0.0, 1.0)],
    },
    Preset {
        name: "kraken-maker-rebates",
        date: "2025-06-26",
        source: "Kraken blog: Announcing maker rebates on select spot pairs",
        window_days: 30,
        tiers: &[
            tier(0.0, 23.0, 40.0),
            tier(10e3, 18.0, 35.0),
            tier(50e3, 12.0, 24.0),
            tier(100e3, 10.0, 22.0),
            tier(250e3, 8.0, 20.0),
            tier(500e3, 6.0, 18.0),
            tier(1e6, 4.0, 16.0),
            tier(2.5e6, 2.0, 14.0),
            tier(5e6, 0.0, 12.0),
            tier(10e6, -2.0, 10.0),
            tier(100e6, -2.0, 8.0),
        ],
    },
];

impl Preset {
    /// By its name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// All names, for people.
    pub fn names() -> String {
        PRESETS.map(|preset| preset.name).join(", ")
    }

    /// The taker fee of the highest tier, which is the lowest, basis points.
    pub const fn lowest_taker_bps(&self) -> f64 {
        let (mut lowest, mut at) = (f64::INFINITY, 0);
        while at < self.tiers.len() {
            if self.tiers[at].taker_bps < lowest {
                lowest = self.tiers[at].taker_bps;
            }
            at += 1;
        }
        lowest
    }

    /// As a schedule.
    pub fn schedule(&self) -> FeeSchedule {
        FeeSchedule::new(self.name, self.window_days, self.tiers.to_vec())
            .expect("a test has made every preset")
            .published(self.date, self.source)
    }

    /// For an account that has traded `trailing_value` in the days that count.
    pub fn plan(&self, trailing_value: f64) -> FeePlan {
        FeePlan { schedule: self.schedule(), trailing_value }
    }
}

/// The preset with the lowest taker fee of all.
pub const LOWEST_TAKER: Preset = {
    let (mut lowest, mut at) = (PRESETS[0], 1);
    while at < PRESETS.len() {
        if PRESETS[at].lowest_taker_bps() < lowest.lowest_taker_bps() {
            lowest = PRESETS[at];
        }
        at += 1;
    }
    lowest
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::fees::LOWEST_TAKER_FEE_BPS;

    #[test]
    fn every_preset_is_a_schedule_with_its_date() {
        for preset in PRESETS {
            let schedule = preset.schedule();
            assert_eq!((schedule.name(), schedule.tiers()), (preset.name, preset.tiers));
            assert_eq!(schedule.source(), Some(preset.source));
            let numbers: Vec<u32> = preset.date.split('-').map(|part| part.parse().unwrap()).collect();
            assert!(matches!(numbers[..], [2015..=2100, 1..=12, 1..=31]) && preset.date.len() == 10, "{}", preset.date);
            assert!(preset.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", preset.name);
            assert_eq!(Preset::named(preset.name), Some(&preset));
            // What is dearer for those who trade more is a slip of the pen.
            let falls = |of: fn(&Tier) -> f64| preset.tiers.is_sorted_by(|a, b| of(a) >= of(b));
            assert!(falls(|tier| tier.maker_bps) && falls(|tier| tier.taker_bps), "{}", preset.name);
        }
        assert!(PRESETS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(Preset::named("list"), None);
    }

    #[test]
    fn the_lowest_taker_fee_is_that_of_the_presets() {
        let all = PRESETS.iter().flat_map(|preset| preset.tiers).map(|tier| tier.taker_bps);
        assert_eq!(LOWEST_TAKER_FEE_BPS, all.fold(f64::INFINITY, f64::min));
        assert_eq!((LOWEST_TAKER.name, LOWEST_TAKER_FEE_BPS), ("coinbase-international-spot", 0.5));
    }
}
