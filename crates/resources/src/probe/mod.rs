//! Questions that several resources share: one kind each, many subjects in one process.

pub mod apt_lists;
pub mod apt_simulation;
pub mod apt_sources;
pub mod command;
pub mod docker;
pub mod facts;
pub mod file;
pub mod kernel_module;
pub mod listening;
pub mod package;
pub mod passwd;
pub mod reboot;
pub mod swap;
pub mod sysctl;
pub mod unit;

use mosip_prov_engine::RawAnswer;

/// The same failure in place of each of `count` answers.
pub(crate) fn all_failed(count: usize, reason: &str) -> Vec<RawAnswer> {
    vec![Err(reason.to_owned()); count]
}

/// The first lines of what a tool said, for an error message.
pub(crate) fn shorten(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return "it printed nothing".into();
    }
    let mut lines = text.lines();
    let mut out: Vec<&str> = lines.by_ref().take(5).collect();
    if lines.next().is_some() {
        out.push("…");
    }
    out.join("\n")
}

/// The output of framed fragments, as [`mosip_prov_engine::shell::split_frames`] wants it: asking takes the newlines
/// off the end, and with them the last frame's end when its text is empty.
pub(crate) fn whole_frames(output: &str) -> String {
    format!("{}\n\n", output.trim_end_matches('\n'))
}
