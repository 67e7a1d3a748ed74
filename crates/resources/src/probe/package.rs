//! Debian packages: all in one `dpkg-query`; only when one is not installed also one `apt-cache policy` for what
//! could be installed, unless all that is asked of it is whether it is ([`AskPackage::state_only`]).
//!
//! An answer is lines: `installed VERSION` (with ` held`), or `absent`, or `config-files`, or `broken STATE VERSION`;
//! then `candidate VERSION` when apt knows one, `virtual PROVIDERS` when only others provide it, and `similar NAMES`.
//! Source of the states: dpkg(1), "Package states".

use super::{all_failed, shorten, whole_frames};
use mosip_prov_engine::shell::{frame, quote_all, split_frames};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};

/// How a package stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageStatus {
    /// Not installed (its configuration files may be left).
    Absent {
        /// Removed, but its configuration files are still there.
        config_files: bool,
    },
    /// Installed and configured.
    Installed {
        /// Its version.
        version: String,
    },
    /// Unpacked, half-configured and the like: an interrupted installation.
    Broken {
        /// dpkg's word for it.
        state: String,
    },
}

/// What is known of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageState {
    /// How it stands.
    pub status: PackageStatus,
    /// It is on hold.
    pub held: bool,
    /// The version that apt would install. Known for packages that are not installed, and with
    /// [`AskPackage::with_candidate`] for all.
    pub candidate: Option<String>,
    /// The name is no package of its own; these provide it.
    pub providers: Vec<String>,
    /// Names that begin alike, when apt does not know the package.
    pub similar: Vec<String>,
}

/// Asks about a package by name, for example `nginx` or `libc6:i386`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskPackage {
    name: String,
    want: Want,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// What could be installed matters where nothing is.
    Usual,
    Candidate,
    State,
}

/// Before the name in a subject of which only the state matters. No name of a package has it.
const STATE_ONLY: char = '?';

impl AskPackage {
    /// Asks how the package `name` stands.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            want: Want::Usual,
        }
    }

    /// The same, and which version apt would install, also when one is installed.
    #[must_use]
    pub fn with_candidate(mut self) -> Self {
        self.want = Want::Candidate;
        self
    }

    /// Asks only whether and how it is installed: for packages that are not to be there, of which it does not matter what could be
    /// installed.
    #[must_use]
    pub fn state_only(mut self) -> Self {
        self.want = Want::State;
        self
    }
}

impl Ask for AskPackage {
    type Answer = PackageState;

    fn question(&self) -> Question {
        match self.want {
            Want::Candidate => Question::new(&CandidateProbe, self.name.as_str()),
            Want::Usual => Question::new(&PackageProbe, self.name.as_str()),
            Want::State => Question::new(&PackageProbe, format!("{STATE_ONLY}{}", self.name)),
        }
    }

    fn read(&self, raw: &str) -> Result<PackageState, String> {
        let mut state = PackageState {
            status: PackageStatus::Absent { config_files: false },
            held: false,
            candidate: None,
            providers: Vec::new(),
            similar: Vec::new(),
        };
        for line in raw.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let names = || rest.split_whitespace().map(str::to_owned).collect();
            match word {
                "installed" => {
                    let version = rest.strip_suffix(" held").unwrap_or(rest);
                    state.held = version.len() != rest.len();
                    state.status = PackageStatus::Installed {
                        version: version.to_owned(),
                    };
                }
                "absent" => {}
                "config-files" => state.status = PackageStatus::Absent { config_files: true },
                "broken" => state.status = PackageStatus::Broken { state: rest.to_owned() },
                "candidate" => state.candidate = Some(rest.to_owned()),
                "virtual" => state.providers = names(),
                "similar" => state.similar = names(),
                _ => return Err(format!("no state of a package: {}", shorten(raw))),
            }
        }
        Ok(state)
    }
}

/// The kind of question behind [`AskPackage::new`].
pub struct PackageProbe;

