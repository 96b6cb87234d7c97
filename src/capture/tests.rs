use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// An owned line: time, frame or control, terminated.
type Owned = (i64, Result<Vec<u8>, Control>, bool);

fn read_all(mut reader: CaptureReader) -> (Vec<Owned>, Option<Cut>, Option<CaptureError>) {
    let mut lines = Vec::new();
    loop {
        match reader.next_line() {
            Ok(Some(line)) => lines.push((
                line.ts_recv_ns,
                match line.item {
                    Item::Frame(frame) => Ok(frame.to_vec()),
                    Item::Control(control) => Err(control),
                },
                line.terminated,
            )),
            Ok(None) => return (lines, reader.cut().cloned(), None),
            Err(error) => return (lines, reader.cut().cloned(), Some(error)),
        }
    }
}

fn read_both_ways(path: &Path) -> (Vec<Owned>, Option<Cut>, Option<String>) {
    let (lines, cut, error) = read_all(CaptureReader::open(path).unwrap());
    let (lines_ahead, cut_ahead, error_ahead) = read_all(CaptureReader::open(path).unwrap().read_ahead().unwrap());
    let error = error.map(|error| error.to_string());
    assert_eq!(lines, lines_ahead);
    assert_eq!(cut, cut_ahead);
    assert_eq!(error, error_ahead.map(|error| error.to_string()));
    (lines, cut, error)
}

fn frame(ts_recv_ns: i64, bytes: &[u8]) -> Owned {
    (ts_recv_ns, Ok(bytes.to_vec()), true)
}

/// A capture of `frames` frames, long enough for many blocks, by each compression.
fn written(folder: &Path, frames: usize) -> (Vec<Owned>, Vec<PathBuf>) {
    let lines: Vec<Owned> = (0..frames)
        .map(|n| frame(n as i64, format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(n % 977)).as_bytes()))
        .collect();
    let paths: Vec<PathBuf> = ["a.l2", "a.l2.gz", "a.l2.zst"].iter().map(|name| folder.join(name)).collect();
    for path in &paths {
        let mut writer = CaptureWriter::create(path).unwrap();
        for (ts_recv_ns, item, _) in &lines {
            writer.frame(*ts_recv_ns, item.as_ref().unwrap()).unwrap();
        }
        writer.finish().unwrap();
    }
    (lines, paths)
}

#[test]
fn every_compression_reads_back_and_is_told_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, paths) = written(folder.path(), 3_000);
    for path in &paths {
        let other_name = path.with_extension("capture");
        fs::rename(path, &other_name).unwrap();
        assert_eq!(read_both_ways(&other_name), (lines.clone(), None, None));
    }
}

#[test]
fn a_cut_tail_gives_every_whole_line_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, paths) = written(folder.path(), 3_000);
    for path in &paths {
        let whole = fs::read(path).unwrap();
        for keep in [whole.len() / 3, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            fs::write(path, &whole[..keep]).unwrap();
            let (read, cut, error) = read_both_ways(path);
            assert_eq!(error, None);
            let plain = !cut.as_ref().is_some_and(|cut| matches!(cut, Cut::CompressedTail { .. }));
            if plain {
                // An unterminated line is given to the caller, who knows whether it is whole.
                let (last, before) = read.split_last().unwrap();
                assert_eq!(before, &lines[..before.len()], "{}", path.display());
                assert!(!last.2);
            } else {
                assert_eq!(read, lines[..read.len()], "{}", path.display());
                assert!(read.len() > lines.len() / 6, "{}", path.display());
            }
        }
    }
}

#[test]
fn flushed_frames_survive_without_an_end() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.l2", "a.l2.gz", "a.l2.zst"] {
        let path = folder.path().join(name);
        let mut writer = CaptureWriter::create(&path).unwrap();
        writer.frame(1, b"{}").unwrap();
        writer.frame(2, b"[]").unwrap();
        writer.flush().unwrap();
        let copy = folder.path().join("copy");
        fs::copy(&path, &copy).unwrap();
        let (lines, _, error) = read_both_ways(&copy);
        assert_eq!(lines, [frame(1, b"{}"), frame(2, b"[]")], "{name}");
        assert_eq!(error, None);
        writer.finish().unwrap();
    }
}

