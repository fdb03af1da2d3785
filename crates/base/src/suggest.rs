//! The nearest of the words that would have been right.

/// The candidate that `word` was most likely meant to be, if one is near enough to be named.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = normalized(word);
    // A third of the letters may differ: "tag_kes" is tag_keys, "site" is not time.
    let differences_max = (plain.chars().count() / 3).max(1);
    let rated = candidates.into_iter().map(|candidate| (distance(&plain, &normalized(candidate)), candidate));
    let (differences, candidate) = rated.min_by_key(|(differences, _)| *differences)?;
    (differences <= differences_max && plain.chars().count() > 1).then_some(candidate)
}

/// `name`, with the candidate that it was most likely meant to be: `tow (did you mean "two"?)`.
pub fn with_nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(name, candidates) {
        Some(near) => format!("{name} (did you mean {near:?}?)"),
        None => name.to_owned(),
    }
}

/// Without what differs between the spellings of one name: `groupId`, `group.id` and `group-id` are `group_id`.
pub fn normalized(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' ')).flat_map(char::to_lowercase).collect()
}

/// How many letters must be added, removed, replaced or swapped with their neighbour.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, x) in a.chars().enumerate() {
        let mut next = vec![row + 1];
        for (column, y) in b.iter().enumerate() {
            let at = |cells: &[usize], i: usize| cells.get(i).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, column) + usize::from(x != *y);
            let added_or_removed = at(&next, column).min(at(&last, column + 1)) + 1;
            let neighbour = column.checked_sub(1).and_then(|i| Some((i, *b.get(i)?)));
            let swapped = match neighbour {
                Some((i, left)) if previous == Some(*y) && left == x => at(&before_last, i) + 1,
                _ => usize::MAX,
            };
            next.push(replaced.min(added_or_removed).min(swapped));
        }
        before_last = std::mem::replace(&mut last, next);
        previous = Some(x);
    }
    // A row has a cell for the empty beginning at least.
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_differences() {
        let f = |a: &str, b: &str, want: usize| {
            assert_eq!((distance(a, b), distance(b, a)), (want, want), "{a} {b}");
        };
        f("", "", 0);
        f("", "abc", 3);
        f("token", "token", 0);
        f("tokne", "token", 1);
        f("otken", "token", 1);
        f("tag_kes", "tag_keys", 1);
        f("kitten", "sitting", 3);
        f("온도계", "온도", 1);
    }

    #[test]
    fn names_the_nearest() {
        let keys = ["brokers", "topics", "group_id", "client_id", "offset_reset"];
        let f = |word: &str, want: Option<&str>| assert_eq!(nearest(word, keys), want, "{word}");
        f("broker", Some("brokers"));
        f("topcis", Some("topics"));
        f("groupId", Some("group_id"));
        f("group.id", Some("group_id"));
        f("Offset-Reset", Some("offset_reset"));
        f("bucket", None);
        f("a", None);
        f("", None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(with_nearest("broker", keys), "broker (did you mean \"brokers\"?)");
        assert_eq!(with_nearest("bucket", keys), "bucket");
    }
}
