//! The shells of one connection: one per identity, opened when first needed, replaced when they end.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use super::{Exchange, Limits, Mark, Start, script};
use crate::error::ErrorKind;
use crate::host::{BecomeUser, Identity, OutputLine, Request, Response};
use crate::process::Opener;
use crate::stats::Counters;
use crate::target::{SudoSettings, Target};

/// How long a request may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(5);

/// A request up to this size is sent along with the program of the shell that is to answer it: less than any server's
/// window, so that nothing has to be read before all of it is written.
const ALONG: usize = 128 << 10;
/// How much of a watched request's output may wait to be read.
const WATCHED: usize = 4 << 20;

/// What all shells of a host share.
#[derive(Debug, Clone)]
pub(crate) struct ShellSettings {
    /// The POSIX shell on the target.
    pub shell: String,
    /// Who logged in: becoming that user needs no sudo.
    pub login_user: String,
    pub sudo: SudoSettings,
    pub command_timeout: Duration,
    pub output_limit: usize,
    pub mark: Mark,
}

impl ShellSettings {
    pub fn of(target: &Target, login_user: &str) -> Self {
        Self {
            shell: "/bin/sh".into(),
            login_user: login_user.into(),
            sudo: target.sudo.clone(),
            command_timeout: target.timeouts.command,
            output_limit: target.output_limit,
            mark: Mark::default(),
        }
    }
}

#[derive(Default)]
struct Slot {
    exchange: Option<Exchange>,
    /// Folder of a shell that ended without cleaning up.
    leftover: String,
}

pub(crate) struct Shells<O> {
    opener: O,
    settings: ShellSettings,
    counters: Arc<Counters>,
    slots: Mutex<HashMap<Option<BecomeUser>, Arc<Mutex<Slot>>>>,
}

impl<O: Opener> Shells<O> {
    pub fn new(opener: O, settings: ShellSettings, counters: Arc<Counters>) -> Self {
        Self {
            opener,
            settings,
            counters,
            slots: Mutex::default(),
        }
    }

    pub fn opener(&self) -> &O {
        &self.opener
    }

    /// Whom sudo must make of the login user; nobody when it is the login user.
    fn user(&self, identity: &Identity) -> Option<BecomeUser> {
        match identity {
            Identity::Become(user) if user.as_str() != self.settings.login_user => Some(user.clone()),
            _ => None,
        }
    }

