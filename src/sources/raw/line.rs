//! How recorders lay out their lines.

use crate::base::clock::parse_utc_ns;
use crate::sources::json::{is_plausible_ns, shown};

/// A recorder's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// hftbacktest's collector: `<19 digits> {…}`; 16 digits are microseconds, of its older versions.
    Collector,
    /// Tardis' raw data: `2019-06-01T00:00:10.4261234Z {…}`; an empty line is a disconnection.
    Tardis,
    /// tardis-machine: a message with its time within.
    Machine,
    /// cryptofeed: `1618677817.118783: {…}`, and lines of connections.
    Cryptofeed,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing of the market.
    Nothing,
    /// The connection ended, or began.
    Disconnected,
    /// A message of tardis-machine's own, or one of a venue in its envelope.
    Normalized,
    /// A venue's message.
    Message {
        ts_recv_ns: i64,
        text: &'a [u8],
        /// The product, where the line says it beside the message.
        symbol: Option<&'a str>,
    },
}

/// The error of a first line of no layout.
#[cold]
pub(super) fn unknown() -> String {
    "is no line of a recording: due is a time and the venue's message, as hftbacktest's collector, Tardis, tardis-machine or \
     cryptofeed write them"
        .into()
}

const ISO_BYTES: usize = 28;

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn is_of_connection(line: &[u8]) -> bool {
    line.starts_with(b"configuration:")
        || (["wss://", "ws://", "https://", "http://"].iter().any(|scheme| line.starts_with(scheme.as_bytes()))
            && ["<->", "<-", "->"]
                .iter()
                .any(|arrow| line.split(|&byte| byte == b' ').nth(1) == Some(arrow.as_bytes())))
}

/// Seconds with up to nine decimals, as nanoseconds.
fn seconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let fraction_ns: i64 = format!("{fraction:0<9}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction_ns).filter(|&ns| is_plausible_ns(ns))
}

impl Layout {
    /// That of the first line that is not empty.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let digits = digits(line);
        let is_json = |at: usize| line.get(at).is_some_and(|byte| matches!(byte, b'{' | b'['));
        if line.first() == Some(&b'{') {
            let is_kind = ["book_change", "trade", "disconnect", "book_snapshot", "derivative_ticker"]
                .iter()
                .any(|kind| line.strip_prefix(b"{\"type\":\"").is_some_and(|rest| rest.starts_with(kind.as_bytes())));
            let has_time = || memchr::memmem::find(line, b"\"localTimestamp\":").is_some();
            return (is_kind || has_time()).then_some(Self::Machine);
        }
        if is_of_connection(line) {
            return Some(Self::Cryptofeed);
        }
        if digits > 0 && line.get(digits) == Some(&b' ') && is_json(digits + 1) {
            return Some(Self::Collector);
        }
        if let (10, Some(b'.'), Some(colon)) = (digits, line.get(10), memchr::memmem::find(line, b": ")) {
            return (is_json(colon + 2) && seconds(&line[..colon]).is_some()).then_some(Self::Cryptofeed);
        }
        let time = line.get(..ISO_BYTES)?;
        (parse_utc_ns(time).is_some() && line.get(ISO_BYTES) == Some(&b' ')).then_some(Self::Tardis)
    }

    pub(super) fn parse(self, line: &[u8]) -> Result<Line<'_>, String> {
        if line.trim_ascii().is_empty() {
            return Ok(if self == Self::Tardis { Line::Disconnected } else { Line::Nothing });
        }
        match self {
            Self::Collector => {
                let digits = digits(line);
                let rest = line[digits..].strip_prefix(b" ").filter(|_| digits > 0);
                let text = rest.ok_or_else(|| wrong("<Unix time in ns> {…}", line))?;
                let count = std::str::from_utf8(&line[..digits]).ok().and_then(|text| text.parse::<i64>().ok());
                let ts_recv_ns = match (digits, count) {
                    (19, Some(ns)) => Some(ns),
                    (16, Some(us)) => us.checked_mul(1_000),
                    _ => None,
                };
                let ts_recv_ns = ts_recv_ns.filter(|&ns| is_plausible_ns(ns)).ok_or_else(|| {
                    let time = shown(&line[..digits]);
                    format!("the time '{time}' has {digits} digits; due are Unix nanoseconds (19) or microseconds (16)")
                })?;
                Ok(Line::Message { ts_recv_ns, text, symbol: None })
            }
            Self::Tardis => {
                let parts = line.split_at_checked(ISO_BYTES);
                let parts = parts.and_then(|(time, rest)| Some((parse_utc_ns(time)?, rest.strip_prefix(b" ")?)));
                let (ts_recv_ns, text) = parts.ok_or_else(|| wrong("2019-06-01T00:00:10.4261234Z {…}", line))?;
                Ok(Line::Message { ts_recv_ns, text, symbol: None })
            }
            Self::Machine => Ok(Line::Normalized),
            Self::Cryptofeed if is_of_connection(line) => of_connection(line),
            Self::Cryptofeed => {
                let colon = memchr::memmem::find(line, b": ").ok_or_else(|| wrong("1618677817.118783: {…}", line))?;
                let ts_recv_ns = seconds(&line[..colon]).ok_or_else(|| wrong("1618677817.118783: {…}", line))?;
                Ok(Line::Message { ts_recv_ns, text: &line[colon + 2..], symbol: None })
            }
        }
    }
}

fn wrong(due: &str, line: &[u8]) -> String {
    format!("a line reads '{due}' here, not '{}'", shown(line))
}

/// cryptofeed's lines of a connection: what was asked for by HTTP is answered in them.
fn of_connection(line: &[u8]) -> Result<Line<'_>, String> {
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let (url, arrow, rest) = (words.next(), words.next(), words.next().unwrap_or_default());
    match arrow {
        Some(b"<->") => Ok(Line::Disconnected),
        Some(b"->") => {
            let colon = memchr::memmem::find(rest, b": ").ok_or_else(|| wrong("URL -> 1618677817.1: {…}", line))?;
            let ts_recv_ns = seconds(&rest[..colon]).ok_or_else(|| wrong("URL -> 1618677817.1: {…}", line))?;
            let url = url.and_then(|url| std::str::from_utf8(url).ok()).unwrap_or_default();
            let symbol = url.split(['?', '&']).find_map(|part| part.strip_prefix("symbol="));
            let text = &rest[colon + 2..];
            // Other answers are lists of instruments and the like.
            let is_book = memchr::memmem::find(&text[..text.len().min(64)], b"\"lastUpdateId\"").is_some();
            Ok(if is_book { Line::Message { ts_recv_ns, text, symbol } } else { Line::Nothing })
        }
        _ => Ok(Line::Nothing),
    }
}
