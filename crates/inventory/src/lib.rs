//! Ansible inventories, variables, vault, host patterns and lazy Jinja values, as an unchanged Ansible checkout has
//! them. The crate reads files and evaluates values; it connects to nothing.
//!
//! [`load`] reads all sources and returns an [`Inventory`] together with everything that is wrong in the files, each
//! finding with file, line and column.

pub mod address;
pub mod diagnostic;
pub mod extra_vars;
#[doc(hidden)]
pub mod fuzzing;
mod graph;
mod ini;
mod inventory;
mod listing;
pub mod network;
pub mod pattern;
pub mod placeholders;
pub mod python_literal;
mod shell_words;
mod source_text;
mod sources;
pub mod template;
pub mod value;
pub mod vars;
mod vars_files;
pub mod vault;
pub mod yaml;
mod yaml_inventory;

pub use graph::{Group, Host, LOCALHOST};
pub use inventory::{Inventory, LoadOptions, Loaded, load};
pub use network::Network;
pub use pattern::PatternError;
pub use placeholders::find_placeholders;
pub use source_text::SourceText;
pub use vault::VaultSecrets;
