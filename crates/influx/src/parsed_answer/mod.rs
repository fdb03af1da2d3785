//! Parses what an answer of InfluxDB is about, by the server's own words. Pure: an answer in, a typed result out.
//!
//! 1. `body` finds the message in the body: JSON of InfluxDB 1.x, 2.x, 3.x or `QuestDB`, or text of another program.
//! 2. `unquoted` removes what the server quotes of records: lines, names, points.
//! 3. The rest is compared with the phrases of `dialects`, in this order: failures of the server, limits, causes of single lines,
//!    mistakes of the request. The first kind with a matching phrase decides.
//!
//! A record can contain any of these phrases, so quoted text must never decide.

mod body;
mod unquoted;

pub use crate::dialects::refusal_cause::{Field, Quote, RefusalCause, may_forge_quotes, quotes};
use body::NumberedLine;
pub use body::message;

use crate::answer::Answer;
use crate::cause::Cause;
use crate::dialects::{FAMILIES, LineCause, Phrase, ServerLimit, find, refusal_cause};
use body::AnswerBody;
pub use body::BodyForm;
use std::collections::BTreeSet;
use unquoted::unquoted;

/// The remedy for the limit that a message names.
pub fn limit_remedy(message: &str) -> Option<&'static str> {
    find_limit(&unquoted(message, true)).map(|limit| limit.remedy)
}

/// The cause that a message about one line names, and the declaration of this cause.
pub fn line_subject(message: &str) -> (AnswerSubject, Option<&'static LineCause>) {
    let own = unquoted(message, false);
    (subject(message, &own), line_cause(&own))
}

/// The failure of the server that a message names, for messages that do not answer a write.
pub fn server_failure(message: &str) -> Option<Cause> {
    find_failure(&unquoted(message, false))
}

/// The subject of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AnswerSubject {
    /// The server failed, mostly with an error of its operating system.
    Server(Cause),
    /// A limit of the server is reached.
    Limit(&'static ServerLimit),
    /// At least one line of the request, for one of the known causes.
    Line(RefusalCause),
    /// The request itself: its parameters or its destination.
    Request(Cause),
    /// The request had no line.
    EmptyWrite,
    /// The server did not understand the compression of the request.
    Encoding,
    #[default]
    Unknown,
}

/// The content of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedAnswer {
    pub subject: AnswerSubject,
    pub form: BodyForm,
    /// The server's message in full, with its quotes.
    pub message: String,
    /// Lines of the request that the server dropped. InfluxDB counts one shard, so this is a lower bound.
    pub dropped: Option<usize>,
    /// Lines that the answer names by number, in its order.
    pub numbered: Vec<NumberedLine>,
    /// The answer lists refused lines, and does not only name the first one.
    pub is_list: bool,
}

impl ParsedAnswer {
    /// Parses the answer to a request that may have been compressed.
    pub fn of(answer: &Answer) -> Self {
        Self::read(answer, quotes_gzip)
    }

    /// Parses the answer to an uncompressed request: compressed bytes in it come from a record.
    pub fn of_plain(answer: &Answer) -> Self {
        Self::read(answer, |_| false)
    }

    fn read(answer: &Answer, quotes_gzip: fn(&str) -> bool) -> Self {
        let AnswerBody { message, form, numbered, is_list } = AnswerBody::read(&answer.body);
        let own = unquoted(&message, answer.is_cut);
        let subject = match form {
            _ if quotes_gzip(&message) => AnswerSubject::Encoding,
            BodyForm::Influx => subject(&message, &own),
            // No InfluxDB writes such a body, and it may repeat records anywhere.
            BodyForm::Foreign => foreign_subject(&own, answer.status),
        };
        let dropped = refusal_cause::dropped(&message);
        Self { subject, form, message, dropped, numbered, is_list }
    }

    /// Whether neither the message nor the reason of any numbered line names a known cause.
    pub fn has_unknown_words(&self) -> bool {
        let is_unknown = |why: &str| {
            matches!(line_subject(why).0, AnswerSubject::Unknown | AnswerSubject::Line(RefusalCause::Other))
        };
        // Lines of a list mostly share one reason, which is read once.
        let reasons: BTreeSet<&str> = self.numbered.iter().filter_map(|named| named.why.as_deref()).collect();
        self.refusal_cause() == RefusalCause::Other && reasons.into_iter().all(is_unknown)
    }

    /// The cause of a refused line that the server names, or `Other`.
    pub fn refusal_cause(&self) -> RefusalCause {
        match &self.subject {
            AnswerSubject::Line(cause) => cause.clone(),
            AnswerSubject::Limit(limit) => RefusalCause::Limit(limit),
            _ => RefusalCause::Other,
        }
    }
}

fn subject(message: &str, own: &str) -> AnswerSubject {
    if let Some(cause) = find_failure(own) {
        return AnswerSubject::Server(cause);
    }
    if let Some(limit) = find_limit(own) {
        return AnswerSubject::Limit(limit);
    }
    if let Some(cause) = RefusalCause::read(message) {
        return AnswerSubject::Line(cause);
    }
    if let Some(cause) = line_cause(own) {
        return AnswerSubject::Line(RefusalCause::Named(cause.name));
    }
    if FAMILIES.iter().flat_map(|family| family.line_marks).any(|mark| own.contains(mark)) {
        return AnswerSubject::Line(RefusalCause::Other);
    }
    request_subject(own, |phrase| own.contains(phrase))
}

fn request_subject(own: &str, has: impl Fn(&str) -> bool) -> AnswerSubject {
    let has_any = |phrases: &[&str]| phrases.iter().any(|phrase| has(phrase));
    if FAMILIES.iter().any(|family| has_any(family.empty_write)) {
        AnswerSubject::EmptyWrite
    } else if FAMILIES.iter().any(|family| has_any(family.encoding)) {
        AnswerSubject::Encoding
    } else {
        let mut mistakes = FAMILIES.iter().flat_map(|family| family.mistakes);
        let found = mistakes.find(|phrase: &&Phrase<Cause>| own.starts_with(phrase.text));
        found.map_or(AnswerSubject::Unknown, |phrase| AnswerSubject::Request(phrase.means))
    }
}

/// A proxy's answer names a failure of the server only if its status agrees.
fn foreign_subject(own: &str, status: u16) -> AnswerSubject {
    if status >= 500 {
        find_failure(own).map_or(AnswerSubject::Unknown, AnswerSubject::Server)
    } else {
        // A page may repeat records behind its first words.
        request_subject(own, |phrase| own.starts_with(phrase))
    }
}

fn line_cause(own: &str) -> Option<&'static LineCause> {
    FAMILIES.iter().flat_map(|family| family.line_causes).find(|cause| own.contains(cause.text))
}

fn find_failure(own: &str) -> Option<Cause> {
    find(FAMILIES.iter().flat_map(|family| family.failures), own).copied()
}

fn find_limit(own: &str) -> Option<&'static ServerLimit> {
    FAMILIES.iter().flat_map(|family| family.limits).find(|limit| own.contains(limit.text))
}

/// Whether the answer quotes the beginning of a gzip stream. JSON encoders replace its second byte, which is not UTF-8.
fn quotes_gzip(message: &str) -> bool {
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
