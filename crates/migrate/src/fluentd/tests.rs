use super::syntax::{DEPTH_MAX, Section, parse};
use crate::MigrateError;
use crate::golden;
use crate::golden::of_text;

fn read(text: &str) -> Section {
    parse(&"f".into(), text).unwrap()
}

/// The only option of a file in the notation of bridge.toml.
fn value(text: &str) -> String {
    let root = read(&format!("key {text}\nnext 1\n"));
    assert_eq!(root.options.len(), 2, "{text}: {root:?}");
    assert_eq!(
        (root.options[1].name.as_str(), root.options[1].place.line),
        ("next", 1 + text.split('\n').count())
    );
    root.options[0].value.text.clone()
}

#[test]
fn reads_values() {
    let f = |text: &str, want: &str| assert_eq!(value(text), want, "{text}");
    f("plain", "plain");
    f("a b  c ", "a b  c");
    f("a # comment", "a");
    f("a#b", "a#b");
    f("/^a.*$/, b", "/^a.*$/, b");
    f("\"a # b\" # comment", "a # b");
    f("\"a\\tb\\\"c\\\\\"", "a\tb\"c\\");
    f("\"two\nlines\"", "two\nlines");
    f("'a \"b\" #{c} \\' \\n'", "a \"b\" #{c} ' \\n");
    f("[\"a\", \"b\"]", "[\"a\",\"b\"]");
    f("[\n  \"a\", # first\n  \"b\"\n]", "[\"a\",\"b\"]");
    f("{ \"a b\": [1, {\"c\": \"}\"}] }", "{\"a b\":[1,{\"c\":\"}\"}]}");
    f("${tag}.x", "$${tag}.x");
    f("pa$word", "pa$$word");
    f("온도", "온도");
    f("\r", "");
}

#[test]
fn reads_the_ruby_that_gives_settings() {
    let f = |text: &str, want: &str| {
        assert_eq!(value(&format!("\"{text}\"")), want, "{text}");
        assert_eq!(value(text), want, "unquoted {text}");
    };
    f("#{ENV['HOST']}", "${HOST}");
    f("#{ENV[\"HOST\"]}:8086", "${HOST}:8086");
    f("http://#{ENV['A']}:#{ENV['B'] || 80}", "http://${A}:${B:-80}");
    f("#{ENV.fetch('A', 'x')}", "${A:-x}");
    f("#{ENV['A'] || use_default}", "${A}");
    f("#{File.read('/run/secrets/token').strip}", "${file:/run/secrets/token}");
    f("#{Socket.gethostname}", "${HOSTNAME}");
    f("a#{rand({a: 1})}b", "a${FILL_IN}b");
    f("#{ENV['not a name']}", "${FILL_IN}");
}

#[test]
fn reads_sections_with_their_lines() {
    let root = read(
        "# c\n<source> # comment\n  @type a\n  <parse>\n    @type json\n  </parse>\n</source>\n<match \"a b\">\n</match>\n",
    );
    let source = &root.sections[0];
    assert_eq!((source.name.as_str(), source.place.line, source.plugin()), ("source", 2, "a"));
    assert_eq!((source.sections[0].name.as_str(), source.sections[0].plugin()), ("parse", "json"));
    assert_eq!((root.sections[1].argument.as_str(), root.sections[1].place.line), ("a b", 8));
    assert_eq!(read("").sections.len(), 0);
}

#[test]
fn syntax_errors_name_the_line() {
    let f = |text: &str, line: usize, want: &str| {
        golden::refuses(parse(&"f".into(), text), text, line, want);
    };
    f("a 1\n<source>\n", 2, "is not closed by </source>");
    f("<source>\n</match>\n", 2, "<source> of line 1 is open");
    f("</match>\n", 1, "closes nothing");
    f("<source\n", 1, "a section begins");
    f("\na \"b\nc\n", 2, "not closed");
    f("a [1,\n", 1, "not closed");
    f("a \"#{b\n\"", 1, "not closed");
    f(&"<a>\n".repeat(1000), DEPTH_MAX + 1, "nested sections");
}

#[test]
fn golden_files_are_up_to_date() {
    golden::check("fluentd", 6);
}

