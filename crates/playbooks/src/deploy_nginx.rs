//! `deploy-nginx`: the front of the MOSIP cluster.

use crate::checks::{FrontCertificate, OneFrontEach};
use mosip_prov_engine::{Play, Playbook};
use role_nginx::Nginx;

pub(crate) fn playbook() -> Playbook {
    Playbook::new("deploy-nginx", "deploy nginx in front of the MOSIP cluster")
        .check(OneFrontEach)
        .check(FrontCertificate::of_nginx())
        .play(Play::new("Deploy the MOSIP front", "nginx").role(Nginx))
}
