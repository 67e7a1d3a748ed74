//! A folder that holds what an archive holds: `tar.gz`, `tar.xz` or `zip`, from a URL, from the target or from the machine
//! that runs this program.
//!
//! ```
//! use mosip_prov_resources::download::{ArchiveKind, Origin};
//! use mosip_prov_resources::{Archive, Task};
//!
//! let origin = Origin::Url("https://example.org/openssl-1.1.1f.tar.gz".into());
//! let openssl = Task::new(
//!     "unpack OpenSSL",
//!     Archive::new("/opt/openssl-1.1.1f", ArchiveKind::TarGz, origin).sha256("0".repeat(64)).flatten(),
//! );
//! ```
//!
//! The folder belongs to the archive: it is filled beside its place and then put there as a whole, in place of what an
//! earlier archive left. A file in it ([`MARKER`]) has the SHA-256 of the archive, so that a second run does nothing. A
//! folder that holds something and has no such file is somebody else's, and is left alone with an error.
//!
//! Nothing is written outside of the folder: an archive with an absolute member, a member that climbs (`..`), a link that
//! leads out, or a device is refused before the folder is put in place. Set-user and set-group bits are taken off.

use crate::download::script::{self, Fetch, ZIP_TOOL};
use crate::download::{ArchiveKind, Origin, TIMEOUT, ask_user, send_archive, sound_sum, source_is_there, wrong_sum};
use crate::file::plan::{self, Attributes};
use crate::probe::command::AskCommand;
use crate::probe::file::{EntryKind, FileAsk, FileState};
use crate::settle::settle;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};
use std::time::Duration;

/// The file in the folder that says which archive it holds.
pub const MARKER: &str = ".mosip-prov-archive";

/// A folder with the content of an archive.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: String,
    kind: ArchiveKind,
    origin: Origin,
    sha256: Option<String>,
    flatten: bool,
    attributes: Attributes,
    timeout: Duration,
}

impl Archive {
    /// `folder`, an absolute path whose parent exists, with the content of the archive from `origin`. An archive from a
    /// URL needs a checksum.
    pub fn new(folder: impl Into<String>, kind: ArchiveKind, origin: Origin) -> Self {
        let folder: String = folder.into();
        Self {
            folder: match folder.trim_end_matches('/') {
                "" => folder,
                trimmed => trimmed.to_owned(),
            },
            kind,
            origin,
            sha256: None,
            flatten: false,
            attributes: Attributes::default(),
            timeout: TIMEOUT,
        }
    }

    /// SHA-256 of the archive, in hex. Default: for a file of the target or of this machine, what it is.
    #[must_use]
    pub fn sha256(mut self, sum: impl Into<String>) -> Self {
        self.sha256 = Some(sum.into().to_ascii_lowercase());
        self
    }

    /// The archive holds one folder, and its content is what is wanted. Default: all as it is in the archive.
    #[must_use]
    pub fn flatten(mut self) -> Self {
        self.flatten = true;
        self
    }

    /// Permission bits of the folder itself. Default: as they are; for a new one 0755.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.attributes.mode = Some(mode & 0o7777);
        self
    }

    /// Owner of the folder and all in it, a name or number. Default: the task's user.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.attributes.owner = Some(owner.into());
        self
    }

    /// Group of the folder and all in it, a name or number. Default: that of the task's user.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.attributes.group = Some(group.into());
        self
    }

    /// How long fetching and unpacking may take. Default: [`TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn marker(&self) -> FileAsk {
        FileAsk::new(format!("{}/{MARKER}", self.folder)).with_content()
    }

    /// Whether the folder, which may be missing, is empty.
    fn empty(&self) -> AskCommand {
        AskCommand(format!("[ -z \"$(ls -A -- {} 2>/dev/null)\" ]", quote(&self.folder)))
    }

    fn sound(&self) -> Result<(), DecideError> {
        plan::absolute(&self.folder)?;
        if plan::is_system_folder(&self.folder) {
            return Err(DecideError::impossible(format!(
                "{} belongs to the system and is never an archive's",
                self.folder
            )));
        }
        self.origin.sound()?;
        if let Some(sum) = &self.sha256 {
            sound_sum(sum)?;
        }
        match (&self.origin, &self.sha256) {
            (Origin::Url(_), None) => Err(DecideError::impossible_help(
                format!("{} has no checksum", self.origin),
                "say which SHA-256 the archive has, so that a changed one is told from the right one",
            )),
            (Origin::Local(file), Some(wanted)) if file.sha256() != wanted => {
                Err(wrong_sum(&file.path().display().to_string(), file.sha256(), wanted))
            }
            _ => Ok(()),
        }
    }

    /// The SHA-256 of the archive that is wanted.
    fn wanted(&self, answers: &Answers) -> Result<String, DecideError> {
        match (&self.sha256, &self.origin) {
            (Some(sum), _) => Ok(sum.clone()),
            (None, Origin::Local(file)) => Ok(file.sha256().to_owned()),
            (None, Origin::OnTarget(source)) => {
                source_is_there(source, &answers.get(&FileAsk::new(source.as_str()))?, None)
            }
            (None, Origin::Url(_)) => Err(DecideError::impossible(format!("{} has no checksum", self.origin))),
        }
    }
}

