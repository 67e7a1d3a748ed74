//! `bench cold`: the first preparation of six new machines, ours against the same commands in one script for each host.

use serde_json::json;

use super::contestants::Contestant::{self, Mitogen, Ours, Pipelining, Pyinfra, Script};
use super::ground::{self, Layout};
use super::peers::FORKS;
use super::runner::{Cell, Place, Round, Runner};
use crate::sh::Result;

/// Measures.
pub fn run(runner: &mut Runner<'_>, quick: bool) -> Result<()> {
    let mitogen = runner.programs.mitogen();
    let targets = ground::direct();
    let folder = ground::lay_out(&Layout {
        name: "cold",
        targets: &targets,
        forks: FORKS,
        timeout: 30,
        mitogen: &mitogen,
    })?;
    let place = Place {
        folder: &folder,
        forks: FORKS,
        proxy: None,
        before: &[],
        after: &[],
    };
    let cell = Cell {
        hosts: targets.len(),
        rtt: 0,
        loss: 0,
        state: "cold",
    };
    // Packages are fetched once before the first that counts.
    println!("making new hosts, fetching packages");
    ground::make_cold()?;
    let turns: &[&[Contestant]] = if quick {
        &[&[Ours, Script]]
    } else {
        &[
            &[Ours, Script],
            &[Script, Ours],
            &[Ours, Script],
            &[Pyinfra, Mitogen, Pipelining],
        ]
    };
    let mut new = true;
    for (number, turn) in turns.iter().enumerate() {
        for who in *turn {
            if !runner.has_time(60.0) {
                runner.leave_out(who.name(), cell, "the subject's time was over")?;
                continue;
            }
            if !new {
                ground::make_cold()?;
            }
            new = false;
            let outcome = runner.prepare(*who, cell, &place, Round::of(number + 1))?;
            if outcome.is_none() {
                new = true;
                continue;
            }
            let state = Cell { state: "made", ..cell };
            let after = runner.prepare(Ours, state, &place, Round::FIRST)?;
            let said = after.map(|(_, said)| said).unwrap_or_default();
            let same = said.changed == Some(0) && said.failed == 0;
            runner.note(json!({
                "what": "agreement", "state_of": who.name(), "asked": "mosip-prov", "changed": said.changed, "same": same,
            }))?;
            if !same {
                println!(
                    "  after {} we find {:?} to change: not the same end state",
                    who.name(),
                    said.changed
                );
            }
        }
    }
    Ok(())
}
