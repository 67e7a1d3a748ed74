//! A running terraform: started in a process group of its own, its stream read as it grows, interrupts passed on.

use crate::diagnostic::TerraformDiagnostic;
use crate::error::TerraformError;
use crate::event::{Action, Phase, Progress, TerraformEvent, parse_line};
use crate::interrupt::Interrupt;
use crate::root::OnEvent;
use crate::text::clean;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// How often the stream is looked at. What ends the process is told at once.
const LOOK: Duration = Duration::from_millis(25);
/// Longest line that is read; a longer one counts as broken.
const LINE_LIMIT: usize = 4 * 1024 * 1024;
/// Text that is no message is kept up to this length.
const TEXT_LIMIT: usize = 64 * 1024;
/// Diagnostics that are kept.
const DIAGNOSTICS: usize = 500;
/// Longest answer that is read.
const ANSWER_LIMIT: u64 = 512 * 1024 * 1024;

/// What is run.
pub(crate) struct Job<'a> {
    pub phase: Phase,
    pub program: &'a Path,
    pub folder: &'a Path,
    pub args: Vec<OsString>,
    /// The variable PATH of terraform, where it is another one.
    pub path: Option<OsString>,
    pub heartbeat: Duration,
}

/// How it ended.
pub(crate) struct Ended {
    pub status: ExitStatus,
    pub version: Option<String>,
    pub ui: Option<String>,
    pub diagnostics: Vec<TerraformDiagnostic>,
    /// What was written that is no message, standard error included.
    pub text: String,
    pub progress: Progress,
    /// Whether resources were read or changed.
    pub began: bool,
    pub interrupts: u32,
}

