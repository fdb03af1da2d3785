//! Dashboards and alarms of the users' data. Runs every Flux and `InfluxQL` query of docker/grafana over points that bridges stored from each
//! example and from docker/generator.sh with docker/bridge.toml.

use crate::support::grafana::{Language, Query, Source, dashboards, docker, read, rules, sources};
use crate::support::{Bridge, Example, Generated, Influx, Kafka, Live, Produced, measured, variable};
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// The databases that the dashboards read. The Telegraf examples share one database.
const DATABASES: [&str; 5] = ["ec2", "Labs", "kmetrics", "telegraf", "tweets"];
const HOUR: i64 = 3_600;
/// The examples' records are stored again with a time this long ago.
const AGES: [i64; 3] = [130, 70, 40];

/// This run's databases, by the names that dashboards and configurations use.
struct Databases {
    influx: Influx,
    own: BTreeMap<&'static str, String>,
    sources: BTreeMap<String, Source>,
}

impl Databases {
    fn new(live: &Live) -> Self {
        let influx = live.influx2();
        let own = DATABASES.map(|name| (name, influx.create_bucket(live.name(name))));
        Self { influx, own: own.into(), sources: sources() }
    }

    /// The first element is a series' labels as text, the second its last value.
    fn evaluate(&self, query: &Query, from_seconds: i64) -> Vec<(String, String)> {
        let source = &self.sources[&query.source];
        match source.language {
            Language::Flux => self.flux(query, from_seconds),
            Language::InfluxQl => self.influxql(query, source.database.as_deref().unwrap(), from_seconds),
            Language::PromQl => panic!("{}: not here", query.place),
        }
    }

    fn flux(&self, query: &Query, from_seconds: i64) -> Vec<(String, String)> {
        let mut text = query.text.clone();
        for (name, own) in &self.own {
            text = text.replace(&format!("bucket: \"{name}\""), &format!("bucket: \"{own}\""));
        }
        let text = text.replace("v.timeRangeStart", &format!("-{from_seconds}s"));
        let text = text.replace("v.timeRangeStop", "now()").replace("v.windowPeriod", "10s");
        assert!(self.own.values().any(|own| text.contains(own)), "{text}");
        assert_whole(query, &text);
        let mut last = BTreeMap::new();
        for row in rows(&self.influx.flux(&text)) {
            // Grafana uses the last two columns as names. They do not distinguish the series of an alarm.
            let others =
                ["", "result", "table", "_start", "_stop", "_time", "_value", "_measurement", "_field"];
            let labels = row.iter().filter(|(key, _)| !others.contains(&key.as_str()));
            let labels: Vec<&str> = labels.map(|(_, value)| value.as_str()).collect();
            let value = row.iter().find(|(key, _)| key == "_value").map(|(_, value)| value.clone());
            last.insert(labels.join(" "), value.unwrap_or_default());
        }
        last.into_iter().collect()
    }

    fn influxql(&self, query: &Query, database: &str, from_seconds: i64) -> Vec<(String, String)> {
        let own = &self.own[database];
        let text =
            query.text.replace(&format!("\"{database}\".\"autogen\""), &format!("\"{own}\".\"autogen\""));
        let time = format!("time >= now() - {from_seconds}s");
        let text = text.replace("$timeFilter", &time).replace("$__interval", "10s");
        assert_whole(query, &text);
        let series = self.influx.try_query(own, &text);
        let series = series.unwrap_or_else(|error| panic!("{}: {error}: {text}", query.place));
        let last = |series: &Value| {
            let labels = series["tags"].as_object().into_iter().flat_map(|tags| tags.values());
            let labels: Vec<&str> = labels.map(|label| label.as_str().unwrap()).collect();
            let row = series["values"].as_array().unwrap().last().unwrap();
            (labels.join(" "), row[1].as_str().map_or_else(|| row[1].to_string(), str::to_owned))
        };
        // For tags, each row is a value.
        if text.starts_with("SHOW") {
            let rows = series.iter().flat_map(|series| series["values"].as_array().unwrap().clone());
            return rows.map(|row| (String::new(), row[1].as_str().unwrap().to_owned())).collect();
        }
        series.iter().map(last).collect()
    }

    /// The values of a variable as Grafana puts them into an expression.
    fn values(&self, query: &Query) -> String {
        let source = &self.sources[&query.source];
        let of_flux = |(label, value): (String, String)| if value.is_empty() { label } else { value };
        let values: BTreeSet<String> = match source.language {
            // The rows have no labels, so a map would keep only the last one.
            Language::Flux => {
                let text = self.own.iter().fold(query.text.clone(), |text, (name, own)| {
                    text.replace(&format!("bucket: \"{name}\""), &format!("bucket: \"{own}\""))
                });
                let rows = rows(&self.influx.flux(&text)).into_iter();
                rows.filter_map(|row| row.into_iter().find(|(key, _)| key == "_value"))
                    .map(|(_, v)| v)
                    .collect()
            }
            _ => self.evaluate(query, HOUR).into_iter().map(of_flux).collect(),
        };
        assert!(!values.is_empty(), "{}: no values", query.place);
        let escaped: Vec<String> = values.iter().map(|v| regex::escape(v).replace('/', "\\/")).collect();
        format!("({})", escaped.join("|"))
    }
}

