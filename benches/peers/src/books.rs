//! Books: levels applied, the ten best of both sides read.

mod barter;
mod hft;
mod nautilus;

use crate::Arguments;
use crate::common::books::{Maps, Ours, apply_and_read};
use crate::common::{Frames, Work};
use hftbacktest::depth::{HashMapMarketDepth, ROIVectorMarketDepth};
use nautilus_model::types::fixed::FIXED_PRECISION;
use std::error::Error;

/// The books on one capture.
///
/// # Errors
/// The capture is not what every peer can take.
pub fn run(arguments: &Arguments, capture: &Frames) -> Result<(), Box<dyn Error>> {
    let (scale, frames) = capture.parsed();
    let name = &capture.name;
    if frames.len() < 2 {
        return Err(format!("{name}: no update behind a snapshot of {}; give another capture", capture.product).into());
    }
    if let Some(at) = frames.iter().position(|(kind, _)| !kind.is_book_frame()) {
        let (kind, _) = frames[at];
        return Err(
            format!("{name}: {kind:?} at frame {at}, of which the peers know nothing; give another capture").into()
        );
    }
    if scale.price_decimals.max(scale.size_decimals) > FIXED_PRECISION {
        return Err(format!("{name}: more than {FIXED_PRECISION} decimals, which nautilus-model lacks").into());
    }
    let hft_frames = hft::frames(scale, &frames);
    let range = hft::Range::around_best_bid(&hft_frames[0]);
    if !arguments.list && arguments.only.is_none() {
        println!("{}", range.describe(&hft_frames));
    }
    let nautilus_frames = nautilus::frames(scale, &frames);
    let barter_frames = barter::frames(scale, &frames);
    let arms = vec![
        apply_and_read("papertrader book", Ours::new(scale), &frames),
        apply_and_read("two BTreeMaps", Maps::default(), &frames),
        apply_and_read(
            "hftbacktest ROIVectorMarketDepth",
            hft::Peer::<ROIVectorMarketDepth>::new(scale, &range),
            &hft_frames,
        ),
        apply_and_read("hftbacktest HashMapMarketDepth", hft::Peer::<HashMapMarketDepth>::new(scale), &hft_frames),
        apply_and_read("nautilus-model OrderBook", nautilus::Peer::new(scale), &nautilus_frames),
        apply_and_read("barter-data OrderBook", barter::Peer::default(), &barter_frames),
    ];
    arguments.run(&format!("book, {name}: apply and read the ten best"), Work::of_updates(&frames), arms);
    Ok(())
}
