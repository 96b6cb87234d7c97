//! The rooms of `src/` stand in one order, and a room imports only rooms below it. The compiler does not check that, these
//! tests do. They also check that no files import each other in a circle.
//!
//! An import is a path that begins with `crate`, `super` or `self`, wherever it stands. What would hide one is refused: another
//! name for the crate's root, a glob of it, the crate's own name, a path in a string or put together by a macro. A module names
//! its own children without such a prefix or with `self`, which is no import here: it declares them.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the top down, as in ARCHITECTURE.md.
const ROOMS: [&str; 18] = [
    "cli",
    "report",
    "sweep",
    "results",
    "research",
    "profile",
    "exchange",
    "sources",
    "capture",
    "feed",
    "run",
    "engine",
    "strategy",
    "execution",
    "handoff",
    "market",
    "statistics",
    "base",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A path written in the code, from the crate's root on.
#[derive(Debug, PartialEq, Eq)]
struct Mention {
    line: usize,
    path: Vec<String>,
}

/// Whether `::` stands here.
fn separates(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    colon(at) && colon(at + 1)
}

/// Whether the group here is that of `pub(…)`.
fn is_visibility(tokens: &[TokenTree], at: usize) -> bool {
    let is_pub = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "pub");
    let in_parentheses = matches!(&tokens[at], TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
    // Not the fields of a tuple structure: `pub (A, B)` is no Rust.
    in_parentheses && at > 0 && is_pub(&tokens[at - 1])
}

/// What one token stream mentions, in the module `here`. An empty path is one whose target cannot be seen.
fn mentions(tokens: TokenStream, here: &[String], found: &mut Vec<Mention>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(word) if word == "mod" => {
                if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                    (tokens.get(at + 1), tokens.get(at + 2))
                {
                    let inside: Vec<String> = here.iter().cloned().chain([name.to_string()]).collect();
                    mentions(body.stream(), &inside, found);
                    at += 3;
                    continue;
                }
            }
            TokenTree::Ident(word)
                if ["crate", "super", "self"].iter().any(|root| word == root) && separates(&tokens, at + 1) =>
            {
                let mut path = if word == "crate" { Vec::new() } else { here.to_vec() };
                if word == "super" {
                    path.pop();
                }
                at = follow(&tokens, at + 3, path, found);
                continue;
            }
            TokenTree::Ident(word) if word == "crate" || (word == "papertrader" && separates(&tokens, at + 1)) => {
                found.push(Mention { line: word.span().start().line, path: Vec::new() });
            }
            TokenTree::Literal(text) if text.to_string().starts_with("\"crate::") => {
                found.push(Mention { line: text.span().start().line, path: Vec::new() });
            }
            TokenTree::Group(group) if is_visibility(&tokens, at) => {
                // `pub(crate)` imports nothing; `pub(in crate::a)` names what stands around it.
                debug_assert!(!group.stream().is_empty());
            }
            TokenTree::Group(group) => mentions(group.stream(), here, found),
            _ => {}
        }
        at += 1;
    }
}

/// Follows a path from its second segment on, into the braces of a `use`. Gives the place behind it.
fn follow(tokens: &[TokenTree], mut at: usize, mut path: Vec<String>, found: &mut Vec<Mention>) -> usize {
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => {
                if word == "super" {
                    path.pop();
                } else {
                    path.push(word.to_string());
                }
                if !separates(tokens, at + 1) {
                    found.push(Mention { line: word.span().start().line, path });
                    return at + 1;
                }
                at += 3;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inside.split(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',')) {
                    follow(branch, 0, path.clone(), found);
                }
                return at + 1;
            }
            // A glob.
            Some(token) => {
                found.push(Mention { line: token.span().start().line, path });
                return at + 1;
            }
            None => return at,
        }
    }
}

/// A file of `src/`: its module, and what it mentions.
struct File {
    path: PathBuf,
    module: Vec<String>,
    mentions: Vec<Mention>,
}

fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    module
}

