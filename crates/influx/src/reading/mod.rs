//! Reads what an answer of InfluxDB is about, by the server's own words. Pure: an answer in, a typed reading out.
//!
//! 1. `body` finds the message in the body: JSON of InfluxDB 1.x, 2.x, 3.x or `QuestDB`, or text of somebody else.
//! 2. `own_words` cuts out of the message what the server quotes of records: lines, names, points.
//! 3. The words that remain are looked up in `tables`, in this order: failures of the server, limits, causes of single lines,
//!    mistakes of the request. The first table with a matching row decides.
//!
//! A record can hold any of the words in `tables`, so a word that a server quotes must never decide.

mod body;
mod complaint;
mod own_words;
mod tables;

pub use body::message;
pub(super) use complaint::{Complaint, Quote, may_forge_quotes, quotes};
pub use tables::{Limit, LimitScope};

use super::cause::Cause;
use super::response::Answer;
use body::{Body, Form};
use own_words::own_words;
use tables::{EMPTY_WRITE, ENCODING, LIMITS, LINE_CAUSES, REQUEST_MISTAKES, Row, SERVER_FAILURES, find};

/// What to do about the limit that a server's words name.
pub(super) fn limit(words: &str) -> Option<&'static str> {
    let own = own_words(words, true);
    LIMITS.iter().find(|limit| own.contains(limit.words)).map(|limit| limit.remedy)
}

/// The failure of the server that its words name, for words that are no answer to a write.
pub(super) fn server_failure(words: &str) -> Option<Cause> {
    find(SERVER_FAILURES, &own_words(words, false)).copied()
}

/// What an answer is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum About {
    /// The server failed, mostly with an error of its operating system.
    Server(Cause),
    /// A limit of the server is reached.
    Limit(&'static Limit),
    /// At least one line of the request, for one of the known causes.
    Line(Complaint),
    /// The request itself: its parameters or its destination.
    Request(Cause),
    /// The request held no line.
    EmptyWrite,
    /// The server did not understand the compression of the request.
    Encoding,
    #[default]
    Unknown,
}

/// A line that an answer names by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    /// Position in the request, from 1.
    pub number: usize,
    /// How the line begins; InfluxDB 3.10 gives its first 20 bytes.
    pub begins: Option<String>,
}

/// What one answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub about: About,
    /// The server's message in full, with what it quotes.
    pub message: String,
    /// Lines of the request that the server dropped. InfluxDB counts one shard, so it is a lower bound.
    pub dropped: Option<usize>,
    /// Lines that the answer names by number, in its order.
    pub numbered: Vec<Numbered>,
}

impl Reading {
    /// Of an answer to a request that may have been compressed.
    pub fn of(answer: &Answer) -> Self {
        Self::read(answer, holds_gzip)
    }

    /// Of an answer to a request that was not compressed: what looks like compressed bytes in it comes from a record.
    pub fn of_plain(answer: &Answer) -> Self {
        Self::read(answer, |_| false)
    }

    fn read(answer: &Answer, holds_gzip: fn(&str) -> bool) -> Self {
        let Body { message, form, numbered } = Body::read(&answer.body);
        let own = own_words(&message, answer.is_cut);
        let about = match form {
            _ if holds_gzip(&message) => About::Encoding,
            Form::Influx => about(&message, &own),
            // No InfluxDB writes such a body, and it may repeat records anywhere.
            Form::Foreign => foreign(&own, answer.status),
        };
        let dropped = complaint::dropped(&message);
        Self { about, message, dropped, numbered }
    }

    /// The cause of a refused line that the server names, or `Other`.
    pub fn complaint(&self) -> Complaint {
        match &self.about {
            About::Line(complaint) => complaint.clone(),
            About::Limit(limit) => Complaint::Limit(limit),
            _ => Complaint::Other,
        }
    }
}

fn about(message: &str, own: &str) -> About {
    if let Some(cause) = find(SERVER_FAILURES, own) {
        return About::Server(*cause);
    }
    if let Some(limit) = LIMITS.iter().find(|limit| own.contains(limit.words)) {
        return About::Limit(limit);
    }
    if let Some(complaint) = Complaint::read(message) {
        return About::Line(complaint);
    }
    if let Some(name) = find(LINE_CAUSES, own) {
        return About::Line(Complaint::Named(name));
    }
    request(own)
}

fn request(own: &str) -> About {
    if find(EMPTY_WRITE, own).is_some() {
        About::EmptyWrite
    } else if find(ENCODING, own).is_some() {
        About::Encoding
    } else {
        mistake(own)
    }
}

fn mistake(own: &str) -> About {
    let row = REQUEST_MISTAKES.iter().find(|row| own.starts_with(row.words));
    row.map_or(About::Unknown, |row| About::Request(row.means))
}

/// A proxy's words. They name a failure of the server only for a status that says the same.
fn foreign(own: &str, status: u16) -> About {
    if status >= 500 {
        find(SERVER_FAILURES, own).map_or(About::Unknown, |cause| About::Server(*cause))
    } else {
        // A page may repeat records behind its first words.
        let begins = |rows: &[Row<()>]| rows.iter().any(|row| own.starts_with(row.words));
        if begins(EMPTY_WRITE) {
            About::EmptyWrite
        } else if begins(ENCODING) {
            About::Encoding
        } else {
            mistake(own)
        }
    }
}

/// Whether the answer quotes the beginning of a gzip stream. JSON encoders replace its second byte, which is not UTF-8.
fn holds_gzip(message: &str) -> bool {
    [
        "\u{1f}\u{fffd}\u{8}",
        "\u{1f}\u{8b}\u{8}",
        r"\x1f\x8b\b",
        r"\u001f\u008b\b",
        r"\x1f\ufffd\b",
        r"\x1f\x8b\x08",
    ]
    .iter()
    .any(|magic| message.contains(magic))
}

#[cfg(test)]
mod tests;
