//! Text that is shown without what belongs to a key.
//!
//! ```
//! use papertrader::feed::coinbase::secrecy::without_keys;
//!
//! assert_eq!(without_keys("unexpected argument 'organizations/1/apiKeys/2' found"), "unexpected argument '[hidden]' found");
//! assert_eq!(without_keys("nothing of a key"), "nothing of a key");
//! ```

use super::auth::{KEY_VARIABLE, NAME_VARIABLE};
use super::pieces::{PIECE_CHARS, Pieces, name_parts};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// A part of a key that is shorter may stand in any text.
const PART_CHARS_MIN: usize = 8;
/// What stands in a key's place.
const HIDDEN: &str = "[hidden]";

/// A text, such as an error, without what belongs to a key: the values of [`NAME_VARIABLE`] and [`KEY_VARIABLE`] and their
/// parts, and whatever looks like a key's name, a PEM or an Ed25519 key.
pub fn without_keys(text: &str) -> Cow<'_, str> {
    let value = |variable| std::env::var(variable).ok().filter(|value| !value.trim().is_empty());
    without(
        text,
        value(NAME_VARIABLE).as_deref(),
        value(KEY_VARIABLE).map(Zeroizing::new).as_deref().map(String::as_str),
    )
}

fn without<'a>(text: &'a str, name: Option<&str>, key: Option<&str>) -> Cow<'a, str> {
    let mut shown = Cow::Borrowed(text);
    let looks = [looks_like_pem, looks_like_name, looks_like_base64];
    while let Some((from, to)) = looks.iter().find_map(|look| look(&shown)) {
        shown.to_mut().replace_range(from..to, HIDDEN);
    }
    let names = name.into_iter().flat_map(|name| std::iter::once(name.trim()).chain(name_parts(name, PART_CHARS_MIN)));
    // A key's lines, whatever breaks them.
    let keys = key.into_iter().flat_map(|key| {
        let lines = key.split("\\n").flat_map(str::lines).map(str::trim);
        std::iter::once(key.trim()).chain(lines).filter(|line| line.chars().count() >= PART_CHARS_MIN)
    });
    for secret in names.chain(keys) {
        if shown.contains(secret) {
            shown = Cow::Owned(shown.replace(secret, HIDDEN));
        }
    }
    let parts = name.into_iter().flat_map(|name| name_parts(name, PIECE_CHARS));
    if Pieces::of(parts).are_in(shown.as_bytes()) {
        return Cow::Borrowed("a text that quotes a part of the key's name, which is not shown");
    }
    shown
}

/// From the beginning of a PEM to its end.
fn looks_like_pem(text: &str) -> Option<(usize, usize)> {
    const END: &str = "-----END ";
    let from = text.find("-----BEGIN ")?;
    let end = text[from..].find(END).map(|at| from + at + END.len());
    let to = end.and_then(|end| text[end..].find("-----").map(|at| end + at + "-----".len()));
    Some((from, to.unwrap_or(text.len())))
}

/// A name as the venue gives it, from either of its words on.
fn looks_like_name(text: &str) -> Option<(usize, usize)> {
    let from = ["organizations/", "apiKeys/"].iter().filter_map(|word| text.find(word)).min()?;
    let ends = |character: char| character.is_whitespace() || "'\"`<>;,".contains(character);
    Some((from, text[from..].find(ends).map_or(text.len(), |at| from + at)))
}

/// Base64 of 32 or 64 bytes: an Ed25519 key.
fn looks_like_base64(text: &str) -> Option<(usize, usize)> {
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    let mut from = 0;
    for run in text.as_bytes().chunk_by(|&a, &b| is_of_it(a) == is_of_it(b)) {
        let to = from + run.len();
        if [44, 88].contains(&run.len()) && run.ends_with(b"=") && is_of_it(run[0]) {
            return Some((from, to));
        }
        from = to;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBaoJ6sRHa1PqLkX7VdFz0sG8h3W\nAoGCCqGSM49AwEHoUQDQgAE\n-----END EC PRIVATE KEY-----";
    const SEED: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn nothing_of_a_key_is_shown() {
        let (org, id) = ("01234567-89ab-cdef-0123-456789abcdef", "fedcba98-7654-3210-fedc-ba9876543210");
        let name = format!("organizations/{org}/apiKeys/{id}");
        let line = PEM.lines().nth(1).expect("a line");
        for (text, shown) in [
            (format!("no such file '{name}'"), "no such file '[hidden]'"),
            (format!("{id} is unknown to {org}"), "[hidden] is unknown to [hidden]"),
            (format!("bad value {}; see --help", &name[..30]), "bad value [hidden]; see --help"),
            (format!("unexpected argument '{PEM}' found"), "unexpected argument '[hidden]' found"),
            (format!("it begins with {line}"), "it begins with [hidden]"),
            ("a market of BTC-USD at organizations".into(), "a market of BTC-USD at organizations"),
        ] {
            assert_eq!(without(&text, Some(&name), Some(&PEM.replace('\n', "\\n"))), shown);
        }
        assert_eq!(without(&format!("'{SEED}'"), None, Some(SEED)), "'[hidden]'");
        // What looks like a key is hidden where no variable is set.
        for text in [&name, PEM, SEED, &name[..20], &PEM[..40]] {
            let shown = without(&format!("a '{text}' b"), None, None).into_owned();
            assert!(shown.matches(HIDDEN).count() == 1 && !shown.contains(&text[15..]), "{shown}");
        }
    }
}
