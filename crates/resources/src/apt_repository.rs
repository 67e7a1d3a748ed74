//! A further package repository with its key.
//!
//! ```
//! use mosip_prov_resources::AptRepository;
//!
//! let docker = AptRepository::with_key_from(
//!     "docker",
//!     "deb [arch=amd64] https://download.docker.com/linux/ubuntu jammy stable",
//!     "https://download.docker.com/linux/ubuntu/gpg",
//! );
//! ```
//!
//! The key goes to `/etc/apt/keyrings/NAME.asc` and counts for this repository alone (`signed-by`), not for all; the
//! list is `/etc/apt/sources.list.d/NAME.list`. The host itself downloads the key. The repository's index is fetched,
//! and its signature proved, before the list is put in place: one that does not answer leaves apt as it was. The same
//! repository in other lists, such as one that Ansible left, is commented out there: apt refuses one repository with
//! two keys.

use crate::apt::LOCK_TIMEOUT;
use crate::apt_cache::refresh;
use crate::apt_script::AptScript;
use crate::file::plan;
use crate::probe::apt_sources::{AptSource, AskAptSources};
use crate::probe::file::{EntryKind, FileAsk, FileState, digest};
use crate::settle::settle;
use crate::source::Source;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{
    Answers, Ask, Change, Content, DecideError, Decision, FileToWrite, Question, Resource, Shell, Shown, Touch,
    WriteFiles,
};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(900);

/// A package repository with its key.
#[derive(Debug, Clone)]
pub struct AptRepository {
    name: String,
    source: Source,
    key: Key,
    lock_timeout: Duration,
}

#[derive(Debug, Clone)]
enum Key {
    Url(Source),
    Content(Vec<u8>),
}

impl AptRepository {
    /// The repository of the line `source` (sources.list(5); its `signed-by` is set here), under `name`, which names its
    /// files. The host downloads the key from `url`, again when the URL is another.
    pub fn with_key_from(name: impl Into<String>, source: impl Into<Source>, url: impl Into<Source>) -> Self {
        Self::new(name, source, Key::Url(url.into()))
    }

    /// The same with the key itself, an OpenPGP public key as text or binary.
    pub fn with_key(name: impl Into<String>, source: impl Into<Source>, key: impl AsRef<[u8]>) -> Self {
        Self::new(name, source, Key::Content(armoured(key.as_ref())))
    }

    fn new(name: impl Into<String>, source: impl Into<Source>, key: Key) -> Self {
        Self {
            name: name.into(),
            source: source.into(),
            key,
            lock_timeout: LOCK_TIMEOUT,
        }
    }

