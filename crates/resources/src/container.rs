//! A container of Docker's that runs: its image, environment, ports, volumes, capabilities, kernel settings, and when Docker
//! starts it again.
//!
//! ```
//! use mosip_prov_resources::{Container, Task};
//!
//! let vpn = Container::running("wireguard", "ghcr.io/linuxserver/wireguard")
//!     .env("PEERS", "5")
//!     .port("51820:51820/udp")
//!     .volume("/home/ubuntu/wireguard/config:/config")
//!     .capability("NET_ADMIN")
//!     .restart("unless-stopped");
//! let task = Task::new("Run the container", vpn);
//! ```
//!
//! What is asked is compared with what `docker inspect` says. Only a difference makes it anew, and until the new one runs the
//! old one is kept; one that is merely stopped is started. Its image must be there: see [`crate::Image`]. When the image's
//! name stands for a newer image by now, that is a difference.

use crate::image::{down, no_docker};
use crate::probe::docker::{
    AskContainer, AskImage, ContainerState, InDocker, capability_word, port_words, volume_words,
};
use crate::settle::settle;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{
    Answers, Ask, Change, Content, DecideError, Decision, Question, Resource, Shell, Shown, Touch,
};
use std::collections::BTreeMap;
use std::fmt;

/// A container that runs.
#[derive(Clone)]
pub struct Container {
    name: String,
    image: String,
    env: BTreeMap<String, (String, bool)>,
    ports: Vec<String>,
    volumes: Vec<String>,
    capabilities: Vec<String>,
    sysctls: BTreeMap<String, String>,
    restart: String,
    ready: Option<(String, u32)>,
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("name", &self.name)
            .field("image", &self.image)
            .field("env", &self.env.keys())
            .field("ports", &self.ports)
            .field("volumes", &self.volumes)
            .finish_non_exhaustive()
    }
}

impl Container {
    /// The container `name`, of the image of that name.
    pub fn running(name: impl Into<String>, image: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image: image.into(),
            env: BTreeMap::new(),
            ports: Vec::new(),
            volumes: Vec::new(),
            capabilities: Vec::new(),
            sysctls: BTreeMap::new(),
            restart: "no".into(),
            ready: None,
        }
    }

    /// A variable of its environment, beside those of the image. Default: none.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), (value.into(), false));
        self
    }

    /// The same, never shown. Docker itself shows it to everyone who may use Docker on the host.
    #[must_use]
    pub fn secret_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), (value.into(), true));
        self
    }

    /// A port of the host that leads into it, as `docker run -p` takes it: `51820:51820/udp`. Default: none.
    #[must_use]
    pub fn port(mut self, port: impl AsRef<str>) -> Self {
        self.ports.push(port_words(port.as_ref()));
        self
    }

    /// A folder of the host, as `docker run -v` takes it: `/host/path:/path`. Default: none.
    #[must_use]
    pub fn volume(mut self, volume: impl AsRef<str>) -> Self {
        self.volumes.push(volume_words(volume.as_ref()));
        self
    }

    /// A capability beyond the usual ones: `NET_ADMIN`. Default: none.
    #[must_use]
    pub fn capability(mut self, name: impl AsRef<str>) -> Self {
        self.capabilities.push(capability_word(name.as_ref()));
        self
    }

    /// A kernel setting of its own. Default: none.
    #[must_use]
    pub fn sysctl(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.sysctls.insert(name.into(), value.into());
        self
    }

    /// When Docker starts it again: `no`, `always`, `unless-stopped`, `on-failure[:TIMES]`. Default: `no`.
    #[must_use]
    pub fn restart(mut self, policy: impl Into<String>) -> Self {
        self.restart = policy.into();
        self
    }

    /// It is ready when this command succeeds in it, which it must within so many seconds after its start. Default: when it
    /// runs.
    #[must_use]
    pub fn ready_when(mut self, command: impl Into<String>, seconds: u32) -> Self {
        self.ready = Some((command.into(), seconds));
        self
    }

    fn ask(&self) -> AskContainer {
        AskContainer(self.name.clone())
    }

    fn ask_image(&self) -> AskImage {
        AskImage(self.image.clone())
    }
}

