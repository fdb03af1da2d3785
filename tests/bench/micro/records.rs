//! Seeded records of the two kinds for which speed is published, and their mappings.

#[path = "../values/mod.rs"]
mod values;

use base::record::{Record, RecordTime};
use configuration::Config;
use fastrand::Rng;
use line_protocol::LineBuffer;
use mapping::{Format, Mapper, Rules, SchemaLanguage, SchemaText};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use values::{CBOR, Json, MSGPACK, Markers, avro};

/// Distinct records of each kind and shape.
pub const RECORDS: usize = 4_000;

const EC2: &str = include_str!("../../../examples/ec2-telegraf/bridge.toml");
const WIDE: &str = r#"
[kafka]
brokers = ["localhost:9092"]
topics = ["testtopic"]

[[mapping]]
name_key = "name"
tag_keys = ["region", "rack", "host"]
string_fields = ["disks_*_dev"]
time_key = "ts"
time_format = "unix_ms"

[influx]
url = "http://localhost:8086"
api = "v2"
org = "test"
bucket = "wide"
token = "${INFLUX_TOKEN}"
"#;

/// The head and the end of a mapping of line protocol.
const INFLUX: [&str; 2] = [
    "[kafka]\nbrokers = [\"b:1\"]\ntopics = [\"testtopic\"]\n[[mapping]]\nformat = \"influx\"\n",
    "\n[influx]\nurl = \"http://localhost:8086\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"${TOKEN}\"\n",
];

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Like the example `ec2-telegraf`: 6 number fields, 100 names, about 144 bytes.
    Ec2,
    /// 42 number fields, 3 tags, 2 strings, a name and a time, about 734 bytes.
    Wide,
}

/// The difference of a record's shape (everything except its values) from earlier records.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// None.
    Known,
    /// Whitespace.
    Spaced,
    /// Whitespace, the order of keys, and a key that other records do not have: only single keys are known.
    New,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Ec2, Self::Wide];

    fn config(self) -> &'static str {
        match self {
            Self::Ec2 => EC2,
            Self::Wide => WIDE,
        }
    }

    pub fn mapper(self) -> Mapper {
        mapper(self.config())
    }

    pub fn records(self, shape: Shape) -> Vec<Vec<u8>> {
        let mut layout = Rng::with_seed(2);
        self.values().map(|json| shape.text(json, &mut layout)).collect()
    }

    /// A mapper of objects in a list, with the tags of the two objects around them or without, and records of known shape.
    pub fn in_lists(self, has_outer_tags: bool) -> (Mapper, Vec<Vec<u8>>) {
        // Each mapping has one of the two keys already.
        let tags = match self {
            _ if !has_outer_tags => "",
            Self::Ec2 => r#"tag_keys = ["^.owner", "^^.site"]"#,
            Self::Wide => r#"tags = { owner = "{^.owner}", site = "{^^.site}" }"#,
        };
        let keys = format!("[[mapping]]\nquery = \"$.plant.points\"\n{tags}");
        let mut rng = Rng::with_seed(3);
        let record = |object: Vec<u8>| {
            let (site, owner) = (rng.u8(0..20), rng.u8(0..5));
            let head = format!(r#"{{"site":"s{site}","plant":{{"owner":"o{owner}","points":["#);
            [head.as_bytes(), &object, b"]}}"].concat()
        };
        (
            mapper(&self.config().replace("[[mapping]]", &keys)),
            self.records(Shape::Known).into_iter().map(record).collect(),
        )
    }

    /// A mapper of MessagePack, and the records of known shape in this format.
    pub fn msgpack(self) -> (Mapper, Vec<Vec<u8>>) {
        self.binary("msgpack", &MSGPACK)
    }

    /// A mapper of CBOR, and the records of known shape in this format.
    pub fn cbor(self) -> (Mapper, Vec<Vec<u8>>) {
        self.binary("cbor", &CBOR)
    }

    /// A mapper of line protocol with further keys of the mapping, and the lines of the records of known shape.
    pub fn influx(self, keys: &str) -> (Mapper, Vec<Vec<u8>>) {
        let (mut json, mut lines) = (self.mapper(), LineBuffer::default());
        for (offset, value) in self.records(Shape::Known).iter().enumerate() {
            json.map(&record(offset, value), &mut lines);
        }
        let lines = (0..lines.lines()).map(|line| lines.line(line).unwrap().to_vec());
        (mapper(&INFLUX.join(keys)), lines.collect())
    }

    /// A mapper of Avro by the schema of a file, and the records of known shape in this format.
    pub fn avro(self) -> (Mapper, Vec<Vec<u8>>) {
        let values: Vec<Json> = self.values().collect();
        let of = avro::Type::of(&values.iter().collect::<Vec<_>>());
        let text =
            SchemaText { language: SchemaLanguage::Avro, text: of.schema(&mut 0), references: Vec::new() };
        let config = config(self.config());
        let topic = &config.kafka.topics.names[0];
        let rules = Rules::clone(config.routing().rules_of(topic).unwrap());
        let rules = Rules { format: Format::Avro, schema: Some(text.compile().unwrap()), ..rules };
        let record = |json: &Json| {
            let mut out = Vec::new();
            of.push(json, &mut out);
            out
        };
        let mapper = Mapper::new(Arc::new(rules), topic, config.record_limits());
        (mapper, values.iter().map(record).collect())
    }

    /// A mapper of Protobuf, and the records of known shape in this format.
    pub fn protobuf(self) -> (Mapper, Vec<Vec<u8>>) {
        let schema = format!("protobuf\"\nschema = \"tests/bench/values/{self}.proto");
        (self.mapper_of(&schema), self.values().map(|json| json.protobuf()).collect())
    }

    fn binary(self, format: &str, markers: &Markers) -> (Mapper, Vec<Vec<u8>>) {
        let record = |json: Json| {
            let mut out = Vec::new();
            json.push_binary(markers, &mut out);
            out
        };
        (self.mapper_of(format), self.values().map(record).collect())
    }

    fn mapper_of(self, format: &str) -> Mapper {
        mapper(&self.config().replace("[[mapping]]", &format!("[[mapping]]\nformat = \"{format}\"")))
    }

    fn values(self) -> impl Iterator<Item = Json> {
        let mut values = Rng::with_seed(1);
        (0..RECORDS).map(move |number| match self {
            Self::Ec2 => ec2(&mut values),
            Self::Wide => wide(&mut values, number),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ec2 => "ec2",
            Self::Wide => "wide",
        })
    }
}

