//! Plans that bind: made of hosts that are folders of this machine, written, read again and applied, with and without
//! something happening in between.

use mosip_prov::events::{Event, EventKind};
use mosip_prov::inventory::diagnostic::Diagnostics;
use mosip_prov::plans::Plan;
use mosip_prov::plans::format::{DecisionOf, State};
use mosip_prov::resources::{Command, Content, File, Role, RoleContext, RoleTasks, Task};
use mosip_prov::{
    CancelHandle, InputErrors, Play, PlaybookDefinition, Provisioner, Ready, RunOutcome, RunReport, Settings,
};
use mosip_prov_tests::apart::Apart;
use mosip_prov_tests::{own, write};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const HOSTS: [&str; 3] = ["a", "b", "c"];
const SECRET: &str = "hunter2-canary";

/// A folder, a configuration, a key, something that is set up once, and what is only right after it.
struct App;

impl Role for App {
    fn name(&self) -> &str {
        "app"
    }

    fn summary(&self) -> &str {
        "an application of a test"
    }

    fn tasks(&self, cx: &RoleContext<'_>, _problems: &mut Diagnostics) -> RoleTasks {
        let var = |name: &str| cx.vars.string(name).ok().flatten().unwrap_or_default();
        let folder = var("folder");
        let file = |name: &str| format!("{folder}/{name}");
        let key = Content::sensitive(format!("{}\n", var("secret")).into_bytes());
        RoleTasks {
            tasks: vec![
                Task::new("Make the folder", own(File::directory(&folder)).mode(0o755)),
                Task::new(
                    "Configure",
                    own(File::content(file("app.conf"), format!("level={}\n", var("level")))).mode(0o644),
                )
                .notify("tell"),
                Task::new("Keep the key", own(File::content(file("key"), key)).mode(0o600)),
                Task::new(
                    "Set up",
                    Command::new(format!("echo done > '{}'", file("setup"))).creates(file("setup")),
                ),
                Task::new("After", own(File::content(file("after"), "after\n")).mode(0o644)),
            ],
            handlers: vec![Task::new(
                "tell",
                Command::new(format!("echo told >> '{}'", file("log"))),
            )],
        }
    }
}

fn playbook() -> PlaybookDefinition {
    let mut playbook = PlaybookDefinition::new("app", "an application of a test");
    let mut play = Play::new("app", "here").role(App);
    // As whoever runs this.
    play.become_user = None;
    playbook.plays.push(play);
    playbook
}

/// Hosts, inventory and plan in a folder that goes with it.
struct Ground {
    root: tempfile::TempDir,
    levels: BTreeMap<&'static str, String>,
    secrets: BTreeMap<&'static str, String>,
}

struct Done {
    report: RunReport,
    events: Vec<Event>,
    connected: Vec<String>,
}

impl Done {
    fn moved(&self, host: &str) -> Vec<String> {
        let refused = self.report.hosts.get(host).and_then(|h| h.refused.as_ref());
        let moved = refused.map(|(_, moved)| moved.iter().map(|m| m.task.task.clone()).collect());
        moved.unwrap_or_default()
    }

