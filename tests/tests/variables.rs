//! Every variable of a role changed once from its default (or from what the testbed's inventory has): the effect is on the
//! host, and only what depends on the variable changed.
//!
//! A table for each playbook. Rows whose effects do not meet are planned one by one, where the exact set of tasks that
//! would change is held against the row, and are then carried out together, after which the host is asked about each.
//! Others are carried out alone.
//!
//! Where the variables of the roles have their rows, by the files of their defaults, is [`PLACES`]; what differs in settings,
//! `cluster.yml` and tasks alone is held in the tests of the roles, each variable by its own.

use std::collections::BTreeSet;

use mosip_prov_tests::certificates::{Kind, write_pair};
use mosip_prov_tests::cluster;
use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::{DEPLOYMENT, NGINX, NGINX_OBS, OBS, Testbed};

/// The files of defaults, and the files with rows for their variables, from the folder above this one.
const PLACES: &[(&str, &[&str])] = &[
    ("roles/apt-upgrade", &[HERE]),
    ("roles/deployment-node", &["roles/deployment-node/tests/settings.rs"]),
    ("roles/canal-mtu", &[HERE, "roles/rke-cluster/tests/variables.rs"]),
    ("roles/istio", &[HERE, "roles/istio/tests/variables.rs"]),
    ("roles/nginx", &[HERE]),
    ("roles/nginx_obs", &[HERE]),
    ("roles/obs-node", &[HERE]),
    ("roles/ready", &["roles/ready/tests/variables.rs"]),
    ("roles/rke-cluster", &[HERE, "roles/rke-cluster/tests/variables.rs"]),
    ("roles/rke-node", &[HERE]),
    (
        "roles/wireguard",
        &["tests/tests/wireguard.rs", "roles/wireguard/tests/variables.rs"],
    ),
    ("roles/verify", &["roles/verify/tests/tasks.rs"]),
    ("crates/rke2", &["crates/rke2/tests/settings.rs"]),
    (
        "crates/wireguard",
        &["tests/tests/wireguard.rs", "roles/wireguard/tests/variables.rs"],
    ),
];
const HERE: &str = "tests/tests/variables.rs";

/// Those with a test of another kind: the variable, and the file that names it.
const ELSEWHERE: &[(&str, &str)] = &[
    // Docker's own repository is out of the hosts' reach.
    ("docker_version", "roles/rke-node/tests/settings.rs"),
    ("cluster_distribution", "roles/rke-node/tests/settings.rs"),
];

#[test]
fn every_variable_has_a_row() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut without = Vec::new();
    for kind in ["roles", "crates"] {
        for folder in std::fs::read_dir(root.join(kind)).expect("a folder") {
            let folder = folder.expect("an entry");
            let role = format!("{kind}/{}", folder.file_name().to_string_lossy());
            if folder.path().join("defaults.yml").exists() && !PLACES.iter().any(|(one, _)| *one == role) {
                without.push(format!("{role}: all"));
            }
        }
    }
    for (role, places) in PLACES {
        let file = format!("{role}/defaults.yml");
        let defaults = mosip_prov::inventory::yaml::parse_vars(&read(&file), &file).expect("defaults");
        let texts: Vec<String> = places.iter().map(|place| read(place)).collect();
        for name in defaults.keys() {
            let in_row = |text: &String| {
                [format!("\"{name}\""), format!("\"{name}:")]
                    .iter()
                    .any(|one| text.contains(one))
            };
            let elsewhere = ELSEWHERE
                .iter()
                .any(|(one, place)| *one == &**name && read(place).contains(*one));
            if !elsewhere && !texts.iter().any(in_row) {
                without.push(format!("{role}: {name}"));
            }
        }
    }
    assert!(without.is_empty(), "these have no row: {without:?}");
}

/// What a variable is to bring about.
enum Effect {
    /// A script, run as root on the host, prints this.
    Host(&'static str, &'static str),
    /// The same on another host, which comes first.
    On(&'static str, &'static str, &'static str),
    /// The plan has a difference with this text: what cannot be carried out on a host of the testbed.
    Planned(&'static str),
    /// The run fails, and says this.
    Fails(&'static str),
    /// The host is lost for this run, which says this.
    Lost(&'static str),
}
use Effect::{Fails, Host, Lost, On, Planned};

/// One variable.
struct Row {
    variable: &'static str,
    /// In JSON.
    value: &'static str,
    /// Further variables that it needs to show, as members of a JSON object.
    with: &'static str,
    /// Run as root on the host before.
    before: &'static str,
    /// Carried out on its own.
    alone: bool,
    /// Every task that changes something, and no other.
    changes: &'static [&'static str],
    /// Those of them that a run has no need of, since a task before them does their work too, as a plan cannot know.
    done_before: &'static [&'static str],
    effect: Effect,
}

const fn row(variable: &'static str, value: &'static str, changes: &'static [&'static str], effect: Effect) -> Row {
    Row {
        variable,
        value,
        with: "",
        before: "",
        alone: false,
        changes,
        done_before: &[],
        effect,
    }
}

impl Row {
    const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    const fn with(mut self, members: &'static str) -> Self {
        self.with = members;
        self
    }

