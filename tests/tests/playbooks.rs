//! The three playbooks from an unchanged inventory on hosts at their first boot: done, done again with nothing to do,
//! and the hosts as they should be then.

use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::{self, CONNECTED, DOMAIN, NGINX, NGINX_OBS, Testbed};

const PLAYBOOKS: [(&str, &[&str]); 3] = [
    ("apt-upgrade", &CONNECTED),
    ("deploy-nginx", &[NGINX]),
    ("deploy-rancher-obs-nginx", &[NGINX_OBS]),
];

fn run(program: &Program, inventory: &str, playbook: &str) -> Ran {
    let mut words = vec!["run", playbook, "-i", inventory];
    if playbook == "apt-upgrade" {
        words.extend(["-f", "12"]);
    }
    program.run(&words)
}

#[test]
#[ignore = "needs the testbed"]
fn three_playbooks_from_the_first_boot_and_again() {
    let testbed = Testbed::get();
    testbed.reset(&CONNECTED);
    let program = Program::new();
    let inventory = testbed.inventory();
    let inventory = inventory.to_str().expect("a path in UTF-8");

    for (playbook, hosts) in PLAYBOOKS {
        let ran = run(&program, inventory, playbook).expect(0);
        let mut wanted: Vec<_> = hosts.to_vec();
        wanted.sort_unstable();
        assert_eq!(ran.hosts(), wanted, "{}", ran.shown());
        for host in hosts {
            assert!(ran.count(host, "changed") > 0, "{host}\n{}", ran.shown());
            assert_eq!(ran.count(host, "failed") + ran.count(host, "unreachable"), 0);
        }
        println!("{playbook}: {:.1} s", ran.took.as_secs_f64());
    }
    for (playbook, hosts) in PLAYBOOKS {
        let ran = run(&program, inventory, playbook).expect(0).unchanged();
        for host in hosts {
            assert!(
                ran.exchanges(host) <= 2,
                "{playbook} on {host}: {} exchanges\n{}",
                ran.exchanges(host),
                ran.shown()
            );
            assert!(ran.count(host, "ok") > 0);
        }
        // Every task says why it found nothing to do.
        for event in ran.of_type("task_finished") {
            assert!(
                event["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
                "{event}"
            );
        }
        println!("{playbook} again: {:.2} s", ran.took.as_secs_f64());
    }
    upgraded(&testbed);
    front(&testbed, NGINX, "nginx");
    front(&testbed, NGINX_OBS, "nginx_obs");
    main_front(&testbed);
    obs_front(&testbed);
}

/// What `apt-upgrade` is for.
fn upgraded(testbed: &Testbed) {
    for host in CONNECTED {
        let simulated = testbed.root(host, "apt-get -s upgrade | grep '^[0-9]* upgraded'");
        assert!(
            simulated.starts_with("0 upgraded, 0 newly installed, 0 to remove"),
            "{host}: {simulated}"
        );
        let index = testbed.root(host, "find /var/lib/apt/lists -name '*Packages*' | wc -l");
        assert_ne!(index, "0", "{host} has no package index");
    }
}

/// What both fronts have in common: packages, unit, files.
fn front(testbed: &Testbed, host: &str, files: &str) {
    let stat = |path: &str| testbed.stat(host, path);
    assert_eq!(
        testbed.root(host, "systemctl is-enabled nginx; systemctl is-active nginx"),
        "enabled\nactive"
    );
    let packages = testbed.root(host, "dpkg-query -W -f '${Status} ' nginx");
    assert_eq!(packages, "install ok installed");
    assert_eq!(stat("/etc/nginx/ssl"), "750 root:www-data directory");
    assert_eq!(stat("/etc/nginx/ssl/fullchain.pem"), "640 root:www-data regular file");
    assert_eq!(stat("/etc/nginx/ssl/privkey.pem"), "600 root:root regular file");
    assert_eq!(stat("/etc/nginx/nginx.conf"), "640 root:www-data regular file");
    for name in ["fullchain.pem", "privkey.pem"] {
        let here =
            std::fs::read_to_string(testbed.inventory_folder().join("files").join(files).join(name)).expect(name);
        assert_eq!(
            testbed.root(host, &format!("cat /etc/nginx/ssl/{name}")),
            here.trim_end(),
            "{name} on {host}"
        );
    }
    // The first original is the packaged file, by the package's own checksum.
    let packaged = testbed.root(
        host,
        "dpkg-query -W -f '${Conffiles}\\n' nginx-common nginx | grep ' /etc/nginx/nginx.conf ' | cut -d' ' -f3",
    );
    let kept = testbed.root(host, "md5sum < /etc/nginx/nginx.conf.orig | cut -d' ' -f1");
    assert_eq!(kept, packaged, "nginx.conf.orig on {host} is not the packaged file");
    assert_eq!(
        testbed.root(host, "find /etc/nginx -name '*mosip-prov*'"),
        "",
        "left behind on {host}"
    );
    assert!(testbed.try_root(host, "nginx -t").status.success());
}

/// The configuration as nginx itself reads it, one directive a line without blanks around it.
fn configuration(testbed: &Testbed, host: &str) -> Vec<String> {
    let text = testbed.root(host, "nginx -T 2>/dev/null");
    let own = text
        .split("# configuration file ")
        .find(|part| part.starts_with("/etc/nginx/nginx.conf:"));
    own.expect("nginx.conf in nginx -T")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[track_caller]
fn has(lines: &[String], wanted: &[&str]) {
    for directive in wanted {
        assert!(
            lines.iter().any(|line| line == directive),
            "`{directive}` is not in\n{}",
            lines.join("\n")
        );
    }
}

fn main_front(testbed: &Testbed) {
    let status = testbed.root(NGINX, "dpkg-query -W -f '${Status}' libnginx-mod-stream");
    assert_eq!(status, "install ok installed");
    let lines = configuration(testbed, NGINX);
    has(
        &lines,
        &[
            "user www-data;",
            "worker_processes auto;",
            "worker_connections 768;",
            "multi_accept on;",
            "proxy_buffer_size 128k;",
            "proxy_buffers 4 256k;",
            "proxy_busy_buffers_size 256k;",
            "client_max_body_size 30m;",
            "sendfile on;",
            "tcp_nopush on;",
            "tcp_nodelay on;",
            "keepalive_timeout 65;",
            "types_hash_max_size 2048;",
            "server_tokens off;",
            "ssl_protocols TLSv1.2 TLSv1.3;",
            "ssl_prefer_server_ciphers on;",
            "gzip on;",
            "proxy_connect_timeout 600s;",
            "proxy_send_timeout 600s;",
            "proxy_read_timeout 600s;",
            "send_timeout 600s;",
            "location /v1/packetcreator/ {",
        ],
    );
    for node in ["vm4", "vm5", "vm6"] {
        for port in [30080, 31080, 30900, 31432, 31616] {
            has(&lines, &[&format!("server {}:{port};", testbed::address(node))]);
        }
    }
    let names = format!("api.{DOMAIN} prereg.{DOMAIN} resident.{DOMAIN} idp.{DOMAIN}");
    assert!(
        lines.iter().any(|line| line.contains(&names)),
        "{names} in\n{}",
        lines.join("\n")
    );
    // It listens where it should, and nowhere else.
    let listening = testbed.root(NGINX, "ss -Hltn | awk '{ print $4 }' | grep -v -e ':22$' | sort");
    let here = testbed::address(NGINX);
    let mut wanted = [443, 5432, 9000, 61616].map(|port| format!("{here}:{port}"));
    wanted.sort();
    assert_eq!(listening.lines().collect::<Vec<_>>(), wanted, "{listening}");
}

fn obs_front(testbed: &Testbed) {
    let lines = configuration(testbed, NGINX_OBS);
    let obs = testbed::address(testbed::OBS);
    has(
        &lines,
        &[
            &format!("server {obs}:30080;"),
            "proxy_buffering off;",
            "proxy_http_version 1.1;",
        ],
    );
    for name in ["rancher", "keycloak"] {
        let name = format!("{name}.{DOMAIN}");
        assert!(
            lines.iter().any(|line| line.contains(&name)),
            "{name} in\n{}",
            lines.join("\n")
        );
    }
    let listening = testbed.root(NGINX_OBS, "ss -Hltn | awk '{ print $4 }' | grep -v -e ':22$' | sort");
    let here = testbed::address(NGINX_OBS);
    assert_eq!(listening, format!("{here}:443\n{here}:80"));
}
