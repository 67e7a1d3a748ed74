//! The server's configuration: its network, its peers, the next free address.

use crate::config::WgConfig;
use crate::name::PeerName;
use crate::state::first_address;
use std::fmt;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::str::FromStr;

/// The network inside the tunnel, with the server's address in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// The server's address.
    pub server: Ipv4Addr,
    /// Length of the network's prefix, 1 to 30.
    pub prefix: u8,
}

impl Subnet {
    fn first(self) -> u32 {
        u32::from(self.server) & (u32::MAX << (32 - u32::from(self.prefix)))
    }

    fn last(self) -> u32 {
        self.first() | (u32::MAX >> u32::from(self.prefix))
    }

    /// What lies between the network's own address and the broadcast address.
    fn inside(self) -> Range<u32> {
        self.first() + 1..self.last()
    }

    /// Addresses that peers may have, lowest first: neither the network's own nor the broadcast address nor the server's.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        self.inside()
            .map(Ipv4Addr::from)
            .filter(move |address| *address != self.server)
    }

    /// Whether a peer may have `address`, as one of [`Subnet::addresses`].
    pub fn is_for_peers(self, address: Ipv4Addr) -> bool {
        self.inside().contains(&u32::from(address)) && address != self.server
    }

    /// How many [`Subnet::addresses`] there are.
    pub fn room(self) -> usize {
        let servers = usize::from(self.inside().contains(&u32::from(self.server)));
        self.inside().len() - servers
    }

    /// Whether two networks have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.first() <= other.last() && other.first() <= self.last()
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first()), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = String;

    /// Reads `10.13.13.0/24` (the server then has the first address), `10.13.13.1/24`, or an address alone, which is of
    /// a /24 as in the image. The error is to stand after the value.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "24"));
        let address: Ipv4Addr = address
            .trim()
            .parse()
            .map_err(|_| "is no IPv4 network: write it as 10.13.13.0/24".to_owned())?;
        let prefix: u8 = prefix
            .trim()
            .parse()
            .ok()
            .filter(|p| (1..=30).contains(p))
            .ok_or_else(|| "is no network with room for peers: the number after the slash is 1 to 30".to_owned())?;
        let mut subnet = Self {
            server: address,
            prefix,
        };
        if u32::from(address) == subnet.first() {
            subnet.server = Ipv4Addr::from(subnet.first() + 1);
        }
        Ok(subnet)
    }
}

/// The server's configuration. Keys in it may be marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    config: WgConfig,
    interface: usize,
}

/// A peer as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPeer {
    /// Its section.
    pub section: usize,
    /// Its name, from the comment under its header.
    pub name: Option<PeerName>,
    /// Its public key.
    pub public_key: Option<String>,
    /// The networks behind it.
    pub allowed_ips: String,
}

impl ServerPeer {
    /// Its address in the tunnel.
    pub fn address(&self) -> Option<Ipv4Addr> {
        first_address(&self.allowed_ips)
    }
}

