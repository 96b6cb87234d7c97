//! The text of a configuration file as settings, each with its line.

use crate::base::failure::Failure;
use crate::base::small_file;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// The largest configuration file that is read.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// How deep brackets lie in each other, and how many dots a key has, at most. Settings need two of the first and one of the
/// second; the TOML library bounds each, but not what they come to together.
pub const CONFIG_DEPTH_MAX: u32 = 8;

/// What a key is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// Text or a number, as on a command line.
    One(String),
    /// A list of such.
    Many(Vec<String>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The command in whose section it stands; `None` at the top.
    pub section: Option<String>,
    /// A long option, without its dashes.
    pub key: String,
    /// What it is set to.
    pub value: Value,
    /// Counted from 1.
    pub line: usize,
}

/// What a file says.
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    /// In the order of their names, those of sections after the others.
    pub settings: Vec<Setting>,
    /// The sections in the order of their names, those without settings too, each with its line, counted from 1.
    pub sections: Vec<(String, usize)>,
}

/// Reads a file, which errors call `what`.
///
/// # Errors
/// The file cannot be read, is no TOML, lies too deep, or has something else than settings. No text quotes a value.
pub fn read(what: &str, path: &Path) -> Result<Contents, Failure> {
    let shown = path.display();
    let text = small_file::read_text(path, CONFIG_BYTES_MAX)
        .map_err(|error| Failure::input(format!("cannot read {what} {shown}: {error}")))?;
    parse(&text).map_err(|Bad { line, what: is_bad }| {
        let place = line.map_or_else(String::new, |line| format!(", line {line}"));
        Failure::input(format!("{what} {shown}{place}: {is_bad}"))
    })
}

/// What is wrong, and where.
#[derive(Debug, PartialEq)]
struct Bad {
    line: Option<usize>,
    what: String,
}

/// Where a byte stands, counted from 1.
fn line_at(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count()
}

fn parse(text: &str) -> Result<Contents, Bad> {
    if let Some(at) = too_deep(text) {
        let what = format!("brackets or dots lie more than {CONFIG_DEPTH_MAX} deep");
        return Err(Bad { line: Some(line_at(text, at)), what });
    }
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map(|span| span.start);
        let begins_with_bracket = |at: usize| {
            let line = text.get(..at).and_then(|before| before.rsplit('\n').next());
            line.is_some_and(|line| line.trim_start().starts_with('['))
        };
        let is_section = error.message() == "duplicate key" && at.is_some_and(begins_with_bracket);
        let what = if is_section { "two sections of one name".into() } else { format!("no TOML: {}", error.message()) };
        Bad { line: at.map(|at| line_at(text, at)), what }
    })?;
    let (mut settings, mut in_sections, mut sections) = (Vec::new(), Vec::new(), Vec::new());
    for (key, value) in table.get_ref() {
        match value.get_ref() {
            DeValue::Table(section) => {
                sections.push((key.get_ref().clone().into_owned(), line_at(text, key.span().start)));
                for (inner, value) in section {
                    in_sections.push(setting(text, Some(key.get_ref()), inner, value)?);
                }
            }
            _ => settings.push(setting(text, None, key, value)?),
        }
    }
    settings.append(&mut in_sections);
    Ok(Contents { settings, sections })
}

/// The byte at which a text lies deeper than [`CONFIG_DEPTH_MAX`].
pub fn too_deep(text: &str) -> Option<usize> {
    let (mut brackets, mut dots) = (0_u32, 0_u32);
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => brackets += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => brackets = brackets.saturating_sub(1),
            TokenKind::Dot => dots += 1,
            TokenKind::Equals | TokenKind::Comma | TokenKind::Newline => dots = 0,
            _ => {}
        }
        if brackets > CONFIG_DEPTH_MAX || dots > CONFIG_DEPTH_MAX {
            return Some(token.span().start());
        }
    }
    None
}