impl Resource for Archive {
    fn kind(&self) -> &'static str {
        "archive"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![
            FileAsk::new(self.folder.as_str()).question(),
            self.marker().question(),
            self.empty().question(),
        ];
        match &self.origin {
            Origin::OnTarget(source) => questions.push(FileAsk::new(source.as_str()).question()),
            Origin::Local(_) => questions.push(ask_user().question()),
            Origin::Url(_) => {}
        }
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        self.sound()?;
        settle(answers, &self.questions(), self.decided(answers))
    }
}

impl Archive {
    fn decided(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let folder = &self.folder;
        let ask = FileAsk::new(folder.as_str());
        let there = match answers.get(&ask)? {
            FileState::Absent { nearest_folder } => {
                plan::parent_exists(folder, &nearest_folder, answers, &ask.question())?;
                None
            }
            FileState::Blocked { by } => return Err(plan::blocked(folder, &by)),
            FileState::Entry(entry) if entry.kind == EntryKind::Directory => Some(entry),
            other => {
                return Err(DecideError::impossible_help(
                    format!("{folder} should be a folder but is {}", plan::describe(&other)),
                    "remove or move it, then run again",
                ));
            }
        };
        let held = match answers.get(&self.marker())? {
            FileState::Entry(entry) => entry
                .content
                .map(|content| String::from_utf8_lossy(&content).trim().to_owned()),
            _ => None,
        };
        let wanted = self.wanted(answers)?;
        if let (Some(entry), Some(held)) = (&there, &held)
            && *held == wanted
        {
            let differences = plan::attribute_differences(folder, entry, &self.attributes);
            if differences.is_empty() {
                return Ok(Decision::nothing(format!("{folder} holds the archive already")));
            }
            let script = self.attributes.or_as(entry).script_for_all_in(folder);
            return Ok(plan::set_attributes(folder, differences, script).into());
        }
        if there.is_some() && held.is_none() && answers.get(&self.empty())?.status != 0 {
            return Err(DecideError::impossible_help(
                format!("{folder} holds something that is from no archive of ours"),
                "move or remove it, or choose another folder; then run again",
            ));
        }
        let before = match &held {
            Some(sum) => Shown::text(format!("SHA-256 {sum}")),
            None => Shown::Absent,
        };
        let change = Change::new(format!("unpack {} into {folder}", self.origin))
            .differs(
                format!("archive in {folder}"),
                before,
                Shown::text(format!("SHA-256 {wanted}")),
            )
            .touching([Touch::Path(folder.clone())]);
        let label = format!("unpack {folder}");
        let put = self.put(&wanted, there.as_ref().map_or(0o755, |entry| entry.mode));
        Ok(match &self.origin {
            Origin::Url(url) => {
                let script = script::fetch(&Fetch {
                    url,
                    sha256: self.sha256.as_deref(),
                    beside: folder,
                }) + &put;
                change.step(Shell::new(label, script).long(self.timeout)).into()
            }
            Origin::OnTarget(source) => {
                source_is_there(source, &answers.get(&FileAsk::new(source.as_str()))?, Some(&wanted))?;
                let script = script::copy(source, folder, Some(&wanted)) + &put;
                change.step(Shell::new(label, script).long(self.timeout)).into()
            }
            Origin::Local(file) => {
                let script = script::sent(folder) + &put;
                change
                    .step(send_archive(folder, file, answers)?)
                    .step(Shell::new(label, script).long(self.timeout))
                    .into()
            }
        })
    }

