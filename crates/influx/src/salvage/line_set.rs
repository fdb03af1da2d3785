//! A set of lines of one batch.

use super::request_lines::RequestLines;

/// Indices of lines, one bit for each line of the batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineSet {
    words: Vec<u64>,
    len: usize,
}

/// Word and bit of a line.
fn place(line: usize) -> (usize, u64) {
    (line / 64, 1 << (line % 64))
}

impl LineSet {
    pub fn of(request: &RequestLines) -> Self {
        let mut set = Self::default();
        request.indices().for_each(|line| {
            set.insert(line);
        });
        set
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn contains(&self, line: usize) -> bool {
        let (word, bit) = place(line);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Adds a line. Returns whether it was not in the set before.
    pub fn insert(&mut self, line: usize) -> bool {
        let (index, bit) = place(line);
        if self.words.len() <= index {
            self.words.resize(index + 1, 0);
        }
        let Some(word) = self.words.get_mut(index) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        self.len += usize::from(is_new);
        is_new
    }

    /// Removes a line. Returns whether it was in the set.
    pub fn remove(&mut self, line: usize) -> bool {
        let (index, bit) = place(line);
        let Some(word) = self.words.get_mut(index).filter(|word| **word & bit != 0) else { return false };
        *word &= !bit;
        self.len -= 1;
        true
    }

    pub fn add_all(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
        self.count();
    }

    pub fn remove_all(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, fewer)| *word &= !fewer);
        self.count();
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let lines = self.words.iter().enumerate().flat_map(|(index, _)| index * 64..(index + 1) * 64);
        lines.filter(|line| self.contains(*line))
    }

    /// The greatest index.
    pub fn last(&self) -> Option<usize> {
        let (index, word) = self.words.iter().enumerate().rfind(|(_, word)| **word != 0)?;
        Some(index * 64 + word.ilog2() as usize)
    }

    fn count(&mut self) {
        self.len = self.words.iter().map(|word| word.count_ones() as usize).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn behaves_like_a_set() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut set, mut want) = (LineSet::default(), BTreeSet::new());
        for _ in 0..2_000 {
            let line = rng.usize(..300);
            let from = rng.usize(..300);
            let run = LineSet::of(&RequestLines::Run(from..from + rng.usize(1..5)));
            let lines: Vec<usize> = (0..310).filter(|line| run.contains(*line)).collect();
            match rng.u8(..8) {
                0..3 => assert_eq!(set.insert(line), want.insert(line)),
                3..5 => assert_eq!(set.remove(line), want.remove(&line)),
                5 => {
                    set.add_all(&run);
                    want.extend(lines);
                }
                _ => {
                    set.remove_all(&run);
                    want.retain(|line| !lines.contains(line));
                }
            }
            assert_eq!((set.len(), set.is_empty()), (want.len(), want.is_empty()));
            assert!(set.iter().eq(want.iter().copied()));
            assert_eq!(set.last(), want.last().copied());
            assert_eq!(set.contains(line), want.contains(&line));
        }
        assert_eq!(LineSet::of(&RequestLines::Picked(vec![1, 64, 200])).len(), 3);
    }
}
