//! Delivers one batch of lines: returns when every line is stored, refused, or kept out by a limit of the server.

use crate::address::{Address, Addresses};
use crate::answer::Answer;
use crate::backoff::{Backoff, now, pause};
use crate::cause::Cause;
use crate::client::ConnectionUse;
use crate::counters::count;
use crate::failed_attempt::{CONTRADICTED, FailedAttempt};
use crate::lines::Lines;
use crate::outcome::{Outcome, decide};
use crate::parsed_answer::{AnswerSubject, BodyForm, ParsedAnswer, RefusalCause};
use crate::request_text::RequestText;
use crate::salvage::{
    AddressHistory, BlockedReason, KeptOut, NextRequest, RefusedAt, RefusedLine, RefusedRequest, SalvagePlan,
};
use crate::slow::{SLOW_AFTER, SearchProgress, SearchWatch, SlowWatch};
use crate::writer::Writer;
use base::alarm::AlarmGuard;
use base::{Api, Destination};
use line_protocol::Gzip;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// Lines that are sent again go into requests up to this size. After a timeout, because the size may be its reason. After a refusal, because
/// the lines that are left are copied: the copies of all lanes take memory beside `batch.memory_max`.
const RESENT_BYTES_MAX: usize = 4_000_000;

/// The result of a batch: each line is stored, refused or kept out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub lines_stored: usize,
    /// In the batch's order.
    pub refused: Vec<RefusedLine>,
    /// Lines that a limit of the server keeps out while it stores others, in the batch's order. They are neither stored nor refused, so
    /// their records must not be settled.
    pub kept_out: Vec<KeptOutLine>,
    pub requests: RequestCounts,
    /// Bytes of request bodies as sent.
    pub bytes_sent: u64,
    /// Time from sending the last answered request to its answer.
    pub answer_time: Duration,
    /// The largest request that the destination takes, if a 413 has shown one.
    pub request_bytes_max: Option<usize>,
}

/// A line that waits until a limit of the server is raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOutLine {
    /// Index of the line in the batch.
    pub line: usize,
    pub cause: Cause,
    /// The server's message, printable and bounded.
    pub why: Arc<str>,
    /// One sentence that names the limit and its setting.
    pub remedy: Arc<str>,
}

/// Requests by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    pub stored: u32,
    pub retried: u32,
    pub split: u32,
    pub refused: u32,
    pub blocked: u32,
}

impl RequestCounts {
    pub fn total(&self) -> u32 {
        self.stored + self.retried + self.split + self.refused + self.blocked
    }
}

/// Writes the batches of one lane, with one request in flight.
#[derive(Debug)]
pub struct LaneWriter {
    writer: Arc<Writer>,
    gzip: Gzip,
    rng: fastrand::Rng,
}

/// Another address, or a cause that was removed: no delay.
const AT_ONCE: ControlFlow<LinesVerdict, Duration> = ControlFlow::Continue(Duration::ZERO);

/// An answer about the lines of a request.
enum LinesVerdict {
    Stored {
        address: usize,
        is_compression_refused: bool,
    },
    /// No answer within the bridge's timeout, or the server's own, to a request larger than [`RESENT_BYTES_MAX`].
    TimedOut {
        why: String,
        at: RefusedAt,
    },
    TooLarge {
        why: String,
        at: RefusedAt,
    },
    Refused {
        why: String,
        answer: Box<Answer>,
        parsed: Box<ParsedAnswer>,
        at: RefusedAt,
    },
}

impl Writer {
    /// Creates the writer of one lane. `seed` is for the jitter of its delays.
    pub fn lane(self: &Arc<Self>, seed: u64) -> LaneWriter {
        LaneWriter { writer: Arc::clone(self), gzip: Gzip::new(), rng: fastrand::Rng::with_seed(seed) }
    }
}

