//! Headers that go through, and on whose behalf a request is made. Nothing is passed on but what is listed here.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONNECTION};

use super::upgrade;
use crate::agent::proto::{Caller, Header};

/// Headers of requests that go through.
const REQUEST: [&str; 9] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "content-encoding",
    "content-type",
    "if-match",
    "if-none-match",
    "range",
    "user-agent",
];
/// Headers that go through as well where a connection is to become another.
const UPGRADE_REQUEST: [&str; 5] = [
    "sec-websocket-key",
    upgrade::SUBPROTOCOLS,
    "sec-websocket-version",
    upgrade::UPGRADE,
    "x-stream-protocol-version",
];
/// Headers of answers that come through.
const ANSWER: [&str; 15] = [
    "allow",
    "audit-id",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "vary",
    "warning",
    "x-accepted-stream-protocol-versions",
];
/// Headers of the answer with which a connection becomes another.
const SWITCH: [&str; 5] = [
    "date",
    "sec-websocket-accept",
    upgrade::SUBPROTOCOLS,
    upgrade::UPGRADE,
    "x-stream-protocol-version",
];
/// By which an API server is asked to act as somebody else.
const IMPERSONATE: &str = "impersonate-";
/// Longest headers, bytes, names included.
const LONGEST: usize = 48 << 10;
/// Names of the cell's own accounts and groups begin with this; below it they mean something else.
const SYSTEM: &str = "system:";
/// Whoever may do anything in a cell may do anything below it.
pub(crate) const MASTERS: &str = "system:masters";
/// Every caller that is somebody is of it, everywhere.
const AUTHENTICATED: &str = "system:authenticated";
/// What stands before other names of the system's below.
const OF_CELL: &str = "lattice:cell:";

/// Why the headers of a request are not passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The caller asks to be taken for somebody else.
    #[error(
        "the header `{0}` is refused: requests to clusters below are made as whoever makes them"
    )]
    Impersonation(String),
    /// They are too long.
    #[error("the headers are longer than {LONGEST} bytes")]
    Long,
    /// The connection is to become what none does here.
    #[error("a connection becomes `websocket` or `SPDY/3.1`, and nothing else")]
    Upgrade,
    /// The caller's name cannot be a header.
    #[error("the caller's {0} has characters that no header may have")]
    Caller(&'static str),
}

/// What goes through of a request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Those headers.
    pub headers: Vec<Header>,
    /// Whether the connection is to become another.
    pub upgrade: bool,
}

/// The headers of a request that go through.
///
/// # Errors
/// If they are too long, or ask for more than may be asked.
pub fn request(headers: &HeaderMap) -> Result<Passed, HeaderError> {
    let length: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if length > LONGEST {
        return Err(HeaderError::Long);
    }
    let asks = headers
        .keys()
        .find(|name| name.as_str().starts_with(IMPERSONATE));
    if let Some(name) = asks {
        return Err(HeaderError::Impersonation(name.to_string()));
    }
    let upgrade = upgrade::is_asked(headers);
    if upgrade && upgrade::protocol(headers).is_none() {
        return Err(HeaderError::Upgrade);
    }
    let headers = listed(headers, |name| is_of_request(name, upgrade));
    Ok(Passed { headers, upgrade })
}

/// The headers of an answer that come through.
pub fn answer(status: StatusCode, headers: &HeaderMap) -> Vec<Header> {
    listed(headers, |name| is_of_answer(name, status))
}

fn is_of_request(name: &str, upgrade: bool) -> bool {
    REQUEST.contains(&name) || upgrade && UPGRADE_REQUEST.contains(&name)
}

fn is_of_answer(name: &str, status: StatusCode) -> bool {
    match status {
        StatusCode::SWITCHING_PROTOCOLS => SWITCH.contains(&name),
        _ => ANSWER.contains(&name),
    }
}

fn listed(headers: &HeaderMap, is_listed: impl Fn(&str) -> bool) -> Vec<Header> {
    let passed = headers.iter().filter(|(name, _)| is_listed(name.as_str()));
    passed
        .filter_map(|(name, value)| {
            Some(Header {
                name: name.to_string(),
                value: upgrade::clean(name, value)?.as_bytes().to_vec(),
            })
        })
        .collect()
}

