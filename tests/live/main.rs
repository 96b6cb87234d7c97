//! Live sessions against the local exchange, from the socket to the files.

#[path = "../common/mod.rs"]
mod common;

mod ending;
mod faults;
mod killed;
mod recorded;
mod refusals;
mod secrets;
mod support;
mod venue;
