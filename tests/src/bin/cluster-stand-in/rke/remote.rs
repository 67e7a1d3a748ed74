//! A node as RKE reaches it: by SSH with a key, and Docker there as the user who logs in, without sudo.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use super::config::Node;
use crate::{Outcome, pki};

/// Label of the containers: which authority their certificates are of.
pub const AUTHORITY: &str = "stand-in.authority";
/// Label of the containers: what they were started with.
pub const ARGUMENTS: &str = "stand-in.arguments";
const IMAGE: &str = "cluster-stand-in";

/// The image that all containers run: this program, over the host's own libraries.
pub struct Image {
    /// Its name with tag.
    pub name: String,
    archive: Vec<u8>,
}

impl Image {
    /// Made of this program.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn of_this_program() -> Outcome<Self> {
        let mut program = std::fs::read("/proc/self/exe")?;
        // The trailer makes it `rke`; in the image it plays other parts.
        let mark = b"\n#stand-in ";
        let end = program.len().saturating_sub(200);
        if let Some(at) = program[end..].windows(mark.len()).rposition(|window| window == mark) {
            program.truncate(end + at);
        }
        let mut archive = Vec::new();
        for folder in ["usr", "etc", "proc", "sys", "dev", "run", "var", "tmp"] {
            entry(&mut archive, &format!("{folder}/"), b'5', 0o755, "", &[]);
        }
        for link in ["bin", "sbin", "lib", "lib64"] {
            entry(&mut archive, link, b'2', 0o777, &format!("usr/{link}"), &[]);
        }
        entry(&mut archive, "cluster-stand-in", b'0', 0o755, "", &program);
        archive.extend_from_slice(&[0; 1024]);
        Ok(Self {
            name: format!("{IMAGE}:{}", pki::digest(&program)),
            archive,
        })
    }
}

/// Adds an entry of the form that POSIX calls `ustar`.
fn entry(archive: &mut Vec<u8>, name: &str, kind: u8, mode: u32, link: &str, content: &[u8]) {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\x000000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive.extend_from_slice(&header);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

/// A container there.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// Whether it runs.
    pub running: bool,
    /// Its [`AUTHORITY`].
    pub authority: String,
    /// Its [`ARGUMENTS`].
    pub arguments: String,
}

/// What a node is like.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Docker's version.
    pub docker: String,
    /// Whether it has the image.
    pub has_image: bool,
    /// Whether something listens on the API server's port.
    pub port_taken: bool,
    /// Its containers that are ours, by name.
    pub containers: BTreeMap<String, Container>,
}

/// Why a node cannot be used.
#[derive(Debug)]
pub enum Unreachable {
    /// No login.
    Login(String),
    /// No Docker for this user.
    Docker(String),
}

fn ssh(node: &Node) -> Command {
    let mut command = Command::new("ssh");
    // As RKE's own SSH client: no configuration, no agent, host keys unchecked.
    command.args([
        "-F",
        "/dev/null",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "IdentityAgent=none",
        "-o",
        "BatchMode=yes",
    ]);
    command.args([
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
    ]);
    command.args([
        "-o",
        "ConnectTimeout=10",
        "-o",
        "ServerAliveInterval=5",
        "-o",
        "ServerAliveCountMax=3",
    ]);
    command.arg("-i").arg(&node.key).args(["-p", &node.port]);
    command.arg(format!("{}@{}", node.user, node.address));
    command
}

fn run_raw(node: &Node, script: &str, input: &[u8]) -> std::io::Result<std::process::Output> {
    let mut child = ssh(node)
        .arg(format!("export DOCKER_HOST=unix://{}\n{script}", node.socket))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            // A command that ends without reading says itself why.
            let _ = stdin.as_mut().map(|stdin| stdin.write_all(input));
        });
        let output = child.wait_with_output();
        let _ = writer.join();
        output
    })
}

