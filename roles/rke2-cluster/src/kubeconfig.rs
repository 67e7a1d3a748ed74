//! The kubeconfig of the cluster on the deployment node: that of a server, which only root can read there and which says
//! `127.0.0.1`, made to fit here.

use mosip_prov_resources::probe::file::{EntryKind, FileAsk, FileState, digest};
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, Patience, Question, Resource, Shell, Shown, Touch,
};
use mosip_prov_rke2::{API_PORT, KUBECONFIG_FILE};
use std::time::Duration;

/// What RKE2 calls cluster, user and context of every cluster.
const EVERY_CLUSTER: &str = "default";

/// The kubeconfig of a server, to be used from elsewhere: with the API's address, and names of its own, so that it stands
/// beside those of other clusters.
///
/// # Errors
/// It does not have the form in which RKE2 writes it; the text says what is missing, and nothing of what is there.
pub fn readable_from(text: &str, address: &str, name: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 64);
    let (mut servers, mut names) = (0, 0);
    for line in text.lines() {
        let bare = line.trim_start_matches([' ', '-']);
        let indent = &line[..line.len() - bare.len()];
        let replaced = match bare.split_once(": ") {
            Some(("server", _)) => {
                servers += 1;
                Some(format!("server: https://{address}:{API_PORT}"))
            }
            Some((key @ ("name" | "cluster" | "user" | "current-context"), value))
                if value.trim().trim_matches(['"', '\'']) == EVERY_CLUSTER =>
            {
                names += 1;
                Some(format!("{key}: {name}"))
            }
            _ => None,
        };
        match replaced {
            Some(replaced) => {
                out.push_str(indent);
                out.push_str(&replaced);
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    // The name of cluster, user and context, the two that the context names, and the context that is chosen.
    if servers != 1 || names != 6 {
        return Err(format!(
            "it has {servers} servers and {names} places with the name {EVERY_CLUSTER:?}, and RKE2 writes 1 and 6"
        ));
    }
    if !text.contains("client-key-data: ") || !text.contains("certificate-authority-data: ") {
        return Err("it has no key or no authority".into());
    }
    Ok(out)
}

/// The cluster's authority in a kubeconfig with one cluster.
fn authority(text: &str) -> Option<&str> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.trim().strip_prefix("certificate-authority-data:"))?;
    Some(value.trim().trim_matches(['"', '\''])).filter(|value| !value.is_empty())
}

/// The kubeconfig as a file of the deployment node's user, mode 0600.
#[derive(Debug, Clone)]
pub struct Fetched {
    path: String,
    server: String,
    address: String,
    name: String,
}

impl Fetched {
    /// At `path`, an absolute path, from the host `server`, for an API at `address`; cluster, user and context are called
    /// `name`. The task must consult the server with [`Fetched::consulted`], as root.
    pub fn new(
        path: impl Into<String>,
        server: impl Into<String>,
        address: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            server: server.into(),
            address: address.into(),
            name: name.into(),
        }
    }

    /// What the server is asked.
    pub fn consulted(&self) -> (String, Vec<Question>) {
        (self.server.clone(), vec![theirs().question()])
    }

    fn ours(&self) -> FileAsk {
        FileAsk::new(self.path.as_str()).with_content()
    }
}

fn theirs() -> FileAsk {
    FileAsk::new(KUBECONFIG_FILE).with_content()
}

