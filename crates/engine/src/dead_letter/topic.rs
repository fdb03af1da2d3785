//! Writes letters to a Kafka topic. Each letter counts as written when all replicas have acknowledged it.

use super::DeadLetterError;
use super::headers::{LetterRecord, Truncation, pack};
use super::letter::Letter;
use base::text::printable;
use kafka::{Acknowledgement, ClientKind, Producer, ReportedError, Settings, properties, why_no_client};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};
use std::collections::VecDeque;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::debug;

/// The producer's queue, `queue.buffering.max.kbytes`, in bytes. librdkafka counts the values of the records in it, without keys and
/// headers. A letter with a larger value would never fit, and is kept.
const LETTER_BYTES_MAX: usize = 4 << 20;
/// Time limit for room in the producer's queue. Earlier letters are acknowledged or fail within 10 s.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(15);
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// Letters of one call in flight: few enough for a slow topic to acknowledge them within their time limit.
const IN_FLIGHT_MAX: usize = 1_000;

/// Writes to one topic.
pub struct TopicWriter {
    topic: String,
    brokers: String,
    producer: Producer,
    /// Sends letters that were refused as too large. A broker refuses whole batches; this producer sends each letter alone.
    single: OnceLock<Producer>,
    kafka: Settings,
}

/// A letter and how it is sent.
#[derive(Clone, Copy, Debug)]
struct Sending {
    letter: usize,
    kept: Truncation,
    is_single: bool,
}

/// A letter in flight.
struct Sent {
    sending: Sending,
    answer: oneshot::Receiver<Acknowledgement>,
}

impl TopicWriter {
    /// Creates the client, which connects by itself.
    pub fn new(kafka: &Settings, topic: &str) -> Result<Self, DeadLetterError> {
        let producer = create(kafka, ClientKind::Producer)?;
        let (topic, brokers) = (topic.to_owned(), kafka.brokers.join(","));
        Ok(Self { topic, brokers, producer, single: OnceLock::new(), kafka: kafka.clone() })
    }

    pub async fn send(&self, letters: &mut Vec<Letter>) -> Result<(), DeadLetterError> {
        let mut settled = vec![false; letters.len()];
        let result = self.send_all(letters, &mut settled).await;
        let mut settled = settled.into_iter();
        letters.retain(|_| settled.next() == Some(false));
        result
    }

    /// Sends every letter, and cuts letters that are refused as too large. Ends when all are acknowledged, or after the first failure.
    async fn send_all(&self, letters: &[Letter], settled: &mut [bool]) -> Result<(), DeadLetterError> {
        let time = super::now();
        let whole = |letter| Sending { letter, kept: Truncation::WHOLE, is_single: false };
        let mut to_send: VecDeque<Sending> = (0..letters.len()).map(whole).collect();
        let mut in_flight: VecDeque<Sent> = VecDeque::new();
        let mut failed = None;
        let mut room_by = Instant::now() + ROOM_WAIT_MAX;
        loop {
            let has_room = failed.is_none() && in_flight.len() < IN_FLIGHT_MAX;
            if let Some(sending) = to_send.pop_front_if(|_| has_room) {
                let Some(letter) = letters.get(sending.letter) else { continue };
                match self.enqueue(&pack(letter, sending.kept, &time), sending) {
                    Ok(answer) => {
                        in_flight.push_back(Sent { sending, answer });
                        room_by = Instant::now() + ROOM_WAIT_MAX;
                        continue;
                    }
                    Err(RDKafkaErrorCode::QueueFull) if Instant::now() < room_by => {
                        to_send.push_front(sending);
                        if in_flight.is_empty() {
                            // Letters of other lanes fill the queue.
                            tokio::time::sleep(ROOM_PAUSE).await;
                        }
                    }
                    Err(code) => self.refused(code, sending, &mut to_send, &mut failed),
                }
            } else if in_flight.is_empty() {
                return failed.map_or(Ok(()), Err);
            }
            let Some(Sent { sending, answer }) = in_flight.pop_front() else { continue };
            match answer.await.unwrap_or(Err(RDKafkaErrorCode::PurgeInflight)) {
                Ok(()) => settled.get_mut(sending.letter).into_iter().for_each(|settled| *settled = true),
                Err(code) => self.refused(code, sending, &mut to_send, &mut failed),
            }
        }
    }

