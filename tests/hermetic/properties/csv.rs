//! Rows of CSV, and the JSON objects that have the same meaning.

use fastrand::Rng;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A table: names of columns, and rows of as many cells.
#[derive(Clone, Debug)]
pub struct Table {
    pub names: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

pub fn table() -> impl Strategy<Value = Table> {
    let name = "[a-z온\\\\,;\"= ]{1,4}|name|host|t";
    let names = vec(name, 1..6).prop_filter("names are unique and no empty line", |names| {
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        distinct.len() == names.len() && names.concat().trim() != ""
    });
    let cell = prop_oneof![
        3 => "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?",
        1 => any::<i64>().prop_map(|number| number.to_string()),
        2 => "[a-z온\\\\,;\"\n\r= ]{0,6}",
        1 => select(vec!["", "true", "false", "NaN", "-inf", "007", "+5", ".5", "5.", "1e3"]).prop_map(str::to_owned),
    ];
    names.prop_flat_map(move |names| {
        let rows = vec(vec(cell.clone(), names.len()), 1..5);
        rows.prop_map(move |rows| Table { names: names.clone(), rows })
    })
}

impl Table {
    /// CSV with quotes where they are needed, and in some other places; a seed chooses them and the line breaks.
    pub fn csv(&self, delimiter: char, seed: u64) -> String {
        let mut rng = Rng::with_seed(seed);
        let line_break = if rng.bool() { "\r\n" } else { "\n" };
        let mut out = String::new();
        for row in std::iter::once(&self.names).chain(&self.rows) {
            let mut cells: Vec<String> = row.iter().map(|cell| quoted(cell, delimiter, &mut rng)).collect();
            if let [only] = &mut cells[..]
                && only.is_empty()
            {
                // An empty line is no row.
                only.push_str("\"\"");
            }
            out.push_str(&cells.join(&delimiter.to_string()));
            out.push_str(line_break);
        }
        if rng.bool() {
            out.truncate(out.len() - line_break.len());
        }
        out
    }

    /// One JSON object a row. Cells of the columns `texts` are strings.
    pub fn json_lines(&self, is_text: impl Fn(&str) -> bool) -> String {
        let object = |row: &Vec<String>| {
            let members = self.names.iter().zip(row).map(|(name, cell)| {
                let value = match number(cell) {
                    _ if cell.is_empty() => "null".to_owned(),
                    _ if is_text(name) => serde_json::to_string(cell).unwrap(),
                    Some(number) => number,
                    None => serde_json::to_string(cell).unwrap(),
                };
                format!("{}:{value}", serde_json::to_string(name).unwrap())
            });
            format!("{{{}}}\n", members.collect::<Vec<_>>().join(","))
        };
        self.rows.iter().map(object).collect()
    }
}

/// The JSON of a cell that is a number or a word; cells with other meanings stay text.
fn number(cell: &str) -> Option<String> {
    let known = match cell.trim() {
        "true" | "false" => cell.trim(),
        "NaN" | "-inf" => "null",
        "007" => "7",
        "+5" => "5",
        ".5" => "0.5",
        "5." => "5.0",
        other if serde_json::from_str::<serde_json::Number>(other).is_ok() => other,
        _ => return None,
    };
    Some(known.to_owned())
}

fn quoted(cell: &str, delimiter: char, rng: &mut Rng) -> String {
    let needs_quotes = cell.contains([delimiter, '"', '\r', '\n']);
    if needs_quotes || rng.u8(0..4) == 0 {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
