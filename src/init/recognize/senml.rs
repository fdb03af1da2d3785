//! Packs of `SenML` (RFC 8428) whose records have times of their own, relative to a base time.

use super::super::key::Key;
use super::super::shape::ShapeLine;
use super::{Shape, View};
use toml::Value;

/// Times from here on are no seconds relative to a base time (RFC 8428, section 4.5.3).
const ABSOLUTE_MIN: f64 = 268_435_456.0;

/// Recognizes records that are arrays, whose first item has a base time and whose other items have seconds after or before it.
pub fn recognize(view: &View<'_>) -> Option<Shape> {
    let (seen, shape) = (view.seen, view.shape);
    let is_pack =
        shape.is_list && shape.steps.is_empty() && shape.lines.is_empty() && shape.rules.format.is_strict();
    if !is_pack || seen.key("n").is_none() {
        return None;
    }
    // A later item would change the base values of the items behind it.
    let base = |name: &str| seen.key(name).filter(|key| key.values_count() == seen.records);
    let relative = seen.key("t").filter(|key| is_relative(key))?;
    base("bt").filter(|key| key.is_time && relative.values_count() > 0)?;
    let mut shape = shape.clone();
    let mut line = |key, value, why: &str| shape.lines.push(ShapeLine { key, value, why: why.to_owned() });
    let bases = [("bn", "bn", base("bn")), ("u", "bu", base("bu"))];
    let tags = bases.iter().filter_map(|(tag, name, key)| {
        key.map(|_| ((*tag).to_owned(), Value::from(format!("{{$[0].{name}}}"))))
    });
    let tags: toml::Table = tags.collect();
    line(
        "time_key",
        Value::from("$[0].bt"),
        "Each record is a pack of SenML: its first item has the base time, and \"t\" is added to it in seconds.",
    );
    line("time_format", Value::from("unix"), "");
    line("time_add", Value::Table([("t".to_owned(), Value::from("s"))].into_iter().collect()), "");
    if !tags.is_empty() {
        line("tags", Value::Table(tags), "The base name, and the base unit of items without a unit.");
    }
    shape.time_keys = &["bt", "t"];
    shape.ignored.extend(["bn", "bu"].map(str::to_owned));
    let versions = seen.key("bver").map(|key| key.pattern.clone());
    shape.excluded.extend(["bt".to_owned()].into_iter().chain(versions));
    Some(shape)
}

fn is_relative(key: &Key) -> bool {
    key.numbers() == key.values_count()
        && key.range.is_some_and(|(least, most)| least > -ABSOLUTE_MIN && most < ABSOLUTE_MIN)
}
