//! Reports: `RUN.json`, the page, the comparison, and what bad input gives.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod escaping;
mod executions;
mod pages;
mod support;
mod sweep;
mod verdicts;
