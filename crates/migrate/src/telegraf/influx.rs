//! Migrates `data_format = "influx"`, Telegraf's default: line protocol.

use super::conf::Options;
use super::rules::Rules;
use mapping::Format;

/// Options of the format.
pub const OPTIONS: [&str; 2] = ["influx_parser_type", "influx_timestamp_precision"];

pub fn read(input: &Options, rules: &mut Rules) {
    rules.format = Some(Format::Influx.name());
    // Each line has its own.
    rules.measurement.clear();
    // Telegraf has one more parser with the same result.
    input.text("influx_parser_type");
    let precision = input.text("influx_timestamp_precision");
    rules.precision = match precision.as_deref() {
        None | Some("1ns" | "ns") => None,
        Some("1us" | "1µs" | "us" | "µs") => Some("us"),
        Some("1ms" | "ms") => Some("ms"),
        Some("1s" | "s") => Some("s"),
        Some(other) => {
            let why = format!("`precision` is \"ns\", \"us\", \"ms\" or \"s\": no unit is {other}");
            rules.note(input, "influx_timestamp_precision", why);
            None
        }
    };
    if matches!(input.text("timestamp_source").as_deref(), Some("inner" | "outer")) {
        let why = "the time of a line is used; only lines without one get Kafka's";
        rules.note(input, "timestamp_source", why);
    }
}

#[cfg(test)]
mod tests {
    use crate::DryRun;
    use crate::golden::of_text;

    /// The draft, the notes, and the lines of records.
    fn migrated(options: &str, record: &str) -> (String, Vec<String>, String) {
        let text = format!(
            "[agent]\nhostname = 'agent'\n[[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['t']\n{options}\n\
             [[outputs.influxdb_v2]]\nurls = ['http://i:8086']\ntoken = 't'\norganization = 'o'\nbucket = 'b'\n"
        );
        let migration = of_text("telegraf.conf", &text).unwrap();
        let notes = migration.notes.iter().map(ToString::to_string).collect();
        let bridge = &migration.bridges[0];
        let lines = DryRun::new(bridge, "t").unwrap().map(record.as_bytes()).unwrap();
        (bridge.draft.to_string(), notes, lines.join("\n"))
    }

    #[test]
    fn the_default_format_is_line_protocol() {
        for options in ["", "data_format = 'influx'", "influx_parser_type = 'upstream'"] {
            let (draft, notes, lines) = migrated(options, "cpu,host=a v=1i,s=\"x\" 5\nmem v=2 6\n");
            assert_eq!(notes, [""; 0]);
            assert!(draft.contains("\nformat = \"influx\"\n"), "{draft}");
            for key in ["measurement =", "string_fields", "precision", "strict"] {
                assert!(!draft.contains(key), "{key}: {draft}");
            }
            // Telegraf adds `host` where a point has none.
            assert_eq!(lines, "cpu,host=a v=1i,s=\"x\" 5\nmem,host=agent v=2 6");
        }
    }

    #[test]
    fn names_tags_and_units_are_those_of_telegraf() {
        let options = "influx_timestamp_precision = '1ms'\nname_override = 'n'\nfieldexclude = ['w']\n\
                       [inputs.kafka_consumer.tags]\nsite = 's'";
        let (draft, notes, lines) = migrated(options, "cpu v=1,w=2 5\n");
        assert_eq!(notes, [""; 0]);
        assert!(draft.contains("\nprecision = \"ms\"\n"), "{draft}");
        assert_eq!(lines, "n,host=agent,site=s v=1 5000000");
    }

    #[test]
    fn options_without_a_counterpart_are_named() {
        let options = "influx_timestamp_precision = '1m'\nname_prefix = 'p_'\ntimestamp_source = 'outer'\ntagexclude = ['a']\n\
                       namepass = ['cpu*']";
        let (draft, notes, _) = migrated(options, "cpu v=1\n");
        assert_eq!(notes.len(), 5, "{notes:#?}");
        for option in
            ["influx_timestamp_precision", "name_prefix", "timestamp_source", "tagexclude", "namepass"]
        {
            assert!(notes.iter().any(|note| note.contains(option)), "{option}: {notes:#?}");
        }
        assert!(!draft.contains("\nmeasurement"), "{draft}");
    }
}
