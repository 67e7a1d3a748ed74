//! The records as lines of a zone file, by RFC 1035, section 5.

use super::records::{Kind, Record};
use std::fmt::Write as _;

/// How long resolvers may keep the records, in seconds: short, so that a mistake is soon mended.
const TTL: u32 = 300;

/// The part of the zone of `domain` that holds `records`: to be put into a zone that has its SOA and NS records. Names
/// that do not belong to the domain stand there as remarks, since they must be created in another zone.
pub fn zone(domain: &str, records: &[Record]) -> String {
    let mut text = format!("; Records of {domain}.\n$ORIGIN {domain}.\n$TTL {TTL}\n");
    let names: Vec<Option<String>> = records.iter().map(|record| relative(&record.name, domain)).collect();
    let width = names.iter().flatten().map(String::len).max().unwrap_or(0);
    let values: Vec<String> = records.iter().map(|record| value(record, domain)).collect();
    let value_width = values.iter().map(String::len).max().unwrap_or(0);
    for ((record, name), value) in records.iter().zip(&names).zip(&values) {
        let remark = match record.optional {
            true => format!("optional: {}", record.purpose),
            false => record.purpose.clone(),
        };
        let _ = match name {
            Some(name) => writeln!(
                text,
                "{name:width$} IN {:5} {value:value_width$} ; {remark}",
                record.kind
            ),
            None => writeln!(
                text,
                "; in another zone: {}. IN {} {value} ; {remark}",
                record.name, record.kind
            ),
        };
    }
    text
}

/// `name` as it is written below `$ORIGIN domain.`; `None` when it does not belong there.
fn relative(name: &str, domain: &str) -> Option<String> {
    if name == domain {
        return Some("@".to_owned());
    }
    let label = name.strip_suffix(domain)?.strip_suffix('.')?;
    Some(label.to_owned())
}

fn value(record: &Record, domain: &str) -> String {
    match record.kind {
        Kind::A | Kind::Aaaa => record.value.clone(),
        Kind::Cname => relative(&record.value, domain).unwrap_or_else(|| format!("{}.", record.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::{records, tests::site};
    use super::*;

    #[test]
    fn lines_of_a_zone_file() {
        let mut site = site();
        let front = site.front.as_mut().expect("a front");
        front.public_names = vec!["esignet.other.test".into(), "notmosip.test".into()];
        let text = zone("mosip.test", &records(&site));
        let squeezed: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for wanted in [
            "$ORIGIN mosip.test.",
            "rancher IN A 10.1.0.32 ; Rancher, which manages the clusters",
            "prereg IN CNAME api ; pre-registration portal",
            "kibana IN CNAME api-internal ; optional: dashboards of reports and logs",
            "; in another zone: esignet.other.test. IN CNAME api ; a name of nginx_public_domain_names",
            "; in another zone: notmosip.test. IN CNAME api ; a name of nginx_public_domain_names",
        ] {
            assert!(squeezed.contains(&wanted.to_owned()), "{wanted}\n{text}");
        }
        assert!(
            squeezed.iter().any(|line| line.starts_with("@ IN A 10.1.0.31 ;")),
            "{text}"
        );
    }
}
