//! The library, as the command line needs it: settings from flags, playbooks by name, everything that is wrong in one
//! list. All that is asked of `mosip_prov` before a run is asked here.

use crate::args::{BecomeOptions, ConnectionOptions, HostKeys, InventoryOptions, SurvivalOptions, VaultOptions, What};
use crate::prompt::{self, Passphrases, PromptError};
use mosip_prov::deploy::{DeployOptions, Deployment};
use mosip_prov::inventory::VaultSecrets;
use mosip_prov::inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov::peers::PeersOf;
use mosip_prov::preflight::{Preflight, PreflightOptions};
use mosip_prov::rancher::{Given, ImportRequest, Importing};
use mosip_prov::transport::{HostKeyPolicy, Secret};
use mosip_prov::verify::{Verification, VerifyOptions, Which};
use mosip_prov::{InputErrors, PlaybookDefinition as Playbook, Provisioner, Ready, Settings};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The environment variable that names the inventory.
const INVENTORY_VARIABLE: &str = "MOSIP_PROV_INVENTORY";
/// The folder that is read when nothing names one.
const INVENTORY_FOLDER: &str = "inventory";

/// Why there is nothing to go on with.
#[derive(Debug)]
pub enum Stop {
    /// The inputs are wrong: all that was found, warnings too.
    Inputs(Vec<Diagnostic>),
    /// The operator pressed Ctrl-C at a password.
    Interrupted,
}

impl From<Diagnostic> for Stop {
    fn from(one: Diagnostic) -> Self {
        Self::Inputs(vec![one])
    }
}

impl From<InputErrors> for Stop {
    fn from(errors: InputErrors) -> Self {
        Self::Inputs(errors.diagnostics().iter().cloned().collect())
    }
}

impl From<PromptError> for Stop {
    fn from(error: PromptError) -> Self {
        match error {
            PromptError::Interrupted => Self::Interrupted,
            other => Diagnostic::error(other.to_string()).help(other.help()).into(),
        }
    }
}

/// The names of all playbooks, in the order in which they are listed.
pub fn playbook_names() -> Vec<String> {
    mosip_prov::playbooks::all().into_iter().map(|p| p.name).collect()
}

/// What a word on the command line would be called as a playbook: `playbooks/deploy-nginx.yml` is `deploy-nginx`.
pub fn playbook_name(word: &str) -> String {
    let file = Path::new(word).file_name().map_or(word.into(), |f| f.to_string_lossy());
    let name = file.strip_suffix(".yml").or_else(|| file.strip_suffix(".yaml"));
    name.unwrap_or(&file).replace('_', "-")
}

/// Reads the inventory to look at it. Returns what was found besides.
pub fn load_inventory(options: &InventoryOptions) -> Result<(Provisioner, Vec<Diagnostic>), Stop> {
    let mut settings = Settings::default();
    let mut problems = Diagnostics::new();
    read_inventory_options(options, &mut settings, &mut problems)?;
    if problems.has_errors() {
        return Err(Stop::Inputs(problems.into_iter().collect()));
    }
    match Provisioner::load_for_listing(settings) {
        Ok(provisioner) => {
            let warnings = provisioner.warnings().to_vec();
            Ok((provisioner, warnings))
        }
        Err(errors) => Err(Stop::Inputs(errors.diagnostics().iter().cloned().collect())),
    }
}

/// What is prepared for.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// Changing the hosts.
    Run(SurvivalOptions),
    /// Saying what would be changed.
    Check,
    /// The same, to be kept and applied later.
    Plan,
    /// Listing; nothing is connected to.
    List,
}

/// Reads and checks everything for listing. Returns what was found besides.
pub fn prepare_listing(what: &What) -> Result<(Ready, Vec<Diagnostic>), Stop> {
    let (importing, mut found) = prepare_importing(what, Mode::List)?;
    match importing {
        Importing::Ready(ready) => {
            found.extend(ready.warnings().iter().cloned());
            Ok((*ready, found))
        }
        Importing::Ask(_) => unreachable!("nobody is asked for a list"),
    }
}

/// Reads and checks everything for a run of playbooks that need not be looked up; `problems` is what was found so far.
/// Passwords are asked for last, when all else is right, unless a vault must be opened first. Returns what was found besides.
pub fn prepare_these(
    what: &What,
    mode: Mode,
    playbooks: &[Playbook],
    problems: Diagnostics,
) -> Result<(Ready, Vec<Diagnostic>), Stop> {
    let (ready, mut found) = with_inventory(what, mode, problems, |provisioner| {
        if playbooks.is_empty() {
            let mut half_filled = Diagnostics::new();
            half_filled.extend(provisioner.half_filled().iter().cloned());
            return Err(half_filled.into());
        }
        provisioner.prepare(playbooks)
    })?;
    found.extend(ready.warnings().iter().cloned());
    Ok((ready.with_prompt(Arc::new(Passphrases)), found))
}

