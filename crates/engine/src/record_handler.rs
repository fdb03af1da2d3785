//! The path of a record on the data thread: route, admit, map, append to the batch, track, count.
//!
//! [`RecordHandler::handle`] reads top to bottom.

use crate::batch::Batch;
use crate::dead_letter::{FailedStage, Letter, RejectedElements};
use crate::lane::FinishedBatch;
use crate::offset_tracker::{AssignmentId, OffsetTracker};
use crate::partition_routes::{Route, Routes, TopicIndex};
use crate::record_log::{self, RecordLog};
use crate::telemetry::{Counters, TurnCounts};
use crate::topic_gate::{Admission, RejectedFate, ServerBlock};
use crate::topic_state::{Fate, TopicState, first_rejection};
use base::Destination;
use base::NextOffset;
use base::TopicPartition;
use base::alarm::AlarmRegistry;
use base::record::{OwnedHeaders, Record};
use kafka::{Delivery, PartitionRef};
use mapping::{Mapped, Rejection};
use rdkafka::error::RDKafkaErrorCode;
use std::sync::Arc;
use std::time::Instant;

/// Handles records one by one, and the results of the batches that their lines went to.
pub struct RecordHandler {
    pub routes: Routes,
    pub tracker: OffsetTracker,
    pub log: RecordLog,
    /// Offsets at which reading failed: reading has to go back to them.
    pub failed: Vec<(TopicPartition, NextOffset)>,
    /// Topics whose fetch was denied, with librdkafka's message.
    pub denied: Vec<(String, String)>,
    turn: Turn,
    counters: Arc<Counters>,
    alarms: Arc<AlarmRegistry>,
    /// Whether rejected records are dead-lettered; otherwise they are counted, logged and skipped.
    writes_dead_letters: bool,
}

/// A record of an assigned partition.
struct RoutedRecord<'a> {
    route: Route,
    record: Record<'a>,
    headers: &'a dyn Fn() -> OwnedHeaders,
    now: Instant,
}

/// Topics of one turn. Their counts are added to [`Counters`] at its end: an atomic addition for each record would cost more.
#[derive(Debug, Default)]
struct Turn {
    /// Topics whose mappers saw records: at most one entry per record of the turn.
    topics: Vec<TopicIndex>,
    /// Topics whose first records were all filtered.
    all_filtered: Vec<TopicIndex>,
}

impl RecordHandler {
    pub fn new(
        routes: Routes,
        counters: Arc<Counters>,
        alarms: Arc<AlarmRegistry>,
        writes_dead_letters: bool,
    ) -> Self {
        Self {
            routes,
            tracker: OffsetTracker::default(),
            log: RecordLog::default(),
            failed: Vec::new(),
            denied: Vec::new(),
            turn: Turn::default(),
            counters,
            alarms,
            writes_dead_letters,
        }
    }

    /// Handles one delivery of a lane's queue. Lines of a record are appended to `batch`, the lane's open batch.
    pub fn handle(&mut self, delivery: Delivery<'_>, batch: &mut Batch, now: Instant) {
        match delivery {
            Delivery::Record { place, record, headers } => {
                // The next owner of a revoked partition reads its records.
                let Some(route) = self.routes.find(&place) else { return };
                self.handle_record(&RoutedRecord { route, record, headers, now }, batch);
            }
            Delivery::Error { place, offset, code, text } => {
                self.handle_error(&place, offset, code, text, now);
            }
        }
    }

    fn handle_record(&mut self, routed: &RoutedRecord<'_>, batch: &mut Batch) {
        let RoutedRecord { route, record, now, .. } = *routed;
        let topic = self.routes.topic_mut(route.topic);
        if topic.admit(&record, &self.alarms, now) == Admission::Unsettled {
            return self.leave_record_unsettled(routed);
        }
        let mapped = match &mut topic.mapper {
            Some(mapper) => mapper.map(&record, &mut batch.lines),
            None => Mapped::rejected_whole(Rejection::NoMapping),
        };
        if topic.wait_for_missing_schema(&mapped, &record, now) {
            return self.leave_record_unsettled(routed);
        }
        let fate = self.decide_fate(routed, &mapped, batch);
        if fate == Fate::Rejected(RejectedFate::Blocks) {
            batch.remove_last_lines(mapped.lines);
            return self.leave_record_unsettled(routed);
        }
        self.append(routed, &mapped, fate, batch);
        self.report(routed, &mapped, fate, batch);
    }

