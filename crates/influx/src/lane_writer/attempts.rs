//! Sends one request until an answer is about its lines.

use super::{BatchDelivery, CARRIED_BYTES, LaneWriter, RESENT_BYTES_MAX, RequestCounts};
use crate::address::{Address, Addresses};
use crate::answer::Answer;
use crate::backoff::{Backoff, now, pause};
use crate::cause::Cause;
use crate::client::ConnectionUse;
use crate::counters::{WriteCounters, count};
use crate::failed_attempt::FailedAttempt;
use crate::outcome::{Outcome, decide};
use crate::parsed_answer::{AnswerSubject, BodyForm, ParsedAnswer, RefusalCause};
use crate::request_text::RequestText;
use crate::salvage::RefusedAt;
use crate::slow::{SLOW_AFTER, SlowWriteLog};
use crate::writer::Writer;
use base::{Api, Destination};
use line_protocol::Gzip;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// Ends the attempts with a verdict, or continues them after a delay.
type Next = ControlFlow<LinesVerdict, Duration>;

/// Failures in a row after which smaller requests are sent: some proxies reset every large upload or answer 502 to it, some links are too
/// slow for one, and a request may be larger than the whole cache of InfluxDB.
const FAILURES_MAX: u32 = 3;

/// Another address, or a cause that was removed: no delay.
const AT_ONCE: Next = ControlFlow::Continue(Duration::ZERO);

/// A request with lines.
pub(super) struct LinesRequest {
    pub text: RequestText,
    /// Number of lines.
    pub lines: usize,
    /// The lines are grouped by series.
    pub is_grouped: bool,
    /// Each attempt opens a connection.
    pub opens_connection: bool,
    /// An answer about lines does not end the alarm of the batch.
    pub is_blocked: bool,
}

/// An answer about the lines of a request.
pub(super) enum LinesVerdict {
    Stored {
        address: usize,
        is_compression_refused: bool,
    },
    /// The size of the request may be why it fails: a request larger than [`RESENT_BYTES_MAX`] had no answer within the bridge's timeout or
    /// the server's own, or failed again and again; or a request larger than [`CARRIED_BYTES`] had no answer again and again.
    MaybeTooLarge {
        why: String,
        at: RefusedAt,
    },
    TooLarge {
        why: String,
        at: RefusedAt,
    },
    /// Not sent: another server has taken over, for which the lines must have the order of the batch.
    OtherOrder,
    Refused {
        why: String,
        answer: Box<Answer>,
        parsed: Box<ParsedAnswer>,
        at: RefusedAt,
    },
}

impl LaneWriter {
    /// Sends a request until an answer is about its lines: retries failures that may pass, waits while blocked.
    pub(super) async fn send_until_verdict(
        &mut self,
        destination: &Destination,
        batch: &mut BatchDelivery,
        request: LinesRequest,
    ) -> LinesVerdict {
        let mut pending = PendingRequest {
            body: RequestBody { plain: request.text.clone(), gzipped: None, is_line: request.lines == 1 },
            request,
            failed: 0,
            unanswered: 0,
            backoff: Backoff::new(self.writer.options.delays),
            tried: AttemptsSinceWait::default(),
        };
        loop {
            match self.try_once(destination, batch, &mut pending).await {
                ControlFlow::Break(verdict) => return verdict,
                ControlFlow::Continue(delay) => pause(delay).await,
            }
        }
    }

    /// One attempt of `send_until_verdict`: breaks with an answer about the lines, or continues with the delay before the next attempt.
    async fn try_once(
        &mut self,
        destination: &Destination,
        batch: &mut BatchDelivery,
        pending: &mut PendingRequest,
    ) -> Next {
        let writer = Arc::clone(&self.writer);
        let addresses = writer.client.addresses();
        let address = addresses.pick(&pending.tried.addresses).unwrap_or_else(|| addresses.current());
        let target = Target { writer: &writer, address, destination, sent: writer.next_moment() };
        if pending.request.is_grouped && pending.request.lines > 1 && !target.groups_lines().await {
            return ControlFlow::Break(LinesVerdict::OtherOrder);
        }
        let attempt = self.attempt(&target, pending, batch).await;
        let outcome = &attempt.outcome;
        let is_about_lines = matches!(outcome, Outcome::TooLarge { .. } | Outcome::Refused { .. });
        if *outcome == Outcome::Stored || (is_about_lines && !pending.request.is_blocked) {
            batch.alarm.recovered(now());
        }
        target.record_state(outcome, &mut pending.tried).await;
        if outcome.is_failure_of_address() && addresses.pick(&pending.tried.addresses).is_some() {
            // What one address does not understand says nothing about another.
            pending.tried.uncompressed = None;
            // The event of the address is enough: no line waits.
            return AT_ONCE;
        }
        self.next_after(&target, attempt, batch, pending).await
    }

