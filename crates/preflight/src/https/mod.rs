//! A server behind TLS, seen as a client sees it: who answers, with which certificates, and what it says.
//!
//! [`look`] goes there and judges nothing; [`judge`] judges and goes nowhere. Whatever certificates a server shows are
//! taken at the handshake and judged afterwards, so that what is wrong with them can be said, and what is behind them too.

pub(crate) mod certificate;
mod client;
mod judge;

pub use certificate::Roots;
pub use client::{Closed, Probe, Seen, Stream, StreamSeen, look, look_at_streams};
pub use judge::{Awaited, is_final, judge, judge_stream};

/// The area of findings about fronts.
pub const AREA: &str = "fronts";