impl LaneWriter {
    /// Returns when every line is stored, refused or kept out by a limit, however long that takes. A future that is dropped before leaves
    /// at most one request unanswered; sending the lines again gives the same points.
    pub async fn deliver(&mut self, destination: &Destination, lines: &Lines) -> Delivered {
        let writer = Arc::clone(&self.writer);
        let lines = &if writer.groups_lines(destination) { lines.for_writing() } else { lines.clone() };
        let alarm = writer.alarm_registry().guard();
        let mut batch =
            BatchDelivery { lines, delivered: Delivered::default(), alarm, sends_alone_plain: false };
        let mut plan = SalvagePlan::new(lines, writer.options.accepts_unproven, self.rng.u64(..));
        let counters = writer.counters();
        let _in_flight = counters.batches_in_flight.begin();
        if !lines.is_empty() {
            counters.batch_lines.add(lines.len());
            counters.batch_bytes.add(lines.text().len());
            writer.wait_for_rate(lines.len()).await;
        }
        let (mut counted_stored, mut counted_refused) = (0, 0);
        let mut backoff = Backoff::new(writer.options.delays);
        let history = DestinationHistory { writer: &writer, destination };
        let (mut bytes_max, mut search) = (usize::MAX, SearchWatch::default());
        while let Some(next) = plan.next(lines, writer.size(destination).within(bytes_max), &history) {
            if let Some(reason) = &next.blocked {
                self.wait_blocked(destination, &mut batch, reason, &mut backoff).await;
            }
            let request = &next.request;
            match self.send_until_verdict(destination, &mut batch, &next, plan.is_blocked()).await {
                LinesVerdict::Stored { address, is_compression_refused } => {
                    if is_compression_refused {
                        plan.forget_disputes();
                    }
                    plan.stored(lines, address);
                    backoff = Backoff::new(writer.options.delays);
                }
                LinesVerdict::TooLarge { why, at } => {
                    if request.len() > 1 {
                        writer.lower_size(destination, request.bytes(lines), why.clone());
                    }
                    plan.too_large(lines, &why, at);
                }
                LinesVerdict::TimedOut { why, at } => {
                    bytes_max = RESENT_BYTES_MAX;
                    plan.too_large(lines, &why, at);
                }
                LinesVerdict::Refused { why, answer, parsed, at } => {
                    bytes_max = RESENT_BYTES_MAX;
                    let (stored, refused) = (plan.lines_stored(), plan.lines_refused());
                    let progress = SearchProgress { lines: lines.len(), stored, refused };
                    search.refused(now(), destination, progress, &why);
                    let refusal = RefusedRequest { answer: &answer, parsed: &parsed, why: &why, at };
                    plan.refused(lines, refusal);
                }
            }
            while let Some(address) = plan.take_contradicted() {
                writer.record_contradiction(address);
            }
            count(&counters.lines_stored, plan.lines_stored().saturating_sub(counted_stored));
            count(&counters.lines_refused, plan.lines_refused().saturating_sub(counted_refused));
            (counted_stored, counted_refused) = (plan.lines_stored(), plan.lines_refused());
        }
        batch.delivered.lines_stored = plan.lines_stored();
        batch.delivered.request_bytes_max = writer.learned_size(destination);
        let (mut refused, mut kept_out) = plan.into_lists();
        for refused in &mut refused {
            refused.line = lines.place(refused.line);
        }
        refused.sort_by_key(|refused| refused.line);
        batch.delivered.refused = refused;
        for kept_out in &mut kept_out {
            kept_out.line = lines.place(kept_out.line);
        }
        kept_out.sort_by_key(|kept_out| kept_out.line);
        let with_remedy = |line: KeptOut| KeptOutLine {
            line: line.line,
            cause: Cause::ServerLimit,
            why: line.why,
            remedy: line.limit.remedy.into(),
        };
        batch.delivered.kept_out = kept_out.into_iter().map(with_remedy).collect();
        batch.delivered
    }

    /// Waits with an alarm, because the server refuses lines without a cause in a line, and stores nothing.
    async fn wait_blocked(
        &mut self,
        destination: &Destination,
        batch: &mut BatchDelivery<'_>,
        reason: &BlockedReason,
        backoff: &mut Backoff,
    ) {
        if reason.cause == Cause::RequestTooLarge {
            // A size that was learned on the way to a single line does not apply to other requests.
            self.writer.forget_size(destination);
        }
        let address = self.writer.client.addresses().current();
        let suffix = if reason.is_contradicted { CONTRADICTED } else { "" };
        let why = format!("{}{suffix}", reason.why);
        self.writer.raise_alarm(&mut batch.alarm, true, (address, destination), (reason.cause, &why));
        let delay = backoff.blocked(&mut self.rng);
        pause(delay).await;
    }

