//! A market frame by frame.
//!
//! A thread reads frames ahead; the book is kept by whoever walks, so that all of its levels are at hand and none is copied that nobody
//! asks for.

use crate::work::{LOOK_EVERY, error, warn, work};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use numpy::PyArray1;
use papertrader::base::failure::Failure;
use papertrader::cli::Command;
use papertrader::cli::host::parse;
use papertrader::engine::status::Status;
use papertrader::market::book::{Follower, Level};
use papertrader::market::event::{Event, Fault, FrameHead, FrameKind, Print};
use papertrader::market::prints::PrintReader;
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::market::units::{Scale, Side};
use papertrader::run::session::Feed;
use papertrader::sources::files::{expand, named};
use papertrader::sources::market::Market;
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::ffi::OsString;
use std::sync::Arc;
use std::thread;

/// Frames and events of a batch at most, but for a frame that is larger alone.
const BATCH: (usize, usize) = (512, 1 << 14);
/// Batches that wait to be walked.
const BATCHES: usize = 4;

#[derive(Default)]
struct Batch {
    heads: Vec<FrameHead>,
    /// Of all heads, one after the other.
    events: Vec<Event>,
}

enum Told {
    Batch(Batch),
    Ended { failure: Option<Failure>, remarks: Vec<String> },
}

/// Gathers frames for who walks.
struct Ahead {
    batch: Batch,
    walker: Sender<Told>,
}

impl Ahead {
    fn send(&mut self) -> Result<(), EngineGone> {
        let batch = std::mem::take(&mut self.batch);
        self.walker.send(Told::Batch(batch)).map_err(|_| EngineGone)
    }
}

impl Publish for Ahead {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.batch.heads.push(*head);
        self.batch.events.extend_from_slice(levels);
        let (frames, events) = BATCH;
        if self.batch.heads.len() < frames && self.batch.events.len() < events {
            return Ok(());
        }
        self.send()
    }
}

/// Goes over a market's frames once, in order, and keeps its book; see `Market.book`.
#[pyclass(name = "Book", module = "papertrader")]
pub struct Walk {
    /// `None` when the market has ended.
    frames: Option<Receiver<Told>>,
    status: Arc<Status>,
    batch: Batch,
    /// Heads and events of the batch that were walked.
    next: (usize, usize),
    follower: Follower,
    /// Frames walked.
    number: u64,
    /// The last frame, and where its events lie in the batch.
    last: Option<(FrameHead, usize)>,
    product: String,
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.status.stop();
    }
}

/// Reads the arguments of `features`, which names markets as every command does, and opens the market.
fn opened(args: Vec<OsString>) -> Result<(Market, String), Failure> {
    let Command::Features(args) = parse(args)? else {
        return Err(Failure::input("these are not the arguments of features"));
    };
    let captures = expand(&args.captures).map_err(Failure::input)?;
    let market = Market::open_all(&captures, &args.source.settings()?).map_err(Failure::input)?;
    Ok((market, named(&captures)))
}

/// Begins to walk.
#[pyfunction]
pub fn walk(py: Python<'_>, args: Vec<OsString>) -> PyResult<Walk> {
    let (market, name) = work(py, move || opened(args))?;
    let (walker, frames) = bounded(BATCHES);
    let status = Arc::new(Status::default());
    let (product, of_reader) = (market.product().to_owned(), Arc::clone(&status));
    thread::Builder::new().name("papertrader-book".into()).spawn(move || {
        let mut ahead = Ahead { batch: Batch::default(), walker };
        let outcome = market.run(&mut ahead, &of_reader);
        // Who has gone wants to hear nothing.
        let _ = ahead.send();
        let remarks = outcome.remarks.into_iter().map(|remark| format!("{name}: {remark}"));
        let remarks = outcome.cut.map(|cut| cut.to_string()).into_iter().chain(remarks).collect();
        let _ = ahead.walker.send(Told::Ended { failure: outcome.error.map(Failure::input), remarks });
    })?;
    Ok(Walk {
        frames: Some(frames),
        status,
        batch: Batch::default(),
        next: (0, 0),
        follower: Follower::default(),
        number: 0,
        last: None,
        product,
    })
}

impl Walk {
    /// Sees to it that there is a frame to walk; `false` at the end of the market.
    fn fill(&mut self, py: Python<'_>) -> PyResult<bool> {
        while self.next.0 == self.batch.heads.len() {
            let Some(frames) = self.frames.clone() else { return Ok(false) };
            match py.detach(|| frames.recv_timeout(LOOK_EVERY)) {
                Ok(Told::Batch(batch)) => {
                    (self.batch, self.next) = (batch, (0, 0));
                    self.last = None;
                }
                Ok(Told::Ended { failure, remarks }) => {
                    self.frames = None;
                    remarks.iter().try_for_each(|remark| warn(py, remark))?;
                    if let Some(failure) = failure {
                        return Err(error(&failure));
                    }
                }
                Err(RecvTimeoutError::Timeout) => py.check_signals()?,
                Err(RecvTimeoutError::Disconnected) => {
                    self.frames = None;
                    return Err(PyRuntimeError::new_err("the thread that reads the market has gone"));
                }
            }
        }
        Ok(true)
    }

