//! Bytes too many for one object of the API server: cut into parts that are named by the content.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::LogError;

/// Most bytes of one part. The API server takes 1 MiB an object, base64 included.
pub(crate) const PART_BYTES: usize = 700 * 1024;
/// Most parts of one blob.
const MOST_PARTS: usize = 64;
/// Hexadecimal digits of the digest in a name.
const NAME_DIGITS: usize = 40;

/// Where a blob is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobRef {
    /// SHA-256 of the bytes, which the names of the parts begin with.
    pub sha256: String,
    /// Number of parts.
    pub parts: usize,
}

impl BlobRef {
    /// Names of the objects that hold the parts, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> + '_ {
        let short: String = self.sha256.chars().take(NAME_DIGITS).collect();
        (0..self.parts).map(move |part| format!("lattice-blob-{short}-{part}"))
    }

    /// Whether these are the bytes that it names.
    pub(crate) fn names_bytes(&self, bytes: &[u8]) -> bool {
        sha256(bytes) == self.sha256
    }
}

/// A blob with its parts, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Where it is to be.
    pub reference: BlobRef,
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Cuts bytes into parts.
///
/// # Errors
/// If they are more than the log takes.
pub fn cut(bytes: &[u8]) -> Result<Blob, LogError> {
    let parts: Vec<Vec<u8>> = bytes.chunks(PART_BYTES).map(<[u8]>::to_vec).collect();
    if parts.len() > MOST_PARTS {
        return Err(LogError::TooLarge { bytes: bytes.len() });
    }
    Ok(Blob {
        reference: BlobRef {
            sha256: sha256(bytes),
            parts: parts.len(),
        },
        parts,
    })
}

/// Puts the parts together again, and refuses them when they are not what the reference names.
pub(crate) fn join(reference: &BlobRef, parts: &[Vec<u8>]) -> Result<Vec<u8>, LogError> {
    let bytes = parts.concat();
    if reference.names_bytes(&bytes) {
        Ok(bytes)
    } else {
        Err(LogError::Corrupt(reference.sha256.clone()))
    }
}

/// The digest in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0u8..251).cycle().take(length).collect()
    }

    #[test]
    fn what_was_cut_comes_together_again_in_parts_of_bounded_size() {
        for bytes in [Vec::new(), b"{}".to_vec(), bytes(PART_BYTES * 2 + 5)] {
            let blob = cut(&bytes).unwrap();
            assert_eq!(blob.reference.parts, blob.parts.len());
            assert!(blob.parts.iter().all(|part| part.len() <= PART_BYTES));
            assert_eq!(join(&blob.reference, &blob.parts).unwrap(), bytes);
        }
    }

    #[test]
    fn a_changed_or_missing_part_is_noticed() {
        let blob = cut(&bytes(PART_BYTES + 5)).unwrap();
        let mut parts = blob.parts.clone();
        parts[1][0] ^= 1;
        assert!(join(&blob.reference, &parts).is_err());
        assert!(join(&blob.reference, &blob.parts[..1]).is_err());
    }

    #[test]
    fn too_much_is_refused() {
        let error = cut(&bytes(PART_BYTES * MOST_PARTS + 1)).unwrap_err();
        assert!(matches!(error, LogError::TooLarge { .. }));
    }

    #[test]
    fn names_are_of_the_content_and_fit_kubernetes() {
        let names: Vec<String> = cut(b"x").unwrap().reference.names().collect();
        assert_eq!(names.len(), 1);
        assert!(names[0].len() <= 63 && names[0].ends_with("-0"));
    }
}
