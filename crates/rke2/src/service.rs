//! RKE2 as a service of a machine: enabled, running, and running with the configuration that is there.
//!
//! Which configuration a running service was started with is in its environment: a drop-in of its unit gives it the
//! configuration's checksum. So whatever ended a run before the restart, the next one sees that it is due.

use crate::{CONFIG_FILE, SUPERVISOR_PORT};
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::digest;
use mosip_prov_resources::probe::listening::AskPort;
use mosip_prov_resources::probe::unit::AskUnit;
use mosip_prov_resources::{
    Answers, Ask, Change, DecideError, Decision, Patience, Question, Resource, Shell, Shown, Touch,
};
use std::time::Duration;

/// The variable of the service's environment.
const REVISION: &str = "MOSIP_PROV_REVISION";

/// `rke2-server` or `rke2-agent`.
#[derive(Debug, Clone)]
pub struct Service {
    server: bool,
    revision: String,
    joins: Option<String>,
    timeout: Duration,
}

impl Service {
    /// The service of a server or an agent, with the configuration that `config` and `release` make up.
    pub fn new(server: bool, config: &str, release: &str) -> Self {
        Self {
            server,
            revision: digest(format!("{config}\n{release}").as_bytes())[..16].to_owned(),
            joins: None,
            timeout: Duration::from_secs(1200),
        }
    }

    /// The same, started only when the server it joins answers at this address.
    #[must_use]
    pub fn joins(mut self, address: impl Into<String>) -> Self {
        self.joins = Some(address.into());
        self
    }

    /// How long it may take to come up. Default: 1200 s.
    #[must_use]
    pub fn for_at_most(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The unit's name without its type.
    pub fn unit(&self) -> &'static str {
        unit(self.server)
    }

    /// Where the drop-in lies that tells the service which configuration it has.
    pub fn drop_in_path(&self) -> String {
        format!("/etc/systemd/system/{}.service.d/10-mosip-prov.conf", self.unit())
    }

    /// The drop-in's content.
    pub fn drop_in(&self) -> String {
        format!(
            "# The configuration that the service was started with; a change restarts it.\n[Service]\nEnvironment={REVISION}={}\n",
            self.revision
        )
    }

    /// Where the drop-in lies that keeps the service from starting without its configuration.
    pub fn guard_path(server: bool) -> String {
        format!("/etc/systemd/system/{}.service.d/05-configured.conf", unit(server))
    }

    /// That drop-in's content. A server without configuration would make a cluster of its own, with a token that nobody
    /// knows.
    pub fn guard() -> String {
        format!(
            "# Without its configuration it would make a cluster of its own.\n[Unit]\nAssertPathExists={CONFIG_FILE}\n"
        )
    }

    fn ask(&self) -> AskUnit {
        AskUnit(format!("{}.service", self.unit()))
    }

    fn ask_other(&self) -> AskUnit {
        AskUnit(format!("{}.service", unit(!self.server)))
    }

    /// Succeeds when the service runs with this configuration, as the program that is there now.
    fn ask_revision(&self) -> AskCommand {
        AskCommand(format!(
            "p=$(systemctl show -p MainPID --value -- {unit}.service)\n\
             [ \"${{p:-0}}\" -gt 0 ] || exit 1\n\
             case $(readlink \"/proc/$p/exe\") in *'(deleted)') exit 1 ;; esac\n\
             tr '\\0' '\\n' <\"/proc/$p/environ\" | grep -qx '{REVISION}={revision}'",
            unit = self.unit(),
            revision = self.revision,
        ))
    }

    fn ask_port(&self) -> Option<AskPort> {
        self.joins.as_ref().map(|host| AskPort {
            host: host.clone(),
            port: SUPERVISOR_PORT,
        })
    }
}

fn unit(server: bool) -> &'static str {
    if server { "rke2-server" } else { "rke2-agent" }
}

