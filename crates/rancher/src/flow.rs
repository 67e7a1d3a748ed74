//! The way to an import URL: find or create the cluster, find or make its token, wait for the URL.

use crate::address::{self, ServerUrl};
use crate::client::{Client, SESSION_MS};
use crate::error::RancherError;
use crate::http::Http;
use crate::objects::{Cluster, RegistrationToken};
use crate::trust::Trust;
use mosip_prov_inventory::value::Secret;
use std::fmt;
use std::time::{Duration, Instant};

/// Where Rancher is, and who asks.
#[derive(Debug, Clone)]
pub struct Access {
    /// The server.
    pub server: ServerUrl,
    /// Who asks.
    pub credential: Credential,
    /// Which authorities are trusted for its certificate.
    pub trust: Trust,
    /// How long what may take.
    pub patience: Patience,
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A local user of Rancher; the session is ended afterwards.
    Password {
        /// `admin`, for the bootstrap password.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An API token, as Rancher shows it: `token-abcde:…`.
    Token(Secret),
}

/// How long what may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until there is a connection.
    pub connect: Duration,
    /// One request, all in all.
    pub request: Duration,
    /// While the server answers 502, 503 or 504.
    pub starting: Duration,
    /// Until what Rancher makes by itself is there.
    pub ready: Duration,
    /// Between two looks.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            starting: Duration::from_secs(300),
            ready: Duration::from_secs(120),
            pause: Duration::from_secs(2),
        }
    }
}

/// The cluster that is to be imported.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name in Rancher.
    pub name: String,
    /// Names and addresses of its machines, by which it is known again; empty: not compared.
    pub machines: Vec<String>,
}

/// Whether Rancher may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What is missing is made.
    Change,
    /// Nothing is made but the session of a login, which is ended again.
    Check,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Imported {
    /// How the cluster came.
    pub outcome: Outcome,
    /// What was changed in Rancher (in check mode: would be), in a few words each; empty: nothing.
    pub changes: Vec<String>,
    /// What somebody should know.
    pub notes: Vec<String>,
    /// The import URL. It holds a token: whoever has it reads what Rancher trusts the cluster with. None only in check mode.
    pub url: Option<Secret>,
}

/// How the cluster came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was there.
    Found {
        /// Its identifier.
        id: String,
        /// Its state: `pending` until its agent reports, `active` when it does.
        state: String,
    },
    /// It was made.
    Created {
        /// Its identifier.
        id: String,
    },
    /// Check mode: it would be made.
    WouldCreate,
}

/// What is going on, for somebody who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The server is asked.
    Asking {
        /// The server.
        server: String,
    },
    /// The server says that it cannot work now.
    NotReady {
        /// The server.
        server: String,
        /// The status.
        status: u16,
        /// How long it has.
        after: Duration,
        /// How long it may.
        patience: Duration,
    },
    /// Something was changed.
    Changed(String),
    /// The cluster is there.
    Found {
        /// Its name.
        name: String,
        /// Its identifier.
        id: String,
        /// Its state.
        state: String,
    },
    /// Something that Rancher makes is waited for.
    Waiting {
        /// What.
        what: String,
        /// How long already.
        after: Duration,
        /// How long at most.
        patience: Duration,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asking { server } => write!(f, "asking Rancher at {server}"),
            Self::NotReady {
                server,
                status,
                after,
                patience,
            } => write!(
                f,
                "{server} answers {status}: waiting until it is ready ({} of {} s)",
                after.as_secs(),
                patience.as_secs()
            ),
            Self::Changed(what) => f.write_str(what),
            Self::Found { name, id, state } => write!(f, "Rancher has the cluster {name} ({id}, {state})"),
            Self::Waiting { what, after, patience } => {
                write!(
                    f,
                    "waiting for {what} ({} of {} s)",
                    after.as_secs(),
                    patience.as_secs()
                )
            }
        }
    }
}

