//! The playbooks: which roles on which groups, in which order, and what is checked before. One file for each, which
//! reads like a table of contents.

mod apt_upgrade;
mod checks;
mod deploy_all;
mod deploy_istio;
mod deploy_nginx;
mod deploy_rancher;
mod deploy_rancher_obs;
mod deploy_rancher_obs_nginx;
mod deployment_node;
pub mod fronts;
mod rke;
mod rke2;
mod wireguard;

use mosip_prov_engine::Playbook;

/// Every playbook there is, in the order of a deployment.
pub fn all() -> Vec<Playbook> {
    vec![
        deployment_node::playbook(),
        apt_upgrade::playbook(),
        wireguard::playbook(),
        deploy_rancher_obs::playbook(),
        deploy_rancher_obs_nginx::playbook(),
        deploy_rancher::playbook(),
        deploy_nginx::playbook(),
        deploy_istio::playbook(),
        deploy_all::playbook(),
    ]
}

/// There is no playbook of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no playbook {name:?}{}; `mosip-prov playbooks` lists them", .suggestion.as_ref().map(|s| format!("; did you mean {s}?")).unwrap_or_default())]
pub struct UnknownPlaybook {
    /// What was asked for.
    pub name: String,
    /// The nearest name, when one is near.
    pub suggestion: Option<String>,
}

/// The playbook called `name`. Ansible's own form, `playbooks/deploy-nginx.yml`, is no name, but leads to the suggestion.
///
/// # Errors
/// When there is none.
pub fn find(name: &str) -> Result<Playbook, UnknownPlaybook> {
    let all = all();
    let bare = name.rsplit('/').next().unwrap_or(name);
    let bare = bare
        .strip_suffix(".yml")
        .or_else(|| bare.strip_suffix(".yaml"))
        .unwrap_or(bare)
        .replace('_', "-");
    let suggestion = all
        .iter()
        .map(|playbook| (strsim::jaro_winkler(&playbook.name, &bare), &playbook.name))
        .filter(|(near, _)| *near > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone());
    all.into_iter()
        .find(|playbook| playbook.name == name)
        .ok_or_else(|| UnknownPlaybook {
            name: name.to_owned(),
            suggestion,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once_and_is_found() {
        let all = all();
        for playbook in &all {
            let same = all.iter().filter(|other| other.name == playbook.name).count();
            assert_eq!(same, 1, "{}", playbook.name);
            assert_eq!(find(&playbook.name).expect("found").name, playbook.name);
            assert!(!playbook.summary.is_empty() && !playbook.plays.is_empty());
        }
    }

    #[test]
    fn an_unknown_one_names_the_nearest() {
        for (typed, wanted) in [
            ("deploy-ngnix", Some("deploy-nginx")),
            ("apt-upgrad", Some("apt-upgrade")),
            ("playbooks/deploy-nginx.yml", Some("deploy-nginx")),
            ("deploy_rancher_obs_nginx", Some("deploy-rancher-obs-nginx")),
            ("rancher-obs-nginx", Some("deploy-rancher-obs-nginx")),
            ("xyzzy", None),
        ] {
            let Err(unknown) = find(typed) else {
                panic!("{typed} is found")
            };
            assert_eq!(unknown.suggestion.as_deref(), wanted, "{typed}");
        }
        let text = find("deploy-ngnix").err().expect("unknown").to_string();
        assert_eq!(
            text,
            "there is no playbook \"deploy-ngnix\"; did you mean deploy-nginx?; `mosip-prov playbooks` lists them"
        );
    }
}
