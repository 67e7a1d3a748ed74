//! Certificates by way of the real certbot, from a real ACME authority (Pebble) that looks at a real nameserver.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use mosip_prov_tests::certificates::{Kind, write_pair};
use mosip_prov_tests::nameserver::{self, Nameserver};
use mosip_prov_tests::pebble::{self, Pebble};
use mosip_prov_tests::program::Program;
use mosip_prov_tests::testbed::{Testbed, address};
use mosip_prov_tests::write;

const DOMAIN: &str = "mosip.test";
const PATIENCE: Duration = Duration::from_secs(60);

struct Ground {
    program: Program,
    dns: Nameserver,
    authority: Pebble,
    inventory: PathBuf,
}

impl Ground {
    fn new() -> Self {
        let program = Program::new();
        let dns = nameserver::start(&format!("$ORIGIN {DOMAIN}.\n@ IN A 127.0.0.1\n"));
        let authority = pebble::start(dns.address());
        let inventory = program.home().join("inventory/hosts.ini");
        write(
            &inventory,
            "[nginx]\nfront ansible_host=192.0.2.31\n[nginx_obs]\nobs ansible_host=192.0.2.32\n",
        );
        write(
            &program.home().join("inventory/group_vars/all.yml"),
            format!("mosip_domain: {DOMAIN}\nnginx_obs_public_domain_names: rancher.{DOMAIN} keycloak.{DOMAIN}\n"),
        );
        Self {
            program,
            dns,
            authority,
            inventory,
        }
    }

    fn words(&self, verb: &str, more: &[&str]) -> Vec<String> {
        let mut words = vec!["certificates".to_owned(), verb.to_owned()];
        let (server, dns) = (self.authority.server(), self.dns.address().to_string());
        words.extend(["-i", &self.inventory.to_string_lossy()].map(str::to_owned));
        words.extend(["--server", &server, "--nameserver", &dns, "--interval", "1"].map(str::to_owned));
        words.extend(["--no-email", "--agree-tos"].map(str::to_owned));
        words.extend(more.iter().map(|w| (*w).to_owned()));
        words
    }

    fn command(&self, words: &[String]) -> Command {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = self.program.command(&words);
        command.env("REQUESTS_CA_BUNDLE", self.authority.trust());
        command
    }

    fn start(&self, verb: &str, more: &[&str]) -> Running {
        let mut child = self
            .command(&self.words(verb, more))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let (to, lines) = channel();
        let out = child.stdout.take().expect("its output");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    return;
                }
            }
        });
        Running {
            child,
            lines,
            said: Vec::new(),
        }
    }

    fn files(&self, front: &str) -> PathBuf {
        self.inventory.with_file_name("files").join(front)
    }

    fn update(&self, verb: &str, values: &[String]) {
        let lines: Vec<String> = values
            .iter()
            .map(|value| match verb {
                "add" => format!("update add _acme-challenge.{DOMAIN} 5 TXT \"{value}\""),
                _ => format!("update delete _acme-challenge.{DOMAIN} TXT \"{value}\""),
            })
            .collect();
        self.dns.update(&lines.join("\n"));
    }
}

