//! How a run is to be done: what an operator says on the command line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// The choices of a run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many hosts at once; at least 1.
    pub forks: usize,
    /// Nothing is changed; changes are reported as what would be done.
    pub check: bool,
    /// Only the list of tasks is wanted: files and keys need not be there, and what is wrong becomes a warning.
    pub listing: bool,
    /// Only hosts of this pattern are connected to. Values of the others stay known.
    pub limit: Option<String>,
    /// Only tasks with one of these tags (or tag `always`); empty means all.
    pub tags: Vec<String>,
    /// No task with one of these tags.
    pub skip_tags: Vec<String>,
    /// Tasks before the first one of this name (a glob) are left out.
    pub start_at_task: Option<String>,
    /// Overrides who tasks run as.
    pub become_user: Option<String>,
    /// How long one exchange may take.
    pub command_timeout: Duration,
    /// How long to wait for another run that works on a host.
    pub lock_timeout: Duration,
    /// How long a connection that was lost is tried to be made again.
    pub reconnect_timeout: Duration,
    /// Whether replaced files are put back when what follows from them fails.
    pub rollback: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            forks: 12,
            check: false,
            listing: false,
            limit: None,
            tags: Vec::new(),
            skip_tags: Vec::new(),
            start_at_task: None,
            become_user: None,
            command_timeout: Duration::from_secs(300),
            lock_timeout: Duration::from_secs(600),
            reconnect_timeout: Duration::from_secs(120),
            rollback: true,
        }
    }
}

impl RunOptions {
    /// Whether tasks with `tags` are chosen, by Ansible's rules: `always` unless skipped by name, `never` only when
    /// asked for by a tag of its own.
    pub fn chooses<'t>(&self, tags: impl IntoIterator<Item = &'t str>) -> bool {
        let tags: Vec<&str> = tags.into_iter().collect();
        let has = |wanted: &str| match wanted {
            "all" => true,
            "tagged" => !tags.is_empty(),
            "untagged" => tags.is_empty(),
            name => tags.contains(&name),
        };
        if self
            .skip_tags
            .iter()
            .any(|t| if t == "all" { !tags.contains(&"always") } else { has(t) })
        {
            return false;
        }
        let never = tags.contains(&"never");
        if self.tags.is_empty() {
            return !never;
        }
        let named = self.tags.iter().any(|t| if t == "all" { !never } else { has(t) });
        named || (tags.contains(&"always") && !never)
    }
}

/// Stops a run from outside. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct CancelHandle(Arc<Cancel>);

#[derive(Debug, Default)]
struct Cancel {
    asked: AtomicBool,
    notify: Notify,
}

impl CancelHandle {
    /// A handle that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to stop: no further task begins, what is under way ends in an orderly way.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        self.0.notify.notify_waiters();
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Returns once it was asked to stop.
    pub async fn cancelled(&self) {
        loop {
            let notified = self.0.notify.notified();
            if self.is_cancelled() {
                return;
            }
            notified.await;
        }
    }

    /// Sleeps for `time`, or until asked to stop.
    pub(crate) async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(tags: &[&str], skip: &[&str]) -> RunOptions {
        RunOptions {
            tags: tags.iter().map(|t| (*t).to_owned()).collect(),
            skip_tags: skip.iter().map(|t| (*t).to_owned()).collect(),
            ..RunOptions::default()
        }
    }

    #[test]
    fn tags_choose_as_ansible_does() {
        for (tags, skip, task, chosen) in [
            (&[][..], &[][..], &[][..], true),
            (&[], &[], &["never", "x"], false),
            (&["x"], &[], &["never", "x"], true),
            (&["x"], &[], &[], false),
            (&["x"], &[], &["always"], true),
            (&["x"], &["always"], &["always"], false),
            (&[], &["x"], &["x", "y"], false),
            (&["all"], &["x"], &["y"], true),
            (&["tagged"], &[], &["y"], true),
            (&["untagged"], &[], &["y"], false),
            (&["untagged"], &[], &[], true),
            (&[], &["all"], &["always"], true),
            (&[], &["all"], &["x"], false),
        ] {
            assert_eq!(
                options(tags, skip).chooses(task.iter().copied()),
                chosen,
                "--tags {tags:?} --skip-tags {skip:?} on {task:?}"
            );
        }
    }
}
