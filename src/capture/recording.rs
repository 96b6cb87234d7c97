//! Records what a live session receives, on a thread that cannot slow the hot ones.
//!
//! The messages come over a [`Tape`], which never makes the feed wait.
//!
//! ```
//! use papertrader::base::output::IfTaken;
//! use papertrader::capture::{CaptureReader, Item, recording};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.gz");
//! let (mut tape, recording) = recording::start(&path, IfTaken::Refuse)?;
//! tape.frame(1, 1_723_161_600_000_250_000, br#"{"channel":"heartbeats"}"#);
//! drop(tape);
//! let (recorded, error) = recording.finish();
//! assert!(error.is_none());
//! assert_eq!((recorded.frames, recorded.lost), (1, 0));
//!
//! let mut reader = CaptureReader::open(&path)?;
//! let line = reader.next_line()?.expect("the frame");
//! assert_eq!(line.item, Item::Frame(br#"{"channel":"heartbeats"}"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::output::{IfTaken, check_and_hold};
use crate::capture::{CaptureError, CaptureWriter, Control};
use crate::feed::tape::{Found, IDLE, Record, Tape, TapeReader, tape};
use crate::feed::wire::MESSAGE_BYTES_MAX;
use crate::market::event::Fault;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes that wait to be recorded at most: the largest message there can be, behind seconds of the busiest market.
const RING_BYTES: usize = MESSAGE_BYTES_MAX + (16 << 20);
/// How long a recorded frame may stay in the process's memory.
const FLUSH_AFTER: Duration = Duration::from_millis(500);

/// The recording thread.
#[derive(Debug)]
pub struct Recording {
    thread: JoinHandle<(Recorded, Option<CaptureError>)>,
    /// What went wrong, once it has.
    failure: Arc<OnceLock<String>>,
}

/// What was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The capture; `None` if there was nothing to record.
    pub path: Option<PathBuf>,
    /// Frames in the file.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that found the ring full and are marked as gaps.
    pub lost: u64,
    /// Whether writing failed: frames and bytes are then those that were handed to the file, the last of which may not be in it, and
    /// what came later is not.
    pub failed: bool,
}

/// Looks at the capture's place and starts the thread that opens it, once there is something to write, and writes it.
///
/// # Errors
/// The file is there and `if_taken` refuses, or its folder cannot be written to.
pub fn start(path: &Path, if_taken: IfTaken) -> Result<(Tape, Recording), CaptureError> {
    start_with(path, if_taken, RING_BYTES)
}

fn start_with(path: &Path, if_taken: IfTaken, ring_bytes: usize) -> Result<(Tape, Recording), CaptureError> {
    let held = check_and_hold(path, if_taken)?;
    let (tape, reader) = tape(ring_bytes);
    let to = path.to_owned();
    let failure = Arc::new(OnceLock::new());
    let told = Arc::clone(&failure);
    let thread = thread::Builder::new()
        .name("recorder".into())
        .spawn(move || {
            let _held = held;
            let (recorded, error) = write(&to, if_taken, reader);
            if let Some(error) = &error {
                // Nobody else sets it.
                let _ = told.set(error.to_string());
            }
            (recorded, error)
        })
        .map_err(|source| CaptureError::Write { path: path.into(), source })?;
    Ok((tape, Recording { thread, failure }))
}

impl Recording {
    /// Waits until everything is written; the tape must have been dropped. What was recorded, and what went wrong.
    pub fn finish(self) -> (Recorded, Option<CaptureError>) {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Why writing has failed, if it has.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }
}

fn write(path: &Path, if_taken: IfTaken, mut tape: TapeReader) -> (Recorded, Option<CaptureError>) {
    let mut recorded = Recorded::default();
    let worked = write_all(path, if_taken, &mut tape, &mut recorded);
    recorded.failed = worked.is_err();
    (recorded, worked.err())
}

fn write_all(
    path: &Path,
    if_taken: IfTaken,
    tape: &mut TapeReader,
    recorded: &mut Recorded,
) -> Result<(), CaptureError> {
    let mut capture: Option<CaptureWriter> = None;
    let mut flushed = Instant::now();
    loop {
        match tape.take() {
            Found::Record(ts_recv_ns, record) => {
                let capture = match &mut capture {
                    Some(capture) => capture,
                    None => {
                        let opened = capture.insert(CaptureWriter::open(path, if_taken)?);
                        recorded.path = Some(opened.path().into());
                        opened
                    }
                };
                write_record(capture, ts_recv_ns, record, recorded)?;
            }
            Found::Nothing => thread::sleep(IDLE),
            Found::End => return capture.map_or(Ok(()), CaptureWriter::finish),
        }
        if let Some(capture) = capture.as_mut().filter(|_| flushed.elapsed() >= FLUSH_AFTER) {
            capture.flush()?;
            flushed = Instant::now();
        }
    }
}

