//! Globs over flattened keys, as in `tag_keys` and `string_fields`.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

/// A compiled list of globs. `*` also matches "_", as in Telegraf.
#[derive(Clone, Debug, Default)]
pub struct Globs {
    set: GlobSet,
    patterns: Vec<String>,
}

impl PartialEq for Globs {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

/// A glob that can't be compiled.
#[derive(Debug, Error)]
#[error("{pattern:?} is not a glob: {why}")]
pub struct GlobError {
    /// Index of the glob in the list.
    pub index: usize,
    pub pattern: String,
    pub why: String,
}

impl Globs {
    /// # Errors
    /// Reports the first pattern that is not a glob.
    pub fn compile<S: AsRef<str>>(patterns: &[S]) -> Result<Self, GlobError> {
        let mut builder = GlobSetBuilder::new();
        let error = |index: usize, pattern: &str, e: &globset::Error| GlobError {
            index,
            pattern: pattern.to_owned(),
            why: e.kind().to_string(),
        };
        for (index, pattern) in patterns.iter().map(AsRef::as_ref).enumerate() {
            let glob = GlobBuilder::new(pattern).literal_separator(false).backslash_escape(true).build();
            builder.add(glob.map_err(|e| error(index, pattern, &e))?);
        }
        let set = builder.build().map_err(|e| error(0, "(all together)", &e))?;
        Ok(Self { set, patterns: patterns.iter().map(|pattern| pattern.as_ref().to_owned()).collect() })
    }

    #[must_use]
    pub fn is_match(&self, key: &str) -> bool {
        self.set.is_match(key)
    }

    /// The patterns as written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Indices of the patterns that match.
    pub fn matching(&self, key: &str) -> Vec<usize> {
        self.set.matches(key)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }
}

/// Most texts that the alternatives of one glob stand for.
const ALTERNATIVES_MAX: usize = 64;

/// Whether some key matches both globs. Two globs with very many alternatives count as overlapping.
pub fn overlap(first: &str, second: &str) -> bool {
    let (first, second) = (alternatives(first), alternatives(second));
    let is_many = |texts: &[Vec<Piece>]| texts.len() >= ALTERNATIVES_MAX;
    is_many(&first)
        || is_many(&second)
        || first.iter().any(|first| second.iter().any(|second| pieces_overlap(first, second)))
}

/// A part of a glob without alternatives.
#[derive(Clone, Debug)]
enum Piece {
    /// Any number of characters.
    Star,
    /// One character of these ranges, or one outside of them.
    One { ranges: Vec<(char, char)>, inside: bool },
}

impl Piece {
    fn has(&self, c: char) -> bool {
        match self {
            Self::Star => true,
            Self::One { ranges, inside } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) == *inside
            }
        }
    }

    /// Characters at which the answer of [`Piece::has`] may change, and one far from all others.
    fn edges(&self) -> impl Iterator<Item = char> {
        let ranges = if let Self::One { ranges, .. } = self { ranges.as_slice() } else { &[] };
        let near =
            |c: char| [Some(c), char::from_u32(c as u32 + 1), char::from_u32((c as u32).wrapping_sub(1))];
        ranges
            .iter()
            .flat_map(move |(from, to)| [near(*from), near(*to)])
            .flatten()
            .flatten()
            .chain(['\u{10FFFF}'])
    }
}

fn pieces_overlap(first: &[Piece], second: &[Piece]) -> bool {
    // `matches[j]`: whether the rest of `first` and `second[j..]` match a common text.
    let mut matches = vec![false; second.len() + 1];
    for i in (0..=first.len()).rev() {
        let below = std::mem::replace(&mut matches, vec![false; second.len() + 1]);
        let (a, at) = (first.get(i), |of: &[bool], j: usize| of.get(j).copied().unwrap_or(false));
        for j in (0..=second.len()).rev() {
            let overlaps = match (a, second.get(j)) {
                (None, None) => true,
                (Some(Piece::Star), b) => at(&below, j) || b.is_some() && at(&matches, j + 1),
                (a, Some(Piece::Star)) => at(&matches, j + 1) || a.is_some() && at(&below, j),
                (Some(a), Some(b)) => {
                    let mut edges = a.edges().chain(b.edges());
                    edges.any(|c| a.has(c) && b.has(c)) && at(&below, j + 1)
                }
                (None, Some(_)) | (Some(_), None) => false,
            };
            if let Some(place) = matches.get_mut(j) {
                *place = overlaps;
            }
        }
    }
    matches.first().copied().unwrap_or(false)
}

