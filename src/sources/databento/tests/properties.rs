//! Orders added up, and bytes of any kind.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_add_up_to_the_orders(
        steps in prop::collection::vec((0..4_u8, 0..12_u64, 1..6_i64, 0..6_u32, any::<bool>(), any::<bool>()), 1..120),
    ) {
        let (mut ours, mut queue) = (OrderBook::default(), Queue::default());
        let (mut orders, mut book, mut frame) = (BTreeMap::<u64, (Side, u64, u64)>::new(), Book::new(), RawFrame::default());
        let clear = Record { action: b'R', flags: 128, ..Record::default() };
        ours.take(&clear, 0, &mut queue).unwrap();
        for (at, &(action, order_id, price, size, is_bid, is_last)) in steps.iter().enumerate() {
            let side = if is_bid { Side::Bid } else { Side::Ask };
            let record = Record {
                action: b"ACMR"[usize::from(if at % 40 == 39 { action } else { action.min(2) })],
                side: if is_bid { b'B' } else { b'A' },
                flags: if is_last { 128 } else { 0 },
                price,
                size,
                order_id,
                ..Record::default()
            };
            match record.action {
                b'R' => orders.clear(),
                b'C' => {
                    let order = orders.entry(order_id).or_insert((side, 0, 0));
                    order.2 = order.2.saturating_sub(size.into());
                }
                _ => { orders.insert(order_id, (side, price as u64, size.into())); }
            }
            orders.retain(|_, order| order.2 > 0);
            // Records of one time, so that clears wait for the end of their event too.
            ours.take(&record, 0, &mut queue).unwrap();
            while queue.pop(&mut frame) {
                apply(&mut book, &frame);
            }
            if is_last {
                let mut sums = Book::new();
                for (side, price, size) in orders.values() {
                    *sums.entry((*side, *price)).or_default() += size;
                }
                prop_assert_eq!(&book, &sums);
            }
        }
    }

    #[test]
    fn frames_add_up_to_the_ten_levels(
        steps in prop::collection::vec(
            (prop::collection::btree_map((any::<bool>(), 1..30_u64), 1..4_u32, 0..24), any::<bool>(), 0..20_u8), 1..30,
        ),
    ) {
        let (mut ours, mut queue) = (LevelBook::default(), Queue::default());
        let (mut book, mut frame) = (Book::new(), RawFrame::default());
        for (at, (whole, is_last, action)) in steps.iter().enumerate() {
            let whole: Book = whole
                .iter()
                .map(|(&(is_bid, price), &size)| ((if is_bid { Side::Bid } else { Side::Ask }, price), size.into()))
                .collect();
            let (bids, asks) = (top(&whole, Side::Bid), top(&whole, Side::Ask));
            let shown = |levels: &[(u64, u64)], at: usize| {
                levels.get(at).map_or((UNDEFINED_PRICE, 0), |&(price, size)| (price as i64, size as u32))
            };
            let record = Record {
                action: if *action == 0 { b'R' } else { b'A' },
                side: b'N',
                flags: if *is_last { 128 } else { 0 },
                levels: std::array::from_fn(|at| {
                    let ((bid_price, bid_size), (ask_price, ask_size)) = (shown(&bids, at), shown(&asks, at));
                    Pair { bid_price, ask_price, bid_size, ask_size }
                }),
                ..Record::default()
            };
            ours.take(&record, at as i64, &mut queue).unwrap();
            ours.end(&mut queue).unwrap();
            while queue.pop(&mut frame) {
                let is_snapshot = frame.kind == RawKind::Snapshot;
                prop_assert_eq!(is_snapshot, at == 0 || *action == 0);
                for RawLevel { side, price, size } in &frame.levels {
                    // Nothing is told that does not change.
                    let before = if is_snapshot { None } else { book.get(&(*side, price.at(9).unwrap())) };
                    prop_assert_ne!(before.copied().unwrap_or(0), size.at(0).unwrap());
                }
                apply(&mut book, &frame);
            }
            let seen: Book = [(Side::Bid, bids), (Side::Ask, asks)]
                .into_iter()
                .flat_map(|(side, levels)| levels.into_iter().map(move |(price, size)| ((side, price), size)))
                .collect();
            prop_assert_eq!(&book, &seen);
        }
    }

    #[test]
    fn no_bytes_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
        which in 0..3_usize,
    ) {
        let records = [mbo(7, 1, 0, 'R', UNDEFINED_PRICE, 128), mbo(7, 1, 1, 'A', 5, 128), mbo(7, 1, 2, 'T', 5, 128)];
        let levels = [mbp(0, 'A', 'B', 128, Some((9, 1)), None), mbp(2, 'T', 'B', 0, Some((9, 1)), Some((10, 1)))];
        let mut bytes = match which {
            0 => binary(MBO, &[("ESH4", &[7])], &records),
            1 => binary(MBP10, &[("ESH4", &[118])], &levels),
            _ => csv(&[row(0, 'R', 'N', "", 0, 0, 128), row(1, 'A', 'B', "5.51", 1, 1, 128)]),
        };
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let all = read_bytes(&bytes, &ReaderSettings::default());
        if let Some(error) = all.error {
            prop_assert!(error.starts_with("FILE"), "{}", error);
        }
    }
}
