//! What may be said of a run's profit, in sentences without markup that the terminal and the page share.

use crate::execution::fees::{LOWEST_TAKER, LOWEST_TAKER_FEE_BPS};
use crate::report::chart::axis::fixed;
use crate::report::html::document::{Document, Shown, duration};
use crate::report::text::{basis_points, plain, things};
use crate::report::trades::{Finding, TRADES_MIN, TradeNumbers};
use crate::statistics::blocks::BLOCKS_MIN;
use crate::statistics::bootstrap::Interval;

fn bps(value: f64) -> String {
    format!("{} bp", Shown::SignedBasisPoints.text(value))
}

fn range(interval: Option<Interval>) -> String {
    let Some(Interval { low, high }) = interval else { return "unknown".into() };
    format!("{} to {}", Shown::SignedBasisPoints.text(low), bps(high))
}

/// The fee at which nothing is left, and what it means; `None` without trades.
pub fn break_even(numbers: &TradeNumbers) -> Option<String> {
    let fee_bps = numbers.break_even_fee_bps?;
    let meaning = if fee_bps > 0.0 {
        let own = match numbers.fee_bps {
            0.0 => String::new(),
            fee_bps => format!(", this run's fee {} bp", plain(fee_bps)),
        };
        let loses = match fee_bps < LOWEST_TAKER_FEE_BPS {
            true => {
                let round_trip_bps = basis_points(2.0 * fee_bps);
                format!("loses at every published fee: would need a round trip below {round_trip_bps} bp; ")
            }
            false => String::new(),
        };
        format!("; {loses}{}{own}.", lowest_taker_fee())
    } else if fee_bps == 0.0 {
        ": nothing was won or lost before fees.".into()
    } else {
        ": it lost before any fee.".into()
    };
    Some(format!("Break-even fee: {} bp per side{meaning}", basis_points(fee_bps)))
}

/// The lowest of the fees that are known, and whose it is.
pub fn lowest_taker_fee() -> String {
    let (name, date) = (LOWEST_TAKER.name, LOWEST_TAKER.date);
    format!("the lowest published taker fee is {LOWEST_TAKER_FEE_BPS} bp ({name}, {date})")
}

/// The fee at which the finding is made.
fn verdict_fee(numbers: &TradeNumbers) -> String {
    if numbers.verdict_fee_bps > LOWEST_TAKER_FEE_BPS {
        format!("this run's fee of {} bp per side", plain(numbers.verdict_fee_bps))
    } else {
        format!("{LOWEST_TAKER_FEE_BPS} bp per side, the lowest published taker fee,")
    }
}

/// What may be said of the profit, in a few sentences.
pub fn finding(numbers: &TradeNumbers) -> String {
    let sure = numbers.interval;
    let before = format!(
        "{} (95\u{a0}% interval {})",
        bps(numbers.gross_bps.unwrap_or_default()),
        range(sure.and_then(|sure| sure.gross_bps))
    );
    let fee = verdict_fee(numbers);
    let mean = bps(numbers.verdict_bps.unwrap_or_default());
    let interval = format!("the 95\u{a0}% interval of the mean, {},", range(sure.and_then(|sure| sure.verdict_bps)));
    let said = match numbers.finding {
        Finding::NoTrades => return "No trade was closed.".into(),
        Finding::TooFew => return too_few(numbers),
        Finding::Gain => format!("A gain after fees: at {fee} the mean trade made {mean}; {interval} lies above zero."),
        Finding::GainInDoubt => format!(
            "No gain that would have been real: at {fee} the mean trade made {mean} and {interval} lies above zero, but not without the \
             trades that give pause below."
        ),
        Finding::GainBeforeFeesOnly
            if sure.and_then(|sure| sure.verdict_bps).is_some_and(|verdict| verdict.high < 0.0) =>
        {
            format!(
                "A loss after fees: at {fee} the mean trade made {mean}; {interval} lies below zero. Before fees it made {before}."
            )
        }
        Finding::GainBeforeFeesOnly => format!(
            "A gain before fees only: the mean trade made {before} before fees. At {fee} it made {mean}; {interval} holds zero."
        ),
        Finding::Loss => format!(
            "A loss: at {fee} the mean trade made {mean}; {interval} lies below zero. Before fees it made {before}."
        ),
        Finding::Undecided => format!(
            "Neither a gain nor a loss can be told: at {fee} the mean trade made {mean}; {interval} holds zero. Before fees \
             it made {before}."
        ),
    };
    // A lower fee than any taker's is computed, and decides nothing.
    if numbers.fee_bps == 0.0 || numbers.fee_bps == numbers.verdict_fee_bps {
        return said;
    }
    let (own, net) = (numbers.fee_bps, bps(numbers.net_bps.unwrap_or_default()));
    format!("{said} At this run's fee of {own} bp per side: {net} ({}).", range(sure.and_then(|sure| sure.net_bps)))
}

