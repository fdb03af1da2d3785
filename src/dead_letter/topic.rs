//! Letters to a Kafka topic: one attempt each, acknowledged by all replicas.

use super::DeadLetterError;
use super::complaints::{Complaint, Complaints};
use super::headers::{Cut, Packed, pack};
use super::letter::Letter;
use crate::config::Kafka;
use crate::kafka::producer_config;
use crate::text::printable;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer,
};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::debug;

/// Letters larger than the producer's queue are cut: they would wait for ever.
const LETTER_BYTES_MAX: usize = 4 << 20;
/// How long a letter waits for room in the producer's queue: those before it are acknowledged or given up within 10 s.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(15);
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// Writes to one topic.
pub struct TopicWriter {
    topic: String,
    brokers: String,
    producer: ThreadedProducer<LetterContext>,
}

/// A letter on its way.
struct Sent {
    letter: usize,
    cut: Cut,
    answer: oneshot::Receiver<Answer>,
}

type Answer = Result<(), RDKafkaErrorCode>;

impl TopicWriter {
    /// Makes the client; it connects by itself.
    pub fn new(kafka: &Kafka, topic: &str) -> Result<Self, DeadLetterError> {
        let producer = producer_config(kafka)
            .create_with_context::<_, ThreadedProducer<_, NoCustomPartitioner>>(LetterContext::default())
            .map_err(|error| DeadLetterError::Client { why: error.to_string() })?;
        Ok(Self { topic: topic.to_owned(), brokers: kafka.brokers.join(","), producer })
    }

    pub async fn send(&self, letters: &mut Vec<Letter>) -> Result<(), DeadLetterError> {
        let mut settled = vec![false; letters.len()];
        let result = self.send_all(letters, &mut settled).await;
        let mut settled = settled.into_iter();
        letters.retain(|_| settled.next() == Some(false));
        result
    }

    /// Sends every letter, cutting what is refused as too large, until all are acknowledged or one can't be.
    async fn send_all(&self, letters: &[Letter], settled: &mut [bool]) -> Result<(), DeadLetterError> {
        let time = super::now();
        let mut to_send: VecDeque<(usize, Cut)> =
            (0..letters.len()).map(|letter| (letter, Cut::WHOLE)).collect();
        let mut on_the_way: VecDeque<Sent> = VecDeque::new();
        let mut failed = None;
        let mut room_by = Instant::now() + ROOM_WAIT_MAX;
        loop {
            let next = if failed.is_none() { to_send.pop_front() } else { None };
            if let Some((number, cut)) = next {
                let Some(letter) = letters.get(number) else { continue };
                match self.enqueue(&pack(letter, cut, &time)) {
                    Ok(answer) => {
                        on_the_way.push_back(Sent { letter: number, cut, answer });
                        room_by = Instant::now() + ROOM_WAIT_MAX;
                        continue;
                    }
                    Err(RDKafkaErrorCode::QueueFull) => {
                        to_send.push_front((number, cut));
                        if on_the_way.is_empty() {
                            // Letters of other lanes fill it.
                            tokio::time::sleep(ROOM_PAUSE).await;
                        }
                        if Instant::now() >= room_by {
                            failed = Some(self.error(RDKafkaErrorCode::QueueFull));
                        }
                    }
                    Err(code) => self.refused(code, (number, cut), &mut to_send, &mut failed),
                }
            } else if on_the_way.is_empty() {
                return failed.map_or(Ok(()), Err);
            }
            let Some(sent) = on_the_way.pop_front() else { continue };
            match sent.answer.await.unwrap_or(Err(RDKafkaErrorCode::PurgeInflight)) {
                Ok(()) => settled.get_mut(sent.letter).into_iter().for_each(|settled| *settled = true),
                Err(code) => self.refused(code, (sent.letter, sent.cut), &mut to_send, &mut failed),
            }
        }
    }

    /// A letter that is too large is sent again, smaller; anything else ends the attempt.
    fn refused(
        &self,
        code: RDKafkaErrorCode,
        (letter, cut): (usize, Cut),
        to_send: &mut VecDeque<(usize, Cut)>,
        failed: &mut Option<DeadLetterError>,
    ) {
        debug!(%code, topic = self.topic, ?cut, "dead letter not taken");
        match cut.smaller() {
            Some(smaller) if code == RDKafkaErrorCode::MessageSizeTooLarge => {
                to_send.push_front((letter, smaller));
            }
            _ => *failed = failed.take().or_else(|| Some(self.error(code))),
        }
    }

    /// Hands a letter to the client, which copies it.
    fn enqueue(&self, packed: &Packed<'_>) -> Result<oneshot::Receiver<Answer>, RDKafkaErrorCode> {
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
        self.producer
            .send(record)
            .map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))?;
        Ok(answer)
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
                let last = self.producer.context().complaints.last();
                let Complaint { why, remedy } = last.unwrap_or_else(|| Complaint::new(code, &why));
                DeadLetterError::Unreachable { topic, why, remedy }
            }
        }
    }
}

impl fmt::Debug for TopicWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicWriter").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// Passes acknowledgements on.
#[derive(Debug, Default)]
pub struct LetterContext {
    complaints: Complaints,
}

impl ClientContext for LetterContext {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(facility, text = printable(text, 500), "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.complaints.note(&error, reason);
    }
}

impl ProducerContext for LetterContext {
    type DeliveryOpaque = Box<oneshot::Sender<Answer>>;

    fn delivery(&self, result: &DeliveryResult<'_>, answers: Self::DeliveryOpaque) {
        let answer = match result {
            Ok(_) => {
                self.complaints.clear();
                Ok(())
            }
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        };
        // Nobody waits any more: the letters were given up, or are sent again.
        let _nobody = answers.send(answer);
    }
}
