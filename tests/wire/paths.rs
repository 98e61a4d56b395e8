//! Paths of requests to clusters below.

use lattice::agent::proxy::path::{DEEPEST, parse};

/// A path is refused, or split into names and a rest that is passed on as it was sent, in which nobody reads a way up or a further
/// cluster.
pub fn sound(text: &str) {
    let Ok(route) = parse(text) else { return };
    assert!((1..=DEEPEST).contains(&route.clusters.len()), "{text}");
    for name in &route.clusters {
        let ok =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        assert!(!name.is_empty() && name.bytes().all(ok), "{text}: {name}");
        assert!(!name.starts_with('.'), "{text}: {name}");
    }
    let names = route.clusters.iter();
    let before: String = names.map(|name| format!("/clusters/{name}")).collect();
    let rest = text.strip_prefix(&before).expect("the names come first");
    assert!(
        route.path == rest || route.path == format!("/{rest}"),
        "{text}"
    );
    assert!(
        route.path.starts_with('/') && !route.path.starts_with("/clusters/"),
        "{text}"
    );
    assert!(
        route.path.bytes().all(|byte| byte.is_ascii_graphic()),
        "{text}"
    );
    let mut path = route.path.split('?').next().unwrap_or_default().to_owned();
    // However often somebody further on decodes it.
    for _ in 0..4 {
        assert!(
            !path
                .split(['/', '\\'])
                .any(|part| part == "." || part == ".."),
            "{text}"
        );
        path = decoded(&path);
    }
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code =
            code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
