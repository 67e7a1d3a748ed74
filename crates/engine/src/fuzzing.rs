//! Doors for the fuzz targets in `tests/fuzz`. No API.

use crate::journal::{Entry, JournalError, Past};
use std::path::Path;

/// The lines of a journal with this text, and what they leave.
///
/// # Errors
/// As reading a file.
pub fn journal(text: &str) -> Result<(Vec<Entry>, Past), JournalError> {
    let entries = crate::journal::file::parse(Path::new("journal.jsonl"), text)?;
    let past = Past::of(&entries);
    Ok((entries, past))
}

/// What is kept of a failed tool's output: its gist, and its end.
pub fn kept(output: &str) -> [String; 2] {
    [
        crate::text::gist(output),
        crate::text::tail(output, crate::text::DETAIL_LIMIT),
    ]
}
