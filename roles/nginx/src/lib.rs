//! The front of the MOSIP cluster: nginx that serves the public names to everyone, and internal names, minio, postgres
//! and activemq to the networks that may reach them.

mod configuration;
mod settings;

pub use configuration::configuration;
pub use settings::Settings;

use mosip_prov_front::{CertificateFiles, Front, Surroundings};
use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::{Content, Role, RoleContext, RoleTasks, Source};
use std::net::IpAddr;

/// The defaults of the role's variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// The role `nginx`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nginx;

impl Role for Nginx {
    fn name(&self) -> &str {
        "nginx"
    }

    fn summary(&self) -> &str {
        "nginx in front of the MOSIP cluster: public names for everyone, internal ones for the networks that may"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let settings = Settings::read(&Surroundings::of_role(cx), problems);
        let files = problems.take(CertificateFiles::find(self.name(), cx.base_dir()));
        let contents = files.and_then(|files| files.read(problems));
        let Some(settings) = settings else {
            return RoleTasks::default();
        };
        // Without the files the tasks can still be listed; the problem keeps them from being run.
        let (certificate, key) = contents.unwrap_or_else(|| (Content::public(""), Content::sensitive("")));
        Front {
            ssl_dir: settings.ssl_dir.clone(),
            cert_path: settings.cert_path.clone(),
            key_path: settings.key_path.clone(),
            certificate,
            key,
            needs_stream: true,
            firewall: settings.firewall.clone(),
            configuration: Source::from_facts(move |facts| {
                let host_default = facts.default_ipv4.as_ref().map(|ipv4| IpAddr::V4(ipv4.address));
                configuration(&settings, host_default)
            }),
        }
        .tasks()
    }
}
