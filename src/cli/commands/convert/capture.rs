//! Frames as a capture: the venue's messages in today's layout.

use crate::capture::{CaptureError, CaptureWriter};
use crate::exchange::reencode::{Reencoded, Reencoder};
use crate::market::event::{Event, FrameHead};
use crate::market::publish::{EngineGone, Publish};
use std::path::Path;

/// Writes messages.
pub(super) struct CaptureSink {
    writer: CaptureWriter,
    reencoder: Reencoder,
    error: Option<CaptureError>,
}

impl CaptureSink {
    pub fn create(path: &Path, product: &str, force: bool) -> Result<Self, CaptureError> {
        Ok(Self { writer: CaptureWriter::whole(path, force)?, reencoder: Reencoder::new(product), error: None })
    }

    pub fn finish(self) -> Result<(), CaptureError> {
        match self.error {
            Some(error) => Err(error),
            None => self.writer.finish().map(|_| ()),
        }
    }
}

impl Publish for CaptureSink {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        if self.error.is_some() {
            return Err(EngineGone);
        }
        let written = match self.reencoder.encode(head, events) {
            Reencoded::Message(message) => self.writer.frame(head.ts_recv_ns, message),
            Reencoded::Control(control) => self.writer.control(head.ts_recv_ns, &control),
        };
        written.map_err(|error| {
            self.error = Some(error);
            EngineGone
        })
    }
}