fn too_few(numbers: &TradeNumbers) -> String {
    let fee = match numbers.fee_bps {
        0.0 => "Before fees".to_string(),
        fee => format!("After fees of {} bp per side", plain(fee)),
    };
    let net = bps(numbers.net_bps.unwrap_or_default());
    let mean = format!("{} made {net}", if numbers.trades == 1 { "it" } else { "the mean trade" });
    let Some(interval) = numbers.interval else {
        return format!(
            "A gain or a loss cannot be told from chance: the trades have no receive times that go forward. {fee} {mean}."
        );
    };
    let trades = fixed(numbers.trades as f64, 0);
    let block_s = duration(interval.settings.block_s.unwrap_or_default() * 1e9);
    let blocks = match interval.blocks {
        0 => format!("less than one block of {block_s}"),
        1 => format!("1 whole block of {block_s}"),
        more => format!("{more} whole blocks of {block_s}"),
    };
    format!(
        "Not enough trades to tell: {trades} {} in {blocks}, where at least {TRADES_MIN} trades and {BLOCKS_MIN} \
         blocks are needed. {fee} {mean}.",
        things(numbers.trades, "trade")
    )
}

/// What gives pause about trades that no market would have made like that, a sentence each. `say` gives a number by its path
/// in `RUN.json`.
pub fn doubts(numbers: &TradeNumbers, say: impl Fn(&str, Shown) -> String) -> Vec<String> {
    let trades = |count: u64, path: &str| format!("{} {}", say(path, Shown::Count), things(count, "trade"));
    let mut sentences = Vec::new();
    if let Some(gaps) = numbers.held_across_gaps.filter(|gaps| gaps.trades > 0) {
        let at = |field: &str| format!("trades.held_across_gaps.{field}");
        let (who, were) = (trades(gaps.trades, &at("trades")), if gaps.trades == 1 { "was" } else { "were" });
        let others = match gaps.others_gross_bps {
            Some(_) => format!(
                "Without: {} before fees, {} bp per trade, break-even fee {} bp per side.",
                say(&at("others_gross_profit"), Shown::Profit),
                say(&at("others_gross_bps"), Shown::SignedBasisPoints),
                say(&at("others_break_even_fee_bps"), Shown::BasisPoints)
            ),
            None => "There is no other trade.".into(),
        };
        sentences.push(format!(
            "{who} {were} held across a gap: a snapshot came between buy and sale, or the sale waited for a book that was \
             live, two-sided and not crossed. Gross profit of these: {}. {others}",
            say(&at("gross_profit"), Shown::Profit)
        ));
    }
    if let Some(count) = numbers.took_again.filter(|&count| count > 0) {
        let times = things(count, "time");
        sentences.push(format!(
            "The same liquidity was counted again {} {times}: the best level, unchanged since an earlier fill of this run, no longer \
             held what the trade took from it. A market would have filled it worse.",
            say("trades.took_again", Shown::Count)
        ));
    }
    if let Some(count) = numbers.below_lot.filter(|&count| count > 0) {
        sentences.push(format!(
            "Warning: {} bought less than one lot, the smallest volume of the product. No venue fills that; give a larger \
             --buy-amount.",
            trades(count, "trades.below_lot")
        ));
    }
    sentences
}

