//! The playbooks: which roles on which groups, in which order, and what is checked before. One file for each, which
//! reads like a table of contents.

mod apt_upgrade;
mod checks;
mod deploy_nginx;
mod deploy_rancher_obs_nginx;

use mosip_prov_engine::Playbook;

/// Every playbook there is, in the order of a deployment.
pub fn all() -> Vec<Playbook> {
    vec![
        apt_upgrade::playbook(),
        deploy_rancher_obs_nginx::playbook(),
        deploy_nginx::playbook(),
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

/// The playbook called `name`. The path and ending that Ansible's command has (`playbooks/deploy-nginx.yml`) may be
/// there.
///
/// # Errors
/// When there is none.
pub fn find(name: &str) -> Result<Playbook, UnknownPlaybook> {
    let bare = name.rsplit('/').next().unwrap_or(name);
    let bare = bare.strip_suffix(".yml").or_else(|| bare.strip_suffix(".yaml")).unwrap_or(bare);
    let wanted = bare.replace('_', "-");
    let all = all();
    let nearest = all
        .iter()
        .map(|playbook| (strsim::jaro_winkler(&playbook.name, &wanted), &playbook.name))
        .filter(|(near, _)| *near > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone());
    all.into_iter().find(|playbook| playbook.name == wanted).ok_or(UnknownPlaybook {
        name: name.to_owned(),
        suggestion: nearest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_with_ansibles_path_too() {
        let all = all();
        for playbook in &all {
            let same = all.iter().filter(|other| other.name == playbook.name).count();
            assert_eq!(same, 1, "{}", playbook.name);
            for form in [playbook.name.clone(), format!("playbooks/{}.yml", playbook.name), playbook.name.replace('-', "_")] {
                assert_eq!(find(&form).expect("found").name, playbook.name, "{form}");
            }
            assert!(!playbook.summary.is_empty() && !playbook.plays.is_empty());
        }
    }

    #[test]
    fn an_unknown_one_names_the_nearest() {
        for (typed, wanted) in [
            ("deploy-ngnix", Some("deploy-nginx")),
            ("apt-upgrad", Some("apt-upgrade")),
            ("rancher-obs-nginx", Some("deploy-rancher-obs-nginx")),
            ("xyzzy", None),
        ] {
            let Err(unknown) = find(typed) else { panic!("{typed} is found") };
            assert_eq!(unknown.suggestion.as_deref(), wanted, "{typed}");
        }
        let text = find("deploy-ngnix").err().expect("unknown").to_string();
        assert_eq!(text, "there is no playbook \"deploy-ngnix\"; did you mean deploy-nginx?; `mosip-prov playbooks` lists them");
    }
}