impl Job<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(&self.args)
            .current_dir(self.folder)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .stdin(Stdio::null())
            // A terminal's Ctrl-C reaches it through us alone.
            .process_group(0);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }

    fn spawn(&self, command: &mut Command) -> Result<Child, TerraformError> {
        command.spawn().map_err(|source| TerraformError::CannotStart {
            program: self.program.to_owned(),
            source,
        })
    }

    /// Runs it with standard output and error in these files, which are read as they grow. Should this process or the
    /// future die, terraform goes on to its end.
    pub async fn stream(
        &self,
        out: (PathBuf, File),
        errors: (PathBuf, File),
        on_event: &mut OnEvent<'_>,
        interrupt: &Interrupt,
    ) -> Result<Ended, TerraformError> {
        let unreadable = |path: &Path, source| TerraformError::File {
            doing: "read",
            path: path.to_owned(),
            source,
        };
        let (out_path, out_file) = out;
        let mut reader = File::open(&out_path).map_err(|source| unreadable(&out_path, source))?;
        let (errors_path, errors_file) = errors;
        let mut errors_reader = File::open(&errors_path).map_err(|source| unreadable(&errors_path, source))?;
        let mut command = self.command();
        command.stdout(out_file).stderr(errors_file);
        let mut seen = interrupt.times();
        let mut child = self.spawn(&mut command)?;
        drop(command);
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let started = Instant::now();
        let mut said = started;
        let mut reading = Reading::default();
        let mut passed = 0;
        let status = loop {
            tokio::select! {
                biased;
                status = child.wait() => break status.map_err(|source| TerraformError::CannotStart {
                    program: self.program.to_owned(),
                    source,
                })?,
                times = interrupt.beyond(seen) => {
                    seen = times;
                    passed += 1;
                    let signal = if passed < 3 { Signal::INT } else { Signal::KILL };
                    if let Some(group) = group {
                        // It may just have ended.
                        let _ = kill_process_group(group, signal);
                    }
                    on_event(TerraformEvent::Interrupting { phase: self.phase, times: passed });
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            reading
                .advance(&mut reader, on_event)
                .map_err(|source| unreadable(&out_path, source))?;
            if said.elapsed() >= self.heartbeat {
                said = Instant::now();
                on_event(TerraformEvent::StillWorking {
                    phase: self.phase,
                    elapsed: started.elapsed(),
                    progress: reading.progress,
                });
            }
            if reading.refused && passed == 0 {
                passed = 1;
                if let Some(group) = group {
                    let _ = kill_process_group(group, Signal::INT);
                }
            }
        };
        reading
            .advance(&mut reader, on_event)
            .map_err(|source| unreadable(&out_path, source))?;
        reading.finish(on_event);
        let mut text = reading.text;
        text.push_str(&tail(&mut errors_reader));
        Ok(Ended {
            status,
            version: reading.version,
            ui: reading.ui,
            diagnostics: reading.diagnostics,
            text,
            progress: reading.progress,
            began: reading.began,
            interrupts: if reading.refused { 0 } else { passed },
        })
    }

    /// The command of a question. Its answer holds secrets, which a log of terraform's would hold too: it writes none,
    /// whatever the operator's own variables ask for. `inherited`: the names of the variables that it would get.
    fn asking(&self, inherited: impl Iterator<Item = OsString>) -> Command {
        let mut command = self.command();
        for name in inherited.filter(|name| name.as_encoded_bytes().starts_with(b"TF_LOG")) {
            command.env_remove(name);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs it for its answer on standard output, which holds secrets and gets into no file.
    pub async fn answer(&self, interrupt: &Interrupt) -> Result<(ExitStatus, Vec<u8>, String), TerraformError> {
        let failed = |source| TerraformError::CannotStart {
            program: self.program.to_owned(),
            source,
        };
        let mut command = self.asking(std::env::vars_os().map(|(name, _)| name));
        let seen = interrupt.times();
        let mut child = self.spawn(&mut command)?;
        let (mut out, mut errors) = (child.stdout.take(), child.stderr.take());
        let (mut answer, mut said) = (Vec::new(), Vec::new());
        let read = async {
            tokio::try_join!(
                read_up_to(out.as_mut(), ANSWER_LIMIT, &mut answer),
                read_up_to(errors.as_mut(), TEXT_LIMIT as u64, &mut said)
            )
        };
        tokio::select! {
            done = read => { done.map_err(failed)?; }
            _ = interrupt.beyond(seen) => {
                return Err(TerraformError::Interrupted {
                    phase: self.phase,
                    state: "it only asks, and changed nothing".into(),
                });
            }
        }
        drop((out, errors));
        let status = child.wait().await.map_err(failed)?;
        Ok((status, answer, clean(&String::from_utf8_lossy(&said), TEXT_LIMIT)))
    }
}

/// Reads to the end and keeps the first `limit` bytes: who writes into a pipe that nobody reads waits for ever.
async fn read_up_to(from: Option<impl AsyncRead + Unpin>, limit: u64, kept: &mut Vec<u8>) -> std::io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    (&mut from).take(limit).read_to_end(kept).await?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    Ok(())
}

/// The end of what was written to a file.
fn tail(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let length = file.metadata().map_or(0, |data| data.len());
    let from = length.saturating_sub(TEXT_LIMIT as u64);
    if file.seek(SeekFrom::Start(from)).is_ok() {
        let _ = file.take(TEXT_LIMIT as u64).read_to_end(&mut bytes);
    }
    clean(&String::from_utf8_lossy(&bytes), TEXT_LIMIT)
}

/// What was read so far.
#[derive(Default)]
pub(crate) struct Reading {
    line: Vec<u8>,
    /// The line is too long, and what is left of it is passed over.
    over: bool,
    broken: u64,
    version: Option<String>,
    ui: Option<String>,
    diagnostics: Vec<TerraformDiagnostic>,
    text: String,
    pub(crate) progress: Progress,
    began: bool,
    /// It is a version that is not understood.
    refused: bool,
}

impl Reading {
    /// Reads what is new.
    fn advance(&mut self, file: &mut File, on_event: &mut OnEvent<'_>) -> std::io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.take(&buffer[..count], on_event);
        }
    }

    pub(crate) fn take(&mut self, mut bytes: &[u8], on_event: &mut OnEvent<'_>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.add(&bytes[..end]);
            self.end_of_line(on_event);
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = LINE_LIMIT - self.line.len();
        self.over |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(crate) fn finish(&mut self, on_event: &mut OnEvent<'_>) {
        if !self.line.is_empty() {
            self.end_of_line(on_event);
        }
    }

    fn end_of_line(&mut self, on_event: &mut OnEvent<'_>) {
        let line = std::mem::take(&mut self.line);
        let over = std::mem::take(&mut self.over);
        if line.trim_ascii().is_empty() {
            return;
        }
        let event = match parse_line(if over { &line[..200] } else { &line }) {
            Ok(event) => event,
            Err(broken) => {
                self.broken += 1;
                if self.text.len() < TEXT_LIMIT {
                    self.text.push_str(&broken.text);
                    self.text.push('\n');
                }
                TerraformEvent::Broken {
                    count: self.broken,
                    text: broken.text,
                }
            }
        };
        self.count(&event);
        on_event(event);
    }

    fn count(&mut self, event: &TerraformEvent) {
        let progress = &mut self.progress;
        match event {
            TerraformEvent::Version { terraform, ui } => {
                self.refused = !is_understood(terraform, ui);
                self.version = Some(terraform.clone());
                self.ui = Some(ui.clone());
            }
            TerraformEvent::RefreshStarted(_) => self.began = true,
            TerraformEvent::RefreshCompleted(_) => progress.read += 1,
            TerraformEvent::Planned(_) => {
                self.began = true;
                progress.planned += 1;
            }
            TerraformEvent::Started { action, .. } => {
                self.began = true;
                if *action != Action::Read {
                    progress.running += 1;
                }
            }
            TerraformEvent::Completed {
                action: Action::Read, ..
            } => progress.read += 1,
            TerraformEvent::Completed { .. } => {
                progress.running = progress.running.saturating_sub(1);
                progress.done += 1;
            }
            TerraformEvent::Errored { action, .. } => {
                if *action != Action::Read {
                    progress.running = progress.running.saturating_sub(1);
                }
                progress.failed += 1;
            }
            TerraformEvent::Diagnostic(found) if self.diagnostics.len() < DIAGNOSTICS => {
                self.diagnostics.push(found.clone());
            }
            _ => {}
        }
    }
}

/// Whether a terraform of that version speaks as this crate understands: Terraform from 1.0, OpenTofu, both below 2; the
/// first version of the machine-readable output.
pub(crate) fn is_understood(version: &str, ui: &str) -> bool {
    let major = |text: &str| text.split('.').next().and_then(|part| part.parse::<u32>().ok());
    major(version) == Some(1) && matches!(major(ui), Some(0 | 1))
}

/// A program that does not know the flag.
pub(crate) fn lacks_json(text: &str) -> bool {
    text.contains("flag provided but not defined: -json")
}

/// What an interrupted run leaves.
pub(crate) fn left(phase: Phase, ended: &Ended) -> String {
    let broken_off = ended.status.signal().is_some() || ended.interrupts > 1;
    match phase {
        Phase::Apply if broken_off => format!(
            "it was made to break off: {} changes were done, and what was under way may have been done without the state \
             knowing it",
            ended.progress.done
        ),
        Phase::Apply => format!(
            "{} changes were done, {} failed or were cut short, and the state says so",
            ended.progress.done, ended.progress.failed
        ),
        _ => "nothing was changed".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn read(bytes: &[u8], piece: usize) -> (Reading, Vec<TerraformEvent>) {
        let mut reading = Reading::default();
        let mut events = Vec::new();
        let mut on_event = |event| events.push(event);
        for part in bytes.chunks(piece) {
            reading.take(part, &mut on_event);
        }
        reading.finish(&mut on_event);
        (reading, events)
    }

    #[test]
    fn lines_come_in_any_pieces() {
        let stream = crate::recorded::APPLY.as_bytes();
        let whole = read(stream, stream.len()).1;
        for piece in [1, 7, 100] {
            assert_eq!(read(stream, piece).1, whole);
        }
        let progress = read(stream, 9).0.progress;
        assert_eq!(
            (progress.planned, progress.done, progress.running, progress.failed),
            (5, 5, 0, 0)
        );
        let cut = read(crate::recorded::INTERRUPTED.as_bytes(), 50).0.progress;
        assert_eq!((cut.running, cut.failed), (0, 1));
    }

    #[test]
    fn broken_lines_are_counted_and_huge_ones_bounded() {
        let mut stream = b"garbage\n\n".to_vec();
        stream.extend(
            format!(
                "{{\"@message\":\"{}\",\"type\":\"log\"}}\n",
                "x".repeat(LINE_LIMIT + 10)
            )
            .bytes(),
        );
        stream.extend(b"{\"@message\":\"after\",\"type\":\"log\"}");
        let (reading, events) = read(&stream, 1 << 16);
        assert_eq!(reading.broken, 2);
        assert_eq!(events.len(), 3);
        assert!(matches!(&events[2], TerraformEvent::Message { text, .. } if text == "after"));
        assert!(events.iter().all(|event| format!("{event:?}").len() < 4096));
        assert!(reading.text.len() < TEXT_LIMIT);
    }

    /// A stand-in for terraform: a script.
    fn job<'a>(program: &'a Path, folder: &'a Path) -> Job<'a> {
        Job {
            phase: Phase::Output,
            program,
            folder,
            args: Vec::new(),
            path: None,
            heartbeat: Duration::from_secs(10),
        }
    }

    #[tokio::test]
    async fn an_answer_comes_however_much_is_said_beside_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let program = dir.path().join("terraform");
        std::fs::write(
            &program,
            "#!/bin/sh\nhead -c 307200 /dev/zero | tr '\\0' x >&2\necho '{\"a\": 1}'\n",
        )
        .expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
        let job = job(&program, dir.path());
        let interrupt = Interrupt::new();
        // It must not hang; the time is only for the case that it does.
        let answer = tokio::time::timeout(Duration::from_secs(60), job.answer(&interrupt)).await;
        let (status, answer, said) = answer.expect("it ends").expect("it answers");
        assert!(status.success());
        assert_eq!(answer, b"{\"a\": 1}\n");
        assert_eq!(said.len(), TEXT_LIMIT);
    }

    #[test]
    fn a_question_writes_no_log() {
        let path = Path::new("/bin/true");
        let inherited = [
            "HOME",
            "TF_LOG",
            "TF_LOG_PATH",
            "TF_LOG_PROVIDER_KUBERNETES",
            "TF_VAR_x",
        ];
        let command = job(path, Path::new("/")).asking(inherited.map(OsString::from).into_iter());
        let mut removed: Vec<_> = command
            .as_std()
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect();
        removed.sort();
        assert_eq!(removed, ["TF_LOG", "TF_LOG_PATH", "TF_LOG_PROVIDER_KUBERNETES"]);
    }

    #[test]
    fn which_versions_are_understood() {
        for (version, ui, good) in [
            ("1.11.4", "1.2", true),
            ("1.0.0", "0.1.0", true),
            ("1.8.0-beta1", "1.2", true),
            ("0.15.5", "0.1.0", false),
            ("2.0.0", "1.2", false),
            ("1.20.0", "2.0", false),
            ("", "", false),
        ] {
            assert_eq!(is_understood(version, ui), good, "{version} {ui}");
        }
    }

    #[test]
    fn the_end_of_long_text_is_kept() {
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(&vec![b'a'; TEXT_LIMIT + 5]).expect("written");
        file.write_all(b"end").expect("written");
        let text = tail(&mut file);
        assert!(text.ends_with("end") && text.len() == TEXT_LIMIT);
    }
}
