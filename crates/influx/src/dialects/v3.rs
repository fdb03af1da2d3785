//! InfluxDB 3, whose write endpoints of 1.x and 2.x the bridge uses.

use super::phrases::{LimitScope, Phrase, Phrases, Quoting, ServerLimit, phrase};
use crate::cause::Cause;

pub const PHRASES: Phrases = Phrases {
    // 3.10 (400 and 500)
    failures: &[phrase("wal is shutdown", Cause::ServerFailed)],
    limits: LIMITS,
    line_causes: LINE_CAUSES,
    empty_write: &["incoming write was empty"],
    // 3.10
    encoding: &["error decoding gzip", "unacceptable content-encoding", "invalid utf-8", "valid utf-8"],
    quotings: &[
        // 3.10: invalid column type for column 'v'
        Quoting { begin: "'", end: "'", is_open: false },
        // 3.10: Unable to parse timestamp value `1`
        Quoting { begin: "`", end: "`", is_open: false },
    ],
    column_prefixes: &["for column '", "instances of '"],
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

const LINE_CAUSES: &[Phrase<&str>] = &[
    // 3.10
    phrase("no fields were provided", "no fields"),
    phrase("invalid column type for column ", "field type conflict"),
    phrase("unable to parse timestamp value", "timestamp"),
    phrase("multiple instances of ", "duplicate field"),
    phrase("string is greater than 1mb", "string too long"),
    phrase("line protocol parse failed", "unparsable"),
    phrase("line protocol parsing error", "unparsable"),
    phrase("partial write of line protocol occurred", "unparsable"),
];
