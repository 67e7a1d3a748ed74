//! The page of results: tables and charts made of the raw data, between two marks of `README.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::contestants::Contestant;
use super::figures;
use super::record::{self, Spread, numbers, select, spread};
use super::svg::{self, Group};
use crate::sh::{self, Context, Error, Result};

const BEGIN: &str = "<!-- results: begin (written by cargo xtask bench) -->";
const END: &str = "<!-- results: end -->";

/// All subjects with raw data, and their headings.
const SUBJECTS: [(&str, &str); 5] = [
    ("peers", "Six nodes that are right already"),
    ("many", "100 and 1000 addresses at once"),
    ("files", "Small files, 26 ms away"),
    ("upload", "A large file onto six hosts"),
    ("cold", "Six new machines"),
];

/// The per cent of its processors above which a machine is no quiet one any more.
const QUIET: f64 = 15.0;

/// Writes the page's results and the charts.
pub fn write(out: &Path) -> Result<()> {
    let page = out.join("README.md");
    let text = fs::read_to_string(&page).unwrap_or_else(|_| format!("# Results\n\n{BEGIN}\n{END}\n"));
    let results = results(out)?;
    sh::write(&page, put(&text, &results)?)?;
    println!("written     {}", page.display());
    Ok(())
}

fn put(page: &str, results: &str) -> Result<String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or_else(|| Error(format!("README.md lacks the lines {BEGIN} and {END}")))?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", results.trim()))
}

fn results(out: &Path) -> Result<String> {
    let data: Vec<_> = SUBJECTS
        .iter()
        .map(|(subject, heading)| (*subject, *heading, record::load(out, subject)))
        .filter(|(_, _, rows)| !rows.is_empty())
        .collect();
    if data.is_empty() {
        return Ok("No results are kept here yet.".into());
    }
    let mut text = String::from(
        "### What is asked, and what was measured\n\n| what | asked | measured | reached |\n|---|---|---|---|\n",
    );
    for figure in figures::all(out) {
        let measured = figure.measured.clone().unwrap_or_else(|| "–".into());
        let _ = writeln!(
            text,
            "| {} | {} | {measured} | {} |",
            figure.what,
            figure.asked,
            figure.verdict()
        );
    }
    text.push_str(&machine(&data));
    for (subject, heading, rows) in &data {
        let _ = write!(text, "\n### {heading}\n\n");
        let finished = rows.last().is_some_and(|row| row["what"] == "finished");
        if !finished {
            text.push_str("**This subject did not run to its end.**\n\n");
        }
        for (file, chart) in charts(subject, rows) {
            fs::create_dir_all(out).doing("cannot make the folder of results")?;
            sh::write(&out.join(&file), chart)?;
            let _ = write!(text, "![{heading}]({file})\n\n");
        }
        text.push_str(&table(rows));
        text.push_str(&cut_connections(rows));
        text.push_str(&agreements(rows));
        text.push_str(&left_out(rows));
        let _ = write!(text, "\nRaw data: [data/{subject}.jsonl](data/{subject}.jsonl)\n");
    }
    Ok(text)
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".into(),
        other => other.to_string(),
    }
}

fn machine(data: &[(&str, &str, Vec<Value>)]) -> String {
    let mut text = String::from("\n### The machine and the versions\n\n| what | |\n|---|---|\n");
    if let Some(head) = data.first().and_then(|(_, _, rows)| rows.first()) {
        for name in ["processor", "processors", "memory", "kernel", "system", "hosts"] {
            let _ = writeln!(text, "| {name} | {} |", word(&head[name]));
        }
        for pair in head["versions"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "| {} | {} |", word(&pair[0]), word(&pair[1]));
        }
    }
    text.push_str("\n| subject | when | commit | rounds | processors busy before |\n|---|---|---|---|---|\n");
    for (subject, _, rows) in data {
        let Some(head) = rows.first() else { continue };
        let before = head["busy"].as_f64().unwrap_or(0.0);
        let busy = if before > QUIET {
            " **(a busy machine: good for ratios at best)**"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "| {subject} | {} | {} | {} | {before:.0} %{busy} |",
            word(&head["date"]),
            word(&head["commit"]),
            if head["quick"] == true {
                "few (`--quick`)"
            } else {
                "all"
            },
        );
    }
    text
}

