//! Filter expressions (RFC 9535, section 2.3.5), such as `@.ok == true && @.q >= 192`.

use super::tree::Tree;
use super::{PathError, evaluate, path};
use jsonpath_rust::parser::model::{Filter as Condition, Segment, Selector};

/// A filter of elements: `@` is the element, `$` is the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    condition: Condition,
    /// The text in the configuration.
    text: String,
    uses_record: bool,
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
        Ok(Self { condition: condition.clone(), uses_record: uses_record(text), text: text.to_owned() })
    }

    /// The text in the configuration.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the filter may look at the record.
    pub(crate) fn uses_record(&self) -> bool {
        self.uses_record
    }

    /// Whether the filter holds for an element. `record` is there if the filter uses it.
    pub(crate) fn holds(&self, element: &Tree, record: Option<&Tree>) -> bool {
        evaluate::holds(&self.condition, record.unwrap_or(element), element)
    }
}

/// Whether a path of the text begins at the record's root.
fn uses_record(text: &str) -> bool {
    // A dollar sign in a quoted text, such as a pattern, is no path.
    let (mut quote, mut is_escaped) = (None, false);
    text.chars().any(|character| {
        let is_text = quote.is_some();
        match character {
            '\\' if is_text && !is_escaped => {
                is_escaped = true;
                return false;
            }
            '"' | '\'' if !is_escaped && quote.is_none_or(|begun| begun == character) => {
                quote = if is_text { None } else { Some(character) };
            }
            _ => {}
        }
        is_escaped = false;
        character == '$' && !is_text
    })
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
            assert_eq!(filter.holds(&tree(element), record.as_ref()), want, "{filter:?} {element}");
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
