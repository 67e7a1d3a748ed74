//! The base all hosts share: a Debian made once with debootstrap, kept per recipe.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::hosts::{self, STATE};
use crate::sh::{self, Context, Result};

/// The release the hosts run.
pub const RELEASE: &str = "bookworm";
const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,sudo,python3,iproute2,iputils-ping,ca-certificates,\
    curl,netbase,procps,kmod,libpam-systemd,udev,fish,busybox-static,apt-utils";
const SETUP: &str = include_str!("base.sh");
const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";
const DEFAULT_SECURITY: &str = "http://deb.debian.org/debian-security";

/// What decides whether a cached base still is the right one.
struct Recipe {
    mirror: String,
    sources: String,
    apt_configuration: String,
    certificates: Vec<PathBuf>,
    public_key: String,
    kernel: String,
}

impl Recipe {
    fn read() -> Result<Self> {
        let targets = sh::run(&[
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE)",
            "Created-By: Packages",
            "Origin: Debian",
        ])
        .unwrap_or_default();
        let (mirror, security) = mirrors(&targets);
        let mut certificates: Vec<PathBuf> = fs::read_dir("/usr/local/share/ca-certificates")
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        certificates.retain(|path| path.extension().is_some_and(|kind| kind == "crt"));
        certificates.sort();
        Ok(Self {
            sources: format!(
                "deb {mirror} {RELEASE} main\ndeb {mirror} {RELEASE}-updates main\n\
                 deb {security} {RELEASE}-security main\n"
            ),
            mirror,
            apt_configuration: apt_configuration(
                &sh::run(&["apt-config", "dump"])?,
                std::env::var("http_proxy").ok().as_deref(),
            ),
            certificates,
            public_key: fs::read_to_string(hosts::key().with_extension("pub"))
                .doing("cannot read the testbed's public key")?
                .trim()
                .to_owned(),
            kernel: sh::run(&["uname", "-r"])?.trim().to_owned(),
        })
    }

    fn hash(&self) -> String {
        let mut hash = Fnv::new();
        for text in [
            RELEASE,
            PACKAGES,
            SETUP,
            hosts::PWUSER_PASSWORD,
            &self.sources,
            &self.apt_configuration,
            &self.public_key,
            &self.kernel,
        ] {
            hash.add(text.as_bytes());
        }
        for path in &self.certificates {
            hash.add(&fs::read(path).unwrap_or_default());
        }
        hash.hex()
    }
}

/// FNV-1a: all that is needed to notice that a recipe changed.
pub struct Fnv(u64);

impl Fnv {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in one text.
    pub fn add(&mut self, bytes: &[u8]) {
        // The length keeps ("ab", "c") apart from ("a", "bc").
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// All that was taken in, in hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:016x}", self.0)
    }
}

/// Debian's archive and its security archive among this machine's own sources, else the public ones.
/// `targets` has a line `URI RELEASE` for each source.
fn mirrors(targets: &str) -> (String, String) {
    let find = |security: bool| {
        targets.lines().find_map(|line| {
            let (uri, release) = line.split_once(' ')?;
            (release.ends_with("-security") == security).then(|| uri.trim_end_matches('/').to_owned())
        })
    };
    (
        find(false).unwrap_or_else(|| DEFAULT_MIRROR.into()),
        find(true).unwrap_or_else(|| DEFAULT_SECURITY.into()),
    )
}

/// The part of this machine's apt configuration (`apt-config dump`) that says how to reach the mirror.
fn apt_configuration(dump: &str, proxy: Option<&str>) -> String {
    const WANTED: [&str; 5] = [
        "Acquire::http",
        "Acquire::https",
        "Acquire::Check-",
        "Acquire::Retries",
        "Acquire::ForceIPv",
    ];
    let mut kept: String = dump
        .lines()
        .filter(|line| WANTED.iter().any(|start| line.starts_with(start)))
        // Files named there are this machine's, and our certificates go into the system store.
        .filter(|line| !line.contains("\"/"))
        .flat_map(|line| [line, "\n"])
        .collect();
    if let Some(proxy) = proxy.filter(|proxy| !proxy.is_empty() && !kept.contains("::Proxy")) {
        kept.push_str(&format!("Acquire::http::Proxy \"{proxy}\";\n"));
    }
    kept
}