    /// The step after an attempt, if no other address is to be tried first.
    async fn next_after(
        &mut self,
        target: &Target<'_>,
        attempt: Attempt,
        batch: &mut BatchDelivery,
        pending: &mut PendingRequest,
    ) -> Next {
        let Target { writer, address, destination, .. } = *target;
        let Attempt { outcome, answer, parsed } = attempt;
        let is_failure_of_address = outcome.is_failure_of_address();
        match outcome {
            Outcome::Stored => ControlFlow::Break(target.stored(pending)),
            Outcome::TooLarge { why, is_foreign } => target.next_after_too_large(why, is_foreign, pending),
            Outcome::Refused { why, is_foreign } => {
                target.next_after_refusal(why, is_foreign, (answer, parsed), pending)
            }
            Outcome::Uncompressed { why } => {
                pending.tried.uncompressed = Some(why);
                AT_ONCE
            }
            Outcome::Retry { .. } | Outcome::Blocked { .. }
                if is_failure_of_address && let Some(first) = pending.tried.refused.take() =>
            {
                ControlFlow::Break(*first)
            }
            Outcome::Retry { cause, after, why } => {
                writer.raise_alarm(&mut batch.alarm, false, (address, destination), (cause, &why));
                let delay = pending.backoff.retry(after, &mut self.rng);
                if pending.is_resent_smaller_after(cause, answer.status) {
                    pause(delay).await;
                    return ControlFlow::Break(LinesVerdict::MaybeTooLarge { why, at: target.refused_at() });
                }
                pending.tried = AttemptsSinceWait::default();
                ControlFlow::Continue(delay)
            }
            Outcome::Blocked { cause, why, is_foreign } => {
                // A proxy or a firewall may refuse large bodies with a status of its own.
                let is_resent_smaller = is_foreign && pending.is_resent_smaller_after(cause, answer.status);
                let failed = FailedAttempt::new(cause, true, why.clone());
                let next = self.repair_or_wait(target, failed, batch, pending).await;
                match next {
                    ControlFlow::Continue(delay) if is_resent_smaller => {
                        pause(delay).await;
                        ControlFlow::Break(LinesVerdict::MaybeTooLarge { why, at: target.refused_at() })
                    }
                    next => next,
                }
            }
        }
    }

    /// Removes the cause if the bridge itself can do that. Otherwise raises the alarm, and gives the delay before the next attempt.
    async fn repair_or_wait(
        &mut self,
        target: &Target<'_>,
        mut failed: FailedAttempt,
        batch: &mut BatchDelivery,
        pending: &mut PendingRequest,
    ) -> Next {
        let Target { writer, address, destination, .. } = *target;
        if !pending.tried.repaired {
            failed = writer.repair(failed, destination).await;
        }
        let FailedAttempt { cause, blocks, why, is_repaired, .. } = failed;
        if is_repaired {
            // The alarm is raised if the next attempt fails for the same cause.
            pending.tried.repaired = true;
            return AT_ONCE;
        }
        writer.raise_alarm(&mut batch.alarm, blocks, (address, destination), (cause, &why));
        pending.tried = AttemptsSinceWait::default();
        ControlFlow::Continue(pending.backoff.blocked(&mut self.rng))
    }