    fn shown(&self) -> String {
        let lines = self.events.iter().map(|e| serde_json::to_string(e).expect("JSON"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Ground {
    fn new() -> Self {
        let ground = Self {
            root: tempfile::tempdir().expect("a folder"),
            levels: HOSTS.map(|h| (h, "1".to_owned())).into(),
            secrets: HOSTS.map(|h| (h, format!("{SECRET}-{h}"))).into(),
        };
        ground.write_inventory();
        ground
    }

    fn write_inventory(&self) {
        let mut text = "[here]\n".to_owned();
        for host in HOSTS {
            text += &format!(
                "{host} ansible_connection=local folder={} level={} secret={}\n",
                self.at(host, "").display(),
                self.levels[host],
                self.secrets[host]
            );
        }
        write(&self.root.path().join("hosts.ini"), &text);
    }

    fn at(&self, host: &str, file: &str) -> PathBuf {
        let folder = self.root.path().join(format!("host-{host}"));
        if file.is_empty() { folder } else { folder.join(file) }
    }

    fn plan_file(&self) -> PathBuf {
        self.root.path().join("the.plan")
    }

    fn settings(&self) -> Settings {
        Settings {
            inventory: vec![self.root.path().join("hosts.ini").to_string_lossy().into_owned()],
            ..Settings::default()
        }
    }

    fn go(&self, ready: Ready, down: &[&str]) -> (Ready, Done) {
        let connector = Apart::new(self.root.path(), down.iter().map(|h| (*h).to_owned()));
        let ready = ready.with_connector(connector.clone());
        let mut events = Vec::new();
        let report = tokio::runtime::Runtime::new()
            .expect("a runtime")
            .block_on(ready.run(|event| events.push(event.clone()), &CancelHandle::new()));
        let connected = connector.connected();
        (
            ready,
            Done {
                report,
                events,
                connected,
            },
        )
    }

    fn prepare(&self, settings: Settings) -> Ready {
        let provisioner = Provisioner::load(settings).unwrap_or_else(|e| panic!("{e}"));
        provisioner.prepare(&[playbook()]).unwrap_or_else(|e| panic!("{e}"))
    }

    /// A run as always, on some hosts.
    fn converge(&self, limit: &str) {
        let settings = Settings {
            limit: Some(limit.to_owned()),
            ..self.settings()
        };
        let (_, done) = self.go(self.prepare(settings), &[]);
        assert_eq!(done.report.outcome(), RunOutcome::Ok, "{}", done.shown());
    }

    /// Plans, and writes the plan.
    fn plan(&self, settings: Settings, down: &[&str]) -> Done {
        let settings = Settings {
            check: true,
            to_apply: true,
            ..settings
        };
        let ready = self.prepare(settings).recording().unwrap_or_else(|e| panic!("{e}"));
        let (ready, done) = self.go(ready, down);
        let plan = ready.plan(&done.report).expect("a plan");
        plan.write(&self.plan_file()).expect("written");
        done
    }

    fn read(&self) -> Plan {
        Plan::read(&self.plan_file()).unwrap_or_else(|e| panic!("{e}"))
    }

    fn bound(&self, settings: Settings) -> Result<Ready, InputErrors> {
        self.prepare(settings).bound_to(&self.read())
    }

    fn apply(&self, settings: Settings, down: &[&str]) -> Done {
        let ready = self.bound(settings).unwrap_or_else(|e| panic!("{e}"));
        let ready = ready.with_journal().unwrap_or_else(|e| panic!("{e}"));
        self.go(ready, down).1
    }

    /// Every file of a host: its mode and content.
    fn picture(&self, host: &str) -> BTreeMap<String, (u32, String)> {
        let folder = self.at(host, "");
        let mut picture = BTreeMap::new();
        let Ok(about) = fs::metadata(&folder) else {
            return picture;
        };
        picture.insert(".".to_owned(), (about.permissions().mode(), String::new()));
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            picture.insert(name, (mode, fs::read_to_string(&path).expect("text")));
        }
        picture
    }

    /// Whether all is there as the playbook wants it.
    fn is_right(&self, host: &str) -> bool {
        let picture = self.picture(host);
        let is =
            |name: &str, mode: u32, text: &str| picture.get(name).is_some_and(|(m, t)| m & 0o777 == mode && t == text);
        is("app.conf", 0o644, &format!("level={}\n", self.levels[host]))
            && is("key", 0o600, &format!("{}\n", self.secrets[host]))
            && picture.contains_key("setup")
            && is("after", 0o644, "after\n")
    }
}

/// Something that is done to the hosts or inputs.
#[derive(Clone, Copy)]
enum Do {
    Converge(&'static str),
    Write(&'static str, &'static str, &'static str),
    Mode(&'static str, &'static str, u32),
    Remove(&'static str, &'static str),
    RemoveAll(&'static str),
    Folder(&'static str, u32),
    Level(&'static str, &'static str),
    Secret(&'static str, &'static str),
    Apply,
}

impl Do {
    fn it(self, ground: &mut Ground) {
        match self {
            Self::Converge(limit) => ground.converge(limit),
            Self::Write(host, file, text) => write(&ground.at(host, file), text),
            Self::Mode(host, file, mode) => {
                fs::set_permissions(ground.at(host, file), fs::Permissions::from_mode(mode)).expect("set");
            }
            Self::Remove(host, file) => fs::remove_file(ground.at(host, file)).expect("removed"),
            Self::RemoveAll(host) => fs::remove_dir_all(ground.at(host, "")).expect("removed"),
            Self::Folder(host, mode) => {
                fs::create_dir(ground.at(host, "")).expect("made");
                fs::set_permissions(ground.at(host, ""), fs::Permissions::from_mode(mode)).expect("set");
            }
            Self::Level(host, level) => {
                ground.levels.insert(host, level.to_owned());
                ground.write_inventory();
            }
            Self::Secret(host, secret) => {
                ground.secrets.insert(host, secret.to_owned());
                ground.write_inventory();
            }
            Self::Apply => {
                let done = ground.apply(ground.settings(), &[]);
                assert_eq!(done.report.outcome(), RunOutcome::Ok, "{}", done.shown());
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expect {
    /// What was planned is done, and all is right.
    Applied,
    /// All is right, and nothing was changed.
    Nothing,
    /// Left as it is, because of this task among others; without one, because nothing was planned.
    Refused(&'static str),
    /// Not reached.
    Down,
}
use Expect::{Applied, Down, Nothing, Refused};

struct Case {
    name: &'static str,
    before: &'static [Do],
    down_at_planning: &'static [&'static str],
    between: &'static [Do],
    down_at_applying: &'static [&'static str],
    expect: [Expect; 3],
}

const ALL: &str = "a,b,c";

const fn case(name: &'static str, before: &'static [Do], between: &'static [Do], expect: [Expect; 3]) -> Case {
    Case {
        name,
        before,
        down_at_planning: &[],
        between,
        down_at_applying: &[],
        expect,
    }
}

const QUIET: &[Case] = &[
    case("fresh hosts", &[], &[], [Applied, Applied, Applied]),
    case(
        "hosts that are right",
        &[Do::Converge(ALL)],
        &[],
        [Nothing, Nothing, Nothing],
    ),
    case("one is right", &[Do::Converge("a")], &[], [Nothing, Applied, Applied]),
    case(
        "a configuration of another content",
        &[Do::Converge(ALL), Do::Write("a", "app.conf", "level=0\n")],
        &[],
        [Applied, Nothing, Nothing],
    ),
    case(
        "a configuration of another mode",
        &[Do::Converge(ALL), Do::Mode("a", "app.conf", 0o600)],
        &[],
        [Applied, Nothing, Nothing],
    ),
    case(
        "another key",
        &[
            Do::Converge(ALL),
            Do::Write("b", "key", "old\n"),
            Do::Mode("b", "key", 0o600),
        ],
        &[],
        [Nothing, Applied, Nothing],
    ),
    case(
        "a key that all may read",
        &[Do::Converge(ALL), Do::Mode("b", "key", 0o644)],
        &[],
        [Nothing, Applied, Nothing],
    ),
    case(
        "not set up",
        &[Do::Converge(ALL), Do::Remove("c", "setup")],
        &[],
        [Nothing, Nothing, Applied],
    ),
    case(
        "a file is gone",
        &[Do::Converge(ALL), Do::Remove("a", "after")],
        &[],
        [Applied, Nothing, Nothing],
    ),
    case(
        "all of it is gone",
        &[Do::Converge(ALL), Do::RemoveAll("b")],
        &[],
        [Nothing, Applied, Nothing],
    ),
    case(
        "something of each",
        &[
            Do::Converge(ALL),
            Do::Remove("a", "app.conf"),
            Do::Remove("b", "key"),
            Do::Remove("c", "setup"),
        ],
        &[],
        [Applied, Applied, Applied],
    ),
    case(
        "new values, planned with them",
        &[Do::Converge(ALL), Do::Level("b", "7"), Do::Secret("c", "another")],
        &[],
        [Nothing, Applied, Applied],
    ),
    Case {
        down_at_planning: &["b"],
        ..case("one is down at planning", &[], &[], [Applied, Refused(""), Applied])
    },
    Case {
        down_at_planning: &["b"],
        ..case(
            "one is down at planning, the others are right",
            &[Do::Converge(ALL)],
            &[],
            [Nothing, Refused(""), Nothing],
        )
    },
    Case {
        down_at_applying: &["c"],
        ..case("one is down at applying", &[], &[], [Applied, Applied, Down])
    },
    Case {
        down_at_applying: &["c"],
        ..case(
            "one is down where nothing is to be done",
            &[Do::Converge(ALL)],
            &[],
            [Nothing, Nothing, Down],
        )
    },
    case("applied before", &[], &[Do::Apply], [Nothing, Nothing, Nothing]),
    case(
        "applied before, to hosts half right",
        &[Do::Converge("a"), Do::Write("a", "app.conf", "level=0\n")],
        &[Do::Apply],
        [Nothing, Nothing, Nothing],
    ),
    case(
        "something that concerns nobody",
        &[Do::Folder("a", 0o755)],
        &[Do::Write("a", "notes", "mine\n")],
        [Applied, Applied, Applied],
    ),
    case(
        "written again as it was",
        &[Do::Converge(ALL), Do::Write("a", "app.conf", "level=0\n")],
        &[Do::Write("a", "app.conf", "level=0\n")],
        [Applied, Nothing, Nothing],
    ),
];

const DRIFT: &[Case] = &[
    case(
        "the folder was made, with another mode",
        &[],
        &[Do::Folder("a", 0o700)],
        [Refused("Make the folder"), Applied, Applied],
    ),
    case(
        "the folder was made, just so",
        &[],
        &[Do::Folder("a", 0o755)],
        [Refused("Make the folder"), Applied, Applied],
    ),
    case(
        "the configuration to be replaced was edited",
        &[Do::Converge(ALL), Do::Write("a", "app.conf", "level=0\n")],
        &[Do::Write("a", "app.conf", "level=2\n")],
        [Refused("Configure"), Nothing, Nothing],
    ),
    case(
        "a configuration that was right was edited",
        &[Do::Converge(ALL)],
        &[Do::Write("a", "app.conf", "level=2\n")],
        [Refused("Configure"), Nothing, Nothing],
    ),
    case(
        "a key that was right was replaced",
        &[Do::Converge(ALL)],
        &[Do::Write("b", "key", "other\n"), Do::Mode("b", "key", 0o600)],
        [Nothing, Refused("Keep the key"), Nothing],
    ),
    case(
        "a key to be replaced is another one, and both are masked",
        &[
            Do::Converge("a,b"),
            Do::Write("b", "key", "old\n"),
            Do::Mode("b", "key", 0o600),
        ],
        &[Do::Write("b", "key", "new\n"), Do::Mode("b", "key", 0o600)],
        [Nothing, Refused("Keep the key"), Applied],
    ),
    case(
        "a mode was changed",
        &[Do::Converge(ALL)],
        &[Do::Mode("a", "app.conf", 0o666)],
        [Refused("Configure"), Nothing, Nothing],
    ),
    case(
        "a file was removed",
        &[Do::Converge(ALL)],
        &[Do::Remove("c", "app.conf")],
        [Nothing, Nothing, Refused("Configure")],
    ),
    case(
        "it was set up by hand",
        &[Do::Converge(ALL), Do::Remove("a", "setup"), Do::Remove("a", "after")],
        &[Do::Write("a", "setup", "mine\n")],
        [Refused("Set up"), Nothing, Nothing],
    ),
    case(
        "all of it was removed",
        &[Do::Converge(ALL)],
        &[Do::RemoveAll("c")],
        [Nothing, Nothing, Refused("Make the folder")],
    ),
    case(
        "all of it was done in between on one",
        &[],
        &[Do::Converge("a")],
        [Nothing, Applied, Applied],
    ),
    case(
        "half of it was done in between",
        &[],
        &[Do::Converge("a"), Do::Remove("a", "key")],
        [Refused("Make the folder"), Applied, Applied],
    ),
    case(
        "a value of one host is another",
        &[Do::Converge(ALL), Do::Write("a", "app.conf", "level=0\n")],
        &[Do::Level("b", "5")],
        [Applied, Refused("Configure"), Nothing],
    ),
    case(
        "the secret of one host is another",
        &[Do::Converge(ALL)],
        &[Do::Secret("b", "changed")],
        [Nothing, Refused("Keep the key"), Nothing],
    ),
    case(
        "the secret that would be written is another",
        &[],
        &[Do::Secret("b", "changed")],
        [Applied, Refused("Keep the key"), Applied],
    ),
    case(
        "all have moved on",
        &[Do::Converge(ALL)],
        &[
            Do::Write("a", "after", "before\n"),
            Do::Mode("b", "key", 0o640),
            Do::Remove("c", "setup"),
        ],
        [Refused("After"), Refused("Keep the key"), Refused("Set up")],
    ),
    Case {
        down_at_applying: &["b"],
        ..case(
            "one has moved on, one is down, one is fine",
            &[],
            &[Do::Folder("a", 0o711)],
            [Refused("Make the folder"), Down, Applied],
        )
    },
];

fn carry_out(case: &Case) -> Result<(), String> {
    let mut ground = Ground::new();
    case.before.iter().for_each(|one| one.it(&mut ground));
    let untouched: Vec<_> = HOSTS.map(|h| ground.picture(h)).into();
    ground.plan(ground.settings(), case.down_at_planning);
    let same: Vec<_> = HOSTS.map(|h| ground.picture(h)).into();
    if untouched != same {
        return Err("planning changed a host".to_owned());
    }
    case.between.iter().for_each(|one| one.it(&mut ground));
    let before: Vec<_> = HOSTS.map(|h| ground.picture(h)).into();
    let done = ground.apply(ground.settings(), case.down_at_applying);
    for ((host, expect), before) in HOSTS.iter().zip(case.expect).zip(&before) {
        let after = ground.picture(host);
        let counts = done.report.hosts[*host].counts;
        let wrong = |what: &str| Err(format!("{host}: {expect:?}: {what}\n{}", done.shown()));
        match expect {
            Applied if !ground.is_right(host) => return wrong("it is not right afterwards"),
            Applied if counts.changed == 0 || counts.refused > 0 => return wrong("it is not counted as changed"),
            Nothing if after != *before || !ground.is_right(host) => return wrong("it was changed, or is not right"),
            Nothing if counts.changed > 0 || counts.refused > 0 => return wrong("it is not counted as fine"),
            Refused(_) | Down if after != *before => return wrong("it was changed"),
            Refused(_) if counts.refused != 1 || counts.changed + counts.ok > 0 => return wrong("it is not refused"),
            Refused("") if !done.moved(host).is_empty() || done.connected.contains(&(*host).to_owned()) => {
                return wrong("it was connected to");
            }
            Refused(task) if !task.is_empty() && !done.moved(host).contains(&task.to_owned()) => {
                return wrong("the task is not named");
            }
            Down if counts.unreachable != 1 || counts.refused > 0 => return wrong("it is not unreachable"),
            _ => {}
        }
    }
    let wanted = if case.expect.iter().any(|e| matches!(e, Refused(_))) {
        RunOutcome::Failed
    } else if case.expect.contains(&Down) {
        RunOutcome::Unreachable
    } else {
        RunOutcome::Ok
    };
    if done.report.outcome() != wanted {
        return Err(format!("it ended as {:?}", done.report.outcome()));
    }
    for file in fs::read_dir(ground.root.path()).expect("a folder") {
        let path = file.expect("an entry").path();
        let kept = path.is_file() && path.file_name().is_some_and(|n| n != "hosts.ini");
        if kept && fs::read_to_string(&path).is_ok_and(|text| text.contains(SECRET)) {
            return Err(format!("a secret is in {}", path.display()));
        }
    }
    match done.shown().contains(SECRET) {
        true => Err("a secret is in the events".to_owned()),
        false => Ok(()),
    }
}

fn all_of(cases: &[Case]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| carry_out(case).err().map(|why| format!("{}: {why}", case.name)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn what_was_planned_is_applied() {
    assert!(QUIET.len() + DRIFT.len() >= 30 && DRIFT.len() * 3 >= QUIET.len() + DRIFT.len());
    all_of(QUIET);
}

#[test]
fn hosts_that_have_moved_on_are_left_as_they_are() {
    all_of(DRIFT);
}

#[test]
fn the_file_says_what_is_known_later_holds_no_secret_and_is_for_its_owner_alone() {
    let ground = Ground::new();
    let settings = Settings {
        extra_vars: vec![format!("password={SECRET}")],
        ..ground.settings()
    };
    ground.plan(settings, &["c"]);
    let text = fs::read_to_string(ground.plan_file()).expect("text");
    assert!(!text.contains(SECRET), "{text}");
    assert!(text.contains("***") && text.contains("\"password\""), "{text}");
    let key = ground.root.path().join(".mosip-prov/plan.key");
    for file in [ground.plan_file(), key.clone()] {
        assert_eq!(fs::metadata(file).expect("there").permissions().mode() & 0o7777, 0o600);
    }
    assert!(!text.contains(fs::read_to_string(key).expect("the key").trim()));
    let plan = ground.read();
    let host = |name: &str| plan.body().hosts.iter().find(|h| h.host == name).expect("there");
    assert_eq!(host("a").state, State::Planned);
    assert_eq!(host("c").state, State::Unreachable);
    let decided: Vec<_> = host("a").tasks.iter().map(|t| (t.task.as_str(), t.decision)).collect();
    assert_eq!(
        decided[..4],
        [
            ("Make the folder", DecisionOf::Change),
            ("Configure", DecisionOf::Change),
            ("Keep the key", DecisionOf::Change),
            ("Set up", DecisionOf::Change)
        ]
    );
    // What comes after a command may be another by then.
    let after = &host("a").tasks[4];
    assert!(after.decision == DecisionOf::Open || after.again, "{after:?}");
    // The values are not kept, and must be the same.
    let given = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
        plan.extra_vars(&texts).map_err(|e| e.to_string())
    };
    let password = format!("password={SECRET}");
    assert_eq!(given(&[&password]), Ok(vec![password.clone()]));
    for (texts, says) in [
        (&[][..], "-e password=…"),
        (&["password=other"], "another value"),
        (&[&password, "more=1"], "1 more -e"),
    ] {
        let error = given(texts).expect_err("refused");
        assert!(error.contains(says) && !error.contains(SECRET), "{error}");
    }
}

#[test]
fn a_file_that_is_not_as_it_was_written_is_refused() {
    let ground = Ground::new();
    ground.plan(ground.settings(), &[]);
    let path = ground.plan_file();
    let good = fs::read(&path).expect("read");
    let lines = String::from_utf8(good.clone()).expect("text");
    let (first, second) = lines.split_once('\n').expect("two lines");
    let refused = |bytes: &[u8], says: &str| {
        fs::write(&path, bytes).expect("written");
        let error = Plan::read(&path).expect_err(says);
        assert!(error.to_string().contains(says), "{error}, wanted {says}");
        assert!(!error.help().is_empty());
    };
    // Cut off anywhere.
    for length in [
        0,
        1,
        first.len() / 2,
        first.len(),
        first.len() + 1,
        good.len() / 2,
        good.len() - 2,
        good.len() - 1,
    ] {
        fs::write(&path, &good[..length]).expect("written");
        Plan::read(&path).expect_err("cut off");
    }
    refused(&good[..good.len() - 1], "cut off or edited");
    // Edited: one byte anywhere in the second line, or something after it.
    for at in (first.len() + 1..good.len()).step_by(97) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        refused(&bytes, "cut off or edited");
    }
    refused(&[&good[..], b"\n"].concat(), "cut off or edited");
    let edit = |from: &str, to: &str| {
        assert!(first.contains(from), "{from} in {first}");
        format!("{}\n{second}", first.replacen(from, to, 1)).into_bytes()
    };
    refused(
        &edit("\"mosip_prov_plan\":1", "\"mosip_prov_plan\":2"),
        "format 2; this program knows 1",
    );
    refused(&edit("\"program\":\"", "\"program\":\"9."), "may decide otherwise");
    refused(&edit("\"mac\"", "\"more\":1,\"mac\""), "unknown field");
    refused(&edit("\"key\":\"", "\"key\":\"0"), "another key");
    refused(&edit("\"mosip_prov_plan\"", "\"plan\""), "is no plan");
    refused(b"not JSON\n{}\n", "is no plan");
    // Others may have written it.
    fs::write(&path, &good).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).expect("set");
    assert!(
        Plan::read(&path)
            .expect_err("refused")
            .to_string()
            .contains("mode 0620")
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    assert!(Plan::read(&path).is_ok());
    // The key is another one, none, or no key.
    let key = ground.root.path().join(".mosip-prov/plan.key");
    for (text, says) in [
        (Some("ab".repeat(32)), "another key"),
        (Some("x".into()), "does not hold a key"),
        (None, "not there"),
    ] {
        match text {
            Some(text) => fs::write(&key, text).expect("written"),
            None => fs::remove_file(&key).expect("removed"),
        }
        assert!(Plan::read(&path).expect_err(says).to_string().contains(says), "{says}");
    }
}

#[test]
fn other_hosts_or_plays_are_no_case_for_the_plan_and_nothing_is_connected_to() {
    let ground = Ground::new();
    ground.plan(ground.settings(), &[]);
    let inventory = ground.root.path().join("hosts.ini");
    let text = fs::read_to_string(&inventory).expect("text");
    let says = |text: &str| {
        write(&inventory, text);
        match ground.bound(ground.settings()) {
            Ok(_) => "it fits".to_owned(),
            Err(errors) => errors.to_string(),
        }
    };
    let without: String = text
        .lines()
        .filter(|l| !l.starts_with("b "))
        .map(|l| format!("{l}\n"))
        .collect();
    assert!(
        says(&without).contains("b is not among its hosts any more"),
        "{}",
        says(&without)
    );
    let with = format!("{text}d ansible_connection=local folder=/nowhere level=1 secret=x\n");
    assert!(says(&with).contains("d is among its hosts now"));
    assert_eq!(says(&text), "it fits");
    let mut other = playbook();
    other.plays[0].name = "another".into();
    let ready = Provisioner::load(ground.settings())
        .expect("good")
        .prepare(&[other])
        .expect("good");
    let errors = ready.bound_to(&ground.read()).err().expect("refused").to_string();
    assert!(errors.contains("the playbooks have \"another\" now"), "{errors}");
    // A plan goes with the inventory it was made with.
    let elsewhere = Ground::new();
    elsewhere.plan(elsewhere.settings(), &[]);
    let ready = ground.prepare(ground.settings());
    let errors = ready.bound_to(&elsewhere.read()).err().expect("refused").to_string();
    assert!(errors.contains("not the one that is read"), "{errors}");
}

#[test]
fn a_plan_grows_old() {
    use std::time::Duration;
    let ground = Ground::new();
    ground.plan(ground.settings(), &[]);
    let plan = ground.read();
    let hours = |n: u64| Duration::from_secs(n * 3600);
    let made = plan.made_at();
    assert!(plan.check_age(made + hours(23), hours(24)).is_ok());
    let old = plan
        .check_age(made + hours(25), hours(24))
        .expect_err("old")
        .to_string();
    assert!(old.contains("25 hours old"), "{old}");
    assert!(plan.check_age(made - Duration::from_secs(60), hours(24)).is_ok());
    let new = plan.check_age(made - hours(1), hours(24)).expect_err("new").to_string();
    assert!(new.contains("to come by this clock"), "{new}");
}

#[test]
fn the_selection_is_in_the_plan_and_inputs_that_changed_are_told_apart() {
    let mut ground = Ground::new();
    let settings = Settings {
        limit: Some("a".into()),
        ..ground.settings()
    };
    ground.plan(settings.clone(), &[]);
    let plan = ground.read();
    assert_eq!(plan.what().limit.as_deref(), Some("a"));
    assert_eq!(plan.what().playbooks, ["app"]);
    assert!(Path::new(&plan.what().inventory[0]).is_absolute());
    assert_eq!(plan.tally().hosts, 1);
    assert!(!ground.prepare(settings.clone()).inputs_differ(&plan));
    Do::Level("b", "9").it(&mut ground);
    assert!(ground.prepare(settings.clone()).inputs_differ(&plan));
    // It does not concern the host.
    let done = ground.apply(settings, &[]);
    assert_eq!(done.report.outcome(), RunOutcome::Ok);
    assert_eq!(done.connected, ["a"]);
    assert!(ground.is_right("a") && ground.picture("b").is_empty());
}

#[test]
fn applying_costs_a_right_host_its_lock_with_all_questions_and_letting_go() {
    let ground = Ground::new();
    ground.converge(ALL);
    ground.plan(ground.settings(), &[]);
    let done = ground.apply(ground.settings(), &[]);
    for host in HOSTS {
        assert_eq!(done.report.hosts[host].exchanges, 2, "{host}");
    }
}

#[test]
fn a_refused_host_is_told_before_anything_is_changed_elsewhere() {
    let mut ground = Ground::new();
    ground.plan(ground.settings(), &[]);
    Do::Folder("c", 0o700).it(&mut ground);
    let done = ground.apply(ground.settings(), &[]);
    let at = |wanted: fn(&EventKind) -> bool| done.events.iter().position(|e| wanted(&e.kind)).expect("there");
    let refused = at(|e| matches!(e, EventKind::HostRefused { .. }));
    let first = at(|e| matches!(e, EventKind::TaskStarted { .. }));
    assert!(refused < first, "{}", done.shown());
    // Its lock is free again, and the journal says that the run did not end well.
    ground.converge("c");
    let history = Provisioner::load(ground.settings())
        .expect("good")
        .history()
        .expect("readable");
    let run = &history.runs[history.runs.len() - 1];
    assert_eq!(run.outcome.as_deref(), Some("failed"));
}
