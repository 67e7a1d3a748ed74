//! The settings of the VPN, as the two `defaults.yml` document them.

use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::value::Value;
use mosip_prov_resources::vars::{HostVars, ValueError};
use mosip_prov_resources::{Content, RoleContext};
use mosip_prov_wireguard as wireguard;
use mosip_prov_wireguard::{Backend, DeclaredPeers};
use serde_json::Map;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the command `wireguard peers` knows too: tunnel and peers.
    pub vpn: wireguard::Settings,
    /// What only the docker backend has; `None` with the native one.
    pub docker: Option<DockerSettings>,
    /// Whether a tunnel of somebody else's making is taken over: `wireguard_replace_existing`. Native backend alone.
    pub replace_existing: bool,
    /// How long to wait for the locks of dpkg and apt.
    pub lock_timeout: Duration,
}

/// What only the docker backend has.
#[derive(Debug, Clone)]
pub struct DockerSettings {
    /// The image's name.
    pub image: String,
    /// What the file of `docker save` holds.
    pub archive: Option<Content>,
    /// Whether the registry is asked for a newer one.
    pub newest: bool,
    /// The container's time zone.
    pub timezone: String,
    /// User that owns its files.
    pub puid: u32,
    /// Group that owns its files.
    pub pgid: u32,
    /// Who is in group docker.
    pub user: String,
    /// More of daemon.json.
    pub daemon: Map<String, serde_json::Value>,
}

struct Reader<'a> {
    vars: &'a HostVars,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn take<T>(&mut self, value: Result<Option<T>, ValueError>) -> Option<T> {
        self.problems.take(value.map_err(Diagnostic::from)).flatten()
    }

    fn error(&mut self, name: &str, message: String, help: &str) {
        let place = self.vars.set_at(name);
        self.problems.push(Diagnostic::error(message).at(place).help(help));
    }

    fn text(&mut self, name: &str) -> String {
        let value = self.vars.string(name);
        self.take(value).unwrap_or_default().trim().to_owned()
    }

    fn bool(&mut self, name: &str) -> bool {
        let value = self.vars.bool(name);
        self.take(value).unwrap_or(false)
    }

    fn number(&mut self, name: &str, what: &str) -> u32 {
        let value = self.vars.int(name);
        let number = self.take(value).unwrap_or(0);
        u32::try_from(number).unwrap_or_else(|_| {
            self.error(
                name,
                format!("{name} is {number}, which is no {what}"),
                "give 0 or more",
            );
            0
        })
    }

    fn image(&mut self) -> String {
        const NAME: &str = "wireguard_image";
        let image = self.text(NAME);
        let plain = |c: char| c.is_ascii_alphanumeric() || "/:@._-".contains(c);
        if image.is_empty() || !image.chars().all(plain) || image.starts_with(['-', '/', ':']) {
            self.error(
                NAME,
                format!("{NAME} is \"{image}\", which is no name of an image"),
                "for example ghcr.io/linuxserver/wireguard",
            );
        }
        image
    }

    fn archive(&mut self, base: Option<&Path>) -> Option<Content> {
        const NAME: &str = "wireguard_image_archive";
        let text = self.text(NAME);
        if text.is_empty() {
            return None;
        }
        let path = match text.strip_prefix("~/") {
            Some(rest) => std::env::home_dir().unwrap_or_default().join(rest),
            None => base.map_or_else(|| PathBuf::from(&text), |base| base.join(&text)),
        };
        match std::fs::read(&path) {
            Ok(bytes) if !bytes.is_empty() => Some(Content::public(bytes)),
            Ok(_) => {
                self.error(
                    NAME,
                    format!("{} is empty", path.display()),
                    "write it with `docker save`",
                );
                None
            }
            Err(error) => {
                self.error(
                    NAME,
                    format!("{} cannot be read: {error}", path.display()),
                    "`docker save -o FILE IMAGE` writes it, on a machine with internet; its path begins at the inventory's folder",
                );
                None
            }
        }
    }

    fn timezone(&mut self) -> String {
        let zone = self.text("timezone");
        let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
        if zone.is_empty() || !zone.chars().all(plain) {
            self.error(
                "timezone",
                format!("timezone is \"{zone}\", which is no time zone"),
                "for example Europe/London or Etc/UTC",
            );
        }
        zone
    }

    fn user(&mut self) -> String {
        let user = self.text("docker_user");
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if user.is_empty() {
            self.error(
                "docker_user",
                "docker_user is empty, and neither does ansible_user say who logs in".into(),
                "set docker_user to the user that is to use Docker",
            );
        } else if !user.chars().all(plain) || user.starts_with('-') {
            let message = format!("docker_user is \"{user}\", which is no name of a user");
            self.error("docker_user", message, "use letters, digits, and _ - .");
        }
        user
    }

    fn daemon(&mut self) -> Map<String, serde_json::Value> {
        const NAME: &str = "wireguard_docker_daemon_config";
        let value = self.vars.map(NAME);
        let map = self.take(value).unwrap_or_default();
        let mut made = Map::new();
        for (key, value) in map {
            if matches!(&*key, "mtu" | "log-driver" | "log-opts") {
                self.error(
                    NAME,
                    format!("{NAME} has {key}, which this role sets itself"),
                    "wireguard_mtu is the MTU; leave the others out",
                );
            } else {
                made.insert(key.to_string(), json(&value));
            }
        }
        made
    }
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(yes) => (*yes).into(),
        Value::Int(number) => i64::try_from(*number).map_or_else(|_| number.to_string().into(), Into::into),
        Value::Float(number) => (*number).into(),
        Value::List(items) => items.iter().map(json).collect::<Vec<_>>().into(),
        Value::Map(map) => {
            let entries = map.iter().map(|(key, value)| (key.to_string(), json(value)));
            serde_json::Value::Object(entries.collect())
        }
        other => other.as_str().unwrap_or_default().into(),
    }
}

