//! `deploy-all`: everything is seen to before the first change.

use mosip_prov_tests::program::Program;
use mosip_prov_tests::testbed::{DEPLOYMENT, NGINX, Testbed};

/// A listener on all addresses of the front's host; gone when this goes, with nginx as it was before.
struct Squatter<'t> {
    testbed: &'t Testbed,
    nginx_ran: bool,
}

impl<'t> Squatter<'t> {
    fn on(testbed: &'t Testbed, port: u16) -> Self {
        let ran = testbed.root(NGINX, "systemctl is-active nginx || true");
        testbed.root(NGINX, "systemctl stop nginx 2>/dev/null || true");
        testbed.root(
            NGINX,
            &format!(
                "systemd-run -q --unit=squatter python3 -m http.server {port} --directory /run/sshd
for i in 1 2 3 4 5 6 7 8 9 10; do ss -Hltn | grep -q ':{port} ' && exit 0; sleep 0.3; done; exit 1"
            ),
        );
        Self {
            testbed,
            nginx_ran: ran == "active",
        }
    }
}

impl Drop for Squatter<'_> {
    fn drop(&mut self) {
        let start = if self.nginx_ran { "; systemctl start nginx" } else { "" };
        self.testbed.root(NGINX, &format!("systemctl stop squatter{start}"));
    }
}

#[test]
#[ignore = "needs the testbed"]
fn one_machine_that_is_not_fit_keeps_all_others_from_being_changed() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let inventory = testbed.copy_inventory(folder.path());
    let text = std::fs::read_to_string(&inventory).expect("an inventory");
    // A user that does not exist: no use in waiting for that machine.
    let unreachable = text.replace(
        "vm5 ansible_host=10.61.0.15",
        "vm5 ansible_host=10.61.0.15 ansible_user=nobody-here",
    );
    assert_ne!(unreachable, text);
    std::fs::write(&inventory, unreachable).expect("written");
    // What the playbook would change, were it not stopped.
    testbed.root("vm2", "echo 512 >/proc/sys/net/core/somaxconn");
    let _squatter = Squatter::on(&testbed, 5432);

    let words = ["run", "deploy-all", "--tags", "prepare", "-f", "12", "-i"];
    let words = [&words[..], &[inventory.to_str().expect("UTF-8")]].concat();
    let ran = Program::new().run(&words).expect(2).says(&[
        "port 5432 (the database) is taken by python3",
        "stops for all hosts: 2 of 7 failed",
    ]);
    assert_eq!(ran.count("vm5", "unreachable"), 1, "{}", ran.shown());
    for host in ran.hosts() {
        assert_eq!(ran.count(&host, "changed"), 0, "{host}\n{}", ran.shown());
    }
    assert_eq!(testbed.root("vm2", "cat /proc/sys/net/core/somaxconn"), "512");
    // Each was asked, and told what the guide would have.
    assert!(
        ran.count("vm1", "ok") >= 4 && ran.count("vm1", "ignored") == 1,
        "{}",
        ran.shown()
    );
}

#[test]
#[ignore = "needs the testbed"]
fn the_checks_cost_a_prepared_machine_no_round_trip() {
    let testbed = Testbed::of(&["vm2", "vm6"]);
    let inventory = testbed.inventory();
    let words = ["run", "deploy-all", "--tags", "prepare", "--limit", "vm2,vm6", "-i"];
    let words = [&words[..], &[inventory.to_str().expect("UTF-8")]].concat();
    let program = Program::new();
    program.run(&words).expect(0);
    let again = program.run(&words).expect(0).unchanged();
    assert_eq!(again.hosts(), ["localhost", "vm2", "vm6"]);
    for host in ["vm2", "vm6"] {
        let exchanges = again.exchanges(host);
        assert!(exchanges <= 2, "{host} took {exchanges} exchanges\n{}", again.shown());
    }
}

#[test]
#[ignore = "needs the testbed"]
fn a_tool_of_the_wrong_version_ends_the_run_before_any_machine_is_asked() {
    let testbed = Testbed::get();
    let inventory = testbed.deploy_inventory();
    let words = ["run", "deploy-all", "-f", "12", "-e", "istio_version=9.9.9", "-i"];
    let words = [&words[..], &[inventory.to_str().expect("UTF-8")]].concat();
    let ran = Program::new().run(&words).expect(2);
    let failure = ran.failure();
    assert!(
        failure.contains("istioctl") && failure.contains("exactly 9.9.9 is needed"),
        "{failure}"
    );
    assert!(
        failure.contains("`mosip-prov run deployment-node` installs it"),
        "{failure}"
    );
    for host in ran.hosts() {
        assert_eq!(ran.count(&host, "changed"), 0, "{host}\n{}", ran.shown());
        // Hosts that were never connected to have no count.
        let asked = ran.finished()["exchanges"].get(&host).is_some_and(|count| *count != 0);
        assert_eq!(asked, host == DEPLOYMENT, "{host}\n{}", ran.shown());
    }
    // kubectl, of the distribution, will do.
    assert_eq!(ran.count(DEPLOYMENT, "ok"), 1, "{}", ran.shown());
}
