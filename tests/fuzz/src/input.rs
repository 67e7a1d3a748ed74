//! Taking an input apart: choices from its first bytes, texts and pieces from the rest.

use std::borrow::Cow;

/// What is left of an input.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of it.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte, for a choice; 0 when nothing is left.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// What is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// What is left, as text.
    pub fn text(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }

    /// What is left, cut at NUL bytes: the first `parts - 1` pieces and the rest.
    pub fn parts(self, parts: usize) -> impl Iterator<Item = &'a [u8]> {
        self.0.splitn(parts, |byte| *byte == 0)
    }
}

/// Cuts `bytes` into pieces of 1 to 16 bytes and some longer ones, always the same way for the same `seed`.
pub fn pieces(bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut random = crate::mutate::Random::new(seed);
    let mut left = bytes;
    let mut all = Vec::new();
    while !left.is_empty() {
        let most = if random.below(8) == 0 { 4096 } else { 16 };
        let (piece, rest) = left.split_at(left.len().min(1 + random.below(most)));
        all.push(piece);
        left = rest;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_all_of_it_in_order() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for seed in 0..20 {
            let pieces = pieces(&bytes, seed);
            assert!(pieces.len() > 2);
            assert_eq!(pieces.concat(), bytes);
        }
    }

    #[test]
    fn choices_come_before_the_rest() {
        let mut input = Input::new(b"\x07abc\0def\0ghi");
        assert_eq!(input.byte(), 7);
        let parts: Vec<&[u8]> = input.parts(2).collect();
        assert_eq!(parts, [&b"abc"[..], b"def\0ghi"]);
        assert_eq!(Input::new(b"").byte(), 0);
    }
}
