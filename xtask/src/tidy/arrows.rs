//! Which crate may use which, and that the map of the crates shows them all.

use std::collections::BTreeSet;

use super::files::File;

/// The map, from the root of the repository.
pub const MAP: &str = "crates/README.md";

/// A crate of the workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder, from the root of the repository.
    pub path: String,
    /// What it uses.
    pub uses: Vec<Use>,
}

/// One dependency of a crate.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// Name of the crate that is used.
    pub name: String,
    /// Whether only tests use it.
    pub tests_only: bool,
}

/// Stands for every role in [`ALLOWED`].
const ROLES: &str = "role-*";
/// Stands for every crate.
const ANY: &str = "*";

/// What each crate of ours may use of ours, from the ground up.
const ALLOWED: &[(&str, &[&str])] = &[
    ("mosip-prov-inventory", &[]),
    ("mosip-prov-transport", &[]),
    ("mosip-prov-files", &[]),
    ("mosip-prov-events", &[]),
    (
        "mosip-prov-engine",
        &["mosip-prov-inventory", "mosip-prov-transport", "mosip-prov-events"],
    ),
    ("mosip-prov-resources", &["mosip-prov-engine"]),
    ("mosip-prov-front", &["mosip-prov-resources"]),
    ("mosip-prov-node", &["mosip-prov-resources", "mosip-prov-rke2"]),
    ("mosip-prov-rke2", &["mosip-prov-resources"]),
    ("mosip-prov-wireguard", &["mosip-prov-resources"]),
    (
        ROLES,
        &[
            "mosip-prov-resources",
            "mosip-prov-front",
            "mosip-prov-node",
            "mosip-prov-rke2",
            "mosip-prov-wireguard",
            "mosip-prov-cluster",
            "mosip-prov-preflight",
        ],
    ),
    (
        "mosip-prov-cluster",
        &["mosip-prov-resources", "mosip-prov-inventory", "mosip-prov-events"],
    ),
    ("mosip-prov-rancher", &["mosip-prov-inventory", "mosip-prov-events"]),
    ("mosip-prov-terraform", &["mosip-prov-inventory", "mosip-prov-events"]),
    (
        "mosip-prov-preflight",
        &[
            "mosip-prov-resources",
            "mosip-prov-inventory",
            "mosip-prov-transport",
            "mosip-prov-events",
        ],
    ),
    (
        "mosip-prov-certificates",
        &["mosip-prov-inventory", "mosip-prov-files", "mosip-prov-preflight"],
    ),
    (
        "mosip-prov-init",
        &[
            "mosip-prov-inventory",
            "mosip-prov-files",
            "mosip-prov-preflight",
            "mosip-prov-terraform",
        ],
    ),
    ("mosip-prov-report", &["mosip-prov-events"]),
    (
        "mosip-prov-playbooks",
        &[
            ROLES,
            "mosip-prov-front",
            "mosip-prov-rke2",
            "mosip-prov-wireguard",
            "mosip-prov-engine",
            "mosip-prov-resources",
            "mosip-prov-preflight",
            "mosip-prov-cluster",
            "mosip-prov-terraform",
            "mosip-prov-inventory",
        ],
    ),
    (
        "mosip-prov",
        &[
            "mosip-prov-playbooks",
            ROLES,
            "mosip-prov-front",
            "mosip-prov-wireguard",
            "mosip-prov-rke2",
            "mosip-prov-resources",
            "mosip-prov-cluster",
            "mosip-prov-terraform",
            "mosip-prov-rancher",
            "mosip-prov-certificates",
            "mosip-prov-init",
            "mosip-prov-files",
            "mosip-prov-preflight",
            "mosip-prov-engine",
            "mosip-prov-inventory",
            "mosip-prov-transport",
            "mosip-prov-events",
        ],
    ),
    ("mosip-prov-cli", &["mosip-prov", "mosip-prov-report"]),
    ("xtask", &[]),
    ("mosip-prov-tests", &[ANY]),
    ("mosip-prov-fuzz", &[ANY]),
];

/// Crates of others that only some of ours may use. A name stands for itself and for what begins with it and a dash
/// or underscore.
const KEPT_TO: &[(&str, &[&str])] = &[
    ("russh", &["mosip-prov-transport", "mosip-prov-tests"]),
    ("clap", &["mosip-prov-cli", "xtask", "mosip-prov-tests"]),
];

