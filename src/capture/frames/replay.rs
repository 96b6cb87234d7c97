//! Replays a file of frames.

use super::{Batch, FrameFile};
use crate::base::clock::{Clock, Pacer, Speed};
use crate::capture::replay::ReplayOutcome;
use crate::capture::{CaptureError, Progress};
use crate::engine::latency::STAGES_EVERY;
use crate::engine::status::Status;
use crate::feed::intake::{FaultNote, IntakeCounts};
use crate::feed::intakes::ProductSeen;
use crate::handoff::Wait;
use crate::market::event::{Fault, FrameKind, PRINT_EVENTS, UNSTAMPED};
use crate::market::publish::Publish;
use crate::market::units::Scale;
use crate::run::session::Feed;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Batches in flight between the reading thread and the feed.
const BATCHES_AHEAD: usize = 4;
/// Fault notes that are kept.
const NOTES_MAX: usize = 64;

/// A file on its way to an engine; a thread of its own reads and decodes it.
pub struct FastReplay {
    path: PathBuf,
    product: String,
    file: FrameFile,
    speed: Speed,
    spins: bool,
    first_ns: i64,
    first: Batch,
}

impl FastReplay {
    /// Opens a file, at the last snapshot before `from_ns` that begins a block.
    ///
    /// # Errors
    /// It cannot be read, or does not hold the product.
    pub fn open(path: &Path, product: Option<&str>, speed: Speed, from_ns: i64) -> Result<Self, CaptureError> {
        let mut file = FrameFile::open(path)?;
        file.seek(from_ns).map_err(|source| failed(path, &source))?;
        let has = file.header().product.clone();
        if let Some(asked) = product.filter(|asked| *asked != has) {
            let what = format!("{} holds no book of {asked}; it holds {has}", path.display());
            return Err(CaptureError::Foreign(what.into()));
        }
        let mut first = Batch::default();
        let read = file.next(&mut first).map_err(|source| failed(path, &source))?;
        if !read {
            return Err(CaptureError::Foreign(format!("{} holds no frame", path.display()).into()));
        }
        let first_ns = first.frame(0).0.ts_recv_ns;
        Ok(Self { path: path.into(), product: has, file, speed, spins: false, first_ns, first })
    }

    /// The product.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        self.file.progress()
    }

    /// The time of receipt of the first frame.
    pub fn first_ts_recv_ns(&self) -> i64 {
        self.first_ns
    }

    /// The same, but spinning until a paced frame is due where `wait` says so.
    pub fn wait(&mut self, wait: Wait) {
        self.spins = wait == Wait::Spin;
    }
}

fn failed(path: &Path, source: &io::Error) -> CaptureError {
    CaptureError::Foreign(format!("cannot read {}: {source}; what came before was used", path.display()).into())
}

/// The reading thread's ends, and what it leaves.
struct Reading {
    filled: Receiver<Batch>,
    empty: Sender<Batch>,
    thread: JoinHandle<(FrameFile, io::Result<()>)>,
}

fn read_ahead(mut file: FrameFile) -> io::Result<Reading> {
    let (filled_in, filled) = bounded::<Batch>(BATCHES_AHEAD);
    let (empty, empty_out) = bounded::<Batch>(BATCHES_AHEAD + 1);
    for _ in 0..BATCHES_AHEAD {
        empty.send(Batch::default()).expect("the channel holds all batches");
    }
    let thread = thread::Builder::new().name("capture-reader".into()).spawn(move || {
        while let Ok(mut batch) = empty_out.recv() {
            match file.next(&mut batch) {
                Ok(true) if filled_in.send(batch).is_ok() => {}
                Ok(_) => break,
                Err(error) => return (file, Err(error)),
            }
        }
        (file, Ok(()))
    })?;
    Ok(Reading { filled, empty, thread })
}

impl Feed for FastReplay {
    type Outcome = ReplayOutcome;

