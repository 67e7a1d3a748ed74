//! Host patterns and limits, on an inventory with names of every shape.

use mosip_prov_inventory::{Inventory, fuzzing};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

const INVENTORY: &str = "
bastion ansible_host=192.0.2.1
db.example.org
2001:db8::7
[web]
web[1:4]
web-a
[db]
db[01:03]
10.0.0.5
[edge:children]
web
[east]
web1
db01
[prod:children]
east
edge
db
";

static HOSTS: LazyLock<Inventory> = LazyLock::new(|| fuzzing::ini(INVENTORY, Path::new("hosts.ini"), false).inventory);

/// A pattern selects hosts of the inventory, none twice, the same ones each time; a limit leaves a part of them; what is taken
/// away is gone. The input is a pattern and a limit, with a NUL between.
pub fn run(bytes: &[u8]) {
    // Files of limits are read elsewhere.
    let text = String::from_utf8_lossy(bytes).replace('@', "a");
    let (pattern, limit) = text.split_once('\0').unwrap_or((&text, "all"));
    let inventory = &*HOSTS;
    let Ok(selected) = inventory.select(pattern) else {
        assert_eq!(inventory.select(pattern), inventory.select(pattern));
        return;
    };
    assert_eq!(Ok(&selected), inventory.select(pattern).as_ref());
    let all = set(&selected);
    assert_eq!(all.len(), selected.len(), "one twice: {selected:?}");
    let known = |name: &str| inventory.host(name).is_some();
    assert!(selected.iter().all(|name| known(name)), "{selected:?}");

    if let Ok(limited) = inventory.select_limited(pattern, Some(limit)) {
        assert!(set(&limited).is_subset(&all), "{limited:?} of {selected:?}");
        let by_limit = set(&inventory.select(limit).expect("the limit")).clone();
        assert_eq!(set(&limited), all.intersection(&by_limit).cloned().collect());
    }
    // The same pattern, with one of its hosts taken away.
    if let (Some(gone), false) = (selected.first(), pattern.trim().is_empty()) {
        let separator = if pattern.contains(',') { "," } else { ":" };
        let is_one_name = inventory.host(pattern.trim()).is_some();
        // Two colons are of an address, and taken as one name.
        let joined = format!("{pattern}{separator}");
        let is_list = pattern.contains(char::is_alphanumeric) && !joined.contains("::");
        if is_list && !is_one_name && !gone.contains(':') && !pattern.contains(['[', ']', '~']) {
            let without = inventory.select(&format!("{joined}!{gone}")).expect("still a pattern");
            assert!(!without.contains(gone), "{gone} of {without:?}");
        }
    }
}

fn set(names: &[Arc<str>]) -> BTreeSet<Arc<str>> {
    names.iter().cloned().collect()
}
