//! `deploy-rancher-obs-nginx`: the front of the observation cluster.

use crate::checks::{FrontCertificate, OneFrontEach};
use mosip_prov_engine::{Play, Playbook};
use role_nginx_obs::NginxObs;

pub(crate) fn playbook() -> Playbook {
    Playbook::new(
        "deploy-rancher-obs-nginx",
        "deploy nginx in front of the observation cluster",
    )
    .check(OneFrontEach)
    .check(FrontCertificate::of_nginx_obs())
    .play(Play::new("Deploy the observation front", "nginx_obs").role(NginxObs))
}
