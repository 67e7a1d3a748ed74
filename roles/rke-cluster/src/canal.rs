//! The MTU that canal gives to pods, in its ConfigMap.

use mosip_prov_cluster::{AskObjects, Kubectl, Reply};
use mosip_prov_resources::{Answers, Ask, Change, DecideError, Decision, Patience, Question, Resource, Shell, Shown};
use std::time::Duration;

/// `veth_mtu` of ConfigMap `canal-config`.
#[derive(Debug, Clone)]
pub struct CanalMtu {
    kubectl: Kubectl,
    ask: AskObjects,
    mtu: u32,
}

impl CanalMtu {
    /// That MTU.
    pub fn new(kubectl: &Kubectl, mtu: u32) -> Self {
        Self {
            kubectl: kubectl.clone(),
            ask: kubectl.get(["-n", "kube-system", "configmap", "canal-config"]),
            mtu,
        }
    }
}

impl Resource for CanalMtu {
    fn kind(&self) -> &'static str {
        "canal_mtu"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let wanted = self.mtu.to_string();
        let pending = answers.pending_for(&self.ask.question()).map(str::to_owned);
        let object = match answers.get(&self.ask)? {
            Reply::Objects(object) => object,
            other => {
                let reason = match other.objects() {
                    Err(reason) => reason,
                    Ok(_) => String::new(),
                };
                return Ok(match pending {
                    Some(task) => Decision::unknown(format!("{reason}, but \"{task}\" comes first")),
                    None => Decision::NotYet { reason },
                });
            }
        };
        let have = object["data"]["veth_mtu"].as_str().unwrap_or_default();
        if have == wanted {
            return Ok(match pending {
                Some(task) => Decision::unknown(format!("canal has MTU {wanted}, but \"{task}\" comes first")),
                None => Decision::nothing(format!("canal has MTU {wanted}")),
            });
        }
        let patch = format!("{{\"data\":{{\"veth_mtu\":\"{wanted}\"}}}}");
        let script = self.kubectl.command([
            "-n",
            "kube-system",
            "patch",
            "configmap",
            "canal-config",
            "--type",
            "merge",
            "-p",
            &patch,
        ]);
        Ok(Change::new(format!("set canal's MTU to {wanted}"))
            .differs("veth_mtu of canal-config", Shown::text(have), Shown::text(wanted))
            .step(Shell::new("kubectl patch configmap canal-config", script))
            .touching(Kubectl::touches())
            .into())
    }

    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_secs(5),
            at_most: Duration::from_secs(60),
        }
    }
}
