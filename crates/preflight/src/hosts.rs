//! Area `hosts`: each machine as the guide asks, and all of them different from each other where they must be.

use crate::fleet::Machine;
use crate::guide::{Short, WantedSize, tenths};
use crate::room::Disk;
use mosip_prov_events::Finding;
use mosip_prov_resources::Facts;
use std::collections::BTreeMap;

const AREA: &str = "hosts";

/// The machine is as large as `wanted`: one finding when it is, one for each thing that falls short. What the guide asks
/// for is advice, and what the operator set a limit.
pub fn size(machine: &Machine, facts: &Facts, disk: Option<Disk>, wanted: &WantedSize) -> Vec<Finding> {
    let name = &machine.name;
    let short = wanted.short(facts, disk);
    if short.is_empty() {
        let disk_total = disk.map_or(0, |disk| disk.total_mib);
        let what = format!(
            "{} virtual processors, {} GiB of memory, {} GiB of disk",
            facts.vcpus,
            tenths(facts.memtotal_mb),
            tenths(disk_total)
        );
        return vec![Finding::ok(AREA, "size", name, what)];
    }
    let finding = |short: Short| {
        let Short {
            have, want, variable, ..
        } = short;
        match short.own {
            true => Finding::failure(
                AREA,
                short.check,
                name,
                format!("{have}, and {variable} asks for {want}"),
                format!("give the machine more, or lower {variable}"),
            ),
            false => Finding::warning(
                AREA,
                short.check,
                name,
                format!("{have}, and the guide asks for {want}"),
                format!(
                    "it is used all the same; give the machine more, or set {variable} for it if it is meant to be smaller"
                ),
            ),
        }
    };
    short.into_iter().map(finding).collect()
}

/// The root file system has `wanted_mib` free.
pub fn free_disk(machine: &Machine, disk: Option<Disk>, wanted_mib: u64) -> Finding {
    let name = &machine.name;
    match disk {
        None => Finding::warning(
            AREA,
            "free_disk",
            name,
            "`df` does not describe the root file system",
            "look at it with `df -h /` on the machine",
        ),
        Some(disk) if disk.free_mib < wanted_mib => Finding::failure(
            AREA,
            "free_disk",
            name,
            format!("/ has {} MiB free, and {wanted_mib} are wanted", disk.free_mib),
            "make room (apt-get clean, journalctl --vacuum-size=100M), give the machine a larger disk, or set \
             check_min_free_disk",
        ),
        Some(disk) => Finding::ok(AREA, "free_disk", name, format!("/ has {} MiB free", disk.free_mib)),
    }
}

/// The machine runs what the guide is written for, or something near it.
pub fn release(machine: &Machine, facts: &Facts) -> Finding {
    let system = format!("{} {}", facts.distribution, facts.version);
    let name = &machine.name;
    if facts.distribution == "ubuntu" && facts.version == "22.04" {
        return Finding::ok(AREA, "release", name, "Ubuntu 22.04");
    }
    if facts.is_debian_family() && facts.has_apt {
        return Finding::warning(
            AREA,
            "release",
            name,
            format!("it runs {}, and the guide is written for Ubuntu 22.04", system.trim()),
            "it is used all the same; install Ubuntu 22.04 where you want what others have tried",
        );
    }
    Finding::failure(
        AREA,
        "release",
        name,
        format!("it runs {}, which is not of Debian's family", system.trim()),
        "install Ubuntu 22.04",
    )
}

/// Where a machine's clock is, seen from another: ahead by something between `least` and `most` seconds (negative: behind).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offset {
    least: f64,
    most: f64,
}

impl Offset {
    /// From one question: the machine said `there` at some time between `sent` and `received`, all in seconds since the
    /// epoch. However slow the answer was, the difference lies within the bounds.
    pub fn from_question(sent: f64, there: f64, received: f64) -> Self {
        Self {
            least: there - received,
            most: there - sent,
        }
    }

