//! Certificates of the fronts: a pair judged and placed where the fronts look for it, requested through certbot with the
//! records of its DNS challenges waited for, and renewed in time.
//!
//! Nothing here prints; a key is held in memory that is wiped, and never shown.

pub mod authoritative;
pub mod certbot;
mod challenge;
pub mod hook;
pub mod judge;
pub mod pair;
pub mod place;

pub use certbot::{Progress, Request, RequestError, has_account, request};
pub use challenge::TxtRecord;
pub use judge::{Judgement, Target, judge, names_to_request};
pub use pair::{Source, valid_until};
pub use place::{PlaceError, Placed, place};
