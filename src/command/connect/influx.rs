//! The checks of InfluxDB: version, permission to write, retention, and clock.

use super::REQUEST_MAX;
use super::clock;
use super::influx3;
use super::offsets::{shown, span};
use super::report::{Line, Report};
use super::sampled::{Sampled, Times};
use base::text::counted;
use base::{Destination, TimePrecision};
use configuration::Config;
use engine::Mapping;
use influx::{
    Address, Cause, Client, DestinationRetention, FailedAttempt, ProbeResult, RemedyContext, RequestFailure,
    Server, Version, advice, is_page,
};
use mapping::FieldType;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

/// Checks all addresses of `influx.url` or `influx.urls`.
pub fn check(config: &Config, sampled: &Sampled<'_>, report: &mut Report<'_, impl Write>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = match Client::new(&config.influx) {
        Ok(client) => client,
        Err(error) => return report.add(&Line::failed("influx", error.to_string())),
    };
    let destinations = sampled.destinations();
    let mut with_retention = BTreeSet::new();
    let Some(first) = destinations.first() else { return Ok(()) };
    let is_unsigned = |mapping: &Mapping| mapping.rules.types.entries().any(|(_, to)| *to == FieldType::Uint);
    let has_unsigned = config.mappings.iter().any(is_unsigned);
    for address in client.addresses().all() {
        let expected = Expected { has_unsigned, precision: config.influx.time_precision };
        let (identity, lines) = runtime.block_on(server(&client, address, first, expected));
        report.add_all(lines)?;
        if identity == Identity::Silent {
            continue;
        }
        for destination in &destinations {
            report.add(&runtime.block_on(writable(&client, address, destination, identity)))?;
            report.add_all(runtime.block_on(influx3::database(&client, address, destination)))?;
            let times = sampled.times(destination);
            // All addresses lead to the same database, so the retention is checked once.
            if let (Some(times), true) = (times, with_retention.insert(destination)) {
                let kept = within(client.retention(address, destination));
                // Without a response the retention is unknown.
                let kept = runtime.block_on(kept).unwrap_or(DestinationRetention::Unknown);
                report.add_all(judge_kept(destination, kept, times, SystemTime::now()))?;
                if matches!(address.server(), Server::Influx3(_)) {
                    report.add_all(influx3::judge_hidden(destination, times, SystemTime::now()))?;
                }
            }
        }
    }
    Ok(())
}

async fn within<T>(request: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(REQUEST_MAX, request).await.ok()
}

/// The kind of a server, according to its response to `/ping`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// It did not respond.
    Silent,
    Influx,
    /// A proxy may forward only writes, or another program responds.
    Other,
}

/// What the configuration expects of a server.
#[derive(Clone, Copy)]
struct Expected {
    /// A mapping makes unsigned integers.
    has_unsigned: bool,
    precision: TimePrecision,
}

/// Checks version and clock of a server. `destination` is for remedies.
async fn server(
    client: &Client,
    address: &Address,
    destination: &Destination,
    expected: Expected,
) -> (Identity, Vec<Line>) {
    let url = address.as_str();
    let sent = SystemTime::now();
    match within(client.ping(address)).await.unwrap_or_else(|| Err(no_answer())) {
        // InfluxDB 3 names itself only with a valid token; the check of writes gives the remedy.
        Ok(server) if server.version.is_none() && server.status == 401 => {
            let line = Line::passed(format!("{url}: the server names its version only after a login"));
            (Identity::Influx, vec![line])
        }
        // A proxy may forward only writes. A server that is not InfluxDB fails the check of writes.
        Ok(server) if !server.is_influx() => {
            let line = Line::warned(
                format!("{url}: the response to /ping, {}, is not InfluxDB's", server.status),
                "check `influx.url` and proxies in front of it; the checks below show whether writes work",
            );
            (Identity::Other, vec![line])
        }
        Ok(server) => {
            let api = influx3::judge_api(url, destination.api(), &server);
            let unsigned = server
                .version
                .as_deref()
                .filter(|_| expected.has_unsigned)
                .and_then(|version| judge_unsigned(url, version));
            let judged = Server::of(&server).judge_precision(expected.precision);
            let judged = judged.map(|(why, remedy)| Line::warned(format!("{url}: {why}"), remedy));
            let family = Server::of(&server).to_string();
            let version = match server.version {
                _ if !family.is_empty() => family,
                Some(version) => format!("InfluxDB {version}"),
                None => "a server of unknown version".to_owned(),
            };
            let clock = server.time.map(|time| clock::of_server(url, time, sent, SystemTime::now()));
            let lines = std::iter::once(Line::passed(format!("{url}: {version}")))
                .chain(clock)
                .chain(api)
                .chain(unsigned)
                .chain(judged);
            (Identity::Influx, lines.collect())
        }
        Err(failure) => {
            let credential = client.credential();
            let server = address.server();
            let place = RemedyContext { address: url, server, destination, credential: &credential };
            let remedy = advice(failure.cause, &failure.why, place);
            (Identity::Silent, vec![Line::failed(format!("{url}: {}", failure.why), remedy)])
        }
    }
}

