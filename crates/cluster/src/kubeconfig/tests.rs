//! Kubeconfigs in, merged ones out.

use super::*;
use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing};

const FROM: &str = "/b/kube_config_cluster.yml";
const INTO: &str = "~/.kube/config";

fn one(name: &str, server: &str, key: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority-data: CA{key}\n    server: \"https://{server}:6443\"\n  name: \"{name}\"\n\
         contexts:\n- context:\n    cluster: \"{name}\"\n    user: \"kube-admin-{name}\"\n  name: \"{name}\"\n\
         current-context: \"{name}\"\nusers:\n- name: \"kube-admin-{name}\"\n  user:\n    client-key-data: {key}\n"
    )
}

fn merged() -> MergedKubeconfig {
    MergedKubeconfig::new(FROM, "mosip").of_addresses(["10.0.0.11", "10.0.0.12"])
}

fn answers(from: Option<&str>, into: Option<(u32, &str)>) -> Answers {
    let answers = testing::kubeconfig(Answers::new(), FROM, from.map(|text| (0o600, text)));
    testing::kubeconfig(answers, INTO, into)
}

fn written(change: &Change) -> Value {
    let mosip_prov_resources::Step::Shell(shell) = &change.steps[0] else {
        panic!("no script")
    };
    assert!(shell.payload.is_sensitive());
    yaml::read(&String::from_utf8_lossy(shell.payload.bytes())).expect("YAML")
}

#[test]
fn into_nothing_it_goes_as_it_is_and_stays() {
    let ours = one("mosip", "10.0.0.11", "S0VZ");
    let change = expect_change(&merged(), &answers(Some(&ours), None));
    assert!(!format!("{change:?}").contains("S0VZ"));
    let made = yaml::document(&written(&change));
    expect_nothing(&merged(), &answers(Some(&ours), Some((0o600, &made))));
    let change = expect_change(&merged(), &answers(Some(&ours), Some((0o644, &made))));
    assert_eq!(t::scripts(&change), "chmod 600 -- \"$HOME\"/.kube/config");
}

#[test]
fn other_clusters_and_the_chosen_context_stay() {
    let ours = one("mosip", "10.0.0.11", "S0VZ");
    let other = one("work", "192.0.2.1", "T1RIRVI") + "preferences: {colors: true}\n";
    let made = written(&expect_change(&merged(), &answers(Some(&ours), Some((0o600, &other)))));
    let before = yaml::read(&other).expect("YAML");
    for section in ["clusters", "users", "contexts"] {
        assert_eq!(made[section][0], before[section][0]);
        assert_eq!(made[section].as_array().map(Vec::len), Some(2));
    }
    assert_eq!(
        (&made["current-context"], &made["preferences"]),
        (&json!("work"), &json!({"colors": true}))
    );
    assert_eq!(
        made["contexts"][1]["context"],
        json!({"cluster": "mosip", "user": "kube-admin-mosip"})
    );
}

#[test]
fn an_older_entry_of_the_same_cluster_is_replaced_and_a_namespace_kept() {
    let ours = one("mosip", "10.0.0.11", "NEW");
    for old in ["10.0.0.11", "10.0.0.12"] {
        let there = one("mosip", old, "OLD").replace("    user: \"kube", "    namespace: one\n    user: \"kube");
        let made = written(&expect_change(&merged(), &answers(Some(&ours), Some((0o600, &there)))));
        assert_eq!(made["users"].as_array().map(Vec::len), Some(1));
        assert_eq!(made["users"][0]["user"]["client-key-data"], "NEW");
        assert_eq!(made["contexts"][0]["context"]["namespace"], "one");
    }
}

#[test]
fn another_cluster_of_the_same_name_is_kept_under_another() {
    let ours = one("mosip", "10.0.0.11", "NEW");
    let there = one("mosip", "192.0.2.9", "OLD");
    let made = written(&expect_change(&merged(), &answers(Some(&ours), Some((0o600, &there)))));
    assert_eq!(made["clusters"][0]["name"], "mosip-other-1");
    assert_eq!(made["users"][0]["name"], "mosip-other-1");
    assert_eq!(
        made["contexts"][0],
        json!({"context": {"cluster": "mosip-other-1", "user": "mosip-other-1"}, "name": "mosip-other-1"})
    );
    assert_eq!(made["current-context"], "mosip-other-1");
    assert_eq!(made["clusters"][1]["name"], "mosip");
    let again = yaml::document(&made);
    expect_nothing(&merged(), &answers(Some(&ours), Some((0o600, &again))));
}

#[test]
fn a_broken_file_is_an_error_that_shows_nothing_of_it() {
    let ours = one("mosip", "10.0.0.11", "S0VZ");
    for broken in ["clusters: [s3cret\n  x: {", "clusters: s3cret\n", "- s3cret\n"] {
        let error = expect_error(&merged(), &answers(Some(&ours), Some((0o600, broken))));
        assert!(
            error.contains("not written over") && !error.contains("s3cret"),
            "{error}"
        );
    }
    assert!(expect_error(&merged(), &answers(None, None)).contains("build the cluster first"));
}

#[test]
fn files_are_read_by_every_shell() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("it's one");
    std::fs::write(&path, "a: ü\n").expect("written");
    let path = path.to_string_lossy();
    let subjects = [&*path, "/no/such/file", "/"];
    for shell in t::sh_available() {
        let split = KubeconfigProbe.split(&t::ask_with(shell, &KubeconfigProbe, &subjects), &subjects);
        let held: Vec<Held> = split
            .iter()
            .map(|raw| {
                AskKubeconfig(String::new())
                    .read(raw.as_ref().expect("answer"))
                    .expect("read")
            })
            .collect();
        assert!(
            matches!(&held[..], [Held::File { text, .. }, Held::Absent, Held::Unreadable] if text == "a: ü\n"),
            "{shell:?}"
        );
    }
}
