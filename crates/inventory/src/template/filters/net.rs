//! Filters on IP addresses, with the answers of `ansible.utils`.

use super::Call;
use crate::template::value::{Eval, V};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) const NAMES: &[&str] = &[
    "ipaddr",
    "ipv4",
    "ipv6",
    "ipwrap",
    "ipsubnet",
    "nthhost",
    "network_in_network",
    "network_in_usable",
    "ip4_hex",
    "ipaddress",
    "reduce_on_network",
];

/// An address, with the length of its network when one was given.
#[derive(Clone, Copy)]
struct Net {
    value: u128,
    prefix: u32,
    v6: bool,
    /// Whether a network was written.
    written: bool,
}

impl Net {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, mask) = match text.split_once('/') {
            Some((address, mask)) => (address, Some(mask)),
            None => (text, None),
        };
        let (value, v6) = match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(a) => (u128::from(u32::from(a)), false),
            IpAddr::V6(a) => (u128::from(a), true),
        };
        let bits = if v6 { 128 } else { 32 };
        let prefix = match mask {
            None => bits,
            Some(mask) => match mask.parse::<u32>() {
                Ok(prefix) => prefix,
                Err(_) if !v6 => {
                    let mask = u32::from(mask.parse::<Ipv4Addr>().ok()?);
                    let ones = mask.leading_ones();
                    if mask.checked_shl(ones).unwrap_or(0) != 0 {
                        return None;
                    }
                    ones
                }
                Err(_) => return None,
            },
        };
        (prefix <= bits).then_some(Self {
            value,
            prefix,
            v6,
            written: mask.is_some(),
        })
    }

    fn bits(self) -> u32 {
        if self.v6 { 128 } else { 32 }
    }

    fn host_bits(self) -> u32 {
        self.bits() - self.prefix
    }

    fn mask(self) -> u128 {
        let all = if self.v6 { u128::MAX } else { u128::from(u32::MAX) };
        let host = 1u128.checked_shl(self.host_bits()).map_or(u128::MAX, |n| n - 1);
        all & !host
    }

    fn network(self) -> u128 {
        self.value & self.mask()
    }

    fn last(self) -> u128 {
        let all = if self.v6 { u128::MAX } else { u128::from(u32::MAX) };
        self.network() | (all & !self.mask())
    }

    fn size(self) -> u128 {
        1u128.checked_shl(self.host_bits()).unwrap_or(u128::MAX)
    }

    fn show(self, value: u128) -> String {
        if self.v6 {
            Ipv6Addr::from(value).to_string()
        } else {
            Ipv4Addr::from(u32::try_from(value).unwrap_or(u32::MAX)).to_string()
        }
    }

    fn cidr(self, value: u128) -> String {
        format!("{}/{}", self.show(value), self.prefix)
    }

    fn holds(self, other: Self) -> bool {
        self.v6 == other.v6 && self.network() <= other.network() && other.last() <= self.last()
    }

    fn in_any(self, ranges: &[&str]) -> bool {
        ranges
            .iter()
            .filter_map(|r| Self::parse(r))
            .any(|range| range.holds(self))
    }

    fn is_private(self) -> bool {
        self.in_any(&[
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "192.0.2.0/24",
            "198.18.0.0/15",
            "239.0.0.0/8",
            "fc00::/7",
            "fec0::/10",
            "fe80::/10",
        ])
    }

    fn is_loopback(self) -> bool {
        self.in_any(&["127.0.0.0/8", "::1/128"])
    }

    fn is_multicast(self) -> bool {
        self.in_any(&["224.0.0.0/4", "ff00::/8"])
    }

    /// True for an address that a host can have.
    fn is_host(self) -> bool {
        self.size() <= 2 || self.value != self.network()
    }
}

