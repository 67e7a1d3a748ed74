//! The preparation of a cluster's nodes, on real hosts with a real Docker.

use mosip_prov_tests::program::Program;
use mosip_prov_tests::testbed::Testbed;

const VMS: [&str; 6] = ["vm1", "vm2", "vm3", "vm4", "vm5", "vm6"];

fn words<'a>(inventory: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [
        &[
            "run",
            "deploy-rancher",
            "--tags",
            "prepare",
            "-f",
            "12",
            "-i",
            inventory,
        ],
        more,
    ]
    .concat()
}

/// What a prepared node is, looked at on the node itself.
#[track_caller]
fn is_prepared(testbed: &Testbed, host: &str) {
    let ask = |script: &str| testbed.root(host, script);
    assert_eq!(
        ask("docker version --format {{.Server.Version}} | cut -d. -f1,2"),
        "20.10"
    );
    assert_eq!(ask("systemctl is-active docker containerd"), "active\nactive");
    assert_eq!(ask("systemctl is-enabled docker containerd"), "enabled\nenabled");
    assert!(ask("id -nG ubuntu").split(' ').any(|group| group == "docker"));
    // The daemon runs on what its file says.
    let info = ask("docker info --format '{{.LoggingDriver}} {{.Driver}}'");
    assert_eq!(info, "json-file vfs");
    let config: serde_json::Value = serde_json::from_str(&ask("cat /etc/docker/daemon.json")).expect("JSON");
    assert_eq!(config["max-concurrent-downloads"], 20);
    assert_eq!(config["log-opts"]["max-file"], "3");
    assert_eq!(
        testbed.stat(host, "/etc/docker/daemon.json"),
        "644 root:root regular file"
    );

    assert_eq!(ask("cat /proc/sys/net/core/somaxconn"), "32768");
    assert_eq!(ask("cat /proc/sys/net/ipv4/ip_local_port_range"), "1024\t65535");
    assert_eq!(ask("cat /proc/sys/net/bridge/bridge-nf-call-iptables"), "1");
    for key in [
        "net.core.somaxconn",
        "net.bridge.bridge-nf-call-ip6tables",
        "net.ipv4.tcp_rmem",
    ] {
        let count = ask(&format!("grep -c ^{key} /etc/sysctl.d/99-kubernetes.conf"));
        assert_eq!(count, "1", "{key}");
    }
    assert_eq!(ask("grep -c -x -e br_netfilter -e overlay /etc/modules"), "2");
    let limits = ask("cat /etc/security/limits.conf");
    assert_eq!(
        limits.matches("# BEGIN ANSIBLE MANAGED BLOCK - SYSTEM LIMITS").count(),
        1,
        "{limits}"
    );
    assert_eq!(limits.matches("* hard nofile 1048576").count(), 1, "{limits}");
    assert_eq!(ask("dpkg --audit"), "");
}

#[test]
#[ignore = "needs the testbed"]
fn fresh_nodes_are_prepared_and_then_left_alone() {
    let testbed = Testbed::of(&VMS);
    testbed.reset(&VMS);
    let inventory = testbed.inventory();
    let inventory = inventory.to_str().expect("UTF-8");
    let program = Program::new();

    let plan = [&["plan"], &words(inventory, &["--limit", "vm1", "--exit-code"])[1..]].concat();
    program
        .run(&plan)
        .expect(3)
        .says(&["would change", "net.core.somaxconn"]);
    assert_eq!(testbed.stat("vm1", "/etc/docker"), "absent");

    let first = program.run(&words(inventory, &[])).expect(0);
    eprintln!("six fresh nodes took {:.1} s", first.took.as_secs_f64());
    for host in VMS {
        assert!(first.count(host, "changed") > 5);
        is_prepared(&testbed, host);
    }
    let second = program.run(&words(inventory, &[])).expect(0).unchanged();
    eprintln!("and again {:.2} s", second.took.as_secs_f64());
    for host in VMS {
        let exchanges = second.exchanges(host);
        assert!(exchanges <= 1, "{host} took {exchanges} exchanges");
        // Where the time went adds up.
        let profile = &second.finished()["profile"][host];
        let of = |name: &str| {
            profile[name]
                .as_u64()
                .unwrap_or_else(|| panic!("no {name} in {profile}"))
        };
        assert_eq!(of("exchanges"), exchanges, "{profile}");
        let parts: u64 = [
            "forks",
            "connect",
            "authenticate",
            "sudo",
            "exchange",
            "remote",
            "upload",
            "decide",
            "pause",
            "other",
        ]
        .iter()
        .map(|name| of(&format!("{name}_us")))
        .sum();
        assert_eq!(parts, of("wall_us"), "{profile}");
        assert!(
            of("authenticate_us") > 0 && of("sudo_us") > 0 && of("remote_us") > 0,
            "{profile}"
        );
    }
}

