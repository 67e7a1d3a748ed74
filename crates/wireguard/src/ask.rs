//! What is asked of a host: the server's configuration, the peers' files, who was revoked, and what the running tunnel
//! says of each peer. One question, and no key but public ones in its answer.

use crate::layout::{Backend, INTERFACE, Layout};
use crate::mask::MASKED;
use crate::state::HostState;
use mosip_prov_resources::shell::{frame, quote, split_frames};
use mosip_prov_resources::{Ask, Probe, Question, RawAnswer, Touch};
use std::fmt::Write as _;

/// Asks for everything about the peers of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskPeers(
    /// Where they are.
    pub Layout,
);

impl Ask for AskPeers {
    type Answer = HostState;

    fn question(&self) -> Question {
        let Layout {
            backend,
            folder,
            container,
        } = &self.0;
        Question::new(&PeersProbe, format!("{}\t{folder}\t{container}", backend.as_str()))
    }

    fn read(&self, raw: &str) -> Result<HostState, String> {
        HostState::parse(raw)
    }
}

/// The kind of question behind [`AskPeers`].
pub struct PeersProbe;

impl Probe for PeersProbe {
    fn name(&self) -> &'static str {
        "wireguard"
    }

    fn script(&self, subjects: &[&str]) -> String {
        let mut script = format!("{MASKED}{COMMON}");
        for subject in subjects {
            let Some(layout) = layout_of(subject) else {
                continue;
            };
            script.push_str(&frame(&format!("(\n{}\n) </dev/null", one(&layout))));
        }
        script
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        // Asking takes the newlines off the end, and with them the last frame's end when its text is empty.
        let output = format!("{}\n\n", output.trim_end_matches('\n'));
        match split_frames(&output) {
            Ok(frames) if frames.len() == subjects.len() => frames
                .into_iter()
                .map(|frame| match frame.status {
                    0 => Ok(frame.text.to_owned()),
                    // What a tool complained of, without what was printed before: it is told in whole lines.
                    _ => Err(frame.text.lines().last().unwrap_or("no message").to_owned()),
                })
                .collect(),
            Ok(_) => vec![Err("the output breaks off".into()); subjects.len()],
            Err(reason) => vec![Err(reason); subjects.len()],
        }
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        let folder = layout_of(subject).map(|l| l.folder).unwrap_or_default();
        match touch {
            // Where the home of a user is, only the host knows.
            Touch::Path(_) => folder.starts_with('~') || touch.concerns_path(&folder),
            Touch::Thing(kind, _) | Touch::Kind(kind) => {
                matches!(*kind, "wireguard" | "unit" | "container" | "package")
            }
            Touch::Everything => true,
        }
    }
}

fn layout_of(subject: &str) -> Option<Layout> {
    let mut parts = subject.split('\t');
    let backend = match parts.next()? {
        "docker" => Backend::Docker,
        "native" => Backend::Native,
        _ => return None,
    };
    Some(Layout {
        backend,
        folder: parts.next()?.to_owned(),
        container: parts.next().unwrap_or_default().to_owned(),
    })
}

/// A fragment that sets `d` to the folder, with the home of the user that logged in for `~`.
pub(crate) fn folder_fragment(folder: &str) -> String {
    match folder.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!(
            "h=$(getent passwd \"${{SUDO_USER:-$(id -un)}}\" 2>/dev/null | cut -d: -f6)\nd=${{h:-$HOME}}{}\n",
            quote(rest)
        ),
        _ => format!("d={}\n", quote(folder)),
    }
}

