//! The disk of a machine.

use mosip_prov_resources::probe::command::AskCommand;

/// The file systems that packages, images and data go to, as `df -Pk` (POSIX) describes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// All of the largest, in MiB: the guide counts the disk, whatever is set apart for data.
    pub total_mib: u64,
    /// What of `/` is free for programs that do not run as root, in MiB.
    pub free_mib: u64,
}

/// What is asked: a line for each of the folders that are there. Those of one file system have the same.
pub const DF: &str = "for d in / /var /var/lib /var/lib/docker; do [ ! -d \"$d\" ] || df -Pk \"$d\" | tail -n 1; done";

impl Disk {
    /// The question.
    pub fn ask() -> AskCommand {
        AskCommand(DF.into())
    }

    /// From lines of `df -Pk`, that of `/` first: device, blocks of 1024 bytes, used, available, capacity, place.
    pub fn parse(lines: &str) -> Option<Self> {
        let line = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |at: usize| words.get(at)?.parse::<u64>().ok();
            number(1).zip(number(3))
        };
        let (total, free) = line(lines.lines().next()?)?;
        let largest = lines.lines().filter_map(line).map(|(total, _)| total).max();
        Some(Self {
            total_mib: largest.unwrap_or(total) / 1024,
            free_mib: free / 1024,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_df() {
        assert_eq!(
            Disk::parse("/dev/sda1 20509264 4121832 15320308 22% /"),
            Some(Disk {
                total_mib: 20028,
                free_mib: 14961
            })
        );
        assert_eq!(Disk::parse("df: not found"), None);
        assert_eq!(Disk::parse(""), None);
    }

    #[test]
    fn the_largest_file_system_counts_and_the_room_of_the_root() {
        let lines = "/dev/sda1 20509264 4121832 15320308 22% /\n\
            /dev/sda1 20509264 4121832 15320308 22% /\n\
            /dev/sdb1 134217728 1024 134216704 1% /var/lib\n\
            /dev/sdb1 134217728 1024 134216704 1% /var/lib\n";
        let disk = Disk::parse(lines).expect("a disk");
        assert_eq!((disk.total_mib, disk.free_mib), (131_072, 14_961));
    }

    #[test]
    fn a_machine_describes_itself() {
        for shell in mosip_prov_resources::testing::sh_available() {
            let done = std::process::Command::new(shell[0])
                .args(&shell[1..])
                .args(["-c", DF])
                .output()
                .expect("runs");
            let disk = Disk::parse(&String::from_utf8_lossy(&done.stdout));
            assert!(
                done.status.success() && disk.is_some_and(|disk| disk.total_mib > 0),
                "{shell:?} {done:?}"
            );
        }
    }
}
