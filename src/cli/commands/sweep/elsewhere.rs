//! A sweep whose rows are made on other machines.

use super::places::Places;
use super::{SweepArgs, SweepResultArgs, begun, left, planned, prepared};
use crate::base::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::sweep::journal::{Identity, Journal, check as check_part};
use crate::sweep::plan::Plan;
use crate::sweep::result::BrokenCapture;
use crate::sweep::{Part, Sweep, Watch, check as check_plan, gather};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A sweep whose rows are made elsewhere, by [`part`], and end here. No capture needs to be at hand.
#[derive(Debug)]
pub struct Elsewhere {
    plan: Plan,
    files: Places,
    results: SweepResultArgs,
    identity: Identity,
    journal: Journal,
    parts: Vec<Part>,
}

impl Elsewhere {
    /// Reads everything but the captures, whose names stand for themselves.
    ///
    /// # Errors
    /// Bad arguments or models, files that exist, or a journal of another sweep.
    pub fn begin(args: &SweepArgs) -> Result<Self, Failure> {
        let (plan, files) = prepared(args, args.captures.clone())?;
        check_plan(&plan).map_err(Failure::input)?;
        let identity = Identity::of(&plan);
        let (journal, parts) = begun(&args.results, &files, &identity)?;
        Ok(Self { plan, files, results: args.results.clone(), identity, journal, parts })
    }

    /// The settings that have no rows yet, for each capture by its number.
    pub fn missing(&self) -> Vec<Vec<u32>> {
        let rows = self.parts.iter().flat_map(|part| &part.rows);
        let known: BTreeSet<(u32, u32)> = rows.map(|row| (row.capture, row.setting)).collect();
        let numbers = || self.plan.settings.iter().map(|setting| setting.number);
        let of = |capture: u32| numbers().filter(|&setting| !known.contains(&(capture, setting))).collect();
        (0..self.plan.captures.len() as u32).map(of).collect()
    }

    /// Takes a part, and keeps it on disk.
    ///
    /// # Errors
    /// It is none of this sweep's, or cannot be written.
    pub fn add(&mut self, part: Part) -> Result<(), Failure> {
        check_part(&part, &self.identity).map_err(Failure::running)?;
        self.journal.add(&part).map_err(Failure::running)?;
        self.parts.push(part);
        Ok(())
    }

    /// Writes what it came to; gives the table's CSV file. `broken` are captures by their numbers, and why they have no rows.
    ///
    /// # Errors
    /// Rows are missing, a capture was not the same for all, or a file cannot be written.
    pub fn finish(self, broken: &BTreeMap<u32, String>, printer: &mut Printer) -> Result<PathBuf, Failure> {
        let Self { plan, files, results, journal, parts, .. } = self;
        drop(journal);
        let of = |(number, path): (u32, &PathBuf)| {
            let why = broken.get(&number)?.clone();
            Some(BrokenCapture { number, path: path.display().to_string(), why })
        };
        let broken = (0..).zip(&plan.captures).filter_map(of).collect();
        let result = gather(&plan, parts, broken).map_err(|error| files.stopped(error))?;
        left(&result, &plan, (&results, &files), printer)?;
        Ok(files.csv)
    }
}

/// Makes rows of a sweep over its only capture, which is `number` of another sweep and called `name` there.
///
/// # Errors
/// Bad arguments or models, or the capture is bad.
pub fn part(args: &SweepArgs, (number, name): (u32, &str), settings: &[u32]) -> Result<Part, Failure> {
    let interrupt = Interrupt::watch()?;
    let plan = planned(args, args.captures.clone(), &Places::of(&args.results.out, "part"))?;
    let threads = args.results.threads.map_or(1, usize::from);
    let sweep = Sweep::open(plan, threads).map_err(Failure::input)?;
    let watch = Watch { progress: &|_| {}, stop: &|| interrupt.is_set() };
    let mut part = sweep.part(0, settings, threads, &watch).map_err(Failure::running)?;
    part.capture.number = number;
    part.capture.path = name.into();
    part.rows.iter_mut().for_each(|row| row.capture = number);
    Ok(part)
}
