//! The names of an installation: the records it needs, and whether nameservers answer as they should.
//!
//! [`Site`] says what an installation is, [`records`](records::records) what must be in the DNS for it, [`check`] asks and
//! judges. Messages are made and read here, by RFC 1035: a check wants to see what a server really said (its code, who
//! owns each record, how long it may be kept), which resolver libraries smooth over.

pub mod ask;
mod check;
mod judge;
mod lookup;
pub mod message;
pub mod records;
pub mod zone;

pub use ask::{AskError, Client, Nameservers, parse_nameserver};
pub use check::{AREA, check};
pub use records::{Kind, Reach, Record, Site, records};
pub use zone::zone;