/// Fails for InfluxDB 1, which has no unsigned integers. `VictoriaMetrics`, with the same API, names no version.
fn judge_unsigned(url: &str, version: &str) -> Option<Line> {
    Version::read(version).filter(|version| version.0 == 1)?;
    Some(Line::failed(
        format!(
            "{url}: InfluxDB {version} refuses each point with a field whose type is \"uint\" in `types`"
        ),
        "write \"int\" or \"float\" instead: InfluxDB 1 has no unsigned integers",
    ))
}

fn no_answer() -> RequestFailure {
    RequestFailure { cause: Cause::TimedOut, why: format!("no response within {} s", REQUEST_MAX.as_secs()) }
}

/// Checks the permission to write, without writing a point.
async fn writable(client: &Client, address: &Address, destination: &Destination, identity: Identity) -> Line {
    let what = format!("{}: {destination}", address.as_str());
    let credential = client.credential();
    let probed = within(client.probe(address, destination)).await.unwrap_or_else(|| Err(no_answer().into()));
    let (url, server) = (address.as_str(), address.server());
    let place = RemedyContext { address: url, server, destination, credential: &credential };
    let failed = |cause, why: &str| Line::failed(format!("{what}: {why}"), advice(cause, why, place));
    match probed {
        Ok(ProbeResult::Writable) => Line::passed(format!("{what}: may be written")),
        Ok(ProbeResult::Answers) if matches!(server, Server::Influx3(_)) => Line::passed(format!(
            "{what}: the server answers; no write was tried, because InfluxDB 3 creates a database at the first write"
        )),
        Ok(ProbeResult::Answers) => Line::warned(
            format!(
                "{what}: the permission to write is unknown: the server does not name itself as InfluxDB 3, and no write was tried"
            ),
            "compare `influx.api` with the server, and check the log of `run` at the first points",
        ),
        Ok(ProbeResult::FoundEmpty) => Line::warned(
            format!(
                "{what}: may be written; the server behind it is InfluxDB 3, which has created this database now if it was missing"
            ),
            "compare the name with the databases of the server; let proxies in front of it forward /ping, so that no check writes",
        ),
        // InfluxDB refuses nothing with a page, and another program may refuse every write.
        Ok(ProbeResult::RefusesEmpty { why, is_foreign: true })
            if identity == Identity::Other || is_page(&why) =>
        {
            failed(Cause::RequestRefused, &why)
        }
        // A write without lines is no large request.
        Ok(ProbeResult::TooLarge { why }) => failed(Cause::RequestTooLarge, &why),
        // The server may refuse the empty write itself.
        Ok(ProbeResult::RefusesEmpty { why, .. }) => Line::warned(
            format!(
                "{what}: the permission to write is unknown: the response to a write without lines is {why}"
            ),
            "check the log of `run` at the first points, and proxies in front of the server",
        ),
        Err(FailedAttempt { cause, why, .. }) => failed(cause, &why),
    }
}

