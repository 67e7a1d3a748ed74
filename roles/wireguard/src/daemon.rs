//! `/etc/docker/daemon.json`: what the VPN needs in it, and what others have in it.

use mosip_prov_resources::probe::file::{EntryKind, FileAsk, FileState};
use mosip_prov_resources::{Answers, Ask, Content, DecideError, Decision, File, Question, Resource, Shown, Source};
use serde_json::{Map, Value, json};

/// The file.
pub(crate) const DAEMON_FILE: &str = "/etc/docker/daemon.json";

/// Docker before 23 cannot check a file. What it finds wrong is printed; what it finds right, too.
const VALIDATE: &str = r#"command -v dockerd >/dev/null || exit 0
dockerd --help 2>&1 | grep -q -e --validate || exit 0
o=$(dockerd --validate --config-file "$1" 2>&1) || { echo "$o"; exit 1; }"#;

/// What the VPN needs in it.
pub(crate) fn wanted(mtu: u16, more: &Map<String, Value>) -> Map<String, Value> {
    let mut wanted = Map::new();
    wanted.insert("mtu".into(), json!(mtu));
    wanted.insert("log-driver".into(), json!("json-file"));
    // Docker takes options of a log as text only.
    wanted.insert("log-opts".into(), json!({ "max-size": "50m", "max-file": "3" }));
    wanted.extend(more.clone());
    wanted
}

/// The file with these settings in it. What else is in it stays, and one that says all that already stays byte for byte. As
/// it may hold credentials, of proxies for example, of what others set nothing is shown, and a stricter mode is kept.
#[derive(Debug, Clone)]
pub(crate) struct DaemonFile(pub Map<String, Value>);

/// What is there: its settings, its text, and its mode.
struct Present {
    settings: Map<String, Value>,
    bytes: Vec<u8>,
    mode: Option<u32>,
}

impl DaemonFile {
    fn ask() -> FileAsk {
        FileAsk::new(DAEMON_FILE).with_content()
    }

    fn file(mode: u32, content: impl Into<Source>) -> File {
        File::content(DAEMON_FILE, content)
            .mode(mode)
            .owner("root")
            .group("root")
            .validate(VALIDATE)
    }

    fn merged(&self, present: &Map<String, Value>) -> Map<String, Value> {
        let mut all = present.clone();
        all.extend(self.0.clone());
        all
    }
}

fn present(answers: &Answers) -> Result<Present, DecideError> {
    let bad = |what: &str| {
        DecideError::impossible_help(
            format!("{DAEMON_FILE} {what}, and Docker would not start with it"),
            "mend the file, or move it away",
        )
    };
    let entry = match answers.get(&DaemonFile::ask())? {
        FileState::Absent { .. } | FileState::Blocked { .. } => None,
        FileState::Entry(entry)
        | FileState::Link {
            leads_to: Some((_, entry)),
            ..
        } => Some(entry),
        FileState::Link { leads_to: None, .. } => None,
    };
    let mode = entry.as_ref().map(|entry| entry.mode);
    let bytes = match entry {
        None => Vec::new(),
        Some(entry) if entry.kind == EntryKind::Regular => {
            entry.content.ok_or_else(|| bad("cannot be read, or is too long"))?
        }
        Some(_) => return Err(bad("is no file")),
    };
    let settings = if bytes.iter().all(u8::is_ascii_whitespace) {
        Map::new()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| bad(&format!("is no JSON object: {error}")))?
    };
    Ok(Present {
        settings,
        bytes: bytes.to_vec(),
        mode,
    })
}

/// The settings of `keys`, those that this role has by itself readable, the others masked.
fn shown(of: &Map<String, Value>, keys: &[&String], mask: &str) -> Shown {
    let readable = |key: &str, value: &Value| match (key, value) {
        ("mtu" | "log-driver", value) => value.clone(),
        ("log-opts", Value::Object(options)) => {
            let option = |(key, value): (&String, &Value)| match key.as_str() {
                "max-size" | "max-file" => (key.clone(), value.clone()),
                _ => (key.clone(), json!(mask)),
            };
            Value::Object(options.iter().map(option).collect())
        }
        _ => json!(mask),
    };
    let lines = keys.iter().filter_map(|key| {
        let value = of.get(*key)?;
        Some(format!("{key}: {}\n", readable(key, value)))
    });
    Shown::text(lines.collect::<String>())
}

