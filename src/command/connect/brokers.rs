//! `kafka.brokers`, each by itself, and the addresses that the brokers give for themselves.

use super::ASK_MAX;
use super::cluster::Cluster;
use super::reach::{Reach, reach, reach_all};
use super::report::Line;
use base::http::is_loopback;
use base::text::counted;
use kafka::Settings;
use kafka::{
    AdvertisedBroker, ClientKind, Complaint, Diagnosis, Fault, Security, StandaloneConsumer,
    advertised_brokers, answers_http, left_bootstrap, properties, why_untrusted,
};
use rdkafka::consumer::Consumer;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// librdkafka takes it where none is named.
const PORT: u16 = 9092;
/// Time limit of the first metadata request; it doubles for each further one.
const FIRST_PATIENCE: Duration = Duration::from_millis(250);
/// Clients that one address is asked by, one after another.
const CLIENTS_MAX: usize = 3;
/// How long messages are collected after one that names a lasting cause. librdkafka's threads report in any order, and a
/// more telling message, or an answer, may follow.
const SETTLE: Duration = Duration::from_millis(300);

/// Asks every address of `kafka.brokers`, all at once. The cluster is what the first says that answers.
pub fn ask(kafka: &Settings) -> (Option<Cluster>, Vec<Line>) {
    let security = Security::of(&kafka.properties);
    let answers = thread::scope(|scope| {
        let asked: Vec<_> =
            kafka.brokers.iter().map(|address| scope.spawn(|| ask_one(kafka, address, &security))).collect();
        let lost = || (None, Line::failed("a broker", "it could not be asked"));
        asked.into_iter().map(|one| one.join().unwrap_or_else(|_| lost())).collect::<Vec<_>>()
    });
    let mut cluster = None;
    let mut lines = Vec::new();
    for (answer, line) in answers {
        cluster = cluster.or(answer);
        // Several bootstrap addresses lead to the same broker.
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    (cluster, lines)
}

fn ask_one(kafka: &Settings, address: &str, security: &Security) -> (Option<Cluster>, Line) {
    let what = format!("broker {address}");
    match reach(&with_port(address), ASK_MAX) {
        Reach::Unresolved(why) => {
            let line =
                Line::failed(format!("{what}: the name does not resolve: {why}"), Fault::Unresolved.remedy());
            (None, line)
        }
        Reach::Closed(why) => (None, Line::failed(format!("{what}: {why}"), Fault::NotConnected.remedy())),
        Reach::Open => match hello(kafka, address, security) {
            Ok(cluster) => {
                let counts = format!(
                    "{} and {}",
                    counted(cluster.brokers.len(), "broker"),
                    counted(cluster.topics.len(), "topic")
                );
                let line = Line::passed(format!("{what}: answers for {counts}{}", security.words()));
                (Some(cluster), line)
            }
            Err(complaints) if let Some(line) = unreachable(kafka, &complaints) => (None, line),
            Err(complaints) => {
                let diagnosis = diagnose(kafka, address, &complaints, security);
                (None, Line::failed(format!("{what}: {}", in_words(&diagnosis)), diagnosis.fault.remedy()))
            }
        },
    }
}

/// Asks one address for the cluster's metadata, until it answers, a lasting cause is known, or `ASK_MAX` is over.
///
/// librdkafka asks for metadata by itself too, and closes the connection to the bootstrap address as soon as it knows the
/// brokers. If their advertised addresses can't be reached, the answer to the request here is lost where it comes second.
/// Another client gets another try; often each loses the race, and only the complaints tell the addresses.
fn hello(kafka: &Settings, address: &str, security: &Security) -> Result<Cluster, Vec<Complaint>> {
    let until = Instant::now() + ASK_MAX;
    let mut answer = ask_once(kafka, address, security, until);
    for _ in 1..CLIENTS_MAX {
        if !answer.as_ref().is_err_and(|heard| left_bootstrap(heard)) {
            break;
        }
        answer = ask_once(kafka, address, security, until);
    }
    answer
}

/// librdkafka says only that a certificate is not trusted, or that nothing answers; another connection finds out why.
fn diagnose(kafka: &Settings, address: &str, heard: &[Complaint], security: &Security) -> Diagnosis {
    let diagnosis = Diagnosis::of(heard, security);
    if diagnosis.is_silent() && answers_http(&with_port(address)) {
        return diagnosis.with_http();
    }
    if !diagnosis.is_untrusted() {
        return diagnosis;
    }
    let ca_file = kafka.properties.iter().find(|(name, _)| name == "ssl.ca.location");
    let ca_file = ca_file.map(|(_, path)| Path::new(path.expose()));
    let why = heard.iter().find_map(|complaint| why_untrusted(&complaint.text, ca_file));
    match why {
        Some(why) => diagnosis.with_handshake(&why),
        None => diagnosis,
    }
}

/// The address took the connection before.
fn in_words(diagnosis: &Diagnosis) -> String {
    if diagnosis.is_of_client() { diagnosis.what() } else { format!("connected, but {}", diagnosis.what()) }
}

/// The advertised address that a client could not reach, if that is why it has no answer.
fn unreachable(kafka: &Settings, heard: &[Complaint]) -> Option<Line> {
    let brokers = advertised_brokers(heard);
    let is_local = is_local_wanted(kafka);
    brokers.iter().find_map(|broker| match reach(&broker.address(), ASK_MAX) {
        Reach::Open => None,
        closed => Some(advertised(broker, &closed, is_local)),
    })
}

fn is_local_wanted(kafka: &Settings) -> bool {
    kafka.brokers.iter().any(|address| is_local(&with_port(address)))
}

/// Asks by one client.
fn ask_once(
    kafka: &Settings,
    address: &str,
    security: &Security,
    until: Instant,
) -> Result<Cluster, Vec<Complaint>> {
    let mut config = properties(kafka, ClientKind::Query);
    // A connection that is closed at once is what a wrong protocol looks like.
    config.set("bootstrap.servers", address).set("log.connection.close", "true");
    let client =
        StandaloneConsumer::with(kafka, &config).map_err(|error| vec![Complaint::no_client(&error)])?;
    let complaints = client.context().complaints();
    let mut until = until;
    let mut patience = FIRST_PATIENCE;
    let mut is_settling = false;
    loop {
        let asked = Instant::now();
        let left = until.saturating_duration_since(asked);
        match client.fetch_metadata(None, patience.min(left).max(Duration::from_millis(10))) {
            Ok(metadata) => return Ok(Cluster::of(&metadata)),
            Err(error) => complaints.add(Complaint::of(&error)),
        }
        client.collect_complaints();
        let heard = complaints.heard();
        if left.is_zero() || left_bootstrap(&heard) {
            return Err(heard);
        }
        if !is_settling && Diagnosis::of(&heard, security).is_final() {
            is_settling = true;
            until = until.min(Instant::now() + SETTLE);
        }
        // Some failures come back at once, such as that of a controller, which knows no such request.
        let pause = FIRST_PATIENCE.min(patience).saturating_sub(asked.elapsed());
        thread::sleep(pause.min(until.saturating_duration_since(Instant::now())));
        patience = (patience * 2).min(ASK_MAX);
    }
}

fn with_port(address: &str) -> String {
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port && !address.ends_with(']') { address.to_owned() } else { format!("{address}:{PORT}") }
}

/// Tries every address that the brokers give.
pub fn ask_advertised(kafka: &Settings, cluster: &Cluster) -> Vec<Line> {
    let addresses: Vec<String> = cluster.brokers.iter().map(AdvertisedBroker::address).collect();
    let reached = reach_all(&addresses, ASK_MAX);
    let is_local = is_local_wanted(kafka);
    cluster.brokers.iter().zip(reached).map(|(broker, reach)| advertised(broker, &reach, is_local)).collect()
}

fn is_local(address: &str) -> bool {
    format!("http://{address}").parse().is_ok_and(|url| is_loopback(&url))
}

/// `is_local`: whether `kafka.brokers` names this machine itself.
fn advertised(broker: &AdvertisedBroker, reach: &Reach, is_local_wanted: bool) -> Line {
    let address = broker.address();
    let calls = format!("broker {} calls itself {address}", broker.id);
    let elsewhere = is_local(&address) && !is_local_wanted;
    let local = "that is every machine's name for itself: set the broker's advertised.listeners to a name that \
                 clients on other machines can use";
    let found = format!("a bootstrap address answered, but {calls}");
    match reach {
        Reach::Open if elsewhere => {
            Line::warned(format!("{calls}, and was asked for under another name"), local)
        }
        Reach::Open => Line::passed(format!("{calls}, which can be reached")),
        Reach::Unresolved(_) | Reach::Closed(_) if elsewhere => Line::failed(found, local),
        Reach::Unresolved(why) => Line::failed(
            format!("{found}, which does not resolve here ({why})"),
            "let the name resolve here (DNS, /etc/hosts), or set the broker's advertised.listeners to a name that does",
        ),
        Reach::Closed(why) => Line::failed(
            format!("{found}, which can't be reached from here ({why})"),
            Fault::Advertised.remedy(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_the_port() {
        let f = |address: &str, want: &str| assert_eq!(with_port(address), want);
        f("nuc", "nuc:9092");
        f("nuc:1", "nuc:1");
        f("[::1]", "[::1]:9092");
        f("[::1]:1", "[::1]:1");
    }

    #[test]
    fn says_what_is_wrong_with_an_advertised_address() {
        let f = |host: &str, reach: Reach, is_local: bool, want: &str| {
            let broker = AdvertisedBroker { id: 2, host: host.into(), port: 9092 };
            let line = advertised(&broker, &reach, is_local).to_string();
            assert!(line.starts_with(want), "{line}");
        };
        let (unresolved, closed) = (|| Reach::Unresolved("no".into()), || Reach::Closed("refused".into()));
        f("nuc", Reach::Open, false, "ok      broker 2 calls itself nuc:9092, which can be reached");
        f(
            "nuc",
            unresolved(),
            false,
            "FAILED  a bootstrap address answered, but broker 2 calls itself nuc:9092, which does not resolve here (no): let",
        );
        f(
            "::2",
            closed(),
            false,
            "FAILED  a bootstrap address answered, but broker 2 calls itself [::2]:9092, which can't be reached from here \
             (refused): make",
        );
        f(
            "localhost",
            closed(),
            true,
            "FAILED  a bootstrap address answered, but broker 2 calls itself localhost:9092, which can't",
        );
        f(
            "localhost",
            closed(),
            false,
            "FAILED  a bootstrap address answered, but broker 2 calls itself localhost:9092: that is every machine's name",
        );
        f(
            "127.0.0.1",
            Reach::Open,
            false,
            "warn    broker 2 calls itself 127.0.0.1:9092, and was asked for under another",
        );
        f("127.0.0.1", Reach::Open, true, "ok      broker 2");
    }
}
