//! Lazy values of hosts: cycles, self-reference, other hosts, secrets, places of errors, typed reading.

use indexmap::IndexMap;
use mosip_prov_inventory::diagnostic::{Diagnostic, Location};
use mosip_prov_inventory::template::is_omit;
use mosip_prov_inventory::value::{Secret, Value, Var, VarMap};
use mosip_prov_inventory::vars::{HostVars, ValueError, ValueErrorKind, World};
use mosip_prov_inventory::yaml::parse_value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Default)]
struct Inventory {
    hosts: IndexMap<Arc<str>, Vec<Arc<VarMap>>>,
    groups: IndexMap<Arc<str>, Vec<Arc<str>>>,
    dir: Option<PathBuf>,
}

impl World for Inventory {
    fn host_names(&self) -> Vec<Arc<str>> {
        self.hosts.keys().cloned().collect()
    }
    fn layers(&self, host: &str) -> Option<Vec<Arc<VarMap>>> {
        self.hosts.get(host).cloned()
    }
    fn groups(&self) -> IndexMap<Arc<str>, Vec<Arc<str>>> {
        self.groups.clone()
    }
    fn groups_of(&self, host: &str) -> Vec<Arc<str>> {
        let has = |hosts: &Vec<Arc<str>>| hosts.iter().any(|h| **h == *host);
        self.groups
            .iter()
            .filter(|(_, hosts)| has(hosts))
            .map(|(name, _)| Arc::clone(name))
            .collect()
    }
    fn inventory_dir(&self) -> Option<PathBuf> {
        self.dir.clone()
    }
    fn inventory_file(&self) -> Option<PathBuf> {
        Some(PathBuf::from("/inv/hosts.ini"))
    }
    fn defaults(&self) -> Option<Arc<VarMap>> {
        None
    }
}

/// A layer from YAML; every variable gets the place `file:line`.
fn layer(file: &str, yaml: &str) -> Arc<VarMap> {
    let Value::Map(map) = parse_value(yaml, file).expect("the test's YAML") else {
        return Arc::default();
    };
    let path: Arc<Path> = Arc::from(Path::new(file));
    let place = |name: &str| {
        let (number, text) = yaml
            .lines()
            .enumerate()
            .find(|(_, line)| line.starts_with(&format!("{name}:")))
            .expect("each variable on a line of its own");
        Location::at(Arc::clone(&path), number as u32 + 1, 1, Some(text.into()))
    };
    let entry = |(name, value): (Arc<str>, Value)| {
        let location = Some(place(&name));
        (name, Var { value, location })
    };
    Arc::new(map.into_iter().map(entry).collect())
}

fn secret(name: &str, text: &str) -> Arc<VarMap> {
    let var = Var {
        value: Value::Secret(Secret::new(text.into())),
        location: None,
    };
    Arc::new(VarMap::from_iter([(Arc::from(name), var)]))
}

fn host(layers: &[Arc<VarMap>]) -> HostVars {
    HostVars::new("vm1", layers.to_vec(), Arc::new(Inventory::default()))
}

fn one(yaml: &str) -> HostVars {
    host(&[layer("all.yml", yaml)])
}

/// `vm1` and `vm2` in `web`, `vm3` alone.
fn fleet() -> (HostVars, Arc<Inventory>) {
    let all = layer(
        "all.yml",
        "domain: example.org\nfqdn: \"{{ inventory_hostname }}.{{ domain }}\"\n",
    );
    let own = |yaml: &str| vec![Arc::clone(&all), layer("hosts.yml", yaml)];
    let world = Arc::new(Inventory {
        hosts: IndexMap::from_iter([
            ("vm1".into(), own("node_ip: 10.0.0.1\n")),
            ("vm2".into(), own("node_ip: 10.0.0.2\nbroken: \"{{ nope }}\"\n")),
            (
                "vm3".into(),
                own("node_ip: 10.0.0.3\ndomain: other.net\nloops: \"{{ hostvars['vm1'].back }}\"\n"),
            ),
        ]),
        groups: IndexMap::from_iter([
            ("all".into(), vec!["vm1".into(), "vm2".into(), "vm3".into()]),
            ("web".into(), vec!["vm1".into(), "vm2".into()]),
        ]),
        dir: None,
    });
    let mut layers = world.layers("vm1").expect("vm1 is there");
    layers.push(layer("extra.yml", "back: \"{{ hostvars['vm3'].loops }}\"\n"));
    (
        HostVars::new("vm1", layers, Arc::clone(&world) as Arc<dyn World>),
        world,
    )
}

