//! Words that everything uses: clocks, cores, failures, small files.
//!
//! ```
//! use papertrader::base::clock::parse_utc_ns;
//! use papertrader::base::failure::Failure;
//!
//! assert_eq!(parse_utc_ns(b"1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
//! assert_eq!(Failure::input("cannot read it:\n  no such file").to_string(), "cannot read it: no such file");
//! ```

pub mod clock;
pub mod cores;
pub mod failure;
pub mod guarded;
pub mod npz;
pub mod one_line;
pub mod output;
pub mod parquet_table;
pub mod places;
pub mod small_file;
pub(crate) mod swar;
