//! Pages that need nothing else: no network, no script, light and dark as the reader's system is.

mod document;
mod escape;
mod head;
mod run;
mod slots;

pub use document::{Document, Shown};
pub use escape::escaped;
pub use run::{comparison, fee_sentence, finding, page};
