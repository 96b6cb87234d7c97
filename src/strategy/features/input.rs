//! What a model looks at: features of the catalogue, and expressions with names of their own.

use super::FEATURES_MAX;
use super::catalogue::{Feature, FeatureError};
use super::expression::{Expression, ExpressionError, ProgramError, shown};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name of an expression.
pub const NAME_BYTES_MAX: usize = 64;

/// A feature of a list: one of the catalogue by its name, or `NAME = EXPRESSION`.
///
/// ```
/// use papertrader::strategy::features::{Feature, Input};
///
/// assert_eq!("mid".parse::<Input>()?, Feature::Mid);
/// let pressure: Input = "pressure = ln(sum(bid_size, 1..5) / sum(ask_size, 1..5))".parse()?;
/// assert_eq!(pressure.to_string(), "pressure");
/// let wrong = "pressure = ln(bid_sise_3)".parse::<Input>();
/// assert_eq!(
///     wrong.unwrap_err().to_string(),
///     r#""pressure", column 4: unknown feature 'bid_sise_3'; the nearest is 'bid_size_3'"#,
/// );
/// # Ok::<(), papertrader::strategy::features::InputError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Of the catalogue.
    Catalogue(Feature),
    /// Made of the catalogue.
    Expression(Arc<Expression>),
}

/// Why a text is no feature.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InputError {
    /// A name that is not in the catalogue.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// An expression alone.
    #[error("{0} needs a name: NAME = EXPRESSION")]
    NoName(String),
    /// A name that cannot be one.
    #[error("{0} is no name for an expression: letters, digits and _, no digit first, at most {NAME_BYTES_MAX}")]
    Name(String),
    /// A name that means something else.
    #[error("an expression cannot be called '{0}': that is a feature of the catalogue")]
    Taken(String),
    /// An expression.
    #[error("\"{name}\", {source}")]
    Expression {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: ExpressionError,
    },
}

impl InputError {
    /// As an error of a list's entry, counted from 0.
    pub fn at(&self, index: usize) -> String {
        match self {
            Self::Expression { .. } => format!("features[{index}] {self}"),
            _ => format!("features[{index}]: {self}"),
        }
    }
}

/// Why a list of features cannot be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InputsError {
    /// Too many.
    #[error("{0} features are too many; a model has at most {FEATURES_MAX}")]
    TooMany(usize),
    /// One name for two.
    #[error("feature '{0}' is named twice")]
    Twice(String),
    /// Too many things to compute.
    #[error(
        "the list computes {0} features besides levels and their logarithms, those in expressions among them; at most {FEATURES_MAX}"
    )]
    Computed(usize),
    /// Expressions that are too large together.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl Input {
    /// As it is written in a list: a name, or `NAME = EXPRESSION`.
    pub fn definition(&self) -> String {
        match self {
            Self::Catalogue(feature) => feature.to_string(),
            Self::Expression(expression) => format!("{} = {}", expression.name(), expression.text()),
        }
    }

    /// Whether prints come into it, which a capture or a session without prints does not feed.
    pub fn reads_tape(&self) -> bool {
        match self {
            Self::Catalogue(feature) => feature.reads_tape(),
            Self::Expression(expression) => expression.reads_tape(),
        }
    }

    fn expression(name: &str, text: &str) -> Result<Self, InputError> {
        if !is_name(name) {
            return Err(InputError::Name(shown(name)));
        }
        if name.parse::<Feature>().is_ok() {
            return Err(InputError::Taken(name.into()));
        }
        let expression = Expression::new(name, text);
        let expression = expression.map_err(|source| InputError::Expression { name: name.into(), source })?;
        Ok(Self::Expression(Arc::new(expression)))
    }
}

/// Whether an expression may be called so.
fn is_name(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word
        && name.len() <= NAME_BYTES_MAX
        && !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue(feature) => feature.fmt(f),
            Self::Expression(expression) => f.write_str(expression.name()),
        }
    }
}

impl FromStr for Input {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        match text.split_once('=') {
            // Not of a comparison.
            Some((name, text)) if !text.starts_with('=') && !name.ends_with(['<', '>', '!']) => {
                Self::expression(name.trim(), text.trim())
            }
            None if !text.contains(['(', ')', '+', '*', '/', '<', '>']) => Ok(Self::Catalogue(text.parse()?)),
            _ => Err(InputError::NoName(shown(text))),
        }
    }
}

impl From<Feature> for Input {
    fn from(feature: Feature) -> Self {
        Self::Catalogue(feature)
    }
}

impl PartialEq<Feature> for Input {
    fn eq(&self, other: &Feature) -> bool {
        matches!(self, Self::Catalogue(feature) if feature == other)
    }
}

/// Lists of features in JSON: names, and expressions as objects of a name and a text.
///
/// In memory an entry is as [`Input`] reads it: a name, or `NAME = EXPRESSION`.
pub mod json {
    use super::{is_name, shown};
    use serde::de::{Error, MapAccess, SeqAccess, Visitor};
    use serde::ser::{SerializeMap, SerializeSeq};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::fmt;

    /// Writes a list.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(entries: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(entries.len()))?;
        for entry in entries {
            list.serialize_element(&Written(entry))?;
        }
        list.end()
    }

    /// Reads a list.
    ///
    /// # Errors
    /// The deserializer's, or an entry is neither a text nor an object of a name and a text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Vec<String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of features")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
                let mut entries = Vec::new();
                while let Some(Read(entry)) = list.next_element()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_seq(List)
    }

    struct Written<'a>(&'a str);

    impl Serialize for Written<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0.split_once('=') {
                Some((name, text)) if is_name(name.trim()) => {
                    let mut object = serializer.serialize_map(Some(1))?;
                    object.serialize_entry(name.trim(), text.trim())?;
                    object.end()
                }
                _ => serializer.serialize_str(self.0),
            }
        }
    }

    struct Read(String);

    impl<'de> Deserialize<'de> for Read {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Entry;
            impl<'de> Visitor<'de> for Entry {
                type Value = Read;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a feature's name or an object {\"NAME\": \"EXPRESSION\"}")
                }

                fn visit_str<E: Error>(self, name: &str) -> Result<Read, E> {
                    Ok(Read(name.into()))
                }

                fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Read, A::Error> {
                    let one = || A::Error::custom("an object in a list of features has one name and its expression");
                    let (name, text): (String, String) = object.next_entry()?.ok_or_else(one)?;
                    if object.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {
                        return Err(one());
                    }
                    if !is_name(&name) {
                        return Err(A::Error::custom(super::InputError::Name(shown(&name))));
                    }
                    Ok(Read(format!("{name} = {text}")))
                }
            }
            deserializer.deserialize_any(Entry)
        }
    }
}