/// The same for playbooks by name, which may import the cluster into Rancher: then Rancher is to be asked before they run.
pub fn prepare_importing(what: &What, mode: Mode) -> Result<(Importing, Vec<Diagnostic>), Stop> {
    let mut problems = Diagnostics::new();
    let playbooks = find_playbooks(&what.playbooks, &mut problems);
    if playbooks.is_empty() {
        let (ready, found) = prepare_these(what, mode, &playbooks, problems)?;
        return Ok((Importing::Ready(Box::new(ready)), found));
    }
    with_inventory(what, mode, problems, |provisioner| {
        provisioner.prepare_importing(&playbooks, &Given::default())
    })
}

/// Reads and checks what Rancher is to be asked; `None` when the import URL is given.
pub fn rancher_request(what: &What, given: &Given) -> Result<(Option<ImportRequest>, Vec<Diagnostic>), Stop> {
    with_inventory(what, Mode::Check, Diagnostics::new(), |provisioner| {
        let mut half_filled = Diagnostics::new();
        half_filled.extend(provisioner.half_filled().iter().cloned());
        if half_filled.has_errors() {
            return Err(half_filled.into());
        }
        let request = provisioner.rancher_import(given)?;
        if request.is_none() && !provisioner.has_import_url() {
            let problem = Diagnostic::error("neither rancher_api_token nor rancher_bootstrap_password is set")
                .help("set one of them, in a vault; or set rancher_import_url by hand");
            let mut problems = Diagnostics::new();
            problems.push(problem);
            return Err(problems.into());
        }
        Ok(request)
    })
}

/// Reads and checks everything for looking at the peers of the VPN.
pub fn look_at_peers(what: &What) -> Result<(PeersOf, Vec<Diagnostic>), Stop> {
    let (peers, mut found) = with_inventory(what, Mode::Check, Diagnostics::new(), PeersOf::prepare)?;
    found.extend(peers.warnings().iter().cloned());
    Ok((peers.map(|asking| asking.with_prompt(Arc::new(Passphrases))), found))
}

/// Reads and checks everything for the checks before a deployment.
pub fn preflight(what: &What, options: &PreflightOptions) -> Result<(Preflight, Vec<Diagnostic>), Stop> {
    let (preflight, mut found) = with_inventory(what, Mode::Check, Diagnostics::new(), |p| p.preflight(options))?;
    found.extend(preflight.warnings().iter().cloned());
    Ok((preflight.with_prompt(Arc::new(Passphrases)), found))
}

/// Reads and checks everything for looking whether a deployment works.
pub fn verify(what: &What, which: Which, options: &VerifyOptions) -> Result<(Verification, Vec<Diagnostic>), Stop> {
    let (verification, mut found) =
        with_inventory(what, Mode::Check, Diagnostics::new(), |p| p.verify(which, options))?;
    found.extend(verification.warnings().iter().cloned());
    Ok((verification.with_prompt(Arc::new(Passphrases)), found))
}

/// Reads and checks everything for a deployment.
pub fn deployment(what: &What, mode: Mode, options: DeployOptions) -> Result<(Deployment, Vec<Diagnostic>), Stop> {
    let mut problems = Diagnostics::new();
    let settings = whole_settings(what, mode, &mut problems)?;
    if problems.has_errors() {
        return Err(Stop::Inputs(problems.into_iter().collect()));
    }
    let deployment = Deployment::prepare(settings, options)?;
    let mut found: Vec<Diagnostic> = problems.into_iter().collect();
    found.extend(deployment.warnings().iter().cloned());
    Ok((deployment, found))
}

/// Reads everything for looking at where a deployment stands.
pub fn to_look_at(what: &What) -> Result<(Deployment, Vec<Diagnostic>), Stop> {
    let mut problems = Diagnostics::new();
    let settings = whole_settings(what, Mode::Check, &mut problems)?;
    if problems.has_errors() {
        return Err(Stop::Inputs(problems.into_iter().collect()));
    }
    let deployment = Deployment::to_look_at(settings)?;
    let mut found: Vec<Diagnostic> = problems.into_iter().collect();
    found.extend(deployment.warnings().iter().cloned());
    Ok((deployment, found))
}

/// All settings, with passwords asked for.
fn whole_settings(what: &What, mode: Mode, problems: &mut Diagnostics) -> Result<Settings, Stop> {
    let mut settings = settings_of(what, mode);
    read_inventory_options(&what.inventory, &mut settings, problems)?;
    let listing = matches!(mode, Mode::List);
    read_passwords(&what.connection, &what.privilege, listing, &mut settings, problems)?;
    Ok(settings)
}

