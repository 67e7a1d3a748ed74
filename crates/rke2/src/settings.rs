//! The settings of a cluster, as `defaults.yml` documents them.

use crate::around::Around;
use crate::flavor::Flavor;
use crate::reader::Reader;
use crate::token::{self, TokenFrom};
use crate::topology::Topology;
use mosip_prov_resources::Content;
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::value::Value;
use std::fmt;
use std::time::Duration;

/// A release of RKE2: `v1.25.16+rke2r2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// As it is written.
    pub text: String,
    /// Version of Kubernetes, and the number of RKE2's own release.
    pub numbers: [u32; 4],
}

impl Release {
    /// `None` when `text` is no release: `v`, three numbers, perhaps `-rc1`, and `+rke2r` with a number.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, own) = text.strip_prefix('v')?.split_once("+rke2r")?;
        let (version, _) = version.split_once('-').unwrap_or((version, ""));
        let parts: Vec<u32> = version
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        let [major, minor, patch] = parts[..] else { return None };
        Some(Self {
            text: text.to_owned(),
            numbers: [major, minor, patch, own.parse().ok()?],
        })
    }

    /// Major and minor version of Kubernetes.
    pub fn minor(&self) -> (u32, u32) {
        (self.numbers[0], self.numbers[1])
    }
}

/// The network plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cni {
    /// Flannel between machines, Calico within.
    Canal,
    /// Calico.
    Calico,
    /// Cilium.
    Cilium,
    /// Flannel.
    Flannel,
    /// None; whoever deploys brings one.
    None,
}

impl Cni {
    /// Its name in RKE2's configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Canal => "canal",
            Self::Calico => "calico",
            Self::Cilium => "cilium",
            Self::Flannel => "flannel",
            Self::None => "none",
        }
    }
}

/// All settings of a cluster that are the same for all of its machines.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which cluster.
    pub flavor: Flavor,
    /// The release.
    pub release: Release,
    /// The cluster's name.
    pub name: String,
    /// The cluster's folder on the deployment node.
    pub folder: String,
    /// Addresses of pods.
    pub cluster_cidr: String,
    /// Addresses of services.
    pub service_cidr: String,
    /// The address of the cluster's DNS.
    pub cluster_dns: String,
    /// The cluster's domain.
    pub cluster_domain: String,
    /// The network plugin.
    pub cni: Cni,
    /// The MTU of pods; 0 leaves it to the plugin.
    pub mtu: u32,
    /// Whether RKE2's own ingress controller is wanted.
    pub ingress: bool,
    /// Pods of a machine.
    pub max_pods: u32,
    /// More names for the certificate of the API.
    pub tls_san: Vec<String>,
    /// Labels of all nodes: `name=value`.
    pub labels: Vec<String>,
    /// Where the token comes from.
    pub token: TokenFrom,
    /// Where nodes join.
    pub registration: String,
    /// Where the deployment node finds the API.
    pub api: String,
    /// How long a node may take to come up.
    pub start_timeout: Duration,
    /// What imports the cluster into Rancher: the URL, and how long that may take.
    pub import: Option<(ImportUrl, Duration)>,
    /// Why that URL is still to be had from Rancher; `None` when it is not.
    pub import_later: Option<String>,
}

/// The URL by which Rancher imports a cluster. It holds a token: whoever has it reads what Rancher trusts the cluster with.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportUrl(String);

impl ImportUrl {
    /// The URL itself. Call it only where it is used.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ImportUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportUrl(***)")
    }
}

