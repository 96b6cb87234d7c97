//! Research: rows, fits and reports against independent results.

#[path = "../common/mod.rs"]
mod common;

mod evaluations;
mod expressions;
mod faults;
mod fits;
mod headlines;
mod importance;
mod labels;
mod lookahead;
mod pages;
mod refusals;
mod rows;
mod support;
mod tape;
mod ticks;
mod validations;
