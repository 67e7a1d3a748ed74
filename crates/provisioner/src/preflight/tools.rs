//! Area `tools`: what the deployment node has, judged by what the playbook `deployment-node` would bring there.

use super::fleet::with_defaults;
use crate::Provisioner;
use mosip_prov_engine::{Answers, Ask as _, DecideError, Decision, Question, Resource};
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_preflight::fleet::Fleet;
use mosip_prov_preflight::keys::RkeKey;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_rke2::Reader;
use role_deployment_node::{HelmRepository, OpensslIsThere, Settings, Tool};

const AREA: &str = "tools";
/// The playbook that brings what is missing.
const BRINGS: &str = "`mosip-prov run deployment-node` brings it";
const TOFU: &str =
    "PATH=\"$PATH:/usr/local/bin:/snap/bin\"\ncommand -v tofu >/dev/null 2>&1 && tofu version 2>/dev/null | head -n 1";
const SYSTEM_OPENSSL: &str = "openssl version 2>/dev/null";
const SSH: &str = "command -v ssh";
const CERTBOT: &str = "PATH=\"$PATH:/usr/local/bin:/snap/bin\"\ncommand -v certbot";

/// What is asked of the deployment node.
pub(super) struct Tools {
    tools: Vec<Tool>,
    repositories: Vec<(String, String)>,
    openssl: Option<(String, OpensslIsThere)>,
    /// What is wrong with the settings of the tools themselves.
    wrong: Vec<Finding>,
}

impl Tools {
    /// What the variables of the deployment node ask for.
    pub fn read(provisioner: &Provisioner, deployment: &str, fleet: &Fleet) -> Self {
        let mut made = Self {
            tools: Vec::new(),
            repositories: Vec::new(),
            openssl: None,
            wrong: Vec::new(),
        };
        let Some(vars) = provisioner.vars_of(deployment) else {
            return made;
        };
        let mut problems = Diagnostics::new();
        let vars = with_defaults(vars, role_deployment_node::DEFAULTS, &mut problems);
        let settings = Settings::read(&vars, provisioner.inventory().base_dir(), &mut problems);
        made.wrong
            .extend(problems.iter().filter(|problem| problem.is_error()).map(|problem| {
                let remedy = problem.help.clone();
                let remedy = remedy.unwrap_or_else(|| "correct the variable".into());
                Finding::failure(AREA, "settings", deployment, problem.message.clone(), remedy)
            }));
        let Some(settings) = settings else { return made };
        let by_rke = [&fleet.main, &fleet.observation]
            .into_iter()
            .flatten()
            .any(|cluster| !cluster.rke2);
        let wanted = settings.tools.iter().filter(|tool| by_rke || tool.known.name != "rke");
        made.tools = wanted.map(|tool| Tool::new(tool, &settings)).collect();
        made.repositories.clone_from(&settings.repositories);
        made.openssl = settings.openssl.as_ref().map(|openssl| {
            let there = OpensslIsThere::new(&openssl.prefix, &openssl.version);
            (openssl.version.clone(), there)
        });
        made
    }

    pub fn questions(&self) -> Vec<Question> {
        let mut questions: Vec<Question> = self.tools.iter().map(|tool| tool.ask().question()).collect();
        if !self.repositories.is_empty() {
            questions.push(HelmRepository::ask().question());
        }
        questions.extend(self.openssl.iter().map(|(_, there)| there.ask().question()));
        questions.extend([TOFU, SYSTEM_OPENSSL, SSH, CERTBOT].map(|script| AskCommand(script.into()).question()));
        questions
    }

