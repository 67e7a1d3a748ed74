//! Small resources, and a fleet of local shells, each with a folder of its own.

use async_trait::async_trait;
use mosip_prov_engine::binding::{Binding, BoundHost, Decisions, Key, Recorder};
use mosip_prov_engine::events::{Event, EventKind};
use mosip_prov_engine::inventory::diagnostic::Diagnostics;
use mosip_prov_engine::inventory::{Inventory, LoadOptions, load};
use mosip_prov_engine::journal::{Journal, Past, RunSummary};
use mosip_prov_engine::testing::PlacedHost;
use mosip_prov_engine::{
    Answers, Ask, CancelHandle, Change, Content, DecideError, Decision, Engine, FileToWrite, Patience, Playbook,
    Prepared, Probe, Question, RawAnswer, Resource, Role, RoleContext, RoleTasks, RunOptions, RunReport, Shell, Shown,
    Touch, WriteFiles, host_vars, prepare,
};
use mosip_prov_transport::error::{ConnectError, ErrorKind};
use mosip_prov_transport::{Connector, Host, Target, TransportError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

// ---- one probe: the content of files

struct ContentProbe;

impl Probe for ContentProbe {
    fn name(&self) -> &'static str {
        "content"
    }
    fn script(&self, subjects: &[&str]) -> String {
        subjects
            .iter()
            .map(|s| format!("if [ -e '{s}' ]; then echo =$(cat '{s}'); else echo -; fi\n"))
            .collect()
    }
    fn split(&self, output: &str, _: &[&str]) -> Vec<RawAnswer> {
        output.lines().map(|l| Ok(l.to_owned())).collect()
    }
    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        touch.concerns_path(subject)
    }
}

struct ContentOf<'a>(&'a str);

impl Ask for ContentOf<'_> {
    type Answer = Option<String>;
    fn question(&self) -> Question {
        Question::new(&ContentProbe, self.0)
    }
    fn read(&self, raw: &str) -> Result<Option<String>, String> {
        match raw.split_at_checked(1) {
            Some(("=", text)) => Ok(Some(text.to_owned())),
            Some(("-", "")) => Ok(None),
            _ => Err(format!("{raw:?}")),
        }
    }
}

/// The question for a file's content.
pub fn content_of(path: &str) -> Question {
    ContentOf(path).question()
}

/// The answer to it.
pub fn content(answers: &Answers, path: &str) -> Result<Option<String>, DecideError> {
    Ok(answers.get(&ContentOf(path))?)
}

// ---- resources

/// A file with one line.
pub struct Put {
    path: String,
    line: &'static str,
    append: bool,
}

impl Put {
    pub fn new(path: String, line: &'static str) -> Self {
        Self {
            path,
            line,
            append: false,
        }
    }
    /// Always a change: one more line.
    pub fn append(path: String, line: &'static str) -> Self {
        Self {
            path,
            line,
            append: true,
        }
    }
}

impl Resource for Put {
    fn kind(&self) -> &'static str {
        "put"
    }
    fn questions(&self) -> Vec<Question> {
        vec![ContentOf(&self.path).question()]
    }
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let before = answers.get(&ContentOf(&self.path))?;
        if !self.append && before.as_deref() == Some(self.line) {
            return Ok(Decision::nothing("it is there"));
        }
        let (op, path) = (if self.append { ">>" } else { ">" }, &self.path);
        // $HOST stands for a folder that exists anywhere, for tasks that run on another machine.
        let path = path.replace("$HOST", concat!(env!("CARGO_TARGET_TMPDIR"), "/toy"));
        let script = format!("mkdir -p \"$(dirname '{path}')\" && echo '{}' {op} '{path}'", self.line);
        Ok(Change::new(format!("put {}", self.line))
            .differs(
                "content",
                before.map_or(Shown::Absent, Shown::text),
                Shown::text(self.line),
            )
            .step(Shell::new("put", script))
            .touching([Touch::Path(self.path.clone())])
            .into())
    }
}

/// A file written atomically, and a service that only comes up on good content.
pub struct Config {
    pub path: String,
    pub content: &'static str,
}

