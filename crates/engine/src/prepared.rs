//! A run that is ready: every host's tasks are known, and nothing has been connected to.

use crate::journal::RunSummary;
use crate::task::Task;
use indexmap::{IndexMap, IndexSet};
use mosip_prov_inventory::diagnostic::Diagnostic;
use mosip_prov_transport::{Identity, Target};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Playbooks made into task lists. Made by [`crate::prepare`], run by [`crate::Engine::run`].
pub struct Prepared {
    pub(crate) playbooks: Vec<String>,
    pub(crate) plays: Vec<PreparedPlay>,
    pub(crate) targets: HashMap<Arc<str>, Target>,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// One play, ready.
pub struct PreparedPlay {
    pub(crate) playbook: String,
    pub(crate) name: String,
    pub(crate) hosts: IndexMap<Arc<str>, PreparedHost>,
    pub(crate) batches: Vec<Vec<Arc<str>>>,
    pub(crate) max_fail_percentage: Option<u8>,
    pub(crate) wait_for_hosts: Duration,
    /// The hosts that the play does something for from elsewhere.
    pub(crate) serves: Vec<Arc<str>>,
    /// The machines that tasks of other hosts are carried out on, once somebody has asked.
    pub(crate) helpers: OnceLock<BTreeSet<Arc<str>>>,
    /// The same with those that are only asked something.
    pub(crate) consulted: OnceLock<BTreeSet<Arc<str>>>,
}

/// A host's part in a play.
pub struct PreparedHost {
    pub(crate) identity: Identity,
    pub(crate) roles: Vec<PreparedRole>,
}

/// A role's tasks on a host.
pub struct PreparedRole {
    pub(crate) name: String,
    pub(crate) tasks: Vec<Task>,
    pub(crate) handlers: Vec<Task>,
    /// An earlier run got into this role: the handlers it owes are done even where no task is left.
    pub(crate) resumed: bool,
}

impl PreparedRole {
    /// Whether there may be anything to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.tasks.is_empty() || self.resumed
    }
}

impl Prepared {
    /// The names of the playbooks, in order.
    pub fn playbooks(&self) -> &[String] {
        &self.playbooks
    }

    /// The plays, in order.
    pub fn plays(&self) -> &[PreparedPlay] {
        &self.plays
    }

    /// All hosts that tasks run for, each once, in the order of the plays.
    pub fn hosts(&self) -> Vec<&str> {
        let all: IndexSet<&str> = self
            .plays
            .iter()
            .flat_map(|p| p.hosts.keys())
            .map(AsRef::as_ref)
            .collect();
        all.into_iter().collect()
    }

    /// Leaves out what an earlier run has done: per host, everything before the first task that did not succeed. Returns
    /// how many tasks were left out.
    pub fn resume(&mut self, run: &RunSummary) -> usize {
        let mut left_out = 0;
        for play in &mut self.plays {
            let key = play.key();
            for (host, part) in &mut play.hosts {
                if run.completed(host, &key) {
                    for role in &mut part.roles {
                        left_out += role.tasks.len();
                        role.tasks.clear();
                    }
                    continue;
                }
                let Some((role, task, done)) = run.position(host, &key) else {
                    continue;
                };
                let Some(at) = part.roles.iter().position(|r| r.name == role) else {
                    continue;
                };
                let Some(index) = part.roles[at].tasks.iter().position(|t| t.name() == task) else {
                    continue;
                };
                for role in &mut part.roles[..at] {
                    left_out += role.tasks.len();
                    role.tasks.clear();
                }
                part.roles[at].resumed = true;
                left_out += part.roles[at].tasks.drain(..index + usize::from(done)).count();
            }
        }
        left_out
    }

    /// Findings that stop nothing, for the operator to know.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}

impl PreparedPlay {
    /// Whether a task of another host is carried out on `machine`.
    pub(crate) fn delegates_to(&self, machine: &str) -> bool {
        // Every host asks this at its end.
        let helpers = self.helpers.get_or_init(|| {
            self.tasks()
                .filter_map(|t| t.delegate_to.as_deref().map(Arc::from))
                .collect()
        });
        helpers.contains(machine)
    }

    /// Whether a task of another host needs `machine` for anything.
    pub(crate) fn needs(&self, machine: &str) -> bool {
        let consulted = self
            .consulted
            .get_or_init(|| self.tasks().flat_map(Task::others).map(Arc::from).collect());
        consulted.contains(machine)
    }

    fn tasks(&self) -> impl Iterator<Item = &Task> {
        let roles = self.hosts.values().flat_map(|h| &h.roles);
        roles.flat_map(|r| r.tasks.iter().chain(&r.handlers))
    }

    /// What the journal calls it: unique in a run of several playbooks.
    pub(crate) fn key(&self) -> String {
        format!("{}: {}", self.playbook, self.name)
    }

    /// What a plan calls it: playbook and play.
    pub(crate) fn name_in_run(&self) -> (String, String) {
        (self.playbook.clone(), self.name.clone())
    }

    /// The playbook it belongs to.
    pub fn playbook(&self) -> &str {
        &self.playbook
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its hosts and their parts, in order.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, &PreparedHost)> {
        self.hosts.iter().map(|(name, host)| (name.as_ref(), host))
    }

    /// The batches in which the hosts are done.
    pub fn batches(&self) -> &[Vec<Arc<str>>] {
        &self.batches
    }
}

impl PreparedHost {
    /// Its roles, in order.
    pub fn roles(&self) -> &[PreparedRole] {
        &self.roles
    }
}

impl PreparedRole {
    /// The role's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The chosen tasks, in order.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The handlers.
    pub fn handlers(&self) -> &[Task] {
        &self.handlers
    }
}