fn text(vars: &HostVars, template: &str) -> String {
    match vars.render(template, None).expect("it renders") {
        Value::Str(s) => s.to_string(),
        other => format!("{other:?}"),
    }
}

fn fails(result: Result<Option<Value>, ValueError>) -> ValueError {
    result.expect_err("it must fail")
}

#[test]
fn a_broken_variable_that_nobody_uses_is_no_error() {
    let vars = one("good: 1\nbad: \"{{ 1 / 0 }}\"\nworse: \"{{ x y }}\"\n");
    assert_eq!(vars.get("good").unwrap(), Some(Value::Int(1)));
    assert!(matches!(
        fails(vars.get("bad")).kind(),
        ValueErrorKind::Operation { .. }
    ));
    assert!(matches!(fails(vars.get("worse")).kind(), ValueErrorKind::Syntax { .. }));
}

#[test]
fn what_is_not_set_is_none_and_required_is_an_error() {
    let vars = one("a: 1\n");
    assert_eq!(vars.get("b").unwrap(), None);
    let error = vars.require("b").unwrap_err();
    assert_eq!(error.kind(), &ValueErrorKind::Undefined { name: "b".into() });
}

#[test]
fn a_variable_that_names_itself_means_the_one_it_overrides() {
    let outer = layer("all.yml", "x: low\nlist: [1]\n");
    let inner = layer(
        "host.yml",
        "x: \"{{ x | default('y') }}-high\"\nlist: \"{{ list + [2] }}\"\nz: \"{{ z | default('y') }}\"\n",
    );
    let top = layer("extra.yml", "x: \"{{ x }}!\"\n");
    let vars = host(&[outer, inner, top]);
    assert_eq!(vars.string("x").unwrap().as_deref(), Some("low-high!"));
    assert_eq!(
        vars.get("list").unwrap(),
        Some(Value::List(vec![Value::Int(1), Value::Int(2)]))
    );
    assert_eq!(
        vars.string("z").unwrap().as_deref(),
        Some("y"),
        "nothing below: undefined, so the default"
    );
}

