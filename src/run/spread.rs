//! Which engine thread serves which product.
//!
//! ```
//! use papertrader::run::spread::Spread;
//!
//! let products = ["BTC-USD", "ETH-USD", "SOL-USD"].map(String::from);
//! // In turns.
//! assert_eq!(Spread::of(&products, 2, &[])?.engine_of(), [0, 1, 0]);
//! // BTC-USD has the second engine for itself: the others go where the fewest are.
//! let rules = [("BTC-USD".into(), 2)];
//! assert_eq!(Spread::of(&products, 2, &rules)?.engine_of(), [1, 0, 0]);
//! # Ok::<(), papertrader::run::spread::SpreadError>(())
//! ```

/// The engine threads of a session's products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    engines: usize,
    /// Of each product, below `engines`.
    engine_of: Vec<usize>,
}

/// Why products cannot be spread so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpreadError {
    /// Engines without a product, or none.
    #[error("{engines} engines for {products} products: each engine needs a product, and each product an engine")]
    Engines {
        /// Engines.
        engines: usize,
        /// Products.
        products: usize,
    },
    /// A rule for a product that the session has not.
    #[error("--engine-of {product}={engine}: the session has no {product}; it has {products}")]
    NoSuchProduct {
        /// The product.
        product: String,
        /// Its engine, from 1.
        engine: usize,
        /// The session's products.
        products: String,
    },
    /// A rule that names an engine that is not there.
    #[error("--engine-of {product}={engine}: engines count from 1 to {engines}")]
    NoSuchEngine {
        /// The product.
        product: String,
        /// Its engine, from 1.
        engine: usize,
        /// Engines.
        engines: usize,
    },
    /// Two rules for a product.
    #[error("--engine-of names {0} twice")]
    Twice(String),
    /// Rules that leave an engine without a product.
    #[error("--engine-of leaves engine {engine} without a product: give fewer engines")]
    Idle {
        /// The engine, from 1.
        engine: usize,
    },
}

impl Spread {
    /// All products on one engine thread, or on the feed's.
    pub fn together(products: usize) -> Self {
        Self { engines: 1, engine_of: vec![0; products] }
    }

    /// Products over so many engines. `rules` say for some which, counted from 1; each of the others, in order, goes where the
    /// fewest are, so that without rules they go in turns.
    ///
    /// # Errors
    /// The rules do not fit, or leave an engine without a product.
    pub fn of(products: &[String], engines: usize, rules: &[(String, usize)]) -> Result<Self, SpreadError> {
        if engines == 0 || engines > products.len() {
            return Err(SpreadError::Engines { engines, products: products.len() });
        }
        let mut places: Vec<Option<usize>> = vec![None; products.len()];
        for (product, engine) in rules {
            let (product, engine) = (product.clone(), *engine);
            let Some(index) = products.iter().position(|known| *known == product) else {
                return Err(SpreadError::NoSuchProduct { product, engine, products: products.join(", ") });
            };
            if !(1..=engines).contains(&engine) {
                return Err(SpreadError::NoSuchEngine { product, engine, engines });
            }
            if places[index].replace(engine - 1).is_some() {
                return Err(SpreadError::Twice(product));
            }
        }
        let mut loads = vec![0; engines];
        places.iter().flatten().for_each(|&engine| loads[engine] += 1);
        let engine_of = places.into_iter().map(|place| {
            place.unwrap_or_else(|| {
                let least = (0..engines).min_by_key(|&engine| loads[engine]).unwrap_or(0);
                loads[least] += 1;
                least
            })
        });
        let engine_of = engine_of.collect();
        match loads.iter().position(|&load| load == 0) {
            Some(idle) => Err(SpreadError::Idle { engine: idle + 1 }),
            None => Ok(Self { engines, engine_of }),
        }
    }

    /// How many engines.
    pub fn engines(&self) -> usize {
        self.engines
    }

    /// The engine of each product, counted from 0.
    pub fn engine_of(&self) -> &[usize] {
        &self.engine_of
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|product| format!("P{product}")).collect()
    }

    #[test]
    fn rules_that_do_not_fit_are_refused() {
        let rules = |rules: &[(&str, usize)]| -> Vec<(String, usize)> {
            rules.iter().map(|&(product, engine)| (product.into(), engine)).collect()
        };
        for (engines, given, says) in [
            (0, &[][..], "0 engines for 3 products: each engine needs a product, and each product an engine"),
            (4, &[], "4 engines for 3 products: each engine needs a product, and each product an engine"),
            (2, &[("P7", 1)], "--engine-of P7=1: the session has no P7; it has P0, P1, P2"),
            (2, &[("P1", 0)], "--engine-of P1=0: engines count from 1 to 2"),
            (2, &[("P1", 3)], "--engine-of P1=3: engines count from 1 to 2"),
            (2, &[("P1", 1), ("P1", 2)], "--engine-of names P1 twice"),
            (
                2,
                &[("P0", 2), ("P1", 2), ("P2", 2)],
                "--engine-of leaves engine 1 without a product: give fewer engines",
            ),
        ] {
            assert_eq!(Spread::of(&names(3), engines, &rules(given)).unwrap_err().to_string(), says);
        }
    }

    proptest! {
        #[test]
        fn every_engine_has_a_product_and_rules_are_kept(
            count in 1..20_usize, engines in 1..20_usize, ruled in prop::collection::btree_map(0..20_usize, 1..20_usize, 0..10),
        ) {
            let rules: Vec<(String, usize)> = ruled.iter().map(|(product, &engine)| (format!("P{product}"), engine)).collect();
            let Ok(spread) = Spread::of(&names(count), engines, &rules) else { return Ok(()) };
            prop_assert_eq!(spread.engine_of().len(), count);
            prop_assert!((0..engines).all(|engine| spread.engine_of().contains(&engine)));
            prop_assert!(ruled.iter().all(|(&product, &engine)| spread.engine_of()[product] == engine - 1));
            if rules.is_empty() {
                let in_turns: Vec<usize> = (0..count).map(|product| product % engines).collect();
                prop_assert_eq!(spread.engine_of(), in_turns);
            }
        }
    }
}
