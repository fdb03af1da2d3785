//! The checks that only InfluxDB 3 needs: its endpoint, its databases, and points that it stores and never shows.

use super::REQUEST_MAX;
use super::offsets::shown;
use super::report::Line;
use super::sampled::Times;
use base::suggest::nearest;
use base::{Api, Destination};
use influx::{Address, Client, Server, ServerInfo, Version};
use std::time::{Duration, SystemTime};

/// Bytes of a database's name. 3.10
const NAME_MAX: usize = 64;
/// Shorter retention periods are rare.
const RETENTION_MIN: Duration = Duration::from_hours(24);

/// Checks that `influx.api` fits the server.
pub fn judge_api(url: &str, api: Api, server: &ServerInfo) -> Option<Line> {
    let shown = server.version.as_deref()?;
    let read = Version::read(shown)?;
    match api {
        Api::V3 if Server::of(server) == Server::QuestDb => Some(Line::failed(
            format!("{url}: QuestDB has no endpoint of InfluxDB 3"),
            "set `influx.api` to \"v1\" or \"v2\"",
        )),
        Api::V3 if read.0 < 3 => Some(Line::failed(
            format!("{url}: InfluxDB {shown} has no endpoint of InfluxDB 3"),
            "set `influx.api` to \"v2\" for InfluxDB 2.x, or to \"v1\" for 1.x",
        )),
        Api::V1 | Api::V2 if read.0 >= 3 => Some(Line::warned(
            format!(
                "{url}: `influx.api` names the endpoint of an earlier InfluxDB, which {shown} offers for old clients"
            ),
            "set `influx.api` to \"v3\" and `influx.database`: refused lines then cost fewer requests",
        )),
        Api::V1 | Api::V2 | Api::V3 => None,
    }
}

/// Checks whether the database exists. Nothing is written, because a write would create it.
pub async fn database(client: &Client, address: &Address, destination: &Destination) -> Option<Line> {
    if !matches!(address.server(), Server::Influx3(_)) {
        return None;
    }
    let listed = tokio::time::timeout(REQUEST_MAX, client.databases(address, destination)).await;
    // A token that may write one database need not list all, so no list is no error.
    let (name, names) = listed.ok().flatten()?;
    judge_database(address.as_str(), &name, &names)
}

fn judge_database(url: &str, name: &str, names: &[String]) -> Option<Line> {
    if names.iter().any(|other| other == name) {
        return None;
    }
    // 3.10
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    // A retention policy of 1.x is a part of the name, behind a slash.
    if name.len() > NAME_MAX || !name.chars().all(|c| is_allowed(c) || c == '/') {
        return Some(Line::failed(
            format!("{url}: InfluxDB 3 allows no database {name:?}"),
            "choose a name of at most 64 letters, digits, \"_\" and \"-\"",
        ));
    }
    let near = nearest(name, names.iter().map(String::as_str));
    let meant = near.map_or(String::new(), |near| format!(" (did you mean {near:?}?)"));
    Some(Line::warned(
        format!("{url}: there is no database {name:?}{meant}"),
        "InfluxDB 3 creates it at the first write: check the name in `influx.database` (with `influx.retention_policy` behind a slash) or `influx.bucket`",
    ))
}

/// A warning about sampled points that queries would not show: InfluxDB 3 answers 204 to points of any age. Its queries leave out those
/// beyond the retention period, which the bridge cannot query.
pub fn judge_hidden(destination: &Destination, times: &Times, now: SystemTime) -> Option<Line> {
    let first = times.first.as_ref().map(|(first, _)| first);
    let oldest = *times.sampled.iter().chain(first).min()?;
    let newest_old = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.checked_sub(RETENTION_MIN)?;
    if oldest >= i64::try_from(newest_old.as_nanos()).ok()? {
        return None;
    }
    Some(Line::warned(
        format!(
            "{destination}: the oldest point to be written is of {}. InfluxDB 3 stores points of any age, and shows none beyond its \
             retention period",
            shown(oldest / 1_000_000)
        ),
        "compare with `influxdb3 show retention`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_fits_its_server() {
        let f = |api: Api, version: &str, want: Option<&str>| {
            let server = ServerInfo { version: Some(version.to_owned()), ..ServerInfo::default() };
            let line = judge_api("http://h", api, &server).map(|line| line.to_string());
            assert_eq!(line.as_deref().map(|line| line.split_whitespace().next().unwrap()), want, "{line:?}");
        };
        f(Api::V3, "3.10.0", None);
        f(Api::V3, "v2.7.12", Some("FAILED"));
        f(Api::V3, "1.6.7~rc0", Some("FAILED"));
        f(Api::V3, "receiver", None);
        f(Api::V2, "3.10.0", Some("warn"));
        f(Api::V1, "3.10.0", Some("warn"));
        f(Api::V2, "v2.7.12", None);
        assert_eq!(judge_api("http://h", Api::V3, &ServerInfo::default()), None);
        let (version, software) = (Some("v2.7.4".to_owned()), Some("QuestDB".to_owned()));
        let questdb = ServerInfo { version, software, ..ServerInfo::default() };
        let line = judge_api("http://h", Api::V3, &questdb).unwrap().to_string();
        assert!(line.contains("QuestDB has no endpoint of InfluxDB 3"), "{line}");
    }

    #[test]
    fn an_unknown_database_is_a_warning_with_the_nearest_name() {
        let f = |name: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            judge_database("http://h", name, &names).map(|line| line.to_string())
        };
        assert_eq!(f("metrics", &["_internal", "metrics"]), None);
        let line = f("metrcs", &["_internal", "metrics"]).unwrap();
        assert!(line.contains("there is no database \"metrcs\" (did you mean \"metrics\"?)"), "{line}");
        assert!(line.starts_with("warn"), "{line}");
        assert!(f("other", &[]).unwrap().contains("there is no database \"other\""));
        for name in ["met rics", "온도", &"x".repeat(65)] {
            let line = f(name, &["metrics"]).unwrap();
            assert!(line.starts_with("FAILED") && line.contains("allows no database"), "{line}");
        }
    }

    #[test]
    fn old_points_may_be_stored_and_never_shown() {
        const HOUR: i64 = 3_600_000_000_000;
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1_000);
        let destination = Destination::Database3 { database: "d".into() };
        let f = |sampled: &[i64], first: Option<i64>| {
            let times = Times {
                sampled: sampled.iter().map(|hour| hour * HOUR).collect(),
                first: first.map(|hour| (hour * HOUR, "t[0]@7".to_owned())),
            };
            judge_hidden(&destination, &times, now).map(|line| line.to_string())
        };
        assert_eq!(f(&[], None), None);
        assert_eq!(f(&[977, 999], Some(976)), None);
        let line = f(&[999], Some(10)).unwrap();
        assert!(line.contains("1970-01-01T10:00:00Z"), "{line}");
        assert!(f(&[975], None).is_some());
    }
}
