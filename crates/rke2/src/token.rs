//! The token by which nodes are let into the cluster: made once, kept on the deployment node, put on every machine.
//!
//! Whoever has it is administrator of the cluster, and it encrypts what etcd keeps for further servers: it is random, never
//! shown, mode 0600 wherever it is, and a cluster that has begun with one is not given another.

use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::{EntryKind, FileAsk, FileState, digest};
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, File, Question, Resource, Shell, Shown, Touch,
};

/// The name of the file that keeps it, in the cluster's folder.
pub const KEPT_NAME: &str = "rke2-token";

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// Where the token comes from.
#[derive(Debug, Clone)]
pub enum TokenFrom {
    /// A variable; with a newline at its end.
    Given(Content),
    /// A file of the deployment node, made once.
    Kept {
        /// The deployment node, as tasks name it.
        node: String,
        /// The file's path there.
        path: String,
    },
}

/// What is wrong with a token; never the token itself.
///
/// # Errors
/// It is too short, or has characters that a token does not have.
pub fn check(token: &str) -> Result<(), String> {
    if token.len() < SHORTEST {
        return Err(format!(
            "has {} characters, which can be guessed: {SHORTEST} or more are wanted",
            token.len()
        ));
    }
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("has blanks or characters that are not ASCII".into());
    }
    // The form with the authority's hash: only who knows the cluster's authority can give it.
    if !token.starts_with("K10") && token.contains("::") {
        return Err("has ::, which stands behind K10 and the authority's hash only".into());
    }
    Ok(())
}

/// The token on the deployment node: made when it is not there, by the user who deploys.
#[derive(Debug, Clone)]
pub struct KeptToken {
    path: String,
}

impl KeptToken {
    /// The file at `path`, an absolute path. Its folder is made, with mode 0750.
    pub fn at(path: impl Into<String>) -> Self {
        Self { path: path.into() }
    }

    fn ask(&self) -> FileAsk {
        FileAsk::new(self.path.as_str())
    }
}

impl Resource for KeptToken {
    fn kind(&self) -> &'static str {
        "rke2_token"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let path = &self.path;
        let touching = [Touch::Path(path.clone())];
        match answers.get(&self.ask())? {
            FileState::Absent { .. } => {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
                let (folder, quoted) = (quote(folder), quote(path));
                // A link is made only where nothing is: of two runs at once, one makes the token.
                let script = format!(
                    "(umask 027 && mkdir -p -- {folder}) || exit\numask 077\n\
                     t=$(mktemp {folder}/.{name}.XXXXXX) || exit\ntrap 'rm -f -- \"$t\"' EXIT\n\
                     {{ head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \\n' && echo; }} >\"$t\" || exit\n\
                     [ \"$(wc -c <\"$t\")\" -eq 65 ] || {{ echo 'no random bytes are to be had' >&2; exit 1; }}\n\
                     sync \"$t\" 2>/dev/null\n\
                     ln -- \"$t\" {quoted} 2>/dev/null || [ -s {quoted} ]",
                    name = quote(name),
                );
                Ok(Change::new(format!("make the cluster's token and keep it as {path}"))
                    .differs(format!("token {path}"), Shown::Absent, Shown::Masked)
                    .step(Shell::new("make a token", script))
                    .touching(touching)
                    .into())
            }
            FileState::Entry(entry) if entry.kind == EntryKind::Regular => {
                // The newline at its end counts.
                if (entry.size as usize) <= SHORTEST {
                    return Err(DecideError::impossible_help(
                        format!("{path} has {} bytes, and a token has more", entry.size),
                        "put the cluster's token into it, or remove it where no cluster has begun with it yet",
                    ));
                }
                if entry.mode & 0o077 == 0 {
                    return Ok(Decision::nothing(format!(
                        "{path} keeps the token, with mode {:04o}",
                        entry.mode
                    )));
                }
                Ok(Change::new(format!("keep others from reading {path}"))
                    .differs("mode", Shown::text(format!("{:04o}", entry.mode)), Shown::text("0600"))
                    .step(Shell::new(
                        format!("chmod {path}"),
                        format!("chmod 0600 -- {}", quote(path)),
                    ))
                    .touching(touching)
                    .into())
            }
            _ => Err(DecideError::impossible_help(
                format!("{path} should be a file that keeps the token, and is something else"),
                "remove or move it, then run again",
            )),
        }
    }
}

/// Whether the machine is in a cluster already: a server that has made or joined one keeps its token, an agent the
/// certificate it was given.
pub(crate) const JOINED: &str =
    "[ -e /var/lib/rancher/rke2/server/token ] || [ -e /var/lib/rancher/rke2/agent/client-kubelet.crt ]";

