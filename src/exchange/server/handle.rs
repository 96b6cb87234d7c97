//! Starts the exchange in a thread of its own and speaks with it.

use super::command::Command;
use super::config::{ExchangeConfig, ExchangeError};
use super::depth::BookState;
use super::event_loop::EventLoop;
use super::faults::FaultSpec;
use super::stats::ExchangeStats;
use super::tls::Certificates;
use crate::base::output::{IfTaken, check, write_file};
use crate::base::places::check_apart;
use crossbeam_channel::{Sender, bounded};
use mio::Waker;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

/// Questions that may wait; more wait with their askers.
const COMMANDS_MAX: usize = 16;

/// A local exchange.
pub struct Exchange;

impl Exchange {
    /// Listens, makes certificates, opens the source and serves from a thread until stopped.
    ///
    /// # Errors
    /// See [`ExchangeError`]; nothing is left running then.
    pub fn start(config: ExchangeConfig) -> Result<RunningExchange, ExchangeError> {
        let certificates = config.tls.as_ref().map(|_| Certificates::make(config.listen.ip())).transpose()?;
        let ca_pem = certificates.as_ref().map(|certificates| certificates.ca_pem.clone());
        let (ca_out, replace) = (config.tls.as_ref().and_then(|tls| tls.ca_out.clone()), config.replace_files);
        check_apart(ca_out.iter().chain(&config.send_log), config.source.path())?;
        ca_out.iter().try_for_each(|path| check(path, IfTaken::refuse_unless(replace)))?;
        let (commands, received) = bounded(COMMANDS_MAX);
        let event_loop = EventLoop::new(config, certificates, received)?;
        // Clients may trust what was there, so it is replaced only by an exchange that serves.
        if let (Some(pem), Some(path)) = (&ca_pem, &ca_out) {
            write_file(path, replace, pem)?;
        }
        let (local_addr, waker) = (event_loop.local_addr(), event_loop.waker());
        let thread = thread::Builder::new()
            .name("exchange".into())
            .spawn(move || event_loop.run())
            .map_err(ExchangeError::System)?;
        Ok(RunningExchange { local_addr, ca_pem, commands, waker, thread: Some(thread) })
    }
}

/// A running exchange. Dropping it stops it.
pub struct RunningExchange {
    local_addr: SocketAddr,
    ca_pem: Option<String>,
    commands: Sender<Command>,
    waker: std::sync::Arc<Waker>,
    thread: Option<JoinHandle<Result<ExchangeStats, ExchangeError>>>,
}

impl RunningExchange {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where clients connect: `ws://…` or `wss://…` with the address listened on.
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}", self.local_addr)
    }

    /// The authority that clients of a TLS exchange must trust.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Counts so far.
    ///
    /// # Errors
    /// [`ExchangeError::Stopped`] if the exchange's thread has ended.
    pub fn stats(&self) -> Result<ExchangeStats, ExchangeError> {
        self.ask(Command::Stats)
    }

    /// A product's book with all frames that were due until now; `None` for a product that is not served. What clients
    /// have received may still be on its way to them: [`Self::pause`] first to compare.
    ///
    /// # Errors
    /// [`ExchangeError::Stopped`] if the exchange's thread has ended.
    pub fn book(&self, product: &str) -> Result<Option<BookState>, ExchangeError> {
        self.ask(|answer| Command::Book(product.into(), answer))
    }

    /// Stops the market. Heartbeats, requests and faults in progress go on. Once this returns no frame follows.
    ///
    /// # Errors
    /// [`ExchangeError::Stopped`] if the exchange's thread has ended.
    pub fn pause(&self) -> Result<(), ExchangeError> {
        self.ask(Command::Pause)
    }

    /// Lets a paused market go on from where it stopped.
    ///
    /// # Errors
    /// [`ExchangeError::Stopped`] if the exchange's thread has ended.
    pub fn resume(&self) -> Result<(), ExchangeError> {
        self.ask(Command::Resume)
    }

    /// Adds a fault to those of the configuration; its occasions count from now.
    ///
    /// # Errors
    /// The fault needs TLS and there is none, or [`ExchangeError::Stopped`].
    pub fn inject(&self, fault: FaultSpec) -> Result<(), ExchangeError> {
        self.ask(|answer| Command::Inject(fault, answer))?
    }

    /// Closes all connections, waits up to a second for their answers, and ends the thread.
    ///
    /// # Errors
    /// The send log could not be written, or the system's readiness queue failed while running.
    pub fn stop(mut self) -> Result<ExchangeStats, ExchangeError> {
        self.end().unwrap_or(Err(ExchangeError::Stopped))
    }

    fn ask<T>(&self, command: impl FnOnce(Sender<T>) -> Command) -> Result<T, ExchangeError> {
        let (answer, answered) = bounded(1);
        self.tell(command(answer))?;
        answered.recv().map_err(|_| ExchangeError::Stopped)
    }

    fn tell(&self, command: Command) -> Result<(), ExchangeError> {
        self.commands.send(command).map_err(|_| ExchangeError::Stopped)?;
        self.waker.wake().map_err(ExchangeError::System)
    }

    fn end(&mut self) -> Option<Result<ExchangeStats, ExchangeError>> {
        let thread = self.thread.take()?;
        // A thread that has already ended cannot be told.
        let _ = self.tell(Command::Stop);
        thread.join().ok()
    }
}

impl Drop for RunningExchange {
    fn drop(&mut self) {
        self.end();
    }
}
