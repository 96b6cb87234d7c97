//! Our book and our parser beside those of other projects, on the same frames, in turns, with the same results.
//!
//! Every book gets the same levels, converted beforehand to what its interface takes, applies them, and gives the ten best
//! levels of both sides after every frame. Every parser gets the same bytes and gives all levels.

mod books;
#[path = "../../common/mod.rs"]
mod common;
mod parsers;

use clap::Parser;
use common::{Arm, Frames, Work, captures, compare_rounds};
use std::path::PathBuf;
use std::process::ExitCode;

/// papertrader's book and parser beside those of other projects.
#[derive(Parser)]
struct Arguments {
    /// Captures; without any, the recorded ones beside the project, else a synthetic market.
    captures: Vec<PathBuf>,
    /// Timed rounds, behind one that warms up.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Runs this arm alone, so that its instructions can be counted.
    #[arg(long, value_name = "ARM")]
    only: Option<String>,
    /// Lists the arms.
    #[arg(long)]
    list: bool,
}

impl Arguments {
    /// Times the arms that were asked for, or lists them.
    fn run(&self, title: &str, work: Work, mut arms: Vec<Arm<'_>>) {
        if let Some(only) = &self.only {
            arms.retain(|arm| arm.name == only);
        }
        if self.list {
            arms.iter().for_each(|arm| println!("{}", arm.name));
        } else if !arms.is_empty() {
            compare_rounds(self.rounds, title, work, &mut arms);
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let opened: Result<Vec<Frames>, _> = arguments.captures.iter().map(|path| Frames::open(path)).collect();
    let result = opened.and_then(|given| {
        let captures = if given.is_empty() { captures() } else { given };
        let captures = if arguments.list { &captures[..1] } else { &captures[..] };
        captures.iter().try_for_each(|capture| {
            books::run(&arguments, capture)?;
            parsers::run(&arguments, capture);
            Ok(())
        })
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
