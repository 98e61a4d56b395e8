//! Which program a container runs, and with what words.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod};

/// The last part of an image's name: what it is, wherever it was fetched from and whichever version it is.
pub(super) fn image_name(image: &str) -> &str {
    let untagged = image.split('@').next().unwrap_or(image);
    let last = untagged.rsplit('/').next().unwrap_or(untagged);
    last.split(':').next().unwrap_or(last)
}

/// Whether all of the pod's containers are known programs.
pub(super) fn is_known(pod: &Pod, images: &BTreeMap<String, String>) -> bool {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice());
    containers.is_some_and(|containers| {
        !containers.is_empty()
            && containers
                .iter()
                .all(|container| program(container, images).is_some())
    })
}

/// The program of a container.
pub(super) fn program<'a>(
    container: &Container,
    images: &'a BTreeMap<String, String>,
) -> Option<&'a str> {
    let image = container.image.as_deref()?;
    images.get(image_name(image)).map(String::as_str)
}

/// The words after the program's name. The first word of a command is the program inside its image.
pub(super) fn arguments(container: &Container, environment: &[(String, String)]) -> Vec<String> {
    let command = container.command.iter().flatten().skip(1);
    let arguments = container.args.iter().flatten();
    command
        .chain(arguments)
        .map(|word| expand(word, environment))
        .collect()
}

/// `$(NAME)` is the variable's value, `$$` is a dollar, and what nobody set stays as it is.
pub(super) fn expand(text: &str, environment: &[(String, String)]) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if let Some(after) = tail.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let name = tail
            .strip_prefix('(')
            .and_then(|inside| inside.split_once(')'));
        match name.and_then(|(name, after)| Some((value(name, environment)?, after))) {
            Some((value, after)) => {
                expanded.push_str(value);
                rest = after;
            }
            None => {
                expanded.push('$');
                rest = tail;
            }
        }
    }
    expanded.push_str(rest);
    expanded
}

fn value<'a>(name: &str, environment: &'a [(String, String)]) -> Option<&'a str> {
    let found = environment.iter().rev().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::spec;
    use super::*;

    #[test]
    fn registry_tag_and_digest_say_nothing_of_what_it_is() {
        for image in [
            "etcd",
            "etcd:3.6.8-0",
            "registry.k8s.io/etcd:3.6.8-0",
            "localhost:5000/a/etcd@sha256:00",
            "localhost:5000/etcd",
        ] {
            assert_eq!(image_name(image), "etcd", "{image}");
        }
    }

    #[test]
    fn the_words_are_those_of_command_and_arguments_expanded() {
        let container = Container {
            image: Some("x/controller:v1".to_owned()),
            command: Some(vec!["/manager".to_owned(), "--a".to_owned()]),
            args: Some(vec!["--b=$(B)$$(B)".to_owned(), "--c=$(C)".to_owned()]),
            ..Container::default()
        };
        assert_eq!(program(&container, &spec().images), Some("manager"));
        let environment = [("B".to_owned(), "1".to_owned())];
        assert_eq!(
            arguments(&container, &environment),
            ["--a", "--b=1$(B)", "--c=$(C)"]
        );
    }

    #[test]
    fn a_pod_is_known_if_all_its_images_are() {
        let pod = |images: &[&str]| -> Pod {
            let containers: Vec<_> = images
                .iter()
                .map(|image| serde_json::json!({"name": "c", "image": image}))
                .collect();
            serde_json::from_value(serde_json::json!({"spec": {"containers": containers}})).unwrap()
        };
        let images = spec().images;
        assert!(is_known(&pod(&["etcd:1", "controller"]), &images));
        assert!(!is_known(&pod(&["etcd:1", "nginx"]), &images));
        assert!(!is_known(&Pod::default(), &images));
    }
}
