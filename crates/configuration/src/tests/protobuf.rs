//! Schemas of Protobuf in files.

use super::*;
use ::mapping::{Format, Schema};

fn with_files(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (name, text) in files {
        folder.write(name, text);
    }
    folder
}

/// Loads a configuration in this folder.
fn load_in(folder: &Path, lines: &str) -> Result<Loaded, String> {
    let text = with("mapping", &format!("format = 'protobuf'\n{lines}"));
    parse(&folder.join("bridge.toml"), &text, &env).map_err(|errors| errors.to_string())
}

/// Name of the records' message.
fn message(folder: &Path, lines: &str) -> String {
    let loaded = load_in(folder, lines).unwrap_or_else(|errors| panic!("{lines}: {errors}"));
    let rules = &loaded.config.mappings[0].rules;
    assert_eq!(rules.format, Format::Protobuf);
    match &rules.schema {
        Some(Schema::Protobuf(schema)) => schema.message().to_owned(),
        other => panic!("{other:?}"),
    }
}

const METRIC: &str =
    "syntax = 'proto3'; package acme; import 'acme/part.proto'; message Metric { Part part = 1; }";
const PART: &str = "syntax = 'proto3'; package acme; message Part { double v = 1; }";

#[test]
fn imports_are_beside_the_schema_or_above_up_to_the_configuration() {
    let folder = with_files(&[("schemas/acme/metric.proto", METRIC), ("schemas/acme/part.proto", PART)]);
    assert_eq!(message(folder.path(), "schema = 'schemas/acme/metric.proto'"), "acme.Metric");
    let beside = METRIC.replace("acme/part", "part");
    let folder = with_files(&[("metric.proto", &beside), ("part.proto", PART)]);
    assert_eq!(message(folder.path(), "schema = 'metric.proto'"), "acme.Metric");
    assert_eq!(message(folder.path(), "schema = 'metric.proto'\nmessage = 'acme.Part'"), "acme.Part");
    // The folder above that of the configuration is not searched.
    let folder = with_files(&[("inner/metric.proto", METRIC), ("acme/part.proto", PART)]);
    let errors = load_in(&folder.file("inner"), "schema = 'metric.proto'").unwrap_err();
    assert!(errors.contains("metric.proto:1:34: import 'acme/part.proto' not found"), "{errors}");
}

#[test]
fn errors_name_the_file_the_line_and_the_remedy() {
    let two = "syntax = 'proto3';\nmessage One {}\nmessage Two {}";
    let folder = with_files(&[
        ("one.proto", "syntax = 'proto3';\nmessage One { int64 v = 1; }"),
        ("two.proto", two),
        ("wrong.proto", "syntax = 'proto3';\nmessage One { int64 v; }"),
        ("none.pb", "no descriptors"),
    ]);
    let f = |lines: &str, want: &str| {
        let errors = load_in(folder.path(), lines).unwrap_err();
        assert!(errors.contains(want), "{lines}: {errors}");
    };
    f("message = 'One'", "`message` selects a message of the file of `schema`");
    f("schema = 'missing.proto'", "missing.proto can't be read");
    f("schema = 'wrong.proto'", "`schema`: wrong.proto:2:22: expected");
    f(
        "schema = 'two.proto'",
        "two.proto: it declares several messages (One, Two): name the one of the records with `message`",
    );
    f(
        "schema = 'two.proto'\nmessage = 'Tow'",
        "`message`: the schema has no message \"Tow\"; did you mean \"Two\"?",
    );
    f("schema = 'none.pb'", "--include_imports");
    f("schema = 'one.proto'\nmessage = ''", "`message` is empty");
    f("schema = 'one.proto'\nmessage = 5", "`message` must be a string");
    let errors = run(&with("mapping", "message = 'One'")).unwrap_err().to_string();
    assert!(
        errors.contains("`message` belongs to format = \"protobuf\", not \"json\": leave it out"),
        "{errors}"
    );
}

#[test]
fn without_a_schema_a_registry_has_it() {
    let folder = with_files(&[]);
    assert!(load_in(folder.path(), "").is_err());
    let text = with("mapping", "format = 'protobuf'") + "[schema_registry]\nurl = 'http://localhost:8081'\n";
    assert!(config(&text).mappings[0].rules.schema.is_none());
}

#[test]
fn a_reload_notices_a_changed_schema() {
    let folder = with_files(&[("m.proto", "syntax = 'proto3'; message M { int64 v = 1; }")]);
    let load = || load_in(folder.path(), "schema = 'm.proto'").unwrap().config;
    let old = load();
    assert!(old.changes_to(&load()).unwrap().is_empty());
    folder.write("m.proto", "syntax = 'proto3'; message M { int64 v = 1; int64 w = 2; }");
    assert!(!old.changes_to(&load()).unwrap().is_empty());
}

#[test]
fn a_timestamp_needs_no_time_format() {
    let folder = with_files(&[("m.proto", "syntax = 'proto3'; message M { int64 v = 1; }")]);
    let loaded = load_in(folder.path(), "schema = 'm.proto'\ntime_key = 'at'").unwrap();
    assert!(loaded.summaries[0].contains("a point for each M, "), "{:?}", loaded.summaries);
}
