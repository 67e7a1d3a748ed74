//! What goes wrong with terraform, each kind by itself, with what to do.

use crate::diagnostic::TerraformDiagnostic;
use crate::event::Phase;
use serde::Serialize;
use std::io;
use std::path::PathBuf;

/// Who holds the lock of a state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LockInfo {
    /// The lock's id, for `force-unlock`.
    pub id: String,
    /// The state.
    pub path: String,
    /// What the holder does: `OperationTypeApply`.
    pub operation: String,
    /// The holder: `user@machine`.
    pub who: String,
    /// Since when.
    pub created: String,
}

/// Why terraform did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TerraformError {
    /// There is no such program.
    #[error("there is no terraform: {looked}")]
    MissingBinary {
        /// Where was looked.
        looked: String,
    },
    /// The program cannot be started.
    #[error("cannot start {}: {source}", program.display())]
    CannotStart {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program is too old, or too new to be understood; or the configuration demands another one.
    #[error("{} is version {version}, which will not do: {reason}", program.display())]
    UnsupportedVersion {
        /// The program.
        program: PathBuf,
        /// Its version, as far as it says one.
        version: String,
        /// What would do.
        reason: String,
    },
    /// Somebody else works on the state.
    #[error("the state is locked by {} since {} ({}, lock {})", lock.who, lock.created, lock.operation, lock.id)]
    Locked {
        /// Who holds the lock.
        lock: Box<LockInfo>,
        /// The root's folder.
        folder: PathBuf,
    },
    /// Another process of ours works on the root.
    #[error("another mosip-prov works on {}", folder.display())]
    Busy {
        /// The root's folder.
        folder: PathBuf,
    },
    /// It was asked to stop, and did.
    #[error("terraform {phase} was interrupted; {state}")]
    Interrupted {
        /// What was interrupted.
        phase: Phase,
        /// What is left of it.
        state: String,
    },
    /// A provider or a module cannot be had.
    #[error("terraform cannot get {what}: {reason}")]
    Download {
        /// The provider or module.
        what: String,
        /// Why, as terraform says it.
        reason: String,
        /// All that it found.
        diagnostics: Vec<TerraformDiagnostic>,
    },
    /// The folder is not initialised, or not for this configuration.
    #[error("the root is not initialised: {reason}")]
    NotInitialised {
        /// What is missing.
        reason: String,
        /// All that terraform found.
        diagnostics: Vec<TerraformDiagnostic>,
    },
    /// The plan is not of today's state or configuration.
    #[error("the plan is stale: {reason}")]
    StalePlan {
        /// What changed.
        reason: String,
    },
    /// The configuration is wrong.
    #[error("the configuration is invalid: {}", first(diagnostics))]
    InvalidConfiguration {
        /// All that terraform found.
        diagnostics: Vec<TerraformDiagnostic>,
    },
    /// Something else; the diagnostics say what.
    #[error("terraform {phase} failed: {}", first(diagnostics))]
    Failed {
        /// What failed.
        phase: Phase,
        /// All that terraform found.
        diagnostics: Vec<TerraformDiagnostic>,
    },
    /// A signal that is not ours ended it.
    #[error("terraform {phase} was killed by signal {signal}")]
    Killed {
        /// What was killed.
        phase: Phase,
        /// By which signal.
        signal: i32,
    },
    /// The plan destroys, and that was not allowed.
    #[error("the plan destroys {}", list(addresses))]
    DestroyRefused {
        /// What it destroys or replaces.
        addresses: Vec<String>,
    },
    /// There is no plan to apply.
    #[error("there is no plan to apply")]
    NoPlan,
    /// A file of ours cannot be written or read.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// `read`, `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An answer that is no answer.
    #[error("terraform {phase} gave an answer that is not understood: {reason}")]
    Answer {
        /// What was asked.
        phase: Phase,
        /// What is wrong with it.
        reason: String,
    },
}

fn first(diagnostics: &[TerraformDiagnostic]) -> String {
    let errors: Vec<_> = diagnostics.iter().filter(|d| d.error).collect();
    match errors.as_slice() {
        [] => "it says nothing about why".into(),
        [one] => one.summary.clone(),
        [one, rest @ ..] => format!("{}, and {} more", one.summary, rest.len()),
    }
}

