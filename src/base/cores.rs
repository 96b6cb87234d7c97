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
use std::fmt::{self, Display, Formatter};

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
    /// Feed on the first core, engines of several products on the others.
    Several(usize, EngineCores),
}

/// The most engine threads of a session.
pub const ENGINES_MAX: usize = 16;

/// The cores of engines: two to [`ENGINES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineCores {
    /// The first `count` count.
    cores: [usize; ENGINES_MAX],
    count: usize,
}

impl EngineCores {
    /// `None` for fewer or more than a session with several engines has.
    fn new(cores: &[usize]) -> Option<Self> {
        let mut all = Self { cores: [0; ENGINES_MAX], count: cores.len() };
        all.cores.get_mut(..cores.len())?.copy_from_slice(cores);
        (cores.len() >= 2).then_some(all)
    }

    /// The cores in order.
    pub fn all(&self) -> &[usize] {
        &self.cores[..self.count]
    }
}

/// What is wrong with a choice of cores.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoresError {
    /// The cores are not numbers.
    #[error("'{0}' is no list of one to 17 cores, such as 2,3")]
    NotCores(String),
    /// Twice the same core.
    #[error("core {0} is named twice; give it once to run feed and engine fused on it")]
    Twice(usize),
    /// Twice the same core among those of several engines.
    #[error("core {0} is named twice; feed and engines each take a core of their own")]
    TwiceOfSeveral(usize),
    /// More engines than products.
    #[error("{engines} cores for engines, but {}: give one for the feed and at most one per product", products_text(*products))]
    TooMany {
        /// Cores for engines.
        engines: usize,
        /// The session's products.
        products: usize,
    },
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

fn products_text(count: usize) -> String {
    if count == 1 { "1 product".into() } else { format!("{count} products") }
}

/// The cores that the calling thread may run on, by number. To be read once, in `main`, before any thread is pinned: a
/// pinned thread sees its own core only.
pub fn allowed() -> Vec<usize> {
    core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect()
}

impl Pins {
    /// Reads `A`, `A,B` or `A,B,C,…` and checks the cores against those allowed.
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
            [feed, ref engines @ ..] => {
                let several = EngineCores::new(engines).ok_or_else(not_cores)?;
                if let Some(&core) =
                    (1..cores.len()).find_map(|at| cores[at..].iter().find(|&core| *core == cores[at - 1]))
                {
                    return Err(CoresError::TwiceOfSeveral(core));
                }
                Self::Several(feed, several)
            }
            [] => return Err(not_cores()),
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
            Self::One(core) | Self::Two(core, _) | Self::Several(core, _) => Some(core),
        }
    }

    /// The first engine thread's core, when it has a thread of its own.
    pub fn engine(self) -> Option<usize> {
        self.engine_at(0)
    }

    /// The core of the engine thread of that place, when it has one of its own.
    pub fn engine_at(self, place: usize) -> Option<usize> {
        match self {
            Self::Two(_, core) => Some(core).filter(|_| place == 0),
            Self::Several(_, cores) => cores.all().get(place).copied(),
            Self::Anywhere | Self::One(_) => None,
        }
    }

    /// How many engine threads it asks for; 0 where feed and engines are fused. `None` where nothing is pinned.
    pub fn engines(self) -> Option<usize> {
        match self {
            Self::Anywhere => None,
            Self::One(_) => Some(0),
            Self::Two(..) => Some(1),
            Self::Several(_, cores) => Some(cores.count),
        }
    }

    /// Refuses more engine threads than there are products to spread over them.
    ///
    /// # Errors
    /// [`CoresError::TooMany`].
    pub fn check_for(self, products: usize) -> Result<(), CoresError> {
        match self.engines() {
            Some(engines) if engines > products.max(1) => Err(CoresError::TooMany { engines, products }),
            _ => Ok(()),
        }
    }
}

/// For reports.
impl Display for Pins {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere => f.write_str("any core"),
            Self::One(core) => write!(f, "core {core}"),
            Self::Two(feed, engine) => write!(f, "cores {feed} (feed) and {engine} (engine)"),
            Self::Several(feed, cores) => {
                let cores: Vec<String> = cores.all().iter().map(ToString::to_string).collect();
                write!(f, "cores {feed} (feed) and {} (engines)", cores.join(", "))
            }
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
            ("", "'' is no list of one to 17 cores, such as 2,3"),
            ("a", "'a' is no list of one to 17 cores, such as 2,3"),
            ("-1", "'-1' is no list of one to 17 cores, such as 2,3"),
            (&["0"; 18].join(","), "'0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0' is no list of one to 17 cores, such as 2,3"),
            ("0,1,0", "core 0 is named twice; feed and engines each take a core of their own"),
            ("0,5,1,5", "core 5 is named twice; feed and engines each take a core of their own"),
            ("0,1,2", "core 2 does not exist or is not allowed to this process; allowed: 0,1,5"),
            ("1,1", "core 1 is named twice; give it once to run feed and engine fused on it"),
            ("0,7", "core 7 does not exist or is not allowed to this process; allowed: 0,1,5"),
        ] {
            assert_eq!(Pins::parse(text, &allowed).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn engines_have_a_core_each() {
        let pins = Pins::parse("5,0,1", &[0, 1, 5]).unwrap();
        assert_eq!((pins.feed(), pins.engine(), pins.engines()), (Some(5), Some(0), Some(2)));
        assert_eq!([0, 1, 2].map(|place| pins.engine_at(place)), [Some(0), Some(1), None]);
        assert_eq!(Pins::Two(3, 4).engine_at(1), None);
        assert_eq!(pins.to_string(), "cores 5 (feed) and 0, 1 (engines)");
        assert_eq!(
            (pins.check_for(2), Pins::Two(0, 1).check_for(1), Pins::Anywhere.check_for(1)),
            (Ok(()), Ok(()), Ok(()))
        );
        assert_eq!(
            pins.check_for(1).unwrap_err().to_string(),
            "2 cores for engines, but 1 product: give one for the feed and at most one per product"
        );
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
