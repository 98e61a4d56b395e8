//! How the first machine of a new cluster makes itself known to the cluster's parent: once.
//!
//! For each cluster that it provisions the parent makes a [`Token`], hands it to the machines and keeps only a
//! [`Grant`]: the token's digest and when it ends. The machine makes a key of its own, and sends the token with a
//! request to have the key certified. The first key that comes with the token is the only one that it ever admits;
//! the same key may ask again, for an answer can be lost, and gets the same answer.

mod admission;
mod authorities;
mod authority;
mod grant;
mod identity;
mod request;
mod token;
mod welcome;

pub use admission::{Admission, Refusal, admit};
pub use authorities::{Authorities, Earlier, MOST_EARLIER};
pub use authority::{Authority, AuthorityError, Facts};
pub use grant::{Grant, Refused, Use};
pub use identity::{Distrust, IdentityError, Known, Leaf, SpiffeId, Standing, renewal, standing};
pub use request::{LONGEST_REQUEST, RequestError, SigningRequest};
pub use token::Token;
pub use welcome::{CERTIFICATE, KEY, PARENT, Parent, Registry, WORKLOAD, Welcome};

#[cfg(test)]
mod tests;
