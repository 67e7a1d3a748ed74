//! The native backend: the distribution's `wg-quick@wg0`, forwarding, and peers with keys made on the host.

use crate::settings::Settings;
use crate::{CONFIG, WIREGUARD, docker, one_is_missing};
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::{Apt, Ask, Chains, Condition, File, Outcome, RoleTasks, Sysctl, Task, Unit, Verdict};
use mosip_prov_wireguard::layout::{INTERFACE, NATIVE_FOLDER};
use mosip_prov_wireguard::{Layout, Peers, Tunnel};

const UNIT: &str = "wg-quick@wg0";
const RESTART: &str = "restart the tunnel";
const RUN: &str = "Run the tunnel, now and after each boot";
const FIREWALL: &str = "mosip-wireguard-firewall";

/// Succeeds where the kernel has WireGuard: loaded, built in, or as a module that could be loaded.
const KERNEL: &str = "[ -d /sys/module/wireguard ] || grep -qs '/wireguard\\.ko' \"/lib/modules/$(uname -r)/modules.builtin\" \
                      || modprobe -n -q wireguard 2>/dev/null";

pub(crate) fn tasks(settings: &Settings) -> RoleTasks {
    let wait = settings.lock_timeout;
    let vpn = &settings.vpn;
    let tunnel = Tunnel::new(vpn.subnet, vpn.port)
        .mtu(vpn.peer.mtu)
        .replace_existing(settings.replace_existing);
    let mut tasks = Vec::from(docker::stopped(settings));
    tasks.extend([
        Task::new("Refresh the package index", Apt::update_cache().lock_timeout(wait))
            .when(one_is_missing(&["wireguard-tools", "iptables"], &[])),
        Task::new(
            "Install the tools of WireGuard",
            Apt::present(["wireguard-tools"]).no_recommends().lock_timeout(wait),
        ),
        Task::new(
            "Install WireGuard for a kernel that lacks it",
            Apt::present(["wireguard-go"]).no_recommends().lock_timeout(wait),
        )
        .when(kernel_lacks_it()),
        Task::new(
            "Forward packets, now and after each boot",
            Sysctl::in_file("/etc/sysctl.d/99-wireguard.conf").set("net.ipv4.ip_forward", "1"),
        ),
    ]);
    tasks.extend(chains(settings).tasks());
    tasks.extend([
        Task::new(
            "Make the folder of the tunnel",
            File::directory(NATIVE_FOLDER).mode(0o700).owner("root").group("root"),
        ),
        Task::new("Configure the tunnel", tunnel).notify(RESTART),
        Task::new(RUN, Unit::new(UNIT).running().enabled()),
    ]);
    let mut tasks: Vec<Task> = tasks.into_iter().map(|task| task.tag(WIREGUARD)).collect();
    tasks.push(
        Task::new(
            "Make the peers",
            Peers::new(vpn.peer.clone())
                .declared(vpn.declared.names())
                .correcting_all(),
        )
        .tag(CONFIG),
    );
    RoleTasks {
        tasks,
        handlers: vec![Task::new(RESTART, Unit::restarted(UNIT)).when(started_before())],
    }
}

/// What comes out of the tunnel is forwarded, under the host's own address; what goes in only answers.
fn chains(settings: &Settings) -> Chains {
    Chains::new("MOSIP-WIREGUARD", FIREWALL, "the VPN")
        .filter(format!("-i {INTERFACE} -j ACCEPT"))
        .filter(format!(
            "-o {INTERFACE} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        ))
        .nat(format!("-s {} ! -o {INTERFACE} -j MASQUERADE", settings.vpn.subnet))
        .first()
}

fn kernel_lacks_it() -> Condition {
    let ask = AskCommand(KERNEL.to_owned());
    Condition::new(vec![ask.question()], move |answers| {
        Ok(match answers.get(&ask)?.status {
            0 => Verdict::Skip("the kernel has WireGuard".into()),
            _ => Verdict::Do,
        })
    })
}

/// A tunnel that this run has only just started has the new settings already.
fn started_before() -> Condition {
    Condition::new(Vec::new(), |answers| {
        Ok(match answers.outcome(RUN) {
            Some(Outcome::Changed) => Verdict::Skip("the tunnel has started on its settings".into()),
            _ => Verdict::Do,
        })
    })
}

/// The native backend does not run: its tunnel holds the port. A `wg0` that it has not made is somebody else's.
pub(crate) fn stopped() -> Vec<Task> {
    let ask = FileAsk::new(Layout::native().peers_folder());
    let made_here = Condition::new(vec![ask.question()], move |answers| {
        Ok(match answers.get(&ask)? {
            FileState::Entry(_) => Verdict::Do,
            _ => Verdict::Skip("the native backend was never here".into()),
        })
    });
    [
        ("See that the tunnel of the other backend does not run", UNIT),
        ("See that its forwarding rules are not in force", FIREWALL),
    ]
    .map(|(name, unit)| Task::new(name, Unit::new(unit).stopped().disabled()).when(made_here.clone()))
    .into()
}
