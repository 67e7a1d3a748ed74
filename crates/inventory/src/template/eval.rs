//! Statements of a template: what it puts out.

use super::error::{ValueError, ValueErrorKind};
use super::filters;
use super::python;
use super::session::{MAX_SIZE, Scope, Session};
use super::value::{Eval, Key, Loop, Map, Taint, Text, V};
use indexmap::IndexMap;
use minijinja::machinery::ast::{self, Expr, Stmt};
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

/// How deep macros and recursive loops may go.
const MAX_CALLS: usize = 40;
/// How many turns all loops of one rendering may take together.
const MAX_TURNS: usize = 5_000_000;

/// What a statement leaves behind.
#[derive(PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
}

/// A macro, with the names it can see.
pub(crate) struct Callable<'t> {
    pub(crate) decl: &'t ast::Macro<'t>,
    closure: Vec<Names>,
}

pub(crate) type Names = IndexMap<Arc<str>, V>;

/// Runs one parsed template.
pub(crate) struct Renderer<'s, 't> {
    pub(crate) session: &'s Session,
    pub(crate) scope: &'s Arc<Scope>,
    /// Whether texts that look like lists become lists, as in values (not in files).
    pub(crate) convert: bool,
    pub(crate) locals: RefCell<Vec<Names>>,
    pub(crate) macros: RefCell<Vec<Arc<Callable<'t>>>>,
    loops: RefCell<Vec<&'t ast::ForLoop<'t>>>,
    pub(crate) calls: RefCell<usize>,
    turns: RefCell<usize>,
}

/// Joins what a template put out, as Ansible does without `jinja2_native`.
pub(crate) fn finish(mut chunks: Vec<V>, convert: bool) -> Eval<V> {
    if chunks.len() == 1 {
        let only = chunks.remove(0);
        match only {
            V::Str(Text { keep: true, .. }) => return Ok(only),
            V::Str(text) => return Ok(if convert { parse(text) } else { V::Str(text) }),
            // Containers survive as they are; their text would read back the same.
            V::List(_) | V::Map(_) | V::Bool(_) if convert => return Ok(only),
            other => return Ok(V::str(other.text()?.into_owned())),
        }
    }
    let mut out = String::new();
    let mut taint = Taint::default();
    for chunk in &chunks {
        taint = taint.join(chunk.taint());
        out.push_str(&chunk.text()?);
        if out.len() > MAX_SIZE {
            return Err(too_large());
        }
    }
    let text = Text {
        text: out.into(),
        taint,
        keep: false,
    };
    Ok(if convert { parse(text) } else { V::Str(text) })
}

pub(crate) fn too_large() -> ValueError {
    ValueError::new(ValueErrorKind::Limit {
        message: "the template makes more than 64 MiB".into(),
    })
}

/// True when the variables of a host are in `value`, at any depth.
fn holds_hosts(value: &V) -> bool {
    match value {
        V::HostVars | V::Host(_) => true,
        V::List(items) | V::Tuple(items) => items.iter().any(holds_hosts),
        V::Map(map) => map.values().any(holds_hosts),
        _ => false,
    }
}

/// A text that looks like a list, a mapping or a boolean becomes one.
fn parse(text: Text) -> V {
    let looks = text.text.starts_with(['{', '[']) || matches!(&*text.text, "True" | "False");
    if looks && let Some(value) = python::literal(&text.text) {
        return super::session::mark(value, text.taint);
    }
    V::Str(text)
}

impl<'s, 't> Renderer<'s, 't> {
    pub(crate) fn new(session: &'s Session, scope: &'s Arc<Scope>, convert: bool, locals: &Map) -> Self {
        let names = locals.iter().map(|(k, v)| (Arc::clone(&k.text), v.clone())).collect();
        Self {
            session,
            scope,
            convert,
            locals: RefCell::new(vec![names]),
            macros: RefCell::new(Vec::new()),
            loops: RefCell::new(Vec::new()),
            calls: RefCell::new(0),
            turns: RefCell::new(0),
        }
    }

