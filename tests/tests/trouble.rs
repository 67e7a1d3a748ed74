//! What goes wrong at run time: hosts that are down, refused logins, full and read-only disks, locks, changed host
//! keys, Ctrl-C.

use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use mosip_prov::resources::{Apt, File, Task};
use mosip_prov::{RunOutcome, RunReport, Settings};
use mosip_prov_tests::program::Program;
use mosip_prov_tests::small_role::{SmallRole, assert_changed, failures, run};
use mosip_prov_tests::testbed::{Testbed, address};
use mosip_prov_tests::{stdout, write};

fn settings(testbed: &Testbed) -> Settings {
    Settings {
        inventory: vec![testbed.inventory().to_string_lossy().into_owned()],
        ..Settings::default()
    }
}

#[test]
#[ignore = "needs the testbed"]
fn a_host_that_is_down_does_not_hold_up_the_others() {
    let testbed = Testbed::get();
    let inventory = testbed.inventory();
    let cut = testbed.cut("vm2");
    let ran = Program::new()
        .run(&[
            "run",
            "apt-upgrade",
            "-i",
            inventory.to_str().expect("UTF-8"),
            "--limit",
            "vm1,vm2,vm3",
            "-T",
            "2",
        ])
        .expect(4);
    drop(cut);
    for host in ["vm1", "vm3"] {
        assert!(ran.count(host, "ok") > 0, "{}", ran.shown());
        assert_eq!(
            ran.count(host, "unreachable") + ran.count(host, "failed"),
            0,
            "{}",
            ran.shown()
        );
    }
    assert_eq!(ran.count("vm2", "unreachable"), 1);
    let why = ran.of_type("host_unreachable").next().expect("a reason");
    assert_eq!(why["host"], "vm2");
    assert!(
        why["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains(&address("vm2"))),
        "{why:#}"
    );
    assert!(
        why["error"]["help"].as_str().is_some_and(|text| !text.is_empty()),
        "{why:#}"
    );
    assert!(ran.stdout.contains("vm2"), "{}", ran.shown());
    assert!(ran.took < Duration::from_secs(60), "{:?}", ran.took);
}

#[test]
#[ignore = "needs the testbed"]
fn a_failed_task_outweighs_a_host_that_is_down() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = folder.path().join("hosts.ini");
    let text = std::fs::read_to_string(testbed.inventory()).expect("the inventory");
    write(
        &hosts,
        text.replace(
            "vm1 ansible_host=10.61.0.11",
            "vm1 ansible_host=10.61.0.11 ansible_user=nosudo",
        ),
    );
    let cut = testbed.cut("vm2");
    let ran = Program::new().run(&[
        "run",
        "apt-upgrade",
        "-i",
        hosts.to_str().expect("UTF-8"),
        "--limit",
        "vm1,vm2",
        "-T",
        "2",
    ]);
    drop(cut);
    ran.expect(2);
}

/// An inventory of `vm1` alone, reached as `words` say.
fn only_vm1(folder: &Path, words: &str) -> String {
    let hosts = folder.join("hosts.ini");
    write(
        &hosts,
        format!("[physical_vms]\nvm1 ansible_host={} {words}\n", address("vm1")),
    );
    hosts.to_string_lossy().into_owned()
}

#[test]
#[ignore = "needs the testbed"]
fn refused_credentials() {
    let _testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("stranger");
    stdout(
        Process::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key),
    );
    let words = format!(
        "ansible_user=ubuntu ansible_ssh_private_key_file={} ansible_host_key_checking=False",
        key.display()
    );
    let hosts = only_vm1(folder.path(), &words);
    let ran = Program::new().run(&["run", "apt-upgrade", "-i", &hosts]).expect(4);
    let why = ran.of_type("host_unreachable").next().expect("a reason").to_string();
    assert!(
        why.contains("refused the login of ubuntu") && why.contains("stranger"),
        "{why}"
    );
    assert!(
        ran.took < Duration::from_secs(5),
        "refused credentials are not tried again: {:?}",
        ran.took
    );
}