/// The mirror that packages come from.
pub fn mirror() -> Result<String> {
    Ok(Recipe::read()?.mirror)
}

/// The folder of the base for today's recipe, made if it is not there.
pub fn ensure() -> Result<PathBuf> {
    let recipe = Recipe::read()?;
    let bases = Path::new(STATE).join("base");
    let base = bases.join(recipe.hash());
    if base.is_dir() {
        println!("base        {} is cached", recipe.hash());
        return Ok(base);
    }
    println!(
        "base        making {} from {} (a minute or two)",
        recipe.hash(),
        recipe.mirror
    );
    let started = Instant::now();
    let making = bases.join("making");
    let log = Path::new(STATE).join("base.log");
    remove_tree(&making)?;
    fs::create_dir_all(&bases).doing("cannot make the folder of bases")?;
    let downloads = Path::new(STATE).join("debs");
    fs::create_dir_all(&downloads).doing("cannot make the download cache")?;
    fs::write(&log, "").doing("cannot write the base's log")?;
    sh::logged(
        Command::new("debootstrap")
            .arg("--variant=minbase")
            .arg(format!("--cache-dir={}", downloads.display()))
            .arg(format!("--include={}", PACKAGES.replace(' ', "")))
            .arg(RELEASE)
            .arg(&making)
            .arg(&recipe.mirror),
        "",
        &log,
    )?;
    sh::write(&making.join("etc/apt/sources.list"), &recipe.sources)?;
    sh::write(&making.join("etc/apt/apt.conf.d/90testbed"), &recipe.apt_configuration)?;
    for path in &recipe.certificates {
        let name = path.file_name().unwrap_or_default();
        fs::copy(path, making.join("usr/local/share/ca-certificates").join(name))
            .doing(format!("cannot copy {}", path.display()))?;
    }
    let setup = format!(
        "KEY='{}'\nPASSWORD='{}'\nKERNEL='{}'\n{SETUP}",
        recipe.public_key,
        hosts::PWUSER_PASSWORD,
        recipe.kernel
    );
    sh::logged(
        Command::new("chroot")
            .arg(&making)
            .args(["/bin/sh", "-s"])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        &setup,
        &log,
    )?;
    fs::rename(&making, &base).doing("cannot put the new base in place")?;
    println!("base        made in {:.0} s", started.elapsed().as_secs_f64());
    Ok(base)
}

/// Removes the bases that no host is built on any more.
pub fn remove_others(current: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(Path::new(STATE).join("base")) else {
        return Ok(());
    };
    for entry in entries.flatten().filter(|entry| entry.path() != current) {
        remove_tree(&entry.path())?;
    }
    Ok(())
}

/// Removes a folder with all in it; one that is not there is fine.
pub fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).doing(format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_taken_from_the_machine() {
        let targets = "http://mirror.test/debian/ bookworm\nhttp://mirror.test/debian/ bookworm-updates\n\
                       https://other.test/sec bookworm-security\n";
        assert_eq!(
            mirrors(targets),
            (
                "http://mirror.test/debian".to_owned(),
                "https://other.test/sec".to_owned()
            )
        );
        assert_eq!(mirrors(""), (DEFAULT_MIRROR.to_owned(), DEFAULT_SECURITY.to_owned()));
    }

    #[test]
    fn only_the_way_to_the_mirror_is_copied() {
        let dump = "Acquire::Check-Date \"false\";\nDPkg::Post-Invoke:: \"rm -f x\";\n\
                    Acquire::https::CaInfo \"/etc/machine.pem\";\nAcquire::http::Proxy \"http://p:3128\";\n";
        assert_eq!(
            apt_configuration(dump, Some("http://env:1")),
            "Acquire::Check-Date \"false\";\nAcquire::http::Proxy \"http://p:3128\";\n"
        );
        assert_eq!(
            apt_configuration("", Some("http://env:1")),
            "Acquire::http::Proxy \"http://env:1\";\n"
        );
        assert_eq!(apt_configuration("", Some("")), "");
    }

    #[test]
    fn the_hash_tells_texts_apart() {
        let hash = |parts: &[&str]| {
            let mut hash = Fnv::new();
            parts.iter().for_each(|part| hash.add(part.as_bytes()));
            hash.0
        };
        assert_eq!(hash(&["ab", "c"]), hash(&["ab", "c"]));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["ab"]), hash(&["ac"]));
    }
}