/// Asserts that no Grafana placeholder is left. A dollar sign may end a regular expression.
fn assert_whole(query: &Query, text: &str) {
    assert!(!Regex::new(r"\$[\w{]|\bv\.").unwrap().is_match(text), "{}: {text}", query.place);
}

/// The rows of Flux CSV: names and values of the columns.
fn rows(csv: &str) -> Vec<Vec<(String, String)>> {
    let mut rows = Vec::new();
    let mut head: Option<Vec<String>> = None;
    for line in lines(csv) {
        if line.iter().all(String::is_empty) {
            head = None;
        } else if let Some(head) = &head {
            rows.push(head.iter().cloned().zip(line).collect());
        } else {
            head = Some(line);
        }
    }
    rows
}

fn lines(csv: &str) -> Vec<Vec<String>> {
    let mut lines = vec![vec![String::new()]];
    let mut is_quoted = false;
    for c in csv.chars() {
        let line = lines.last_mut().unwrap();
        match c {
            // A doubled quote is an escaped one; no tested value has one.
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => line.push(String::new()),
            '\n' if !is_quoted => lines.push(vec![String::new()]),
            '\r' => {}
            other => line.last_mut().unwrap().push(other),
        }
    }
    lines
}

/// The examples' records, moved to this many seconds ago.
fn aged(records: &[String], age: i64) -> Vec<Produced> {
    let at = Timestamp::now().as_second() - age;
    let minute = Timestamp::from_second(at).unwrap().strftime("%Y-%m-%dT%H:%M:0").to_string();
    let base = |seconds: i64| (at + seconds).to_string();
    let timed = |record: &String| {
        let record = record.replace("1767225600", &base(0)).replace("1767225605", &base(5));
        let record = record.replace("1767225610", &base(10)).replace("123123123", &base(-1));
        Produced::new(record.replace("2026-01-01T00:00:0", &minute)).at(at * 1_000)
    };
    records.iter().map(timed).collect()
}

/// Runs until all records are stored.
fn store(config: &str) {
    let mut bridge = Bridge::start_until_end(config);
    let (status, _) = bridge.wait_for_end(crate::support::PATIENCE);
    assert!(status.success(), "{status}");
}

/// The example with this run's topic, group and server; `change` sets its database.
fn store_example(kafka: &Kafka, live: &Live, name: &str, topic: &str, change: impl Fn(Example) -> Example) {
    let own = kafka.create_topic(live.name(name), 1, 1);
    let example = Example::read(name)
        .set("brokers = [\"localhost:9092\"]", &format!("brokers = {}", kafka.brokers_toml()))
        .group(&own)
        .set(&format!("topics = [\"{topic}\""), &format!("topics = [\"{own}\""))
        .set("http://localhost:8086", &variable("INFLUX2_URL"));
    for age in AGES {
        kafka.produce(&own, aged(&example.records, age));
    }
    store(&change(example).config.replace("${INFLUX_TOKEN}", &variable("INFLUX2_TOKEN")));
}

/// Runs docker/bridge.toml on records of docker/generator.sh and on records that raise alarms.
fn store_compose(kafka: &Kafka, live: &Live, databases: &Databases) {
    let mut config = read(&docker().join("bridge.toml"));
    let mut set = |from: &str, to: &str| {
        assert!(config.contains(from), "docker/bridge.toml has no {from}");
        config = config.replace(from, to);
    };
    let generated = Generated::run(live);
    for (name, example) in [
        ("testtopic", "ec2-telegraf"),
        ("resource", "smartx-labs"),
        ("kafka.metrics.processed", "broker-metrics"),
    ] {
        let topic = kafka.create_topic(live.name(name), 3, 1);
        set(&format!("\"{name}\""), &format!("\"{topic}\""));
        for age in AGES {
            kafka.produce(&topic, aged(&Example::read(example).records, age));
        }
        kafka.produce(&topic, generated.0[name].iter().map(|record| Produced::new(record.as_str())));
        kafka.produce(&topic, alarming(name));
    }
    let (user_org, token, url) =
        (variable("INFLUX2_ORG"), variable("INFLUX2_TOKEN"), variable("INFLUX2_URL"));
    set("\"${KAFKA_BROKERS:-kafka:9092}\"", &kafka.brokers_toml());
    set("[kafka]\n", &format!("[kafka]\ngroup_id = \"{}\"\n", live.name("compose")));
    set("${INFLUX_URL:-http://influxdb:8086}", &url);
    set("${INFLUX_ORG:-test}", &user_org);
    set("${INFLUX_TOKEN}", &token);
    set("${INFLUX_BUCKET:-ec2}", &databases.own["ec2"]);
    set("\"Labs\"                     #", &format!("\"{}\" #", databases.own["Labs"]));
    set("bucket = \"kmetrics\"", &format!("bucket = \"{}\"", databases.own["kmetrics"]));
    set("[admin]\nlisten = \"0.0.0.0:9643\"", "[admin]\nlisten = \"\"");
    store(&config);
}

