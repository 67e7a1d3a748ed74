//! What the guide asks of each machine.

use crate::fleet::Duty;
use crate::room::Disk;
use mosip_prov_resources::Facts;
use std::collections::BTreeSet;

/// Processors, memory and disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in GiB.
    pub memory_gib: u64,
    /// The disk in GiB.
    pub disk_gib: u64,
}

const fn size(vcpus: u32, memory_gib: u64, disk_gib: u64) -> Size {
    Size {
        vcpus,
        memory_gib,
        disk_gib,
    }
}

const GUIDE: [(Duty, Size); 6] = [
    (Duty::Node, size(12, 32, 128)),
    (Duty::Observation, size(2, 8, 32)),
    (Duty::Front, size(2, 4, 16)),
    (Duty::ObservationFront, size(2, 4, 16)),
    (Duty::Vpn, size(2, 4, 8)),
    (Duty::Deployment, size(2, 4, 20)),
];

/// What the guide asks of a machine with these duties, the most of each; `None` for one that the guide does not have.
pub fn size_for(duties: &BTreeSet<Duty>) -> Option<Size> {
    GUIDE
        .iter()
        .filter(|(duty, _)| duties.contains(duty))
        .map(|(_, size)| *size)
        .reduce(|a, b| Size {
            vcpus: a.vcpus.max(b.vcpus),
            memory_gib: a.memory_gib.max(b.memory_gib),
            disk_gib: a.disk_gib.max(b.disk_gib),
        })
}

/// Whether `mib` is clearly less than `gib`: of 32 GiB a kernel keeps some for itself, and a file system of its disk.
pub fn falls_short(mib: u64, gib: u64) -> bool {
    mib < gib * 1024 * 9 / 10
}

/// What a machine is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedSize {
    size: Size,
    own: Size,
}

impl WantedSize {
    /// The guide's size, but for what the operator set: 0 in `own` for what is the guide's.
    pub fn new(guide: Size, own: Size) -> Self {
        let or = |own: u64, guide: u64| if own > 0 { own } else { guide };
        let size = Size {
            vcpus: if own.vcpus > 0 { own.vcpus } else { guide.vcpus },
            memory_gib: or(own.memory_gib, guide.memory_gib),
            disk_gib: or(own.disk_gib, guide.disk_gib),
        };
        Self { size, own }
    }

    /// The size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// All that a machine with these facts and this disk falls short of.
    pub fn short(&self, facts: &Facts, disk: Option<Disk>) -> Vec<Short> {
        let Self { size, own } = self;
        let mut found = Vec::new();
        if facts.vcpus < size.vcpus {
            found.push(Short {
                check: "cores",
                have: format!("{} virtual processors", facts.vcpus),
                want: size.vcpus.to_string(),
                variable: "check_min_vcpus",
                own: own.vcpus > 0,
            });
        }
        if falls_short(facts.memtotal_mb, size.memory_gib) {
            found.push(Short {
                check: "memory",
                have: format!("{} GiB of memory", tenths(facts.memtotal_mb)),
                want: format!("{} GiB", size.memory_gib),
                variable: "check_min_memory",
                own: own.memory_gib > 0,
            });
        }
        if let Some(disk) = disk.filter(|disk| falls_short(disk.total_mib, size.disk_gib)) {
            found.push(Short {
                check: "disk",
                have: format!("a disk of {} GiB", tenths(disk.total_mib)),
                want: format!("{} GiB", size.disk_gib),
                variable: "check_min_disk",
                own: own.disk_gib > 0,
            });
        }
        found
    }
}

/// One thing that a machine has less of than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    /// Which: `cores`, `memory` or `disk`.
    pub check: &'static str,
    /// What it has, in words.
    pub have: String,
    /// How much is wanted.
    pub want: String,
    /// The variable that sets how much.
    pub variable: &'static str,
    /// The operator set it: it is a limit, where the guide's is advice.
    pub own: bool,
}

/// `mib` in GiB, with a tenth where it has one.
pub fn tenths(mib: u64) -> String {
    let tenths = (mib * 10 + 512) / 1024;
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        rest => format!("{}.{rest}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_of_each_duty_counts() {
        assert_eq!(size_for(&BTreeSet::new()), None);
        let both = BTreeSet::from([Duty::Observation, Duty::ObservationFront]);
        assert_eq!(size_for(&both), Some(size(2, 8, 32)));
        assert_eq!(
            size_for(&BTreeSet::from([Duty::Node, Duty::Etcd])),
            Some(size(12, 32, 128))
        );
    }

    #[test]
    fn somewhat_less_is_no_less() {
        assert!(!falls_short(32_052, 32) && !falls_short(29_492, 32));
        assert!(falls_short(29_000, 32) && falls_short(16_000, 32));
    }
}
