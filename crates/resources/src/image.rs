//! An image of Docker's: pulled from its registry, or loaded from a file of `docker save` on sites without internet.
//!
//! ```
//! use mosip_prov_resources::{Image, Task};
//!
//! let task = Task::new("Pull the image", Image::present("ghcr.io/linuxserver/wireguard"));
//! ```
//!
//! One that is there is left alone, whatever the registry has by now under its name, unless [`Image::newest`] is asked for.

use crate::probe::docker::{AskImage, AskRegistry, InDocker};
use crate::settle::settle;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{
    Answers, Ask, Change, Content, DecideError, Decision, Question, Resource, Shell, Shown, Touch,
};
use std::time::Duration;

/// An image.
#[derive(Debug, Clone)]
pub struct Image {
    name: String,
    archive: Option<Content>,
    newest: bool,
    timeout: Duration,
}

impl Image {
    /// The image of that name: `REGISTRY/NAME:TAG`, each but the name left out at will.
    pub fn present(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            archive: None,
            newest: false,
            timeout: Duration::from_secs(30 * 60),
        }
    }

    /// Loaded from this, a file that `docker save` wrote, instead of pulled. It must hold an image of this name.
    #[must_use]
    pub fn from_archive(mut self, archive: Content) -> Self {
        self.archive = Some(archive);
        self
    }

    /// The one that the registry has under this name now: it is asked in every run. Of no meaning with an archive.
    #[must_use]
    pub fn newest(mut self) -> Self {
        self.newest = true;
        self
    }

    /// How long the download may take. Default: 30 minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn ask(&self) -> AskImage {
        AskImage(self.name.clone())
    }

    fn registry(&self) -> Option<AskRegistry> {
        (self.newest && self.archive.is_none()).then(|| AskRegistry(self.name.clone()))
    }

    fn fetch(&self) -> Change {
        let name = quote(&self.name);
        let (summary, shell) = match &self.archive {
            None => {
                let summary = format!("docker pull {}", self.name);
                let shell = Shell::new(summary.as_str(), format!("docker pull -- {name}"));
                (format!("pull {}", self.name), shell.long(self.timeout))
            }
            Some(archive) => {
                let script = format!(
                    "said=$(docker load) || exit\nprintf '%s\\n' \"$said\"\ndocker image inspect {name} >/dev/null 2>&1 || {{\n\
                     echo \"the archive holds no image \"{name}\" (docker load said: $said)\" >&2\nexit 1\n}}"
                );
                let shell = Shell::new("docker load", script).reading(archive.clone());
                (format!("load {} from its archive", self.name), shell.long(self.timeout))
            }
        };
        Change::new(summary)
            .step(shell)
            .touching([Touch::Kind("image"), Touch::Kind("command")])
    }
}

impl Resource for Image {
    fn kind(&self) -> &'static str {
        "image"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![self.ask().question()];
        questions.extend(self.registry().map(|ask| ask.question()));
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decide_now(answers))
    }
}

impl Image {
    fn decide_now(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let what = format!("image {}", self.name);
        let change = self.fetch();
        match answers.get(&self.ask())? {
            InDocker::NoDocker => Err(no_docker(&what)),
            InDocker::Down(message) => Err(down(&what, &message)),
            InDocker::Absent => Ok(change.differs(what, Shown::Absent, Shown::text("present")).into()),
            InDocker::Present(image) => {
                let Some(ask) = self.registry() else {
                    return Ok(Decision::nothing(format!("{} is there", self.name)));
                };
                let said = answers.get(&ask)?.map_err(|message| {
                    DecideError::impossible_help(
                        format!("the registry does not say which {} is the newest: {message}", self.name),
                        "correct the name, or do not ask for the newest",
                    )
                })?;
                if said.contains(&image.id) {
                    return Ok(Decision::nothing(format!("{} is there, and the newest", self.name)));
                }
                Ok(change
                    .differs(what, Shown::text(image.id), Shown::text("the newest"))
                    .into())
            }
        }
    }
}

pub(crate) fn no_docker(what: &str) -> DecideError {
    DecideError::impossible_help(
        format!("{what} is wanted, and there is no Docker on the host"),
        "install docker.io before",
    )
}

pub(crate) fn down(what: &str, message: &str) -> DecideError {
    DecideError::impossible_help(
        format!("{what} is wanted, and Docker does not answer: {message}"),
        "`systemctl status docker` on the host says why",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_error, expect_nothing, expect_unknown};
    use mosip_prov_engine::Step;

    /// Printed by `docker image inspect` of Docker 20.10.24.
    const INSPECTED: &str = include_str!("container/image.json");
    /// Printed by `docker manifest inspect -v` of the same.
    const MANIFEST: &str = r#"{"Ref": "r/w:1", "SchemaV2Manifest": {"config": {
        "digest": "sha256:7e5619a8ec38e5a37e607a94779a0db3111a26e51a0cc665ea5cc9bdce424ea7"}}}"#;

    fn image() -> Image {
        Image::present("r/w:1")
    }

    fn answers(raw: &str) -> Answers {
        Answers::new().with(image().ask().question(), raw)
    }

    fn there() -> Answers {
        answers(&format!("present\n{INSPECTED}"))
    }

    #[test]
    fn one_that_is_there_is_left_alone_and_one_that_is_not_is_pulled() {
        assert_eq!(expect_nothing(&image(), &there()), "r/w:1 is there");
        let change = expect_change(&image(), &answers("absent"));
        assert_eq!(t::scripts(&change), "docker pull -- r/w:1");
        assert!(matches!(&change.steps[0], Step::Shell(shell) if shell.long));
    }

    #[test]
    fn without_internet_it_is_loaded_and_must_be_in_the_archive() {
        let image = image().from_archive(Content::public("tar"));
        expect_nothing(&image, &there());
        let change = expect_change(&image, &answers("absent"));
        assert!(t::scripts(&change).contains("docker load"));
        assert!(t::scripts(&change).contains("the archive holds no image"));
        assert!(
            matches!(&change.steps[0], Step::Shell(shell) if shell.long && shell.payload.bytes().as_ref() == b"tar")
        );
    }

    #[test]
    fn the_newest_is_what_the_registry_has() {
        let newest = image().newest();
        let of = |raw: &str| there().with(AskRegistry("r/w:1".into()).question(), raw);
        assert_eq!(
            expect_nothing(&newest, &of(&format!("0\n{MANIFEST}"))),
            "r/w:1 is there, and the newest"
        );
        let other = MANIFEST.replace("7e56", "0000");
        expect_change(&newest, &of(&format!("0\n{other}")));
        let error = expect_error(&newest, &of("1\nno such manifest: r/w:1"));
        assert!(error.contains("no such manifest"), "{error}");
        // An archive is as new as it is.
        expect_nothing(&newest.from_archive(Content::public("tar")), &there());
    }

    #[test]
    fn no_docker_is_an_error_unless_it_is_about_to_come() {
        assert!(expect_error(&image(), &answers("none")).contains("no Docker"));
        assert!(expect_error(&image(), &answers("down Cannot connect")).contains("Cannot connect"));
        let pending = answers("none").with_pending("Install Docker", vec![Touch::Everything]);
        assert!(expect_unknown(&image(), &pending).contains("Install Docker"));
    }
}