/// All files but `lib.rs` and `main.rs`, which stand above the rooms.
fn files() -> Vec<File> {
    let mut folders = vec![source()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && path.parent() != Some(&source()) {
                let relative = path.strip_prefix(source()).unwrap().to_path_buf();
                let module = module_of(&relative);
                let tokens: TokenStream = fs::read_to_string(&path).unwrap().parse().unwrap();
                let mut found = Vec::new();
                mentions(tokens, &module, &mut found);
                files.push(File { path: relative, module, mentions: found });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The room's place from the top.
fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|&name| name == room)
}

/// What is wrong with one mention, as a sentence that says what to do. `to` is missing where the path does not tell.
fn complaint(from: &str, to: Option<&str>) -> Option<String> {
    let Some(to) = to else {
        return Some("it cannot be seen what this imports: write its path from `crate` on, in full".into());
    };
    let (Some(here), Some(there)) = (place(from), place(to)) else {
        return Some(format!(
            "'{to}' is not a room: put the module into a room, or give the new room its place in ROOMS and ARCHITECTURE.md"
        ));
    };
    (there < here).then(|| {
        format!(
            "'{from}' stands below '{to}' and must not import it: move what is needed down to '{from}' or below, or pass it in \
             as an argument or a trait of '{from}'"
        )
    })
}

#[test]
fn a_room_imports_only_rooms_below_it() {
    let mut complaints = Vec::new();
    for file in files() {
        for Mention { line, path } in &file.mentions {
            if let Some(complaint) = complaint(&file.module[0], path.first().map(String::as_str)) {
                complaints.push(format!("src/{}:{line}: {complaint}", file.path.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_files_import_in_a_circle() {
    let files = files();
    let modules: BTreeMap<&[String], &File> = files.iter().map(|file| (&file.module[..], file)).collect();
    let mut imports: BTreeMap<&Path, BTreeMap<&Path, usize>> = BTreeMap::new();
    for file in &files {
        for mention in &file.mentions {
            let target = (1..=mention.path.len()).rev().find_map(|length| modules.get(&mention.path[..length]));
            // A module may name its own children.
            if let Some(target) = target.filter(|target| !target.module.starts_with(&file.module)) {
                imports.entry(&file.path).or_default().entry(&target.path).or_insert(mention.line);
            }
        }
    }
    // What imports nothing that is left, or is imported by nothing that is left, is in no circle.
    loop {
        let before: usize = imports.values().map(BTreeMap::len).sum();
        let importing: BTreeSet<&Path> = imports.keys().copied().collect();
        let imported: BTreeSet<&Path> = imports.values().flat_map(BTreeMap::keys).copied().collect();
        imports.values_mut().for_each(|targets| targets.retain(|target, _| importing.contains(target)));
        imports.retain(|path, targets| !targets.is_empty() && imported.contains(path));
        if imports.values().map(BTreeMap::len).sum::<usize>() == before {
            break;
        }
    }
    let edges = imports.iter().flat_map(|(from, targets)| targets.iter().map(move |(to, line)| (from, to, line)));
    let circle: Vec<String> =
        edges.map(|(from, to, line)| format!("src/{}:{line}: imports src/{}", from.display(), to.display())).collect();
    let advice = "these files import in a circle: move what both need into a file of its own, below both";
    assert!(circle.is_empty(), "{advice}\n{}\n", circle.join("\n"));
}

#[test]
fn every_folder_is_a_room_and_is_described_in_this_order() {
    let mut folders: Vec<String> = fs::read_dir(source())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut rooms = ROOMS.to_vec();
    rooms.sort_unstable();
    assert_eq!(folders, rooms, "give each folder of src/ its place in ROOMS and in the table of ARCHITECTURE.md");
    let page = fs::read_to_string(source().with_file_name("ARCHITECTURE.md")).unwrap();
    let (_, table) = page.split_once("## Rooms").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let described: Vec<&str> = table.lines().filter_map(|row| row.strip_prefix("| `")?.split('/').next()).collect();
    assert_eq!(described, ROOMS, "ARCHITECTURE.md describes the rooms in the order of ROOMS");
}

#[test]
fn imports_are_seen_wherever_they_stand() {
    let code = "
        use crate::run::{session, files::{RunFiles as Files, *}};
        pub use super::units;
        mod inner {
            use super::super::event::Event;
            fn f() -> crate::report::Page { assert!(self::g(), \"{}\", super::h(crate::cli::X)); }
        }
        // crate::comment
        /// [`crate::document`]
        pub(crate) const TEXT: &str = \"in crate::text\";
        pub(in crate::report) struct Inside(pub(super) u8);
        use crate as root;
        use crate::*;
        use super::super as above;
        extern crate self as papertrader;
        use papertrader::cli::X;
        macro_rules! room { ($room:ident) => { crate::$room::X } }
        #[serde(deserialize_with = \"crate::cli::x\")]
    ";
    let mut found = Vec::new();
    mentions(code.parse().unwrap(), &["market".into(), "book".into()], &mut found);
    let found: Vec<(usize, String)> =
        found.into_iter().map(|mention| (mention.line, mention.path.join("::"))).collect();
    let expected = [
        (2, "run::session"),
        (2, "run::files::RunFiles"),
        (2, "run::files"),
        (3, "market::units"),
        (5, "market::event::Event"),
        (6, "report::Page"),
        (6, "market::book::inner::g"),
        (6, "market::book::h"),
        (6, "cli::X"),
        (12, ""),
        (13, ""),
        (14, ""),
        (15, ""),
        (16, ""),
        (17, ""),
        (18, ""),
    ];
    assert_eq!(found, expected.map(|(line, path)| (line, path.to_owned())));
}

#[test]
fn an_import_of_a_room_above_is_a_complaint_that_says_what_to_do() {
    assert_eq!(complaint("engine", Some("market")), None);
    assert_eq!(complaint("engine", Some("engine")), None);
    assert!(complaint("engine", None).unwrap().ends_with("write its path from `crate` on, in full"));
    let above = complaint("engine", Some("feed")).unwrap();
    assert!(
        above.starts_with("'engine' stands below 'feed' and must not import it: move what is needed down"),
        "{above}"
    );
    assert!(complaint("engine", Some("kitchen")).unwrap().starts_with("'kitchen' is not a room: "));
}

/// The files of the public modules, found by the `pub mod` lines from `lib.rs` down.
fn public_modules() -> Vec<PathBuf> {
    let mut found = vec![source().join("lib.rs")];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        let folder = match path.file_stem().unwrap().to_str().unwrap() {
            "lib" | "mod" => path.parent().unwrap().to_path_buf(),
            _ => path.with_extension(""),
        };
        let text = fs::read_to_string(&path).unwrap();
        // Without the modules that only tests and fuzzers see. Indented ones belong to a module that stands in this file.
        let lines = text.lines().zip(text.lines().skip(1)).filter(|(before, _)| !before.contains("fuzzing"));
        for name in lines.filter_map(|(_, line)| line.strip_prefix("pub mod ")?.strip_suffix(';')) {
            let file = folder.join(name).with_extension("rs");
            found.push(if file.is_file() { file } else { folder.join(name).join("mod.rs") });
        }
        at += 1;
    }
    found
}

/// Whether documentation holds code that is compiled and does something: a fence that opens without a language or with an
/// attribute of rustdoc, and a line behind it that is no comment.
fn has_example(docs: &str) -> bool {
    // Every second part stands between fences.
    docs.split("```").skip(1).step_by(2).any(|fenced| {
        let (opening, code) = fenced.split_once('\n').unwrap_or((fenced, ""));
        let is_code = |line: &str| !line.trim().is_empty() && !line.trim().starts_with("//");
        ["", "rust", "no_run", "should_panic", "compile_fail"].contains(&opening.trim()) && code.lines().any(is_code)
    })
}

#[test]
fn an_example_has_code_in_it() {
    assert!(has_example(" Words.\n ```\n let x = 1;\n ```\n"));
    for none in [" Words.", " ```\n ```", " ```\n // none\n ```", " ```text\n let x = 1;\n ```"] {
        assert!(!has_example(none), "{none}");
    }
}

#[test]
fn every_public_module_opens_with_an_example() {
    let mut lacking = Vec::new();
    for path in public_modules() {
        let text = fs::read_to_string(&path).unwrap();
        let docs: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
        if !has_example(&docs.join("\n")) {
            lacking.push(format!("src/{}", path.strip_prefix(source()).unwrap().display()));
        }
    }
    assert!(
        lacking.is_empty(),
        "add a short example that runs (``` in the //! docs at the top), or make the module private:\n{}",
        lacking.join("\n")
    );
}
