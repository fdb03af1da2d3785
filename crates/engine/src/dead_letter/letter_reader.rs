//! Reads letters back one after another: from files, or from a topic up to its current end.

use super::letter::FoundLetter;
use super::original_reader::{OriginalReader, PartitionOffsets, Wait, original};
use super::{DeadLetterError, Original, headers, json};
use kafka::Settings;
use rdkafka::message::Message;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why reading can't continue.
#[derive(Debug, Error)]
pub enum ReadingError {
    #[error("{path} can't be read: {why}", path = .path.display())]
    File { path: PathBuf, why: io::Error },
    #[error(
        "the topic {0} does not exist: check `topic` in [dead_letter], or set another one with --topic NAME"
    )]
    NoTopic(String),
    #[error("the dead letters of the topic {topic} can't be read: {why}")]
    Topic { topic: String, why: DeadLetterError },
}

/// An entry of a file or topic.
#[derive(Debug, PartialEq, Eq)]
pub struct LetterEntry {
    /// `FILE:LINE`, `TOPIC[PARTITION]@OFFSET`.
    pub place: String,
    /// The letter, or the reason why the entry is none.
    pub found: Result<FoundLetter, String>,
}

/// The result of one read.
#[derive(Debug, PartialEq, Eq)]
pub enum NextLetter {
    Entry(Box<LetterEntry>),
    /// No letter came for a moment, so that the caller can check for a stop.
    Later,
    End,
}

/// Progress in bytes or offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub all: u64,
}

/// Reads letters back, from files or from a topic.
#[derive(Debug)]
pub enum LetterReader {
    Files(FilesReading),
    Topic(TopicReading),
}

impl LetterReader {
    /// # Errors
    /// One of the files can't be opened. Nothing was read.
    pub fn files(paths: &[PathBuf]) -> Result<Self, ReadingError> {
        FilesReading::open(paths).map(Self::Files)
    }

    /// # Errors
    /// The topic does not exist, or Kafka can't be reached.
    pub fn topic(kafka: &Settings, topic: &str) -> Result<Self, ReadingError> {
        TopicReading::open(kafka, topic).map(Self::Topic)
    }

    /// Reads the next letter. Blocks for a moment.
    pub fn read(&mut self) -> Result<NextLetter, ReadingError> {
        match self {
            Self::Files(files) => files.read(),
            Self::Topic(topic) => topic.read(),
        }
    }

    pub fn progress(&self) -> Progress {
        match self {
            Self::Files(files) => files.progress,
            Self::Topic(topic) => topic.progress(),
        }
    }
}

/// Reads files in the given order.
#[derive(Debug)]
pub struct FilesReading {
    files: VecDeque<(PathBuf, BufReader<File>)>,
    /// Line number in the first of `files`.
    line: usize,
    progress: Progress,
}

impl FilesReading {
    fn open(paths: &[PathBuf]) -> Result<Self, ReadingError> {
        let (mut files, mut progress) = (VecDeque::new(), Progress::default());
        for path in paths {
            let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
            let (metadata, file) = opened.map_err(|why| ReadingError::File { path: path.clone(), why })?;
            progress.all += metadata.len();
            files.push_back((path.clone(), BufReader::new(file)));
        }
        Ok(Self { files, line: 0, progress })
    }

    fn read(&mut self) -> Result<NextLetter, ReadingError> {
        while let Some((path, file)) = self.files.front_mut() {
            let mut line = Vec::new();
            let read = file.read_until(b'\n', &mut line);
            let bytes = read.map_err(|why| ReadingError::File { path: path.clone(), why })?;
            if bytes == 0 {
                self.files.pop_front();
                self.line = 0;
                continue;
            }
            self.line += 1;
            self.progress.done += bytes as u64;
            if !line.trim_ascii().is_empty() {
                let item = LetterEntry { place: place(path, self.line), found: letter_of(&line) };
                return Ok(NextLetter::Entry(Box::new(item)));
            }
        }
        Ok(NextLetter::End)
    }
}

fn place(path: &Path, line: usize) -> String {
    format!("{}:{line}", path.display())
}

fn letter_of(line: &[u8]) -> Result<FoundLetter, String> {
    json::read(line).map_err(|why| {
        if line.ends_with(b"\n") {
            why
        } else {
            format!("{why}; it may be half-written: the line does not end")
        }
    })
}

/// Reads all partitions of a topic at once.
#[derive(Debug)]
pub struct TopicReading {
    topic: String,
    reader: OriginalReader,
    partitions: BTreeMap<i32, Partition>,
    wait: Wait,
}

#[derive(Debug)]
struct Partition {
    first: i64,
    next: i64,
    end: i64,
}

impl TopicReading {
    fn open(kafka: &Settings, topic: &str) -> Result<Self, ReadingError> {
        let failed = |why| ReadingError::Topic { topic: topic.to_owned(), why };
        let reader = OriginalReader::new(kafka).map_err(failed)?;
        let mut partitions = BTreeMap::new();
        for partition in reader.partitions(topic).map_err(failed)? {
            if let PartitionOffsets::Offsets(first, end) = reader.extent(topic, partition).map_err(failed)? {
                partitions.insert(partition, Partition { first, next: first, end });
            }
        }
        if partitions.is_empty() {
            return Err(ReadingError::NoTopic(topic.to_owned()));
        }
        reader.assign(topic, partitions.iter().map(|(number, at)| (*number, at.first))).map_err(failed)?;
        Ok(Self { topic: topic.to_owned(), reader, partitions, wait: Wait::begin() })
    }

    fn read(&mut self) -> Result<NextLetter, ReadingError> {
        while self.partitions.values().any(|at| at.next < at.end) {
            let polled = self.reader.poll(&mut self.wait);
            let polled = polled.map_err(|why| ReadingError::Topic { topic: self.topic.clone(), why })?;
            let Some((number, message)) = polled else { return Ok(NextLetter::Later) };
            let Some(at) = self.partitions.get_mut(&number) else { continue };
            let Some(message) = message else {
                at.next = at.end;
                continue;
            };
            let offset = message.offset();
            at.next = offset + 1;
            if offset < at.end {
                let Original { key, value, headers, .. } = original(&message);
                let place = format!("{}[{number}]@{offset}", self.topic);
                let item = LetterEntry { place, found: headers::unpack(key, value, headers) };
                return Ok(NextLetter::Entry(Box::new(item)));
            }
        }
        Ok(NextLetter::End)
    }

    fn progress(&self) -> Progress {
        let sum = |f: fn(&Partition) -> i64| self.partitions.values().map(f).sum::<i64>().unsigned_abs();
        Progress { done: sum(|at| at.next - at.first), all: sum(|at| at.end - at.first) }
    }
}
