//! The Prometheus text format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write as _};

/// `Content-Type` of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of metrics, built family by family.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// The samples of one name, which the format keeps together.
#[derive(Debug)]
pub struct Family<'e> {
    text: &'e mut String,
    name: String,
}

impl Exposition {
    /// Begins a family.
    pub fn family(&mut self, kind: &str, name: &str, help: &str) -> Family<'_> {
        // Writing to a String can't fail.
        let _infallible = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: &mut self.0, name: name.to_owned() }
    }

    pub fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Adds a sample. `suffix` follows the family's name, as in the samples of a histogram.
    pub fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(&self.name);
        self.text.push_str(suffix);
        for (place, (key, value)) in labels.iter().enumerate() {
            self.text.push(if place == 0 { '{' } else { ',' });
            self.text.push_str(key);
            self.text.push_str("=\"");
            push_escaped(value, self.text);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _infallible = writeln!(self.text, " {value}");
    }
}

fn push_escaped(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_families_in_the_text_format() {
        let mut page = Exposition::default();
        let mut family = page.family("gauge", "a_bytes", "What it is.");
        family.sample("", &[], 5);
        family.sample("", &[("topic", "a\\b\"c\nd"), ("partition", "0")], 0.5);
        page.family("histogram", "b", "B.").sample("_sum", &[], 1);
        let want = "# HELP a_bytes What it is.\n\
            # TYPE a_bytes gauge\n\
            a_bytes 5\n\
            a_bytes{topic=\"a\\\\b\\\"c\\nd\",partition=\"0\"} 0.5\n\
            # HELP b B.\n# TYPE b histogram\nb_sum 1\n";
        assert_eq!(page.into_text(), want);
    }
}