/// `described KIND NAME FILE PUBLIC` prints a line about the file and the file itself, masked. `public NAME FILE` prints the
/// public key that belongs to the private one of a file: computed where `wg` is there, else as the image wrote it down.
const COMMON: &str = r#"described() {
[ -r "$3" ] || { echo "$3 may not be read; is this user root?"; exit 1; }
s=$(stat -L -c '%a	%U	%G' -- "$3") || exit 1
h=$(sha256sum <"$3") || exit 1
printf 'file\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$s" "${h%% *}" "$4"
masked "$3" || exit 1
}
public() {
k=
if command -v wg >/dev/null 2>&1; then
k=$(awk '{ l = tolower($0) } l ~ /^[ \t]*privatekey[ \t]*=/ { sub(/^[^=]*=[ \t]*/, ""); sub(/[ \t#].*$/, ""); print; exit }' "$2" | wg pubkey 2>/dev/null)
fi
if [ -z "$k" ] && [ -r "${2%/*}/publickey-$1" ]; then read -r k <"${2%/*}/publickey-$1"; fi
printf '%s' "$k"
}
seen() {
if e=$(ls -d -- "$1" 2>&1); then
if [ -d "$1" ] && ! { [ -r "$1" ] && [ -x "$1" ]; }; then echo "$1 may not be read; is this user root?"; exit 1; fi
return 0
fi
case "$e" in *'No such file'*) return 1;; esac
echo "$e"
exit 1
}
"#;

fn one(layout: &Layout) -> String {
    let mut script = folder_fragment(&layout.folder);
    script.push_str("printf 'now\\t%s\\n' \"$(date +%s)\"\nif command -v wg >/dev/null 2>&1; then echo wg; fi\n");
    let below = |path: String| {
        let rest = path.strip_prefix(&layout.folder).unwrap_or_default();
        format!("\"$d\"{}", quote(rest))
    };
    script.push_str("if seen \"$d\"; then\n");
    let mut otherwise = "if";
    for file in layout.server_files() {
        let file = below(file);
        // The image keeps its server and its peers together; here either can be lost without the other.
        let public = match layout.backend {
            Backend::Docker => "-".to_owned(),
            Backend::Native => format!("\"$(public - {file})\""),
        };
        let _ = writeln!(
            script,
            "{otherwise} seen {file}; then described server - {file} {public}"
        );
        otherwise = "elif";
    }
    script.push_str("fi\n");
    let peers = match layout.backend {
        Backend::Docker => "\"$d\"/peer*/".to_owned(),
        Backend::Native => {
            script.push_str("if seen \"$d\"/peers; then :; fi\n");
            "\"$d\"/peers/*/".to_owned()
        }
    };
    let _ = write!(
        script,
        "for p in {peers}; do
n=${{p%/}}
n=${{n##*/}}
case \"$n\" in *[!A-Za-z0-9_-]*) continue;; esac
f=$p$n.conf
if [ -f \"$f\" ]; then described peer \"$n\" \"$f\" \"$(public \"$n\" \"$f\")\"; fi
done
"
    );
    if layout.backend == Backend::Native {
        script.push_str(
            "if seen \"$d\"/revoked; then
for f in \"$d\"/revoked/*; do
n=${f##*/}
case \"$n\" in *[!A-Za-z0-9_-]*) continue;; esac
if [ -f \"$f\" ]; then described revoked \"$n\" \"$f\" -; fi
done
fi
",
        );
    }
    let show = match layout.backend {
        Backend::Docker => format!("docker exec {} wg show {INTERFACE} dump", quote(&layout.container)),
        Backend::Native => format!("wg show {INTERFACE} dump"),
    };
    // The line with the private key, of 4 fields, and those of peers, of 8, with their preshared keys. Whatever else stands
    // among them is a remark, as `docker` makes them without failing: told by their number, no key could pass for a name.
    let _ = write!(
        script,
        "fi
if r=$({show} 2>&1); then
printf '%s\\n' \"$r\" | awk -F '\\t' -v OFS='\\t' 'NF == 4 {{ print \"up\", $2, $3 }} NF == 8 {{ print \"at\", $1, $3, $4, $5, $6, $7 }}'
else
printf 'down\\t%s\\n' \"$(printf '%s\\n' \"$r\" | awk -F '\\t' 'NF < 2 {{ last = $0 }} END {{ print last }}')\"
fi"
    );
    script
}
