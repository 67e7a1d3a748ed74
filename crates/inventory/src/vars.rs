//! The variables of a host, evaluated when they are asked for.
//!
//! A broken variable that nobody uses is no error. A variable that names itself means the value it overrides. What was
//! made from a vault string stays one.

use crate::diagnostic::Location;
use crate::template::session::{Scope, Session};
use crate::template::value::{Key, Map, V};
use crate::template::without_omitted;
pub use crate::template::{ValueError, ValueErrorKind};
use crate::value::{Secret, Value, Var, VarMap};
use indexmap::IndexMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The whole inventory, as far as values of one host may refer to it.
pub trait World: Send + Sync {
    /// All hosts, in the order of the inventory, those outside a limit included.
    fn host_names(&self) -> Vec<Arc<str>>;
    /// The layers of `host`, lowest precedence first; `None` when the inventory has no such host.
    fn layers(&self, host: &str) -> Option<Vec<Arc<VarMap>>>;
    /// Every group with its hosts, those of its children included; `all` and `ungrouped` too.
    fn groups(&self) -> IndexMap<Arc<str>, Vec<Arc<str>>>;
    /// The groups that `host` belongs to, also through their children.
    fn groups_of(&self, host: &str) -> Vec<Arc<str>>;
    /// The folder of the inventory.
    fn inventory_dir(&self) -> Option<PathBuf>;
    /// The inventory file itself.
    fn inventory_file(&self) -> Option<PathBuf>;
    /// Role defaults that hold for every host: what `hostvars` falls back to.
    fn defaults(&self) -> Option<Arc<VarMap>>;
    /// What `host` has told about itself, when it was asked already.
    fn facts(&self, _host: &str) -> Option<Arc<VarMap>> {
        None
    }
}

/// The variables of one host as its tasks see them: layers of raw values, evaluated when asked for.
///
/// Precedence, lowest first: role defaults, facts, the layers. Names such as `inventory_hostname`, `groups` and
/// `hostvars` cannot be overridden.
#[derive(Clone)]
pub struct HostVars {
    scope: Arc<Scope>,
}

/// A rendered template file.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// True when a vault string went into it: it must not be shown.
    pub secret: bool,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: &dyn fmt::Debug = if self.secret { &"***" } else { &self.text };
        f.debug_struct("Rendered")
            .field("text", text)
            .field("secret", &self.secret)
            .finish()
    }
}

impl fmt::Debug for HostVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostVars")
            .field("host", &self.scope.host)
            .field("names", &self.names().len())
            .finish()
    }
}

impl HostVars {
    /// The variables of `host`. `layers` stand lowest precedence first (group `all`, …, the host, `-e`); `world` answers
    /// for `hostvars` and `groups`.
    pub fn new(host: &str, layers: Vec<Arc<VarMap>>, world: Arc<dyn World>) -> Self {
        Self {
            scope: Arc::new(Scope {
                host: host.into(),
                layers,
                defaults: world.defaults(),
                facts: world.facts(host),
                magic: Arc::new(IndexMap::new()),
                playbook_dir: None,
                world,
            }),
        }
    }

    /// The same, with role defaults below all layers. They hold for `hostvars` of other hosts too.
    #[must_use]
    pub fn with_defaults(mut self, defaults: Arc<VarMap>) -> Self {
        Arc::make_mut(&mut self.scope).defaults = Some(defaults);
        self
    }

    /// The same, with what the host told about itself (`ansible_facts`, `ansible_default_ipv4` …): above the defaults,
    /// below every layer, so that an inventory may pin a fact.
    #[must_use]
    pub fn with_facts(mut self, facts: Arc<VarMap>) -> Self {
        Arc::make_mut(&mut self.scope).facts = Some(facts);
        self
    }

    /// The same, with one more layer above all others (the variables of a play or task).
    #[must_use]
    pub fn with_layer(mut self, layer: Arc<VarMap>) -> Self {
        Arc::make_mut(&mut self.scope).layers.push(layer);
        self
    }

    /// The same, with a name that nothing overrides (`role_path`, `ansible_managed`).
    #[must_use]
    pub fn with_magic(mut self, name: &str, value: Value) -> Self {
        Arc::make_mut(&mut Arc::make_mut(&mut self.scope).magic).insert(name.into(), value);
        self
    }

    /// The same, with the value of `playbook_dir`; it is the inventory's folder otherwise.
    #[must_use]
    pub fn with_playbook_dir(mut self, dir: PathBuf) -> Self {
        Arc::make_mut(&mut self.scope).playbook_dir = Some(dir);
        self
    }

    /// The same, with the value of `ansible_check_mode`.
    #[must_use]
    pub fn with_check_mode(self, on: bool) -> Self {
        self.with_magic("ansible_check_mode", Value::Bool(on))
    }

