//! What training and evaluation found, as a page and as text.

mod page;
mod tables;
mod terminal;

pub use page::page;
pub use terminal::terminal;
