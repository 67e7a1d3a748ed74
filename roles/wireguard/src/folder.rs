//! The folder that is `/config` in the container. Where it begins with `~`, only the host knows where that is.

use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::{
    Answers, Ask, Change, Container, DecideError, Decision, Patience, Question, Resource, Shell, Shown, Touch, shell,
};
use std::time::Duration;

/// The folder, as the settings name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder(pub String);

impl Folder {
    /// Prints its absolute path, and what is there: `directory`, `absent` or `other`.
    fn ask(&self) -> AskCommand {
        let path = match self.0.strip_prefix('~') {
            Some(rest) => format!(
                "h=$(getent passwd \"${{SUDO_USER:-$(id -un)}}\" | cut -d: -f6)\n[ -n \"$h\" ] || exit 1\nd=$h{}",
                shell::quote(rest)
            ),
            None => format!("d={}", shell::quote(&self.0)),
        };
        AskCommand(format!(
            "{path}\nprintf '%s\\n' \"$d\"\n\
             if [ -d \"$d\" ]; then echo directory; elif [ -e \"$d\" ] || [ -L \"$d\" ]; then echo other; else echo absent; fi"
        ))
    }

    fn found(&self, answers: &Answers) -> Result<(String, String), DecideError> {
        let answer = answers.get(&self.ask())?;
        match answer.output.rsplit_once('\n') {
            Some((path, state)) if answer.status == 0 => Ok((path.to_owned(), state.to_owned())),
            _ => Err(DecideError::impossible_help(
                format!(
                    "the home of the user that logs in, for {}, is not to be found out",
                    self.0
                ),
                "set wireguard_config_dir to an absolute path",
            )),
        }
    }
}

/// It is there. Its owner is the image's business.
#[derive(Debug, Clone)]
pub(crate) struct FolderThere {
    pub folder: Folder,
    pub owner: (u32, u32),
}

impl Resource for FolderThere {
    fn kind(&self) -> &'static str {
        "folder"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.folder.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let (path, state) = self.folder.found(answers)?;
        match state.as_str() {
            "directory" => return Ok(Decision::nothing(format!("{path} is a folder"))),
            "absent" => {}
            _ => {
                return Err(DecideError::impossible_help(
                    format!("{path} should be a folder and is something else"),
                    "move it away, or set wireguard_config_dir to another path",
                ));
            }
        }
        // Folders above it belong to whom the nearest one that is there belongs.
        let script = format!(
            "d={path}\np=$d\nmissing=\nwhile [ ! -e \"$p\" ]; do\nmissing=\"$p\n$missing\"\np=$(dirname -- \"$p\")\ndone\n\
             owner=$(stat -L -c %u:%g -- \"$p\") || exit\n(umask 022 && mkdir -p -- \"$d\") || exit\n\
             printf '%s' \"$missing\" | while read -r one; do chown \"$owner\" \"$one\"; done\nchown {}:{} \"$d\"",
            self.owner.0,
            self.owner.1,
            path = shell::quote(&path),
        );
        Ok(Change::new(format!("make the folder {path}"))
            .differs(
                format!("folder {path}"),
                Shown::Absent,
                Shown::text(format!("of {}:{}", self.owner.0, self.owner.1)),
            )
            .step(Shell::new(format!("mkdir {path}"), script))
            .touching([Touch::Path(path), Touch::Kind("command")])
            .into())
    }
}

/// The container, with the folder as its `/config`.
#[derive(Debug, Clone)]
pub(crate) struct WithFolder {
    pub folder: Folder,
    pub container: Container,
}

impl Resource for WithFolder {
    fn kind(&self) -> &'static str {
        self.container.kind()
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = self.container.questions();
        questions.push(self.folder.ask().question());
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let (path, _) = self.folder.found(answers)?;
        self.container.clone().volume(format!("{path}:/config")).decide(answers)
    }
}

/// The container that the unit was for before, when the name is another now: it goes, since it holds the port.
#[derive(Debug, Clone)]
pub(crate) struct FormerGone {
    /// The unit's full name.
    pub unit: &'static str,
    /// Its file.
    pub file: &'static str,
    /// The container's name now.
    pub name: String,
}