    /// The same, with the hosts of the play (`ansible_play_hosts`, `ansible_play_hosts_all`, `ansible_play_batch`,
    /// `play_hosts`).
    #[must_use]
    pub fn with_play_hosts(mut self, hosts: &[Arc<str>]) -> Self {
        let list = Value::List(hosts.iter().map(|h| Value::str(Arc::clone(h))).collect());
        for name in [
            "play_hosts",
            "ansible_play_hosts",
            "ansible_play_hosts_all",
            "ansible_play_batch",
        ] {
            self = self.with_magic(name, list.clone());
        }
        self
    }

    /// The host's name.
    pub fn host(&self) -> &Arc<str> {
        &self.scope.host
    }

    /// The value of `name`, with everything in it evaluated. `None` when it is not set, or set to `{{ omit }}`.
    ///
    /// # Errors
    /// When its template is wrong or needs something that is not defined.
    pub fn get(&self, name: &str) -> Result<Option<Value>, ValueError> {
        let session = Session::new(Arc::clone(&self.scope));
        let value = session.variable(&self.scope, name).and_then(|found| match found {
            None => Ok(None),
            Some(host @ (V::HostVars | V::Host(_))) => session
                .listed(&self.scope, &host)?
                .into_value(Default::default())
                .map(Some),
            Some(value) => value.into_value(Default::default()).map(Some),
        });
        Ok(value.map_err(|e| session.shown(e))?.and_then(without_omitted))
    }

    /// Like [`HostVars::get`], for a variable that must be there.
    ///
    /// # Errors
    /// Also when it is not set.
    pub fn require(&self, name: &str) -> Result<Value, ValueError> {
        self.get(name)?.ok_or_else(|| crate::template::undefined(name))
    }

    /// The variable as it stands in its file, from the layer that wins.
    pub fn raw(&self, name: &str) -> Option<&Var> {
        self.scope.raw(name)
    }

    /// Where the variable that wins was set.
    pub fn location(&self, name: &str) -> Option<Location> {
        self.raw(name)?.location.clone()
    }

    /// Where whoever deploys set the variable that wins. `None` for a role's default, which is no place that can be
    /// corrected.
    pub fn set_at(&self, name: &str) -> Option<Location> {
        let mut above_defaults = self.scope.facts.iter().chain(&self.scope.layers).rev();
        above_defaults.find_map(|layer| layer.get(name))?.location.clone()
    }

