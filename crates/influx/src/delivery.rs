//! Delivers one batch of lines: returns when every line is stored, refused, or kept out by a limit of the server.

use super::address::Address;
use super::answer::{Outcome, decide};
use super::backoff::Backoff;
use super::cause::Cause;
use super::counters::count;
use super::lines::Lines;
use super::obstacle::Obstacle;
use super::reading::{About, Complaint, Reading};
use super::response::Answer;
use super::salvage::{KeptOut, Plan, Refusal, Refused, RefusedAt, Request, Step, Wait};
use super::slow::{SLOW_AFTER, Slow};
use super::writer::{Writer, now};
use base::Destination;
use base::alarm::AlarmGuard;
use bytes::Bytes;
use line_protocol::Gzip;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What became of a batch: each of its lines is in one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub lines_stored: usize,
    /// By line.
    pub refused: Vec<Refused>,
    /// Lines that a limit of the server keeps out while it stores others, by line. They are neither stored nor refused:
    /// their records must not be settled.
    pub blocked: Vec<Blocked>,
    pub requests: Requests,
    /// Of bodies as sent.
    pub bytes_sent: u64,
}

/// A line that waits for somebody to raise a limit of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Index of the line in the batch.
    pub line: usize,
    pub cause: Cause,
    /// The server's words, printable and bounded.
    pub why: Arc<str>,
    /// One sentence that names the limit and its setting.
    pub remedy: Arc<str>,
}

/// Attempts by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    pub stored: u32,
    pub retried: u32,
    pub split: u32,
    pub refused: u32,
    pub held: u32,
}

impl Requests {
    pub fn total(&self) -> u32 {
        self.stored + self.retried + self.split + self.refused + self.held
    }
}

/// The writing end of one lane: one request in flight.
#[derive(Debug)]
pub struct LaneWriter {
    writer: Arc<Writer>,
    gzip: Gzip,
    rng: fastrand::Rng,
}

/// What a request came to, once an answer was about its lines.
enum Verdict {
    Stored,
    TooLarge { why: String, at: RefusedAt },
    Refused { why: String, answer: Box<Answer>, reading: Box<Reading>, at: RefusedAt },
}

impl LaneWriter {
    pub(super) fn new(writer: Arc<Writer>, seed: u64) -> Self {
        Self { writer, gzip: Gzip::new(), rng: fastrand::Rng::with_seed(seed) }
    }

    /// Returns when every line is stored, refused or kept out by a limit, however long that takes. Dropped before, it leaves
    /// behind at most a request whose answer nobody hears; sending the lines again gives the same points.
    pub async fn deliver(&mut self, destination: &Destination, lines: &Lines) -> Delivered {
        let writer = Arc::clone(&self.writer);
        let watch = writer.alarm_registry().guard();
        let mut batch = Batch { lines, delivered: Delivered::default(), watch, sends_alone_plain: false };
        let mut plan = Plan::new(lines, writer.options.accepts_unproven);
        let counters = writer.counters();
        let _under_way = counters.batches_in_flight.begin();
        if !lines.is_empty() {
            counters.batch_lines.add(lines.len());
            counters.batch_bytes.add(lines.text().len());
            writer.keep_pace(lines.len()).await;
        }
        let (mut counted_stored, mut counted_refused) = (0, 0);
        let mut backoff = Backoff::new(writer.options.delays);
        let controls = |address| writer.control(destination, address);
        while let Some(step) = plan.next(lines, writer.size(destination), &controls) {
            let Step { request, wait } = step;
            if let Some(wait) = wait {
                self.wait_blocked(destination, &mut batch, &wait, &mut backoff).await;
            }
            let verdict = self.settle(destination, &mut batch, &request, plan.is_blocked()).await;
            match verdict {
                Verdict::Stored => {
                    plan.stored(lines);
                    backoff = Backoff::new(writer.options.delays);
                }
                Verdict::TooLarge { why, at } => {
                    if request.len() > 1 {
                        writer.lower_size(destination, request.bytes(lines), why.clone());
                    }
                    plan.too_large(lines, &why, at);
                }
                Verdict::Refused { why, answer, reading, at } => {
                    let refusal = Refusal { answer: &answer, reading: &reading, why: &why, at };
                    plan.refused(lines, refusal);
                }
            }
            // A batch that begins anew does not count twice.
            count(&counters.lines_stored, plan.lines_stored().saturating_sub(counted_stored));
            count(&counters.lines_refused, plan.lines_refused().saturating_sub(counted_refused));
            counted_stored = counted_stored.max(plan.lines_stored());
            counted_refused = counted_refused.max(plan.lines_refused());
        }
        batch.delivered.lines_stored = plan.lines_stored();
        let (refused, kept_out) = plan.into_lists();
        batch.delivered.refused = refused;
        let blocked = |line: KeptOut| Blocked {
            line: line.line,
            cause: Cause::ServerLimit,
            why: line.why,
            remedy: line.limit.remedy.into(),
        };
        batch.delivered.blocked = kept_out.into_iter().map(blocked).collect();
        batch.delivered
    }

