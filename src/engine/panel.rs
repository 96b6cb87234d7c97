//! What traders look at together: features computed once, and each model evaluated once, however many trade by it.

use crate::market::book::Book;
use crate::market::event::{Event, FrameHead};
use crate::market::units::Scale;
use crate::strategy::features::{FeatureSet, NoFeatures, Share, Together, together};
use crate::strategy::model::Model;
use std::sync::Arc;

/// A model with the part of the features that it reads, and what it says of the frame in hand.
#[derive(Debug)]
struct Seated {
    model: Model,
    share: Share,
    /// For the features as they last were.
    logit: f64,
    /// Of the frame in hand: whether its features may have changed.
    updated: Result<bool, NoFeatures>,
}

/// Features that are computed together, and the models that read them.
#[derive(Debug)]
struct Panel {
    features: FeatureSet,
    models: Vec<Seated>,
}

/// Where a trader finds its model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seat {
    panel: usize,
    model: usize,
}

/// All panels of an engine.
#[derive(Debug)]
pub struct Panels {
    panels: Vec<Panel>,
}

impl Panels {
    /// Puts together what can be. Gives each model's seat, in their order; models that are the same one share theirs.
    pub fn new<'a>(models: impl Iterator<Item = &'a Arc<Model>>) -> (Self, Vec<Seat>) {
        let mut distinct: Vec<&Arc<Model>> = Vec::new();
        let which: Vec<usize> = models
            .map(|model| {
                let known = distinct.iter().position(|known| Arc::ptr_eq(known, model));
                known.unwrap_or_else(|| {
                    distinct.push(model);
                    distinct.len() - 1
                })
            })
            .collect();
        let lists: Vec<&[_]> = distinct.iter().map(|model| model.features.as_slice()).collect();
        let mut seats = vec![Seat::default(); distinct.len()];
        let panels = together(&lists).into_iter().enumerate().map(|(panel, Together { features, shares })| {
            let seated = shares.into_iter().enumerate().map(|(at, (index, share))| {
                seats[index] = Seat { panel, model: at };
                let mut model = Model::clone(distinct[index]);
                model.place_in(&share);
                Seated { model, share, logit: f64::NAN, updated: Err(NoFeatures::Thin) }
            });
            Panel { features, models: seated.collect() }
        });
        let panels = panels.collect();
        (Self { panels }, which.into_iter().map(|index| seats[index]).collect())
    }

    /// A snapshot is about to replace the book.
    pub fn reset(&mut self) {
        self.panels.iter_mut().for_each(|panel| panel.features.reset());
    }

    /// The book's scale has become finer.
    pub fn refine(&mut self, before: Scale, scale: Scale) {
        self.panels.iter_mut().for_each(|panel| panel.features.refine(before, scale));
    }

    /// Whether any model reads the tape: then [`Panels::prints`] is wanted.
    pub fn read_tape(&self) -> bool {
        self.panels.iter().any(|panel| panel.features.reads_tape())
    }

    /// Takes prints of a frame, as events in any number of slices.
    pub fn prints(&mut self, head: &FrameHead, events: &[Event]) {
        self.panels.iter_mut().for_each(|panel| panel.features.prints(head, events));
    }

    /// Computes the features after a live frame received at `ts_recv_ns`. Says whether any model can be evaluated.
    #[inline(always)] // Built into the engine's loop.
    pub fn update(&mut self, book: &Book, ts_recv_ns: i64) -> bool {
        let mut can_any = false;
        for Panel { features, models } in &mut self.panels {
            let updated = features.update(book, ts_recv_ns);
            for seated in models {
                seated.updated = seated.share.outcome(features, book, updated);
                can_any |= seated.updated.is_ok();
            }
        }
        can_any
    }

    /// Evaluates each model whose features may have changed.
    #[inline(always)] // Built into the engine's loop.
    pub fn evaluate(&mut self) {
        for Panel { features, models } in &mut self.panels {
            for Seated { model, share, logit, updated } in models {
                if *updated == Ok(true) {
                    *logit = model.logit_in(features, share);
                }
            }
        }
    }

    /// The log-odds of a model for the frame in hand, or why there are none.
    #[inline(always)]
    pub fn logit(&self, seat: Seat) -> Result<f64, NoFeatures> {
        let Seated { logit, updated, .. } = &self.panels[seat.panel].models[seat.model];
        updated.map(|_| *logit)
    }

    /// The features of a model as they last were, in its order.
    pub fn values(&self, seat: Seat) -> impl ExactSizeIterator<Item = f64> + '_ {
        let panel = &self.panels[seat.panel];
        panel.features.values_of(&panel.models[seat.model].share)
    }

    /// Messages of prints and updates that windows of time of a model's features lost early, as
    /// [`FeatureSet::tape_overruns`] and [`FeatureSet::update_overruns`].
    pub fn overruns(&self, seat: Seat) -> (u64, u64) {
        let features = &self.panels[seat.panel].features;
        (features.tape_overruns(), features.update_overruns())
    }
}