/// Runs a script as the user and returns what it printed.
///
/// # Errors
/// It fails.
pub fn run(node: &Node, script: &str, input: &[u8]) -> Outcome<String> {
    let output = run_raw(node, script, input)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("host [{}]: {} ({})", node.address, said.trim(), output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Logs in and looks.
///
/// # Errors
/// There is no login, or no Docker that answers this user.
pub fn look(node: &Node, image: &str) -> Result<Seen, Unreachable> {
    if let Err(error) = std::fs::read(&node.key) {
        let key = node.key.display();
        return Err(Unreachable::Login(format!(
            "Error while reading SSH key file: open {key}: {error}"
        )));
    }
    let script = format!(
        "docker version --format '{{{{.Server.Version}}}}' || exit 3
docker image inspect --format yes {image} 2>/dev/null || echo no
grep -qs ':192B 0*:0000 0A' /proc/net/tcp /proc/net/tcp6 && echo taken || echo free
docker ps -a --filter label={AUTHORITY} --format '{{{{.Names}}}} {{{{.State}}}} {{{{.Label \"{AUTHORITY}\"}}}} {{{{.Label \"{ARGUMENTS}\"}}}}'"
    );
    let output = run_raw(node, &script, b"").map_err(|error| Unreachable::Login(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status.code() {
        Some(0) => {}
        Some(255) | None => return Err(Unreachable::Login(said)),
        Some(_) => return Err(Unreachable::Docker(said)),
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let mut seen = Seen {
        docker: lines.next().unwrap_or_default().to_owned(),
        has_image: lines.next() == Some("yes"),
        port_taken: lines.next() == Some("taken"),
        containers: BTreeMap::new(),
    };
    for line in lines {
        if let [name, state, authority, arguments] = line.split(' ').collect::<Vec<_>>()[..] {
            let container = Container {
                running: state == "running",
                authority: authority.into(),
                arguments: arguments.into(),
            };
            seen.containers.insert(name.into(), container);
        }
    }
    Ok(seen)
}

/// Brings the image there.
///
/// # Errors
/// Docker does not take it.
pub fn import(node: &Node, image: &Image) -> Outcome {
    run(node, &format!("docker import - {}", image.name), &image.archive).map(drop)
}

/// Writes files as root, by a container as RKE does.
///
/// # Errors
/// They cannot be written.
pub fn install_files(node: &Node, image: &str, folder: &str, files: &BTreeMap<String, String>) -> Outcome {
    let script = format!(
        "docker run -i --rm --net none -v /usr:/usr:ro -v {folder}:{folder} {image} /cluster-stand-in install-files"
    );
    run(node, &script, &serde_json::to_vec(files)?).map(drop)
}

/// Makes a container run with these words; one that runs with them already is left alone. Whether it was (re)started.
///
/// # Errors
/// It cannot be started.
pub fn ensure(
    node: &Node,
    seen: &Seen,
    image: &str,
    authority: &str,
    name: &str,
    mounts: &[&str],
    words: &[String],
) -> Outcome<bool> {
    let arguments = pki::digest(format!("{image} {mounts:?} {words:?}").as_bytes());
    let wanted = Container {
        running: true,
        authority: authority.into(),
        arguments: arguments.clone(),
    };
    if seen.containers.get(name) == Some(&wanted) {
        return Ok(false);
    }
    let mounts: String = mounts.iter().map(|mount| format!(" -v {mount}")).collect();
    let words: String = words
        .iter()
        .map(|word| format!(" '{}'", word.replace('\'', r"'\''")))
        .collect();
    let script = format!(
        "docker rm -f {name} >/dev/null 2>&1
docker run -d --name {name} --net host --restart always --label {AUTHORITY}={authority} --label {ARGUMENTS}={arguments} \
         -v /usr:/usr:ro{mounts} {image} /cluster-stand-in{words}"
    );
    run(node, &script, b"")?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_one_that_tar_reads() {
        let mut archive = Vec::new();
        entry(&mut archive, "usr/", b'5', 0o755, "", &[]);
        entry(&mut archive, "lib", b'2', 0o777, "usr/lib", &[]);
        entry(&mut archive, "program", b'0', 0o755, "", b"hello");
        archive.extend_from_slice(&[0; 1024]);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.tar");
        std::fs::write(&file, archive).expect("written");
        let listed = Command::new("tar").arg("-tvf").arg(&file).output().expect("tar");
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        assert!(
            text.contains("lib -> usr/lib") && text.contains("-rwxr-xr-x") && text.contains("5 1970"),
            "{text}"
        );
    }
}
