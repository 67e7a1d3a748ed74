//! Fuzz targets: everything that reads what others wrote, and what must hold of every input.
//!
//! A target is a function of bytes that panics when a property does not hold. Two drivers run them: `tests/corpus.rs` with the
//! committed inputs and a bounded number of variations of them, in every test run; and `cargo xtask fuzz`, for as long as one
//! likes, guided by coverage.

pub mod input;
pub mod mutate;
pub mod properties;
pub mod targets;
pub mod words;

pub use targets::{TARGETS, Target, target};
