//! Dead letters of a batch, written before the batch settles. Letters of rejected records wait in the batch. Records with refused
//! lines are read again from Kafka.

use crate::batch::Batch;
use crate::dead_letter::{
    DeadLetterError, DeadLetters, FailedStage, Letter, Original, Originals, REFUSED, RecordPlace,
    RejectedElements,
};
use crate::offset_tracker::AssignmentId;
use crate::telemetry::Counters;
use crate::topic_routing::Routing;
use base::TopicPartition;
use base::alarm::{AlarmGuard, AlarmRegistry, FailureReport, Scope};
use base::record::{Record, RecordTime, borrowed};
use influx::{Backoff, BatchLines, Delays, Delivered, LineReader, RefusedLine};
use line_protocol::LineBuffer;
use mapping::{REJECTED_ELEMENTS_MAX, RecordLimits};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Records that are read again at once, if they are small.
const REREAD_RECORDS: usize = 1_000;
/// Delays between attempts while dead letters can't be written.
const DELAY_FIRST: Duration = Duration::from_secs(1);
const DELAY_MAX: Duration = Duration::from_secs(30);

/// The end of each remedy.
const LETTERS_WAIT: &str = "Rejected and refused records wait for their dead letters, and the batches of their lanes with them; writing resumes by itself";

fn backoff() -> Backoff {
    Backoff::new(Delays { blocked_first: DELAY_FIRST, blocked_max: DELAY_MAX, ..Delays::default() })
}

/// Objects that the lanes share for dead letters.
pub struct DeadLetterContext {
    pub dead_letters: Arc<DeadLetters>,
    pub originals: Originals,
    pub routing: Arc<Routing>,
    pub record_limits: RecordLimits,
    pub counters: Arc<Counters>,
    pub alarms: Arc<AlarmRegistry>,
}

/// Writes the dead letters of one lane.
pub struct LaneDeadLetters {
    context: Arc<DeadLetterContext>,
    alarm: AlarmGuard,
    /// Whether the lane waits until dead letters can be written.
    is_waiting: Arc<AtomicBool>,
    /// Generates the retry jitter.
    rng: fastrand::Rng,
}

/// A record with refused lines. A batch may have many, so that they share the list of these lines.
#[derive(Clone, Copy)]
struct RefusedRecord<'a> {
    at: &'a TopicPartition,
    offset: i64,
    lines: &'a [RefusedLine],
}

impl LaneDeadLetters {
    pub fn new(context: Arc<DeadLetterContext>, is_waiting: Arc<AtomicBool>) -> Self {
        let alarm = context.alarms.guard();
        Self { context, alarm, is_waiting, rng: fastrand::Rng::new() }
    }

    /// Writes the dead letters of all records that settle with this batch, and retries until they are written. Records of partitions with
    /// lines that are kept out do not settle: they are read again, and their letters are written then.
    pub async fn write(&mut self, batch: &mut Batch, lines: &BatchLines, delivered: &Delivered) {
        let kept_out = batch.first_kept_out(&delivered.kept_out).into_keys().collect();
        let mut rejected = Drafts::new(settling_letters(batch, &kept_out));
        let refused = refused_records(batch, delivered, &kept_out);
        let (mut rest, mut lines) = (refused.as_slice(), lines.reader());
        while !rest.is_empty() {
            let originals = self.read_again(rest.get(..REREAD_RECORDS).unwrap_or(rest)).await;
            let count = originals.len();
            assert!(
                (1..=rest.len()).contains(&count),
                "{count} originals were read for {} records",
                rest.len()
            );
            let (read, after) = rest.split_at(count);
            rest = after;
            let letters = read.iter().zip(originals).map(|(record, original)| {
                let letter = self.letter(record, original, batch, &mut lines);
                rejected.merged(letter)
            });
            let letters = letters.collect();
            self.send(letters).await;
        }
        self.send(rejected.into_letters()).await;
    }

