//! Random pipelines of Telegraf: the migrated configuration gives Telegraf's own points, or a note says that it does not.

use crate::golden::of_text;
use crate::telegraf::csv::CELLS;
use crate::{DryRun, MigrateError, seed};
use fastrand::Rng;
use line_protocol::reader::{Point, read_v2_line};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const CASES: usize = 150;
const TOPIC: &str = "plant";
const HEADER: &str = "sender";

/// A pipeline without the names of plugins, and its records.
struct Case {
    /// Options of the input.
    input: String,
    /// Tables of the input.
    input_tables: String,
    /// Options of the agent.
    agent: String,
    global_tags: String,
    rest: String,
    /// Filters and names of the output.
    output: String,
    records: Vec<String>,
    has_header: bool,
    has_topic: bool,
}

impl Case {
    /// The configuration to migrate.
    fn to_migrate(&self) -> String {
        let mut options = "brokers = ['b:1']\ntopics = ['plant']\n".to_owned();
        options += if self.has_topic { "topic_tag = 'topic'\n" } else { "" };
        options += if self.has_header { "msg_headers_as_tags = ['sender']\n" } else { "" };
        let output = "urls = ['http://h']\ntoken = 't'\norganization = 'o'\nbucket = 'b'\n";
        self.text(("inputs.kafka_consumer", &[options]), ("outputs.influxdb_v2", output))
    }

    /// The configuration to run: a file for each record in place of Kafka. The name of a file stands for the topic, its path for a header.
    fn to_run(&self, files: &[PathBuf], out: &Path) -> String {
        let options: Vec<String> = files
            .iter()
            .map(|file| {
                let mut options = format!("files = ['{}']\n", file.display());
                options += if self.input.contains("'json'") || self.input.contains("'csv'") {
                    "metric_name = 'kafka_consumer'\n"
                } else {
                    ""
                };
                options += if self.has_topic { "file_tag = 'topic'\n" } else { "" };
                options += if self.has_header { "file_path_tag = 'sender'\n" } else { "" };
                options
            })
            .collect();
        let output = format!("files = ['{}']\ndata_format = 'influx'\n", out.display());
        self.text(("inputs.file", &options), ("outputs.file", &output))
    }

    fn text(&self, (input, inputs): (&str, &[String]), (output, options): (&str, &str)) -> String {
        let tables = self.input_tables.replace("INPUT", input);
        let inputs = inputs.iter().map(|options| format!("[[{input}]]\n{options}{}{tables}", self.input));
        let inputs = inputs.collect::<Vec<_>>().concat();
        format!(
            "[agent]\n{}[global_tags]\n{}{inputs}{}[[{output}]]\n{options}{}",
            self.agent,
            self.global_tags,
            self.rest,
            self.output.replace("OUTPUT", output)
        )
    }
}

/// Names to choose from.
struct Names {
    measurements: Vec<&'static str>,
    tags: Vec<&'static str>,
    fields: Vec<&'static str>,
}

fn one<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

fn list(rng: &mut Rng, of: &[&str], globs: &[&str]) -> String {
    let texts: Vec<String> = (0..rng.usize(1..4))
        .map(|_| format!("'{}'", if rng.u8(..3) == 0 { one(rng, globs) } else { one(rng, of) }))
        .collect();
    format!("[{}]", texts.join(", "))
}

const NAME_GLOBS: [&str; 5] = ["*", "kafka*", "*_raw", "p_*", "[a-k]*"];
const TAG_GLOBS: [&str; 4] = ["*", "*n*", "t?", "[g-l]*"];
const FIELD_GLOBS: [&str; 5] = ["*", "fld_*", "*_total", "s*", "n?"];

