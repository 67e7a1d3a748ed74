//! What `certificates` says while it waits.

use crate::output::say;
use mosip_prov::certificates::{Lack, Progress, TxtRecord};
use mosip_prov_report::text::neutral_line;
use std::time::{Duration, SystemTime};

/// How often it is said that nothing has changed.
const STILL: Duration = Duration::from_secs(60);

/// What was said last, so that the same is not said every few seconds.
#[derive(Default)]
pub(super) struct Said {
    lacks: Vec<Lack>,
    at: Duration,
}

impl Said {
    /// Says it.
    pub(super) fn tell(&mut self, progress: &Progress) {
        match progress {
            Progress::Create(records) => {
                say(&to_create(records));
            }
            Progress::Created(records) => {
                say(&format!(
                    "the hook has run for {} records; waiting until the zone's nameservers show them",
                    records.len()
                ));
            }
            Progress::Waiting { lacks, waited } => {
                if *lacks != self.lacks || *waited >= self.at + STILL {
                    for line in lines_of(lacks) {
                        say(&format!("  {:>4} s  {line}", waited.as_secs()));
                    }
                    self.lacks.clone_from(lacks);
                    self.at = *waited;
                }
            }
            Progress::Seen => {
                say("all nameservers of the zone show them; the authority looks now");
            }
            Progress::Needless(records) => {
                let mut names: Vec<&str> = records.iter().map(|r| r.name.as_str()).collect();
                names.dedup();
                say(&format!("the records can go now: TXT {}", names.join(", ")));
            }
        }
    }
}

fn to_create(records: &[TxtRecord]) -> String {
    let mut lines = vec![match records.len() {
        1 => "create this record:".to_owned(),
        n => format!(
            "create these {n} records, all of them; a name may have several values, and none may be taken out for another:"
        ),
    }];
    lines.push(String::new());
    lines.extend(
        records
            .iter()
            .map(|r| format!("  {}.  60  IN  TXT  \"{}\"", r.name, neutral_line(&r.value))),
    );
    lines.push(String::new());
    lines.push("waiting until the zone's nameservers show them; Ctrl-C stops".to_owned());
    lines.join("\n")
}

/// What the servers lack, a line for each.
pub(super) fn lines_of(lacks: &[Lack]) -> Vec<String> {
    let quoted = |values: &[String]| {
        values
            .iter()
            .map(|v| format!("\"{v}\""))
            .collect::<Vec<_>>()
            .join(" and ")
    };
    lacks
        .iter()
        .map(|lack| {
            let who = lack.server.as_ref().map(|s| format!("{} ({})", s.name, s.address.ip()));
            let text = match (&who, &lack.problem) {
                (Some(who), Some(problem)) => format!("{who} does not answer: {problem}"),
                (None, Some(problem)) => problem.clone(),
                (who, None) => {
                    let who = who.as_deref().unwrap_or("a nameserver");
                    let mut text = format!("{who} lacks {} at {}", quoted(&lack.missing), lack.name);
                    if !lack.others.is_empty() {
                        text += &format!("; it shows {}, which is not asked for", quoted(&lack.others));
                    }
                    text
                }
            };
            neutral_line(&text)
        })
        .collect()
}

/// The day of a time, in UTC.
pub(super) fn date(time: SystemTime) -> String {
    let days = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
        / 86_400;
    // Days since 1 March of the year 0, in eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = match month {
        0..=9 => (month + 3, year + era * 400),
        _ => (month - 9, year + era * 400 + 1),
    };
    format!("{year:04}-{month:02}-{of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        for (seconds, wanted) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_795_478_400, "2026-11-24"),
            (4_102_444_799, "2099-12-31"),
        ] {
            assert_eq!(date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), wanted);
        }
    }

    #[test]
    fn both_records_are_shown_and_what_is_wrong_is_said() {
        let text = to_create(&[TxtRecord::of("mosip.test", "one"), TxtRecord::of("*.mosip.test", "two")]);
        assert!(
            text.contains("_acme-challenge.mosip.test.  60  IN  TXT  \"one\""),
            "{text}"
        );
        assert!(text.contains("\"two\"") && text.contains("these 2 records"), "{text}");
        let lack = Lack {
            server: Some(mosip_prov::certificates::Server {
                name: "ns1.mosip.test".into(),
                address: "192.0.2.53:53".parse().expect("an address"),
            }),
            name: "_acme-challenge.mosip.test".into(),
            missing: vec!["one".into()],
            others: vec!["x".into()],
            problem: None,
        };
        assert_eq!(
            lines_of(&[lack]),
            [
                "ns1.mosip.test (192.0.2.53) lacks \"one\" at _acme-challenge.mosip.test; it shows \"x\", which is not asked for"
            ]
        );
    }
}
