//! The inventory as values see it, and the variables of every host.

use indexmap::IndexMap;
use mosip_prov_inventory::Inventory;
use mosip_prov_inventory::value::VarMap;
use mosip_prov_inventory::vars::{HostVars, World};
use std::path::PathBuf;
use std::sync::Arc;

/// The inventory behind `hostvars`, `groups` and the like.
struct InventoryWorld(Arc<Inventory>);

impl World for InventoryWorld {
    fn host_names(&self) -> Vec<Arc<str>> {
        self.0.hosts().map(|h| h.name.clone()).collect()
    }

    fn layers(&self, host: &str) -> Option<Vec<Arc<VarMap>>> {
        self.0.host(host).map(|_| self.0.layers(host))
    }

    fn groups(&self) -> IndexMap<Arc<str>, Vec<Arc<str>>> {
        self.0
            .groups()
            .map(|g| {
                let hosts = self.0.hosts_of(&g.name);
                (g.name.clone(), hosts.into_iter().map(Arc::from).collect())
            })
            .collect()
    }

    fn groups_of(&self, host: &str) -> Vec<Arc<str>> {
        self.0.groups_of(host).into_iter().map(Arc::from).collect()
    }

    fn inventory_dir(&self) -> Option<PathBuf> {
        self.0.base_dir().map(Into::into)
    }

    fn inventory_file(&self) -> Option<PathBuf> {
        self.0.hosts().find_map(|h| h.inventory_file.clone())
    }

    fn defaults(&self) -> Option<Arc<VarMap>> {
        None
    }
}

/// The variables of every host of the inventory, the implicit `localhost` included, without role defaults.
pub fn host_vars(inventory: &Arc<Inventory>, check_mode: bool) -> IndexMap<Arc<str>, HostVars> {
    let world: Arc<dyn World> = Arc::new(InventoryWorld(inventory.clone()));
    let implicit = inventory.host("localhost").filter(|h| h.implicit);
    inventory
        .hosts()
        .chain(implicit)
        .map(|host| {
            let vars =
                HostVars::new(&host.name, inventory.layers(&host.name), world.clone()).with_check_mode(check_mode);
            (host.name.clone(), vars)
        })
        .collect()
}
