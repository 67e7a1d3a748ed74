//! The records by which an authority sees that a domain is ours.

/// A record to create.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TxtRecord {
    /// Its name, without a dot at the end.
    pub name: String,
    /// What it holds.
    pub value: String,
}

impl TxtRecord {
    /// The record for `domain`, with or without its wildcard (RFC 8555 §8.4: both have the same name).
    pub fn of(domain: &str, value: &str) -> Self {
        let domain = domain.strip_prefix("*.").unwrap_or(domain).trim_end_matches('.');
        Self {
            name: format!("_acme-challenge.{}", domain.to_ascii_lowercase()),
            value: value.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_has_the_name_of_its_domain() {
        assert_eq!(TxtRecord::of("*.Mosip.test.", "x"), TxtRecord::of("mosip.test", "x"));
        assert_eq!(TxtRecord::of("mosip.test", "x").name, "_acme-challenge.mosip.test");
    }
}