    /// Handles a refusal. A letter that is too large is sent again, first alone and then kept; any other refusal ends the attempt.
    fn refused(
        &self,
        code: RDKafkaErrorCode,
        sending: Sending,
        to_send: &mut VecDeque<Sending>,
        failed: &mut Option<DeadLetterError>,
    ) {
        debug!(%code, topic = self.topic, ?sending, "dead letter refused");
        let is_too_large = code == RDKafkaErrorCode::MessageSizeTooLarge;
        let kept = if sending.is_single { sending.kept.smaller() } else { Some(sending.kept) };
        match kept {
            Some(kept) if is_too_large => to_send.push_front(Sending { kept, is_single: true, ..sending }),
            _ => *failed = failed.take().or_else(|| Some(self.error(code))),
        }
    }

    /// Hands a letter to the client, which copies it.
    fn enqueue(
        &self,
        packed: &LetterRecord<'_>,
        sending: Sending,
    ) -> Result<oneshot::Receiver<Acknowledgement>, RDKafkaErrorCode> {
        if packed.value.map_or(0, <[u8]>::len) > LETTER_BYTES_MAX {
            return Err(RDKafkaErrorCode::MessageSizeTooLarge);
        }
        let (answers, answer) = oneshot::channel();
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(&self.topic, Box::new(answers));
        (record.key, record.payload) = (packed.key, packed.value);
        record.headers = Some(
            packed
                .headers
                .iter()
                .fold(OwnedHeaders::new_with_capacity(packed.headers.len()), |headers, (key, value)| {
                    headers.insert(Header { key, value: value.as_deref() })
                }),
        );
        let producer = if sending.is_single { self.single()? } else { &self.producer };
        let refused = |error: KafkaError| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        producer.send(record).map_err(|(error, _)| refused(error))?;
        Ok(answer)
    }

    fn single(&self) -> Result<&Producer, RDKafkaErrorCode> {
        if let Some(single) = self.single.get() {
            return Ok(single);
        }
        let created = create(&self.kafka, ClientKind::SingleProducer)
            .map_err(|_| RDKafkaErrorCode::CriticalSystemResource)?;
        // Another lane may have created one meanwhile.
        Ok(self.single.get_or_init(|| created))
    }

    fn error(&self, code: RDKafkaErrorCode) -> DeadLetterError {
        use RDKafkaErrorCode as Code;
        let (topic, why) = (self.topic.clone(), code.to_string());
        match code {
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
                DeadLetterError::TopicMissing { topic, brokers: self.brokers.clone() }
            }
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                DeadLetterError::TopicForbidden { topic, why }
            }
            Code::MessageSizeTooLarge => DeadLetterError::TopicTooSmall { topic },
            Code::InvalidRecord | Code::InvalidTimestamp | Code::InvalidMessage | Code::PolicyViolation => {
                DeadLetterError::TopicRefuses { topic, why }
            }
            _ => {
                let last = self.producer.context().reported_errors().last_cause();
                let cause = last.unwrap_or(ReportedError { code: Some(code), text: why });
                let (why, remedy) = (printable(&cause.text, 300), cause.explanation());
                DeadLetterError::Unreachable { topic, why, remedy }
            }
        }
    }
}

fn create(kafka: &Settings, kind: ClientKind) -> Result<Producer, DeadLetterError> {
    let created = Producer::with(kafka, &properties(kafka, kind));
    created.map_err(|error| DeadLetterError::Client { why: why_no_client(&error) })
}

impl fmt::Debug for TopicWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicWriter").field("topic", &self.topic).finish_non_exhaustive()
    }
}
