//! Delivers one batch of lines: returns when every line is stored, refused, or kept out by a limit of the server.

mod attempts;
mod range_choice;

use crate::backoff::{Backoff, now, pause};
use crate::cause::Cause;
use crate::counters::count;
use crate::failed_attempt::CONTRADICTED;
use crate::lines::{Lines, RequestSize};
use crate::packed_lines::{BatchLines, PackedLines, RANGES, size_together, unpack_together};
use crate::request_text::{PackedRanges, RequestText};
use crate::salvage::{
    AddressHistory, BlockedReason, LimitedLine, NextRequest, RefusedLine, RefusedRequest, SalvagePlan,
};
use crate::slow::{SearchProgress, SlowSearchLog};
use crate::writer::{RECORD_BYTES, Writer};
use attempts::{LinesRequest, LinesVerdict};
use base::Destination;
use base::alarm::AlarmGuard;
use line_protocol::Gzip;
use range_choice::RangeChoice;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Lines that are sent again go into requests up to this size: one part of a large batch, which ends with the record that passes 4 MB. After
/// a failure, because the size may be its reason. After a refusal, because the lines that are left are copied: the copies of all lanes take
/// memory beside `batch.memory_max`.
const RESENT_BYTES_MAX: usize = 4_000_000 + RECORD_BYTES;

/// Requests of this size are not halved for want of an answer: every proxy carries them, so their size is not the reason.
const CARRIED_BYTES: usize = 64_000;

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
    /// Time from sending the last answered request to its answer. For a batch in several requests because of its size: the sum.
    pub answer_time: Duration,
    /// Number of requests beyond one that the batch takes because of its size.
    pub further_requests: u32,
    /// The largest request that should be sent to the destination: its kind of server has a limit, or a 413 has shown one. None: not known.
    pub request_bytes_max: Option<usize>,
    /// Whether lines of one series should stand together in a large request.
    pub is_grouped: bool,
}

impl Delivered {
    /// Number of lines that are stored, refused or kept out.
    pub fn lines_settled(&self) -> usize {
        self.lines_stored + self.refused.len() + self.kept_out.len()
    }

    /// The time to the answers, if each request was stored at once.
    pub fn time_at_once(&self) -> Option<Duration> {
        let (planned, requests) = (1 + self.further_requests, self.requests);
        (requests.stored == planned && requests.total() == planned).then_some(self.answer_time)
    }
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
    pub remedy: &'static str,
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
    range_choice: RangeChoice,
}

impl Writer {
    /// Creates the writer of one lane. `seed` is for the jitter of its delays.
    pub fn lane(self: &Arc<Self>, seed: u64) -> LaneWriter {
        let (writer, rng) = (Arc::clone(self), fastrand::Rng::with_seed(seed));
        LaneWriter { writer, gzip: Gzip::new(), rng, range_choice: RangeChoice::default() }
    }
}

impl LaneWriter {
    /// Returns when every line is stored, refused or kept out by a limit, however long that takes. A future that is dropped before leaves
    /// at most one request unanswered; sending the lines again gives the same points.
    pub async fn deliver(&mut self, destination: &Destination, lines: &BatchLines) -> Delivered {
        let writer = Arc::clone(&self.writer);
        let mut batch = BatchDelivery {
            lines: lines.len(),
            delivered: Delivered::default(),
            alarm: writer.alarm_registry().guard(),
            sends_alone_plain: false,
            bytes_max: usize::MAX,
            search: SlowSearchLog::default(),
        };
        let counters = writer.counters();
        let _in_flight = counters.batches_in_flight.begin();
        if !lines.is_empty() {
            counters.batch_lines.add(lines.len());
            counters.batch_bytes.add(lines.bytes());
            writer.wait_for_rate(lines.len()).await;
        }
        match lines {
            BatchLines::Plain(lines) => {
                self.deliver_lines(destination, lines, Places::InOrder, &mut batch).await;
            }
            BatchLines::Packed(parts) => {
                self.deliver_packed(destination, parts, lines.bytes(), &mut batch).await;
            }
        }
        let request_bytes_max = Some(writer.request_bytes_max(destination));
        let is_grouped = writer.groups_lines(destination);
        Delivered { request_bytes_max, is_grouped, ..batch.delivered }
    }