/// Records of one host above its limit for five minutes, and of one that last sent ten minutes ago.
fn alarming(topic: &str) -> Vec<Produced> {
    let now = Timestamp::now().as_second();
    let busy = (0..10).map(|i| now - 30 * i);
    let records: Vec<(i64, String)> = match topic {
        "testtopic" => {
            let record =
                |host: &str, user: u8| format!(r#"{{"ec2Number":"{host}","cpu":{{"user":{user}}}}}"#);
            busy.map(|at| (at, record("busy", 97))).chain([(now - 600, record("gone", 1))]).collect()
        }
        // All boxes share a region here, so many records are needed to raise the average.
        "resource" => busy.flat_map(|at| vec![(at, r#"{"cpu_load":1000}"#.to_owned()); 50]).collect(),
        _ => {
            let record = |host: &str, at: i64, lacking: u8| {
                let partitions = format!(r#""Partitions":{{"Leader":1,"UnderReplicated":{lacking}}}"#);
                (at, format!(r#"{{"hostname":"{host}","timestamp":{at},"BytesIn":1,{partitions}}}"#))
            };
            busy.map(|at| record("busy", at, 2)).chain([record("gone", now - 600, 0)]).collect()
        }
    };
    records.into_iter().map(|(at, record)| Produced::new(record).at(at * 1_000)).collect()
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn panels_of_the_data_have_rows_and_its_alarms_fire_when_they_should() {
    let live = Live::take_turn();
    let begin = Instant::now();
    let kafka = live.kafka();
    let databases = Databases::new(&live);
    let own = |name: &str| databases.own[name].clone();
    store_compose(&kafka, &live, &databases);
    store_example(&kafka, &live, "telegraf-agent", "telegraf", |example| {
        // The server is InfluxDB 2. Its buckets can be read with InfluxQL like 1.x databases.
        let api =
            format!("api = \"v2\"\norg = \"{}\"\ntoken = \"${{INFLUX_TOKEN}}\"", variable("INFLUX2_ORG"));
        example
            .set("database = \"telegraf\"", &format!("bucket = \"{}\"", own("telegraf")))
            .set("database = \"service\"", &format!("bucket = \"{}\"", own("telegraf")))
            .set("create_database = true", "")
            .set("topics = [\"service\"]", "topics = [\"service_of_nobody\"]")
            .set(", \"service\"]", "]")
            .set("api = \"v1\"", &api)
    });
    store_example(&kafka, &live, "telegraf-json-doc", "telegraf", |example| {
        example.set("bucket = \"telegraf\"", &format!("bucket = \"{}\"", own("telegraf")))
    });
    store_example(&kafka, &live, "json-lines", "tweets", |example| {
        example.set("bucket = \"tweets\"", &format!("bucket = \"{}\"", own("tweets")))
    });
    measured("stored after", format!("{:?}", begin.elapsed()));

    for dashboard in dashboards() {
        let variables = dashboard.variables().into_iter().filter(|(_, query)| query.source != "prometheus");
        let values: Vec<(String, String)> =
            variables.map(|(name, query)| (name, databases.values(&query))).collect();
        for mut query in dashboard.queries().into_iter().filter(|query| query.source != "prometheus") {
            for (name, values) in &values {
                query.text = query.text.replace(&format!("${{{name}:regex}}"), values);
            }
            assert!(!databases.evaluate(&query, HOUR).is_empty(), "{} is empty: {}", query.place, query.text);
        }
    }
    measured("panels read after", format!("{:?}", begin.elapsed()));

    // Each alarm, the host that raises it, and a host that does not.
    for (title, fires, is_well) in [
        ("HostSilent", "gone", Some("web-1")),
        ("HostProcessorHigh", "busy", Some("web-1")),
        ("LabProcessorHigh", "GIST", None),
        ("BrokerSilent", "gone", Some("kafka-1")),
        ("BrokerUnderReplicated", "busy", Some("kafka-1")),
    ] {
        let rule = rules().into_iter().find(|rule| rule.title == title).unwrap();
        let series = databases.evaluate(&rule.query, rule.from_seconds);
        let is_of = |labels: &str, who: &str| labels.split(' ').any(|label| label == who);
        let (firing, silent): (Vec<_>, Vec<_>) =
            series.iter().partition(|(_, value)| value.parse::<f64>().unwrap() > rule.limit);
        assert_eq!(firing.len(), 1, "{title}: {series:?}");
        assert!(is_of(&firing[0].0, fires), "{title}: {series:?}");
        let is_silent = |who: &str| silent.iter().any(|(labels, _)| is_of(labels, who));
        assert!(is_well.is_none_or(is_silent), "{title}: {series:?}");
    }
    let tested = rules().iter().filter(|rule| rule.query.source != "prometheus").count();
    assert_eq!(tested, 5, "an alarm of the data is not tested");
    measured("all after", format!("{:?}", begin.elapsed()));
}
