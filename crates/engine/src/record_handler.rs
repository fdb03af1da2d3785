//! What happens to a record, from routing it to noting what it became.

use crate::batch::Batch;
use crate::commit::{AssignmentId, Tracker};
use crate::dead_letter::{Elements, Letter, Stage};
use crate::lane::FinishedBatch;
use crate::reject_limiter::{Admission, ServerBlock};
use crate::report::{self, Reporter, TurnCounts};
use crate::routes::{Route, Routes, Topic};
use crate::telemetry::Counters;
use base::Destination;
use base::NextOffset;
use base::TopicPartition;
use base::alarm::AlarmRegistry;
use base::record::{OwnedHeaders, Record};
use base::text::printable;
use kafka::Delivery;
use mapping::{Mapped, Rejection};
use rdkafka::error::RDKafkaErrorCode;
use std::sync::Arc;
use std::time::Instant;

/// Characters of a rejection's text in a letter or an alarm.
const WHY_MAX: usize = 500;

/// Everything that a record meets on the data thread before its lines leave it.
pub struct RecordHandler {
    pub routes: Routes,
    pub tracker: Tracker,
    pub reporter: Reporter,
    pub counts: TurnCounts,
    /// Errors in the place of records, and at which offsets: those are read again.
    pub failed: Vec<(TopicPartition, NextOffset)>,
    /// Topics of which a fetch was denied, with librdkafka's words.
    pub denied: Vec<(String, String)>,
    counters: Arc<Counters>,
    alarms: Arc<AlarmRegistry>,
    /// Whether rejected records are dead-lettered; otherwise they are counted, logged and skipped.
    writes_dead_letters: bool,
}

/// A record with where it goes.
struct Arrival<'a> {
    route: Route,
    record: Record<'a>,
    headers: &'a dyn Fn() -> OwnedHeaders,
    now: Instant,
}

impl RecordHandler {
    pub fn new(
        routes: Routes,
        counters: Arc<Counters>,
        alarms: Arc<AlarmRegistry>,
        writes_dead_letters: bool,
    ) -> Self {
        let (tracker, reporter, counts) = (Tracker::default(), Reporter::default(), TurnCounts::default());
        Self {
            routes,
            tracker,
            reporter,
            counts,
            failed: Vec::new(),
            denied: Vec::new(),
            counters,
            alarms,
            writes_dead_letters,
        }
    }

    /// Reads what a lane's queue delivered; a record's lines are appended to the lane's open batch.
    pub fn take(&mut self, delivery: Delivery<'_>, open: &mut Batch, now: Instant) {
        match delivery {
            Delivery::Record { place, record, headers } => {
                // A record of a partition that is not assigned any more: its owner reads it.
                if let Some(route) = self.routes.find(&place) {
                    self.record(&Arrival { route, record, headers, now }, open);
                }
            }
            Delivery::Error { place, offset, code, text } => {
                if let Some(offset) = offset.filter(|_| self.routes.find(&place).is_some()) {
                    let at = TopicPartition { topic: place.topic.to_owned(), partition: place.partition };
                    self.failed.push((at, NextOffset::at(offset)));
                }
                Counters::add(&self.counters.fetch_errors, 1);
                if code == RDKafkaErrorCode::TopicAuthorizationFailed {
                    // An alarm reports it.
                    self.denied.push((place.topic.to_owned(), text));
                } else {
                    self.reporter.kafka_error(place.topic, place.partition, code, &text, now);
                }
            }
        }
    }

    /// Notes what was fetched and won't be read by these rules.
    pub fn leave_unsettled(&mut self, delivery: &Delivery<'_>) {
        let (place, offset, time_ns) = match delivery {
            Delivery::Record { place, record, .. } => (place, Some(record.offset), record.time.kafka_ns()),
            Delivery::Error { place, offset, .. } => (place, *offset, None),
        };
        if let (Some(route), Some(offset)) = (self.routes.find(place), offset) {
            self.tracker.leave_unsettled(route.assignment, offset, time_ns);
        }
    }

    /// Goes on by other rules; returns the partitions assigned, with the assignments that end with the old ones.
    pub fn renew(
        &mut self,
        mut routes: Routes,
        writes_dead_letters: bool,
    ) -> Vec<(TopicPartition, AssignmentId)> {
        self.writes_dead_letters = writes_dead_letters;
        routes.follow(&self.routes);
        std::mem::replace(&mut self.routes, routes).into_assigned()
    }