/// Reads the packages of `cargo metadata` whose checkout is at `root`.
pub fn packages(metadata: &serde_json::Value, root: &str) -> Vec<Package> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|package| Package {
            name: text(&package["name"]),
            path: text(&package["manifest_path"])
                .trim_start_matches(root)
                .trim_start_matches('/')
                .trim_end_matches("/Cargo.toml")
                .to_owned(),
            uses: package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|used| Use {
                    name: text(&used["name"]),
                    tests_only: used["kind"] == "dev",
                })
                .collect(),
        })
        .collect()
}

/// The name under which a package stands in [`ALLOWED`].
fn rank(package: &Package) -> &str {
    if package.path.starts_with("roles/") {
        ROLES
    } else {
        &package.name
    }
}

fn allowed(rank: &str) -> Option<&'static [&'static str]> {
    ALLOWED.iter().find(|(name, _)| *name == rank).map(|(_, down)| *down)
}

/// All that lies below a rank, not only what is next to it.
fn below(rank: &str) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&'static str> = allowed(rank).unwrap_or_default().to_vec();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(allowed(next).unwrap_or_default());
        }
    }
    found
}

/// Every dependency must go along an allowed arrow; those of tests may reach further down, never up or sideways.
pub fn check_arrows(packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for package in packages {
        let Some(next) = allowed(rank(package)) else {
            findings.push(format!(
                "{}: the crate {} has no row in the table of allowed arrows (xtask/src/tidy/arrows.rs)",
                package.path, package.name
            ));
            continue;
        };
        let further = below(rank(package));
        for used in &package.uses {
            if let Some((kept, to)) = KEPT_TO.iter().find(|(kept, _)| is_of(&used.name, kept))
                && !to.contains(&package.name.as_str())
            {
                findings.push(format!(
                    "{}: uses {}; {kept} is kept to {}",
                    package.path,
                    used.name,
                    to.join(", ")
                ));
            }
            let Some(ours) = packages.iter().find(|other| other.name == used.name) else {
                continue;
            };
            let down = next.contains(&ANY)
                || next.contains(&rank(ours))
                || used.tests_only && (further.contains(rank(ours)) || ours.name == package.name);
            if !down {
                findings.push(format!(
                    "{}: {} must not use {}{}; it may use: {}",
                    package.path,
                    package.name,
                    used.name,
                    if used.tests_only { " in tests" } else { "" },
                    if next.is_empty() {
                        "none of ours".to_owned()
                    } else {
                        next.join(", ")
                    }
                ));
            }
        }
    }
    findings
}

fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

/// Every crate takes the workspace's lints, which forbid unsafe code among others.
pub fn check_lints(packages: &[Package], files: &[File]) -> Vec<String> {
    packages
        .iter()
        .filter(|package| {
            let manifest = format!("{}/Cargo.toml", package.path);
            !files.iter().any(|file| {
                file.path == manifest
                    && file.text.as_ref().is_some_and(|text| {
                        text.split("[lints]")
                            .nth(1)
                            .is_some_and(|rest| rest.trim_start().starts_with("workspace = true"))
                    })
            })
        })
        .map(|package| format!("{}/Cargo.toml: lacks `[lints]` with `workspace = true`", package.path))
        .collect()
}

