//! What Docker has: images by name, containers by name. A host without Docker, or whose Docker does not run, says so; that
//! is an answer.
//!
//! An answer is `none` (no Docker), `down MESSAGE` (it does not answer), `absent`, or `present` with, on the lines that
//! follow, what `docker inspect` prints; for a container then a line `--` and the same of the image it was made from.

use super::{all_failed, shorten, whole_frames};
use mosip_prov_engine::shell::{frame, quote, split_frames};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What Docker says of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InDocker<T> {
    /// There is no Docker on the host.
    NoDocker,
    /// Docker is there and does not answer: its client's message.
    Down(String),
    /// Docker does not have it.
    Absent,
    /// It has it.
    Present(T),
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageState {
    /// Its id: `sha256:…` of its configuration.
    pub id: String,
}

/// A container. Its environment may hold secrets, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ContainerState {
    /// The id of the image it was made from.
    pub image_id: String,
    /// The name of that image, as it was asked for.
    pub image: String,
    /// Its environment: `NAME=value`.
    pub env: Vec<String>,
    /// What its image has in its environment by itself.
    pub env_of_image: Vec<String>,
    /// Ports of the host that lead into it: `ADDRESS:PORT:PORT/PROTOCOL`, without the address where it is any.
    pub ports: Vec<String>,
    /// Folders of the host: `SOURCE:TARGET`, with `:ro` behind where it may only be read.
    pub volumes: Vec<String>,
    /// Capabilities beyond the usual ones, without `CAP_`.
    pub capabilities: Vec<String>,
    /// Kernel settings of its own.
    pub sysctls: BTreeMap<String, String>,
    /// When Docker starts it again: `unless-stopped`.
    pub restart: String,
    /// `running`, `exited`, `created`, `restarting`, …
    pub status: String,
    /// The exit status of its last end.
    pub exit_code: i64,
}

impl std::fmt::Debug for ContainerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContainerState")
            .field("image", &self.image)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Asks about an image by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskImage(
    /// `REGISTRY/NAME:TAG`.
    pub String,
);

/// Asks the registry for the ids that an image of this name has there, one for each architecture. The answer is the text
/// that says so, or why it could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskRegistry(
    /// `REGISTRY/NAME:TAG`.
    pub String,
);

/// Asks about a container by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskContainer(
    /// Its name.
    pub String,
);

impl Ask for AskImage {
    type Answer = InDocker<ImageState>;

    fn question(&self) -> Question {
        Question::new(&ImageProbe, self.0.as_str())
    }

    fn read(&self, raw: &str) -> Result<Self::Answer, String> {
        read(raw, |text| one::<ImageState>(text))
    }
}

impl Ask for AskRegistry {
    type Answer = Result<String, String>;

    fn question(&self) -> Question {
        Question::new(&RegistryProbe, self.0.as_str())
    }

    fn read(&self, raw: &str) -> Result<Self::Answer, String> {
        Ok(match raw.split_once('\n') {
            Some(("0", text)) => Ok(text.to_owned()),
            Some((_, text)) => Err(shorten(text)),
            None => Err("it said nothing".into()),
        })
    }
}

impl Ask for AskContainer {
    type Answer = InDocker<ContainerState>;

    fn question(&self) -> Question {
        Question::new(&ContainerProbe, self.0.as_str())
    }

    fn read(&self, raw: &str) -> Result<Self::Answer, String> {
        read(raw, |text| {
            let (container, image) = text.split_once("\n--\n").ok_or("the answer breaks off")?;
            let container: Inspected = one(container)?;
            // The image may have been removed by force.
            let image = one::<InspectedImage>(image).unwrap_or_default();
            Ok(container.made_from(image))
        })
    }
}

fn read<T>(raw: &str, present: impl Fn(&str) -> Result<T, String>) -> Result<InDocker<T>, String> {
    let (head, rest) = raw.split_once('\n').unwrap_or((raw, ""));
    Ok(match head {
        "none" => InDocker::NoDocker,
        "absent" => InDocker::Absent,
        "present" => InDocker::Present(present(rest)?),
        _ => match head.strip_prefix("down ") {
            Some(message) => InDocker::Down(message.to_owned()),
            // No more of it: what Docker says of a container has its environment.
            None => return Err("no state in Docker".into()),
        },
    })
}