#[test]
#[ignore = "needs the testbed"]
fn sudo_without_rights() {
    let testbed = Testbed::of(&["vm1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let words = |user: &str| {
        format!(
            "ansible_user={user} ansible_ssh_private_key_file={} ansible_host_key_checking=False",
            testbed.key().display()
        )
    };
    let ran = Program::new()
        .run(&["run", "apt-upgrade", "-i", &only_vm1(folder.path(), &words("nosudo"))])
        .expect(2);
    assert!(ran.failure().contains("sudo"), "{}", ran.shown());
    // A password is wanted and none is given: said, with the flag that gives one.
    let ran = Program::new()
        .run(&["run", "apt-upgrade", "-i", &only_vm1(folder.path(), &words("pwuser"))])
        .expect(2);
    let failure = ran.failure();
    assert!(failure.contains("password") && failure.contains("-K"), "{failure}");
}

/// A small file system mounted on a host until this goes.
struct Mounted<'t>(&'t Testbed, &'static str);

impl<'t> Mounted<'t> {
    fn new(testbed: &'t Testbed, path: &'static str, then: &str) -> Self {
        testbed.root(
            "vm1",
            &format!("mkdir -p {path} && mount -t tmpfs -o size=256k tmpfs {path} && cd {path} && {then}"),
        );
        Self(testbed, path)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        self.0.root("vm1", &format!("umount {0}; rmdir {0}", self.1));
    }
}

fn write_there(testbed: &Testbed, path: &'static str, content: String) -> RunReport {
    let role = SmallRole::new(move |_| {
        vec![Task::new(
            "Write a file",
            File::content(path, content.clone()).mode(0o640),
        )]
    });
    run(settings(testbed), role.playbook("vm1"))
}

#[test]
#[ignore = "needs the testbed"]
fn a_full_disk_keeps_the_old_file() {
    let testbed = Testbed::of(&["vm1"]);
    let _mounted = Mounted::new(&testbed, "/mnt/full", "echo old > file && chmod 640 file");
    let report = write_there(&testbed, "/mnt/full/file", "new ".repeat(1 << 17));
    let text = failures(&report);
    assert_eq!(report.outcome(), RunOutcome::Failed, "{text}");
    assert!(
        text.contains("No space left on device") && text.contains("/mnt/full"),
        "{text}"
    );
    assert_eq!(testbed.root("vm1", "cat /mnt/full/file; ls -A /mnt/full"), "old\nfile");
}

#[test]
#[ignore = "needs the testbed"]
fn a_read_only_file_system_is_named() {
    let testbed = Testbed::of(&["vm1"]);
    let _mounted = Mounted::new(
        &testbed,
        "/mnt/read-only",
        "echo old > file && mount -o remount,ro /mnt/read-only",
    );
    let report = write_there(&testbed, "/mnt/read-only/file", "new\n".into());
    let text = failures(&report);
    assert_eq!(report.outcome(), RunOutcome::Failed, "{text}");
    assert!(
        text.contains("Read-only file system") && text.contains("/mnt/read-only"),
        "{text}"
    );
    assert_eq!(testbed.root("vm1", "cat /mnt/read-only/file"), "old");
}

/// Someone else holds dpkg's lock, as unattended-upgrades does on a fresh machine, until this goes or time is up.
struct LockHeld<'t>(&'t Testbed);

impl<'t> LockHeld<'t> {
    fn new(testbed: &'t Testbed, seconds: u32) -> Self {
        // A lock of fcntl's kind: type, whence, start, length, pid as in struct flock of x86-64 and arm64.
        let perl = format!(
            "use Fcntl; open(F, '+>>', '/var/lib/dpkg/lock-frontend') or die; my $lock = pack('s s x4 q q l x4', F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $lock) or die; sleep {seconds};"
        );
        let script = format!(
            "cat > /run/lock-holder.pl <<'END'
{perl}
END
systemd-run -q --collect --unit=lock-holder perl /run/lock-holder.pl
sleep 0.5
systemctl is-active lock-holder"
        );
        assert_eq!(testbed.root("vm1", &script), "active");
        Self(testbed)
    }
}

impl Drop for LockHeld<'_> {
    fn drop(&mut self) {
        self.0.root("vm1", "systemctl stop lock-holder 2>/dev/null; true");
    }
}

fn install_tree(testbed: &Testbed, patience: Duration) -> RunReport {
    let role = SmallRole::new(move |_| vec![Task::new("Install tree", Apt::present(["tree"]).lock_timeout(patience))]);
    run(settings(testbed), role.playbook("vm1"))
}

/// The index is there and `tree` is not.
fn before_tree(testbed: &Testbed) {
    testbed.root(
        "vm1",
        "apt-get -q -y purge tree >/dev/null; ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || apt-get -q update >/dev/null",
    );
}

#[test]
#[ignore = "needs the testbed"]
fn a_lock_held_longer_than_the_wait() {
    let testbed = Testbed::of(&["vm1"]);
    before_tree(&testbed);
    let held = LockHeld::new(&testbed, 120);
    let report = install_tree(&testbed, Duration::from_secs(3));
    drop(held);
    let text = failures(&report);
    assert_eq!(report.outcome(), RunOutcome::Failed, "{text}");
    assert!(text.contains("perl"), "the holder is not named: {text}");
    assert!(report.duration < Duration::from_secs(20), "{:?}", report.duration);
    assert_eq!(
        testbed.root(
            "vm1",
            "dpkg-query -W -f '${Status}' tree 2>/dev/null | grep -c 'ok installed' || true"
        ),
        "0"
    );
    assert_eq!(testbed.root("vm1", "dpkg --audit"), "");
}