    /// Lets the topic's gate decide about a mapped record. The topic's first point settles its undecided records, and a record that
    /// blocks the topic raises the alarm.
    fn decide_fate(&mut self, routed: &RoutedRecord<'_>, mapped: &Mapped, batch: &Batch) -> Fate {
        let RoutedRecord { route, record, now, .. } = *routed;
        if mapped.lines > 0 && self.routes.topic_mut(route.topic).gate.note_point(now) {
            self.settle_undecided(route.topic);
        }
        let topic = self.routes.topic_mut(route.topic);
        let first_line = batch.first_of_last(mapped.lines);
        topic.unit_check.add(&topic.name, &record, &batch.lines, first_line, mapped);
        let fate = topic.count_in_gate(mapped, now);
        if fate == Fate::Rejected(RejectedFate::Blocks) {
            topic.gate.alarm(&topic.name, &self.alarms, now);
        }
        fate
    }

    /// Adds the record and its dead letter to the batch that has its lines, and lets the offset wait for that batch.
    fn append(&mut self, routed: &RoutedRecord<'_>, mapped: &Mapped, fate: Fate, batch: &mut Batch) {
        let RoutedRecord { route: Route { assignment, topic, .. }, record, now, .. } = *routed;
        batch.push(assignment, record.offset, mapped.lines, now);
        let has_letter = mapped.has_rejected() && self.writes_dead_letters;
        if has_letter {
            let topic_name = &self.routes.topic_mut(topic).name;
            batch.push_letter(assignment, letter(topic_name, routed, mapped), now);
        }
        let (offset, time_ns) = (record.offset, record.time.kafka_ns());
        if fate == Fate::Rejected(RejectedFate::Undecided) {
            self.tracker.delivered_undecided(assignment, offset, time_ns);
        } else if mapped.lines > 0 || has_letter {
            self.tracker.delivered(assignment, offset, time_ns, batch.batch_id);
        } else {
            self.tracker.delivered_settled(assignment, offset, time_ns);
        }
    }

    /// Counts the record, and logs what is new or rejected.
    fn report(&mut self, routed: &RoutedRecord<'_>, mapped: &Mapped, fate: Fate, batch: &Batch) {
        let RoutedRecord { route, record, now, .. } = *routed;
        let topic = self.routes.topic_mut(route.topic);
        self.turn.add(route.topic, topic, &record, mapped);
        let first_line = || batch.lines.line(batch.first_of_last(mapped.lines)).unwrap_or_default();
        log_firsts(topic, &record, mapped, first_line);
        if fate == Fate::AllFiltered {
            // The dropped values of the turn are counted at its end.
            self.turn.all_filtered.push(route.topic);
        }
        if mapped.has_rejected() {
            let topic_name = Arc::clone(&topic.name);
            self.report_rejected(&topic_name, &record, mapped, now);
        }
    }

    fn leave_record_unsettled(&mut self, routed: &RoutedRecord<'_>) {
        let RoutedRecord { route, record, .. } = routed;
        self.tracker.leave_unsettled(route.assignment, record.offset, record.time.kafka_ns());
    }

    /// Settles the undecided records of a topic, in all of its partitions.
    fn settle_undecided(&mut self, index: TopicIndex) {
        for (_, assignment) in self.routes.assigned_of(index) {
            self.tracker.settle_undecided(assignment);
        }
    }

    fn report_rejected(&mut self, topic_name: &str, record: &Record<'_>, mapped: &Mapped, now: Instant) {
        for (reason, count) in mapped.rejected_by_reason() {
            self.counters.reject(topic_name, reason, count);
        }
        for (element, rejection) in &mapped.rejected {
            let element = mapped.named_element(*element);
            self.log.rejected(topic_name, record, element, rejection, &self.counters.rejections, now);
        }
    }

