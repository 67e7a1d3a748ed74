//! Where a name leads: along its CNAMEs to addresses, or to where it ends instead.

use super::ask::{AskError, Client};
use super::message::{Data, NO_SUCH_NAME, Reply, Type};
use std::net::IpAddr;

/// CNAMEs that are followed; resolvers give up at about as many.
const LONGEST: usize = 16;

/// A CNAME on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The name it stands for.
    pub(crate) to: String,
    /// How long it may be kept, in seconds.
    pub(crate) ttl: u32,
}

/// An address at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    /// How long it may be kept, in seconds.
    pub(crate) ttl: u32,
}

/// How the way ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// At addresses, at least one.
    Addresses(Vec<Address>),
    /// The last name does not exist.
    Missing,
    /// The last name exists and has no address.
    Empty,
    /// It comes back to a name it passed.
    Loop,
    /// It goes on for too long.
    TooLong,
    /// No server says.
    Failed(AskError),
}

/// The way of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

/// Finds the way of `name`: IPv4 and IPv6 addresses, asked for at the same time.
pub(crate) async fn way(client: &Client, name: &str) -> Way {
    let (v4, v6) = tokio::join!(follow(client, name, Type::A), follow(client, name, Type::Aaaa));
    match (v4, v6) {
        (
            Way {
                steps,
                end: End::Addresses(mut all),
            },
            v6,
        ) => {
            if let End::Addresses(more) = v6.end {
                all.extend(more);
            }
            Way {
                steps,
                end: End::Addresses(all),
            }
        }
        // A server that has trouble with one type only is worth less than its other answer.
        (
            _,
            v6 @ Way {
                end: End::Addresses(_), ..
            },
        ) => v6,
        (v4, _) => v4,
    }
}

async fn follow(client: &Client, name: &str, kind: Type) -> Way {
    let mut walk = Walk::from(name);
    loop {
        let at = walk.at().to_owned();
        match client.ask(&at, kind).await {
            Ok(reply) => {
                if let Some(end) = walk.along(&reply) {
                    return walk.ends(end);
                }
            }
            Err(error @ AskError::ServerFailure { .. }) => return trace(client, walk, error).await,
            Err(error) => return walk.ends(End::Failed(error)),
        }
    }
}

/// Resolvers say SERVFAIL to a CNAME that leads in a circle: goes step by step to see whether it is that.
async fn trace(client: &Client, mut walk: Walk, error: AskError) -> Way {
    loop {
        let at = walk.at().to_owned();
        let target = match client.ask(&at, Type::Cname).await {
            Ok(reply) => target_of(&reply, &at),
            Err(_) => None,
        };
        match target {
            Some((target, ttl)) => {
                if let Some(end) = walk.step(target, ttl) {
                    return walk.ends(end);
                }
            }
            None => return walk.ends(End::Failed(error)),
        }
    }
}

fn target_of(reply: &Reply, name: &str) -> Option<(String, u32)> {
    reply.answers.iter().find_map(|rr| match &rr.data {
        Data::Cname(target) if rr.owner == name => Some((target.clone(), rr.ttl)),
        _ => None,
    })
}

struct Walk {
    start: String,
    steps: Vec<Step>,
}

impl Walk {
    fn from(name: &str) -> Self {
        Self {
            start: name.trim_end_matches('.').to_ascii_lowercase(),
            steps: Vec::new(),
        }
    }

    fn at(&self) -> &str {
        self.steps.last().map_or(&self.start, |step| &step.to)
    }

    fn ends(self, end: End) -> Way {
        Way { steps: self.steps, end }
    }

    /// One CNAME further; where that ends it.
    fn step(&mut self, to: String, ttl: u32) -> Option<End> {
        let passed = to == self.start || self.steps.iter().any(|step| step.to == to);
        self.steps.push(Step { to, ttl });
        if passed {
            Some(End::Loop)
        } else if self.steps.len() >= LONGEST {
            Some(End::TooLong)
        } else {
            None
        }
    }

