//! Where files are on the host.

use crate::name::PeerName;

/// What runs the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The container of linuxserver/wireguard.
    Docker,
    /// The distribution's `wg-quick@wg0`.
    Native,
}

impl Backend {
    /// The value of `wireguard_backend`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Native => "native",
        }
    }
}

/// The folder of the native backend.
pub const NATIVE_FOLDER: &str = "/etc/wireguard";
/// The interface of both backends.
pub const INTERFACE: &str = "wg0";

/// The files of one backend on a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Who made them.
    pub backend: Backend,
    /// The folder they are in. `~` at its beginning is the home of the user that logged in.
    pub folder: String,
    /// The name of the container; of no meaning for the native backend.
    pub container: String,
}

impl Layout {
    /// `/etc/wireguard`: `wg0.conf`, `peers/NAME/NAME.conf`, `revoked/NAME`.
    pub fn native() -> Self {
        Self {
            backend: Backend::Native,
            folder: NATIVE_FOLDER.into(),
            container: String::new(),
        }
    }

    /// The folder that is `/config` in the container, `wireguard_config_dir`: `NAME/NAME.conf`; `wg_confs/wg0.conf`,
    /// or `wg0.conf` as images of before October 2023 had it.
    pub fn docker(folder: impl Into<String>, container: impl Into<String>) -> Self {
        let folder = folder.into();
        Self {
            backend: Backend::Docker,
            folder: match folder.trim_end_matches('/') {
                "" => "/".into(),
                trimmed => trimmed.into(),
            },
            container: container.into(),
        }
    }

    /// Where the server's configuration may be, the place to prefer first.
    pub fn server_files(&self) -> Vec<String> {
        match self.backend {
            Backend::Docker => vec![
                format!("{}/wg_confs/{INTERFACE}.conf", self.folder),
                format!("{}/{INTERFACE}.conf", self.folder),
            ],
            Backend::Native => vec![format!("{}/{INTERFACE}.conf", self.folder)],
        }
    }

    /// The folder whose folders are peers.
    pub fn peers_folder(&self) -> String {
        match self.backend {
            Backend::Docker => self.folder.clone(),
            Backend::Native => format!("{}/peers", self.folder),
        }
    }

    /// The file of a peer, keys included.
    pub fn peer_file(&self, name: &PeerName) -> String {
        format!("{}/{name}/{name}.conf", self.peers_folder())
    }

    /// The folder with a file for each peer that was revoked, named after it. The image has no such thing.
    pub fn revoked_folder(&self) -> Option<String> {
        match self.backend {
            Backend::Docker => None,
            Backend::Native => Some(format!("{}/revoked", self.folder)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places() {
        let alice = PeerName::on_host("alice").expect("a name");
        let native = Layout::native();
        assert_eq!(native.peer_file(&alice), "/etc/wireguard/peers/alice/alice.conf");
        assert_eq!(native.server_files(), ["/etc/wireguard/wg0.conf"]);
        assert_eq!(native.revoked_folder().as_deref(), Some("/etc/wireguard/revoked"));
        let docker = Layout::docker("~/wireguard/config/", "wireguard");
        assert_eq!(docker.peer_file(&alice), "~/wireguard/config/alice/alice.conf");
        assert_eq!(
            docker.server_files(),
            ["~/wireguard/config/wg_confs/wg0.conf", "~/wireguard/config/wg0.conf"]
        );
        assert_eq!(docker.revoked_folder(), None);
    }
}
