//! Several products in a session, and where their engines run.

use super::strategies::StrategyPlan;
use super::trading::parse_product;
use crate::base::cores::{ENGINES_MAX, Pins};
use crate::base::failure::Failure;
use crate::feed::intake::ScaleRule;
use crate::market::event::PRODUCTS_MAX;
use crate::run::files::harmless;
use crate::run::spread::Spread;
use clap::Args;

/// Products as one option names them. Given again, it replaces what it said before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductList(pub Vec<String>);

/// Reads products separated by commas.
pub fn parse_products(text: &str) -> Result<ProductList, String> {
    text.split(',').map(|name| parse_product(name.trim())).collect::<Result<_, _>>().map(ProductList)
}

/// Where the engines of several products run.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Products")]
pub struct SpreadArgs {
    /// Engine threads over which several products are spread, in turns [default: as many as --pin-cores has cores for, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=ENGINES_MAX as i64))]
    pub engines: Option<u16>,
    /// The engine of a product, counted from 1; repeatable. The others go where the fewest are
    #[arg(long, value_name = "NAME=N", value_parser = parse_engine_of)]
    pub engine_of: Vec<(String, usize)>,
}

/// Reads `NAME=N`.
pub fn parse_engine_of(text: &str) -> Result<(String, usize), String> {
    let parts = text.rsplit_once('=').filter(|(product, _)| !product.is_empty());
    let read = parts.and_then(|(product, engine)| Some((product.to_owned(), engine.parse().ok()?)));
    read.ok_or_else(|| "write a product and its engine, such as ETH-USD=2".into())
}

impl SpreadArgs {
    /// The engines of these products, for threads that are pinned so, or fused. No product is one that nobody has named yet.
    ///
    /// # Errors
    /// Cores, engines and products do not fit.
    pub fn spread(&self, products: &[String], pins: Pins, fused: bool) -> Result<Spread, Failure> {
        if products.is_empty() && !self.engine_of.is_empty() {
            return Err(Failure::input("--engine-of: name the products, by --product"));
        }
        let unnamed = [String::new()];
        let products = if products.is_empty() { &unnamed } else { products };
        pins.check_for(products.len()).map_err(|error| Failure::input(format!("--pin-cores: {error}")))?;
        let engines = self.engines.map(usize::from);
        match (engines, pins.engines()) {
            (Some(engines), _) if fused && engines > 1 => {
                let what = "--engines: feed and engines are fused on one thread: leave --fused out, or pin more cores";
                return Err(Failure::input(what));
            }
            (Some(engines), Some(cores)) if !fused && engines != cores => {
                return Err(Failure::input(format!("--engines {engines}, but --pin-cores has {cores} for engines")));
            }
            _ => {}
        }
        let engines = if fused { 1 } else { engines.or(pins.engines()).unwrap_or(1) };
        Spread::of(products, engines, &self.engine_of).map_err(Failure::input)
    }
}

/// Gives each strategy its product. Of `products`, or of those that strategies name where there are none, each has a strategy: that
/// of the command line trades every one. Gives the products too; none, where nobody names any.
///
/// # Errors
/// A strategy trades none of several products, or another, or a product has no strategy.
pub fn place(plans: Vec<StrategyPlan>, products: &[String]) -> Result<(Vec<StrategyPlan>, Vec<String>), Failure> {
    let mut products = products.to_vec();
    if products.is_empty() {
        let said = plans.iter().filter_map(|plan| plan.said_product.clone());
        said.for_each(|product| {
            if !products.contains(&product) {
                products.push(product)
            }
        });
        check_products(&products, ScaleRule::default())?;
    }
    let all = products.join(", ");
    if let ([plan], true) = (&plans[..], products.len() > 1)
        && plan.name.is_none()
    {
        return each_product(plan, products);
    }
    let place = |mut plan: StrategyPlan| {
        let name = plan.name.as_deref().unwrap_or_default();
        match &plan.said_product {
            None if products.len() > 1 => {
                return Err(Failure::input(format!(
                    "strategy {name} says no product, and the session has {all}: give it one of them"
                )));
            }
            None => {}
            Some(product) => {
                plan.product = products.iter().position(|known| known == product).ok_or_else(|| {
                    Failure::input(format!("strategy {name} trades {product}, and the session has {all}"))
                })?;
            }
        }
        Ok(plan)
    };
    let plans = plans.into_iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let idle = (0..products.len()).find(|&product| plans.iter().all(|plan| plan.product != product));
    match idle {
        Some(idle) => {
            let product = &products[idle];
            Err(Failure::input(format!("no strategy trades {product}: leave it out of --product, or give it one")))
        }
        None => Ok((plans, products)),
    }
}

/// The command line's strategy for each product, named after it.
fn each_product(plan: &StrategyPlan, products: Vec<String>) -> Result<(Vec<StrategyPlan>, Vec<String>), Failure> {
    let names: Vec<String> = products.iter().map(|product| harmless(product)).collect();
    if let Some(at) = (1..names.len()).find(|&at| names[..at].iter().any(|name| name.eq_ignore_ascii_case(&names[at])))
    {
        let product = &products[at];
        return Err(Failure::input(format!("--product: files named after {product} would be another product's too")));
    }
    let of_product = |(product, name)| StrategyPlan { name: Some(name), product, ..plan.clone() };
    Ok((names.into_iter().enumerate().map(of_product).collect(), products))
}

