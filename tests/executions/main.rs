//! Executions beside the original's as a user meets them: the program, its logs, and what becomes of orders when a run does not
//! end as it should.

#[path = "../common/mod.rs"]
mod common;

mod endings;
mod rules;
mod same;
mod support;
