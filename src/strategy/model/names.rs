//! What a library's file leaves open: which features its inputs are, and what its classes mean.
//!
//! ```
//! use papertrader::strategy::model::{Class, parse_classes};
//!
//! assert_eq!(parse_classes("down,same,up")?, [Class::Down, Class::Same, Class::Up]);
//! assert!(parse_classes("down,same").is_err());
//! # Ok::<(), String>(())
//! ```

use super::error::LibraryError;
use super::trees::CLASSES_MAX;
use crate::strategy::features::{FEATURES_MAX, Input, check};

/// What a class of a model means for the mid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It will be lower.
    Down,
    /// It will be the same.
    Same,
    /// It will be higher.
    Up,
}

/// Reads a class map: `down`, `same` and `up` in the order of a model's classes, `same` left out if there are two.
///
/// # Errors
/// What such a map looks like.
pub fn parse_classes(text: &str) -> Result<Vec<Class>, String> {
    let class = |name: &str| match name.trim() {
        "down" => Some(Class::Down),
        "same" => Some(Class::Same),
        "up" => Some(Class::Up),
        _ => None,
    };
    let classes: Option<Vec<Class>> = text.split(',').map(class).collect();
    let good = |classes: &Vec<Class>| {
        let is_once = |class: &Class| classes.iter().filter(|&other| other == class).count() == 1;
        (2..=CLASSES_MAX).contains(&classes.len()) && classes.iter().all(is_once) && classes.contains(&Class::Up)
    };
    classes.filter(good).ok_or_else(|| {
        "classes are down, same and up in the order of the model's, each once, and same may be missing".into()
    })
}

/// What the user says about a library's model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelOptions {
    /// Its features, in the order of its inputs, whatever its file calls them.
    pub features: Option<Vec<Input>>,
    /// Its classes, in their order.
    pub classes: Option<Vec<Class>>,
}

impl ModelOptions {
    /// The features of a model with so many inputs, which its file may name.
    pub(super) fn features(&self, inputs: usize, names: &[String]) -> Result<Vec<Input>, LibraryError> {
        if !(1..=FEATURES_MAX).contains(&inputs) {
            return Err(LibraryError::Count(inputs));
        }
        let features = match &self.features {
            Some(features) => features.clone(),
            None if names.is_empty() => return Err(LibraryError::NoFeatures(inputs)),
            None => {
                let parsed = names.iter().enumerate();
                let parsed = parsed.map(|(index, name)| {
                    name.parse().map_err(|fault| LibraryError::Feature { index, fault: Box::new(fault) })
                });
                parsed.collect::<Result<_, _>>()?
            }
        };
        if features.len() != inputs {
            return Err(LibraryError::Inputs { inputs, features: features.len() });
        }
        check(&features).map_err(|fault| LibraryError::Features(Box::new(fault)))?;
        Ok(features)
    }

    /// Which of so many classes says up. `told` is what the file says of it.
    pub(super) fn up(&self, classes: usize, told: Option<usize>) -> Result<usize, LibraryError> {
        if !(2..=CLASSES_MAX).contains(&classes) {
            return Err(LibraryError::unsupported(
                format!("a model of {classes} classes"),
                "train one with two or three",
            ));
        }
        match &self.classes {
            Some(named) if named.len() != classes => Err(LibraryError::Classes { classes, named: named.len() }),
            Some(named) => Ok(named.iter().position(|&class| class == Class::Up).unwrap_or(classes - 1)),
            None => told.or((classes == 2).then_some(1)).ok_or(LibraryError::NoClasses(classes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::features::Feature;

    #[test]
    fn class_maps() {
        use Class::{Down, Same, Up};
        assert_eq!(parse_classes("up, down"), Ok(vec![Up, Down]));
        for bad in ["", "up", "down,same", "up,up", "up,down,same,up", "up,sideways"] {
            assert!(parse_classes(bad).unwrap_err().starts_with("classes are down, same and up"), "{bad}");
        }
        let options = |classes: &[Class]| ModelOptions { classes: Some(classes.to_vec()), features: None };
        assert_eq!(options(&[Up, Same, Down]).up(3, None).unwrap(), 0);
        assert_eq!(options(&[Up, Down]).up(2, Some(1)).unwrap(), 0);
        assert_eq!(ModelOptions::default().up(2, None).unwrap(), 1);
        assert_eq!(ModelOptions::default().up(3, Some(2)).unwrap(), 2);
        let said = |options: ModelOptions, classes| options.up(classes, None).unwrap_err().to_string();
        assert_eq!(said(options(&[Up, Down]), 3), "it has 3 classes, and --model-classes names 2");
        assert!(
            said(ModelOptions::default(), 3)
                .starts_with("it has 3 classes; give --model-classes with one of down, same, up")
        );
        assert_eq!(
            said(ModelOptions::default(), 4),
            "a model of 4 classes is not supported; train one with two or three"
        );
    }

    #[test]
    fn features_of_inputs() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let none = ModelOptions::default();
        assert_eq!(none.features(2, &names(&["mid", "imbalance_1"])).unwrap(), [Feature::Mid, Feature::Imbalance(1)]);
        let told = ModelOptions { features: Some(vec![Feature::Mid.into()]), classes: None };
        assert_eq!(told.features(1, &names(&["f0"])).unwrap(), [Feature::Mid]);
        let said = |options: &ModelOptions, inputs, file: &[&str]| {
            options.features(inputs, &names(file)).unwrap_err().to_string()
        };
        assert_eq!(
            said(&none, 2, &["mid", "f1"]),
            "input 1: unknown feature 'f1'; `papertrader features --list` names all, or give --model-features NAME,NAME,… in the \
             order of its training columns"
        );
        assert!(said(&none, 2, &[]).starts_with("it does not name its 2 inputs; give --model-features"));
        assert_eq!(said(&told, 2, &[]), "it takes 2 inputs, and 1 features are named");
        assert_eq!(said(&none, 129, &[]), "it takes 129 inputs; a model has from 1 to 128");
        assert_eq!(said(&none, 0, &[]), "it takes 0 inputs; a model has from 1 to 128");
    }
}
