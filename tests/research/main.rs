//! Research: rows, fits and reports against independent results.

#[path = "../common/mod.rs"]
mod common;

mod evaluations;
mod fits;
mod pages;
mod refusals;
mod rows;
mod support;
