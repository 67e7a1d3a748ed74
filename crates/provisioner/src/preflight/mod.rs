//! The checks before a deployment: what the guide has a person look at, looked at all at once, and nothing is changed.
//!
//! ```no_run
//! # async fn example(provisioner: &mosip_prov::Provisioner) -> Result<(), Box<dyn std::error::Error>> {
//! use mosip_prov::CancelHandle;
//! use mosip_prov::preflight::{Area, PreflightOptions};
//!
//! let options = PreflightOptions { areas: vec![Area::Hosts, Area::Network], ..PreflightOptions::default() };
//! let preflight = provisioner.preflight(&options)?;
//! for finding in preflight.run(&|_| {}, &CancelHandle::new()).await {
//!     println!("{}: {}", finding.subject, finding.message);
//! }
//! # Ok(()) }
//! ```

mod certificates;
mod dns;
mod fleet;
mod keys;
mod machines;
mod tools;

use crate::{InputErrors, Provisioner};
use machines::Machines;
use mosip_prov_engine::{CancelHandle, RunOutcome};
use mosip_prov_events::{Finding, Level};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_transport::{Connector, Prompt};
use std::net::SocketAddr;
use std::sync::Arc;

/// The check of a host that could not be reached: see [`outcome`].
pub const UNREACHABLE: &str = "unreachable";

/// A part of the surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// The records of the domain.
    Dns,
    /// Certificates and keys of both fronts.
    Certificates,
    /// Sizes, releases, disks, clocks, names, ports and address ranges of the machines.
    Hosts,
    /// Ways between the machines, and what fits through them.
    Network,
    /// Programs on the deployment node.
    Tools,
    /// SSH keys.
    Keys,
}

impl Area {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Dns,
        Self::Certificates,
        Self::Hosts,
        Self::Network,
        Self::Tools,
        Self::Keys,
    ];

    /// Its name on the command line and in findings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Certificates => "certificates",
            Self::Hosts => "hosts",
            Self::Network => "network",
            Self::Tools => "tools",
            Self::Keys => "keys",
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct PreflightOptions {
    /// These areas; all of them when there is none here.
    pub areas: Vec<Area>,
    /// The servers that are asked for DNS records; the system's resolver when there is none here.
    pub nameservers: Vec<SocketAddr>,
    /// A certificate that ends within so many days is a warning.
    pub threshold_days: u32,
    /// Only what needs neither hosts nor DNS: keys, certificates, address ranges.
    pub fixed_only: bool,
}

impl Default for PreflightOptions {
    fn default() -> Self {
        Self {
            areas: Vec::new(),
            nameservers: Vec::new(),
            threshold_days: 30,
            fixed_only: false,
        }
    }
}

impl PreflightOptions {
    /// Whether `area` is looked at.
    pub fn has(&self, area: Area) -> bool {
        self.areas.is_empty() || self.areas.contains(&area)
    }
}

/// What happens while the checks go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A host has said all, or could not be asked.
    Host {
        /// Its name.
        name: String,
        /// Round trips with it; 0 when it was not reached.
        exchanges: u64,
        /// Hosts that are done, this one among them.
        done: usize,
        /// All hosts that are asked.
        of: usize,
    },
    /// An area is done.
    Area(Area),
}

/// Who is told of [`Progress`].
pub type Listener<'a> = dyn Fn(&Progress) + Send + Sync + 'a;

/// Checks that are ready to be made. All inputs are right; nothing has been connected to.
pub struct Preflight {
    options: PreflightOptions,
    keys: Vec<Finding>,
    ranges: Vec<Finding>,
    machines: Option<Machines>,
    dns: Option<dns::Dns>,
    certificates: Option<certificates::Certificates>,
    warnings: Vec<Diagnostic>,
}

impl Provisioner {
    /// Makes the checks of the surroundings ready. A key, a certificate or a host that is not as it should be is a finding;
    /// an inventory that cannot be understood is an error.
    ///
    /// # Errors
    /// Everything that is wrong with inventory, variables and selection.
    pub fn preflight(&self, options: &PreflightOptions) -> Result<Preflight, InputErrors> {
        let mut problems = Diagnostics::new();
        problems.extend(self.half_filled().iter().cloned());
        let fleet = fleet::read(self, &mut problems);
        let rke = keys::rke_here(self, &fleet);
        let (keys, files, unusable) = keys::check(self, rke.as_deref(), &mut problems);
        let dns = (options.has(Area::Dns) && !options.fixed_only)
            .then(|| dns::Dns::read(self, options, &mut problems))
            .flatten();
        let certificates = options
            .has(Area::Certificates)
            .then(|| certificates::Certificates::read(self, options, &mut problems))
            .flatten();
        if problems.has_errors() {
            return Err(problems.into());
        }
        // For keys too: that of RKE is on the deployment node.
        let asks = machines::AREAS.into_iter().any(|area| options.has(area));
        let machines = match asks && !options.fixed_only {
            true => Machines::prepare(self, options, &fleet, &files, &unusable)?,
            false => None,
        };
        let mut warnings: Vec<Diagnostic> = problems.into_iter().collect();
        warnings.extend(machines.iter().flat_map(|m| m.warnings().iter().cloned()));
        Ok(Preflight {
            ranges: match options.has(Area::Hosts) && machines.is_none() {
                true => mosip_prov_preflight::ranges::check(&fleet.ranges, &fleet.places(), &[]),
                false => Vec::new(),
            },
            keys: match options.has(Area::Keys) {
                true => keys,
                false => Vec::new(),
            },
            options: options.clone(),
            machines,
            dns,
            certificates,
            warnings,
        })
    }
}