/// Finds the cluster in Rancher, or creates it, and reads its import URL. Blocks; `cancelled` is looked at between requests.
///
/// A second call finds all again and changes nothing. Where `server-url` was never set, it is set to the address that is
/// asked: without it Rancher deploys to no cluster.
///
/// # Errors
/// All of [`RancherError`]. What was made before an error stays, and is found again.
pub fn import(
    access: &Access,
    wanted: &Wanted,
    mode: Mode,
    progress: &mut dyn FnMut(&Progress),
    cancelled: &dyn Fn() -> bool,
) -> Result<Imported, RancherError> {
    let roots = access.trust.roots(access.server.as_str())?;
    let http = Http::new(&access.server, &roots, access.patience, progress, cancelled);
    let mut client = Client::new(http);
    client.http.tell(&Progress::Asking {
        server: access.server.to_string(),
    });
    match &access.credential {
        Credential::Password { user, password } => client.log_in(user, password)?,
        Credential::Token(token) => client.with_token(token),
    }
    let mut way = Way {
        client,
        wanted,
        mode,
        changes: Vec::new(),
        notes: Vec::new(),
    };
    let came = way.go(matches!(access.credential, Credential::Password { .. }));
    let ended = way.client.log_out();
    let (outcome, url) = came?;
    if let Err(error) = ended {
        way.notes.push(format!(
            "the session could not be ended ({error}); it ends by itself after {} minutes",
            SESSION_MS / 60_000
        ));
    }
    Ok(Imported {
        outcome,
        changes: way.changes,
        notes: way.notes,
        url,
    })
}

struct Way<'a> {
    client: Client<'a>,
    wanted: &'a Wanted,
    mode: Mode,
    changes: Vec<String>,
    notes: Vec<String>,
}

