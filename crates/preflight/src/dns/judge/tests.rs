//! Ways as data, one fault each.

use super::super::lookup::Step;
use super::super::records::{records, tests::site};
use super::*;

const PUBLIC: &str = "203.0.113.31";
const PRIVATE: &str = "10.1.0.31";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn name(label: &str) -> String {
    match label {
        "@" => "mosip.test".into(),
        label if label.contains('.') => label.into(),
        label => format!("{label}.mosip.test"),
    }
}

fn way(steps: &[&str], end: End) -> Way {
    let step = |label: &&str| Step {
        to: name(label),
        ttl: 300,
    };
    Way {
        steps: steps.iter().map(step).collect(),
        end,
    }
}

fn at(ips: &[&str]) -> End {
    let address = |text: &&str| Address { ip: ip(text), ttl: 300 };
    End::Addresses(ips.iter().map(address).collect())
}

struct World {
    site: Site,
    ways: HashMap<String, Way>,
    wildcard: Option<Way>,
    as_here: bool,
    alias_at_apex: bool,
}

impl World {
    /// All is as the table says.
    fn new() -> Self {
        let site = site();
        let ways = records(&site)
            .into_iter()
            .map(|record| {
                let steps = match record.kind {
                    Kind::Cname => vec![record.value.as_str()],
                    _ => vec![],
                };
                let way = way(&steps, at(&[&record.address.to_string()]));
                (record.name, way)
            })
            .collect();
        Self {
            site,
            ways,
            wildcard: Some(way(&[], End::Missing)),
            as_here: false,
            alias_at_apex: false,
        }
    }

    fn set(mut self, label: &str, way: Way) -> Self {
        self.ways.insert(name(label), way);
        self
    }

    /// What holds for a name holds for all that lead to it.
    fn set_with_followers(mut self, label: &str, end: &End) -> Self {
        let target = name(label);
        for (name, way) in &mut self.ways {
            if *name == target || way.steps.iter().any(|step| step.to == target) {
                way.end = end.clone();
            }
        }
        self
    }

    fn judge(&self) -> Vec<Finding> {
        judge(&Seen {
            site: &self.site,
            records: &records(&self.site),
            ways: &self.ways,
            wildcard: self.wildcard.as_ref(),
            as_here: self.as_here,
            alias_at_apex: self.alias_at_apex,
        })
    }

    /// The one finding that is not ok, as `level check subject`, with each of `parts` in its message or remedy.
    #[track_caller]
    fn only(&self, wanted: &str, parts: &[&str]) {
        let all = self.judge();
        let not_ok: Vec<&Finding> = all.iter().filter(|f| f.level != Level::Ok).collect();
        assert_eq!(not_ok.len(), 1, "{not_ok:#?}");
        let f = not_ok[0];
        let level = if f.level == Level::Failure {
            "failure"
        } else {
            "warning"
        };
        assert_eq!(format!("{level} {} {}", f.check, f.subject), wanted, "{f:?}");
        let remedy = f.remedy.as_deref().expect("a remedy");
        for part in parts {
            assert!(
                f.message.contains(part) || remedy.contains(part),
                "{part:?} not in {f:?}"
            );
        }
    }
}

#[test]
fn all_is_well() {
    let found = World::new().judge();
    assert_eq!(found.len(), 19);
    assert!(
        found.iter().all(|f| f.level == Level::Ok && f.check == "record"),
        "{found:#?}"
    );
    assert_eq!(found[4].subject, "prereg.mosip.test");
    assert_eq!(found[4].message, "prereg.mosip.test → api.mosip.test → 203.0.113.31");
}

#[test]
fn a_wrong_address_is_told_once_with_all_that_lead_to_it() {
    let world = World::new().set_with_followers("api-internal", &at(&["10.1.0.77"]));
    world.only(
        "failure address api-internal.mosip.test",
        &[
            "leads to 10.1.0.77 instead of 10.1.0.31",
            "; with it activemq.mosip.test, kibana.mosip.test",
            "smtp.mosip.test",
            "make it `api-internal.mosip.test. IN A 10.1.0.31`",
        ],
    );
    // Fine are the two of the other front, the four public ones and the domain itself.
    assert_eq!(world.judge().iter().filter(|f| f.level == Level::Ok).count(), 7);
}

