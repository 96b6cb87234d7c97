//! What cannot be read, by text and exit code.

use crate::common::{fail, papertrader, succeed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const HEADER: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";

fn replay(folder: &TempDir, market: &Path) -> Command {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
    let mut command = papertrader();
    command.arg("replay").arg(market).arg("--model").arg(model).args([
        "--no-report",
        "--force",
        "--name",
        "run",
        "--out",
    ]);
    command.arg(folder.path().join("out"));
    command
}

fn row(at: u64, cells: &str) -> String {
    format!("x,P,{at},{at},{cells}\n")
}

#[test]
fn rows_of_tardis_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.csv");
    let at = 1_585_699_200_245_000_u64;
    let first = row(at, "true,bid,10,1");
    let begun = |second: String| format!("{HEADER}{first}{second}");
    for (text, says) in [
        (HEADER.to_owned(), ": holds no snapshot of the product: nothing can be made of its updates".to_owned()),
        (
            format!("{HEADER}{}", row(at, "false,bid,10,1")),
            ": holds no snapshot of the product: nothing can be made of its updates".into(),
        ),
        (begun("x,P,1,2\n".into()), ", line 3: has not eight cells; is it cut?".into()),
        (
            begun(row(at * 1_000, "true,bid,10,1")),
            format!(
                ", line 3: timestamp '{}' is in nanoseconds; Tardis' files have microseconds: divide it by 1000",
                at * 1_000
            ),
        ),
        (
            begun(row(at / 1_000, "true,bid,10,1")),
            format!(
                ", line 3: timestamp '{}' is in milliseconds; Tardis' files have microseconds: multiply it by 1000",
                at / 1_000
            ),
        ),
        (
            begun(row(at - 1, "false,bid,10,1")),
            format!(", line 3: local_timestamp goes back from {at} to {}; sort the rows by it", at - 1),
        ),
        (begun(row(at, "yes,bid,10,1")), ", line 3: is_snapshot 'yes' is neither true nor false".into()),
        (begun(row(at, "true,buy,10,1")), ", line 3: side 'buy' is neither bid nor ask".into()),
        (begun(row(at, "true,bid,0,1")), ", line 3: price is 0".into()),
        (begun(row(at, "true,bid,-1,1")), ", line 3: price '-1' is negative".into()),
        (begun(row(at, "true,bid,NaN,1")), ", line 3: price 'NaN' is not a decimal number".into()),
        (begun(row(at, "true,bid,10,")), ", line 3: amount '' is empty".into()),
    ] {
        fs::write(&path, &text).unwrap();
        let (code, error) = fail(&mut replay(&folder, &path));
        assert_eq!(
            (code, error.lines().last().unwrap()),
            (2, format!("error: {}{says}", path.display()).as_str()),
            "{text}"
        );
    }
    // An exponent is a number in files that scripts have written.
    fs::write(&path, begun(row(at, "true,ask,1.1e1,5e-1"))).unwrap();
    assert!(succeed(&mut replay(&folder, &path)).contains("tick 1, lot 0.1"));
    // A header of another file of theirs is no book.
    fs::write(&path, HEADER.replace("amount", "size")).unwrap();
    let (code, error) = fail(replay(&folder, &path).args(["--format", "tardis"]));
    let due = HEADER.trim_end();
    let says = format!(
        "error: {}, line 1: the header is '{}' where '{due}' is due",
        path.display(),
        due.replace("amount", "size")
    );
    assert_eq!((code, error), (2, says));
    fs::write(&path, "").unwrap();
    let (code, error) = fail(replay(&folder, &path).args(["--format", "tardis"]));
    assert_eq!((code, error), (2, format!("error: {}: is empty: the venue sent nothing on that day", path.display())));
}

fn frames(folder: &TempDir) -> (PathBuf, Vec<u8>) {
    let (market, frames) = (folder.path().join("m.l2"), folder.path().join("m.frames"));
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "20000", "-o"]).arg(&market));
    succeed(papertrader().arg("convert").arg(&market).arg("-o").arg(&frames));
    let bytes = fs::read(&frames).unwrap();
    (frames, bytes)
}

#[test]
fn frames_that_are_damaged_or_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = frames(&folder);
    let mut damaged = bytes.clone();
    let middle = bytes.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let (code, error) = fail(&mut replay(&folder, &path));
    let says = format!("error: {}: 1 damaged blocks were left out; what is whole was used", path.display());
    assert_eq!((code, error.lines().last()), (2, Some(says.as_str())));
    // What came before the cut was traded.
    fs::write(&path, &bytes[..bytes.len() * 3 / 4]).unwrap();
    let (code, error) = fail(&mut replay(&folder, &path));
    let says = format!("error: {} is cut: its index is missing; what came before was used", path.display());
    assert_eq!((code, error.lines().last()), (2, Some(says.as_str())));
    assert!(fs::read_to_string(folder.path().join("out/run.csv")).unwrap().lines().count() > 100);
    let mut newer = bytes;
    newer[8] = 2;
    fs::write(&path, &newer).unwrap();
    let (code, error) = fail(&mut replay(&folder, &path));
    let says = format!("error: {}: is of version 2; this program reads 1: use a newer one", path.display());
    assert_eq!((code, error), (2, says));
}

#[test]
fn arguments_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = frames(&folder);
    let (code, error) = fail(replay(&folder, &path).args(["--product", "ETH-USD"]));
    assert_eq!((code, error), (2, format!("error: {} holds no book of ETH-USD; it holds BTC-USD", path.display())));
    let (code, error) = fail(replay(&folder, &path).args(["--format", "xml"]));
    assert_eq!(code, 2);
    assert!(
        error.starts_with("error: invalid value 'xml' for '--format <NAME>': there are capture, frames, tardis"),
        "{error}"
    );
    for (output, says) in [
        ("x.frames.gz", "x.frames.gz: blocks of frames are compressed by themselves: leave .gz or .zst out"),
        ("x.doc", "x.doc is of no kind that can be written: give a name that ends in .frames, "),
    ] {
        let output = folder.path().join(output);
        let (code, error) = fail(papertrader().arg("convert").arg(&path).arg("-o").arg(&output));
        assert_eq!(code, 2);
        assert!(error.contains(says), "{error}");
        assert!(!output.exists());
    }
    let before = fs::read(&path).unwrap();
    let (code, error) = fail(papertrader().arg("convert").arg(&path).arg("-o").arg(&path).arg("--force"));
    let says =
        format!("error: {} would be written over, and this command reads it; choose another name", path.display());
    assert_eq!((code, error), (2, says));
    let taken = folder.path().join("taken.l2");
    fs::write(&taken, "kept").unwrap();
    let (code, error) = fail(papertrader().arg("convert").arg(&path).arg("-o").arg(&taken));
    assert_eq!((code, error), (2, format!("error: {} exists; give --force to replace it", taken.display())));
    assert_eq!((fs::read(&path).unwrap() == before, fs::read(&taken).unwrap()), (true, b"kept".to_vec()));
}
