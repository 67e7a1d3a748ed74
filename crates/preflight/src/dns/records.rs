//! The records that an installation needs, made from what its inventory says.

use serde::Serialize;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// What of an installation its names are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The domain of the installation, in lower case and without a dot at the end.
    pub domain: String,
    /// The front of the MOSIP cluster; `None` when the inventory has none.
    pub front: Option<Front>,
    /// The front of the observation cluster; `None` when the inventory has none.
    pub observation: Option<Observation>,
}

/// The front of the MOSIP cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// The address that the internet reaches.
    pub public: IpAddr,
    /// The address that the VPN and the clusters reach.
    pub private: IpAddr,
    /// Names that are public besides those that always are.
    pub public_names: Vec<String>,
}

/// The front of the observation cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The address that the VPN reaches.
    pub private: IpAddr,
    /// Every name it serves.
    pub names: Vec<String>,
}

/// The type of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name for the same thing.
    Cname,
}

impl Kind {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::A,
            IpAddr::V6(_) => Self::Aaaa,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        })
    }
}

/// Who a name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Everyone.
    Public,
    /// The VPN and the clusters.
    Internal,
    /// The VPN, and it leads to the observation cluster.
    Observation,
}

/// One record to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The name that owns it, whole, without a dot at the end.
    pub name: String,
    /// An address, or the name a CNAME stands for, without a dot at the end.
    pub value: String,
    /// Whether an installation can do without it.
    pub optional: bool,
    /// What the name is for, in a few words.
    pub purpose: String,
    /// Who it is for.
    #[serde(skip)]
    pub reach: Reach,
    /// The address that the name must lead to in the end.
    #[serde(skip)]
    pub address: IpAddr,
}

/// Names below the domain that are public in every installation, after `api`.
const PUBLIC: [(&str, &str); 3] = [
    ("prereg", "pre-registration portal"),
    ("resident", "resident portal"),
    ("idp", "identity provider, for sign-in"),
];

/// Names below the domain that lead to the internal address: name, whether an installation can do without, purpose.
const INTERNAL: [(&str, bool, &str); 11] = [
    ("activemq", false, "dashboard of the message broker"),
    ("kibana", true, "dashboards of reports and logs"),
    ("regclient", false, "download of the registration client"),
    ("admin", false, "administration portal"),
    ("object-store", true, "console of the object store"),
    ("kafka", false, "user interface of Kafka"),
    ("iam", false, "Keycloak of the MOSIP services"),
    ("postgres", false, "the database server"),
    ("pmp", false, "partner management portal"),
    ("onboarder", false, "reports of partner onboarding"),
    ("smtp", false, "user interface of the mock mail server"),
];

/// Every record of `site`, in the order in which they are created: those that others refer to first.
pub fn records(site: &Site) -> Vec<Record> {
    let mut found: Vec<Record> = Vec::new();
    let mut add = |record: Record| {
        if !found.iter().any(|known| known.name == record.name) {
            found.push(record);
        }
    };
    let below = |label: &str| format!("{label}.{}", site.domain);
    let address = |name: String, ip: IpAddr, reach: Reach, purpose: &str| Record {
        kind: Kind::of(ip),
        name,
        value: ip.to_string(),
        optional: false,
        purpose: purpose.to_owned(),
        reach,
        address: ip,
    };
    if let Some(observation) = &site.observation {
        for name in &observation.names {
            let purpose = match name.split('.').next() {
                Some("rancher") => "Rancher, which manages the clusters",
                Some("keycloak") => "Keycloak, which signs people in to Rancher",
                _ => "a name of nginx_obs_public_domain_names",
            };
            add(address(name.clone(), observation.private, Reach::Observation, purpose));
        }
    }
    let Some(front) = &site.front else {
        return found;
    };
    let (api, api_internal) = (below("api"), below("api-internal"));
    let alias = |name: String, target: &str, optional: bool, purpose: &str, reach: Reach| Record {
        kind: Kind::Cname,
        name,
        value: target.to_owned(),
        optional,
        purpose: purpose.to_owned(),
        reach,
        address: match reach {
            Reach::Public => front.public,
            Reach::Internal | Reach::Observation => front.private,
        },
    };
    add(address(
        api_internal.clone(),
        front.private,
        Reach::Internal,
        "APIs for the VPN and the clusters only",
    ));
    add(address(api.clone(), front.public, Reach::Public, "APIs for everyone"));
    for (label, purpose) in PUBLIC {
        add(alias(below(label), &api, false, purpose, Reach::Public));
    }
    for name in &front.public_names {
        let purpose = "a name of nginx_public_domain_names";
        if *name == site.domain {
            add(address(name.clone(), front.public, Reach::Public, purpose));
        } else {
            add(alias(name.clone(), &api, false, purpose, Reach::Public));
        }
    }
    add(address(
        site.domain.clone(),
        front.private,
        Reach::Internal,
        "start page; the name of a zone itself takes no CNAME, so an address (or ALIAS of api-internal)",
    ));
    for (label, optional, purpose) in INTERNAL {
        add(alias(below(label), &api_internal, optional, purpose, Reach::Internal));
    }
    found
}

