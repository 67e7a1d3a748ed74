//! Claims of volumes.

use super::{Cluster, VOLUMES, scheduling};
use crate::object::{in_brackets, name, namespace, subject, text};
use mosip_prov_events::Finding;
use std::collections::BTreeMap;

pub(super) fn judge(cluster: &Cluster<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut bound: BTreeMap<&str, usize> = BTreeMap::new();
    for claim in cluster.of_kind("PersistentVolumeClaim") {
        let describe = cluster.describe("pvc", claim);
        // A pod that waits for it says so itself.
        let wanted = cluster
            .pods
            .iter()
            .any(|pod| namespace(pod) == namespace(claim) && scheduling::claims_of(pod).contains(&name(claim)));
        match text(claim, "/status/phase") {
            "Bound" => *bound.entry(namespace(claim)).or_default() += 1,
            "Lost" => found.push(Finding::failure(
                VOLUMES,
                "claim_lost",
                subject(claim),
                format!("its volume {} is gone", text(claim, "/spec/volumeName")),
                format!("bring the volume back from a backup, or delete the claim with what uses it: {describe}"),
            )),
            _ if wanted => {}
            _ => {
                let said = cluster.warned("PersistentVolumeClaim", namespace(claim), name(claim), |_, _| true);
                let class = text(claim, "/spec/storageClassName");
                let class = if class.is_empty() {
                    "the default storage class".into()
                } else {
                    format!("storage class {class}")
                };
                found.push(Finding::warning(
                    VOLUMES,
                    "claim_pending",
                    subject(claim),
                    format!(
                        "{class} has given it no volume yet, and no pod uses it{}",
                        in_brackets(said.unwrap_or_default())
                    ),
                    format!("fine if it waits for its first pod; else see the storage's own pods: {describe}"),
                ));
            }
        }
    }
    found.extend(
        bound
            .into_iter()
            .map(|(space, count)| Finding::ok(VOLUMES, "claims", space, format!("{count} bound"))),
    );
    found
}
