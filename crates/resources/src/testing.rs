//! Answers made from readable data, to test decisions without a host, for roles and for whoever writes resources.
//!
//! ```
//! use mosip_prov_resources::{Answers, Decision, File, Resource, testing};
//!
//! let file = File::content("/etc/motd", "hello\n");
//! let answers = Answers::new();
//! let answers = testing::file(answers, "/etc/motd", 0o644, "root", "root", "hello\n");
//! assert!(matches!(file.decide(&answers), Ok(Decision::Nothing { .. })));
//! ```

pub mod variables;

use crate::probe::apt_lists::AskAptLists;
use crate::probe::apt_simulation::AskSimulation;
use crate::probe::apt_sources::AskAptSources;
use crate::probe::command::AskCommand;
use crate::probe::facts::{AskFacts, Facts};
use crate::probe::file::{CONTENT_LIMIT, FileAsk, digest};
use crate::probe::kernel_module::AskKernelModule;
use crate::probe::package::AskPackage;
use crate::probe::passwd::{AskGroup, AskUser};
use crate::probe::swap::AskSwap;
use crate::probe::sysctl::AskSysctl;
use crate::probe::unit::{AskUnit, full_name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mosip_prov_engine::{Answers, Ask, Change, Decision, Probe, Resource, Step};
use std::process::Command;

fn at(answers: Answers, path: &str, line: &str, content: Option<&str>) -> Answers {
    let with = content.map_or_else(|| line.to_owned(), |c| format!("{line} {c}"));
    answers
        .with(FileAsk::new(path).question(), line)
        .with(FileAsk::new(path).with_content().question(), with)
}

/// Nothing is at `path`; the folder above it exists.
pub fn file_absent(answers: Answers, path: &str) -> Answers {
    let folder = match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    };
    absent_below(answers, path, folder)
}

/// Nothing is at `path`; `folder` is the nearest one above it that exists.
pub fn absent_below(answers: Answers, path: &str, folder: &str) -> Answers {
    at(answers, path, &format!("absent {folder}"), None)
}

/// A regular file is at `path`.
pub fn file(answers: Answers, path: &str, mode: u32, owner: &str, group: &str, content: impl AsRef<[u8]>) -> Answers {
    let content = content.as_ref();
    let line = format!(
        "regular {mode:o} {} {} {} {owner}:{group} {}",
        content.len(),
        number(owner),
        number(group),
        digest(content)
    );
    let encoded = match content.len() {
        0 => Some("=".to_owned()),
        n if n as u64 <= CONTENT_LIMIT => Some(BASE64.encode(content)),
        _ => None,
    };
    at(answers, path, &line, encoded.as_deref())
}

/// A folder is at `path`.
pub fn directory(answers: Answers, path: &str, mode: u32, owner: &str, group: &str) -> Answers {
    let line = format!(
        "directory {mode:o} 4096 {} {} {owner}:{group} -",
        number(owner),
        number(group)
    );
    at(answers, path, &line, None)
}

/// A symbolic link to `target` is at `path`; it leads nowhere.
pub fn dangling_link(answers: Answers, path: &str, target: &str) -> Answers {
    let line = format!(
        "link 777 1 0 0 root:root {} {}\ndangling",
        BASE64.encode(target),
        BASE64.encode("")
    );
    at(answers, path, &line, None)
}

/// A symbolic link to `target`, an absolute path of a root-owned file with `content`, is at `path`.
pub fn link_to_file(answers: Answers, path: &str, target: &str, content: &str) -> Answers {
    let line = format!(
        "link 777 1 0 0 root:root {} {}\nregular 644 {} 0 0 root:root {}",
        BASE64.encode(target),
        BASE64.encode(target),
        content.len(),
        digest(content.as_bytes()),
    );
    at(answers, path, &line, Some(&BASE64.encode(content)))
}

fn number(name: &str) -> u32 {
    match name {
        "root" => 0,
        "www-data" => 33,
        _ => name.parse().unwrap_or(1000),
    }
}