impl Resource for Config {
    fn kind(&self) -> &'static str {
        "config"
    }
    fn questions(&self) -> Vec<Question> {
        vec![ContentOf(&self.path).question()]
    }
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        if answers.get(&ContentOf(&self.path))?.as_deref() == Some(self.content) {
            return Ok(Decision::nothing("it is there"));
        }
        let id = |flag| {
            let out = std::process::Command::new("id").arg(flag).output().expect("id");
            String::from_utf8(out.stdout).expect("text").trim().to_owned()
        };
        Ok(Change::new("write the configuration")
            .step(WriteFiles {
                files: vec![FileToWrite {
                    path: self.path.clone(),
                    content: Content::public(format!("{}\n", self.content)),
                    mode: 0o644,
                    owner: id("-u"),
                    group: id("-g"),
                    keep_first: None,
                }],
                validate: None,
            })
            .touching([Touch::Path(self.path.clone())])
            .into())
    }
}

/// Restarts a make-believe service: it comes up, and notes on what, unless its configuration says `bad`.
pub struct Restart {
    pub config: String,
    pub state: String,
}

impl Resource for Restart {
    fn kind(&self) -> &'static str {
        "restart"
    }
    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }
    fn judges(&self) -> bool {
        true
    }
    fn decide(&self, _: &Answers) -> Result<Decision, DecideError> {
        let script = format!(
            "rm -f '{state}'; if grep -q bad '{config}'; then echo 'E: bad configuration' >&2; exit 1; fi; cp '{config}' '{state}'",
            config = self.config,
            state = self.state
        );
        Ok(Change::new("restart")
            .step(Shell::new("restart", script))
            .touching([])
            .into())
    }
}

/// A change that fails.
pub struct Fail {
    message: &'static str,
    until: Option<(String, u32)>,
}

impl Fail {
    pub fn saying(message: &'static str) -> Self {
        Self { message, until: None }
    }
    /// Fails until it was tried so many times, counting in a file.
    pub fn until(path: String, times: u32) -> Self {
        Self {
            message: "not yet",
            until: Some((path, times)),
        }
    }
}

impl Resource for Fail {
    fn kind(&self) -> &'static str {
        "fail"
    }
    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }
    fn decide(&self, _: &Answers) -> Result<Decision, DecideError> {
        let script = match &self.until {
            None => format!("echo something; echo '{}' >&2; exit 9", self.message),
            Some((path, times)) => {
                format!("mkdir -p \"$(dirname '{path}')\"; echo x >>'{path}'; [ $(wc -l <'{path}') -ge {times} ]")
            }
        };
        Ok(Change::new("do what fails")
            .step(Shell::new("fail", script))
            .touching([])
            .into())
    }
}

/// A long step that prints so many lines, with control sequences.
pub struct Noisy(pub u32);

impl Resource for Noisy {
    fn kind(&self) -> &'static str {
        "noisy"
    }
    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }
    fn decide(&self, _: &Answers) -> Result<Decision, DecideError> {
        let script = format!(
            "i=0; while [ $i -lt {} ]; do i=$((i+1)); printf '\\033[31mline %s\\033[0m\\n' $i; done",
            self.0
        );
        let shell = Shell::new("noise", script).long(Duration::from_secs(20));
        Ok(Change::new("make noise").step(shell).touching([]).into())
    }
}

/// A long step that says so and goes on until it is asked to stop.
pub struct Endless;

impl Resource for Endless {
    fn kind(&self) -> &'static str {
        "endless"
    }
    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }
    fn decide(&self, _: &Answers) -> Result<Decision, DecideError> {
        let shell = Shell::new("endless work", "echo going; while :; do sleep 0.1; done").long(Duration::from_secs(60));
        Ok(Change::new("work without end").step(shell).touching([]).into())
    }
}

/// Starts a make-believe service on whatever its configuration says.
pub struct Start {
    pub config: String,
    pub state: String,
}

impl Resource for Start {
    fn kind(&self) -> &'static str {
        "start"
    }
    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }
    fn judges(&self) -> bool {
        true
    }
    fn decide(&self, _: &Answers) -> Result<Decision, DecideError> {
        let script = format!("cp '{}' '{}'", self.config, self.state);
        let touched = Touch::Path(self.state.clone());
        Ok(Change::new("start")
            .step(Shell::new("start", script))
            .touching([touched])
            .into())
    }
}

