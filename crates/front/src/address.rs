//! Addresses and ranges of addresses, as operators write them and as nginx and iptables want them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// An address followed by `:port`, with the brackets that IPv6 needs: for `listen` and `server` of nginx.
pub fn with_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// `text` as the address of a node: an IP address, or a DNS name.
///
/// # Errors
/// What is wrong with it, to stand after the value: `is cut off`.
pub fn node_address(text: &str) -> Result<String, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return match ip.is_unspecified() {
            true => Err("is no address of a machine".into()),
            false => Ok(ip.to_string()),
        };
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(match text.split('.').filter(|part| !part.is_empty()).count() {
            0..4 => "is a cut-off IP address".into(),
            _ => "is no IP address".into(),
        });
    }
    dns_name(text)
}

/// `text` as a DNS name in lower case, without a dot at the end.
///
/// # Errors
/// What is wrong with it, to stand after the value.
pub fn dns_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() || name.len() > 253 {
        return Err("is no DNS name".into());
    }
    for label in name.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err("is no DNS name: each part between the dots has 1 to 63 characters".into());
        }
        if let Some(bad) = label
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
        {
            return Err(format!("is no DNS name: {bad:?} cannot stand in one"));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("is no DNS name: a part begins or ends with a hyphen".into());
        }
    }
    Ok(name.to_ascii_lowercase())
}

/// A network in CIDR form; a single address is one of full length. Bits below the prefix are cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether every address of its family is in it.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }
}

impl FromStr for Network {
    type Err = String;

    /// Reads `10.0.0.0/8` or `10.0.0.1`. The error is to stand after the value.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| "is no network: write it as 10.0.0.0/8 or as one address".to_owned())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|p| *p <= longest)
                .ok_or_else(|| format!("is no network: the number after the slash is 0 to {longest}"))?,
        };
        Ok(Self {
            address: masked(address, prefix),
            prefix,
        })
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            IpAddr::V4((u32::from(v4) & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)).into())
        }
        IpAddr::V6(v6) => {
            IpAddr::V6((u128::from(v6) & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// IPv4 addresses from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ipv4Range {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl FromStr for Ipv4Range {
    type Err = String;

    /// Reads `10.13.13.2-10.13.13.51`, `10.13.13.0/24` or one address. The error is to stand after the value.
    fn from_str(text: &str) -> Result<Self, String> {
        const WANTED: &str =
            "is no range of IPv4 addresses: write it as 10.13.13.2-10.13.13.51, 10.13.13.0/24 or one address";
        let range = match text.split_once('-') {
            Some((first, last)) => Self {
                first: first.trim().parse().map_err(|_| WANTED)?,
                last: last.trim().parse().map_err(|_| WANTED)?,
            },
            None => match text.parse::<Network>() {
                Ok(Network {
                    address: IpAddr::V4(first),
                    prefix,
                }) => {
                    let size = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
                    Self {
                        first,
                        last: (u32::from(first) | size).into(),
                    }
                }
                _ => return Err(WANTED.into()),
            },
        };
        if range.first > range.last {
            return Err("is no range of IPv4 addresses: it ends before it begins".into());
        }
        Ok(range)
    }
}

impl fmt::Display for Ipv4Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_nodes() {
        for (text, wanted) in [
            ("172.16.50.11", Ok("172.16.50.11")),
            ("2001:db8::1", Ok("2001:db8::1")),
            ("VM4.internal.", Ok("vm4.internal")),
            ("172.16.50.", Err("is a cut-off IP address")),
            ("172.16.50", Err("is a cut-off IP address")),
            ("172.16.50.300", Err("is no IP address")),
            ("0.0.0.0", Err("is no address of a machine")),
            ("<node1-private-ip>", Err("is no DNS name: '<' cannot stand in one")),
            (
                "a..b",
                Err("is no DNS name: each part between the dots has 1 to 63 characters"),
            ),
            ("", Err("is a cut-off IP address")),
        ] {
            let got = node_address(text);
            assert_eq!(got.as_deref().map_err(String::as_str), wanted, "{text}");
        }
    }

    #[test]
    fn names_are_checked_and_lowered() {
        assert_eq!(dns_name("Api.Mosip.NET").as_deref(), Ok("api.mosip.net"));
        for bad in ["{MOSIP_DOMAIN}", "a b", "-a.org", "a;b", "*.a.org", "", "https://a.org"] {
            assert!(dns_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_lose_the_bits_below_the_prefix() {
        for (text, wanted) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("172.16.50.7/24", "172.16.50.0/24"),
            ("192.168.1.1", "192.168.1.1/32"),
            ("1.2.3.4/0", "0.0.0.0/0"),
            ("::1", "::1/128"),
            ("fd00::1/8", "fd00::/8"),
            ("::1/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Network>().map(|n| n.to_string()).as_deref(), Ok(wanted));
        }
        for bad in ["10.0.0.0/33", "10.0.0/8", "::1/129", "10.0.0.0/", "all", ""] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_of_three_forms() {
        for (text, wanted) in [
            ("10.13.13.2-10.13.13.51", "10.13.13.2-10.13.13.51"),
            ("10.13.13.2 - 10.13.13.51", "10.13.13.2-10.13.13.51"),
            ("10.13.13.9/24", "10.13.13.0-10.13.13.255"),
            ("10.13.13.9", "10.13.13.9-10.13.13.9"),
        ] {
            assert_eq!(text.parse::<Ipv4Range>().map(|r| r.to_string()).as_deref(), Ok(wanted));
        }
        for bad in ["10.13.13.51-10.13.13.2", "10.13.13.2-51", "x", "::1", ""] {
            assert!(bad.parse::<Ipv4Range>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ports_follow_addresses_of_both_kinds() {
        assert_eq!(with_port("10.0.0.1", 443), "10.0.0.1:443");
        assert_eq!(with_port("fd00::1", 443), "[fd00::1]:443");
    }
}
