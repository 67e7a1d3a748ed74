//! The stages of a deployment, in order.

use std::fmt;

/// One stage. Each can be begun again at any time: it does what is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Everything that can be known before the first change.
    Preflight,
    /// The tools of the deployment node.
    DeploymentNode,
    /// All packages up to date.
    AptUpgrade,
    /// The VPN.
    Wireguard,
    /// The observation cluster and its front.
    Observation,
    /// The observation cluster is whole, before Helm.
    VerifyObservation,
    /// Rancher and what it needs, by Terraform.
    TerraformObs,
    /// Rancher answers.
    VerifyRancher,
    /// The main cluster is known to Rancher.
    Import,
    /// The main cluster, its front and Istio.
    Main,
    /// The main cluster is whole, before Helm.
    VerifyMain,
    /// MOSIP itself, by Terraform.
    TerraformMosip,
    /// MOSIP answers.
    VerifyMosip,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 13] = [
        Self::Preflight,
        Self::DeploymentNode,
        Self::AptUpgrade,
        Self::Wireguard,
        Self::Observation,
        Self::VerifyObservation,
        Self::TerraformObs,
        Self::VerifyRancher,
        Self::Import,
        Self::Main,
        Self::VerifyMain,
        Self::TerraformMosip,
        Self::VerifyMosip,
    ];

    /// Its name on the command line and in the journal; a stage that is a playbook has the playbook's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::DeploymentNode => "deployment-node",
            Self::AptUpgrade => "apt-upgrade",
            Self::Wireguard => "wireguard",
            Self::Observation => "deploy-rancher-obs",
            Self::VerifyObservation => "verify-obs-cluster",
            Self::TerraformObs => "terraform-obs",
            Self::VerifyRancher => "verify-obs",
            Self::Import => "import",
            Self::Main => "deploy-all",
            Self::VerifyMain => "verify-mosip-cluster",
            Self::TerraformMosip => "terraform-mosip",
            Self::VerifyMosip => "verify-mosip",
        }
    }

    /// The stage called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// What it does, in one line.
    pub fn what(self) -> &'static str {
        match self {
            Self::Preflight => "look at DNS, certificates, machines, network, tools and keys; change nothing",
            Self::DeploymentNode => "install the tools that are missing on the deployment node",
            Self::AptUpgrade => "bring all packages of all machines up to date",
            Self::Wireguard => "set up the VPN and its peers",
            Self::Observation => "build the observation cluster and its front",
            Self::VerifyObservation => "wait until the observation cluster is whole and its front answers",
            Self::TerraformObs => "install Rancher into the observation cluster with Terraform",
            Self::VerifyRancher => "wait until Rancher runs and answers through the front",
            Self::Import => "make the main cluster known to Rancher",
            Self::Main => "build the main cluster, its front and Istio, and hand the cluster to Rancher",
            Self::VerifyMain => "wait until the main cluster is whole and its front answers",
            Self::TerraformMosip => "install MOSIP into the main cluster with Terraform",
            Self::VerifyMosip => "wait until MOSIP runs and answers through the front",
        }
    }

    /// The playbook it is, if it is one.
    pub fn playbook(self) -> Option<&'static str> {
        match self {
            Self::DeploymentNode | Self::AptUpgrade | Self::Wireguard | Self::Observation | Self::Main => {
                Some(self.name())
            }
            Self::Preflight
            | Self::VerifyObservation
            | Self::TerraformObs
            | Self::VerifyRancher
            | Self::Import
            | Self::VerifyMain
            | Self::TerraformMosip
            | Self::VerifyMosip => None,
        }
    }

    /// Whether it may change anything.
    pub fn changes(self) -> bool {
        match self {
            Self::Preflight | Self::VerifyObservation | Self::VerifyRancher | Self::VerifyMain | Self::VerifyMosip => {
                false
            }
            Self::DeploymentNode
            | Self::AptUpgrade
            | Self::Wireguard
            | Self::Observation
            | Self::TerraformObs
            | Self::Import
            | Self::Main
            | Self::TerraformMosip => true,
        }
    }

    /// Whether it is gone through again when a deployment is continued, though it ended well: what it looks at may have
    /// changed meanwhile.
    pub fn again_when_continued(self) -> bool {
        self == Self::Preflight
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_playbooks_exist() {
        for (index, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(Stage::from_name(stage.name()), Some(stage));
            assert_eq!(Stage::ALL.iter().position(|other| *other == stage), Some(index));
            if let Some(playbook) = stage.playbook() {
                assert!(mosip_prov_playbooks::find(playbook).is_ok(), "{playbook}");
            }
        }
        assert!(Stage::ALL.is_sorted());
        assert_eq!(Stage::from_name("all"), None);
    }
}
