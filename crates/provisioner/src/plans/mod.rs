//! Plans that bind: what a run would do, written down, and done later exactly so, or not at all.
//!
//! ```no_run
//! # async fn example(ready: mosip_prov::Ready) -> Result<(), Box<dyn std::error::Error>> {
//! use mosip_prov::CancelHandle;
//! use std::path::Path;
//!
//! // `ready` is of settings with `check` and `to_apply`.
//! let ready = ready.recording()?;
//! let report = ready.run(|_| {}, &CancelHandle::new()).await;
//! if let Some(plan) = ready.plan(&report) {
//!     plan.write(Path::new("front.plan"))?;
//! }
//! # Ok(()) }
//! ```

pub mod format;
mod key;
mod make;

use crate::{InputErrors, Ready};
use format::{Body, ExtraVars, Header, HostOf, MOST_BYTES, State, VERSION, What};
use jiff::Timestamp;
use mosip_prov_engine::binding::{Binding, Key, Recorder};
use mosip_prov_engine::journal::Past;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(crate) use make::what_of;

/// The program's version; another one may decide otherwise.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// Clocks that differ by less are the same.
const SAME_TIME: Duration = Duration::from_secs(300);

/// A plan: decisions of every host, and what they are of.
#[derive(Debug, Clone)]
pub struct Plan {
    body: Body,
    key: Key,
    key_file: PathBuf,
}

/// Why a plan cannot be written, read or applied.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file cannot be read or written.
    #[error("{} cannot be {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It is larger than any plan.
    #[error("{} is larger than {MOST_BYTES} bytes, which no plan is", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no plan.
    #[error("{} is no plan: {reason}", path.display())]
    NoPlan {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is of another version of the format.
    #[error("{} is a plan of format {found}; this program knows {VERSION}", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u64,
    },
    /// Another version of the program made it.
    #[error("{} was made by mosip-prov {program}; this is {PROGRAM}, which may decide otherwise", path.display())]
    OtherProgram {
        /// The file.
        path: PathBuf,
        /// The version that made it.
        program: String,
    },
    /// There is no key.
    #[error("the key of the plan is not there: {}", path.display())]
    NoKey {
        /// The key's file.
        path: PathBuf,
    },
    /// The file of the key does not hold one.
    #[error("{} does not hold a key of plans", path.display())]
    BadKey {
        /// The key's file.
        path: PathBuf,
    },
    /// It was made with another key.
    #[error("{} was made with another key than that in {}", path.display(), key_file.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The key's file.
        key_file: PathBuf,
    },
    /// It is not as it was written.
    #[error("{} is not as it was written: it was cut off or edited", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else may have written it.
    #[error("{} may be written by others than its owner (mode {mode:04o}, owner {owner})", path.display())]
    WritableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        owner: u32,
    },
}

impl PlanError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Io { .. } => "name a file in a folder that is yours",
            Self::TooLarge { .. } | Self::NoPlan { .. } => {
                "name a file that `mosip-prov plan PLAYBOOK --out FILE` wrote"
            }
            Self::OtherFormat { .. } | Self::OtherProgram { .. } | Self::Altered { .. } => {
                "plan again: `mosip-prov plan PLAYBOOK --out FILE`"
            }
            Self::BadKey { .. } => {
                "put it back from a copy; where there is none, remove it and plan again: plans made before cannot be applied then"
            }
            Self::NoKey { .. } | Self::OtherKey { .. } => {
                "a plan is applied beside the inventory that it was made with, by the same key; where that is not to be had, plan again"
            }
            Self::WritableByOthers { .. } => "plan again into a file of your own",
        }
    }
}

impl From<PlanError> for InputErrors {
    fn from(error: PlanError) -> Self {
        Self::of(Diagnostic::error(error.to_string()).help(error.help()))
    }
}

/// What a plan comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Hosts that are planned.
    pub hosts: usize,
    /// Hosts that are not.
    pub not_planned: usize,
    /// Changes.
    pub changes: usize,
    /// What is known after earlier changes.
    pub open: usize,
}

impl Plan {
    /// What was planned.
    pub fn what(&self) -> &What {
        &self.body.what
    }

    /// When it was made.
    pub fn made(&self) -> Timestamp {
        self.body.made
    }

    /// The same, as the system counts.
    pub fn made_at(&self) -> SystemTime {
        let since = u64::try_from(self.body.made.as_millisecond()).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_millis(since)
    }