    fn record(&mut self, arrival: &Arrival<'_>, open: &mut Batch) {
        let Arrival { route, record, now, .. } = arrival;
        let topic = self.routes.topic_mut(route.topic);
        if topic.limiter.admit() == Admission::Unsettled {
            self.tracker.leave_unsettled(route.assignment, record.offset, record.time.kafka_ns());
            return;
        }
        let mark = open.lines.mark();
        let became = match &mut topic.mapper {
            Some(mapper) => mapper.map(record, &mut open.lines),
            None => Mapped::rejected_whole(Rejection::NoMapping),
        };
        let mut all_filtered = false;
        if became.has_rejected() {
            if topic.limiter.reject(became.lines > 0, || why(&became), *now) {
                open.lines.truncate(mark);
                topic.limiter.alarm(&topic.name, &self.alarms, *now);
                self.tracker.leave_unsettled(route.assignment, record.offset, record.time.kafka_ns());
                return;
            }
        } else if became.lines > 0 {
            topic.limiter.pass();
        } else {
            all_filtered = topic.limiter.filter();
        }
        self.counts.records += 1;
        self.counts.bytes += record.value.map_or(0, <[u8]>::len) as u64;
        self.counts.lines += became.lines as u64;
        self.counts.filtered += became.filtered as u64;
        open.push(route.assignment, record.offset, mark.lines, *now);
        let has_letter = became.has_rejected() && self.writes_dead_letters;
        if has_letter {
            open.push_letter(route.assignment, letter(topic, arrival, &became), *now);
        }
        if became.lines > 0 || has_letter {
            self.tracker.delivered(route.assignment, record.offset, record.time.kafka_ns(), open.batch_id);
        } else {
            self.tracker.delivered_settled(route.assignment, record.offset, record.time.kafka_ns());
        }
        for (reason, count) in became.rejected_by_reason() {
            self.counters.reject(&topic.name, reason, count);
        }
        // The number of the only element of a record says nothing.
        let is_single = became.lines + became.filtered + became.rejected.len() == 1;
        for (element, rejection) in &became.rejected {
            let element = element.filter(|element| !(is_single && *element == 0));
            let last = &self.counters.rejections;
            self.reporter.rejected(&topic.name, record, element, rejection, last, *now);
        }
        let shows = became.lines > 0 && !topic.shown;
        let line = if shows { open.lines.line(mark.lines) } else { None };
        report::mapped(topic, record, line, &self.counters);
        if became.selected_nothing && std::mem::take(&mut topic.tells_empty_query) {
            report::selected_nothing(topic, record);
        }
        if all_filtered {
            report::all_filtered(topic);
        }
    }

    /// A batch came back: blocks the topics of lines that a limit of the server keeps out, names the records of refused lines, and
    /// counts them for their topics' guards.
    pub fn delivered(&mut self, done: &FinishedBatch, destination: &Destination, now: Instant) {
        for blocked in &done.delivered.blocked {
            // A partition that was given up is its next owner's.
            let Some(at) = done.batch.partition_of(done.batch.origin(blocked.line).assignment) else {
                continue;
            };
            let Some(topic) = self.routes.topic_named(&at.topic) else { continue };
            let (cause, place) = (blocked.cause.name(), destination.to_string());
            let by = ServerBlock { cause, at: &place, why: &blocked.why, remedy: &blocked.remedy };
            if topic.limiter.block(&by, now) {
                topic.limiter.alarm(&topic.name, &self.alarms, now);
            }
        }
        if done.collisions.count > 0 {
            Counters::add(&self.counters.collisions, done.collisions.count);
            self.reporter.collided(done, now);
        }
        let mut last = None;
        for refused in &done.delivered.refused {
            let origin = done.batch.origin(refused.line);
            let place = done.batch.partition_of(origin.assignment);
            let named = place.map(|at| (at.as_ref(), origin.offset));
            self.reporter.refused(done, destination, refused, named, &self.counters.rejections, now);
            if let Some(at) = place {
                self.counters.refuse(&at.topic, 1);
            }
            // Several lines of one record are one record refused.
            let record = Some((origin.assignment, origin.offset));
            if std::mem::replace(&mut last, record) == record {
                continue;
            }
            let Some(topic) = place.and_then(|at| self.routes.topic_named(&at.topic)) else { continue };
            if topic.limiter.refuse(1, || refused.why.to_string(), now) {
                topic.limiter.alarm(&topic.name, &self.alarms, now);
            }
        }
    }

    /// Repeats the alarms of blocked topics of which partitions are assigned, and ends those of the others.
    pub fn repeat_alarms(&mut self, now: Instant) {
        for number in self.routes.not_open() {
            let is_assigned = !self.routes.assigned_of(number).is_empty();
            let topic = self.routes.topic_mut(number);
            if is_assigned {
                topic.limiter.alarm(&topic.name, &self.alarms, now);
            } else {
                topic.limiter.forget_alarm();
            }
        }
    }
}

fn letter(topic: &Topic, arrival: &Arrival<'_>, became: &Mapped) -> Letter {
    let Arrival { record, headers, .. } = arrival;
    let count = became.rejected_by_reason().map(|(_, count)| count).sum();
    let listed = became.rejected.iter().filter_map(|(element, _)| *element).collect();
    Letter {
        topic: Arc::clone(&topic.name),
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: record.time.kafka_ms(),
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: headers(),
        stage: Stage::Map,
        reason: became.rejected.first().map_or("", |(_, rejection)| rejection.reason().name()),
        why: why(became),
        elements: Elements { listed, count },
        lines: None,
    }
}

/// The first of the reasons, in words. A record that is rejected has at least one.
fn why(became: &Mapped) -> String {
    let first = became.rejected.first().map(|(_, rejection)| rejection.to_string());
    printable(&first.unwrap_or_default(), WHY_MAX)
}