impl Settings {
    /// Reads them, and the image's archive where there is one; all that is wrong goes into `problems`, and then there are
    /// none.
    pub fn read(cx: &RoleContext<'_>, problems: &mut Diagnostics) -> Option<Self> {
        Self::from_vars(cx.vars, cx.base_dir(), problems)
    }

    /// The same from variables alone; files are looked up from `base`.
    pub fn from_vars(vars: &HostVars, base: Option<&Path>, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let vpn = wireguard::Settings::read(vars, problems);
        let mut reader = Reader { vars, problems };
        // What is wrong with the other settings is told beside a backend that is wrong.
        let native = vpn.as_ref().is_some_and(|vpn| vpn.backend == Backend::Native);
        let docker = (!native).then(|| DockerSettings {
            image: reader.image(),
            archive: reader.archive(base),
            newest: reader.bool("wireguard_image_newest"),
            timezone: reader.timezone(),
            puid: reader.number("puid", "number of a user"),
            pgid: reader.number("pgid", "number of a group"),
            user: reader.user(),
            daemon: reader.daemon(),
        });
        let replace_existing = reader.bool("wireguard_replace_existing");
        let lock_timeout = Duration::from_secs(reader.number("apt_lock_timeout", "number of seconds").into());
        if let Some(vpn) = &vpn {
            peers_fit(vpn, &mut reader);
        }
        let made = vpn.map(|vpn| Self {
            vpn,
            docker,
            replace_existing,
            lock_timeout,
        });
        made.filter(|_| problems.error_count() == before)
    }
}

fn peers_fit(vpn: &wireguard::Settings, reader: &mut Reader<'_>) {
    let count = vpn.declared.names().len();
    let room = vpn.subnet.room();
    if count > room {
        reader.error(
            "wireguard_peers",
            format!(
                "wireguard_peers asks for {count} peers, and {} has room for {room}",
                vpn.subnet
            ),
            "ask for fewer, or set wireguard_internal_subnet to a wider network",
        );
    }
    if vpn.backend == Backend::Native {
        return;
    }
    if count == 0 || matches!(&vpn.declared, DeclaredPeers::Count(0)) {
        reader.error(
            "wireguard_peers",
            "wireguard_peers asks for no peer, and without one the image is a client, no server".into(),
            "ask for one at least, or set wireguard_backend to native",
        );
    }
    if vpn.subnet.prefix != 24 {
        reader.error(
            "wireguard_internal_subnet",
            format!(
                "wireguard_internal_subnet is {}, and the image makes a /24 of any network",
                vpn.subnet
            ),
            "give a network with /24, or set wireguard_backend to native",
        );
    }
}