#[test]
#[ignore = "needs the testbed"]
fn a_lock_that_is_released_is_waited_for() {
    let testbed = Testbed::of(&["vm1"]);
    before_tree(&testbed);
    let held = LockHeld::new(&testbed, 5);
    let mut lines = Vec::new();
    let role = SmallRole::new(|_| {
        vec![Task::new(
            "Install tree",
            Apt::present(["tree"]).lock_timeout(Duration::from_secs(60)),
        )]
    });
    let ready = mosip_prov::Provisioner::load(settings(&testbed))
        .expect("good inputs")
        .prepare(&[role.playbook("vm1")])
        .expect("good inputs");
    let report = tokio::runtime::Runtime::new().expect("a runtime").block_on(ready.run(
        |event| lines.push(serde_json::to_string(event).expect("JSON")),
        &mosip_prov::CancelHandle::new(),
    ));
    drop(held);
    assert_changed(&report, "vm1", 1);
    let told = lines
        .iter()
        .any(|line| line.contains("task_output") && line.contains("perl"));
    assert!(
        told,
        "who holds the lock is not said while waiting:\n{}",
        lines.join("\n")
    );
    let version = testbed.root("vm1", "dpkg-query -W -f '${Status}' tree");
    assert_eq!(version, "install ok installed");
    testbed.root("vm1", "apt-get -q -y purge tree >/dev/null");
}