#[test]
fn missing_records() {
    let missing = || way(&[], End::Missing);
    World::new()
        .set("rancher", missing())
        .only("failure missing rancher.mosip.test", &["NXDOMAIN", "IN A 10.1.0.32"]);
    World::new().set("prereg", way(&[], End::Empty)).only(
        "failure missing prereg.mosip.test",
        &["has no address", "IN CNAME api.mosip.test.`"],
    );
    World::new().set("kibana", missing()).only(
        "warning missing kibana.mosip.test",
        &["optional: there is no such name"],
    );
    World::new()
        .set_with_followers("api", &End::Missing)
        .set("api", missing())
        .only(
            "failure missing api.mosip.test",
            &["with it prereg.mosip.test, resident.mosip.test, idp.mosip.test"],
        );
}

#[test]
fn nothing_at_all_is_one_finding() {
    let mut world = World::new();
    for way in world.ways.values_mut() {
        way.steps.clear();
        way.end = End::Missing;
    }
    world.only("failure zone mosip.test", &["none of the 19 names", "--format zone"]);
    // A zone that is there and empty.
    world
        .set("@", way(&[], End::Empty))
        .only("failure zone mosip.test", &["none of the 19 names"]);
}

#[test]
fn aliases_that_lead_astray() {
    World::new().set("idp", way(&["apu"], End::Missing)).only(
        "failure dangling idp.mosip.test",
        &["idp.mosip.test → apu.mosip.test", "does not exist"],
    );
    World::new().set("pmp", way(&["front"], End::Empty)).only(
        "failure dangling pmp.mosip.test",
        &["front.mosip.test, which has no address"],
    );
    World::new().set("kafka", way(&["rancher"], at(&["10.1.0.32"]))).only(
        "failure address kafka.mosip.test",
        &["kafka.mosip.test → rancher.mosip.test → 10.1.0.32"],
    );
    // Another way to the right address is as good.
    let elsewhere = World::new().set("iam", way(&["lb.other.test"], at(&[PRIVATE])));
    assert!(elsewhere.judge().iter().all(|f| f.level == Level::Ok));
    let address = World::new().set("iam", way(&[], at(&[PRIVATE])));
    assert!(address.judge().iter().all(|f| f.level == Level::Ok));
}

#[test]
fn a_circle_is_told_once() {
    let world = World::new()
        .set("prereg", way(&["resident", "prereg"], End::Loop))
        .set("resident", way(&["prereg", "resident"], End::Loop))
        .set("idp", way(&["resident", "prereg", "resident"], End::Loop));
    world.only(
        "failure loop prereg.mosip.test",
        &[
            "prereg.mosip.test → resident.mosip.test → prereg.mosip.test",
            "so do resident.mosip.test, idp.mosip.test",
        ],
    );
    World::new()
        .set("object-store", way(&["object-store"], End::Loop))
        .only("warning loop object-store.mosip.test", &["optional"]);
    World::new()
        .set("smtp", way(&["x"; 16], End::TooLong))
        .only("failure chain smtp.mosip.test", &["no end"]);
}

#[test]
fn who_sees_what() {
    World::new().set("admin", way(&["api"], at(&[PUBLIC]))).only(
        "failure exposed admin.mosip.test",
        &["internal name", PUBLIC, "api-internal.mosip.test."],
    );
    // That it is optional does not make it better.
    World::new()
        .set("kibana", way(&["api"], at(&[PUBLIC])))
        .only("failure exposed kibana.mosip.test", &[]);
    World::new()
        .set("keycloak", way(&[], at(&["10.1.0.32", PUBLIC])))
        .only("failure exposed keycloak.mosip.test", &[]);
    World::new()
        .set("resident", way(&["api-internal"], at(&[PRIVATE])))
        .only(
            "failure split_horizon resident.mosip.test",
            &["public name", "--nameserver"],
        );
    World::new().set_with_followers("api", &at(&["192.168.1.5"])).only(
        "failure split_horizon api.mosip.test",
        &["192.168.1.5", "with it prereg"],
    );
}

