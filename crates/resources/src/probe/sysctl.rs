//! Kernel settings as they are in force, read from `/proc/sys` by one `grep` for all. An answer is `absent` or `value`
//! and the value on one line.

use super::{all_failed, shorten};
use mosip_prov_engine::shell::quote_all;
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};

/// Asks for the value of one setting, `None` when the kernel has none of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskSysctl(
    /// The name as sysctl(8) has it: `net.ipv4.ip_forward`, `net/ipv4/conf/eth0.100/forwarding`.
    pub String,
);

impl Ask for AskSysctl {
    type Answer = Option<String>;

    fn question(&self) -> Question {
        Question::new(&SysctlProbe, path(&self.0))
    }

    fn read(&self, raw: &str) -> Result<Option<String>, String> {
        match raw.split_once(' ').unwrap_or((raw, "")) {
            ("absent", _) => Ok(None),
            ("value", value) => Ok(Some(normal(value))),
            _ => Err(shorten(raw)),
        }
    }
}

/// The file of a setting: in a name whose first separator is a dot, dots separate and a slash stands for a dot; in
/// others it is the other way round (sysctl.d(5)).
pub fn path(name: &str) -> String {
    let mut path = "/proc/sys/".to_owned();
    let dots = name.chars().find(|c| matches!(c, '.' | '/')) != Some('/');
    path.extend(name.chars().map(|c| match c {
        '.' if dots => '/',
        '/' if dots => '.',
        other => other,
    }));
    path
}

/// A value with one blank between its words: the kernel writes tabs, people write blanks.
pub fn normal(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The kind of question behind [`AskSysctl`]; a subject is the path of a setting.
pub struct SysctlProbe;

impl Probe for SysctlProbe {
    fn name(&self) -> &'static str {
        "sysctl"
    }

    fn script(&self, subjects: &[&str]) -> String {
        // The shell's own `read` takes one byte at a time, which /proc/sys answers once only.
        format!(
            "set -- {}
echo '[values]'; grep -s '' /dev/null \"$@\" 2>/dev/null
echo '[there]'; for f do if [ -f \"$f\" ]; then echo \"$f\"; fi; done
echo '[end]'",
            quote_all(subjects.iter().copied())
        )
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let parts = output
            .strip_prefix("[values]\n")
            .and_then(|rest| rest.strip_suffix("[end]"))
            .and_then(|rest| rest.split_once("[there]\n"));
        let Some((values, there)) = parts else {
            return all_failed(subjects.len(), &format!("the output breaks off: {}", shorten(output)));
        };
        let value_of = |subject: &str| {
            let lines = values.lines();
            let mut lines = lines.filter_map(|line| line.strip_prefix(subject)?.strip_prefix(':'));
            lines.next()
        };
        let one = |subject: &&str| match value_of(subject) {
            Some(value) => Ok(format!("value {value}")),
            None if there.lines().any(|path| path == *subject) => Err(format!("{subject} cannot be read")),
            None => Ok("absent".to_owned()),
        };
        subjects.iter().map(one).collect()
    }

    /// Modules bring settings, and services set some.
    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        match touch {
            Touch::Path(_) => touch.concerns_path(subject),
            Touch::Thing(kind, thing) => *kind == "sysctl" && thing == subject,
            Touch::Kind(kind) => matches!(*kind, "sysctl" | "kernel-module" | "unit"),
            Touch::Everything => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    #[test]
    fn names_lead_to_files() {
        assert_eq!(path("net.ipv4.ip_forward"), "/proc/sys/net/ipv4/ip_forward");
        assert_eq!(
            path("net.ipv4.conf.eth0/100.forwarding"),
            "/proc/sys/net/ipv4/conf/eth0.100/forwarding"
        );
        assert_eq!(
            path("net/ipv4/conf/eth0.100/forwarding"),
            "/proc/sys/net/ipv4/conf/eth0.100/forwarding"
        );
        assert_eq!(path("abi"), "/proc/sys/abi");
    }

    #[test]
    fn this_kernel_answers() {
        let names = ["kernel.ostype", "kernel.printk", "no.such.setting", "net.ipv4"].map(path);
        let subjects = names.each_ref().map(String::as_str);
        for shell in sh_available() {
            let answers = SysctlProbe.split(&ask_with(shell, &SysctlProbe, &subjects), &subjects);
            let read = |at: usize| AskSysctl(String::new()).read(answers[at].as_ref().expect("answered"));
            assert_eq!(read(0), Ok(Some("Linux".into())), "{shell:?}");
            let printk = read(1).expect("read").expect("there");
            assert_eq!(printk.split(' ').count(), 4, "{shell:?} {printk}");
            assert_eq!((read(2), read(3)), (Ok(None), Ok(None)), "{shell:?}");
        }
        // One alone is answered in the same form.
        let output = ask_with(&["sh"], &SysctlProbe, &subjects[..1]);
        assert_eq!(SysctlProbe.split(&output, &subjects[..1]), [Ok("value Linux".into())]);
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        let subjects = ["/proc/sys/vm/compact_memory", "/proc/sys/a"];
        let answers = SysctlProbe.split(
            "[values]\n/proc/sys/a:\n[there]\n/proc/sys/vm/compact_memory\n/proc/sys/a\n[end]",
            &subjects,
        );
        assert!(answers[0].is_err());
        assert_eq!(answers[1], Ok("value ".into()));
        assert!(SysctlProbe.split("[values]\n", &subjects).iter().all(Result::is_err));
    }

    #[test]
    fn modules_bring_settings() {
        let question = AskSysctl("net.bridge.bridge-nf-call-iptables".into()).question();
        assert!(question.disturbed_by(&Touch::Kind("kernel-module")));
        assert!(question.disturbed_by(&Touch::Path("/proc/sys/net".into())));
        assert!(!question.disturbed_by(&Touch::Thing("sysctl", path("vm.swappiness"))));
        assert!(!question.disturbed_by(&Touch::Path("/etc/sysctl.d/x.conf".into())));
    }
}