/// Reads everything that `then` needs, and says all that is wrong in one list, what `then` finds included.
fn with_inventory<T>(
    what: &What,
    mode: Mode,
    mut problems: Diagnostics,
    then: impl FnOnce(&Provisioner) -> Result<T, InputErrors>,
) -> Result<(T, Vec<Diagnostic>), Stop> {
    let settings = whole_settings(what, mode, &mut problems)?;
    let mut found: Vec<Diagnostic> = problems.iter().cloned().collect();
    // Without an inventory or a playbook there is nothing further to be said about them.
    if settings.inventory.is_empty() {
        return Err(Stop::Inputs(found));
    }
    match Provisioner::load(settings) {
        Err(errors) => found.extend(errors.diagnostics().iter().cloned()),
        Ok(provisioner) => {
            found.extend(provisioner.warnings().iter().cloned());
            match then(&provisioner) {
                Err(errors) => found.extend(errors.diagnostics().iter().cloned()),
                Ok(made) if !problems.has_errors() => return Ok((made, found)),
                Ok(_) => {}
            }
        }
    }
    Err(Stop::Inputs(found))
}

fn find_playbooks(words: &[String], problems: &mut Diagnostics) -> Vec<Playbook> {
    let mut found = Vec::new();
    for word in words {
        match mosip_prov::playbooks::find(word) {
            Ok(playbook) => found.push(playbook),
            Err(error) => problems.push(unknown_playbook(word, error.suggestion)),
        }
    }
    found
}

fn unknown_playbook(word: &str, suggestion: Option<String>) -> Diagnostic {
    let name = playbook_name(word);
    if name != word && playbook_names().contains(&name) {
        return Diagnostic::error(format!("`{word}` is not read: playbooks are part of this program"))
            .help(format!("say `{name}`"));
    }
    let all = "`mosip-prov playbooks` lists them all";
    Diagnostic::error(format!("there is no playbook `{word}`")).help(match suggestion {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all.to_owned(),
    })
}

