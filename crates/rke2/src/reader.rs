//! The variables of a cluster that mean the same whoever builds it.

use crate::flavor::Flavor;
use mosip_prov_resources::Network;
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_resources::vars::HostVars;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

/// Reads variables of one host and collects what is wrong.
pub struct Reader<'a> {
    /// The variables, the role's defaults among them.
    pub vars: &'a HostVars,
    /// Where what is wrong goes.
    pub problems: &'a mut Diagnostics,
}

/// Of a size that a cluster can have, and written with its first address.
fn is_for_a_cluster(network: Network) -> bool {
    (8..=28).contains(&network.bits()) && network.is_written_with_first()
}

/// The address where the DNS of a cluster with these services is by custom.
fn tenth(services: Network) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(services.first()) + 10)
}

impl Reader<'_> {
    /// Says that the value of `name` is wrong.
    pub fn error(&mut self, name: &str, message: String, help: &str) {
        let place = self.vars.set_at(name);
        self.problems.push(Diagnostic::error(message).at(place).help(help));
    }

    /// The same of a secret: the line that it stands in is not shown.
    pub fn secret_error(&mut self, name: &str, message: String, help: &str) {
        let place = self.vars.set_at(name).map(|place| Location { text: None, ..place });
        self.problems.push(Diagnostic::error(message).at(place).help(help));
    }

    /// The variable without blanks around it; empty when it is not set or wrong.
    pub fn text(&mut self, name: &str) -> String {
        let value = self.problems.take(self.vars.string(name).map_err(Diagnostic::from));
        value.flatten().unwrap_or_default().trim().to_owned()
    }

    /// The same of a secret. It must not be shown.
    pub fn secret(&mut self, name: &str) -> String {
        let value = self.problems.take(self.vars.secret(name).map_err(Diagnostic::from));
        let value = value.flatten().map(|secret| secret.expose().trim().to_owned());
        value.unwrap_or_default()
    }

    /// A whole number within `range`, the range's begin when it is wrong.
    pub fn number(&mut self, name: &str, range: RangeInclusive<u32>) -> u32 {
        self.number_that(name, &range, |number| range.contains(&number))
    }

    /// The same, or 0.
    pub fn number_or_zero(&mut self, name: &str, range: RangeInclusive<u32>) -> u32 {
        self.number_that(name, &range, |number| number == 0 || range.contains(&number))
    }

    fn number_that(&mut self, name: &str, range: &RangeInclusive<u32>, will_do: impl Fn(u32) -> bool) -> u32 {
        let value = self.problems.take(self.vars.int(name).map_err(Diagnostic::from));
        let (from, to) = (*range.start(), *range.end());
        let Some(number) = value.flatten() else { return from };
        match u32::try_from(number).ok().filter(|number| will_do(*number)) {
            Some(number) => number,
            None => {
                let message = format!("{name} is {number}, and a number from {from} to {to} is wanted");
                self.error(name, message, "correct the number");
                from
            }
        }
    }

    /// A network of a cluster, as it is written and as it is understood.
    fn network(&mut self, name: &str) -> (String, Option<Network>) {
        let text = self.text(name);
        let found = Network::parse(&text).filter(|network| is_for_a_cluster(*network));
        if found.is_none() {
            self.error(
                name,
                format!("{name} is \"{text}\", which is no network of addresses"),
                "give its first address and the length of its prefix: 10.42.0.0/16",
            );
        }
        (text, found)
    }

    fn apart(&mut self, name: &str, one: Option<Network>, other_name: &str, other: Option<Network>) {
        if let (Some(one), Some(other)) = (one, other)
            && one.overlaps(other)
        {
            self.error(
                name,
                format!("the addresses of {name} and {other_name} overlap"),
                "give them networks that have no address in common",
            );
        }
    }

    /// The networks of services and of pods, which no address may be in twice, nor in the VPN's; the first one as it is
    /// understood too.
    pub fn ranges(&mut self, flavor: Flavor) -> (String, String, Option<Network>) {
        let (services, pods) = (
            flavor.variable("service_cluster_ip_range"),
            flavor.variable("cluster_cidr"),
        );
        let (service_range, service_network) = self.network(services);
        let (cluster_cidr, pod_network) = self.network(pods);
        self.apart(services, service_network, pods, pod_network);
        let vpn = self.text("wireguard_network");
        for one in vpn.split(',').filter_map(Network::parse) {
            self.apart(services, service_network, "wireguard_network", Some(one));
            self.apart(pods, pod_network, "wireguard_network", Some(one));
        }
        (service_range, cluster_cidr, service_network)
    }

    /// The address of the cluster's DNS, which is one of its services.
    pub fn dns(&mut self, flavor: Flavor, services: Option<Network>) -> String {
        let name = "cluster_dns_server";
        let text = self.text(name);
        let Some(services) = services else { return text };
        match text.parse::<Ipv4Addr>() {
            Ok(address) if services.contains(address) => text,
            // One variable for two clusters: it fits the main one.
            _ if flavor == Flavor::Observation => tenth(services).to_string(),
            _ => {
                let range = flavor.variable("service_cluster_ip_range");
                let message = format!("{name} is \"{text}\", which is no address of {range}");
                let help = format!("give one of that network: {}", tenth(services));
                self.error(name, message, &help);
                text
            }
        }
    }

    /// The folder of the cluster on the deployment node.
    pub fn folder(&mut self, flavor: Flavor, cluster: &str) -> String {
        let name = flavor.variable("rancher_base_dir");
        let base = self.text(name);
        if !base.starts_with('/') {
            let help = if base.starts_with('~') {
                "write the folder out, such as /home/ubuntu/rancher: ~ is another folder for every user who runs this"
            } else {
                "give an absolute path, such as /home/ubuntu/rancher"
            };
            self.error(name, format!("{name} is \"{base}\", which is no absolute path"), help);
        }
        let base = base.trim_end_matches('/');
        match flavor {
            Flavor::Main => format!("{base}/{cluster}"),
            Flavor::Observation => base.to_owned(),
        }
    }

    /// The name of the cluster.
    pub fn cluster_name(&mut self, flavor: Flavor) -> String {
        let name = flavor.variable("cluster_name");
        let text = self.text(name);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || !text.chars().all(plain) || text.starts_with('.') {
            let message = format!("{name} is \"{text}\", which is no name of a cluster");
            self.error(name, message, "use letters, digits, - and _");
        }
        text
    }

    /// The URL by which Rancher imports the cluster; `None` when there is none. Rancher runs in the observation cluster,
    /// which is not imported. The URL holds a token.
    pub fn import_url(&mut self, flavor: Flavor) -> Option<String> {
        let name = "rancher_import_url";
        if flavor == Flavor::Observation {
            return None;
        }
        let url = self.secret(name);
        let whole = url.starts_with("https://") || url.starts_with("http://");
        if !url.is_empty() && (!whole || url.contains(char::is_whitespace)) {
            self.secret_error(
                name,
                format!("{name} is no URL"),
                "copy the URL alone, such as https://rancher.example.org/v3/import/….yaml, out of the command that \
                 Rancher shows; empty: no import",
            );
        }
        Some(url).filter(|url| !url.is_empty())
    }

    /// Why the cluster is imported by a URL that is still to be had from Rancher; `None` when it is not. Set by whoever asks
    /// Rancher, never by an inventory.
    pub fn import_later(&mut self, flavor: Flavor) -> Option<String> {
        if flavor == Flavor::Observation {
            return None;
        }
        Some(self.text(IMPORT_LATER)).filter(|why| !why.is_empty())
    }
}

/// The variable behind [`Reader::import_later`].
pub const IMPORT_LATER: &str = "rancher_import_later";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_compared() {
        let network = |text: &str| Network::parse(text).expect("a network");
        for (one, other, overlap) in [
            ("10.42.0.0/16", "10.43.0.0/16", false),
            ("10.42.0.0/16", "10.42.128.0/17", true),
            ("10.42.1.7/32", "10.42.0.0/16", true),
            ("0.0.0.0/0", "10.42.0.0/16", true),
        ] {
            assert_eq!(network(one).overlaps(network(other)), overlap, "{one} {other}");
            assert_eq!(network(other).overlaps(network(one)), overlap, "{other} {one}");
        }
        for (text, good) in [
            ("10.42.0.0/16", true),
            ("10.42.0.1/16", false),
            ("0.0.0.0/0", false),
            ("10.0.0.0/29", false),
        ] {
            assert_eq!(is_for_a_cluster(network(text)), good, "{text}");
        }
        for wrong in ["", "10.42.0.0", "10.42.0.0/33", "10.42.0/16", "fd00::/64"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
