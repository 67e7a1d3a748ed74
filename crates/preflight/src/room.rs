//! The root file system of a machine.

use mosip_prov_resources::probe::command::AskCommand;

/// The root file system as `df -Pk` (POSIX) describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// All of it, in MiB.
    pub total_mib: u64,
    /// What of it is free for programs that do not run as root, in MiB.
    pub free_mib: u64,
}

/// What is asked.
pub const DF: &str = "df -Pk / | tail -n 1";

impl Disk {
    /// The question.
    pub fn ask() -> AskCommand {
        AskCommand(DF.into())
    }

    /// From the last line of `df -Pk`: device, blocks of 1024 bytes, used, available, capacity, place.
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words.get(at)?.parse::<u64>().ok();
        number(1).zip(number(3)).map(|(total, free)| Self {
            total_mib: total / 1024,
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
    }
}
