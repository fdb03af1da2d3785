use super::syntax::{Plugin, Value, parse};
use crate::golden;
use crate::golden::of_text;
use crate::{Kind, MigrateError};

fn read(text: &str) -> Vec<Plugin> {
    parse(&"f".into(), text).unwrap()
}

#[test]
fn reads_values() {
    let f = |text: &str, want: &str| {
        let plugins = read(&format!("input {{ a {{ x => {text} y => 1 }} }}"));
        assert_eq!(plugins[0].settings.len(), 2, "{text}");
        assert_eq!(shown(&plugins[0].settings[0].value), want, "{text}");
    };
    f("word", "word");
    f("-1.5", "-1.5");
    f("\"a # b\"", "a # b");
    f("'a \"b\"'", "a \"b\"");
    f("\"a \\\" \\d\"", "a \" \\d");
    f("[1, \"b\", c]", "[1,b,c]");
    f("[ ]", "[]");
    f("{ \"a\" => 1 b => [2] \"[c][d]\" => { e => f } }", "{a=1,b=[2],[c][d]={e=f}}");
    f("json { charset => \"UTF-8\" }", "json");
    f("\"${A}:${B:x:y} ${C:}\"", "${A}:${B:-x:y} ${C}");
    f("\"${not a name} $x ${\"", "$${not a name} $$x $${");
    f("\"%{[a][b]}\"", "%{[a][b]}");
    f("\"two\nlines\"", "two\nlines");
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::List(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(",")),
        Value::Hash(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={}", shown(value))).collect();
            format!("{{{}}}", pairs.join(","))
        }
        Value::Plugin(plugin) => plugin.name.clone(),
    }
}

#[test]
fn reads_plugins_with_their_lines_and_conditions() {
    let plugins = read(
        "# c\ninput { a { } }\nfilter {\n  if [x] =~ /a{2}\\/{/ and [y] == \"{\" {\n    b { # c\n      id => \"1\"\n    }\n  } else if !([z]) { c {} } else { d {} }\n  e {}\n}\n",
    );
    let got: Vec<_> = plugins
        .iter()
        .map(|p| {
            format!(
                "{} {} {} {}",
                p.section,
                p.name,
                p.place.line,
                p.conditions.iter().map(super::syntax::Condition::shown).collect::<Vec<_>>().join("/")
            )
        })
        .collect();
    assert_eq!(
        got,
        [
            "input a 2 ",
            "filter b 5 if [x] =~ /a{2}\\/{/ and [y] == \"{\"",
            "filter c 8 else if !([z])",
            "filter d 8 else",
            "filter e 9 ",
        ]
    );
    assert_eq!(plugins[1].settings[0].place.line, 6);
    assert!(read("").is_empty());
}

#[test]
fn syntax_errors_name_the_line() {
    let f = |text: &str, line: usize, want: &str| {
        golden::refuses(parse(&"f".into(), text), text, line, want);
    };
    f("\nkafka { }", 2, "an input, filter or output section");
    f("input {\n a { b 1 } }", 2, "\"=>\" is missing");
    f("input { a { b => } }", 1, "a value is missing");
    f("input {\n", 2, "a name or \"}\"");
    f("input { a {\n b => \"c\n } }", 2, "quote");
    f("filter { if [a] ", 1, "no \"{\" after it");
    f(&format!("input {{ a {{ b => {}", "[".repeat(10_000)), 1, "nested brackets");
    f(&format!("filter {{ {}", "if [a] { ".repeat(10_000)), 1, "nested conditions");
    f(&format!("input {{ a {{ b => {}", "c { d => ".repeat(10_000)), 1, "nested brackets");
}

#[test]
fn recognizes_the_tool_by_its_sections() {
    let f = |text: &str, want: Option<Kind>| assert_eq!(Kind::of(text), want, "{text}");
    f("# c\ninput {\n}", Some(Kind::Logstash));
    f("input{kafka{}}", Some(Kind::Logstash));
    f("input\n{\n", Some(Kind::Logstash));
    f("<source>\n  @type x\n  input {\n", Some(Kind::Fluentd));
    f("[[inputs.kafka_consumer]]\n", Some(Kind::Telegraf));
    f("inputs {", None);
    f("", None);
}

