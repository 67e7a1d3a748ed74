//! The package repositories that apt's `.list` files name: an answer has `FILE:NUMBER:LINE` for each line that begins
//! with `deb`, and `end` at its end.

use super::{all_failed, shorten};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};

/// A line of a list of sources, sources.list(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// The file it stands in.
    pub file: String,
    /// Its number there, from 1.
    pub number: usize,
    /// What it says.
    pub source: AptSource,
}

/// A repository as one line says it: `deb [arch=amd64] https://host/path suite component …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AptSource {
    /// `deb` or `deb-src`.
    pub kind: String,
    /// Its options, `name=value` each.
    pub options: Vec<String>,
    /// Where it is.
    pub uri: String,
    /// The suite, or a path that ends with `/`.
    pub suite: String,
    /// The components.
    pub components: Vec<String>,
}

impl AptSource {
    /// Reads one line; `None` when it is none.
    pub fn read(line: &str) -> Option<Self> {
        let (kind, rest) = line.trim().split_once(char::is_whitespace)?;
        if !matches!(kind, "deb" | "deb-src") {
            return None;
        }
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']')?,
            None => ("", rest),
        };
        let rest = rest.split('#').next().unwrap_or("");
        let mut words = rest.split_whitespace().map(str::to_owned);
        Some(Self {
            kind: kind.to_owned(),
            options: options.split_whitespace().map(str::to_owned).collect(),
            uri: words.next().filter(|uri| uri.contains(':'))?,
            suite: words.next()?,
            components: words.collect(),
        })
    }

    /// Whether both bring packages from the same place: apt refuses that with different keys.
    pub fn overlaps(&self, other: &Self) -> bool {
        let place = |uri: &str| uri.trim_end_matches('/').to_owned();
        self.kind == other.kind && place(&self.uri) == place(&other.uri) && self.suite == other.suite
    }

    /// The line, with one option set.
    pub fn line_with(&self, option: &str, value: &str) -> String {
        let prefix = format!("{option}=");
        let others = self.options.iter().filter(|have| !have.starts_with(&prefix));
        let options: Vec<String> = others.cloned().chain([format!("{prefix}{value}")]).collect();
        let mut words = vec![
            self.kind.clone(),
            format!("[{}]", options.join(" ")),
            self.uri.clone(),
            self.suite.clone(),
        ];
        words.extend(self.components.iter().cloned());
        words.join(" ")
    }
}

/// Asks for all lines of all `.list` files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskAptSources;

impl Ask for AskAptSources {
    type Answer = Vec<SourceLine>;

    fn question(&self) -> Question {
        Question::new(&AptSourcesProbe, "sources")
    }

    fn read(&self, raw: &str) -> Result<Vec<SourceLine>, String> {
        let lines = raw.strip_suffix("end").ok_or_else(|| shorten(raw))?;
        let read = |line: &str| {
            let mut parts = line.splitn(3, ':');
            Some(SourceLine {
                file: parts.next()?.to_owned(),
                number: parts.next()?.parse().ok()?,
                source: AptSource::read(parts.next()?)?,
            })
        };
        // A line that apt would not understand either is no repository.
        Ok(lines.lines().filter_map(read).collect())
    }
}

/// The kind of question behind [`AskAptSources`].
pub struct AptSourcesProbe;

impl Probe for AptSourcesProbe {
    fn name(&self) -> &'static str {
        "apt-sources"
    }

    fn script(&self, _: &[&str]) -> String {
        "grep -ns '^[[:blank:]]*deb' /dev/null /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null
echo end"
            .to_owned()
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        match AskAptSources.read(output) {
            Ok(_) => vec![Ok(output.to_owned()); subjects.len()],
            Err(reason) => all_failed(subjects.len(), &reason),
        }
    }

    fn disturbed_by(&self, _: &str, touch: &Touch) -> bool {
        touch.concerns_path("/etc/apt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    #[test]
    fn lines_are_read() {
        let source =
            AptSource::read("deb [arch=amd64 signed-by=/k.gpg] https://d.test/linux/ubuntu/  jammy stable edge # note")
                .expect("read");
        assert_eq!(
            (source.uri.as_str(), source.suite.as_str()),
            ("https://d.test/linux/ubuntu/", "jammy")
        );
        assert_eq!(source.components, ["stable", "edge"]);
        assert_eq!(
            source.line_with("signed-by", "/etc/k.asc"),
            "deb [arch=amd64 signed-by=/etc/k.asc] https://d.test/linux/ubuntu/ jammy stable edge"
        );
        assert!(
            AptSource::read("deb https://d.test/linux/ubuntu jammy stable")
                .is_some_and(|other| other.overlaps(&source))
        );
        assert!(
            !AptSource::read("deb-src https://d.test/linux/ubuntu jammy stable")
                .is_some_and(|other| other.overlaps(&source))
        );
        for bad in [
            "",
            "deb",
            "deb jammy",
            "# deb http://a b c",
            "debhttp://a b c",
            "deb [x http://a b c",
        ] {
            assert_eq!(AptSource::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn this_machine_answers() {
        for shell in sh_available() {
            let output = ask_with(shell, &AptSourcesProbe, &["sources"]);
            assert!(
                AptSourcesProbe.split(&output, &["sources"])[0].is_ok(),
                "{shell:?} {output}"
            );
        }
        let read =
            AskAptSources.read("/etc/apt/sources.list.d/a.list:2:deb http://a b c\n/etc/apt/x.list:9:debris\nend");
        assert_eq!(read.expect("read").len(), 1);
        assert!(AskAptSources.read("").is_err());
    }
}