pub(super) fn call(c: &Call<'_, '_, '_>) -> Eval<Option<V>> {
    Ok(Some(match c.name {
        "ipaddr" | "ipv4" | "ipv6" => {
            let [query, version, _alias] = c.take(["query", "version", "alias"])?;
            let query = match query {
                None | Some(V::None) => V::str(""),
                Some(query) => query.defined()?,
            };
            let version = match c.name {
                "ipv4" => 4,
                "ipv6" => 6,
                _ => c.int_or(version, 0)?,
            };
            match c.input {
                V::List(items) | V::Tuple(items) => {
                    let mut out = Vec::new();
                    for item in items.iter() {
                        let found = one(c, item, &query, version)?;
                        if found.truth()? {
                            out.push(found);
                        }
                    }
                    V::list(out)
                }
                item => one(c, item, &query, version)?,
            }
        }
        "ipwrap" => {
            let text = c.text()?;
            match Net::parse(&text) {
                Some(net) if net.v6 && net.written => V::str(format!("[{}]/{}", net.show(net.value), net.prefix)),
                Some(net) if net.v6 => V::str(format!("[{}]", net.show(net.value))),
                _ => V::str(text),
            }
        }
        "ipsubnet" => {
            let [query, index] = c.take(["query", "index"])?;
            let net = need(c, c.input)?;
            match query {
                None | Some(V::None) => V::str(net.cidr(net.network())),
                Some(query) => subnet(c, net, &query, index)?,
            }
        }
        "nthhost" => {
            let [index] = c.take(["query"])?;
            let net = need(c, c.input)?;
            nth(net, c.int_or(index, 0)?).map_or(V::Bool(false), |value| V::str(net.show(value)))
        }
        "network_in_network" | "network_in_usable" => {
            let [test] = c.take(["test"])?;
            let net = need(c, c.input)?;
            let other = need(c, &c.need(test, "test")?)?;
            let usable = c.name == "network_in_network"
                || net.size() <= 2
                || (other.network() > net.network() && (net.v6 || other.last() < net.last()));
            V::Bool(net.holds(other) && usable)
        }
        "ip4_hex" => {
            let [delimiter] = c.take(["delimiter"])?;
            let net = need(c, c.input)?;
            let octets = u32::try_from(net.value).unwrap_or(0).to_be_bytes();
            V::str(octets.map(|o| format!("{o:02x}")).join(&c.text_or(delimiter, "")?))
        }
        "reduce_on_network" => {
            let [network] = c.take(["network"])?;
            let network = need(c, &c.need(network, "network")?)?;
            let mut out = Vec::new();
            for item in c.items()? {
                if need(c, &item).is_ok_and(|net| network.holds(net)) {
                    out.push(item);
                }
            }
            V::list(out)
        }
        _ => return Ok(None),
    }))
}

fn need(c: &Call<'_, '_, '_>, value: &V) -> Eval<Net> {
    let text = value.text()?;
    Net::parse(&text).ok_or_else(|| c.wrong("an IP address or network was expected"))
}

fn nth(net: Net, index: i128) -> Option<u128> {
    let size = net.size();
    let offset = if index < 0 {
        size.checked_sub(index.unsigned_abs())?
    } else {
        index.unsigned_abs()
    };
    (offset < size).then(|| net.network() + offset)
}

