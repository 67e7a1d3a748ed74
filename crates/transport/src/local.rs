//! The machine this program runs on, through the same exchange as any other.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

use crate::error::{ErrorKind, TransportError};
use crate::exchange::{ShellSettings, Shells};
use crate::files;
use crate::gate::Permit;
use crate::host::{ExchangeStats, Host, Identity, OutputLine, Request, Response};
use crate::process::{self, Event, EventSender, Opener, Process};
use crate::stats::Counters;
use crate::target::Target;

/// How long a child's output may stay silent after the child has ended.
const SILENCE: Duration = Duration::from_millis(500);

struct LocalOpener;

#[async_trait]
impl Opener for LocalOpener {
    async fn open(&self, command: String, backlog: usize) -> Result<Process, ErrorKind> {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is for this program, which then stops its work in order.
            .process_group(0)
            .spawn()
            .map_err(|source| ErrorKind::Local {
                doing: "starting /bin/sh".into(),
                source,
            })?;
        let missing = || ErrorKind::Protocol("a child process without pipes".into());
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let (mut events, receiver) = process::events(backlog);
        let (guard, dropped) = oneshot::channel();
        tokio::spawn(async move {
            let out = tokio::spawn(pump(stdout, events.clone(), Event::Stdout));
            let err = tokio::spawn(pump(stderr, events.clone(), Event::Stderr));
            if let Ok(status) = child.wait().await {
                let code = status.code().or(status.signal().map(|signal| 128 + signal));
                // Output first, so that it is not taken for that of a child that lives on.
                let both = async { (out.await, err.await) };
                tokio::pin!(both);
                let drained = tokio::time::timeout(SILENCE, &mut both).await.is_ok();
                events.send(Event::Exit(code.unwrap_or(-1)));
                if !drained {
                    tokio::select! {
                        _ = &mut both => {}
                        _ = dropped => {}
                    }
                }
            }
        });
        Ok(Process {
            stdin: Box::new(stdin),
            events: receiver,
            _guard: guard,
        })
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: EventSender, wrap: fn(Bytes) -> Event) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            // Read on when nobody listens any more: the child must not block on a full pipe. Copied, so that what waits takes no
            // more room than its bytes.
            Ok(count) => to.send(wrap(Bytes::copy_from_slice(&buffer[..count]))),
        }
    }
}

/// The machine this program runs on.
pub struct LocalHost {
    name: String,
    shells: Shells<LocalOpener>,
    counters: Arc<Counters>,
}

impl LocalHost {
    /// Nothing runs before the first request.
    pub fn new(target: &Target) -> Self {
        Self::with_shell(target, "/bin/sh")
    }

    /// With another POSIX shell (a command line of plain words) in place of `/bin/sh`.
    pub fn with_shell(target: &Target, shell: &str) -> Self {
        let counters = Arc::<Counters>::default();
        counters.connects.fetch_add(1, Relaxed);
        let settings = ShellSettings {
            shell: shell.into(),
            ..ShellSettings::of(target, &current_user())
        };
        Self {
            name: target.name.clone(),
            shells: Shells::new(LocalOpener, settings, counters.clone()),
            counters,
        }
    }

    fn error(&self, kind: ErrorKind) -> TransportError {
        TransportError::new(&self.name, kind)
    }
}

/// The name of the user this process runs as, by its number, since `$USER` may say anything.
fn current_user() -> String {
    let Ok(uid) = std::fs::metadata("/proc/self").map(|meta| meta.uid()) else {
        return String::new();
    };
    if uid == 0 {
        return "root".into();
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2).and_then(|field| field.parse().ok()) == Some(uid))
        .map(|fields| fields[0].to_string())
        .unwrap_or_default()
}

/// As [`crate::ssh`] does: a folder of our own, of a name that tells whose it is, so that the next shell removes what was left behind.
fn write_temporary(content: &[u8]) -> std::io::Result<String> {
    let name = crate::exchange::nonce().map_err(std::io::Error::other)?;
    let folder = std::env::temp_dir().join(format!(".mosip-prov.{}.up.{}", std::process::id(), &name[..6]));
    // Neither takes what someone else put there.
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let path = folder.join("content");
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(content));
    if let Err(error) = written {
        let _ = std::fs::remove_dir_all(&folder);
        return Err(error);
    }
    Ok(path.to_string_lossy().into_owned())
}

#[async_trait]
impl Host for LocalHost {
    fn name(&self) -> &str {
        &self.name
    }

    async fn ask(&self, identity: &Identity, request: Request) -> Result<Response, TransportError> {
        self.shells
            .run(identity, &request, None)
            .await
            .map_err(|kind| self.error(kind))
    }

    async fn apply(
        &self,
        _permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
    ) -> Result<Response, TransportError> {
        self.shells
            .run(identity, &request, None)
            .await
            .map_err(|kind| self.error(kind))
    }

    async fn apply_watched(
        &self,
        _permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
        lines: mpsc::Sender<OutputLine>,
    ) -> Result<Response, TransportError> {
        self.shells
            .watch(identity, &request, &lines)
            .await
            .map_err(|kind| self.error(kind))
    }

    async fn upload(&self, _permit: &Permit<'_>, content: Bytes) -> Result<String, TransportError> {
        let wrote = tokio::task::spawn_blocking(move || write_temporary(&content)).await;
        let failed = |source| {
            self.error(ErrorKind::Local {
                doing: "writing a temporary file".into(),
                source,
            })
        };
        wrote.map_err(|error| failed(error.into()))?.map_err(failed)
    }

    async fn download(&self, identity: &Identity, path: &str, limit: usize) -> Result<Bytes, TransportError> {
        files::download(&self.shells, identity, path, limit)
            .await
            .map_err(|kind| self.error(kind))
    }

    async fn wait_for_return(&self, _deadline: Duration, old_boot_id: Option<&str>) -> Result<(), TransportError> {
        match old_boot_id {
            None => Ok(()),
            Some(_) => Err(self.error(ErrorKind::BadRequest(
                "the machine this program runs on cannot be waited for over its own restart".into(),
            ))),
        }
    }

    fn stats(&self) -> ExchangeStats {
        self.counters.snapshot()
    }

    async fn close(&self) {
        self.shells.close().await;
    }
}