/// Headers as they are sent at the other end, where the list is gone through once more: whoever is there does not rely
/// on whoever was here.
fn rebuilt(headers: Vec<Header>, is_listed: impl Fn(&str) -> bool) -> HeaderMap {
    let mut map = HeaderMap::new();
    for header in headers {
        let (name, value) = (
            HeaderName::try_from(header.name),
            HeaderValue::from_bytes(&header.value),
        );
        if let (Ok(name), Ok(value)) = (name, value)
            && is_listed(name.as_str())
            && let Some(value) = upgrade::clean(&name, &value)
        {
            map.append(name, value);
        }
    }
    map
}

/// A caller of the cell above as the clusters below it know them.
pub fn known_below(caller: Caller) -> Caller {
    let groups = caller.groups.iter();
    Caller {
        user: below(&caller.user),
        groups: groups.map(|group| below(group)).collect(),
        ..caller
    }
}

/// The headers of a request to the cluster's own API server, on the caller's behalf.
///
/// # Errors
/// If the caller cannot be named in headers, or the connection is to become what none does.
pub fn on_behalf(passed: Passed, caller: &Caller) -> Result<HeaderMap, HeaderError> {
    let upgrade = passed.upgrade;
    let mut map = rebuilt(passed.headers, |name| is_of_request(name, upgrade));
    if upgrade {
        upgrade::protocol(&map).ok_or(HeaderError::Upgrade)?;
        map.insert(CONNECTION, HeaderValue::from_static(upgrade::UPGRADE));
    }
    let value = |what, text: &str| {
        let ok = !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let value = HeaderValue::from_str(text).ok().filter(|_| ok);
        value.ok_or(HeaderError::Caller(what))
    };
    map.insert("impersonate-user", value("name", &below(&caller.user))?);
    for group in &caller.groups {
        // Every caller that is somebody is given this one there as well.
        if group != AUTHENTICATED {
            map.append("impersonate-group", value("group", &below(group))?);
        }
    }
    if !caller.uid.is_empty() {
        map.insert("impersonate-uid", value("UID", &caller.uid)?);
    }
    for extra in &caller.extra {
        let name = format!("impersonate-extra-{}", encoded(&extra.key));
        let name = HeaderName::try_from(name).map_err(|_| HeaderError::Caller("extra key"))?;
        for text in &extra.values {
            map.append(name.clone(), value("extra value", text)?);
        }
    }
    Ok(map)
}

/// The headers of an answer, as they are given to the caller.
pub fn of_answer(status: StatusCode, headers: Vec<Header>) -> HeaderMap {
    let mut map = rebuilt(headers, |name| is_of_answer(name, status));
    if status == StatusCode::SWITCHING_PROTOCOLS {
        map.insert(CONNECTION, HeaderValue::from_static(upgrade::UPGRADE));
    }
    map
}

/// What a name of the cell's is called below it.
fn below(name: &str) -> String {
    match name.starts_with(SYSTEM) && ![MASTERS, AUTHENTICATED].contains(&name) {
        true => format!("{OF_CELL}{name}"),
        false => name.to_owned(),
    }
}

