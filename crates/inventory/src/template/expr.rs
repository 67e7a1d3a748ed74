//! Expressions of a template: names, literals, operators, filters, tests and calls.

use super::error::{ValueError, ValueErrorKind};
use super::eval::Renderer;
use super::filters::{self, Args};
use super::session::MAX_OPEN;
use super::value::{Eval, Key, Map, V};
use super::{functions, methods, ops, tests};
use minijinja::machinery::ast::{self, BinOpKind, CallArg, CompareOpKind, Expr, UnaryOpKind};
use minijinja::value::ValueKind;
use std::sync::Arc;

/// Names of facts: values a host tells only when it is asked.
const FACTS: &[&str] = &[
    "ansible_all_ipv4_addresses",
    "ansible_all_ipv6_addresses",
    "ansible_architecture",
    "ansible_bios_version",
    "ansible_cmdline",
    "ansible_date_time",
    "ansible_default_ipv4",
    "ansible_default_ipv6",
    "ansible_devices",
    "ansible_dns",
    "ansible_domain",
    "ansible_env",
    "ansible_facts",
    "ansible_fqdn",
    "ansible_hostname",
    "ansible_interfaces",
    "ansible_kernel",
    "ansible_kernel_version",
    "ansible_local",
    "ansible_lsb",
    "ansible_machine",
    "ansible_machine_id",
    "ansible_mounts",
    "ansible_nodename",
    "ansible_os_family",
    "ansible_pkg_mgr",
    "ansible_product_name",
    "ansible_selinux",
    "ansible_service_mgr",
    "ansible_swapfree_mb",
    "ansible_swaptotal_mb",
    "ansible_system",
    "ansible_uptime_seconds",
    "ansible_user_id",
    "ansible_userspace_architecture",
];
const FACT_PREFIXES: &[&str] = &[
    "ansible_distribution",
    "ansible_memfree",
    "ansible_memory_",
    "ansible_memtotal",
    "ansible_processor",
    "ansible_virtualization_",
];

/// The error for the undefined `name`: a fact is told apart from a mistake.
pub(crate) fn undefined(name: &str) -> ValueError {
    let base = name.split(['.', '[']).next().unwrap_or(name);
    let is_fact = FACTS.contains(&base) || FACT_PREFIXES.iter().any(|p| base.starts_with(p));
    ValueError::new(if is_fact {
        ValueErrorKind::NeedsFact { name: name.into() }
    } else {
        ValueErrorKind::Undefined { name: name.into() }
    })
}

impl<'s, 't> Renderer<'s, 't> {
    /// The value of `expr`.
    pub(crate) fn expr(&self, expr: &'t Expr<'t>) -> Eval<V> {
        let place = |error: ValueError| {
            let span = expr.span();
            error.span(span.start_offset as usize, u32::from(span.start_line))
        };
        let depth = self.session.depth.get();
        if depth >= MAX_OPEN {
            return Err(ValueError::new(ValueErrorKind::Limit {
                message: format!("more than {MAX_OPEN} expressions stand inside each other"),
            }));
        }
        self.session.depth.set(depth + 1);
        let result = self.expr_inner(expr);
        self.session.depth.set(depth);
        match result {
            Ok(V::Undefined(error)) => Ok(V::Undefined(Box::new(place(*error)))),
            Ok(value) => Ok(value),
            Err(error) => Err(place(error)),
        }
    }

    /// Python's truth of `expr`, marked as used.
    pub(crate) fn truth(&self, expr: &'t Expr<'t>) -> Eval<bool> {
        let value = self.used(expr)?;
        value.truth()
    }

    /// The value of `expr`, which is about to be computed with.
    fn used(&self, expr: &'t Expr<'t>) -> Eval<V> {
        let value = self.expr(expr)?;
        self.session.touch(&value);
        Ok(value)
    }

    // One small function for each kind: expressions nest, and their frames add up.
    fn expr_inner(&self, expr: &'t Expr<'t>) -> Eval<V> {
        match expr {
            Expr::Var(var) => self.name(var.id),
            Expr::Const(constant) => constant_value(&constant.value),
            Expr::List(list) => self.exprs(&list.items).map(V::list),
            Expr::Tuple(tuple) => self.exprs(&tuple.items).map(V::tuple),
            Expr::Map(map) => self.map_literal(map),
            Expr::UnaryOp(op) => self.unary(op),
            Expr::BinOp(op) => self.binary(op),
            Expr::Compare(chain) => self.compare_chain(chain),
            Expr::IfExpr(cond) => self.inline_if(cond),
            Expr::GetAttr(attr) => self.get_attribute(expr, attr),
            Expr::GetItem(item) => self.get_item(expr, item),
            Expr::Slice(slice) => self.slice(slice),
            Expr::Filter(filter) => self.filter(filter),
            Expr::Test(test) => self.test(test),
            Expr::Call(call) => self.call_with(call, None),
        }
    }

