//! The Prometheus text format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write as _};

/// As `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What all of the bridge's names begin with.
const PREFIX: &str = "kafka_influx_bridge_";

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A page of metrics, built family by family.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// One family: the samples of one name stand together.
#[derive(Debug)]
pub struct Family<'e> {
    text: &'e mut String,
    name: String,
}

impl Exposition {
    /// Begins a family; `name` goes without the prefix that all share.
    pub fn family(&mut self, kind: Kind, name: &str, help: &str) -> Family<'_> {
        self.family_as(kind, &format!("{PREFIX}{name}"), help)
    }

    /// Begins a family whose name is everybody's, as `process_start_time_seconds`.
    pub fn family_as(&mut self, kind: Kind, name: &str, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a String can't fail.
        let _infallible = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: &mut self.0, name: name.to_owned() }
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, kind: Kind, name: &str, help: &str, value: impl Display) {
        self.family(kind, name, help).sample(&[], value);
    }

    pub fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.sample_of("", labels, value);
    }

    /// A sample whose name goes on after the family's, as a histogram's do.
    pub fn sample_of(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
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
    fn writes_families() {
        let mut page = Exposition::default();
        let mut family = page.family(Kind::Gauge, "a_bytes", "What it is.");
        family.sample(&[], 5);
        family.sample(&[("topic", "a\\b\"c\nd"), ("partition", "0")], 0.5);
        page.family_as(Kind::Histogram, "b", "B.").sample_of("_sum", &[], 1);
        let want = "# HELP kafka_influx_bridge_a_bytes What it is.\n\
            # TYPE kafka_influx_bridge_a_bytes gauge\n\
            kafka_influx_bridge_a_bytes 5\n\
            kafka_influx_bridge_a_bytes{topic=\"a\\\\b\\\"c\\nd\",partition=\"0\"} 0.5\n\
            # HELP b B.\n# TYPE b histogram\nb_sum 1\n";
        assert_eq!(page.into_text(), want);
    }
}
