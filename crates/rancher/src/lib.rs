//! Rancher's API, as much as importing a cluster takes: log in, find the cluster or create it, read the URL of its import
//! manifest, log out. What an operator does in the dashboard by *Import Existing, Generic, Create, copy the URL*.
//!
//! The contract was taken from Rancher's own sources and those of its Terraform provider:
//!
//! | request | where it is defined |
//! |---|---|
//! | `POST /v3-public/localProviders/local?action=login` answers 201 with a token; 401 for a wrong password | `DoUserLogin` in `rancher2/util.go` of rancher/terraform-provider-rancher2 |
//! | `POST /v1-public/login`, which newer releases have in its place | `NewV1Handler` in `pkg/auth/providers/publicapi` of rancher/rancher |
//! | `POST /v3/tokens?action=logout`; a session's own token cannot be deleted otherwise (400) | `deleteToken` in `pkg/auth/tokens/manager.go` |
//! | `GET /v3/clusters?name=…`, `POST /v3/cluster`; a new one to be imported becomes `pending` | `pkg/client/generated/management/v3/zz_generated_cluster.go`; `resourceRancher2ClusterCreate` of the provider |
//! | `GET` and `POST /v3/clusterregistrationtokens`; the dashboard's is called `default-token` | `findClusterRegistrationToken` of the provider |
//! | `manifestUrl`: it is there when the token has its value, which a controller gives it; server-url, else the host that was asked, and `/v3/import/TOKEN_CLUSTER.yaml` | `pkg/api/norman/customization/clusterregistrationtokens/formatter.go` |
//! | setting `server-url`; without it a cluster is not deployed to, and commands stay empty | issues 12350 and 35612 of rancher/rancher; `rancher2_bootstrap` sets it to the URL it was given |
//! | lists: `{"type": "collection", "data": […], "pagination": {"next": URL}}` | norman, the library of the v3 API |
//!
//! All calls block; run them in a thread of their own. Nothing is kept: a session made by a password is ended before
//! [`import`] returns, whatever came of it.

mod address;
mod client;
mod error;
mod flow;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod objects;
mod trust;

pub use address::ServerUrl;
pub use error::RancherError;
pub use flow::{Access, Credential, Imported, Mode, Outcome, Patience, Progress, Wanted, import};
pub use mosip_prov_inventory::value::Secret;
pub use trust::Trust;
