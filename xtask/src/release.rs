//! The static binary: built, and its ELF headers read to see that it needs nothing of the machine it will run on.

use std::path::PathBuf;
use std::process::Command;

use crate::sh::{self, Context, Error, Result};
use crate::tidy;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The most the binary may weigh, in bytes.
const HEAVIEST: u64 = 15 * 1024 * 1024;

/// Builds and checks the binary; prints its path and size.
pub fn main() -> Result<()> {
    let path = build()?;
    let bytes = std::fs::read(&path).doing(format!("cannot read {}", path.display()))?;
    check(&bytes).map_err(|why| Error(format!("{}: {why}", path.display())))?;
    println!(
        "{} is static, {:.1} MB",
        path.display(),
        bytes.len() as f64 / 1_048_576.0
    );
    Ok(())
}

/// Builds the release binary; its path.
pub fn build() -> Result<PathBuf> {
    let workspace = tidy::workspace()?;
    sh::show(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(&workspace.root)
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .args(["build", "--release", "--locked", "-p", "mosip-prov-cli"])
            // with a target named, the flags are for the binary alone and not for build scripts and macros
            .args(["--target", TARGET]),
    )?;
    Ok(PathBuf::from(workspace.target).join(TARGET).join("release/mosip-prov"))
}

/// Why the binary would not do; nothing when it is static and light enough.
fn check(bytes: &[u8]) -> std::result::Result<(), String> {
    if bytes.len() as u64 > HEAVIEST {
        return Err(format!("weighs {} bytes; {HEAVIEST} is the most", bytes.len()));
    }
    let elf = Elf::read(bytes).ok_or("is not a 64-bit little-endian ELF file")?;
    if elf.interpreter {
        return Err("asks for a dynamic loader, so it is not static".into());
    }
    if elf.needed > 0 {
        return Err(format!("needs {} shared libraries", elf.needed));
    }
    Ok(())
}

/// What the program headers say about loading.
#[derive(Debug, PartialEq)]
struct Elf {
    /// Whether a dynamic loader is asked for (PT_INTERP).
    interpreter: bool,
    /// How many shared libraries are (DT_NEEDED).
    needed: usize,
}

impl Elf {
    /// Reads an ELF64 file (System V ABI, "Program Loading"); nothing when it is not one.
    fn read(bytes: &[u8]) -> Option<Self> {
        const PT_DYNAMIC: u64 = 2;
        const PT_INTERP: u64 = 3;
        const DT_NULL: u64 = 0;
        const DT_NEEDED: u64 = 1;
        let number = |at: usize, size: usize| -> Option<u64> {
            let slice = bytes.get(at..at.checked_add(size)?)?;
            Some(slice.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
        };
        if bytes.get(..6)? != b"\x7fELF\x02\x01" {
            return None;
        }
        let table = usize::try_from(number(0x20, 8)?).ok()?;
        let size = usize::try_from(number(0x36, 2)?).ok()?;
        let count = usize::try_from(number(0x38, 2)?).ok()?;
        let mut elf = Self {
            interpreter: false,
            needed: 0,
        };
        for index in 0..count {
            let header = table.checked_add(index.checked_mul(size)?)?;
            match number(header, 4)? {
                PT_INTERP => elf.interpreter = true,
                PT_DYNAMIC => {
                    let start = usize::try_from(number(header + 0x08, 8)?).ok()?;
                    let length = usize::try_from(number(header + 0x20, 8)?).ok()?;
                    for entry in (start..start.checked_add(length)?).step_by(16) {
                        match number(entry, 8)? {
                            DT_NULL => break,
                            DT_NEEDED => elf.needed += 1,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Some(elf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with one program header of that type and, at 0x100, those dynamic tags.
    fn elf(kind: u8, tags: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 0x200];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[0x20] = 0x40;
        bytes[0x36] = 0x38;
        bytes[0x38] = 1;
        bytes[0x40] = kind;
        bytes[0x49] = 0x01;
        bytes[0x60] = (tags.len() * 16) as u8;
        for (index, tag) in tags.iter().enumerate() {
            bytes[0x100 + index * 16] = *tag;
        }
        bytes
    }

    #[test]
    fn a_static_binary_passes_also_when_it_relocates_itself() {
        assert_eq!(check(&elf(1, &[])), Ok(()));
        assert_eq!(check(&elf(2, &[5, 6, 0, 1])), Ok(()));
    }

    #[test]
    fn a_dynamic_binary_is_told() {
        assert!(check(&elf(3, &[])).unwrap_err().contains("dynamic loader"));
        assert_eq!(check(&elf(2, &[1, 5, 1, 0])).unwrap_err(), "needs 2 shared libraries");
        // this very test is linked dynamically
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let own = Elf::read(&own).unwrap();
        assert!(own.interpreter && own.needed > 0, "{own:?}");
    }

    #[test]
    fn other_files_and_cut_ones_are_told() {
        assert!(check(b"#!/bin/sh").is_err());
        assert!(check(&elf(2, &[1])[..0x50]).is_err());
        assert!(check(&vec![0; HEAVIEST as usize + 1]).unwrap_err().contains("weighs"));
    }
}
