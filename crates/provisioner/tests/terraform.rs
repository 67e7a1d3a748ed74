//! Roots found from an inventory, and their values compared with it.

use mosip_prov::terraform::{self, Located, Which};
use mosip_prov::{InputErrors, Provisioner, Settings};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const INVENTORY: &str = "\
[physical_vms]
vm1 ansible_host=10.0.0.11
[control_plane_nodes]
control-1 physical_vm=vm1 node_ip=172.16.0.11
[etcd_nodes]
etcd-1 physical_vm=vm1
[mosip_obs]
obs-node-1 ansible_host=10.0.0.21
[nginx_obs]
nginx-obs-node-1 ansible_host=10.0.0.22
";

/// A checkout as operators have it.
struct Checkout(TempDir);

impl Checkout {
    fn new() -> Self {
        let made = Self(tempfile::tempdir().expect("a folder"));
        made.write("ansible/infra/inventory/rancher.ini", INVENTORY);
        made.write(
            "ansible/infra/inventory/group_vars/all.yml",
            &format!(
                "mosip_domain: mosip.example.org\nnginx_obs_public_domain_names: rancher.mosip.example.org keycloak.mosip.example.org\n\
                 rancher_base_dir: {base}\nrancher_obs_base_dir: {base}/obs\n",
                base = made.path("rancher").display()
            ),
        );
        for (root, variable) in [
            ("obs_deployment", "rancher_hostname"),
            ("mosip_deployment", "installation_domain"),
        ] {
            let text = format!("variable \"{variable}\" {{}}\nvariable \"kubeconfig_path\" {{\n}}\n");
            made.write(&format!("terraform/{root}/variables.tf"), &text);
        }
        made.kubeconfig("rancher/obs/kube_config_cluster.yml", "10.0.0.21", "b2Jz");
        made.kubeconfig("rancher/mosip/kube_config_cluster.yml", "10.0.0.11", "bWFpbg==");
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("read")
    }

    fn kubeconfig(&self, name: &str, server: &str, authority: &str) {
        let text = format!(
            "clusters:\n- name: c\n  cluster:\n    server: https://{server}:6443\n    certificate-authority-data: {authority}\n\
             users:\n- name: u\n  user: {{token: hunter2}}\ncontexts:\n- name: x\n  context: {{cluster: c, user: u}}\ncurrent-context: x\n"
        );
        self.write(name, &text);
    }

    fn find(&self, which: &Which) -> Result<Located, InputErrors> {
        let settings = Settings {
            inventory: vec![self.path("ansible/infra/inventory/rancher.ini").display().to_string()],
            ..Settings::default()
        };
        terraform::find(&Provisioner::load(settings).expect("an inventory"), which)
    }

    fn wrong(&self, which: &Which) -> Vec<String> {
        let errors = self.find(which).and_then(|found| found.check()).expect_err("wrong");
        let base = format!("{}/", self.0.path().canonicalize().expect("a path").display());
        let shown = errors.diagnostics().iter().map(|d| {
            let place = d
                .location
                .as_ref()
                .map(|place| format!("{place}: "))
                .unwrap_or_default();
            format!("{place}{}", d.message)
                .replace(&base, "")
                .replace(&format!("{}/", self.0.path().display()), "")
        });
        let shown: Vec<String> = shown.collect();
        assert!(!shown.concat().contains("hunter2"));
        shown
    }
}

#[test]
fn roots_are_found_above_the_inventory_and_missing_values_written() {
    let checkout = Checkout::new();
    let template = "# fill in\nrancher_hostname = \"rancher.{MOSIP_DOMAIN}\" # ours\r\nlonghorn = true\n";
    checkout.write("terraform/obs_deployment/terraform.tfvars.tmp", template);
    let obs = checkout.find(&Which::Obs).expect("found");
    assert!(obs.root().folder().ends_with("terraform/obs_deployment"));
    assert!(obs.root().files().ends_with("inventory/.mosip-prov/terraform/obs"));
    assert!(obs.look().expect("right").begun_with.is_some());
    assert!(
        !checkout.path("terraform/obs_deployment/terraform.tfvars").exists(),
        "looking writes nothing"
    );
    obs.check().expect("right");
    let kubeconfig = checkout.path("rancher/obs/kube_config_cluster.yml");
    assert_eq!(
        checkout.read("terraform/obs_deployment/terraform.tfvars"),
        format!(
            "# fill in\nrancher_hostname = \"rancher.mosip.example.org\" # ours\r\nlonghorn = true\nkubeconfig_path = \"{}\"\r\n",
            kubeconfig.display()
        )
    );
    assert!(obs.check().expect("right").added.is_empty(), "nothing is left to write");

    let mosip = checkout.find(&Which::Mosip).expect("found").check().expect("right");
    assert_eq!(
        mosip.added[0],
        ("installation_domain".into(), "mosip.example.org".into())
    );
    assert!(mosip.added[1].1.ends_with("rancher/mosip/kube_config_cluster.yml"));
}

