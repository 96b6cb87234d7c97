//! Which intakes take the lines of which connection, where a recording has several at once.
//!
//! Most recordings have one connection at a time, whose lines say nothing of it: all products are on it. Where a session spread its
//! products over several, each connection's line lists its products, and lines say whenever another connection's begin.

use super::Control;
use crate::base::clock::Clock;
use crate::feed::coinbase::level2::{OTHER_PRODUCTS_MAX, twin_of};
use crate::feed::intake::{Arrival, ScaleRule};
use crate::feed::intakes::{Apart, Intakes, ProductSeen};
use crate::market::event::Fault;
use crate::market::publish::{EngineGone, Publish};
use std::collections::BTreeSet;

/// Connections that a remark names.
const NAMED_MAX: usize = 8;
/// Connections without a beginning, or of other products, that are remembered.
const REMEMBERED_MAX: usize = 1 << 16;

/// A replay's products on the recording's connections.
#[derive(Debug)]
pub(super) struct Connections {
    /// Products that have been on no connection yet, or not since others came onto theirs.
    apart: Vec<Apart>,
    /// Products that share a connection; `None` where those of a connection have come onto others.
    groups: Vec<Option<Intakes>>,
    /// The connections that are known by number, each with its group.
    open: Vec<(u64, usize)>,
    /// Whose lines follow; `None` if of a connection that has none of the products.
    current: Option<usize>,
    /// Whether any line has been taken.
    begun: bool,
    /// Whether a connection has listed its products, so that there may be several at once.
    lists: bool,
    /// Connections that have none of the products.
    elsewhere: BTreeSet<u64>,
    /// Connections whose frames came before, or without, the list of their products.
    without_beginning: BTreeSet<u64>,
    /// Of each product of the session, whether a connection has listed it by its own name.
    listed: Vec<bool>,
    /// Products that connections list and the replay does not have.
    others: Vec<String>,
}

impl Connections {
    /// For these products.
    pub fn new(products: &[String], rule: ScaleRule, clock: &Clock) -> Self {
        let apart = Apart::all(products, rule, clock);
        let listed = vec![false; apart.len()];
        Self {
            apart,
            groups: Vec::new(),
            open: Vec::new(),
            current: None,
            begun: false,
            lists: false,
            elsewhere: BTreeSet::new(),
            without_beginning: BTreeSet::new(),
            listed,
            others: Vec::new(),
        }
    }

    /// Who takes the next frame; nobody if it came over a connection without any of the products.
    #[inline]
    pub fn current(&mut self) -> Option<&mut Intakes> {
        if !self.begun {
            // A recording need not say that there is a connection.
            self.current = self.group(|_| true);
            self.begun = true;
        }
        self.groups[self.current?].as_mut()
    }

