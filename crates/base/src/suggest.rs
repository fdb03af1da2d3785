//! Finds the nearest correct name for a misspelt one.

/// Number of letters to add, remove, replace or swap with their neighbour.
pub use strsim::osa_distance as distance;

/// The candidate that `word` most likely stands for, if one is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = normalized(word);
    // A third of the letters may differ: "tag_kes" is tag_keys, "site" is not time.
    let differences_max = (plain.chars().count() / 3).max(1);
    let rated = candidates.into_iter().map(|candidate| (distance(&plain, &normalized(candidate)), candidate));
    let (differences, candidate) = rated.min_by_key(|(differences, _)| *differences)?;
    (differences <= differences_max && plain.chars().count() > 1).then_some(candidate)
}

/// `name` with the nearest candidate: `tow (did you mean "two"?)`.
pub fn with_nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(name, candidates) {
        Some(near) => format!("{name} (did you mean {near:?}?)"),
        None => name.to_owned(),
    }
}

/// Removes the differences between spellings of one name, such as `groupId`, `group.id` and `group-id` for `group_id`.
pub fn normalized(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' ')).flat_map(char::to_lowercase).collect()
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
