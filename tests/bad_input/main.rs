//! What a user, a file, a disk or a signal can do wrong, through the program itself: what it says, how it exits, and that
//! it never trades on a book that it cannot trust.

#[path = "../common/mod.rs"]
mod common;

mod arguments;
mod books;
mod captures;
mod executions;
mod limits;
mod market;
mod messages;
#[cfg(target_os = "linux")]
mod outputs;
#[cfg(target_os = "linux")]
mod printing;
#[cfg(target_os = "linux")]
mod regressions;
#[cfg(unix)]
mod signals;
