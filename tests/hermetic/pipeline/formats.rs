//! Each format on its way through every command: `run` with dead letters, their replay by a corrected mapping, `map --live`,
//! `check --connect` and `init`.

use super::letters::original;
use crate::compress::{gzip, zstd};
use crate::folder::Folder;
use crate::signals::signal;
use crate::support::{Cluster, Setup, Sink};
use line_protocol::reader::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::thread;

/// Records of a good value in each topic, before the bad one: `init` proposes the format of most records.
const GOOD: usize = 3;

/// A format with its topic, whose name is the measurement of its points. Each good record is the point `id=a v=1`; the bad one becomes
/// `id=b v=2` by the corrected mapping.
struct Row {
    name: &'static str,
    mapping: &'static str,
    good: Vec<u8>,
    bad: Vec<u8>,
    corrected: &'static str,
    /// The lines of `format` and `value_compression` that `init` writes; none if the values do not show their format.
    proposed: Option<&'static [&'static str]>,
}

fn msgpack(id: u8, v: u8) -> Vec<u8> {
    [b"\x82\xA2id\xA1", &[id][..], b"\xA1v", &[v]].concat()
}

fn cbor(id: u8, v: u8) -> Vec<u8> {
    [b"\xA2\x62id\x61", &[id][..], b"\x61v", &[v]].concat()
}

fn framed(text: &str) -> Vec<u8> {
    [b"\0\0\0\0\x0A", text.as_bytes()].concat()
}