struct Running {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Running {
    /// Waits for a line with `part` in it.
    #[track_caller]
    fn wait_for(&mut self, part: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => {
                    let _ = self.child.kill();
                    let mut errors = String::new();
                    let _ = self
                        .child
                        .stderr
                        .take()
                        .map(|mut from| from.read_to_string(&mut errors));
                    panic!(
                        "no line with {part:?} ({error}); it said\n{}\n{errors}",
                        self.said.join("\n")
                    );
                }
            }
        }
    }

    /// The values of the records it wants.
    fn records(&mut self) -> Vec<String> {
        self.wait_for("waiting until the zone's nameservers");
        let value = |line: &String| Some(line.split_once("TXT  \"")?.1.trim_end_matches('"').to_owned());
        self.said.iter().filter_map(value).collect()
    }

    #[track_caller]
    fn end(mut self, code: i32) -> String {
        let mut errors = String::new();
        let _ = self
            .child
            .stderr
            .take()
            .map(|mut from| from.read_to_string(&mut errors));
        let status = self.child.wait().expect("waited for");
        self.said.extend(self.lines.iter());
        let said = format!("{}\n{errors}", self.said.join("\n"));
        assert_eq!(status.code(), Some(code), "{said}");
        said
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
#[ignore = "needs certbot, pebble and named"]
fn a_person_creates_the_records() {
    let ground = Ground::new();
    let mut running = ground.start("request", &[]);
    let values = running.records();
    // Both at once: one for the domain, one for its wildcard.
    assert_eq!(values.len(), 2, "{:?}", running.said);
    running.wait_for(&format!("ns.{DOMAIN} (127.0.0.1) lacks"));
    // A mistyped one is told, and one of two is not enough.
    ground.update("add", &["mistyped".to_owned(), values[0].clone()]);
    let line = running.wait_for("mistyped");
    assert!(
        line.contains(&values[1]) && !line.contains(&format!("lacks \"{}\"", values[0])),
        "{line}"
    );
    ground.update("add", &values[1..]);
    let said = running.end(0);
    assert!(
        said.contains("nginx: placed in") && said.contains("nginx_obs: placed in"),
        "{said}"
    );
    assert!(said.contains("the records can go now"), "{said}");
    for front in ["nginx", "nginx_obs"] {
        assert_eq!(mode(&ground.files(front).join("privkey.pem")), 0o600);
        let chain = std::fs::read_to_string(ground.files(front).join("fullchain.pem")).expect("placed");
        assert!(chain.matches("BEGIN CERTIFICATE").count() >= 2, "{chain}");
    }
    let certbot = ground.inventory.with_file_name(".mosip-prov").join("certbot");
    assert_eq!(mode(&certbot), 0o700);
    // It is good for long.
    let said = ground.start("renew", &["--no-deploy"]).end(0);
    assert!(said.contains("fine until"), "{said}");
    // Installing what is placed: nothing to do.
    let hosts = ground.inventory.to_string_lossy().into_owned();
    let live = certbot.join("live").join(DOMAIN);
    let ran = ground
        .program
        .run(&["certificates", "install", &live.to_string_lossy(), "-i", &hosts]);
    ran.expect(0).says(&["nginx: as it was", "nginx_obs: as it was"]);
}

#[test]
#[ignore = "needs certbot, pebble and named"]
fn a_command_creates_the_records_and_renewing_keeps_the_predecessor() {
    let ground = Ground::new();
    let (ip, port) = (ground.dns.address().ip(), ground.dns.address().port());
    let hook = ground.program.home().join("create record.sh");
    let script = |verb: &str| {
        format!(
            "#!/bin/sh\nset -e\nprintf 'server {ip} {port}\\nzone {DOMAIN}\\nupdate {verb}\\nsend\\n' | sed \"s/VALUE/$CERTBOT_VALIDATION/\" | nsupdate\n"
        )
    };
    write(&hook, script(&format!("add _acme-challenge.{DOMAIN} 5 TXT \"VALUE\"")));
    let clean = ground.program.home().join("remove.sh");
    write(
        &clean,
        script(&format!("delete _acme-challenge.{DOMAIN} TXT \"VALUE\"")),
    );
    let auth = format!("sh '{}'", hook.display());
    let cleanup = format!("sh {}", clean.display());
    let hooks = ["--auth-hook", &auth, "--cleanup-hook", &cleanup];
    let said = ground.start("request", &hooks).end(0);
    assert!(
        !said.contains("create these") && said.contains("the hook has run for 2 records"),
        "{said}"
    );
    let fullchain = ground.files("nginx").join("fullchain.pem");
    let first = std::fs::read(&fullchain).expect("placed");
    let all: Vec<&str> = [&hooks[..], &["--force", "--no-deploy"]].concat();
    let said = ground.start("renew", &all).end(0);
    assert!(
        said.contains("fullchain.pem.previous") && said.contains("next: mosip-prov run deploy-nginx"),
        "{said}"
    );
    assert_ne!(std::fs::read(&fullchain).expect("placed"), first);
    assert_eq!(
        std::fs::read(ground.files("nginx").join("fullchain.pem.previous")).expect("kept"),
        first
    );
    // What was created was taken away again.
    let dns = ground.dns.address();
    let left = mosip_prov_tests::stdout(Command::new("dig").args([
        format!("@{}", dns.ip()),
        "-p".into(),
        dns.port().to_string(),
        "+short".into(),
        format!("_acme-challenge.{DOMAIN}"),
        "TXT".into(),
    ]));
    assert_eq!(left, "");
    // One that fails stops it, with what it said.
    let said = ground
        .start("request", &["--force", "--auth-hook", "echo no such zone >&2; exit 3"])
        .end(2);
    assert!(
        said.contains("no such zone") && said.contains("exit status: 3"),
        "{said}"
    );
}

#[test]
#[ignore = "needs certbot, pebble and named"]
fn records_that_do_not_come_and_an_interrupt() {
    let ground = Ground::new();
    let said = ground.start("request", &["--wait", "2"]).end(2);
    assert!(
        said.contains("nameservers still lack records") && said.contains("lacks \""),
        "{said}"
    );
    let mut running = ground.start("request", &[]);
    running.records();
    let pid = running.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .expect("kill")
            .success()
    );
    let said = running.end(130);
    assert!(said.contains("interrupted"), "{said}");
    assert!(!ground.files("nginx").exists() && !ground.files("nginx_obs").exists());
    // certbot has let go of its folder: another request begins at once.
    let mut running = ground.start("request", &[]);
    let values = running.records();
    ground.update("add", &values);
    running.end(0);
}