/// Whether that service is well.
pub struct Well {
    pub state: String,
}

impl Resource for Well {
    fn kind(&self) -> &'static str {
        "well"
    }
    fn questions(&self) -> Vec<Question> {
        vec![ContentOf(&self.state).question()]
    }
    fn judges(&self) -> bool {
        true
    }
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        match answers.get(&ContentOf(&self.state))?.as_deref() {
            Some("good") => Ok(Decision::nothing("it is well")),
            other => Ok(Decision::NotYet {
                reason: format!("it is {other:?}"),
            }),
        }
    }
    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_millis(5),
            at_most: Duration::from_millis(50),
        }
    }
}

/// Finds nothing to do, and cancels the run while it decides.
pub struct Cancels(pub Option<CancelHandle>);

impl Resource for Cancels {
    fn kind(&self) -> &'static str {
        "cancels"
    }
    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }
    fn decide(&self, _: &Answers) -> Result<Decision, DecideError> {
        if let Some(handle) = &self.0 {
            handle.cancel();
        }
        Ok(Decision::nothing("there is nothing to do"))
    }
}

/// A change that takes a while.
pub struct Pause(pub Duration);

impl Resource for Pause {
    fn kind(&self) -> &'static str {
        "pause"
    }
    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }
    fn decide(&self, _: &Answers) -> Result<Decision, DecideError> {
        let shell = Shell::new("pause", format!("sleep {}", self.0.as_secs()));
        Ok(Change::new("pause").step(shell).touching([]).into())
    }
}

/// Long work that makes a file when it is done.
pub struct Install {
    pub path: String,
}

impl Resource for Install {
    fn kind(&self) -> &'static str {
        "install"
    }
    fn questions(&self) -> Vec<Question> {
        vec![ContentOf(&self.path).question()]
    }
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        if answers.get(&ContentOf(&self.path))?.is_some() {
            return Ok(Decision::nothing("it is installed"));
        }
        let path = &self.path;
        let script = format!("echo begun; sleep 4; mkdir -p \"$(dirname '{path}')\"; echo x >>'{path}'");
        let shell = Shell::new("install", script).long(Duration::from_secs(60));
        Ok(Change::new("install").step(shell).into())
    }
}

/// Finds nothing to do where a file is, and cannot be where it is not.
pub struct Needs {
    path: String,
}

impl Needs {
    pub fn the_file(path: String) -> Self {
        Self { path }
    }
}

impl Resource for Needs {
    fn kind(&self) -> &'static str {
        "needs"
    }
    fn questions(&self) -> Vec<Question> {
        vec![ContentOf(&self.path).question()]
    }
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        match answers.get(&ContentOf(&self.path))? {
            Some(_) => Ok(Decision::nothing("it is there")),
            None => Err(DecideError::impossible("the file is missing")),
        }
    }
}

/// A path that is waited for.
pub struct Wait {
    path: String,
    make: bool,
}

impl Wait {
    /// `make`: asking for it the second time finds it.
    pub fn for_path(path: String, make: bool) -> Self {
        Self { path, make }
    }
}

struct WaitProbe;

impl Probe for WaitProbe {
    fn name(&self) -> &'static str {
        "wait"
    }
    fn script(&self, subjects: &[&str]) -> String {
        // Asking leaves a mark beside the path, so that the second asking differs from the first.
        subjects
            .iter()
            .map(|s| format!("mkdir -p \"$(dirname '{s}')\"; if [ -e '{s}.asked' ]; then echo yes; else echo no; : >'{s}.asked'; fi\n"))
            .collect()
    }
    fn split(&self, output: &str, _: &[&str]) -> Vec<RawAnswer> {
        output.lines().map(|l| Ok(l.to_owned())).collect()
    }
}

struct Asked<'a>(&'a str);

impl Ask for Asked<'_> {
    type Answer = bool;
    fn question(&self) -> Question {
        Question::new(&WaitProbe, self.0)
    }
    fn read(&self, raw: &str) -> Result<bool, String> {
        Ok(raw == "yes")
    }
}

