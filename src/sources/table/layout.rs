//! Which columns of a table hold what, told by their names.
//!
//! ```
//! use papertrader::sources::table::layout::{Field, Pattern};
//! use papertrader::market::units::Side;
//!
//! let pattern = Pattern::new("{side}_{field}_{level}")?;
//! assert_eq!(pattern.read("bid_px_03"), Some((Side::Bid, 3, Field::Price)));
//! assert_eq!(pattern.read("ask_size_1"), Some((Side::Ask, 1, Field::Size)));
//! assert_eq!(pattern.read("ask_ct_1"), None);
//! # Ok::<(), String>(())
//! ```

use crate::market::units::Side;
use std::collections::BTreeMap;

/// The most levels of a side that a row may have.
pub const TABLE_LEVELS_MAX: usize = 1_000;

/// Layouts that are tried where the user names none: Tardis', Databento's and most home-made ones, Crypto Lake's, and variants.
pub const PRESETS: [&str; 6] = [
    "{side}[{level}].{field}",
    "{side}_{field}_{level}",
    "{side}_{level}_{field}",
    "{side}_{field}{level}",
    "{side}{level}_{field}",
    "{side}_{level}.{field}",
];

const SIDES: [(&str, Side); 6] = [
    ("bids", Side::Bid),
    ("bid", Side::Bid),
    ("asks", Side::Ask),
    ("ask", Side::Ask),
    ("b", Side::Bid),
    ("a", Side::Ask),
];
const FIELDS: [(&str, Field); 14] = [
    ("price", Field::Price),
    ("prc", Field::Price),
    ("px", Field::Price),
    ("p", Field::Price),
    ("amount", Field::Size),
    ("quantity", Field::Size),
    ("volume", Field::Size),
    ("size", Field::Size),
    ("qty", Field::Size),
    ("vol", Field::Size),
    ("sz", Field::Size),
    ("q", Field::Size),
    ("s", Field::Size),
    ("v", Field::Size),
];
const RECEIVE_COLUMNS: [&str; 12] = [
    "local_timestamp",
    "received_time",
    "receive_time",
    "ts_recv",
    "ts_recv_ns",
    "recv_time",
    "receipt_timestamp",
    "received_at",
    "local_time",
    "local_ts",
    "localtimestamp",
    "ts_init",
];
/// Names that only a venue's clock has.
const VENUE_COLUMNS: [&str; 7] =
    ["origin_time", "ts_event", "event_time", "exchange_time", "exchange_timestamp", "exch_ts", "transaction_time"];
/// Names that tell nothing of the clock: the recorder's if it is the only one.
const TIME_COLUMNS: [&str; 9] =
    ["timestamp", "time", "datetime", "date", "ts", "system_time", "time_ns", "timestamp_ns", "unix_time"];
const PRODUCT_COLUMNS: [&str; 10] = [
    "symbol",
    "product",
    "product_id",
    "instrument",
    "instrument_id",
    "instrument_name",
    "market",
    "ticker",
    "pair",
    "coin",
];

/// Of which venue a row is.
const VENUE_NAME_COLUMNS: [&str; 4] = ["exchange", "venue", "exchange_name", "exchange_id"];

/// What of a level a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Its price.
    Price,
    /// Its size.
    Size,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Side,
    Level,
    Field,
}

/// How the columns of levels are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

impl Pattern {
    /// Reads a pattern with `{side}`, `{level}` and `{field}`, each once; case does not matter.
    ///
    /// # Errors
    /// One of them is missing, occurs twice, or is unknown.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_lowercase()));
            }
            let end = at + rest[at..].find('}').ok_or_else(|| format!("the pattern '{text}' has no closing brace"))?;
            parts.push(match &rest[at + 1..end] {
                "side" => Part::Side,
                "level" => Part::Level,
                "field" => Part::Field,
                other => {
                    return Err(format!("the pattern has '{{{other}}}'; there are {{side}}, {{level}}, {{field}}"));
                }
            });
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_lowercase()));
        }
        for (part, name) in [(Part::Side, "side"), (Part::Level, "level"), (Part::Field, "field")] {
            if parts.iter().filter(|&other| *other == part).count() != 1 {
                return Err(format!("the pattern '{text}' must have {{{name}}} once"));
            }
        }
        Ok(Self(parts))
    }

    /// What a column of that name holds, if it is one of levels.
    pub fn read(&self, column: &str) -> Option<(Side, u32, Field)> {
        let (mut side, mut level, mut field) = (None, None, None);
        let column = column.trim().to_lowercase();
        read_parts(&self.0, &column, &mut |part, text| match part {
            Part::Side => side = SIDES.iter().find(|(name, _)| *name == text).map(|(_, side)| *side),
            Part::Field => field = FIELDS.iter().find(|(name, _)| *name == text).map(|(_, field)| *field),
            Part::Level => level = text.parse().ok(),
            Part::Text(_) => {}
        })
        .then_some(())?;
        Some((side?, level?, field?))
    }
}

