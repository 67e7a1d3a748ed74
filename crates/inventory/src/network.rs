//! Networks of IPv4 addresses: `10.42.0.0/16`.

use std::fmt;
use std::net::Ipv4Addr;

/// A network of addresses: one of them, and the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: u32,
    bits: u32,
}

impl Network {
    /// `None` when `text` is no `ADDRESS/BITS`. The address may be any of the network.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.trim().split_once('/')?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self {
            address: u32::from(address.parse::<Ipv4Addr>().ok()?),
            bits,
        })
    }

    /// The network of `bits` that `address` is in.
    pub fn around(address: Ipv4Addr, bits: u32) -> Self {
        Self {
            address: address.into(),
            bits: bits.min(32),
        }
    }

    /// Whether an address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        let bits = self.bits.min(other.bits);
        bits == 0 || (self.address ^ other.address) >> (32 - bits) == 0
    }

    /// Whether `address` is in it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        self.overlaps(Self::around(address, 32))
    }

    /// The length of its prefix.
    pub fn bits(self) -> u32 {
        self.bits
    }

    /// Its first address.
    pub fn first(self) -> Ipv4Addr {
        let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
        Ipv4Addr::from(self.address & mask)
    }

    /// Whether it was written with its first address.
    pub fn is_written_with_first(self) -> bool {
        u32::from(self.first()) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).expect("a network")
    }

    #[test]
    fn what_is_in_it() {
        let pods = network("10.42.0.0/16");
        assert!(pods.contains(Ipv4Addr::new(10, 42, 255, 255)) && !pods.contains(Ipv4Addr::new(10, 43, 0, 0)));
        for (one, other, both) in [
            ("10.42.0.0/16", "10.42.9.0/24", true),
            ("10.42.9.0/24", "10.42.0.0/16", true),
            ("10.42.0.0/16", "10.43.0.0/16", false),
            ("0.0.0.0/0", "192.0.2.1/32", true),
            ("192.0.2.1/32", "192.0.2.1/32", true),
            ("192.0.2.1/32", "192.0.2.2/32", false),
        ] {
            assert_eq!(network(one).overlaps(network(other)), both, "{one} {other}");
        }
    }

    #[test]
    fn how_it_is_written() {
        let own = network("10.61.0.11/24");
        assert_eq!((own.to_string().as_str(), own.bits()), ("10.61.0.0/24", 24));
        assert!(!own.is_written_with_first() && network("10.61.0.0/24").is_written_with_first());
        assert_eq!(network("10.1.2.3/0").to_string(), "0.0.0.0/0");
        assert_eq!(network("10.1.2.3/32").to_string(), "10.1.2.3/32");
        for text in ["10.42.0.0", "10.42.0.0/33", "10.42.0/16", "x/8", ""] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