/// Filters of any plugin.
fn filters(rng: &mut Rng, names: &Names) -> (String, String) {
    let (mut options, mut tables) = (String::new(), String::new());
    for (option, of, globs) in [
        ("namepass", &names.measurements, &NAME_GLOBS[..]),
        ("namedrop", &names.measurements, &NAME_GLOBS),
        ("fieldinclude", &names.fields, &FIELD_GLOBS),
        ("fieldexclude", &names.fields, &FIELD_GLOBS),
        ("taginclude", &names.tags, &TAG_GLOBS),
        ("tagexclude", &names.tags, &TAG_GLOBS),
    ] {
        let odds = if option == "namepass" || option == "namedrop" { 12 } else { 8 };
        if rng.u8(..odds) == 0 {
            let _infallible = writeln!(options, "{option} = {}", list(rng, of, globs));
        }
    }
    if rng.u8(..20) == 0 {
        let tag = one(rng, &names.tags);
        let _infallible =
            writeln!(tables, "[PLUGIN.{}]\n{tag} = ['a', 's*']", one(rng, &["tagpass", "tagdrop"]));
    }
    if rng.u8(..20) == 0 {
        let field = one(rng, &names.fields);
        let _infallible =
            writeln!(options, "metricpass = 'fields.{field} {} 3'", one(rng, &[">", "<=", "=="]));
    }
    (options, tables)
}

/// Options that name the points of an input or output.
fn naming(rng: &mut Rng) -> String {
    let mut options = String::new();
    for (option, value) in [("name_override", "given"), ("name_prefix", "p_"), ("name_suffix", "_raw")] {
        if rng.u8(..5) == 0 {
            let _infallible = writeln!(options, "{option} = '{value}'");
        }
    }
    options
}

fn rename(rng: &mut Rng, names: &Names, text: &mut String) {
    for _ in 0..rng.usize(1..4) {
        let (option, name, dest) = match rng.u8(..5) {
            0 => ("measurement", one(rng, &names.measurements), one(rng, &names.measurements)),
            1 | 2 => ("tag", one(rng, &names.tags), one(rng, &["t1", "t2", "t3", "unit", "line"])),
            _ => ("field", one(rng, &names.fields), one(rng, &["n1", "n2", "n3", "state"])),
        };
        let _infallible =
            writeln!(text, "[[processors.rename.replace]]\n{option} = '{name}'\ndest = '{dest}'");
    }
}

fn converter(rng: &mut Rng, names: &Names, text: &mut String) {
    let kinds = ["integer", "unsigned", "float", "boolean", "string"];
    let mut has_one = false;
    if rng.u8(..3) == 0 {
        let _infallible = writeln!(
            text,
            "[processors.converter.tags]\n{} = ['{}']",
            one(rng, &["integer", "float", "string", "measurement"]),
            one(rng, &names.tags)
        );
        has_one = true;
    }
    if !has_one || rng.bool() {
        let _infallible = writeln!(text, "[processors.converter.fields]");
        let used = rng.usize(..kinds.len());
        let _infallible = writeln!(text, "{} = {}", kinds[used], list(rng, &names.fields, &["*", "fld_*"]));
        if rng.u8(..3) == 0 {
            let _infallible = writeln!(text, "tag = ['{}']", one(rng, &names.fields));
        }
    }
}

fn enumerate(rng: &mut Rng, names: &Names, text: &mut String) {
    for _ in 0..rng.usize(1..3) {
        let of = if rng.bool() {
            format!("tags = ['{}']", one(rng, &names.tags))
        } else {
            format!("fields = ['{}']", one(rng, &["state", "mode", "up", "temp", "n1", "*"]))
        };
        let _infallible = writeln!(text, "[[processors.enum.mapping]]\n{of}");
        if rng.u8(..6) == 0 {
            let _infallible = writeln!(text, "dest = '{}'", one(rng, &["n2", "t2"]));
        }
        if rng.u8(..10) == 0 {
            let _infallible = writeln!(text, "default = 'other'");
        }
        let values = [
            "on = 'ON'\noff = 'OFF'",
            "on = 1\noff = 0",
            "a = 'x y'\nON = 'lit'",
            "true = 'yes'\nb = 'c'",
            "5 = 'five'",
        ];
        let _infallible = writeln!(text, "[processors.enum.mapping.value_mappings]\n{}", one(rng, &values));
    }
}

