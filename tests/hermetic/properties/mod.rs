//! For random records, lines read back as the points that a simple model expects, and nothing learned from other records changes
//! the lines.

mod cbor;
mod csv;
mod influx;
mod json;
mod map_model;
mod msgpack;
mod options;
mod repeated_keys;

use crate::second_reader::{first_opinion, second_opinion};
use base::record::Record;
use json::Json;
use line_protocol::LineBuffer;
use line_protocol::encode;
use line_protocol::reader::{Point, Value, read_v2_line, split_lines};
use mapping::decode::{Filter, Query, Scanner, Token};
use mapping::{
    Csv, FieldType, Format, Globs, KeySelector, Mapped, Mapper, Pivot, PivotList, Precision, RecordLimits,
    Reshape, Rules, Template, TimeRange, Zip,
};
use options::{Options, Origin};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::HashSet;
use std::sync::Arc;

const LIMITS: RecordLimits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 8_000_000 };

fn mapper(rules: Rules, topic: &str) -> Mapper {
    Mapper::new(Arc::new(rules), topic, LIMITS)
}

/// Maps one record into a buffer that already has a line, which must stay.
fn map(mapper: &mut Mapper, record: &Record<'_>) -> (Mapped, Vec<Vec<u8>>) {
    let mut lines = LineBuffer::default();
    lines.text_mut().extend_from_slice(b"before v=1");
    lines.end_line();
    let became = mapper.map(record, &mut lines);
    assert_eq!(lines.line(0), Some(&b"before v=1"[..]));
    let appended: Vec<_> = (1..lines.lines()).map(|line| lines.line(line).unwrap().to_vec()).collect();
    let split: Vec<_> = split_lines(lines.text()).skip(1).map(<[u8]>::to_vec).collect();
    assert_eq!(appended, split, "servers find other lines");
    assert_eq!(appended.len(), became.lines);
    (became, appended)
}

fn read_back(lines: &[Vec<u8>]) -> Vec<Point> {
    lines
        .iter()
        .map(|line| read_v2_line(line).unwrap_or_else(|e| panic!("{}: {e}", line.escape_ascii())))
        .collect()
}

/// Checks that tags are in InfluxDB's order, then sorts them by key for the comparison.
fn sorted(mut point: Point) -> Point {
    let written = |key: &str| {
        let mut out = Vec::new();
        let _trimmed = encode::push_key(key.as_bytes(), &mut out);
        out
    };
    assert!(point.tags.is_sorted_by_key(|(key, _)| written(key)), "{:?}", point.tags);
    point.tags.sort();
    point
}

/// Rules that the model does not cover; their lines only have to read back.
#[derive(Clone, Debug)]
struct Further {
    options: Options,
    query: &'static str,
    /// Selectors of a name and of tags.
    selectors: &'static [&'static str],
    measurement: &'static str,
    /// Tags with placeholders.
    templates: &'static [(&'static str, &'static str)],
    fields: &'static [(&'static str, &'static str)],
    format: Format,
    reshape: Reshape,
    parse_json: &'static [&'static str],
}

/// Options that rearrange elements, over keys that records have.
fn reshape() -> impl Strategy<Value = (Reshape, &'static [&'static str])> {
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let lists = vec![vec![], vec!["b"], vec!["a_b", "c"], vec!["a", "t_1"]];
    let columns = select(vec![vec![], vec!["a", "b"], vec!["t", "c", "a_b", "s"]]);
    let filters = vec![None, None, Some("@.a"), Some("@.b != 1 || $.a"), Some("!@.c && @ != 'x'")];
    let list =
        select(vec![PivotList::Element, PivotList::Key("b".to_owned()), PivotList::Key("a_b".to_owned())]);
    let pivot = (list, select(vec!["name", "t", "a_b"]), select(vec![vec!["b"], vec!["s", "c"]]));
    let pivot = vec(
        pivot.prop_map(move |(list, name, value)| Pivot { list, name: name.to_owned(), value: keys(&value) }),
        0..2,
    );
    let zip = vec![None, Some(("a", "c")), Some(("s", "b"))];
    let parsed: Vec<&[&str]> = vec![&[], &[], &["*"], &["s*", "a_0"]];
    (columns, select(lists), select(filters), pivot, select(zip), select(parsed)).prop_map(
        move |(columns, explode, filter, pivot, zip, parse_json)| {
            let zip = zip.map(|(names, values)| Zip { names: names.to_owned(), values: values.to_owned() });
            let filter = filter.map(|filter| Filter::parse(filter).unwrap());
            let (columns, explode) = (keys(&columns), keys(&explode));
            (Reshape { columns, explode, filter, pivot, zip: zip.into_iter().collect() }, parse_json)
        },
    )
}

