//! The real terraform, with roots of its built-in resource `terraform_data`. `cargo xtask test` runs these where terraform is
//! on the PATH.

use mosip_prov_terraform::{
    Action, Details, Interrupt, Output, Phase, Plan, PlanOptions, Root, Shown, TerraformError, TerraformEvent,
};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A root of `count` resources, a secret among its outputs, and whatever `more` says.
fn make(count: usize, more: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    write(
        &dir,
        "main.tf",
        &format!(
            r#"
variable "rev" {{ default = "1" }}
variable "password" {{
  default   = "hunter2-of-mosip"
  sensitive = true
}}
resource "terraform_data" "item" {{
  count = {count}
  input = "value-${{count.index}}-${{var.rev}}"
}}
resource "terraform_data" "secret" {{
  input = var.password
}}
output "items" {{ value = length(terraform_data.item) }}
output "password" {{
  value     = var.password
  sensitive = true
}}
{more}"#
        ),
    );
    dir
}

fn write(dir: &TempDir, name: &str, text: &str) {
    fs::write(dir.path().join(name), text).expect("written");
}

fn change(dir: &TempDir, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(dir.path().join(name)).expect("read");
    assert!(text.contains(from), "{name} has no {from}");
    write(dir, name, &text.replace(from, to));
}

/// A program that is a shell script.
fn script(dir: &TempDir, text: &str) -> std::path::PathBuf {
    let path = dir.path().join("fake-terraform");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
    path
}

/// Who watches a run.
#[derive(Default)]
struct Seen(Vec<TerraformEvent>);

impl Seen {
    fn count(&self, which: impl Fn(&TerraformEvent) -> bool) -> usize {
        self.0.iter().filter(|event| which(event)).count()
    }
}

async fn plan(root: &Root, options: PlanOptions) -> Result<Plan, TerraformError> {
    root.plan(&options, &mut |_| {}, &Interrupt::new()).await
}

async fn apply(root: &Root, plan: Plan, allow: bool) -> (Result<(u64, u64, u64), TerraformError>, Seen) {
    let mut seen = Seen::default();
    let done = root
        .apply(plan, allow, &mut |event| seen.0.push(event), &Interrupt::new())
        .await;
    let counts = done.map(|done| (done.summary.add, done.summary.change, done.summary.remove));
    (counts, seen)
}

async fn ready(dir: &TempDir) -> Root {
    let root = Root::new(dir.path());
    root.init(&mut |_| {}, &Interrupt::new()).await.expect("initialised");
    root
}

/// No file of ours holds a secret but the plan, and all are their user's alone.
fn files_are_closed(root: &Root) {
    for entry in fs::read_dir(root.files()).expect("a folder") {
        let entry = entry.expect("an entry");
        assert_eq!(
            entry.metadata().expect("data").permissions().mode() & 0o077,
            0,
            "{entry:?}"
        );
        if !entry.file_name().to_string_lossy().ends_with(".tfplan") {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            assert!(!text.contains("hunter2-of-mosip"), "{entry:?}");
        }
    }
}

