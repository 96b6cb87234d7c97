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