    /// Unpacks `$part` beside the folder and puts it in place, with `mode` unless another is asked for.
    fn put(&self, wanted: &str, mode: u32) -> String {
        let folder = quote(&self.folder);
        let (list, unpack) = match self.kind {
            ArchiveKind::TarGz => (
                "gzip -dc <\"$part\" | tar -tf -".to_owned(),
                "gzip -dc <\"$part\" | tar -xof - -C \"$new\"".to_owned(),
            ),
            ArchiveKind::TarXz => (
                "xz -dc <\"$part\" | tar -tf -".to_owned(),
                "xz -dc <\"$part\" | tar -xof - -C \"$new\"".to_owned(),
            ),
            ArchiveKind::Zip => (
                "if [ \"$zip\" = unzip ]; then unzip -Z1 \"$part\"\n\
                 elif [ \"$zip\" ]; then $zip -l \"$part\" | sed -n 's/^ *[0-9][0-9]* *[^ ]* *[^ ]* *//p'\n\
                 else python3 -c 'import sys,zipfile; print(\"\\n\".join(zipfile.ZipFile(sys.argv[1]).namelist()))' \"$part\"\n\
                 fi"
                    .to_owned(),
                "if [ \"$zip\" ]; then $zip -q -o \"$part\" -d \"$new\"\n\
                 else python3 -m zipfile -e \"$part\" \"$new\"\n\
                 fi"
                .to_owned(),
            ),
        };
        let tool = if self.kind == ArchiveKind::Zip { ZIP_TOOL } else { "" };
        let flatten = if self.flatten {
            "top=\nfor f in \"$new\"/* \"$new\"/.[!.]*; do\n[ -e \"$f\" ] || continue\n\
             if [ \"$top\" ] || ! [ -d \"$f\" ] || [ -L \"$f\" ]; then echo 'the archive does not hold one folder and nothing else' >&2; exit 66; fi\n\
             top=$f\ndone\n\
             [ \"$top\" ] || { echo 'the archive is empty' >&2; exit 66; }\n"
        } else {
            "top=$new\n"
        };
        let owner = self.attributes.owners().map_or_else(String::new, |owners| {
            format!("chown -hR -- {} \"$top\" || exit\n", quote(&owners))
        });
        let mode = self.attributes.mode.unwrap_or(mode);
        format!(
            r#"new={new}
old={old}
{tool}names=$({{ {list}
}} 2>&1) || {{ printf 'the archive cannot be read: %s\n' "$names" >&2; exit 66; }}
bad=$(printf '%s\n' "$names" | grep -E '^/|(^|/)\.\.(/|$)' | head -n 3)
if [ "$bad" ]; then printf 'the archive has members that lead out of its folder: %s\n' "$bad" >&2; exit 66; fi
[ "$names" ] || {{ echo 'the archive is empty' >&2; exit 66; }}
rm -rf -- "$new" && mkdir -- "$new" || exit
umask 022
{{ {unpack}
}} || {{ echo 'the archive could not be unpacked' >&2; exit 66; }}
{flatten}bad=$(find "$top" ! -type f ! -type d ! -type l | head -n 3)
if [ "$bad" ]; then printf 'the archive has devices or pipes: %s\n' "$bad" >&2; exit 66; fi
real=$(readlink -f -- "$top") || exit
bad=$(find "$top" -type l | while IFS= read -r l; do
said=$(readlink -- "$l")
case $said in
/*) printf '%s -> %s\n' "$l" "$said"; continue ;;
esac
to=$(readlink -m -- "$l" 2>/dev/null || readlink -f -- "$l")
case $to in
"$real" | "$real"/*) ;;
*) printf '%s -> %s\n' "$l" "$said" ;;
esac
done | head -n 3)
if [ "$bad" ]; then printf 'the archive has links that lead out of its folder: %s\n' "$bad" >&2; exit 66; fi
find "$top" -type f \( -perm -4000 -o -perm -2000 \) -exec chmod ug-s -- {{}} + || exit
rm -f -- "$top"/{MARKER}
printf '%s\n' {wanted} >"$top"/{MARKER} || exit
chmod 0644 "$top"/{MARKER} && chmod {mode:04o} "$top" || exit
{owner}rm -rf -- "$old" || exit
if [ -d {folder} ]; then mv -- {folder} "$old" || exit; fi
mv -- "$top" {folder} || {{ [ -d "$old" ] && mv -- "$old" {folder}; exit 1; }}
rm -rf -- "$old"
"#,
            new = quote(&script::part(&self.folder, "new")),
            old = quote(&script::part(&self.folder, "old")),
        )
    }
}

#[cfg(test)]
mod tests;
