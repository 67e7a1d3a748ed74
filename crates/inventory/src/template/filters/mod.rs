//! Jinja's and Ansible's filters: `x | name(args)`.

mod data;
mod lists;
mod net;
mod numbers;
mod paths;
mod regexes;
mod rows;
mod serial;
mod texts;
mod yaml_out;

pub(crate) use lists::sort_values;
pub(crate) use regexes::compile;
pub(crate) use rows::product;

use super::error::{ValueError, ValueErrorKind};
use super::eval::Renderer;
use super::session::Session;
use super::value::{Eval, Number, V};
use indexmap::IndexMap;
use std::sync::Arc;

/// What stands between the parentheses.
#[derive(Default, Clone)]
pub(crate) struct Args {
    pub(crate) positional: Vec<V>,
    pub(crate) named: IndexMap<Arc<str>, V>,
}

impl Args {
    /// The arguments under `names`, given by position or by name; an error for any other.
    pub(crate) fn take<const N: usize>(&self, filter: &str, names: [&str; N]) -> Eval<[Option<V>; N]> {
        if self.positional.len() > N {
            return Err(ValueError::filter(
                filter,
                format!("{} arguments were given, it takes {N}", self.positional.len()),
            ));
        }
        if let Some(unknown) = self.named.keys().find(|name| !names.contains(&&***name)) {
            return Err(ValueError::filter(filter, format!("it has no argument '{unknown}'")));
        }
        let mut out = [const { None }; N];
        for (i, name) in names.iter().enumerate() {
            out[i] = self.positional.get(i).or_else(|| self.named.get(*name)).cloned();
        }
        Ok(out)
    }

    /// Notes in `session` that all of them are used.
    pub(crate) fn touch(&self, session: &Session) {
        for value in self.positional.iter().chain(self.named.values()) {
            session.touch(value);
        }
    }
}

/// One filter call, for the modules that hold the filters.
pub(super) struct Call<'c, 's, 't> {
    pub(super) renderer: &'c Renderer<'s, 't>,
    pub(super) name: &'c str,
    pub(super) input: &'c V,
    pub(super) args: &'c Args,
}

impl Call<'_, '_, '_> {
    pub(super) fn take<const N: usize>(&self, names: [&str; N]) -> Eval<[Option<V>; N]> {
        self.args.take(self.name, names)
    }

    pub(super) fn wrong(&self, message: impl Into<String>) -> ValueError {
        ValueError::filter(self.name, message)
    }

    /// The input as text.
    pub(super) fn text(&self) -> Eval<String> {
        self.input.text().map(|t| t.into_owned())
    }

    /// The input as a string and nothing else.
    pub(super) fn string(&self) -> Eval<&str> {
        match self.input.check()? {
            V::Str(text) => Ok(&text.text),
            other => Err(self.wrong(format!("a string was expected, not a {}", other.type_name()))),
        }
    }

    /// The items of the input.
    pub(super) fn items(&self) -> Eval<Vec<V>> {
        self.renderer
            .items(self.input.check()?)
            .map_err(|_| self.wrong(format!("a list was expected, not a {}", self.input.type_name())))
    }

    pub(super) fn text_or(&self, value: Option<V>, default: &str) -> Eval<String> {
        match value {
            None | Some(V::None) => Ok(default.into()),
            Some(value) => value.text().map(|t| t.into_owned()),
        }
    }

    pub(super) fn need(&self, value: Option<V>, what: &str) -> Eval<V> {
        value
            .ok_or_else(|| self.wrong(format!("the argument '{what}' is missing")))?
            .defined()
    }

    pub(super) fn truth_or(&self, value: Option<V>, default: bool) -> Eval<bool> {
        value.map_or(Ok(default), |v| v.truth())
    }

    pub(super) fn int_or(&self, value: Option<V>, default: i128) -> Eval<i128> {
        match value {
            None | Some(V::None) => Ok(default),
            Some(value) => match (value.check()?.number(), value.as_str()) {
                (Some(Number::Int(i)), _) => Ok(i),
                (Some(Number::Float(x)), _) => Ok(x.trunc() as i128),
                (None, Some(text)) if text.trim().parse::<i128>().is_ok() => Ok(text.trim().parse().unwrap_or(default)),
                _ => Err(self.wrong(format!("a whole number was expected, not a {}", value.type_name()))),
            },
        }
    }
}

/// The filters that take what is not defined.
const FIRST: &[&str] = &["default", "d", "mandatory", "type_debug"];

const PREFIXES: &[&str] = &[
    "ansible.builtin.",
    "ansible.utils.",
    "ansible.netcommon.",
    "community.general.",
];

/// `input | name(args)`.
pub(crate) fn call(renderer: &Renderer<'_, '_>, name: &str, input: V, args: Args) -> Eval<V> {
    let short = PREFIXES.iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
    // These take what is not defined.
    match short {
        "default" | "d" => {
            let [value, boolean] = args.take(short, ["default_value", "boolean"])?;
            let value = value.unwrap_or_else(|| V::str(""));
            if input.is_undefined() {
                return Ok(value);
            }
            let boolean = boolean.map_or(Ok(false), |b| b.truth())?;
            return Ok(if boolean && !input.truth()? { value } else { input });
        }
        "mandatory" => {
            let [message] = args.take(short, ["msg"])?;
            return match (input, message) {
                (V::Undefined(_), Some(message)) => Err(ValueError::filter("mandatory", message.text()?.into_owned())),
                (V::Undefined(error), None) if matches!(error.kind(), ValueErrorKind::Undefined { .. }) => {
                    Err(ValueError::filter("mandatory", error.message()))
                }
                (input, _) => input.defined(),
            };
        }
        "type_debug" => return Ok(V::str(input.type_name())),
        _ => {}
    }
    input.check()?;
    let call = Call {
        renderer,
        name: short,
        input: &input,
        args: &args,
    };
    for family in FAMILIES {
        if let Some(value) = (family.call)(&call)? {
            return Ok(value);
        }
    }
    Err(
        ValueError::unsupported(format!("the filter '{name}'")).with_help(nearest(
            short,
            FIRST.iter().chain(FAMILIES.iter().flat_map(|f| f.names)).copied(),
        )),
    )
}

/// True when `name` is a filter.
pub(crate) fn exists(name: &str) -> bool {
    let short = PREFIXES.iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
    FIRST.contains(&short) || FAMILIES.iter().any(|f| f.names.contains(&short))
}

/// Filters of one kind.
struct Family {
    names: &'static [&'static str],
    call: fn(&Call<'_, '_, '_>) -> Eval<Option<V>>,
}

const FAMILIES: &[Family] = &[
    Family {
        names: texts::NAMES,
        call: texts::call,
    },
    Family {
        names: lists::NAMES,
        call: lists::call,
    },
    Family {
        names: data::NAMES,
        call: data::call,
    },
    Family {
        names: numbers::NAMES,
        call: numbers::call,
    },
    Family {
        names: regexes::NAMES,
        call: regexes::call,
    },
    Family {
        names: paths::NAMES,
        call: paths::call,
    },
    Family {
        names: serial::NAMES,
        call: serial::call,
    },
    Family {
        names: net::NAMES,
        call: net::call,
    },
];

/// "did you mean", for a name that is unknown.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let best = known
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .min()
        .filter(|(distance, _)| *distance <= 2 + name.len() / 5);
    match best {
        Some((_, best)) => format!("did you mean '{best}'?"),
        None => "set the value itself instead".into(),
    }
}