    fn handle_error(
        &mut self,
        place: &PartitionRef<'_>,
        offset: Option<i64>,
        code: RDKafkaErrorCode,
        text: String,
        now: Instant,
    ) {
        if let Some(offset) = offset.filter(|_| self.routes.find(place).is_some()) {
            self.failed.push((place.to_owned(), NextOffset::at(offset)));
        }
        Counters::add(&self.counters.fetch_errors, 1);
        if code == RDKafkaErrorCode::TopicAuthorizationFailed {
            // An alarm reports a denied topic, so the log does not.
            self.denied.push(((place.topic)().to_owned(), text));
        } else {
            self.log.kafka_error((place.topic)(), place.partition, code, &text, now);
        }
    }

    /// Publishes the counts of a turn, and logs the keys whose values were dropped for the first time.
    pub fn end_turn(&mut self) {
        let Self { turn, routes, counters, .. } = self;
        turn.topics.sort_unstable();
        turn.topics.dedup();
        let mut all = TurnCounts::default();
        for index in turn.topics.drain(..) {
            let topic = routes.topic_mut(index);
            let counts = std::mem::take(&mut topic.turn);
            topic.counters.get_or_insert_with(|| counters.by_topic.of(&topic.name)).add(&counts);
            all.add(&counts);
            if let Some(mapper) = &mut topic.mapper {
                topic.drops.add_all(&record_log::dropped_values(&topic.name, mapper, counters));
            }
        }
        for index in turn.all_filtered.drain(..) {
            let topic = routes.topic_mut(index);
            record_log::all_filtered(&topic.name, &topic.drops);
        }
        counters.add_turn(&all);
    }

    /// Leaves a record unsettled that was fetched before a reload and will be read again under the new configuration.
    pub fn leave_delivery_unsettled(&mut self, delivery: &Delivery<'_>) {
        let (place, offset, time_ns) = match delivery {
            Delivery::Record { place, record, .. } => (place, Some(record.offset), record.time.kafka_ns()),
            Delivery::Error { place, offset, .. } => (place, *offset, None),
        };
        if let (Some(route), Some(offset)) = (self.routes.find(place), offset) {
            self.tracker.leave_unsettled(route.assignment, offset, time_ns);
        }
    }

    /// Replaces the routes at a reload. Returns the assigned partitions with their assignments under the old routes.
    pub fn renew(
        &mut self,
        mut routes: Routes,
        writes_dead_letters: bool,
    ) -> Vec<(TopicPartition, AssignmentId)> {
        self.writes_dead_letters = writes_dead_letters;
        routes.follow(&self.routes);
        std::mem::replace(&mut self.routes, routes).into_assigned()
    }

    /// Evaluates a finished batch: blocks the topics of lines that a limit of the server keeps out, reports refused lines with their
    /// records, and counts them for the gates of their topics.
    pub fn batch_finished(&mut self, finished: &FinishedBatch, destination: &Destination, now: Instant) {
        // Once for each partition: there may be many lines, and this is the data thread.
        for line in finished.batch.first_kept_out(&finished.delivered.kept_out).into_values() {
            // The next owner of a revoked partition meets the limit itself.
            let Some(at) = finished.batch.source(line.line).partition else { continue };
            let Some(topic) = self.routes.topic_named(&at.topic) else { continue };
            let (cause, place) = (line.cause.name(), destination.to_string());
            let by = ServerBlock { cause, at: &place, why: &line.why, remedy: line.remedy };
            if topic.gate.block(&by, now) {
                topic.gate.alarm(&topic.name, &self.alarms, now);
            }
        }
        if finished.collisions.count > 0 {
            Counters::add(&self.counters.collisions, finished.collisions.count);
            self.log.collided(finished, now);
        }
        let (mut last, mut lines) = (None, finished.lines.reader());
        for refused in &finished.delivered.refused {
            let source = finished.batch.source(refused.line);
            self.log.refused(&mut lines, destination, refused, &source, &self.counters.rejections, now);
            if let Some(at) = source.partition {
                self.counters.refuse(&at.topic, 1);
            }
            // The gate counts records: several refused lines of one record count once.
            let record = Some((source.assignment, source.offset));
            if std::mem::replace(&mut last, record) == record {
                continue;
            }
            let topic = source.partition.and_then(|at| self.routes.topic_named(&at.topic));
            let Some(topic) = topic else { continue };
            if topic.gate.refuse(1, || refused.why.to_string(), now) {
                topic.gate.alarm(&topic.name, &self.alarms, now);
            }
        }
    }

