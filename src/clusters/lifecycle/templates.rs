//! Templates that nothing is made from any more. The name of a template changes with what is in it, so that each change leaves
//! one behind.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::clusters::render::Rendered;

/// How the kinds of templates are called.
const SUFFIX: &str = "Template";
/// Cluster API's marks on what was made from a template: its name, and `KIND.GROUP`.
const CLONED_FROM: [&str; 2] = [
    "cluster.x-k8s.io/cloned-from-name",
    "cluster.x-k8s.io/cloned-from-groupkind",
];

/// A template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Template {
    fn new(kind: &str, name: &str) -> Option<Self> {
        kind.ends_with(SUFFIX).then(|| Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
        })
    }

    /// What is made from templates of such a kind.
    pub fn made(kind: &str) -> &str {
        kind.strip_suffix(SUFFIX).unwrap_or(kind)
    }
}

/// The templates that are wanted.
pub fn wanted(rendered: &Rendered) -> BTreeSet<Template> {
    let objects = rendered.objects.iter();
    objects
        .filter_map(|object| Template::new(object.kind(), object.name()))
        .collect()
}

/// The templates among these that are not wanted, and not used by what might use them: MachineDeployments, MachineSets and
/// the control plane, which make machines from them, and machines and their configurations, which were made from them.
pub fn unused(
    there: &BTreeSet<Template>,
    rendered: &Rendered,
    users: &[Value],
) -> BTreeSet<Template> {
    let mut kept = wanted(rendered);
    for user in users {
        referred(&user["spec"], &mut kept);
        kept.extend(cloned_from(user));
    }
    there.difference(&kept).cloned().collect()
}

/// Cluster API refers to a template by kind and name, wherever it does.
fn referred(value: &Value, found: &mut BTreeSet<Template>) {
    if let (Some(kind), Some(name)) = (value["kind"].as_str(), value["name"].as_str()) {
        found.extend(Template::new(kind, name));
    }
    match value {
        Value::Object(map) => map.values().for_each(|inner| referred(inner, found)),
        Value::Array(list) => list.iter().for_each(|inner| referred(inner, found)),
        _ => {}
    }
}

fn cloned_from(object: &Value) -> Option<Template> {
    let annotations = &object["metadata"]["annotations"];
    let [name, kind] = CLONED_FROM.map(|mark| annotations[mark].as_str());
    Template::new(kind?.split('.').next()?, name?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clusters::render::Manifest;

    fn templates(names: &[&str]) -> BTreeSet<Template> {
        let machine = names.iter().map(|name| ("LocalMachineTemplate", *name));
        machine
            .filter_map(|(kind, name)| Template::new(kind, name))
            .collect()
    }

    fn rendered(names: &[&str]) -> Rendered {
        let object = |name: &&str| Manifest {
            source: String::new(),
            object: json!({"kind": "LocalMachineTemplate", "metadata": {"name": name}}),
        };
        Rendered {
            cluster: "east".to_owned(),
            namespace: "capi-east".to_owned(),
            objects: names.iter().map(object).collect(),
            groups: Default::default(),
            bootstrap: Vec::new(),
            credentials: None,
            registers: false,
        }
    }

    fn reference(kind: &str, name: &str) -> Value {
        json!({"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": kind, "name": name})
    }

    #[test]
    fn what_is_wanted_or_used_is_kept() {
        let there = templates(&["wanted", "deployed", "set", "control", "made", "old"]);
        let deployment = |name| json!({"spec": {"template": {"spec": {"infrastructureRef": reference("LocalMachineTemplate", name)}}}});
        let control = json!({"spec": {"machineTemplate": {"spec": {
            "infrastructureRef": reference("LocalMachineTemplate", "control"),
        }}}});
        let machine = json!({"metadata": {"annotations": {
            "cluster.x-k8s.io/cloned-from-name": "made",
            "cluster.x-k8s.io/cloned-from-groupkind": "LocalMachineTemplate.infrastructure.cluster.x-k8s.io",
        }}});
        let users = [deployment("deployed"), deployment("set"), control, machine];
        let rendered = rendered(&["wanted"]);
        assert_eq!(unused(&there, &rendered, &users), templates(&["old"]));
        let without = templates(&["deployed", "set", "control", "made", "old"]);
        assert_eq!(unused(&there, &rendered, &[]), without);
    }

    #[test]
    fn a_name_is_of_one_kind() {
        let there = templates(&["a"]);
        let other = json!({"spec": {"template": {"spec": {
            "bootstrap": {"configRef": reference("KubeadmConfigTemplate", "a")},
        }}}});
        assert_eq!(unused(&there, &rendered(&[]), &[other]), there);
    }

    #[test]
    fn only_templates_are_templates() {
        assert_eq!(wanted(&rendered(&["a", "b"])), templates(&["a", "b"]));
        assert_eq!(Template::new("LocalMachine", "a"), None);
        assert_eq!(Template::made("LocalMachineTemplate"), "LocalMachine");
    }
}
