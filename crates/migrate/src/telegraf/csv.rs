//! Migrates `data_format = "csv"`.

use super::conf::Options;
use super::json;
use super::rules::Rules;
use crate::values::exact_glob;
use toml::Value;

/// Options of the format `csv`.
pub const OPTIONS: [&str; 20] = [
    "csv_header_row_count",
    "csv_column_names",
    "csv_column_types",
    "csv_skip_rows",
    "csv_skip_columns",
    "csv_delimiter",
    "csv_comment",
    "csv_trim_space",
    "csv_tag_columns",
    "csv_tag_overwrite",
    "csv_measurement_column",
    "csv_timestamp_column",
    "csv_timestamp_format",
    "csv_timezone",
    "csv_skip_values",
    "csv_skip_errors",
    "csv_metadata_rows",
    "csv_metadata_separators",
    "csv_metadata_trim_set",
    "csv_reset_mode",
];

/// Options that change how rows are read, without a counterpart, and the values that change nothing.
const WITHOUT_COUNTERPART: [(&str, &[&str], &str); 6] = [
    (
        "csv_skip_rows",
        &["0"],
        "the first line of a record is its header or its first row: let the producer leave other lines out",
    ),
    ("csv_metadata_rows", &["0"], "lines of metadata can't become tags: let the producer leave them out"),
    (
        "csv_trim_space",
        &["false"],
        "spaces around numbers are ignored, but those around text stay: let the producer leave them out",
    ),
    (
        "csv_skip_values",
        &[],
        "only empty cells are no values: text in a column of numbers is dropped and counted anyway",
    ),
    ("csv_reset_mode", &["none", "always"], "each record is read by itself"),
    ("csv_tag_overwrite", &["false"], "a tag of the record always wins over a fixed one"),
];

/// How cells differ in general.
pub const CELLS: &str = "an empty cell is no value, and spaces around a number are ignored: Telegraf writes texts for both. It also reads t, T, f and F as booleans";

pub fn read(input: &Options, rules: &mut Rules) {
    rules.format = Some("csv");
    // Telegraf keeps strings, booleans and whole numbers as what they are.
    rules.string_fields = vec!["*".to_owned()];
    rules.integers = true;
    let mut settings = toml::Table::new();
    for (option, key) in [("csv_delimiter", "delimiter"), ("csv_comment", "comment")] {
        if let Some(text) = input.text(option).filter(|text| *text != "," || key == "comment") {
            settings.insert(key.to_owned(), text.into());
        }
    }
    if let Some(names) = header(input, rules) {
        settings.insert("header".to_owned(), names.into());
    }
    if !settings.is_empty() {
        rules.csv = Some(settings);
    }
    rules.tag_keys = input.texts("csv_tag_columns");
    rules.note(input, "data_format", CELLS);
    if let Some(column) = input.text("csv_measurement_column") {
        let why = "a cell that reads as a number or boolean is no name; Telegraf uses its text";
        rules.note(input, "csv_measurement_column", why);
        // The column is no field.
        rules.exclude.push(exact_glob(&column));
        rules.name_key = Some(column);
    }
    rules.time_key = input.text("csv_timestamp_column");
    json::time(input, ["csv_timestamp_column", "csv_timestamp_format", "csv_timezone"], rules);
    types(input, rules);
    for (option, harmless, why) in WITHOUT_COUNTERPART {
        let written = input.texts(option).join(",");
        if !written.is_empty() && !harmless.contains(&written.as_str()) {
            rules.note(input, option, why);
        }
    }
}

/// The names of the columns; none for the first line of each record.
fn header(input: &Options, rules: &mut Rules) -> Option<Vec<Value>> {
    let names = input.texts("csv_column_names");
    let skipped = number(input, "csv_skip_columns");
    match number(input, "csv_header_row_count") {
        0 if names.is_empty() => {
            rules.note(
                input,
                "csv_column_names",
                "Telegraf needs names here: the first line of each record is read as its header",
            );
            None
        }
        0 => {
            Some((0..skipped).map(|_| "").chain(names.iter().map(String::as_str)).map(Value::from).collect())
        }
        rows => {
            if rows > 1 {
                let why = "a header has one line: let the producer write the names into the first one";
                rules.note(input, "csv_header_row_count", why);
            }
            if !names.is_empty() {
                let why = "the names of the first line count: give them these names with `rename`";
                rules.note(input, "csv_column_names", why);
            }
            if skipped > 0 {
                rules.note(input, "csv_skip_columns", "columns are left out with `exclude`");
            }
            None
        }
    }
}

/// A number of rows or columns. Larger ones are mistakes, and each column becomes a name.
fn number(input: &Options, option: &str) -> usize {
    const MOST: usize = 1_000;
    input.text(option).and_then(|text| text.parse().ok()).unwrap_or(0).min(MOST)
}

