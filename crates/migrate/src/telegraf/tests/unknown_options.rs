//! Options of tables inside of plugins: each is read, or named with its line.

use crate::golden::of_text;

const OUTPUT: &str =
    "[[outputs.influxdb_v2]]\nurls = ['http://h']\ntoken = 't'\norganization = 'o'\nbucket = 'b'\n";

/// The notes of a configuration with these inputs and processors, and the drafts.
fn migrated(plugins: &str) -> (Vec<String>, String) {
    let text = format!("[agent]\nomit_hostname = true\n{plugins}{OUTPUT}");
    let migration = of_text("telegraf.conf", &text).unwrap();
    let drafts = migration.bridges.iter().map(|bridge| bridge.draft.to_string()).collect();
    (migration.notes.iter().map(ToString::to_string).collect(), drafts)
}

fn input(topic: &str, options: &str) -> String {
    format!("[[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['{topic}']\n{options}\n")
}

const JSON: &str = "data_format = 'json'\ntag_keys = ['host']\njson_string_fields = ['state']";

/// The tables of parsers and processors, each with all options that Telegraf 1.38 has, unless one alone keeps the input in Telegraf.
const TABLES: [(&str, &str); 20] = [
    (
        "inputs.kafka_consumer.json_v2",
        "measurement_name = 'm'\nmeasurement_name_path = 'n'\ntimestamp_path = 't'\ntimestamp_format = 'unix'\ntimestamp_timezone = 'UTC'",
    ),
    ("inputs.kafka_consumer.json_v2.tag", "path = 'a'\nrename = 'b'\ntype = 'string'\noptional = true"),
    ("inputs.kafka_consumer.json_v2.field", "path = 'a'\nrename = 'b'\ntype = 'int'\noptional = true"),
    (
        "inputs.kafka_consumer.json_v2.object",
        "path = 'o'\noptional = true\ntimestamp_key = 't'\ntimestamp_format = 'unix'\ntimestamp_timezone = 'UTC'\ntags = ['a']\n\
         included_keys = ['b']\nexcluded_keys = ['c']\ndisable_prepend_keys = true\nrenames = { b = 'd' }\nfields = { b = 'int' }",
    ),
    (
        "inputs.kafka_consumer.json_v2.object.tag",
        "path = 'a'\nrename = 'b'\ntype = 'string'\noptional = true",
    ),
    ("inputs.kafka_consumer.json_v2.object.field", "path = 'a'\nrename = 'b'\ntype = 'int'\noptional = true"),
    (
        "inputs.kafka_consumer.xpath",
        "metric_name = \"'m'\"\nmetric_selection = '/a'\ntimestamp = 't'\ntimestamp_format = 'unix'\ntimezone = 'UTC'\nfield_name = 'a'\n\
         field_value = 'a'\nfield_name_expansion = true\ntag_name = 'a'\ntag_value = 'a'\ntag_name_expansion = true\n\
         tags = { a = 'a' }\nfields = { b = 'b' }\nfields_int = { c = 'c' }",
    ),
    ("processors.rename.replace", "measurement = 'a'\ntag = 'a'\nfield = 'a'\ndest = 'b'"),
    (
        "processors.converter.tags",
        "measurement = ['a']\nstring = ['b']\ninteger = ['c']\nunsigned = ['d']\nboolean = ['e']\nfloat = ['f']\ntimestamp = ['g']\n\
         timestamp_format = 'unix'\ntimestamp_timezone = 'UTC'",
    ),
    (
        "processors.converter.fields",
        "measurement = ['a']\ntag = ['b']\ninteger = ['c']\nunsigned = ['d']\nboolean = ['e']\nfloat = ['f']\nstring = ['h']\n\
         timestamp = ['g']\ntimestamp_format = 'unix'\ntimestamp_timezone = 'UTC'",
    ),
    (
        "processors.enum.mapping",
        "field = 'state'\nfields = ['state']\ntag = 'host'\ntags = ['host']\ndest = 'x'\ndefault = 0\n\
         value_mappings = { on = 1, ON = 1, Off = 'off', o_n = true }",
    ),
    (
        "processors.strings.trim",
        "measurement = '*'\ntag = '*'\ntag_key = '*'\nfield = '*'\nfield_key = '*'\ndest = 'x'\ncutset = 'a'",
    ),
    ("processors.strings.replace", "field = '*'\nold = 'a'\nnew = 'b'"),
    ("processors.strings.left", "field = '*'\nwidth = 5"),
    ("processors.strings.trim_prefix", "field = '*'\nprefix = 'a'"),
    ("processors.strings.trim_suffix", "field = '*'\nsuffix = 'a'"),
    ("processors.strings.valid_utf8", "field = '*'\nreplacement = 'a'"),
    (
        "processors.regex.tags",
        "key = 'host'\npattern = '^a'\nreplacement = 'b'\nresult_key = 'c'\nappend = true",
    ),
    ("processors.regex.field_rename", "pattern = '^a'\nreplacement = 'b'\nresult_key = 'keep'"),
    ("processors.split.template", "name = 'm'\ntags = ['host']\nfields = ['*']"),
];

