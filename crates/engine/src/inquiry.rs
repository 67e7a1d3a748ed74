//! Questions to hosts outside of a run: for commands that look and change nothing. There is no gate here, because there
//! is nothing to let through: hosts are asked, never told.

use crate::answers::Answers;
use crate::compose::compose;
use crate::prepared::Prepared;
use crate::question::Question;
use crate::shell::{frame, quote, split_frames, text_of};
use futures::StreamExt as _;
use indexmap::IndexMap;
use mosip_prov_inventory::value::Secret;
use mosip_prov_transport::{Connector, Host, Identity, Request, Target, TransportError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Hosts that can be asked. Each is connected to once, when it is first asked.
pub struct Inquiry {
    connector: Arc<dyn Connector>,
    hosts: IndexMap<Arc<str>, Asked>,
    forks: usize,
    timeout: Duration,
}

struct Asked {
    target: Target,
    /// Of each play that has it, by the play's name, in their order; never empty.
    identities: Vec<(String, Identity)>,
    host: OnceCell<Arc<dyn Host>>,
}

impl Inquiry {
    /// The hosts of `prepared`, asked as the user that its first play would work as there; `forks` at a time, each for at
    /// most `timeout` for one exchange.
    pub fn new(connector: Arc<dyn Connector>, prepared: &Prepared, forks: usize, timeout: Duration) -> Self {
        let mut hosts = IndexMap::new();
        let all = prepared.plays.iter();
        for (play, name, part) in all.flat_map(|play| play.hosts.iter().map(|(name, part)| (&play.name, name, part))) {
            if let Some(target) = prepared.targets.get(name) {
                let asked = hosts.entry(name.clone()).or_insert_with(|| Asked {
                    target: target.clone(),
                    identities: Vec::new(),
                    host: OnceCell::new(),
                });
                asked.identities.push((play.clone(), part.identity.clone()));
            }
        }
        Self {
            connector,
            hosts,
            forks,
            timeout,
        }
    }

    /// The hosts, in the inventory's order.
    pub fn hosts(&self) -> Vec<&str> {
        self.hosts.keys().map(AsRef::as_ref).collect()
    }

    /// Asks all hosts at once, each what `questions` gives for its name, in one exchange each. A host that cannot be asked
    /// is an error of its own; a question that it could not answer is one when the answer is read.
    pub async fn ask(
        &self,
        questions: &HashMap<String, Vec<Question>>,
    ) -> IndexMap<String, Result<Answers, TransportError>> {
        let asked = self.hosts.iter().map(|(name, asked)| async move {
            let result = match questions.get(name.as_ref()) {
                Some(questions) => self.ask_one(asked, asked.identity(), questions).await,
                None => Ok(Answers::new()),
            };
            (name.to_string(), result)
        });
        futures::stream::iter(asked).buffered(self.forks.max(1)).collect().await
    }

    /// Asks one host alone, in one exchange. `None` when there is no host of that name.
    pub async fn ask_host(&self, host: &str, questions: &[Question]) -> Option<Result<Answers, TransportError>> {
        let asked = self.hosts.get(host)?;
        Some(self.ask_one(asked, asked.identity(), questions).await)
    }

    /// The same, as the user that the play named `play` would work as there. `None` when that play has no such host.
    pub async fn ask_host_of(
        &self,
        play: &str,
        host: &str,
        questions: &[Question],
    ) -> Option<Result<Answers, TransportError>> {
        let asked = self.hosts.get(host)?;
        let (_, identity) = asked.identities.iter().find(|(name, _)| name == play)?;
        Some(self.ask_one(asked, identity, questions).await)
    }

    /// Whether the host is asked as another user than the play named `play` would work as there.
    pub fn is_asked_otherwise(&self, play: &str, host: &str) -> bool {
        self.hosts.get(host).is_some_and(|asked| {
            let mut of_play = asked.identities.iter().filter(|(name, _)| name == play);
            of_play.any(|(_, identity)| identity != asked.identity())
        })
    }

    async fn ask_one(
        &self,
        asked: &Asked,
        identity: &Identity,
        questions: &[Question],
    ) -> Result<Answers, TransportError> {
        let mut answers = Answers::new();
        let composed = compose(questions);
        if composed.is_empty() {
            return Ok(answers);
        }
        let request = Request::new(composed.script.clone()).timeout(self.timeout);
        let response = asked.connected(&*self.connector).await?.ask(identity, request).await?;
        for (question, answer) in composed.read(&text_of(&response.stdout)) {
            answers.learn(question, answer);
        }
        Ok(answers)
    }

    /// Reads small text files that are secret, all in one exchange, in the order of `paths`; in place of one that cannot be
    /// read, why. Nothing of them is logged, kept or shown. `None` when there is no host of that name.
    pub async fn read_secrets(
        &self,
        host: &str,
        paths: &[String],
    ) -> Option<Result<Vec<Result<Secret, String>>, TransportError>> {
        let asked = self.hosts.get(host)?;
        Some(self.read_from(asked, paths).await)
    }

    async fn read_from(&self, asked: &Asked, paths: &[String]) -> Result<Vec<Result<Secret, String>>, TransportError> {
        let script: String = paths.iter().map(|p| frame(&format!("cat -- {}", quote(p)))).collect();
        let request = Request::new(script).timeout(self.timeout).sensitive();
        let response = asked
            .connected(&*self.connector)
            .await?
            .ask(asked.identity(), request)
            .await?;
        // Asking takes the newlines off the end of each.
        let output = Secret::new(text_of(&response.stdout));
        let frames = split_frames(output.expose()).unwrap_or_default();
        let read = (0..paths.len()).map(|index| match frames.get(index) {
            Some(frame) if frame.status == 0 => Ok(Secret::new(format!("{}\n", frame.text))),
            Some(frame) => Err(frame.text.to_owned()),
            None => Err("the answer is incomplete".to_owned()),
        });
        Ok(read.collect())
    }

    /// Round trips with a host so far; 0 when it was not reached.
    pub fn exchanges(&self, host: &str) -> u64 {
        let host = self.hosts.get(host).and_then(|asked| asked.host.get());
        host.map_or(0, |host| host.stats().exchanges)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        let open = self.hosts.values().filter_map(|asked| asked.host.get());
        futures::future::join_all(open.map(|host| host.close())).await;
    }
}

impl Asked {
    /// That of its first play.
    fn identity(&self) -> &Identity {
        self.identities
            .first()
            .map_or(&Identity::Login, |(_, identity)| identity)
    }

    async fn connected(&self, connector: &dyn Connector) -> Result<&Arc<dyn Host>, TransportError> {
        self.host.get_or_try_init(|| connector.connect(&self.target)).await
    }
}
