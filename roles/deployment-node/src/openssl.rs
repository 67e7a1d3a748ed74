//! OpenSSL of an old version, beside the system's own: the registration client's keystore cannot be read when a newer one
//! made it ("keystore password was incorrect").
//!
//! The contract with whoever needs it: the file [`OPENSSL_PLACE`] holds one line, the folder whose `openssl` is of the
//! wanted version. Put that folder first on the PATH of the process that makes the keystore, and of no other.

use crate::folder;
use crate::settings::Openssl;
use mosip_prov_resources::download::VersionCheck;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{
    Answers, Apt, Archive, Ask, Command, Condition, DecideError, Decision, File, Question, Resource, Task, Verdict,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file on the deployment node that says where OpenSSL is.
pub const OPENSSL_PLACE: &str = "/etc/mosip-prov/openssl-folder";

/// How long building may take.
const BUILD: Duration = Duration::from_secs(3600);

/// The folder that the content of [`OPENSSL_PLACE`] names, to be put first on the PATH. `None` when it names none.
pub fn openssl_folder_in(content: &str) -> Option<PathBuf> {
    let line = content
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let path = Path::new(line);
    path.is_absolute().then(|| path.to_owned())
}

/// The folder of the OpenSSL that this role put on this machine, to be put first on the PATH. `None` when there is none.
///
/// # Errors
/// When [`OPENSSL_PLACE`] is there and cannot be read.
pub fn openssl_folder() -> std::io::Result<Option<PathBuf>> {
    match std::fs::read_to_string(OPENSSL_PLACE) {
        Ok(content) => Ok(openssl_folder_in(&content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// An OpenSSL in a prefix: only asked, never changed.
#[derive(Debug, Clone)]
pub struct OpensslIsThere {
    program: String,
    version: String,
}

impl OpensslIsThere {
    /// `prefix` has an OpenSSL of that version.
    pub fn new(prefix: &str, version: impl Into<String>) -> Self {
        Self {
            program: format!("{prefix}/bin/openssl"),
            version: version.into(),
        }
    }

    /// Asks it for its version.
    pub fn ask(&self) -> AskCommand {
        AskCommand(format!("{} version 2>&1 || exit 1", quote(&self.program)))
    }

    fn check(&self) -> VersionCheck {
        VersionCheck::new("\"$1\" version", format!("OpenSSL {}", self.version))
    }

    fn holds(&self, answers: &Answers) -> Result<bool, DecideError> {
        let answer = answers.get(&self.ask())?;
        Ok(answer.status == 0 && self.check().holds(&answer.output))
    }

    /// A condition that holds while it is not there.
    fn missing(&self) -> Condition {
        let this = self.clone();
        Condition::new(vec![self.ask().question()], move |answers| {
            Ok(if this.holds(answers)? {
                Verdict::Skip(format!("{} is version {}", this.program, this.version))
            } else {
                Verdict::Do
            })
        })
    }
}

impl Resource for OpensslIsThere {
    fn kind(&self) -> &'static str {
        "openssl"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let Self { program, version } = self;
        if let Some(task) = answers.pending_for(&self.ask().question()) {
            return Ok(Decision::unknown(format!("\"{task}\" comes first and may bring it")));
        }
        if self.holds(answers)? {
            return Ok(Decision::nothing(format!("{program} is version {version}")));
        }
        let said = answers.get(&self.ask())?.output;
        Err(DecideError::impossible_help(
            format!("{program} should be OpenSSL {version}, but says: {said}"),
            "with openssl_prebuilt, the archive must hold a folder with bin/openssl that runs on this machine; without it, \
             the sources of that very version",
        ))
    }
}

/// The tasks for it.
pub(crate) fn tasks(settings: &Openssl, lock_timeout: Duration) -> Vec<Task> {
    let Openssl { prefix, version, .. } = settings;
    let there = OpensslIsThere::new(prefix, version);
    let above = prefix.rsplit_once('/').map_or("/", |(above, _)| above);
    let archive = |folder: &str| {
        let archive = Archive::new(folder, settings.kind, settings.origin.clone()).flatten();
        match &settings.sha256 {
            Some(sum) => archive.sha256(sum),
            None => archive,
        }
    };
    let mut tasks = vec![Task::new(
        "Make the folder of what stands beside the system",
        folder(above),
    )];
    if settings.prebuilt {
        tasks.push(Task::new(
            format!("Unpack OpenSSL {version}"),
            archive(prefix).owner("root").group("root"),
        ));
    } else {
        let sources = format!("{prefix}.sources");
        if !settings.build_packages.is_empty() {
            let update = Apt::update_cache()
                .max_age(Duration::from_secs(3600))
                .lock_timeout(lock_timeout);
            tasks.push(Task::new("Refresh the package index before building", update).when(there.missing()));
            let packages = Apt::present(settings.build_packages.clone()).lock_timeout(lock_timeout);
            tasks.push(
                Task::new(format!("Install what building OpenSSL {version} needs"), packages).when(there.missing()),
            );
        }
        tasks.push(
            Task::new(format!("Unpack the sources of OpenSSL {version}"), archive(&sources)).when(there.missing()),
        );
        tasks.push(
            Task::new(
                format!("Build OpenSSL {version} beside the system's own"),
                Command::new(build(settings, &sources, &there))
                    .summary(format!("build OpenSSL {version}"))
                    .long(BUILD),
            )
            .when(there.missing()),
        );
    }
    tasks.push(Task::new(format!("See that OpenSSL {version} answers"), there));
    tasks.push(Task::new(
        "Make the folder of mosip-prov's own notes",
        folder("/etc/mosip-prov"),
    ));
    tasks.push(Task::new(
        "Say where OpenSSL is",
        File::content(OPENSSL_PLACE, format!("{prefix}/bin\n")).mode(0o644),
    ));
    tasks
}

/// Says that the whole folder is ours, to be replaced by another build.
const MARK: &str = ".mosip-prov-openssl";

/// Builds into a folder of its own, asks the new one for its version, and only then moves it into place. Linked
/// statically: nothing else on the machine finds libraries of this version.
fn build(settings: &Openssl, sources: &str, there: &OpensslIsThere) -> String {
    let prefix = quote(&settings.prefix);
    format!(
        "cd -- {sources} || exit\n\
         if [ -e {prefix} ] && ! [ -f {prefix}/{MARK} ] && [ \"$(ls -A -- {prefix})\" ]; then\n\
         printf '%s holds something else; remove it, or choose another openssl_prefix\\n' {prefix} >&2; exit 1\nfi\n\
         rm -rf -- \"$PWD/staged\"\n\
         echo 'configuring'\n./config --prefix={prefix} --openssldir={prefix}/ssl no-shared no-tests >config.log 2>&1 || {{ tail -n 20 config.log; exit 1; }}\n\
         echo 'building, for some minutes'\nmake -j\"$(nproc)\" >build.log 2>&1 || {{ tail -n 30 build.log; exit 1; }}\n\
         echo 'installing'\nmake DESTDIR=\"$PWD/staged\" install_sw install_ssldirs >install.log 2>&1 || {{ tail -n 20 install.log; exit 1; }}\n\
         said=$(\"$PWD/staged\"{prefix}/bin/openssl version 2>&1)\n\
         case $said in\n{wanted}*) ;;\n*) printf 'what was built says: %s\\n' \"$said\" >&2; exit 1 ;;\nesac\n\
         : >\"$PWD/staged\"{prefix}/{MARK} || exit\n\
         rm -rf -- {prefix} || exit\n\
         mv -- \"$PWD/staged\"{prefix} {prefix} || exit\n\
         cd / && rm -rf -- {sources}\n",
        sources = quote(sources),
        wanted = quote(&format!("OpenSSL {}", there.version)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing, expect_unknown};

    #[test]
    fn the_file_says_which_folder_comes_first() {
        assert_eq!(openssl_folder_in("/opt/x/bin\n"), Some(PathBuf::from("/opt/x/bin")));
        assert_eq!(
            openssl_folder_in("# ours\n\n /opt/x/bin \n"),
            Some(PathBuf::from("/opt/x/bin"))
        );
        assert_eq!(openssl_folder_in("bin\n"), None);
        assert_eq!(openssl_folder_in(""), None);
    }

    #[test]
    fn it_must_be_that_very_version() {
        let there = OpensslIsThere::new("/opt/o", "1.1.1f");
        let says = |status, text| t::command(Answers::new(), &there.ask().0, status, text);
        expect_nothing(&there, &says(0, "OpenSSL 1.1.1f  31 Mar 2020"));
        for (status, text) in [
            (0, "OpenSSL 1.1.1  11 Sep 2018"),
            (0, "OpenSSL 3.0.2"),
            (1, "OpenSSL 1.1.1f"),
            (1, "not found"),
        ] {
            let error = expect_error(&there, &says(status, text));
            assert!(
                error.contains(text) && error.contains("should be OpenSSL 1.1.1f"),
                "{error}"
            );
        }
        let coming = says(1, "").with_pending("Build", vec![mosip_prov_resources::Touch::Everything]);
        expect_unknown(&there, &coming);
    }
}
