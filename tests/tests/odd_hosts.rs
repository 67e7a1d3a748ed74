//! Hosts and logins that are not as one would wish: each does the same small role, twice, and is looked at.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use mosip_prov::resources::{Command, File, Task};
use mosip_prov::transport::Secret;
use mosip_prov::{PlaybookDefinition, RunOutcome, Settings};
use mosip_prov_tests::program::Program;
use mosip_prov_tests::small_role::{SmallRole, assert_changed, failures, run};
use mosip_prov_tests::testbed::{PWUSER_PASSWORD, Testbed, address};
use mosip_prov_tests::{program_path, stdout, write};

const FOLDER: &str = "/etc/mosip-prov-odd";

/// A folder, a file with content that a shell might trip over, a command with a guard.
fn small(pattern: &str) -> PlaybookDefinition {
    SmallRole::new(|_| {
        vec![
            Task::new(
                "Make a folder",
                File::directory(FOLDER).mode(0o750).owner("root").group("www-data"),
            ),
            Task::new(
                "Write a file",
                File::content(format!("{FOLDER}/file"), "a 'quoted' $HOME `date` \\n %s\nä\n")
                    .mode(0o640)
                    .owner("root")
                    .group("root"),
            ),
            Task::new(
                "Say who runs",
                Command::new(format!("id -un > {FOLDER}/who")).creates(format!("{FOLDER}/who")),
            ),
        ]
    })
    .playbook(pattern)
}

/// Settings for one host of that address, reached as `words` say.
fn settings(testbed: &Testbed, folder: &Path, host: &str, words: &str) -> Settings {
    let key = testbed.key();
    write(
        &folder.join("hosts.ini"),
        format!(
            "[odd]\nodd ansible_host={} ansible_ssh_private_key_file={} ansible_host_key_checking=False {words}\n",
            address(host),
            key.display()
        ),
    );
    Settings {
        inventory: vec![folder.join("hosts.ini").to_string_lossy().into_owned()],
        ..Settings::default()
    }
}

/// Runs it twice and asserts what is there then.
#[track_caller]
fn works(testbed: &Testbed, host: &str, words: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    works_with(testbed, host, || settings(testbed, folder.path(), host, words), || {});
}

#[track_caller]
fn works_with(testbed: &Testbed, host: &str, settings: impl Fn() -> Settings, before_looking: impl FnOnce()) {
    let first = run(settings(), small("odd"));
    let second = run(settings(), small("odd"));
    before_looking();
    let have = testbed.root(
        host,
        &format!("cd {FOLDER} && stat -c '%n %a %U:%G' . file && cat file who && ls; cd / && rm -rf {FOLDER}"),
    );
    assert_changed(&first, "odd", 3);
    assert_changed(&second, "odd", 0);
    assert!(second.hosts["odd"].exchanges <= 2, "{}", second.hosts["odd"].exchanges);
    assert_eq!(
        have,
        ". 750 root:www-data\nfile 640 root:root\na 'quoted' $HOME `date` \\n %s\nä\nroot\nfile\nwho"
    );
}

#[test]
#[ignore = "needs the testbed"]
fn without_python() {
    let testbed = Testbed::get();
    assert!(
        !testbed.try_root("vm3", "command -v python3").status.success(),
        "vm3 has a Python"
    );
    works(&testbed, "vm3", "ansible_user=ubuntu");
    let inventory = testbed.inventory();
    let words = [
        "run",
        "apt-upgrade",
        "-i",
        inventory.to_str().expect("UTF-8"),
        "--limit",
        "vm3",
    ];
    Program::new().run(&words).expect(0);
    Program::new().run(&words).expect(0).unchanged();
}

#[test]
#[ignore = "needs the testbed"]
fn login_shell_fish() {
    works(&Testbed::of(&["vm1"]), "vm1", "ansible_user=fishuser");
}

#[test]
#[ignore = "needs the testbed"]
fn noisy_profile_and_banner() {
    works(&Testbed::of(&["vm1"]), "vm1", "ansible_user=noisyuser");
}