impl Resource for DaemonFile {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = Self::file(0o644, "").questions();
        let own = Self::ask().question();
        if !questions.contains(&own) {
            questions.push(own);
        }
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let Present { settings, bytes, mode } = present(answers)?;
        let all = self.merged(&settings);
        let text = match all == settings && !bytes.is_empty() {
            true => bytes,
            false => format!("{:#}\n", Value::Object(all.clone())).into_bytes(),
        };
        let mode = mode.map_or(0o644, |mode| mode & 0o044 | 0o600);
        let secret = Content::sensitive(text);
        let source = Source::computed(Vec::new(), move |_| Ok(secret.clone()));
        let mut decision = Self::file(mode, source).decide(answers)?;
        if let Decision::Change(change) = &mut decision {
            let keys: Vec<&String> = all.keys().filter(|key| settings.get(*key) != all.get(*key)).collect();
            let of_content = format!("content of {DAEMON_FILE}");
            for difference in change.differences.iter_mut().filter(|d| d.what == of_content) {
                if !matches!(difference.before, Shown::Absent) {
                    difference.before = shown(&settings, &keys, "(former value)");
                }
                difference.after = shown(&all, &keys, "(value of wireguard_docker_daemon_config)");
            }
        }
        Ok(decision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::Step;
    use mosip_prov_resources::testing as t;

    fn wanted_here() -> DaemonFile {
        let more = [("registry-mirrors".to_owned(), json!(["https://u:s3cret@m.example"]))];
        DaemonFile(wanted(1330, &more.into_iter().collect()))
    }

    fn of(mode: u32, text: &str) -> Answers {
        t::file(Answers::new(), DAEMON_FILE, mode, "root", "root", text)
    }

    /// The file that comes of it, and its mode.
    fn written(answers: &Answers) -> (Value, u32) {
        let change = t::expect_change(&wanted_here(), answers);
        let told = format!("{change:?}");
        assert!(!told.contains("s3cret") && !told.contains("hunter2"), "{told}");
        let [Step::WriteFiles(files)] = change.steps.as_slice() else {
            panic!("{change:?}");
        };
        let file = &files.files[0];
        (serde_json::from_slice(file.content.bytes()).expect("JSON"), file.mode)
    }

    #[test]
    fn what_others_set_is_kept_and_what_is_right_is_not_reformatted() {
        let mirrors = json!(["https://u:s3cret@m.example"]);
        assert_eq!(
            written(&t::file_absent(Answers::new(), DAEMON_FILE)),
            (
                json!({
                    "mtu": 1330, "log-driver": "json-file", "log-opts": {"max-size": "50m", "max-file": "3"},
                    "registry-mirrors": mirrors,
                }),
                0o644
            )
        );
        let there = r#"{"storage-driver": "vfs", "mtu": 1500, "proxies": {"http-proxy": "http://u:hunter2@p"},
            "log-opts": {"splunk-token": "hunter2"}, "registry-mirrors": ["https://u:hunter2@m"]}"#;
        for (mode, kept) in [(0o600, 0o600), (0o640, 0o640), (0o666, 0o644)] {
            let (made, mode) = written(&of(mode, there));
            assert_eq!((&made["storage-driver"], &made["mtu"]), (&json!("vfs"), &json!(1330)));
            assert_eq!(made["proxies"]["http-proxy"], json!("http://u:hunter2@p"));
            assert_eq!(mode, kept);
        }
        let change = t::expect_change(&wanted_here(), &of(0o644, there));
        let told = format!("{:?}", change.differences);
        for part in ["mtu: 1500", "mtu: 1330", "registry-mirrors"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("storage-driver") && !told.contains("proxies"), "{told}");
        let right = r#"{"log-opts":{"max-file":"3","max-size":"50m"},"mtu":1330,
            "log-driver":"json-file", "registry-mirrors": ["https://u:s3cret@m.example"], "dns": []}"#;
        t::expect_nothing(&wanted_here(), &of(0o600, right));
        assert!(t::expect_error(&wanted_here(), &of(0o644, "{")).contains("no JSON object"));
        t::expect_error(&wanted_here(), &of(0o644, "[]"));
    }
}
