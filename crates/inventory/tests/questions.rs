//! Questions to a loaded inventory, the examples for operators, and parsers that never panic.

use mosip_prov_inventory::{Inventory, LoadOptions, PatternError, VaultSecrets, find_placeholders, load};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../inventory-examples")
        .join(name)
}

fn load_example(name: &str) -> Inventory {
    let sources = vec![example(name).to_string_lossy().into_owned()];
    let loaded = load(&LoadOptions {
        sources,
        ..LoadOptions::default()
    });
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let unfilled = find_placeholders(&loaded.inventory);
    assert!(unfilled.is_empty(), "{unfilled:?}");
    loaded.inventory
}

fn names(hosts: &[std::sync::Arc<str>]) -> Vec<&str> {
    hosts.iter().map(|host| &**host).collect()
}

#[test]
fn the_guide_topology() {
    let inventory = load_example("guide/rancher.ini");
    let connected = inventory
        .select("deployment:physical_vms:mosip_obs:nginx:nginx_obs")
        .expect("known groups");
    assert_eq!(connected.len(), 10);
    assert_eq!(inventory.hosts_of("worker_nodes").len(), 6);
    assert_eq!(inventory.hosts_of("rancher_nodes").len(), 12);
    assert_eq!(
        inventory.groups_of("control-1"),
        ["control_plane_nodes", "rancher_nodes"]
    );
    let vars = inventory.to_host_json("nginx-node-1");
    assert_eq!(vars["mosip_domain"], "mosip.example.com");
    assert_eq!(vars["ansible_host"], "192.0.2.31");
    assert_eq!(inventory.base_dir().and_then(Path::file_name), Some("guide".as_ref()));
}

#[test]
fn the_small_topology() {
    let inventory = load_example("small/hosts.ini");
    let mut addresses: Vec<String> = inventory
        .select("physical_vms:mosip_obs:nginx:nginx_obs")
        .expect("known groups")
        .iter()
        .map(|host| inventory.to_host_json(host)["ansible_host"].to_string())
        .collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 3, "three machines");
}

#[test]
fn the_wireguard_inventory() {
    let inventory = load_example("wireguard/hosts.ini");
    let vars = inventory.to_host_json("wireguard-node");
    assert_eq!(vars["wireguard_endpoint"], "198.51.100.51");
    assert_eq!(vars["wireguard_peers"], 5);
    assert_eq!(vars["ansible_become"], "yes");
}

#[test]
fn unknown_names_are_told_with_the_nearest() {
    let inventory = load_example("guide/rancher.ini");
    let error = inventory.select("physical_vm:nginx").expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "`physical_vm` in the host pattern `physical_vm:nginx` is neither a group nor a host of the inventory, did you mean `physical_vms`?"
    );
    let error = inventory
        .select_limited("nginx", Some("vm1"))
        .expect_err("nothing left");
    assert!(matches!(error, PatternError::LimitMatchesNothing { .. }), "{error}");
    assert_eq!(
        names(&inventory.select_limited("physical_vms", Some("vm1,vm2")).expect("two")),
        ["vm1", "vm2"]
    );
}

#[test]
fn localhost_is_there_without_being_named() {
    let inventory = load_example("small/hosts.ini");
    let host = inventory.host("localhost").expect("implicit");
    assert!(host.implicit);
    assert_eq!(inventory.to_host_json("localhost")["ansible_connection"], "local");
    assert_eq!(
        inventory.to_host_json("localhost")["mosip_domain"],
        "mosip.example.com",
        "group_vars/all counts"
    );
    assert_eq!(names(&inventory.select("localhost").expect("implicit")), ["localhost"]);
    assert!(inventory.hosts().all(|host| &*host.name != "localhost"));
    assert!(
        names(&inventory.select("all").expect("all"))
            .iter()
            .all(|name| *name != "localhost")
    );
}

