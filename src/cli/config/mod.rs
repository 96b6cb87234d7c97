//! Configuration files: options of the command line, kept in TOML.
//!
//! What follows on the command line wins over the file, be it the same option, one that excludes it, or `--FLAG=false`. A file
//! serves all commands: each takes the options that it has, those of its own section (`[live]`) before the others. Paths are
//! relative to the file's folder.
//!
//! ```
//! use clap::{CommandFactory, Parser};
//! use papertrader::cli::{Cli, Command, config};
//! use std::ffi::OsString;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("papertrader.toml");
//! std::fs::write(&path, "threshold = 0.7\nfused = true\nmodel = 'm.json'\nlevels = 500\n[replay]\nlag = 5\n")?;
//! let arguments = ["papertrader", "replay", "market.zst", "--config"].map(OsString::from);
//! let arguments = arguments.into_iter().chain([path.into(), "--threshold=0.8".into()]);
//! let expanded = config::expand(&Cli::command(), arguments).expect("the file is well-formed");
//! let Command::Replay(args) = Cli::try_parse_from(expanded.arguments)?.command else { panic!("another command") };
//! assert_eq!((args.trading.threshold, args.trading.lag, args.threads.fused), (Some(0.8), Some(5), true));
//! assert_eq!(args.trading.model, Some(folder.path().join("m.json")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod file;

use crate::base::failure::Failure;
use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use file::{Contents, Value};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

pub(in crate::cli) use file::too_deep;
pub use file::{CONFIG_BYTES_MAX, CONFIG_DEPTH_MAX, Setting};

/// The option that names a file.
const CONFIG: &str = "config";
/// What errors call it.
const CONFIGURATION: &str = "configuration";

/// A command line with the settings of its file.
#[derive(Debug, Default)]
pub struct Expanded {
    /// The program, its command, and what both say.
    pub arguments: Vec<OsString>,
    /// The options that came from the file, and where they stand there.
    pub origins: Vec<Origin>,
}

impl Expanded {
    /// A failure of a command for what an option says, with the option's place if that is in the file.
    pub fn placed(&self, failure: Failure) -> Failure {
        let Failure::Input(error) = &failure else { return failure };
        let text = error.to_string();
        let is_of = |origin: &&Origin| text.starts_with(&format!("--{}: ", origin.option));
        match self.origins.iter().find(is_of) {
            Some(origin) => Failure::input(format!("{}: {text}", origin.place)),
            None => failure,
        }
    }
}

/// Where an option comes from that is not on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The long option, without its dashes.
    pub option: String,
    /// The file and its line.
    pub place: String,
}

/// Makes a flag one that can be undone: `--FLAG=false`. All flags of the program are made so.
pub fn undoable(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .value_parser(value_parser!(bool))
        .num_args(0..=1)
        .require_equals(true)
        .value_name("true|false")
        .default_value("false")
        .default_missing_value("true")
        .hide_default_value(true)
        .hide_possible_values(true)
}

