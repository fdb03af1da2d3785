//! Phrases that belong to no family: errors of operating systems, of Go's HTTP server and of nginx, and limits without a name.

use super::phrase::{LimitScope, Phrase, Phrases, QuotedText, ServerLimit, phrase};
use crate::cause::Cause;

/// Compared before the phrases of any family.
pub const FIRST_PHRASES: Phrases = Phrases {
    failures: FAILURES,
    mistakes: MISTAKES,
    // Names. 1.6.7 writes them unescaped, 2.7.12 as Go quotes them.
    quoted_texts: &[QuotedText { begin: "\"", end: "\"", is_open: false }],
    ..Phrases::NONE
};

/// Compared after the phrases of all families: limits of which nothing else is known.
pub const LAST_PHRASES: Phrases = Phrases { limits: UNNAMED_LIMITS, ..Phrases::NONE };

const FAILURES: &[Phrase<Cause>] = &[
    // 1.6.7 (400 and 500), 2.7.12 (500), 3.10 (400 and 500)
    phrase("no space left on device", Cause::DiskFull),
    // Linux (source)
    phrase("disk quota exceeded", Cause::DiskFull),
    // Windows (source)
    phrase("not enough space on the disk", Cause::DiskFull),
    // 2.7.12, 1.6.7: compared before the errors below, which may follow in the same message
    phrase("cache-max-memory-size exceeded", Cause::CacheFull),
    phrase("cache maximum memory size exceeded", Cause::CacheFull),
    // Linux (source)
    phrase("too many open files", Cause::ServerFailed),
    phrase("input/output error", Cause::ServerFailed),
    phrase("permission denied", Cause::ServerFailed),
    phrase("read-only file system", Cause::ServerFailed),
    phrase("cannot allocate memory", Cause::ServerFailed),
    // 3.10: every error of the operating system ends so
    phrase("(os error ", Cause::ServerFailed),
    phrase("connection refused", Cause::ServerFailed),
];

/// Answers of Go's server and nginx where they expect TLS.
const MISTAKES: &[Phrase<Cause>] = &[
    phrase("client sent an http request to an https server", Cause::RequestRefused),
    phrase("<html>\r\n<head><title>400 the plain http request was sent to https port", Cause::RequestRefused),
];

const UNNAMED_LIMITS: &[ServerLimit] = &[
    ServerLimit {
        text: "limit exceeded",
        scope: LimitScope::Lines,
        remedy: "raise the limit that InfluxDB names",
    },
    ServerLimit {
        text: "limit reached",
        scope: LimitScope::Lines,
        remedy: "raise the limit that InfluxDB names",
    },
    ServerLimit {
        text: "would exceed",
        scope: LimitScope::Lines,
        remedy: "raise the limit that InfluxDB names",
    },
    ServerLimit {
        text: "quota exceeded",
        scope: LimitScope::Destination,
        remedy: "raise the quota that InfluxDB names",
    },
];