    /// Delivers a large batch in one request, or in one for each range of series.
    async fn deliver_packed(
        &mut self,
        destination: &Destination,
        parts: &[Arc<PackedLines>],
        bytes: usize,
        batch: &mut BatchDelivery,
    ) {
        let are_grouped = parts.iter().all(|part| part.is_grouped()) && self.writer.groups_lines(destination);
        let requests = if are_grouped { self.range_choice.number(bytes) } else { 1 };
        let mut is_rest_whole = requests == 1;
        let (mut sent, mut time, mut bytes_in_ranges) = (0, Duration::ZERO, 0);
        let (mut request, mut first) = (0, 0);
        while first < RANGES {
            request += 1;
            let is_taken_over = first > 0 && !self.writer.groups_lines(destination);
            let end = if is_rest_whole || is_taken_over { RANGES } else { request * RANGES / requests };
            let ranges = std::mem::replace(&mut first, end)..end;
            let (lines, bytes_of_request) = size_together(parts, &ranges);
            if lines == 0 {
                continue;
            }
            if is_taken_over {
                // The lines keep their order for the server that has taken over.
                self.deliver_parts(destination, parts, &ranges, batch).await;
            } else if is_rest_whole {
                let size = (lines, bytes_of_request);
                if self.store_at_once(destination, parts, &ranges, size, batch).await {
                    self.range_choice.whole_stored(batch.delivered.answer_time, bytes_of_request);
                } else {
                    self.deliver_parts(destination, parts, &ranges, batch).await;
                }
                time += batch.delivered.answer_time;
                sent += 1;
            } else {
                let (further, further_time) = self.deliver_grouped(destination, parts, &ranges, batch).await;
                (sent, time) = (sent + further, time + further_time);
                bytes_in_ranges += bytes_of_request;
                let is_stored =
                    batch.delivered.requests == RequestCounts { stored: sent, ..RequestCounts::default() };
                is_rest_whole = is_stored && self.range_choice.ranges_stored(time, bytes_in_ranges, bytes);
            }
        }
        batch.delivered.answer_time = time;
        batch.delivered.further_requests = sent.saturating_sub(1);
        batch.delivered.refused.sort_by_key(|refused| refused.line);
        batch.delivered.kept_out.sort_by_key(|kept_out| kept_out.line);
    }

