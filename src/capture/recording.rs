//! Records what a live session receives, on a thread that cannot slow the hot ones.
//!
//! The messages come over a [`Tape`], which never makes the feed wait.
//!
//! ```
//! use papertrader::capture::{CaptureReader, Item, recording};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.gz");
//! let (mut tape, recording) = recording::start(&path)?;
//! tape.frame(1_723_161_600_000_250_000, br#"{"channel":"heartbeats"}"#);
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

use crate::capture::{CaptureError, CaptureWriter, Control};
use crate::feed::tape::{Found, IDLE, Record, Tape, TapeReader, tape};
use crate::market::event::Fault;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes that wait to be recorded at most: many snapshots, or seconds of the busiest market.
const RING_BYTES: usize = 32 << 20;
/// How long a recorded frame may stay in the process's memory.
const FLUSH_AFTER: Duration = Duration::from_millis(500);

/// The recording thread.
#[derive(Debug)]
pub struct Recording {
    thread: JoinHandle<(Recorded, Option<CaptureError>)>,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Frames in the file.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that found the ring full and are marked as gaps.
    pub lost: u64,
}

/// Opens the capture and starts the thread that writes it.
///
/// # Errors
/// The file cannot be created.
pub fn start(path: &Path) -> Result<(Tape, Recording), CaptureError> {
    start_with(path, RING_BYTES)
}

fn start_with(path: &Path, ring_bytes: usize) -> Result<(Tape, Recording), CaptureError> {
    let capture = CaptureWriter::create(path)?;
    let (tape, reader) = tape(ring_bytes);
    let thread = thread::Builder::new()
        .name("recorder".into())
        .spawn(move || write(capture, reader))
        .map_err(|source| CaptureError::Write { path: path.into(), source })?;
    Ok((tape, Recording { thread }))
}

impl Recording {
    /// Waits until everything is written; the tape must have been dropped. What was recorded, and what went wrong.
    pub fn finish(self) -> (Recorded, Option<CaptureError>) {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Whether writing has ended, which before the session's end means that it failed.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

fn write(mut capture: CaptureWriter, mut tape: TapeReader) -> (Recorded, Option<CaptureError>) {
    let mut recorded = Recorded::default();
    let worked = write_all(&mut capture, &mut tape, &mut recorded);
    let ended = worked.and_then(|()| capture.finish());
    (recorded, ended.err())
}

fn write_all(capture: &mut CaptureWriter, tape: &mut TapeReader, recorded: &mut Recorded) -> Result<(), CaptureError> {
    let mut flushed = Instant::now();
    loop {
        match tape.take() {
            Found::Record(ts_recv_ns, record) => write_record(capture, ts_recv_ns, record, recorded)?,
            Found::Nothing => thread::sleep(IDLE),
            Found::End => return Ok(()),
        }
        if flushed.elapsed() >= FLUSH_AFTER {
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
        Record::Connected { connection } => capture.control(ts_recv_ns, &Control::Connected { connection }),
        Record::Gap { frames } => {
            capture.control(ts_recv_ns, &Control::Gap { frames })?;
            recorded.lost += frames;
            Ok(())
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
            let (mut tape, recording) = start(&path).unwrap();
            tape.connected(1);
            tape.frame(2, b"{}");
            tape.frame(3, b"with\na break");
            tape.disconnected(4, Fault::NoHeartbeat, "it was late");
            tape.connected(5);
            drop(tape);
            let (recorded, error) = recording.finish();
            assert_eq!((recorded, error.is_none()), (Recorded { frames: 2, bytes: 14, lost: 0 }, true));
            assert_eq!(
                lines(&path),
                [
                    (1, Err(Control::Connected { connection: 1 })),
                    (2, Ok(b"{}".to_vec())),
                    (3, Ok(b"with\na break".to_vec())),
                    (
                        4,
                        Err(Control::Disconnected {
                            connection: 1,
                            fault: "no heartbeat in time".into(),
                            cause: "it was late".into()
                        })
                    ),
                    (5, Err(Control::Connected { connection: 2 })),
                ]
            );
        }
    }

    #[test]
    fn a_frame_larger_than_the_ring_is_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (mut tape, recording) = start_with(&path, 100).unwrap();
        tape.frame(1, &[b'x'; 200]);
        tape.frame(2, b"{}");
        drop(tape);
        assert_eq!(recording.finish().0, Recorded { frames: 1, bytes: 2, lost: 1 });
    }

    #[test]
    fn frames_lost_at_the_end_are_counted_and_marked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (mut tape, recording) = start_with(&path, 100).unwrap();
        tape.frame(1, b"{}");
        tape.frame(2, &[b'x'; 200]);
        drop(tape);
        assert_eq!(recording.finish().0, Recorded { frames: 1, bytes: 2, lost: 1 });
        assert_eq!(lines(&path).pop().unwrap().1, Err(Control::Gap { frames: 1 }));
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_not_the_session() {
        let (mut tape, recording) = start(Path::new("/dev/full")).unwrap();
        tape.frame(1, &[b'x'; 1000]);
        while !recording.has_ended() {
            tape.frame(2, b"{}");
            thread::sleep(Duration::from_millis(1));
        }
        tape.connected(3);
        let (_, error) = recording.finish();
        assert!(error.unwrap().to_string().starts_with("cannot write capture /dev/full: "));
    }
}