    fn exprs(&self, items: &'t [Expr<'t>]) -> Eval<Vec<V>> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            out.push(self.expr(item)?);
        }
        Ok(out)
    }

    fn map_literal(&self, map: &'t ast::Map<'t>) -> Eval<V> {
        let mut out = Map::with_capacity(map.keys.len());
        for (key, value) in map.keys.iter().zip(&map.values) {
            let key = Key::of(&self.used(key)?)?;
            out.insert(key, self.expr(value)?);
        }
        Ok(V::map(out))
    }

    fn unary(&self, op: &'t ast::UnaryOp<'t>) -> Eval<V> {
        match op.op {
            UnaryOpKind::Not => Ok(V::Bool(!self.truth(&op.expr)?)),
            UnaryOpKind::Neg => ops::negate(&self.used(&op.expr)?),
        }
    }

    fn compare_chain(&self, chain: &'t ast::Compare<'t>) -> Eval<V> {
        let mut left = self.used(&chain.expr)?;
        for step in &chain.ops {
            let right = self.used(&step.expr)?;
            if !self.compare(step.op, &left, &right)? {
                return Ok(V::Bool(false));
            }
            left = right;
        }
        Ok(V::Bool(true))
    }

    fn inline_if(&self, cond: &'t ast::IfExpr<'t>) -> Eval<V> {
        if self.truth(&cond.test_expr)? {
            return self.expr(&cond.true_expr);
        }
        match &cond.false_expr {
            Some(other) => self.expr(other),
            None => Ok(V::Blank),
        }
    }

    fn get_attribute(&self, expr: &Expr<'_>, attr: &'t ast::GetAttr<'t>) -> Eval<V> {
        let base = self.expr(&attr.expr)?;
        if matches!(base, V::Undefined(_)) {
            return Ok(base);
        }
        match self.attribute(&base, attr.name)? {
            Some(value) => Ok(value),
            None => Ok(self.missing(expr, &base, attr.name)),
        }
    }

    fn get_item(&self, expr: &Expr<'_>, item: &'t ast::GetItem<'t>) -> Eval<V> {
        let base = self.expr(&item.expr)?;
        if matches!(base, V::Undefined(_)) {
            return Ok(base);
        }
        let key = self.used(&item.subscript_expr)?.defined()?;
        match self.item(&base, &key)? {
            Some(value) => Ok(value),
            None => Ok(self.missing(expr, &base, &key.text()?)),
        }
    }

    fn slice(&self, slice: &'t ast::Slice<'t>) -> Eval<V> {
        let base = self.expr(&slice.expr)?.defined()?;
        let bound = |part: &'t Option<Expr<'t>>| -> Eval<Option<V>> {
            part.as_ref().map(|e| self.used(e)?.defined()).transpose()
        };
        ops::slice(&base, bound(&slice.start)?, bound(&slice.stop)?, bound(&slice.step)?)
    }

    fn filter(&self, filter: &'t ast::Filter<'t>) -> Eval<V> {
        match &filter.expr {
            Some(inner) => {
                let input = self.expr(inner)?;
                self.apply_filter(filter.name, input, &filter.args)
            }
            None => Err(ValueError::syntax("a filter needs an input")),
        }
    }

    fn test(&self, test: &'t ast::Test<'t>) -> Eval<V> {
        let value = self.expr(&test.expr)?;
        if !matches!(test.name, "defined" | "undefined") {
            self.session.touch(&value);
        }
        let args = self.args(&test.args)?;
        args.touch(self.session);
        tests::call(self, test.name, &value, args).map(V::Bool)
    }

    /// What `name` means here: a local name, a variable of the host, or a global function.
    fn name(&self, name: &str) -> Eval<V> {
        for scope in self.locals.borrow().iter().rev() {
            if let Some(value) = scope.get(name) {
                return Ok(value.clone());
            }
        }
        if let Some(value) = self.session.variable(self.scope, name)? {
            return Ok(value);
        }
        if functions::exists(name) {
            return Ok(V::Function(name.into()));
        }
        Ok(V::Undefined(Box::new(undefined(name))))
    }

    /// What stands for an attribute or item that is not there.
    fn missing(&self, expr: &Expr<'_>, base: &V, name: &str) -> V {
        let path = path(expr).unwrap_or_else(|| name.to_owned());
        let error = match base {
            V::HostVars => ValueError::undefined(path.clone()).with_help(format!("the inventory has no host '{name}'")),
            V::Host(_) => undefined(name).with_help(format!("set '{name}' for that host or its groups")),
            _ => {
                let mut error = undefined(&path);
                if !matches!(error.kind(), ValueErrorKind::NeedsFact { .. }) {
                    error = error.with_help(format!("the {} has no '{name}'", described(base)));
                }
                error
            }
        };
        V::Undefined(Box::new(error))
    }

    fn binary(&self, op: &'t ast::BinOp<'t>) -> Eval<V> {
        // `and` and `or` give one of their sides, as in Python.
        match op.op {
            BinOpKind::ScAnd => {
                let left = self.used(&op.left)?;
                return if left.truth()? { self.expr(&op.right) } else { Ok(left) };
            }
            BinOpKind::ScOr => {
                let left = self.used(&op.left)?;
                return if left.truth()? { Ok(left) } else { self.expr(&op.right) };
            }
            _ => {}
        }
        let left = self.used(&op.left)?.defined()?;
        let right = self.used(&op.right)?.defined()?;
        let compare = match op.op {
            BinOpKind::Eq => CompareOpKind::Eq,
            BinOpKind::Ne => CompareOpKind::Ne,
            BinOpKind::Lt => CompareOpKind::Lt,
            BinOpKind::Lte => CompareOpKind::Lte,
            BinOpKind::Gt => CompareOpKind::Gt,
            BinOpKind::Gte => CompareOpKind::Gte,
            BinOpKind::In => CompareOpKind::In,
            other => return ops::arithmetic(other, &left, &right).map(|value| self.session.seal(value)),
        };
        self.compare(compare, &left, &right).map(V::Bool)
    }

    fn compare(&self, op: CompareOpKind, left: &V, right: &V) -> Eval<bool> {
        left.check()?;
        right.check()?;
        Ok(match op {
            CompareOpKind::Eq => left.equals(right)?,
            CompareOpKind::Ne => !left.equals(right)?,
            CompareOpKind::Lt => left.compare(right)?.is_lt(),
            CompareOpKind::Lte => left.compare(right)?.is_le(),
            CompareOpKind::Gt => left.compare(right)?.is_gt(),
            CompareOpKind::Gte => left.compare(right)?.is_ge(),
            CompareOpKind::In => self.contains(right, left)?,
            CompareOpKind::NotIn => !self.contains(right, left)?,
        })
    }

    /// The arguments of a call, evaluated.
    pub(crate) fn args(&self, args: &'t [CallArg<'t>]) -> Eval<Args> {
        let mut out = Args::default();
        for arg in args {
            match arg {
                CallArg::Pos(expr) => out.positional.push(self.expr(expr)?),
                CallArg::Kwarg(name, expr) => {
                    out.named.insert((*name).into(), self.expr(expr)?);
                }
                CallArg::PosSplat(expr) => {
                    let value = self.expr(expr)?;
                    out.positional.extend(self.items(&value)?);
                }
                CallArg::KwargSplat(expr) => {
                    let value = self.expr(expr)?;
                    for (key, value) in self.mapping(&value)?.iter() {
                        out.named.insert(Arc::clone(&key.text), value.clone());
                    }
                }
            }
        }
        Ok(out)
    }

    /// `input | name(args)`.
    pub(crate) fn apply_filter(&self, name: &str, input: V, args: &'t [CallArg<'t>]) -> Eval<V> {
        let args = self.args(args)?;
        self.session.touch(&input);
        args.touch(self.session);
        filters::call(self, name, input, args).map(|value| self.session.seal(value))
    }

    /// A call; `caller` is the body of a `{% call %}` block.
    pub(crate) fn call_with(&self, call: &'t ast::Call<'t>, caller: Option<V>) -> Eval<V> {
        if let Expr::GetAttr(attr) = &call.expr {
            let base = self.expr(&attr.expr)?;
            if !matches!(base, V::Namespace(_) | V::Undefined(_)) {
                let args = self.args(&call.args)?;
                return self.method(&attr.expr, base, attr.name, args);
            }
        }
        let callee = self.expr(&call.expr)?.defined()?;
        let args = self.args(&call.args)?;
        match callee {
            V::Macro(number) => self.call_macro(number, args, caller),
            V::Function(name) => {
                args.touch(self.session);
                functions::call(self, &name, args)
            }
            V::Loop(turn) => {
                let number = turn
                    .recursive
                    .ok_or_else(|| ValueError::operation("the loop is not marked 'recursive'"))?;
                let items = args.positional.first().cloned().unwrap_or(V::None);
                self.recurse(number, turn.depth, self.items(&items)?)
            }
            V::Turner(turner) => functions::turn(&turner),
            other => Err(ValueError::operation(format!(
                "a {} cannot be called",
                other.type_name()
            ))),
        }
    }

    /// `base.name(args)`. Methods that change a list or mapping change the name that holds it.
    fn method(&self, target: &'t Expr<'t>, base: V, name: &str, args: Args) -> Eval<V> {
        match &base {
            V::Loop(turn) => return functions::loop_method(turn, name, &args),
            V::Turner(turner) if name == "next" => return functions::turn(turner),
            V::Turner(turner) if name == "reset" => {
                *turner.position.lock().map_err(|_| super::python::poisoned())? = 0;
                return Ok(V::None);
            }
            _ => {}
        }
        self.session.touch(&base);
        args.touch(self.session);
        if let V::HostVars | V::Host(_) = base {
            if name == "get" {
                let [key, default] = args.take(name, ["key", "default"])?;
                let key = key.ok_or_else(|| ValueError::filter("get", "a key is missing"))?;
                return Ok(self.item(&base, &key)?.or(default).unwrap_or(V::None));
            }
            let all = self.materialize(&base)?;
            return methods::call(self, all, name, args).map(|(value, _)| value);
        }
        let (value, changed) = methods::call(self, base, name, args)?;
        let value = self.session.seal(value);
        if let Some(changed) = changed {
            self.replace(target, changed)?;
        }
        Ok(value)
    }

    /// Puts `value` where `target` was read from.
    fn replace(&self, target: &'t Expr<'t>, value: V) -> Eval<()> {
        match target {
            Expr::Var(var) => {
                let mut locals = self.locals.borrow_mut();
                for scope in locals.iter_mut().rev() {
                    if let Some(slot) = scope.get_mut(var.id) {
                        *slot = value;
                        return Ok(());
                    }
                }
                if let Some(first) = locals.first_mut() {
                    first.insert(var.id.into(), value);
                }
                Ok(())
            }
            Expr::GetAttr(attr) => self.replace_inside(&attr.expr, V::str(attr.name), value),
            Expr::GetItem(item) => {
                let key = self.expr(&item.subscript_expr)?;
                self.replace_inside(&item.expr, key, value)
            }
            // The changed value was a temporary one: nobody will see it.
            _ => Ok(()),
        }
    }

    fn replace_inside(&self, target: &'t Expr<'t>, key: V, value: V) -> Eval<()> {
        match self.expr(target)? {
            V::Namespace(map) => {
                let mut map = map.lock().map_err(|_| super::python::poisoned())?;
                map.insert(Key::of(&key)?, value);
                Ok(())
            }
            V::Map(map) => {
                let mut map = Map::clone(&map);
                map.insert(Key::of(&key)?, value);
                self.replace(target, V::map(map))
            }
            V::List(items) => {
                let mut items = Vec::clone(&items);
                if let V::Int(i) = key
                    && let Some(slot) = usize::try_from(i).ok().and_then(|i| items.get_mut(i))
                {
                    *slot = value;
                }
                self.replace(target, V::list(items))
            }
            _ => Ok(()),
        }
    }
}

