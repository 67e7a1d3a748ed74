//! One evaluation: which host's variables are in view, which are being evaluated, and what was already found.

use super::error::{ValueError, ValueErrorKind};
use super::eval::{Renderer, finish};
use super::source;
use super::value::{Eval, Key, Map, Taint, V};
use crate::diagnostic::Location;
use crate::value::{Value, Var, VarMap};
use crate::vars::World;
use indexmap::IndexMap;
use minijinja::machinery;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Stands for Ansible's `omit` while values are computed.
pub(crate) const OMIT: &str = "__omit_place_holder__9a1f0c55d2b84b6c";

/// How many variables may need each other in a row.
const MAX_DEPTH: usize = 60;
/// How many expressions may be open at once; keeps deep templates from using up the stack.
pub(crate) const MAX_OPEN: usize = 200;
/// How large a text or list an evaluation may make.
pub(crate) const MAX_SIZE: usize = 64 << 20;

/// The layers of one host.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) host: Arc<str>,
    /// Lowest first: defaults, facts, then the inventory's and what the run adds.
    pub(crate) layers: Vec<Arc<VarMap>>,
    pub(crate) defaults: Option<Arc<VarMap>>,
    pub(crate) facts: Option<Arc<VarMap>>,
    /// Names that a run sets and nothing overrides (`ansible_check_mode`).
    pub(crate) magic: Arc<IndexMap<Arc<str>, Value>>,
    pub(crate) playbook_dir: Option<PathBuf>,
    pub(crate) world: Arc<dyn World>,
}

impl Scope {
    /// All layers, lowest first.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &Arc<VarMap>> {
        self.defaults.iter().chain(&self.facts).chain(&self.layers)
    }

    fn count(&self) -> usize {
        self.all().count()
    }

    /// The variable `name` in the highest layer below number `below`.
    pub(crate) fn find(&self, name: &str, below: usize) -> Option<(usize, &Var)> {
        let layers: Vec<_> = self.all().collect();
        layers[..below.min(layers.len())]
            .iter()
            .enumerate()
            .rev()
            .find_map(|(i, layer)| layer.get(name).map(|var| (i, var)))
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&Var> {
        self.find(name, usize::MAX).map(|(_, var)| var)
    }
}

/// A variable of a host.
type Id = (Arc<str>, Arc<str>);

struct Frame {
    host: Arc<str>,
    name: Arc<str>,
    layer: usize,
}

/// One call from outside, with everything that is looked up on the way.
pub(crate) struct Session {
    home: Arc<Scope>,
    hosts: RefCell<HashMap<Arc<str>, Option<Arc<Scope>>>>,
    stack: RefCell<Vec<Frame>>,
    cache: RefCell<HashMap<Id, V>>,
    /// What the template being rendered has used so far.
    taint: Cell<Taint>,
    /// How many expressions are open, one inside the other.
    pub(crate) depth: Cell<usize>,
    /// The secret texts used so far, to keep them out of errors.
    secrets: RefCell<Vec<Arc<str>>>,
}

/// Collects the secret texts in `value`. Shorter ones than three characters would mask half of every message.
fn remember(value: &V, secrets: &mut Vec<Arc<str>>) {
    match value {
        V::Str(text) if text.taint.secret && text.text.len() > 2 && !secrets.contains(&text.text) => {
            secrets.push(Arc::clone(&text.text));
        }
        V::List(items) | V::Tuple(items) => items.iter().for_each(|item| remember(item, secrets)),
        V::Map(map) => map.values().for_each(|item| remember(item, secrets)),
        _ => {}
    }
}