    /// How long to wait for apt's locks. Default: 10 minutes.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    fn key_file(&self) -> String {
        format!("/etc/apt/keyrings/{}.asc", self.name)
    }

    fn list_file(&self) -> String {
        format!("/etc/apt/sources.list.d/{}.list", self.name)
    }

    fn ask_list(&self) -> FileAsk {
        FileAsk::new(self.list_file()).with_content()
    }

    fn decide_now(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(DecideError::impossible(format!(
                "{:?} cannot name a list of sources",
                self.name
            )));
        }
        let (key_file, list_file) = (self.key_file(), self.list_file());
        let line = text_of(&self.source, answers)?;
        let source = AptSource::read(&line).ok_or_else(|| {
            DecideError::impossible_help(
                format!("`{line}` is no repository"),
                "write it as in sources.list: deb [arch=amd64] https://host/path suite component",
            )
        })?;
        let url = match &self.key {
            Key::Url(url) => Some(text_of(url, answers)?),
            Key::Content(_) => None,
        };
        if let Some(url) = url
            .as_deref()
            .filter(|url| !url.contains("://") || url.contains(char::is_whitespace))
        {
            return Err(DecideError::impossible_help(
                format!("`{url}` is no URL of a key"),
                "write it as https://host/path",
            ));
        }
        // Says where the key is from, so that another URL is noticed.
        let note = url.as_ref().map(|url| format!("# key: {url}\n")).unwrap_or_default();
        let wanted = format!("{note}{}\n", source.line_with("signed-by", &key_file));
        let list = match answers.get(&self.ask_list())? {
            FileState::Entry(entry) if entry.kind == EntryKind::Regular => {
                Some(String::from_utf8_lossy(&entry.content.unwrap_or_default()).into_owned())
            }
            FileState::Absent { .. } => None,
            other => {
                return Err(DecideError::impossible_help(
                    format!("{list_file} should be a file but is {}", plan::describe(&other)),
                    "remove or move it, then run again",
                ));
            }
        };
        let key_there = match answers.get(&FileAsk::new(key_file.as_str()))? {
            FileState::Entry(entry) if entry.kind == EntryKind::Regular => match &self.key {
                Key::Url(_) => entry.size > 0 && list.as_ref().is_some_and(|list| list.starts_with(&note)),
                Key::Content(key) => entry.digest.as_deref() == Some(&digest(key)),
            },
            _ => false,
        };
        let others: Vec<_> = answers
            .get(&AskAptSources)?
            .into_iter()
            .filter(|line| line.file != list_file && line.source.overlaps(&source))
            .collect();
        let list_there = list.as_deref() == Some(&*wanted);
        if key_there && list_there && others.is_empty() {
            return Ok(Decision::nothing(format!(
                "apt knows {} {}, signed by {key_file}",
                source.uri, source.suite
            )));
        }

        let mut change = Change::new(format!("add the repository {} {}", source.uri, source.suite)).touching([
            Touch::Path("/etc/apt".into()),
            Touch::Kind("apt-lists"),
            Touch::Kind("package"),
            Touch::Kind("apt-simulation"),
        ]);
        if !key_there {
            let from = url.clone().unwrap_or_else(|| "the one that was given".into());
            change = change.differs(format!("key {key_file}"), Shown::Absent, Shown::text(from));
        }
        if !list_there {
            let before = list.map_or(Shown::Absent, Shown::text);
            change = change.differs(format!("content of {list_file}"), before, Shown::text(&wanted));
        }
        let body = format!(
            "{}{}",
            self.bring_key(&key_file, url.as_deref().filter(|_| !key_there)),
            try_list(&wanted)
        );
        let script = AptScript {
            lock_timeout: self.lock_timeout,
            body: &body,
            restart_services: false,
        };
        let summary = format!("apt-get update from {} {}", source.uri, source.suite);
        let mut prove = Shell::new(summary, script.render()).long(TIMEOUT + self.lock_timeout);
        if let Key::Content(key) = &self.key {
            prove = prove.reading(Content::public(key.clone()));
        }
        change = change.step(prove);
        if !list_there {
            change = change.step(WriteFiles {
                files: vec![FileToWrite {
                    path: list_file,
                    content: Content::public(wanted),
                    mode: 0o644,
                    owner: "root".into(),
                    group: "root".into(),
                    keep_first: None,
                }],
                validate: None,
            });
        }
        let mut last = String::new();
        for other in &others {
            change = change.differs(
                format!("line {} of {}", other.number, other.file),
                Shown::text("the same repository"),
                Shown::text("commented out"),
            );
            last.push_str(&format!(
                "sed -i {}s/^/#\\ / {} || exit\n",
                other.number,
                quote(&other.file)
            ));
        }
        // The index is as new as the lists now.
        last.push_str("touch -- /var/lib/apt/lists");
        Ok(change.step(Shell::new("tidy the lists of sources", last)).into())
    }

    /// Puts the key in place, whole or not at all. With no URL it comes on the standard input.
    fn bring_key(&self, key_file: &str, url: Option<&str>) -> String {
        let bring = match (&self.key, url) {
            (Key::Content(_), _) => "cat >\"$K\"".to_owned(),
            (Key::Url(_), None) => return String::new(),
            (Key::Url(_), Some(url)) => format!(
                "if command -v curl >/dev/null; then curl -fsSL --retry 3 --connect-timeout 20 --max-time 120 -o \"$K\" -- {url}
elif command -v wget >/dev/null; then wget -q -T 20 -t 3 -O \"$K\" -- {url}
else echo 'there is neither curl nor wget to download the key with' >&2; false; fi || {{ echo 'cannot download the key '{url} >&2; exit 1; }}",
                url = quote(url)
            ),
        };
        format!(
            "mkdir -p -m 0755 /etc/apt/keyrings || exit
K=$(mktemp {key}.XXXXXX) || exit
trap 'rm -f -- \"$E\" \"$K\" \"$K.asc\"' EXIT
{bring}
{ARMOUR}chmod 0644 \"$K\" && mv -f -- \"$K\" {key} || exit
",
            key = quote(key_file)
        )
    }
}