    /// Logs, once for each topic, that its undecided records stay uncommitted.
    pub fn log_undecided(&mut self, now: Instant) {
        for topic in self.routes.topics_mut() {
            if let Some(records) = topic.gate.undecided_to_log(now) {
                record_log::undecided(&topic.name, records);
            }
        }
    }

    /// Logs the undecided records of all topics, because the data thread ends.
    pub fn log_all_undecided(&mut self) {
        for topic in self.routes.topics_mut() {
            let records = topic.gate.undecided();
            if records > 0 {
                record_log::undecided(&topic.name, records);
            }
        }
    }

    /// Reports topics whose times look like another unit.
    pub fn report_wrong_units(&mut self, now: Instant) {
        for topic in self.routes.topics_mut() {
            if let Some(doubt) = topic.unit_check.doubt(now) {
                Counters::add(&self.counters.wrong_time_units, doubt.points);
                record_log::doubtful_times(&topic.name, &doubt);
            }
        }
    }

    /// Repeats the alarms of blocked topics with assigned partitions. Without partitions alarms end, and waits for schemas: the next
    /// assignment begins a new one.
    pub fn repeat_alarms(&mut self, now: Instant) {
        for index in self.routes.not_open() {
            let is_assigned = !self.routes.assigned_of(index).is_empty();
            let topic = self.routes.topic_mut(index);
            if is_assigned {
                topic.gate.alarm(&topic.name, &self.alarms, now);
                topic.schema_wait.alarm(&topic.name, &self.alarms, now);
            } else {
                topic.gate.forget_alarm();
                topic.schema_wait.forget();
            }
        }
    }
}

impl Turn {
    /// Counts a record of a topic.
    fn add(&mut self, index: TopicIndex, topic: &mut TopicState, record: &Record<'_>, mapped: &Mapped) {
        topic.turn.add(&TurnCounts {
            records: 1,
            bytes: record.value.map_or(0, <[u8]>::len) as u64,
            lines: mapped.lines as u64,
            filtered: mapped.filtered as u64,
        });
        if self.topics.last() != Some(&index) {
            self.topics.push(index);
        }
    }
}

/// Logs the first line of a topic, the first record in which the mapping's query selects nothing, and the first one without a field.
fn log_firsts<'a>(
    topic: &mut TopicState,
    record: &Record<'_>,
    mapped: &Mapped,
    first_line: impl FnOnce() -> &'a [u8],
) {
    if mapped.lines > 0 && !topic.first_line_logged {
        topic.first_line_logged = true;
        record_log::first_line(&topic.name, record, first_line());
    }
    if mapped.selected_nothing && !topic.empty_query_logged {
        topic.empty_query_logged = true;
        record_log::empty_query(&topic.name, record);
    }
    let has_no_field =
        mapped.filtered > mapped.left_out && !mapped.selected_nothing && record.value.is_some();
    if has_no_field && !topic.fieldless_logged {
        topic.fieldless_logged = true;
        record_log::without_field(&topic.name, record);
    }
}

fn letter(topic: &Arc<str>, routed: &RoutedRecord<'_>, mapped: &Mapped) -> Letter {
    let RoutedRecord { record, headers, .. } = routed;
    let count = mapped.rejected_by_reason().map(|(_, count)| count).sum();
    let listed = mapped.rejected.iter().filter_map(|(element, _)| *element).collect();
    Letter {
        topic: Arc::clone(topic),
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: record.time.kafka_ms(),
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: headers(),
        stage: FailedStage::Map,
        reason: mapped.rejected.first().map_or("", |(_, rejection)| rejection.reason().name()),
        why: first_rejection(mapped),
        elements: RejectedElements { listed, count },
        lines: None,
    }
}