#[test]
fn what_is_missing_is_said_at_once() {
    let program = Program::new();
    let hosts = program.home().join("hosts.ini");
    write(
        &hosts,
        format!("[nginx]\nfront ansible_host=192.0.2.31\n[all:vars]\nmosip_domain={DOMAIN}\n"),
    );
    let hosts = hosts.to_string_lossy().into_owned();
    let words = [
        "certificates",
        "request",
        "-i",
        &hosts,
        "--certbot",
        "no-such-certbot",
        "--nameserver",
        "ns.test",
    ];
    program
        .run(&words)
        .expect(1)
        .says(&["no-such-certbot is not there", "--nameserver ns.test is no address"]);
    let made = program.home().join("made");
    write_pair(&made, "other.test", Kind::ForeignKey);
    let words = ["certificates", "install", &made.to_string_lossy(), "-i", &hosts];
    program.run(&words).expect(1).says(&[
        "does not belong to",
        "is not good for api.mosip.test",
        "nothing was placed",
    ]);
    assert!(!program.home().join("files").exists());
    write_pair(&made, DOMAIN, Kind::Good);
    program
        .run(&words)
        .expect(0)
        .says(&["nginx: placed in", "deploy-nginx --tags certificate"]);
    program.run(&words).expect(0).says(&["nginx: as it was"]);
}

#[test]
#[ignore = "needs the testbed"]
fn a_renewed_certificate_reaches_the_front() {
    let fronts = ["nginx-node-1", "nginx-obs-node-1"];
    let testbed = Testbed::of(&fronts);
    let ground = Ground::new();
    write(
        &ground.inventory,
        format!(
            "[nginx]\n{0} ansible_host={1}\n[nginx_obs]\n{2} ansible_host={3}\n[worker_nodes]\nw1 node_ip=10.61.0.11\n\
             [mosip_obs]\no1 ansible_host=10.61.0.21\n[all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={4}\n\
             ansible_host_key_checking=False\n",
            fronts[0],
            address(fronts[0]),
            fronts[1],
            address(fronts[1]),
            testbed.key().display()
        ),
    );
    for front in ["nginx", "nginx_obs"] {
        write_pair(&ground.files(front), DOMAIN, Kind::Good);
    }
    let hosts = ground.inventory.to_string_lossy().into_owned();
    let words = ["run", "deploy-nginx", "deploy-rancher-obs-nginx", "-i", &hosts];
    ground.program.run(&words).expect(0);
    let mut running = ground.start("renew", &["--force"]);
    let values = running.records();
    ground.update("add", &values);
    running.end(0);
    let placed = std::fs::read_to_string(ground.files("nginx").join("fullchain.pem")).expect("placed");
    for (front, name) in fronts.into_iter().zip(["api", "rancher"]) {
        assert_eq!(
            testbed.root(front, "cat /etc/nginx/ssl/fullchain.pem"),
            placed.trim_end()
        );
        // What clients see.
        let served = testbed.root(
            front,
            &format!(
                "openssl s_client -connect {}:443 -servername {name}.{DOMAIN} </dev/null 2>/dev/null | openssl x509 -noout -issuer",
                address(front)
            ),
        );
        assert!(served.contains("Pebble"), "{served}");
    }
    // Placed and deployed: nothing is left to do.
    let said = ground.start("renew", &[]).end(0);
    assert!(said.contains("fine until") && !said.contains("RECAP"), "{said}");
    // Placed and not deployed, as when the machine went down in between: made good by the next call.
    write(
        &ground
            .inventory
            .with_file_name(".mosip-prov")
            .join("certificates-to-deploy"),
        "nginx_obs\n",
    );
    let said = ground.start("renew", &[]).end(0);
    assert!(
        said.contains("fine until") && said.contains("RECAP deploy-rancher-obs-nginx"),
        "{said}"
    );
    let said = ground.start("renew", &[]).end(0);
    assert!(!said.contains("RECAP"), "{said}");
}
