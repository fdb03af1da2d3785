//! InfluxDB 1.x and Enterprise, and the 1.x API of InfluxDB 2.x and of compatible servers.

use super::dialect::{Dialect, Target, shell_word as word};
use super::phrase::{LimitScope, LineEvidence, Phrase, Phrases, QuotedText, ServerLimit, line_cause, phrase};
use crate::answer::Answer;
use crate::cause::Cause;
use base::Credential;
use serde_json::Value;
use std::time::Duration;

/// A database and, if it is not the default one, a retention policy.
#[derive(Clone, Copy, Debug)]
pub struct Database<'a> {
    pub database: &'a str,
    pub policy: Option<&'a str>,
}

impl Dialect for Database<'_> {
    /// 2.x reads a `precision` that it does not know as nanoseconds, so nanoseconds are right for both.
    fn write_target(&self) -> Target<'_> {
        let mut parameters = vec![("db", self.database.into())];
        parameters.extend(self.policy.map(|policy| ("rp", policy.into())));
        parameters.push(("precision", "ns".into()));
        Target { path: &["write"], parameters }
    }

    fn retention_target(&self) -> Option<Target<'_>> {
        let statement = format!("SHOW RETENTION POLICIES ON {}", identifier(self.database));
        Some(Target {
            path: &["query"],
            parameters: vec![("db", self.database.into()), ("q", statement.into())],
        })
    }

    fn retention(&self, json: &Value) -> Option<Duration> {
        let series = json.get("results")?.get(0)?.get("series")?.get(0)?;
        let columns = series.get("columns")?.as_array()?;
        let column = |name: &str| columns.iter().position(|column| column.as_str() == Some(name));
        let (name, duration, default) = (column("name")?, column("duration")?, column("default")?);
        let rows = series.get("values")?.as_array()?;
        let row = rows.iter().find(|row| match self.policy {
            Some(policy) => row.get(name).and_then(Value::as_str) == Some(policy),
            None => row.get(default).and_then(Value::as_bool) == Some(true),
        })?;
        go_duration(row.get(duration)?.as_str()?)
    }

    fn creation_target(&self) -> Option<Target<'_>> {
        Some(Target { path: &["query"], parameters: vec![("q", create_statement(self.database).into())] })
    }

    /// 1.x answers 200 to an empty body.
    fn accepts_empty_write(&self, answer: &Answer) -> bool {
        answer.status == 200 && answer.body.is_empty()
    }

    fn permission_remedy(&self, credential: &Credential) -> String {
        let Credential::Basic { username, .. } = credential else {
            return "check influx.username and influx.password, or influx.token, and what it may write to"
                .to_owned();
        };
        let grant = format!("GRANT WRITE ON {} TO {}", identifier(self.database), identifier(username));
        format!(
            "let influx.username write there: `influx -execute {}`; on 2.x: \
             `influx v1 auth create --username {} --write-bucket ID`",
            word(&grant),
            word(username)
        )
    }

    fn missing_remedy(&self, cause: Cause, credential: &Credential) -> String {
        if cause == Cause::MappingMissing {
            return self.mapping_remedy(credential);
        }
        format!(
            "check influx.database, or set `create_database = true` under [influx], or create it: {}",
            create_command(self.database)
        )
    }

    /// Creating a database mostly fails because the user may not create one.
    fn not_created_remedy(&self, _: &Credential) -> String {
        format!(
            "check influx.database, or create it as an administrator, who alone may do so if InfluxDB requires a login: {}",
            create_command(self.database)
        )
    }
}

impl Database<'_> {
    /// 2.x writes to a database only if a mapping names its bucket.
    fn mapping_remedy(&self, credential: &Credential) -> String {
        let username = match credential {
            Credential::Basic { username, .. } => username.as_str(),
            _ => "NAME",
        };
        format!(
            "map it to a bucket: `influx v1 dbrp create --db {} --rp {} --default --bucket-id ID`; \
             and let a user write there: `influx v1 auth create --username {} --write-bucket ID`",
            word(self.database),
            word(self.policy.unwrap_or("autogen")),
            word(username)
        )
    }
}

fn create_statement(database: &str) -> String {
    format!("CREATE DATABASE {}", identifier(database))
}

fn create_command(database: &str) -> String {
    format!("`influx -execute {}`", word(&create_statement(database)))
}

