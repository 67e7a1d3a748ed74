//! Carrying changes out: the only place that sends steps to a host.

use crate::decision::Change;
use crate::journal::Record;
use crate::link::{Link, taken_over};
use crate::render_step::{self, ContentSource, Rendered, UPLOAD_FROM, UPLOAD_GONE};
use crate::site::lock::NOT_OURS;
use crate::site::unit::{self, Followed};
use crate::step::{Shell, Step, WriteFiles};
use crate::text::{DETAIL_LIMIT, gist, sanitize, tail};
use bytes::Bytes;
use mosip_prov_events::Failure;
use mosip_prov_transport::error::ErrorKind;
use mosip_prov_transport::{OutputLine, Permit, Request, Response, Stream, TransportError};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How an attempt to carry something out ended.
#[derive(Debug)]
pub(crate) enum ApplyError {
    /// The target refused or failed.
    Step(Failure),
    /// The way to the target failed.
    Transport(TransportError),
}

impl From<TransportError> for ApplyError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

/// A change that did not come to its end.
pub(crate) struct Failed {
    /// Why.
    pub failure: Failure,
    /// Some of it, or all, may have been done.
    pub perhaps_done: bool,
}

/// How often contents that were lost before they came into place are uploaded again.
const UPLOADS: u32 = 3;

/// How long overdue work that was asked to stop is still followed.
const GRACE: Duration = Duration::from_secs(30);

/// Where and within which limits changes are carried out.
pub(crate) struct Applier<'a> {
    pub link: &'a Link<'a>,
    pub permit: Permit<'a>,
    pub timeout: Duration,
    /// The role whose files' predecessors are kept.
    pub keep_for: Option<&'a str>,
}

