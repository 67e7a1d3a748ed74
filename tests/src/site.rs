//! A deployment as the guide has it, on the testbed: the deployment node has the checkout, the tools and the program, and
//! deploys from there. RKE, Kubernetes, istioctl, helm, Rancher, what the charts bring and the two Terraform roots are
//! stand-ins; Terraform itself, kubectl, the nameserver, Docker, nginx and WireGuard are real.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::nameserver::{self, Nameserver};
use crate::rancher_stand_in::{RancherStandIn, Wishes};
use crate::testbed::{DEPLOYMENT, NGINX, NGINX_OBS, OBS, Testbed, address};
use crate::{cluster, output, program_path, shown, stdout, write};

/// Where the checkout is on the deployment node.
pub const DEVOPS: &str = "/home/ubuntu/mosip/devops";
/// Where an operator types.
pub const INFRA: &str = "/home/ubuntu/mosip/devops/ansible/infra_deployment";
/// What the stand-ins of the charts leave on the machines that serve them.
pub const HELM: &str = "/opt/stand-in/helm-was-here";
/// The machines of the main cluster.
pub const VMS: [&str; 6] = ["vm1", "vm2", "vm3", "vm4", "vm5", "vm6"];
/// All machines of the deployment.
pub const ALL: [&str; 11] = [
    "vm1",
    "vm2",
    "vm3",
    "vm4",
    "vm5",
    "vm6",
    OBS,
    NGINX,
    NGINX_OBS,
    "wireguard-node",
    DEPLOYMENT,
];

/// The checkout, ready to be deployed from; nameserver and Rancher's stand-in run until this goes.
pub struct Site<'t> {
    testbed: &'t Testbed,
    nameserver: Nameserver,
    /// Rancher's stand-in.
    pub rancher: RancherStandIn,
}

/// The zone of the guide for the testbed's addresses.
pub fn zone() -> String {
    let mut zone = String::from("$ORIGIN mosip.test.\n");
    let a = |name: &str, host: &str| format!("{name} 60 IN A {}\n", address(host));
    for (name, host) in [
        ("rancher", NGINX_OBS),
        ("keycloak", NGINX_OBS),
        ("api-internal", NGINX),
        ("api", NGINX),
        ("@", NGINX),
    ] {
        zone.push_str(&a(name, host));
    }
    for name in ["prereg", "resident", "idp"] {
        zone.push_str(&format!("{name} 60 IN CNAME api\n"));
    }
    for name in [
        "activemq",
        "kibana",
        "regclient",
        "admin",
        "object-store",
        "kafka",
        "iam",
        "postgres",
        "pmp",
        "onboarder",
        "smtp",
    ] {
        zone.push_str(&format!("{name} 60 IN CNAME api-internal\n"));
    }
    zone
}

impl<'t> Site<'t> {
    /// Makes it from freshly reset machines: nothing is deployed.
    ///
    /// # Panics
    /// Something that the test itself needs cannot be made.
    pub fn fresh(testbed: &'t Testbed) -> Self {
        testbed.reset(&ALL);
        let nameserver = nameserver::start_at(IpAddr::V4(Ipv4Addr::new(10, 61, 0, 1)), &zone());
        let rancher = RancherStandIn::start("10.61.0.1", Wishes::default());
        let site = Self {
            testbed,
            nameserver,
            rancher,
        };
        site.bring_programs();
        site.bring_checkout();
        // The import URL is fetched by the deployment node itself.
        site.rancher.trusted_by(testbed, DEPLOYMENT);
        for (host, ports) in [
            (OBS, "30080"),
            ("vm4", "30080 31080 30900 --tcp 31432 --tcp 31616"),
            ("vm5", "30080 31080 30900 --tcp 31432 --tcp 31616"),
            ("vm6", "30080 31080 30900 --tcp 31432 --tcp 31616"),
        ] {
            site.bring_upstream(host, ports);
        }
        site
    }

