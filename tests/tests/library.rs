//! The library as another program uses it: an inventory, a role of its own, this machine as the host.

use std::process::Command;

use mosip_prov::resources::{File, Task};
use mosip_prov::{CancelHandle, PlaybookDefinition, Provisioner, RunOutcome, Settings};
use mosip_prov_tests::small_role::{SmallRole, assert_changed, run};
use mosip_prov_tests::{own, write};

fn settings(folder: &std::path::Path) -> Settings {
    write(
        &folder.join("hosts.ini"),
        "[here]\nhere ansible_connection=local greeting=hello\n",
    );
    Settings {
        inventory: vec![folder.join("hosts.ini").to_string_lossy().into_owned()],
        ..Settings::default()
    }
}

fn playbook(target: &std::path::Path) -> PlaybookDefinition {
    let folder = target.to_string_lossy().into_owned();
    let role = SmallRole::new(move |cx| {
        let greeting = cx.vars.string("greeting").ok().flatten().unwrap_or_default();
        vec![
            Task::new("Make the folder", own(File::directory(&folder)).mode(0o750)),
            Task::new(
                "Greet",
                own(File::content(format!("{folder}/greeting"), format!("{greeting}\n"))).mode(0o640),
            ),
        ]
    });
    let mut playbook = role.playbook("here");
    for play in &mut playbook.plays {
        // As whoever runs this.
        play.become_user = None;
    }
    playbook
}

#[test]
fn a_role_of_ones_own_runs_on_this_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("made");
    let report = run(settings(folder.path()), playbook(&target));
    assert_changed(&report, "here", 2);
    assert_eq!(report.outcome(), RunOutcome::Ok);
    assert_eq!(
        std::fs::read_to_string(target.join("greeting")).expect("written"),
        "hello\n"
    );
    let report = run(settings(folder.path()), playbook(&target));
    assert_changed(&report, "here", 0);
    assert!(
        report.hosts["here"].exchanges <= 2,
        "all that is to be known is asked at once"
    );
}

#[test]
fn check_mode_changes_nothing_and_events_come_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("made");
    let settings = Settings {
        check: true,
        ..settings(folder.path())
    };
    let ready = Provisioner::load(settings)
        .expect("good inputs")
        .prepare(&[playbook(&target)])
        .expect("good inputs");
    let mut kinds = Vec::new();
    let report = tokio::runtime::Runtime::new().expect("a runtime").block_on(ready.run(
        |event| {
            let json = serde_json::to_value(event).expect("JSON");
            kinds.push(json["type"].as_str().expect("a type").to_owned());
        },
        &CancelHandle::new(),
    ));
    assert!(report.has_changes());
    assert!(!target.exists(), "check mode made something");
    assert_eq!(kinds.first().map(String::as_str), Some("run_started"));
    assert_eq!(kinds.last().map(String::as_str), Some("run_finished"));
    assert_eq!(
        kinds.iter().filter(|kind| *kind == "task_finished").count(),
        2,
        "{kinds:?}"
    );
}

#[test]
fn a_cancelled_run_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("made");
    let ready = Provisioner::load(settings(folder.path()))
        .expect("good inputs")
        .prepare(&[playbook(&target)])
        .expect("good");
    let cancel = CancelHandle::new();
    cancel.cancel();
    let report = tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(ready.run(|_| {}, &cancel));
    assert_eq!(report.outcome(), RunOutcome::Interrupted);
    assert!(!target.exists());
}

#[test]
fn secrets_do_not_show_in_events_or_reports() {
    use mosip_prov::resources::Content;
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("secret").to_string_lossy().into_owned();
    let role = SmallRole::new(move |_| {
        let content = Content::sensitive(b"hunter2-hunter2\n".to_vec());
        vec![Task::new(
            "Keep a secret",
            own(File::content(&target, content)).mode(0o600),
        )]
    });
    let mut playbook = role.playbook("here");
    playbook.plays[0].become_user = None;
    let ready = Provisioner::load(settings(folder.path()))
        .expect("good inputs")
        .prepare(&[playbook])
        .expect("good");
    let mut lines = String::new();
    let report = tokio::runtime::Runtime::new().expect("a runtime").block_on(ready.run(
        |event| lines += &serde_json::to_string(event).expect("JSON"),
        &CancelHandle::new(),
    ));
    assert_changed(&report, "here", 1);
    assert!(
        !lines.contains("hunter2") && !format!("{report:?}").contains("hunter2"),
        "{lines}"
    );
    assert!(lines.contains("***"), "{lines}");
    // It did arrive.
    let seen = Command::new("cat")
        .arg(folder.path().join("secret"))
        .output()
        .expect("cat");
    assert_eq!(seen.stdout, b"hunter2-hunter2\n");
}
