//! Connections that become something else than HTTP with their first answer: exec, attach, port-forward.
//!
//! What they become is decided by the API server's 101 and by nothing else. Before it no byte of the caller's is passed on, and
//! after any other answer none ever is: the caller's connection is one for requests as before, each to be let through by
//! itself.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONNECTION};

use crate::agent::proto::RequestHead;

/// The header that says what a connection is to become.
pub(super) const UPGRADE: &str = "upgrade";
/// The header that says which protocols are spoken within a WebSocket.
pub(super) const SUBPROTOCOLS: &str = "sec-websocket-protocol";
/// What connections become: WebSockets, and what kubectl spoke before them.
const PROTOCOLS: [&str; 2] = ["websocket", "spdy/3.1"];
/// A token in the guise of a protocol, by which browsers say to API servers who they are, has this in it.
const BEARER: &str = "base64url.bearer.";

/// Whether a request asks that its connection become another.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    let words = headers.get_all(CONNECTION).iter();
    let words = words.filter_map(|value| value.to_str().ok());
    headers.contains_key(UPGRADE)
        && words
            .flat_map(|value| value.split(','))
            .any(|word| word.trim().eq_ignore_ascii_case(UPGRADE))
}

/// What the connection is to become, or has become; none if that is nothing that connections become here.
pub(super) fn protocol(headers: &HeaderMap) -> Option<&'static str> {
    let mut values = headers.get_all(UPGRADE).iter();
    match (values.next()?.to_str(), values.next()) {
        (Ok(value), None) => known(value),
        _ => None,
    }
}

/// What the connection of this request is to become, if it asks for that.
pub(super) fn asked(head: &RequestHead) -> Option<&'static str> {
    let mut headers = head.headers.iter().filter(|_| head.upgrade);
    let asked = headers.find(|header| header.name.eq_ignore_ascii_case(UPGRADE))?;
    known(std::str::from_utf8(&asked.value).ok()?)
}

fn known(value: &str) -> Option<&'static str> {
    let mut all = PROTOCOLS.iter().copied();
    all.find(|known| value.trim().eq_ignore_ascii_case(known))
}

/// Whether this is an answer that a request may have: one that switches to what was asked for, or one that does not switch.
pub(super) fn is_answer(status: StatusCode, headers: &HeaderMap, asked: Option<&str>) -> bool {
    match status {
        StatusCode::SWITCHING_PROTOCOLS => asked.is_some() && protocol(headers) == asked,
        _ => !status.is_informational(),
    }
}

/// A header's value without what is nobody else's to know; none if nothing is left of it.
pub(super) fn clean(name: &HeaderName, value: &HeaderValue) -> Option<HeaderValue> {
    if name != SUBPROTOCOLS {
        return Some(value.clone());
    }
    let words = value.to_str().ok()?.split(',').map(str::trim);
    let kept: Vec<&str> = words
        .filter(|word| !word.is_empty() && !word.to_ascii_lowercase().contains(BEARER))
        .collect();
    let kept = Some(kept.join(", ")).filter(|kept| !kept.is_empty())?;
    HeaderValue::try_from(kept).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::try_from(*name).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn both_headers_ask_and_one_of_them_does_not() {
        let both = [("connection", "keep-alive, Upgrade"), ("upgrade", "x")];
        assert!(is_asked(&map(&both)));
        assert!(!is_asked(&map(&both[..1])));
        assert!(!is_asked(&map(&both[1..])));
        assert!(!is_asked(&map(&[("connection", "upgraded"), both[1]])));
    }

    #[test]
    fn connections_become_what_is_known_and_only_one_thing() {
        assert_eq!(
            protocol(&map(&[("upgrade", "WebSocket")])),
            Some("websocket")
        );
        assert_eq!(protocol(&map(&[("upgrade", "SPDY/3.1")])), Some("spdy/3.1"));
        for other in ["h2c", "websocket, h2c", "", "TLS/1.0"] {
            assert_eq!(protocol(&map(&[("upgrade", other)])), None, "{other}");
        }
        let twice = map(&[("upgrade", "websocket"), ("upgrade", "h2c")]);
        assert_eq!(protocol(&twice), None);
    }

    #[test]
    fn only_what_was_asked_for_is_switched_to() {
        let switch = StatusCode::SWITCHING_PROTOCOLS;
        let spdy = map(&[("upgrade", "SPDY/3.1")]);
        assert!(is_answer(switch, &spdy, Some("spdy/3.1")));
        assert!(!is_answer(switch, &spdy, Some("websocket")));
        assert!(!is_answer(switch, &HeaderMap::new(), Some("websocket")));
        assert!(!is_answer(switch, &spdy, None));
        assert!(!is_answer(StatusCode::CONTINUE, &spdy, Some("spdy/3.1")));
        assert!(is_answer(StatusCode::FORBIDDEN, &spdy, Some("spdy/3.1")));
    }

    #[test]
    fn a_token_among_the_protocols_goes_nowhere() {
        let name = HeaderName::from_static(SUBPROTOCOLS);
        let cleaned = |value: &'static str| clean(&name, &HeaderValue::from_static(value));
        let with = "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0, x";
        assert_eq!(cleaned(with).unwrap(), "v5.channel.k8s.io, x");
        // However it is written, and whatever stands before it.
        for alone in [
            "base64url.bearer.authorization.k8s.io.c2VjcmV0",
            "Base64URL.Bearer.Authorization.k8s.io.c2VjcmV0",
            "x.base64url.bearer.authorization.k8s.io.c2VjcmV0",
        ] {
            assert_eq!(cleaned(alone), None, "{alone}");
        }
    }
}
