//! `QuestDB`, which takes writes at the endpoints of 1.x and 2.x. It ignores database, bucket and organization: every line goes to the table
//! of its measurement. Times are stored as microseconds.

use super::dialect::{Dialect, Target};
use super::phrase::{LimitScope, LineEvidence, Phrases, QuotedText, ServerLimit, line_cause};
use crate::cause::Cause;
use base::Credential;

/// A `QuestDB` server, addressed through the endpoint of another dialect.
pub struct QuestDb<'a> {
    pub endpoint: Box<dyn Dialect + 'a>,
}

// A table is created by its first line.
impl Dialect for QuestDb<'_> {
    fn write_target(&self) -> Target<'_> {
        self.endpoint.write_target()
    }

    fn permission_remedy(&self, _: &Credential) -> String {
        "compare influx.username and influx.password, or influx.token, with http.user and http.password in QuestDB's server.conf, or with \
         the user's grants"
            .to_owned()
    }

    fn missing_remedy(&self, _: Cause, _: &Credential) -> String {
        "QuestDB has no databases and buckets: check influx.url, and proxies in front of it".to_owned()
    }

    fn not_created_remedy(&self, credential: &Credential) -> String {
        self.missing_remedy(Cause::DatabaseMissing, credential)
    }
}

/// Never in a message: the quote reaches to the end.
const NO_END: &str = "\0";

/// Phrases of 9.3.4. An answer names the first bad line by number, and nothing of the request is stored.
pub const PHRASES: Phrases = Phrases {
    limits: LIMITS,
    line_causes: &[
        line_cause(
            "; cast error from protocol type",
            "field type conflict",
            LineEvidence::ColumnType { before: "protocol type: ", types: TYPES, is_of_table: false },
        ),
        line_cause(
            "could not parse timestamp",
            "timestamp",
            LineEvidence::Timestamp { before: "timestamp: " },
        ),
        line_cause(
            "; designated timestamp before",
            "timestamp",
            LineEvidence::Timestamp { before: "timestamp: " },
        ),
        line_cause("could not parse entire line", "unparsable", LineEvidence::Unreadable),
        line_cause(
            "; invalid table name",
            "invalid name",
            LineEvidence::Name { before: "table: ", behind: "; invalid" },
        ),
        line_cause(
            "; invalid column name",
            "invalid name",
            LineEvidence::Name { before: "column: ", behind: "; invalid" },
        ),
    ],
    // error in line 2: table: cpu, column: v; cast error from protocol type: STRING to column type: DOUBLE
    // error in line 1: Could not parse entire line, field value is invalid. Field: v; value: 1e400
    quoted_texts: &[
        QuotedText { begin: "table: ", end: "; ", is_open: true },
        QuotedText { begin: " field: ", end: NO_END, is_open: true },
        QuotedText { begin: "field value is missing: ", end: NO_END, is_open: true },
        QuotedText { begin: "could not parse timestamp: ", end: NO_END, is_open: true },
    ],
    column_marks: &[(", column: ", "; cast error")],
    ..Phrases::NONE
};

/// `QuestDB` answers 400 and names the first line of the table, and no line is to blame.
const LIMITS: &[ServerLimit] = &[ServerLimit {
    text: "cannot insert in non-wal table",
    scope: LimitScope::Lines,
    remedy: "the table has no write-ahead log, which line protocol over HTTP needs: `ALTER TABLE NAME SET TYPE WAL`, and restart QuestDB",
}];

const TYPES: &[(&str, &str)] = &[
    ("TAG", "tag"),
    ("FLOAT", "float"),
    ("INTEGER", "integer"),
    ("BOOLEAN", "boolean"),
    ("STRING", "string"),
];
