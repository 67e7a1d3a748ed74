//! The command as scripts and operators see it: exit codes, messages, help. Nothing here connects to a host.

use assert_cmd::Command;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The command in an empty folder, with nothing of the caller's environment that changes what it says.
fn command(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("mosip-prov").unwrap();
    command.current_dir(folder);
    for name in ["MOSIP_PROV_INVENTORY", "ANSIBLE_VAULT_PASSWORD_FILE", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env("TERM", "dumb").env("COLUMNS", "100");
    command
}

/// Exit code, standard output, standard error.
fn ended(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = command(folder).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn empty() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A folder with the given files.
fn with(files: &[(&str, &str)]) -> TempDir {
    let folder = empty();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

const HOSTS: &str = "\
[nginx]
nginx-node-1 ansible_host=10.0.0.7 db_password=hunter2

[physical_vms]
vm1 ansible_host=10.0.0.1
vm2 ansible_host=10.0.0.2

[all:vars]
ansible_user=ubuntu
";

#[test]
fn version_is_one_line() {
    let folder = empty();
    let (code, out, err) = ended(folder.path(), &["--version"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, format!("mosip-prov {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_has_examples_for_every_command() {
    let folder = empty();
    let commands: [&[&str]; 8] = [
        &[],
        &["run"],
        &["plan"],
        &["inventory"],
        &["playbooks"],
        &["tasks"],
        &["completion"],
        &["run", "-h"],
    ];
    for command in commands {
        let args = [command, &["--help"]].concat();
        let (code, out, err) = ended(folder.path(), &args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        assert!(out.contains("Examples:\n  mosip-prov "), "{args:?}: {out}");
    }
    let (_, out, _) = ended(folder.path(), &["run", "--help"]);
    assert!(out.contains("Exit codes:\n  0 "), "{out}");
    assert!(out.contains("-K, --ask-become-pass"), "{out}");
}

#[test]
fn mistakes_on_the_command_line_end_with_1() {
    let folder = empty();
    let lines: [&[&str]; 6] = [
        &[],
        &["run"],
        &["run", "apt-upgrade", "--nonsense"],
        &["run", "apt-upgrade", "-f", "0"],
        &["plan", "apt-upgrade", "--out", "file"],
        &["nonsense"],
    ];
    for args in lines {
        let (code, out, err) = ended(folder.path(), args);
        assert_eq!(code, 1, "{args:?}: {err}");
        assert!(out.is_empty() && !err.is_empty(), "{args:?}");
    }
}

#[test]
fn near_misses_are_suggested() {
    let folder = empty();
    let (_, _, err) = ended(folder.path(), &["playbook"]);
    assert!(err.contains("playbooks"), "{err}");
    let (_, _, err) = ended(folder.path(), &["run", "--limt", "vm1", "apt-upgrade"]);
    assert!(err.contains("--limit"), "{err}");
    let (code, _, err) = ended(folder.path(), &["deploy-nginx"]);
    assert_eq!(code, 1);
    assert!(err.contains("say: mosip-prov run deploy-nginx"), "{err}");
}

#[test]
fn no_inventory_says_where_it_was_looked_for() {
    let folder = empty();
    let (code, out, err) = ended(folder.path(), &["inventory", "list"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(
        err,
        "error: there is no inventory\n  help: name it with -i, set MOSIP_PROV_INVENTORY, or run from the folder that \
         holds `inventory/`\n\n1 error; nothing was connected to\n"
    );
}

#[test]
fn unknown_playbooks_and_paths_of_ansible() {
    let folder = with(&[("hosts.ini", HOSTS)]);
    let (code, _, err) = ended(folder.path(), &["run", "-i", "hosts.ini", "deploy-ngnix"]);
    assert_eq!(code, 1);
    assert!(err.contains("deploy-ngnix") && err.contains("deploy-nginx"), "{err}");
    assert!(err.ends_with("nothing was connected to\n"), "{err}");
    let (code, _, err) = ended(folder.path(), &["run", "-i", "hosts.ini", "playbooks/deploy-nginx.yml"]);
    assert_eq!(code, 1);
    assert!(err.contains("error: `playbooks/deploy-nginx.yml` is not read"), "{err}");
    assert!(err.contains("help: say `deploy-nginx`"), "{err}");
}

#[test]
fn all_mistakes_come_at_once() {
    let folder = with(&[("hosts.ini", HOSTS), ("group_vars/all.yml", "a:\n\tb: 1\n")]);
    let args = [
        "run",
        "no-such-playbook",
        "-i",
        "hosts.ini",
        "--become-password-file",
        "absent",
        "--vault-password-file",
        "absent-too",
    ];
    let (code, out, err) = ended(folder.path(), &args);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    for part in ["no-such-playbook", "absent:", "absent-too", "group_vars/all.yml:2:1"] {
        assert!(err.contains(part), "{part} in {err}");
    }
    assert!(err.ends_with("4 errors; nothing was connected to\n"), "{err}");
    assert!(!err.contains('\x1b'), "{err}");
}

#[test]
fn colours_when_asked_for() {
    let folder = empty();
    let (_, _, err) = ended(folder.path(), &["inventory", "list", "--color", "always"]);
    assert!(err.contains("\x1b[1m\x1b[31merror\x1b[0m"), "{err:?}");
}

#[test]
fn passwords_need_a_terminal_or_a_file() {
    let folder = with(&[("hosts.ini", HOSTS)]);
    // In a session of its own there is no terminal, whoever runs the tests.
    let output = std::process::Command::new("setsid")
        .args(["--wait", assert_cmd::cargo::cargo_bin("mosip-prov").to_str().unwrap()])
        .args(["run", "apt-upgrade", "-i", "hosts.ini", "-K"])
        .current_dir(folder.path())
        .env_remove("MOSIP_PROV_INVENTORY")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(
        err.contains("cannot ask for Sudo password: there is no terminal"),
        "{err}"
    );
    assert!(err.contains("--become-password-file"), "{err}");
}

#[test]
fn the_inventory_as_text_and_json() {
    let folder = with(&[("inventory/hosts", HOSTS)]);
    let (code, out, err) = ended(folder.path(), &["inventory", "list"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("host          address   groups\n"), "{out}");
    assert!(out.contains("\nnginx-node-1  10.0.0.7  "), "{out}");
    let (_, out, _) = ended(folder.path(), &["inventory", "list", "--format", "json"]);
    assert!(out.contains("\n        \"hostvars\": {"), "four spaces a level: {out}");
    assert!(out.contains("\"vm1\",\n"), "{out}");
    let (_, out, _) = ended(folder.path(), &["inventory", "graph"]);
    assert!(out.starts_with("@all:\n"), "{out}");
}

#[test]
fn the_variables_of_a_host_without_passwords() {
    let folder = with(&[("hosts.ini", HOSTS)]);
    let (code, out, err) = ended(folder.path(), &["inventory", "host", "nginx-node-1", "-i", "hosts.ini"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("  ansible_host: 10.0.0.7\n") && out.contains("  db_password: ***\n"),
        "{out}"
    );
    let (code, _, err) = ended(folder.path(), &["inventory", "host", "nginx-node-2", "-i", "hosts.ini"]);
    assert_eq!(code, 1);
    assert!(err.contains("did you mean `nginx-node-1`?"), "{err}");
}

#[test]
fn the_environment_names_the_inventory() {
    let folder = with(&[("hosts.ini", HOSTS)]);
    let output = command(folder.path())
        .env("MOSIP_PROV_INVENTORY", "hosts.ini")
        .args(["inventory", "graph"])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("vm2"));
}

#[test]
fn playbooks_are_listed() {
    let folder = empty();
    let (code, out, err) = ended(folder.path(), &["playbooks"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.lines().any(|line| line.starts_with("deploy-nginx ")), "{out}");
    // A name a line, first, and then what it does.
    for line in out.lines() {
        let (name, summary) = line.split_once("  ").unwrap_or_else(|| panic!("{line}"));
        assert!(
            name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.contains(' '),
            "{line}"
        );
        assert!(summary.trim().contains(' '), "{line}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let folder = with(&[("hosts.ini", HOSTS)]);
    let binary = assert_cmd::cargo::cargo_bin("mosip-prov");
    for args in [
        "playbooks",
        "--help",
        "completion bash",
        "inventory list -i hosts.ini --format json",
    ] {
        let output = std::process::Command::new("bash")
            .args(["-c", &format!("set -o pipefail; '{}' {args} | true", binary.display())])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), err.as_ref()), (Some(0), ""), "{args}");
    }
}

#[test]
fn completion_knows_the_playbooks() {
    let folder = empty();
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, err) = ended(folder.path(), &["completion", shell]);
        assert_eq!((code, err.as_str()), (0, ""), "{shell}");
        assert!(out.contains("mosip-prov") && out.contains("skip-tags"), "{shell}");
        // The generator for fish completes no values of arguments without a flag.
        assert!(shell == "fish" || out.contains("deploy-nginx"), "{shell}");
    }
}

#[test]
fn manual_pages() {
    let folder = empty();
    let (code, out, _) = ended(folder.path(), &["man"]);
    assert_eq!(code, 0);
    assert!(out.contains(".TH mosip-prov 1"), "{out}");
    let (code, _, err) = ended(folder.path(), &["man", "--dir", "pages"]);
    assert_eq!(code, 0, "{err}");
    assert!(folder.path().join("pages/mosip-prov-run.1").is_file());
}

#[test]
fn every_flag_of_the_help_is_on_the_page() {
    let page = include_str!("../../../docs/command-line.md");
    let folder = empty();
    for command in ["run", "plan", "tasks"] {
        let (_, out, _) = ended(folder.path(), &[command, "--help"]);
        let (flags, _) = out.split_once("Examples:").unwrap();
        for line in flags.lines().map(str::trim_start).filter(|l| l.starts_with('-')) {
            let flag = line.split([' ', ',', '.']).next().unwrap();
            let known = page.contains(&format!("`{flag}")) || flag == "-h" || flag.ends_with(':');
            assert!(known, "{flag} of {command}");
        }
    }
}

/// The commands of the page on the command line that need no host, run as they stand there.
#[test]
fn the_examples_of_the_page_work() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/command-line.md")).unwrap();
    let examples: Vec<&str> = page
        .lines()
        .skip_while(|l| *l != "To look around in an example:")
        .skip_while(|l| !l.starts_with("```"))
        .skip(1)
        .take_while(|l| !l.starts_with("```"))
        .collect();
    assert!(examples.len() > 4, "{examples:?}");
    for example in examples {
        let words: Vec<&str> = example.split(' ').skip(1).collect();
        let output = assert_cmd::Command::cargo_bin("mosip-prov")
            .unwrap()
            .current_dir(&root)
            .env_remove("MOSIP_PROV_INVENTORY")
            .args(&words)
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{example}: {err}");
        assert!(!output.stdout.is_empty(), "{example}");
    }
}

/// The default keys of whoever runs it: `preflight keys --static` in a folder whose `home` has them. Exit code, and check and
/// level of each finding about a key file.
fn default_keys(folder: &Path) -> (i32, Vec<(String, String, String)>) {
    let output = command(folder)
        .env("HOME", folder.join("home"))
        .env_remove("SSH_AUTH_SOCK")
        .args(["preflight", "keys", "--static", "--format", "json", "-i", "hosts.ini"])
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = found["findings"].as_array().unwrap().iter().map(|finding| {
        let text = |field: &str| finding[field].as_str().unwrap().to_owned();
        let name = text("subject").rsplit('/').next().unwrap().to_owned();
        (name, text("check"), text("level"))
    });
    (output.status.code().unwrap(), found.collect())
}

#[test]
fn a_default_key_that_is_passed_over_stops_nothing() {
    let folder = with(&[("hosts.ini", HOSTS), ("home/.ssh/id_rsa", "no key\n")]);
    let keys = folder.path().join("home/.ssh");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(keys.join("id_ed25519"))
        .status()
        .unwrap();
    assert!(made.success());
    let row = |name: &str, check: &str, level: &str| (name.to_owned(), check.to_owned(), level.to_owned());
    // Logins try id_rsa first, and go on.
    let (code, found) = default_keys(folder.path());
    let good = row("id_ed25519", "key", "ok");
    assert_eq!((code, found), (0, vec![row("id_rsa", "key_mode", "warning"), good]));
    // RKE tries id_ed25519 alone.
    fs::rename(keys.join("id_ed25519"), keys.join("good")).unwrap();
    fs::rename(keys.join("id_rsa"), keys.join("id_ed25519")).unwrap();
    fs::rename(keys.join("good"), keys.join("id_rsa")).unwrap();
    let (code, found) = default_keys(folder.path());
    let bad = row("id_ed25519", "key_mode", "failure");
    assert_eq!((code, found), (2, vec![row("id_rsa", "key", "ok"), bad]));
}