async fn whole_course(count: usize) {
    let dir = make(count, "");
    let root = ready(&dir).await;
    let first = plan(&root, PlanOptions::default()).await.expect("a plan");
    assert_eq!(first.adds().count(), count + 1);
    assert_eq!(
        (first.resources.len(), first.summary.add),
        (count + 1, count as u64 + 1)
    );
    files_are_closed(&root);
    // What another process finds is the same.
    let kept = root.saved_plan().expect("read").expect("kept");
    assert_eq!(kept.resources, first.resources);
    let (done, seen) = apply(&root, kept, false).await;
    assert_eq!(done.expect("applied"), (count as u64 + 1, 0, 0));
    assert_eq!(
        seen.count(|e| matches!(
            e,
            TerraformEvent::Completed {
                action: Action::Create,
                ..
            }
        )),
        count + 1
    );
    assert!(root.saved_plan().expect("read").is_none());
    files_are_closed(&root);

    let again = plan(&root, PlanOptions::default()).await.expect("a plan");
    assert!(again.is_empty() && again.resources.is_empty());
    let outputs = root.outputs(&Interrupt::new()).await.expect("outputs");
    assert_eq!(outputs.get("items"), Some(&Output::Open(count.into())));
    let password = outputs.get("password").expect("it");
    assert_eq!(
        (password.shown(), password.reveal().expose()),
        ("***".into(), "hunter2-of-mosip")
    );

    // Somebody edits what terraform keeps: the next plan mends it, and says from what.
    change(&dir, "terraform.tfstate", "\"value-7-1\"", "\"edited\"");
    let mending = plan(&root, PlanOptions::default()).await.expect("a plan");
    let mended: Vec<_> = mending.changes().collect();
    assert_eq!(mended.len(), 1);
    assert_eq!(mended[0].address, "terraform_data.item[7]");
    let attributes = mended[0].attributes.as_deref().expect("attributes");
    assert_eq!(attributes[0].path, "input");
    assert_eq!(attributes[0].before, Shown::Value("\"edited\"".into()));
    assert_eq!(attributes[0].after, Shown::Value("\"value-7-1\"".into()));
    assert_eq!(apply(&root, mending, false).await.0.expect("applied"), (0, 1, 0));

    let all = PlanOptions {
        destroy: true,
        details: Details::None,
    };
    let destroying = plan(&root, all).await.expect("a plan");
    assert_eq!(destroying.destroys().count(), count + 1);
    let refused = apply(&root, destroying.clone(), false).await.0.expect_err("refused");
    assert!(matches!(&refused, TerraformError::DestroyRefused { addresses } if addresses.len() == count + 1));
    assert_eq!(
        apply(&root, destroying, true).await.0.expect("destroyed"),
        (0, 0, count as u64 + 1)
    );
    assert!(
        !fs::read_to_string(dir.path().join("terraform.tfstate"))
            .expect("state")
            .contains("value-")
    );
}

#[tokio::test]
#[ignore = "needs terraform"]
async fn fifty_resources() {
    whole_course(50).await;
}

#[tokio::test]
#[ignore = "needs terraform"]
async fn five_hundred_resources() {
    whole_course(500).await;
}

#[tokio::test]
#[ignore = "needs terraform"]
async fn a_replacement_is_a_loss_too_and_secrets_are_masked() {
    let dir = make(
        1,
        "resource \"terraform_data\" \"bound\" {\n  triggers_replace = [var.rev, var.password]\n}\n",
    );
    let root = ready(&dir).await;
    let first = plan(
        &root,
        PlanOptions {
            details: Details::All,
            ..PlanOptions::default()
        },
    )
    .await
    .expect("a plan");
    assert!(!format!("{first:?}").contains("hunter2"));
    assert!(first.resources.iter().all(|change| change.attributes.is_some()));
    apply(&root, first, false).await.0.expect("applied");
    change(&dir, "main.tf", "default = \"1\"", "default = \"2\"");
    let second = plan(&root, PlanOptions::default()).await.expect("a plan");
    assert_eq!(
        second.replaces().map(|c| c.address.as_str()).collect::<Vec<_>>(),
        ["terraform_data.bound"]
    );
    assert!(!format!("{second:?}").contains("hunter2"));
    let (refused, _) = apply(&root, second.clone(), false).await;
    assert!(matches!(refused, Err(TerraformError::DestroyRefused { .. })));
    assert_eq!(apply(&root, second, true).await.0.expect("applied"), (1, 1, 1));
}