fn setting(
    text: &str,
    section: Option<&str>,
    key: &Spanned<impl AsRef<str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Setting, Bad> {
    let line = line_at(text, key.span().start);
    let key = key.get_ref().as_ref();
    let bad = || {
        let what = format!("'{key}' is neither text nor a number, true, false or a list of such");
        Bad { line: Some(line), what }
    };
    let value = match value.get_ref() {
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Array(list) => {
            Value::Many(list.iter().map(|one| plain(one.get_ref())).collect::<Option<_>>().ok_or_else(bad)?)
        }
        one => Value::One(plain(one).ok_or_else(bad)?),
    };
    Ok(Setting { section: section.map(Into::into), key: key.into(), value, line })
}

/// Text or a number as it would stand on a command line.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(decimal(number)),
        DeValue::Float(number) => Some(number.as_str().into()),
        _ => None,
    }
}

/// A number that was written in another base is what it means; one beyond 128 bits is left for its option to refuse.
fn decimal(number: &DeInteger<'_>) -> String {
    let meant = i128::from_str_radix(number.as_str(), number.radix());
    meant.map_or_else(|_| number.to_string(), |meant| meant.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_their_lines() {
        let text = "threshold = 0.70\r\n\nlag = 0x10\n'pin-cores' = \"2,3\"\nfused = true\nfault = [\"a@1\", 2]\n[live]\nlag = -1\n";
        let Contents { settings, sections } = parse(text).unwrap();
        assert_eq!(sections, [("live".into(), 7)]);
        let shown = |setting: &Setting| {
            let section = setting.section.as_deref().unwrap_or_default();
            format!("{} {section}.{}={:?}", setting.line, setting.key, setting.value)
        };
        let shown: Vec<String> = settings.iter().map(shown).collect();
        for expected in [
            "1 .threshold=One(\"0.70\")",
            "3 .lag=One(\"16\")",
            "4 .pin-cores=One(\"2,3\")",
            "5 .fused=Flag(true)",
            "6 .fault=Many([\"a@1\", \"2\"])",
            "8 live.lag=One(\"-1\")",
        ] {
            assert!(shown.contains(&expected.to_string()), "{expected} in {shown:?}");
        }
        assert_eq!(shown.len(), 6);
    }

    #[test]
    fn what_is_no_setting_is_named_and_not_quoted() {
        for (text, line, what) in [
            ("a = 1\nb = [[1]]", 2, "'b' is neither text nor a number, true, false or a list of such"),
            ("a = [true]", 1, "'a' is neither text nor a number, true, false or a list of such"),
            ("a = 2024-01-01", 1, "'a' is neither text nor a number, true, false or a list of such"),
            ("[a]\n[a.b]\nc = 1", 2, "'b' is neither text nor a number, true, false or a list of such"),
            ("[[a]]\nc = 1", 1, "'a' is neither text nor a number, true, false or a list of such"),
        ] {
            assert_eq!(parse(text), Err(Bad { line: Some(line), what: what.into() }), "{text}");
        }
        for text in ["a = 1\nkey = secret", "a = 1\nkey = \"secret", "a=1\nsecret", "a = 1\n\"secret\" \"secret\" = 1"]
        {
            let bad = parse(text).unwrap_err();
            assert!(bad.line == Some(2) && bad.what.starts_with("no TOML: "), "{bad:?}");
            assert!(!bad.what.contains("secret"), "{bad:?}");
        }
    }

    /// What is nested beyond the bound is refused before anything walks down it, however it is put together.
    #[test]
    fn depth_is_bounded() {
        let dotted = vec!["a"; 79].join(".");
        for (deep, line) in [
            (format!("a = {}", "[".repeat(200_000)), 1),
            (format!("b = 1\na = {}", "{a=".repeat(200_000)), 2),
            (format!("{} = 1", vec!["a"; 200_000].join(".")), 1),
            (format!("\n\n[{}]", vec!["a"; 200_000].join(" . ")), 3),
            (format!("a = {}1{}", format!("{{{dotted} = ").repeat(80), "}".repeat(80)), 1),
        ] {
            assert_eq!(parse(&deep).unwrap_err().line, Some(line));
        }
        let nested = |depth: usize| format!("x.a = {}{}", "[".repeat(depth), "]".repeat(depth));
        let max = CONFIG_DEPTH_MAX as usize;
        assert!(parse(&nested(max)).unwrap_err().what.starts_with("'a' is neither"));
        assert!(parse(&nested(max + 1)).unwrap_err().what.starts_with("brackets or dots"));
        // Neither text nor comments are deep.
        assert!(parse(&format!("# {dotted} {}\na = '{dotted}[[[[[[[[[[['\n", "[".repeat(99))).is_ok());
    }
}
