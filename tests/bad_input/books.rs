//! Books that are exact and yet nothing to trade on, or only in part.

use super::market::{BOOK, Capture, PRODUCT};
use papertrader::report::text::amount;

#[test]
fn a_crossed_or_locked_book_is_counted_and_nothing_is_bought_or_sold() {
    for price in ["99.95", "100.0"] {
        let capture = Capture::default().snapshot().update(&[("offer", price, "1")]).update(&[("offer", price, "0")]);
        let replayed = capture.quiet(2).replay().well();
        assert_eq!(replayed.count("crossed or locked"), 1);
        assert_eq!((replayed.count("purchases withheld"), replayed.count("faults")), (1, 0));
        assert_eq!(replayed.evaluated, [0, 1, 2, 3, 4]);
        // What falls due with frame 2 waits for frame 3, before which the book is in order again.
        assert_eq!((replayed.trades, replayed.report.contains("sold late")), (vec![(0, 3), (2, 4)], true));
    }
}

#[test]
fn a_thin_book_is_not_evaluated() {
    let asks = [("offer", "100.1", "0"), ("offer", "100.2", "0")];
    let capture = Capture::default().snapshot().quiet(1).update(&asks).update(&[("offer", "100.1", "1")]).quiet(2);
    let replayed = capture.replay().well();
    assert_eq!(replayed.count("none: book too thin"), 1);
    assert_eq!(replayed.evaluated, [0, 1, 3, 4, 5]);
    // Before frame 3 nobody sells, and what falls due with it waits.
    assert_eq!((replayed.count("sold late"), replayed.trades), (1, vec![(0, 2), (1, 4), (3, 5)]));
}

/// A bid that the venue never removes would be sold to for ever.
#[test]
fn nothing_is_sold_into_a_book_that_stays_crossed_or_has_no_bids() {
    for stays in
        [&[("offer", "99.0", "1")][..], &[("bid", "200.0", "1")], &[("bid", "100.0", "0"), ("bid", "99.9", "0")]]
    {
        let replayed = Capture::default().snapshot().quiet(1).update(stays).update(&[("offer", "300.0", "1")]).replay();
        let replayed = replayed.well();
        // Before the book was broken one was sold.
        assert_eq!(replayed.trades, [(0, 2)], "{stays:?}");
        assert!(replayed.report.contains("open positions"), "{}", replayed.report);
    }
}

#[test]
fn a_side_that_runs_out_fills_what_there_is() {
    // 1 to be had at 100.1 and 50 at 100.2; then nobody buys.
    let bids = [("bid", "100.0", "0"), ("bid", "99.9", "0")];
    let capture = Capture::default().snapshot().update(&bids).quiet(1).update(&BOOK);
    let replayed = capture.replay_with(&["--buy-amount", "1000000", "--lag", "1"]).well();
    let spent = 100.1 + 50.0 * 100.2;
    assert_eq!(replayed.trades, [(0, 1), (2, 3)]);
    // Sold into the snapshot's bids, and into the one level that was left: 6 at 99.9.
    assert!((replayed.received[0] - (10.0 * 100.0 + 5.0 * 99.9)).abs() < 1e-9, "{:?}", replayed.received);
    assert!((replayed.received[1] - 6.0 * 99.9).abs() < 1e-9, "{:?}", replayed.received);
    assert_eq!(replayed.count("sold in part"), 2);
    assert!(replayed.report.contains(&format!("on {} bought", amount(2.0 * spent))), "{}", replayed.report);
}

#[test]
fn a_second_snapshot_replaces_the_book() {
    let other = [("bid", "50.0", "10"), ("offer", "50.1", "1")];
    let capture = Capture::default().snapshot().quiet(1).frame(PRODUCT, "snapshot", &other);
    let replayed = capture.update(&other[..1]).update(&other[..1]).replay().well();
    assert_eq!((replayed.count("snapshots"), replayed.count("faults")), (2, 0));
    assert_eq!(replayed.trades, [(0, 2), (1, 3), (2, 4)]);
    // What falls due with the second snapshot is sold into the book before it.
    let volume = 5.0 / 100.1;
    for (received, price) in replayed.received.iter().zip([100.0, 50.0]) {
        assert!((received - volume * price).abs() < 1e-9, "{received}");
    }
}

#[test]
fn prices_far_apart_are_one_book() {
    let far = [("bid", "0.01", "1"), ("offer", "83855057", "1"), ("bid", "100.0", "10"), ("offer", "100.1", "1")];
    let capture = Capture::default().frame(PRODUCT, "snapshot", &far);
    let replayed = capture.update(&[("bid", "100.0", "9")]).quiet(1).replay().well();
    assert_eq!((replayed.count("faults"), replayed.trades), (0, vec![(0, 2)]));
}
