//! Words that everything uses: clocks, cores, failures, small files.

pub mod clock;
pub mod cores;
pub mod failure;
pub mod one_line;
pub mod output;
pub mod small_file;
pub(crate) mod swar;
