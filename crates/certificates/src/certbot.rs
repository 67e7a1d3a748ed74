//! Driving the real certbot: its challenges are collected through its own hooks, shown all at once, and it goes on when
//! the zone's nameservers show them.

use crate::authoritative::{self, Lack};
use crate::challenge::TxtRecord;
use crate::hook::{AUTH_COMMAND, CLEANUP_COMMAND, Call, GO_ON, Kind, SOCKET};
use crate::pair::Source;
use mosip_prov_inventory::diagnostic::Diagnostic;
use mosip_prov_preflight::dns::Nameservers;
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};

/// The authority that certbot asks when none is named.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// How long certbot may take to end once it was told to.
const FAREWELL: Duration = Duration::from_secs(15);
/// How many of certbot's last lines are kept for the error.
const LINES: usize = 40;

/// What is requested, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// certbot: a path, or a name to be found on PATH.
    pub certbot: PathBuf,
    /// The folder of its account, keys, certificates and logs; made for its owner alone when it is not there.
    pub folder: PathBuf,
    /// The authority's directory; `None`: Let's Encrypt.
    pub server: Option<String>,
    /// Where the authority may write to.
    pub email: Option<String>,
    /// Whether the authority's terms of service are agreed to.
    pub agree_tos: bool,
    /// The certificate's name with certbot.
    pub name: String,
    /// What it is to be good for.
    pub names: Vec<String>,
    /// Whether one is requested though the present one is good for long.
    pub force: bool,
    /// The command line that certbot calls as its hooks, without `auth` or `cleanup`.
    pub hook: Vec<String>,
    /// The operator's own command that creates a record, called with certbot's variables.
    pub auth_hook: Option<String>,
    /// The operator's own command that removes it.
    pub cleanup_hook: Option<String>,
    /// Who is asked for the zones' nameservers.
    pub nameservers: Nameservers,
    /// How long to wait for the records.
    pub timeout: Duration,
    /// How often nameservers are asked.
    pub interval: Duration,
}

/// What happens meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// These records are to be created, all of them.
    Create(Vec<TxtRecord>),
    /// The operator's own command has created these.
    Created(Vec<TxtRecord>),
    /// Not yet there: at which servers, and how long it was waited.
    Waiting {
        /// What is missing.
        lacks: Vec<Lack>,
        /// Since the records were shown.
        waited: Duration,
    },
    /// The nameservers show all of them.
    Seen,
    /// The records are of no more use.
    Needless(Vec<TxtRecord>),
}

