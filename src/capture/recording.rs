//! Records what a live session receives, on a thread that cannot slow the hot ones.
//!
//! The feed copies each message into a bounded ring of bytes and goes on. If the ring is full the *recording* has a gap,
//! which is counted and marked in its place; the session loses nothing.

use crate::base::clock::wall_ns;
use crate::capture::{CaptureError, CaptureWriter, Control};
use crate::market::event::Fault;
use rtrb::{Consumer, Producer, RingBuffer};
use std::io::Read;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes that wait to be recorded at most: many snapshots, or seconds of the busiest market.
const RING_BYTES: usize = 32 << 20;
/// How long the recording thread sleeps when there is nothing to record.
const IDLE: Duration = Duration::from_millis(5);
/// How long a recorded frame may stay in the process's memory.
const FLUSH_AFTER: Duration = Duration::from_millis(500);

/// What stands before each record in the ring: receive time, kind, connection or lost frames, payload length.
const HEAD_BYTES: usize = 8 + 1 + 8 + 4;

/// A record of the ring besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Frame,
    Connected,
    /// With the fault's number plus 1; the payload says the cause.
    Disconnected(u8),
    Gap,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    ts_recv_ns: i64,
    kind: Kind,
    /// The connection, or the frames lost.
    count: u64,
    payload_bytes: u32,
}

impl Head {
    fn encode(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..8].copy_from_slice(&self.ts_recv_ns.to_le_bytes());
        bytes[8] = match self.kind {
            Kind::Frame => 0,
            Kind::Connected => 1,
            Kind::Gap => 2,
            Kind::Disconnected(fault) => 3 + fault,
        };
        bytes[9..17].copy_from_slice(&self.count.to_le_bytes());
        bytes[17..].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEAD_BYTES]) -> Self {
        let word = |at: usize| bytes[at..at + 8].try_into().expect("eight bytes");
        Self {
            ts_recv_ns: i64::from_le_bytes(word(0)),
            kind: match bytes[8] {
                0 => Kind::Frame,
                1 => Kind::Connected,
                2 => Kind::Gap,
                more => Kind::Disconnected(more - 3),
            },
            count: u64::from_le_bytes(word(9)),
            payload_bytes: u32::from_le_bytes(bytes[17..].try_into().expect("four bytes")),
        }
    }
}

/// The feed's end.
#[derive(Debug)]
pub struct Tape {
    ring: Producer<u8>,
    /// Frames lost since the last record that found room.
    lost: u64,
    connection: u64,
}

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
    let (ring, taken) = RingBuffer::new(ring_bytes);
    let thread = thread::Builder::new()
        .name("recorder".into())
        .spawn(move || write(capture, taken))
        .map_err(|source| CaptureError::Write { path: path.into(), source })?;
    Ok((Tape { ring, lost: 0, connection: 0 }, Recording { thread }))
}

impl Tape {
    /// Records a message.
    #[inline]
    pub fn frame(&mut self, ts_recv_ns: i64, frame: &[u8]) {
        let recorded = self.make_up_gap(ts_recv_ns) && self.push(ts_recv_ns, Kind::Frame, 0, frame);
        self.lost += u64::from(!recorded);
    }

    /// Records that a connection was made.
    pub fn connected(&mut self, ts_recv_ns: i64) {
        self.connection += 1;
        self.control(ts_recv_ns, Kind::Connected, "");
    }

    /// Records that the connection ended.
    pub fn disconnected(&mut self, ts_recv_ns: i64, fault: Fault, cause: &str) {
        self.control(ts_recv_ns, Kind::Disconnected(fault as u8), cause);
    }

    /// Control records are rare and a recording without them would replay differently: they wait for room, a moment.
    fn control(&mut self, ts_recv_ns: i64, kind: Kind, text: &str) {
        let started = Instant::now();
        while !(self.make_up_gap(ts_recv_ns) && self.push(ts_recv_ns, kind, self.connection, text.as_bytes())) {
            if self.ring.is_abandoned() || started.elapsed() > FLUSH_AFTER {
                // A replay must not run over its place: the gap that stands there instead makes the book invalid too.
                self.lost += 1;
                return;
            }
            thread::sleep(IDLE);
        }
    }

    /// Records the gap, if there is one. False if there is still no room for it.
    #[inline]
    fn make_up_gap(&mut self, ts_recv_ns: i64) -> bool {
        if self.lost > 0 {
            if !self.push(ts_recv_ns, Kind::Gap, self.lost, &[]) {
                return false;
            }
            self.lost = 0;
        }
        true
    }

