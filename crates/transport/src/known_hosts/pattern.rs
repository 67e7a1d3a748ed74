//! The host field of a known_hosts line: names, wildcards, negation, or one hashed name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// The first field of a line, per "SSH_KNOWN_HOSTS FILE FORMAT" of sshd(8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostField {
    /// `|1|salt|HMAC-SHA1 of the name`.
    Hashed { salt: Vec<u8>, digest: Vec<u8> },
    /// Comma-separated patterns, in lower case, true for negated ones.
    Patterns(Vec<(bool, String)>),
}

impl HostField {
    pub fn parse(field: &str) -> Option<Self> {
        if let Some(hashed) = field.strip_prefix('|') {
            let mut parts = hashed.split('|');
            let (kind, salt, digest) = (parts.next()?, parts.next()?, parts.next()?);
            if kind != "1" || parts.next().is_some() {
                return None;
            }
            let salt = STANDARD.decode(salt).ok()?;
            let digest = STANDARD.decode(digest).ok()?;
            return (digest.len() == 20).then_some(Self::Hashed { salt, digest });
        }
        let patterns = field
            .split(',')
            .map(|pattern| match pattern.strip_prefix('!') {
                Some(rest) => (true, rest.to_ascii_lowercase()),
                None => (false, pattern.to_ascii_lowercase()),
            })
            .collect();
        Some(Self::Patterns(patterns))
    }

    /// Whether the line is about `name`, which is in lower case and `[name]:port` for ports other than 22.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, digest } => {
                let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else {
                    return false;
                };
                mac.update(name.as_bytes());
                mac.verify_slice(digest).is_ok()
            }
            Self::Patterns(patterns) => {
                let mut positive = false;
                for (negated, pattern) in patterns {
                    if wildcard(pattern.as_bytes(), name.as_bytes()) {
                        // A negated match rules the line out, whatever else it names.
                        if *negated {
                            return false;
                        }
                        positive = true;
                    }
                }
                positive
            }
        }
    }
}

/// `*` for any run of bytes, `?` for one.
pub(crate) fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    // Where to go on after the last star: one byte more of the text for it.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    p = after;
                    t = from + 1;
                    star = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbd", false),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("10.0.0.?", "10.0.0.5", true),
            ("10.0.0.?", "10.0.0.55", false),
            ("a**b*", "a-b", true),
            ("", "", true),
            ("", "x", false),
            ("[*]:2222", "[host]:2222", true),
        ] {
            assert_eq!(wildcard(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
    }
}
