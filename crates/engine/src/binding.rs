//! Decisions that are written down, to be applied later as they were made, or not at all.
//!
//! A run in check mode with a [`Recorder`] keeps what every task decided: that is a plan. A run with a [`Binding`] looks
//! at all its hosts first, decides everything anew with the gate shut, and compares: where a host's tasks would decide
//! otherwise than planned, nothing is done on that host.
//!
//! What counts as the same decision:
//!
//! | planned | and now |
//! |---|---|
//! | nothing to do, or skipped | nothing to do, or skipped, for whatever reason |
//! | a change | a change with the same differences, steps and touches, by their digest; where the differences may not be shown, resting on the same answers |
//! | open: known after earlier changes | anything but a failure |
//! | a failure that stops nothing | the same |
//!
//! A host where nothing is left to be done fits every plan: it has been applied.

use crate::decision::{Change, Shown};
use crate::question::Touch;
use crate::step::{Content, Step};
use hmac::{Hmac, KeyInit as _, Mac as _};
use mosip_prov_events::{Difference, Moved, TaskId};
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The key of all digests of a plan. Without it nobody can find out, by trying, what a digest was made of: the answers and
/// steps of a task may hold short secrets.
#[derive(Clone)]
pub struct Key(Arc<[u8; 32]>);

impl Key {
    /// These bytes, which must be random and kept.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Arc::new(bytes))
    }

    /// The digest of `parts`; for another `purpose` it is another.
    pub fn digest<'p>(&self, purpose: &str, parts: impl IntoIterator<Item = &'p [u8]>) -> Digest {
        let mut sum = self.sum(purpose);
        for part in parts {
            sum.put(part);
        }
        sum.end()
    }

    fn sum(&self, purpose: &str) -> Sum {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("HMAC takes keys of any length");
        let mut sum = Sum(mac);
        sum.put(purpose.as_bytes());
        sum
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// A keyed digest; as text 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<Digest> for [u8; 32] {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let digit = |c: u8| match c {
            b'0'..=b'9' => Ok(c - b'0'),
            b'a'..=b'f' => Ok(c - b'a' + 10),
            _ => Err(NoDigest),
        };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(NoDigest);
        };
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() {
            return Err(NoDigest);
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

/// A digest being made: every part with its length before it, so that no two lists of parts are the same bytes.
struct Sum(Hmac<Sha256>);

impl Sum {
    fn put(&mut self, part: &[u8]) {
        self.0
            .update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(part);
    }

    fn text(&mut self, part: &str) {
        self.put(part.as_bytes());
    }

    fn number(&mut self, number: u128) {
        self.put(&number.to_be_bytes());
    }

    fn maybe(&mut self, part: Option<&str>) {
        match part {
            Some(part) => {
                self.text("some");
                self.text(part);
            }
            None => self.text("none"),
        }
    }

    fn content(&mut self, content: &Content) {
        self.put(content.bytes());
        self.text(if content.is_sensitive() { "secret" } else { "public" });
    }

    fn shown(&mut self, shown: &Shown) {
        match shown {
            Shown::Absent => self.text("absent"),
            Shown::Text(text) => {
                self.text("text");
                self.text(text);
            }
            Shown::Masked => self.text("masked"),
            Shown::Binary { bytes } => {
                self.text("binary");
                self.number((*bytes).into());
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Shell(shell) => {
                self.text("shell");
                self.text(&shell.script);
                self.content(&shell.payload);
                self.maybe(shell.timeout.map(|t| t.as_millis().to_string()).as_deref());
                self.text(if shell.long { "long" } else { "short" });
            }
            Step::WriteFiles(write) => {
                self.text("files");
                self.number(write.files.len() as u128);
                for file in &write.files {
                    self.text(&file.path);
                    self.content(&file.content);
                    self.number(file.mode.into());
                    self.text(&file.owner);
                    self.text(&file.group);
                    self.maybe(file.keep_first.as_deref());
                }
                self.maybe(write.validate.as_deref());
            }
            Step::Reboot { timeout } => {
                self.text("reboot");
                self.number(timeout.as_millis());
            }
        }
    }

    fn touch(&mut self, touch: &Touch) {
        match touch {
            Touch::Path(path) => {
                self.text("path");
                self.text(path);
            }
            Touch::Thing(kind, thing) => {
                self.text("thing");
                self.text(kind);
                self.text(thing);
            }
            Touch::Kind(kind) => {
                self.text("kind");
                self.text(kind);
            }
            Touch::Everything => self.text("everything"),
        }
    }

    fn end(self) -> Digest {
        Digest(self.0.finalize().into_bytes().into())
    }
}

/// The digest of what `change` does at `place`, and of what it shows. `rests_on` counts where it does not show all:
/// `hidden`, or secrets and bytes that are no text.
pub(crate) fn digest_of(key: &Key, place: &str, change: &Change, rests_on: Digest, hidden: bool) -> Digest {
    let mut sum = key.sum("change");
    sum.text(place);
    sum.number(change.differences.len() as u128);
    for difference in &change.differences {
        sum.text(&difference.what);
        sum.shown(&difference.before);
        sum.shown(&difference.after);
    }
    sum.number(change.steps.len() as u128);
    change.steps.iter().for_each(|step| sum.step(step));
    change.touches.iter().for_each(|touch| sum.touch(touch));
    let unseen = |shown: &Shown| matches!(shown, Shown::Masked | Shown::Binary { .. });
    let masked = change.differences.iter().any(|d| unseen(&d.before) || unseen(&d.after));
    if hidden || masked || change.differences.is_empty() {
        sum.put(&rests_on.0);
    }
    sum.end()
}

/// What a task decided, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The host is as it should be.
    Nothing,
    /// Its condition does not hold.
    Skipped,
    /// Something is to be changed.
    Change,
    /// Known after earlier changes, or when something has come that is waited for.
    Open,
    /// It cannot be done.
    Failed,
}

impl Kind {
    /// Whether the host is left as it is.
    fn leaves(self) -> bool {
        matches!(self, Self::Nothing | Self::Skipped)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing to do",
            Self::Skipped => "skipped",
            Self::Change => "change",
            Self::Open => "known after earlier changes",
            Self::Failed => "fails",
        }
    }
}

