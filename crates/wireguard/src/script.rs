//! The scripts of changes: texts with marks become files with keys, on the host.
//!
//! Whatever is made is made in a folder of root's own beside the files, checked, and renamed into place. A file that is
//! not the one that was read any more is left alone, and the change fails.

use crate::ask::folder_fragment;
use crate::config::WgConfig;
use crate::layout::{INTERFACE, NATIVE_FOLDER};
use crate::mask::{FILLED, new};
use crate::name::PeerName;
use crate::peer_file::Edit;
use crate::state::FoundFile;
use mosip_prov_resources::Shell;
use mosip_prov_resources::shell::quote;
use std::fmt::Write as _;

/// The mark for the server's public key.
pub(crate) const SERVER_PUBLIC: &str = "(new server.pub)";

/// The mark for the server's private key.
pub(crate) const SERVER_KEY: &str = "(new server.key)";

/// The mark for a peer's private key.
pub(crate) fn key_of(name: &PeerName) -> String {
    new(&format!("{name}.key"))
}

/// The mark for its public key.
pub(crate) fn public_of(name: &PeerName) -> String {
    new(&format!("{name}.pub"))
}

/// The mark for the key that it shares with the server.
pub(crate) fn preshared_of(name: &PeerName) -> String {
    new(&format!("{name}.psk"))
}

/// `safely COMMAND…`: what it complains of never shows a key, which `wg` quotes when it is of no use.
/// `value FILE key`: the first value of a key. `unchanged FILE SHA256`. `put FILE TO MODE OWNER GROUP`.
const TOOLS: &str = r#"safely() {
if ! "$@" 2>"$w/complaint"; then
sed "s/\`[^']*'/(hidden)/g; s/[A-Za-z0-9+\/]\{42,\}=*/(hidden)/g" "$w/complaint" >&2
exit 1
fi
}
value() {
awk -v key="$2" '{ l = tolower($0) } l ~ "^[ \t]*" key "[ \t]*=" { sub(/^[^=]*=[ \t]*/, ""); sub(/[ \t#].*$/, ""); print; exit }' "$1"
}
unchanged() {
h=$(sha256sum <"$1")
[ "${h%% *}" = "$2" ] || { echo "$1 was changed by somebody else in the meantime; run this again" >&2; exit 1; }
}
put() {
chmod "$3" "$1"
if [ "$(id -u)" = 0 ]; then chown "$4:$5" "$1"; fi
mv -f "$1" "$2"
}
"#;