/// Puts the settings of the file that `--config` names behind a command line for the program `command`. What the command line
/// says for itself is left for clap to judge.
///
/// # Errors
/// The file cannot be read, has something else than settings, or a key that no command knows.
pub fn expand(command: &Command, arguments: impl IntoIterator<Item = OsString>) -> Result<Expanded, Failure> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = command.clone();
    command.build();
    // What is wrong with the command line is said when all of it is there; help and versions need no file.
    let parsed = command.clone().ignore_errors(true).try_get_matches_from(&arguments);
    let Some((name, given)) = parsed.as_ref().ok().and_then(ArgMatches::subcommand) else {
        return Ok(Expanded { arguments, origins: Vec::new() });
    };
    let Some(chosen) = command.find_subcommand(name) else {
        return Ok(Expanded { arguments, origins: Vec::new() });
    };
    let place = Place::of(name, &arguments);
    let mut behind = arguments.split_off(place.end);
    let mut following = arguments.split_off(place.settings);
    let undone = undone(chosen, given);
    [&mut arguments, &mut following].into_iter().for_each(|words| forget(&undone, words));
    let mut origins = Vec::new();
    if let Some(path) = given.get_one::<PathBuf>(CONFIG) {
        let settings = file::read(CONFIGURATION, path)?.settings;
        let at = |line: usize| format!("{CONFIGURATION} {}, line {line}", path.display());
        settings.iter().try_for_each(|setting| {
            check_key(&command, chosen, setting).map_err(|what| Failure::input(format!("{}: {what}", at(setting.line))))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let words = if place.is_whole { [&arguments[1..], &following].concat() } else { following.clone() };
        let said_by = Said { command: chosen, given, following: &words };
        for (setting, arg) in said_by.leave(&settings) {
            let place = at(setting.line);
            let said = said(arg, setting, folder).map_err(|what| Failure::input(format!("{place}: {what}")))?;
            arguments.extend(said);
            origins.push(Origin { option: setting.key.clone(), place });
        }
    }
    arguments.append(&mut following);
    arguments.append(&mut behind);
    Ok(Expanded { arguments, origins })
}

/// Where the settings of a file go.
struct Place {
    /// Before this word: behind the last `--config`, or behind the command if that comes later.
    settings: usize,
    /// Where options end.
    end: usize,
    /// Whether all of the command's own words follow on the file's name.
    is_whole: bool,
}

impl Place {
    fn of(name: &str, arguments: &[OsString]) -> Self {
        let end = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
        let words = &arguments[..end];
        let is_named = |at: usize| at > 0 && words[at - 1] == "--config";
        let command = (1..end).find(|&at| words[at] == name && !is_named(at)).map_or(end, |at| at + 1);
        let option = (1..end).rev().find(|&at| {
            words[at] == "--config" || words[at].to_str().is_some_and(|word| word.starts_with("--config="))
        });
        let behind = option.map(|at| (at + 1 + usize::from(words[at] == "--config")).min(end));
        Self { settings: behind.unwrap_or(end).max(command), end, is_whole: behind.is_some_and(|at| at < command) }
    }
}

/// The options that a command has, but for those that no file can set.
fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    let settable = |arg: &&Arg| arg.get_long().is_some_and(|long| ![CONFIG, "help", "version"].contains(&long));
    command.get_arguments().filter(settable)
}

fn option<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    options(command).find(|arg| arg.get_long() == Some(key))
}

fn is_flag(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == ValueParser::bool().type_id()
}

fn is_given(matches: &ArgMatches, arg: &Arg) -> bool {
    matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// The flags that a command line undoes.
fn undone<'a>(command: &'a Command, given: &ArgMatches) -> Vec<&'a str> {
    let is_undone = |arg: &&Arg| is_flag(arg) && is_given(given, arg) && is_false(given, arg);
    options(command).filter(is_undone).filter_map(Arg::get_long).collect()
}

fn is_false(matches: &ArgMatches, flag: &Arg) -> bool {
    matches.get_one::<bool>(flag.get_id().as_str()) == Some(&false)
}

/// Takes flags away that are undone: what is `false` excludes and demands nothing.
fn forget(undone: &[&str], words: &mut Vec<OsString>) {
    words.retain(|word| !undone.iter().any(|long| names(word, long)));
}

