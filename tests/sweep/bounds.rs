//! What a sweep holds in memory does not grow with captures, and trades that do not fit go elsewhere.

use crate::support::Markets;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// The most memory that a program held, KiB, as the system last said while it ran.
#[cfg(target_os = "linux")]
fn peak_kib(mut command: Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success());
            return peak;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_captures() {
    let grid = ["--threshold", "0.5,0.6", "--execution", "original,taker", "--threads", "2"];
    let markets = Markets::new(1, 300);
    let text = fs::read(&markets.captures[0]).unwrap();
    let copies = |count: usize| {
        let of = |copy: usize| {
            let path = markets.path(&format!("copy_{count}_{copy:04}.l2"));
            fs::write(&path, &text).unwrap();
            path
        };
        (0..count).map(of).collect::<Vec<_>>()
    };
    let peak = |count: usize| {
        let name = format!("of_{count}");
        peak_kib(crate::support::sweep(&copies(count), &markets.path(""), &name, &grid))
    };
    let (few, many) = (peak(60), peak(400));
    // 1,360 rows more, of a few kilobytes each with the page about them, and less than half of what the files would take.
    let (allowed, files) = (32 << 10, ((340 * text.len()) >> 10) as u64);
    assert!(few > 0 && allowed < files / 2, "{few} KiB, and {files} KiB of files");
    assert!(many < few + allowed, "{few} KiB for 60 captures, {many} KiB for 400");
    assert_eq!(markets.result("of_400").rows.len(), 1_600);
}
