//! For which fronts a pair is good, and which names one must be requested for.

use crate::pair::Source;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_preflight::server_names::{covers, wildcard_for};
use mosip_prov_preflight::{CertificatePair, check_pair};
use std::path::PathBuf;

/// A front, and where it looks for its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name: `nginx` or `nginx_obs`.
    pub front: String,
    /// The folder that holds its `fullchain.pem` and `privkey.pem`.
    pub folder: PathBuf,
    /// Names that its certificate must cover.
    pub required: Vec<String>,
    /// Names that it should cover.
    pub further: Vec<String>,
}

/// What a pair is good for.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// Findings that stop nothing.
    pub warnings: Vec<Diagnostic>,
    /// The fronts all of whose required names it covers.
    pub fitting: Vec<Target>,
    /// The fronts it does not cover, each with what is missing.
    pub open: Vec<(Target, Vec<Diagnostic>)>,
}

/// Judges `source` for `targets`, as preflight judges a pair that is in place. With `every` it must be good for all of
/// them, else for at least one.
///
/// # Errors
/// Everything that is wrong with it, warnings included.
pub fn judge(source: &Source, targets: &[Target], every: bool) -> Result<Judgement, Diagnostics> {
    let pair = |names: &[String], further: &[String]| {
        check_pair(&CertificatePair::new(&source.certificate, &source.key, names.to_vec()).further(further.to_vec()))
    };
    let itself = pair(&[], &[]);
    let broken = itself.iter().any(Diagnostic::is_error);
    let mut judgement = Judgement::default();
    for target in targets {
        let names = pair(&target.required, &target.further);
        let (errors, warnings): (Vec<_>, Vec<_>) = names
            .into_iter()
            .filter(|finding| !itself.contains(finding))
            .partition(Diagnostic::is_error);
        match errors.is_empty() {
            true => {
                for warning in warnings {
                    if !judgement.warnings.contains(&warning) {
                        judgement.warnings.push(warning);
                    }
                }
                judgement.fitting.push(target.clone());
            }
            false => judgement.open.push((target.clone(), errors)),
        }
    }
    let useless = judgement.fitting.is_empty() || (every && !judgement.open.is_empty());
    if broken || useless {
        let mut all = Diagnostics::new();
        let mut said: Vec<Diagnostic> = itself;
        let names = judgement.open.into_iter().flat_map(|(_, errors)| errors);
        // A pair that is good for the one front needs not be for the other, whatever else is wrong with it.
        for finding in names.filter(|_| useless) {
            if !said.contains(&finding) {
                said.push(finding);
            }
        }
        all.extend(said);
        return Err(all);
    }
    judgement.warnings.splice(0..0, itself);
    Ok(judgement)
}

/// The names of one certificate for all of `targets`: `domain` and its wildcard, and the same of every other domain that
/// a required name is in.
pub fn names_to_request(domain: &str, targets: &[Target]) -> Vec<String> {
    let mut names = vec![domain.to_owned(), format!("*.{domain}")];
    for name in targets.iter().flat_map(|target| &target.required) {
        if names.iter().any(|pattern| covers(pattern, name)) {
            continue;
        }
        match wildcard_for(name) {
            Some(wildcard) => {
                let parent = wildcard.trim_start_matches("*.").to_owned();
                names.extend(
                    [parent, wildcard]
                        .into_iter()
                        .filter(|new| !names.contains(new))
                        .collect::<Vec<_>>(),
                );
            }
            None => names.push(name.clone()),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use std::path::Path;

    fn target(front: &str, names: &[&str]) -> Target {
        Target {
            front: front.into(),
            folder: PathBuf::from("/nowhere"),
            required: names.iter().map(|n| (*n).to_owned()).collect(),
            further: Vec::new(),
        }
    }

    fn pair(dir: &Path, names: &[&str], other_key: bool) -> Source {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).expect("names");
        let certificate = params.self_signed(&key).expect("a certificate");
        let key = if other_key {
            KeyPair::generate().expect("a key")
        } else {
            key
        };
        std::fs::write(dir.join("fullchain.pem"), certificate.pem()).expect("written");
        std::fs::write(dir.join("privkey.pem"), key.serialize_pem()).expect("written");
        Source::find(dir).expect("found")
    }

    fn both() -> [Target; 2] {
        [
            target("nginx", &["api.mosip.test", "api-internal.mosip.test"]),
            target("nginx_obs", &["rancher.obs.mosip.test"]),
        ]
    }

    #[test]
    fn one_front_of_two() {
        let dir = tempfile::tempdir().expect("a folder");
        let source = pair(dir.path(), &["*.obs.mosip.test"], false);
        let judgement = judge(&source, &both(), false).expect("good for one");
        assert_eq!(judgement.fitting.len(), 1);
        assert_eq!(judgement.fitting[0].front, "nginx_obs");
        assert_eq!(
            (judgement.open[0].0.front.as_str(), judgement.open[0].1.len()),
            ("nginx", 2)
        );
        // Self-signed: told, and no obstacle.
        assert_eq!(judgement.warnings.len(), 1);
        // Asked for by name, it is an error.
        let said = judge(&source, &both()[..1], true).expect_err("not for that one");
        assert_eq!(said.error_count(), 2);
        let source = pair(dir.path(), &["*.obs.mosip.test", "*.mosip.test"], false);
        assert_eq!(judge(&source, &both(), true).expect("for both").fitting.len(), 2);
    }

    #[test]
    fn all_that_is_wrong_at_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let source = pair(dir.path(), &["*.other.test"], true);
        let said = judge(&source, &both(), false).expect_err("useless");
        let messages: Vec<_> = said.iter().map(|d| d.message.clone()).collect();
        // The key, and each name.
        assert_eq!(said.error_count(), 4, "{messages:#?}");
        assert!(messages.iter().any(|m| m.contains("does not belong")), "{messages:#?}");
        // Good for one front, but broken: the other front's names are not its fault.
        let source = pair(dir.path(), &["*.mosip.test"], true);
        let said = judge(&source, &both(), false).expect_err("broken");
        assert_eq!(said.error_count(), 1, "{said:?}");
    }

    #[test]
    fn names_of_one_certificate() {
        assert_eq!(
            names_to_request("mosip.test", &both()),
            ["mosip.test", "*.mosip.test", "obs.mosip.test", "*.obs.mosip.test"]
        );
        let same = [target("nginx_obs", &["rancher.mosip.test", "keycloak.mosip.test"])];
        assert_eq!(names_to_request("mosip.test", &same), ["mosip.test", "*.mosip.test"]);
    }
}