/// The texts that a valid glob stands for, without braces.
fn alternatives(glob: &str) -> Vec<Vec<Piece>> {
    let chars: Vec<char> = glob.chars().collect();
    let (texts, _) = alternatives_at(&chars, 0, false);
    texts
}

fn alternatives_at(chars: &[char], mut at: usize, in_braces: bool) -> (Vec<Vec<Piece>>, usize) {
    let one = |c: char| Piece::One { ranges: vec![(c, c)], inside: true };
    let (mut done, mut texts) = (Vec::new(), vec![Vec::new()]);
    while let Some(&c) = chars.get(at) {
        at += 1;
        let piece = match c {
            '*' => Piece::Star,
            '?' => Piece::One { ranges: Vec::new(), inside: false },
            '\\' => {
                at += 1;
                one(chars.get(at - 1).copied().unwrap_or('\\'))
            }
            '[' => {
                let (piece, end) = class_at(chars, at);
                at = end;
                piece
            }
            '{' => {
                let (inner, end) = alternatives_at(chars, at, true);
                at = end;
                let joined = |text: &Vec<Piece>| {
                    let joined = inner.iter().map(|inner| [text.as_slice(), inner].concat());
                    joined.collect::<Vec<_>>()
                };
                texts = texts.iter().flat_map(joined).take(ALTERNATIVES_MAX).collect();
                continue;
            }
            ',' if in_braces => {
                done.append(&mut texts);
                texts = vec![Vec::new()];
                continue;
            }
            '}' if in_braces => break,
            other => one(other),
        };
        for text in &mut texts {
            text.push(piece.clone());
        }
    }
    done.append(&mut texts);
    (done, at)
}

/// A class of characters, such as `[a-c]` and `[!x]`, behind its opening bracket; and the position behind it.
fn class_at(chars: &[char], mut at: usize) -> (Piece, usize) {
    let inside = !matches!(chars.get(at), Some('!' | '^'));
    at += usize::from(!inside);
    let (start, mut ranges) = (at, Vec::new());
    while let Some(&from) = chars.get(at).filter(|c| **c != ']' || at == start) {
        let to = match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(&to)) if to != ']' => {
                at += 2;
                to
            }
            _ => from,
        };
        ranges.push((from, to));
        at += 1;
    }
    (Piece::One { ranges, inside }, at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_like_telegraf() {
        let f = |patterns: &[&str], key: &str, want: bool| {
            assert_eq!(Globs::compile(patterns).unwrap().is_match(key), want, "{patterns:?} {key}");
        };
        f(&[], "a", false);
        f(&["a"], "a", true);
        f(&["a"], "ab", false);
        f(&["host_*"], "host_name_0", true);
        f(&["*"], "a/b", true);
        f(&["x", "disks_*_dev"], "disks_0_dev", true);
        f(&["{cpu,mem}_?"], "mem_1", true);
        f(&["온도*"], "온도_실내", true);
    }

    #[test]
    fn lists_the_patterns_that_match() {
        let globs = Globs::compile(&["a*", "b", "*b"]).unwrap();
        assert_eq!((globs.matching("ab"), globs.matching("b")), (vec![0, 2], vec![1, 2]));
        assert_eq!(globs.patterns(), ["a*", "b", "*b"]);
    }

    #[test]
    fn names_the_invalid_pattern() {
        let error = Globs::compile(&["a", "b[", "c"]).unwrap_err();
        assert_eq!((error.index, error.pattern.as_str()), (1, "b["));
    }

    #[test]
    fn finds_globs_that_match_a_common_key() {
        let f = |first: &str, second: &str, want: bool| {
            assert_eq!(overlap(first, second), want, "{first} {second}");
            assert_eq!(overlap(second, first), want, "{second} {first}");
        };
        f("a*", "*b", true);
        f("a*", "b*", false);
        f("a*b", "a*c", false);
        f("*x*", "*y*", true);
        f("a?c", "abc", true);
        f("a?c", "abd", false);
        f("[a-c]*", "c*", true);
        f("[a-c]*", "d*", false);
        f("[!a-c]", "b", false);
        f("[!a-c]", "[!d]", true);
        f("[!a]", "[a-b]", true);
        f("{cpu,mem}_*", "mem_?", true);
        f("{cpu,mem}_*", "disk_?", false);
        f(r"a\*", "ab", false);
        f("", "*", true);
        f("", "?", false);
    }
}
