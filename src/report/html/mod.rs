//! Pages that need nothing else: no network, no script, light and dark as the reader's system is.

mod document;
mod escape;
pub(in crate::report) mod head;
mod run;
pub(in crate::report) mod slots;
pub(in crate::report) mod tables;

pub use document::{Document, Shown};
pub use escape::escaped;
pub use run::{comparison, fee_sentence, finding, page};