    /// All of it.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// What it comes to.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for host in &self.body.hosts {
            if host.state != State::Planned {
                tally.not_planned += 1;
                continue;
            }
            tally.hosts += 1;
            let of = |decision| host.tasks.iter().filter(|t| t.decision == decision).count();
            tally.changes += of(format::DecisionOf::Change);
            tally.open += of(format::DecisionOf::Open);
        }
        tally
    }

    /// Whether it may still be applied at the time `now`, when it may be `most` old.
    ///
    /// # Errors
    /// It is older, or of a time to come.
    pub fn check_age(&self, now: SystemTime, most: Duration) -> Result<(), InputErrors> {
        let problem = match now.duration_since(self.made_at()) {
            Ok(age) if age > most => Diagnostic::error(format!(
                "the plan is {} hours old, of {:.0}; it may be {} hours old",
                age.as_secs() / 3600,
                self.body.made,
                most.as_secs() / 3600
            ))
            .help("plan again; or give a longer --max-age"),
            Err(ahead) if ahead.duration() > SAME_TIME => Diagnostic::error(format!(
                "the plan is of {:.0}, which is to come by this clock",
                self.body.made
            ))
            .help("set the clock right, or plan again"),
            _ => return Ok(()),
        };
        Err(InputErrors::of(problem))
    }

    /// The texts for `-e` as they were: the files, and `given` for what is not in the plan.
    ///
    /// # Errors
    /// What is given is not what was given for the plan.
    pub fn extra_vars(&self, given: &[String]) -> Result<Vec<String>, InputErrors> {
        let mut rest = given.iter();
        let mut all = Vec::new();
        let mut problems = Diagnostics::new();
        for wanted in &self.body.what.extra_vars {
            let (variable, digest) = match wanted {
                ExtraVars::File(path) => {
                    all.push(format!("@{path}"));
                    continue;
                }
                ExtraVars::Given { variable, digest } => (variable, digest),
            };
            let name = match variable {
                Some(variable) => format!("-e {variable}=…"),
                None => "-e with a mapping".to_owned(),
            };
            match rest.next() {
                Some(text) if self.key.digest("extra-vars", [text.as_bytes()]).to_string() == *digest => {
                    all.push(text.clone());
                }
                Some(_) => problems.push(
                    Diagnostic::error(format!("what was planned with {name} is given another value now"))
                        .help("give the -e of the plan again, in the same order, without those that name files; or plan again"),
                ),
                None => problems.push(
                    Diagnostic::error(format!("the plan was made with {name}, whose value is not kept in it"))
                        .help("give it again: the same, in the same order"),
                ),
            }
        }
        let more = rest.count();
        if more > 0 {
            problems.push(
                Diagnostic::error(format!("{more} more -e than the plan was made with")).help(
                    "files that were given by -e @FILE are read again by themselves; for other values plan again",
                ),
            );
        }
        match problems.has_errors() {
            true => Err(problems.into()),
            false => Ok(all),
        }
    }

    /// Writes it to `path`, whole or not at all, for its owner alone.
    ///
    /// # Errors
    /// The system refused.
    pub fn write(&self, path: &Path) -> Result<(), PlanError> {
        let io = |source| PlanError::Io {
            path: path.to_owned(),
            doing: "written",
            source,
        };
        let body = serde_json::to_string(&self.body).map_err(|e| io(e.into()))?;
        let mut header = Header {
            mosip_prov_plan: VERSION,
            program: PROGRAM.to_owned(),
            key_file: self.key_file.to_string_lossy().into_owned(),
            key: key_id(&self.key),
            mac: String::new(),
        };
        header.mac = mac(&self.key, &header, body.as_bytes());
        let header = serde_json::to_string(&header).map_err(|e| io(e.into()))?;
        let text = format!("{header}\n{body}\n");
        if text.len() as u64 > MOST_BYTES {
            return Err(PlanError::TooLarge { path: path.to_owned() });
        }
        mosip_prov_files::write(path, text.as_bytes(), mosip_prov_files::Mode::Fixed(0o600)).map_err(io)
    }

    /// Whether a plan can be written to `path`; nothing is left there.
    ///
    /// # Errors
    /// The system refuses.
    pub fn try_path(path: &Path) -> Result<(), PlanError> {
        mosip_prov_files::Candidate::write(path, b"", mosip_prov_files::Mode::Fixed(0o600))
            .map(drop)
            .map_err(|source| PlanError::Io {
                path: path.to_owned(),
                doing: "written",
                source,
            })
    }

    /// Reads the plan in `path`, and sees that it is whole, as it was written, and of this version.
    ///
    /// # Errors
    /// It is not.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let io = |source| PlanError::Io {
            path: path.to_owned(),
            doing: "read",
            source,
        };
        let no_plan = |reason: String| PlanError::NoPlan {
            path: path.to_owned(),
            reason,
        };
        let file = fs::File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        let (mode, owner) = (about.mode() & 0o7777, about.uid());
        if !about.is_file() {
            return Err(no_plan("it is no file".to_owned()));
        }
        let mine = fs::metadata("/proc/self").map_err(io)?.uid();
        if mode & 0o022 != 0 || (owner != mine && owner != 0) {
            let path = path.to_owned();
            return Err(PlanError::WritableByOthers { path, mode, owner });
        }
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(PlanError::TooLarge { path: path.to_owned() });
        }
        let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
        let (first, rest) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let header: serde_json::Value =
            serde_json::from_slice(first).map_err(|e| no_plan(format!("its first line is no JSON: {e}")))?;
        match header.get("mosip_prov_plan").and_then(serde_json::Value::as_u64) {
            Some(found) if found == u64::from(VERSION) => {}
            Some(found) => {
                let path = path.to_owned();
                return Err(PlanError::OtherFormat { path, found });
            }
            None => return Err(no_plan("its first line has no `mosip_prov_plan`".to_owned())),
        }
        let header: Header = serde_json::from_value(header).map_err(|e| no_plan(format!("its first line: {e}")))?;
        if header.program != PROGRAM {
            return Err(PlanError::OtherProgram {
                path: path.to_owned(),
                program: mosip_prov_engine::sanitize(&header.program),
            });
        }
        let key_file = PathBuf::from(&header.key_file);
        let key = key::read(&key_file)?;
        let path = path.to_owned();
        if key_id(&key) != header.key {
            return Err(PlanError::OtherKey { path, key_file });
        }
        let Some(text) = rest.strip_suffix(b"\n") else {
            return Err(PlanError::Altered { path });
        };
        if mac(&key, &header, text) != header.mac {
            return Err(PlanError::Altered { path });
        }
        let body = serde_json::from_slice(text).map_err(|e| PlanError::NoPlan {
            path,
            reason: format!("its second line: {e}"),
        })?;
        Ok(Self { body, key, key_file })
    }
}

