//! A mapping that `migrate` makes of a random configuration of `json_v2` gives the points of a real Telegraf, wherever both can express
//! the configuration.

use crate::folder::Folder;
use crate::support::{measured, run_telegraf_once};
use fastrand::Rng;
use line_protocol::reader::{Point, read_v2_line, split_lines};
use migrate::{DryRun, Input, Machine, migrate};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

const CASES: usize = 400;
/// The tag by which a point of Telegraf is found in its case.
const CASE: &str = "parity_case";

/// A record, and the tables of `json_v2` without the name of the plugin.
struct Case {
    record: String,
    tables: String,
}

/// Scalars of an object, with the names that Telegraf and the bridge give them.
#[derive(Default)]
struct Keys {
    texts: Vec<String>,
    numbers: Vec<String>,
    /// Strings that contain numbers.
    quoted: Vec<String>,
    flags: Vec<String>,
    nulls: Vec<String>,
}

impl Keys {
    fn all(&self) -> Vec<String> {
        [&self.texts, &self.numbers, &self.quoted, &self.flags, &self.nulls]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }
}

/// Members of an object without lists. Telegraf makes no point where the last member of an object is an empty one, so a scalar ends it.
fn members(rng: &mut Rng, before: &str, depth: usize, keys: &mut Keys) -> String {
    let mut texts = Vec::new();
    for number in 0..rng.usize(1..5) {
        let name = format!("{}{number}", ["k", "val", "on"][rng.usize(..3)]);
        let flattened = format!("{before}{name}");
        let value = match rng.u8(..12) {
            0..=2 if depth < 2 => {
                let inner = members(rng, &format!("{flattened}_"), depth + 1, keys);
                format!("{{{inner}}}")
            }
            0..=3 => {
                keys.texts.push(flattened);
                format!("\"{}\"", ["x", "two words", "a,b=c", "온"][rng.usize(..4)])
            }
            4..=6 => {
                keys.numbers.push(flattened);
                rng.u32(..100_000).to_string()
            }
            7 => {
                keys.numbers.push(flattened);
                format!("{}.5", rng.i32(-1_000..1_000))
            }
            8 => {
                keys.quoted.push(flattened);
                format!("\"{}\"", rng.u32(..1_000))
            }
            9 | 10 => {
                keys.flags.push(flattened);
                rng.bool().to_string()
            }
            _ => {
                keys.nulls.push(flattened);
                "null".to_owned()
            }
        };
        texts.push(format!("\"{name}\":{value}"));
    }
    keys.numbers.push(format!("{before}z"));
    texts.push(format!("\"z\":{}", rng.u32(..1_000)));
    texts.join(",")
}

fn some(rng: &mut Rng, names: &[String]) -> Vec<String> {
    names.iter().filter(|_| rng.u8(..3) == 0).cloned().collect()
}

fn list(keys: &[String]) -> String {
    format!("[{}]", keys.iter().map(|key| format!("'{key}'")).collect::<Vec<_>>().join(", "))
}

