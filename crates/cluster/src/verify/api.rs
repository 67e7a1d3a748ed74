//! Why a cluster could not be asked.

use super::API;
use crate::kubectl::Reply;
use crate::object::said;
use mosip_prov_events::Finding;
use mosip_prov_resources::shell::quote;

/// What an answer says that is none; `None` when it holds objects.
pub(super) fn trouble(reply: &Reply, kubeconfig: &str) -> Option<Finding> {
    let failure =
        |check: &str, message: String, remedy: String| Some(Finding::failure(API, check, kubeconfig, message, remedy));
    let by_hand = format!("kubectl --kubeconfig {} get nodes", quote(kubeconfig));
    // kubectl complains of itself first, and says what is wrong last.
    let last = |text: &str| said(text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default());
    match reply {
        Reply::Objects(_) => None,
        Reply::NoKubectl => failure(
            "kubectl_missing",
            "the deployment node has no kubectl".into(),
            "bring it there: mosip-prov run deployment-node".into(),
        ),
        Reply::NoKubeconfig => failure(
            "kubeconfig_missing",
            "there is no kubeconfig at this path on the deployment node".into(),
            "the playbook that builds the cluster leaves it there; if it is elsewhere, say so with verify_kubeconfig or \
             verify_obs_kubeconfig"
                .into(),
        ),
        Reply::Down(text) if text.contains("certificate has expired") => failure(
            "api_certificate_expired",
            format!("the certificate of the API is no longer, or not yet, valid: {}", last(text)),
            "see that the clocks of the nodes and of the deployment node are right; then renew the cluster's certificates \
             (rke cert rotate, or a restart of rke2-server)"
                .into(),
        ),
        Reply::Down(text) if text.contains("unknown authority") => failure(
            "api_certificate_unknown",
            format!("the kubeconfig is of another cluster than the one that answers: {}", last(text)),
            "the cluster was built anew: run its playbook again, which writes the kubeconfig".into(),
        ),
        Reply::Down(text) if text.contains("nauthorized") || text.contains("must be logged in") => failure(
            "unauthorized",
            format!("the API does not know the user of the kubeconfig: {}", last(text)),
            "run the cluster's playbook again, which writes the kubeconfig; its certificate may have expired".into(),
        ),
        Reply::Down(text) => failure(
            "api_unreachable",
            format!("the API does not answer: {}", last(text)),
            format!("see that the control-plane nodes run and that port 6443 is open from the deployment node: {by_hand}"),
        ),
        // Without any credentials kubectl asks for a name, and finds nobody to ask.
        Reply::Refused(text) if text.contains("Please enter Username") || text.trim().ends_with("EOF") => failure(
            "unauthorized",
            "the kubeconfig has no credentials of a user".into(),
            "run the cluster's playbook again, which writes the kubeconfig".into(),
        ),
        Reply::Refused(text) if text.contains("orbidden") => failure(
            "forbidden",
            format!("the user of the kubeconfig may not look: {}", last(text)),
            "verify with the kubeconfig that the cluster's playbook wrote, which is an administrator's".into(),
        ),
        Reply::NotFound(text) | Reply::Refused(text) => failure(
            "api_refuses",
            format!("the API answers, and refuses: {}", last(text)),
            format!("see what it says by hand: {by_hand}"),
        ),
    }
}
