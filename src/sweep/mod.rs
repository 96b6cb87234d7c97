//! Many settings over many captures: every combination, one pass over a book for as many as fit.

pub mod result;
