//! Importing the main cluster into Rancher without its dashboard: the import URL is asked of Rancher's API, and used in the
//! same run.
//!
//! ```no_run
//! # async fn example(provisioner: mosip_prov::Provisioner) -> Result<(), Box<dyn std::error::Error>> {
//! use mosip_prov::CancelHandle;
//! use mosip_prov::rancher::{Given, Importing};
//!
//! let playbook = provisioner.find("deploy-rancher")?;
//! let cancel = CancelHandle::new();
//! let ready = match provisioner.prepare_importing(&[playbook], &Given::default())? {
//!     Importing::Ready(ready) => ready,
//!     Importing::Ask(ask) => ask.ask(|progress| eprintln!("{progress}"), &cancel).await?.ready,
//! };
//! ready.with_journal()?.run(|_| {}, &cancel).await;
//! # Ok(()) }
//! ```

use crate::{InputErrors, Provisioner, Ready};
use mosip_prov_engine::{CancelHandle, Playbook};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_inventory::value::Value;
use mosip_prov_inventory::vars::HostVars;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;

pub use mosip_prov_rancher::{
    Access, Credential, Imported, Mode, Outcome, Patience, Progress, RancherError, Secret, ServerUrl, Trust, Wanted,
};

/// The variable that has the import URL, by hand or out of Rancher.
pub const URL_VARIABLE: &str = "rancher_import_url";
/// The variable by which the roles know that the URL is still to be had.
const LATER_VARIABLE: &str = "rancher_import_later";
/// The tasks that need it.
const TASK: &str = "Import the cluster into Rancher";
/// Who has the bootstrap password.
const USER: &str = "admin";
/// How long Rancher may take to start, and to make what it makes, in seconds, where `rancher_start_timeout` does not say.
const START_TIMEOUT: i64 = 300;

/// What the caller knows besides the variables.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// The bootstrap password, from Terraform's sensitive output for example; counts where no variable has a token or
    /// password.
    pub password: Option<Secret>,
    /// The cluster's name in Rancher, in place of `rancher_cluster_name`.
    pub name: Option<String>,
}

/// What Rancher is asked for the main cluster of an inventory.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// Where Rancher is, and who asks.
    pub access: Access,
    /// The cluster.
    pub wanted: Wanted,
}

/// Playbooks that are ready, or will be when Rancher was asked.
pub enum Importing {
    /// Rancher need not be asked: nothing of them imports a cluster, or the URL was given, or no password is known.
    Ready(Box<Ready>),
    /// Rancher is to be asked first. All inputs are right; nothing has been connected to.
    Ask(Box<AskRancher>),
}

/// Playbooks that import the cluster, before Rancher was asked.
pub struct AskRancher {
    provisioner: Provisioner,
    playbooks: Vec<Playbook>,
    request: ImportRequest,
}

/// Playbooks after Rancher was asked.
pub struct Asked {
    /// Ready to run, with the import URL.
    pub ready: Box<Ready>,
    /// What Rancher said; `None` when it could not be asked, which stops no plan.
    pub imported: Option<Imported>,
    /// Why it could not be asked (check mode only).
    pub unasked: Option<RancherError>,
}