impl Server {
    /// Reads a configuration.
    ///
    /// # Errors
    /// It has no section `[Interface]`, or several.
    pub fn of(config: WgConfig) -> Result<Self, String> {
        match config.sections("Interface").as_slice() {
            [interface] => Ok(Self {
                interface: *interface,
                config,
            }),
            [] => Err("it has no section [Interface]".into()),
            _ => Err("it has more than one section [Interface]".into()),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &WgConfig {
        &self.config
    }

    /// The configuration, to be changed, and the section of the interface.
    pub fn parts(&mut self) -> (&mut WgConfig, usize) {
        (&mut self.config, self.interface)
    }

    /// The network inside the tunnel.
    ///
    /// # Errors
    /// The interface has no IPv4 address.
    pub fn subnet(&self) -> Result<Subnet, String> {
        let values = self.config.values(self.interface, "Address");
        values
            .iter()
            .flat_map(|list| list.split(','))
            .find_map(|part| part.trim().parse().ok())
            .ok_or_else(|| "its [Interface] has no IPv4 Address with room for peers".into())
    }

    /// Its peers, in order.
    pub fn peers(&self) -> Vec<ServerPeer> {
        let sections = self.config.sections("Peer").into_iter();
        let peers = sections.map(|section| ServerPeer {
            section,
            name: self
                .config
                .comment(section)
                .and_then(|comment| PeerName::on_host(comment).ok()),
            public_key: self
                .config
                .values(section, "PublicKey")
                .first()
                .map(|k| (*k).to_owned()),
            allowed_ips: self.config.values(section, "AllowedIPs").join(", "),
        });
        peers.collect()
    }

    /// The lowest address that is not in `taken`, and preferably not in `spared` either.
    pub fn next_free(&self, taken: &[Ipv4Addr], spared: &[Ipv4Addr]) -> Result<Ipv4Addr, String> {
        let subnet = self.subnet()?;
        let own: Vec<Ipv4Addr> = self.peers().iter().filter_map(ServerPeer::address).collect();
        let free = |address: &Ipv4Addr| !taken.contains(address) && !own.contains(address);
        subnet
            .addresses()
            .find(|address| free(address) && !spared.contains(address))
            .or_else(|| subnet.addresses().find(free))
            .ok_or_else(|| format!("all addresses of {subnet} are taken"))
    }

    /// Adds a peer at the end. The keys are whatever stands for them: marks.
    pub fn add(&mut self, name: &PeerName, public_key: &str, preshared_key: Option<&str>, address: Ipv4Addr) {
        let preshared = preshared_key.map_or_else(String::new, |key| format!("PresharedKey = {key}\n"));
        self.config.append(&format!(
            "[Peer]\n# {name}\nPublicKey = {public_key}\n{preshared}AllowedIPs = {address}/32\n"
        ));
    }

    /// Takes out every peer that `gone` names.
    pub fn remove(&mut self, gone: impl Fn(&ServerPeer) -> bool) {
        for peer in self.peers().iter().rev().filter(|p| gone(p)) {
            self.config.remove_section(peer.section);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the image writes it.
    const SERVER: &str = "\
[Interface]
Address = 10.13.13.1
ListenPort = 51820
PrivateKey = (kept 4)
PostUp = iptables -A FORWARD -i %i -j ACCEPT; iptables -A FORWARD -o %i -j ACCEPT; iptables -t nat -A POSTROUTING -o eth+ -j MASQUERADE

[Peer]
# peer1
PublicKey = YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=
PresharedKey = (kept 10)
AllowedIPs = 10.13.13.2/32

[Peer]
# peer_alice
PublicKey = YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=
PresharedKey = (kept 16)
AllowedIPs = 10.13.13.4/32, 192.168.7.0/24
";

    fn server(text: &str) -> Server {
        Server::of(WgConfig::parse(text)).expect("a server")
    }

    #[test]
    fn a_file_of_very_many_peers_is_read_like_any_other() {
        let peer = |n: u32| {
            let [_, a, b, c] = n.to_be_bytes();
            format!("[Peer]\n# peer{n}\nPublicKey = k{n}\nAllowedIPs = 10.{a}.{b}.{c}/32\n")
        };
        let text: String = (0..50_000).map(peer).collect();
        let server = server(&format!("[Interface]\nAddress = 10.13.13.1/24\n{text}"));
        let peers = server.peers();
        assert_eq!(peers.len(), 50_000);
        assert_eq!(peers[49_999].public_key.as_deref(), Some("k49999"));
        assert_eq!(peers[49_999].address(), Some(Ipv4Addr::new(10, 0, 195, 79)));
    }

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_peers_of_the_image() {
        let peers = server(SERVER).peers();
        let names: Vec<_> = peers.iter().map(|p| p.name.as_ref().map(PeerName::as_str)).collect();
        assert_eq!(names, [Some("peer1"), Some("peer_alice")]);
        assert_eq!(peers[1].address(), Some(ip("10.13.13.4")));
        assert_eq!(
            peers[0].public_key.as_deref(),
            Some("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=")
        );
    }

    #[test]
    fn free_addresses() {
        let server = server(SERVER);
        assert_eq!(server.next_free(&[], &[]), Ok(ip("10.13.13.3")));
        assert_eq!(server.next_free(&[ip("10.13.13.3")], &[]), Ok(ip("10.13.13.5")));
        assert_eq!(server.next_free(&[], &[ip("10.13.13.3")]), Ok(ip("10.13.13.5")));
        let small = self::server("[Interface]\nAddress = 10.0.0.1/30\n");
        assert_eq!(small.next_free(&[], &[]), Ok(ip("10.0.0.2")));
        // An address that a revoked peer had is taken before there is none.
        assert_eq!(small.next_free(&[], &[ip("10.0.0.2")]), Ok(ip("10.0.0.2")));
        let full = small.next_free(&[ip("10.0.0.2")], &[]);
        assert_eq!(full, Err("all addresses of 10.0.0.0/30 are taken".into()));
    }

    #[test]
    fn networks() {
        let subnet: Subnet = "10.13.13.0/24".parse().expect("a network");
        assert_eq!(
            (subnet.server, subnet.to_string()),
            (ip("10.13.13.1"), "10.13.13.0/24".into())
        );
        assert_eq!("10.13.13.0".parse::<Subnet>(), Ok(subnet));
        assert_eq!(subnet.addresses().count(), 253);
        for text in ["10.13.13.0/24", "10.0.0.7/29", "10.0.0.3/30", "10.0.0.1/30"] {
            let subnet: Subnet = text.parse().expect("a network");
            assert_eq!(subnet.room(), subnet.addresses().count(), "{text}");
            for address in subnet.first().saturating_sub(1)..=subnet.last() + 1 {
                let address = Ipv4Addr::from(address);
                let there = subnet.addresses().any(|a| a == address);
                assert_eq!(subnet.is_for_peers(address), there, "{text} {address}");
            }
        }
        assert!(subnet.overlaps("10.0.0.0/8".parse().expect("a network")));
        assert!(!subnet.overlaps("10.13.14.0/24".parse().expect("a network")));
        for wrong in ["10.13.13", "10.0.0.0/31", "10.0.0.0/0", "10.0.0.0/x"] {
            assert!(wrong.parse::<Subnet>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn adding_and_removing_leaves_the_rest_alone() {
        let mut server = server(SERVER);
        let bob = PeerName::on_host("bob").expect("a name");
        server.add(&bob, "(new bob.pub)", Some("(new bob.psk)"), ip("10.13.13.3"));
        let text = server.config().expose_text().to_string();
        assert_eq!(
            text,
            format!(
                "{SERVER}\n[Peer]\n# bob\nPublicKey = (new bob.pub)\nPresharedKey = (new bob.psk)\nAllowedIPs = 10.13.13.3/32\n"
            )
        );
        server.remove(|p| {
            p.name
                .as_ref()
                .is_some_and(|n| n.as_str() == "peer1" || n.as_str() == "bob")
        });
        let text = server.config().expose_text().to_string();
        assert!(
            !text.contains("peer1") && !text.contains("bob") && text.contains("# peer_alice"),
            "{text}"
        );
        assert!(Server::of(WgConfig::parse("[Peer]\n")).is_err());
    }
}
