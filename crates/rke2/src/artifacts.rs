//! What is put on the machines: the archive of a release, and archives of images for sites without internet.
//!
//! Names and the list of checksums are those of a release: `rke2.linux-amd64.tar.gz`, `rke2-images.linux-amd64.tar.zst`,
//! `sha256sum-amd64.txt`.

use crate::reader::Reader;
use crate::settings::{Cni, Release};
use crate::shared_file::SharedFile;
use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::vars::HostVars;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// All that goes to a machine.
#[derive(Debug, Clone)]
pub struct Artifacts {
    /// The archive with the program and its units.
    pub tarball: Tarball,
    /// Archives of images; none when RKE2 pulls them.
    pub images: Vec<Image>,
}

/// The archive of a release.
#[derive(Debug, Clone)]
pub struct Tarball {
    /// Its name: `rke2.linux-amd64.tar.gz`.
    pub name: String,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
    /// Where it comes from.
    pub from: From,
}

/// Where an archive comes from.
#[derive(Debug, Clone)]
pub enum From {
    /// A file of the deployment node.
    File(SharedFile),
    /// The machine downloads it from this URL.
    Url(String),
}

/// An archive of images.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its name: `rke2-images.linux-amd64.tar.zst`.
    pub name: String,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is on the deployment node.
    pub file: SharedFile,
}

/// Files that go to more than one machine, each held once.
#[derive(Debug, Clone, Default)]
pub struct Library(Arc<Mutex<HashMap<PathBuf, SharedFile>>>);

impl Library {
    fn file(&self, path: PathBuf) -> SharedFile {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(path.clone()).or_insert_with(|| SharedFile::new(path)).clone()
    }
}

const FOLDER: &str = "rke2_artifact_path";
const SHA256: &str = "rke2_sha256";
const URL: &str = "rke2_artifact_url";

impl Artifacts {
    /// As the variables say. All that is wrong or missing goes into `problems`. `base_dir` is where a relative folder
    /// begins.
    pub fn read(
        vars: &HostVars,
        base_dir: Option<&Path>,
        (release, cni): (&Release, Cni),
        library: &Library,
        problems: &mut Diagnostics,
    ) -> Option<Self> {
        let before = problems.error_count();
        let mut reader = Reader { vars, problems };
        let arch = reader.text("rke2_arch");
        if !matches!(arch.as_str(), "amd64" | "arm64") {
            reader.error(
                "rke2_arch",
                format!("rke2_arch is \"{arch}\", and there is no RKE2 for it"),
                "give amd64 or arm64",
            );
            return None;
        }
        let folder = reader.text(FOLDER);
        let made = if folder.is_empty() {
            download(&mut reader, release, &arch)
        } else {
            let folder = match base_dir {
                Some(base) => base.join(&folder),
                None => PathBuf::from(&folder),
            };
            from_folder(&mut reader, &folder, &arch, cni, library)
        };
        made.filter(|_| problems.error_count() == before)
    }
}

fn download(reader: &mut Reader<'_>, release: &Release, arch: &str) -> Option<Artifacts> {
    let name = format!("rke2.linux-{arch}.tar.gz");
    let sha256 = reader.text(SHA256).to_ascii_lowercase();
    if !is_sha256(&sha256) {
        let what = if sha256.is_empty() {
            format!("neither {FOLDER} nor {SHA256} is set: what the machines download could not be checked")
        } else {
            format!("{SHA256} is no SHA-256: it has {} characters", sha256.len())
        };
        reader.error(
            SHA256,
            what,
            &format!(
                "take the 64 characters before {name} in sha256sum-{arch}.txt of release {}, or set {FOLDER} to a folder with its files",
                release.text
            ),
        );
        return None;
    }
    let base = reader.text(URL);
    let base = base.trim_end_matches('/');
    if !(base.starts_with("https://") || base.starts_with("http://")) || base.contains(char::is_whitespace) {
        reader.error(
            URL,
            format!("{URL} is \"{base}\", which is no URL"),
            "give one such as https://github.com/rancher/rke2/releases/download",
        );
        return None;
    }
    let url = format!("{base}/{}/{name}", release.text.replace('+', "%2B"));
    Some(Artifacts {
        tarball: Tarball {
            name,
            sha256,
            from: From::Url(url),
        },
        images: Vec::new(),
    })
}

