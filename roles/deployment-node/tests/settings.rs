//! Variables in, settings or findings out.

mod common;

use common::{read_in, settings};
use mosip_prov_resources::download::{ArchiveKind, Origin};
use role_deployment_node::{Fetch, Settings, Source, ToolSettings, Wanted};

fn tool<'a>(settings: &'a Settings, name: &str) -> &'a ToolSettings {
    settings
        .tools
        .iter()
        .find(|tool| tool.known.name == name)
        .expect("a tool")
}

fn fetch(tool: &ToolSettings) -> &Fetch {
    match &tool.source {
        Source::Fetch(fetch) => fetch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_are_those_of_the_guide() {
    let made = settings("");
    assert_eq!(
        (made.folder.as_str(), made.as_root, made.replace),
        ("/usr/local/bin", true, false)
    );
    let all: Vec<_> = made
        .tools
        .iter()
        .map(|tool| (tool.known.name, tool.version.as_str(), tool.wanted.clone()))
        .collect();
    let at_least = |version: &str| Wanted::AtLeast(version.into());
    let exactly = |version: &str| Wanted::Exactly(version.into());
    assert_eq!(
        all,
        [
            ("kubectl", "1.22.9", at_least("1.20")),
            ("helm", "3.9.4", at_least("3.0.1")),
            ("terraform", "1.2.9", at_least("1.0")),
            ("istioctl", "1.15.0", exactly("1.15.0")),
            ("rke", "1.3.10", exactly("1.3.10")),
            ("jq", "1.6", at_least("1.5")),
        ]
    );
    for (name, url, member) in [
        (
            "kubectl",
            "https://dl.k8s.io/release/v1.22.9/bin/linux/amd64/kubectl",
            None,
        ),
        (
            "helm",
            "https://get.helm.sh/helm-v3.9.4-linux-amd64.tar.gz",
            Some((ArchiveKind::TarGz, "linux-amd64/helm")),
        ),
        (
            "terraform",
            "https://releases.hashicorp.com/terraform/1.2.9/terraform_1.2.9_linux_amd64.zip",
            Some((ArchiveKind::Zip, "terraform")),
        ),
        (
            "istioctl",
            "https://github.com/istio/istio/releases/download/1.15.0/istioctl-1.15.0-linux-amd64.tar.gz",
            Some((ArchiveKind::TarGz, "istioctl")),
        ),
        (
            "rke",
            "https://github.com/rancher/rke/releases/download/v1.3.10/rke_linux-amd64",
            None,
        ),
    ] {
        let fetch = fetch(tool(&made, name));
        assert!(
            matches!(&fetch.origin, Origin::Url(found) if found == url),
            "{:?}",
            fetch.origin
        );
        assert_eq!(
            fetch.member,
            member.map(|(kind, name)| (kind, name.to_owned())),
            "{name}"
        );
        assert_eq!(fetch.sha256, None);
    }
    assert!(matches!(&tool(&made, "jq").source, Source::Package(package) if package == "jq"));
    assert_eq!(
        made.repositories,
        [
            ("bitnami".to_owned(), "https://charts.bitnami.com/bitnami".to_owned()),
            ("mosip".to_owned(), "https://mosip.github.io/mosip-helm".to_owned()),
        ]
    );
    let openssl = made.openssl.expect("OpenSSL");
    assert_eq!(
        (openssl.version.as_str(), openssl.prefix.as_str(), openssl.prebuilt),
        ("1.1.1f", "/opt/mosip-prov/openssl-1.1.1f", false)
    );
    assert!(openssl.sha256.is_some());
}

#[test]
fn one_variable_of_the_installation_moves_the_tool() {
    let made = settings("istio_version: 1.15.3\nrke_version: v1.4.1\ntools_arch: arm64\n");
    assert_eq!(tool(&made, "istioctl").wanted, Wanted::Exactly("1.15.3".into()));
    let origin = fetch(tool(&made, "rke")).origin.to_string();
    assert!(origin.ends_with("/v1.4.1/rke_linux-arm64"), "{origin}");
    let made = settings("helm_repositories: {}\nopenssl_source: none\n");
    assert!(made.repositories.is_empty() && made.openssl.is_none());
}

#[test]
fn a_site_without_internet_brings_files() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("tools")).expect("made");
    std::fs::write(dir.path().join("tools/rke"), "rke").expect("written");
    std::fs::write(dir.path().join("tools/helm.tar.gz"), "helm").expect("written");
    std::fs::write(dir.path().join("tools/openssl.tar.gz"), "openssl").expect("written");
    let sum = mosip_prov_resources::probe::file::digest(b"rke");
    let vars = format!(
        "rke_binary_path: tools/rke\nrke_sha256: {sum}\nhelm_path: tools/helm.tar.gz\nkubectl_source: present\n\
         terraform_source: host\nterraform_path: /mnt/usb/terraform.zip\nopenssl_path: tools/openssl.tar.gz\n"
    );
    let (made, problems) = read_in(dir.path(), &vars);
    assert_eq!(problems, "");
    let made = made.expect("settings");
    let rke = fetch(tool(&made, "rke"));
    assert!(matches!(&rke.origin, Origin::Local(file) if file.sha256() == sum));
    assert_eq!(rke.sha256.as_deref(), Some(sum.as_str()));
    assert!(matches!(
        &fetch(tool(&made, "helm")).member,
        Some((ArchiveKind::TarGz, _))
    ));
    assert!(matches!(tool(&made, "kubectl").source, Source::Present));
    assert!(
        matches!(&fetch(tool(&made, "terraform")).origin, Origin::OnTarget(path) if path == "/mnt/usb/terraform.zip")
    );
    // The default checksum is that of the default URL, not of this file.
    let openssl = made.openssl.expect("OpenSSL");
    assert!(matches!(openssl.origin, Origin::Local(_)) && openssl.sha256.is_none());
    let (_, problems) = read_in(
        dir.path(),
        &format!("rke_path: tools/rke\nrke_sha256: {}\n", "0".repeat(64)),
    );
    assert!(
        problems.contains(&sum) && problems.contains(&"0".repeat(64)),
        "{problems}"
    );
    assert!(problems.contains("all.yml:2"), "{problems}");
}

