//! Blobs small enough for the API server: compressed, cut into parts, named by their content.

use std::io::{Read, Write};

use aws_lc_rs::digest::{SHA256, digest};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};

use super::LogError;

/// Most bytes of one part. The API server takes 1 MiB an object, base64 included.
pub(crate) const PART_BYTES: usize = 700 * 1024;
/// Most parts of one blob.
const MOST_PARTS: usize = 64;
/// Most bytes that a blob may unpack to.
const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Hexadecimal digits of the digest in a name.
const NAME_DIGITS: usize = 40;

/// Where a blob is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobRef {
    /// SHA-256 of the compressed bytes, which the names of the parts begin with.
    pub packed: String,
    /// Number of parts.
    pub parts: usize,
}

impl BlobRef {
    /// Names of the objects that hold the parts, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> + '_ {
        let short: String = self.packed.chars().take(NAME_DIGITS).collect();
        (0..self.parts).map(move |part| format!("lattice-blob-{short}-{part}"))
    }
}

/// A compressed blob with its parts, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub(crate) reference: BlobRef,
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Compresses and cuts. The same bytes give the same parts.
///
/// # Errors
/// If the bytes are more than the log takes.
pub fn pack(bytes: &[u8]) -> Result<Packed, LogError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).map_err(LogError::Pack)?;
    let compressed = encoder.finish().map_err(LogError::Pack)?;
    let parts: Vec<Vec<u8>> = compressed.chunks(PART_BYTES).map(<[u8]>::to_vec).collect();
    if parts.len() > MOST_PARTS {
        return Err(LogError::TooLarge {
            bytes: compressed.len(),
        });
    }
    Ok(Packed {
        reference: BlobRef {
            packed: sha256(&compressed),
            parts: parts.len(),
        },
        parts,
    })
}

/// Puts the parts together again, and refuses them when they are not what the reference names.
pub(crate) fn unpack(reference: &BlobRef, parts: &[Vec<u8>]) -> Result<Vec<u8>, LogError> {
    let compressed = parts.concat();
    if sha256(&compressed) != reference.packed {
        return Err(LogError::Corrupt(reference.packed.clone()));
    }
    let mut bytes = Vec::new();
    GzDecoder::new(compressed.as_slice())
        .take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(LogError::Pack)?;
    Ok(bytes)
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that do not compress.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn what_was_packed_comes_out_again_in_parts_of_bounded_size() {
        for bytes in [Vec::new(), b"{}".to_vec(), noise(PART_BYTES * 2 + 5)] {
            let packed = pack(&bytes).unwrap();
            assert_eq!(packed.reference.parts, packed.parts.len());
            assert!(packed.parts.iter().all(|part| part.len() <= PART_BYTES));
            assert_eq!(unpack(&packed.reference, &packed.parts).unwrap(), bytes);
            assert_eq!(pack(&bytes).unwrap(), packed);
        }
    }

    #[test]
    fn a_changed_or_missing_part_is_noticed() {
        let packed = pack(&noise(PART_BYTES + 5)).unwrap();
        let mut parts = packed.parts.clone();
        parts[1][0] ^= 1;
        assert!(unpack(&packed.reference, &parts).is_err());
        assert!(unpack(&packed.reference, &packed.parts[..1]).is_err());
    }

    #[test]
    fn names_are_of_the_content_and_fit_kubernetes() {
        let names: Vec<String> = pack(b"x").unwrap().reference.names().collect();
        assert_eq!(names.len(), 1);
        assert!(names[0].len() <= 63 && names[0].ends_with("-0"));
    }
}