#[test]
fn what_disagrees_is_refused_all_at_once_and_nothing_written() {
    let checkout = Checkout::new();
    let text =
        "rancher_hostname = \"rancher.other.org\"\nkubeconfig_path = \"~/.kube/config\"\n\nname = \"<your-name>\"\n";
    checkout.write("terraform/obs_deployment/terraform.tfvars", text);
    assert_eq!(
        checkout.wrong(&Which::Obs),
        [
            "terraform/obs_deployment/terraform.tfvars:1:20: rancher_hostname is \"rancher.other.org\", and the observation front serves \
             rancher.mosip.example.org keycloak.mosip.example.org",
            "terraform/obs_deployment/terraform.tfvars:2:19: kubeconfig_path begins with ~, which terraform takes for the name of a folder",
            "terraform/obs_deployment/terraform.tfvars:4:8: name is not usable: <your-name>: it stands for a value to be filled in",
        ]
    );
    assert_eq!(checkout.read("terraform/obs_deployment/terraform.tfvars"), text);

    for (value, message) in [
        ("\"config\"", "kubeconfig_path is \"config\", which is no absolute path"),
        (
            "var.x",
            "kubeconfig_path is no plain string, so that it cannot be compared with the inventory",
        ),
        (
            "\"/{HOME}/config\"",
            "kubeconfig_path is not usable: {HOME}: it stands for a value to be filled in",
        ),
        (
            "\"/nowhere/config\"",
            "kubeconfig_path: there is no file /nowhere/config",
        ),
    ] {
        checkout.write(
            "terraform/mosip_deployment/terraform.tfvars",
            &format!("installation_domain = \"mosip.example.org\"\nkubeconfig_path = {value}\n"),
        );
        assert_eq!(
            checkout.wrong(&Which::Mosip),
            [format!("terraform/mosip_deployment/terraform.tfvars:2:19: {message}")]
        );
    }
}

#[test]
fn a_kubeconfig_must_be_of_that_very_cluster() {
    let checkout = Checkout::new();
    let own = checkout.path("own");
    let file = format!("kubeconfig_path = \"{}\"\n", own.display());
    checkout.write("terraform/mosip_deployment/terraform.tfvars", &file);
    let judged = |server: &str, authority: &str| {
        checkout.kubeconfig("own", server, authority);
        checkout
            .find(&Which::Mosip)
            .and_then(|found| found.look())
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    // By either of its addresses, and its own authority.
    judged("10.0.0.11", "bWFpbg==").expect("right");
    judged("172.16.0.11", "bWFpbg==").expect("right");
    let other = judged("10.0.0.21", "b2Jz").expect_err("the other cluster");
    assert!(
        other.contains("is of another cluster than the main cluster: its authority is not that of"),
        "{other}"
    );
    let moved = judged("10.0.0.99", "bWFpbg==").expect_err("another server");
    assert!(
        moved.contains("its server is 10.0.0.99, and the machines are 10.0.0.11, 172.16.0.11, vm1"),
        "{moved}"
    );
    // A cluster that was rebuilt at the same address has another authority.
    judged("10.0.0.11", "b2xk").expect_err("an old one");
    // Without the file that building wrote, the address decides.
    fs::remove_file(checkout.path("rancher/mosip/kube_config_cluster.yml")).expect("removed");
    judged("10.0.0.11", "b2xk").expect("right");
    judged("10.0.0.21", "b2xk").expect_err("the other cluster");
    checkout.write("own", "hunter2");
    assert!(checkout.wrong(&Which::Mosip)[0].contains("is no kubeconfig"));
    // Where no value is set, the file that would be written must be right as well.
    checkout.write("terraform/mosip_deployment/terraform.tfvars", "");
    assert!(checkout.wrong(&Which::Mosip)[0].contains("there is no file rancher/mosip/kube_config_cluster.yml"));
}

#[test]
fn what_wins_over_the_file_is_compared_too() {
    let checkout = Checkout::new();
    checkout.find(&Which::Mosip).expect("found").check().expect("right");
    checkout.write(
        "terraform/mosip_deployment/site.auto.tfvars",
        "installation_domain = \"other.org\"\n",
    );
    checkout.write(
        "terraform/mosip_deployment/terraform.tfvars.json",
        "{\"kubeconfig_path\": \"~/x\"}",
    );
    let wrong = checkout.wrong(&Which::Mosip);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(
        wrong[0].starts_with("terraform/mosip_deployment/site.auto.tfvars:1:23: installation_domain is \"other.org\"")
    );
    assert!(wrong[1].starts_with("terraform/mosip_deployment/terraform.tfvars.json: kubeconfig_path begins with ~"));
}

#[test]
fn the_inventory_itself_may_be_wrong_or_say_where_the_root_is() {
    let checkout = Checkout::new();
    let variables = "ansible/infra/inventory/group_vars/all.yml";
    let text = checkout.read(variables);
    checkout.write(
        variables,
        &text.replace("rancher.mosip.example.org keycloak", "keycloak"),
    );
    assert_eq!(
        checkout.wrong(&Which::Obs),
        [format!(
            "{variables}:2:32: rancher.mosip.example.org is not among the names that the observation front serves: \
             keycloak.mosip.example.org"
        )]
    );
    checkout.write(
        variables,
        &format!("{text}terraform_root: ../../../elsewhere\nterraform_binary: tofu\n"),
    );
    assert!(checkout.wrong(&Which::Obs)[0].contains("terraform_root is ../../../elsewhere, and there is no folder"));
    fs::rename(checkout.path("terraform"), checkout.path("elsewhere")).expect("moved");
    let found = checkout.find(&Which::Obs).expect("found");
    assert!(found.root().folder().ends_with("elsewhere/obs_deployment"));
    checkout.write(variables, &text);
    assert!(checkout.wrong(&Which::Obs)[0].contains("there is no terraform/obs_deployment in"));
}

#[test]
fn which_root_a_word_means() {
    assert_eq!(Which::of("obs").expect("a root"), Which::Obs);
    assert_eq!(Which::of("mosip").expect("a root"), Which::Mosip);
    assert_eq!(Which::of("./src").expect("a root"), Which::Folder("./src".into()));
    assert_eq!(Which::of("src").expect("a root"), Which::Folder("src".into()));
    assert!(Which::of("nowhere").is_err() && Which::of("./nowhere").is_err());
}
