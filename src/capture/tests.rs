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
        Control::Connected { connection: 1 },
        Control::Gap { frames: 7 },
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
                 `connected`, `disconnected`, `gap`, `frame` at line 1 column 25); {hint}"
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