/// Whether a word of a command line is this long option, with its value or without.
fn names(word: &OsStr, long: &str) -> bool {
    let rest = word.to_str().and_then(|word| word.strip_prefix("--")).and_then(|word| word.strip_prefix(long));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

/// Whether some command has an option of this name, or the one in whose section it stands.
fn check_key(program: &Command, chosen: &Command, Setting { section, key, .. }: &Setting) -> Result<(), String> {
    let near = |command: &Command| near(program, &["", command.get_name()], key);
    match section {
        None if program.get_subcommands().any(|command| option(command, key).is_some()) => Ok(()),
        None => {
            let mut commands = std::iter::once(chosen).chain(program.get_subcommands());
            Err(format!("no command has an option '{key}'{}", commands.find_map(near).unwrap_or_default()))
        }
        Some(section) => match program.get_subcommands().find(|command| command.get_name() == section) {
            None => Err(format!("there is no command '{section}'; a section has the name of one")),
            Some(command) if option(command, key).is_some() => Ok(()),
            Some(command) => Err(format!("{section} has no option '{key}'{}", near(command).unwrap_or_default())),
        },
    }
}

/// The option that is near a key which is none, after so many words of a program's command line.
fn near(program: &Command, words: &[&str], key: &str) -> Option<String> {
    // Clap knows which of a command's options is near.
    let asked = words.iter().map(OsString::from).chain([format!("--{key}").into()]);
    let error = program.clone().try_get_matches_from(asked).err()?;
    match error.get(ContextKind::SuggestedArg)? {
        ContextValue::String(option) => Some(format!("; '{}' is near", option.trim_start_matches('-'))),
        _ => None,
    }
}

/// What a command line says for itself.
struct Said<'a> {
    command: &'a Command,
    given: &'a ArgMatches,
    /// What follows on the file's name. It wins over the file, which wins over what comes before.
    following: &'a [OsString],
}

impl<'a> Said<'a> {
    /// What the command line leaves of a file's settings: those of the command's section, then those at the top, but for what
    /// is said again, or excluded by something that is said.
    fn leave(&self, settings: &'a [Setting]) -> Vec<(&'a Setting, &'a Arg)> {
        let mut settled: Vec<&Arg> = Vec::new();
        let mut left = Vec::new();
        for section in [Some(self.command.get_name()), None] {
            let in_it = settings.iter().filter(|setting| setting.section.as_deref() == section);
            let ours = in_it.filter_map(|setting| Some((setting, option(self.command, &setting.key)?)));
            let gives_way = |setting: &Setting, arg: &Arg| {
                let is_settled = settled.iter().any(|&other| other == arg || self.exclude(other, arg));
                is_settled || self.says_again(arg) || self.excludes(arg) || self.contradicts(setting)
            };
            let mut new: Vec<_> = ours.filter(|&(setting, arg)| !gives_way(setting, arg)).collect();
            settled.extend(new.iter().map(|&(_, arg)| arg));
            left.append(&mut new);
        }
        // What is false excludes and demands nothing.
        left.retain(|(setting, _)| setting.value != Value::Flag(false));
        left
    }

    fn says_again(&self, arg: &Arg) -> bool {
        if matches!(arg.get_action(), ArgAction::Append) {
            // A list is said as a whole.
            return is_given(self.given, arg);
        }
        let short = arg.get_short().map(|short| format!("-{short}"));
        let is_short = |word: &OsStr| {
            short.as_ref().is_some_and(|short| word.to_str().is_some_and(|word| word.starts_with(short.as_str())))
        };
        let is_undone = is_flag(arg) && is_given(self.given, arg) && is_false(self.given, arg);
        let long = arg.get_long().unwrap_or_default();
        is_undone || self.following.iter().any(|word| names(word, long) || is_short(word))
    }

    /// Whether something on the command line excludes an option.
    fn excludes(&self, arg: &Arg) -> bool {
        let mut said = options(self.command).filter(|other| is_given(self.given, other));
        said.any(|other| !(is_flag(other) && is_false(self.given, other)) && self.exclude(other, arg))
    }

    fn exclude(&self, one: &Arg, other: &Arg) -> bool {
        let names = |arg: &Arg, it: &Arg| self.command.get_arg_conflicts_with(arg).contains(&it);
        names(one, other) || names(other, one)
    }