#[test]
fn golden_files_are_up_to_date() {
    golden::check("logstash", 5);
}

#[test]
fn damaged_files_never_panic() {
    let pieces = [
        "{", "}", "[", "]", "\"", "'", "=>", "%{", "${", "$", "if [a] {", "else", "\n", "\\", "#", "/", "온",
        "*", ",",
    ];
    assert!(golden::damage("logstash", &pieces) > 50);
}

#[test]
fn points_match_those_of_logstash() {
    let migration = golden::of_case("logstash", "event-fields");
    let records = concat!(
        r#"{"name":"cpu","host":{"name":"h1"},"cpu_load":0.5,"count":7,"ok":true,"debug":"x","message":"m","@timestamp":"t","ts":1767225600123}"#,
        "\n",
        r#"{"host":{"name":"h2"},"count":8,"internal":{"id":"a","n":1},"region":"kr","ts":1767225600124}"#,
        "\n",
    );
    let want = "cpu,host=h1,site=seoul,topic=metrics name=\"cpu\",load=0.5,count=7i,ok=true 1767225600123000000\n\
        logstash,host=h2,region=kr,site=seoul,topic=metrics count=8i,internal_n=1i 1767225600124000000\n";
    assert_eq!(golden::lines(&migration.bridges[0], "metrics", records), want);
}

#[test]
fn files_without_kafka_are_refused() {
    let error = of_text("a.conf", "input { beats { } }").unwrap_err();
    let MigrateError::Nothing { why, notes, .. } = error else { panic!("{error}") };
    assert!(why.contains("kafka"), "{why}");
    assert!(notes[0].to_string().starts_with("a.conf:1: beats: the bridge reads Kafka only"), "{notes:?}");
}

/// Otherwise an option of the wrong kind would silently be missing from the result.
#[test]
fn values_that_are_no_texts_are_noted() {
    let f = |input: &str, filter: &str, output: &str, want: &str| {
        let text = format!(
            "input {{ kafka {{ codec => json {input} }} }} filter {{ {filter} }} output {{ influxdb {{ host => h db => d {output} }} }}"
        );
        let migration = of_text("a.conf", &text).unwrap();
        let notes: Vec<String> = migration.notes.iter().map(ToString::to_string).collect();
        assert!(notes.iter().any(|note| note.contains(want)), "{want}: {notes:?}");
    };
    f("consumer_threads => \"${THREADS}\"", "", "", "consumer_threads");
    let codec = "codec => json { charset => \"ISO-8859-1\" tarqet => \"doc\" }";
    f(codec, "", "", "charset: records are always read as UTF-8");
    f(codec, "", "", "did you mean `target`?");
    f("add_field => { a => [1, 2] }", "", "", "a has a list or a hash");
    f("", "mutate { rename => { a => [b, c] } }", "", "a has a list or a hash");
    f("", "mutate { convert => { a => { b => c } } }", "", "a has a list or a hash");
    f("", "mutate { add_field => { a => [1, 2] } }", "", "a has a list or a hash");
    f("", "", "data_points => { a => [1, 2] }", "a has a list or a hash");
    f("", "", "idle_flush_time => \"${IDLE}\"", "idle_flush_time");
}

#[test]
fn messagepack_is_a_format_of_the_bridge() {
    let text = "input { kafka { bootstrap_servers => \"b:1\" topics => [\"t\"] codec => msgpack } }\n\
                output { influxdb { host => \"i\" db => \"d\" measurement => \"m\" data_points => { \"v\" => \"%{v}\" } } }\n";
    let migration = of_text("pipeline.conf", text).unwrap();
    let written = migration.bridges[0].draft.to_string();
    assert!(written.contains("format = \"msgpack\""), "{written}");
    assert!(!migration.notes.iter().any(|note| note.to_string().contains("codec")), "{:?}", migration.notes);
}