/// What one task decided on a host, as a plan keeps it. Holds no secret: texts are those of events, and digests are keyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The playbook and play.
    pub play: (String, String),
    /// The role.
    pub role: String,
    /// The task's name.
    pub task: String,
    /// It is a handler, which was notified or is owed.
    pub handler: bool,
    /// What it decided.
    pub kind: Kind,
    /// Why nothing is to be done, or what is.
    pub reason: String,
    /// What differs; empty where it may not be shown.
    pub differences: Vec<Difference>,
    /// Of a change: the digest of its differences, steps and touches.
    pub change: Option<Digest>,
    /// The digest of the answers it rests on; `None` where none were read.
    pub answers: Option<Digest>,
    /// Earlier changes may make another decision of it: it is decided again when they are made.
    pub again: bool,
}

impl Planned {
    /// Whether `now` is what was planned.
    fn fits(&self, now: &Self) -> bool {
        match (self.kind, now.kind) {
            (Kind::Open, kind) => kind != Kind::Failed,
            (Kind::Change, Kind::Change) => self.change == now.change,
            (Kind::Failed, Kind::Failed) => true,
            (planned, now) => planned.leaves() && now.leaves(),
        }
    }

    fn said(&self) -> String {
        match self.reason.is_empty() {
            true => self.kind.word().to_owned(),
            false => format!("{}: {}", self.kind.word(), self.reason),
        }
    }

    fn id(&self, host: &str) -> TaskId {
        TaskId {
            host: host.to_owned(),
            play: self.play.1.clone(),
            role: self.role.clone(),
            task: self.task.clone(),
            handler: self.handler,
        }
    }

    fn name(&self) -> (&(String, String), &str, &str, bool) {
        (&self.play, &self.role, &self.task, self.handler)
    }
}

