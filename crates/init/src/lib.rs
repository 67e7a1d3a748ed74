//! The first inventory of an installation: answers checked one by one and against each other, and the files that they
//! make, in the layout of the deployment guide. Nothing here asks, prints or connects.

pub mod answers;
pub mod files;
pub mod plan;
pub mod terraform;

pub use answers::{Answers, Field, From, Given, read_file};
pub use files::{File, Standing, WriteError, files, standing, write};
pub use plan::Plan;
