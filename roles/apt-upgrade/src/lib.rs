//! All packages of a machine up to date, and a reboot where one is needed and allowed.

mod settings;

pub use settings::Settings;

use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::{Apt, Reboot, Role, RoleContext, RoleTasks, Task, UpgradeKind};

/// The defaults of the role's variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// The role `apt-upgrade`.
#[derive(Debug, Clone, Copy, Default)]
pub struct AptUpgrade;

impl Role for AptUpgrade {
    fn name(&self) -> &str {
        "apt-upgrade"
    }

    fn summary(&self) -> &str {
        "all packages up to date, and a reboot where one is needed and allowed"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        match Settings::read(cx.vars, problems) {
            Some(settings) => RoleTasks {
                tasks: tasks(&settings),
                handlers: Vec::new(),
            },
            None => RoleTasks::default(),
        }
    }
}

/// The tasks for these settings, in order.
pub fn tasks(settings: &Settings) -> Vec<Task> {
    let wait = settings.lock_timeout;
    let upgrade = match settings.kind {
        UpgradeKind::Dist => "Upgrade all packages, removing where it must be",
        UpgradeKind::Safe => "Upgrade all packages",
        UpgradeKind::SecurityOnly => "Upgrade packages from the security archive",
    };
    let mut tasks = vec![
        Task::new(
            "Refresh the package index",
            Apt::update_cache().max_age(settings.index_age).lock_timeout(wait),
        ),
        Task::new(upgrade, Apt::upgrade(settings.kind).lock_timeout(wait)).tag("upgrade"),
    ];
    if !settings.additional.is_empty() {
        let packages = Apt::present(settings.additional.clone()).lock_timeout(wait);
        tasks.push(Task::new("Install additional packages", packages).tag("packages"));
    }
    if settings.autoremove {
        tasks.push(
            Task::new(
                "Remove packages that nothing needs",
                Apt::autoremove(true).lock_timeout(wait),
            )
            .tag("cleanup"),
        );
    }
    if settings.autoclean {
        tasks.push(Task::new("Remove old downloads", Apt::autoclean().lock_timeout(wait)).tag("cleanup"));
    }
    let reboot = Reboot::if_required(settings.reboot).timeout(settings.reboot_timeout);
    tasks.push(Task::new("Reboot where it is needed", reboot).tag("reboot"));
    tasks
}
