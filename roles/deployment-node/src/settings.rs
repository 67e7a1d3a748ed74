//! The settings of the deployment node, as `defaults.yml` documents them.

use crate::tool::{Known, TOOLS, Wanted};
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::download::{ArchiveKind, LocalFile, Origin, is_sha256};
use mosip_prov_resources::vars::{HostVars, ValueError};
use mosip_prov_resources::versions::numbers;
use std::path::Path;
use std::time::Duration;

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where tools are put.
    pub folder: String,
    /// Whether that is done as root.
    pub as_root: bool,
    /// Whether a wrong tool there is replaced.
    pub replace: bool,
    /// The tools, in the order of [`TOOLS`].
    pub tools: Vec<ToolSettings>,
    /// Repositories of helm: name and URL.
    pub repositories: Vec<(String, String)>,
    /// OpenSSL, unless it is left out.
    pub openssl: Option<Openssl>,
    /// How long to wait for the locks of dpkg and apt.
    pub lock_timeout: Duration,
}

/// One tool.
#[derive(Debug, Clone)]
pub struct ToolSettings {
    /// Which.
    pub known: &'static Known,
    /// What will do.
    pub wanted: Wanted,
    /// The version that is installed, without `v`.
    pub version: String,
    /// Where it comes from.
    pub source: Source,
}

impl ToolSettings {
    /// Whether it is taken from a zip archive.
    pub fn comes_zipped(&self) -> bool {
        matches!(
            &self.source,
            Source::Fetch(Fetch {
                member: Some((ArchiveKind::Zip, _)),
                ..
            })
        )
    }
}

/// Where a tool comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// It is fetched.
    Fetch(Fetch),
    /// The distribution's package of that name.
    Package(String),
    /// It must be there already.
    Present,
}

/// What is fetched.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// From where.
    pub origin: Origin,
    /// Its SHA-256.
    pub sha256: Option<String>,
    /// When it is an archive: the tool's name in it.
    pub member: Option<(ArchiveKind, String)>,
}

/// OpenSSL beside the system's own.
#[derive(Debug, Clone)]
pub struct Openssl {
    /// Its version.
    pub version: String,
    /// Its folder.
    pub prefix: String,
    /// From where.
    pub origin: Origin,
    /// The kind of the archive.
    pub kind: ArchiveKind,
    /// The archive's SHA-256.
    pub sha256: Option<String>,
    /// Whether the archive holds what is used, rather than sources.
    pub prebuilt: bool,
    /// What building needs.
    pub build_packages: Vec<String>,
}

struct Reader<'a> {
    vars: &'a HostVars,
    base: Option<&'a Path>,
    problems: &'a mut Diagnostics,
}

impl Settings {
    /// Reads them; relative files are looked up from `base`, the folder of the inventory. All that is wrong goes into
    /// `problems`, and then there are none.
    pub fn read(vars: &HostVars, base: Option<&Path>, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let mut reader = Reader { vars, base, problems };
        let made = Self {
            folder: reader.folder("tools_dir"),
            as_root: reader.bool("tools_become"),
            replace: reader.bool("tools_replace"),
            tools: TOOLS.iter().filter_map(|known| reader.tool(known)).collect(),
            repositories: reader.repositories(),
            openssl: reader.openssl(),
            lock_timeout: reader.seconds("apt_lock_timeout"),
        };
        (problems.error_count() == before).then_some(made)
    }
}