fn further() -> impl Strategy<Value = Further> {
    let queries = vec!["$", "$.a", "$.a[0]", "$[*]", "$..b", "$.a[?@.b]"];
    let selectors: Vec<&[&str]> = vec![
        &[],
        &["$.name"],
        &["$.a.b", "$.a_b"],
        &["$[0].name"],
        &["^.name", "^^.a", "@key"],
        &["@key", "^@key", "@.a.b"],
        &["@member", "^@member"],
        &["key:$.a", "^.a"],
        &["@.a[0]", "@.a['0']"],
        &["$.t[0]", "$.a['0']", "$.s"],
    ];
    let measurement = select(vec!["{topic}", "{name}{t}", "{^.name}", "x{@key}", "{key}"]);
    let templates: Vec<&[(&str, &str)]> = vec![
        &[],
        &[("t", "{a}"), ("b", "{@.b}{{")],
        &[("a", "{^.a}{s_1}-{partition}"), ("t_1", "{$.t}{header:h}")],
        &[("t", "{a_0}{@.a[0]}"), ("b", "{$.a}{@.t['1']}")],
    ];
    let fields: Vec<&[(&str, &str)]> = vec![
        &[],
        &[("b", "^.b"), ("n", "@key")],
        &[("c", "a"), ("a", "$.t")],
        &[("n", "@.a[0]"), ("m", "@.a['0']")],
    ];
    let placeholders = (measurement, select(templates), select(fields));
    let reshaped = prop_oneof![1 => Just((Reshape::default(), &[][..])), 2 => reshape()];
    (options::options(), select(queries), select(selectors), placeholders, select(&Format::ALL[..]), reshaped)
        .prop_map(
            |(options, query, selectors, (measurement, templates, fields), format, (reshape, parse_json))| {
                Further {
                    options,
                    query,
                    selectors,
                    measurement,
                    templates,
                    fields,
                    format,
                    reshape,
                    parse_json,
                }
            },
        )
}

impl Further {
    fn rules(&self) -> Rules {
        let selector = |text: &&str| KeySelector::parse(text).unwrap();
        let selectors: Vec<_> = self.selectors.iter().map(selector).collect();
        let template = |text: &str| Template::parse(text).unwrap();
        let mut rules = self.options.rules();
        rules.query = Query::parse(self.query).unwrap();
        rules.name_key = selectors.first().cloned().or(rules.name_key);
        rules.tag_selectors = selectors;
        rules.measurement = template(self.measurement);
        rules.tags.extend(self.templates.iter().map(|(key, value)| ((*key).to_owned(), template(value))));
        rules.fields = self.fields.iter().map(|(key, from)| ((*key).to_owned(), selector(from))).collect();
        rules.format = self.format;
        rules.reshape = self.reshape.clone();
        rules.parse_json = Globs::compile(self.parse_json).unwrap();
        rules
    }
}

/// MessagePack of a record, in widths that a seed chooses.
fn msgpack_bytes(record: &Json, seed: u64) -> Vec<u8> {
    let (mut rng, mut bytes) = (fastrand::Rng::with_seed(seed), Vec::new());
    msgpack::push(&msgpack::storable(record), &mut rng, &mut bytes);
    bytes
}

/// CBOR of a record, in widths that a seed chooses.
fn cbor_bytes(record: &Json, seed: u64) -> Vec<u8> {
    let (mut rng, mut bytes) = (fastrand::Rng::with_seed(seed), Vec::new());
    cbor::push(&msgpack::storable(record), &mut rng, &mut bytes);
    bytes
}

