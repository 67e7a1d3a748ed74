//! Whether the distribution asks for a reboot: `/run/reboot-required` (or `/var/run/…`), and the packages named in
//! `reboot-required.pkgs`. The answer is `no`, or `yes` with the packages on a second line.

use super::{all_failed, shorten};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer};

/// Asks whether a reboot is needed: `None`, or the packages that want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskRebootRequired;

impl Ask for AskRebootRequired {
    type Answer = Option<Vec<String>>;

    fn question(&self) -> Question {
        Question::new(&RebootProbe, "reboot required")
    }

    fn read(&self, raw: &str) -> Result<Self::Answer, String> {
        let (word, packages) = raw.split_once('\n').unwrap_or((raw, ""));
        match word {
            "no" => Ok(None),
            "yes" => {
                let mut names: Vec<String> = packages.split_whitespace().map(str::to_owned).collect();
                names.sort();
                names.dedup();
                Ok(Some(names))
            }
            _ => Err(shorten(raw)),
        }
    }
}

/// The kind of question behind [`AskRebootRequired`].
pub struct RebootProbe;

impl Probe for RebootProbe {
    fn name(&self) -> &'static str {
        "reboot-required"
    }

    fn script(&self, _: &[&str]) -> String {
        "d=; for f in /run /var/run; do if [ -e $f/reboot-required ]; then d=$f; break; fi; done
if [ -z \"$d\" ]; then echo no; else echo yes; if [ -e $d/reboot-required.pkgs ]; then cat $d/reboot-required.pkgs; fi; fi"
            .into()
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        match AskRebootRequired.read(output) {
            Ok(_) => vec![Ok(output.trim_end().to_owned()); subjects.len()],
            Err(reason) => all_failed(subjects.len(), &reason),
        }
    }
}