fn judge_kept(
    destination: &Destination,
    kept: DestinationRetention,
    times: &Times,
    now: SystemTime,
) -> Vec<Line> {
    let DestinationRetention::For(kept) = kept else { return Vec::new() };
    let Some(oldest) = oldest_kept(kept, now) else { return Vec::new() };
    let what = format!("{destination}: points are kept for {}", span(kept));
    let mut lines = Vec::new();
    let older = times.sampled.iter().filter(|time| **time < oldest).count();
    if older > 0 {
        let sampled = counted(times.sampled.len(), "sampled point");
        lines.push(Line::warned(
            format!("{what}, and {older} of {sampled} are older"),
            format!(
                "InfluxDB refuses them: {}, or correct `time_key` and `time_format`",
                longer(destination)
            ),
        ));
    }
    if let Some((first, place)) = times.first.as_ref().filter(|(first, _)| *first < oldest) {
        lines.push(Line::warned(
            format!(
                "{what}, and the first records are older: {place} becomes a point at {}",
                shown(first / 1_000_000)
            ),
            format!("InfluxDB refuses such points until newer records are read: {}", longer(destination)),
        ));
    }
    if lines.is_empty() && !(times.sampled.is_empty() && times.first.is_none()) {
        lines.push(Line::passed(format!("{what}, and all sampled points are newer")));
    }
    lines
}

fn oldest_kept(kept: Duration, now: SystemTime) -> Option<i64> {
    // None if the retention reaches back beyond 1970, so that no point is too old.
    let oldest = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.checked_sub(kept)?;
    i64::try_from(oldest.as_nanos()).ok()
}

fn longer(destination: &Destination) -> String {
    match destination {
        Destination::Bucket { bucket, .. } => format!(
            "keep them longer (influx bucket update --id ID --retention 0, with the ID of {bucket:?})"
        ),
        Destination::Database { database, retention_policy } => format!(
            "keep them longer (ALTER RETENTION POLICY {:?} ON {database:?} DURATION INF)",
            retention_policy.as_deref().unwrap_or("autogen")
        ),
        // InfluxDB 3 refuses no point for its age.
        Destination::Database3 { database } => {
            format!("keep them longer (influxdb3 update database --retention-period none {database:?})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fails_for_unsigned_integers_on_influxdb_1() {
        let line = judge_unsigned("http://h", "1.6.7~rc0").unwrap().to_string();
        assert!(
            line.contains(
                "http://h: InfluxDB 1.6.7~rc0 refuses each point with a field whose type is \"uint\""
            ),
            "{line}"
        );
        for version in ["v2.7.12", "3.1.0", "receiver"] {
            assert!(judge_unsigned("http://h", version).is_none(), "{version}");
        }
    }

    #[test]
    fn warns_of_points_older_than_the_retention() {
        const HOUR: i64 = 3_600_000_000_000;
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1_000);
        let bucket = Destination::Bucket { org: "o".into(), bucket: "b".into() };
        let f = |kept: DestinationRetention, sampled: &[i64], first: Option<i64>, want: &[&str]| {
            let times = Times {
                sampled: sampled.iter().map(|hour| hour * HOUR).collect(),
                first: first.map(|hour| (hour * HOUR, "t[0]@7".to_owned())),
            };
            let lines = judge_kept(&bucket, kept, &times, now);
            assert_eq!(lines.len(), want.len(), "{lines:?}");
            for (line, want) in lines.iter().zip(want) {
                assert!(line.to_string().starts_with(want), "{line}");
            }
        };
        let day = DestinationRetention::For(Duration::from_hours(24));
        f(DestinationRetention::Forever, &[1], Some(1), &[]);
        f(DestinationRetention::Unknown, &[1], Some(1), &[]);
        f(day, &[], None, &[]);
        f(
            day,
            &[977, 999],
            Some(980),
            &[
                "ok      bucket \"b\" of org \"o\": points are kept for 1 day, and all sampled points are newer",
            ],
        );
        f(
            day,
            &[975, 999],
            Some(10),
            &[
                "warn    bucket \"b\" of org \"o\": points are kept for 1 day, and 1 of 2 sampled points are older: InfluxDB refuses",
                "warn    bucket \"b\" of org \"o\": points are kept for 1 day, and the first records are older: t[0]@7 becomes a \
                 point at 1970-01-01T10:00:00Z: InfluxDB refuses such points",
            ],
        );
    }
}
