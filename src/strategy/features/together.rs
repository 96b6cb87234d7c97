//! Several lists of features computed together, each as if it were alone.
//!
//! ```
//! use papertrader::market::book::Book;
//! use papertrader::market::event::Event;
//! use papertrader::market::units::{Scale, Side};
//! use papertrader::strategy::features::{Feature, Input, together};
//!
//! let lists: [Vec<Input>; 2] = [vec![Feature::Mid.into()], vec![Feature::SpreadTicks.into(), Feature::Mid.into()]];
//! let [mut set] = together(&lists.each_ref().map(Vec::as_slice)).try_into().expect("both look at one level");
//! assert_eq!(set.features.features().len(), 2);
//!
//! let mut book = Book::default();
//! book.begin_snapshot(Scale { price_decimals: 2, size_decimals: 2 });
//! book.stage(&[Event::level(Side::Bid, 9_999, 300), Event::level(Side::Ask, 10_001, 100)]);
//! book.end_snapshot().expect("two levels are not too many");
//! let updated = set.features.update(&book, 0);
//! let (list, share) = &set.shares[1];
//! assert_eq!((*list, share.outcome(&set.features, &book, updated)), (1, Ok(true)));
//! assert!(set.features.values_of(share).eq([2.0, 100.0]));
//! ```

use super::plan::{ASK, BID, Place};
use super::{Compiled, FeatureSet, Input, NoFeatures};
use crate::market::book::Book;

/// Lists that are computed together.
#[derive(Debug)]
pub struct Together {
    /// What computes all that they name.
    pub features: FeatureSet,
    /// Each list by its index among those given, and its part of the set.
    pub shares: Vec<(usize, Share)>,
}

/// One list's part of a set that computes several.
#[derive(Clone, Debug)]
pub struct Share {
    /// Of its features, in their order.
    places: Vec<Place>,
    /// How many levels it looks at, of bids and of asks.
    depths: [usize; 2],
    /// Of its expressions that may be left without a value.
    expressions: Vec<Place>,
    /// Whether the set computes nothing else, and says by itself what becomes of the list.
    is_whole: bool,
}

impl Share {
    fn whole(set: &FeatureSet) -> Self {
        Self { places: set.plan.places.clone(), depths: set.plan.depths, expressions: Vec::new(), is_whole: true }
    }

    fn part(list: &[Input], set: &FeatureSet) -> Self {
        let alone = compiled(list);
        let place = |input: &Input| {
            let at = set.features.iter().position(|known| known == input).expect("the set computes every list");
            set.plan.places[at]
        };
        let is_stored = |at: Place| alone.program.as_ref().is_some_and(|program| program.stores_to(at));
        let expressions = list.iter().zip(&alone.plan.places).filter(|&(_, &at)| is_stored(at));
        Self {
            places: list.iter().map(place).collect(),
            depths: alone.plan.depths,
            expressions: expressions.map(|(input, _)| place(input)).collect(),
            is_whole: false,
        }
    }

    /// Where the list's features lie, in their order.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// What became of the list when the set was updated from `book`, which said `updated`: whether any of its features may have
    /// changed.
    ///
    /// # Errors
    /// Why the list has no features after this frame.
    #[inline]
    pub fn outcome(
        &self,
        features: &FeatureSet,
        book: &Book,
        updated: Result<bool, NoFeatures>,
    ) -> Result<bool, NoFeatures> {
        if self.is_whole {
            return updated;
        }
        self.outcome_of_part(features, book, updated)
    }

    fn outcome_of_part(
        &self,
        features: &FeatureSet,
        book: &Book,
        updated: Result<bool, NoFeatures>,
    ) -> Result<bool, NoFeatures> {
        let has_changed = match updated {
            Ok(has_changed) => has_changed,
            // An expression of any list; what this list computes may have changed.
            Err(NoFeatures::Undefined) => true,
            Err(reason) => return Err(reason),
        };
        if book.bids().top().len() < self.depths[BID] || book.asks().top().len() < self.depths[ASK] {
            return Err(NoFeatures::Thin);
        }
        match self.expressions.iter().all(|&place| features.numbers[place].is_finite()) {
            true => Ok(has_changed),
            false => Err(NoFeatures::Undefined),
        }
    }
}

/// Puts lists together where each keeps its values and its gaps to the last bit: lists that look at nothing but the book as it
/// is share what they compute; lists with a past, which begins and ends with their own depth, share it with equal lists.
///
/// # Panics
/// A list is more than [`check`](super::check) lets pass.
pub fn together(lists: &[&[Input]]) -> Vec<Together> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, list) in lists.iter().enumerate() {
        let Compiled { plan, reads, .. } = compiled(list);
        let has_past = plan.looks_back || reads.iter().any(|feature| feature.history() > 0);
        match groups.iter_mut().find_map(|group| group.union_with(list, has_past).map(|union| (group, union))) {
            Some((group, union)) => {
                group.union = union;
                group.members.push(index);
            }
            None => groups.push(Group { union: list.to_vec(), members: vec![index], has_past }),
        }
    }
    groups.into_iter().map(|group| group.into_together(lists)).collect()
}

fn compiled(list: &[Input]) -> Compiled {
    Compiled::new(list).unwrap_or_else(|error| panic!("{error}"))
}

