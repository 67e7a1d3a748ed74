//! The machine this program runs on, through the same exchange as any other.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

use crate::error::{ErrorKind, TransportError};
use crate::exchange::{ShellSettings, Shells};
use crate::files;
use crate::gate::Permit;
use crate::host::{ExchangeStats, Host, Identity, OutputLine, Request, Response};
use crate::process::{Event, Opener, Process};
use crate::stats::Counters;
use crate::target::Target;

/// How long a child's output may stay silent after the child has ended.
const SILENCE: Duration = Duration::from_millis(500);

struct LocalOpener;

#[async_trait]
impl Opener for LocalOpener {
    async fn open(&self, command: String) -> Result<Process, ErrorKind> {
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
        let (events, receiver) = mpsc::unbounded_channel();
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
                let _ = events.send(Event::Exit(code.unwrap_or(-1)));
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

async fn pump(mut from: impl AsyncRead + Unpin, to: mpsc::UnboundedSender<Event>, wrap: fn(Bytes) -> Event) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(64 << 10);
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            // Read on when nobody listens any more: the child must not block on a full pipe.
            Ok(_) => drop(to.send(wrap(buffer.split().freeze()))),
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

fn write_temporary(content: &[u8]) -> std::io::Result<String> {
    let name = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let path = std::env::temp_dir().join(format!(".mosip-prov.{}.{name}", std::process::id()));
    // create_new refuses a link that someone put there.
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    let written = file
        .set_permissions(std::fs::Permissions::from_mode(0o600))
        .and_then(|()| file.write_all(content));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&path);
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
