//! Certificates: pairs of files, and what a server shows.

use crate::input::Input;
use mosip_prov_preflight::certificates::Trusted;
use mosip_prov_preflight::fuzzing;

/// 24 November 2026.
const NOW: u64 = 1_795_521_600;

/// What is said of them is the same each time, and holds nothing of the key. The first byte chooses: a certificate file and a key file
/// with a NUL between; or certificates as a server sends them, each behind its length in two bytes.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if input.byte().is_multiple_of(2) {
        let mut parts = input.parts(2);
        let (certificate, key) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let found = fuzzing::pair(certificate, key, NOW);
        assert_eq!(found, fuzzing::pair(certificate, key, NOW));
        let shown = format!("{found:?}");
        let of_key = String::from_utf8_lossy(key);
        // Lines of PEM have 64 characters; what is shorter may stand in any text.
        let secret = of_key
            .lines()
            .map(str::trim)
            .filter(|line| line.len() >= 48 && !line.starts_with("-----"));
        for line in secret {
            assert!(!shown.contains(line), "{shown}");
        }
        Trusted::in_pem(certificate);
        return;
    }
    let mut rest = input.rest();
    let mut shown = Vec::new();
    while let [high, low, after @ ..] = rest
        && shown.len() < 8
    {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (der, left) = after.split_at(length);
        shown.push(der);
        rest = left;
    }
    let found = fuzzing::shown(&shown, NOW);
    assert!(!found.is_empty(), "nothing is said");
    assert_eq!(found, fuzzing::shown(&shown, NOW));
}
