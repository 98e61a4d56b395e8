//! What comes over the wire, whatever it is. `fuzz/` looks for more of the same.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_path_is_sent_is_passed_on_as_it_is_or_refused(
        text in "(/clusters)?(/[a-z.%25eE2fF/?\\\\]{0,12}){0,6}|(/clusters/[a-z0-9.-]{1,4}){0,18}/[ -~]{0,20}|\\PC{0,40}",
    ) {
        wire::paths::sound(&text);
    }

    #[test]
    fn whatever_headers_are_sent_only_the_caller_is_impersonated(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        wire::headers::sound(&bytes);
    }

    #[test]
    fn whatever_frames_are_sent_the_sides_of_a_session_keep_what_they_promise(
        bytes in prop::collection::vec(prop_oneof![3 => 0u8..8, 1 => any::<u8>()], 0..400),
    ) {
        wire::frames::sound(&bytes);
    }
}