#[test]
#[ignore = "needs the testbed"]
fn a_changed_host_key_is_refused_with_both_fingerprints() {
    let testbed = Testbed::of(&["vm1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let known = folder.path().join("known_hosts");
    let inventory = testbed.inventory();
    let plan = || {
        let words = [
            "plan",
            "apt-upgrade",
            "-i",
            inventory.to_str().expect("UTF-8"),
            "--limit",
            "vm1",
        ];
        let known = known.to_str().expect("UTF-8");
        Program::new().run(
            &[
                &words[..],
                &["--known-hosts", "accept-new", "--known-hosts-file", known],
            ]
            .concat(),
        )
    };
    let learned = |name: &str| {
        let found = stdout(
            Process::new("ssh-keygen")
                .args(["-F", &address("vm1"), "-f"])
                .arg(&known),
        );
        assert!(found.contains("ssh-") || found.contains("ecdsa-"), "{name}: {found}");
        found.lines().last().expect("a line").to_owned()
    };
    // Learned at first contact, known at the second.
    plan().expect(0);
    let line = learned("first");
    plan().expect(0);
    assert_eq!(std::fs::read_to_string(&known).expect("known").lines().count(), 1);

    // Another key of the same kind stands on line 3.
    let kind = line.split_whitespace().nth(1).expect("a kind").to_owned();
    let real = fingerprint(folder.path(), &line);
    let other = folder.path().join("other");
    let short = if kind.contains("ed25519") {
        "ed25519"
    } else if kind.contains("ecdsa") {
        "ecdsa"
    } else {
        "rsa"
    };
    stdout(
        Process::new("ssh-keygen")
            .args(["-q", "-t", short, "-N", "", "-f"])
            .arg(&other),
    );
    let public = std::fs::read_to_string(other.with_extension("pub")).expect("the public key");
    let public = public.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let wrong = format!("{} {public}", address("vm1"));
    write(&known, format!("# known\ngarbage\n{wrong}\n"));
    let ran = plan().expect(4);
    let why = ran.of_type("host_unreachable").next().expect("a reason").to_string();
    for part in ["line 3", &real, &fingerprint(folder.path(), &wrong), "known_hosts"] {
        assert!(why.contains(part), "{part} in {why}");
    }
    // Nothing was learned over it.
    assert_eq!(
        std::fs::read_to_string(&known).expect("known"),
        format!("# known\ngarbage\n{wrong}\n")
    );

    let key = line.split_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ");
    write(&known, format!("@revoked * {key}\n{} {key}\n", address("vm1")));
    let why = plan()
        .expect(4)
        .of_type("host_unreachable")
        .next()
        .expect("a reason")
        .to_string();
    assert!(why.contains("revoked") && why.contains("line 1"), "{why}");
}

/// The SHA256 fingerprint of a line of known_hosts, by `ssh-keygen`.
fn fingerprint(folder: &Path, line: &str) -> String {
    let file = folder.join("one-key.pub");
    let key: Vec<_> = line.split_whitespace().skip(1).take(2).collect();
    write(&file, key.join(" ") + "\n");
    let text = stdout(Process::new("ssh-keygen").args(["-l", "-E", "sha256", "-f"]).arg(&file));
    text.split_whitespace().nth(1).expect("a fingerprint").to_owned()
}

/// Takes `gdb` and what came with it away again, so that its installation is long work.
fn without_gdb(testbed: &Testbed) {
    let script =
        "apt-get -q -y purge gdb >/dev/null 2>&1; apt-get -q -y autoremove --purge >/dev/null 2>&1; apt-get clean";
    testbed.root("vm1", script);
}

/// Starts to install `gdb` on `vm1` and returns once apt is at it.
fn begin_gdb(program: &Program, words: &[&str]) -> std::process::Child {
    let child = program.start(words);
    let installs = program.wait_for_event(Duration::from_secs(120), |event| {
        event["type"] == "task_started" && event["action"].as_str().is_some_and(|action| action.contains("gdb"))
    });
    if !installs {
        panic!("it never began to install gdb\n{}", program.end(words, child).shown());
    }
    // Let apt get going.
    std::thread::sleep(Duration::from_millis(700));
    child
}

fn words_for_gdb(inventory: &str) -> Vec<&str> {
    let extra = r#"{"apt_upgrade_additional_packages": ["gdb"]}"#;
    vec!["run", "apt-upgrade", "-i", inventory, "--limit", "vm1", "-e", extra]
}

const GDB: &str = "dpkg-query -W -f '${Status}' gdb";

#[test]
#[ignore = "needs the testbed"]
fn an_interrupt_leaves_the_host_sane_and_the_next_run_completes() {
    let testbed = Testbed::of(&["vm1"]);
    without_gdb(&testbed);
    let inventory = testbed.inventory();
    let words = words_for_gdb(inventory.to_str().expect("UTF-8"));
    let program = Program::new();
    let child = begin_gdb(&program, &words);
    stdout(Process::new("kill").args(["-INT", &child.id().to_string()]));
    let ran = program.end(&words, child).expect(130);
    let interrupted = ran.of_type("interrupted").next().expect("an event");
    let running = &interrupted["running"][0];
    assert_eq!(running["host"], "vm1", "{interrupted}");
    let task = running["task"].as_str().expect("a task");
    // What was running where is said to the operator too.
    assert!(
        ran.stdout.contains("vm1") && ran.stdout.contains(task),
        "{}",
        ran.shown()
    );
    assert_eq!(ran.finished()["interrupted"], true);

    // Whatever was left under the host's own care ends by itself, and dpkg is whole.
    let settled = "for i in $(seq 100); do pidof apt-get dpkg >/dev/null || break; sleep 0.2; done; dpkg --audit";
    assert_eq!(testbed.root("vm1", settled), "");
    let ran = Program::new().run(&words).expect(0);
    assert_eq!(testbed.root("vm1", GDB), "install ok installed", "{}", ran.shown());
    Program::new().run(&words).expect(0).unchanged();
}

#[test]
#[ignore = "needs the testbed"]
fn a_killed_controller_neither_kills_apt_nor_loses_its_outcome() {
    let testbed = Testbed::of(&["vm1"]);
    without_gdb(&testbed);
    let inventory = testbed.inventory();
    let words = words_for_gdb(inventory.to_str().expect("UTF-8"));
    let program = Program::new();
    let child = begin_gdb(&program, &words);
    stdout(Process::new("kill").args(["-KILL", &child.id().to_string()]));
    assert_eq!(program.end(&words, child).code, -1);
    // The next run finds the work, whether it is still going on or has ended meanwhile.
    let ran = Program::new().run(&words).expect(0);
    assert_eq!(testbed.root("vm1", GDB), "install ok installed", "{}", ran.shown());
    assert_eq!(testbed.root("vm1", "dpkg --audit"), "");
    Program::new().run(&words).expect(0).unchanged();
    assert_eq!(
        testbed.root(
            "vm1",
            "ls -A /run/mosip-prov/units 2>/dev/null | grep -v -e '^lock$' || true"
        ),
        "",
        "left behind"
    );
}

#[test]
#[ignore = "needs the testbed"]
fn a_host_that_is_lost_in_the_middle_is_told_and_found_again() {
    let testbed = Testbed::of(&["vm1"]);
    without_gdb(&testbed);
    let inventory = testbed.inventory();
    let words = words_for_gdb(inventory.to_str().expect("UTF-8"));
    let program = Program::new();
    let child = begin_gdb(&program, &words);
    let cut = testbed.cut("vm1");
    std::thread::sleep(Duration::from_secs(3));
    drop(cut);
    // A short break is bridged; were it told as unreachable, the next run would finish the work.
    let ran = program.end(&words, child);
    assert!(ran.code == 0 || ran.code == 4, "{}", ran.shown());
    Program::new().run(&words).expect(0);
    assert_eq!(testbed.root("vm1", GDB), "install ok installed");
    assert_eq!(testbed.root("vm1", "dpkg --audit"), "");
}
