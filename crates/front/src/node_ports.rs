//! The ports of the cluster's nodes where the front and Istio's gateways meet: gateways open them, nginx forwards to them.
//! This is the one place that says which they are.

use crate::Surroundings;
use crate::reader::Reader;
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::value::{Value, Var, VarMap};
use std::sync::Arc;

/// Ports of the cluster's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePorts {
    /// The gateway for public names.
    pub public: u16,
    /// The gateway for internal names.
    pub internal: u16,
    /// Object storage.
    pub minio: u16,
    /// The database.
    pub postgres: u16,
    /// The message broker.
    pub activemq: u16,
}

/// The variables of the front that change them, in the order of the fields.
pub const VARIABLES: [&str; 5] = [
    "nginx_public_ingress_nodeport",
    "nginx_internal_ingress_nodeport",
    "nginx_minio_ingress_nodeport",
    "nginx_postgres_nodeport",
    "nginx_activemq_nodeport",
];

/// The group of the hosts that forward to them.
const FRONT: &str = "nginx";

impl NodePorts {
    /// Those of an installation that changes none.
    pub const DEFAULT: Self = Self {
        public: 30080,
        internal: 31080,
        minio: 30900,
        postgres: 31432,
        activemq: 31616,
    };

    /// In the order of [`VARIABLES`].
    pub fn all(&self) -> [u16; 5] {
        [self.public, self.internal, self.minio, self.postgres, self.activemq]
    }

    fn from_all([public, internal, minio, postgres, activemq]: [u16; 5]) -> Self {
        Self {
            public,
            internal,
            minio,
            postgres,
            activemq,
        }
    }

    /// Those that `reader`'s host is told.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self::from_all(VARIABLES.map(|name| reader.port(name)))
    }

    /// Those that the hosts of group `nginx` forward to; the defaults where there are none. Hosts that do not agree are a
    /// problem: gateways open one port for each.
    pub fn of_front(around: &Surroundings<'_>, problems: &mut Diagnostics) -> Self {
        let defaults: VarMap = VARIABLES
            .iter()
            .zip(Self::DEFAULT.all())
            .map(|(name, port)| {
                let value = Value::Int(i128::from(port));
                (Arc::from(*name), Var { value, location: None })
            })
            .collect();
        let defaults = Arc::new(defaults);
        let mut first: Option<(&str, Self)> = None;
        for host in around.hosts_of(FRONT) {
            let Some(vars) = around.vars_of(host) else { continue };
            let vars = vars.clone().with_defaults(Arc::clone(&defaults));
            let ports = Self::read(&mut Reader::new(&vars, problems));
            match first {
                None => first = Some((host, ports)),
                Some((other, there)) => {
                    for (name, (a, b)) in VARIABLES.iter().zip(there.all().into_iter().zip(ports.all())) {
                        if a != b {
                            problems.push(
                                Diagnostic::error(format!("{name} is {a} on {other} and {b} on {host}"))
                                    .at(vars.location(name))
                                    .help("Istio opens one port for both: give them the same, in group_vars"),
                            );
                        }
                    }
                }
            }
        }
        first.map_or(Self::DEFAULT, |(_, ports)| ports)
    }
}