    /// The server refuses lines, says of none what is wrong with it, and stores nothing.
    async fn wait_blocked(
        &mut self,
        destination: &Destination,
        batch: &mut Batch<'_>,
        wait: &Wait,
        backoff: &mut Backoff,
    ) {
        if wait.cause == Cause::RequestTooLarge {
            // Sizes that were learned on the way to a line alone are no measure for others.
            self.writer.forget_size(destination);
        }
        let address = self.writer.client.addresses().current();
        self.raise(&mut batch.watch, true, (address, destination), (wait.cause, &wait.why));
        let delay = backoff.hold(&mut self.rng);
        self.pause(delay).await;
    }

    /// Sends a request until an answer is about its lines: retries what passes, waits for what has to be mended. `is_blocked`:
    /// an answer about lines does not end the alarm of the batch.
    async fn settle(
        &mut self,
        destination: &Destination,
        batch: &mut Batch<'_>,
        request: &Request,
        is_blocked: bool,
    ) -> Verdict {
        let writer = Arc::clone(&self.writer);
        let mut body = Body { plain: request.body(batch.lines), packed: None, is_line: request.len() == 1 };
        let mut backoff = Backoff::new(writer.options.delays);
        let mut tried = Tried::default();
        loop {
            let addresses = writer.client.addresses();
            let address = addresses.pick(&tried.addresses).unwrap_or_else(|| addresses.current());
            let sent = writer.moment();
            let Attempt { outcome, answer, reading } =
                self.attempt(address, destination, &mut body, &tried, batch).await;
            let at = || {
                let (address, moment) = (address.index(), writer.moment());
                RefusedAt { address, moment, control: writer.control(destination, address) }
            };
            if outcome == Outcome::Stored
                || (matches!(outcome, Outcome::Split { .. } | Outcome::Refused { .. }) && !is_blocked)
            {
                batch.watch.well(now());
            }
            match outcome {
                Outcome::Retry { cause, .. } | Outcome::Hold { cause, .. } if cause.is_of_address() => {
                    writer.leave(address, destination, cause);
                    tried.addresses.insert(address.index());
                }
                _ => writer.note_answer(address, outcome == Outcome::Stored),
            }
            let delay = match outcome {
                Outcome::Stored => {
                    if let Some(why) = tried.uncompressed.take() {
                        writer.keep_uncompressed(address, why);
                    }
                    writer.note_stored(destination, address, sent, request.len());
                    return Verdict::Stored;
                }
                Outcome::Split { why } => return Verdict::TooLarge { why, at: at() },
                Outcome::Refused { why } => {
                    let (answer, reading) = (Box::new(answer), Box::new(reading));
                    return Verdict::Refused { why, answer, reading, at: at() };
                }
                Outcome::Uncompressed { why } => {
                    tried.uncompressed = Some(why);
                    continue;
                }
                Outcome::Retry { cause, after, why } => {
                    self.raise(&mut batch.watch, false, (address, destination), (cause, &why));
                    if cause.is_of_address() && addresses.pick(&tried.addresses).is_some() {
                        continue;
                    }
                    backoff.retry(after, &mut self.rng)
                }
                Outcome::Hold { cause, why } => {
                    let takes_next = cause.is_of_address() && addresses.pick(&tried.addresses).is_some();
                    let mut obstacle = Obstacle::new(cause, true, why);
                    if !takes_next && !tried.mending {
                        obstacle = writer.mend(obstacle, destination).await;
                    }
                    let Obstacle { cause, holds, why, is_mended } = obstacle;
                    if is_mended {
                        // Raised if the next attempt meets the same.
                        tried.mending = true;
                        continue;
                    }
                    self.raise(&mut batch.watch, holds, (address, destination), (cause, &why));
                    if takes_next {
                        continue;
                    }
                    backoff.hold(&mut self.rng)
                }
            };
            self.pause(delay).await;
            tried = Tried::default();
        }
    }

    async fn pause(&self, delay: Duration) {
        tracing::debug!(?delay, "waiting before the next attempt");
        tokio::time::sleep(delay).await;
    }

