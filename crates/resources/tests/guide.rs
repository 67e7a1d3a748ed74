//! The examples of `docs/writing-a-resource.md`, held to compile and pass: the page's own code blocks are compared with
//! this file.

use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::testing::{self, expect_change, expect_nothing};
use mosip_prov_resources::{
    Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch, shell,
};

/// The host's time zone.
#[derive(Debug, Clone)]
pub struct TimeZone {
    name: String,
}

impl TimeZone {
    /// A name of the tz database: `Etc/UTC`, `Asia/Kolkata`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    fn zone_file(&self) -> String {
        format!("/usr/share/zoneinfo/{}", self.name)
    }
}

const LOCALTIME: &str = "/etc/localtime";

impl Resource for TimeZone {
    fn kind(&self) -> &'static str {
        "time_zone"
    }

    fn questions(&self) -> Vec<Question> {
        vec![
            FileAsk::new(LOCALTIME).question(),
            FileAsk::new(self.zone_file()).question(),
        ]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let zone_file = self.zone_file();
        let before = match answers.get(&FileAsk::new(LOCALTIME))? {
            FileState::Link { target, .. } if target == zone_file => {
                return Ok(Decision::nothing(format!("the time zone is {}", self.name)));
            }
            FileState::Link { target, .. } => Shown::text(target),
            FileState::Absent { .. } => Shown::Absent,
            _ => Shown::text("not a link"),
        };
        if let FileState::Absent { .. } = answers.get(&FileAsk::new(zone_file.as_str()))? {
            if let Some(task) = answers.pending_for(&FileAsk::new(zone_file.as_str()).question()) {
                return Ok(Decision::unknown(format!("{zone_file} may come with \"{task}\"")));
            }
            return Err(DecideError::impossible_help(
                format!("there is no time zone {}", self.name),
                "correct the name, or install tzdata before",
            ));
        }
        let script = format!("ln -sfn -- {} {LOCALTIME}", shell::quote(&zone_file));
        Ok(Change::new(format!("set the time zone to {}", self.name))
            .differs("time zone", before, Shown::text(&zone_file))
            .step(Shell::new(format!("ln -s {zone_file}"), script))
            .touching([Touch::Path(LOCALTIME.into())])
            .into())
    }
}

#[test]
fn the_link_says_which_zone() {
    let zone = TimeZone::new("Etc/UTC");
    let answers = testing::file(
        Answers::new(),
        "/usr/share/zoneinfo/Etc/UTC",
        0o644,
        "root",
        "root",
        "TZif2",
    );
    let right = testing::dangling_link(answers.clone(), "/etc/localtime", "/usr/share/zoneinfo/Etc/UTC");
    assert_eq!(expect_nothing(&zone, &right), "the time zone is Etc/UTC");
    let other = testing::dangling_link(answers, "/etc/localtime", "/usr/share/zoneinfo/Asia/Kolkata");
    let change = expect_change(&zone, &other);
    assert_eq!(
        testing::scripts(&change),
        "ln -sfn -- /usr/share/zoneinfo/Etc/UTC /etc/localtime"
    );
}

#[test]
fn the_page_shows_this_code() {
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let page = include_str!("../../../docs/writing-a-resource.md");
    let here = squeeze(include_str!("guide.rs"));
    let blocks: Vec<&str> = page
        .split("```rust\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .filter_map(|block| {
            block
                .find("/// The host's")
                .or_else(|| block.find("#[test]"))
                .map(|at| &block[at..])
        })
        .collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        assert!(here.contains(&squeeze(block)), "not here:\n{block}");
    }
}
