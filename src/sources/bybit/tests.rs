use super::*;
use crate::sources::FrameReader;
use crate::sources::detect::{Format, detect};
use proptest::prelude::*;
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

const T_MS: i64 = 1_733_011_200_691;

fn zipped_as(name: &str, text: &[u8], method: CompressionMethod) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("2024-12-01_P_ob500.data.zip");
    let mut archive = ZipWriter::new(std::fs::File::create(&path).unwrap());
    archive.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
    archive.write_all(text).unwrap();
    archive.finish().unwrap();
    (folder, path)
}

fn zipped(text: &[u8]) -> (TempDir, PathBuf) {
    zipped_as("2024-12-01_P_ob500.data", text, CompressionMethod::Deflated)
}

fn line(product: &str, kind: &str, after_ms: i64, u: u64, bids: &str, asks: &str) -> String {
    let ts = T_MS + after_ms;
    format!(
        "{{\"topic\":\"orderbook.500.{product}\",\"type\":\"{kind}\",\"ts\":{ts},\"data\":{{\"s\":\"{product}\",\"b\":{bids},\
         \"a\":{asks},\"u\":{u},\"seq\":9}},\"cts\":{ts}}}\r\n"
    )
}

fn all(path: &Path, product: Option<&str>) -> Result<(Vec<RawFrame>, ReaderCounts), ReadError> {
    let settings = ReaderSettings { product: product.map(Into::into), ..ReaderSettings::default() };
    let mut reader = BybitReader::open(path, &settings)?;
    let (mut frames, mut frame) = (Vec::new(), RawFrame::default());
    while reader.next(&mut frame)? {
        frames.push(frame.clone());
    }
    Ok((frames, reader.counts()))
}

#[test]
fn the_venues_own_file() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/samples/bybit/xrpusdt-ob500.data.zip"));
    if !path.is_file() {
        eprintln!("SKIPPED: Bybit's sample is not there");
        return;
    }
    assert_eq!(detect(path).unwrap(), Some(Format::Bybit));
    let (frames, counts) = all(path, None).unwrap();
    // Counted with Python's json: 50 lines, 3,966 levels, no gap.
    assert_eq!((frames.len(), counts.rows), (50, 50));
    assert_eq!(frames.iter().map(|frame| frame.levels.len()).sum::<usize>(), 3_966);
    assert_eq!((frames[0].kind, frames[0].levels.len()), (RawKind::Snapshot, 1_000));
    assert!(frames[1..].iter().all(|frame| frame.kind == RawKind::Update));
    assert_eq!((frames[1].ts_recv_ns, frames[1].ts_event_ns), (1_733_011_200_693_000_000, 1_733_011_200_693_000_000));
    let first = frames[1].levels[0];
    assert_eq!(
        (first.side, first.price.to_string(), first.size.to_string()),
        (Side::Bid, "1.9531".into(), "6198".into())
    );
}

#[test]
fn gaps_restarts_and_other_products() {
    let text = [
        line("P", "delta", 0, 6, "[]", "[]"),
        line("P", "snapshot", 1, 7, r#"[["10","1"],["9","0"]]"#, r#"[["11","2"]]"#),
        line("Q", "delta", 2, 99, r#"[["1","1"]]"#, "[]"),
        line("P", "delta", 1, 8, r#"[["10","0"]]"#, "[]"),
        line("P", "delta", 3, 10, "[]", "[]"),
        line("P", "delta", 4, 11, "[]", "[]"),
        line("P", "snapshot", 5, 12, r#"[["10","3"]]"#, "[]"),
        line("P", "delta", 6, 12, "[]", "[]"),
        line("P", "delta", 7, 1, r#"[["10","4"]]"#, "[]"),
        line("P", "delta", 8, 2, "[]", r#"[["11","5"]]"#),
    ]
    .concat();
    let kinds = [
        (RawKind::Snapshot, 1, 2),
        (RawKind::Update, 1, 1),
        (RawKind::Lost(Fault::SequenceGap), 3, 0),
        (RawKind::Snapshot, 5, 1),
        (RawKind::Lost(Fault::SequenceRepeat), 6, 0),
        (RawKind::Snapshot, 7, 1),
        (RawKind::Update, 8, 1),
    ];
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let (_folder, path) = zipped_as("day.data", text.as_bytes(), method);
        let (frames, counts) = all(&path, Some("P")).unwrap();
        let found: Vec<_> =
            frames.iter().map(|frame| (frame.kind, frame.ts_recv_ns / 1_000_000 - T_MS, frame.levels.len())).collect();
        assert_eq!(found, kinds);
        assert_eq!((counts.rows, counts.before_snapshot, counts.other_products, counts.out_of_order), (10, 2, 1, 0));
    }
}

#[test]
fn what_is_wrong_is_said() {
    let snapshot = line("P", "snapshot", 0, 7, r#"[["10","1"]]"#, "[]");
    let delta = |bids: &str| snapshot.clone() + &line("P", "delta", 1, 8, bids, "[]");
    for (text, error) in [
        (String::new(), ": holds no snapshot of the product"),
        (line("P", "delta", 0, 7, "[]", "[]"), ": holds no snapshot of the product"),
        (delta(r#"[["-1","1"]]"#), ", line 2: price '-1' is negative"),
        (delta(r#"[["0","1"]]"#), ", line 2: price is 0"),
        (delta(r#"[["1","NaN"]]"#), ", line 2: size 'NaN'"),
        (line("P", "tick", 0, 7, "[]", "[]"), ", line 1: type 'tick' is neither snapshot nor delta"),
        (snapshot.replace("orderbook.", "trade."), ", line 1: topic 'trade.500.P' is not a book's"),
        (snapshot.replace(&T_MS.to_string(), "1733011200691000"), "is in microseconds, where milliseconds are due"),
        (snapshot.clone() + &snapshot[..40], ", line 2: is not a message as the venue sends it"),
    ] {
        let (_folder, path) = zipped(text.as_bytes());
        let found = all(&path, None).unwrap_err().to_string();
        assert!(found.contains(error), "{text}: {found}");
    }
    let (_folder, path) = zipped_as("../x.data", snapshot.as_bytes(), CompressionMethod::Stored);
    assert!(all(&path, None).unwrap_err().to_string().contains("leads out of the archive"));
    let (_folder, path) = zipped_as("x.txt", snapshot.as_bytes(), CompressionMethod::Stored);
    assert!(all(&path, None).unwrap_err().to_string().contains("a member NAME.data of Bybit's"));
    let (_folder, path) = zipped(&vec![b'\n'; 4 << 20]);
    assert!(all(&path, None).unwrap_err().to_string().contains("more than 200 to 1"));
    let (_folder, path) = zipped(snapshot.as_bytes());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 30]).unwrap();
    assert!(all(&path, None).unwrap_err().to_string().contains("was the download cut?"));
}

proptest! {
    #[test]
    fn nothing_panics(at in 0..400_usize, byte in any::<u8>(), cut in 0..400_usize) {
        let mut text = line("P", "snapshot", 0, 7, r#"[["10","1"]]"#, "[]") + &line("P", "delta", 1, 8, "[]", r#"[["11",2]]"#);
        text.push_str(&line("P", "delta", 2, 9, r#"[["10","0"]]"#, "[]"));
        let mut bytes = text.into_bytes();
        bytes.truncate(cut.max(100));
        let at = at % bytes.len();
        bytes[at] = byte;
        let (_folder, path) = zipped(&bytes);
        let _ = all(&path, None);
        std::fs::write(&path, &bytes).unwrap();
        let _ = (all(&path, None), detect(&path));
    }
}
