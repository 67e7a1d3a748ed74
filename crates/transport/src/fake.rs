//! A host that answers from a script, for tests of everything that talks to hosts.
//!
//! Anything that was not foreseen fails, so that a test notices a new command.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::error::{ErrorKind, TransportError};
use crate::gate::Permit;
use crate::host::{Connector, ExchangeStats, Host, Identity, OutputLine, Request, Response, Stream};
use crate::target::Target;

/// By which way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// [`Host::ask`].
    Ask,
    /// [`Host::apply`].
    Apply,
    /// [`Host::apply_watched`].
    ApplyWatched,
    /// [`Host::upload`]; the script is the path given out.
    Upload,
    /// [`Host::download`]; the script is the path asked for.
    Download,
    /// [`Host::wait_for_return`].
    WaitForReturn,
}

impl CallKind {
    /// Whether a call of this kind may change the target.
    pub fn is_mutation(self) -> bool {
        matches!(self, Self::Apply | Self::ApplyWatched | Self::Upload)
    }
}

/// A call as it was made.
#[derive(Debug, Clone)]
pub struct Call {
    /// By which way.
    pub kind: CallKind,
    /// As whom.
    pub identity: Identity,
    /// Script and payload.
    pub request: Request,
}

type Answer = Box<dyn FnMut(&Identity, &Request) -> Option<Result<Response, ErrorKind>> + Send>;

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    stats: ExchangeStats,
    files: HashMap<String, Bytes>,
    uploads: usize,
}

/// A scripted host. Answers are tried in the order they were registered; the first that fits counts.
#[derive(Default)]
pub struct FakeHost {
    name: String,
    // Apart from `state`: an answer may itself look at the calls so far.
    answers: Mutex<Vec<Answer>>,
    state: Mutex<State>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A response with this standard output and status 0.
pub fn stdout(text: impl Into<Bytes>) -> Response {
    Response {
        stdout: text.into(),
        ..Response::default()
    }
}

/// A response with this status and standard error.
pub fn failure(status: i32, stderr: impl Into<Bytes>) -> Response {
    Response {
        stderr: stderr.into(),
        status,
        ..Response::default()
    }
}

impl FakeHost {
    /// A host that knows no answers yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Answers exactly this script, by whoever it is sent, as often as it comes.
    pub fn on(self, script: impl Into<String>, response: Response) -> Self {
        let script = script.into();
        self.handler(move |_, request| (request.script == script).then(|| response.clone()))
    }

    /// Answers every request that fits.
    pub fn when(self, fits: impl Fn(&Identity, &Request) -> bool + Send + 'static, response: Response) -> Self {
        self.handler(move |identity, request| fits(identity, request).then(|| response.clone()))
    }

    /// Answers by a closure; `None` leaves the request to the next one. The closure may keep state, as a small model of a machine.
    pub fn handler(self, mut answer: impl FnMut(&Identity, &Request) -> Option<Response> + Send + 'static) -> Self {
        lock(&self.answers).push(Box::new(move |i, r| answer(i, r).map(Ok)));
        self
    }

    /// Fails by a closure: `None` leaves the request to the next one.
    pub fn fails(self, mut fail: impl FnMut(&Identity, &Request) -> Option<ErrorKind> + Send + 'static) -> Self {
        lock(&self.answers).push(Box::new(move |i, r| fail(i, r).map(Err)));
        self
    }

    /// A file that can be downloaded.
    pub fn file(self, path: impl Into<String>, content: impl Into<Bytes>) -> Self {
        lock(&self.state).files.insert(path.into(), content.into());
        self
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }

    /// Those calls that may change the target.
    pub fn mutations(&self) -> Vec<Call> {
        self.calls()
            .into_iter()
            .filter(|call| call.kind.is_mutation())
            .collect()
    }

    /// What was uploaded, by the path given out.
    pub fn uploaded(&self, path: &str) -> Option<Bytes> {
        lock(&self.state).files.get(path).cloned()
    }

    fn record(&self, kind: CallKind, identity: &Identity, request: &Request) {
        let mut state = lock(&self.state);
        state.stats.exchanges += 1;
        state.stats.bytes_out += (request.script.len() + request.payload.len()) as u64;
        state.calls.push(Call {
            kind,
            identity: identity.clone(),
            request: request.clone(),
        });
    }

    fn answer(&self, kind: CallKind, identity: &Identity, request: Request) -> Result<Response, TransportError> {
        self.record(kind, identity, &request);
        let answer = lock(&self.answers)
            .iter_mut()
            .find_map(|answer| answer(identity, &request));
        match answer {
            Some(Ok(response)) => {
                lock(&self.state).stats.bytes_in += (response.stdout.len() + response.stderr.len()) as u64;
                Ok(response)
            }
            Some(Err(kind)) => Err(self.error(kind)),
            None => Err(self.error(ErrorKind::Unexpected(format!("{kind:?} as {identity}: {request:?}")))),
        }
    }