impl Preflight {
    /// Findings about the inventory that stop nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The hosts that will be asked.
    pub fn hosts(&self) -> Vec<&str> {
        self.machines.as_ref().map_or_else(Vec::new, Machines::hosts)
    }

    /// The same, asking `prompt` for the passphrases of keys.
    #[must_use]
    pub fn with_prompt(mut self, prompt: Arc<dyn Prompt>) -> Self {
        self.machines = self.machines.map(|machines| machines.with_prompt(prompt));
        self
    }

    /// The same, reaching hosts in another way than SSH and local shells: fakes for tests, for example.
    #[must_use]
    pub fn with_connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.machines = self.machines.map(|machines| machines.with_connector(connector));
        self
    }

    /// Makes them, all areas at once. When `cancel` is used, what was found by then is returned: of the machines that had
    /// said all, and of dns and certificates where they were done; see [`CancelHandle::is_cancelled`].
    pub async fn run(&self, progress: &Listener<'_>, cancel: &CancelHandle) -> Vec<Finding> {
        let machines = async {
            let found = match &self.machines {
                Some(machines) => machines.run(&self.options, progress, cancel).await,
                None => self.ranges.clone(),
            };
            for area in [Area::Hosts, Area::Network, Area::Tools] {
                self.done(area, progress, cancel);
            }
            found
        };
        let dns = async {
            let found = match &self.dns {
                Some(dns) => unless(cancel, dns.run()).await,
                None => Vec::new(),
            };
            self.done(Area::Dns, progress, cancel);
            found
        };
        let certificates = async {
            let found = match &self.certificates {
                Some(certificates) => unless(cancel, certificates.run()).await,
                None => Vec::new(),
            };
            self.done(Area::Certificates, progress, cancel);
            found
        };
        let (machines, dns, certificates) = tokio::join!(machines, dns, certificates);
        let mut all = [dns, certificates, machines, self.keys.clone()].concat();
        // A stable sort: within an area, the order of its checks.
        all.sort_by_key(|finding| Area::ALL.iter().position(|area| area.name() == finding.area));
        all
    }

    fn done(&self, area: Area, progress: &Listener<'_>, cancel: &CancelHandle) {
        if self.options.has(area) && !cancel.is_cancelled() {
            progress(&Progress::Area(area));
        }
    }
}

/// What `work` finds, or nothing when it is not wanted any more.
async fn unless(cancel: &CancelHandle, work: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    tokio::select! {
        found = work => found,
        () = cancel.cancelled() => Vec::new(),
    }
}

/// What it comes to: failed when something is wrong; unreachable when a host could not be reached and nothing else is.
pub fn outcome(findings: &[Finding]) -> RunOutcome {
    let mut failures = findings.iter().filter(|f| f.level == Level::Failure).peekable();
    match (failures.peek().is_some(), failures.all(|f| f.check == UNREACHABLE)) {
        (false, _) => RunOutcome::Ok,
        (true, true) => RunOutcome::Unreachable,
        (true, false) => RunOutcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_counts_above_who_was_not_reached() {
        let fine = Finding::ok("hosts", "memory", "vm1", "32 GiB");
        let told = Finding::warning("hosts", "release", "vm1", "Debian 12", "Ubuntu 22.04 is the guide's");
        let away = Finding::failure("hosts", UNREACHABLE, "vm2", "no answer", "start it");
        let wrong = Finding::failure("keys", "mode", "id", "0644", "chmod 600 id");
        let of = |findings: &[&Finding]| outcome(&findings.iter().copied().cloned().collect::<Vec<_>>());
        assert_eq!(of(&[]), RunOutcome::Ok);
        assert_eq!(of(&[&fine, &told]), RunOutcome::Ok);
        assert_eq!(of(&[&fine, &away, &away]), RunOutcome::Unreachable);
        assert_eq!(of(&[&away, &wrong]), RunOutcome::Failed);
        assert_eq!(of(&[&wrong, &away]), RunOutcome::Failed);
    }

    #[test]
    fn no_area_means_all() {
        let all = PreflightOptions::default();
        assert!(Area::ALL.into_iter().all(|area| all.has(area)));
        let some = PreflightOptions {
            areas: vec![Area::Keys],
            ..all
        };
        assert!(some.has(Area::Keys) && !some.has(Area::Dns));
    }
}