/// Where a server keeps the token that its cluster lets nodes in with, in its long form.
const NODE_TOKEN: &str = "/var/lib/rancher/rke2/server/node-token";

/// The token on a machine of the cluster.
#[derive(Debug, Clone)]
pub struct NodeToken {
    path: String,
    from: TokenFrom,
}

impl NodeToken {
    /// A file at `path`, with the token of `from`. Where that is kept on the deployment node, the task must consult it with
    /// [`NodeToken::consulted`].
    pub fn at(path: impl Into<String>, from: TokenFrom) -> Self {
        Self {
            path: path.into(),
            from,
        }
    }

    /// What the deployment node is asked: its name and the questions; `None` when the token is given.
    pub fn consulted(&self) -> Option<(String, Vec<Question>)> {
        match &self.from {
            TokenFrom::Given(_) => None,
            TokenFrom::Kept { node, path } => Some((node.clone(), vec![kept(path).question()])),
        }
    }
}

fn kept(path: &str) -> FileAsk {
    FileAsk::new(path).with_content()
}

impl Resource for NodeToken {
    fn kind(&self) -> &'static str {
        "rke2_token"
    }

    fn questions(&self) -> Vec<Question> {
        vec![
            FileAsk::new(self.path.as_str()).question(),
            AskCommand(JOINED.into()).question(),
        ]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let content = match &self.from {
            TokenFrom::Given(content) => content.clone(),
            TokenFrom::Kept { node, path } => {
                let content = match answers.get(&kept(path))? {
                    FileState::Entry(entry) => entry.content,
                    _ => None,
                };
                match content {
                    Some(bytes) => {
                        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                        check(&text).map_err(|what| {
                            DecideError::impossible_help(
                                format!("the token that {node} keeps as {path} {what}"),
                                "put the cluster's token into it",
                            )
                        })?;
                        Content::sensitive(format!("{text}\n"))
                    }
                    None if answers.check_mode() => {
                        return Ok(Decision::unknown(format!("{node} makes the cluster's token first")));
                    }
                    None => {
                        return Err(DecideError::impossible_help(
                            format!("{node} does not keep the cluster's token as {path}"),
                            "run without --tags, --skip-tags and --start-at-task, so that it is made",
                        ));
                    }
                }
            }
        };
        let there = answers.get(&FileAsk::new(self.path.as_str()))?;
        // A cluster that was made by other means has its token elsewhere; one that was made up here would keep the machine
        // from starting again.
        if let (FileState::Absent { .. }, TokenFrom::Kept { node, path }) = (&there, &self.from)
            && answers.get(&AskCommand(JOINED.into()))?.status == 0
        {
            return Err(DecideError::impossible_help(
                format!(
                    "this machine is in a cluster, and has no {}: whether the token that {node} keeps as {path} is the cluster's is not known",
                    self.path
                ),
                format!(
                    "set rke2_token, in a vault, to what root finds in {NODE_TOKEN} on a server; in a cluster without servers that run, to the token of its config.yaml"
                ),
            ));
        }
        if let FileState::Entry(entry) = there
            && entry.digest.is_some_and(|there| there != digest(content.bytes()))
            && answers.get(&AskCommand(JOINED.into()))?.status == 0
        {
            let kept = match &self.from {
                TokenFrom::Given(_) => "rke2_token".to_owned(),
                TokenFrom::Kept { node, path } => format!("{path} on {node}"),
            };
            return Err(DecideError::impossible_help(
                format!("this machine is in a cluster with another token than that of {kept}"),
                format!(
                    "put the cluster's own token, as root finds it in {} here, into {kept}; `rke2 token rotate` changes a cluster's token",
                    self.path
                ),
            ));
        }
        File::content(self.path.as_str(), content)
            .mode(0o600)
            .owner("root")
            .group("root")
            .decide(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing, expect_unknown};

    const KEPT: &str = "/b/rke2-token";
    const TOKEN: &str = "0123456789abcdef0123";

    fn kept_on(answers: Answers, token: Option<&str>) -> Answers {
        match token {
            Some(token) => t::file(answers, KEPT, 0o600, "ubuntu", "ubuntu", token),
            None => t::absent_below(answers, KEPT, "/b"),
        }
    }

    fn node() -> NodeToken {
        NodeToken::at(
            "/t",
            TokenFrom::Kept {
                node: "deployer".into(),
                path: KEPT.into(),
            },
        )
    }

    fn machine(token: Option<&str>, joined: bool) -> Answers {
        let answers = t::command(Answers::new(), JOINED, i32::from(!joined), "");
        match token {
            Some(token) => t::file(answers, "/t", 0o600, "root", "root", token),
            None => t::file_absent(answers, "/t"),
        }
    }

    #[test]
    fn it_is_made_once_and_never_shown() {
        let token = KeptToken::at(KEPT);
        let change = expect_change(&token, &kept_on(Answers::new(), None));
        assert!(t::scripts(&change).contains("umask 077"));
        assert_eq!(change.differences[0].after, Shown::Masked);
        expect_nothing(&token, &kept_on(Answers::new(), Some(TOKEN)));
        assert!(expect_error(&token, &kept_on(Answers::new(), Some("short"))).contains("5 bytes"));
        let open = t::file(Answers::new(), KEPT, 0o644, "ubuntu", "ubuntu", TOKEN);
        assert_eq!(t::scripts(&expect_change(&token, &open)), "chmod 0600 -- /b/rke2-token");
    }

    #[test]
    fn its_script_makes_a_random_one_and_leaves_a_present_one_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a b/rke2-token");
        let path = path.to_str().expect("UTF-8");
        let script = t::scripts(&expect_change(
            &KeptToken::at(path),
            &t::absent_below(Answers::new(), path, "/"),
        ));
        for shell in t::sh_available() {
            let run = || {
                let done = std::process::Command::new(shell[0])
                    .args(&shell[1..])
                    .args(["-c", &script])
                    .status()
                    .expect("runs");
                assert!(done.success(), "{shell:?}\n{script}");
                std::fs::read_to_string(path).expect("made")
            };
            let made = run();
            assert!(
                made.len() == 65 && made.trim().bytes().all(|b| b.is_ascii_hexdigit()),
                "{made:?}"
            );
            let mode = std::fs::metadata(path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(run(), made);
            let left = std::fs::read_dir(dir.path().join("a b")).expect("read").count();
            assert_eq!(left, 1, "something is left beside it");
            std::fs::remove_file(path).expect("removed");
        }
    }

    #[test]
    fn a_machine_gets_the_kept_one() {
        let consulted = node().consulted().expect("asked");
        assert_eq!((consulted.0.as_str(), consulted.1.len()), ("deployer", 1));
        let with_newline = format!("{TOKEN}\n");
        let change = expect_change(&node(), &kept_on(machine(None, false), Some(TOKEN)));
        assert!(!format!("{change:?}").contains(TOKEN));
        expect_nothing(
            &node(),
            &kept_on(machine(Some(&with_newline), true), Some(&with_newline)),
        );
        expect_unknown(
            &node(),
            &kept_on(machine(None, false), None).with_pending("x", vec![Touch::Path("/x".into())]),
        );
        assert!(expect_error(&node(), &kept_on(machine(None, false), None)).contains("does not keep"));
        assert!(expect_error(&node(), &kept_on(machine(None, false), Some("short"))).contains("5 characters"));
    }

    #[test]
    fn a_cluster_keeps_the_token_it_began_with() {
        let other = "another-token-of-20-characters\n";
        let error = expect_error(&node(), &kept_on(machine(Some(other), true), Some(TOKEN)));
        assert!(error.contains("in a cluster with another token"), "{error}");
        assert!(!error.contains(TOKEN) && !error.contains(other.trim()), "{error}");
        // Before it has joined, it may change.
        expect_change(&node(), &kept_on(machine(Some(other), false), Some(TOKEN)));
    }

    #[test]
    fn a_cluster_that_was_made_by_other_means_is_given_no_token_that_was_made_up() {
        let error = expect_error(&node(), &kept_on(machine(None, true), Some(TOKEN)));
        assert!(error.contains("has no /t") && !error.contains(TOKEN), "{error}");
        let decided = node().decide(&kept_on(machine(None, true), Some(TOKEN)));
        let help = decided.expect_err("refused").help().map(str::to_owned).expect("help");
        assert!(
            help.contains("rke2_token") && help.contains("/var/lib/rancher/rke2/server/node-token"),
            "{help}"
        );
        // What the operator gives then is taken.
        let given = NodeToken::at("/t", TokenFrom::Given(Content::sensitive(format!("{TOKEN}\n"))));
        expect_change(&given, &machine(None, true));
    }

    #[test]
    fn weak_ones_are_refused_without_being_told() {
        assert!(check("short").expect_err("weak").contains("5 characters"));
        assert!(check("a token with blanks in it").is_err());
        assert!(check("0123456789::abcdef0123").is_err());
        assert!(check(TOKEN).is_ok());
        assert!(check(&format!("K10{}::server:{TOKEN}", "a".repeat(64))).is_ok());
    }
}
