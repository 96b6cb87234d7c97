//! Sweeps as a user meets them: their rows are those of single replays, whatever stops them on the way.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod bounds;
mod elsewhere;
mod equality;
mod resume;
mod support;