/// apt reads the ending `.asc` as text: a binary key is written as such. Its first byte has the highest bit set
/// (RFC 9580, 4.2).
const ARMOUR: &str = r#"case $(head -c 36 -- "$K" | tr -d '\000') in
  *'-----BEGIN PGP PUBLIC KEY BLOCK-----'*) ;;
  *)
    case $(head -c 1 -- "$K" | od -An -tx1) in
      *[89a-f]?*)
        { echo '-----BEGIN PGP PUBLIC KEY BLOCK-----'; echo; base64 -- "$K"; echo '-----END PGP PUBLIC KEY BLOCK-----'; } >"$K.asc" &&
          mv -f -- "$K.asc" "$K" || exit ;;
      *) echo "what was downloaded is no OpenPGP key: $(head -c 80 -- "$K" | head -n 1)" >&2; exit 1 ;;
    esac ;;
esac
"#;

/// Fetches the index of a list that is not in place yet.
fn try_list(list: &str) -> String {
    format!(
        "L=$(mktemp -d) || exit
trap 'rm -rf -- \"$E\" \"$L\"' EXIT
chmod 0755 \"$L\" && printf '%s' {} >\"$L/try.list\" || exit
{}",
        quote(list),
        refresh(
            "-o Dir::Etc::sourcelist=\"$L/try.list\" -o Dir::Etc::sourceparts=/dev/null -o APT::Get::List-Cleanup=0"
        ),
    )
}

fn text_of(source: &Source, answers: &Answers) -> Result<String, DecideError> {
    let content = source.make(answers)?;
    Ok(String::from_utf8_lossy(content.bytes()).trim().to_owned())
}

