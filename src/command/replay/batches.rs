//! Maps letters to lines, in one batch per destination, and records which letter each line is from.

use base::Destination;
use base::record::{Record, RecordTime, borrowed};
use base::text::printable;
use configuration::Config;
use engine::batch::BatchSize;
use engine::dead_letter::Letter;
use engine::{NoDestination, Routing};
use influx::Lines;
use line_protocol::LineBuffer;
use line_protocol::reader::split_lines;
use mapping::{Mapper, RecordLimits, Rejection};
use std::collections::HashMap;
use std::sync::Arc;

/// Longer reasons are cut.
const SHOWN_MAX: usize = 500;

pub struct Batches {
    routing: Routing,
    limits: RecordLimits,
    lines_max: usize,
    bytes_max: usize,
    /// Mapper and destination of each topic, if a mapping matches.
    mappers: HashMap<Arc<str>, Option<TopicMapper>>,
    /// Indexed by the number of the destination.
    open: Vec<Open>,
}

/// Mapper of a topic, with the number of its destination.
type TopicMapper = (Mapper, Result<usize, NoDestination>);

#[derive(Default)]
struct Open {
    lines: LineBuffer,
    letters: Letters,
}

/// Maps the lines of a batch to letters.
#[derive(Default)]
pub struct Letters {
    /// The first line and the name of each letter, in ascending order.
    first_lines: Vec<(usize, String)>,
    /// Letters without their record, which were replayed from the lines in the letter.
    pub from_lines: u64,
}

/// The result of mapping a letter.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MappedLetter {
    pub lines: usize,
    /// Reason of the rejection, and a description of each rejected element.
    pub rejected: Option<(&'static str, Vec<String>)>,
}

/// A batch ready to be written.
pub struct Closed {
    pub destination: Arc<Destination>,
    pub lines: Lines,
    pub letters: Letters,
}

impl Batches {
    /// `routing`: that of the configuration, with the schemas of its registry.
    pub fn new(config: &Config, routing: Routing) -> Self {
        let open = Vec::new();
        Self {
            routing,
            limits: config.record_limits(),
            lines_max: config.batch.lines_max.unwrap_or(BatchSize::AUTOMATIC_MIN.lines),
            bytes_max: config.batch.bytes_max.unwrap_or(BatchSize::AUTOMATIC_MIN.bytes),
            mappers: HashMap::new(),
            open,
        }
    }

    /// Appends the lines of a letter. `name` is its name for messages.
    pub fn take(&mut self, letter: &Letter, name: impl FnOnce() -> String) -> MappedLetter {
        let (routing, limits) = (&self.routing, self.limits);
        let mapper = self.mappers.entry(Arc::clone(&letter.topic)).or_insert_with(|| {
            Some((routing.mapper_of(&letter.topic, limits)?, routing.destination_of(&letter.topic)))
        });
        let Some((mapper, destination)) = mapper else {
            return MappedLetter::rejected(&[(None, Rejection::NoMapping)]);
        };
        let number = match destination {
            Ok(number) => *number,
            Err(missing) => {
                return MappedLetter {
                    lines: 0,
                    rejected: Some(("no_destination", vec![missing.to_string()])),
                };
            }
        };
        // Destinations of topics come one after another.
        if self.open.len() <= number {
            self.open.resize_with(number + 1, Open::default);
        }
        let Some(open) = self.open.get_mut(number) else { return MappedLetter::default() };
        let first_line = open.lines.lines();
        let result = match &letter.lines {
            Some(lines) => append(lines, &mut open.lines),
            None => map(letter, mapper, &mut open.lines),
        };
        if result.lines > 0 {
            open.letters.first_lines.push((first_line, name()));
            open.letters.from_lines += u64::from(letter.lines.is_some());
        }
        result
    }

    /// Whether the open batches must be written.
    pub fn is_full(&self) -> bool {
        let sum = |of: fn(&LineBuffer) -> usize| self.open.iter().map(|open| of(&open.lines)).sum::<usize>();
        sum(LineBuffer::lines) >= self.lines_max || sum(LineBuffer::bytes) >= self.bytes_max
    }

    /// Closes all open batches.
    pub fn close(&mut self) -> Vec<Closed> {
        let mut closed = Vec::new();
        for (number, open) in self.open.iter_mut().enumerate() {
            let Open { lines, letters } = std::mem::take(open);
            if !lines.is_empty() {
                let destination = self.routing.destination(number);
                closed.push(Closed { destination, lines: lines.into(), letters });
            }
        }
        closed
    }
}

impl Letters {
    pub fn count(&self) -> u64 {
        self.first_lines.len() as u64
    }

    pub fn of_line(&self, line: usize) -> &str {
        let after = self.first_lines.partition_point(|(first, _)| *first <= line);
        after.checked_sub(1).and_then(|index| self.first_lines.get(index)).map_or("", |(_, name)| name)
    }
}

