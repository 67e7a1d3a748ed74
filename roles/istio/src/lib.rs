//! Istio in the MOSIP cluster, brought there from the deployment node: the operator, what it is told to build, istiod's
//! rollout.
//!
//! Everything is asked of the cluster first, by kubectl, and changed only where it differs.

mod istioctl;
mod kube;
mod operator;
mod resources;
mod settings;

pub use istioctl::Istioctl;
pub use operator::{NAME, operator};
pub use resources::{ControlPlane, Istiod, Operator};
pub use settings::Settings;

use mosip_prov_cluster::{CrdEstablished, DeploymentReady, Kubectl};
use mosip_prov_front::Surroundings;
use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::{Patience, Role, RoleContext, RoleTasks, Task};
use std::time::Duration;

/// The defaults of the role's variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// The tag of all tasks.
pub const TAG: &str = "istio";

/// The namespace of Istio's operator, and its name there.
pub const OPERATOR_NAMESPACE: &str = "istio-operator";
/// The type of what the operator is told.
pub const CRD: &str = "istiooperators.install.istio.io";

/// Folders that an operator's terminal has and a session without one may lack.
pub(crate) const PATH: &str = "PATH=\"$PATH:/usr/local/bin:/snap/bin\"\n";

/// The role `istio`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Istio;

impl Role for Istio {
    fn name(&self) -> &str {
        "istio"
    }

    fn summary(&self) -> &str {
        "Istio in the MOSIP cluster: operator, control plane, the two gateways that nginx forwards to"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        match Settings::read(&Surroundings::of_role(cx), problems) {
            Some(settings) => tasks(&settings),
            None => RoleTasks::default(),
        }
    }
}

/// The tasks that follow from `settings`.
pub fn tasks(settings: &Settings) -> RoleTasks {
    let kubectl = Kubectl::new(&settings.kubeconfig);
    let patience = Patience {
        every: Duration::from_secs(5),
        at_most: settings.operator_wait,
    };
    let tasks = vec![
        Task::new(
            format!("See that istioctl is version {}", settings.version),
            Istioctl::new(&settings.version),
        ),
        Task::new("Install Istio's operator", Operator::new(&kubectl, settings)),
        Task::new(
            "Wait for the operator's type",
            CrdEstablished::new(&kubectl, CRD).patience(patience),
        ),
        Task::new(
            "Wait for the operator",
            DeploymentReady::new(&kubectl, OPERATOR_NAMESPACE, OPERATOR_NAMESPACE).patience(patience),
        ),
        Task::new(
            "Tell the operator what Istio shall be",
            ControlPlane::new(&kubectl, operator(settings)),
        ),
        Task::new("Wait for istiod", Istiod::new(&kubectl, settings)),
    ];
    RoleTasks {
        tasks: tasks.into_iter().map(|task| task.tag(TAG)).collect(),
        handlers: Vec::new(),
    }
}
