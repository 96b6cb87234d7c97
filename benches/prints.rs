//! Messages of prints to events: nanoseconds a byte of their fast path beside those of level updates, in turns.

mod common;

use common::messages::Messages;
use common::{captures_with_prints, median, rounds};

fn main() {
    for capture in captures_with_prints() {
        let (scale, _) = capture.parsed();
        let (levels, prints) = (Messages::new(&capture, scale), Messages::prints(&capture, scale));
        let works = [levels.work(), prints.work()];
        let mut arms = [levels.ours("level updates"), prints.ours("prints")];
        let mut general = [levels.ours_any_layout("level updates"), prints.ours_any_layout("prints")];
        // Both ways read the same.
        for (usual, general) in arms.iter_mut().zip(&mut general) {
            assert_eq!((usual.run)().0, (general.run)().0, "{}, {}", capture.name, usual.name);
        }
        let mut ns_per_byte = [Vec::new(), Vec::new()];
        // The first round warms up, and each arm comes first in every other one.
        for round in 0..=rounds() {
            for turn in 0..arms.len() {
                let at = (turn + round) % arms.len();
                let (_, time_ns) = (arms[at].run)();
                if round > 0 {
                    ns_per_byte[at].push(time_ns / works[at].bytes as f64);
                }
            }
        }
        println!("prints, {}: {} rounds, medians", capture.name, rounds());
        for ((arm, work), times) in arms.iter().zip(&works).zip(&ns_per_byte) {
            let ratio = median(times.iter().zip(&ns_per_byte[0]).map(|(time, first)| time / first).collect());
            let (time, bytes) = (median(times.clone()), work.bytes);
            println!(
                "  {:<16} {:>9} messages {bytes:>10} bytes {time:>7.3} ns/byte {ratio:>6.2}x",
                arm.name, work.frames
            );
        }
    }
}