/// The one element of the list that `docker inspect` prints. The error holds nothing of the text.
fn one<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, String> {
    let list: Vec<T> =
        serde_json::from_str(text).map_err(|error| format!("docker inspect says what is not understood: {error}"))?;
    list.into_iter()
        .next()
        .ok_or_else(|| "docker inspect says nothing".into())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    image: String,
    state: InspectedState,
    config: InspectedConfig,
    host_config: InspectedHost,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedState {
    status: String,
    #[serde(default)]
    exit_code: i64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedConfig {
    env: Option<Vec<String>>,
    #[serde(default)]
    image: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedImage {
    config: Option<InspectedConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedHost {
    binds: Option<Vec<String>>,
    port_bindings: Option<BTreeMap<String, Option<Vec<Binding>>>>,
    cap_add: Option<Vec<String>>,
    sysctls: Option<BTreeMap<String, String>>,
    restart_policy: Policy,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    host_port: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    name: String,
    #[serde(default)]
    maximum_retry_count: u64,
}

impl Inspected {
    fn made_from(self, image: InspectedImage) -> ContainerState {
        let host = self.host_config;
        let mut ports = Vec::new();
        for (inside, bindings) in host.port_bindings.unwrap_or_default() {
            for binding in bindings.unwrap_or_default() {
                let port = format!("{}:{}:{inside}", binding.host_ip, binding.host_port);
                ports.push(port_words(&port));
            }
        }
        let policy = host.restart_policy;
        ContainerState {
            image_id: self.image,
            image: self.config.image,
            env: self.config.env.unwrap_or_default(),
            env_of_image: image.config.and_then(|config| config.env).unwrap_or_default(),
            ports,
            volumes: host.binds.unwrap_or_default().iter().map(|v| volume_words(v)).collect(),
            capabilities: host
                .cap_add
                .unwrap_or_default()
                .iter()
                .map(|c| capability_word(c))
                .collect(),
            sysctls: host.sysctls.unwrap_or_default(),
            restart: match policy.maximum_retry_count {
                0 => policy.name,
                count => format!("{}:{count}", policy.name),
            },
            status: self.state.status,
            exit_code: self.state.exit_code,
        }
    }
}

/// `[[ADDRESS:]PORT:]PORT[/PROTOCOL]` in one form: no address where it is any, and the protocol always.
pub(crate) fn port_words(text: &str) -> String {
    let (front, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let front = ["0.0.0.0:", ":"]
        .iter()
        .find_map(|any| front.strip_prefix(any))
        .unwrap_or(front);
    format!("{front}/{protocol}")
}

/// `SOURCE:TARGET[:MODE]` in one form.
pub(crate) fn volume_words(text: &str) -> String {
    text.strip_suffix(":rw").unwrap_or(text).to_owned()
}

/// A capability's name without `CAP_`, which later versions of Docker put before it.
pub(crate) fn capability_word(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned()
}

/// `state ARGUMENTS…`: runs `docker ARGUMENTS…`, an inspection, and prints the answer's first lines.
const STATE: &str = r#"state() {
command -v docker >/dev/null 2>&1 || { echo none; return 1; }
if o=$(docker "$@" 2>/dev/null); then printf 'present\n%s\n' "$o"; return 0; fi
e=$(docker "$@" 2>&1 >/dev/null) || :
case "$e" in
*[Nn]'o such '*) echo absent;;
*) printf 'down %s\n' "$(printf '%s\n' "$e" | head -n 1)";;
esac
return 1
}
"#;

fn asked(subjects: &[&str], fragment: impl Fn(&str) -> String) -> String {
    let frames = subjects
        .iter()
        .map(|s| frame(&format!("(\n{}\n) </dev/null", fragment(&quote(s)))));
    format!("{STATE}{}", frames.collect::<String>())
}

fn answers(output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
    let output = whole_frames(output);
    match split_frames(&output) {
        Ok(frames) if frames.len() == subjects.len() => frames.iter().map(|f| Ok(f.text.to_owned())).collect(),
        Ok(_) => all_failed(subjects.len(), "the output breaks off"),
        Err(reason) => all_failed(subjects.len(), &reason),
    }
}

fn disturbed(own: &str, touch: &Touch) -> bool {
    match touch {
        // Docker may have been installed, started or stopped.
        Touch::Kind(kind) | Touch::Thing(kind, _) => *kind == own || *kind == "unit" || *kind == "package",
        Touch::Path(_) => touch.concerns_path("/var/lib/docker"),
        Touch::Everything => true,
    }
}

/// The kind of question behind [`AskImage`].
pub struct ImageProbe;

impl Probe for ImageProbe {
    fn name(&self) -> &'static str {
        "image"
    }

    fn script(&self, subjects: &[&str]) -> String {
        asked(subjects, |name| format!("state image inspect {name} || :"))
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        answers(output, subjects)
    }

    fn disturbed_by(&self, _subject: &str, touch: &Touch) -> bool {
        disturbed("image", touch)
    }
}

/// The kind of question behind [`AskRegistry`].
pub struct RegistryProbe;

impl Probe for RegistryProbe {
    fn name(&self) -> &'static str {
        "registry"
    }

    fn script(&self, subjects: &[&str]) -> String {
        // A registry without TLS is asked only when none with TLS answers, and nothing is taken from it but ids.
        asked(subjects, |name| {
            format!(
                "o=$(timeout 30 docker manifest inspect -v {name} 2>&1) || o=$(timeout 30 docker manifest inspect --insecure -v {name} 2>&1)\nprintf '%s\\n%s\\n' $? \"$o\""
            )
        })
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        answers(output, subjects)
    }

    fn disturbed_by(&self, _subject: &str, touch: &Touch) -> bool {
        disturbed("registry", touch)
    }
}

