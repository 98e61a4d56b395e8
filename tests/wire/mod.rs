//! What holds whatever comes over the wire, for tests and for the fuzzer.

// Each fuzz target uses what it needs of it.
#![allow(dead_code)]

pub mod frames;
pub mod headers;
pub mod paths;

/// Bytes by which something is decided. At their end all is zero.
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// A number below this one.
    pub fn below(&mut self, most: u8) -> u8 {
        self.byte() % most
    }

    /// So many bytes as the next one says, if there are.
    pub fn bytes(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }
}
