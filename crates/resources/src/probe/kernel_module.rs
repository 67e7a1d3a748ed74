//! Kernel modules: loaded, built in, or not there. All subjects take two `grep`. An answer is a line of words:
//! `loaded`, `builtin`, `proof` or `no-proof` as far as they hold, `modules` when the kernel can load any, and `end`.

use super::{all_failed, shorten};
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};
use std::fmt::Write as _;

/// Asks for one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskKernelModule {
    /// Its name, with `_` or `-`, which mean the same.
    pub name: String,
    /// What is there when the module is at work: an absolute path, or the name of a file system.
    pub proof: Option<String>,
}

/// What is known of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModuleState {
    /// The kernel has loaded it, or shows it among its own.
    pub loaded: bool,
    /// It is listed as part of the kernel itself.
    pub builtin: bool,
    /// Whether what proves it is there; `None` when no proof was named.
    pub proof: Option<bool>,
    /// Whether the kernel can load modules at all.
    pub loadable: bool,
}

impl ModuleState {
    /// Whether the module does its work, whatever way it came into the kernel.
    pub fn is_present(&self) -> bool {
        self.proof.unwrap_or(self.loaded || self.builtin)
    }
}

impl Ask for AskKernelModule {
    type Answer = ModuleState;

    fn question(&self) -> Question {
        let name = self.name.replace('-', "_");
        Question::new(
            &KernelModuleProbe,
            match &self.proof {
                Some(proof) => format!("{name} {proof}"),
                None => name,
            },
        )
    }

    fn read(&self, raw: &str) -> Result<ModuleState, String> {
        let words: Vec<&str> = raw.split(' ').collect();
        if words.last() != Some(&"end") {
            return Err(shorten(raw));
        }
        let has = |word: &str| words.contains(&word);
        Ok(ModuleState {
            loaded: has("loaded"),
            builtin: has("builtin"),
            proof: (has("proof") || has("no-proof")).then(|| has("proof")),
            loadable: has("modules"),
        })
    }
}

/// The kind of question behind [`AskKernelModule`].
pub struct KernelModuleProbe;

impl Probe for KernelModuleProbe {
    fn name(&self) -> &'static str {
        "kernel-module"
    }

    fn script(&self, subjects: &[&str]) -> String {
        let names: Vec<&str> = subjects.iter().map(|subject| parts(subject).0).collect();
        // modules.builtin has file names, in which either sign may stand.
        let files: Vec<String> = names.iter().map(|name| name.replace('_', "[-_]")).collect();
        let mut script = format!(
            "if [ -e /proc/modules ]; then a=modules; else a=; fi
l=; [ -z \"$a\" ] || l=$(grep -E {loaded} /proc/modules 2>/dev/null)
r=; {{ read -r r </proc/sys/kernel/osrelease; }} 2>/dev/null
b=$(grep -E {builtin} \"/lib/modules/$r/modules.builtin\" 2>/dev/null)
fs=' '; [ ! -r /proc/filesystems ] || while read -r x y; do fs=\"$fs${{y:-$x}} \"; done </proc/filesystems
nl='
'
of() {{
  w=$a
  case \"$nl$l\" in *\"$nl$1 \"*) w=\"$w loaded\" ;; *) [ ! -d \"/sys/module/$1\" ] || w=\"$w loaded\" ;; esac
  case \"/$b\" in */$2.ko*) w=\"$w builtin\" ;; esac
}}
",
            loaded = quote(&format!("^({}) ", names.join("|"))),
            builtin = quote(&format!("(^|/)({})[.]ko", files.join("|"))),
        );
        for subject in subjects {
            let (name, proof) = parts(subject);
            let test = match proof {
                None => String::new(),
                Some(path) if path.starts_with('/') => format!("[ -e {} ]", quote(path)),
                Some(filesystem) => format!(
                    "case $fs in *{}*) ;; *) false ;; esac",
                    quote(&format!(" {filesystem} "))
                ),
            };
            let _ = write!(script, "of {} {}; ", quote(name), quote(&name.replace('_', "[-_]")));
            if !test.is_empty() {
                let _ = write!(script, "if {test}; then w=\"$w proof\"; else w=\"$w no-proof\"; fi; ");
            }
            script.push_str("echo \"$w end\"\n");
        }
        script
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let lines: Vec<&str> = output.lines().collect();
        if lines.len() != subjects.len() || lines.iter().any(|line| !line.ends_with("end")) {
            return all_failed(subjects.len(), &format!("the output breaks off: {}", shorten(output)));
        }
        lines.into_iter().map(|line| Ok(line.trim().to_owned())).collect()
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        match touch {
            Touch::Kind(kind) => matches!(*kind, "kernel-module" | "unit"),
            Touch::Path(_) => {
                let proof = parts(subject).1.filter(|proof| proof.starts_with('/'));
                touch.concerns_path("/lib/modules") || proof.is_some_and(|path| touch.concerns_path(path))
            }
            Touch::Thing(..) => false,
            Touch::Everything => true,
        }
    }
}

fn parts(subject: &str) -> (&str, Option<&str>) {
    match subject.split_once(' ') {
        Some((name, proof)) => (name, Some(proof)),
        None => (subject, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    #[test]
    fn proofs_and_absence_are_told_by_every_shell() {
        let subjects = [
            "no_such_module",
            "proc proc",
            "no_such /proc/sys/kernel",
            "no_such /nowhere",
        ];
        for shell in sh_available() {
            let answers = KernelModuleProbe.split(&ask_with(shell, &KernelModuleProbe, &subjects), &subjects);
            let read = |at: usize| {
                let ask = AskKernelModule {
                    name: String::new(),
                    proof: None,
                };
                ask.read(answers[at].as_ref().expect("answered")).expect("read")
            };
            assert!(
                !read(0).is_present() && read(0).proof.is_none(),
                "{shell:?} {answers:?}"
            );
            assert!(read(1).is_present() && read(2).is_present(), "{shell:?} {answers:?}");
            assert_eq!(read(3).proof, Some(false), "{shell:?} {answers:?}");
        }
    }

    #[test]
    fn a_listing_of_the_kernels_own_counts() {
        let folder = tempfile::tempdir().expect("folder");
        let place = |path: &str| folder.path().join(path).to_str().expect("text").to_owned();
        std::fs::write(
            place("builtin"),
            "kernel/net/bridge/br-netfilter.ko\nkernel/fs/overlayfs/overlay.ko\n",
        )
        .expect("written");
        std::fs::write(
            place("loaded"),
            "nf_conntrack 1 0 - Live 0x0\nxoverlay 1 0 - Live 0x0\n",
        )
        .expect("written");
        let script = KernelModuleProbe
            .script(&["br_netfilter", "overlay", "nf_conntrack", "net"])
            .replace("\"/lib/modules/$r/modules.builtin\"", &place("builtin"))
            .replace("/proc/modules", &place("loaded"))
            .replace("/sys/module", &place("none"));
        for shell in sh_available() {
            let output = std::process::Command::new(shell[0])
                .args(&shell[1..])
                .args(["-c", &script])
                .output()
                .expect("starts");
            assert_eq!(
                String::from_utf8_lossy(&output.stdout),
                "modules builtin end\nmodules builtin end\nmodules loaded end\nmodules end\n",
                "{shell:?}"
            );
        }
    }

    #[test]
    fn half_an_output_is_no_answer() {
        assert!(KernelModuleProbe.split("modules loaded", &["a"])[0].is_err());
        assert!(KernelModuleProbe.split(" end", &["a", "b"]).iter().all(Result::is_err));
    }
}