/// The one of `names` that `word` most likely means.
pub fn nearest(word: &str, names: &[String]) -> Option<String> {
    names
        .iter()
        .map(|name| (strsim::jaro_winkler(word, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone())
}

fn settings_of(what: &What, mode: Mode) -> Settings {
    let become_user = match (&what.privilege.become_user, what.privilege.r#become) {
        (Some(user), _) => Some(user.clone()),
        (None, true) => Some("root".to_owned()),
        (None, false) => None,
    };
    let defaults = Settings::default();
    let survival = match mode {
        Mode::Run(survival) => Some(survival),
        Mode::Check | Mode::Plan | Mode::List => None,
    };
    Settings {
        resume: survival.is_some_and(|s| s.resume),
        rollback: survival.is_none_or(|s| !s.repair.no_rollback),
        lock_timeout: survival.map_or(defaults.lock_timeout, |s| Duration::from_secs(s.repair.lock_timeout)),
        reconnect_timeout: survival.map_or(defaults.reconnect_timeout, |s| {
            Duration::from_secs(s.repair.reconnect_timeout)
        }),
        limit: what.selection.limit.clone(),
        tags: what.selection.tags.clone(),
        skip_tags: what.selection.skip_tags.clone(),
        start_at_task: what.selection.start_at_task.clone(),
        forks: what.selection.forks,
        check: !matches!(mode, Mode::Run(_)),
        to_apply: matches!(mode, Mode::Plan),
        listing: matches!(mode, Mode::List),
        user: what.connection.user.clone(),
        private_key: what.connection.private_key.clone(),
        connection: what.connection.connection.clone(),
        connect_timeout: what.connection.timeout.map(Duration::from_secs),
        become_user,
        host_keys: what.connection.known_hosts.map(|policy| match policy {
            HostKeys::Strict => HostKeyPolicy::Strict,
            HostKeys::AcceptNew => HostKeyPolicy::AcceptNew,
            HostKeys::Off => HostKeyPolicy::Off,
        }),
        known_hosts: what.connection.known_hosts_file.clone(),
        ssh_config: what.connection.ssh_config.clone(),
        ..defaults
    }
}

fn read_inventory_options(
    options: &InventoryOptions,
    settings: &mut Settings,
    problems: &mut Diagnostics,
) -> Result<(), Stop> {
    let variable = std::env::var(INVENTORY_VARIABLE).ok();
    match inventory_sources(
        &options.inventory,
        variable.as_deref(),
        Path::new(INVENTORY_FOLDER).exists(),
    ) {
        Ok(sources) => settings.inventory = sources,
        Err(problem) => problems.push(problem),
    }
    settings.extra_vars.clone_from(&options.extra_vars);
    settings.vault = vault_secrets(&options.vault, problems)?;
    Ok(())
}

/// Which inventories are read.
fn inventory_sources(named: &[String], variable: Option<&str>, folder_exists: bool) -> Result<Vec<String>, Diagnostic> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let parts: Vec<String> = match variable {
        // A list of hosts has commas, and may have ports.
        Some(list) if list.contains(',') => vec![list.to_owned()],
        Some(list) => list.split(':').filter(|p| !p.is_empty()).map(Into::into).collect(),
        None => Vec::new(),
    };
    match (parts.is_empty(), folder_exists) {
        (false, _) => Ok(parts),
        (true, true) => Ok(vec![INVENTORY_FOLDER.to_owned()]),
        (true, false) => Err(Diagnostic::error("there is no inventory").help(format!(
            "name it with -i, set {INVENTORY_VARIABLE}, or run from the folder that holds `{INVENTORY_FOLDER}/`"
        ))),
    }
}

fn vault_secrets(options: &VaultOptions, problems: &mut Diagnostics) -> Result<VaultSecrets, Stop> {
    let mut secrets = VaultSecrets::none();
    for path in &options.vault_password_file {
        if let Err(error) = secrets.add_file("default", path) {
            problems.push(Diagnostic::error(error.to_string()).help(error.help()));
        }
    }
    if options.ask_vault_pass {
        match prompt::ask("Vault password")? {
            Some(password) => secrets.add("default", password),
            None => problems.push(Diagnostic::error("no vault password was given").help("run the command again")),
        }
    }
    Ok(secrets)
}

fn read_passwords(
    connection: &ConnectionOptions,
    privilege: &BecomeOptions,
    listing: bool,
    settings: &mut Settings,
    problems: &mut Diagnostics,
) -> Result<(), Stop> {
    // Whoever only looks is not asked.
    if listing {
        return Ok(());
    }
    let mut read = |ask: bool, file: &Option<PathBuf>, what: &str| -> Result<Option<Secret>, Stop> {
        match file {
            Some(path) => match prompt::from_file(what, path) {
                Ok(secret) => Ok(Some(secret)),
                Err(error) => {
                    problems.push(Diagnostic::error(error.to_string()).help(error.help()));
                    Ok(None)
                }
            },
            None if ask => Ok(prompt::ask(what)?),
            None => Ok(None),
        }
    };
    settings.ssh_password = read(
        connection.ask_pass,
        &connection.connection_password_file,
        "Login password",
    )?;
    let what = match (&settings.ssh_password, privilege.password.ask_become_pass) {
        (Some(_), true) => "Sudo password (Enter: the login password)",
        _ => "Sudo password",
    };
    settings.become_password = read(
        privilege.password.ask_become_pass,
        &privilege.password.become_password_file,
        what,
    )?;
    if privilege.password.ask_become_pass && settings.become_password.is_none() {
        settings.become_password.clone_from(&settings.ssh_password);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(named: &[&str], variable: Option<&str>, folder: bool) -> Result<Vec<String>, String> {
        let named: Vec<String> = named.iter().map(|n| (*n).to_owned()).collect();
        inventory_sources(&named, variable, folder).map_err(|d| d.message)
    }

    #[test]
    fn where_the_inventory_is() {
        assert_eq!(sources(&["a"], Some("b"), true).unwrap(), ["a"]);
        assert_eq!(sources(&[], Some("b:c"), true).unwrap(), ["b", "c"]);
        assert_eq!(sources(&[], Some("h1:22,h2:22"), true).unwrap(), ["h1:22,h2:22"]);
        assert_eq!(sources(&[], None, true).unwrap(), ["inventory"]);
        assert_eq!(sources(&[], Some(""), true).unwrap(), ["inventory"]);
        assert_eq!(sources(&[], None, false).unwrap_err(), "there is no inventory");
    }

    #[test]
    fn names_of_files_become_names_of_playbooks() {
        assert_eq!(playbook_name("playbooks/deploy-nginx.yml"), "deploy-nginx");
        assert_eq!(playbook_name("./deploy_nginx.yaml"), "deploy-nginx");
        assert_eq!(playbook_name("deploy-nginx"), "deploy-nginx");
    }

    #[test]
    fn the_nearest_name() {
        let names: Vec<String> = ["apt-upgrade", "deploy-nginx", "deploy-rancher-obs-nginx"]
            .map(Into::into)
            .into();
        assert_eq!(nearest("deploy-ngnix", &names).as_deref(), Some("deploy-nginx"));
        assert_eq!(nearest("upgrade-apt", &names).as_deref(), Some("apt-upgrade"));
        assert_eq!(nearest("xyz", &names), None);
    }
}
