//! `/etc/docker/daemon.json`: what the VPN needs in it, and what others have in it.

use mosip_prov_resources::probe::file::{EntryKind, FileAsk, FileState};
use mosip_prov_resources::{Answers, Ask, Content, DecideError, Source};
use serde_json::{Map, Value, json};

/// The file.
pub(crate) const DAEMON_FILE: &str = "/etc/docker/daemon.json";

/// Docker before 23 cannot check a file. What it finds wrong is printed; what it finds right, too.
pub(crate) const VALIDATE: &str = r#"command -v dockerd >/dev/null || exit 0
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

/// The file with `wanted` in it. What else is in it stays, and one that says all that already stays byte for byte.
pub(crate) fn merged(wanted: Map<String, Value>) -> Source {
    let ask = FileAsk::new(DAEMON_FILE).with_content();
    Source::computed(vec![ask.question()], move |answers| made(&wanted, &ask, answers))
}

fn made(wanted: &Map<String, Value>, ask: &FileAsk, answers: &Answers) -> Result<Content, DecideError> {
    let bad = |what: &str| {
        DecideError::impossible_help(
            format!("{DAEMON_FILE} {what}, and Docker would not start with it"),
            "mend the file, or move it away",
        )
    };
    let entry = match answers.get(ask)? {
        FileState::Absent { .. } | FileState::Blocked { .. } => None,
        FileState::Entry(entry)
        | FileState::Link {
            leads_to: Some((_, entry)),
            ..
        } => Some(entry),
        FileState::Link { leads_to: None, .. } => None,
    };
    let bytes = match entry {
        None => Vec::new(),
        Some(entry) if entry.kind == EntryKind::Regular => {
            entry.content.ok_or_else(|| bad("cannot be read, or is too long"))?
        }
        Some(_) => return Err(bad("is no file")),
    };
    let present: Map<String, Value> = if bytes.iter().all(u8::is_ascii_whitespace) {
        Map::new()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| bad(&format!("is no JSON object: {error}")))?
    };
    let mut all = present.clone();
    for (key, value) in wanted {
        all.insert(key.clone(), value.clone());
    }
    if all == present {
        return Ok(Content::public(bytes));
    }
    Ok(Content::public(format!("{:#}\n", Value::Object(all))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing as t;

    fn text(present: Option<&str>) -> Result<String, String> {
        let answers = match present {
            Some(text) => t::file(Answers::new(), DAEMON_FILE, 0o644, "root", "root", text),
            None => t::file_absent(Answers::new(), DAEMON_FILE),
        };
        let more = [("registry-mirrors".to_owned(), json!(["https://m.example"]))];
        let source = merged(wanted(1330, &more.into_iter().collect()));
        let content = source.make(&answers).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(content.bytes()).into_owned())
    }

    #[test]
    fn what_others_set_is_kept_and_what_is_right_is_not_reformatted() {
        let fresh: Value = serde_json::from_str(&text(None).expect("a file")).expect("JSON");
        assert_eq!(
            fresh,
            json!({
                "mtu": 1330, "log-driver": "json-file", "log-opts": {"max-size": "50m", "max-file": "3"},
                "registry-mirrors": ["https://m.example"],
            })
        );
        let kept = text(Some(r#"{"storage-driver": "vfs", "mtu": 1500}"#)).expect("a file");
        let kept: Value = serde_json::from_str(&kept).expect("JSON");
        assert_eq!((&kept["storage-driver"], &kept["mtu"]), (&json!("vfs"), &json!(1330)));
        let right = r#"{"log-opts":{"max-file":"3","max-size":"50m"},"mtu":1330,
            "log-driver":"json-file", "registry-mirrors": ["https://m.example"], "dns": []}"#;
        assert_eq!(text(Some(right)).expect("a file"), right);
        assert!(text(Some("{")).expect_err("no JSON").contains("no JSON object"));
        assert!(text(Some("[]")).is_err());
    }
}
