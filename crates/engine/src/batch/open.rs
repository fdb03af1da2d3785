//! A batch of lines, and which records they came from.

use super::line_origins::LineOrigin;
use super::{BatchSize, Budget, Collisions, LineOrigins, Reserved, SizeRange, collisions};
use crate::dead_letter::Letter;
use crate::offset_tracker::{AssignmentId, BatchId};
use base::TopicPartition;
use influx::{BatchLines, KeptOutLine, PackedLines};
use line_protocol::{LineBuffer, Mark};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Lines of one destination, with the data to settle them and to trace them to their records.
#[derive(Debug)]
pub struct Batch {
    pub batch_id: BatchId,
    /// Lines behind those of `packed`.
    pub lines: LineBuffer,
    /// The first lines of a large batch, compressed.
    packed: Vec<Arc<PackedLines>>,
    packed_totals: PackedTotals,
    /// Whether lines of one series stand together in each packed part.
    is_grouped: bool,
    pub origins: LineOrigins,
    /// Assignments whose records settle with the batch, each once.
    pub assignments: Vec<AssignmentId>,
    /// The partitions of `assignments`, in the same order; filled when the batch is closed. None: the topic was recreated before
    /// that.
    pub partitions: Vec<Option<Arc<TopicPartition>>>,
    /// Dead letters of rejected records, which settle with the batch, and the assignments of these records.
    pub letters: Vec<(AssignmentId, Letter)>,
    letter_bytes: usize,
    /// The largest record of the batch so far.
    record_max: BatchSize,
    opened: Option<Instant>,
    reserved: Reserved,
}

/// The packed lines of a batch.
#[derive(Clone, Copy, Debug, Default)]
struct PackedTotals {
    lines: usize,
    /// Bytes of the plain text.
    bytes: usize,
    /// Allocated bytes.
    memory: usize,
    collisions: Collisions,
}

/// The record that a line of a batch came from.
#[derive(Clone, Copy, Debug)]
pub struct RecordSource<'a> {
    pub assignment: AssignmentId,
    /// None: the topic was recreated before the batch was closed.
    pub partition: Option<&'a Arc<TopicPartition>>,
    pub offset: i64,
    /// Index of the line among the lines of the record.
    pub line: u32,
}

/// Limits at which an open batch is closed.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Sizes of which each lane chooses one by the answers that it gets.
    pub sizes: SizeRange,
    /// Memory of the open batch and the batch in flight of one lane together, so that no lane takes the memory of the others.
    pub lane_memory_max: usize,
    /// Memory at which an open batch is closed.
    pub batch_memory_max: usize,
    /// Bytes of lines that are packed, if the batch grows further.
    pub packed_from: usize,
    pub age_max: Duration,
}

impl Batch {
    pub fn new(batch_id: BatchId, budget: &Budget) -> Self {
        Self {
            batch_id,
            lines: LineBuffer::default(),
            packed: Vec::new(),
            packed_totals: PackedTotals::default(),
            is_grouped: false,
            origins: LineOrigins::default(),
            assignments: Vec::new(),
            partitions: Vec::new(),
            letters: Vec::new(),
            letter_bytes: 0,
            record_max: BatchSize::default(),
            opened: None,
            reserved: budget.reserve(),
        }
    }

    /// Records that the last `lines` lines came from this record.
    pub fn push(&mut self, assignment: AssignmentId, offset: i64, lines: usize, now: Instant) {
        if lines == 0 {
            return;
        }
        let first = self.first_of_last(lines);
        let begin = first.checked_sub(1).and_then(|before| self.lines.ends().get(before));
        let bytes = self.lines.bytes() - begin.map_or(0, |&end| end as usize);
        let BatchSize { lines: lines_max, bytes: bytes_max } = self.record_max;
        self.record_max = BatchSize { lines: lines.max(lines_max), bytes: bytes.max(bytes_max) };
        self.origins.push(assignment, offset, self.packed_totals.lines + first, lines);
        self.carry(assignment, now);
    }

