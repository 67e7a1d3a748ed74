//! known_hosts files and their lines, as they stand after `ssh` and its users wrote in them.

use mosip_prov_transport::fuzzing::check;
use mosip_prov_transport::known_hosts::{HostName, KnownHosts, Verdict};
use std::path::Path;

const KEYS: [&str; 2] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=",
];

/// A line that cannot be read is skipped and spoils nothing; either kind of line end is the same; every line stands for itself;
/// what is revoked below is refused, whatever stands above.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let known = read(&[&text]);
    let lines = text.lines().count();
    assert!(known.skipped().iter().all(|(_, line)| (1..=lines).contains(line)));
    let verdicts = verdicts(&known);
    for name in names() {
        let found = known.lines_for(&name);
        assert!(found.is_sorted() && found.iter().all(|line| (1..=lines).contains(line)));
        assert!(
            found
                .iter()
                .all(|line| !known.skipped().iter().any(|(_, skipped)| skipped == line))
        );
        known.algorithms(&name);
        known.has_authority(&name);
    }
    assert_eq!(verdicts, self::verdicts(&read(&[&text])));
    assert_eq!(
        verdicts,
        self::verdicts(&read(&[&text.replace('\n', "\r\n")])),
        "other line ends"
    );
    let one_by_one: Vec<&str> = text.lines().collect();
    let kinds = |verdicts: &[String]| -> Vec<String> {
        let kind = |verdict: &String| verdict.split(' ').next().unwrap_or_default().to_owned();
        verdicts.iter().map(kind).collect()
    };
    if lines < 200 {
        assert_eq!(
            kinds(&verdicts),
            kinds(&self::verdicts(&read(&one_by_one))),
            "line by line"
        );
        let spoilt = format!(
            "{}\n@unknown * {}\nonly-a-name\n|1|x|y {}\n# end\n",
            text, KEYS[0], KEYS[0]
        );
        assert_eq!(verdicts, self::verdicts(&read(&[&spoilt])), "lines that cannot be read");
    }
    let revoked = format!("{text}\n@revoked * {}\n", KEYS[0]);
    let revoked = read(&[&revoked]);
    for name in names() {
        assert!(matches!(check(&revoked, &name, KEYS[0]), Verdict::Refused(_)));
    }
    // What is written for a host stands for it.
    let recorded = read(&["[192.0.2.1]:2222 ", KEYS[0]].concat().lines().collect::<Vec<_>>());
    assert!(matches!(
        check(&recorded, &HostName::new("192.0.2.1", 2222), KEYS[0]),
        Verdict::Known
    ));
}

fn read(texts: &[&str]) -> KnownHosts {
    let mut known = KnownHosts::default();
    for text in texts {
        known.add(Path::new("known_hosts"), text);
    }
    known
}

fn names() -> [HostName; 4] {
    [
        HostName::new("vm1.example.org", 22),
        HostName::new("192.0.2.1", 2222),
        HostName::new("[2001:db8::1]", 22),
        HostName::alias("Bastion"),
    ]
}

fn verdicts(known: &KnownHosts) -> Vec<String> {
    let mut verdicts = Vec::new();
    for name in names() {
        for key in KEYS {
            verdicts.push(match check(known, &name, key) {
                Verdict::Known => "known".to_owned(),
                Verdict::Unknown => "unknown".to_owned(),
                Verdict::Refused(error) => format!("refused {error}"),
            });
        }
    }
    verdicts
}