/// A configuration whose table `name` has these options.
fn with_table(name: &str, options: &str) -> String {
    let parents: Vec<usize> = name.match_indices('.').map(|(at, _)| at).skip(2).collect();
    let parents = parents.iter().filter_map(|&at| name.get(..at));
    let headers = parents.map(|parent| format!("[[{parent}]]\n")).collect::<Vec<_>>().concat();
    let is_map = matches!(name.rsplit('.').next(), Some("tags" | "fields")) && name.contains("converter");
    let header = if is_map { format!("[{name}]\n") } else { format!("[[{name}]]\n") };
    if let Some(table) = name.strip_prefix("inputs.kafka_consumer.") {
        let format = if table.starts_with("xpath") { "xpath_json" } else { "json_v2" };
        return input("t", &format!("data_format = '{format}'")) + &headers + &header + options + "\n";
    }
    let plugin: Vec<&str> = name.split('.').take(2).collect();
    let plugin = format!("[[{}]]\n", plugin.join("."));
    let own = if name.contains("split") { "drop_original = true\n" } else { "" };
    input("t", JSON) + &plugin + own + &header + options + "\n"
}

#[test]
fn unknown_options_are_named_in_every_table() {
    for (name, options) in TABLES {
        let text = with_table(name, &format!("{options}\nunheard_of = 1"));
        let (notes, drafts) = migrated(&text);
        let line = 2 + text.lines().position(|line| line == "unheard_of = 1").unwrap() + 1;
        let want = format!("telegraf.conf:{line}: unheard_of: this option of {name} has no counterpart");
        assert!(notes.iter().any(|note| note.starts_with(&want)), "{want}: {notes:#?}");
        assert!(drafts.contains(&format!("unheard_of (telegraf.conf:{line})")), "{name}: {drafts}");
    }
}

#[test]
fn options_that_telegraf_has_are_known_in_every_table() {
    for (name, options) in TABLES {
        let (notes, _) = migrated(&with_table(name, options));
        assert!(!notes.iter().any(|note| note.contains("this option of")), "{name}: {notes:#?}");
    }
}

#[test]
fn a_misspelled_option_of_a_table_is_named_with_the_right_one() {
    for (table, wrong, right) in [
        ("inputs.kafka_consumer.json_v2.object", "include_keys = ['a']", "included_keys"),
        ("inputs.kafka_consumer.xpath", "metric_selecton = '/a'", "metric_selection"),
        ("processors.enum.mapping", "value_mapping = { a = 1 }", "value_mappings"),
    ] {
        let (notes, _) = migrated(&with_table(table, wrong));
        let want = format!("did you mean {right:?}?");
        assert!(notes.iter().any(|note| note.contains(&want)), "{table}: {notes:#?}");
    }
}

#[test]
fn values_that_a_table_of_names_can_not_have_are_named() {
    let fields =
        "[[inputs.kafka_consumer.xpath]]\n[inputs.kafka_consumer.xpath.fields]\na = 'a'\nlist = ['b', 'c']\n";
    let (notes, _) = migrated(&(input("t", "data_format = 'xpath_json'") + fields));
    let want = "telegraf.conf:10: list: this option of inputs.kafka_consumer.xpath.fields";
    assert!(notes.iter().any(|note| note.starts_with(want)), "{notes:#?}");
}

#[test]
fn a_processor_that_an_earlier_input_does_not_pass_is_read_for_a_later_one() {
    let inputs = input("a", &format!("{JSON}\nname_override = 'first'"))
        + &input("b", &format!("{JSON}\nname_override = 'second'"));
    for passing in ["namepass = ['second']\n", "tagpass = { host = ['x'] }\nnamepass = ['second']\n"] {
        let (notes, _) = migrated(&format!("{inputs}[[processors.rename]]\n{passing}unheard_of = 1\n"));
        let is_left_out = passing.contains("tagpass");
        let is_named = |what: &str| notes.iter().any(|note| note.contains(what));
        assert_eq!(is_named(": unheard_of: "), !is_left_out, "{notes:#?}");
        assert_eq!(is_named("processors.rename was left out"), is_left_out, "{notes:#?}");
    }
}

#[test]
fn a_table_that_is_left_out_is_named_once() {
    let two = "[[inputs.kafka_consumer.json_v2]]\n[[inputs.kafka_consumer.json_v2.object]]\npath = 'a'\n\
               [[inputs.kafka_consumer.json_v2]]\nmeasurement_name = 'm'\n[[inputs.kafka_consumer.json_v2.object]]\npath = 'b'\n";
    let (notes, _) = migrated(&(input("t", "data_format = 'json_v2'") + two));
    let of_second: Vec<_> = notes
        .iter()
        .filter(|note| ["10", "11", "12", "13"].iter().any(|line| note.contains(&format!(".conf:{line}:"))))
        .collect();
    assert_eq!(of_second.len(), 1, "{notes:#?}");
}

#[test]
fn the_folders_of_imports_are_named() {
    let protobuf = |paths: &str| {
        input(
            "t",
            &format!(
                "data_format = 'xpath_protobuf'\nxpath_protobuf_files = ['m.proto']\nxpath_protobuf_type = 'M'\n\
                 xpath_protobuf_import_paths = {paths}\n[[inputs.kafka_consumer.xpath]]\nfields = {{ a = 'a' }}"
            ),
        )
    };
    for (paths, is_named) in [("['.']", false), ("['/etc/protos', '.']", true)] {
        let (notes, _) = migrated(&protobuf(paths));
        assert_eq!(
            notes.iter().any(|note| note.contains("xpath_protobuf_import_paths")),
            is_named,
            "{notes:#?}"
        );
    }
}

#[test]
fn tables_named_after_the_format_are_those_of_xpath() {
    let table = "[[inputs.kafka_consumer.xpath_json]]\nfields = { a = 'number(a)' }\n";
    let (_, drafts) = migrated(&(input("t", "data_format = 'xpath_json'") + table));
    assert!(drafts.contains("types = { a = \"float\" }"), "{drafts}");
}
