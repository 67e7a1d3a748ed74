//! `mosip-prov terraform` as an operator runs it, with the real terraform. `cargo xtask test` runs these where terraform is on
//! the PATH, and names the program in MOSIP_PROV_BIN.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn program() -> PathBuf {
    std::env::var_os("MOSIP_PROV_BIN")
        .expect("MOSIP_PROV_BIN names the program")
        .into()
}

const CONFIGURATION: &str = r#"
variable "seconds" { default = 0 }
resource "terraform_data" "one" {
  provisioner "local-exec" {
    command = "touch started; sleep ${var.seconds}; touch ended"
  }
}
resource "terraform_data" "two" {
  input      = "hunter2-of-mosip"
  depends_on = [terraform_data.one]
}
output "password" {
  value     = "hunter2-of-mosip"
  sensitive = true
}
"#;

fn root(seconds: u32) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("main.tf"), CONFIGURATION).expect("written");
    fs::write(dir.path().join("terraform.tfvars"), format!("seconds = {seconds}\n")).expect("written");
    dir
}

fn command(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .arg("terraform")
        .arg(dir)
        .args(words)
        .env_remove("MOSIP_PROV_INVENTORY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(dir: &Path, words: &[&str]) -> (i32, String, String) {
    told(&command(dir, words).output().expect("run"))
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(!errors.contains("hunter2"), "{errors}");
    (output.status.code().unwrap_or(-1), out, errors)
}

fn until_there(file: &Path) {
    let started = Instant::now();
    while !file.exists() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{} does not come",
            file.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(status.expect("kill").success());
}

#[test]
#[ignore = "needs terraform"]
fn from_plan_to_destroy() {
    let dir = root(0);
    let (code, out, errors) = run(dir.path(), &["plan", "--exit-code"]);
    assert_eq!(code, 3, "{errors}");
    assert!(
        out.contains("+   terraform_data.one") && out.contains("2 to add, 0 to change, 0 to replace, 0 to destroy"),
        "{out}"
    );
    let (code, _, errors) = run(dir.path(), &["apply"]);
    assert_eq!(code, 1);
    assert!(
        errors.contains("standard input is no terminal") && errors.contains("--yes"),
        "{errors}"
    );
    assert!(!dir.path().join("started").exists());
    let (code, out, errors) = run(dir.path(), &["apply", "--yes", "--format", "json"]);
    assert_eq!(code, 0, "{errors}");
    assert!(
        errors.contains("the plan that was made"),
        "it applies the plan that was kept: {errors}"
    );
    let json: serde_json::Value = serde_json::from_str(&out).expect("one JSON value and nothing else");
    assert_eq!(json["applied"]["summary"]["add"], 2);
    let (code, out, _) = run(dir.path(), &["apply", "--yes"]);
    assert_eq!((code, out.contains("nothing to change")), (0, true), "{out}");

    for words in [
        &["output"][..],
        &["output", "--format", "json"],
        &["output", "password"],
    ] {
        let (code, out, _) = run(dir.path(), words);
        assert_eq!(code, 0);
        assert!(out.contains("***") && !out.contains("hunter2"), "{out}");
    }
    let (code, out, _) = run(dir.path(), &["output", "password", "--reveal"]);
    assert_eq!((code, out.as_str()), (0, "hunter2-of-mosip\n"));
    assert_eq!(run(dir.path(), &["output", "passwort"]).0, 1);

    let (code, out, _) = run(dir.path(), &["plan", "--destroy"]);
    assert_eq!((code, out.contains("2 to destroy")), (0, true), "{out}");
    let (code, _, errors) = run(dir.path(), &["apply", "--yes"]);
    assert_eq!((code, errors.contains("--allow-destroy")), (2, true), "{errors}");
    assert_eq!(run(dir.path(), &["destroy", "--yes"]).0, 1);
    let (code, out, errors) = run(dir.path(), &["destroy", "--yes", "--allow-destroy"]);
    assert_eq!((code, out.contains("2 destroyed")), (0, true), "{errors}");
}

#[test]
#[ignore = "needs terraform"]
fn one_interrupt_is_said_and_waited_for() {
    let dir = root(60);
    let child = command(dir.path(), &["apply", "--yes"]).spawn().expect("run");
    until_there(&dir.path().join("started"));
    std::thread::sleep(Duration::from_millis(300));
    let pressed = Instant::now();
    signal(&child, "INT");
    let (code, _, errors) = told(&child.wait_with_output().expect("ended"));
    assert_eq!(code, 130, "{errors}");
    assert!(
        pressed.elapsed() < Duration::from_secs(50),
        "the sleep was not cut short"
    );
    assert!(
        errors.contains("interrupt: passed on to terraform") && errors.contains("was interrupted"),
        "{errors}"
    );
    // No lock is left, and the state knows what there is.
    fs::write(dir.path().join("terraform.tfvars"), "seconds = 0\n").expect("written");
    let (code, out, errors) = run(dir.path(), &["apply", "--yes", "--allow-destroy"]);
    assert_eq!((code, out.contains("2 added")), (0, true), "{out}{errors}");
}

#[test]
#[ignore = "needs terraform"]
fn when_we_are_killed_terraform_goes_on_to_its_end() {
    let dir = root(2);
    let mut child = command(dir.path(), &["apply", "--yes"]).spawn().expect("run");
    until_there(&dir.path().join("started"));
    signal(&child, "KILL");
    child.wait().expect("ended");
    assert!(!dir.path().join("ended").exists());
    // The lock of the state is waited for; then there is nothing left to do.
    let (code, out, errors) = run(dir.path(), &["apply", "--yes", "--lock-timeout", "60"]);
    assert_eq!((code, out.contains("nothing to change")), (0, true), "{out}{errors}");
    assert!(dir.path().join("ended").exists());
}

#[test]
#[ignore = "needs terraform"]
fn mistakes_are_shown_as_terraform_gives_them() {
    let dir = root(0);
    fs::write(
        dir.path().join("more.tf"),
        "resource \"terraform_data\" \"x\" {\n  input = var.nothing\n}\n",
    )
    .expect("written");
    let (code, out, errors) = run(dir.path(), &["plan"]);
    assert_eq!((code, out.as_str()), (1, ""));
    for part in [
        "Reference to undeclared input variable",
        "more.tf:2:11",
        "2 |   input = var.nothing",
        "help:",
    ] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    let (code, _, errors) = run(dir.path(), &["plan", "--terraform", "/nowhere/terraform"]);
    assert_eq!((code, errors.contains("there is no terraform")), (1, true), "{errors}");
    let (code, _, errors) = run(Path::new("./nowhere"), &["plan"]);
    assert_eq!((code, errors.contains("there is no folder")), (1, true), "{errors}");
}
