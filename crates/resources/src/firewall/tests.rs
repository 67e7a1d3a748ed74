//! What `iptables-save` prints in, what is to be done out.

use super::*;
use crate::testing as t;

fn rules() -> InForce {
    let back = "-m iprange --dst-range 10.13.13.2-10.13.13.60 -j ACCEPT";
    let from = "-m iprange --src-range 10.13.13.2-10.13.13.51 -j ACCEPT";
    InForce(
        Chains::new("MOSIP-FRONT", "mosip-front-firewall", "the MOSIP front")
            .filter(format!("-d 10.1.2.3/32 {from}"))
            .filter(format!("-d 10.1.2.4/32 {from}"))
            .filter(format!("-s 10.1.2.3/32 {back}"))
            .filter(format!("-s 10.1.2.4/32 {back}"))
            .filter("-j DROP")
            .nat("-o eth0 -j MASQUERADE"),
    )
}

fn answers(text: &str) -> Answers {
    t::command(Answers::new(), &save_script(), 0, text)
}

/// Printed by iptables-save 1.8.9 (nf_tables) after the script has run.
const IN_FORCE: &str = include_str!("in_force.txt");

#[test]
fn rules_in_force_are_recognised() {
    assert_eq!(
        t::expect_nothing(&rules(), &answers(IN_FORCE)),
        "all 8 rules are in force"
    );
}

#[test]
fn a_rule_missing_changed_or_too_many_is_put_right_by_the_unit() {
    let line = "-A MOSIP-FRONT -d 10.1.2.4/32 -m iprange --src-range 10.13.13.2-10.13.13.51 -j ACCEPT\n";
    for text in [
        IN_FORCE.replace(line, ""),
        IN_FORCE.replace(line, &format!("{line}{line}")),
        IN_FORCE.replace(line, &line.replace(".51", ".52")),
        IN_FORCE.replace("-A FORWARD -j MOSIP-FRONT\n", ""),
        IN_FORCE.replace("-A POSTROUTING -j MOSIP-FRONT\n", ""),
        IN_FORCE.replace("-o eth0", "-o eth1"),
        String::new(),
    ] {
        assert_ne!(text, IN_FORCE);
        let change = t::expect_change(&rules(), &answers(&text));
        assert_eq!(
            t::scripts(&change),
            "systemctl reload-or-restart mosip-front-firewall.service"
        );
        assert!(!change.differences.is_empty());
    }
}

#[test]
fn rules_of_others_do_not_count() {
    let text = IN_FORCE.replace(
        "-A FORWARD -j MOSIP-FRONT\n",
        "-A FORWARD -j DOCKER-USER\n-A FORWARD -j MOSIP-FRONT\n",
    );
    t::expect_nothing(&rules(), &answers(&text));
}

#[test]
fn a_list_that_cannot_be_had_is_an_error() {
    let answers = t::command(
        Answers::new(),
        &save_script(),
        4,
        "Permission denied (you must be root)",
    );
    let error = t::expect_error(&rules(), &answers);
    assert!(error.contains("cannot be listed: Permission denied"), "{error}");
}

#[test]
fn the_script_is_sound_and_says_how_it_is_called() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("script");
    std::fs::write(&path, rules().0.script()).expect("written");
    let run = |words: &[&str]| {
        std::process::Command::new("sh")
            .args(words)
            .arg(&path)
            .output()
            .expect("sh")
    };
    assert!(run(&["-n"]).status.success());
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("start|stop"));
}

#[test]
fn the_unit_comes_before_the_network_and_cleans_up() {
    let unit = rules().0.unit_file();
    for line in [
        "Type=oneshot",
        "RemainAfterExit=yes",
        "ExecStart=/usr/local/sbin/mosip-front-firewall start",
        "ExecStop=/usr/local/sbin/mosip-front-firewall stop",
        "WantedBy=multi-user.target",
    ] {
        assert!(unit.lines().any(|l| l == line), "{line} is not in\n{unit}");
    }
}

#[test]
fn rules_that_must_come_first_do() {
    let last = rules().0.script();
    assert!(last.contains("|| iptables -w -A FORWARD -j MOSIP-FRONT\n"), "{last}");
    let first = rules().0.first().script();
    assert!(first.contains("|| iptables -w -I FORWARD -j MOSIP-FRONT\n"), "{first}");
}