/// `value | ipaddr(query)`: `False` when it is not what was asked for.
fn one(c: &Call<'_, '_, '_>, value: &V, query: &V, version: i128) -> Eval<V> {
    let no = Ok(V::Bool(false));
    let text = match value.check()? {
        V::Int(i) => match u32::try_from(*i) {
            Ok(i) => Ipv4Addr::from(i).to_string(),
            Err(_) => return no,
        },
        V::Str(text) => text.text.to_string(),
        _ => return no,
    };
    let Some(net) = Net::parse(&text) else {
        return no;
    };
    if (version == 4 && net.v6) || (version == 6 && !net.v6) {
        return no;
    }
    let given = || V::str(text.trim());
    let when = |yes: bool| if yes { given() } else { V::Bool(false) };
    let usable = || {
        if net.size() <= 2 {
            (net.network(), net.last())
        } else {
            (net.network() + 1, net.last() - u128::from(!net.v6))
        }
    };
    if let V::Int(index) = query {
        return Ok(nth(net, *index).map_or(V::Bool(false), |value| V::str(net.cidr(value))));
    }
    let query = query.text()?;
    Ok(match &*query {
        "bool" => V::Bool(true),
        "" => given(),
        "address" | "ip" => {
            if net.is_host() {
                V::str(net.show(net.value))
            } else {
                V::Bool(false)
            }
        }
        "host" | "address/prefix" | "gateway" | "gw" | "host/prefix" | "hostnet" | "router" | "ip/prefix" => {
            if net.is_host() {
                V::str(net.cidr(net.value))
            } else {
                V::Bool(false)
            }
        }
        "net" => {
            if net.size() > 1 && net.value == net.network() {
                V::str(net.cidr(net.network()))
            } else {
                V::Bool(false)
            }
        }
        "network" | "network_id" => V::str(net.show(net.network())),
        "subnet" | "network/prefix" => V::str(net.cidr(net.network())),
        "netmask" => V::str(net.show(net.mask())),
        "hostmask" | "wildcard" => V::str(net.show(net.last() - net.network())),
        "broadcast" => {
            if net.size() > 2 {
                V::str(net.show(net.last()))
            } else {
                V::str("")
            }
        }
        "prefix" => V::Int(net.prefix.into()),
        "size" => V::Int(i128::try_from(net.size()).unwrap_or(i128::MAX)),
        "first_usable" => V::str(net.show(usable().0)),
        "last_usable" => V::str(net.show(usable().1)),
        "range_usable" => V::str(format!("{}-{}", net.show(usable().0), net.show(usable().1))),
        "ip_netmask" | "address_netmask" => V::str(format!("{} {}", net.show(net.value), net.show(net.mask()))),
        "network_netmask" => V::str(format!("{} {}", net.show(net.network()), net.show(net.mask()))),
        "int" => match net.written {
            true => V::str(format!("{}/{}", net.value, net.prefix)),
            false => V::Int(i128::try_from(net.value).unwrap_or(i128::MAX)),
        },
        "version" => V::Int(if net.v6 { 6 } else { 4 }),
        "ipv4" | "v4" => when(!net.v6),
        "ipv6" | "v6" => when(net.v6),
        "private" => when(net.is_private()),
        "public" => when(!net.is_private() && !net.is_loopback() && !net.is_multicast()),
        "loopback" | "lo" => when(net.is_loopback()),
        "link-local" | "lladdr" => when(net.in_any(&["169.254.0.0/16", "fe80::/10"])),
        "multicast" => when(net.is_multicast()),
        "unicast" => when(!net.is_multicast()),
        "wrap" => {
            if net.v6 {
                V::str(format!("[{}]", net.show(net.value)))
            } else {
                given()
            }
        }
        other => {
            if let Ok(index) = other.parse::<i128>() {
                return Ok(nth(net, index).map_or(V::Bool(false), |value| V::str(net.cidr(value))));
            }
            match Net::parse(other) {
                Some(range) => when(range.holds(net)),
                None => return Err(c.wrong(format!("the question '{other}' is unknown"))),
            }
        }
    })
}

fn subnet(c: &Call<'_, '_, '_>, net: Net, query: &V, index: Option<V>) -> Eval<V> {
    let text = query.text()?;
    let Ok(prefix) = text.parse::<u32>() else {
        return Ok(match Net::parse(&text) {
            Some(other) => V::Bool(other.holds(net)),
            None => return Err(c.wrong("the size of a network was expected")),
        });
    };
    let smaller = Net { prefix, ..net };
    if prefix > net.bits() {
        return Err(c.wrong("the network cannot be that small"));
    }
    if prefix < net.prefix {
        return Ok(V::str(smaller.cidr(smaller.network())));
    }
    let count = 1u128.checked_shl(prefix - net.prefix).unwrap_or(u128::MAX);
    match index {
        None | Some(V::None) => Ok(V::str(count.to_string())),
        Some(index) => {
            let index = c.int_or(Some(index), 0)?;
            let offset = if index < 0 {
                count.checked_sub(index.unsigned_abs())
            } else {
                Some(index.unsigned_abs())
            };
            let Some(offset) = offset.filter(|o| *o < count) else {
                return Ok(V::Bool(false));
            };
            Ok(V::str(smaller.cidr(net.network() + offset * smaller.size())))
        }
    }
}