/// The names that lead to the front of the MOSIP cluster: those of every installation, and those that some do without.
/// `public_names` are those that the inventory makes public.
pub fn front_names(domain: &str, public_names: &[String]) -> (Vec<String>, Vec<String>) {
    // Addresses do not matter for names.
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let site = Site {
        domain: domain.to_owned(),
        front: Some(Front {
            public: nowhere,
            private: nowhere,
            public_names: public_names.to_vec(),
        }),
        observation: None,
    };
    let (further, required): (Vec<Record>, Vec<Record>) =
        records(&site).into_iter().partition(|record| record.optional);
    let names = |records: Vec<Record>| records.into_iter().map(|record| record.name).collect();
    (names(required), names(further))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The guide's installation, with addresses of documentation.
    pub(crate) fn site() -> Site {
        let ip = |text: &str| text.parse().expect("an address");
        Site {
            domain: "mosip.test".into(),
            front: Some(Front {
                public: ip("203.0.113.31"),
                private: ip("10.1.0.31"),
                public_names: vec![],
            }),
            observation: Some(Observation {
                private: ip("10.1.0.32"),
                names: vec!["rancher.mosip.test".into(), "keycloak.mosip.test".into()],
            }),
        }
    }

    fn lines(site: &Site) -> Vec<String> {
        let shown = |r: &Record| {
            format!(
                "{} {} {}{}",
                r.kind,
                r.name,
                r.value,
                if r.optional { " optional" } else { "" }
            )
        };
        records(site).iter().map(shown).collect()
    }

    #[test]
    fn the_whole_table() {
        assert_eq!(
            lines(&site()),
            [
                "A rancher.mosip.test 10.1.0.32",
                "A keycloak.mosip.test 10.1.0.32",
                "A api-internal.mosip.test 10.1.0.31",
                "A api.mosip.test 203.0.113.31",
                "CNAME prereg.mosip.test api.mosip.test",
                "CNAME resident.mosip.test api.mosip.test",
                "CNAME idp.mosip.test api.mosip.test",
                "A mosip.test 10.1.0.31",
                "CNAME activemq.mosip.test api-internal.mosip.test",
                "CNAME kibana.mosip.test api-internal.mosip.test optional",
                "CNAME regclient.mosip.test api-internal.mosip.test",
                "CNAME admin.mosip.test api-internal.mosip.test",
                "CNAME object-store.mosip.test api-internal.mosip.test optional",
                "CNAME kafka.mosip.test api-internal.mosip.test",
                "CNAME iam.mosip.test api-internal.mosip.test",
                "CNAME postgres.mosip.test api-internal.mosip.test",
                "CNAME pmp.mosip.test api-internal.mosip.test",
                "CNAME onboarder.mosip.test api-internal.mosip.test",
                "CNAME smtp.mosip.test api-internal.mosip.test",
            ]
        );
    }

    #[test]
    fn what_the_inventory_makes_public_is_not_internal() {
        let mut site = site();
        site.observation = None;
        let front = site.front.as_mut().expect("a front");
        front.public = "2001:db8::1".parse().expect("an address");
        front.public_names = ["api.mosip.test", "admin.mosip.test", "esignet.other.test", "mosip.test"]
            .map(String::from)
            .to_vec();
        let lines = lines(&site);
        for wanted in [
            "AAAA api.mosip.test 2001:db8::1",
            "CNAME admin.mosip.test api.mosip.test",
            "CNAME esignet.other.test api.mosip.test",
            "AAAA mosip.test 2001:db8::1",
        ] {
            assert!(lines.contains(&wanted.to_owned()), "{wanted}: {lines:#?}");
        }
        assert_eq!(lines.len(), 18, "{lines:#?}");
    }

    #[test]
    fn what_programs_read() {
        let json = serde_json::to_value(records(&site())).expect("JSON");
        assert_eq!(
            json[4],
            serde_json::json!({
                "type": "CNAME", "name": "prereg.mosip.test", "value": "api.mosip.test", "optional": false,
                "purpose": "pre-registration portal"
            })
        );
    }
}
