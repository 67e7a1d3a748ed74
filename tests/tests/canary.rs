//! Recognisable secrets in every place that secrets can be in, and a search of every place that they must not be in: what is
//! said, events, reports, plans, journal, process lists, logs and temporary folders of the hosts. What searches is proven in
//! `mosip_prov_tests::canary`; here a leak that was planted is found too, in each kind of place.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mosip_prov::inventory::vault;
use mosip_prov::resources::{self, Content, File, Task};
use mosip_prov::transport::Secret;
use mosip_prov::{CancelHandle, PlaybookDefinition, Provisioner, RunReport, Settings};
use mosip_prov_report::{HtmlReport, JsonLines, JunitReport, Renderers, Terminal, TerminalOptions};
use mosip_prov_tests::canary::{Canaries, Onlooker};
use mosip_prov_tests::certificates::{self, Kind};
use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::small_role::SmallRole;
use mosip_prov_tests::testbed::{DOMAIN, NGINX, PWUSER_PASSWORD, Testbed, address};
use mosip_prov_tests::{output, own, set_mode, shown, write};

/// The most that can be asked for.
const LOUD: [&str; 2] = ["-vvvv", "--diff"];

/// A vault file of one password, and the file with the password.
fn write_vault(canaries: &mut Canaries, file: &Path, text: &str) -> PathBuf {
    let password = canaries.plant_plain("the vault's password");
    let text = vault::encrypt(text, &Secret::from(password.clone()), &[7; 32], None);
    write(file, text);
    // Above the installation, where nothing is read by itself.
    let password_file = file.ancestors().nth(4).expect("above").join("vault-password");
    write(&password_file, password);
    set_mode(&password_file, 0o600);
    password_file
}