/// Rancher could not be asked, or what it gave cannot be used.
#[derive(Debug, Error)]
pub enum AskError {
    /// Rancher.
    #[error(transparent)]
    Rancher(#[from] RancherError),
    /// The inputs, with the URL.
    #[error(transparent)]
    Inputs(#[from] InputErrors),
}

impl fmt::Debug for AskRancher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskRancher")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

impl Provisioner {
    /// What Rancher is to be asked, so that the main cluster is imported. `None` when `rancher_import_url` was given by
    /// hand, or neither `rancher_api_token` nor `rancher_bootstrap_password` is set and none was given.
    ///
    /// # Errors
    /// Variables that cannot be used; the address of Rancher is not known.
    pub fn rancher_import(&self, given: &Given) -> Result<Option<ImportRequest>, InputErrors> {
        let mut problems = Diagnostics::new();
        let Some(vars) = self.deployment_vars() else {
            return Ok(None);
        };
        let mut reader = Reader {
            vars,
            problems: &mut problems,
        };
        let request = reader.request(self, given);
        match problems.has_errors() {
            true => Err(problems.into()),
            false => Ok(request),
        }
    }

    /// Whether `rancher_import_url` is given by hand.
    pub fn has_import_url(&self) -> bool {
        self.deployment_vars()
            .and_then(|vars| vars.secret(URL_VARIABLE).ok().flatten())
            .is_some_and(|url| !url.expose().trim().is_empty())
    }

    /// The variables of the deployment node.
    fn deployment_vars(&self) -> Option<&HostVars> {
        let group = self.inventory.hosts_of("deployment");
        self.vars_of(group.first().copied().unwrap_or("localhost"))
    }

    /// As [`Provisioner::prepare`]; where the playbooks import the cluster, and the URL for that is still to be had, Rancher
    /// is to be asked first.
    ///
    /// # Errors
    /// Everything that is wrong with selection, settings and files.
    pub fn prepare_importing(&self, playbooks: &[Playbook], given: &Given) -> Result<Importing, InputErrors> {
        let ready = |ready| Importing::Ready(Box::new(ready));
        let request = match self.rancher_import(given) {
            Ok(Some(request)) => request,
            Ok(None) => return self.prepare(playbooks).map(ready),
            // Only what imports a cluster minds.
            Err(errors) => {
                let later = self.importing_later("Rancher is to be asked").prepare(playbooks);
                return match later {
                    Ok(later) if !imports(&later) => Ok(ready(later)),
                    Ok(_) => Err(errors),
                    Err(more) => {
                        let mut all = errors.0;
                        all.extend(more.0);
                        Err(all.into())
                    }
                };
            }
        };
        let server = &request.access.server;
        let later = self
            .importing_later(&format!("Rancher at {server} is to be asked for the import URL"))
            .prepare(playbooks)?;
        if self.settings.listing || !imports(&later) {
            return Ok(ready(later));
        }
        Ok(Importing::Ask(Box::new(AskRancher {
            provisioner: self.clone(),
            playbooks: playbooks.to_vec(),
            request,
        })))
    }

    /// The same with an import URL, which counts above all other variables and is written nowhere.
    #[must_use]
    pub fn with_import_url(&self, url: &Secret) -> Self {
        self.with_var(URL_VARIABLE, Value::Secret(url.clone()))
    }

    fn importing_later(&self, why: &str) -> Self {
        self.with_var(LATER_VARIABLE, Value::str(why))
    }
}

/// Whether the cluster is imported by something that is still to be done.
fn imports(ready: &Ready) -> bool {
    let plays = ready.prepared().plays().iter();
    plays
        .flat_map(|play| play.hosts())
        .flat_map(|(_, host)| host.roles())
        .flat_map(|role| role.tasks())
        .any(|task| task.name() == TASK)
}

impl AskRancher {
    /// What is asked.
    pub fn request(&self) -> &ImportRequest {
        &self.request
    }

    /// Asks Rancher, in check mode without making anything in it, and prepares the playbooks with what came of it. In check
    /// mode a Rancher that cannot be reached leaves the import unknown.
    ///
    /// # Errors
    /// Rancher's, and of the inputs.
    pub async fn ask(&self, progress: impl FnMut(&Progress), cancel: &CancelHandle) -> Result<Asked, AskError> {
        let check = self.provisioner.settings.check;
        let mode = if check { Mode::Check } else { Mode::Change };
        let (name, server) = (&self.request.wanted.name, &self.request.access.server);
        let imported = match self.request.carry_out(mode, progress, cancel).await {
            Ok(imported) => imported,
            Err(error) if check && error.is_unreachable() => {
                let why = format!("Rancher could not be asked: {error}");
                return Ok(Asked {
                    ready: Box::new(self.provisioner.importing_later(&why).prepare(&self.playbooks)?),
                    imported: None,
                    unasked: Some(error),
                });
            }
            Err(error) => return Err(error.into()),
        };
        let provisioner = match (&imported.url, &imported.outcome) {
            (Some(url), _) => self.provisioner.with_import_url(url),
            (None, Outcome::WouldCreate) => self
                .provisioner
                .importing_later(&format!("the cluster {name} would be created in Rancher at {server}")),
            (None, _) => self
                .provisioner
                .importing_later(&format!("an import URL of {name} would be made in Rancher at {server}")),
        };
        Ok(Asked {
            ready: Box::new(provisioner.prepare(&self.playbooks)?),
            imported: Some(imported),
            unasked: None,
        })
    }
}

impl ImportRequest {
    /// Finds the cluster in Rancher or creates it, and reads its import URL, in a thread of its own. When it is called off,
    /// the request that is under way comes to its end, and the session is ended.
    ///
    /// # Errors
    /// Rancher's.
    pub async fn carry_out(
        &self,
        mode: Mode,
        mut progress: impl FnMut(&Progress),
        cancel: &CancelHandle,
    ) -> Result<Imported, RancherError> {
        let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
        let dropped = OnDrop(Arc::new(AtomicBool::new(false)));
        let (request, cancel, gone) = (self.clone(), cancel.clone(), dropped.0.clone());
        let work = tokio::task::spawn_blocking(move || {
            mosip_prov_rancher::import(
                &request.access,
                &request.wanted,
                mode,
                // Nobody listens any more when the caller has gone.
                &mut |progress| drop(say.send(progress.clone())),
                &|| cancel.is_cancelled() || gone.load(Ordering::SeqCst),
            )
        });
        while let Some(one) = said.recv().await {
            progress(&one);
        }
        match work.await {
            Ok(outcome) => outcome,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Says that nobody waits any more.
struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Reader<'a> {
    vars: &'a HostVars,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        let value = self
            .problems
            .take(self.vars.string(name).map_err(Diagnostic::from))
            .flatten()?;
        Some(value.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn secret(&mut self, name: &str) -> Option<Secret> {
        let value = self
            .problems
            .take(self.vars.secret(name).map_err(Diagnostic::from))
            .flatten()?;
        let text = value.expose().trim();
        (!text.is_empty()).then(|| Secret::new(text.to_owned()))
    }

    fn place(&self, name: &str) -> Option<Location> {
        self.vars.set_at(name)
    }

    fn request(&mut self, provisioner: &Provisioner, given: &Given) -> Option<ImportRequest> {
        if self.secret(URL_VARIABLE).is_some() {
            return None;
        }
        let user = self.text("rancher_user").unwrap_or_else(|| USER.into());
        let credential = match (
            self.secret("rancher_api_token"),
            self.secret("rancher_bootstrap_password"),
        ) {
            (Some(token), _) => Credential::Token(token),
            (None, Some(password)) => Credential::Password { user, password },
            (None, None) => Credential::Password {
                user,
                password: given.password.clone()?,
            },
        };
        if let Credential::Token(token) = &credential
            && !token.expose().chars().all(|c| c.is_ascii_graphic())
        {
            let place = self
                .place("rancher_api_token")
                .map(|place| Location { text: None, ..place });
            self.problems.push(
                Diagnostic::error("rancher_api_token is no API token of Rancher")
                    .at(place)
                    .help("give the bearer token as Rancher shows it, such as token-abcde:…, in a vault"),
            );
        }
        let server = self.server(provisioner);
        let wanted = Wanted {
            name: self.name(given),
            machines: machines(provisioner),
        };
        let trust = self.trust(provisioner);
        let patience = self.patience();
        Some(ImportRequest {
            access: Access {
                server: server?,
                credential,
                trust,
                patience,
            },
            wanted,
        })
    }

    /// `rancher_url`, else the name that the observation front serves, else the one by the guide's custom.
    fn server(&mut self, provisioner: &Provisioner) -> Option<ServerUrl> {
        for (name, host) in [
            ("rancher_url", false),
            ("rancher_hostname", true),
            ("mosip_domain", true),
        ] {
            if name == "mosip_domain"
                && let Some(served) = served_name(provisioner, self.vars)
            {
                return ServerUrl::parse(&format!("https://{served}")).ok();
            }
            let Some(value) = self.text(name) else { continue };
            let url = match (name, host) {
                ("mosip_domain", _) => format!("https://rancher.{value}"),
                (_, true) => format!("https://{value}"),
                _ => value,
            };
            return match ServerUrl::parse(&url) {
                Ok(server) => Some(server),
                Err(error) => {
                    // A secret may be in it.
                    let place = self.place(name).map(|place| Location { text: None, ..place });
                    self.problems.push(
                        Diagnostic::error(format!("{name}: {error}"))
                            .at(place)
                            .help(error.help()),
                    );
                    None
                }
            };
        }
        self.problems.push(
            Diagnostic::error("where Rancher is is not known, and the cluster is to be imported into it")
                .help("set rancher_url, such as https://rancher.example.org; or rancher_import_url, by hand"),
        );
        None
    }

    fn name(&mut self, given: &Given) -> String {
        let name = given.name.clone().map(|name| name.trim().to_owned());
        let (variable, name) = match name.or_else(|| self.text("rancher_cluster_name")) {
            Some(name) => ("rancher_cluster_name", name),
            None => (
                "cluster_name",
                self.text("cluster_name").unwrap_or_else(|| "mosip".into()),
            ),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(plain) || name == "local" {
            self.problems.push(
                Diagnostic::error(format!("{name:?} is no name for the cluster in Rancher"))
                    .at(self.place(variable))
                    .help("use letters, digits, - and _, such as mosip-cluster; local is Rancher's own"),
            );
        }
        name
    }

    fn trust(&mut self, provisioner: &Provisioner) -> Trust {
        let more = self
            .text("rancher_ca_file")
            .map(|path| local_file(&path, provisioner.inventory.base_dir()));
        let trust = Trust {
            system: std::env::var_os("SSL_CERT_FILE").map(PathBuf::from),
            more,
        };
        if trust.more.is_some()
            && let Err(error) = trust.roots("Rancher")
        {
            self.problems.push(
                Diagnostic::error(error.to_string())
                    .at(self.place("rancher_ca_file"))
                    .help(error.help()),
            );
        }
        trust
    }

    fn patience(&mut self) -> Patience {
        let name = "rancher_start_timeout";
        let number = self
            .problems
            .take(self.vars.int(name).map_err(Diagnostic::from))
            .flatten();
        let seconds = number.unwrap_or(START_TIMEOUT);
        if !(1..=86_400).contains(&seconds) {
            self.problems.push(
                Diagnostic::error(format!("{name} is {seconds}, and a number from 1 to 86400 is wanted"))
                    .at(self.place(name))
                    .help("correct the number"),
            );
        }
        let whole = Duration::from_secs(seconds.clamp(1, 86_400).unsigned_abs());
        Patience {
            starting: whole,
            ready: whole,
            pause: (whole / 50).clamp(Duration::from_millis(50), Duration::from_secs(2)),
            ..Patience::default()
        }
    }
}

/// The name among those of the observation front that begins with `rancher.`, when there is one.
fn served_name(provisioner: &Provisioner, vars: &HostVars) -> Option<String> {
    let front = provisioner.inventory.hosts_of("nginx_obs");
    let of_front = front.first().and_then(|host| provisioner.vars_of(host));
    [Some(vars), of_front].into_iter().flatten().find_map(|vars| {
        let names = vars.string_list("nginx_obs_public_domain_names", true).ok().flatten()?;
        names.into_iter().find(|name| name.starts_with("rancher."))
    })
}

/// Names and addresses of the main cluster's machines.
fn machines(provisioner: &Provisioner) -> Vec<String> {
    let mut all = Vec::new();
    for host in provisioner.inventory.hosts_of("physical_vms") {
        all.push(host.to_owned());
        let vars = provisioner.vars_of(host);
        for name in ["ansible_host", "node_ip"] {
            all.extend(vars.and_then(|vars| vars.string(name).ok().flatten()));
        }
    }
    all
}

/// A file of this machine that a variable names: relative ones are beside the inventory.
pub(crate) fn local_file(path: &str, base: Option<&Path>) -> PathBuf {
    let path = mosip_prov_preflight::paths::expand_tilde(path);
    match base {
        Some(base) if path.is_relative() => base.join(path),
        _ => path,
    }
}
