//! The tools that a deployment is made with, on the machine that it is made from: kubectl, helm, terraform, istioctl, rke
//! and jq, helm's repositories, and an OpenSSL of its own for the registration client's keystore.
//!
//! A tool of a right version is left alone, wherever it is. What is missing is installed from the source that the settings
//! name; all that cannot be brought about is told in one go, before anything is changed.

mod helm;
mod openssl;
mod settings;
mod tool;

pub use helm::HelmRepository;
pub use openssl::{OPENSSL_PLACE, OpensslIsThere, openssl_folder, openssl_folder_in};
pub use settings::{Fetch, Openssl, Settings, Source, ToolSettings};
pub use tool::{Installed, Known, TOOLS, Tool, Tools, Wanted};

use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::{Apt, File, Role, RoleContext, RoleTasks, RunAs, Task};
use std::sync::Arc;
use std::time::Duration;

/// The defaults of the role's variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// The tag of the tools.
pub const TOOLS_TAG: &str = "tools";
/// The tag of helm's repositories.
pub const HELM_TAG: &str = "helm-repositories";
/// The tag of OpenSSL.
pub const OPENSSL_TAG: &str = "openssl";

/// The role `deployment-node`.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeploymentNode;

impl Role for DeploymentNode {
    fn name(&self) -> &str {
        "deployment-node"
    }

    fn summary(&self) -> &str {
        "the tools that a deployment is made with: kubectl, helm, terraform, istioctl, rke, jq, an OpenSSL of its own"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        match Settings::read(cx.vars, cx.base_dir(), problems) {
            Some(settings) => tasks(&settings),
            None => RoleTasks::default(),
        }
    }
}

/// The tasks that follow from `settings`.
pub fn tasks(settings: &Settings) -> RoleTasks {
    let root = || RunAs::User("root".to_owned());
    let owner = || if settings.as_root { root() } else { RunAs::Play };
    let tools: Vec<Arc<Tool>> = settings
        .tools
        .iter()
        .map(|one| Arc::new(Tool::new(one, settings)))
        .collect();
    let mut tasks = vec![
        Task::new("See which tools are there", Tools(tools.clone()))
            .run_as(owner())
            .tag(TOOLS_TAG),
    ];
    if settings
        .tools
        .iter()
        .any(|one| matches!(one.source, Source::Package(_)))
    {
        let update = Apt::update_cache()
            .max_age(Duration::from_secs(3600))
            .lock_timeout(settings.lock_timeout);
        tasks.push(
            Task::new("Refresh the package index", update)
                .when(tool::any_package_missing(&tools))
                .run_as(root())
                .tag(TOOLS_TAG),
        );
    }
    if settings.tools.iter().any(ToolSettings::comes_zipped) {
        let unzip = Apt::present(["unzip"]).lock_timeout(settings.lock_timeout);
        tasks.push(
            Task::new("Install what unpacks zip archives", unzip)
                .when(tool::any_zip_missing(&tools))
                .run_as(root())
                .tag(TOOLS_TAG),
        );
    }
    tasks.extend(tools.iter().map(|tool| {
        let as_user = if tool.is_package() { root() } else { owner() };
        Task::new(format!("Install {}", tool.name()), Installed(Arc::clone(tool)))
            .run_as(as_user)
            .tag(TOOLS_TAG)
    }));
    tasks.extend(settings.repositories.iter().map(|(name, url)| {
        Task::new(
            format!("Know the helm repository {name}"),
            HelmRepository::new(name, url),
        )
        .tag(HELM_TAG)
    }));
    if let Some(openssl) = &settings.openssl {
        tasks.extend(
            openssl::tasks(openssl, settings.lock_timeout)
                .into_iter()
                .map(|task| task.run_as(root()).tag(OPENSSL_TAG)),
        );
    }
    RoleTasks {
        tasks,
        handlers: Vec::new(),
    }
}

/// A folder with the mode that folders of programs have.
pub(crate) fn folder(path: &str) -> File {
    File::directory(path).mode(0o755)
}
