//! `check --connect`: the brokers, every address they advertise, the topics, and InfluxDB with its credential and destinations.

use crate::config::{Config, DeadLetter};
use crate::dead_letter::check_writable;
use crate::influx::{Client, Outcome, Remedy, remedy};
use crate::kafka::{probe_config, producer_config};
use crate::text::printable;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long each question may take.
const ASK_MAX: Duration = Duration::from_secs(5);

/// One line for each question: `ok` or `FAILED` with the remedy. Returns whether all passed.
pub fn connect(config: &Config, out: &mut impl Write) -> io::Result<bool> {
    let mut report = Report { out, all_passed: true };
    check_kafka(config, &mut report)?;
    if let Some(DeadLetter::File { path, .. }) = &config.dead_letter {
        match check_writable(path) {
            Ok(()) => report.passed(&format!("dead-letter file {}: may be written", path.display()))?,
            Err(error) => report.failed("dead-letter file", &error.to_string())?,
        }
    }
    check_influx(config, &mut report)?;
    Ok(report.all_passed)
}

struct Report<'o, W> {
    out: &'o mut W,
    all_passed: bool,
}

impl<W: Write> Report<'_, W> {
    fn passed(&mut self, what: &str) -> io::Result<()> {
        writeln!(self.out, "ok      {what}")
    }

    fn failed(&mut self, what: &str, remedy: &str) -> io::Result<()> {
        self.all_passed = false;
        writeln!(self.out, "FAILED  {what}: {remedy}")
    }

    fn told(&mut self, problem: Option<String>, what: &str, remedy: &str) -> io::Result<()> {
        match problem {
            None => self.passed(what),
            Some(problem) => self.failed(&format!("{what}: {}", printable(&problem, 300)), remedy),
        }
    }
}

fn check_kafka(config: &Config, report: &mut Report<'_, impl Write>) -> io::Result<()> {
    let brokers = config.kafka.brokers.join(", ");
    let client: Result<BaseConsumer, _> = probe_config(&config.kafka).create();
    let metadata = client.and_then(|client| client.fetch_metadata(None, ASK_MAX));
    let metadata = match metadata {
        Ok(metadata) => metadata,
        Err(error) => {
            let remedy =
                "check `kafka.brokers`, and [kafka.tls] and [kafka.sasl] where the brokers want them";
            return report.failed(&format!("brokers {brokers}: {error}"), remedy);
        }
    };
    report.passed(&format!(
        "brokers {brokers}: {} answer for {} topics",
        metadata.brokers().len(),
        metadata.topics().len()
    ))?;
    for broker in metadata.brokers() {
        let address = format!("{}:{}", broker.host(), broker.port());
        let what = format!("broker {} calls itself {}", broker.id(), printable(&address, 100));
        let remedy =
            "make this name and port reachable from here, or correct the broker's advertised.listeners";
        report.told(reach(&address).err().map(|error| error.to_string()), &what, remedy)?;
    }
    check_topics(config, &metadata, report)?;
    match &config.dead_letter {
        Some(DeadLetter::Topic(topic)) => check_dead_letter_topic(config, topic, &metadata, report),
        _ => Ok(()),
    }
}

fn check_dead_letter_topic(
    config: &Config,
    topic: &str,
    metadata: &Metadata,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    if let Some(partitions) = found.map(|found| found.partitions().len()).filter(|count| *count > 0) {
        return report.passed(&format!("dead-letter topic {topic}: {partitions} partitions"));
    }
    let what = format!("dead-letter topic {topic}: it does not exist");
    match brokers_create_topics(config, metadata)? {
        Some(true) => report.passed(&format!("{what}; the brokers create it with the first dead letter")),
        Some(false) => {
            report.failed(&what, "create it, or let the brokers do it (auto.create.topics.enable)")
        }
        None => report.passed(&format!("{what}; create it, unless the brokers do so by themselves")),
    }
}

/// None: they do not say.
fn brokers_create_topics(config: &Config, metadata: &Metadata) -> io::Result<Option<bool>> {
    let Some(broker) = metadata.brokers().first() else { return Ok(None) };
    let admin: Result<AdminClient<_>, _> = producer_config(&config.kafka).create();
    let Ok(admin) = admin else { return Ok(None) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (broker, options) =
        (ResourceSpecifier::Broker(broker.id()), AdminOptions::new().request_timeout(Some(ASK_MAX)));
    let answer = runtime.block_on(admin.describe_configs([&broker], &options));
    let broker = answer.ok().and_then(|answers| answers.into_iter().next()?.ok());
    let value = broker.and_then(|broker| broker.get("auto.create.topics.enable")?.value.clone());
    Ok(value.map(|value| value == "true"))
}

fn reach(address: &str) -> io::Result<()> {
    let mut last = io::Error::other("the name has no address");
    for socket in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, ASK_MAX) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn check_topics(config: &Config, metadata: &Metadata, report: &mut Report<'_, impl Write>) -> io::Result<()> {
    let topics = &config.kafka.topics;
    let existing = |name: &str| metadata.topics().iter().find(|topic| topic.name() == name);
    for name in &topics.names {
        match existing(name).map(|topic| topic.partitions().len()) {
            Some(partitions) if partitions > 0 => {
                report.passed(&format!("topic {name}: {partitions} partitions"))?;
            }
            _ => report.failed(
                &format!("topic {name}: it does not exist"),
                "create it, or correct `kafka.topics`",
            )?,
        }
    }
    for pattern in &topics.patterns {
        let is_read = |name: &str| topics.excluded.as_deref() != Some(name) && pattern.is_match(name);
        let matching = metadata.topics().iter().filter(|topic| is_read(topic.name())).count();
        let what = format!("topics {}: {matching} match", pattern.as_str());
        if matching > 0 {
            report.passed(&what)?;
        } else {
            report.failed(&what, "correct `kafka.topics`; topics that are created later are picked up")?;
        }
    }
    Ok(())
}

fn check_influx(config: &Config, report: &mut Report<'_, impl Write>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = match Client::new(&config.influx) {
        Ok(client) => client,
        Err(error) => return report.failed("influx", &error.to_string()),
    };
    let destinations: BTreeSet<_> = config.mappings.iter().map(|mapping| &mapping.destination).collect();
    for address in client.addresses().all() {
        let shown = address.as_str();
        match runtime.block_on(client.ping(address)) {
            Ok(server) => {
                let version = server
                    .version
                    .map_or("a server that names no version".to_owned(), |v| format!("InfluxDB {v}"));
                report.passed(&format!("{shown}: {}", printable(&version, 100)))?;
            }
            Err(failure) => {
                report.failed(
                    &format!("{shown}: {}", failure.why),
                    "check `influx.url`, and that InfluxDB runs there",
                )?;
                continue;
            }
        }
        for destination in &destinations {
            let what = format!("{shown}: {destination}");
            let credential = client.credential();
            let place = Remedy { address: shown, destination, credential: &credential };
            match runtime.block_on(client.probe(address, destination)) {
                Ok(Outcome::Hold { cause, why } | Outcome::Retry { cause, why, .. }) => {
                    report.failed(&format!("{what}: {why}"), &remedy(cause, place))?;
                }
                // What the server says of an empty write otherwise is about the write.
                Ok(_) => report.passed(&format!("{what}: may be written"))?,
                Err(failure) => {
                    report.failed(&format!("{what}: {}", failure.why), &remedy(failure.cause, place))?;
                }
            }
        }
    }
    Ok(())
}
