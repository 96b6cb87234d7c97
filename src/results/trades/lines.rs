//! A reader that refuses lines that are too long, before whoever reads them holds them.

use std::io::{self, Read};

/// Passes bytes on until a line is longer than a bound.
pub(in crate::results) struct Lines<R> {
    input: R,
    bytes_max: usize,
    /// Bytes since the last line break.
    length: usize,
}

impl<R> Lines<R> {
    /// Of lines of at most `bytes_max` bytes.
    pub fn new(input: R, bytes_max: usize) -> Self {
        Self { input, bytes_max, length: 0 }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        for line in buffer[..count].split_inclusive(|&byte| byte == b'\n') {
            self.length += line.len();
            if self.length > self.bytes_max {
                let text = format!("it has a line longer than {} bytes; is it a trade log?", self.bytes_max);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            if line.ends_with(b"\n") {
                self.length = 0;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_be_so_long_and_not_one_byte_longer() {
        for (text, fits) in [("123\n123\n1234", true), ("123\n1234\n", false), ("12345", false), ("\n\n\n", true)] {
            // In portions of any size.
            for portion in 1..8 {
                let mut lines = Lines::new(text.as_bytes(), 4);
                let mut buffer = vec![0; portion];
                let read = loop {
                    match lines.read(&mut buffer) {
                        Ok(0) => break true,
                        Ok(_) => {}
                        Err(_) => break false,
                    }
                };
                assert_eq!(read, fits, "{text:?} by {portion}");
            }
        }
        assert!(Lines::new(io::repeat(0), 1 << 16).read_to_end(&mut Vec::new()).is_err());
    }
}