/// JSON, pieces of JSON, MessagePack, CBOR, CSV, line protocol, and bytes.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let cut = (json::record(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(json, index, byte)| {
        let mut bytes = json.bytes();
        let at = index.index(bytes.len());
        bytes[at] = byte;
        bytes
    });
    let several = vec(json::record(), 0..4)
        .prop_map(|records| records.iter().map(Json::bytes).collect::<Vec<_>>().join(&b'\n'));
    let msgpack = (json::record(), any::<u64>()).prop_map(|(json, seed)| msgpack_bytes(&json, seed));
    let cbor = (json::record(), any::<u64>()).prop_map(|(json, seed)| cbor_bytes(&json, seed));
    let csv = (csv::table(), any::<u64>()).prop_map(|(table, seed)| table.csv(',', seed).into_bytes());
    let text = prop_oneof![csv, influx::hostile()];
    prop_oneof![4 => json::record().prop_map(|json| json.bytes()), 2 => cut, 2 => several, 2 => msgpack, 2 => cbor, 3 => text, 1 => vec(any::<u8>(), 0..64)]
}

/// Rules of a mapping of line protocol that changes no line.
fn lines_rules(precision: Precision) -> Rules {
    Rules {
        format: Format::Influx,
        measurement: Template::literal(""),
        precision,
        strict: false,
        ..Rules::default()
    }
}

fn check_model(record: &Json, options: &Options, origin: &Origin) -> Result<(), TestCaseError> {
    let (_, lines) = map(&mut mapper(options.rules(), &origin.topic), &origin.record(&record.bytes()));
    let points: Vec<Point> = read_back(&lines).into_iter().map(sorted).collect();
    let wanted = map_model::map_model(record, options, origin);
    prop_assert_eq!(points, wanted, "{}", record.bytes().escape_ascii());
    Ok(())
}

/// Checks that records of one shape, some of them with other white space or another order of members, give the same lines in a row as
/// each would give alone. `seed` chooses white space and order.
fn check_shape(
    record: &Json,
    others: &[Vec<Option<Json>>],
    further: &Further,
    origin: &Origin,
    seed: u64,
) -> Result<(), TestCaseError> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut learned = mapper(further.rules(), &origin.topic);
    let (mut noticed, mut wanted) = (HashSet::new(), HashSet::new());
    for scalars in others {
        let mut record = record.with_scalars(&mut scalars.iter().cloned());
        if rng.u8(0..3) == 0 {
            record = record.shuffled(&mut rng);
        }
        let bytes = match further.format {
            Format::Msgpack => msgpack_bytes(&record, 0),
            Format::Cbor => cbor_bytes(&record, 0),
            _ if rng.bool() => record.spaced_bytes(&mut rng),
            _ => record.bytes(),
        };
        let mut fresh = mapper(further.rules(), &origin.topic);
        prop_assert_eq!(
            map(&mut learned, &origin.record(&bytes)),
            map(&mut fresh, &origin.record(&bytes)),
            "{}",
            bytes.escape_ascii()
        );
        prop_assert_eq!(learned.take_drops(), fresh.take_drops(), "{}", bytes.escape_ascii());
        noticed.extend(learned.take_first_drops());
        wanted.extend(fresh.take_first_drops());
        prop_assert_eq!(&noticed, &wanted);
    }
    Ok(())
}

/// Checks that records of one shape in a binary format give the points of the same JSON, in a row and alone.
fn check_binary(
    format: Format,
    record: &Json,
    others: &[Vec<Option<Json>>],
    options: &Options,
    origin: &Origin,
    seed: u64,
) -> Result<(), TestCaseError> {
    let rules = Rules { format, ..options.rules() };
    let mut learned = mapper(rules.clone(), &origin.topic);
    for scalars in others {
        let record = record.with_scalars(&mut scalars.iter().cloned());
        let bytes =
            if format == Format::Cbor { cbor_bytes(&record, seed) } else { msgpack_bytes(&record, seed) };
        let mut fresh = mapper(rules.clone(), &origin.topic);
        let (became, lines) = map(&mut fresh, &origin.record(&bytes));
        let json = msgpack::storable(&record).bytes();
        let (_, wanted) = map(&mut mapper(options.rules(), &origin.topic), &origin.record(&json));
        prop_assert_eq!(read_back(&lines), read_back(&wanted), "{}", json.escape_ascii());
        let in_a_row = map(&mut learned, &origin.record(&bytes));
        prop_assert_eq!(in_a_row, (became, lines), "{}", json.escape_ascii());
        prop_assert_eq!(learned.take_drops(), fresh.take_drops(), "{}", json.escape_ascii());
    }
    Ok(())
}

