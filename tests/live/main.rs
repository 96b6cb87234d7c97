//! Live sessions against the local exchange, from the socket to the files.

#[path = "../common/mod.rs"]
mod common;

mod arrivals;
mod ending;
mod executions;
mod faults;
mod killed;
mod prints;
mod products;
mod recorded;
mod recovery;
mod refusals;
mod secrets;
mod support;
mod venue;