/// The package `name` is installed in this version, or not at all; then apt offers `candidate`.
pub fn package(answers: Answers, name: &str, installed: Option<&str>, candidate: Option<&str>) -> Answers {
    let mut raw = installed.map_or_else(|| "absent".to_owned(), |version| format!("installed {version}"));
    if let Some(candidate) = candidate {
        raw.push_str(&format!("\ncandidate {candidate}"));
    }
    package_raw(answers, name, &raw)
}

/// The package `name` with an answer in the form that [`crate::probe::package`] describes.
pub fn package_raw(answers: Answers, name: &str, raw: &str) -> Answers {
    answers
        .with(AskPackage::new(name).question(), raw)
        .with(AskPackage::new(name).with_candidate().question(), raw)
        .with(AskPackage::new(name).state_only().question(), raw)
}

/// The unit `name` exists: `active` as in `active`, `inactive`, `failed`; `file` as in `enabled`, `disabled`.
pub fn unit(answers: Answers, name: &str, active: &str, file: &str) -> Answers {
    unit_raw(
        answers,
        name,
        &format!("LoadState=loaded\nActiveState={active}\nSubState=x\nUnitFileState={file}\nNeedDaemonReload=no"),
    )
}

/// There is no unit `name`.
pub fn unit_absent(answers: Answers, name: &str) -> Answers {
    unit_raw(
        answers,
        name,
        "LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\nNeedDaemonReload=no",
    )
}

/// The unit `name` with the `Property=value` lines of `systemctl show`.
pub fn unit_raw(answers: Answers, name: &str, raw: &str) -> Answers {
    answers.with(AskUnit(full_name(name)).question(), raw)
}

/// The fragment `script`, a guard of a command, ends with `status` and prints `output`.
pub fn command(answers: Answers, script: &str, status: i32, output: &str) -> Answers {
    answers.with(AskCommand(script.to_owned()).question(), format!("{status}\n{output}"))
}

/// The user `name` exists with these groups, the primary one first.
pub fn user(answers: Answers, name: &str, groups: &[&str]) -> Answers {
    answers.with(
        AskUser(name.to_owned()).question(),
        format!("{name}:x:1000:1000::/home/{name}:/bin/bash\n{}", groups.join(" ")),
    )
}

/// There is no user `name`.
pub fn user_absent(answers: Answers, name: &str) -> Answers {
    answers.with(AskUser(name.to_owned()).question(), "absent")
}

/// The group `name` exists, or not.
pub fn group(answers: Answers, name: &str, exists: bool) -> Answers {
    let raw = if exists {
        format!("{name}:x:1001:")
    } else {
        "absent".to_owned()
    };
    answers.with(AskGroup(name.to_owned()).question(), raw)
}

/// The package index was refreshed this long ago, in seconds; `None`: never.
pub fn apt_lists_age(answers: Answers, seconds: Option<u64>) -> Answers {
    let refreshed = seconds.map_or_else(|| "never".to_owned(), |age| (1_000_000_000 - age).to_string());
    answers.with(AskAptLists.question(), format!("1000000000 {refreshed} 0"))
}

/// `apt-get -s` with `arguments` (as `dist-upgrade`, `autoremove --purge`) prints `output`.
pub fn apt_simulation(answers: Answers, arguments: &str, output: &str) -> Answers {
    answers.with(AskSimulation::new(arguments).question(), output)
}

/// apt's `.list` files have these lines, `FILE:NUMBER:LINE` each.
pub fn apt_sources(answers: Answers, lines: &str) -> Answers {
    answers.with(AskAptSources.question(), format!("{lines}end"))
}

/// The kernel setting `name` has this value; `None`: the kernel has none of that name.
pub fn sysctl(answers: Answers, name: &str, value: Option<&str>) -> Answers {
    let raw = value.map_or_else(|| "absent".to_owned(), |value| format!("value {value}"));
    answers.with(AskSysctl(name.to_owned()).question(), raw)
}

