//! What is said at the end of a run.

pub mod chart;
pub mod figures;
pub mod html;
pub mod material;
pub mod publish;
pub mod research;
pub mod run_file;
pub mod summary;
pub mod terminal;
pub mod text;
pub mod trades;