/// Whether a text is what the parts say; tells each part's text. Short names stand behind long ones, so each choice is tried.
fn read_parts(parts: &[Part], text: &str, tell: &mut dyn FnMut(&Part, &str)) -> bool {
    let Some((part, behind)) = parts.split_first() else { return text.is_empty() };
    let mut with = |length: usize| {
        let fits = read_parts(behind, &text[length..], tell);
        if fits {
            tell(part, &text[..length]);
        }
        fits
    };
    match part {
        Part::Text(own) => text.starts_with(own.as_str()) && with(own.len()),
        Part::Side => SIDES.iter().any(|(name, _)| text.starts_with(name) && with(name.len())),
        Part::Field => FIELDS.iter().any(|(name, _)| text.starts_with(name) && with(name.len())),
        Part::Level => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            (1..=4).contains(&digits) && with(digits)
        }
    }
}

/// Where the levels of a row are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Levels {
    /// Columns of price and size of each level, the best first; of each side.
    Columns(Vec<(Side, usize, usize)>),
    /// A column of bids and one of asks, each a list of pairs.
    Lists([(Side, usize); 2]),
}

/// Which columns hold what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The time of receipt, or the only one.
    pub recv: usize,
    /// The venue's time.
    pub event: Option<usize>,
    /// Whether the only time is the venue's.
    pub is_venue_time_only: bool,
    /// The product.
    pub product: Option<usize>,
    /// The venue's name.
    pub venue: Option<usize>,
    /// The levels.
    pub levels: Levels,
    /// Whether prices stand in columns of Databento's names, where whole numbers count 1e-9.
    pub is_databento: bool,
}

impl Layout {
    /// All columns that hold something.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns = vec![self.recv];
        columns.extend(self.event);
        columns.extend(self.product);
        columns.extend(self.venue);
        match &self.levels {
            Levels::Columns(levels) => columns.extend(levels.iter().flat_map(|&(_, price, size)| [price, size])),
            Levels::Lists(lists) => columns.extend(lists.map(|(_, column)| column)),
        }
        columns
    }
}