/// The kind of question behind [`AskContainer`].
pub struct ContainerProbe;

impl Probe for ContainerProbe {
    fn name(&self) -> &'static str {
        "container"
    }

    fn script(&self, subjects: &[&str]) -> String {
        asked(subjects, |name| {
            format!(
                "state container inspect {name} || exit 0\necho --\n\
                 docker image inspect \"$(docker container inspect --format '{{{{.Image}}}}' {name})\" 2>/dev/null || :"
            )
        })
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        answers(output, subjects)
    }

    fn disturbed_by(&self, _subject: &str, touch: &Touch) -> bool {
        disturbed("container", touch) || disturbed("image", touch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    #[test]
    fn a_host_without_docker_says_so_in_every_shell() {
        // Only where this machine has none.
        if std::process::Command::new("docker").arg("--version").output().is_ok() {
            return;
        }
        for shell in sh_available() {
            for probe in [&ImageProbe as &dyn Probe, &ContainerProbe] {
                let subjects = ["a:b", "it's"];
                let answers = probe.split(&ask_with(shell, probe, &subjects), &subjects);
                assert_eq!(answers, [Ok("none".to_owned()), Ok("none".to_owned())], "{shell:?}");
            }
        }
    }

    /// A `docker` that says what `cases` of its words say.
    fn with_docker(cases: &str, probe: &dyn Probe, subject: &str) -> Vec<RawAnswer> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("docker");
        std::fs::write(&path, format!("#!/bin/sh\ncase \"$*\" in\n{cases}\nesac\n")).expect("written");
        let subjects = [subject];
        let script = format!(
            "docker() {{ sh {} \"$@\"; }}\n{}",
            path.display(),
            probe.script(&subjects)
        );
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("sh");
        probe.split(&String::from_utf8_lossy(&output.stdout), &subjects)
    }

    #[test]
    fn what_docker_says_becomes_an_answer() {
        let of = |cases: &str| with_docker(cases, &ContainerProbe, "wg").remove(0).expect("an answer");
        assert_eq!(
            of("*) echo '[]'; echo 'Error: No such container: wg' >&2; exit 1;;"),
            "absent"
        );
        let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
        assert_eq!(of(&format!("*) echo '{down}' >&2; exit 1;;")), format!("down {down}"));
        let there =
            "'container inspect wg') echo '[1]';;\n*--format*) echo sha256:1;;\n'image inspect sha256:1') echo '[2]';;";
        assert_eq!(of(there), "present\n[1]\n--\n[2]");
        assert_eq!(AskContainer("wg".into()).read("absent"), Ok(InDocker::Absent));
        assert_eq!(
            AskContainer("wg".into()).read("down no"),
            Ok(InDocker::Down("no".into()))
        );
        let secret = AskContainer("wg".into()).read("present\n[{\"Env\": [\"A=s3cret\"]}]\n--\n[]");
        assert!(!secret.expect_err("not understood").contains("s3cret"));
    }

    #[test]
    fn forms_are_made_one() {
        for (text, form) in [
            ("51820:51820/udp", "51820:51820/udp"),
            (":51820:51820/udp", "51820:51820/udp"),
            ("0.0.0.0:80:8080", "80:8080/tcp"),
            ("10.0.0.1:80:8080/tcp", "10.0.0.1:80:8080/tcp"),
        ] {
            assert_eq!(port_words(text), form);
        }
        assert_eq!(volume_words("/a:/b:rw"), "/a:/b");
        assert_eq!(volume_words("/a:/b:ro"), "/a:/b:ro");
        assert_eq!(capability_word("CAP_NET_ADMIN"), "NET_ADMIN");
    }
}