fn key_id(key: &Key) -> String {
    key.digest("id", []).to_string().chars().take(16).collect()
}

fn mac(key: &Key, header: &Header, body: &[u8]) -> String {
    let version = header.mosip_prov_plan.to_string();
    let parts = [
        version.as_bytes(),
        header.program.as_bytes(),
        header.key_file.as_bytes(),
        header.key.as_bytes(),
        body,
    ];
    key.digest("file", parts).to_string()
}

/// What a run keeps for its plan.
pub(crate) struct Recording {
    pub recorder: Arc<Recorder>,
    pub past: Past,
    key: Key,
    key_file: PathBuf,
}

impl Ready {
    /// The same, keeping what is decided for [`Ready::plan`]: what earlier runs owe is decided too. For settings with
    /// `check` and [`crate::Settings::to_apply`].
    ///
    /// # Errors
    /// There is no folder for the plans' key, or the journal cannot be read.
    pub fn recording(mut self) -> Result<Self, InputErrors> {
        let Some(folder) = self.folder() else {
            return Err(InputErrors::of(
                Diagnostic::error("the inventory is no file or folder, so there is no place for the key of its plans")
                    .help("write the hosts to a file and name it with -i"),
            ));
        };
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let past = crate::journal::Journal::past(&folder).map_err(|e| InputErrors::of(crate::journal_problem(&e)))?;
        let key = key::read_or_make(&folder)?;
        self.set_recording(Recording {
            recorder: Arc::new(Recorder::new(key.clone())),
            past,
            key,
            key_file: key::path_in(&folder),
        });
        Ok(self)
    }

    /// The plan, after it ran. `None` when it was interrupted, when it did not keep what was decided, and when no host got
    /// to the end.
    pub fn plan(&self, report: &crate::RunReport) -> Option<Plan> {
        let recording = self.recording_made().filter(|_| !report.interrupted)?;
        let decisions = recording.recorder.decisions();
        let body = Body {
            made: Timestamp::now(),
            what: what_of(self.settings(), self.prepared(), &recording.key),
            inputs: self.inputs(&recording.key),
            plays: make::plays_of(self.prepared()),
            hosts: make::hosts_of(self.prepared(), &decisions, report),
        };
        body.hosts
            .iter()
            .any(|host: &HostOf| host.state == State::Planned)
            .then(|| Plan {
                body,
                key: recording.key.clone(),
                key_file: recording.key_file.clone(),
            })
    }

    /// The same, bound to `plan`: a host that is not as it was planned for is left as it is.
    ///
    /// # Errors
    /// Inventory or playbooks are so different that the plan cannot be applied at all.
    pub fn bound_to(mut self, plan: &Plan) -> Result<Self, InputErrors> {
        let mut problems = Diagnostics::new();
        let here = self.folder().map(key::path_in);
        if here.and_then(|path| std::path::absolute(path).ok()).as_deref() != Some(&plan.key_file) {
            problems.push(
                Diagnostic::error(format!(
                    "the plan was made with the inventory beside {}, which is not the one that is read",
                    plan.key_file.display()
                ))
                .help("plan again"),
            );
        }
        make::compare_plays(&plan.body.plays, &make::plays_of(self.prepared()), &mut problems);
        let hosts = make::bound_hosts(&plan.body, &mut problems);
        if problems.has_errors() {
            return Err(problems.into());
        }
        self.bind(Arc::new(Binding {
            key: plan.key.clone(),
            hosts,
        }));
        Ok(self)
    }

    /// Whether inventory or variables are other than when `plan` was made.
    pub fn inputs_differ(&self, plan: &Plan) -> bool {
        self.inputs(&plan.key) != plan.body.inputs
    }

    fn inputs(&self, key: &Key) -> String {
        let listed = self.inventory().to_list_json().to_string();
        key.digest("inputs", [listed.as_bytes()]).to_string()
    }
}
