//! What happens to a record, from routing it to noting what it became.

use super::report::{self, Reporter, Tally};
use super::routes::{Route, Routes};
use crate::admin::Counters;
use crate::batch::Batch;
use crate::commit::{NextOffset, Tracker};
use crate::kafka::{Delivery, TopicPartition};
use crate::map::Rejection;
use crate::record::Record;
use std::sync::Arc;
use std::time::Instant;

/// Everything that a record meets on the data thread before its lines leave it.
pub struct Stage {
    pub routes: Routes,
    pub tracker: Tracker,
    pub reporter: Reporter,
    pub tally: Tally,
    /// Errors in the place of records, and at which offsets: those are read again.
    pub failed: Vec<(TopicPartition, NextOffset)>,
    counters: Arc<Counters>,
}

impl Stage {
    pub fn new(routes: Routes, counters: Arc<Counters>) -> Self {
        let (tracker, reporter, tally) = (Tracker::default(), Reporter::default(), Tally::default());
        Self { routes, tracker, reporter, tally, failed: Vec::new(), counters }
    }

    /// Reads what a lane's queue delivered; a record's lines are appended to the lane's open batch.
    pub fn take(&mut self, delivery: Delivery<'_>, open: &mut Batch, now: Instant) {
        match delivery {
            Delivery::Record { place, record } => {
                // A record of a partition that is not held any more: its owner reads it.
                if let Some(route) = self.routes.find(&place) {
                    self.record(route, &record, open, now);
                }
            }
            Delivery::Error { place, offset, code, text } => {
                if let Some(offset) = offset.filter(|_| self.routes.find(&place).is_some()) {
                    let at = TopicPartition { topic: place.topic.to_owned(), partition: place.partition };
                    self.failed.push((at, NextOffset::at(offset)));
                }
                Counters::add(&self.counters.fetch_errors, 1);
                self.reporter.kafka_error(place.topic, place.partition, code, &text);
            }
        }
    }

    fn record(&mut self, route: Route, record: &Record<'_>, open: &mut Batch, now: Instant) {
        self.tally.records += 1;
        self.tally.bytes += record.value.map_or(0, <[u8]>::len) as u64;
        let topic = self.routes.topic_mut(route.topic);
        let Some(mapper) = &mut topic.mapper else {
            let rejection = Rejection::NoMapping;
            self.counters.reject(rejection.reason(), 1);
            self.reporter.rejected(&topic.name, record, None, &rejection);
            self.tracker.delivered_settled(route.tenure, record.offset);
            return;
        };
        let first_line = open.lines.lines();
        let became = mapper.map(record, &mut open.lines);
        if became.lines > 0 {
            open.push(route.tenure, record.offset, first_line, now);
            self.tracker.delivered(route.tenure, record.offset, open.ticket);
        } else {
            self.tracker.delivered_settled(route.tenure, record.offset);
        }
        self.tally.lines += became.lines as u64;
        self.tally.filtered += became.filtered as u64;
        for (reason, count) in became.rejected_by_reason() {
            self.counters.reject(reason, count);
        }
        for (element, rejection) in &became.rejected {
            self.reporter.rejected(&topic.name, record, *element, rejection);
        }
        let shows = became.lines > 0 && !topic.shown;
        let line = if shows { open.lines.line(first_line) } else { None };
        report::mapped(topic, record, line, &self.counters);
    }
}
