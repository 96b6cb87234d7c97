//! Fewer points for a line that looks the same: of all points that share a place on the x axis, the first, the lowest, the
//! highest and the last.

/// A line being thinned. Points come in order of x.
#[derive(Debug)]
pub struct Thinned {
    from: f64,
    per_place: f64,
    place: i64,
    /// First, lowest, highest, last, with their order of arrival.
    held: Option<[(u64, f64, f64); 4]>,
    arrived: u64,
    out: Vec<(f64, f64)>,
}

impl Thinned {
    /// Over a range of x with so many places.
    pub fn new((from, to): (f64, f64), places: usize) -> Self {
        let per_place = (to - from) / places.max(1) as f64;
        Self { from, per_place, place: i64::MIN, held: None, arrived: 0, out: Vec::new() }
    }

    /// Takes a point.
    #[inline]
    pub fn push(&mut self, x: f64, y: f64) {
        let place = ((x - self.from) / self.per_place) as i64;
        let point = (self.arrived, x, y);
        self.arrived += 1;
        match &mut self.held {
            Some([_, lowest, highest, last]) if place == self.place => {
                if y < lowest.2 {
                    *lowest = point;
                }
                if y > highest.2 {
                    *highest = point;
                }
                *last = point;
            }
            _ => {
                self.release();
                self.place = place;
                self.held = Some([point; 4]);
            }
        }
    }

    fn release(&mut self) {
        if let Some(mut held) = self.held.take() {
            held.sort_by_key(|&(arrived, ..)| arrived);
            let mut before = None;
            for (arrived, x, y) in held {
                if before != Some(arrived) {
                    self.out.push((x, y));
                }
                before = Some(arrived);
            }
        }
    }

    /// The line.
    pub fn finish(mut self) -> Vec<(f64, f64)> {
        self.release();
        self.out
    }
}

/// Thins points at once.
pub fn thinned(points: impl IntoIterator<Item = (f64, f64)>, range: (f64, f64), places: usize) -> Vec<(f64, f64)> {
    let mut line = Thinned::new(range, places);
    points.into_iter().for_each(|(x, y)| line.push(x, y));
    line.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every place keeps its extremes, its ends and its order, and has at most four points.
        #[test]
        fn nothing_that_can_be_seen_is_lost(values in prop::collection::vec(-1e3..1e3_f64, 1..400), places in 1..40_usize) {
            let points: Vec<(f64, f64)> = values.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
            let range = (0.0, values.len() as f64);
            let thin = thinned(points.iter().copied(), range, places);
            prop_assert!(thin.len() <= 4 * (places + 1));
            prop_assert!(thin.windows(2).all(|pair| pair[0].0 < pair[1].0));
            let place = |x: f64| (x / (range.1 / places as f64)) as i64;
            for at in 0..=places as i64 {
                let of = |line: &[(f64, f64)]| -> Vec<f64> {
                    line.iter().filter(|&&(x, _)| place(x) == at).map(|&(_, y)| y).collect()
                };
                let (all, kept) = (of(&points), of(&thin));
                let extremes = |ys: &[f64]| {
                    ys.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &y| (low.min(y), high.max(y)))
                };
                prop_assert_eq!(extremes(&all), extremes(&kept));
                prop_assert_eq!((all.first(), all.last()), (kept.first(), kept.last()));
            }
        }
    }
}