impl Session {
    pub(crate) fn new(home: Arc<Scope>) -> Self {
        let mut hosts = HashMap::new();
        hosts.insert(Arc::clone(&home.host), Some(Arc::clone(&home)));
        Self {
            home,
            hosts: RefCell::new(hosts),
            stack: RefCell::new(Vec::new()),
            cache: RefCell::new(HashMap::new()),
            taint: Cell::new(Taint::default()),
            depth: Cell::new(0),
            secrets: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn home(&self) -> &Arc<Scope> {
        &self.home
    }

    /// Notes that `value` was used for more than being handed on.
    pub(crate) fn touch(&self, value: &V) {
        let taint = value.taint();
        self.taint.set(self.taint.get().join(taint));
        if taint.secret {
            remember(value, &mut self.secrets.borrow_mut());
        }
    }

    /// What was just computed: a secret, when one was used before it.
    pub(crate) fn seal(&self, value: V) -> V {
        if self.taint.get().secret {
            let taint = Taint {
                secret: true,
                unsafe_: true,
            };
            mark(value, taint)
        } else {
            value
        }
    }

    /// The error as it may be shown: without any secret that was used on the way.
    pub(crate) fn shown(&self, error: ValueError) -> ValueError {
        error.masked(&self.secrets.borrow())
    }

    pub(crate) fn touch_unsafe(&self) {
        self.taint.set(self.taint.get().join(Taint {
            secret: false,
            unsafe_: true,
        }));
    }

    /// The variables of `host`, when the inventory knows it.
    pub(crate) fn scope(&self, host: &str) -> Option<Arc<Scope>> {
        if let Some(known) = self.hosts.borrow().get(host) {
            return known.clone();
        }
        let name: Arc<str> = host.into();
        let world = Arc::clone(&self.home.world);
        let scope = world.layers(host).map(|layers| {
            Arc::new(Scope {
                host: Arc::clone(&name),
                layers,
                defaults: self.home.defaults.clone().or_else(|| world.defaults()),
                facts: world.facts(host),
                magic: Arc::clone(&self.home.magic),
                playbook_dir: self.home.playbook_dir.clone(),
                world: Arc::clone(&world),
            })
        });
        self.hosts.borrow_mut().insert(name, scope.clone());
        scope
    }

    /// The variable `name` as `scope`'s host sees it, evaluated; `None` when it is not set.
    pub(crate) fn variable(&self, scope: &Arc<Scope>, name: &str) -> Eval<Option<V>> {
        if let Some(value) = self.magic(scope, name)? {
            return Ok(Some(value));
        }
        let below = match self.below(scope, name)? {
            Below::Layer(layer) => layer,
            Below::Itself(error) => return Ok(Some(V::Undefined(Box::new(error)))),
        };
        let top = below >= scope.count();
        let key = (Arc::clone(&scope.host), Arc::from(name));
        if top && let Some(value) = self.cache.borrow().get(&key) {
            return Ok(Some(value.clone()));
        }
        let Some((layer, var)) = scope.find(name, below) else {
            return Ok(None);
        };
        let value = match self.variable_in(scope, &key.1, layer, var) {
            Ok(value) => value,
            // As in Ansible, a variable made of undefined ones is itself undefined: `default` may catch it.
            Err(error) if error.is_undefined() || self_reference(&error, name) => V::Undefined(Box::new(error)),
            Err(error) => return Err(error),
        };
        if top {
            self.cache.borrow_mut().insert(key, value.clone());
        }
        Ok(Some(value))
    }

    /// Evaluates `var`, found in `layer` of `scope`.
    fn variable_in(&self, scope: &Arc<Scope>, name: &Arc<str>, layer: usize, var: &Var) -> Eval<V> {
        if self.stack.borrow().len() >= MAX_DEPTH {
            return Err(ValueError::new(ValueErrorKind::Limit {
                message: format!("more than {MAX_DEPTH} variables need each other in a row"),
            })
            .at(var.location.clone()));
        }
        self.stack.borrow_mut().push(Frame {
            host: Arc::clone(&scope.host),
            name: Arc::clone(name),
            layer,
        });
        let result = self.value(scope, &var.value, var.location.as_ref());
        self.stack.borrow_mut().pop();
        result.map_err(|e| e.at(var.location.clone()).push_link(name, var.location.as_ref()))
    }

    /// Below which layer `name` is to be looked for, given what is being evaluated.
    fn below(&self, scope: &Arc<Scope>, name: &str) -> Eval<Below> {
        let stack = self.stack.borrow();
        let is_it = |f: &Frame| *f.name == *name && f.host == scope.host;
        let Some(first) = stack.iter().rposition(is_it) else {
            return Ok(Below::Layer(usize::MAX));
        };
        let cycle = || {
            let mut chain: Vec<String> = stack[first..]
                .iter()
                .map(|f| {
                    if f.host == self.home.host {
                        f.name.to_string()
                    } else {
                        format!("hostvars['{}'].{}", f.host, f.name)
                    }
                })
                .collect();
            chain.push(chain[0].clone());
            ValueError::new(ValueErrorKind::Cycle { chain })
        };
        if first + 1 != stack.len() {
            return Err(cycle());
        }
        // A variable that names itself means the one it overrides.
        let layer = stack[first].layer;
        Ok(match scope.find(name, layer) {
            Some(_) => Below::Layer(layer),
            None => Below::Itself(cycle()),
        })
    }

    fn magic(&self, scope: &Arc<Scope>, name: &str) -> Eval<Option<V>> {
        let world = &scope.world;
        let path = |p: Option<PathBuf>| p.map(|p| V::str(p.display().to_string()));
        let names = |v: Vec<Arc<str>>| V::list(v.into_iter().map(V::str).collect());
        Ok(match name {
            "inventory_hostname" => Some(V::str(Arc::clone(&scope.host))),
            "inventory_hostname_short" => Some(V::str(scope.host.split('.').next().unwrap_or_default())),
            "group_names" => {
                let mut groups = world.groups_of(&scope.host);
                groups.retain(|g| &**g != "all");
                groups.sort();
                Some(names(groups))
            }
            "groups" => {
                let key = (Arc::from(""), Arc::from("groups"));
                let known = self.cache.borrow().get(&key).cloned();
                Some(known.unwrap_or_else(|| {
                    let map = world.groups().into_iter();
                    let value = V::map(map.map(|(g, hosts)| (Key::str(g), names(hosts))).collect());
                    self.cache.borrow_mut().insert(key, value.clone());
                    value
                }))
            }
            "hostvars" => Some(V::HostVars),
            "vars" => Some(V::Host(Arc::clone(&scope.host))),
            "omit" => Some(V::str(OMIT)),
            "inventory_dir" => path(world.inventory_dir()),
            "inventory_file" => path(world.inventory_file()),
            "playbook_dir" => path(scope.playbook_dir.clone().or_else(|| world.inventory_dir())),
            _ => scope.magic.get(name).map(V::from_raw),
        })
    }

    /// The names that the host can see, in the order of the layers.
    pub(crate) fn names(&self, scope: &Scope) -> Vec<Arc<str>> {
        let mut names: IndexMap<Arc<str>, ()> = IndexMap::new();
        for layer in scope.all() {
            names.extend(layer.keys().map(|k| (Arc::clone(k), ())));
        }
        names.into_keys().collect()
    }

    /// `hostvars` or one host's variables as an ordinary mapping.
    pub(crate) fn listed(&self, scope: &Arc<Scope>, value: &V) -> Eval<V> {
        Renderer::new(self, scope, true, &Map::new()).written_out(value)
    }

    /// The raw `value` with every template in it evaluated.
    pub(crate) fn value(&self, scope: &Arc<Scope>, value: &Value, location: Option<&Location>) -> Eval<V> {
        Ok(match value {
            Value::Str(text) if source::is_template(text) => self.template(scope, text, location)?,
            Value::List(items) => V::list(
                items
                    .iter()
                    .map(|item| self.value(scope, item, location))
                    .collect::<Eval<_>>()?,
            ),
            Value::Map(map) => {
                let mut out = Map::with_capacity(map.len());
                for (key, item) in map {
                    out.insert(Key::str(Arc::clone(key)), self.value(scope, item, location)?);
                }
                V::map(out)
            }
            other => V::from_raw(other),
        })
    }

    /// Evaluates one template string as Ansible does without `jinja2_native`.
    pub(crate) fn template(&self, scope: &Arc<Scope>, text: &str, location: Option<&Location>) -> Eval<V> {
        if let Some(name) = source::single_variable(text) {
            match scope.raw(name).map(|var| &var.value) {
                // Numbers and booleans keep their type here and only here.
                Some(Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Null)
                    if self.magic(scope, name)?.is_none() =>
                {
                    if let Some(value) = self.variable(scope, name)? {
                        return Ok(value);
                    }
                }
                _ => {
                    if let Some(Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Null) = scope.magic.get(name)
                        && let Some(value) = self.magic(scope, name)?
                    {
                        return Ok(value);
                    }
                }
            }
        }
        let prepared = source::keep_backslashes(text);
        let chunks = self.run(scope, &prepared, source::syntax(true, false), true, &Map::new());
        let chunks = chunks.map_err(|e| e.place(text, location, false))?;
        let (value, taint) = chunks;
        finish(value, true)
            .map(|v| keep_newlines(v, text))
            .map(|v| mark(v, taint))
            .map_err(|e| e.place(text, location, false))
    }

    /// Renders a template file.
    pub(crate) fn file(&self, scope: &Arc<Scope>, name: &str, text: &str, locals: &Map) -> Eval<(String, Taint)> {
        let (syntax, body, skipped) = source::header(text);
        let location = Location::file(name);
        let result = self
            .run(scope, body, syntax, false, locals)
            .and_then(|(chunks, taint)| Ok((keep_newlines(finish(chunks, false)?, body), taint)));
        match result {
            Ok((value, taint)) => {
                let taint = taint.join(value.taint());
                Ok((value.text()?.into_owned(), taint))
            }
            Err(error) => {
                // Places count the text as it was parsed.
                let mut error = error.place(&unix_ends(body), Some(&location), true);
                if skipped > 0 {
                    error = error.shift_lines(skipped);
                }
                Err(error)
            }
        }
    }

    /// Parses and runs a template; gives what it put out, piece by piece.
    fn run(
        &self,
        scope: &Arc<Scope>,
        text: &str,
        syntax: minijinja::syntax::SyntaxConfig,
        convert: bool,
        locals: &Map,
    ) -> Eval<(Vec<V>, Taint)> {
        let text = &*unix_ends(text);
        if source::is_too_deep(text) {
            return Err(ValueError::new(ValueErrorKind::Limit {
                message: "the template nests deeper than 40 levels or strings together more than 500 operators".into(),
            }));
        }
        let tree = machinery::parse(text, "<template>", syntax).map_err(|e| parse_error(&e))?;
        let outer = self.taint.replace(Taint::default());
        let renderer = Renderer::new(self, scope, convert, locals);
        let result = renderer.template(&tree);
        let taint = self.taint.replace(outer);
        result.map(|chunks| (chunks, taint))
    }
}

enum Below {
    Layer(usize),
    Itself(ValueError),
}

/// True when `error` says that `name` has nothing to refer to but itself.
fn self_reference(error: &ValueError, name: &str) -> bool {
    matches!(error.kind(), ValueErrorKind::Cycle { chain } if chain.len() == 2 && chain[0] == name)
}

fn parse_error(error: &minijinja::Error) -> ValueError {
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let result = ValueError::syntax(message);
    match (error.range(), error.line()) {
        (Some(range), Some(line)) => result.span(range.start, u32::try_from(line).unwrap_or(0)),
        _ => result,
    }
}

/// Jinja drops the newline at the end of a template; Ansible puts back what is missing.
fn keep_newlines(value: V, template: &str) -> V {
    let V::Str(mut text) = value else {
        return value;
    };
    let count = |s: &str| s.len() - s.trim_end_matches('\n').len();
    let missing = count(template).saturating_sub(count(&text.text));
    if missing > 0 {
        text.text = format!("{}{}", text.text, "\n".repeat(missing)).into();
    }
    V::Str(text)
}

/// Lets `taint` cling to every text of `value`.
pub(crate) fn mark(value: V, taint: Taint) -> V {
    if taint == Taint::default() {
        return value;
    }
    match value {
        V::Str(mut text) => {
            text.taint = text.taint.join(taint);
            V::Str(text)
        }
        V::List(items) => V::list(items.iter().map(|v| mark(v.clone(), taint)).collect()),
        V::Tuple(items) => V::tuple(items.iter().map(|v| mark(v.clone(), taint)).collect()),
        V::Map(map) => V::map(map.iter().map(|(k, v)| (k.clone(), mark(v.clone(), taint))).collect()),
        other => other,
    }
}

/// `text` with the line ends that Jinja makes of any.
fn unix_ends(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => text.replace("\r\n", "\n").replace('\r', "\n").into(),
        false => text.into(),
    }
}
