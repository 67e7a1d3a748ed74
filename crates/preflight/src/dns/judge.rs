//! What follows from where the names lead. No question is asked here: ways in, findings out.
//!
//! A fault is told once, at the record that has it. Names that only lead there are named with it.

use super::ask::AskError;
use super::check::AREA;
use super::lookup::{Address, End, Way};
use super::records::{Kind, Reach, Record, Site};
use mosip_prov_events::{Finding, Level};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Records that may be kept for longer than a day are slow to mend.
const LONG: u32 = 86_400;

/// What was asked for, and what came back.
pub(crate) struct Seen<'a> {
    pub(crate) site: &'a Site,
    pub(crate) records: &'a [Record],
    /// By name; every record has one.
    pub(crate) ways: &'a HashMap<String, Way>,
    /// The way of a name that nobody created.
    pub(crate) wildcard: Option<&'a Way>,
    /// The nameservers are those that this machine uses for itself: what they say need not be what the internet is told.
    pub(crate) as_here: bool,
    /// The domain is the head of a zone, and answered with a CNAME all the same.
    pub(crate) alias_at_apex: bool,
}

/// Something that is wrong with a record.
struct Fault {
    check: &'static str,
    message: String,
    remedy: String,
    /// That a record is optional does not make it better.
    grave: bool,
    /// It may well be as it should.
    mild: bool,
}

/// Judges every record, in the order of the table.
pub(crate) fn judge(seen: &Seen<'_>) -> Vec<Finding> {
    let (mut found, mut done) = unanswered(seen);
    if let Some(finding) = nothing_there(seen) {
        return vec![finding];
    }
    found.extend(loops(seen, &mut done));
    for record in seen.records {
        if done.contains(record.name.as_str()) {
            continue;
        }
        let Some(way) = seen.ways.get(&record.name) else {
            continue;
        };
        if let Some(target) = seen.on_behalf_of(record, way) {
            // Its own part is right. What its target lacks is told there.
            let told_there = done.contains(target.name.as_str()) || seen.fault(target).is_some();
            if !told_there {
                found.extend(seen.fine(record, way));
            }
            continue;
        }
        match seen.fault(record) {
            None => found.extend(seen.fine(record, way)),
            Some(fault) => found.push(seen.finding(record, fault)),
        }
    }
    found
}

/// Names that no server says anything about, one finding for each reason; and those names.
fn unanswered<'a>(seen: &Seen<'a>) -> (Vec<Finding>, BTreeSet<&'a str>) {
    let mut reasons: Vec<(&AskError, Vec<&'a str>)> = Vec::new();
    for record in seen.records {
        let Some(End::Failed(error)) = seen.ways.get(&record.name).map(|way| &way.end) else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| *known == error) {
            Some((_, names)) => names.push(&record.name),
            None => reasons.push((error, vec![&record.name])),
        }
    }
    let done = reasons.iter().flat_map(|(_, names)| names).copied().collect();
    let finding = |(error, names): (&AskError, Vec<&str>)| {
        if names.len() == seen.records.len() {
            let message = format!("none of the {} names could be looked up: {error}", names.len());
            return Finding::failure(AREA, "nameserver", &seen.site.domain, message, remedy_of(error));
        }
        let message = format!("{error}, asked for {}", names.join(", "));
        Finding::failure(AREA, "lookup", names[0], message, remedy_of(error))
    };
    (reasons.into_iter().map(finding).collect(), done)
}

fn remedy_of(error: &AskError) -> &'static str {
    match error {
        AskError::Silent { .. } | AskError::Unreachable { .. } => {
            "check its address, and that UDP and TCP port 53 are open to it from here; or ask another with --nameserver"
        }
        AskError::Refused { .. } => {
            "ask a resolver that serves this machine, or the zone's own nameserver, with --nameserver; a nameserver refuses \
             zones that it does not have"
        }
        AskError::ServerFailure { .. } => {
            "its log says why: a zone that it could not load, servers of the zone that it cannot reach, or broken DNSSEC"
        }
        AskError::Referral { .. } => "ask a resolver, or one of the zone's own nameservers, with --nameserver",
        AskError::Code { .. } | AskError::Damaged { .. } => {
            "something else may listen there, or something on the way changes answers; ask another with --nameserver"
        }
        AskError::Name(_) => "correct the names in the inventory",
    }
}