impl MappedLetter {
    fn rejected(rejected: &[(Option<usize>, Rejection)]) -> Self {
        let describe = |(element, why): &(Option<usize>, Rejection)| {
            let element = element.map_or(String::new(), |index| format!("element {index}: "));
            format!("{element}{}", printable(&why.to_string(), SHOWN_MAX))
        };
        let reason = rejected.first().map(|(_, why)| why.reason().name());
        Self { lines: 0, rejected: reason.map(|reason| (reason, rejected.iter().map(describe).collect())) }
    }
}

/// Maps the whole record. Writing points again that are stored already changes nothing.
fn map(letter: &Letter, mapper: &mut Mapper, lines: &mut LineBuffer) -> MappedLetter {
    let headers = borrowed(&letter.headers);
    let record = Record {
        partition: letter.partition,
        offset: letter.offset,
        time: RecordTime::from_known_ms(letter.timestamp_ms),
        key: letter.key.as_deref(),
        value: letter.value.as_deref(),
        headers: &headers,
    };
    let outcome = mapper.map(&record, lines);
    MappedLetter { lines: outcome.lines, ..MappedLetter::rejected(&outcome.rejected) }
}

/// Appends the lines in a letter whose record is no longer in Kafka.
fn append(text: &[u8], lines: &mut LineBuffer) -> MappedLetter {
    let before = lines.lines();
    for line in split_lines(text).filter(|line| !line.is_empty()) {
        lines.text_mut().extend_from_slice(line);
        lines.end_line();
    }
    MappedLetter { lines: lines.lines() - before, rejected: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::dead_letter::{FailedStage, RejectedElements};
    use std::path::Path;

    fn batches() -> Batches {
        let text = "[kafka]\nbrokers = 'b:1'\ntopics = ['a', 'b']\n\
            [[mapping]]\ntopics = 'a'\nstrict = false\nheader_tags = ['site']\nkey_tag = 'key'\n\
            [[mapping]]\ntopics = 'b'\ndatabase = 'other'\n\
            [influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'\n[batch]\nlines_max = 3\n";
        let config = configuration::parse(Path::new("bridge.toml"), text, &|_| None).unwrap().config;
        Batches::new(&config, config.routing())
    }

    fn letter(topic: &str, offset: i64, value: &str) -> Letter {
        Letter {
            topic: topic.into(),
            partition: 0,
            offset,
            timestamp_ms: Some(1_000),
            key: Some(b"k".to_vec()),
            value: Some(value.as_bytes().to_vec()),
            headers: vec![("site".to_owned(), Some(b"seoul".to_vec())), ("none".to_owned(), None)],
            stage: FailedStage::Map,
            reason: "time",
            why: String::new(),
            elements: RejectedElements::default(),
            lines: None,
        }
    }

    #[test]
    fn maps_letters_to_lines_of_their_destinations() {
        let mut batches = batches();
        let mut f = |letter: &Letter, lines: usize, rejected: Option<(&'static str, &[&str])>| {
            let name = || format!("{}@{}", letter.topic, letter.offset);
            let mapped = batches.take(letter, name);
            let rejected = rejected.map(|(reason, words)| {
                (reason, words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
            });
            assert_eq!(mapped, MappedLetter { lines, rejected }, "{letter:?}");
            batches.is_full()
        };
        assert!(!f(&letter("a", 7, r#"{"v":1}"#), 1, None));
        assert!(!f(&letter("a", 8, "{}"), 0, None));
        let why = "element 1: null is no object, and only objects become points: select values inside of the record with `query`";
        assert!(!f(&letter("a", 9, r#"[{"v":2},null]"#), 1, Some(("not_an_object", &[why]))));
        assert!(!f(&letter("c", 1, "{}"), 0, Some(("no_mapping", &["no [[mapping]] matches its topic"]))));
        let gone =
            Letter { value: None, lines: Some(b"b v=\"x\ny\" 5\n\nb v=2 6".to_vec()), ..letter("b", 3, "") };
        assert!(f(&gone, 2, None));
        let closed = batches.close();
        let shown: Vec<String> = closed
            .iter()
            .map(|batch| {
                let letters: Vec<&str> =
                    (0..batch.lines.len()).map(|line| batch.letters.of_line(line)).collect();
                let text = String::from_utf8_lossy(batch.lines.text()).into_owned();
                format!("{}: {text:?} {letters:?}", batch.destination)
            })
            .collect();
        let want = [
            r#"database "d": "a,key=k,site=seoul v=1 1000649059\na,key=k,site=seoul v=2 1000651077\n" ["a@7", "a@9"]"#,
            r#"database "other": "b v=\"x\ny\" 5\nb v=2 6\n" ["b@3", "b@3"]"#,
        ];
        assert_eq!(shown, want);
        assert!(batches.close().is_empty() && !batches.is_full());
    }
}
