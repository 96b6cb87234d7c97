//! Readers of all formats: any bytes as a file of any format give frames that hold together and are the same when they are read
//! again, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use papertrader::base::output::IfTaken;
use papertrader::capture::frames::{FrameWriter, Header};
use papertrader::engine::status::Status;
use papertrader::feed::intake::FRAME_LEVELS_MAX;
use papertrader::market::book::Follower;
use papertrader::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::run::session::Feed;
use papertrader::sources::TimeChoice;
use papertrader::sources::detect::{Format, detect};
use papertrader::sources::market::{Market, MarketSettings};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What frames have in common whoever made them.
#[derive(Default)]
struct Frames {
    follower: Follower,
    all: Vec<(FrameHead, Vec<Event>)>,
}

impl Publish for Frames {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        assert_eq!(head.levels as usize, events.len());
        assert!(events.len() <= FRAME_LEVELS_MAX * PRINT_EVENTS);
        if head.kind == FrameKind::Prints {
            let (prints, rest) = events.as_chunks::<PRINT_EVENTS>();
            assert!(rest.is_empty() && !prints.is_empty());
            assert!(prints.iter().all(|&print| Print::decode(print).price_ticks > 0));
        }
        self.follower.count(head);
        let _ = self.follower.begin(head);
        if head.kind.is_book_frame() {
            self.follower.levels(events);
        }
        let _ = self.follower.end();
        // Without stamps of our clock.
        let head = FrameHead { arrived: 0, received: 0, decoded: 0, published: 0, ..*head };
        self.all.push((head, events.to_vec()));
        Ok(())
    }
}

fn read(path: &Path, settings: &MarketSettings) -> Option<Frames> {
    let market = Market::open(path, settings).ok()?;
    let mut frames = Frames::default();
    market.run(&mut frames, &Status::default());
    Some(frames)
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().expect("a folder for files").keep());

fuzz_target!(|bytes: &[u8]| {
    let [which, how, content @ ..] = bytes else { return };
    let format = Format::ALL[usize::from(*which) % Format::ALL.len()];
    let (path, again) = (FOLDER.join("market"), FOLDER.join("again.frames"));
    std::fs::write(&path, content).expect("there is room");
    let _ = detect(&path);
    let mut settings = MarketSettings { format: Some(format), ..MarketSettings::default() };
    settings.reader.time = if how & 1 == 0 { TimeChoice::Recv } else { TimeChoice::Event };
    let Some(frames) = read(&path, &settings) else { return };
    let header = Header::of("P");
    let mut writer = FrameWriter::create(&again, &header, how & 2 == 0, IfTaken::Replace).expect("there is room");
    for (head, events) in &frames.all {
        writer.publish(head, events).expect("any frame can be written");
    }
    writer.finish().expect("there is room");
    let settings = MarketSettings { format: Some(Format::Frames), ..MarketSettings::default() };
    let found = read(&again, &settings);
    assert_eq!(found.map(|found| found.all).unwrap_or_default(), frames.all);
});
