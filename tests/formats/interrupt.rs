//! Ctrl-C while `convert` waits for something, or reads for long without a frame.

use crate::common::{papertrader, stderr, succeed};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const HEADER: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";

/// Waits for something that happens sooner or later.
fn eventually(child: &mut Child, what: &str, mut happened: impl FnMut(&mut Child) -> bool) {
    let started = Instant::now();
    while !happened(child) {
        if started.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            panic!("never: {what}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the program has a handler of its own for SIGINT.
fn watches(child: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 2 != 0)
}

fn interrupt(mut child: Child, output: &Path) {
    eventually(&mut child, "a handler", |child| watches(child));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    eventually(&mut child, "its end", |child| child.try_wait().unwrap().is_some());
    let ended = child.wait_with_output().unwrap();
    let says = format!("error: stopped; {} was not written\n", output.display());
    assert_eq!((ended.status.code(), stderr(&ended)), (Some(1), says));
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names.into_iter().map(|name| name.into_string().unwrap()).collect()
}

/// Somebody opens a pipe and reads nothing from it; the trades beside it are on their way already.
#[test]
fn convert_ends_where_its_output_waits() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "20000", "-o"]).arg(at("m.l2")));
    assert!(Command::new("mkfifo").arg(at("out.csv")).status().unwrap().success());
    let mut pipe = File::options().read(true).write(true).open(at("out.csv")).unwrap();
    let mut convert = papertrader();
    convert.arg("convert").arg(at("m.l2")).arg("-o").arg(at("out.csv"));
    let child = convert.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // More comes than a pipe holds.
    pipe.read_exact(&mut [0]).unwrap();
    interrupt(child, &at("out.csv"));
    assert_eq!(names(folder.path()), ["m.l2", "out.csv"]);
}

/// Gigabytes of another product come before the first frame, if any does.
#[test]
fn convert_ends_where_no_frame_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (market, output) = (folder.path().join("m.csv.gz"), folder.path().join("m.frames"));
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let rows = gzip(&"x,P,1585699200245000,1585699200245000,true,bid,10,1\n".repeat(20_000));
    let mut file = File::create(&market).unwrap();
    file.write_all(&gzip(HEADER)).unwrap();
    for _ in 0..5_000 {
        file.write_all(&rows).unwrap();
    }
    drop(file);
    let mut convert = papertrader();
    convert.arg("convert").arg(&market).args(["--product", "Q", "-o"]).arg(&output);
    let child = convert.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    interrupt(child, &output);
    assert_eq!(names(folder.path()), ["m.csv.gz"]);
}