    async fn read_again(&mut self, records: &[RefusedRecord<'_>]) -> Vec<Option<Original>> {
        let wanted: Vec<RecordPlace> = records
            .iter()
            .map(|record| RecordPlace {
                topic: record.at.topic.as_str().into(),
                partition: record.at.partition,
                offset: record.offset,
            })
            .collect();
        let mut backoff = backoff();
        loop {
            match self.context.originals.read(&wanted).await {
                Ok(originals) => {
                    self.end_wait();
                    return originals;
                }
                Err(error) => self.wait(&error, &mut backoff).await,
            }
        }
    }

    async fn send(&mut self, mut letters: Vec<Letter>) {
        let mut backoff = backoff();
        while !letters.is_empty() {
            let before = letters.len();
            let result = self.context.dead_letters.send(&mut letters).await;
            Counters::add(&self.context.counters.dead_letters, before.saturating_sub(letters.len()) as u64);
            match result {
                Ok(()) => self.end_wait(),
                Err(error) => self.wait(&error, &mut backoff).await,
            }
        }
    }

    fn end_wait(&mut self) {
        self.is_waiting.store(false, Ordering::Relaxed);
        self.alarm.recovered(Instant::now());
    }

    async fn wait(&mut self, error: &DeadLetterError, backoff: &mut Backoff) {
        self.is_waiting.store(true, Ordering::Relaxed);
        let (at, why) = (self.context.dead_letters.destination(), error.why());
        let remedy = || format!("{}. {LETTERS_WAIT}", error.remedy().trim_end_matches('.'));
        let trouble = FailureReport {
            cause: error.cause_name(),
            blocks: true,
            scope: &Scope::DeadLetters,
            at: &at,
            why: &why,
            remedy: &remedy,
        };
        self.alarm.failed(trouble, Instant::now());
        tokio::time::sleep(backoff.blocked(&mut self.rng)).await;
    }

    fn letter(
        &self,
        record: &RefusedRecord<'_>,
        original: Option<Original>,
        batch: &Batch,
        lines: &mut LineReader<'_>,
    ) -> Letter {
        let topic: Arc<str> = record.at.topic.as_str().into();
        let found =
            original.and_then(|original| Some((self.elements(record, &original, batch, lines)?, original)));
        let (listed, original, gone) = if let Some((listed, original)) = found {
            (listed, original, None)
        } else {
            let listed =
                record.lines.iter().map(|refused| batch.source(refused.line).line as usize).collect();
            let mut text = Vec::new();
            record.lines.iter().for_each(|refused| text.extend_from_slice(lines.line(refused.line)));
            (listed, Original::default(), Some(text))
        };
        let count = listed.len() as u64;
        let listed = listed.into_iter().take(REJECTED_ELEMENTS_MAX).collect();
        Letter {
            topic,
            partition: record.at.partition,
            offset: record.offset,
            timestamp_ms: original.timestamp_ms,
            key: original.key,
            value: original.value,
            headers: original.headers,
            stage: FailedStage::Write,
            reason: REFUSED,
            why: record.lines.first().map_or_else(String::new, |refused| refused.why.to_string()),
            elements: RejectedElements { listed, count },
            lines: gone,
        }
    }

    /// The elements that the refused lines came from. None: the record at this offset now gives other lines.
    fn elements(
        &self,
        refused: &RefusedRecord<'_>,
        original: &Original,
        batch: &Batch,
        lines: &mut LineReader<'_>,
    ) -> Option<Vec<usize>> {
        let mut mapper = self.context.routing.mapper_of(&refused.at.topic, self.context.record_limits)?;
        let headers = borrowed(&original.headers);
        let record = Record {
            partition: refused.at.partition,
            offset: refused.offset,
            time: RecordTime::from_known_ms(original.timestamp_ms),
            key: original.key.as_deref(),
            value: original.value.as_deref(),
            headers: &headers,
        };
        let mut again = LineBuffer::default();
        let elements = mapper.map_and_trace(&record, &mut again);
        let element = |refused: &RefusedLine| {
            let in_record = batch.source(refused.line).line as usize;
            let same = again.line(in_record)? == lines.line(refused.line).strip_suffix(b"\n")?;
            same.then(|| elements.get(in_record).copied()).flatten()
        };
        refused.lines.iter().map(element).collect()
    }
}

/// Dead letters of rejected records, by topic, partition and offset. A record may have rejected elements and refused lines.
struct Drafts(BTreeMap<(Arc<str>, i32, i64), Letter>);

impl Drafts {
    fn new(letters: impl Iterator<Item = Letter>) -> Self {
        let key = |letter: &Letter| (Arc::clone(&letter.topic), letter.partition, letter.offset);
        Self(letters.map(|letter| (key(&letter), letter)).collect())
    }

    /// Merges the letter with the one of the same record, so that a record has one letter.
    fn merged(&mut self, letter: Letter) -> Letter {
        match self.0.remove(&(Arc::clone(&letter.topic), letter.partition, letter.offset)) {
            Some(mut draft) => {
                draft.merge(letter);
                draft
            }
            None => letter,
        }
    }

