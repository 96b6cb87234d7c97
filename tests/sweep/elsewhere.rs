//! A sweep whose rows are made elsewhere, from files under other names, is the sweep that is made here.

use crate::support::{Markets, model};
use clap::Parser;
use papertrader::cli::commands::sweep::{Elsewhere, SweepArgs, part};
use papertrader::cli::host::{Interrupt, hosted};
use papertrader::cli::printer::Printer;
use papertrader::cli::{Cli, Command};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const GRID: [&str; 6] = ["--threshold", "0.4:0.8:0.1", "--lag", "10,30", "--execution", "original,taker"];

fn arguments(captures: &[PathBuf], out: &Path, more: &[&str]) -> SweepArgs {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let captures = captures.iter().map(|path| text(path));
    let paths = ["--out".into(), text(out), "--model".into(), text(&model("imbalance.json"))];
    let more = GRID.iter().chain(more).map(ToString::to_string);
    let all = ["papertrader".to_owned(), "sweep".into()].into_iter().chain(captures).chain(paths).chain(more);
    match Cli::try_parse_from(all).unwrap().command {
        Command::Sweep(args) => args,
        _ => panic!("another command"),
    }
}

#[test]
fn rows_made_elsewhere_are_the_same_bytes() {
    let markets = Markets::new(2, 600);
    crate::common::succeed(&mut markets.sweep("whole", &GRID));
    let (out, copy) = (markets.path(""), markets.path("copy.l2"));
    let named = arguments(&markets.captures, &out, &["--name", "gathered"]);
    let again = arguments(&markets.captures, &out, &["--name", "gathered", "--resume"]);
    let (done, _) = hosted(Interrupt::default(), || {
        let mut sweep = Elsewhere::begin(&named).unwrap();
        assert_eq!(sweep.missing(), [(0..20).collect::<Vec<u32>>(), (0..20).collect()]);
        for (number, path) in (0..).zip(&markets.captures) {
            fs::copy(path, &copy).unwrap();
            let of_copy = arguments(std::slice::from_ref(&copy), &out, &[]);
            for settings in [[0_u32, 7, 19].to_vec(), (1..7).collect(), (8..19).collect()] {
                let made = part(&of_copy, (number, path.to_str().unwrap()), &settings).unwrap();
                let mut other = made.clone();
                other.capture.path = "other.l2".into();
                let error = sweep.add(other).unwrap_err().to_string();
                assert_eq!(error, format!("capture {number} is not other.l2"));
                sweep.add(made).unwrap();
                // Whoever gathers may be stopped at any moment.
                drop(sweep);
                sweep = Elsewhere::begin(&again).unwrap();
                assert!(settings.iter().all(|setting| !sweep.missing()[number as usize].contains(setting)));
            }
        }
        sweep.finish(&BTreeMap::new(), &mut Printer::to(std::io::sink()))
    });
    assert_eq!(done.unwrap(), markets.file("gathered", "csv"));
    markets.same("whole", "gathered");
    assert!(!markets.file("gathered", "part").exists());
}

#[test]
fn captures_that_are_bad_elsewhere_have_no_rows() {
    let markets = Markets::new(1, 300);
    let captures = [markets.captures[0].clone(), markets.path("nowhere.l2")];
    let named = arguments(&captures, &markets.path(""), &["--name", "some"]);
    let (done, _) = hosted(Interrupt::default(), || {
        let mut sweep = Elsewhere::begin(&named).unwrap();
        let of = |at: usize| {
            let args = arguments(&captures[at..=at], &markets.path(""), &[]);
            part(&args, (at as u32, captures[at].to_str().unwrap()), &(0..20).collect::<Vec<u32>>())
        };
        sweep.add(of(0).unwrap()).unwrap();
        let why = of(1).unwrap_err().to_string();
        assert!(why.contains("nowhere.l2"), "{why}");
        sweep.finish(&[(1, why)].into(), &mut Printer::to(std::io::sink()))
    });
    done.unwrap();
    let result = markets.result("some");
    assert_eq!((result.rows.len(), result.broken.len(), result.broken[0].number), (20, 1, 1));
    // The journal is what a resumed sweep goes on from.
    assert!(markets.file("some", "part").exists());
}
