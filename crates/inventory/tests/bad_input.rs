//! Mistakes in the inputs: each is found, said once, with its place, and all of them in one run.

use mosip_prov_inventory::diagnostic::{Diagnostics, Severity};
use mosip_prov_inventory::{LoadOptions, Loaded, VaultSecrets, find_placeholders, load};
use std::path::Path;
use tempfile::TempDir;

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
}

fn load_files(files: &[(&str, &str)], source: &str, vault: VaultSecrets) -> (TempDir, Loaded) {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), files);
    let sources = vec![folder.path().join(source).to_string_lossy().into_owned()];
    let loaded = load(&LoadOptions {
        sources,
        vault,
        ..LoadOptions::default()
    });
    (folder, loaded)
}

/// `severity file:line:column message`, the file without its folder.
fn lines(found: &Diagnostics) -> Vec<String> {
    found
        .iter()
        .map(|d| {
            let word = if d.severity == Severity::Error {
                "error"
            } else {
                "warning"
            };
            let place = d.location.as_ref().map_or_else(String::new, |place| {
                let name = place.file.file_name().unwrap_or_default().to_string_lossy();
                format!(" {name}:{}:{}", place.line, place.column)
            });
            format!("{word}{place} {}", d.message)
        })
        .collect()
}

fn check(files: &[(&str, &str)], source: &str, wanted: &[&str]) {
    let (_folder, loaded) = load_files(files, source, VaultSecrets::none());
    let got = lines(&loaded.diagnostics);
    let all = got.len() == wanted.len() && got.iter().zip(wanted).all(|(got, wanted)| got.starts_with(wanted));
    assert!(all, "wanted {wanted:#?}\ngot {got:#?}");
}

