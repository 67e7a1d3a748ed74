//! Playbooks whose runs are cut, killed and interrupted, the controllers that run them in processes of their own, and
//! what must hold of a host afterwards.

use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use mosip_prov::inventory::diagnostic::Diagnostics;
use mosip_prov::journal::{Journal, Past};
use mosip_prov::resources::{Apt, Command, File, Role, RoleContext, RoleTasks, Task, Unit};
use mosip_prov::{Play, PlaybookDefinition};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::Ran;
use crate::program_path;
use crate::testbed::Testbed;

/// Where the playbooks of this module write.
pub const FOLDER: &str = "/etc/survive";
/// The unit they make.
pub const UNIT: &str = "survive.service";
/// What the service is to be like: `good`, `bad` (it does not come up), read by [`find`].
pub const VARIANT: &str = "MOSIP_PROV_SURVIVE_VARIANT";
/// How many files [`find`]'s playbook `many` writes.
pub const MANY: usize = 200;

struct Steps(&'static str, fn() -> RoleTasks);

/// A role whose tasks are there already.
struct Made(String, RoleTasks);

impl Role for Made {
    fn name(&self) -> &str {
        &self.0
    }

    fn summary(&self) -> &str {
        "steps that meet faults"
    }

    fn tasks(&self, _cx: &RoleContext<'_>, _problems: &mut Diagnostics) -> RoleTasks {
        self.1.clone()
    }
}

fn made(name: &str, tasks: RoleTasks) -> Option<PlaybookDefinition> {
    let mut playbook = PlaybookDefinition::new(name, "a playbook of the tests' own");
    playbook
        .plays
        .push(Play::new(name, "physical_vms").role(Made(name.to_owned(), tasks)));
    Some(playbook)
}

impl Role for Steps {
    fn name(&self) -> &str {
        self.0
    }

    fn summary(&self) -> &str {
        "steps of every kind"
    }

    fn tasks(&self, _cx: &RoleContext<'_>, _problems: &mut Diagnostics) -> RoleTasks {
        self.1()
    }
}

/// The playbook of that name, on all hosts that `--limit` leaves.
///
/// `steps`: a package, files small and large, a unit, a command, a long command. `handler`: a handler whose run can be
/// kept off by files on the host. `many`: small files. `service`: a unit that may not come up. `three`: the second of
/// three tasks fails where the host says so.
pub fn find(name: &str) -> Option<PlaybookDefinition> {
    let make: fn() -> RoleTasks = match name {
        "steps" => steps,
        "handler" => handler,
        "many" => many,
        "service" => service,
        "three" => three,
        _ => return made(name, crate::faults::steps::find(name)?),
    };
    let mut playbook = PlaybookDefinition::new(name, "a playbook of the tests' own");
    // The name lives as long as the process, which runs one playbook.
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    playbook
        .plays
        .push(Play::new(name, "physical_vms:mosip_obs:nginx:nginx_obs").role(Steps(name, make)));
    Some(playbook)
}

fn in_folder(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

fn folder() -> Task {
    Task::new("Make a folder", File::directory(FOLDER).mode(0o755))
}

fn unit_file(start: &str) -> String {
    format!("[Unit]\nDescription=a service of a test\n[Service]\nExecStartPre=/bin/sleep 2\nExecStart={start}\n")
}

/// What the large file of `steps` holds.
pub fn large() -> String {
    "a line of a file that does not travel in one piece\n".repeat(60_000)
}

fn steps() -> RoleTasks {
    RoleTasks {
        tasks: vec![
            Task::new("Install a package", Apt::present(["tree"])),
            folder(),
            Task::new("Write a file", File::content(in_folder("small"), "small\n").mode(0o640)).notify("note it"),
            Task::new(
                "Write a large file",
                File::content(in_folder("large"), large()).mode(0o600),
            ),
            Task::new(
                "Write a unit",
                File::content(format!("/etc/systemd/system/{UNIT}"), unit_file("/bin/sleep infinity")).mode(0o644),
            )
            .notify("restart the unit"),
            Task::new(
                "Run a command",
                Command::new(format!("sleep 3; echo done >{}", in_folder("command"))).creates(in_folder("command")),
            ),
            Task::new(
                "Run a long command",
                Command::new(format!(
                    "for i in 1 2 3 4 5 6; do echo line $i; sleep 1; done; echo done >{}",
                    in_folder("long")
                ))
                .creates(in_folder("long"))
                .long(Duration::from_secs(600)),
            ),
        ],
        handlers: vec![
            Task::new("restart the unit", Unit::restarted(UNIT)),
            Task::new("note it", Command::new(format!("echo noted >>{}", in_folder("noted")))),
        ],
    }
}

fn handler() -> RoleTasks {
    RoleTasks {
        tasks: vec![
            folder(),
            Task::new("Write a file", File::content(in_folder("small"), "small\n")).notify("note it"),
            Task::new(
                "Pause",
                Command::new("echo pausing; sleep 5; echo rested")
                    .unless(format!("test -e {}", in_folder("no-pause")))
                    .long(Duration::from_secs(60)),
            ),
            Task::new(
                "Fail",
                Command::new("echo no >&2; exit 3").only_if(format!("test -e {}", in_folder("fail"))),
            ),
        ],
        handlers: vec![Task::new(
            "note it",
            Command::new(format!("echo noted >>{}", in_folder("noted"))),
        )],
    }
}

fn many() -> RoleTasks {
    let file = |number: usize| {
        let path = in_folder(&format!("file-{number:03}"));
        Task::new(
            format!("Write file {number}"),
            File::content(path, format!("this is file {number}\n")).mode(0o644),
        )
    };
    RoleTasks {
        tasks: std::iter::once(folder()).chain((1..=MANY).map(file)).collect(),
        handlers: Vec::new(),
    }
}

fn service() -> RoleTasks {
    let start = match std::env::var(VARIANT).as_deref() {
        Ok("bad") => "/bin/false",
        _ => "/bin/sleep infinity",
    };
    RoleTasks {
        tasks: vec![
            Task::new(
                "Write a unit",
                File::content(format!("/etc/systemd/system/{UNIT}"), unit_file(start)).mode(0o644),
            )
            .notify("restart the unit"),
        ],
        handlers: vec![Task::new("restart the unit", Unit::restarted(UNIT))],
    }
}

fn three() -> RoleTasks {
    let noted = |name: &str| {
        let path = in_folder(name);
        Task::new(format!("Note {name}"), Command::new(format!("echo {name} >>{path}")))
    };
    RoleTasks {
        tasks: vec![
            folder(),
            noted("one"),
            Task::new(
                "Fail where the host says so",
                Command::new("echo no >&2; exit 3").only_if(format!("test -e {}", in_folder("fail"))),
            ),
            noted("three"),
        ],
        handlers: Vec::new(),
    }
}

/// Takes away what the playbooks of this module make and what broken runs left, and sees to it that there is a package index.
pub fn clean(testbed: &Testbed, host: &str) {
    testbed.root(
        host,
        &format!(
            "systemctl disable -q --now {UNIT} 2>/dev/null; rm -rf {FOLDER} /etc/systemd/system/{UNIT} /run/mosip-prov /var/lib/mosip-prov; systemctl daemon-reload; systemctl reset-failed {UNIT} 2>/dev/null
apt-get -q -y purge tree >/dev/null 2>&1
ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || apt-get -q update >/dev/null"
        ),
    );
}

/// What playbook `steps` makes of a host, as text.
pub fn result_of_steps(testbed: &Testbed, host: &str) -> String {
    testbed
        .root(
            host,
            &format!(
                "cd {FOLDER} || exit 0
stat -c '%n %a %U %s' *
sha256sum small large command long
sort -u noted
systemctl is-active {UNIT}
sha256sum /etc/systemd/system/{UNIT}
dpkg-query -W -f '${{Status}}\\n' tree"
            ),
        )
        .lines()
        // How often a handler ran is not part of the state; that it ran is.
        .map(|line| if line.starts_with("noted ") { "noted" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

/// What runs left on a host, and what dpkg complains: nothing, when all is well.
///
/// Shells of connections that broke end when their host notices, so they are waited for: what the controller says last is
/// sent again at growing intervals, which after a long cut are longer than a minute.
pub fn leftovers(testbed: &Testbed, host: &str) -> String {
    let script = "look() {
for d in /run/mosip-prov /var/lib/mosip-prov; do [ -e $d ] && find $d; done
find /run /dev/shm /tmp /var/tmp -xdev -name '*mosip-prov*' 2>/dev/null
find / -xdev -name '*.mosip-prov.*' 2>/dev/null
systemctl list-units --all --plain --no-legend 'mosip-prov-*'
dpkg --audit
}
i=0; while [ $((i += 1)) -le 150 ]; do
left=$(look | sort -u)
[ -z \"$left\" ] && break
sleep 1
done
printf '%s\\n' \"$left\"";
    testbed.root(host, script)
}

/// A controller: a folder with an inventory of its own, and with it a journal of its own.
pub struct Controller {
    folder: TempDir,
    inventory: PathBuf,
    program: Program,
    variables: Vec<(&'static str, String)>,
}

#[derive(Clone, Copy)]
enum Program {
    /// The program that operators use.
    Real,
    /// The playbooks of this module.
    Small,
}

/// A run that is under way.
pub struct Running {
    child: Child,
    words: Vec<String>,
    began: Instant,
    events: PathBuf,
}

impl Controller {
    /// One that uses the program as operators do.
    pub fn real(testbed: &Testbed) -> Self {
        Self::new(testbed, Program::Real)
    }

    /// One that runs the playbooks of [`find`].
    pub fn small(testbed: &Testbed) -> Self {
        Self::new(testbed, Program::Small)
    }

    /// One that runs the playbooks of [`find`], with all that it writes below `place`.
    pub fn small_in(testbed: &Testbed, place: &Path) -> Self {
        Self::at(testbed, Program::Small, tempfile::tempdir_in(place).expect("a folder"))
    }

    fn new(testbed: &Testbed, program: Program) -> Self {
        Self::at(testbed, program, tempfile::tempdir().expect("a folder"))
    }

    fn at(testbed: &Testbed, program: Program, folder: TempDir) -> Self {
        let inventory = testbed.copy_inventory(folder.path());
        // Journals of other runs are no part of the copy.
        let _ = std::fs::remove_dir_all(folder.path().join("inventory/.mosip-prov"));
        Self {
            folder,
            inventory,
            program,
            variables: Vec::new(),
        }
    }

    /// The same with an environment variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(have, _)| *have != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    /// The file with the hosts, for the caller to change.
    pub fn inventory(&self) -> &Path {
        &self.inventory
    }

    /// Starts `words`, with the inventory and a file for events when they begin with `run`.
    ///
    /// # Panics
    /// The program is not built.
    pub fn start(&self, words: &[&str]) -> Running {
        let path = match self.program {
            Program::Real => program_path("MOSIP_PROV_BIN", "mosip-prov", "mosip-prov-cli"),
            Program::Small => program_path("MOSIP_PROV_SMALL", "small-controller", "mosip-prov-tests"),
        };
        let number = std::fs::read_dir(self.folder.path()).expect("the folder").count();
        let events = self.folder.path().join(format!("events-{number}.jsonl"));
        let mut command = Process::new(path);
        command
            .args(words)
            .arg("-i")
            .arg(&self.inventory)
            .env("HOME", self.folder.path())
            .env_remove("MOSIP_PROV_INVENTORY")
            .env_remove("SSH_AUTH_SOCK")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if words.first() == Some(&"run") {
            crate::write(&events, "");
            command.arg("--events").arg(&events);
        }
        Running {
            child: command.spawn().expect("the program can be started"),
            words: words.iter().map(ToString::to_string).collect(),
            began: Instant::now(),
            events,
        }
    }

    /// Runs `words` to their end.
    pub fn run(&self, words: &[&str]) -> Ran {
        self.start(words).end()
    }

    /// What the journal says.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn past(&self) -> Past {
        Journal::past(&self.folder.path().join("inventory/.mosip-prov")).expect("a journal")
    }

    /// Asserts that nothing is owed and no work is left, by the journal.
    ///
    /// # Panics
    /// Something is.
    #[track_caller]
    pub fn owes_nothing(&self) {
        let past = self.past();
        assert!(
            past.owed.is_empty() && past.units.is_empty(),
            "owed: {:?}\nleft: {:?}",
            past.owed,
            past.units
        );
    }
}

impl Running {
    /// Its events so far.
    pub fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.events).unwrap_or_default();
        // The last line may be half written.
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Waits for an event that satisfies `test`.
    ///
    /// # Panics
    /// It does not come; the message says what did.
    #[track_caller]
    pub fn wait_for(&mut self, patience: Duration, test: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        while began.elapsed() < patience {
            if self.events().iter().any(&test) {
                return;
            }
            if let Ok(Some(_)) = self.child.try_wait() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.events().iter().any(&test) {
            return;
        }
        let events: Vec<String> = self.events().iter().map(ToString::to_string).collect();
        panic!("it did not come to that: {:?}\n{}", self.words, events.join("\n"));
    }

    /// Waits until a task has begun on a host.
    #[track_caller]
    pub fn wait_for_task(&mut self, host: &str, task: &str) {
        self.wait_for(Duration::from_secs(300), |event| {
            event["type"] == "task_started" && event["host"] == host && event["task"] == task
        });
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `INT`, `KILL`.
    pub fn signal(&self, name: &str) {
        // One that has ended needs none.
        let _ = Process::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .stderr(Stdio::null())
            .status();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It cannot be waited for.
    pub fn end(self) -> Ran {
        let done = self.child.wait_with_output().expect("it ends");
        let text = std::fs::read_to_string(&self.events).unwrap_or_default();
        Ran {
            words: self.words,
            code: done.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
            events: text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
            took: self.began.elapsed(),
        }
    }
}

/// Numbers that look random and are the same for the same seed.
pub struct Seeded(u64);

impl Seeded {
    /// From the variable MOSIP_PROV_SEED, else from a fixed number, so that a failure can be had again.
    pub fn of_environment() -> Self {
        let seed = std::env::var("MOSIP_PROV_SEED").ok().and_then(|text| text.parse().ok());
        Self(seed.unwrap_or(20_261_124))
    }

    /// The next, from 0 up to 1.
    pub fn fraction(&mut self) -> f64 {
        // splitmix64: the constants are those of its definition.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}