/// The same without markup.
pub fn doubts_in_text(numbers: &TradeNumbers) -> Vec<String> {
    let document = Document::of(&serde_json::json!({ "trades": numbers }));
    doubts(numbers, |path, shown| shown.text_of(document.number(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::trades::{HeldAcrossGaps, TradeTable};

    fn of(profits: &[f64], fee_bps: f64) -> TradeNumbers {
        let at = |n: usize, held_s: usize| (n + held_s) as i64 * 1_000_000_000;
        let table = TradeTable {
            buy_sequence: (0..profits.len() as u64).collect(),
            sell_sequence: (0..profits.len() as u64).map(|n| n + 1).collect(),
            bought: vec![100.0; profits.len()],
            sold: profits.iter().map(|profit| 100.0 + profit).collect(),
            profit: profits.to_vec(),
            buy_ts_recv_ns: (0..profits.len()).map(|n| at(n, 0)).collect(),
            sell_ts_recv_ns: (0..profits.len()).map(|n| at(n, 1)).collect(),
            ..TradeTable::default()
        };
        TradeNumbers::of(&table, fee_bps)
    }

    #[test]
    fn the_break_even_fee_is_put_beside_what_is_paid() {
        for (profit, fee_bps, text) in [
            (
                0.004,
                0.0,
                "Break-even fee: 0.200 bp per side; loses at every published fee: would need a round trip below 0.400 bp; the \
                 lowest published taker fee is 0.5 bp (coinbase-international-spot, 2025-02-01).",
            ),
            (
                0.02,
                3.0,
                "Break-even fee: 1.000 bp per side; the lowest published taker fee is 0.5 bp (coinbase-international-spot, \
                 2025-02-01), this run's fee 3 bp.",
            ),
            (0.0, 0.0, "Break-even fee: 0.000 bp per side: nothing was won or lost before fees."),
            (-0.01, 0.0, "Break-even fee: −0.500 bp per side: it lost before any fee."),
        ] {
            assert_eq!(break_even(&of(&[profit; 5], fee_bps)).unwrap(), text);
        }
        assert_eq!(break_even(&of(&[], 0.0)), None);
    }

    #[test]
    fn a_gain_that_no_fee_leaves_is_told_apart() {
        let text = finding(&of(&[0.004; 500], 0.0));
        assert_eq!(
            text.replace('\u{a0}', " "),
            "A loss after fees: at 0.5 bp per side, the lowest published taker fee, the mean trade made −0.600 bp; the 95 % \
             interval of the mean, −0.600 to −0.600 bp, lies below zero. Before fees it made +0.400 bp (95 % interval +0.400 to \
             +0.400 bp)."
        );
        let rebate = finding(&of(&[0.004; 500], -1.0));
        assert!(rebate.starts_with("A loss after fees: at 0.5 bp "), "{rebate}");
        assert!(rebate.ends_with("At this run's fee of -1 bp per side: +2.400 bp (+2.400 to +2.400 bp)."), "{rebate}");
        let gain = finding(&of(&[0.05; 500], 1.0));
        assert!(
            gain.starts_with("A gain after fees: at this run's fee of 1 bp per side the mean trade made +3.000 bp; "),
            "{gain}"
        );
    }

    #[test]
    fn doubts_say_how_many_and_what_is_left() {
        let gaps = HeldAcrossGaps {
            trades: 1,
            gross_profit: -7.0,
            others_gross_profit: 2.0,
            others_gross_bps: Some(3.0),
            others_break_even_fee_bps: Some(1.5),
        };
        let numbers =
            TradeNumbers { held_across_gaps: Some(gaps), took_again: Some(2), below_lot: Some(1), ..of(&[1.0], 0.0) };
        let say = |path: &str, _| format!("<{path}>");
        let [gap, again, lot] = &doubts(&numbers, say)[..] else { panic!("three sentences") };
        assert!(gap.starts_with("<trades.held_across_gaps.trades> trade was held across a gap: "), "{gap}");
        assert!(gap.contains("Without: <trades.held_across_gaps.others_gross_profit> before fees"), "{gap}");
        assert!(again.starts_with("The same liquidity was counted again <trades.took_again> times: "), "{again}");
        assert!(lot.starts_with("Warning: <trades.below_lot> trade bought less than one lot"), "{lot}");
        assert!(doubts(&of(&[1.0], 0.0), say).is_empty());
    }
}
