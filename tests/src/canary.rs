//! Canaries: secrets that are recognised wherever and however they come out, and eyes for the places where they must not.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What stands between the two halves of a planted secret: everything that one quoting or another changes.
const AWKWARD: &str = "'\"$x\\ &<é%>;";
/// Letters and digits in each half.
const HALF: usize = 18;
/// Runs of letters and digits of a secret that are looked for.
const RUN: usize = 12;

/// A secret in its place.
struct Planted {
    place: String,
    /// What gives it away, and how that is written.
    signs: Vec<(&'static str, String)>,
}

/// All secrets of a run.
#[derive(Default)]
pub struct Canaries(Vec<Planted>);

impl Canaries {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A fresh secret for `place`, with characters in the middle that quoting changes.
    pub fn plant(&mut self, place: &str) -> String {
        self.made(place, format!("{}{AWKWARD}{}", random(), random()))
    }

    /// The same of letters and digits alone, for places that take no others.
    pub fn plant_plain(&mut self, place: &str) -> String {
        self.made(place, random() + &random())
    }

    /// A secret that was made by others.
    pub fn know(&mut self, place: &str, secret: &str) {
        self.made(place, secret.to_owned());
    }

    fn made(&mut self, place: &str, secret: String) -> String {
        self.0.push(Planted {
            place: place.to_owned(),
            signs: signs(&secret),
        });
        secret
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Which secrets are in `text`, and in which writing.
    pub fn find(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for planted in &self.0 {
            for (writing, sign) in &planted.signs {
                if text.contains(sign.as_str()) {
                    found.push(format!("{} ({writing})", planted.place));
                    break;
                }
            }
        }
        found
    }

    /// The same with what stands around the first of each, without the secret, for messages.
    #[track_caller]
    pub fn assert_not_in(&self, what: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let mut told = String::new();
        for planted in &self.0 {
            let Some((writing, at)) = planted
                .signs
                .iter()
                .find_map(|(writing, sign)| Some((writing, text.find(sign.as_str())?)))
            else {
                continue;
            };
            let from = (at.saturating_sub(300)..=at)
                .find(|i| text.is_char_boundary(*i))
                .unwrap_or(at);
            let _ = write!(told, "\n{} ({writing}) after: {:?}", planted.place, &text[from..at]);
        }
        assert!(told.is_empty(), "secrets in {what}:{told}");
    }

    /// All files below `folder` but those at `except`.
    ///
    /// # Panics
    /// A secret is in one of them; the message names file and secret.
    #[track_caller]
    pub fn assert_not_below(&self, folder: &Path, except: &[&Path]) -> usize {
        let mut read = 0;
        for path in files_below(folder) {
            if except.iter().any(|there| path.starts_with(there)) {
                continue;
            }
            self.assert_not_in(&path.display().to_string(), path.as_os_str().as_encoded_bytes());
            let mut bytes = Vec::new();
            File::open(&path)
                .and_then(|file| file.take(64 << 20).read_to_end(&mut bytes))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            self.assert_not_in(&path.display().to_string(), &bytes);
            read += 1;
        }
        read
    }
}

/// 128 bits from the system and a bit more, as letters and digits.
fn random() -> String {
    let mut bytes = [0_u8; 64];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .expect("/dev/urandom");
    let text: String = STANDARD_NO_PAD
        .encode(bytes)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(HALF)
        .collect();
    assert_eq!(text.len(), HALF);
    text
}

/// Everything that gives a secret away. Its runs of letters and digits are the same in every quoting, of shells, JSON, HTML and
/// addresses alike; base64 writes them in three ways, by where they begin, of which the ends depend on what is around.
fn signs(secret: &str) -> Vec<(&'static str, String)> {
    let mut signs = vec![("as it is", secret.to_owned()), ("URL-encoded", url(secret))];
    let runs = secret
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|run| run.len() >= RUN)
        .map(str::as_bytes);
    let mut pieces: Vec<&[u8]> = runs.collect();
    if pieces.is_empty() {
        pieces.push(secret.as_bytes());
    } else {
        signs.extend(
            pieces
                .iter()
                .map(|run| ("a part", String::from_utf8_lossy(run).into_owned())),
        );
    }
    for piece in pieces {
        let hex: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
        signs.push(("hex", hex.to_uppercase()));
        signs.push(("hex", hex));
        for before in 0..3 {
            let padded = [&[0; 2][..before], piece].concat();
            let whole = padded.len() / 3 * 4;
            // The first characters hold bits of what is before.
            let from = [0, 2, 3][before];
            let text = STANDARD_NO_PAD.encode(padded)[from..whole].to_owned();
            signs.push(("base64", text.replace('+', "-").replace('/', "_")));
            signs.push(("base64", text));
        }
    }
    signs
}

fn url(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// All files below a folder; links are not followed.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_below(&path)),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

/// Looks at all processes of this machine again and again, as a user who is nobody. The testbed's hosts are containers: their
/// processes are among them.
pub struct Onlooker {
    looking: Child,
    seen: Arc<Mutex<HashSet<Vec<u8>>>>,
}

impl Onlooker {
    /// Begins to look.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start() -> Self {
        // It ends with this test, however that ends. Whoever is root becomes nobody. Without that, own environments could be read, which is no news.
        let root = crate::stdout(Command::new("id").arg("-u")) == "0";
        let environ = if root { "/proc/[0-9]*/environ" } else { "" };
        let script =
            format!("while [ -d /proc/$PPID ]; do cat /proc/[0-9]*/cmdline {environ} 2>/dev/null; sleep 0.04; done");
        let mut command = Command::new(if root { "setpriv" } else { "sh" });
        if root {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]);
        }
        let mut looking = command
            .args(["-c", &script])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("an onlooker");
        let seen = Arc::<Mutex<HashSet<Vec<u8>>>>::default();
        let (mut from, into) = (BufReader::new(looking.stdout.take().expect("its output")), seen.clone());
        std::thread::spawn(move || {
            let mut word = Vec::new();
            // Each argument and variable ends with a NUL byte.
            while from.read_until(0, &mut word).is_ok_and(|count| count > 0) {
                let mut seen = into.lock().unwrap_or_else(PoisonError::into_inner);
                if !seen.contains(&word) {
                    seen.insert(word.clone());
                }
                word.clear();
            }
        });
        Self { looking, seen }
    }

    /// Every argument and variable that it has seen so far.
    pub fn seen(&self) -> Vec<u8> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().flatten().copied().collect()
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        let _ = self.looking.kill();
        let _ = self.looking.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A search that finds nothing proves nothing, unless it finds what is there.
    #[test]
    fn what_leaks_is_found_however_it_is_written() {
        let mut canaries = Canaries::new();
        let secret = canaries.plant("the place");
        let json = serde_json::to_string(&secret).expect("JSON");
        let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&#39;");
        let shell = format!("'{}'", secret.replace('\'', "'\\''"));
        let mut leaks = vec![
            secret.clone(),
            json.clone(),
            serde_json::to_string(&json).expect("JSON twice"),
            html,
            shell.clone(),
            format!("sh -c {shell:?}"),
            format!("{secret:?}"),
            url(&secret),
            hex(&secret),
            hex(&secret).to_uppercase(),
            // Cut off after some 20 characters, or before them.
            secret.chars().take(20).collect(),
            secret.chars().skip(15).collect(),
            // Output of `read -r`, of `xargs`, of a shell that took the quotes away.
            secret.replace(['\'', '"', '\\'], ""),
        ];
        for before in ["", "a", "ab", "abc", "user:"] {
            leaks.push(STANDARD_NO_PAD.encode(format!("{before}{secret}")));
            leaks.push(base64::engine::general_purpose::URL_SAFE.encode(format!("{before}{secret}\n")));
        }
        for leak in &leaks {
            let text = format!("before {leak} after");
            assert_eq!(canaries.find(&text).len(), 1, "not found in {text}");
        }
        assert!(canaries.find("nothing of the kind: aGVsbG8gd29ybGQ=").is_empty());
        let caught = std::panic::catch_unwind(|| canaries.assert_not_in("a place", leaks[0].as_bytes()));
        assert!(caught.is_err());
    }

    #[test]
    fn keys_of_others_are_found_too() {
        let mut canaries = Canaries::new();
        let key = "k+/abc+/DEF+123/456+789/aB+cD/eF+gH/iJ+kL/0=";
        canaries.know("a key of WireGuard", key);
        for leak in [
            key.to_owned(),
            url(key),
            hex(key),
            STANDARD_NO_PAD.encode(format!("PrivateKey = {key}\n")),
        ] {
            assert_eq!(canaries.find(&leak).len(), 1, "{leak}");
        }
        assert!(canaries.find("k+/abc").is_empty());
    }

    #[test]
    fn files_and_processes_are_looked_at() {
        let mut canaries = Canaries::new();
        let secret = canaries.plant_plain("a leak");
        let folder = tempfile::tempdir().expect("a folder");
        crate::write(&folder.path().join("deep/down"), &secret);
        let below =
            |except: &[&Path]| std::panic::catch_unwind(|| canaries.assert_not_below(folder.path(), except)).is_err();
        assert!(below(&[]));
        assert!(!below(&[&folder.path().join("deep")]));

        let onlooker = Onlooker::start();
        let mut leaking = Command::new("sh")
            .args(["-c", "read -r _", &secret])
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh");
        let seen = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            !canaries.find(&String::from_utf8_lossy(&onlooker.seen())).is_empty()
        });
        let _ = leaking.kill();
        let _ = leaking.wait();
        assert!(seen, "the onlooker overlooks arguments");
    }
}