fn write_record(
    capture: &mut CaptureWriter,
    ts_recv_ns: i64,
    record: Record<'_>,
    recorded: &mut Recorded,
) -> Result<(), CaptureError> {
    match record {
        Record::Frame(frame) => {
            capture.frame(ts_recv_ns, frame)?;
            recorded.frames += 1;
            recorded.bytes += frame.len() as u64;
            Ok(())
        }
        Record::Connected { connection, products } => {
            let products = String::from_utf8_lossy(products);
            let products = products.lines().map(Into::into).collect();
            capture.control(ts_recv_ns, &Control::Connected { connection, products })
        }
        Record::On { connection } => capture.control(ts_recv_ns, &Control::On { connection }),
        Record::Gap { frames } => {
            capture.control(ts_recv_ns, &Control::Gap { frames })?;
            recorded.lost += frames;
            Ok(())
        }
        Record::Invalid { product, fault, cause } => {
            let [product, cause] = [product, cause].map(|text| String::from_utf8_lossy(text).into_owned());
            capture
                .control(ts_recv_ns, &Control::Invalid { product, fault: fault.map_or("", Fault::name).into(), cause })
        }
        Record::Disconnected { connection, fault, cause } => {
            let fault = fault.map_or("", Fault::name).into();
            let cause = String::from_utf8_lossy(cause).into_owned();
            capture.control(ts_recv_ns, &Control::Disconnected { connection, fault, cause })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{CaptureReader, Item};

    fn lines(path: &Path) -> Vec<(i64, Result<Vec<u8>, Control>)> {
        let mut reader = CaptureReader::open(path).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            let item = match line.item {
                Item::Frame(frame) => Ok(frame.to_vec()),
                Item::Control(control) => Err(control),
            };
            lines.push((line.ts_recv_ns, item));
        }
        lines
    }

    #[test]
    fn what_was_received_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "a.gz", "a.zst"] {
            let path = folder.path().join(name);
            let (mut tape, recording) = start(&path, IfTaken::Refuse).unwrap();
            tape.connected(1, 1, &[]);
            tape.frame(1, 2, b"{}");
            tape.frame(1, 3, b"with\na break");
            tape.invalid(3, "ETH-USD", Fault::BadNumber, "level 0:\nno number");
            tape.disconnected(1, 4, Fault::NoHeartbeat, "it was late");
            tape.connected(2, 5, &["A".into(), "B".into()]);
            tape.frame(1, 6, b"{}");
            drop(tape);
            let (recorded, error) = recording.finish();
            let expected = Recorded { path: Some(path.clone()), frames: 3, bytes: 16, lost: 0, failed: false };
            assert_eq!((recorded, error.is_none()), (expected, true));
            assert_eq!(
                lines(&path),
                [
                    (1, Err(Control::Connected { connection: 1, products: Vec::new() })),
                    (2, Ok(b"{}".to_vec())),
                    (3, Ok(b"with\na break".to_vec())),
                    (
                        3,
                        Err(Control::Invalid {
                            product: "ETH-USD".into(),
                            fault: "impossible price or quantity".into(),
                            cause: "level 0:\nno number".into()
                        })
                    ),
                    (
                        4,
                        Err(Control::Disconnected {
                            connection: 1,
                            fault: "no heartbeat in time".into(),
                            cause: "it was late".into()
                        })
                    ),
                    (5, Err(Control::Connected { connection: 2, products: vec!["A".into(), "B".into()] })),
                    (6, Err(Control::On { connection: 1 })),
                    (6, Ok(b"{}".to_vec())),
                ]
            );
        }
    }

    #[test]
    fn a_frame_larger_than_the_ring_is_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (mut tape, recording) = start_with(&path, IfTaken::Refuse, 100).unwrap();
        tape.frame(1, 1, &[b'x'; 200]);
        tape.frame(1, 2, b"{}");
        drop(tape);
        assert_eq!(
            recording.finish().0,
            Recorded { path: Some(path.clone()), frames: 1, bytes: 2, lost: 1, failed: false }
        );
    }

    #[test]
    fn frames_lost_at_the_end_are_counted_and_marked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (mut tape, recording) = start_with(&path, IfTaken::Refuse, 100).unwrap();
        tape.frame(1, 1, b"{}");
        tape.frame(1, 2, &[b'x'; 200]);
        drop(tape);
        assert_eq!(
            recording.finish().0,
            Recorded { path: Some(path.clone()), frames: 1, bytes: 2, lost: 1, failed: false }
        );
        assert_eq!(lines(&path).pop().unwrap().1, Err(Control::Gap { frames: 1 }));
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_not_the_session() {
        let (mut tape, recording) = start(Path::new("/dev/full"), IfTaken::Refuse).unwrap();
        tape.frame(1, 1, &[b'x'; 1000]);
        while recording.failure().is_none() {
            tape.frame(1, 2, b"{}");
            thread::sleep(Duration::from_millis(1));
        }
        tape.connected(2, 3, &[]);
        let (recorded, error) = recording.finish();
        assert!(recorded.failed);
        assert!(error.unwrap().to_string().starts_with("cannot write capture /dev/full: "));
    }

    #[test]
    fn nothing_is_made_or_replaced_before_there_is_something_to_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.l2");
        std::fs::write(&path, "kept").unwrap();
        for if_taken in [IfTaken::Number, IfTaken::Replace] {
            let (tape, recording) = start(&path, if_taken).unwrap();
            drop(tape);
            assert_eq!(recording.finish().0, Recorded::default());
        }
        assert!(start(&path, IfTaken::Refuse).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"kept");
        for (if_taken, name) in [(IfTaken::Number, "a_2.l2"), (IfTaken::Replace, "a.l2")] {
            let (mut tape, recording) = start(&path, if_taken).unwrap();
            tape.frame(1, 1, b"{}");
            drop(tape);
            assert_eq!(recording.finish().0.path, Some(folder.path().join(name)));
            assert_eq!(lines(&folder.path().join(name)), [(1, Ok(b"{}".to_vec()))]);
        }
    }

    #[test]
    fn the_largest_message_is_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zst");
        let (mut tape, recording) = start(&path, IfTaken::Refuse).unwrap();
        tape.frame(1, 1, b"{}");
        tape.frame(1, 2, &vec![b' '; MESSAGE_BYTES_MAX]);
        drop(tape);
        let (recorded, error) = recording.finish();
        assert_eq!((recorded.frames, recorded.lost, error.is_none()), (2, 0, true));
    }
}