#[test]
fn a_cycle_names_all_its_variables_and_places() {
    let vars = one("a: \"{{ b }}\"\nb: \"x{{ c }}\"\nc: \"{{ a }}\"\nself: \"{{ self_ }}\"\nself_: \"{{ self_ }}\"\n");
    let error = fails(vars.get("a"));
    let ValueErrorKind::Cycle { chain } = error.kind() else {
        panic!("{error:?}");
    };
    assert_eq!(chain, &["a", "b", "c", "a"]);
    let shown = Diagnostic::from(error).to_string();
    for line in ["all.yml:1", "all.yml:2", "all.yml:3"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(matches!(fails(vars.get("self")).kind(), ValueErrorKind::Cycle { .. }));
    assert_eq!(text(&vars, "{{ self_ | default('none') }}"), "none");
}

#[test]
fn a_cycle_through_another_host_is_found() {
    let (vars, _) = fleet();
    let error = fails(vars.get("back"));
    let ValueErrorKind::Cycle { chain } = error.kind() else {
        panic!("{error:?}");
    };
    assert_eq!(chain, &["back", "hostvars['vm3'].loops", "back"]);
}

#[test]
fn hostvars_are_evaluated_with_the_other_hosts_variables() {
    let (vars, _) = fleet();
    assert_eq!(text(&vars, "{{ fqdn }}"), "vm1.example.org");
    assert_eq!(text(&vars, "{{ hostvars['vm2'].fqdn }}"), "vm2.example.org");
    assert_eq!(text(&vars, "{{ hostvars.vm3['fqdn'] }}"), "vm3.other.net");
    assert_eq!(text(&vars, "{{ hostvars['vm2'].inventory_hostname }}"), "vm2");
    assert_eq!(
        text(
            &vars,
            "{{ groups['web'] | map('extract', hostvars, 'node_ip') | join(',') }}"
        ),
        "10.0.0.1,10.0.0.2"
    );
    assert_eq!(
        text(
            &vars,
            "{{ hostvars | length }}{{ 'vm3' in hostvars }}{{ 'vm9' in hostvars }}"
        ),
        "3TrueFalse"
    );
    assert_eq!(
        text(
            &vars,
            "{% for h in groups.all %}{{ hostvars[h].get('node_ip', '-') }};{% endfor %}"
        ),
        "10.0.0.1;10.0.0.2;10.0.0.3;"
    );
    let error = vars.render("{{ hostvars['vm9'].node_ip }}", None).unwrap_err();
    assert!(error.help().is_some_and(|h| h.contains("no host 'vm9'")), "{error:?}");
}

#[test]
fn a_broken_variable_of_another_host_fails_only_when_used() {
    let (vars, _) = fleet();
    assert_eq!(text(&vars, "{{ hostvars['vm2'].broken | default('ok') }}"), "ok");
    let error = vars.render("{{ hostvars['vm2'].broken }}", None).unwrap_err();
    assert_eq!(error.kind(), &ValueErrorKind::Undefined { name: "nope".into() });
    assert_eq!(error.location().map(|l| l.line), Some(2), "{error:?}");
}

#[test]
fn magic_names() {
    let (vars, _) = fleet();
    let vars = vars
        .with_check_mode(true)
        .with_play_hosts(&["vm1".into()])
        .with_playbook_dir("/plays".into())
        .with_magic("role_path", Value::str("/roles/x"));
    let template = "{{ inventory_hostname_short }} {{ group_names }} {{ groups.web | length }} {{ ansible_check_mode }} \
                    {{ ansible_play_hosts }} {{ playbook_dir }} {{ role_path }} {{ inventory_file }}";
    assert_eq!(
        text(&vars, template),
        "vm1 ['web'] 2 True ['vm1'] /plays /roles/x /inv/hosts.ini"
    );
    assert_eq!(
        vars.render("{{ ansible_check_mode }}", None).unwrap(),
        Value::Bool(true)
    );
    assert_eq!(
        text(&vars, "{{ vars['fqdn'] }} {{ lookup('vars', 'fqdn') }}"),
        "vm1.example.org vm1.example.org"
    );
}

#[test]
fn role_defaults_lie_below_facts_and_facts_below_the_inventory() {
    let vars = one("pinned: inventory\n")
        .with_defaults(layer(
            "defaults.yml",
            "pinned: default\nfact: default\nonly: default\nderived: \"{{ pinned }}\"\n",
        ))
        .with_facts(layer("facts.yml", "pinned: told\nfact: told\n"));
    let all: Vec<_> = ["pinned", "fact", "only", "derived"]
        .map(|n| vars.string(n).unwrap().unwrap())
        .to_vec();
    assert_eq!(all, ["inventory", "told", "default", "inventory"]);
    let vars = vars.with_layer(layer("task.yml", "pinned: task\n"));
    assert_eq!(vars.string("derived").unwrap().as_deref(), Some("task"));
}

#[test]
fn a_default_is_no_place_that_could_be_corrected() {
    let vars = one("pinned: inventory\n")
        .with_defaults(layer("defaults.yml", "pinned: default\nfact: default\nonly: default\n"))
        .with_facts(layer("facts.yml", "fact: told\n"));
    let place = |at: Option<Location>| at.map(|at| at.file.to_string_lossy().into_owned());
    assert_eq!(place(vars.location("only")).as_deref(), Some("defaults.yml"));
    for (name, file) in [("only", None), ("absent", None), ("fact", Some("facts.yml"))] {
        assert_eq!(place(vars.set_at(name)).as_deref(), file, "{name}");
    }
    assert_eq!(vars.set_at("pinned"), vars.location("pinned"));
    assert!(vars.set_at("pinned").is_some());
}

#[test]
fn an_unknown_fact_is_told_apart_from_a_mistake() {
    let vars = one("ip: \"{{ ansible_default_ipv4.address }}\"\ntypo: \"{{ ansible_usr }}\"\n");
    for name in [
        "ansible_default_ipv4",
        "ansible_distribution_release",
        "ansible_processor_vcpus",
        "ansible_facts",
    ] {
        let error = vars.require(name).unwrap_err();
        assert_eq!(error.kind(), &ValueErrorKind::NeedsFact { name: name.into() });
    }
    assert!(
        matches!(fails(vars.get("ip")).kind(), ValueErrorKind::NeedsFact { name } if name == "ansible_default_ipv4")
    );
    assert!(matches!(
        fails(vars.get("typo")).kind(),
        ValueErrorKind::Undefined { .. }
    ));
    let vars = vars.with_facts(layer("facts", "ansible_default_ipv4: {address: 10.1.1.1}\n"));
    assert_eq!(vars.string("ip").unwrap().as_deref(), Some("10.1.1.1"));
    let missing = vars.render("{{ ansible_default_ipv4.gateway }}", None).unwrap_err();
    assert!(missing.is_undefined());
}

#[test]
fn what_is_made_of_a_secret_is_a_secret() {
    let vars = host(&[
        secret("password", "s3cr3t {{ not_a_template }}"),
        layer(
            "all.yml",
            "user: admin\nurl: \"db://{{ user }}:{{ password }}@h\"\nencoded: \"{{ password | b64encode }}\"\nchosen: \"{{ 'a' if password else 'b' }}\"\nplain: \"{{ user }}\"\nlist: [\"{{ user }}\", \"{{ password }}\"]\ntest: \"{{ password is defined }}\"\nindirect: \"{{ url | length }}\"\n",
        ),
    ]);
    assert_eq!(
        vars.secret("password").unwrap().unwrap().expose(),
        "s3cr3t {{ not_a_template }}"
    );
    for name in ["password", "url", "encoded", "chosen", "indirect"] {
        let value = vars.get(name).unwrap().unwrap();
        assert!(matches!(value, Value::Secret(_)), "{name}: {value:?}");
        assert!(!format!("{value:?}").contains("s3cr3t"));
    }
    assert_eq!(
        vars.secret("url").unwrap().unwrap().expose(),
        "db://admin:s3cr3t {{ not_a_template }}@h"
    );
    assert_eq!(vars.get("plain").unwrap(), Some(Value::str("admin")));
    let Some(Value::List(items)) = vars.get("list").unwrap() else {
        panic!()
    };
    assert_eq!(items[0], Value::str("admin"), "only what holds the secret is one");
    assert!(matches!(items[1], Value::Secret(_)));
    assert_eq!(vars.get("test").unwrap(), Some(Value::Bool(true)));
}

#[test]
fn a_secret_inside_a_mapping_taints_what_uses_it_and_no_more() {
    let map = Value::Map(IndexMap::from_iter([
        (Arc::from("user"), Value::str("admin")),
        (Arc::from("pass"), Value::Secret(Secret::new("hidden".into()))),
    ]));
    let db = VarMap::from_iter([(
        Arc::from("db"),
        Var {
            value: map,
            location: None,
        },
    )]);
    let vars = host(&[Arc::new(db)]);
    assert_eq!(vars.render("{{ db.user }}", None).unwrap(), Value::str("admin"));
    assert!(matches!(vars.render("{{ db.pass }}", None).unwrap(), Value::Secret(_)));
    for template in [
        "{{ db | to_json }}",
        "{{ db.values() | join }}",
        "{{ 'x' ~ db }}",
        "{{ vars | to_json }}",
        "{{ vars }}x",
    ] {
        assert!(vars.render(template, None).unwrap().holds_secret(), "{template}");
    }
    let Value::Map(copy) = vars.render("{{ db }}", None).unwrap() else {
        panic!()
    };
    assert_eq!(copy["user"], Value::str("admin"));
    assert!(copy["pass"].holds_secret());
}

#[test]
fn a_file_made_with_a_secret_says_so_and_does_not_show_it() {
    let vars = host(&[secret("password", "hidden")]);
    let rendered = vars
        .render_template("x.j2", "p={{ password }}\n", &VarMap::new())
        .unwrap();
    assert!(rendered.secret);
    assert_eq!(rendered.text, "p=hidden\n");
    assert!(!format!("{rendered:?}").contains("hidden"));
    assert!(!vars.render_template("x.j2", "p=1\n", &VarMap::new()).unwrap().secret);
}

#[test]
fn errors_never_show_a_secret() {
    let vars = host(&[secret("password", "hidden")]);
    for template in [
        "{{ password + 1 }}",
        "{{ password | from_json }}",
        "{{ password.x }}",
        "{{ password | int(base=99) + 'x' }}",
        "{{ {}[password] }}",
        "{{ password | no_filter }}",
        "{{ password | regex_search('(') }}",
        "{{ lookup('file', password) }}",
        "{{ hostvars[password].x }}",
        "{{ undef(hint=password) }}",
        "{{ nope | mandatory(password) }}",
        "{{ 'x' | regex_search(password ~ '(') }}",
        "{{ lookup('vars', password) }}",
        "{{ 'x' | hash(password) }}",
        "{{ 'x' | hash('a' ~ password) }}",
        "{{ [password] | map('regex_search', '(' ~ password) }}",
        "{% set p = password %}{{ nope[p].x }}{{ hostvars[p].y }}",
        "{% for p in [password] %}{{ hostvars[p].y }}{% endfor %}",
    ] {
        let error = vars.render(template, None).unwrap_err();
        let shown = format!("{error} {error:?} {}", Diagnostic::from(error.clone()));
        assert!(!shown.contains("hidden"), "{template}: {shown}");
    }
}

#[test]
fn an_unsafe_string_is_never_a_template() {
    let raw = VarMap::from_iter([(
        Arc::from("raw"),
        Var {
            value: Value::Unsafe("{{ 1 + 1 }}".into()),
            location: None,
        },
    )]);
    let vars = host(&[Arc::new(raw), layer("a.yml", "user: \"<{{ raw }}>\"\n")]);
    assert_eq!(vars.get("raw").unwrap(), Some(Value::Unsafe("{{ 1 + 1 }}".into())));
    assert_eq!(vars.get("user").unwrap(), Some(Value::Unsafe("<{{ 1 + 1 }}>".into())));
}

#[test]
fn an_error_names_the_very_character() {
    let vars = one("ok: 1\nport: \"80{{ prot }}\"\nurl: \"http://x:{{ port }}\"\n");
    let error = fails(vars.get("url"));
    assert_eq!(error.kind(), &ValueErrorKind::Undefined { name: "prot".into() });
    assert_eq!(
        Diagnostic::from(error).to_string(),
        "error: 'prot' is undefined\n  --> all.yml:2:13\n  2 | port: \"80{{ prot }}\"\n    |             ^\n  --> all.yml:3:1 (needed by 'url')\n  \
         3 | url: \"http://x:{{ port }}\"\n    | ^\n  help: set 'prot' in the inventory, in group_vars or with -e, or give it a default: {{ prot | default('…') }}"
    );
}

#[test]
fn an_error_in_a_file_names_its_line_and_column() {
    let vars = one("a: 1\n");
    let error = vars
        .render_file("nginx.conf.j2", "one\ntwo {{ a }}\n  {{ a.b.c }}\n", &VarMap::new())
        .unwrap_err();
    assert_eq!(
        error.location().map(ToString::to_string).as_deref(),
        Some("nginx.conf.j2:3:6")
    );
    assert_eq!(error.location().and_then(|l| l.text.as_deref()), Some("  {{ a.b.c }}"));
    let error = vars
        .render_file("x.j2", "#jinja2: trim_blocks: False\nok\n{% if %}\n", &VarMap::new())
        .unwrap_err();
    assert!(matches!(error.kind(), ValueErrorKind::Syntax { .. }));
    assert_eq!(error.location().map(|l| l.line), Some(3));
}

#[test]
fn an_error_in_a_file_with_other_line_ends_names_its_line_and_column() {
    let vars = one("a: 1\n");
    let error = vars
        .render_file("nginx.conf.j2", "# ä\r\n# ö\r\n# ü\r\n{{ a.b.c }}ß\r\n", &VarMap::new())
        .unwrap_err();
    assert_eq!(
        error.location().map(ToString::to_string).as_deref(),
        Some("nginx.conf.j2:4:4")
    );
    assert_eq!(error.location().and_then(|l| l.text.as_deref()), Some("{{ a.b.c }}ß"));
    // This one once pointed into the middle of a character.
    let template = "ä\r\n\r\n\r\näää{{ a.b }}";
    assert!(vars.render_file("x.j2", template, &VarMap::new()).is_err());
}

#[test]
fn a_wrong_name_gets_the_nearest_as_help() {
    let vars = one("a: 1\n");
    let help = |template: &str| {
        vars.render(template, None)
            .unwrap_err()
            .help()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(help("{{ a | defualt(1) }}"), "did you mean 'default'?");
    assert_eq!(
        help("{{ a | regex_repace('a', 'b') }}"),
        "did you mean 'regex_replace'?"
    );
    assert_eq!(help("{{ a is defind }}"), "did you mean 'defined'?");
}

#[test]
fn extra_names_of_a_template_file_come_first() {
    let vars = one("a: outer\nb: \"{{ a }}\"\n");
    let extra = layer("extra", "a: \"inner {{ b }}\"\n");
    assert_eq!(
        vars.render_file("x.j2", "{{ a }}\n# {{ ansible_managed }}\n", &extra)
            .unwrap(),
        "inner outer\n# Ansible managed\n"
    );
}

#[test]
fn omit_leaves_out() {
    let vars = one("a: \"{{ nope | default(omit) }}\"\nb: [1, \"{{ omit }}\", {c: \"{{ omit }}\", d: 2}]\n");
    assert_eq!(vars.get("a").unwrap(), None);
    let d = Value::Map(IndexMap::from_iter([(Arc::from("d"), Value::Int(2))]));
    assert_eq!(vars.get("b").unwrap(), Some(Value::List(vec![Value::Int(1), d])));
    assert!(is_omit(&vars.render("{{ omit }}", None).unwrap()));
}

#[test]
fn typed_reading_is_lenient_and_says_what_was_wanted() {
    let vars = one(
        "yes_: \"yes\"\noff_: \"Off\"\none: 1\nmaybe: maybe\nport: \"8080\"\nfloat: 1.5\nnull_: null\nlist: [a, 1, true]\nwords: \"a, b  c\"\nmap: {k: \"{{ port }}\"}\n",
    );
    assert_eq!(vars.bool("yes_").unwrap(), Some(true));
    assert_eq!(vars.bool("off_").unwrap(), Some(false));
    assert_eq!(vars.bool("one").unwrap(), Some(true));
    assert_eq!(vars.bool("null_").unwrap(), None);
    assert_eq!(vars.bool("absent").unwrap(), None);
    assert_eq!(vars.int("port").unwrap(), Some(8080));
    assert_eq!(vars.string("float").unwrap().as_deref(), Some("1.5"));
    assert_eq!(vars.string_list("list", false).unwrap().unwrap(), ["a", "1", "True"]);
    assert_eq!(vars.string_list("words", true).unwrap().unwrap(), ["a", "b", "c"]);
    assert_eq!(vars.map("map").unwrap().unwrap()["k"], Value::str("8080"));
    let error = vars.bool("maybe").unwrap_err();
    assert_eq!(
        error.to_string(),
        "'maybe' must be a boolean (yes or no), and it is a string (all.yml:4:1)"
    );
    assert!(vars.int("float").is_err());
    assert!(vars.string("list").is_err());
    assert!(vars.string_list("words", false).is_err());
    assert!(vars.map("list").is_err());
}

#[test]
fn conditions() {
    let vars = one("a: 3\nflag: \"no\"\n");
    assert!(vars.condition("a > 2 and flag == 'no'", None).unwrap());
    assert!(!vars.condition("flag | bool", None).unwrap());
    assert!(vars.condition("nope", None).unwrap_err().is_undefined());
}

#[test]
fn lookups_that_would_act_are_refused() {
    let vars = one("a: 1\n");
    for plugin in ["pipe", "url", "password", "lines"] {
        let error = vars
            .render(&format!("{{{{ lookup('{plugin}', 'x') }}}}"), None)
            .unwrap_err();
        assert!(
            matches!(error.kind(), ValueErrorKind::Lookup { message, .. } if message.starts_with("refused")),
            "{error}"
        );
    }
}

#[test]
fn files_are_looked_up_beside_the_inventory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("files")).unwrap();
    std::fs::write(dir.path().join("files/a.txt"), "in files {{ 1 + 1 }}\n").unwrap();
    std::fs::write(dir.path().join("b.txt"), "beside\n").unwrap();
    let world = Inventory {
        dir: Some(dir.path().to_owned()),
        ..Inventory::default()
    };
    let vars = HostVars::new(
        "vm1",
        vec![layer("a.yml", "f: \"{{ lookup('file', 'a.txt') }}\"\n")],
        Arc::new(world),
    );
    assert_eq!(
        vars.get("f").unwrap(),
        Some(Value::Unsafe("in files {{ 1 + 1 }}".into())),
        "never a template"
    );
    assert_eq!(text(&vars, "{{ lookup('file', 'b.txt') }}"), "beside");
    assert_eq!(
        text(&vars, "{{ lookup('first_found', ['zz', 'b.txt']) | basename }}"),
        "b.txt"
    );
    assert!(vars.render("{{ lookup('file', 'zz') }}", None).is_err());
}