/// The kind of question behind [`AskPackage::with_candidate`].
pub struct CandidateProbe;

impl Probe for PackageProbe {
    fn name(&self) -> &'static str {
        "package"
    }

    fn script(&self, subjects: &[&str]) -> String {
        script(subjects, false)
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        split(output, subjects)
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        disturbed(subject, touch)
    }
}

impl Probe for CandidateProbe {
    fn name(&self) -> &'static str {
        "candidate"
    }

    fn script(&self, subjects: &[&str]) -> String {
        script(subjects, true)
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        split(output, subjects)
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        disturbed(subject, touch)
    }
}

fn disturbed(subject: &str, touch: &Touch) -> bool {
    match touch {
        Touch::Kind(kind) => *kind == "package",
        Touch::Thing(kind, name) => *kind == "package" && name == subject.trim_start_matches(STATE_ONLY),
        Touch::Path(_) => touch.concerns_path("/etc/apt"),
        Touch::Everything => true,
    }
}

fn script(subjects: &[&str], candidate: bool) -> String {
    let all = subjects.iter().map(|subject| subject.trim_start_matches(STATE_ONLY));
    let all = quote_all(all);
    let mut wanted = subjects
        .iter()
        .copied()
        .filter(|s| !s.starts_with(STATE_ONLY))
        .peekable();
    let none_wanted = wanted.peek().is_none();
    let names = quote_all(wanted);
    let query = frame(&format!(
        "dpkg-query -W -f='${{Package}} ${{Architecture}} ${{Version}} ${{Status}}\\n' -- {all}"
    ));
    if none_wanted {
        return query;
    }
    let installed = if candidate {
        "false".to_owned()
    } else {
        // Every one of them is installed: looked at by the shell's own means, which cost no process.
        format!(
            "h=' '
while read -r p a v w e t; do
if [ \"$e $t\" = 'ok installed' ]; then h=\"$h$p $p:$a \"; fi
done <<E
$o
E
m=; for p in {names}; do case $h in *\" $p \"*) ;; *) m=1 ;; esac; done
[ -z \"$m\" ]"
        )
    };
    let policy = frame(&format!("apt-cache policy -- {names}"));
    let odd = r#"case $o in *'Candidate: (none)'*) apt-cache showpkg -- NAMES 2>/dev/null ;; esac
for p in NAMES; do
  case "
$o" in *"
$p:"*) ;; *) printf 'Similar: %s %s\n' "$p" "$(apt-cache pkgnames -- "$(printf %s "$p" | cut -c1-4)" 2>/dev/null | sort | head -n 8 | tr '\n' ' ')" ;; esac
done"#
    .replace("NAMES", &names);
    // The third frame reads the second's output, which is still in $o.
    format!("{query}if {installed}; then :; else\n{policy}{}fi\n", frame(&odd))
}

fn split(output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
    let output = whole_frames(output);
    let frames = match split_frames(&output) {
        Ok(frames) => frames,
        Err(reason) => return all_failed(subjects.len(), &reason),
    };
    let Some(query) = frames.first() else {
        return all_failed(subjects.len(), "no answer");
    };
    // 1 says that a name is not known to dpkg, which is an answer; anything else is trouble: dpkg-query(1).
    if !matches!(query.status, 0 | 1) {
        return all_failed(
            subjects.len(),
            &format!(
                "dpkg-query failed with status {}: {}",
                query.status,
                shorten(query.text)
            ),
        );
    }
    if let Some(policy) = frames.get(1).filter(|f| f.status != 0) {
        return all_failed(
            subjects.len(),
            &format!(
                "apt-cache policy failed with status {}: {}",
                policy.status,
                shorten(policy.text)
            ),
        );
    }
    let policy = frames.get(1).map_or("", |f| f.text);
    let odd = frames.get(2).map_or("", |f| f.text);
    subjects
        .iter()
        .map(|subject| Ok(answer(subject, query.text, policy, odd)))
        .collect()
}

fn answer(subject: &str, query: &str, policy: &str, odd: &str) -> String {
    let subject = subject.trim_start_matches(STATE_ONLY);
    let (name, architecture) = match subject.split_once(':') {
        Some((name, architecture)) => (name, Some(architecture)),
        None => (subject, None),
    };
    let mut out = "absent".to_owned();
    for line in query.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let ([package, arch, rest @ .., want, error, state], true) = (words.as_slice(), words.len() >= 5) else {
            continue;
        };
        if *package != name || architecture.is_some_and(|wanted| wanted != *arch) {
            continue;
        }
        let version = rest.first().copied().unwrap_or("");
        match *state {
            "installed" if *error == "ok" => {
                let held = if *want == "hold" { " held" } else { "" };
                out = format!("installed {version}{held}");
                break;
            }
            "not-installed" => {}
            "config-files" => out = "config-files".into(),
            other => out = format!("broken {other} {version}"),
        }
    }
    let mut candidate = None;
    let mut within = false;
    for line in policy.lines() {
        if !line.starts_with(' ') {
            within = line.strip_suffix(':') == Some(subject);
        } else if let (true, Some(version)) = (within, line.trim().strip_prefix("Candidate: ")) {
            candidate = Some(version);
        }
    }
    match candidate {
        Some("(none)") => {
            let providers = providers(subject, odd);
            if !providers.is_empty() {
                out.push_str(&format!("\nvirtual {}", providers.join(" ")));
            }
        }
        Some(version) => out.push_str(&format!("\ncandidate {version}")),
        None => {
            let similar = odd
                .lines()
                .filter_map(|line| line.strip_prefix("Similar: ")?.strip_prefix(subject)?.strip_prefix(' '))
                .map(str::trim)
                .find(|names| !names.is_empty());
            if let Some(names) = similar {
                out.push_str(&format!("\nsimilar {names}"));
            }
        }
    }
    out
}

/// The packages below `Reverse Provides:` in the part of `apt-cache showpkg` about `subject`.
fn providers<'a>(subject: &str, showpkg: &'a str) -> Vec<&'a str> {
    let mut within = false;
    let mut listing = false;
    let mut names: Vec<&str> = Vec::new();
    for line in showpkg.lines() {
        if let Some(name) = line.strip_prefix("Package: ") {
            within = name == subject;
            listing = false;
        } else if line.starts_with("Similar: ") {
            listing = false;
        } else if line.starts_with("Reverse Provides:") {
            listing = within;
        } else if listing {
            let name = line.split(' ').next().unwrap_or("");
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{frames, sh_available};

    const QUERY: &str = "nginx all 1.22.1-9 install ok installed\ncurl amd64 7.88.1-10 hold ok installed\n\
        vim amd64 2:9.0 deinstall ok config-files\nmc amd64 3:4.8 install ok half-configured\n\
        dpkg-query: no packages found matching nosuch";

    fn read(subject: &str, output: &str, subjects: &[&str]) -> PackageState {
        let index = subjects.iter().position(|s| *s == subject).expect("a subject");
        let raw = split(output, subjects).remove(index).expect("an answer");
        AskPackage::new(subject).read(&raw).expect("understood")
    }

    #[test]
    fn states_are_told_apart() {
        let subjects = ["nginx", "curl", "vim", "mc", "nosuch", "mail-agent"];
        let policy = "nginx:\n  Installed: 1.22.1-9\n  Candidate: 1.22.1-10\n  Version table:\nvim:\n  Installed: (none)\n  \
            Candidate: 2:9.0\nmail-agent:\n  Installed: (none)\n  Candidate: (none)\n  Version table:";
        let odd = "Package: mail-agent\nVersions: \n\nReverse Depends: \n  mutt,mail-agent\nDependencies: \nProvides: \nReverse Provides: \n\
            exim4 4.96 (= )\npostfix 3.7 (= )\nSimilar: nosuch nose nosql";
        let output = frames(&[(1, QUERY), (0, policy), (0, odd)]);
        let nginx = read("nginx", &output, &subjects);
        assert_eq!(
            nginx.status,
            PackageStatus::Installed {
                version: "1.22.1-9".into()
            }
        );
        assert_eq!(nginx.candidate.as_deref(), Some("1.22.1-10"));
        assert!(!nginx.held && read("curl", &output, &subjects).held);
        assert_eq!(
            read("vim", &output, &subjects).status,
            PackageStatus::Absent { config_files: true }
        );
        assert!(matches!(
            read("mc", &output, &subjects).status,
            PackageStatus::Broken { .. }
        ));
        assert_eq!(read("nosuch", &output, &subjects).similar, ["nose", "nosql"]);
        assert_eq!(read("mail-agent", &output, &subjects).providers, ["exim4", "postfix"]);
    }

    #[test]
    fn what_could_be_installed_is_asked_only_where_it_matters() {
        let asks_apt = |names: &[&str], installed: &str| {
            let folder = tempfile::tempdir().expect("a folder");
            for (tool, says) in [("dpkg-query", installed), ("apt-cache", "asked")] {
                let path = folder.path().join(tool);
                std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).expect("written");
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                std::fs::set_permissions(&path, mode).expect("set");
            }
            let ask = format!("PATH={}:$PATH\n{}", folder.path().display(), script(names, false));
            let answers: Vec<bool> = ["dash", "bash"]
                .iter()
                .filter_map(|shell| std::process::Command::new(shell).args(["-c", &ask]).output().ok())
                .map(|out| String::from_utf8_lossy(&out.stdout).contains("asked"))
                .collect();
            assert!(
                !answers.is_empty() && answers.iter().all(|a| *a == answers[0]),
                "{answers:?}"
            );
            answers[0]
        };
        let both = "curl amd64 7.88 install ok installed\nlibc6 i386 2.36 hold ok installed";
        assert!(!asks_apt(&["curl", "libc6:i386", "?docker-ce"], both));
        assert!(!asks_apt(&["?docker-ce"], "dpkg-query: no packages found"));
        assert!(asks_apt(&["curl", "vim"], both));
        assert!(asks_apt(&["libc6:amd64"], both));
        assert!(asks_apt(&["mc"], "mc amd64 3 install ok half-configured"));
        assert!(asks_apt(&["mc"], "mc amd64 3 install reinstreq installed"));
        let subjects = ["curl", "?docker-ce"];
        let raw = split(&frames(&[(1, both)]), &subjects);
        assert_eq!(raw, [Ok("installed 7.88".into()), Ok("absent".into())]);
        assert!(PackageProbe.disturbed_by("?docker-ce", &Touch::Thing("package", "docker-ce".into())));
    }

    #[test]
    fn a_broken_database_is_no_absence() {
        let output = frames(&[(
            2,
            "dpkg-query: error: failed to open package info file: Permission denied",
        )]);
        let reason = split(&output, &["nginx"]).remove(0).expect_err("not an answer");
        assert!(reason.contains("Permission denied"), "{reason}");
        let output = frames(&[(127, "sh: dpkg-query: not found")]);
        assert!(split(&output, &["nginx"])[0].is_err());
    }

    #[test]
    fn the_real_dpkg_answers() {
        if !std::path::Path::new("/usr/bin/dpkg-query").exists() {
            return;
        }
        let subjects = ["dpkg", "no-such-package-at-all"];
        for shell in sh_available() {
            let output = crate::testing::ask_with(shell, &PackageProbe, &subjects);
            let answers = split(&output, &subjects);
            assert!(
                answers[0].as_ref().expect("answer").starts_with("installed 1."),
                "{shell:?} {answers:?}"
            );
            assert!(
                answers[1].as_ref().expect("answer").starts_with("absent"),
                "{shell:?} {answers:?}"
            );
        }
    }
}
