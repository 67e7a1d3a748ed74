//! The kinds of step that faults meet: a role for each, what its host is like before, and what there is to see after.

use std::time::Duration;

use mosip_prov::resources::{Apt, Block, Command, File, Line, RoleTasks, Task, Unit};

use crate::survival::{FOLDER, UNIT};
use crate::testbed::Testbed;

/// As long as this is there, runs wait before the step that is tested.
pub const HOLD: &str = "/run/faults-hold";
/// Made once a run waits.
pub const REACHED: &str = "/run/faults-reached";
/// The task that waits.
const WAIT: &str = "Wait for the fault";

/// A kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A small file replaced.
    File,
    /// A line edited in a file of others.
    Line,
    /// A block edited in a file of others.
    Block,
    /// A package installed.
    Package,
    /// A service started.
    Service,
    /// A command of a second, in the exchange.
    Command,
    /// A command of some seconds, with a unit of its own and its output live.
    Long,
    /// A file that is uploaded before it is put in place.
    Upload,
    /// A service restarted by a handler, another noted by a second one.
    Handler,
    /// Questions alone.
    Ask,
    /// A file on another machine, which serves this one.
    Delegated,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::File,
        Self::Line,
        Self::Block,
        Self::Package,
        Self::Service,
        Self::Command,
        Self::Long,
        Self::Upload,
        Self::Handler,
        Self::Ask,
        Self::Delegated,
    ];

    /// Its name, on the command line and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Line => "line",
            Self::Block => "block",
            Self::Package => "package",
            Self::Service => "service",
            Self::Command => "command",
            Self::Long => "long",
            Self::Upload => "upload",
            Self::Handler => "handler",
            Self::Ask => "ask",
            Self::Delegated => "delegated",
        }
    }

    /// The task whose beginning shows that the step has come; the waiting one where nothing begins.
    pub fn task(self) -> &'static str {
        match self {
            Self::Handler => "restart the unit",
            Self::Ask => WAIT,
            _ => "The step",
        }
    }

    /// How long after its beginning it is in its midst, roughly, in milliseconds.
    pub fn midst(self) -> u64 {
        match self {
            Self::Package | Self::Long => 700,
            Self::Command | Self::Service | Self::Handler => 300,
            Self::Upload => 30,
            _ => 0,
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

fn in_folder(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// What the uploaded file holds: more than travels with the script.
fn large() -> String {
    "a line of a file that does not travel with the script\n".repeat(50_000)
}

/// More than a full disk takes, less than what is uploaded.
fn medium() -> String {
    "a new line\n".repeat(8_000)
}

fn unit_file(seconds: u32) -> String {
    format!(
        "[Unit]\nDescription=a service of a test\n[Service]\nExecStartPre=/bin/sleep {seconds}\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    )
}

/// The role behind `fault-STEP-PARTNER`, `flood-long` and `flood-short`.
pub fn find(name: &str) -> Option<RoleTasks> {
    if let Some(kind) = name.strip_prefix("flood-") {
        return Some(flood(kind == "long"));
    }
    let (step, partner) = name.strip_prefix("fault-")?.split_once('-')?;
    Some(role(Step::of(step)?, partner))
}

/// A command that prints a gigabyte: an endless line of control sequences and of what is no text, on both outputs.
fn flood(long: bool) -> RoleTasks {
    let script = "printf '\\033[2J\\033]0;title\\007\\033[31mred\\n'
yes \"$(printf '\\377\\033[1mx')\" | tr -d '\\n' | head -c 500000000
yes \"$(printf '\\033[7mline')\" | head -c 500000000 >&2
echo; echo 'its last words' >&2; exit 7";
    let command = Command::new(script).summary("print a gigabyte");
    let command = match long {
        true => command.long(Duration::from_secs(300)),
        false => command.timeout(Duration::from_secs(300)),
    };
    RoleTasks {
        tasks: vec![Task::new("Print", command)],
        handlers: Vec::new(),
    }
}

/// The name that [`find`] knows it by.
pub fn playbook(step: Step, partner: &str) -> String {
    format!("fault-{}-{partner}", step.name())
}

fn role(step: Step, partner: &str) -> RoleTasks {
    let wait = format!("i=0; : >{REACHED}; while [ -e {HOLD} ] && [ $((i += 1)) -le 1200 ]; do sleep 0.1; done");
    let mut tasks = vec![
        Task::new("Make the folder", File::directory(FOLDER).mode(0o755)),
        Task::new(
            "Write before",
            File::content(in_folder("before"), "before\n").mode(0o644),
        )
        .notify("note it"),
        Task::new(
            WAIT,
            Command::new(wait)
                .only_if(format!("test -e {HOLD}"))
                .timeout(Duration::from_secs(180)),
        ),
    ];
    let the_step = match step {
        Step::File => Task::new("The step", File::content(in_folder("file"), medium()).mode(0o640)),
        Step::Line => Task::new(
            "The step",
            Line::new(in_folder("lines"), "wanted=new").regexp("^wanted="),
        ),
        Step::Block => Task::new("The step", Block::new(in_folder("lines"), "one\ntwo\nthree")),
        Step::Package => Task::new("The step", Apt::present(["tree"]).lock_timeout(Duration::from_secs(60))),
        Step::Service => Task::new("The step", Unit::new(UNIT).running()),
        Step::Command => Task::new(
            "The step",
            Command::new(format!(
                "sleep 1; seq 9000 >{0}.new && mv {0}.new {0}",
                in_folder("command")
            ))
            .creates(in_folder("command")),
        ),
        Step::Long => Task::new(
            "The step",
            Command::new(format!(
                "for i in 1 2 3; do echo line $i; sleep 1; done; seq 9000 >{0}.new && mv {0}.new {0}",
                in_folder("long")
            ))
            .creates(in_folder("long"))
            .long(Duration::from_secs(600)),
        ),
        Step::Upload => Task::new("The step", File::content(in_folder("upload"), large()).mode(0o600)),
        Step::Handler => Task::new(
            "Write the unit",
            File::content(format!("/etc/systemd/system/{UNIT}"), unit_file(1)).mode(0o644),
        )
        .notify("restart the unit"),
        Step::Ask => Task::new(
            "The step",
            Command::new(": >/etc/never").only_if("test -e /etc/never-there"),
        ),
        Step::Delegated => {
            Task::new("The step", File::content(in_folder("served"), medium()).mode(0o640)).delegate_to(partner)
        }
    };
    tasks.push(the_step);
    tasks.push(Task::new(
        "Write after",
        File::content(in_folder("after"), "after\n").mode(0o644),
    ));
    RoleTasks {
        tasks,
        handlers: vec![
            Task::new("restart the unit", Unit::restarted(UNIT)),
            Task::new("note it", Command::new(format!("echo noted >>{}", in_folder("noted")))),
        ],
    }
}

/// Takes away what runs of these roles made and what broken ones left, and makes what the step finds.
pub fn prepare(testbed: &Testbed, step: Step, host: &str, partner: &str) {
    let mut script = format!(
        "while mountpoint -q {FOLDER}; do umount {FOLDER} || break; done
systemctl disable -q --now {UNIT} 2>/dev/null
rm -rf {FOLDER} /etc/systemd/system/{UNIT} /run/mosip-prov /var/lib/mosip-prov {HOLD} {REACHED} /etc/faults-size
mkdir -p {FOLDER}
"
    );
    let old = "seq 3 >";
    match step {
        Step::File => script.push_str(&format!("{old}{0}; chmod 640 {0}\n", in_folder("file"))),
        Step::Upload => script.push_str(&format!("{old}{0}; chmod 600 {0}\n", in_folder("upload"))),
        Step::Line | Step::Block => script.push_str(&format!(
            "{{ echo wanted=old; seq 9000; }} >{0}; chmod 644 {0}\n",
            in_folder("lines")
        )),
        Step::Package => script.push_str(
            "dpkg --configure -a >/dev/null 2>&1; dpkg -s tree >/dev/null 2>&1 && apt-get -q -y purge tree >/dev/null 2>&1
ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || apt-get -q update >/dev/null\n",
        ),
        Step::Service | Step::Handler => {
            // A first version of the unit, enabled, so that a reboot is no reason for it not to run.
            let seconds = if step == Step::Service { 1 } else { 0 };
            script.push_str(&format!(
                "cat >/etc/systemd/system/{UNIT} <<'END'\n{}END\nsystemctl daemon-reload\nsystemctl enable -q {UNIT}\n",
                unit_file(seconds)
            ));
            if step == Step::Handler {
                script.push_str(&format!("systemctl start {UNIT}\n"));
            }
        }
        Step::Command | Step::Long | Step::Ask | Step::Delegated => {}
    }
    script.push_str("systemctl daemon-reload; true\n");
    testbed.root(host, &script);
    if step == Step::Delegated {
        testbed.root(
            partner,
            &format!(
                "rm -rf {FOLDER} /run/mosip-prov /var/lib/mosip-prov; mkdir -p {FOLDER}; {old}{0}; chmod 640 {0}",
                in_folder("served")
            ),
        );
    }
}

/// Takes everything away.
pub fn clean(testbed: &Testbed, host: &str) {
    testbed.root(
        host,
        &format!(
            "systemctl disable -q --now {UNIT} 2>/dev/null; rm -rf {FOLDER} /etc/systemd/system/{UNIT} {HOLD} {REACHED} /etc/faults-size
dpkg -s tree >/dev/null 2>&1 && apt-get -q -y purge tree >/dev/null 2>&1; systemctl daemon-reload; true"
        ),
    );
}

const LOOK: &str = "cd /etc/survive 2>/dev/null || exit 0
for f in *; do case $f in noted|'*') ;; *) stat -c '%n %a %U %s' \"$f\"; sha256sum <\"$f\" ;; esac; done";

/// All that a run of these roles makes of a host and its partner. How often a handler ran is no part of it; that it ran is.
pub fn state(testbed: &Testbed, step: Step, host: &str, partner: &str) -> String {
    let more = match step {
        Step::Package => "dpkg-query -W -f '${Status}\\n' tree; dpkg --audit",
        Step::Service | Step::Handler => {
            "systemctl is-active survive.service; sha256sum /etc/systemd/system/survive.service"
        }
        _ => "true",
    };
    let own = testbed.root(host, &format!("{LOOK}\nsort -u noted 2>/dev/null\n{more}; true"));
    match step {
        Step::Delegated => format!("{own}\non the other:\n{}", testbed.root(partner, LOOK)),
        _ => own,
    }
}

/// What the step alone makes: its old or its new state, and nothing in between.
pub fn state_of_step(testbed: &Testbed, step: Step, host: &str, partner: &str) -> String {
    let file = |name: &str| {
        let path = in_folder(name);
        format!("stat -c '%a %U %s' {path} 2>/dev/null && sha256sum {path}; true")
    };
    match step {
        Step::File => testbed.root(host, &file("file")),
        Step::Line | Step::Block => testbed.root(host, &file("lines")),
        Step::Command => testbed.root(host, &file("command")),
        Step::Long => testbed.root(host, &file("long")),
        Step::Upload => testbed.root(host, &file("upload")),
        Step::Delegated => testbed.root(partner, &file("served")),
        Step::Package => testbed.root(
            host,
            "dpkg -s tree 2>/dev/null | grep '^Status: install ok installed'; dpkg --audit; true",
        ),
        Step::Handler => testbed.root(host, "sha256sum /etc/systemd/system/survive.service"),
        // Whether it runs is its own business while it is being started.
        Step::Service | Step::Ask => String::new(),
    }
}
