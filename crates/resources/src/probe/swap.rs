//! What the host swaps to, from `/proc/swaps`: an answer has one device or file a line, and `-` when there is none.

use super::{all_failed, shorten};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};

/// Asks what the host swaps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskSwap;

impl Ask for AskSwap {
    type Answer = Vec<String>;

    fn question(&self) -> Question {
        Question::new(&SwapProbe, "swap")
    }

    fn read(&self, raw: &str) -> Result<Vec<String>, String> {
        match raw {
            "-" => Ok(Vec::new()),
            "" => Err("it printed nothing".into()),
            lines => Ok(lines.lines().map(str::to_owned).collect()),
        }
    }
}

/// The kind of question behind [`AskSwap`].
pub struct SwapProbe;

impl Probe for SwapProbe {
    fn name(&self) -> &'static str {
        "swap"
    }

    fn script(&self, _: &[&str]) -> String {
        // A kernel without swap has no such file.
        "if [ -e /proc/swaps ]; then cat /proc/swaps; else echo Filename; fi".to_owned()
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let Some((header, rest)) = output
            .split_once('\n')
            .or(Some((output, "")))
            .filter(|(h, _)| h.starts_with("Filename"))
        else {
            return all_failed(subjects.len(), &shorten(output));
        };
        let _ = header;
        let names: Vec<&str> = rest.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let answer = if names.is_empty() {
            "-".to_owned()
        } else {
            names.join("\n")
        };
        vec![Ok(answer); subjects.len()]
    }

    fn disturbed_by(&self, _: &str, touch: &Touch) -> bool {
        matches!(touch, Touch::Kind("swap" | "unit") | Touch::Everything)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    #[test]
    fn devices_and_files_are_listed() {
        let output = "Filename\t\t\t\tType\t\tSize\n/dev/dm-1   partition\t976892\n/swap\\040file file\t8";
        assert_eq!(
            SwapProbe.split(output, &["swap"]),
            [Ok("/dev/dm-1\n/swap\\040file".into())]
        );
        assert_eq!(SwapProbe.split("Filename\tType", &["swap"]), [Ok("-".into())]);
        assert!(SwapProbe.split("cat: not found", &["swap"])[0].is_err());
        for shell in sh_available() {
            let output = ask_with(shell, &SwapProbe, &["swap"]);
            assert!(SwapProbe.split(&output, &["swap"])[0].is_ok(), "{shell:?} {output}");
        }
    }
}
