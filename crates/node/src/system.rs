//! What a machine must be before anything on it is changed.

use crate::kernel::proof;
use mosip_prov_resources::probe::kernel_module::AskKernelModule;
use mosip_prov_resources::probe::sysctl::{AskSysctl, path};
use mosip_prov_resources::{Answers, Ask, AskFacts, DecideError, Decision, Question, Resource};

/// The machine runs Debian or one of its family, with systemd, and its kernel has the settings that it shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuitableSystem {
    modules: Vec<String>,
    settings: Vec<String>,
}

impl SuitableSystem {
    /// A machine whose kernel shall have these settings (`net.ipv4.ip_forward`) once these modules are loaded.
    pub fn new(
        modules: impl IntoIterator<Item = impl Into<String>>,
        settings: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            modules: modules.into_iter().map(Into::into).collect(),
            settings: settings.into_iter().map(Into::into).collect(),
        }
    }

    fn ask_module(name: &str) -> AskKernelModule {
        AskKernelModule {
            name: name.to_owned(),
            proof: proof(name).map(str::to_owned),
        }
    }

    /// The settings that the kernel lacks and that no module still to be loaded brings.
    fn lacking(&self, answers: &Answers) -> Result<Vec<&str>, DecideError> {
        let mut to_load = Vec::new();
        for module in &self.modules {
            if !answers.get(&Self::ask_module(module))?.is_present() {
                to_load.push(module.as_str());
            }
        }
        let mut lacking = Vec::new();
        for name in &self.settings {
            if answers.get(&AskSysctl(name.clone()))?.is_none() && !to_load.iter().any(|module| brings(module, name)) {
                lacking.push(name.as_str());
            }
        }
        Ok(lacking)
    }
}

/// Whether the setting `name` may come with `module`. Of a module that is not known here it may: the task that sets
/// them sees them all once it is loaded.
fn brings(module: &str, name: &str) -> bool {
    let path = path(name);
    let below = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
    match module.replace('-', "_").as_str() {
        "br_netfilter" => below(&["/proc/sys/net/bridge/"]),
        "nf_conntrack" => below(&["/proc/sys/net/netfilter/", "/proc/sys/net/nf_conntrack"]),
        "ip_vs" => below(&["/proc/sys/net/ipv4/vs/"]),
        "overlay" | "ip_tables" | "iptable_nat" | "iptable_filter" | "nf_nat" | "xt_REDIRECT" | "xt_owner" => false,
        _ => true,
    }
}

impl Resource for SuitableSystem {
    fn kind(&self) -> &'static str {
        "system"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![AskFacts.question()];
        questions.extend(self.modules.iter().map(|name| Self::ask_module(name).question()));
        questions.extend(self.settings.iter().map(|name| AskSysctl(name.clone()).question()));
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let facts = answers.get(&AskFacts)?;
        let system = format!("{} {}", facts.distribution, facts.version);
        let system = system.trim();
        if !facts.has_apt {
            return Err(DecideError::impossible_help(
                format!("the machine runs {system}, which has no apt"),
                "give it Ubuntu or Debian",
            ));
        }
        if facts.init != "systemd" {
            return Err(DecideError::impossible_help(
                format!(
                    "process 1 of the machine is {:?}, and its services are run by systemd",
                    facts.init
                ),
                "give it a system that boots with systemd",
            ));
        }
        let lacking = self.lacking(answers)?;
        if !lacking.is_empty() {
            if let Some(task) = self
                .questions()
                .iter()
                .find_map(|question| answers.pending_for(question))
            {
                return Ok(Decision::unknown(format!(
                    "\"{task}\" comes first, and may bring {}",
                    lacking.join(", ")
                )));
            }
            return Err(DecideError::impossible_help(
                format!("the kernel has no setting {}", lacking.join(", ")),
                "correct the names in sysctl_params, take them out, or name the module that brings them in \
                 kernel_modules (net.netfilter.nf_conntrack_* comes with nf_conntrack)",
            ));
        }
        Ok(Decision::nothing(format!(
            "{system} on {}, {} processors, {} MiB",
            facts.architecture, facts.vcpus, facts.memtotal_mb
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing, expect_unknown};
    use mosip_prov_resources::{Facts, Touch};

    fn good() -> Facts {
        Facts {
            distribution: "ubuntu".into(),
            version: "22.04".into(),
            architecture: "x86_64".into(),
            vcpus: 4,
            memtotal_mb: 16_000,
            init: "systemd".into(),
            has_apt: true,
            ..Facts::default()
        }
    }

    #[test]
    fn only_apt_and_systemd_will_do() {
        let plain = SuitableSystem::new([""; 0], [""; 0]);
        let of = |facts: &Facts| t::facts(Answers::new(), facts);
        assert_eq!(
            expect_nothing(&plain, &of(&good())),
            "ubuntu 22.04 on x86_64, 4 processors, 16000 MiB"
        );
        let alpine = Facts {
            has_apt: false,
            ..good()
        };
        assert!(expect_error(&plain, &of(&alpine)).contains("has no apt"));
        let other = Facts {
            init: "runit".into(),
            ..good()
        };
        assert!(expect_error(&plain, &of(&other)).contains("runit"));
    }

    #[test]
    fn settings_that_the_kernel_lacks_are_named_together() {
        let wanted = SuitableSystem::new(
            ["br_netfilter"],
            [
                "net.bridge.bridge-nf-call-iptables",
                "net.core.nope",
                "vm.swappiness",
                "kernel.neither",
            ],
        );
        let host = |module: &str| {
            let answers = t::facts(Answers::new(), &good());
            let answers = t::kernel_module(answers, "br_netfilter", Some("/proc/sys/net/bridge"), module);
            let answers = t::sysctl(answers, "vm.swappiness", Some("60"));
            ["net.bridge.bridge-nf-call-iptables", "net.core.nope", "kernel.neither"]
                .into_iter()
                .fold(answers, |answers, name| t::sysctl(answers, name, None))
        };
        // What comes with a module that is not loaded yet is no mistake.
        let error = expect_error(&wanted, &host("modules no-proof"));
        assert!(
            error.starts_with("the kernel has no setting net.core.nope, kernel.neither;"),
            "{error}"
        );
        // With a module that is at work it is one.
        let error = expect_error(&wanted, &host("modules loaded proof"));
        assert!(error.contains("bridge-nf-call-iptables, net.core.nope"), "{error}");
        let pending = host("modules no-proof").with_pending("Upgrade packages", vec![Touch::Everything]);
        assert!(expect_unknown(&wanted, &pending).contains("Upgrade packages"));
    }

    #[test]
    fn modules_bring_settings_of_their_own() {
        for (module, name, may) in [
            ("br-netfilter", "net.bridge.bridge-nf-call-iptables", true),
            ("br_netfilter", "net.core.somaxconn", false),
            ("nf_conntrack", "net.netfilter.nf_conntrack_max", true),
            ("nf_conntrack", "net/nf_conntrack_max", true),
            ("overlay", "fs.overlay", false),
            ("sunrpc", "sunrpc.tcp_slot_table_entries", true),
        ] {
            assert_eq!(brings(module, name), may, "{module} {name}");
        }
    }
}