/// What renderers wrote, and what a program that embeds ours could print.
struct Told {
    folder: tempfile::TempDir,
    lines: Arc<Mutex<Vec<u8>>>,
    debug: String,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a playbook with all renderers.
fn run_loudly(settings: Settings, playbook: PlaybookDefinition) -> (RunReport, Told) {
    let mut told = Told {
        folder: tempfile::tempdir().expect("a folder"),
        lines: Arc::default(),
        debug: format!("{settings:?}"),
    };
    let at = |name: &str| told.folder.path().join(name);
    let mut renderers = Renderers::new();
    let options = TerminalOptions {
        verbosity: 4,
        diff: true,
        ..TerminalOptions::default()
    };
    renderers.push(Terminal::plain(Shared(told.lines.clone()), options));
    renderers.push(JsonLines::create(&at("events.jsonl")).expect("made"));
    renderers.push(JunitReport::create(&at("junit.xml")).expect("made"));
    renderers.push(HtmlReport::create(&at("report.html")).expect("made"));
    let provisioner = Provisioner::load(settings).unwrap_or_else(|errors| panic!("{errors}"));
    let ready = provisioner
        .prepare(&[playbook])
        .unwrap_or_else(|errors| panic!("{errors}"));
    let mut debug = String::new();
    let report = tokio::runtime::Runtime::new().expect("a runtime").block_on(ready.run(
        |event| {
            debug += &format!("{event:?}\n");
            renderers.event(event);
        },
        &CancelHandle::new(),
    ));
    let errors = renderers.finish();
    assert!(errors.is_empty(), "{errors:?}");
    told.debug += &debug;
    told.debug += &format!("{report:?}");
    (report, told)
}

impl Told {
    fn everything(&self) -> Vec<u8> {
        let mut all = self.lines.lock().expect("unpoisoned").clone();
        all.extend_from_slice(self.debug.as_bytes());
        for name in ["events.jsonl", "junit.xml", "report.html"] {
            let text = std::fs::read(self.folder.path().join(name)).expect(name);
            assert!(text.len() > 100, "{name} is empty");
            all.extend(text);
        }
        all
    }
}

/// A role that is given secrets in every way that a task can be, and that fails in the ways that quote them.
fn secretive(target: &str, secrets: &[String]) -> PlaybookDefinition {
    let target = target.to_owned();
    let [file, before, quick, long, failing, hushed] = secrets else {
        panic!("six secrets are wanted");
    };
    let (file, before, quick, long, failing, hushed) = (
        file.clone(),
        before.clone(),
        quick.clone(),
        long.clone(),
        failing.clone(),
        hushed.clone(),
    );
    let secret = |text: &String| Content::sensitive(text.as_bytes().to_vec());
    let role = SmallRole::new(move |cx| {
        let at = |name: &str| format!("{target}/{name}");
        let vaulted = cx.vars.secret("vaulted").expect("readable").expect("set");
        let vaulted = Content::sensitive(vaulted.expose().as_bytes().to_vec());
        vec![
            Task::new("Make the folder", own(File::directory(&target)).mode(0o700)),
            Task::new(
                "A secret that goes",
                own(File::content(at("file"), secret(&before))).mode(0o600),
            ),
            Task::new(
                "A secret that comes",
                own(File::content(at("file"), secret(&file))).mode(0o600),
            ),
            Task::new(
                "A secret of the vault",
                own(File::content(at("vaulted"), vaulted)).mode(0o600),
            ),
            Task::new(
                "Read a secret",
                resources::Command::new(format!("umask 077; cat >{}", at("quick")))
                    .summary("read a secret")
                    .stdin(secret(&quick)),
            ),
            Task::new(
                "Read a secret for long",
                resources::Command::new(format!("umask 077; sleep 1; cat >{}", at("long")))
                    .summary("read a secret for long")
                    .stdin(secret(&long))
                    .long(Duration::from_secs(30)),
            ),
            Task::new(
                "Fail with a secret",
                resources::Command::new("cat; exit 7")
                    .summary("fail at once")
                    .stdin(secret(&failing)),
            )
            .ignore_errors(),
            Task::new(
                "Fail with a secret for long",
                resources::Command::new("cat >&2; exit 7")
                    .summary("fail for long")
                    .stdin(secret(&failing))
                    .long(Duration::from_secs(30)),
            )
            .ignore_errors(),
            Task::new(
                "Print a secret",
                resources::Command::new(format!("cat {}; exit 7", at("hushed")))
                    .summary("print a secret")
                    .long(Duration::from_secs(30)),
            )
            .ignore_errors()
            .no_log(),
            Task::new(
                "Keep a secret",
                own(File::content(at("hushed"), secret(&hushed))).mode(0o600),
            ),
            Task::new(
                "Print it now",
                resources::Command::new(format!("cat {0}; cat {0} >&2; exit 7", at("hushed")))
                    .summary("print it now")
                    .long(Duration::from_secs(30)),
            )
            .ignore_errors()
            .no_log(),
        ]
    });
    role.playbook("all")
}

const SIX: [&str; 6] = [
    "a sensitive file",
    "the file before it",
    "a command's input",
    "a long command's input",
    "a failing command's input",
    "the output of a task without log",
];

fn six(canaries: &mut Canaries, whose: &str) -> Vec<String> {
    SIX.iter()
        .map(|place| canaries.plant(&format!("{place}, {whose}")))
        .collect()
}

#[track_caller]
fn ran_as_meant(report: &RunReport, host: &str) {
    let counts = report.hosts[host].counts;
    assert_eq!(
        (counts.changed, counts.ignored, counts.failed, counts.unreachable),
        (7, 4, 0, 0),
        "{:?}",
        report.hosts[host].tasks
    );
}

#[test]
fn what_a_run_on_this_machine_is_given_is_told_to_nobody() {
    let mut canaries = Canaries::new();
    let folder = tempfile::tempdir().expect("a folder");
    let site = folder.path().join("site");
    let target = folder.path().join("target");
    let secrets = six(&mut canaries, "here");
    let vaulted = canaries.plant_plain("a value of the vault");
    write(
        &site.join("hosts.ini"),
        format!(
            "here ansible_connection=local ansible_become_password={}\n",
            canaries.plant_plain("a become password in an inventory")
        ),
    );
    let password = write_vault(
        &mut canaries,
        &site.join("group_vars/all/vault.yml"),
        &format!("vaulted: {vaulted}\n"),
    );
    let settings = Settings {
        inventory: vec![site.join("hosts.ini").to_string_lossy().into_owned()],
        vault: mosip_prov::inventory::VaultSecrets::from_file(&password).expect("read"),
        extra_vars: vec![format!("db_password={}", canaries.plant_plain("a password of -e"))],
        become_password: Some(Secret::from(canaries.plant("the become password"))),
        ssh_password: Some(Secret::from(canaries.plant("the login password"))),
        ..Settings::default()
    };
    let onlooker = Onlooker::start();
    let mut playbook = secretive(target.to_str().expect("UTF-8"), &secrets);
    for play in &mut playbook.plays {
        play.become_user = None;
    }
    let (report, told) = run_loudly(settings, playbook);
    ran_as_meant(&report, "here");
    canaries.assert_not_in("process lists", &onlooker.seen());
    drop(onlooker);
    let everything = told.everything();
    canaries.assert_not_in("what was told", &everything);
    assert!(String::from_utf8_lossy(&everything).contains("what it printed is kept back"));
    let inventory = [site.join("hosts.ini"), site.join("group_vars")];
    let except: Vec<&Path> = inventory.iter().map(PathBuf::as_path).collect();
    canaries.assert_not_below(&site, &except);
    // They did arrive.
    for (name, secret) in [
        ("file", &secrets[0]),
        ("quick", &secrets[2]),
        ("long", &secrets[3]),
        ("hushed", &secrets[5]),
        ("vaulted", &vaulted),
    ] {
        assert_eq!(
            &std::fs::read_to_string(target.join(name)).expect(name),
            secret,
            "{name}"
        );
    }
}

#[test]
fn a_secret_that_a_role_lets_out_is_found_by_this_search() {
    let mut canaries = Canaries::new();
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("leak").to_string_lossy().into_owned();
    let secret = canaries.plant("a secret that is called public");
    write(&folder.path().join("hosts.ini"), "here ansible_connection=local\n");
    let role = SmallRole::new(move |_| {
        vec![Task::new(
            "Leak",
            own(File::content(&target, secret.clone())).mode(0o600),
        )]
    });
    let mut playbook = role.playbook("all");
    playbook.plays[0].become_user = None;
    let settings = Settings {
        inventory: vec![folder.path().join("hosts.ini").to_string_lossy().into_owned()],
        ..Settings::default()
    };
    let (_, told) = run_loudly(settings, playbook);
    for name in ["events.jsonl", "report.html"] {
        let text = std::fs::read_to_string(told.folder.path().join(name)).expect(name);
        assert_eq!(canaries.find(&text).len(), 1, "{name}");
    }
    let lines = String::from_utf8_lossy(&told.lines.lock().expect("unpoisoned")).into_owned();
    assert_eq!(canaries.find(&lines).len(), 1, "{lines}");
}

/// An installation with a secret in every variable that is one, right or wrong, and what the program says of it.
#[test]
fn commands_that_only_read_say_nothing_of_what_they_read() {
    let mut canaries = Canaries::new();
    let program = Program::new();
    let site = program.home().join("site");
    let at = |name: &str| site.join(name).to_string_lossy().into_owned();
    write(
        &site.join("hosts.ini"),
        format!(
            "[nginx]\nn1 ansible_host=127.0.0.1 ansible_become_password={} ansible_ssh_pass={}\n\n[all:vars]\ndb_password={}\n",
            canaries.plant_plain("ansible_become_password of a host"),
            canaries.plant_plain("ansible_ssh_pass of a host"),
            canaries.plant_plain("a password in [all:vars]"),
        ),
    );
    let vaulted = canaries.plant_plain("a value of the vault");
    let password = write_vault(
        &mut canaries,
        &site.join("group_vars/all/vault.yml"),
        &format!("vaulted: {vaulted}\nrke2_token: \"{{{{ vaulted }}}}\"\n"),
    );
    write(
        &site.join("group_vars/all/open.yml"),
        format!(
            "rancher_import_url: https://rancher.test/v3/import/{}.yaml\nrancher_api_token: token-abcde:{}\n\
             rancher_bootstrap_password: '{}'\nnested: {{ inner: [ {{ admin_password: {} }} ] }}\ndb_passwords: [{}]\nmap_token: {{ value: {} }}\nsmtp_credentials: {}\n",
            canaries.plant_plain("rancher_import_url"),
            canaries.plant_plain("rancher_api_token"),
            canaries.plant_plain("rancher_bootstrap_password"),
            canaries.plant_plain("a nested password"),
            canaries.plant_plain("a list of passwords"),
            canaries.plant_plain("a token in a mapping"),
            canaries.plant_plain("credentials"),
        ),
    );
    write(
        &site.join("more.yml"),
        format!("keycloak_password: {}\n", canaries.plant_plain("a file of -e")),
    );
    let vault = ["--vault-password-file", password.to_str().expect("UTF-8")];
    let (inventory, more) = (at("hosts.ini"), format!("@{}", at("more.yml")));
    let given = ["-i", &inventory, "-e", &more];
    let mut said = 0;
    let mut look = |words: &[&str], code: i32| {
        let ran = program.run(words);
        assert!(ran.code == code, "{}", ran.shown());
        canaries.assert_not_in(&format!("stdout of {words:?}"), ran.stdout.as_bytes());
        canaries.assert_not_in(&format!("stderr of {words:?}"), ran.stderr.as_bytes());
        said += ran.stdout.len() + ran.stderr.len();
    };
    for words in [
        &["inventory", "list"][..],
        &["inventory", "list", "--format", "json"],
        &["inventory", "graph"],
        &["inventory", "host", "n1"],
        &["inventory", "host", "n1", "--format", "json"],
    ] {
        look(&[words, &given, &vault].concat(), 0);
    }
    // There is too little in this inventory to deploy anything, which is said.
    look(
        &[&["run", "deploy-nginx", "--list-tasks"][..], &given, &vault].concat(),
        1,
    );
    // The vault is not opened, or by another password.
    let other = site.with_file_name("other");
    write(&other, "another password");
    look(&[&["run", "deploy-nginx"][..], &given].concat(), 1);
    let other = ["--vault-password-file", other.to_str().expect("UTF-8")];
    look(&[&["inventory", "list"][..], &given, &other].concat(), 1);

    // A vault takes its time; what follows has none.
    std::fs::remove_file(site.join("group_vars/all/vault.yml")).expect("removed");
    // Secrets of the wrong form, each refused for a reason of its own, and files that break off at one.
    for (name, text) in [
        ("token.yml", "rke2_token: \"CANARY with blanks\"\n"),
        ("url.yml", "rancher_import_url: CANARY\n"),
        ("api.yml", "rancher_api_token: \"CANARY ü\"\n"),
        ("list.yml", "rancher_bootstrap_password: [CANARY]\n"),
        ("quote.yml", "db_password: \"CANARY\n"),
        ("twice.yml", "db_password: CANARY\ndb_password: CANARY\n"),
        ("tab.yml", "a:\n\t- db_password: CANARY\n"),
        ("colon.yml", "db_password: CANARY: x\n"),
        ("jinja.yml", "db_password: \"{{ 'CANARY' | no_such_filter }}\"\n"),
        ("port.yml", "ansible_become_password: CANARY\nansible_port: no-port\n"),
    ] {
        let secret = canaries.plant_plain(name);
        write(&site.join(name), text.replace("CANARY", &secret));
        let file = format!("@{}", at(name));
        for words in [
            &[
                "run",
                "deploy-rancher",
                "--list-tasks",
                "-e",
                "cluster_distribution=rke2",
            ][..],
            &["inventory", "host", "n1"],
            &["run", "deploy-nginx", "--check"],
        ] {
            let ran = program.run(&[words, &given, &["-e", &file]].concat());
            canaries.assert_not_in(&format!("{words:?} with {name}"), (ran.stdout + &ran.stderr).as_bytes());
        }
    }
    // On the command line itself: its own words are the operator's, what is said of them is ours.
    for text in [
        "db_password=CANARY",
        "{\"db_password\": \"CANARY\"",
        "db_password=CANARY ansible_port=x",
        "{db_password: CANARY, ansible_port: x}",
    ] {
        let secret = canaries.plant_plain(&format!("-e {text}"));
        let text = text.replace("CANARY", &secret);
        let ran = program.run(&[&["run", "deploy-nginx", "--check", "-e", &text][..], &given].concat());
        assert_ne!(ran.code, 0);
        canaries.assert_not_in("what is said of -e", (ran.stdout + &ran.stderr).as_bytes());
    }
    assert!(said > 1000, "the commands said {said} bytes");
    assert!(canaries.count() > 20);
}

/// A script as root on a host, read from standard input: its words are in no process list and no log of sudo's.
fn root_reads(testbed: &Testbed, host: &str, script: &str) -> Vec<u8> {
    let mut child = testbed
        .ssh("ubuntu", host)
        .arg("sudo sh -s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ssh");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(script.as_bytes()).expect("sent");
    drop(input);
    let done = child.wait_with_output().expect("ends");
    assert!(done.status.success(), "{}", shown(&done));
    done.stdout
}

/// Everything that a host wrote down since a moment of its own clock, and what lies in its temporary folders.
fn traces(testbed: &Testbed, host: &str, since: &str) -> Vec<u8> {
    let script = format!(
        "journalctl --no-pager -o export --since @{since} 2>/dev/null
find /var/log /tmp /var/tmp /dev/shm /run/mosip-prov /var/lib/mosip-prov /root /home /var/lib/dpkg/info /etc/apt /var/spool /var/crash \\
  -xdev -type f -newermt @{since} -size -30M ! -path '/var/log/journal/*' -print -exec cat {{}} + 2>/dev/null
find / -xdev -name '*.mosip-prov.*' -print 2>/dev/null
cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null
:"
    );
    root_reads(testbed, host, &script)
}

/// Where the library's secrets are written on a host.
const THERE: &str = "/etc/mosip-prov-canary";

/// Gives the host back as other tests know it, whatever became of this one: the password of `pwuser`, no secrets, the usual front.
struct Usual<'t>(&'t Testbed);