    /// One request.
    async fn attempt(
        &mut self,
        address: &Address,
        destination: &Destination,
        body: &mut Body,
        tried: &Tried,
        batch: &mut Batch<'_>,
    ) -> Attempt {
        let is_plain = tried.uncompressed.is_some() || (body.is_line && batch.sends_alone_plain);
        let (bytes, gzipped) =
            if is_plain { (body.plain.clone(), false) } else { body.for_address(address, &mut self.gzip) };
        let counters = self.writer.counters();
        count(&counters.bytes_plain, body.plain.len());
        count(&counters.bytes_sent, bytes.len());
        batch.delivered.bytes_sent += bytes.len() as u64;
        let start = now();
        let _under_way = counters.requests_in_flight.begin();
        let request = self.writer.client.write(address, destination, bytes, gzipped);
        let slow = Slow { address, destination, lines: batch.lines.len() };
        let attempt = match slow.watch(SLOW_AFTER, request).await {
            Ok(answer) => {
                counters.latency.add(now().saturating_duration_since(start));
                let is_stored = answer.status == 204;
                let reading = match (is_stored, gzipped) {
                    (true, _) => Reading::default(),
                    (false, true) => Reading::of(&answer),
                    (false, false) => Reading::of_plain(&answer),
                };
                let outcome = match decide(destination.api(), &answer, &reading) {
                    // Without compression, words about it say nothing that is known.
                    Outcome::Uncompressed { why } if !gzipped => match answer.status {
                        400 | 422 => Outcome::Refused { why },
                        _ => Outcome::Hold { cause: Cause::RequestRefused, why },
                    },
                    // Somebody may have taken compressed bytes for lines.
                    Outcome::Refused { why } if gzipped && body.is_line && !was_read(body, &reading) => {
                        batch.sends_alone_plain = true;
                        Outcome::Uncompressed { why }
                    }
                    outcome => outcome,
                };
                Attempt { outcome, answer, reading }
            }
            Err(failure) => {
                let outcome = Outcome::Retry { cause: failure.cause, after: None, why: failure.why };
                Attempt { outcome, answer: Answer::default(), reading: Reading::default() }
            }
        };
        let outcome = &attempt.outcome;
        self.tally(outcome, &mut batch.delivered.requests);
        tracing::debug!(%destination, address = address.as_str(), ?outcome, "write attempted");
        attempt
    }

    fn tally(&self, outcome: &Outcome, requests: &mut Requests) {
        let counters = self.writer.counters();
        let (total, here) = match outcome {
            Outcome::Stored => (&counters.stored, &mut requests.stored),
            Outcome::Retry { .. } | Outcome::Uncompressed { .. } => {
                (&counters.retried, &mut requests.retried)
            }
            Outcome::Split { .. } => (&counters.split, &mut requests.split),
            Outcome::Refused { .. } => (&counters.refused, &mut requests.refused),
            Outcome::Hold { .. } => (&counters.held, &mut requests.held),
        };
        count(total, 1);
        *here = here.saturating_add(1);
    }

    fn raise(
        &self,
        watch: &mut AlarmGuard,
        holds: bool,
        place: (&Address, &Destination),
        problem: (Cause, &str),
    ) {
        self.writer.raise(watch, holds, place, problem);
    }
}

/// A batch on its way.
struct Batch<'a> {
    lines: &'a Lines,
    delivered: Delivered,
    /// Dropped with the future, so that a batch that is given up leaves no alarm behind.
    watch: AlarmGuard,
    /// A line alone is sent uncompressed: a compressed one was refused by an answer that does not show that it was unpacked.
    sends_alone_plain: bool,
}

/// One request and its answer.
struct Attempt {
    outcome: Outcome,
    answer: Answer,
    reading: Reading,
}

/// What was done without a wait in between.
#[derive(Default)]
struct Tried {
    /// Those that failed.
    addresses: BTreeSet<usize>,
    mending: bool,
    /// The body is sent without compression, for this reason.
    uncompressed: Option<String>,
}

/// The body of a request, compressed when the first address wants it so, and then kept for every attempt.
struct Body {
    plain: Bytes,
    packed: Option<Bytes>,
    /// Whether it is one line.
    is_line: bool,
}

impl Body {
    fn for_address(&mut self, address: &Address, gzip: &mut Gzip) -> (Bytes, bool) {
        if !address.wants_gzip() {
            return (self.plain.clone(), false);
        }
        if self.packed.is_none() {
            self.packed = gzip.compress(&self.plain);
        }
        match &self.packed {
            Some(packed) => (packed.clone(), true),
            None => (self.plain.clone(), false),
        }
    }
}

/// Whether a refusal of a line shows that the server unpacked it: it names what stands in the line, not only that it cannot be
/// parsed. A proxy that takes `Content-Encoding` away makes a server parse compressed bytes.
fn was_read(body: &Body, reading: &Reading) -> bool {
    let line = String::from_utf8_lossy(&body.plain);
    match &reading.about {
        About::Line(Complaint::Unparsable) => reading.message.contains(line.trim_end()),
        About::Line(Complaint::Named(_)) | About::Unknown => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