    fn put(&self, host: &str, from: &Path, to: &str, mode: &str) {
        let script = format!(
            "sudo mkdir -p $(dirname {to}) && sudo tee {to}.new >/dev/null && sudo chmod {mode} {to}.new && sudo mv {to}.new {to}"
        );
        let file = fs::File::open(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let mut ssh = self.testbed.ssh("ubuntu", host);
        let done = ssh.arg(script).stdin(file).output().expect("ssh");
        assert!(done.status.success(), "{to} on {host}: {}", shown(&done));
    }

    /// The same without what only a debugger needs.
    fn put_program(&self, host: &str, from: &Path, to: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let stripped = folder.path().join("stripped");
        let done = Command::new("strip").arg("-o").arg(&stripped).arg(from).status();
        let which = if done.is_ok_and(|status| status.success()) {
            &stripped
        } else {
            from
        };
        self.put(host, which, to, "755");
    }

    fn bring_programs(&self) {
        let program = program_path("MOSIP_PROV_BIN", "mosip-prov", "mosip-prov-cli");
        self.put_program(DEPLOYMENT, &program, "/usr/local/bin/mosip-prov");
        let terraform = stdout(Command::new("sh").args(["-c", "command -v terraform"]));
        self.put(DEPLOYMENT, Path::new(terraform.trim()), "/mnt/tools/terraform", "755");
        for (name, version) in [("rke", "v1.3.10"), ("istioctl", "1.15.0")] {
            let tool = cluster::tool_on(self.testbed, DEPLOYMENT, name, version);
            self.testbed
                .root(DEPLOYMENT, &format!("ln -f {} /mnt/tools/{name}", tool.path));
        }
        let folder = tempfile::tempdir().expect("a folder");
        let helm = folder.path().join("helm");
        write(&helm, HELM_STAND_IN);
        self.put(DEPLOYMENT, &helm, "/mnt/tools/helm", "755");
        // A stand-in for OpenSSL as a site without internet brings it: built already.
        let built = folder.path().join("openssl/bin/openssl");
        write(&built, "#!/bin/sh\n# a stand-in\necho 'OpenSSL 1.1.1f  31 Mar 2020'\n");
        crate::set_mode(&built, 0o755);
        let packed = folder.path().join("openssl.tar.gz");
        stdout(
            Command::new("tar")
                .arg("-C")
                .arg(folder.path())
                .arg("-czf")
                .arg(&packed)
                .arg("openssl"),
        );
        self.put(DEPLOYMENT, &packed, "/mnt/tools/openssl.tar.gz", "644");
    }

    fn bring_checkout(&self) {
        let folder = tempfile::tempdir().expect("a folder");
        self.testbed.copy_inventory(folder.path());
        let inventory = folder.path().join("inventory");
        let text = |name: &str| fs::read_to_string(inventory.join(name)).expect(name);
        let key = self.testbed.key().display().to_string();
        let here = |text: String| text.replace(&key, "/home/ubuntu/.ssh/id_ed25519");
        // The deployment node is the machine that the program runs on.
        let fleet = here(text("deploy.ini")).replace("ansible_host=10.61.0.51", "ansible_connection=local");
        assert!(fleet.contains("ansible_connection=local"), "{fleet}");
        write(&inventory.join("rancher.ini"), fleet);
        write(&inventory.join("hosts.ini"), here(text("hosts.ini")));
        fs::remove_file(inventory.join("deploy.ini")).expect("removed");
        let vars = format!("{}\n{}", text("group_vars/all.yml"), self.variables());
        write(&inventory.join("group_vars/all.yml"), vars);
        fs::copy(self.rancher.ca_file(), inventory.join("rancher-ca.pem")).expect("copied");
        let terraform = folder.path().join("terraform");
        write(
            &terraform.join("obs_deployment/main.tf"),
            root(
                "rancher_hostname",
                "rancher-stand-in",
                &[OBS],
                Some(&self.rancher.password()),
            ),
        );
        write(
            &terraform.join("mosip_deployment/main.tf"),
            root("installation_domain", "mosip-stand-in", &["vm4", "vm5", "vm6"], None),
        );
        let packed = folder.path().join("site.tar");
        stdout(
            Command::new("tar")
                .arg("-C")
                .arg(folder.path())
                .arg("-cf")
                .arg(&packed)
                .args(["inventory", "terraform"]),
        );
        self.put(DEPLOYMENT, &packed, "/tmp/site.tar", "644");
        let script = format!(
            "mkdir -p {INFRA} && cd {INFRA} && tar -xf /tmp/site.tar && mv terraform {DEVOPS}/ && rm /tmp/site.tar && chown -R ubuntu: /home/ubuntu/mosip"
        );
        self.testbed.root(DEPLOYMENT, &script);
        let key = self.testbed.key();
        self.put(DEPLOYMENT, &key, "/home/ubuntu/.ssh/id_ed25519", "600");
        self.testbed
            .root(DEPLOYMENT, "chown ubuntu: /home/ubuntu/.ssh/id_ed25519");
    }

    fn variables(&self) -> String {
        format!(
            "# The address of the front as clients outside see it; here it has one address only\n\
             mosip_public_ip: {}\n\
             helm_source: host\nhelm_path: /mnt/tools/helm\nhelm_repositories: {{}}\n\
             terraform_source: host\nterraform_path: /mnt/tools/terraform\nterraform_version: '{}'\n\
             istioctl_source: host\nistioctl_path: /mnt/tools/istioctl\n\
             rke_source: host\nrke_path: /mnt/tools/rke\n\
             kubectl_source: package\n\
             openssl_path: /mnt/tools/openssl.tar.gz\nopenssl_prebuilt: true\n\
             rancher_url: {}\nrancher_ca_file: rancher-ca.pem\n\
             rancher_cluster_name: mosip-cluster\n{MACHINES}",
            address(NGINX),
            terraform_version(),
            self.rancher.url(),
        )
    }

    /// What listens where kube-proxy would, under its name, as the machines that look see it.
    fn bring_upstream(&self, host: &str, ports: &str) {
        let program = program_path("MOSIP_PROV_STAND_IN", "upstream-stand-in", "mosip-prov-tests");
        self.put_program(host, &program, "/opt/stand-in/kube-proxy");
        let unit = format!(
            "systemd-run -q --unit=upstream-stand-in /opt/stand-in/kube-proxy --stay --seconds 3600 --helm {HELM} {ports}"
        );
        self.testbed.root(host, &unit);
    }

    /// The words of `mosip-prov deploy` on the deployment node, as a shell takes them.
    pub fn deploy(&self, more: &str) -> String {
        format!(
            "cd {INFRA} && mosip-prov deploy --yes -i inventory/rancher.ini --nameserver {} --events /home/ubuntu/events.jsonl {more}",
            self.nameserver.address()
        )
    }

    /// Runs `script` as the operator on the deployment node.
    pub fn run(&self, script: &str) -> std::process::Output {
        output(self.testbed.ssh("ubuntu", DEPLOYMENT).arg(script).stdin(Stdio::null()))
    }
}

/// The version of the Terraform of this machine.
fn terraform_version() -> String {
    let said = stdout(Command::new("terraform").args(["version", "-json"]));
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    said["terraform_version"].as_str().expect("a version").to_owned()
}

/// What of the guide does not hold on a testbed: its machines are small, and share one kernel.
const MACHINES: &str = "check_min_vcpus: 1\ncheck_min_memory: 1\ncheck_min_disk: 1\n";

/// A stand-in for a Terraform root of the deployment: it has the real one's variables, talks to the cluster by the
/// kubeconfig it is given, and leaves on the machines that serve it what its charts would bring.
fn root(variable: &str, namespace: &str, hosts: &[&str], password: Option<&str>) -> String {
    let touch: Vec<String> = hosts
        .iter()
        .map(|host| {
            format!(
                "ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR ubuntu@{} sudo touch {HELM}",
                address(host)
            )
        })
        .collect();
    let output = match password {
        Some(password) => {
            format!("output \"rancher_bootstrap_password\" {{\n  value     = \"{password}\"\n  sensitive = true\n}}\n")
        }
        None => String::new(),
    };
    format!(
        r#"# A stand-in for the real root: no provider, no chart.
variable "{variable}" {{ type = string }}
variable "kubeconfig_path" {{ type = string }}

resource "terraform_data" "namespace" {{
  input = var.{variable}
  provisioner "local-exec" {{
    command = "kubectl --kubeconfig ${{var.kubeconfig_path}} create namespace {namespace} --dry-run=client -o yaml | kubectl --kubeconfig ${{var.kubeconfig_path}} apply -f -"
  }}
}}

resource "terraform_data" "chart" {{
  count      = 5
  input      = "chart ${{count.index}} for ${{var.{variable}}}"
  depends_on = [terraform_data.namespace]
}}

resource "terraform_data" "ingress" {{
  input      = var.{variable}
  depends_on = [terraform_data.chart]
  provisioner "local-exec" {{
    command = "{}"
  }}
}}

{output}"#,
        touch.join(" && ")
    )
}

/// A stand-in for helm: only its version and its list of repositories are asked for.
const HELM_STAND_IN: &str = r#"#!/bin/sh
# a stand-in
case "$*" in
"version --short") echo v3.9.4+gdbc6d8e ;;
*) echo "Error: no repositories to show" >&2; exit 1 ;;
esac
"#;

impl Drop for Site<'_> {
    fn drop(&mut self) {
        // The machines that failed a test are left to be looked at.
        if !std::thread::panicking() {
            self.testbed.reset(&ALL);
        }
    }
}
