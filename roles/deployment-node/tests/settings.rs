//! Variables in, settings or findings out.

mod common;

use common::{read_in, settings};
use mosip_prov_resources::download::{ArchiveKind, Origin};
use mosip_prov_resources::testing::variables::{Row, have_rows, hold};
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

// Each variable changed once from its default, and what differs then.

/// The lines of what is shown for debugging, without those that only close something.
fn fields(text: String) -> impl Iterator<Item = String> {
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.trim().trim_end_matches(',').to_owned())
        .collect();
    lines
        .into_iter()
        .filter(|line| !matches!(line.as_str(), ")" | "]" | "}"))
}

#[test]
fn each_variable_changes_what_is_its_own() {
    let made = |vars: &str| -> Vec<String> {
        let made = settings(vars);
        let whole =
            |name: &str, lines: String| -> Vec<String> { fields(lines).map(|line| format!("{name} {line}")).collect() };
        let mut lines: Vec<String> = made
            .tools
            .iter()
            .flat_map(|tool| whole(tool.known.name, format!("{tool:#?}")))
            .collect();
        let rest = Settings {
            tools: Vec::new(),
            ..made
        };
        lines.extend(whole("settings", format!("{rest:#?}")));
        lines
    };
    hold(made, "", ROWS);
    // Must name an archive that is there: see above.
    have_rows(role_deployment_node::DEFAULTS, &[ROWS], &["openssl_path"]);
}