#[test]
#[ignore = "needs the testbed"]
fn busybox_sh_and_applets() {
    works(&Testbed::of(&["vm1"]), "vm1", "ansible_user=busyuser");
}

#[test]
#[ignore = "needs the testbed"]
fn sudo_with_a_password_from_the_inventory() {
    works(
        &Testbed::get(),
        "vm2",
        &format!("ansible_user=pwuser ansible_become_password=\"{PWUSER_PASSWORD}\""),
    );
}

#[test]
#[ignore = "needs the testbed"]
fn login_and_sudo_with_a_password() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let make = || {
        let mut made = settings(&testbed, folder.path(), "vm2", "ansible_user=pwuser");
        // Without a key: in its place stands the password, given as `-k` and `-K` give it.
        let text = format!(
            "[odd]\nodd ansible_host={} ansible_user=pwuser ansible_host_key_checking=False\n",
            address("vm2")
        );
        write(&folder.path().join("hosts.ini"), text);
        write(
            &folder.path().join("ssh_config"),
            "Host *\n  IdentityFile none\n  IdentityAgent none\n",
        );
        made.ssh_config = Some(folder.path().join("ssh_config"));
        made.ssh_password = Some(Secret::from(PWUSER_PASSWORD.to_owned()));
        made.become_password = Some(Secret::from(PWUSER_PASSWORD.to_owned()));
        made
    };
    works_with(&testbed, "vm2", make, || {});
}

#[test]
#[ignore = "needs the testbed"]
fn the_sudo_password_is_asked_for_once_on_the_terminal() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = folder.path().join("hosts.ini");
    let host = |name: &str| {
        format!(
            "{name} ansible_host={} ansible_user=pwuser ansible_ssh_private_key_file={} ansible_host_key_checking=False\n",
            address(name),
            testbed.key().display()
        )
    };
    write(&hosts, format!("[physical_vms]\n{}{}", host("vm1"), host("vm2")));
    let binary = program_path("MOSIP_PROV_BIN", "mosip-prov", "mosip-prov-cli");
    // util-linux's `script` gives it a terminal.
    let line = format!("{} plan apt-upgrade -K -i {}", binary.display(), hosts.display());
    let mut child = Process::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("HOME", folder.path())
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script");
    let mut input = child.stdin.take().expect("its input");
    let mut output = child.stdout.take().expect("its output");
    let mut text = Vec::new();
    let began = Instant::now();
    let mut buffer = [0_u8; 4096];
    while !String::from_utf8_lossy(&text).to_lowercase().contains("password")
        && began.elapsed() < Duration::from_secs(20)
    {
        let size = output.read(&mut buffer).expect("read");
        assert!(size > 0, "it ended without asking: {}", String::from_utf8_lossy(&text));
        text.extend(&buffer[..size]);
    }
    // The prompt stands once the echo is off.
    std::thread::sleep(Duration::from_millis(200));
    writeln!(input, "{PWUSER_PASSWORD}").expect("typed");
    output.read_to_end(&mut text).expect("read");
    drop(input);
    let status = child.wait().expect("its end");
    let text = String::from_utf8_lossy(&text);
    assert!(status.success(), "{status}\n{text}");
    assert_eq!(text.to_lowercase().matches("sudo password").count(), 1, "{text}");
    assert!(!text.contains(PWUSER_PASSWORD), "the password is shown: {text}");
}

#[test]
#[ignore = "needs the testbed"]
fn a_wrong_sudo_password_is_named() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings(
        &testbed,
        folder.path(),
        "vm2",
        "ansible_user=pwuser ansible_become_password=wrong-one",
    );
    let report = run(settings, small("odd"));
    let text = failures(&report);
    assert_ne!(report.outcome(), RunOutcome::Ok);
    assert!(
        text.contains("did not accept the password") && !text.contains("wrong-one"),
        "{text}"
    );
    assert_eq!(testbed.stat("vm2", FOLDER), "absent");
}

