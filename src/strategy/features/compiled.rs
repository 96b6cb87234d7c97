//! A list of features, compiled: what the catalogue computes, and the program behind it.

use super::FEATURES_MAX;
use super::catalogue::Feature;
use super::expression::{self, Graph, Program};
use super::input::{Input, InputsError};
use super::plan::{Building, Plan};

/// A compiled list.
#[derive(Debug)]
pub struct Compiled {
    pub plan: Plan,
    /// None without expressions that are more than a feature of the catalogue.
    pub program: Option<Box<Program>>,
    /// What the list and its expressions read of the catalogue.
    pub reads: Vec<Feature>,
}

impl Compiled {
    /// # Errors
    /// The list is more than can be computed.
    pub fn new(inputs: &[Input]) -> Result<Self, InputsError> {
        if inputs.len() > FEATURES_MAX {
            return Err(InputsError::TooMany(inputs.len()));
        }
        let mut graph = Graph::default();
        let mut roots = Vec::new();
        let mut reads = Vec::new();
        let mut building = Building::default();
        // Of features of the catalogue; places of expressions come later.
        let mut places = Vec::new();
        for input in inputs {
            places.push(match input {
                Input::Catalogue(feature) => {
                    reads.push(*feature);
                    Some(building.place(*feature))
                }
                Input::Expression(expression) => {
                    roots.push(expression.add_to(&mut graph));
                    None
                }
            });
        }
        let compiled = expression::compile(&graph, &roots, &mut building)?;
        reads.extend(compiled.reads);
        if building.taken() > FEATURES_MAX {
            return Err(InputsError::Computed(building.taken()));
        }
        let mut of_expressions = compiled.places.into_iter();
        let places = places.into_iter().map(|place| place.or_else(|| of_expressions.next()).unwrap_or_default());
        let looks_back = compiled.program.as_ref().is_some_and(Program::looks_back);
        let plan = Plan::new(building, places.collect(), &reads, looks_back);
        Ok(Self { plan, program: compiled.program.map(Box::new), reads })
    }
}

/// Checks that a list can be computed: its length, its names, and what its expressions are together.
///
/// # Errors
/// Why it cannot.
pub fn check(inputs: &[Input]) -> Result<(), InputsError> {
    for (index, input) in inputs.iter().enumerate() {
        let name = input.to_string();
        // A model may name a feature of the catalogue twice.
        let is_twice = |other: &Input| other.to_string() == name && (matches!(input, Input::Expression(_)));
        if inputs[..index].iter().any(is_twice) {
            return Err(InputsError::Twice(name));
        }
    }
    Compiled::new(inputs).map(|_| ())
}