    /// Takes the next frame.
    fn step(&mut self) -> (FrameHead, Option<Fault>) {
        let (at, from) = self.next;
        let head = self.batch.heads[at];
        let until = from + head.levels as usize;
        self.next = (at + 1, until);
        self.last = Some((head, from));
        self.number += 1;
        self.follower.count(&head);
        let begun = self.follower.begin(&head);
        self.follower.levels(&self.batch.events[from..until]);
        let ended = self.follower.end();
        let told = match head.kind {
            FrameKind::Invalid(fault) => Some(fault),
            _ => None,
        };
        (head, told.or(begun.err()).or(ended.err()))
    }

    /// The events of a frame that is the last one.
    fn events(&self, number: u64) -> PyResult<(FrameHead, &[Event])> {
        match self.last {
            Some((head, from)) if number == self.number => {
                Ok((head, &self.batch.events[from..from + head.levels as usize]))
            }
            _ => Err(gone()),
        }
    }
}

fn gone() -> PyErr {
    PyRuntimeError::new_err("the book has gone on: ask a frame before the next one is taken")
}

#[pymethods]
impl Walk {
    /// The product.
    #[getter]
    fn product(&self) -> &str {
        &self.product
    }

    fn __iter__(walk: PyRef<'_, Self>) -> PyRef<'_, Self> {
        walk
    }

    fn __next__(walk: &Bound<'_, Self>) -> PyResult<Option<Frame>> {
        let mut this = walk.borrow_mut();
        if !this.fill(walk.py())? {
            return Ok(None);
        }
        let (head, fault) = this.step();
        let book = this.follower.book();
        Ok(Some(Frame {
            number: this.number,
            head,
            fault,
            scale: if head.kind == FrameKind::Prints { head.scale } else { book.scale() },
            sequence: this.follower.sequence(),
            state: book.state().name(),
            best: [book.best_of(Side::Bid), book.best_of(Side::Ask)],
            walk: walk.clone().unbind(),
        }))
    }
}

/// A message of the market, and the book after it.
///
/// Attributes are kept; `levels`, `changes` and `prints` can be asked for until the next frame is taken.
#[pyclass(frozen, module = "papertrader")]
pub struct Frame {
    number: u64,
    head: FrameHead,
    fault: Option<Fault>,
    scale: Scale,
    sequence: Option<u64>,
    state: &'static str,
    best: [Option<Level>; 2],
    walk: Py<Walk>,
}

/// A tuple with names of the package's Python half.
fn named_tuple<'py>(
    py: Python<'py>,
    class: &PyOnceLock<Py<PyAny>>,
    name: &str,
    values: impl PyCallArgs<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    class.import(py, "papertrader._book", name)?.call1(values)
}

static LEVELS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static CHANGES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static PRINTS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn arrays<'py>(py: Python<'py>, scale: Scale, levels: impl Iterator<Item = (u64, u64)>) -> PyResult<Bound<'py, PyAny>> {
    let (per_unit, lots_per_unit) = (scale.ticks_per_unit(), scale.lots_per_unit());
    // Counts fit 63 bits.
    let (ticks, lots): (Vec<i64>, Vec<i64>) = levels.map(|(ticks, lots)| (ticks as i64, lots as i64)).unzip();
    let prices = ticks.iter().map(|&ticks| ticks as f64 / per_unit).collect();
    let sizes = lots.iter().map(|&lots| lots as f64 / lots_per_unit).collect();
    let [prices, sizes] = [prices, sizes].map(|values| PyArray1::from_vec(py, values));
    let [ticks, lots] = [ticks, lots].map(|counts| PyArray1::from_vec(py, counts));
    named_tuple(py, &LEVELS, "Levels", (prices, sizes, ticks, lots))
}

fn signs<'py>(py: Python<'py>, sides: impl Iterator<Item = Side>) -> Bound<'py, PyArray1<i8>> {
    let sign = |side| match side {
        Side::Bid => 1,
        Side::Ask => -1,
    };
    PyArray1::from_vec(py, sides.map(sign).collect())
}

impl Frame {
    fn price(&self, side: usize) -> Option<f64> {
        self.best[side].map(|level| level.price_ticks as f64 / self.scale.ticks_per_unit())
    }
}

