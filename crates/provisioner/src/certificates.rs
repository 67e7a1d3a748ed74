//! The certificates of an inventory's fronts: which front needs one for which names, where it looks for it, and what was
//! placed and not deployed yet.

use crate::{InputErrors, Provisioner};
use mosip_prov_files::Mode;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_playbooks::fronts::Fronts;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

pub use mosip_prov_certificates::authoritative::{Lack, Server};
pub use mosip_prov_certificates::certbot::LETS_ENCRYPT;
pub use mosip_prov_certificates::{
    Judgement, PlaceError, Placed, Progress, Request, RequestError, Source, Target, TxtRecord, has_account, hook,
    judge, names_to_request, place, request, valid_until,
};
pub use mosip_prov_preflight::dns::{Nameservers, parse_nameserver};

/// The file in the journal's folder that names fronts whose new certificate was placed and not deployed.
const PENDING: &str = "certificates-to-deploy";
/// The folder of certbot in the journal's folder.
const CERTBOT: &str = "certbot";

/// The fronts of an inventory, and the installation's domain.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The domain.
    pub domain: String,
    /// The fronts.
    pub targets: Vec<Target>,
    /// Findings that stop nothing.
    pub warnings: Vec<Diagnostic>,
    folder: PathBuf,
}

/// What the fronts of the inventory need. `only`: those with these names.
///
/// # Errors
/// All that is wrong: no front, no domain, names that are none, an inventory that is no file.
pub fn wanted(provisioner: &Provisioner, only: &[String]) -> Result<Wanted, InputErrors> {
    let mut problems = Diagnostics::new();
    let vars_of = |host: &str| provisioner.vars_of(host);
    let names = Fronts::new(provisioner.inventory(), &vars_of).names(&mut problems);
    let base = provisioner.inventory().base_dir();
    if base.is_none() {
        problems.push(
            Diagnostic::error("the inventory is no file, and certificates lie beside it")
                .help("name an inventory file or folder with -i"),
        );
    }
    if names.is_empty() && !problems.has_errors() {
        problems.push(
            Diagnostic::error("neither group nginx nor group nginx_obs has a host, and nothing else has a certificate")
                .at(base.map(Location::file))
                .help("add the host of [nginx], [nginx_obs] or both to the inventory"),
        );
    }
    for front in only.iter().filter(|front| !names.iter().any(|n| n.front == **front)) {
        problems.push(
            Diagnostic::error(format!("group {front} has no host, and its front needs no certificate"))
                .at(base.map(Location::file))
                .help(format!(
                    "add the host of [{front}] to the inventory, or leave --front out"
                )),
        );
    }
    let domain = names.iter().find_map(|names| names.domain.clone());
    if domain.is_none() && !problems.has_errors() {
        problems.push(
            Diagnostic::error("mosip_domain is not set")
                .at(base.map(Location::file))
                .help("set it in group_vars/all.yml: mosip_domain: mosip.example.org"),
        );
    }
    match (domain, provisioner.journal_folder(), base) {
        (Some(domain), Some(folder), Some(base)) if !problems.has_errors() => Ok(Wanted {
            domain,
            targets: names
                .into_iter()
                .filter(|names| only.is_empty() || only.iter().any(|front| front == names.front))
                .map(|names| Target {
                    folder: mosip_prov_playbooks::fronts::folder_of(names.front, base),
                    front: names.front.to_owned(),
                    required: names.required,
                    further: names.further,
                })
                .collect(),
            warnings: problems.into_iter().collect(),
            folder,
        }),
        _ => Err(problems.into()),
    }
}

impl Wanted {
    /// The folder of certbot: beside the journal, so that it needs no root, travels with the inventory, and is none of
    /// the system's own certbot timer, which could not renew what needs a person.
    pub fn certbot_folder(&self) -> PathBuf {
        self.folder.join(CERTBOT)
    }

    /// The front whose certificate ends first, and when; a front without a certificate that can be read has ended long
    /// ago.
    pub fn first_end(&self) -> Option<(&Target, SystemTime)> {
        let end = |target: &Target| valid_until(&target.folder.join("fullchain.pem")).unwrap_or(SystemTime::UNIX_EPOCH);
        self.targets
            .iter()
            .map(|target| (target, end(target)))
            .min_by_key(|(_, end)| *end)
    }