    #[inline]
    fn push(&mut self, ts_recv_ns: i64, kind: Kind, count: u64, payload: &[u8]) -> bool {
        let bytes = HEAD_BYTES + payload.len();
        if self.ring.cached_slots() < bytes && self.ring.slots() < bytes {
            return false;
        }
        // Messages are at most 64 MiB.
        let head = Head { ts_recv_ns, kind, count, payload_bytes: payload.len() as u32 };
        let room = "there is room: only this thread fills the ring";
        self.ring.push_entire_slice(&head.encode()).expect(room);
        self.ring.push_entire_slice(payload).expect(room);
        true
    }
}

impl Drop for Tape {
    /// Marks what was lost at the very end, too: nothing comes after it that would.
    fn drop(&mut self) {
        let started = Instant::now();
        while !self.make_up_gap(wall_ns()) && !self.ring.is_abandoned() && started.elapsed() < FLUSH_AFTER {
            thread::sleep(IDLE);
        }
    }
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

/// Reads exactly so many bytes of a record; false when the feed has gone in its middle.
fn take(ring: &mut Consumer<u8>, into: &mut [u8]) -> bool {
    while ring.slots() < into.len() {
        if ring.is_abandoned() && ring.slots() < into.len() {
            return false;
        }
        thread::sleep(IDLE);
    }
    ring.read_exact(into).is_ok()
}

fn write(mut capture: CaptureWriter, mut ring: Consumer<u8>) -> (Recorded, Option<CaptureError>) {
    let mut recorded = Recorded::default();
    let mut head = [0; HEAD_BYTES];
    let mut payload = Vec::new();
    let mut flushed = Instant::now();
    let mut work = || -> Result<(), CaptureError> {
        loop {
            while ring.slots() < HEAD_BYTES {
                if ring.is_abandoned() && ring.slots() < HEAD_BYTES {
                    return Ok(());
                }
                if flushed.elapsed() >= FLUSH_AFTER {
                    capture.flush()?;
                    flushed = Instant::now();
                }
                thread::sleep(IDLE);
            }
            if !take(&mut ring, &mut head) {
                return Ok(());
            }
            let Head { ts_recv_ns, kind, count, payload_bytes } = Head::decode(&head);
            payload.resize(payload_bytes as usize, 0);
            if !take(&mut ring, &mut payload) {
                return Ok(());
            }
            match kind {
                Kind::Frame => {
                    capture.frame(ts_recv_ns, &payload)?;
                    recorded.frames += 1;
                    recorded.bytes += payload.len() as u64;
                }
                Kind::Connected => capture.control(ts_recv_ns, &Control::Connected { connection: count })?,
                Kind::Gap => {
                    capture.control(ts_recv_ns, &Control::Gap { frames: count })?;
                    recorded.lost += count;
                }
                Kind::Disconnected(fault) => {
                    let fault = Fault::ALL.get(usize::from(fault)).map_or("", |fault| fault.name()).into();
                    let cause = String::from_utf8_lossy(&payload).into_owned();
                    capture.control(ts_recv_ns, &Control::Disconnected { connection: count, fault, cause })?;
                }
            }
            if flushed.elapsed() >= FLUSH_AFTER {
                capture.flush()?;
                flushed = Instant::now();
            }
        }
    };
    let worked = work();
    let ended = worked.and_then(|()| capture.finish());
    (recorded, ended.err())
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
    fn a_full_ring_makes_a_marked_gap_and_never_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (ring, taken) = RingBuffer::new(100);
        let mut tape = Tape { ring, lost: 0, connection: 0 };
        // Nobody takes anything meanwhile.
        for ts_recv_ns in 0..5 {
            tape.frame(ts_recv_ns, &[b'x'; 20]);
        }
        assert_eq!(tape.lost, 3);
        let capture = CaptureWriter::create(&path).unwrap();
        let writing = thread::spawn(move || write(capture, taken));
        while tape.ring.slots() < 100 {
            thread::sleep(Duration::from_millis(1));
        }
        tape.frame(9, b"{}");
        drop(tape);
        let (recorded, error) = writing.join().unwrap();
        assert!(error.is_none());
        assert_eq!(recorded, Recorded { frames: 3, bytes: 42, lost: 3 });
        let times: Vec<i64> = lines(&path).iter().map(|(ts_recv_ns, _)| *ts_recv_ns).collect();
        assert_eq!(times, [0, 1, 9, 9]);
        assert_eq!(lines(&path)[2].1, Err(Control::Gap { frames: 3 }));
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
