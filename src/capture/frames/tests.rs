use super::*;
use crate::base::output::IfTaken;
use crate::market::event::{Event, FrameHead, FrameKind, Print, UNMEASURED, UNSTAMPED};
use crate::market::publish::Publish;
use crate::market::units::{COUNT_MAX, Scale, Side};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

type Frame = (FrameHead, Vec<Event>);

fn kinds() -> impl Strategy<Value = FrameKind> {
    prop_oneof![
        2 => Just(FrameKind::Snapshot),
        20 => Just(FrameKind::Update),
        6 => Just(FrameKind::Prints),
        1 => Just(FrameKind::Connected),
        1 => (0..Fault::ALL.len()).prop_map(|at| FrameKind::Invalid(Fault::ALL[at])),
    ]
}

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let count = || prop_oneof![5 => 0..1_000_u64, 1 => 0..=COUNT_MAX];
    let level = (any::<bool>(), count(), count());
    let time = || prop_oneof![4 => 1_723_161_256_000_000_000..1_723_161_257_000_000_000_i64, 1 => any::<i64>()];
    let number = prop_oneof![4 => 0..100_u64, 1 => any::<u64>()];
    let scale = (0..=18_u8, 0..=18_u8);
    let frame = (
        kinds(),
        scale,
        number,
        time(),
        prop_oneof![Just(0), time()],
        prop::collection::vec((level, any::<u64>(), time()), 0..6),
    );
    let frame =
        frame.prop_map(|(kind, (price_decimals, size_decimals), sequence_num, ts_recv_ns, ts_event_ns, all)| {
            let side = |ask: bool| if ask { Side::Ask } else { Side::Bid };
            let events: Vec<Event> = match kind {
                FrameKind::Snapshot | FrameKind::Update => {
                    all.iter().map(|&((ask, price, size), ..)| Event::level(side(ask), price, size)).collect()
                }
                FrameKind::Prints => all
                    .iter()
                    .flat_map(|&((ask, price_ticks, size_lots), trade_id, ts_event_ns)| {
                        Print { aggressor: side(ask), price_ticks, size_lots, trade_id, ts_event_ns }.encode()
                    })
                    .collect(),
                _ => Vec::new(),
            };
            let head = FrameHead {
                kind,
                product: 0,
                levels: events.len() as u32,
                scale: Scale { price_decimals, size_decimals },
                sequence_num,
                ts_recv_ns,
                ts_event_ns,
                arrived: UNSTAMPED,
                received: UNMEASURED,
                decoded: UNSTAMPED,
                published: UNSTAMPED,
            };
            (head, events)
        });
    prop::collection::vec(frame, 1..60)
}

fn write(path: &Path, frames: &[Frame], compress: bool) -> Totals {
    let mut writer = FrameWriter::create(path, &Header::of("P"), compress, IfTaken::Replace).unwrap();
    frames.iter().for_each(|(head, events)| writer.publish(head, events).unwrap());
    writer.finish().unwrap()
}

fn read(path: &Path) -> (Vec<Frame>, Vec<u64>, bool) {
    let mut file = FrameFile::open(path).unwrap();
    let (mut batch, mut frames) = (Batch::default(), Vec::new());
    while file.next(&mut batch).unwrap() {
        frames.extend((0..batch.len()).map(|at| batch.frame(at)).map(|(head, events)| (*head, events.to_vec())));
    }
    (frames, file.damaged().to_vec(), file.is_cut())
}

/// What is found in frames, each number by itself.
fn looked_at(frames: &[Frame]) -> Findings {
    let heads = || frames.iter().map(|(head, _)| head);
    let times = || heads().map(|head| i128::from(head.ts_recv_ns));
    let pauses = || times().zip(times().skip(1)).map(|(before, after)| after - before);
    let leads = || {
        heads()
            .filter(|head| head.ts_event_ns != 0)
            .map(|head| i128::from(head.ts_event_ns) - i128::from(head.ts_recv_ns))
    };
    let clamped = |ns: i128| i64::try_from(ns).unwrap_or(i64::MAX);
    let last_of_book = heads().rfind(|head| head.kind.is_book_frame());
    Findings {
        faults: heads().filter(|head| matches!(head.kind, FrameKind::Invalid(_))).count() as u64,
        back: pauses().filter(|&pause| pause < 0).count() as u64,
        timed: leads().count() as u64,
        ahead: leads().filter(|&lead| lead > 0).count() as u64,
        far_ahead: leads().filter(|&lead| lead > 24 * 3_600 * 1_000_000_000).count() as u64,
        longest_pause_ns: clamped(pauses().max().unwrap_or(0).max(0)),
        first_ns: clamped(times().min().unwrap()),
        last_ns: clamped(times().max().unwrap()),
        scale: last_of_book.map(|head| head.scale).unwrap_or_default(),
    }
}

/// The same file as version 1 has it.
fn as_version_1(file: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    bytes[8] = 1;
    let ending_at = bytes.len() - ENDING_BYTES;
    let index_at = u64::from_le_bytes(bytes[ending_at..][..8].try_into().unwrap()) as usize;
    let index = bytes[index_at..ending_at - 4 - FINDINGS_BYTES].to_vec();
    let ending = bytes[ending_at..].to_vec();
    bytes.truncate(index_at);
    [bytes, index.clone(), crc32fast::hash(&index).to_le_bytes().to_vec(), ending].concat()
}

