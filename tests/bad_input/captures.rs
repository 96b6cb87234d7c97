//! Files that are no captures, and captures that are not whole.

use super::common::{fail, papertrader};
use super::market::{Capture, PRODUCT, Replayed, Setup, imbalance_model, message};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::Path;

/// A replay that cannot even begin: exit code 2, one line, no report and no files.
fn refused(setup: &Setup, capture: &Path) -> String {
    let mut command = papertrader();
    command.arg("replay").arg(capture).arg("--model").arg(imbalance_model()).arg("--out").arg(setup.out());
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty() && !setup.out().exists());
    let (code, error) = fail(&mut command);
    assert_eq!((code, error.lines().count()), (2, 1), "{error}");
    error
}

fn refused_bytes(bytes: &[u8]) -> String {
    let setup = Setup::new(bytes);
    let error = refused(&setup, &setup.capture());
    error.replace(setup.capture().to_str().unwrap(), "FILE")
}

#[test]
fn what_is_no_capture_is_refused() {
    let setup = Setup::new(b"");
    let missing = setup.folder().join("missing.l2");
    let error = refused(&setup, &missing);
    assert_eq!(
        error,
        format!("error: cannot open capture {}: No such file or directory (os error 2)", missing.display())
    );
    // A folder is its files.
    let nothing = setup.folder().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    assert_eq!(refused(&setup, &nothing), format!("error: {}: holds no files", nothing.display()));

    let empty =
        "error: capture FILE is empty; record one with `papertrader record` or make one with `papertrader generate`";
    assert_eq!(refused_bytes(b""), empty);
    assert_eq!(refused_bytes(&gzip(b"")), empty);
    assert_eq!(refused_bytes(&zstd(b"")), empty);

    let line = "a line reads `<receive time in Unix ns> <frame>`";
    for (bytes, reason) in [
        (&b"time,price\n1,2\n"[..], "does not begin with a receive time and a space"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "does not begin with a receive time and a space"),
        (b"-5 {}\n", "does not begin with a receive time and a space"),
        (b"99999999999999999999 {}\n", "does not begin with a receive time and a space"),
        (b"1723161600000000000 \n", "has a receive time but no frame"),
        (b"1723161600000000000", "does not begin with a receive time and a space"),
    ] {
        assert_eq!(refused_bytes(bytes), format!("error: FILE is not a capture: line 1 {reason}; {line}"));
        assert_eq!(refused_bytes(&gzip(bytes)), format!("error: FILE is not a capture: line 1 {reason}; {line}"));
    }
    let error = refused_bytes(b"1 {\"papertrader\":\"dance\"}\n");
    assert!(
        error
            .starts_with("error: FILE is not a capture: line 1 is a control line that cannot be read (unknown variant"),
        "{error}"
    );
}