    fn error(&self, kind: ErrorKind) -> TransportError {
        TransportError::new(&self.name, kind)
    }
}

#[async_trait]
impl Host for FakeHost {
    fn name(&self) -> &str {
        &self.name
    }

    async fn ask(&self, identity: &Identity, request: Request) -> Result<Response, TransportError> {
        self.answer(CallKind::Ask, identity, request)
    }

    async fn apply(
        &self,
        _permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
    ) -> Result<Response, TransportError> {
        self.answer(CallKind::Apply, identity, request)
    }

    async fn apply_watched(
        &self,
        _permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
        lines: mpsc::Sender<OutputLine>,
    ) -> Result<Response, TransportError> {
        let response = self.answer(CallKind::ApplyWatched, identity, request)?;
        for (stream, bytes) in [(Stream::Stdout, &response.stdout), (Stream::Stderr, &response.stderr)] {
            for line in String::from_utf8_lossy(bytes).lines() {
                let line = line.to_string();
                // A watcher that went away does not stop the work.
                let _ = lines.send(OutputLine { stream, line }).await;
            }
        }
        Ok(response)
    }

    async fn upload(&self, _permit: &Permit<'_>, content: Bytes) -> Result<String, TransportError> {
        let path = {
            let mut state = lock(&self.state);
            state.uploads += 1;
            let path = format!("/tmp/.mosip-prov.upload{}", state.uploads);
            state.files.insert(path.clone(), content.clone());
            path
        };
        self.record(
            CallKind::Upload,
            &Identity::Login,
            &Request::new(path.clone()).payload(content),
        );
        Ok(path)
    }

    async fn download(&self, identity: &Identity, path: &str, limit: usize) -> Result<Bytes, TransportError> {
        self.record(CallKind::Download, identity, &Request::new(path));
        let content = lock(&self.state).files.get(path).cloned();
        match content {
            Some(content) if content.len() > limit => Err(self.error(ErrorKind::OutputTooLarge {
                size: content.len() as u64,
                limit: limit as u64,
            })),
            Some(content) => Ok(content),
            None => Err(self.error(ErrorKind::File {
                path: path.into(),
                said: "No such file or directory".into(),
            })),
        }
    }

    async fn wait_for_return(&self, _deadline: Duration, _old_boot_id: Option<&str>) -> Result<(), TransportError> {
        self.record(CallKind::WaitForReturn, &Identity::Login, &Request::default());
        Ok(())
    }

    fn stats(&self) -> ExchangeStats {
        lock(&self.state).stats.clone()
    }

    async fn close(&self) {}
}

/// Hands out scripted hosts by inventory name, and fails for those it does not know.
#[derive(Default)]
pub struct FakeConnector {
    hosts: HashMap<String, Arc<FakeHost>>,
    down: Mutex<HashMap<String, Vec<ErrorKind>>>,
    connected: Mutex<Vec<String>>,
}

impl FakeConnector {
    /// An empty fleet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more host; keep a clone of the `Arc` to look at its calls afterwards.
    pub fn with(mut self, host: impl Into<Arc<FakeHost>>) -> Self {
        let host = host.into();
        self.hosts.insert(host.name.clone(), host);
        self
    }

    /// The next connections to that host fail, once for each error.
    pub fn failing(self, name: impl Into<String>, errors: impl IntoIterator<Item = ErrorKind>) -> Self {
        let mut errors: Vec<_> = errors.into_iter().collect();
        errors.reverse();
        lock(&self.down).insert(name.into(), errors);
        self
    }

    /// A host of the fleet.
    pub fn host(&self, name: &str) -> Option<Arc<FakeHost>> {
        self.hosts.get(name).cloned()
    }

    /// Names in the order connections were asked for.
    pub fn connected(&self) -> Vec<String> {
        lock(&self.connected).clone()
    }
}

#[async_trait]
impl Connector for FakeConnector {
    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, TransportError> {
        lock(&self.connected).push(target.name.clone());
        if let Some(kind) = lock(&self.down).get_mut(&target.name).and_then(Vec::pop) {
            return Err(TransportError::new(&target.name, kind));
        }
        let Some(host) = self.hosts.get(&target.name) else {
            return Err(TransportError::new(
                &target.name,
                ErrorKind::Unexpected("a connection to a host that is not in the fleet".into()),
            ));
        };
        lock(&host.state).stats.connects += 1;
        Ok(host.clone())
    }
}