impl Resource for Fetched {
    fn kind(&self) -> &'static str {
        "kubeconfig"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ours().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let (path, server) = (&self.path, &self.server);
        let content = match answers.get(&theirs())? {
            FileState::Entry(entry) => entry.content,
            _ => None,
        };
        let Some(content) = content else {
            let reason = format!("{server} has no kubeconfig {KUBECONFIG_FILE} yet");
            return Ok(if answers.check_mode() {
                Decision::unknown(reason)
            } else {
                Decision::NotYet { reason }
            });
        };
        let text = String::from_utf8_lossy(&content);
        let wanted = readable_from(&text, &self.address, &self.name).map_err(|what| {
            DecideError::impossible_help(
                format!("{KUBECONFIG_FILE} of {server} is not as RKE2 writes it: {what}"),
                "remove it there and restart rke2-server, which writes it anew",
            )
        })?;
        let (before, verb) = match answers.get(&self.ours())? {
            FileState::Absent { .. } => (Shown::Absent, "bring"),
            FileState::Entry(entry) if entry.kind == EntryKind::Regular => {
                if entry.digest.as_deref() == Some(digest(wanted.as_bytes()).as_str()) && entry.mode & 0o077 == 0 {
                    return Ok(Decision::nothing(format!("{path} is that of {server}")));
                }
                let kept = entry.content.unwrap_or_default();
                let kept = String::from_utf8_lossy(&kept);
                if !(entry.size == 0 || authority(&kept).is_some_and(|ca| Some(ca) == authority(&wanted))) {
                    return Err(DecideError::impossible_help(
                        format!("{path} is that of another cluster than the one of {server}: their authorities differ"),
                        format!(
                            "where {server} has made a second cluster beside the one of {path}, stop rke2-server there and remove it with rke2-uninstall.sh, then run again, so that it joins; where the cluster of {path} is gone, or its authority was renewed, move {path} away and run again"
                        ),
                    ));
                }
                (Shown::Masked, "renew")
            }
            _ => {
                return Err(DecideError::impossible_help(
                    format!("{path} should be a kubeconfig, and is something else"),
                    "remove or move it, then run again",
                ));
            }
        };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let script = format!(
            "(umask 027 && mkdir -p -- {folder}) || exit\numask 077\n\
             t=$(mktemp {folder}/.{name}.XXXXXX) || exit\ntrap 'rm -f -- \"$t\"' EXIT\n\
             cat >\"$t\" && mv -f -- \"$t\" {path}",
            folder = quote(folder),
            name = quote(name),
            path = quote(path),
        );
        Ok(Change::new(format!("{verb} the kubeconfig of {server} as {path}"))
            .differs(format!("kubeconfig {path}"), before, Shown::Masked)
            .step(Shell::new("write the kubeconfig", script).reading(Content::sensitive(wanted)))
            .touching([Touch::Path(path.clone())])
            .into())
    }

    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_secs(2),
            at_most: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing, expect_unknown};

    const WRITTEN: &str = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: QQ==\n    server: https://127.0.0.1:6443\n  name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n  name: default\ncurrent-context: default\nkind: Config\npreferences: {}\nusers:\n- name: default\n  user:\n    client-certificate-data: Qg==\n    client-key-data: S0VZ\n";
    const PATH: &str = "/b/mosip/kube_config_cluster.yml";

    fn fetched() -> Fetched {
        Fetched::new(PATH, "vm1", "10.0.0.11", "mosip")
    }

    fn answers(there: Option<&str>, here: Option<&str>) -> Answers {
        let answers = match there {
            Some(text) => t::file(Answers::new(), KUBECONFIG_FILE, 0o600, "root", "root", text),
            None => t::file_absent(Answers::new(), KUBECONFIG_FILE),
        };
        match here {
            Some(text) => t::file(answers, PATH, 0o600, "ubuntu", "ubuntu", text),
            None => t::absent_below(answers, PATH, "/b"),
        }
    }

    #[test]
    fn address_and_names_are_made_to_fit() {
        let made = readable_from(WRITTEN, "10.0.0.11", "mosip").expect("as RKE2 writes it");
        assert!(
            made.contains("    server: https://10.0.0.11:6443\n  name: mosip\n"),
            "{made}"
        );
        assert!(
            made.contains("    cluster: mosip\n    user: mosip\n  name: mosip\ncurrent-context: mosip\n"),
            "{made}"
        );
        assert!(
            made.contains("users:\n- name: mosip\n  user:\n    client-certificate-data: Qg==\n"),
            "{made}"
        );
        assert!(!made.contains("default") && !made.contains("127.0.0.1"));
    }

    #[test]
    fn it_is_brought_once_and_renewed_when_the_server_has_another() {
        let change = expect_change(&fetched(), &answers(Some(WRITTEN), None));
        assert!(!format!("{change:?}").contains("S0VZ"));
        let made = readable_from(WRITTEN, "10.0.0.11", "mosip").expect("made");
        expect_nothing(&fetched(), &answers(Some(WRITTEN), Some(&made)));
        let other = WRITTEN.replace("S0VZ", "T1RIRVI=");
        assert!(
            expect_change(&fetched(), &answers(Some(&other), Some(&made)))
                .summary
                .starts_with("renew")
        );
    }

    #[test]
    fn that_of_another_cluster_is_not_overwritten() {
        let made = readable_from(WRITTEN, "10.0.0.11", "mosip").expect("made");
        for kept in [
            made.replace("QQ==", "T1RIRVI="),
            made.replace("certificate-authority-data", "x"),
            "x: y\n".into(),
        ] {
            let error = expect_error(&fetched(), &answers(Some(WRITTEN), Some(&kept)));
            assert!(error.contains("another cluster than the one of vm1"), "{error}");
            assert!(!error.contains("S0VZ") && !error.contains("T1RIRVI="), "{error}");
        }
        // Quotes make no other authority, and an empty file is nobody's.
        let quoted = made.replace("QQ==", "\"QQ==\"");
        expect_change(&fetched(), &answers(Some(WRITTEN), Some(&quoted)));
        expect_change(&fetched(), &answers(Some(WRITTEN), Some("")));
    }

    #[test]
    fn it_is_waited_for_and_held_to_its_form() {
        assert!(matches!(
            fetched().decide(&answers(None, None)),
            Ok(Decision::NotYet { .. })
        ));
        let pending = answers(None, None).with_pending("x", vec![Touch::Path("/x".into())]);
        expect_unknown(&fetched(), &pending);
        let error = expect_error(&fetched(), &answers(Some("server: x\nclient-key-data: S0VZ\n"), None));
        assert!(
            error.contains("1 servers and 0 places") && !error.contains("S0VZ"),
            "{error}"
        );
    }
}
