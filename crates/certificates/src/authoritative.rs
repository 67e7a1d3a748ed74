//! What a zone's own nameservers show: each is asked itself, since others may still know an older answer.

use crate::challenge::TxtRecord;
use futures::future::join_all;
use mosip_prov_preflight::dns::message::{Data, NO_SUCH_NAME, Type};
use mosip_prov_preflight::dns::{AskError, Client, Nameservers};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// CNAMEs that are followed; resolvers give up at about as many.
const LONGEST: usize = 16;
/// The port of nameservers.
const PORT: u16 = 53;

/// A nameserver of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Where it answers.
    pub address: SocketAddr,
}

/// The nameservers of a zone are not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// Nobody says.
    #[error("the nameservers of {name} cannot be looked up: {error}")]
    Ask {
        /// The name.
        name: String,
        /// What was said instead.
        error: AskError,
    },
    /// No name above it has nameservers.
    #[error("no zone that holds {0} names nameservers")]
    None(String),
    /// They have no address.
    #[error("the nameservers of zone {zone} have no address: {}", names.join(", "))]
    NoAddress {
        /// The zone.
        zone: String,
        /// Their names.
        names: Vec<String>,
    },
    /// A CNAME that leads nowhere.
    #[error("the CNAMEs of {0} do not come to an end")]
    Loop(String),
}

/// What a server does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The server; `None` when the zone's servers could not be found.
    pub server: Option<Server>,
    /// The name that was asked for.
    pub name: String,
    /// Values that it does not show.
    pub missing: Vec<String>,
    /// Values that it shows and nobody wants: of an earlier request, or mistyped.
    pub others: Vec<String>,
    /// Why it said nothing.
    pub problem: Option<String>,
}

/// Looks `records` up at their zones' own nameservers. These are found by asking `lookup`. With a server of another port
/// than 53 in it, the zones' nameservers are expected at that port too.
///
/// Empty: each server shows all values. A server none of whose addresses answers lacks all; one that answers at some is
/// judged by those.
pub async fn lacks(lookup: &Nameservers, records: &[TxtRecord]) -> Vec<Lack> {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for record in records {
        by_name.entry(&record.name).or_default().push(&record.value);
    }
    let of_names = by_name.into_iter().map(|(name, values)| lacks_of(lookup, name, values));
    join_all(of_names).await.into_iter().flatten().collect()
}

async fn lacks_of(lookup: &Nameservers, name: &str, values: Vec<&str>) -> Vec<Lack> {
    let lack = |server: Option<Server>, shown: &[String], problem: Option<String>| Lack {
        server,
        name: name.to_owned(),
        missing: values
            .iter()
            .filter(|v| !shown.iter().any(|s| s == *v))
            .map(|v| (*v).to_owned())
            .collect(),
        others: shown
            .iter()
            .filter(|s| !values.contains(&s.as_str()))
            .cloned()
            .collect(),
        problem,
    };
    let (owner, servers) = match servers_of(lookup, name).await {
        Ok(found) => found,
        Err(error) => return vec![lack(None, &[], Some(error.to_string()))],
    };
    let asked = servers.into_iter().map(|server| async {
        let seen = values_at(server.address, &owner).await;
        (server, seen)
    });
    let mut seen = join_all(asked).await;
    // A nameserver with an address that cannot be reached from here (IPv6, often) is judged by its others.
    let answering: Vec<String> = seen
        .iter()
        .filter(|(_, seen)| seen.is_ok())
        .map(|(server, _)| server.name.clone())
        .collect();
    seen.retain(|(server, seen)| seen.is_ok() || !answering.contains(&server.name));
    seen.into_iter()
        .filter_map(|(server, seen)| {
            let found = match seen {
                Ok(shown) => lack(Some(server), &shown, None),
                Err(error) => lack(Some(server), &[], Some(error.to_string())),
            };
            (!found.missing.is_empty()).then_some(found)
        })
        .collect()
}

/// The values of the text records of `owner` at one server.
async fn values_at(server: SocketAddr, owner: &str) -> Result<Vec<String>, AskError> {
    let Some(only) = Nameservers::new(vec![server]) else {
        return Ok(Vec::new());
    };
    let reply = Client::new(only).ask(owner, Type::Txt).await?;
    Ok(reply
        .answers
        .into_iter()
        .filter_map(|rr| match rr.data {
            Data::Txt(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            _ => None,
        })
        .collect())
}

/// The name that `name` is an alias of, else itself, and the nameservers of its zone.
///
/// # Errors
/// They cannot be found.
pub async fn servers_of(lookup: &Nameservers, name: &str) -> Result<(String, Vec<Server>), FindError> {
    let client = Client::new(lookup.clone());
    let failed = |name: &str| {
        let name = name.to_owned();
        move |error| FindError::Ask { name, error }
    };
    let mut owner = name.to_owned();
    let mut steps = 0;
    // Challenges are often delegated to a zone of their own by a CNAME.
    loop {
        let reply = client.ask(&owner, Type::Cname).await.map_err(failed(&owner))?;
        let next = reply.answers.into_iter().find_map(|rr| match rr.data {
            Data::Cname(to) if rr.owner == owner => Some(to),
            _ => None,
        });
        match next {
            Some(_) if steps == LONGEST => return Err(FindError::Loop(name.to_owned())),
            Some(to) => owner = to,
            None => break,
        }
        steps += 1;
    }
    let mut zone = owner.as_str();
    let names = loop {
        let reply = client.ask(zone, Type::Ns).await.map_err(failed(zone))?;
        let mut names: Vec<String> = reply
            .answers
            .into_iter()
            .filter_map(|rr| match rr.data {
                Data::Ns(server) if rr.owner == zone && reply.code != NO_SUCH_NAME => Some(server),
                _ => None,
            })
            .collect();
        if !names.is_empty() {
            names.sort();
            names.dedup();
            break names;
        }
        match zone.split_once('.') {
            Some((_, parent)) if !parent.is_empty() => zone = parent,
            _ => return Err(FindError::None(name.to_owned())),
        }
    };
    let port = lookup
        .iter()
        .map(|server| server.port())
        .find(|port| *port != PORT)
        .unwrap_or(PORT);
    let looked_up = names.iter().map(|server| addresses(&client, server));
    let mut servers = Vec::new();
    for (server, ips) in names.iter().zip(join_all(looked_up).await) {
        servers.extend(ips.into_iter().map(|ip| Server {
            name: server.clone(),
            address: SocketAddr::new(ip, port),
        }));
    }
    match servers.is_empty() {
        true => Err(FindError::NoAddress {
            zone: zone.to_owned(),
            names,
        }),
        false => Ok((owner, servers)),
    }
}

async fn addresses(client: &Client, name: &str) -> Vec<IpAddr> {
    let (v4, v6) = tokio::join!(client.ask(name, Type::A), client.ask(name, Type::Aaaa));
    let answers = [v4, v6].into_iter().flatten().flat_map(|reply| reply.answers);
    answers
        .filter_map(|rr| match rr.data {
            Data::A(ip) => Some(IpAddr::V4(ip)),
            Data::Aaaa(ip) => Some(IpAddr::V6(ip)),
            _ => None,
        })
        .collect()
}
