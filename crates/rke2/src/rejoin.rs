//! The first server when the cluster is there already: a machine that came anew, or one that stands first in the inventory
//! now. It joins what the other servers have; it never makes a second cluster beside theirs. That nobody answers is no sign that
//! there is none: they may be down, or the port filtered. So they are asked themselves whether they are in a cluster.
//!
//! What it joins stands in a file of its own beside `config.yaml`: a server that is in a cluster does not look at it any
//! more, so that it may stay.

use crate::token::JOINED;
use crate::{JOIN_FILE, SUPERVISOR_PORT};
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::probe::listening::AskPort;
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, FileToWrite, Patience, Question, Resource, Shell, Shown,
    Touch, WriteFiles,
};
use std::time::Duration;

/// Which server the first one joins, if any.
#[derive(Debug, Clone)]
pub struct Rejoin {
    /// Name in the inventory, and address.
    others: Vec<(String, String)>,
}

impl Rejoin {
    /// One of these servers, each with its name in the inventory and its address, when it answers there. The task must
    /// consult each with [`Rejoin::consulted`], as root.
    pub fn one_of(others: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            others: others.into_iter().collect(),
        }
    }

    /// What the other servers are asked.
    pub fn consulted(&self) -> impl Iterator<Item = (String, Vec<Question>)> {
        self.others
            .iter()
            .map(|(name, _)| (name.clone(), vec![in_cluster(name).question()]))
    }

    fn ports(&self) -> impl Iterator<Item = AskPort> {
        self.others.iter().map(|(_, host)| AskPort {
            host: host.clone(),
            port: SUPERVISOR_PORT,
        })
    }

    /// Those that say that they are in a cluster.
    fn joined(&self, answers: &Answers) -> Result<Vec<&str>, DecideError> {
        let mut joined = Vec::new();
        for (name, _) in &self.others {
            if answers.get(&in_cluster(name))?.status == 0 {
                joined.push(name.as_str());
            }
        }
        Ok(joined)
    }
}

/// Whether the server `name` is in a cluster. Answers of all servers stand side by side: each has a question of its own.
fn in_cluster(name: &str) -> AskCommand {
    AskCommand(format!("# on {name}\n{JOINED}"))
}

impl Resource for Rejoin {
    fn kind(&self) -> &'static str {
        "rke2_join"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![
            AskCommand(JOINED.into()).question(),
            FileAsk::new(JOIN_FILE).with_content().question(),
        ];
        questions.extend(self.ports().map(|ask| ask.question()));
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        if answers.get(&AskCommand(JOINED.into()))?.status == 0 {
            return Ok(Decision::nothing("the machine is in the cluster"));
        }
        let mut found = None;
        for ask in self.ports() {
            if answers.get(&ask)? {
                found = Some(ask.host);
                break;
            }
        }
        if found.is_none() {
            let joined = self.joined(answers)?;
            if !joined.is_empty() {
                let addresses: Vec<&str> = self.others.iter().map(|(_, host)| host.as_str()).collect();
                return Ok(Decision::NotYet {
                    reason: format!(
                        "{} in a cluster, which this machine is to join, and port {SUPERVISOR_PORT} does not answer it at {}: \
                         start rke2-server there and let the port through; it makes no second cluster",
                        are(&joined),
                        addresses.join(", "),
                    ),
                });
            }
        }
        let there = match answers.get(&FileAsk::new(JOIN_FILE).with_content())? {
            FileState::Absent { .. } | FileState::Blocked { .. } => None,
            FileState::Entry(entry) => Some(entry.content.unwrap_or_default()),
            FileState::Link { .. } => Some(Vec::new()),
        };
        let change = match (found, there) {
            (None, None) => {
                return Ok(Decision::nothing("no other server is in a cluster: this one makes it"));
            }
            (None, Some(_)) => Change::new(format!("remove {JOIN_FILE}: no other server is in a cluster"))
                .differs(JOIN_FILE, Shown::text("there"), Shown::Absent)
                .step(Shell::new(format!("rm {JOIN_FILE}"), format!("rm -f -- {JOIN_FILE}"))),
            (Some(host), there) => {
                let content = format!("server: \"https://{host}:{SUPERVISOR_PORT}\"\n");
                if there.as_deref() == Some(content.as_bytes()) {
                    return Ok(Decision::nothing(format!("the machine joins the cluster at {host}")));
                }
                let folder = JOIN_FILE.rsplit_once('/').map_or("", |(folder, _)| folder);
                Change::new(format!("have the machine join the cluster that is there, at {host}"))
                    .differs(JOIN_FILE, Shown::Absent, Shown::text(content.as_str()))
                    .step(Shell::new("make the folder", format!("mkdir -p -- {}", quote(folder))))
                    .step(WriteFiles {
                        files: vec![FileToWrite {
                            path: JOIN_FILE.into(),
                            content: Content::public(content),
                            mode: 0o600,
                            owner: "root".into(),
                            group: "root".into(),
                            keep_first: None,
                        }],
                        validate: None,
                    })
            }
        };
        Ok(change.touching([Touch::Path(JOIN_FILE.into())]).into())
    }

    /// One that starts answers within this time.
    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_secs(5),
            at_most: Duration::from_secs(60),
        }
    }
}

