//! Strings that hold JSON: `parse_json`.

use super::super::class::glob;
use super::super::shape::ShapeLine;
use super::{Shape, View, listed};
use mapping::Globs;
use toml::Value;

/// Recognizes strings that are objects or arrays with numbers. JSON of strings alone, such as a login's description, stays text.
pub fn recognize(view: &View<'_>) -> Option<Shape> {
    // The keys of `parse_json` are those of the record.
    if !view.shape.steps.is_empty() || !view.is_not_rearranged() {
        return None;
    }
    let is_json = |key: &&super::super::key::Key| key.json > 0 && key.json * 10 >= key.strings() * 9;
    let found: Vec<&str> = view.seen.keys.iter().filter(is_json).map(|key| key.pattern.as_str()).collect();
    if found.is_empty() {
        return None;
    }
    let mut shape = view.shape.clone();
    let mut globs: Vec<String> = shape.rules.parse_json.patterns().to_vec();
    globs.extend(found.iter().map(|pattern| glob(pattern)));
    shape.rules.parse_json = Globs::compile(&globs).ok()?;
    shape.lines.retain(|line| line.key != "parse_json");
    let why = format!("The strings under {} hold JSON with numbers, which are read in place.", listed(found));
    shape.lines.insert(0, ShapeLine { key: "parse_json", value: Value::from(globs), why });
    Some(shape)
}
