//! Templates, conditions and template files, with values of every kind around them, a secret among them.

use indexmap::IndexMap;
use mosip_prov_inventory::value::{Secret, Value, Var, VarMap};
use mosip_prov_inventory::vars::{HostVars, ValueError, World};
use mosip_prov_inventory::yaml::parse_vars;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

/// A vault's text. No template that holds a part of it is tried, so that wherever it turns up the secret was let out.
const SECRET: &str = "wq7Jx2Vb9Lk4";

/// What has a value of its own each time, or one of this machine: none of these is asked twice.
const CHANGING: &[&str] = &[
    "now",
    "random",
    "shuffle",
    "lipsum",
    "hash",
    "env",
    "expandvars",
    "expanduser",
    "realpath",
    "salt",
];

const VARS: &str = r#"
text: a text
number: 42
real: 1.5
yes: true
nothing: null
list: [3, 1, 2]
words: [alpha, beta, gamma, beta]
map: {b: 2, a: 1, deep: {list: [{name: x, size: 1}, {name: y, size: 2}]}}
rows: [{name: x, tags: [p, q], on: true}, {name: y, tags: [], on: false}]
net: 10.42.1.7/24
path: /etc/nginx/nginx.conf
json: '{"a": [1, 2, {"b": null}]}'
indirect: "{{ text | upper }}-{{ number + 1 }}"
chain: "{{ indirect }}{{ indirect }}"
circle: "{{ round }}"
round: "{{ circle }}"
with_secret: "x{{ password }}y"
broken: "{{ nothing.at.all }}"
"#;

struct Nobody;

impl World for Nobody {
    fn host_names(&self) -> Vec<Arc<str>> {
        ["vm1", "vm2", "vm3"].map(Arc::from).into()
    }

    fn layers(&self, host: &str) -> Option<Vec<Arc<VarMap>>> {
        ["vm1", "vm2", "vm3"].contains(&host).then(Vec::new)
    }

    fn groups(&self) -> IndexMap<Arc<str>, Vec<Arc<str>>> {
        IndexMap::from([
            ("all".into(), self.host_names()),
            ("web".into(), vec!["vm1".into(), "vm2".into()]),
        ])
    }

    fn groups_of(&self, host: &str) -> Vec<Arc<str>> {
        let web = ["vm1", "vm2"].contains(&host);
        web.then(|| Arc::from("web")).into_iter().collect()
    }

    fn inventory_dir(&self) -> Option<PathBuf> {
        Some("/nowhere".into())
    }

    fn inventory_file(&self) -> Option<PathBuf> {
        Some("/nowhere/hosts.ini".into())
    }

    fn defaults(&self) -> Option<Arc<VarMap>> {
        None
    }
}

static HOST: LazyLock<HostVars> = LazyLock::new(|| {
    let mut vars = parse_vars(VARS, "vars").expect("variables");
    let password = Var {
        value: Value::Secret(Secret::new(SECRET.into())),
        location: None,
    };
    vars.insert("password".into(), password);
    HostVars::new("vm1", vec![Arc::new(vars)], Arc::new(Nobody))
});

/// A host with values of every kind.
pub fn host() -> &'static HostVars {
    &HOST
}

/// No template lets the secret out, be it in a value that may be shown or in an error; asking twice gives the same; what a template
/// makes is bounded.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // Of files, some never end; and what holds the secret itself proves nothing.
    if ["file", "found", "unvault"].iter().any(|word| text.contains(word)) || holds_part(&text) {
        return;
    }
    let changing = CHANGING.iter().any(|word| text.contains(word));
    let host = host();
    let render = || host.render(&text, None);
    let condition = || host.condition(&text, None);
    let file = || host.render_template("t.j2", &text, &VarMap::new());

    let rendered = render();
    told(&rendered);
    if let Ok(value) = &rendered {
        assert!(weight(value) <= 80 << 20, "a value of {} bytes", weight(value));
    }
    let held = condition();
    told(&held);
    let whole = file();
    told(&whole);
    if let Ok(whole) = &whole {
        assert!(
            whole.secret || !holds_secret(&whole.text),
            "a file with a secret is no secret"
        );
        assert!(whole.text.len() <= 80 << 20);
    }
    if !changing && text.len() < 1000 {
        same(&rendered, &render());
        same(&held, &condition());
        same(&whole, &file());
    }
}

fn same<T: Debug>(one: &Result<T, ValueError>, other: &Result<T, ValueError>) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}

fn holds_secret(text: &str) -> bool {
    text.contains(SECRET)
}

fn holds_part(text: &str) -> bool {
    SECRET
        .as_bytes()
        .windows(4)
        .any(|part| text.as_bytes().windows(4).any(|own| own == part))
}

/// What is shown of an outcome does not hold the secret.
fn told<T: Debug>(outcome: &Result<T, ValueError>) {
    let shown = match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error}\n{error:?}\n{:?}", error.help()),
    };
    assert!(!holds_secret(&shown), "the secret is shown: {shown}");
}

fn weight(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(weight).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        other => other.as_str().map_or(1, str::len),
    }
}