/// One object, or a list of objects of the same keys, with what stands around it.
fn case(rng: &mut Rng) -> Case {
    let mut keys = Keys::default();
    let count = rng.usize(1..4);
    let seed = rng.u64(..);
    // The same seed gives the same keys and types.
    let elements: Vec<String> = (0..count)
        .map(|number| {
            keys = Keys::default();
            let inner = members(&mut Rng::with_seed(seed), "", 0, &mut keys);
            format!("{{\"at\":{},{inner}}}", 1_700_000_000 + number)
        })
        .collect();
    let (value, path) = match rng.u8(..3) {
        0 => (elements[0].clone(), "items"),
        1 => (format!("[{}]", elements.join(",")), "items"),
        _ => (format!("{{\"list\":[{}]}}", elements.join(",")), "items.list"),
    };
    let record =
        format!(r#"{{"site":{{"name":"seoul","floor":3}},"kind":"m x","total":12,"items":{value}}}"#);
    let mut tables = String::from("[[P.json_v2]]\nmeasurement_name = 'fixed'\n");
    if rng.bool() {
        tables += "measurement_name_path = 'kind'\n";
    }
    if rng.bool() {
        tables += "[[P.json_v2.tag]]\npath = 'site.name'\n";
        tables += if rng.bool() { "rename = 'place'\n" } else { "" };
    }
    if rng.bool() {
        let kind = ["", "type = 'int'\n", "type = 'float'\n"][rng.usize(..3)];
        let _infallible = write!(tables, "[[P.json_v2.field]]\npath = 'total'\n{kind}");
    }
    if rng.bool() {
        tables += "[[P.json_v2.field]]\npath = 'site.floor'\nrename = 'level'\n";
    }
    let _infallible = write!(tables, "[[P.json_v2.object]]\npath = '{path}'\n");
    let has_time = rng.bool();
    tables += if has_time {
        "timestamp_key = 'at'\ntimestamp_format = 'unix'\n"
    } else {
        "excluded_keys = ['at']\n"
    };
    let tags = [some(rng, &keys.texts), some(rng, &keys.flags)].concat();
    let _infallible = writeln!(tables, "tags = {}", list(&tags));
    if has_time && rng.bool() {
        let mut included = some(rng, &keys.all());
        included.extend(["z".to_owned(), "at".to_owned()]);
        let _infallible = writeln!(tables, "included_keys = {}", list(&included));
    }
    let renamed = some(rng, &keys.all());
    tables += "[P.json_v2.object.renames]\n";
    for (number, key) in renamed.iter().enumerate() {
        let _infallible = writeln!(tables, "{key} = 'renamed {number}'");
    }
    tables += "[P.json_v2.object.fields]\n";
    let typed = [
        (&keys.numbers, &["float", "string"][..]),
        (&keys.quoted, &["int", "uint", "float", "string"]),
        (&keys.flags, &["int", "uint", "bool", "string"]),
        (&keys.texts, &["string"]),
    ];
    for (keys, kinds) in typed {
        for key in some(rng, keys).iter().filter(|key| !tags.contains(key)) {
            let _infallible = writeln!(tables, "{key} = '{}'", kinds[rng.usize(..kinds.len())]);
        }
    }
    Case { record, tables }
}

/// A field whose path selects several values, with what stands around them.
fn case_of_values(rng: &mut Rng) -> Case {
    let values: Vec<String> =
        (0..rng.usize(1..5)).map(|_| format!("{{\"v\":{},\"w\":1}}", rng.u32(..1_000))).collect();
    let record = format!(r#"{{"site":"a b","n":7,"items":[{}]}}"#, values.join(","));
    let kind = ["", "type = 'int'\n", "rename = 'speed'\n"][rng.usize(..3)];
    let mut tables = format!("[[P.json_v2]]\n[[P.json_v2.field]]\npath = 'items.#.v'\n{kind}");
    if rng.bool() {
        tables += "[[P.json_v2.tag]]\npath = 'site'\n";
    }
    if rng.bool() {
        tables += "[[P.json_v2.field]]\npath = 'n'\ntype = 'int'\n";
    }
    Case { record, tables }
}

/// The points of lines, without their order and without times that Telegraf invents.
fn points(lines: &[String], has_time: bool) -> Vec<String> {
    let mut shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let mut point: Point =
                read_v2_line(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
            point.tags.retain(|(key, _)| key != CASE);
            point.tags.sort();
            point.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            point.time = point.time.filter(|_| has_time);
            format!("{point:?}")
        })
        .collect();
    shown.sort();
    shown
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn migrated_configurations_of_json_v2_give_the_points_of_telegraf() {
    let command = "cargo test --test live json_v2 -- --ignored --nocapture";
    let seed = crate::support::seed::given_or_random("BRIDGE_LIVE_SEED", command);
    let mut rng = Rng::with_seed(seed);
    let folder = Folder::new();
    let cases: Vec<Case> = (0..CASES)
        .map(|_| if rng.u8(..5) == 0 { case_of_values(&mut rng) } else { case(&mut rng) })
        .collect();
    let mut config = format!(
        "[agent]\nomit_hostname = true\nprecision = '1ns'\nmetric_buffer_limit = 100000\n[[outputs.file]]\nfiles = ['{}/lines']\n\
         data_format = 'influx'\ninflux_uint_support = true\n",
        folder.path().display()
    );
    for (number, Case { record, tables }) in cases.iter().enumerate() {
        let file = folder.write(&format!("{number}.json"), record);
        let tables = tables.replace("P.", "inputs.file.");
        let _infallible = write!(
            config,
            "[[inputs.file]]\nfiles = ['{}']\ndata_format = 'json_v2'\nname_prefix = ''\n[inputs.file.tags]\n{CASE} = '{number}'\n{tables}",
            file.display()
        );
    }
    folder.write("telegraf.conf", config);
    run_telegraf_once(folder.path());
    let written = fs::read(folder.file("lines")).unwrap();
    let mut theirs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in split_lines(&written).filter(|line| !line.is_empty()) {
        let point = read_v2_line(line).unwrap();
        let case = point.tags.iter().find(|(key, _)| key == CASE).map(|(_, number)| number.clone()).unwrap();
        theirs.entry(case).or_default().push(String::from_utf8_lossy(line).into_owned());
    }
    let mut compared = 0;
    for (number, Case { record, tables }) in cases.iter().enumerate() {
        let text = format!(
            "[agent]\nomit_hostname = true\n[[inputs.kafka_consumer]]\nbrokers = ['k:1']\ntopics = ['file']\nname_override = ''\ndata_format = 'json_v2'\n{}\
             [[outputs.influxdb_v2]]\nurls = ['http://i:1']\norganization = 'o'\nbucket = 'b'\ntoken = 't'\n",
            tables.replace("P.", "inputs.kafka_consumer.")
        );
        let file = Input { name: "telegraf.conf".to_owned(), text };
        let migration = migrate(&[file], &Machine::default()).unwrap();
        let ours = DryRun::new(&migration.bridges[0], "file").unwrap().map(record.as_bytes());
        let ours = ours.unwrap_or_else(|why| panic!("case {number}: {record}\n{tables}\n{why}"));
        let has_time = tables.contains("timestamp_key");
        let theirs = theirs.get(&number.to_string()).map(Vec::as_slice).unwrap_or_default();
        let named = |line: &String| {
            line.replacen("kafka_consumer", "file", usize::from(line.starts_with("kafka_consumer")))
        };
        let ours: Vec<String> = ours.iter().map(named).collect();
        assert_eq!(
            points(&ours, has_time),
            points(theirs, has_time),
            "seed {seed}, case {number}: {record}\n{tables}\n{}",
            migration.bridges[0].draft
        );
        compared += theirs.len();
    }
    assert!(compared > CASES, "only {compared} points were compared");
    measured("points of json_v2 compared with Telegraf", compared);
}
