//! The stand-in for the WireGuard image, which cannot be downloaded here: made from Debian packages, once per recipe,
//! and served by the [`registry`](super::registry).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::base::{self, Fnv, remove_tree};
use super::hosts::STATE;
use super::registry;
use crate::sh::{self, Context, Error, Result};

const NAME: &str = "wireguard-stand-in";
const BUILD: &str = include_str!("wireguard_image.build.sh");
const INIT: &str = include_str!("wireguard_image.init.sh");
/// With what they need; the build script names those it takes.
const PACKAGES: &str = "wireguard-tools,wireguard-go,iptables,qrencode,busybox-static,docker-registry";

fn tag() -> String {
    let mut hash = Fnv::new();
    for text in [BUILD, INIT, PACKAGES, base::RELEASE] {
        hash.add(text.as_bytes());
    }
    hash.hex()
}

/// The image's name as the hosts pull it.
pub fn reference() -> String {
    format!("{}/{NAME}:{}", registry::address(), tag())
}

/// The image's file system, unpacked: its tools serve tests as those of a client, too.
pub fn root() -> PathBuf {
    Path::new(STATE).join("wireguard-image").join("root")
}

/// Starts the registry, and makes the image when it has none of today's recipe.
pub fn ensure() -> Result<()> {
    let tag = tag();
    let made_of = root().with_file_name("recipe");
    let unpacked = fs::read_to_string(&made_of).is_ok_and(|recipe| recipe == tag);
    if unpacked && registry::is_unpacked() {
        registry::up()?;
        if registry::has(NAME, &tag) {
            println!("images      {} is served", reference());
            return Ok(());
        }
    }
    let started = Instant::now();
    let folder = root().with_file_name("");
    remove_tree(&folder)?;
    fs::create_dir_all(root()).doing("cannot make the image's folder")?;
    let (cache, log) = (Path::new(STATE).join("debs"), folder.join("log"));
    fs::create_dir_all(&cache).doing("cannot make the download cache")?;
    let downloads = folder.join("downloads");
    sh::logged(
        Command::new("debootstrap")
            .args(["--variant=minbase", "--download-only"])
            .arg(format!("--cache-dir={}", cache.display()))
            .arg(format!("--include={PACKAGES}"))
            .arg(base::RELEASE)
            .arg(&downloads)
            .arg(base::mirror()?),
        "",
        &log,
    )?;
    let archives = downloads.join("var/cache/apt/archives");
    sh::logged(
        Command::new("sh")
            .args(["-s"])
            .env("ARCHIVES", &archives)
            .env("ROOT", root())
            .env("INIT", INIT),
        BUILD,
        &log,
    )?;
    if !registry::is_unpacked() {
        registry::unpack(&package(&archives, "docker-registry")?)?;
    }
    remove_tree(&downloads)?;
    registry::up()?;
    registry::push(NAME, &tag, &root(), "/init")?;
    sh::write(&made_of, &tag)?;
    println!(
        "images      {} made in {:.0} s",
        reference(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn package(archives: &Path, name: &str) -> Result<PathBuf> {
    let prefix = format!("{name}_");
    fs::read_dir(archives)
        .doing("cannot list the downloaded packages")?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name()
                .is_some_and(|file| file.to_string_lossy().starts_with(&prefix))
        })
        .ok_or_else(|| Error(format!("no package {name} in {}", archives.display())))
}