impl Resource for Wait {
    fn kind(&self) -> &'static str {
        "wait"
    }
    fn questions(&self) -> Vec<Question> {
        vec![Asked(&self.path).question()]
    }
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        if self.make && answers.get(&Asked(&self.path))? {
            return Ok(Decision::nothing("it came"));
        }
        Ok(Decision::NotYet {
            reason: format!("{} is not there", self.path),
        })
    }
    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_millis(5),
            at_most: Duration::from_millis(100),
        }
    }
}

/// Finds nothing to do, and says how often its question was asked.
pub struct Counts {
    path: String,
}

impl Counts {
    pub fn at(path: String) -> Self {
        Self { path }
    }
}

struct CountProbe;

impl Probe for CountProbe {
    fn name(&self) -> &'static str {
        "count"
    }
    fn script(&self, subjects: &[&str]) -> String {
        subjects
            .iter()
            .map(|s| format!("mkdir -p \"$(dirname '{s}')\"; echo x >>'{s}'; wc -l <'{s}'\n"))
            .collect()
    }
    fn split(&self, output: &str, _: &[&str]) -> Vec<RawAnswer> {
        output.lines().map(|l| Ok(l.to_owned())).collect()
    }
}

struct Count<'a>(&'a str);

impl Ask for Count<'_> {
    type Answer = String;
    fn question(&self) -> Question {
        Question::new(&CountProbe, self.0)
    }
    fn read(&self, raw: &str) -> Result<String, String> {
        Ok(raw.trim().to_owned())
    }
}

impl Resource for Counts {
    fn kind(&self) -> &'static str {
        "counts"
    }
    fn questions(&self) -> Vec<Question> {
        vec![Count(&self.path).question()]
    }
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let times = answers.get(&Count(&self.path))?;
        Ok(Decision::nothing(format!("asked {times} times")))
    }
}

/// Says that it fails the first time it is asked, or always.
pub struct Fails {
    pub path: String,
    pub always: bool,
}

impl Resource for Fails {
    fn kind(&self) -> &'static str {
        "fails"
    }
    fn questions(&self) -> Vec<Question> {
        vec![Count(&self.path).question()]
    }
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let times = answers.get(&Count(&self.path))?;
        if !self.always && times != "1" {
            return Ok(Decision::nothing("it is well by now"));
        }
        Ok(Decision::Failing {
            reason: "it says that it cannot".to_owned(),
            help: Some("look at it".to_owned()),
        })
    }
    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_millis(5),
            at_most: Duration::from_secs(2),
        }
    }
}

// ---- a role from a closure

type Fill = dyn Fn(&ToyContext<'_>, &mut RoleTasks) + Send + Sync;

pub struct Toy {
    name: &'static str,
    fill: Arc<Fill>,
}

pub struct ToyContext<'a> {
    host: &'a str,
    root: PathBuf,
}

impl ToyContext<'_> {
    pub fn host(&self) -> &str {
        self.host
    }
    /// A path in the host's own folder.
    pub fn path(&self, name: &str) -> String {
        self.root.join(self.host).join(name).to_str().expect("utf8").to_owned()
    }
}

pub fn role(name: &'static str, fill: impl Fn(&ToyContext<'_>, &mut RoleTasks) + Send + Sync + 'static) -> Toy {
    Toy {
        name,
        fill: Arc::new(fill),
    }
}

impl Role for Toy {
    fn name(&self) -> &str {
        self.name
    }
    fn summary(&self) -> &str {
        "for tests"
    }
    fn tasks(&self, cx: &RoleContext<'_>, _: &mut Diagnostics) -> RoleTasks {
        let mut out = RoleTasks::default();
        let root = cx.vars.string("root").ok().flatten().expect("the bench sets root");
        (self.fill)(
            &ToyContext {
                host: cx.host,
                root: root.into(),
            },
            &mut out,
        );
        out
    }
}

// ---- the fleet

/// Local shells by the names of an inventory.
pub struct Fleet {
    inventory: Arc<Inventory>,
}

impl Fleet {
    pub fn new(hosts: &[&str]) -> Self {
        Self::with_root(hosts, Path::new("/nonexistent"))
    }