/// The map names each crate by its path in backticks, and nothing that `exists` does not confirm.
pub fn check_map(packages: &[Package], map: Option<&str>, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let Some(map) = map else {
        return vec![format!("{MAP}: the map of the crates is missing")];
    };
    let named: BTreeSet<&str> = map
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|word| word.trim_end_matches('/'))
        .collect();
    let mut findings: Vec<String> = packages
        .iter()
        .filter(|package| !named.contains(package.path.as_str()))
        .map(|package| format!("{MAP}: does not name `{}`", package.path))
        .collect();
    findings.extend(
        named
            .iter()
            .filter(|word| {
                ["crates/", "roles/", "xtask/", "tests/"]
                    .iter()
                    .any(|start| word.starts_with(start))
            })
            .filter(|word| !word.contains(['*', '<', '{', ' ']))
            .filter(|word| !exists(word))
            .map(|word| format!("{MAP}: names `{word}`, which is not there")),
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, path: &str, uses: &[&str]) -> Package {
        let uses = uses
            .iter()
            .map(|name| Use {
                name: name.trim_end_matches('?').to_owned(),
                tests_only: name.ends_with('?'),
            })
            .collect();
        Package {
            name: name.into(),
            path: path.into(),
            uses,
        }
    }

    fn house() -> Vec<Package> {
        vec![
            package("mosip-prov-events", "crates/events", &["serde"]),
            package("mosip-prov-inventory", "crates/inventory", &[]),
            package("mosip-prov-transport", "crates/transport", &["russh", "russh-sftp"]),
            package(
                "mosip-prov-engine",
                "crates/engine",
                &["mosip-prov-events", "mosip-prov-transport"],
            ),
            package("mosip-prov-resources", "crates/resources", &["mosip-prov-engine"]),
            package(
                "role-nginx",
                "roles/nginx",
                &["mosip-prov-resources", "mosip-prov-transport?"],
            ),
            package("mosip-prov-report", "crates/report", &["mosip-prov-events"]),
            package(
                "mosip-prov-cli",
                "crates/cli",
                &["clap", "clap_complete", "mosip-prov-report"],
            ),
            package("mosip-prov-tests", "tests", &["mosip-prov-report", "role-nginx"]),
        ]
    }

    fn with(name: &str, path: &str, uses: &[&str]) -> Vec<String> {
        let mut packages = house();
        packages.retain(|other| other.name != name);
        packages.push(package(name, path, uses));
        check_arrows(&packages)
    }

    #[test]
    fn the_house_as_designed_has_no_finding() {
        assert_eq!(check_arrows(&house()), Vec::<String>::new());
    }

    #[test]
    fn arrows_up_and_sideways_are_found() {
        for (name, path, uses, found) in [
            (
                "mosip-prov-events",
                "crates/events",
                "mosip-prov-engine",
                "must not use mosip-prov-engine",
            ),
            (
                "mosip-prov-engine",
                "crates/engine",
                "role-nginx",
                "must not use role-nginx",
            ),
            ("mosip-prov-engine", "crates/engine", "mosip-prov-report?", "in tests"),
            ("role-other", "roles/other", "role-nginx", "must not use role-nginx"),
            ("role-other", "roles/other", "role-nginx?", "in tests"),
            (
                "role-other",
                "roles/other",
                "mosip-prov-engine",
                "it may use: mosip-prov-resources",
            ),
            ("mosip-prov", "crates/provisioner", "mosip-prov-report", "must not use"),
            (
                "mosip-prov-engine",
                "crates/engine",
                "russh",
                "kept to mosip-prov-transport",
            ),
            (
                "mosip-prov-engine",
                "crates/engine",
                "clap_complete?",
                "kept to mosip-prov-cli",
            ),
            ("mosip-prov-new", "crates/new", "serde", "no row in the table"),
        ] {
            let findings = with(name, path, &[uses]);
            assert_eq!(findings.len(), 1, "{name} {uses}: {findings:?}");
            assert!(findings[0].contains(found), "{findings:?}");
            assert!(findings[0].starts_with(path), "{findings:?}");
        }
    }

    #[test]
    fn the_map_must_show_what_is_there_and_only_that() {
        let packages = vec![package("a", "crates/a", &[]), package("xtask", "xtask", &[])];
        let exists = |path: &str| ["crates/a", "xtask", "crates/a/src/lib.rs"].contains(&path);
        let good = "| `crates/a/` | x |\n`xtask` and `roles/*`, see `crates/a/src/lib.rs`, `other`";
        assert_eq!(check_map(&packages, Some(good), exists), Vec::<String>::new());
        let bad = "`crates/a` and `crates/gone`";
        assert_eq!(
            check_map(&packages, Some(bad), exists),
            [
                "crates/README.md: does not name `xtask`",
                "crates/README.md: names `crates/gone`, which is not there"
            ]
        );
        assert_eq!(check_map(&packages, None, exists).len(), 1);
    }

    #[test]
    fn every_crate_takes_the_lints_of_the_workspace() {
        let packages = vec![package("a", "crates/a", &[]), package("b", "crates/b", &[])];
        let file = |path: &str, text: &str| File {
            path: path.into(),
            text: Some(text.into()),
        };
        let files = [
            file("crates/a/Cargo.toml", "[package]\n[lints]\nworkspace = true\n"),
            file("crates/b/Cargo.toml", "[package]\nedition.workspace = true\n"),
        ];
        let findings = check_lints(&packages, &files);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("crates/b/"), "{findings:?}");
    }

    #[test]
    fn metadata_is_read() {
        let json = serde_json::json!({"packages": [{
            "name": "a", "manifest_path": "/src/crates/a/Cargo.toml",
            "dependencies": [{"name": "serde", "kind": null}, {"name": "insta", "kind": "dev"}]
        }]});
        assert_eq!(
            packages(&json, "/src"),
            [package("a", "crates/a", &["serde", "insta?"])]
        );
    }
}