/// What was decided on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// The tasks, in the order in which they were decided.
    pub tasks: Vec<Planned>,
    /// The plays that it came to.
    pub plays: BTreeSet<(String, String)>,
    /// It did not get to the end of some play.
    pub cut_off: bool,
    /// It was not reached, or lost.
    pub lost: bool,
    /// Why it did not get to the end, as the task that failed says.
    pub failure: Option<String>,
}

/// The tasks of `host` that would be decided otherwise than planned; empty when it may be applied.
pub fn compare(host: &str, planned: &[Planned], now: &Decisions) -> Vec<Moved> {
    if !now.cut_off && now.tasks.iter().all(|task| task.kind.leaves()) {
        return Vec::new();
    }
    let mut left: Vec<&Planned> = planned.iter().filter(|task| now.plays.contains(&task.play)).collect();
    let mut moved = Vec::new();
    for task in &now.tasks {
        let at = left.iter().position(|planned| planned.name() == task.name());
        match at.map(|at| left.remove(at)) {
            Some(planned) if planned.fits(task) => {}
            Some(planned) => moved.push(Moved {
                task: task.id(host),
                planned: planned.said(),
                now: now_said(planned, task),
                planned_differences: planned.differences.clone(),
                differences: task.differences.clone(),
            }),
            None => moved.push(Moved {
                task: task.id(host),
                planned: "not among the tasks".to_owned(),
                now: task.said(),
                planned_differences: Vec::new(),
                differences: task.differences.clone(),
            }),
        }
    }
    // Of a host that does not get to the end, the first failure says enough.
    if !now.cut_off || moved.is_empty() {
        let gone = match (&now.failure, now.cut_off) {
            (_, false) => "not among the tasks".to_owned(),
            (Some(failure), true) => format!("not come to: {failure}"),
            (None, true) => "not come to".to_owned(),
        };
        moved.extend(left.into_iter().map(|planned| Moved {
            task: planned.id(host),
            planned: planned.said(),
            now: gone.clone(),
            planned_differences: planned.differences.clone(),
            differences: Vec::new(),
        }));
    }
    moved
}

/// What it is now, and what makes the difference where the words are the same.
fn now_said(planned: &Planned, now: &Planned) -> String {
    let said = now.said();
    if said != planned.said() || planned.differences != now.differences {
        return said;
    }
    if planned.answers == now.answers {
        format!("{said} (what would be done is not the same: the inputs have changed)")
    } else {
        format!("{said} (the host is not as it was)")
    }
}

/// Keeps what is decided in a run.
#[derive(Debug)]
pub struct Recorder {
    pub(crate) key: Key,
    hosts: Mutex<BTreeMap<String, Decisions>>,
}

impl Recorder {
    /// A recorder whose digests are of `key`.
    pub fn new(key: Key) -> Self {
        Self {
            key,
            hosts: Mutex::default(),
        }
    }

    /// What was decided so far, by host.
    pub fn decisions(&self) -> BTreeMap<String, Decisions> {
        self.lock().clone()
    }

    pub(crate) fn entered(&self, host: &str, play: (String, String)) {
        self.lock().entry(host.to_owned()).or_default().plays.insert(play);
    }

    pub(crate) fn decided(&self, host: &str, planned: Planned) {
        self.lock().entry(host.to_owned()).or_default().tasks.push(planned);
    }

    pub(crate) fn cut_off(&self, host: &str, lost: bool) {
        let mut hosts = self.lock();
        let decisions = hosts.entry(host.to_owned()).or_default();
        decisions.cut_off = true;
        decisions.lost |= lost;
    }

    pub(crate) fn failed(&self, host: &str, message: &str) {
        self.lock().entry(host.to_owned()).or_default().failure = Some(message.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Decisions>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a run is bound to.
#[derive(Debug)]
pub struct Binding {
    /// The key that the plan's digests are of.
    pub key: Key,
    /// What was planned, by host. A host that is not among them is left as it is.
    pub hosts: BTreeMap<String, BoundHost>,
}

/// What a plan has of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoundHost {
    /// Its decisions, to the end.
    Planned(Vec<Planned>),
    /// Nothing that could be applied, and why.
    NotPlanned(String),
}

#[cfg(test)]
mod tests;
