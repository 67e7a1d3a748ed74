//! Guards of commands: fragments of `sh` that only read. Each answers its exit status on a line, then its output.

use super::{all_failed, shorten, whole_frames};
use mosip_prov_engine::shell::{frame, split_frames};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer};

/// What a fragment answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandAnswer {
    /// Its exit status.
    pub status: i32,
    /// What it printed, without trailing newlines.
    pub output: String,
}

/// Runs a fragment of POSIX `sh` that must only read: it also runs in check mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskCommand(
    /// The fragment.
    pub String,
);

impl Ask for AskCommand {
    type Answer = CommandAnswer;

    fn question(&self) -> Question {
        Question::new(&CommandProbe, self.0.as_str())
    }

    fn read(&self, raw: &str) -> Result<CommandAnswer, String> {
        let (status, output) = raw.split_once('\n').unwrap_or((raw, ""));
        Ok(CommandAnswer {
            status: status.parse().map_err(|_| shorten(raw))?,
            output: output.to_owned(),
        })
    }
}

/// The kind of question behind [`AskCommand`]. Any change may alter its answer.
pub struct CommandProbe;

impl Probe for CommandProbe {
    fn name(&self) -> &'static str {
        "command"
    }

    fn script(&self, subjects: &[&str]) -> String {
        // A subshell each: what one sets or how it exits does not concern the next.
        subjects
            .iter()
            .map(|fragment| frame(&format!("(\n{fragment}\n) </dev/null")))
            .collect()
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let output = whole_frames(output);
        match split_frames(&output) {
            Ok(frames) if frames.len() == subjects.len() => frames
                .into_iter()
                .map(|frame| match frame.status {
                    // A shell that cannot start a tool says so; `command -v` of dash ends with 127 in silence.
                    126 | 127 if !frame.text.is_empty() => Err(shorten(frame.text)),
                    status => Ok(format!("{status}\n{}", frame.text)),
                })
                .collect(),
            Ok(_) => all_failed(subjects.len(), "the output breaks off"),
            Err(reason) => all_failed(subjects.len(), &reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    #[test]
    fn each_has_its_own_status_and_a_missing_tool_is_no_answer() {
        let subjects = [
            "exit 3",
            "echo 'a b'; x=1",
            "test -z \"$x\"",
            "no-such-tool-at-all",
            "command -v no-such-tool",
        ];
        for shell in sh_available() {
            let answers = CommandProbe.split(&ask_with(shell, &CommandProbe, &subjects), &subjects);
            assert_eq!(
                answers[..3],
                [Ok("3\n".into()), Ok("0\na b".into()), Ok("0\n".into())],
                "{shell:?}"
            );
            assert!(answers[3].is_err(), "{shell:?}");
            let silent = AskCommand(String::new())
                .read(answers[4].as_ref().expect("answer"))
                .expect("understood");
            assert_ne!(silent.status, 0, "{shell:?}");
        }
    }
}