#[test]
fn layers_go_from_low_to_high() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (name, text) in [
        (
            "inv/hosts.ini",
            "[top:children]\nlow\n[low]\nh1 x=host\n[all:vars]\nx=all\n[top:vars]\nx=top\n[low:vars]\nx=low\n",
        ),
        ("inv/group_vars/all.yml", "x: gv all\n"),
        ("inv/group_vars/low.yml", "x: gv low\n"),
        ("inv/group_vars/top.yml", "x: gv top\n"),
        ("inv/host_vars/h1.yml", "x: hv\n"),
        ("play/group_vars/all.yml", "x: play all\n"),
        ("play/group_vars/top.yml", "x: play top\n"),
        ("play/host_vars/h1.yml", "x: play hv\n"),
    ] {
        std::fs::create_dir_all(at(name).parent().expect("a folder")).expect("made");
        std::fs::write(at(name), text).expect("written");
    }
    let loaded = load(&LoadOptions {
        sources: vec![at("inv/hosts.ini").to_string_lossy().into_owned()],
        extra_vars: vec!["x=extra".into()],
        vault: VaultSecrets::none(),
        vars_dirs: vec![at("play")],
    });
    let values: Vec<String> = loaded
        .inventory
        .layers("h1")
        .iter()
        .filter_map(|layer| layer.get("x").and_then(|var| var.value.as_str()).map(str::to_owned))
        .collect();
    assert_eq!(
        values,
        [
            "all", "top", "low", "gv all", "play all", "gv top", "gv low", "play top", "host", "hv", "play hv", "extra"
        ]
    );
}

#[test]
fn keys_of_lists_are_sorted_as_ansible_prints_them() {
    let text = load_example("small/hosts.ini").to_list_json().to_string();
    let at = |name: &str| text.find(&format!("\"{name}\"")).expect("there");
    assert!(at("_meta") < at("all") && at("all") < at("control_plane_nodes"));
}

fn ini_like() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just("[web]".to_owned()),
            Just("[web:vars]".to_owned()),
            Just("[a:children]".to_owned()),
            Just("h[1:3]:22 x='a b'".to_owned()),
            "[\\[\\]a-c0-3:=#;'\" \\\\{},.\\-]{0,24}",
            "\\PC{0,12}",
        ],
        0..12,
    )
    .prop_map(|lines| lines.join("\n"))
}

fn yaml_like() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\[\\]{}a-c0-2:\\-,&*!|>'\"#% \n\t?<~]{0,60}",
        "\\PC{0,40}",
        "[a-b:\n \\-]{0,40}"
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ini_never_panics(text in ini_like()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("hosts.ini");
        std::fs::write(&path, text).expect("written");
        let loaded = load(&LoadOptions { sources: vec![path.to_string_lossy().into_owned()], ..LoadOptions::default() });
        let _ = find_placeholders(&loaded.inventory);
        let _ = loaded.inventory.to_list_json();
        for found in loaded.diagnostics.iter() {
            let _ = found.to_string();
        }
    }

    #[test]
    fn yaml_never_panics(text in yaml_like()) {
        let _ = mosip_prov_inventory::yaml::parse_vars(&text, "test").map_err(|found| found.to_string());
    }

    #[test]
    fn literals_never_panic(text in "[\\[\\]{}()a-cx0-2:,'\"#+\\-._ \\\\rbuTrue]{0,30}") {
        let _ = mosip_prov_inventory::python_literal::literal_eval(&text);
    }

    #[test]
    fn patterns_never_panic(pattern in "[\\[\\]a-c0-3:,!&~*?@.\\-() ]{0,20}") {
        let loaded = load(&LoadOptions { sources: vec!["a1,b2,c3".into()], ..LoadOptions::default() });
        let _ = loaded.inventory.select(&pattern);
        let _ = loaded.inventory.select_limited("all", Some(&pattern));
    }

    #[test]
    fn options_never_panic(text in "[a-c={}\"'\\\\ %#@\\[\\]xu0-9ü]{0,24}") {
        let _ = mosip_prov_inventory::extra_vars::parse(&[text], &VaultSecrets::none());
    }
}

#[test]
fn what_was_found_out_counts_above_all() {
    let sources = vec!["a1,b2".to_owned()];
    let extra_vars = vec!["x=option".to_owned()];
    let loaded = load(&LoadOptions {
        sources,
        extra_vars,
        ..LoadOptions::default()
    });
    let secret = mosip_prov_inventory::value::Value::str("s3cret").into_secret();
    let with = loaded.inventory.clone().with_extra("x", secret);
    let value = |inventory: &Inventory| {
        let layers = inventory.layers("a1");
        let var = layers.iter().rev().find_map(|layer| layer.get("x")).expect("x");
        format!("{:?}", var.value)
    };
    assert_eq!(value(&loaded.inventory), "\"option\"");
    assert_eq!(value(&with), "***");
}