impl Applier<'_> {
    /// Carries out one change step by step; output of long steps goes to `lines` while they run. `task` names it on the
    /// host.
    pub async fn alone(&self, change: &Change, task: &str, lines: &mpsc::Sender<OutputLine>) -> Result<(), ApplyError> {
        for step in &change.steps {
            match step {
                Step::Shell(shell) if shell.long => self.detached(shell, task, lines).await?,
                Step::Shell(shell) => self.shell(shell).await?,
                Step::WriteFiles(write) => self.write_files(write, &change.summary).await?,
                Step::Reboot { timeout } => self.reboot(*timeout).await?,
            }
        }
        Ok(())
    }

    async fn shell(&self, shell: &Shell) -> Result<(), ApplyError> {
        let rendered = render_step::shell(shell);
        let request = Request {
            script: rendered.fragment,
            payload: rendered.payload,
            timeout: Some(shell.timeout.unwrap_or(self.timeout)),
            sensitive: shell.payload.is_sensitive(),
        };
        let response = self.link.apply_once(&self.permit, request).await?;
        check(&shell.summary, &response).map_err(|error| match error {
            ApplyError::Step(failure) => ApplyError::Step(kept_back(failure, shell)),
            other => other,
        })
    }

    /// Work that goes on whatever becomes of the connection, or of this program.
    async fn detached(&self, shell: &Shell, task: &str, lines: &mpsc::Sender<OutputLine>) -> Result<(), ApplyError> {
        let id = self.link.next_id();
        let host = self.link.machine().to_owned();
        self.link.promise(Record::UnitStarted {
            host: host.clone(),
            unit: id.clone(),
            task: task.to_owned(),
        });
        let input = shell.payload.bytes();
        let payload: Bytes = [shell.script.as_bytes(), input.as_ref()].concat().into();
        let begin = |skip| Request {
            script: unit::start(
                self.link.sites.run(),
                &id,
                task,
                (shell.script.len(), input.len()),
                skip,
                shell.payload.is_sensitive(),
            ),
            payload: payload.clone(),
            timeout: Some(shell.timeout.unwrap_or(self.timeout)),
            sensitive: shell.payload.is_sensitive(),
        };
        let (followed, output) = self.watch(&id, begin, lines).await?;
        match followed {
            Followed::Status(status) => {
                self.link.promise(Record::UnitEnded {
                    host,
                    unit: id.clone(),
                    status,
                });
                // From here on its folder is of no use to anyone.
                self.link.left_behind(&id);
                match status {
                    0 => Ok(()),
                    status => Err(ApplyError::Step(kept_back(
                        step_failure(&shell.summary, status, &output),
                        shell,
                    ))),
                }
            }
            Followed::Vanished | Followed::Gone => {
                self.link.promise(Record::UnitEnded {
                    host,
                    unit: id.clone(),
                    status: -1,
                });
                self.link.left_behind(&id);
                Err(ApplyError::Step(Failure {
                    message: format!("{}: it was ended from outside before it was done", shell.summary),
                    detail: Some(tail(&sanitize(&output), DETAIL_LIMIT)).filter(|d| !d.trim().is_empty()),
                    status: None,
                    help: Some("the host was rebooted or the work was killed there; run again".to_owned()),
                }))
            }
        }
    }

    /// Takes the result of work that an earlier run left on the host.
    pub async fn adopt(&self, id: &str, lines: &mpsc::Sender<OutputLine>) -> Result<(Followed, String), ApplyError> {
        let request = |skip| Request {
            script: unit::follow(id, skip),
            timeout: Some(Duration::from_secs(4 * 3600)),
            ..Request::default()
        };
        self.watch(id, request, lines).await
    }

    /// Follows the work `id` to its end, over as many connections as it takes.
    async fn watch(
        &self,
        id: &str,
        request: impl Fn(u64) -> Request,
        lines: &mpsc::Sender<OutputLine>,
    ) -> Result<(Followed, String), ApplyError> {
        let seen = AtomicU64::new(0);
        let stop = async {
            self.link.cancel.cancelled().await;
            loop {
                let request = Request::new(unit::stop(id));
                // If this fails the work goes on; the next run finds it.
                let _ = self.link.host.apply(&self.permit, &self.link.place.1, request).await;
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        };
        let follow = async {
            let mut patience = self.link.patience();
            let mut again = true;
            let mut overdue = None;
            loop {
                let before = seen.load(Ordering::Relaxed);
                let mut request = request(before);
                if overdue.is_some() {
                    // Asked to stop: it gets a moment to do so.
                    request.timeout = Some(GRACE);
                }
                match self.follow(request, &seen, lines).await {
                    Err(error) if matches!(error.kind, ErrorKind::Timeout { .. }) && overdue.is_none() => {
                        let stop = Request::new(unit::stop(id));
                        // If this fails the work goes on; the next run finds it.
                        let _ = self.link.host.apply(&self.permit, &self.link.place.1, stop).await;
                        overdue = Some(error);
                    }
                    Ok(response) if again && response.status == NOT_OURS => {
                        again = false;
                        match self.link.take_back(&self.permit, &response).await? {
                            // It begins anew, and so do its lines.
                            Ok(()) => seen.store(0, Ordering::Relaxed),
                            Err(owner) => return Ok(taken_over(&owner)),
                        }
                    }
                    // Whatever came through shows that the link was there again.
                    Err(error) if error.is_unreachable() && seen.load(Ordering::Relaxed) > before => {
                        patience = self.link.patience()
                    }
                    Err(error) if patience.again(&error).await => {}
                    result => return overdue.map_or(result, Err),
                }
            }
        };
        let response = tokio::select! {
            response = follow => response?,
            () = stop => unreachable!("the stopper never returns"),
        };
        let output = response.stdout_text().into_owned();
        match unit::outcome(&response.stderr_text()) {
            Some(followed) => Ok((followed, output)),
            None => Err(ApplyError::Step(step_failure(
                "long work could not be started",
                response.status,
                &format!("{output}{}", response.stderr_text()),
            ))),
        }
    }

    /// Watches `request` over one connection, counting and passing on its lines.
    async fn follow(
        &self,
        request: Request,
        seen: &AtomicU64,
        lines: &mpsc::Sender<OutputLine>,
    ) -> Result<Response, TransportError> {
        let (sender, mut receiver) = mpsc::channel::<OutputLine>(64);
        let forward = async {
            while let Some(line) = receiver.recv().await {
                if line.stream == Stream::Stdout {
                    seen.fetch_add(1, Ordering::Relaxed);
                    // Nobody listening does not stop the work.
                    let _ = lines.send(line).await;
                }
            }
        };
        let watch = self
            .link
            .host
            .apply_watched(&self.permit, &self.link.place.1, request, sender);
        tokio::join!(watch, forward).0
    }

    /// Files with their contents; those that were uploaded and lost again, as in a reboot, are uploaded anew.
    async fn write_files(&self, write: &WriteFiles, summary: &str) -> Result<(), ApplyError> {
        let mut response = self.try_write_files(write).await?;
        for _ in 0..UPLOADS {
            if response.status != UPLOAD_GONE {
                break;
            }
            response = self.try_write_files(write).await?;
        }
        check(summary, &response)
    }

    async fn try_write_files(&self, write: &WriteFiles) -> Result<Response, ApplyError> {
        let mut uploaded = Vec::with_capacity(write.files.len());
        for file in &write.files {
            let bytes = file.content.bytes();
            uploaded.push(if bytes.len() >= UPLOAD_FROM {
                let mut patience = self.link.patience();
                loop {
                    match self.link.host.upload(&self.permit, bytes.clone()).await {
                        Err(error) if patience.again(&error).await => {}
                        result => break Some(result?),
                    }
                }
            } else {
                None
            });
        }
        let sources: Vec<_> = write
            .files
            .iter()
            .zip(&uploaded)
            .map(|(file, path)| match path {
                Some(path) => ContentSource::Uploaded(path),
                None => ContentSource::Payload(file.content.bytes()),
            })
            .collect();
        let Rendered { fragment, payload } = render_step::write_files(write, &sources, self.keep_for);
        let request = Request {
            script: fragment,
            payload,
            timeout: Some(self.timeout),
            sensitive: write.files.iter().any(|f| f.content.is_sensitive()),
        };
        Ok(self.link.apply_once(&self.permit, request).await?)
    }

    async fn reboot(&self, timeout: Duration) -> Result<(), ApplyError> {
        let host = self.link.host;
        let boot_id = Request::new("cat /proc/sys/kernel/random/boot_id");
        let identity = &self.link.place.1;
        let boot_id = host.ask(identity, boot_id).await?;
        let boot_id = boot_id.stdout_text().trim().to_owned();
        // Detached and a moment later, so that this exchange still gets its answer.
        let script = "nohup sh -c 'sleep 1; systemctl reboot || reboot' >/dev/null 2>&1 </dev/null &";
        let response = host.apply(&self.permit, identity, Request::new(script)).await?;
        check("reboot", &response)?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let old = Some(boot_id.as_str()).filter(|id| !id.is_empty());
        host.wait_for_return(timeout, old).await?;
        // The lock went with the reboot.
        match self.link.take_lock(&self.permit).await? {
            Ok(()) => Ok(()),
            Err(owner) => check("reboot", &taken_over(&owner)),
        }
    }

    /// Puts back what `role` replaced; the paths that were, one a line.
    pub async fn restore(&self, role: &str) -> Result<String, ApplyError> {
        let request = Request::new(crate::site::undo::restore(role)).timeout(self.timeout);
        let response = self.link.apply_once(&self.permit, request).await?;
        check("put back the previous files", &response)?;
        Ok(response.stdout_text().into_owned())
    }
}