#[test]
fn a_capture_without_a_book_is_refused() {
    let none = "error: FILE holds no frame of the l2_data channel";
    let heartbeats = Capture::default().raw(r#"{"channel":"heartbeats","sequence_num":0,"events":[]}"#);
    assert_eq!(refused_bytes(heartbeats.text().as_bytes()), none);
    assert_eq!(refused_bytes(b"1 not JSON\n2 nor this\n"), none);
}

/// Two live frames before the fault, and what is to be seen of them.
fn good_start() -> Capture {
    Capture::default().snapshot().quiet(4)
}

fn assert_start_was_used(replayed: &Replayed) {
    assert_eq!(replayed.trades, [(0, 2), (1, 3), (2, 4)]);
    assert_eq!(replayed.evaluated, [0, 1, 2, 3, 4]);
    assert_eq!((replayed.count("frames"), replayed.count("closed trades")), (5, 3));
}

#[test]
fn empty_lines_are_passed_over() {
    let whole = good_start().quiet(3);
    let expected = whole.replay().well();
    for empty in ["\n", "\r\n", " \t\n"] {
        let text = format!("{empty}{}{empty}{empty}", whole.text().replace('\n', &format!("\n{empty}")));
        let replayed = Setup::new(text.as_bytes()).replay(&[]).well();
        assert_eq!((replayed.trades, replayed.evaluated), (expected.trades.clone(), expected.evaluated.clone()));
    }
}

#[test]
fn a_bad_line_ends_the_replay_and_what_came_before_is_used() {
    for (line, reason) in [
        (message(PRODUCT, "update", 5, &[]), "does not begin with a receive time and a space"),
        ("1723161600000000000 ".into(), "has a receive time but no frame"),
        (r#"1 {"papertrader":"gap"}"#.into(), "is a control line that cannot be read (missing field `frames`)"),
        (
            r#"1 {"papertrader":"frame","base64":"????"}"#.into(),
            "is a control line that cannot be read (invalid symbol at 0)",
        ),
    ] {
        let capture = good_start().line(&line).quiet(3);
        for threads in [&[][..], &["--fused"]] {
            let setup = Setup::new(capture.text().as_bytes());
            let replayed = setup.replay(threads);
            let file = setup.capture();
            assert_eq!(replayed.code, 2, "{}", replayed.stderr);
            let expected = format!(
                "error: capture {}, line 6: {reason}; a line reads `<receive time in Unix ns> <frame>`",
                file.display()
            );
            assert_eq!(replayed.stderr, expected);
            assert_start_was_used(&replayed);
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// Five frames, then so many more that compressed data can be cut among them.
fn long() -> Capture {
    (5..4_000).fold(good_start(), |capture, frame: u64| {
        // Sizes that do not compress too well, and one that makes nobody buy.
        let lots = (frame * 2_654_435_761 % 1_000_003).to_string();
        capture.update(&[("bid", "99.8", &lots), ("offer", "100.1", "1000")])
    })
}

#[test]
fn a_cut_compressed_tail_is_a_warning() {
    let capture = long();
    for compressed in [gzip(capture.text().as_bytes()), zstd(capture.text().as_bytes())] {
        for kept in [compressed.len() / 2, compressed.len() - 9, compressed.len() - 2] {
            let setup = Setup::new(&compressed[..kept]);
            let replayed = setup.replay(&[]);
            let frames = replayed.count("frames");
            assert!((5..=4_000).contains(&frames), "{frames} frames");
            assert_eq!(
                (replayed.code, replayed.stderr.as_str()),
                (
                    0,
                    &*format!(
                        "warning: the compressed data of {} ends early; the {frames} whole lines before the cut were used",
                        setup.capture().display()
                    )
                )
            );
            assert_eq!(replayed.evaluated, (0..frames).collect::<Vec<_>>());
            assert_eq!(replayed.trades[..3], [(0, 2), (1, 3), (2, 4)]);
            assert_eq!(replayed.count("faults"), 0);
        }
        let whole = Setup::new(&compressed).replay(&[]).well();
        assert_eq!(whole.count("frames"), 4_000);
    }
}

#[test]
fn damaged_compressed_data_ends_the_replay_and_what_came_before_is_used() {
    let capture = long();
    let mut blocks = zstd(capture.text().as_bytes());
    let middle = blocks.len() * 2 / 3;
    blocks[middle..middle + 64].fill(0xff);
    let mut checksum = gzip(capture.text().as_bytes());
    let place = checksum.len() - 8;
    checksum[place] ^= 1;
    for (damaged, frames_max) in [(blocks, 3_999), (checksum, 4_000)] {
        let setup = Setup::new(&damaged);
        let replayed = setup.replay(&[]);
        let frames = replayed.count("frames");
        let start = format!("error: cannot read capture {} after line {frames}: ", setup.capture().display());
        assert!(replayed.stderr.starts_with(&start), "{}\n{start}", replayed.stderr);
        assert!(replayed.stderr.ends_with("; what came before was used") && replayed.stderr.lines().count() == 1);
        assert_eq!(replayed.code, 2);
        assert!(frames <= frames_max);
        assert_eq!(replayed.evaluated, (0..frames).collect::<Vec<_>>());
    }
}

#[test]
fn a_cut_last_line_is_a_warning() {
    let whole = good_start().text().to_string();
    let last = message(PRODUCT, "update", 5, &[("bid", "99.9", "7")]);
    let last = format!("1723161600050000000 {last}");
    for kept in [1, 10, 19, 20, 21, last.len() / 2, last.len() - 1] {
        let setup = Setup::new(format!("{whole}{}", &last[..kept]).as_bytes());
        let replayed = setup.replay(&[]);
        assert_eq!(
            (replayed.code, replayed.stderr.as_str()),
            (
                0,
                &*format!(
                    "warning: the last line of {} is cut; the 5 whole lines before it were used",
                    setup.capture().display()
                )
            ),
            "{kept} bytes"
        );
        assert_start_was_used(&replayed);
        assert_eq!(replayed.count("faults"), 0);
    }
    // A last line that lacks nothing but its line break is used.
    let replayed = Setup::new(format!("{whole}{last}").as_bytes()).replay(&[]).well();
    assert_eq!(replayed.trades, [(0, 2), (1, 3), (2, 4), (3, 5)]);
    // So is one that is wrong but has its line break: it is a message that nobody can read.
    let replayed = Setup::new(format!("{whole}{}\n", &last[..last.len() - 1]).as_bytes()).replay(&[]).well();
    assert_start_was_used(&replayed);
    assert_eq!(replayed.count("malformed message"), 1);
}

#[test]
fn lines_may_end_as_on_windows() {
    let capture = good_start().text().replace('\n', "\r\n");
    assert_start_was_used(&Setup::new(capture.as_bytes()).replay(&[]).well());
}

#[test]
fn a_product_is_chosen_among_several() {
    let both = (0..6).fold(Capture::default(), |capture, frame| {
        let kind = if frame == 0 { "snapshot" } else { "update" };
        let levels = if frame == 0 { &super::market::BOOK[..] } else { &super::market::QUIET };
        capture.frame(PRODUCT, kind, levels).frame("ETH-USD", kind, levels)
    });
    let by_default = both.replay().well().says("passed over              ETH-USD");
    assert_eq!(by_default.evaluated, [0, 2, 4, 6, 8, 10]);
    assert_eq!(by_default.trades, [(0, 2), (1, 3), (2, 4), (3, 5)]);
    assert_eq!(by_default.count("other products' frames"), 6);
    let named = both.replay_with(&["--product", "ETH-USD"]).well().says("passed over              BTC-USD");
    assert_eq!(named.evaluated, [1, 3, 5, 7, 9, 11]);

    let setup = Setup::new(both.text().as_bytes());
    let refused = setup.replay(&["--product", "DOGE-USD"]);
    assert_eq!((refused.code, refused.report.as_str()), (2, ""));
    assert_eq!(
        refused.stderr,
        format!("error: {} holds no book of DOGE-USD; it holds BTC-USD, ETH-USD", setup.capture().display())
    );
    assert!(!setup.out().exists());
}

/// A recording that somebody still writes: what is there when it is read is used, and a line that is half there is not.
#[test]
fn a_capture_may_grow_while_it_is_replayed() {
    let setup = Setup::generated(3_000);
    let whole = setup.replay(&[]).well();
    let (rows, text) = (setup.rows(), std::fs::read(setup.capture()).unwrap());
    let half = text.len() / 2;
    std::fs::write(setup.capture(), &text[..half]).unwrap();
    let there = text[..half].iter().filter(|&&byte| byte == b'\n').count();
    let mut file = std::fs::OpenOptions::new().append(true).open(setup.capture()).unwrap();
    let mut command = setup.command();
    command.args(["--speed", "5x"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Pieces that end within lines.
    for piece in text[half..].chunks(9_973) {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        file.write_all(piece).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let replayed = Replayed::new(&setup, child.wait_with_output().unwrap());
    assert_eq!(replayed.code, 0, "{}", replayed.stderr);
    let cut = replayed.stderr.starts_with("warning: the last line of ") && replayed.stderr.lines().count() == 1;
    assert!(cut || replayed.stderr.is_empty(), "{}", replayed.stderr);
    assert!(replayed.evaluated.len() >= there, "{} of {there}", replayed.evaluated.len());
    assert_eq!(whole.evaluated[..replayed.evaluated.len()], replayed.evaluated);
    let grown = setup.rows();
    assert_eq!(rows[..grown.len()], grown);
}

/// Our clock may be set back while a recording is made. Nothing waits for the time that was, and nothing but the times
/// in the log is different.
#[test]
fn receive_times_may_go_back() {
    let capture = Capture::default().snapshot().quiet(6);
    let straight = capture.replay().well();
    let hour_ns = 3_600_000_000_000;
    let stepped: String = capture
        .text()
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let (time, frame) = line.split_once(' ').unwrap();
            let time: i64 = time.parse().unwrap();
            format!("{} {frame}\n", if index < 3 { time } else { time - hour_ns })
        })
        .collect();
    let setup = Setup::new(stepped.as_bytes());
    for speed in ["max", "1x"] {
        let replayed = setup.replay(&["--speed", speed]).well();
        assert_eq!(replayed.trades, straight.trades);
        assert_eq!(replayed.received, straight.received);
        assert_eq!(replayed.evaluated, straight.evaluated);
    }
    let times: Vec<i64> = setup.rows().iter().map(|row| row[9].parse().unwrap()).collect();
    assert!(times.windows(2).any(|pair| pair[0] > pair[1]), "the times are those of the recording: {times:?}");
}