/// A script in a folder for keys, `$w`, beside the files; what an earlier one left there is removed.
fn beside(before: &str, folder: &str, body: &str) -> String {
    format!(
        "set -e
umask 077
{before}{}cd \"$d\"
rm -rf ./.mosip-prov.??????
w=$(mktemp -d \"$PWD/.mosip-prov.XXXXXX\")
trap 'rm -rf \"$w\"' EXIT
{FILLED}{TOOLS}{body}",
        folder_fragment(folder)
    )
}

/// Lines that make `$w/NAME` from a text with marks.
fn filled(name: &str, text: &WgConfig, old: Option<&FoundFile>) -> String {
    let old = old.map_or_else(|| "/dev/null".into(), |file| quote(&file.path));
    // No key is in the text: it holds marks.
    format!(
        "printf '%s' {} | filled {old} \"$w\" >\"$w/{name}\"\n",
        quote(&text.expose_text())
    )
}

/// Files that are there are corrected, each with its mode and owner kept.
pub(crate) fn correct(edits: &[Edit<'_>]) -> Shell {
    let mut body = String::new();
    corrections(edits, &mut body);
    let names: Vec<&str> = edits.iter().map(|e| file_name(&e.file.path)).collect();
    let folder = edits.first().map_or("/", |e| parent(&e.file.path));
    Shell::new(format!("correct {}", names.join(", ")), beside("", folder, &body))
}

fn corrections(edits: &[Edit<'_>], body: &mut String) {
    for (index, edit) in edits.iter().enumerate() {
        let file = edit.file;
        let path = quote(&file.path);
        let _ = writeln!(body, "unchanged {path} {}", file.digest);
        body.push_str(&filled(&format!("edit{index}"), &edit.wanted, Some(file)));
        let _ = writeln!(
            body,
            "put \"$w/edit{index}\" {path} {:o} {} {}",
            edit.mode,
            quote(&edit.owner),
            quote(&edit.group)
        );
    }
}

/// A peer that the running tunnel is told of.
pub(crate) struct Live<'s> {
    pub name: &'s PeerName,
    pub preshared: bool,
    pub allowed_ips: String,
}

/// What somebody else's `wg0.conf` is kept as when it is taken over. `wg-quick` takes no file of that name.
pub(crate) const KEPT: &str = "wg0.conf.before-mosip-prov";

/// What a change to the native backend consists of.
#[derive(Default)]
pub(crate) struct NativeChange<'s> {
    /// Peers that get keys and a file: with the marks in it.
    pub new: Vec<(&'s PeerName, WgConfig)>,
    /// Peers whose file is there and whose keys the server must learn.
    pub known: Vec<(&'s PeerName, &'s FoundFile)>,
    /// Files to be corrected.
    pub edits: Vec<Edit<'s>>,
    /// Peers that go for good: with what is written down of them, public things alone.
    pub gone: Vec<(&'s PeerName, String)>,
    /// Peers that are no longer called revoked.
    pub back: Vec<&'s PeerName>,
    /// The server's configuration that is to be.
    pub server: Option<WgConfig>,
    /// The server's configuration that is there.
    pub present: Option<&'s FoundFile>,
    /// Whether that one is kept beside it, as [`KEPT`].
    pub keep: bool,
    /// Peers that a running tunnel must learn of: of those above.
    pub live: Vec<Live<'s>>,
    /// Keys that a running tunnel must forget.
    pub dead: Vec<String>,
}

impl NativeChange<'_> {
    pub(crate) fn script(&self) -> String {
        let mut body = String::new();
        let learn = |body: &mut String, name: &str| {
            let _ = writeln!(body, "safely wg pubkey <\"$w/{name}.key\" >\"$w/{name}.pub\"");
        };
        if let Some(present) = self.present {
            let path = quote(&present.path);
            let _ = writeln!(body, "unchanged {path} {}", present.digest);
            if self.keep {
                let _ = writeln!(
                    body,
                    "if [ ! -e {KEPT} ]; then cat {path} >\"$w/kept\"; put \"$w/kept\" {KEPT} 600 root root; fi"
                );
            }
            if !self.new.is_empty() {
                let _ = writeln!(body, "value {path} privatekey >\"$w/server.key\"");
                learn(&mut body, "server");
            }
        } else if self.server.is_some() {
            // None was there when the host was asked. One that came meanwhile has a key that peers may know.
            let _ = writeln!(
                body,
                "if [ -e {INTERFACE}.conf ] || [ -L {INTERFACE}.conf ]; then echo \"$PWD/{INTERFACE}.conf was made by \
                 somebody else in the meantime; run this again\" >&2; exit 1; fi"
            );
            body.push_str("wg genkey >\"$w/server.key\"\n");
            learn(&mut body, "server");
        }
        if !self.new.is_empty() {
            body.push_str("mkdir -p peers\nchmod 700 peers\n");
        }
        for (name, file) in &self.new {
            let _ = writeln!(body, "wg genkey >\"$w/{name}.key\"");
            learn(&mut body, name.as_str());
            let _ = writeln!(body, "wg genpsk >\"$w/{name}.psk\"");
            body.push_str(&filled(&format!("{name}.conf"), file, None));
            let _ = writeln!(
                body,
                "mkdir -p peers/{name}\nchmod 700 peers/{name}\nput \"$w/{name}.conf\" peers/{name}/{name}.conf 600 root root"
            );
        }
        for (name, file) in &self.known {
            let path = quote(&file.path);
            let _ = writeln!(body, "value {path} privatekey >\"$w/{name}.key\"");
            learn(&mut body, name.as_str());
            let _ = writeln!(body, "value {path} presharedkey >\"$w/{name}.psk\"");
        }
        corrections(&self.edits, &mut body);
        // What is revoked is written down before it goes, so that nothing makes it again after a break.
        for (name, words) in &self.gone {
            let _ = writeln!(
                body,
                "mkdir -p revoked\nchmod 700 revoked\nprintf '%s' {} >\"$w/{name}.gone\"\nput \"$w/{name}.gone\" revoked/{name} 600 root root",
                quote(words)
            );
        }
        if let Some(server) = &self.server {
            body.push_str(&filled(&format!("{INTERFACE}.conf"), server, self.present));
            let _ = writeln!(body, "put \"$w/{INTERFACE}.conf\" {INTERFACE}.conf 600 root root");
        }
        self.tell_the_tunnel(&mut body);
        for (name, _) in &self.gone {
            let _ = writeln!(body, "rm -rf peers/{name}");
        }
        for name in &self.back {
            let _ = writeln!(body, "rm -f revoked/{name}");
        }
        beside(&format!("mkdir -p {NATIVE_FOLDER}\n"), NATIVE_FOLDER, &body)
    }

    /// Peer by peer: `wg syncconf` would drop whatever somebody added by hand, and nothing else is touched this way.
    fn tell_the_tunnel(&self, body: &mut String) {
        if self.live.is_empty() && self.dead.is_empty() {
            return;
        }
        let _ = writeln!(body, "if wg show {INTERFACE} >/dev/null 2>&1; then");
        for key in &self.dead {
            let _ = writeln!(body, "safely wg set {INTERFACE} peer {} remove", quote(key));
        }
        for Live {
            name,
            preshared,
            allowed_ips,
        } in &self.live
        {
            let preshared = match preshared {
                true => format!(" preshared-key \"$w/{name}.psk\""),
                false => String::new(),
            };
            let allowed: String = allowed_ips.split_whitespace().collect();
            let _ = writeln!(
                body,
                "safely wg set {INTERFACE} peer \"$(cat \"$w/{name}.pub\")\"{preshared} allowed-ips {}",
                quote(&allowed)
            );
        }
        body.push_str("fi\n");
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(folder, _)| folder)
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