    /// The fronts whose new certificate was placed and not deployed.
    pub fn pending(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join(PENDING)).unwrap_or_default();
        text.lines()
            .map(str::to_owned)
            .filter(|line| self.targets.iter().any(|t| t.front == *line))
            .collect()
    }

    /// Remembers that these fronts are to be deployed; none forgets it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_pending(&self, fronts: &[String]) -> io::Result<()> {
        let file = self.folder.join(PENDING);
        if fronts.is_empty() {
            return match std::fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        std::fs::create_dir_all(&self.folder)?;
        mosip_prov_files::write(&file, (fronts.join("\n") + "\n").as_bytes(), Mode::Kept(0o666))
    }
}

/// The playbook that deploys a front.
pub fn playbook_of(front: &str) -> &'static str {
    match front {
        "nginx_obs" => "deploy-rancher-obs-nginx",
        _ => "deploy-nginx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use std::path::Path;

    const HOSTS: &str = "[nginx]\nfront ansible_host=10.1.0.31\n[nginx_obs]\nobs ansible_host=10.1.0.32\n";
    const VARS: &str = "mosip_domain: mosip.test\nnginx_obs_public_domain_names: rancher.obs.mosip.test\n";

    fn load(dir: &Path, hosts: &str, vars: &str) -> Provisioner {
        std::fs::create_dir_all(dir.join("group_vars")).expect("made");
        std::fs::write(dir.join("hosts.ini"), hosts).expect("written");
        std::fs::write(dir.join("group_vars/all.yml"), vars).expect("written");
        Provisioner::load_for_listing(Settings {
            inventory: vec![dir.join("hosts.ini").to_string_lossy().into_owned()],
            ..Settings::default()
        })
        .expect("loaded")
    }

    #[test]
    fn both_fronts_and_where_they_look() {
        let dir = tempfile::tempdir().expect("a folder");
        let old = dir.path().join("playbooks/roles/nginx/files");
        std::fs::create_dir_all(&old).expect("made");
        std::fs::write(old.join("fullchain.pem"), "x").expect("written");
        let wanted = wanted(&load(dir.path(), HOSTS, VARS), &[]).expect("wanted");
        assert_eq!(wanted.domain, "mosip.test");
        let folders: Vec<_> = wanted.targets.iter().map(|t| t.folder.clone()).collect();
        // The checkout's place stays in use; a new one is beside the inventory.
        assert_eq!(folders, [old, dir.path().join("files/nginx_obs")]);
        assert!(
            wanted.targets[0]
                .required
                .contains(&"api-internal.mosip.test".to_owned())
        );
        assert_eq!(wanted.targets[1].required, ["rancher.obs.mosip.test"]);
        let (first, end) = wanted.first_end().expect("a front");
        assert_eq!((first.front.as_str(), end), ("nginx", SystemTime::UNIX_EPOCH));
    }

    #[test]
    fn what_is_to_be_deployed_is_remembered() {
        let dir = tempfile::tempdir().expect("a folder");
        let wanted = wanted(&load(dir.path(), HOSTS, VARS), &[]).expect("wanted");
        assert!(wanted.pending().is_empty());
        wanted.set_pending(&["nginx_obs".to_owned()]).expect("written");
        assert_eq!(wanted.pending(), ["nginx_obs"]);
        wanted.set_pending(&[]).expect("removed");
        wanted.set_pending(&[]).expect("again");
        assert!(wanted.pending().is_empty());
    }

    #[test]
    fn what_is_missing() {
        let dir = tempfile::tempdir().expect("a folder");
        let said = wanted(&load(dir.path(), "[physical_vms]\nvm1\n", VARS), &[]).expect_err("no front");
        assert!(
            said.to_string().contains("neither group nginx nor group nginx_obs"),
            "{said}"
        );
        let only = ["nginx_obs".to_owned()];
        let hosts = "[nginx]\nfront ansible_host=10.1.0.31\n";
        let said = wanted(&load(dir.path(), hosts, VARS), &only).expect_err("no such front");
        assert!(said.to_string().contains("group nginx_obs has no host"), "{said}");
        let said = wanted(&load(dir.path(), HOSTS, "x: 1\n"), &[]).expect_err("no domain");
        assert!(said.to_string().contains("mosip_domain"), "{said}");
    }
}