fn list(addresses: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = addresses.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match addresses.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

impl TerraformError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::MissingBinary { .. } => "install terraform on this machine (`mosip-prov run deployment-node` does), or name \
                 it with --terraform or the variable terraform_binary"
                .into(),
            Self::CannotStart { .. } => "see that the file is a program for this machine and may be executed".into(),
            Self::UnsupportedVersion { .. } => "use terraform 1.0 to 1.x or OpenTofu; name the program with --terraform or the \
                 variable terraform_binary"
                .into(),
            Self::Locked { lock, folder } => format!(
                "wait until that one is done (--lock-timeout does); when its process is gone for certain, run \
                 `terraform force-unlock {}` in {}",
                lock.id,
                folder.display()
            ),
            Self::Busy { .. } => "wait until it is done".into(),
            Self::Interrupted { phase: Phase::Apply, .. } => {
                "run the same command again: it plans what is still to do".into()
            }
            Self::Interrupted { .. } => "run the same command again".into(),
            Self::Download { .. } => "see that this machine reaches the registry (DNS, proxy: HTTPS_PROXY); without \
                 internet, put the providers into a folder and name it as filesystem_mirror in ~/.terraformrc (docs/terraform.md)"
                .into(),
            Self::NotInitialised { .. } => "run `init` of this root first".into(),
            Self::StalePlan { .. } => "plan again, and look at it: what it shows may be something else now".into(),
            Self::InvalidConfiguration { .. } => "correct the places named above".into(),
            Self::Failed { phase: Phase::Apply, .. } => {
                "mend what is named above and run apply again: what was done stays done".into()
            }
            Self::Failed { .. } => "mend what is named above and run it again".into(),
            Self::Killed { .. } => "see whether memory ran out (dmesg), then run it again; a lock that was left is named then".into(),
            Self::DestroyRefused { .. } => "look whether that is meant; --allow-destroy lets it happen".into(),
            Self::NoPlan => "plan first".into(),
            Self::File { .. } => "see who owns the folder, and whether the disk is full".into(),
            Self::Answer { .. } => "see that the program is terraform or OpenTofu, of a version from 1.0".into(),
        }
    }

    /// What terraform itself found, where that is the reason.
    pub fn diagnostics(&self) -> &[TerraformDiagnostic] {
        match self {
            Self::Download { diagnostics, .. }
            | Self::NotInitialised { diagnostics, .. }
            | Self::InvalidConfiguration { diagnostics }
            | Self::Failed { diagnostics, .. } => diagnostics,
            _ => &[],
        }
    }

    /// Whether nothing was asked of anything: the machine or its files are not as they must be.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::MissingBinary { .. } | Self::CannotStart { .. } | Self::UnsupportedVersion { .. } | Self::NoPlan
        )
    }
}

/// What a failed run of terraform comes to, by what it found. The summaries are those of Terraform 1.x and OpenTofu.
pub(crate) fn classify(
    phase: Phase,
    program: PathBuf,
    folder: PathBuf,
    version: Option<&str>,
    began: bool,
    diagnostics: Vec<TerraformDiagnostic>,
) -> TerraformError {
    let errors = || diagnostics.iter().filter(|d| d.error);
    let of = |parts: &[&str]| errors().find(|d| parts.iter().any(|part| d.summary.contains(part)));
    if let Some(found) = of(&["Error acquiring the state lock", "Error locking state"]) {
        return TerraformError::Locked {
            lock: Box::new(lock_info(&found.detail)),
            folder,
        };
    }
    if let Some(found) = of(&["Saved plan is stale", "Saved plan does not match"]) {
        return TerraformError::StalePlan {
            reason: found.detail.clone(),
        };
    }
    if let Some(found) = of(&[
        "Unsupported Terraform Core version",
        "Unsupported OpenTofu Core version",
    ]) {
        let place = found.place.as_ref().map(|place| format!(" ({place})"));
        let demanded = found.snippet.as_ref().map(|snippet| snippet.code.trim().to_owned());
        return TerraformError::UnsupportedVersion {
            program,
            version: version.unwrap_or("unknown").to_owned(),
            reason: format!(
                "the configuration demands {}{}",
                demanded.unwrap_or_else(|| "another one".into()),
                place.unwrap_or_default()
            ),
        };
    }
    const NOT_INITIALISED: [&str; 9] = [
        "Backend initialization required",
        "Initialization required",
        "Inconsistent dependency lock file",
        "Module not installed",
        "Module source has changed",
        "Module version requirements have changed",
        "Required plugins are not installed",
        "Missing or corrupted provider plugins",
        "Could not load plugin",
    ];
    if phase != Phase::Init
        && let Some(found) = of(&NOT_INITIALISED)
    {
        return TerraformError::NotInitialised {
            reason: found.summary.clone(),
            diagnostics,
        };
    }
    const DOWNLOAD: [&str; 8] = [
        "Failed to query available provider packages",
        "Failed to install provider",
        "Failed to resolve provider packages",
        "Failed to download module",
        "Error accessing remote module registry",
        "Module not found",
        "Invalid provider registry host",
        "Failed to retrieve available versions for module",
    ];
    if phase == Phase::Init
        && let Some(found) = of(&DOWNLOAD)
    {
        return TerraformError::Download {
            what: what_is_missing(&found.detail),
            reason: found.detail.split("\n\n").next().unwrap_or_default().replace('\n', " "),
            diagnostics,
        };
    }
    // A mistake in the text has a place in it and is of no resource yet; a condition that does not hold is none.
    let in_text = |d: &TerraformDiagnostic| {
        d.place.is_some() && d.address.is_none() && !d.summary.to_ascii_lowercase().contains("condition failed")
    };
    if !began && matches!(phase, Phase::Init | Phase::Plan) && errors().any(in_text) {
        return TerraformError::InvalidConfiguration { diagnostics };
    }
    TerraformError::Failed { phase, diagnostics }
}