#[test]
fn runaway_templates_end_in_an_error() {
    let mut yaml = String::from("v0: end\n");
    for i in 1..200 {
        yaml.push_str(&format!("v{i}: \"{{{{ v{} }}}}\"\n", i - 1));
    }
    let vars = one(&yaml);
    assert_eq!(vars.string("v40").unwrap().as_deref(), Some("end"));
    assert!(matches!(fails(vars.get("v199")).kind(), ValueErrorKind::Limit { .. }));
    for template in [
        "{{ 'x' * 1000000000000 }}",
        "{{ range(100000000) }}",
        "{{ 9 ** 999999 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set a = range(999999) | list %}{{ a | product(a) }}",
    ] {
        assert!(vars.render(template, None).is_err(), "{template}");
    }
}

#[test]
fn address_filters_answer_as_ansible_utils_does() {
    let vars = one("a: 1\n");
    for (template, expected) in [
        ("{{ '192.168.1.5/24' | ipaddr }}", "192.168.1.5/24"),
        (
            "{{ '192.168.1.5/24' | ansible.utils.ipaddr('address') }}",
            "192.168.1.5",
        ),
        ("{{ '192.168.1.5/24' | ipaddr('network') }}", "192.168.1.0"),
        ("{{ '192.168.1.5/24' | ipaddr('netmask') }}", "255.255.255.0"),
        ("{{ '192.168.1.5/24' | ipaddr('broadcast') }}", "192.168.1.255"),
        ("{{ '192.168.1.5/24' | ipaddr('subnet') }}", "192.168.1.0/24"),
        ("{{ '192.168.1.5/24' | ipaddr('prefix') }}", "24"),
        ("{{ '192.168.1.0/24' | ipaddr('1') }}", "192.168.1.1/24"),
        ("{{ '192.168.1.0/24' | ipaddr(-2) }}", "192.168.1.254/24"),
        ("{{ '192.168.1.0/24' | ipaddr('size') }}", "256"),
        ("{{ '10.0.0.0/255.255.0.0' | ipaddr('prefix') }}", "16"),
        (
            "{{ ['1.2.3.4', 'x', '::1', '10.0.0.0/8'] | ipaddr | join(' ') }}",
            "1.2.3.4 ::1 10.0.0.0/8",
        ),
        ("{{ ['1.2.3.4', '::1'] | ipv4 | join }}", "1.2.3.4"),
        (
            "{{ ['1.2.3.4', '10.0.0.1', '172.16.5.4'] | ipaddr('private') | join(' ') }}",
            "10.0.0.1 172.16.5.4",
        ),
        (
            "{{ ['192.168.1.7', '10.0.0.1'] | ipaddr('192.168.0.0/16') | join }}",
            "192.168.1.7",
        ),
        ("{{ '10.0.0.0/24' | nthhost(5) }}", "10.0.0.5"),
        ("{{ '10.0.0.0/16' | ipsubnet(24, 3) }}", "10.0.3.0/24"),
        ("{{ '10.0.0.0/16' | ipsubnet(24) }}", "256"),
        ("{{ 'fe80::1' | ipwrap }}", "[fe80::1]"),
        ("{{ '10.0.0.0/8' | network_in_network('10.1.0.0/16') }}", "true"),
        ("{{ '172.16.50.' | ipaddr }}", "false"),
        ("{{ '10.0.0.1' is ansible.utils.ip }}", "true"),
    ] {
        assert_eq!(text(&vars, template), expected, "{template}");
    }
}

