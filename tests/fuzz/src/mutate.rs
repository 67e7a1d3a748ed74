//! Variations of inputs, the same ones for the same seed: what a test can afford where no coverage guides it.

/// Numbers that look random (xorshift64*), the same ones for the same seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins a series.
    pub fn new(seed: u64) -> Self {
        // Seeds that are near each other must not give series that are.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, 0 when that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from((self.next() >> 11) % end).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// Bytes that mean something in most formats.
const MARKS: &[u8] = b"\0\t\n\r\x1b \"#$%&'()*+,-./0123456789:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\xc3\xff";

/// A variation of one of `seeds` with up to five changes: bytes turned, cut out, doubled, put in, `words` put in, another seed's
/// end put on. At most `most` bytes.
pub fn variation(random: &mut Random, seeds: &[Vec<u8>], words: &[Vec<u8>], most: usize) -> Vec<u8> {
    let mut bytes = random.pick(seeds).cloned().unwrap_or_default();
    for _ in 0..=random.below(5) {
        let at = random.below(bytes.len() + 1);
        let length = 1 + random.below(12);
        let end = (at + length).min(bytes.len());
        match random.below(9) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 | 2 => {
                if let (Some(byte), Some(mark)) = (bytes.get_mut(at), random.pick(MARKS)) {
                    *byte = *mark;
                }
            }
            3 => {
                bytes.drain(at..end);
            }
            4 => {
                let part = bytes[at..end].to_vec();
                let place = random.below(bytes.len() + 1);
                bytes.splice(place..place, part);
            }
            5 => {
                let other = random.pick(seeds).cloned().unwrap_or_default();
                bytes.truncate(at);
                bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
            6 => {
                if let Some(mark) = random.pick(MARKS) {
                    bytes.insert(at, *mark);
                }
            }
            _ => {
                if let Some(word) = random.pick(words) {
                    bytes.splice(at..at, word.iter().copied());
                }
            }
        }
    }
    bytes.truncate(most);
    bytes
}

/// `part`, over and over, `size` bytes of it.
pub fn repeated(part: &[u8], size: usize) -> Vec<u8> {
    part.iter().copied().cycle().take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variations_are_many_bounded_and_always_the_same() {
        let seeds = vec![b"[group]\nhost a=b\n".to_vec(), b"other".to_vec()];
        let words = vec![b":children".to_vec()];
        let all = |seed| -> Vec<Vec<u8>> {
            let mut random = Random::new(seed);
            (0..500).map(|_| variation(&mut random, &seeds, &words, 20)).collect()
        };
        let first = all(1);
        assert_eq!(first, all(1));
        assert_ne!(first, all(2));
        assert!(first.iter().all(|bytes| bytes.len() <= 20));
        let different: std::collections::BTreeSet<_> = first.iter().collect();
        assert!(different.len() > 400, "{}", different.len());
        assert!(
            first
                .iter()
                .any(|bytes| bytes.windows(9).any(|part| part == b":children"))
        );
    }

    #[test]
    fn repetition_has_the_size_asked_for() {
        assert_eq!(repeated(b"abc", 7), b"abcabca");
        assert_eq!(repeated(b"", 7), b"");
    }
}