    /// Takes a word of the recorder.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn take(&mut self, control: Control, arrival: &Arrival, engine: &mut impl Publish) -> Result<(), EngineGone> {
        match control {
            Control::Connected { connection, products } => self.connected(connection, &products, arrival, engine),
            Control::On { connection } => {
                (self.begun, self.lists) = (true, true);
                self.current = self.find(connection);
                let is_new = self.current.is_none() && !self.elsewhere.contains(&connection);
                if is_new && self.without_beginning.len() < REMEMBERED_MAX {
                    self.without_beginning.insert(connection);
                }
                Ok(())
            }
            Control::Disconnected { connection, fault, cause } => {
                let fault = Fault::by_name(&fault).unwrap_or(Fault::Disconnected);
                let intakes = if self.lists {
                    self.find(connection).and_then(|group| self.groups[group].as_mut())
                } else {
                    // Of one at a time the number does not matter.
                    self.current()
                };
                intakes.map_or(Ok(()), |intakes| intakes.disconnected(fault, &cause, arrival, engine))
            }
            Control::Invalid { product, fault, cause } => {
                let fault = Fault::by_name(&fault).unwrap_or(Fault::StaleProduct);
                if let Some(apart) = self.apart.iter_mut().find(|apart| apart.name() == product) {
                    apart.fault(fault, &cause, arrival, engine)?;
                }
                for intakes in self.groups.iter_mut().flatten() {
                    if let Some(product) = intakes.names().iter().position(|name| *name == product) {
                        intakes.fault_of(product, fault, cause.clone(), arrival, engine)?;
                    }
                }
                Ok(())
            }
            Control::Gap { frames } => {
                let detail = format!("{frames} frames were not recorded");
                for intakes in self.groups.iter_mut().flatten() {
                    intakes.fault(Fault::RecordingGap, detail.clone(), arrival, engine)?;
                }
                self.apart
                    .iter_mut()
                    .try_for_each(|product| product.fault(Fault::RecordingGap, &detail, arrival, engine))
            }
            // The reader has decoded it.
            Control::Frame { .. } => Ok(()),
        }
    }

    fn find(&self, connection: u64) -> Option<usize> {
        self.open.iter().find(|&&(known, _)| known == connection).map(|&(_, group)| group)
    }

    #[cold]
    fn connected(
        &mut self,
        connection: u64,
        products: &[String],
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<(), EngineGone> {
        self.begun = true;
        self.lists |= !products.is_empty();
        self.elsewhere.remove(&connection);
        let group = if products.is_empty() { self.group(|_| true) } else { self.listed_group(products) };
        self.current = group;
        let Some(group) = group else {
            if self.elsewhere.len() < REMEMBERED_MAX {
                self.elsewhere.insert(connection);
            }
            return Ok(());
        };
        self.open.retain(|&(known, of)| known != connection && of != group);
        self.open.push((connection, group));
        match &mut self.groups[group] {
            Some(intakes) => intakes.connected(arrival, engine),
            None => Ok(()),
        }
    }

    /// The group of the products that a connection lists.
    fn listed_group(&mut self, products: &[String]) -> Option<usize> {
        let names: Vec<(usize, String)> = self.all().map(|(product, name)| (product, name.to_owned())).collect();
        for listed in products {
            if let Some(&(product, _)) = names.iter().find(|(_, name)| name == listed) {
                self.listed[product] = true;
            } else if !self.others.contains(listed) && self.others.len() < OTHER_PRODUCTS_MAX {
                self.others.push(listed.clone());
            }
        }
        let on_it = |&(product, ref name): &(usize, String)| {
            // Asked for by the name under which the venue streams it.
            let by_twin =
                || !self.listed[product] && products.iter().any(|listed| twin_of(listed).as_ref() == Some(name));
            products.contains(name) || by_twin()
        };
        let on_it: Vec<usize> = names.iter().filter(|named| on_it(named)).map(|&(product, _)| product).collect();
        self.group(|product| on_it.contains(&product))
    }

    /// The products that are on no connection, and those that are.
    fn all(&self) -> impl Iterator<Item = (usize, &str)> {
        let grouped = self.groups.iter().flatten().flat_map(Intakes::products);
        self.apart.iter().map(|product| (product.product(), product.name())).chain(grouped)
    }

    /// The group that has exactly these products: the one that there is, or a new one, for which they leave theirs.
    fn group(&mut self, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let count = self.all().filter(|&(product, _)| wanted(product)).count();
        if count == 0 {
            return None;
        }
        let is_it = |group: &Intakes| group.products().count() == count && group.products().all(|(one, _)| wanted(one));
        if let Some(there) = self.groups.iter().position(|group| group.as_ref().is_some_and(is_it)) {
            return Some(there);
        }
        for (at, group) in self.groups.iter_mut().enumerate() {
            if let Some(left) = group.take_if(|group| group.products().any(|(product, _)| wanted(product))) {
                self.apart.extend(left.apart());
                self.open.retain(|&(_, of)| of != at);
            }
        }
        let (mut members, apart): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.apart).into_iter().partition(|product| wanted(product.product()));
        self.apart = apart;
        members.sort_by_key(Apart::product);
        let group = Some(Intakes::together(members));
        Some(match self.groups.iter().position(Option::is_none) {
            Some(free) => {
                self.groups[free] = group;
                free
            }
            None => {
                self.groups.push(group);
                self.groups.len() - 1
            }
        })
    }

    /// What a user should know: frames that were passed over since nobody knows whose they are.
    pub fn remarks(&self) -> Vec<String> {
        let named: Vec<String> = self.without_beginning.iter().take(NAMED_MAX).map(u64::to_string).collect();
        let more = self.without_beginning.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let remark = || {
            let named = named.join(", ");
            format!(
                "the beginning of connection {named}{more}, which lists its products, is missing: its frames were passed over"
            )
        };
        (!self.without_beginning.is_empty()).then(remark).into_iter().collect()
    }

    /// What has been seen of each product, in the session's order, and the others that came with them.
    pub fn seen(self) -> (Vec<ProductSeen>, Vec<String>) {
        let mut others: Vec<String> = self.groups.iter().flatten().flat_map(Intakes::other_products).collect();
        others.extend(self.others);
        let mut products = self.apart;
        products.extend(self.groups.into_iter().flatten().flat_map(Intakes::apart));
        products.sort_by_key(Apart::product);
        let mut seen: Vec<String> = Vec::new();
        for other in others {
            if seen.len() < OTHER_PRODUCTS_MAX
                && !seen.contains(&other)
                && products.iter().all(|one| one.name() != other)
            {
                seen.push(other);
            }
        }
        (products.iter().map(Apart::seen).collect(), seen)
    }
}
