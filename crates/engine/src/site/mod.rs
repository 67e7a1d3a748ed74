//! What a run keeps on a host while it lasts: a lock, long work that outlives a connection, the results of changes
//! whose answer might get lost, and predecessors of replaced files. Everything lies in folders that only their owner
//! can enter, and is gone when the run has ended.
//!
//! ```text
//! /run/mosip-prov/                 0700, of root; /tmp/.mosip-prov-UID for other users
//!   lock                           who works here: uptime of the last sign of life, then the owner
//!   mutex                          held for moments, while the lock is looked at and changed
//!   units/ID/                      long work: script, input, out, pid, status, task
//!   applied/ID                     the answer of a change, kept until the run has ended
//! /var/lib/mosip-prov/undo/ROLE/   predecessors of files that ROLE replaced, until its end
//! ```

pub(crate) mod lock;
pub(crate) mod look;
pub(crate) mod once;
pub(crate) mod undo;
pub(crate) mod unit;

/// Sets `$b` to the folder of the user that runs this, without starting a process for it where the kernel says who that is.
macro_rules! base {
    () => {
        "\
u=; while read -r k r e _; do if [ \"$k\" = Uid: ]; then u=$e; break; fi; done 2>/dev/null </proc/self/status
[ -n \"$u\" ] || u=$(id -u)
b=/run/mosip-prov
if [ \"$u\" != 0 ]; then b=/tmp/.mosip-prov-$u; fi
"
    };
}

/// Sets `$b` to the folder of the user that runs this, made if need be and trusted only if it is that user's own. Another
/// run that ends may take it away again at any time until this one has the lock.
pub(crate) const BASE: &str = concat!(
    base!(),
    "\
if ! [ -d \"$b\" ]; then mkdir -m 0700 \"$b\" 2>/dev/null || :; fi
if [ -L \"$b\" ] || { ! [ -O \"$b\" ] && [ -e \"$b\" ]; }; then echo \"$b is not a folder of $(id -un)'s own\" >&2; exit 97; fi
"
);

/// Like [`BASE`], without making the folder; ends with status 0 when there is none.
pub(crate) const BASE_IF_ANY: &str = concat!(
    base!(),
    "\
if ! [ -d \"$b\" ] || ! [ -O \"$b\" ] || [ -L \"$b\" ]; then exit 0; fi
"
);

/// Where [`BASE`] has its folder, for a look at it.
const PLACE: &str = base!();

/// A name as a single path component: every byte that is not plain is written as `%XX`.
pub(crate) fn component(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && !out.is_empty()) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod testing {
    use std::io::Write;
    use std::process::{Child, Command, Output, Stdio};

    /// A shell whose folders lie below a temporary root in place of the real ones.
    pub struct Shell {
        pub root: tempfile::TempDir,
    }

    impl Shell {
        pub fn new() -> Self {
            let root = tempfile::tempdir().expect("tempdir");
            std::fs::create_dir_all(root.path().join("run")).expect("made");
            std::fs::create_dir_all(root.path().join("var/lib")).expect("made");
            Self { root }
        }

        fn placed(&self, script: &str) -> String {
            let root = self.root.path().display();
            crate::testing::placed(
                script,
                &format!("{root}/run/mosip-prov"),
                &format!("{root}/var/lib/mosip-prov"),
            )
        }

        pub fn spawn(&self, script: &str, input: &[u8]) -> Child {
            let mut child = Command::new("sh")
                .env("LC_ALL", "C")
                .args(["-c", &self.placed(script)])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("sh");
            let _ = child.stdin.take().expect("stdin").write_all(input);
            child
        }

        pub fn run(&self, script: &str, input: &[u8]) -> (i32, String, String) {
            let out: Output = self.spawn(script, input).wait_with_output().expect("ends");
            (
                out.status.code().unwrap_or(-1),
                String::from_utf8_lossy(&out.stdout).into_owned(),
                String::from_utf8_lossy(&out.stderr).into_owned(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_single_and_tell_names_apart() {
        assert_eq!(component("/etc/nginx/nginx.conf"), "%2Fetc%2Fnginx%2Fnginx.conf");
        assert_eq!(component(".."), "%2E.");
        assert_eq!(component("a b'c"), "a%20b%27c");
    }
}