    /// What both say together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            least: self.least.max(other.least),
            most: self.most.min(other.most),
        }
    }

    /// Seen from a machine that is itself off by `other`.
    #[must_use]
    pub fn relative_to(self, other: Self) -> Self {
        Self {
            least: self.least - other.most,
            most: self.most - other.least,
        }
    }

    /// The least difference that is certain, and whether the machine is behind.
    fn certain(self) -> (f64, bool) {
        if self.least > 0.0 {
            (self.least, false)
        } else if self.most < 0.0 {
            (-self.most, true)
        } else {
            (0.0, false)
        }
    }
}

/// The machine's clock is within `limit` seconds of the deployment node's.
pub fn clock(machine: &Machine, offset: Option<Offset>, limit: u64) -> Finding {
    let name = &machine.name;
    let Some(offset) = offset else {
        return Finding::warning(
            AREA,
            "clock",
            name,
            "`date` does not tell the time there",
            "compare `date -u` on the machine with the deployment node's",
        );
    };
    let (apart, behind) = offset.certain();
    let way = if behind { "behind" } else { "ahead of" };
    if apart > limit as f64 {
        return Finding::failure(
            AREA,
            "clock",
            name,
            format!("the clock is {apart:.0} s {way} the deployment node's"),
            "have both set by NTP (`timedatectl set-ntp true`), or set check_max_clock_skew: certificates are not valid yet \
             on a machine that is behind",
        );
    }
    let message = match apart >= 1.0 {
        true => format!("the clock is {apart:.0} s {way} the deployment node's"),
        false => "the clock is right".to_owned(),
    };
    Finding::ok(AREA, "clock", name, message)
}

/// Nobody holds the locks of dpkg and apt; `holder` says who does. `hidden` is the process that seems to, where the user who
/// asked may not look at it.
pub fn dpkg(machine: &Machine, holder: Option<&str>, hidden: Option<&str>) -> Finding {
    match (holder, hidden) {
        (None, Some(pid)) => Finding::warning(
            AREA,
            "dpkg",
            &machine.name,
            format!(
                "the lock of dpkg seems to be held by process {pid}; it was not asked as root, which alone may see by whom"
            ),
            format!("`sudo ps -p {pid}` says what it is; a playbook itself waits apt_lock_timeout seconds"),
        ),
        (None, None) => Finding::ok(AREA, "dpkg", &machine.name, "the lock of dpkg is free"),
        (Some(holder), _) => Finding::failure(
            AREA,
            "dpkg",
            &machine.name,
            format!("the lock of dpkg is {holder}"),
            "wait until it is done (on a fresh machine that is unattended-upgrades: `systemctl stop unattended-upgrades`); \
             a playbook itself waits apt_lock_timeout seconds",
        ),
    }
}

/// No two machines have the same hostname or machine id.
pub fn identities(machines: &[(&Machine, &Facts)]) -> Vec<Finding> {
    let mut found = Vec::new();
    let by = |of: fn(&Facts) -> &str| {
        let mut all: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (machine, facts) in machines {
            let value = of(facts).trim().to_ascii_lowercase();
            if !value.is_empty() {
                all.entry(value).or_default().push(&machine.name);
            }
        }
        all.retain(|_, names| names.len() > 1);
        all
    };
    for (hostname, names) in by(|facts| &facts.hostname) {
        found.push(Finding::failure(
            AREA,
            "hostname",
            names.join(", "),
            format!("all call themselves {hostname}"),
            "give each its own: `hostnamectl set-hostname NAME`, and the same in /etc/hosts",
        ));
    }
    for (_, names) in by(|facts| &facts.machine_id) {
        found.push(Finding::failure(
            AREA,
            "machine_id",
            names.join(", "),
            "they have one machine id: they are copies of one image that was started before",
            "on all but one: `rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup`, then reboot; with DHCP \
             the address may change",
        ));
    }
    if found.is_empty() && machines.len() > 1 {
        let what = format!("{} hostnames and machine ids, no two of them the same", machines.len());
        found.push(Finding::ok(AREA, "identities", "all machines", what));
    }
    found
}

