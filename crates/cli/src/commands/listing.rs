//! `playbooks`, `tasks` and the `--list-…` flags: what there is, and what it would do, without connecting.

use super::stopped;
use crate::args::{Listing, TasksArgs, What};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, say};
use crate::session;
use mosip_prov::prepared::{Prepared, PreparedHost, PreparedPlay};
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::{neutral_line, pad, width};
use std::collections::BTreeSet;

/// `playbooks`.
pub fn playbooks(look: &Look) -> Exit {
    let all = mosip_prov::playbooks::all();
    let columns = all.iter().map(|p| width(&p.name)).max().unwrap_or(0);
    let paint = Paint::new(look.color_out);
    // A name a line, first: scripts read it. What a playbook does in order is said by `tasks`.
    let lines = all.iter().map(|playbook| {
        let name = paint.tone(Tone::Strong, &pad(&playbook.name, columns));
        format!("{name}  {}", playbook.summary)
    });
    say(&lines.collect::<Vec<_>>().join("\n"))
}

/// `tasks`.
pub fn tasks(args: &TasksArgs, look: &Look) -> Exit {
    let listing = Listing {
        list_hosts: false,
        list_tasks: true,
        list_tags: false,
    };
    of_run(&args.what, listing, look)
}

/// `run --list-hosts`, `--list-tasks`, `--list-tags`: what is asked for, of each play.
pub fn of_run(what: &What, listing: Listing, look: &Look) -> Exit {
    let (ready, warnings) = match session::prepare_listing(what) {
        Ok(ready) => ready,
        Err(stop) => return stopped(&stop, look),
    };
    diagnostics::report(&warnings, look);
    say(&text(ready.prepared(), listing, Paint::new(look.color_out)))
}

fn text(prepared: &Prepared, listing: Listing, paint: Paint) -> String {
    let mut lines = Vec::new();
    let mut playbook = "";
    for play in prepared.plays() {
        if play.playbook() != playbook {
            playbook = play.playbook();
            lines.push(paint.tone(Tone::Strong, &format!("playbook {playbook}")));
        }
        lines.push(format!("  play {} ({})", neutral_line(play.name()), batches(play)));
        if listing.list_hosts {
            lines.extend(play.hosts().map(|(host, _)| format!("    {}", neutral_line(host))));
        }
        if listing.list_tasks {
            tasks_of(play, &mut lines, paint);
        }
        if listing.list_tags {
            let tags: BTreeSet<&str> = play
                .hosts()
                .flat_map(|(_, host)| host.roles())
                .flat_map(|role| role.tasks())
                .flat_map(|task| task.tags())
                .map(String::as_str)
                .collect();
            let tags: Vec<&str> = tags.into_iter().collect();
            lines.push(format!("    tags: {}", tags.join(", ")));
        }
    }
    lines.join("\n")
}

fn batches(play: &PreparedPlay) -> String {
    let hosts = mosip_prov_report::text::count(play.hosts().count(), "host");
    match play.batches().len() {
        0 | 1 => hosts,
        n => format!("{hosts} in {n} batches"),
    }
}

/// The tasks of a play. Hosts that do the same are listed together.
fn tasks_of(play: &PreparedPlay, lines: &mut Vec<String>, paint: Paint) {
    let mut alike: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
    for (name, host) in play.hosts() {
        let tasks = tasks_of_host(host);
        match alike.iter_mut().find(|(t, _)| *t == tasks) {
            Some((_, hosts)) => hosts.push(name),
            None => alike.push((tasks, vec![name])),
        }
    }
    for (tasks, hosts) in alike {
        let hosts = neutral_line(&hosts.join(", "));
        lines.push(format!("    on {}", paint.tone(Tone::Strong, &hosts)));
        if tasks.is_empty() {
            lines.push("      nothing is selected".to_owned());
        }
        lines.extend(tasks.into_iter().map(|line| format!("      {line}")));
    }
}

fn tasks_of_host(host: &PreparedHost) -> Vec<String> {
    let mut lines = Vec::new();
    for role in host.roles() {
        let tasks = role.tasks().iter().map(|task| (task, ""));
        let handlers = role
            .handlers()
            .iter()
            .map(|task| (task, " (handler: only when notified)"));
        for (task, note) in tasks.chain(handlers) {
            let mut line = format!("{} : {}{note}", role.name(), neutral_line(task.name()));
            if !task.tags().is_empty() {
                let tags: Vec<&str> = task.tags().iter().map(String::as_str).collect();
                line.push_str(&format!("  [{}]", tags.join(", ")));
            }
            lines.push(line);
        }
    }
    lines
}