    /// As far as `reply`, which is of the name where we stand, leads; `None` when the name it leads to must be asked for.
    fn along(&mut self, reply: &Reply) -> Option<End> {
        let before = self.steps.len();
        while let Some((target, ttl)) = target_of(reply, self.at()) {
            if let Some(end) = self.step(target, ttl) {
                return Some(end);
            }
        }
        let at = self.at();
        let addresses: Vec<Address> = reply
            .answers
            .iter()
            .filter(|rr| rr.owner == at)
            .filter_map(|rr| {
                let ip = match rr.data {
                    Data::A(ip) => ip.into(),
                    Data::Aaaa(ip) => ip.into(),
                    _ => return None,
                };
                Some(Address { ip, ttl: rr.ttl })
            })
            .collect();
        if !addresses.is_empty() {
            return Some(End::Addresses(addresses));
        }
        if reply.code == NO_SUCH_NAME {
            return Some(End::Missing);
        }
        let says_none = reply.authorities.iter().any(|rr| rr.data == Data::Soa);
        (self.steps.len() == before || says_none).then_some(End::Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Rr;
    use super::*;

    fn reply(code: u8, answers: &[(&str, Data)], soa: bool) -> Reply {
        let rr = |owner: &str, data: &Data| Rr {
            owner: owner.into(),
            ttl: 60,
            data: data.clone(),
        };
        Reply {
            code,
            truncated: false,
            recursion: true,
            authoritative: false,
            answers: answers.iter().map(|(owner, data)| rr(owner, data)).collect(),
            authorities: if soa { vec![rr("test", &Data::Soa)] } else { vec![] },
        }
    }

    fn cname(to: &str) -> Data {
        Data::Cname(to.into())
    }

    fn walked(replies: &[Reply]) -> (Vec<String>, Option<End>) {
        let mut walk = Walk::from("A.test.");
        let mut end = None;
        for reply in replies {
            assert_eq!(end, None, "it had ended");
            end = walk.along(reply);
        }
        (walk.steps.iter().map(|step| step.to.clone()).collect(), end)
    }

    #[test]
    fn a_way_goes_on_where_the_answer_ends() {
        let ip = "192.0.2.1".parse().expect("an address");
        let at_last = Some(End::Addresses(vec![Address {
            ip: IpAddr::V4(ip),
            ttl: 60,
        }]));
        let whole = reply(0, &[("b.test", Data::A(ip)), ("a.test", cname("b.test"))], false);
        assert_eq!(walked(&[whole]), (vec!["b.test".to_owned()], at_last.clone()));
        let first = reply(0, &[("a.test", cname("b.other"))], false);
        let second = reply(0, &[("b.other", Data::A(ip))], false);
        assert_eq!(walked(&[first.clone(), second]), (vec!["b.other".to_owned()], at_last));
        assert_eq!(
            walked(&[first, reply(NO_SUCH_NAME, &[], true)]),
            (vec!["b.other".to_owned()], Some(End::Missing))
        );
    }

    #[test]
    fn ways_that_lead_nowhere() {
        assert_eq!(walked(&[reply(NO_SUCH_NAME, &[], true)]), (vec![], Some(End::Missing)));
        assert_eq!(walked(&[reply(0, &[], true)]), (vec![], Some(End::Empty)));
        let dangling = reply(NO_SUCH_NAME, &[("a.test", cname("b.test"))], true);
        assert_eq!(walked(&[dangling]), (vec!["b.test".into()], Some(End::Missing)));
        let nothing_there = reply(0, &[("a.test", cname("b.test"))], true);
        assert_eq!(walked(&[nothing_there]), (vec!["b.test".into()], Some(End::Empty)));
        let circle = reply(0, &[("a.test", cname("b.test")), ("b.test", cname("a.test"))], false);
        assert_eq!(
            walked(&[circle]),
            (vec!["b.test".into(), "a.test".into()], Some(End::Loop))
        );
        let names: Vec<String> = (0..20).map(|n| format!("n{n}.test")).collect();
        let mut chain = vec![("a.test", cname("n0.test"))];
        chain.extend(names.windows(2).map(|pair| (pair[0].as_str(), cname(&pair[1]))));
        assert_eq!(walked(&[reply(0, &chain, false)]).1, Some(End::TooLong));
    }
}
