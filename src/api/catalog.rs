//! The list of kinds, and their schemas and CRDs.
