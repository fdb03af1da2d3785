//! Checks each address of `kafka.brokers`, and the advertised addresses of the brokers.

use super::REQUEST_MAX;
use super::reach::{Reachability, reach, reach_all};
use super::report::Line;
use super::topics::Cluster;
use base::http::is_loopback;
use base::text::counted;
use kafka::Settings;
use kafka::{
    AdvertisedBroker, ClientKind, Diagnosis, Fault, ReportedError, Security, StandaloneConsumer,
    advertised_brokers, answers_http, left_bootstrap, properties, why_untrusted, with_port,
};
use rdkafka::consumer::Consumer;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Time limit of the first metadata request; it doubles for each further one.
const FIRST_TIMEOUT: Duration = Duration::from_millis(250);
/// Attempts per address, each with a new client.
const CLIENTS_MAX: usize = 3;
/// Time for which messages are collected after one with a lasting cause. librdkafka's threads report in any order, so a more
/// specific message, or a response, may follow.
const SETTLE: Duration = Duration::from_millis(300);

/// Checks all addresses of `kafka.brokers` at once, and returns the metadata from the first that responds.
pub fn check(kafka: &Settings) -> (Option<Cluster>, Vec<Line>) {
    let security = Security::of(&kafka.properties);
    let answers = thread::scope(|scope| {
        let checks: Vec<_> = kafka
            .brokers
            .iter()
            .map(|address| scope.spawn(|| check_one(kafka, address, &security)))
            .collect();
        let lost = || (None, Line::failed("a broker", "the check of its address failed"));
        checks.into_iter().map(|one| one.join().unwrap_or_else(|_| lost())).collect::<Vec<_>>()
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

fn check_one(kafka: &Settings, address: &str, security: &Security) -> (Option<Cluster>, Line) {
    let what = format!("broker {address}");
    match reach(&with_port(address), REQUEST_MAX) {
        Reachability::Unresolved(why) => {
            let line =
                Line::failed(format!("{what}: the name does not resolve: {why}"), Fault::Unresolved.remedy());
            (None, line)
        }
        Reachability::Closed(why) => {
            (None, Line::failed(format!("{what}: {why}"), Fault::NotConnected.remedy()))
        }
        Reachability::Open => match fetch_metadata(kafka, address, security) {
            Ok(cluster) => {
                let counts = format!(
                    "{} and {}",
                    counted(cluster.brokers.len(), "broker"),
                    counted(cluster.topics.len(), "topic")
                );
                let line = Line::passed(format!("{what}: answers for {counts}{}", security.words()));
                (Some(cluster), line)
            }
            Err(reported_errors) if let Some(line) = unreachable(kafka, &reported_errors) => (None, line),
            Err(reported_errors) => {
                let diagnosis = diagnose(kafka, address, &reported_errors, security);
                (None, Line::failed(format!("{what}: {}", describe(&diagnosis)), diagnosis.fault.remedy()))
            }
        },
    }
}

/// Requests the metadata of the cluster from one address, until a response, a lasting cause, or `REQUEST_MAX`.
///
/// librdkafka requests metadata by itself, too, and closes the bootstrap connection as soon as it knows the brokers. If their
/// advertised addresses are unreachable, the response to a later request of this function is lost. So several clients try, and if all
/// lose this race, the error messages name the addresses.
fn fetch_metadata(
    kafka: &Settings,
    address: &str,
    security: &Security,
) -> Result<Cluster, Vec<ReportedError>> {
    let until = Instant::now() + REQUEST_MAX;
    let mut answer = request_once(kafka, address, security, until);
    for _ in 1..CLIENTS_MAX {
        if !answer.as_ref().is_err_and(|heard| left_bootstrap(heard)) {
            break;
        }
        answer = request_once(kafka, address, security, until);
    }
    answer
}

/// Finds the cause of a failure. librdkafka reports only an untrusted certificate or a missing response, so another connection
/// determines why.
fn diagnose(kafka: &Settings, address: &str, heard: &[ReportedError], security: &Security) -> Diagnosis {
    let diagnosis = Diagnosis::of(heard, security);
    if diagnosis.is_silent() && answers_http(&with_port(address)) {
        return diagnosis.with_http();
    }
    if !diagnosis.is_untrusted() {
        return diagnosis;
    }
    let ca_file = kafka.properties.iter().find(|(name, _)| name == "ssl.ca.location");
    let ca_file = ca_file.map(|(_, path)| Path::new(path.expose()));
    let why = heard.iter().find_map(|reported| why_untrusted(&reported.text, ca_file));
    match why {
        Some(why) => diagnosis.with_handshake(&why),
        None => diagnosis,
    }
}

/// Describes a failure after a successful connection.
fn describe(diagnosis: &Diagnosis) -> String {
    if diagnosis.is_of_client() { diagnosis.what() } else { format!("connected, but {}", diagnosis.what()) }
}

/// The line for an unreachable advertised address, if that is the cause.
fn unreachable(kafka: &Settings, heard: &[ReportedError]) -> Option<Line> {
    let brokers = advertised_brokers(heard);
    let is_local = is_local_wanted(kafka);
    brokers.iter().find_map(|broker| match reach(&broker.address(), REQUEST_MAX) {
        Reachability::Open => None,
        closed => Some(advertised(broker, &closed, is_local)),
    })
}

fn is_local_wanted(kafka: &Settings) -> bool {
    kafka.brokers.iter().any(|address| is_local(&with_port(address)))
}

/// Requests metadata with one client.
fn request_once(
    kafka: &Settings,
    address: &str,
    security: &Security,
    until: Instant,
) -> Result<Cluster, Vec<ReportedError>> {
    let mut config = properties(kafka, ClientKind::Query);
    // A connection that is closed at once indicates a wrong protocol.
    config.set("bootstrap.servers", address).set("log.connection.close", "true");
    let client =
        StandaloneConsumer::with(kafka, &config).map_err(|error| vec![ReportedError::no_client(&error)])?;
    let reported_errors = client.context().reported_errors();
    let mut until = until;
    let mut timeout = FIRST_TIMEOUT;
    let mut is_settling = false;
    loop {
        let sent = Instant::now();
        let left = until.saturating_duration_since(sent);
        match client.fetch_metadata(None, timeout.min(left).max(Duration::from_millis(10))) {
            Ok(metadata) => return Ok(Cluster::of(&metadata)),
            Err(error) => reported_errors.add(ReportedError::of(&error)),
        }
        client.collect_reported_errors();
        let heard = reported_errors.heard();
        if left.is_zero() || left_bootstrap(&heard) {
            return Err(heard);
        }
        if !is_settling && Diagnosis::of(&heard, security).is_final() {
            is_settling = true;
            until = until.min(Instant::now() + SETTLE);
        }
        // Some requests fail at once, for example at a controller, which does not support them.
        let pause = FIRST_TIMEOUT.min(timeout).saturating_sub(sent.elapsed());
        thread::sleep(pause.min(until.saturating_duration_since(Instant::now())));
        timeout = (timeout * 2).min(REQUEST_MAX);
    }
}

/// Checks all advertised addresses.
pub fn check_advertised(kafka: &Settings, cluster: &Cluster) -> Vec<Line> {
    let addresses: Vec<String> = cluster.brokers.iter().map(AdvertisedBroker::address).collect();
    let reached = reach_all(&addresses, REQUEST_MAX);
    let is_local = is_local_wanted(kafka);
    cluster.brokers.iter().zip(reached).map(|(broker, reach)| advertised(broker, &reach, is_local)).collect()
}

fn is_local(address: &str) -> bool {
    format!("http://{address}").parse().is_ok_and(|url| is_loopback(&url))
}

/// `is_local_wanted`: whether `kafka.brokers` names this machine.
fn advertised(broker: &AdvertisedBroker, reach: &Reachability, is_local_wanted: bool) -> Line {
    let address = broker.address();
    let advertises = format!("broker {} advertises {address}", broker.id);
    let elsewhere = is_local(&address) && !is_local_wanted;
    let local = "this name means the client's own machine: set the broker's advertised.listeners to a name that \
                 clients on other machines can use";
    let found = format!("the bootstrap address responds, but {advertises}");
    match reach {
        Reachability::Open if elsewhere => {
            Line::warned(format!("{advertises}, but `kafka.brokers` has another name"), local)
        }
        Reachability::Open => Line::passed(format!("{advertises}, which is reachable")),
        Reachability::Unresolved(_) | Reachability::Closed(_) if elsewhere => Line::failed(found, local),
        Reachability::Unresolved(why) => Line::failed(
            format!("{found}, which does not resolve here ({why})"),
            "make the name resolve here (DNS, /etc/hosts), or set the broker's advertised.listeners to a name that does",
        ),
        Reachability::Closed(why) => Line::failed(
            format!("{found}, which is not reachable from here ({why})"),
            Fault::Advertised.remedy(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explains_unusable_advertised_addresses() {
        let f = |host: &str, reach: Reachability, is_local: bool, want: &str| {
            let broker = AdvertisedBroker { id: 2, host: host.into(), port: 9092 };
            let line = advertised(&broker, &reach, is_local).to_string();
            assert!(line.starts_with(want), "{line}");
        };
        let (unresolved, closed) =
            (|| Reachability::Unresolved("no".into()), || Reachability::Closed("refused".into()));
        f("nuc", Reachability::Open, false, "ok      broker 2 advertises nuc:9092, which is reachable");
        f(
            "nuc",
            unresolved(),
            false,
            "FAILED  the bootstrap address responds, but broker 2 advertises nuc:9092, which does not resolve here (no): make",
        );
        f(
            "::2",
            closed(),
            false,
            "FAILED  the bootstrap address responds, but broker 2 advertises [::2]:9092, which is not reachable from here \
             (refused): make",
        );
        f(
            "localhost",
            closed(),
            true,
            "FAILED  the bootstrap address responds, but broker 2 advertises localhost:9092, which is not",
        );
        f(
            "localhost",
            closed(),
            false,
            "FAILED  the bootstrap address responds, but broker 2 advertises localhost:9092: this name means the client's own machine",
        );
        f(
            "127.0.0.1",
            Reachability::Open,
            false,
            "warn    broker 2 advertises 127.0.0.1:9092, but `kafka.brokers` has another",
        );
        f("127.0.0.1", Reachability::Open, true, "ok      broker 2");
    }
}
