//! A Kubernetes cluster as seen from the deployment node: what `kubectl` answers, kubeconfigs, readiness of nodes, pods,
//! deployments and kinds, manifests, Rancher's import.
//!
//! ```
//! use mosip_prov_cluster::{DeploymentReady, Kubectl, NodesReady, PodsSettled};
//! use mosip_prov_resources::Task;
//!
//! let kubectl = Kubectl::new("/home/ubuntu/rancher/mosip/kube_config_cluster.yml");
//! let tasks = [
//!     Task::new("See that all nodes are ready", NodesReady::new(&kubectl, ["vm1", "vm2", "vm3"])),
//!     Task::new("See that no pod is still starting", PodsSettled::new(&kubectl)),
//!     Task::new("Wait for Istio", DeploymentReady::new(&kubectl, "istio-system", "istiod")),
//! ];
//! ```
//!
//! All tasks run on the deployment node, as the login user. Questions go through `kubectl get … -o json`, all of one role
//! together; where the API does not answer, it is asked once only.

#[doc(hidden)]
pub mod fuzzing;
pub mod import;
pub mod kubeconfig;
pub mod kubectl;
pub mod manifest;
mod object;
pub mod ready;
mod settle;
pub mod user_file;
pub mod verify;
pub mod yaml;

pub use import::{ImportReachable, RancherImport, RancherImportLater};
pub use kubeconfig::{Kubeconfig, MergedKubeconfig};
pub use kubectl::{AskObjects, Kubectl, Reply};
pub use manifest::Manifest;
pub use ready::{CrdEstablished, DeploymentReady, NodesReady, PodsSettled};
pub use settle::settle;
pub use user_file::UserFile;
