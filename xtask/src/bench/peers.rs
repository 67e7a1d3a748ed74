//! `bench peers`: six nodes that are right already, for all contestants, near and far, and with connections that are cut.

use std::time::Duration;

use serde_json::json;

use super::contestants::Contestant::{self, Ansible, Mitogen, Ours, Pipelining, Pyinfra, Script};
use super::ground::{self, Layout};
use super::proxy::Proxy;
use super::runner::{Cell, Place, Round, Runner};
use crate::sh::{Error, Result};

/// How many hosts at once, for all.
pub const FORKS: usize = 12;

/// How often each contestant runs.
struct Rounds {
    /// On a line without delay.
    near: [(Contestant, usize); 6],
    /// For each delay.
    far: [(Contestant, usize); 5],
    /// With connections that are cut.
    loss: [(Contestant, usize); 5],
    delays: &'static [u64],
}

const FULL: Rounds = Rounds {
    near: [
        (Ours, 11),
        (Script, 11),
        (Pyinfra, 5),
        (Mitogen, 3),
        (Pipelining, 3),
        (Ansible, 1),
    ],
    far: [(Ours, 5), (Script, 5), (Pyinfra, 2), (Mitogen, 1), (Pipelining, 1)],
    loss: [(Ours, 17), (Script, 17), (Pyinfra, 2), (Mitogen, 1), (Pipelining, 1)],
    delays: &[10, 80],
};

const QUICK: Rounds = Rounds {
    near: [
        (Ours, 5),
        (Script, 5),
        (Pyinfra, 1),
        (Mitogen, 1),
        (Pipelining, 1),
        (Ansible, 0),
    ],
    far: [(Ours, 2), (Script, 2), (Pyinfra, 1), (Mitogen, 0), (Pipelining, 0)],
    loss: [(Ours, 9), (Script, 9), (Pyinfra, 0), (Mitogen, 0), (Pipelining, 0)],
    delays: &[80],
};

/// Measures.
pub fn run(runner: &mut Runner<'_>, quick: bool) -> Result<()> {
    let rounds = if quick { QUICK } else { FULL };
    let mitogen = runner.programs.mitogen();
    let layout = |name, targets| {
        ground::lay_out(&Layout {
            name,
            targets,
            forks: FORKS,
            timeout: 30,
            mitogen: &mitogen,
        })
    };
    let (direct, far) = (ground::direct(), ground::through_proxy());
    let (near_folder, far_folder) = (layout("near", &direct)?, layout("far", &far)?);
    ground::make_fit()?;
    ground::reachable(&direct)?;
    let hosts = direct.len();
    let near = Place {
        folder: &near_folder,
        forks: FORKS,
        proxy: None,
        before: &[],
        after: &[],
    };
    let cell = Cell {
        hosts,
        rtt: 0,
        loss: 0,
        state: "warm",
    };

    println!("bringing the hosts to the state that all shall find");
    let state = Cell { state: "made", ..cell };
    runner.prepare(Ours, state, &near, Round::FIRST)?;
    converged(runner, "ours", &near, state)?;

    println!("first round: its time does not count, memory is sampled; nobody may find anything to change");
    for (who, count) in rounds.near {
        if quick && who == Ansible {
            continue;
        }
        // Those that take most of a minute run once only where time is short.
        let round = Round {
            counts: count == 0,
            ..Round::FIRST
        };
        if let Some((_, said)) = runner.prepare(who, cell, &near, round)? {
            agree(runner, who, said.changed, said.failed)?;
        }
    }
    // And what they found nothing to change in is what we want still.
    converged(runner, "all", &near, state)?;

    println!("no delay, {FORKS} hosts at once");
    alternate(runner, &rounds.near, cell, &near)?;

    for delay in rounds.delays {
        println!("{delay} ms a round trip");
        let proxy = Proxy::start(&ground::routes(), Duration::from_millis(*delay), false)?;
        let place = Place {
            folder: &far_folder,
            proxy: Some(&proxy),
            ..near
        };
        let cell = Cell { rtt: *delay, ..cell };
        alternate(runner, &rounds.far, cell, &place)?;
        if *delay == 80 {
            println!("a third of the tasks: those of the kernel");
            fewer_tasks(runner, cell, &place)?;
        }
    }

    println!("one in fifty connections is cut, no delay");
    for (who, count) in rounds.loss {
        if count == 0 {
            continue;
        }
        // A proxy for each, so that each meets the same.
        let proxy = Proxy::start(&ground::routes(), Duration::ZERO, true)?;
        let place = Place {
            folder: &far_folder,
            proxy: Some(&proxy),
            ..near
        };
        let cell = Cell { loss: 2, ..cell };
        for number in 1..=count {
            runner.prepare(who, cell, &place, Round::of(number))?;
        }
    }
    Ok(())
}

/// Rounds in which all that take part run one after the other, who goes first changing from round to round.
pub fn alternate(runner: &mut Runner<'_>, who: &[(Contestant, usize)], cell: Cell, place: &Place<'_>) -> Result<()> {
    let most = who.iter().map(|(_, count)| *count).max().unwrap_or(0);
    for number in 1..=most {
        // Those that run less often run in the first rounds and in some later: 3 of 11 in 1, 5, 9.
        let due = |count: usize| count > 0 && (number - 1) % most.div_ceil(count) == 0;
        let mut turn: Vec<Contestant> = who
            .iter()
            .filter(|(_, count)| due(*count))
            .map(|(who, _)| *who)
            .collect();
        if number % 2 == 0 {
            turn.reverse();
        }
        for who in turn {
            runner.prepare(who, cell, place, Round::of(number))?;
        }
    }
    Ok(())
}

/// The same without the tasks of two tags: what the number of round trips does with the number of tasks.
fn fewer_tasks(runner: &mut Runner<'_>, cell: Cell, place: &Place<'_>) -> Result<()> {
    let after = ["--skip-tags", "docker,packages"].map(str::to_owned);
    let place = Place {
        after: &after,
        ..*place
    };
    let cell = Cell {
        state: "warm, fewer tasks",
        ..cell
    };
    for number in 1..=2 {
        runner.prepare(Ours, cell, &place, Round::of(number))?;
    }
    Ok(())
}

fn agree(runner: &mut Runner<'_>, who: Contestant, changed: Option<u64>, failed: u64) -> Result<()> {
    let same = changed == Some(0) && failed == 0;
    runner.note(
        json!({"what": "agreement", "state_of": "mosip-prov", "asked": who.name(), "changed": changed, "same": same}),
    )?;
    if !same {
        println!(
            "  {} does not find what we made right: not the same end state",
            who.name()
        );
    }
    Ok(())
}

/// Nothing to change for us, or it is an error: nobody would measure the same.
pub fn converged(runner: &mut Runner<'_>, after: &str, place: &Place<'_>, cell: Cell) -> Result<()> {
    let outcome = runner.prepare(Ours, cell, place, Round::FIRST)?;
    let said = outcome.map(|(_, said)| said).unwrap_or_default();
    let same = said.changed == Some(0) && said.failed == 0;
    runner.note(
        json!({"what": "agreement", "state_of": after, "asked": "mosip-prov", "changed": said.changed, "same": same}),
    )?;
    if same {
        return Ok(());
    }
    Err(Error(format!(
        "after {after} we find {:?} to change and {} hosts in trouble, and all shall find nothing; see {}",
        said.changed,
        said.failed,
        place.folder.display()
    )))
}
