//! The authorities of one cell over time.
//!
//! A cell that takes a new authority certifies its key by the one before, and shows that certificate, the bridge, with its own. So
//! whoever knows an earlier authority alone, as an agent that was away, still knows the cell; and whoever has a certificate of an
//! earlier one is still known, until it is forgotten.

use chrono::{DateTime, Utc};

use super::authority::{Authority, AuthorityError};

/// Earlier authorities that are kept; a further rotation forgets the oldest.
pub const MOST_EARLIER: usize = 4;

/// An authority that certifies no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Its certificate, PEM.
    pub certificate: String,
    /// The certificate of its successor's key that it gave, PEM.
    pub bridge: String,
}

/// The authority of a cell, and those before.
pub struct Authorities {
    current: Authority,
    earlier: Vec<Earlier>,
    since: Option<DateTime<Utc>>,
}

impl Authorities {
    /// An authority with those before it, the latest first.
    pub fn new(current: Authority, earlier: Vec<Earlier>) -> Self {
        Self {
            current,
            earlier,
            since: None,
        }
    }

    /// Those that were kept; of the earlier ones certificates and bridges, PEM, each one after the other.
    ///
    /// # Errors
    /// If certificate or key cannot be read, or there are not as many bridges as earlier authorities.
    pub fn from_pem(
        (certificate, key): (&str, &str),
        (earlier, bridges): (&str, &str),
    ) -> Result<Self, AuthorityError> {
        let (earlier, bridges) = (split(earlier), split(bridges));
        if earlier.len() != bridges.len() {
            return Err(AuthorityError::Bridges {
                earlier: earlier.len(),
                bridges: bridges.len(),
            });
        }
        let pairs = earlier.into_iter().zip(bridges);
        let earlier = pairs.map(|(certificate, bridge)| Earlier {
            certificate,
            bridge,
        });
        Ok(Self::new(
            Authority::from_pem(certificate, key)?,
            earlier.collect(),
        ))
    }

    /// The one that certifies.
    pub fn current(&self) -> &Authority {
        &self.current
    }

    /// Those before, the latest first.
    pub fn earlier(&self) -> &[Earlier] {
        &self.earlier
    }

    /// Certificates of all, PEM, one after the other: of one of these are the certificates of agents, and the cell's own.
    pub fn trusted(&self) -> String {
        let earlier = self.earlier.iter().map(|one| one.certificate.as_str());
        [self.current.certificate()]
            .into_iter()
            .chain(earlier)
            .collect()
    }

    /// A key and certificate for the cell's own server, with the bridges to earlier authorities: chain and key, PEM.
    ///
    /// # Errors
    /// If a name is none, or nothing can be signed.
    pub fn certify_server(
        &self,
        hosts: &[String],
        now: DateTime<Utc>,
    ) -> Result<(String, String), AuthorityError> {
        let (mut chain, key) = self.current.certify_server(hosts, now)?;
        chain.extend(self.earlier.iter().map(|one| one.bridge.as_str()));
        Ok((chain, key))
    }

    /// The same, to which certificates from before this time do not count, whoever gave them.
    pub fn with_since(self, since: Option<DateTime<Utc>>) -> Self {
        Self { since, ..self }
    }

    /// See [`with_since`](Self::with_since).
    pub fn since(&self) -> Option<DateTime<Utc>> {
        self.since
    }

    /// The same cell, to which only certificates of the present authority count.
    ///
    /// # Errors
    /// If its certificate cannot be read.
    pub fn alone(self) -> Result<Self, AuthorityError> {
        let since = self.current.since()?;
        Ok(Self::new(self.current, Vec::new()).with_since(Some(since)))
    }

    /// The same cell with a new authority of this name. Nobody who knew it before has to be told.
    ///
    /// # Errors
    /// If no key can be made, or nothing can be signed.
    pub fn rotated(self, name: &str, now: DateTime<Utc>) -> Result<Self, AuthorityError> {
        let (next, bridge) = self.current.succeeded(name, now)?;
        let last = Earlier {
            certificate: self.current.certificate().to_owned(),
            bridge,
        };
        let mut earlier = vec![last];
        earlier.extend(self.earlier);
        earlier.truncate(MOST_EARLIER);
        Ok(Self::new(next, earlier).with_since(self.since))
    }
}

/// The certificates of a PEM text.
fn split(pem: &str) -> Vec<String> {
    let ends = pem.split_inclusive("-----END CERTIFICATE-----");
    let one = ends.filter(|text| text.contains("-----BEGIN"));
    one.map(|text| format!("{}\n", text.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_ones_are_known_until_there_are_too_many() {
        let now = Utc::now();
        let first = Authority::generate("cell", now).unwrap();
        let mut known = vec![first.certificate().to_owned()];
        let mut all = Authorities::new(first, Vec::new());
        for number in 0..MOST_EARLIER + 2 {
            all = all.rotated(&format!("cell {number}"), now).unwrap();
            known.insert(0, all.current().certificate().to_owned());
            known.truncate(1 + MOST_EARLIER);
            assert_eq!(all.trusted(), known.concat());
            let (chain, _) = all.certify_server(&["cell".to_owned()], now).unwrap();
            let certificates = chain.matches("BEGIN CERTIFICATE").count();
            assert_eq!(
                certificates,
                known.len(),
                "the server's own, and the bridges"
            );
            let of = |text: fn(&Earlier) -> &String| {
                let each = all.earlier().iter().map(text);
                each.map(String::as_str).collect::<String>()
            };
            let (earlier, bridges) = (of(|one| &one.certificate), of(|one| &one.bridge));
            let current = all.current();
            let pair = (current.certificate(), current.key());
            let kept = (earlier.as_str(), bridges.as_str());
            let read = Authorities::from_pem((pair.0, &pair.1), kept).unwrap();
            assert_eq!(
                read.trusted().replace("\r\n", "\n"),
                all.trusted().replace("\r\n", "\n")
            );
            assert_eq!(read.earlier().len(), all.earlier().len());
            let short = Authorities::from_pem((pair.0, &pair.1), (kept.0, ""));
            assert!(matches!(short, Err(AuthorityError::Bridges { .. })));
        }
    }
}
