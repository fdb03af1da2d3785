//! InfluxDB 3. It takes writes at an endpoint of its own, and at those of 1.x and 2.x.

use super::dialect::{DatabaseList, Dialect, Probe, Target, shell_word as word};
use super::phrase::{
    LimitScope, LineCause, LineEvidence, Phrases, QuotedText, ServerLimit, line_cause, phrase,
};
use super::server::Version;
use super::{v1, v2};
use crate::cause::Cause;
use base::Credential;
use serde_json::Value;
use std::borrow::Cow;

/// The first version whose rejected lines leave no tags in the lines behind them (release notes of 3.11.2).
const PARTIAL_WRITES: Version = Version(3, 11, 2);

/// A database, addressed through one of the three write endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Database<'a> {
    pub endpoint: Endpoint<'a>,
    /// `None`: the server did not name it.
    pub version: Option<Version>,
    /// Answer before the write-ahead log is on disk. Only the server's own endpoint has this option.
    pub no_sync: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Endpoint<'a> {
    Own { database: &'a str },
    V1(v1::Database<'a>),
    V2(v2::Bucket<'a>),
}

// The server creates a database at the first write, stores points of any age, and filters queries by its retention period.
impl Dialect for Database<'_> {
    fn write_target(&self) -> Target<'_> {
        match &self.endpoint {
            Endpoint::V1(database) => database.write_target(),
            Endpoint::V2(bucket) => bucket.write_target(),
            Endpoint::Own { database } => {
                let flag = |value: bool| Cow::Borrowed(if value { "true" } else { "false" });
                let accepts_partial = self.version.is_some_and(|version| version >= PARTIAL_WRITES);
                let parameters = vec![
                    ("db", (*database).into()),
                    // `auto`, the default, guesses the unit by the size of the number.
                    ("precision", "nanosecond".into()),
                    ("accept_partial", flag(accepts_partial)),
                    ("no_sync", flag(self.no_sync)),
                ];
                Target { path: &["api", "v3", "write_lp"], parameters }
            }
        }
    }

    /// 3.10 answers 400 to a write without lines, after it has created the database.
    fn probe(&self) -> Probe<'_> {
        let target = Target {
            path: &["api", "v3", "configure", "database"],
            parameters: vec![("format", "json".into())],
        };
        Probe::Databases(DatabaseList { target, name: self.name(), read: database_names })
    }

    fn permission_remedy(&self, _: &Credential) -> String {
        format!(
            "give influx.token permission to write to database {}, or make one that has it: \
             `influxdb3 create token --permission {}` (Enterprise), `influxdb3 create token --admin` (Core)",
            word(&self.name()),
            word(&format!("db:{}:write", self.name()))
        )
    }

    fn missing_remedy(&self, _: Cause, _: &Credential) -> String {
        format!(
            "check influx.{}, or create the database: `influxdb3 create database {}`",
            match self.endpoint {
                Endpoint::V2(_) => "bucket",
                Endpoint::Own { .. } | Endpoint::V1(_) => "database",
            },
            word(&self.name())
        )
    }

    fn not_created_remedy(&self, credential: &Credential) -> String {
        self.missing_remedy(Cause::DatabaseMissing, credential)
    }
}

impl Database<'_> {
    /// Name of the database. A retention policy of 1.x is a part of it.
    fn name(&self) -> Cow<'_, str> {
        match &self.endpoint {
            Endpoint::Own { database } | Endpoint::V1(v1::Database { database, policy: None }) => {
                (*database).into()
            }
            Endpoint::V1(v1::Database { database, policy: Some(policy) }) => {
                format!("{database}/{policy}").into()
            }
            Endpoint::V2(bucket) => bucket.bucket.into(),
        }
    }
}

/// Reads `[{"iox::database": "metrics"}, ...]`.
fn database_names(json: &Value) -> Option<Vec<String>> {
    let name = |entry: &Value| entry.get("iox::database")?.as_str().map(str::to_owned);
    Some(json.as_array()?.iter().filter_map(name).collect())
}

pub const PHRASES: Phrases = Phrases {
    // 3.10 (400 and 500)
    failures: &[
        phrase("wal is shutdown", Cause::ServerFailed),
        phrase("error from wal", Cause::ServerFailed),
    ],
    limits: LIMITS,
    line_causes: LINE_CAUSES,
    line_marks: LINE_MARKS,
    empty_write: &["incoming write was empty"],
    // 3.10
    encoding: &["error decoding gzip", "unacceptable content-encoding", "invalid utf-8", "valid utf-8"],
    quoted_texts: &[
        // 3.10: invalid column type for column 'v'
        QuotedText { begin: "'", end: "'", is_open: false },
        // 3.10: Unable to parse timestamp value `1`
        QuotedText { begin: "`", end: "`", is_open: false },
    ],
    column_marks: &[("for column '", "'"), ("instances of '", "'")],
    ..Phrases::NONE
};

