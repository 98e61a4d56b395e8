//! Paths of requests that are for clusters below.

use percent_encoding::percent_decode;

/// Clusters that one request may pass.
pub const DEEPEST: usize = 16;
/// Longest path with its query, bytes.
pub const LONGEST: usize = 16 << 10;
/// Times that a path is decoded to see what it may be read as. Whoever encodes twice over is far from it.
const DECODINGS: usize = 8;

/// A request's way and what it asks for at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Clusters to pass, the next first, the last the one that answers. Never empty.
    pub clusters: Vec<String>,
    /// Path and query there.
    pub path: String,
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It is not below `/clusters/`.
    #[error("the path must be /clusters/NAME/..., as in /clusters/us-east/api/v1/namespaces")]
    Elsewhere,
    /// What stands for a cluster's name is none.
    #[error(
        "a cluster's name has lower-case letters, digits, `-` and `.`, and at most 253 of them"
    )]
    Name,
    /// It is too deep.
    #[error("a request passes at most {DEEPEST} clusters")]
    Deep,
    /// It is too long.
    #[error("the path is longer than {LONGEST} bytes")]
    Long,
    /// Its end is not what an API server has, or is encoded too many times over to say.
    #[error("the path must have no `.` or `..` between slashes, however they are written")]
    Dots,
    /// It has bytes that a path has not.
    #[error("the path has characters that must be percent-encoded")]
    Characters,
}

/// Reads a path with its query, as it was sent. What is after the clusters' names is passed on byte for byte.
///
/// # Errors
/// If it leads nowhere.
pub fn parse(path_and_query: &str) -> Result<Route, PathError> {
    if path_and_query.len() > LONGEST {
        return Err(PathError::Long);
    }
    if !path_and_query.bytes().all(|byte| byte.is_ascii_graphic())
        || path_and_query.contains(['\\', '#'])
    {
        return Err(PathError::Characters);
    }
    let mut clusters = Vec::new();
    let mut rest = path_and_query;
    while let Some(after) = rest.strip_prefix("/clusters/") {
        let end = after.find(['/', '?']).unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        if !is_name(name) {
            return Err(PathError::Name);
        }
        if clusters.len() >= DEEPEST {
            return Err(PathError::Deep);
        }
        clusters.push(name.to_owned());
        rest = tail;
    }
    if clusters.is_empty() {
        return Err(PathError::Elsewhere);
    }
    let path = match rest.starts_with('/') {
        true => rest.to_owned(),
        false => format!("/{rest}"),
    };
    let before_query = path.split('?').next().unwrap_or_default();
    if before_query.split('/').any(is_dots) {
        return Err(PathError::Dots);
    }
    Ok(Route { clusters, path })
}

fn is_name(text: &str) -> bool {
    let ok = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let starts = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    starts && text.len() <= 253 && text.bytes().all(ok)
}

/// Also encoded over and over, and with slashes inside, which somebody further on could read as such.
fn is_dots(segment: &str) -> bool {
    let mut plain = segment.as_bytes().to_vec();
    for _ in 0..DECODINGS {
        let mut parts = plain.split(|byte| b"/\\".contains(byte));
        if parts.any(|part| part == b"." || part == b"..") {
            return true;
        }
        let decoded: Vec<u8> = percent_decode(&plain).collect();
        if decoded == plain {
            return false;
        }
        plain = decoded;
    }
    // What it says in the end nobody has read.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(clusters: &[&str], path: &str) -> Result<Route, PathError> {
        Ok(Route {
            clusters: clusters.iter().map(|name| (*name).to_owned()).collect(),
            path: path.to_owned(),
        })
    }

    #[test]
    fn a_path_names_clusters_and_then_what_is_asked() {
        assert_eq!(
            parse("/clusters/east/api/v1/pods?watch=1"),
            route(&["east"], "/api/v1/pods?watch=1")
        );
        assert_eq!(parse("/clusters/east"), route(&["east"], "/"));
        assert_eq!(parse("/clusters/east?x"), route(&["east"], "/?x"));
        assert_eq!(
            parse("/clusters/a/clusters/b.c/version"),
            route(&["a", "b.c"], "/version")
        );
        // A service's own path may be anything but dots.
        let odd = "/api/v1/namespaces/n/services/s:80/proxy/a//b%20c";
        assert_eq!(parse(&format!("/clusters/a{odd}")), route(&["a"], odd));
        // An encoded word is no word of ours.
        assert_eq!(
            parse("/clusters/a/%63lusters/b"),
            route(&["a"], "/%63lusters/b")
        );
    }

    #[test]
    fn what_leads_nowhere_says_why() {
        for path in [
            "/",
            "",
            "/api",
            "/clusters",
            "clusters/a/x",
            "/Clusters/a/x",
            "//clusters/a",
        ] {
            assert_eq!(parse(path), Err(PathError::Elsewhere), "{path}");
        }
        for path in [
            "/clusters/",
            "/clusters//x",
            "/clusters/A/x",
            "/clusters/../x",
            "/clusters/a%2fb/x",
            "/clusters/a/clusters/%2e%2e/x",
        ] {
            assert_eq!(parse(path), Err(PathError::Name), "{path}");
        }
        for path in [
            "/clusters/a/../b",
            "/clusters/a/x/.",
            "/clusters/a/%2E%2e/b",
            "/clusters/a/%252e%252e/b",
            "/clusters/a/x%2f..%2fy",
            // Encoded three times over, a digit of the encoding encoded, and without an end.
            "/clusters/a/..%25255cx",
            "/clusters/a/%2%65%2%65/x",
            "/clusters/a/%252525252525252525",
        ] {
            assert_eq!(parse(path), Err(PathError::Dots), "{path}");
        }
        assert_eq!(parse("/clusters/a/x y"), Err(PathError::Characters));
        assert_eq!(parse(&"/clusters/a".repeat(17)), Err(PathError::Deep));
        assert_eq!(
            parse(&format!("/clusters/a/{}", "x".repeat(LONGEST))),
            Err(PathError::Long)
        );
    }
}
