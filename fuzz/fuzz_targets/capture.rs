//! The capture reader: any bytes, as they are or compressed, whole or cut, in portions of any size, give the lines that a
//! plain reading gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use papertrader::capture::{CaptureReader, Control, Item};
use std::io::{Cursor, Read, Write};
use std::path::Path;

/// Gives so many bytes at a time.
struct Portions(Cursor<Vec<u8>>, usize);

impl Read for Portions {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

#[derive(Debug, PartialEq)]
struct Reading {
    /// Time, and a frame or a word of the recorder.
    lines: Vec<(i64, Result<Vec<u8>, Control>)>,
    is_cut: bool,
    failed: bool,
}

fn read(bytes: Vec<u8>, portion: usize) -> Reading {
    let mut reading = Reading { lines: Vec::new(), is_cut: false, failed: false };
    let length = bytes.len() as u64;
    let Ok(mut reader) = CaptureReader::from_input(Path::new("c"), Portions(Cursor::new(bytes), portion), length)
    else {
        reading.failed = true;
        return reading;
    };
    loop {
        match reader.next_line() {
            Ok(Some(line)) => {
                let item = match line.item {
                    Item::Frame(frame) => Ok(frame.to_vec()),
                    Item::Control(control) => Err(control),
                };
                reading.lines.push((line.ts_recv_ns, item));
            }
            Ok(None) => {
                reading.is_cut = reader.cut().is_some();
                break;
            }
            Err(_) => {
                reading.failed = true;
                // After an error there is nothing more, whatever is asked.
                assert!(matches!(reader.next_line(), Ok(None) | Err(_)));
                break;
            }
        }
    }
    reading
}

/// A plain capture's lines, by the obvious way. `None` where a control line is involved, which is another library's work.
fn oracle(bytes: &[u8]) -> Option<Reading> {
    let mut reading = Reading { lines: Vec::new(), is_cut: false, failed: bytes.is_empty() };
    let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    let unterminated = lines.pop().filter(|line| !line.is_empty());
    let count = lines.len();
    for (index, line) in lines.into_iter().chain(unterminated).enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let parsed = line.iter().position(|&byte| byte == b' ').and_then(|space| {
            let (time, frame) = (&line[..space], &line[space + 1..]);
            let digits = !time.is_empty() && time.iter().all(u8::is_ascii_digit);
            let time: i64 = std::str::from_utf8(time).ok().filter(|_| digits)?.parse().ok()?;
            (!frame.is_empty()).then_some((time, frame))
        });
        match parsed {
            Some((_, frame)) if frame.starts_with(b"{\"papertrader\":") => return None,
            Some((time, frame)) => reading.lines.push((time, Ok(frame.to_vec()))),
            None if index == count && index > 0 => reading.is_cut = true,
            None => {
                reading.failed = true;
                break;
            }
        }
    }
    Some(reading)
}

fuzz_target!(|bytes: &[u8]| {
    let [how, portion, content @ ..] = bytes else { return };
    let portion = usize::from(*portion) * 37 + 1;
    let plain = read(content.to_vec(), usize::MAX);
    let is_compressed = content.starts_with(&[0x1f, 0x8b]) || content.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    assert_eq!(read(content.to_vec(), portion), plain);
    if is_compressed {
        return;
    }
    // A time may have a point and zeros in it, as any decimal: the oracle leaves those alone.
    let has_points = content
        .split(|&byte| byte == b'\n')
        .any(|line| line.iter().position(|&byte| byte == b' ').is_some_and(|space| line[..space].contains(&b'.')));
    if !has_points && let Some(expected) = oracle(content) {
        assert_eq!(plain, expected);
    }
    let compressed = match how % 2 {
        0 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).expect("a Vec takes every byte");
            encoder.finish().expect("a Vec takes every byte")
        }
        _ => zstd::encode_all(content, 1).expect("a Vec takes every byte"),
    };
    let again = read(compressed.clone(), portion);
    assert_eq!(again, plain);
    // Cut: what is read is the beginning of the whole.
    let keep = compressed.len() * usize::from(how / 2) / 128;
    let cut = read(compressed[..keep].to_vec(), portion);
    assert!(cut.lines.len() <= plain.lines.len() && plain.lines.starts_with(&cut.lines));
});
