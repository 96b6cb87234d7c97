use super::*;
use crate::sources::FrameReader;
use crate::sources::detect::{Format, detect};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

const T_MS: i64 = 1_754_006_400_005;
const NAME: &str = "P-L2orderbook-400lv-2025-08-01";

fn line(product: &str, action: &str, after_ms: i64, bids: &str, asks: &str) -> String {
    let ts = T_MS + after_ms;
    format!("{{\"instId\":\"{product}\",\"action\":\"{action}\",\"ts\":\"{ts}\",\"asks\":{asks},\"bids\":{bids}}}\n")
}

fn book() -> String {
    line("P", "snapshot", 0, r#"[["10","1","1"],["9","2","1"]]"#, r#"[["11","2","4"],["12","0","0"]]"#)
}

fn tar(members: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// All frames, and the error that ends them.
fn all(path: &Path, product: Option<&str>) -> (Vec<RawFrame>, ReaderCounts, Option<String>) {
    let settings = ReaderSettings { product: product.map(Into::into), ..ReaderSettings::default() };
    let mut frames = Vec::new();
    let mut reader = match OkxReader::open(path, &settings) {
        Ok(reader) => reader,
        Err(error) => return (frames, ReaderCounts::default(), Some(error.to_string())),
    };
    let mut frame = RawFrame::default();
    loop {
        match reader.next(&mut frame) {
            Ok(true) => frames.push(frame.clone()),
            Ok(false) => return (frames, reader.counts(), None),
            Err(error) => return (frames, reader.counts(), Some(error.to_string())),
        }
    }
}

#[test]
fn a_book_is_the_same_however_it_is_packed() {
    let text = [
        line("P", "update", -10, "[]", r#"[["11","9","1"]]"#),
        book(),
        line("Q", "snapshot", 5, r#"[["1","1","1"]]"#, "[]"),
        line("P", "update", 20, r#"[["10","0","0"],[8.5e0,"1e-3"]]"#, "[]"),
        // Times may go back by a little, and be numbers.
        line("P", "update", 10, "[]", r#"[["11","3","1"]]"#)
            .replace(&format!("\"{}\"", T_MS + 10), &(T_MS + 10).to_string()),
        "\r\n".into(),
        line("P", "snapshot", 30, r#"[["10","7","1"]]"#, "[]"),
    ]
    .concat();
    let member = format!("{NAME}.data");
    let archive = tar(&[(&member, &text)]);
    let mut zipped = zip::write::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zipped.start_file(&*member, zip::write::SimpleFileOptions::default()).unwrap();
    zipped.write_all(text.as_bytes()).unwrap();
    let zipped = zipped.finish().unwrap().into_inner();
    let packed = [
        text.clone().into_bytes(),
        gzip(text.as_bytes()),
        archive.clone(),
        gzip(&archive),
        zstd::encode_all(archive.as_slice(), 3).unwrap(),
        zipped,
    ];
    let ms = |frame: &RawFrame| frame.ts_recv_ns / 1_000_000 - T_MS;
    for (at, bytes) in packed.iter().enumerate() {
        let (_folder, path) = file("x", bytes);
        assert_eq!(detect(&path).unwrap(), Some(Format::Okx), "{at}");
        let (frames, counts, error) = all(&path, Some("P"));
        let found: Vec<_> = frames.iter().map(|frame| (frame.kind, ms(frame), frame.levels.len())).collect();
        let kinds =
            [(RawKind::Snapshot, 0, 3), (RawKind::Update, 20, 2), (RawKind::Update, 20, 1), (RawKind::Snapshot, 30, 1)];
        assert_eq!((found.as_slice(), error), (&kinds[..], None), "{at}");
        assert_eq!((counts.rows, counts.before_snapshot, counts.other_products, counts.out_of_order), (6, 1, 1, 1));
        let levels: Vec<_> =
            frames[1].levels.iter().map(|level| (level.price.to_string(), level.size.to_string())).collect();
        assert_eq!(levels, [("10".into(), "0".into()), ("8.5".into(), "0.001".into())]);
        assert_eq!((frames[2].ts_event_ns - frames[2].ts_recv_ns, frames[2].levels[0].side), (-10_000_000, Side::Ask));
    }
}

#[test]
fn members_are_products_or_parts_of_one() {
    let update = |product, after_ms| line(product, "update", after_ms, r#"[["10","5","1"]]"#, "[]");
    let (p, q) = (book() + &update("P", 9), (book() + &update("P", 8)).replace("\"P\"", "\"Q\""));
    let (_folder, path) = file("family.tar.gz", &gzip(&tar(&[("P.data", p.trim_end()), ("folder/Q.data", &q)])));
    for (product, last_ms) in [(None, 9), (Some("P"), 9), (Some("Q"), 8)] {
        let (frames, counts, error) = all(&path, product);
        let last_ns = frames.last().map(|frame| frame.ts_recv_ns);
        assert_eq!((frames.len(), last_ns, error), (2, Some((T_MS + last_ms) * 1_000_000), None));
        assert_eq!((counts.rows, counts.other_products), (4, 2));
    }
    // Parts of one product in another order than that of time.
    let later = book().replace(&T_MS.to_string(), &(T_MS + 3_600_000).to_string());
    let (_folder, path) = file("parts.tar.gz", &gzip(&tar(&[("a.data", &book()), ("b.data", &later), ("c.data", &p)])));
    let (frames, _, error) = all(&path, None);
    let says = format!(", line 3: ts '{T_MS}' goes back by 3600 s; give parts as files, which are put into order");
    assert_eq!((frames.len(), error), (2, Some(format!("{}{says}", path.display()))));
}

#[test]
fn what_is_wrong_is_said() {
    let then = |next: String| book() + &next;
    let bids = |bids: &str| then(line("P", "update", 1, bids, "[]"));
    for (text, error) in [
        (String::new(), ": holds no snapshot of the product: nothing can be made of its updates"),
        (line("P", "update", 0, "[]", "[]"), ": holds no snapshot of the product: nothing can be made of its updates"),
        (bids(r#"[["-1","1","1"]]"#), ", line 2: price '-1' is negative"),
        (bids(r#"[["0","1","1"]]"#), ", line 2: price is 0"),
        (bids(r#"[["NaN","1","1"]]"#), ", line 2: price 'NaN' is not a decimal number"),
        (bids(r#"[["1","-1","1"]]"#), ", line 2: size '-1' is negative"),
        (bids(r#"[["1","","1"]]"#), ", line 2: size '' is empty"),
        (bids(r#"[["1"]]"#), ", line 2: is not a message as the venue sends it (missing field `size`"),
        (bids("[[]]"), ", line 2: is not a message as the venue sends it (missing field `price`"),
        (bids("7"), ", line 2: is not a message as the venue sends it (invalid type"),
        (
            book().replace("\"asks\"", "\"offers\""),
            ", line 1: is not a message as the venue sends it (missing field `asks`",
        ),
        (then(line("P", "partial", 1, "[]", "[]")), ", line 2: action 'partial' is neither snapshot nor update"),
        (book().replace(&T_MS.to_string(), "soon"), ", line 1: ts 'soon' is not a whole number"),
        (
            book().replace(&T_MS.to_string(), "1754006400"),
            ", line 1: ts '1754006400' is in seconds, where milliseconds are due",
        ),
        (
            book().replace(&T_MS.to_string(), "1754006400005000"),
            ", line 1: ts '1754006400005000' is in microseconds, where milliseconds are due",
        ),
        (
            book().replace(&T_MS.to_string(), "1754006400005000000"),
            ", line 1: ts '1754006400005000000' is in nanoseconds, where milliseconds are due",
        ),
        (then(book()[..40].into()), ", line 2: is not a message as the venue sends it (EOF"),
    ] {
        for bytes in [text.clone().into_bytes(), gzip(&tar(&[("x.data", &text)]))] {
            let (_folder, path) = file("x.tar.gz", &bytes);
            let found = all(&path, None).2.unwrap_or_default();
            assert!(found.starts_with(&format!("{}{error}", path.display())), "{text}: {found}");
            assert!(!found.contains('\n'), "{found}");
        }
    }
}

#[test]
fn archives_that_are_cut_or_hold_something_else() {
    let whole = gzip(&tar(&[("x.data", &book().repeat(3))]));
    // Within the data, and where only the checksum is missing.
    let (_folder, path) = file("x.tar.gz", &whole[..whole.len() - 4]);
    let (frames, _, error) = all(&path, None);
    let says = ", line 4: the compressed data ends early; what came before was used";
    assert_eq!((frames.len(), error), (3, Some(format!("{}{says}", path.display()))));
    let (_folder, path) = file("x.tar.gz", &whole[..60]);
    assert_eq!(detect(&path).unwrap(), None);
    let plain = tar(&[("x.data", &book().repeat(3))]);
    let (_folder, path) = file("x.tar", &plain[..512 + book().len() + 30]);
    assert_eq!(detect(&path).unwrap(), Some(Format::Okx));
    let (frames, _, error) = all(&path, None);
    let says =
        ", line 2: cannot be read: the member 'x.data' ends early, the archive is cut; what came before was used";
    assert_eq!((frames.len(), error), (1, Some(format!("{}{says}", path.display()))));
    let (_folder, path) = file("x.tar", &tar(&[("readme", "1723161256610000000 is no market\n")]));
    assert_eq!(detect(&path).unwrap(), Some(Format::Okx));
    assert!(all(&path, None).2.unwrap().contains(", line 1: is not a message as the venue sends it"));
}

/// A line of zeros that unpacks to more than a line may have: memory is bounded by that.
#[test]
fn a_bomb_is_refused() {
    let mut header = tar::Header::new_gnu();
    header.set_size(1 << 40);
    header.set_path("x.data").unwrap();
    header.set_cksum();
    // The line buffer doubles: it is full at the next power of two.
    let blanks = gzip(&[b' '; 1 << 20]).repeat(crate::capture::LINE_BYTES_MAX.next_power_of_two() >> 20);
    let (_folder, path) = file("x.tar.gz", &[gzip(header.as_bytes()), blanks].concat());
    assert!(fs::metadata(&path).unwrap().len() < 2 << 20);
    let says = format!(", line 1: is longer than {} bytes", crate::capture::LINE_BYTES_MAX);
    assert!(all(&path, None).2.unwrap().ends_with(&says));
}

/// What else is of lines is read out of an archive too.
#[test]
fn lines_of_other_formats_in_an_archive() {
    let rows = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
    let bybit = "{\"topic\":\"orderbook.500.P\",\"type\":\"snapshot\",\"ts\":1733011200691,";
    for (text, format) in [(rows, Format::TardisBook), (bybit, Format::Bybit)] {
        let (_folder, path) = file("x.tar.gz", &gzip(&tar(&[("x", text)])));
        assert_eq!(detect(&path).unwrap(), Some(format));
    }
    // The venue's own messages are no such lines.
    let message = "{\"arg\":{\"channel\":\"books\",\"instId\":\"P\"},\"action\":\"snapshot\",\"data\":[{\"asks\":[],\"bids\":[],\"ts\":\"1\"}]}";
    assert!(!is_book(message.as_bytes()));
}

proptest! {
    #[test]
    fn nothing_panics(at in 0..3_000_usize, byte in any::<u8>(), cut in 0..3_000_usize, is_packed in any::<bool>()) {
        let text = book() + &line("P", "update", 1, "[]", r#"[["11",2]]"#);
        let mut bytes = if is_packed { tar(&[("x.data", &text)]) } else { text.into_bytes() };
        bytes.truncate(cut.max(100));
        let at = at % bytes.len();
        bytes[at] = byte;
        let (_folder, path) = file("x", &bytes);
        let _ = (all(&path, None), detect(&path));
    }
}