#[test]
fn the_vpns_resolver_may_lead_to_the_front_by_the_short_way() {
    let here = |mut world: World| {
        world.as_here = true;
        world
    };
    let private = || World::new().set_with_followers("api", &at(&[PRIVATE]));
    here(private()).only(
        "warning split_horizon api.mosip.test",
        &[PRIVATE, "with it prereg", "VPN alone", "--nameserver"],
    );
    // A nameserver that was named is asked for what the internet is told.
    private().only("failure split_horizon api.mosip.test", &[]);
    // Elsewhere than its own front it leads nobody right.
    for wrong in [
        &["192.168.1.5"][..],
        &["10.1.0.32"],
        &[PRIVATE, "192.168.1.5"],
        &[PUBLIC, PRIVATE],
    ] {
        here(World::new().set_with_followers("api", &at(wrong))).only("failure split_horizon api.mosip.test", &[]);
    }
}

#[test]
fn further_addresses() {
    World::new()
        .set_with_followers("api", &at(&[PUBLIC, "203.0.113.99"]))
        .only(
            "failure extra_address api.mosip.test",
            &["besides 203.0.113.31 it has 203.0.113.99"],
        );
    World::new()
        .set_with_followers("api", &at(&[PUBLIC, "2001:db8::9"]))
        .only("warning other_family api.mosip.test", &["AAAA 2001:db8::9"]);
    World::new().set("rancher", way(&[], at(&["2001:db8::9"]))).only(
        "failure address rancher.mosip.test",
        &["2001:db8::9 instead of 10.1.0.32"],
    );
}

#[test]
fn wildcards() {
    let mut world = World::new().set("onboarder", way(&[], at(&["192.0.2.80"])));
    world.wildcard = Some(way(&[], at(&["192.0.2.80"])));
    world.only(
        "failure address onboarder.mosip.test",
        &["the wildcard *.mosip.test answers"],
    );
    let mut right = World::new().set("onboarder", way(&["api-internal"], at(&[PRIVATE])));
    right.wildcard = Some(way(&["api-internal"], at(&[PRIVATE])));
    let found = right.judge();
    assert!(found.iter().all(|f| f.level == Level::Ok), "{found:#?}");
    assert!(found[17].message.contains("by the wildcard"), "{found:#?}");
}

#[test]
fn the_apex_and_long_lives() {
    let mut world = World::new().set("@", way(&["api-internal"], at(&[PRIVATE])));
    assert!(world.judge().iter().all(|f| f.level == Level::Ok));
    world.alias_at_apex = true;
    world.only("warning apex mosip.test", &["RFC 1034", "IN A 10.1.0.31", "ALIAS"]);
    let mut long = way(&["api"], at(&[PUBLIC]));
    long.steps[0].ttl = 7 * 86_400;
    World::new()
        .set("idp", long)
        .only("warning ttl idp.mosip.test", &["7 days"]);
}

#[test]
fn servers_that_do_not_answer() {
    let server = "192.0.2.53:53".parse().expect("an address");
    let mut world = World::new();
    for way in world.ways.values_mut() {
        way.end = End::Failed(AskError::Silent { server });
    }
    world.only(
        "failure nameserver mosip.test",
        &["none of the 19 names", "192.0.2.53:53 does not answer"],
    );
    let failed = || End::Failed(AskError::ServerFailure { server });
    World::new()
        .set("pmp", way(&[], failed()))
        .set("iam", way(&[], failed()))
        .only(
            "failure lookup iam.mosip.test",
            &["SERVFAIL", "asked for iam.mosip.test, pmp.mosip.test"],
        );
}
