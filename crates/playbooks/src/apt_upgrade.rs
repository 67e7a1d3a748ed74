//! `apt-upgrade`: all packages of all machines up to date.

use crate::checks::RebootsOneByOne;
use mosip_prov_engine::{Play, Playbook, Serial};
use role_apt_upgrade::AptUpgrade;

pub(crate) fn playbook() -> Playbook {
    Playbook::new(
        "apt-upgrade",
        "upgrade the packages of all machines, and reboot those that need it when asked to",
    )
    .check(RebootsOneByOne)
    .play(
        Play::new("Upgrade packages", "physical_vms:mosip_obs:nginx:nginx_obs")
            .optional("physical_vms")
            .optional("mosip_obs")
            .optional("nginx")
            .optional("nginx_obs")
            .serial(Serial::Variable("apt_upgrade_serial".into()))
            .role(AptUpgrade),
    )
}