/// There is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// certbot is not there, or cannot be started.
    #[error("cannot start {}: {source}", certbot.display())]
    Start {
        /// The program.
        certbot: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder or socket could not be made.
    #[error("cannot make {}: {source}", path.display())]
    Io {
        /// What was to be made.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The records did not appear.
    #[error("after {} s the nameservers still lack records", waited.as_secs())]
    Timeout {
        /// How long it was waited.
        waited: Duration,
        /// What is missing.
        lacks: Vec<Lack>,
    },
    /// The operator's own command failed.
    #[error("the hook for {domain} {reason}")]
    Hook {
        /// For which domain.
        domain: String,
        /// How.
        reason: String,
    },
    /// certbot failed.
    #[error("certbot ended with {status}")]
    Certbot {
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it printed.
        output: String,
    },
    /// Certbot is well, and there is no certificate where it keeps them.
    #[error("certbot ended well, and left no certificate: {0}")]
    Nothing(Diagnostic),
    /// It was stopped.
    #[error("interrupted")]
    Interrupted,
}

/// Whether certbot has an account with `server` in `folder`: then nobody need be asked for an address and for agreement.
/// (certbot keeps it in `accounts/HOST/PATH/ID/regr.json`.)
pub fn has_account(folder: &Path, server: Option<&str>) -> bool {
    let server = server.unwrap_or(LETS_ENCRYPT);
    let place = server.split_once("://").map_or(server, |(_, rest)| rest);
    let Ok(accounts) = std::fs::read_dir(folder.join("accounts").join(place.trim_end_matches('/'))) else {
        return false;
    };
    accounts
        .flatten()
        .any(|account| account.path().join("regr.json").is_file())
}

/// Requests a certificate; `progress` is told what happens, and when `stop` ends first certbot is ended in an orderly
/// way. Returns where the pair is.
///
/// # Errors
/// There is none; nothing of what certbot had before is changed then.
pub async fn request(
    request: &Request,
    mut progress: impl FnMut(Progress),
    stop: impl Future<Output = ()>,
) -> Result<Source, RequestError> {
    make_folder(&request.folder)?;
    let socket = tempfile::tempdir().map_err(|source| RequestError::Io {
        path: std::env::temp_dir(),
        source,
    })?;
    let path = socket.path().join("hook");
    let listener = UnixListener::bind(&path).map_err(|source| RequestError::Io {
        path: path.clone(),
        source,
    })?;
    let mut child = command(request, &path).spawn().map_err(|source| RequestError::Start {
        certbot: request.certbot.clone(),
        source,
    })?;
    let output = Arc::new(Mutex::new(VecDeque::new()));
    let readers = [
        child.stdout.take().map(|from| tokio::spawn(keep(from, output.clone()))),
        child.stderr.take().map(|from| tokio::spawn(keep(from, output.clone()))),
    ];
    let served = {
        let serving = serve(request, &listener, &mut progress);
        tokio::pin!(serving);
        tokio::pin!(stop);
        tokio::select! {
            status = child.wait() => Ok(status),
            error = &mut serving => Err(error),
            () = &mut stop => Err(RequestError::Interrupted),
        }
    };
    let status = match served {
        Ok(status) => status,
        Err(error) => {
            end(&mut child, &listener).await;
            return Err(error);
        }
    };
    for reader in readers.into_iter().flatten() {
        // Something that certbot left behind may hold its output open.
        let _ = tokio::time::timeout(Duration::from_secs(1), reader).await;
    }
    let status = status.map_err(|source| RequestError::Start {
        certbot: request.certbot.clone(),
        source,
    })?;
    if !status.success() {
        let output = output
            .lock()
            .map(|lines| Vec::from(lines.clone()).join("\n"))
            .unwrap_or_default();
        return Err(RequestError::Certbot { status, output });
    }
    Source::find(&request.folder.join("live").join(&request.name)).map_err(|problems| {
        let first = problems.into_iter().next();
        RequestError::Nothing(first.unwrap_or_else(|| Diagnostic::error("no folder")))
    })
}

fn make_folder(folder: &Path) -> Result<(), RequestError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| RequestError::Io {
        path: folder.to_owned(),
        source,
    })
}