/// The one finding when not a single name is there.
fn nothing_there(seen: &Seen<'_>) -> Option<Finding> {
    let missing = |record: &Record| {
        // The head of a zone is always there.
        let nothing = |end: &End| *end == End::Missing || (*end == End::Empty && record.name == seen.site.domain);
        let way = seen.ways.get(&record.name);
        way.is_some_and(|way| nothing(&way.end) && way.steps.is_empty())
    };
    if seen.records.len() < 2 || !seen.records.iter().all(missing) {
        return None;
    }
    Some(Finding::failure(
        AREA,
        "zone",
        &seen.site.domain,
        format!("none of the {} names has a record", seen.records.len()),
        "create the records that `mosip-prov dns records --format zone` prints; when they were created just now, ask the \
         zone's own nameserver with --nameserver",
    ))
}

/// CNAMEs that lead in a circle, one finding for each circle.
fn loops<'a>(seen: &Seen<'a>, done: &mut BTreeSet<&'a str>) -> Vec<Finding> {
    let mut circles: Vec<(BTreeSet<&str>, Vec<&'a Record>)> = Vec::new();
    for record in seen.records {
        let Some(way) = seen.ways.get(&record.name).filter(|way| way.end == End::Loop) else {
            continue;
        };
        done.insert(&record.name);
        let names: Vec<&str> = std::iter::once(record.name.as_str())
            .chain(way.steps.iter().map(|step| step.to.as_str()))
            .collect();
        let last = names.len() - 1;
        let from = names.iter().position(|name| *name == names[last]).unwrap_or(0);
        let circle: BTreeSet<&str> = names[from..].iter().copied().collect();
        match circles.iter_mut().find(|(known, _)| *known == circle) {
            Some((_, members)) => members.push(record),
            None => circles.push((circle, vec![record])),
        }
    }
    let mut found = Vec::new();
    for (circle, members) in circles {
        let inside = members.iter().find(|record| circle.contains(record.name.as_str()));
        let record = inside.unwrap_or(&members[0]);
        let others: Vec<&str> = members
            .iter()
            .filter(|m| m.name != record.name)
            .map(|m| m.name.as_str())
            .collect();
        let mut message = format!("its CNAMEs lead in a circle: {}", seen.shown(record));
        if !others.is_empty() {
            message += &format!("; so do {}", others.join(", "));
        }
        found.push(seen.leveled(record, "loop", message, seen.make(record), false));
    }
    found
}