    fn with_root(hosts: &[&str], root: &Path) -> Self {
        let loaded = load(&LoadOptions {
            sources: vec![format!("{},", hosts.join(","))],
            extra_vars: vec![format!("root={}", root.display()), "ansible_become=false".into()],
            ..LoadOptions::default()
        });
        assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
        Self {
            inventory: Arc::new(loaded.inventory),
        }
    }

    /// The hosts of an inventory in INI form.
    pub fn with_inventory(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("tempdir");
        let file = folder.path().join("hosts.ini");
        std::fs::write(&file, text).expect("written");
        let loaded = load(&LoadOptions {
            sources: vec![file.to_str().expect("utf8").to_owned()],
            extra_vars: vec!["root=/nonexistent".into(), "ansible_become=false".into()],
            ..LoadOptions::default()
        });
        assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
        Self {
            inventory: Arc::new(loaded.inventory),
        }
    }

    pub fn prepare(&self, book: &Playbook, options: &RunOptions) -> Result<Prepared, Diagnostics> {
        let vars = host_vars(&self.inventory, options.check);
        prepare(
            std::slice::from_ref(book),
            &self.inventory,
            &vars,
            options,
            &|vars, _| Some(Target::local(vars.host().to_string())),
        )
    }
}

struct Locals {
    late: Option<String>,
    seen: AtomicBool,
    site: PathBuf,
    down: Vec<String>,
    connected: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Connector for Locals {
    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, TransportError> {
        let late =
            self.late.as_ref().is_some_and(|name| *name == target.name) && !self.seen.swap(true, Ordering::SeqCst);
        if late || self.down.contains(&target.name) {
            let kind = ErrorKind::Unreachable {
                address: target.name.clone(),
                attempts: 1,
                cause: ConnectError::Refused,
            };
            return Err(TransportError::new(&target.name, kind));
        }
        self.connected.lock().expect("lock").push(target.name.clone());
        Ok(Arc::new(PlacedHost::new(target, &self.site)))
    }
}

/// A fleet, its folder, and what the last run told.
pub struct Bench {
    fleet: Fleet,
    root: tempfile::TempDir,
    late: Option<String>,
    down: Vec<String>,
    connected: Arc<Mutex<Vec<String>>>,
    events: Mutex<Vec<Event>>,
    journal: bool,
}

impl Bench {
    pub fn new(hosts: &[&str]) -> Self {
        let root = tempfile::tempdir().expect("tempdir");
        Self {
            fleet: Fleet::with_root(hosts, root.path()),
            root,
            late: None,
            down: Vec::new(),
            connected: Arc::default(),
            events: Mutex::default(),
            journal: false,
        }
    }

    /// Runs are written down, and make good what earlier ones owe.
    pub fn with_journal(mut self) -> Self {
        self.journal = true;
        self
    }

    /// What the journal says.
    pub fn past(&self) -> Past {
        Journal::past(self.root.path()).expect("readable")
    }

    /// A host that answers only the second time.
    pub fn late(mut self, host: &str) -> Self {
        self.late = Some(host.to_owned());
        self
    }

    pub fn down(mut self, host: &str) -> Self {
        self.down.push(host.to_owned());
        self
    }

    pub async fn run(&self, book: &Playbook, options: RunOptions) -> RunReport {
        self.run_with(book, options, &CancelHandle::new(), |_| {}).await
    }

    pub async fn run_with(
        &self,
        book: &Playbook,
        options: RunOptions,
        cancel: &CancelHandle,
        handler: impl FnMut(&Event),
    ) -> RunReport {
        let prepared = self.fleet.prepare(book, &options).unwrap_or_else(|e| panic!("{e:?}"));
        self.go(&prepared, options, cancel, handler).await
    }

    /// What is decided, with nothing done.
    pub async fn plan(&self, book: &Playbook) -> BTreeMap<String, Decisions> {
        let options = RunOptions {
            check: true,
            ..RunOptions::default()
        };
        let prepared = self.fleet.prepare(book, &options).unwrap_or_else(|e| panic!("{e:?}"));
        let recorder = Arc::new(Recorder::new(Key::new([7; 32])));
        let past = if self.journal { self.past() } else { Past::default() };
        let tuned = |engine: Engine| engine.with_recorder(recorder.clone(), past);
        self.go_tuned(&prepared, options, &CancelHandle::new(), |_| {}, tuned)
            .await;
        recorder.decisions()
    }