/// Writes the schemas that the rows name into the folder.
fn write_schemas(folder: &Folder) {
    let avro = |more: &str| {
        let fields = format!(r#"{{"name":"id","type":"string"}},{{"name":"v","type":"long"}}{more}"#);
        format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
    };
    let protobuf =
        |number: &str| format!("syntax = 'proto3'; message M {{ string id = 1; {number} v = 2; }}");
    folder.write("old.avsc", avro(""));
    folder.write("new.avsc", avro(r#",{"name":"left_out","type":"long"}"#));
    folder.write("old.proto", protobuf("int64"));
    folder.write("new.proto", protobuf("double"));
}

fn rows() -> Vec<Row> {
    const JSON: &str = r#"{"id":"a","v":1}"#;
    const LINES: &str = "{\"id\":\"b\",\"v\":2}\n{\"id\":\"empty\"}\n";
    // The bad record is one of several lines, and the format has to read it too.
    const OF_LINES: Option<&[&str]> = Some(&[r#"format = "json_lines""#]);
    let row = |name, mapping, good: &[u8], bad: &[u8], corrected, proposed| Row {
        name,
        mapping,
        good: good.to_vec(),
        bad: bad.to_vec(),
        corrected,
        proposed,
    };
    let with_double = [b"\x0A\x01b\x11", &2.0_f64.to_le_bytes()[..]].concat();
    vec![
        row(
            "influx",
            "format = 'influx'",
            b"influx,id=a v=1",
            br#"{"id":"b","v":2}"#,
            "tag_keys = ['id']",
            Some(&[r#"format = "influx""#]),
        ),
        row(
            "msgpack",
            "format = 'msgpack'\ntag_keys = ['id']",
            &msgpack(b'a', 1),
            &cbor(b'b', 2),
            "format = 'cbor'\ntag_keys = ['id']",
            Some(&[r#"format = "msgpack""#]),
        ),
        row(
            "cbor",
            "format = 'cbor'\ntag_keys = ['id']",
            &cbor(b'a', 1),
            &msgpack(b'b', 2),
            "format = 'msgpack'\ntag_keys = ['id']",
            Some(&[r#"format = "cbor""#]),
        ),
        row(
            "csv",
            "format = 'csv'\ntag_keys = ['id']",
            b"id,v\na,1\n",
            &framed(r#"{"id":"b","v":2}"#),
            "tag_keys = ['id']",
            Some(&[r#"format = "csv""#]),
        ),
        row(
            "value",
            "format = 'value'\nrename = { value = 'v' }\ntags = { id = 'a' }",
            b"1\n",
            &framed(r#"{"id":"b","v":2}"#),
            "tag_keys = ['id']",
            Some(&[r#"format = "value""#]),
        ),
        row(
            "avro",
            "format = 'avro'\nschema = 'old.avsc'\ntag_keys = ['id']",
            b"\x02a\x02",
            b"\x02b\x04\x06",
            "format = 'avro'\nschema = 'new.avsc'\ntag_keys = ['id']\nexclude = ['left_out']",
            None,
        ),
        row(
            "protobuf",
            "format = 'protobuf'\nschema = 'old.proto'\ntag_keys = ['id']",
            b"\x0A\x01a\x10\x01",
            &with_double,
            "format = 'protobuf'\nschema = 'new.proto'\ntag_keys = ['id']",
            None,
        ),
        row(
            "framed_json",
            "tag_keys = ['id']",
            &framed(JSON),
            &framed(LINES),
            "format = 'json_lines'\ntag_keys = ['id']",
            OF_LINES,
        ),
        row(
            "gzip_json",
            "tag_keys = ['id']",
            &gzip(JSON.as_bytes()),
            &gzip(LINES.as_bytes()),
            "format = 'json_lines'\ntag_keys = ['id']",
            OF_LINES,
        ),
        row(
            "zstd_msgpack",
            "format = 'msgpack'\nvalue_compression = 'zstd'\ntag_keys = ['id']",
            &zstd(&msgpack(b'a', 1)),
            &zstd(&cbor(b'b', 2)),
            "format = 'cbor'\nvalue_compression = 'zstd'\ntag_keys = ['id']",
            Some(&[r#"format = "msgpack""#, r#"value_compression = "zstd""#]),
        ),
    ]
}

/// The points of a row with this `id`: how many there are.
fn count(sink: &Sink, row: &Row, id: &str, v: f64) -> usize {
    let is_this = |(key, value): &(String, String)| key == "id" && value == id;
    let points = sink.points("main");
    let of_row =
        points.iter().filter(|point| point.measurement == row.name && point.tags.iter().any(is_this));
    let with_value = of_row.filter(|point| point.fields.iter().eq([(&"v".to_owned(), &Value::Float(v))]));
    with_value.count()
}

/// The lines of `map --live`, up to the last good record of the topic; the process is interrupted then.
fn live_lines(folder: &Folder, row: &Row) -> Vec<String> {
    let mut command = folder.command(&["map", "--live", "600", "--topic", row.name]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    while lines.len() < GOOD {
        let mut line = String::new();
        assert!(shown.read_line(&mut line).unwrap() > 0, "{}: {lines:?}", row.name);
        lines.push(line);
    }
    signal(child.id(), "INT");
    let mut rest = String::new();
    shown.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "{}", row.name);
    child.wait().unwrap();
    lines
}

#[test]
fn each_format_is_the_same_in_every_command() {
    let (cluster, sink, folder) = (Cluster::start(), Sink::start(), Folder::new());
    let rows = rows();
    for row in &rows {
        cluster.create_topic(row.name, 1);
        let records = std::iter::repeat_n(&row.good, GOOD).chain([&row.bad]);
        cluster.produce(row.name, 0, records);
    }
    write_schemas(&folder);
    let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    let with = |mapping: fn(&Row) -> &'static str| {
        let setup = Setup::new(&cluster, &sink, &format!("{names:?}")).top(&folder.table());
        rows.iter()
            .fold(setup, |setup, row| setup.mapping(&format!("topics = ['{}']\n{}", row.name, mapping(row))))
    };
    // Schemas are found beside the file of the configuration; in this process, by their whole paths.
    let whole_paths =
        |text: String| text.replace("schema = '", &format!("schema = '{}/", folder.path().display()));
    let text = whole_paths(with(|row| row.mapping).text());
    folder.write("bridge.toml", &text);

    Setup::start_text_until_end(&text).wait_for_end();
    let mut letters = folder.letters();
    for row in &rows {
        assert_eq!(count(&sink, row, "a", 1.0), GOOD, "{}", row.name);
        let place = letters.iter().position(|letter| letter["topic"] == row.name);
        let letter = letters.swap_remove(place.unwrap_or_else(|| panic!("{} has no letter", row.name)));
        assert_eq!(letter["offset"], GOOD, "{}", row.name);
        assert_eq!(original(&letter), row.bad, "{}: {letter}", row.name);
    }
    assert!(letters.is_empty(), "{letters:?}");

    let checked = folder.run(&["check", "--connect"]).out;
    for name in &names {
        let rejected =
            format!("topic {name}: 4 sampled records become 3 points; 1 is rejected, such as {name}[0]@3: ");
        assert!(checked.contains(&rejected), "{rejected}\n{checked}");
    }

    thread::scope(|scope| {
        for row in &rows {
            let (folder, address) = (&folder, cluster.address());
            scope.spawn(move || {
                for line in live_lines(folder, row) {
                    assert!(line.starts_with(&format!("{},id=a v=1 ", row.name)), "{line}");
                }
                let Some(proposed) = row.proposed else { return };
                let done = folder.run_to(0, &["init", "--brokers", &address, "--topic", row.name, "-o", "-"]);
                let is_format =
                    |line: &&str| line.starts_with("format ") || line.starts_with("value_compression ");
                let lines: Vec<&str> = done.out.lines().filter(is_format).collect();
                assert!(done.out.contains("[[mapping]]"), "{}: {done}", row.name);
                assert_eq!(lines, proposed, "{}", row.name);
            });
        }
    });

    let corrected = whole_paths(with(|row| row.corrected).text());
    folder.write("bridge.toml", corrected);
    let replayed = folder.run_to(0, &["replay-dead-letters"]).err;
    let all = format!("{0} replayed, stored as {0} points\n", rows.len());
    assert!(replayed.ends_with(&all), "{replayed}");
    for row in &rows {
        assert_eq!((count(&sink, row, "a", 1.0), count(&sink, row, "b", 2.0)), (GOOD, 1), "{}", row.name);
    }
}