fn from_folder(reader: &mut Reader<'_>, folder: &Path, arch: &str, cni: Cni, library: &Library) -> Option<Artifacts> {
    let shown = folder.display();
    let names = match std::fs::read_dir(folder) {
        Ok(entries) => {
            let mut names: Vec<String> = entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect();
            names.sort();
            names
        }
        Err(error) => {
            reader.error(
                FOLDER,
                format!("{FOLDER} is {shown}, which cannot be read: {error}"),
                "give a folder on the deployment node with the files of a release",
            );
            return None;
        }
    };
    let tarball = format!("rke2.linux-{arch}.tar.gz");
    let list = format!("sha256sum-{arch}.txt");
    let has = |name: &str| names.iter().any(|n| n == name);
    let mut missing: Vec<String> = [&tarball, &list].into_iter().filter(|n| !has(n)).cloned().collect();
    let images: Vec<&String> = names.iter().filter(|name| is_images(name, arch)).collect();
    let part = |part: &str| {
        let start = format!("rke2-images{part}.linux-{arch}.tar");
        images.iter().any(|name| name.starts_with(&start))
    };
    // The whole archive has the images of canal; other plugins have archives of their own.
    let plugin = cni.name();
    let (whole, core, own) = (part(""), part("-core"), part(&format!("-{plugin}")));
    if !whole && !core {
        missing.push(format!("rke2-images.linux-{arch}.tar.zst"));
    }
    let covered = match cni {
        Cni::None => true,
        Cni::Canal => own || !core || whole,
        Cni::Calico | Cni::Cilium | Cni::Flannel => own,
    };
    if !covered {
        missing.push(format!("rke2-images-{plugin}.linux-{arch}.tar.zst"));
    }
    for name in &missing {
        reader.error(
            FOLDER,
            format!("{FOLDER}: {shown} has no {name}"),
            "put the file of the release into the folder",
        );
    }
    if !has(&list) {
        return None;
    }
    let sums = match std::fs::read_to_string(folder.join(&list)) {
        Ok(text) => checksums(&text),
        Err(error) => {
            reader.error(
                FOLDER,
                format!("{shown}/{list} cannot be read: {error}"),
                "make it readable",
            );
            return None;
        }
    };
    let sum_of = |name: &str, reader: &mut Reader<'_>| {
        let sum = sums.get(name).cloned();
        if sum.is_none() {
            reader.error(
                FOLDER,
                format!("{shown}/{list} has no checksum of {name}"),
                "take all files from one release; each is in its list",
            );
        }
        sum
    };
    let tarball = has(&tarball).then(|| {
        Some(Tarball {
            sha256: sum_of(&tarball, reader)?,
            from: From::File(library.file(folder.join(&tarball))),
            name: tarball,
        })
    });
    let images: Vec<Image> = images
        .into_iter()
        .filter_map(|name| {
            let path = folder.join(name);
            Some(Image {
                name: name.clone(),
                sha256: sum_of(name, reader)?,
                size: std::fs::metadata(&path).map(|m| m.len()).unwrap_or_default(),
                file: library.file(path),
            })
        })
        .collect();
    Some(Artifacts {
        tarball: tarball.flatten()?,
        images,
    })
}

/// Whether `name` is that of an archive of images for Linux on `arch`.
fn is_images(name: &str, arch: &str) -> bool {
    let ends = [".tar.zst", ".tar.gz"].map(|end| format!(".linux-{arch}{end}"));
    let stem = ends.iter().find_map(|end| name.strip_suffix(end.as_str()));
    stem.is_some_and(|stem| stem == "rke2-images" || stem.starts_with("rke2-images-"))
}

/// The lines of `sha256sum`: name and SHA-256.
fn checksums(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let (sum, name) = line.trim().split_once(char::is_whitespace)?;
            let name = name.trim().trim_start_matches('*');
            let name = name.rsplit('/').next().unwrap_or(name);
            is_sha256(&sum.to_ascii_lowercase()).then(|| (name.to_owned(), sum.to_ascii_lowercase()))
        })
        .collect()
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_checksums_of_a_release_are_known() {
        for (name, is) in [
            ("rke2-images.linux-amd64.tar.zst", true),
            ("rke2-images-core.linux-amd64.tar.gz", true),
            ("rke2-images-windows.windows-amd64.tar.zst", false),
            ("rke2-images.linux-amd64.txt", false),
            ("rke2-images.linux-arm64.tar.zst", false),
            ("rke2.linux-amd64.tar.gz", false),
        ] {
            assert_eq!(is_images(name, "amd64"), is, "{name}");
        }
        let sum = "a".repeat(64);
        let all = checksums(&format!("{sum}  one\n{sum} *two\n{sum}  dist/three\nshort  four\n"));
        assert_eq!(all.keys().collect::<Vec<_>>(), ["one", "three", "two"]);
    }
}
