//! What a machine shows to be admitted.

use std::fmt;
use std::fmt::Write as _;

use aws_lc_rs::digest;

/// Bytes of a token: more than anyone can guess.
const LENGTH: usize = 32;

/// A secret that admits one key. It is shown only where it is handed out.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token of these bytes, which must come from a source of randomness fit for keys.
    pub fn new(random: [u8; LENGTH]) -> Self {
        Token(hexadecimal(&random))
    }

    /// What somebody showed, whatever it is.
    pub fn shown(text: &str) -> Self {
        Token(text.to_owned())
    }

    /// The token itself, to be handed out.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// SHA-256 in hexadecimal. As the token is random, and long, that needs no salt.
    pub fn digest(&self) -> String {
        sha256(self.0.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
