//! The server behind an address, as its answer to `/ping` shows.

use base::TimePrecision;
use std::fmt;
use std::time::SystemTime;

/// A server's answer to `/ping`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// `X-Influxdb-Version`, such as `v2.7.12` or `1.6.7~rc0`. VictoriaMetrics sends none.
    pub version: Option<String>,
    /// `X-Influxdb-Build`, such as `OSS`.
    pub build: Option<String>,
    /// `Server`, in which `QuestDB` names itself.
    pub software: Option<String>,
    /// The server's clock, in whole seconds.
    pub time: Option<SystemTime>,
    /// Status of the answer.
    pub status: u16,
}

impl ServerInfo {
    /// Whether InfluxDB, or a server that speaks its protocol, answers `/ping` in this way: with a version, or with 204.
    pub fn is_influx(&self) -> bool {
        self.version.is_some() || self.status == 204
    }
}

/// Version of a server: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Reads the number at the beginning of a version such as `3.10.0`, `v2.7.12` or `1.6.7~rc0`.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text.get(..end)?.split('.').map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
        Some(Self(major, next(), next()))
    }
}

/// The server family that decides a dialect, whatever API the configuration names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Server {
    /// Not asked yet, without an answer, or of a family that follows the configured API.
    #[default]
    Unknown,
    /// InfluxDB 3, which also takes writes at the endpoints of 1.x and 2.x.
    Influx3(Version),
    /// `QuestDB`, which claims the version of an InfluxDB 2.
    QuestDb,
}

impl Server {
    pub fn of(info: &ServerInfo) -> Self {
        let is_questdb = |software: &str| software.to_ascii_lowercase().starts_with("questdb");
        if info.software.as_deref().is_some_and(is_questdb) {
            return Self::QuestDb;
        }
        match info.version.as_deref().and_then(Version::read) {
            Some(version) if version.0 >= 3 => Self::Influx3(version),
            _ => Self::Unknown,
        }
    }
}

impl Server {
    /// The precision with which the server stores times; `None` if the server is not known.
    pub fn time_precision(self) -> Option<TimePrecision> {
        match self {
            Self::Unknown => None,
            Self::Influx3(_) => Some(TimePrecision::Nanoseconds),
            // 9.3.4
            Self::QuestDb => Some(TimePrecision::Microseconds),
        }
    }

    /// The meaning and the remedy of a configured precision that is not the server's; none if it is.
    pub fn judge_precision(self, configured: TimePrecision) -> Option<(String, String)> {
        let stored = self.time_precision().filter(|stored| *stored != configured)?;
        let (configured, of_server) = (configured.name(), stored.name());
        let meaning = if stored > TimePrecision::Nanoseconds {
            format!(
                "{self} drops finer digits of times than \"{of_server}\", so some digits of `distinct_times` are lost, and more points \
                 of one series get the same time"
            )
        } else {
            format!("{self} stores \"{of_server}\", so `distinct_times` fills fewer digits than it could")
        };
        let why = format!("`influx.time_precision` is \"{configured}\", and {meaning}");
        let remedy = format!(
            "set time_precision = \"{of_server}\" under [influx]; times of records that are read again change with it"
        );
        Some((why, remedy))
    }
}

impl fmt::Display for Server {
    /// Product and version; empty for an unknown server.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => Ok(()),
            Self::QuestDb => f.write_str("QuestDB"),
            Self::Influx3(Version(major, minor, patch)) => write!(f, "InfluxDB {major}.{minor}.{patch}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_family_of_a_version() {
        let f = |version: &str, want: Server| {
            let info = ServerInfo { version: Some(version.to_owned()), ..ServerInfo::default() };
            assert_eq!(Server::of(&info), want, "{version}");
        };
        f("3.10.0", Server::Influx3(Version(3, 10, 0)));
        f("v3.11.2-nightly", Server::Influx3(Version(3, 11, 2)));
        f("3", Server::Influx3(Version(3, 0, 0)));
        f("v2.7.12", Server::Unknown);
        f("1.6.7~rc0", Server::Unknown);
        f("receiver", Server::Unknown);
        f("", Server::Unknown);
        // 9.3.4
        let (version, software) = (Some("v2.7.4".to_owned()), Some("questDB/1.0".to_owned()));
        let questdb = ServerInfo { version, software, ..ServerInfo::default() };
        assert_eq!(Server::of(&questdb), Server::QuestDb);
        let proxy = ServerInfo { software: Some("nginx/1.27".to_owned()), ..ServerInfo::default() };
        assert_eq!(Server::of(&proxy), Server::Unknown);
        let mismatch = Server::QuestDb.judge_precision(TimePrecision::Nanoseconds);
        assert!(mismatch.is_some_and(|(_, remedy)| remedy.contains("time_precision = \"us\"")));
        assert_eq!(Server::QuestDb.judge_precision(TimePrecision::Microseconds), None);
        let influx3 = Server::Influx3(Version(3, 10, 0));
        assert_eq!(influx3.judge_precision(TimePrecision::Nanoseconds), None);
        assert!(influx3.judge_precision(TimePrecision::Microseconds).is_some());
        assert_eq!(Server::Unknown.judge_precision(TimePrecision::Microseconds), None);
        assert!(Version(3, 9, 9) < Version(3, 11, 2) && Version(3, 11, 2) < Version(3, 12, 0));
    }
}