    /// Delivers the lines of these ranges together, in requests of up to the size of a part. Returns their number and the time to the answers.
    async fn deliver_grouped(
        &mut self,
        destination: &Destination,
        parts: &[Arc<PackedLines>],
        ranges: &Range<usize>,
        batch: &mut BatchDelivery,
    ) -> (u32, Duration) {
        let (mut requests, mut time, mut rest, mut before) = (0, Duration::ZERO, parts, 0);
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |part: &&Arc<PackedLines>| {
                bytes += part.size_of(ranges).1;
                bytes <= RESENT_BYTES_MAX
            };
            let number = rest.iter().take_while(fits).count().max(1);
            let (next, later) = rest.split_at(number);
            let (lines, places) = unpack_together(next, ranges, before);
            before += next.iter().map(|part| part.len() as u32).sum::<u32>();
            rest = later;
            if !lines.is_empty() {
                self.deliver_lines(destination, &lines.into(), Places::Listed(places), batch).await;
                requests += 1;
                time += batch.delivered.answer_time;
            }
        }
        (requests, time)
    }

    /// Delivers the lines of these ranges part by part.
    async fn deliver_parts(
        &mut self,
        destination: &Destination,
        parts: &[Arc<PackedLines>],
        ranges: &Range<usize>,
        batch: &mut BatchDelivery,
    ) {
        let mut before = 0;
        for part in parts {
            let (lines, places) = part.unpack_ranges(ranges, before);
            before += part.len() as u32;
            if !lines.is_empty() {
                self.deliver_lines(destination, &lines.into(), Places::Listed(places), batch).await;
            }
        }
    }

    /// Sends lines of a large batch in one request, if the destination takes one of this size. Returns whether all are stored.
    async fn store_at_once(
        &mut self,
        destination: &Destination,
        parts: &[Arc<PackedLines>],
        ranges: &Range<usize>,
        (lines, bytes): (usize, usize),
        batch: &mut BatchDelivery,
    ) -> bool {
        let writer = Arc::clone(&self.writer);
        let RequestSize { lines_max, bytes_max } = writer.size(destination).within(batch.bytes_max);
        if lines > lines_max || bytes > bytes_max {
            return false;
        }
        let text = RequestText::Packed(PackedRanges { parts: parts.to_vec(), ranges: ranges.clone(), bytes });
        let is_grouped = parts.iter().any(|part| part.is_grouped());
        let request = LinesRequest { text, lines, is_grouped, opens_connection: false, is_blocked: false };
        let verdict = self.send_until_verdict(destination, batch, request).await;
        match verdict {
            LinesVerdict::Stored { .. } => {
                batch.delivered.lines_stored += lines;
                count(&writer.counters().lines_stored, lines);
                return true;
            }
            LinesVerdict::TooLarge { why, .. } => writer.lower_size(destination, bytes, why),
            LinesVerdict::MaybeTooLarge { .. } => batch.limit_size_after_failure(bytes),
            LinesVerdict::Refused { why, .. } => batch.limit_size_after_refusal(destination, (0, 0), &why),
            LinesVerdict::OtherOrder => (),
        }
        false
    }

    /// Delivers the lines of a batch, or those of a part of a large one.
    async fn deliver_lines(
        &mut self,
        destination: &Destination,
        lines: &Lines,
        places: Places,
        batch: &mut BatchDelivery,
    ) {
        let writer = Arc::clone(&self.writer);
        let is_packed = matches!(places, Places::Listed(_));
        let in_order = |is_grouped| match is_grouped {
            true if is_packed => lines.grouped(),
            true => lines.for_writing(),
            false => lines.clone(),
        };
        let mut lines = in_order(writer.groups_lines(destination));
        let new_plan = |lines: &Lines, seed| SalvagePlan::new(lines, writer.options.accepts_unproven, seed);
        let mut plan = new_plan(&lines, self.rng.u64(..));
        let counters = writer.counters();
        let (mut counted_stored, mut counted_refused) = (0, 0);
        let mut backoff = Backoff::new(writer.options.delays);
        let history = DestinationHistory { writer: &writer, destination };
        while let Some(next) = plan.next(&lines, writer.size(destination).within(batch.bytes_max), &history) {
            if let Some(reason) = &next.blocked {
                self.wait_blocked(destination, batch, reason, &mut backoff).await;
            }
            let request = LinesRequest {
                text: next.request.body(&lines),
                lines: next.request.len(),
                is_grouped: lines.is_grouped(),
                opens_connection: next.opens_connection,
                is_blocked: plan.is_blocked(),
            };
            let verdict = self.send_until_verdict(destination, batch, request).await;
            if matches!(verdict, LinesVerdict::OtherOrder) {
                // The new server has none of the lines, or stores the same points again.
                lines = in_order(false);
                plan = new_plan(&lines, self.rng.u64(..));
                continue;
            }
            if matches!(verdict, LinesVerdict::Stored { .. }) {
                backoff = Backoff::new(writer.options.delays);
            }
            batch.apply(&lines, verdict, &next, &mut plan, &history);
            while let Some(address) = plan.take_contradicted() {
                writer.record_contradiction(address);
            }
            count(&counters.lines_stored, plan.lines_stored().saturating_sub(counted_stored));
            count(&counters.lines_refused, plan.lines_refused().saturating_sub(counted_refused));
            (counted_stored, counted_refused) =
                (counted_stored.max(plan.lines_stored()), counted_refused.max(plan.lines_refused()));
        }
        batch.add(&lines, &places, plan);
    }

    /// Waits with an alarm, because the server refuses lines without a cause in a line, and stores nothing.
    async fn wait_blocked(
        &mut self,
        destination: &Destination,
        batch: &mut BatchDelivery,
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
}

/// The addresses of one destination.
#[derive(Clone, Copy)]
struct DestinationHistory<'a> {
    writer: &'a Writer,
    destination: &'a Destination,
}

impl AddressHistory for DestinationHistory<'_> {
    fn latest_control(&self, address: usize) -> u64 {
        self.writer.latest_stored_moment(self.destination, address)
    }

    fn contradicts_itself(&self, address: usize) -> bool {
        self.writer.contradicts_itself(address)
    }
}

