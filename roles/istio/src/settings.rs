//! The settings of Istio, as `defaults.yml` documents them.

use mosip_prov_front::{NodePorts, Reader, Surroundings};
use mosip_prov_resources::diagnostic::Diagnostics;
use std::time::Duration;

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The version of Istio.
    pub version: String,
    /// Where its images come from.
    pub hub: String,
    /// Its namespace.
    pub namespace: String,
    /// How long to wait for the operator.
    pub operator_wait: Duration,
    /// The kubeconfig of the cluster.
    pub kubeconfig: String,
    /// The ports of the nodes that the gateways open.
    pub ports: NodePorts,
}

impl Settings {
    /// Reads them; all that is wrong goes into `problems`, and then there are none.
    pub fn read(around: &Surroundings<'_>, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let ports = NodePorts::of_front(around, problems);
        let mut reader = Reader::new(around.vars, problems);
        let version = reader.text("istio_version").unwrap_or_default();
        let parts: Vec<&str> = version.split('.').collect();
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if (parts.len() != 3 || !parts.iter().all(is_number)) && reader.problems().error_count() == before {
            let message = format!("istio_version is {version:?}, which is no version of Istio");
            reader.error("istio_version", message, "write it as 1.15.0");
        }
        let namespace = reader.text("istio_namespace").unwrap_or_default();
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if namespace.is_empty()
            || namespace.len() > 63
            || !namespace.chars().all(label)
            || namespace.starts_with('-')
            || namespace.ends_with('-')
        {
            let message = format!("istio_namespace is {namespace:?}, which is no name of a namespace");
            reader.error(
                "istio_namespace",
                message,
                "use lower-case letters, digits and dashes: istio-system",
            );
        }
        let hub = reader.text("istio_hub").unwrap_or_default();
        let hub = hub.trim_end_matches('/').to_owned();
        if hub.is_empty() || hub.contains("://") || hub.contains(char::is_whitespace) {
            let message = format!("istio_hub is {hub:?}, which is no place of images");
            reader.error(
                "istio_hub",
                message,
                "write it without scheme: docker.io/istio, registry.example.org:5000/istio",
            );
        }
        let seconds = reader.text("istio_operator_wait_timeout").unwrap_or_default();
        let operator_wait = match seconds.parse() {
            Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
            _ => {
                let message = format!("istio_operator_wait_timeout is {seconds:?}, and a number of seconds is wanted");
                reader.error("istio_operator_wait_timeout", message, "give 1 or more");
                Duration::ZERO
            }
        };
        let made = Self {
            version,
            hub,
            namespace,
            operator_wait,
            kubeconfig: reader.path("istio_kubeconfig"),
            ports,
        };
        (problems.error_count() == before).then_some(made)
    }
}