    /// Sends one request, and counts it by its outcome.
    async fn attempt(
        &mut self,
        target: &Target<'_>,
        pending: &mut PendingRequest,
        batch: &mut BatchDelivery,
    ) -> Attempt {
        let Target { writer, address, destination, .. } = *target;
        let PendingRequest { request, body, tried, .. } = pending;
        let is_plain = tried.uncompressed.is_some() || (body.is_line && batch.sends_alone_plain);
        let (text, gzipped) =
            if is_plain { (body.plain.clone(), false) } else { body.for_address(address, &mut self.gzip) };
        if destination.api() == Api::V3 {
            // If it is time to replace the connections, the new ones may lead to another server.
            address.http();
            if address.known_server().is_none() {
                // The parameters of the request depend on the server's version. Rare, so its future is not a part of every delivery.
                Box::pin(writer.client.identify(address)).await;
            }
        }
        let counters = writer.counters();
        count(&counters.bytes_plain, body.plain.len());
        let bytes_sent = text.len();
        count(&counters.bytes_sent, bytes_sent);
        batch.delivered.bytes_sent += bytes_sent as u64;
        let start = now();
        let _in_flight = counters.requests_in_flight.begin();
        let connection = if request.opens_connection { ConnectionUse::New } else { ConnectionUse::Pooled };
        let sent = writer.client.post(address, destination, text.into_body(), gzipped, connection);
        let slow = SlowWriteLog { address, destination, lines: batch.lines };
        let attempt = match slow.log_if_slow(SLOW_AFTER, sent).await {
            Ok(answer) => {
                batch.delivered.answer_time = now().saturating_duration_since(start);
                counters.latency.add(batch.delivered.answer_time);
                Attempt::answered(answer, destination.api(), (body, gzipped), &mut batch.sends_alone_plain)
            }
            Err(failure) => {
                let outcome = Outcome::from(failure);
                Attempt { outcome, answer: Answer::default(), parsed: ParsedAnswer::default() }
            }
        };
        let outcome = &attempt.outcome;
        tally(outcome, counters, &mut batch.delivered.requests);
        tracing::debug!(
            %destination,
            address = address.as_str(),
            lines = request.lines,
            bytes_sent,
            time = ?now().saturating_duration_since(start),
            ?outcome,
            "write attempted"
        );
        attempt
    }
}

/// Counts a request, in all and of the batch.
fn tally(outcome: &Outcome, counters: &WriteCounters, requests: &mut RequestCounts) {
    let (total, here) = match outcome {
        Outcome::Stored => (&counters.stored, &mut requests.stored),
        Outcome::Retry { .. } | Outcome::Uncompressed { .. } => (&counters.retried, &mut requests.retried),
        Outcome::TooLarge { .. } => (&counters.split, &mut requests.split),
        Outcome::Refused { .. } => (&counters.refused, &mut requests.refused),
        Outcome::Blocked { .. } => (&counters.blocked, &mut requests.blocked),
    };
    count(total, 1);
    *here = here.saturating_add(1);
}

/// After a refusal in the words of another program: tries the next address. If there is none, the first refusal counts.
fn try_elsewhere(pending: &mut PendingRequest, addresses: &Addresses, verdict: LinesVerdict) -> Next {
    let tried = &mut pending.tried;
    let first = tried.refused.take().unwrap_or_else(|| Box::new(verdict));
    // An address that is down may cost a timeout.
    if addresses.pick(&tried.addresses).is_some_and(|next| !addresses.is_down(next)) {
        tried.refused = Some(first);
        tried.uncompressed = None;
        return AT_ONCE;
    }
    pending.tried = AttemptsSinceWait::default();
    ControlFlow::Break(*first)
}

/// The address and the destination of an attempt, and its moment.
struct Target<'a> {
    writer: &'a Arc<Writer>,
    address: &'a Address,
    destination: &'a Destination,
    sent: u64,
}