/// The key as text.
fn armoured(key: &[u8]) -> Vec<u8> {
    if key.first().is_none_or(|byte| *byte < 0x80) {
        return key.to_vec();
    }
    let mut text = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n".to_owned();
    for (number, c) in BASE64.encode(key).chars().enumerate() {
        if number > 0 && number % 76 == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push_str("\n-----END PGP PUBLIC KEY BLOCK-----\n");
    text.into_bytes()
}

impl Resource for AptRepository {
    fn kind(&self) -> &'static str {
        "apt_repository"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![
            self.ask_list().question(),
            FileAsk::new(self.key_file()).question(),
            AskAptSources.question(),
        ];
        questions.extend(self.source.questions());
        if let Key::Url(url) = &self.key {
            questions.extend(url.questions());
        }
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decide_now(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_error, expect_nothing, sh_available};
    use mosip_prov_engine::Step;
    use std::process::Command;

    const LINE: &str = "deb [arch=amd64] https://d.test/linux/ubuntu jammy stable";
    const LIST: &str = "/etc/apt/sources.list.d/docker.list";
    const KEY: &str = "/etc/apt/keyrings/docker.asc";
    const WRITTEN: &str = "# key: https://d.test/gpg\ndeb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://d.test/linux/ubuntu jammy stable\n";
    const ARMOURED: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n";

    fn docker() -> AptRepository {
        AptRepository::with_key_from("docker", LINE, "https://d.test/gpg")
    }

    fn host(list: Option<&str>, key: Option<&str>, sources: &str) -> Answers {
        let answers = t::apt_sources(Answers::new(), sources);
        let answers = match list {
            Some(text) => t::file(answers, LIST, 0o644, "root", "root", text),
            None => t::file_absent(answers, LIST),
        };
        match key {
            Some(text) => t::file(answers, KEY, 0o644, "root", "root", text),
            None => t::absent_below(answers, KEY, "/etc/apt"),
        }
    }

    #[test]
    fn key_and_list_are_brought_and_proved_first() {
        expect_nothing(&docker(), &host(Some(WRITTEN), Some(ARMOURED), ""));
        let change = expect_change(&docker(), &host(None, None, ""));
        let scripts = t::scripts(&change);
        assert!(
            scripts.contains("curl -fsSL") && scripts.contains("sourceparts=/dev/null"),
            "{scripts}"
        );
        let [Step::Shell(prove), Step::WriteFiles(write), Step::Shell(_)] = change.steps.as_slice() else {
            panic!("{change:?}")
        };
        assert!(prove.long);
        assert_eq!(write.files[0].content.bytes(), WRITTEN.as_bytes());
        // A key of another place is downloaded again; one that is there is not.
        let moved = WRITTEN.replace("d.test/gpg", "old.test/gpg");
        assert!(t::scripts(&expect_change(&docker(), &host(Some(&moved), Some(ARMOURED), ""))).contains("curl"));
        let suite = WRITTEN.replace("jammy", "focal");
        assert!(!t::scripts(&expect_change(&docker(), &host(Some(&suite), Some(ARMOURED), ""))).contains("curl"));
    }

    #[test]
    fn the_same_repository_by_ansible_is_taken_over() {
        let by_ansible = format!(
            "/etc/apt/sources.list:1:deb http://a.test/ubuntu jammy main\n\
             /etc/apt/sources.list.d/download_docker.list:1:{LINE}\n{LIST}:2:{LINE}\n"
        );
        let change = expect_change(&docker(), &host(Some(WRITTEN), Some(ARMOURED), &by_ansible));
        let scripts = t::scripts(&change);
        assert!(
            scripts.contains("sed -i 1s/^/#\\ / /etc/apt/sources.list.d/download_docker.list"),
            "{scripts}"
        );
        assert_eq!(scripts.matches("sed -i").count(), 1);
    }

    #[test]
    fn a_given_key_is_compared() {
        let given = AptRepository::with_key("docker", LINE, ARMOURED);
        let list = WRITTEN.split_once('\n').expect("two lines").1;
        expect_nothing(&given, &host(Some(list), Some(ARMOURED), ""));
        let change = expect_change(&given, &host(Some(list), Some("other"), ""));
        assert!(matches!(&change.steps[0], Step::Shell(shell) if shell.payload.bytes() == ARMOURED.as_bytes()));
        assert_eq!(armoured(&[0x99; 60]).iter().filter(|b| **b == b'\n').count(), 5);
    }

    #[test]
    fn what_is_no_repository_is_said() {
        let wrong = AptRepository::with_key_from("docker", "https://d.test jammy", "https://d.test/gpg");
        assert!(expect_error(&wrong, &host(None, None, "")).contains("is no repository"));
        let wrong = AptRepository::with_key_from("docker", LINE, "gpg");
        assert!(expect_error(&wrong, &host(None, None, "")).contains("is no URL"));
        let wrong = AptRepository::with_key("../x", LINE, "k");
        expect_error(&wrong, &host(None, None, ""));
    }

    #[test]
    fn keys_are_put_in_place_as_text_by_every_shell() {
        let folder = tempfile::tempdir().expect("folder");
        let place = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
        type Case<'a> = (&'a str, &'a [u8], Option<&'a [u8]>);
        let files: [Case<'_>; 3] = [
            ("text", ARMOURED.as_bytes(), Some(ARMOURED.as_bytes())),
            (
                "binary",
                &[0x99, 0, 1, 2, b'\n', 0xff],
                Some(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQABAgr/\n-----END PGP PUBLIC KEY BLOCK-----\n"),
            ),
            ("page", b"<html>no</html>", None),
        ];
        for shell in sh_available() {
            for (name, content, wanted) in files {
                std::fs::write(place(name), content).expect("written");
                let script = format!(
                    "E=/nonexistent\n{}",
                    docker().bring_key(&place("key.asc"), Some("https://x.test/"))
                )
                .replace("https://x.test/", &format!("file://{}", place(name)))
                .replace("/etc/apt/keyrings", &place("keyrings"));
                let done = Command::new(shell[0])
                    .args(&shell[1..])
                    .args(["-c", &script])
                    .output()
                    .expect("starts");
                if String::from_utf8_lossy(&done.stderr).contains("neither curl nor wget") {
                    return;
                }
                assert_eq!(done.status.success(), wanted.is_some(), "{shell:?} {name} {done:?}");
                assert_eq!(
                    std::fs::read(place("key.asc")).ok().as_deref(),
                    wanted,
                    "{shell:?} {name} {done:?}"
                );
                let _ = std::fs::remove_file(place("key.asc"));
            }
        }
        // Nothing half done is left.
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 4);
    }
}
