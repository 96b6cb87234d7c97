//! What features and score are like over the rows that a model is trained on: what a run is compared with later.
//!
//! Edges come from at most [`SAMPLE_ROWS`] rows at equal distances, counts from all rows.
//!
//! ```
//! use papertrader::research::distribution::Sample;
//!
//! let mut sample = Sample::new(1);
//! (0..10).for_each(|row| sample.see((0, row, row + 2), &[row as f64]));
//! // Of the rows before frame 8 those that do not look to it.
//! let rows = sample.rows(|(_, _, until)| until < 8);
//! assert_eq!(rows.map(|row| row[0]).collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
//! ```

use crate::engine::observation::ROW_EVERY;
use crate::statistics::drift::{Profile, decile_edges};
use crate::strategy::model::Model;

/// The most rows of a sample; an even number.
pub const SAMPLE_ROWS: usize = 1 << 15;
const _: () = assert!(SAMPLE_ROWS.is_multiple_of(2), "every other row goes when a sample is full");

/// Where a row comes from: its capture, its sequence, and the frame to which its label looks.
pub type Place = (u32, u64, u64);

/// Rows at equal distances. When it is full every other one goes: what it holds depends on the rows alone.
#[derive(Clone, Debug)]
pub struct Sample {
    width: usize,
    step: u64,
    seen: u64,
    places: Vec<Place>,
    /// Features, a row behind another.
    values: Vec<f64>,
}

impl Sample {
    /// Of rows of so many features, at least one.
    pub fn new(width: usize) -> Self {
        assert!(width >= 1, "a model has a feature");
        Self { width, step: 1, seen: 0, places: Vec::new(), values: Vec::new() }
    }

    /// Takes the next row: its place and its features, behind which other columns may lie.
    pub fn see(&mut self, place: Place, values: &[f64]) {
        if self.seen.is_multiple_of(self.step) {
            if self.places.len() == SAMPLE_ROWS {
                self.halve();
            }
            self.places.push(place);
            self.values.extend_from_slice(&values[..self.width]);
        }
        self.seen += 1;
    }

    #[cold]
    fn halve(&mut self) {
        let Self { width, places, values, .. } = self;
        for row in 0..SAMPLE_ROWS / 2 {
            places[row] = places[2 * row];
            values.copy_within(2 * row * *width..(2 * row + 1) * *width, row * *width);
        }
        places.truncate(SAMPLE_ROWS / 2);
        values.truncate(SAMPLE_ROWS / 2 * *width);
        self.step *= 2;
    }

    /// The rows whose place is asked for.
    pub fn rows(&self, asked: impl Fn(Place) -> bool) -> impl Iterator<Item = &[f64]> {
        let rows = self.places.iter().zip(self.values.chunks_exact(self.width));
        rows.filter(move |(place, _)| asked(**place)).map(|(_, values)| values)
    }

    /// A profile of a model that looks at these columns, with edges by the rows of the training part; it then takes all of them.
    pub fn profile(&self, is_trained_on: impl Fn(Place) -> bool, columns: &[usize], model: &Model) -> Profile {
        let mut model = model.clone();
        let of_model = |row: &[f64]| columns.iter().map(|&column| row[column]).collect::<Vec<f64>>();
        let mut scores: Vec<f64> = self.rows(&is_trained_on).map(|row| model.logit_of_row(&of_model(row))).collect();
        let features = columns.iter().map(|&column| {
            let mut values: Vec<f64> = self.rows(&is_trained_on).map(|row| row[column]).collect();
            decile_edges(&mut values)
        });
        let features = features.collect();
        Profile::new(decile_edges(&mut scores), features, ROW_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_sample_loses_every_other_row() {
        let rows_max = SAMPLE_ROWS as u64;
        for rows in [1, rows_max, rows_max + 1, 2 * rows_max, 2 * rows_max + 1, 5 * rows_max + 7] {
            let mut sample = Sample::new(2);
            (0..rows).for_each(|row| sample.see((0, row, row), &[row as f64, 0.5, 9.0]));
            let step = rows.div_ceil(rows_max).next_power_of_two();
            let expected = (0..rows).step_by(step as usize).map(|row| vec![row as f64, 0.5]);
            let found = sample.rows(|_| true).map(<[f64]>::to_vec);
            assert!(found.eq(expected), "{rows}");
        }
    }
}