    fn run(self, engine: &mut impl Publish, status: &Status) -> ReplayOutcome {
        let Self { path, product, file, speed, spins, first, .. } = self;
        let mut taken = Taken::new(speed, spins);
        let mut error = None;
        let mut waited = Duration::ZERO;
        let mut gaps = 0;
        match read_ahead(file) {
            Err(source) => error = Some(failed(&path, &source)),
            Ok(Reading { filled, empty, thread }) => {
                let mut batch = first;
                while !taken.take(&batch, engine, status) {
                    // A closed channel means that the thread has read the last block.
                    let _ = empty.try_send(std::mem::take(&mut batch));
                    let next = filled.try_recv().or_else(|_| {
                        let from = Instant::now();
                        let next = filled.recv();
                        waited += from.elapsed();
                        next
                    });
                    let Ok(next) = next else { break };
                    batch = next;
                }
                drop((filled, empty));
                let (file, read) = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                if let Err(source) = read {
                    error = Some(failed(&path, &source));
                } else if file.is_cut() && !taken.stopped {
                    let what = "is cut: its index is missing; what came before was used";
                    error = Some(CaptureError::Foreign(format!("{} {what}", path.display()).into()));
                }
                gaps = file.damaged().len();
            }
        }
        if gaps > 0 && error.is_none() {
            let blocks = if gaps == 1 { "block was" } else { "blocks were" };
            let what = format!("{}: {gaps} damaged {blocks} left out; what is whole was used", path.display());
            error = Some(CaptureError::Foreign(what.into()));
        }
        let Taken { counts, notes, scale, stopped, .. } = taken;
        let lines = counts.messages;
        let seen = ProductSeen { counts, notes, ..ProductSeen::nothing(&product, scale) };
        ReplayOutcome { lines, error, stopped, waited_for_file: waited, files: 1, ..ReplayOutcome::of(seen) }
    }
}

/// What was published.
struct Taken {
    clock: Clock,
    pacer: Pacer,
    counts: IntakeCounts,
    notes: Vec<FaultNote>,
    scale: Scale,
    stopped: bool,
}

impl Taken {
    fn new(speed: Speed, spins: bool) -> Self {
        let clock = Clock::new();
        let pacer = Pacer::new(speed, clock.clone(), spins);
        let (counts, notes, scale) = (IntakeCounts::default(), Vec::new(), Scale::default());
        Self { clock, pacer, counts, notes, scale, stopped: false }
    }

    /// Publishes a batch; true if that was the last that anybody wants.
    #[inline]
    fn take(&mut self, batch: &Batch, engine: &mut impl Publish, status: &Status) -> bool {
        for at in 0..batch.len() {
            let (head, events) = batch.frame(at);
            let mut head = *head;
            let due = self.pacer.wait_until_due(head.ts_recv_ns, || status.stopping());
            if status.stopping() {
                self.stopped = true;
                return true;
            }
            let taken_up = self.clock.stamp();
            (head.received, head.decoded) = (due.unwrap_or(taken_up), taken_up);
            self.count(head.kind, events.len(), head.ts_recv_ns);
            if head.kind != FrameKind::Prints {
                self.counts.refinements += u64::from(head.scale != self.scale && self.counts.snapshots > 1);
                self.scale = head.scale;
            }
            let stages_stamped = self.counts.frames % STAGES_EVERY == 1;
            head.published = if stages_stamped { self.clock.stamp() } else { UNSTAMPED };
            if engine.publish(&head, events).is_err() {
                self.stopped = true;
                return true;
            }
        }
        false
    }

    #[inline]
    fn count(&mut self, kind: FrameKind, events: usize, ts_recv_ns: i64) {
        self.counts.messages += 1;
        match kind {
            FrameKind::Snapshot | FrameKind::Update => {
                self.counts.frames += 1;
                self.counts.snapshots += u64::from(kind == FrameKind::Snapshot);
                self.counts.levels += events as u64;
                let (first, last) = self.counts.span_ns.unwrap_or((ts_recv_ns, ts_recv_ns));
                self.counts.span_ns = Some((first.min(ts_recv_ns), last.max(ts_recv_ns)));
            }
            FrameKind::Prints => self.counts.prints += (events / PRINT_EVENTS) as u64,
            FrameKind::Connected => {}
            FrameKind::Invalid(fault) => self.fault(fault),
        }
    }

    #[cold]
    fn fault(&mut self, fault: Fault) {
        self.counts.faults.count(fault);
        if self.notes.len() < NOTES_MAX {
            let detail = format!("frame {}", self.counts.messages);
            self.notes.push(FaultNote { fault, detail });
        }
    }
}
