//! What a market is: its units, the events of its frames, its book.

pub mod book;
pub mod event;
pub mod publish;
pub mod units;