    /// Packs the lines that are not packed yet. Call it between two records. `is_grouped`: lines of one series stand together in each
    /// part.
    pub fn pack(&mut self, is_grouped: bool) {
        if self.lines.is_empty() {
            return;
        }
        let collisions = collisions::count(&self.lines, &self.origins, self.packed_totals.lines);
        let (part, lines) = PackedLines::pack(std::mem::take(&mut self.lines), is_grouped);
        (self.lines, self.is_grouped) = (lines, is_grouped);
        let totals = &mut self.packed_totals;
        totals.lines += part.len();
        totals.bytes += part.bytes();
        totals.memory += part.capacity();
        totals.collisions.add(collisions);
        self.packed.push(Arc::new(part));
    }

    /// Packs the rest of a batch that has packed lines, because it is closed. Returns the emptied buffer.
    pub fn pack_rest(&mut self) -> Option<LineBuffer> {
        if self.packed.is_empty() {
            return None;
        }
        self.pack(self.is_grouped);
        Some(std::mem::take(&mut self.lines))
    }

    /// The lines of a closed batch.
    pub fn take_lines(&mut self) -> BatchLines {
        if self.packed.is_empty() {
            return std::mem::take(&mut self.lines).into();
        }
        assert!(self.lines.is_empty(), "a closed batch has no line behind its packed ones");
        BatchLines::Packed(std::mem::take(&mut self.packed))
    }

    /// Takes the lines of an abandoned batch back.
    pub fn put_back(&mut self, lines: BatchLines) {
        match lines {
            // A copy, because the client may still own the text.
            BatchLines::Plain(lines) => self.lines = lines.copy(),
            BatchLines::Packed(parts) => self.packed = parts,
        }
    }

    /// Number of lines.
    pub fn line_count(&self) -> usize {
        self.packed_totals.lines + self.lines.lines()
    }

    /// The index within `lines` of the first of the last `count` lines, such as those of the record mapped last.
    pub fn first_of_last(&self, count: usize) -> usize {
        self.lines.lines() - count
    }

    /// Removes the last lines, which [`Batch::push`] was not called for.
    pub fn remove_last_lines(&mut self, count: usize) {
        let lines = self.first_of_last(count);
        let last = lines.checked_sub(1).and_then(|last| self.lines.ends().get(last));
        self.lines.truncate(Mark { bytes: last.map_or(0, |&end| end as usize), lines });
    }