/// Adds the scalars of a JSON text, also of JSON in strings: strings as they are, numbers as floats.
fn scalars(json: &[u8], depth: usize, found: &mut HashSet<String>) {
    let mut scanner = Scanner::new(json);
    while !scanner.is_at_end() {
        let start = scanner.position();
        let Ok(token) = scanner.value() else {
            // A closing bracket, a colon or a comma, or text that is no JSON.
            scanner = scanner.at(start + 1);
            continue;
        };
        match token {
            Token::Number(number) => drop(found.insert(number.as_f64().to_string())),
            Token::True | Token::False => drop(found.insert((token == Token::True).to_string())),
            Token::Text(text) => {
                let text = text.to_string_lossy();
                if depth < 5 {
                    scalars(text.as_bytes(), depth + 1, found);
                }
                found.insert(text.into_owned());
            }
            _ => {}
        }
    }
}

/// At least 1,000 cases; `PROPTEST_CASES` sets more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(1_000), failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn lines_are_what_the_model_expects(
        record in json::record(), options in options::options(), origin in options::origin(),
    ) {
        check_model(&record, &options, &origin)?;
    }

    #[test]
    fn known_shapes_and_keys_change_nothing(
        record in prop_oneof![json::record(), json::record_of_colliding_keys(), json::record_of_lists()],
        others in vec(vec(option::weighted(0.3, json::scalar()), 0..24), 3..8),
        further in further(), origin in options::origin(), seed in any::<u64>(),
    ) {
        check_shape(&record, &others, &further, &origin, seed)?;
    }

    #[test]
    fn csv_gives_the_points_of_the_same_json(
        table in csv::table(), options in options::options(), origin in options::origin(),
        delimiter in select(vec![',', ';', '\t']), seed in any::<u64>(),
    ) {
        let json_lines = Rules { format: Format::JsonLines, strict: false, ..options.rules() };
        let settings = Csv { delimiter: delimiter as u8, ..Csv::default() };
        let rules = Rules { format: Format::Csv, csv: settings, ..json_lines.clone() };
        let is_text = |name: &str| {
            let is_key = |selector: Option<&KeySelector>| selector == Some(&KeySelector::Flattened(name.to_owned()));
            rules.tag_keys.is_match(name)
                || is_key(rules.name_key.as_ref())
                // A cell such as NaN stays a text, and JSON has no such number.
                || rules.types.get(name) == Some(&FieldType::String)
                || rules.time.iter().flat_map(mapping::TimeRule::selectors).any(|(_, key)| is_key(Some(key)))
        };
        let (bytes, json) = (table.csv(delimiter, seed), table.json_lines(is_text));
        let (became, lines) = map(&mut mapper(rules.clone(), &origin.topic), &origin.record(bytes.as_bytes()));
        let (wanted, wanted_lines) = map(&mut mapper(json_lines, &origin.topic), &origin.record(json.as_bytes()));
        prop_assert_eq!(read_back(&lines), read_back(&wanted_lines), "{:?}: {}", bytes, json);
        prop_assert_eq!(became.rejected_by_reason().collect::<Vec<_>>(), wanted.rejected_by_reason().collect::<Vec<_>>());
    }

    #[test]
    fn any_spelling_of_line_protocol_gives_the_point_that_is_meant(
        points in influx::points(), origin in options::origin(), seed in any::<u64>(), precision in select(&Precision::ALL[..]),
    ) {
        let origin = Origin { time_ms: 1_700_000_000_123, ..origin };
        let (text, rules) = (influx::record(&points, seed), lines_rules(precision));
        let (became, lines) = map(&mut mapper(rules.clone(), &origin.topic), &origin.record(text.as_bytes()));
        prop_assert!(!became.has_rejected(), "{:?}: {:?}", text, became.rejected);
        let got: Vec<_> = read_back(&lines).into_iter().map(sorted).map(influx::ordered).collect();
        let mut wanted = Vec::new();
        for point in &points {
            let time = got.get(wanted.len()).and_then(|point| point.time);
            let kafka = time.filter(|time| time / 1_000_000 == origin.time_ms);
            wanted.extend(point.stored(precision, || kafka).map(influx::ordered));
        }
        prop_assert_eq!(&got, &wanted, "{:?}", text);
        for (line, point) in lines.iter().zip(got) {
            prop_assert_eq!(influx::ordered(second_opinion(line)), point, "{}", line.escape_ascii());
        }
        // Writing a line anew changes nothing.
        let rewritten = Rules { exclude: Globs::compile(&["no field"]).unwrap(), ..rules };
        let (again, rewritten) = map(&mut mapper(rewritten, &origin.topic), &origin.record(text.as_bytes()));
        prop_assert_eq!(again, became);
        let rewritten: Vec<_> = read_back(&rewritten).into_iter().map(influx::ordered).collect();
        prop_assert_eq!(rewritten, wanted);
    }

    #[test]
    fn hostile_line_protocol_gives_only_lines_that_every_reader_reads(
        bytes in influx::hostile(), options in options::options(), origin in options::origin(), is_plain in any::<bool>(),
    ) {
        let own = lines_rules(Precision::Nanoseconds);
        let rules = if is_plain { own } else {
            Rules { format: Format::Influx, times: TimeRange::default(), ..options.rules() }
        };
        let (became, lines) = map(&mut mapper(rules.clone(), &origin.topic), &origin.record(&bytes));
        for line in &lines {
            let (first, second) = (first_opinion(line), second_opinion(line));
            let keys = first.tags.iter().map(|(key, _)| key).chain(first.fields.iter().map(|(key, _)| key));
            let distinct: HashSet<_> = keys.clone().collect();
            prop_assert_eq!(distinct.len(), keys.count(), "{}", line.escape_ascii());
            prop_assert_eq!(sorted(first), sorted(second), "{}", line.escape_ascii());
        }
        let again = map(&mut mapper(rules, &origin.topic), &origin.record(&bytes));
        prop_assert_eq!(again, (became, lines));
    }

    #[test]
    fn cbor_gives_the_points_of_the_same_json(
        record in json::record(), others in vec(vec(option::weighted(0.3, json::scalar()), 0..24), 1..6),
        options in options::options(), origin in options::origin(), seed in any::<u64>(),
    ) {
        check_binary(Format::Cbor, &record, &others, &options.without_spelling(), &origin, seed)?;
    }

    #[test]
    fn messagepack_gives_the_points_of_the_same_json(
        record in json::record(), others in vec(vec(option::weighted(0.3, json::scalar()), 0..24), 1..6),
        options in options::options(), origin in options::origin(), seed in any::<u64>(),
    ) {
        check_binary(Format::Msgpack, &record, &others, &options.without_spelling(), &origin, seed)?;
    }

    /// Every value of a line stands in its record, as it is written there.
    #[test]
    fn options_that_rearrange_invent_no_value(
        record in prop_oneof![json::record(), json::record_of_lists()],
        (reshape, parse_json) in reshape(), query in select(vec!["$", "$[*]", "$.a"]), origin in options::origin(),
    ) {
        let rules = Rules {
            reshape,
            parse_json: Globs::compile(parse_json).unwrap(),
            query: Query::parse(query).unwrap(),
            string_fields: Globs::compile(&["*"]).unwrap(),
            strict: false,
            ..Rules::default()
        };
        let bytes = record.bytes();
        let mut known = HashSet::new();
        scalars(&bytes, 0, &mut known);
        let (_, lines) = map(&mut mapper(rules, &origin.topic), &origin.record(&bytes));
        for point in read_back(&lines) {
            for (key, value) in point.fields {
                let text = match value {
                    Value::Float(value) => value.to_string(),
                    Value::Boolean(value) => value.to_string(),
                    Value::String(text) => text,
                    other => panic!("{key}={other:?}"),
                };
                prop_assert!(known.contains(&text), "{} = {:?} of {}", key, text, bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn nothing_learned_changes_a_record(
        others in vec(value(), 0..4), bytes in value(), further in further(), origin in options::origin(),
    ) {
        let first = map(&mut mapper(further.rules(), &origin.topic), &origin.record(&bytes));
        read_back(&first.1);
        let mut learned = mapper(further.rules(), &origin.topic);
        for other in &others {
            map(&mut learned, &origin.record(other));
        }
        for _ in 0..2 {
            prop_assert_eq!(&map(&mut learned, &origin.record(&bytes)), &first);
        }
    }
}

#[test]
fn any_options_with_any_record_give_lines_that_are_one_point() {
    let command = "cargo test --test hermetic any_options_with_any_record";
    let mut rng = fastrand::Rng::with_seed(crate::seed::given_or_random("BRIDGE_OPTIONS_SEED", command));
    let mut lines = 0;
    for _ in 0..1_000 {
        let input: Vec<u8> = (0..rng.usize(8..200)).map(|_| rng.u8(..)).collect();
        lines += crate::random_mapping::check(&input);
    }
    assert!(lines > 200, "only {lines} lines were compared");
}