impl Resource for Service {
    fn kind(&self) -> &'static str {
        "rke2_service"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![
            self.ask().question(),
            self.ask_other().question(),
            self.ask_revision().question(),
        ];
        questions.extend(self.ask_port().map(|ask| ask.question()));
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let unit = self.unit();
        let state = answers.get(&self.ask())?;
        let pending = self
            .questions()
            .iter()
            .find_map(|q| answers.pending_for(q))
            .map(str::to_owned);
        let other = answers.get(&self.ask_other())?;
        if other.is_active() || other.active == "activating" {
            return Err(DecideError::impossible_help(
                format!("the machine runs {}, and shall run {unit}", self::unit(!self.server)),
                "a node does not change between server and agent: remove it from the cluster and run /usr/local/bin/rke2-uninstall.sh there, then run again",
            ));
        }
        if !state.exists() {
            return match pending {
                Some(task) => Ok(Decision::unknown(format!("{unit} comes with \"{task}\""))),
                None => Err(DecideError::impossible_help(
                    format!("there is no unit {unit}.service"),
                    "install RKE2 first: run without --tags and --skip-tags",
                )),
            };
        }
        let current = answers.get(&self.ask_revision())?.status == 0;
        let enabled = state.file == "enabled";
        let active = state.is_active();
        if active && current && enabled && !state.needs_daemon_reload {
            return Ok(match pending {
                Some(task) => Decision::unknown(format!("{unit} runs, but \"{task}\" comes first and may restart it")),
                None => Decision::nothing(format!("{unit} runs, with the present configuration, and is enabled")),
            });
        }
        if let Some(ask) = self.ask_port().filter(|_| !active || !current)
            && !answers.get(&ask)?
        {
            return Ok(Decision::NotYet {
                reason: format!(
                    "{unit} is to join at {}, whose port {} does not answer this machine",
                    ask.host, ask.port
                ),
            });
        }
        let mut script = "systemctl daemon-reload || exit\n".to_owned();
        let mut change = Change::new(match (active, current) {
            (false, _) => format!("start {unit}"),
            (true, false) => format!("restart {unit} with the present configuration"),
            (true, true) => format!("enable {unit}"),
        });
        if !enabled {
            change = change.differs(
                format!("{unit} at boot"),
                Shown::text(&state.file),
                Shown::text("enabled"),
            );
            script.push_str(&format!("systemctl enable -q -- {unit}.service || exit\n"));
        }
        if !active || !current {
            let verb = if active { "restart" } else { "start" };
            change = change.differs(
                unit,
                Shown::text(if active {
                    "runs with another configuration"
                } else {
                    &state.active
                }),
                Shown::text("runs with the present configuration"),
            );
            // The unit says that it is ready when etcd and the API are; what it said until then is shown when it fails.
            script.push_str(&format!(
                "systemctl reset-failed -- {unit}.service 2>/dev/null\n\
                 systemctl {verb} -- {unit}.service && exit 0\ns=$?\n\
                 o=$(journalctl -u {unit}.service -n 25 --no-pager -o cat 2>/dev/null)\nprintf '%s\\n' \"$o\"\n\
                 case $o in *'assword rejected'* | *'uplicate node name'*)\n\
                 echo 'the cluster still has a node of this name: `kubectl delete node NAME`, then run again' ;;\nesac\nexit $s"
            ));
        }
        Ok(change
            .step(Shell::new(format!("systemctl start {unit}"), script).long(self.timeout))
            .touching([Touch::Everything])
            .into())
    }

    /// What does not come up condemns the configuration.
    fn judges(&self) -> bool {
        true
    }

    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_secs(2),
            at_most: Duration::from_secs(120),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing, expect_unknown};

    fn service() -> Service {
        Service::new(true, "a: b\n", "v1.25.16+rke2r2").joins("10.0.0.11")
    }

    fn with(active: &str, enabled: &str, current: bool, port: &str) -> Answers {
        let service = service();
        let answers = t::unit(Answers::new(), "rke2-server", active, enabled);
        let answers = t::unit(answers, "rke2-agent", "inactive", "disabled");
        let answers = t::command(answers, &service.ask_revision().0, i32::from(!current), "");
        answers.with(service.ask_port().expect("joins").question(), port)
    }

    #[test]
    fn it_is_started_when_who_it_joins_answers() {
        let change = expect_change(&service(), &with("inactive", "disabled", false, "open"));
        assert_eq!(change.summary, "start rke2-server");
        let script = t::scripts(&change);
        assert!(
            script.contains("enable -q -- rke2-server.service") && script.contains("systemctl start"),
            "{script}"
        );
        assert!(matches!(
            service().decide(&with("inactive", "disabled", false, "closed")),
            Ok(Decision::NotYet { reason }) if reason.contains("10.0.0.11, whose port 9345")
        ));
    }

    #[test]
    fn it_is_restarted_only_when_its_configuration_is_another() {
        expect_nothing(&service(), &with("active", "enabled", true, "closed"));
        let change = expect_change(&service(), &with("active", "enabled", false, "open"));
        assert!(t::scripts(&change).contains("systemctl restart -- rke2-server.service"));
        let change = expect_change(&service(), &with("active", "disabled", true, "closed"));
        assert!(!t::scripts(&change).contains("systemctl restart"));
        assert_ne!(
            service().drop_in(),
            Service::new(true, "a: c\n", "v1.25.16+rke2r2").drop_in()
        );
        assert_ne!(
            service().drop_in(),
            Service::new(true, "a: b\n", "v1.26.0+rke2r1").drop_in()
        );
    }

    #[test]
    fn in_check_mode_what_is_not_installed_yet_is_not_known() {
        let answers = with("active", "enabled", true, "open").with_pending("write it", vec![Touch::Everything]);
        expect_unknown(&service(), &answers);
        let absent = t::unit_absent(with("active", "enabled", true, "open"), "rke2-server");
        assert!(expect_error(&service(), &absent).contains("no unit rke2-server.service"));
        let pending = absent.with_pending("Install RKE2", vec![Touch::Kind("unit")]);
        assert_eq!(
            expect_unknown(&service(), &pending),
            "rke2-server comes with \"Install RKE2\""
        );
    }

    #[test]
    fn an_agent_does_not_become_a_server() {
        let answers = t::unit(
            with("inactive", "disabled", false, "open"),
            "rke2-agent",
            "active",
            "enabled",
        );
        assert!(expect_error(&service(), &answers).contains("runs rke2-agent, and shall run rke2-server"));
    }

    #[test]
    fn a_process_with_the_variable_is_found() {
        // The question as it is asked, but for where the process's number comes from.
        let script = service().ask_revision().0;
        let begin = script.find('\n').expect("lines");
        let script = format!("p=$PPID\n{}", &script[begin..]);
        for (value, found) in [(service().revision, true), ("other".into(), false)] {
            let done = std::process::Command::new("sh")
                .env(REVISION, value)
                // The shell's own child asks about the shell, which has the variable in its first environment.
                .args(["-c", &format!("sh -c '{}'\nexit $?", script.replace('\'', r"'\''"))])
                .status()
                .expect("runs");
            assert_eq!(done.success(), found);
        }
    }
}