/// Whether a lower-case name is one that Databento gives a column of prices, such as `bid_px_00`.
fn is_databento_price(name: &str) -> bool {
    let level = name.strip_prefix("bid_px_").or_else(|| name.strip_prefix("ask_px_"));
    level.is_some_and(|level| level.len() == 2 && level.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The first column with one of these names, of lower-case names.
pub(super) fn find(columns: &[String], names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| columns.iter().position(|column| column == name))
}

/// The column of the product, of lower-case names.
pub fn product_column(columns: &[String]) -> Option<usize> {
    find(columns, &PRODUCT_COLUMNS)
}

/// The column of the venue's name, of lower-case names.
pub fn venue_column(columns: &[String]) -> Option<usize> {
    find(columns, &VENUE_NAME_COLUMNS)
}

/// The time of receipt, the venue's, and whether that is the only one; of lower-case names.
///
/// # Errors
/// There is none, or not that which is asked for.
pub fn time_columns(columns: &[String], asked: Option<&str>) -> Result<(usize, Option<usize>, bool), String> {
    let venue = find(columns, &VENUE_COLUMNS);
    let plain = find(columns, &TIME_COLUMNS);
    if let Some(asked) = asked {
        let asked = asked.to_lowercase();
        let at = columns.iter().position(|column| *column == asked);
        let at = at.ok_or_else(|| format!("has no column '{asked}' (--time-column); it has {}", shown(columns)))?;
        let is_venue_s = venue == Some(at) || columns[at] == "timestamp" && is_of_vendor(columns);
        return Ok((at, venue.filter(|&venue| venue != at), is_venue_s));
    }
    match (find(columns, &RECEIVE_COLUMNS), venue, plain) {
        (Some(recv), venue, plain) => Ok((recv, venue.or(plain), false)),
        (None, Some(venue), Some(plain)) => Ok((plain, Some(venue), false)),
        (None, Some(venue), None) => Ok((venue, None, true)),
        // Of Tardis' and cryptofeed's rows, which name the exchange, `timestamp` is the venue's.
        (None, None, Some(plain)) => Ok((plain, None, columns[plain] == "timestamp" && is_of_vendor(columns))),
        (None, None, None) => {
            Err(format!("has no column of times that is known; name it by --time-column: it has {}", shown(columns)))
        }
    }
}

/// Whether columns are named as Tardis and cryptofeed name theirs, even where some were left out.
fn is_of_vendor(columns: &[String]) -> bool {
    let has = |name: &str| columns.iter().any(|column| column == name);
    has("exchange") || has("is_snapshot") && has("amount") || has("asks[0].amount")
}

fn shown(columns: &[String]) -> String {
    let more = if columns.len() > 12 { ", …" } else { "" };
    format!("{}{more}", columns.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// The levels of a pattern.
fn levels_of(columns: &[String], pattern: &Pattern) -> Result<Option<Levels>, String> {
    let mut found: BTreeMap<(bool, u32), [Option<usize>; 2]> = BTreeMap::new();
    for (at, column) in columns.iter().enumerate() {
        let Some((side, level, field)) = pattern.read(column) else { continue };
        let place = &mut found.entry((side == Side::Ask, level)).or_default()[field as usize];
        if place.replace(at).is_some() {
            return Err(format!("has two columns of one level's field, the second '{column}'"));
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let mut levels = Vec::new();
    for is_ask in [false, true] {
        let (side, name) = if is_ask { (Side::Ask, "ask") } else { (Side::Bid, "bid") };
        let own = || found.iter().filter(|((ask, _), _)| *ask == is_ask);
        let Some(((_, first), _)) = own().next() else {
            return Err(format!("has columns of one side only; there is none of {name}s"));
        };
        if *first > 1 {
            return Err(format!("has no level 0 or 1 of {name}s; the first is {first}"));
        }
        if own().count() > TABLE_LEVELS_MAX {
            return Err(format!("has more than {TABLE_LEVELS_MAX} levels of {name}s"));
        }
        for (due, ((_, level), fields)) in (*first..).zip(own()) {
            let [Some(price), Some(size)] = fields else {
                let missing = if fields[0].is_none() { "price" } else { "size" };
                return Err(format!("has no column of the {missing} of {name} {level}"));
            };
            if *level != due {
                return Err(format!("has no columns of {name} {due}, but of {name} {level}"));
            }
            levels.push((side, *price, *size));
        }
    }
    Ok(Some(Levels::Columns(levels)))
}

/// The layout of a table with these columns. `None` where they name no levels.
///
/// # Errors
/// They name levels, but not a whole book or no time.
pub fn layout_of(
    columns: &[String],
    pattern: Option<&str>,
    time_column: Option<&str>,
) -> Result<Option<Layout>, String> {
    let columns: Vec<String> = columns.iter().map(|column| column.trim().to_lowercase()).collect();
    let mut levels = None;
    match pattern {
        Some(text) => {
            levels = levels_of(&columns, &Pattern::new(text)?)?;
            if levels.is_none() {
                return Err(format!("has no columns of the pattern '{text}'; it has {}", shown(&columns)));
            }
        }
        None => {
            let mut wrong = None;
            for preset in PRESETS {
                match levels_of(&columns, &Pattern::new(preset)?) {
                    Ok(Some(found)) => {
                        levels = Some(found);
                        break;
                    }
                    Ok(None) => {}
                    Err(what) => wrong = wrong.or(Some(what)),
                }
            }
            let list = |name: &str| columns.iter().position(|column| column == name);
            if levels.is_none()
                && let Some((bids, asks)) = list("bids").zip(list("asks"))
            {
                levels = Some(Levels::Lists([(Side::Bid, bids), (Side::Ask, asks)]));
            }
            if let (None, Some(what)) = (&levels, wrong) {
                return Err(what);
            }
        }
    }
    let Some(levels) = levels else { return Ok(None) };
    let (recv, event, is_venue_time_only) = time_columns(&columns, time_column)?;
    let is_databento = match &levels {
        Levels::Columns(levels) => levels.iter().all(|&(_, price, _)| is_databento_price(&columns[price])),
        Levels::Lists(_) => false,
    };
    let (product, venue) = (product_column(&columns), venue_column(&columns));
    Ok(Some(Layout { recv, event, is_venue_time_only, product, venue, levels, is_databento }))
}
