//! The MTU in the file that tells the kubelet how pods get their network.

use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, FileToWrite, Patience, Question, Resource, Shown, Touch,
    WriteFiles,
};
use std::time::Duration;

/// Written by canal's pod when it starts.
pub const PATH: &str = "/etc/cni/net.d/10-canal.conflist";

/// `mtu` of every plugin in that file that has one.
#[derive(Debug, Clone)]
pub struct ConflistMtu {
    mtu: u32,
}

impl ConflistMtu {
    /// That MTU.
    pub fn new(mtu: u32) -> Self {
        Self { mtu }
    }

    fn ask() -> FileAsk {
        FileAsk::new(PATH).with_content()
    }
}

/// `text` with every number behind `"mtu":` as `mtu`, and the first number that was there.
fn with_mtu(text: &str, mtu: u32) -> Option<(String, String)> {
    let (mut out, mut first, mut rest) = (String::new(), None, text);
    while let Some(at) = rest.find("\"mtu\"") {
        let after = &rest[at + 5..];
        let begin = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        // Only blanks, the colon and a quote may stand between.
        let between = &after[..begin];
        let end = after[begin..]
            .find(|c: char| !c.is_ascii_digit())
            .map_or(after.len(), |end| begin + end);
        out.push_str(&rest[..at + 5]);
        if between.trim().trim_end_matches('"').trim() == ":" && end > begin {
            first.get_or_insert_with(|| after[begin..end].to_owned());
            out.push_str(between);
            out.push_str(&mtu.to_string());
            rest = &after[end..];
        } else {
            rest = after;
        }
    }
    out.push_str(rest);
    first.map(|first| (out, first))
}

impl Resource for ConflistMtu {
    fn kind(&self) -> &'static str {
        "canal_mtu"
    }

    fn questions(&self) -> Vec<Question> {
        vec![Self::ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mtu = self.mtu;
        let (entry, content) = match answers.get(&Self::ask())? {
            FileState::Entry(entry) => (entry.clone(), entry.content.unwrap_or_default()),
            FileState::Absent { .. } | FileState::Blocked { .. } => {
                let reason = format!("{PATH} is not there yet: it comes with canal's pod");
                return Ok(if answers.check_mode() {
                    Decision::unknown(reason)
                } else {
                    Decision::NotYet { reason }
                });
            }
            FileState::Link { target, .. } => {
                return Err(DecideError::impossible_help(
                    format!("{PATH} is a link to {target}"),
                    "remove it; canal's pod writes it anew when it starts",
                ));
            }
        };
        let text = String::from_utf8_lossy(&content);
        let Some((made, before)) = with_mtu(&text, mtu) else {
            return Err(DecideError::impossible_help(
                format!("{PATH} says no MTU"),
                "see what wrote it; canal's pod writes it anew when it starts",
            ));
        };
        if made == text {
            return Ok(Decision::nothing(format!("new pods have MTU {mtu}")));
        }
        Ok(Change::new(format!("set the MTU of new pods to {mtu}"))
            .differs(
                format!("mtu in {PATH}"),
                Shown::text(before),
                Shown::text(mtu.to_string()),
            )
            .step(WriteFiles {
                files: vec![FileToWrite {
                    path: PATH.into(),
                    content: Content::public(made),
                    mode: entry.mode,
                    owner: entry.uid.to_string(),
                    group: entry.gid.to_string(),
                    keep_first: None,
                }],
                validate: None,
            })
            .touching([Touch::Path(PATH.into())])
            .into())
    }

    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_secs(2),
            at_most: Duration::from_secs(120),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::Step;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing};

    #[test]
    fn the_number_alone_is_changed() {
        let it = ConflistMtu::new(1400);
        let of = |text: &str| t::file(Answers::new(), PATH, 0o600, "root", "root", text);
        expect_nothing(&it, &of("{\"plugins\": [{\"mtu\": 1400, \"a\": 1450}]}"));
        let change = expect_change(
            &it,
            &of("{\"plugins\": [{\"mtu\" :1450, \"a\": 1450}, {\"mtu\": \"0\"}]}"),
        );
        let Step::WriteFiles(write) = &change.steps[0] else {
            panic!("{change:?}")
        };
        assert_eq!(
            write.files[0].content.bytes().as_ref(),
            b"{\"plugins\": [{\"mtu\" :1400, \"a\": 1450}, {\"mtu\": \"1400\"}]}"
        );
        assert!(expect_error(&it, &of("{\"mtu\": \"auto\", \"x\": 1}")).contains("no MTU"));
        assert!(matches!(
            it.decide(&t::file_absent(Answers::new(), PATH)),
            Ok(Decision::NotYet { .. })
        ));
    }
}