proptest! {
    #[test]
    fn frames_are_read_as_they_were_written(frames in frames(), compress in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.frames");
        let totals = write(&path, &frames, compress);
        let (found, damaged, is_cut) = read(&path);
        prop_assert!(damaged.is_empty() && !is_cut);
        prop_assert_eq!(&found, &frames);
        let book = |kind: FrameKind| kind.is_book_frame();
        prop_assert_eq!(totals.frames, frames.iter().filter(|(head, _)| book(head.kind)).count() as u64);
        let file = FrameFile::open(&path).unwrap();
        let index = file.index().unwrap();
        prop_assert_eq!(index.totals, totals);
        prop_assert_eq!(index.findings, Some(looked_at(&frames)));
        prop_assert_eq!(index.entries.iter().map(|entry| u64::from(entry.frames)).sum::<u64>(), frames.len() as u64);
    }

    #[test]
    fn files_of_version_1_are_read(frames in frames()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.frames");
        let totals = write(&path, &frames, true);
        fs::write(&path, as_version_1(&fs::read(&path).unwrap())).unwrap();
        let (found, damaged, is_cut) = read(&path);
        prop_assert!(damaged.is_empty() && !is_cut && found == frames);
        let file = FrameFile::open(&path).unwrap();
        let index = file.index().unwrap();
        prop_assert_eq!((index.totals, index.findings), (totals, None));
    }

    /// Whatever happens to a file, its readers end, and what they give was written, damage aside.
    #[test]
    fn damage_is_found(frames in frames(), at in any::<prop::sample::Index>(), byte in 1..=255_u8, cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.frames");
        write(&path, &frames, true);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= byte;
        }
        fs::write(&path, &bytes).unwrap();
        let Ok(_) = FrameFile::open(&path) else { return Ok(()) };
        let (found, damaged, is_cut) = read(&path);
        let whole: Vec<&Frame> = found.iter().filter(|frame| frames.contains(frame)).collect();
        let gaps = found.len() - whole.len();
        prop_assert!(gaps <= damaged.len());
        prop_assert!(is_cut || !damaged.is_empty() || found == frames);
    }
}

#[test]
fn what_is_no_such_file_is_refused_by_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.frames");
    let error = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = FrameFile::open(&path).map(|_| ()).unwrap_err().to_string();
        error.strip_prefix(&format!("{}: ", path.display())).map(ToOwned::to_owned).unwrap_or(error)
    };
    let good = {
        write(&path, &[], true);
        fs::read(&path).unwrap()
    };
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(error(b""), "is cut within its header; convert it again");
    assert_eq!(error(&good[..30]), "is cut within its header; convert it again");
    assert_eq!(error(&with(0, b'X')), "is no file of frames");
    assert_eq!(error(&with(8, 3)), "is of version 3; this program reads 1 to 2: use a newer one");
    assert_eq!(error(&with(20, b'!')), "its header is damaged: the checksum is another");
    assert_eq!(
        error(&with(15, 1)),
        "its header of 16777539 bytes is longer than 1048576".replace("16777539", &{
            let bytes = u32::from_le_bytes(with(15, 1)[12..16].try_into().unwrap());
            bytes.to_string()
        })
    );
}

#[test]
fn a_time_is_found_by_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.frames");
    let head = |number: u64, kind| FrameHead {
        kind,
        product: 0,
        levels: 1,
        scale: Scale::default(),
        sequence_num: number,
        ts_recv_ns: number as i64 * 10,
        ts_event_ns: 0,
        arrived: UNSTAMPED,
        received: UNMEASURED,
        decoded: UNSTAMPED,
        published: UNSTAMPED,
    };
    let kind = |number: u64| if number.is_multiple_of(1_000) { FrameKind::Snapshot } else { FrameKind::Update };
    let frames: Vec<Frame> =
        (0..5_000).map(|number| (head(number, kind(number)), vec![Event::level(Side::Bid, 5, number)])).collect();
    write(&path, &frames, true);
    for (ts_ns, first) in [(-5, 0), (0, 0), (9_990, 0), (10_000, 1_000), (25_555, 2_000), (i64::MAX, 4_000)] {
        let mut file = FrameFile::open(&path).unwrap();
        file.seek(ts_ns).unwrap();
        let mut batch = Batch::default();
        assert!(file.next(&mut batch).unwrap());
        assert_eq!(batch.frame(0).0.sequence_num, first, "{ts_ns}");
    }
}

/// A header or an index that lies about how much there is costs no memory.
#[test]
fn what_a_file_claims_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.frames");
    write(&path, &[], true);
    let opening = fs::metadata(&path).unwrap().len() as usize - (8 + TOTALS_BYTES + FINDINGS_BYTES + 4 + ENDING_BYTES);
    let whole = fs::read(&path).unwrap()[..opening].to_vec();
    let mut block = BLOCK_MAGIC.to_vec();
    for number in [1, PAYLOAD_BYTES_MAX as u32 + 1, 8, 0] {
        block.extend(number.to_le_bytes());
    }
    block.resize(BLOCK_HEADER_BYTES - 4, 0);
    block.extend(crc32fast::hash(&block).to_le_bytes());
    fs::write(&path, [&whole[..], &block, &[0; 8]].concat()).unwrap();
    let (frames, damaged, is_cut) = read(&path);
    assert_eq!((frames.len(), damaged, is_cut), (1, vec![opening as u64], true));
    // A file of a hole, which takes no room on disk.
    let claimed = (INDEX_ENTRIES_MAX as u64 + 1) * INDEX_ENTRY_BYTES as u64 + 1_000;
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(opening as u64 + claimed).unwrap();
    drop(file);
    let mut ending = (opening as u64).to_le_bytes().to_vec();
    ending.extend(END_MAGIC);
    std::io::Write::write_all(&mut fs::File::options().append(true).open(&path).unwrap(), &ending).unwrap();
    assert!(FrameFile::open(&path).unwrap().index().is_none());
}