    /// What follows from the answers of the deployment node.
    pub fn judge(&self, answers: &Answers) -> Vec<Finding> {
        let mut found = self.wrong.clone();
        let says = |script: &str| {
            let answer = answers.get(&AskCommand(script.into())).ok()?;
            (answer.status == 0 && !answer.output.trim().is_empty()).then(|| answer.output.trim().to_owned())
        };
        let mut no_helm = false;
        for tool in &self.tools {
            let name = tool.name();
            match (tool.look(answers), name) {
                (Ok(reason), _) => found.push(Finding::ok(AREA, "tool", name, reason)),
                (Err(error), "terraform") => match says(TOFU) {
                    Some(tofu) => found.push(Finding::ok(AREA, "tool", name, format!("{tofu} stands in for it"))),
                    None => found.push(fails("tool", name, &error)),
                },
                (Err(error), _) => {
                    no_helm |= name == "helm";
                    found.push(fails("tool", name, &error));
                }
            }
        }
        // Without helm there is nobody to tell of them, and that was said.
        for (name, url) in self.repositories.iter().filter(|_| !no_helm) {
            let subject = format!("helm repository {name}");
            found.push(match HelmRepository::new(name, url).decide(answers) {
                Ok(Decision::Nothing { reason }) => Finding::ok(AREA, "helm_repository", subject, reason),
                Ok(_) => Finding::failure(
                    AREA,
                    "helm_repository",
                    subject,
                    format!("helm does not know {name} at {url}"),
                    format!("{BRINGS}; by hand: `helm repo add --force-update {name} {url}`"),
                ),
                Err(error) => fails("helm_repository", &subject, &error),
            });
        }
        if let Some((version, there)) = &self.openssl {
            let system = says(SYSTEM_OPENSSL).filter(|said| {
                said.strip_prefix("OpenSSL ")
                    .and_then(|rest| rest.split_whitespace().next())
                    == Some(version.as_str())
            });
            found.push(match (there.decide(answers), system) {
                (Ok(Decision::Nothing { reason }), _) => Finding::ok(AREA, "openssl", "openssl", reason),
                (_, Some(system)) => Finding::ok(AREA, "openssl", "openssl", format!("the system's own is {system}")),
                _ => Finding::failure(
                    AREA,
                    "openssl",
                    "openssl",
                    format!(
                        "there is no OpenSSL {version} beside the system's own ({}): the registration client's keystore is \
                         made with it, and fails with \"keystore password was incorrect\" when a newer one made it",
                        says(SYSTEM_OPENSSL).unwrap_or_else(|| "none".into())
                    ),
                    format!("{BRINGS} without touching the system's; openssl_source: none where no client is built"),
                ),
            });
        }
        found.push(match says(SSH) {
            Some(path) => Finding::ok(AREA, "tool", "ssh", format!("{path} is there")),
            None => Finding::failure(
                AREA,
                "tool",
                "ssh",
                "there is no ssh, and RKE and operators reach the machines by it",
                "apt-get install openssh-client",
            ),
        });
        found.push(Finding::ok(
            AREA,
            "tool",
            "certbot",
            match says(CERTBOT) {
                Some(path) => format!("{path} is there"),
                None => "it is not there, and is needed only where Let's Encrypt issues the certificates".to_owned(),
            },
        ));
        found
    }
}

fn fails(check: &str, subject: &str, error: &DecideError) -> Finding {
    let remedy = match error.help() {
        Some(help) if help.contains("run deployment-node") => help.to_owned(),
        Some(help) => format!("{help}; then {BRINGS}"),
        None => BRINGS.to_owned(),
    };
    Finding::failure(AREA, check, subject, error.to_string(), remedy)
}

/// The key that RKE reaches the nodes by from the deployment node; `None` where RKE2 builds all clusters, or none is built.
pub(super) fn rke_key(provisioner: &Provisioner, deployment: &str, fleet: &Fleet) -> Option<RkeKey> {
    let by_rke = [&fleet.main, &fleet.observation]
        .into_iter()
        .flatten()
        .any(|cluster| !cluster.rke2);
    let mut problems = Diagnostics::new();
    let vars = with_defaults(
        provisioner.vars_of(deployment)?,
        role_rke_cluster::DEFAULTS,
        &mut problems,
    );
    let path = Reader {
        vars: &vars,
        problems: &mut problems,
    }
    .text("ssh_key_path");
    (by_rke && !path.is_empty()).then(|| RkeKey::new(deployment, path))
}