#[test]
#[ignore = "needs the testbed"]
fn all_settings_that_the_kernel_lacks_are_named() {
    let testbed = Testbed::of(&["vm1"]);
    let inventory = testbed.inventory();
    let more = [
        "--limit",
        "vm1",
        "-e",
        r#"{"sysctl_params": {"net.core.netdev_max_backlog": 16384, "net.ipv4.neigh.default.gc_thresh1": 80000, "net.core.somaxconn": 32768}}"#,
    ];
    let ran = Program::new()
        .run(&words(inventory.to_str().expect("UTF-8"), &more))
        .expect(2);
    let failure = ran.failure();
    assert!(
        failure.contains("the kernel has no setting net.core.netdev_max_backlog, net.ipv4.neigh.default.gc_thresh1"),
        "{failure}"
    );
    // Before anything else, so that the host is as it was.
    assert_eq!(ran.count("vm1", "changed"), 0, "{}", ran.shown());
    assert_eq!(ran.count("vm1", "ok"), 0, "{}", ran.shown());
}

#[test]
#[ignore = "needs the testbed"]
fn docker_of_another_source_is_named_before_anything_is_changed() {
    let testbed = Testbed::of(&["vm2"]);
    let host = "vm2";
    let inventory = testbed.inventory();
    let inventory = inventory.to_str().expect("UTF-8");
    let program = Program::new();
    program.run(&words(inventory, &["--limit", host])).expect(0);
    let version = testbed.root(host, "dpkg-query -W -f '${Version}' docker.io");
    let began = testbed.root(host, "systemctl show -P ActiveEnterTimestampMonotonic docker");
    // What would be changed first, were the Docker that is there not seen before.
    testbed.root(host, "echo 512 >/proc/sys/net/core/somaxconn");
    let vendor = [
        "--limit",
        host,
        "-e",
        "docker_install_from_apt=false",
        "-e",
        "docker_apt_repository='deb [trusted=yes] http://10.61.0.1:9/ ./'",
    ];
    let ran = program.run(&words(inventory, &vendor)).expect(2);
    let failure = ran.failure();
    assert!(
        failure.contains(&format!(
            "docker.io {version} is installed, and docker_install_from_apt is false"
        )),
        "{failure}"
    );
    assert!(
        failure.contains("set docker_install_from_apt to true to keep it"),
        "{failure}"
    );
    assert_eq!(ran.count(host, "changed"), 0, "{}", ran.shown());
    assert_eq!(testbed.root(host, "cat /proc/sys/net/core/somaxconn"), "512");
    assert_eq!(
        testbed.root(
            host,
            "ls /etc/apt/sources.list.d /etc/apt/keyrings 2>/dev/null | grep -c docker || true"
        ),
        "0"
    );
    assert_eq!(
        testbed.root(host, "systemctl show -P ActiveEnterTimestampMonotonic docker"),
        began
    );
    program.run(&words(inventory, &["--limit", host])).expect(0);
}

#[test]
#[ignore = "needs the testbed"]
fn a_changed_configuration_restarts_docker_and_a_bad_one_leaves_it_answering() {
    let testbed = Testbed::of(&["vm2"]);
    let host = "vm2";
    let inventory = testbed.inventory();
    let inventory = inventory.to_str().expect("UTF-8");
    let program = Program::new();
    program.run(&words(inventory, &["--limit", host])).expect(0);
    let began = testbed.root(host, "systemctl show -P ActiveEnterTimestampMonotonic docker");
    let before = testbed.root(host, "cat /etc/docker/daemon.json");

    let change = r#"{"docker_daemon_config": {"log_max_file": 4}}"#;
    program
        .run(&words(inventory, &["--limit", host, "-e", change]))
        .expect(0);
    assert_ne!(
        testbed.root(host, "systemctl show -P ActiveEnterTimestampMonotonic docker"),
        began
    );
    program.run(&words(inventory, &["--limit", host])).expect(0);
    assert_eq!(testbed.root(host, "cat /etc/docker/daemon.json"), before);

    // Docker does not start with a driver that it does not have: the predecessor is put back, and Docker is on it.
    let ran = program
        .run(&words(
            inventory,
            &["--limit", host, "-e", "docker_storage_driver=nosuchdriver"],
        ))
        .expect(2);
    assert!(ran.failure().contains("docker"), "{}", ran.failure());
    assert_eq!(testbed.root(host, "cat /etc/docker/daemon.json"), before);
    assert_eq!(testbed.root(host, "docker info --format '{{.Driver}}'"), "vfs");
    program.run(&words(inventory, &["--limit", host])).expect(0);
}
