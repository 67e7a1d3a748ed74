//! One host: its overlay, its boot under systemd-nspawn, its end.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::base::remove_tree;
use super::hosts::{self, Host};
use super::network;
use crate::sh::{self, Context, Error, Result};

/// Runs one host, again and again while it asks for a reboot (systemd-nspawn then ends with 133), each time with a
/// fresh network namespace, as a reboot leaves no firewall rules behind.
///
/// First it puts itself into cgroups of its own, so that hosts share none: without it, stopping a unit in one would
/// reach the unit of the same name in another. Words: host name, shell script for the namespace, then the command.
const SUPERVISE: &str = r#"
name=$1; namespace=$2; shift 2
# What whoever starts the host holds open, a lock for example, is not the host's.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
for tree in /sys/fs/cgroup/*/; do
    [ -w "$tree/cgroup.procs" ] || continue
    own=$tree/mosip-prov/$name
    mkdir -p "$own"
    if [ -e "$tree/cpuset.cpus" ]; then
        for folder in "$tree/mosip-prov" "$own"; do
            cat "$tree/cpuset.cpus" > "$folder/cpuset.cpus"
            cat "$tree/cpuset.mems" > "$folder/cpuset.mems"
        done
    fi
    echo $$ > "$own/cgroup.procs"
done
status=133
while [ $status = 133 ]; do
    sh -ec "$namespace" || exit
    "$@"
    status=$?
done
exit $status
"#;

/// The pid of the host's supervisor; nothing when the host is down.
pub fn pid(host: &Host) -> Option<u32> {
    let pid: u32 = fs::read_to_string(host.folder().join("pid"))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    // Pids are used again; only a process that names our folder is ours. One that ended and was not waited for
    // has an empty command line.
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command);
    (command.contains("systemd-nspawn") && command.contains(&*host.root().to_string_lossy())).then_some(pid)
}

fn children(pid: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

fn signal(name: &str, pid: u32) {
    // One that has just ended is what was wanted.
    let _ = sh::run(&["kill", name, &pid.to_string()]);
}

fn is_mounted(path: &Path) -> bool {
    let path = path.to_string_lossy();
    fs::read_to_string("/proc/self/mounts")
        .unwrap_or_default()
        .lines()
        .any(|line| line.split(' ').nth(1) == Some(&*path))
}

/// The base the host's layers belong to; nothing when it has none.
pub fn built_on(host: &Host) -> Option<String> {
    fs::read_to_string(host.folder().join("base")).ok()
}

/// Mounts (fresh layers when they are missing or of another base) and boots the host with a fresh namespace.
/// Does not wait until it answers: see [`wait_ready`].
pub fn start(host: &Host, base: &Path) -> Result<()> {
    if pid(host).is_some() {
        return Ok(());
    }
    let folder = host.folder();
    let (upper, work, root) = (folder.join("upper"), folder.join("work"), host.root());
    unmount(host)?;
    let base_name = base.to_string_lossy().into_owned();
    let fresh = built_on(host).as_deref() != Some(&base_name);
    if fresh {
        forget(host)?;
    }
    // Left by a volatile mount; what a crash of this machine can lose is a test host.
    remove_tree(&work)?;
    for path in [&upper, &work, &root] {
        fs::create_dir_all(path).doing(format!("cannot make {}", path.display()))?;
    }
    sh::output(
        Command::new("mount")
            .args(["-t", "overlay", "overlay", "-o"])
            // volatile: apt syncs after every file, which is most of an installation's time on a shared disk
            .arg(format!(
                "volatile,lowerdir={base_name},upperdir={},workdir={}",
                upper.display(),
                work.display()
            ))
            .arg(&root),
    )?;
    if fresh {
        prepare(host)?;
        sh::write(&folder.join("base"), &base_name)?;
    }
    sh::write(&root.join("etc/resolv.conf"), resolver())?;
    boot(host)
}

fn boot(host: &Host) -> Result<()> {
    let log = fs::File::create(host.log()).doing("cannot write the host's log")?;
    let child = Command::new("setsid")
        .args(["/bin/sh", "-c", SUPERVISE, "supervise", host.name])
        .arg(network::fresh_namespace(host))
        .args(["systemd-nspawn", "--register=no", "--keep-unit", "-q", "-b"])
        .arg("-D")
        .arg(host.root())
        .args(["-M", host.name, "--resolv-conf=off"])
        .arg(format!("--network-namespace-path=/run/netns/{}", host.namespace()))
        .args(["--capability=all", "--system-call-filter=@known"])
        // makes /proc/sys writable inside
        .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "1")
        .env_remove("NOTIFY_SOCKET")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone().doing("cannot share the host's log")?)
        .stderr(log)
        .spawn()
        .doing("cannot start systemd-nspawn")?;
    // The pid stays: setsid replaces itself by the shell.
    sh::write(&host.folder().join("pid"), child.id().to_string())
}

/// What makes a host itself, written into its fresh layer before the first boot.
fn prepare(host: &Host) -> Result<()> {
    let root = host.root();
    sh::write(&root.join("etc/hostname"), format!("{}\n", host.name))?;
    sh::write(
        &root.join("etc/hosts"),
        format!(
            "127.0.0.1 localhost\n127.0.1.1 {}\n::1 localhost ip6-localhost ip6-loopback\n",
            host.name
        ),
    )?;
    sh::output(Command::new("ssh-keygen").args(["-q", "-A", "-f"]).arg(&root))?;
    if host.deployment {
        deployment(host)?;
    }
    if !host.python {
        for entry in fs::read_dir(root.join("usr/bin"))
            .doing("cannot list the host's programs")?
            .flatten()
        {
            if entry.file_name().to_string_lossy().starts_with("python3") {
                fs::remove_file(entry.path()).doing("cannot take python3 away")?;
            }
        }
    }
    Ok(())
}

/// What a machine to deploy from has: the key of the others, and tools out of the packages that the base keeps.
fn deployment(host: &Host) -> Result<()> {
    const OWNER: (u32, u32) = (1000, 1000);
    let root = host.root();
    let key = root.join("home/ubuntu/.ssh/id_ed25519");
    fs::copy(hosts::key(), &key).doing("cannot copy the test key")?;
    sh::set_mode(&key, 0o600)?;
    std::os::unix::fs::chown(&key, Some(OWNER.0), Some(OWNER.1)).doing("cannot give the test key to its user")?;
    sh::output(
        Command::new("chroot")
            .arg(&root)
            .args(["/bin/sh", "-c", "dpkg -i /var/cache/deployment/*.deb"])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
    .map(drop)
}

/// This machine's name servers, without those only it can reach.
fn resolver() -> String {
    let reachable = |path: &str| -> String {
        fs::read_to_string(path)
            .unwrap_or_default()
            .lines()
            .filter(|line| line.starts_with("nameserver") || line.starts_with("search"))
            .filter(|line| !line.contains(" 127.") && !line.contains(" ::1"))
            .flat_map(|line| [line, "\n"])
            .collect()
    };
    let own = reachable("/etc/resolv.conf");
    if own.contains("nameserver") {
        own
    } else {
        // systemd-resolved keeps the real ones here
        reachable("/run/systemd/resolve/resolv.conf")
    }
}

/// Starts the host and waits until it takes a login; the time that took. A container that ends while it boots, which happens
/// now and then on a busy machine, is started again, twice at most, and that is said.
pub fn bring_up(host: &Host, base: &Path, patience: Duration) -> Result<Duration> {
    let began = Instant::now();
    for _ in 0..2 {
        start(host, base)?;
        match wait_ready(host, patience) {
            Ok(_) => return Ok(began.elapsed()),
            Err(error) if pid(host).is_some() => return Err(error),
            Err(error) => println!("{}: {error}\n{}: started again", host.name, host.name),
        }
    }
    start(host, base)?;
    wait_ready(host, patience)
}

/// Waits until the host takes a login as `ubuntu`; the time from now, or an error with the end of its log.
pub fn wait_ready(host: &Host, patience: Duration) -> Result<Duration> {
    let started = Instant::now();
    loop {
        if sh::output(ssh(host, "ubuntu").args(["-o", "ConnectTimeout=2", "true"])).is_ok() {
            return Ok(started.elapsed());
        }
        // Seen twice: a process that is just becoming another program has no command line for a moment.
        let gone = pid(host).is_none() && {
            std::thread::sleep(Duration::from_millis(200));
            pid(host).is_none()
        };
        if gone || started.elapsed() > patience {
            let what = if gone {
                "it has ended".to_owned()
            } else {
                format!("it takes no login after {} s", patience.as_secs())
            };
            return Err(Error(format!(
                "host {} did not start: {what}. The end of {}:\n{}",
                host.name,
                host.log().display(),
                sh::tail(&host.log(), 30)
            )));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// An `ssh` to a host with the test key, for the caller to add a command to.
pub fn ssh(host: &Host, user: &str) -> Command {
    let mut command = Command::new("ssh");
    command
        .args(["-F", "/dev/null", "-i"])
        .arg(hosts::key())
        .args(["-o", "IdentitiesOnly=yes"])
        .args(["-o", "StrictHostKeyChecking=no"])
        .args(["-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "LogLevel=ERROR", "-o", "BatchMode=yes"])
        .arg(format!("{user}@{}", host.address));
    command
}

/// Ends a host: at once, or after an orderly shutdown of its services.
pub fn stop(host: &Host, orderly: bool) -> Result<()> {
    if let Some(supervisor) = pid(host) {
        if orderly {
            // nspawn passes it on as the order to shut down.
            for nspawn in children(supervisor) {
                signal("-TERM", nspawn);
            }
            if !wait_gone(host, Duration::from_secs(25)) {
                println!("{:<17} did not shut down in 25 s, ended hard", host.name);
            }
        }
        if !end_hard(host, supervisor) {
            return Err(Error(format!(
                "host {} (pid {supervisor}) does not end; the end of its log:\n{}",
                host.name,
                sh::tail(&host.log(), 15)
            )));
        }
    }
    let _ = fs::remove_file(host.folder().join("pid"));
    remove_cgroups(host);
    Ok(())
}

fn end_hard(host: &Host, supervisor: u32) -> bool {
    // The end of the host's first process ends all of the host; nspawn and the supervisor then end by themselves.
    let nspawns = children(supervisor);
    for first in nspawns.iter().flat_map(|nspawn| children(*nspawn)) {
        signal("-KILL", first);
    }
    if wait_gone(host, Duration::from_secs(5)) {
        return true;
    }
    signal("-KILL", supervisor);
    for nspawn in nspawns {
        signal("-KILL", nspawn);
    }
    wait_gone(host, Duration::from_secs(5))
}

fn wait_gone(host: &Host, patience: Duration) -> bool {
    let started = Instant::now();
    while pid(host).is_some() {
        if started.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    true
}

fn remove_cgroups(host: &Host) {
    let trees = fs::read_dir("/sys/fs/cgroup");
    for tree in trees.into_iter().flatten().flatten() {
        let ours = tree.path().join("mosip-prov");
        remove_cgroup(&ours.join(host.name));
        // Goes when its last host goes.
        let _ = fs::remove_dir(ours);
    }
}

fn remove_cgroup(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroup(&entry.path());
        }
    }
    let _ = fs::remove_dir(path);
}

/// Unmounts the host's file system.
pub fn unmount(host: &Host) -> Result<()> {
    let root = host.root();
    if !is_mounted(&root) {
        return Ok(());
    }
    let path = root.to_string_lossy().into_owned();
    // A shell left in the folder must not keep the host from being reset.
    if !sh::succeeds(&["umount", &path]) {
        sh::run(&["umount", "-l", &path])?;
    }
    Ok(())
}

/// Drops what the host's layer holds; it must be unmounted.
pub fn forget(host: &Host) -> Result<()> {
    for name in ["upper", "work"] {
        remove_tree(&host.folder().join(name))?;
    }
    let _ = fs::remove_file(host.folder().join("base"));
    Ok(())
}