#[tokio::test]
#[ignore = "needs terraform"]
async fn failures_say_what_terraform_says_and_the_rest_is_done() {
    let dir = make(
        3,
        r#"
resource "terraform_data" "guarded" {
  lifecycle {
    precondition {
      condition     = var.rev == "1"
      error_message = "rev must be 1"
    }
  }
}
resource "terraform_data" "hook" {
  provisioner "local-exec" {
    command = "echo from the hook; exit 3"
  }
}
"#,
    );
    let root = ready(&dir).await;
    let (failed, seen) = apply(&root, plan(&root, PlanOptions::default()).await.expect("a plan"), false).await;
    let Err(TerraformError::Failed {
        phase: Phase::Apply,
        diagnostics,
    }) = failed
    else {
        panic!("{failed:?}")
    };
    assert_eq!(diagnostics[0].summary, "local-exec provisioner error");
    assert_eq!(diagnostics[0].address.as_deref(), Some("terraform_data.hook"));
    assert_eq!(
        diagnostics[0].place.as_ref().map(|place| place.file.as_str()),
        Some("main.tf")
    );
    assert_eq!(seen.count(|e| matches!(e, TerraformEvent::Errored { .. })), 1);
    assert_eq!(seen.count(|e| matches!(e, TerraformEvent::Completed { .. })), 5);
    assert_eq!(
        seen.count(|e| matches!(e, TerraformEvent::Provisioner { output: Some(text), .. } if text == "from the hook")),
        1
    );
    // What was done stays done; the broken one is made anew.
    change(&dir, "main.tf", "exit 3", "exit 0");
    let rest = plan(&root, PlanOptions::default()).await.expect("a plan");
    assert_eq!(rest.resources.len(), 1);
    assert_eq!(rest.resources[0].reason.as_deref(), Some("tainted"));
    apply(&root, rest, true).await.0.expect("applied");

    change(&dir, "main.tf", "default = \"1\"", "default = \"2\"");
    let failed = plan(&root, PlanOptions::default()).await.expect_err("it must hold");
    assert!(
        matches!(&failed, TerraformError::Failed { phase: Phase::Plan, diagnostics }
        if diagnostics[0].summary == "Resource precondition failed" && diagnostics[0].detail == "rev must be 1")
    );
    assert!(
        root.saved_plan().expect("read").is_none(),
        "a plan that failed is not kept"
    );

    change(&dir, "main.tf", "input = var.password", "input = var.nothing");
    let invalid = plan(&root, PlanOptions::default()).await.expect_err("invalid");
    assert!(
        matches!(&invalid, TerraformError::InvalidConfiguration { .. }),
        "{invalid:?}"
    );
}

const SLOW: &str = r#"
resource "terraform_data" "slow" {
  depends_on = [terraform_data.item]
  provisioner "local-exec" {
    command = "touch started; for i in 1 2 3 4 5 6 7 8; do [ -e go ] && exit 0; sleep 5; done; exit 1"
  }
}
"#;

async fn until_there(file: &Path) {
    let started = Instant::now();
    while !file.exists() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{} does not come",
            file.display()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
#[ignore = "needs terraform"]
async fn a_lock_is_told_with_its_holder_and_may_be_waited_for() {
    let dir = make(
        1,
        &SLOW
            .replace("sleep 5", "sleep 0.2")
            .replace("1 2 3 4 5 6 7 8", "$(seq 200)"),
    );
    let root = ready(&dir).await;
    let mut holder = Command::new("terraform")
        .args(["apply", "-auto-approve", "-no-color"])
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("terraform");
    until_there(&dir.path().join("started")).await;
    let locked = plan(&root, PlanOptions::default()).await.expect_err("locked");
    let TerraformError::Locked { lock, .. } = &locked else {
        panic!("{locked:?}")
    };
    assert!(
        lock.who.contains('@') && lock.id.len() == 36 && lock.operation == "OperationTypeApply",
        "{lock:?}"
    );
    assert!(locked.help().contains(&format!("force-unlock {}", lock.id)));
    let patient = root.clone().with_lock_timeout(Duration::from_secs(60));
    let (_, waited) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            write(&dir, "go", "");
        },
        plan(&patient, PlanOptions::default())
    );
    assert!(waited.expect("a plan").is_empty());
    assert!(holder.wait().expect("ended").success());
}

