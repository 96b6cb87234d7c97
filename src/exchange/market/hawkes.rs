//! When frames arrive: a Hawkes process with an exponential kernel.

use super::draw::Draw;

/// Share of the frames that another frame set off (the kernel's integral). Below 1, so that the process is stationary.
const BRANCHING: f64 = 0.75;
/// Decay of the excitation, per mean gap between frames.
const DECAY: f64 = 0.3;

/// Intensity `λ(t) = μ + x(t)`: every arrival lifts `x`, which decays exponentially.
///
/// Time is counted in mean gaps, so the mean intensity is 1 whatever the rate.
#[derive(Clone, Debug)]
pub(super) struct Hawkes {
    excitation: f64,
}

impl Hawkes {
    pub(super) fn new() -> Self {
        Self { excitation: BRANCHING }
    }

    /// Advances to the next arrival and returns the gap.
    ///
    /// Exact, without thinning, by the composition of Dassios and Zhao, "Exact simulation of Hawkes process with
    /// exponentially decaying intensity", Electronic Communications in Probability 18 (2013): the next arrival is the
    /// earlier one of the base rate's and of the decaying excitation's, and the latter may never come.
    pub(super) fn advance(&mut self, draw: &mut Draw) -> f64 {
        let of_base = draw.exponential() / (1.0 - BRANCHING);
        let left = 1.0 - DECAY * draw.exponential() / self.excitation;
        let gap = if left > 0.0 { of_base.min(-libm::log(left) / DECAY) } else { of_base };
        self.excitation = self.excitation * libm::exp(-DECAY * gap) + BRANCHING * DECAY;
        gap
    }

    /// Intensity relative to its mean.
    pub(super) fn intensity(&self) -> f64 {
        1.0 - BRANCHING + self.excitation
    }
}
