//! The `papertrader` program.
fn main() {}