    fn into_letters(self) -> Vec<Letter> {
        self.0.into_values().collect()
    }
}

/// Dead letters of rejected records that settle with this batch.
fn settling_letters(batch: &mut Batch, kept_out: &BTreeSet<AssignmentId>) -> impl Iterator<Item = Letter> {
    let letters = std::mem::take(&mut batch.letters).into_iter();
    letters.filter(|(assignment, _)| !kept_out.contains(assignment)).map(|(_, letter)| letter)
}

/// Groups refused lines, which are in the order of the batch, by record, sorted by partition and offset. Skips records of `kept_out`
/// assignments.
fn refused_records<'a>(
    batch: &'a Batch,
    delivered: &'a Delivered,
    kept_out: &BTreeSet<AssignmentId>,
) -> Vec<RefusedRecord<'a>> {
    let record = |refused: &RefusedLine| {
        let source = batch.source(refused.line);
        (source.assignment, source.offset)
    };
    let by_record = delivered.refused.chunk_by(|a, b| record(a) == record(b));
    let refused = |lines: &'a [RefusedLine]| {
        let source = batch.source(lines.first()?.line);
        // A record of a recreated topic can't be read again.
        let at = source.partition.filter(|_| !kept_out.contains(&source.assignment))?;
        Some(RefusedRecord { at, offset: source.offset, lines })
    };
    let mut records: Vec<RefusedRecord<'a>> = by_record.filter_map(refused).collect();
    records.sort_by_key(|record| (record.at, record.offset));
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Budget;
    use crate::offset_tracker::BatchId;
    use influx::{Cause, KeptOutLine};

    fn letter(partition: i32, offset: i64) -> Letter {
        Letter {
            topic: "t".into(),
            partition,
            offset,
            timestamp_ms: None,
            key: None,
            value: None,
            headers: Vec::new(),
            stage: FailedStage::Map,
            reason: "empty",
            why: String::new(),
            elements: RejectedElements::default(),
            lines: None,
        }
    }

    /// A batch with lines 0 to 3 of two partitions in turn, and a rejected record of each.
    fn batch() -> Batch {
        let (mut batch, now) = (Batch::new(BatchId::first(), &Budget::new(1_000)), Instant::now());
        for line in 0..4_usize {
            batch.lines.text_mut().extend_from_slice(b"m v=1");
            batch.lines.end_line();
            batch.push(AssignmentId::for_test(line as u64 % 2), 10 + line as i64, 1, now);
        }
        for partition in 0..2 {
            batch.push_letter(AssignmentId::for_test(partition as u64), letter(partition, 20), now);
        }
        let at = |partition| Some(Arc::new(TopicPartition { topic: "t".to_owned(), partition }));
        batch.partitions = vec![at(0), at(1)];
        batch
    }

    fn delivered(refused: &[usize], kept_out_lines: &[usize]) -> Delivered {
        let refused = refused.iter().map(|&line| RefusedLine { line, why: "422".into() }).collect();
        let cause = Cause::ServerLimit;
        let kept_out = |&line: &usize| KeptOutLine { line, cause, why: "limit".into(), remedy: "raise it" };
        Delivered { refused, kept_out: kept_out_lines.iter().map(kept_out).collect(), ..Delivered::default() }
    }

    #[test]
    fn writes_no_letters_for_partitions_with_lines_that_are_kept_out() {
        let f = |refused: &[usize], kept_out: &[usize], records: &[(i32, i64)], letters: &[(i32, i64)]| {
            let (mut batch, delivered) = (batch(), delivered(refused, kept_out));
            let kept_out = batch.first_kept_out(&delivered.kept_out).into_keys().collect();
            let found = refused_records(&batch, &delivered, &kept_out);
            let found: Vec<_> = found.iter().map(|record| (record.at.partition, record.offset)).collect();
            let written: Vec<_> = settling_letters(&mut batch, &kept_out)
                .map(|letter| (letter.partition, letter.offset))
                .collect();
            assert_eq!(
                (found.as_slice(), written.as_slice()),
                (records, letters),
                "{refused:?} {kept_out:?}"
            );
        };
        f(&[], &[], &[], &[(0, 20), (1, 20)]);
        f(&[0, 1, 2], &[], &[(0, 10), (0, 12), (1, 11)], &[(0, 20), (1, 20)]);
        f(&[1, 2], &[0], &[(1, 11)], &[(1, 20)]);
        f(&[0], &[1, 3], &[(0, 10)], &[(0, 20)]);
        f(&[2], &[0, 1], &[], &[]);
    }

    #[test]
    #[should_panic(expected = "line 4 of a batch has no record")]
    fn a_refused_line_without_its_record_never_settles() {
        refused_records(&batch(), &delivered(&[4], &[]), &BTreeSet::new());
    }
}
