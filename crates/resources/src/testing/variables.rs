//! Variables of a role changed one at a time: what differs then, and that nothing else does.

use mosip_prov_engine::inventory::yaml;
use std::collections::BTreeSet;

/// Variables as YAML, the first of them the row's own, and the lines that differ from those without them, sorted: a line
/// that is gone without another of its field in its place with a `-`.
pub type Row = (&'static str, &'static [&'static str]);

/// Lines of `after` that `before` has not, as often as they are more, and lines that are gone without another of their
/// field in their place, with a `-`. A field is what stands before the first `:` or `=`.
pub fn differences(before: &[String], after: &[String]) -> Vec<String> {
    let came = missing(after, before);
    let field = |line: &str| line.split([':', '=']).next().unwrap_or_default().to_owned();
    let gone = missing(before, after);
    let gone = gone
        .iter()
        .filter(|line| !came.iter().any(|other| field(other) == field(line)));
    let mut all: Vec<String> = gone.map(|line| format!("-{line}")).chain(came.clone()).collect();
    all.sort();
    all
}

/// Lines of `from` that `of` has not, as often as they are more.
fn missing(from: &[String], of: &[String]) -> Vec<String> {
    let mut left = of.to_vec();
    let is_missing = |line: &&String| match left.iter().position(|other| other == *line) {
        Some(at) => {
            left.swap_remove(at);
            false
        }
        None => true,
    };
    from.iter().filter(is_missing).cloned().collect()
}

/// Holds each row against what `made` makes of variables: lines `FIELD: VALUE` of settings, tasks, files. `base` are the
/// variables that every row has beside its own.
///
/// # Panics
/// A row differs in something else than it says; all such rows are told, in the form that would be right.
pub fn hold(made: impl Fn(&str) -> Vec<String>, base: &str, rows: &[Row]) {
    let before = made(base);
    let mut wrong = String::new();
    for (variables, wanted) in rows {
        let found = differences(&before, &made(&format!("{base}{variables}\n")));
        if found != *wanted {
            wrong += &format!("{variables:?}\n  &{found:?},\n");
        }
    }
    assert!(wrong.is_empty(), "these differ in something else:\n{wrong}");
}

/// Sees that each variable of `defaults` (a role's, as YAML) has a row in a table, or is named in `elsewhere`.
///
/// # Panics
/// One has none, or `defaults` cannot be read.
pub fn have_rows(defaults: &str, tables: &[&[Row]], elsewhere: &[&str]) {
    let Ok(defaults) = yaml::parse_vars(defaults, "<defaults>") else {
        panic!("the defaults cannot be read");
    };
    let all: BTreeSet<String> = defaults.keys().map(ToString::to_string).collect();
    let of = |row: &Row| row.0.split(':').next().unwrap_or_default().to_owned();
    let rows = tables.iter().flat_map(|rows| rows.iter().map(of));
    let rows: BTreeSet<String> = rows.chain(elsewhere.iter().map(ToString::to_string)).collect();
    assert_eq!(all.difference(&rows).collect::<Vec<_>>(), [""; 0], "these have no row");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_came_what_changed_and_what_is_gone() {
        let before = lines("a: 1\nb: 1\nc: 1\nd: 1\nd: 1");
        let after = lines("a: 1\nb: 2\nd: 1\nd: 1\nd: 1\ne: 1");
        assert_eq!(differences(&before, &after), ["-c: 1", "b: 2", "d: 1", "e: 1"]);
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn rows_that_are_right_hold() {
        let made = |vars: &str| lines(&format!("x: 1\n{vars}"));
        hold(made, "y: 1\n", &[("z: 2", &["z: 2"]), ("y: 1", &["y: 1"])]);
        have_rows("z: 1\ny: 1\nw: 1\n", &[&[("z: 2", &[]), ("y: 1", &[])]], &["w"]);
    }

    #[test]
    #[should_panic(expected = "these differ in something else")]
    fn a_row_that_says_too_little_does_not() {
        hold(|vars| lines(&format!("{vars}also: 1")), "", &[("z: 2", &[])]);
    }

    #[test]
    #[should_panic(expected = "these have no row")]
    fn a_variable_without_a_row_is_named() {
        have_rows("z: 1\ny: 1\n", &[&[("z: 2", &[])]], &[]);
    }
}