    /// Removes the lines and dead letters of records of these assignments.
    pub fn remove(&mut self, is_removed: impl Fn(AssignmentId) -> bool) {
        if !self.assignments.iter().any(|assignment| is_removed(*assignment)) {
            return;
        }
        let (lines, origins) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.origins));
        let packed = std::mem::take(&mut self.packed);
        self.packed_totals = PackedTotals::default();
        let mut records = origins.records().filter(|(of, ..)| !is_removed(*of)).peekable();
        let mut first = 0;
        let mut keep = |batch: &mut Self, lines: &LineBuffer| {
            let end = first + lines.lines();
            while let Some((assignment, offset, of_record)) = records.next_if(|record| record.2.start < end) {
                batch.origins.push(assignment, offset, batch.line_count(), of_record.len());
                let of_record = of_record.filter_map(|line| lines.line(line - first));
                of_record.for_each(|line| batch.lines.push_line(line));
            }
            first = end;
        };
        for part in packed {
            keep(self, &part.unpack());
            self.pack(self.is_grouped);
        }
        keep(self, &lines);
        // An open batch has no partitions yet.
        let mut are_removed = self.assignments.iter().map(|assignment| is_removed(*assignment));
        self.partitions.retain(|_| are_removed.next() == Some(false));
        self.assignments.retain(|assignment| !is_removed(*assignment));
        self.letters.retain(|(assignment, _)| !is_removed(*assignment));
        self.letter_bytes = self.letters.iter().map(|(_, letter)| letter.bytes()).sum();
        if self.is_empty() {
            self.opened = None;
        }
        self.update_reserved();
    }

    /// Adds the dead letter of a record that was rejected, or that has rejected elements.
    pub fn push_letter(&mut self, assignment: AssignmentId, letter: Letter, now: Instant) {
        self.letter_bytes += letter.bytes();
        self.letters.push((assignment, letter));
        self.carry(assignment, now);
    }

    fn carry(&mut self, assignment: AssignmentId, now: Instant) {
        if self.assignments.last() != Some(&assignment) && !self.assignments.contains(&assignment) {
            self.assignments.push(assignment);
        }
        self.opened.get_or_insert(now);
    }

    pub fn is_empty(&self) -> bool {
        self.line_count() == 0 && self.letters.is_empty()
    }

    /// Points that overwrite earlier points of this batch, or of the same part of a large one.
    pub fn collisions(&self) -> Collisions {
        let mut found = self.packed_totals.collisions;
        found.add(collisions::count(&self.lines, &self.origins, self.packed_totals.lines));
        found
    }

    /// Whether another record might exceed the size, if it is like the largest one so far. A batch above the size would take two
    /// requests, and a server that acknowledges once a second would need two seconds for it.
    pub fn is_full(&self, size: BatchSize) -> bool {
        let record = self.record_max;
        self.line_count() + self.letters.len() + record.lines.max(1) > size.lines
            || self.bytes() + record.bytes.max(1) > size.bytes
    }

    /// Bytes of the lines, as if none were packed, and of letters.
    pub fn bytes(&self) -> usize {
        self.packed_totals.bytes + self.lines.bytes() + self.letter_bytes
    }

    /// Bytes in memory of lines and letters, without the spare capacity of their buffers.
    pub fn used_memory(&self) -> usize {
        self.packed_totals.memory + self.lines.bytes() + self.letter_bytes
    }

    /// The record that a line of a closed batch came from. A line without a record would be lost silently, so that is a panic.
    pub fn source(&self, line: usize) -> RecordSource<'_> {
        let origin = self.origin(line);
        let number = self.assignments.iter().position(|carried| *carried == origin.assignment);
        let partition = number.and_then(|number| self.partitions.get(number));
        assert!(
            partition.is_some(),
            "a closed batch has an entry for the partition of each of its assignments"
        );
        let LineOrigin { assignment, offset, line } = origin;
        RecordSource { assignment, partition: partition.and_then(Option::as_ref), offset, line }
    }

    fn origin(&self, line: usize) -> LineOrigin {
        match self.origins.origin(line) {
            Some(origin) => origin,
            #[expect(
                clippy::panic,
                reason = "an invariant of this module: `push` records the origin of each line"
            )]
            None => panic!("line {line} of a batch has no record"),
        }
    }

    /// Assignments whose records this batch must not settle, because a limit of the server keeps lines of them out, each with its first such
    /// line. Few, although there may be many lines.
    pub fn first_kept_out<'k>(&self, kept_out: &'k [KeptOutLine]) -> BTreeMap<AssignmentId, &'k KeptOutLine> {
        let mut first = BTreeMap::new();
        for line in kept_out {
            first.entry(self.origin(line.line).assignment).or_insert(line);
        }
        first
    }

    /// The time at which the batch has to be closed. None while it is empty.
    pub fn due(&self, age_max: Duration) -> Option<Instant> {
        self.opened.map(|opened| opened + age_max)
    }

    /// Reserves the memory that the batch has now, with the spare capacity of its buffers, in the budget of all lanes.
    pub fn update_reserved(&mut self) {
        let bytes = self.packed_totals.memory
            + self.lines.capacity()
            + self.origins.capacity_bytes()
            + self.assignments.capacity() * size_of::<AssignmentId>()
            + self.letter_bytes;
        self.reserved.set(bytes);
    }

    /// Empties the batch for reuse. A buffer of lines above `bytes_kept` is freed, so that one large batch does not pin it for ever.
    pub fn reset(&mut self, batch_id: BatchId, bytes_kept: usize) {
        self.batch_id = batch_id;
        if self.lines.capacity() > bytes_kept {
            self.lines = LineBuffer::default();
        }
        self.lines.clear();
        self.packed.clear();
        self.packed_totals = PackedTotals::default();
        self.origins.clear();
        self.assignments.clear();
        self.partitions.clear();
        self.letters = Vec::new();
        self.letter_bytes = 0;
        self.record_max = BatchSize::default();
        self.opened = None;
        self.update_reserved();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use influx::Cause;

    const SIZE: BatchSize = BatchSize { lines: 2, bytes: 100 };
    const AGE_MAX: Duration = Duration::from_secs(1);

    fn push(batch: &mut Batch, text: &str, now: Instant) {
        let first = batch.lines.lines();
        batch.lines.text_mut().extend_from_slice(text.as_bytes());
        batch.lines.end_line();
        batch.push(AssignmentId::for_test(1), first as i64, 1, now);
    }

    #[test]
    fn is_full_by_lines_or_bytes_and_due_by_the_first_line() {
        let (now, mut batch) = (Instant::now(), Batch::new(BatchId::first(), &Budget::new(1_000)));
        assert_eq!(batch.due(AGE_MAX), None);
        push(&mut batch, "a v=1", now);
        assert!(!batch.is_full(SIZE));
        push(&mut batch, "a v=2", now + Duration::from_millis(10));
        assert_eq!(batch.due(AGE_MAX), Some(now + AGE_MAX));
        assert!(batch.is_full(SIZE));
        batch.reset(BatchId::first().next(), 1_000);
        assert_eq!((batch.due(AGE_MAX), batch.is_full(SIZE)), (None, false));
        push(&mut batch, &"x".repeat(100), now);
        assert!(batch.is_full(SIZE));
    }

    #[test]
    fn is_full_before_a_record_like_the_largest_one_exceeds_the_size() {
        let (now, mut batch) = (Instant::now(), Batch::new(BatchId::first(), &Budget::new(1_000)));
        let mut f = |lines: &[&str], size: (usize, usize), want: bool| {
            for line in lines {
                batch.lines.text_mut().extend_from_slice(line.as_bytes());
                batch.lines.end_line();
            }
            batch.push(AssignmentId::for_test(1), 0, lines.len(), now);
            assert_eq!(batch.is_full(BatchSize { lines: size.0, bytes: size.1 }), want, "{lines:?} {size:?}");
        };
        f(&["a v=1", "a v=2", "a v=3"], (6, 100), false);
        f(&["a v=1"], (6, 100), true);
        f(&[], (7, 42), false);
        f(&[], (7, 41), true);
        f(&["a v=\"123456789012345678\""], (100, 74), false);
        f(&[], (100, 72), true);
    }

    #[test]
    fn each_assignment_with_lines_that_are_kept_out_has_its_first_one() {
        let (now, mut batch) = (Instant::now(), Batch::new(BatchId::first(), &Budget::new(1_000)));
        for line in 0..9 {
            batch.lines.push_line(b"m v=1");
            batch.push(AssignmentId::for_test(line % 3), line as i64, 1, now);
        }
        let line =
            |line| KeptOutLine { line, cause: Cause::ServerLimit, why: "limit".into(), remedy: "raise it" };
        let kept_out: Vec<_> = [1, 2, 4, 5, 7].into_iter().map(line).collect();
        let first = batch.first_kept_out(&kept_out);
        let first: Vec<_> = first.into_iter().map(|(assignment, line)| (assignment, line.line)).collect();
        assert_eq!(first, [(AssignmentId::for_test(1), 1), (AssignmentId::for_test(2), 2)]);
    }

    #[test]
    fn removes_the_records_of_an_assignment() {
        let now = Instant::now();
        let batch = |records: &[(u64, i64, &[&str])]| {
            let mut batch = Batch::new(BatchId::first(), &Budget::new(1_000));
            for (assignment, offset, lines) in records {
                lines.iter().for_each(|line| batch.lines.push_line(line.as_bytes()));
                batch.push(AssignmentId::for_test(*assignment), *offset, lines.len(), now);
            }
            batch.partitions = vec![None; batch.assignments.len()];
            batch
        };
        let removed = |number: u64| move |assignment| assignment == AssignmentId::for_test(number);
        let mut both = batch(&[(1, 5, &["a v=1"]), (2, 8, &["b v=1", "b v=2"]), (1, 6, &["a v=2"])]);
        let unchanged = both.lines.text().as_ptr();
        both.remove(removed(3));
        assert_eq!((both.lines.lines(), both.lines.text().as_ptr()), (4, unchanged));
        both.remove(removed(2));
        assert_eq!(both.lines.text(), b"a v=1\na v=2\n");
        let offsets: Vec<_> = (0..2).map(|line| both.source(line).offset).collect();
        assert_eq!((offsets, both.assignments.len(), both.partitions.len()), (vec![5, 6], 1, 1));
        assert!(both.due(AGE_MAX).is_some());
        both.remove(removed(1));
        assert!(both.is_empty() && both.assignments.is_empty() && both.partitions.is_empty());
        assert_eq!(both.due(AGE_MAX), None);
    }

    #[test]
    fn removes_the_last_lines_only() {
        let (now, mut batch) = (Instant::now(), Batch::new(BatchId::first(), &Budget::new(1_000)));
        push(&mut batch, "a v=1", now);
        for text in ["b v=\"x\ny\"", "c v=3"] {
            batch.lines.text_mut().extend_from_slice(text.as_bytes());
            batch.lines.end_line();
        }
        batch.remove_last_lines(2);
        assert_eq!((batch.lines.text(), batch.lines.lines()), (&b"a v=1\n"[..], 1));
        batch.remove_last_lines(1);
        assert_eq!((batch.lines.text(), batch.lines.lines()), (&b""[..], 0));
    }

    /// A batch with these assignments in turn, whose lines before each of `packed` are packed.
    fn partly_packed(count: usize, packed: &[usize], now: Instant) -> Batch {
        let mut batch = Batch::new(BatchId::first(), &Budget::new(1_000_000));
        for n in 0..count {
            if packed.contains(&n) {
                batch.pack(true);
            }
            // Records of one or two lines; each tenth has the series and time of the line before.
            for part in 0..=n % 2 {
                batch
                    .lines
                    .push_line(format!("m,h=h{part} v={n} {}", n - usize::from(n % 10 == 2)).as_bytes());
            }
            batch.push(AssignmentId::for_test(n as u64 % 3), n as i64, 1 + n % 2, now);
        }
        batch.partitions = vec![None; batch.assignments.len()];
        batch
    }

    fn texts(batch: &mut Batch) -> Vec<Vec<u8>> {
        let lines = batch.take_lines();
        let mut reader = lines.reader();
        let texts = (0..lines.len()).map(|line| reader.line(line).to_vec()).collect();
        batch.put_back(lines);
        texts
    }

    #[test]
    fn a_packed_batch_has_the_same_lines_sources_and_sizes() {
        let now = Instant::now();
        let mut plain = partly_packed(100, &[], now);
        let mut packed = partly_packed(100, &[20, 50, 51], now);
        assert_eq!((packed.line_count(), packed.bytes()), (plain.line_count(), plain.bytes()));
        let size = |lines| BatchSize { lines, bytes: 1_000_000 };
        assert!(!packed.is_full(size(152)) && packed.is_full(size(151)));
        // The collisions lie within one part.
        assert_eq!((plain.collisions(), plain.collisions().count), (packed.collisions(), 10));
        assert!(packed.pack_rest().is_some_and(|emptied| emptied.is_empty() && emptied.capacity() > 0));
        assert_eq!(plain.pack_rest().map(|_| ()), None);
        assert_eq!((plain.collisions(), plain.used_memory()), (packed.collisions(), plain.bytes()));
        let (want, got) = (texts(&mut plain), texts(&mut packed));
        assert_eq!(want, got);
        for line in 0..want.len() {
            let (one, other) = (plain.source(line), packed.source(line));
            assert_eq!((one.assignment, one.offset, one.line), (other.assignment, other.offset, other.line));
        }
        packed.reset(BatchId::first(), 0);
        assert!(packed.is_empty() && packed.bytes() == 0 && packed.used_memory() == 0);
    }

    #[test]
    fn removes_the_records_of_an_assignment_from_packed_lines() {
        let now = Instant::now();
        let removed = |assignment| assignment == AssignmentId::for_test(1);
        for is_closed in [false, true] {
            let mut plain = partly_packed(100, &[], now);
            let mut packed = partly_packed(100, &[1, 2, 20, 50], now);
            if is_closed {
                packed.pack_rest();
            }
            plain.remove(removed);
            packed.remove(removed);
            assert_eq!((packed.line_count(), packed.bytes()), (plain.line_count(), plain.bytes()));
            assert!(packed.pack_rest().is_some());
            assert_eq!(texts(&mut plain), texts(&mut packed));
            for line in 0..plain.line_count() {
                let (one, other) = (plain.source(line), packed.source(line));
                assert_eq!(
                    (one.assignment, one.offset, one.line),
                    (other.assignment, other.offset, other.line)
                );
            }
            for number in [0, 2] {
                packed.remove(|of| of == AssignmentId::for_test(number));
            }
            assert!(packed.is_empty() && packed.assignments.is_empty() && packed.used_memory() == 0);
        }
    }
}