/// The output of a script that was given a secret may quote it.
pub(crate) fn kept_back(failure: Failure, shell: &Shell) -> Failure {
    if !shell.payload.is_sensitive() {
        return failure;
    }
    let status = failure.status.map_or_else(String::new, |s| format!(": status {s}"));
    Failure {
        message: format!(
            "{}{status}; what it printed is kept back, since it was given a secret",
            shell.summary
        ),
        detail: None,
        ..failure
    }
}

fn check(summary: &str, response: &Response) -> Result<(), ApplyError> {
    if response.success() {
        return Ok(());
    }
    let mut text = response.stdout_text().into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&response.stderr_text());
    Err(ApplyError::Step(step_failure(summary, response.status, &text)))
}

/// The failure of something the target did.
pub(crate) fn step_failure(summary: &str, status: i32, output: &str) -> Failure {
    let output = sanitize(output);
    let output = output.trim();
    let gist = gist(output);
    let said = if gist.is_empty() { "it printed nothing" } else { &gist };
    Failure {
        message: format!("{summary}: status {status}: {said}"),
        detail: (output != gist && !output.is_empty()).then(|| tail(output, DETAIL_LIMIT)),
        status: Some(status),
        help: remedy(output),
    }
}

/// What to do about failures that every kind of step can meet.
fn remedy(output: &str) -> Option<String> {
    let text = if output.contains("No space left on device") {
        "the disk is full: free some space on the host (df -h), then run again; nothing was left half-written"
    } else if output.contains("Read-only file system") {
        "the file system is mounted read-only, often after a disk error: look at dmesg on the host, mend and remount it, then run again"
    } else if output.contains("the change was cut short") {
        "the connection was lost and what it was doing ended with it; run again"
    } else if output.contains("Permission denied") || output.contains("Operation not permitted") {
        "the task's user may not do this: check ansible_become and ansible_become_user for this host"
    } else {
        return None;
    };
    Some(text.to_owned())
}