    const fn before(mut self, script: &'static str) -> Self {
        self.before = script;
        self
    }

    const fn done_before(mut self, tasks: &'static [&'static str]) -> Self {
        self.done_before = tasks;
        self
    }

    fn members(&self) -> String {
        let comma = if self.with.is_empty() { "" } else { ", " };
        format!("\"{}\": {}{comma}{}", self.variable, self.value, self.with)
    }
}

/// A playbook on one host.
struct Table<'t> {
    testbed: &'t Testbed,
    program: Program,
    inventory: String,
    playbook: &'static str,
    host: &'static str,
    /// The hosts of a run: the one, unless told otherwise.
    limit: &'static str,
    /// More words for every run.
    words: &'static [&'static str],
    /// Variables of every run, as members of a JSON object.
    always: String,
}

impl<'t> Table<'t> {
    fn new(testbed: &'t Testbed, playbook: &'static str, host: &'static str) -> Self {
        Self {
            testbed,
            program: Program::new(),
            inventory: testbed.inventory().to_string_lossy().into_owned(),
            playbook,
            host,
            limit: host,
            words: &[],
            always: String::new(),
        }
    }

    fn command(&self, command: &str, variables: &str) -> Ran {
        let members: Vec<&str> = [self.always.as_str(), variables]
            .into_iter()
            .filter(|one| !one.is_empty())
            .collect();
        let variables = format!("{{{}}}", members.join(", "));
        let mut words = vec![command, self.playbook, "-i", &self.inventory, "--limit", self.limit];
        words.extend(self.words);
        words.extend(["-e", &variables]);
        self.program.run(&words)
    }

    /// Brings the host to what the inventory says.
    fn base(&self) {
        self.command("run", "").expect(0);
    }

    fn holds(&self, rows: &[Row]) {
        let mut others = String::new();
        for row in rows.iter().filter(|row| !row.alone) {
            let planned = self.command("plan", &row.members()).expect(0);
            let found = changed(&planned);
            if found != wanted(row) {
                let (variable, value) = (row.variable, row.value);
                others += &format!(
                    "{variable} = {value} would change {found:?}\n{}\n",
                    differences(&planned)
                );
            }
            if let Planned(text) = row.effect {
                assert!(
                    differences(&planned).contains(text),
                    "{}: {text:?} is not in\n{}",
                    row.variable,
                    differences(&planned)
                );
            }
        }
        assert!(others.is_empty(), "{others}");
        let shared: Vec<&Row> = rows
            .iter()
            .filter(|row| !row.alone && matches!(row.effect, Host(..) | On(..)))
            .collect();
        if !shared.is_empty() {
            let members: Vec<String> = shared.iter().map(|row| row.members()).collect();
            let ran = self.command("run", &members.join(", ")).expect(0);
            let mut all: BTreeSet<String> = shared.iter().flat_map(|row| wanted(row)).collect();
            all.retain(|task| !shared.iter().any(|row| row.done_before.contains(&task.as_str())));
            assert_eq!(changed(&ran), all, "{}", ran.shown());
            for row in shared {
                self.shows(row);
            }
            self.base();
        }
        for row in rows.iter().filter(|row| row.alone) {
            self.testbed.root(self.host, row.before);
            let ran = self.command("run", &row.members());
            let ran = match row.effect {
                Fails(text) => {
                    let ran = ran.expect(2);
                    assert!(
                        ran.failure().contains(text),
                        "{}: {text:?}\n{}",
                        row.variable,
                        ran.failure()
                    );
                    ran
                }
                Lost(text) => ran.expect(4).says(&[text]),
                Host(..) | On(..) | Planned(_) => ran.expect(0),
            };
            assert_eq!(
                changed(&ran),
                wanted(row),
                "{} = {}\n{}",
                row.variable,
                row.value,
                ran.shown()
            );
            self.shows(row);
        }
    }

    #[track_caller]
    fn shows(&self, row: &Row) {
        let (host, ask, gives) = match row.effect {
            Host(ask, gives) => (self.host, ask, gives),
            On(host, ask, gives) => (host, ask, gives),
            Planned(_) | Fails(_) | Lost(_) => return,
        };
        let found = self.testbed.root(host, ask);
        assert_eq!(found, gives, "{} = {}", row.variable, row.value);
    }
}

