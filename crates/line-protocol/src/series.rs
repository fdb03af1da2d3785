//! The series of a line: its measurement and tags.

use crate::runs;

/// Groups of lines. A group has one series, unless two series fall into one group by chance, which costs order and nothing else. As many
/// groups as 16,000 series need; their places take 192 kB while lines are grouped.
const GROUPS: usize = 1 << GROUPS_LOG2;
const GROUPS_LOG2: u32 = 14;

/// The text of a line's series. It ends at the first space without a backslash before it; empty if there is none.
pub fn of(line: &[u8]) -> &[u8] {
    let mut spaces = memchr::memchr_iter(b' ', line);
    let end = spaces.find(|&at| is_plain(line, at));
    end.and_then(|end| line.get(..end)).unwrap_or_default()
}

/// Indexes of the lines, grouped by series in `1 << ranges_log2` ranges of series, one after another, and the end of each range. Series of a
/// range have the order of their first lines: the first value of a column mostly fixes its type. Lines of one series keep their order,
/// whatever the order of their tags is. The range of a series follows from its text alone, so it is the same in all batches.
#[expect(
    clippy::indexing_slicing,
    reason = "a group is below `GROUPS`, and all groups together have as many places as there are lines"
)]
pub fn group<'l>(lines: impl Iterator<Item = &'l [u8]>, ranges_log2: u32) -> (Vec<u32>, Vec<u32>) {
    // The highest bits of a hash depend on all of the series.
    let groups: Vec<u16> =
        lines.map(|line| (hash_of(of(line)) >> (u64::BITS - GROUPS_LOG2)) as u16).collect();
    let range_of = |group: u16| usize::from(group) >> (GROUPS_LOG2 - ranges_log2);
    let (mut places, mut counts) = (vec![GroupPlace::default(); GROUPS], vec![0_u32; 1 << ranges_log2]);
    for &group in &groups {
        places[usize::from(group)].lines += 1;
        counts[range_of(group)] += 1;
    }
    // The end of what has a place in each range so far.
    let mut ends: Vec<u32> =
        counts.into_iter().scan(0, |sum, lines| Some(std::mem::replace(sum, *sum + lines))).collect();
    let mut order = vec![0; groups.len()];
    for (index, &group) in groups.iter().enumerate() {
        let place = &mut places[usize::from(group)];
        if place.ordered == 0 {
            let end = &mut ends[range_of(group)];
            place.start = *end;
            *end += place.lines;
        }
        // A batch has far fewer than 2^32 lines.
        order[(place.start + place.ordered) as usize] = index as u32;
        place.ordered += 1;
    }
    (order, ends)
}

/// A group while lines are ordered.
#[derive(Clone, Copy, Debug, Default)]
struct GroupPlace {
    lines: u32,
    start: u32,
    /// Number of lines that have their place.
    ordered: u32,
}

/// The hash of a series. Tags are added, so that their order makes no difference.
fn hash_of(series: &[u8]) -> u64 {
    let (mut sum, mut start) = (0_u64, 0);
    let commas = memchr::memchr_iter(b',', series).filter(|&at| is_plain(series, at));
    for end in commas.chain([series.len()]) {
        // The measurement is no tag.
        let seed = u64::from(start > 0);
        sum = sum.wrapping_add(hash(seed, series.get(start..end).unwrap_or_default()));
        start = end + 1;
    }
    sum
}

/// Whether no backslash stands before this position.
fn is_plain(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)) != Some(&b'\\')
}

/// Hashes eight bytes at a time. Not collision-free: callers compare the texts too, or need no certainty.
pub fn hash(seed: u64, bytes: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER);
    let hash = runs::words(bytes).fold(seed ^ bytes.len() as u64, mix);
    // The high bits depend on all of the input; the low bits choose a table's entry.
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn grouped<'l>(lines: &[&'l str]) -> Vec<&'l str> {
        group(lines.iter().map(|line| line.as_bytes()), 0)
            .0
            .into_iter()
            .map(|index| lines[index as usize])
            .collect()
    }

    #[test]
    fn finds_the_series_of_a_line() {
        let f = |line: &str, want: &str| assert_eq!(of(line.as_bytes()), want.as_bytes(), "{line}");
        f("m v=1 5", "m");
        f("m,a=1,b=2 v=1 5", "m,a=1,b=2");
        f(r#"m\ n,a=x\ y s="a b" 5"#, r"m\ n,a=x\ y");
        f("m", "");
    }

    #[test]
    fn lines_of_one_series_stand_together_in_their_order() {
        let lines =
            ["m,a=1 v=1 1", "m,a=2 v=1 1", "m,a=1 v=2 1", "n,a=1 v=1 1", "m,a=2 v=2 2", "m,a=1 v=3 2"];
        let grouped = grouped(&lines);
        assert_eq!(grouped[0], lines[0], "the first line stays the first one");
        let of_first: Vec<_> = grouped.iter().filter(|line| line.starts_with("m,a=1 ")).collect();
        assert_eq!(of_first, [&lines[0], &lines[2], &lines[5]]);
        let changes =
            grouped.windows(2).filter(|pair| of(pair[0].as_bytes()) != of(pair[1].as_bytes())).count();
        assert_eq!(changes, 2, "{grouped:?}");
    }

    #[test]
    fn each_series_has_one_range() {
        let lines: Vec<String> = (0..5_000).map(|n| format!("m,host=h{} v={n} {n}", n % 300)).collect();
        let (order, ends) = group(lines.iter().map(String::as_bytes), 3);
        assert_eq!((ends.len(), ends[7]), (8, 5_000));
        let mut starts = vec![0];
        starts.extend(&ends);
        let ranges = starts.windows(2).map(|at| {
            let range = order.get(at[0] as usize..at[1] as usize).unwrap();
            range.iter().map(|&index| of(lines[index as usize].as_bytes())).collect::<BTreeSet<_>>()
        });
        let ranges: Vec<_> = ranges.collect();
        assert!(ranges.iter().all(|series| (10..70).contains(&series.len())), "{ranges:?}");
        let series: BTreeSet<_> = lines.iter().map(|line| of(line.as_bytes())).collect();
        assert_eq!(ranges.iter().map(BTreeSet::len).sum::<usize>(), series.len());
        assert_eq!(order.iter().copied().collect::<BTreeSet<u32>>().len(), 5_000);
    }

    #[test]
    fn the_order_of_tags_makes_no_difference() {
        let f = |a: &str, b: &str, want: bool| {
            assert_eq!(hash_of(a.as_bytes()) == hash_of(b.as_bytes()), want, "{a} {b}");
        };
        f("m,a=1,b=2,c=3", "m,c=3,a=1,b=2", true);
        f(r"m,a=x\,y,b=2", r"m,b=2,a=x\,y", true);
        f("m,a=1,b=2", "m,a=2,b=1", false);
        f("m,n", "n,m", false);
        f("m", "n", false);
    }

    proptest! {
        #[test]
        fn every_line_stands_once_and_behind_earlier_ones_of_its_series(series in prop::collection::vec(0_u32..200, 0..500)) {
            let lines: Vec<String> = series.iter().enumerate().map(|(n, series)| format!("m,host=h{series} v={n} 1")).collect();
            let (order, _) = group(lines.iter().map(String::as_bytes), 2);
            prop_assert_eq!(order.iter().copied().collect::<BTreeSet<_>>().len(), lines.len());
            let mut last = std::collections::BTreeMap::new();
            for index in order {
                let before = last.insert(series[index as usize], index);
                prop_assert!(before.is_none_or(|before| before < index));
            }
        }
    }
}
