#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

#[test]
fn nothing_in_nothing_out() {
    assert_eq!(build(&Inputs::default()), Built::default());
}