    /// Sends a request until an answer is about its lines: retries failures that may pass, waits while blocked. `is_blocked`: an answer
    /// about lines does not end the alarm of the batch.
    async fn send_until_verdict(
        &mut self,
        destination: &Destination,
        batch: &mut BatchDelivery<'_>,
        next: &NextRequest,
        is_blocked: bool,
    ) -> LinesVerdict {
        let request = &next.request;
        let mut pending = PendingRequest {
            body: RequestBody { plain: request.body(batch.lines), packed: None, is_line: request.len() == 1 },
            lines: request.len(),
            opens_connection: next.opens_connection,
            is_blocked,
            backoff: Backoff::new(self.writer.options.delays),
            tried: TriedAtOnce::default(),
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
        batch: &mut BatchDelivery<'_>,
        pending: &mut PendingRequest,
    ) -> ControlFlow<LinesVerdict, Duration> {
        let writer = Arc::clone(&self.writer);
        let addresses = writer.client.addresses();
        let address = addresses.pick(&pending.tried.addresses).unwrap_or_else(|| addresses.current());
        let sent = writer.next_moment();
        let Attempt { outcome, answer, parsed } = self.attempt(address, destination, pending, batch).await;
        let at = || {
            let (address, moment) = (address.index(), writer.next_moment());
            RefusedAt {
                address,
                moment,
                control: writer.latest_control(destination, address),
                is_contradicted: writer.contradicts_itself(address),
            }
        };
        if outcome == Outcome::Stored
            || (matches!(outcome, Outcome::TooLarge { .. } | Outcome::Refused { .. }) && !pending.is_blocked)
        {
            batch.alarm.recovered(now());
        }
        let is_failure_of_address = outcome.is_failure_of_address();
        match &outcome {
            Outcome::Retry { cause, why, .. } | Outcome::Blocked { cause, why, .. }
                if is_failure_of_address =>
            {
                writer.mark_down(address, destination, *cause, why);
                pending.tried.addresses.insert(address.index());
            }
            // What another program refuses is judged by the answers of the other addresses.
            Outcome::Refused { is_foreign: true, .. } => {
                pending.tried.addresses.insert(address.index());
            }
            _ => {
                writer.record_answer(address, outcome == Outcome::Stored);
                if address.known_server().is_none() {
                    // After a failure another server may answer. Rare, so its future is not a part of every delivery.
                    Box::pin(writer.client.identify(address)).await;
                }
            }
        }
        let takes_next = is_failure_of_address && addresses.pick(&pending.tried.addresses).is_some();
        if takes_next {
            // The event of the address is enough: no line waits.
            return AT_ONCE;
        }
        let delay = match outcome {
            Outcome::Stored => {
                writer.skip_refusing(&mut pending.tried.refusing, destination);
                let why = pending.tried.uncompressed.take();
                let is_compression_refused = why.is_some();
                if let Some(why) = why {
                    writer.stop_compressing(address, why);
                }
                writer.record_stored(destination, address, sent, pending.lines);
                let address = address.index();
                return ControlFlow::Break(LinesVerdict::Stored { address, is_compression_refused });
            }
            Outcome::TooLarge { why } => return ControlFlow::Break(LinesVerdict::TooLarge { why, at: at() }),
            Outcome::Refused { why, is_foreign } => {
                let (answer, parsed) = (Box::new(answer), Box::new(parsed));
                let verdict = LinesVerdict::Refused { why: why.clone(), answer, parsed, at: at() };
                if is_foreign {
                    return try_elsewhere(pending, addresses, (address, why), verdict);
                }
                writer.skip_refusing(&mut pending.tried.refusing, destination);
                return ControlFlow::Break(verdict);
            }
            Outcome::Uncompressed { why } => {
                pending.tried.uncompressed = Some(why);
                return AT_ONCE;
            }
            Outcome::Retry { .. } | Outcome::Blocked { .. }
                if is_failure_of_address && let Some(first) = pending.tried.refused.take() =>
            {
                return ControlFlow::Break(*first);
            }
            Outcome::Retry { cause, after, why } => {
                self.writer.raise_alarm(&mut batch.alarm, false, (address, destination), (cause, &why));
                let delay = pending.backoff.retry(after, &mut self.rng);
                // InfluxDB 2 has a timeout of its own, by default 10 s, and answers 500 after it. Proxies have theirs.
                let is_timeout = matches!(cause, Cause::TimedOut | Cause::Unavailable)
                    || matches!(answer.status, 408 | 499 | 504 | 524);
                if is_timeout && pending.lines > 1 && pending.body.plain.len() > RESENT_BYTES_MAX {
                    pause(delay).await;
                    return ControlFlow::Break(LinesVerdict::TimedOut { why, at: at() });
                }
                delay
            }
            Outcome::Blocked { cause, why, .. } => {
                let mut failed = FailedAttempt::new(cause, true, why);
                if !pending.tried.repaired {
                    failed = writer.repair(failed, destination).await;
                }
                let FailedAttempt { cause, blocks, why, is_repaired, .. } = failed;
                if is_repaired {
                    // The alarm is raised if the next attempt fails for the same cause.
                    pending.tried.repaired = true;
                    return AT_ONCE;
                }
                self.writer.raise_alarm(&mut batch.alarm, blocks, (address, destination), (cause, &why));
                pending.backoff.blocked(&mut self.rng)
            }
        };
        pending.tried = TriedAtOnce::default();
        ControlFlow::Continue(delay)
    }

    /// Sends one request.
    async fn attempt(
        &mut self,
        address: &Address,
        destination: &Destination,
        pending: &mut PendingRequest,
        batch: &mut BatchDelivery<'_>,
    ) -> Attempt {
        let PendingRequest { body, tried, opens_connection, .. } = pending;
        let is_plain = tried.uncompressed.is_some() || (body.is_line && batch.sends_alone_plain);
        let (text, gzipped) =
            if is_plain { (body.plain.clone(), false) } else { body.for_address(address, &mut self.gzip) };
        if destination.api() == Api::V3 {
            // If it is time to replace the connections, the new ones may lead to another server.
            address.http();
            if address.known_server().is_none() {
                // The parameters of the request depend on the server's version. Rare, so its future is not a part of every delivery.
                Box::pin(self.writer.client.identify(address)).await;
            }
        }
        let counters = self.writer.counters();
        count(&counters.bytes_plain, body.plain.len());
        count(&counters.bytes_sent, text.len());
        batch.delivered.bytes_sent += text.len() as u64;
        let start = now();
        let _in_flight = counters.requests_in_flight.begin();
        let connection = if *opens_connection { ConnectionUse::New } else { ConnectionUse::Pooled };
        let request = self.writer.client.post(address, destination, text.into_body(), gzipped, connection);
        let slow = SlowWatch { address, destination, lines: batch.lines.len() };
        let attempt = match slow.log_if_slow(SLOW_AFTER, request).await {
            Ok(answer) => {
                batch.delivered.answer_time = now().saturating_duration_since(start);
                counters.latency.add(batch.delivered.answer_time);
                let is_stored = answer.status == 204;
                let parsed = match (is_stored, gzipped) {
                    (true, _) => ParsedAnswer::default(),
                    (false, true) => ParsedAnswer::of(&answer),
                    (false, false) => ParsedAnswer::of_plain(&answer),
                };
                let outcome = match decide(destination.api(), &answer, &parsed) {
                    // The body was not compressed, so an answer about compression is not understood.
                    Outcome::Uncompressed { why } if !gzipped => {
                        let is_foreign = parsed.form == BodyForm::Foreign;
                        match answer.status {
                            400 | 422 => Outcome::Refused { why, is_foreign },
                            _ => Outcome::Blocked { cause: Cause::RequestRefused, why, is_foreign },
                        }
                    }
                    // The server may have parsed compressed bytes as lines.
                    Outcome::Refused { why, .. }
                        if gzipped && body.is_line && !was_unpacked(body, &parsed) =>
                    {
                        batch.sends_alone_plain = true;
                        Outcome::Uncompressed { why }
                    }
                    outcome => outcome,
                };
                Attempt { outcome, answer, parsed }
            }
            Err(failure) => {
                let outcome = Outcome::Retry { cause: failure.cause, after: None, why: failure.why };
                Attempt { outcome, answer: Answer::default(), parsed: ParsedAnswer::default() }
            }
        };
        let outcome = &attempt.outcome;
        self.tally(outcome, &mut batch.delivered.requests);
        tracing::debug!(%destination, address = address.as_str(), ?outcome, "write attempted");
        attempt
    }

    fn tally(&self, outcome: &Outcome, requests: &mut RequestCounts) {
        let counters = self.writer.counters();
        let (total, here) = match outcome {
            Outcome::Stored => (&counters.stored, &mut requests.stored),
            Outcome::Retry { .. } | Outcome::Uncompressed { .. } => {
                (&counters.retried, &mut requests.retried)
            }
            Outcome::TooLarge { .. } => (&counters.split, &mut requests.split),
            Outcome::Refused { .. } => (&counters.refused, &mut requests.refused),
            Outcome::Blocked { .. } => (&counters.blocked, &mut requests.blocked),
        };
        count(total, 1);
        *here = here.saturating_add(1);
    }
}

/// After a refusal in the words of another program: tries the next address. If there is none, the first refusal counts.
fn try_elsewhere(
    pending: &mut PendingRequest,
    addresses: &Addresses,
    (address, why): (&Address, String),
    verdict: LinesVerdict,
) -> ControlFlow<LinesVerdict, Duration> {
    let tried = &mut pending.tried;
    tried.refusing.push((address.index(), why));
    let first = tried.refused.take().unwrap_or_else(|| Box::new(verdict));
    // An address that is down may cost a timeout.
    if addresses.pick(&tried.addresses).is_some_and(|next| !addresses.is_down(next)) {
        tried.refused = Some(first);
        tried.uncompressed = None;
        return AT_ONCE;
    }
    pending.tried = TriedAtOnce::default();
    ControlFlow::Break(*first)
}

/// The addresses of one destination.
struct DestinationHistory<'a> {
    writer: &'a Writer,
    destination: &'a Destination,
}

