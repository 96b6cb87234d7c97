//! Markets in other formats, converted, read and replayed as a user would.
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod bad_rows;
mod inspect;
#[cfg(target_os = "linux")]
mod interrupt;
mod mixed;
mod same;
