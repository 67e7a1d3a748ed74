//! The program of a release and archives of images on a machine, each checked before it comes into place.
//!
//! An archive of images has some 800 MB, which take seconds to read: the checksum of what was put into place is written down
//! with size and time of change, and holds as long as these are the same.

use crate::artifacts::{self, Image, Tarball};
use crate::settings::Release;
use crate::{CONFIG_FOLDER, IMAGES_FOLDER};
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, FileToWrite, Patience, Question, Resource, Shell, Shown,
    Touch, WriteFiles,
};
use std::time::Duration;

/// The program, as the units of a release name it.
const PROGRAM: &str = "/usr/local/bin/rke2";
/// Where an archive of a release is unpacked.
const PREFIX: &str = "/usr/local";
/// Where an archive waits to be unpacked.
const STAGING: &str = "/var/lib/rancher/rke2/staging";
const UNPACK_TIMEOUT: Duration = Duration::from_secs(900);
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(3600);

/// Where the checksum of what `name` came as is written down.
fn record(name: &str) -> String {
    format!("{CONFIG_FOLDER}/artifacts/{name}.sha256")
}

/// A fragment that writes down that `path` came with `sha256`.
fn write_record(path: &str, name: &str, sha256: &str) -> String {
    let (path, record) = (quote(path), record(name));
    let record = quote(&record);
    format!(
        "mkdir -p -- {CONFIG_FOLDER}/artifacts || exit\n\
         s=$(stat -c '%s %Y' -- {path}) || exit\n\
         echo \"{sha256} $s\" >{record}.new && mv -f -- {record}.new {record} || exit"
    )
}

/// A fragment that must succeed before `$1` is used.
fn check(name: &str, sha256: &str) -> String {
    format!(
        "s=$(sha256sum <\"$1\") || exit\n[ \"${{s%% *}}\" = {sha256} ] || {{ echo \"{name} came with SHA-256 ${{s%% *}}, and {sha256} is wanted\"; exit 1; }}"
    )
}

/// A release on a machine.
#[derive(Debug, Clone)]
pub struct Installed {
    release: Release,
    tarball: Tarball,
}

impl Installed {
    /// `release`, from this archive.
    pub fn new(release: Release, tarball: Tarball) -> Self {
        Self { release, tarball }
    }

    /// Prints what is there: `absent`, or the first line of `rke2 --version`, then `SHA256`, `changed` or `unknown`.
    fn ask(&self) -> AskCommand {
        let record = record(&self.tarball.name);
        AskCommand(format!(
            "[ -x {PROGRAM} ] || {{ echo absent; exit 0; }}\n\
             timeout 20 {PROGRAM} --version 2>/dev/null | head -n 1\n\
             if ! [ -r {record} ]; then echo unknown; exit 0; fi\n\
             read -r d s <{record}\n\
             if [ \"$s\" = \"$(stat -c '%s %Y' {PROGRAM})\" ]; then echo \"$d\"; else echo changed; fi",
            record = quote(&record),
        ))
    }

    fn steps(&self) -> Result<Change, DecideError> {
        let Tarball { name, sha256, from } = &self.tarball;
        let text = &self.release.text;
        let staged = format!("{STAGING}/{name}");
        let mut change = Change::new(format!("install RKE2 {text}"));
        // The program is replaced by a rename: one that runs goes on with what it was started as.
        let unpack = format!(
            "d=$(mktemp -d {PREFIX}/.rke2.XXXXXX) || exit\ntrap 'rm -rf -- \"$d\"' EXIT\n\
             chmod 0755 \"$d\"\ntar -xzf {staged} -C \"$d\" --no-same-owner || exit\n\
             v=$(\"$d/bin/rke2\" --version 2>&1 | head -n 1)\n\
             case $v in\n'rke2 version {text}' | 'rke2 version {text} '*) ;;\n\
             *) echo \"the archive holds another release: $v\" >&2; exit 1 ;;\nesac\n\
             for f in \"$d\"/lib/systemd/system/*; do\n\
             install -D -m 0644 -- \"$f\" \"{PREFIX}/lib/systemd/system/${{f##*/}}\" || exit\ndone\n\
             if [ -d \"$d/share\" ]; then cp -R --remove-destination -- \"$d/share/.\" {PREFIX}/share/ || exit; fi\n\
             for f in \"$d\"/bin/*; do\n\
             [ \"${{f##*/}}\" = rke2 ] || install -m 0755 -- \"$f\" \"{PREFIX}/bin/${{f##*/}}\" || exit\ndone\n\
             chmod 0755 \"$d/bin/rke2\" && mv -f -- \"$d/bin/rke2\" {PROGRAM} || exit\n\
             {record}\nrm -rf -- {STAGING}\nsystemctl daemon-reload",
            staged = quote(&staged),
            record = write_record(PROGRAM, name, sha256),
        );
        let staging = Shell::new("make room", format!("mkdir -p -m 0700 -- {STAGING}"));
        match &from {
            artifacts::From::File(file) => {
                let content = file.read().map_err(|error| {
                    DecideError::impossible_help(
                        format!("{} cannot be read: {error}", file.path().display()),
                        "see that the file is still on the deployment node",
                    )
                })?;
                change = change.step(staging).step(WriteFiles {
                    files: vec![to_write(&staged, 0o600, Content::public(content))],
                    validate: Some(check(name, sha256)),
                });
                let mut shell = Shell::new(format!("unpack {name}"), unpack);
                shell.timeout = Some(UNPACK_TIMEOUT);
                change = change.step(shell);
            }
            artifacts::From::Url(url) => {
                let script = format!(
                    "mkdir -p -m 0700 -- {STAGING} || exit\n\
                     curl -fsSL --retry 5 --connect-timeout 30 -o {staged} -- {url} || exit\n\
                     set -- {staged}\n{check}\n{unpack}",
                    staged = quote(&staged),
                    url = quote(url),
                    check = check(name, sha256),
                );
                change = change.step(Shell::new(format!("download and unpack {name}"), script).long(DOWNLOAD_TIMEOUT));
            }
        }
        Ok(change)
    }
}

