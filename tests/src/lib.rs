//! What the end-to-end tests share: the testbed's hosts, the program as operators run it, requests through the fronts,
//! pictures of a host before and after, small roles of the tests' own.
//!
//! Tests that need hosts are marked `#[ignore = "needs the testbed"]`; `cargo xtask test` runs them as root. Everything
//! here panics with what was tried and what came of it: a test has no better use for an error.

pub mod apart;
pub mod canary;
pub mod certificates;
pub mod cluster;
pub mod curl;
pub mod faults;
pub mod nameserver;
pub mod pebble;
pub mod picture;
pub mod program;
pub mod proxy;
pub mod rancher_stand_in;
pub mod rke2;
pub mod site;
pub mod small_role;
pub mod stand_in;
pub mod survival;
pub mod testbed;
pub mod vpn;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A program of this workspace: where `variable` says, else beside the folder of the running test.
///
/// # Panics
/// It is not there; the message says how to build it.
pub fn program_path(variable: &str, name: &str, package: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "{variable} names {}, which is not there",
            path.display()
        );
        return path;
    }
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own
        .ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    beside.unwrap_or_else(|| {
        panic!(
            "{name} is not built; run `cargo build -p {package}`, or set {variable} to its path, or `cargo xtask test`"
        )
    })
}

/// Runs a command with its input closed and its output kept.
///
/// # Panics
/// It cannot be started.
pub fn output(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

/// Runs a command and returns its standard output without the blanks at the end.
///
/// # Panics
/// It fails.
pub fn stdout(command: &mut Command) -> String {
    let done = output(command);
    assert!(done.status.success(), "{command:?}\n{}", shown(&done));
    String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
}

/// All of an output, for messages.
pub fn shown(done: &Output) -> String {
    let mut text = format!("ended with {}", done.status);
    for (name, bytes) in [("stdout", &done.stdout), ("stderr", &done.stderr)] {
        if !bytes.is_empty() {
            let _ = write!(text, "\n--- {name}\n{}", String::from_utf8_lossy(bytes));
        }
    }
    text
}

/// Writes a file and the folders above it.
///
/// # Panics
/// It cannot.
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    }
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The file, owned by whoever runs the tests: tasks of this machine are carried out by them, and only root can give files away.
///
/// # Panics
/// There is no `id`.
pub fn own(file: mosip_prov::resources::File) -> mosip_prov::resources::File {
    let id = |flag| stdout(Command::new("id").arg(flag));
    file.owner(id("-un")).group(id("-gn"))
}

/// Sets the permission bits of a file here.
///
/// # Panics
/// It cannot.
pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