fn command(request: &Request, socket: &Path) -> Command {
    let hook = |word: &str| {
        let words = request.hook.iter().map(String::as_str).chain([word]);
        shlex::try_join(words).unwrap_or_default()
    };
    let mut command = Command::new(&request.certbot);
    command
        .args([
            "certonly",
            "--manual",
            "--preferred-challenges",
            "dns",
            "--non-interactive",
        ])
        .args(["--cert-name", &request.name, "--renew-with-new-domains"])
        .args([
            "--manual-auth-hook",
            &hook("auth"),
            "--manual-cleanup-hook",
            &hook("cleanup"),
        ]);
    for (flag, folder) in [("--config-dir", ""), ("--work-dir", "work"), ("--logs-dir", "logs")] {
        command.arg(flag).arg(request.folder.join(folder));
    }
    if let Some(server) = &request.server {
        command.args(["--server", server]);
    }
    if request.agree_tos {
        command.arg("--agree-tos");
    }
    match &request.email {
        Some(email) => command.args(["--email", email]),
        None => command.arg("--register-unsafely-without-email"),
    };
    if request.force {
        command.arg("--force-renewal");
    }
    for name in &request.names {
        command.args(["-d", name]);
    }
    command.env(SOCKET, socket);
    for (variable, hook) in [
        (AUTH_COMMAND, &request.auth_hook),
        (CLEANUP_COMMAND, &request.cleanup_hook),
    ] {
        match hook {
            Some(hook) => command.env(variable, hook),
            None => command.env_remove(variable),
        };
    }
    // A group of its own: Ctrl-C is for us, and we end certbot in an orderly way.
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn keep(from: impl AsyncRead + Unpin, lines: Arc<Mutex<VecDeque<String>>>) {
    let mut from = BufReader::new(from).lines();
    while let Ok(Some(line)) = from.next_line().await {
        if let Ok(mut lines) = lines.lock()
            && !line.trim().is_empty()
        {
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    }
}

/// Answers the hooks; ends with what makes it useless to go on.
async fn serve(request: &Request, listener: &UnixListener, progress: &mut impl FnMut(Progress)) -> RequestError {
    let mut records: Vec<TxtRecord> = Vec::new();
    let mut cleaned = 0;
    loop {
        let Some((mut stream, call)) = accept(listener).await else {
            continue;
        };
        match call.kind {
            Kind::Auth => {
                if let Some(reason) = call.failure {
                    return RequestError::Hook {
                        domain: call.domain,
                        reason,
                    };
                }
                let record = TxtRecord::of(&call.domain, &call.value);
                if !records.contains(&record) {
                    records.push(record);
                }
                if call.remaining == 0
                    && let Err(error) = wait(request, &records, progress).await
                {
                    return error;
                }
            }
            Kind::Cleanup => {
                cleaned += 1;
                if cleaned == 1 && request.cleanup_hook.is_none() {
                    progress(Progress::Needless(records.clone()));
                }
            }
        }
        let _ = stream.write_all(format!("{GO_ON}\n").as_bytes()).await;
    }
}

async fn accept(listener: &UnixListener) -> Option<(UnixStream, Call)> {
    let (stream, _) = listener.accept().await.ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    Some((reader.into_inner(), serde_json::from_str(&line).ok()?))
}

async fn wait(
    request: &Request,
    records: &[TxtRecord],
    progress: &mut impl FnMut(Progress),
) -> Result<(), RequestError> {
    progress(match request.auth_hook {
        Some(_) => Progress::Created(records.to_vec()),
        None => Progress::Create(records.to_vec()),
    });
    let began = Instant::now();
    loop {
        let lacks = authoritative::lacks(&request.nameservers, records).await;
        let waited = began.elapsed();
        if lacks.is_empty() {
            progress(Progress::Seen);
            return Ok(());
        }
        if waited >= request.timeout {
            return Err(RequestError::Timeout { waited, lacks });
        }
        progress(Progress::Waiting { lacks, waited });
        tokio::time::sleep(request.interval.min(request.timeout.saturating_sub(waited))).await;
    }
}

/// Ends certbot as it wants to be ended: it takes its lock away and calls its cleanup hooks.
async fn end(child: &mut Child, listener: &UnixListener) {
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
    }
    let farewell = async {
        loop {
            tokio::select! {
                _ = child.wait() => return,
                call = accept(listener) => if let Some((mut stream, _)) = call {
                    let _ = stream.write_all(format!("{GO_ON}\n").as_bytes()).await;
                },
            }
        }
    };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err()
        && let Some(group) = group
    {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = child.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_by_its_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let server = "https://127.0.0.1:14000/dir";
        assert!(!has_account(dir.path(), Some(server)));
        let account = dir.path().join("accounts/127.0.0.1:14000/dir/0123");
        std::fs::create_dir_all(&account).expect("made");
        assert!(!has_account(dir.path(), Some(server)));
        std::fs::write(account.join("regr.json"), "{}").expect("written");
        assert!(has_account(dir.path(), Some(server)));
        assert!(!has_account(dir.path(), None));
    }

    #[test]
    fn the_hooks_are_one_word_each_to_certbot() {
        let request = Request {
            certbot: "certbot".into(),
            folder: "/tmp/x".into(),
            server: None,
            email: None,
            agree_tos: true,
            name: "mosip.test".into(),
            names: vec!["mosip.test".into(), "*.mosip.test".into()],
            force: false,
            hook: vec!["/opt/my tools/mosip-prov".into(), "certificates".into(), "hook".into()],
            auth_hook: None,
            cleanup_hook: None,
            nameservers: Nameservers::new(vec!["127.0.0.1:53".parse().expect("one")]).expect("some"),
            timeout: Duration::ZERO,
            interval: Duration::ZERO,
        };
        let command = command(&request, Path::new("/tmp/socket"));
        let words: Vec<String> = command
            .as_std()
            .get_args()
            .map(|w| w.to_string_lossy().into_owned())
            .collect();
        assert!(
            words.contains(&"'/opt/my tools/mosip-prov' certificates hook auth".to_owned()),
            "{words:?}"
        );
        assert!(words.windows(2).any(|w| w == ["-d", "*.mosip.test"]), "{words:?}");
    }
}
