//! From a book to a decision: features and models.
//!
//! ```
//! use papertrader::market::book::Book;
//! use papertrader::market::event::Event;
//! use papertrader::market::units::{Scale, Side};
//! use papertrader::strategy::features::FeatureSet;
//! use papertrader::strategy::model::Model;
//!
//! let mut book = Book::default();
//! book.begin_snapshot(Scale { price_decimals: 2, size_decimals: 2 });
//! book.stage(&[Event::level(Side::Bid, 9_999, 300), Event::level(Side::Ask, 10_001, 100)]);
//! book.end_snapshot().expect("two levels are not too many");
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.5, "coefficients": [2.0]}"#;
//! let mut model = Model::parse("imbalance.json".as_ref(), text)?;
//! let mut features = FeatureSet::new(&model.features);
//! features.update(&book, 0).expect("the book has both sides");
//! assert_eq!(model.logit(&features), 0.5 + 2.0 * (300.0 - 100.0) / (300.0 + 100.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod attempts;
pub mod features;
pub mod model;
pub mod trained_on;