#[test]
fn damaged_files_never_panic() {
    let pieces = [
        "<",
        ">",
        "</",
        "\"",
        "'",
        "#{",
        "}",
        "[",
        "{",
        "\n",
        "\\",
        "$",
        "${",
        "<source>\n",
        "</match>\n",
        "온",
        "%",
        "*",
        ",",
    ];
    assert!(golden::damage("fluentd", &pieces) > 50);
}

/// The README of the example has the points that Fluentd stored.
#[test]
fn the_example_gives_the_points_that_fluentd_stored() {
    let migration = golden::of_case("fluentd", "broker-metrics");
    let config = golden::parse(&migration.bridges[0].draft.to_string());
    let example = golden::folder("../../examples/broker-metrics");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    let wanted = golden::parse(&read("bridge.toml"));
    assert_eq!(config.kafka.group_id, wanted.kafka.group_id);
    assert_eq!(
        format!("{:?}", config.mappings[0].destination),
        format!("{:?}", wanted.mappings[0].destination)
    );
    assert_eq!(
        golden::lines(&migration.bridges[0], "kafka.metrics.processed", &read("records.jsonl")),
        read("expected.lp")
    );
}

#[test]
fn files_without_kafka_are_refused() {
    let error = of_text("td.conf", "<source>\n@type tail\n</source>\n<match **>\n@type influxdb\n</match>\n")
        .unwrap_err();
    let MigrateError::Nothing { why, notes, .. } = error else { panic!("{error}") };
    assert!(why.contains("kafka_group"), "{why}");
    assert!(
        notes[0].to_string().starts_with("td.conf:1: <source>: @type tail does not read Kafka"),
        "{notes:?}"
    );
    let error = of_text("td.conf", "<source>\n@type kafka_group\n").unwrap_err();
    assert!(error.to_string().starts_with("td.conf:1: "), "{error}");
}

#[test]
fn a_pattern_that_can_not_be_read_is_noted() {
    let text = "<source>\n@type kafka_group\nbrokers h:9092\ntopics t\nconsumer_group g\nformat json\n</source>\n\
        <filter /^(?!a)t$/>\n@type stdout\n</filter>\n<match **>\n@type influxdb\nhost h\ndbname d\n</match>\n";
    let migration = of_text("td.conf", text).unwrap();
    let notes: Vec<String> = migration.notes.iter().map(ToString::to_string).collect();
    assert!(notes.iter().any(|note| note.contains("/^(?!a)t$/ is not a regular expression")), "{notes:?}");
}

#[test]
fn options_of_a_parser_are_named() {
    let text = "<source>\n  @type kafka_group\n  brokers b:1\n  topics t\n  consumer_group g\n  <parse>\n    @type json\n    json_parser oj\n\
                types temp:float\n    unheard_of 1\n    keep_time_kye true\n  </parse>\n</source>\n\
                <match **>\n  @type influxdb\n  host i\n  dbname d\n</match>\n";
    let migration = of_text("fluent.conf", text).unwrap();
    let notes: Vec<String> = migration.notes.iter().map(ToString::to_string).collect();
    for want in [
        "fluent.conf:9: types: declare them with `types` of [[mapping]]",
        "fluent.conf:10: unheard_of: <parse> has no such option",
        "did you mean `keep_time_key`?",
    ] {
        assert!(notes.iter().any(|note| note.contains(want)), "{want}: {notes:#?}");
    }
    assert!(!notes.iter().any(|note| note.contains("json_parser")), "{notes:#?}");
}

#[test]
fn messagepack_is_a_format_of_the_bridge() {
    let f = |format: &str, want: bool| {
        let text = format!(
            "<source>\n  @type kafka_group\n  brokers b:1\n  topics t\n  consumer_group g\n{format}</source>\n\
             <match **>\n  @type influxdb\n  host i\n  dbname d\n</match>\n"
        );
        let migration = of_text("fluent.conf", &text).unwrap();
        let written = migration.bridges[0].draft.to_string();
        assert_eq!(written.contains("format = \"msgpack\""), want, "{written}");
        let noted = migration.notes.iter().any(|note| note.to_string().contains("does not read"));
        assert_eq!(noted, format.contains("ltsv") && !want, "{:?}", migration.notes);
    };
    f("  format json\n", false);
    f("  format msgpack\n", true);
    f("  format ltsv\n  <parse>\n    @type msgpack\n  </parse>\n", true);
    f("  format ltsv\n", false);
}
