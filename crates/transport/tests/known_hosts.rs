//! Our reading of known_hosts against `ssh-keygen -F`, name by name.

use std::path::Path;
use std::process::Command;

use mosip_prov_transport::known_hosts::{HostName, KnownHosts};

const KEYS: [&str; 3] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=",
];

/// Host fields, of which each gets a line with each key.
const FIELDS: &[&str] = &[
    "vm1",
    "VM2",
    "vm1,10.0.0.1",
    "[vm1]:2222",
    "[10.0.0.1]:2222,[vm3]:2200",
    "*.example.org",
    "*.example.org,!bad.example.org",
    "!bad.example.org,*.example.org,other",
    "!*",
    "10.0.0.?",
    "10.0.*",
    "[*.example.org]:2222",
    "[10.0.0.?]:*",
    "fe80::1",
    "[fe80::1]:2222",
    "::1,localhost",
    "*",
    "v?1",
    "vm1,,vm4",
];

const NAMES: &[&str] = &[
    "vm1",
    "vm2",
    "vm3",
    "vm4",
    "10.0.0.1",
    "10.0.0.12",
    "10.0.1.1",
    "a.example.org",
    "bad.example.org",
    "example.org",
    "other",
    "fe80::1",
    "::1",
    "localhost",
    "xm1",
    "vmm1",
];

/// Line numbers that ssh-keygen finds for a name as it stands in the file.
fn theirs(file: &Path, name: &str) -> Vec<usize> {
    let output = Command::new("ssh-keygen")
        .arg("-F")
        .arg(name)
        .arg("-f")
        .arg(file)
        .output()
        .expect("ssh-keygen runs");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("# Host "))
        .filter_map(|line| line.split("found: line ").nth(1))
        .map(|rest| rest.split(' ').next().expect("a number").parse().expect("a number"))
        .collect()
}

#[test]
#[ignore = "needs openssh"]
fn ssh_keygen_finds_the_same_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = folder.path().join("plain");
    let mut text = String::from("# a comment\n\n   \ngarbage\nvm1 ssh-ed25519 !!!\n@unknown vm1 ssh-ed25519 AAAA\n");
    for (index, field) in FIELDS.iter().enumerate() {
        let marker = ["", "@cert-authority ", "", "@revoked ", ""][index % 5];
        let indent = ["", "  ", "\t"][index % 3];
        for key in KEYS {
            text.push_str(&format!("{indent}{marker}{field} {key} comment\n"));
        }
    }
    std::fs::write(&plain, &text).expect("written");
    // The same names hashed by ssh-keygen itself; it leaves lines with wildcards and markers as they are.
    let hashed = folder.path().join("hashed");
    std::fs::write(
        &hashed,
        NAMES
            .iter()
            .map(|name| format!("{name} {}\n[{name}]:2222 {}\n", KEYS[0], KEYS[1]))
            .collect::<String>(),
    )
    .expect("written");
    let status = Command::new("ssh-keygen")
        .args(["-q", "-H", "-f"])
        .arg(&hashed)
        .output()
        .expect("ssh-keygen runs");
    assert!(status.status.success());
    let hashed_text = std::fs::read_to_string(&hashed).expect("there");
    assert!(hashed_text.starts_with("|1|"), "{hashed_text}");

    let mut compared = 0;
    for (file, text) in [(&plain, &text), (&hashed, &hashed_text)] {
        let mut known = KnownHosts::default();
        known.add(file, text);
        for name in NAMES {
            for port in [22, 2222, 2200] {
                let ours = HostName::new(name, port);
                // ssh-keygen -F looks at names only, and so also shows lines whose key nobody can read.
                let mut expected = theirs(file, ours.as_str());
                expected.retain(|line| !known.skipped().iter().any(|(_, skipped)| skipped == line));
                assert_eq!(
                    known.lines_for(&ours),
                    expected,
                    "{} in {}",
                    ours.as_str(),
                    file.display()
                );
                compared += 1;
            }
        }
    }
    assert!(compared >= 96);
}