fn strings(rng: &mut Rng, names: &Names, text: &mut String) {
    for _ in 0..rng.usize(1..3) {
        let (kind, more) = [
            ("lowercase", ""),
            ("uppercase", ""),
            ("titlecase", ""),
            ("trim_prefix", "prefix = 'fld_'"),
            ("trim_suffix", "suffix = '_total'"),
            ("trim_left", "cutset = 'kp_'"),
            ("trim", "cutset = 'a_'"),
            ("replace", "old = '_'\nnew = '-'"),
            ("left", "width = 3"),
        ][rng.usize(..9)];
        let of = match rng.u8(..6) {
            0 | 1 => format!("measurement = '{}'", one(rng, &["*", "kafka_consumer", "given"])),
            2 => format!("tag_key = '{}'", if rng.bool() { "*" } else { one(rng, &names.tags) }),
            3 => format!("tag = '{}'", one(rng, &names.tags)),
            4 => format!("field = '{}'", one(rng, &names.fields)),
            _ => format!("field_key = '{}'", if rng.bool() { "*" } else { one(rng, &names.fields) }),
        };
        let _infallible = writeln!(text, "[[processors.strings.{kind}]]\n{of}\n{more}");
    }
}

fn regex(rng: &mut Rng, names: &Names, text: &mut String) {
    let (group, key, pattern, replacement) = match rng.u8(..8) {
        0 | 1 => {
            ("tag_rename", "", one(rng, &["^(.*)n(.*)$", "^t", "e"]), one(rng, &["x", "${1}", "x_${1}"]))
        }
        2..=4 => (
            "field_rename",
            "",
            one(rng, &["^fld_(.*)$", "_total$", "^(.*)_total$", "^st"]),
            one(rng, &["${1}", "x_${1}", "x"]),
        ),
        5 | 6 => ("metric_rename", "", one(rng, &["^kafka_", "_(.)", "n"]), one(rng, &["", "${1}", "x"])),
        _ => (one(rng, &["tags", "fields"]), one(rng, &names.tags), "^(.)", "${1}_"),
    };
    let key = if key.is_empty() { String::new() } else { format!("key = '{key}'\n") };
    let _infallible = writeln!(
        text,
        "[[processors.regex.{group}]]\n{key}pattern = '{pattern}'\nreplacement = '{replacement}'"
    );
}

/// Writes the tables of a processor.
type Write = fn(&mut Rng, &Names, &mut String);

const KINDS: [(&str, Write); 7] = [
    ("rename", rename),
    ("rename", rename),
    ("converter", converter),
    ("enum", enumerate),
    ("strings", strings),
    ("strings", strings),
    ("regex", regex),
];

fn processor(rng: &mut Rng, names: &Names, kinds: &[usize]) -> String {
    let mut text = String::new();
    let (name, write) = KINDS[kinds[rng.usize(..kinds.len())]];
    let _infallible = writeln!(text, "[[processors.{name}]]");
    if rng.u8(..3) == 0 {
        let _infallible = writeln!(text, "order = {}", rng.i32(-1..3));
    }
    let (options, tables) = if rng.u8(..4) == 0 { filters(rng, names) } else { Default::default() };
    text += &options;
    write(rng, names, &mut text);
    text + &tables.replace("PLUGIN", &format!("processors.{name}"))
}