/// As the API server decodes keys of extra fields.
fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let bytes = key.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::proto::Extra;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        map
    }

    fn plain(headers: Vec<Header>) -> Passed {
        Passed {
            headers,
            upgrade: false,
        }
    }

    fn caller() -> Caller {
        Caller {
            user: "ann".into(),
            uid: "u-1".into(),
            groups: vec!["dev".into(), "system:authenticated".into()],
            extra: vec![Extra {
                key: "example.com/scopes".into(),
                values: vec!["a".into(), "b".into()],
            }],
        }
    }

    #[test]
    fn nobody_asks_to_be_somebody_else() {
        for name in [
            "Impersonate-User",
            "impersonate-group",
            "Impersonate-Uid",
            "Impersonate-Extra-scopes",
        ] {
            let refused = request(&map(&[(name, "root"), ("accept", "*/*")]));
            assert!(
                matches!(refused, Err(HeaderError::Impersonation(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn connection_takes_away_none_of_ours_and_credentials_go_nowhere() {
        let sent = map(&[
            ("connection", "Impersonate-User, keep-alive"),
            ("authorization", "Bearer secret"),
            ("cookie", "session=1"),
            ("x-remote-user", "root"),
            ("x-forwarded-for", "1.2.3.4"),
            ("accept", "application/json"),
        ]);
        let through = request(&sent).unwrap();
        let names: Vec<&str> = through
            .headers
            .iter()
            .map(|header| header.name.as_str())
            .collect();
        assert_eq!(names, ["accept"]);
        let built = on_behalf(through, &caller()).unwrap();
        assert_eq!(built["impersonate-user"], "ann");
        assert!(!built.contains_key("connection"));
    }

    #[test]
    fn the_caller_is_named_whole_and_the_cells_own_accounts_are_others_below() {
        let built = on_behalf(plain(Vec::new()), &caller()).unwrap();
        let all = |name: &str| {
            built
                .get_all(name)
                .iter()
                .map(|v| v.to_str().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(all("impersonate-group"), ["dev"]);
        assert_eq!(all("impersonate-uid"), ["u-1"]);
        assert_eq!(all("impersonate-extra-example.com%2fscopes"), ["a", "b"]);
        let account = Caller {
            user: "system:serviceaccount:lattice-system:lattice".into(),
            groups: vec!["system:masters".into(), "system:nodes".into()],
            ..Caller::default()
        };
        let built = on_behalf(plain(Vec::new()), &account).unwrap();
        assert_eq!(
            built["impersonate-user"],
            "lattice:cell:system:serviceaccount:lattice-system:lattice"
        );
        let groups: Vec<_> = built.get_all("impersonate-group").iter().collect();
        assert_eq!(groups, ["system:masters", "lattice:cell:system:nodes"]);
    }

    #[test]
    fn a_caller_without_a_name_or_with_an_odd_one_is_refused() {
        for user in ["", "a\r\nImpersonate-Group: system:masters", "\u{e9}"] {
            let odd = Caller {
                user: user.into(),
                ..caller()
            };
            assert_eq!(
                on_behalf(plain(Vec::new()), &odd),
                Err(HeaderError::Caller("name"))
            );
        }
    }

    #[test]
    fn what_comes_from_the_other_end_is_listed_again() {
        let header = |name: &str| Header {
            name: name.into(),
            value: b"x".to_vec(),
        };
        let sent = vec![
            header("impersonate-group"),
            header("Accept"),
            header("bad name"),
        ];
        let built = on_behalf(plain(sent), &caller()).unwrap();
        assert!(
            !built
                .get_all("impersonate-group")
                .iter()
                .any(|value| value == "x")
        );
        assert!(
            of_answer(
                StatusCode::OK,
                vec![
                    header("set-cookie"),
                    header("connection"),
                    header("upgrade")
                ]
            )
            .is_empty()
        );
    }

    #[test]
    fn a_connection_becomes_another_with_what_that_takes_and_no_more() {
        let sent = map(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "a"),
            ("sec-websocket-version", "13"),
            (
                "sec-websocket-protocol",
                "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0",
            ),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("origin", "https://elsewhere.example.com"),
        ]);
        let passed = request(&sent).unwrap();
        assert!(passed.upgrade);
        let built = on_behalf(passed.clone(), &caller()).unwrap();
        assert_eq!(built["connection"], "upgrade");
        assert_eq!(built["upgrade"], "websocket");
        assert_eq!(built["sec-websocket-protocol"], "v5.channel.k8s.io");
        assert!(!built.contains_key("sec-websocket-extensions") && !built.contains_key("origin"));
        // The same headers of a request that is not said to be one.
        let built = on_behalf(plain(passed.headers), &caller()).unwrap();
        assert!(!built.contains_key("connection") && !built.contains_key("upgrade"));
        let other = map(&[("connection", "upgrade"), ("upgrade", "h2c")]);
        assert_eq!(request(&other), Err(HeaderError::Upgrade));
        let without = Passed {
            headers: Vec::new(),
            upgrade: true,
        };
        assert_eq!(on_behalf(without, &caller()), Err(HeaderError::Upgrade));
    }

    #[test]
    fn whoever_is_renamed_below_is_the_same_further_below() {
        let account = Caller {
            user: "system:serviceaccount:default:ann".into(),
            groups: vec!["system:authenticated".into(), "system:masters".into()],
            ..Caller::default()
        };
        let once = known_below(account);
        assert_eq!(once.user, "lattice:cell:system:serviceaccount:default:ann");
        assert_eq!(once.groups, ["system:authenticated", "system:masters"]);
        assert_eq!(known_below(once.clone()), once);
    }
}