const ROWS: &[Row] = &[
    ("tools_dir: /opt/bin", &["settings folder: \"/opt/bin\""]),
    ("tools_become: false", &["settings as_root: false"]),
    ("tools_replace: true", &["settings replace: true"]),
    (
        "tools_arch: arm64",
        &[
            "-helm \"linux-amd64/helm\"",
            "helm \"linux-arm64/helm\"",
            "helm origin: https://get.helm.sh/helm-v3.9.4-linux-arm64.tar.gz",
            "istioctl origin: https://github.com/istio/istio/releases/download/1.15.0/istioctl-1.15.0-linux-arm64.tar.gz",
            "kubectl origin: https://dl.k8s.io/release/v1.22.9/bin/linux/arm64/kubectl",
            "rke origin: https://github.com/rancher/rke/releases/download/v1.3.10/rke_linux-arm64",
            "terraform origin: https://releases.hashicorp.com/terraform/1.2.9/terraform_1.2.9_linux_arm64.zip",
        ],
    ),
    (
        "kubectl_source: present",
        &[
            "-kubectl Fetch {",
            "-kubectl member: None",
            "-kubectl origin: https://dl.k8s.io/release/v1.22.9/bin/linux/amd64/kubectl",
            "-kubectl sha256: None",
            "kubectl source: Present",
        ],
    ),
    (
        "kubectl_version: \"1.23.1\"",
        &[
            "kubectl origin: https://dl.k8s.io/release/v1.23.1/bin/linux/amd64/kubectl",
            "kubectl version: \"1.23.1\"",
        ],
    ),
    (
        "kubectl_min_version: \"0.9\"",
        &["-kubectl \"1.20\"", "kubectl \"0.9\""],
    ),
    (
        "kubectl_url: https://mirror.example.org/kubectl",
        &["kubectl origin: https://mirror.example.org/kubectl"],
    ),
    (
        "kubectl_path: /etc/hosts",
        &["kubectl origin: /etc/hosts of this machine"],
    ),
    (
        "kubectl_sha256: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        &[
            "kubectl \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            "kubectl sha256: Some(",
        ],
    ),
    (
        "kubectl_member: other/kubectl\nkubectl_source: url\nkubectl_url: https://mirror.example.org/kubectl.tar.gz",
        &[
            "kubectl \"other/kubectl\"",
            "kubectl (",
            "kubectl TarGz",
            "kubectl member: Some(",
            "kubectl origin: https://mirror.example.org/kubectl.tar.gz",
        ],
    ),
    (
        "kubectl_package: other-kubectl\nkubectl_source: package",
        &[
            "-kubectl Fetch {",
            "-kubectl member: None",
            "-kubectl origin: https://dl.k8s.io/release/v1.22.9/bin/linux/amd64/kubectl",
            "-kubectl sha256: None",
            "kubectl \"other-kubectl\"",
            "kubectl source: Package(",
        ],
    ),
    (
        "helm_source: present",
        &[
            "-helm \"linux-amd64/helm\"",
            "-helm (",
            "-helm Fetch {",
            "-helm TarGz",
            "-helm member: Some(",
            "-helm origin: https://get.helm.sh/helm-v3.9.4-linux-amd64.tar.gz",
            "-helm sha256: None",
            "helm source: Present",
        ],
    ),
    (
        "helm_version: \"3.10.0\"",
        &[
            "helm origin: https://get.helm.sh/helm-v3.10.0-linux-amd64.tar.gz",
            "helm version: \"3.10.0\"",
        ],
    ),
    ("helm_min_version: \"0.9\"", &["-helm \"3.0.1\"", "helm \"0.9\""]),
    (
        "helm_url: https://mirror.example.org/helm",
        &[
            "-helm \"linux-amd64/helm\"",
            "-helm (",
            "-helm TarGz",
            "helm member: None",
            "helm origin: https://mirror.example.org/helm",
        ],
    ),
    (
        "helm_path: /etc/hosts",
        &[
            "-helm \"linux-amd64/helm\"",
            "-helm (",
            "-helm TarGz",
            "helm member: None",
            "helm origin: /etc/hosts of this machine",
        ],
    ),
    (
        "helm_sha256: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        &[
            "helm \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            "helm sha256: Some(",
        ],
    ),
    (
        "helm_member: other/helm",
        &["-helm \"linux-amd64/helm\"", "helm \"other/helm\""],
    ),
    (
        "helm_package: other-helm\nhelm_source: package",
        &[
            "-helm \"linux-amd64/helm\"",
            "-helm (",
            "-helm Fetch {",
            "-helm TarGz",
            "-helm member: Some(",
            "-helm origin: https://get.helm.sh/helm-v3.9.4-linux-amd64.tar.gz",
            "-helm sha256: None",
            "helm \"other-helm\"",
            "helm source: Package(",
        ],
    ),
    (
        "terraform_source: present",
        &[
            "-terraform \"terraform\"",
            "-terraform (",
            "-terraform Fetch {",
            "-terraform Zip",
            "-terraform member: Some(",
            "-terraform origin: https://releases.hashicorp.com/terraform/1.2.9/terraform_1.2.9_linux_amd64.zip",
            "-terraform sha256: None",
            "terraform source: Present",
        ],
    ),
    (
        "terraform_version: \"1.3.0\"",
        &[
            "terraform origin: https://releases.hashicorp.com/terraform/1.3.0/terraform_1.3.0_linux_amd64.zip",
            "terraform version: \"1.3.0\"",
        ],
    ),
    (
        "terraform_min_version: \"0.9\"",
        &["-terraform \"1.0\"", "terraform \"0.9\""],
    ),
    (
        "terraform_url: https://mirror.example.org/terraform",
        &[
            "-terraform \"terraform\"",
            "-terraform (",
            "-terraform Zip",
            "terraform member: None",
            "terraform origin: https://mirror.example.org/terraform",
        ],
    ),
    (
        "terraform_path: /etc/hosts",
        &[
            "-terraform \"terraform\"",
            "-terraform (",
            "-terraform Zip",
            "terraform member: None",
            "terraform origin: /etc/hosts of this machine",
        ],
    ),
    (
        "terraform_sha256: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        &[
            "terraform \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            "terraform sha256: Some(",
        ],
    ),
    (
        "terraform_member: other/terraform",
        &["-terraform \"terraform\"", "terraform \"other/terraform\""],
    ),
    (
        "terraform_package: other-terraform\nterraform_source: package",
        &[
            "-terraform \"terraform\"",
            "-terraform (",
            "-terraform Fetch {",
            "-terraform Zip",
            "-terraform member: Some(",
            "-terraform origin: https://releases.hashicorp.com/terraform/1.2.9/terraform_1.2.9_linux_amd64.zip",
            "-terraform sha256: None",
            "terraform \"other-terraform\"",
            "terraform source: Package(",
        ],
    ),
    (
        "istioctl_source: present",
        &[
            "-istioctl \"istioctl\"",
            "-istioctl (",
            "-istioctl Fetch {",
            "-istioctl TarGz",
            "-istioctl member: Some(",
            "-istioctl origin: https://github.com/istio/istio/releases/download/1.15.0/istioctl-1.15.0-linux-amd64.tar.gz",
            "-istioctl sha256: None",
            "istioctl source: Present",
        ],
    ),
    (
        "istioctl_version: \"1.15.1\"",
        &[
            "-istioctl \"1.15.0\"",
            "istioctl \"1.15.1\"",
            "istioctl origin: https://github.com/istio/istio/releases/download/1.15.1/istioctl-1.15.1-linux-amd64.tar.gz",
            "istioctl version: \"1.15.1\"",
        ],
    ),
    (
        "istioctl_min_version: \"0.9\"",
        &["-istioctl \"1.15.0\"", "istioctl \"0.9\"", "istioctl wanted: AtLeast("],
    ),
    (
        "istioctl_url: https://mirror.example.org/istioctl",
        &[
            "-istioctl \"istioctl\"",
            "-istioctl (",
            "-istioctl TarGz",
            "istioctl member: None",
            "istioctl origin: https://mirror.example.org/istioctl",
        ],
    ),
    (
        "istioctl_path: /etc/hosts",
        &[
            "-istioctl \"istioctl\"",
            "-istioctl (",
            "-istioctl TarGz",
            "istioctl member: None",
            "istioctl origin: /etc/hosts of this machine",
        ],
    ),
    (
        "istioctl_sha256: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        &[
            "istioctl \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            "istioctl sha256: Some(",
        ],
    ),
    (
        "istioctl_member: other/istioctl",
        &["-istioctl \"istioctl\"", "istioctl \"other/istioctl\""],
    ),
    (
        "istioctl_package: other-istioctl\nistioctl_source: package",
        &[
            "-istioctl \"istioctl\"",
            "-istioctl (",
            "-istioctl Fetch {",
            "-istioctl TarGz",
            "-istioctl member: Some(",
            "-istioctl origin: https://github.com/istio/istio/releases/download/1.15.0/istioctl-1.15.0-linux-amd64.tar.gz",
            "-istioctl sha256: None",
            "istioctl \"other-istioctl\"",
            "istioctl source: Package(",
        ],
    ),
    (
        "rke_source: present",
        &[
            "-rke Fetch {",
            "-rke member: None",
            "-rke origin: https://github.com/rancher/rke/releases/download/v1.3.10/rke_linux-amd64",
            "-rke sha256: None",
            "rke source: Present",
        ],
    ),
    (
        "rke_version: \"v1.3.11\"",
        &[
            "-rke \"1.3.10\"",
            "rke \"1.3.11\"",
            "rke origin: https://github.com/rancher/rke/releases/download/v1.3.11/rke_linux-amd64",
            "rke version: \"1.3.11\"",
        ],
    ),
    (
        "rke_min_version: \"0.9\"",
        &["-rke \"1.3.10\"", "rke \"0.9\"", "rke wanted: AtLeast("],
    ),
    (
        "rke_url: https://mirror.example.org/rke",
        &["rke origin: https://mirror.example.org/rke"],
    ),
    ("rke_path: /etc/hosts", &["rke origin: /etc/hosts of this machine"]),
    (
        "rke_sha256: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        &[
            "rke \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            "rke sha256: Some(",
        ],
    ),
    (
        "rke_member: other/rke\nrke_source: url\nrke_url: https://mirror.example.org/rke.tar.gz",
        &[
            "rke \"other/rke\"",
            "rke (",
            "rke TarGz",
            "rke member: Some(",
            "rke origin: https://mirror.example.org/rke.tar.gz",
        ],
    ),
    (
        "rke_package: other-rke\nrke_source: package",
        &[
            "-rke Fetch {",
            "-rke member: None",
            "-rke origin: https://github.com/rancher/rke/releases/download/v1.3.10/rke_linux-amd64",
            "-rke sha256: None",
            "rke \"other-rke\"",
            "rke source: Package(",
        ],
    ),
    ("jq_source: present", &["-jq \"jq\"", "jq source: Present"]),
    ("jq_version: \"1.7\"", &["jq version: \"1.7\""]),
    ("jq_min_version: \"0.9\"", &["-jq \"1.5\"", "jq \"0.9\""]),
    (
        "jq_url: https://mirror.example.org/jq\njq_source: url",
        &[
            "-jq \"jq\"",
            "jq Fetch {",
            "jq member: None",
            "jq origin: https://mirror.example.org/jq",
            "jq sha256: None",
            "jq source: Fetch(",
        ],
    ),
    (
        "jq_path: /etc/hosts\njq_source: file",
        &[
            "-jq \"jq\"",
            "jq Fetch {",
            "jq member: None",
            "jq origin: /etc/hosts of this machine",
            "jq sha256: None",
            "jq source: Fetch(",
        ],
    ),
    (
        "jq_sha256: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\njq_source: url",
        &[
            "-jq \"jq\"",
            "jq \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            "jq Fetch {",
            "jq member: None",
            "jq origin: https://github.com/stedolan/jq/releases/download/jq-1.6/jq-linux64",
            "jq sha256: Some(",
            "jq source: Fetch(",
        ],
    ),
    (
        "jq_member: other/jq\njq_source: url\njq_url: https://mirror.example.org/jq.tar.gz",
        &[
            "-jq \"jq\"",
            "jq \"other/jq\"",
            "jq (",
            "jq Fetch {",
            "jq TarGz",
            "jq member: Some(",
            "jq origin: https://mirror.example.org/jq.tar.gz",
            "jq sha256: None",
            "jq source: Fetch(",
        ],
    ),
    ("jq_package: other-jq", &["-jq \"jq\"", "jq \"other-jq\""]),
    (
        "helm_repositories: {}",
        &[
            "-settings \"bitnami\"",
            "-settings \"https://charts.bitnami.com/bitnami\"",
            "-settings \"https://mosip.github.io/mosip-helm\"",
            "-settings \"mosip\"",
            "-settings (",
            "-settings (",
            "settings repositories: []",
        ],
    ),
    (
        "openssl_source: none",
        &[
            "-settings \"186c6bfe6ecfba7a5b48c47f8a1673d0f3b0e5ba2e25602dd23b629975da3f35\"",
            "-settings \"gcc\"",
            "-settings \"libc6-dev\"",
            "-settings \"make\"",
            "-settings \"perl\"",
            "-settings Openssl {",
            "-settings build_packages: [",
            "-settings kind: TarGz",
            "-settings origin: https://www.openssl.org/source/old/1.1.1/openssl-1.1.1f.tar.gz",
            "-settings prebuilt: false",
            "-settings prefix: \"/opt/mosip-prov/openssl-1.1.1f\"",
            "-settings sha256: Some(",
            "-settings version: \"1.1.1f\"",
            "settings openssl: None",
        ],
    ),
    (
        "openssl_version: 1.1.1w",
        &[
            "settings prefix: \"/opt/mosip-prov/openssl-1.1.1w\"",
            "settings version: \"1.1.1w\"",
        ],
    ),
    ("openssl_prefix: /opt/openssl", &["settings prefix: \"/opt/openssl\""]),
    (
        "openssl_url: https://mirror.example.org/openssl.tar.gz",
        &["settings origin: https://mirror.example.org/openssl.tar.gz"],
    ),
    (
        "openssl_sha256: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        &[
            "-settings \"186c6bfe6ecfba7a5b48c47f8a1673d0f3b0e5ba2e25602dd23b629975da3f35\"",
            "settings \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        ],
    ),
    ("openssl_prebuilt: true", &["settings prebuilt: true"]),
    (
        "openssl_build_packages: [gcc]",
        &["-settings \"libc6-dev\"", "-settings \"make\"", "-settings \"perl\""],
    ),
    ("apt_lock_timeout: 5", &["settings lock_timeout: 5s"]),
];
