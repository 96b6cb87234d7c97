//! What the exchange's thread can be asked.

use super::config::ExchangeError;
use super::depth::BookState;
use super::faults::FaultSpec;
use super::stats::ExchangeStats;
use crossbeam_channel::{Receiver, Sender};

/// A question; each answer goes back over its channel.
pub(super) enum Command {
    Stats(Sender<ExchangeStats>),
    Book(String, Sender<Option<BookState>>),
    Pause(Sender<()>),
    Resume(Sender<()>),
    Inject(FaultSpec, Sender<Result<(), ExchangeError>>),
    Stop,
}

/// The receiving half of the commands.
pub(super) type Commands = Receiver<Command>;
