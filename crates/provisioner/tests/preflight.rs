//! Preflight asks machines that answer with this one's shell, by stand-ins of their programs that know as whom they are asked.

use async_trait::async_trait;
use mosip_prov::CancelHandle;
use mosip_prov::events::{Finding, Level};
use mosip_prov::preflight::{Area, PreflightOptions, Progress};
use mosip_prov::transport::fake::{FakeConnector, FakeHost};
use mosip_prov::transport::{Connector, Host, Identity, Response, Target, TransportError};
use mosip_prov::{Provisioner, Settings};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// An inventory, a key, and the programs of its machines.
struct Site(tempfile::TempDir);

impl Site {
    fn new(inventory: &str) -> Self {
        let site = Self(tempfile::tempdir().expect("a folder"));
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(site.path("key"))
            .status()
            .expect("ssh-keygen");
        assert!(made.success());
        let settings = format!(
            "[all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\nmosip_domain=mosip.test\n\
             ssh_key_path=~/.ssh/rke\n",
            site.path("key").display()
        );
        std::fs::write(site.path("hosts.ini"), format!("{inventory}{settings}")).expect("written");
        site.tool("id", "[ \"$AS\" = root ] && echo 0 || echo 1000");
        // Only root is told who listens.
        site.tool(
            "ss",
            "[ \"$AS\" = root ] && who='users:((\"nginx\",pid=7,fd=6))'\necho \"LISTEN 0 511 *:443 *:* $who\"",
        );
        site.tool("ip", "exit 0");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn tool(&self, name: &str, body: &str) {
        let path = self.path("bin").join(name);
        std::fs::create_dir_all(self.path("bin")).expect("made");
        std::fs::write(&path, format!("#!/bin/sh\n# a stand-in\n{body}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
    }

    fn machine(&self, name: &str) -> Arc<FakeHost> {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.path("bin").display());
        let home = self.0.path().to_owned();
        let host = FakeHost::new(name).handler(move |identity, request| {
            let done = Command::new("sh")
                .args(["-c", &request.script])
                .env("PATH", &path)
                .env("HOME", &home)
                .env("LC_ALL", "C")
                .env("AS", identity.to_string())
                .output()
                .expect("sh");
            Some(Response {
                stdout: done.stdout.into(),
                status: done.status.code().unwrap_or(-1),
                ..Response::default()
            })
        });
        Arc::new(host)
    }

    async fn look(
        &self,
        areas: &[Area],
        connector: impl Connector + 'static,
        seen: impl Fn(&CancelHandle) + Send + Sync,
    ) -> Vec<Finding> {
        let settings = Settings {
            inventory: vec![self.path("hosts.ini").to_string_lossy().into_owned()],
            check: true,
            ..Settings::default()
        };
        let options = PreflightOptions {
            areas: areas.to_vec(),
            ..PreflightOptions::default()
        };
        let provisioner = Provisioner::load(settings).expect("an inventory");
        let preflight = provisioner.preflight(&options).expect("good inputs");
        let preflight = preflight.with_connector(Arc::new(connector));
        let cancel = CancelHandle::new();
        let listen = |progress: &Progress| {
            if matches!(progress, Progress::Host { .. }) {
                seen(&cancel);
            }
        };
        preflight.run(&listen, &cancel).await
    }
}

fn all_of<'f>(found: &'f [Finding], check: &str) -> Vec<&'f Finding> {
    found.iter().filter(|finding| finding.check == check).collect()
}

fn asked_as(host: &FakeHost, identity: &Identity, words: &str) -> usize {
    let calls = host.calls();
    let fits = calls.iter().filter(|call| call.identity == *identity);
    fits.filter(|call| call.request.script.contains(words)).count()
}

const BOTH: &str = "[nginx]\nfront ansible_host=192.0.2.7\n[deployment]\nfront\n";

#[tokio::test]
async fn a_deployment_node_that_is_a_front_is_asked_as_root_for_its_ports() {
    let site = Site::new(BOTH);
    let host = site.machine("front");
    let connector = FakeConnector::new().with(host.clone());
    let found = site.look(&[Area::Hosts, Area::Tools], connector, |_| {}).await;
    // Its own nginx is no stranger there.
    let ports = all_of(&found, "ports");
    assert_eq!((ports.len(), ports[0].level), (1, Level::Ok), "{found:#?}");
    // Tools are those of the user who deploys.
    assert_eq!(asked_as(&host, &Identity::Login, "command -v certbot"), 1);
    assert_eq!(asked_as(&host, &Identity::root(), "command -v certbot"), 0);
    assert_eq!(all_of(&found, "openssl").len(), 1);
    assert_eq!(host.calls().len(), 3);
    assert!(host.mutations().is_empty());

    // Where root is not to be had, what is not told is no failure.
    let site = Site::new(&format!("[all:vars]\nansible_become=false\n{BOTH}"));
    let host = site.machine("front");
    let connector = FakeConnector::new().with(host.clone());
    let found = site.look(&[Area::Hosts, Area::Tools], connector, |_| {}).await;
    let ports = all_of(&found, "ports");
    assert_eq!((ports.len(), ports[0].level), (1, Level::Warning), "{found:#?}");
    assert!(ports[0].message.contains("not asked as root"), "{ports:?}");
    assert_eq!(host.calls().len(), 2);
}