/// The circumstances that occur, in order, without those of preparations for others.
fn cells(rows: &[Value]) -> Vec<(String, Value)> {
    let mut seen: Vec<(String, Value)> = Vec::new();
    for row in rows.iter().filter(|row| row["what"] == "run" && row["state"] != "made") {
        let cell = json!({"hosts": row["hosts"], "rtt": row["rtt"], "loss": row["loss"], "state": row["state"]});
        let one = (word(&row["who"]), cell);
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen.sort_by_key(|(_, cell)| {
        let number = |name: &str| cell[name].as_u64().unwrap_or(0);
        (number("hosts"), number("loss"), number("rtt"), word(&cell["state"]))
    });
    seen
}

fn seconds(spread: Option<Spread>) -> String {
    let Some(Spread {
        median,
        least,
        most,
        count,
    }) = spread
    else {
        return "–".into();
    };
    let digits = if median < 10.0 { 2 } else { 1 };
    match count {
        1 => format!("{median:.digits$}"),
        _ => format!("**{median:.digits$}** ({least:.digits$}–{most:.digits$})"),
    }
}

fn table(rows: &[Value]) -> String {
    let mut text = String::from(
        "| hosts | round trip | loss | state | who | runs | seconds: median (least–most) | processor seconds | \
         peak memory, MiB | KiB to / from a host | round trips of a host |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (who, cell) in cells(rows) {
        let of = |name: &str| spread(&numbers(rows, &who, &cell, name));
        let hosts = cell["hosts"].as_f64().unwrap_or(1.0);
        let runs = select(rows, &who, &cell);
        let counted = runs.iter().filter(|row| row["counts"] == true).count();
        let bad = runs.iter().filter(|row| row["end"] != "fine").count();
        let own = of("hwm_kib").filter(|_| who == Contestant::Ours.name());
        let memory = own
            .or_else(|| of("pss_kib"))
            .map_or("–".into(), |spread| format!("{:.0}", spread.most / 1024.0));
        let kib = |name: &str| of(name).map(|spread| spread.median / 1024.0 / hosts);
        let bytes = match (kib("bytes_up"), kib("bytes_down")) {
            (Some(up), Some(down)) => format!("{up:.0} / {down:.0}"),
            _ => "–".into(),
        };
        let trips = of("round_trips").map_or("–".into(), |spread| format!("{:.0}", spread.median));
        let runs = if bad > 0 {
            format!("{counted}, {bad} not well")
        } else {
            counted.to_string()
        };
        let _ = writeln!(
            text,
            "| {} | {} ms | {} % | {} | {who} | {runs} | {} | {} | {memory} | {bytes} | {trips} |",
            word(&cell["hosts"]),
            word(&cell["rtt"]),
            word(&cell["loss"]),
            word(&cell["state"]),
            seconds(of("wall")),
            seconds(of("cpu")),
        );
    }
    text
}

/// What became of connections that were cut.
fn cut_connections(rows: &[Value]) -> String {
    let mut text = String::new();
    for (who, cell) in cells(rows).into_iter().filter(|(_, cell)| cell["loss"] != 0) {
        let runs = select(rows, &who, &cell);
        let sum = |name: &str| runs.iter().filter_map(|row| row[name].as_u64()).sum::<u64>();
        let bad: Vec<_> = runs.iter().filter(|row| row["end"] != "fine").collect();
        let words = bad.first().map(|row| word(&row["words"])).unwrap_or_default();
        if text.is_empty() {
            text.push_str(
                "\nConnections that were cut:\n\n| who | runs | connections | cut | runs that failed | in their own words |\n\
                 |---|---|---|---|---|---|\n",
            );
        }
        let _ = writeln!(
            text,
            "| {who} | {} | {} | {} | {} | {} |",
            runs.len(),
            sum("connections"),
            sum("cut"),
            bad.len(),
            words.replace('|', "\\|")
        );
    }
    text
}

fn agreements(rows: &[Value]) -> String {
    let mut text = String::new();
    for row in rows {
        let same = row["same"] == true;
        match row["what"].as_str() {
            Some("agreement") => {
                let _ = writeln!(
                    text,
                    "- {}: after {}, {} finds {} to change",
                    if same { "agreed" } else { "**not agreed**" },
                    word(&row["state_of"]),
                    word(&row["asked"]),
                    if same {
                        "nothing".to_owned()
                    } else {
                        word(&row["changed"])
                    },
                );
            }
            Some("files" | "upload") if !same => {
                let _ = writeln!(
                    text,
                    "- **what {} wrote is not what was to be written**",
                    word(&row["who"])
                );
            }
            _ => {}
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("\nThe end state:\n\n{text}")
    }
}

fn left_out(rows: &[Value]) -> String {
    let mut text = String::new();
    let mut seen = Vec::new();
    for row in rows {
        let line = match (row["what"].as_str(), row["end"].as_str()) {
            (Some("left out"), _) => format!("left out: {}", word(&row["why"])),
            (Some("run"), Some("failed" | "too long")) if row["loss"] == 0 => {
                format!("{}: {}", word(&row["end"]), word(&row["words"]))
            }
            _ => continue,
        };
        let line = format!(
            "- {}, {} hosts, {} ms, {} — {line}\n",
            word(&row["who"]),
            word(&row["hosts"]),
            word(&row["rtt"]),
            word(&row["state"]),
        );
        if !seen.contains(&line) {
            text.push_str(&line);
            seen.push(line);
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("\nLeft out, and what did not end well:\n\n{text}")
    }
}

/// The charts of a subject: file names and what they hold.
fn charts(subject: &str, rows: &[Value]) -> Vec<(String, String)> {
    let mut groups: Vec<Group> = Vec::new();
    let mut memory: Vec<Group> = Vec::new();
    for (who, cell) in cells(rows) {
        if cell["loss"] != 0 || cell["state"] == "warm, fewer tasks" {
            continue;
        }
        let state = word(&cell["state"]);
        let state = if state == "warm" {
            "nothing to change"
        } else {
            "everything to change"
        };
        let label = format!("{} hosts, {} ms, {state}", word(&cell["hosts"]), word(&cell["rtt"]));
        let label = if cell["hosts"] == 1 {
            label.replace("hosts", "host")
        } else {
            label
        };
        let add = |groups: &mut Vec<Group>, value: Option<f64>, text: &dyn Fn(f64) -> String| {
            let Some(value) = value else { return };
            if groups.last().is_none_or(|group| group.label != label) {
                groups.push(Group {
                    label: label.clone(),
                    bars: Vec::new(),
                });
            }
            if let Some(group) = groups.last_mut() {
                group.bars.push((who.clone(), value, text(value)));
            }
        };
        let of = |name: &str| spread(&numbers(rows, &who, &cell, name));
        add(&mut groups, of("wall").map(|spread| spread.median), &|value| {
            format!("{value:.2} s")
        });
        let most = of("hwm_kib")
            .filter(|_| who == Contestant::Ours.name())
            .or_else(|| of("pss_kib"));
        add(&mut memory, most.map(|spread| spread.most / 1024.0), &|value| {
            format!("{value:.0} MiB")
        });
    }
    let heading = SUBJECTS
        .iter()
        .find(|(name, _)| *name == subject)
        .map_or(subject, |(_, heading)| heading);
    let mut made = Vec::new();
    if !groups.is_empty() {
        made.push((
            format!("{subject}.svg"),
            svg::bars(heading, "seconds, median, logarithmic", &groups),
        ));
    }
    if matches!(subject, "peers" | "many") && !memory.is_empty() {
        let title = format!("{heading}: peak memory of the controller");
        made.push((
            format!("{subject}-memory.svg"),
            svg::bars(&title, "MiB, logarithmic", &memory),
        ));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = format!("# Title\n\nwords\n\n{BEGIN}\nold\n{END}\n\nmore words\n");
        let new = put(&page, "new").expect("put");
        assert_eq!(
            new,
            format!("# Title\n\nwords\n\n{BEGIN}\n\nnew\n\n{END}\n\nmore words\n")
        );
        assert_eq!(put(&new, "new").expect("put again"), new);
        assert!(put("# no marks", "new").is_err());
    }

    #[test]
    fn the_table_tells_medians_failures_and_what_was_left_out() {
        let run = |wall: f64, end: &str| {
            json!({"what": "run", "who": "pyinfra", "hosts": 6, "rtt": 10, "loss": 0, "state": "warm", "counts": true,
                   "wall": wall, "cpu": 1.0, "pss_kib": 61_440, "bytes_up": 12_288, "bytes_down": 6144,
                   "round_trips": 40, "end": end, "words": "x | y"})
        };
        let rows = [
            run(4.0, "fine"),
            run(5.0, "fine"),
            run(99.0, "failed"),
            json!({"what": "left out", "who": "Ansible", "hosts": 1000, "rtt": 0, "state": "warm", "why": "too slow"}),
        ];
        let text = table(&rows);
        assert!(
            text.ends_with("| 6 | 10 ms | 0 % | warm | pyinfra | 3, 1 not well | **4.50** (4.00–5.00) | **1.00** (1.00–1.00) | 60 | 2 / 1 | 40 |\n"),
            "{text}"
        );
        let left = left_out(&rows);
        assert!(
            left.contains("Ansible, 1000 hosts, 0 ms, warm — left out: too slow"),
            "{left}"
        );
        assert!(left.contains("pyinfra, 6 hosts, 10 ms, warm — failed: x | y"), "{left}");
        let charts = charts("peers", &rows);
        assert_eq!(
            charts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["peers.svg", "peers-memory.svg"]
        );
    }
}
