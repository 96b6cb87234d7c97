//! What the user says about a library's model file.
//!
//! ```
//! use papertrader::cli::arguments::ModelArgs;
//!
//! #[derive(clap::Parser)]
//! struct Program {
//!     #[command(flatten)]
//!     model: ModelArgs,
//! }
//! let arguments = ["program", "--model-features", "mid,imbalance_1", "--model-classes", "down,same,up"];
//! let options = <Program as clap::Parser>::parse_from(arguments).model.options();
//! assert_eq!(options.features.map(|features| features.len()), Some(2));
//! ```

use crate::base::failure::Failure;
use crate::research::feature_list::{FeatureListError, file_of, parse_features};
use crate::strategy::features::Input;
use crate::strategy::model::{Class, Model, ModelOptions, parse_classes};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A list of features in one argument.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureNames {
    features: Vec<Input>,
    /// The file that holds them, if they come from one.
    file: Option<PathBuf>,
}

/// A class map in one argument.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassNames(Vec<Class>);

fn parse_names(text: &str) -> Result<FeatureNames, FeatureListError> {
    Ok(FeatureNames { features: parse_features(text)?, file: file_of(text).map(Into::into) })
}

fn parse_map(text: &str) -> Result<ClassNames, String> {
    parse_classes(text).map(ClassNames)
}

/// What a library's model file leaves open.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Models of libraries")]
pub struct ModelArgs {
    /// The features of a library's model, separated by commas, in the order of its training columns [default: what its file calls
    /// them]
    #[arg(long, value_name = "NAMES", value_parser = parse_names)]
    pub model_features: Option<FeatureNames>,
    /// The classes of a library's model, in their order, such as down,same,up. Its probability is that of up [default: as its file
    /// says; of two classes the second is up]
    #[arg(long, value_name = "CLASSES", value_parser = parse_map)]
    pub model_classes: Option<ClassNames>,
}

impl ModelArgs {
    /// The file of features that is read, if one is named.
    pub fn file(&self) -> Option<&Path> {
        self.model_features.as_ref().and_then(|names| names.file.as_deref())
    }

    /// For reading models.
    pub fn options(&self) -> ModelOptions {
        ModelOptions {
            features: self.model_features.as_ref().map(|names| names.features.clone()),
            classes: self.model_classes.as_ref().map(|ClassNames(classes)| classes.clone()),
        }
    }
}

/// Models that were read: strategies of one model share it.
#[derive(Debug, Default)]
pub struct Models(Vec<(PathBuf, ModelArgs, Arc<Model>)>);

impl Models {
    /// Takes a model that a caller has: no file of its path is read then.
    pub fn hold(&mut self, mut model: Model) {
        model.measure();
        self.0.push((model.path.clone(), ModelArgs::default(), Arc::new(model)));
    }

    /// The model of a file, read once.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&mut self, path: &Path, options: &ModelArgs) -> Result<Arc<Model>, Failure> {
        if let Some((.., model)) = self.0.iter().find(|(known, with, _)| known == path && with == options) {
            return Ok(Arc::clone(model));
        }
        let mut model = Model::read_with(path, &options.options()).map_err(Failure::input)?;
        model.measure();
        let model = Arc::new(model);
        self.0.push((path.into(), options.clone(), Arc::clone(&model)));
        Ok(model)
    }
}