impl Shape {
    pub const ALL: [Self; 3] = [Self::Known, Self::Spaced, Self::New];

    fn text(self, mut json: Json, rng: &mut Rng) -> Vec<u8> {
        if let (Self::New, Json::Object(members)) = (self, &mut json) {
            members.push((format!("extra{}", rng.u8(0..64)), integer(rng, 100)));
        }
        let mut out = String::new();
        self.push(json, rng, &mut out);
        out.into_bytes()
    }

    fn push(self, json: Json, rng: &mut Rng, out: &mut String) {
        match json {
            Json::Scalar(text) => out.push_str(&text),
            Json::Object(mut members) => {
                if matches!(self, Self::New) {
                    rng.shuffle(&mut members);
                }
                out.push('{');
                for (at, (key, value)) in members.into_iter().enumerate() {
                    self.separate(at, rng, out);
                    out.push_str(&format!("\"{key}\":"));
                    self.space(rng, out);
                    self.push(value, rng, out);
                }
                out.push('}');
            }
            Json::Array(elements) => {
                out.push('[');
                for (at, element) in elements.into_iter().enumerate() {
                    self.separate(at, rng, out);
                    self.push(element, rng, out);
                }
                out.push(']');
            }
        }
    }

    fn separate(self, at: usize, rng: &mut Rng, out: &mut String) {
        if at > 0 {
            out.push(',');
            self.space(rng, out);
        }
    }

    fn space(self, rng: &mut Rng, out: &mut String) {
        if !matches!(self, Self::Known) && rng.u8(..) < 64 {
            out.push(' ');
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known => "known shape",
            Self::Spaced => "spaced anew",
            Self::New => "new shape",
        })
    }
}

/// The mapper of the data thread for the first topic of a `bridge.toml`.
pub fn mapper(text: &str) -> Mapper {
    let config = config(text);
    let (routing, topic) = (config.routing(), &config.kafka.topics.names[0]);
    let rules = routing.rules_of(topic).unwrap();
    Mapper::new(Arc::clone(rules), topic, config.record_limits())
}

fn config(text: &str) -> Config {
    let env = |_: &str| Some("a-secret".to_owned());
    configuration::parse(Path::new("bridge.toml"), text, &env).unwrap().config
}

/// The record with this offset, as delivered by Kafka.
pub fn record(offset: usize, value: &[u8]) -> Record<'_> {
    Record {
        partition: 0,
        offset: offset as i64,
        time: RecordTime::At(1_767_225_600_123_000_000 + offset as i64 / 100 * 1_000_000),
        key: None,
        value: Some(value),
        headers: &[],
    }
}

fn ec2(rng: &mut Rng) -> Json {
    let name = text(&format!("instance{:02}", rng.u8(0..100)));
    let cpu = object([("system", decimal(rng, 100, 2)), ("user", decimal(rng, 100, 1))]);
    let disk = object([("write", integer(rng, 500)), ("read", decimal(rng, 100, 1))]);
    let memory = object([("used", decimal(rng, 1_000, 1)), ("unused", decimal(rng, 1_000, 1))]);
    let processes = Json::Array(Vec::new());
    object([
        ("ec2Number", name),
        ("cpu", cpu),
        ("disk", disk),
        ("mem", memory),
        ("topRateProcess", processes),
    ])
}

fn wide(rng: &mut Rng, number: usize) -> Json {
    let (name, host) = (text(&format!("node{}", number % 20)), text(&format!("h{:04}", number % 2_000)));
    let (region, rack) = (text("ap-northeast-2"), text(&format!("r{}", number % 40)));
    let time = Json::Scalar((1_767_225_600_000 + number).to_string());
    let head = [("name", name), ("region", region), ("rack", rack), ("host", host), ("ts", time)];
    let groups = ["cpu", "mem", "disk", "net", "proc"].map(|group| (group, figures(rng)));
    let disks = ["sda", "sdb"]
        .map(|device| object([("dev", text(device)), ("used", Json::Scalar(rng.f64().to_string()))]));
    object(head.into_iter().chain(groups).chain([("disks", Json::Array(disks.into()))]))
}

/// Eight numbers, alternately integers and decimals.
fn figures(rng: &mut Rng) -> Json {
    let figure = |place: u8| {
        let value = if place.is_multiple_of(2) { integer(rng, 1_000_000) } else { decimal(rng, 10_000, 3) };
        (format!("m{place}"), value)
    };
    Json::Object((0..8).map(figure).collect())
}

fn object<'k>(members: impl IntoIterator<Item = (&'k str, Json)>) -> Json {
    Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text(text: &str) -> Json {
    Json::Scalar(format!("\"{text}\""))
}

fn integer(rng: &mut Rng, below: u32) -> Json {
    Json::Scalar(rng.u32(0..below).to_string())
}

fn decimal(rng: &mut Rng, below: u32, places: i32) -> Json {
    let unit = 10_f64.powi(places);
    Json::Scalar((f64::from(rng.u32(0..below * unit as u32)) / unit).to_string())
}