impl Way<'_> {
    fn go(&mut self, by_password: bool) -> Result<(Outcome, Option<Secret>), RancherError> {
        if by_password && self.client.must_change_password().unwrap_or(false) {
            self.notes.push(
                "Rancher still has its bootstrap password; it will ask for another one at the first login to the dashboard"
                    .into(),
            );
        }
        self.see_to_server_url()?;
        let (cluster, created) = match self.find()? {
            Some(cluster) => {
                self.known_again(&cluster)?;
                let (name, id, state) = (cluster.name.clone(), cluster.id.clone(), cluster.state.clone());
                self.client.http.tell(&Progress::Found { name, id, state });
                (cluster, false)
            }
            None if self.mode == Mode::Check => {
                self.changes.push(format!("create the cluster {}", self.wanted.name));
                return Ok((Outcome::WouldCreate, None));
            }
            None => (self.create()?, true),
        };
        let url = self.url(&cluster, created)?;
        let (id, state) = (cluster.id, cluster.state);
        let outcome = match created {
            true => Outcome::Created { id },
            false => Outcome::Found { id, state },
        };
        Ok((outcome, url))
    }

    fn server(&self) -> String {
        self.client.http.server.to_string()
    }

    fn changed(&mut self, what: String) {
        self.client.http.tell(&Progress::Changed(what.clone()));
        self.changes.push(what);
    }

    fn see_to_server_url(&mut self) -> Result<(), RancherError> {
        let calls_itself = match self.client.server_url() {
            Ok(url) => url,
            // Not everybody may see settings; the import URL shows it too.
            Err(RancherError::Forbidden { .. } | RancherError::Refused { status: 404, .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if calls_itself.is_empty() {
            let what = format!("set Rancher's server-url, which was empty, to {}", self.server());
            if self.mode == Mode::Change {
                self.client.set_server_url()?;
                self.changed(what);
            } else {
                self.changes.push(what);
            }
        } else if !self.client.http.server.has(&calls_itself) {
            return Err(self.differs(&calls_itself));
        }
        Ok(())
    }

    fn differs(&self, other: &str) -> RancherError {
        RancherError::ServerUrlDiffers {
            server: self.server(),
            calls_itself: address::shown(other),
        }
    }

    fn find(&mut self) -> Result<Option<Cluster>, RancherError> {
        let mut found = self.client.clusters(&self.wanted.name)?;
        if found.len() > 1 {
            return Err(RancherError::Ambiguous {
                server: self.server(),
                name: self.wanted.name.clone(),
                ids: found.iter().map(|one| self.client.http.clean(&one.id)).collect(),
            });
        }
        Ok(found.pop())
    }

    /// Sees that a cluster which is there is the one that is meant.
    fn known_again(&mut self, cluster: &Cluster) -> Result<(), RancherError> {
        let (name, id) = (cluster.name.clone(), self.client.http.clean(&cluster.id));
        if let Some(why) = cluster.why_no_import() {
            return Err(RancherError::NotAnImport {
                server: self.server(),
                name,
                id,
                why,
            });
        }
        if self.wanted.machines.is_empty() {
            return Ok(());
        }
        let nodes = match self.client.nodes(&cluster.id) {
            Ok(nodes) => nodes,
            Err(RancherError::Forbidden { .. }) => {
                self.notes.push(format!(
                    "whether {name} in Rancher is this cluster was not seen: its machines are not shown"
                ));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if nodes.is_empty() || nodes.iter().any(|node| node.is_among(&self.wanted.machines)) {
            return Ok(());
        }
        Err(RancherError::OtherNodes {
            server: self.server(),
            name,
            id,
            nodes: nodes.iter().take(5).map(crate::objects::Node::shown).collect(),
        })
    }

    /// Creates the cluster. Where the answer is lost, or another was quicker, it is looked for.
    fn create(&mut self) -> Result<Cluster, RancherError> {
        let began = Instant::now();
        loop {
            let cluster = match self.client.create_cluster(&self.wanted.name) {
                Ok(cluster) => cluster,
                Err(error @ (RancherError::NotReady { .. } | RancherError::Refused { status: 409 | 422, .. })) => {
                    match self.find()? {
                        Some(cluster) => cluster,
                        None if matches!(error, RancherError::NotReady { .. })
                            && began.elapsed() < self.client.http.patience.starting =>
                        {
                            self.client.http.pause("create a cluster")?;
                            continue;
                        }
                        None => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            };
            self.changed(format!(
                "created the cluster {} ({}) in Rancher",
                cluster.name, cluster.id
            ));
            return Ok(cluster);
        }
    }

    /// The import URL; none in check mode when there is none yet.
    fn url(&mut self, cluster: &Cluster, created: bool) -> Result<Option<Secret>, RancherError> {
        let patience = self.client.http.patience.ready;
        let began = Instant::now();
        let (mut made, mut instead) = (false, None);
        loop {
            match self.token(cluster, &mut made) {
                Ok(Some(url)) => return self.checked(&url).map(Some),
                Ok(None) if self.mode == Mode::Check => return Ok(None),
                Ok(None) => {}
                // The namespace of a new cluster, and the rights in it, come a moment after it.
                Err(
                    error @ (RancherError::Forbidden { .. }
                    | RancherError::NotReady { .. }
                    | RancherError::Refused {
                        status: 404 | 409 | 500,
                        ..
                    }),
                ) if created => instead = Some(error.to_string()),
                Err(error) => return Err(error),
            }
            let after = began.elapsed();
            if after >= patience {
                return Err(RancherError::NotMade {
                    server: self.server(),
                    what: format!("made the import URL of {}", cluster.name),
                    after,
                    instead,
                });
            }
            let what = format!("the import URL of {}", cluster.name);
            self.client.http.tell(&Progress::Waiting { what, after, patience });
            self.client.http.pause("make an import URL")?;
        }
    }

    /// The URL of a token that is there; makes one where there is none.
    fn token(&mut self, cluster: &Cluster, made: &mut bool) -> Result<Option<Secret>, RancherError> {
        let tokens = self.client.registration_tokens(&cluster.id)?;
        if tokens.is_empty() && !*made {
            if self.mode == Mode::Check {
                self.changes.push(format!("make an import URL of {}", cluster.name));
                return Ok(None);
            }
            match self.client.create_registration_token(&cluster.id) {
                Ok(()) => {
                    *made = true;
                    self.changed(format!("made an import URL of {}", cluster.name));
                }
                // Rancher was quicker.
                Err(RancherError::Refused { status: 409 | 422, .. }) => *made = true,
                Err(error) => return Err(error),
            }
            return Ok(None);
        }
        Ok(chosen(&tokens).map(|url| Secret::new(url.to_owned())))
    }

    /// The URL is Rancher's own: it is fetched with the trust in this server.
    fn checked(&mut self, url: &Secret) -> Result<Secret, RancherError> {
        self.client.http.hide(url);
        let text = url.expose();
        if !self.client.http.server.has(text) {
            return Err(self.differs(text));
        }
        match text.contains("/v3/import/") && !text.contains(char::is_whitespace) {
            true => Ok(url.clone()),
            false => Err(RancherError::NotRancher {
                server: self.server(),
                what: "make an import URL".into(),
                why: "a URL without /v3/import/".into(),
            }),
        }
    }
}

/// The URL of the token by custom, else of another one.
fn chosen(tokens: &[RegistrationToken]) -> Option<&str> {
    let with_url = || tokens.iter().filter(|token| token.url().is_some());
    let token = with_url()
        .find(|token| token.is_default())
        .or_else(|| with_url().next());
    token?.url()
}
