//! What checks found, as a table: one heading for each area, one line for each thing that was looked at, and under what is
//! not right what to do about it.

use crate::paint::{Paint, Tone};
use crate::text::{count, neutral, neutral_line, pad, width};
use mosip_prov_events::{Finding, Findings, Level};

/// The widest a subject may be before the lines after it are pushed to the right.
const SUBJECT: usize = 44;

/// The table of `findings`, and a last line with the counts. With `brief`, what is as it should be is only counted.
pub fn table(findings: &Findings, paint: Paint, brief: bool) -> String {
    let mut out = String::new();
    let mut areas: Vec<&str> = Vec::new();
    for finding in &findings.findings {
        if !areas.contains(&finding.area.as_str()) {
            areas.push(&finding.area);
        }
    }
    for area in areas {
        let of_area: Vec<&Finding> = findings.findings.iter().filter(|f| f.area == area).collect();
        out.push_str(&paint.tone(Tone::Strong, &neutral_line(area).to_uppercase()));
        out.push('\n');
        let shown: Vec<&&Finding> = of_area.iter().filter(|f| !brief || f.level != Level::Ok).collect();
        let widest = shown.iter().map(|f| width(&neutral_line(&f.subject))).max();
        let widest = widest.unwrap_or_default().min(SUBJECT);
        for finding in &shown {
            line(&mut out, finding, widest, paint);
        }
        let hidden = of_area.len() - shown.len();
        if hidden > 0 {
            let rest = format!("  ok       {}", count(hidden, "check"));
            out.push_str(&paint.tone(Tone::Faint, &rest));
            out.push('\n');
        }
    }
    out.push('\n');
    out.push_str(&counts(findings, paint));
    out.push('\n');
    out
}

/// One line for `finding`, and its remedy under it.
fn line(out: &mut String, finding: &Finding, widest: usize, paint: Paint) {
    let (tone, word) = match finding.level {
        Level::Ok => (Tone::Good, "ok"),
        Level::Warning => (Tone::Notice, "warning"),
        Level::Failure => (Tone::Bad, "FAILURE"),
    };
    let subject = pad(&neutral_line(&finding.subject), widest);
    out.push_str(&format!("  {}  {subject}  ", paint.tone(tone, &pad(word, 7))));
    let indent = " ".repeat(13 + widest);
    let mut lines = neutral(finding.message.trim_end()).into_owned();
    lines = lines.replace('\n', &format!("\n{indent}"));
    out.push_str(&lines);
    out.push('\n');
    if let Some(remedy) = finding.remedy.as_deref().filter(|_| finding.level != Level::Ok) {
        let remedy = neutral(remedy.trim_end()).replace('\n', &format!("\n{indent}      "));
        out.push_str(&format!("{indent}{} {remedy}\n", paint.tone(Tone::Faint, "help:")));
    }
}

/// `41 ok, 2 warnings, 1 failure`.
pub fn counts(findings: &Findings, paint: Paint) -> String {
    let some = |number: usize, noun: &str, tone: Tone| match number {
        0 => count(0, noun),
        _ => paint.tone(tone, &count(number, noun)),
    };
    format!(
        "{} ok, {}, {}",
        findings.ok,
        some(findings.warnings, "warning", Tone::Notice),
        some(findings.failures, "failure", Tone::Bad),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Findings {
        Findings::from(vec![
            Finding::ok("dns", "record", "api.example.org", "A 192.0.2.1"),
            Finding::failure(
                "dns",
                "record",
                "iam.example.org",
                "there is none",
                "create it\nand wait",
            ),
            Finding::warning(
                "hosts",
                "release",
                "vm1",
                "Debian 12\x1b[2J",
                "Ubuntu 22.04 is the guide's",
            ),
        ])
    }

    #[test]
    fn a_table_with_what_to_do() {
        let shown = table(&some(), Paint::new(false), false);
        let expected = "DNS\n  \
             ok       api.example.org  A 192.0.2.1\n  \
             FAILURE  iam.example.org  there is none\n                            help: create it\n                                  and wait\n\
             HOSTS\n  \
             warning  vm1  Debian 12\\x1b[2J\n                help: Ubuntu 22.04 is the guide's\n\n\
             1 ok, 1 warning, 1 failure\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn in_brief_what_is_right_is_counted() {
        let shown = table(&some(), Paint::new(false), true);
        assert!(shown.starts_with("DNS\n  FAILURE  iam.example.org"), "{shown}");
        assert!(shown.contains("\n  ok       1 check\n"), "{shown}");
    }
}