fn what_is_missing(detail: &str) -> String {
    let after = |word: &str| {
        let rest = detail.split_once(word)?.1;
        let name = rest.split([' ', ':', ',', '\n']).next()?.trim_matches(['"', '.']);
        (name.contains('/') || name.contains('.')).then(|| name.to_owned())
    };
    match after("provider ").or_else(|| after("installing ")) {
        Some(name) => format!("the provider {name}"),
        None => "a provider or a module".into(),
    }
}

/// Reads the block `Lock Info:` of a message.
fn lock_info(detail: &str) -> LockInfo {
    let field = |name: &str| {
        let line = detail
            .lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
        let text = line.unwrap_or_default().trim();
        if text.is_empty() {
            "unknown".to_owned()
        } else {
            text.to_owned()
        }
    };
    LockInfo {
        id: field("ID"),
        path: field("Path"),
        operation: field("Operation"),
        who: field("Who"),
        created: field("Created"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{TerraformEvent, parse_line};
    use crate::recorded as r;

    fn of(phase: Phase, stream: &str) -> TerraformError {
        let mut found = Vec::new();
        let mut began = false;
        for line in stream.lines() {
            match parse_line(line.as_bytes()).expect("a message") {
                TerraformEvent::Diagnostic(one) => found.push(one),
                TerraformEvent::Planned(_) | TerraformEvent::RefreshStarted(_) => began = true,
                _ => {}
            }
        }
        classify(phase, "terraform".into(), "/root".into(), Some("1.11.4"), began, found)
    }

    #[test]
    fn each_recorded_failure_is_its_own_error() {
        let text = |phase, stream| of(phase, stream).to_string();
        assert_eq!(
            text(Phase::Plan, r::LOCKED),
            "the state is locked by root@vm since 2026-11-24 16:26:38.076777592 +0000 UTC (OperationTypeApply, lock \
             c53a9ce1-8a7e-94d7-6419-109d7d2e95cd)"
        );
        assert!(of(Phase::Plan, r::LOCKED).help().contains("force-unlock c53a9ce1"));
        assert!(matches!(of(Phase::Apply, r::STALE), TerraformError::StalePlan { .. }));
        let offline = of(Phase::Init, r::NO_NETWORK);
        assert!(
            matches!(&offline, TerraformError::Download { what, reason, .. }
                if what == "the provider hashicorp/helm" && reason.contains("no such host")),
            "{offline:?}"
        );
        assert!(offline.help().contains("filesystem_mirror"));
        for stream in [r::NOT_INITIALISED, r::NO_BACKEND] {
            assert!(matches!(of(Phase::Plan, stream), TerraformError::NotInitialised { .. }));
        }
        assert!(
            matches!(of(Phase::Init, r::INVALID), TerraformError::InvalidConfiguration { diagnostics } if diagnostics.len() == 2)
        );
        for stream in [r::UNSUPPORTED, r::NO_VALUE] {
            assert!(matches!(
                of(Phase::Plan, stream),
                TerraformError::InvalidConfiguration { .. }
            ));
        }
        assert_eq!(
            text(Phase::Init, r::WRONG_VERSION),
            "terraform is version 1.11.4, which will not do: the configuration demands terraform { required_version = \">= 1.12\" } \
             (main.tf:1:13)"
        );
        assert_eq!(
            text(Phase::Plan, r::PRECONDITION),
            "terraform plan failed: Resource precondition failed"
        );
        assert_eq!(
            text(Phase::Apply, r::PROVISIONER),
            "terraform apply failed: local-exec provisioner error"
        );
    }

    #[test]
    fn a_lock_without_details_is_told_all_the_same() {
        let found = vec![TerraformDiagnostic::error(
            "Error acquiring the state lock",
            "ConditionalCheckFailed",
        )];
        let error = classify(Phase::Plan, "t".into(), "/r".into(), None, false, found);
        assert!(error.to_string().contains("locked by unknown"));
    }

    #[test]
    fn every_error_says_what_to_do() {
        let all = [
            TerraformError::NoPlan,
            TerraformError::Busy { folder: "/r".into() },
            TerraformError::Killed {
                phase: Phase::Apply,
                signal: 9,
            },
            TerraformError::DestroyRefused {
                addresses: vec!["a".into(); 7],
            },
        ];
        assert!(all.iter().all(|e| !e.help().is_empty()));
        assert_eq!(all[3].to_string(), "the plan destroys a, a, a, a, a and 2 more");
    }
}