/// A record of JSON. A name that renames give is no key of it: which of both counts is documented.
fn json(rng: &mut Rng) -> String {
    let mut members = vec![format!(r#""seq":{}"#, rng.u32(..9))];
    for (key, values) in [
        ("host", &["\"a\"", "\"srv 2\""][..]),
        ("unit", &["\"b\"", "\"on\""]),
        ("line", &["\"1\"", "\"l,2\""]),
        ("state", &["\"on\"", "\"off\"", "\"\"", "\"a\""]),
        ("mode", &["\"ON\"", "\"b\""]),
        ("up", &["true", "false"]),
        ("note", &["\"on\"", "\"7\""]),
        ("temp", &["1.5", "5", "-2"]),
        ("fld_speed", &["2", "3.25"]),
        ("fld_load_total", &["10", "0.5"]),
        ("energy_total", &["100", "4"]),
        ("name", &["\"cpu_raw\"", "\"mem\""]),
        ("fld", &[r#"{"deep":1,"a_total":2}"#]),
    ] {
        if rng.u8(..5) > 0 {
            members.push(format!("\"{key}\":{}", one(rng, values)));
        }
    }
    rng.shuffle(&mut members);
    format!("{{{}}}", members.join(","))
}

fn influx(rng: &mut Rng) -> String {
    let mut line = one(rng, &["cpu_raw", "mem", "p_x"]).to_owned();
    for tag in ["host=a", "unit=on", "line=s1"] {
        if rng.bool() {
            line.extend([",", tag]);
        }
    }
    let fields = ["temp=1.5", "state=\"on\"", "fld_speed=2i", "energy_total=4", "up=true"];
    let fields: Vec<&str> = fields.into_iter().filter(|_| rng.u8(..3) > 0).chain(["seq=1"]).collect();
    format!("{line} {}", fields.join(","))
}

/// Options and tables of `json_v2` with paths to keys that have spaces, dots and brackets.
fn json_v2(rng: &mut Rng) -> (String, String) {
    let mut tables = "[[INPUT.json_v2]]\nmeasurement_name = 'kafka_consumer'\n".to_owned();
    for (group, path) in [
        ("tag", "host"),
        ("tag", "my tag"),
        ("tag", r"a\.tag"),
        ("field", "my key"),
        ("field", r"a\.key"),
        ("field", "in.temp"),
        ("field", "in.state x"),
        ("field", r"in.b\.c"),
        ("field", "k[0]"),
    ] {
        if rng.bool() {
            let _infallible = writeln!(tables, "[[INPUT.json_v2.{group}]]\npath = '{path}'");
            tables += if rng.bool() { "optional = true\n" } else { "" };
            if rng.u8(..4) == 0 {
                let _infallible = writeln!(tables, "rename = '{}'", one(rng, &["new name", "t1", "temp2"]));
            }
        }
    }
    ("data_format = 'json_v2'\n".to_owned(), tables)
}

fn record_of_json_v2(rng: &mut Rng) -> String {
    let texts = [
        r#""host":"a""#,
        r#""my tag":"x y""#,
        r#""a.tag":"on""#,
        r#""my key":5"#,
        r#""a.key":true"#,
        r#""k[0]":1.5"#,
    ];
    let inner = [r#""temp":2"#, r#""state x":"on""#, r#""b.c":7"#];
    let mut some = |of: &[&str]| of.iter().filter(|_| rng.u8(..6) > 0).copied().collect::<Vec<_>>().join(",");
    let (outer, inner) = (some(&texts), some(&inner));
    let comma = if outer.is_empty() { "" } else { "," };
    format!("{{{outer}{comma}\"in\":{{{inner}}}}}")
}

fn csv(rng: &mut Rng) -> String {
    let columns: [(&str, &[&str]); 8] = [
        ("host", &["a", "srv 2"]),
        ("unit", &["b", "on"]),
        ("state", &["on", "off", "a"]),
        ("up", &["true", "false"]),
        ("temp", &["1.5", "5", "-2"]),
        ("fld_speed", &["2", "3.25"]),
        ("energy_total", &["100", "4"]),
        ("name", &["cpu_raw", "mem"]),
    ];
    let columns: Vec<_> =
        columns.into_iter().filter(|_| rng.u8(..6) > 0).chain([("seq", &["1", "2"][..])]).collect();
    let row = |cells: Vec<&str>| cells.join(",") + "\n";
    let mut text = row(columns.iter().map(|(name, _)| *name).collect());
    for _ in 0..rng.usize(1..3) {
        text += &row(columns.iter().map(|(_, values)| one(rng, values)).collect());
    }
    text
}

fn case(rng: &mut Rng) -> Case {
    let kind = rng.usize(..10);
    let (is_json, is_json_v2) = (kind > 2, kind == 1);
    let names = Names {
        measurements: vec![
            "kafka_consumer",
            "p_kafka_consumer",
            "given",
            "cpu_raw",
            "mem",
            "given_raw",
            "Kafka_consumer",
        ],
        tags: vec!["host", "unit", "line", "site", "topic", HEADER, "t1", "t2", "env"],
        fields: vec![
            "temp",
            "state",
            "mode",
            "up",
            "fld_speed",
            "speed",
            "load",
            "energy_total",
            "energy",
            "n1",
            "n2",
            "note",
            "seq",
        ],
    };
    let mut input = String::new();
    if is_json {
        input += "data_format = 'json'\njson_string_fields = ['state', 'mode', 'up']\n";
        let tags: Vec<&str> = ["host", "unit", "line"].into_iter().filter(|_| rng.u8(..4) > 0).collect();
        let mut tags: Vec<String> = tags.into_iter().map(|tag| format!("'{tag}'")).collect();
        if rng.u8(..10) == 0 {
            tags.push("'*ne'".to_owned());
        }
        let _infallible = writeln!(input, "tag_keys = [{}]", tags.join(", "));
        if rng.u8(..6) == 0 {
            input += "json_name_key = 'name'\n";
        }
    } else if kind == 2 {
        input += "data_format = 'csv'\ncsv_header_row_count = 1\ncsv_tag_columns = ['host', 'unit']\n";
        input += if rng.u8(..4) == 0 { "csv_measurement_column = 'name'\n" } else { "" };
    } else if !is_json_v2 {
        input += "data_format = 'influx'\n";
    }
    let (format, tables_of_format) = if is_json_v2 { json_v2(rng) } else { Default::default() };
    input += &format;
    input += &naming(rng);
    let (options, tables) = filters(rng, &names);
    input += &options;
    let mut input_tables = tables_of_format + &tables.replace("PLUGIN", "INPUT");
    if rng.bool() {
        input_tables += "[INPUT.tags]\nsite = 'seoul'\n";
        input_tables += if rng.bool() { "host = 'fixed'\n" } else { "" };
    }
    // A pipeline of few kinds is more often one without a note.
    let kinds: Vec<usize> = (0..rng.usize(1..4)).map(|_| rng.usize(..KINDS.len())).collect();
    let processors = if rng.u8(..4) == 0 { 5..9 } else { 0..5 };
    let rest: String = (0..rng.usize(processors)).map(|_| processor(rng, &names, &kinds)).collect();
    let (options, tables) = filters(rng, &names);
    let output = naming(rng) + &options + &tables.replace("PLUGIN", "OUTPUT");
    let record = [influx, record_of_json_v2, csv, json][kind.min(3)];
    let records = (0..rng.usize(1..6)).map(|_| record(rng)).collect();
    Case {
        input,
        input_tables,
        agent: match rng.u8(..6) {
            0 => "hostname = 'agent'\n",
            1 => "omit_hostname = true\nalways_include_local_tags = true\n",
            2 => "omit_hostname = true\nalways_include_global_tags = true\n",
            _ => "omit_hostname = true\n",
        }
        .to_owned(),
        global_tags: if rng.bool() { "env = 'on'\nunit = 'global'\n".to_owned() } else { String::new() },
        rest,
        output,
        records,
        has_header: rng.u8(..4) == 0,
        has_topic: rng.u8(..4) == 0,
    }
}

/// The points of lines without times and without their order. None if a line is broken.
fn points(lines: impl IntoIterator<Item = String>) -> Option<Vec<String>> {
    let shown = |line: String| {
        let mut point: Point = read_v2_line(line.as_bytes()).ok()?;
        point.tags.sort();
        point.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        Some(format!("{} {:?} {:?}", point.measurement, point.tags, point.fields))
    };
    let mut points = lines.into_iter().map(shown).collect::<Option<Vec<String>>>()?;
    points.sort();
    Some(points)
}

/// Telegraf's own points. None if it writes a line that InfluxDB would refuse, such as one with a tag twice.
fn theirs(program: &Path, folder: &Path, case: &Case) -> Option<Vec<String>> {
    let files: Vec<PathBuf> =
        (0..case.records.len()).map(|number| folder.join(format!("{number}/{TOPIC}"))).collect();
    for (file, record) in files.iter().zip(&case.records) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, record).unwrap();
    }
    let (config, out) = (folder.join("telegraf.conf"), folder.join("out"));
    let _not_there = fs::remove_file(&out);
    fs::write(&config, case.to_run(&files, &out)).unwrap();
    let output = Command::new(program)
        .arg("--config")
        .arg(&config)
        .arg("--once")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() || said.contains("input plugins recorded"),
        "{said}\n{}",
        case.to_run(&files, &out)
    );
    let lines = fs::read_to_string(&out).unwrap_or_default();
    points(lines.lines().map(str::to_owned).collect::<Vec<_>>())
}

/// The bridge's points, the notes, and the mapping.
fn ours(folder: &Path, case: &Case) -> (Vec<String>, Vec<String>, String) {
    let migration = match of_text("telegraf.conf", &case.to_migrate()) {
        Ok(migration) => migration,
        Err(MigrateError::Nothing { .. }) => return Default::default(),
        Err(error) => panic!("{error}\n{}", case.to_migrate()),
    };
    // The random records have no such cells.
    let notes = migration.notes.iter().filter(|note| note.why != CELLS).map(ToString::to_string).collect();
    let bridge = &migration.bridges[0];
    let draft = bridge.draft.to_string();
    let mut mapping =
        DryRun::new(bridge, TOPIC).unwrap_or_else(|error| panic!("{error}\n{draft}\n{}", case.to_migrate()));
    let mut lines = Vec::new();
    for (number, record) in case.records.iter().enumerate() {
        let path = folder.join(format!("{number}/{TOPIC}"));
        let headers: &[(&str, &[u8])] = &[(HEADER, path.as_os_str().as_encoded_bytes())];
        lines.extend(mapping.map_with_headers(record.as_bytes(), headers).unwrap_or_default());
    }
    (points(lines).expect("the bridge's lines can be read"), notes, draft)
}

/// Random records in long form, without the cases that the note of a pivot names.
fn pivoted(rng: &mut Rng) -> Case {
    let member = |rng: &mut Rng, key: &str, values: &[&str]| {
        (rng.u8(..4) > 0).then(|| format!("\"{key}\":{}", one(rng, values)))
    };
    let record = |rng: &mut Rng| {
        let mut members = vec![format!(r#""seq":{}"#, rng.u32(..9))];
        members.extend(member(rng, "host", &["\"a\"", "\"srv 2\""]));
        members.extend(member(rng, "metric", &["\"temp\"", "\"flow rate\"", "\"seq_2\"", "\"온도\""]));
        members.extend(member(rng, "value", &["1.5", "-2", "1e3", "null"]));
        members.extend(member(rng, "in", &[r#"{"value":3}"#, r#"{"metric":"x"}"#]));
        rng.shuffle(&mut members);
        format!("{{{}}}", members.join(","))
    };
    let renamed =
        "[[processors.rename]]\norder = 2\n[[processors.rename.replace]]\nfield = 'temp'\ndest = 'celsius'\n";
    let mut rest = "[[processors.pivot]]\norder = 1\ntag_key = 'metric'\nvalue_key = 'value'\n".to_owned();
    rest += if rng.bool() { renamed } else { "" };
    Case {
        input: "data_format = 'json'\ntag_keys = ['host', 'metric']\n".to_owned(),
        input_tables: String::new(),
        agent: "omit_hostname = true\n".to_owned(),
        global_tags: String::new(),
        rest,
        output: if rng.bool() { "fieldexclude = ['seq']\n" } else { "" }.to_owned(),
        records: (0..rng.usize(1..6)).map(|_| record(rng)).collect(),
        has_header: false,
        has_topic: false,
    }
}

#[test]
#[ignore = "needs Telegraf (tests/stack/telegraf/build): TELEGRAF=BINARY cargo test -p kafka-influx-bridge-migrate telegraf_itself -- --ignored --nocapture"]
fn telegraf_itself_pivots_records_to_the_points_of_zip() {
    let program = PathBuf::from(std::env::var_os("TELEGRAF").expect("TELEGRAF must name Telegraf's binary"));
    let seed = seed::given_or_random(
        "BRIDGE_MIGRATE_SEED",
        "cargo test -p kafka-influx-bridge-migrate telegraf_itself_pivots -- --ignored",
    );
    let folder = std::env::temp_dir().join(format!("bridge-pivot-{}", std::process::id()));
    let mut compared = 0;
    for number in 0..CASES / 5 {
        let case = pivoted(&mut Rng::with_seed(seed.wrapping_add(number as u64)));
        let (ours, notes, draft) = ours(&folder, &case);
        assert!(matches!(&notes[..], [note] if note.contains("`zip` gives")), "{notes:?}");
        let theirs = theirs(&program, &folder, &case).expect("Telegraf's lines can be read");
        compared += theirs.len();
        assert_eq!(
            ours,
            theirs,
            "case {number}:\n{}\n{}\n{draft}",
            case.to_migrate(),
            case.records.join("\n")
        );
    }
    let _left_behind = fs::remove_dir_all(&folder);
    eprintln!("{compared} points of pivoted records are equal");
    assert!(compared > 30, "{compared}");
}

#[test]
#[ignore = "needs Telegraf (tests/stack/telegraf/build): TELEGRAF=BINARY cargo test -p kafka-influx-bridge-migrate telegraf_itself -- --ignored --nocapture"]
fn telegraf_itself_gives_the_points_of_random_pipelines_or_a_note_names_the_difference() {
    let program = PathBuf::from(std::env::var_os("TELEGRAF").expect("TELEGRAF must name Telegraf's binary"));
    let cases = seed::given("BRIDGE_MIGRATE_CASES").map_or(CASES, |cases| usize::try_from(cases).unwrap());
    let seed = seed::given_or_random(
        "BRIDGE_MIGRATE_SEED",
        "cargo test -p kafka-influx-bridge-migrate telegraf_itself -- --ignored",
    );
    let folder = std::env::temp_dir().join(format!("bridge-parity-{}", std::process::id()));
    let (mut without_note, mut with_points, mut differ, mut broken) = (0, 0, 0, 0);
    let mut failures = Vec::new();
    for number in 0..cases {
        let case = case(&mut Rng::with_seed(seed.wrapping_add(number as u64)));
        let (ours, notes, draft) = ours(&folder, &case);
        let Some(theirs) = theirs(&program, &folder, &case) else {
            broken += 1;
            continue;
        };
        without_note += usize::from(notes.is_empty());
        with_points += usize::from(notes.is_empty() && !theirs.is_empty());
        if ours == theirs {
            continue;
        }
        differ += 1;
        if notes.is_empty() {
            let records = case.records.join("\n");
            failures.push(format!(
                "case {number} (seed {}):\n{}\n{records}\n--- bridge.toml\n{draft}\n--- Telegraf\n{}\n--- bridge\n{}\n",
                seed.wrapping_add(number as u64),
                case.to_migrate(),
                theirs.join("\n"),
                ours.join("\n")
            ));
        }
    }
    let _left_behind = fs::remove_dir_all(&folder);
    eprintln!(
        "{cases} pipelines: {without_note} without a note ({with_points} of them with points), {differ} differ, {} of them without a note; {broken} with broken lines of Telegraf",
        failures.len()
    );
    assert!(
        failures.is_empty(),
        "{}",
        failures.iter().take(4).cloned().collect::<Vec<_>>().join("\n=====\n")
    );
    assert!(with_points * 10 > cases, "{with_points}");
}
