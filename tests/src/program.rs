//! The program, run as an operator runs it, and what came of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::{output, program_path, shown};

/// The program with a home of its own, so that nothing of this machine's `~/.ssh` counts.
pub struct Program {
    home: TempDir,
}

/// What a run came to.
pub struct Ran {
    /// The words it was started with.
    pub words: Vec<String>,
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
    /// Its events; none for commands that have none, or when it refused its inputs.
    pub events: Vec<Value>,
    /// How long it took.
    pub took: Duration,
}

impl Default for Program {
    fn default() -> Self {
        Self::new()
    }
}

impl Program {
    /// The program, with a fresh home.
    pub fn new() -> Self {
        Self {
            home: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Its home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    fn events_file(&self) -> PathBuf {
        self.home.path().join("events.jsonl")
    }

    /// A command for it, to be started by the caller. Events go to a file that [`Program::end`] reads.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program_path("MOSIP_PROV_BIN", "mosip-prov", "mosip-prov-cli"));
        command
            .args(words)
            .env("HOME", self.home.path())
            .env_remove("MOSIP_PROV_INVENTORY")
            .env_remove("SSH_AUTH_SOCK")
            .env_remove("ANSIBLE_VAULT_PASSWORD_FILE")
            .current_dir(self.home.path());
        if matches!(words.first(), Some(&("run" | "plan" | "apply")))
            && !words.iter().any(|word| word.starts_with("--list-"))
        {
            command.arg("--events").arg(self.events_file());
        }
        let _ = std::fs::remove_file(self.events_file());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, words: &[&str]) -> Ran {
        let began = Instant::now();
        let done = output(&mut self.command(words));
        self.ran(words, &done, began.elapsed())
    }

    /// Starts it; [`Program::end`] waits for it.
    pub fn start(&self, words: &[&str]) -> Child {
        self.command(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started")
    }

    /// Waits until `child` ends.
    pub fn end(&self, words: &[&str], child: Child) -> Ran {
        let began = Instant::now();
        let done = child.wait_with_output().expect("the program can be waited for");
        self.ran(words, &done, began.elapsed())
    }

    /// Waits until a line of the events satisfies `test`; `false` when `patience` ended first.
    pub fn wait_for_event(&self, patience: Duration, test: impl Fn(&Value) -> bool) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience {
            if read_events(&self.events_file()).iter().any(&test) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn ran(&self, words: &[&str], done: &std::process::Output, took: Duration) -> Ran {
        Ran {
            words: words.iter().map(ToString::to_string).collect(),
            code: done.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
            events: read_events(&self.events_file()),
            took,
        }
    }
}

fn read_events(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // The last line may be half written while the program runs.
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

impl Ran {
    /// The same, having ended with that code.
    ///
    /// # Panics
    /// It ended with another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(self.code == code, "exit code {code} was expected\n{}", self.shown());
        self
    }

    /// The same, having said each of `parts` on one of its outputs.
    ///
    /// # Panics
    /// It has not.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.stdout.contains(part) || self.stderr.contains(part),
                "{part:?} was expected\n{}",
                self.shown()
            );
        }
        self
    }

    /// All of it, for messages.
    pub fn shown(&self) -> String {
        let mut text = format!(
            "mosip-prov {} ended with {} after {:.1} s\n--- stdout\n{}\n--- stderr\n{}",
            self.words.join(" "),
            self.code,
            self.took.as_secs_f64(),
            self.stdout,
            self.stderr
        );
        for event in self
            .of_type("task_finished")
            .filter(|event| event["status"] == "failed")
        {
            let _ = write!(text, "\n--- failed\n{event:#}");
        }
        text
    }

    /// The events of a type.
    pub fn of_type<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r Value> {
        self.events.iter().filter(move |event| event["type"] == name)
    }

    /// The last event.
    ///
    /// # Panics
    /// The run did not finish.
    #[track_caller]
    pub fn finished(&self) -> &Value {
        self.of_type("run_finished")
            .last()
            .unwrap_or_else(|| panic!("no run_finished among the events\n{}", self.shown()))
    }

    /// A count of a host: `changed`, `failed`, …
    #[track_caller]
    pub fn count(&self, host: &str, what: &str) -> u64 {
        self.finished()["hosts"][host][what]
            .as_u64()
            .unwrap_or_else(|| panic!("{host} has no count of {what}\n{}", self.shown()))
    }

    /// Round trips after login to a host.
    #[track_caller]
    pub fn exchanges(&self, host: &str) -> u64 {
        self.finished()["exchanges"][host]
            .as_u64()
            .unwrap_or_else(|| panic!("no exchanges of {host}\n{}", self.shown()))
    }

    /// The hosts of the run, sorted.
    #[track_caller]
    pub fn hosts(&self) -> Vec<String> {
        self.finished()["hosts"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Tasks that ended so, as `host: task: reason`.
    pub fn tasks(&self, status: &str) -> Vec<String> {
        self.of_type("task_finished")
            .filter(|event| event["status"] == status)
            .map(|event| {
                format!(
                    "{}: {}: {}",
                    event["host"].as_str().unwrap_or("?"),
                    event["task"].as_str().unwrap_or("?"),
                    event["reason"].as_str().unwrap_or("?")
                )
            })
            .collect()
    }

    /// The same, having changed nothing on any host.
    ///
    /// # Panics
    /// Something was changed; the message names the tasks.
    #[track_caller]
    pub fn unchanged(self) -> Self {
        for host in self.hosts() {
            let changed = self.count(&host, "changed");
            assert!(
                changed == 0,
                "{host} changed={changed}:\n{}\n{}",
                self.tasks("changed").join("\n"),
                self.shown()
            );
        }
        self
    }

    /// The message, detail and help of the one task that failed, joined.
    ///
    /// # Panics
    /// None failed, or several.
    #[track_caller]
    pub fn failure(&self) -> String {
        let failed: Vec<_> = self
            .of_type("task_finished")
            .filter(|event| event["status"] == "failed")
            .collect();
        assert!(
            failed.len() == 1,
            "one failed task was expected, not {}\n{}",
            failed.len(),
            self.shown()
        );
        let error = &failed[0]["error"];
        ["message", "detail", "help"]
            .iter()
            .filter_map(|part| error[part].as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Says how an output was, for tests that run programs themselves.
pub fn describe(done: &std::process::Output) -> String {
    shown(done)
}