#[test]
fn control_lines_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let controls = [
        Control::Connected { connection: 1, products: Vec::new() },
        Control::Connected { connection: 2, products: vec!["A".into(), "B".into()] },
        Control::On { connection: 1 },
        Control::Gap { frames: 7 },
        Control::Invalid { product: "P".into(), fault: "off the given tick or lot grid".into(), cause: "x".into() },
        Control::Disconnected {
            connection: 1,
            fault: "connection lost".into(),
            cause: "a \"cause\"\nof two lines".into(),
        },
    ];
    let mut writer = CaptureWriter::create(&path).unwrap();
    for control in &controls {
        writer.control(5, control).unwrap();
    }
    writer.finish().unwrap();
    let (lines, ..) = read_both_ways(&path);
    assert_eq!(lines, controls.map(|control| (5, Err(control), true)));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("5 {\"papertrader\":\"connected\",\"connection\":1}\n"), "{text}");
}

#[test]
fn what_is_no_capture_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let shown = path.display().to_string();
    let hint = "a line reads `<receive time in Unix ns> <frame>`";
    for (content, message) in [
        ("hello\n", format!("{shown} is not a capture: line 1 does not begin with a receive time and a space; {hint}")),
        ("12 \n", format!("{shown} is not a capture: line 1 has a receive time but no frame; {hint}")),
        (
            "1 {}\n{}\n3 {}\n",
            format!("capture {shown}, line 2: does not begin with a receive time and a space; {hint}"),
        ),
        ("1 {}\n-2 {}\n", format!("capture {shown}, line 2: does not begin with a receive time and a space; {hint}")),
        (
            "1 {}\n2 {\"papertrader\":\"nonsense\"}\n",
            format!(
                "capture {shown}, line 2: is a control line that cannot be read (unknown variant `nonsense`, expected one of \
                 `connected`, `on`, `disconnected`, `invalid`, `gap`, `frame` at line 1 column 25); {hint}"
            ),
        ),
    ] {
        fs::write(&path, content).unwrap();
        let (_, _, error) = read_both_ways(&path);
        assert_eq!(error, Some(message), "{content:?}");
    }
    fs::write(&path, "").unwrap();
    assert!(matches!(CaptureReader::open(&path), Err(CaptureError::Empty { .. })));
    assert!(matches!(CaptureReader::open(&folder.path().join("none")), Err(CaptureError::Open { .. })));
    assert!(matches!(CaptureReader::open(folder.path()), Err(CaptureError::Open { .. })));
}

#[test]
fn damaged_compression_is_an_error_after_what_was_good() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, paths) = written(folder.path(), 3_000);
    for path in &paths[1..] {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        for byte in &mut bytes[middle..middle + 64] {
            *byte ^= 0xa5;
        }
        fs::write(path, bytes).unwrap();
        let (read, _, error) = read_both_ways(path);
        let error = error.unwrap_or_else(|| panic!("{} reads although it is damaged", path.display()));
        assert!(error.starts_with("cannot read capture") || error.contains(", line "), "{error}");
        // Damage inside a literal can pass a decompressor until its checksum; lines before the damage are exact.
        assert_eq!(read[..read.len() / 2], lines[..read.len() / 2]);
    }
}

/// Found by fuzzing: the lines behind a bad one were still given to who asked.
#[test]
fn after_a_bad_line_lines_went_on() {
    for text in [&b"x\n1 {}\n"[..], b"1 {}\nx\n2 {}\n"] {
        let mut reader = CaptureReader::from_input(Path::new("c"), text, 0).unwrap();
        while reader.next_line().is_ok() {}
        assert!(matches!(reader.next_line(), Ok(None)));
    }
}

/// A frame of so many bytes behind a receive time, and a short line after it, made as they are read.
fn long_line(line_bytes: usize) -> impl std::io::Read + Send + 'static {
    use std::io::Read;
    (&b"1 {}\n2 "[..]).chain(std::io::repeat(b'x').take(line_bytes as u64 - 2)).chain(&b"\n3 {}\n"[..])
}