/// Columns with a name get the type of `csv_column_types`. Where the names stand in the records, one type of whole numbers holds for all.
fn types(input: &Options, rules: &mut Rules) {
    let types = input.texts("csv_column_types");
    let has = |known: &str| types.iter().any(|text| text == known);
    if types.is_empty() {
        return;
    }
    if number(input, "csv_header_row_count") == 0 {
        for (name, kind) in input.texts("csv_column_names").iter().zip(&types) {
            let is_field = !rules.tag_keys.contains(name)
                && rules.name_key.as_ref() != Some(name)
                && rules.time_key.as_ref() != Some(name);
            if is_field && ["int", "float", "bool", "string"].contains(&kind.as_str()) {
                rules.types.push((exact_glob(name), kind.clone()));
            }
        }
        return;
    }
    rules.integers = has("int");
    if has("int") && has("float") {
        let why = "`integers` holds for all columns: whole numbers in columns of floats become integers too; write the columns' names into `types`";
        rules.note(input, "csv_column_types", why);
    }
    if has("string") {
        let why =
            "a cell that reads as a number is a number: write the names of columns of text into `types`";
        rules.note(input, "csv_column_types", why);
    }
}

#[cfg(test)]
mod tests {
    use crate::golden::{lines, of_text};
    use crate::{DryRun, Migration};

    fn migration(options: &str) -> Migration {
        let text = format!(
            "[agent]\n omit_hostname = true\n[[inputs.kafka_consumer]]\n brokers = ['b:1']\n topics = ['t']\n{options}\n\
             [[outputs.influxdb_v2]]\n urls = ['http://h']\n token = 't'\n organization = 'o'\n bucket = 'b'\n"
        );
        of_text("telegraf.conf", &text).unwrap()
    }

    /// The mapping and the notes of an input with these options, and the lines of records.
    fn migrated(options: &str, records: &str) -> (String, Vec<String>, String) {
        let migration = migration(options);
        let notes = migration.notes.iter().map(ToString::to_string).collect();
        let bridge = &migration.bridges[0];
        let text = bridge.draft.to_string();
        let mapping = text.split_once("[[mapping]]").unwrap().1.split("\n[").next().unwrap().to_owned();
        let lines = lines(bridge, "t", records);
        (mapping, notes, lines)
    }

    #[test]
    fn csv_with_names_of_columns() {
        let options = "data_format = 'csv'\n csv_column_names = ['at', 'host', 'load', 'up', 'n']\n csv_skip_columns = 1\n\
                       csv_delimiter = ';'\n csv_comment = '#'\n csv_tag_columns = ['host']\n\
                       csv_timestamp_column = 'at'\n csv_timestamp_format = 'unix'\n csv_measurement_column = 'name'";
        let (mapping, notes, lines) = migrated(options, "x;1700000000;007;0.5;true;3\n");
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains("data_format") && notes[1].contains("csv_measurement_column"), "{notes:?}");
        for line in [
            "format = \"csv\"",
            "csv = { comment = \"#\", delimiter = \";\", header = [\"\", \"at\", \"host\", \"load\", \"up\", \"n\"] }",
            "name_key = \"name\"",
            "time_format = \"unix\"",
        ] {
            assert!(mapping.contains(line), "{line}: {mapping}");
        }
        assert_eq!(lines, "kafka_consumer,host=007 load=0.5,up=true,n=3i 1700000000000000000\n");
    }

    #[test]
    fn csv_with_a_header_line() {
        let options = "data_format = 'csv'\n csv_header_row_count = 1\n csv_column_types = ['float', 'float']\n csv_skip_rows = 2\n csv_trim_space = false";
        let (mapping, notes, _) = migrated(options, "");
        assert!(mapping.contains("format = \"csv\"") && !mapping.contains("csv = "), "{mapping}");
        assert!(!mapping.contains("\nintegers ="), "{mapping}");
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes.iter().any(|note| note.contains("csv_skip_rows")), "{notes:?}");
    }

    #[test]
    fn each_named_column_has_its_type() {
        let options = "data_format = 'csv'\n csv_column_names = ['time', 'host', 'serial', 'temp', 'n', 'more']\n csv_tag_columns = ['host']\n\
                       csv_timestamp_column = 'time'\n csv_timestamp_format = 'unix'\n csv_column_types = ['int', 'string', 'string', 'float', 'int']";
        let (mapping, notes, lines) = migrated(options, "1,7,007,5,5,5\n1,8,A7,5.5,6,0.5\n");
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            mapping.contains("types = { n = \"int\", serial = \"string\", temp = \"float\" }"),
            "{mapping}"
        );
        assert_eq!(
            lines,
            "kafka_consumer,host=7 serial=\"007\",temp=5,n=5i,more=5i 1000000000\n\
             kafka_consumer,host=8 serial=\"A7\",temp=5.5,n=6i,more=0.5 1000000000\n"
        );
        let header =
            "data_format = 'csv'\n csv_header_row_count = 1\n csv_column_types = ['int', 'float', 'string']";
        let (_, notes, _) = migrated(header, "");
        assert_eq!(notes.iter().filter(|note| note.contains("csv_column_types")).count(), 2, "{notes:?}");
    }

    #[test]
    fn the_column_of_the_measurement_is_no_field() {
        let options = "data_format = 'csv'\n csv_header_row_count = 1\n csv_measurement_column = 'name'";
        for (more, want) in [("", "cpu v=1i"), ("\n name_override = 'm'", "m v=1i")] {
            let migration = migration(&format!("{options}{more}"));
            let lines = DryRun::new(&migration.bridges[0], "t").unwrap().map(b"name,v\ncpu,1\n");
            assert_eq!(lines.unwrap(), [want]);
        }
    }
}