fn are(names: &[&str]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_nothing};

    fn rejoin() -> Rejoin {
        Rejoin::one_of([("vm2", "10.0.0.12"), ("vm3", "10.0.0.13")].map(|(n, a)| (n.to_owned(), a.to_owned())))
    }

    fn answers(joined: bool, ports: [&str; 2], file: Option<&str>) -> Answers {
        let mut answers = t::command(Answers::new(), JOINED, i32::from(!joined), "");
        for (ask, port) in rejoin().ports().zip(ports) {
            answers = answers.with(ask.question(), port);
        }
        answers = others(answers, [false, false]);
        match file {
            Some(text) => t::file(answers, JOIN_FILE, 0o600, "root", "root", text),
            None => t::file_absent(answers, JOIN_FILE),
        }
    }

    /// Whether vm2 and vm3 say that they are in a cluster.
    fn others(mut answers: Answers, joined: [bool; 2]) -> Answers {
        for (name, joined) in ["vm2", "vm3"].into_iter().zip(joined) {
            answers = t::command(answers, &in_cluster(name).0, i32::from(!joined), "");
        }
        answers
    }

    #[test]
    fn no_second_cluster_is_made_while_the_others_are_down() {
        let down = ["closed", "closed"];
        for (joined, names) in [
            ([false, true], "vm3 is in a cluster"),
            ([true, true], "vm2, vm3 are in a cluster"),
        ] {
            for file in [None, Some("server: \"https://10.0.0.13:9345\"\n")] {
                let decided = rejoin().decide(&others(answers(false, down, file), joined));
                assert!(
                    matches!(&decided, Ok(Decision::NotYet { reason })
                        if reason.starts_with(names) && reason.contains("9345 does not answer it at 10.0.0.12, 10.0.0.13")),
                    "{decided:?}"
                );
            }
        }
        // Once one answers, it is joined; a machine that is in the cluster waits for nobody.
        expect_change(
            &rejoin(),
            &others(answers(false, ["closed", "open"], None), [true, true]),
        );
        expect_nothing(&rejoin(), &others(answers(true, down, None), [true, true]));
        // Nobody has been asked: nothing is decided.
        let unasked = rejoin().ports().fold(
            t::file_absent(t::command(Answers::new(), JOINED, 1, ""), JOIN_FILE),
            |answers, ask| answers.with(ask.question(), "closed"),
        );
        assert!(rejoin().decide(&unasked).is_err());
        let asked: Vec<_> = rejoin().consulted().collect();
        assert_eq!(asked.len(), 2);
        assert_ne!(asked[0].1, asked[1].1);
    }

    #[test]
    fn a_cluster_that_is_there_is_joined_and_not_made_again() {
        expect_nothing(&rejoin(), &answers(false, ["closed", "closed"], None));
        let change = expect_change(&rejoin(), &answers(false, ["closed", "open"], None));
        assert_eq!(
            change.summary,
            "have the machine join the cluster that is there, at 10.0.0.13"
        );
        let joins = "server: \"https://10.0.0.13:9345\"\n";
        expect_nothing(&rejoin(), &answers(false, ["closed", "open"], Some(joins)));
        expect_change(&rejoin(), &answers(false, ["open", "open"], Some(joins)));
        // What an earlier attempt left must not keep it from making the cluster.
        let change = expect_change(&rejoin(), &answers(false, ["closed", "closed"], Some(joins)));
        assert_eq!(t::scripts(&change), format!("rm -f -- {JOIN_FILE}"));
        // In the cluster, whatever the others do.
        expect_nothing(&rejoin(), &answers(true, ["open", "open"], None));
    }
}
