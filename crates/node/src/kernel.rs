//! The kernel of a node: modules, limits, parameters, no swap.

use crate::settings::Settings;
use mosip_prov_resources::{Block, KernelModules, Swap, Sysctl, Task};

/// The marker of today's playbooks, so that the block that they left is taken over.
const LIMITS_MARKER: &str = "# {mark} ANSIBLE MANAGED BLOCK - SYSTEM LIMITS";
const LIMITS_FILE: &str = "/etc/security/limits.conf";
const SYSCTL_FILE: &str = "/etc/sysctl.d/99-kubernetes.conf";

/// What is there when a module is at work, for those whose work shows elsewhere than in the list of modules.
pub(crate) fn proof(module: &str) -> Option<&'static str> {
    match module {
        "br_netfilter" => Some("/proc/sys/net/bridge"),
        "overlay" => Some("overlay"),
        _ => None,
    }
}

pub(crate) fn tasks(settings: &Settings) -> impl Iterator<Item = Task> {
    let mut modules = KernelModules::loaded(settings.kernel_modules.clone());
    for module in &settings.kernel_modules {
        if let Some(proof) = proof(module) {
            modules = modules.proof(module, proof);
        }
    }
    let limits = Block::new(LIMITS_FILE, settings.limits.join("\n"))
        .marker(LIMITS_MARKER)
        .create(0o644);
    let swap = settings
        .disable_swap
        .then(|| Task::new("Switch swap off, now and after each boot", Swap::off()));
    [
        Task::new("Load the kernel modules, now and after each boot", modules),
        Task::new("Set the limits of sessions", limits),
        Task::new(
            "Set the kernel's parameters, now and after each boot",
            Sysctl::in_file(SYSCTL_FILE).set_all(&settings.sysctl),
        ),
    ]
    .into_iter()
    .chain(swap)
}
