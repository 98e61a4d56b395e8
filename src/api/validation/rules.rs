//! CEL rules, evaluated as the API server evaluates them: over the value with its defaults filled in.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use cel::objects::{Key, Map};
use cel::{Context, Env, Program};
use serde_json::Value;

use super::node::{Node, Type};
use super::path::PathSegment;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A rule of `x-kubernetes-validations`.
#[derive(Debug)]
pub(super) struct Rule {
    program: Program,
    message: String,
    /// Where below the value the rule points.
    pub(super) field: Vec<PathSegment>,
    /// The fields of the value that the rule speaks of; empty if it speaks of the value itself.
    fields: BTreeSet<String>,
}

impl Rule {
    /// Reads a rule; none if it does not compile.
    pub(super) fn read(rule: &Value) -> Option<Self> {
        let source = rule.get("rule")?.as_str()?;
        let message = rule
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or(source);
        let field = rule
            .get("fieldPath")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Some(Self {
            fields: fields_of(source),
            program: ENV.compile(source).ok()?,
            message: message.to_owned(),
            field: field
                .split('.')
                .filter(|segment| !segment.is_empty())
                .map(PathSegment::from)
                .collect(),
        })
    }

    /// What is wrong, if the rule does not hold.
    fn check(&self, value: &cel::Value) -> Option<String> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.add_variable_from_value("self", value.clone());
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(true)) => None,
            Ok(_) => Some(self.message.clone()),
            Err(error) => Some(format!("{} (the rule failed: {error})", self.message)),
        }
    }
}

/// The fields that a rule reads from `self`; none if it uses `self` in another way.
fn fields_of(source: &str) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for rest in source.split("self").skip(1) {
        let Some(rest) = rest.strip_prefix('.') else {
            return BTreeSet::new();
        };
        let end = rest
            .find(|next: char| !next.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        // A function of the value itself, such as `self.all(...)`.
        if rest[end..].starts_with('(') {
            return BTreeSet::new();
        }
        fields.insert(rest[..end].to_owned());
    }
    fields
}

/// The rules of a value that do not hold.
pub(super) fn broken<'a>(node: &'a Node, value: &Value) -> Vec<(&'a Rule, String)> {
    if node.rules.is_empty() {
        return Vec::new();
    }
    let spoken_of = |name: &str| {
        node.rules
            .iter()
            .any(|rule| rule.fields.is_empty() || rule.fields.contains(name))
    };
    let value = typed(node, value, &spoken_of);
    node.rules
        .iter()
        .filter_map(|rule| Some((rule, rule.check(&value)?)))
        .collect()
}

/// The value as rules see it, its own fields only where wanted: numbers of the schema's type, defaults filled in, what has no type left out.
fn typed(node: &Node, value: &Value, wanted: &dyn Fn(&str) -> bool) -> cel::Value {
    match (value, node.type_) {
        (Value::Null, _) => cel::Value::Null,
        (Value::Bool(value), _) => cel::Value::Bool(*value),
        (Value::Number(number), Type::Number) => {
            cel::Value::Float(number.as_f64().unwrap_or_default())
        }
        (Value::Number(number), _) => cel::Value::Int(number.as_i64().unwrap_or(i64::MAX)),
        (Value::String(text), _) => cel::Value::String(Arc::new(text.clone())),
        (Value::Array(list), _) => {
            let entries = node.items.as_deref();
            let typed = list
                .iter()
                .filter_map(|value| Some(typed(entries?, value, &|_| true)));
            cel::Value::List(Arc::new(typed.collect()))
        }
        (Value::Object(object), _) => {
            let given = object
                .iter()
                .filter_map(|(name, value)| Some((name, node.property(name)?, value)));
            let filled = node
                .properties
                .iter()
                .filter(|(name, _)| object.get(*name).is_none_or(Value::is_null));
            let filled =
                filled.filter_map(|(name, node)| Some((name, node, node.default.as_ref()?)));
            let known = given.chain(filled).filter(|(name, node, value)| {
                wanted(name) && node.type_ != Type::Any && !value.is_null()
            });
            let map: HashMap<Key, cel::Value> = known
                .map(|(name, node, value)| {
                    (
                        Key::String(Arc::new(name.clone())),
                        typed(node, value, &|_| true),
                    )
                })
                .collect();
            cel::Value::Map(Map { map: Arc::new(map) })
        }
    }
}
