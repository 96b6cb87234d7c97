//! A record of a market, whatever the encoding.
//!
//! ```
//! use papertrader::sources::databento::record::price;
//!
//! assert_eq!(price(13_410_000_000)?.to_string(), "13.41");
//! assert_eq!(price(-1).unwrap_err(), "price -0.000000001 is negative: spreads cannot be replayed, choose an outright");
//! # Ok::<(), String>(())
//! ```

use crate::market::units::Side;
use crate::sources::number::Number;

/// A price that is none.
pub const UNDEFINED_PRICE: i64 = i64::MAX;
/// A size that is none.
pub const UNDEFINED_SIZE: u32 = u32::MAX;
/// Levels of a side that a record of `mbp-10` has.
pub const LEVELS: usize = 10;
/// Decimals of a price.
pub const PRICE_DECIMALS: u8 = 9;
/// 1980 to 2100, nanoseconds.
const TIMES_NS: std::ops::Range<i64> = 315_532_800_000_000_000..4_102_444_800_000_000_000;

/// A schema from which a book can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schema {
    /// Market by order.
    #[default]
    Mbo,
    /// Market by price, ten levels.
    Mbp10,
}

/// A level of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// In 1e-9; [`UNDEFINED_PRICE`] where there is none.
    pub bid_price: i64,
    /// In 1e-9; [`UNDEFINED_PRICE`] where there is none.
    pub ask_price: i64,
    /// 0 where there is none.
    pub bid_size: u32,
    /// 0 where there is none.
    pub ask_size: u32,
}

impl Default for Pair {
    fn default() -> Self {
        Self { bid_price: UNDEFINED_PRICE, ask_price: UNDEFINED_PRICE, bid_size: 0, ask_size: 0 }
    }
}

/// A record of either schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Which schema.
    pub schema: Schema,
    /// Who published it; 0 where a CSV does not say.
    pub publisher_id: u16,
    /// Of which instrument; 0 where a CSV does not say.
    pub instrument_id: u32,
    /// When Databento received it, Unix nanoseconds; 0 where undefined.
    pub ts_recv_ns: i64,
    /// The venue's time, Unix nanoseconds; 0 where undefined.
    pub ts_event_ns: i64,
    /// `A`, `C`, `M`, `R`, `T`, `F` or `N`.
    pub action: u8,
    /// `A`, `B` or `N`.
    pub side: u8,
    /// Bits of [`dbn::flags`].
    pub flags: u8,
    /// In 1e-9; [`UNDEFINED_PRICE`] where there is none.
    pub price: i64,
    /// Of the order, the change or the trade; [`UNDEFINED_SIZE`] where there is none.
    pub size: u32,
    /// Of `mbo`; else 0.
    pub order_id: u64,
    /// Of `mbp-10`; else undefined.
    pub levels: [Pair; LEVELS],
}

impl Record {
    /// Whether it has a flag of [`dbn::flags`].
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Its side; `None` for N.
    ///
    /// # Errors
    /// It is neither A, B nor N.
    pub fn side(&self) -> Result<Option<Side>, String> {
        match self.side {
            b'B' => Ok(Some(Side::Bid)),
            b'A' => Ok(Some(Side::Ask)),
            b'N' => Ok(None),
            other => Err(format!("side '{}' is neither A, B nor N", other.escape_ascii())),
        }
    }

    /// The error of an action that does not exist.
    pub fn unknown_action(&self) -> String {
        format!("action '{}' is none of A, C, M, R, T, F and N", self.action.escape_ascii())
    }
}

/// A price that a book can hold.
///
/// # Errors
/// It is undefined, 0 or negative.
pub fn price(count: i64) -> Result<Number, String> {
    match count {
        UNDEFINED_PRICE => Err("price is undefined".into()),
        0 => Err("price is 0".into()),
        ..0 => {
            let (whole, rest) = (count.unsigned_abs() / 1_000_000_000, count.unsigned_abs() % 1_000_000_000);
            Err(format!("price -{whole}.{rest:09} is negative: spreads cannot be replayed, choose an outright"))
        }
        1.. => Number::new(count.unsigned_abs(), PRICE_DECIMALS).ok_or_else(|| "price is too large".into()),
    }
}

/// A size of whole lots.
pub fn size(count: u64) -> Number {
    // Sizes are sums of at most 2^21 counts of 32 bits.
    Number::new(count, 0).unwrap_or_default()
}

/// Nanoseconds of a time column, 0 where undefined.
///
/// # Errors
/// It is no time between 1980 and 2100; of another unit that is named.
pub fn time_ns(count: u64, column: &str) -> Result<i64, String> {
    if let Ok(ns) = i64::try_from(count)
        && TIMES_NS.contains(&ns)
    {
        return Ok(ns);
    }
    if count == u64::MAX {
        return Ok(0);
    }
    Err(not_ns(count, column))
}

/// Why a time is not in nanoseconds.
#[cold]
fn not_ns(count: u64, column: &str) -> String {
    let fits = |factor: u64| {
        let ns = count.checked_mul(factor).and_then(|ns| i64::try_from(ns).ok());
        ns.filter(|ns| TIMES_NS.contains(ns))
    };
    for (factor, unit) in [(1_000, "microseconds"), (1_000_000, "milliseconds"), (1_000_000_000, "seconds")] {
        if fits(factor).is_some() {
            return format!(
                "{column} {count} is in {unit}; Databento's files have nanoseconds: multiply it by {factor}"
            );
        }
    }
    format!("{column} {count} is not a time in nanoseconds since 1970")
}