impl AddressHistory for DestinationHistory<'_> {
    fn latest_control(&self, address: usize) -> u64 {
        self.writer.latest_control(self.destination, address)
    }

    fn contradicts_itself(&self, address: usize) -> bool {
        self.writer.contradicts_itself(address)
    }
}

/// The batch in flight.
struct BatchDelivery<'a> {
    lines: &'a Lines,
    delivered: Delivered,
    /// Dropped with the future, so an abandoned batch leaves no alarm behind.
    alarm: AlarmGuard,
    /// Single lines are sent uncompressed, because the refusal of a compressed line did not show that the server unpacked it.
    sends_alone_plain: bool,
}

/// One request and its answer.
struct Attempt {
    outcome: Outcome,
    answer: Answer,
    parsed: ParsedAnswer,
}

/// A request that is sent until an answer is about its lines.
struct PendingRequest {
    body: RequestBody,
    /// Number of lines.
    lines: usize,
    /// Each attempt opens a connection.
    opens_connection: bool,
    /// An answer about lines does not end the alarm of the batch.
    is_blocked: bool,
    backoff: Backoff,
    tried: TriedAtOnce,
}

/// Attempts since the last wait.
#[derive(Default)]
struct TriedAtOnce {
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
    packed: Option<RequestText>,
    /// Whether the body is one line.
    is_line: bool,
}

impl RequestBody {
    fn for_address(&mut self, address: &Address, gzip: &mut Gzip) -> (RequestText, bool) {
        if !address.wants_gzip() {
            return (self.plain.clone(), false);
        }
        if self.packed.is_none() {
            self.packed = self.plain.compress(gzip).map(RequestText::Whole);
        }
        match &self.packed {
            Some(packed) => (packed.clone(), true),
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

#[cfg(test)]
mod tests;
