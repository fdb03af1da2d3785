//! InfluxDB: which one, whether it takes what would be written, how long it keeps that, and its clock.

use super::ASK_MAX;
use super::clock;
use super::offsets::{shown, span};
use super::report::{Line, Report};
use super::sampled::{Sampled, Times};
use base::Destination;
use base::text::counted;
use configuration::Config;
use influx::{Address, Cause, Client, DestinationRetention, Outcome, RemedyContext, RequestFailure, advice};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

/// Asks every address of `influx.url` or `influx.urls`.
pub fn check(config: &Config, sampled: &Sampled<'_>, report: &mut Report<'_, impl Write>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = match Client::new(&config.influx) {
        Ok(client) => client,
        Err(error) => return report.tell(&Line::failed("influx", error.to_string())),
    };
    let destinations: BTreeSet<_> = config.mappings.iter().map(|mapping| &mapping.destination).collect();
    let mut is_kept_told = BTreeSet::new();
    let Some(first) = destinations.first() else { return Ok(()) };
    for address in client.addresses().all() {
        let (answers, lines) = runtime.block_on(server(&client, address, first));
        report.tell_all(lines)?;
        if !answers {
            continue;
        }
        for destination in &destinations {
            report.tell(&runtime.block_on(writable(&client, address, destination)))?;
            let times = sampled.times(destination);
            // All addresses are of one database.
            if let (Some(times), true) = (times, is_kept_told.insert(*destination)) {
                let kept = within(client.retention(address, destination));
                // Without an answer in time nothing is claimed about retention.
                let kept = runtime.block_on(kept).unwrap_or(DestinationRetention::Unknown);
                report.tell_all(judge_kept(destination, kept, times, SystemTime::now()))?;
            }
        }
    }
    Ok(())
}

async fn within<T>(question: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(ASK_MAX, question).await.ok()
}

/// Which server answers, and its clock. `destination` is for the remedies' words.
async fn server(client: &Client, address: &Address, destination: &Destination) -> (bool, Vec<Line>) {
    let url = address.as_str();
    let asked = SystemTime::now();
    match within(client.ping(address)).await.unwrap_or_else(|| Err(no_answer())) {
        // A proxy may forward writes alone; and what is no InfluxDB refuses them, too.
        Ok(server) if !server.is_influx() => {
            let line = Line::warned(
                format!("{url}: /ping is answered {}, not as InfluxDB does", server.status),
                "check `influx.url` and proxies before it; the lines below say whether writes pass",
            );
            (true, vec![line])
        }
        Ok(server) => {
            let version = server
                .version
                .map_or("a server that names no version".to_owned(), |v| format!("InfluxDB {v}"));
            let clock = server.time.map(|time| clock::of_server(url, time, asked, SystemTime::now()));
            let lines = std::iter::once(Line::passed(format!("{url}: {version}"))).chain(clock);
            (true, lines.collect())
        }
        Err(failure) => {
            let credential = client.credential();
            let place = RemedyContext { address: url, destination, credential: &credential };
            let remedy = advice(failure.cause, &failure.why, place);
            (false, vec![Line::failed(format!("{url}: {}", failure.why), remedy)])
        }
    }
}

fn no_answer() -> RequestFailure {
    RequestFailure { cause: Cause::TimedOut, why: format!("no answer within {} s", ASK_MAX.as_secs()) }
}

/// Writes nothing there.
async fn writable(client: &Client, address: &Address, destination: &Destination) -> Line {
    let what = format!("{}: {destination}", address.as_str());
    let credential = client.credential();
    let place = RemedyContext { address: address.as_str(), destination, credential: &credential };
    match within(client.probe(address, destination)).await.unwrap_or_else(|| Err(no_answer())) {
        Ok(Outcome::Blocked { cause, why } | Outcome::Retry { cause, why, .. }) => {
            Line::failed(format!("{what}: {why}"), advice(cause, &why, place))
        }
        Ok(Outcome::Stored) => Line::passed(format!("{what}: may be written")),
        // It may be about the write being empty.
        Ok(Outcome::Refused { why } | Outcome::Split { why } | Outcome::Uncompressed { why }) => {
            Line::warned(
                format!(
                    "{what}: whether it may be written is not known: a write without lines is answered {why}"
                ),
                "look at the log of `run` for the first points, and at proxies before the server",
            )
        }
        Err(failure) => {
            Line::failed(format!("{what}: {}", failure.why), advice(failure.cause, &failure.why, place))
        }
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
    let what = format!("{destination}: it keeps points for {}", span(kept));
    let mut lines = Vec::new();
    let older = times.sampled.iter().filter(|time| **time < oldest).count();
    if older > 0 {
        let of = counted(times.sampled.len(), "sampled point");
        lines.push(Line::warned(
            format!("{what}, and {older} of {of} are older"),
            format!(
                "InfluxDB refuses them: {}, or look at `time_key` and `time_format`",
                longer(destination)
            ),
        ));
    }
    if let Some((first, place)) = times.first.as_ref().filter(|(first, _)| *first < oldest) {
        lines.push(Line::warned(
            format!(
                "{what}, and what is read first is older: {place} becomes a point of {}",
                shown(first / 1_000_000)
            ),
            format!("InfluxDB refuses such points, until newer ones come: {}", longer(destination)),
        ));
    }
    if lines.is_empty() && !(times.sampled.is_empty() && times.first.is_none()) {
        lines.push(Line::passed(format!("{what}, and all that were sampled are newer")));
    }
    lines
}

fn oldest_kept(kept: Duration, now: SystemTime) -> Option<i64> {
    // None: retention reaches back beyond 1970, so that no point is too old.
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_of_points_that_are_refused_for_their_age() {
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
                "ok      bucket \"b\" of org \"o\": it keeps points for 1 day, and all that were sampled are newer",
            ],
        );
        f(
            day,
            &[975, 999],
            Some(10),
            &[
                "warn    bucket \"b\" of org \"o\": it keeps points for 1 day, and 1 of 2 sampled points are older: InfluxDB refuses",
                "warn    bucket \"b\" of org \"o\": it keeps points for 1 day, and what is read first is older: t[0]@7 becomes a \
                 point of 1970-01-01T10:00:00Z: InfluxDB refuses such points",
            ],
        );
    }
}