#[tokio::test]
#[ignore = "needs terraform"]
async fn an_interrupt_is_passed_on_once_and_waited_for() {
    let dir = make(2, SLOW);
    let root = ready(&dir).await.with_heartbeat(Duration::from_millis(100));
    let made = plan(&root, PlanOptions::default()).await.expect("a plan");
    let interrupt = Interrupt::new();
    let mut seen = Seen::default();
    let mut on_event = |event| seen.0.push(event);
    let (_, done) = tokio::join!(
        async {
            until_there(&dir.path().join("started")).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            interrupt.press();
        },
        root.apply(made, false, &mut on_event, &interrupt)
    );
    let Err(TerraformError::Interrupted {
        phase: Phase::Apply,
        state,
    }) = &done
    else {
        panic!("{done:?}")
    };
    assert_eq!(
        state,
        "3 changes were done, 1 failed or were cut short, and the state says so"
    );
    assert_eq!(
        seen.count(|e| matches!(e, TerraformEvent::Interrupting { times: 1, .. })),
        1
    );
    assert!(seen.count(|e| matches!(e, TerraformEvent::StillWorking { progress, .. } if progress.running == 1)) > 0);
    // Terraform itself heard it once: it did not break off.
    let said = fs::read_to_string(root.files().join("apply.jsonl")).expect("its stream");
    assert!(said.contains("Interrupt received") && !said.contains("Two interrupts received"));
    // The lock is gone, the state whole; what was cut short is still to do.
    write(&dir, "go", "");
    let rest = plan(&root, PlanOptions::default()).await.expect("a plan");
    assert_eq!(
        rest.resources.iter().map(|c| c.address.as_str()).collect::<Vec<_>>(),
        ["terraform_data.slow"]
    );
    apply(&root, rest, true).await.0.expect("applied");
}

#[tokio::test]
#[ignore = "needs terraform"]
async fn a_stale_plan_is_refused() {
    let dir = make(1, "");
    let root = ready(&dir).await;
    let made = plan(&root, PlanOptions::default()).await.expect("a plan");
    let status = Command::new("terraform")
        .args(["apply", "-auto-approve"])
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("terraform").success());
    let (stale, _) = apply(&root, made, false).await;
    assert!(
        matches!(&stale, Err(TerraformError::StalePlan { reason }) if reason.contains("state was changed")),
        "{stale:?}"
    );

    change(&dir, "main.tf", "default = \"1\"", "default = \"2\"");
    let made = plan(&root, PlanOptions::default()).await.expect("a plan");
    write(&dir, "terraform.tfvars", "rev = \"3\"\n");
    let (stale, _) = apply(&root, made, false).await;
    assert!(
        matches!(&stale, Err(TerraformError::StalePlan { reason }) if reason.contains("configuration")),
        "{stale:?}"
    );

    let first = plan(&root, PlanOptions::default()).await.expect("a plan");
    let second = plan(&root, PlanOptions::default()).await.expect("a plan");
    let (stale, _) = apply(&root, first, false).await;
    assert!(
        matches!(&stale, Err(TerraformError::StalePlan { reason }) if reason.contains("another one")),
        "{stale:?}"
    );
    apply(&root, second, false).await.0.expect("applied");
}