impl Drop for Usual<'_> {
    fn drop(&mut self) {
        let script = format!("echo 'pwuser:{PWUSER_PASSWORD}' | chpasswd; rm -rf {THERE} /var/tmp/canary");
        root_reads(self.0, NGINX, &script);
        let inventory = self.0.inventory();
        let inventory = inventory.to_str().expect("UTF-8");
        let back = output(&mut Program::new().command(&["run", "deploy-nginx", "-l", NGINX, "-i", inventory]));
        // A test that fails already must say why it does.
        assert!(back.status.success() || std::thread::panicking(), "{}", shown(&back));
    }
}

#[test]
#[ignore = "needs the testbed"]
fn what_a_host_is_given_is_where_it_belongs_and_nowhere_else() {
    let testbed = Testbed::of(&[NGINX]);
    let mut canaries = Canaries::new();
    let folder = tempfile::tempdir().expect("a folder");
    let rancher = testbed.copy_inventory(folder.path());
    let site = rancher.parent().expect("a folder").to_owned();
    let since = testbed.root(NGINX, "date +%s");

    // A password for login and sudo, known to the vault alone.
    let login = canaries.plant_plain("the password for login and sudo");
    let _back = Usual(&testbed);
    root_reads(&testbed, NGINX, &format!("echo 'pwuser:{login}' | chpasswd"));
    let password = write_vault(
        &mut canaries,
        &site.join("group_vars/nginx/vault.yml"),
        &format!("ansible_user: pwuser\nansible_password: {login}\nansible_become_password: {login}\n"),
    );
    let text = std::fs::read_to_string(&rancher).expect("read");
    let without_key: String = text
        .lines()
        .filter(|line| !line.contains("ssh_private_key_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    write(&rancher, without_key);
    let ssh_config = folder.path().join("ssh_config");
    write(&ssh_config, "Host *\n  IdentityFile none\n  IdentityAgent none\n");

    // A certificate's key, and variables that nobody reads.
    certificates::write_pair(&site.join("files/nginx"), DOMAIN, Kind::Good);
    let key = std::fs::read_to_string(site.join("files/nginx/privkey.pem")).expect("a key");
    for line in key.lines().filter(|line| !line.starts_with("---")) {
        canaries.know("the key of a certificate", line);
    }
    let more = folder.path().join("more.yml");
    write(
        &more,
        format!(
            "rke2_token: {}\nrancher_import_url: https://rancher.test/v3/import/{}.yaml\nkeycloak_password: {}\n",
            canaries.plant_plain("rke2_token"),
            canaries.plant_plain("rancher_import_url"),
            canaries.plant_plain("keycloak_password"),
        ),
    );

    let onlooker = Onlooker::start();
    let program = Program::new();
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (inventory, more, vault, ssh) = (
        path(&rancher),
        format!("@{}", path(&more)),
        path(&password),
        path(&ssh_config),
    );
    let (html, junit) = (
        path(&folder.path().join("report.html")),
        path(&folder.path().join("junit.xml")),
    );
    let given = [
        "deploy-nginx",
        "-l",
        NGINX,
        "-i",
        &inventory,
        "-e",
        &more,
        "--vault-password-file",
        &vault,
        "--ssh-config",
        &ssh,
    ];
    let mut told: Vec<Ran> = Vec::new();
    let run = |words: &[&str]| program.run(&[words, &given, &LOUD, &["--report", &html, "--junit", &junit]].concat());
    told.push(run(&["run", "--check"]).expect(0));
    let plan = path(&folder.path().join("front.plan"));
    told.push(
        program
            .run(&[&["plan", "--out", &plan, "-vvvv"][..], &given].concat())
            .expect(0),
    );
    let planned = std::fs::read_to_string(&plan).expect("written");
    assert!(planned.contains("privkey") && planned.contains("\"decision\":\"change\""));
    canaries.assert_not_in("the plan", planned.as_bytes());
    let ran = run(&["run"]).expect(0);
    assert!(ran.count(NGINX, "changed") > 0, "{}", ran.shown());
    told.push(ran);
    for name in [&html, &junit] {
        canaries.assert_not_in(name, &std::fs::read(name).expect("written"));
    }

    // The same host with secrets that tasks are given, by the library.
    let secrets = six(&mut canaries, "on a host");
    let vaulted = canaries.plant_plain("a value of the vault, for a host");
    write(
        &folder.path().join("hosts.ini"),
        format!(
            "front ansible_host={} ansible_user=pwuser ansible_host_key_checking=False vaulted={vaulted}\n",
            address(NGINX)
        ),
    );
    let settings = Settings {
        inventory: vec![path(&folder.path().join("hosts.ini"))],
        ssh_config: Some(ssh_config.clone()),
        ssh_password: Some(Secret::from(login.clone())),
        become_password: Some(Secret::from(login.clone())),
        ..Settings::default()
    };
    let target = THERE;
    let (report, by_library) = run_loudly(settings, secretive(target, &secrets));
    ran_as_meant(&report, "front");

    // The search, in all that was told and left behind.
    let seen = onlooker.seen();
    drop(onlooker);
    assert!(seen.len() > 5_000, "the onlooker saw {} bytes", seen.len());
    canaries.assert_not_in("process lists", &seen);
    for ran in &told {
        canaries.assert_not_in("what was said", ran.shown().as_bytes());
        let events: String = ran.events.iter().map(|event| format!("{event}\n")).collect();
        assert!(events.contains("run_finished"));
        canaries.assert_not_in("events", events.as_bytes());
    }
    canaries.assert_not_in("what the library told", &by_library.everything());
    let planted = [site.join("group_vars"), site.join("files")];
    let except: Vec<&Path> = planted.iter().map(PathBuf::as_path).collect();
    assert!(
        canaries.assert_not_below(&site.join(".mosip-prov"), &[]) > 0,
        "no journal"
    );
    canaries.assert_not_below(&site, &except);
    canaries.assert_not_below(program.home(), &[]);

    let left = traces(&testbed, NGINX, &since);
    let text = String::from_utf8_lossy(&left);
    for part in ["sudo", "pwuser", "mosip-prov-"] {
        assert!(
            text.contains(part),
            "{part} is not in the host's traces, so they are not all there"
        );
    }
    canaries.assert_not_in("the host's logs and temporary folders", &left);

    // What was planted there is found, so the search reads what it should.
    let mut leak = Canaries::new();
    let secret = leak.plant_plain("a leak in the host's journal");
    let file = leak.plant_plain("a leak in a temporary file");
    root_reads(
        &testbed,
        NGINX,
        &format!("logger -t canary {secret}; echo {file} >/var/tmp/canary; sleep 1"),
    );
    let found = leak.find(&String::from_utf8_lossy(&traces(&testbed, NGINX, &since)));
    assert_eq!(found.len(), 2, "{found:?}");

    // And all arrived where they belong.
    let deployed = root_reads(
        &testbed,
        NGINX,
        "nginx -T 2>/dev/null | sed -n 's/^ *ssl_certificate_key *\\(.*\\);/\\1/p' | sort -u | while read -r f; do stat -c %a:%U \"$f\"; cat \"$f\"; done",
    );
    let deployed = String::from_utf8_lossy(&deployed).into_owned();
    assert!(
        deployed.starts_with("600:root\n") && deployed.contains(key.trim()),
        "the key is another, or for all to read"
    );
    for (name, secret) in [
        ("file", &secrets[0]),
        ("quick", &secrets[2]),
        ("long", &secrets[3]),
        ("hushed", &secrets[5]),
        ("vaulted", &vaulted),
    ] {
        let there = root_reads(
            &testbed,
            NGINX,
            &format!("stat -c %a:%U {target}/{name}; cat {target}/{name}"),
        );
        assert_eq!(String::from_utf8_lossy(&there), format!("600:root\n{secret}"), "{name}");
    }
}
