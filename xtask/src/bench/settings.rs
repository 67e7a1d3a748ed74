//! What a node shall be, once for all contestants: the kernel's settings, limits, modules, packages.

use serde_json::json;

/// Kernel settings; those only that a network namespace has of its own, since the others would be the machine's that
/// carries the hosts.
pub const SYSCTL: [(&str, &str); 19] = [
    ("net.bridge.bridge-nf-call-iptables", "1"),
    ("net.bridge.bridge-nf-call-ip6tables", "1"),
    ("net.core.somaxconn", "32768"),
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv4.ip_local_port_range", "1024 65535"),
    ("net.ipv4.tcp_fin_timeout", "15"),
    ("net.ipv4.tcp_keepalive_intvl", "30"),
    ("net.ipv4.tcp_keepalive_probes", "5"),
    ("net.ipv4.tcp_keepalive_time", "600"),
    ("net.ipv4.tcp_max_syn_backlog", "8096"),
    ("net.ipv4.tcp_mtu_probing", "1"),
    ("net.ipv4.tcp_retries2", "8"),
    ("net.ipv4.tcp_rmem", "4096 87380 16777216"),
    ("net.ipv4.tcp_slow_start_after_idle", "0"),
    ("net.ipv4.tcp_syn_retries", "3"),
    ("net.ipv4.tcp_synack_retries", "3"),
    ("net.ipv4.tcp_tw_reuse", "1"),
    ("net.ipv4.tcp_wmem", "4096 65536 16777216"),
    ("net.ipv4.conf.all.rp_filter", "0"),
];

/// Kernel modules.
pub const MODULES: [&str; 2] = ["br_netfilter", "overlay"];

/// Packages, beside which the role installs apparmor and Docker.
pub const PACKAGES: [&str; 4] = ["apt-transport-https", "ca-certificates", "curl", "nfs-common"];

/// Lines of limits.conf(5).
pub const LIMITS: [&str; 10] = [
    "* soft nofile 1048576",
    "* hard nofile 1048576",
    "* soft nproc 1048576",
    "* hard nproc 1048576",
    "* soft memlock unlimited",
    "* hard memlock unlimited",
    "root soft nofile 1048576",
    "root hard nofile 1048576",
    "root soft nproc 1048576",
    "root hard nproc 1048576",
];

/// What the role makes of its settings, byte for byte, so that no contestant sees another's file as different.
pub const DAEMON: &str = include_str!("../../bench/daemon.json");

/// `group_vars/all.yml`, which Ansible and we read.
pub fn group_vars() -> String {
    let list = |items: &[&str]| -> String { items.iter().map(|item| format!("  - \"{item}\"\n")).collect() };
    let mut text = format!(
        "required_packages:\n{}kernel_modules:\n{}system_limits:\n{}sysctl_params:\n",
        list(&PACKAGES),
        list(&MODULES),
        list(&LIMITS)
    );
    for (key, value) in SYSCTL {
        // Several numbers are one text; one is a number.
        let quoted = value.contains(' ');
        let value = if quoted {
            format!("\"{value}\"")
        } else {
            value.to_owned()
        };
        text.push_str(&format!("  {key}: {value}\n"));
    }
    text.push_str(
        "docker_install_from_apt: true\n\
         docker_storage_driver: vfs\n\
         docker_overlay2_override_kernel_check: false\n\
         docker_daemon_config: { ulimit_nofile: 16384, ulimit_nproc: 16384 }\n\
         disable_swap: true\n",
    );
    text
}

/// `settings.json`, which the deploy of pyinfra reads.
pub fn json() -> String {
    let packages: Vec<&str> = PACKAGES.iter().copied().chain(["apparmor"]).collect();
    let sysctl: serde_json::Map<String, serde_json::Value> = SYSCTL
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    let all = json!({ "modules": MODULES, "packages": packages, "limits": LIMITS, "sysctl": sysctl });
    format!("{all:#}\n")
}

/// The script of the plain shell.
pub fn script() -> String {
    let lines: Vec<String> = SYSCTL.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let paths: Vec<String> = SYSCTL
        .iter()
        .map(|(key, _)| format!("/proc/sys/{}", key.replace('.', "/")))
        .collect();
    include_str!("../../bench/node.sh")
        .replace("@REQUIRED@", &format!("{} apparmor", PACKAGES.join(" ")))
        .replace("@MODULES@", &MODULES.join(" "))
        .replace("@LIMITS@", &LIMITS.join("\n"))
        .replace("@SYSCTL@", &lines.join("\n"))
        .replace("@SYSCTL_PATHS@", &paths.join(" "))
        .replace("@DAEMON@", DAEMON.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        let script = script();
        // A mark is capitals between two signs; `"$@"` is the shell's own.
        let marks: Vec<&str> = script
            .split('@')
            .filter(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
            .collect();
        assert!(marks.is_empty(), "{marks:?}");
        assert!(script.contains("net.ipv4.tcp_wmem = 4096 65536 16777216\nnet.ipv4.conf.all.rp_filter = 0'"));
        assert!(script.contains("/proc/sys/net/bridge/bridge-nf-call-iptables "));
        let parsed: serde_json::Value = serde_json::from_str(&json()).expect("JSON");
        assert_eq!(
            parsed["sysctl"].as_object().map(serde_json::Map::len),
            Some(SYSCTL.len())
        );
        assert!(group_vars().contains("  net.ipv4.tcp_rmem: \"4096 87380 16777216\"\n"));
    }
}
