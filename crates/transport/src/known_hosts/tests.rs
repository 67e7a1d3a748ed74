//! Rules of sshd(8), one by one; certificates and the oracle are in `tests/known_hosts.rs`.

use super::*;

const KEY_A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const KEY_B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).expect("a key")
}

fn known(text: &str) -> KnownHosts {
    let mut known = KnownHosts::default();
    known.add(Path::new("kh"), text);
    known
}

fn verdict(text: &str, host: &str, port: u16, shown: &str) -> String {
    let name = HostName::new(host, port);
    let all = known(text).check(&name, &key(shown));
    // What is about other hosts makes no difference.
    let mut own = KnownHosts::default();
    own.add_lines(Path::new("kh"), text, Some(&name));
    assert_eq!(
        format!("{:?}", own.check(&name, &key(shown))),
        format!("{all:?}"),
        "{text}"
    );
    match all {
        Verdict::Known => "known".into(),
        Verdict::Unknown => "unknown".into(),
        Verdict::Refused(HostKeyError::Changed { line, .. }) => format!("changed {line}"),
        Verdict::Refused(HostKeyError::Revoked { line, .. }) => format!("revoked {line}"),
        Verdict::Refused(other) => format!("{other}"),
    }
}

#[test]
fn lines_and_their_meaning() {
    let cases: Vec<(String, &str, u16, &str, &str)> = vec![
        (format!("vm1 {KEY_A}"), "vm1", 22, KEY_A, "known"),
        (format!("vm1 {KEY_A}"), "VM1", 22, KEY_A, "known"),
        (format!("VM1 {KEY_A} a comment"), "vm1", 22, KEY_A, "known"),
        (format!("vm1 {KEY_A}"), "vm2", 22, KEY_A, "unknown"),
        (format!("vm1 {KEY_A}"), "vm1", 22, KEY_B, "changed 1"),
        (format!("\n# c\nvm1 {KEY_A}"), "vm1", 22, KEY_B, "changed 3"),
        // Two keys of one kind: either is right.
        (format!("vm1 {KEY_A}\nvm1 {KEY_B}"), "vm1", 22, KEY_B, "known"),
        // Another kind than on record, from a server that was asked for those on record.
        (format!("vm1 {KEY_A}"), "vm1", 22, ECDSA, "changed 1"),
        (format!("vm1 {KEY_A}\nvm1 {ECDSA}"), "vm1", 22, ECDSA, "known"),
        (format!("a,vm1,10.0.0.1 {KEY_A}"), "10.0.0.1", 22, KEY_A, "known"),
        (
            format!("*.example.org,!bad.example.org {KEY_A}"),
            "ok.example.org",
            22,
            KEY_A,
            "known",
        ),
        (
            format!("*.example.org,!bad.example.org {KEY_A}"),
            "bad.example.org",
            22,
            KEY_A,
            "unknown",
        ),
        (
            format!("!bad.example.org {KEY_A}"),
            "ok.example.org",
            22,
            KEY_A,
            "unknown",
        ),
        (format!("[vm1]:2222 {KEY_A}"), "vm1", 2222, KEY_A, "known"),
        (format!("[vm1]:2222 {KEY_A}"), "vm1", 22, KEY_A, "unknown"),
        (format!("vm1 {KEY_A}"), "vm1", 2222, KEY_A, "known"),
        (format!("vm1 {KEY_A}"), "vm1", 2222, KEY_B, "unknown"),
        (format!("[::1]:2222 {KEY_A}"), "::1", 2222, KEY_A, "known"),
        (format!("::1 {KEY_A}"), "::1", 22, KEY_A, "known"),
        (
            format!("vm1 {KEY_A}\n@revoked vm1 {KEY_A}"),
            "vm1",
            22,
            KEY_A,
            "revoked 2",
        ),
        (format!("@revoked * {KEY_A}"), "vm1", 2222, KEY_A, "revoked 1"),
        (format!("@revoked vm1 {KEY_A}\nvm1 {KEY_B}"), "vm1", 22, KEY_B, "known"),
        (format!("@cert-authority vm1 {KEY_A}"), "vm1", 22, KEY_A, "unknown"),
        (format!("@other vm1 {KEY_A}\nvm1 {KEY_A}"), "vm1", 22, KEY_A, "known"),
        // Garbage does not spoil the rest.
        (
            format!(
                "vm1\nvm1 ssh-ed25519\nvm1 ssh-ed25519 ####\n|1|bad|line {KEY_A}\n\u{fffd}\u{1}\nvm1 ecdsa-sha2-nistp256 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n  vm1\t{KEY_A}"
            ),
            "vm1",
            22,
            KEY_A,
            "known",
        ),
    ];
    for (text, host, port, shown, expected) in cases {
        assert_eq!(verdict(&text, host, port, shown), expected, "{host}:{port} in\n{text}");
    }
}

#[test]
fn a_changed_key_names_both_fingerprints_and_the_line() {
    let known = known(&format!("# one\nvm1 {KEY_A}\n"));
    let Verdict::Refused(error) = known.check(&HostName::new("vm1", 22), &key(KEY_B)) else {
        panic!("not refused");
    };
    let text = error.to_string();
    for part in [
        "kh line 2",
        &fingerprint(key(KEY_A).key_data()),
        &fingerprint(key(KEY_B).key_data()),
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn algorithms_on_record_come_back_for_negotiation() {
    let known = known(&format!("vm1 {ECDSA}\n[vm1]:2222 {KEY_A}\n@revoked vm1 {KEY_B}\n"));
    assert_eq!(known.algorithms(&HostName::new("vm1", 2222)), [Algorithm::Ed25519]);
    assert_eq!(known.algorithms(&HostName::new("vm1", 22)), [key(ECDSA).algorithm()]);
    assert_eq!(known.algorithms(&HostName::new("vm1", 2223)), [key(ECDSA).algorithm()]);
    assert!(known.algorithms(&HostName::new("vm2", 22)).is_empty());
}

#[test]
fn skipped_lines_are_named() {
    assert_eq!(
        known(&format!("x\nvm1 {KEY_A}\ny z\n")).skipped(),
        [(PathBuf::from("kh"), 1), (PathBuf::from("kh"), 3)]
    );
}

#[test]
fn only_what_is_about_a_host_is_kept_for_it() {
    let mut text: String = (0..500).map(|number| format!("vm{number} {KEY_A}\n")).collect();
    text.push_str(&format!(
        "[vm7]:2222 {KEY_B}\n@revoked * {ECDSA}\n@cert-authority *.example.org {KEY_B}\n"
    ));
    let mut known = KnownHosts::default();
    known.add_lines(Path::new("kh"), &text, Some(&HostName::new("vm7", 2222)));
    let lines: Vec<usize> = known.entries.iter().map(|entry| entry.line).collect();
    assert_eq!(lines, [8, 501, 502]);
}