fn to_write(path: &str, mode: u32, content: Content) -> FileToWrite {
    FileToWrite {
        path: path.to_owned(),
        content,
        mode,
        owner: "root".into(),
        group: "root".into(),
        keep_first: None,
    }
}

impl Resource for Installed {
    fn kind(&self) -> &'static str {
        "rke2"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    /// What is to be put into place is read here, from a file whose checksum is known: it cannot be anything else.
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let wanted = &self.release;
        let answer = answers.get(&self.ask())?;
        let mut lines = answer.output.lines();
        let version = lines.next().unwrap_or_default();
        let before = if version == "absent" {
            Shown::Absent
        } else {
            let text = version
                .strip_prefix("rke2 version ")
                .and_then(|rest| rest.split_whitespace().next());
            // Which one it is decides what may follow: without knowing, nothing is replaced.
            let Some((text, present)) = text.and_then(|text| Some((text, Release::parse(text)?))) else {
                return Ok(Decision::NotYet {
                    reason: format!(
                        "{PROGRAM} is there, and `{PROGRAM} --version` does not say which release it is; where it is broken, remove it"
                    ),
                });
            };
            let came_as = lines.next().unwrap_or("unknown");
            // One that was put there by other means is what it says that it is.
            if text == wanted.text && (came_as == "unknown" || came_as == self.tarball.sha256) {
                return Ok(Decision::nothing(format!("RKE2 {text} is installed")));
            }
            may_follow(&present, wanted)?;
            Shown::text(text)
        };
        let change = self.steps()?;
        Ok(change
            .differs("RKE2", before, Shown::text(&wanted.text))
            .touching([
                Touch::Path(PREFIX.into()),
                Touch::Path(CONFIG_FOLDER.into()),
                Touch::Path(STAGING.into()),
                Touch::Kind("unit"),
                Touch::Kind("command"),
            ])
            .into())
    }

    /// A loaded machine may take longer to say what it has.
    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_secs(5),
            at_most: Duration::from_secs(60),
        }
    }
}

/// Kubernetes is upgraded by one minor version at a time and never downgraded.
fn may_follow(present: &Release, wanted: &Release) -> Result<(), DecideError> {
    let (from, to) = (present.minor(), wanted.minor());
    if wanted.numbers < present.numbers {
        return Err(DecideError::impossible_help(
            format!("RKE2 {} is installed, and {} is older", present.text, wanted.text),
            "Kubernetes cannot go back: set rke2_version to the release that is there, or a newer one",
        ));
    }
    if from.0 != to.0 || to.1 > from.1 + 1 {
        return Err(DecideError::impossible_help(
            format!(
                "RKE2 {} is installed, and {} skips a minor version of Kubernetes",
                present.text, wanted.text
            ),
            format!("go by way of a release of v{}.{}", from.0, from.1 + 1),
        ));
    }
    Ok(())
}

/// An archive of images on a machine, loaded when RKE2 starts.
#[derive(Debug, Clone)]
pub struct Placed {
    image: Image,
}

impl Placed {
    /// This archive.
    pub fn new(image: Image) -> Self {
        Self { image }
    }

    fn path(&self) -> String {
        format!("{IMAGES_FOLDER}/{}", self.image.name)
    }

    /// Prints `absent`, or the SHA-256 of what is there.
    fn ask(&self) -> AskCommand {
        let (path, record) = (self.path(), record(&self.image.name));
        AskCommand(format!(
            "[ -f {path} ] || {{ echo absent; exit 0; }}\n\
             if [ -r {record} ]; then\nread -r d s <{record}\n\
             if [ \"$s\" = \"$(stat -c '%s %Y' -- {path})\" ]; then echo \"$d\"; exit 0; fi\nfi\n\
             sha256sum <{path}",
            path = quote(&path),
            record = quote(&record),
        ))
    }
}

impl Resource for Placed {
    fn kind(&self) -> &'static str {
        "rke2_images"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    /// What is to be put into place is read here, from a file whose checksum is known: it cannot be anything else.
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let Image {
            name,
            sha256,
            file,
            size,
        } = &self.image;
        let path = self.path();
        let answer = answers.get(&self.ask())?;
        let there = answer.output.split_whitespace().next().unwrap_or_default();
        if there == sha256 {
            return Ok(Decision::nothing(format!("{path} is there, with the right checksum")));
        }
        let before = match there {
            "absent" => Shown::Absent,
            other => Shown::text(format!("SHA-256 {other}")),
        };
        let content = file.read().map_err(|error| {
            DecideError::impossible_help(
                format!("{} cannot be read: {error}", file.path().display()),
                "see that the file is still on the deployment node",
            )
        })?;
        Ok(
            Change::new(format!("put {name} into place ({} MB)", size.div_ceil(1_000_000)))
                .differs(path.as_str(), before, Shown::text(format!("SHA-256 {sha256}")))
                .step(Shell::new("make the folder", format!("mkdir -p -- {IMAGES_FOLDER}")))
                .step(WriteFiles {
                    files: vec![to_write(&path, 0o644, Content::public(content))],
                    validate: Some(check(name, sha256)),
                })
                .step(Shell::new("write its checksum down", write_record(&path, name, sha256)))
                .touching([Touch::Path(path), Touch::Path(record(name)), Touch::Kind("command")])
                .into(),
        )
    }
}