impl Resource for Container {
    fn kind(&self) -> &'static str {
        "container"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question(), self.ask_image().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decide_now(answers))
    }
}

impl Container {
    fn decide_now(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let what = format!("container {}", self.name);
        for (name, (value, _)) in &self.env {
            if name.is_empty() || name.contains(['=', '\n', ' ']) || value.contains('\n') {
                return Err(DecideError::impossible(format!(
                    "{what} cannot be given {name}: a variable of a container is one line"
                )));
            }
        }
        let state = answers.get(&self.ask())?;
        let image = answers.get(&self.ask_image())?;
        let image_id = match &image {
            InDocker::Present(image) => Some(image.id.as_str()),
            _ => None,
        };
        let present = match state {
            InDocker::NoDocker => return Err(no_docker(&what)),
            InDocker::Down(message) => return Err(down(&what, &message)),
            InDocker::Absent => None,
            InDocker::Present(container) => Some(container),
        };
        let Some(present) = present else {
            self.image_is_there(image_id, answers)?;
            let change = self.make(Change::new(format!("make {what}")));
            return Ok(change
                .differs(what, Shown::Absent, Shown::text(self.image.as_str()))
                .into());
        };
        let change = self.differences(&present, image_id, Change::new(format!("make {what} anew")));
        if !change.differences.is_empty() {
            self.image_is_there(image_id, answers)?;
            return Ok(self.make(change).into());
        }
        match present.status.as_str() {
            "running" => Ok(Decision::nothing(format!("{what} runs as it should"))),
            // It ends again and again: starting it once more would not help.
            "restarting" => Err(DecideError::impossible_help(
                format!("{what} ends soon after each start, with status {}", present.exit_code),
                format!("`docker logs {}` on the host says why", self.name),
            )),
            status => Ok(Change::new(format!("start {what}"))
                .differs(format!("state of {what}"), Shown::text(status), Shown::text("running"))
                .step(Shell::new(
                    format!("docker start {}", self.name),
                    format!(
                        "docker start {0} >/dev/null || exit\n{1}",
                        quote(&self.name),
                        self.stays()
                    ),
                ))
                .touching(self.touches())
                .into()),
        }
    }

    fn image_is_there(&self, id: Option<&str>, answers: &Answers) -> Result<(), DecideError> {
        // In check mode the image may be about to come; the container is a change all the same.
        if id.is_some() || answers.pending_for(&self.ask_image().question()).is_some() {
            return Ok(());
        }
        Err(DecideError::impossible_help(
            format!(
                "container {} is wanted, and there is no image {}",
                self.name, self.image
            ),
            "pull or load the image before",
        ))
    }

    fn differences(&self, present: &ContainerState, image_id: Option<&str>, mut change: Change) -> Change {
        let name = &self.name;
        let of = |what: &str| format!("{what} of container {name}");
        if present.image != self.image {
            change = change.differs(of("image"), Shown::text(&present.image), Shown::text(&self.image));
        } else if let Some(id) = image_id.filter(|id| *id != present.image_id) {
            change = change.differs(of("image"), Shown::text(&present.image_id), Shown::text(id));
        }
        let mut has: BTreeMap<&str, &str> = present.env.iter().filter_map(|entry| entry.split_once('=')).collect();
        for (key, (value, secret)) in &self.env {
            let there = has.remove(key.as_str());
            if there == Some(value.as_str()) {
                continue;
            }
            let shown = |text: &str| if *secret { Shown::Masked } else { Shown::text(text) };
            change = change.differs(
                of(&format!("variable {key}")),
                there.map_or(Shown::Absent, &shown),
                shown(value),
            );
        }
        for (key, value) in has {
            if present.env_of_image.contains(&format!("{key}={value}")) {
                continue;
            }
            // What nobody asks for any more may have been a secret.
            change = change.differs(of(&format!("variable {key}")), Shown::Masked, Shown::Absent);
        }
        let lists = [
            ("ports", &present.ports, &self.ports),
            ("volumes", &present.volumes, &self.volumes),
            ("capabilities", &present.capabilities, &self.capabilities),
        ];
        for (what, there, wanted) in lists {
            if sorted(there) != sorted(wanted) {
                change = change.differs(of(what), Shown::text(there.join(" ")), Shown::text(wanted.join(" ")));
            }
        }
        if present.sysctls != self.sysctls {
            let text = |map: &BTreeMap<String, String>| {
                let words: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
                Shown::text(words.join(" "))
            };
            change = change.differs(of("kernel settings"), text(&present.sysctls), text(&self.sysctls));
        }
        // Docker calls no policy by either name.
        let plain = |policy: &str| {
            if policy.is_empty() {
                "no".to_owned()
            } else {
                policy.to_owned()
            }
        };
        if plain(&present.restart) != plain(&self.restart) {
            change = change.differs(
                of("restart policy"),
                Shown::text(plain(&present.restart)),
                Shown::text(plain(&self.restart)),
            );
        }
        change
    }