#[test]
fn values_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let (vars, _) = fleet();
    shared(&vars);
    let names: Vec<String> = std::thread::scope(|s| {
        let workers: Vec<_> = (0..4)
            .map(|_| s.spawn(|| vars.string("fqdn").unwrap().unwrap()))
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    assert!(names.iter().all(|n| n == "vm1.example.org"));
}

#[test]
fn a_file_with_a_wrong_extra_name_fails_with_its_place() {
    let vars = one("a: 1\n");
    let extra = layer("play.yml", "b: 1\nc: \"{{ nope }}\"\n");
    let error = vars.render_file("x.j2", "{{ c }}", &extra).unwrap_err();
    assert_eq!(
        error.location().map(ToString::to_string).as_deref(),
        Some("play.yml:2:8")
    );
}

#[test]
fn deep_nesting_ends_in_an_error_and_not_in_a_crash() {
    let mut yaml = String::from("v0: 1\n");
    for i in 1..60 {
        let open = "[".repeat(30) + "(v" + &(i - 1).to_string() + ")" + &"]".repeat(30);
        yaml.push_str(&format!("v{i}: \"{{{{ {open} }}}}\"\n"));
    }
    let vars = one(&yaml);
    assert!(vars.get("v5").is_ok());
    assert!(matches!(fails(vars.get("v59")).kind(), ValueErrorKind::Limit { .. }));
    for open in ["(", "[", "{'a':", "not ", "-", "f("] {
        let template = format!("{{{{ {}1 }}}}", open.repeat(5000));
        assert!(vars.render(&template, None).is_err());
    }
    let blocks = |n: usize| "{% if 1 %}".repeat(n) + "x" + &"{% endif %}".repeat(n);
    assert_eq!(text(&vars, &blocks(30)), "x");
    assert!(vars.render(&blocks(2000), None).is_err());
    let sum = |n: usize| format!("{{{{ 1{} }}}}", " + 1".repeat(n));
    assert_eq!(text(&vars, &sum(150)), "151");
    assert!(vars.render(&sum(100_000), None).is_err());
    let macros = "{% macro m(n) %}{% if n %}{{ [[[[[[m(n - 1)]]]]]] }}{% endif %}{% endmacro %}{{ m(39) }}";
    let _ = vars.render(macros, None);
}

/// Any sequence of template parts gives a value or an error, never a panic.
#[test]
fn no_template_makes_it_panic() {
    const PARTS: &[&str] = &[
        "{{ ",
        " }}",
        "{% if ",
        " %}",
        "{% endif %}",
        "{% for x in ",
        "{% endfor %}",
        "{% set y = ",
        "a",
        "l",
        "d",
        "s",
        "n",
        "é",
        "'é'",
        "'%'",
        "'{}'",
        "'a.b'",
        "''",
        "0",
        "1",
        "-1",
        "1.5",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ":",
        ",",
        ".",
        "|",
        " + ",
        " - ",
        " * ",
        " / ",
        " // ",
        " % ",
        " ** ",
        " ~ ",
        " in ",
        " is ",
        " not ",
        " and ",
        " or ",
        " == ",
        " < ",
        " if ",
        " else ",
        "join",
        "split(",
        "format(",
        "regex_replace('é*', 'x')",
        "regex_search('(.)', '\\\\1')",
        "to_nice_yaml",
        "to_yaml",
        "to_json",
        "ipaddr('1')",
        "ipsubnet(24, 1)",
        "nthhost(-1)",
        "default(1)",
        "int",
        "float",
        "round(-2)",
        "truncate(3)",
        "wordwrap(2)",
        "indent(1)",
        "center(7)",
        "b64decode",
        "b64encode",
        "splitext",
        "dirname",
        "urlsplit",
        "relpath",
        "human_to_bytes",
        "human_readable",
        "filesizeformat",
        "comment",
        "quote",
        "title",
        "dictsort",
        "groupby('a')",
        "batch(2)",
        "slice(2)",
        "flatten",
        "first",
        "last",
        "sum",
        "sort",
        "unique",
        "combine",
        "dict2items",
        "version('1', '<')",
        "match('a')",
        ".format(1, x=2)",
        ".split('é')",
        ".items()",
        ".zfill(5)",
        ".center(5)",
        ".title()",
        "[1:]",
        "[::-1]",
        "[-1]",
        "[0]",
        ".x",
        "hash('md5')",
        "to_uuid",
        "from_yaml",
        "from_json",
        "\\",
        "\"",
        "'",
        "{#",
        "#}",
        "{%- raw %}",
        "{% endraw %}",
        "\n",
    ];
    let vars = one("a: \"x é\"\nl: [1, \"é\", null]\nd: {k: [1], \"é\": {x: 1.5}}\ns: \"10.0.0.0/8\"\nn: -7\n");
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % limit as u64) as usize
    };
    let mut fine = 0;
    for round in 0..30_000 {
        let mut template = String::new();
        if round % 2 == 0 {
            // Filters and methods on real values get further than loose parts.
            template = format!("{{{{ {}", ["a", "l", "d", "s", "n", "'é'", "1.5", "''"][next(8)]);
            for _ in 0..1 + next(3) {
                template.push_str(if next(3) == 0 { "" } else { " | " });
                template.push_str(PARTS[46 + next(PARTS.len() - 46)]);
            }
            template.push_str(" }}");
        } else {
            for _ in 0..1 + next(12) {
                template.push_str(PARTS[next(PARTS.len())]);
            }
        }
        fine += usize::from(vars.render(&template, None).is_ok());
        let _ = vars.render_file("x.j2", &template, &VarMap::new());
    }
    assert!(fine > 1000, "only {fine} of the templates were valid");
}