    /// All that the template puts out.
    pub(crate) fn template(&self, tree: &'t Stmt<'t>) -> Eval<Vec<V>> {
        let mut out = Vec::new();
        self.statement(tree, &mut out)?;
        Ok(out)
    }

    fn body(&self, body: &'t [Stmt<'t>], out: &mut Vec<V>) -> Eval<Flow> {
        for statement in body {
            let flow = self.statement(statement, out)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn push(&self) {
        self.locals.borrow_mut().push(Names::new());
    }

    fn pop(&self) {
        self.locals.borrow_mut().pop();
    }

    pub(crate) fn set(&self, name: &str, value: V) {
        if let Some(top) = self.locals.borrow_mut().last_mut() {
            top.insert(name.into(), value);
        }
    }

    // As for expressions: small functions, since statements nest.
    fn statement(&self, statement: &'t Stmt<'t>, out: &mut Vec<V>) -> Eval<Flow> {
        match statement {
            Stmt::Template(t) => return self.body(&t.children, out),
            Stmt::EmitRaw(raw) => out.push(V::str(raw.raw)),
            Stmt::EmitExpr(emit) => self.emit(&emit.expr, out)?,
            Stmt::IfCond(cond) => {
                let test = self.truth(&cond.expr)?;
                return self.body(if test { &cond.true_body } else { &cond.false_body }, out);
            }
            Stmt::ForLoop(each) => {
                let iter = self.expr(&each.iter)?;
                let items = self.items(&iter)?;
                self.for_loop(each, items, 1, out)?;
            }
            Stmt::Set(set) => {
                let value = self.expr(&set.expr)?;
                self.assign(&set.target, value)?;
            }
            Stmt::SetBlock(set) => self.set_block(set)?,
            Stmt::WithBlock(with) => return self.with_block(with, out),
            Stmt::FilterBlock(block) => {
                let value = self.filter_chain(&block.filter, self.captured(&block.body)?)?;
                out.push(value);
            }
            Stmt::AutoEscape(block) => return self.body(&block.body, out),
            Stmt::Block(block) => return self.body(&block.body, out),
            Stmt::Macro(decl) => {
                let value = self.declare(decl);
                self.set(decl.name, value);
            }
            Stmt::CallBlock(block) => {
                let caller = self.declare(&block.macro_decl);
                let value = self.call_with(&block.call, Some(caller))?;
                out.push(value);
            }
            Stmt::Do(call) => {
                self.call_with(&call.call, None)?;
            }
            Stmt::Continue(_) => return Ok(Flow::Continue),
            Stmt::Break(_) => return Ok(Flow::Break),
            Stmt::Import(_) | Stmt::FromImport(_) => {
                return Err(ValueError::unsupported("{% import %} in a template"));
            }
            Stmt::Extends(_) => return Err(ValueError::unsupported("{% extends %} in a template")),
            Stmt::Include(_) => return Err(ValueError::unsupported("{% include %} in a template")),
        }
        Ok(Flow::Next)
    }

    /// What `body` puts out, as one value.
    fn captured(&self, body: &'t [Stmt<'t>]) -> Eval<V> {
        let mut inner = Vec::new();
        self.push();
        let result = self.body(body, &mut inner);
        self.pop();
        result?;
        finish(inner, self.convert)
    }

    fn set_block(&self, set: &'t ast::SetBlock<'t>) -> Eval<()> {
        let mut value = self.captured(&set.body)?;
        if let Some(filter) = &set.filter {
            value = self.filter_chain(filter, value)?;
        }
        self.assign(&set.target, value)
    }

    fn with_block(&self, with: &'t ast::WithBlock<'t>, out: &mut Vec<V>) -> Eval<Flow> {
        let mut values = Vec::new();
        for (_, expr) in &with.assignments {
            values.push(self.expr(expr)?);
        }
        self.push();
        let result = with
            .assignments
            .iter()
            .zip(values)
            .try_for_each(|((target, _), value)| self.assign(target, value))
            .and_then(|()| self.body(&with.body, out));
        self.pop();
        result
    }

    /// Puts out the value of `expr`: nothing for `None`, an error for what is undefined at any depth.
    fn emit(&self, expr: &'t Expr<'t>, out: &mut Vec<V>) -> Eval<()> {
        fn check(value: &V) -> Eval<()> {
            match value {
                V::Undefined(error) => Err((**error).clone()),
                V::List(items) | V::Tuple(items) => items.iter().try_for_each(check),
                V::Map(map) => map.values().try_for_each(check),
                _ => Ok(()),
            }
        }
        let value = self.expr(expr)?;
        let span = expr.span();
        check(&value).map_err(|e| e.span(span.start_offset as usize, u32::from(span.start_line)))?;
        out.push(match value {
            V::None => V::str(""),
            V::HostVars | V::Host(_) | V::Map(_) | V::List(_) | V::Tuple(_) if holds_hosts(&value) => {
                let value = self.written_out(&value)?;
                check(&value)?;
                value
            }
            other => other,
        });
        Ok(())
    }

    fn declare(&self, decl: &'t ast::Macro<'t>) -> V {
        let mut macros = self.macros.borrow_mut();
        macros.push(Arc::new(Callable {
            decl,
            closure: self.locals.borrow().clone(),
        }));
        V::Macro(macros.len() - 1)
    }

    fn for_loop(&self, each: &'t ast::ForLoop<'t>, items: Vec<V>, depth: usize, out: &mut Vec<V>) -> Eval<()> {
        let mut chosen = Vec::with_capacity(items.len());
        for item in items {
            if let Some(filter) = &each.filter_expr {
                self.push();
                let keep = self
                    .assign(&each.target, item.clone())
                    .and_then(|()| self.truth(filter));
                self.pop();
                if !keep? {
                    continue;
                }
            }
            chosen.push(item);
        }
        if chosen.is_empty() {
            self.push();
            let result = self.body(&each.else_body, out);
            self.pop();
            return result.map(|_| ());
        }
        let recursive = each.recursive.then(|| {
            let mut loops = self.loops.borrow_mut();
            loops.push(each);
            loops.len() - 1
        });
        let changed = Arc::new(Mutex::new(None));
        for (index0, item) in chosen.iter().enumerate() {
            *self.turns.borrow_mut() += 1;
            if *self.turns.borrow() > MAX_TURNS {
                return Err(ValueError::new(ValueErrorKind::Limit {
                    message: "the loops of the template take more than five million turns".into(),
                }));
            }
            self.push();
            self.set(
                "loop",
                V::Loop(Arc::new(Loop {
                    index0,
                    length: chosen.len(),
                    depth,
                    previous: index0.checked_sub(1).map(|i| chosen[i].clone()),
                    next: chosen.get(index0 + 1).cloned(),
                    changed: Arc::clone(&changed),
                    recursive,
                })),
            );
            let result = self
                .assign(&each.target, item.clone())
                .and_then(|()| self.body(&each.body, out));
            self.pop();
            if result? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    /// `loop(items)` inside a recursive loop.
    pub(crate) fn recurse(&self, number: usize, depth: usize, items: Vec<V>) -> Eval<V> {
        let each = self.loops.borrow().get(number).copied();
        let each = each.ok_or_else(|| ValueError::operation("the loop is over"))?;
        self.enter()?;
        let mut out = Vec::new();
        let result = self.for_loop(each, items, depth + 1, &mut out);
        *self.calls.borrow_mut() -= 1;
        result?;
        finish(out, self.convert)
    }

    fn enter(&self) -> Eval<()> {
        let mut calls = self.calls.borrow_mut();
        if *calls >= MAX_CALLS {
            return Err(ValueError::new(ValueErrorKind::Limit {
                message: format!("macros or loops call each other more than {MAX_CALLS} deep"),
            }));
        }
        *calls += 1;
        Ok(())
    }

    /// Runs macro `number`.
    pub(crate) fn call_macro(&self, number: usize, args: filters::Args, caller: Option<V>) -> Eval<V> {
        let callable = self.macros.borrow().get(number).cloned();
        let callable = callable.ok_or_else(|| ValueError::operation("the macro is gone"))?;
        self.enter()?;
        let mut scopes = callable.closure.clone();
        // A macro sees itself and the ones declared after it.
        if let (Some(first), Some(now)) = (scopes.first_mut(), self.locals.borrow().first()) {
            for (name, value) in now {
                first.entry(Arc::clone(name)).or_insert_with(|| value.clone());
            }
        }
        scopes.push(Names::new());
        let saved = self.locals.replace(scopes);
        let mut out = Vec::new();
        let result = self
            .bind(callable.decl, args, caller)
            .and_then(|()| self.body(&callable.decl.body, &mut out));
        self.locals.replace(saved);
        *self.calls.borrow_mut() -= 1;
        result?;
        finish(out, self.convert)
    }

    fn bind(&self, decl: &'t ast::Macro<'t>, args: filters::Args, caller: Option<V>) -> Eval<()> {
        let wrong = |message: String| ValueError::filter(decl.name, message);
        let first_default = decl.args.len() - decl.defaults.len();
        let mut given = args.named;
        let mut rest = args.positional.into_iter();
        for (i, arg) in decl.args.iter().enumerate() {
            let Expr::Var(name) = arg else { continue };
            let value = match rest.next().or_else(|| given.shift_remove(name.id)) {
                Some(value) => value,
                None if i >= first_default => self.expr(&decl.defaults[i - first_default])?,
                None => V::Undefined(Box::new(
                    ValueError::undefined(name.id).with_help(format!("give '{}' to the macro", name.id)),
                )),
            };
            self.set(name.id, value);
        }
        let varargs: Vec<V> = rest.collect();
        let kwargs: Map = given.into_iter().map(|(k, v)| (Key::str(k), v)).collect();
        self.set("varargs", V::tuple(varargs));
        self.set("kwargs", V::map(kwargs));
        if let Some(caller) = caller {
            self.set("caller", caller);
        }
        if decl.args.len() > 500 {
            return Err(wrong("it has more than 500 arguments".into()));
        }
        Ok(())
    }

    /// Gives `value` to a name, several names, or an attribute of a namespace.
    fn assign(&self, target: &'t Expr<'t>, value: V) -> Eval<()> {
        match target {
            Expr::Var(name) => {
                self.set(name.id, value);
                Ok(())
            }
            Expr::List(ast) => self.unpack(&ast.items, value),
            Expr::Tuple(ast) => self.unpack(&ast.items, value),
            Expr::GetAttr(attr) => match self.expr(&attr.expr)? {
                V::Namespace(map) => {
                    let mut map = map.lock().map_err(|_| python::poisoned())?;
                    map.insert(Key::str(attr.name), value);
                    Ok(())
                }
                other => Err(ValueError::operation(format!(
                    "an attribute can be set on a namespace only, not on a {}",
                    other.type_name()
                ))),
            },
            _ => Err(ValueError::syntax("this cannot be assigned to")),
        }
    }

    fn unpack(&self, targets: &'t [Expr<'t>], value: V) -> Eval<()> {
        let items = self.items(&value)?;
        if items.len() != targets.len() {
            return Err(ValueError::operation(format!(
                "{} values cannot be given to {} names",
                items.len(),
                targets.len()
            )));
        }
        targets
            .iter()
            .zip(items)
            .try_for_each(|(target, item)| self.assign(target, item))
    }

    /// Applies the filters of `{% filter … %}` and `{% set x | … %}` to `value`.
    fn filter_chain(&self, chain: &'t Expr<'t>, value: V) -> Eval<V> {
        let Expr::Filter(filter) = chain else {
            return Err(ValueError::syntax("a filter was expected"));
        };
        let input = match &filter.expr {
            Some(inner) => self.filter_chain(inner, value)?,
            None => value,
        };
        self.apply_filter(filter.name, input, &filter.args)
    }
}