impl Reader<'_> {
    fn take<T>(&mut self, value: Result<Option<T>, ValueError>) -> Option<T> {
        self.problems.take(value.map_err(Diagnostic::from)).flatten()
    }

    fn error(&mut self, name: &str, message: impl Into<String>, help: impl Into<String>) {
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

    fn seconds(&mut self, name: &str) -> Duration {
        let value = self.vars.int(name);
        let number = self.take(value).unwrap_or(0);
        match u64::try_from(number) {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let message = format!("{name} is {number}, and a number of seconds is wanted");
                self.error(name, message, "give 0 or more");
                Duration::ZERO
            }
        }
    }

    /// An absolute path of a folder of ours.
    fn folder(&mut self, name: &str) -> String {
        let before = self.problems.error_count();
        let text = self.text(name);
        let climbs = text.split('/').any(|part| matches!(part, "." | ".."));
        if (!text.starts_with('/') || climbs || text.trim_end_matches('/').is_empty())
            && self.problems.error_count() == before
        {
            let message = format!("{name} is {text:?}, which is no absolute path of a folder");
            self.error(
                name,
                message,
                "write it from the root, without ~ and ..: /usr/local/bin",
            );
        }
        text.trim_end_matches('/').to_owned()
    }

    fn sha256(&mut self, name: &str) -> Option<String> {
        let text = self.text(name).to_ascii_lowercase();
        if text.is_empty() {
            return None;
        }
        if !is_sha256(&text) {
            let message = format!("{name} is {text:?}, which is no SHA-256");
            self.error(name, message, "give the 64 hexadecimal digits that sha256sum prints, between quotes: YAML takes digits alone for a number");
        }
        Some(text)
    }

    /// From where, by the variables that begin with `prefix`: `url`, `file` or `host`. `None` when it is wrong, or another
    /// word, which is then told by `source`.
    fn origin(&mut self, prefix: &str, source: &str) -> Option<Origin> {
        let before = self.problems.error_count();
        let path_name = format!("{prefix}_path");
        match source {
            "url" => {
                let name = format!("{prefix}_url");
                let url = self.text(&name);
                let whole = ["https://", "http://"]
                    .iter()
                    .any(|start| url.len() > start.len() && url.starts_with(start));
                if whole && !url.contains(char::is_whitespace) {
                    return Some(Origin::Url(url));
                }
                if self.problems.error_count() == before {
                    let message = format!("{name} is no whole URL");
                    self.error(&name, message, "begin it with https:// or http://");
                }
                None
            }
            "file" => {
                let text = self.text(&path_name);
                if text.is_empty() {
                    if self.problems.error_count() == before {
                        let message = format!("{path_name} is empty, and {prefix}_source is file");
                        self.error(&path_name, message, "name a file of the machine that runs mosip-prov");
                    }
                    return None;
                }
                let path = match self.base {
                    Some(base) => base.join(&text),
                    None => Path::new(&text).to_owned(),
                };
                match LocalFile::open(path) {
                    Ok(file) => Some(Origin::Local(file)),
                    Err(error) => {
                        self.error(
                            &path_name,
                            format!("{path_name}: {error}"),
                            "name a readable file of the machine that runs mosip-prov; relative to the folder of the inventory",
                        );
                        None
                    }
                }
            }
            _ => {
                let path = self.folder(&path_name);
                (self.problems.error_count() == before).then_some(Origin::OnTarget(path))
            }
        }
    }

    /// The word of `PREFIX_source`, one of `words`; without one: `file` when there is a path, else `url`.
    fn source(&mut self, prefix: &str, words: &[&str]) -> Option<String> {
        let name = format!("{prefix}_source");
        let before = self.problems.error_count();
        let source = self.text(&name);
        if self.problems.error_count() > before {
            return None;
        }
        if source.is_empty() {
            let has_path = !self.text(&format!("{prefix}_path")).is_empty();
            return Some(if has_path { "file" } else { "url" }.to_owned());
        }
        if words.contains(&source.as_str()) {
            return Some(source);
        }
        let message = format!("{name} is {source:?}");
        self.error(&name, message, format!("it may be {}", words.join(", ")));
        None
    }

    /// The checksum of what comes from `origin`; one that cannot fit is told now.
    fn sum_of(&mut self, prefix: &str, origin: &Origin) -> Option<String> {
        let name = format!("{prefix}_sha256");
        let sum = self.sha256(&name)?;
        // A default is that of the default URL.
        if self.vars.set_at(&name).is_none() && !matches!(origin, Origin::Url(_)) {
            return None;
        }
        if let Origin::Local(file) = origin
            && file.sha256() != sum
        {
            let message = format!(
                "the SHA-256 of {} is {}, and {name} is {sum}",
                file.path().display(),
                file.sha256()
            );
            self.error(&name, message, "bring the right file, or correct the checksum");
        }
        Some(sum)
    }

    fn version(&mut self, name: &str) -> String {
        let before = self.problems.error_count();
        let text = self.text(name);
        let bare = text.strip_prefix('v').unwrap_or(&text);
        let plain = bare
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'));
        if (!plain || numbers(bare).is_none()) && self.problems.error_count() == before {
            let message = format!("{name} is {text:?}, which is no version");
            self.error(name, message, "write it as 1.22.9");
        }
        bare.to_owned()
    }

    fn tool(&mut self, known: &'static Known) -> Option<ToolSettings> {
        let name = known.name;
        let version = self.version(&format!("{name}_version"));
        let least = format!("{name}_min_version");
        let wanted = if self.text(&least).is_empty() {
            Wanted::Exactly(version.clone())
        } else {
            Wanted::AtLeast(self.version(&least))
        };
        let source = self.source(name, &["url", "file", "host", "package", "present"])?;
        let source = match source.as_str() {
            "present" => Source::Present,
            "package" => {
                let variable = format!("{name}_package");
                let package = self.text(&variable);
                if package.is_empty() {
                    let message = format!("{variable} is empty, and {name}_source is package");
                    self.error(
                        &variable,
                        message,
                        "name a package of the distribution, or choose another source",
                    );
                }
                Source::Package(package)
            }
            source => {
                let origin = self.origin(name, source)?;
                let sha256 = self.sum_of(name, &origin);
                let of = match &origin {
                    Origin::Url(url) => url.clone(),
                    Origin::OnTarget(path) => path.clone(),
                    Origin::Local(file) => file.path().to_string_lossy().into_owned(),
                };
                let variable = format!("{name}_member");
                let member = self.text(&variable);
                let member = match ArchiveKind::of(&of) {
                    Some(kind) if !member.is_empty() => Some((kind, member)),
                    Some(_) => {
                        let message = format!("{variable} is empty, and {name} comes in an archive");
                        // A default is no place: what makes it an archive is.
                        let places = [variable, format!("{name}_url"), format!("{name}_path")];
                        let place = places.iter().find_map(|name| self.vars.set_at(name));
                        let help = "give the tool's name as the archive lists it";
                        self.problems.push(Diagnostic::error(message).at(place).help(help));
                        None
                    }
                    None => None,
                };
                Source::Fetch(Fetch { origin, sha256, member })
            }
        };
        Some(ToolSettings {
            known,
            wanted,
            version,
            source,
        })
    }

    fn repositories(&mut self) -> Vec<(String, String)> {
        const NAME: &str = "helm_repositories";
        let value = self.vars.map(NAME);
        let map = self.take(value).unwrap_or_default();
        let mut all = Vec::new();
        for (name, url) in map {
            let url = url.as_str().unwrap_or_default().trim().to_owned();
            let good_name = !name.is_empty() && !name.starts_with('-') && !name.contains(['/', ' ']);
            let good_url = ["https://", "http://", "file://"]
                .iter()
                .any(|start| url.starts_with(start));
            if good_name && good_url {
                all.push((name.to_string(), url));
            } else {
                let message = format!("{NAME} has {name}: {url:?}, which is no repository's name and URL");
                self.error(NAME, message, "write it as mosip: https://mosip.github.io/mosip-helm");
            }
        }
        all
    }

    fn openssl(&mut self) -> Option<Openssl> {
        let source = self.source("openssl", &["url", "file", "host", "none"])?;
        if source == "none" {
            return None;
        }
        let version = self.version("openssl_version");
        let prefix = self.folder("openssl_prefix");
        let ours = |start: &str| prefix == start || prefix.starts_with(&format!("{start}/"));
        let system = [
            "/bin", "/sbin", "/lib", "/lib64", "/etc", "/boot", "/dev", "/proc", "/sys", "/run",
        ]
        .iter()
        .any(|start| ours(start))
            || (ours("/usr") && !prefix.starts_with("/usr/local/"))
            || prefix.matches('/').count() < 2;
        if system && !prefix.is_empty() {
            self.error(
                "openssl_prefix",
                format!("openssl_prefix is {prefix}, which belongs to the system"),
                "choose a folder of its own: /opt/mosip-prov/openssl-1.1.1f",
            );
        }
        let origin = self.origin("openssl", &source)?;
        let sha256 = self.sum_of("openssl", &origin);
        let of = match &origin {
            Origin::Url(url) => url.clone(),
            Origin::OnTarget(path) => path.clone(),
            Origin::Local(file) => file.path().to_string_lossy().into_owned(),
        };
        if matches!(origin, Origin::Url(_)) && sha256.is_none() {
            self.error(
                "openssl_sha256",
                "openssl_sha256 is empty",
                "give the SHA-256 that the project publishes",
            );
        }
        let Some(kind) = ArchiveKind::of(&of) else {
            let variable = if matches!(origin, Origin::Url(_)) {
                "openssl_url"
            } else {
                "openssl_path"
            };
            self.error(
                variable,
                format!("{variable} names no archive"),
                "it ends with .tar.gz, .tar.xz or .zip",
            );
            return None;
        };
        let packages = self.vars.string_list("openssl_build_packages", true);
        Some(Openssl {
            version,
            prefix,
            origin,
            kind,
            sha256,
            prebuilt: self.bool("openssl_prebuilt"),
            build_packages: self.take(packages).unwrap_or_default(),
        })
    }
}
