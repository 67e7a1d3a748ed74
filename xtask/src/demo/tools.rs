//! The stand-ins for `rke` and `istioctl`, put where the deployment node looks for them, and told to the inventory.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sh::{self, Context, Result};
use crate::testbed::hosts;

/// The host that the others are deployed from.
const DEPLOYMENT: &str = "deployment-node";
/// The tools with their versions, and where an operator would have them.
const TOOLS: [(&str, &str, &str); 2] = [
    ("rke", "v1.3.10", "/home/ubuntu/tools/rke"),
    ("istioctl", "1.15.0", "/usr/local/bin/istioctl"),
];

/// Puts the tools onto the deployment node, and names `rke` in the variables of `inventory`.
pub fn put(stand_in: &Path, folder: &Path, inventory: &Path) -> Result<()> {
    for (name, version, path) in TOOLS {
        let made = make(stand_in, folder, name, version)?;
        let address = hosts::find(DEPLOYMENT)?.address;
        let input = fs::File::open(&made).doing(format!("cannot read {}", made.display()))?;
        let script = format!(
            "sudo mkdir -p $(dirname {path}) && sudo tee {path}.new >/dev/null && sudo chmod 755 {path}.new && sudo mv {path}.new {path}"
        );
        let mut command = Command::new("ssh");
        command
            .args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .arg("-i")
            .arg(hosts::key())
            .arg(format!("ubuntu@{address}"))
            .arg(script)
            .stdin(Stdio::from(input));
        sh::show(&mut command)?;
    }
    let variables = inventory.join("group_vars/all.yml");
    let mut text = fs::read_to_string(&variables).doing(format!("cannot read {}", variables.display()))?;
    text.push_str(&format!("\n# A stand-in for RKE\nrke_binary_path: {}\n", TOOLS[0].2));
    sh::write(&variables, text)
}

/// The stand-in under the name and version of a tool, as `tests/README.md` says.
fn make(stand_in: &Path, folder: &Path, name: &str, version: &str) -> Result<std::path::PathBuf> {
    let path = folder.join(name);
    // Without what only a debugger needs it is a third of the size.
    sh::output(Command::new("strip").arg("-o").arg(&path).arg(stand_in))?;
    let mut bytes = fs::read(&path).doing(format!("cannot read {}", path.display()))?;
    bytes.extend_from_slice(format!("\n#stand-in name={name} version={version}\n").as_bytes());
    fs::write(&path, bytes).doing(format!("cannot write {}", path.display()))?;
    Ok(path)
}
