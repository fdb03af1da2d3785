//! Migrates `data_format = "value"`: a record is one value.

use super::conf::Options;
use super::rules::Rules;

/// Options of the parser.
pub const OPTIONS: [&str; 2] = ["value_field_name", "data_type"];

/// The key of the field.
const KEY: &str = "value";

/// Sets the type of the field from `data_type` (`plugins/parsers/value/parser.go` of Telegraf 1.37.2).
pub fn read(input: &Options, rules: &mut Rules) {
    rules.format = Some("value");
    let set_type = |rules: &mut Rules, to: &str| rules.types.push((KEY.to_owned(), to.to_owned()));
    let keep_texts = |rules: &mut Rules| rules.string_fields = vec![KEY.to_owned()];
    let why = match input.text("data_type").as_deref() {
        // Telegraf's default.
        None | Some("int" | "integer") => {
            set_type(rules, "int");
            "true, false and 1e3 become 1, 0 and 1000, and Telegraf refuses them; of several words Telegraf reads the last one, and the bridge drops them".to_owned()
        }
        Some("float" | "long") => {
            "of several words Telegraf reads the last one, and the bridge drops them".to_owned()
        }
        Some("bool" | "boolean") => {
            set_type(rules, "bool");
            "t, T, f and F are dropped and counted; Telegraf reads them as booleans".to_owned()
        }
        Some("str" | "string") => {
            set_type(rules, "string");
            // Processors may change the text.
            keep_texts(rules);
            String::new()
        }
        Some("auto_integer") => {
            rules.integers = true;
            keep_texts(rules);
            "a number with a fraction is a number, and true and false are booleans; Telegraf writes texts for them".to_owned()
        }
        Some("auto_float") => {
            keep_texts(rules);
            "true and false are booleans; Telegraf writes texts for them".to_owned()
        }
        Some("base64") => {
            "the bridge writes no base64 text of bytes, and only numbers become points: keep Telegraf for these topics".to_owned()
        }
        Some(other) => format!("Telegraf 1.37 has no type {other:?}: only numbers become points"),
    };
    if !why.is_empty() {
        rules.note(input, "data_type", why);
    }
    if let Some(name) = input.text("value_field_name").filter(|name| name != KEY) {
        rules.rename.push((KEY.to_owned(), name));
    }
}

#[cfg(test)]
mod tests {
    use crate::golden::{lines, of_text};

    /// The draft and the notes of an input with these options, and the lines of records.
    fn migrated(options: &str, records: &str) -> (String, Vec<String>, String) {
        let text = format!(
            "[agent]\n omit_hostname = true\n[[inputs.kafka_consumer]]\n brokers = ['b:1']\n topics = ['t']\n data_format = 'value'\n{options}\n\
             [[outputs.influxdb_v2]]\n urls = ['http://h']\n token = 't'\n organization = 'o'\n bucket = 'b'\n"
        );
        let migration = of_text("telegraf.conf", &text).unwrap();
        let notes = migration.notes.iter().map(ToString::to_string).collect();
        let bridge = &migration.bridges[0];
        (bridge.draft.to_string(), notes, lines(bridge, "t", records))
    }

    #[test]
    fn the_value_has_the_type_of_telegraf() {
        let f = |data_type: &str, records: &str, want: &str| {
            let (_, notes, lines) = migrated(&format!(" data_type = '{data_type}'"), records);
            let lines = lines.replace("kafka_consumer value=", "");
            assert_eq!(lines, want, "{data_type}");
            assert_eq!(notes.is_empty(), matches!(data_type, "str" | "string"), "{data_type}: {notes:?}");
        };
        for data_type in ["", "int", "integer"] {
            f(data_type, "5\n-7\n5.5\non\n", "5i\n-7i\n");
        }
        for data_type in ["float", "long", "base64", "no_type"] {
            f(data_type, "5\n5.5\non\ntrue\n", "5\n5.5\n");
        }
        for data_type in ["bool", "boolean"] {
            f(data_type, "true\nFALSE\n1\n0\non\n", "true\nfalse\ntrue\nfalse\n");
        }
        for data_type in ["str", "string"] {
            f(data_type, "007\ntrue\ntwo words\n", "\"007\"\n\"true\"\n\"two words\"\n");
        }
        f("auto_integer", "5\n5.5\non\n", "5i\n5.5\n\"on\"\n");
        f("auto_float", "5\n5.5\non\n", "5\n5.5\n\"on\"\n");
    }

    #[test]
    fn the_field_has_the_name_of_telegraf() {
        let (draft, _, lines) = migrated(" data_type = 'string'\n value_field_name = 'state'", "on\n");
        assert!(draft.contains("format = \"value\""), "{draft}");
        assert_eq!(lines, "kafka_consumer state=\"on\"\n");
        let (draft, _, _) = migrated(" value_field_name = 'value'", "");
        assert!(!draft.contains("rename"), "{draft}");
    }
}