impl Target<'_> {
    /// Whether the server takes lines that are grouped by series. It is asked who it is if the address has failed. A server that does not
    /// answer to that counts as the same.
    async fn groups_lines(&self) -> bool {
        let Self { writer, address, destination, .. } = *self;
        if !address.groups_lines(destination) && address.known_server().is_none() {
            // Rare, so its future is not a part of every delivery.
            Box::pin(writer.client.identify(address)).await;
        }
        address.groups_lines(destination) || address.known_server().is_none()
    }

    /// Records whether the address answers. Addresses that failed are not picked again before the next wait.
    async fn record_state(&self, outcome: &Outcome, tried: &mut AttemptsSinceWait) {
        let Self { writer, address, destination, .. } = *self;
        match outcome {
            Outcome::Retry { cause, why, .. } | Outcome::Blocked { cause, why, .. }
                if outcome.is_failure_of_address() =>
            {
                writer.mark_down(address, destination, *cause, why);
                tried.addresses.insert(address.index());
            }
            // What another program refuses is judged by the answers of the other addresses.
            Outcome::Refused { is_foreign: true, .. } => {
                tried.addresses.insert(address.index());
            }
            _ => {
                writer.record_answer(address, *outcome == Outcome::Stored);
                if address.known_server().is_none() {
                    // After a failure another server may answer. Rare, so its future is not a part of every delivery.
                    Box::pin(writer.client.identify(address)).await;
                }
            }
        }
    }

    /// Records that the address stored the lines, and took them uncompressed if it had not understood the compression.
    fn stored(&self, pending: &mut PendingRequest) -> LinesVerdict {
        let Self { writer, address, destination, sent } = *self;
        writer.skip_refusing(&mut pending.tried.refusing, destination);
        let why = pending.tried.uncompressed.take();
        let is_compression_refused = why.is_some();
        if let Some(why) = why {
            writer.stop_compressing(address, why);
        }
        writer.record_stored(destination, address, sent, pending.request.lines);
        LinesVerdict::Stored { address: address.index(), is_compression_refused }
    }

    /// The step after a 413, or an answer with this meaning.
    fn next_after_too_large(&self, why: String, is_foreign: bool, pending: &mut PendingRequest) -> Next {
        let verdict = LinesVerdict::TooLarge { why, at: self.refused_at() };
        match pending.tried.refused.take() {
            // The proof needs the answers of one address.
            Some(first) => ControlFlow::Break(*first),
            // The proxy of another address may take a larger line. Several lines are split instead.
            None if is_foreign && pending.request.lines == 1 => {
                pending.tried.addresses.insert(self.address.index());
                try_elsewhere(pending, self.writer.client.addresses(), verdict)
            }
            None => ControlFlow::Break(verdict),
        }
    }

    /// The step after a refusal of lines. `is_foreign`: the answer is in the words of another program than InfluxDB.
    fn next_after_refusal(
        &self,
        why: String,
        is_foreign: bool,
        (answer, parsed): (Answer, ParsedAnswer),
        pending: &mut PendingRequest,
    ) -> Next {
        let (answer, parsed) = (Box::new(answer), Box::new(parsed));
        let verdict = LinesVerdict::Refused { why: why.clone(), answer, parsed, at: self.refused_at() };
        if is_foreign {
            pending.tried.refusing.push((self.address.index(), why));
            return try_elsewhere(pending, self.writer.client.addresses(), verdict);
        }
        self.writer.skip_refusing(&mut pending.tried.refusing, self.destination);
        ControlFlow::Break(verdict)
    }

    /// The address and the moment of a refusal.
    fn refused_at(&self) -> RefusedAt {
        let (address, moment) = (self.address.index(), self.writer.next_moment());
        RefusedAt {
            address,
            moment,
            control: self.writer.latest_stored_moment(self.destination, address),
            is_contradicted: self.writer.contradicts_itself(address),
        }
    }
}

/// One request and its answer.
struct Attempt {
    outcome: Outcome,
    answer: Answer,
    parsed: ParsedAnswer,
}

impl Attempt {
    /// An attempt with an answer. `sends_alone_plain` is set if a single line must be sent uncompressed from now on.
    fn answered(
        answer: Answer,
        api: Api,
        (body, gzipped): (&RequestBody, bool),
        sends_alone_plain: &mut bool,
    ) -> Self {
        let parsed = match (answer.status == 204, gzipped) {
            (true, _) => ParsedAnswer::default(),
            (false, true) => ParsedAnswer::of(&answer),
            (false, false) => ParsedAnswer::of_plain(&answer),
        };
        let outcome = match decide(api, &answer, &parsed) {
            // The body was not compressed, so an answer about compression is not understood.
            Outcome::Uncompressed { why } if !gzipped => {
                let is_foreign = parsed.form == BodyForm::Foreign;
                match answer.status {
                    400 | 422 => Outcome::Refused { why, is_foreign },
                    _ => Outcome::Blocked { cause: Cause::RequestRefused, why, is_foreign },
                }
            }
            // The server may have parsed compressed bytes as lines.
            Outcome::Refused { why, .. } if gzipped && body.is_line && !was_unpacked(body, &parsed) => {
                *sends_alone_plain = true;
                Outcome::Uncompressed { why }
            }
            outcome => outcome,
        };
        Self { outcome, answer, parsed }
    }
}