    /// Whether a setting cannot stand beside the command line by its value, which clap does not know.
    fn contradicts(&self, Setting { key, value, .. }: &Setting) -> bool {
        let said = |key: &str| option(self.command, key).is_some_and(|arg| is_given(self.given, arg));
        match (key.as_str(), value) {
            // Two cores or one thread.
            ("fused", _) => said("pin-cores"),
            ("pin-cores", Value::One(cores)) => {
                said("fused") && self.given.get_one("fused") == Some(&true) && cores.contains(',')
            }
            // A synthetic market has no speed of its own.
            ("speed", Value::One(speed)) if self.command.get_name() == "exchange" && said("source") => {
                let source = self.given.get_one::<PathBuf>("source");
                source.is_some_and(|source| source.as_os_str() == SYNTHETIC) && speed != "max"
            }
            _ => false,
        }
    }
}

/// The one value of an option for a path that is a word.
const SYNTHETIC: &str = "synthetic";

/// A setting as on a command line.
fn said(arg: &Arg, Setting { key, value, .. }: &Setting, folder: &Path) -> Result<Vec<OsString>, String> {
    let is_path = arg.get_value_parser().type_id() == value_parser!(PathBuf).type_id();
    let with = |value: &str| {
        // A schedule is a name or a file.
        let is_path = is_path || (key == "fees" && value.ends_with(".toml"));
        let mut said = OsString::from(format!("--{key}="));
        let is_word = value.is_empty() || (key == "source" && value == SYNTHETIC);
        let in_folder = (is_path && !is_word).then(|| folder.join(value));
        said.push(in_folder.as_deref().map_or(OsStr::new(value), Path::as_os_str));
        said
    };
    match value {
        Value::Flag(flag) if is_flag(arg) => Ok(vec![with(&flag.to_string())]),
        _ if is_flag(arg) => Err(format!("'{key}' is true or false")),
        Value::Flag(flag) => Ok(vec![with(&flag.to_string())]),
        Value::One(value) => Ok(vec![with(value)]),
        Value::Many(values) if matches!(arg.get_action(), ArgAction::Append) => {
            Ok(values.iter().map(|value| with(value)).collect())
        }
        Value::Many(_) => Err(format!("'{key}' takes one value")),
    }
}

/// A file of options whose sections are not commands.
#[derive(Debug)]
pub struct Settings {
    contents: Contents,
    folder: PathBuf,
}

impl Settings {
    /// Reads a file, which errors call `what`.
    ///
    /// # Errors
    /// As for a configuration.
    pub fn read(what: &str, path: &Path) -> Result<Self, Failure> {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { contents: file::read(what, path)?, folder })
    }

    /// The sections in the order of the file, each with its line.
    pub fn sections(&self) -> Vec<(String, usize)> {
        let mut sections = self.contents.sections.clone();
        sections.sort_by_key(|&(_, line)| line);
        sections
    }

    /// What a section says, or what stands before the first.
    pub fn of(&self, section: Option<&str>) -> impl Iterator<Item = &Setting> {
        self.contents.settings.iter().filter(move |setting| setting.section.as_deref() == section)
    }

    /// Whether one option of a command excludes another.
    pub fn exclude(&self, command: &Command, one: &str, other: &str) -> bool {
        let excludes = |one: &str, other: &str| {
            let pair = option(command, one).zip(option(command, other));
            pair.is_some_and(|(one, other)| command.get_arg_conflicts_with(one).contains(&other))
        };
        excludes(one, other) || excludes(other, one)
    }

    /// A setting as on a command's line. Paths are relative to the file's folder.
    ///
    /// # Errors
    /// The command has no such option, or it takes no such value.
    pub fn said(&self, command: &Command, setting: &Setting) -> Result<Vec<OsString>, String> {
        let Some(arg) = option(command, &setting.key) else {
            let near = near(command, &[""], &setting.key).unwrap_or_default();
            return Err(format!("there is no option '{}'{near}", setting.key));
        };
        // What is false excludes and demands nothing.
        if setting.value == Value::Flag(false) && is_flag(arg) {
            return Ok(Vec::new());
        }
        said(arg, setting, &self.folder)
    }
}

#[cfg(test)]
mod tests;