impl Seen<'_> {
    /// The record of the table that `record` leads to first, when it is right to lead there: whatever is wrong behind it is
    /// that one's fault.
    fn on_behalf_of(&self, record: &Record, way: &Way) -> Option<&Record> {
        let target = way
            .steps
            .iter()
            .find_map(|step| self.records.iter().find(|other| other.name == step.to))?;
        (target.address == record.address).then_some(target)
    }

    fn fault(&self, record: &Record) -> Option<Fault> {
        let way = self.ways.get(&record.name)?;
        let fault = |check, message: String| {
            Some(Fault {
                check,
                message,
                remedy: self.make(record),
                grave: false,
                mild: false,
            })
        };
        let last = way.steps.last().map(|step| step.to.as_str());
        match (&way.end, last) {
            (End::Addresses(addresses), _) => self.wrong_address(record, way, addresses),
            (End::Missing, None) => fault("missing", "there is no such name (NXDOMAIN)".into()),
            (End::Empty, None) => fault(
                "missing",
                "the name is there, but has no address: records of another type, or names below it".into(),
            ),
            (End::Missing, Some(last)) => fault(
                "dangling",
                format!("it leads to {last}, which does not exist: {}", self.shown(record)),
            ),
            (End::Empty, Some(last)) => fault(
                "dangling",
                format!("it leads to {last}, which has no address: {}", self.shown(record)),
            ),
            (End::TooLong, _) => fault("chain", format!("its CNAMEs have no end: {}", self.shown(record))),
            // Told before, for all names together.
            (End::Loop | End::Failed(_), _) => None,
        }
    }

    fn wrong_address(&self, record: &Record, way: &Way, addresses: &[Address]) -> Option<Fault> {
        let wanted = record.address;
        let others: Vec<IpAddr> = addresses.iter().map(|a| a.ip).filter(|ip| *ip != wanted).collect();
        let has_it = others.len() < addresses.len();
        let rivals: Vec<IpAddr> = match has_it {
            // An address of the other family is a matter of its own.
            true => others
                .into_iter()
                .filter(|ip| ip.is_ipv4() == wanted.is_ipv4())
                .collect(),
            false => others,
        };
        if rivals.is_empty() {
            return None;
        }
        let front = self.site.front.as_ref();
        let observation = self.site.observation.as_ref();
        let exposed = record.reach != Reach::Public && front.is_some_and(|front| rivals.contains(&front.public));
        let own_private = |ip: &IpAddr| {
            front.is_some_and(|front| front.private == *ip) || observation.is_some_and(|front| front.private == *ip)
        };
        let split = record.reach == Reach::Public
            && !is_private(wanted)
            && rivals.iter().any(|ip| own_private(ip) || is_private(*ip));
        let shown = self.shown(record);
        let list = rivals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (check, mut message) = match (exposed, split, has_it) {
            (true, _, _) => (
                "exposed",
                format!("an internal name that leads to the public address {list}: {shown}"),
            ),
            (_, true, _) => (
                "split_horizon",
                format!("a public name that leads to the private address {list} instead of {wanted}: {shown}"),
            ),
            (_, _, true) => (
                "extra_address",
                format!("besides {wanted} it has {list}, where a part of the clients will go: {shown}"),
            ),
            _ => ("address", format!("it leads to {list} instead of {wanted}: {shown}")),
        };
        if self.is_by_wildcard(way) {
            message += &format!(
                "; the wildcard *.{} answers, since there is no record of that name",
                self.site.domain
            );
        }
        let mut remedy = self.make(record);
        // The VPN's own resolver may lead its peers to the front by the short way.
        let own_front = |ip: &IpAddr| front.is_some_and(|front| front.private == *ip && front.public == wanted);
        let mild = check == "split_horizon" && self.as_here && !has_it && rivals.iter().all(own_front);
        if mild {
            remedy = format!(
                "nothing, where this machine's resolver answers so for the VPN alone: see what the internet is told by \
                 asking a nameserver of it with --nameserver; else {remedy}"
            );
        } else if check == "split_horizon" {
            remedy = format!(
                "this nameserver may answer so for the VPN alone: ask one of the internet with --nameserver; else {remedy}"
            );
        }
        Some(Fault {
            check,
            message,
            remedy,
            grave: exposed,
            mild,
        })
    }

    fn finding(&self, record: &Record, fault: Fault) -> Finding {
        let followers: Vec<&str> = self
            .records
            .iter()
            .filter(|other| other.name != record.name)
            .filter(|other| {
                let way = self.ways.get(&other.name);
                way.and_then(|way| self.on_behalf_of(other, way))
                    .is_some_and(|target| target.name == record.name)
            })
            .map(|other| other.name.as_str())
            .collect();
        let mut message = fault.message;
        if !followers.is_empty() {
            message += &format!("; with it {}", followers.join(", "));
        }
        if fault.mild {
            return Finding::warning(AREA, fault.check, &record.name, message, fault.remedy);
        }
        self.leveled(record, fault.check, message, fault.remedy, fault.grave)
    }

    fn leveled(&self, record: &Record, check: &str, message: String, remedy: String, grave: bool) -> Finding {
        if record.optional && !grave {
            let message = format!("optional: {message}");
            return Finding::warning(AREA, check, &record.name, message, remedy);
        }
        Finding::failure(AREA, check, &record.name, message, remedy)
    }

    /// The findings about a record that leads where it should: what somebody should know, else that it is fine.
    fn fine(&self, record: &Record, way: &Way) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut warn = |check, message: String, remedy: String| {
            found.push(Finding::warning(AREA, check, &record.name, message, remedy));
        };
        if self.alias_at_apex && record.name == self.site.domain {
            warn(
                "apex",
                format!(
                    "the name of the zone itself is a CNAME, which the rules forbid (RFC 1034, 3.6.2): some resolvers then \
                     lose the zone's other records: {}",
                    self.shown(record)
                ),
                format!("{}, or use the provider's ALIAS", self.make(record)),
            );
        }
        let own = match way.steps.first() {
            Some(step) => step.ttl,
            None => addresses_of(way).iter().map(|a| a.ttl).max().unwrap_or(0),
        };
        if own > LONG {
            warn(
                "ttl",
                format!(
                    "it may be kept for {} days by whoever asks: {}",
                    own / 86_400,
                    self.shown(record)
                ),
                "give it a TTL of an hour or less until the installation is up".into(),
            );
        }
        // Names that lead here have the same addresses, and are not told of them again.
        if self.on_behalf_of(record, way).is_none() {
            let other_family: Vec<String> = addresses_of(way)
                .iter()
                .filter(|a| a.ip.is_ipv4() != record.address.is_ipv4())
                .map(|a| a.ip.to_string())
                .collect();
            if !other_family.is_empty() {
                let kind = if record.address.is_ipv4() { Kind::Aaaa } else { Kind::A };
                warn(
                    "other_family",
                    format!(
                        "it has {kind} {} too, which the inventory does not know: {}",
                        other_family.join(", "),
                        self.shown(record)
                    ),
                    format!("take the {kind} record away unless that address is the same machine's"),
                );
            }
        }
        if found.is_empty() {
            let mut message = self.shown(record);
            if self.is_by_wildcard(way) {
                message += &format!(" (by the wildcard *.{})", self.site.domain);
            }
            found.push(Finding::ok(AREA, "record", &record.name, message));
        }
        debug_assert!(found.iter().all(|finding| finding.level < Level::Failure));
        found
    }

    fn is_by_wildcard(&self, way: &Way) -> bool {
        let key = |way: &Way| {
            let steps: Vec<String> = way.steps.iter().map(|step| step.to.clone()).collect();
            let mut ips: Vec<IpAddr> = addresses_of(way).iter().map(|a| a.ip).collect();
            ips.sort_unstable();
            (steps, ips)
        };
        self.wildcard
            .is_some_and(|wildcard| matches!(wildcard.end, End::Addresses(_)) && key(wildcard) == key(way))
    }

    /// The way of a record in one line.
    fn shown(&self, record: &Record) -> String {
        let Some(way) = self.ways.get(&record.name) else {
            return record.name.clone();
        };
        let mut line = record.name.clone();
        for step in &way.steps {
            line += " → ";
            line += &step.to;
        }
        let addresses = addresses_of(way);
        if !addresses.is_empty() {
            let ips: Vec<String> = addresses.iter().map(|a| a.ip.to_string()).collect();
            line += " → ";
            line += &ips.join(", ");
        }
        line
    }

    fn make(&self, record: &Record) -> String {
        let dot = if record.kind == Kind::Cname { "." } else { "" };
        format!("make it `{}. IN {} {}{dot}`", record.name, record.kind, record.value)
    }
}

fn addresses_of(way: &Way) -> &[Address] {
    match &way.end {
        End::Addresses(addresses) => addresses,
        _ => &[],
    }
}

/// Addresses that the internet does not reach: RFC 1918, RFC 6598, loopback, link-local, and IPv6's local ones.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