    /// The names that are set, magic ones left out.
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names: IndexMap<Arc<str>, ()> = IndexMap::new();
        for layer in self.scope.all() {
            names.extend(layer.keys().map(|name| (Arc::clone(name), ())));
        }
        names.into_keys().collect()
    }

    /// Evaluates one string, as Ansible does with `jinja2_native` off: the result is a string, unless the template is
    /// nothing but a variable that is a number, boolean or null, or the result reads as a list, mapping or boolean.
    ///
    /// # Errors
    /// When the template is wrong or needs something that is not defined; `location` is where `template` stands.
    pub fn render(&self, template: &str, location: Option<Location>) -> Result<Value, ValueError> {
        self.evaluate(&Value::str(template), location)
    }

    /// Evaluates every template in `value`.
    ///
    /// # Errors
    /// As [`HostVars::render`].
    pub fn evaluate(&self, value: &Value, location: Option<Location>) -> Result<Value, ValueError> {
        let session = Session::new(Arc::clone(&self.scope));
        let result = session.value(&self.scope, value, location.as_ref());
        let value = result.and_then(|v| v.into_value(Default::default()));
        let value = value.map_err(|e| session.shown(e.at(location)))?;
        Ok(match value {
            omitted if crate::template::is_omit(&omitted) => omitted,
            other => without_omitted(other).unwrap_or(Value::Null),
        })
    }

    /// True when the condition `expression` (without braces, as `when:` has it) holds.
    ///
    /// # Errors
    /// As [`HostVars::render`].
    pub fn condition(&self, expression: &str, location: Option<Location>) -> Result<bool, ValueError> {
        let template = format!("{{% if {expression} %}}True{{% else %}}False{{% endif %}}");
        let value = self.render(&template, location)?;
        Ok(matches!(value, Value::Bool(true)) || value.as_str() == Some("True"))
    }

    /// Renders a template file: `trim_blocks` on, `lstrip_blocks` off, the newline at the end kept, as Ansible's
    /// `template` module does; a first line `#jinja2: …` changes that. `name` is what errors call the file; `extra`
    /// are further names, raw as well, above all layers.
    ///
    /// # Errors
    /// As [`HostVars::render`], with the line in the template file.
    pub fn render_file(&self, name: &str, text: &str, extra: &VarMap) -> Result<String, ValueError> {
        self.render_template(name, text, extra).map(|r| r.text)
    }

    /// Like [`HostVars::render_file`]; tells as well whether a secret went into the text.
    ///
    /// # Errors
    /// As [`HostVars::render_file`].
    pub fn render_template(&self, name: &str, text: &str, extra: &VarMap) -> Result<Rendered, ValueError> {
        let session = Session::new(Arc::clone(&self.scope));
        let mut locals = Map::new();
        for (key, var) in extra {
            let value = session.value(&self.scope, &var.value, var.location.as_ref());
            let value = value.map_err(|e| session.shown(e))?;
            locals.insert(Key::str(Arc::clone(key)), value);
        }
        if !locals.contains_key(&Key::str("ansible_managed")) && self.raw("ansible_managed").is_none() {
            locals.insert(Key::str("ansible_managed"), V::str("Ansible managed"));
        }
        let result = session.file(&self.scope, name, text, &locals);
        let (text, taint) = result.map_err(|e| session.shown(e))?;
        Ok(Rendered {
            text,
            secret: taint.secret,
        })
    }

    /// The variable as a boolean; the words Ansible knows (`yes`, `on`, `true`, `1` …) count. `None` when it is not set
    /// or null.
    ///
    /// # Errors
    /// When it cannot be evaluated or is no boolean.
    pub fn bool(&self, name: &str) -> Result<Option<bool>, ValueError> {
        self.typed(name, "boolean (yes or no)", |value| match value {
            Value::Bool(b) => Some(*b),
            Value::Int(0) => Some(false),
            Value::Int(1) => Some(true),
            other => match other.as_str()?.trim().to_ascii_lowercase().as_str() {
                "yes" | "on" | "1" | "true" | "y" | "t" => Some(true),
                "no" | "off" | "0" | "false" | "n" | "f" => Some(false),
                _ => None,
            },
        })
    }

    /// The variable as a whole number; a string of digits counts. `None` when it is not set or null.
    ///
    /// # Errors
    /// When it cannot be evaluated or is no whole number.
    pub fn int(&self, name: &str) -> Result<Option<i64>, ValueError> {
        self.typed(name, "whole number", |value| match value {
            Value::Int(i) => i64::try_from(*i).ok(),
            Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => Some(*x as i64),
            other => other.as_str()?.trim().parse().ok(),
        })
    }

    /// The variable as a string; numbers and booleans are written as Ansible writes them. A vault string is given in
    /// clear: use [`HostVars::secret`] where the text may be one. `None` when it is not set or null.
    ///
    /// # Errors
    /// When it cannot be evaluated or is a list or mapping.
    pub fn string(&self, name: &str) -> Result<Option<String>, ValueError> {
        self.typed(name, "string", plain)
    }

    /// The variable as a string that must not be shown, whether it was encrypted or not. `None` when it is not set or
    /// null.
    ///
    /// # Errors
    /// When it cannot be evaluated or is a list or mapping.
    pub fn secret(&self, name: &str) -> Result<Option<Secret>, ValueError> {
        self.typed(name, "string", |value| match value {
            Value::Secret(secret) => Some(secret.clone()),
            other => plain(other).map(Secret::new),
        })
    }

    /// The variable as a list of strings. With `split`, a string counts as well, cut at commas and white space;
    /// without, it is an error. `None` when it is not set or null.
    ///
    /// # Errors
    /// When it cannot be evaluated or is no such list.
    pub fn string_list(&self, name: &str, split: bool) -> Result<Option<Vec<String>>, ValueError> {
        self.typed(name, "list of strings", |value| match value {
            Value::List(items) => items.iter().map(plain).collect(),
            other if split => other.as_str().map(|text| {
                text.split(|c: char| c == ',' || c.is_whitespace())
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect()
            }),
            _ => None,
        })
    }

    /// The variable as a mapping. `None` when it is not set or null.
    ///
    /// # Errors
    /// When it cannot be evaluated or is no mapping.
    pub fn map(&self, name: &str) -> Result<Option<IndexMap<Arc<str>, Value>>, ValueError> {
        self.typed(name, "mapping", |value| match value {
            Value::Map(map) => Some(map.clone()),
            _ => None,
        })
    }

    /// The variable as what `read` makes of it.
    fn typed<T>(
        &self,
        name: &str,
        wanted: &'static str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, ValueError> {
        let value = match self.get(name)? {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        match read(&value) {
            Some(result) => Ok(Some(result)),
            None => Err(ValueError::new(ValueErrorKind::Type {
                name: name.into(),
                wanted,
                got: value.kind(),
            })
            .at(self.location(name))),
        }
    }
}

/// A scalar as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Bool(true) => Some("True".into()),
        Value::Bool(false) => Some("False".into()),
        Value::Int(i) => Some(i.to_string()),
        Value::Float(x) => Some(crate::template::float(*x)),
        other => other.as_str().map(str::to_owned),
    }
}