#[test]
fn a_line_may_be_so_long_and_not_one_byte_longer() {
    let read = |line_bytes: usize| {
        let mut reader = CaptureReader::from_input(Path::new("c"), long_line(line_bytes), 0).unwrap();
        let mut lengths = Vec::new();
        loop {
            match reader.next_line() {
                Ok(Some(Line { item: Item::Frame(frame), .. })) => lengths.push(frame.len()),
                Ok(other) => return (lengths, other.map(|_| String::new())),
                Err(error) => return (lengths, Some(error.to_string())),
            }
        }
    };
    assert_eq!(read(LINE_BYTES_MAX), (vec![2, LINE_BYTES_MAX - 2, 2], None));
    let error = format!("capture c, line 2: longer than {LINE_BYTES_MAX} bytes");
    assert_eq!(read(LINE_BYTES_MAX + 1), (vec![2], Some(error)));
}

/// A few kilobytes that would expand to a gigabyte: memory is bounded by the longest line.
#[test]
fn compressed_data_that_expands_without_a_line_break_ends_at_the_longest_line() {
    use std::io::{Read, Write};
    let gigabyte = || (&b"1 {}\n2 "[..]).chain(std::io::repeat(b'x').take(1 << 30));
    let zstd = zstd::encode_all(gigabyte(), 1).unwrap();
    // One member of a megabyte, again and again: a gzip file may be so made.
    let member = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let gzip = [member(b"1 {}\n2 "), member(&vec![b'x'; 1 << 20]).repeat(1 << 10)].concat();
    for bomb in [zstd, gzip] {
        assert!(bomb.len() < 2 << 20, "{} bytes", bomb.len());
        let mut reader = CaptureReader::from_input(Path::new("c"), std::io::Cursor::new(bomb), 0).unwrap();
        assert!(reader.next_line().unwrap().is_some());
        assert!(matches!(reader.next_line(), Err(CaptureError::LineTooLong { line: 2, .. })));
    }
}

/// The window that a zstd frame asks for is memory that its reader must have.
#[test]
fn a_zstd_window_may_be_so_large_and_not_larger() {
    // The frame's head alone: magic, no flags, window descriptor (RFC 8878, 3.1.1.1.2), a last raw block of no bytes.
    for (log, fits) in [(ZSTD_WINDOW_LOG_MAX, true), (ZSTD_WINDOW_LOG_MAX + 1, false)] {
        let descriptor = ((log - 10) << 3) as u8;
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0, descriptor][..], &[0x29, 0, 0], b"1 {}\n"].concat();
        let mut reader = CaptureReader::from_input(Path::new("c"), std::io::Cursor::new(frame), 0).unwrap();
        match reader.next_line() {
            Ok(line) => assert!(fits && line.is_some()),
            Err(error) => assert!(!fits && error.to_string().contains("requires too much memory"), "{error}"),
        }
    }
}

#[test]
fn compressed_data_that_ends_within_the_first_line_is_told_from_an_empty_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_, paths) = written(folder.path(), 1);
    for path in &paths[1..] {
        let whole = fs::read(path).unwrap();
        fs::write(path, &whole[..whole.len() - 10]).unwrap();
        let (lines, cut, error) = read_both_ways(path);
        let expected = format!("capture {} is cut: its compressed data ends within the first line", path.display());
        assert_eq!((lines, cut, error), (vec![], None, Some(expected)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_recorded_exactly(frames in prop::collection::vec((0..i64::MAX, prop::collection::vec(any::<u8>(), 1..40)), 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zst");
        let mut writer = CaptureWriter::create(&path).unwrap();
        for (ts_recv_ns, bytes) in &frames {
            writer.frame(*ts_recv_ns, bytes).unwrap();
        }
        writer.finish().unwrap();
        let (lines, cut, error) = read_both_ways(&path);
        let expected: Vec<Owned> = frames.iter().map(|(ts_recv_ns, bytes)| frame(*ts_recv_ns, bytes)).collect();
        prop_assert_eq!((lines, cut, error), (expected, None, None));
    }

    #[test]
    fn any_file_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, bytes).unwrap();
        read_both_ways(&path);
    }
}