/// The kernel module `name`, asked for with `proof`, is as `words` say: `loaded`, `builtin`, `proof` or `no-proof`, and
/// `modules` when the kernel can load any.
pub fn kernel_module(answers: Answers, name: &str, proof: Option<&str>, words: &str) -> Answers {
    let ask = AskKernelModule {
        name: name.to_owned(),
        proof: proof.map(str::to_owned),
    };
    answers.with(ask.question(), format!("{words} end").trim())
}

/// The host swaps to these devices and files.
pub fn swap(answers: Answers, to: &[&str]) -> Answers {
    let raw = if to.is_empty() { "-".to_owned() } else { to.join("\n") };
    answers.with(AskSwap.question(), raw)
}

/// The host's facts.
pub fn facts(answers: Answers, facts: &Facts) -> Answers {
    answers.with(AskFacts.question(), facts.to_raw())
}

/// The reason of a decision that is "nothing to do". Panics, saying what it is instead.
pub fn expect_nothing(resource: &impl Resource, answers: &Answers) -> String {
    match resource.decide(answers) {
        Ok(Decision::Nothing { reason }) => reason,
        other => panic!("not \"nothing to do\": {other:?}"),
    }
}

/// The change that is decided. Panics, saying what the decision is instead.
pub fn expect_change(resource: &impl Resource, answers: &Answers) -> Change {
    match resource.decide(answers) {
        Ok(Decision::Change(change)) => change,
        other => panic!("not a change: {other:?}"),
    }
}

/// The reason of a decision that cannot be known yet. Panics, saying what it is instead.
pub fn expect_unknown(resource: &impl Resource, answers: &Answers) -> String {
    match resource.decide(answers) {
        Ok(Decision::Unknown { reason }) => reason,
        other => panic!("not unknown: {other:?}"),
    }
}

/// The text of the error, with its help. Panics when there is none.
pub fn expect_error(resource: &impl Resource, answers: &Answers) -> String {
    match resource.decide(answers) {
        Err(error) => match error.help() {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        },
        Ok(decision) => panic!("no error: {decision:?}"),
    }
}

/// The scripts of a change's shell steps, joined by lines of `--`.
pub fn scripts(change: &Change) -> String {
    let scripts: Vec<&str> = change
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Shell(shell) => Some(shell.script.as_str()),
            Step::WriteFiles(_) | Step::Reboot { .. } => None,
        })
        .collect();
    scripts.join("\n--\n")
}

/// The output of framed fragments with these statuses and texts.
pub fn frames(parts: &[(i32, &str)]) -> String {
    parts
        .iter()
        .map(|(status, text)| format!("{status} {}\n{text}\n", text.len()))
        .collect()
}

/// The shells of this machine, of those that targets have, as words of a command line: `["busybox", "sh"]`.
pub fn sh_available() -> Vec<&'static [&'static str]> {
    const SHELLS: [&[&str]; 4] = [&["sh"], &["dash"], &["bash"], &["busybox", "sh"]];
    SHELLS.into_iter().filter(|words| run(words, ":").is_some()).collect()
}

fn run(shell: &[&str], script: &str) -> Option<std::process::Output> {
    let (program, arguments) = shell.split_first()?;
    Command::new(program)
        .args(arguments)
        .args(["-c", script])
        .env("LC_ALL", "C")
        .output()
        .ok()
}

/// What the questions of `probe` print on this machine, asked with `shell` (see [`sh_available`]) as the engine asks
/// them: standard output and standard error together, within a command substitution. Panics when they fail.
pub fn ask_with(shell: &[&str], probe: &dyn Probe, subjects: &[&str]) -> String {
    let script = format!(
        "o=$({{ {}\n}} 2>&1) || exit\nprintf '%s\\n' \"$o\"\n",
        probe.script(subjects)
    );
    let output = run(shell, &script).expect("the shell starts");
    assert!(output.status.success(), "{shell:?} fails: {output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.trim_end_matches('\n').to_owned()
}
