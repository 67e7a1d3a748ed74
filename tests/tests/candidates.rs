//! Configurations that nginx itself rejects: the task fails with nginx's words, and the running proxy is left as it was.

use mosip_prov_tests::certificates::{Kind, write_pair};
use mosip_prov_tests::curl::ask;
use mosip_prov_tests::program::Program;
use mosip_prov_tests::stand_in::{MAIN_CLUSTER, StandIns};
use mosip_prov_tests::testbed::{DOMAIN, NGINX, Testbed, address};

/// Everything below `/etc/nginx`, and since when the proxy runs.
fn state(testbed: &Testbed) -> String {
    testbed.root(
        NGINX,
        "find /etc/nginx -printf '%p %m %u:%g %y\\n' | sort; find /etc/nginx -type f -print0 | sort -z | xargs -0 sha256sum; \
         systemctl show nginx -p MainPID -p ActiveState -p ActiveEnterTimestamp; systemctl is-enabled nginx",
    )
}

fn still_serves(testbed: &Testbed) {
    let reply = ask(testbed, false, &format!("https://api.{DOMAIN}/"), &address(NGINX), &[]);
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
#[ignore = "needs the testbed"]
fn a_candidate_that_nginx_rejects_replaces_nothing() {
    let testbed = Testbed::of(&[NGINX, "vm4", "vm5", "vm6"]);
    let inventory = testbed.inventory();
    let inventory = inventory.to_str().expect("UTF-8");
    let program = Program::new();
    program.run(&["run", "deploy-nginx", "-i", inventory]).expect(0);
    let _cluster = StandIns::start(&testbed, &["vm4", "vm5", "vm6"], MAIN_CLUSTER);
    let before = state(&testbed);
    still_serves(&testbed);

    // An address of another machine: nginx cannot bind it.
    let ran = program
        .run(&[
            "run",
            "deploy-nginx",
            "-i",
            inventory,
            "-e",
            "nginx_listen_ip=10.61.0.99",
        ])
        .expect(2);
    let failure = ran.failure();
    assert!(
        failure.contains("10.61.0.99") && failure.contains("Cannot assign requested address"),
        "{failure}"
    );
    assert_eq!(state(&testbed), before, "after: {failure}");
    still_serves(&testbed);

    // The candidate is checked before it replaces the good one, so the next run has nothing to repair.
    program
        .run(&["run", "deploy-nginx", "-i", inventory])
        .expect(0)
        .unchanged();
}

#[test]
#[ignore = "needs the testbed"]
fn a_wrong_node_address_is_found_before_or_by_nginx() {
    let testbed = Testbed::of(&[NGINX, "vm4", "vm5", "vm6"]);
    let folder = tempfile::tempdir().expect("a folder");
    let inventory = testbed.copy_inventory(folder.path());
    let program = Program::new();
    program
        .run(&[
            "run",
            "deploy-nginx",
            "-i",
            testbed.inventory().to_str().expect("UTF-8"),
        ])
        .expect(0);
    let before = state(&testbed);
    let text = std::fs::read_to_string(&inventory).expect("the inventory");

    // Cut off: seen by us, nothing is connected to.
    std::fs::write(&inventory, text.replace("node_ip=10.61.0.15", "node_ip=10.61.0.")).expect("written");
    let ran = program.run(&["run", "deploy-nginx", "-i", inventory.to_str().expect("UTF-8")]);
    ran.expect(1).says(&["rancher.ini", "10.61.0."]);

    // A name nobody knows: only nginx on the host can tell.
    std::fs::write(
        &inventory,
        text.replace("node_ip=10.61.0.15", "node_ip=worker-two.invalid"),
    )
    .expect("written");
    let ran = program.run(&["run", "deploy-nginx", "-i", inventory.to_str().expect("UTF-8")]);
    match ran.code {
        1 => drop(ran.says(&["rancher.ini", "worker-two.invalid"])),
        _ => {
            let failure = ran.expect(2).failure();
            assert!(
                failure.contains("host not found in upstream \"worker-two.invalid"),
                "{failure}"
            );
        }
    }
    assert_eq!(state(&testbed), before);
}

#[test]
#[ignore = "needs the testbed"]
fn a_key_that_does_not_fit_never_reaches_the_proxy() {
    let testbed = Testbed::of(&[NGINX, "vm4", "vm5", "vm6"]);
    let folder = tempfile::tempdir().expect("a folder");
    let inventory = testbed.copy_inventory(folder.path());
    let files = folder.path().join("inventory/files/nginx");
    let good = testbed.inventory();
    Program::new()
        .run(&["run", "deploy-nginx", "-i", good.to_str().expect("UTF-8")])
        .expect(0);
    let _cluster = StandIns::start(&testbed, &["vm4", "vm5", "vm6"], MAIN_CLUSTER);
    let before = state(&testbed);

    // Our own check sees it before anything is connected to.
    write_pair(&files, DOMAIN, Kind::ForeignKey);
    let ran = Program::new().run(&["run", "deploy-nginx", "-i", inventory.to_str().expect("UTF-8")]);
    ran.expect(1).says(&["privkey.pem", "fullchain.pem"]);

    // The same files brought by a role without that check: nginx sees it on the host.
    let report = deploy_unchecked(&inventory);
    let failures = mosip_prov_tests::small_role::failures(&report);
    assert_eq!(report.outcome(), mosip_prov::RunOutcome::Failed, "{failures}");
    assert!(failures.contains("key values mismatch"), "{failures}");
    assert_eq!(state(&testbed), before, "after: {failures}");
    still_serves(&testbed);
}

/// The files of a front, put in place as the role does, but unseen by the checks of its inputs.
fn deploy_unchecked(inventory: &std::path::Path) -> mosip_prov::RunReport {
    use mosip_prov::resources::{Content, File, FileSet, Task};
    use mosip_prov_tests::small_role::{SmallRole, run};
    let folder = inventory.parent().expect("a folder").join("files/nginx");
    let role = SmallRole::new(move |_| {
        let read = |name: &str| std::fs::read(folder.join(name)).expect("a file");
        let file = |path: &str, content: Content| File::content(path, content).owner("root").mode(0o600);
        let set = FileSet::new()
            .file(file("/etc/nginx/ssl/fullchain.pem", Content::public(read("fullchain.pem"))))
            .file(file("/etc/nginx/ssl/privkey.pem", Content::sensitive(read("privkey.pem"))))
            .validate(
                "printf 'events {}\\nhttp { server { listen 127.0.0.1:8443 ssl; ssl_certificate %s; ssl_certificate_key %s; } }' \
                 \"$1\" \"$2\" > /run/candidate.conf; nginx -t -q -c /run/candidate.conf; status=$?; \
                 rm -f /run/candidate.conf; (exit $status)",
            );
        vec![Task::new("Put the pair in place", set)]
    });
    let settings = mosip_prov::Settings {
        inventory: vec![inventory.to_string_lossy().into_owned()],
        ..Default::default()
    };
    run(settings, role.playbook("nginx"))
}

#[test]
#[ignore = "needs the testbed"]
fn the_first_original_is_kept_for_good() {
    let testbed = Testbed::of(&[NGINX, "vm4", "vm5", "vm6"]);
    let inventory = testbed.inventory();
    let inventory = inventory.to_str().expect("UTF-8");
    Program::new().run(&["run", "deploy-nginx", "-i", inventory]).expect(0);
    let original = testbed.root(NGINX, "sha256sum /etc/nginx/nginx.conf.orig");
    testbed.root(NGINX, "echo '# by hand' >> /etc/nginx/nginx.conf");
    let ran = Program::new()
        .run(&["run", "deploy-nginx", "-i", inventory, "--diff"])
        .expect(0);
    assert!(ran.count(NGINX, "changed") >= 1);
    assert!(
        ran.stdout.contains("# by hand"),
        "the difference is shown\n{}",
        ran.shown()
    );
    assert_eq!(testbed.root(NGINX, "sha256sum /etc/nginx/nginx.conf.orig"), original);
    assert_eq!(
        testbed.root(NGINX, "grep -c 'by hand' /etc/nginx/nginx.conf || true"),
        "0"
    );
}