    /// The present one is put aside and comes back when the new one does not start.
    fn make(&self, change: Change) -> Change {
        let (name, aside) = (quote(&self.name), quote(&format!("{}.before", self.name)).into_owned());
        let mut run = vec![
            "docker run -d --env-file /dev/stdin".to_owned(),
            format!("--name {name}"),
        ];
        let mut option = |flag: &str, value: &str| run.push(format!("{flag} {}", quote(value)));
        option("--restart", &self.restart);
        self.ports.iter().for_each(|port| option("-p", port));
        self.volumes.iter().for_each(|volume| option("-v", volume));
        self.capabilities.iter().for_each(|name| option("--cap-add", name));
        for (key, value) in &self.sysctls {
            option("--sysctl", &format!("{key}={value}"));
        }
        let script = format!(
            "if docker container inspect {name} >/dev/null 2>&1; then
docker rm -f {aside} >/dev/null 2>&1
docker stop {name} >/dev/null && docker rename {name} {aside} || exit
fi
back() {{
docker rm -f {name} >/dev/null 2>&1
if docker container inspect {aside} >/dev/null 2>&1; then
docker rename {aside} {name} && docker start {name} >/dev/null && echo 'the container that was there before runs again' >&2
fi
exit 1
}}
{} -- {} >/dev/null || back
(
{}
) || back
docker rm -f {aside} >/dev/null 2>&1 || :",
            run.join(" "),
            quote(&self.image),
            self.stays(),
        );
        let mut env = String::new();
        for (key, (value, _)) in &self.env {
            env.push_str(&format!("{key}={value}\n"));
        }
        let env = match self.env.values().any(|(_, secret)| *secret) {
            true => Content::sensitive(env),
            false => Content::public(env),
        };
        let mut shell = Shell::new(format!("docker run {}", self.name), script).reading(env);
        // Stopping takes as long as the program in it needs to end.
        shell.timeout = Some(std::time::Duration::from_secs(120));
        change.step(shell).touching(self.touches())
    }

    /// Proves that it is there a moment after its start, and ready.
    fn stays(&self) -> String {
        let name = quote(&self.name);
        let (ready, seconds) = match &self.ready {
            Some((command, seconds)) => (format!("docker exec {name} {command} >/dev/null 2>&1"), *seconds),
            None => (":".to_owned(), 1),
        };
        format!(
            "n=0
while :; do
sleep 1
n=$((n + 1))
s=$(docker container inspect --format '{{{{.State.Status}}}}' {name})
if [ \"$s\" = running ] && {ready}; then break; fi
if [ \"$s\" != running ] || [ $n -ge {seconds} ]; then
echo \"the container is $s $n s after its start, and not ready; the end of its log:\" >&2
docker logs --tail 15 {name} >&2
exit 1
fi
done"
        )
    }

    fn touches(&self) -> Vec<Touch> {
        let sources = self.volumes.iter().filter_map(|v| v.split(':').next());
        let paths = sources.map(|path| Touch::Path(path.to_owned()));
        [Touch::Kind("container"), Touch::Kind("port"), Touch::Kind("command")]
            .into_iter()
            .chain(paths)
            .collect()
    }
}

fn sorted(list: &[String]) -> Vec<&str> {
    let mut list: Vec<&str> = list.iter().map(String::as_str).collect();
    list.sort_unstable();
    list
}

#[cfg(test)]
mod tests;
