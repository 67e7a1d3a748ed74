//! Raw data: one JSON object a line, written as it comes, so that what was measured before a failure is kept.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::sh::{Context, Result};

/// The data of one subject, as it grows.
pub struct Book {
    path: PathBuf,
    file: fs::File,
}

fn path(out: &Path, subject: &str) -> PathBuf {
    out.join("data").join(format!("{subject}.jsonl"))
}

impl Book {
    /// Begins anew, with what the machine is and how busy it was.
    pub fn begin(out: &Path, subject: &str, head: Value) -> Result<Self> {
        let path = path(out, subject);
        fs::create_dir_all(out.join("data")).doing("cannot make the folder of data")?;
        let file = fs::File::create(&path).doing(format!("cannot write {}", path.display()))?;
        let mut book = Self { path, file };
        book.add(&head)?;
        Ok(book)
    }

    /// One more line.
    pub fn add(&mut self, row: &Value) -> Result<()> {
        writeln!(self.file, "{row}").doing(format!("cannot write {}", self.path.display()))
    }

    /// The subject has been measured as far as it was to be.
    pub fn finish(mut self) -> Result<()> {
        self.add(&json!({"what": "finished"}))
    }
}

/// The data of a subject, as far as there is any.
pub fn load(out: &Path, subject: &str) -> Vec<Value> {
    let text = fs::read_to_string(path(out, subject)).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Whether the data of a subject was finished, in the same way and of the same commit.
pub fn is_finished(out: &Path, subject: &str, head: &Value) -> bool {
    let rows = load(out, subject);
    let same = |name: &str| rows.first().is_some_and(|first| first[name] == head[name]);
    rows.last().is_some_and(|last| last["what"] == "finished") && same("quick") && same("commit")
}

/// Median, least and most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// Of how many.
    pub count: usize,
}

/// Of these numbers; nothing when there are none.
pub fn spread(numbers: &[f64]) -> Option<Spread> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    };
    Some(Spread {
        median,
        least,
        most,
        count: sorted.len(),
    })
}

/// The rows of runs that fit: `hosts`, `rtt`, `loss`, `state`, … as in `wanted`.
pub fn select<'a>(rows: &'a [Value], who: &str, wanted: &Value) -> Vec<&'a Value> {
    let fits = |row: &&Value| {
        let pairs = wanted.as_object();
        row["what"] == "run"
            && row["who"] == who
            && pairs.is_none_or(|pairs| pairs.iter().all(|(name, value)| row[name.as_str()] == *value))
    };
    rows.iter().filter(fits).collect()
}

/// One number of the runs that fit and ended well; those of counted rounds only, for `wall` and `cpu`.
pub fn numbers(rows: &[Value], who: &str, wanted: &Value, name: &str) -> Vec<f64> {
    let timed = matches!(name, "wall" | "cpu");
    let runs = select(rows, who, wanted).into_iter();
    let good = runs.filter(|row| row["end"] == "fine" && (!timed || row["counts"] == true));
    good.filter_map(|row| row[name].as_f64()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_of_the_middle() {
        assert_eq!(spread(&[]), None);
        assert_eq!(
            spread(&[3.0, 1.0, 2.0]).map(|s| (s.median, s.least, s.most)),
            Some((2.0, 1.0, 3.0))
        );
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).map(|s| s.median), Some(2.5));
    }

    #[test]
    fn only_good_and_counted_runs_give_times() {
        let row = |end: &str, counts: bool, wall: f64| json!({"what": "run", "who": "a", "rtt": 0, "end": end, "counts": counts, "wall": wall});
        let rows = [
            row("fine", true, 1.0),
            row("failed", true, 9.0),
            row("fine", false, 8.0),
        ];
        assert_eq!(numbers(&rows, "a", &json!({"rtt": 0}), "wall"), [1.0]);
        assert!(numbers(&rows, "a", &json!({"rtt": 10}), "wall").is_empty());
        assert!(numbers(&rows, "b", &Value::Null, "wall").is_empty());
    }
}
