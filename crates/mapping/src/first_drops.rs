//! Reports keys whose value is dropped, once for each key and reason.

use super::drop_reason::DropReason;
use std::collections::{HashMap, HashSet};

/// Most keys that are reported. Drops of further keys are only counted, so that topics whose keys never repeat can't fill the log.
pub const FIRST_DROPS_MAX: usize = 100;

/// A flattened key whose value was dropped for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FirstDrop {
    pub key: String,
    pub drop: DropReason,
}

#[derive(Debug, Default)]
pub struct FirstDrops {
    reported: HashMap<DropReason, HashSet<String>>,
    count: usize,
    new: Vec<FirstDrop>,
}

impl FirstDrops {
    /// Whether further keys would be reported.
    pub fn is_open(&self) -> bool {
        self.count < FIRST_DROPS_MAX
    }

    /// Reports a key once for each reason. A key that was reported before allocates nothing.
    pub fn add(&mut self, key: &str, drop: DropReason) {
        let keys = self.reported.entry(drop).or_default();
        if self.count < FIRST_DROPS_MAX && !keys.contains(key) {
            keys.insert(key.to_owned());
            self.count += 1;
            self.new.push(FirstDrop { key: key.to_owned(), drop });
        }
    }

    /// Takes the keys reported since the last call.
    pub fn take(&mut self) -> Vec<FirstDrop> {
        std::mem::take(&mut self.new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{map, mapper, record};
    use crate::{KeySelector, Rename, Rules};

    /// The reports of duplicate keys, for a record that is mapped three times.
    fn reported(rules: Rules, value: &str) -> Vec<FirstDrop> {
        let mut mapper = mapper(rules);
        let mut reported = Vec::new();
        for _ in 0..3 {
            map(&mut mapper, &record(value.as_bytes()));
            reported.extend(
                mapper.take_first_drops().into_iter().filter(|notice| notice.drop == DropReason::Duplicate),
            );
        }
        reported
    }

    #[test]
    fn names_each_key_that_comes_twice_once() {
        let duplicate = |key: &str| FirstDrop { key: key.to_owned(), drop: DropReason::Duplicate };
        let f = |rules: Rules, value: &str, want: &[&str]| {
            assert_eq!(
                reported(rules, value),
                want.iter().map(|key| duplicate(key)).collect::<Vec<_>>(),
                "{value}"
            );
        };
        f(Rules::default(), r#"{"a":1,"a":2}"#, &["a"]);
        f(Rules::default(), r#"{"a":{"x":1,"y":1},"a":{"x":2}}"#, &["a"]);
        f(Rules::default(), r#"{"b":{"c":1},"b_c":2}"#, &["b_c"]);
        f(Rules::default(), r#"{"a":1,"b":2}"#, &[]);
        let tag_selectors = ["$.host", "$.also.host"].map(|text| KeySelector::parse(text).unwrap()).to_vec();
        let mut rename = Rename::default();
        rename.add("also_host", "host").unwrap();
        let rules = Rules { tag_selectors, rename, ..Rules::default() };
        f(rules, r#"{"host":"a","also":{"host":"b"},"v":1}"#, &["host"]);
    }
}