#[test]
fn every_mistake_is_told_with_its_place() {
    for (vars, part) in [
        ("tools_dir: ~/bin", "tools_dir is \"~/bin\", which is no absolute path"),
        ("tools_dir: /", "tools_dir"),
        ("kubectl_source: snap", "kubectl_source is \"snap\""),
        ("helm_source: package", "helm_package is empty"),
        (
            "helm_version: latest",
            "helm_version is \"latest\", which is no version",
        ),
        ("helm_min_version: new", "helm_min_version is \"new\""),
        ("kubectl_url: dl.k8s.io/kubectl", "kubectl_url is no whole URL"),
        ("kubectl_sha256: abc", "kubectl_sha256 is \"abc\", which is no SHA-256"),
        ("rke_source: file", "rke_path is empty, and rke_source is file"),
        ("rke_path: nowhere/rke", "nowhere/rke cannot be read"),
        ("rke_source: host", "rke_path is \"\""),
        (
            "rke_url: https://example.org/rke.tar.gz",
            "rke_member is empty, and rke comes in an archive",
        ),
        (
            "helm_repositories: {mosip: mosip.github.io}",
            "helm_repositories has mosip",
        ),
        (
            "openssl_prefix: /usr",
            "openssl_prefix is /usr, which belongs to the system",
        ),
        ("openssl_prefix: /usr/lib/ssl", "belongs to the system"),
        ("openssl_prefix: /opt", "belongs to the system"),
        (
            "openssl_url: https://example.org/openssl.deb",
            "openssl_url names no archive",
        ),
        ("openssl_sha256: ''", "openssl_sha256 is empty"),
        ("apt_lock_timeout: -1", "apt_lock_timeout is -1"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let (made, problems) = read_in(dir.path(), vars);
        assert!(made.is_none(), "{vars}");
        assert!(problems.contains(part), "{vars}: {problems}");
        assert!(
            problems.contains("all.yml:1") || vars.contains("source:"),
            "{vars}: {problems}"
        );
    }
    let dir = tempfile::tempdir().expect("a folder");
    let (_, problems) = read_in(
        dir.path(),
        "kubectl_source: snap\nhelm_version: x\nopenssl_prefix: /etc/ssl\n",
    );
    assert!(
        ["kubectl_source", "helm_version", "openssl_prefix"]
            .iter()
            .all(|name| problems.contains(name)),
        "{problems}"
    );
}