#[tokio::test]
async fn keys_alone_are_enough_to_look_at_the_key_of_rke() {
    let site = Site::new(
        "[physical_vms]\nvm1 ansible_host=192.0.2.1\n[control_plane_nodes]\nvm1\n[etcd_nodes]\nvm1\n[worker_nodes]\nvm1\n\
         [deployment]\ndeploy ansible_host=192.0.2.9\n",
    );
    let host = site.machine("deploy");
    // vm1 is not asked: it is no host of this connector.
    let look = || site.look(&[Area::Keys], FakeConnector::new().with(host.clone()), |_| {});
    let found = look().await;
    let wrong: Vec<_> = found.iter().filter(|finding| finding.level == Level::Failure).collect();
    assert_eq!(wrong.len(), 1, "{found:#?}");
    assert_eq!(
        (wrong[0].check.as_str(), wrong[0].subject.as_str()),
        ("key_missing", "deploy:~/.ssh/rke")
    );
    std::fs::create_dir(site.path(".ssh")).expect("made");
    std::fs::copy(site.path("key"), site.path(".ssh/rke")).expect("copied");
    let found = look().await;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().all(|finding| finding.level == Level::Ok), "{found:#?}");
}

/// Never gets to the machines that it does not know.
struct Hanging(FakeConnector);

#[async_trait]
impl Connector for Hanging {
    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, TransportError> {
        match self.0.host(&target.name) {
            Some(_) => self.0.connect(target).await,
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn what_was_found_until_it_was_cancelled_is_told_and_no_more() {
    let site = Site::new(
        "[physical_vms]\nvm1 ansible_host=192.0.2.1\nvm2 ansible_host=192.0.2.2\n[control_plane_nodes]\nvm1\n\
         [etcd_nodes]\nvm1\n[worker_nodes]\nvm1\n[deployment]\ndeploy ansible_host=192.0.2.9\n",
    );
    let areas = [Area::Hosts, Area::Network];
    let of = |connector: FakeConnector| site.look(&areas, Hanging(connector), CancelHandle::cancel);
    // The first machine hangs; the second is heard.
    let found = of(FakeConnector::new().with(site.machine("vm2"))).await;
    let about = |name: &str| found.iter().filter(|finding| finding.subject == name).count();
    assert!(about("vm2") >= 4, "{found:#?}");
    assert_eq!((about("vm1"), about("deploy")), (0, 0), "{found:#?}");
    let well: Vec<_> = found.iter().filter(|finding| finding.level == Level::Ok).collect();
    assert!(well.iter().all(|finding| finding.subject == "vm2"), "{well:#?}");
}

#[tokio::test]
async fn nothing_is_well_with_nobody_heard() {
    let site = Site::new("[physical_vms]\nvm1 ansible_host=192.0.2.1\n[nginx]\nfront ansible_host=192.0.2.2\n");
    let settings = Settings {
        inventory: vec![site.path("hosts.ini").to_string_lossy().into_owned()],
        check: true,
        ..Settings::default()
    };
    let options = PreflightOptions {
        areas: vec![Area::Hosts, Area::Network],
        ..PreflightOptions::default()
    };
    let preflight = Provisioner::load(settings).and_then(|p| p.preflight(&options));
    let preflight = preflight
        .expect("good inputs")
        .with_connector(Arc::new(Hanging(FakeConnector::new())));
    let cancel = CancelHandle::new();
    cancel.cancel();
    let found = preflight.run(&|progress| panic!("{progress:?}"), &cancel).await;
    assert!(found.iter().all(|finding| finding.level != Level::Ok), "{found:#?}");
}

#[test]
fn a_stand_in_knows_as_whom_it_is_asked() {
    let site = Site::new(BOTH);
    let says = |user: &str| {
        let mut command = Command::new(Path::new(&site.path("bin")).join("ss"));
        let done = command.env("AS", user).output().expect("runs");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    assert!(says("root").contains("nginx") && !says("login").contains("nginx"));
}
