//! Which cores the hot threads run on.
//!
//! ```
//! use papertrader::base::cores::{CoresError, Pins};
//!
//! let allowed = [0, 1, 2, 3];
//! let pins = Pins::parse("2,3", &allowed)?;
//! assert_eq!((pins.feed(), pins.engine()), (Some(2), Some(3)));
//! assert_eq!(Pins::parse("2", &allowed)?, Pins::One(2));
//! assert_eq!(Pins::parse("2,2", &allowed), Err(CoresError::Twice(2)));
//! # Ok::<(), CoresError>(())
//! ```

use core_affinity::CoreId;

/// Where the hot threads run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pins {
    /// Anywhere.
    #[default]
    Anywhere,
    /// Feed and engine fused on one core.
    One(usize),
    /// Feed on the first core, engine on the second.
    Two(usize, usize),
}

/// What is wrong with a choice of cores.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoresError {
    /// The cores are not numbers.
    #[error("'{0}' is no list of one or two cores, such as 2,3")]
    NotCores(String),
    /// Twice the same core.
    #[error("core {0} is named twice; give it once to run feed and engine fused on it")]
    Twice(usize),
    /// A core that is not there or not allowed.
    #[error("core {core} does not exist or is not allowed to this process; allowed: {allowed}")]
    NotAllowed {
        /// The core.
        core: usize,
        /// Those that are.
        allowed: String,
    },
    /// The system refused.
    #[error("cannot pin a thread to core {0}")]
    Refused(usize),
}

/// The cores that the calling thread may run on, by number. To be read once, in `main`, before any thread is pinned: a
/// pinned thread sees its own core only.
pub fn allowed() -> Vec<usize> {
    core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect()
}

impl Pins {
    /// Reads `A` or `A,B` and checks the cores against those allowed.
    ///
    /// # Errors
    /// See [`CoresError`].
    pub fn parse(text: &str, allowed: &[usize]) -> Result<Self, CoresError> {
        let not_cores = || CoresError::NotCores(text.into());
        let cores: Vec<usize> =
            text.split(',').map(|core| core.trim().parse().map_err(|_| not_cores())).collect::<Result<_, _>>()?;
        let pins = match cores[..] {
            [core] => Self::One(core),
            [feed, engine] if feed == engine => return Err(CoresError::Twice(feed)),
            [feed, engine] => Self::Two(feed, engine),
            _ => return Err(not_cores()),
        };
        if let Some(&core) = cores.iter().find(|core| !allowed.contains(core)) {
            let allowed = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            return Err(CoresError::NotAllowed { core, allowed });
        }
        Ok(pins)
    }

    /// The feed thread's core.
    pub fn feed(self) -> Option<usize> {
        match self {
            Self::Anywhere => None,
            Self::One(core) | Self::Two(core, _) => Some(core),
        }
    }

    /// The engine thread's core, when it has a thread of its own.
    pub fn engine(self) -> Option<usize> {
        match self {
            Self::Two(_, core) => Some(core),
            Self::Anywhere | Self::One(_) => None,
        }
    }
}

/// Pins the calling thread.
///
/// # Errors
/// The system refused.
pub fn pin(core: Option<usize>) -> Result<(), CoresError> {
    match core {
        Some(id) if !core_affinity::set_for_current(CoreId { id }) => Err(CoresError::Refused(id)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_checked() {
        let allowed = [0, 1, 5];
        assert_eq!(Pins::parse("5", &allowed), Ok(Pins::One(5)));
        assert_eq!(Pins::parse("0, 1", &allowed), Ok(Pins::Two(0, 1)));
        for (text, message) in [
            ("", "'' is no list of one or two cores, such as 2,3"),
            ("a", "'a' is no list of one or two cores, such as 2,3"),
            ("0,1,5", "'0,1,5' is no list of one or two cores, such as 2,3"),
            ("-1", "'-1' is no list of one or two cores, such as 2,3"),
            ("1,1", "core 1 is named twice; give it once to run feed and engine fused on it"),
            ("0,7", "core 7 does not exist or is not allowed to this process; allowed: 0,1,5"),
        ] {
            assert_eq!(Pins::parse(text, &allowed).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_pinned_thread_sees_its_own_core() {
        let Some(&core) = allowed().last() else { return };
        std::thread::spawn(move || {
            pin(Some(core)).unwrap();
            assert_eq!(allowed(), [core]);
        })
        .join()
        .unwrap();
    }
}
