//! What `inspect` says of files that are not quite as they should be.

use crate::common::{fail, papertrader, reported, stderr, succeed};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const HEADER: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
const US: u64 = 1_585_699_200_245_000;

fn inspect(market: &Path, more: &[&str]) -> String {
    succeed(papertrader().arg("inspect").arg(market).args(more))
}

/// A market that was lost once and whose clock went back once, as a capture and as frames.
fn lost(folder: &TempDir) -> [std::path::PathBuf; 2] {
    let at = |name: &str| folder.path().join(name);
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "400", "-o"]).arg(at("whole.l2")));
    let text = fs::read_to_string(at("whole.l2")).unwrap();
    let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    lines.remove(100);
    // The last frame is stamped an hour before the first.
    let last = lines.last_mut().unwrap();
    let (ns, frame) = last.split_once(' ').unwrap();
    *last = format!("{} {frame}", ns.parse::<i64>().unwrap() - 3_600_000_000_000);
    fs::write(at("m.l2"), lines.join("\n") + "\n").unwrap();
    succeed(papertrader().arg("convert").arg(at("m.l2")).arg("-o").arg(at("m.frames")));
    [at("m.l2"), at("m.frames")]
}

#[test]
fn an_index_says_what_reading_says() {
    let folder = tempfile::tempdir().unwrap();
    let [capture, frames] = lost(&folder);
    let (read, by_index, full) = (inspect(&capture, &[]), inspect(&frames, &[]), inspect(&frames, &["--full"]));
    let names = [
        "from",
        "to",
        "lasts",
        "longest pause",
        "tick, lot",
        "frames",
        "snapshots",
        "levels",
        "prints",
        "book lost",
        "times that go back",
        "venue's times",
    ];
    for name in names {
        assert_eq!(reported(&by_index, name), reported(&read, name), "{name}");
        assert_eq!(reported(&full, name), reported(&read, name), "{name}");
    }
    assert_eq!((reported(&read, "book lost"), reported(&read, "times that go back")), ("1", "1"));
    assert_eq!((reported(&read, "from"), &reported(&read, "lasts")[..5]), ("2024-08-08T23:00:02.721612653Z", "3599."));
    assert_eq!(reported(&by_index, "crossed or locked"), "not in the index; --full reads all frames");
    assert_eq!(reported(&full, "crossed or locked"), reported(&read, "crossed or locked"));
    // Of a part, or of another product, the index says nothing.
    let part = inspect(&frames, &["--from", "2024-08-09T00:00:01Z"]);
    assert_ne!(reported(&part, "frames"), reported(&full, "frames"));
    let (code, error) = fail(papertrader().arg("inspect").arg(&frames).args(["--product", "ETH-USD"]));
    assert_eq!((code, error), (2, format!("error: {} holds no book of ETH-USD; it holds BTC-USD", frames.display())));
}

/// Files of version 1 have less in their totals.
#[test]
fn an_older_index_says_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let [_, frames] = lost(&folder);
    let (now, full) = (inspect(&frames, &[]), inspect(&frames, &["--full"]));
    let mut bytes = fs::read(&frames).unwrap();
    bytes[8] = 1;
    let ending = bytes.split_off(bytes.len() - 16);
    let index = bytes.split_off(u64::from_le_bytes(ending[..8].try_into().unwrap()) as usize);
    // Without what was found and the checksum.
    let index = &index[..index.len() - 84];
    fs::write(&frames, [&bytes, index, &crc(index).to_le_bytes(), &ending].concat()).unwrap();
    let then = inspect(&frames, &[]);
    for name in ["to", "frames", "snapshots", "levels", "prints", "blocks"] {
        assert_eq!(reported(&then, name), reported(&now, name), "{name}");
    }
    for name in ["longest pause", "tick, lot", "crossed or locked", "book lost", "times that go back", "venue's times"]
    {
        assert_eq!(reported(&then, name), "not in the index; --full reads all frames", "{name}");
    }
    assert_eq!(inspect(&frames, &["--full"]), full);
}

/// CRC-32, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [fifo.as_path(), Path::new("/dev/zero")] {
        let (code, error) = fail(papertrader().arg("inspect").arg(path));
        let says = format!("error: {} is no file; a market is read twice, so save it to one first", path.display());
        assert_eq!((code, error), (2, says));
    }
}

#[test]
fn trades_of_nothing_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let row = |us: u64, cells: &str| format!("x,P,{us},{us},{cells}\n");
    fs::write(at("m.csv"), HEADER.to_owned() + &row(US, "true,bid,10,1") + &row(US + 9, "false,bid,9,1")).unwrap();
    let trades = [row(US + 1, "1,buy,10,0"), row(US + 2, "2,sell,0,1"), row(US + 3, "3,sell,10,1")].concat();
    fs::write(at("m_trades.csv"), HEADER.replace("is_snapshot", "id") + &trades).unwrap();
    let remark = "2 trades of price or size 0, or of more than a book can hold, left out";
    let inspected = inspect(&at("m.csv"), &[]);
    assert!(inspected.contains(remark) && reported(&inspected, "prints") == "1", "{inspected}");
    let output = papertrader().arg("convert").arg(at("m.csv")).arg("-o").arg(at("m.frames")).output().unwrap();
    assert!(output.status.success() && stderr(&output).contains(remark), "{output:?}");
}

#[test]
fn times_of_the_far_future_are_said() {
    const DAY_US: u64 = 86_400_000_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.csv");
    let row = |event_us: u64, us: u64| format!("x,P,{event_us},{us},false,bid,10,1\n");
    let begin = format!("{HEADER}x,P,{US},{US},true,bid,10,1\n");
    let of_venue = "1 frame whose venue's time is more than a day after the receipt: a time may be wrong";
    let of_row = "a frame comes more than a day after the one before: a time may be wrong";
    for (more, says) in [
        (row(US + DAY_US + 5, US + 5), [false, false]),
        (row(US + DAY_US + 6, US + 5), [true, false]),
        (row(US + 5, US + DAY_US), [false, false]),
        (row(US + 5, US + DAY_US + 1), [false, true]),
    ] {
        fs::write(&path, begin.clone() + &more).unwrap();
        let frames = folder.path().join("m.frames");
        succeed(papertrader().arg("convert").arg(&path).arg("--force").arg("-o").arg(&frames));
        for market in [&path, &frames] {
            let inspected = inspect(market, &[]);
            assert_eq!([of_venue, of_row].map(|remark| inspected.contains(remark)), says, "{more}{inspected}");
        }
    }
}