#[tokio::test]
#[ignore = "needs terraform"]
async fn providers_that_cannot_be_had_and_roots_that_are_not_initialised() {
    let dir = make(
        1,
        "terraform {\n  required_providers {\n    helm = { source = \"registry.invalid/hashicorp/helm\", version = \"2.9.0\" }\n  }\n}\n\
         provider \"helm\" {}\n",
    );
    let root = Root::new(dir.path());
    let not_yet = plan(&root, PlanOptions::default()).await.expect_err("not initialised");
    assert!(matches!(not_yet, TerraformError::NotInitialised { .. }), "{not_yet:?}");
    let offline = root
        .init(&mut |_| {}, &Interrupt::new())
        .await
        .expect_err("no such host");
    assert!(
        matches!(&offline, TerraformError::Download { what, .. } if what.contains("registry.invalid/hashicorp/helm")),
        "{offline:?}"
    );
    write(&dir, "main.tf", "terraform {\n  required_version = \">= 99.0\"\n}\n");
    let other = root
        .init(&mut |_| {}, &Interrupt::new())
        .await
        .expect_err("another version");
    assert!(
        matches!(&other, TerraformError::UnsupportedVersion { reason, .. } if reason.contains(">= 99.0")),
        "{other:?}"
    );
}

#[tokio::test]
async fn programs_that_will_not_do() {
    let dir = make(1, "");
    let with = |program| Root::new(dir.path()).with_program(Some(program));
    let missing = plan(&with("/nowhere/terraform".into()), PlanOptions::default())
        .await
        .expect_err("missing");
    assert!(matches!(missing, TerraformError::MissingBinary { .. }), "{missing:?}");
    for (text, version) in [
        (
            r#"echo '{"@message":"x","terraform":"2.0.0","type":"version","ui":"2.0"}'; exec sleep 60"#,
            "2.0.0",
        ),
        (
            r#"case $1 in version) echo Terraform v0.12.31;; *) echo 'flag provided but not defined: -json' >&2; exit 1;; esac"#,
            "Terraform v0.12.31",
        ),
    ] {
        let error = plan(&with(script(&dir, text)), PlanOptions::default())
            .await
            .expect_err("not supported");
        let TerraformError::UnsupportedVersion { version: said, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(said, version);
    }
    let killed = plan(&with(script(&dir, "kill -9 $$")), PlanOptions::default())
        .await
        .expect_err("killed");
    assert!(
        matches!(
            killed,
            TerraformError::Killed {
                signal: 9,
                phase: Phase::Plan
            }
        ),
        "{killed:?}"
    );
    let silent = plan(&with(script(&dir, "echo hello")), PlanOptions::default())
        .await
        .expect_err("no answer");
    assert!(matches!(silent, TerraformError::Answer { .. }), "{silent:?}");
    let words = plan(
        &with(script(&dir, "echo 'Error: it rains' >&2; exit 1")),
        PlanOptions::default(),
    )
    .await;
    assert_eq!(
        words.expect_err("failed").to_string(),
        "terraform plan failed: it rains"
    );
    let no_json =
        "case \"$*\" in *-json*) echo 'flag provided but not defined: -json' >&2; exit 1;; esac; echo Initializing";
    let mut seen = Seen::default();
    let old = with(script(&dir, no_json));
    old.init(&mut |event| seen.0.push(event), &Interrupt::new())
        .await
        .expect("in words");
    assert_eq!(
        seen.count(|e| matches!(e, TerraformEvent::Message { text, .. } if text == "Initializing")),
        1
    );
}

#[tokio::test]
async fn the_third_interrupt_kills() {
    let dir = make(1, "");
    let text = "trap '' INT; echo '{\"@message\":\"x\",\"terraform\":\"1.9.0\",\"type\":\"version\",\"ui\":\"1.2\"}'; touch started; while :; do sleep 1; done";
    let root = Root::new(dir.path()).with_program(Some(script(&dir, text)));
    let interrupt = Interrupt::new();
    let mut ignore = |_| {};
    let options = PlanOptions::default();
    let (_, done) = tokio::join!(
        async {
            until_there(&dir.path().join("started")).await;
            for _ in 0..3 {
                interrupt.press();
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        },
        root.plan(&options, &mut ignore, &interrupt)
    );
    assert!(
        matches!(done, Err(TerraformError::Interrupted { phase: Phase::Plan, .. })),
        "{done:?}"
    );
}