/// A machine that could not be asked.
pub fn unreachable(area: &str, check: &str, machine: &Machine, why: &str) -> Finding {
    Finding::failure(
        area,
        check,
        &machine.name,
        why,
        format!(
            "start it, and see that `ssh` from here leads to it{}",
            match machine.address.as_str() {
                "" => String::new(),
                address => format!(" ({address}, port {})", machine.ssh_port),
            }
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide::Size;
    use mosip_prov_events::Level;
    use std::collections::BTreeSet;

    fn machine(name: &str) -> Machine {
        Machine {
            name: name.into(),
            also: Vec::new(),
            address: "10.0.0.1".into(),
            inner_address: "10.0.0.1".into(),
            ssh_port: 22,
            duties: BTreeSet::new(),
        }
    }

    fn facts(vcpus: u32, memtotal_mb: u64) -> Facts {
        Facts {
            distribution: "ubuntu".into(),
            version: "22.04".into(),
            has_apt: true,
            vcpus,
            memtotal_mb,
            hostname: "vm1".into(),
            machine_id: "a1".into(),
            ..Facts::default()
        }
    }

    const NODE: Size = Size {
        vcpus: 12,
        memory_gib: 32,
        disk_gib: 128,
    };

    /// As the guide asks, but for what the operator set.
    fn wanted(vcpus: u32, memory_gib: u64, disk_gib: u64) -> WantedSize {
        WantedSize::new(
            NODE,
            Size {
                vcpus,
                memory_gib,
                disk_gib,
            },
        )
    }

    fn disk(total_gib: u64, free_mib: u64) -> Option<Disk> {
        Some(Disk {
            total_mib: total_gib * 1024,
            free_mib,
        })
    }

    #[test]
    fn what_falls_short_is_told_each() {
        let vm = machine("vm1");
        // A machine of 32 GiB shows 31.3, a disk of 128 GiB a file system of 124.
        let fine = size(&vm, &facts(12, 32_052), disk(124, 1), &wanted(0, 0, 0));
        assert_eq!(fine.len(), 1);
        assert_eq!(
            fine[0].message,
            "12 virtual processors, 31.3 GiB of memory, 124 GiB of disk"
        );
        let of = |facts: &Facts, disk, wanted| -> Vec<(Level, String)> {
            let found = size(&vm, facts, disk, &wanted);
            assert!(found.iter().all(|f| f.remedy.is_some()));
            found.into_iter().map(|f| (f.level, f.check)).collect()
        };
        let (told, wrong) = (Level::Warning, Level::Failure);
        // Less than the guide asks for is used all the same, here as in a run.
        let guide = wanted(0, 0, 0);
        assert_eq!(of(&facts(4, 32_052), disk(124, 1), guide), [(told, "cores".into())]);
        assert_eq!(of(&facts(12, 16_000), disk(124, 1), guide), [(told, "memory".into())]);
        assert_eq!(of(&facts(12, 32_052), disk(64, 1), guide), [(told, "disk".into())]);
        // What the operator set himself is a limit, each for itself.
        assert_eq!(
            of(&facts(1, 1000), disk(4, 1), wanted(2, 0, 8)),
            [(wrong, "cores".into()), (told, "memory".into()), (wrong, "disk".into())]
        );
        assert_eq!(
            of(&facts(1, 1000), disk(1, 1), wanted(1, 2, 1)),
            [(wrong, "memory".into())]
        );
        let found = size(&vm, &facts(4, 1000), disk(4, 1), &wanted(4, 2, 4));
        assert_eq!(found[0].message, "1 GiB of memory, and check_min_memory asks for 2 GiB");
        assert_eq!(free_disk(&vm, disk(124, 100), 2048).level, Level::Failure);
        assert_eq!(free_disk(&vm, disk(124, 3000), 2048).level, Level::Ok);
        assert_eq!(free_disk(&vm, None, 2048).level, Level::Warning);
    }

    #[test]
    fn releases() {
        let vm = machine("vm1");
        let of = |id: &str, version: &str, like: &[&str], apt: bool| {
            let facts = Facts {
                distribution: id.into(),
                version: version.into(),
                like: like.iter().map(|l| (*l).to_owned()).collect(),
                has_apt: apt,
                ..Facts::default()
            };
            release(&vm, &facts).level
        };
        assert_eq!(of("ubuntu", "22.04", &["debian"], true), Level::Ok);
        assert_eq!(of("ubuntu", "24.04", &["debian"], true), Level::Warning);
        assert_eq!(of("debian", "12.4", &[], true), Level::Warning);
        assert_eq!(of("linuxmint", "21", &["ubuntu", "debian"], true), Level::Warning);
        assert_eq!(of("rocky", "9.3", &["rhel", "fedora"], false), Level::Failure);
        assert_eq!(of("", "", &[], false), Level::Failure);
    }

    #[test]
    fn a_slow_answer_is_no_skewed_clock() {
        let vm = machine("vm1");
        let of = |offset: Offset| {
            let found = clock(&vm, Some(offset), 60);
            (found.level, found.message)
        };
        // Ninety seconds until the answer came: the machine may be right.
        let slow = Offset::from_question(1000.0, 1088.0, 1090.0);
        assert_eq!(of(slow), (Level::Ok, "the clock is right".into()));
        // A second, quick question tells more.
        let quick = Offset::from_question(1100.0, 1188.2, 1100.4);
        assert_eq!(
            of(slow.and(quick)),
            (
                Level::Failure,
                "the clock is 88 s ahead of the deployment node's".into()
            )
        );
        let behind = Offset::from_question(1000.0, 900.0, 1001.0);
        assert_eq!(of(behind).1, "the clock is 100 s behind the deployment node's");
        // The deployment node is as wrong: they agree.
        assert_eq!(
            of(behind.relative_to(Offset::from_question(1000.0, 900.5, 1000.5))).0,
            Level::Ok
        );
        let little = Offset::from_question(1000.0, 1005.0, 1000.2);
        assert_eq!(
            of(little),
            (Level::Ok, "the clock is 5 s ahead of the deployment node's".into())
        );
        assert_eq!(clock(&vm, None, 60).level, Level::Warning);
    }

    #[test]
    fn two_that_are_the_same() {
        let (one, two, three) = (machine("vm1"), machine("vm2"), machine("vm3"));
        let a = facts(1, 1);
        let b = Facts {
            hostname: "vm2".into(),
            machine_id: "b2".into(),
            ..a.clone()
        };
        let fine = identities(&[(&one, &a), (&two, &b)]);
        assert_eq!((fine.len(), fine[0].level), (1, Level::Ok));
        let same_name = Facts {
            machine_id: "c3".into(),
            ..a.clone()
        };
        let found = identities(&[(&one, &a), (&two, &b), (&three, &same_name)]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].check.as_str(), found[0].subject.as_str()),
            ("hostname", "vm1, vm3")
        );
        let same_id = Facts {
            hostname: "vm3".into(),
            ..a.clone()
        };
        let found = identities(&[(&one, &a), (&two, &b), (&three, &same_id)]);
        assert_eq!((found.len(), found[0].check.as_str()), (1, "machine_id"));
        // What is not known is not the same.
        let unknown = Facts::default();
        assert_eq!(identities(&[(&one, &unknown), (&two, &unknown)])[0].level, Level::Ok);
    }

    #[test]
    fn who_holds_the_lock() {
        let found = dpkg(
            &machine("vm1"),
            Some("held by unattended-upgr (pid 7) since 10:00:00"),
            None,
        );
        assert!(found.message.contains("unattended-upgr (pid 7)"));
        assert_eq!(found.level, Level::Failure);
        assert_eq!(dpkg(&machine("vm1"), None, None).level, Level::Ok);
        // A login user sees that a lock is held, and not by whom: that is neither free nor known to be in the way.
        let found = dpkg(&machine("vm1"), None, Some("4711"));
        assert_eq!(found.level, Level::Warning);
        assert!(
            found.message.contains("process 4711; it was not asked as root"),
            "{found:?}"
        );
    }
}
