//! What makes a machine a front, in order.

use crate::candidate::{self, CONFIGURATION};
use crate::firewall::Firewall;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::package::{AskPackage, PackageStatus};
use mosip_prov_resources::{
    Answers, Apt, Ask, Condition, Content, DecideError, File, FileSet, RoleTasks, Source, Task, Unit, Verdict,
};

/// The handler that restarts nginx.
const RESTART: &str = "restart nginx";
/// The group nginx's workers belong to.
const WORKERS: &str = "www-data";

/// A front, ready to be made into tasks.
#[derive(Debug, Clone)]
pub struct Front {
    /// The folder of certificate and key on the host.
    pub ssl_dir: String,
    /// The certificate on the host.
    pub cert_path: String,
    /// The key on the host.
    pub key_path: String,
    /// What the certificate's file holds.
    pub certificate: Content,
    /// What the key's file holds; sensitive.
    pub key: Content,
    /// What [`CONFIGURATION`] holds.
    pub configuration: Source,
    /// Whether the configuration forwards TCP connections, which needs the stream module.
    pub needs_stream: bool,
    /// The forwarding rules, when they are wanted.
    pub firewall: Option<Firewall>,
}

impl Front {
    /// The tasks, and the handler that restarts nginx.
    pub fn tasks(self) -> RoleTasks {
        let mut tasks = vec![
            self.refresh(),
            self.install(),
            Task::new(
                "Create the folder for certificate and key",
                File::directory(&self.ssl_dir).mode(0o750).owner("root").group(WORKERS),
            )
            .tag("certificate"),
            Task::new("Write certificate, key and configuration", self.files())
                .tag("certificate")
                .tag("configuration")
                .notify(RESTART),
            Task::new(
                "Run nginx, now and after each boot",
                Unit::new("nginx").running().enabled(),
            )
            .tag("service"),
        ];
        if let Some(firewall) = self.firewall {
            tasks.extend(forwarding(&firewall));
        }
        RoleTasks {
            tasks,
            handlers: vec![Task::new(RESTART, Unit::restarted("nginx"))],
        }
    }

    /// The packages of nginx itself.
    fn packages(&self) -> Vec<&'static str> {
        if self.needs_stream {
            vec!["nginx", "libnginx-mod-stream"]
        } else {
            vec!["nginx"]
        }
    }

    fn refresh(&self) -> Task {
        let (own, further) = (self.packages(), self.firewall.as_ref().map(|_| "iptables"));
        let mut questions = vec![AskCommand(candidate::build_script()).question()];
        questions.extend(
            own.iter()
                .copied()
                .chain(further)
                .map(|name| AskPackage::new(name).question()),
        );
        Task::new("Refresh the package index", Apt::update_cache())
            .tag("packages")
            .when(Condition::new(questions, move |answers| {
                index_matters(answers, &own, further)
            }))
    }

    fn install(&self) -> Task {
        let packages = Apt::present(self.packages());
        if !self.needs_stream {
            return Task::new("Install nginx", packages).tag("packages");
        }
        let build = AskCommand(candidate::build_script()).question();
        Task::new("Install nginx and its stream module", packages)
            .tag("packages")
            .when(Condition::new(vec![build], module_matters))
    }

    /// Certificate, key and configuration: tested together, and replaced only when nginx accepts them together.
    fn files(&self) -> FileSet {
        let owned = |path: &str, source: Source, mode: u32| File::content(path, source).mode(mode).owner("root");
        FileSet::new()
            .file(owned(&self.cert_path, self.certificate.clone().into(), 0o640).group(WORKERS))
            .file(
                owned(&self.key_path, self.key.clone().into(), 0o600)
                    .group("root")
                    .sensitive(),
            )
            .file(
                owned(CONFIGURATION, self.configuration.clone(), 0o640)
                    .group(WORKERS)
                    .keep_first(format!("{CONFIGURATION}.orig")),
            )
            .validate(candidate::test_script(&self.cert_path, &self.key_path))
    }
}

/// The index of packages matters only where one is missing: a host that is right is not changed by its age.
fn index_matters(answers: &Answers, own: &[&str], further: Option<&str>) -> Result<Verdict, DecideError> {
    // An nginx that brings its stream module is not the distribution's: it is left as it is.
    let own = match own.len() > 1 && matches!(module_matters(answers)?, Verdict::Skip(_)) {
        true => &[][..],
        false => own,
    };
    for name in own.iter().copied().chain(further) {
        if !matches!(
            answers.get(&AskPackage::new(name))?.status,
            PackageStatus::Installed { .. }
        ) {
            return Ok(Verdict::Do);
        }
    }
    Ok(Verdict::Skip("all packages are installed".into()))
}

/// The distribution's module package fits the distribution's nginx only.
fn module_matters(answers: &Answers) -> Result<Verdict, DecideError> {
    let built = answers.get(&AskCommand(candidate::build_script()))?;
    Ok(match candidate::has_stream_inside(&built.output) {
        true => Verdict::Skip("the nginx that is installed has the stream module built in".into()),
        false => Verdict::Do,
    })
}

fn forwarding(firewall: &Firewall) -> [Task; 5] {
    firewall.chains().tasks().map(|task| task.tag("firewall"))
}

#[cfg(test)]
mod tests;