/// What names the files of a session with these products.
pub fn label(products: &[String]) -> String {
    match products {
        [first, _, _, _, _, ..] => format!("{first}_and_{}", products.len() - 1),
        products => products.join("_"),
    }
}

/// Checks products that one session is to have: each is named once, and of several each has a scale of its own.
///
/// # Errors
/// One is named twice, there are too many, or `rule` has a step for all of them.
pub fn check_products(products: &[String], rule: ScaleRule) -> Result<(), Failure> {
    if let Some(at) = (1..products.len()).find(|&at| products[..at].contains(&products[at])) {
        return Err(Failure::input(format!("--product names {} twice", products[at])));
    }
    if products.len() > PRODUCTS_MAX {
        let count = products.len();
        return Err(Failure::input(format!("--product names {count} products; a session has at most {PRODUCTS_MAX}")));
    }
    if products.len() > 1 && rule.price_decimals.or(rule.size_decimals).is_some() {
        let what = "--tick-size and --lot-size are one product's: leave them out, each product has its own";
        return Err(Failure::input(what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|product| format!("P{product}")).collect()
    }

    #[test]
    fn products_are_separated_by_commas() {
        let read = |text| parse_products(text).map(|list| list.0);
        assert_eq!(read("BTC-USD"), Ok(vec!["BTC-USD".into()]));
        assert_eq!(read("A,B"), Ok(vec!["A".into(), "B".into()]));
        for text in ["", "A,", ",A", "A,,B", "A,\n"] {
            let empty = "a product's name is empty: write it as the venue does, and commas between several";
            assert_eq!(read(text), Err(empty.into()), "{text}");
        }
        assert_eq!(read("A,B\u{7}C"), Err("a product has a name without control characters".into()));
    }

    #[test]
    fn rules_are_a_product_and_a_number() {
        assert_eq!(parse_engine_of("ETH-USD=2"), Ok(("ETH-USD".into(), 2)));
        for text in ["", "=1", "ETH-USD", "ETH-USD=", "ETH-USD=-1", "ETH-USD=two"] {
            assert_eq!(
                parse_engine_of(text),
                Err("write a product and its engine, such as ETH-USD=2".into()),
                "{text}"
            );
        }
    }

    #[test]
    fn products_are_named_once_and_have_scales_of_their_own() {
        let says = |products: &[String], rule| check_products(products, rule).unwrap_err().to_string();
        let rule = ScaleRule { price_decimals: Some(1), size_decimals: None };
        assert!(check_products(&names(1), rule).is_ok() && check_products(&names(64), ScaleRule::default()).is_ok());
        assert_eq!(says(&["A", "B", "A"].map(String::from), ScaleRule::default()), "--product names A twice");
        assert_eq!(says(&names(65), ScaleRule::default()), "--product names 65 products; a session has at most 64");
        assert_eq!(
            says(&names(2), rule),
            "--tick-size and --lot-size are one product's: leave them out, each product has its own"
        );
    }

    #[test]
    fn engines_fit_cores_and_products() {
        let pins = Pins::parse("0,1,2", &[0, 1, 2]).expect("cores");
        let args = |engines, engine_of: &[(&str, usize)]| SpreadArgs {
            engines,
            engine_of: engine_of.iter().map(|&(product, engine)| (product.into(), engine)).collect(),
        };
        let spread = |args: SpreadArgs, products, pins, fused| args.spread(&names(products), pins, fused);
        assert_eq!(spread(args(None, &[]), 0, Pins::Anywhere, false).unwrap().engine_of(), [0]);
        assert_eq!(spread(args(None, &[]), 3, Pins::Anywhere, false).unwrap().engine_of(), [0, 0, 0]);
        assert_eq!(spread(args(Some(2), &[]), 3, Pins::Anywhere, false).unwrap().engine_of(), [0, 1, 0]);
        assert_eq!(spread(args(None, &[]), 3, pins, false).unwrap().engine_of(), [0, 1, 0]);
        assert_eq!(spread(args(None, &[("P0", 2)]), 3, pins, false).unwrap().engine_of(), [1, 0, 0]);
        assert_eq!(spread(args(None, &[]), 3, Pins::One(1), true).unwrap().engine_of(), [0, 0, 0]);
        for (args, products, pins, fused, says) in [
            (
                args(None, &[]),
                1,
                pins,
                false,
                "--pin-cores: 2 cores for engines, but 1 product: give one for the feed and at most one per product",
            ),
            (args(None, &[("P0", 1)]), 0, Pins::Anywhere, false, "--engine-of: name the products, by --product"),
            (args(Some(3), &[]), 3, pins, false, "--engines 3, but --pin-cores has 2 for engines"),
            (
                args(Some(2), &[]),
                3,
                Pins::One(0),
                true,
                "--engines: feed and engines are fused on one thread: leave --fused out, or pin more cores",
            ),
            (
                args(Some(4), &[]),
                3,
                Pins::Anywhere,
                false,
                "4 engines for 3 products: each engine needs a product, and each product an engine",
            ),
        ] {
            assert_eq!(spread(args, products, pins, fused).unwrap_err().to_string(), says);
        }
    }
}