#[test]
fn every_mistake_of_an_ini_file_in_one_run() {
    let text = "\
[web
web1 port
web2 a='open
web3:
n[1:
[db:hosst]
skipped line that is not looked at
[bad header]
[site:children]
wbe
web two
[nothere:vars]
x=1
[web:vars]
no value
ok=1
[web]
w x=1
";
    check(
        &[("hosts.ini", text)],
        "hosts.ini",
        &[
            "error hosts.ini:1:1 the bracket of the section header is not closed",
            "error hosts.ini:2:6 expected `key=value` for a host variable, found `port`",
            "error hosts.ini:3:8 the host line cannot be split into words: the quote is not closed",
            "error hosts.ini:4:1 a host name cannot end with `:`",
            "error hosts.ini:5:1 the bracket in `n[1:` is not closed",
            "error hosts.ini:6:5 section [db:hosst] has the unknown type `hosst`",
            "error hosts.ini:8:1 `[bad header]` is not a section header",
            "error hosts.ini:11:1 expected the name of a group, found `web two`",
            "error hosts.ini:15:1 expected `key=value` for a group variable, found `no value`",
            "error hosts.ini:10:1 section [site:children] includes the undefined group `wbe`",
            "error hosts.ini:12:2 section [nothere:vars] is for the undefined group `nothere`",
        ],
    );
}

#[test]
fn the_nearest_group_is_suggested() {
    let files = [("hosts.ini", "[nginx]\nn1\n[site:children]\nngnix\n")];
    let (_folder, loaded) = load_files(&files, "hosts.ini", VaultSecrets::none());
    let help = loaded
        .diagnostics
        .iter()
        .next()
        .and_then(|d| d.help.clone())
        .expect("help");
    assert!(help.contains("did you mean `nginx`?"), "{help}");
}

#[test]
fn groups_in_a_circle() {
    let text = "[a:children]\nb\n[b:children]\na\n";
    check(
        &[("hosts.ini", text)],
        "hosts.ini",
        &["error hosts.ini:4:1 group `a` cannot be a child of `b`"],
    );
}

#[test]
fn names_of_groups_as_hosts() {
    check(
        &[("hosts.ini", "[web]\nall\n")],
        "hosts.ini",
        &["error hosts.ini:2:1 `all` is the group of all hosts"],
    );
    check(
        &[("hosts.ini", "[web]\nweb\n")],
        "hosts.ini",
        &["warning hosts.ini:2:1 `web` is the name of both"],
    );
}

#[test]
fn yaml_mistakes_have_their_place() {
    let ini = ("hosts.ini", "[web]\nw1\n");
    let cases: [(&str, &[&str]); 15] = [
        ("a: 1\n\tb: 2\n", &["error all.yml:2:1 a tab in the indentation"]),
        ("a:\n  - 1\n \t- 2\n", &["error all.yml:3:2 a tab in the indentation"]),
        ("a: |\n  x\n\ty\n", &["error all.yml:3:1 a tab in the indentation"]),
        ("a: 1\n: b\n", &["error all.yml:2:1 no key stands before the `:`"]),
        ("a: 1\nb: 2\na: 3\n", &["warning all.yml:3:1 the key `a` stands twice"]),
        ("a: {{ x }}\n", &["error all.yml:1:5 a list or mapping cannot be a key"]),
        ("a: 1\n---\nb: 2\n", &["error all.yml:2:1 a second YAML document"]),
        ("a: !foo x\n", &["error all.yml:1:4 the tag `!foo` is not known here"]),
        (
            "- a\n- b\n",
            &["error all.yml:1:1 a file of variables must hold a mapping, this one holds a list"],
        ),
        ("a: [1, 2\n", &["error all.yml:2:1 this is not YAML"]),
        (
            "a: [11 -]\n",
            &["error all.yml:1:8 a value without quotes cannot have a `-` just before"],
        ),
        ("a: 'x\n", &["error all.yml:1:4 this is not YAML"]),
        (
            "a: 2024-13-01 10:00:00\n",
            &["error all.yml:1:4 `2024-13-01 10:00:00` looks like a number or a date"],
        ),
        ("a: &x [*x]\n", &["error all.yml:1:8 the alias stands inside the value"]),
        (
            "a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n",
            &["error all.yml:1:4 the vault value cannot be opened"],
        ),
    ];
    for (text, wanted) in cases {
        let (_folder, loaded) = load_files(&[ini, ("group_vars/all.yml", text)], "hosts.ini", VaultSecrets::none());
        let got = lines(&loaded.diagnostics);
        let all = got.len() == wanted.len() && got.iter().zip(wanted).all(|(got, wanted)| got.starts_with(wanted));
        assert!(all, "{text:?}: wanted {wanted:?}, got {got:?}");
    }
}

#[test]
fn tabs_that_do_no_harm_are_left_alone() {
    let text = "a: |\n  x\n  \ty\nb: [1,\n\t2]\nc:\t3\n";
    check(
        &[("hosts.ini", "[web]\nw1\n"), ("group_vars/all.yml", text)],
        "hosts.ini",
        &[],
    );
}

#[test]
fn json_that_is_no_yaml() {
    let text = "{\n\t\"a\":\t\"x\\/y\",\n\t\"b\": \"\\ud83d\\ude00\",\n\t\"c\": [1e3, null]\n}\n";
    let files = [("hosts.ini", "w1\n"), ("group_vars/all.json", text)];
    let (_folder, loaded) = load_files(&files, "hosts.ini", VaultSecrets::none());
    assert_eq!(lines(&loaded.diagnostics), Vec::<String>::new());
    let vars = loaded.inventory.to_host_json("w1");
    assert_eq!(vars, serde_json::json!({ "a": "x/y", "b": "😀", "c": [1000.0, null] }));
}

#[test]
fn text_that_is_not_utf8() {
    let folder = tempfile::tempdir().expect("a folder");
    let load_bytes = |bytes: &[u8]| {
        let path = folder.path().join("hosts.ini");
        std::fs::write(&path, bytes).expect("written");
        let sources = vec![path.to_string_lossy().into_owned()];
        load(&LoadOptions {
            sources,
            ..LoadOptions::default()
        })
    };
    // Ansible, too, passes over what stands in comments.
    let loaded = load_bytes(b"# caf\xe9\nw1 x=1\n");
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    assert_eq!(loaded.inventory.to_host_json("w1")["x"], 1);
    let loaded = load_bytes(b"w1\nw2 x=caf\xe9\n");
    assert_eq!(
        lines(&loaded.diagnostics),
        ["error hosts.ini:2:0 the file is not UTF-8 text"]
    );
}

#[test]
fn a_duplicate_key_names_both_lines() {
    let files = [
        ("hosts.ini", "w1\n"),
        ("group_vars/all.yml", "a: 1\nb:\n  c: 1\n  c: 2\n"),
    ];
    let (_folder, loaded) = load_files(&files, "hosts.ini", VaultSecrets::none());
    let warning = loaded.diagnostics.iter().next().expect("a warning");
    assert_eq!(warning.location.as_ref().map(|l| l.line), Some(4));
    assert_eq!(warning.related.first().map(|(l, _)| l.line), Some(3));
    assert!(!loaded.diagnostics.has_errors());
}

#[test]
fn yaml_inventories() {
    check(&[("h.yml", "")], "h.yml", &["error h.yml:0:0 the inventory is empty"]);
    check(
        &[("h.yml", "- a\n")],
        "h.yml",
        &["error h.yml:1:1 a YAML inventory must be a mapping of groups, this is a list"],
    );
    check(
        &[("h.yml", "plugin: aws_ec2\n")],
        "h.yml",
        &["error h.yml:1:9 this configures a dynamic inventory plugin"],
    );
    check(
        &[("h.yml", "all:\n  hosts:\n    - h1\n")],
        "h.yml",
        &["error h.yml:3:5 `hosts` of group `all` must be a mapping"],
    );
    check(
        &[("h.yml", "all:\n  hosts:\n    12:\n")],
        "h.yml",
        &["error h.yml:3:5 the host name `12` is not a text"],
    );
    check(
        &[("h.yml", "web:\n  port: {a: 1}\n")],
        "h.yml",
        &["warning h.yml:2:3 `port` in group `web` is skipped"],
    );
}

#[test]
fn sources() {
    check(
        &[("hosts", "#!/bin/sh\necho\n")],
        "hosts",
        &["error hosts:0:0 this is a script"],
    );
    check(&[], "missing.ini", &["error missing.ini:0:0 there is no inventory"]);
    check(
        &[("inv/a.ini", "h1\n")],
        "inv",
        &[
            "warning inv:0:0 a.ini is passed over",
            "error inv:0:0 no inventory in the folder",
        ],
    );
    check(
        &[("hosts.toml", "x=1\n")],
        "hosts.toml",
        &["error hosts.toml:0:0 TOML inventories"],
    );
}

#[test]
fn half_filled_values() {
    let ini = "\
[physical_vms]
vm1 ansible_host=172.16.50.
vm2 ansible_host=300.1.1.1
vm3 ansible_host=10.0.0
vm4 ansible_host=<node1-private-ip> other=1
vm5 ansible_host=
vm6 ansible_host=192.0.2.6 node_ip=
<node7> ansible_host=192.0.2.7
172.16.50.
[physical_vms:vars]
mosip_domain={MOSIP_DOMAIN}
template={{ ok }}
shell=${HOME}
range=10.13.13.2-10.13.13.51
version=1.15.0
html=<b>bold</b><br>
yours=ask <your-admin>
";
    let yaml = "\
nested:
  names: [\"api.{MOSIP_DOMAIN}\", fine]
node_ip: 10.0
wireguard_network: 172.16.50./24
fine: 172.16.50.0/24
email: <someone@example.com>
";
    let files = [("hosts.ini", ini), ("group_vars/all.yml", yaml)];
    let (_folder, loaded) = load_files(&files, "hosts.ini", VaultSecrets::none());
    assert_eq!(lines(&loaded.diagnostics), Vec::<String>::new());
    let mut got = lines(&find_placeholders(&loaded.inventory));
    got.sort();
    let wanted = [
        "error all.yml:2:16 `names` is not usable: `{MOSIP_DOMAIN}`: it stands for a value to be filled in",
        "error all.yml:3:10 `node_ip` is not usable: `10.0`: an IPv4 address has four numbers, this has 2",
        "error all.yml:4:20 `wireguard_network` is not usable: `172.16.50.`: the address is cut off",
        "error hosts.ini:11:14 `mosip_domain` is not usable: `{MOSIP_DOMAIN}`: it stands for a value to be filled in",
        "error hosts.ini:17:11 `yours` is not usable: `<your-admin>`: it stands for a value to be filled in",
        "error hosts.ini:2:18 `ansible_host` is not usable: `172.16.50.`: the address is cut off",
        "error hosts.ini:3:18 `ansible_host` is not usable: `300.1.1.1`: `300` is more than 255, so this is no IPv4 address",
        "error hosts.ini:4:18 `ansible_host` is not usable: `10.0.0`: an IPv4 address has four numbers, this has 3",
        "error hosts.ini:5:18 `ansible_host` is not usable: `<node1-private-ip>`: it stands for a value to be filled in",
        "error hosts.ini:6:18 `ansible_host` is not filled in: it is empty",
        "error hosts.ini:7:36 `node_ip` is not filled in: it is empty",
        "error hosts.ini:8:1 the host name `<node7>` is not usable: `<node7>`: it stands for a value to be filled in",
        "error hosts.ini:9:1 the host name `172.16.50.` is not usable: `172.16.50.`: the address is cut off",
    ];
    assert_eq!(got, wanted);
}

#[test]
fn vault_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/vault");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("readable");
    let password = VaultSecrets::from_file(&folder.join("password")).expect("a password");
    let mut wrong = VaultSecrets::none();
    wrong.add("default", secrecy::SecretString::from("nope".to_owned()));
    for name in ["v11.yml", "v12.yml", "inline.yml"] {
        let vault = text(name);
        let files = [("hosts.ini", "w1\n"), ("group_vars/all.yml", vault.as_str())];
        let (_folder, loaded) = load_files(&files, "hosts.ini", password.clone());
        assert!(loaded.diagnostics.is_empty(), "{name}: {:?}", loaded.diagnostics);
        let layers = loaded.inventory.layers("w1");
        let secret = layers.iter().find_map(|layer| layer.get("db_password")).expect("there");
        assert_eq!(secret.value.as_str(), Some("s3cret ä"), "{name}");
        // Nothing that prints shows it, nor the numbers of an encrypted file.
        let printed = format!("{:?} {}", loaded.inventory, loaded.inventory.to_list_json());
        assert!(!printed.contains("s3cret"), "{name}");
        assert_eq!(loaded.inventory.to_host_json("w1")["db_password"], "***");
        if name != "inline.yml" {
            assert_eq!(loaded.inventory.to_host_json("w1")["port"], "***");
        }
        let place = if name == "inline.yml" { "2:14" } else { "0:0" };
        for (secrets, why) in [
            (wrong.clone(), "none of the vault passwords given fits"),
            (VaultSecrets::none(), "none was given"),
        ] {
            let (_folder, loaded) = load_files(&files, "hosts.ini", secrets);
            let got = lines(&loaded.diagnostics);
            assert_eq!(got.len(), 1, "{got:?}");
            assert!(
                got[0].starts_with(&format!("error all.yml:{place} ")) && got[0].contains(why),
                "{got:?}"
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn vault_password_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    write(
        folder.path(),
        &[
            ("empty", "\n"),
            ("program", "#!/bin/sh\necho swordfish\n"),
            ("fails", "#!/bin/sh\nexit 3\n"),
        ],
    );
    for name in ["program", "fails"] {
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o755)).expect("set");
    }
    let vault = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/vault/v11.yml"));
    let secrets = VaultSecrets::from_file(&at("program")).expect("the program prints it");
    assert!(
        secrets
            .decrypt(&vault.expect("readable"))
            .expect("opens")
            .contains("db_password")
    );
    assert!(!format!("{secrets:?}").contains("swordfish"));
    for (name, part) in [
        ("empty", "it is empty"),
        ("fails", "exit status: 3"),
        ("missing", "No such file"),
    ] {
        let error = VaultSecrets::from_file(&at(name)).expect_err("refused").to_string();
        assert!(error.contains(part) && error.contains(name), "{error}");
    }
}

#[test]
fn a_damaged_vault_says_so() {
    let secrets = {
        let mut secrets = VaultSecrets::none();
        secrets.add("default", secrecy::SecretString::from("x".to_owned()));
        secrets
    };
    for (text, part) in [
        ("$ANSIBLE_VAULT;1.1;AES256\nzz\n", "hexadecimal"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", "cut off"),
        ("$ANSIBLE_VAULT;2.0;AES256\n6162\n", "version 2.0"),
        ("$ANSIBLE_VAULT;1.1;ROT13\n6162\n", "cipher ROT13"),
        ("$ANSIBLE_VAULT\n", "header"),
    ] {
        let error = secrets.decrypt(text).expect_err("refused").to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_finding_in_yaml_shows_its_own_line_whatever_stands_above() {
    let text = "all:\n  vars:\n    a: \"one\u{2028}two\u{c}\"\n  hosts: [\n";
    let (_folder, loaded) = load_files(&[("hosts.yml", text)], "hosts.yml", VaultSecrets::none());
    let places = loaded.diagnostics.iter().filter_map(|found| found.location.clone());
    let lines: Vec<&str> = text.lines().collect();
    let mut some = false;
    for place in places.filter(|place| place.line > 0) {
        some = true;
        let line = lines.get(place.line as usize - 1).copied();
        assert_eq!(place.text.as_deref(), line, "{place}");
    }
    assert!(some, "{:?}", loaded.diagnostics);
}

#[test]
fn a_finding_at_the_end_of_a_file_points_into_it() {
    let text = "%.1\u{303}:la _vin.\0\n";
    let (_folder, loaded) = load_files(&[("hosts.yml", text)], "hosts.yml", VaultSecrets::none());
    let found = loaded.diagnostics.iter().next().expect("a finding");
    let place = found.location.as_ref().expect("a place");
    assert!(
        place.column as usize <= text.lines().next().unwrap_or_default().chars().count() + 1,
        "{place}"
    );
}

#[test]
fn very_many_findings_are_told_apart_in_no_time_to_speak_of() {
    let text: String = (0..100_000).map(|n| format!("host {}\n", n % 7)).collect();
    let (_folder, loaded) = load_files(&[("hosts.ini", &text)], "hosts.ini", VaultSecrets::none());
    assert_eq!(loaded.diagnostics.error_count(), 100_000);
}