/// What RKE2 alone has.
impl Reader<'_> {
    fn cni(&mut self, name: &str) -> Cni {
        let text = self.text(name);
        let all = [Cni::Canal, Cni::Calico, Cni::Cilium, Cni::Flannel, Cni::None];
        if let Some(cni) = all.into_iter().find(|cni| cni.name() == text) {
            return cni;
        }
        self.error(
            name,
            format!("{name} is \"{text}\", which RKE2 does not have"),
            "give canal, calico, cilium, flannel or none",
        );
        Cni::Canal
    }

    fn release(&mut self) -> Option<Release> {
        let name = "rke2_version";
        let text = self.text(name);
        let made = Release::parse(&text);
        if made.is_none() {
            self.error(
                name,
                format!("{name} is \"{text}\", which is no release of RKE2"),
                "write it as the release is called: v1.25.16+rke2r2",
            );
        }
        made
    }

    fn ingress(&mut self, name: &str) -> bool {
        match self.text(name).as_str() {
            "nginx" => true,
            "none" | "" => false,
            other => {
                let message = format!("{name} is \"{other}\", and RKE2 is set up with nginx or without");
                self.error(name, message, "give nginx or none");
                false
            }
        }
    }

    fn names(&mut self, name: &str) -> Vec<String> {
        let value = self
            .problems
            .take(self.vars.string_list(name, true).map_err(Diagnostic::from));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '*');
        let mut names = Vec::new();
        for one in value.flatten().unwrap_or_default() {
            if one.is_empty() || !one.chars().all(plain) {
                self.error(
                    name,
                    format!("{name} has \"{one}\", which is neither a name nor an address"),
                    "give names such as api.example.org, and addresses",
                );
            } else if !names.contains(&one) {
                names.push(one);
            }
        }
        names
    }

    fn host(&mut self, name: &str, otherwise: &str) -> String {
        let text = self.text(name);
        if text.is_empty() {
            return otherwise.to_owned();
        }
        if text.contains([':', '/']) || text.contains(char::is_whitespace) {
            let message = format!("{name} is \"{text}\", which is neither a name nor an IPv4 address");
            self.error(name, message, "give the name or address alone, without scheme and port");
        }
        text
    }

    fn labels(&mut self, name: &str) -> Vec<String> {
        let value = self.problems.take(self.vars.map(name).map_err(Diagnostic::from));
        let mut labels = Vec::new();
        for (key, value) in value.flatten().unwrap_or_default() {
            let value = match &value {
                Value::Int(number) => number.to_string(),
                Value::Bool(on) => on.to_string(),
                other => other.as_str().unwrap_or("\n").to_owned(),
            };
            let domain = key.split_once('/').map_or("", |(domain, _)| domain);
            let kept = |of: &str| domain == of || domain.ends_with(&format!(".{of}"));
            let allowed = ["node.kubernetes.io", "kubelet.kubernetes.io"];
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
            if (kept("kubernetes.io") || kept("k8s.io"))
                && !allowed
                    .iter()
                    .any(|a| domain == *a || domain.ends_with(&format!(".{a}")))
            {
                self.error(
                    name,
                    format!("{name} has {key}, which a node may not give itself: it would not start"),
                    "use a name of another domain, or set it with kubectl label; the role worker is set by the playbook",
                );
            } else if key.is_empty() || !key.chars().all(plain) || value.contains('/') || !value.chars().all(plain) {
                self.error(
                    name,
                    format!("{name} has {key:?}, whose name or value is not that of a label"),
                    "use letters, digits, - _ and ., and one / after the domain of the name",
                );
            } else {
                labels.push(format!("{key}={value}"));
            }
        }
        labels
    }

    fn import(&mut self, flavor: Flavor) -> Option<(ImportUrl, Duration)> {
        let seconds = self.number("rancher_import_timeout", 1..=86_400);
        let url = self.import_url(flavor)?;
        Some((ImportUrl(url), Duration::from_secs(seconds.into())))
    }

    fn token(&mut self, deployment_node: &str, folder: &str) -> TokenFrom {
        let name = "rke2_token";
        let text = self.secret(name);
        if text.is_empty() {
            return TokenFrom::Kept {
                node: deployment_node.to_owned(),
                path: format!("{folder}/{}", token::KEPT_NAME),
            };
        }
        if let Err(what) = token::check(&text) {
            self.secret_error(
                name,
                format!("{name} {what}"),
                "give a random one, such as `openssl rand -hex 32` makes, in a vault; or leave it out, and one is made",
            );
        }
        TokenFrom::Given(Content::sensitive(format!("{text}\n")))
    }
}

impl Settings {
    /// Reads them; all that is wrong goes into `problems`, and then there are none.
    pub fn read(flavor: Flavor, around: &Around<'_>, topology: &Topology, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let first = topology.first_server()?;
        let api = topology.api_server()?;
        let mut r = Reader {
            vars: around.vars,
            problems,
        };
        let release = r.release();
        let name = r.cluster_name(flavor);
        let folder = r.folder(flavor, &name);
        let (service_cidr, cluster_cidr, services) = r.ranges(flavor);
        let made = Self {
            flavor,
            cluster_dns: r.dns(flavor, services),
            cluster_domain: r.host("cluster_domain", "cluster.local"),
            cni: r.cni(flavor.variable("network_plugin")),
            mtu: r.number("network_mtu", 0..=9000),
            ingress: r.ingress(flavor.variable("ingress_provider")),
            max_pods: r.number("kubelet_max_pods", 1..=2000),
            tls_san: r.names("rke2_tls_san"),
            labels: r.labels("rke2_node_labels"),
            token: r.token(&around.deployment_node, &folder),
            registration: r.host("rke2_registration_address", first.inner_address()),
            api: r.host("rke2_api_address", &api.address),
            start_timeout: Duration::from_secs(r.number("rke2_start_timeout", 1..=86_400).into()),
            import: r.import(flavor),
            import_later: r.import_later(flavor),
            release: release?,
            name,
            folder,
            cluster_cidr,
            service_cidr,
        };
        (problems.error_count() == before).then_some(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read() {
        let release = Release::parse("v1.25.16+rke2r2").expect("a release");
        assert_eq!((release.numbers, release.minor()), ([1, 25, 16, 2], (1, 25)));
        assert_eq!(
            Release::parse("v1.36.0-rc1+rke2r1").expect("a release").minor(),
            (1, 36)
        );
        for wrong in [
            "",
            "1.25.16+rke2r2",
            "v1.25.16",
            "v1.25+rke2r1",
            "v1.25.16-rke2r1",
            "latest",
            "v1.25.16+rke2r",
        ] {
            assert_eq!(Release::parse(wrong), None, "{wrong}");
        }
    }
}
