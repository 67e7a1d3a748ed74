//! A folder of artefacts in the layout of a release of RKE2, around the stand-in for `rke2`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{program_path, set_mode, stdout, write};

/// What a unit of the release does, as far as tests need it: systemd waits until the service says that it is ready, and
/// starts it again when it ends.
fn unit(kind: &str) -> String {
    let other = if kind == "server" { "agent" } else { "server" };
    format!(
        "[Unit]\nDescription=stand-in for rke2 {kind}\nConflicts=rke2-{other}.service\nAfter=network-online.target\n\n\
         [Service]\nType=notify\nTimeoutStartSec=0\nRestart=always\nRestartSec=5s\n\
         ExecStart=/usr/local/bin/rke2 {kind}\n\n[Install]\nWantedBy=multi-user.target\n"
    )
}

/// Makes such a folder of `release` at `folder`, with images of some megabytes.
///
/// # Panics
/// A tool for it fails.
pub fn artifacts(folder: &Path, release: &str) -> PathBuf {
    let bundle = folder.join("bundle");
    let program = |name: &str, to: &str| {
        let from = program_path("MOSIP_PROV_NOT_SET", name, "mosip-prov-tests");
        let to = bundle.join(to);
        std::fs::create_dir_all(to.parent().unwrap_or(&bundle)).expect("a folder");
        stdout(Command::new("strip").arg("-o").arg(&to).arg(from));
        set_mode(&to, 0o755);
    };
    program("rke2-stand-in", "bin/rke2");
    program("cluster-stand-in", "share/rke2/cluster-stand-in");
    write(&bundle.join("bin/rke2-killall.sh"), "#!/bin/sh\n");
    write(&bundle.join("share/rke2/version"), format!("{release}\n"));
    write(&bundle.join("share/rke2/LICENSE.txt"), "a stand-in\n");
    for kind in ["server", "agent"] {
        write(
            &bundle.join(format!("lib/systemd/system/rke2-{kind}.service")),
            unit(kind),
        );
    }
    let made = folder.join("artifacts");
    std::fs::create_dir_all(&made).expect("a folder");
    let tarball = "rke2.linux-amd64.tar.gz";
    stdout(
        Command::new("tar")
            .args(["--owner=0", "--group=0", "-czf"])
            .arg(made.join(tarball))
            .arg("-C")
            .arg(&bundle)
            .args(["bin", "lib", "share"]),
    );
    let images = "rke2-images.linux-amd64.tar.zst";
    write(&made.join(images), release.repeat(200_000));
    stdout(
        Command::new("sh")
            .args(["-c", &format!("sha256sum {tarball} {images} >sha256sum-amd64.txt")])
            .current_dir(&made),
    );
    std::fs::remove_dir_all(&bundle).expect("removed");
    made
}