    /// Does what was planned, or leaves hosts as they are.
    pub async fn apply(&self, book: &Playbook, planned: &BTreeMap<String, Decisions>) -> RunReport {
        let options = RunOptions::default();
        let prepared = self.fleet.prepare(book, &options).unwrap_or_else(|e| panic!("{e:?}"));
        let hosts = planned.iter().map(|(host, decisions)| {
            let bound = match decisions.cut_off {
                true => BoundHost::NotPlanned("it failed".into()),
                false => BoundHost::Planned(decisions.tasks.clone()),
            };
            (host.clone(), bound)
        });
        let binding = Arc::new(Binding {
            key: Key::new([7; 32]),
            hosts: hosts.collect(),
        });
        let tuned = |engine: Engine| engine.with_binding(binding);
        self.go_tuned(&prepared, options, &CancelHandle::new(), |_| {}, tuned)
            .await
    }

    async fn go(
        &self,
        prepared: &Prepared,
        options: RunOptions,
        cancel: &CancelHandle,
        handler: impl FnMut(&Event),
    ) -> RunReport {
        self.go_tuned(prepared, options, cancel, handler, |engine| engine).await
    }

    async fn go_tuned(
        &self,
        prepared: &Prepared,
        options: RunOptions,
        cancel: &CancelHandle,
        mut handler: impl FnMut(&Event),
        tuned: impl FnOnce(Engine) -> Engine,
    ) -> RunReport {
        let connector = Arc::new(Locals {
            late: self.late.clone(),
            seen: AtomicBool::new(false),
            site: self.root.path().to_path_buf(),
            down: self.down.clone(),
            connected: self.connected.clone(),
        });
        let mut events = Vec::new();
        let mut engine = Engine::new(connector, options);
        if self.journal {
            let past = self.past();
            engine = engine.with_journal(Arc::new(Journal::begin(self.root.path()).expect("begins")), past);
        }
        let report = tuned(engine)
            .run(
                prepared,
                |event| {
                    handler(event);
                    events.push(event.clone());
                },
                cancel,
            )
            .await;
        *self.events.lock().expect("lock") = events;
        report
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().expect("lock").clone()
    }

    pub fn warnings(&self) -> Vec<String> {
        self.events()
            .into_iter()
            .filter_map(|e| match e.kind {
                EventKind::Warning { message, .. } => Some(message),
                _ => None,
            })
            .collect()
    }

    pub fn connected(&self) -> Vec<String> {
        self.connected.lock().expect("lock").clone()
    }

    pub fn files(&self, host: &str) -> Vec<String> {
        let Ok(dir) = std::fs::read_dir(self.root.path().join(host)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = dir
            .map(|e| e.expect("entry").file_name().into_string().expect("utf8"))
            .collect();
        names.sort();
        names
    }

    /// As if the runs that hold locks had been gone for long.
    pub fn forget_locks(&self) {
        for site in self.sites() {
            let _ = std::fs::remove_file(self.root.path().join(site).join("lock"));
        }
    }

    /// Continues `run`.
    pub async fn resume(&self, book: &Playbook, run: &RunSummary) -> RunReport {
        let options = RunOptions::default();
        let mut prepared = self.fleet.prepare(book, &options).unwrap_or_else(|e| panic!("{e:?}"));
        prepared.resume(run);
        self.go(&prepared, options, &CancelHandle::new(), |_| {}).await
    }

    /// What runs have left of locks and the like.
    pub fn sites(&self) -> Vec<String> {
        let dir = std::fs::read_dir(self.root.path()).expect("there");
        let names = dir.map(|e| e.expect("entry").file_name().into_string().expect("utf8"));
        names.filter(|n| n.starts_with("site-")).collect()
    }

    pub fn exists(&self, host: &str, name: &str) -> bool {
        self.root.path().join(host).join(name).exists()
    }

    pub fn read(&self, host: &str, name: &str) -> String {
        std::fs::read_to_string(self.root.path().join(host).join(name)).expect("readable")
    }
}
