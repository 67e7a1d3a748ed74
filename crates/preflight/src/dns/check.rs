//! Asks for all names of a site at the same time.

use super::ask::Client;
use super::judge::{Seen, judge};
use super::lookup::{Way, way};
use super::message::{Data, Type};
use super::records::{Site, records};
use futures::future::join_all;
use mosip_prov_events::Finding;
use std::collections::HashMap;

/// The area of the findings.
pub const AREA: &str = "dns";

/// A name that nobody creates: what answers for it is a wildcard.
const NOBODYS: &str = "mosip-prov-asks-for-a-wildcard";

/// Asks `client` for every name that `site` needs and judges the answers: one finding for each record, except that what
/// only follows from another's fault is named there. `as_here`: the nameservers are those that this machine uses for
/// itself, which may answer so for the VPN alone. All names are asked for at the same time; a server that does not
/// answer costs 4 seconds, whatever the number of names.
pub async fn check(site: &Site, client: &Client, as_here: bool) -> Vec<Finding> {
    let records = records(site);
    let nobody = format!("{NOBODYS}.{}", site.domain);
    let names = records
        .iter()
        .map(|record| record.name.as_str())
        .chain([nobody.as_str()]);
    let ways = join_all(names.map(|name| async move { (name.to_owned(), way(client, name).await) })).await;
    let mut ways: HashMap<String, Way> = ways.into_iter().collect();
    let wildcard = ways.remove(&nobody);
    let is_alias = ways.get(&site.domain).is_some_and(|way| !way.steps.is_empty());
    let seen = Seen {
        site,
        records: &records,
        ways: &ways,
        wildcard: wildcard.as_ref(),
        as_here,
        alias_at_apex: is_alias && is_apex(client, &site.domain).await,
    };
    judge(&seen)
}

/// Whether `name` is the head of a zone of its own, rather than a name within one.
async fn is_apex(client: &Client, name: &str) -> bool {
    match client.ask(name, Type::Soa).await {
        Ok(reply) => reply.answers.iter().any(|rr| rr.owner == name && rr.data == Data::Soa),
        Err(_) => false,
    }
}
