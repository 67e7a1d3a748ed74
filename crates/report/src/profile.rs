//! Where the time of a run went, as a table at its end.

use crate::paint::{Paint, Tone};
use crate::summary::{Summary, task_name};
use crate::text::{cut, neutral_line, pad, width};
use mosip_prov_events::HostProfile;

/// More hosts than this are too many for a table: those that took longest are shown.
const HOSTS: usize = 20;

type Cell = fn(&HostProfile) -> String;

const COLUMNS: [(&str, Cell); 14] = [
    ("wall", |p| time(p.wall_us)),
    ("forks", |p| time(p.forks_us)),
    ("connect", |p| time(p.connect_us)),
    ("login", |p| time(p.authenticate_us)),
    ("sudo", |p| time(p.sudo_us)),
    ("wire", |p| time(p.exchange_us)),
    ("remote", |p| time(p.remote_us)),
    ("upload", |p| time(p.upload_us)),
    ("decide", |p| time(p.decide_us)),
    ("pauses", |p| time(p.pause_us)),
    ("other", |p| time(p.other_us)),
    ("exchanges", |p| p.exchanges.to_string()),
    ("sent", |p| bytes(p.bytes_out)),
    ("received", |p| bytes(p.bytes_in)),
];

/// The lines of the table and of the slowest tasks. Empty when the run has not ended, or told nothing.
pub(crate) fn render(run: &Summary, paint: Paint) -> Vec<String> {
    let Some(ending) = run.ending.as_ref().filter(|e| !e.profile.is_empty()) else {
        return Vec::new();
    };
    let mut hosts: Vec<(&String, &HostProfile)> = ending.profile.iter().collect();
    let mut sum = HostProfile::default();
    hosts.iter().for_each(|(_, p)| sum.add(p));
    let all = hosts.len();
    if all > HOSTS {
        hosts.sort_by_key(|(_, p)| std::cmp::Reverse(p.wall_us));
        hosts.truncate(HOSTS);
    }
    let mut rows: Vec<(String, [String; 14])> = hosts
        .iter()
        .map(|(host, p)| (neutral_line(host), COLUMNS.map(|(_, cell)| cell(p))))
        .collect();
    rows.push((format!("all {all}"), COLUMNS.map(|(_, cell)| cell(&sum))));
    let names = rows.iter().map(|(host, _)| width(host)).max().unwrap_or(0).clamp(4, 40);
    let widths: Vec<usize> = COLUMNS
        .iter()
        .enumerate()
        .map(|(i, (heading, _))| {
            rows.iter()
                .map(|(_, cells)| width(&cells[i]))
                .max()
                .unwrap_or(0)
                .max(width(heading))
        })
        .collect();
    let line = |first: &str, cells: Vec<&str>| {
        let mut line = pad(&cut(first, names), names);
        for (cell, columns) in cells.iter().zip(&widths) {
            line.push_str(&format!("  {cell:>columns$}"));
        }
        line
    };
    let mut lines = vec![String::new(), paint.tone(Tone::Strong, "PROFILE")];
    lines.push(paint.tone(
        Tone::Faint,
        &line("host", COLUMNS.iter().map(|(heading, _)| *heading).collect()),
    ));
    lines.extend(
        rows.iter()
            .map(|(host, cells)| line(host, cells.iter().map(String::as_str).collect())),
    );
    if all > HOSTS {
        lines.push(format!(
            "the {HOSTS} hosts that took longest are shown, all are counted"
        ));
    }
    if !run.slowest.is_empty() {
        lines.extend([String::new(), "slowest:".to_owned()]);
        lines.extend(run.slowest.iter().map(|(milliseconds, task)| {
            format!(
                "  {:>8}  {}  {}",
                time(milliseconds * 1000),
                neutral_line(&task.host),
                task_name(task)
            )
        }));
    }
    lines
}

fn time(us: u64) -> String {
    match us {
        0 => "-".to_owned(),
        1..10_000 => format!("{:.1}ms", us as f64 / 1e3),
        10_000..10_000_000 => format!("{}ms", (us + 500) / 1000),
        _ => format!("{:.1}s", us as f64 / 1e6),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0 => "-".to_owned(),
        1..10_000 => format!("{count}"),
        10_000..10_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_bytes_are_short() {
        assert_eq!(
            [0, 40, 9_949, 80_400, 12_340_000].map(time),
            ["-", "0.0ms", "9.9ms", "80ms", "12.3s"]
        );
        assert_eq!([0, 843, 36_864, 200_000_000].map(bytes), ["-", "843", "36k", "200M"]);
    }
}
