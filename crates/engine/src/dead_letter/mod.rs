//! Dead letters: records that could not be stored, kept with their reason and coordinates in a Kafka topic or a file.
//!
//! ```text
//! Letter -> DeadLetters::send -> topic (acknowledged by all replicas) | file (synced)
//! Originals: reads a released record again when InfluxDB refuses its line
//! ```

mod error;
mod file_writer;
mod headers;
mod json;
mod letter;
mod letter_file;
mod letter_reader;
mod original_reader;
mod originals;
mod store;
mod topic;

pub use error::DeadLetterError;
pub use letter::{FailedStage, FoundLetter, Letter, REFUSED, RejectedElements};
pub use letter_reader::{LetterEntry, LetterReader, NextLetter, Progress, ReadingError};
pub use original_reader::{Original, RecordPlace};
pub use originals::Originals;
pub use store::DeadLetterStore;

pub use letter_file::{check_writable, with_full_files};

use file_writer::FileWriter;
use jiff::{Timestamp, Unit};
use topic::TopicWriter;

/// The store of dead letters, shared by all lanes of all consumers.
#[derive(Debug)]
pub struct DeadLetters {
    store: DeadLetterStore,
    writer: LetterWriter,
}

#[derive(Debug)]
enum LetterWriter {
    Topic(Box<TopicWriter>),
    File(FileWriter),
}

impl DeadLetters {
    /// Opens the store. None: dead letters are not configured. The first letter shows whether a topic can be written.
    pub fn open(
        store: Option<DeadLetterStore>,
        kafka: &kafka::Settings,
    ) -> Result<Option<Self>, DeadLetterError> {
        let Some(store) = store else { return Ok(None) };
        let writer = match &store {
            DeadLetterStore::Topic(topic) => LetterWriter::Topic(Box::new(TopicWriter::new(kafka, topic)?)),
            DeadLetterStore::File { path, bytes_max } => {
                LetterWriter::File(FileWriter::open(path, *bytes_max, file_writer::WRITE_MAX)?)
            }
        };
        Ok(Some(Self { store, writer }))
    }

    /// Tries once to write all letters. Removes acknowledged letters from `letters`, so that a repeated call sends only the rest.
    pub async fn send(&self, letters: &mut Vec<Letter>) -> Result<(), DeadLetterError> {
        match &self.writer {
            LetterWriter::Topic(writer) => writer.send(letters).await,
            LetterWriter::File(writer) => writer.send(letters).await,
        }
    }

    /// The destination in logs and alarms: `topic metrics-dead-letter`, `file dead-letter.jsonl`.
    pub fn destination(&self) -> String {
        self.store.to_string()
    }
}

/// The current time in RFC 3339, with milliseconds.
fn now() -> String {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now).to_string()
}
