//! Tables that are known and hold no book that can be replayed, each with the reason.
//!
//! ```
//! use papertrader::sources::table::refuse::refusal;
//!
//! let columns = ["timestamp", "percentage", "depth", "notional"].map(String::from);
//! assert!(refusal(&columns).is_some_and(|why| why.contains("bands of percent")));
//! ```

/// Numbers in a first line from which on it is one of FI-2010.
const FI_2010_NUMBERS: usize = 100;

/// Why a table with these columns cannot be replayed; `None` where it is none of those known.
pub fn refusal(columns: &[String]) -> Option<&'static str> {
    let columns: Vec<String> = columns.iter().map(|column| column.trim().to_lowercase()).collect();
    let has = |name: &str| columns.iter().any(|column| column == name);
    let any = |part: &str| columns.iter().any(|column| column.contains(part));
    if has("coin_metrics_id") {
        return Some(
            "is a table of Coin Metrics, a snapshot every ten seconds or more: too few to make differences of; \
             take the venue's own updates",
        );
    }
    if has("percentage") && has("depth") || any("_pct") && any("depth") {
        return Some("tells depth by bands of percent around the mid: there are no levels in it to replay");
    }
    if any("_distance_") && any("_notional_") {
        return Some(
            "holds distances from the mid and sums of notional, rounded: prices and sizes of levels cannot be had from it",
        );
    }
    if has("open") && has("high") && has("low") && has("close") {
        return Some("is a table of aggregates (open, high, low, close): there is no book in it");
    }
    if has("ask_amount") && has("ask_price") && has("bid_price") && has("bid_amount") {
        return Some(
            "holds Tardis' quotes, level 1 alone: a book of one level has no depth to trade against; \
             take incremental_book_L2 or book_snapshot_25",
        );
    }
    if has("aggressor_side") && has("trade_id") {
        return Some("holds NautilusTrader's trades alone, no book; take its order_book_deltas");
    }
    if has("action") && has("order_id") && has("ts_init") {
        return Some("holds NautilusTrader's deltas, no whole books; read it by --format nautilus");
    }
    if has("bid_price") && has("ask_price") && has("ts_init") {
        return Some(
            "holds NautilusTrader's quotes, level 1 alone: a book of one level has no depth to trade against; \
             take its order_book_deltas",
        );
    }
    let is_trades = has("price") && (has("amount") || has("size") || has("qty") || has("quantity"));
    let is_book = has("side_is_bid") || has("is_snapshot") || has("update_type") || has("action") || any("order_id");
    if is_trades && has("side") && !is_book {
        return Some(
            "holds trades alone, no book; put it beside the book's file: Tardis' are read with incremental_book_L2",
        );
    }
    None
}

/// Whether the first line of a file is one of FI-2010: many normalised numbers between blanks.
pub fn is_fi_2010(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let (mut numbers, mut others) = (0, 0);
    // The last may be cut.
    for word in line.split_ascii_whitespace().take(FI_2010_NUMBERS) {
        if word.parse::<f64>().is_ok() {
            numbers += 1;
        } else {
            others += 1;
        }
    }
    numbers == FI_2010_NUMBERS && others == 0
}

/// Why FI-2010 cannot be replayed.
pub const FI_2010: &str = "is of FI-2010: it has no times, its prices and sizes are normalised beyond return, \
     and it does not say where one stock ends and the next begins";