fn wanted(row: &Row) -> BTreeSet<String> {
    row.changes.iter().map(ToString::to_string).collect()
}

/// Tasks and handlers that changed something, or would.
fn changed(ran: &Ran) -> BTreeSet<String> {
    ran.of_type("task_finished")
        .filter(|event| event["status"] == "changed")
        .filter_map(|event| event["task"].as_str().map(str::to_owned))
        .collect()
}

fn differences(ran: &Ran) -> String {
    ran.of_type("task_finished")
        .map(|event| event["differences"].to_string())
        .collect()
}

const MODULES: &str = "Load the kernel modules, now and after each boot";
const LIMITS: &str = "Set the limits of sessions";
const SYSCTL: &str = "Set the kernel's parameters, now and after each boot";
const SWAP: &str = "Switch swap off, now and after each boot";
const INDEX: &str = "Refresh the package index";
const PACKAGES: &str = "Install the packages that every node has";
const DAEMON: &[&str] = &["Configure Docker", "restart docker"];

/// Both kinds of nodes have the same variables.
const NODE: [Row; 13] = [
    row(
        "kernel_modules",
        r#"["br_netfilter", "overlay", "loop"]"#,
        &[MODULES],
        Host("grep -c -x loop /etc/modules", "1"),
    ),
    row(
        "system_limits",
        r#"["* soft nofile 4096"]"#,
        &[LIMITS],
        Host("grep -v -e '^#' -e '^$' /etc/security/limits.conf", "* soft nofile 4096"),
    ),
    row(
        "sysctl_params",
        r#"{"net.core.somaxconn": 1000, "net.ipv4.ip_local_port_range": "2000 60000"}"#,
        &[SYSCTL],
        Host(
            "cat /proc/sys/net/core/somaxconn; tr '\\t' ' ' </proc/sys/net/ipv4/ip_local_port_range; grep -c -x -e \
             'net.core.somaxconn = 1000' -e 'net.ipv4.ip_local_port_range = 2000 60000' /etc/sysctl.d/99-kubernetes.conf",
            "1000\n2000 60000\n2",
        ),
    ),
    row(
        "docker_user",
        "\"pwuser\"",
        &["Put the user that RKE logs in as into it"],
        Host("id -nG pwuser | tr ' ' '\\n' | grep -x docker", "docker"),
    ),
    row(
        "docker_daemon_config",
        r#"{"log_max_file": 5, "max_concurrent_downloads": 7, "ulimit_nofile": 16384, "ulimit_nproc": 16000}"#,
        DAEMON,
        Host(
            "grep -c -e '\"max-file\": \"5\"' -e '\"max-concurrent-downloads\": 7' -e '\"Hard\": 16000' \
             /etc/docker/daemon.json; docker info --format '{{.LoggingDriver}}'",
            "3\njson-file",
        ),
    ),
    row(
        "docker_storage_driver",
        "\"\"",
        DAEMON,
        Host("grep -c storage-driver /etc/docker/daemon.json || true", "0"),
    ),
    // No overlay can be mounted on the testbed's hosts, which stand on one.
    row(
        "docker_overlay2_override_kernel_check",
        "true",
        DAEMON,
        Planned("overlay2.override_kernel_check=true"),
    )
    .with(r#""docker_storage_driver": "overlay2""#),
    // From here on alone.
    row(
        "required_packages",
        r#"["apt-transport-https", "ca-certificates", "curl", "nfs-common", "hello"]"#,
        &[INDEX, PACKAGES],
        Host("dpkg-query -W -f '${Status}' hello", "install ok installed"),
    )
    .before("dpkg --purge hello >/dev/null 2>&1; rm -rf /var/lib/apt/lists/*")
    .alone(),
    row(
        "disable_swap",
        "false",
        &[],
        Host("grep -c '^/swap.img' /etc/fstab", "1"),
    )
    .before("echo '/swap.img none swap sw 0 0' >>/etc/fstab")
    .alone(),
    row(
        "disable_swap",
        "true",
        &[SWAP],
        Host("grep -c '^# /swap.img' /etc/fstab; sed -i '/swap.img/d' /etc/fstab", "1"),
    )
    .alone(),
    // Docker's own repository is out of reach; that the other source is wanted shows by the refusal of this one.
    row(
        "docker_install_from_apt",
        "false",
        &[],
        Fails("is installed, and docker_install_from_apt is false, which means docker-ce"),
    )
    .alone(),
    row(
        "docker_replace_other_version",
        "true",
        &[SYSCTL],
        Fails("127.0.0.1:9"),
    )
    .with(
        r#""docker_install_from_apt": false, "docker_apt_gpg_key": "http://127.0.0.1:9/gpg", "docker_apt_repository": "deb http://127.0.0.1:9/ubuntu jammy stable""#,
    )
    .before("echo 512 >/proc/sys/net/core/somaxconn")
    .alone(),
    row(
        "apt_lock_timeout",
        "1",
        &[],
        Fails("python3"),
    )
    .with(r#""required_packages": ["apt-transport-https", "ca-certificates", "curl", "nfs-common", "hello"]"#)
    .before(HOLD_LOCKS)
    .alone(),
];

/// Somebody else holds the locks of dpkg and apt.
const HOLD_LOCKS: &str = r#"dpkg --purge hello >/dev/null 2>&1
systemctl stop holder 2>/dev/null
systemd-run -q --unit=holder python3 -c '
import fcntl, time
held = [open(path, "w") for path in ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock")]
for one in held:
    fcntl.lockf(one, fcntl.LOCK_EX)
open("/run/held", "w")
time.sleep(120)'
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do [ -e /run/held ] && rm /run/held && exit 0; sleep 0.2; done; exit 1"#;

/// What the role does not take back.
const NODE_AFTER: &str = "systemctl stop holder 2>/dev/null
gpasswd -d pwuser docker >/dev/null 2>&1; sed -i '/^loop$/d' /etc/modules; dpkg --purge hello >/dev/null 2>&1; true";

fn nodes(playbook: &'static str, host: &'static str) {
    let testbed = Testbed::of(&[host]);
    let mut table = Table::new(&testbed, playbook, host);
    table.words = &["--tags", "prepare"];
    testbed.root(host, NODE_AFTER);
    table.base();
    table.holds(&NODE);
    testbed.root(host, NODE_AFTER);
    table.base();
    table.command("run", "").expect(0).unchanged();
}

#[test]
#[ignore = "needs the testbed"]
fn of_rke_node() {
    nodes("deploy-rancher", "vm2");
}

#[test]
#[ignore = "needs the testbed"]
fn of_obs_node() {
    nodes("deploy-rancher-obs", OBS);
}

const FILES: &[&str] = &["Write certificate, key and configuration", "restart nginx"];
const FOLDER: &[&str] = &[
    "Create the folder for certificate and key",
    "Write certificate, key and configuration",
    "restart nginx",
];

const FRONT: [Row; 14] = [
    row(
        "nginx_public_listen_ip",
        "\"198.51.100.31\"",
        FILES,
        Host("ss -Hltn | grep -c '198.51.100.31:443 '", "1"),
    ),
    row(
        "nginx_internal_listen_ip",
        "\"127.0.0.1\"",
        FILES,
        Host("ss -Hltn | grep -c -e '127.0.0.1:9000 ' -e '127.0.0.1:5432 '", "2"),
    ),
    row(
        "nginx_public_domain_names",
        "\"api.mosip.test only.mosip.test\"",
        FILES,
        Host(
            "nginx -T 2>/dev/null | grep -c 'server_name api.mosip.test only.mosip.test;'",
            "1",
        ),
    ),
    row(
        "nginx_internal_allowed_ranges",
        r#"["203.0.113.0/24"]"#,
        FILES,
        Host(
            "nginx -T 2>/dev/null | grep -o 'allow .*' | sort -u",
            "allow 203.0.113.0/24;",
        ),
    ),
    row(
        "nginx_public_ingress_nodeport",
        "30081",
        FILES,
        Host("nginx -T 2>/dev/null | grep -c 'server 10.61.0.1[456]:30081;'", "3"),
    ),
    row(
        "nginx_internal_ingress_nodeport",
        "31081",
        FILES,
        Host("nginx -T 2>/dev/null | grep -c 'server 10.61.0.1[456]:31081;'", "3"),
    ),
    row(
        "nginx_minio_ingress_nodeport",
        "30901",
        FILES,
        Host("nginx -T 2>/dev/null | grep -c 'server 10.61.0.1[456]:30901;'", "3"),
    ),
    row(
        "nginx_postgres_nodeport",
        "31433",
        FILES,
        Host("nginx -T 2>/dev/null | grep -c 'server 10.61.0.1[456]:31433;'", "3"),
    ),
    row(
        "nginx_activemq_nodeport",
        "31617",
        FILES,
        Host("nginx -T 2>/dev/null | grep -c 'server 10.61.0.1[456]:31617;'", "3"),
    ),
    row(
        "nginx_ssl_dir",
        "\"/etc/nginx/tls\"",
        FOLDER,
        Host("stat -c '%a %U:%G' /etc/nginx/tls", "750 root:www-data"),
    ),
    row(
        "nginx_cert_path",
        "\"/etc/nginx/ssl/chain.pem\"",
        FILES,
        Host("stat -c '%a %U:%G' /etc/nginx/ssl/chain.pem", "640 root:www-data"),
    ),
    row(
        "nginx_key_path",
        "\"/etc/nginx/ssl/key.pem\"",
        FILES,
        Host("stat -c '%a %U:%G' /etc/nginx/ssl/key.pem", "600 root:root"),
    ),
    row(
        "nginx_listen_ip",
        "\"198.51.100.31\"",
        FILES,
        Host(
            "ss -Hltn | grep -o '198.51.100.31:[0-9]*' | sort | tr '\\n' ' '",
            "198.51.100.31:443 198.51.100.31:5432 198.51.100.31:61616 198.51.100.31:9000",
        ),
    )
    .alone(),
    // Back to the inventory's, which is a change of the same.
    row(
        "nginx_listen_ip",
        "\"10.61.0.31\"",
        FILES,
        Host("ss -Hltn | grep -c 198.51.100.31 || true", "0"),
    )
    .alone(),
];

/// What the role does not take back: files at places that it has left.
const FRONT_AFTER: &str = "rm -rf /etc/nginx/tls /etc/nginx/ssl/chain.pem /etc/nginx/ssl/key.pem";

const FORWARDING: &[&str] = &[
    "Write the forwarding rules",
    "Write their unit",
    // Its start puts them in force.
    "Have the rules set after each boot",
];
/// The role does not take the rules back: they may be all that keeps a network closed.
const FIREWALL_AFTER: &str = "systemctl disable -q --now mosip-front-firewall 2>/dev/null
rm -f /etc/systemd/system/mosip-front-firewall.service /usr/local/sbin/mosip-front-firewall; systemctl daemon-reload
iptables -F; iptables -t nat -F; iptables -X; iptables -t nat -X";

#[test]
#[ignore = "needs the testbed"]
fn of_nginx() {
    let testbed = Testbed::of(&[NGINX]);
    let table = Table::new(&testbed, "deploy-nginx", NGINX);
    table.base();
    testbed.root(NGINX, FRONT_AFTER);
    table.holds(&FRONT);
    testbed.root(NGINX, FRONT_AFTER);
    table.base();
    table.command("run", "").expect(0).unchanged();
}

#[test]
#[ignore = "needs the testbed"]
fn of_the_domain_of_nginx() {
    let testbed = Testbed::of(&[NGINX]);
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = Table::new(&testbed, "deploy-nginx", NGINX);
    table.base();
    table.inventory = testbed.copy_inventory(folder.path()).to_string_lossy().into_owned();
    write_pair(&folder.path().join("inventory/files/nginx"), "other.test", Kind::Good);
    table.holds(&[row(
        "mosip_domain",
        "\"other.test\"",
        FILES,
        Host(
            "nginx -T 2>/dev/null | grep -c 'server_name api.other.test prereg.other.test resident.other.test idp.other.test;'",
            "1",
        ),
    )
    .alone()]);
    Table::new(&testbed, "deploy-nginx", NGINX).base();
}

const OBS_FRONT: [Row; 6] = [
    row(
        "nginx_obs_listen_ip",
        "\"198.51.100.32\"",
        FILES,
        Host("ss -Hltn | grep -c -e '198.51.100.32:443 ' -e '198.51.100.32:80 '", "2"),
    ),
    row(
        "nginx_obs_public_domain_names",
        "\"only.mosip.test\"",
        FILES,
        Host(
            "nginx -T 2>/dev/null | grep -o 'server_name .*' | sort -u | tr '\\n' ' '",
            "server_name _; server_name only.mosip.test;",
        ),
    ),
    row(
        "nginx_obs_public_ingress_nodeport",
        "30081",
        FILES,
        Host("nginx -T 2>/dev/null | grep -c 'server 10.61.0.21:30081;'", "1"),
    ),
    row(
        "nginx_obs_ssl_dir",
        "\"/etc/nginx/tls\"",
        FOLDER,
        Host("stat -c '%a %U:%G' /etc/nginx/tls", "750 root:www-data"),
    ),
    row(
        "nginx_obs_cert_path",
        "\"/etc/nginx/ssl/chain.pem\"",
        FILES,
        Host("stat -c '%a %U:%G' /etc/nginx/ssl/chain.pem", "640 root:www-data"),
    ),
    row(
        "nginx_obs_key_path",
        "\"/etc/nginx/ssl/key.pem\"",
        FILES,
        Host("stat -c '%a %U:%G' /etc/nginx/ssl/key.pem", "600 root:root"),
    ),
];

#[test]
#[ignore = "needs the testbed"]
fn of_nginx_obs() {
    let testbed = Testbed::of(&[NGINX_OBS]);
    let table = Table::new(&testbed, "deploy-rancher-obs-nginx", NGINX_OBS);
    table.base();
    testbed.root(NGINX_OBS, FRONT_AFTER);
    table.holds(&OBS_FRONT);
    testbed.root(NGINX_OBS, FRONT_AFTER);
    table.base();
    table.command("run", "").expect(0).unchanged();
}

const FIREWALL: [Row; 2] = [
    row(
        "enable_firewall_rules",
        "true",
        FORWARDING,
        Host("iptables -S MOSIP-FRONT | grep -c 10.13.13.2-10.13.13.51", "6"),
    )
    .alone(),
    row(
        "firewall_config",
        r#"{"allowed_ip_ranges": [{"src_range": "10.20.0.2-10.20.0.9"}, {"dst_range": "10.20.0.2-10.20.0.9"}], "nat_interface": "eth1"}"#,
        &["Write the forwarding rules", "Put the forwarding rules in force"],
        Host(
            "iptables -S MOSIP-FRONT | grep -c 10.20.0.2-10.20.0.9; iptables -S | grep -c 10.13.13 || true
iptables -t nat -S MOSIP-FRONT | grep -c -e '-o eth1 -j MASQUERADE'",
            "6\n0\n1",
        ),
    )
    .with(r#""enable_firewall_rules": true"#)
    .alone(),
];

const OBS_FIREWALL: [Row; 2] = [
    row(
        "nginx_obs_enable_firewall_rules",
        "true",
        FORWARDING,
        Host("iptables -S MOSIP-FRONT | grep -c 10.13.13.2-10.13.13.51", "2"),
    )
    .alone(),
    row(
        "nginx_obs_firewall_config",
        r#"{"allowed_ip_ranges": [{"src_range": "10.20.0.2-10.20.0.9"}, {"dst_range": "10.20.0.2-10.20.0.9"}], "nat_interface": "eth1"}"#,
        &["Write the forwarding rules", "Put the forwarding rules in force"],
        Host(
            "iptables -S MOSIP-FRONT | grep -c 10.20.0.2-10.20.0.9; iptables -S | grep -c 10.13.13 || true
iptables -t nat -S MOSIP-FRONT | grep -c -e '-o eth1 -j MASQUERADE'",
            "2\n0\n1",
        ),
    )
    .with(r#""nginx_obs_enable_firewall_rules": true"#)
    .alone(),
];

#[test]
#[ignore = "needs the testbed"]
fn of_the_forwarding_rules() {
    let testbed = Testbed::of(&[NGINX, NGINX_OBS]);
    for (playbook, host, rows) in [
        ("deploy-nginx", NGINX, &FIREWALL),
        ("deploy-rancher-obs-nginx", NGINX_OBS, &OBS_FIREWALL),
    ] {
        let table = Table::new(&testbed, playbook, host);
        table.base();
        testbed.root(
            host,
            "command -v iptables >/dev/null || { apt-get -qq update && apt-get -qq -y install iptables >/dev/null 2>&1; }",
        );
        testbed.root(host, FIREWALL_AFTER);
        table.holds(rows);
        testbed.root(host, FIREWALL_AFTER);
    }
}

/// Repositories on the host itself, so that nothing is downloaded: packages that can be upgraded in three ways.
const REPOSITORIES: &str = r#"set -e
rm -rf /srv/mp; mkdir -p /srv/mp/first /srv/mp/plain /srv/mp/security
deb() {
  d=$(mktemp -d); mkdir $d/DEBIAN
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Test <test@example.org>\nDescription: stand-in\n%b' "$2" "$3" "$4" >$d/DEBIAN/control
  dpkg-deb -Zgzip -b $d /srv/mp/$1/$2_$3_all.deb >/dev/null; rm -r $d
}
for name in safe sec dist old orphan; do deb first mp-$name 1; done
deb plain mp-safe 2; deb plain mp-dist 2 'Conflicts: mp-old\n'; deb plain mp-extra 1; deb security mp-sec 2
cd /srv/mp/plain; apt-ftparchive packages . >Packages
cd /srv/mp/security; apt-ftparchive packages . >Packages
apt-ftparchive -o APT::FTPArchive::Release::Label=Debian-Security -o APT::FTPArchive::Release::Suite=stand-in-security release . >/tmp/Release
mv /tmp/Release Release
[ -e /etc/apt/sources.list.kept ] || mv /etc/apt/sources.list /etc/apt/sources.list.kept
printf 'deb [trusted=yes] file:/srv/mp/%s ./\n' plain security >/etc/apt/sources.list.d/mp.list
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
dpkg -i /srv/mp/first/*.deb >/dev/null
apt-mark -qq auto mp-orphan >/dev/null"#;

const APT_AFTER: &str = "systemctl stop holder 2>/dev/null
[ ! -e /etc/apt/sources.list.kept ] || mv /etc/apt/sources.list.kept /etc/apt/sources.list
rm -rf /etc/systemd/system/ssh.service.d/slow.conf; systemctl daemon-reload
rm -rf /etc/apt/sources.list.d/mp.list /srv/mp /var/lib/apt/lists/* /run/reboot-required /var/cache/apt/archives/mp-*
dpkg --purge mp-safe mp-sec mp-dist mp-old mp-orphan mp-extra >/dev/null 2>&1; true";

const VERSIONS: &str = "dpkg-query -W -f '${Package}=${Version}${db:Status-Abbrev} ' 'mp-*' 2>/dev/null | tr ' ' '\\n' | grep 'ii$' | tr '\\n' ' '";

const APT: [Row; 9] = [
    row(
        "apt_upgrade_all",
        "false",
        &[INDEX, "Upgrade packages from the security archive"],
        Host(VERSIONS, "mp-dist=1ii mp-old=1ii mp-orphan=1ii mp-safe=1ii mp-sec=2ii"),
    )
    .with(r#""apt_autoremove": false"#)
    .alone(),
    row(
        "apt_autoremove",
        "false",
        &["Upgrade all packages"],
        Host(VERSIONS, "mp-dist=1ii mp-old=1ii mp-orphan=1ii mp-safe=2ii mp-sec=2ii"),
    )
    .alone(),
    row(
        "apt_autoclean",
        "false",
        &["Remove packages that nothing needs"],
        Host(
            "ls /var/cache/apt/archives/*.deb",
            "/var/cache/apt/archives/mp-safe_1_all.deb",
        ),
    )
    .before("rm -f /var/cache/apt/archives/*.deb; cp /srv/mp/first/mp-safe_1_all.deb /var/cache/apt/archives/")
    .alone(),
    row(
        "apt_upgrade_dist",
        "true",
        &[
            "Upgrade all packages, removing where it must be",
            "Remove old downloads",
        ],
        Host(VERSIONS, "mp-dist=2ii mp-safe=2ii mp-sec=2ii"),
    )
    .alone(),
    row(
        "apt_upgrade_additional_packages",
        r#"["mp-extra"]"#,
        &["Install additional packages"],
        Host("dpkg-query -W -f '${Version}' mp-extra", "1"),
    )
    .alone(),
    row(
        "apt_upgrade_cache_valid_time",
        "0",
        &[INDEX],
        Host(
            "find /var/lib/apt /var/cache/apt -newer /run/before | grep -q . && echo renewed",
            "renewed",
        ),
    )
    .before("touch /run/before; sleep 1.1")
    .alone(),
    row("apt_upgrade_lock_timeout", "1", &[], Fails("python3"))
        .with(r#""apt_upgrade_cache_valid_time": 0"#)
        .before(HOLD_LOCKS)
        .alone(),
    row(
        "apt_reboot_if_required",
        "true",
        &["Reboot where it is needed"],
        Host("test -e /run/reboot-required || echo rebooted", "rebooted"),
    )
    .before("systemctl stop holder; touch /run/reboot-required")
    .alone(),
    row(
        "apt_reboot_timeout",
        "1",
        &[],
        Lost("the host did not return within 1s"),
    )
    .with(r#""apt_reboot_if_required": true"#)
    .before(
        "mkdir -p /etc/systemd/system/ssh.service.d
printf '[Service]\\nExecStartPre=/bin/sleep 8\\n' >/etc/systemd/system/ssh.service.d/slow.conf
touch /run/reboot-required",
    )
    .alone(),
];

#[test]
#[ignore = "needs the testbed"]
fn of_apt_upgrade() {
    let testbed = Testbed::of(&["vm4"]);
    let table = Table::new(&testbed, "apt-upgrade", "vm4");
    testbed.root(table.host, APT_AFTER);
    testbed.root(table.host, REPOSITORIES);
    table.holds(&APT);
    // It is on its way back from the last one.
    for _ in 0..100 {
        if testbed.try_root(table.host, "true").status.success() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    testbed.root(table.host, APT_AFTER);
}

const DESCRIBED: &[&str] = &["Describe the cluster", "Build the cluster"];
const NAMED: &[&str] = &[
    "Describe the cluster",
    "Build the cluster",
    "Put the cluster into ~/.kube/config",
];
/// The folder is another, so that the cluster is another one for RKE.
const MOVED: &[&str] = &["Make the cluster's folder", "Describe the cluster", "Build the cluster"];
const MTU: &[&str] = &[
    "Describe the cluster",
    "Build the cluster",
    "Set the MTU of canal",
    "Set the MTU of canal on the node",
    "Start the pods of canal with their MTU",
    "restart containerd",
];

/// The variables of a cluster that show on hosts. What each changes in `cluster.yml` is in the tests of the role.
const CLUSTER: &[Row] = &[
    row(
        "kubelet_max_pods",
        "210",
        DESCRIBED,
        Host(
            "grep -c 'max-pods: \"210\"' /home/ubuntu/rancher/obs/cluster.yml.built",
            "1",
        ),
    ),
    row(
        "rancher_obs_ingress_provider",
        "\"nginx\"",
        DESCRIBED,
        Host(
            "grep -c use-forwarded-headers /home/ubuntu/rancher/obs/cluster.yml.built",
            "1",
        ),
    ),
    row(
        "rancher_obs_cluster_name",
        "\"two\"",
        NAMED,
        Host(
            "sudo -u ubuntu -H kubectl --context two get nodes -o name",
            "node/obs-node-1",
        ),
    ),
    row(
        "network_mtu",
        "1350",
        MTU,
        On(
            OBS,
            "grep -o '\"mtu\": *[0-9]*' /etc/cni/net.d/10-canal.conflist",
            "\"mtu\": 1350",
        ),
    )
    .done_before(&["Set the MTU of canal"]),
    row(
        "rancher_obs_base_dir",
        "\"/home/ubuntu/other\"",
        MOVED,
        Planned("/home/ubuntu/other"),
    ),
    row(
        "ssh_key_path",
        "\"/home/ubuntu/no-key\"",
        &[],
        Fails("the SSH key /home/ubuntu/no-key on the deployment node is not there"),
    )
    .alone(),
    row("rke_version", "\"v1.3.11\"", &[], Fails("v1.3.11")).alone(),
    row(
        "rancher_obs_check_existing_config",
        "true",
        &[],
        Fails("holds the files of another cluster"),
    )
    .with(r#""rancher_obs_base_dir": "/home/ubuntu/other""#)
    .before("mkdir -p /home/ubuntu/other && echo '{\"address\": \"10.9.0.1\"}' >/home/ubuntu/other/cluster.rkestate")
    .alone(),
];

/// Carried out first: a second Istio in a cluster finds the ports of the nodes taken.
const ISTIO_NEW: &[Row] = &[
    row("istio_namespace", "\"mesh\"", &["Install Istio's operator", "Tell the operator what Istio shall be"], Host("K=/home/ubuntu/rancher/obs/kube_config_cluster.yml; kubectl --kubeconfig $K -n mesh get deployment istiod -o name", "deployment.apps/istiod")).alone(),
];

const ISTIO: &[Row] = &[
    row(
        "istio_version",
        "\"1.15.3\"",
        &[],
        Fails("exactly version 1.15.3 is needed"),
    )
    .alone(),
    row(
        "istio_hub",
        "\"registry.mosip.test/istio\"",
        &["Install Istio's operator", "Tell the operator what Istio shall be"],
        Planned("registry.mosip.test/istio"),
    ),
    row(
        "nginx_postgres_nodeport",
        "31433",
        &["Tell the operator what Istio shall be"],
        Planned("31433"),
    ),
    row(
        "istio_kubeconfig",
        "\"/home/ubuntu/nowhere\"",
        &[],
        Fails("there is no kubeconfig"),
    )
    .alone(),
];

#[test]
#[ignore = "needs the testbed"]
fn of_the_observation_cluster_and_istio() {
    let testbed = Testbed::of(&[OBS, DEPLOYMENT]);
    testbed.reset(&[DEPLOYMENT]);
    cluster::remove(&testbed, &[OBS]);
    let rke = cluster::tool_on(&testbed, DEPLOYMENT, "rke", "v1.3.10");
    let mut table = Table::new(&testbed, "deploy-rancher-obs", DEPLOYMENT);
    table.inventory = testbed.deploy_inventory().to_string_lossy().into_owned();
    table.limit = "deployment-node,obs-node-1";
    table.words = &["--tags", "prepare,cluster,mtu"];
    table.always = format!(r#""rke_binary_path": "{}", "rke_sha256": "{}""#, rke.path, rke.sha256);
    table.base();
    table.holds(CLUSTER);

    let istioctl = cluster::tool_on(&testbed, DEPLOYMENT, "istioctl", "1.15.0");
    testbed.root(DEPLOYMENT, &format!("ln -sf {} /usr/local/bin/istioctl", istioctl.path));
    table.playbook = "deploy-istio";
    table.words = &[];
    table.always = r#""istio_kubeconfig": "/home/ubuntu/rancher/obs/kube_config_cluster.yml""#.into();
    table.holds(ISTIO_NEW);
    table.always += r#", "istio_namespace": "mesh""#;
    table.holds(ISTIO);
}
