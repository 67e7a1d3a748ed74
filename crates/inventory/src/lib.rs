//! Ansible inventories, variables, vault, host patterns and lazy Jinja values, as an unchanged Ansible checkout has
//! them. The crate reads files and evaluates values; it connects to nothing.

pub mod diagnostic;
pub mod value;
