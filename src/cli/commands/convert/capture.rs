//! Frames as a capture: the venue's messages in today's layout.

use crate::capture::{CaptureError, CaptureWriter};
use crate::exchange::reencode::{Reencoded, Reencoder};
use crate::market::event::{Event, FrameHead};
use std::path::Path;

/// Writes messages.
pub(super) struct CaptureSink {
    writer: CaptureWriter,
    reencoder: Reencoder,
}

impl CaptureSink {
    pub fn create(path: &Path, product: &str, force: bool) -> Result<Self, CaptureError> {
        Ok(Self { writer: CaptureWriter::whole(path, force)?, reencoder: Reencoder::new(product) })
    }

    pub fn finish(self) -> Result<(), CaptureError> {
        self.writer.finish().map(|_| ())
    }

    pub fn push(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), CaptureError> {
        match self.reencoder.encode(head, events) {
            Reencoded::Message(message) => self.writer.frame(head.ts_recv_ns, message),
            Reencoded::Control(control) => self.writer.control(head.ts_recv_ns, &control),
        }
    }
}
