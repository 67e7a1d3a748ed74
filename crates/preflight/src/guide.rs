//! What the guide asks of each machine.

use crate::fleet::Duty;
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
