//! Names of peers.
//!
//! Peers that are only counted are called `peer1`, `peer2` …, as linuxserver/wireguard calls them. That image takes
//! letters and digits alone, and puts `peer_` before a name. A client's `wg-quick up ./NAME.conf` takes the interface's
//! name from the file's, and an interface's name has at most 15 characters: so has a peer's.

use crate::layout::Backend;
use std::fmt;

/// The longest name of a network interface on Linux.
const LONGEST: usize = 15;

/// The most peers: the addresses of a /24 without those of network, server and broadcast.
pub const MOST_PEERS: usize = 253;

/// The name of a peer on the host: of its folder and, with `.conf`, of its file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerName(String);

impl PeerName {
    /// What an operator calls a peer, as the name it has on the host: `3` is `peer3`; for the image, `alice` is
    /// `peer_alice`. A name that has its prefix already stays.
    ///
    /// # Errors
    /// What is wrong with it, to stand after the name: `has 20 characters …`.
    pub fn of(word: &str, backend: Backend) -> Result<Self, String> {
        let word = word.trim();
        if word.is_empty() {
            return Err("is empty".into());
        }
        let counted = word.bytes().all(|b| b.is_ascii_digit());
        let name = match backend {
            _ if counted => {
                let number: u32 = word.parse().map_err(|_| "is too large a number".to_owned())?;
                if number == 0 {
                    return Err("is no number of a peer: they begin at 1".into());
                }
                format!("peer{number}")
            }
            Backend::Docker if is_of_image(word) => word.to_owned(),
            Backend::Docker => {
                if let Some(bad) = word.chars().find(|c| !c.is_ascii_alphanumeric()) {
                    return Err(format!(
                        "has {bad:?} in it, and the image takes only letters and digits"
                    ));
                }
                format!("peer_{word}")
            }
            Backend::Native => word.to_owned(),
        };
        Self::on_host(&name)
    }

    /// A name as it stands on the host.
    ///
    /// # Errors
    /// As [`PeerName::of`].
    pub fn on_host(name: &str) -> Result<Self, String> {
        if let Some(bad) = name
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
        {
            return Err(format!(
                "has {bad:?} in it; letters, digits, hyphens and underscores are allowed"
            ));
        }
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err("does not begin with a letter or digit".into());
        }
        if name.len() > LONGEST {
            return Err(format!(
                "has {} characters as \"{name}\", and a client's interface is named after its file: {LONGEST} at most",
                name.len()
            ));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as the image takes it in `PEERS`: without the prefix.
    pub fn for_image(&self) -> &str {
        let short = self.0.strip_prefix("peer_").or_else(|| self.0.strip_prefix("peer"));
        short.unwrap_or(&self.0)
    }
}

/// `peer3` or `peer_alice`.
fn is_of_image(word: &str) -> bool {
    let numbered = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    let named = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    word.strip_prefix("peer").is_some_and(numbered) || word.strip_prefix("peer_").is_some_and(named)
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The peers that `wireguard_peers` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredPeers {
    /// So many, called `peer1` and so on.
    Count(usize),
    /// These, each once, in the order written.
    Names(Vec<PeerName>),
}

impl DeclaredPeers {
    /// Their names on the host.
    pub fn names(&self) -> Vec<PeerName> {
        match self {
            Self::Count(count) => (1..=*count).map(|n| PeerName(format!("peer{n}"))).collect(),
            Self::Names(names) => names.clone(),
        }
    }

    /// The value of the image's `PEERS`: `5`, or `alice,bob`.
    pub fn for_image(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Names(names) => names.iter().map(PeerName::for_image).collect::<Vec<_>>().join(","),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(word: &str) -> Result<String, String> {
        PeerName::of(word, Backend::Native).map(|n| n.to_string())
    }

    fn docker(word: &str) -> Result<String, String> {
        PeerName::of(word, Backend::Docker).map(|n| n.to_string())
    }

    #[test]
    fn what_an_operator_says_and_what_is_on_the_host() {
        assert_eq!(native("3").as_deref(), Ok("peer3"));
        assert_eq!(native("peer3").as_deref(), Ok("peer3"));
        assert_eq!(native("alice").as_deref(), Ok("alice"));
        assert_eq!(native("alice-phone_2").as_deref(), Ok("alice-phone_2"));
        assert_eq!(docker("3").as_deref(), Ok("peer3"));
        assert_eq!(docker("alice").as_deref(), Ok("peer_alice"));
        assert_eq!(docker("peer_alice").as_deref(), Ok("peer_alice"));
        // A name that only looks like one of the image's.
        assert_eq!(docker("peerless").as_deref(), Ok("peer_peerless"));
    }

    #[test]
    fn names_that_cannot_be() {
        for (word, part) in [
            ("", "empty"),
            ("0", "begin at 1"),
            ("99999999999", "too large"),
            ("../etc", "'.'"),
            ("a b", "' '"),
            ("-x", "begin"),
            ("sixteen-letters1", "16 characters"),
            ("ä", "'ä'"),
        ] {
            let why = native(word).expect_err(word);
            assert!(why.contains(part), "{word}: {why}");
        }
        assert!(docker("a-b").expect_err("no hyphen").contains("image"));
        assert!(
            docker("elevenchars")
                .expect_err("too long")
                .contains("peer_elevenchars")
        );
    }

    #[test]
    fn the_declared_ones() {
        assert_eq!(DeclaredPeers::Count(2).for_image(), "2");
        let names: Vec<String> = DeclaredPeers::Count(2)
            .names()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["peer1", "peer2"]);
        let listed = ["alice", "7"].map(|w| PeerName::of(w, Backend::Docker).expect("a name"));
        assert_eq!(DeclaredPeers::Names(listed.into()).for_image(), "alice,7");
    }
}
