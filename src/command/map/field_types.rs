//! Finds fields that have two types in the mapped lines. InfluxDB keeps the type that it stored first, and refuses lines with another.

use base::text::printable;
use line_protocol::reader::read_v2_line;
use std::collections::BTreeMap;

/// Fields whose types are kept. A mapping of more fields is checked for the first ones.
const FIELDS_MAX: usize = 10_000;
/// Reported fields.
const REPORTED_MAX: usize = 10;

/// The types of the fields of each measurement.
#[derive(Debug, Default)]
pub(super) struct FieldTypes {
    /// By measurement and field: the first type, and the place of its record.
    first: BTreeMap<(String, String), (&'static str, String)>,
    /// By measurement and field: another type, and the place of the first record with it.
    others: BTreeMap<(String, String), (&'static str, String)>,
}

impl FieldTypes {
    /// Adds a line of the record at a place.
    pub fn add(&mut self, line: &[u8], place: &impl Fn() -> String) {
        // The mapper writes lines that can be read.
        let Ok(point) = read_v2_line(line.trim_ascii_end()) else { return };
        for (field, value) in point.fields {
            let key = (point.measurement.clone(), field);
            match self.first.get(&key) {
                Some((first, _)) if *first == value.type_name() => {}
                Some(_) => {
                    self.others.entry(key).or_insert_with(|| (value.type_name(), place()));
                }
                None if self.first.len() < FIELDS_MAX => {
                    self.first.insert(key, (value.type_name(), place()));
                }
                None => {}
            }
        }
    }

    /// Describes the fields of two types, with the remedy.
    pub fn conflicts(&self) -> Vec<String> {
        let describe = |(key, (other, other_place)): (&(String, String), &(&str, String))| {
            let (first, place) = self.first.get(key)?;
            let (measurement, field) = key;
            Some(format!(
                "two types: the field {field:?} of {measurement:?} is {} at {place} and {} at {other_place}. InfluxDB would refuse the \
                 lines of one of them: set the type of {field:?} in `types`",
                article(first),
                article(other),
            ))
        };
        let mut lines: Vec<String> = self.others.iter().filter_map(describe).take(REPORTED_MAX).collect();
        if let Some(more) = self.others.len().checked_sub(REPORTED_MAX).filter(|more| *more > 0) {
            lines.push(format!("two types: {more} more fields"));
        }
        lines.iter().map(|line| printable(line, 1_000)).collect()
    }
}

fn article(type_name: &str) -> String {
    let article = if type_name.starts_with(['i', 'u']) { "an" } else { "a" };
    format!("{article} {type_name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflicts(lines: &[&str]) -> Vec<String> {
        let mut types = FieldTypes::default();
        for (line, number) in lines.iter().zip(1..) {
            types.add(format!("{line}\n").as_bytes(), &|| format!("f:{number}"));
        }
        types.conflicts()
    }

    #[test]
    fn a_field_of_two_types_is_named_with_both_places() {
        assert_eq!(
            conflicts(&["m v=1", "m v=2", "m v=3i", "m v=\"x\"", "m v=4i"]),
            [
                "two types: the field \"v\" of \"m\" is a float at f:1 and an integer at f:3. InfluxDB would refuse the lines of one of \
                 them: set the type of \"v\" in `types`"
            ]
        );
    }

    #[test]
    fn fields_of_one_type_or_of_different_measurements_are_no_conflict() {
        assert!(conflicts(&["m v=1,w=t", "m v=2.5,w=false", "n v=1i", "m,h=a v=1e3"]).is_empty());
    }

    #[test]
    fn the_report_is_bounded() {
        let fields: Vec<String> = (0..30).map(|n| format!("f{n}=1")).collect();
        let (floats, integers) = (fields.join(","), fields.join("i,") + "i");
        let lines = conflicts(&[&format!("m {floats}"), &format!("m {integers}")]);
        assert_eq!(lines.len(), REPORTED_MAX + 1);
        assert_eq!(lines.last().unwrap(), "two types: 20 more fields");
    }
}
