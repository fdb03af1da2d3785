//! Recognizes the structure of records: which objects become points, and which options make flat objects of them.
//!
//! Each recognizer is a function in a file of its own name. It reads the summary of the present objects, and returns the shape with one more
//! option, or none. After each change the objects are summarised anew, and all recognizers are asked again, in the order of the list.

mod envelope;
mod json_strings;
mod keyed_members;
mod name_value_list;
mod object_array;
mod parallel_arrays;
mod rows;
mod senml;
mod timed_objects;

use super::key::{INDEX, Key};
use super::text::shown;
use super::{Observation, SampledRecord, Shape};

/// The input of the recognizers.
pub struct View<'v> {
    pub seen: &'v Observation,
    pub shape: &'v Shape,
}

type Recognizer = fn(&View<'_>) -> Option<Shape>;

/// The recognizers in order of precedence, which is the order in which the options apply: strings become JSON before a query looks into
/// them, and what a query selects is rearranged last. A known envelope is surer than a guess by structure.
const RECOGNIZERS: [Recognizer; 9] = [
    json_strings::recognize,
    envelope::recognize,
    senml::recognize,
    timed_objects::recognize,
    object_array::recognize,
    rows::recognize,
    keyed_members::recognize,
    parallel_arrays::recognize,
    name_value_list::recognize,
];

/// Changes of one shape. Real records need three or four; the bound ends a cycle of recognizers.
const CHANGES_MAX: usize = 12;

/// The shape of the objects of a sample, and their summary.
pub fn shape_of(records: &[SampledRecord], whole: Shape, now_ns: i64) -> (Shape, Observation) {
    let mut shape = whole;
    let mut seen = Observation::of(records, &shape, now_ns);
    for _ in 0..CHANGES_MAX {
        let view = View { seen: &seen, shape: &shape };
        let Some(changed) = RECOGNIZERS.iter().find_map(|recognize| recognize(&view)) else { break };
        let now_seen = Observation::of(records, &changed, now_ns);
        if now_seen.objects == 0 {
            break;
        }
        (shape, seen) = (changed, now_seen);
    }
    (shape, seen)
}

/// A warning of objects that no option describes, so that their points would be wrong.
pub fn caution(seen: &Observation, shape: &Shape) -> Option<String> {
    rows::caution(&View { seen, shape })
}

impl View<'_> {
    /// Whether the objects are as the query selects them, so that a longer query can be tried.
    fn is_not_rearranged(&self) -> bool {
        self.shape.rules.reshape.is_empty()
    }

    /// Whether none of these names is already a key, whose value would be hidden.
    fn are_new(&self, names: &Key) -> bool {
        names.values().into_iter().all(|name| self.seen.key(name).is_none())
    }
}

/// Whether a member's name looks like an identifier: it has a digit.
fn is_identifier(name: &str) -> bool {
    name.contains(|c: char| c.is_ascii_digit())
}

/// A key as in the configuration, for options without globs. None for a key within an array.
fn plain_key(pattern: &str) -> Option<String> {
    (!pattern.contains(INDEX)).then(|| pattern.to_owned())
}

/// `"a", "b"`.
fn listed<'k>(patterns: impl IntoIterator<Item = &'k str>) -> String {
    patterns.into_iter().map(shown).collect::<Vec<_>>().join(", ")
}