/// What an error calls the value in which something is missing.
fn described(base: &V) -> &'static str {
    match base {
        V::Map(_) => "mapping",
        V::List(_) => "list",
        V::Str(_) => "string",
        other => other.type_name(),
    }
}

/// `expr` as an operator would write it, when it is a name with attributes.
fn path(expr: &Expr<'_>) -> Option<String> {
    match expr {
        Expr::Var(var) => Some(var.id.to_owned()),
        Expr::GetAttr(attr) => Some(format!("{}.{}", path(&attr.expr)?, attr.name)),
        Expr::GetItem(item) => {
            let base = path(&item.expr)?;
            match &item.subscript_expr {
                Expr::Const(key) => match key.value.as_str() {
                    Some(text) => Some(format!("{base}.{text}")),
                    None => Some(format!("{base}[{}]", key.value)),
                },
                key => Some(format!("{base}[{}]", path(key)?)),
            }
        }
        _ => None,
    }
}

/// A literal of the template.
fn constant_value(value: &minijinja::Value) -> Eval<V> {
    Ok(match value.kind() {
        ValueKind::Bool => V::Bool(value.is_true()),
        ValueKind::String => V::str(value.as_str().unwrap_or_default()),
        ValueKind::Number if value.is_integer() => match i128::try_from(value.clone()) {
            Ok(number) => V::Int(number),
            Err(_) => return Err(ValueError::syntax("a number is too large")),
        },
        ValueKind::Number => match f64::try_from(value.clone()) {
            Ok(number) => V::Float(number),
            Err(_) => return Err(ValueError::syntax("a number is too large")),
        },
        _ => V::None,
    })
}
