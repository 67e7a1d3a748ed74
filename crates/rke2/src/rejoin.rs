//! The first server when the cluster is there already: a machine that came anew, or one that stands first in the inventory
//! now. It joins what the other servers have; it never makes a second cluster beside theirs.
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
    Answers, Ask, Change, Content, DecideError, Decision, FileToWrite, Question, Resource, Shell, Shown, Touch,
    WriteFiles,
};

/// Which server the first one joins, if any.
#[derive(Debug, Clone)]
pub struct Rejoin {
    others: Vec<String>,
}

impl Rejoin {
    /// One of the servers at these addresses, when it answers.
    pub fn one_of(others: impl IntoIterator<Item = String>) -> Self {
        Self {
            others: others.into_iter().collect(),
        }
    }

    fn ports(&self) -> impl Iterator<Item = AskPort> {
        self.others.iter().map(|host| AskPort {
            host: host.clone(),
            port: SUPERVISOR_PORT,
        })
    }
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
        let there = match answers.get(&FileAsk::new(JOIN_FILE).with_content())? {
            FileState::Absent { .. } | FileState::Blocked { .. } => None,
            FileState::Entry(entry) => Some(entry.content.unwrap_or_default()),
            FileState::Link { .. } => Some(Vec::new()),
        };
        let change = match (found, there) {
            (None, None) => {
                return Ok(Decision::nothing("no other server answers: this one makes the cluster"));
            }
            (None, Some(_)) => Change::new(format!("remove {JOIN_FILE}: no other server answers"))
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_nothing};

    fn rejoin() -> Rejoin {
        Rejoin::one_of(["10.0.0.12".to_owned(), "10.0.0.13".to_owned()])
    }

    fn answers(joined: bool, ports: [&str; 2], file: Option<&str>) -> Answers {
        let mut answers = t::command(Answers::new(), JOINED, i32::from(!joined), "");
        for (ask, port) in rejoin().ports().zip(ports) {
            answers = answers.with(ask.question(), port);
        }
        match file {
            Some(text) => t::file(answers, JOIN_FILE, 0o600, "root", "root", text),
            None => t::file_absent(answers, JOIN_FILE),
        }
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