    fn start<'a>(&'a self, user: Option<&'a BecomeUser>, leftover: &'a str, backlog: usize) -> Start<'a> {
        Start {
            shell: &self.settings.shell,
            user,
            sudo: &self.settings.sudo,
            leftover,
            mark: &self.settings.mark,
            backlog,
        }
    }

    /// A whole answer may wait, with what its pieces cost.
    fn answer_backlog(&self) -> usize {
        self.settings
            .output_limit
            .saturating_add(self.settings.output_limit / 4)
            .saturating_add(1 << 20)
    }

    fn limit(&self, request: &Request) -> Duration {
        request.timeout.unwrap_or(self.settings.command_timeout)
    }

    /// One round trip.
    pub async fn run(
        &self,
        identity: &Identity,
        request: &Request,
        output: Option<usize>,
    ) -> Result<Response, ErrorKind> {
        let user = self.user(identity);
        let slot = self.slots.lock().await.entry(user.clone()).or_default().clone();
        let mut slot = slot.lock().await;
        // Taken out while in use: a caller that gives up half-way leaves no shell behind that is out of step.
        let limits = Limits {
            time: self.limit(request),
            output: output.unwrap_or(self.settings.output_limit),
        };
        let mut sent = false;
        let mut exchange = match slot.exchange.take() {
            Some(exchange) => exchange,
            None => {
                let leftover = std::mem::take(&mut slot.leftover);
                let began = Instant::now();
                self.counters.channels.fetch_add(1, Relaxed);
                sent = request.script.len() + request.payload.len() <= ALONG;
                let first = sent.then_some((request, limits));
                let exchange = Exchange::open(
                    &self.opener,
                    &self.start(user.as_ref(), &leftover, self.answer_backlog()),
                    first,
                )
                .await?;
                self.counters.shell_opened(began.elapsed());
                exchange
            }
        };
        slot.leftover = exchange.folder.clone();
        let began = Instant::now();
        exchange.remote = Duration::ZERO;
        self.counters.exchanges.fetch_add(1, Relaxed);
        let mut outcome = match sent {
            true => exchange.first_answer(limits).await,
            false => exchange.round(request, limits).await,
        };
        let mut usable = matches!(
            outcome,
            Ok(_) | Err(ErrorKind::OutputTooLarge { .. } | ErrorKind::BadRequest(_))
        );
        if matches!(outcome, Err(ErrorKind::Timeout { .. })) {
            let answer = self.stop(user.as_ref(), &mut exchange, limits).await;
            usable = answer.is_some();
            outcome = Err(ErrorKind::Timeout {
                limit: limits.time,
                stderr: answer.filter(|_| !request.sensitive).unwrap_or_default(),
            });
        }
        let back = outcome.as_ref().map_or(0, |r| r.stdout.len() + r.stderr.len());
        self.counters.exchange(
            request.script.len() + request.payload.len(),
            back,
            began.elapsed(),
            exchange.remote,
        );
        if usable {
            slot.leftover.clear();
            slot.exchange = Some(exchange);
        }
        outcome
    }

    /// Ends what a shell is running, first gently. Its last words on standard error if it can be used again.
    async fn stop(&self, user: Option<&BecomeUser>, exchange: &mut Exchange, limits: Limits) -> Option<String> {
        for signal in ["TERM", "KILL"] {
            self.signal(user, exchange.pid, signal).await;
            match tokio::time::timeout(GRACE, exchange.answer(limits)).await {
                Ok(Ok(response)) => return Some(response.stderr_text().into_owned()),
                Ok(Err(ErrorKind::OutputTooLarge { .. })) => return Some(String::new()),
                Ok(Err(_)) => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Sends a signal to everything that a shell started, from a shell of its own.
    async fn signal(&self, user: Option<&BecomeUser>, pid: u32, signal: &str) {
        self.counters.channels.fetch_add(1, Relaxed);
        let Ok(mut helper) = Exchange::open(&self.opener, &self.start(user, "", WATCHED), None).await else {
            return;
        };
        let limits = Limits {
            time: GRACE,
            output: 4096,
        };
        let _ = helper
            .round(&Request::new(script::kill_children(pid, signal)), limits)
            .await;
    }

    /// A request with a channel of its own, watched line by line.
    pub async fn watch(
        &self,
        identity: &Identity,
        request: &Request,
        lines: &mpsc::Sender<OutputLine>,
    ) -> Result<Response, ErrorKind> {
        let user = self.user(identity);
        let began = Instant::now();
        self.counters.channels.fetch_add(1, Relaxed);
        self.counters.exchanges.fetch_add(1, Relaxed);
        let mut exchange = Exchange::open_once(&self.opener, &self.start(user.as_ref(), "", WATCHED), request).await?;
        self.counters.shell_opened(began.elapsed());
        let limit = self.limit(request);
        let began = Instant::now();
        let outcome = match tokio::time::timeout(limit, exchange.watch(lines)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.signal(user.as_ref(), exchange.pid, "TERM").await;
                if tokio::time::timeout(GRACE, exchange.watch(lines)).await.is_err() {
                    self.signal(user.as_ref(), exchange.pid, "KILL").await;
                    let _ = tokio::time::timeout(GRACE, exchange.watch(lines)).await;
                }
                Err(ErrorKind::Timeout {
                    limit,
                    stderr: String::new(),
                })
            }
        };
        let back = outcome.as_ref().map_or(0, |r| r.stdout.len() + r.stderr.len());
        // A watched request is there to be waited for.
        let spent = began.elapsed();
        self.counters
            .exchange(request.script.len() + request.payload.len(), back, spent, spent);
        outcome
    }

    /// Lets all shells end.
    pub async fn close(&self) {
        self.slots.lock().await.clear();
    }
}
