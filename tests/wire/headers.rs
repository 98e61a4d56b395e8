//! Headers of requests to clusters below, and of the answers.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lattice::agent::{
    proto::{Caller, Extra, Header},
    proxy::headers::{Passed, answer, known_below, of_answer, on_behalf, request},
};

use super::Script;

/// Names that are more than others.
const NAMES: [&str; 24] = [
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "impersonate-extra-scopes",
    "impersonate-group",
    "impersonate-uid",
    "impersonate-user",
    "keep-alive",
    "proxy-authorization",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-remote-group",
    "x-remote-user",
    "x-stream-protocol-version",
];
const VALUES: [&str; 8] = [
    "upgrade",
    "keep-alive, Upgrade, Impersonate-User",
    "websocket",
    "SPDY/3.1",
    "h2c",
    "system:masters",
    "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0",
    "chunked",
];
/// Of a request, beside those by which it is said who asks.
const OF_REQUESTS: [&str; 9] = [
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
const OF_UPGRADES: [&str; 6] = [
    "connection",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "upgrade",
    "x-stream-protocol-version",
];
/// What no answer brings to a caller unless a connection becomes another.
const NEVER: [&str; 7] = [
    "set-cookie",
    "keep-alive",
    "transfer-encoding",
    "trailer",
    "te",
    "proxy-authenticate",
    "www-authenticate",
];

/// Whatever is sent, a request that goes out is made on behalf of its caller and of nobody else, and has no header but those that
/// are listed here once more.
pub fn sound(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let upgrade = script.below(2) == 1;
    let caller = caller(&mut script);
    let mut raw = Vec::new();
    while !script.is_over() {
        raw.push(header(&mut script));
    }
    let mut map = HeaderMap::new();
    for header in &raw {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&header.value)) {
            map.append(name, value);
        }
    }
    if let Ok(passed) = request(&map) {
        assert!(
            !map.keys()
                .any(|name| name.as_str().starts_with("impersonate-"))
        );
        goes_out(passed, &caller);
    }
    // The other end may be anybody.
    let headers = raw.clone();
    goes_out(Passed { headers, upgrade }, &caller);
    for status in [StatusCode::OK, StatusCode::SWITCHING_PROTOCOLS] {
        let listed = of_answer(status, answer(status, &map));
        let built = of_answer(status, raw.clone());
        for (name, value) in built.iter().chain(&listed) {
            assert!(!NEVER.contains(&name.as_str()), "{name}");
            let hop = OF_UPGRADES[..5].contains(&name.as_str());
            assert!(!hop || status == StatusCode::SWITCHING_PROTOCOLS, "{name}");
            assert!(name != "connection" || value == "upgrade");
        }
    }
}

fn goes_out(passed: Passed, caller: &Caller) {
    let upgrade = passed.upgrade;
    let Ok(built) = on_behalf(passed, caller) else {
        return;
    };
    let all = |name: &str| -> Vec<&[u8]> {
        let values = built.get_all(name).iter();
        values.map(HeaderValue::as_bytes).collect()
    };
    let known = known_below(caller.clone());
    assert_eq!(all("impersonate-user"), [known.user.as_bytes()]);
    assert!(!known.user.starts_with("system:") || known.user == "system:masters");
    let groups = known
        .groups
        .iter()
        .filter(|group| *group != "system:authenticated");
    let groups: Vec<&[u8]> = groups.map(String::as_bytes).collect();
    assert_eq!(all("impersonate-group"), groups);
    let uid = Some(caller.uid.as_bytes()).filter(|uid| !uid.is_empty());
    assert_eq!(all("impersonate-uid"), Vec::from_iter(uid));
    for (name, value) in &built {
        let name = name.as_str();
        let who = [
            "impersonate-user",
            "impersonate-group",
            "impersonate-uid",
            "impersonate-extra-scopes",
        ];
        let listed = OF_REQUESTS.contains(&name) || upgrade && OF_UPGRADES.contains(&name);
        assert!(who.contains(&name) || listed, "{name}");
        let secret = b"base64url.bearer.";
        let is_secret = value
            .as_bytes()
            .windows(secret.len())
            .any(|part| part == secret);
        assert!(name != "sec-websocket-protocol" || !is_secret);
    }
    let extra = caller
        .extra
        .iter()
        .map(|extra| extra.values.len())
        .sum::<usize>();
    assert_eq!(all("impersonate-extra-scopes").len(), extra);
    assert!(!upgrade || all("connection") == [b"upgrade"]);
}

fn caller(script: &mut Script) -> Caller {
    let name = |script: &mut Script| {
        let start =
            ["", "system:", "system:masters", "lattice:cell:"][usize::from(script.below(4))];
        format!("{start}{}", String::from_utf8_lossy(script.bytes()))
    };
    Caller {
        user: name(script),
        uid: String::from_utf8_lossy(script.bytes()).into_owned(),
        groups: (0..script.below(4)).map(|_| name(script)).collect(),
        extra: (0..script.below(2))
            .map(|_| Extra {
                key: "scopes".to_owned(),
                values: vec![name(script)],
            })
            .collect(),
    }
}

fn header(script: &mut Script) -> Header {
    let name = match script.below(3) {
        0 => String::from_utf8_lossy(script.bytes()).into_owned(),
        _ => NAMES[usize::from(script.below(24))].to_owned(),
    };
    let value = match script.below(2) {
        0 => script.bytes().to_vec(),
        _ => VALUES[usize::from(script.below(8))].as_bytes().to_vec(),
    };
    Header { name, value }
}
