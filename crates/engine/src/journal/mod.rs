//! The journal: what runs did and what they still owe, so that the next run can make good.
//!
//! One file, `journal.jsonl`, in a folder of its own beside the inventory. Each line is one [`Entry`]; lines are only
//! ever appended, and those that the next run depends on are on the disk before anything else happens. A last line
//! that was torn by a crash is left out when reading and closed off when writing.

pub(crate) mod file;
mod record;
mod state;

pub use file::{Journal, JournalError};
pub use record::{Entry, Record, RunChoice, VERSION};
pub use state::{Owed, Past, RunSummary, Unit};