/// A quoted identifier of `InfluxQL`.
fn identifier(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// Reads a duration such as `168h0m0s`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut all = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, behind) =
            behind.split_at(behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len()));
        let seconds = match unit {
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ => return None,
        };
        all = all.checked_add(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))?;
        rest = behind;
    }
    Some(all)
}

const fn reserved(before: &'static str) -> LineEvidence {
    LineEvidence::Name { before, behind: "\" on measurement" }
}

pub const PHRASES: Phrases = Phrases {
    failures: FAILURES,
    limits: LIMITS,
    // 1.x and 2.x (source)
    line_causes: &[
        line_cause("invalid tag key: input tag ", "reserved tag", reserved("input tag \"")),
        line_cause("invalid field name: input field ", "reserved field", reserved("input field \"")),
    ],
    // 2.7.12, 1.6.7
    encoding: &["gzip: invalid"],
    mistakes: MISTAKES,
    // 1.6.7 and 2.7.12, once for each line: unable to parse 'm f=': missing field value
    quoted_texts: &[QuotedText { begin: "unable to parse '", end: "': ", is_open: true }],
    ..Phrases::NONE
};

const FAILURES: &[Phrase<Cause>] = &[
    // 1.x and 2.x while a shard or the server closes (source)
    phrase("engine is closed", Cause::ServerFailed),
    phrase("engine closed", Cause::ServerFailed),
    phrase("shard is disabled", Cause::ServerFailed),
    phrase("shard is deleted", Cause::ServerFailed),
    phrase("index is closed", Cause::ServerFailed),
    phrase("series file closed", Cause::ServerFailed),
    phrase("store is closed", Cause::ServerFailed),
    phrase("wal closed", Cause::ServerFailed),
    // InfluxDB Enterprise while a node is down (source)
    phrase("hinted handoff", Cause::ServerFailed),
    phrase("write failed", Cause::ServerFailed),
];

const LIMITS: &[ServerLimit] = &[
    // 1.6.7 (400)
    ServerLimit {
        text: "max-series-per-database limit exceeded",
        scope: LimitScope::Lines,
        remedy: "the database has as many series as max-series-per-database allows: raise it under [data] in influxdb.conf (0 is no limit), or write fewer series",
    },
    // 1.6.7 (400)
    ServerLimit {
        text: "max-values-per-tag limit exceeded",
        scope: LimitScope::Lines,
        remedy: "a tag has as many values as max-values-per-tag allows: raise it under [data] in influxdb.conf (0 is no limit), or make that tag a field",
    },
];

const MISTAKES: &[Phrase<Cause>] = &[
    // 1.6.7
    phrase("database is required", Cause::RequestRefused),
    phrase("database not found", Cause::DatabaseMissing),
    // The policy is a parameter of the request, so no line is to blame.
    phrase("retention policy not found", Cause::PolicyMissing),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quotes_identifiers() {
        let f = |name: &str, want: &str| assert_eq!(identifier(name), want);
        f("plain", r#""plain""#);
        f(r#"a"; DROP DATABASE b; ""#, r#""a\"; DROP DATABASE b; \"""#);
        f("back\\slash\nbreak", r#""back\\slash\nbreak""#);
    }

    #[test]
    fn reads_the_retention_of_a_policy() {
        let series = json!({"columns": ["name", "duration", "shardGroupDuration", "replicaN", "default"],
            "values": [["autogen", "0s", "168h0m0s", 1, false], ["week", "168h0m0s", "24h0m0s", 1, true]]});
        let answer = json!({"results": [{"statement_id": 0, "series": [series]}]});
        let f = |policy: Option<&str>, want: Option<u64>| {
            let database = Database { database: "d", policy };
            assert_eq!(database.retention(&answer), want.map(Duration::from_secs));
        };
        f(None, Some(604_800));
        f(Some("autogen"), Some(0));
        f(Some("none"), None);
        let refused = json!({"results": [{"error": "database not found"}]});
        assert_eq!(Database { database: "d", policy: None }.retention(&refused), None);
    }

    #[test]
    fn reads_durations() {
        let f = |text: &str, want: Option<u64>| {
            assert_eq!(go_duration(text), want.map(Duration::from_secs), "{text}");
        };
        f("0s", Some(0));
        f("1h1m1s", Some(3_661));
        f("", Some(0));
        f("5", None);
        f("h", None);
        f("1d", None);
    }
}
