//! Versions in what programs say of themselves.

use regex::Regex;

/// The first version that `output` names: digits with dots between them, and what belongs to them.
///
/// ```
/// use mosip_prov_resources::versions::first_in;
/// assert_eq!(first_in("Client Version: v1.21+ (built today)").as_deref(), Some("1.21"));
/// assert_eq!(first_in("helm v3.13.1+g3547a4b").as_deref(), Some("3.13.1+g3547a4b"));
/// ```
pub fn first_in(output: &str) -> Option<String> {
    let pattern = Regex::new(r"\d+\.\d+(\.\d+)*[-+A-Za-z0-9.]*").ok()?;
    let found = pattern.find(output)?.as_str();
    Some(found.trim_end_matches(['.', '-', '+']).to_owned())
}

/// The numbers of a version, `[1, 22, 9]`, those that are missing as zeros. A leading `v` and what follows the numbers, as a
/// vendor's `+` and a pre-release, do not count.
pub fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut out = [0; 3];
    let core = version
        .trim_start_matches('v')
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .next()?;
    let parts: Vec<&str> = core.split('.').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return None;
    }
    for (place, part) in out.iter_mut().zip(parts) {
        *place = part.parse().ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_and_read() {
        for (output, version, wanted) in [
            ("  gitVersion: v1.20.2", "1.20.2", [1, 20, 2]),
            ("gitVersion: \"v1.20+\"", "1.20", [1, 20, 0]),
            ("v1.21.5-eks-bc4871b", "1.21.5-eks-bc4871b", [1, 21, 5]),
            ("1.31.0-rc.1", "1.31.0-rc.1", [1, 31, 0]),
            ("jq-1.6", "1.6", [1, 6, 0]),
            ("Terraform v1.2.9\non linux_amd64", "1.2.9", [1, 2, 9]),
        ] {
            let found = first_in(output).expect(output);
            assert_eq!((found.as_str(), numbers(&found)), (version, Some(wanted)), "{output}");
        }
        assert_eq!(first_in("no version 7 here"), None);
        assert_eq!(numbers("1.20+"), Some([1, 20, 0]));
        assert_eq!(numbers("v2"), Some([2, 0, 0]));
        for none in ["", "v", "latest", "99999999999999999999.1"] {
            assert_eq!(numbers(none), None, "{none}");
        }
    }
}