/// 3.10 (422 from `/write`, 400 from `/api/v2/write`)
const LIMITS: &[ServerLimit] = &[
    ServerLimit {
        text: "adding a new database would exceed limit",
        scope: LimitScope::Destination,
        remedy: "InfluxDB has as many databases as it allows (5 in InfluxDB 3 Core): check influx.database, influx.retention_policy or influx.bucket, or delete a database",
    },
    ServerLimit {
        text: "would exceed number of columns",
        scope: LimitScope::Lines,
        remedy: "a table has as many columns as InfluxDB 3 allows (500 in Core): leave fields out with `exclude` of the mapping, or write to several measurements",
    },
    ServerLimit {
        text: "would exceed number of tables limit",
        scope: LimitScope::Lines,
        remedy: "the database has as many tables as InfluxDB 3 allows (2,000 in Core): write to fewer measurements, or to another database",
    },
];

const TYPES: &[(&str, &str)] = &[
    ("tag", "tag"),
    ("field::float", "float"),
    ("field::integer", "integer"),
    ("field::uinteger", "unsigned"),
    ("field::string", "string"),
    ("field::boolean", "boolean"),
];

const LINE_CAUSES: &[LineCause] = &[
    // 3.10
    line_cause("no fields were provided", "no fields", LineEvidence::Unreadable),
    line_cause(
        "invalid column type for column ",
        "field type conflict",
        LineEvidence::ColumnType { before: "got iox::column_type::", types: TYPES, is_of_table: true },
    ),
    line_cause(
        "unable to parse timestamp value",
        "timestamp",
        LineEvidence::Timestamp { before: "timestamp value " },
    ),
    line_cause("multiple instances of ", "duplicate field", LineEvidence::Duplicate),
    line_cause("string is greater than 1mb", "string too long", LineEvidence::LongString(1_000_000)),
    // InfluxDB Cloud Serverless and Dedicated, and the parser of 3.x (source)
    line_cause("invalid measurement was provided", "unparsable", LineEvidence::Unreadable),
    line_cause("may not end with a backslash", "unparsable", LineEvidence::Unreadable),
    line_cause("expected at least one space character", "unparsable", LineEvidence::Unreadable),
];

/// The begin, in lower case, of an answer that names every refused line.
pub const PARTIAL_WRITE: &str = "partial write of line protocol occurred";

/// 3.10 and later. The words behind them name the cause, and those of a later version may be unknown.
const LINE_MARKS: &[&str] = &["line protocol parse failed", "line protocol parsing error", PARTIAL_WRITE];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn own(version: Option<Version>, no_sync: bool) -> Database<'static> {
        Database { endpoint: Endpoint::Own { database: "d" }, version, no_sync }
    }

    #[test]
    fn accepts_partial_writes_only_where_rejected_lines_leave_no_tags() {
        let f = |version: Option<Version>, want: &str| {
            let database = own(version, false);
            let parameters = database.write_target().parameters;
            let value =
                parameters.iter().find(|(name, _)| *name == "accept_partial").map(|(_, value)| &**value);
            assert_eq!(value, Some(want), "{version:?}");
        };
        f(None, "false");
        f(Some(Version(3, 10, 0)), "false");
        f(Some(Version(3, 11, 1)), "false");
        f(Some(Version(3, 11, 2)), "true");
        f(Some(Version(4, 0, 0)), "true");
    }

    #[test]
    fn names_the_database_of_every_endpoint() {
        let name = |endpoint| Database { endpoint, version: None, no_sync: false }.name().into_owned();
        assert_eq!(name(Endpoint::Own { database: "d" }), "d");
        assert_eq!(name(Endpoint::V1(v1::Database { database: "d", policy: None })), "d");
        assert_eq!(name(Endpoint::V1(v1::Database { database: "d", policy: Some("week") })), "d/week");
        assert_eq!(name(Endpoint::V2(v2::Bucket { org: "o", bucket: "b" })), "b");
    }

    #[test]
    fn reads_a_list_of_databases() {
        let list = json!([{"iox::database": "_internal"}, {"iox::database": "metrics", "deleted": false}]);
        assert_eq!(database_names(&list), Some(vec!["_internal".to_owned(), "metrics".to_owned()]));
        assert_eq!(database_names(&json!([])), Some(vec![]));
        assert_eq!(database_names(&json!({"error": "not found"})), None);
    }

    #[test]
    fn remedies_name_commands_of_this_server() {
        let database = own(None, false);
        let permission = database.permission_remedy(&Credential::None);
        assert!(permission.contains("influxdb3 create token --permission db:d:write"), "{permission}");
        let missing = database.missing_remedy(Cause::DatabaseMissing, &Credential::None);
        assert_eq!(missing, "check influx.database, or create the database: `influxdb3 create database d`");
    }
}