#[pymethods]
impl Frame {
    /// "snapshot", "update", "prints", "connected" or "invalid".
    #[getter]
    fn kind(&self) -> &'static str {
        match self.head.kind {
            FrameKind::Snapshot => "snapshot",
            FrameKind::Update => "update",
            FrameKind::Prints => "prints",
            FrameKind::Connected => "connected",
            FrameKind::Invalid(_) => "invalid",
        }
    }

    /// What made the book unreliable, if this frame did.
    #[getter]
    fn fault(&self) -> Option<&'static str> {
        self.fault.map(Fault::name)
    }

    /// The book's, after the frame: "empty", "syncing", "live" or "invalid". Only a live book can be trusted.
    #[getter]
    fn state(&self) -> &'static str {
        self.state
    }

    /// The simulation's clock: frames of the book since the first snapshot, which is 0; None before it.
    #[getter]
    fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// The venue's number of the message.
    #[getter]
    fn sequence_num(&self) -> u64 {
        self.head.sequence_num
    }

    /// When it was received, Unix nanoseconds.
    #[getter]
    fn ts_recv_ns(&self) -> i64 {
        self.head.ts_recv_ns
    }

    /// The venue's time, Unix nanoseconds; 0 where it said none.
    #[getter]
    fn ts_event_ns(&self) -> i64 {
        self.head.ts_event_ns
    }

    /// A tick is 10^-price_decimals quote units.
    #[getter]
    fn price_decimals(&self) -> u8 {
        self.scale.price_decimals
    }

    /// A lot is 10^-size_decimals base units.
    #[getter]
    fn size_decimals(&self) -> u8 {
        self.scale.size_decimals
    }

    /// The best bid's price; None where there is none.
    #[getter]
    fn bid(&self) -> Option<f64> {
        self.price(0)
    }

    /// The best ask's price; None where there is none.
    #[getter]
    fn ask(&self) -> Option<f64> {
        self.price(1)
    }

    /// The best bid in ticks and lots; None where there is none.
    #[getter]
    fn best_bid(&self) -> Option<(u64, u64)> {
        self.best[0].map(|level| (level.price_ticks, level.size_lots))
    }

    /// The best ask in ticks and lots; None where there is none.
    #[getter]
    fn best_ask(&self) -> Option<(u64, u64)> {
        self.best[1].map(|level| (level.price_ticks, level.size_lots))
    }

    /// The best `depth` levels of "bid" or "ask", or all of them, as arrays. Raises RuntimeError when the next frame has been taken.
    #[pyo3(signature = (side, depth=None))]
    fn levels<'py>(&self, py: Python<'py>, side: &str, depth: Option<usize>) -> PyResult<Bound<'py, PyAny>> {
        let walk = self.walk.borrow(py);
        if walk.number != self.number {
            return Err(gone());
        }
        let (book, depth) = (walk.follower.book(), depth.unwrap_or(usize::MAX));
        let of = |level: Level| (level.price_ticks, level.size_lots);
        match side {
            "bid" => arrays(py, book.scale(), book.bids().levels().take(depth).map(of)),
            "ask" => arrays(py, book.scale(), book.asks().levels().take(depth).map(of)),
            _ => Err(PyValueError::new_err(format!("a side is 'bid' or 'ask', not '{side}'"))),
        }
    }

    /// What the frame says of levels, in its order; nothing where it is neither a snapshot nor an update. Raises RuntimeError when the
    /// next frame has been taken.
    fn changes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let walk = self.walk.borrow(py);
        let (head, events) = walk.events(self.number)?;
        let events = if head.kind.is_book_frame() { events } else { &[] };
        let levels = events.iter().map(|event| (event.price_ticks(), event.size_lots()));
        let sides = signs(py, events.iter().map(|event| event.side()));
        named_tuple(py, &CHANGES, "Changes", (sides, arrays(py, head.scale, levels)?))
    }

    /// The trades that the frame tells of; none where its kind is not "prints". Raises RuntimeError when the next frame has been taken.
    fn prints<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let walk = self.walk.borrow(py);
        let (head, events) = walk.events(self.number)?;
        let mut prints: Vec<Print> = Vec::new();
        if head.kind == FrameKind::Prints {
            PrintReader::default().read(events, |print| prints.push(print));
        }
        let levels = prints.iter().map(|print| (print.price_ticks, print.size_lots));
        let sides = signs(py, prints.iter().map(|print| print.aggressor));
        // A venue numbers its trades by 63 bits.
        let numbers = PyArray1::from_vec(py, prints.iter().map(|print| print.trade_id as i64).collect());
        let times = PyArray1::from_vec(py, prints.iter().map(|print| print.ts_event_ns).collect());
        named_tuple(py, &PRINTS, "Prints", (sides, arrays(py, head.scale, levels)?, numbers, times))
    }

    fn __repr__(&self) -> String {
        let best = |side| self.price(side).map_or_else(|| "none".into(), |price| price.to_string());
        format!("Frame({}, {}, bid {}, ask {})", self.kind(), self.state, best(0), best(1))
    }
}
