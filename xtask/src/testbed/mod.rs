//! Eleven real hosts on one machine: systemd containers over overlays of one base, each in a network namespace of its own.

mod base;
pub use base::RELEASE;
pub mod hosts;
mod inventory;
pub mod machine;
mod network;
mod registry;
mod wireguard_image;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::packages;
use crate::sh::{self, Context, Error, Result};
use hosts::{HOSTS, Host, OUTSIDE_ADDRESS, OUTSIDE_NAMESPACE, STATE};

/// How long a host may take from its start to its first login.
const PATIENCE: Duration = Duration::from_secs(90);

const NEEDS: [packages::Need; 10] = [
    ("debootstrap", "debootstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("openssl", "openssl"),
    ("curl", "curl"),
    ("mount", "mount"),
    ("setsid", "util-linux"),
];

/// What can be done with the testbed.
#[derive(clap::Subcommand)]
pub enum Action {
    /// Start all hosts (making the base when it is missing), write the inventory; does only what is left to do
    Up,
    /// End all hosts; remove networks, rules, mounts and the hosts' state (the base stays)
    Down,
    /// Bring hosts (default: all) back to their first boot
    Reset {
        /// Names of hosts
        hosts: Vec<String>,
    },
    /// Reboot hosts: orderly shutdown, fresh network namespace, start; their files stay
    Restart {
        /// Names of hosts
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Cut hosts off the network
    Cut {
        /// Names of hosts
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Undo `cut`
    Heal {
        /// Names of hosts
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Say how each host is; fails when one does not answer
    Status,
    /// Log in to a host, or run a command there
    Ssh {
        /// Log in as this user
        #[arg(short, long, default_value = "ubuntu")]
        user: String,
        /// Name of the host
        host: String,
        /// A command to run there
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Run a command as a client outside the private networks, such as `curl -k https://198.51.100.31/`
    Outside {
        /// The command
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Write the inventory, variables and certificates of the fleet
    Inventory,
}

/// Does it.
pub fn main(action: Action) -> Result<()> {
    if !sh::is_root() {
        return Err(Error(
            "the testbed needs root: it makes containers and network namespaces".into(),
        ));
    }
    match action {
        Action::Up => locked(up),
        Action::Down => locked(down),
        Action::Reset { hosts } => {
            let hosts = hosts::select(&hosts)?;
            locked(|| reset(&hosts))
        }
        Action::Restart { hosts } => {
            let hosts = hosts::select(&hosts)?;
            locked(|| restart(&hosts))
        }
        Action::Cut { hosts } => locked(|| set_links(&hosts, false)),
        Action::Heal { hosts } => locked(|| set_links(&hosts, true)),
        Action::Status => status(),
        Action::Ssh { user, host, command } => {
            let mut ssh = machine::ssh(hosts::find(&host)?, &user);
            if command.is_empty() {
                ssh.arg("-t");
            }
            sh::become_command(ssh.args(command))
        }
        Action::Outside { command } => sh::become_command(
            Command::new("ip")
                .args(["netns", "exec", OUTSIDE_NAMESPACE])
                .args(command),
        ),
        Action::Inventory => locked(|| {
            key()?;
            inventory::write()
        }),
    }
}

/// Runs one change of the testbed at a time, whoever else works with it.
fn locked(work: impl FnOnce() -> Result<()>) -> Result<()> {
    fs::create_dir_all(STATE).doing(format!("cannot make {STATE}"))?;
    let path = Path::new(STATE).join("lock");
    let file = fs::File::create(&path).doing(format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        println!("waiting for another testbed command to end");
        file.lock().doing(format!("cannot lock {}", path.display()))?;
    }
    work()
}

fn up() -> Result<()> {
    let started = Instant::now();
    packages::ensure(&NEEDS)?;
    key()?;
    let base = base::ensure()?;
    network::up()?;
    wireguard_image::ensure()?;
    let current = base.to_string_lossy().into_owned();
    each(&HOSTS.iter().collect::<Vec<_>>(), |host| {
        let stale = machine::built_on(host).is_some_and(|used| used != current);
        if stale {
            machine::stop(host, false)?;
        }
        let running = machine::pid(host).is_some();
        let took = machine::bring_up(host, &base, PATIENCE)?;
        Ok(if running {
            "was up".into()
        } else {
            format!("up after {:.1} s", took.as_secs_f64())
        })
    })?;
    base::remove_others(&base)?;
    inventory::write()?;
    println!(
        "testbed up: {} hosts in {:.1} s",
        HOSTS.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn down() -> Result<()> {
    each(&HOSTS.iter().collect::<Vec<_>>(), |host| {
        machine::stop(host, false)?;
        machine::unmount(host)?;
        machine::forget(host)?;
        Ok("down".into())
    })?;
    registry::down();
    network::down()?;
    base::remove_tree(&Path::new(STATE).join("hosts"))?;
    println!("testbed down; the base stays in {STATE}/base");
    Ok(())
}

fn reset(hosts: &[&'static Host]) -> Result<()> {
    let started = Instant::now();
    let base = base::ensure()?;
    network::up()?;
    each(hosts, |host| {
        machine::stop(host, false)?;
        machine::unmount(host)?;
        machine::forget(host)?;
        machine::bring_up(host, &base, PATIENCE)?;
        Ok(format!("reset, {:.1} s", started.elapsed().as_secs_f64()))
    })
}

fn restart(hosts: &[&'static Host]) -> Result<()> {
    let started = Instant::now();
    each(hosts, |host| {
        let base = machine::built_on(host).ok_or_else(|| {
            Error(format!(
                "host {} was never started; run: cargo xtask testbed up",
                host.name
            ))
        })?;
        machine::stop(host, true)?;
        machine::bring_up(host, Path::new(&base), PATIENCE)?;
        Ok(format!("restarted, {:.1} s", started.elapsed().as_secs_f64()))
    })
}

fn set_links(names: &[String], up: bool) -> Result<()> {
    for host in hosts::select(names)? {
        network::set_link(host, up)?;
        println!("{:<17} {}", host.name, if up { "healed" } else { "cut" });
    }
    Ok(())
}

fn status() -> Result<()> {
    println!(
        "{OUTSIDE_NAMESPACE:<17} {OUTSIDE_ADDRESS:<12} {}",
        if Path::new("/run/netns").join(OUTSIDE_NAMESPACE).exists() {
            "there"
        } else {
            "not there"
        }
    );
    each(&HOSTS.iter().collect::<Vec<_>>(), |host| {
        let Some(pid) = machine::pid(host) else {
            return Err(Error(format!("{} is down; run: cargo xtask testbed up", host.name)));
        };
        if !network::link_is_up(host) {
            return Ok(format!("{:<12} pid {pid} cut off", host.address));
        }
        machine::wait_ready(host, Duration::from_secs(2))?;
        Ok(format!("{:<12} pid {pid} answers", host.address))
    })
}

/// Does the work for all hosts side by side, one line each; all are tried before the errors are told.
fn each(hosts: &[&'static Host], work: impl Fn(&'static Host) -> Result<String> + Sync) -> Result<()> {
    let failures: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = hosts
            .iter()
            .map(|host| {
                let work = &work;
                scope.spawn(move || match work(host) {
                    Ok(text) => {
                        println!("{:<17} {text}", host.name);
                        None
                    }
                    Err(error) => Some(format!("{}: {error}", host.name)),
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Some("a thread of the testbed panicked".into()))
            })
            .collect()
    });
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error(failures.join("\n")))
}

/// The key all users of all hosts accept, made once.
fn key() -> Result<()> {
    let path = hosts::key();
    if path.exists() {
        return Ok(());
    }
    fs::create_dir_all(STATE).doing(format!("cannot make {STATE}"))?;
    sh::output(
        Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f"])
            .arg(&path),
    )?;
    Ok(())
}