/// Lists that can be put together.
struct Group {
    /// What they name. Equal to the list where all are equal.
    union: Vec<Input>,
    /// Which they are.
    members: Vec<usize>,
    has_past: bool,
}

impl Group {
    /// What it names with another list, if it takes one.
    fn union_with(&self, list: &[Input], has_past: bool) -> Option<Vec<Input>> {
        if self.union == list {
            return Some(self.union.clone());
        }
        if self.has_past || has_past {
            return None;
        }
        let mut union: Vec<Input> = Vec::new();
        for input in self.union.iter().chain(list) {
            if !union.contains(input) {
                union.push(input.clone());
            }
        }
        Compiled::new(&union).is_ok().then_some(union)
    }

    fn into_together(self, lists: &[&[Input]]) -> Together {
        let mut features = FeatureSet::new(&self.union);
        if self.members.iter().all(|&index| lists[index] == self.union) {
            let shares = self.members.into_iter().map(|index| (index, Share::whole(&features)));
            return Together { shares: shares.collect(), features };
        }
        let part = |index| (index, Share::part(lists[index], &features));
        let shares: Vec<(usize, Share)> = self.members.into_iter().map(part).collect();
        // The set serves the shallowest; the others see for themselves whether there are levels enough.
        let shallowest = |side: usize| shares.iter().map(|(_, share)| share.depths[side]).min().unwrap_or(0);
        features.plan.depths = [shallowest(BID), shallowest(ASK)];
        Together { features, shares }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::event::Event;
    use crate::market::units::{Scale, Side};
    use crate::strategy::features::{Feature, SEED};
    use proptest::prelude::*;

    fn list(texts: &[&str]) -> Vec<Input> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn lists() -> Vec<Vec<Input>> {
        vec![
            SEED.map(Into::into).to_vec(),
            list(&["imbalance_1", "spread_ticks"]),
            list(&["imbalance_5", "ln_ask_size_2", "imbalance_5", "mid"]),
            list(&["pressure = ln(sum(bid_size, 1..3) / sum(ask_size, 1..3))", "imbalance_1"]),
            list(&["gap = 1 / (ask_size_1 - bid_size_1)", "pressure = bid_size_3 - ask_size_1"]),
            list(&["imbalance_1", "ofi_2_3"]),
            list(&["imbalance_1", "ofi_2_3"]),
            list(&["mid_return_2", "imbalance_3"]),
            list(&["slow = mean(imbalance_2, 3)"]),
        ]
    }

    #[test]
    fn what_looks_at_the_book_alone_is_computed_once() {
        let lists = lists();
        let sets = together(&lists.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let members: Vec<Vec<usize>> =
            sets.iter().map(|set| set.shares.iter().map(|(index, _)| *index).collect()).collect();
        assert_eq!(members, [vec![0, 1, 2, 3, 4], vec![5, 6], vec![7], vec![8]]);
        let named: usize = lists[..5].iter().map(Vec::len).sum();
        assert!(sets[0].features.features().len() < named);
        assert!(sets[1].shares.iter().all(|(_, share)| share.is_whole));
    }

    #[test]
    fn a_set_that_is_full_is_followed_by_another() {
        // Each list takes 100 of the places that one set has for computed features.
        let imbalances = |from: u32| -> Vec<Input> {
            (from..from + 100).map(|n| format!("x{n} = imbalance_1 + {n}").parse().unwrap()).collect()
        };
        let lists = [imbalances(0), imbalances(100), vec![Feature::Mid.into()]];
        let sets = together(&lists.each_ref().map(Vec::as_slice));
        let members: Vec<usize> = sets.iter().map(|set| set.shares.len()).collect();
        assert_eq!(members, [2, 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn lists_together_have_the_bits_that_each_has_alone(
            frames in prop::collection::vec(prop::collection::vec((any::<bool>(), 0..12_u64, 0..5_u64), 0..8), 1..80),
        ) {
            let lists = lists();
            let mut alone: Vec<FeatureSet> = lists.iter().map(|list| FeatureSet::new(list)).collect();
            let mut sets = together(&lists.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let mut book = Book::default();
            book.begin_snapshot(Scale { price_decimals: 1, size_decimals: 0 });
            book.end_snapshot().unwrap();
            for (at, frame) in frames.iter().enumerate() {
                let events: Vec<Event> = frame
                    .iter()
                    .map(|&(is_ask, offset, size)| {
                        let (side, price) = if is_ask { (Side::Ask, 1_000 + offset) } else { (Side::Bid, 999 - offset) };
                        Event::level(side, price, size)
                    })
                    .collect();
                book.apply(&events);
                book.end_update().unwrap();
                let expected: Vec<_> = alone
                    .iter_mut()
                    .map(|set| {
                        let outcome = set.update(&book, at as i64);
                        outcome.map(|_| set.values().map(f64::to_bits).collect::<Vec<_>>())
                    })
                    .collect();
                for Together { features, shares } in &mut sets {
                    let updated = features.update(&book, at as i64);
                    for (index, share) in shares {
                        let outcome = share.outcome(features, &book, updated);
                        let values = outcome.map(|_| features.values_of(share).map(f64::to_bits).collect::<Vec<_>>());
                        prop_assert_eq!(&values, &expected[*index], "list {} at frame {}", index, at);
                    }
                }
            }
        }
    }
}