#[test]
#[ignore = "needs the testbed"]
fn a_user_without_sudo_is_an_error_that_says_so() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let report = run(
        settings(&testbed, folder.path(), "vm2", "ansible_user=nosudo"),
        small("odd"),
    );
    let text = failures(&report);
    assert_eq!(report.outcome(), RunOutcome::Failed, "{text}");
    assert!(text.contains("sudo"), "{text}");
    assert_eq!(testbed.stat("vm2", FOLDER), "absent");
}

/// A host that cannot answer this machine directly, only others of its network.
struct Hidden<'t> {
    testbed: &'t Testbed,
    host: &'t str,
}

impl<'t> Hidden<'t> {
    fn new(testbed: &'t Testbed, host: &'t str) -> Self {
        stdout(
            testbed
                .within(host, "ip")
                .args(["route", "add", "blackhole", "10.61.0.1/32"]),
        );
        Self { testbed, host }
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        stdout(
            self.testbed
                .within(self.host, "ip")
                .args(["route", "del", "blackhole", "10.61.0.1/32"]),
        );
    }
}

#[test]
#[ignore = "needs the testbed"]
fn behind_a_jump_host_of_the_inventory() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let jump = format!(
        "ansible_user=ubuntu ansible_ssh_common_args='-o ProxyJump=ubuntu@{}'",
        address("vm1")
    );
    let hidden = Hidden::new(&testbed, "vm6");
    assert!(
        !testbed.try_root("vm6", "true").status.success(),
        "vm6 can be reached directly"
    );
    works_with(
        &testbed,
        "vm6",
        || settings(&testbed, folder.path(), "vm6", &jump),
        || drop(hidden),
    );
}

#[test]
#[ignore = "needs the testbed"]
fn behind_a_jump_host_of_the_ssh_configuration() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("ssh_config");
    write(
        &config,
        format!(
            "Host bastion\n  HostName {}\n  User ubuntu\n  IdentityFile {key}\n\
             Host hidden\n  HostName {}\n  User ubuntu\n  IdentityFile {key}\n  ProxyJump bastion\n\
             Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n",
            address("vm1"),
            address("vm6"),
            key = testbed.key().display()
        ),
    );
    let hosts = folder.path().join("hosts.ini");
    write(&hosts, "[odd]\nodd ansible_host=hidden\n");
    let make = || Settings {
        inventory: vec![hosts.to_string_lossy().into_owned()],
        ssh_config: Some(config.clone()),
        ..Settings::default()
    };
    let hidden = Hidden::new(&testbed, "vm6");
    works_with(&testbed, "vm6", make, || drop(hidden));
}

#[test]
#[ignore = "needs the testbed"]
fn sixty_tasks_cost_as_many_exchanges_as_the_nginx_role() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let sixty = || {
        SmallRole::new(|_| {
            let folder = Task::new("Make the folder", File::directory(FOLDER));
            let files = (1..60).map(|number| {
                let file = File::content(format!("{FOLDER}/{number}"), format!("{number}\n")).mode(0o640);
                Task::new(format!("Write file {number}"), file)
            });
            std::iter::once(folder).chain(files).collect()
        })
        .playbook("odd")
    };
    let settings = || settings(&testbed, folder.path(), "vm1", "ansible_user=ubuntu");
    let first = run(settings(), sixty());
    let second = run(settings(), sixty());
    testbed.root("vm1", &format!("rm -rf {FOLDER}"));
    assert_changed(&first, "odd", 60);
    assert_changed(&second, "odd", 0);
    let of_sixty = second.hosts["odd"].exchanges;

    let inventory = testbed.inventory();
    let words = ["run", "deploy-nginx", "-i", inventory.to_str().expect("UTF-8")];
    Program::new().run(&words).expect(0);
    let of_nginx = Program::new()
        .run(&words)
        .expect(0)
        .unchanged()
        .exchanges("nginx-node-1");
    assert!(of_sixty <= 2, "{of_sixty}");
    assert_eq!(of_nginx, of_sixty);
}
