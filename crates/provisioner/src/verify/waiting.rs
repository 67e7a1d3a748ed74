//! What a verification waits for.

use mosip_prov_events::Finding;
use std::fmt;
use std::time::Duration;

/// What is waited for, told after each look.
#[derive(Debug, Clone)]
pub struct Waiting<'w> {
    /// What is not well yet, at least one.
    pub failures: &'w [Finding],
    /// How much time is left.
    pub left: Duration,
}

/// As many things as a line about what is waited for names.
const NAMED: usize = 3;

impl fmt::Display for Waiting<'_> {
    /// `waiting for 4: vm3 (node_missing), cattle-system/rancher-0 (image_pull), … and 1 more`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.failures.iter().take(NAMED);
        let named: Vec<String> = named.map(|one| format!("{} ({})", one.subject, one.check)).collect();
        write!(f, "waiting for {}: {}", self.failures.len(), named.join(", "))?;
        match self.failures.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_fits_a_line() {
        let failures: Vec<Finding> = (1..=5)
            .map(|number| Finding::failure("nodes", "node_missing", format!("vm{number}"), "it is missing", "look"))
            .collect();
        let line = |failures| {
            let left = Duration::ZERO;
            Waiting { failures, left }.to_string()
        };
        let wanted = "waiting for 5: vm1 (node_missing), vm2 (node_missing), vm3 (node_missing) and 2 more";
        assert_eq!(line(&failures), wanted);
        assert_eq!(line(&failures[..1]), "waiting for 1: vm1 (node_missing)");
    }
}
