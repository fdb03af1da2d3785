//! Filter expressions (RFC 9535, section 2.3.5), such as `@.ok == true && @.q >= 192`.

use super::condition::{Compiler, Condition};
use super::evaluate::Found;
use super::tree::Tree;
use super::work::Work;
use super::{PathError, SyntaxError, evaluate, path};
use jsonpath_rust::parser::model::{Segment, Selector};

/// A filter of elements: `@` is the element, `$` is the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    condition: Condition,
    /// The text in the configuration.
    text: String,
    uses_record: bool,
    /// How many parts do not look at "@".
    once: usize,
}

impl Filter {
    /// # Errors
    /// When the text is no filter expression.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let query = path::parse(&format!("$[?{text}]")).map_err(|error| error.with_text(text))?;
        // More than one segment or selector means that the text closes the brackets around it.
        let [Segment::Selector(Selector::Filter(condition))] = query.segments.as_slice() else {
            let why = "it is more than one filter".to_owned();
            return Err(PathError::Syntax { text: text.to_owned(), why });
        };
        let mut compiler = Compiler::default();
        let condition = compiler.condition(condition).map_err(|why| path::unusable(text, why))?;
        let Compiler { uses_root: uses_record, once } = compiler;
        Ok(Self { condition, text: text.to_owned(), uses_record, once })
    }

    /// The text in the configuration.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the filter looks at the record.
    pub(crate) fn uses_record(&self) -> bool {
        self.uses_record
    }

    /// The parts that do not look at "@", before a record.
    pub(crate) fn found(&self) -> Found {
        Found::new(self.once)
    }

    /// Whether the filter holds for an element. `record` is there if the filter uses it. `found` and `work` are those of the record.
    pub(crate) fn holds(
        &self,
        element: &Tree,
        record: Option<&Tree>,
        found: &mut Found,
        work: &mut Work,
    ) -> Result<bool, SyntaxError> {
        evaluate::holds(&self.condition, record.unwrap_or(element), element, found, work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Scanner;

    #[test]
    fn filters_elements() {
        let f = |filter: &str, element: &str, record: &str, want: bool| {
            let tree = |text: &str| Tree::read(&Scanner::new(text.as_bytes())).unwrap();
            let filter = Filter::parse(filter).unwrap();
            let record = filter.uses_record().then(|| tree(record));
            let (mut found, mut work) = (filter.found(), Work::of(100));
            // The next element uses the parts that were found for this one.
            for _ in 0..2 {
                let holds = filter.holds(&tree(element), record.as_ref(), &mut found, &mut work);
                assert_eq!(holds, Ok(want), "{filter:?} {element}");
            }
        };
        let element = r#"{"ok":true,"q":192,"s":"a]b","deep":{"x":[1,2]}}"#;
        f("@.ok == true && @.q >= 192", element, "", true);
        // The dollar signs of texts are no paths. The record would be no JSON here.
        f(r#"match(@.s, 'x.*$') || @['$'] == "\"$" || @.s == 'it\'s $'"#, element, "", false);
        f("@.ok == true && @.q > 192", element, "", false);
        f("@.ok", element, "", true);
        f("!@.missing", element, "", true);
        f("@.missing == true", element, "", false);
        f("@.missing != true", element, "", true);
        f("@.s == 'a]b'", element, "", true);
        f("match(@.s, 'a.b')", element, "", true);
        f("length(@.deep.x) == 2", element, "", true);
        f("@.deep.x[?@ == 2]", element, "", true);
        f("@.q == $.wanted", element, r#"{"wanted":192}"#, true);
        f("@.q == $.wanted || $.all", element, r#"{"wanted":1}"#, false);
        f("@.q == 192 || @.q == 64", "{}", "", false);
        f("@.x == null", r#"{"x":null}"#, "", true);
        f("@[?@ == 2]", "[1,2]", "", true);
        f("@[?@ > 2]", "[1,2]", "", false);
        f("@ > 2", "3", "", true);
    }

    #[test]
    fn refuses_other_texts() {
        for text in ["", "ok == true", "@.a ==", "@.a] [?@.b", "@.a], [0", "@.a][0", "$.a[", "@.a == 1, @.b"]
        {
            assert!(matches!(Filter::parse(text), Err(PathError::Syntax { .. })), "{text}");
        }
    }
}