/// A request that is sent until an answer is about its lines.
struct PendingRequest {
    request: LinesRequest,
    body: RequestBody,
    /// Failures in a row that the size may have caused, once every address was tried.
    failed: u32,
    /// Attempts without an answer in a row, once every address was tried.
    unanswered: u32,
    backoff: Backoff,
    tried: AttemptsSinceWait,
}

impl PendingRequest {
    /// Records a failure. Returns whether its reason may be the size of the request. InfluxDB 2 has a timeout of its own, by default 10 s,
    /// and answers 500 after it. Proxies have theirs.
    fn is_resent_smaller_after(&mut self, cause: Cause, status: u16) -> bool {
        let is_unanswered = matches!(cause, Cause::TimedOut | Cause::Disconnected);
        self.unanswered = if is_unanswered { self.unanswered.saturating_add(1) } else { 0 };
        // No part of the body was sent, or its size does not matter.
        let may_be_size = !matches!(cause, Cause::Unreachable | Cause::TlsFailed | Cause::DiskFull);
        self.failed = if may_be_size { self.failed.saturating_add(1) } else { 0 };
        let is_timeout =
            matches!(cause, Cause::TimedOut | Cause::Unavailable) || matches!(status, 408 | 499 | 504 | 524);
        let bytes = self.body.plain.len();
        let is_large_and_fails = bytes > RESENT_BYTES_MAX && (is_timeout || self.failed >= FAILURES_MAX);
        let is_never_answered = bytes > CARRIED_BYTES && self.unanswered >= FAILURES_MAX;
        self.request.lines > 1 && (is_large_and_fails || is_never_answered)
    }
}

/// Attempts since the last wait.
#[derive(Default)]
struct AttemptsSinceWait {
    /// Addresses that failed.
    addresses: BTreeSet<usize>,
    /// The first refusal in the words of another program, while other addresses are tried.
    refused: Option<Box<LinesVerdict>>,
    /// Index and message of each address that refused in the words of another program.
    refusing: Vec<(usize, String)>,
    /// The bridge removed a cause itself.
    repaired: bool,
    /// Why the body is sent without compression.
    uncompressed: Option<String>,
}

/// The body of a request. It is compressed for the first address that wants it, and kept for every attempt.
struct RequestBody {
    plain: RequestText,
    gzipped: Option<RequestText>,
    /// Whether the body is one line.
    is_line: bool,
}

impl RequestBody {
    fn for_address(&mut self, address: &Address, gzip: &mut Gzip) -> (RequestText, bool) {
        if !address.wants_gzip() {
            return (self.plain.clone(), false);
        }
        if self.gzipped.is_none() {
            self.gzipped = self.plain.compress(gzip);
        }
        match &self.gzipped {
            Some(gzipped) => (gzipped.clone(), true),
            None => (self.plain.clone(), false),
        }
    }
}

/// Whether the refusal of a line shows that the server unpacked it: the answer names text of the line, not only that it cannot be parsed. A
/// proxy that removes `Content-Encoding` makes a server parse compressed bytes.
fn was_unpacked(body: &RequestBody, parsed: &ParsedAnswer) -> bool {
    let line = body.plain.to_bytes();
    let line = String::from_utf8_lossy(&line);
    match &parsed.subject {
        AnswerSubject::Line(RefusalCause::Unparsable) => parsed.message.contains(line.trim_end()),
        AnswerSubject::Line(RefusalCause::Named(_) | RefusalCause::Other) | AnswerSubject::Unknown => false,
        _ => true,
    }
}