/// The places in the batch of lines that are delivered.
enum Places {
    /// The lines are all of the batch, in its order.
    InOrder,
    Listed(Vec<u32>),
}

impl Places {
    fn of(&self, line: usize) -> usize {
        match self {
            Self::InOrder => line,
            Self::Listed(places) => {
                let place = places.get(line);
                assert!(place.is_some(), "line {line} of {} has no place in the batch", places.len());
                place.map_or(0, |&place| place as usize)
            }
        }
    }
}

/// The batch in flight.
struct BatchDelivery {
    /// Number of lines.
    lines: usize,
    /// The results so far.
    delivered: Delivered,
    /// Dropped with the future, so an abandoned batch leaves no alarm behind.
    alarm: AlarmGuard,
    /// Single lines are sent uncompressed, because the refusal of a compressed line did not show that the server unpacked it.
    sends_alone_plain: bool,
    /// The largest request for the rest of the batch.
    bytes_max: usize,
    search: SlowSearchLog,
}

impl BatchDelivery {
    /// Hands the verdict on a request to the plan, and bounds the size of the batch's further requests.
    fn apply(
        &mut self,
        lines: &Lines,
        verdict: LinesVerdict,
        NextRequest { request, .. }: &NextRequest,
        plan: &mut SalvagePlan,
        history: &DestinationHistory<'_>,
    ) {
        let DestinationHistory { writer, destination } = *history;
        match verdict {
            LinesVerdict::Stored { address, is_compression_refused } => {
                if is_compression_refused {
                    plan.forget_disputes();
                }
                plan.stored(lines, address);
            }
            LinesVerdict::TooLarge { why, at } => {
                if request.len() > 1 {
                    writer.lower_size(destination, request.bytes(lines), why.clone());
                }
                plan.too_large(lines, &why, at);
            }
            LinesVerdict::MaybeTooLarge { why, at } => {
                self.limit_size_after_failure(request.bytes(lines));
                plan.too_large(lines, &why, at);
            }
            LinesVerdict::Refused { why, answer, parsed, at } => {
                let found = (plan.lines_stored(), plan.lines_refused());
                self.limit_size_after_refusal(destination, found, &why);
                let refusal = RefusedRequest { answer: &answer, parsed: &parsed, why: &why, at };
                plan.refused(lines, refusal);
            }
            // The caller begins anew.
            LinesVerdict::OtherOrder => (),
        }
    }

    fn limit_size_after_failure(&mut self, sent: usize) {
        let half = (sent / 2).max(CARRIED_BYTES);
        let bytes_max = if sent > RESENT_BYTES_MAX { RESENT_BYTES_MAX } else { half };
        self.bytes_max = self.bytes_max.min(bytes_max);
    }

    /// `stored`, `refused`: lines of the part that is being delivered.
    fn limit_size_after_refusal(
        &mut self,
        destination: &Destination,
        (stored, refused): (usize, usize),
        why: &str,
    ) {
        self.bytes_max = self.bytes_max.min(RESENT_BYTES_MAX);
        let Delivered { lines_stored, refused: before, .. } = &self.delivered;
        let progress = SearchProgress {
            lines: self.lines,
            stored: lines_stored + stored,
            refused: before.len() + refused,
        };
        self.search.refused(now(), destination, progress, why);
    }

    /// Adds the results of these lines, by their places in the batch.
    fn add(&mut self, lines: &Lines, places: &Places, plan: SalvagePlan) {
        let delivered = &mut self.delivered;
        delivered.lines_stored += plan.lines_stored();
        let (mut refused, kept_out) = plan.into_lists();
        for refused in &mut refused {
            refused.line = places.of(lines.place(refused.line));
        }
        refused.sort_by_key(|refused| refused.line);
        delivered.refused.append(&mut refused);
        let with_remedy = |kept_out: LimitedLine| KeptOutLine {
            line: places.of(lines.place(kept_out.line)),
            cause: Cause::ServerLimit,
            why: kept_out.why,
            remedy: kept_out.limit.remedy,
        };
        let mut kept_out: Vec<KeptOutLine> = kept_out.into_iter().map(with_remedy).collect();
        kept_out.sort_by_key(|kept_out| kept_out.line);
        delivered.kept_out.append(&mut kept_out);
    }
}

#[cfg(test)]
mod tests;
