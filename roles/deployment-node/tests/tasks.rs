//! What is done on a machine that is right, and on machines that differ in one point.

mod common;

use common::settings;
use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing};
use mosip_prov_resources::{Answers, Ask, Shown};
use role_deployment_node::{Installed, OPENSSL_PLACE, Settings, TOOLS, Tool, Tools, tasks};
use std::sync::Arc;

fn made(settings: &Settings) -> Vec<Arc<Tool>> {
    settings
        .tools
        .iter()
        .map(|one| Arc::new(Tool::new(one, settings)))
        .collect()
}

/// What the tools of the guide say, in the order of [`TOOLS`].
const SAY: [&str; 6] = [
    "clientVersion:\n  gitVersion: v1.26.3\n  goVersion: go1.19.7",
    "v3.11.2+g912ebc1",
    "Terraform v1.4.2\non linux_amd64\n\nYour version of Terraform is out of date! The latest version\nis 1.9.0.",
    "1.15.0",
    "rke version v1.3.10",
    "jq-1.6",
];

/// A machine whose tools say this; `None` for one that is not there.
fn machine(tools: &[Arc<Tool>], say: &[Option<&str>]) -> Answers {
    tools.iter().zip(say).fold(Answers::new(), |answers, (tool, said)| {
        let place = format!("/usr/local/bin/{}", tool.name());
        let ask = tool.ask();
        match said {
            Some(said) => answers.with(ask.question(), format!("0\n{place}\n{said}")),
            None => t::file_absent(answers.with(ask.question(), "1\n"), &place),
        }
    })
}

fn all() -> Vec<Option<&'static str>> {
    SAY.iter().copied().map(Some).collect()
}

#[test]
fn tasks_in_order() {
    let made = tasks(&settings(""));
    let names: Vec<&str> = made.tasks.iter().map(|task| task.name()).collect();
    assert_eq!(
        names,
        [
            "See which tools are there",
            "Refresh the package index",
            "Install what unpacks zip archives",
            "Install kubectl",
            "Install helm",
            "Install terraform",
            "Install istioctl",
            "Install rke",
            "Install jq",
            "Know the helm repository bitnami",
            "Know the helm repository mosip",
            "Make the folder of what stands beside the system",
            "Refresh the package index before building",
            "Install what building OpenSSL 1.1.1f needs",
            "Unpack the sources of OpenSSL 1.1.1f",
            "Build OpenSSL 1.1.1f beside the system's own",
            "See that OpenSSL 1.1.1f answers",
            "Make the folder of mosip-prov's own notes",
            "Say where OpenSSL is",
        ]
    );
    assert_eq!(OPENSSL_PLACE, "/etc/mosip-prov/openssl-folder");
    let offline = tasks(&settings(
        "kubectl_source: present\nhelm_source: present\nterraform_source: present\nistioctl_source: present\n\
         rke_source: present\njq_source: present\nhelm_repositories: {}\nopenssl_source: none\n",
    ));
    assert_eq!(offline.tasks.len(), 1 + TOOLS.len());
}

#[test]
fn right_tools_are_left_alone_wherever_they_are() {
    let settings = settings("");
    let tools = made(&settings);
    let answers = machine(&tools, &all());
    let reason = expect_nothing(&Tools(tools.clone()), &answers);
    assert!(reason.contains("/usr/local/bin/kubectl is version 1.26.3"), "{reason}");
    for tool in &tools {
        expect_nothing(&Installed(Arc::clone(tool)), &answers);
    }
    let snap = machine(&tools, &all()).with(tools[0].ask().question(), format!("0\n/snap/bin/kubectl\n{}", SAY[0]));
    assert_eq!(
        expect_nothing(&Installed(Arc::clone(&tools[0])), &snap),
        "/snap/bin/kubectl is version 1.26.3"
    );
}

#[test]
fn wrong_ones_are_named_all_at_once_with_what_to_do() {
    let settings = settings("");
    let tools = made(&settings);
    let mut say = all();
    say[0] = Some("clientVersion:\n  gitVersion: v1.19.16");
    say[1] = Some("v2.17.0");
    say[3] = Some("1.15.1");
    say[4] = None;
    let error = expect_error(&Tools(tools.clone()), &machine(&tools, &say));
    for part in [
        "/usr/local/bin/kubectl is version 1.19.16, and 1.20 or newer is needed",
        "/usr/local/bin/helm is version 2.17.0, and 3.0.1 or newer is needed",
        "/usr/local/bin/istioctl is version 1.15.1, and exactly 1.15.0 is needed",
        "there is no rke, and exactly 1.3.10 is needed; rke_sha256 is empty",
        "kubectl: remove /usr/local/bin/kubectl, or set tools_replace: true",
        "rke: give the SHA-256 that the project publishes for https://github.com/rancher/rke/releases/download/v1.3.10/rke_linux-amd64 as rke_sha256",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("terraform") && !error.contains("jq"), "{error}");
}

#[test]
fn a_missing_one_is_fetched_and_a_wrong_one_replaced_where_that_is_wanted() {
    let sum = "a".repeat(64);
    let settings = settings(&format!("istioctl_sha256: {sum}\ntools_replace: true\n"));
    let tools = made(&settings);
    let istioctl = Installed(Arc::clone(&tools[3]));
    let mut say = all();
    say[3] = None;
    let download = |answers: Answers| {
        // The download asks the file at its place, whatever the PATH says.
        let questions = mosip_prov_resources::Resource::questions(&istioctl);
        questions
            .into_iter()
            .filter(|question| question.subject().contains("set -- "))
            .fold(answers, |answers, question| answers.with(question, "1\n"))
    };
    let answers = download(machine(&tools, &say));
    let reason = expect_nothing(&Tools(tools.clone()), &answers);
    assert!(
        reason.contains("istioctl will come from https://github.com/istio/"),
        "{reason}"
    );
    let change = expect_change(&istioctl, &answers);
    let script = t::scripts(&change);
    assert!(
        script.contains(&sum) && script.contains("tar -xOf - -- istioctl"),
        "{script}"
    );
    assert_eq!(change.differences[0].after, Shown::text("version 1.15.0"));
    say[3] = Some("1.14.1");
    let wrong = t::file(
        machine(&tools, &say),
        "/usr/local/bin/istioctl",
        0o755,
        "root",
        "root",
        "old",
    );
    expect_change(&istioctl, &download(wrong));
    // One that comes first from elsewhere would still be found first.
    let snap = machine(&tools, &say).with(tools[3].ask().question(), "0\n/snap/bin/istioctl\n1.14.1");
    let error = expect_error(&istioctl, &download(snap));
    assert!(error.contains("remove /snap/bin/istioctl"), "{error}");
}

#[test]
fn a_tool_that_does_not_run_is_wrong() {
    let settings = settings("");
    let tools = made(&settings);
    let broken = machine(&tools, &all()).with(tools[4].ask().question(), "1\n/usr/local/bin/rke\nrke version v1.3.10");
    let error = expect_error(&Installed(Arc::clone(&tools[4])), &broken);
    assert!(
        error.contains("/usr/local/bin/rke does not tell its version"),
        "{error}"
    );
}