impl FormerGone {
    fn ask(&self) -> FileAsk {
        FileAsk::new(self.file).with_content()
    }
}

/// The container that a unit's file starts: the last word of its `ExecStart`.
fn started_by(file: &str) -> Option<&str> {
    let line = file.lines().find_map(|line| line.trim().strip_prefix("ExecStart="))?;
    line.contains("docker start").then(|| line.split_whitespace().last())?
}

impl Resource for FormerGone {
    fn kind(&self) -> &'static str {
        "container"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let content = match answers.get(&self.ask())? {
            FileState::Entry(entry) => entry.content.unwrap_or_default(),
            _ => Vec::new(),
        };
        let text = String::from_utf8_lossy(&content);
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let Some(former) = started_by(&text).filter(|name| *name != self.name && name.chars().all(plain)) else {
            return Ok(Decision::nothing("there is no container of another name"));
        };
        let script = format!(
            "systemctl stop {0} || exit\nif docker container inspect {1} >/dev/null 2>&1; then docker rm -f {1} >/dev/null; fi",
            self.unit,
            shell::quote(former)
        );
        Ok(Change::new(format!("remove container {former}"))
            .differs(format!("container {former}"), Shown::text("present"), Shown::Absent)
            .step(Shell::new(format!("docker rm {former}"), script))
            .into())
    }
}

/// What is waited for, for less long than it would be by itself.
#[derive(Debug, Clone)]
pub(crate) struct Within<R>(pub Duration, pub R);

impl<R: Resource> Resource for Within<R> {
    fn kind(&self) -> &'static str {
        self.1.kind()
    }

    fn questions(&self) -> Vec<Question> {
        self.1.questions()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        self.1.decide(answers)
    }

    fn judges(&self) -> bool {
        self.1.judges()
    }

    fn patience(&self) -> Patience {
        Patience {
            at_most: self.0,
            ..self.1.patience()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing as t;

    fn folder() -> Folder {
        Folder("~/wireguard/config".into())
    }

    #[test]
    fn the_home_is_the_hosts_to_know() {
        let there = FolderThere {
            folder: folder(),
            owner: (1000, 1001),
        };
        let said = |status, output: &str| t::command(Answers::new(), &folder().ask().0, status, output);
        t::expect_nothing(&there, &said(0, "/home/op/wireguard/config\ndirectory"));
        let change = t::expect_change(&there, &said(0, "/home/op/wireguard/config\nabsent"));
        assert!(t::scripts(&change).contains("chown 1000:1001 \"$d\""));
        assert!(t::expect_error(&there, &said(0, "/home/op/wireguard/config\nother")).contains("something else"));
        assert!(t::expect_error(&there, &said(1, "")).contains("absolute path"));
        assert!(Folder("/srv/it's".into()).ask().0.starts_with("d='/srv/it'\\''s'\n"));
    }

    #[test]
    fn folders_are_made_with_the_owners_they_should_have() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a/b c");
        let text = path.display().to_string();
        let there = FolderThere {
            folder: Folder(text.clone()),
            owner: (0, 0),
        };
        let answers = t::command(Answers::new(), &there.folder.ask().0, 0, &format!("{text}\nabsent"));
        let script = t::scripts(&t::expect_change(&there, &answers)).replace("chown", "echo chown");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("sh");
        assert!(output.status.success(), "{output:?}");
        assert!(path.is_dir());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.lines().count(), 3, "{said}");
    }

    #[test]
    fn a_container_of_another_name_goes() {
        let gone = FormerGone {
            unit: "x.service",
            file: "/etc/systemd/system/x.service",
            name: "wireguard".into(),
        };
        let file = |text: &str| t::file(Answers::new(), gone.file, 0o644, "root", "root", text);
        t::expect_nothing(&gone, &t::file_absent(Answers::new(), gone.file));
        t::expect_nothing(
            &gone,
            &file("[Service]\nExecStart=/usr/bin/docker start -a wireguard\n"),
        );
        t::expect_nothing(&gone, &file("[Service]\nExecStart=/bin/true\n"));
        let change = t::expect_change(&gone, &file("[Service]\nExecStart=/usr/bin/docker start vpn\n"));
        assert!(t::scripts(&change).contains("docker rm -f vpn"));
    }
}
