//! A registry of container images for the hosts, on this machine's address on their network: Debian's `docker-registry`,
//! run out of its package without being installed, so that no service of this machine is made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::base::remove_tree;
use super::hosts::{GATEWAY, STATE};
use crate::sh::{self, Context, Error, Result};

const PORT: u16 = 5000;
const PROGRAM: &str = "usr/bin/docker-registry";

fn folder() -> PathBuf {
    Path::new(STATE).join("registry")
}

/// `ADDRESS:PORT` of the registry, which speaks plain HTTP.
pub fn address() -> String {
    format!("{GATEWAY}:{PORT}")
}

/// The pid of the registry; nothing when it does not run.
fn pid() -> Option<u32> {
    let pid: u32 = fs::read_to_string(folder().join("pid")).ok()?.trim().parse().ok()?;
    // Pids are used again; only a process that names our program is ours.
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    String::from_utf8_lossy(&command)
        .contains(&*folder().to_string_lossy())
        .then_some(pid)
}

/// Whether the program is unpacked already.
pub fn is_unpacked() -> bool {
    folder().join(PROGRAM).is_file()
}

/// Unpacks the program out of its package.
pub fn unpack(package: &Path) -> Result<()> {
    fs::create_dir_all(folder()).doing("cannot make the registry's folder")?;
    sh::output(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder())).map(drop)
}

/// Starts it unless it runs, and waits until it answers.
pub fn up() -> Result<()> {
    if pid().is_none() {
        let data = folder().join("data");
        let configuration = folder().join("config.yml");
        fs::create_dir_all(&data).doing("cannot make the registry's folder")?;
        sh::write(
            &configuration,
            format!(
                "version: 0.1\nlog: {{level: warn}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp: {{addr: '{}'}}\n",
                data.display(),
                address()
            ),
        )?;
        let log = fs::File::create(folder().join("log")).doing("cannot write the registry's log")?;
        let child = Command::new("setsid")
            // What whoever starts it holds open, a lock for example, is not the registry's.
            .args([
                "/bin/sh",
                "-c",
                "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec \"$@\"",
                "registry",
            ])
            .arg(folder().join(PROGRAM))
            .arg("serve")
            .arg(&configuration)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().doing("cannot share the registry's log")?)
            .stderr(log)
            .spawn()
            .doing("cannot start the registry")?;
        // The pid stays: setsid replaces itself by the shell, and that by the program.
        sh::write(&folder().join("pid"), child.id().to_string())?;
    }
    let began = Instant::now();
    while !sh::succeeds(&[
        "curl",
        "-sf",
        "--noproxy",
        "*",
        "-m",
        "2",
        &format!("http://{}/v2/", address()),
    ]) {
        if began.elapsed() > Duration::from_secs(20) {
            return Err(Error(format!(
                "the registry does not answer on {}; the end of its log:\n{}",
                address(),
                sh::tail(&folder().join("log"), 15)
            )));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Ends it; what it holds stays.
pub fn down() {
    if let Some(pid) = pid() {
        // One that has just ended is what was wanted.
        let _ = sh::run(&["kill", &pid.to_string()]);
    }
    let _ = fs::remove_file(folder().join("pid"));
}

/// Whether it has the image `name` with that tag.
pub fn has(name: &str, tag: &str) -> bool {
    let url = format!("http://{}/v2/{name}/manifests/{tag}", address());
    sh::succeeds(&["curl", "-sf", "--noproxy", "*", "-o", "/dev/null", "-H", ACCEPT, &url])
}

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const ACCEPT: &str = "Accept: application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// Pushes an image of one layer, the folder `root`, whose first process is `entrypoint`, as `docker import` and
/// `docker push` would; this machine needs no Docker for it. The forms are those of the image manifest, version 2,
/// schema 2, and of the registry's HTTP API.
pub fn push(name: &str, tag: &str, root: &Path, entrypoint: &str) -> Result<()> {
    let work = folder().join("push");
    remove_tree(&work)?;
    fs::create_dir_all(&work).doing("cannot make a folder for the image")?;
    let (tar, layer, config) = (work.join("layer.tar"), work.join("layer.tar.gz"), work.join("config"));
    sh::output(
        Command::new("tar")
            .args([
                "--sort=name",
                "--mtime=@0",
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "-C",
            ])
            .arg(root)
            .arg("-cf")
            .arg(&tar)
            .arg("."),
    )?;
    sh::output(Command::new("gzip").args(["-n", "-1", "-k"]).arg(&tar))?;
    let settings = serde_json::json!({
        "architecture": architecture()?,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": { "Entrypoint": [entrypoint], "WorkingDir": "/" },
        "rootfs": { "type": "layers", "diff_ids": [digest(&tar)?] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "comment": "a stand-in of the testbed" }],
    });
    sh::write(&config, settings.to_string())?;
    for blob in [&config, &layer] {
        upload(name, blob)?;
    }
    let described = |media: &str, path: &Path| -> Result<serde_json::Value> {
        let size = fs::metadata(path).doing("cannot look at a part of the image")?.len();
        Ok(serde_json::json!({ "mediaType": media, "size": size, "digest": digest(path)? }))
    };
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, &config)?,
        "layers": [described(LAYER, &layer)?],
    });
    let file = work.join("manifest");
    sh::write(&file, manifest.to_string())?;
    let url = format!("http://{}/v2/{name}/manifests/{tag}", address());
    put(&url, &file, MANIFEST)?;
    remove_tree(&work)
}

fn upload(name: &str, blob: &Path) -> Result<()> {
    let url = format!("http://{}/v2/{name}/blobs/uploads/", address());
    let head = sh::run(&[
        "curl",
        "-sSf",
        "--noproxy",
        "*",
        "-o",
        "/dev/null",
        "-D",
        "-",
        "-X",
        "POST",
        &url,
    ])?;
    let location = head
        .lines()
        .find_map(|line| {
            line.split_once(':')
                .filter(|(key, _)| key.eq_ignore_ascii_case("location"))
        })
        .map(|(_, value)| value.trim().to_owned())
        .ok_or_else(|| Error(format!("the registry names no place to upload to: {head}")))?;
    let mark = if location.contains('?') { '&' } else { '?' };
    let target = format!("{location}{mark}digest={}", digest(blob)?);
    put(&target, blob, "application/octet-stream")
}

fn put(url: &str, file: &Path, kind: &str) -> Result<()> {
    sh::output(
        Command::new("curl")
            .args([
                "-sSf",
                "--noproxy",
                "*",
                "-X",
                "PUT",
                "-H",
                &format!("Content-Type: {kind}"),
                "--data-binary",
            ])
            .arg(format!("@{}", file.display()))
            .arg(url),
    )
    .map(drop)
}

fn digest(path: &Path) -> Result<String> {
    let line = sh::output(Command::new("sha256sum").arg(path))?;
    Ok(format!("sha256:{}", line.split(' ').next().unwrap_or_default()))
}

/// The machine's architecture as images have it, which is Debian's name of it.
fn architecture() -> Result<String> {
    Ok(sh::run(&["dpkg", "--print-architecture"])?.trim().to_owned())
}
