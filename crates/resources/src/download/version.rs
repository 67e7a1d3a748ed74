//! Which version a fetched program is.

use crate::probe::command::AskCommand;
use mosip_prov_engine::shell::quote;
use regex::Regex;

/// How a file is asked for its version, and which it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionCheck {
    command: String,
    wanted: String,
}

impl VersionCheck {
    /// `command` is a fragment of `sh` that only reads, with the file's path as `$1`: `"$1" version --client`. It must
    /// succeed and print `wanted` as a whole version: `1.3.1` is not found in `1.3.10`, `1.15.0` not in `1.15.0-rc.1`,
    /// but it is in `v1.15.0` and `1.15.0+gabc`.
    pub fn new(command: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            wanted: wanted.into(),
        }
    }

    /// The version that is wanted.
    pub fn wanted(&self) -> &str {
        &self.wanted
    }

    /// Whether `output` has the wanted version.
    pub fn holds(&self, output: &str) -> bool {
        Regex::new(&format!("(?m){}", self.pattern())).is_ok_and(|pattern| pattern.is_match(output))
    }

    /// The wanted version as a whole, for `grep -E` and for [`Regex`].
    pub(super) fn pattern(&self) -> String {
        let escaped: String = self.wanted.chars().fold(String::new(), |mut out, c| {
            if !(c.is_alphanumeric() || c.is_whitespace() || matches!(c, '-' | '_' | ':' | '=' | '"' | '\'')) {
                out.push('\\');
            }
            out.push(c);
            out
        });
        format!("(^|[^0-9.]){escaped}($|[^0-9A-Za-z.-]|[.-]($|[^0-9A-Za-z]))")
    }

    /// Asks the file at `path`.
    pub(crate) fn ask(&self, path: &str) -> AskCommand {
        AskCommand(format!(
            "set -- {}\n[ -x \"$1\" ] || exit 1\n{}",
            quote(path),
            self.command
        ))
    }

    /// A fragment that fails, saying why, when the candidate `$1` is not of the wanted version; `path` is its place.
    pub(crate) fn validate(&self, path: &str) -> String {
        let message = format!("is not version {}, so {path} stays as it is", self.wanted);
        format!(
            "o=$(\n{command}\n2>&1) || {{ printf 'what was fetched cannot be asked for its version: %s\\n' \"$o\" >&2; exit 67; }}\n\
             printf '%s\\n' \"$o\" | grep -Eq -- {pattern} || {{ printf 'what was fetched %s; it says: %s\\n' {message} \"$o\" >&2; exit 67; }}",
            command = subshell(&self.command),
            pattern = quote(&self.pattern()),
            message = quote(&message),
        )
    }
}

/// `command` so that a redirection may follow it.
fn subshell(command: &str) -> String {
    format!("(\n{command}\n)")
}
