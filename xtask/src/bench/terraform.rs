//! How much time we add to what we drive.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sh::{self, Context, Error, Result};

/// How it is measured.
#[derive(clap::Args, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// Resources of a root; may be repeated
    #[arg(long, default_values_t = [50, 500])]
    resources: Vec<usize>,
    /// Pairs of each root
    #[arg(long, default_value_t = 15)]
    pairs: usize,
    /// Fail when the ratio of medians is more than this
    #[arg(long, default_value_t = 1.03)]
    most: f64,
}

/// Measures.
pub fn main(arguments: &Arguments, program: Option<&Path>) -> Result<()> {
    let program = match program {
        Some(program) => std::path::absolute(program).doing("cannot find the program")?,
        None => super::built("mosip-prov-cli", "mosip-prov")?,
    };
    let mut worst: f64 = 0.0;
    for count in &arguments.resources {
        worst = worst.max(terraform(&program, *count, arguments.pairs)?);
    }
    if worst > arguments.most {
        return Err(Error(format!(
            "the ratio of medians is {worst:.3}, and {} is allowed",
            arguments.most
        )));
    }
    Ok(())
}

/// The ratio of medians of pairs that alternate, ours against by hand.
fn terraform(program: &Path, count: usize, pairs: usize) -> Result<f64> {
    let folder = std::env::temp_dir().join(format!("mosip-prov-bench-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).doing("cannot make a folder")?;
    let ratio = in_folder(&folder, program, count, pairs);
    let _ = std::fs::remove_dir_all(&folder);
    ratio
}

fn in_folder(folder: &Path, program: &Path, count: usize, pairs: usize) -> Result<f64> {
    let root = |name: &str| -> Result<PathBuf> {
        let root = folder.join(name);
        std::fs::create_dir_all(&root).doing("cannot make a root")?;
        let text = format!(
            "resource \"terraform_data\" \"item\" {{\n  count = {count}\n  input = \"value-${{count.index}}\"\n}}\n\
             output \"items\" {{\n  value = length(terraform_data.item)\n}}\n"
        );
        sh::write(&root.join("main.tf"), text)?;
        timed(&root, Path::new("terraform"), &["init", "-input=false"])?;
        Ok(root)
    };
    let (ours, theirs) = (root("ours")?, root("by-hand")?);
    let by_hand = || -> Result<Duration> {
        let terraform = Path::new("terraform");
        let mut time = Duration::ZERO;
        for words in [
            &["plan", "-input=false", "-out=p"][..],
            &["apply", "-input=false", "p"],
            &["plan", "-input=false", "-destroy", "-out=p"],
            &["apply", "-input=false", "p"],
        ] {
            time += timed(&theirs, terraform, words)?;
        }
        Ok(time)
    };
    let by_us = || -> Result<Duration> {
        let mut time = Duration::ZERO;
        for words in [
            &["terraform", "./", "plan"][..],
            &["terraform", "./", "apply", "--yes"],
            &["terraform", "./", "destroy", "--yes", "--allow-destroy"],
        ] {
            time += timed(&ours, program, words)?;
        }
        Ok(time)
    };
    // Once without counting, so that both find what they read in memory.
    by_hand()?;
    by_us()?;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        // Whoever goes first changes from pair to pair.
        if pair % 2 == 0 {
            a.push(by_hand()?);
            b.push(by_us()?);
        } else {
            b.push(by_us()?);
            a.push(by_hand()?);
        }
    }
    let list = |times: &[Duration]| {
        let all = times.iter().map(|time| time.as_millis().to_string());
        all.collect::<Vec<_>>().join(" ")
    };
    let ratio = median(&b).as_secs_f64() / median(&a).as_secs_f64();
    println!("terraform, {count} resources, {pairs} pairs, milliseconds of plan, apply and destroy:");
    println!("  by hand     {}", list(&a));
    println!("  mosip-prov  {}", list(&b));
    let mut pairs: Vec<f64> = a
        .iter()
        .zip(&b)
        .map(|(a, b)| b.as_secs_f64() / a.as_secs_f64())
        .collect();
    pairs.sort_by(f64::total_cmp);
    println!(
        "  pairs       median of their ratios {:.3}",
        pairs.get(pairs.len() / 2).unwrap_or(&1.0)
    );
    println!(
        "  medians     {} by hand, {} mosip-prov, ratio {ratio:.3}",
        median(&a).as_millis(),
        median(&b).as_millis()
    );
    Ok(ratio)
}

fn timed(folder: &Path, program: &Path, words: &[&str]) -> Result<Duration> {
    let started = Instant::now();
    let status = Command::new(program)
        .current_dir(folder)
        .args(words)
        .env("TF_IN_AUTOMATION", "1")
        .env_remove("MOSIP_PROV_INVENTORY")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .doing(format!("cannot start {}", program.display()))?;
    let time = started.elapsed();
    match status.success() {
        true => Ok(time),
        false => Err(Error(format!("{} {} failed", program.display(), words.join(" ")))),
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
